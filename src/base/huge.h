/* huge.h - large blocks in large pages. A fresh 4 KiB page costs about 2 us in a virtual machine,
 * 64 MB of them 36 ms; in pages of 2 MiB the same costs 7 ms (bench/bench_latency.c). Systems
 * whose /sys/kernel/mm/transparent_hugepage/enabled says "madvise" want to be asked. */
#ifndef BASE_HUGE_H
#define BASE_HUGE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#define HUGE_PAGE_BYTES  ((size_t)2 << 20)
/* Shorter blocks are not worth what the rounding to large pages costs in memory. */
#define HUGE_WORTH_BYTES ((size_t)8 << 20)

/* Asks for large pages in `len` bytes at `p`, a block of malloc()'s; nothing happens when it is
 * short. All its pages, and not the large ones inside alone: that would make three mappings of one,
 * and realloc() moves a block of several by copying it (64 MB that grow by doubling: 51 ms, and
 * 14 ms so). */
static inline void
huge_advise(void *p, size_t len)
{
    const uintptr_t page = 4096;
    uintptr_t begin = (uintptr_t)p & ~(page - 1);
    uintptr_t end = ((uintptr_t)p + len + page - 1) & ~(page - 1);

    if (p != NULL && len >= HUGE_WORTH_BYTES)
        (void)madvise((void *)begin, end - begin, MADV_HUGEPAGE);
}

#endif
