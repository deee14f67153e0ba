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

/* Asks for large pages inside `len` bytes at `p`; nothing happens when it is short. */
static inline void
huge_advise(void *p, size_t len)
{
    uintptr_t begin = ((uintptr_t)p + HUGE_PAGE_BYTES - 1) & ~(uintptr_t)(HUGE_PAGE_BYTES - 1);
    uintptr_t end = ((uintptr_t)p + len) & ~(uintptr_t)(HUGE_PAGE_BYTES - 1);

    if (p != NULL && len >= HUGE_WORTH_BYTES && begin < end)
        (void)madvise((void *)begin, end - begin, MADV_HUGEPAGE);
}

#endif
