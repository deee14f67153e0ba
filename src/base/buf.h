/* buf.h - bytes that grow up to a hard maximum; failure sticks, so it is asked for once.
 *
 * Threads: one at a time. A zeroed struct with `max` set is a valid empty buffer.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/span.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

struct buf {
    uint8_t *p;      /* owned; malloc'ed */
    size_t len;      /* bytes in use */
    size_t capacity; /* bytes allocated */
    size_t max;      /* hard ceiling of len */
    bool failed;     /* past max, or out of memory; later appends do nothing */
    bool too_long;   /* it was past max */
};

/* Room for `n` more bytes at the returned place, counted as used; NULL once failed. */
uint8_t *buf_grow(struct buf *b, size_t n);
void buf_append(struct buf *b, const void *p, size_t n);
void buf_byte(struct buf *b, uint8_t byte);
/* Appends text and formatted text, without their NUL. */
void buf_text(struct buf *b, const char *text);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Little-endian. */
void buf_u32(struct buf *b, uint32_t v);
void buf_u64(struct buf *b, uint64_t v);
/* Fails it for what would be past any maximum. */
void buf_too_long(struct buf *b);
/* Drops what is in it, a failure too; the memory stays. */
void buf_clear(struct buf *b);
/* Frees the bytes; `max` stays, the buffer is empty and usable. */
void buf_done(struct buf *b);

static inline struct span
buf_span(const struct buf *b)
{
    return span_of(b->p, b->len);
}

#ifdef __cplusplus
}
#endif
#endif
