#include "base/buf.h"

#include "base/bytes.h"
#include "base/huge.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    FIRST_CAPACITY = 64, /* bytes; most messages fit */
    FIRST_PIECES = 4
};

struct piece {
    size_t at; /* it stands before this byte of the buffer's own */
    const uint8_t *p;
    size_t len;
    struct bytes *held;
};

struct buf_pieces {
    size_t count, capacity, len; /* len: bytes of all */
    struct piece piece[];
};

uint8_t *
buf_grow(struct buf *b, size_t n)
{
    return buf_grow_to(b, n, 0);
}

uint8_t *
buf_grow_to(struct buf *b, size_t n, size_t capacity)
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

        if (capacity > 0)
            want = capacity;
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

/* --- pieces ----------------------------------------------------------------------------- */

void
buf_share(struct buf *b, struct bytes *bytes, const void *p, size_t n)
{
    struct buf_pieces *pieces = b->pieces;

    if (b->failed)
        return;
    if (n > b->max - b->len || buf_whole(b) > b->max - n) {
        buf_too_long(b);
        return;
    }
    if (pieces == NULL || pieces->count == pieces->capacity) {
        size_t want = pieces == NULL ? FIRST_PIECES : pieces->capacity * 2;

        pieces = realloc(pieces, sizeof *pieces + want * sizeof *pieces->piece);
        if (pieces == NULL) {
            b->failed = true;
            return;
        }
        if (b->pieces == NULL)
            pieces->count = pieces->len = 0;
        pieces->capacity = want;
        b->pieces = pieces;
    }
    pieces->piece[pieces->count++] = (struct piece){ b->len, p, n, bytes_ref(bytes) };
    pieces->len += n;
}

bool
buf_insert(struct buf *b, size_t at, size_t n)
{
    size_t moved = b->len - at;

    if (buf_grow(b, n) == NULL)
        return false;
    memmove(b->p + at + n, b->p + at, moved);
    for (size_t i = b->pieces == NULL ? 0 : b->pieces->count; i > 0; i--) {
        if (b->pieces->piece[i - 1].at <= at)
            break;
        b->pieces->piece[i - 1].at += n;
    }
    return true;
}

size_t
buf_shared_behind(const struct buf *b, size_t at)
{
    size_t sum = 0;

    for (size_t i = b->pieces == NULL ? 0 : b->pieces->count; i > 0; i--) {
        if (b->pieces->piece[i - 1].at <= at)
            break;
        sum += b->pieces->piece[i - 1].len;
    }
    return sum;
}

size_t
buf_whole(const struct buf *b)
{
    return b->len + (b->pieces == NULL ? 0 : b->pieces->len);
}

struct span
buf_part(const struct buf *b, size_t at)
{
    size_t shared = 0; /* bytes of the pieces before */

    for (size_t i = 0; b->pieces != NULL && i < b->pieces->count; i++) {
        const struct piece *piece = &b->pieces->piece[i];
        if (at < piece->at + shared)
            return span_of(b->p + (at - shared), piece->at + shared - at);
        if (at < piece->at + shared + piece->len)
            return span_of(
                piece->p + (at - piece->at - shared), piece->at + shared + piece->len - at);
        shared += piece->len;
    }
    return span_of(b->p + (at - shared), b->len + shared - at);
}

static void
drop_pieces(struct buf *b)
{
    if (b->pieces == NULL)
        return;
    for (size_t i = 0; i < b->pieces->count; i++)
        bytes_unref(b->pieces->piece[i].held);
    free(b->pieces);
    b->pieces = NULL;
}

/* --- the end ---------------------------------------------------------------------------- */

void
buf_too_long(struct buf *b)
{
    b->failed = b->too_long = true;
}

void
buf_clear(struct buf *b)
{
    drop_pieces(b);
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
