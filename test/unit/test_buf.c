#include "base/buf.h"
#include "base/bytes.h"
#include "base/huge.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static void
expect(const struct buf *b, const char *text, size_t len)
{
    cr_assert_not(b->failed);
    cr_assert_eq(b->len, len);
    cr_assert_arr_eq(b->p, text, len);
}

Test(buf, is_empty_and_owns_nothing_at_first)
{
    struct buf b = { .max = 10 };

    cr_assert_eq(buf_span(&b).len, 0);
    buf_done(&b);
}

Test(buf, has_a_place_for_nothing)
{
    struct buf b = { .max = 10 };

    cr_assert_not_null(buf_grow(&b, 0));
    buf_append(&b, NULL, 0);
    cr_assert_not(b.failed);
    cr_assert_eq(b.len, 0);
    buf_done(&b);
}

Test(buf, appends_in_order)
{
    struct buf b = { .max = 100 };

    buf_text(&b, "ab");
    buf_byte(&b, 'c');
    buf_append(&b, "d\0e", 3);
    buf_append(&b, NULL, 0);
    expect(&b, "abcd\0e", 6);
    buf_done(&b);
}

Test(buf, writes_numbers_little_endian)
{
    struct buf b = { .max = 100 };

    buf_u32(&b, 0x04030201);
    buf_u64(&b, 0x0807060504030201);
    expect(&b, "\1\2\3\4\1\2\3\4\5\6\7\10", 12);
    buf_done(&b);
}

Test(buf, keeps_what_it_has_when_it_grows)
{
    struct buf b = { .max = 1u << 20 };

    for (uint32_t i = 0; i < 10007; i++)
        buf_u32(&b, i);
    cr_assert_not(b.failed);
    cr_assert_eq(b.len, 4 * 10007);
    for (uint32_t i = 0; i < 10007; i++) {
        const uint8_t *at = b.p + 4 * i;
        cr_assert_eq((uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16, i);
    }
    buf_done(&b);
}

Test(buf, holds_exactly_its_maximum)
{
    struct buf b = { .max = 3 };

    buf_text(&b, "abc");
    expect(&b, "abc", 3);
    buf_append(&b, "", 0);
    cr_assert_not(b.failed);
    buf_byte(&b, 'd');
    cr_assert(b.failed && b.too_long);
    cr_assert_eq(b.len, 3);
    buf_done(&b);
}

Test(buf, stays_failed_until_it_is_emptied)
{
    struct buf b = { .max = 3 };

    buf_text(&b, "abcd");
    cr_assert(b.failed);
    buf_byte(&b, 'a');
    cr_assert_eq(b.len, 0);
    buf_done(&b);
    buf_byte(&b, 'a');
    expect(&b, "a", 1);
    buf_done(&b);
}

Test(buf, refuses_a_size_that_would_overflow)
{
    struct buf b = { .max = 100 };

    buf_byte(&b, 'a');
    cr_assert_null(buf_grow(&b, SIZE_MAX));
    cr_assert(b.failed);
    buf_done(&b);
}

/* The text is first printed into a small array; both sides of that border, and the buffer's. */
Test(buf, prints_texts_of_every_length)
{
    char text[600];

    memset(text, 'x', sizeof text);
    for (int len = 0; len < (int)sizeof text; len++) {
        struct buf b = { .max = (size_t)len + 2 };
        buf_printf(&b, "%.*s|", len, text);
        cr_assert_not(b.failed, "%d", len);
        cr_assert_eq(b.len, (size_t)len + 1);
        cr_assert_eq(b.p[len], '|');
        buf_done(&b);
    }
}

Test(buf, fails_a_text_that_is_past_the_maximum)
{
    char text[600];

    memset(text, 'x', sizeof text);
    for (int len = 0; len < (int)sizeof text; len++) {
        struct buf b = { .max = (size_t)len };
        buf_printf(&b, "%.*s|", len, text);
        cr_assert(b.failed, "%d", len);
        cr_assert_eq(b.len, 0);
        buf_done(&b);
    }
}

/* --- what is borrowed ----------------------------------------------------------------------- */

/* All of a buffer, put together part by part. */
static void
expect_whole(const struct buf *b, const char *text)
{
    char whole[64];
    size_t len = buf_whole(b);

    cr_assert_eq(len, strlen(text));
    for (size_t from = 0; from < len; from++) { /* parts begin anywhere */
        size_t at = from;
        while (at < len) {
            struct span part = buf_part(b, at);
            cr_assert_gt(part.len, 0);
            cr_assert_leq(part.len, len - at);
            memcpy(whole + at, part.p, part.len);
            at += part.len;
        }
        cr_assert(memcmp(whole + from, text + from, len - from) == 0);
    }
}

Test(buf, puts_what_it_borrows_where_it_belongs)
{
    struct buf b = { .max = 64, .shares = true };
    struct bytes *held = bytes_new(10);

    memcpy(held->p, "0123456789", 10);
    buf_share(&b, held, held->p, 3);
    buf_text(&b, "ab");
    buf_share(&b, held, held->p + 3, 2);
    buf_share(&b, held, held->p + 5, 5);
    buf_text(&b, "c");
    cr_assert_eq(held->refs, 4);
    cr_assert_eq(b.len, 3);
    cr_assert_eq(buf_shared_behind(&b, 0), 7); /* the first stands in front of everything */
    cr_assert_eq(buf_shared_behind(&b, 2), 0);
    expect_whole(&b, "012ab3456789c");
    buf_clear(&b);
    cr_assert_eq(held->refs, 1);
    cr_assert_eq(buf_whole(&b), 0);
    for (int i = 0; i < 100; i++) /* more than it has room for at first */
        buf_share(&b, held, held->p, 0);
    cr_assert_eq(held->refs, 101);
    buf_done(&b);
    cr_assert_eq(held->refs, 1);
    bytes_unref(held);
}

Test(buf, makes_room_before_what_it_borrows)
{
    struct buf b = { .max = 64, .shares = true };
    struct bytes *held = bytes_new(4);

    memcpy(held->p, "----", 4);
    buf_text(&b, "ab");
    buf_share(&b, held, held->p, 1);
    buf_text(&b, "cd");
    buf_share(&b, held, held->p, 4);
    cr_assert(buf_insert(&b, 2, 3)); /* behind the first, which stands there */
    memcpy(b.p + 2, "123", 3);
    expect_whole(&b, "ab-123cd----");
    cr_assert_not(buf_insert(&b, 0, 64));
    cr_assert(b.too_long);
    buf_done(&b);
    cr_assert_eq(held->refs, 1);
    bytes_unref(held);
}

Test(buf, counts_what_it_borrows_against_its_maximum)
{
    struct buf b = { .max = 10, .shares = true };
    struct bytes *held = bytes_new(11);

    buf_share(&b, held, held->p, 11);
    cr_assert(b.too_long);
    buf_clear(&b);
    buf_share(&b, held, held->p, 6);
    buf_share(&b, held, held->p, 5);
    cr_assert(b.failed && b.too_long);
    cr_assert_eq(held->refs, 2); /* what failed is not held */
    buf_done(&b);
    cr_assert_eq(held->refs, 1);
    bytes_unref(held);
}

static void
count_release(void *p, size_t len, void *data)
{
    cr_assert_eq(len, 5);
    cr_assert_str_eq(p, "abcd");
    ++*(int *)data;
}

Test(bytes, are_given_back_once_when_the_last_lets_go)
{
    char text[] = "abcd";
    int released = 0;
    struct bytes *bytes = bytes_adopt(text, sizeof text, count_release, &released);

    cr_assert_eq(bytes_ref(bytes), bytes);
    bytes_unref(bytes);
    cr_assert_eq(released, 0);
    bytes_unref(bytes);
    cr_assert_eq(released, 1);
    bytes_unref(NULL);
    cr_assert_null(bytes_new(SIZE_MAX));
}

/* Mappings that hold a part of a block. */
static int
mappings_of(const void *p, size_t len)
{
    uintptr_t begin = 0, end = 0, first = (uintptr_t)p;
    int count = 0;
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512];

    cr_assert_not_null(maps);
    while (fgets(line, sizeof line, maps) != NULL)
        if (sscanf(line, "%lx-%lx", &begin, &end) == 2 && begin < first + len && end > first)
            count++;
    (void)fclose(maps);
    return count;
}

Test(buf, a_large_block_stays_one_mapping)
{
    size_t len = 3 * HUGE_WORTH_BYTES + 12345;
    uint8_t *p = malloc(len);

    cr_assert_not_null(p);
    int before = mappings_of(p, len);
    huge_advise(p, len);
    cr_assert_eq(mappings_of(p, len), before, "realloc() would copy it");
    free(p);
}
