#include "heap/memory.h"

#include "base/huge.h"

#include <stdlib.h>
#include <string.h>

enum {
    /* Below this, malloc: its checkers see every byte, and a page costs more than the block. */
    MAPPED_BYTES = 1 << 20
};

/* The whole of it: a part would be a mapping of its own, and mremap() moves only one. */
static void
advise(void *p, size_t bytes)
{
    if (bytes >= HUGE_WORTH_BYTES)
        (void)madvise(p, bytes, MADV_HUGEPAGE);
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
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    advise(p, bytes);
    return p;
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

void
memory_forget(void *p, size_t count, size_t size)
{
    size_t bytes = bytes_of(count, size);

    if (p != NULL && bytes >= MAPPED_BYTES)
        (void)madvise(p, bytes, MADV_DONTNEED);
}
