/* Scripts that are compiled once and run in many contexts, and their code caches. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A library of functions, each worth compiling, and what `twice` answers. */
static const char library[] = "var calls = (globalThis.calls || 0) + 1;\n"
                              "function twice(n) { return n + n }\n"
                              "function deep(n) { return n === 0 ? 0 : 1 + deep(n - 1) }\n"
                              "calls * 1000 + twice(21)";

static gbx_future *
compiling(gbx_isolate *isolate, const char *source, const gbx_value *cache)
{
    const void *bytes = NULL;
    size_t len = 0;

    if (cache != NULL)
        cr_assert_eq(gbx_value_get_bytes(cache, &bytes, &len), GBX_OK);
    return gbx_script_compile(isolate, source, strlen(source), bytes, len, NULL);
}

static gbx_script *
settle_script(gbx_future *future)
{
    gbx_error error = GBX_ERROR_INIT;

    cr_assert_eq(gbx_future_wait(future, -1, &error), GBX_OK, "%s", error.message);
    gbx_script *script = gbx_future_take_script(future);
    cr_assert_not_null(script);
    cr_assert_null(gbx_future_take_script(future), "a script is taken once");
    cr_assert_null(gbx_future_value(future));
    gbx_future_free(future);
    return script;
}

static gbx_script *
compile(gbx_isolate *isolate, const char *source, const gbx_value *cache)
{
    return settle_script(compiling(isolate, source, cache));
}

static gbx_value *
cache_of(gbx_isolate *isolate, const char *source)
{
    return settle_value(gbx_script_cache(isolate, source, strlen(source), NULL));
}

/* Compiles with these bytes as a cache; whatever they are, the script must work. */
static uint32_t
state_with(const struct world *w, const char *source, const void *bytes, size_t len)
{
    gbx_script *script =
        settle_script(gbx_script_compile(w->isolate, source, strlen(source), bytes, len, NULL));
    uint32_t state = gbx_script_cache_state(script);
    gbx_context *context;

    cr_assert_eq(gbx_context_open(w->isolate, &context, NULL), GBX_OK);
    cr_assert_eq(settle_number(gbx_script_run(script, context, NULL)), 1042);
    gbx_context_close(context);
    gbx_script_close(script);
    return state;
}

CleanTest(script, runs_in_every_context_of_its_isolate)
{
    struct world w = world_open(NULL);
    gbx_script *script = compile(w.isolate, library, NULL);
    gbx_context *other;

    cr_assert_eq(gbx_script_cache_state(script), GBX_CACHE_NONE);
    cr_assert_eq(gbx_context_open(w.isolate, &other, NULL), GBX_OK);
    cr_assert_eq(settle_number(gbx_script_run(script, w.context, NULL)), 1042);
    cr_assert_eq(settle_number(gbx_script_run(script, w.context, NULL)), 2042);
    cr_assert_eq(settle_number(gbx_script_run(script, other, NULL)), 1042);
    cr_assert_eq(eval_number(other, "deep(100)"), 100);
    /* A script outlives the contexts that it ran in. */
    gbx_context_close(other);
    cr_assert_eq(settle_number(gbx_script_run(script, w.context, NULL)), 3042);
    gbx_script_close(script);
    gbx_script_close(NULL);
    cr_assert_eq(eval_number(w.context, "twice(2)"), 4, "its functions stay");
    world_close(&w);
}

CleanTest(script, is_run_under_the_options_of_each_call)
{
    struct world w = world_open(NULL);
    gbx_script *forever = compile(w.isolate, "for (;;);", NULL);
    gbx_script *later = compile(w.isolate, "Promise.resolve(7)", NULL);
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;

    options.timeout_us = 20000;
    settle(gbx_script_run(forever, w.context, &options), GBX_ETIMEOUT);
    options = (gbx_call_options)GBX_CALL_OPTIONS_INIT;
    options.flags = GBX_AWAIT;
    cr_assert_eq(settle_number(gbx_script_run(later, w.context, &options)), 7);
    options.flags = GBX_RESULT_REFERENCE;
    gbx_future *future = gbx_script_run(later, w.context, &options);
    cr_assert_eq(gbx_future_wait(future, -1, NULL), GBX_OK);
    gbx_reference *reference = gbx_future_take_reference(future);
    cr_assert_not_null(reference);
    cr_assert_null(gbx_future_take_script(future));
    gbx_reference_close(reference);
    gbx_future_free(future);
    options.flags = GBX_MODULE;
    settle(gbx_script_run(later, w.context, &options), GBX_EINVAL);
    options.flags = 1u << 31;
    settle(gbx_script_run(later, w.context, &options), GBX_EUNSUPPORTED);
    gbx_script_close(forever);
    gbx_script_close(later);
    expect_usable(&w);
    world_close(&w);
}

CleanTest(script, knows_where_it_came_from)
{
    struct world w = world_open(NULL);
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;
    gbx_error error = GBX_ERROR_INIT;
    static const char source[] = "null.x";

    options.file = "page.html";
    options.line = 100;
    options.column = 7;
    gbx_value *cache = cache_of(w.isolate, source);
    const void *bytes;
    size_t len;
    cr_assert_eq(gbx_value_get_bytes(cache, &bytes, &len), GBX_OK);
    for (int cached = 0; cached < 2; cached++) {
        gbx_script *script = settle_script(gbx_script_compile(w.isolate, source, strlen(source),
            cached ? bytes : NULL, cached ? len : 0, &options));
        gbx_future *future = gbx_script_run(script, w.context, NULL);
        cr_assert_eq(gbx_future_wait(future, -1, &error), GBX_ETHROW);
        cr_assert_str_eq(error.file, "page.html");
        cr_assert_eq(error.line, 101);
        cr_assert_eq(error.column, 13);
        cr_assert_not_null(strstr(error.stack, "page.html:101:13"), "%s", error.stack);
        gbx_future_free(future);
        gbx_script_close(script);
    }
    gbx_value_free(cache);
    world_close(&w);
}

CleanTest(script, with_a_mistake_is_an_error_with_its_position)
{
    struct world w = world_open(NULL);
    gbx_error error = GBX_ERROR_INIT;
    gbx_future *futures[] = { compiling(w.isolate, "1;\n  var x = ;", NULL),
        gbx_script_cache(w.isolate, "1;\n  var x = ;", 13, NULL) };

    for (size_t i = 0; i < 2; i++) {
        cr_assert_eq(gbx_future_wait(futures[i], -1, &error), GBX_ETHROW);
        cr_assert_str_eq(error.name, "SyntaxError");
        cr_assert_eq(error.line, 2);
        cr_assert_eq(error.column, 11);
        cr_assert_null(gbx_future_take_script(futures[i]));
        gbx_future_free(futures[i]);
    }
    expect_usable(&w);
    world_close(&w);
}

CleanTest(script, refuses_what_it_is_not_for)
{
    struct world w = world_open(NULL);
    gbx_isolate *other = world_isolate(&w, NULL);
    gbx_script *script = compile(w.isolate, "1", NULL);
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;
    static char name[5000];

    settle(gbx_script_run(script, gbx_isolate_context(other), NULL), GBX_EINVAL);
    options.flags = GBX_AWAIT;
    settle(gbx_script_compile(w.isolate, "1", 1, NULL, 0, &options), GBX_EINVAL);
    settle(gbx_script_cache(w.isolate, "1", 1, &options), GBX_EINVAL);
    options.flags = 0;
    memset(name, 'x', sizeof name - 1);
    options.file = name;
    settle(gbx_script_compile(w.isolate, "1", 1, NULL, 0, &options), GBX_EINVAL);
    settle(gbx_script_compile(w.isolate, "1", (size_t)1 << 40, NULL, 0, NULL), GBX_ETOOBIG);
    settle(gbx_script_cache(w.isolate, "1", (size_t)1 << 40, NULL), GBX_ETOOBIG);
    gbx_isolate_close(other);
    gbx_script_close(script);
    world_close(&w);
}

CleanTest(script, ends_with_its_isolate)
{
    struct world w = world_open(NULL);
    gbx_script *killer = compile(w.isolate, "const a = []; for (;;) a.push(a.slice())", NULL);
    gbx_future *forgotten = compiling(w.isolate, "1", NULL);

    settle(gbx_script_run(killer, w.context, NULL), GBX_EMEMORY);
    settle(gbx_script_run(killer, w.context, NULL), GBX_EMEMORY);
    settle(compiling(w.isolate, "1", NULL), GBX_EMEMORY);
    gbx_script_close(killer);
    gbx_future_free(forgotten);
    world_close(&w);

    /* Closed under a script that is being compiled, and before the script. */
    w = world_open(NULL);
    gbx_script *script = compile(w.isolate, "1", NULL);
    gbx_future *open = compiling(w.isolate, "2", NULL);
    gbx_future *cache = gbx_script_cache(w.isolate, "3", 1, NULL);
    gbx_isolate_close(w.isolate);
    settle(open, GBX_EDISPOSED);
    settle(cache, GBX_OK);
    gbx_script_close(script);
    w.isolate = NULL;
    world_close(&w);
}

CleanTest(script, cache_ends_with_its_runtime)
{
    struct world w = world_open(NULL);
    gbx_future *open = gbx_script_cache(w.isolate, "1", 1, NULL);
    gbx_future *forgotten = gbx_script_cache(w.isolate, "1", 1, NULL);

    gbx_future_free(forgotten);
    gbx_runtime_close(w.runtime);
    settle(open, GBX_EDISPOSED);
    settle(gbx_script_cache(w.isolate, "1", 1, NULL), GBX_EDISPOSED);
    gbx_isolate_close(w.isolate);
}

/* --- caches --------------------------------------------------------------------------------- */

CleanTest(script, cache_serves_another_isolate)
{
    struct world w = world_open(NULL);
    gbx_value *cache = cache_of(w.isolate, library);
    gbx_isolate *other = world_isolate(&w, NULL);
    gbx_script *script = compile(other, library, cache);

    cr_assert_eq(gbx_script_cache_state(script), GBX_CACHE_ACCEPTED);
    cr_assert_eq(settle_number(gbx_script_run(script, gbx_isolate_context(other), NULL)), 1042);
    cr_assert_eq(eval_number(gbx_isolate_context(other), "deep(50)"), 50);
    gbx_script_close(script);
    gbx_isolate_close(other);
    gbx_value_free(cache);
    world_close(&w);
}

/* What the isolate it was made like has done has no part in it. */
CleanTest(script, cache_comes_from_a_cell_of_its_own)
{
    struct world w = world_open(NULL);
    pid_t cell = process_named("gbx-cell", 5000);
    gbx_usage usage = GBX_USAGE_INIT;

    gbx_future *blocked = start_limited(w.context, "for (;;);", 0, 0);
    cr_assert_eq(gbx_future_wait(blocked, 1000, NULL), GBX_EBUSY);
    gbx_value *cache = cache_of(w.isolate, library); /* though that one never answers */
    gbx_value_free(cache);
    cr_assert_eq(gbx_isolate_usage(w.isolate, &usage), GBX_OK);
    cr_assert_eq((pid_t)usage.pid, cell);
    cr_assert_eq(gbx_future_status(blocked, NULL), GBX_EBUSY);
    gbx_isolate_terminate(w.isolate);
    settle(blocked, GBX_ETERMINATED);
    expect_usable(&w);
    world_close(&w);
}

CleanTest(script, cache_is_refused_when_anything_of_it_is_changed)
{
    struct world w = world_open(NULL);
    gbx_value *cache = cache_of(w.isolate, library);
    const void *bytes;
    size_t len;

    cr_assert_eq(gbx_value_get_bytes(cache, &bytes, &len), GBX_OK);
    unsigned char *copy = malloc(len + 1);
    memcpy(copy, bytes, len);
    cr_assert_eq(state_with(&w, library, copy, len), GBX_CACHE_ACCEPTED);
    /* magic, seal, hash, length and text of the engine, the first and last of V8's bytes */
    static const struct {
        long at;
        uint32_t state;
    } places[] = { { 0, GBX_CACHE_MALFORMED }, { 15, GBX_CACHE_MALFORMED },
        { 16, GBX_CACHE_FORGED }, { 47, GBX_CACHE_FORGED }, { 48, GBX_CACHE_SOURCE },
        { 79, GBX_CACHE_SOURCE }, { 80, GBX_CACHE_ENGINE }, { 83, GBX_CACHE_MALFORMED },
        { 84, GBX_CACHE_ENGINE }, { 150, GBX_CACHE_FORGED }, { -1, GBX_CACHE_FORGED } };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        size_t at = places[i].at < 0 ? len - 1 : (size_t)places[i].at;
        copy[at] ^= 1;
        uint32_t state = state_with(&w, library, copy, len);
        cr_assert_eq(state, places[i].state, "byte %zu: %u", at, state);
        copy[at] ^= 1;
    }
    copy[len] = 0;
    cr_assert_eq(state_with(&w, library, copy, len + 1), GBX_CACHE_FORGED);
    cr_assert_eq(state_with(&w, library, copy, len - 1), GBX_CACHE_FORGED);
    cr_assert_eq(state_with(&w, library, copy, 84), GBX_CACHE_MALFORMED);
    cr_assert_eq(state_with(&w, library, copy, 0), GBX_CACHE_MALFORMED);
    free(copy);
    gbx_value_free(cache);
    world_close(&w);
}

/* V8 itself would take it: it knows a source by its length. */
CleanTest(script, cache_is_for_its_own_source)
{
    struct world w = world_open(NULL);
    static char changed[sizeof library];
    const void *bytes;
    size_t len;

    memcpy(changed, library, sizeof library);
    memcpy(strstr(changed, "n + n"), "n * 2", 5);
    gbx_value *cache = cache_of(w.isolate, library);
    cr_assert_eq(gbx_value_get_bytes(cache, &bytes, &len), GBX_OK);
    cr_assert_eq(state_with(&w, changed, bytes, len), GBX_CACHE_SOURCE);
    gbx_value_free(cache);
    world_close(&w);
}

static gbx_runtime *
runtime_with_key(const void *key)
{
    gbx_runtime_options options = GBX_RUNTIME_OPTIONS_INIT;
    gbx_runtime *runtime = NULL;

    options.pool = GBX_POOL_NONE;
    options.cache_key = key;
    cr_assert_eq(gbx_runtime_open(&options, &runtime, NULL), GBX_OK);
    return runtime;
}

CleanTest(script, cache_is_good_where_the_key_is)
{
    static const uint8_t key[32] = "the key of this test", other_key[32] = "another key";
    const void *keys[] = { key, key, other_key, NULL };
    const uint32_t states[] = { GBX_CACHE_ACCEPTED, GBX_CACHE_ACCEPTED, GBX_CACHE_FORGED,
        GBX_CACHE_FORGED };
    gbx_value *cache = NULL;

    for (size_t i = 0; i < 4; i++) {
        struct world w = { .runtime = runtime_with_key(keys[i]) };
        const void *bytes;
        size_t len;
        w.isolate = world_isolate(&w, NULL);
        w.context = gbx_isolate_context(w.isolate);
        if (cache == NULL)
            cache = cache_of(w.isolate, library);
        cr_assert_eq(gbx_value_get_bytes(cache, &bytes, &len), GBX_OK);
        cr_assert_eq(state_with(&w, library, bytes, len), states[i], "runtime %zu", i);
        world_close(&w);
    }
    gbx_value_free(cache);
}

/* --- nothing is left ------------------------------------------------------------------------ */

static double
heap_now(const struct world *w)
{
    double used = 0;

    settle(gbx_isolate_collect(w->isolate), GBX_OK);
    gbx_value *statistics = settle_value(gbx_isolate_statistics(w->isolate));
    cr_assert_eq(
        gbx_value_get_number(gbx_value_get(statistics, "heapUsed", GBX_NUL), &used), GBX_OK);
    gbx_value_free(statistics);
    return used;
}

static void
make_and_release(const struct world *w, int count)
{
    char source[100];

    for (int i = 0; i < count; i++) {
        /* Each text is new, so that no cache of V8's own answers. */
        (void)snprintf(source, sizeof source, "function f%d() { return %d } f%d()", i, i, i);
        gbx_script *script = compile(w->isolate, source, NULL);
        if (i % 100 == 0) {
            gbx_context *context;
            cr_assert_eq(gbx_context_open(w->isolate, &context, NULL), GBX_OK);
            cr_assert_eq(settle_number(gbx_script_run(script, context, NULL)), i);
            gbx_context_close(context);
        }
        gbx_script_close(script);
    }
}

CleanTest(script, many_leave_nothing)
{
    struct world w = world_open(NULL);

    make_and_release(&w, 500);
    double before = heap_now(&w);
    make_and_release(&w, 10000);
    double after = heap_now(&w);
    cr_assert_lt(after, before + 1024 * 1024, "%.0f bytes before, %.0f after", before, after);
    world_close(&w);
}

CleanTest(script, is_capped)
{
    enum {
        MOST = 64 * 1024
    };
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    static gbx_future *futures[MOST];

    options.memory_limit_bytes = 512u << 20;
    struct world w = world_open(&options);
    for (size_t i = 0; i < MOST; i++)
        futures[i] = gbx_script_compile(w.isolate, "1", 1, NULL, 0, NULL);
    settle(gbx_script_compile(w.isolate, "1", 1, NULL, 0, NULL), GBX_ELIMIT);
    gbx_script_close(settle_script(futures[MOST - 1]));
    gbx_script_close(compile(w.isolate, "1", NULL));
    for (size_t i = 0; i < MOST - 1; i++)
        gbx_future_free(futures[i]);
    world_close(&w);
}
