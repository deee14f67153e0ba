/* What is thrown, from a guest to its host and from the host to a guest: names, codes, causes and
 * other properties, and that a hostile error runs nothing. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

/* What a source throws, owned by the caller; `status` of the call. */
static gbx_value *
thrown_by(const struct world *w, const char *source, gbx_status status)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_future *future = gbx_context_eval(w->context, source, strlen(source), NULL);

    cr_assert_eq(
        gbx_future_wait(future, 30000000, &error), status, "%s: %s", source, error.message);
    gbx_value *value = gbx_future_take_value(future);
    gbx_future_free(future);
    return value;
}

static const gbx_value *
property(const gbx_value *error, const char *key)
{
    const gbx_value *value = gbx_value_get(error, key, GBX_NUL);

    cr_assert_not_null(value, "no %s", key);
    return value;
}

static void
expect_property(const gbx_value *error, const char *key, const char *text)
{
    expect_string(property(error, key), text);
}

/* --- from the guest ------------------------------------------------------------------------- */

CleanTest(thrown, by_a_guest_keeps_all_that_is_its_own)
{
    struct world w = world_open(NULL);
    gbx_value *error = thrown_by(&w,
        "class DbError extends Error { constructor(m, o) { super(m, o); this.name = 'DbError' "
        "} }\n"
        "throw Object.assign(new DbError('gone', { cause: Object.assign(new "
        "TypeError('deep'),\n"
        "  { code: 'EPIPE', errno: -32, cause: { host: 'db1', ports: [1, 2] } }) }),\n"
        "  { code: 'E_DB', retry: true, at: new Date(5), 7: 'seven' })",
        GBX_ETHROW);

    cr_assert_eq(gbx_value_get_kind(error), GBX_ERROR);
    expect_property(error, "name", "DbError");
    expect_property(error, "message", "gone");
    expect_property(error, "code", "E_DB");
    expect_property(error, "7", "seven");
    cr_assert_eq(gbx_value_get_kind(property(error, "at")), GBX_DATE);
    cr_assert_eq(gbx_value_get_kind(property(error, "retry")), GBX_BOOLEAN);
    const gbx_value *cause = property(error, "cause");
    cr_assert_eq(gbx_value_get_kind(cause), GBX_ERROR);
    expect_property(cause, "name", "TypeError");
    expect_property(cause, "message", "deep");
    expect_property(cause, "code", "EPIPE");
    cr_assert_eq(number_of(property(cause, "errno")), -32);
    expect_property(property(cause, "cause"), "host", "db1");
    /* Both stacks are the guest's. */
    const char *stack;
    cr_assert_eq(gbx_value_get_string(property(error, "stack"), &stack, NULL), GBX_OK);
    cr_assert_not_null(strstr(stack, "<eval>:2:"), "%s", stack);
    cr_assert_eq(gbx_value_get_string(property(cause, "stack"), &stack, NULL), GBX_OK);
    cr_assert_str_eq(strstr(stack, "\n") + 1, "    at <eval>:2:64", "%s", stack);
    gbx_value_free(error);
    world_close(&w);
}

CleanTest(thrown, errors_of_an_aggregate_keep_theirs)
{
    struct world w = world_open(NULL);
    gbx_value *error = thrown_by(&w,
        "throw new AggregateError([Object.assign(new RangeError('a'), { code: 1 }), 'b',\n"
        "  () => 1, new (class MyError extends Error { name = 'MyError' })('c')], 'all')",
        GBX_ETHROW);
    const gbx_value *errors = property(error, "errors");

    expect_property(error, "name", "AggregateError");
    cr_assert_eq(gbx_value_length(errors), 3, "a function is left out");
    expect_property(gbx_value_at(errors, 0), "name", "RangeError");
    cr_assert_eq(number_of(property(gbx_value_at(errors, 0), "code")), 1);
    expect_string(gbx_value_at(errors, 1), "b");
    expect_property(gbx_value_at(errors, 2), "name", "MyError");
    gbx_value_free(error);
    world_close(&w);
}

CleanTest(thrown, cycles_stay_cycles)
{
    struct world w = world_open(NULL);
    gbx_value *error = thrown_by(&w,
        "const a = new Error('a'), b = new Error('b', { cause: a }); a.cause = b; a.self = a;\n"
        "throw a",
        GBX_ETHROW);

    cr_assert_eq(gbx_value_get(error, "self", GBX_NUL), error);
    const gbx_value *cause = property(error, "cause");
    expect_property(cause, "message", "b");
    cr_assert_eq(gbx_value_get(cause, "cause", GBX_NUL), error);
    char *text;
    cr_assert_eq(gbx_value_to_text(error, NULL, &text, NULL), GBX_OK);
    cr_assert_not_null(strstr(text, "[cause]: Error: b"), "%s", text);
    cr_assert_not_null(strstr(text, "[Circular *1]"), "%s", text);
    free(text);
    gbx_value_free(error);
    world_close(&w);
}

/* Each of them sets `ran`, or loops, if anything of it is run. */
CleanTest(thrown, hostile_errors_run_nothing)
{
    static const char *const hostile[] = {
        "e.__defineGetter__('code', run)",
        "Object.defineProperty(e, 'cause', { get: run })",
        "Object.defineProperty(e, 'message', { get: run })",
        "Object.defineProperty(e, 'name', { get: run })",
        "Object.defineProperty(e, 'stack', { get: run })",
        "Object.defineProperty(e, 'stack', { get: run.bind(null) })",
        "Object.defineProperty(e, 'stack', { get: new Proxy(run, { apply: run }) })",
        "e.code = { toString: run, valueOf: run, [Symbol.toPrimitive]: run, toJSON: run }",
        "e.code = { get deep() { return run() } }",
        "e.cause = new Proxy({}, trap)",
        "e.cause = new Proxy(new Error('inside'), trap)",
        "e.cause = Object.defineProperty(new Error('c'), 'stack', { get: run })",
        "e.cause = new Error('c'); e.cause.__proto__ = new Proxy({}, trap)",
        "e.__proto__ = new Proxy({}, trap)",
        "Object.defineProperty(Error, 'prepareStackTrace', { get: run })",
        "Error.__proto__ = new Proxy({}, trap)",
        "e.name = { toString: run }; e.message = { toString: run }",
        "e.cause = { __proto__: { get x() { run() } }, get y() { run() } }",
        "e.errors = new Proxy([], trap)",
        "e.errors = Object.defineProperty([1, 2], 0, { get: run })",
        "e.errors = []; e.errors.__proto__ = new Proxy([], trap); e.errors.length = 3",
        "Object.defineProperty(e, Symbol.toStringTag, { get: run })",
        "Object.defineProperty(Object.prototype, 'get', { get: run, configurable: true })",
        "Object.defineProperty(Error.prototype, 'name', { get: run, configurable: true })",
        "Object.prototype.__defineGetter__('value', run)",
        "e.cause = new (class extends Map { get size() { run() } })([[1, 2]])",
        "e.code = Object.defineProperty(new Date(), 'x', { get: run, enumerable: true })",
        "Object.defineProperty(e, 'constructor', { get: run })",
    };
    static const char around[] =
        "var ran = 0; var e = new Error('m');\n"
        "var run = function () { ran++; for (let i = 0; i < 1e12; i++); };\n"
        "var trap = new Proxy({}, { get() { return run } });\n"
        "e.kept = 'here'; %s;\n throw e";

    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        struct world w = world_open(NULL);
        char source[1024];
        (void)snprintf(source, sizeof source, around, hostile[i]);
        gbx_value *error = thrown_by(&w, source, GBX_ETHROW);
        cr_assert_eq(gbx_value_get_kind(error), GBX_ERROR, "%s", hostile[i]);
        expect_property(error, "kept", "here");
        cr_assert_eq(eval_number(w.context, "ran"), 0, "%s", hostile[i]);
        gbx_value_free(error);
        world_close(&w);
    }
}

/* Its stack is there all the same, and true. */
CleanTest(thrown, a_getter_in_the_way_leaves_the_stack)
{
    struct world w = world_open(NULL);
    gbx_value *error = thrown_by(&w,
        "class A extends Error { get name() { return 'A' } }\nfunction f() { throw new A('m') "
        "}\n"
        "f()",
        GBX_ETHROW);

    expect_property(error, "stack", "Error: m\n    at f (<eval>:2:22)\n    at <eval>:3:1");
    gbx_value_free(error);
    world_close(&w);
}

CleanTest(thrown, is_bounded)
{
    struct world w = world_open(NULL);
    gbx_value *error = thrown_by(&w,
        "const e = new Error('m'); for (let i = 0; i < 1e6; i++) e['k' + i] = i;"
        "e.code = 'last'; throw e",
        GBX_ETHROW);
    size_t length = gbx_value_length(error);

    cr_assert(length > 200 && length <= 260, "%zu", length);
    expect_property(error, "code", "last");
    gbx_value_free(error);
    /* A chain without an end. */
    error = thrown_by(&w,
        "let c = new Error('0'); for (let i = 1; i < 1e5; i++)"
        "c = new Error('' + i, { cause: c }); throw c",
        GBX_ETHROW);
    size_t depth = 0;
    for (const gbx_value *e = error; e != NULL; e = gbx_value_get(e, "cause", GBX_NUL))
        depth++;
    cr_assert_eq(depth, 16);
    gbx_value_free(error);
    /* What is too large is left out, and what is small stays. */
    error = thrown_by(&w,
        "throw Object.assign(new Error('m'), { a: 'x'.repeat(1 << 20), b: 1,"
        "['k'.repeat(1 << 20)]: 2, c: new Uint8Array(1 << 20), d: 3 })",
        GBX_ETHROW);
    cr_assert_null(gbx_value_get(error, "a", GBX_NUL));
    cr_assert_null(gbx_value_get(error, "c", GBX_NUL));
    cr_assert_eq(number_of(property(error, "b")), 1);
    cr_assert_eq(number_of(property(error, "d")), 3);
    cr_assert_eq(gbx_value_length(error), 5);
    gbx_value_free(error);
    /* Wide and deep at once. */
    error = thrown_by(&w,
        "const tree = (n) => { const e = new Error('x'.repeat(30000)); if (n)"
        "{ e.cause = tree(n - 1); e.errors = [tree(n - 1), tree(n - 1)] }"
        "return e }; throw tree(7)",
        GBX_ETHROW);
    cr_assert_eq(gbx_value_get_kind(error), GBX_ERROR);
    gbx_value_free(error);
    expect_usable(&w);
    world_close(&w);
}

CleanTest(thrown, values_that_are_no_errors_come_as_they_are)
{
    struct world w = world_open(NULL);
    gbx_value *value = thrown_by(&w, "throw { code: 5, list: [1, 2] }", GBX_ETHROW);

    cr_assert_eq(gbx_value_get_kind(value), GBX_OBJECT);
    cr_assert_eq(number_of(property(value, "code")), 5);
    gbx_value_free(value);
    /* Larger than any error. */
    value = thrown_by(&w, "throw new Uint8Array(1 << 20)", GBX_ETHROW);
    cr_assert_eq(gbx_value_length(value), 1 << 20);
    gbx_value_free(value);
    cr_assert_null(thrown_by(&w, "throw { get a() { for (;;); } }", GBX_ETHROW));
    cr_assert_null(thrown_by(&w, "throw new Proxy({}, {})", GBX_ETHROW));
    world_close(&w);
}

/* --- from the host -------------------------------------------------------------------------- */

/* What a host function throws next. */
struct throws {
    gbx_value *value;
    int how; /* 0: at once, 1: by a promise, 2: to a guest that waits */
    gbx_status status;
    gbx_deferred *deferred;
};

static gbx_status
throw_it(gbx_callback *callback, void *data)
{
    struct throws *throws = data;

    if (throws->how == 0)
        throws->status = gbx_callback_throw_value(callback, throws->value);
    else
        cr_assert_eq((throws->how == 1 ? gbx_callback_defer : gbx_callback_block)(
                         callback, &throws->deferred),
            GBX_OK);
    return GBX_OK;
}

/* Has the guest's `boom` throw the value, `how`, in a source that awaits it; answers its text. */
static void
expect_caught(const struct world *w, struct throws *throws, const char *look, const char *text)
{
    for (throws->how = 0; throws->how < 3; throws->how++) {
        char source[1024];
        (void)snprintf(source, sizeof source,
            "(async function caller() { try { await boom(); return 'nothing' }"
            "catch (e) { return String(%s) } })()",
            look);
        gbx_future *future = start(w->context, source, GBX_AWAIT);
        while (throws->how > 0 && throws->deferred == NULL)
            (void)gbx_runtime_dispatch(w->runtime, 10000);
        if (throws->how > 0)
            throws->status = gbx_deferred_reject_value(throws->deferred, throws->value);
        throws->deferred = NULL;
        gbx_value *value = settle_value(future);
        expect_string(value, text);
        gbx_value_free(value);
    }
}

static gbx_value *
error_with(const char *name, const char *message, const char *key, gbx_value *item)
{
    gbx_value *error = gbx_value_new_error(name, message, GBX_NUL);

    if (key != NULL)
        cr_assert_eq(gbx_value_set(error, key, GBX_NUL, item), GBX_OK);
    return error;
}

CleanTest(thrown, by_a_host_is_an_error_of_its_class)
{
    static const char *const classes[] = { "Error", "EvalError", "RangeError", "ReferenceError",
        "SyntaxError", "TypeError", "URIError" };
    struct world w = world_open(NULL);
    struct throws throws = { .status = GBX_EBUSY };

    give(w.context, "boom", throw_it, &throws);
    eval_only(w.context, "var classes = { Error, EvalError, RangeError, ReferenceError,"
                         "SyntaxError, TypeError, URIError }; var made = Error;"
                         "for (const name in classes) globalThis[name] = null");
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        char text[64];
        throws.value = error_with(classes[i], "why", "code", gbx_value_new_int32(7));
        (void)snprintf(text, sizeof text, "true %s: why 7 false", classes[i]);
        expect_caught(&w, &throws,
            "`${Object.getPrototypeOf(e) === classes[e.name].prototype} ${e} ${e.code} "
            "${Object.hasOwn(e, 'name')}`",
            text);
        cr_assert_eq(throws.status, GBX_OK);
        gbx_value_free(throws.value);
    }
    throws.value = error_with("HttpError", "404", NULL, NULL);
    expect_caught(
        &w, &throws, "e + (e instanceof made) + Object.keys(e)", "HttpError: 404true");
    gbx_value_free(throws.value);
    world_close(&w);
}

CleanTest(thrown, by_a_host_keeps_causes_and_properties)
{
    struct world w = world_open(NULL);
    struct throws throws = { .status = GBX_EBUSY };
    gbx_value *list = gbx_value_new_array();

    give(w.context, "boom", throw_it, &throws);
    cr_assert_eq(gbx_value_append(list, error_with("AppError", "one", "code",
                                            gbx_value_new_string("E1", GBX_NUL))),
        GBX_OK);
    cr_assert_eq(gbx_value_append(list, gbx_value_new_int32(2)), GBX_OK);
    gbx_value *cause = error_with("DbError", "deep", "errors", list);
    throws.value = error_with("TypeError", "outer", "cause", cause);
    cr_assert_eq(gbx_value_set(cause, "cause", GBX_NUL, throws.value), GBX_OK);
    cr_assert_eq(
        gbx_value_set(throws.value, "0", GBX_NUL, gbx_value_new_bytes("ab", 2)), GBX_OK);
    expect_caught(&w, &throws,
        "[e, e.cause, e.cause.errors[0], e.cause.errors[0].code, e.cause.errors[1], e[0],"
        "e.cause.cause === e, Object.keys(e), Object.keys(e.cause)].join()",
        "TypeError: outer,DbError: deep,AppError: one,E1,2,97,98,true,0,");
    cr_assert_eq(throws.status, GBX_OK);
    gbx_value_free(throws.value);
    world_close(&w);
}

/* Whatever stack it brings, the guest sees its own frames; a host path is nowhere. */
CleanTest(thrown, by_a_host_shows_frames_of_the_guest_only)
{
    struct world w = world_open(NULL);
    struct throws throws = {
        .value = error_with("AppError", "m", "stack",
            gbx_value_new_string(
                "AppError: m\n    at secret (/etc/host/secret.c:1:1)", GBX_NUL))
    };
    gbx_value *cause = error_with("Error", "c", "stack",
        gbx_value_new_string("Error: c\n    at secret (/etc/host/secret.c:1:1)", GBX_NUL));

    cr_assert_eq(gbx_value_set(throws.value, "cause", GBX_NUL, cause), GBX_OK);
    give(w.context, "boom", throw_it, &throws);
    expect_caught(&w, &throws, "(e.stack + e.cause.stack).includes('secret')", "false");
    throws.how = 0;
    expect_text(w.context,
        "(function inner() { try { boom() } catch (e) { return e.stack + '\\n' + e.cause.stack "
        "} })()",
        "AppError: m\n    at inner (<eval>:1:27)\n    at <eval>:1:90\n"
        "Error: c\n    at inner (<eval>:1:27)\n    at <eval>:1:90");
    gbx_value_free(throws.value);
    world_close(&w);
}

CleanTest(thrown, by_a_host_may_be_anything)
{
    struct world w = world_open(NULL);
    struct throws throws = { .value = gbx_value_new_int32(42) };

    give(w.context, "boom", throw_it, &throws);
    expect_caught(&w, &throws, "typeof e + e", "number42");
    throws.how = 0;
    gbx_value *back = thrown_by(&w, "boom()", GBX_ETHROW);
    cr_assert_eq(number_of(back), 42);
    gbx_value_free(back);
    gbx_value_free(throws.value);
    throws.value = gbx_value_new_object();
    cr_assert_eq(gbx_value_set(throws.value, "a", GBX_NUL, gbx_value_new_null()), GBX_OK);
    expect_caught(&w, &throws, "JSON.stringify(e)", "{\"a\":null}");
    gbx_value_free(throws.value);
    world_close(&w);
}

CleanTest(thrown, by_a_host_comes_back_with_all_of_it)
{
    struct world w = world_open(NULL);
    struct throws throws = { .value = error_with("AppError", "m", "code",
                                 gbx_value_new_string("E_APP", GBX_NUL)) };

    give(w.context, "boom", throw_it, &throws);
    gbx_value *back = thrown_by(&w, "boom()", GBX_EHOST);
    expect_property(back, "name", "AppError");
    expect_property(back, "message", "m");
    expect_property(back, "code", "E_APP");
    gbx_value_free(back);
    gbx_value_free(throws.value);
    world_close(&w);
}

CleanTest(thrown, what_cannot_be_sent_says_so)
{
    struct world w = world_open(NULL), other = { 0 };
    struct throws throws = { .value = error_with("Error", "0", NULL, NULL) };

    give(w.context, "boom", throw_it, &throws);
    gbx_value *inner = throws.value;
    for (int i = 0; i < 16; i++)
        inner = error_with("Error", "n", "cause", inner);
    throws.value = inner;
    expect_caught(&w, &throws, "e", "Error: a value is past a size, count or depth limit");
    cr_assert_eq(throws.status, GBX_ETOOBIG);
    gbx_value_free(throws.value);
    /* As many properties as may be, and one more. */
    throws.value = error_with("Error", "m", NULL, NULL);
    for (int i = 0; i < 255; i++) {
        char key[8];
        (void)snprintf(key, sizeof key, "k%d", i);
        cr_assert_eq(gbx_value_set(throws.value, key, GBX_NUL, gbx_value_new_null()), GBX_OK);
    }
    expect_caught(&w, &throws, "Object.keys(e).length", "255");
    cr_assert_eq(gbx_value_set(throws.value, "more", GBX_NUL, gbx_value_new_null()), GBX_OK);
    expect_caught(&w, &throws, "e", "Error: a value is past a size, count or depth limit");
    cr_assert_eq(throws.status, GBX_ETOOBIG);
    gbx_value_free(throws.value);
    /* What belongs to another isolate. */
    other.isolate = world_isolate(&w, NULL);
    gbx_reference *reference = refer(gbx_isolate_context(other.isolate), "({})");
    throws.value = error_with("Error", "m", "it", gbx_value_new_reference(reference));
    gbx_reference_close(reference);
    expect_caught(&w, &throws, "e", "Error: an argument is outside its documented range");
    cr_assert_eq(throws.status, GBX_EINVAL);
    gbx_value_free(throws.value);
    gbx_isolate_close(other.isolate);
    world_close(&w);
}

/* However they are nested: a property or an entry is one item, and 256 are told. */
CleanTest(thrown, tells_of_no_more_items_than_may_be)
{
    struct world w = world_open(NULL);
    gbx_value *value = thrown_by(&w,
        "const e = new Error('m');"
        "for (let i = 0; i < 200; i++) e['k' + i] = new AggregateError([i], 'n', { cause: i "
        "});"
        "throw e",
        GBX_ETHROW);
    size_t told = 0;

    for (; told < 200; told++) {
        char key[8];
        (void)snprintf(key, sizeof key, "k%zu", told);
        if (gbx_value_get(value, key, GBX_NUL) == NULL)
            break;
    }
    cr_assert(told > 30 && told < 100, "%zu", told);
    gbx_value_free(value);
    world_close(&w);
}

static gbx_status
throw_twice(gbx_callback *callback, void *data)
{
    gbx_value *value = gbx_value_new_int32(1);

    (void)data;
    cr_assert_eq(gbx_callback_throw_value(callback, NULL), GBX_EINVAL);
    cr_assert_eq(gbx_callback_throw_value(callback, value), GBX_OK);
    cr_assert_eq(gbx_callback_throw_value(callback, value), GBX_EINVAL);
    gbx_value_free(value);
    return GBX_OK;
}

static gbx_status
throw_from_the_dead(gbx_callback *callback, void *data)
{
    gbx_value *value = gbx_value_new_int32(1);

    (void)data;
    gbx_isolate_close(gbx_callback_isolate(callback));
    cr_assert_eq(gbx_callback_throw_value(callback, value), GBX_OK);
    gbx_value_free(value);
    return GBX_OK;
}

CleanTest(thrown, once_and_after_death)
{
    struct world w = world_open(NULL);
    struct throws throws = { .value = gbx_value_new_int32(1), .how = 1 };

    give(w.context, "twice", throw_twice, NULL);
    give(w.context, "boom", throw_it, &throws);
    give(w.context, "dies", throw_from_the_dead, NULL);
    gbx_value_free(thrown_by(&w, "twice()", GBX_ETHROW));
    gbx_future *future = start(w.context, "boom()", GBX_AWAIT);
    while (throws.deferred == NULL)
        cr_assert_eq(gbx_future_wait(future, 10000, NULL), GBX_EBUSY);
    settle(start(w.context, "dies()", 0), GBX_EDISPOSED);
    settle(future, GBX_EDISPOSED);
    w.isolate = NULL;
    cr_assert_eq(gbx_deferred_reject_value(throws.deferred, throws.value), GBX_OK);
    cr_assert_eq(gbx_deferred_reject_value(NULL, throws.value), GBX_OK);
    gbx_value_free(throws.value);
    world_close(&w);
}
