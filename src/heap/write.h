/* write.h - a heap, or a part of one, as a snapshot.
 *
 * Runs in:  whoever writes a snapshot.
 * Trusts:   its caller.
 * Threads:  one.
 */
#ifndef HEAP_WRITE_H
#define HEAP_WRITE_H

#include "heap/heap.h"

struct heap_part {
    const uint32_t *nodes; /* ascending, the root first; NULL: all */
    uint32_t node_count;
    const uint32_t *number_of; /* by node: its number among them, + 1; 0: it is left out */
    bool detachedness;         /* the states as they came; else names say it */
    uint64_t extra_native_bytes;
    /* The text that a string becomes, WTF-8. False: out of memory. NULL: it stays what it is. */
    bool (*text)(void *data, uint32_t string, struct buf *out);
    void *data;
};

/* Edges are written whose both ends are; strings that these or nodes have. */
gbx_status heap_write(const struct gbx_heap *h, const struct heap_part *part, int fd,
    const gbx_heap_options *options, gbx_error *error);

#endif
