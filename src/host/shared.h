/* shared.h - memory that host and guests have in common, on the host's side. */
#ifndef HOST_SHARED_H
#define HOST_SHARED_H

#include "wire/held.h"

#include <glovebox/isolate.h>
#include <glovebox/shared.h>

/* Its fields never change, and any thread may hold it. */
struct gbx_shared {
    struct shared_memory memory; /* first */
    uint32_t refs;               /* atomic */
    int fd;                      /* a memfd; its size is sealed */
};

gbx_status shared_check(const gbx_isolate_options *options, gbx_error *error);
/* The options' list becomes one of our own, which holds what it lists. False: no memory. */
bool shared_keep(gbx_isolate_options *options);
void shared_let_go(gbx_isolate_options *options);

/* Of values: the number of `held` among what the isolate was opened with, and back. */
gbx_status shared_put(
    const gbx_isolate_options *options, const struct held *held, uint32_t *out_number);
gbx_status shared_get(const gbx_isolate_options *options, uint32_t number,
    struct held **out_held, const char **why);

#endif
