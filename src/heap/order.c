/* order.c - a radix sort, from the lowest digit on. */
#include "heap/order.h"

#include "heap/memory.h"

#include <string.h>

enum {
    /* So many heads of buckets stay in a core's nearest cache, and a key of 24 bits, as ids of
     * some million objects are, needs two passes. */
    DIGIT_BITS = 12,
    BUCKETS = 1 << DIGIT_BITS
};

static void
sort_by_digit(const struct ordered *from, struct ordered *to, uint32_t count, unsigned shift)
{
    uint32_t begin[BUCKETS] = { 0 };
    uint32_t sum = 0;

    for (uint32_t i = 0; i < count; i++)
        begin[from[i].key >> shift & (BUCKETS - 1)]++;
    for (uint32_t b = 0; b < BUCKETS; b++) {
        uint32_t own = begin[b];
        begin[b] = sum;
        sum += own;
    }
    for (uint32_t i = 0; i < count; i++)
        to[begin[from[i].key >> shift & (BUCKETS - 1)]++] = from[i];
}

bool
order_by_key(struct ordered *items, uint32_t count)
{
    uint32_t greatest = 0, descents = 0;

    for (uint32_t i = 0; i < count; i++) {
        descents += items[i].key < greatest;
        greatest = items[i].key > greatest ? items[i].key : greatest;
    }
    if (descents == 0)
        return true;
    struct ordered *other = memory_new(count, sizeof *other);
    if (other == NULL)
        return false;
    struct ordered *from = items, *to = other;
    for (unsigned shift = 0; shift < 32 && greatest >> shift != 0; shift += DIGIT_BITS) {
        sort_by_digit(from, to, count, shift);
        struct ordered *swap = from;
        from = to;
        to = swap;
    }
    if (from != items)
        memcpy(items, from, count * sizeof *items);
    memory_free(other, count, sizeof *other);
    return true;
}
