#include "base/buf.h"

#include "base/huge.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    FIRST_CAPACITY = 64
}; /* bytes; most messages fit */

uint8_t *
buf_grow(struct buf *b, size_t n)
{
    if (b->failed)
        return NULL;
    if (n > b->max - b->len) {
        buf_too_long(b);
        return NULL;
    }
    /* The first bytes are there even for none: NULL means failed, and has no offsets. */
    if (b->p == NULL || n > b->capacity - b->len) {
        size_t want = b->capacity < FIRST_CAPACITY ? FIRST_CAPACITY : b->capacity * 2;

        if (want < b->len + n)
            want = b->len + n;
        uint8_t *p = realloc(b->p, want);
        if (p == NULL) {
            b->failed = true;
            return NULL;
        }
        huge_advise(p, want);
        b->p = p;
        b->capacity = want;
    }
    uint8_t *at = b->p + b->len;
    b->len += n;
    return at;
}

void
buf_append(struct buf *b, const void *p, size_t n)
{
    uint8_t *at = buf_grow(b, n);

    if (at != NULL && n > 0)
        memcpy(at, p, n);
}

void
buf_byte(struct buf *b, uint8_t byte)
{
    buf_append(b, &byte, 1);
}

void
buf_text(struct buf *b, const char *text)
{
    buf_append(b, text, strlen(text));
}

void
buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    char small[256];

    va_start(args, format);
    int n = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    if (n < 0) {
        b->failed = true;
    } else if ((size_t)n < sizeof small) {
        buf_append(b, small, (size_t)n);
    } else {
        /* vsnprintf wants room for its NUL; it is given back. */
        uint8_t *at = buf_grow(b, (size_t)n + 1);
        if (at == NULL)
            return;
        va_start(args, format);
        (void)vsnprintf((char *)at, (size_t)n + 1, format, args);
        va_end(args);
        b->len--;
    }
}

void
buf_u32(struct buf *b, uint32_t v)
{
    uint8_t bytes[4];

    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(v >> (8 * i));
    buf_append(b, bytes, sizeof bytes);
}

void
buf_u64(struct buf *b, uint64_t v)
{
    buf_u32(b, (uint32_t)v);
    buf_u32(b, (uint32_t)(v >> 32));
}

void
buf_too_long(struct buf *b)
{
    b->failed = b->too_long = true;
}

void
buf_clear(struct buf *b)
{
    b->len = 0;
    b->failed = b->too_long = false;
}

void
buf_done(struct buf *b)
{
    free(b->p);
    b->p = NULL;
    b->capacity = 0;
    buf_clear(b);
}
