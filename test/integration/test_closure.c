/* Source text as the body of a function: arguments, return, await, positions. */
#include "support.h"

#include <stdio.h>
#include <string.h>

static gbx_future *
closure(gbx_context *context, const char *source, uint32_t flags,
    const gbx_value *const *arguments, size_t count)
{
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;

    options.flags = flags;
    return gbx_context_eval_closure(
        context, source, strlen(source), arguments, count, &options);
}

/* With the arguments 2 and "three". */
static gbx_future *
with_two(const struct world *w, const char *source, uint32_t flags)
{
    gbx_value *two = gbx_value_new_number(2), *three = gbx_value_new_string("three", GBX_NUL);
    const gbx_value *arguments[] = { two, three };

    gbx_future *future = closure(w->context, source, flags, arguments, 2);
    gbx_value_free(two);
    gbx_value_free(three);
    return future;
}

CleanTest(closure, takes_arguments_and_returns)
{
    struct world w = world_open(NULL);
    gbx_value *value;

    cr_assert_eq(settle_number(with_two(&w, "return $0 + $1.length + arguments.length", 0)), 9);
    value = settle_value(with_two(&w, "$0 = 5", 0));
    cr_assert_eq(gbx_value_get_kind(value), GBX_UNDEFINED, "only what is returned comes back");
    gbx_value_free(value);
    /* Its variables are its own, its globals those of the context. */
    eval_only(w.context, "var outside = 100");
    cr_assert_eq(settle_number(with_two(&w, "var mine = outside++; return mine", 0)), 100);
    expect_text(w.context, "typeof mine + typeof $0 + outside", "undefinedundefined101");
    cr_assert_eq(
        settle_number(with_two(&w, "'use strict'; return this === undefined ? 1 : 0", 0)), 1);
    cr_assert_eq(
        settle_number(with_two(&w, "return this === globalThis ? 1 : 0 // end", 0)), 1);
    cr_assert_eq(settle_number(closure(w.context, "return arguments.length", 0, NULL, 0)), 0);
    world_close(&w);
}

CleanTest(closure, awaits_when_asked)
{
    struct world w = world_open(NULL);
    gbx_error error = GBX_ERROR_INIT;

    cr_assert_eq(settle_number(with_two(&w,
                     "const x = await Promise.resolve($0); return x + arguments.length // end",
                     GBX_AWAIT)),
        4);
    cr_assert_eq(settle_number(with_two(&w, "return $0", GBX_AWAIT)), 2);
    cr_assert_eq(
        settle_number(with_two(&w, "return this === globalThis ? 1 : 0", GBX_AWAIT)), 1);
    gbx_future *future = with_two(&w, "await null; throw new RangeError($1)", GBX_AWAIT);
    cr_assert_eq(gbx_future_wait(future, -1, &error), GBX_ETHROW);
    cr_assert_str_eq(error.name, "RangeError");
    cr_assert_str_eq(error.message, "three");
    gbx_future_free(future);
    /* Without it the word has no meaning. */
    settle(with_two(&w, "await null", 0), GBX_ETHROW);
    world_close(&w);
}

CleanTest(closure, positions_are_those_of_the_text)
{
    struct world w = world_open(NULL);
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;
    gbx_error error;
    static const struct {
        const char *source;
        uint32_t line, column; /* offsets */
        uint32_t at_line, at_column;
    } cases[] = {
        { "null.x", 0, 0, 1, 6 },
        { "\n  null.x", 0, 0, 2, 8 },
        { "null.x", 100, 0, 101, 6 },
        { "null.x", 100, 7, 101, 13 },
        { "\nnull.x", 100, 7, 102, 6 },
    };

    options.file = "page.html";
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        size_t n = i / 2;
        char place[64];
        options.flags = i % 2 != 0 ? GBX_AWAIT : 0;
        options.line = cases[n].line;
        options.column = cases[n].column;
        error = (gbx_error)GBX_ERROR_INIT;
        gbx_future *future = gbx_context_eval_closure(
            w.context, cases[n].source, strlen(cases[n].source), NULL, 0, &options);
        cr_assert_eq(gbx_future_wait(future, -1, &error), GBX_ETHROW);
        (void)snprintf(
            place, sizeof place, "page.html:%u:%u", cases[n].at_line, cases[n].at_column);
        cr_assert_not_null(strstr(error.stack, place), "case %zu: %s", i, error.stack);
        gbx_future_free(future);
    }
    world_close(&w);
}

CleanTest(closure, is_a_whole_body)
{
    struct world w = world_open(NULL);
    static const char *const sources[] = { "}); globalThis.out = 1; (function () {",
        "} globalThis.out = 1; {", "}, async () => {", "}, b() {", "})(), (async function () {",
        "}}); ({ async m() {", "var x = ;", "if (1) {", "}" };
    gbx_error error = GBX_ERROR_INIT;

    for (size_t i = 0; i < 2 * sizeof sources / sizeof *sources; i++) {
        gbx_future *future =
            closure(w.context, sources[i / 2], i % 2 != 0 ? GBX_AWAIT : 0, NULL, 0);
        cr_assert_eq(gbx_future_wait(future, -1, &error), GBX_ETHROW, "%s", sources[i / 2]);
        cr_assert_str_eq(error.name, "SyntaxError", "%s", sources[i / 2]);
        gbx_future_free(future);
    }
    expect_text(w.context, "typeof out", "undefined");
    world_close(&w);
}

CleanTest(closure, is_refused_what_it_cannot_take)
{
    struct world w = world_open(NULL);
    static const gbx_value *many[4097];
    gbx_value *one = gbx_value_new_number(1);

    for (size_t i = 0; i < sizeof many / sizeof *many; i++)
        many[i] = one;
    cr_assert_eq(settle_number(closure(w.context, "return $4095", 0, many, 4096)), 1);
    cr_assert_eq(settle_number(closure(w.context, "return $4095", GBX_AWAIT, many, 4096)), 1);
    settle(closure(w.context, "", 0, many, 4097), GBX_EINVAL);
    many[1] = NULL;
    settle(closure(w.context, "", 0, many, 2), GBX_EINVAL);
    settle(closure(w.context, "", GBX_MODULE, NULL, 0), GBX_EINVAL);
    settle(closure(w.context, "", 1u << 31, NULL, 0), GBX_EUNSUPPORTED);
    settle(
        gbx_context_eval_closure(w.context, "", (size_t)1 << 40, NULL, 0, NULL), GBX_ETOOBIG);
    settle(closure(w.context, "return function () {}", 0, NULL, 0), GBX_ECLONE);
    gbx_value_free(one);
    expect_usable(&w);
    world_close(&w);
}

CleanTest(closure, ends_at_its_limits_and_with_its_isolate)
{
    struct world w = world_open(NULL);
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;
    static const char source[] = "for (;;) await null";

    options.timeout_us = 20000;
    options.flags = GBX_AWAIT;
    settle(gbx_context_eval_closure(w.context, source, strlen(source), NULL, 0, &options),
        GBX_ETIMEOUT);
    expect_usable(&w);
    settle(closure(w.context, "const a = []; for (;;) a.push(a.slice())", 0, NULL, 0),
        GBX_EMEMORY);
    settle(closure(w.context, "", 0, NULL, 0), GBX_EMEMORY);
    world_close(&w);
}
