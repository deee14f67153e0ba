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

#include <stdbool.h>

struct held; /* held.h */

/* What the two ends of a message mean by an object that is no data. */
struct clone_host {
    /* Appends the record of `held`; `alone`: it is the whole value, and may stand for a primitive.
     * GBX_OK, or why the value cannot be written; what was appended is taken back then. */
    gbx_status (*put)(void *data, struct held *held, bool alone, struct buf *out);
    /* Reads a record from the front of *rest, which moves past it, and gives away one count.
     * GBX_OK, GBX_ENOMEM, GBX_EPROTO with *why. */
    gbx_status (*get)(void *data, struct span *rest, struct held **out_held, const char **why);
    /* The same for shared memory, of which only a number crosses. NULL: as everything else. */
    gbx_status (*put_shared)(void *data, const struct held *held, uint32_t *out_number);
    gbx_status (*get_shared)(
        void *data, uint32_t number, struct held **out_held, const char **why);
    void *data;
    bool whole_errors; /* errors keep all their properties, in a form that is not V8's */
};

/* Caps of one reading; 0 means the compile-time maximum of base/limits.h. */
struct clone_limits {
    uint32_t depth;                /* nested containers */
    uint32_t count;                /* nodes */
    const struct clone_host *host; /* NULL: objects that are no data are against the rules */
    /* The message whose memory the bytes lie in, of malloc: a value that is mostly one buffer takes
     * it over and leaves `body` empty. What stands before that buffer is overwritten. NULL: all is
     * copied. */
    struct buf *body;
    bool apart; /* buffers may come apart from their clone (clone_tags.h) */
};

/* Reads exactly all of `bytes` into a new value, which the caller owns.
 * GBX_OK; GBX_EPROTO with *why naming what is wrong (static text); GBX_ETOOBIG; GBX_ENOMEM.
 * `out` is untouched on failure. */
gbx_status clone_read(
    struct span bytes, const struct clone_limits *limits, gbx_value **out, const char **why);

/* For records of host objects: a number as the format has them. False: there is none whole. */
void clone_put_number(struct buf *out, uint32_t number);
bool clone_get_number(struct span *rest, uint32_t *out_number);

/* Appends the encoding of `value` to `out`; where `out` shares, that may be with attachments (see
 * clone_tags.h), which lie at multiples of 16 bytes from the body of a frame at its beginning.
 * GBX_OK, GBX_ETOOBIG (past out->max or a cap), GBX_ENOMEM. */
gbx_status clone_write(const gbx_value *value, struct buf *out);
/* The same of a value that may hold objects that are no data; without `host`, or one that does not
 * know them: GBX_ECLONE. */
gbx_status clone_write_for(
    const gbx_value *value, const struct clone_host *host, struct buf *out);

#endif
