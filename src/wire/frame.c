#include "wire/frame.h"

#include "base/check.h"

#include <stdlib.h>

/* --- fields ---------------------------------------------------------------------------------
 */

struct field_reader {
    struct span left;
    bool failed;
};

/* The next `n` bytes, or NULL and a failed reader. The only place that moves forward. */
static const uint8_t *
take(struct field_reader *r, size_t n)
{
    if (r->failed || n > r->left.len) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *p = r->left.p;
    r->left = span_of(p + n, r->left.len - n);
    return p;
}

static uint32_t
load_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint32_t
read_u32(struct field_reader *r)
{
    const uint8_t *p = take(r, 4);

    return p == NULL ? 0 : load_u32(p);
}

static uint64_t
read_u64(struct field_reader *r)
{
    uint64_t low = read_u32(r);

    return low | (uint64_t)read_u32(r) << 32;
}

static struct span
read_bytes(struct field_reader *r)
{
    uint32_t len = read_u32(r);
    const uint8_t *p = take(r, len);

    return span_of(p, p == NULL ? 0 : len);
}

static void
write_u32(struct buf *out, uint32_t v)
{
    buf_u32(out, v);
}

static void
write_u64(struct buf *out, uint64_t v)
{
    buf_u64(out, v);
}

static void
write_bytes(struct buf *out, struct span v)
{
    if (v.len > UINT32_MAX) {
        buf_too_long(out);
        return;
    }
    buf_u32(out, (uint32_t)v.len);
    buf_append(out, v.p, v.len);
}

/* --- frames ---------------------------------------------------------------------------------
 */

static void
store_u32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static void
store_u16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static size_t
frame_begin(struct buf *out, uint32_t type, struct frame_tag tag)
{
    size_t at = out->len;
    uint8_t *p = buf_grow(out, FRAME_HEADER);

    if (p != NULL) {
        memset(p, 0, 4);
        store_u16(p + 4, type);
        store_u16(p + 6, tag.nesting);
        store_u32(p + 8, tag.id);
    }
    return at;
}

/* Writes at `at` how many bytes came after it, shared ones too, but for `less`. */
static void
patch_length(struct buf *out, size_t at, size_t less)
{
    if (out->failed)
        return;
    size_t len = out->len - at - less + buf_shared_behind(out, at);
    if (len > UINT32_MAX || buf_whole(out) > out->max) {
        buf_too_long(out);
        return;
    }
    store_u32(out->p + at, (uint32_t)len);
}

static void
frame_end(struct buf *out, size_t begun)
{
    patch_length(out, begun, FRAME_HEADER);
}

void
frame_last_outside(struct buf *out, size_t frame, size_t len)
{
    if (len > UINT32_MAX - MESSAGE_HEAD_MAX)
        buf_too_long(out);
    if (out->failed)
        return;
    store_u32(out->p + out->len - 4, (uint32_t)len);
    store_u32(out->p + frame, (uint32_t)(out->len - frame - FRAME_HEADER + len));
}

size_t
frame_last_begin(const struct buf *out)
{
    return out->len;
}

void
frame_last_end(struct buf *out, size_t frame, size_t begun)
{
    patch_length(out, begun - 4, 4);
    frame_end(out, frame);
}

#define F(type, field) write_##type(out, message->field);
#define MESSAGE(NAME, name, direction, max, fields)                                          \
    void put_##name(struct buf *out, struct frame_tag tag, const struct msg_##name *message) \
    {                                                                                        \
        size_t begun = frame_begin(out, MESSAGE_##NAME, tag);                                \
        (void)message;                                                                       \
        fields frame_end(out, begun);                                                        \
    }
#include "wire/protocol.def"
#undef MESSAGE
#undef F

#define F(type, field) message.field = read_##type(&r);
#define MESSAGE(NAME, name, direction, max, fields)                 \
    gbx_status get_##name(struct span body, struct msg_##name *out) \
    {                                                               \
        struct field_reader r = { .left = body };                   \
        struct msg_##name message = { .no_empty_struct = 0 };       \
        fields if (r.failed || r.left.len != 0) return GBX_EPROTO;  \
        *out = message;                                             \
        return GBX_OK;                                              \
    }
#include "wire/protocol.def"
#undef MESSAGE
#undef F

static const struct rule {
    const char *name;
    enum message_direction direction;
    uint64_t max;
} rules[MESSAGE_TYPES] = {
    [MESSAGE_NONE] = { "NONE", TO_CELL, 0 },
#define MESSAGE(NAME, name, direction, max, fields) \
    [MESSAGE_##NAME] = { #NAME, direction, max },
#include "wire/protocol.def"
#undef MESSAGE
};

const char *
message_name(uint32_t type)
{
    return type < MESSAGE_TYPES ? rules[type].name : "?";
}

/* --- the reader -----------------------------------------------------------------------------
 */

void
frame_reader_init(struct frame_reader *reader, enum message_direction direction)
{
    memset(reader, 0, sizeof *reader);
    reader->direction = direction;
    reader->body_max = reader->body.max = MESSAGE_BYTES_MAX;
}

void
frame_reader_done(struct frame_reader *reader)
{
    buf_done(&reader->body);
}

static void
header_complete(struct frame_reader *reader)
{
    const uint8_t *h = reader->header;
    uint32_t bytes = load_u32(h);
    uint32_t type = (uint32_t)h[4] | (uint32_t)h[5] << 8;

    if (type == MESSAGE_NONE || type >= MESSAGE_TYPES)
        reader->why = "unknown message type";
    else if (rules[type].direction != reader->direction)
        reader->why = "message of the other direction";
    else if (bytes > rules[type].max)
        reader->why = "message body past its limit";
    else if (bytes > reader->body_max)
        reader->why = "message body past what its sender can have";
    if (reader->why != NULL) {
        reader->broken = true;
        return;
    }
    reader->in_body = true;
    reader->have = 0;
    reader->body.len = 0;
    reader->body_bytes = bytes;
    reader->frame = (struct frame){
        .type = type,
        .nesting = (uint32_t)h[6] | (uint32_t)h[7] << 8,
        .id = load_u32(h + 8),
    };
}

/* A cell believes its host. Of a cell the announced length is a claim: room doubles with what has
 * arrived, but is never more than was announced, since a value may keep it. */
static size_t
next_capacity(const struct frame_reader *reader)
{
    size_t next = reader->body.capacity * 2;

    if (next < RING_PIECE_BYTES)
        next = RING_PIECE_BYTES;
    if (reader->direction == TO_CELL || next > reader->body_bytes)
        next = reader->body_bytes;
    return next;
}

size_t
frame_reader_wants(struct frame_reader *reader, uint8_t **into)
{
    if (reader->broken)
        return 0;
    if (!reader->in_body) {
        *into = reader->header + reader->have;
        return FRAME_HEADER - reader->have;
    }
    size_t left = reader->body_bytes - reader->have;
    size_t want = left < RING_PIECE_BYTES ? left : RING_PIECE_BYTES;
    if (want == 0)
        return 0;
    uint8_t *at = buf_grow_to(&reader->body, want, next_capacity(reader));
    if (at == NULL) {
        reader->broken = reader->no_memory = true;
        reader->why = "no memory for a message of the cell";
        return 0;
    }
    reader->body.len -= want;
    *into = at;
    return want;
}

bool
frame_reader_got(struct frame_reader *reader, size_t n)
{
    reader->have += (uint32_t)n;
    if (!reader->in_body) {
        if (reader->have < FRAME_HEADER)
            return false;
        header_complete(reader);
        if (reader->broken)
            return false;
    } else {
        reader->body.len += n;
    }
    if (reader->have < reader->body_bytes)
        return false;
    reader->frame.body = buf_span(&reader->body);
    return true;
}

void
frame_next(struct frame_reader *reader)
{
    reader->in_body = false;
    reader->have = 0;
    reader->body_bytes = 0;
    if (reader->body.capacity > FRAME_KEPT_BYTES)
        buf_done(&reader->body);
}

/* --- arguments ------------------------------------------------------------------------------
 */

bool
argument_next(struct span *rest, struct span *argument)
{
    if (rest->len < 4)
        return false;
    uint32_t len = load_u32(rest->p);
    if (len > rest->len - 4)
        return false;
    *argument = span_of(rest->p + 4, len);
    *rest = span_of(rest->p + 4 + len, rest->len - 4 - len);
    return true;
}

size_t
argument_begin(struct buf *out)
{
    buf_u32(out, 0);
    return out->len;
}

void
argument_end(struct buf *out, size_t begun)
{
    patch_length(out, begun - 4, 4);
}
