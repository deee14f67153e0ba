/* Contexts that a host function closes while the guest waits for it: what runs there may end, and
 * what would wait ends with GBX_EDISPOSED. */
#include "support.h"

#include <string.h>

struct closing {
    struct world w;
    gbx_context *context;
    gbx_reference *reference; /* to a function that closes the context */
    gbx_module *module;       /* that closes it, and then imports JSON */
    gbx_script *script;
    int calls;
};

static gbx_status
closes(gbx_callback *callback, void *data)
{
    struct closing *c = data;

    c->calls++;
    gbx_context_close(c->context);
    c->context = NULL;
    return answer_number(callback, 1);
}

/* Another call in between, in the isolate's own context, which goes on. */
static gbx_status
closes_inside(gbx_callback *callback, void *data)
{
    struct closing *c = data;

    cr_assert_eq(eval_number(c->w.context, "closes() + 1"), 2);
    return answer_number(callback, 1);
}

static void
load(gbx_import *import, void *data)
{
    gbx_module_options options = GBX_MODULE_OPTIONS_INIT;

    (void)data;
    options.name = gbx_import_specifier(import);
    if (strcmp(options.name, "json") == 0) {
        options.kind = GBX_MODULE_JSON;
        gbx_import_source(import, "1", 1, &options);
    } else if (strcmp(options.name, "late") == 0) {
        gbx_import_source(import, "await 1; closes()", 17, &options);
    } else {
        gbx_import_source(import, "closes()", 8, &options);
    }
}

/* --- what is begun --------------------------------------------------------------------------- */

static gbx_future *
evaluates(struct closing *c, gbx_call_options *options)
{
    static const char source[] = "closes(); 5";

    return gbx_context_eval(c->context, source, sizeof source - 1, options);
}

static gbx_future *
evaluates_late(struct closing *c, gbx_call_options *options)
{
    static const char source[] = "(async () => { await 1; closes(); return 5 })()";

    return gbx_context_eval(c->context, source, sizeof source - 1, options);
}

static gbx_future *
never_ends(struct closing *c, gbx_call_options *options)
{
    static const char source[] = "closes(); new Promise(() => {})";

    return gbx_context_eval(c->context, source, sizeof source - 1, options);
}

static gbx_future *
calls(struct closing *c, gbx_call_options *options)
{
    return gbx_context_call(c->context, "closes", NULL, 0, options);
}

static gbx_future *
gets(struct closing *c, gbx_call_options *options)
{
    return gbx_context_get(c->context, "got", options);
}

static gbx_future *
runs_closure(struct closing *c, gbx_call_options *options)
{
    return gbx_context_eval_closure(c->context, "return closes()", 15, NULL, 0, options);
}

static gbx_future *
runs_script(struct closing *c, gbx_call_options *options)
{
    return gbx_script_run(c->script, c->context, options);
}

static gbx_future *
calls_reference(struct closing *c, gbx_call_options *options)
{
    return gbx_reference_call(c->reference, NULL, NULL, 0, options);
}

static gbx_future *
evaluates_module(struct closing *c, gbx_call_options *options)
{
    return gbx_module_evaluate(c->module, options);
}

static gbx_future *
imports(struct closing *c, gbx_call_options *options)
{
    return gbx_context_import(c->context, "closing", options);
}

static gbx_future *
imports_late(struct closing *c, gbx_call_options *options)
{
    return gbx_context_import(c->context, "late", options);
}

/* What has come to its end without waiting has its value, unless that would be a reference. */
static const struct {
    gbx_future *(*begin)(struct closing *, gbx_call_options *);
    bool waits;
} begun[] = { { evaluates, false }, { evaluates_late, false }, { never_ends, true },
    { calls, false }, { gets, false }, { runs_closure, false }, { runs_script, false },
    { calls_reference, false }, { evaluates_module, false }, { imports, true },
    { imports_late, true } };

/* --- promises -------------------------------------------------------------------------------- */

static void
gives_up(gbx_deferred *deferred, void *data)
{
    ++*(int *)data;
    cr_assert_eq(gbx_deferred_resolve(deferred, NULL), GBX_OK);
}

static gbx_status
promises(gbx_callback *callback, void *data)
{
    gbx_deferred *deferred = NULL;
    gbx_status status = gbx_callback_defer(callback, &deferred);

    if (status == GBX_OK)
        gbx_deferred_on_cancel(deferred, gives_up, data);
    return status;
}

/* A cell may have 65,536 of them. */
CleanTest(close, gives_back_the_places_of_open_promises)
{
    static const char *const sources[] = { "let n = 0; for (; n < 30000; n++) promises(); n",
        "let n = 0; for (; n < 30000; n++) promises(); closes(); n" };
    struct world w = world_open(NULL);
    int cancelled = 0;

    for (int round = 1; round <= 6; round++) {
        struct closing c = { .w = w };
        cr_assert_eq(gbx_context_open(w.isolate, &c.context, NULL), GBX_OK);
        give(c.context, "promises", promises, &cancelled);
        give(c.context, "closes", closes, &c);
        cr_assert_eq(eval_number(c.context, sources[round % 2]), 30000);
        gbx_context_close(c.context);
        cr_assert_eq(cancelled, round * 30000);
    }
    expect_usable(&w);
    world_close(&w);
}

/* --- that it ends ---------------------------------------------------------------------------- */

static void
open_again(struct closing *c, gbx_function function)
{
    static const char source[] = "import 'closing'; import n from 'json' with { type: 'json' "
                                 "}; import.meta.url; export { n }";

    cr_assert_eq(gbx_context_open(c->w.isolate, &c->context, NULL), GBX_OK);
    cr_assert_eq(gbx_context_set_loader(c->context, load, NULL), GBX_OK);
    give(c->context, "closes", function, c);
    eval_only(c->context, "Object.defineProperty(globalThis, 'got', { get: closes })");
    c->reference = refer(c->context, "closes");
    settle(gbx_module_compile(c->context, source, sizeof source - 1, NULL, &c->module), GBX_OK);
    settle(gbx_module_link(c->module, NULL), GBX_OK);
}

static void
close_each(struct closing *c, gbx_function function, uint32_t flags)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;

    options.flags = flags;
    for (size_t i = 0; i < sizeof begun / sizeof begun[0]; i++) {
        c->calls = 0;
        open_again(c, function);
        gbx_future *future = begun[i].begin(c, &options);
        gbx_status wanted =
            begun[i].waits || (flags & GBX_RESULT_REFERENCE) != 0 ? GBX_EDISPOSED : GBX_OK;
        gbx_status status = gbx_future_wait(future, -1, &error);
        cr_assert_eq(status, wanted, "case %zu: %d %s", i, status, error.message);
        cr_assert_eq(c->calls, 1);
        cr_assert_null(c->context);
        gbx_future_free(future);
        gbx_reference_close(c->reference);
        gbx_module_close(c->module);
        expect_usable(&c->w);
    }
}

static struct closing
closing_begun(void)
{
    struct closing c = { .w = world_open(NULL) };
    gbx_future *future = gbx_script_compile(c.w.isolate, "closes()", 8, NULL, 0, NULL);

    cr_assert_eq(gbx_future_wait(future, -1, NULL), GBX_OK);
    c.script = gbx_future_take_script(future);
    gbx_future_free(future);
    return c;
}

static void
closing_ended(struct closing *c)
{
    gbx_script_close(c->script);
    world_close(&c->w);
}

CleanTest(close, ends_what_waits_for_the_function_that_does_it)
{
    struct closing c = closing_begun();

    close_each(&c, closes, GBX_AWAIT);
    closing_ended(&c);
}

CleanTest(close, ends_no_call_of_another_context_in_between)
{
    struct closing c = closing_begun();

    give(c.w.context, "closes", closes, &c);
    close_each(&c, closes_inside, GBX_AWAIT);
    closing_ended(&c);
}

CleanTest(close, leaves_no_reference)
{
    struct closing c = closing_begun();
    gbx_usage usage = GBX_USAGE_INIT;

    for (int i = 0; i < 20; i++)
        close_each(&c, closes, GBX_AWAIT | GBX_RESULT_REFERENCE);
    gbx_value *statistics = settle_value(gbx_isolate_statistics(c.w.isolate));
    cr_assert_eq(number_of(gbx_value_get(statistics, "references", GBX_NUL)), 0);
    cr_assert_eq(gbx_isolate_usage(c.w.isolate, &usage), GBX_OK);
    cr_assert_eq(usage.references, 0);
    gbx_value_free(statistics);
    closing_ended(&c);
}
