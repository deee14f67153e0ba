/* Host functions that stand in values: where they may, what they do, and when they go. */
#include "support.h"

#include <stdio.h>
#include <string.h>

static size_t released, called;

static void
on_release(void *data)
{
    (void)data;
    released++;
}

static gbx_status
add(gbx_callback *callback, void *data)
{
    double sum = *(const double *)data;

    called++;
    for (size_t i = 0; i < gbx_callback_count(callback); i++)
        sum += number_of(gbx_callback_argument(callback, i));
    return answer_number(callback, sum);
}

static double hundred = 100;

/* One that adds its arguments to 100. */
static gbx_value *
adder(uint32_t flags)
{
    const gbx_function_entry entry = { sizeof entry, flags, "adder", add, &hundred };
    gbx_value *value = gbx_value_new_function(&entry, on_release);

    cr_assert_eq(gbx_value_get_kind(value), GBX_FUNCTION);
    return value;
}

static gbx_value *
object_with(const char *key, gbx_value *item)
{
    gbx_value *object = gbx_value_new_object();

    cr_assert_eq(gbx_value_set(object, key, GBX_NUL, item), GBX_OK);
    return object;
}

static void
begin(void)
{
    released = called = 0;
}

/* Has the guest collect until the host has been told of `count` in all. */
static void
collect_until(const struct world *w, size_t count)
{
    for (int i = 0; i < 200 && released < count; i++) {
        settle(gbx_isolate_collect(w->isolate), GBX_OK);
        eval_only(w->context, "0");
    }
    cr_assert_eq(released, count);
}

static void
set(gbx_context *context, const char *path, gbx_value *value)
{
    settle(gbx_context_set(context, path, value), GBX_OK);
    gbx_value_free(value);
}

static gbx_status
answer_adder(gbx_callback *callback, void *data)
{
    gbx_value *value = object_with("inner", adder(0));
    gbx_status status = gbx_callback_return(callback, value);

    (void)data;
    gbx_value_free(value);
    return status;
}

static gbx_status
throw_adder(gbx_callback *callback, void *data)
{
    gbx_value *error = gbx_value_new_error("AppError", "m", 1);

    (void)data;
    cr_assert_eq(gbx_value_set(error, "retry", GBX_NUL, adder(0)), GBX_OK);
    gbx_status status = gbx_callback_throw_value(callback, error);
    gbx_value_free(error);
    return status;
}

static gbx_status
promise_adder(gbx_callback *callback, void *data)
{
    gbx_deferred *deferred;
    gbx_value *value = adder(0);

    (void)data;
    gbx_status status = gbx_callback_defer(callback, &deferred);
    cr_assert_eq(gbx_deferred_resolve(deferred, value), GBX_OK);
    gbx_value_free(value);
    return status;
}

CleanTest(given, stand_anywhere_in_a_value)
{
    struct world w = world_open(NULL);
    gbx_context *second = NULL;

    begin();
    set(w.context, "alone", adder(0));
    cr_assert_eq(eval_number(w.context, "alone(1, 2)"), 103);
    expect_text(w.context, "alone.name + typeof alone", "adderfunction");
    gbx_value *list = gbx_value_new_array(), *same = adder(0);
    cr_assert_eq(gbx_value_append(list, object_with("f", same)), GBX_OK);
    cr_assert_eq(gbx_value_append(list, same), GBX_OK);
    eval_only(
        w.context, "function use(x, y) { return x[0].f(1) + y(x[1] === x[0].f ? 5 : 7) }");
    gbx_value *other = adder(0);
    const gbx_value *arguments[] = { list, other };
    cr_assert_eq(settle_number(gbx_context_call(w.context, "use", arguments, 2, NULL)), 206);
    gbx_value_free(list);
    gbx_value_free(other);
    give(w.context, "answer", answer_adder, NULL);
    give(w.context, "promise", promise_adder, NULL);
    give(w.context, "fail", throw_adder, NULL);
    cr_assert_eq(eval_number(w.context, "answer().inner(3)"), 103);
    cr_assert_eq(settle_number(start(w.context, "promise().then(f => f(4))", GBX_AWAIT)), 104);
    cr_assert_eq(eval_number(w.context, "try { fail() } catch (e) { e.retry(5) }"), 105);
    /* By a reference, and in another context. */
    gbx_reference *reference = refer(w.context, "(globalThis.o = {})");
    gbx_value *value = adder(0);
    settle(gbx_reference_set(reference, "f", GBX_NUL, value, NULL), GBX_OK);
    gbx_value_free(value);
    gbx_reference_close(reference);
    cr_assert_eq(eval_number(w.context, "o.f(6)"), 106);
    cr_assert_eq(gbx_context_open(w.isolate, &second, NULL), GBX_OK);
    set(second, "f", adder(0));
    cr_assert_eq(eval_number(second, "f(7)"), 107);
    cr_assert_eq(eval_number(second, "f instanceof Function ? 1 : 0"), 1);
    gbx_context_close(second);
    world_close(&w);
    cr_assert_eq(called, 8);
    cr_assert_eq(released, 8, "%zu", released);
}

CleanTest(given, go_when_the_guest_has_none)
{
    struct world w = world_open(NULL);

    begin();
    set(w.context, "kept", adder(0));
    set(w.context, "dropped", adder(0));
    settle(gbx_isolate_collect(w.isolate), GBX_OK);
    cr_assert_eq(released, 0);
    eval_only(w.context, "delete globalThis.dropped; 0");
    collect_until(&w, 1);
    cr_assert_eq(eval_number(w.context, "kept(1)"), 101);
    /* A value that lives keeps what the guest has let go of. */
    gbx_value *value = adder(0);
    settle(gbx_context_set(w.context, "dropped", value), GBX_OK);
    eval_only(w.context, "delete globalThis.dropped; 0");
    settle(gbx_isolate_collect(w.isolate), GBX_OK);
    settle(gbx_isolate_collect(w.isolate), GBX_OK);
    cr_assert_eq(released, 1);
    settle(gbx_context_set(w.context, "again", value), GBX_OK);
    gbx_value_free(value);
    cr_assert_eq(eval_number(w.context, "again(2)"), 102);
    world_close(&w);
    cr_assert_eq(released, 3);
}

CleanTest(given, go_with_their_context)
{
    struct world w = world_open(NULL);
    gbx_context *context = NULL;

    begin();
    cr_assert_eq(gbx_context_open(w.isolate, &context, NULL), GBX_OK);
    set(context, "f", adder(0));
    settle(gbx_isolate_collect(w.isolate), GBX_OK);
    cr_assert_eq(released, 0);
    gbx_context_close(context);
    cr_assert_eq(released, 1);
    expect_usable(&w);
    settle(gbx_isolate_collect(w.isolate), GBX_OK); /* the cell tells late */
    expect_usable(&w);
    world_close(&w);
    cr_assert_eq(released, 1);
}

/* Nobody reads the message that they came in. */
CleanTest(given, go_when_nobody_reads_them)
{
    struct world w = world_open(NULL);
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;

    begin();
    gbx_value *value = adder(0);
    const gbx_value *arguments[] = { value };
    options.timeout_us = 1; /* passed before its turn comes */
    gbx_future *loop = start_limited(w.context, "for (;;);", 50000, 0);
    for (int i = 0; i < 20; i++)
        gbx_future_free(gbx_context_call(w.context, "nothing", arguments, 1, &options));
    gbx_value_free(value);
    gbx_isolate_terminate(w.isolate);
    settle(loop, GBX_ETERMINATED);
    collect_until(&w, 1);
    /* A path that leads nowhere: read or not, nobody has it. */
    value = adder(0);
    arguments[0] = value;
    settle(gbx_context_call(w.context, "nowhere", arguments, 1, NULL), GBX_EINVAL);
    gbx_value_free(value);
    collect_until(&w, 2);
    world_close(&w);
}

CleanTest(given, die_with_the_isolate)
{
    struct world w = world_open(NULL);

    begin();
    set(w.context, "f", adder(0));
    expect_failure(w.context, "const all = []; for (;;) all.push(new Array(1e5).fill(f))",
        GBX_EMEMORY, NULL);
    cr_assert_eq(released, 1);
    gbx_value *value = adder(0);
    settle(gbx_context_set(w.context, "f", value), GBX_EMEMORY);
    gbx_value_free(value);
    cr_assert_eq(released, 2);
    world_close(&w);
}

static gbx_status
take_post(gbx_callback *callback, void *data)
{
    called++;
    cr_assert_null(data);
    cr_assert_eq(gbx_callback_count(callback), 1);
    gbx_reference *reference = gbx_value_get_reference(gbx_callback_argument(callback, 0));
    cr_assert_not_null(reference, "a function of the guest's comes as a reference");
    cr_assert_eq(gbx_reference_typeof(reference), GBX_TYPEOF_FUNCTION);
    gbx_reference_close(reference);
    return GBX_OK;
}

CleanTest(given, may_be_posted_and_take_references)
{
    const gbx_function_entry entry = { sizeof entry,
        GBX_FUNCTION_POST | GBX_FUNCTION_REFERENCES, NULL, take_post, NULL };
    struct world w = world_open(NULL);

    begin();
    set(w.context, "o", object_with("post", gbx_value_new_function(&entry, NULL)));
    expect_text(w.context, "String(o.post(() => 1)) + o.post.name", "undefined");
    cr_assert_eq(called, 1);
    world_close(&w);
}

CleanTest(given, are_forked_with_their_isolate)
{
    struct world w = world_open(NULL);
    gbx_isolate *fork = NULL;

    begin();
    set(w.context, "f", adder(0));
    cr_assert_eq(gbx_isolate_fork(w.isolate, NULL, &fork, NULL), GBX_OK);
    cr_assert_eq(eval_number(gbx_isolate_context(fork), "f(1)"), 101);
    gbx_isolate_close(w.isolate);
    w.isolate = fork;
    w.context = gbx_isolate_context(fork);
    cr_assert_eq(released, 0);
    cr_assert_eq(eval_number(w.context, "f(2)"), 102);
    eval_only(w.context, "delete globalThis.f; 0");
    collect_until(&w, 1);
    world_close(&w);
}

CleanTest(given, that_are_wrong_are_refused)
{
    struct world w = world_open(NULL);
    gbx_function_entry entry = { sizeof entry, 0, NULL, NULL, NULL };
    gbx_external_copy *copy = NULL;

    begin();
    cr_assert_null(gbx_value_new_function(NULL, on_release));
    cr_assert_null(gbx_value_new_function(&entry, on_release));
    entry.function = add;
    entry.flags = 1u << 31;
    cr_assert_null(gbx_value_new_function(&entry, on_release));
    entry.flags = 0;
    entry.size = 8;
    cr_assert_null(gbx_value_new_function(&entry, on_release));
    cr_assert_eq(released, 0);
    gbx_value *value = adder(0);
    cr_assert_eq(gbx_external_copy_new(value, &copy), GBX_ECLONE);
    gbx_value *twice = NULL;
    cr_assert_eq(gbx_value_copy(value, &twice), GBX_OK);
    gbx_value_free(value);
    cr_assert_eq(released, 0);
    gbx_value_free(twice);
    cr_assert_eq(released, 1);
    /* A guest cannot hand one back by copy. */
    set(w.context, "f", adder(0));
    settle(start(w.context, "f", 0), GBX_ECLONE);
    world_close(&w);
}

/* Closes what it belongs to, from inside. */
static void
close_isolate(void *data)
{
    gbx_isolate_close(data);
    released++;
}

CleanTest(given, may_close_their_isolate_when_they_go)
{
    struct world w = world_open(NULL);
    const gbx_function_entry entry = { sizeof entry, 0, NULL, add, w.isolate };

    begin();
    set(w.context, "f", gbx_value_new_function(&entry, close_isolate));
    eval_only(w.context, "delete globalThis.f; 0");
    for (int i = 0; i < 200 && released == 0; i++)
        gbx_future_free(gbx_isolate_collect(w.isolate)), gbx_runtime_dispatch(w.runtime, 1000);
    cr_assert_eq(released, 1);
    w.isolate = NULL;
    world_close(&w);
}

/* --- ten thousand of each ------------------------------------------------------------------- */

enum {
    MANY = 10000
};

static gbx_deferred *waiting[MANY];
static size_t waits, cancelled;

static void
on_cancel(gbx_deferred *deferred, void *data)
{
    (void)data;
    cancelled++;
    gbx_deferred_reject(deferred, NULL, "nobody waits");
}

static gbx_status
defer_one(gbx_callback *callback, void *data)
{
    cr_assert_lt(waits, MANY);
    gbx_status status = gbx_callback_defer(callback, &waiting[waits]);
    if (data != NULL)
        gbx_deferred_on_cancel(waiting[waits], on_cancel, NULL);
    waits++;
    return status;
}

static gbx_status
block_and_go(gbx_callback *callback, void *data)
{
    gbx_deferred *deferred;
    gbx_status status = gbx_callback_block(callback, &deferred);

    (void)data;
    called++;
    cr_assert_eq(gbx_deferred_resolve(deferred, NULL), GBX_OK);
    return status;
}

static gbx_status
count_post(gbx_callback *callback, void *data)
{
    (void)callback;
    (void)data;
    called++;
    return GBX_OK;
}

static gbx_status
throw_rich(gbx_callback *callback, void *data)
{
    gbx_value *error = gbx_value_new_error("AppError", "m", 1);

    (void)data;
    cr_assert_eq(
        gbx_value_set(error, "cause", GBX_NUL, gbx_value_new_error("Error", "c", 1)), GBX_OK);
    gbx_status status = gbx_callback_throw_value(callback, error);
    gbx_value_free(error);
    return status;
}

/* All kinds, 10,000 of each, answered. */
static void
round_of_all(const struct world *w)
{
    called = waits = 0;
    eval_only(w->context, "for (let i = 0; i < 10000; i++) block(); 0");
    cr_assert_eq(called, MANY);
    eval_only(w->context, "for (let i = 0; i < 10000; i++) post(i); 0");
    cr_assert_eq(called, 2 * MANY);
    eval_only(
        w->context, "for (let i = 0; i < 10000; i++) try { fail() } catch (e) { e.cause }; 0");
    gbx_future *all = start(w->context,
        "Promise.all(Array.from({ length: 10000 }, defer)).then(a => a.length)", GBX_AWAIT);
    wait_until(all, &waits, MANY);
    for (size_t i = 0; i < MANY; i++)
        cr_assert_eq(gbx_deferred_resolve(waiting[i], NULL), GBX_OK);
    cr_assert_eq(settle_number(all), MANY);
    eval_only(w->context, "for (let i = 0; i < 10000; i++) answer(); 0");
}

CleanTest(given, ten_thousand_of_each_kind_leave_nothing)
{
    struct world w = world_open(NULL);
    const gbx_function_entry post = { sizeof post, GBX_FUNCTION_POST, "post", count_post,
        NULL };
    size_t first = 0, last = 0;

    begin();
    give(w.context, "block", block_and_go, NULL);
    give(w.context, "defer", defer_one, NULL);
    give(w.context, "fail", throw_rich, NULL);
    give(w.context, "answer", answer_adder, NULL);
    settle(gbx_context_set_functions(w.context, NULL, &post, 1), GBX_OK);
    for (size_t round = 1; round <= 3; round++) {
        round_of_all(&w);
        collect_until(&w, round * MANY);
        last = malloc_in_use();
        if (round == 1)
            first = last;
    }
    cr_assert(
        last <= first + (1 << 20), "%zu bytes after one round, %zu after three", first, last);
    world_close(&w);
    cr_assert_eq(released, 3 * MANY);
}

/* The same with a death in the middle: all that is open is told, and released. */
CleanTest(given, ten_thousand_of_each_kind_survive_a_death)
{
    struct world w = world_open(NULL);

    begin();
    waits = cancelled = 0;
    give(w.context, "defer", defer_one, &waits);
    give(w.context, "answer", answer_adder, NULL);
    eval_only(w.context, "var kept = Array.from({ length: 10000 }, answer); 0");
    gbx_future *all =
        start(w.context, "Promise.all(Array.from({ length: 10000 }, defer))", GBX_AWAIT);
    wait_until(all, &waits, MANY);
    cr_assert_eq(released + cancelled, 0);
    expect_failure(w.context, "const all = []; for (;;) all.push(new Array(1e5).fill(1))",
        GBX_EMEMORY, NULL);
    settle(all, GBX_EMEMORY);
    cr_assert_eq(cancelled, MANY);
    cr_assert_eq(released, MANY);
    world_close(&w);
}
