/* glovebox/value.h - JavaScript values on the host's side: data, never live objects.
 *
 * A value is a node of a graph. A new value is a graph of its own. Putting it into another value
 * (append, set, ...) moves its whole graph into the other's, so one gbx_value_free() on any
 * node frees everything that was put together. Putting in a node that is in the same graph
 * already makes a shared or a cyclic reference. Pointers stay valid until the graph is freed.
 *
 * Strings are UTF-8 here, with one liberty: a lone UTF-16 surrogate, which JavaScript allows,
 * is its three-byte WTF-8 form (ED A0 80 to ED BF BF).
 *
 * Threads: a graph may be used by one thread at a time.
 */
#ifndef GLOVEBOX_VALUE_H
#define GLOVEBOX_VALUE_H

#include <glovebox/status.h>

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gbx_value gbx_value;

/* Never renumber. The comment says which accessors apply. */
enum {
    GBX_UNDEFINED = 0,
    GBX_NULL = 1,
    GBX_BOOLEAN = 2,         /* gbx_value_get_boolean */
    GBX_NUMBER = 3,          /* gbx_value_get_number */
    GBX_BIGINT = 4,          /* gbx_value_get_bigint */
    GBX_STRING = 5,          /* gbx_value_get_string */
    GBX_DATE = 6,            /* gbx_value_get_number: ms since 1970 UTC, NaN when invalid */
    GBX_REGEXP = 7,          /* gbx_value_get_string: the source; gbx_value_get_flags */
    GBX_BOOLEAN_OBJECT = 8,  /* gbx_value_get_boolean */
    GBX_NUMBER_OBJECT = 9,   /* gbx_value_get_number */
    GBX_BIGINT_OBJECT = 10,  /* gbx_value_get_bigint */
    GBX_STRING_OBJECT = 11,  /* gbx_value_get_string */
    GBX_ARRAY = 12,          /* length, at, and properties by key */
    GBX_OBJECT = 13,         /* properties by key */
    GBX_MAP = 14,            /* entries: length, gbx_value_entry */
    GBX_SET = 15,            /* members: length, gbx_value_at */
    GBX_ARRAY_BUFFER = 16,   /* gbx_value_get_bytes */
    GBX_TYPED_ARRAY = 17,    /* gbx_value_get_view, gbx_value_get_bytes */
    GBX_DATA_VIEW = 18,      /* gbx_value_get_view, gbx_value_get_bytes */
    GBX_ERROR = 19,          /* "name", "message", "stack", "cause" by gbx_value_get */
    GBX_HOLE = 20            /* an absent element of a GBX_ARRAY; only ever returned by _at */
};
typedef uint32_t gbx_value_kind;

/* Element types of a typed array. */
enum {
    GBX_INT8 = 0,
    GBX_UINT8 = 1,
    GBX_UINT8_CLAMPED = 2,
    GBX_INT16 = 3,
    GBX_UINT16 = 4,
    GBX_INT32 = 5,
    GBX_UINT32 = 6,
    GBX_FLOAT16 = 7,
    GBX_FLOAT32 = 8,
    GBX_FLOAT64 = 9,
    GBX_BIGINT64 = 10,
    GBX_BIGUINT64 = 11
};
typedef uint32_t gbx_element_type;
