/* span.h - a borrowed run of bytes. */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

struct span {
    const uint8_t *p; /* borrowed; may be NULL when len is 0 */
    size_t len;       /* bytes */
};

static inline struct span
span_of(const void *p, size_t len)
{
    struct span s;

    s.p = (const uint8_t *)p;
    s.len = len;
    return s;
}

static inline struct span
span_text(const char *text)
{
    return span_of(text, text == NULL ? 0 : strlen(text));
}

#ifdef __cplusplus
}
#endif
#endif
