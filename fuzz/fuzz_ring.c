/* fuzz_ring.c - both ends of a ring beside a peer that writes any position, at any time.
 *
 * As long as no position was forged the bytes come out as they went in; after that nothing is said
 * of what they are, only that no end goes past its memory, and that one which was lied to stays
 * silent. The ring's bytes are a block of their own, so that ASan sees one byte too far. */
#include "base/check.h"
#include "fuzz.h"
#include "input.h"
#include "ring/ring.h"

#include <stdlib.h>

enum {
    CAPACITY = 64,
    PIECE = 100, /* more than the ring holds */
};

static struct ring_shared shared;
static struct ring producer, consumer;
static uint32_t put, taken; /* bytes so far; byte n is n mod 251, no divisor of the capacity */
static bool forged;

static void
put_some(uint32_t len)
{
    uint8_t bytes[PIECE];
    bool lied = producer.lied;

    for (uint32_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)((put + i) % 251);
    size_t n = ring_put(&producer, span_of(bytes, len));
    GBX_CHECK(n <= len && n <= CAPACITY && !(lied && n > 0));
    put += (uint32_t)n;
}

static void
take_some(uint32_t len)
{
    uint8_t bytes[PIECE];
    bool lied = consumer.lied;
    size_t n = ring_take(&consumer, bytes, len);

    GBX_CHECK(n <= len && n <= CAPACITY && !(lied && n > 0));
    for (uint32_t i = 0; i < n && !forged; i++)
        GBX_CHECK(bytes[i] == (uint8_t)((taken + i) % 251));
    taken += (uint32_t)n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { span_of(data, size) };
    uint8_t *bytes = calloc(1, CAPACITY);

    GBX_CHECK(bytes != NULL);
    shared = (struct ring_shared){ 0 };
    ring_init(&producer, &shared, bytes, CAPACITY);
    ring_init(&consumer, &shared, bytes, CAPACITY);
    /* Near the end of all numbers, now and then. */
    uint32_t start = input_u8(&in) % 2 == 0 ? 0 : UINT32_MAX - 70;
    producer.position = producer.peer = consumer.position = consumer.peer = start;
    shared.head = shared.tail = start;
    put = taken = 0;
    forged = false;
    while (in.left.len > 0) {
        uint32_t what = input_u8(&in), number = input_u8(&in);
        switch (what % 5) {
        case 0:
            put_some(number % PIECE);
            break;
        case 1:
            ring_publish(&producer);
            break;
        case 2:
            take_some(number % PIECE);
            break;
        case 3:
            GBX_CHECK(ring_used(&consumer) <= CAPACITY && ring_room(&producer) <= CAPACITY);
            break;
        default:
            forged = true;
            atomic_store(number % 2 == 0 ? &shared.head : &shared.tail, input_number(&in, 4));
            break;
        }
    }
    GBX_CHECK(forged || (put - taken <= CAPACITY && !producer.lied && !consumer.lied));
    free(bytes);
    return 0;
}
