/* snapshot.c - heap snapshots on their way to a file, a descriptor or a callback.
 *
 * A background snapshot comes as pieces (u32 length, bytes) through a ring of its own, written by
 * the snapshot child; an attached one as messages of the cell. Either way the host holds one
 * piece at most. A file is written without a name (O_TMPFILE) and gets it when it is whole,
 * so that whatever happens, kill -9 included, there is a whole snapshot or none.
 */
#include "host/host.h"

#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct snapshot {
    gbx_future *future; /* the caller's; open; finished by us */
    bool background;
    bool nameless;   /* fd is an O_TMPFILE */
    int fd;          /* owned if there is a path, else the caller's; -1: a sink */
    char *path;      /* owned; NULL: fd or sink */
    char *temporary; /* owned; a name that the file has until it is whole; NULL: none */
    gbx_snapshot_sink sink;
    void *data;
    bool delivering; /* the sink is on the stack, */
    bool orphan;     /* and has ended the snapshot: to be freed when it returns */
    bool given_up;   /* for this; the cell has been told to stop and has not answered yet */
    gbx_error error;
    uint64_t bytes;      /* written so far */
    uint64_t bytes_max;  /* no guest of this size has a larger one */
    uint8_t header[4];   /* of the background stream */
    uint32_t have;       /* bytes of it */
    bool whole;          /* the background stream's end has been read */
    uint32_t piece_left; /* of the piece that is being read */
};

/* --- files ---------------------------------------------------------------------------------- */

static gbx_status
open_file(struct snapshot *s, const char *path, gbx_error *error)
{
    struct stat st;
    char copy[PATH_MAX];

    if (strlen(path) >= sizeof copy - 32)
        return fail(error, GBX_EINVAL, "snapshot path: too long");
    if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return fail(error, GBX_EINVAL, "%s is there and is not a regular file", path);
    (void)snprintf(copy, sizeof copy, "%s", path);
    const char *directory = dirname(copy);
    s->path = strdup(path);
    if (s->path == NULL)
        return fail(error, GBX_ENOMEM, "no memory for a snapshot");
    s->fd = fd_above_stdio(open(directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
    s->nameless = s->fd >= 0;
    if (s->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT)) {
        /* A file system without nameless files, or no such directory: then this fails too. */
        if (asprintf(&s->temporary, "%s.XXXXXX", path) < 0) {
            s->temporary = NULL;
            return fail(error, GBX_ENOMEM, "no memory for a snapshot");
        }
        s->fd = fd_above_stdio(mkostemp(s->temporary, O_CLOEXEC));
        if (s->fd < 0) {
            free(s->temporary);
            s->temporary = NULL;
        }
    }
    return s->fd < 0 ? fail_errno(error, "cannot write %s", path) : GBX_OK;
}

/* Gives the nameless file a name beside its target and moves it there. */
static gbx_status
name_file(struct snapshot *s, gbx_error *error)
{
    char source[64];

    if (s->nameless) {
        (void)snprintf(source, sizeof source, "/proc/self/fd/%d", s->fd);
        /* linkat() never replaces: a name of our own first, then rename(), which does. */
        if (linkat(AT_FDCWD, source, AT_FDCWD, s->path, AT_SYMLINK_FOLLOW) == 0)
            return GBX_OK;
        if (errno != EEXIST)
            return fail_errno(error, "cannot write %s", s->path);
        for (int i = 0; i < 100 && s->temporary == NULL; i++) {
            if (asprintf(&s->temporary, "%s.%d-%d", s->path, (int)getpid(), i) < 0)
                s->temporary = NULL;
            else if (linkat(AT_FDCWD, source, AT_FDCWD, s->temporary, AT_SYMLINK_FOLLOW) < 0) {
                free(s->temporary);
                s->temporary = NULL;
                if (errno != EEXIST)
                    break;
            }
        }
        if (s->temporary == NULL)
            return fail_errno(error, "cannot write %s", s->path);
    }
    if (rename(s->temporary, s->path) < 0)
        return fail_errno(error, "cannot write %s", s->path);
    free(s->temporary);
    s->temporary = NULL;
    return GBX_OK;
}

/* write(2), but a reader that has gone is an error here and no SIGPIPE for the host. */
static ssize_t
write_quietly(int fd, const void *p, size_t len)
{
    static const struct timespec now = { 0, 0 };
    sigset_t pipe_signal, before, pending;

    (void)sigemptyset(&pipe_signal);
    (void)sigaddset(&pipe_signal, SIGPIPE);
    (void)sigpending(&pending);
    (void)pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
    ssize_t n = write(fd, p, len);
    int error = errno;
    if (n < 0 && error == EPIPE && sigismember(&pending, SIGPIPE) == 0)
        while (sigtimedwait(&pipe_signal, NULL, &now) < 0 && errno == EINTR)
            ;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return n;
}

static gbx_status
write_all(struct snapshot *s, struct span piece, gbx_error *error)
{
    while (piece.len > 0) {
        ssize_t n = write_quietly(s->fd, piece.p, piece.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(error, "cannot write the snapshot%s%s after %llu bytes",
                s->path != NULL ? " to " : "", s->path != NULL ? s->path : "",
                (unsigned long long)s->bytes);
        piece = span_of(piece.p + n, piece.len - (size_t)n);
        s->bytes += (uint64_t)n;
    }
    return GBX_OK;
}

static void
snapshot_free(struct snapshot *s)
{
    if (s->temporary != NULL)
        (void)unlink(s->temporary);
    if (s->path != NULL)
        fd_close(&s->fd);
    free(s->temporary);
    free(s->path);
    free(s);
}

static gbx_status
deliver(struct snapshot *s, struct span piece, gbx_error *error)
{
    if (s->sink == NULL)
        return write_all(s, piece, error);
    s->delivering = true;
    gbx_status status = s->sink(piece.p, piece.len, s->data);
    s->delivering = false;
    s->bytes += piece.len;
    if (s->orphan) { /* the sink has closed the isolate */
        snapshot_free(s);
        return GBX_OK;
    }
    return status == GBX_OK ? GBX_OK : fail(error, status, "the snapshot's sink gave up");
}

/* --- the end -------------------------------------------------------------------------------- */

/* Finishes the future, one way or the other. `error` is set unless it went well. */
static void
finish(gbx_isolate *isolate, gbx_status status, gbx_error *error)
{
    struct snapshot *s = isolate->snapshot;
    gbx_value *bytes = NULL;

    isolate->snapshot = NULL;
    if (status == GBX_OK && s->path != NULL)
        status = name_file(s, error);
    if (status == GBX_OK && (bytes = gbx_value_new_number((double)s->bytes)) == NULL)
        status = fail(error, GBX_ENOMEM, "no memory for the answer");
    gbx_future *future = s->future;
    if (s->delivering)
        s->orphan = true;
    else
        snapshot_free(s);
    future_finish(future, status, error, bytes, NULL);
}

/* What was written is no use. The cell or its child stops at its next piece; that is the end, so
 * that another one can be taken then. */
static void
give_up(gbx_isolate *isolate, const gbx_error *error)
{
    atomic_store(&isolate->cell->channel.shared->snapshot_stop, 1);
    channel_wake_child(&isolate->cell->channel);
    isolate->snapshot->given_up = true;
    isolate->snapshot->error = *error;
}

bool
snapshot_listens(const gbx_isolate *isolate)
{
    return isolate->snapshot != NULL && !isolate->snapshot->given_up;
}

void
snapshot_abandon(gbx_isolate *isolate)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_status status = isolate->has_died ? isolate->death.status : GBX_EDISPOSED;

    isolate->snapshot_request = 0;
    if (isolate->snapshot->given_up) {
        error = isolate->snapshot->error;
        finish(isolate, error.status, &error);
        return;
    }
    (void)fail(&error, status, "the isolate ended before its heap snapshot was written: %s",
        isolate->has_died ? isolate->death_message : gbx_strstatus(status));
    finish(isolate, status, &error);
}

/* The cell's answer: it has written its last piece, or its child has ended. */
void
snapshot_end(gbx_isolate *isolate, gbx_future *request, gbx_status status, const char *why)
{
    gbx_error error = GBX_ERROR_INIT;
    uint32_t id = request->id;

    isolate_ref(isolate);
    isolate->snapshot_request = 0;
    if (isolate->cell != NULL) {
        isolate->cell->fork_asked = false;
        cell_restore_memory(isolate->cell, true);
    }
    /* All that the child wrote is in the ring by now; what comes later is not the child's. */
    uint64_t all = isolate->received_bytes + RING_BYTES;
    while (snapshot_listens(isolate) && isolate->snapshot->background &&
           isolate->cell != NULL && isolate->received_bytes < all && snapshot_service(isolate))
        ;
    struct snapshot *s = isolate->snapshot;
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

bool
snapshot_piece(gbx_isolate *isolate, uint32_t request, struct span piece)
{
    struct snapshot *s = isolate->snapshot;
    gbx_error error = GBX_ERROR_INIT;

    if (request == 0 || request != isolate->snapshot_request)
        return false;
    if (s == NULL || s->given_up) /* the cell could not know yet */
        return true;
    if (s->background)
        return false;
    if (!past_limit(isolate, piece.len) && deliver(s, piece, &error) != GBX_OK &&
        isolate->snapshot == s && isolate->cell != NULL)
        give_up(isolate, &error);
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

bool
snapshot_service(gbx_isolate *isolate)
{
    struct snapshot *s = isolate->snapshot;
    struct channel *channel = &isolate->cell->channel;
    gbx_error error = GBX_ERROR_INIT;
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
            s->whole = true; /* an empty piece; the child's end comes next */
    } else {
        size_t want = s->piece_left < sizeof bytes ? s->piece_left : sizeof bytes;
        size_t n = ring_take(&channel->snapshot, bytes, want);
        s->piece_left -= (uint32_t)n;
        isolate->received_bytes += n;
        if (past_limit(isolate, n))
            return true;
        /* A sink may close the isolate, and then there is nothing to give up. */
        if (deliver(s, span_of(bytes, n), &error) != GBX_OK && isolate->snapshot == s &&
            isolate->cell != NULL)
            give_up(isolate, &error);
    }
    if (isolate->cell != NULL)
        channel_wake_child(channel);
    return true;
}

/* --- public --------------------------------------------------------------------------------- */

static gbx_status
snapshot_open(const gbx_snapshot_options *options, struct snapshot **out, gbx_error *error)
{
    gbx_snapshot_options o;
    gbx_status status = options_read(&o, sizeof o, options,
        offsetof(gbx_snapshot_options, reserved), "snapshot options", error);

    if (status != GBX_OK)
        return status;
    if (options == NULL || (o.path != NULL) + (o.sink != NULL) + (o.fd >= 0) != 1)
        return fail(error, GBX_EINVAL,
            "snapshot options: exactly one of path, fd and sink says where it goes");
    if (o.mode > GBX_SNAPSHOT_ATTACHED)
        return fail(error, GBX_EUNSUPPORTED, "snapshot options: unknown mode %u", o.mode);
    int flags = o.fd >= 0 ? fcntl(o.fd, F_GETFL) : O_WRONLY;
    if (flags < 0)
        return fail_errno(error, "snapshot options: fd %d", o.fd);
    if ((flags & O_ACCMODE) == O_RDONLY)
        return fail(error, GBX_EINVAL, "snapshot options: fd %d is not open for writing", o.fd);
    struct snapshot *s = calloc(1, sizeof *s);
    if (s == NULL)
        return fail(error, GBX_ENOMEM, "no memory for a snapshot");
    s->background = o.mode == GBX_SNAPSHOT_BACKGROUND;
    s->fd = o.fd;
    s->sink = o.sink;
    s->data = o.data;
    status = o.path == NULL ? GBX_OK : open_file(s, o.path, error);
    if (status != GBX_OK) {
        snapshot_free(s);
        return status;
    }
    *out = s;
    return GBX_OK;
}

gbx_future *
gbx_heap_snapshot(gbx_isolate *isolate, const gbx_snapshot_options *options)
{
    gbx_error error = GBX_ERROR_INIT;
    struct snapshot *s = NULL;

    if (isolate->snapshot_request != 0)
        return future_failed(GBX_ELIMIT, "a heap snapshot of this isolate is under way");
    if (options != NULL && options->mode == GBX_SNAPSHOT_BACKGROUND && isolate->cell != NULL &&
        cell_cannot_fork(isolate->cell))
        return future_failed(GBX_EUNSUPPORTED,
            "no background snapshot: the isolate was opened with GBX_ISOLATE_NO_FORK, or this "
            "kernel has no seccomp user notification (before 5.5)");
    if (snapshot_open(options, &s, &error) != GBX_OK)
        return future_refused(&error);
    gbx_future *future = future_new(isolate, FUTURE_LOCAL);
    gbx_future *request = future_new(isolate, FUTURE_SNAPSHOT);
    if (future->finished || request->finished) {
        snapshot_free(s);
        if (!future->finished)
            future_finish(future, request->status, request->error, NULL, NULL);
        gbx_future_free(request);
        return future;
    }
    future->urgent = request->urgent = s->background;
    struct channel *channel = &isolate->cell->channel;
    atomic_store(&channel->shared->snapshot_stop, 0);
    /* A child that was given up may have left bytes behind. */
    channel->snapshot.position = atomic_load(&channel->shared->snapshot.head);
    channel->snapshot.peer = channel->snapshot.position;
    atomic_store(&channel->shared->snapshot.tail, channel->snapshot.position);
    s->future = future;
    s->bytes_max =
        SNAPSHOT_BYTES_BASE + isolate->options.memory_limit_bytes * SNAPSHOT_BYTES_FACTOR;
    isolate->snapshot = s;
    isolate->snapshot_request = request->id;
    isolate->cell->fork_asked = s->background;
    if (!s->background)
        (void)cell_lift_memory(isolate->cell);
    put_snapshot(&isolate->scratch->out, isolate_tag(isolate, request->id),
        &(struct msg_snapshot){ .background = s->background });
    (void)future_send(isolate, request);
    if (request->finished && isolate->snapshot == s)
        finish(
            isolate, fail(&error, request->status, "cannot ask for the heap snapshot"), &error);
    gbx_future_free(request);
    isolate_urge(isolate);
    isolate_watch_snapshot(isolate);
    isolate_rest(isolate); /* who polls is rung for the first piece, too */
    return future;
}
