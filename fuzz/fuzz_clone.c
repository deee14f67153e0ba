/* fuzz_clone.c - bytes of a cell into a value, and that value out again in every form. */
#include "base/check.h"
#include "base/limits.h"
#include "fuzz.h"
#include "unit/faults.h"
#include "wire/clone.h"

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

/* Within tighter limits, and without memory: a value or none, and the reason. */
static void
check_limited(struct span bytes)
{
    static const struct clone_limits few = { .depth = 8, .count = 16 };
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
        status = clone_read(bytes, NULL, &value, &why);
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
    gbx_status status = clone_read(span_of(data, size), NULL, &value, &why);
    if (status != GBX_OK) {
        GBX_CHECK(value == NULL && why != NULL);
        return 0;
    }
    GBX_CHECK(clone_write(value, &out) == GBX_OK);
    GBX_CHECK(clone_read(buf_span(&out), NULL, &again, &why) == GBX_OK);
    GBX_CHECK(gbx_value_equal(value, again) == 1);
    gbx_value_free(again);
    check_text(value);
    check_json(value);
    buf_done(&out);
    gbx_value_free(value);
    return 0;
}
