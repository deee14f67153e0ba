#include "base/error.h"

#include "base/check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *
gbx_strstatus(gbx_status status)
{
    switch (status) {
#define X(name, value, text) \
    case GBX_##name:         \
        return text;
        GBX_STATUS_LIST(X)
#undef X
    default:
        return "unknown status";
    }
}

void
text_copy(char *dst, size_t size, const char *text, size_t len)
{
    size_t n = len < size - 1 ? len : size - 1;

    /* A continuation byte at the cut means that the sequence before it is torn: drop it. */
    if (n < len)
        while (n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80)
            n--;
    if (n > 0)
        memcpy(dst, text, n);
    dst[n] = '\0';
}

void
error_copy(gbx_error *dst, const gbx_error *src)
{
    if (dst == NULL)
        return;
    uint32_t size = dst->size < sizeof *src ? dst->size : (uint32_t)sizeof *src;
    GBX_CHECK(size >= offsetof(gbx_error, name)); /* GBX_ERROR_INIT was forgotten */
    uint32_t declared = dst->size;
    memcpy(dst, src, size);
    dst->size = declared;
}

static gbx_status __attribute__((format(printf, 4, 0)))
fill(gbx_error *error, gbx_status status, int os_errno, const char *format, va_list args)
{
    if (error == NULL)
        return status;
    gbx_error full = GBX_ERROR_INIT;
    full.status = status;
    full.os_errno = os_errno;
    int n = vsnprintf(full.message, sizeof full.message, format, args);
    if (n >= 0 && (size_t)n < sizeof full.message && os_errno != 0)
        (void)snprintf(
            full.message + n, sizeof full.message - (size_t)n, ": %s", strerror(os_errno));
    error_copy(error, &full);
    return status;
}

gbx_status
fail(gbx_error *error, gbx_status status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)fill(error, status, 0, format, args);
    va_end(args);
    return status;
}

gbx_status
fail_errno(gbx_error *error, const char *format, ...)
{
    int saved = errno;
    gbx_status status = saved == ENOMEM ? GBX_ENOMEM : GBX_ESYS;
    va_list args;

    va_start(args, format);
    (void)fill(error, status, saved, format, args);
    va_end(args);
    return status;
}
