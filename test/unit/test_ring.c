#include "ring/ring.h"

#include "base/limits.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>

enum {
    CAPACITY = 4096,
};

/* Both ends of one ring. The bytes are a heap block of exactly the capacity, so that ASan sees
 * one byte too far. */
struct pair {
    struct ring_shared *shared;
    uint8_t *bytes;
    struct ring producer, consumer;
};

static void
pair_open(struct pair *p, uint32_t capacity, uint32_t start)
{
    p->shared = aligned_alloc(64, sizeof *p->shared);
    p->bytes = malloc(capacity);
    cr_assert(p->shared != NULL && p->bytes != NULL);
    atomic_init(&p->shared->head, start);
    atomic_init(&p->shared->tail, start);
    ring_init(&p->producer, p->shared, p->bytes, capacity);
    ring_init(&p->consumer, p->shared, p->bytes, capacity);
    p->producer.position = p->producer.peer = start;
    p->consumer.position = p->consumer.peer = start;
}

static void
pair_close(struct pair *p)
{
    free(p->shared);
    free(p->bytes);
}

static uint32_t
random_next(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static uint32_t
least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* What the stream holds at a place. Not 256: with a period that divides the capacity, a stale
 * byte of the lap before would look right. */
static uint8_t
byte_at(uint64_t place)
{
    return (uint8_t)(place % 251);
}

/* The model: how many bytes were put, published and taken. */
struct model {
    uint64_t put, published, taken;
};

static void
step_put(struct pair *p, struct model *m, uint32_t len)
{
    uint8_t *exact = malloc(len == 0 ? 1 : len);

    cr_assert_not_null(exact);
    for (uint32_t i = 0; i < len; i++)
        exact[i] = byte_at(m->put + i);
    uint32_t room = p->producer.capacity - (uint32_t)(m->put - m->taken);
    cr_assert_eq(ring_put(&p->producer, span_of(exact, len)), least(len, room));
    m->put += least(len, room);
    free(exact);
}

static void
step_take(struct pair *p, struct model *m, uint32_t len)
{
    uint8_t *exact = malloc(len == 0 ? 1 : len);

    cr_assert_not_null(exact);
    uint32_t there = (uint32_t)(m->published - m->taken);
    size_t n = ring_take(&p->consumer, exact, len);
    cr_assert_eq(n, least(len, there));
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(exact[i], byte_at(m->taken + i));
    m->taken += n;
    free(exact);
}

static void
walk(uint32_t capacity, uint32_t start, int steps)
{
    struct pair p;
    struct model m = { 0 };
    uint32_t seed = start + capacity;

    pair_open(&p, capacity, start);
    for (int step = 0; step < steps; step++) {
        uint32_t what = random_next(&seed) % 8;
        /* Small pieces mostly, and now and then more than there can be. */
        uint32_t len = random_next(&seed) % (what < 3 ? capacity / 8 + 2 : capacity + 100);
        if (what % 2 == 0)
            step_put(&p, &m, len);
        else
            step_take(&p, &m, len);
        if (random_next(&seed) % 3 == 0) {
            ring_publish(&p.producer);
            m.published = m.put;
        }
        cr_assert_eq(ring_room(&p.producer), capacity - (uint32_t)(m.put - m.taken));
        cr_assert_eq(ring_used(&p.consumer), (uint32_t)(m.published - m.taken));
    }
    cr_assert_not(p.producer.lied);
    cr_assert_not(p.consumer.lied);
    cr_assert_gt(m.taken, 100 * (uint64_t)capacity, "it wrapped too seldom to prove anything");
    pair_close(&p);
}

Test(ring, any_mix_of_sizes_keeps_every_byte_in_order)
{
    walk(CAPACITY, 0, 20000);
}

Test(ring, positions_may_wrap_around_2_to_the_32)
{
    for (uint32_t before = 1; before < 40; before++)
        walk(64, 0u - before * 97, 2000);
    walk(CAPACITY, 0u - 100u * CAPACITY, 20000);
}

Test(ring, the_smallest_one_works)
{
    walk(1, 0u - 50u, 5000);
    walk(2, 0, 5000);
}

Test(ring, unpublished_bytes_are_not_seen)
{
    struct pair p;
    uint8_t byte;

    pair_open(&p, CAPACITY, 0);
    cr_assert_eq(ring_put(&p.producer, span_text("abc")), 3);
    cr_assert_eq(ring_used(&p.consumer), 0);
    cr_assert_eq(ring_take(&p.consumer, &byte, 1), 0);
    ring_publish(&p.producer);
    cr_assert_eq(ring_used(&p.consumer), 3);
    cr_assert_eq(ring_take(&p.consumer, &byte, 1), 1);
    cr_assert_eq(byte, 'a');
    pair_close(&p);
}

Test(ring, a_full_one_takes_nothing_and_an_empty_one_gives_nothing)
{
    struct pair p;
    uint8_t bytes[CAPACITY + 1] = { 0 };

    pair_open(&p, CAPACITY, 0);
    cr_assert_eq(ring_take(&p.consumer, bytes, sizeof bytes), 0);
    cr_assert_eq(ring_put(&p.producer, span_of(bytes, sizeof bytes)), CAPACITY);
    cr_assert_eq(ring_put(&p.producer, span_of(bytes, 1)), 0);
    ring_publish(&p.producer);
    cr_assert_eq(ring_take(&p.consumer, bytes, sizeof bytes), CAPACITY);
    cr_assert_eq(ring_take(&p.consumer, bytes, sizeof bytes), 0);
    cr_assert_eq(ring_room(&p.producer), CAPACITY);
    pair_close(&p);
}

/* --- a peer that lies ----------------------------------------------------------------------- */

/* The consumer is told this head; it must notice, give nothing, and never believe it again. */
static void
lie_about_head(uint32_t start, uint32_t waiting, uint32_t head)
{
    struct pair p;
    uint8_t bytes[2 * CAPACITY];

    pair_open(&p, CAPACITY, start);
    memset(bytes, 0, sizeof bytes);
    cr_assert_eq(ring_put(&p.producer, span_of(bytes, waiting)), waiting);
    ring_publish(&p.producer);
    atomic_store(&p.shared->head, head);
    cr_assert_eq(ring_take(&p.consumer, bytes, sizeof bytes), 0);
    cr_assert(p.consumer.lied);
    cr_assert_eq(p.consumer.position, start, "nothing moved");
    atomic_store(&p.shared->head, start + waiting);
    cr_assert_eq(ring_used(&p.consumer), 0);
    cr_assert_eq(ring_take(&p.consumer, bytes, 1), 0);
    pair_close(&p);
}

Test(ring, a_head_that_is_impossible_is_a_lie_for_good)
{
    static const uint32_t starts[] = { 0, 5, CAPACITY - 1, 0u - 7u, 0x80000000u };

    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        uint32_t start = starts[i];
        lie_about_head(start, 10, start + CAPACITY + 1); /* too far ahead, by one */
        lie_about_head(start, 0, start - 1);             /* backwards, by one */
        lie_about_head(start, 10, start - CAPACITY);
        lie_about_head(start, 10, start + 0x80000000u);
        lie_about_head(start, CAPACITY, start + CAPACITY + 1);
    }
}

Test(ring, bytes_seen_before_a_lie_are_not_given_after_it)
{
    struct pair p;
    uint8_t bytes[100] = { 0 };

    pair_open(&p, CAPACITY, 0);
    cr_assert_eq(ring_put(&p.producer, span_of(bytes, 100)), 100);
    ring_publish(&p.producer);
    cr_assert_eq(ring_take(&p.consumer, bytes, 10), 10);
    atomic_store(&p.shared->head, 0x80000000u);
    cr_assert_eq(ring_used(&p.consumer), 0);
    cr_assert_eq(ring_take(&p.consumer, bytes, 10), 0);
    pair_close(&p);
}

/* The producer is told this tail, with `waiting` bytes unread. */
static void
lie_about_tail(uint32_t start, uint32_t waiting, uint32_t tail)
{
    struct pair p;
    uint8_t bytes[CAPACITY];

    pair_open(&p, CAPACITY, start);
    memset(bytes, 1, sizeof bytes);
    cr_assert_eq(ring_put(&p.producer, span_of(bytes, waiting)), waiting);
    ring_publish(&p.producer);
    atomic_store(&p.shared->tail, tail);
    memset(p.bytes, 0, CAPACITY);
    memset(bytes, 2, sizeof bytes);
    cr_assert_eq(ring_room(&p.producer), 0);
    cr_assert_eq(ring_put(&p.producer, span_of(bytes, sizeof bytes)), 0);
    cr_assert(p.producer.lied);
    atomic_store(&p.shared->tail, start);
    cr_assert_eq(ring_put(&p.producer, span_of(bytes, 1)), 0, "a liar is not believed again");
    for (uint32_t i = 0; i < CAPACITY; i++)
        cr_assert_eq(p.bytes[i], 0, "nothing was written");
    pair_close(&p);
}

Test(ring, a_tail_that_is_impossible_is_a_lie_for_good)
{
    static const uint32_t starts[] = { 0, 5, CAPACITY - 1, 0u - 7u, 0x80000000u };

    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        uint32_t start = starts[i];
        lie_about_tail(start, 10, start + 11); /* past what was written, by one */
        lie_about_tail(start, 10, start - (CAPACITY - 10) - 1); /* more behind than it holds */
        lie_about_tail(start, 10, start + 0x80000000u);
        lie_about_tail(start, 0, start + 1);
    }
}

/* Any value at any time: no access outside the ring (ASan), and no more bytes than asked for. */
Test(ring, random_positions_of_the_peer_never_lead_outside)
{
    uint32_t seed = 7;

    for (int round = 0; round < 2000; round++) {
        struct pair p;
        uint32_t start = random_next(&seed) << 8 ^ random_next(&seed);
        pair_open(&p, 256, start);
        for (int step = 0; step < 40; step++) {
            uint32_t n = random_next(&seed) % 300, lie = random_next(&seed) % 512;
            uint8_t *exact = calloc(1, n + 1);
            cr_assert_not_null(exact);
            if (random_next(&seed) % 4 == 0)
                lie = random_next(&seed) << 8 ^ random_next(&seed);
            if (random_next(&seed) % 2 == 0) {
                atomic_store(&p.shared->head, p.consumer.position + lie);
                cr_assert_leq(ring_take(&p.consumer, exact, n), n);
            } else {
                atomic_store(&p.shared->tail, p.producer.position - lie);
                cr_assert_leq(ring_put(&p.producer, span_of(exact, n)), n);
            }
            free(exact);
        }
        pair_close(&p);
    }
}

Test(ring, a_capacity_that_is_no_power_of_two_is_our_own_mistake, .signal = SIGABRT)
{
    struct ring_shared shared;
    struct ring ring;
    uint8_t bytes[48];

    ring_init(&ring, &shared, bytes, sizeof bytes);
}
