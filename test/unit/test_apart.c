/* Buffers that come apart from their clone: read by the host where a guest has moved them. */
#include "clone_help.h"

#include "base/bytes.h"
#include "wire/clone_tags.h"
#include "wire/value.h"

/* --- messages ------------------------------------------------------------------------------- */

static gbx_value *
buffer(size_t len, uint8_t first)
{
    uint8_t *bytes = malloc(len + 1);

    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(first + i % 251);
    gbx_value *value = gbx_value_new_array_buffer(bytes, len);
    free(bytes);
    cr_assert_not_null(value);
    return value;
}

/* Appends `clone` and `count` buffers apart from it, as an engine does. They are aligned to 16
 * bytes from the beginning of `out` if `aligned`, and else never. */
static void
put(struct buf *out, struct span clone, gbx_value *const *buffers, size_t count, bool aligned)
{
    static const uint8_t nothing[ATTACHED_ALIGN];
    uint8_t head[4] = { CLONE_ATTACHED };

    buf_append(out, head, sizeof head);
    buf_u32(out, (uint32_t)clone.len);
    buf_append(out, clone.p, clone.len);
    for (size_t i = 0; i < count; i++) {
        const struct buffer *b = buffers[i]->buffer;
        size_t padding = -(out->len + ATTACHMENT_HEAD + !aligned) & (ATTACHED_ALIGN - 1);
        buf_u32(out, (uint32_t)b->len);
        buf_byte(out, (uint8_t)padding);
        buf_append(out, nothing, padding);
        buf_append(out, b->bytes, b->len);
    }
}

/* An array of the buffers that `numbers` names; "\1\0": the second, then the first. */
static struct buf
array_of(const char *numbers, size_t count)
{
    struct buf clone = { .max = KIB };

    buf_append(&clone, (const uint8_t[]){ TAG_VERSION, CLONE_VERSION, TAG_DENSE }, 3);
    buf_byte(&clone, (uint8_t)count);
    for (size_t i = 0; i < count; i++) {
        buf_byte(&clone, TAG_TRANSFERRED);
        buf_byte(&clone, (uint8_t)numbers[i]);
    }
    buf_append(&clone, (const uint8_t[]){ TAG_DENSE_END, 0 }, 2);
    buf_byte(&clone, (uint8_t)count);
    return clone;
}

/* Reads `message` as a cell's, in a block of its own size; tells whether it was taken over. */
static gbx_status
read_message(
    const struct buf *message, gbx_value **out, const char **why, bool *taken, bool asked)
{
    struct buf body = { .max = 4 * MIB };
    struct clone_limits limits = { .body = &body, .apart = asked };

    (void)buf_grow_to(&body, message->len, message->len);
    memcpy(body.p, message->p, message->len);
    gbx_status status = clone_read(buf_span(&body), &limits, out, why);
    *taken = body.p == NULL;
    buf_done(&body);
    return status;
}

static void
is_refused(struct buf *message, const char *why)
{
    const char *said = NULL;
    gbx_value *out = NULL;
    bool taken;

    cr_assert_eq(read_message(message, &out, &said, &taken, true), GBX_EPROTO);
    cr_assert_null(out);
    cr_assert_str_eq(said, why);
    buf_done(message);
}

/* --- what is good ---------------------------------------------------------------------------- */

Test(apart, is_read_where_its_number_stands)
{
    gbx_value *buffers[] = { buffer(100, 1), buffer(0, 2), buffer(VALUE_SHARED_MIN, 3) };
    struct buf clone = array_of("\2\0\1", 3), message = { .max = MIB };
    gbx_value *array = NULL;
    bool taken;

    put(&message, buf_span(&clone), buffers, 3, true);
    cr_assert_eq(read_message(&message, &array, NULL, &taken, true), GBX_OK);
    cr_assert(taken);
    cr_assert(gbx_value_equal(gbx_value_at(array, 0), buffers[2]));
    cr_assert(gbx_value_equal(gbx_value_at(array, 1), buffers[0]));
    cr_assert(gbx_value_equal(gbx_value_at(array, 2), buffers[1]));
    cr_assert_eq((uintptr_t)gbx_value_at(array, 0)->buffer->bytes % ATTACHED_ALIGN, 0);
    gbx_value_free(array);
    for (size_t i = 0; i < 3; i++)
        gbx_value_free(buffers[i]);
    buf_done(&clone);
    buf_done(&message);
}

/* All that is large stays where it came, and none of it is copied. */
Test(apart, takes_its_message_over_for_all_of_them)
{
    gbx_value *buffers[] = { buffer(VALUE_SHARED_MIN, 1), buffer(2 * VALUE_SHARED_MIN, 2) };
    struct buf clone = array_of("\0\1", 2), message = { .max = MIB };
    gbx_value *array = NULL;
    bool taken;

    put(&message, buf_span(&clone), buffers, 2, true);
    cr_assert_eq(read_message(&message, &array, NULL, &taken, true), GBX_OK);
    cr_assert(taken);
    const struct buffer *first = gbx_value_at(array, 0)->buffer;
    const struct buffer *second = gbx_value_at(array, 1)->buffer;
    cr_assert_not_null(first->held);
    cr_assert_eq(first->held, second->held);
    cr_assert_eq(first->held->refs, 2);
    cr_assert_leq(first->bytes + first->len, second->bytes);
    cr_assert(gbx_value_equal(gbx_value_at(array, 1), buffers[1]));
    gbx_value_free(array);
    gbx_value_free(buffers[0]);
    gbx_value_free(buffers[1]);
    buf_done(&clone);
    buf_done(&message);
}

/* Where it is a small part of the message, or lies badly, or was left unread. */
Test(apart, is_copied_where_it_cannot_stay)
{
    gbx_value *large = buffer(VALUE_SHARED_MIN, 1), *small = buffer(VALUE_SHARED_MIN - 1, 2);
    gbx_value *array = NULL;
    bool taken;

    for (int i = 0; i < 3; i++) {
        struct buf clone = array_of("\0", 1), message = { .max = MIB };
        uint32_t text = i == 2 ? 2 * VALUE_SHARED_MIN : 0;
        if (i == 2) { /* a long string beside it */
            clone.len -= 3;
            clone.p[3] = 2;
            buf_byte(&clone, TAG_ONE_BYTE);
            buf_append(&clone, (const uint8_t[]){ 0x80, 0x80, 0x08 }, 3);
            clone.max = MIB;
            memset(buf_grow(&clone, text), 'x', text);
            buf_append(&clone, (const uint8_t[]){ TAG_DENSE_END, 0, 2 }, 3);
        }
        put(&message, buf_span(&clone), i == 1 ? &small : &large, 1, i != 0);
        cr_assert_eq(read_message(&message, &array, NULL, &taken, true), GBX_OK, "%d", i);
        cr_assert_not(taken, "%d", i);
        cr_assert(gbx_value_equal(gbx_value_at(array, 0), i == 1 ? small : large));
        gbx_value_free(array);
        buf_done(&clone);
        buf_done(&message);
    }
    gbx_value_free(large);
    gbx_value_free(small);
}

Test(apart, may_be_viewed_and_referred_to)
{
    gbx_value *bytes = buffer(8, 1), *array = NULL;
    struct buf message = { .max = KIB };
    static const uint8_t clone[] = { TAG_VERSION, CLONE_VERSION, TAG_DENSE, 2, TAG_TRANSFERRED,
        0, TAG_VIEW, 'W', 2, 4, 0, TAG_REFERENCE, 1, TAG_DENSE_END, 0, 2 };
    const void *p;
    size_t len;
    bool taken;

    put(&message, span_of(clone, sizeof clone), &bytes, 1, true);
    cr_assert_eq(read_message(&message, &array, NULL, &taken, true), GBX_OK);
    cr_assert_eq(gbx_value_get_kind(gbx_value_at(array, 0)), GBX_TYPED_ARRAY);
    cr_assert_eq(gbx_value_get_bytes(gbx_value_at(array, 0), &p, &len), GBX_OK);
    cr_assert_eq(len, 4);
    cr_assert_eq(((const uint8_t *)p)[0], 3);
    cr_assert(gbx_value_equal(gbx_value_at(array, 1), bytes));
    gbx_value_free(array);
    gbx_value_free(bytes);
    buf_done(&message);
}

/* --- what breaks a rule ---------------------------------------------------------------------- */

static struct buf
message_with(const char *numbers, size_t count, size_t buffers)
{
    gbx_value *one = buffer(20, 1), *all[] = { one, one };
    struct buf clone = array_of(numbers, count), message = { .max = MIB };

    put(&message, buf_span(&clone), all, buffers, true);
    gbx_value_free(one);
    buf_done(&clone);
    return message;
}

Test(apart, that_was_not_asked_for_is_refused)
{
    struct buf message = message_with("\0", 1, 1);
    const char *why = NULL;
    gbx_value *out = NULL;
    bool taken;

    cr_assert_eq(read_message(&message, &out, &why, &taken, false), GBX_EPROTO);
    cr_assert_str_eq(why, "not structured clone of version 15");
    buf_done(&message);
    message = array_of("\0", 1);
    is_refused(&message, "a moved buffer that did not come, or came twice");
}

Test(apart, that_did_not_come_or_came_twice_is_refused)
{
    static const char why[] = "a moved buffer that did not come, or came twice";

    is_refused(&(struct buf[]){ message_with("\1", 1, 1) }[0], why);
    is_refused(&(struct buf[]){ message_with("\0\1\0", 3, 2) }[0], why);
    is_refused(&(struct buf[]){ message_with("\x7f", 1, 2) }[0], why);
}

Test(apart, with_a_wrong_head_is_refused)
{
    struct buf message = message_with("\0", 1, 1);
    size_t head = ATTACHED_HEAD + message.p[4];

    message.p[head + 4] = ATTACHED_ALIGN;
    is_refused(&message, "a moved buffer without its head");
    message = message_with("\0", 1, 1);
    buf_append(&message, "\0\0\0\0", 4); /* the head of another one, but for a byte */
    is_refused(&message, "a moved buffer without its head");
    message = message_with("\0", 1, 1);
    message.p[head]++;
    is_refused(&message, "a moved buffer that is cut off");
    message = message_with("\0", 1, 1);
    message.p[head + 3] = 0xFF;
    is_refused(&message, "a moved buffer that is cut off");
    message = message_with("\0", 1, 1);
    message.len = head + 5;
    message.p[head + 4] = 1;
    is_refused(&message, "a moved buffer that is cut off");
    message = message_with("\0", 1, 1);
    message.p[7] = 0xFF;
    is_refused(&message, "a clone that is longer than its message");
    message = message_with("\0", 1, 1);
    message.len = ATTACHED_HEAD - 1;
    is_refused(&message, "a clone that is longer than its message");
}

/* However short it is cut, and whatever is behind it. */
Test(apart, is_refused_at_every_length_but_its_own)
{
    struct buf whole = message_with("\0\1", 2, 2);

    for (size_t len = 0; len < whole.len; len++) {
        struct buf message = { .max = MIB };
        gbx_value *out = NULL;
        bool taken;

        (void)buf_grow_to(&message, len, len + 1);
        memcpy(message.p, whole.p, len);
        cr_assert_eq(read_message(&message, &out, NULL, &taken, true), GBX_EPROTO, "%zu", len);
        cr_assert_null(out);
        buf_done(&message);
    }
    buf_byte(&whole, 0);
    is_refused(&whole, "a moved buffer without its head");
}

Test(apart, of_too_many_is_refused)
{
    static const uint8_t empty[] = { TAG_VERSION, CLONE_VERSION, TAG_UNDEFINED };
    gbx_value *none = buffer(0, 0), *out = NULL, **all;
    struct buf message = { .max = MIB };
    bool taken;

    all = malloc((MOVED_LOOK_MAX + 1) * sizeof *all);
    for (size_t i = 0; i <= MOVED_LOOK_MAX; i++)
        all[i] = none;
    put(&message, span_of(empty, sizeof empty), all, MOVED_LOOK_MAX, true);
    cr_assert_eq(read_message(&message, &out, NULL, &taken, true), GBX_OK);
    gbx_value_free(out);
    buf_clear(&message);
    put(&message, span_of(empty, sizeof empty), all, MOVED_LOOK_MAX + 1, true);
    is_refused(&message, "too many moved buffers");
    gbx_value_free(none);
    free(all);
}

/* The message has been taken over when the rest of it turns out to be wrong. */
Test(apart, that_was_taken_over_is_freed_with_what_fails_later)
{
    gbx_value *large = buffer(VALUE_SHARED_MIN, 1), *out = NULL;
    struct buf clone = array_of("\0", 1), message = { .max = MIB };
    const char *why = NULL;
    bool taken;

    buf_byte(&clone, TAG_UNDEFINED);
    put(&message, buf_span(&clone), &large, 1, true);
    cr_assert_eq(read_message(&message, &out, &why, &taken, true), GBX_EPROTO);
    cr_assert_str_eq(why, "bytes behind the value");
    cr_assert(taken);
    gbx_value_free(large);
    buf_done(&clone);
    buf_done(&message);
}
