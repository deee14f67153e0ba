/* Large buffers: borrowed by messages to a cell, taken over from messages of one. */
#include "clone_help.h"

#include "base/bytes.h"
#include "wire/clone_tags.h"
#include "wire/frame.h"
#include "wire/value.h"

static gbx_value *
large(size_t len)
{
    uint8_t *bytes = malloc(len);

    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(i % 251);
    gbx_value *value = gbx_value_new_array_buffer(bytes, len);
    free(bytes);
    cr_assert_not_null(value);
    return value;
}

/* --- to a cell ------------------------------------------------------------------------------ */

/* The bytes of a buffer that borrows, in one piece of malloc's. */
static uint8_t *
flat(const struct buf *b)
{
    uint8_t *all = malloc(buf_whole(b));

    for (size_t at = 0; at < buf_whole(b);) {
        struct span part = buf_part(b, at);
        memcpy(all + at, part.p, part.len);
        at += part.len;
    }
    return all;
}

static uint32_t
u32_at(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

Test(attach, borrows_large_buffers_and_copies_small_ones)
{
    gbx_value *array = gbx_value_new_array();
    gbx_value *first = large(VALUE_SHARED_MIN), *second = large(VALUE_SHARED_MIN + 1);
    const uint8_t *bytes = first->buffer->bytes;
    struct buf out = { .max = MIB, .shares = true };

    cr_assert_eq(gbx_value_append(array, large(VALUE_SHARED_MIN - 1)), GBX_OK);
    cr_assert_eq(gbx_value_append(array, first), GBX_OK);
    cr_assert_eq(gbx_value_append(array, second), GBX_OK);
    cr_assert_eq(gbx_value_append(array, first), GBX_OK); /* once more: a reference */
    cr_assert_eq(clone_write(array, &out), GBX_OK);
    cr_assert_lt(out.len, VALUE_SHARED_MIN + 200);
    uint8_t *all = flat(&out);
    cr_assert_eq(all[0], CLONE_ATTACHED);
    uint32_t clone = u32_at(all + 4);
    const uint8_t *p = all + ATTACHED_HEAD;
    cr_assert_eq(p[0], TAG_VERSION);
    cr_assert_not_null(memmem(p, clone, "t\0t\1^\2$", 8));
    p += clone;
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t len = u32_at(p);
        cr_assert_eq(len, VALUE_SHARED_MIN + i);
        p += 5 + p[4];
        cr_assert_eq(((size_t)(p - all) + 16 - FRAME_HEADER) % ATTACHED_ALIGN, 0);
        cr_assert(memcmp(p, bytes, VALUE_SHARED_MIN) == 0);
        p += len;
    }
    cr_assert_eq(p, all + buf_whole(&out));
    free(all);
    /* They stay when the value goes. */
    struct bytes *held = first->buffer->held;
    cr_assert_eq(held->refs, 2);
    gbx_value_free(array);
    cr_assert_eq(held->refs, 1);
    buf_done(&out);
}

/* Where nobody can borrow, the clone is what V8 writes. */
Test(attach, copies_where_the_message_does_not_share)
{
    gbx_value *value = large(VALUE_SHARED_MIN), *same = NULL;
    struct buf out = { .max = MIB };

    cr_assert_eq(clone_write(value, &out), GBX_OK);
    cr_assert_eq(out.len, 2 + 1 + 3 + VALUE_SHARED_MIN);
    cr_assert_eq(clone_read(buf_span(&out), NULL, &same, NULL), GBX_OK);
    cr_assert(gbx_value_equal(value, same));
    gbx_value_free(value);
    gbx_value_free(same);
    buf_done(&out);
}

Test(attach, refuses_more_than_a_message_holds)
{
    gbx_value *value = large(2 * VALUE_SHARED_MIN);
    struct buf out = { .max = 2 * VALUE_SHARED_MIN, .shares = true };

    cr_assert_eq(clone_write(value, &out), GBX_ETOOBIG);
    cr_assert_eq(out.len, 0);
    cr_assert_eq(value->buffer->held->refs, 1);
    gbx_value_free(value);
    buf_done(&out);
}

/* Lengths that were written before count what is borrowed after. */
Test(attach, frames_count_what_they_borrow)
{
    gbx_value *value = large(VALUE_SHARED_MIN);
    struct buf out = { .max = MIB, .shares = true };
    struct frame_reader r;
    struct msg_call m;
    struct span rest, argument;
    uint8_t *into;
    size_t wants, at = 0;

    put_call(&out, (struct frame_tag){ .id = 7 },
        &(struct msg_call){ .path = span_text("f"), .count = 2 });
    size_t field = frame_last_begin(&out);
    for (int i = 0; i < 2; i++) {
        size_t begun = argument_begin(&out);
        cr_assert_eq(clone_write(value, &out), GBX_OK);
        argument_end(&out, begun);
    }
    frame_last_end(&out, 0, field);
    uint8_t *all = flat(&out);
    frame_reader_init(&r, TO_CELL);
    bool whole = false;
    while (!whole && (wants = frame_reader_wants(&r, &into)) > 0) {
        memcpy(into, all + at, wants);
        at += wants;
        whole = frame_reader_got(&r, wants);
    }
    cr_assert(whole);
    cr_assert_eq(at, buf_whole(&out));
    cr_assert_eq(get_call(r.frame.body, &m), GBX_OK);
    rest = m.arguments;
    for (int i = 0; i < 2; i++) {
        cr_assert(argument_next(&rest, &argument));
        const uint8_t *bytes = argument.p + argument.len - VALUE_SHARED_MIN;
        cr_assert_eq((uintptr_t)bytes % ATTACHED_ALIGN, 0);
        cr_assert(memcmp(bytes, value->buffer->bytes, VALUE_SHARED_MIN) == 0);
    }
    cr_assert_eq(rest.len, 0);
    frame_reader_done(&r);
    free(all);
    gbx_value_free(value);
    buf_done(&out);
}

/* --- from a cell ---------------------------------------------------------------------------- */

/* Reads a clone of `value` that begins `offset` bytes into its message; `more` stay unused behind
 * it. Tells whether the message was taken over. */
static bool
read_back(const gbx_value *value, size_t offset, size_t more, gbx_value **out)
{
    struct buf clone = { .max = 4 * MIB }, body = { .max = 4 * MIB };
    uint8_t *before;

    cr_assert_eq(clone_write(value, &clone), GBX_OK);
    (void)buf_grow_to(&body, offset + clone.len, offset + clone.len + more);
    before = body.p;
    memset(body.p, 0xEE, offset);
    memcpy(body.p + offset, clone.p, clone.len);
    struct clone_limits limits = { .body = &body };
    cr_assert_eq(clone_read(span_of(body.p + offset, clone.len), &limits, out, NULL), GBX_OK);
    bool taken = body.p == NULL;
    cr_assert(taken || body.p == before);
    buf_done(&body);
    buf_done(&clone);
    return taken;
}

Test(attach, takes_a_message_over_from_anywhere_in_it)
{
    gbx_value *value =
        gbx_value_new_typed_array(GBX_UINT32, large(3 * VALUE_SHARED_MIN), 4, GBX_TO_END);

    for (size_t offset = 0; offset < 40; offset++) {
        gbx_value *same = NULL;
        const void *bytes;
        size_t len;
        cr_assert(read_back(value, offset, 0, &same), "at %zu", offset);
        cr_assert(gbx_value_equal(value, same), "at %zu", offset);
        cr_assert_eq(gbx_value_get_bytes(same, &bytes, &len), GBX_OK);
        cr_assert_eq((uintptr_t)bytes % 16, 4);
        gbx_value_free(same);
    }
    gbx_value_free(value);
}

/* No small value keeps a large message. */
Test(attach, copies_what_is_a_small_part_of_its_message)
{
    gbx_value *value = large(VALUE_SHARED_MIN), *same = NULL;

    cr_assert_not(read_back(value, 0, VALUE_SHARED_MIN + 100, &same));
    cr_assert(gbx_value_equal(value, same));
    gbx_value_free(same);
    gbx_value_free(value);
    value = large(VALUE_SHARED_MIN - 1);
    cr_assert_not(read_back(value, 0, 0, &same));
    cr_assert(gbx_value_equal(value, same));
    gbx_value_free(same);
    gbx_value_free(value);
}

/* What comes before and behind a buffer that moves is read as well as ever; of two, one moves. */
Test(attach, reads_all_that_stands_around_it)
{
    gbx_value *array = gbx_value_new_array(), *same = NULL;

    cr_assert_eq(gbx_value_append(array, gbx_value_new_string("before", 6)), GBX_OK);
    cr_assert_eq(gbx_value_append(array, large(VALUE_SHARED_MIN)), GBX_OK);
    cr_assert_eq(gbx_value_append(array, large(3 * VALUE_SHARED_MIN)), GBX_OK);
    cr_assert_eq(gbx_value_append(array, gbx_value_new_string("behind", 6)), GBX_OK);
    cr_assert_eq(gbx_value_append(array, large(VALUE_SHARED_MIN)), GBX_OK);
    cr_assert(read_back(array, 5, 0, &same));
    cr_assert(gbx_value_equal(array, same));
    /* And it goes out again without a copy. */
    struct buf out = { .max = MIB, .shares = true };
    cr_assert_eq(clone_write(same, &out), GBX_OK);
    cr_assert_lt(out.len, 1000);
    gbx_value_free(same);
    cr_assert_gt(buf_whole(&out), 5 * VALUE_SHARED_MIN);
    buf_done(&out);
    gbx_value_free(array);
}

/* Of two values in a message the first takes it over; the second lives on without it. */
Test(attach, leaves_alone_what_another_value_has_taken)
{
    gbx_value *larger = large(3 * VALUE_SHARED_MIN), *value = large(2 * VALUE_SHARED_MIN);
    gbx_value *first = NULL, *second = NULL;
    struct buf both = { .max = MIB }, body = { .max = MIB };

    cr_assert_eq(clone_write(larger, &both), GBX_OK);
    size_t at = both.len;
    cr_assert_eq(clone_write(value, &both), GBX_OK);
    size_t len = both.len - at;
    (void)buf_grow_to(&body, both.len, both.len);
    memcpy(body.p, both.p, both.len);
    const uint8_t *p = body.p;
    struct clone_limits limits = { .body = &body };
    cr_assert_eq(clone_read(span_of(p, at), &limits, &first, NULL), GBX_OK);
    cr_assert_null(body.p);
    cr_assert_eq(clone_read(span_of(p + at, len), &limits, &second, NULL), GBX_OK);
    const uint8_t *bytes = second->buffer->bytes;
    cr_assert(bytes < p || bytes >= p + both.len, "it lies in what the other one owns");
    gbx_value_free(first);
    cr_assert(gbx_value_equal(value, second));
    gbx_value_free(second);
    gbx_value_free(value);
    gbx_value_free(larger);
    buf_done(&both);
}

/* The message has been taken over when the rest of it turns out to be wrong. */
Test(attach, frees_a_message_that_breaks_off_behind_its_buffer)
{
    gbx_value *value = large(VALUE_SHARED_MIN), *out = NULL;
    struct buf body = { .max = MIB };
    const char *why = NULL;

    cr_assert_eq(clone_write(value, &body), GBX_OK);
    buf_byte(&body, 0x7F);
    struct buf exact = { .max = MIB };
    (void)buf_grow_to(&exact, body.len, body.len);
    memcpy(exact.p, body.p, body.len);
    struct clone_limits limits = { .body = &exact };
    cr_assert_eq(clone_read(buf_span(&exact), &limits, &out, &why), GBX_EPROTO);
    cr_assert_null(out);
    cr_assert_str_eq(why, "bytes behind the value");
    cr_assert_null(exact.p);
    buf_done(&body);
    gbx_value_free(value);
}
