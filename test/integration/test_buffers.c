/* Large buffers: whole whatever their size, private to each side, and nothing of them is left. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The guest's answer to a buffer: its sum, and a change that the host must not see. */
static const char guest[] = "const kept = [];"
                            "function sum(b) { let s = 0; const v = new Uint8Array(b);"
                            "  for (let i = 0; i < v.length; i++) s = (s * 31 + v[i]) % 65521;"
                            "  v.fill(7); return s; }"
                            "function same(x) { return x; }"
                            "function keep(x) { kept.push(x); return kept.length; }";

static uint8_t *
pattern(size_t len)
{
    uint8_t *bytes = malloc(len + 1);

    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(i * 7 + (i >> 9));
    return bytes;
}

static double
sum_of(const uint8_t *bytes, size_t len)
{
    uint32_t s = 0;

    for (size_t i = 0; i < len; i++)
        s = (s * 31 + bytes[i]) % 65521;
    return s;
}

static gbx_future *
call(const struct world *world, const char *path, const gbx_value *argument)
{
    return gbx_context_call(world->context, path, &argument, 1, NULL);
}

static void
expect_bytes(const gbx_value *value, const uint8_t *bytes, size_t len)
{
    const void *got;
    size_t n;

    cr_assert_eq(gbx_value_get_bytes(value, &got, &n), GBX_OK);
    cr_assert_eq(n, len);
    cr_assert(memcmp(got, bytes, len) == 0, "%zu bytes", len);
}

static struct world
world_with(const char *source)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;

    options.memory_limit_bytes = (uint64_t)256 << 20;
    struct world world = world_open(&options);
    eval_only(world.context, source);
    return world;
}

CleanTest(buffers, arrive_whole_at_every_size)
{
    struct world world = world_with(guest);
    /* Around what is borrowed, the ring, what is kept, and huge pages. */
    static const size_t sizes[] = { 0, 1, 65535, 65536, 65537, 131072, 1000001, 2097152,
        2097153, 8388608, 20000003 };

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint8_t *bytes = pattern(sizes[i]);
        gbx_value *value = gbx_value_new_array_buffer(bytes, sizes[i]);
        gbx_value *back = settle_value(call(&world, "same", value));
        expect_bytes(back, bytes, sizes[i]);
        cr_assert_eq(settle_number(call(&world, "sum", back)), sum_of(bytes, sizes[i]));
        expect_bytes(back, bytes, sizes[i]);
        expect_bytes(value, bytes, sizes[i]);
        gbx_value_free(back);
        gbx_value_free(value);
        free(bytes);
    }
    world_close(&world);
}

/* The value may go as soon as it was handed over, though most of it is not sent yet. */
CleanTest(buffers, are_sent_after_their_value_is_gone)
{
    struct world world = world_with(guest);
    enum {
        CALLS = 8,
        LEN = 3000000
    };
    gbx_future *futures[CALLS];
    uint8_t *bytes = pattern(LEN);

    for (size_t i = 0; i < CALLS; i++) {
        bytes[0] = (uint8_t)i;
        gbx_value *value = gbx_value_new_bytes(bytes, LEN);
        gbx_value *object = gbx_value_new_object();
        cr_assert_eq(gbx_value_set(object, "bytes", GBX_NUL, value), GBX_OK);
        futures[i] = call(&world, "same", object);
        gbx_value_free(object);
    }
    for (size_t i = 0; i < CALLS; i++) {
        bytes[0] = (uint8_t)i;
        gbx_value *back = settle_value(futures[i]);
        expect_bytes(gbx_value_get(back, "bytes", GBX_NUL), bytes, LEN);
        gbx_value_free(back);
    }
    free(bytes);
    world_close(&world);
}

/* One value may be on its way to several isolates; each has a copy of its own. */
CleanTest(buffers, belong_to_each_isolate_alone)
{
    struct world world = world_with(guest);
    gbx_isolate *other = world_isolate(&world, NULL);
    enum {
        LEN = 2000000
    };
    uint8_t *bytes = pattern(LEN);
    gbx_value *value = gbx_value_new_array_buffer(bytes, LEN);
    const gbx_value *arguments[] = { value };

    eval_only(gbx_isolate_context(other), guest);
    gbx_future *first = call(&world, "sum", value);
    gbx_future *second =
        gbx_context_call(gbx_isolate_context(other), "sum", arguments, 1, NULL);
    cr_assert_eq(settle_number(first), sum_of(bytes, LEN));
    cr_assert_eq(settle_number(second), sum_of(bytes, LEN));
    expect_bytes(value, bytes, LEN);
    gbx_value_free(value);
    free(bytes);
    gbx_isolate_close(other);
    world_close(&world);
}

static gbx_status
echo_twice(gbx_callback *callback, void *data)
{
    gbx_value *array = gbx_value_new_array(), *copy = NULL;

    ++*(int *)data;
    if (gbx_value_copy(gbx_callback_argument(callback, 1), &copy) != GBX_OK ||
        gbx_value_append(array, copy) != GBX_OK || gbx_value_append(array, copy) != GBX_OK)
        return GBX_ENOMEM;
    gbx_status status = gbx_callback_return(callback, array);
    gbx_value_free(array);
    return status;
}

/* Arguments and answers of host functions; views keep what they show, shared ones stay shared. */
CleanTest(buffers, go_through_host_functions)
{
    struct world world = world_with(guest);
    int calls = 0;

    give(world.context, "echo", echo_twice, &calls);
    expect_text(world.context,
        "const b = new Float64Array(50001); b[50000] = 0.5; b[1] = 2;"
        "const [x, y] = echo('before', b.subarray(1), 'behind');"
        "[x === y, x instanceof Float64Array, x.length, x[0], x[49999], x.byteOffset,"
        " x.buffer.byteLength].join()",
        "true,true,50000,2,0.5,8,400008");
    cr_assert_eq(calls, 1);
    world_close(&world);
}

/* The guest's limit holds for what it is given as it does for what it makes. */
CleanTest(buffers, count_against_the_guests_limit)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;

    options.memory_limit_bytes = (uint64_t)64 << 20;
    struct world world = world_open(&options);
    eval_only(world.context, guest);
    gbx_value *value = gbx_value_new_array_buffer(NULL, (size_t)10 << 20);
    gbx_status status = GBX_OK;
    int kept = 0;
    while (status == GBX_OK && kept < 20) {
        gbx_future *future = call(&world, "keep", value);
        status = gbx_future_wait(future, -1, NULL);
        gbx_future_free(future);
        kept += status == GBX_OK;
    }
    cr_assert_lt(kept, 7);
    cr_assert_gt(kept, 2);
    cr_assert(status == GBX_ETHROW || status == GBX_EMEMORY, "%s", gbx_strstatus(status));
    if (status == GBX_ETHROW) { /* it can let go of them, and go on */
        eval_only(world.context, "kept.length = 0");
        settle(gbx_isolate_collect(world.isolate), GBX_OK);
        cr_assert_eq(settle_number(call(&world, "keep", value)), 1);
    }
    gbx_value_free(value);
    world_close(&world);
}

static long
resident_kib(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    cr_assert_eq(fscanf(f, "%*d %ld", &pages), 1);
    (void)fclose(f);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* Thousands of them, and as many cut off by the end of their cell. */
CleanTest(buffers, leave_nothing_behind)
{
    struct world world = world_with(guest);
    enum {
        LEN = 100000,
        ROUNDS = 3000
    };
    gbx_value *value = gbx_value_new_array_buffer(NULL, LEN);
    long before = 0;

    for (int i = 0; i < ROUNDS; i++) {
        gbx_value_free(settle_value(call(&world, "same", value)));
        if (i == ROUNDS / 3)
            before = resident_kib();
    }
    cr_assert_lt(resident_kib(), before + 20 * 1024); /* a leak: 200 MB */
    gbx_value *statistics = settle_value(gbx_isolate_statistics(world.isolate));
    cr_assert_lt(
        number_of(gbx_value_get(statistics, "external", GBX_NUL)), 200.0 * 1024 * 1024);
    gbx_value_free(statistics);
    gbx_future *last = NULL;
    for (int i = 0; i < 100; i++) {
        gbx_future_free(last);
        last = call(&world, "same", value);
    }
    gbx_isolate_close(world.isolate);
    world.isolate = NULL;
    cr_assert_eq(gbx_future_status(last, NULL), GBX_EDISPOSED);
    gbx_future_free(last);
    gbx_value_free(value);
    world_close(&world);
}
