/* rejection.c - promises of a guest that were rejected and not handled, told to the host. */
#include "host/host.h"

#include "base/clock.h"

/* True if this one may be told of: a guest chooses how many there are. */
static bool
has_room(gbx_isolate *isolate)
{
    uint64_t now = now_us();

    if (now - isolate->rejections.since_us >= REJECTIONS_SPAN_US) {
        isolate->rejections.since_us = now;
        isolate->rejections.told = 0;
    }
    return isolate->rejections.told < REJECTIONS_PER_SPAN;
}

void
rejection_tell(gbx_isolate *isolate, uint32_t call, uint64_t omitted, const gbx_error *error,
    const gbx_value *value)
{
    gbx_rejection rejection = {
        .size = sizeof rejection, .call = call, .error = error, .value = value
    };

    /* A claim, and it is added to: it cannot wrap. */
    isolate->rejections.omitted += omitted < UINT32_MAX ? omitted : UINT32_MAX;
    if (!has_room(isolate)) {
        isolate->rejections.omitted++;
        return;
    }
    rejection.omitted = isolate->rejections.omitted;
    isolate->rejections.omitted = 0;
    isolate->rejections.told++;
    if (!isolate->closed)
        isolate->options.on_rejection(isolate, &rejection, isolate->options.data);
}
