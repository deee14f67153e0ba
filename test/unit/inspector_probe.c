/* inspector_probe.c - sessions, the debugger's pause, profiles. */
#include "probe.h"

/* --- sessions ------------------------------------------------------------------------- */

static void
evaluates(void)
{
    CHECK(engine_inspector_open(1));
    probe_say(1, "{\"id\":5,\"method\":\"Runtime.evaluate\",\"params\":"
                 "{\"expression\":\"'\u00e9\U0001F600'.length + '\u00e9\U0001F600'\"}}");
    CHECK_HAS(probe_messages, "\"id\":5");
    CHECK_HAS(probe_messages, "\"value\":\"3\\u00e9\\ud83d\\ude00\"");
    probe_say(1, "{\"id\":6,\"method\":\"Runtime.evaluate\",\"params\":"
                 "{\"expression\":\"null.x\"}}");
    CHECK_HAS(probe_messages, "Cannot read properties of null");
}

static void
ids_are_checked(void)
{
    engine_inspector_close(1);
    probe_say(1, "{\"id\":1,\"method\":\"Runtime.enable\"}");
    CHECK(!engine_inspector_paused());
    CHECK(engine_inspector_open(1));
    CHECK(!engine_inspector_open(1));
    CHECK(engine_inspector_open(2));
    probe_say(3, "{\"id\":1,\"method\":\"Runtime.enable\"}");
    CHECK(probe_messages.len == 0 && probe_other_messages == 0);
    probe_say(2, "{\"id\":1,\"method\":\"Runtime.enable\"}");
    CHECK(probe_messages.len == 0 && probe_other_messages > 0);
    engine_inspector_close(1);
    CHECK(engine_inspector_open(1));
    probe_say(1, "{\"id\":9,\"method\":\"Runtime.enable\"}");
    CHECK_HAS(probe_messages, "\"id\":9");
}

static void
junk_is_answered(void)
{
    static char deep[100001];

    CHECK(engine_inspector_open(1));
    probe_say(1, "");
    probe_say(1, "{");
    probe_say(1, "[1,2]");
    probe_say(1, "{\"id\":1}");
    probe_say(1, "{\"id\":\"x\",\"method\":5}");
    probe_say(1, "{\"id\":2,\"method\":\"No.such\"}");
    CHECK_HAS(probe_messages, "'No.such' wasn't found");
    memset(deep, '[', sizeof deep - 1);
    probe_say(1, deep);
    engine_inspector_dispatch(1, span_of("{\"id\":3,\"method\":\"\xff\xfe\"}", 21));
    engine_inspector_dispatch(1, span_of("\xd8\x5a\0\0\0\x09{}", 8));
    probe_forget(&probe_messages);
    probe_say(
        1, "{\"id\":4,\"method\":\"Runtime.evaluate\",\"params\":{\"expression\":\"6*7\"}}");
    CHECK_HAS(probe_messages, "\"value\":42");
}

static void
contexts_come_and_go(void)
{
    CHECK(engine_context_new(7));
    CHECK(engine_inspector_open(1));
    probe_say(1, "{\"id\":1,\"method\":\"Runtime.enable\"}");
    CHECK_HAS(probe_messages, "\"origin\":\"glovebox://\",\"name\":\"\"");
    CHECK_HAS(probe_messages, "\"name\":\", context 2\"");
    CHECK_HAS(probe_messages, "\"auxData\":{\"isDefault\":true}");
    CHECK(engine_context_new(8));
    CHECK_HAS(probe_messages, "\"name\":\", context 3\"");
    engine_context_free(7);
    CHECK_HAS(probe_messages, "Runtime.executionContextDestroyed");
    engine_context_free(1);
    probe_forget(&probe_messages);
    probe_say(
        1, "{\"id\":2,\"method\":\"Runtime.evaluate\",\"params\":{\"expression\":\"6*7\"}}");
    CHECK_HAS(probe_messages, "\"value\":42");
    engine_context_free(8);
    probe_say(
        1, "{\"id\":3,\"method\":\"Runtime.evaluate\",\"params\":{\"expression\":\"6*7\"}}");
    CHECK_HAS(probe_messages, "{\"id\":3,\"error\":");
    engine_inspector_close(1);
}

static void
opening_runs_no_guest_code(void)
{
    CHECK(probe_eval("globalThis.ran = 'no'; Object.defineProperty(globalThis, 'console',"
                     "{ get() { ran = 'yes'; for (;;); } }); 0") == ENGINE_VALUE);
    CHECK(engine_inspector_open(1));
    CHECK(strcmp(probe_text("ran"), "no") == 0);
}

static void
awaits_a_promise(void)
{
    CHECK(engine_inspector_open(1));
    probe_say(1, "{\"id\":1,\"method\":\"Runtime.evaluate\",\"params\":{\"awaitPromise\":true,"
                 "\"expression\":\"(async () => { await 1; await 2; return 'late' })()\"}}");
    CHECK_HAS(probe_messages, "\"value\":\"late\"");
}

static void
console_calls_arrive_alive(void)
{
    CHECK(engine_inspector_open(1));
    probe_say(1, "{\"id\":1,\"method\":\"Runtime.enable\"}");
    CHECK(probe_eval("\n\nfunction shout() { console.warn('%s!', 'hey', { live: [1] }) }\n"
                     "shout()") == ENGINE_VALUE);
    CHECK_HAS(probe_messages, "Runtime.consoleAPICalled");
    CHECK_HAS(probe_messages, "\"type\":\"warning\"");
    CHECK_HAS(probe_messages, "\"value\":\"%s!\"");
    CHECK_HAS(probe_messages, "\"objectId\":");
    CHECK_HAS(probe_messages, "\"callFrames\":[{\"functionName\":\"shout\"");
    CHECK_HAS(probe_messages, "\"lineNumber\":2");
    CHECK_HAS(probe_console, "hey! { live: [ 1 ] }\n");
    engine_inspector_close(1);
    probe_forget(&probe_messages);
    CHECK(probe_eval("console.log('alone')") == ENGINE_VALUE);
    CHECK(probe_messages.len == 0);
    CHECK_HAS(probe_console, "alone\n");
}

/* --- pauses --------------------------------------------------------------------------- */

static unsigned pauses;

static void
ask_for_pause(void)
{
    probe_say(1, "{\"id\":20,\"method\":\"Debugger.pause\"}");
}

static void
look_around_and_resume(void)
{
    char frame[128], json[512];

    pauses++;
    CHECK(engine_inspector_paused());
    probe_copy_after("\"callFrameId\":\"", frame, sizeof frame);
    (void)snprintf(json, sizeof json,
        "{\"id\":30,\"method\":\"Debugger.evaluateOnCallFrame\",\"params\":{\"callFrameId\":"
        "\"%s\",\"expression\":\"go = false; 'local is ' + local\"}}",
        frame);
    probe_say(1, json);
    CHECK_HAS(probe_messages, "local is 17");
    CHECK(engine_inspector_paused());
    probe_say(1, "{\"id\":31,\"method\":\"Debugger.resume\"}");
    CHECK(!engine_inspector_paused());
}

/* The console's call is where the probe asks for an interrupt: in the middle of the loop. */
static const char busy_loop[] = "(function spin() { let local = 17, go = true, n = 0;"
                                "while (go) if (++n === 1000) console.log(n);"
                                "return 'ended' })()";

static void
a_busy_loop_can_be_paused(void)
{
    CHECK(engine_inspector_open(1));
    probe_say(1, "{\"id\":1,\"method\":\"Debugger.enable\"}");
    probe_on_console = engine_interrupt;
    probe_on_interrupt = ask_for_pause;
    probe_on_paused = look_around_and_resume;
    CHECK(strcmp(probe_text(busy_loop), "ended") == 0);
    CHECK(pauses == 1);
    CHECK_HAS(probe_messages, "\"functionName\":\"spin\"");
    CHECK_HAS(probe_messages, "Debugger.resumed");
}

static void
a_breakpoint_stops(void)
{
    CHECK(engine_inspector_open(1));
    probe_say(1, "{\"id\":1,\"method\":\"Debugger.enable\"}");
    probe_say(1, "{\"id\":2,\"method\":\"Debugger.setBreakpointByUrl\",\"params\":"
                 "{\"lineNumber\":2,\"url\":\"case.js\"}}");
    probe_on_paused = look_around_and_resume;
    CHECK(strcmp(probe_text("(function () { let go = 1;\nlet local = 17;\n"
                            "return String(go) })()"),
              "false") == 0);
    CHECK(pauses == 1);
    CHECK_HAS(probe_messages, "\"hitBreakpoints\":[\"");
}

static void
step_once_then_resume(void)
{
    pauses++;
    probe_say(1, pauses == 1 ? "{\"id\":40,\"method\":\"Debugger.stepOver\"}"
                             : "{\"id\":41,\"method\":\"Debugger.resume\"}");
}

static void
stepping_pauses_again(void)
{
    CHECK(engine_inspector_open(1));
    probe_say(1, "{\"id\":1,\"method\":\"Debugger.enable\"}");
    probe_on_paused = step_once_then_resume;
    CHECK(probe_eval("let a = 1; debugger;\na++;\na++;") == ENGINE_VALUE);
    CHECK(pauses == 2);
}

static void
hang_up(void)
{
    pauses++;
    engine_inspector_close(1);
    CHECK(!engine_inspector_paused());
}

static void
closing_ends_the_pause(void)
{
    CHECK(engine_inspector_open(1));
    probe_say(1, "{\"id\":1,\"method\":\"Debugger.enable\"}");
    probe_on_paused = hang_up;
    CHECK(strcmp(probe_text("debugger; debugger; 'went on'"), "went on") == 0);
    CHECK(pauses == 1);
    CHECK(engine_inspector_open(1));
}

/* The session is on the stack when it is closed: V8 must find it alive on its way back. */
static void
closing_inside_its_own_command(void)
{
    CHECK(engine_inspector_open(1));
    probe_say(1, "{\"id\":1,\"method\":\"Debugger.enable\"}");
    probe_on_paused = hang_up;
    probe_forget(&probe_messages);
    probe_say(1, "{\"id\":2,\"method\":\"Runtime.evaluate\",\"params\":"
                 "{\"expression\":\"debugger; globalThis.after = 'yes'\"}}");
    CHECK(pauses == 1);
    CHECK(!probe_has(&probe_messages, "\"id\":2"));
    CHECK(strcmp(probe_text("after"), "yes") == 0);
    CHECK(engine_inspector_open(1));
    probe_say(
        1, "{\"id\":3,\"method\":\"Runtime.evaluate\",\"params\":{\"expression\":\"6*7\"}}");
    CHECK_HAS(probe_messages, "\"value\":42");
}

static void
first_leaves_second_resumes(void)
{
    pauses++;
    engine_inspector_close(1);
    CHECK(engine_inspector_paused());
    probe_say(2, "{\"id\":50,\"method\":\"Debugger.resume\"}");
    CHECK(!engine_inspector_paused());
}

static void
two_sessions_share_a_pause(void)
{
    CHECK(engine_inspector_open(1));
    CHECK(engine_inspector_open(2));
    probe_say(1, "{\"id\":1,\"method\":\"Debugger.enable\"}");
    probe_say(2, "{\"id\":1,\"method\":\"Debugger.enable\"}");
    probe_on_paused = first_leaves_second_resumes;
    CHECK(probe_eval("debugger") == ENGINE_VALUE);
    CHECK(pauses == 1);
}

static void
first_leaves(void)
{
    pauses++;
    engine_inspector_close(1);
    CHECK(engine_inspector_paused());
    probe_say(2, "{\"id\":60,\"method\":\"Debugger.resume\"}");
}

/* Unlike above, nothing of session 1 is on the stack: it goes at once. */
static void
closing_inside_the_command_of_another(void)
{
    CHECK(engine_inspector_open(1));
    CHECK(engine_inspector_open(2));
    probe_say(1, "{\"id\":1,\"method\":\"Debugger.enable\"}");
    probe_say(2, "{\"id\":1,\"method\":\"Debugger.enable\"}");
    probe_on_paused = first_leaves;
    probe_say(2, "{\"id\":2,\"method\":\"Runtime.evaluate\",\"params\":"
                 "{\"expression\":\"debugger; globalThis.after = 'yes'\"}}");
    CHECK(pauses == 1);
    CHECK(strcmp(probe_text("after"), "yes") == 0);
    engine_inspector_close(2);
}

static void
open_and_ask_for_pause(void)
{
    CHECK(engine_inspector_open(1));
    probe_say(1, "{\"id\":1,\"method\":\"Debugger.enable\"}");
    ask_for_pause();
}

static void
a_session_can_be_opened_while_javascript_runs(void)
{
    probe_on_console = engine_interrupt;
    probe_on_interrupt = open_and_ask_for_pause;
    probe_on_paused = look_around_and_resume;
    CHECK(strcmp(probe_text(busy_loop), "ended") == 0);
    CHECK(pauses == 1);
}

static void
free_context_and_resume(void)
{
    pauses++;
    engine_context_free(1);
    probe_say(
        1, "{\"id\":70,\"method\":\"Runtime.evaluate\",\"params\":{\"expression\":\"1\"}}");
    probe_say(1, "{\"id\":71,\"method\":\"Debugger.resume\"}");
}

static void
a_paused_context_can_be_freed(void)
{
    CHECK(engine_inspector_open(1));
    probe_say(1, "{\"id\":1,\"method\":\"Debugger.enable\"}");
    probe_on_paused = free_context_and_resume;
    (void)probe_eval("debugger; 0");
    CHECK(pauses == 1 && !engine_inspector_paused());
    CHECK(engine_context_new(1));
    probe_on_paused = NULL;
    CHECK(strcmp(probe_text("'usable'"), "usable") == 0);
}

static void
give_up_pause(void)
{
    pauses++;
    engine_terminate();
}

/* The cell is being stopped: its hook comes back though nobody resumed. */
static void
a_paused_guest_can_be_terminated(void)
{
    CHECK(engine_inspector_open(1));
    probe_say(1, "{\"id\":1,\"method\":\"Debugger.enable\"}");
    probe_on_paused = give_up_pause;
    CHECK(probe_eval("debugger; for (;;);") == ENGINE_TERMINATED);
    CHECK(pauses == 1 && !engine_inspector_paused());
    engine_terminate_cancel();
    CHECK(strcmp(probe_text("'usable'"), "usable") == 0);
}

static void
terminate(void)
{
    engine_terminate();
}

/* What waits behind it must neither run without a deadline nor be waited for in vain. */
static void
a_command_can_be_terminated(void)
{
    static const struct engine_source waiting = {
        { (const uint8_t *)"new Promise(r => go = r)", 24 }, { NULL, 0 }, 0, 0
    };

    CHECK(engine_inspector_open(1));
    CHECK(probe_eval("globalThis.go = 0") == ENGINE_VALUE);
    engine_outcome_done(&probe_outcome);
    engine_outcome_init(&probe_outcome, 64);
    engine_eval(1, 5, ENGINE_AWAIT, &waiting, &probe_outcome);
    CHECK(probe_outcome.end == ENGINE_PENDING);
    probe_on_console = terminate;
    probe_say(1, "{\"id\":2,\"method\":\"Runtime.evaluate\",\"params\":{\"expression\":"
                 "\"Promise.resolve().then(() => { globalThis.micro = 'ran' });"
                 "go(1); console.log(1); for (;;);\"}}");
    CHECK_HAS(probe_messages, "\"id\":2");
    buf_byte(&probe_settled, '\0');
    CHECK_HAS(probe_settled, "6");
    engine_terminate_cancel();
    CHECK(strcmp(probe_text("typeof micro"), "undefined") == 0);
}

/* --- profiles ------------------------------------------------------------------------- */

static void
profiles_the_cpu(void)
{
    CHECK(engine_inspector_open(1));
    probe_say(1, "{\"id\":1,\"method\":\"Profiler.enable\"}");
    probe_say(1, "{\"id\":2,\"method\":\"Profiler.start\"}");
    CHECK(probe_eval("(function burn() { let x = 0; const end = Date.now() + 200;"
                     "while (Date.now() < end) x++; return x })()") == ENGINE_VALUE);
    probe_say(1, "{\"id\":3,\"method\":\"Profiler.stop\"}");
    CHECK_HAS(probe_messages, "\"functionName\":\"burn\"");
}

static void
samples_allocations(void)
{
    CHECK(engine_inspector_open(1));
    probe_say(1, "{\"id\":1,\"method\":\"HeapProfiler.startSampling\",\"params\":"
                 "{\"samplingInterval\":1024}}");
    CHECK(probe_eval("globalThis.kept = (function hoard() { const a = []; for (let i = 0;"
                     "i < 20000; i++) a.push({ i }); return a })().length") == ENGINE_VALUE);
    probe_say(1, "{\"id\":2,\"method\":\"HeapProfiler.stopSampling\"}");
    CHECK_HAS(probe_messages, "\"id\":2,\"result\":{\"profile\":");
}

int
glovebox_main(int argc, char **argv)
{
    static const struct probe probes[] = {
        { "a session evaluates, in UTF-8 both ways", evaluates },
        { "session ids are checked", ids_are_checked },
        { "junk is answered or ignored", junk_is_answered },
        { "contexts come and go under a session", contexts_come_and_go },
        { "opening a session runs no guest code", opening_runs_no_guest_code },
        { "awaitPromise gets its microtasks", awaits_a_promise },
        { "console calls reach a session as live objects", console_calls_arrive_alive },
        { "a busy loop can be paused and looked into", a_busy_loop_can_be_paused },
        { "a breakpoint stops", a_breakpoint_stops },
        { "stepping pauses again", stepping_pauses_again },
        { "closing the only session ends the pause", closing_ends_the_pause },
        { "a session can be closed inside its own command", closing_inside_its_own_command },
        { "two sessions share a pause", two_sessions_share_a_pause },
        { "a session can be closed inside the command of another",
            closing_inside_the_command_of_another },
        { "a session can be opened while JavaScript runs",
            a_session_can_be_opened_while_javascript_runs },
        { "a paused context can be freed", a_paused_context_can_be_freed },
        { "a paused guest can be terminated", a_paused_guest_can_be_terminated },
        { "a command's JavaScript can be terminated", a_command_can_be_terminated },
        { "the CPU profiler works", profiles_the_cpu },
        { "the sampling heap profiler works", samples_allocations },
    };

    return probes_run(argc, argv, probes, sizeof probes / sizeof probes[0]);
}
