/* Host functions that use the isolate which called them: calls inside calls, closing, stopping,
 * and whose clock runs meanwhile. */
#include "support.h"

#include <string.h>

static gbx_status
nothing(gbx_callback *callback, void *data)
{
    (void)callback;
    (void)data;
    return GBX_OK;
}

/* --- calls inside calls --------------------------------------------------------------------- */

/* What a host function does with the guest that called it; the status that it must see. */
struct inner {
    struct world *w;
    const char *source;
    uint64_t timeout_us, cpu_us;
    gbx_status expected;
    uint32_t calls;
    gbx_status seen;
};

static gbx_status
evaluates(gbx_callback *callback, void *data)
{
    struct inner *inner = data;
    gbx_error error = GBX_ERROR_INIT;

    inner->calls++;
    gbx_future *future =
        start_limited(inner->w->context, inner->source, inner->timeout_us, inner->cpu_us);
    inner->seen = gbx_future_wait(future, -1, &error);
    gbx_status status = GBX_OK;
    if (inner->seen == GBX_OK)
        status = gbx_callback_return(callback, gbx_future_value(future));
    gbx_future_free(future);
    return status;
}

CleanTest(nesting, host_function_evaluates_in_its_isolate)
{
    struct world w = world_open(NULL);
    struct inner inner = { .w = &w, .source = "x++; x * 10" };

    give(w.context, "f", evaluates, &inner);
    cr_assert_eq(eval_number(w.context, "x = 1; const y = f(); y + x"), 22);
    cr_assert_eq(inner.seen, GBX_OK);
    inner.source = "throw new TypeError('inner')";
    expect_text(w.context, "String(f())", "undefined");
    cr_assert_eq(inner.seen, GBX_ETHROW);
    inner.source = "(";
    expect_text(w.context, "String(f())", "undefined");
    cr_assert_eq(inner.seen, GBX_ETHROW);
    world_close(&w);
}

/* The guest calls the host, which calls the guest, ... */
static gbx_status
goes_down(gbx_callback *callback, void *data)
{
    struct world *w = data;
    const gbx_value *arguments[] = { gbx_callback_argument(callback, 0) };
    gbx_error error = GBX_ERROR_INIT;
    gbx_value *value = NULL;

    gbx_status status = gbx_call(w->context, "down", arguments, 1, &value, &error);
    if (status != GBX_OK)
        return gbx_callback_throw(callback, error.name, error.message);
    status = gbx_callback_return(callback, value);
    gbx_value_free(value);
    return status;
}

CleanTest(nesting, goes_to_its_limit_and_no_further)
{
    struct world w = world_open(NULL);
    gbx_error error;

    give(w.context, "host", goes_down, &w);
    eval_only(w.context, "function down(n) { return n === 0 ? 0 : 1 + host(n - 1) }");
    cr_assert_eq(eval_number(w.context, "down(1)"), 1);
    cr_assert_eq(eval_number(w.context, "down(10)"), 10);
    cr_assert_eq(eval_number(w.context, "down(64)"), 64);
    expect_failure(w.context, "down(65)", GBX_EHOST, &error);
    cr_assert_str_eq(error.name, "RangeError");
    expect_failure(w.context, "down(100000)", GBX_EHOST, &error);
    /* The guest may catch it where it happens. */
    eval_only(w.context, "deepest = 0; function careful(n) { deepest = n;"
                         "try { return host(n + 1) } catch (e) { return e.name } }"
                         "down = careful");
    expect_text(w.context, "careful(0)", "RangeError");
    cr_assert_eq(eval_number(w.context, "deepest"), 64);
    expect_usable(&w);
    world_close(&w);
}

static gbx_status
uses_everything(gbx_callback *callback, void *data)
{
    struct world *w = data;
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;
    gbx_context *other = NULL;
    gbx_value *five = gbx_value_new_int32(5);
    const gbx_value *arguments[] = { five };

    settle(gbx_context_set(w->context, "five", five), GBX_OK);
    cr_assert_eq(settle_number(gbx_context_get(w->context, "five", NULL)), 5);
    options.flags = GBX_RESULT_REFERENCE;
    gbx_future *future = gbx_context_get(w->context, "double", &options);
    cr_assert_eq(gbx_future_wait(future, -1, NULL), GBX_OK);
    gbx_reference *reference = gbx_future_take_reference(future);
    gbx_future_free(future);
    cr_assert_eq(settle_number(gbx_reference_call(reference, NULL, arguments, 1, NULL)), 10);
    gbx_reference_close(reference);
    cr_assert_eq(gbx_context_open(w->isolate, &other, NULL), GBX_OK);
    give(other, "g", nothing, NULL);
    cr_assert_eq(eval_number(other, "g(); 3"), 3);
    gbx_context_close(other);
    gbx_value_free(settle_value(gbx_isolate_statistics(w->isolate)));
    settle(gbx_isolate_collect(w->isolate), GBX_OK);
    gbx_value_free(five);
    return answer_number(callback, 1);
}

CleanTest(nesting, host_function_may_use_all_of_the_isolate)
{
    struct world w = world_open(NULL);

    give(w.context, "f", uses_everything, &w);
    eval_only(w.context, "function double(x) { return 2 * x }");
    cr_assert_eq(eval_number(w.context, "f() + f() + five"), 7);
    world_close(&w);
}

static gbx_status
dispatches(gbx_callback *callback, void *data)
{
    struct world *w = data;
    bool done = false;

    (void)callback;
    gbx_future *future = gbx_context_eval(w->context, "1 + 1", 5, NULL);
    while (!done) {
        gbx_status status = gbx_runtime_dispatch(w->runtime, 5000000);
        cr_assert_eq(status, GBX_OK);
        done = gbx_future_status(future, NULL) != GBX_EBUSY;
    }
    cr_assert_eq(settle_number(future), 2);
    return answer_number(callback, 7);
}

CleanTest(nesting, host_function_may_dispatch)
{
    struct world w = world_open(NULL);
    bool done = false;

    give(w.context, "f", dispatches, &w);
    gbx_future *future = gbx_context_eval(w.context, "f()", 3, NULL);
    while (!done) {
        cr_assert_eq(gbx_runtime_dispatch(w.runtime, 5000000), GBX_OK);
        done = gbx_future_status(future, NULL) != GBX_EBUSY;
    }
    cr_assert_eq(settle_number(future), 7);
    world_close(&w);
}

/* What was asked for outside comes before what is asked for inside, where that matters. */
CleanTest(nesting, a_context_that_was_just_opened_is_there_in_a_host_function)
{
    struct world w = world_open(NULL);
    struct world inside = w;
    struct inner inner = { .w = &inside, .source = "40 + 2" };
    gbx_context *other = NULL;

    give(w.context, "f", evaluates, &inner);
    for (int i = 0; i < 50; i++) {
        gbx_future *future = gbx_context_eval(w.context, "f()", 3, NULL);
        cr_assert_eq(gbx_context_open(w.isolate, &other, NULL), GBX_OK);
        inside.context = other;
        cr_assert_eq(settle_number(future), 42);
        gbx_context_close(other);
    }
    world_close(&w);
}

/* --- what cannot be waited for -------------------------------------------------------------- */

static gbx_status
waits_for(gbx_callback *callback, void *data)
{
    gbx_future **future = data;
    gbx_error error = GBX_ERROR_INIT;

    cr_assert_eq(gbx_future_wait(*future, -1, &error), GBX_EINVAL);
    cr_assert_not_null(strstr(error.message, "host function"), "%s", error.message);
    cr_assert_eq(gbx_future_wait(*future, 1000, &error), GBX_EINVAL);
    cr_assert_eq(gbx_future_status(*future, NULL), GBX_EBUSY);
    return answer_number(callback, 9);
}

/* It could only finish after the host function has returned. */
CleanTest(nesting, a_host_function_cannot_wait_for_the_call_that_it_is_part_of)
{
    struct world w = world_open(NULL);
    gbx_future *outer = NULL;

    give(w.context, "f", waits_for, &outer);
    outer = gbx_context_eval(w.context, "f()", 3, NULL);
    cr_assert_eq(settle_number(outer), 9);
    world_close(&w);
}

CleanTest(nesting, a_host_function_cannot_wait_for_a_call_that_was_made_before_it)
{
    struct world w = world_open(NULL);
    gbx_future *later = NULL;

    give(w.context, "f", waits_for, &later);
    gbx_future *outer = gbx_context_eval(w.context, "f()", 3, NULL);
    later = gbx_context_eval(w.context, "1 + 2", 5, NULL);
    cr_assert_eq(settle_number(outer), 9);
    cr_assert_eq(settle_number(later), 3);
    world_close(&w);
}

static gbx_status
waits_for_a_promise(gbx_callback *callback, void *data)
{
    struct world *w = data;
    gbx_error error = GBX_ERROR_INIT;

    gbx_future *settled = start(w->context, "Promise.resolve(4)", GBX_AWAIT);
    cr_assert_eq(settle_number(settled), 4);
    gbx_future *open = start(w->context, "(async () => { await 1; return 2 })()", GBX_AWAIT);
    cr_assert_eq(gbx_future_wait(open, -1, &error), GBX_EINVAL);
    cr_assert_not_null(strstr(error.message, "host function"), "%s", error.message);
    gbx_future_free(open);
    return answer_number(callback, 5);
}

/* Microtasks run when the guest's stack is empty, and it is not. */
CleanTest(nesting, a_host_function_cannot_wait_for_an_open_promise)
{
    struct world w = world_open(NULL);

    give(w.context, "f", waits_for_a_promise, &w);
    cr_assert_eq(eval_number(w.context, "f()"), 5);
    expect_usable(&w);
    world_close(&w);
}

static void
note_number(gbx_future *future, void *data)
{
    *(double *)data = number_of(gbx_future_value(future));
    gbx_future_free(future);
}

static gbx_status
leaves_a_promise(gbx_callback *callback, void *data)
{
    struct world *w = ((void **)data)[0];

    gbx_future *open = start(w->context, "(async () => { await 1; return 2 })()", GBX_AWAIT);
    gbx_future_then(open, note_number, ((void **)data)[1]);
    return answer_number(callback, 5);
}

CleanTest(nesting, a_promise_that_a_host_function_left_is_settled_after_it)
{
    struct world w = world_open(NULL);
    double came = 0;
    void *data[] = { &w, &came };

    give(w.context, "f", leaves_a_promise, data);
    cr_assert_eq(eval_number(w.context, "f()"), 5);
    cr_assert_eq(eval_number(w.context, "6"), 6);
    cr_assert_eq(came, 2);
    world_close(&w);
}

/* --- ends ----------------------------------------------------------------------------------- */

static gbx_status
closes_isolate(gbx_callback *callback, void *data)
{
    struct world *w = data;

    gbx_isolate_close(w->isolate);
    cr_assert_eq(gbx_callback_isolate(callback), w->isolate);
    w->isolate = NULL;
    return answer_number(callback, 1);
}

CleanTest(nesting, host_function_closes_its_isolate)
{
    struct world w = world_open(NULL);

    give(w.context, "f", closes_isolate, &w);
    gbx_future *later, *future = gbx_context_eval(w.context, "f()", 3, NULL);
    later = gbx_context_eval(w.context, "2", 1, NULL);
    settle(future, GBX_EDISPOSED);
    settle(later, GBX_EDISPOSED);
    w.isolate = world_isolate(&w, NULL);
    w.context = gbx_isolate_context(w.isolate);
    expect_usable(&w);
    world_close(&w);
}

CleanTest(nesting, host_function_closes_its_isolate_in_the_depth)
{
    struct world w = world_open(NULL);
    struct inner inner = { .w = &w, .source = "f()" };

    give(w.context, "f", closes_isolate, &w);
    give(w.context, "g", evaluates, &inner);
    settle(gbx_context_eval(w.context, "g()", 3, NULL), GBX_EDISPOSED);
    cr_assert_eq(inner.seen, GBX_EDISPOSED);
    world_close(&w);
}

static gbx_status
closes_context(gbx_callback *callback, void *data)
{
    gbx_context **context = data;

    gbx_context_close(*context);
    *context = NULL;
    return answer_number(callback, 1);
}

CleanTest(nesting, host_function_closes_its_context)
{
    struct world w = world_open(NULL);
    gbx_context *other = NULL;

    cr_assert_eq(gbx_context_open(w.isolate, &other, NULL), GBX_OK);
    give(other, "f", closes_context, &other);
    give(other, "g", nothing, NULL);
    /* What runs goes on, without its host functions. */
    gbx_value *value =
        eval(other, "const one = f(); try { g() } catch (e) { e.message + one }");
    expect_string(value, "the context of this host function has been closed1");
    gbx_value_free(value);
    cr_assert_null(other);
    expect_usable(&w);
    world_close(&w);
}

static gbx_status
terminates(gbx_callback *callback, void *data)
{
    (void)data;
    gbx_isolate_terminate(gbx_callback_isolate(callback));
    return answer_number(callback, 1);
}

CleanTest(nesting, host_function_terminates_its_call)
{
    struct world w = world_open(NULL);

    give(w.context, "f", terminates, NULL);
    for (int i = 0; i < 100; i++) {
        settle(gbx_context_eval(w.context, "f(); for (;;);", 14, NULL), GBX_ETERMINATED);
        expect_usable(&w);
    }
    expect_failure(w.context, "try { f() } finally { for (;;); }", GBX_ETERMINATED, NULL);
    expect_usable(&w);
    world_close(&w);
}

CleanTest(nesting, termination_ends_every_level)
{
    struct world w = world_open(NULL);
    struct inner inner = { .w = &w, .source = "f(); for (;;);" };

    give(w.context, "f", terminates, NULL);
    give(w.context, "g", evaluates, &inner);
    for (int i = 0; i < 20; i++) {
        settle(gbx_context_eval(w.context, "g(); for (;;);", 14, NULL), GBX_ETERMINATED);
        cr_assert_eq(inner.seen, GBX_ETERMINATED);
        expect_usable(&w);
    }
    world_close(&w);
}

static gbx_status
terminates_and_evaluates(gbx_callback *callback, void *data)
{
    struct world *w = data;

    gbx_isolate_terminate(w->isolate);
    /* A later call is not meant. */
    cr_assert_eq(eval_number(w->context, "20 + 3"), 23);
    return answer_number(callback, 1);
}

CleanTest(nesting, termination_spares_what_is_asked_for_later)
{
    struct world w = world_open(NULL);

    give(w.context, "f", terminates_and_evaluates, &w);
    for (int i = 0; i < 20; i++) {
        expect_failure(w.context, "f(); for (;;);", GBX_ETERMINATED, NULL);
        expect_usable(&w);
    }
    world_close(&w);
}

/* --- clocks --------------------------------------------------------------------------------- */

static gbx_status
sleeps(gbx_callback *callback, void *data)
{
    sleep_ms(*(const long *)data);
    return answer_number(callback, 1);
}

CleanTest(nesting, cpu_budget_rests_while_the_host_works)
{
    struct world w = world_open(NULL);
    long ms = 300;

    give(w.context, "f", sleeps, &ms);
    settle(start_limited(w.context, "f() + f()", 0, 50000), GBX_OK);
    settle(start_limited(w.context, "f(); for (;;);", 0, 50000), GBX_ECPU);
    expect_usable(&w);
    world_close(&w);
}

CleanTest(nesting, deadline_passes_while_the_host_works)
{
    struct world w = world_open(NULL);
    gbx_error error = GBX_ERROR_INIT;
    long ms = 150;

    give(w.context, "f", sleeps, &ms);
    for (int i = 0; i < 5; i++) {
        gbx_future *future = start_limited(w.context, "f(); for (;;);", 50000, 0);
        cr_assert_eq(gbx_future_wait(future, -1, &error), GBX_ETIMEOUT, "%s", error.message);
        cr_assert_eq(error.limit, 50000);
        gbx_future_free(future);
        expect_usable(&w);
    }
    /* Longer than the host's own patience with a cell that does not stop. */
    ms = 600;
    settle(start_limited(w.context, "f()", 50000, 0), GBX_ETIMEOUT);
    expect_usable(&w);
    world_close(&w);
}

CleanTest(nesting, deadline_of_the_outer_call_holds_for_the_inner_one)
{
    struct world w = world_open(NULL);
    struct inner inner = { .w = &w, .source = "for (;;);" };

    give(w.context, "f", evaluates, &inner);
    settle(start_limited(w.context, "f(); for (;;);", 50000, 0), GBX_ETIMEOUT);
    cr_assert_eq(inner.seen, GBX_ETIMEOUT);
    expect_usable(&w);
    /* Its own may be tighter. */
    inner.timeout_us = 20000;
    settle(start_limited(w.context, "f(); 3", 5000000, 0), GBX_OK);
    cr_assert_eq(inner.seen, GBX_ETIMEOUT);
    expect_usable(&w);
    world_close(&w);
}

/* An inner call spends its own budget, and the outer one's rests. */
CleanTest(nesting, cpu_budgets_are_apart)
{
    struct world w = world_open(NULL);
    struct inner inner = { .w = &w,
        .source = "end = Date.now() + 150; while (Date.now() < end); 1" };

    give(w.context, "f", evaluates, &inner);
    settle(start_limited(w.context, "f()", 0, 50000), GBX_OK);
    cr_assert_eq(inner.seen, GBX_OK);
    inner.cpu_us = 20000;
    settle(start_limited(w.context, "f(); 1", 0, 5000000), GBX_OK);
    cr_assert_eq(inner.seen, GBX_ECPU);
    expect_usable(&w);
    world_close(&w);
}

/* A deadline of an inner call that waits for a promise passes, too. */
static gbx_status
leaves_a_promise_with_a_deadline(gbx_callback *callback, void *data)
{
    struct world *w = ((void **)data)[0];
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;
    static const char source[] = "new Promise(() => {})";

    options.flags = GBX_AWAIT;
    options.timeout_us = 20000;
    *(gbx_future **)((void **)data)[1] =
        gbx_context_eval(w->context, source, strlen(source), &options);
    sleep_ms(400); /* the host's own patience ends after 220 ms */
    gbx_future *tick = gbx_context_eval(w->context, "1", 1, NULL);
    cr_assert_eq(settle_number(tick), 1);
    return answer_number(callback, 5);
}

CleanTest(nesting, deadline_of_an_inner_promise_passes)
{
    struct world w = world_open(NULL);
    gbx_future *inner = NULL;
    void *data[] = { &w, &inner };

    give(w.context, "f", leaves_a_promise_with_a_deadline, data);
    cr_assert_eq(eval_number(w.context, "f()"), 5);
    settle(inner, GBX_ETIMEOUT);
    expect_usable(&w);
    world_close(&w);
}

/* --- several isolates ----------------------------------------------------------------------- */

CleanTest(nesting, host_function_waits_for_another_isolate)
{
    struct world w = world_open(NULL), other = w;
    struct inner first = { .w = &other, .source = "g() + 1" };
    struct inner second = { .w = &w, .source = "100" };

    other.isolate = world_isolate(&w, NULL);
    other.context = gbx_isolate_context(other.isolate);
    give(w.context, "f", evaluates, &first);
    give(other.context, "g", evaluates, &second);
    /* Here, there, here again, and all the way back. */
    cr_assert_eq(eval_number(w.context, "f() + 1"), 102);
    gbx_isolate_close(other.isolate);
    world_close(&w);
}

enum {
    CROWD = 10,
    CALLS = 100
};

static gbx_status
counts(gbx_callback *callback, void *data)
{
    uint32_t *count = data;

    cr_assert_eq(number_of(gbx_callback_argument(callback, 0)), *count);
    ++*count;
    return answer_number(callback, *count);
}

static void
note_done(gbx_future *future, void *data)
{
    (void)future;
    ++*(uint32_t *)data;
}

CleanTest(nesting, host_functions_of_many_isolates_take_turns)
{
    struct world w = world_open(NULL);
    gbx_isolate *isolates[CROWD];
    gbx_future *futures[CROWD];
    uint32_t count[CROWD] = { 0 }, done = 0;

    for (size_t i = 0; i < CROWD; i++) {
        isolates[i] = world_isolate(&w, NULL);
        gbx_context *context = gbx_isolate_context(isolates[i]);
        give(context, "f", counts, &count[i]);
        futures[i] = start(context, "let n = 0; for (let i = 0; i < 100; i++) n = f(n); n", 0);
        gbx_future_then(futures[i], note_done, &done);
    }
    while (done < CROWD)
        cr_assert_eq(gbx_runtime_dispatch(w.runtime, 10000000), GBX_OK);
    for (size_t i = 0; i < CROWD; i++) {
        cr_assert_eq(settle_number(futures[i]), CALLS);
        gbx_isolate_close(isolates[i]);
    }
    world_close(&w);
}
