/* What a cell may say of buffers that its guest has moved. */
#include "hostile.h"

#include "wire/clone_tags.h"

#include <string.h>

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

TestSuite(receive_moved, .init = open_cell, .fini = close_cell);

/* One buffer of 3 bytes, and an array of it. */
static const uint8_t moved[] = { CLONE_ATTACHED, 0, 0, 0, 9, 0, 0, 0, TAG_VERSION,
    CLONE_VERSION, TAG_DENSE, 1, TAG_TRANSFERRED, 0, TAG_DENSE_END, 0, 1, 3, 0, 0, 0, 1, 0, 'a',
    'b', 'c' };

static void
answer(gbx_future *future, struct span value)
{
    put_result(&f.out, tag(gbx_future_id(future)), &(struct msg_result){ .value = value });
    fake_cell_say(&f);
}

Test(receive_moved, where_it_was_asked_for_it_is_taken)
{
    gbx_future *future = asked(&f, GBX_RESULT_MOVE);
    const void *bytes;
    size_t len;

    answer(future, span_of(moved, sizeof moved));
    still_trusted(&f);
    gbx_value *value = gbx_future_take_value(future);
    cr_assert_eq(gbx_value_get_bytes(gbx_value_at(value, 0), &bytes, &len), GBX_OK);
    cr_assert_eq(len, 3);
    cr_assert_eq(memcmp(bytes, "abc", 3), 0);
    gbx_value_free(value);
    gbx_future_free(future);
}

Test(receive_moved, where_it_was_not_asked_for_it_is_refused)
{
    gbx_future *future = asked(&f, 0);

    answer(future, span_of(moved, sizeof moved));
    ending_with(&f, future, "not structured clone of version 15");
}

Test(receive_moved, what_is_no_whole_message_is_refused)
{
    gbx_future *future = asked(&f, GBX_RESULT_MOVE);

    answer(future, span_of(moved, sizeof moved - 1));
    ending_with(&f, future, "a moved buffer that is cut off");
}

Test(receive_moved, a_buffer_that_did_not_come_is_refused)
{
    gbx_future *future = asked(&f, GBX_RESULT_MOVE);
    uint8_t other[sizeof moved];

    memcpy(other, moved, sizeof moved);
    other[13] = 1;
    answer(future, span_of(other, sizeof other));
    ending_with(&f, future, "a moved buffer that did not come, or came twice");
}

/* Nothing of an error comes apart. */
Test(receive_moved, in_what_was_thrown_it_is_refused)
{
    gbx_future *future = asked(&f, GBX_RESULT_MOVE);
    uint8_t thrown[5 + sizeof moved] = { 0, sizeof moved };

    memcpy(thrown + 5, moved, sizeof moved);
    put_failure(&f.out, tag(gbx_future_id(future)),
        &(struct msg_failure){
            .status = (uint32_t)-GBX_ETHROW, .value = span_of(thrown, sizeof thrown) });
    fake_cell_say(&f);
    ending_with(&f, future, "not structured clone of version 15");
}

/* --- arguments ------------------------------------------------------------------------------- */

static size_t calls;

static gbx_status
count_call(gbx_callback *callback, void *data)
{
    const void *bytes;
    size_t len;

    (void)data;
    calls++;
    for (size_t i = 0; i < gbx_callback_count(callback); i++) {
        const gbx_value *array = gbx_callback_argument(callback, i);
        cr_assert_eq(gbx_value_get_bytes(gbx_value_at(array, 0), &bytes, &len), GBX_OK);
        cr_assert_eq(memcmp(bytes, "abc", 3), 0);
    }
    return GBX_OK;
}

/* The cell calls a function of this kind with two such arguments. */
static void
say_call(uint32_t flags)
{
    const gbx_function_entry entry = { sizeof entry, flags, "f", count_call, NULL };
    uint8_t arguments[2 * (4 + sizeof moved)] = { sizeof moved };
    struct frame frame;
    struct msg_set_functions m;

    gbx_future *future =
        gbx_context_set_functions(gbx_isolate_context(f.isolate), NULL, &entry, 1);
    cr_assert(fake_cell_hear(&f, &frame));
    cr_assert_eq(get_set_functions(frame.body, &m), GBX_OK);
    uint32_t id = m.functions.p[4] | (uint32_t)m.functions.p[5] << 8 |
                  (uint32_t)m.functions.p[6] << 16 | (uint32_t)m.functions.p[7] << 24;
    answer(future, span_of(NULL, 0));
    gbx_future_free(future);
    memcpy(arguments + 4, moved, sizeof moved);
    memcpy(arguments + 4 + sizeof moved, arguments, 4 + sizeof moved);
    put_callback(&f.out, tag(7),
        &(struct msg_callback){
            .function = id, .count = 2, .arguments = span_of(arguments, sizeof arguments) });
    fake_cell_say(&f);
}

Test(receive_moved, a_function_that_takes_them_gets_them)
{
    say_call(GBX_FUNCTION_MOVE);
    still_trusted(&f);
    cr_assert_eq(calls, 1);
}

Test(receive_moved, a_function_that_does_not_gets_none)
{
    say_call(0);
    condemned(&f, "not structured clone of version 15");
    cr_assert_eq(calls, 0);
}
