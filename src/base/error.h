/* error.h - filling the caller's gbx_error. Every function takes a NULL error. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <glovebox/status.h>

#include <stddef.h>

/* Sets status and message, clears the rest, returns the status. */
gbx_status fail(gbx_error *error, gbx_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* GBX_ESYS with errno, whose text is added to the message. ENOMEM becomes GBX_ENOMEM. */
gbx_status fail_errno(gbx_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Copies at most size-1 bytes of `text` (len bytes) and a NUL; never cuts a UTF-8 sequence. */
void text_copy(char *dst, size_t size, const char *text, size_t len);

/* Copies a filled error into the caller's, honouring the size it was declared with. */
void error_copy(gbx_error *dst, const gbx_error *src);

#endif
