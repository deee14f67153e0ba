/* Snapshots over time: by the clock, by growth, when asked; and whatever ends first. */
#include "stores.h"

#include <glovebox/series.h>

#include <signal.h>

struct told {
    uint32_t taken, failed;
    uint64_t last; /* id */
    uint32_t reason;
    gbx_status status; /* of the last that failed */
    bool close;        /* in the next callback */
};

static void
on_snapshot(
    gbx_series *series, const gbx_store_entry *entry, const gbx_error *error, void *data)
{
    struct told *told = data;

    cr_assert((entry == NULL) != (error == NULL));
    if (entry != NULL) {
        told->taken++;
        told->last = entry->id;
        told->reason = entry->reason;
        cr_assert_eq(access(entry->path, R_OK), 0);
    } else {
        told->failed++;
        told->status = error->status;
        cr_assert_gt(strlen(error->message), 0);
    }
    if (told->close)
        gbx_series_close(series);
}

static gbx_series_options
options_of(struct told *told)
{
    gbx_series_options options = GBX_SERIES_OPTIONS_INIT;

    options.on_snapshot = on_snapshot;
    options.data = told;
    return options;
}

static gbx_series *
begin(struct world *w, gbx_store *store, const gbx_series_options *options)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_series *series = NULL;

    cr_assert_eq(gbx_series_open(w->runtime, w->isolate, store, options, &series, &error),
        GBX_OK, "%s", error.message);
    return series;
}

static void
dispatch(struct world *w)
{
    gbx_status status = gbx_runtime_dispatch(w->runtime, 100000);

    cr_assert(status == GBX_OK || status == GBX_EBUSY);
}

static void
await_taken(struct world *w, const struct told *told, uint32_t count)
{
    while (told->taken < count) {
        dispatch(w);
        cr_assert_eq(told->failed, 0, "%s", gbx_strstatus(told->status));
    }
}

static void
await_failed(struct world *w, const struct told *told, gbx_status status)
{
    while (told->failed == 0)
        dispatch(w);
    cr_assert_eq(told->status, status, "%s", gbx_strstatus(told->status));
}

static const char needles[] =
    "class Needle {}; globalThis.haystack = Array.from({ length: 100 }, () => new Needle())";

CleanTest(series, comes_by_the_clock_also_while_a_script_runs)
{
    gbx_isolate_options isolate_options = GBX_ISOLATE_OPTIONS_INIT;
    isolate_options.name = "server";
    struct world w = world_open(&isolate_options);
    gbx_store *store = open_with(NULL);
    gbx_store_entry *entries = NULL;
    struct told told = { 0 };
    gbx_series_options options = options_of(&told);
    uint32_t first[128], other[128];

    options.every_us = 100000;
    eval_only(w.context, needles);
    gbx_series *series = begin(&w, store, &options);
    await_taken(&w, &told, 2);
    gbx_future *busy = start(w.context, "for (;;);", 0);
    await_taken(&w, &told, 4);
    gbx_isolate_terminate(w.isolate);
    settle(busy, GBX_ETERMINATED);
    gbx_series_close(series);
    uint32_t count = list(store, "server", &entries);
    cr_assert_geq(count, 4);
    size_t n = ids_of(entries[0].path, "Needle", first, 128);
    cr_assert_gt(n, 99);
    for (uint32_t i = 0; i < count; i++) {
        size_t same = 0;
        cr_assert_eq(entries[i].reason, GBX_STORE_TIME);
        cr_assert_eq(entries[i].state, GBX_STORE_UNREAD);
        cr_assert_gt(entries[i].resident_bytes, 1 << 20);
        cr_assert(i == 0 || entries[i].taken_us > entries[i - 1].taken_us);
        cr_assert_eq(ids_of(entries[i].path, "Needle", other, 128), n);
        for (size_t k = 0; k < n; k++)
            for (size_t l = 0; l < n; l++)
                same += first[k] == other[l];
        cr_assert_gt(same, 99, "objects have the same ids in all of them");
    }
    free(entries);
    world_close(&w);
    gbx_store_close(store);
}

static void
grow(struct world *w)
{
    eval_only(w->context, "(globalThis.kept ||= []).push(new Uint8Array(32 << 20).fill(1))");
}

CleanTest(series, comes_by_growth_and_only_by_that)
{
    gbx_isolate_options isolate_options = GBX_ISOLATE_OPTIONS_INIT;
    isolate_options.memory_limit_bytes = 512 << 20;
    struct world w = world_open(&isolate_options);
    gbx_store *store = open_with(NULL);
    struct told told = { 0 };
    gbx_series_options options = options_of(&told);

    options.growth_bytes = 24 << 20;
    gbx_series *series = begin(&w, store, &options);
    for (int i = 0; i < 10; i++) /* there is nothing to see in it: longer proves more */
        dispatch(&w);
    cr_assert_eq(told.taken, 0);
    for (uint32_t i = 1; i <= 2; i++) {
        grow(&w);
        await_taken(&w, &told, i);
        cr_assert_eq(told.reason, GBX_STORE_GROWTH);
        for (int k = 0; k < 50; k++)
            dispatch(&w);
        cr_assert_eq(told.taken, i);
    }
    gbx_series_close(series);
    world_close(&w);
    gbx_store_close(store);
}

CleanTest(series, comes_when_asked)
{
    struct world w = world_open(NULL);
    gbx_store_options keep = GBX_STORE_OPTIONS_INIT;
    keep.keep = 2;
    gbx_store *store = open_with(&keep);
    struct told told = { 0 };
    gbx_series_options options = options_of(&told);
    gbx_store_class *classes = NULL;
    uint32_t count = 0;

    options.label = "mine";
    options.flags = GBX_SERIES_CHANGING_IDS;
    gbx_series *series = begin(&w, store, &options);
    for (uint32_t i = 1; i <= 3; i++) {
        cr_assert_eq(gbx_series_take(series), GBX_OK);
        cr_assert_eq(gbx_series_take(series), GBX_EBUSY);
        await_taken(&w, &told, i);
        cr_assert_eq(told.reason, GBX_STORE_ASKED);
    }
    cr_assert_eq(count_of(store, "mine"), 2, "what is to be kept is seen to");
    cr_assert_eq(gbx_store_classes(store, told.last, &classes, &count, NULL), GBX_OK);
    cr_assert_gt(count, 0);
    free(classes);
    /* Behind one that somebody else takes. */
    gbx_future *other = take(w.isolate, in_scratch("other"), 0);
    cr_assert_eq(gbx_series_take(series), GBX_OK);
    await_taken(&w, &told, 4);
    settle(other, GBX_OK);
    gbx_series_close(series);
    gbx_series_close(NULL);
    expect_usable(&w);
    world_close(&w);
    gbx_store_close(store);
}

/* --- ends ------------------------------------------------------------------------------------- */

static void
holds_nothing(void)
{
    gbx_store *store = open_with(NULL);

    cr_assert_eq(count_of(store, NULL), 0);
    cr_assert_eq(names_with("", "") - names_with("index.sqlite-journal", ""), 3);
    gbx_store_close(store);
}

CleanTest(series, closed_in_the_middle_leaves_nothing)
{
    struct world w = world_open(NULL);
    struct told told = { 0 };
    gbx_series_options options = options_of(&told);

    for (int how = 0; how < 3; how++) {
        gbx_store *store = open_with(NULL);
        gbx_series *series = begin(&w, store, &options);
        gbx_future *other = how == 1 ? take(w.isolate, in_scratch("other"), GBX_SNAPSHOT_QUEUE)
                                     : NULL; /* it waits in line */
        cr_assert_eq(gbx_series_take(series), GBX_OK);
        if (how == 2)
            dispatch(&w);
        gbx_series_close(series);
        if (other != NULL)
            settle(other, GBX_OK);
        cr_assert_eq(told.failed, 0, "nobody is told any more");
        gbx_store_close(store);
        expect_usable(&w);
    }
    world_close(&w);
    cr_assert_leq(told.taken, 1); /* how == 2: it may have been there already */
    if (told.taken == 0)
        holds_nothing();
}

CleanTest(series, may_be_closed_by_its_callback)
{
    struct world w = world_open(NULL);
    gbx_store *store = open_with(NULL);
    struct told told = { .close = true };
    gbx_series_options options = options_of(&told);

    gbx_series *series = begin(&w, store, &options);
    cr_assert_eq(gbx_series_take(series), GBX_OK);
    await_taken(&w, &told, 1);
    /* And when it fails at once. */
    gbx_isolate_options no_fork = GBX_ISOLATE_OPTIONS_INIT;
    no_fork.flags = GBX_ISOLATE_NO_FORK;
    gbx_isolate *isolate = world_isolate(&w, &no_fork);
    cr_assert_eq(gbx_series_open(w.runtime, isolate, store, &options, &series, NULL), GBX_OK);
    cr_assert_eq(gbx_series_take(series), GBX_OK);
    cr_assert_eq(told.failed, 1);
    cr_assert_eq(told.status, GBX_EUNSUPPORTED);
    gbx_isolate_close(isolate);
    world_close(&w);
    gbx_store_close(store);
}

CleanTest(series, outlives_all_that_it_needs)
{
    for (int how = 0; how < 4; how++) {
        struct world w = world_open(NULL);
        gbx_store *store = open_with(NULL);
        struct told told = { 0 };
        gbx_series_options options = options_of(&told);
        options.every_us = 100000;
        options.growth_bytes = 1 << 20;
        gbx_series *series = begin(&w, store, &options);
        gbx_store_close(store);
        if (how % 2 == 1)
            cr_assert_eq(gbx_series_take(series), GBX_OK);
        if (how < 2) {
            gbx_isolate_close(w.isolate);
            w.isolate = NULL;
            cr_assert_eq(gbx_series_take(series), GBX_EDISPOSED);
        }
        world_close(&w);
        cr_assert_eq(told.failed, how % 2 == 1);
        cr_assert_eq(gbx_series_take(series), GBX_EDISPOSED);
        gbx_series_close(series);
        holds_nothing();
    }
}

CleanTest(series, tells_of_the_isolates_death)
{
    gbx_isolate_options isolate_options = GBX_ISOLATE_OPTIONS_INIT;
    isolate_options.memory_limit_bytes = 16 << 20;
    struct world w = world_open(&isolate_options);
    gbx_store *store = open_with(NULL);
    struct told told = { 0 };
    gbx_series_options options = options_of(&told);
    gbx_usage usage = GBX_USAGE_INIT;

    gbx_series *series = begin(&w, store, &options);
    cr_assert_eq(gbx_isolate_usage(w.isolate, &usage), GBX_OK);
    cr_assert_eq(gbx_series_take(series), GBX_OK);
    cr_assert_eq(kill((pid_t)usage.pid, SIGKILL), 0);
    await_failed(&w, &told, GBX_ECRASHED);
    cr_assert_eq(gbx_series_take(series), GBX_EDISPOSED);
    gbx_series *another = NULL;
    cr_assert_eq(
        gbx_series_open(w.runtime, w.isolate, store, &options, &another, NULL), GBX_EDISPOSED);
    gbx_series_close(series);
    world_close(&w);
    gbx_store_close(store);
    holds_nothing();
}

/* --- errors ----------------------------------------------------------------------------------- */

CleanTest(series, options_are_checked)
{
    struct world w = world_open(NULL);
    gbx_store *store = open_with(NULL), *shut = NULL;
    gbx_store_options read_only = GBX_STORE_OPTIONS_INIT;
    gbx_series *series = NULL;
    static const struct {
        gbx_series_options options;
        gbx_status status;
    } rows[] = {
        { { .size = 8 }, GBX_EINVAL },
        { { sizeof(gbx_series_options), .flags = 2 }, GBX_EUNSUPPORTED },
        { { sizeof(gbx_series_options), .every_us = 99999 }, GBX_EINVAL },
        { { sizeof(gbx_series_options), .growth_bytes = (1 << 20) - 1 }, GBX_EINVAL },
        { { sizeof(gbx_series_options), .label = "" }, GBX_EINVAL },
        { { sizeof(gbx_series_options), .label = "a\n" }, GBX_EINVAL },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        cr_assert_eq(
            gbx_series_open(w.runtime, w.isolate, store, &rows[i].options, &series, NULL),
            rows[i].status, "%zu", i);
    read_only.flags = GBX_STORE_READ_ONLY;
    shut = open_with(&read_only);
    cr_assert_eq(gbx_series_open(w.runtime, w.isolate, shut, NULL, &series, NULL), GBX_EINVAL);
    cr_assert_null(series);
    cr_assert_eq(gbx_series_open(w.runtime, w.isolate, store, NULL, &series, NULL), GBX_OK);
    gbx_series_close(series);
    gbx_store_close(shut);
    gbx_store_close(store);
    world_close(&w);
}

CleanTest(series, goes_on_when_one_fails)
{
    struct world w = world_open(NULL);
    gbx_store *store = open_with(NULL);
    struct told told = { 0 };
    gbx_series_options options = options_of(&told);

    gbx_series *series = begin(&w, store, &options);
    cr_assert_eq(rename(in_scratch("store"), in_scratch("moved")), 0);
    cr_assert_eq(chmod(in_scratch("moved"), 0700), 0);
    cr_assert_eq(unlink(in_scratch("moved/index.sqlite")), 0);
    cr_assert_eq(rmdir(in_scratch("moved")), 0);
    cr_assert_eq(gbx_series_take(series), GBX_OK);
    await_failed(&w, &told, GBX_ESYS);
    cr_assert_eq(gbx_series_take(series), GBX_OK);
    while (told.failed < 2)
        dispatch(&w);
    gbx_series_close(series);
    gbx_store_close(store);
    expect_usable(&w);
    world_close(&w);
}

CleanTest(series, a_thousand_leave_nothing)
{
    struct world w = world_open(NULL);
    gbx_store *store = open_with(NULL);
    struct told told = { 0 };
    gbx_series_options options = options_of(&told);
    size_t before = 0, descriptors = 0;

    options.every_us = 100000;
    for (int i = 0; i < 2100; i++) {
        if (i == 100) {
            before = malloc_in_use();
            descriptors = descriptors_open();
        }
        gbx_series_close(begin(&w, store, &options));
    }
    cr_assert_leq(malloc_in_use(), before + 16384);
    cr_assert_eq(descriptors_open(), descriptors);
    gbx_store_close(store);
    world_close(&w);
}
