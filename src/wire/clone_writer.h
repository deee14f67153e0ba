/* clone_writer.h - what the two halves of the writer share: clone_write.c writes the clone,
 * clone_attach.c what goes apart from it.
 *
 * Runs in:  host.
 * Trusts:   the value.
 * Threads:  one at a time.
 */
#ifndef WIRE_CLONE_WRITER_H
#define WIRE_CLONE_WRITER_H

#include "base/limits.h"
#include "wire/clone.h"
#include "wire/value.h"

enum {
    FIRST_OBJECTS = 32,
    FIRST_FRAMES = 16,
    VARINT_MAX = 5
};

struct write_frame {
    const gbx_value *node;
    uint32_t at;   /* elements or props done; of a map, keys and values */
    bool dense;    /* an array without holes */
    bool elements; /* still in the elements of one */
};

struct writer {
    struct buf *out;
    size_t start; /* where this value begins in `out`; alignment counts from there */
    gbx_status status;
    const struct clone_host *host; /* NULL: data only */
    /* Large buffers that go apart. Their place in `out` is known when the clone is done. */
    const struct buffer **attached;
    uint32_t attached_count, attached_capacity;

    /* Objects by id. A node has one if objects[node->mark] is that node, so that marks need
     * no clearing. */
    const gbx_value **objects;
    uint32_t object_count, object_capacity;
    struct write_frame *frames;
    uint32_t frame_count, frame_capacity;
    const gbx_value *first_objects[FIRST_OBJECTS];
    struct write_frame first_frames[FIRST_FRAMES];
};

static inline bool
write_failed(struct writer *w, gbx_status status)
{
    if (w->status == GBX_OK)
        w->status = status;
    return false;
}

/* `n` bytes at the end of the output, not counted yet; NULL once anything failed. */
static inline uint8_t *
room(struct writer *w, size_t n)
{
    struct buf *b = w->out;

    if (b->capacity - b->len >= n && b->max - b->len >= n)
        return b->p + b->len;
    if (w->status != GBX_OK)
        return NULL;
    if (n > b->max - b->len) {
        write_failed(w, GBX_ETOOBIG);
        return NULL;
    }
    if (buf_grow(b, n) == NULL) {
        write_failed(w, GBX_ENOMEM);
        return NULL;
    }
    b->len -= n;
    return b->p + b->len;
}

static inline void
put_byte(struct writer *w, unsigned byte)
{
    uint8_t *p = room(w, 1);

    if (p != NULL) {
        *p = (uint8_t)byte;
        w->out->len++;
    }
}

static inline size_t
varint_put(uint8_t *p, uint32_t value)
{
    size_t n = 0;

    while (value >= 0x80) {
        p[n++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    p[n++] = (uint8_t)value;
    return n;
}

static inline void
put_varint(struct writer *w, uint32_t value)
{
    uint8_t bytes[VARINT_MAX];
    size_t n = varint_put(bytes, value);
    uint8_t *p = room(w, n);

    if (p != NULL) {
        memcpy(p, bytes, n);
        w->out->len += n;
    }
}

/* --- clone_attach.c --------------------------------------------------------------------- */

/* Whether a buffer goes apart. */
static inline bool
attaches(const struct writer *w, const struct buffer *buffer)
{
    return w->out->shares && buffer->held != NULL && !buffer->resizable &&
           buffer->len >= VALUE_SHARED_MIN;
}

/* Writes that it does. */
void put_attached(struct writer *w, const struct buffer *buffer);
/* The clone is done: puts what was attached behind it. */
void attach_all(struct writer *w);

#endif
