/* Debugger sessions: the Chrome DevTools Protocol on cells that rest, run, and are paused. */
#include "cdp_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- the article's recipe ------------------------------------------------------------------- */

struct recipe {
    FILE *file;
    bool done;
    size_t chunks;
};

static void
collect(gbx_inspector *inspector, const char *json, size_t len, void *data)
{
    struct recipe *r = data;
    gbx_value *message = NULL;
    const char *chunk = NULL;
    size_t chunk_len = 0;

    (void)inspector;
    cr_assert_eq(gbx_value_from_json(json, len, &message, NULL), GBX_OK);
    if (is_text(at(message, "method"), "HeapProfiler.addHeapSnapshotChunk")) {
        cr_assert_eq(
            gbx_value_get_string(at(message, "params.chunk"), &chunk, &chunk_len), GBX_OK);
        cr_assert_eq(fwrite(chunk, 1, chunk_len, r->file), chunk_len);
        r->chunks++;
    }
    r->done |= answers(message, 2);
    gbx_value_free(message);
}

CleanTest(inspector, takes_a_heap_snapshot_as_the_article_does)
{
    static const char enable[] = "{\"id\":1,\"method\":\"Debugger.enable\"}",
                      take[] = "{\"id\":2,\"method\":\"HeapProfiler.takeHeapSnapshot\","
                               "\"params\":{\"reportProgress\":false}}";
    struct world w = world_open(NULL);
    struct recipe r = { NULL, false, 0 };
    gbx_inspector *inspector = NULL;
    char path[128];

    eval_only(w.context, "class Needle {} needle = new Needle()");
    (void)snprintf(path, sizeof path, "%s/recipe.heapsnapshot", scratch_directory());
    cr_assert_not_null(r.file = fopen(path, "we"));
    cr_assert_eq(gbx_inspector_open(w.isolate, collect, &r, &inspector, NULL), GBX_OK);
    cr_assert_eq(gbx_inspector_send(inspector, enable, sizeof enable - 1), GBX_OK);
    cr_assert_eq(gbx_inspector_send(inspector, take, sizeof take - 1), GBX_OK);
    dispatch_until(w.runtime, &r.done);
    gbx_inspector_close(inspector);
    cr_assert_eq(fclose(r.file), 0);
    cr_assert_geq(r.chunks, 1);
    cr_assert_gt(snapshot_nodes(path), 1000);
    (void)snprintf(
        path, sizeof path, "grep -q Needle %s/recipe.heapsnapshot", scratch_directory());
    cr_assert_eq(system(path), 0);
    world_close(&w);
}

/* --- the CPU profiler ----------------------------------------------------------------------- */

/* Its thread would be the cell's end. */
CleanTest(inspector, refuses_the_profiler_where_no_thread_may_start)
{
    static const char *const commands[] = { "{\"id\":7,\"method\":\"Profiler.enable\"}",
        "{\"id\":7,\"method\":\"Profiler.start\"}",
        "{\"method\":\"\\u0050rofiler.startPreciseCoverage\",\"id\":7}" };
    struct world w = world_open(NULL);
    static struct client c;

    client_open(&c, &w);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        say(&c, commands[i]);
        const gbx_value *answer = next_message(&c, 7, NULL);
        cr_assert_not_null(at(answer, "error.message"), "%s", commands[i]);
    }
    /* The name of another domain ends likewise; and names in arguments are no methods. */
    say(&c, "{\"id\":8,\"method\":\"HeapProfiler.enable\"}");
    (void)answer_to(&c, 8);
    say(&c, "{\"id\":9,\"method\":\"Runtime.evaluate\",\"params\":{\"expression\":"
            "\"console.profile('Profiler.start'); console.profileEnd()\"}}");
    (void)answer_to(&c, 9);
    client_close(&c);
    expect_usable(&w);
    world_close(&w);
}

CleanTest(inspector, profiles_where_it_was_asked_for)
{
    struct world w = { .runtime = NULL };
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    static struct client c;

    options.flags = GBX_ISOLATE_PROFILING;
    w = world_open(&options);
    eval_only(
        w.context, "function needle() { for (let i = 0, x = 0; i < 3e7; i++) x += i % 7; }");
    client_open(&c, &w);
    say(&c, "{\"id\":1,\"method\":\"Profiler.enable\"}");
    say(&c, "{\"id\":2,\"method\":\"Profiler.start\"}");
    (void)answer_to(&c, 2);
    eval_only(w.context, "needle()");
    say(&c, "{\"id\":3,\"method\":\"Profiler.stop\"}");
    const gbx_value *nodes = at(answer_to(&c, 3), "result.profile.nodes");
    bool found = false;
    for (size_t i = 0; nodes != NULL && i < gbx_value_length(nodes); i++)
        found |= is_text(at(gbx_value_at(nodes, i), "callFrame.functionName"), "needle");
    cr_assert(found, "the profile does not know where the time went");
    client_close(&c);
    expect_usable(&w);
    world_close(&w);
}

/* --- commands ------------------------------------------------------------------------------- */

CleanTest(inspector, evaluates_and_reports)
{
    struct world w = world_open(NULL);
    static struct client c;

    eval_only(w.context, "x = 40");
    client_open(&c, &w);
    say(&c, "{\"id\":1,\"method\":\"Runtime.enable\"}");
    cr_assert(is_text(
        at(event(&c, "Runtime.executionContextCreated"), "params.context.name"), "isolate"));
    (void)answer_to(&c, 1);
    say(&c, "{\"id\":2,\"method\":\"Runtime.evaluate\",\"params\":{\"expression\":\"x + 2\"}}");
    cr_assert_eq(number_of(at(answer_to(&c, 2), "result.result.value")), 42);
    say(&c, "{\"id\":3,\"method\":\"Runtime.evaluate\",\"params\":{\"expression\":"
            "\"throw new TypeError('t')\"}}");
    cr_assert(is_text(
        at(answer_to(&c, 3), "result.exceptionDetails.exception.className"), "TypeError"));
    say(&c, "{\"id\":4,\"method\":\"Runtime.evaluate\",\"params\":{\"expression\":"
            "\"(async () => { await 1; return {deep: [1, '\\u20ac']} })()\","
            "\"awaitPromise\":true,\"returnByValue\":true}}");
    cr_assert(is_text(at(answer_to(&c, 4), "result.result.value.deep.1"), "\xe2\x82\xac"));
    /* What the guest prints is reported, though no console of ours listens. */
    eval_only(w.context, "console.warn('careful', 7)");
    const gbx_value *called = event(&c, "Runtime.consoleAPICalled");
    cr_assert(is_text(at(called, "params.type"), "warning"));
    cr_assert(is_text(at(called, "params.args.0.value"), "careful"));
    cr_assert_eq(number_of(at(called, "params.args.1.value")), 7);
    client_close(&c);
    expect_usable(&w);
    world_close(&w);
}

CleanTest(inspector, answers_garbage_with_errors)
{
    static const char *const garbage[] = { "", "x", "{", "{}", "[]", "null", "\"id\"",
        "{\"id\":1", "{\"id\":\"one\",\"method\":\"Runtime.enable\"}",
        "{\"method\":\"Runtime.enable\"}", "{\"id\":1e99,\"method\":5}",
        "{\"id\":1,\"method\":\"\"}", "{\"id\":1,\"method\":\"No.such\"}",
        "{\"id\":1,\"method\":\"Runtime.evaluate\"}",
        "{\"id\":1,\"method\":\"Runtime.evaluate\",\"params\":7}",
        "{\"id\":1,\"method\":\"Debugger.setBreakpoint\",\"params\":{\"location\":{}}}",
        "{\"id\":1,\"method\":\"Runtime.getProperties\",\"params\":{\"objectId\":\"junk\"}}",
        "{\"id\":1,\"method\":\"Runtime.enable\",\"sessionId\":\"other\"}", "\xff\xfe\x00",
        "{\"id\":1,\"method\":\"Runtime.\xc3\x28\"}" };
    struct world w = world_open(NULL);
    static struct client c;
    size_t len = (size_t)4 << 20;
    char *deep = malloc(len);

    client_open(&c, &w);
    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++)
        say(&c, garbage[i]);
    cr_assert_eq(gbx_inspector_send(c.inspector, "{\"id\":1\0}", 9), GBX_OK);
    memset(deep, '[', len);
    cr_assert_eq(gbx_inspector_send(c.inspector, deep, len), GBX_OK);
    memset(deep, 'x', len);
    cr_assert_eq(gbx_inspector_send(c.inspector, deep, len), GBX_OK);
    free(deep);
    cr_assert_eq(gbx_inspector_send(c.inspector, "", ((size_t)256 << 20) + 1), GBX_ETOOBIG);
    say(&c, "{\"id\":1,\"method\":\"Still.unknown\"}");
    say(&c, "{\"id\":77,\"method\":\"Runtime.evaluate\",\"params\":{\"expression\":\"6*7\"}}");
    cr_assert_eq(number_of(at(answer_to(&c, 77), "result.result.value")), 42);
    size_t errors = 0;
    for (size_t i = 0; i < c.count; i++)
        errors += at(c.messages[i], "error.code") != NULL;
    cr_assert_geq(errors, 10);
    client_close(&c);
    expect_usable(&w);
    world_close(&w);
}

CleanTest(inspector, sessions_are_counted_and_apart)
{
    struct world w = world_open(NULL);
    static struct client one, two;
    static gbx_inspector *many[256];
    gbx_inspector *more = NULL;

    cr_assert_eq(gbx_inspector_open(w.isolate, NULL, NULL, &more, NULL), GBX_EINVAL);
    client_open(&one, &w);
    client_open(&two, &w);
    say(&one, "{\"id\":5,\"method\":\"Runtime.evaluate\",\"params\":{\"expression\":\"1\"}}");
    say(&two, "{\"id\":6,\"method\":\"Runtime.evaluate\",\"params\":{\"expression\":\"2\"}}");
    cr_assert_eq(number_of(at(answer_to(&one, 5), "result.result.value")), 1);
    cr_assert_eq(number_of(at(answer_to(&two, 6), "result.result.value")), 2);
    cr_assert_eq(one.count, 1);
    cr_assert_eq(two.count, 1);
    client_close(&one);
    client_close(&two);
    for (size_t i = 0; i < 256; i++)
        cr_assert_eq(gbx_inspector_open(w.isolate, remember, &one, &many[i], NULL), GBX_OK);
    cr_assert_eq(gbx_inspector_open(w.isolate, remember, &one, &more, NULL), GBX_ELIMIT);
    cr_assert_null(more);
    for (size_t i = 0; i < 256; i++)
        gbx_inspector_close(many[i]);
    gbx_inspector_close(NULL);
    client_open(&one, &w);
    say(&one, "{\"id\":7,\"method\":\"Runtime.evaluate\",\"params\":{\"expression\":\"3\"}}");
    cr_assert_eq(number_of(at(answer_to(&one, 7), "result.result.value")), 3);
    gbx_isolate_close(w.isolate);
    w.isolate = NULL;
    cr_assert_eq(gbx_inspector_send(one.inspector, "{}", 2), GBX_EDISPOSED);
    client_close(&one);
    world_close(&w);
}

/* --- pauses --------------------------------------------------------------------------------- */

static gbx_status
note_started(gbx_callback *callback, void *data)
{
    (void)callback;
    *(bool *)data = true;
    return GBX_OK;
}

static bool spins;

/* Starts a loop that ends when the guest's `stop` is true, and waits until it runs. */
static gbx_future *
spin(struct world *w)
{
    spins = false;
    give(w->context, "started", note_started, &spins);
    gbx_future *busy = start(w->context,
        "stop = false; n = 0; function spin() { let local = 'inside'; started();"
        " while (!stop) n++; return local } spin()",
        0);
    dispatch_until(w->runtime, &spins);
    return busy;
}

/* Has it paused; answers the call frame's id. */
static const char *
pause_busy_loop(struct client *c)
{
    const char *frame = NULL;

    say(c, "{\"id\":101,\"method\":\"Debugger.enable\"}");
    say(c, "{\"id\":102,\"method\":\"Debugger.pause\"}");
    const gbx_value *paused = event(c, "Debugger.paused");
    cr_assert(is_text(at(paused, "params.callFrames.0.functionName"), "spin"));
    cr_assert_eq(
        gbx_value_get_string(at(paused, "params.callFrames.0.callFrameId"), &frame, NULL),
        GBX_OK);
    return frame;
}

CleanTest(inspector, pauses_a_busy_loop_and_looks_inside)
{
    struct world w = world_open(NULL);
    static struct client c;
    char command[512];

    gbx_future *busy = spin(&w);
    client_open(&c, &w); /* while it runs */
    const char *frame = pause_busy_loop(&c);
    (void)snprintf(command, sizeof command,
        "{\"id\":3,\"method\":\"Debugger.evaluateOnCallFrame\",\"params\":{\"callFrameId\":\"%"
        "s\","
        "\"expression\":\"local + (n > 0)\"}}",
        frame);
    say(&c, command);
    cr_assert(is_text(at(answer_to(&c, 3), "result.result.value"), "insidetrue"));
    /* It stands still: nothing else runs, and what is urgent is answered. */
    gbx_future *queued = start(w.context, "n", 0);
    cr_assert_eq(gbx_future_wait(queued, 30000, NULL), GBX_EBUSY);
    gbx_value_free(settle_value(gbx_isolate_statistics(w.isolate)));
    say(&c, "{\"id\":4,\"method\":\"Debugger.resume\"}");
    (void)event(&c, "Debugger.resumed");
    cr_assert_eq(gbx_future_status(busy, NULL), GBX_EBUSY);
    (void)pause_busy_loop(&c);
    say(&c, "{\"id\":5,\"method\":\"Runtime.evaluate\",\"params\":{\"expression\":"
            "\"local = 'outside'; stop = true\"}}");
    (void)answer_to(&c, 5);
    say(&c, "{\"id\":6,\"method\":\"Debugger.resume\"}");
    gbx_value *value = settle_value(busy);
    expect_string(value, "inside");
    gbx_value_free(value);
    settle(queued, GBX_OK);
    client_close(&c);
    world_close(&w);
}

CleanTest(inspector, stops_at_breakpoints_and_steps)
{
    struct world w = world_open(NULL);
    static struct client c;
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;
    static const char source[] = "function add(a, b) {\n"
                                 "  const sum = a + b;\n"
                                 "  return sum;\n"
                                 "}";
    gbx_value *one = gbx_value_new_int32(1);
    const gbx_value *arguments[] = { one, one };

    options.file = "sum.js";
    client_open(&c, &w);
    say(&c, "{\"id\":1,\"method\":\"Debugger.enable\"}");
    settle(gbx_context_eval(w.context, source, strlen(source), &options), GBX_OK);
    say(&c,
        "{\"id\":2,\"method\":\"Debugger.setBreakpointByUrl\",\"params\":{\"url\":\"sum.js\","
        "\"lineNumber\":1}}");
    cr_assert_eq(gbx_value_length(at(answer_to(&c, 2), "result.locations")), 1);
    gbx_future *call = gbx_context_call(w.context, "add", arguments, 2, NULL);
    const gbx_value *paused = event(&c, "Debugger.paused");
    cr_assert_eq(gbx_value_length(at(paused, "params.hitBreakpoints")), 1);
    cr_assert_eq(number_of(at(paused, "params.callFrames.0.location.lineNumber")), 1);
    say(&c, "{\"id\":3,\"method\":\"Debugger.stepOver\"}");
    paused = event(&c, "Debugger.paused");
    cr_assert_eq(number_of(at(paused, "params.callFrames.0.location.lineNumber")), 2);
    say(&c, "{\"id\":4,\"method\":\"Debugger.resume\"}");
    cr_assert_eq(settle_number(call), 2);
    /* A statement of the guest's own; ignored when nobody listens. */
    call = start(w.context, "debugger; 5", 0);
    (void)event(&c, "Debugger.paused");
    say(&c, "{\"id\":5,\"method\":\"Debugger.resume\"}");
    cr_assert_eq(settle_number(call), 5);
    client_close(&c);
    cr_assert_eq(eval_number(w.context, "debugger; 6"), 6);
    gbx_value_free(one);
    world_close(&w);
}

CleanTest(inspector, the_last_session_to_go_ends_the_pause)
{
    struct world w = world_open(NULL);
    static struct client one, two;

    gbx_future *busy = spin(&w);
    client_open(&one, &w);
    client_open(&two, &w);
    say(&two, "{\"id\":1,\"method\":\"Debugger.enable\"}");
    (void)answer_to(&two, 1);
    (void)pause_busy_loop(&one);
    (void)event(&two, "Debugger.paused");
    client_close(&one);
    say(&two, "{\"id\":2,\"method\":\"Runtime.evaluate\",\"params\":{\"expression\":\"stop = "
              "true\"}}");
    (void)answer_to(&two, 2);
    client_close(&two);
    gbx_value *value = settle_value(busy);
    expect_string(value, "inside");
    gbx_value_free(value);
    expect_usable(&w);
    world_close(&w);
}

/* The cell may pause in the moment in which the session goes. */
CleanTest(inspector, may_hang_up_at_any_time)
{
    struct world w = world_open(NULL);
    static struct client c;

    gbx_future *busy = spin(&w);
    for (int i = 0; i < 200; i++) {
        client_open(&c, &w);
        say(&c, "{\"id\":1,\"method\":\"Debugger.enable\"}");
        say(&c, "{\"id\":2,\"method\":\"Debugger.pause\"}");
        if (i % 4 == 1)
            (void)gbx_runtime_dispatch(w.runtime, 0);
        if (i % 4 == 2)
            (void)event(&c, "Debugger.paused");
        if (i % 4 == 3)
            say(&c, "{\"id\":3,\"method\":\"Debugger.resume\"}");
        client_close(&c);
    }
    cr_assert_eq(gbx_future_wait(busy, 20000, NULL), GBX_EBUSY);
    gbx_isolate_terminate(w.isolate);
    settle(busy, GBX_ETERMINATED);
    expect_usable(&w);
    world_close(&w);
}

CleanTest(inspector, isolate_and_runtime_may_be_closed_while_paused)
{
    struct world w = world_open(NULL);
    static struct client c;

    gbx_future *busy = spin(&w);
    client_open(&c, &w);
    (void)pause_busy_loop(&c);
    gbx_isolate_close(w.isolate);
    settle(busy, GBX_EDISPOSED);
    client_close(&c);

    w.isolate = world_isolate(&w, NULL);
    w.context = gbx_isolate_context(w.isolate);
    busy = spin(&w);
    client_open(&c, &w);
    (void)pause_busy_loop(&c);
    gbx_runtime_close(w.runtime);
    w.runtime = NULL;
    settle(busy, GBX_EDISPOSED);
    cr_assert_eq(gbx_inspector_send(c.inspector, "{}", 2), GBX_EDISPOSED);
    client_close(&c);
    world_close(&w);
}

CleanTest(inspector, a_paused_call_can_be_terminated)
{
    struct world w = world_open(NULL);
    static struct client c;

    client_open(&c, &w);
    for (int i = 0; i < 10; i++) {
        gbx_future *busy = spin(&w);
        (void)pause_busy_loop(&c);
        gbx_isolate_terminate(w.isolate);
        settle(busy, GBX_ETERMINATED);
        expect_usable(&w);
    }
    /* V8 holds interrupts back while it is paused, so code of the debugger's own that does not end
     * then ends with its process. */
    gbx_future *busy = spin(&w);
    (void)pause_busy_loop(&c);
    say(&c,
        "{\"id\":9,\"method\":\"Runtime.evaluate\",\"params\":{\"expression\":\"for(;;);\"}}");
    cr_assert_eq(gbx_future_wait(busy, 50000, NULL), GBX_EBUSY);
    gbx_isolate_terminate(w.isolate);
    settle(busy, GBX_ETERMINATED);
    cr_assert_eq(gbx_isolate_death(w.isolate)->status, GBX_ETERMINATED);
    client_close(&c);
    world_close(&w);
}

/* --- clocks --------------------------------------------------------------------------------- */

CleanTest(inspector, clocks_rest_while_paused)
{
    struct world w = world_open(NULL);
    static struct client c;
    gbx_error error = GBX_ERROR_INIT;

    client_open(&c, &w);
    say(&c, "{\"id\":1,\"method\":\"Debugger.enable\"}");
    (void)answer_to(&c, 1);
    gbx_future *call = start_limited(w.context, "debugger; 7", 100000, 100000);
    (void)event(&c, "Debugger.paused");
    /* Longer than its deadline and the patience of cell and host with one that does not stop. */
    for (int i = 0; i < 12; i++) {
        sleep_ms(50);
        (void)gbx_runtime_dispatch(w.runtime, 0);
    }
    cr_assert_eq(gbx_future_wait(call, 50000, NULL), GBX_EBUSY);
    say(&c, "{\"id\":2,\"method\":\"Debugger.resume\"}");
    cr_assert_eq(settle_number(call), 7);
    /* They go on afterwards. */
    call = start_limited(w.context, "debugger; for (;;);", 100000, 0);
    (void)event(&c, "Debugger.paused");
    sleep_ms(400);
    say(&c, "{\"id\":3,\"method\":\"Debugger.resume\"}");
    cr_assert_eq(gbx_future_wait(call, -1, &error), GBX_ETIMEOUT);
    cr_assert_eq(error.limit, 100000);
    gbx_future_free(call);
    /* A host that looks late counts from when it could have looked. */
    call = start_limited(w.context, "debugger; for (;;);", 100000, 0);
    (void)gbx_runtime_dispatch(w.runtime, 0);
    sleep_ms(500);
    (void)event(&c, "Debugger.paused");
    say(&c, "{\"id\":4,\"method\":\"Debugger.resume\"}");
    cr_assert_eq(gbx_future_wait(call, -1, &error), GBX_ETIMEOUT);
    gbx_future_free(call);
    expect_usable(&w);
    client_close(&c);
    world_close(&w);
}

/* --- callbacks that close ------------------------------------------------------------------- */

static void
close_isolate(gbx_inspector *inspector, const char *json, size_t len, void *data)
{
    struct world *w = data;

    (void)json;
    (void)len;
    gbx_isolate_close(w->isolate);
    w->isolate = NULL;
    gbx_inspector_close(inspector);
}

CleanTest(inspector, callback_may_close_session_and_isolate)
{
    static const char enable[] = "{\"id\":1,\"method\":\"Runtime.enable\"}";
    struct world w = world_open(NULL);
    gbx_inspector *inspector = NULL;

    cr_assert_eq(gbx_inspector_open(w.isolate, close_isolate, &w, &inspector, NULL), GBX_OK);
    cr_assert_eq(gbx_inspector_send(inspector, enable, sizeof enable - 1), GBX_OK);
    while (w.isolate != NULL)
        cr_assert_eq(gbx_runtime_dispatch(w.runtime, 10000000), GBX_OK);
    world_close(&w);
}
