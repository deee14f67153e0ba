/* rejection_probe.c - what inspector sessions are told of promises that nobody handles. */
#include "probe.h"

static unsigned pauses;

/* How often `text` stands in what session 1 was told. */
static unsigned
told(const char *text)
{
    unsigned n = 0;

    for (size_t i = 0; i + strlen(text) <= probe_messages.len; i++)
        n += memcmp(probe_messages.p + i, text, strlen(text)) == 0;
    return n;
}

static void
rejections_in_other_hands_are_not_told(void)
{
    probe_forget(&probe_messages);
    CHECK(
        probe_eval(
            "Promise.reject(1).catch(() => 0);"
            "const p = Promise.reject(2); Promise.resolve().then(() => p.catch(() => 0));"
            "(async () => { try { await Promise.reject(3) } catch {} })(); 0") == ENGINE_VALUE);
    CHECK(told("Runtime.exception") == 0);
    engine_inspector_close(1);
    CHECK(probe_eval("Promise.reject(4); 0") == ENGINE_VALUE);
    CHECK(told("Runtime.exception") == 0);
}

static void
rejections_are_told_and_revoked(void)
{
    char id[16] = "", revoked[64];

    CHECK(engine_inspector_open(1));
    probe_say(1, "{\"id\":1,\"method\":\"Runtime.enable\"}");
    CHECK(probe_eval("\nfunction no() { return new TypeError('no') }\n"
                     "globalThis.late = Promise.reject(no()); 0") == ENGINE_VALUE);
    CHECK(told("Runtime.exceptionThrown") == 1);
    CHECK_HAS(probe_messages, "\"text\":\"Uncaught (in promise)\",\"lineNumber\":1,");
    CHECK_HAS(probe_messages, "\"exception\":{\"type\":\"object\",\"subtype\":\"error\","
                              "\"className\":\"TypeError\",\"description\":\"TypeError: no\\n"
                              "    at no (case.js:2:24)");
    CHECK_HAS(probe_messages, "\"stackTrace\":{\"callFrames\":[{\"functionName\":\"no\"");
    probe_copy_after("\"exceptionId\":", id, sizeof id);
    (void)snprintf(revoked, sizeof revoked, "\"exceptionId\":%s}", id);
    CHECK(probe_eval("0") == ENGINE_VALUE);
    CHECK(told("Runtime.exceptionThrown") == 1 && told("Runtime.exceptionRevoked") == 0);
    CHECK(probe_eval("late.catch(() => 0); late.catch(() => 0); 0") == ENGINE_VALUE);
    CHECK(told("Runtime.exceptionThrown") == 1 && told("Runtime.exceptionRevoked") == 1);
    CHECK_HAS(probe_messages, revoked);
    CHECK_HAS(probe_messages, "\"reason\":\"Handler added to rejected promise\"");
    /* No error, and no place of its own: where it was rejected. */
    CHECK(probe_eval("\n\nfunction f() { Promise.reject(42) } f(); 0") == ENGINE_VALUE);
    CHECK_HAS(probe_messages, "\"lineNumber\":2");
    CHECK_HAS(probe_messages, "\"exception\":{\"type\":\"number\",\"value\":42");
    rejections_in_other_hands_are_not_told();
    CHECK(probe_rejected == 0);
}

/* Late ones are told what V8 has kept. */
static void
every_session_is_told_of_rejections(void)
{
    CHECK(engine_inspector_open(2));
    CHECK(
        probe_eval("globalThis.late = Promise.reject(new Error('first')); 0") == ENGINE_VALUE);
    CHECK(engine_inspector_open(1));
    probe_say(2, "{\"id\":1,\"method\":\"Runtime.enable\"}");
    probe_say(1, "{\"id\":1,\"method\":\"Runtime.enable\"}");
    CHECK(told("Runtime.exceptionThrown") == 1);
    CHECK_HAS(probe_messages, "Error: first");
    unsigned before = probe_other_messages;
    CHECK(probe_eval("late.catch(() => 0); 0") == ENGINE_VALUE);
    CHECK(told("Runtime.exceptionRevoked") == 1 && probe_other_messages == before + 1);
    CHECK(probe_eval("Promise.reject(1); 0") == ENGINE_VALUE);
    CHECK(told("Runtime.exceptionThrown") == 2 && probe_other_messages == before + 2);
    CHECK(probe_rejected == 0);
    /* A host that asks is told too. */
    engine_watch_rejections();
    CHECK(probe_eval("Promise.reject(2); 0") == ENGINE_VALUE);
    CHECK(told("Runtime.exceptionThrown") == 3 && probe_rejected == 1);
}

static void
rejections_of_other_contexts_are_told(void)
{
    static const struct engine_source rejecting = {
        { (const uint8_t *)"globalThis.late = Promise.reject('there'); 0", 44 }, { NULL, 0 }, 0,
        0
    };
    char context[64] = "\"executionContextId\":", *number = context + strlen(context);

    CHECK(engine_inspector_open(1));
    probe_say(1, "{\"id\":1,\"method\":\"Runtime.enable\"}");
    probe_forget(&probe_messages);
    CHECK(engine_context_new(7));
    probe_copy_after("\"context\":{\"id\":", number, sizeof context - strlen(context));
    engine_outcome_done(&probe_outcome);
    engine_outcome_init(&probe_outcome, 64);
    engine_eval(7, 1, 0, &rejecting, &probe_outcome);
    CHECK(probe_outcome.end == ENGINE_VALUE);
    CHECK(told("Runtime.exceptionThrown") == 1);
    CHECK_HAS(probe_messages, context);
    CHECK_HAS(probe_messages, "\"value\":\"there\"");
    /* Nor is anybody told of what is left of a context that has gone. */
    engine_context_free(7);
    CHECK(probe_eval("Promise.reject(1); 0") == ENGINE_VALUE);
    CHECK(told("Runtime.exceptionThrown") == 2 && told("Runtime.exceptionRevoked") == 0);
}

static void
telling_of_rejections_runs_no_guest_code(void)
{
    CHECK(engine_inspector_open(1));
    probe_say(1, "{\"id\":1,\"method\":\"Runtime.enable\"}");
    CHECK(probe_eval("globalThis.ran = 'no';"
                     "const run = what => () => { ran = what; return what };"
                     "Error.prepareStackTrace = run('prepareStackTrace');"
                     "Object.defineProperty(Promise.prototype, 'constructor',"
                     "{ get: run('constructor') });"
                     "const thrown = new Error('own');"
                     "for (const name of ['name', 'message', 'constructor', 'toString',"
                     "Symbol.toStringTag, 'a']) Object.defineProperty(thrown, name,"
                     "{ get: run(String(name)), enumerable: true });"
                     "const proxy = new Proxy({}, { get: run('proxy'), has: run('has'),"
                     "getPrototypeOf: () => { ran = 'prototype'; return null } });"
                     "for (const reason of [thrown, proxy, Object.create(thrown),"
                     "Object.create(proxy), new Error('second')])"
                     "new Promise((_, reject) => reject(reason)); 0") == ENGINE_VALUE);
    CHECK(told("Runtime.exceptionThrown") == 5);
    CHECK(strcmp(probe_text("ran"), "no") == 0);
}

/* As many as are remembered and some, and so often that some are only counted. */
static void
floods_of_rejections_are_counted(void)
{
    CHECK(engine_inspector_open(1));
    probe_say(1, "{\"id\":1,\"method\":\"Runtime.enable\"}");
    for (int i = 0; i < 20; i++)
        CHECK(
            probe_eval("for (let i = 0; i < 2000; i++) Promise.reject(i); 0") == ENGINE_VALUE);
    unsigned shown = told("Runtime.exceptionThrown");
    CHECK(shown >= 1000 && shown < 20 * 1024);
}

static void
resume_after_a_rejection(void)
{
    char frame[64] = "", json[512];

    pauses++;
    probe_copy_after("\"callFrameId\":\"", frame, sizeof frame);
    (void)snprintf(json, sizeof json,
        "{\"id\":80,\"method\":\"Debugger.evaluateOnCallFrame\",\"params\":"
        "{\"callFrameId\":\"%s\",\"expression\":"
        "\"Promise.reject(new Error('inside ' + local)), 5\"}}",
        frame);
    probe_say(1, json);
    CHECK_HAS(probe_messages, "\"value\":5");
    /* Its microtasks, which may yet handle it, wait for the end of the pause. */
    CHECK(told("Runtime.exceptionThrown") == 0);
    probe_say(1, "{\"id\":81,\"method\":\"Debugger.resume\"}");
}

static void
a_rejection_in_a_pause_is_told_after_it(void)
{
    CHECK(engine_inspector_open(1));
    probe_say(1, "{\"id\":1,\"method\":\"Runtime.enable\"}");
    probe_say(1, "{\"id\":2,\"method\":\"Debugger.enable\"}");
    probe_on_paused = resume_after_a_rejection;
    CHECK(probe_eval("(function f() { const local = 'f'; debugger; return local })()") ==
          ENGINE_VALUE);
    CHECK(pauses == 1 && told("Runtime.exceptionThrown") == 1);
    CHECK_HAS(probe_messages, "Error: inside f");
}

int
glovebox_main(int argc, char **argv)
{
    static const struct probe probes[] = {
        { "rejections are told and revoked", rejections_are_told_and_revoked },
        { "every session is told of rejections", every_session_is_told_of_rejections },
        { "rejections of other contexts are told", rejections_of_other_contexts_are_told },
        { "telling of rejections runs no guest code",
            telling_of_rejections_runs_no_guest_code },
        { "floods of rejections are counted", floods_of_rejections_are_counted },
        { "a rejection in a pause is told after it", a_rejection_in_a_pause_is_told_after_it },
    };

    return probes_run(argc, argv, probes, sizeof probes / sizeof probes[0]);
}
