/* fuzz_websocket.c - any bytes as a client's frames, at once and in parts: told of are the same.
 *
 * The first byte: how many bytes arrive at a time, the second time; and how many allocations are
 * good, the third time. */
#include "base/check.h"
#include "devtools/frames.h"
#include "fuzz.h"
#include "unit/faults.h"

#include <errno.h>

enum {
    MESSAGE_MAX = 1 << 17
};

/* All that was told of, in one row of bytes, unless that is NULL. */
static void
note(struct buf *told, const struct frames *f, enum frames_event event)
{
    const void *bytes = event == FRAMES_PING ? f->control : f->message.p;
    size_t len = event == FRAMES_PING      ? f->control_len
                 : event == FRAMES_MESSAGE ? f->message.len
                                           : 0;

    GBX_CHECK(len <= (event == FRAMES_PING ? sizeof f->control : (size_t)MESSAGE_MAX));
    GBX_CHECK(event == FRAMES_PING || event == FRAMES_MESSAGE ||
              (f->code >= 1000 && f->code <= 4999));
    if (told == NULL)
        return;
    buf_printf(told, "%d %u %zu ", (int)event, event >= FRAMES_CLOSE ? f->code : 0u, len);
    buf_append(told, bytes, len);
}

static void
feed(struct buf *told, struct span all, size_t at_a_time)
{
    struct frames f = { .message = { .max = MESSAGE_MAX } };
    enum frames_event event = FRAMES_MORE;

    while (all.len > 0 && event < FRAMES_CLOSE) {
        struct span part = span_of(all.p, at_a_time < all.len ? at_a_time : all.len);
        all = span_of(all.p + part.len, all.len - part.len);
        do {
            size_t left = part.len;
            event = frames_read(&f, &part);
            GBX_CHECK(part.len <= left && (event != FRAMES_MORE || part.len == 0));
            if (event != FRAMES_MORE)
                note(told, &f, event);
        } while (part.len > 0 && event < FRAMES_CLOSE);
    }
    frames_done(&f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole = { .max = SIZE_MAX }, parts = { .max = SIZE_MAX };

    if (size == 0)
        return 0;
    feed(&whole, span_of(data + 1, size - 1), size);
    feed(&parts, span_of(data + 1, size - 1), data[0] % 16u + 1);
    fault_arm(FAULT_MEMORY, data[0] / 16, true, ENOMEM);
    feed(NULL, span_of(data + 1, size - 1), size);
    (void)fault_disarm();
    GBX_CHECK(!whole.failed && !parts.failed && whole.len == parts.len);
    GBX_CHECK(whole.len == 0 || memcmp(whole.p, parts.p, whole.len) == 0);
    buf_done(&whole);
    buf_done(&parts);
    return 0;
}
