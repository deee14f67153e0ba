/* Profiles of live isolates: whole files that say where the time and the memory went. */
#include "cdp_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char burn[] =
    "function needle() { for (let i = 0, x = 0; i < 2e7; i++) x += i % 7 }\n"
    "function hoard() { return Array.from({length: 20000}, () => [1, 2]) }";

static struct world
world_of_profiles(void)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;

    options.flags = GBX_ISOLATE_PROFILING;
    struct world w = world_open(&options);
    eval_only(w.context, burn);
    return w;
}

static const char *
file_path(void)
{
    static char path[256];

    (void)snprintf(path, sizeof path, "%s/a.profile", scratch_directory());
    return path;
}

static gbx_future *
begin(struct world *w, uint32_t kind, uint64_t duration_us)
{
    gbx_profile_options options = GBX_PROFILE_OPTIONS_INIT;

    options.kind = kind;
    options.duration_us = duration_us;
    options.interval = kind == GBX_PROFILE_HEAP ? 1024 : 0;
    options.path = file_path();
    return gbx_profile(w->isolate, &options);
}

/* The file, all of it read as JSON. */
static gbx_value *
read_file(double len)
{
    static char text[1 << 22];
    gbx_value *value = NULL;

    FILE *file = fopen(file_path(), "re");
    cr_assert_not_null(file);
    size_t n = fread(text, 1, sizeof text, file);
    cr_assert_eq(fclose(file), 0);
    cr_assert_eq((double)n, len);
    cr_assert_eq(gbx_value_from_json(text, n, &value, NULL), GBX_OK);
    cr_assert_eq(scratch_entries(), 1);
    return value;
}

static bool
names(const gbx_value *profile, const char *function)
{
    const gbx_value *nodes = at(profile, "nodes");

    for (size_t i = 0; nodes != NULL && i < gbx_value_length(nodes); i++)
        if (is_text(at(gbx_value_at(nodes, i), "callFrame.functionName"), function))
            return true;
    return false;
}

static bool
allocates(const gbx_value *node, const char *function)
{
    const gbx_value *children = at(node, "children");

    if (is_text(at(node, "callFrame.functionName"), function))
        return true;
    for (size_t i = 0; children != NULL && i < gbx_value_length(children); i++)
        if (allocates(gbx_value_at(children, i), function))
            return true;
    return false;
}

CleanTest(profile, says_where_the_time_went)
{
    struct world w = world_of_profiles();

    gbx_future *future = begin(&w, GBX_PROFILE_CPU, 0);
    eval_only(w.context, "for (let t = Date.now(); Date.now() < t + 1000;) needle()");
    cr_assert_eq(gbx_profile_stop(w.isolate, GBX_PROFILE_CPU), GBX_OK);
    gbx_value *profile = read_file(settle_number(future));
    cr_assert(names(profile, "needle"));
    cr_assert_gt(gbx_value_length(at(profile, "samples")), 1);
    cr_assert_eq(
        gbx_value_length(at(profile, "samples")), gbx_value_length(at(profile, "timeDeltas")));
    cr_assert_gt(number_of(at(profile, "endTime")), number_of(at(profile, "startTime")));
    gbx_value_free(profile);
    cr_assert_eq(gbx_profile_stop(w.isolate, GBX_PROFILE_CPU), GBX_EINVAL);
    expect_usable(&w);
    world_close(&w);
}

CleanTest(profile, says_what_allocated)
{
    struct world w = world_open(NULL); /* no thread is needed */

    eval_only(w.context, burn);
    gbx_future *future = begin(&w, GBX_PROFILE_HEAP, 0);
    eval_only(w.context, "kept = hoard(); 0");
    cr_assert_eq(gbx_profile_stop(w.isolate, GBX_PROFILE_HEAP), GBX_OK);
    gbx_value *profile = read_file(settle_number(future));
    cr_assert(allocates(at(profile, "head"), "hoard"));
    gbx_value_free(profile);
    expect_usable(&w);
    world_close(&w);
}

/* So many milliseconds of what runs: it need not end for that. */
CleanTest(profile, lasts_as_long_as_it_was_asked_to)
{
    struct world w = world_of_profiles();

    gbx_future *busy = start(w.context, "for (;;) needle()", 0);
    gbx_value *profile = read_file(settle_number(begin(&w, GBX_PROFILE_CPU, 1000000)));
    cr_assert_eq(gbx_future_status(busy, NULL), GBX_EBUSY);
    cr_assert(names(profile, "needle"));
    double us = number_of(at(profile, "endTime")) - number_of(at(profile, "startTime"));
    cr_assert_geq(us, 1000000);
    gbx_value_free(profile);
    gbx_isolate_terminate(w.isolate);
    settle(busy, GBX_ETERMINATED);
    world_close(&w);
}

CleanTest(profile, outlives_a_call_that_ran_away)
{
    struct world w = world_of_profiles();

    gbx_future *future = begin(&w, GBX_PROFILE_CPU, 0);
    settle(start_limited(w.context, "for (;;) needle()", 1000000, 0), GBX_ETIMEOUT);
    cr_assert_eq(gbx_profile_stop(w.isolate, GBX_PROFILE_CPU), GBX_OK);
    gbx_value *profile = read_file(settle_number(future));
    cr_assert(names(profile, "needle"));
    gbx_value_free(profile);
    world_close(&w);
}

static gbx_status
give_up(const void *piece, size_t len, void *data)
{
    cr_assert_gt(len, 2);
    cr_assert_eq(((const char *)piece)[0], '{');
    *(bool *)data = true;
    return GBX_ETOOBIG;
}

static gbx_status
close_isolate(const void *piece, size_t len, void *data)
{
    struct world *w = data;

    (void)piece;
    (void)len;
    gbx_isolate_close(w->isolate);
    w->isolate = NULL;
    return GBX_OK;
}

CleanTest(profile, ends_with_what_its_sink_says)
{
    struct world w = world_of_profiles();
    gbx_profile_options options = GBX_PROFILE_OPTIONS_INIT;
    bool called = false;

    options.kind = GBX_PROFILE_HEAP;
    options.duration_us = 1000;
    options.sink = give_up;
    options.data = &called;
    settle(gbx_profile(w.isolate, &options), GBX_ETOOBIG);
    cr_assert(called);
    options.sink = close_isolate;
    options.data = &w;
    settle(gbx_profile(w.isolate, &options), GBX_EDISPOSED);
    world_close(&w);
}

CleanTest(profile, wrong_options_are_refused_and_leave_nothing)
{
    struct world w = world_open(NULL), other = world_of_profiles();
    gbx_profile_options options = GBX_PROFILE_OPTIONS_INIT;
    bool called = false;

    settle(gbx_profile(other.isolate, &options), GBX_EINVAL); /* nowhere */
    options.path = "/nonexistent/a.profile";
    options.sink = give_up;
    options.data = &called;
    settle(gbx_profile(other.isolate, &options), GBX_EINVAL); /* to two places */
    options.path = NULL;
    options.kind = 2;
    settle(gbx_profile(other.isolate, &options), GBX_EUNSUPPORTED);
    options.kind = GBX_PROFILE_CPU;
    settle(gbx_profile(w.isolate, &options), GBX_EUNSUPPORTED); /* no thread there */
    options.interval = 99;
    settle(gbx_profile(other.isolate, &options), GBX_EINVAL);
    options.interval = 0;
    options.sink = NULL;
    options.path = "/nonexistent/a.profile";
    options.duration_us = 1000;
    settle(gbx_profile(other.isolate, &options), GBX_ESYS);
    gbx_future *one = begin(&w, GBX_PROFILE_HEAP, 0);
    settle(begin(&w, GBX_PROFILE_HEAP, 0), GBX_ELIMIT);
    cr_assert_eq(gbx_profile_stop(w.isolate, 7), GBX_EINVAL);
    gbx_isolate_close(w.isolate); /* in the middle of it */
    w.isolate = NULL;
    settle(one, GBX_EDISPOSED);
    cr_assert_eq(scratch_entries(), 0);
    cr_assert_not(called);
    world_close(&other);
    world_close(&w);
}

CleanTest(profile, a_cell_that_dies_has_none)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;

    options.memory_limit_bytes = (uint64_t)16 << 20;
    struct world w = world_open(&options);
    gbx_future *future = begin(&w, GBX_PROFILE_HEAP, 0);
    expect_failure(
        w.context, "for (let a = [];;) a.push(new Array(1e4).fill(a))", GBX_EMEMORY, NULL);
    settle(future, GBX_EMEMORY);
    cr_assert_eq(scratch_entries(), 0);
    settle(begin(&w, GBX_PROFILE_HEAP, 0), GBX_EMEMORY);
    world_close(&w);
}

CleanTest(profile, many_leave_nothing_behind)
{
    struct world w = world_open(NULL);
    gbx_profile_options options = GBX_PROFILE_OPTIONS_INIT;
    bool called = false;
    gbx_memory first = GBX_MEMORY_INIT, last = GBX_MEMORY_INIT;

    options.kind = GBX_PROFILE_HEAP;
    options.duration_us = 1;
    options.sink = give_up;
    options.data = &called;
    for (int i = 0; i < 400; i++) {
        settle(gbx_profile(w.isolate, &options), GBX_ETOOBIG);
        if (i == 100 || i == 399)
            cr_assert_eq(gbx_isolate_memory(w.isolate, i == 100 ? &first : &last), GBX_OK);
    }
    cr_assert_lt(last.private_bytes, first.private_bytes + ((uint64_t)4 << 20));
    expect_usable(&w);
    world_close(&w);
}
