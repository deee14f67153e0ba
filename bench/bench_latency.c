/* bench_latency.c - how long the things take that a host does all day. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    ROUNDS = 200
};

/* --- creation ------------------------------------------------------------------------------- */

static void
creation(uint32_t pool, const char *name)
{
    gbx_runtime *runtime = bench_runtime(pool);
    double samples[ROUNDS];

    gbx_isolate_close(bench_isolate(runtime, 0)); /* the template is warm from here on */
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t start = now_ns();
        gbx_isolate *isolate = bench_isolate(runtime, 0);
        bench_run(isolate, "1 + 1");
        samples[i] = (double)(now_ns() - start) / 1e6;
        gbx_isolate_close(isolate);
        /* A pool has time to fill again between two customers. */
        (void)gbx_runtime_dispatch(runtime, 3000);
    }
    report(name, median(samples, ROUNDS), "ms", "open, context, first eval; median of 200");
    gbx_runtime_close(runtime);
}

/* --- calls ---------------------------------------------------------------------------------- */

static double
call_with_ns(
    gbx_reference *function, const gbx_value *const *arguments, size_t count, uint32_t flags)
{
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;
    gbx_error error = GBX_ERROR_INIT;
    uint64_t start = now_ns();

    options.flags = flags;
    gbx_future *future = gbx_reference_call(function, NULL, arguments, count, &options);

    must(gbx_future_wait(future, -1, &error), &error, "call");
    gbx_future_free(future);
    return (double)(now_ns() - start);
}

static double
call_ns(gbx_reference *function, const gbx_value *const *arguments, size_t count)
{
    return call_with_ns(function, arguments, count, 0);
}

static void
calls(gbx_isolate *isolate)
{
    gbx_value *one = gbx_value_new_int32(1), *two = gbx_value_new_int32(2);
    const gbx_value *arguments[] = { one, two };
    enum {
        BATCHES = 100,
        BATCH = 2000
    };
    double samples[BATCHES];

    bench_run(isolate, "function add(a, b) { return a + b; }");
    gbx_reference *add = bench_function(isolate, "add");
    for (int i = 0; i < BATCHES; i++) {
        uint64_t start = now_ns();
        for (int j = 0; j < BATCH; j++)
            (void)call_ns(add, arguments, 2);
        samples[i] = (double)(now_ns() - start) / 1e3 / BATCH;
    }
    report("synchronous call, two numbers, hot", median(samples, BATCHES), "us",
        "median of 100 batches of 2,000");
    for (int i = 0; i < 100; i++) {
        /* Longer than any spin: the cell sleeps in the kernel. */
        (void)nanosleep(&(struct timespec){ 0, 5000000 }, NULL);
        samples[i] = call_ns(add, arguments, 2) / 1e3;
    }
    report("call into a parked cell", median(samples, 100), "us", "5 ms apart; median of 100");
    gbx_reference_close(add);
    gbx_value_free(one);
    gbx_value_free(two);
}

static gbx_status
answer(gbx_callback *callback, void *data)
{
    (void)data;
    return gbx_callback_return(callback, gbx_callback_argument(callback, 0));
}

static gbx_status
settle(gbx_callback *callback, gbx_deferred *deferred)
{
    return gbx_deferred_resolve(deferred, gbx_callback_argument(callback, 0));
}

static gbx_status
defer(gbx_callback *callback, void *data)
{
    gbx_deferred *deferred = NULL;
    gbx_status status = gbx_callback_defer(callback, &deferred);

    (void)data;
    return status == GBX_OK ? settle(callback, deferred) : status;
}

static gbx_status
block(gbx_callback *callback, void *data)
{
    gbx_deferred *deferred = NULL;
    gbx_status status = gbx_callback_block(callback, &deferred);

    (void)data;
    return status == GBX_OK ? settle(callback, deferred) : status;
}

static gbx_status
note(gbx_callback *callback, void *data)
{
    (void)callback;
    ++*(uint64_t *)data;
    return GBX_OK;
}

/* `source`: a function expression that calls a thousand times. */
static void
calls_of(gbx_isolate *isolate, const char *source, const char *name)
{
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;
    gbx_error error = GBX_ERROR_INIT;
    char text[160];
    enum {
        BATCHES = 50
    };
    double samples[BATCHES];

    (void)snprintf(text, sizeof text, "var many = %s", source);
    bench_run(isolate, text);
    gbx_reference *many = bench_function(isolate, "many");
    options.flags = GBX_AWAIT | GBX_RESULT_IGNORE;
    for (int i = 0; i < BATCHES; i++) {
        uint64_t start = now_ns();
        gbx_future *future = gbx_reference_call(many, NULL, NULL, 0, &options);
        must(gbx_future_wait(future, -1, &error), &error, name);
        gbx_future_free(future);
        samples[i] = (double)(now_ns() - start) / 1e6;
    }
    report(name, median(samples, BATCHES), "us", "one number; median of 50 batches of 1,000");
    gbx_reference_close(many);
}

static void
callbacks(gbx_isolate *isolate)
{
    gbx_error error = GBX_ERROR_INIT;
    uint64_t notes = 0;
    gbx_function_entry entries[] = {
        { sizeof(gbx_function_entry), 0, "host", answer, NULL },
        { sizeof(gbx_function_entry), 0, "later", defer, NULL },
        { sizeof(gbx_function_entry), 0, "block", block, NULL },
        { sizeof(gbx_function_entry), GBX_FUNCTION_POST, "post", note, &notes },
    };
    gbx_future *set = gbx_context_set_functions(gbx_isolate_context(isolate), NULL, entries, 4);

    must(gbx_future_wait(set, -1, &error), &error, "set_functions");
    gbx_future_free(set);
    calls_of(isolate, "() => { for (let i = 0; i < 1000; i++) host(i); }",
        "host function called by the guest");
    calls_of(isolate, "async () => { for (let i = 0; i < 1000; i++) await later(i); }",
        "the same, answered by a promise");
    calls_of(isolate, "() => { for (let i = 0; i < 1000; i++) block(i); }",
        "the same, for which the guest waits");
    calls_of(isolate, "() => { for (let i = 0; i < 1000; i++) post(i); }",
        "the same, for which nobody waits");
    if (notes != 50 * 1000)
        must(GBX_EINVAL, NULL, "posted calls");
}

/* --- values --------------------------------------------------------------------------------- */

static void
round_trip(gbx_isolate *isolate, gbx_value *value, uint32_t flags, int rounds, double scale,
    const char *name, const char *unit)
{
    gbx_reference *same = bench_function(isolate, "same");
    const gbx_value *arguments[] = { value };
    double *samples = calloc((size_t)rounds, sizeof *samples);
    char how[64];

    (void)call_with_ns(same, arguments, 1, flags);
    for (int i = 0; i < rounds; i++)
        samples[i] = call_with_ns(same, arguments, 1, flags) / scale;
    (void)snprintf(how, sizeof how, "there and back; median of %d", rounds);
    report(name, median(samples, (size_t)rounds), unit, how);
    free(samples);
    gbx_reference_close(same);
    gbx_value_free(value);
}

static gbx_value *
from_guest(gbx_isolate *isolate, const char *source)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_value *value = NULL;

    must(gbx_eval(gbx_isolate_context(isolate), source, NULL, &value, &error), &error, source);
    return value;
}

static void
values(gbx_isolate *isolate)
{
    bench_run(isolate, "function same(x) { return x; }");
    round_trip(isolate,
        from_guest(isolate,
            "({a: 1, b: 'two', c: true, d: null, e: 5.5, f: 'six', g: 7, h: 'eight',"
            " i: [9], j: 'ten'})"),
        0, 2000, 1e3, "object of 10 fields", "us");
    round_trip(isolate,
        from_guest(isolate, "Array.from({length: 100000}, (_, i) => ({id: i, name: 'n' + i}))"),
        0, 9, 1e6, "100,000 small objects", "ms");
    round_trip(isolate, from_guest(isolate, "new ArrayBuffer(1 << 20)"), 0, 100, 1e6,
        "ArrayBuffer of 1 MB", "ms");
    round_trip(isolate, from_guest(isolate, "new ArrayBuffer(1 << 20)"), GBX_RESULT_MOVE, 100,
        1e6, "the same, moved back", "ms");
    round_trip(isolate, from_guest(isolate, "new ArrayBuffer(64 << 20)"), 0, 7, 1e6,
        "ArrayBuffer of 64 MB", "ms");
    round_trip(isolate, from_guest(isolate, "new ArrayBuffer(64 << 20)"), GBX_RESULT_MOVE, 7,
        1e6, "the same, moved back", "ms");
}

/* One value of 1 MB for many: encoded each time, or once. */
static void
to_many(gbx_runtime *runtime)
{
    enum {
        ISOLATES = 100,
        ROUNDS_OF_ALL = 9
    };
    static gbx_isolate *isolates[ISOLATES];
    static gbx_reference *take[ISOLATES];
    double samples[2][ROUNDS_OF_ALL];
    gbx_external_copy *copy = NULL;
    gbx_error error = GBX_ERROR_INIT;

    for (int i = 0; i < ISOLATES; i++) {
        isolates[i] = bench_isolate(runtime, 0);
        bench_run(isolates[i], "function take(x) {}");
        take[i] = bench_function(isolates[i], "take");
    }
    gbx_value *value = from_guest(
        isolates[0], "Array.from({length: 40000}, (_, i) => 'a string of 25 letters ' + i)");
    must(gbx_external_copy_new(value, &copy), &error, "external copy");
    const gbx_value *given[] = { value, gbx_value_new_external(copy) };
    for (int round = 0; round < ROUNDS_OF_ALL; round++)
        for (int kind = 0; kind < 2; kind++) {
            uint64_t start = now_ns();
            for (int i = 0; i < ISOLATES; i++)
                (void)call_ns(take[i], given + kind, 1);
            samples[kind][round] = (double)(now_ns() - start) / 1e6;
        }
    report("1 MB of strings to 100 isolates", median(samples[0], ROUNDS_OF_ALL), "ms",
        "encoded for each; median of 9");
    report("the same as an external copy", median(samples[1], ROUNDS_OF_ALL), "ms",
        "encoded before; median of 9");
    gbx_value_free((gbx_value *)(uintptr_t)given[1]);
    gbx_value_free(value);
    gbx_external_copy_free(copy);
    for (int i = 0; i < ISOLATES; i++) {
        gbx_reference_close(take[i]);
        gbx_isolate_close(isolates[i]);
    }
}

/* A word of a large memory there, and a word back: by a copy of it all, and by its number. */
static void
large_memory(gbx_runtime *runtime)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    gbx_error error = GBX_ERROR_INIT;
    gbx_shared *shared = NULL;
    gbx_isolate *isolate = NULL;
    double samples[ROUNDS];
    enum {
        BYTES = 64 << 20
    };

    must(gbx_shared_open(BYTES, &shared, &error), &error, "shared memory");
    options.memory_limit_bytes = (uint64_t)512 << 20;
    options.shared = &shared;
    options.shared_count = 1;
    must(gbx_isolate_open(runtime, &options, &isolate, &error), &error, "isolate");
    bench_run(isolate, "function look(b) { const a = new Int32Array(b); "
                       "return a[1] = a[(a.length - 1)] + 1; }");
    gbx_reference *look = bench_function(isolate, "look");
    int32_t *words = gbx_shared_bytes(shared, NULL);
    gbx_value *value = gbx_value_new_shared(shared);
    const gbx_value *argument = value;
    for (int i = 0; i < ROUNDS; i++) {
        words[BYTES / 4 - 1] = i;
        samples[i] = call_ns(look, &argument, 1) / 1e3;
        if (words[1] != i + 1)
            must(GBX_EINVAL, NULL, "shared memory");
    }
    report("64 MB of shared memory, a word there and back", median(samples, ROUNDS), "us",
        "median of 200");
    gbx_value_free(value);
    argument = value = gbx_value_new_array_buffer(NULL, BYTES);
    for (int i = 0; i < 20; i++)
        samples[i] = call_ns(look, &argument, 1) / 1e3;
    report("the same in an ArrayBuffer, one way", median(samples, 20), "us", "median of 20");
    gbx_value_free(value);
    gbx_reference_close(look);
    gbx_isolate_close(isolate);
    gbx_shared_close(shared);
}

/* --- limits --------------------------------------------------------------------------------- */

static void
overshoot(gbx_isolate *isolate)
{
    double samples[30];
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;

    options.timeout_us = 20000;
    for (int i = 0; i < 30; i++) {
        uint64_t start = now_ns();
        if (gbx_eval(gbx_isolate_context(isolate), "for (;;) {}", &options, NULL, NULL) !=
            GBX_ETIMEOUT)
            must(GBX_EINVAL, NULL, "a loop ended otherwise than by its deadline");
        samples[i] = (double)(now_ns() - start) / 1e3 - 20000;
    }
    report("deadline overshoot of for(;;){}", median(samples, 30), "us",
        "past a deadline of 20 ms; median of 30");
}

int
main(void)
{
    creation(GBX_POOL_NONE, "isolate, without pool");
    creation(2, "isolate, with a pool of 2");
    gbx_runtime *runtime = bench_runtime(0);
    gbx_isolate *isolate = bench_isolate(runtime, (uint64_t)512 << 20);
    calls(isolate);
    callbacks(isolate);
    values(isolate);
    to_many(runtime);
    large_memory(runtime);
    overshoot(isolate);
    gbx_isolate_close(isolate);
    gbx_runtime_close(runtime);
    return 0;
}
