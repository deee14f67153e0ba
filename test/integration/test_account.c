/* What an isolate costs and prints, and what a guest must not have: statistics, collections,
 * usage, the console, the names of the global object. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static double
statistic(gbx_isolate *isolate, const char *name)
{
    gbx_value *value = settle_value(gbx_isolate_statistics(isolate));
    double number = number_of(gbx_value_get(value, name, GBX_NUL));

    gbx_value_free(value);
    return number;
}

CleanTest(account, statistics_follow_the_heap)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    static const char *const names[] = { "heapUsed", "heapPeak", "heapTotal", "heapLimit",
        "malloced", "external", "externalPeak", "code", "contexts", "detachedContexts",
        "collections", "collectionTime", "references" };

    options.memory_limit_bytes = (uint64_t)100 << 20;
    struct world w = world_open(&options);
    gbx_value *value = settle_value(gbx_isolate_statistics(w.isolate));
    cr_assert_eq(gbx_value_get_kind(value), GBX_OBJECT);
    cr_assert_eq(gbx_value_length(value), sizeof names / sizeof *names);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        cr_assert_geq(number_of(gbx_value_get(value, names[i], GBX_NUL)), 0);
    gbx_value_free(value);
    cr_assert_leq(statistic(w.isolate, "heapLimit"), 100 << 20);
    cr_assert_eq(statistic(w.isolate, "contexts"), 1);

    double used = statistic(w.isolate, "heapUsed");
    eval_only(w.context, "kept = Array.from({ length: 100000 }, (_, i) => ({ i }))");
    cr_assert_geq(statistic(w.isolate, "heapUsed"), used + 100000 * 16);
    eval_only(w.context, "buffer = new ArrayBuffer(10 << 20)");
    cr_assert_geq(statistic(w.isolate, "external"), 10 << 20);
    double collections = statistic(w.isolate, "collections");
    double peak = statistic(w.isolate, "heapPeak");
    cr_assert_geq(peak, used + 100000 * 16);
    eval_only(w.context, "kept = buffer = null");
    settle(gbx_isolate_collect(w.isolate), GBX_OK);
    cr_assert_gt(statistic(w.isolate, "collections"), collections);
    cr_assert_lt(statistic(w.isolate, "heapUsed"), used + 100000 * 16);
    cr_assert_geq(statistic(w.isolate, "heapPeak"), peak);
    cr_assert_lt(statistic(w.isolate, "external"), 10 << 20);
    cr_assert_geq(statistic(w.isolate, "externalPeak"), 10 << 20);

    gbx_context *other = NULL;
    cr_assert_eq(gbx_context_open(w.isolate, &other, NULL), GBX_OK);
    eval_only(other, "1");
    cr_assert_eq(statistic(w.isolate, "contexts"), 2);
    gbx_context_close(other);
    eval_only(w.context, "1");
    cr_assert_eq(statistic(w.isolate, "contexts"), 1);
    world_close(&w);
}

CleanTest(account, statistics_are_answered_while_a_script_runs)
{
    struct world w = world_open(NULL);

    gbx_future *busy = start(w.context, "for (;;);", 0);
    for (int i = 0; i < 20; i++)
        cr_assert_gt(statistic(w.isolate, "heapUsed"), 0);
    cr_assert_eq(gbx_future_status(busy, NULL), GBX_EBUSY);
    /* A collection waits for its turn. */
    gbx_future *collect = gbx_isolate_collect(w.isolate);
    cr_assert_eq(gbx_future_wait(collect, 20000, NULL), GBX_EBUSY);
    gbx_isolate_terminate(w.isolate);
    settle(busy, GBX_ETERMINATED);
    settle(collect, GBX_OK);
    world_close(&w);
}

CleanTest(account, usage_is_the_kernel_s)
{
    struct world w = world_open(NULL);
    gbx_usage usage = GBX_USAGE_INIT, later = GBX_USAGE_INIT;
    char path[64];

    cr_assert_eq(gbx_isolate_usage(w.isolate, &usage), GBX_OK);
    cr_assert_eq(usage.size, sizeof usage);
    (void)snprintf(path, sizeof path, "/proc/%u", usage.pid);
    cr_assert_eq(access(path, F_OK), 0);
    cr_assert_gt(usage.resident_bytes, 1 << 20);
    eval_only(w.context, "const end = Date.now() + 100; while (Date.now() < end);"
                         "x = new Uint8Array(20 << 20).fill(1)");
    cr_assert_eq(gbx_isolate_usage(w.isolate, &later), GBX_OK);
    cr_assert_gt(later.cpu_us, usage.cpu_us);
    cr_assert_geq(later.resident_bytes, usage.resident_bytes + (15 << 20));
    cr_assert_gt(later.sent_bytes, usage.sent_bytes);
    cr_assert_gt(later.received_bytes, usage.received_bytes);
    /* Also while it runs. */
    gbx_future *busy = start(w.context, "for (;;);", 0);
    sleep_ms(50);
    cr_assert_eq(gbx_isolate_usage(w.isolate, &usage), GBX_OK);
    cr_assert_gt(usage.cpu_us, later.cpu_us);
    gbx_isolate_terminate(w.isolate);
    settle(busy, GBX_ETERMINATED);
    /* A struct that is too short is no struct; a longer one keeps its tail. */
    usage.size = 4;
    cr_assert_eq(gbx_isolate_usage(w.isolate, &usage), GBX_EINVAL);
    struct {
        gbx_usage usage;
        uint64_t tail;
    } longer = { GBX_USAGE_INIT, 77 };
    longer.usage.size = sizeof longer;
    cr_assert_eq(gbx_isolate_usage(w.isolate, &longer.usage), GBX_OK);
    cr_assert_eq(longer.tail, 77);
    cr_assert_eq(longer.usage.size, sizeof longer);
    world_close(&w);
}

static gbx_status
naps(gbx_callback *callback, void *data)
{
    (void)callback;
    sleep_ms(*(int *)data);
    return GBX_OK;
}

CleanTest(account, usage_tells_host_functions_apart)
{
    struct world w = world_open(NULL);
    gbx_usage before = GBX_USAGE_INIT, after = GBX_USAGE_INIT;
    int ms = 30;

    give(w.context, "nap", naps, &ms);
    cr_assert_eq(gbx_isolate_usage(w.isolate, &before), GBX_OK);
    eval_only(
        w.context, "nap(); nap(); const end = Date.now() + 100; while (Date.now() < end);");
    cr_assert_eq(gbx_isolate_usage(w.isolate, &after), GBX_OK);
    cr_assert_eq(before.host_calls, 0);
    cr_assert_eq(after.host_calls, 2);
    cr_assert_geq(after.host_us, 60000);
    cr_assert_geq(after.lived_us, before.lived_us + 150000);
    cr_assert_geq(after.lived_us, after.host_us + 90000);
    /* In ticks, which are coarse; the sum is the exact figure but for them. */
    uint64_t split = after.cpu_user_us + after.cpu_system_us;
    cr_assert_gt(after.cpu_user_us, before.cpu_user_us);
    cr_assert_leq(split, after.cpu_us + 20000);
    cr_assert_geq(split + 20000, after.cpu_us);
    world_close(&w);
}

CleanTest(account, memory_is_the_kernel_s)
{
    struct world w = world_open(NULL);
    gbx_memory before = GBX_MEMORY_INIT, after = GBX_MEMORY_INIT;

    eval_only(w.context, "1");
    cr_assert_eq(gbx_isolate_memory(w.isolate, &before), GBX_OK);
    eval_only(w.context, "x = new Uint8Array(20 << 20).fill(1)");
    cr_assert_eq(gbx_isolate_memory(w.isolate, &after), GBX_OK);
    cr_assert_eq(after.size, sizeof after);
    cr_assert_geq(after.resident_bytes, before.resident_bytes + (19 << 20));
    cr_assert_geq(after.resident_peak_bytes, after.resident_bytes);
    cr_assert_gt(after.page_table_bytes, 0);
    if (geteuid() == 0) { /* most of a young cell is its template's */
        cr_assert_gt(before.private_bytes, 0);
        cr_assert_lt(before.private_bytes, before.resident_bytes / 2);
        cr_assert_geq(after.private_bytes, before.private_bytes + (19 << 20));
        cr_assert_geq(after.proportional_bytes, after.private_bytes);
        cr_assert_lt(after.proportional_bytes, after.resident_bytes);
    }
    after.size = 4;
    cr_assert_eq(gbx_isolate_memory(w.isolate, &after), GBX_EINVAL);
    after.size = sizeof after;
    expect_failure(
        w.context, "for (let a = [];;) a.push(new Array(1e5).fill(1))", GBX_EMEMORY, NULL);
    cr_assert_eq(gbx_isolate_memory(w.isolate, &after), GBX_EDISPOSED);
    world_close(&w);
}

static gbx_future *
start_measured(gbx_context *context, const char *source, uint32_t flags)
{
    return start(context, source, flags | GBX_MEASURE);
}

/* Waits for it; what it cost. */
static gbx_call_usage
settle_measured(gbx_future *future, gbx_status expected)
{
    gbx_call_usage usage = GBX_CALL_USAGE_INIT;

    cr_assert_eq(gbx_future_wait(future, -1, NULL), expected);
    cr_assert_eq(gbx_future_usage(future, &usage), GBX_OK);
    gbx_future_free(future);
    return usage;
}

CleanTest(account, of_a_call)
{
    struct world w = world_open(NULL);
    int ms = 30;

    give(w.context, "nap", naps, &ms);
    gbx_call_usage small = settle_measured(start_measured(w.context, "1", 0), GBX_OK);
    cr_assert_eq(small.host_calls, 0);
    cr_assert_eq(small.host_us, 0);
    cr_assert(small.sent_bytes > 12 && small.sent_bytes < 200);
    cr_assert(small.received_bytes > 12 && small.received_bytes < 100);

    gbx_call_usage busy = settle_measured(start_measured(w.context,
                                              "nap('x'.repeat(50000)); { const end = "
                                              "Date.now() + 100; while (Date.now() < end); } "
                                              "'y'.repeat(30000)",
                                              0),
        GBX_OK);
    cr_assert_eq(busy.host_calls, 1);
    cr_assert_geq(busy.host_us, 30000);
    cr_assert_geq(busy.wall_us, busy.host_us + 90000); /* Date.now() is of whole ms */
    cr_assert_gt(busy.cpu_us, 1000);
    cr_assert_leq(busy.cpu_us, 2 * busy.wall_us);
    cr_assert_geq(busy.received_bytes, 80000);
    cr_assert_lt(busy.received_bytes, 90000);
    cr_assert_lt(busy.sent_bytes, 1000);
    world_close(&w);
}

/* Who stands in line pays for nobody else's time. */
CleanTest(account, of_a_call_begins_with_its_turn)
{
    struct world w = world_open(NULL);

    gbx_future *first = start_measured(w.context,
        "{ const end = Date.now() + 200; while (Date.now() < end); } 'x'.repeat(9000)", 0);
    gbx_future *second = start_measured(w.context, "1", 0);
    gbx_call_usage unfinished = GBX_CALL_USAGE_INIT;
    cr_assert_eq(gbx_future_usage(first, &unfinished), GBX_EBUSY);
    gbx_call_usage busy = settle_measured(first, GBX_OK),
                   idle = settle_measured(second, GBX_OK);
    cr_assert_geq(busy.wall_us, 190000);
    cr_assert_lt(idle.cpu_us, busy.cpu_us);
    cr_assert_lt(idle.received_bytes, 1000);
    cr_assert_lt(idle.sent_bytes, 200);
    world_close(&w);
}

CleanTest(account, of_a_call_that_ended_badly)
{
    struct world w = world_open(NULL);
    gbx_call_usage usage = GBX_CALL_USAGE_INIT;

    cr_assert_gt(
        settle_measured(start_measured(w.context, "throw 1", 0), GBX_ETHROW).received_bytes,
        12);
    gbx_future *plain = start(w.context, "1", 0);
    cr_assert_eq(gbx_future_wait(plain, -1, NULL), GBX_OK);
    cr_assert_eq(gbx_future_usage(plain, &usage), GBX_EINVAL);
    gbx_future_free(plain);
    gbx_future *dies =
        start_measured(w.context, "for (let a = [];;) a.push(new Array(1e5).fill(1))", 0);
    usage = settle_measured(dies, GBX_EMEMORY);
    cr_assert_gt(usage.cpu_us, 1000);
    cr_assert_gt(usage.wall_us, 1000);
    world_close(&w);
}

/* --- the console ---------------------------------------------------------------------------- */

struct printed {
    struct world *w;
    size_t count;
    uint32_t levels[64];
    char texts[64][256];
    size_t lengths[64];
};

static void
note_printed(gbx_isolate *isolate, uint32_t level, const char *text, size_t len, void *data)
{
    struct printed *p = data;

    cr_assert_eq(isolate, p->w->isolate);
    cr_assert_lt(p->count, 64);
    p->levels[p->count] = level;
    p->lengths[p->count] = len;
    memcpy(p->texts[p->count], text, len < 255 ? len : 255);
    p->count++;
}

CleanTest(account, console_has_levels_and_text)
{
    static const struct {
        const char *source, *text;
        uint32_t level;
    } lines[] = {
        { "console.log('plain', 1, -0, 2n, null, undefined, true)",
            "plain 1 -0 2n null undefined true", GBX_CONSOLE_LOG },
        { "console.debug('d')", "d", GBX_CONSOLE_DEBUG },
        { "console.info('i')", "i", GBX_CONSOLE_INFO },
        { "console.warn('w')", "w", GBX_CONSOLE_WARN },
        { "console.error('e')", "e", GBX_CONSOLE_ERROR },
        { "console.log('%s has %d of %i', 'x', 1.5, 2.7, 'more')", "x has 1.5 of 2 more",
            GBX_CONSOLE_LOG },
        { "console.log({ a: [1, 'two'], b: new Map([[1, 2]]) })",
            "{ a: [ 1, 'two' ], b: Map(1) { 1 => 2 } }", GBX_CONSOLE_LOG },
        { "console.log()", "", GBX_CONSOLE_LOG },
        { "console.log('two\\nlines \\u20ac \\ud800')", "two\nlines \xe2\x82\xac \xef\xbf\xbd",
            GBX_CONSOLE_LOG },
        { "console.assert(false, 'is false')", "Assertion failed: is false", GBX_CONSOLE_WARN },
        { "console.count()", "default: 1", GBX_CONSOLE_LOG },
    };
    static struct printed printed;
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;

    options.on_console = note_printed;
    options.data = &printed;
    struct world w = world_open(&options);
    printed.w = &w;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        eval_only(w.context, lines[i].source);
        cr_assert_eq(printed.count, i + 1, "%s", lines[i].source);
        cr_assert_eq(printed.levels[i], lines[i].level, "%s", lines[i].source);
        cr_assert_str_eq(printed.texts[i], lines[i].text);
        cr_assert_eq(printed.lengths[i], strlen(lines[i].text));
    }
    /* Cut, and it says so. */
    eval_only(w.context, "console.log('x'.repeat(1000000))");
    cr_assert_leq(printed.lengths[printed.count - 1], 64 << 10);
    cr_assert_gt(printed.lengths[printed.count - 1], 60 << 10);
    world_close(&w);
}

CleanTest(account, nobody_listens_to_a_console)
{
    struct world w = world_open(NULL);
    gbx_usage before = GBX_USAGE_INIT, after = GBX_USAGE_INIT;

    eval_only(w.context, "1");
    cr_assert_eq(gbx_isolate_usage(w.isolate, &before), GBX_OK);
    eval_only(w.context, "for (let i = 0; i < 10000; i++) console.log('unheard', i)");
    cr_assert_eq(gbx_isolate_usage(w.isolate, &after), GBX_OK);
    cr_assert_lt(after.received_bytes, before.received_bytes + 1000, "dropped in the cell");
    world_close(&w);
}

static void
close_isolate(gbx_isolate *isolate, uint32_t level, const char *text, size_t len, void *data)
{
    struct world *w = data;

    (void)level;
    (void)text;
    (void)len;
    cr_assert_eq(isolate, w->isolate);
    gbx_isolate_close(isolate);
    w->isolate = NULL;
}

CleanTest(account, console_callback_may_close_its_isolate)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    struct world w;

    options.on_console = close_isolate;
    options.data = &w;
    w = world_open(&options);
    settle(start(w.context, "for (;;) console.log(1)", 0), GBX_EDISPOSED);
    cr_assert_null(w.isolate);
    world_close(&w);
}

/* --- what a guest has ----------------------------------------------------------------------- */

CleanTest(account, guests_cannot_cause_a_collection)
{
    struct world w = world_open(NULL);
    gbx_error error;

    expect_text(w.context,
        "`${typeof gc} ${typeof globalThis.gc} ${typeof process} ${typeof "
        "require} ${typeof d8} ${typeof Deno} ${typeof fetch} ${typeof "
        "setTimeout} ${typeof structuredClone}`",
        "undefined undefined undefined undefined undefined undefined undefined undefined "
        "undefined");
    expect_failure(w.context, "%CollectGarbage()", GBX_ETHROW, &error);
    cr_assert_str_eq(error.name, "SyntaxError");
    expect_failure(w.context, "eval('%DebugPrint(1)')", GBX_ETHROW, &error);
    cr_assert_str_eq(error.name, "SyntaxError");
    expect_failure(w.context, "new Function('%GetHeapUsage()')", GBX_ETHROW, &error);
    cr_assert_str_eq(error.name, "SyntaxError");
    world_close(&w);
}

/* Every name that a guest finds is a promise to it, and a door: a new engine shows here. */
CleanTest(account, the_names_of_the_global_object_are_pinned)
{
    struct world w = world_open(NULL);
    static char expected[8192];
    FILE *file = fopen(GLOBALS_FILE, "re");

    cr_assert_not_null(file, "%s", GLOBALS_FILE);
    size_t len = fread(expected, 1, sizeof expected - 1, file);
    (void)fclose(file);
    expected[len] = '\0';
    expect_text(w.context,
        "Reflect.ownKeys(globalThis).map(String).sort().map(k => k + '\\n').join('')",
        expected);
    world_close(&w);
}
