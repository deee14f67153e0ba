/* account.h - the account of a guest's memory, kept by account.cc and watched by memory.cc.
 *
 * Threads:  the engine's thread only.
 */
#ifndef ENGINE_ACCOUNT_H
#define ENGINE_ACCOUNT_H

#include "engine/priv.h"

/* All in bytes, unless it says otherwise. */
struct account {
    uint64_t buffers;     /* live ArrayBuffers */
    uint64_t pages;       /* accessible pages of wasm memories and of buffers that can grow */
    uint64_t tables;      /* page tables that those pages take */
    uint64_t peak;        /* of buffers and pages together */
    uint64_t heap_pages;  /* pages of V8's heap, used or not */
    uint64_t heap;        /* used in V8's heap at the last collection */
    uint64_t malloced;    /* of malloc's and no buffer, when it was looked at last */
    uint64_t collections; /* count */
    uint64_t refused_at;  /* collections when V8 was refused memory last */
    bool refused;         /* it ever was */
};
extern struct account account;

/* What counts beside the heap. */
static inline uint64_t
account_outside(void)
{
    return account.buffers + account.pages + account.tables;
}

/* Counts a buffer that did not come from the allocator; false: the guest may not have as much. And
 * its end. */
bool account_taken(size_t length);
void account_returned(size_t length);
/* memory.cc: what the guest has got, `all` of it in use or not, grew. Past the limit it may be
 * garbage, which only a full collection can tell: one is asked for, but not at every step, or a
 * guest near its limit would do nothing else. */
void memory_grows(uint64_t all);
/* V8's pages, counted: wraps the allocator that it is given, once. */
v8::PageAllocator *account_pages(v8::PageAllocator *base);
v8::ArrayBuffer::Allocator *account_allocator(void);

#endif
