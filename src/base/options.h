/* options.h - the rule by which the structs of options grow. */
#ifndef BASE_OPTIONS_H
#define BASE_OPTIONS_H

#include <glovebox/status.h>

#include <stddef.h>

/* Copies a caller's sized options over `dst`, whose tail stays zero. `min_size`: of their first
 * version. `what` they are, for messages. GBX_OK, GBX_EINVAL, GBX_EUNSUPPORTED. */
gbx_status options_read(void *dst, size_t dst_size, const void *src, size_t min_size,
    const char *what, gbx_error *error);

#endif
