/* clone_help.h - what the tests of values share. */
#ifndef TEST_CLONE_HELP_H
#define TEST_CLONE_HELP_H

#include "base/limits.h"
#include "wire/clone.h"

#include <criterion/criterion.h>
#include <stdlib.h>

/* The bytes that a text of hex digits means, in memory of exactly that length, so that a
 * sanitizer sees one byte too far. The caller frees `p`. */
static inline struct span
bytes_of_hex(const char *hex)
{
    size_t len = strlen(hex) / 2;
    uint8_t *p = malloc(len == 0 ? 1 : len);

    cr_assert_not_null(p);
    for (size_t i = 0; i < len; i++) {
        unsigned byte;
        cr_assert_eq(sscanf(hex + 2 * i, "%2x", &byte), 1);
        p[i] = (uint8_t)byte;
    }
    return span_of(p, len);
}

/* The first `n` of some bytes, again in memory of exactly that length. */
static inline struct span
exact_copy(const uint8_t *bytes, size_t n)
{
    uint8_t *p = malloc(n == 0 ? 1 : n);

    cr_assert_not_null(p);
    if (n > 0)
        memcpy(p, bytes, n);
    return span_of(p, n);
}

static inline gbx_value *
value_of_hex(const char *hex)
{
    struct span bytes = bytes_of_hex(hex);
    gbx_value *value = NULL;
    const char *why = NULL;

    gbx_status status = clone_read(bytes, NULL, &value, &why);
    free((void *)(uintptr_t)bytes.p);
    cr_assert_eq(status, GBX_OK, "%s: %s", hex, why);
    return value;
}

static inline gbx_value *
value_of_json(const char *json)
{
    gbx_value *value = NULL;
    gbx_error error = GBX_ERROR_INIT;

    cr_assert_eq(
        gbx_value_from_json(json, GBX_NUL, &value, &error), GBX_OK, "%s", error.message);
    return value;
}

/* The value's text, owned by the caller. */
static inline char *
text_of(const gbx_value *value)
{
    char *text = NULL;

    cr_assert_eq(gbx_value_to_text(value, NULL, &text, NULL), GBX_OK);
    return text;
}

static inline void
expect_text(const gbx_value *value, const char *expected)
{
    char *text = text_of(value);

    cr_assert_str_eq(text, expected);
    free(text);
}

static inline void
expect_json(const gbx_value *value, const char *expected)
{
    char *json = NULL;
    gbx_error error = GBX_ERROR_INIT;

    cr_assert_eq(gbx_value_to_json(value, 0, &json, NULL, &error), GBX_OK, "%s", error.message);
    cr_assert_str_eq(json, expected);
    free(json);
}

static inline void
expect_status(gbx_status status, gbx_status expected)
{
    cr_assert_eq(
        status, expected, "%s, not %s", gbx_strstatus(status), gbx_strstatus(expected));
}

/* For calls that must succeed. */
#define OK(call) expect_status(call, GBX_OK)

static inline gbx_value *
number(double n)
{
    return gbx_value_new_number(n);
}

static inline gbx_value *
string(const char *text)
{
    return gbx_value_new_string(text, GBX_NUL);
}

static inline double
number_of(const gbx_value *value)
{
    double n = -42;

    OK(gbx_value_get_number(value, &n));
    return n;
}

static inline uint32_t
random_next(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Keys in order, each followed by a blank, indexes by # too. */
static inline void
expect_keys(const gbx_value *object, const char *expected)
{
    gbx_property p = GBX_PROPERTY_INIT;
    char keys[4096] = "";

    while (gbx_value_next(object, &p) != 0) {
        cr_assert_eq(p.key_len, strlen(p.key));
        cr_assert_eq(gbx_value_get(object, p.key, p.key_len), p.value);
        (void)strncat(strncat(keys, p.key, 200), p.is_index != 0 ? "# " : " ", 3);
    }
    cr_assert_str_eq(keys, expected);
}

#endif
