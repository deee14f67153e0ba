/* clone.h - V8's structured-clone format (what v8::ValueSerializer writes), read and written in
 * C.
 *
 * Runs in:  host. (The cell uses V8's own code for the same bytes.)
 * Trusts:   nothing: `bytes` may come from a hostile cell. Iterative, never recursive on input;
 *           every count, length, depth and back-reference is checked before it is used.
 * Threads:  one at a time per value.
 */
#ifndef WIRE_CLONE_H
#define WIRE_CLONE_H

#include "base/buf.h"

#include <glovebox/value.h>

/* Caps of one reading; 0 means the compile-time maximum of base/limits.h. */
struct clone_limits {
    uint32_t depth; /* nested containers */
    uint32_t count; /* nodes */
};

/* Reads exactly all of `bytes` into a new value, which the caller owns.
 * GBX_OK; GBX_EPROTO with *why naming what is wrong (static text); GBX_ETOOBIG; GBX_ENOMEM.
 * `out` is untouched on failure. */
gbx_status clone_read(
    struct span bytes, const struct clone_limits *limits, gbx_value **out, const char **why);

/* Appends the encoding of `value` to `out`. GBX_OK, GBX_ETOOBIG (past out->max or a cap),
 * GBX_ENOMEM. */
gbx_status clone_write(const gbx_value *value, struct buf *out);

#endif
