/* keyed.h - texts that stand for others: the same for the same text under the same key, and of its
 * length. Who lacks the key learns nothing else of it.
 *
 * Runs in:  whoever redacts a snapshot.
 * Trusts:   the key, which is random.
 * Threads:  any.
 */
#ifndef HEAP_KEYED_H
#define HEAP_KEYED_H

#include "base/buf.h"

enum {
    KEYED_BYTES = 16
};

struct keyed {
    uint64_t key[2];
};

void keyed_init(struct keyed *k, const uint8_t key[KEYED_BYTES]);
/* SipHash-2-4. */
uint64_t keyed_hash(const struct keyed *k, struct span text);
/* Appends what stands for `text`, WTF-8. It has as many UTF-16 units as that; but for short ones
 * that are no names, it has one of three forms:
 *     up to ten letters, digits, _ and $: as many of these; no two names become the same
 *     other texts of up to ten units:     ~, eleven of these, ~, and dots for the units
 *     longer ones:                        eleven of these, and dots up to the length */
void keyed_text(const struct keyed *k, struct span text, struct buf *out);

#endif
