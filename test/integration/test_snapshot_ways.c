/* Heap snapshots by their options: ids that last, compression, turns, deadlines, budgets, sinks
 * that hold up. Each is read back by libglovebox-heap. */
#include "snapshots.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

static const char needles[] =
    "class Needle {}; globalThis.haystack = Array.from({ length: 100 }, () => new Needle())";

/* Ids of the first that are among those of the second. */
static size_t
shared_ids(const char *a, const char *b)
{
    uint32_t first[128], second[128];
    size_t shared = 0, n = ids_of(a, "Needle", first, 128),
           m = ids_of(b, "Needle", second, 128);

    cr_assert_gt(n, 99);
    cr_assert_eq(n, m);
    for (size_t i = 0; i < n && i < 128; i++)
        for (size_t k = 0; k < m && k < 128; k++)
            shared += first[i] == second[k];
    return shared;
}

static void
move_objects(struct world *w)
{
    eval_only(w->context, "for (let i = 0; i < 200; i++) globalThis.churn = Array.from({ "
                          "length: 5000 }, () => ({}))");
    settle(gbx_isolate_collect(w->isolate), GBX_OK);
}

CleanTest(snapshot_ways, objects_keep_their_ids_if_that_is_wanted)
{
    for (uint32_t mode = GBX_SNAPSHOT_BACKGROUND; mode <= GBX_SNAPSHOT_ATTACHED; mode++) {
        struct world w = world_open(NULL);
        gbx_snapshot_options one = to_path(in_scratch("1"), GBX_SNAPSHOT_STABLE_IDS);
        gbx_snapshot_options two = to_path(in_scratch("2"), GBX_SNAPSHOT_STABLE_IDS);

        one.mode = two.mode = mode;
        eval_only(w.context, needles);
        settle(gbx_heap_snapshot(w.isolate, &one), GBX_OK);
        move_objects(&w);
        settle(gbx_heap_snapshot(w.isolate, &two), GBX_OK);
        cr_assert_gt(shared_ids(one.path, two.path), 99);
        expect_usable(&w);
        world_close(&w);
    }
}

/* Else a number that a child gave is given again by the next one, to something else. */
CleanTest(snapshot_ways, objects_have_other_ids_each_time_otherwise)
{
    struct world w = world_open(NULL);

    eval_only(w.context, needles);
    settle(take(w.isolate, in_scratch("1"), 0), GBX_OK);
    eval_only(
        w.context, "haystack.unshift(...Array.from({ length: 1000 }, () => ({ x: [] })))");
    move_objects(&w);
    settle(take(w.isolate, in_scratch("2"), 0), GBX_OK);
    cr_assert_lt(shared_ids(in_scratch("1"), in_scratch("2")), 50);
    world_close(&w);
}

/* The map of ids is no memory of the guest's: it does not die of it. */
CleanTest(snapshot_ways, ids_cost_the_guest_nothing)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    options.memory_limit_bytes = 64 << 20;
    struct world w = world_open(&options);

    eval_only(w.context, "kept = []; for (let i = 0; i < 600000; i++) kept.push({ i })");
    for (int i = 0; i < 3; i++)
        settle(take(w.isolate, in_scratch("ids"), GBX_SNAPSHOT_STABLE_IDS), GBX_OK);
    eval_only(
        w.context, "for (let i = 0; i < 100; i++) globalThis.more = new Array(100000).fill(i)");
    settle(gbx_isolate_collect(w.isolate), GBX_OK);
    expect_usable(&w);
    world_close(&w);
}

CleanTest(snapshot_ways, compressed_is_smaller_and_the_same)
{
    struct world w = world_open(NULL);
    struct stat plain, packed;
    uint32_t ids[1];

    eval_only(w.context, needles);
    for (uint32_t mode = GBX_SNAPSHOT_BACKGROUND; mode <= GBX_SNAPSHOT_ATTACHED; mode++) {
        gbx_snapshot_options one = to_path(in_scratch("plain"), 0);
        gbx_snapshot_options two = to_path(in_scratch("packed"), GBX_SNAPSHOT_ZSTD);
        one.mode = two.mode = mode;
        settle(gbx_heap_snapshot(w.isolate, &one), GBX_OK);
        double bytes = settle_number(gbx_heap_snapshot(w.isolate, &two));
        cr_assert_eq(stat(one.path, &plain), 0);
        cr_assert_eq(stat(two.path, &packed), 0);
        cr_assert_eq(bytes, (double)packed.st_size);
        cr_assert_lt(packed.st_size * 3, plain.st_size);
        cr_assert_eq(ids_of(one.path, "Needle", ids, 1), ids_of(two.path, "Needle", ids, 1));
    }
    world_close(&w);
}

CleanTest(snapshot_ways, those_in_line_come_one_after_the_other)
{
    struct world w = world_open(NULL);
    gbx_future *futures[17];
    uint32_t ids[1];
    char name[16];

    eval_only(w.context, needles);
    for (size_t i = 0; i < 17; i++) {
        (void)snprintf(name, sizeof name, "%zu", i);
        gbx_snapshot_options options = to_path(in_scratch(name), GBX_SNAPSHOT_QUEUE);
        options.mode = i % 3 == 2 ? GBX_SNAPSHOT_ATTACHED : GBX_SNAPSHOT_BACKGROUND;
        futures[i] = gbx_heap_snapshot(w.isolate, &options);
    }
    ends_with_error(
        take(w.isolate, in_scratch("more"), GBX_SNAPSHOT_QUEUE), GBX_ELIMIT, "wait already");
    ends_with_error(take(w.isolate, in_scratch("more"), 0), GBX_ELIMIT, "under way");
    cr_assert_eq(eval_number(w.context, "1 + 1"), 2);
    for (size_t i = 0; i < 17; i++) {
        cr_assert_eq(gbx_future_wait(futures[i], -1, NULL), GBX_OK);
        for (size_t k = i + 2; k < 17; k++)
            cr_assert_eq(
                gbx_future_status(futures[k], NULL), GBX_EBUSY, "%zu before %zu", k, i);
        gbx_future_free(futures[i]);
        (void)snprintf(name, sizeof name, "%zu", i);
        cr_assert_gt(ids_of(in_scratch(name), "Needle", ids, 1), 99);
    }
    cr_assert_eq(scratch_entries(), 17);
    expect_usable(&w);
    world_close(&w);
}

CleanTest(snapshot_ways, those_in_line_end_with_their_isolate)
{
    struct world w = world_open(NULL);
    gbx_future *futures[3];

    for (size_t i = 0; i < 3; i++)
        futures[i] = take(w.isolate, in_scratch(i == 0 ? "a" : "b"), GBX_SNAPSHOT_QUEUE);
    gbx_isolate_close(w.isolate);
    w.isolate = NULL;
    for (size_t i = 0; i < 3; i++)
        ends_with_error(futures[i], GBX_EDISPOSED, "");
    cr_assert_eq(scratch_entries(), 0);
    world_close(&w);
}

/* --- ends ----------------------------------------------------------------------------------- */

static const char large[] = "kept = Array.from({ length: 400000 }, (_, i) => ({ i }))";

CleanTest(snapshot_ways, can_be_cancelled_at_any_time)
{
    struct world w = world_open(NULL);
    gbx_future *first, *second, *attached;

    eval_only(w.context, large);
    for (int i = 0; i < 8; i++) {
        first = take(w.isolate, in_scratch("first"), 0);
        second = take(w.isolate, in_scratch("second"), GBX_SNAPSHOT_QUEUE);
        cr_assert_eq(gbx_future_wait(first, i * 20000, NULL), GBX_EBUSY);
        cr_assert_eq(gbx_heap_snapshot_cancel(second), GBX_OK);
        ends_with_error(second, GBX_ETERMINATED, "cancelled");
        cr_assert_eq(gbx_heap_snapshot_cancel(first), GBX_OK);
        cr_assert_eq(gbx_heap_snapshot_cancel(first), GBX_OK, "twice");
        ends_with_error(first, GBX_ETERMINATED, "cancelled");
    }
    /* One that has not begun, since the guest is busy; the guest does not notice. */
    gbx_future *busy = start(w.context, "for (let i = 0; ; i++) globalThis.n = i", 0);
    gbx_snapshot_options options = to_path(in_scratch("attached"), 0);
    options.mode = GBX_SNAPSHOT_ATTACHED;
    attached = gbx_heap_snapshot(w.isolate, &options);
    cr_assert_eq(gbx_heap_snapshot_cancel(busy), GBX_EINVAL);
    cr_assert_eq(gbx_heap_snapshot_cancel(attached), GBX_OK);
    ends_with_error(attached, GBX_ETERMINATED, "cancelled");
    second = take(w.isolate, in_scratch("second"), GBX_SNAPSHOT_QUEUE);
    gbx_isolate_terminate(w.isolate);
    settle(busy, GBX_ETERMINATED);
    settle(second, GBX_OK);
    gbx_heap_close(read_back(in_scratch("second")));
    cr_assert_eq(scratch_entries(), 1);
    gbx_future *collection = gbx_isolate_collect(w.isolate);
    cr_assert_eq(gbx_heap_snapshot_cancel(collection), GBX_EINVAL);
    cr_assert_eq(gbx_heap_snapshot_resume(collection), GBX_EINVAL);
    gbx_future_free(collection);
    world_close(&w);
}

/* It is stopped, so it cannot hear that it is to end: it is killed, and the guest goes on. */
CleanTest(snapshot_ways, a_child_that_hangs_ends_at_the_deadline)
{
    struct world w = world_open(NULL);
    gbx_snapshot_options options = to_path(in_scratch("hung"), 0);

    eval_only(w.context, large);
    options.timeout_us = 300000;
    for (int i = 0; i < 2; i++) {
        gbx_future *snapshot = gbx_heap_snapshot(w.isolate, &options);
        pid_t child = snapshot_child(&w, snapshot);
        cr_assert_eq(kill(child, SIGSTOP), 0);
        gbx_error error = GBX_ERROR_INIT;
        cr_assert_eq(gbx_future_wait(snapshot, -1, &error), GBX_ETIMEOUT);
        cr_assert_eq(error.limit, 300000);
        gbx_future_free(snapshot);
        cr_assert_eq(scratch_entries(), 0);
        expect_usable(&w);
        settle(take(w.isolate, in_scratch("next"), GBX_SNAPSHOT_QUEUE), GBX_OK);
        gbx_heap_close(read_back(in_scratch("next")));
        cr_assert_eq(remove(in_scratch("next")), 0);
    }
    world_close(&w);
}

CleanTest(snapshot_ways, a_deadline_that_has_passed_ends_it)
{
    struct world w = world_open(NULL);

    eval_only(w.context, large);
    for (uint32_t mode = GBX_SNAPSHOT_BACKGROUND; mode <= GBX_SNAPSHOT_ATTACHED; mode++) {
        gbx_snapshot_options options = to_path(in_scratch("late"), GBX_SNAPSHOT_QUEUE);
        options.mode = mode;
        options.timeout_us = 1;
        ends_with_error(gbx_heap_snapshot(w.isolate, &options), GBX_ETIMEOUT, "after 1 us");
    }
    cr_assert_eq(scratch_entries(), 0);
    settle(take(w.isolate, in_scratch("next"), GBX_SNAPSHOT_QUEUE), GBX_OK);
    gbx_heap_close(read_back(in_scratch("next")));
    world_close(&w);
}

CleanTest(snapshot_ways, a_child_without_memory_says_so)
{
    struct world w = world_open(NULL);
    gbx_snapshot_options options = to_path(in_scratch("poor"), 0);

    eval_only(
        w.context, "kept = Array.from({ length: 1000000 }, (_, i) => ({ i, s: 'x' + i }))");
    options.memory_bytes = 1;
    ends_with_error(gbx_heap_snapshot(w.isolate, &options), GBX_ESYS, "more memory");
    cr_assert_eq(scratch_entries(), 0);
    options.memory_bytes = 0;
    settle(gbx_heap_snapshot(w.isolate, &options), GBX_OK);
    gbx_heap_close(read_back(options.path));
    world_close(&w);
}

/* A file that may not grow any more is a full disk as any. */
CleanTest(snapshot_ways, a_disk_that_is_full_keeps_nothing)
{
    struct rlimit before, small = { 100000, RLIM_INFINITY };
    struct world w = world_open(NULL);

    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    cr_assert_neq(signal(SIGXFSZ, SIG_IGN), SIG_ERR);
    for (uint32_t mode = GBX_SNAPSHOT_BACKGROUND; mode <= GBX_SNAPSHOT_ATTACHED; mode++) {
        gbx_snapshot_options options = to_path(in_scratch("full"), GBX_SNAPSHOT_QUEUE);
        options.mode = mode;
        small.rlim_max = before.rlim_max;
        cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
        ends_with_error(gbx_heap_snapshot(w.isolate, &options), GBX_ESYS, "File too large");
        cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
        cr_assert_eq(scratch_entries(), 0);
    }
    settle(take(w.isolate, in_scratch("next"), GBX_SNAPSHOT_QUEUE), GBX_OK);
    world_close(&w);
}

CleanTest(snapshot_ways, unknown_flags_are_refused)
{
    struct world w = world_open(NULL);

    ends_with_error(take(w.isolate, in_scratch("a"), 8), GBX_EUNSUPPORTED, "unknown flag 0x8");
    world_close(&w);
}

/* --- on its way ----------------------------------------------------------------------------- */

struct progress {
    uint32_t percent, calls;
    uint64_t bytes;
};

static void
on_progress(uint32_t percent, uint64_t bytes, void *data)
{
    struct progress *p = data;

    cr_assert_leq(percent, 100);
    cr_assert_geq(percent, p->percent);
    cr_assert_geq(bytes, p->bytes);
    p->percent = percent;
    p->bytes = bytes;
    p->calls++;
}

CleanTest(snapshot_ways, progress_is_told)
{
    struct world w = world_open(NULL);
    struct progress p = { 0, 0, 0 };
    gbx_snapshot_options options = to_path(in_scratch("watched"), 0);

    eval_only(
        w.context, "kept = Array.from({ length: 700000 }, (_, i) => ({ i, s: 'x' + i }))");
    options.on_progress = on_progress;
    options.data = &p;
    settle(gbx_heap_snapshot(w.isolate, &options), GBX_OK);
    cr_assert_gt(p.calls, 1);
    cr_assert_gt(p.percent, 0);
    world_close(&w);
}

struct slow {
    FILE *file;
    int32_t room; /* pieces that it takes; then it is full */
    uint32_t refusals;
};

static gbx_status
slow_sink(const void *piece, size_t len, void *data)
{
    struct slow *s = data;

    if (s->room == 0) {
        s->refusals++;
        return GBX_EBUSY;
    }
    s->room--;
    cr_assert_eq(fwrite(piece, 1, len, s->file), len);
    return GBX_OK;
}

CleanTest(snapshot_ways, a_sink_without_room_holds_up_the_child_and_nobody_else)
{
    struct world w = world_open(NULL);
    gbx_snapshot_options options = to_path(NULL, 0);
    const char *path = in_scratch("slow");
    struct slow slow = { fopen(path, "we"), 2, 0 };
    uint32_t ids[1];

    eval_only(w.context, needles);
    options.sink = slow_sink;
    options.data = &slow;
    gbx_future *snapshot = gbx_heap_snapshot(w.isolate, &options);
    cr_assert_eq(gbx_heap_snapshot_resume(snapshot), GBX_OK, "nothing to resume");
    for (uint32_t i = 0; slow.refusals == 0; i++)
        cr_assert_eq(gbx_future_wait(snapshot, 1000, NULL), GBX_EBUSY);
    for (int i = 0; i < 100; i++)
        cr_assert_eq(eval_number(w.context, "1 + 1"), 2);
    cr_assert_eq(gbx_future_status(snapshot, NULL), GBX_EBUSY);
    cr_assert_eq(slow.refusals, 1, "it is not offered again unless that is asked for");
    cr_assert_eq(gbx_heap_snapshot_resume(snapshot), GBX_OK);
    cr_assert_eq(slow.refusals, 2);
    while (gbx_future_wait(snapshot, 1000, NULL) == GBX_EBUSY) {
        slow.room = 3;
        cr_assert_eq(gbx_heap_snapshot_resume(snapshot), GBX_OK);
    }
    settle(snapshot, GBX_OK);
    cr_assert_eq(fclose(slow.file), 0);
    cr_assert_gt(ids_of(path, "Needle", ids, 1), 99);

    /* Held up, and then closed, or cancelled. */
    for (int i = 0; i < 2; i++) {
        slow = (struct slow){ fopen(path, "we"), 0, 0 };
        snapshot = gbx_heap_snapshot(w.isolate, &options);
        while (slow.refusals == 0)
            cr_assert_eq(gbx_future_wait(snapshot, 1000, NULL), GBX_EBUSY);
        if (i == 0) {
            cr_assert_eq(gbx_heap_snapshot_cancel(snapshot), GBX_OK);
            ends_with_error(snapshot, GBX_ETERMINATED, "cancelled");
        } else {
            gbx_isolate_close(w.isolate);
            w.isolate = NULL;
            ends_with_error(snapshot, GBX_EDISPOSED, "");
        }
        cr_assert_eq(fclose(slow.file), 0);
    }
    world_close(&w);
}
