/* What a failed evaluation tells: names, positions, stacks, source lines, values. */
#include "support.h"

#include <string.h>

/* Fills `error` with how this source fails under a file name and offsets. */
static gbx_status
fail_in(const struct world *w, const char *source, const char *file, uint32_t line,
    uint32_t column, gbx_error *error)
{
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;

    options.file = file;
    options.line = line;
    options.column = column;
    *error = (gbx_error)GBX_ERROR_INIT;
    return gbx_eval(w->context, source, &options, NULL, error);
}

CleanTest(error, tells_where_it_was_thrown)
{
    struct world w = world_open(NULL);
    gbx_error error;
    static const char source[] = "function inner() {\n"
                                 "  throw new TypeError('no such thing');\n"
                                 "}\n"
                                 "function outer() { inner() }\n"
                                 "outer()";

    cr_assert_eq(fail_in(&w, source, "lib/app.js", 0, 0, &error), GBX_ETHROW);
    cr_assert_str_eq(error.name, "TypeError");
    cr_assert_str_eq(error.message, "no such thing");
    cr_assert_str_eq(error.file, "lib/app.js");
    cr_assert_eq(error.line, 2);
    cr_assert_eq(error.column, 3);
    cr_assert_str_eq(error.source_line, "  throw new TypeError('no such thing');");
    cr_assert_str_eq(error.stack, "TypeError: no such thing\n"
                                  "    at inner (lib/app.js:2:9)\n"
                                  "    at outer (lib/app.js:4:20)\n"
                                  "    at lib/app.js:5:1");
    cr_assert_eq(error.signal, 0);
    cr_assert_eq(error.os_errno, 0);
    cr_assert_eq(error.limit, 0);

    /* Offsets move the first line and its columns. */
    cr_assert_eq(fail_in(&w, source, "page.html", 100, 7, &error), GBX_ETHROW);
    cr_assert_eq(error.line, 102);
    cr_assert_eq(error.column, 3);
    cr_assert_eq(fail_in(&w, "null.x", "page.html", 100, 7, &error), GBX_ETHROW);
    cr_assert_eq(error.line, 101);
    cr_assert_eq(error.column, 13);
    cr_assert_not_null(strstr(error.stack, "page.html:101:13"), "%s", error.stack);
    /* Without a name. */
    cr_assert_eq(fail_in(&w, "null.x", NULL, 0, 0, &error), GBX_ETHROW);
    cr_assert_str_eq(error.file, "<eval>");
    world_close(&w);
}

CleanTest(error, of_syntax_points_at_the_mistake)
{
    struct world w = world_open(NULL);
    gbx_error error;
    static const struct {
        const char *source;
        uint32_t line, column;
        const char *source_line;
    } mistakes[] = {
        { "var x = ;", 1, 9, "var x = ;" },
        { "\n\n  let let = 1", 3, 7, "  let let = 1" },
        { "f(", 1, 3, "f(" },
        { "'unterminated", 1, 1, "'unterminated" },
        { "/(/", 1, 1, "/(/" },
        { "await 1", 1, 1, "await 1" },
        { "x = 1\nimport 'y'", 2, 1, "import 'y'" },
        { "%GetHeapUsage()", 1, 1, "%GetHeapUsage()" },
    };

    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        cr_assert_eq(fail_in(&w, mistakes[i].source, "bad.js", 0, 0, &error), GBX_ETHROW);
        cr_assert_str_eq(error.name, "SyntaxError", "%s", mistakes[i].source);
        cr_assert_eq(
            error.line, mistakes[i].line, "%s: line %u", mistakes[i].source, error.line);
        cr_assert_eq(error.column, mistakes[i].column, "%s: column %u", mistakes[i].source,
            error.column);
        cr_assert_str_eq(error.source_line, mistakes[i].source_line);
        cr_assert_str_eq(error.file, "bad.js");
    }
    world_close(&w);
}

CleanTest(error, may_be_anything)
{
    struct world w = world_open(NULL);
    gbx_error error = GBX_ERROR_INIT;
    static const struct {
        const char *source, *message;
        gbx_value_kind kind; /* GBX_HOLE: cannot be copied */
    } throws[] = {
        { "throw 42", "Uncaught 42", GBX_NUMBER },
        { "throw 'text'", "Uncaught text", GBX_STRING },
        { "throw undefined", "Uncaught undefined", GBX_UNDEFINED },
        { "throw null", "Uncaught null", GBX_NULL },
        { "throw 10n", "Uncaught 10", GBX_BIGINT },
        { "throw { code: 5 }", "Uncaught #<Object>", GBX_OBJECT },
        { "throw Symbol('s')", "Uncaught Symbol(s)", GBX_HOLE },
        { "throw () => 1", NULL, GBX_HOLE },
        { "throw new Proxy({}, { get() { for (;;); } })", NULL, GBX_HOLE },
        { "throw { toString() { for (;;); } }", NULL, GBX_HOLE },
        { "throw Object.defineProperty(new Error('e'), 'message', { get() { for (;;); } })",
            NULL, GBX_ERROR },
        { "throw new (class QuotaError extends Error { name = 'QuotaError' })('full')", "full",
            GBX_ERROR },
        { "throw new AggregateError([new Error('a')], 'all')", "all", GBX_ERROR },
        { "const e = new Error('m'); e.stack = 5; throw e", "m", GBX_ERROR },
    };

    for (size_t i = 0; i < sizeof throws / sizeof *throws; i++) {
        gbx_future *future =
            gbx_context_eval(w.context, throws[i].source, strlen(throws[i].source), NULL);
        cr_assert_eq(
            gbx_future_wait(future, 20000000, &error), GBX_ETHROW, "%s", throws[i].source);
        if (throws[i].message != NULL)
            cr_assert_str_eq(
                error.message, throws[i].message, "%s: %s", throws[i].source, error.message);
        cr_assert_neq(error.message[0], '\0');
        const gbx_value *value = gbx_future_value(future);
        cr_assert_eq(value == NULL, throws[i].kind == GBX_HOLE, "%s", throws[i].source);
        if (value != NULL)
            cr_assert_eq(gbx_value_get_kind(value), throws[i].kind, "%s", throws[i].source);
        gbx_future_free(future);
    }
    expect_usable(&w);
    world_close(&w);
}

CleanTest(error, of_a_class_that_is_no_error_has_its_names)
{
    struct world w = world_open(NULL);
    gbx_error error = GBX_ERROR_INIT;

    expect_failure(
        w.context, "throw new (class Mishap { message = 'it fell' })", GBX_ETHROW, &error);
    cr_assert_str_eq(error.name, "Mishap");
    cr_assert_str_eq(error.message, "it fell");
    expect_failure(
        w.context, "throw { name: 'Own', get message() { return 'run' } }", GBX_ETHROW, &error);
    cr_assert_str_eq(error.name, "Own");
    cr_assert_str_eq(error.message, "Uncaught #<Object>");
    expect_failure(w.context, "throw { a: 1 }", GBX_ETHROW, &error);
    cr_assert_str_empty(error.name);
    world_close(&w);
}

CleanTest(error, comes_with_its_value_and_causes)
{
    struct world w = world_open(NULL);
    static const char source[] =
        "throw new TypeError('outer', { cause: new RangeError('inner', { cause: 'root' }) })";

    gbx_future *future = gbx_context_eval(w.context, source, strlen(source), NULL);
    cr_assert_eq(gbx_future_wait(future, -1, NULL), GBX_ETHROW);
    gbx_value *value = gbx_future_take_value(future);
    cr_assert_null(gbx_future_value(future));
    cr_assert_eq(gbx_value_get_kind(value), GBX_ERROR);
    expect_string(gbx_value_get(value, "message", GBX_NUL), "outer");
    const gbx_value *cause = gbx_value_get(value, "cause", GBX_NUL);
    cr_assert_eq(gbx_value_get_kind(cause), GBX_ERROR);
    expect_string(gbx_value_get(cause, "name", GBX_NUL), "RangeError");
    expect_string(gbx_value_get(cause, "cause", GBX_NUL), "root");
    gbx_value_free(value);
    gbx_future_free(future);
    world_close(&w);
}

CleanTest(error, of_rejected_promises_is_told_alike)
{
    struct world w = world_open(NULL);
    gbx_error error = GBX_ERROR_INIT;
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;
    static const char source[] =
        "async function deep() { await 1; throw new TypeError('late') }\n"
        "deep()";

    options.flags = GBX_AWAIT;
    options.file = "late.js";
    gbx_future *future = gbx_context_eval(w.context, source, strlen(source), &options);
    cr_assert_eq(gbx_future_wait(future, -1, &error), GBX_ETHROW);
    cr_assert_str_eq(error.name, "TypeError");
    cr_assert_str_eq(error.message, "late");
    cr_assert_not_null(
        strstr(error.stack, "at async") == NULL ? strstr(error.stack, "deep") : error.stack);
    cr_assert_not_null(gbx_future_value(future));
    gbx_future_free(future);
    settle(start(w.context, "Promise.reject(new Error('x'))", GBX_AWAIT), GBX_ETHROW);
    settle(start(w.context, "Promise.reject()", GBX_AWAIT), GBX_ETHROW);
    /* Without GBX_AWAIT a promise is a value that cannot be copied. */
    settle(start(w.context, "Promise.resolve(1)", 0), GBX_ECLONE);
    world_close(&w);
}

/* Texts are cut to their fields and stay valid UTF-8. */
CleanTest(error, texts_are_cut_where_a_character_ends)
{
    struct world w = world_open(NULL);
    gbx_error error = GBX_ERROR_INIT;
    struct {
        uint32_t size;
        char rest[offsetof(gbx_error, message) - 4 + 8]; /* an older, shorter struct */
    } older = { sizeof older, { 0 } };

    expect_failure(
        w.context, "throw new Error('x' + '\\u20ac'.repeat(100000))", GBX_ETHROW, &error);
    cr_assert_eq(strlen(error.message), 1 + 170 * 3); /* of 511 */
    cr_assert_str_eq(error.message + 1 + 169 * 3, "\xe2\x82\xac");
    expect_failure(w.context, "const e = new Error('m'); e.name = 'N'.repeat(5000); throw e",
        GBX_ETHROW, &error);
    cr_assert_eq(strlen(error.name), 63);
    expect_failure(w.context,
        "/*" /* a long source line */
        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234"
        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234"
        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234"
        "0123456789*/ throw 1",
        GBX_ETHROW, &error);
    cr_assert_eq(strlen(error.source_line), 255);
    /* What an older caller has no room for is left out; what is behind it stays untouched. */
    memset(older.rest, 0x55, sizeof older.rest);
    cr_assert_eq(gbx_eval(w.context, "throw new Error('long message here')", NULL, NULL,
                     (gbx_error *)(void *)&older),
        GBX_ETHROW);
    cr_assert_eq(older.size, sizeof older);
    expect_failure(w.context, "throw 1", GBX_ETHROW, NULL);
    cr_assert_eq(gbx_eval(w.context, "throw 1", NULL, NULL, NULL), GBX_ETHROW);
    world_close(&w);
}

/* A stack is what V8 prints; a guest may make it up, and may not stop the host with it. */
CleanTest(error, stacks_may_be_made_up_but_not_stall)
{
    struct world w = world_open(NULL);
    gbx_error error;

    eval_only(w.context, "Error.prepareStackTrace = () => 'made up'");
    expect_failure(w.context, "throw new Error('x')", GBX_ETHROW, &error);
    cr_assert_str_eq(error.stack, "made up");
    eval_only(w.context, "Error.prepareStackTrace = () => { throw new Error('again') }");
    expect_failure(w.context, "throw new Error('x')", GBX_ETHROW, &error);
    cr_assert_str_eq(error.message, "x");
    eval_only(w.context, "Error.prepareStackTrace = () => { for (;;); }");
    settle(start_limited(w.context, "throw new Error('x')", 50000, 0), GBX_ETIMEOUT);
    eval_only(w.context, "delete Error.prepareStackTrace; Error.stackTraceLimit = 3");
    expect_failure(w.context,
        "(function f(n) { if (n === 0) throw new Error('x'); f(n - 1) })(9)", GBX_ETHROW,
        &error);
    const char *frames = error.stack;
    size_t count = 0;
    while ((frames = strstr(frames, "\n    at ")) != NULL) {
        frames++;
        count++;
    }
    cr_assert_eq(count, 3);
    world_close(&w);
}

CleanTest(error, of_a_stack_too_deep_is_an_exception)
{
    struct world w = world_open(NULL);
    gbx_error error;

    for (int i = 0; i < 3; i++) {
        expect_failure(w.context, "(function f() { f() })()", GBX_ETHROW, &error);
        cr_assert_str_eq(error.name, "RangeError");
        cr_assert_str_eq(error.message, "Maximum call stack size exceeded");
    }
    expect_usable(&w);
    world_close(&w);
}
