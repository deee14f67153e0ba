/* frames.h - WebSocket frames (RFC 6455), as a server reads and writes them. No extensions.
 *
 * Runs in:  host.
 * Trusts:   nothing. What is kept grows with what has come, not with what was announced.
 * Threads:  one at a time.
 */
#ifndef DEVTOOLS_FRAMES_H
#define DEVTOOLS_FRAMES_H

#include "base/buf.h"

enum {
    FRAME_TEXT = 1,
    FRAME_CLOSE = 8,
    FRAME_PING = 9,
    FRAME_PONG = 10,
    FRAME_HEAD_MAX = 10 /* bytes of a head that we write */
};

enum frames_event {
    FRAMES_MORE,    /* all was taken, and nothing is whole */
    FRAMES_MESSAGE, /* `message` has one, till the next call */
    FRAMES_PING,    /* `control` has what is to be sent back, likewise */
    FRAMES_CLOSE,   /* `code` is what to close with */
    FRAMES_BROKEN   /* likewise; nothing further may be read */
};

struct frames {
    struct buf message; /* `max` is the longest that is taken */
    uint8_t control[125];
    size_t control_len;
    uint16_t code;

    /* Inside. */
    uint8_t head[14];
    size_t head_len;
    uint64_t left; /* of the frame's payload */
    uint8_t mask[4];
    unsigned mask_at;
    bool payload;   /* the head is whole */
    bool open;      /* a message has begun and not ended */
    bool delivered; /* the last call told of it */
};

/* Takes from the beginning of *rest up to what it tells of. */
enum frames_event frames_read(struct frames *f, struct span *rest);
void frames_done(struct frames *f);

/* The head of a frame that is whole; bytes of it. */
size_t frames_head(uint8_t out[FRAME_HEAD_MAX], unsigned opcode, uint64_t len);

#endif
