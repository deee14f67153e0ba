/* What a cell may say of memory that it shares with its host. */
#include "hostile.h"

#include "host/shared.h"

#include <stdio.h>
#include <string.h>

static struct fake_cell f;
static gbx_shared *memories[2];

static void
open_cell(void)
{
    for (int i = 0; i < 2; i++)
        cr_assert_eq(gbx_shared_open(64, &memories[i], NULL), GBX_OK);
    fake_cell_open(&f, NULL, FAKE_PROCESS);
    /* Cells that are there already, as this one, are given none. */
    f.isolate->options.shared = memories;
    f.isolate->options.shared_count = 2;
    cr_assert(shared_keep(&f.isolate->options));
}

static void
close_cell(void)
{
    fake_cell_close(&f);
    for (int i = 0; i < 2; i++)
        gbx_shared_close(memories[i]);
}

TestSuite(receive_shared, .init = open_cell, .fini = close_cell);

/* Answers a call with a clone of `len` bytes behind its version. */
static gbx_future *
answer(const void *clone, size_t len)
{
    gbx_future *future = gbx_context_eval(gbx_isolate_context(f.isolate), "x", 1, NULL);
    uint8_t bytes[64] = { 0xff, 0x0f };

    memcpy(bytes + 2, clone, len);
    put_result(&f.out, tag(gbx_future_id(future)),
        &(struct msg_result){ .value = span_of(bytes, 2 + len) });
    fake_cell_say(&f);
    return future;
}

static void
is_refused(const void *clone, size_t len, const char *why)
{
    gbx_future *future = answer(clone, len);

    condemned(&f, why);
    cr_assert_eq(gbx_future_status(future, NULL), GBX_EPROTO);
    gbx_future_free(future);
}

Test(receive_shared, that_the_isolate_has_is_taken)
{
    gbx_future *future = answer("u\x01V\x62\x3c\x04\x00", 7);

    still_trusted(&f);
    gbx_value *value = gbx_future_take_value(future);
    const void *bytes;
    size_t len;
    cr_assert_eq(gbx_value_get_kind(value), GBX_TYPED_ARRAY);
    cr_assert_eq(gbx_value_get_bytes(value, &bytes, &len), GBX_OK);
    cr_assert_eq(bytes, (char *)gbx_shared_bytes(memories[1], NULL) + 60);
    cr_assert_eq(len, 4);
    gbx_value_free(value);
    gbx_future_free(future);
}

Test(receive_shared, that_it_does_not_have_is_refused)
{
    is_refused("u\x02", 2, "shared memory that the isolate does not have");
}

Test(receive_shared, with_a_number_of_nothing_is_refused)
{
    is_refused("u\xff\xff\xff\xff\x0f", 6, "shared memory that the isolate does not have");
}

Test(receive_shared, without_a_number_is_refused)
{
    is_refused("u", 1, "the value ends in the middle");
}

Test(receive_shared, viewed_past_its_end_is_refused)
{
    is_refused("u\x00V\x62\x3c\x05\x00", 7, "a view does not fit in its buffer");
}

Test(receive_shared, viewed_as_if_it_could_grow_is_refused)
{
    is_refused("u\x00V\x62\x3c\x04\x03", 7, "flags of a view that do not match its buffer");
}
