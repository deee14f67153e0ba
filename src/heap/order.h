/* order.h - things put in the order of a number each, in linear time.
 *
 * Runs in:  whoever reads a snapshot.
 * Trusts:   its arguments.
 * Threads:  any.
 */
#ifndef HEAP_ORDER_H
#define HEAP_ORDER_H

#include <stdbool.h>
#include <stdint.h>

/* A thing by its number: where it stands. */
struct ordered {
    uint32_t key, at;
};

/* Sorts by `key`; those of the same key stay as they were. False: out of memory. */
bool order_by_key(struct ordered *items, uint32_t count);

#endif
