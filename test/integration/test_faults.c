/* The host runs out of something at its first, second, third... attempt to get it, once or from
 * then on: each call says so, nothing is lost, and the runtime works when there is enough again.
 *
 * What is injected is in test/unit/faults.h; the library is linked into this program for it.
 */
#include "inject.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- opening -------------------------------------------------------------------------------- */

/* One out of the pool, and one of another template. */
static gbx_status
more_isolates(gbx_runtime *runtime, gbx_error *error)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    gbx_status status = GBX_OK;

    options.memory_limit_bytes = 64ull << 20;
    for (int i = 0; i < 2 && status == GBX_OK; i++) {
        gbx_isolate *isolate = NULL;
        status = gbx_isolate_open(runtime, i == 0 ? NULL : &options, &isolate, error);
        if (status == GBX_OK)
            status = gbx_eval(gbx_isolate_context(isolate), "1", NULL, NULL, error);
        gbx_isolate_close(isolate);
    }
    return status;
}

static gbx_status
open_and_close(struct world *w, gbx_error *error)
{
    gbx_runtime_options options = GBX_RUNTIME_OPTIONS_INIT;
    gbx_runtime *runtime = NULL;
    gbx_isolate *isolate = NULL;
    gbx_value *value = NULL;

    (void)w;
    options.pool = 1;
    gbx_status status = gbx_runtime_open(&options, &runtime, error);
    if (status == GBX_OK)
        status = gbx_isolate_open(runtime, NULL, &isolate, error);
    if (status == GBX_OK)
        status = gbx_eval(gbx_isolate_context(isolate), "6 * 7", NULL, &value, error);
    if (status == GBX_OK)
        cr_assert_eq(number_of(value), 42);
    if (status == GBX_OK)
        status = more_isolates(runtime, error);
    gbx_value_free(value);
    gbx_isolate_close(isolate);
    gbx_runtime_close(runtime);
    return status;
}

static gbx_status
share(struct world *w, gbx_error *error)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    gbx_shared *shared = NULL;
    gbx_isolate *isolate = NULL;
    gbx_value *value = NULL, *back = NULL;
    gbx_status status = gbx_shared_open(4096, &shared, error);

    options.shared = &shared;
    options.shared_count = 1;
    if (status == GBX_OK)
        status = gbx_isolate_open(w->runtime, &options, &isolate, error);
    if (status == GBX_OK) {
        value = gbx_value_new_shared(shared);
        status = reported(value != NULL ? GBX_OK : GBX_ENOMEM, error);
    }
    if (status == GBX_OK)
        status = ended(gbx_context_set(gbx_isolate_context(isolate), "x", value), NULL, error);
    if (status == GBX_OK)
        status = gbx_eval(
            gbx_isolate_context(isolate), "[x, new Uint8Array(x)]", NULL, &back, error);
    if (status == GBX_OK)
        cr_assert_eq(gbx_value_get_shared(gbx_value_at(back, 0)), shared);
    gbx_value_free(back);
    gbx_value_free(value);
    gbx_isolate_close(isolate);
    gbx_shared_close(shared);
    return status;
}

CleanTest(faults, in_shared_memory)
{
    inject(share, ALL, true);
}

CleanTest(faults, memory_for_a_runtime)
{
    inject(open_and_close, MEMORY, false);
}

CleanTest(faults, system_calls_for_a_runtime)
{
    inject(open_and_close, ALL & ~(unsigned)MEMORY, false);
}

/* Keeps the first failure. */
static gbx_status
first(gbx_status status, gbx_status next)
{
    return status != GBX_OK ? status : next;
}

/* --- calls ---------------------------------------------------------------------------------- */

static const char definitions[] =
    "globalThis.o = { list: [1, 'two', { three: 3n }], get(x) { return { x, o } },"
    "  make: () => x => x + 1, fail(x) { throw new TypeError('no', { cause: x }) } }; 0";

static gbx_status
call_it(struct world *w, const char *path, gbx_status expected, gbx_error *error)
{
    gbx_value *argument = gbx_value_new_array(), *value = NULL;
    gbx_error mine = GBX_ERROR_INIT;

    for (int i = 0; argument != NULL && i < 3; i++)
        if (gbx_value_append(argument, gbx_value_new_string("an element", GBX_NUL)) != GBX_OK) {
            gbx_value_free(argument);
            argument = NULL;
        }
    if (argument == NULL)
        return reported(GBX_ENOMEM, error);
    const gbx_value *arguments[] = { argument, argument };
    gbx_status status = gbx_call(w->context, path, arguments, 2, &value, &mine);
    gbx_value_free(argument);
    cr_assert_eq(status == GBX_OK, value != NULL);
    gbx_value_free(value);
    if (status == expected)
        return GBX_OK;
    *error = mine;
    return status;
}

static gbx_status
set_and_get(struct world *w, gbx_error *error)
{
    gbx_value *value = gbx_value_new_string("a text", GBX_NUL), *back = NULL;

    if (value == NULL)
        return reported(GBX_ENOMEM, error);
    gbx_status status = ended(gbx_context_set(w->context, "o.text", value), NULL, error);
    gbx_value_free(value);
    if (status == GBX_OK)
        status = ended(gbx_context_get(w->context, "o", NULL), &back, error);
    if (status == GBX_ECLONE) { /* it has functions */
        *error = (gbx_error)GBX_ERROR_INIT;
        status = ended(gbx_context_get(w->context, "o.text", NULL), &back, error);
    }
    if (status == GBX_OK)
        expect_string(back, "a text");
    gbx_value_free(back);
    return status;
}

static gbx_status
call_a_reference(struct world *w, gbx_error *error)
{
    gbx_future *future = start(w->context, "o.make()", GBX_RESULT_REFERENCE);
    gbx_value *argument, *value = NULL;
    gbx_status status = gbx_future_wait(future, 60000000, error);
    gbx_reference *reference = gbx_future_take_reference(future);

    gbx_future_free(future);
    if (status != GBX_OK)
        return status;
    cr_assert_not_null(reference);
    argument = gbx_value_new_number(41);
    const gbx_value *arguments[] = { argument };
    status = argument == NULL ? reported(GBX_ENOMEM, error)
                              : ended(gbx_reference_call(reference, NULL, arguments, 1, NULL),
                                    &value, error);
    if (status == GBX_OK)
        cr_assert_eq(number_of(value), 42);
    gbx_value_free(argument);
    gbx_value_free(value);
    gbx_reference_close(reference);
    return status;
}

static gbx_status
calls(struct world *w, gbx_error *error)
{
    gbx_value *value = NULL;
    gbx_status status = ended(start(w->context, definitions, 0), NULL, error);

    if (status == GBX_OK)
        status = call_it(w, "o.get", GBX_ECLONE, error);
    if (status == GBX_OK)
        status = call_it(w, "o.fail", GBX_ETHROW, error);
    if (status == GBX_OK)
        status = set_and_get(w, error);
    if (status == GBX_OK)
        status = call_a_reference(w, error);
    if (status == GBX_OK)
        status = ended(start(w->context, "new Promise(r => r({ a: [1, 2, 3] }))", GBX_AWAIT),
            &value, error);
    gbx_value_free(value);
    return status;
}

CleanTest(faults, in_calls)
{
    inject(calls, ALL & ~(1u << FAULT_SPAWN), true);
}

/* Messages that the ring has no room for wait in memory. */
static gbx_status
large_calls(struct world *w, gbx_error *error)
{
    static uint8_t bytes[600000];
    gbx_future *futures[3];
    gbx_value *value = gbx_value_new_bytes(bytes, sizeof bytes), *back = NULL;
    gbx_status status = GBX_OK;

    if (value == NULL)
        return reported(GBX_ENOMEM, error);
    for (size_t i = 0; i < 3; i++)
        futures[i] = gbx_context_set(w->context, "large", value);
    gbx_value_free(value);
    for (size_t i = 0; i < 3; i++) {
        gbx_error mine = GBX_ERROR_INIT;
        gbx_status one = ended(futures[i], NULL, &mine);
        if (status == GBX_OK && one != GBX_OK)
            *error = mine;
        status = first(status, one);
    }
    if (status == GBX_OK)
        status = ended(gbx_context_get(w->context, "large", NULL), &back, error);
    gbx_value_free(back);
    return status;
}

CleanTest(faults, in_messages_larger_than_the_ring)
{
    inject(large_calls, MEMORY, true);
}

static gbx_status
accounts(struct world *w, gbx_error *error)
{
    gbx_usage usage = GBX_USAGE_INIT;
    gbx_value *value = NULL;

    gbx_status status = ended(gbx_isolate_statistics(w->isolate), &value, error);
    if (status == GBX_OK)
        cr_assert_not_null(gbx_value_get(value, "heapUsed", GBX_NUL));
    gbx_value_free(value);
    if (status == GBX_OK)
        status = ended(gbx_isolate_collect(w->isolate), NULL, error);
    if (status == GBX_OK)
        status = reported(gbx_isolate_usage(w->isolate, &usage), error);
    return status;
}

CleanTest(faults, in_accounts)
{
    inject(accounts, MEMORY | 1u << FAULT_DESCRIPTOR, true);
}

/* --- contexts, sessions, terminations ------------------------------------------------------- */

static gbx_status
another_context(struct world *w, gbx_error *error)
{
    gbx_context *context = NULL;
    gbx_value *value = NULL;
    gbx_status status = gbx_context_open(w->isolate, &context, error);

    if (status == GBX_OK)
        status = gbx_eval(context, "typeof o", NULL, &value, error);
    gbx_value_free(value);
    gbx_context_close(context);
    return status;
}

CleanTest(faults, in_contexts)
{
    inject(another_context, MEMORY, true);
}

static void
on_message(gbx_inspector *inspector, const char *json, size_t len, void *data)
{
    (void)inspector;
    cr_assert(len > 0 && json[0] == '{');
    ++*(size_t *)data;
}

static gbx_status
a_session(struct world *w, gbx_error *error)
{
    static const char command[] = "{\"id\":1,\"method\":\"Runtime.evaluate\",\"params\":"
                                  "{\"expression\":\"1 + 1\"}}";
    gbx_inspector *inspector = NULL;
    size_t messages = 0;
    gbx_status status =
        gbx_inspector_open(w->isolate, on_message, &messages, &inspector, error);

    if (status == GBX_OK)
        status = reported(gbx_inspector_send(inspector, command, sizeof command - 1), error);
    /* Commands are served before what is asked for later. */
    if (status == GBX_OK)
        status = ended(start(w->context, "2", 0), NULL, error);
    if (status == GBX_OK)
        cr_assert_gt(messages, 0);
    gbx_inspector_close(inspector);
    return status;
}

CleanTest(faults, in_inspector_sessions)
{
    inject(a_session, MEMORY, true);
}

static gbx_status
a_termination(struct world *w, gbx_error *error)
{
    gbx_error mine = GBX_ERROR_INIT;
    gbx_future *future = start(w->context, "for (;;);", 0);

    gbx_isolate_terminate(w->isolate);
    gbx_status status = ended(future, NULL, &mine);
    if (status == GBX_ETERMINATED)
        return ended(start(w->context, "1", 0), NULL, error);
    *error = mine;
    return status;
}

CleanTest(faults, in_terminations)
{
    inject(a_termination, MEMORY, true);
}

/* --- host functions ------------------------------------------------------------------------- */

static gbx_status
answers(gbx_callback *callback, void *data)
{
    gbx_value *value = gbx_value_new_array();

    (void)data;
    if (value == NULL)
        return GBX_ENOMEM;
    gbx_status status = gbx_value_append(value, gbx_value_new_string("answer", GBX_NUL));
    if (status == GBX_OK)
        status = gbx_callback_return(callback, value);
    gbx_value_free(value);
    return status;
}

static gbx_status
throws(gbx_callback *callback, void *data)
{
    (void)data;
    return gbx_callback_throw(callback, "RangeError", "thrown by the host");
}

static gbx_status
calls_back(gbx_callback *callback, void *data)
{
    gbx_context *context = gbx_isolate_context(gbx_callback_isolate(callback));
    gbx_error error = GBX_ERROR_INIT;

    (void)data;
    return gbx_eval(context, "[1, 2, 3].length", NULL, NULL, &error);
}

static gbx_status
defers(gbx_callback *callback, void *data)
{
    return gbx_callback_defer(callback, data);
}

static gbx_deferred *deferred;

static gbx_status
give_functions(struct world *w, gbx_error *error)
{
    gbx_status status =
        ended(gbx_context_set_function(w->context, "answers", answers, NULL), NULL, error);

    if (status == GBX_OK)
        status =
            ended(gbx_context_set_function(w->context, "throws", throws, NULL), NULL, error);
    if (status == GBX_OK)
        status = ended(
            gbx_context_set_function(w->context, "callsBack", calls_back, NULL), NULL, error);
    if (status == GBX_OK)
        status = ended(
            gbx_context_set_function(w->context, "defers", defers, &deferred), NULL, error);
    return status;
}

/* A promise of the host's, settled well or badly while the guest's call is open. */
static gbx_status
settle_later(struct world *w, bool well, gbx_error *error)
{
    static const char source[] = "defers({ some: 'argument' }).catch(e => e.message)";
    gbx_value *value = NULL;

    deferred = NULL;
    gbx_future *future = start(w->context, source, GBX_AWAIT);
    while (deferred == NULL && gbx_future_status(future, error) == GBX_EBUSY)
        (void)!gbx_future_wait(future, 100, NULL);
    gbx_status settled = GBX_OK;
    if (deferred != NULL && well) {
        gbx_value *answer = gbx_value_new_string("settled", GBX_NUL);
        settled = gbx_deferred_resolve(deferred, answer);
        gbx_value_free(answer);
    } else {
        gbx_deferred_reject(deferred, "Error", "settled");
    }
    gbx_status status = ended(future, &value, error);
    gbx_value_free(value);
    return first(status, reported(settled, error));
}

static gbx_status
functions(struct world *w, gbx_error *error)
{
    gbx_value *value = NULL;
    gbx_status status = give_functions(w, error);

    if (status == GBX_OK)
        status = ended(start(w->context,
                           "try { throws([1], {}) } catch (e) {"
                           "  if (!/thrown|memory/.test(e.message)) throw e }"
                           "callsBack(new Map([[1, 2]])); answers(1, 'two', [3])",
                           0),
            &value, error);
    gbx_value_free(value);
    if (status == GBX_OK)
        status = settle_later(w, true, error);
    if (status == GBX_OK)
        status = settle_later(w, false, error);
    return status;
}

CleanTest(faults, in_host_functions)
{
    inject(functions, MEMORY, true);
}

/* --- heap snapshots ------------------------------------------------------------------------- */

static gbx_status
swallow(const void *piece, size_t len, void *data)
{
    (void)piece;
    *(size_t *)data += len;
    return GBX_OK;
}

static gbx_status
snapshot_to_sink(struct world *w, uint32_t mode, gbx_error *error)
{
    gbx_snapshot_options options = GBX_SNAPSHOT_OPTIONS_INIT;
    size_t bytes = 0;
    gbx_value *value = NULL;

    options.mode = mode;
    options.sink = swallow;
    options.data = &bytes;
    gbx_status status = ended(gbx_heap_snapshot(w->isolate, &options), &value, error);
    if (status == GBX_OK)
        cr_assert_eq(number_of(value), (double)bytes);
    gbx_value_free(value);
    return status;
}

static gbx_status
attached(struct world *w, gbx_error *error)
{
    return snapshot_to_sink(w, GBX_SNAPSHOT_ATTACHED, error);
}

static gbx_status
background(struct world *w, gbx_error *error)
{
    return snapshot_to_sink(w, GBX_SNAPSHOT_BACKGROUND, error);
}

CleanTest(faults, in_attached_snapshots)
{
    inject(attached, MEMORY, true);
}

CleanTest(faults, in_background_snapshots)
{
    inject(background, MEMORY, true);
}

/* Twice, so that the second replaces the first. */
static gbx_status
snapshot_to_file(struct world *w, gbx_error *error)
{
    gbx_snapshot_options options = GBX_SNAPSHOT_OPTIONS_INIT;
    char path[128];
    gbx_status status = GBX_OK;

    (void)snprintf(path, sizeof path, "%s/a.heapsnapshot", scratch_directory());
    options.path = path;
    options.mode = GBX_SNAPSHOT_ATTACHED;
    for (int i = 0; i < 2 && status == GBX_OK; i++) {
        status = ended(gbx_heap_snapshot(w->isolate, &options), NULL, error);
        /* A whole one or none, and no other file. */
        size_t entries = scratch_entries();
        cr_assert(status == GBX_OK ? entries == 1 : entries <= 1, "%zu files", entries);
    }
    (void)unlink(path);
    return status;
}

CleanTest(faults, in_snapshots_to_files)
{
    inject(snapshot_to_file, MEMORY | 1u << FAULT_DESCRIPTOR, true);
}
