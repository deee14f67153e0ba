/* Host functions of every kind: that answer later while the guest waits, that nobody waits for,
 * many at once, that are told when nobody waits any more. */
#include "support.h"

#include <string.h>

/* --- what most tests give ------------------------------------------------------------------- */

struct waits {
    gbx_deferred *deferred[8];
    size_t count, cancelled;
};

/* Keeps the guest waiting. */
static gbx_status
blocks(gbx_callback *callback, void *data)
{
    struct waits *w = data;

    return gbx_callback_block(callback, &w->deferred[w->count++]);
}

static gbx_status
defers(gbx_callback *callback, void *data)
{
    struct waits *w = data;

    return gbx_callback_defer(callback, &w->deferred[w->count++]);
}

/* Serves the isolate of an open future until `*count` is `wanted`. */
static void
reach(gbx_future *open, const size_t *count, size_t wanted)
{
    while (*count < wanted) {
        gbx_status status = gbx_future_wait(open, 10000, NULL);
        cr_assert(status == GBX_EBUSY || status == GBX_EINVAL, "%d", status);
    }
    cr_assert_eq(*count, wanted);
}

static void
resolve(gbx_deferred *deferred, double number)
{
    gbx_value *value = gbx_value_new_number(number);

    cr_assert_eq(gbx_deferred_resolve(deferred, value), GBX_OK);
    gbx_value_free(value);
}

static void
on_cancel(gbx_deferred *deferred, void *data)
{
    struct waits *w = data;

    w->cancelled++;
    gbx_deferred_reject(deferred, NULL, "too late");
}

/* --- blocking -------------------------------------------------------------------------------- */

CleanTest(blocking, the_guest_waits_until_it_is_settled)
{
    struct world w = world_open(NULL);
    struct waits waits = { .count = 0 };

    give(w.context, "ask", blocks, &waits);
    gbx_future *future = start(w.context, "const a = ask(); const b = ask(); a + b", 0);
    reach(future, &waits.count, 1);
    resolve(waits.deferred[0], 3);
    reach(future, &waits.count, 2);
    resolve(waits.deferred[1], 4);
    cr_assert_eq(settle_number(future), 7);
    world_close(&w);
}

CleanTest(blocking, an_error_is_thrown_where_it_waits)
{
    struct world w = world_open(NULL);
    struct waits waits = { .count = 0 };

    give(w.context, "ask", blocks, &waits);
    gbx_future *future =
        start(w.context, "try { ask() } catch (e) { e instanceof RangeError && e.message }", 0);
    reach(future, &waits.count, 1);
    gbx_deferred_reject(waits.deferred[0], "RangeError", "no");
    gbx_value *value = settle_value(future);
    expect_string(value, "no");
    gbx_value_free(value);
    world_close(&w);
}

CleanTest(blocking, other_calls_are_served_meanwhile)
{
    struct world w = world_open(NULL);
    struct waits waits = { .count = 0 };

    give(w.context, "ask", blocks, &waits);
    gbx_future *first = start(w.context, "ask() + 1", 0);
    gbx_future *queued = start(w.context, "10", 0);
    reach(first, &waits.count, 1);
    cr_assert_eq(settle_number(queued), 10, "it was sent before the guest began to wait");
    cr_assert_eq(eval_number(w.context, "20"), 20);
    gbx_future *second = start(w.context, "ask() + 2", 0);
    reach(second, &waits.count, 2);
    /* The first cannot go on before the second has: they are on one stack. */
    resolve(waits.deferred[0], 100);
    cr_assert_eq(eval_number(w.context, "30"), 30);
    cr_assert_eq(gbx_future_status(first, NULL), GBX_EBUSY);
    resolve(waits.deferred[1], 200);
    cr_assert_eq(settle_number(second), 202);
    cr_assert_eq(settle_number(first), 101);
    expect_usable(&w);
    world_close(&w);
}

CleanTest(blocking, a_wait_that_cannot_end_says_so)
{
    struct world w = world_open(NULL);
    struct waits waits = { .count = 0 };
    gbx_error error = GBX_ERROR_INIT;

    give(w.context, "ask", blocks, &waits);
    gbx_future *first = start(w.context, "ask()", 0);
    cr_assert_eq(gbx_future_wait(first, -1, &error), GBX_EINVAL);
    gbx_future *second = start(w.context, "ask()", 0);
    cr_assert_eq(gbx_future_wait(second, -1, &error), GBX_EINVAL);
    resolve(waits.deferred[0], 1);
    cr_assert_eq(gbx_future_wait(first, -1, &error), GBX_EINVAL, "the second is on top of it");
    resolve(waits.deferred[1], 2);
    cr_assert_eq(settle_number(first), 1);
    cr_assert_eq(settle_number(second), 2);
    world_close(&w);
}

/* Waits, inside of a host function, for a call that blocks. */
struct nested {
    struct waits waits;
    gbx_context *context;
    gbx_status waited;
    double inner;
};

static gbx_status
waits_inside(gbx_callback *callback, void *data)
{
    struct nested *n = data;
    gbx_future *inner = start(n->context, "ask() + 1", 0);

    n->waited = gbx_future_wait(inner, -1, NULL); /* it cannot end: nobody settles it */
    resolve(n->waits.deferred[0], 5);
    n->inner = settle_number(inner);
    return answer_number(callback, n->inner * 2);
}

CleanTest(blocking, a_host_function_may_wait_for_a_call_that_blocks)
{
    struct world w = world_open(NULL);
    struct nested n = { .context = w.context };

    give(w.context, "ask", blocks, &n.waits);
    give(w.context, "outer", waits_inside, &n);
    cr_assert_eq(eval_number(w.context, "outer() + 100"), 112);
    cr_assert_eq(n.waited, GBX_EINVAL);
    cr_assert_eq(n.inner, 6);
    world_close(&w);
}

CleanTest(blocking, ends_at_the_deadline_and_tells_the_host)
{
    struct world w = world_open(NULL);
    struct waits waits = { .count = 0 };

    give(w.context, "ask", blocks, &waits);
    gbx_future *future = start_limited(w.context, "ask()", 50000, 0);
    reach(future, &waits.count, 1);
    gbx_deferred_on_cancel(waits.deferred[0], on_cancel, &waits);
    settle(future, GBX_ETIMEOUT); /* a wait with a deadline does end */
    eval_only(w.context, "0");
    cr_assert_eq(waits.cancelled, 1);
    expect_usable(&w);
    world_close(&w);
}

CleanTest(blocking, promises_wait_until_the_stack_is_empty)
{
    struct world w = world_open(NULL);
    struct waits waits = { .count = 0 }, later = { .count = 0 };

    give(w.context, "ask", blocks, &waits);
    give(w.context, "later", defers, &later);
    gbx_future *promised = start(w.context, "later().then(x => x * 2)", GBX_AWAIT);
    reach(promised, &later.count, 1);
    gbx_future *blocked = start(w.context, "ask()", 0);
    reach(blocked, &waits.count, 1);
    resolve(later.deferred[0], 21);
    cr_assert_eq(gbx_future_wait(promised, -1, NULL), GBX_EINVAL, "its turn has not come");
    resolve(waits.deferred[0], 1);
    cr_assert_eq(settle_number(blocked), 1);
    cr_assert_eq(settle_number(promised), 42);
    world_close(&w);
}

/* --- cancellation ---------------------------------------------------------------------------- */

CleanTest(cancellation, comes_for_a_promise_whose_call_is_past_its_deadline)
{
    struct world w = world_open(NULL);
    struct waits waits = { .count = 0 };
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;

    give(w.context, "later", defers, &waits);
    options.timeout_us = 50000;
    options.flags = GBX_AWAIT;
    gbx_future *future = gbx_context_eval(w.context, "later()", 7, &options);
    reach(future, &waits.count, 1);
    gbx_deferred_on_cancel(waits.deferred[0], on_cancel, &waits);
    settle(future, GBX_ETIMEOUT);
    eval_only(w.context, "0");
    cr_assert_eq(waits.cancelled, 1);
    world_close(&w);
}

CleanTest(cancellation, comes_for_what_an_answered_call_left_behind)
{
    struct world w = world_open(NULL);
    struct waits waits = { .count = 0 };

    give(w.context, "later", defers, &waits);
    gbx_future *future = start_limited(w.context, "later(); 1", 50000, 0);
    cr_assert_eq(settle_number(future), 1);
    gbx_deferred_on_cancel(waits.deferred[0], on_cancel, &waits);
    while (waits.cancelled == 0)
        (void)gbx_runtime_dispatch(w.runtime, 100000);
    cr_assert_eq(waits.cancelled, 1);
    world_close(&w);
}

CleanTest(cancellation, comes_with_a_termination)
{
    struct world w = world_open(NULL);
    struct waits waits = { .count = 0 };

    give(w.context, "ask", blocks, &waits);
    gbx_future *future = start(w.context, "ask()", 0);
    reach(future, &waits.count, 1);
    gbx_deferred_on_cancel(waits.deferred[0], on_cancel, &waits);
    gbx_isolate_terminate(w.isolate);
    while (waits.cancelled == 0)
        (void)gbx_runtime_dispatch(w.runtime, 100000);
    settle(future, GBX_ETERMINATED);
    cr_assert_eq(waits.cancelled, 1);
    world_close(&w);
}

CleanTest(cancellation, comes_with_the_end_of_context_isolate_and_cell)
{
    struct world w = world_open(NULL);
    struct waits waits = { .count = 0 };
    gbx_context *context;

    cr_assert_eq(gbx_context_open(w.isolate, &context, NULL), GBX_OK);
    give(context, "later", defers, &waits);
    give(w.context, "later", defers, &waits);
    eval_only(context, "later(); 0");
    eval_only(w.context, "later(); 0");
    gbx_deferred_on_cancel(waits.deferred[0], on_cancel, &waits);
    gbx_deferred_on_cancel(waits.deferred[1], on_cancel, &waits);
    gbx_context_close(context);
    cr_assert_eq(waits.cancelled, 1);
    gbx_isolate_close(w.isolate);
    w.isolate = NULL;
    cr_assert_eq(waits.cancelled, 2);
    w.isolate = world_isolate(&w, NULL);
    w.context = gbx_isolate_context(w.isolate);
    give(w.context, "ask", blocks, &waits);
    gbx_future *future = start(w.context, "ask()", 0);
    reach(future, &waits.count, 3);
    gbx_isolate_close(w.isolate);
    w.isolate = NULL;
    settle(future, GBX_EDISPOSED);
    /* Who asks later is told at once. */
    gbx_deferred_on_cancel(waits.deferred[2], on_cancel, &waits);
    cr_assert_eq(waits.cancelled, 3);
    world_close(&w);
}

CleanTest(cancellation, does_not_come_for_what_was_settled)
{
    struct world w = world_open(NULL);
    struct waits waits = { .count = 0 };

    give(w.context, "later", defers, &waits);
    for (int i = 0; i < 500; i++) {
        waits.count = 0;
        gbx_future *future = start(w.context, "later()", GBX_AWAIT);
        reach(future, &waits.count, 1);
        gbx_deferred_on_cancel(waits.deferred[0], on_cancel, &waits);
        resolve(waits.deferred[0], i);
        cr_assert_eq(settle_number(future), i);
    }
    cr_assert_eq(waits.cancelled, 0);
    world_close(&w);
}

/* --- nobody waits ---------------------------------------------------------------------------- */

struct posts {
    size_t count;
    double sum;
    gbx_context *context;
    gbx_status answered, waited;
};

static gbx_status
notes(gbx_callback *callback, void *data)
{
    struct posts *p = data;

    p->count++;
    p->sum += number_of(gbx_callback_argument(callback, 0));
    p->answered = answer_number(callback, 5);
    if (p->context != NULL) {
        gbx_future *future = start(p->context, "1", 0);
        p->waited = gbx_future_wait(future, -1, NULL);
        gbx_future_free(future);
    }
    return GBX_OK;
}

CleanTest(posting, the_guest_goes_on_at_once)
{
    struct world w = world_open(NULL);
    struct posts posts = { .context = w.context };
    const gbx_function_entry entries[] = { { sizeof *entries, GBX_FUNCTION_POST, "note", notes,
        &posts } };

    settle(gbx_context_set_functions(w.context, NULL, entries, 1), GBX_OK);
    cr_assert_eq(eval_number(w.context, "Number(note(7) === undefined)"), 1);
    cr_assert_eq(posts.count, 1);
    cr_assert_eq(posts.sum, 7);
    cr_assert_eq(posts.answered, GBX_EINVAL);
    cr_assert_eq(posts.waited, GBX_EINVAL, "nothing can be nested in it");
    world_close(&w);
}

CleanTest(posting, keeps_order_and_loses_nothing)
{
    struct world w = world_open(NULL);
    struct posts posts = { .count = 0 };
    const gbx_function_entry entries[] = { { sizeof *entries, GBX_FUNCTION_POST, "note", notes,
        &posts } };

    /* More than the ring holds: the guest waits for room. */
    settle(gbx_context_set_functions(w.context, NULL, entries, 1), GBX_OK);
    eval_only(w.context, "for (let i = 0; i < 50000; i++) note(i); 0");
    cr_assert_eq(posts.count, 50000);
    cr_assert_eq(posts.sum, 49999.0 * 50000 / 2);
    world_close(&w);
}

/* --- many at once ---------------------------------------------------------------------------- */

static gbx_status
answers_data(gbx_callback *callback, void *data)
{
    return answer_number(callback, *(const double *)data);
}

CleanTest(functions, many_are_given_at_once)
{
    static double numbers[] = { 1, 20, 300, 4000 };
    struct world w = world_open(NULL);
    const gbx_function_entry entries[] = {
        { sizeof *entries, 0, "one", answers_data, &numbers[0] },
        { sizeof *entries, 0, "deep.er.two", answers_data, &numbers[1] },
        { sizeof *entries, 0, "deep.three", answers_data, &numbers[2] },
        { sizeof *entries, 0, "deep.er.four", answers_data, &numbers[3] },
    };

    eval_only(w.context, "globalThis.host = { kept: 5 }; 0");
    settle(gbx_context_set_functions(w.context, "host.api", entries, 4), GBX_OK);
    cr_assert_eq(eval_number(w.context, "host.kept + host.api.one() + host.api.deep.er.two() +"
                                        " host.api.deep.three() + host.api.deep.er.four()"),
        4326);
    expect_text(w.context, "host.api.deep.er.two.name", "two");
    settle(gbx_context_set_functions(w.context, NULL, entries, 1), GBX_OK);
    cr_assert_eq(eval_number(w.context, "one()"), 1);
    world_close(&w);
}

CleanTest(functions, bad_entries_are_refused_and_leave_none)
{
    static double number = 1;
    struct world w = world_open(NULL);
    gbx_function_entry entries[] = {
        { sizeof *entries, 0, "one", answers_data, &number },
        { sizeof *entries, 0, "two", answers_data, &number },
    };

    settle(gbx_context_set_functions(w.context, NULL, entries, 0), GBX_EINVAL);
    entries[1].function = NULL;
    settle(gbx_context_set_functions(w.context, NULL, entries, 2), GBX_EINVAL);
    entries[1].function = answers_data;
    entries[1].path = "";
    settle(gbx_context_set_functions(w.context, NULL, entries, 2), GBX_EINVAL);
    entries[1].path = "two";
    entries[1].flags = 1u << 31;
    settle(gbx_context_set_functions(w.context, NULL, entries, 2), GBX_EUNSUPPORTED);
    entries[1].flags = 0;
    entries[1].size = 8;
    settle(gbx_context_set_functions(w.context, NULL, entries, 2), GBX_EINVAL);
    expect_text(w.context, "typeof one", "undefined");
    entries[1].size = sizeof *entries;
    eval_only(w.context, "Object.defineProperty(globalThis, 'x', { get() { throw 1 } }); 0");
    settle(gbx_context_set_functions(w.context, "x", entries, 2), GBX_ETHROW);
    settle(gbx_context_set_functions(w.context, NULL, entries, 2), GBX_OK);
    cr_assert_eq(eval_number(w.context, "one() + two()"), 2);
    world_close(&w);
}

/* --- functions of the guest as arguments ----------------------------------------------------- */

static gbx_status
keeps_function(gbx_callback *callback, void *data)
{
    *(gbx_reference **)data = gbx_value_get_reference(gbx_callback_argument(callback, 1));
    return GBX_OK;
}

CleanTest(functions, a_guests_function_arrives_as_a_reference)
{
    struct world w = world_open(NULL);
    gbx_reference *kept = NULL;
    const gbx_function_entry entries[] = {
        { sizeof *entries, GBX_FUNCTION_REFERENCES, "keep", keeps_function, &kept },
        { sizeof *entries, 0, "plain", keeps_function, &kept },
    };
    gbx_usage usage = GBX_USAGE_INIT;

    settle(gbx_context_set_functions(w.context, NULL, entries, 2), GBX_OK);
    eval_only(w.context, "let n = 0; keep('x', () => ++n); 0");
    cr_assert_not_null(kept);
    cr_assert_eq(gbx_reference_typeof(kept), GBX_TYPEOF_FUNCTION);
    cr_assert_eq(settle_number(gbx_reference_call(kept, NULL, NULL, 0, NULL)), 1);
    cr_assert_eq(settle_number(gbx_reference_call(kept, NULL, NULL, 0, NULL)), 2);
    gbx_reference_close(kept);
    expect_failure(w.context, "plain('x', () => 1)", GBX_ETHROW, NULL);
    expect_failure(w.context, "keep('x', { f() {} })", GBX_ETHROW, NULL);
    /* Those that nobody keeps go, also of calls that are refused half way. */
    for (int i = 0; i < 300; i++) {
        eval_only(w.context, "keep(() => 1, 2); try { keep(() => 1, { f() {} }) } catch {}; 0");
        gbx_reference_close(kept);
    }
    cr_assert_eq(gbx_isolate_usage(w.isolate, &usage), GBX_OK);
    cr_assert_eq(usage.references, 0);
    gbx_value *value = settle_value(gbx_isolate_statistics(w.isolate));
    cr_assert_eq(number_of(gbx_value_get(value, "references", GBX_NUL)), 0);
    gbx_value_free(value);
    world_close(&w);
}
