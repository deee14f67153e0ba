/* Numbers over the wire: what names something that is gone, taken or never was does no harm. The
 * host sends none of these; here nothing stands between. */
#include "engine_probe.h"

#include <stdio.h>
#include <string.h>

enum {
    CALL = 300,
    MODULE = 7,
    LAPS = 4095 /* of a place, until its number comes again */
};

/* --- modules -------------------------------------------------------------------------- */

static struct engine_outcome *
compile_in(uint32_t context, uint32_t id, enum engine_module_kind kind, const char *text)
{
    struct engine_module module = {
        .id = id, .kind = kind, .source = { span_text(text), span_text("m.js"), 0, 0 }
    };

    engine_module_compile(context, CALL, ENGINE_IGNORE_RESULT, &module, fresh());
    return last_outcome();
}

static struct engine_outcome *
compile(uint32_t id, const char *text)
{
    return compile_in(1, id, ENGINE_MODULE_SOURCE, text);
}

static struct engine_outcome *
evaluate(uint32_t id)
{
    engine_module_run(CALL, 0, id, true, fresh());
    return last_outcome();
}

static bool
resolved(uint32_t request, uint32_t module)
{
    return engine_resolved(request, module, span_text("Error"), span_text("not found"));
}

/* Opens an import; the text that it fails with is `why` from then on, or "came". */
static uint32_t
import_begun(void)
{
    engine_loader(1, true);
    eval(
        "globalThis.why = ''; import('x').then(() => why = 'came', (e) => why = e.message); 0");
    return seen.imports;
}

static void
a_module_number_names_one_module(void)
{
    CHECK(compile(0, "")->end == ENGINE_BAD_ID);
    CHECK(is_undefined(compile(MODULE, "export const a = 1")));
    CHECK(compile(MODULE, "export const a = 2")->end == ENGINE_BAD_ID);
    CHECK(evaluate(MODULE + 1)->end == ENGINE_BAD_ID);
    CHECK(
        evaluate(MODULE)->end == ENGINE_VALUE && has_text(&last_outcome()->value, "\"\1aI\2"));
    engine_module_free(MODULE);
    engine_module_free(MODULE);
    CHECK(evaluate(MODULE)->end == ENGINE_BAD_ID);
    CHECK(compile_in(2, MODULE, ENGINE_MODULE_SOURCE, "")->end == ENGINE_BAD_ID);
}

static void
a_terminated_compilation_leaves_its_number_free(void)
{
    eval("WebAssembly.Module.imports = () => { for (;;); }");
    terminate_after(30);
    struct engine_module module = { .id = MODULE,
        .kind = ENGINE_MODULE_WASM,
        .source = { span_of("\0asm\1\0\0\0", 8), span_text("m.wasm"), 0, 0 } };
    engine_module_compile(1, CALL, 0, &module, fresh());
    CHECK(last_outcome()->end == ENGINE_TERMINATED);
    engine_terminate_cancel();
    CHECK(is_undefined(compile(MODULE, "")));
}

/* What is let go lives on as long as V8 wants it; nothing of it is freed twice, or used after. */
static void
modules_are_forgotten_by_collections_and_contexts(void)
{
    CHECK(engine_context_new(2));
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 1; i <= 400; i++) {
            CHECK(compile_in(2, i, i % 2 == 0 ? ENGINE_MODULE_JSON : ENGINE_MODULE_SOURCE,
                      i % 5 == 0 ? "{" : "[]")
                      ->end == (i % 5 == 0 ? ENGINE_THROWN : ENGINE_VALUE));
            if (i % 3 != 0)
                engine_module_free(i);
        }
        if (round > 0)
            engine_collect();
        if (round == 1)
            while (engine_pump())
                ;
        engine_context_free(2);
        CHECK(engine_context_new(2));
        CHECK(evaluate(3)->end == ENGINE_BAD_ID);
    }
}

static void
a_collected_module_is_not_taken_for_another(void)
{
    compile(1, "globalThis.url = () => import.meta.url");
    CHECK(evaluate(1)->end == ENGINE_VALUE);
    engine_module_free(1);
    for (uint32_t i = 2; i < 200; i++) {
        compile(i, "import.meta.url");
        engine_module_free(i);
    }
    engine_collect();
    CHECK(is_text(eval("url()"), "m.js"));
}

/* What runs goes on: no task is there to be stopped. */
static void
a_graph_survives_that_it_closes_its_context(void)
{
    static const char root[] = "import 'closing'; import n from 'json' with { type: 'json' };"
                               "import.meta.url; export { n }";

    CHECK(engine_context_new(2));
    engine_loader(2, true);
    engine_set_function(2, span_text("closes"), HOST_CLOSE, fresh());
    CHECK(is_undefined(compile_in(2, 1, ENGINE_MODULE_SOURCE, root)));
    CHECK(is_undefined(compile_in(2, 2, ENGINE_MODULE_SOURCE, "closes()")));
    CHECK(is_undefined(compile_in(2, 3, ENGINE_MODULE_JSON, "1")));
    engine_module_run(CALL, 0, 1, true, fresh());
    CHECK(last_outcome()->end == ENGINE_PENDING && seen.imports == 2);
    CHECK(resolved(1, 2) && resolved(2, 3));
    CHECK(seen.host_calls == 1 && evaluate(1)->end == ENGINE_BAD_ID);
    CHECK(is_int(eval("1 + 1"), 2));
}

/* --- imports -------------------------------------------------------------------------- */

static void
an_import_is_answered_once(void)
{
    uint32_t request = import_begun();

    CHECK(request == 1 && !resolved(request + 1, 0));
    CHECK(resolved(request, 0) && is_text(eval("why"), "not found"));
    CHECK(!resolved(request, 0));
}

static void
a_dropped_import_stays_open(void)
{
    uint32_t request = import_begun();

    engine_resolve_drop(request);
    engine_resolve_drop(request);
    CHECK(!resolved(request, 0) && is_text(eval("why"), ""));
}

static void
an_import_takes_no_module_that_is_not_there_for_it(void)
{
    CHECK(engine_context_new(2));
    CHECK(is_undefined(compile_in(2, MODULE, ENGINE_MODULE_SOURCE, "")));
    CHECK(resolved(import_begun(), MODULE));
    CHECK(is_text(eval("why"), "the module is one of another context"));
    engine_module_free(MODULE);
    CHECK(resolved(import_begun(), MODULE));
    CHECK(is_text(eval("why"), "the module has been closed"));
    CHECK(is_undefined(compile(MODULE, "")));
    CHECK(resolved(import_begun(), MODULE));
    CHECK(is_text(eval("why"), "came"));
}

/* Nobody has answered it, and nobody will. */
static void
an_open_import_keeps_no_context(void)
{
    struct engine_source code = { span_text("import('x'); 0"), span_text("a.js"), 0, 0 };
    struct engine_statistics statistics;

    CHECK(engine_context_new(2));
    engine_loader(2, true);
    engine_eval(2, CALL, ENGINE_IGNORE_RESULT, &code, fresh());
    CHECK(seen.imports == 1);
    engine_context_free(2);
    engine_collect();
    engine_measure(&statistics);
    CHECK(statistics.contexts == 1);
    CHECK(resolved(1, 0));
}

static void
a_loader_goes_with_its_context(void)
{
    struct engine_source code = { span_text("import('x'); 0"), span_text("a.js"), 0, 0 };

    for (uint32_t round = 0; round < 2; round++) {
        CHECK(engine_context_new(2));
        engine_eval(2, CALL, ENGINE_IGNORE_RESULT, &code, fresh());
        CHECK(seen.imports == round);
        engine_loader(2, true);
        engine_eval(2, CALL, ENGINE_IGNORE_RESULT, &code, fresh());
        CHECK(seen.imports == round + 1);
        engine_context_free(2);
    }
}

static void
a_referrer_that_cannot_cross_is_left_out(void)
{
    static char names[][NAME_BYTES_MAX + 2] = { "a.js", "a\0.js", "" };

    memset(names[2], 'a', NAME_BYTES_MAX + 1);
    engine_loader(1, true);
    for (size_t i = 0; i < COUNT(names); i++) {
        struct engine_source code = { span_text("import('x'); 0"),
            i == 1 ? span_of(names[i], 5) : span_text(names[i]), 0, 0 };
        engine_eval(1, CALL, ENGINE_IGNORE_RESULT, &code, fresh());
        CHECK(seen.imports == i + 1 && seen.import.len == 1);
        CHECK(seen.importer.len == (i == 0 ? 4 : 0));
    }
}

/* --- the others ----------------------------------------------------------------------- */

static void
arguments_are_counted(void)
{
    struct engine_source code = { span_text("return 1"), span_text("a.js"), 0, 0 };
    static const char one[] = "\4\0\0\0\xFF\x0FI\2";

    engine_closure(1, CALL, 0, &code, ARGUMENTS_MAX + 1, span_of("", 0), fresh());
    CHECK(last_outcome()->end == ENGINE_BAD_ID);
    engine_closure(1, CALL, 0, &code, 2, span_of(one, 8), fresh());
    CHECK(last_outcome()->end == ENGINE_NOT_CLONABLE);
    engine_closure(1, CALL, 0, &code, 1, span_of(one, 8), fresh());
    CHECK(is_int(last_outcome(), 1));
}

static void
operations_have_the_arguments_that_they_need(void)
{
    eval_flags("({ a: 1 })", ENGINE_AS_REFERENCE);
    struct engine_operation set = {
        .kind = ENGINE_SET, .reference = last_outcome()->reference, .key = span_text("a")
    };

    CHECK(set.reference != 0);
    engine_operate(CALL, 0, &set, fresh());
    CHECK(last_outcome()->end == ENGINE_TOO_BIG);
    set.kind = ENGINE_CALL_AS;
    engine_operate(CALL, 0, &set, fresh());
    CHECK(last_outcome()->end == ENGINE_TOO_BIG);
    set.kind = ENGINE_CALL;
    set.count = ARGUMENTS_MAX + 2;
    engine_operate(CALL, 0, &set, fresh());
    CHECK(last_outcome()->end == ENGINE_TOO_BIG);
}

static void
shared_memory_is_there_or_not(void)
{
    engine_set(1, span_text("it"), span_of("\xFF\x0Fu\0", 4), fresh());
    CHECK(last_outcome()->end != ENGINE_VALUE);
    static _Alignas(8) char bytes[8] = { 7 };
    engine_share(bytes, sizeof bytes);
    engine_set(1, span_text("it"), span_of("\xFF\x0Fu\1", 4), fresh());
    CHECK(last_outcome()->end != ENGINE_VALUE);
    engine_set(1, span_text("it"), span_of("\xFF\x0Fu\0", 4), fresh());
    CHECK(is_int(eval("new Uint8Array(it)[0]"), 7));
}

static void
functions_that_were_never_read_are_released_once(void)
{
    static const uint32_t ids[] = { 5, 9 };
    uint32_t released[4];

    engine_functions_given(span_of(ids, sizeof ids));
    engine_functions_unread();
    CHECK(engine_functions_released(released, COUNT(released)) == 2);
    engine_functions_unread();
    CHECK(engine_functions_released(released, COUNT(released)) == 0);
}

/* A place is used again at once; a number only after all laps of it. */
static void
a_freed_reference_is_not_its_successor(void)
{
    uint32_t first = eval_flags("1", ENGINE_AS_REFERENCE)->reference, number = first;

    for (uint32_t lap = 0; lap < LAPS; lap++) {
        struct engine_operation copy = { .kind = ENGINE_COPY, .reference = number };
        engine_reference_free(number);
        number = eval_flags("2", ENGINE_AS_REFERENCE)->reference;
        CHECK(number != 0 && (number == first) == (lap == LAPS - 1));
        engine_operate(CALL, 0, &copy, fresh());
        CHECK(last_outcome()->end == ENGINE_BAD_ID || number == first);
    }
    engine_reference_free(number);
    engine_operate(CALL, 0,
        &(struct engine_operation){ .kind = ENGINE_COPY, .reference = first }, fresh());
    CHECK(last_outcome()->end == ENGINE_BAD_ID);
}

const struct check number_checks[] = {
    { "a module number names one module", a_module_number_names_one_module, IN_CELL },
    { "a terminated compilation leaves its number free",
        a_terminated_compilation_leaves_its_number_free, IN_CELL },
    { "modules are forgotten by collections and contexts",
        modules_are_forgotten_by_collections_and_contexts, IN_CELL },
    { "a collected module is not taken for another",
        a_collected_module_is_not_taken_for_another, IN_CELL },
    { "a graph survives that it closes its context",
        a_graph_survives_that_it_closes_its_context, IN_CELL },
    { "an import is answered once", an_import_is_answered_once, IN_CELL },
    { "a dropped import stays open", a_dropped_import_stays_open, IN_CELL },
    { "an import takes no module that is not there for it",
        an_import_takes_no_module_that_is_not_there_for_it, IN_CELL },
    { "an open import keeps no context", an_open_import_keeps_no_context, IN_CELL },
    { "a loader goes with its context", a_loader_goes_with_its_context, IN_CELL },
    { "a referrer that cannot cross is left out", a_referrer_that_cannot_cross_is_left_out,
        IN_CELL },
    { "arguments are counted", arguments_are_counted, IN_CELL },
    { "operations have the arguments that they need",
        operations_have_the_arguments_that_they_need, IN_CELL },
    { "shared memory is there or not", shared_memory_is_there_or_not, IN_CELL },
    { "functions that were never read are released once",
        functions_that_were_never_read_are_released_once, IN_CELL },
    { "a freed reference is not its successor", a_freed_reference_is_not_its_successor,
        IN_CELL },
    { NULL, NULL, IN_CELL },
};
