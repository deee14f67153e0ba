/* What a guest and its host can do with each other: paths, calls, references, promises,
 * modules, exceptions, and what a guest finds around it. */
#include "engine_probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Arguments on the wire: a length and a clone each. */
#define ONE        "\4\0\0\0\xFF\x0FI\2"
#define TWO        "\4\0\0\0\xFF\x0FI\4"
#define ARGS(text) (text), sizeof(text) - 1

/* --- paths, calls, references --------------------------------------------------------- */

static struct engine_outcome *
get(const char *path)
{
    static struct engine_outcome out;

    engine_outcome_done(&out);
    engine_outcome_init(&out, MIB);
    engine_get(1, 1, 0, span_text(path), &out);
    return &out;
}

static void
paths_are_followed_from_the_global_object(void)
{
    eval("globalThis.a = { b: { c: 5, get d() { return this.c + 1 }, n: null } }");
    CHECK(is_int(get("a.b.c"), 5));
    CHECK(is_int(get("a.b.d"), 6));
    CHECK(is_undefined(get("a.b.missing")));
    CHECK(get("a.x.c")->end == ENGINE_BAD_ID);
    CHECK(get("a.b.n.c")->end == ENGINE_BAD_ID);
    CHECK(get("")->end == ENGINE_BAD_ID);
    CHECK(is_undefined(get(".")) || get(".")->end == ENGINE_BAD_ID);
    eval("globalThis.p = new Proxy({}, { get() { throw new TypeError('trapped') } })");
    CHECK(threw(get("p.q"), "TypeError", "trapped"));
    CHECK(threw(get("p.q.r"), "TypeError", "trapped"));
}

static void
functions_are_called_by_path_with_their_holder(void)
{
    eval("globalThis.o = { base: 10, add(a, b) { return this.base + a + b } };"
         "globalThis.sum = (...all) => all.reduce((a, b) => a + b, 0)");
    CHECK(is_int(call_path("o.add", ARGS(ONE TWO)), 13));
    CHECK(is_int(call_path("sum", ARGS(ONE ONE ONE ONE ONE ONE ONE ONE ONE TWO)), 11));
    CHECK(is_int(call_path("sum", "", 0), 0));
    CHECK(call_path("o.none", "", 0)->end == ENGINE_BAD_ID);
    CHECK(call_path("none.none", "", 0)->end == ENGINE_BAD_ID);
    CHECK(threw(call_path("o.base", "", 0), "TypeError", "not a function"));
    /* A length that goes past the end. */
    CHECK(call_path("sum", ARGS("\4\0\0\0\xFF\x0FI"))->end == ENGINE_NOT_CLONABLE);
}

static void
setting_needs_a_holder(void)
{
    struct engine_outcome out;

    engine_outcome_init(&out, MIB);
    eval("globalThis.a = { set s(v) { this.seen = v } }");
    engine_set(1, span_text("a.x"), span_of("\xFF\x0FI\2", 4), &out);
    CHECK(is_undefined(&out) && is_int(get("a.x"), 1));
    engine_set(1, span_text("a.s"), span_of("\xFF\x0FI\2", 4), &out);
    CHECK(is_int(get("a.seen"), 1));
    engine_set(1, span_text("none.x"), span_of("\xFF\x0FI\2", 4), &out);
    CHECK(out.end == ENGINE_BAD_ID);
    engine_outcome_done(&out);
}

static void
operate(enum engine_operation_kind kind, uint32_t reference, uint32_t count,
    struct span arguments, struct engine_outcome *out)
{
    engine_operate(1, 0,
        &(struct engine_operation){
            .kind = kind, .reference = reference, .count = count, .arguments = arguments },
        out);
}

static void
references_hold_values_until_they_are_freed(void)
{
    struct engine_outcome *out = eval_flags("(a, b) => a * 100 + b", ENGINE_AS_REFERENCE);
    uint32_t reference = out->reference, other;
    struct engine_outcome result;

    CHECK(out->end == ENGINE_REFERENCE && reference != 0);
    engine_collect();
    engine_outcome_init(&result, MIB);
    operate(ENGINE_CALL, reference, 2, span_of(ARGS(ONE TWO)), &result);
    CHECK(is_int(&result, 102));
    engine_reference_free(reference);
    engine_reference_free(reference);
    engine_reference_free(0);
    engine_reference_free(UINT32_MAX);
    /* The next one takes its place, but not its number. */
    other = eval_flags("() => 7", ENGINE_AS_REFERENCE)->reference;
    CHECK(other != reference);
    operate(ENGINE_CALL, reference, 0, span_text(""), &result);
    CHECK(result.end == ENGINE_BAD_ID);
    operate(ENGINE_CALL, 0, 0, span_text(""), &result);
    CHECK(result.end == ENGINE_BAD_ID);
    result.end = ENGINE_VALUE;
    result.value.len = 0;
    operate(ENGINE_CALL, other, 0, span_text(""), &result);
    CHECK(is_int(&result, 7));
    engine_outcome_done(&result);
}

/* --- host functions ------------------------------------------------------------------- */

static void
host_functions_answer_throw_and_nest(void)
{
    give("echo", HOST_ECHO);
    give("fail", HOST_THROW);
    give("custom", HOST_CUSTOM);
    give("again", HOST_NESTED);
    CHECK(is_int(eval("echo(41) + 1"), 42));
    CHECK(is_text(eval("echo({ a: ['x'] }).a[0]"), "x"));
    CHECK(is_text(eval("echo.name + echo.length"), "echo0"));
    CHECK(is_text(eval("try { fail() } catch (e) { `${e instanceof TypeError} ${e.message}` }"),
        "true host says no"));
    CHECK(
        is_text(eval("try { custom() } catch (e) { `${e}` }"), "OutOfCheese: redo from start"));
    CHECK(is_text(eval("try { echo(() => 1) } catch (e) { e.name }"), "DataCloneError"));
    CHECK(is_text(eval("try { new echo() } catch (e) { e.name }"), "TypeError"));
    CHECK(is_int(
        eval("let n = 5; globalThis.nested = () => n-- > 0 ? again() + 1 : 0; again()"), 5));
    CHECK(is_int(eval("echo({ get a() { return echo(3) } }).a"), 3));
}

static void
an_uncaught_host_failure_is_told_apart(void)
{
    give("fail", HOST_THROW);
    struct engine_outcome *out = eval("\nfail()");
    CHECK(threw(out, "TypeError", "host says no") && out->exception.from_host);
    CHECK(out->exception.line == 2 && has_text(&out->exception.stack, "probe.js:2"));
    out = eval("try { fail() } catch (e) { throw e }");
    CHECK(out->end == ENGINE_THROWN && out->exception.from_host);
    out = eval("try { fail() } catch (e) { throw new TypeError(e.message) }");
    CHECK(threw(out, "TypeError", "host says no") && !out->exception.from_host);
    out = eval("(async () => fail())()");
    out = eval_flags("(async () => { await 1; fail() })()", ENGINE_AWAIT);
    CHECK(out->end == ENGINE_THROWN && out->exception.from_host);
    out = eval("throw new Proxy(new Error('x'), {})");
    CHECK(out->end == ENGINE_THROWN && !out->exception.from_host);
}

static void
microtasks_wait_until_the_outermost_call_returns(void)
{
    give("echo", HOST_ECHO);
    give("again", HOST_NESTED);
    eval("globalThis.log = ''; globalThis.nested = () => {"
         "  Promise.resolve().then(() => log += 'b'); return 0 };");
    CHECK(is_text(
        eval("Promise.resolve().then(() => log += 'a'); echo(1); again(); log += '|'"), "|"));
    CHECK(is_text(eval("log"), "|ab"));
}

static void
a_host_can_stop_its_guest(void)
{
    give("stop", HOST_STOP);
    CHECK(eval("try { stop() } finally { for (;;); }")->end == ENGINE_TERMINATED);
    engine_terminate_cancel();
    CHECK(is_int(eval("1 + 1"), 2));
}

/* --- promises ------------------------------------------------------------------------- */

static void
promises_are_awaited(void)
{
    CHECK(is_int(eval_flags("(async () => { await 0; return 6 })()", ENGINE_AWAIT), 6));
    CHECK(is_int(eval_flags("7", ENGINE_AWAIT), 7));
    struct engine_outcome *out =
        eval_flags("(async () => { await 0; null.x })()", ENGINE_AWAIT);
    CHECK(threw(out, "TypeError", "null") && out->exception.line == 1);
    CHECK(has_text(&out->exception.file, "probe.js"));
    CHECK(eval_flags("Promise.reject(5)", ENGINE_AWAIT)->end == ENGINE_THROWN);
    CHECK(seen.settled == 0);
}

static void
open_promises_are_told_of_once(void)
{
    struct engine_answer answer = { ENGINE_ANSWER_VALUE, span_of("\xFF\x0FI\4", 4), { 0 },
        { 0 }, 0 };

    give("later", HOST_PROMISE);
    /* A guest's own `then` has no part in it. */
    eval("Promise.prototype.then = () => { throw 1 }; Promise.prototype.catch = null;");
    CHECK(eval_flags("(async () => { const v = await later(); return [v, v] })()", ENGINE_AWAIT)
              ->end == ENGINE_PENDING);
    CHECK(engine_settle(77, &answer) && !engine_settle(77, &answer) &&
          !engine_settle(78, &answer));
    CHECK(seen.settled == 1 && seen.settlements[0].call == 100 &&
          seen.settlements[0].end == ENGINE_VALUE);
    CHECK(seen.settlements[0].value.len == 11 && memcmp(seen.settlements[0].value.p,
                                                     "\xFF\x0F"
                                                     "A\2I\4I\4$\0\2",
                                                     11) == 0);
    answer = (struct engine_answer){ .kind = ENGINE_ANSWER_THROW,
        .message = span_text("changed its mind") };
    CHECK(eval_flags("later()", ENGINE_AWAIT)->end == ENGINE_PENDING);
    CHECK(engine_settle(77, &answer));
    CHECK(seen.settled == 2 && seen.settlements[1].end == ENGINE_THROWN);
    /* Nobody waits any more. */
    CHECK(eval_flags("later()", ENGINE_AWAIT)->end == ENGINE_PENDING);
    engine_abandon(100);
    CHECK(engine_settle(77, &answer) && seen.settled == 2);
}

static void
tasks_of_v8_run_in_the_pump(void)
{
    CHECK(engine_next_task_us() > 0);
    CHECK(eval_flags("const i32 = new Int32Array(new SharedArrayBuffer(4));"
                     "Atomics.waitAsync(i32, 0, 0, 20).value",
              ENGINE_AWAIT)
              ->end == ENGINE_PENDING);
    CHECK(engine_next_task_us() <= 20000);
    while (seen.settled == 0) {
        (void)usleep(1000);
        (void)engine_pump();
    }
    /* A compilation is one task that has nothing to wait for. */
    CHECK(is_true(eval_flags("WebAssembly.compile(new Uint8Array([0,97,115,109,1,0,0,0]))"
                             "  .then(m => m instanceof WebAssembly.Module)",
        ENGINE_AWAIT)));
}

/* --- modules -------------------------------------------------------------------------- */

static void
modules_run_without_imports(void)
{
    CHECK(is_undefined(eval_flags("globalThis.m = await (async () => 5)(); export default 1",
        ENGINE_MODULE | ENGINE_AWAIT)));
    CHECK(is_int(eval("m"), 5));
    CHECK(is_undefined(
        eval_flags("globalThis.self = typeof this + Object.keys(import.meta)", ENGINE_MODULE)));
    CHECK(is_text(eval("self"), "undefined"));
    struct engine_outcome *out = eval_flags("import fs from 'fs'", ENGINE_MODULE);
    CHECK(threw(out, "Error", "cannot import 'fs'"));
    out = eval_flags("\n  throw new RangeError('top')", ENGINE_MODULE);
    CHECK(threw(out, "RangeError", "top") && out->exception.line == 2);
    CHECK(threw(eval_flags("let", ENGINE_MODULE), "SyntaxError", "Unexpected"));
    CHECK(threw(eval_flags("import('fs')", ENGINE_AWAIT), "Error", "cannot import 'fs'"));
    CHECK(threw(eval_flags("await import('./x.js')", ENGINE_AWAIT | ENGINE_MODULE), "Error",
        "cannot import './x.js'"));
    give("later", HOST_PROMISE);
    CHECK(is_undefined(eval_flags("await later()", ENGINE_MODULE)));
    CHECK(eval_flags("await later()", ENGINE_MODULE | ENGINE_AWAIT)->end == ENGINE_PENDING);
}

/* --- exceptions ----------------------------------------------------------------------- */

static void
exceptions_say_what_and_where(void)
{
    struct engine_source code = { span_text("one();\n  two(null.x)"), span_text("lib/a.js"), 10,
        0 };
    struct engine_outcome out;

    eval("globalThis.one = () => {}");
    engine_outcome_init(&out, MIB);
    engine_eval(1, 1, 0, &code, &out);
    CHECK(threw(&out, "ReferenceError", "two is not defined") ||
          threw(&out, "TypeError", "reading 'x'"));
    CHECK(out.exception.line == 12 && out.exception.column > 2);
    CHECK(has_text(&out.exception.file, "lib/a.js"));
    CHECK(has_text(&out.exception.source_line, "  two(null.x)"));
    CHECK(has_text(&out.exception.stack, "at lib/a.js:12:"));
    CHECK(out.value.len > 0); /* an Error can be copied */
    engine_outcome_done(&out);
    struct engine_outcome *last = eval("let x = ;");
    CHECK(threw(last, "SyntaxError", "Unexpected token ';'") && last->exception.line == 1 &&
          last->exception.column == 9);
    CHECK(threw(eval("class Mine extends RangeError { name = 'Mine' }; throw new Mine('m')"),
        "Mine", "m"));
    CHECK(threw(
        eval("class Other extends TypeError {}; throw new Other('o')"), "TypeError", "o"));
}

static void
anything_can_be_thrown(void)
{
    CHECK(threw(eval("throw 42"), "", "Uncaught 42"));
    CHECK(threw(eval("throw 'text'"), "", "Uncaught text"));
    CHECK(threw(eval("throw undefined"), "", "Uncaught undefined"));
    CHECK(threw(eval("throw Symbol('s')"), "", "Symbol(s)"));
    CHECK(threw(eval("throw { a: 1 }"), "", "#<Object>"));
    CHECK(threw(eval("throw Object.create(null)"), "", "Uncaught"));
    CHECK(threw(eval("throw () => 1"), "", "Uncaught () => 1"));
    CHECK(threw(
        eval("const r = Proxy.revocable({}, {}); r.revoke(); throw r.proxy"), "", "Uncaught"));
    CHECK(eval("throw 'x'.repeat(2 ** 24)")->end == ENGINE_THROWN);
    CHECK(
        eval("throw new Error('y'.repeat(1e6))")->exception.message.len <= EXCEPTION_TEXT_MAX);
}

static void
telling_of_an_exception_runs_no_getters(void)
{
    eval("globalThis.ran = []; globalThis.note = k => ({ get() { ran.push(k); return k } })");
    eval("const e = new Error('m'); Object.defineProperty(e, 'name', note('name'));"
         "Object.defineProperty(e, 'message', note('message')); globalThis.e = e");
    struct engine_outcome *out =
        eval("throw new Proxy(e, { get(t, k) { ran.push('p' + k) } })");
    CHECK(out->end == ENGINE_THROWN);
    /* The copy of the exception reads properties, as any copy does; the texts don't. */
    eval("ran.length = 0; Object.defineProperty(e, 'toJSON', note('toJSON'))");
    out = eval("throw e");
    CHECK(out->end == ENGINE_THROWN && has_text(&out->exception.name, "Error"));
    CHECK(!has_text(&out->exception.name, "name"));
    /* A hostile prepareStackTrace costs the stack, not the call. */
    eval("Error.prepareStackTrace = () => { throw 1 }");
    out = eval("null.x");
    CHECK(threw(out, "TypeError", "null"));
    eval("Error.prepareStackTrace = () => 'z'.repeat(1e6)");
    out = eval("null.x");
    CHECK(threw(out, "TypeError", "null"));
    CHECK(out->exception.stack.len > 0 && out->exception.stack.len <= EXCEPTION_TEXT_MAX);
    eval("Error.prepareStackTrace = undefined; Error.stackTraceLimit = 0");
    CHECK(threw(eval("null.x"), "TypeError", "null"));
}

/* --- what a guest finds --------------------------------------------------------------- */

static void
global_names_are_the_pinned_ones(void)
{
    FILE *file = fopen(globals_path, "r");
    char pinned[8192];

    CHECK(file != NULL);
    size_t length = fread(pinned, 1, sizeof pinned - 1, file);
    (void)fclose(file);
    pinned[length] = '\0';
    struct engine_outcome *out =
        eval("Reflect.ownKeys(globalThis).map(String).sort().join('\\n') + '\\n'");
    if (!is_text(out, pinned))
        printf("# %.*s\n", (int)out->value.len - 5, (char *)out->value.p + 5);
    CHECK(is_text(out, pinned));
}

static void
a_guest_cannot_cause_collections(void)
{
    CHECK(is_text(eval("typeof gc"), "undefined"));
    CHECK(threw(eval("%CollectGarbage()"), "SyntaxError", ""));
    CHECK(threw(eval("new Function('%GetHeapUsage()')"), "SyntaxError", ""));
    CHECK(is_text(eval("typeof process + typeof require + typeof d8 + typeof setTimeout"),
        "undefinedundefinedundefinedundefined"));
}

static void
the_warm_context_shows_no_trace_of_the_warm_up(void)
{
    CHECK(is_text(eval("RegExp.$1 + RegExp.lastMatch + RegExp.input"), ""));
    CHECK(
        is_text(eval("Object.getOwnPropertyNames(Math.random).sort().join()"), "length,name"));
    CHECK(is_text(
        eval("String(Error.stackTraceLimit) + typeof Error.prepareStackTrace"), "10undefined"));
    CHECK(is_true(eval("Object.getOwnPropertyNames(Object.prototype).length === 12")));
}

static void
deep_recursion_is_a_range_error(void)
{
    CHECK(is_true(eval("let d = 0; const f = () => { d++; f() };"
                       "try { f() } catch (e) { e instanceof RangeError && d > 1000 }")));
    CHECK(threw(eval("(function g() { g() })()"), "RangeError", "call stack"));
    CHECK(is_true(eval("try { JSON.parse('['.repeat(1e6)) } catch (e) { true }")));
    give("again", HOST_NESTED);
    CHECK(is_true(eval("globalThis.nested = () => { again() };"
                       "try { again() } catch (e) { e instanceof Error }")));
    CHECK(is_int(eval("1 + 1"), 2));
}

static void
statistics_are_plausible(void)
{
    struct engine_statistics before, after;

    engine_collect();
    engine_measure(&before);
    CHECK(before.heap_used > 100 * KIB && before.heap_used < before.heap_total);
    CHECK(before.heap_limit == PROBE_MEMORY * MIB && before.contexts == 1);
    CHECK(before.external < MIB);
    CHECK(engine_context_new(2));
    eval("globalThis.a = new ArrayBuffer(5 << 20); globalThis.w = new WebAssembly.Memory({"
         "initial: 32 }); globalThis.r = new ArrayBuffer(1 << 20, { maxByteLength: 1 << 30 });"
         "r.resize(3 << 20); globalThis.l = Array(1 << 20).fill(0.5)");
    engine_measure(&after);
    CHECK(after.contexts == 2);
    CHECK(after.external - before.external == 10 * MIB);
    CHECK(after.heap_used - before.heap_used > 8 * MIB);
    eval("r.resize(1 << 20); a = null; l = null");
    engine_collect();
    engine_measure(&after);
    CHECK(after.external - before.external == 3 * MIB && after.external_peak >= 10 * MIB);
    CHECK(after.collections > before.collections && after.collection_us > 0);
    CHECK(after.heap_used < before.heap_used + MIB);
}

const struct check guest_checks[] = {
    { "paths are followed from the global object", paths_are_followed_from_the_global_object,
        IN_CELL },
    { "functions are called by path with their holder",
        functions_are_called_by_path_with_their_holder, IN_CELL },
    { "setting needs a holder", setting_needs_a_holder, IN_CELL },
    { "references hold values until they are freed",
        references_hold_values_until_they_are_freed, IN_CELL },
    { "host functions answer, throw and nest", host_functions_answer_throw_and_nest, IN_CELL },
    { "an uncaught host failure is told apart", an_uncaught_host_failure_is_told_apart,
        IN_CELL },
    { "microtasks wait until the outermost call returns",
        microtasks_wait_until_the_outermost_call_returns, IN_CELL },
    { "a host can stop its guest", a_host_can_stop_its_guest, IN_CELL },
    { "promises are awaited", promises_are_awaited, IN_CELL },
    { "open promises are told of once", open_promises_are_told_of_once, IN_CELL },
    { "tasks of V8 run in the pump", tasks_of_v8_run_in_the_pump, IN_CELL },
    { "modules run without imports", modules_run_without_imports, IN_CELL },
    { "exceptions say what and where", exceptions_say_what_and_where, IN_CELL },
    { "anything can be thrown", anything_can_be_thrown, IN_CELL },
    { "telling of an exception runs no getters", telling_of_an_exception_runs_no_getters,
        IN_CELL },
    { "global names are the pinned ones", global_names_are_the_pinned_ones, IN_CELL },
    { "a guest cannot cause collections", a_guest_cannot_cause_collections, IN_CELL },
    { "the warm context shows no trace of the warm-up",
        the_warm_context_shows_no_trace_of_the_warm_up, IN_CELL },
    { "deep recursion is a RangeError", deep_recursion_is_a_range_error, IN_CELL },
    { "statistics are plausible", statistics_are_plausible, IN_CELL },
    { NULL, NULL, IN_CELL },
};
