/* Much to say: messages longer than the rings, both rings full at once, a console that floods. */
#include "support.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* --- long messages -------------------------------------------------------------------------- */

/* Not a power of two: a stale byte of the lap before would look right. */
enum {
    PERIOD = 251
};

static gbx_value *
pattern(size_t len)
{
    unsigned char *bytes = malloc(len);

    cr_assert_not_null(bytes);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (unsigned char)(i % PERIOD);
    gbx_value *buffer = gbx_value_new_array_buffer(bytes, len);
    free(bytes);
    cr_assert_not_null(buffer);
    return buffer;
}

static void
expect_pattern(const gbx_value *buffer, size_t len)
{
    const void *data = NULL;
    size_t got = 0, wrong = 0;

    cr_assert_eq(gbx_value_get_bytes(buffer, &data, &got), GBX_OK);
    cr_assert_eq(got, len);
    const unsigned char *bytes = data;
    for (size_t i = 0; i < len; i++)
        wrong += bytes[i] != i % PERIOD;
    cr_assert_eq(wrong, 0, "%zu bytes of %zu are wrong", wrong, len);
}

CleanTest(traffic, buffers_of_all_sizes_go_both_ways)
{
    static const size_t sizes[] = { 0, 1, 65535, 65536, 65537, 131072, 1 << 20, 16 << 20,
        64 << 20 };
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;

    options.memory_limit_bytes = (uint64_t)512 << 20;
    struct world w = world_open(&options);
    eval_only(w.context, "function identity(x) { seen = new Uint8Array(x); return x }"
                         "function good() { for (let i = 0; i < seen.length; i++)"
                         "  if (seen[i] !== i % 251) return -1; return seen.length }");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        gbx_value *buffer = pattern(sizes[i]);
        const gbx_value *arguments[] = { buffer };
        gbx_value *back =
            settle_value(gbx_context_call(w.context, "identity", arguments, 1, NULL));
        expect_pattern(back, sizes[i]);
        gbx_value_free(back);
        gbx_value_free(buffer);
        cr_assert_eq(eval_number(w.context, "good()"), (double)sizes[i]);
    }
    world_close(&w);
}

CleanTest(traffic, strings_of_all_sizes_go_both_ways)
{
    static const size_t sizes[] = { 1 << 20, 16 << 20, 64 << 20 };
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;

    options.memory_limit_bytes = (uint64_t)1 << 30;
    struct world w = world_open(&options);
    eval_only(w.context, "function identity(x) { seen = x; return x }");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *text = malloc(sizes[i]);
        const char *got = NULL;
        size_t len = 0;
        cr_assert_not_null(text);
        for (size_t at = 0; at < sizes[i]; at++)
            text[at] = (char)('a' + at % 23);
        memcpy(text, "\xe2\x82\xac", i % 2 * 3); /* every second one is no Latin-1 */
        gbx_value *string = gbx_value_new_string(text, sizes[i]);
        const gbx_value *arguments[] = { string };
        gbx_value *back =
            settle_value(gbx_context_call(w.context, "identity", arguments, 1, NULL));
        cr_assert_eq(gbx_value_get_string(back, &got, &len), GBX_OK);
        cr_assert_eq(len, sizes[i]);
        cr_assert_eq(memcmp(got, text, len), 0);
        cr_assert_eq(eval_number(w.context, "seen.length"), (double)(len - i % 2 * 2));
        gbx_value_free(back);
        gbx_value_free(string);
        free(text);
    }
    world_close(&w);
}

/* --- both rings full ------------------------------------------------------------------------ */

struct lines {
    uint32_t count;
    bool in_order;
    char last[64];
};

/* Lines that begin with their number. */
static void
count_line(gbx_isolate *isolate, uint32_t level, const char *text, size_t len, void *data)
{
    struct lines *lines = data;
    char number[16] = "";

    (void)isolate;
    cr_assert_eq(level, GBX_CONSOLE_LOG);
    memcpy(number, text, len < 15 ? len : 15);
    if (strtoul(number, NULL, 10) != lines->count)
        lines->in_order = false;
    lines->count++;
}

static struct world
listening_world(struct lines *lines, uint64_t memory_limit_bytes)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;

    *lines = (struct lines){ 0, true, "" };
    options.on_console = count_line;
    options.data = lines;
    options.memory_limit_bytes = memory_limit_bytes;
    return world_open(&options);
}

CleanTest(traffic, large_requests_pass_a_flood)
{
    struct lines lines;
    struct world w = listening_world(&lines, (uint64_t)512 << 20);
    gbx_value *buffer = pattern((size_t)4 << 20);
    const gbx_value *arguments[] = { buffer };
    gbx_future *futures[8];

    eval_only(w.context, "n = 0; function flood(x) { for (let i = 0; i < 5000; i++)"
                         " console.log(`${n++} ${'x'.repeat(100)}`); return x }");
    /* 32 MB wait to be read by a guest that writes 4 MB of lines and 32 MB of answers. */
    for (size_t i = 0; i < 8; i++)
        futures[i] = gbx_context_call(w.context, "flood", arguments, 1, NULL);
    for (size_t i = 0; i < 8; i++) {
        gbx_value *back = settle_value(futures[i]);
        expect_pattern(back, (size_t)4 << 20);
        gbx_value_free(back);
    }
    cr_assert_eq(lines.count, 40000);
    cr_assert(lines.in_order);
    gbx_value_free(buffer);
    world_close(&w);
}

static gbx_status
echo_large(gbx_callback *callback, void *data)
{
    struct world *w = data;

    /* More to read for a cell that waits for this answer. */
    gbx_future_free(start(w->context, "1", 0));
    return gbx_callback_return(callback, gbx_callback_argument(callback, 0));
}

CleanTest(traffic, large_callbacks_pass_large_requests)
{
    struct lines lines;
    struct world w = listening_world(&lines, (uint64_t)512 << 20);
    gbx_value *buffer = pattern((size_t)2 << 20);
    const gbx_value *arguments[] = { buffer };
    gbx_future *futures[8];

    give(w.context, "echo", echo_large, &w);
    eval_only(w.context, "n = 0; function work(x) { console.log(n++); return echo(echo(x)) }");
    for (size_t i = 0; i < 8; i++)
        futures[i] = gbx_context_call(w.context, "work", arguments, 1, NULL);
    for (size_t i = 0; i < 8; i++) {
        gbx_value *back = settle_value(futures[i]);
        expect_pattern(back, (size_t)2 << 20);
        gbx_value_free(back);
    }
    cr_assert(lines.in_order);
    gbx_value_free(buffer);
    world_close(&w);
}

/* --- floods --------------------------------------------------------------------------------- */

static void
note_done(gbx_future *future, void *data)
{
    cr_assert_eq(gbx_future_status(future, NULL), GBX_OK);
    *(bool *)data = true;
}

CleanTest(traffic, every_line_of_a_flood_arrives_in_order)
{
    struct lines lines;
    struct world w = listening_world(&lines, 0);
    static const char source[] = "for (let i = 0; i < 200000; i++) console.log(i)";
    bool done = false;

    eval_only(w.context, source);
    cr_assert_eq(lines.count, 200000);
    cr_assert(lines.in_order);
    /* The same in a loop of the host. */
    lines = (struct lines){ 0, true, "" };
    gbx_future *future = start(w.context, source, 0);
    gbx_future_then(future, note_done, &done);
    dispatch_until(w.runtime, &done);
    cr_assert_eq(lines.count, 200000);
    cr_assert(lines.in_order);
    gbx_future_free(future);
    world_close(&w);
}

/* What is urgent gets through in both directions, and is answered. */
CleanTest(traffic, statistics_are_answered_during_a_flood)
{
    struct lines lines;
    struct world w = listening_world(&lines, 0);

    eval_only(w.context, "n = 0; stop = false");
    gbx_future *flood = start(w.context, "for (;;) console.log(n++)", 0);
    for (int i = 0; i < 50; i++)
        gbx_value_free(settle_value(gbx_isolate_statistics(w.isolate)));
    gbx_isolate_terminate(w.isolate);
    settle(flood, GBX_ETERMINATED);
    cr_assert(lines.in_order);
    expect_usable(&w);
    world_close(&w);
}

CleanTest(traffic, a_flood_does_not_outlast_a_wait_or_a_deadline)
{
    struct lines lines;
    struct world w = listening_world(&lines, 0);

    eval_only(w.context, "n = 0");
    gbx_future *flood = start(w.context, "for (;;) console.log(n++)", 0);
    cr_assert_eq(gbx_future_wait(flood, 50000, NULL), GBX_EBUSY);
    gbx_isolate_terminate(w.isolate);
    settle(flood, GBX_ETERMINATED);
    settle(start_limited(w.context, "for (;;) console.log(n++)", 100000, 0), GBX_ETIMEOUT);
    settle(start_limited(w.context, "for (;;) console.log(n++)", 0, 50000), GBX_ECPU);
    cr_assert(lines.in_order);
    expect_usable(&w);
    world_close(&w);
}

/* A host that does not read: the guest waits, and nothing is lost. */
CleanTest(traffic, a_guest_waits_for_a_host_that_does_not_read)
{
    struct lines lines;
    struct world w = listening_world(&lines, 0);
    gbx_usage before = GBX_USAGE_INIT, after = GBX_USAGE_INIT;

    gbx_future *future =
        start(w.context, "for (let i = 0; i < 20000; i++) console.log(i); 5", 0);
    sleep_ms(300);
    cr_assert_eq(gbx_isolate_usage(w.isolate, &before), GBX_OK);
    sleep_ms(200);
    cr_assert_eq(gbx_isolate_usage(w.isolate, &after), GBX_OK);
    /* It sleeps. What it may do meanwhile: a watchdog's look, a trim. */
    cr_assert_leq(after.cpu_us - before.cpu_us, 50000);
    cr_assert_eq(settle_number(future), 5);
    cr_assert_eq(lines.count, 20000);
    cr_assert(lines.in_order);
    world_close(&w);
}

/* --- terminations --------------------------------------------------------------------------- */

/* A termination means what was asked for before it, and nothing after. */
CleanTest(traffic, terminations_keep_their_place)
{
    struct world w = world_open(NULL);

    for (int i = 0; i < 300; i++) {
        gbx_isolate_terminate(w.isolate); /* nothing runs: nothing happens */
        cr_assert_eq(eval_number(w.context, "6 * 7"), 42);
        gbx_future *one = start(w.context, "for (;;);", 0), *two = start(w.context, "2", 0);
        gbx_isolate_terminate(w.isolate);
        gbx_future *three = start(w.context, "3", 0);
        settle(one, GBX_ETERMINATED);
        settle(two, GBX_ETERMINATED);
        cr_assert_eq(settle_number(three), 3);
    }
    gbx_future *waits = start(w.context, "new Promise(() => {})", GBX_AWAIT);
    cr_assert_eq(gbx_future_wait(waits, 20000, NULL), GBX_EBUSY);
    gbx_isolate_terminate(w.isolate);
    settle(waits, GBX_ETERMINATED);
    expect_usable(&w);
    world_close(&w);
}

struct stopper {
    gbx_isolate *isolate;
    atomic_bool end;
    atomic_uint count;
};

static void *
stop_again_and_again(void *data)
{
    struct stopper *stopper = data;

    while (!atomic_load(&stopper->end)) {
        gbx_isolate_terminate(stopper->isolate);
        atomic_fetch_add(&stopper->count, 1);
    }
    return NULL;
}

/* Whatever happens to the isolate meanwhile, its death included. */
CleanTest(traffic, terminations_come_from_any_thread)
{
    struct world w = world_open(NULL);
    gbx_usage usage = GBX_USAGE_INIT;
    pthread_t thread;

    for (int i = 0; i < 20; i++) {
        static struct stopper stopper;
        stopper.isolate = w.isolate;
        atomic_store(&stopper.end, false);
        cr_assert_eq(gbx_isolate_usage(w.isolate, &usage), GBX_OK);
        cr_assert_eq(pthread_create(&thread, NULL, stop_again_and_again, &stopper), 0);
        for (int k = 0; k < 20; k++)
            settle(start(w.context, "for (;;);", 0), GBX_ETERMINATED);
        gbx_future *last = start(w.context, "new Promise(() => {})", GBX_AWAIT);
        const gbx_death *death = gbx_isolate_death(w.isolate);
        cr_assert_null(death, "%s", death == NULL ? "" : death->message);
        cr_assert_eq(kill((pid_t)usage.pid, SIGKILL), 0);
        while (gbx_isolate_death(w.isolate) == NULL)
            (void)gbx_runtime_dispatch(w.runtime, 1000000);
        unsigned count = atomic_load(&stopper.count);
        while (atomic_load(&stopper.count) < count + 1000) /* it goes on, and finds no cell */
            sleep_ms(1);
        atomic_store(&stopper.end, true);
        cr_assert_eq(pthread_join(thread, NULL), 0);
        cr_assert_neq(gbx_future_status(last, NULL), GBX_EBUSY);
        gbx_future_free(last);
        gbx_isolate_close(w.isolate);
        w.isolate = world_isolate(&w, NULL);
        w.context = gbx_isolate_context(w.isolate);
    }
    expect_usable(&w);
    world_close(&w);
}
