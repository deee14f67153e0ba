/* What a cell may say of host functions that answer later, or not at all. */
#include "hostile.h"

#include "base/check.h"

static struct fake_cell f;

static void
open_cell(void)
{
    fake_cell_open(&f, NULL, FAKE_PROCESS);
}

static void
close_cell(void)
{
    fake_cell_close(&f);
}

TestSuite(receive_function, .init = open_cell, .fini = close_cell);

static size_t calls, cancelled;
static gbx_deferred *kept;

static gbx_status
count_call(gbx_callback *callback, void *data)
{
    calls++;
    cr_assert_not_null(callback);
    if (data == NULL && gbx_callback_count(callback) > 0)
        cr_assert_eq(gbx_value_get_kind(gbx_callback_argument(callback, 0)), GBX_REFERENCE);
    return GBX_OK;
}

static gbx_status
block(gbx_callback *callback, void *data)
{
    (void)data;
    return gbx_callback_block(callback, &kept);
}

static void
on_cancel(gbx_deferred *deferred, void *data)
{
    (void)data;
    cr_assert_eq(deferred, kept);
    cancelled++;
}

/* The number of a function that the cell has been given. */
static uint32_t
give_function(gbx_function function, uint32_t flags)
{
    const gbx_function_entry entry = { sizeof entry, flags, "f", function, NULL };
    struct frame frame;
    struct msg_set_functions m;

    gbx_future *future =
        gbx_context_set_functions(gbx_isolate_context(f.isolate), NULL, &entry, 1);
    cr_assert(fake_cell_hear(&f, &frame));
    cr_assert_eq(frame.type, MESSAGE_SET_FUNCTIONS);
    cr_assert_eq(get_set_functions(frame.body, &m), GBX_OK);
    cr_assert_eq(m.count, 1);
    uint32_t id = m.functions.p[4] | (uint32_t)m.functions.p[5] << 8 |
                  (uint32_t)m.functions.p[6] << 16 | (uint32_t)m.functions.p[7] << 24;
    put_result(&f.out, tag(frame.id), &(struct msg_result){ .value = span_of(NULL, 0) });
    fake_cell_say(&f);
    cr_assert_eq(gbx_future_status(future, NULL), GBX_OK);
    gbx_future_free(future);
    return id;
}

static void
say_callback(uint32_t id, uint32_t function, uint32_t count, struct span arguments)
{
    put_callback(&f.out, tag(id),
        &(struct msg_callback){ .function = function, .count = count, .arguments = arguments });
    fake_cell_say(&f);
}

static void
say_cancelled(uint32_t id)
{
    put_cancelled(&f.out, tag(0), &(struct msg_cancelled){ .callback = id });
    fake_cell_say(&f);
}

Test(receive_function, a_posted_call_is_not_answered)
{
    uint32_t function = give_function(count_call, GBX_FUNCTION_POST);
    struct frame frame;

    say_callback(0, function, 0, span_of(NULL, 0));
    still_trusted(&f);
    cr_assert_eq(calls, 1);
    cr_assert_not(fake_cell_hear(&f, &frame));
}

Test(receive_function, a_posted_call_that_waits_for_an_answer_is_refused)
{
    say_callback(7, give_function(count_call, GBX_FUNCTION_POST), 0, span_of(NULL, 0));
    condemned(&f, "a call of a host function of another kind");
    cr_assert_eq(calls, 0);
}

Test(receive_function, a_call_that_does_not_wait_is_refused_where_it_must)
{
    say_callback(0, give_function(count_call, 0), 0, span_of(NULL, 0));
    condemned(&f, "a call of a host function of another kind");
    cr_assert_eq(calls, 0);
}

/* One argument: a reference with this number and type. */
#define REFERRING(id, type) \
    span_of(((const uint8_t[]){ 6, 0, 0, 0, 0xff, 0x0f, '\\', HELD_REFERENCE, id, type }), 10)

Test(receive_function, references_come_where_they_were_asked_for)
{
    uint32_t function = give_function(count_call, GBX_FUNCTION_REFERENCES);

    say_callback(1, function, 1, REFERRING(5, GBX_TYPEOF_FUNCTION));
    still_trusted(&f);
    cr_assert_eq(calls, 1);
    cr_assert_eq(f.isolate->references.count, 0, "nobody kept it");
    say_callback(2, function, 1, REFERRING(5, GBX_TYPEOF_OBJECT + 1));
    condemned(&f, "a reference to nothing that there is");
}

Test(receive_function, references_do_not_come_unasked)
{
    say_callback(1, give_function(count_call, 0), 1, REFERRING(5, GBX_TYPEOF_FUNCTION));
    condemned(&f, "a reference where a value was asked for");
    cr_assert_eq(calls, 0);
}

Test(receive_function, a_cancellation_is_told_once)
{
    uint32_t function = give_function(block, 0);

    say_callback(9, function, 0, span_of(NULL, 0));
    cr_assert_eq(f.isolate->blocked, 1);
    gbx_deferred_on_cancel(kept, on_cancel, NULL);
    say_cancelled(8); /* of none that is open: it may have been settled */
    cr_assert_eq(cancelled, 0);
    say_cancelled(9);
    say_cancelled(9);
    still_trusted(&f);
    cr_assert_eq(cancelled, 1);
    cr_assert_eq(f.isolate->blocked, 0);
    struct frame frame;
    while (fake_cell_hear(&f, &frame))
        ;
    cr_assert_eq(gbx_deferred_resolve(kept, NULL), GBX_OK);
    cr_assert_not(fake_cell_hear(&f, &frame), "nobody waits for it");
}

Test(receive_function, a_death_cancels)
{
    say_callback(9, give_function(block, 0), 0, span_of(NULL, 0));
    gbx_deferred_on_cancel(kept, on_cancel, NULL);
    say_callback(0, 12345, 0, span_of(NULL, 0));
    condemned(&f, "a call of a host function that it was not given");
    cr_assert_eq(cancelled, 1);
    gbx_deferred_reject(kept, NULL, "late");
}

/* --- functions in values -------------------------------------------------------------------- */

static size_t released;

static void
on_release(void *data)
{
    cr_assert_eq(data, &released);
    released++;
}

static gbx_value *
new_function(gbx_function call)
{
    const gbx_function_entry entry = { sizeof entry, 0, "named", call, &released };

    return gbx_value_new_function(&entry, on_release);
}

/* The number of a function that the cell has been sent in a value; the value is gone. */
static uint32_t
send_function(gbx_function call)
{
    gbx_value *value = new_function(call);
    struct frame frame;
    struct msg_functions_given m;

    gbx_future *future = gbx_context_set(gbx_isolate_context(f.isolate), "f", value);
    gbx_value_free(value);
    cr_assert(fake_cell_hear(&f, &frame));
    cr_assert_eq(frame.type, MESSAGE_FUNCTIONS_GIVEN, "it goes ahead");
    cr_assert_eq(get_functions_given(frame.body, &m), GBX_OK);
    cr_assert_eq(m.ids.len, 4);
    uint32_t id = m.ids.p[0] | (uint32_t)m.ids.p[1] << 8 | (uint32_t)m.ids.p[2] << 16 |
                  (uint32_t)m.ids.p[3] << 24;
    cr_assert(fake_cell_hear(&f, &frame));
    cr_assert_eq(frame.type, MESSAGE_SET);
    put_result(&f.out, tag(frame.id), &(struct msg_result){ .value = span_of(NULL, 0) });
    fake_cell_say(&f);
    gbx_future_free(future);
    cr_assert_eq(released, 0);
    return id;
}

static void
say_released(uint32_t id, size_t len)
{
    const uint8_t bytes[] = { (uint8_t)id, (uint8_t)(id >> 8), (uint8_t)(id >> 16),
        (uint8_t)(id >> 24) };

    put_functions_released(
        &f.out, tag(0), &(struct msg_functions_released){ .ids = span_of(bytes, len) });
    fake_cell_say(&f);
}

Test(receive_function, in_a_value_is_called_and_released)
{
    uint32_t id = send_function(count_call);

    say_callback(1, id, 0, span_of(NULL, 0));
    cr_assert_eq(calls, 1);
    say_released(id, 4);
    still_trusted(&f);
    cr_assert_eq(released, 1);
    cr_assert_eq(f.isolate->functions.live, 0);
    /* What was on its way may still come. */
    say_released(id, 4);
    say_callback(2, id, 0, span_of(NULL, 0));
    still_trusted(&f);
    cr_assert_eq(calls, 1);
    cr_assert_eq(released, 1);
}

Test(receive_function, that_it_was_not_given_is_not_released)
{
    say_released(12345, 4);
    condemned(&f, "a released function that it was not given");
}

Test(receive_function, that_was_given_for_good_is_not_released)
{
    say_released(give_function(count_call, 0), 4);
    condemned(&f, "a released function that was given for good");
}

Test(receive_function, that_is_half_a_number_is_not_released)
{
    say_released(send_function(count_call), 3);
    condemned(&f, "released functions that are cut off");
    cr_assert_eq(released, 1, "by its end");
}

/* Says in the middle of a call that its function is gone. */
static gbx_status
be_released(gbx_callback *callback, void *data)
{
    uint32_t cursor = 0, id = 0;

    (void)table_next(&f.isolate->functions, &cursor, &id);
    say_released(id, 4);
    cr_assert_eq(f.isolate->functions.live, 0);
    cr_assert_eq(released, 0, "it runs");
    cr_assert_eq(data, &released);
    return gbx_callback_count(callback) == 0 ? GBX_OK : GBX_EINVAL;
}

Test(receive_function, that_runs_is_released_after_it)
{
    say_callback(1, send_function(be_released), 0, span_of(NULL, 0));
    still_trusted(&f);
    cr_assert_eq(released, 1);
}

Test(receive_function, that_cannot_be_sent_is_taken_back)
{
    gbx_isolate *isolate = f.isolate;
    gbx_value *list = gbx_value_new_array();
    struct frame frame;

    cr_assert_eq(gbx_value_append(list, new_function(count_call)), GBX_OK);
    gbx_reference *reference = NULL;
    const char *why = NULL;
    cr_assert_eq(reference_new(isolate, 1, 5, GBX_TYPEOF_NUMBER, &reference, &why), GBX_OK);
    /* A number's reference may not stand inside of a value. */
    cr_assert_eq(gbx_value_append(list, gbx_value_new_reference(reference)), GBX_OK);
    const gbx_value *arguments[] = { list, list };
    gbx_future *future =
        gbx_context_call(gbx_isolate_context(isolate), "f", arguments, 2, NULL);
    cr_assert_eq(gbx_future_status(future, NULL), GBX_ECLONE);
    gbx_future_free(future);
    cr_assert_eq(isolate->functions.live, 0);
    cr_assert_null(isolate->unsent);
    cr_assert_not(fake_cell_hear(&f, &frame));
    cr_assert_eq(released, 0, "the value has it");
    gbx_value_free(list);
    cr_assert_eq(released, 1);
    gbx_reference_close(reference);
}

Test(receive_function, more_than_may_be_are_refused)
{
    gbx_value *list = gbx_value_new_array(), *more = new_function(count_call);

    for (uint32_t i = 0; i < FUNCTIONS_MAX; i++)
        cr_assert_eq(gbx_value_append(list, new_function(count_call)), GBX_OK);
    cr_assert_eq(gbx_value_append(list, more), GBX_OK);
    gbx_future *future = gbx_context_set(gbx_isolate_context(f.isolate), "f", list);
    cr_assert_eq(gbx_future_status(future, NULL), GBX_ELIMIT);
    gbx_future_free(future);
    cr_assert_eq(f.isolate->functions.live, 0, "none of them is left");
    cr_assert_eq(released, 0);
    gbx_value_free(list);
    cr_assert_eq(released, FUNCTIONS_MAX + 1);
}
