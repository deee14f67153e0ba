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

struct bytes;
struct buf_pieces;

struct buf {
    uint8_t *p;      /* owned; malloc'ed */
    size_t len;      /* bytes in use */
    size_t capacity; /* bytes allocated */
    size_t max;      /* hard ceiling of len */
    bool failed;     /* past max, or out of memory; later appends do nothing */
    bool too_long;   /* it was past max */
    bool shares;     /* may hold pieces, below */
    /* Bytes that belong in it and lie elsewhere: nothing copies them. NULL: none. */
    struct buf_pieces *pieces;
};

/* Room for `n` more bytes at the returned place, counted as used; NULL once failed. */
uint8_t *buf_grow(struct buf *b, size_t n);
/* The same; if it must allocate, then that much, or what is needed. */
uint8_t *buf_grow_to(struct buf *b, size_t n, size_t capacity);
void buf_append(struct buf *b, const void *p, size_t n);
void buf_byte(struct buf *b, uint8_t byte);
/* Appends text and formatted text, without their NUL. */
void buf_text(struct buf *b, const char *text);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Appends `n` bytes of `bytes` at `p` without a copy, and holds them; only in a buffer that shares.
 * Neither `len` nor buf_span() tells of them. */
void buf_share(struct buf *b, struct bytes *bytes, const void *p, size_t n);
/* Makes room for `n` bytes of its own after the first `at`, whatever they are. False: it failed. */
bool buf_insert(struct buf *b, size_t at, size_t n);
/* Bytes that were shared behind the first `at` of its own. */
size_t buf_shared_behind(const struct buf *b, size_t at);
/* All of its bytes, and what stands `at` bytes from their beginning, in one piece. */
size_t buf_whole(const struct buf *b);
struct span buf_part(const struct buf *b, size_t at);
/* Little-endian. */
void buf_u32(struct buf *b, uint32_t v);
void buf_u64(struct buf *b, uint64_t v);
/* Fails it for what would be past any maximum. */
void buf_too_long(struct buf *b);
/* Drops what is in it, pieces and a failure too; the memory stays. */
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
