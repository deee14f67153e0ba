/* fuzz_snapshot.c - the stream of a snapshot child, and what its cell says beside it.
 *
 * What a sink gets must be what the pieces of the stream hold, in order, for as long as no position
 * was forged; and a snapshot that is said to be whole has as many bytes as were delivered. */
#include "base/check.h"
#include "base/clock.h"
#include "fuzz.h"
#include "host/snapshot.h"
#include "input.h"
#include "unit/fake_cell.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* What the stream's bytes amount to. */
static struct model {
    struct buf bytes;
    uint32_t header, have, left;
    bool forged;
} model;

static struct fake_cell f;
static struct input in;
static gbx_future *future;
static bool background;
static size_t delivered;
static uint32_t refuse_after; /* bytes that the sink takes; 0: all */
static bool holds;            /* the sink has no room */
static char directory[64];

static void
directory_remove(void)
{
    (void)rmdir(directory);
}

static const char *
path_of_file(void)
{
    static char path[96];

    if (directory[0] == '\0') {
        (void)snprintf(directory, sizeof directory, "/tmp/glovebox-fuzz-XXXXXX");
        GBX_CHECK(mkdtemp(directory) != NULL && atexit(directory_remove) == 0);
        (void)snprintf(path, sizeof path, "%s/a.heapsnapshot", directory);
    }
    return path;
}

static gbx_status
sink(const void *piece, size_t len, void *data)
{
    (void)data;
    if (holds && background)
        return GBX_EBUSY;
    if (!model.forged && len > 0) {
        GBX_CHECK(delivered + len <= model.bytes.len);
        GBX_CHECK(memcmp(model.bytes.p + delivered, piece, len) == 0);
    }
    delivered += len;
    return refuse_after != 0 && delivered > refuse_after ? GBX_ELIMIT : GBX_OK;
}

static void
model_reset(void)
{
    buf_done(&model.bytes);
    model = (struct model){ .bytes = { .max = GIB }, .forged = model.forged };
    delivered = 0;
}

static void
model_add(struct span bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        if (model.left > 0) {
            buf_byte(&model.bytes, bytes.p[i]);
            model.left--;
            continue;
        }
        model.header |= (uint32_t)bytes.p[i] << (8 * model.have);
        if (++model.have == 4) {
            model.left = model.header;
            model.header = model.have = 0;
        }
    }
}

static void
serve(void)
{
    gbx_isolate *isolate = f.isolate;

    isolate_ref(isolate);
    while (isolate->cell != NULL && isolate_service(isolate))
        ;
    isolate_unref(isolate);
}

static void
stream(struct span bytes)
{
    size_t n = ring_put(&f.side.snapshot, bytes);

    if (background)
        model_add(span_of(bytes.p, n));
    ring_publish(&f.side.snapshot);
}

/* More than a snapshot can have, in one piece. */
static void
flood(void)
{
    static const uint8_t header[4] = { 0xff, 0xff, 0xff, 0xff }, bytes[RING_BYTES];

    model.forged = true; /* the model need not hold all that */
    /* Behind a piece that is not whole the header is none, and what follows ends it sooner. */
    (void)ring_put(&f.side.snapshot, span_of(header, sizeof header));
    while (f.isolate->cell != NULL &&
           ring_put(&f.side.snapshot, span_of(bytes, sizeof bytes)) > 0) {
        ring_publish(&f.side.snapshot);
        serve();
        if (future == NULL || future->finished)
            break;
    }
}

static void
start(uint32_t how)
{
    gbx_snapshot_options options = GBX_SNAPSHOT_OPTIONS_INIT;
    static int full = -1;

    if (full < 0)
        full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    if (future != NULL)
        return;
    options.mode = how / 8 % 2;
    background = options.mode == GBX_SNAPSHOT_BACKGROUND;
    refuse_after = how / 16;
    if (how % 8 == 0)
        options.path = path_of_file();
    else if (how % 8 == 1)
        options.fd = full;
    else
        options.sink = sink;
    model_reset();
    future = gbx_heap_snapshot(f.isolate, &options);
}

/* The cell's part. Its request is the second future that the snapshot opens. */
static void
say(uint32_t what)
{
    struct frame_tag tag = { .id = f.isolate->snapshot_request };
    struct span piece = input_piece(&in);

    if (what % 4 == 0)
        put_result(&f.out, tag, &(struct msg_result){ .value = piece });
    else if (what % 4 == 1)
        put_failure(&f.out, tag,
            &(struct msg_failure){ .status = (uint32_t)-GBX_ESYS, .message = piece });
    else {
        if (!background)
            buf_append(&model.bytes, piece.p, piece.len);
        put_snapshot_piece(&f.out, tag, &(struct msg_snapshot_piece){ .data = piece });
    }
    fake_cell_say(&f);
}

static void
forge(void)
{
    uint32_t which = input_u8(&in);

    model.forged = true;
    atomic_store(which % 2 == 0 ? &f.side.shared->snapshot.head : &f.side.shared->snapshot.tail,
        input_number(&in, 4));
}

static void
settle(void)
{
    if (future == NULL || !future->finished)
        return;
    double bytes = 0;
    if (future->status == GBX_OK && !model.forged)
        GBX_CHECK(gbx_value_get_number(future->value, &bytes) == GBX_OK &&
                  (delivered == 0 || bytes == (double)delivered));
    gbx_future_free(future);
    future = NULL;
}

/* The host's own doings. */
static void
rarely(uint32_t what)
{
    gbx_error error = GBX_ERROR_INIT;

    if (what == 0xf1 && !model.forged && f.isolate->snapshot != NULL)
        flood();
    else if (what == 0xf2 && future != NULL)
        (void)gbx_heap_snapshot_cancel(future);
    else if (what == 0xf3 && future != NULL)
        (void)gbx_heap_snapshot_resume(future);
    else if (what == 0xf4)
        snapshot_look(f.isolate, now_us() + LIMIT_US_MAX);
    else if (what == 0xf5)
        holds = !holds;
    else if (what == 0xf6 && f.isolate->limit.path == NULL) {
        f.isolate->options.limit_snapshot = path_of_file();
        GBX_CHECK(limit_begin(f.isolate, &error) == GBX_OK);
    } else if (what == 0xf7 && limit_asked(f.isolate) == LIMIT_GO) {
        background = true;
    }
}

static void
operate(void)
{
    uint32_t what = input_u8(&in);

    switch (what % 8) {
    case 0:
        start(input_u8(&in));
        break;
    case 1:
    case 2:
        stream(input_piece(&in));
        break;
    case 3:
        say(input_u8(&in));
        break;
    case 4:
        serve();
        break;
    case 5:
        forge();
        break;
    case 6:
        settle();
        break;
    default:
        rarely(input_u8(&in));
        break;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;

    options.memory_limit_bytes = MEMORY_LIMIT_MIN;
    in = (struct input){ span_of(data, size) };
    model.forged = holds = false;
    model_reset();
    fake_cell_open(&f, &options, 0);
    while (in.left.len > 0 && f.isolate->cell != NULL)
        operate();
    if (f.isolate->cell != NULL)
        serve();
    settle();
    gbx_future_free(future);
    future = NULL;
    fake_cell_close(&f);
    buf_done(&model.bytes);
    (void)unlink(path_of_file());
    return 0;
}
