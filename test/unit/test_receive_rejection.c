/* What a cell may say of promises that its guest rejected. */
#include "hostile.h"

#include "base/thrown.h"

#include <stdio.h>

static struct fake_cell f;
static size_t told;
static gbx_rejection last;
static char message[512];

static void
on_rejection(gbx_isolate *isolate, const gbx_rejection *rejection, void *data)
{
    (void)isolate;
    (void)data;
    told++;
    last = *rejection;
    (void)snprintf(message, sizeof message, "%s", rejection->error->message);
}

static void
open_cell(void)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;

    options.on_rejection = on_rejection;
    fake_cell_open(&f, &options, FAKE_PROCESS);
}

static void
close_cell(void)
{
    fake_cell_close(&f);
}

TestSuite(receive_rejection, .init = open_cell, .fini = close_cell);

static void
say(const struct msg_rejection *m)
{
    put_rejection(&f.out, tag(0), m);
    fake_cell_say(&f);
}

Test(receive_rejection, is_told)
{
    static const uint8_t truth[] = { THROWN_VALUE, 3, 0, 0, 0, 0xff, 0x0f, 'T' };
    gbx_future *future = gbx_context_eval(gbx_isolate_context(f.isolate), "x", 1, NULL);
    uint32_t id = gbx_future_id(future);

    say(&(struct msg_rejection){ .call = id,
        .omitted = 3,
        .message = span_text("no"),
        .value = span_of(truth, sizeof truth) });
    still_trusted(&f);
    cr_assert_eq(told, 1);
    cr_assert_eq(last.call, id);
    cr_assert_eq(last.omitted, 3);
    cr_assert_str_eq(message, "no");
    /* A call that has finished may still reject, and so may none. */
    put_result(&f.out, tag(id), &(struct msg_result){ .no_empty_struct = 0 });
    fake_cell_say(&f);
    say(&(struct msg_rejection){ .call = id });
    say(&(struct msg_rejection){ .call = 0 });
    still_trusted(&f);
    cr_assert_eq(told, 3);
    cr_assert_eq(last.omitted, 0);
    cr_assert_null(last.value);
    gbx_future_free(future);
}

Test(receive_rejection, of_a_request_that_never_was_is_refused)
{
    say(&(struct msg_rejection){ .call = 1u << TABLE_INDEX_BITS });
    condemned(&f, "a rejection in a request that never was");
    cr_assert_eq(told, 0);
}

Test(receive_rejection, with_a_reason_that_is_no_value_is_refused)
{
    say(&(struct msg_rejection){ .value = span_text("\xff\x0f?") });
    cr_assert_not_null(gbx_isolate_death(f.isolate));
    cr_assert_eq(gbx_isolate_death(f.isolate)->status, GBX_EPROTO);
    cr_assert_eq(told, 0);
}

Test(receive_rejection, with_a_reason_past_its_limit_is_refused)
{
    static char bytes[REJECTION_VALUE_MAX + 1];

    say(&(struct msg_rejection){ .value = span_of(bytes, sizeof bytes) });
    condemned(&f, "a rejection whose reason is past its limit");
}

/* However many a cell says, its host is told of some, and of how many it was not. */
Test(receive_rejection, by_the_thousand_is_cut)
{
    enum {
        SAID = 5 * REJECTIONS_PER_SPAN
    };
    say(&(struct msg_rejection){ .omitted = 1 });
    uint64_t began = f.isolate->rejections.since_us;
    for (uint32_t i = 1; i < SAID; i++)
        say(&(struct msg_rejection){ .omitted = UINT64_MAX });
    still_trusted(&f);
    /* As many for each span that has begun; how long this takes nobody knows. */
    cr_assert_geq(told, REJECTIONS_PER_SPAN);
    if (f.isolate->rejections.since_us == began)
        cr_assert_eq(told, REJECTIONS_PER_SPAN);
    cr_assert_eq(f.isolate->rejections.omitted >= UINT32_MAX, told < SAID);
}

Test(receive_rejection, that_nobody_asked_for_is_refused)
{
    f.isolate->options.on_rejection = NULL;
    say(&(struct msg_rejection){ .call = 0 });
    condemned(&f, "a rejection that was not asked for");
}

static void
close_at_once(gbx_isolate *isolate, const gbx_rejection *rejection, void *data)
{
    (void)rejection;
    (void)data;
    told++;
    f.isolate = NULL;
    gbx_isolate_close(isolate);
}

/* What its cell had said before is told to nobody. */
Test(receive_rejection, after_the_isolate_was_closed_is_not_told)
{
    gbx_isolate *isolate = f.isolate;

    isolate_ref(isolate);
    isolate->options.on_rejection = close_at_once;
    const struct frame_tag none = { .id = 0 };
    put_rejection(&f.out, none, &(struct msg_rejection){ .call = 0 });
    fake_cell_write(&f, buf_span(&f.out));
    fake_cell_write(&f, buf_span(&f.out));
    while (isolate->cell != NULL && isolate_service(isolate))
        ;
    cr_assert_eq(told, 1);
    rejection_tell(isolate, 0, 0, &(gbx_error)GBX_ERROR_INIT, NULL);
    cr_assert_eq(told, 1);
    isolate_unref(isolate);
}
