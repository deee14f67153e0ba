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
