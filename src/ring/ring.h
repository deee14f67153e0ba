/* ring.h - a one-way stream of bytes in memory shared by two processes.
 *
 * Runs in:  host and cell, one end each.
 * Trusts:   nothing in `struct ring_shared`: the peer may write anything there, at any time.
 *           Each end keeps its own position in private memory and range-checks the other's.
 * Threads:  one producer and one consumer per ring; no other sharing.
 *
 * Positions count bytes since the start and are masked only to index, so full and empty differ
 * without a spare byte. Always: head - tail <= capacity, in uint32_t arithmetic.
 *
 *        tail                 head
 *   ------|#### not yet read ####|------ free ------
 *
 * Bytes are put (copied in) and then published together, so that a reader seldom sees half a
 * message and a message costs one fence. A message may be longer than the ring: it is a stream.
 */
#ifndef RING_RING_H
#define RING_RING_H

#include "base/span.h"

#include <stdatomic.h>
#include <stdbool.h>

/* The two shared positions, a cache line each, so that the ends do not fight over one. */
struct ring_shared {
    _Alignas(64) _Atomic uint32_t head; /* written by the producer */
    _Alignas(64) _Atomic uint32_t tail; /* written by the consumer */
};

/* One end. Private to its process. */
struct ring {
    struct ring_shared *shared; /* borrowed from the mapping's owner */
    uint8_t *bytes;             /* `capacity` bytes; borrowed likewise */
    uint32_t capacity;          /* a power of two; from our limits, never from shared memory */
    uint32_t position;          /* our head (producer, incl. unpublished) or our tail */
    uint32_t peer;              /* the other end's position when last looked at */
    bool lied;                  /* the peer's position was impossible; nothing works any more */
};

void ring_init(struct ring *ring, struct ring_shared *shared, void *bytes, uint32_t capacity);

/* Producer: copies in as much of `data` as there is room for; answers how much. */
size_t ring_put(struct ring *ring, struct span data);
/* Producer: makes all that was put visible to the consumer. */
void ring_publish(struct ring *ring);
/* Producer: room, looked up afresh. */
uint32_t ring_room(struct ring *ring);

/* Consumer: copies out at most `len` bytes and gives their room back; answers how many. */
size_t ring_take(struct ring *ring, void *dst, size_t len);
/* Consumer: bytes to read, looked up afresh; 0 also when the peer lied. */
uint32_t ring_used(struct ring *ring);

#endif
