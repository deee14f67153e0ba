/* The API from its first call on: options, arguments, contexts, references, promises, futures. */
#include "support.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- options and versions ------------------------------------------------------------------- */

/* A struct of a later version: ours, and a tail that we do not know. */
struct longer {
    union {
        gbx_runtime_options runtime;
        gbx_isolate_options isolate;
        gbx_call_options call;
        gbx_snapshot_options snapshot;
        unsigned char bytes[512];
    } u;
};

CleanTest(api, a_value_that_is_not_wanted_need_not_be_copyable)
{
    struct world w = world_open(NULL);
    gbx_value *value = NULL;

    cr_assert_eq(gbx_eval(w.context, "f = () => f", NULL, NULL, NULL), GBX_OK);
    cr_assert_eq(gbx_call(w.context, "f", NULL, 0, NULL, NULL), GBX_OK);
    cr_assert_eq(gbx_eval(w.context, "f", NULL, &value, NULL), GBX_ECLONE);
    cr_assert_eq(gbx_call(w.context, "f", NULL, 0, &value, NULL), GBX_ECLONE);
    cr_assert_null(value);
    world_close(&w);
}

CleanTest(api, version_is_the_header_s)
{
    cr_assert_eq(gbx_version(), GBX_VERSION);
}

CleanTest(api, runtime_options_may_grow_and_be_left_out)
{
    gbx_runtime_options init = GBX_RUNTIME_OPTIONS_INIT;
    gbx_error error = GBX_ERROR_INIT;
    gbx_runtime *runtime = NULL;
    struct longer longer;

    cr_assert_eq(gbx_runtime_open(NULL, &runtime, NULL), GBX_OK);
    cr_assert(strncmp(gbx_runtime_engine(runtime), "14.6.", 5) == 0, "%s",
        gbx_runtime_engine(runtime));
    cr_assert(gbx_runtime_fd(runtime) > STDERR_FILENO);
    gbx_runtime_close(runtime);

    memset(&longer, 0, sizeof longer);
    longer.u.runtime = init;
    longer.u.runtime.size = sizeof longer.u.bytes;
    cr_assert_eq(gbx_runtime_open(&longer.u.runtime, &runtime, &error), GBX_OK);
    gbx_runtime_close(runtime);
    gbx_runtime_close(NULL);

    runtime = NULL;
    longer.u.bytes[sizeof longer.u.bytes - 1] = 1;
    cr_assert_eq(gbx_runtime_open(&longer.u.runtime, &runtime, &error), GBX_EUNSUPPORTED);
    cr_assert_eq(error.status, GBX_EUNSUPPORTED);
    cr_assert_not_null(strstr(error.message, "byte 511"), "%s", error.message);
    init.size = offsetof(gbx_runtime_options, require) - 1; /* the first version's, less one */
    cr_assert_eq(gbx_runtime_open(&init, &runtime, &error), GBX_EINVAL);
    init.size = 0;
    cr_assert_eq(gbx_runtime_open(&init, &runtime, &error), GBX_EINVAL);
    init.size = UINT32_MAX;
    cr_assert_eq(gbx_runtime_open(&init, &runtime, &error), GBX_EINVAL);
    init = (gbx_runtime_options)GBX_RUNTIME_OPTIONS_INIT;
    init.require = GBX_REQUIRE_NONE + 1;
    cr_assert_eq(gbx_runtime_open(&init, &runtime, &error), GBX_EUNSUPPORTED);
    init.require = 0;
    init.pool = 65;
    cr_assert_eq(gbx_runtime_open(&init, &runtime, &error), GBX_EINVAL);
    cr_assert_null(runtime);
}

CleanTest(api, a_missing_engine_is_named)
{
    gbx_runtime_options options = GBX_RUNTIME_OPTIONS_INIT;
    gbx_error error = GBX_ERROR_INIT;
    gbx_runtime *runtime = NULL;

    options.engine = "/nowhere/at/all";
    cr_assert_eq(gbx_runtime_open(&options, &runtime, &error), GBX_EENGINE);
    cr_assert_not_null(strstr(error.message, "/nowhere/at/all"), "%s", error.message);
    options.engine = "/usr"; /* Debian's node is another V8, or is not there */
    cr_assert_eq(gbx_runtime_open(&options, &runtime, &error), GBX_EENGINE);
    cr_assert_null(runtime);
}

static gbx_status
isolate_status(const struct world *w, const gbx_isolate_options *options)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_isolate *isolate = NULL;
    gbx_status status = gbx_isolate_open(w->runtime, options, &isolate, &error);

    cr_assert_eq(isolate == NULL, status != GBX_OK);
    cr_assert_eq(error.status, status);
    gbx_isolate_close(isolate);
    return status;
}

CleanTest(api, isolate_options_are_checked)
{
    static const gbx_isolate_options init = GBX_ISOLATE_OPTIONS_INIT;
    struct world w = world_open(NULL);
    gbx_isolate_options o = init;
    struct longer longer;
    char name[100];

    memset(name, 'n', sizeof name);
    name[63] = '\0';
    o.name = name;
    cr_assert_eq(isolate_status(&w, &o), GBX_OK);
    name[63] = 'n';
    name[64] = '\0';
    cr_assert_eq(isolate_status(&w, &o), GBX_EINVAL);
    o = init;
    o.flags = 4; /* the first that nobody has */
    cr_assert_eq(isolate_status(&w, &o), GBX_EUNSUPPORTED);
    o = init;
    o.memory_limit_bytes = ((uint64_t)8 << 20) - 1;
    cr_assert_eq(isolate_status(&w, &o), GBX_EINVAL);
    o.memory_limit_bytes = ((uint64_t)16 << 30) + 1;
    cr_assert_eq(isolate_status(&w, &o), GBX_EINVAL);
    o.memory_limit_bytes = (uint64_t)8 << 20;
    cr_assert_eq(isolate_status(&w, &o), GBX_OK);
    o = init;
    o.stack_limit_bytes = (64 << 10) - 1;
    cr_assert_eq(isolate_status(&w, &o), GBX_EINVAL);
    o.stack_limit_bytes = (4 << 20) + 1;
    cr_assert_eq(isolate_status(&w, &o), GBX_EINVAL);
    o.stack_limit_bytes = 64 << 10;
    cr_assert_eq(isolate_status(&w, &o), GBX_OK);
    o = init;
    o.size = offsetof(gbx_isolate_options, data);
    cr_assert_eq(isolate_status(&w, &o), GBX_EINVAL);
    memset(&longer, 0, sizeof longer);
    longer.u.isolate = init;
    longer.u.isolate.size = sizeof longer.u.bytes;
    cr_assert_eq(isolate_status(&w, &longer.u.isolate), GBX_OK);
    longer.u.bytes[sizeof init] = 1;
    cr_assert_eq(isolate_status(&w, &longer.u.isolate), GBX_EUNSUPPORTED);
    world_close(&w);
}

CleanTest(api, call_options_are_checked)
{
    static const gbx_call_options init = GBX_CALL_OPTIONS_INIT;
    struct world w = world_open(NULL);
    gbx_call_options o = init;
    struct longer longer;
    char *file = malloc(5000);

    o.flags = 1u << 31;
    settle(gbx_context_eval(w.context, "1", 1, &o), GBX_EUNSUPPORTED);
    settle(gbx_context_get(w.context, "x", &o), GBX_EUNSUPPORTED);
    settle(gbx_context_call(w.context, "x", NULL, 0, &o), GBX_EUNSUPPORTED);
    o = init;
    o.size = 8;
    settle(gbx_context_eval(w.context, "1", 1, &o), GBX_EINVAL);
    memset(&longer, 0, sizeof longer);
    longer.u.call = init;
    longer.u.call.size = sizeof longer.u.bytes;
    settle(gbx_context_eval(w.context, "1", 1, &longer.u.call), GBX_OK);
    longer.u.bytes[sizeof init + 3] = 1;
    settle(gbx_context_eval(w.context, "1", 1, &longer.u.call), GBX_EUNSUPPORTED);
    o = init;
    memset(file, 'f', 5000);
    file[4096] = '\0';
    o.file = file;
    settle(gbx_context_eval(w.context, "1", 1, &o), GBX_OK);
    file[4096] = 'f';
    file[4097] = '\0';
    settle(gbx_context_eval(w.context, "1", 1, &o), GBX_EINVAL);
    free(file);
    o = init;
    o.timeout_us = o.cpu_us = GBX_NO_LIMIT;
    o.line = o.column = UINT32_MAX;
    settle(gbx_context_eval(w.context, "1", 1, &o), GBX_OK);
    world_close(&w);
}

/* A limit of the isolate holds for calls that name none; GBX_NO_LIMIT lifts it. */
CleanTest(api, limits_of_the_isolate_are_defaults)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    gbx_call_options o = GBX_CALL_OPTIONS_INIT;
    static const char busy[] = "end = Date.now() + 120; while (Date.now() < end); 1";
    gbx_error error = GBX_ERROR_INIT;

    options.timeout_us = 50000;
    struct world w = world_open(&options);
    gbx_future *future = gbx_context_eval(w.context, busy, strlen(busy), NULL);
    cr_assert_eq(gbx_future_wait(future, -1, &error), GBX_ETIMEOUT);
    cr_assert_eq(error.limit, 50000);
    gbx_future_free(future);
    o.timeout_us = GBX_NO_LIMIT;
    settle(gbx_context_eval(w.context, busy, strlen(busy), &o), GBX_OK);
    o.timeout_us = 20000000;
    settle(gbx_context_eval(w.context, busy, strlen(busy), &o), GBX_OK);
    world_close(&w);
}

/* --- arguments ------------------------------------------------------------------------------ */

CleanTest(api, arguments_outside_their_range_are_answers)
{
    struct world w = world_open(NULL);
    static const gbx_value *many[4097];
    gbx_value *one = gbx_value_new_int32(1);
    char *path = malloc(5000);
    static const struct {
        const char *path;
        gbx_status get, call, set;
    } paths[] = {
        { NULL, GBX_EINVAL, GBX_EINVAL, GBX_EINVAL },
        { "", GBX_EINVAL, GBX_EINVAL, GBX_EINVAL },
        { "no.such", GBX_EINVAL, GBX_EINVAL, GBX_EINVAL },
        { "Math.no.such", GBX_EINVAL, GBX_EINVAL, GBX_EINVAL },
        { "nothing", GBX_OK, GBX_EINVAL, GBX_OK },
        { "Math.PI", GBX_OK, GBX_ETHROW, GBX_OK },
    };

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        settle(gbx_context_get(w.context, paths[i].path, NULL), paths[i].get);
        settle(gbx_context_call(w.context, paths[i].path, NULL, 0, NULL), paths[i].call);
        settle(gbx_context_set(w.context, paths[i].path, one), paths[i].set);
    }
    memset(path, 'p', 5000);
    path[4096] = '\0';
    settle(gbx_context_get(w.context, path, NULL), GBX_OK);
    path[4096] = 'p';
    path[4097] = '\0';
    settle(gbx_context_get(w.context, path, NULL), GBX_EINVAL);
    settle(gbx_context_set(w.context, path, one), GBX_EINVAL);

    for (size_t i = 0; i < sizeof many / sizeof *many; i++)
        many[i] = one;
    settle(gbx_context_call(w.context, "Math.max", many, 4096, NULL), GBX_OK);
    settle(gbx_context_call(w.context, "Math.max", many, 4097, NULL), GBX_EINVAL);
    many[1] = NULL;
    settle(gbx_context_call(w.context, "Math.max", many, 2, NULL), GBX_EINVAL);
    settle(gbx_context_set(w.context, "x", NULL), GBX_EINVAL);
    free(path);
    gbx_value_free(one);
    world_close(&w);
}

CleanTest(api, sources_may_be_empty_long_and_hold_anything)
{
    struct world w = world_open(NULL);
    size_t len = (size_t)9 << 20;
    char *source = malloc(len);

    settle(gbx_context_eval(w.context, "", 0, NULL), GBX_OK);
    settle(gbx_context_eval(w.context, NULL, 0, NULL), GBX_OK);
    cr_assert_eq(settle_number(gbx_context_eval(w.context, "'\0'.length", 10, NULL)), 1);
    gbx_value *value = settle_value(gbx_context_eval(w.context, "'\xff\xfe'", 4, NULL));
    expect_string(value, "\xef\xbf\xbd\xef\xbf\xbd");
    gbx_value_free(value);
    memset(source, ' ', len);
    memcpy(source + len - 3, "7*6", 3);
    cr_assert_eq(settle_number(gbx_context_eval(w.context, source, len, NULL)), 42);
    settle(gbx_context_eval(w.context, source, ((size_t)256 << 20) + 1, NULL), GBX_ETOOBIG);
    free(source);
    world_close(&w);
}

/* --- contexts ------------------------------------------------------------------------------- */

CleanTest(api, contexts_have_globals_of_their_own)
{
    struct world w = world_open(NULL);
    gbx_context *one = NULL, *two = NULL;

    cr_assert_eq(gbx_context_open(w.isolate, &one, NULL), GBX_OK);
    cr_assert_eq(gbx_context_open(w.isolate, &two, NULL), GBX_OK);
    eval_only(w.context, "who = 'own'; Array.prototype.mark = 1; Object.freeze(Math)");
    eval_only(one, "who = 'one'; let lexical = 1");
    expect_text(w.context, "`${who} ${[].mark} ${typeof lexical}`", "own 1 undefined");
    expect_text(one, "`${who} ${[].mark} ${lexical}`", "one undefined 1");
    expect_text(two, "`${typeof who} ${[].mark} ${typeof lexical} ${Object.isFrozen(Math)}`",
        "undefined undefined undefined false");
    /* Each draws its own random numbers. */
    cr_assert_neq(eval_number(one, "Math.random()"), eval_number(two, "Math.random()"));
    gbx_context_close(one);
    expect_text(two, "typeof globalThis", "object");
    gbx_context_close(two);
    gbx_context_close(NULL);
    gbx_context_close(gbx_isolate_context(w.isolate)); /* not ours to close: nothing happens */
    expect_text(w.context, "who", "own");
    world_close(&w);
}

CleanTest(api, contexts_end_at_their_limit_and_are_reused)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    gbx_error error = GBX_ERROR_INIT;
    static gbx_context *contexts[1023];
    gbx_context *more = NULL;

    options.memory_limit_bytes = (uint64_t)1 << 30;
    struct world w = world_open(&options);
    for (size_t i = 0; i < 1023; i++)
        cr_assert_eq(gbx_context_open(w.isolate, &contexts[i], NULL), GBX_OK);
    cr_assert_eq(gbx_context_open(w.isolate, &more, &error), GBX_ELIMIT);
    cr_assert_null(more);
    cr_assert_eq(eval_number(contexts[1022], "x = 5"), 5);
    for (size_t i = 0; i < 1023; i++)
        gbx_context_close(contexts[i]);
    for (int i = 0; i < 1500; i++) {
        cr_assert_eq(gbx_context_open(w.isolate, &more, NULL), GBX_OK);
        if (i % 500 == 0)
            expect_text(more, "typeof x", "undefined");
        gbx_context_close(more);
    }
    expect_usable(&w);
    world_close(&w);
}

CleanTest(api, calls_that_wait_in_a_context_end_with_it)
{
    struct world w = world_open(NULL);
    gbx_context *other = NULL;
    gbx_error error = GBX_ERROR_INIT;

    cr_assert_eq(gbx_context_open(w.isolate, &other, NULL), GBX_OK);
    eval_only(other, "function never() { return new Promise(() => {}) }");
    gbx_future *waits = start(other, "never()", GBX_AWAIT);
    gbx_future *queued = start(other, "1 + 1", 0);
    gbx_future *stays = start(w.context, "new Promise(() => {})", GBX_AWAIT);
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;
    options.flags = GBX_RESULT_REFERENCE;
    gbx_future *get = gbx_context_get(other, "never", &options);
    cr_assert_eq(gbx_future_wait(get, -1, NULL), GBX_OK);
    gbx_reference *reference = gbx_future_take_reference(get);
    options.flags = GBX_AWAIT;
    gbx_future *called = gbx_reference_call(reference, NULL, NULL, 0, &options);
    gbx_context_close(other);
    cr_assert_eq(gbx_future_wait(waits, -1, &error), GBX_EDISPOSED);
    cr_assert_eq(gbx_future_wait(called, -1, &error), GBX_EDISPOSED);
    cr_assert_eq(gbx_future_wait(queued, -1, NULL), GBX_OK);
    cr_assert_eq(gbx_future_wait(stays, 20000, NULL), GBX_EBUSY);
    settle(gbx_reference_call(reference, NULL, NULL, 0, NULL), GBX_EDISPOSED);
    gbx_reference_close(reference);
    gbx_future_free(get);
    gbx_future_free(waits);
    gbx_future_free(called);
    gbx_future_free(queued);
    gbx_future_free(stays);
    expect_usable(&w);
    world_close(&w);
}

/* --- everything may outlive everything ------------------------------------------------------ */

CleanTest(api, handles_outlive_their_isolate_and_runtime)
{
    struct world w = world_open(NULL);
    gbx_context *other = NULL;
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;
    gbx_error error = GBX_ERROR_INIT;

    cr_assert_eq(gbx_context_open(w.isolate, &other, NULL), GBX_OK);
    eval_only(w.context, "f = () => 1");
    options.flags = GBX_RESULT_REFERENCE;
    gbx_future *get = gbx_context_get(w.context, "f", &options);
    cr_assert_eq(gbx_future_wait(get, -1, NULL), GBX_OK);
    gbx_reference *reference = gbx_future_take_reference(get);
    gbx_future *open = start(w.context, "for (;;);", 0), *forgotten = start(other, "1", 0);
    gbx_future_free(forgotten);
    gbx_isolate_close(w.isolate);
    w.isolate = NULL;

    cr_assert_eq(gbx_future_wait(open, -1, &error), GBX_EDISPOSED);
    cr_assert_eq(error.status, GBX_EDISPOSED);
    settle(gbx_context_eval(other, "1", 1, NULL), GBX_EDISPOSED);
    settle(gbx_context_get(other, "x", NULL), GBX_EDISPOSED);
    settle(gbx_reference_call(reference, NULL, NULL, 0, NULL), GBX_EDISPOSED);
    world_close(&w);
    settle(gbx_context_call(other, "f", NULL, 0, NULL), GBX_EDISPOSED);
    gbx_context_close(other);
    gbx_reference_close(reference);
    gbx_future_free(open);
    gbx_future_free(get);
    gbx_isolate_close(NULL);
}

CleanTest(api, runtime_may_be_closed_first)
{
    struct world w = world_open(NULL);
    gbx_future *open = start(w.context, "for (;;);", 0);
    gbx_context *other = NULL;
    gbx_usage usage = GBX_USAGE_INIT;
    gbx_error error = GBX_ERROR_INIT;

    gbx_runtime_close(w.runtime);
    w.runtime = NULL;
    cr_assert_eq(gbx_future_status(open, &error), GBX_EDISPOSED);
    settle(start(w.context, "1", 0), GBX_EDISPOSED);
    settle(gbx_isolate_statistics(w.isolate), GBX_EDISPOSED);
    settle(gbx_isolate_collect(w.isolate), GBX_EDISPOSED);
    cr_assert_eq(gbx_context_open(w.isolate, &other, &error), GBX_EDISPOSED);
    cr_assert_eq(gbx_isolate_usage(w.isolate, &usage), GBX_EDISPOSED);
    cr_assert_null(gbx_isolate_death(w.isolate));
    gbx_isolate_terminate(w.isolate);
    gbx_future_free(open);
    world_close(&w);
}

/* --- get, set, call ------------------------------------------------------------------------- */

CleanTest(api, paths_reach_properties_getters_and_methods)
{
    struct world w = world_open(NULL);
    gbx_value *seven = gbx_value_new_int32(7);
    const gbx_value *arguments[] = { seven };

    eval_only(w.context, "app = { counter: { n: 5, add(x) { return this.n += x } },"
                         " get now() { return ++this.reads }, reads: 0, list: [10, 20],"
                         " get bad() { throw new RangeError('getter') } }; const hidden = 1");
    cr_assert_eq(settle_number(gbx_context_get(w.context, "app.counter.n", NULL)), 5);
    cr_assert_eq(settle_number(gbx_context_get(w.context, "app.list.1", NULL)), 20);
    cr_assert_eq(settle_number(gbx_context_get(w.context, "app.now", NULL)), 1);
    cr_assert_eq(settle_number(gbx_context_get(w.context, "app.now", NULL)), 2);
    cr_assert_eq(
        settle_number(gbx_context_call(w.context, "app.counter.add", arguments, 1, NULL)), 12);
    settle(gbx_context_get(w.context, "app.bad", NULL), GBX_ETHROW);
    settle(gbx_context_get(w.context, "app.bad.deeper", NULL), GBX_ETHROW);
    settle(gbx_context_set(w.context, "app.counter.n", seven), GBX_OK);
    settle(gbx_context_set(w.context, "app.list.2", seven), GBX_OK);
    settle(gbx_context_set(w.context, "fresh", seven), GBX_OK);
    cr_assert_eq(eval_number(w.context, "app.counter.n + app.list[2] + fresh"), 21);
    /* Of a primitive too; let and const are no properties of the global object. */
    cr_assert_eq(settle_number(gbx_context_get(w.context, "app.list.length", NULL)), 3);
    gbx_value *value = settle_value(gbx_context_get(w.context, "hidden", NULL));
    cr_assert_eq(gbx_value_get_kind(value), GBX_UNDEFINED);
    gbx_value_free(value);
    value = NULL;
    cr_assert_eq(gbx_call(w.context, "app.counter.add", arguments, 1, &value, NULL), GBX_OK);
    cr_assert_eq(number_of(value), 14);
    gbx_value_free(value);
    gbx_error error = GBX_ERROR_INIT;
    value = NULL;
    cr_assert_eq(gbx_call(w.context, "app.list", NULL, 0, &value, &error), GBX_ETHROW);
    cr_assert_str_eq(error.name, "TypeError");
    cr_assert_null(value);
    gbx_value_free(seven);
    world_close(&w);
}

/* --- references ----------------------------------------------------------------------------- */

CleanTest(api, references_are_called_many_times)
{
    struct world w = world_open(NULL);
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;
    gbx_value *two = gbx_value_new_int32(2);
    const gbx_value *arguments[] = { two };

    eval_only(w.context, "sum = 0; function add(x) { 'use strict';"
                         " if (this !== undefined) throw new Error('this'); return sum += x }");
    options.flags = GBX_RESULT_REFERENCE;
    gbx_future *future = gbx_context_get(w.context, "add", &options);
    cr_assert_eq(gbx_future_wait(future, -1, NULL), GBX_OK);
    cr_assert_null(gbx_future_value(future));
    cr_assert_null(gbx_future_take_value(future));
    gbx_reference *add = gbx_future_take_reference(future);
    cr_assert_not_null(add);
    cr_assert_null(gbx_future_take_reference(future));
    gbx_future_free(future);
    for (int i = 1; i <= 5000; i++)
        cr_assert_eq(settle_number(gbx_reference_call(add, NULL, arguments, 1, NULL)), 2 * i);
    eval_only(w.context, "delete globalThis.add");
    cr_assert_eq(settle_number(gbx_reference_call(add, NULL, arguments, 1, NULL)), 10002);
    gbx_reference_close(add);
    gbx_reference_close(NULL);

    /* Of anything that an evaluation answers; what is no function throws. */
    future = start(w.context, "() => 'made'", GBX_RESULT_REFERENCE);
    cr_assert_eq(gbx_future_wait(future, -1, NULL), GBX_OK);
    gbx_reference *made = gbx_future_take_reference(future);
    gbx_future_free(future);
    gbx_value *value = settle_value(gbx_reference_call(made, NULL, NULL, 0, NULL));
    expect_string(value, "made");
    gbx_value_free(value);
    gbx_reference_close(made);
    future = start(w.context, "Promise.resolve(5)", GBX_RESULT_REFERENCE | GBX_AWAIT);
    cr_assert_eq(gbx_future_wait(future, -1, NULL), GBX_OK);
    made = gbx_future_take_reference(future);
    gbx_future_free(future);
    settle(gbx_reference_call(made, NULL, NULL, 0, NULL), GBX_ETHROW);
    gbx_reference_close(made);
    /* One that nobody takes is released with its future. */
    settle(start(w.context, "({})", GBX_RESULT_REFERENCE), GBX_OK);
    gbx_future_free(start(w.context, "({})", GBX_RESULT_REFERENCE));
    expect_usable(&w);
    gbx_value_free(two);
    world_close(&w);
}

/* A closed reference keeps nothing alive. */
CleanTest(api, references_are_released)
{
    struct world w = world_open(NULL);

    eval_only(w.context,
        "registry = new FinalizationRegistry(() => { gone++ }); gone = 0;"
        "function make() { const f = () => f; registry.register(f); return f }");
    for (int i = 0; i < 100; i++) {
        gbx_future *future = start(w.context, "make()", GBX_RESULT_REFERENCE);
        cr_assert_eq(gbx_future_wait(future, -1, NULL), GBX_OK);
        gbx_reference_close(gbx_future_take_reference(future));
        gbx_future_free(future);
    }
    for (int i = 0; i < 100 && eval_number(w.context, "gone") < 99; i++)
        settle(gbx_isolate_collect(w.isolate), GBX_OK);
    cr_assert_geq(eval_number(w.context, "gone"), 99);
    world_close(&w);
}

CleanTest(api, results_may_be_ignored)
{
    struct world w = world_open(NULL);

    gbx_value *value = settle_value(start(w.context, "() => 1", GBX_RESULT_IGNORE));
    cr_assert_eq(gbx_value_get_kind(value), GBX_UNDEFINED);
    gbx_value_free(value);
    settle(start(w.context, "throw 1", GBX_RESULT_IGNORE), GBX_ETHROW);
    settle(start(w.context, "Promise.reject(1)", GBX_RESULT_IGNORE | GBX_AWAIT), GBX_ETHROW);
    world_close(&w);
}
