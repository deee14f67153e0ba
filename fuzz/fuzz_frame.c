/* fuzz_frame.c - the stream of a peer into frames and their fields, and those written again.
 *
 * The first byte: the direction, and how many bytes arrive at a time. */
#include "base/check.h"
#include "fuzz.h"
#include "wire/frame.h"

/* What decodes encodes to the same bytes: there is one form of each message. */
static void
check_frame(const struct frame *frame)
{
    struct buf out = { .max = MESSAGE_BYTES_MAX };
    struct frame_tag tag = { .id = frame->id, .nesting = (uint16_t)frame->nesting };

    switch (frame->type) {
#define MESSAGE(NAME, name, direction, max, fields)                                   \
    case MESSAGE_##NAME: {                                                            \
        struct msg_##name m;                                                          \
        if (get_##name(frame->body, &m) != GBX_OK)                                    \
            break;                                                                    \
        put_##name(&out, tag, &m);                                                    \
        GBX_CHECK(!out.failed && out.len == FRAME_HEADER + frame->body.len);          \
        GBX_CHECK(frame->body.len == 0 ||                                             \
                  memcmp(out.p + FRAME_HEADER, frame->body.p, frame->body.len) == 0); \
        break;                                                                        \
    }
#include "wire/protocol.def"
#undef MESSAGE
    default:
        check_failed(__FILE__, __LINE__, "the reader let an unknown type through");
    }
    buf_done(&out);
}

static void
check_arguments(struct span body)
{
    struct span argument;
    size_t total = 0;

    while (argument_next(&body, &argument))
        total += argument.len;
    GBX_CHECK(total <= MESSAGE_BYTES_MAX);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct frame_reader reader;
    size_t at = 1, wants;
    uint8_t *into;

    if (size == 0)
        return 0;
    frame_reader_init(&reader, (data[0] & 1) != 0 ? TO_HOST : TO_CELL);
    while (at < size && (wants = frame_reader_wants(&reader, &into)) > 0) {
        size_t n = (size_t)(data[0] >> 1) + 1;
        n = n < wants ? n : wants;
        n = n < size - at ? n : size - at;
        memcpy(into, data + at, n);
        at += n;
        if (frame_reader_got(&reader, n)) {
            check_frame(&reader.frame);
            check_arguments(reader.frame.body);
            frame_next(&reader);
        }
    }
    GBX_CHECK(at == size || reader.broken);
    frame_reader_done(&reader);
    return 0;
}
