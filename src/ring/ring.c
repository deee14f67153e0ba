#include "ring/ring.h"

#include "base/check.h"

void
ring_init(struct ring *ring, struct ring_shared *shared, void *bytes, uint32_t capacity)
{
    GBX_CHECK(capacity > 0 && (capacity & (capacity - 1)) == 0);
    *ring = (struct ring){ .shared = shared, .bytes = bytes, .capacity = capacity };
}

/* Bytes from our position to the wrap, at most `len`. */
static uint32_t
before_wrap(const struct ring *ring, uint32_t len)
{
    uint32_t room = ring->capacity - (ring->position & (ring->capacity - 1));

    return len < room ? len : room;
}

/* The tail may only move forward, and never past what we published. */
uint32_t
ring_room(struct ring *ring)
{
    /* Acquire: the consumer is done with these bytes before we write over them. */
    uint32_t tail = atomic_load_explicit(&ring->shared->tail, memory_order_acquire);

    if (ring->position - tail > ring->capacity)
        ring->lied = true;
    if (ring->lied)
        return 0;
    ring->peer = tail;
    return ring->capacity - (ring->position - tail);
}

size_t
ring_put(struct ring *ring, struct span data)
{
    uint32_t room = ring->capacity - (ring->position - ring->peer);

    if (room < data.len)
        room = ring_room(ring);
    if (ring->lied)
        return 0;

    uint32_t len = data.len < room ? (uint32_t)data.len : room;
    uint32_t first = before_wrap(ring, len);
    uint32_t index = ring->position & (ring->capacity - 1);
    if (len > 0) {
        memcpy(ring->bytes + index, data.p, first);
        memcpy(ring->bytes, data.p + first, len - first);
    }
    ring->position += len;
    return len;
}

void
ring_publish(struct ring *ring)
{
    /* Release: whoever sees the new head sees the bytes below it. */
    atomic_store_explicit(&ring->shared->head, ring->position, memory_order_release);
}

uint32_t
ring_used(struct ring *ring)
{
    /* Acquire: pairs with the producer's release, so the bytes below the head are there. */
    uint32_t head = atomic_load_explicit(&ring->shared->head, memory_order_acquire);

    if (head - ring->position > ring->capacity)
        ring->lied = true;
    if (ring->lied)
        return 0;
    ring->peer = head;
    return head - ring->position;
}

size_t
ring_take(struct ring *ring, void *dst, size_t len)
{
    uint32_t used = ring->peer - ring->position;

    if (used < len)
        used = ring_used(ring);
    if (ring->lied)
        return 0;

    uint32_t n = len < used ? (uint32_t)len : used;
    uint32_t first = before_wrap(ring, n);
    uint32_t index = ring->position & (ring->capacity - 1);
    if (n > 0) {
        memcpy(dst, ring->bytes + index, first);
        memcpy((uint8_t *)dst + first, ring->bytes, n - first);
    }
    ring->position += n;
    /* Release: our reads are done before the producer may write over these bytes. */
    atomic_store_explicit(&ring->shared->tail, ring->position, memory_order_release);
    return n;
}
