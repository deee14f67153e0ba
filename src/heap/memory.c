#include "heap/memory.h"

#include "base/huge.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    /* Below this, malloc: its checkers see every byte, and a page costs more than the block. */
    MAPPED_BYTES = 1 << 20
};

/* The whole of it: a part would be a mapping of its own, and mremap() moves only one. */
static void
advise(void *p, size_t bytes)
{
    if (bytes >= HUGE_PAGE_BYTES)
        (void)madvise(p, bytes, MADV_HUGEPAGE);
}

static size_t
round_up(size_t bytes, size_t unit)
{
    return (bytes + unit - 1) & ~(unit - 1);
}

static void *
map(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

/* Begins with a large page: else up to its first one there would be 512 small ones, and each is a
 * fault of its own. */
static void *
map_aligned(size_t bytes)
{
    uint8_t *p = bytes > SIZE_MAX - HUGE_PAGE_BYTES * 2 ? NULL : map(bytes + HUGE_PAGE_BYTES);

    if (p == NULL)
        return NULL;
    size_t before = round_up((uintptr_t)p, HUGE_PAGE_BYTES) - (uintptr_t)p;
    size_t page = (size_t)sysconf(_SC_PAGESIZE), own = round_up(bytes, page);
    if (before > 0)
        (void)munmap(p, before);
    if (before < HUGE_PAGE_BYTES)
        (void)munmap(p + before + own, HUGE_PAGE_BYTES - before);
    advise(p + before, own);
    return p + before;
}

static size_t
bytes_of(size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes))
        return SIZE_MAX;
    return bytes == 0 ? 1 : bytes;
}

void *
memory_new(size_t count, size_t size)
{
    size_t bytes = bytes_of(count, size);

    if (bytes == SIZE_MAX)
        return NULL;
    if (bytes < MAPPED_BYTES)
        return calloc(1, bytes);
    return bytes < HUGE_PAGE_BYTES ? map(bytes) : map_aligned(bytes);
}

void *
memory_new_sparse(size_t count, size_t size)
{
    size_t bytes = bytes_of(count, size);

    if (bytes == SIZE_MAX)
        return NULL;
    return bytes < MAPPED_BYTES ? calloc(1, bytes) : map(bytes);
}

void
memory_free(void *p, size_t count, size_t size)
{
    size_t bytes = bytes_of(count, size);

    if (p == NULL)
        return;
    if (bytes < MAPPED_BYTES)
        free(p);
    else
        (void)munmap(p, bytes);
}

void *
memory_resize(void *p, size_t old_count, size_t new_count, size_t size)
{
    size_t old_bytes = bytes_of(old_count, size), new_bytes = bytes_of(new_count, size);

    if (p != NULL && old_bytes >= MAPPED_BYTES && new_bytes >= MAPPED_BYTES) {
        if (new_bytes == SIZE_MAX)
            return NULL;
        void *moved = mremap(p, old_bytes, new_bytes, MREMAP_MAYMOVE);
        if (moved == MAP_FAILED)
            return NULL;
        advise(moved, new_bytes);
        return moved;
    }
    void *q = memory_new(new_count, size);
    if (q != NULL && p != NULL) {
        memcpy(q, p, old_bytes < new_bytes ? old_bytes : new_bytes);
        memory_free(p, old_count, size);
    }
    return q;
}

/* --- scratch ---------------------------------------------------------------------------- */

/* Small blocks are not worth keeping, and a checker of malloc's sees more when they are not. */
static struct scratch_block *
find_spare(struct scratch *s, size_t bytes)
{
    struct scratch_block *best = NULL;

    for (size_t i = 0; bytes >= MAPPED_BYTES && i < SCRATCH_BLOCKS; i++) {
        struct scratch_block *b = &s->blocks[i];
        if (b->p != NULL && !b->taken && b->bytes >= bytes &&
            (best == NULL || b->bytes < best->bytes))
            best = b;
    }
    return best;
}

static struct scratch_block *
find_block(struct scratch *s, const void *p)
{
    for (size_t i = 0; i < SCRATCH_BLOCKS; i++)
        if (s->blocks[i].p == p)
            return &s->blocks[i];
    return NULL;
}

static void *
take(struct scratch *s, size_t count, size_t size, bool zeroed)
{
    size_t bytes = bytes_of(count, size);
    /* Whole large pages: what is rounded up, another has use for. */
    if (bytes >= HUGE_PAGE_BYTES && bytes < SIZE_MAX - HUGE_PAGE_BYTES)
        bytes = round_up(bytes, HUGE_PAGE_BYTES);
    struct scratch_block *b = find_spare(s, bytes);

    if (b != NULL && zeroed)
        memset(b->p, 0, bytes_of(count, size));
    if (b == NULL) {
        b = find_block(s, NULL);
        if (b == NULL || (b->p = memory_new(bytes, 1)) == NULL)
            return NULL;
        b->bytes = bytes;
    }
    b->taken = true;
    return b->p;
}

void *
scratch_take(struct scratch *s, size_t count, size_t size)
{
    return take(s, count, size, false);
}

void *
scratch_take_zeroed(struct scratch *s, size_t count, size_t size)
{
    return take(s, count, size, true);
}

static void
drop(struct scratch_block *b)
{
    memory_free(b->p, b->bytes, 1);
    *b = (struct scratch_block){ 0 };
}

void
scratch_give(struct scratch *s, void *p)
{
    struct scratch_block *b = p == NULL ? NULL : find_block(s, p);

    if (b == NULL)
        return;
    b->taken = false;
    if (b->bytes < MAPPED_BYTES)
        drop(b);
}

void
scratch_keep(struct scratch *s, void *p, size_t count, size_t size)
{
    struct scratch_block *b = find_block(s, p);
    size_t wanted = round_up(bytes_of(count, size), (size_t)sysconf(_SC_PAGESIZE));

    if (b->bytes >= MAPPED_BYTES && b->bytes > wanted)
        (void)munmap((uint8_t *)p + wanted, b->bytes - wanted);
    *b = (struct scratch_block){ 0 };
}

void
scratch_done(struct scratch *s)
{
    for (size_t i = 0; i < SCRATCH_BLOCKS; i++)
        drop(&s->blocks[i]);
}
