/* thrown.h - what is thrown, by a guest and in one, as the messages have it (base/thrown.h).
 *
 * Runs in:  host.
 * Trusts:   nothing of what a cell wrote: every count, length and depth is checked.
 * Threads:  one at a time.
 */
#ifndef HOST_THROWN_H
#define HOST_THROWN_H

#include "host/host.h"

/* Appends what a guest is to have thrown to scratch->out; NULL: undefined. As value_put();
 * GBX_ETOOBIG also for an error past the limits. */
gbx_status thrown_put(struct gbx_isolate *isolate, uint32_t context, const gbx_value *value);
/* What a guest threw: an error has all that is told of it. As value_get(). */
gbx_status thrown_get(
    struct gbx_isolate *isolate, struct span bytes, gbx_value **out, const char **why);

#endif
