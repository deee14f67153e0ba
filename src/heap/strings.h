/* strings.h - the strings of a snapshot, decoded to UTF-8, one behind the other.
 *
 * Runs in:  whoever reads a snapshot.
 * Trusts:   nothing that is read.
 * Threads:  one that writes.
 *
 * A lone surrogate keeps its three bytes, as WTF-8 has it: nothing is lost, and what leaves the
 * library as text goes through strings_clean().
 */
#ifndef HEAP_STRINGS_H
#define HEAP_STRINGS_H

#include "base/span.h"
#include "heap/reader.h"

struct strings {
    uint8_t *text;
    size_t text_len, text_capacity;
    uint32_t *begin; /* count + 1 of them */
    uint32_t count, capacity;
    /* Of those that were read: which may name an edge of a WeakMap, as pairs.c has them. Picked
     * out here, while the text is in a core's cache. */
    uint32_t *paired;
    uint32_t paired_count, paired_capacity;
};

#define NO_STRING UINT32_MAX

bool strings_read(struct strings *s, struct reader *r);
void strings_done(struct strings *s);
/* Appends one. NO_STRING: out of memory, or there are 4 GiB of them. */
uint32_t strings_add(struct strings *s, struct span text);

static inline struct span
strings_get(const struct strings *s, uint32_t i)
{
    return span_of(s->text + s->begin[i], s->begin[i + 1] - s->begin[i]);
}

static inline bool
span_equal(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static inline bool
span_starts(struct span a, const char *with)
{
    size_t len = strlen(with);

    return a.len >= len && memcmp(a.p, with, len) == 0;
}

static inline bool
span_is(struct span a, const char *text)
{
    return a.len == strlen(text) && span_starts(a, text);
}

uint64_t span_hash(struct span text);
/* UTF-16 units of UTF-8: what JavaScript calls the length. */
size_t span_units(struct span text);

#endif
