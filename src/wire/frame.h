/* frame.h - messages as bytes: headers, bodies, and a reader that assembles them from a stream.
 *
 * Runs in:  host and cell.
 * Trusts:   nothing that it reads. A header is copied, then checked, then used; a body is only
 *           parsed once it is whole and private.
 * Threads:  no state of its own.
 */
#ifndef WIRE_FRAME_H
#define WIRE_FRAME_H

#include "base/buf.h"
#include "base/limits.h"

#include <glovebox/status.h>

enum message_type {
    MESSAGE_NONE, /* never sent: a zeroed header is refused */
#define MESSAGE(NAME, name, direction, max, fields) MESSAGE_##NAME,
#include "wire/protocol.def"
#undef MESSAGE
    MESSAGE_TYPES
};

enum message_direction {
    TO_CELL,
    TO_HOST,
};

/* EVAL, CALL and GET: how the result is wanted. The same bits as the engine's. */
enum call_flags {
    CALL_AWAIT = 1,
    CALL_AS_REFERENCE = 2,
    CALL_MODULE = 4,
    CALL_IGNORE_RESULT = 8,
    CALL_ACCESSORS = 64, /* OPERATE: may run getters, setters, proxies */
    CALL_MOVE_RESULT = 128,
};

/* SNAPSHOT. */
enum snapshot_flags {
    SNAPSHOT_KEEPS_IDS = 1,  /* objects are given ids first that later snapshots find again */
    SNAPSHOT_COMPRESSED = 2, /* a zstd frame */
};

/* OPERATE. */
enum reference_operation {
    OPERATE_GET,    /* the property `key` */
    OPERATE_SET,    /* it becomes argument 0 */
    OPERATE_DELETE, /* it goes */
    OPERATE_KEYS,
    OPERATE_COPY,
    OPERATE_CALL,        /* with the arguments */
    OPERATE_CALL_AS,     /* with argument 0 as `this`, and the others */
    OPERATE_CALL_METHOD, /* the property `key`, `this` is what holds it */
    OPERATE_CONSTRUCT,
    OPERATIONS
};

/* ANSWER and SETTLE. */
enum answer_kind {
    ANSWER_VALUE,
    ANSWER_THROW,
    ANSWER_PROMISE, /* ANSWER only: the guest gets a promise; SETTLE comes later */
    ANSWER_BLOCK,   /* ANSWER only: another ANSWER comes later; the guest waits on */
    ANSWER_KINDS
};

/* MODULE_COMPILE: what `source` is. The same numbers as the public ones and the engine's. */
enum module_kind {
    MODULE_SOURCE, /* of an ES module */
    MODULE_JSON,
    MODULE_WASM,
    MODULE_VALUE, /* structured clone of an object whose properties are the exports */
    MODULE_KINDS
};

/* One struct per message, named after it. Spans borrow from the body that was read. */
#define F_u32(field)   uint32_t field;
#define F_u64(field)   uint64_t field;
#define F_bytes(field) struct span field;
#define F(type, field) F_##type(field)
#define MESSAGE(NAME, name, direction, max, fields) \
    struct msg_##name {                             \
        fields uint8_t no_empty_struct;             \
    };
#include "wire/protocol.def"
#undef MESSAGE
#undef F
#undef F_u32
#undef F_u64
#undef F_bytes

/* Encoders: append the whole frame, header included. A failed `out` stays failed; the caller
 * asks once. */
struct frame_tag {
    uint32_t id;
    uint16_t nesting;
};
#define MESSAGE(NAME, name, direction, max, fields) \
    void put_##name(struct buf *out, struct frame_tag tag, const struct msg_##name *message);
#include "wire/protocol.def"
#undef MESSAGE

/* Decoders: GBX_OK, or GBX_EPROTO with `out` untouched. All of the body must be used up. */
#define MESSAGE(NAME, name, direction, max, fields) \
    gbx_status get_##name(struct span body, struct msg_##name *out);
#include "wire/protocol.def"
#undef MESSAGE

/* A message whose last field is `bytes` may be put with that empty and the bytes appended
 * between these two: nothing is copied twice. `frame`: where the message began. */
size_t frame_last_begin(const struct buf *out);
void frame_last_end(struct buf *out, size_t frame, size_t begun);

/* The same with `len` bytes that are sent after the buffer, not from it. */
void frame_last_outside(struct buf *out, size_t frame, size_t len);

/* "EVAL"; "?" for what is not a type. */
const char *message_name(uint32_t type);

#define FRAME_HEADER 12 /* bytes */

struct frame {
    uint32_t type; /* a valid enum message_type of the right direction */
    uint32_t nesting;
    uint32_t id;
    struct span body;   /* borrowed from the reader until frame_next() */
    struct buf *memory; /* what it lies in, for who wants to keep it; NULL: not to be kept */
};

/* Assembles frames from a stream. The body's buffer is kept from frame to frame, and given back
 * when it grew large. */
struct frame_reader {
    enum message_direction direction;
    uint64_t body_max; /* bytes of any body, on top of the table's limits */
    uint32_t have;     /* bytes of the header, then of the body */
    bool in_body;
    bool broken;     /* the stream broke a rule; `why` says which */
    bool no_memory;  /* broken, and by us: no rule was */
    const char *why; /* static */
    uint8_t header[FRAME_HEADER];
    uint32_t body_bytes;
    struct frame frame;
    struct buf body;
};

void frame_reader_init(struct frame_reader *reader, enum message_direction direction);
void frame_reader_done(struct frame_reader *reader);

/* Where the next bytes of the stream go, and how many at most. Never more than what was
 * announced, and memory grows only with what has arrived. 0: complete, or broken. */
size_t frame_reader_wants(struct frame_reader *reader, uint8_t **into);
/* `n` bytes were put there. True: `reader->frame` is complete. */
bool frame_reader_got(struct frame_reader *reader, size_t n);
/* Part of a frame has arrived. */
static inline bool
frame_reader_midway(const struct frame_reader *reader)
{
    return reader->in_body || reader->have > 0;
}
/* Done with the complete frame. */
void frame_next(struct frame_reader *reader);

/* Walks `count` encoded arguments (u32 length, bytes; one after the other). False at the end or
 * when they do not fit; after `count` good ones, `rest` must be empty. */
bool argument_next(struct span *rest, struct span *argument);
/* Appends one; `fill` writes it between begin and end. */
size_t argument_begin(struct buf *out);
void argument_end(struct buf *out, size_t begun);

#endif
