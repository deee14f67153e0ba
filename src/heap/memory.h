/* memory.h - the columns of a snapshot: zeroed blocks, in large pages where they are large.
 *
 * Runs in:  whoever reads a snapshot.
 * Trusts:   sizes that were checked before.
 * Threads:  any.
 */
#ifndef HEAP_MEMORY_H
#define HEAP_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* `count` zeroed items of `size` bytes, or NULL; memory_free() with the same numbers. A block is
 * not touched before its user does, so that a count that was a lie costs addresses only. */
void *memory_new(size_t count, size_t size) __attribute__((malloc));
void memory_free(void *p, size_t count, size_t size);
/* The same block with another count; what is new is zero. NULL: out of memory, and `p` stays. */
void *memory_resize(void *p, size_t old_count, size_t new_count, size_t size);
/* Says that the contents are wanted no more: the pages go back. */
void memory_forget(void *p, size_t count, size_t size);

/* Bits, in words of 64. */
static inline size_t
bit_words(size_t count)
{
    return count / 64 + 1;
}

static inline int
bit_get(const uint64_t *bits, size_t i)
{
    return (int)(bits[i >> 6] >> (i & 63) & 1);
}

static inline void
bit_set(uint64_t *bits, size_t i)
{
    bits[i >> 6] |= UINT64_C(1) << (i & 63);
}

static inline void
bit_clear(uint64_t *bits, size_t i)
{
    bits[i >> 6] &= ~(UINT64_C(1) << (i & 63));
}

#endif
