/* What a debugger is used for, through inspector sessions: breakpoints, steps, exceptions, live
 * edit, contexts, modules, consoles that flood, and the heap. */
#include "cdp_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct client c;

/* --- what is asked again and again ----------------------------------------------------------- */

static void
ask(int id, const char *method, const char *params)
{
    char *command;

    cr_assert_gt(asprintf(&command, "{\"id\":%d,\"method\":\"%s\",\"params\":{%s}}", id, method,
                     params == NULL ? "" : params),
        0);
    say(&c, command);
    free(command);
}

static const gbx_value *
answer(int id, const char *method, const char *params)
{
    ask(id, method, params);
    return answer_to(&c, id);
}

/* The next pause: in this function, on this line counted from 0. */
static const gbx_value *
pauses_in(const char *function, int line)
{
    const gbx_value *paused = event(&c, "Debugger.paused");

    cr_assert(is_text(at(paused, "params.callFrames.0.functionName"), function), "not in %s",
        function);
    double at_line = number_of(at(paused, "params.callFrames.0.location.lineNumber"));
    cr_assert_eq(at_line, line, "on line %g, not %d", at_line, line);
    return paused;
}

static gbx_future *
run_file(struct world *w, const char *file, const char *source, uint32_t flags)
{
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;

    options.file = file;
    options.flags = flags;
    return gbx_context_eval(w->context, source, strlen(source), &options);
}

static void
debug(struct world *w)
{
    client_open(&c, w);
    (void)answer(1, "Runtime.enable", NULL);
    (void)answer(2, "Debugger.enable", NULL);
}

static void
done(struct world *w)
{
    client_close(&c);
    expect_usable(w);
    world_close(w);
}

/* --- breakpoints ----------------------------------------------------------------------------- */

CleanTest(session, breakpoints_may_come_before_their_script)
{
    struct world w = world_open(NULL);

    debug(&w);
    const gbx_value *set =
        answer(3, "Debugger.setBreakpointByUrl", "\"url\":\"later.js\",\"lineNumber\":1");
    cr_assert_eq(gbx_value_length(at(set, "result.locations")), 0);
    (void)answer(4, "Debugger.setBreakpointByUrl",
        "\"urlRegex\":\"lat[a-z]+\\\\.js\",\"lineNumber\":4,\"condition\":\"i === 3\"");
    (void)answer(5, "Debugger.setBreakpointByUrl",
        "\"url\":\"later.js\",\"lineNumber\":5,"
        "\"condition\":\"console.log('saw', i), false\"");
    gbx_future *call = run_file(&w, "later.js",
        "function f() {\n"
        "  let sum = 0;\n"
        "  for (let i = 0;\n"
        "       i < 5; i++) {\n"
        "    sum += i;\n"
        "    sum += 0;\n"
        "  }\n"
        "  return sum;\n"
        "}\n"
        "f()",
        0);
    (void)pauses_in("f", 1);
    (void)answer(6, "Debugger.resume", NULL);
    size_t before = c.taken;
    const gbx_value *paused = pauses_in("f", 4);
    size_t logged = 0;
    for (size_t i = before; i < c.taken; i++)
        logged += is_text(at(c.messages[i], "method"), "Runtime.consoleAPICalled");
    cr_assert_eq(logged, 3); /* logpoints: i is 0, 1, 2 */
    const char *frame = NULL;
    cr_assert_eq(
        gbx_value_get_string(at(paused, "params.callFrames.0.callFrameId"), &frame, NULL),
        GBX_OK);
    char params[256];
    (void)snprintf(params, sizeof params,
        "\"callFrameId\":\"%s\",\"expression\":\"[i, sum]\","
        "\"returnByValue\":true",
        frame);
    const gbx_value *seen = answer(7, "Debugger.evaluateOnCallFrame", params);
    cr_assert_eq(number_of(at(seen, "result.result.value.0")), 3);
    cr_assert_eq(number_of(at(seen, "result.result.value.1")), 3);
    (void)snprintf(params, sizeof params,
        "\"callFrameId\":\"%s\",\"scopeNumber\":0,"
        "\"variableName\":\"i\",\"newValue\":{\"value\":4}",
        frame);
    (void)answer(8, "Debugger.setVariableValue", params);
    (void)answer(9, "Debugger.resume", NULL);
    cr_assert_eq(settle_number(call), 7); /* 0 + 1 + 2 + 4 */
    done(&w);
}

CleanTest(session, steps_into_and_out_of_async_functions)
{
    struct world w = world_open(NULL);

    debug(&w);
    (void)answer(3, "Debugger.setAsyncCallStackDepth", "\"maxDepth\":32");
    gbx_future *call = run_file(&w, "async.js",
        "async function inner(x) {\n"
        "  await null;\n"
        "  return x + 1;\n"
        "}\n"
        "async function outer() {\n"
        "  debugger;\n"
        "  const y = await inner(1);\n"
        "  return y * 2;\n"
        "}\n"
        "outer()",
        GBX_AWAIT);
    (void)pauses_in("outer", 5);
    ask(4, "Debugger.stepOver", NULL);
    (void)pauses_in("outer", 6);
    ask(5, "Debugger.stepInto", NULL);
    (void)pauses_in("inner", 1);
    ask(6, "Debugger.stepOver", NULL); /* over the await: it goes on in the microtask */
    const gbx_value *paused = pauses_in("inner", 2);
    cr_assert(is_text(at(paused, "params.asyncStackTrace.description"), "await"));
    cr_assert(is_text(at(paused, "params.asyncStackTrace.callFrames.0.functionName"), "outer"));
    ask(7, "Debugger.stepOut", NULL); /* to where the function goes on that awaits it */
    (void)pauses_in("outer", 7);
    (void)answer(9, "Debugger.resume", NULL);
    cr_assert_eq(settle_number(call), 4);
    done(&w);
}

CleanTest(session, pauses_on_exceptions)
{
    struct world w = world_open(NULL);
    static const char source[] = "function f() {\n"
                                 "  try { throw new Error('caught') } catch {}\n"
                                 "  throw new RangeError('loose');\n"
                                 "}\n"
                                 "f()";

    debug(&w);
    (void)answer(3, "Debugger.setPauseOnExceptions", "\"state\":\"uncaught\"");
    gbx_future *call = run_file(&w, "throws.js", source, 0);
    const gbx_value *paused = pauses_in("f", 2);
    cr_assert(is_text(at(paused, "params.reason"), "exception"));
    cr_assert(is_text(at(paused, "params.data.className"), "RangeError"));
    (void)answer(4, "Debugger.resume", NULL);
    settle(call, GBX_ETHROW);
    const gbx_value *thrown = event(&c, "Runtime.exceptionThrown");
    cr_assert(is_text(at(thrown, "params.exceptionDetails.url"), "throws.js"));
    cr_assert_eq(number_of(at(thrown, "params.exceptionDetails.lineNumber")), 2);
    cr_assert(is_text(at(thrown, "params.exceptionDetails.text"), "Uncaught"));
    cr_assert(is_text(at(thrown, "params.exceptionDetails.exception.className"), "RangeError"));
    cr_assert_not_null(at(thrown, "params.exceptionDetails.scriptId"));
    cr_assert_gt(
        gbx_value_length(at(thrown, "params.exceptionDetails.stackTrace.callFrames")), 0);
    (void)answer(5, "Debugger.setPauseOnExceptions", "\"state\":\"all\"");
    call = run_file(&w, "throws.js", source, 0);
    (void)pauses_in("f", 1);
    (void)answer(6, "Debugger.resume", NULL);
    (void)pauses_in("f", 2);
    (void)answer(7, "Debugger.resume", NULL);
    settle(call, GBX_ETHROW);
    done(&w);
}

/* The object of the exception that a session is told of. */
static const gbx_value *
told_of(struct world *w, const char *source)
{
    settle(run_file(w, "told.js", source, 0), GBX_ETHROW);
    return at(event(&c, "Runtime.exceptionThrown"), "params.exceptionDetails.exception");
}

CleanTest(session, is_given_what_was_thrown_to_look_into)
{
    struct world w = world_open(NULL);
    const char *id = NULL;
    char params[256];

    debug(&w);
    const gbx_value *thrown = told_of(&w, "throw { deep: { answer: 42 } }");
    cr_assert_eq(gbx_value_get_string(at(thrown, "objectId"), &id, NULL), GBX_OK);
    (void)snprintf(params, sizeof params,
        "\"objectId\":\"%s\",\"returnByValue\":true,"
        "\"functionDeclaration\":\"function () { return this.deep.answer }\"",
        id);
    const gbx_value *got = answer(3, "Runtime.callFunctionOn", params);
    cr_assert_eq(number_of(at(got, "result.result.value")), 42);
    cr_assert_eq(number_of(at(told_of(&w, "throw 7"), "value")), 7);
    thrown = told_of(&w, "null.x");
    cr_assert(is_text(at(thrown, "subtype"), "error"));
    cr_assert(is_text(at(thrown, "className"), "TypeError"));
    done(&w);
}

CleanTest(session, edits_a_script_that_lives)
{
    struct world w = world_open(NULL);
    const char *id = NULL;
    char params[256];

    debug(&w);
    eval_only(w.context, "0");
    settle(run_file(&w, "edited.js",
               "function answer() { return 41 }\n//# "
               "sourceMappingURL=http://169.254.169.254/m.map",
               0),
        GBX_OK);
    const gbx_value *parsed = event(&c, "Debugger.scriptParsed");
    while (!is_text(at(parsed, "params.url"), "edited.js"))
        parsed = event(&c, "Debugger.scriptParsed");
    /* Passed on, and fetched by nobody here. */
    cr_assert(is_text(at(parsed, "params.sourceMapURL"), "http://169.254.169.254/m.map"));
    cr_assert_eq(gbx_value_get_string(at(parsed, "params.scriptId"), &id, NULL), GBX_OK);
    cr_assert_eq(eval_number(w.context, "answer()"), 41);
    (void)snprintf(params, sizeof params,
        "\"scriptId\":\"%s\",\"scriptSource\":"
        "\"function answer() { return 42 }\"",
        id);
    cr_assert(
        is_text(at(answer(3, "Debugger.setScriptSource", params), "result.status"), "Ok"));
    cr_assert_eq(eval_number(w.context, "answer()"), 42);
    done(&w);
}

/* --- contexts and modules -------------------------------------------------------------------- */

CleanTest(session, contexts_come_and_go_by_name)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    gbx_context *second = NULL, *third = NULL;
    char params[128];

    options.name = "M\xc3\xbcller";
    struct world w = world_open(&options);
    cr_assert_eq(gbx_context_open(w.isolate, &second, NULL), GBX_OK);
    eval_only(second, "where = 'second'");
    client_open(&c, &w);
    ask(1, "Runtime.enable", NULL);
    const gbx_value *one = event(&c, "Runtime.executionContextCreated");
    const gbx_value *two = event(&c, "Runtime.executionContextCreated");
    bool swapped = !is_text(at(one, "params.context.name"), "M\xc3\xbcller");
    const gbx_value *other = swapped ? one : two;
    cr_assert(is_text(at(swapped ? two : one, "params.context.name"), "M\xc3\xbcller"));
    cr_assert(is_text(at(other, "params.context.name"), "M\xc3\xbcller, context 2"));
    cr_assert(is_text(at(other, "params.context.origin"), "glovebox://M\xc3\xbcller"));
    double number = number_of(at(other, "params.context.id"));
    (void)snprintf(
        params, sizeof params, "\"expression\":\"where\",\"contextId\":%.0f", number);
    cr_assert(
        is_text(at(answer(2, "Runtime.evaluate", params), "result.result.value"), "second"));
    cr_assert_eq(gbx_context_open(w.isolate, &third, NULL), GBX_OK);
    cr_assert(is_text(at(event(&c, "Runtime.executionContextCreated"), "params.context.name"),
        "M\xc3\xbcller, context 3"));
    gbx_context_close(second);
    cr_assert_eq(number_of(at(event(&c, "Runtime.executionContextDestroyed"),
                     "params.executionContextId")),
        number);
    ask(3, "Runtime.evaluate", params);
    cr_assert_not_null(at(next_message(&c, 3, NULL), "error.message"));
    gbx_context_close(third);
    done(&w);
}

CleanTest(session, modules_show_and_can_be_broken_in)
{
    struct world w = world_open(NULL);
    debug(&w);
    gbx_module_options options = GBX_MODULE_OPTIONS_INIT;
    static const char source[] = "export function twice(x) {\n  return x * 2;\n}\n";
    gbx_module *module = NULL;
    gbx_value *four = gbx_value_new_int32(4);

    options.name = "app:/lib/twice.mjs";
    (void)answer(
        3, "Debugger.setBreakpointByUrl", "\"url\":\"app:/lib/twice.mjs\",\"lineNumber\":1");
    settle(gbx_module_compile(w.context, source, strlen(source), &options, &module), GBX_OK);
    settle(gbx_module_evaluate(module, NULL), GBX_OK);
    const gbx_value *parsed = event(&c, "Debugger.scriptParsed");
    while (!is_text(at(parsed, "params.url"), "app:/lib/twice.mjs"))
        parsed = event(&c, "Debugger.scriptParsed");
    int32_t is_module = 0;
    cr_assert_eq(gbx_value_get_boolean(at(parsed, "params.isModule"), &is_module), GBX_OK);
    cr_assert(is_module);
    gbx_future *call =
        gbx_module_call(module, "twice", (const gbx_value *const[]){ four }, 1, NULL);
    (void)pauses_in("twice", 1);
    (void)answer(4, "Debugger.resume", NULL);
    cr_assert_eq(settle_number(call), 8);
    gbx_value_free(four);
    gbx_module_close(module);
    done(&w);
}

/* --- a console that floods ------------------------------------------------------------------- */

struct flood {
    size_t shown, dropped, notices, bytes;
};

static void
count_lines(gbx_inspector *inspector, const char *json, size_t len, void *data)
{
    static const char called[] = "{\"method\":\"Runtime.consoleAPICalled\"";
    static const char notice[] = "\"glovebox: ";
    struct flood *flood = data;

    (void)inspector;
    flood->bytes += len;
    if (len < sizeof called || memcmp(json, called, sizeof called - 1) != 0)
        return;
    const char *told = memmem(json, len, notice, sizeof notice - 1);
    if (told == NULL) {
        flood->shown++;
    } else {
        flood->notices++;
        flood->dropped += strtoul(told + sizeof notice - 1, NULL, 10);
    }
}

/* Each line is seen or counted, none is lost, and little of it is held anywhere. */
CleanTest(session, a_console_that_floods_is_told_of_in_numbers)
{
    static const char enable[] = "{\"id\":1,\"method\":\"Runtime.enable\"}";
    enum {
        LINES = 10000000
    };
    struct world w = world_open(NULL);
    struct flood flood = { 0 };
    gbx_inspector *inspector = NULL;
    char source[128];

    cr_assert_eq(gbx_inspector_open(w.isolate, count_lines, &flood, &inspector, NULL), GBX_OK);
    cr_assert_eq(gbx_inspector_send(inspector, enable, sizeof enable - 1), GBX_OK);
    (void)snprintf(source, sizeof source,
        "for (let i = 0; i < %d; i++) console.log('line', i, { i })", LINES);
    eval_only(w.context, source);
    /* What was left out at the end is told when it is quiet. */
    while (flood.shown + flood.dropped < LINES)
        cr_assert_eq(gbx_runtime_dispatch(w.runtime, 20000000), GBX_OK);
    cr_assert_eq(flood.shown + flood.dropped, LINES);
    cr_assert_geq(flood.shown, 1000);
    cr_assert_geq(flood.notices, 1);
    /* Some thousand lines a second, and not all. */
    cr_assert_lt(flood.shown, LINES / 2);
    cr_assert_lt(flood.bytes, flood.shown * 4096);
    gbx_inspector_close(inspector);
    expect_usable(&w);
    world_close(&w);
}

/* --- the heap -------------------------------------------------------------------------------- */

CleanTest(session, profiles_the_heap_by_samples)
{
    struct world w = world_open(NULL);

    debug(&w);
    (void)answer(3, "HeapProfiler.enable", NULL);
    (void)answer(4, "HeapProfiler.startSampling", "\"samplingInterval\":1024");
    eval_only(w.context,
        "function hoard() { return Array.from({length: 20000}, () => [1, 2, 3]) }\n"
        "kept = hoard()");
    const gbx_value *profile = answer(5, "HeapProfiler.stopSampling", NULL);
    cr_assert_gt(gbx_value_length(at(profile, "result.profile.head.children")), 0);
    cr_assert_gt(gbx_value_length(at(profile, "result.profile.samples")), 10);
    done(&w);
}

static double
used_bytes(int id)
{
    return number_of(at(answer(id, "Runtime.getHeapUsage", NULL), "result.usedSize"));
}

CleanTest(session, follows_objects_in_the_heap)
{
    struct world w = world_open(NULL);
    const char *text = NULL;
    char params[256];

    debug(&w);
    (void)answer(3, "HeapProfiler.enable", NULL);
    /* The timeline speaks while nothing runs, and stops when it is told to. */
    (void)answer(4, "HeapProfiler.startTrackingHeapObjects", "\"trackAllocations\":true");
    eval_only(
        w.context, "class Needle {}; needles = Array.from({length: 1000}, () => new Needle())");
    (void)event(&c, "HeapProfiler.heapStatsUpdate");
    (void)event(&c, "HeapProfiler.lastSeenObjectId");
    (void)answer(5, "HeapProfiler.stopTrackingHeapObjects", "\"reportProgress\":false");
    const gbx_value *needle = answer(
        6, "Runtime.evaluate", "\"expression\":\"needles[0].name = 'the one', needles[0]\"");
    cr_assert_eq(
        gbx_value_get_string(at(needle, "result.result.objectId"), &text, NULL), GBX_OK);
    (void)snprintf(params, sizeof params, "\"objectId\":\"%s\"", text);
    const gbx_value *found = answer(7, "HeapProfiler.getHeapObjectId", params);
    cr_assert_eq(
        gbx_value_get_string(at(found, "result.heapSnapshotObjectId"), &text, NULL), GBX_OK);
    (void)snprintf(params, sizeof params, "\"objectId\":\"%s\"", text);
    cr_assert(is_text(at(answer(8, "HeapProfiler.getObjectByHeapObjectId", params),
                          "result.result.description"),
        "Needle"));
    /* What the debugger itself keeps would live on. */
    (void)answer(
        9, "Runtime.evaluate", "\"expression\":\"junk = 'x'.repeat(1e6).split(''); 0\"");
    double before = used_bytes(10);
    (void)answer(11, "Runtime.evaluate", "\"expression\":\"junk = 0\"");
    (void)answer(12, "HeapProfiler.collectGarbage", NULL);
    cr_assert_lt(used_bytes(13), before - 1e6);
    done(&w);
}

/* --- ends ------------------------------------------------------------------------------------ */

struct closing {
    struct world *w;
    gbx_inspector *inspector;
    int what; /* is closed: 0 the session, 1 the isolate, 2 a context; 3: it is terminated */
    gbx_context *context;
    bool closed;
};

static void
close_when_paused(gbx_inspector *inspector, const char *json, size_t len, void *data)
{
    static const char paused[] = "{\"method\":\"Debugger.paused\"";
    struct closing *k = data;

    if (k->closed || len < sizeof paused || memcmp(json, paused, sizeof paused - 1) != 0)
        return;
    k->closed = true;
    if (k->what == 1) {
        gbx_isolate_close(k->w->isolate);
        k->w->isolate = NULL;
    }
    if (k->what == 2)
        gbx_context_close(k->context);
    if (k->what == 3)
        gbx_isolate_terminate(k->w->isolate);
    if (k->what != 1)
        gbx_inspector_close(inspector);
}

/* From inside the callback, in the moment of a pause. */
CleanTest(session, everything_may_be_closed_by_the_callback_of_a_pause)
{
    static const char enable[] = "{\"id\":1,\"method\":\"Debugger.enable\"}";

    for (int what = 0; what < 4; what++) {
        struct world w = world_open(NULL);
        struct closing k = { .w = &w, .what = what };

        cr_assert_eq(gbx_context_open(w.isolate, &k.context, NULL), GBX_OK);
        cr_assert_eq(
            gbx_inspector_open(w.isolate, close_when_paused, &k, &k.inspector, NULL), GBX_OK);
        cr_assert_eq(gbx_inspector_send(k.inspector, enable, sizeof enable - 1), GBX_OK);
        gbx_future *call = start(k.context, "debugger; 5", 0);
        gbx_status status = gbx_future_wait(call, -1, NULL);
        cr_assert(k.closed);
        if (what == 1)
            cr_assert_eq(status, GBX_EDISPOSED);
        if (what == 0)
            cr_assert_eq(status, GBX_OK);
        if (what == 3)
            cr_assert(status == GBX_ETERMINATED || status == GBX_OK);
        gbx_future_free(call);
        if (what == 1)
            gbx_inspector_close(k.inspector);
        if (what != 2)
            gbx_context_close(k.context);
        if (w.isolate != NULL)
            expect_usable(&w);
        world_close(&w);
    }
}

/* A cell that dies while it is paused says so to whoever waits. */
CleanTest(session, a_cell_may_die_while_it_is_paused)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;

    options.memory_limit_bytes = (uint64_t)16 << 20;
    struct world w = world_open(&options);
    debug(&w);
    gbx_future *call = start(w.context, "debugger; 5", 0);
    (void)event(&c, "Debugger.paused");
    ask(3, "Runtime.evaluate",
        "\"expression\":\"for (let a = [];;) a.push(new Array(1e4).fill(a))\"");
    settle(call, GBX_EMEMORY);
    cr_assert_eq(gbx_isolate_held(w.isolate), GBX_HOLD_PAUSED);
    cr_assert_eq(gbx_inspector_send(c.inspector, "{}", 2), GBX_EDISPOSED);
    client_close(&c);
    world_close(&w);
}

/* A thousand sessions and contexts leave nothing in the cell. */
CleanTest(session, many_sessions_leave_nothing_behind)
{
    struct world w = world_open(NULL);
    gbx_memory first = GBX_MEMORY_INIT, last = GBX_MEMORY_INIT;

    for (int i = 0; i < 1000; i++) {
        gbx_context *context = NULL;
        cr_assert_eq(gbx_context_open(w.isolate, &context, NULL), GBX_OK);
        client_open(&c, &w);
        ask(1, "Runtime.enable", NULL);
        ask(2, "Debugger.enable", NULL);
        ask(3, "HeapProfiler.enable", NULL);
        if (i % 10 == 0)
            (void)answer_to(&c, 3);
        client_close(&c);
        gbx_context_close(context);
        if (i == 300 || i == 999) {
            settle(gbx_isolate_collect(w.isolate), GBX_OK);
            cr_assert_eq(gbx_isolate_memory(w.isolate, i == 300 ? &first : &last), GBX_OK);
        }
    }
    cr_assert_lt(last.private_bytes, first.private_bytes + ((uint64_t)4 << 20));
    gbx_value *statistics = settle_value(gbx_isolate_statistics(w.isolate));
    cr_assert_leq(number_of(at(statistics, "contexts")), 3);
    gbx_value_free(statistics);
    expect_usable(&w);
    world_close(&w);
}

/* --- what is no command ---------------------------------------------------------------------- */

CleanTest(session, bombs_are_answered_or_ignored)
{
    struct world w = world_open(NULL);
    size_t len = (size_t)2 << 20;
    char *deep = malloc(len + 128), *at_end;

    debug(&w);
    /* An object in an object ..., in a place where one belongs. */
    at_end = stpcpy(deep, "{\"id\":3,\"method\":\"Runtime.evaluate\",\"params\":");
    for (size_t i = 0; i < 100000; i++)
        at_end = stpcpy(at_end, "{\"a\":");
    at_end = stpcpy(at_end, "1");
    for (size_t i = 0; i < 100001; i++)
        at_end = stpcpy(at_end, "}");
    cr_assert_eq(gbx_inspector_send(c.inspector, deep, (size_t)(at_end - deep)), GBX_OK);
    free(deep);
    say(&c, "{\"id\":4,\"method\":\"Runtime.evaluate\\u0000\",\"params\":{}}");
    say(&c, "{\"id\":5,\"id\":6,\"method\":\"Profiler.x\",\"method\":\"Runtime.enable\"}");
    for (int i = 0; i < 3; i++) /* one id, three times */
        ask(7, "Runtime.evaluate", "\"expression\":\"6\"");
    /* An enormous source, that is run all the same. */
    len = (size_t)4 << 20;
    char *params = malloc(len + 64);
    at_end = stpcpy(params, "\"expression\":\"");
    memset(at_end, ' ', len);
    (void)strcpy(at_end + len, "8\"");
    cr_assert_eq(
        number_of(at(answer(8, "Runtime.evaluate", params), "result.result.value")), 8);
    free(params);
    /* A command may be answered while another one's source still runs: in what order is open. */
    c.taken = 0;
    for (int i = 0; i < 3; i++)
        (void)answer_to(&c, 7);
    done(&w);
}
