/* memory.h - the columns of a snapshot: zeroed blocks, in large pages where they are large.
 *
 * Runs in:  whoever reads a snapshot.
 * Trusts:   sizes that were checked before.
 * Threads:  any.
 */
#ifndef HEAP_MEMORY_H
#define HEAP_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `count` zeroed items of `size` bytes, or NULL; memory_free() with the same numbers. A block is
 * not touched before its user does, so that a count that was a lie costs addresses only. */
void *memory_new(size_t count, size_t size) __attribute__((malloc));
/* The same in small pages, for what is touched here and there only. */
void *memory_new_sparse(size_t count, size_t size) __attribute__((malloc));
void memory_free(void *p, size_t count, size_t size);
/* The same block with another count; what is new is zero. NULL: out of memory, and `p` stays. */
void *memory_resize(void *p, size_t old_count, size_t new_count, size_t size);

/* Blocks that one computation after the other has, so that the system need not clear pages again
 * and again, which was a third of what opening a snapshot took. Begins as all zero. */
enum {
    SCRATCH_BLOCKS = 16
};
struct scratch {
    struct scratch_block {
        void *p;
        size_t bytes;
        bool taken;
    } blocks[SCRATCH_BLOCKS];
};

/* `count` items of `size` bytes, of any content; zeroed. NULL: out of memory, or of blocks. */
void *scratch_take(struct scratch *s, size_t count, size_t size);
void *scratch_take_zeroed(struct scratch *s, size_t count, size_t size);
/* Back for others. NULL is allowed. */
void scratch_give(struct scratch *s, void *p);
/* Takes a block out for good, cut to so many items: memory_free() with the same numbers. */
void scratch_keep(struct scratch *s, void *p, size_t count, size_t size);
/* Frees what is there, taken or not. */
void scratch_done(struct scratch *s);

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
