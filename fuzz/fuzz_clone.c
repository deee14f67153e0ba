/* fuzz_clone.c - bytes of a cell into a value, and that value out again in every form. */
#include "base/check.h"
#include "base/limits.h"
#include "fuzz.h"
#include "unit/faults.h"
#include "wire/clone.h"
#include "wire/held.h"

#include <errno.h>
#include <stdlib.h>

enum {
    FAULTS_MAX = 64, /* allocations that fail, one after the other; a small value has fewer */
    FAULTS_BYTES = 4 * KIB, /* of an input for which they do */
};

/* No control character but a newline, whatever the value holds. */
static void
check_text(const gbx_value *value)
{
    char *text = NULL;
    size_t len = 0;

    gbx_status status = gbx_value_to_text(value, NULL, &text, &len);
    GBX_CHECK(status == GBX_OK || status == GBX_ETOOBIG);
    if (status != GBX_OK)
        return;
    for (size_t i = 0; i < len; i++)
        GBX_CHECK((uint8_t)text[i] >= 0x20 || text[i] == '\n' || text[i] == '\t');
    free(text);
}

/* What is written as JSON reads as JSON, and is written the same again. */
static void
check_json(const gbx_value *value)
{
    gbx_value *again = NULL;
    char *first = NULL, *second = NULL;

    if (gbx_value_to_json(value, 1, &first, NULL, NULL) != GBX_OK)
        return;
    /* Past the limits of reading there is nothing to compare with. */
    if (gbx_value_from_json(first, GBX_NUL, &again, NULL) == GBX_OK) {
        GBX_CHECK(gbx_value_to_json(again, 1, &second, NULL, NULL) == GBX_OK);
        GBX_CHECK(strcmp(first, second) == 0);
        gbx_value_free(again);
        free(second);
    }
    free(first);
}

/* --- objects that are no data ---------------------------------------------------------------- */

struct toy {
    struct shared_memory memory; /* its first member is what every held object begins with */
    int holders;
};

static void
toy_take(struct held *held)
{
    ((struct toy *)held)->holders++;
}

static void
toy_drop(struct held *held)
{
    ((struct toy *)held)->holders--;
}

static uint8_t shared_bytes[40];
static const struct held_class toy_class = { GBX_REFERENCE, "Toy", toy_take, toy_drop };
static const struct held_class memory_class = { GBX_SHARED_ARRAY_BUFFER, "Memory", toy_take,
    toy_drop };
#define MEMORY_TOYS 3 /* from this one on */
static struct toy toys[] = { { { { &toy_class }, NULL, 0 }, 0 },
    { { { &toy_class }, NULL, 0 }, 0 }, { { { &toy_class }, NULL, 0 }, 0 },
    { { { &memory_class }, shared_bytes, 1 }, 0 },
    { { { &memory_class }, shared_bytes, sizeof shared_bytes }, 0 } };

static gbx_status
toy_put(void *data, struct held *held, bool alone, struct buf *out)
{
    (void)data;
    (void)alone;
    buf_byte(out, HELD_REFERENCE);
    clone_put_number(out, (uint32_t)((struct toy *)held - toys));
    return GBX_OK;
}

static gbx_status
toy_get(void *data, struct span *rest, struct held **out_held, const char **why)
{
    uint32_t tag, id;

    (void)data;
    *why = "no toy";
    if (!clone_get_number(rest, &tag) || !clone_get_number(rest, &id) ||
        tag != HELD_REFERENCE || id >= MEMORY_TOYS)
        return GBX_EPROTO;
    toys[id].holders++;
    *out_held = &toys[id].memory.held;
    return GBX_OK;
}

static gbx_status
toy_put_shared(void *data, const struct held *held, uint32_t *out_number)
{
    (void)data;
    *out_number = (uint32_t)((const struct toy *)held - toys);
    return GBX_OK;
}

static gbx_status
toy_get_shared(void *data, uint32_t number, struct held **out_held, const char **why)
{
    (void)data;
    *why = "no memory";
    if (number < MEMORY_TOYS || number >= COUNT(toys))
        return GBX_EPROTO;
    toys[number].holders++;
    *out_held = &toys[number].memory.held;
    return GBX_OK;
}

static const struct clone_host host = { toy_put, toy_get, toy_put_shared, toy_get_shared, NULL,
    false };
static const struct clone_limits whole = { .host = &host, .apart = true };

/* Within tighter limits, and without memory: a value or none, and the reason. */
static void
check_limited(struct span bytes)
{
    static const struct clone_limits few = { .depth = 8, .count = 16, .host = &host };
    gbx_value *value = NULL;
    const char *why = NULL;
    bool fired = true;

    gbx_status status = clone_read(bytes, &few, &value, &why);
    GBX_CHECK((status == GBX_OK) == (value != NULL) && (status == GBX_OK) == (why == NULL));
    gbx_value_free(value);
    GBX_CHECK(
        clone_read(span_of(bytes.p, VALUE_BYTES_MAX + 1), NULL, &value, &why) == GBX_ETOOBIG);
    for (long n = 0; bytes.len <= FAULTS_BYTES && n < FAULTS_MAX && fired; n++) {
        value = NULL;
        fault_arm(FAULT_MEMORY, n, false, ENOMEM);
        status = clone_read(bytes, &whole, &value, &why);
        fired = fault_disarm();
        GBX_CHECK((status == GBX_OK) == (value != NULL) && (fired || status != GBX_ENOMEM));
        gbx_value_free(value);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf out = { .max = VALUE_BYTES_MAX };
    gbx_value *value = NULL, *again = NULL;
    const char *why = NULL;

    check_limited(span_of(data, size));
    gbx_status status = clone_read(span_of(data, size), &whole, &value, &why);
    if (status != GBX_OK) {
        GBX_CHECK(value == NULL && why != NULL);
        return 0;
    }
    GBX_CHECK(clone_write_for(value, &host, &out) == GBX_OK);
    GBX_CHECK(clone_read(buf_span(&out), &whole, &again, &why) == GBX_OK);
    GBX_CHECK(gbx_value_equal(value, again) == 1);
    gbx_value_free(again);
    /* In the host's own form, which keeps all of an error. */
    GBX_CHECK(gbx_value_copy(value, &again) == GBX_OK);
    GBX_CHECK(gbx_value_equal(value, again) == 1);
    gbx_value_free(again);
    check_text(value);
    check_json(value);
    buf_done(&out);
    gbx_value_free(value);
    for (size_t i = 0; i < COUNT(toys); i++)
        GBX_CHECK(toys[i].holders == 0);
    return 0;
}
