/* clone_attach.c - the large buffers of a value, which a message borrows and does not copy. */
#include "base/bytes.h"
#include "base/limits.h"
#include "wire/clone_tags.h"
#include "wire/clone_writer.h"
#include "wire/frame.h"

#include <stdlib.h>

enum {
    FIRST_ATTACHED = 4
};

void
put_attached(struct writer *w, const struct buffer *buffer)
{
    if (w->attached_count == w->attached_capacity) {
        uint32_t want = w->attached_capacity == 0 ? FIRST_ATTACHED : w->attached_capacity * 2;
        const struct buffer **more = realloc(w->attached, want * sizeof *more);

        if (more == NULL) {
            write_failed(w, GBX_ENOMEM);
            return;
        }
        w->attached = more;
        w->attached_capacity = want;
    }
    put_byte(w, TAG_TRANSFERRED);
    put_varint(w, w->attached_count);
    w->attached[w->attached_count++] = buffer;
}

static void
store_u32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

/* Bytes from the beginning of the frame's body to where the next one goes. */
static size_t
place(const struct writer *w)
{
    return buf_whole(w->out) - FRAME_HEADER;
}

static void
attach(struct writer *w, const struct buffer *buffer)
{
    uint8_t *p = room(w, ATTACHMENT_HEAD + ATTACHED_ALIGN);

    if (p == NULL)
        return;
    size_t padding = -(place(w) + ATTACHMENT_HEAD) & (ATTACHED_ALIGN - 1);
    store_u32(p, (uint32_t)buffer->len);
    p[4] = (uint8_t)padding;
    memset(p + ATTACHMENT_HEAD, 0, padding);
    w->out->len += ATTACHMENT_HEAD + padding;
    buf_share(w->out, buffer->held, buffer->bytes, (size_t)buffer->len);
    if (w->out->failed)
        write_failed(w, w->out->too_long ? GBX_ETOOBIG : GBX_ENOMEM);
}

void
attach_all(struct writer *w)
{
    size_t len = w->out->len - w->start + buf_shared_behind(w->out, w->start);

    if (w->status != GBX_OK)
        return;
    /* The clone moves to make room for its head: without what is attached it is short. */
    if (!buf_insert(w->out, w->start, ATTACHED_HEAD)) {
        write_failed(w, w->out->too_long ? GBX_ETOOBIG : GBX_ENOMEM);
        return;
    }
    uint8_t *p = w->out->p + w->start;
    memset(p, 0, ATTACHED_HEAD);
    p[0] = CLONE_ATTACHED;
    store_u32(p + 4, (uint32_t)len);
    for (uint32_t i = 0; i < w->attached_count && w->status == GBX_OK; i++)
        attach(w, w->attached[i]);
}
