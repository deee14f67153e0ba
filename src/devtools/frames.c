/* frames.c - WebSocket frames. */
#include "devtools/frames.h"

#include "base/limits.h"

enum {
    FIN = 0x80,
    RESERVED = 0x70,
    OPCODE = 0x0F,
    MASKED = 0x80,
    LENGTH = 0x7F,
    FRAME_CONTINUATION = 0,
    FRAME_BINARY = 2,
    FRAME_CONTROL = 8, /* this bit tells them from data */

    BROKEN = 1002, /* close codes */
    UNFIT = 1003,
    TOO_LONG = 1009,
    NO_MEMORY = 1011
};

static enum frames_event
broken(struct frames *f, uint16_t code)
{
    f->code = code;
    return FRAMES_BROKEN;
}

/* Bytes that the head will have; from its second on it is known. */
static size_t
head_size(const struct frames *f)
{
    unsigned length = f->head_len < 2 ? 0 : f->head[1] & LENGTH;

    return 2 + 4 + (length == 127 ? 8u : length == 126 ? 2u : 0u);
}

/* False: not in the one form that it may have. */
static bool
read_length(const struct frames *f, uint64_t *out)
{
    unsigned length = f->head[1] & LENGTH, bytes = length == 127 ? 8 : length == 126 ? 2 : 0;
    uint64_t n = 0;

    for (unsigned i = 0; i < bytes; i++)
        n = n << 8 | f->head[2 + i];
    *out = bytes == 0 ? length : n;
    return bytes == 0 || (n > (bytes == 2 ? 125u : 0xFFFFu) && n >> 63 == 0);
}

/* The head is whole. 0, or the code to close with. */
static uint16_t
check_head(struct frames *f)
{
    unsigned opcode = f->head[0] & OPCODE;
    bool fin = (f->head[0] & FIN) != 0;

    if ((f->head[0] & RESERVED) != 0 || (f->head[1] & MASKED) == 0 || !read_length(f, &f->left))
        return BROKEN;
    if ((opcode & FRAME_CONTROL) != 0)
        return fin && f->left <= sizeof f->control && opcode <= FRAME_PONG ? 0 : BROKEN;
    if (opcode == FRAME_BINARY && !f->open)
        return UNFIT;
    if (opcode != (f->open ? (unsigned)FRAME_CONTINUATION : (unsigned)FRAME_TEXT))
        return BROKEN;
    return f->left > f->message.max - f->message.len ? TOO_LONG : 0;
}

static uint16_t
take_head(struct frames *f, struct span *rest)
{
    while (rest->len > 0 && f->head_len < head_size(f)) {
        f->head[f->head_len++] = rest->p[0];
        *rest = span_of(rest->p + 1, rest->len - 1);
    }
    /* Not later: who sends garbage is told at once, not when it happens to make a whole head. */
    if (f->head_len >= 2 && (f->head[1] & MASKED) == 0)
        return BROKEN;
    if (f->head_len < head_size(f))
        return 0;
    uint16_t code = check_head(f);
    if (code != 0)
        return code;
    memcpy(f->mask, f->head + f->head_len - 4, 4);
    f->mask_at = 0;
    f->payload = true;
    if ((f->head[0] & FRAME_CONTROL) != 0)
        f->control_len = 0;
    else
        f->open = true;
    return 0;
}

static bool
take_payload(struct frames *f, struct span *rest)
{
    size_t n = f->left < rest->len ? (size_t)f->left : rest->len;
    bool control = (f->head[0] & FRAME_CONTROL) != 0;
    uint8_t *to = control ? f->control + f->control_len : buf_grow(&f->message, n);

    if (to == NULL)
        return false;
    for (size_t i = 0; i < n; i++)
        to[i] = rest->p[i] ^ f->mask[f->mask_at++ & 3];
    f->control_len += control ? n : 0;
    f->left -= n;
    *rest = span_of(rest->p + n, rest->len - n);
    return true;
}

/* The codes that may stand in a frame; RFC 6455, 7.4. */
static bool
is_close_code(unsigned code)
{
    return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
           (code >= 3000 && code <= 4999);
}

static enum frames_event
closed(struct frames *f)
{
    unsigned code = f->control_len < 2 ? 0 : (unsigned)(f->control[0] << 8 | f->control[1]);

    f->code = f->control_len == 0 ? 1000 : is_close_code(code) ? (uint16_t)code : BROKEN;
    return FRAMES_CLOSE;
}

/* A frame is whole. */
static enum frames_event
end_frame(struct frames *f)
{
    f->head_len = 0;
    f->payload = false;
    switch (f->head[0] & OPCODE) {
    case FRAME_CLOSE:
        return closed(f);
    case FRAME_PING:
        return FRAMES_PING;
    case FRAME_PONG:
        return FRAMES_MORE;
    default:
        if ((f->head[0] & FIN) == 0)
            return FRAMES_MORE;
        f->open = false;
        f->delivered = true;
        return FRAMES_MESSAGE;
    }
}

enum frames_event
frames_read(struct frames *f, struct span *rest)
{
    if (f->delivered) {
        if (f->message.capacity > DEVTOOLS_READ_BYTES)
            buf_done(&f->message);
        buf_clear(&f->message);
        f->delivered = false;
    }
    for (;;) {
        uint16_t code = f->payload ? 0 : take_head(f, rest);
        if (code != 0)
            return broken(f, code);
        if (!f->payload)
            return FRAMES_MORE;
        if (!take_payload(f, rest))
            return broken(f, NO_MEMORY);
        if (f->left > 0)
            return FRAMES_MORE;
        enum frames_event event = end_frame(f);
        if (event != FRAMES_MORE)
            return event;
    }
}

void
frames_done(struct frames *f)
{
    buf_done(&f->message);
}

size_t
frames_head(uint8_t out[FRAME_HEAD_MAX], unsigned opcode, uint64_t len)
{
    unsigned bytes = len <= 125 ? 0 : len <= 0xFFFF ? 2 : 8;

    out[0] = (uint8_t)(FIN | opcode);
    out[1] = (uint8_t)(bytes == 0 ? len : bytes == 2 ? 126 : 127);
    for (unsigned i = 0; i < bytes; i++)
        out[2 + i] = (uint8_t)(len >> 8 * (bytes - 1 - i));
    return 2 + bytes;
}
