/* External copies: encoded once, given to many; and buffers of memory that is handed over. */
#include "support.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static gbx_external_copy *
copy_of(gbx_value *value)
{
    gbx_external_copy *copy = NULL;

    cr_assert_eq(gbx_external_copy_new(value, &copy), GBX_OK);
    gbx_value_free(value);
    return copy;
}

static gbx_value *
value_of(const char *json)
{
    gbx_value *value = NULL;

    cr_assert_eq(gbx_value_from_json(json, GBX_NUL, &value, NULL), GBX_OK);
    return value;
}

/* A value with a large buffer, twice. */
static gbx_value *
large(size_t len)
{
    gbx_value *value = value_of("{\"name\": \"large\", \"list\": [1, 2, [3]]}");
    gbx_value *buffer = gbx_value_new_bytes(NULL, len);

    cr_assert_eq(gbx_value_set(value, "a", 1, buffer), GBX_OK);
    cr_assert_eq(gbx_value_set(value, "b", 1, buffer), GBX_OK);
    return value;
}

static gbx_future *
call(gbx_context *context, const char *path, const gbx_value *argument)
{
    return gbx_context_call(context, path, &argument, 1, NULL);
}

#define LOOK                                                                    \
    "function look(x) { const ok = x.name === 'large' && x.list[2][0] === 3 &&" \
    "  x.a === x.b && x.a instanceof Uint8Array && x.a.every(n => n === 0);"    \
    "  x.a.fill(1); x.list.length = 0; return ok ? x.a.length : -1; }"

CleanTest(external, copies_reach_every_isolate_as_values_of_its_own)
{
    struct world world = world_open(NULL);
    enum {
        ISOLATES = 5,
        LEN = 200000
    };
    gbx_isolate *isolates[ISOLATES];
    gbx_external_copy *copy = copy_of(large(LEN));
    gbx_value *value = gbx_value_new_external(copy);

    cr_assert_eq(gbx_value_get_kind(value), GBX_EXTERNAL_COPY);
    cr_assert_gt(gbx_external_copy_size(copy), LEN);
    cr_assert_lt(gbx_external_copy_size(copy), LEN + 200);
    gbx_external_copy_free(copy); /* the value holds it */
    for (size_t i = 0; i < ISOLATES; i++) {
        isolates[i] = world_isolate(&world, NULL);
        gbx_context *context = gbx_isolate_context(isolates[i]);
        eval_only(context, LOOK);
        settle(gbx_context_set(context, "given", value), GBX_OK);
        /* What one guest does to its own, the next does not see; nor itself the next time. */
        cr_assert_eq(eval_number(context, "look(given)"), LEN);
        cr_assert_eq(settle_number(call(context, "look", value)), LEN);
        cr_assert_eq(settle_number(call(context, "look", value)), LEN);
    }
    gbx_value_free(value);
    for (size_t i = 0; i < ISOLATES; i++)
        gbx_isolate_close(isolates[i]);
    world_close(&world);
}

/* Inside of values, beside large buffers that go apart, several times and several of them. */
CleanTest(external, copies_stand_inside_of_values)
{
    struct world world = world_open(NULL);
    gbx_external_copy *big = copy_of(large(100000)), *small = copy_of(value_of("[7]"));
    gbx_value *array = gbx_value_new_array();
    gbx_value *object = gbx_value_new_object(), *buffer = gbx_value_new_bytes(NULL, 70000);

    cr_assert_eq(gbx_value_append(array, object), GBX_OK);
    cr_assert_eq(gbx_value_append(array, buffer), GBX_OK);
    cr_assert_eq(gbx_value_append(array, gbx_value_new_external(big)), GBX_OK);
    cr_assert_eq(gbx_value_append(array, gbx_value_new_external(small)), GBX_OK);
    cr_assert_eq(gbx_value_append(array, gbx_value_new_external(big)), GBX_OK);
    cr_assert_eq(gbx_value_append(array, buffer), GBX_OK);
    cr_assert_eq(gbx_value_append(array, object), GBX_OK);
    gbx_external_copy_free(big);
    gbx_external_copy_free(small);
    eval_only(world.context, LOOK
        "function all([o, b, x, s, y, c, p]) {"
        "  return [o === p, b === c, b.length, look(x), x !== y, look(y), s[0]].join(); }");
    gbx_value *text = settle_value(call(world.context, "all", array));
    expect_string(text, "true,true,70000,100000,true,100000,7");
    gbx_value_free(text);
    gbx_value_free(array);
    world_close(&world);
}

CleanTest(external, copies_of_primitives_stand_alone)
{
    struct world world = world_open(NULL);
    gbx_external_copy *copy = copy_of(gbx_value_new_string("text", 4));
    gbx_value *value = gbx_value_new_external(copy), *array = gbx_value_new_array();

    eval_only(world.context, "function same(x) { return x; }");
    gbx_value *text = settle_value(call(world.context, "same", value));
    expect_string(text, "text");
    gbx_value_free(text);
    cr_assert_eq(gbx_value_append(array, value), GBX_OK);
    settle(call(world.context, "same", array), GBX_ECLONE);
    expect_usable(&world);
    gbx_value_free(array);
    gbx_external_copy_free(copy);
    world_close(&world);
}

CleanTest(external, copies_are_of_data_only)
{
    gbx_external_copy *copy = NULL, *other = copy_of(value_of("[1]"));
    gbx_value *value = gbx_value_new_external(other), *read = NULL, *again = value_of("[1]");

    cr_assert_eq(gbx_external_copy_new(NULL, &copy), GBX_EINVAL);
    cr_assert_eq(gbx_external_copy_new(value, &copy), GBX_ECLONE);
    cr_assert_null(copy);
    cr_assert_eq(gbx_external_copy_read(other, &read), GBX_OK);
    cr_assert(gbx_value_equal(read, again));
    gbx_value_free(read);
    gbx_value_free(again);
    gbx_value_free(value);
    gbx_external_copy_free(other);
    gbx_external_copy_free(NULL);
}

/* --- leaks ---------------------------------------------------------------------------------- */

enum {
    MANY_TIMES = 10000
};

static void
copy_and_send(gbx_context *context, gbx_value *source)
{
    gbx_external_copy *copy = NULL;
    gbx_value *read = NULL;

    cr_assert_eq(gbx_external_copy_new(source, &copy), GBX_OK);
    gbx_value *value = gbx_value_new_external(copy);
    gbx_future *future = call(context, "take", value);
    cr_assert_eq(gbx_external_copy_read(copy, &read), GBX_OK);
    gbx_value_free(read);
    gbx_external_copy_free(copy); /* the value and the message hold it */
    gbx_value_free(value);
    gbx_future_free(future);
}

CleanTest(external, ten_thousand_copies_leave_nothing)
{
    struct world world = world_open(NULL);
    gbx_value *source = value_of("[1, \"two\", { \"three\": 3 }]"), *buffer = large(70000);
    size_t before = 0;

    eval_only(world.context, "function take(x) { return 0; }");
    for (int i = 0; i < MANY_TIMES; i++) {
        copy_and_send(world.context, i % 50 == 0 ? buffer : source);
        if (i == MANY_TIMES / 2 || i == MANY_TIMES - 1) {
            expect_usable(&world); /* all before has been sent and answered */
            before = before == 0 ? malloc_in_use() : before;
        }
    }
    cr_assert_lt(
        malloc_in_use(), before + 100000, "%zu bytes, %zu before", malloc_in_use(), before);
    gbx_value_free(source);
    gbx_value_free(buffer);
    world_close(&world);
}

/* --- memory that is handed over ------------------------------------------------------------- */

static void
count_release(void *bytes, size_t len, void *data)
{
    cr_assert_gt(len, 0);
    memset(bytes, 0xAB, len); /* who reads it later has read what is no longer there */
    free(bytes);
    ++*(int *)data;
}

CleanTest(external, memory_is_given_back_when_the_last_message_of_it_is_sent)
{
    static const size_t sizes[] = { 1, 65535, 65536, 3000000 };
    struct world world = world_open(NULL);

    eval_only(world.context,
        "function sum(b) {"
        "  return new Uint8Array(b).reduce((s, n) => (s + n) % 65521, 0); }");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int released = 0;
        uint8_t *bytes = malloc(sizes[i]);
        memset(bytes, 3, sizes[i]);
        gbx_value *value =
            gbx_value_new_array_buffer_of(bytes, sizes[i], count_release, &released);
        gbx_future *first = call(world.context, "sum", value);
        gbx_future *second = call(world.context, "sum", value);
        cr_assert_eq(released, 0);
        gbx_value_free(value);
        cr_assert_eq(settle_number(first), (double)(sizes[i] * 3 % 65521));
        cr_assert_eq(settle_number(second), (double)(sizes[i] * 3 % 65521));
        cr_assert_eq(released, 1);
    }
    world_close(&world);
}

/* Those that were never sent are given back with the isolate. */
CleanTest(external, memory_is_given_back_when_the_cell_has_died)
{
    struct world world = world_open(NULL);
    enum {
        MANY = 50,
        LEN = 1000000
    };
    int released = 0;
    gbx_future *last = start(world.context, "for (;;) {}", 0);

    for (int i = 0; i < MANY; i++) {
        gbx_value *value =
            gbx_value_new_array_buffer_of(malloc(LEN), LEN, count_release, &released);
        gbx_future_free(call(world.context, "Object", value));
        gbx_value_free(value);
    }
    cr_assert_lt(released, MANY);
    gbx_isolate_close(world.isolate);
    world.isolate = NULL;
    gbx_future_free(last);
    world_close(&world);
    cr_assert_eq(released, MANY);
}

/* In a cell that lives, in one that has died, and in none at all. */
CleanTest(external, ten_thousand_are_given_back)
{
    enum {
        LEN = 70000
    };
    struct world world = world_open(NULL);
    size_t before = 0;
    int released = 0;

    eval_only(world.context, "function take(x) { return 0; }");
    for (int i = 0; i < MANY_TIMES; i++) {
        void *bytes = malloc(LEN);
        cr_assert_not_null(bytes);
        gbx_value *value = gbx_value_new_array_buffer_of(bytes, LEN, count_release, &released);
        if (i % 3 != 0 || i > MANY_TIMES / 2)
            gbx_future_free(call(world.context, "take", value));
        gbx_value_free(value);
        if (i == 200) {
            expect_usable(&world);
            before = malloc_in_use();
        }
        if (i % 100 == 0 && i < MANY_TIMES / 2)
            expect_usable(&world);
        if (i == MANY_TIMES / 2) {
            gbx_usage usage = GBX_USAGE_INIT;
            cr_assert_eq(gbx_isolate_usage(world.isolate, &usage), GBX_OK);
            cr_assert_eq(kill((pid_t)usage.pid, SIGKILL), 0);
            while (gbx_isolate_death(world.isolate) == NULL)
                (void)gbx_runtime_dispatch(world.runtime, 1000);
        }
    }
    cr_assert_lt(released, MANY_TIMES); /* what the dead cell was to be sent */
    gbx_isolate_close(world.isolate);
    world.isolate = NULL;
    cr_assert_eq(released, MANY_TIMES);
    cr_assert_lt(
        malloc_in_use(), before + 100000, "%zu bytes, %zu before", malloc_in_use(), before);
    world_close(&world);
}

CleanTest(external, memory_of_a_value_that_cannot_be_stays_the_callers)
{
    int released = 0;
    char byte = 0;

    cr_assert_null(gbx_value_new_array_buffer_of(
        &byte, ((size_t)512 << 20) + 1, count_release, &released));
    cr_assert_eq(released, 0);
    gbx_value *value = gbx_value_new_array_buffer_of(&byte, 1, NULL, NULL);
    cr_assert_not_null(value);
    gbx_value_free(value);
}
