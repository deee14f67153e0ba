/* What a debugger holds: a guest that waits for one, how long it may, what the host sees of it. */
#include "cdp_client.h"

#include <string.h>

static const char release[] = "{\"id\":90,\"method\":\"Runtime.runIfWaitingForDebugger\"}";

struct held {
    uint32_t now, waits, pauses, ends;
    bool waiting;
};

static void
note_hold(gbx_isolate *isolate, uint32_t how, void *data)
{
    struct held *held = data;

    cr_assert_eq(gbx_isolate_held(isolate), how);
    held->now = how;
    held->waits += how == GBX_HOLD_WAITING;
    held->pauses += how == GBX_HOLD_PAUSED;
    held->ends += how == GBX_HOLD_NONE;
    held->waiting = how == GBX_HOLD_WAITING;
}

static struct world
world_that_waits(struct held *held, uint64_t pause_limit_us)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;

    *held = (struct held){ .now = GBX_HOLD_NONE };
    options.flags = GBX_ISOLATE_WAIT;
    options.on_hold = note_hold;
    options.pause_limit_us = pause_limit_us;
    options.data = held;
    return world_open(&options);
}

/* The event of a pause comes before the word that it holds. */
static void
until_held(const struct world *w, uint32_t how)
{
    while (gbx_isolate_held(w->isolate) != how)
        cr_assert_eq(gbx_runtime_dispatch(w->runtime, 20000000), GBX_OK);
}

/* --- waiting -------------------------------------------------------------------------------- */

CleanTest(hold, the_first_line_waits_and_then_breaks)
{
    struct held held;
    struct world w = world_that_waits(&held, 0);
    static struct client c;
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;

    options.file = "first.js";
    options.timeout_us = 200000;
    options.cpu_us = 200000;
    gbx_future *first = gbx_context_eval(w.context, "let x = 1;\nx + 1", 16, &options);
    dispatch_until(w.runtime, &held.waiting);
    /* Past its deadline and all graces: they rest. What runs no code of the guest is served. */
    sleep_ms(600);
    gbx_value_free(settle_value(gbx_isolate_statistics(w.isolate)));
    cr_assert_eq(gbx_future_wait(first, 1000, NULL), GBX_EBUSY);
    cr_assert_eq(gbx_isolate_held(w.isolate), GBX_HOLD_WAITING);
    client_open(&c, &w);
    say(&c, "{\"id\":1,\"method\":\"Debugger.enable\"}");
    say(&c, "{\"id\":2,\"method\":\"Debugger.setBreakpointByUrl\",\"params\":{\"url\":"
            "\"first.js\",\"lineNumber\":1}}");
    (void)answer_to(&c, 2);
    cr_assert_eq(held.now, GBX_HOLD_WAITING);
    say(&c, release);
    const gbx_value *paused = event(&c, "Debugger.paused");
    cr_assert(is_text(at(paused, "params.reason"), "Break on start"));
    cr_assert_eq(number_of(at(paused, "params.callFrames.0.location.lineNumber")), 0);
    until_held(&w, GBX_HOLD_PAUSED);
    say(&c, "{\"id\":3,\"method\":\"Debugger.resume\"}");
    paused = event(&c, "Debugger.paused");
    cr_assert_eq(number_of(at(paused, "params.callFrames.0.location.lineNumber")), 1);
    say(&c, "{\"id\":4,\"method\":\"Debugger.resume\"}");
    cr_assert_eq(settle_number(first), 2);
    cr_assert_eq(held.now, GBX_HOLD_NONE);
    cr_assert_eq(held.waits, 1);
    cr_assert_eq(held.pauses, 2);
    /* Once: what comes later neither waits nor breaks. */
    cr_assert_eq(eval_number(w.context, "3"), 3);
    client_close(&c);
    world_close(&w);
}

CleanTest(hold, a_host_may_run_something_of_its_own_first)
{
    struct held held = { .now = GBX_HOLD_NONE };
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    static struct client c;

    options.on_hold = note_hold;
    options.data = &held;
    struct world w = world_open(&options);
    cr_assert_eq(eval_number(w.context, "1"), 1);
    cr_assert_eq(gbx_isolate_wait(w.isolate), GBX_OK);
    gbx_future *second = start(w.context, "2", 0);
    dispatch_until(w.runtime, &held.waiting);
    client_open(&c, &w);
    say(&c, "{\"id\":1,\"method\":\"Debugger.enable\"}");
    say(&c, release);
    (void)event(&c, "Debugger.paused");
    say(&c, "{\"id\":2,\"method\":\"Debugger.resume\"}");
    cr_assert_eq(settle_number(second), 2);
    cr_assert_eq(eval_number(w.context, "3"), 3);
    cr_assert_eq(held.waits, 1);
    client_close(&c);
    gbx_isolate_close(w.isolate);
    w.isolate = NULL;
    world_close(&w);
}

CleanTest(hold, who_came_first_finds_nothing_waiting)
{
    struct held held;
    struct world w = world_that_waits(&held, 0);
    static struct client c, other;

    client_open(&c, &w);
    client_open(&other, &w);
    say(&c, "{\"id\":1,\"method\":\"Debugger.enable\"}");
    say(&c, release);
    (void)answer_to(&c, 90);
    gbx_future *first = start(w.context, "7", 0);
    (void)event(&c, "Debugger.paused");
    cr_assert_eq(other.count, 0); /* it debugs nothing */
    say(&c, "{\"id\":2,\"method\":\"Debugger.resume\"}");
    cr_assert_eq(settle_number(first), 7);
    cr_assert_eq(held.waits, 0);
    client_close(&other);
    client_close(&c);
    world_close(&w);
}

CleanTest(hold, each_kind_of_code_waits_and_what_is_none_does_not)
{
    struct held held;

    for (int kind = 0; kind < 3; kind++) {
        struct world w = world_that_waits(&held, 0);
        static struct client c;
        gbx_value *seven = gbx_value_new_int32(7);

        settle(gbx_context_set(w.context, "x", seven), GBX_OK);
        gbx_value_free(settle_value(gbx_context_get(w.context, "x", NULL)));
        cr_assert_eq(held.waits, 0);
        gbx_future *first =
            kind == 0   ? gbx_context_eval_closure(w.context, "return 1", 8, NULL, 0, NULL)
            : kind == 1 ? gbx_context_call(w.context, "Object", NULL, 0, NULL)
                        : start(w.context, "export let y = 1", GBX_MODULE);
        dispatch_until(w.runtime, &held.waiting);
        client_open(&c, &w);
        say(&c, release);
        settle(first, GBX_OK);
        client_close(&c);
        gbx_value_free(seven);
        world_close(&w);
    }
}

CleanTest(hold, what_waits_can_be_ended)
{
    struct held held;
    struct world w = world_that_waits(&held, 0);
    static struct client c;

    for (int i = 0; i < 3; i++) {
        held.waiting = false;
        gbx_future *first = start(w.context, "1", 0), *second = start(w.context, "2", 0);
        dispatch_until(w.runtime, &held.waiting);
        gbx_isolate_terminate(w.isolate);
        settle(first, GBX_ETERMINATED);
        settle(second, GBX_ETERMINATED);
    }
    /* A session that does not release holds nothing up either. */
    held.waiting = false;
    gbx_future *first = start(w.context, "1", 0);
    dispatch_until(w.runtime, &held.waiting);
    client_open(&c, &w);
    say(&c, "{\"id\":1,\"method\":\"Runtime.evaluate\",\"params\":{\"expression\":\"5\"}}");
    cr_assert_eq(number_of(at(answer_to(&c, 1), "result.result.value")), 5);
    cr_assert_eq(held.now, GBX_HOLD_WAITING);
    client_close(&c);
    cr_assert_eq(gbx_isolate_held(w.isolate), GBX_HOLD_WAITING);
    gbx_isolate_close(w.isolate);
    w.isolate = NULL;
    settle(first, GBX_EDISPOSED);

    w.isolate = world_isolate(&w, NULL);
    w.context = gbx_isolate_context(w.isolate);
    expect_usable(&w);
    world_close(&w);
}

CleanTest(hold, a_runtime_may_be_closed_while_one_waits_or_is_paused_there)
{
    for (int paused = 0; paused < 2; paused++) {
        struct held held;
        struct world w = world_that_waits(&held, 0);
        static struct client c;

        gbx_future *first = start(w.context, "1", 0);
        dispatch_until(w.runtime, &held.waiting);
        client_open(&c, &w);
        if (paused) { /* a pause on top of the wait */
            say(&c, "{\"id\":1,\"method\":\"Debugger.enable\"}");
            say(&c, "{\"id\":2,\"method\":\"Runtime.evaluate\",\"params\":{\"expression\":"
                    "\"debugger; 5\"}}");
            until_held(&w, GBX_HOLD_PAUSED);
            say(&c, "{\"id\":3,\"method\":\"Debugger.resume\"}");
            (void)answer_to(&c, 2);
            until_held(&w, GBX_HOLD_WAITING);
            say(&c, "{\"id\":4,\"method\":\"Runtime.evaluate\",\"params\":{\"expression\":"
                    "\"debugger; 5\"}}");
            (void)event(&c, "Debugger.paused");
        }
        gbx_runtime_close(w.runtime);
        w.runtime = NULL;
        settle(first, GBX_EDISPOSED);
        client_close(&c);
        world_close(&w);
    }
}

CleanTest(hold, templates_cannot_wait_and_forks_do_not)
{
    struct held held;
    struct world w = world_that_waits(&held, 0);
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    gbx_template_options of_template = GBX_TEMPLATE_OPTIONS_INIT;
    gbx_template *template = NULL;
    gbx_isolate *fork = NULL;

    options.flags = GBX_ISOLATE_WAIT;
    of_template.isolate = &options;
    cr_assert_eq(gbx_template_open(w.runtime, &of_template, &template, NULL), GBX_EINVAL);
    cr_assert_eq(gbx_isolate_fork(w.isolate, NULL, &fork, NULL), GBX_OK);
    cr_assert_eq(eval_number(gbx_isolate_context(fork), "4"), 4);
    gbx_isolate_close(fork);
    world_close(&w);
}

/* --- limits --------------------------------------------------------------------------------- */

CleanTest(hold, ends_what_is_held_for_too_long)
{
    struct held held;
    struct world w = world_that_waits(&held, 50000);
    static struct client c;
    gbx_error error = GBX_ERROR_INIT;

    gbx_future *first = start(w.context, "1", 0);
    cr_assert_eq(gbx_future_wait(first, -1, &error), GBX_ETIMEOUT);
    cr_assert_eq(error.limit, 50000);
    cr_assert_neq(strstr(error.message, "debugger"), NULL, "%s", error.message);
    gbx_future_free(first);
    client_open(&c, &w);
    say(&c, "{\"id\":1,\"method\":\"Debugger.enable\"}");
    say(&c, release);
    (void)answer_to(&c, 90);
    /* A client that stops at everything and never goes on. */
    first = start(w.context, "for (;;) { debugger }", 0);
    cr_assert_eq(gbx_future_wait(first, -1, &error), GBX_ETIMEOUT);
    cr_assert_neq(strstr(error.message, "debugger"), NULL, "%s", error.message);
    gbx_future_free(first);
    /* What is paused is the debugger's own. */
    say(&c, "{\"id\":2,\"method\":\"Runtime.evaluate\",\"params\":{\"expression\":"
            "\"debugger; 5\"}}");
    (void)next_message(&c, 2, NULL);
    cr_assert_eq(gbx_isolate_held(w.isolate), GBX_HOLD_NONE);
    client_close(&c);
    expect_usable(&w);
    world_close(&w);
}

/* The pauses of one call count together. */
CleanTest(hold, many_short_pauses_have_the_limit_of_a_long_one)
{
    struct held held;
    struct world w = world_that_waits(&held, 400000);
    static struct client c;
    gbx_error error = GBX_ERROR_INIT;

    client_open(&c, &w);
    say(&c, "{\"id\":1,\"method\":\"Debugger.enable\"}");
    say(&c, release);
    (void)answer_to(&c, 90);
    gbx_future *call = start(w.context, "let n = 0;\nfor (;;) { debugger }", 0);
    while (gbx_future_status(call, NULL) == GBX_EBUSY) {
        sleep_ms(20);
        (void)gbx_runtime_dispatch(w.runtime, 1000);
        if (gbx_isolate_held(w.isolate) == GBX_HOLD_PAUSED)
            say(&c, "{\"id\":2,\"method\":\"Debugger.resume\"}");
    }
    cr_assert_eq(gbx_future_status(call, &error), GBX_ETIMEOUT);
    cr_assert_eq(error.limit, 400000);
    cr_assert_gt(held.pauses, 1);
    cr_assert_lt(held.pauses, 40);
    gbx_future_free(call);
    client_close(&c);
    expect_usable(&w);
    world_close(&w);
}

/* What a debugger runs while it holds the guest is on nobody's budget. */
CleanTest(hold, budgets_do_not_pay_for_the_debugger)
{
    struct world w = world_open(NULL);
    static struct client c;

    client_open(&c, &w);
    say(&c, "{\"id\":1,\"method\":\"Debugger.enable\"}");
    (void)answer_to(&c, 1);
    gbx_future *call = start_limited(w.context, "debugger; 7", 0, 50000);
    (void)event(&c, "Debugger.paused");
    say(&c, "{\"id\":2,\"method\":\"Runtime.evaluate\",\"params\":{\"expression\":"
            "\"for (let t = Date.now(), n = 0; Date.now() < t + 1500;) n++\"}}");
    (void)answer_to(&c, 2);
    say(&c, "{\"id\":3,\"method\":\"Debugger.resume\"}");
    cr_assert_eq(settle_number(call), 7);
    client_close(&c);
    expect_usable(&w);
    world_close(&w);
}
