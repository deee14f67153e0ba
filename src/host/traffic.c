/* traffic.c - what goes to and from a cell, and waiting for it. */
#include "host/given.h"
#include "host/host.h"
#include "host/observe.h"

#include "base/check.h"
#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

/* --- out ------------------------------------------------------------------------------------ */

struct frame_tag
isolate_tag(const gbx_isolate *isolate, uint32_t id)
{
    return (struct frame_tag){ .id = id, .nesting = (uint16_t)isolate->nesting };
}

/* Puts what there is room for; true when all of it went. */
static bool
put_some(gbx_isolate *isolate, const struct buf *bytes, size_t *sent)
{
    struct channel *channel = &isolate->cell->channel;
    size_t n, whole = buf_whole(bytes);

    do {
        struct span piece = buf_part(bytes, *sent);
        if (piece.len > RING_PIECE_BYTES)
            piece.len = RING_PIECE_BYTES;
        n = ring_put(&channel->out, piece);
        if (n > 0) {
            ring_publish(&channel->out);
            channel_wake_cell(channel, CHANNEL_WANTS_DATA);
            *sent += n;
            isolate->sent_bytes += n;
        }
    } while (n > 0 && *sent < whole);
    return *sent == whole;
}

static gbx_status
send_bytes(gbx_isolate *isolate, struct buf *out)
{
    size_t sent = 0;

    if (isolate->first_out == NULL && put_some(isolate, out, &sent)) {
        if (out->capacity > FRAME_KEPT_BYTES)
            buf_done(out);
        buf_clear(out);
        return GBX_OK;
    }
    struct outgoing *o = malloc(sizeof *o);
    if (o == NULL) {
        /* Half a message cannot be taken back. */
        buf_clear(out);
        if (sent > 0)
            isolate_condemn(isolate, GBX_ENOMEM, "no memory for the rest of a message");
        return GBX_ENOMEM;
    }
    *o = (struct outgoing){ .bytes = *out, .sent = sent };
    *out = (struct buf){ .max = out->max, .shares = out->shares };
    *isolate->last_out = o;
    isolate->last_out = &o->next;
    isolate->queued_bytes += buf_whole(&o->bytes) - sent;
    if (!isolate->awake)
        isolate_listen(isolate); /* the cell must ring when it has made room */
    return GBX_OK;
}

/* A termination means what was sent before it: the cell must know what was sent after it. */
static gbx_status
tell_stops(gbx_isolate *isolate)
{
    struct buf out = { .max = FRAME_KEPT_BYTES };
    /* Never ahead of the shared word, which the cell compares with what it is told. */
    uint32_t stops = atomic_load(&isolate->stops);

    if (stops == isolate->stops_told)
        return GBX_OK;
    put_stopped(&out, isolate_tag(isolate, 0), &(struct msg_stopped){ .count = stops });
    gbx_status status = out.failed ? GBX_ENOMEM : send_bytes(isolate, &out);
    if (status == GBX_OK)
        isolate->stops_told = stops;
    buf_done(&out);
    return status;
}

/* No request that was sent before may still need them: it may wait for its turn, in a line further
 * out. */
static uint32_t
release_nesting(const gbx_isolate *isolate)
{
    uint32_t nesting = 0;

    while (nesting < isolate->nesting &&
           isolate->lines[nesting].first == isolate->lines[nesting].last)
        nesting++;
    return nesting;
}

static gbx_status
tell_released(gbx_isolate *isolate)
{
    struct references *references = &isolate->references;
    struct buf out = { .max = FRAME_KEPT_BYTES };
    uint8_t ids[4 * REFERENCES_BATCH];

    if (references->released_count == 0)
        return GBX_OK;
    for (uint32_t i = 0; i < references->released_count; i++)
        for (uint32_t j = 0; j < 4; j++)
            ids[4 * i + j] = (uint8_t)(references->released[i] >> 8 * j);
    put_references_close(&out,
        (struct frame_tag){ .nesting = (uint16_t)release_nesting(isolate) },
        &(struct msg_references_close){ .ids = span_of(ids, 4 * references->released_count) });
    gbx_status status = out.failed ? GBX_ENOMEM : send_bytes(isolate, &out);
    if (status == GBX_OK)
        references->released_count = 0;
    buf_done(&out);
    return status;
}

void
isolate_release(gbx_isolate *isolate)
{
    if (isolate->cell != NULL && tell_released(isolate) == GBX_ENOMEM)
        isolate_condemn(isolate, GBX_ENOMEM, NO_MEMORY_TO_TELL);
    isolate->references.released_count = 0;
}

gbx_status
isolate_send(gbx_isolate *isolate)
{
    struct buf *out = &isolate->scratch->out;
    gbx_status status = GBX_OK;

    if (isolate->cell == NULL)
        status = GBX_EDISPOSED;
    else if (out->failed)
        status = out->too_long ? GBX_ETOOBIG : GBX_ENOMEM;
    else
        status = tell_stops(isolate);
    if (status == GBX_OK)
        status = tell_released(isolate);
    if (status == GBX_OK)
        status = functions_tell(isolate);
    if (status == GBX_OK) {
        isolate->told_bytes += out->len;
        status = send_bytes(isolate, out);
    } else {
        buf_clear(out);
    }
    if (status != GBX_OK)
        functions_take_back(isolate);
    isolate->unsent = NULL;
    return status;
}

gbx_status
isolate_send_apart(gbx_isolate *isolate, struct buf *frame)
{
    return send_bytes(isolate, frame);
}

void
isolate_tell(gbx_isolate *isolate)
{
    if (isolate_send(isolate) == GBX_ENOMEM)
        isolate_condemn(isolate, GBX_ENOMEM, NO_MEMORY_TO_TELL);
}

static bool
flush(gbx_isolate *isolate)
{
    bool moved = false;

    while (isolate->first_out != NULL) {
        struct outgoing *o = isolate->first_out;
        size_t before = o->sent;
        bool whole = put_some(isolate, &o->bytes, &o->sent);
        isolate->queued_bytes -= o->sent - before;
        moved |= o->sent > before;
        if (!whole)
            break;
        isolate->first_out = o->next;
        if (o->next == NULL)
            isolate->last_out = &isolate->first_out;
        buf_done(&o->bytes);
        free(o);
    }
    return moved;
}

void
isolate_urge(gbx_isolate *isolate)
{
    if (isolate->cell != NULL)
        channel_alarm(&isolate->cell->channel);
}

/* --- in ------------------------------------------------------------------------------------- */

/* A body's buffer is there for whichever isolate reads next. */
static void
give_back(gbx_isolate *isolate, struct buf *body)
{
    struct buf *spare = &isolate->scratch->body;

    body->len = 0;
    if (spare->p == NULL && body->capacity <= FRAME_KEPT_BYTES) {
        *spare = *body;
        *body = (struct buf){ .max = spare->max };
    }
    buf_done(body);
}

/* One whole message, if there is one. Its body leaves the reader while it is handled, since
 * handling may mean a host function that waits for further messages. */
static bool
take_message(gbx_isolate *isolate)
{
    struct frame_reader *reader = &isolate->reader;
    struct channel *channel = &isolate->cell->channel;
    uint8_t *into;
    size_t wants;

    if (reader->body.p == NULL) {
        reader->body = isolate->scratch->body;
        isolate->scratch->body = (struct buf){ .max = reader->body.max };
    }
    while ((wants = frame_reader_wants(reader, &into)) > 0) {
        size_t n = ring_take(&channel->in, into, wants);
        if (n == 0)
            break;
        isolate->received_bytes += n;
        channel_wake_cell(channel, CHANNEL_WANTS_SPACE);
        if (!frame_reader_got(reader, n))
            continue;
        struct frame frame = reader->frame;
        struct buf body = reader->body;
        reader->body = (struct buf){ .max = body.max };
        frame_next(reader);
        frame.memory = &body;
        (void)receive(isolate, &frame); /* a cell that broke a rule is gone by now */
        give_back(isolate, &body);
        return true;
    }
    if (!frame_reader_midway(reader))
        give_back(isolate, &reader->body);
    if (reader->broken)
        isolate_condemn(isolate, reader->no_memory ? GBX_ENOMEM : GBX_EPROTO, reader->why);
    else if (channel->in.lied || channel->out.lied)
        isolate_condemn(isolate, GBX_EPROTO, "impossible position in the ring");
    return false;
}

bool
isolate_service(gbx_isolate *isolate)
{
    bool any = false;

    for (int i = 0; i < MESSAGES_PER_TURN && isolate->cell != NULL && !isolate->posting; i++) {
        if (!take_message(isolate))
            break;
        any = true;
    }
    if (isolate->cell != NULL && isolate->first_out != NULL)
        any |= flush(isolate);
    if (isolate->cell != NULL && snapshot_listens(isolate))
        any |= snapshot_service(isolate);
    if (!any && isolate->inspectors.live > 0)
        isolate->heard_at_us = now_us();
    return any;
}

/* Takes what had come when it was called. What goes on writing does not hold us. */
void
isolate_take_last(gbx_isolate *isolate)
{
    for (unsigned i = 0; i < LAST_TURNS && isolate_service(isolate); i++)
        ;
}

/* --- waiting -------------------------------------------------------------------------------- */

static uint32_t
wants_of(const gbx_isolate *isolate)
{
    return CHANNEL_WANTS_DATA | (isolate->first_out != NULL ? CHANNEL_WANTS_SPACE : 0u) |
           (snapshot_listens(isolate) ? CHANNEL_WANTS_SNAPSHOT : 0u);
}

void
isolate_set_awake(gbx_isolate *isolate, bool awake)
{
    if (isolate->runtime != NULL && isolate->awake != awake)
        isolate->runtime->awake += awake ? 1u : -1u;
    isolate->awake = awake;
}

void
isolate_wake(gbx_isolate *isolate)
{
    isolate_set_awake(isolate, true);
    if (isolate->cell != NULL)
        channel_host_awake(&isolate->cell->channel);
}

void
isolate_listen(gbx_isolate *isolate)
{
    uint64_t one = 1;

    isolate_set_awake(isolate, false);
    /* What came in the meantime rings our own bell: the next dispatch takes it. */
    if (isolate->cell != NULL &&
        channel_host_wants(&isolate->cell->channel, wants_of(isolate)) &&
        write(isolate->cell->event_fd, &one, sizeof one) < 0)
        return; /* full: rung already */
}

void
isolate_rest(gbx_isolate *isolate)
{
    if (isolate->pumping == 0)
        isolate_listen(isolate);
}

/* Sleeps until the cell rings or dies, or until `until_us`. */
static void
pump_sleep(gbx_isolate *isolate, uint64_t until_us)
{
    struct cell *cell = isolate->cell;
    struct pollfd fds[] = { { .fd = cell->event_fd, .events = POLLIN },
        { .fd = cell->pidfd, .events = POLLIN },
        { .fd = cell->template != NULL ? cell->template->forks_fd : -1, .events = POLLIN },
        { .fd = cell->runtime->descriptors_fd, .events = POLLIN } };
    struct timespec timeout, *wait = NULL;
    uint64_t now = now_us(), count;

    if (isolate->next_kill_us < until_us)
        until_us = isolate->next_kill_us;
    if (until_us != UINT64_MAX) {
        uint64_t left = until_us > now ? until_us - now : 0;
        timeout = (struct timespec){ (time_t)(left / 1000000), (long)(left % 1000000) * 1000 };
        wait = &timeout;
    }
    if (channel_host_wants(&cell->channel, wants_of(isolate))) {
        channel_host_awake(&cell->channel);
        return;
    }
    int n = ppoll(fds, COUNT(fds), wait, NULL);
    channel_host_awake(&cell->channel);
    if (n > 0 && fds[0].revents != 0 && read(cell->event_fd, &count, sizeof count) < 0 &&
        errno != EAGAIN)
        return;
    if (n > 0 && fds[1].revents != 0)
        isolate_ended(isolate);
    else if (n > 0 && fds[2].revents != 0)
        template_answer_forks(cell->template);
    else if (n > 0 && fds[3].revents != 0)
        descriptors_serve(cell->runtime);
}

/* Looks at the clock: enforces deadlines, and answers whether `until_us` has come. */
static bool
time_is_up(gbx_isolate *isolate, uint64_t until_us)
{
    isolate_heed_stops(isolate);
    if (until_us == UINT64_MAX && isolate->next_kill_us == UINT64_MAX)
        return false;
    uint64_t now = now_us();
    if (now >= isolate->next_kill_us)
        (void)isolate_enforce(isolate, now);
    return now >= until_us;
}

void
isolate_pump(gbx_isolate *isolate, const gbx_future *future, uint64_t until_us)
{
    uint64_t started = 0, spun = 0;
    bool under_way = false; /* part of a message has been moved */
    unsigned turns = 0;

    isolate->pumping++;
    isolate_wake(isolate);
    while (!future->finished && isolate->cell != NULL) {
        if (!isolate->awake) /* a callback has dispatched */
            isolate_wake(isolate);
        if (isolate_service(isolate)) {
            if (started != 0 && !under_way)
                spinner_learn(&isolate->spinner, now_ns() - started);
            started = 0;
            if (++turns % TURNS_PER_LOOK != 0 || future->finished)
                continue;
            if (time_is_up(isolate, until_us))
                break;
            if (isolate->cell != NULL && isolate->runtime->descriptors_fd >= 0)
                descriptors_serve(isolate->runtime);
            continue;
        }
        if (isolate->cell == NULL || future->finished || future_is_stuck(future))
            break;
        if (started == 0)
            started = now_ns();
        if (time_is_up(isolate, until_us))
            break;
        if (isolate->cell == NULL || future->finished)
            break;
        under_way = isolate->first_out != NULL || frame_reader_midway(&isolate->reader);
        if (!spinner_spin(&isolate->spinner, &isolate->cell->channel, wants_of(isolate),
                under_way, &spun))
            pump_sleep(isolate, until_us);
    }
    isolate->pumping--;
    isolate_rest(isolate);
}
