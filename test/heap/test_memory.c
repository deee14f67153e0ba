/* test_memory.c - the blocks that a snapshot's columns lie in, and what puts them in order. */
#include "heap/memory.h"
#include "heap/order.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* --- memory ----------------------------------------------------------------------------- */

enum {
    LARGE = 3 << 20 /* bytes; more than a large page, and no whole number of them */
};

static bool
all_are(const uint8_t *p, size_t len, uint8_t value)
{
    for (size_t i = 0; i < len; i++)
        if (p[i] != value)
            return false;
    return true;
}

Test(memory, blocks_are_zeroed_and_end_where_they_say)
{
    for (size_t bytes = 1; bytes < 20 << 20; bytes = bytes * 3 + 7) {
        uint8_t *p = memory_new(bytes, 1), *sparse = memory_new_sparse(bytes, 1);
        cr_assert(p != NULL && sparse != NULL);
        cr_assert(all_are(p, bytes, 0) && all_are(sparse, bytes, 0), "%zu", bytes);
        memset(p, 1, bytes);
        memset(sparse, 1, bytes);
        memory_free(p, bytes, 1);
        memory_free(sparse, bytes, 1);
    }
}

Test(memory, scratch_is_used_again)
{
    struct scratch scratch = { 0 };
    uint8_t *first = scratch_take(&scratch, LARGE, 1);
    cr_assert_not_null(first);
    memset(first, 1, LARGE);
    uint8_t *other = scratch_take(&scratch, LARGE, 1);
    cr_assert(other != NULL && other != first);
    scratch_give(&scratch, first);
    cr_assert_eq(scratch_take_zeroed(&scratch, LARGE - 1, 1), first);
    cr_assert(all_are(first, LARGE - 1, 0));
    cr_assert_eq(first[LARGE - 1], 1, "only what was asked for is zeroed");
    scratch_give(&scratch, first);
    scratch_give(&scratch, NULL);
    uint8_t *larger = scratch_take(&scratch, LARGE, 2);
    cr_assert(larger != first && larger != other, "it would not fit");
    memset(larger, 1, LARGE * 2);
    scratch_done(&scratch);
}

Test(memory, what_is_kept_of_scratch_is_cut)
{
    struct scratch scratch = { 0 };
    uint8_t *p = scratch_take(&scratch, LARGE, 1);
    uint8_t there = 0;

    memset(p, 1, LARGE);
    scratch_keep(&scratch, p, LARGE / 2, 1);
    scratch_done(&scratch);
    cr_assert(all_are(p, LARGE / 2, 1));
    cr_assert_eq(mincore(p + LARGE / 2, 4096, &there), -1, "the rest is mapped still");
    cr_assert_eq(errno, ENOMEM);
    memory_free(p, LARGE / 2, 1);
    cr_assert_eq(mincore(p, 4096, &there), -1);
}

Test(memory, scratch_says_when_there_are_no_more_blocks)
{
    struct scratch scratch = { 0 };

    for (int i = 0; i < SCRATCH_BLOCKS; i++)
        cr_assert_not_null(scratch_take(&scratch, 8, 1));
    cr_assert_null(scratch_take(&scratch, 8, 1));
    scratch_done(&scratch);
}

/* --- order ------------------------------------------------------------------------------ */

static void
is_ordered(uint32_t count, uint32_t mask)
{
    struct ordered *items = malloc((count + 1) * sizeof *items);
    uint64_t sum = 0;

    for (uint32_t i = 0; i < count; i++) {
        items[i] = (struct ordered){ (uint32_t)(i * 2654435761u) & mask, i };
        sum += items[i].at;
    }
    cr_assert(order_by_key(items, count));
    for (uint32_t i = 0; i < count; i++) {
        cr_assert_eq(items[i].key, (uint32_t)(items[i].at * 2654435761u) & mask);
        cr_assert(i == 0 || items[i - 1].key < items[i].key ||
                      (items[i - 1].key == items[i].key && items[i - 1].at < items[i].at),
            "%u with %x at %u", count, mask, i);
        sum -= items[i].at;
    }
    cr_assert_eq(sum, 0);
    free(items);
}

Test(order, keys_ascend_and_equal_ones_stay)
{
    const uint32_t masks[] = { 0, 1, 0xFF, 0xFFF, 0x1FFF, 0xFFFFFF, 0x1FFFFFF, UINT32_MAX };

    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++)
        for (uint32_t count = 0; count < 10000; count = count * 7 + 1)
            is_ordered(count, masks[i]);
}
