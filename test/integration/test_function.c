/* Host functions: what they get, what they answer, and what the guest makes of it. */
#include "support.h"

#include <string.h>

/* --- what most tests give ------------------------------------------------------------------- */

/* Answers with its first argument, or with nothing. */
static gbx_status
echo(gbx_callback *callback, void *data)
{
    size_t *calls = data;

    if (calls != NULL)
        ++*calls;
    if (gbx_callback_count(callback) == 0)
        return GBX_OK;
    return gbx_callback_return(callback, gbx_callback_argument(callback, 0));
}

/* Answers with a number of its own. */
static gbx_status
number(gbx_callback *callback, void *data)
{
    gbx_value *value = gbx_value_new_number(*(const double *)data);
    gbx_status status = gbx_callback_return(callback, value);

    gbx_value_free(value);
    return status;
}

/* Throws what its two arguments name. */
static gbx_status
throws(gbx_callback *callback, void *data)
{
    const char *name = NULL, *message = NULL;

    (void)data;
    if (gbx_value_get_kind(gbx_callback_argument(callback, 0)) == GBX_STRING)
        cr_assert_eq(
            gbx_value_get_string(gbx_callback_argument(callback, 0), &name, NULL), GBX_OK);
    if (gbx_value_get_kind(gbx_callback_argument(callback, 1)) == GBX_STRING)
        cr_assert_eq(
            gbx_value_get_string(gbx_callback_argument(callback, 1), &message, NULL), GBX_OK);
    return gbx_callback_throw(callback, name, message);
}

static gbx_status
fails(gbx_callback *callback, void *data)
{
    (void)callback;
    return *(const gbx_status *)data;
}

/* Promises that are open, in the order of the calls. */
struct open_promises {
    gbx_deferred *deferred[1000];
    double argument[1000];
    size_t count;
};

static gbx_status
promises(gbx_callback *callback, void *data)
{
    struct open_promises *open = data;

    if (gbx_callback_count(callback) > 0)
        open->argument[open->count] = number_of(gbx_callback_argument(callback, 0));
    return gbx_callback_defer(callback, &open->deferred[open->count++]);
}

static void
resolve(gbx_deferred *deferred, double result)
{
    gbx_value *value = gbx_value_new_number(result);

    cr_assert_eq(gbx_deferred_resolve(deferred, value), GBX_OK);
    gbx_value_free(value);
}

/* --- arguments and answers ------------------------------------------------------------------ */

static gbx_status
looks_at_arguments(gbx_callback *callback, void *data)
{
    gbx_isolate *const *isolate = data;

    cr_assert_eq(gbx_callback_isolate(callback), *isolate);
    cr_assert_eq(gbx_callback_count(callback), 3);
    cr_assert_eq(number_of(gbx_callback_argument(callback, 0)), 1.5);
    expect_string(gbx_callback_argument(callback, 1), "two");
    const gbx_value *third = gbx_callback_argument(callback, 2);
    cr_assert_eq(gbx_value_get_kind(third), GBX_ARRAY);
    cr_assert_eq(gbx_value_length(third), 3);
    cr_assert_eq(gbx_value_get_kind(gbx_value_at(third, 1)), GBX_HOLE);
    cr_assert_null(gbx_callback_argument(callback, 3));
    cr_assert_null(gbx_callback_argument(callback, SIZE_MAX));
    return GBX_OK;
}

CleanTest(function, gets_its_arguments_and_answers_undefined_if_it_does_not)
{
    struct world w = world_open(NULL);

    give(w.context, "f", looks_at_arguments, &w.isolate);
    expect_text(w.context, "String(f(1.5, 'two', [1, , 3]))", "undefined");
    world_close(&w);
}

/* The guest compares what it gave with what it got. */
CleanTest(function, takes_and_answers_values_of_every_kind)
{
    static const char *const same[] = { "undefined", "null", "true", "false", "0", "-0", "1",
        "-1", "2147483647", "-2147483648", "4294967295", "1.5", "NaN", "Infinity", "-Infinity",
        "5e-324", "0n", "-1n", "2n ** 64n", "-(2n ** 100n)", "''", "'ascii'", "'h\\u00e9'",
        "'\\u20ac'", "'\\u{1f600}'", "'\\ud800'", "'a\\udc00b'", "'\\0'" };
    static const char *const alike[] = { "[]", "[1, 'x', [2]]", "{}", "{ a: 1, b: { c: [] } }",
        "new Date(86400000)", "new Boolean(false)", "new Number(-1)", "new String('s')" };
    struct world w = world_open(NULL);
    char source[256];
    size_t calls = 0;

    give(w.context, "echo", echo, &calls);
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        (void)snprintf(
            source, sizeof source, "String(Object.is(echo(%s), %s))", same[i], same[i]);
        expect_text(w.context, source, "true");
    }
    for (size_t i = 0; i < sizeof alike / sizeof *alike; i++) {
        (void)snprintf(source, sizeof source,
            "x = (%s), y = echo(x), String(JSON.stringify(x) === JSON.stringify(y) && x !== y "
            "&& Object.getPrototypeOf(x) === Object.getPrototypeOf(y))",
            alike[i]);
        expect_text(w.context, source, "true");
    }
    cr_assert_eq(calls, sizeof same / sizeof *same + sizeof alike / sizeof *alike);
    expect_text(w.context,
        "const c = { list: [] }; c.self = c; c.list.push(c.list);"
        "const d = echo(c); String(d.self === d && d.list[0] === d.list)",
        "true");
    world_close(&w);
}

CleanTest(function, takes_many_arguments_and_refuses_too_many)
{
    struct world w = world_open(NULL);
    size_t calls = 0;

    give(w.context, "echo", echo, &calls);
    cr_assert_eq(eval_number(w.context, "echo(...new Array(4096).fill(7))"), 7);
    cr_assert_eq(calls, 1);
    expect_text(w.context, "try { echo(...new Array(4097).fill(7)) } catch (e) { e.name }",
        "RangeError");
    cr_assert_eq(calls, 1);
    world_close(&w);
}

CleanTest(function, is_not_called_with_what_cannot_be_copied)
{
    struct world w = world_open(NULL);
    size_t calls = 0;

    give(w.context, "echo", echo, &calls);
    expect_text(w.context, "try { echo(() => 1) } catch (e) { e.name }", "DataCloneError");
    expect_text(w.context, "try { echo(1, Symbol()) } catch (e) { e.name }", "DataCloneError");
    expect_text(w.context,
        "try { echo({ get x() { throw new TypeError('mine') } }) }"
        "catch (e) { e.message }",
        "mine");
    cr_assert_eq(calls, 0);
    cr_assert_eq(eval_number(w.context, "echo(3)"), 3);
    world_close(&w);
}

/* 8 MB is 128 times the ring. */
CleanTest(function, passes_what_is_longer_than_the_ring)
{
    struct world w = world_open(NULL);

    give(w.context, "echo", echo, NULL);
    cr_assert_eq(
        eval_number(w.context,
            "const s = 'abcdefg\\u20ac'.repeat(1 << 20); echo(s) === s ? s.length : 0"),
        8 << 20);
    cr_assert_eq(eval_number(w.context,
                     "const b = new Uint8Array(8 << 20).map((_, i) => i % 251), c = echo(b);"
                     "b.length === c.length && b.every((x, i) => x === c[i]) ? 1 : 0"),
        1);
    world_close(&w);
}

static gbx_status
answers_twice(gbx_callback *callback, void *data)
{
    gbx_value *value = gbx_value_new_int32(1);
    gbx_deferred *deferred = NULL;

    (void)data;
    cr_assert_eq(gbx_callback_return(callback, NULL), GBX_EINVAL);
    cr_assert_eq(gbx_callback_return(callback, value), GBX_OK);
    cr_assert_eq(gbx_callback_return(callback, value), GBX_EINVAL);
    cr_assert_eq(gbx_callback_throw(callback, "Error", "no"), GBX_EINVAL);
    cr_assert_eq(gbx_callback_defer(callback, &deferred), GBX_EINVAL);
    cr_assert_null(deferred);
    gbx_value_free(value);
    return GBX_EINVAL; /* it has answered: what it returns no longer matters */
}

CleanTest(function, answers_once)
{
    struct world w = world_open(NULL);

    give(w.context, "f", answers_twice, NULL);
    cr_assert_eq(eval_number(w.context, "f()"), 1);
    cr_assert_eq(eval_number(w.context, "f() + f()"), 2);
    world_close(&w);
}

/* --- failures ------------------------------------------------------------------------------- */

CleanTest(function, throws_errors_that_the_guest_catches)
{
    static const char *const names[] = { "Error", "TypeError", "RangeError", "SyntaxError",
        "ReferenceError" };
    struct world w = world_open(NULL);
    char source[256];

    give(w.context, "f", throws, NULL);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(source, sizeof source,
            "try { f('%s', 'why %s') } catch (e) { `${e instanceof %s} ${Object.getPrototypeOf("
            "e) === %s.prototype} ${e}` }",
            names[i], names[i], names[i], names[i]);
        char expected[128];
        (void)snprintf(expected, sizeof expected, "true true %s: why %s", names[i], names[i]);
        expect_text(w.context, source, expected);
    }
    expect_text(w.context,
        "try { f('QuotaError', 'full') } catch (e) { `${e instanceof Error} "
        "${e} ${Object.keys(e)}` }",
        "true QuotaError: full ");
    expect_text(w.context, "try { f(null, 'm') } catch (e) { String(e) }", "Error: m");
    expect_text(w.context, "try { f('TypeError', null) } catch (e) { String(e) }", "TypeError");
    expect_text(w.context, "try { f('', '') } catch (e) { String(e) }", "Error");
    world_close(&w);
}

CleanTest(function, whose_error_nobody_catches_fails_the_call)
{
    struct world w = world_open(NULL);
    gbx_error error;

    give(w.context, "f", throws, NULL);
    eval_only(w.context, "function outer() { f('TypeError', 'the host says no') }");
    expect_failure(w.context, "outer()", GBX_EHOST, &error);
    cr_assert_str_eq(error.name, "TypeError");
    cr_assert_str_eq(error.message, "the host says no");
    cr_assert_not_null(strstr(error.stack, "outer"));
    /* The guest's own error about it is the guest's. */
    expect_failure(w.context,
        "try { f('TypeError', 'x') } catch (e) { throw new Error('mine', { cause: e }) }",
        GBX_ETHROW, &error);
    cr_assert_str_eq(error.message, "mine");
    /* The very same error thrown on is the host's. */
    expect_failure(
        w.context, "try { f('RangeError', 'y') } catch (e) { throw e }", GBX_EHOST, &error);
    cr_assert_str_eq(error.name, "RangeError");
    /* So it is when a promise carries it. */
    gbx_future *future = start(w.context, "(async () => f('SyntaxError', 'z'))()", GBX_AWAIT);
    cr_assert_eq(gbx_future_wait(future, -1, &error), GBX_EHOST);
    cr_assert_str_eq(error.message, "z");
    gbx_future_free(future);
    world_close(&w);
}

CleanTest(function, that_fails_throws_in_the_guest)
{
    static const gbx_status statuses[] = { GBX_ENOMEM, GBX_ESYS, GBX_ETIMEOUT, GBX_EDISPOSED,
        7 };
    struct world w = world_open(NULL);
    gbx_status status;
    gbx_error error;

    give(w.context, "f", fails, &status);
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        status = statuses[i];
        expect_failure(w.context, "f()", GBX_EHOST, &error);
        cr_assert_str_eq(error.message, gbx_strstatus(status));
        expect_text(w.context, "try { f() } catch (e) { e.message }", gbx_strstatus(status));
    }
    world_close(&w);
}

/* --- promises ------------------------------------------------------------------------------- */

static void
note_finished(gbx_future *future, void *data)
{
    (void)future;
    *(bool *)data = true;
}

CleanTest(function, defers_its_answer)
{
    struct world w = world_open(NULL);
    static struct open_promises open;
    bool done = false;

    give(w.context, "f", promises, &open);
    gbx_future *future = start(w.context, "(async () => await f() * 2)()", GBX_AWAIT);
    gbx_future_then(future, note_finished, &done);
    while (open.count == 0)
        cr_assert_eq(gbx_runtime_dispatch(w.runtime, 10000000), GBX_OK);
    while (gbx_runtime_dispatch(w.runtime, 20000) == GBX_OK)
        ;
    cr_assert_eq(gbx_future_status(future, NULL), GBX_EBUSY);
    resolve(open.deferred[0], 21);
    dispatch_until(w.runtime, &done);
    cr_assert_eq(settle_number(future), 42);
    world_close(&w);
}

CleanTest(function, rejects_what_it_deferred)
{
    struct world w = world_open(NULL);
    static struct open_promises open;
    gbx_error error = GBX_ERROR_INIT;

    give(w.context, "f", promises, &open);
    gbx_future *caught = start(
        w.context, "f().catch(e => `${e instanceof RangeError} ${e.message}`)", GBX_AWAIT);
    gbx_future *loose = start(w.context, "f()", GBX_AWAIT);
    wait_until(loose, &open.count, 2);
    gbx_deferred_reject(open.deferred[0], "RangeError", "too far");
    gbx_deferred_reject(open.deferred[1], "TypeError", "not so");
    cr_assert_eq(gbx_future_wait(loose, -1, &error), GBX_EHOST);
    cr_assert_str_eq(error.name, "TypeError");
    cr_assert_str_eq(error.message, "not so");
    gbx_value *value = settle_value(caught);
    expect_string(value, "true too far");
    gbx_value_free(value);
    gbx_future_free(loose);
    gbx_deferred_reject(NULL, NULL, NULL);
    world_close(&w);
}

CleanTest(function, keeps_a_thousand_promises_and_settles_them_in_any_order)
{
    struct world w = world_open(NULL);
    static struct open_promises open;

    give(w.context, "f", promises, &open);
    gbx_future *future = start(w.context,
        "order = []; Promise.all(Array.from({ length: 1000 }, (_, i) => f(i).then(x => {"
        "order.push(i); if (x !== i * 3) throw new Error(`${i}: ${x}`) })))"
        ".then(() => order.join() )",
        GBX_AWAIT);
    wait_until(future, &open.count, 1000);
    static char expected[8000];
    size_t at = 0;
    /* 7 and 1000 have no common divisor: each is settled once. */
    for (size_t i = 0; i < 1000; i++) {
        size_t which = i * 7 % 1000;
        cr_assert_eq(open.argument[which], (double)which);
        resolve(open.deferred[which], 3 * open.argument[which]);
        at += (size_t)snprintf(
            expected + at, sizeof expected - at, "%s%zu", i == 0 ? "" : ",", which);
    }
    gbx_value *value = settle_value(future);
    expect_string(value, expected);
    gbx_value_free(value);
    world_close(&w);
}

CleanTest(function, settles_with_undefined_and_with_objects)
{
    struct world w = world_open(NULL);
    static struct open_promises open;
    gbx_value *object = gbx_value_new_object();

    give(w.context, "f", promises, &open);
    cr_assert_eq(gbx_value_set(object, "then", GBX_NUL, gbx_value_new_int32(5)), GBX_OK);
    gbx_future *first = start(w.context, "f().then(String)", GBX_AWAIT);
    gbx_future *second = start(w.context, "f().then(JSON.stringify)", GBX_AWAIT);
    wait_until(second, &open.count, 2);
    cr_assert_eq(gbx_deferred_resolve(open.deferred[1], object), GBX_OK);
    cr_assert_eq(gbx_deferred_resolve(open.deferred[0], NULL), GBX_OK);
    gbx_value *value = settle_value(first);
    expect_string(value, "undefined");
    gbx_value_free(value);
    value = settle_value(second);
    expect_string(value, "{\"then\":5}");
    gbx_value_free(value);
    gbx_value_free(object);
    world_close(&w);
}

CleanTest(function, may_settle_when_everything_is_closed)
{
    struct world w = world_open(NULL);
    static struct open_promises open;

    give(w.context, "f", promises, &open);
    for (size_t i = 1; i <= 3; i++) {
        gbx_future *future = start(w.context, "f()", GBX_AWAIT);
        wait_until(future, &open.count, i);
        gbx_future_free(future);
    }
    gbx_isolate_close(w.isolate);
    w.isolate = NULL;
    resolve(open.deferred[0], 1);
    gbx_deferred_reject(open.deferred[1], "Error", "late");
    world_close(&w);
    resolve(open.deferred[2], 1);
}

/* What a stopped call left behind does not go on: its promise is settled into nothing. */
CleanTest(function, settles_in_vain_for_a_call_that_was_stopped)
{
    struct world w = world_open(NULL);
    static struct open_promises open;
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;
    static const char source[] = "went = 0; f().then(() => { went++ })";

    give(w.context, "f", promises, &open);
    options.flags = GBX_AWAIT;
    options.timeout_us = 50000;
    settle(gbx_context_eval(w.context, source, strlen(source), &options), GBX_ETIMEOUT);
    resolve(open.deferred[0], 1);
    cr_assert_eq(eval_number(w.context, "went"), 0);

    gbx_future *future = start(w.context, source, GBX_AWAIT);
    wait_until(future, &open.count, 2);
    gbx_isolate_terminate(w.isolate);
    settle(future, GBX_ETERMINATED);
    resolve(open.deferred[1], 1);
    cr_assert_eq(eval_number(w.context, "went"), 0);
    cr_assert_null(gbx_isolate_death(w.isolate));
    world_close(&w);
}

/* --- where they are ------------------------------------------------------------------------- */

CleanTest(function, stands_on_a_path)
{
    struct world w = world_open(NULL);
    double one = 1, two = 2;

    eval_only(w.context, "app = { tools: {} }");
    give(w.context, "app.tools.one", number, &one);
    give(w.context, "two", number, &two);
    cr_assert_eq(eval_number(w.context, "app.tools.one() * 10 + two()"), 12);
    expect_text(w.context, "`${app.tools.one.name} ${two.name} ${typeof two} ${two.length}`",
        "one two function 0");
    expect_text(w.context, "try { new two } catch (e) { e.name }", "TypeError");
    /* Another one on the same path takes its place; the old one still works. */
    eval_only(w.context, "old = two");
    give(w.context, "two", number, &one);
    cr_assert_eq(eval_number(w.context, "two() * 10 + old()"), 12);
    settle(gbx_context_set_function(w.context, "no.such.place", number, &one), GBX_EINVAL);
    settle(gbx_context_set_function(w.context, "", number, &one), GBX_EINVAL);
    settle(gbx_context_set_function(w.context, NULL, number, &one), GBX_EINVAL);
    settle(gbx_context_set_function(w.context, "x", NULL, &one), GBX_EINVAL);
    /* What forbids it is the guest's. */
    eval_only(w.context, "Object.defineProperty(globalThis, 'fixed', { value: 1 });"
                         "Object.defineProperty(globalThis, 'sour', { set() { throw 3 } })");
    settle(gbx_context_set_function(w.context, "sour", number, &one), GBX_ETHROW);
    settle(gbx_context_set_function(w.context, "fixed", number, &one), GBX_OK);
    cr_assert_eq(eval_number(w.context, "fixed"), 1);
    world_close(&w);
}

/* A path is set by guest code if the guest wants it so; that has a deadline. */
CleanTest(function, is_given_even_to_a_guest_that_stalls)
{
    struct world w = world_open(NULL);

    eval_only(w.context, "Object.defineProperty(globalThis, 'slow', { set() { for (;;); } })");
    settle(gbx_context_set_function(w.context, "slow", echo, NULL), GBX_ETIMEOUT);
    cr_assert_eq(eval_number(w.context, "6 * 7"), 42);
    world_close(&w);
}

CleanTest(function, of_a_closed_context_is_no_longer_called)
{
    struct world w = world_open(NULL);
    gbx_context *other = NULL;
    size_t calls = 0;

    cr_assert_eq(gbx_context_open(w.isolate, &other, NULL), GBX_OK);
    give(other, "f", echo, &calls);
    /* This goes on after its context has been closed. */
    eval_only(other, "(async () => { await Atomics.waitAsync(new Int32Array("
                     "new SharedArrayBuffer(4)), 0, 0, 50).value; f() })(); f(1)");
    cr_assert_eq(calls, 1);
    gbx_context_close(other);
    cr_assert_eq(
        eval_number(w.context, "const end = Date.now() + 150; while (Date.now() < end); 3"), 3);
    for (int i = 0; i < 10; i++)
        cr_assert_eq(eval_number(w.context, "1"), 1);
    cr_assert_null(gbx_isolate_death(w.isolate));
    cr_assert_eq(calls, 1);
    world_close(&w);
}

CleanTest(function, of_each_context_is_its_own)
{
    struct world w = world_open(NULL);
    gbx_context *other = NULL;
    double one = 1, two = 2;

    cr_assert_eq(gbx_context_open(w.isolate, &other, NULL), GBX_OK);
    give(w.context, "f", number, &one);
    give(other, "f", number, &two);
    cr_assert_eq(eval_number(w.context, "f()"), 1);
    cr_assert_eq(eval_number(other, "f()"), 2);
    gbx_context_close(other);
    cr_assert_eq(eval_number(w.context, "f()"), 1);
    world_close(&w);
}
