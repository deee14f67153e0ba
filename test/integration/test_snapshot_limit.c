/* Heap snapshots at the memory limit: whatever grows, the file is whole, and the isolate dies as it
 * would have. */
#include "snapshots.h"

#include <signal.h>

static const struct way {
    const char *name, *source;
} ways[] = {
    { "objects", "const kept = []; for (let i = 0; ; i++) kept.push(new Needle(i))" },
    { "strings", "const kept = [new Needle()]; for (let i = 0; ; i++) kept.push('text ' + i)" },
    { "long strings",
        "const kept = [new Needle()]; for (let i = 0; ; i++) "
        "kept.push(String(i).padEnd(100000, 'ab').split('').reverse().join(''))" },
    { "arrays", "const kept = [new Needle()]; for (;;) kept.push(new Array(1000).fill(1.5))" },
    { "one array",
        "const n = new Needle(); const kept = []; for (let i = 0; ; i++) kept[i] = i + 0.5" },
    { "a huge array", "const n = new Needle(); const kept = []; "
                      "for (;;) kept.push(new Array(1e6).fill(0.5))" },
    { "maps", "const kept = new Map(); for (let i = 0; ; i++) kept.set({ i }, new Needle())" },
    { "sets",
        "const n = new Needle(), kept = new Set(); for (let i = 0; ; i++) kept.add('s' + i)" },
    { "closures",
        "const n = new Needle(), kept = []; for (let i = 0; ; i++) kept.push(() => i)" },
    { "code",
        "const n = new Needle(), kept = []; for (let i = 0; ; i++) { "
        "const f = new Function('a', 'return a + ' + i + '/*' + 'x'.repeat(1000) + '*/'); "
        "f(1); kept.push(f) }" },
    { "typed arrays",
        "const n = new Needle(), kept = []; for (;;) "
        "try { kept.push(new Uint8Array(100)) } catch { kept.push({}, [], {}) }" },
    { "bigints",
        "const n = new Needle(), kept = []; for (let i = 1n; ; i++) kept.push(i << 5000n)" },
    { "promises",
        "const n = new Needle(), kept = []; for (;;) kept.push(new Promise(() => 0))" },
    { "generators", "const n = new Needle(), kept = []; function* g(i) { yield i } "
                    "for (let i = 0; ; i++) { const it = g(i); it.next(); kept.push(it) }" },
    { "concatenation", "const n = new Needle(); let kept = []; let s = 'x'; "
                       "for (let i = 0; ; i++) { s = 'a' + s + i; kept.push(s) }" },
    { "a proxy's traps",
        "const n = new Needle(), kept = []; for (;;) kept.push(new Proxy({}, {}))" },
    { "a sort", "const n = new Needle(); for (let a = [1]; ; a = a.concat(a)) "
                "a.map(x => ({ x })).sort((p, q) => p.x - q.x)" },
    { "json", "const n = new Needle(); let a = [[1]]; for (;;) a = [a, "
              "JSON.parse(JSON.stringify(a))]" },
};

static void
dies_at_the_limit(const char *path, const struct way *way)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    uint32_t ids[1];

    options.memory_limit_bytes = 16 << 20;
    options.limit_snapshot = path;
    struct world w = world_open(&options);
    eval_only(w.context, "globalThis.Needle = class Needle { constructor(x) { this.x = x } }");
    settle(start(w.context, way->source, 0), GBX_EMEMORY);
    const gbx_death *death = gbx_isolate_death(w.isolate);
    cr_assert_not_null(death, "%s", way->name);
    cr_assert_eq(death->status, GBX_EMEMORY, "%s: %s", way->name, death->message);
    cr_assert_not_null(death->snapshot, "%s: %s", way->name, death->snapshot_error);
    cr_assert_str_eq(death->snapshot, path);
    cr_assert_str_eq(death->snapshot_error, "");
    cr_assert_gt(ids_of(path, "Needle", ids, 1), 0, "%s: what was on the stack", way->name);
    cr_assert_eq(scratch_entries(), 1);
    cr_assert_eq(remove(path), 0);
    world_close(&w);
}

static void
each_way(size_t first, size_t step)
{
    char path[256];

    for (size_t i = first; i < sizeof ways / sizeof ways[0]; i += step) {
        (void)snprintf(path, sizeof path, "%s/at-the-limit%s", scratch_directory(),
            i % 2 == 0 ? "" : ".zst");
        dies_at_the_limit(path, &ways[i]);
    }
}

/* A third of the ways each: a test has 100 s. */
CleanTest(snapshot_limit, is_taken_whatever_grows)
{
    each_way(0, 3);
}

CleanTest(snapshot_limit, is_taken_whatever_else_grows)
{
    each_way(1, 3);
}

CleanTest(snapshot_limit, is_taken_whatever_grows_besides)
{
    each_way(2, 3);
}

/* In many steps, none of which is large; the one that crosses the line is like the others. */
CleanTest(snapshot_limit, is_taken_in_whatever_step_it_is_reached)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    uint32_t ids[1];

    options.memory_limit_bytes = 16 << 20;
    options.limit_snapshot = in_scratch("steps");
    struct world w = world_open(&options);
    eval_only(w.context, "class Needle {}; kept = []");
    for (gbx_status status = GBX_OK; status == GBX_OK;) {
        gbx_future *step = start(
            w.context, "for (let i = 0; i < 1000; i++) kept.push(new Needle()); undefined", 0);
        status = gbx_future_wait(step, -1, NULL);
        gbx_future_free(step);
        cr_assert(status == GBX_OK || status == GBX_EMEMORY);
    }
    const gbx_death *death = gbx_isolate_death(w.isolate);
    cr_assert_not_null(death);
    cr_assert_not_null(death->snapshot, "%s", death->snapshot_error);
    cr_assert_gt(ids_of(death->snapshot, "Needle", ids, 1), 1000);
    world_close(&w);
}

/* The deadline is far too short for the snapshot, and rests. */
CleanTest(snapshot_limit, is_not_cut_short_by_a_deadline)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;

    options.memory_limit_bytes = 32 << 20;
    options.limit_snapshot = in_scratch("slow");
    options.timeout_us = 5000000;
    options.cpu_us = 5000000;
    struct world w = world_open(&options);
    gbx_future *call =
        start(w.context, "const kept = []; for (let i = 0; ; i++) kept.push({ i })", 0);
    pid_t child = snapshot_child(&w, call);
    cr_assert_eq(kill(child, SIGSTOP), 0);
    for (int i = 0; i < 7; i++)
        cr_assert_eq(gbx_future_wait(call, 1000000, NULL), GBX_EBUSY);
    cr_assert_eq(kill(child, SIGCONT), 0);
    settle(call, GBX_EMEMORY);
    cr_assert_not_null(gbx_isolate_death(w.isolate)->snapshot);
    gbx_heap_close(read_back(options.limit_snapshot));
    world_close(&w);
}

CleanTest(snapshot_limit, is_none_when_its_child_dies)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;

    options.memory_limit_bytes = 96 << 20;
    options.limit_snapshot = in_scratch("killed");
    struct world w = world_open(&options);
    gbx_future *call =
        start(w.context, "const kept = []; for (let i = 0; ; i++) kept.push({ i })", 0);
    cr_assert_eq(kill(snapshot_child(&w, call), SIGKILL), 0);
    settle(call, GBX_EMEMORY);
    const gbx_death *death = gbx_isolate_death(w.isolate);
    cr_assert_eq(death->status, GBX_EMEMORY);
    cr_assert_null(death->snapshot);
    cr_assert_not_null(
        strstr(death->snapshot_error, "ended early"), "%s", death->snapshot_error);
    cr_assert_eq(scratch_entries(), 0);
    world_close(&w);
}

CleanTest(snapshot_limit, says_why_there_is_none)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;

    options.memory_limit_bytes = 16 << 20;
    options.limit_snapshot = in_scratch("no/such/place");
    struct world w = world_open(&options);
    settle(start(w.context, "const kept = []; for (let i = 0; ; i++) kept.push({ i })", 0),
        GBX_EMEMORY);
    const gbx_death *death = gbx_isolate_death(w.isolate);
    cr_assert_null(death->snapshot);
    cr_assert_not_null(
        strstr(death->snapshot_error, "No such file"), "%s", death->snapshot_error);
    world_close(&w);
}

/* Another snapshot is under way when the limit is reached: that one comes first. */
CleanTest(snapshot_limit, waits_for_one_that_is_under_way)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;

    options.memory_limit_bytes = 64 << 20;
    options.limit_snapshot = in_scratch("limit");
    struct world w = world_open(&options);
    eval_only(w.context, "kept = Array.from({ length: 300000 }, (_, i) => ({ i }))");
    gbx_future *first = take(w.isolate, in_scratch("first"), 0);
    settle(start(w.context, "for (let i = 0; ; i++) kept.push({ i })", 0), GBX_EMEMORY);
    settle(first, GBX_OK);
    const gbx_death *death = gbx_isolate_death(w.isolate);
    cr_assert_not_null(death->snapshot, "%s", death->snapshot_error);
    gbx_heap_close(read_back(in_scratch("first")));
    gbx_heap_close(read_back(in_scratch("limit")));
    cr_assert_eq(scratch_entries(), 2);
    world_close(&w);
}

CleanTest(snapshot_limit, of_another_death_there_is_none)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    gbx_usage usage = GBX_USAGE_INIT;

    options.limit_snapshot = in_scratch("none");
    struct world w = world_open(&options);
    cr_assert_eq(eval_number(w.context, "1"), 1);
    cr_assert_eq(gbx_isolate_usage(w.isolate, &usage), GBX_OK);
    cr_assert_eq(kill((pid_t)usage.pid, SIGKILL), 0);
    settle(start(w.context, "for (;;);", 0), GBX_ECRASHED);
    cr_assert_null(gbx_isolate_death(w.isolate)->snapshot);
    cr_assert_str_eq(gbx_isolate_death(w.isolate)->snapshot_error, "");
    cr_assert_eq(scratch_entries(), 0);
    world_close(&w);
}

CleanTest(snapshot_limit, needs_the_right_to_fork)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    struct world w = world_open(NULL);
    gbx_isolate *isolate = NULL;
    gbx_error error = GBX_ERROR_INIT;

    options.flags = GBX_ISOLATE_NO_FORK;
    options.limit_snapshot = in_scratch("none");
    cr_assert_eq(gbx_isolate_open(w.runtime, &options, &isolate, &error), GBX_EUNSUPPORTED);
    cr_assert_null(isolate);
    world_close(&w);
}

/* A fork of the isolate has no such file, and dies as it would have. */
CleanTest(snapshot_limit, is_not_a_forks)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    gbx_isolate *twin = NULL;

    options.memory_limit_bytes = 16 << 20;
    options.limit_snapshot = in_scratch("none");
    struct world w = world_open(&options);
    eval_only(w.context, "kept = []");
    cr_assert_eq(gbx_isolate_fork(w.isolate, NULL, &twin, NULL), GBX_OK);
    settle(start(gbx_isolate_context(twin), "for (;;) kept.push({})", 0), GBX_EMEMORY);
    cr_assert_eq(gbx_isolate_death(twin)->status, GBX_EMEMORY);
    cr_assert_null(gbx_isolate_death(twin)->snapshot);
    cr_assert_eq(scratch_entries(), 0);
    gbx_isolate_close(twin);
    expect_usable(&w);
    world_close(&w);
}
