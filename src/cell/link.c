/* link.c - frames between the cell and its host. */
#include "cell/cell.h"

#include "base/bytes.h"
#include "base/check.h"
#include "base/clock.h"

#include <stdlib.h>
#include <unistd.h>

/* --- in -------------------------------------------------------------------------------------
 */

static struct queued *
queued_new(struct cell *cell)
{
    struct queued *q = cell->spare != NULL ? cell->spare : malloc(sizeof *q);

    if (q == NULL)
        death_note(GBX_EMEMORY, CHANNEL_NOTE_ALLOCATION, cell->memory_limit_bytes, 0,
            "no memory for a message of the host", span_of(NULL, 0));
    cell->spare = NULL;
    q->next = NULL;
    q->stops = cell->stops;
    /* The body leaves the reader with the frame: more may be read while this one runs. */
    q->frame = cell->reader.frame;
    q->body = cell->reader.body;
    cell->reader.body = (struct buf){ .max = q->body.max };
    frame_next(&cell->reader);
    q->kept = NULL;
    q->younger = NULL;
    q->older = cell->youngest;
    if (q->older != NULL)
        q->older->younger = q;
    cell->youngest = q;
    return q;
}

void
queued_free(struct cell *cell, struct queued *q)
{
    if (q->younger != NULL)
        q->younger->older = q->older;
    else
        cell->youngest = q->older;
    if (q->older != NULL)
        q->older->younger = q->younger;
    if (q->kept != NULL) {
        bytes_unref(q->kept);
        q->body = (struct buf){ .max = q->body.max };
    }
    if (cell->reader.body.p == NULL && q->body.capacity <= FRAME_KEPT_BYTES) {
        q->body.len = 0;
        cell->reader.body = q->body;
        q->body = (struct buf){ .max = q->body.max };
    }
    buf_done(&q->body);
    if (cell->spare == NULL)
        cell->spare = q;
    else
        free(q);
}

struct bytes *
link_keep(struct cell *cell, const void *p)
{
    for (struct queued *q = cell->youngest; q != NULL; q = q->older) {
        if (q->body.p == NULL || (uintptr_t)p - (uintptr_t)q->body.p >= q->body.len)
            continue;
        if (q->kept == NULL)
            q->kept = bytes_adopt_malloced(q->body.p, q->body.capacity);
        return q->kept == NULL ? NULL : bytes_ref(q->kept);
    }
    return NULL;
}

/* The host tells before a request how many terminations came before that. True: it was this. */
static bool
take_stops(struct cell *cell)
{
    struct msg_stopped m;

    if (cell->reader.frame.type != MESSAGE_STOPPED)
        return false;
    GBX_CHECK(get_stopped(cell->reader.frame.body, &m) == GBX_OK);
    cell->stops = m.count;
    frame_next(&cell->reader);
    return true;
}

/* Takes bytes out of the ring until a frame is whole. NULL: the ring is empty. */
static struct queued *
receive(struct cell *cell)
{
    uint8_t *into;
    size_t wants;

    while ((wants = frame_reader_wants(&cell->reader, &into)) > 0) {
        size_t n = ring_take(&cell->channel.in, into, wants);
        if (n == 0)
            return NULL;
        channel_wake_host(&cell->channel, CHANNEL_WANTS_SPACE, cell->event_fd);
        if (frame_reader_got(&cell->reader, n) && !take_stops(cell)) {
            cell->announced = cell->reader.frame.type == MESSAGE_FUNCTIONS_GIVEN;
            return queued_new(cell);
        }
    }
    /* The host is trusted: a broken stream is a bug of ours, or no memory. */
    if (cell->reader.body.failed)
        death_of_allocation("no memory for a message of the host", span_of(NULL, 0));
    death_note(GBX_ECRASHED, CHANNEL_NOTE_NONE, 0, 0,
        cell->reader.why != NULL ? cell->reader.why : "broken stream", span_of(NULL, 0));
}

static void
enqueue(struct cell *cell, struct queued *q)
{
    *cell->last = q;
    cell->last = &q->next;
    cell->urgent += is_urgent(&q->frame);
}

/* Where a frame may run: an answer for whom it is awaited, or when nobody waits for it any more;
 * a settlement, of an import too, when no guest code is on the stack; a request in the host
 * function that sent it, or further out; anywhere, what is urgent, and what runs nothing and may be
 * needed inside. */
static bool
may_run(const struct cell *cell, const struct frame *frame)
{
    if (frame->type == MESSAGE_ANSWER)
        return frame->id == cell->awaited || table_get(&cell->callbacks, frame->id) == NULL;
    if (frame->type == MESSAGE_SETTLE || frame->type == MESSAGE_RESOLVED)
        return cell->nesting == 0 && cell->blocked == 0;
    return frame->nesting >= cell->nesting || frame->type == MESSAGE_CONTEXT_OPEN ||
           frame->type == MESSAGE_FUNCTIONS_GIVEN || is_urgent(frame);
}

static bool
may_run_urgent(const struct cell *cell, const struct frame *frame)
{
    (void)cell;
    return is_urgent(frame);
}

/* The first of the inbox that may run. */
static struct queued *
dequeue(struct cell *cell, bool (*may)(const struct cell *cell, const struct frame *frame))
{
    struct queued **at = &cell->first;

    while (*at != NULL && !may(cell, &(*at)->frame))
        at = &(*at)->next;
    struct queued *q = *at;
    if (q == NULL)
        return NULL;
    *at = q->next;
    if (q->next == NULL)
        cell->last = at;
    q->next = NULL;
    cell->urgent -= is_urgent(&q->frame);
    return q;
}

bool
link_urgent(const struct cell *cell)
{
    return cell->urgent > 0;
}

/* What runs has been told to end. */
static bool
is_stopping(const struct cell *cell)
{
    const struct task *task = cell->current;

    return watch_fired() ||
           (task != NULL && (task->stopped != GBX_OK ||
                                task->stops != atomic_load(&cell->channel.shared->stop)));
}

void
link_poll(struct cell *cell)
{
    struct queued *q;

    for (;;) {
        while (ring_used(&cell->channel.in) > 0 && (q = receive(cell)) != NULL)
            enqueue(cell, q);
        /* One by one: serving may send, and sending may queue more. A hundred requests take longer
         * than the grace of who is to end, and lose nothing by waiting for that. */
        if (cell->urgent == 0 || is_stopping(cell))
            break;
        q = dequeue(cell, may_run_urgent);
        serve_urgent(cell, &q->frame);
        queued_free(cell, q);
    }
    snapshot_reap(cell);
}

void
link_wait(struct cell *cell, uint64_t timeout_ns)
{
    uint64_t start = now_ns(), spun = 0;
    uint32_t wants = CHANNEL_WANTS_DATA | CHANNEL_WANTS_STOP;
    bool under_way = frame_reader_midway(&cell->reader);

    if (!spinner_spin(&cell->spinner, &cell->channel, wants, under_way, &spun) &&
        spun < timeout_ns)
        channel_cell_sleep(
            &cell->channel, wants, timeout_ns == UINT64_MAX ? UINT64_MAX : timeout_ns - spun);
    if (!under_way)
        spinner_learn(&cell->spinner, now_ns() - start);
}

/* The next frame that may run now, without waiting. */
static struct queued *
ready(struct cell *cell)
{
    struct queued *q;

    if (cell->first != NULL && (q = dequeue(cell, may_run)) != NULL)
        return q;
    while (ring_used(&cell->channel.in) > 0 && (q = receive(cell)) != NULL) {
        if (may_run(cell, &q->frame))
            return q;
        enqueue(cell, q);
    }
    return NULL;
}

struct queued *
link_next(struct cell *cell, uint64_t timeout_ns)
{
    struct queued *q = ready(cell);

    if (q == NULL && timeout_ns > 0) {
        link_wait(cell, timeout_ns);
        q = ready(cell);
    }
    return q;
}

bool
link_anew(struct cell *cell, int fd)
{
    struct queued *q;

    if (!channel_remap(&cell->channel, fd))
        return false;
    while ((q = cell->first) != NULL) {
        cell->first = q->next;
        queued_free(cell, q);
    }
    cell->last = &cell->first;
    cell->urgent = cell->stops = cell->stops_looked = 0;
    cell->announced = false;
    frame_reader_done(&cell->reader);
    frame_reader_init(&cell->reader, TO_CELL);
    buf_done(&cell->out);
    cell->out = (struct buf){ .max = MESSAGE_BYTES_MAX };
    return true;
}

/* --- out ------------------------------------------------------------------------------------
 */

/* All of it, in order; blocks while the ring is full. */
static void
send_bytes(struct cell *cell, struct span bytes)
{
    for (;;) {
        size_t piece = bytes.len < RING_PIECE_BYTES ? bytes.len : RING_PIECE_BYTES;
        size_t n = ring_put(&cell->channel.out, span_of(bytes.p, piece));
        bytes = span_of(bytes.p + n, bytes.len - n);
        if (bytes.len == 0)
            return;
        ring_publish(&cell->channel.out);
        channel_wake_host(&cell->channel, CHANNEL_WANTS_DATA, cell->event_fd);
        if (n > 0)
            continue;
        struct queued *q;
        while (ring_used(&cell->channel.in) > 0 && (q = receive(cell)) != NULL)
            enqueue(cell, q);
        uint64_t spun = 0;
        if (!spinner_spin(&cell->spinner, &cell->channel,
                CHANNEL_WANTS_SPACE | CHANNEL_WANTS_DATA, true, &spun))
            channel_cell_sleep(
                &cell->channel, CHANNEL_WANTS_SPACE | CHANNEL_WANTS_DATA, UINT64_MAX);
    }
}

void
link_send_with(struct cell *cell, const struct buf *tail)
{
    struct buf out = cell->out;

    /* Building it may have failed; what must be told cannot be. */
    if (out.failed)
        death_note(GBX_EMEMORY, CHANNEL_NOTE_ALLOCATION, cell->memory_limit_bytes, 0,
            "no memory for an answer", span_of(NULL, 0));
    cell->out = (struct buf){ .max = out.max };
    send_bytes(cell, buf_span(&out));
    for (size_t at = 0; at < buf_whole(tail);) {
        struct span part = buf_part(tail, at);
        send_bytes(cell, part);
        at += part.len;
    }
    ring_publish(&cell->channel.out);
    channel_wake_host(&cell->channel, CHANNEL_WANTS_DATA, cell->event_fd);
    /* The alarm for it has come and gone while it could not be served. */
    if (cell->urgent > 0 && cell->running)
        engine_interrupt();
    /* A small buffer is kept, unless a frame was built meanwhile. */
    if (cell->out.p == NULL && out.capacity <= FRAME_KEPT_BYTES) {
        cell->out = out;
        cell->out.len = 0;
    } else {
        buf_done(&out);
    }
}

void
link_send(struct cell *cell)
{
    link_send_with(cell, &(struct buf){ .max = 0 });
}
