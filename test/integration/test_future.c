/* Futures, promises and modules: when the answer comes, and what if nobody waits for it. */
#include "support.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

/* --- promises and modules ------------------------------------------------------------------- */

CleanTest(future, waits_for_promises_when_told)
{
    struct world w = world_open(NULL);

    cr_assert_eq(settle_number(start(w.context, "Promise.resolve(5)", GBX_AWAIT)), 5);
    cr_assert_eq(settle_number(start(w.context, "7", GBX_AWAIT)), 7);
    cr_assert_eq(settle_number(start(w.context,
                     "(async () => { let n = 0; for (; n < 1000; n++) await n; return n })()",
                     GBX_AWAIT)),
        1000);
    /* A thenable is no promise: it is copied, or not. */
    settle(start(w.context, "({ then(f) { f(1) } })", GBX_AWAIT), GBX_ECLONE);
    settle(start(w.context, "Promise.resolve(() => 1)", GBX_AWAIT), GBX_ECLONE);
    /* What the guest made of Promise does not matter. */
    eval_only(w.context, "p = Promise.resolve(3); Promise.prototype.then = () => { throw 1 };"
                         "Promise = null");
    cr_assert_eq(settle_number(start(w.context, "p", GBX_AWAIT)), 3);
    settle(start(w.context, "(async () => { throw new Error('x') })()", GBX_AWAIT), GBX_ETHROW);
    world_close(&w);
}

CleanTest(future, of_an_open_promise_stays_open)
{
    struct world w = world_open(NULL);
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;
    gbx_value *four = gbx_value_new_int32(4);
    const gbx_value *arguments[] = { four };

    eval_only(w.context, "function later() { return new Promise(r => { resolve = r }) }");
    options.flags = GBX_AWAIT;
    gbx_future *future = gbx_context_call(w.context, "later", NULL, 0, &options);
    cr_assert_eq(gbx_future_wait(future, 20000, NULL), GBX_EBUSY);
    cr_assert_eq(eval_number(w.context, "1 + 1"), 2);
    cr_assert_eq(gbx_future_status(future, NULL), GBX_EBUSY);
    cr_assert_null(gbx_future_value(future));
    settle(gbx_context_call(w.context, "resolve", arguments, 1, NULL), GBX_OK);
    cr_assert_eq(settle_number(future), 4);
    /* A deadline holds for the wait, too, and the isolate lives on. */
    options.timeout_us = 30000;
    settle(gbx_context_call(w.context, "later", NULL, 0, &options), GBX_ETIMEOUT);
    /* A terminated wait. */
    options.timeout_us = 0;
    future = gbx_context_call(w.context, "later", NULL, 0, &options);
    cr_assert_eq(gbx_future_wait(future, 20000, NULL), GBX_EBUSY);
    gbx_isolate_terminate(w.isolate);
    settle(future, GBX_ETERMINATED);
    expect_usable(&w);
    gbx_value_free(four);
    world_close(&w);
}

CleanTest(future, of_a_module_waits_for_its_top_level)
{
    struct world w = world_open(NULL);
    gbx_error error = GBX_ERROR_INIT;
    uint32_t both = GBX_MODULE | GBX_AWAIT;

    gbx_value *value = settle_value(start(w.context,
        "export const x = 1; globalThis.a = this === undefined; await 1; globalThis.b = 2",
        both));
    cr_assert_eq(gbx_value_get_kind(value), GBX_UNDEFINED);
    gbx_value_free(value);
    expect_text(w.context, "`${a} ${b} ${typeof x}`", "true 2 undefined");
    settle(start(w.context, "await 1; throw new TypeError('in module')", both), GBX_ETHROW);
    settle(start(w.context, "with ({}) {}", both), GBX_ETHROW); /* strict */
    settle(start(w.context, "let", GBX_MODULE), GBX_ETHROW);
    /* Not awaited: what comes later comes later. */
    settle(start(w.context, "globalThis.c = 1; await new Promise(() => {}); c = 2", GBX_MODULE),
        GBX_OK);
    cr_assert_eq(eval_number(w.context, "c"), 1);

    gbx_future *future = start(w.context, "import fs from 'node:fs'", both);
    cr_assert_eq(gbx_future_wait(future, -1, &error), GBX_ETHROW);
    cr_assert_not_null(strstr(error.message, "cannot import 'node:fs'"), "%s", error.message);
    gbx_future_free(future);
    static const char *const dynamic[] = { "import('x')", "import('data:text/javascript,1')",
        "import.source('x')", "import('x', { with: { type: 'json' } })" };
    for (size_t i = 0; i < sizeof dynamic / sizeof *dynamic; i++) {
        future = start(w.context, dynamic[i], GBX_AWAIT);
        cr_assert_eq(gbx_future_wait(future, -1, &error), GBX_ETHROW, "%s", dynamic[i]);
        gbx_future_free(future);
    }
    expect_text(w.context, "'unharmed'", "unharmed");
    world_close(&w);
}

/* --- waiting and being called back ---------------------------------------------------------- */

CleanTest(future, wait_may_end_before_it)
{
    struct world w = world_open(NULL);
    static const char busy[] = "end = Date.now() + 200; while (Date.now() < end); 8";
    gbx_error error = GBX_ERROR_INIT;

    gbx_future *future = gbx_context_eval(w.context, busy, strlen(busy), NULL);
    cr_assert_eq(gbx_future_status(future, &error), GBX_EBUSY);
    cr_assert_eq(gbx_future_wait(future, 0, &error), GBX_EBUSY);
    cr_assert_eq(gbx_future_wait(future, 10000, &error), GBX_EBUSY);
    cr_assert_eq(error.status, GBX_OK, "an open future is no error");
    cr_assert_eq(settle_number(future), 8);
    /* Finished ones answer again and again. */
    future = start(w.context, "throw new Error('once')", 0);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(gbx_future_wait(future, -1, &error), GBX_ETHROW);
        cr_assert_eq(gbx_future_status(future, &error), GBX_ETHROW);
        cr_assert_str_eq(error.message, "once");
    }
    gbx_future_free(future);
    world_close(&w);
}

struct note {
    gbx_future *future;
    int calls;
    gbx_status status;
    bool free_it;
    bool done;
};

static void
take_note(gbx_future *future, void *data)
{
    struct note *note = data;

    cr_assert_eq(future, note->future);
    note->calls++;
    note->status = gbx_future_status(future, NULL);
    note->done = true;
    if (note->free_it)
        gbx_future_free(future);
}

CleanTest(future, calls_back_once)
{
    struct world w = world_open(NULL);
    struct note first = { NULL, 0, 0, false, false }, second = first, third = first;

    first.future = second.future = start(w.context, "1", 0);
    gbx_future_then(first.future, take_note, &first);
    gbx_future_then(first.future, take_note, &second); /* replaces it */
    dispatch_until(w.runtime, &second.done);
    cr_assert_eq(first.calls, 0);
    cr_assert_eq(second.calls, 1);
    cr_assert_eq(second.status, GBX_OK);
    /* At once when it is finished. */
    third.future = first.future;
    third.free_it = true;
    gbx_future_then(first.future, take_note, &third);
    cr_assert_eq(third.calls, 1);

    /* Removed, and freed: never called. */
    first.done = false;
    first.future = start(w.context, "2", 0);
    gbx_future_then(first.future, take_note, &first);
    gbx_future_then(first.future, NULL, NULL);
    second = first;
    second.future = start(w.context, "3", 0);
    gbx_future_then(second.future, take_note, &second);
    gbx_future_free(second.future);
    cr_assert_eq(eval_number(w.context, "4"), 4);
    cr_assert_eq(first.calls + second.calls, 0);
    gbx_future_free(first.future);
    /* What failed before it was sent calls back at once, too. */
    third = (struct note){ gbx_context_get(w.context, "", NULL), 0, 0, true, false };
    gbx_future_then(third.future, take_note, &third);
    cr_assert_eq(third.status, GBX_EINVAL);
    gbx_future *unheard = gbx_context_get(w.context, "", NULL);
    gbx_future_then(unheard, NULL, NULL);
    gbx_future_free(unheard);
    world_close(&w);
}

/* A callback frees the very future that is waited for. */
CleanTest(future, may_be_freed_while_it_is_waited_for)
{
    struct world w = world_open(NULL);
    struct note note = { NULL, 0, 0, true, false };

    note.future = start(w.context, "throw 1", 0);
    gbx_future_then(note.future, take_note, &note);
    cr_assert_eq(gbx_future_wait(note.future, -1, NULL), GBX_ETHROW);
    cr_assert_eq(note.calls, 1);
    world_close(&w);
}

static void
start_next(gbx_future *future, void *data)
{
    void **world_and_left = data;
    struct world *w = world_and_left[0];
    int *left = world_and_left[1];

    cr_assert_eq(gbx_future_status(future, NULL), GBX_OK);
    gbx_future_free(future);
    if (--*left > 0)
        gbx_future_then(start(w->context, "1", 0), start_next, data);
    else
        gbx_isolate_close(w->isolate);
}

CleanTest(future, callbacks_may_ask_for_more_and_close_everything)
{
    struct world w = world_open(NULL);
    int left = 1000;
    void *data[] = { &w, &left };

    gbx_future_then(start(w.context, "1", 0), start_next, data);
    while (left > 0)
        cr_assert_eq(gbx_runtime_dispatch(w.runtime, 10000000), GBX_OK);
    w.isolate = NULL;
    world_close(&w);
}

/* Nobody wants the answer; what was asked for happens all the same. */
CleanTest(future, may_be_forgotten)
{
    struct world w = world_open(NULL);

    eval_only(w.context, "n = 0");
    for (int i = 0; i < 1000; i++)
        gbx_future_free(start(w.context, "n++", 0));
    gbx_future_free(start(w.context, "n += 0.5; throw new Error('unheard')", 0));
    gbx_future_free(start(w.context, "new Promise(() => {})", GBX_AWAIT));
    gbx_future_free(NULL);
    cr_assert_eq(eval_number(w.context, "n"), 1000.5);
    world_close(&w);
}

/* --- many ----------------------------------------------------------------------------------- */

enum {
    MANY = 10000,
    CROWD = 10
};

struct order {
    uint32_t finished;
    uint32_t expected; /* the number that comes next */
};

static void
comes_next(gbx_future *future, void *data)
{
    struct order *order = data;

    cr_assert_eq(number_of(gbx_future_value(future)), order->expected);
    order->expected++;
    order->finished++;
    gbx_future_free(future);
}

CleanTest(future, thousands_are_answered_in_order)
{
    struct world w = world_open(NULL);
    struct order order = { 0, 0 };

    eval_only(w.context, "n = 0");
    for (int i = 0; i < MANY; i++)
        gbx_future_then(start(w.context, "n++", 0), comes_next, &order);
    while (order.finished < MANY)
        cr_assert_eq(gbx_runtime_dispatch(w.runtime, 10000000), GBX_OK);
    /* By waiting for the last of them. */
    gbx_future *last = NULL;
    for (int i = 0; i < MANY; i++) {
        last = start(w.context, "n++", 0);
        if (i < MANY - 1)
            gbx_future_then(last, comes_next, &order);
    }
    cr_assert_eq(settle_number(last), 2 * MANY - 1);
    cr_assert_eq(order.finished, 2 * MANY - 1);
    world_close(&w);
}

/* Each has a deadline that all of them together pass by far: the clock of one begins when the
 * one before it has ended. */
CleanTest(future, in_line_do_not_spend_each_others_time)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    static const char busy[] = "end = Date.now() + 20; while (Date.now() < end); 1";
    gbx_future *futures[40];

    options.timeout_us = options.cpu_us = 250000;
    struct world w = world_open(&options);
    for (size_t i = 0; i < 40; i++)
        futures[i] = gbx_context_eval(w.context, busy, strlen(busy), NULL);
    gbx_future *collected = gbx_isolate_collect(w.isolate);
    for (size_t i = 0; i < 40; i++)
        cr_assert_eq(settle_number(futures[i]), 1);
    settle(collected, GBX_OK);
    expect_usable(&w);
    world_close(&w);
}

CleanTest(future, many_open_promises_are_kept_apart)
{
    struct world w = world_open(NULL);
    static gbx_future *futures[MANY];

    eval_only(w.context, "resolvers = []; function open(i) {"
                         " return new Promise(r => { resolvers[i] = r }) }");
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;
    options.flags = GBX_AWAIT;
    options.timeout_us = 90000000;
    for (int i = 0; i < MANY; i++) {
        gbx_value *number = gbx_value_new_int32(i);
        const gbx_value *arguments[] = { number };
        futures[i] = gbx_context_call(w.context, "open", arguments, 1, &options);
        gbx_value_free(number);
    }
    eval_only(w.context, "for (let i = 9999; i >= 0; i--) resolvers[i](i * 2)");
    for (int i = 0; i < MANY; i++)
        cr_assert_eq(settle_number(futures[i]), 2 * i);
    world_close(&w);
}

struct member {
    gbx_isolate *isolate;
    struct order order;
};

/* As an event loop does it: poll(2) on the one descriptor, then dispatch. */
CleanTest(future, isolates_take_turns_in_a_loop_of_the_host)
{
    struct world w = world_open(NULL);
    static struct member members[CROWD];
    uint32_t open = 0;

    for (int m = 0; m < CROWD; m++) {
        members[m].isolate = world_isolate(&w, NULL);
        gbx_context *context = gbx_isolate_context(members[m].isolate);
        eval_only(
            context, "n = 0; function work() { for (let i = 0; i < 1000; i++); return n++ }");
        for (int i = 0; i < 200; i++)
            gbx_future_then(start(context, "work()", 0), comes_next, &members[m].order);
        open += 200;
    }
    struct pollfd fd = { .fd = gbx_runtime_fd(w.runtime), .events = POLLIN };
    while (open > 0) {
        cr_assert_eq(poll(&fd, 1, 20000), 1, "nothing came");
        cr_assert_eq(gbx_runtime_dispatch(w.runtime, 0), GBX_OK);
        open = 200 * CROWD;
        for (int m = 0; m < CROWD; m++)
            open -= members[m].order.finished;
    }
    cr_assert_eq(gbx_runtime_dispatch(w.runtime, 0), GBX_EBUSY);
    for (int m = 0; m < CROWD; m++)
        gbx_isolate_close(members[m].isolate);
    world_close(&w);
}
