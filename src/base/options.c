/* options.c - the rule by which option structs grow. */
#include "base/options.h"

#include "base/error.h"
#include "base/limits.h"

#include <string.h>

/* Copies a caller's sized options over `dst`, whose tail stays zero, that is: default.
 *
 * An older caller has a shorter struct: fine. A newer caller has a longer one: fine too, as
 * long as the part we do not know is zero; otherwise it asks for something we cannot do. */
gbx_status
options_read(void *dst, size_t dst_size, const void *src, size_t min_size, const char *what,
    gbx_error *error)
{
    const unsigned char *bytes = src;
    uint32_t size;

    memset(dst, 0, dst_size);
    if (src == NULL)
        return GBX_OK;
    memcpy(&size, src, sizeof size);
    if (size < min_size || size > OPTIONS_BYTES_MAX)
        return fail(error, GBX_EINVAL,
            "%s: size is %u, expected at least %zu; start from the _INIT macro", what, size,
            min_size);
    for (size_t i = dst_size; i < size; i++)
        if (bytes[i] != 0)
            return fail(error, GBX_EUNSUPPORTED,
                "%s: byte %zu is set, which this version does not know", what, i);
    memcpy(dst, src, size < dst_size ? size : dst_size);
    return GBX_OK;
}
