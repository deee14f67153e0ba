/* snapshot.c - heap snapshots on their way to a file, a descriptor or a callback.
 *
 * A background snapshot comes as pieces (u32 length, bytes) through a ring of its own, written by
 * the snapshot child; an attached one as messages of the cell. The host holds one piece at most.
 */
#include "host/snapshot.h"

#include "base/clock.h"
#include "base/error.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

void
snapshot_free(struct snapshot *s)
{
    result_file_close(&s->file);
    buf_done(&s->held);
    free(s);
}

/* After a callback, which may close the isolate. False: it has ended the snapshot. */
static bool
returned(struct snapshot *s)
{
    bool goes_on = !s->orphan;

    if (--s->delivering == 0 && !goes_on)
        snapshot_free(s);
    return goes_on;
}

/* False: the sink has ended the snapshot. */
static bool
deliver(struct snapshot *s, struct span piece, gbx_status *status, gbx_error *error)
{
    *status = GBX_OK;
    if (s->sink == NULL) {
        *status = result_file_write(&s->file, piece, error);
        s->bytes = s->file.bytes;
        return true;
    }
    s->delivering++;
    s->bytes += piece.len; /* its end may come inside of the sink */
    gbx_status answer = s->sink(piece.p, piece.len, s->data);
    if (!returned(s))
        return false;
    if (answer == GBX_EBUSY && s->background) {
        s->bytes -= piece.len;
        struct buf held = { .max = piece.len };
        buf_append(&held, piece.p, piece.len);
        buf_done(&s->held);
        s->held = held;
        if (held.failed)
            *status = fail(error, GBX_ENOMEM, "no memory for a piece that has to wait");
        return true;
    }
    if (answer != GBX_OK)
        *status = fail(error, answer, "the snapshot's sink gave up");
    return true;
}

/* --- the end -------------------------------------------------------------------------------- */

/* Finishes the future, one way or the other. `error` is set unless it went well. */
static void
finish(gbx_isolate *isolate, gbx_status status, gbx_error *error)
{
    struct snapshot *s = isolate->snapshot;
    gbx_value *bytes = NULL;

    isolate->snapshot = NULL;
    if (status == GBX_OK && s->file.path != NULL)
        status = result_file_name(&s->file, error);
    if (status == GBX_OK && (bytes = gbx_value_new_number((double)s->bytes)) == NULL)
        status = fail(error, GBX_ENOMEM, "no memory for the answer");
    gbx_future *future = s->future;
    if (s->delivering > 0)
        s->orphan = true;
    else
        snapshot_free(s);
    if (future != NULL)
        future_finish(future, status, error, bytes, NULL);
}

/* The cell or its child stops at its next step; that is the end, so that another one can be taken
 * then. */
void
snapshot_give_up(gbx_isolate *isolate, const gbx_error *error)
{
    struct snapshot *s = isolate->snapshot;

    atomic_store(&isolate->cell->channel.shared->snapshot_stop, 1);
    channel_wake_child(&isolate->cell->channel);
    s->given_up = true;
    s->error = *error;
    s->until_us = now_us() + SNAPSHOT_STOP_US;
    buf_done(&s->held);
    s->held = (struct buf){ .max = 0 };
    if (s->future == NULL)
        text_copy(isolate->limit.error, sizeof isolate->limit.error, error->message,
            strlen(error->message));
}

bool
snapshot_listens(const gbx_isolate *isolate)
{
    const struct snapshot *s = isolate->snapshot;

    return s != NULL && !s->given_up && !(s->future == NULL && s->whole) && s->held.len == 0 &&
           s->delivering == 0;
}

bool
snapshot_is_open(const gbx_isolate *isolate)
{
    return isolate->snapshot != NULL || isolate->snapshot_request != 0;
}

/* Those that wait for their turn. */
static void
abandon_queued(gbx_isolate *isolate, gbx_status status, const gbx_error *error)
{
    struct snapshot *s;

    while ((s = isolate->snapshots) != NULL) {
        gbx_future *future = s->future;
        isolate->snapshots = s->next;
        snapshot_free(s);
        future_finish(future, status, error, NULL, NULL);
    }
}

void
snapshot_abandon(gbx_isolate *isolate)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_status status = isolate->has_died ? isolate->death.status : GBX_EDISPOSED;

    isolate->snapshot_request = 0;
    (void)fail(&error, status, "the isolate ended before its heap snapshot was written: %s",
        isolate->has_died ? isolate->death_message : gbx_strstatus(status));
    if (isolate->snapshot != NULL && isolate->snapshot->given_up) {
        gbx_error why = isolate->snapshot->error;
        finish(isolate, why.status, &why);
    } else if (isolate->snapshot != NULL) {
        finish(isolate, status, &error);
    }
    abandon_queued(isolate, status, &error);
}

static void begin_request(gbx_isolate *isolate, struct snapshot *s);

static void
begin_next(gbx_isolate *isolate)
{
    struct snapshot *s = isolate->snapshots;

    if (s == NULL || isolate->cell == NULL || snapshot_is_open(isolate))
        return;
    isolate->snapshots = s->next;
    begin_request(isolate, s);
}

/* The cell's answer: it has written its last piece, or its child has ended. */
void
snapshot_end(gbx_isolate *isolate, gbx_future *request, gbx_status status, const char *why)
{
    gbx_error error = GBX_ERROR_INIT;
    uint32_t id = request->id;
    struct snapshot *s = isolate->snapshot;

    isolate_ref(isolate);
    if (isolate->cell != NULL) {
        isolate->cell->fork_asked = false;
        cell_restore_memory(isolate->cell, true);
    }
    /* All that the child wrote is in the ring by now; what comes later is not the child's. */
    uint64_t all = isolate->received_bytes + RING_BYTES;
    while (isolate->snapshot == s && snapshot_listens(isolate) && s->background &&
           isolate->cell != NULL && isolate->received_bytes < all && snapshot_service(isolate))
        ;
    if (isolate->snapshot == s && s != NULL && s->background && status == GBX_OK &&
        (s->held.len > 0 || s->delivering > 0)) {
        s->ended = true; /* the rest is taken when the sink has room, or has returned */
        isolate_unref(isolate);
        return;
    }
    isolate->snapshot_request = 0;
    s = isolate->snapshot;
    if (s != NULL && s->given_up) {
        error = s->error;
        finish(isolate, error.status, &error);
    } else if (s != NULL && status != GBX_OK)
        finish(isolate, fail(&error, status, "%s", why), &error);
    else if (s != NULL && s->background && !s->whole)
        finish(isolate, fail(&error, GBX_ESYS, "the heap snapshot ended early"), &error);
    else if (s != NULL)
        finish(isolate, GBX_OK, &error);
    /* Unless that has ended the isolate: what it took in may condemn, who was told may close. */
    request = table_get(&isolate->futures, id);
    if (request != NULL)
        future_finish(request, GBX_OK, NULL, NULL, NULL);
    begin_next(isolate);
    isolate_unref(isolate);
}

/* --- pieces --------------------------------------------------------------------------------- */

/* True, and the cell condemned, if its snapshot is larger than any that it can have. */
static bool
past_limit(gbx_isolate *isolate, size_t more)
{
    const struct snapshot *s = isolate->snapshot;

    if (more <= s->bytes_max - s->bytes)
        return false;
    isolate_condemn(isolate, GBX_EPROTO, "a heap snapshot past its limit");
    return true;
}

/* No callback holds the snapshot up any more. */
static void
go_on(gbx_isolate *isolate)
{
    struct snapshot *s = isolate->snapshot;

    if (s == NULL || !s->ended || s->held.len > 0 || s->delivering > 0)
        return;
    gbx_future *request = table_get(&isolate->futures, isolate->snapshot_request);
    if (request != NULL)
        snapshot_end(isolate, request, GBX_OK, NULL);
}

/* A callback may close the isolate, and then there is nothing to give up. */
static void
hand_over(gbx_isolate *isolate, struct span piece)
{
    struct snapshot *s = isolate->snapshot;
    gbx_error error = GBX_ERROR_INIT;
    gbx_status status;

    if (deliver(s, piece, &status, &error) && status != GBX_OK && isolate->snapshot == s &&
        isolate->cell != NULL)
        snapshot_give_up(isolate, &error);
    go_on(isolate);
}

bool
snapshot_piece(gbx_isolate *isolate, uint32_t request, struct span piece)
{
    struct snapshot *s = isolate->snapshot;

    if (request == 0 || request != isolate->snapshot_request)
        return false;
    if (s == NULL || s->given_up) /* the cell could not know yet */
        return true;
    if (s->background)
        return false;
    if (!past_limit(isolate, piece.len))
        hand_over(isolate, piece);
    return true;
}

/* Reads on in the header of a piece; true when it is there. */
static bool
header_read(gbx_isolate *isolate, struct snapshot *s)
{
    size_t n = ring_take(
        &isolate->cell->channel.snapshot, s->header + s->have, sizeof s->header - s->have);

    isolate->received_bytes += n;
    s->have += (uint32_t)n;
    if (s->have < sizeof s->header)
        return false;
    s->have = 0;
    s->piece_left = (uint32_t)s->header[0] | (uint32_t)s->header[1] << 8 |
                    (uint32_t)s->header[2] << 16 | (uint32_t)s->header[3] << 24;
    return true;
}

/* An empty piece has come. */
static void
on_whole(gbx_isolate *isolate)
{
    isolate->snapshot->whole = true;
    if (isolate->snapshot->future == NULL)
        limit_whole(isolate);
}

bool
snapshot_service(gbx_isolate *isolate)
{
    struct snapshot *s = isolate->snapshot;
    struct channel *channel = &isolate->cell->channel;
    uint8_t bytes[RING_BYTES / 2];

    if (!s->background || ring_used(&channel->snapshot) == 0) {
        if (channel->snapshot.lied)
            isolate_condemn(isolate, GBX_EPROTO, "impossible position in the snapshot's ring");
        return false;
    }
    if (s->whole) {
        isolate_condemn(isolate, GBX_EPROTO, "bytes behind the end of a heap snapshot");
        return true;
    }
    if (s->piece_left == 0) {
        if (header_read(isolate, s) && s->piece_left == 0)
            on_whole(isolate);
    } else {
        size_t want = s->piece_left < sizeof bytes ? s->piece_left : sizeof bytes;
        size_t n = ring_take(&channel->snapshot, bytes, want);
        s->piece_left -= (uint32_t)n;
        isolate->received_bytes += n;
        if (past_limit(isolate, n))
            return true;
        hand_over(isolate, span_of(bytes, n));
    }
    if (isolate->cell != NULL)
        channel_wake_child(channel);
    return true;
}

/* --- while it is under way ------------------------------------------------------------------- */

/* Its end is wanted now. An attached one may not have begun: the cell skips it then. */
static void
stop(gbx_isolate *isolate, gbx_error *error)
{
    struct snapshot *s = isolate->snapshot;

    snapshot_give_up(isolate, error);
    if (!s->background)
        finish(isolate, error->status, error);
}

/* The child does not end by itself. The cell will tell of its end, but may be busy. */
static void
end_child(gbx_isolate *isolate)
{
    gbx_error error = isolate->snapshot->error;

    (void)cell_kill_child(isolate->cell);
    if (isolate->snapshot->future == NULL)
        limit_rest_ends(isolate);
    finish(isolate, error.status, &error);
}

static void
tell_progress(gbx_isolate *isolate, struct snapshot *s)
{
    uint32_t percent = atomic_load(&isolate->cell->channel.shared->snapshot_percent);

    if (percent > 100)
        percent = 100;
    if (percent == s->told_percent && s->bytes == s->told_bytes)
        return;
    s->told_percent = percent;
    s->told_bytes = s->bytes;
    s->delivering++;
    s->on_progress(percent, s->bytes, s->data);
    if (returned(s))
        go_on(isolate);
}

void
snapshot_look(gbx_isolate *isolate, uint64_t now)
{
    struct snapshot *s = isolate->snapshot;
    gbx_error error = GBX_ERROR_INIT;

    if (s == NULL)
        return;
    if (now >= s->until_us && s->given_up) {
        end_child(isolate);
    } else if (now >= s->until_us) {
        uint64_t us = s->timeout_us != 0 ? s->timeout_us : SNAPSHOT_TIMEOUT_US;
        (void)fail(&error, GBX_ETIMEOUT, "the heap snapshot was not whole after %llu us",
            (unsigned long long)us);
        error.limit = us;
        stop(isolate, &error);
    } else if (!s->given_up && s->on_progress != NULL) {
        tell_progress(isolate, s);
    }
}

void
snapshot_begin(gbx_isolate *isolate, struct snapshot *s)
{
    struct channel *channel = &isolate->cell->channel;

    atomic_store(&channel->shared->snapshot_stop, 0);
    atomic_store(&channel->shared->snapshot_percent, 0);
    /* A child that was given up may have left bytes behind. */
    channel->snapshot.position = atomic_load(&channel->shared->snapshot.head);
    channel->snapshot.peer = channel->snapshot.position;
    atomic_store(&channel->shared->snapshot.tail, channel->snapshot.position);
    s->bytes_max =
        SNAPSHOT_BYTES_BASE + isolate->options.memory_limit_bytes * SNAPSHOT_BYTES_FACTOR;
    if (s->memory_bytes == 0)
        s->memory_bytes = isolate->options.memory_limit_bytes * SNAPSHOT_MEMORY_FACTOR +
                          SNAPSHOT_MEMORY_BYTES;
    s->until_us = s->timeout_us > LIMIT_US_MAX
                      ? UINT64_MAX
                      : now_us() + (s->timeout_us != 0 ? s->timeout_us : SNAPSHOT_TIMEOUT_US);
    isolate->snapshot = s;
}

static void
begin_request(gbx_isolate *isolate, struct snapshot *s)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_future *request = future_new(isolate, FUTURE_SNAPSHOT);
    bool keeps_ids = (s->flags & GBX_SNAPSHOT_STABLE_IDS) != 0;

    if (request->finished) {
        gbx_future *future = s->future;
        snapshot_free(s);
        future_finish(future, request->status, request->error, NULL, NULL);
        gbx_future_free(request);
        return;
    }
    request->urgent = s->background;
    snapshot_begin(isolate, s);
    isolate->snapshot_request = request->id;
    isolate->cell->fork_asked = s->background;
    if (!s->background || keeps_ids)
        (void)cell_lift_memory(isolate->cell, s->memory_bytes);
    put_snapshot(&isolate->scratch->out, isolate_tag(isolate, request->id),
        &(struct msg_snapshot){ .background = s->background,
            .flags = (keeps_ids ? SNAPSHOT_KEEPS_IDS : 0u) |
                     ((s->flags & GBX_SNAPSHOT_ZSTD) != 0 ? SNAPSHOT_COMPRESSED : 0u) });
    (void)future_send(isolate, request);
    if (request->finished && isolate->snapshot == s)
        finish(
            isolate, fail(&error, request->status, "cannot ask for the heap snapshot"), &error);
    gbx_future_free(request);
    isolate_urge(isolate);
    isolate_watch_snapshot(isolate);
    isolate_rest(isolate); /* who polls is rung for the first piece, too */
}

/* --- public --------------------------------------------------------------------------------- */

enum {
    ALL_FLAGS = GBX_SNAPSHOT_STABLE_IDS | GBX_SNAPSHOT_ZSTD | GBX_SNAPSHOT_QUEUE
};

static gbx_status
snapshot_open(const gbx_snapshot_options *options, struct snapshot **out, gbx_error *error)
{
    gbx_snapshot_options o;
    gbx_status status = options_read(&o, sizeof o, options,
        offsetof(gbx_snapshot_options, flags), "snapshot options", error);

    if (status != GBX_OK)
        return status;
    if (options == NULL || (o.path != NULL) + (o.sink != NULL) + (o.fd >= 0) != 1)
        return fail(error, GBX_EINVAL,
            "snapshot options: exactly one of path, fd and sink says where it goes");
    if (o.mode > GBX_SNAPSHOT_ATTACHED)
        return fail(error, GBX_EUNSUPPORTED, "snapshot options: unknown mode %u", o.mode);
    if ((o.flags & ~(uint32_t)ALL_FLAGS) != 0)
        return fail(error, GBX_EUNSUPPORTED, "snapshot options: unknown flag 0x%x", o.flags);
    int flags = o.fd >= 0 ? fcntl(o.fd, F_GETFL) : O_WRONLY;
    if (flags < 0)
        return fail_errno(error, "snapshot options: fd %d", o.fd);
    if ((flags & O_ACCMODE) == O_RDONLY)
        return fail(error, GBX_EINVAL, "snapshot options: fd %d is not open for writing", o.fd);
    struct snapshot *s = calloc(1, sizeof *s);
    if (s == NULL)
        return fail(error, GBX_ENOMEM, "no memory for a snapshot");
    s->background = o.mode == GBX_SNAPSHOT_BACKGROUND;
    s->flags = o.flags;
    s->file.fd = o.fd;
    s->sink = o.sink;
    s->on_progress = o.on_progress;
    s->data = o.data;
    s->timeout_us = o.timeout_us;
    s->memory_bytes = o.memory_bytes;
    status = o.path == NULL ? GBX_OK : result_file_create(&s->file, o.path, true, error);
    if (status != GBX_OK) {
        snapshot_free(s);
        return status;
    }
    *out = s;
    return GBX_OK;
}

/* Why it cannot be taken, whatever it is; NULL: it can. */
static gbx_future *
refused(const gbx_isolate *isolate, const gbx_snapshot_options *options)
{
    const struct snapshot *s = isolate->snapshots;
    uint32_t count = 0;

    for (; s != NULL; s = s->next)
        count++;
    if (snapshot_is_open(isolate) &&
        (options == NULL || (options->flags & GBX_SNAPSHOT_QUEUE) == 0))
        return future_failed(GBX_ELIMIT, "a heap snapshot of this isolate is under way");
    if (count >= SNAPSHOTS_QUEUED_MAX)
        return future_failed(
            GBX_ELIMIT, "%u heap snapshots of this isolate wait already", count);
    if (options != NULL && options->mode == GBX_SNAPSHOT_BACKGROUND && isolate->cell != NULL &&
        cell_cannot_fork(isolate->cell))
        return future_failed(GBX_EUNSUPPORTED,
            "no background snapshot: the isolate was opened with GBX_ISOLATE_NO_FORK, or this "
            "kernel has no seccomp user notification (before 5.5)");
    return NULL;
}

gbx_future *
gbx_heap_snapshot(gbx_isolate *isolate, const gbx_snapshot_options *options)
{
    gbx_error error = GBX_ERROR_INIT;
    struct snapshot *s = NULL, **last = &isolate->snapshots;
    gbx_future *future = refused(isolate, options);

    if (future != NULL)
        return future;
    if (snapshot_open(options, &s, &error) != GBX_OK)
        return future_refused(&error);
    future = future_new(isolate, FUTURE_LOCAL);
    if (future->finished) {
        snapshot_free(s);
        return future;
    }
    s->future = future;
    future->urgent = s->background || snapshot_is_open(isolate);
    if (!snapshot_is_open(isolate)) {
        begin_request(isolate, s);
        return future;
    }
    while (*last != NULL)
        last = &(*last)->next;
    *last = s;
    return future;
}

/* The snapshot of an open future, under way or waiting. */
static struct snapshot *
snapshot_of(const gbx_future *future)
{
    struct snapshot *s = future->isolate->snapshot;

    if (s != NULL && s->future == future)
        return s;
    for (s = future->isolate->snapshots; s != NULL && s->future != future; s = s->next)
        ;
    return s;
}

gbx_status
gbx_heap_snapshot_cancel(gbx_future *future)
{
    gbx_error error = GBX_ERROR_INIT;

    if (future->finished)
        return GBX_OK;
    gbx_isolate *isolate = future->isolate;
    struct snapshot *s = snapshot_of(future), **at = &isolate->snapshots;
    if (s == NULL)
        return GBX_EINVAL;
    (void)fail(&error, GBX_ETERMINATED, "the heap snapshot was cancelled");
    if (s == isolate->snapshot) {
        if (!s->given_up)
            stop(isolate, &error);
        return GBX_OK;
    }
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    snapshot_free(s);
    future_finish(future, GBX_ETERMINATED, &error, NULL, NULL);
    return GBX_OK;
}

gbx_status
gbx_heap_snapshot_resume(gbx_future *future)
{
    if (future->finished)
        return GBX_OK;
    gbx_isolate *isolate = future->isolate;
    struct snapshot *s = snapshot_of(future);
    if (s == NULL)
        return GBX_EINVAL;
    if (s->held.len == 0)
        return GBX_OK;
    isolate_ref(isolate);
    struct buf held = s->held;
    s->held = (struct buf){ .max = 0 };
    hand_over(isolate, buf_span(&held));
    buf_done(&held);
    if (isolate->cell != NULL && isolate->snapshot == s)
        isolate_rest(isolate);
    isolate_unref(isolate);
    return GBX_OK;
}
