/* fuzz_frame.c - the stream of a peer into frames and their fields, and those written again.
 *
 * The first byte: the direction, whether the stream goes on with zeros for as long as a body wants
 * some, and how many bytes arrive at a time. */
#include "base/check.h"
#include "fuzz.h"
#include "wire/frame.h"

enum {
    ZEROS_MAX = 4 << 20, /* bytes of a body: past what a reader keeps */
};

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

/* A complete frame wants nothing more. */
static void
take_frame(struct frame_reader *reader)
{
    uint8_t *into;

    GBX_CHECK(frame_reader_wants(reader, &into) == 0);
    check_frame(&reader->frame);
    check_arguments(reader->frame.body);
    frame_next(reader);
    GBX_CHECK(!frame_reader_midway(reader) && reader->body.capacity <= FRAME_KEPT_BYTES);
}

static void
go_on_with_zeros(struct frame_reader *reader)
{
    uint8_t *into;
    size_t wants;

    while (reader->in_body && reader->body_bytes <= ZEROS_MAX &&
           (wants = frame_reader_wants(reader, &into)) > 0) {
        memset(into, 0, wants);
        if (frame_reader_got(reader, wants))
            take_frame(reader);
    }
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
        size_t n = (size_t)(data[0] >> 2) + 1;
        n = n < wants ? n : wants;
        n = n < size - at ? n : size - at;
        memcpy(into, data + at, n);
        at += n;
        if (frame_reader_got(&reader, n))
            take_frame(&reader);
    }
    GBX_CHECK(at == size || reader.broken);
    if ((data[0] & 2) != 0)
        go_on_with_zeros(&reader);
    frame_reader_done(&reader);
    return 0;
}
