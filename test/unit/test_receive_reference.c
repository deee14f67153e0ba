/* What a cell may say of references, and that it dies of anything else. */
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

TestSuite(receive_reference, .init = open_cell, .fini = close_cell);

static gbx_future *
ask(uint32_t flags)
{
    return asked(&f, flags);
}

static void
condemned_with(gbx_future *open, const char *why)
{
    ending_with(&f, open, why);
}

static void
say_result(uint32_t id, struct span value)
{
    put_result(&f.out, tag(id), &(struct msg_result){ .value = value });
    fake_cell_say(&f);
}

static void
say_typed(uint32_t id, uint32_t reference, uint32_t type)
{
    put_reference(
        &f.out, tag(id), &(struct msg_reference){ .reference = reference, .type = type });
    fake_cell_say(&f);
}

static void
say_reference(uint32_t id, uint32_t reference)
{
    say_typed(id, reference, GBX_TYPEOF_OBJECT);
}

/* A reference that the cell was asked for. */
static gbx_reference *
referred(uint32_t id)
{
    gbx_future *future = ask(GBX_RESULT_REFERENCE);

    say_reference(future->id, id);
    still_trusted(&f);
    gbx_reference *reference = gbx_future_take_reference(future);
    cr_assert_not_null(reference);
    gbx_future_free(future);
    return reference;
}

Test(receive_reference, a_reference_comes_when_asked_for)
{
    gbx_future *future = ask(GBX_RESULT_REFERENCE);

    say_reference(future->id, 5);
    still_trusted(&f);
    gbx_reference *reference = gbx_future_take_reference(future);
    cr_assert_not_null(reference);
    gbx_reference_close(reference);
    gbx_future_free(future);
}

Test(receive_reference, a_reference_for_an_unknown_request_is_refused)
{
    say_reference(1234, 5);
    condemned(&f, "a reference that nobody asked for");
}

Test(receive_reference, a_reference_for_statistics_is_refused)
{
    gbx_future *future = gbx_isolate_statistics(f.isolate);

    say_reference(future->id, 5);
    condemned_with(future, "a reference that nobody asked for");
}

/* A program that got GBX_OK takes the value, and may not find NULL in its place. */
Test(receive_reference, a_reference_in_place_of_a_value_is_refused)
{
    gbx_future *future = ask(0);

    say_reference(future->id, 5);
    condemned_with(future, "a reference that nobody asked for");
}

Test(receive_reference, reference_0_is_refused)
{
    gbx_future *future = ask(GBX_RESULT_REFERENCE);

    say_reference(future->id, 0);
    condemned_with(future, "a reference to nothing that there is");
}

Test(receive_reference, a_reference_of_an_unknown_type_is_refused)
{
    gbx_future *last = ask(GBX_RESULT_REFERENCE), *past = ask(GBX_RESULT_REFERENCE);

    say_typed(last->id, 5, GBX_TYPEOF_OBJECT);
    still_trusted(&f);
    gbx_future_free(last);
    say_typed(past->id, 6, GBX_TYPEOF_OBJECT + 1);
    condemned_with(past, "a reference to nothing that there is");
}

Test(receive_reference, a_reference_has_a_place_of_its_own)
{
    gbx_reference *one = referred(1u << 20 | 7), *two = referred(1u << 20 | 8);
    gbx_reference *far = referred(1u << 20 | (REFERENCES_MAX - 1));

    /* Once it is closed its place may be another's, under another number. */
    gbx_reference_close(one);
    one = referred(2u << 20 | 7);
    gbx_future *future = ask(GBX_RESULT_REFERENCE);
    say_reference(future->id, 3u << 20 | 8);
    condemned_with(future, "a reference that is another's");
    gbx_reference_close(one);
    gbx_reference_close(two);
    gbx_reference_close(far);
}

Test(receive_reference, released_references_are_told_together_and_ahead)
{
    gbx_reference *references[REFERENCES_BATCH + 3];
    struct frame frame;
    struct msg_references_close m;

    for (uint32_t i = 0; i < COUNT(references); i++)
        references[i] = referred(1u << 20 | i);
    for (uint32_t i = 0; i < COUNT(references); i++)
        gbx_reference_close(references[i]);
    cr_assert_eq(f.isolate->references.count, 0);
    gbx_future *future = gbx_isolate_collect(f.isolate);
    uint32_t told = 0;
    for (int batches = 0; batches < 2; batches++) {
        cr_assert(fake_cell_hear(&f, &frame));
        cr_assert_eq(frame.type, MESSAGE_REFERENCES_CLOSE);
        cr_assert_eq(get_references_close(frame.body, &m), GBX_OK);
        cr_assert_eq(m.ids.len, batches == 0 ? 4 * REFERENCES_BATCH : 4 * 3);
        for (size_t i = 0; i < m.ids.len; i += 4, told++)
            cr_assert_eq((uint32_t)(m.ids.p[i] | m.ids.p[i + 1] << 8 | m.ids.p[i + 2] << 16),
                1u << 20 | told);
    }
    cr_assert(fake_cell_hear(&f, &frame));
    cr_assert_eq(frame.type, MESSAGE_COLLECT);
    gbx_future_free(future);
}

/* A clone with a record in it, whose bytes follow. */
#define RECORD(...)                                               \
    span_of(((const uint8_t[]){ 0xff, 0x0f, '\\', __VA_ARGS__ }), \
        sizeof(const uint8_t[]){ 0xff, 0x0f, '\\', __VA_ARGS__ })

Test(receive_reference, a_reference_inside_of_a_result_is_refused)
{
    gbx_future *future = ask(0);

    say_result(future->id, RECORD(HELD_REFERENCE, 5, GBX_TYPEOF_OBJECT));
    condemned_with(future, "a reference where a value was asked for");
}

Test(receive_reference, a_record_of_another_kind_is_refused)
{
    gbx_future *future = ask(0);

    say_result(future->id, RECORD(HELD_FUNCTION, 5, 0, 0));
    condemned_with(future, "an object that a cell does not have");
}

Test(receive_reference, a_record_without_a_kind_is_refused)
{
    gbx_future *future = ask(0);

    say_result(future->id, span_of(((const uint8_t[]){ 0xff, 0x0f, '\\' }), 3));
    condemned_with(future, "an object that a cell does not have");
}
