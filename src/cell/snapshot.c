/* snapshot.c - heap snapshots: written by the cell while its guest stands still, or by a child
 * that is forked from it while the guest goes on. */
#include "cell/cell.h"

#include "base/clock.h"
#include "cell/compress.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Where a snapshot goes: as messages, or through the child's ring. */
struct writer {
    struct cell *cell;
    uint32_t id;
    struct compressor *compressor; /* NULL: it goes as it is */
    compress_sink put;
};

static bool
is_wanted(void *data, uint32_t percent)
{
    const struct writer *w = data;
    struct channel_shared *shared = w->cell->channel.shared;

    atomic_store(&shared->snapshot_percent, percent);
    return atomic_load(&shared->snapshot_stop) == 0;
}

static bool
take_piece(void *data, struct span piece)
{
    const struct writer *w = data;

    return w->compressor == NULL ? w->put(data, piece) : compressor_add(w->compressor, piece);
}

/* All of it; false: there was no memory, or the host has told it to stop. */
static bool
write_snapshot(struct writer *w, uint32_t flags)
{
    bool compressed = (flags & SNAPSHOT_COMPRESSED) != 0;

    w->compressor = compressed ? compressor_new(w->put, w) : NULL;
    bool whole = (!compressed || w->compressor != NULL) &&
                 engine_heap_snapshot(take_piece, is_wanted, w) &&
                 (!compressed || compressor_end(w->compressor));
    compressor_free(w->compressor);
    return whole;
}

/* --- attached -------------------------------------------------------------------------------- */

static bool
send_piece(void *data, struct span piece)
{
    const struct writer *w = data;
    struct cell *cell = w->cell;

    while (piece.len > 0) {
        size_t n = piece.len < SNAPSHOT_PIECE_MAX ? piece.len : SNAPSHOT_PIECE_MAX;
        put_snapshot_piece(&cell->out, cell_tag(cell, w->id),
            &(struct msg_snapshot_piece){ .data = span_of(piece.p, n) });
        link_send(cell);
        piece = span_of(piece.p + n, piece.len - n);
    }
    return atomic_load(&cell->channel.shared->snapshot_stop) == 0;
}

void
snapshot_attached(struct cell *cell, uint32_t id, uint32_t flags)
{
    struct writer w = { .cell = cell, .id = id, .put = send_piece };

    if ((flags & SNAPSHOT_KEEPS_IDS) != 0)
        engine_keep_ids();
    bool whole = write_snapshot(&w, flags);
    engine_trim();
    if (whole)
        answer_done(cell, id);
    else
        answer_failure(cell, id, GBX_ESYS, "the heap snapshot was given up");
}

/* --- background ------------------------------------------------------------------------------ */

/* The child's stream: pieces of u32 length and bytes; a piece of length 0 says that all is
 * there. */
static bool
put_all(struct cell *cell, const void *p, size_t len)
{
    struct channel *channel = &cell->channel;
    const uint8_t *from = p;

    while (len > 0) {
        if (atomic_load(&channel->shared->snapshot_stop) != 0)
            return false;
        size_t n = ring_put(&channel->snapshot, span_of(from, len));
        ring_publish(&channel->snapshot);
        channel_wake_host(channel, CHANNEL_WANTS_SNAPSHOT, cell->event_fd);
        from += n;
        len -= n;
        if (len > 0)
            channel_child_sleep(channel);
    }
    return true;
}

static bool
stream_piece(void *data, struct span piece)
{
    const struct writer *w = data;
    uint8_t header[4];

    if (piece.len == 0)
        return true;
    for (int i = 0; i < 4; i++)
        header[i] = (uint8_t)(piece.len >> (8 * i));
    return put_all(w->cell, header, sizeof header) && put_all(w->cell, piece.p, piece.len);
}

static __attribute__((noreturn)) void
child(struct cell *cell, pid_t parent, uint32_t flags)
{
    static const uint8_t end[4];
    struct writer w = { .cell = cell, .put = stream_piece };

    if (!sandbox_die_with(parent)) /* the cell may be dead already */
        _exit(CELL_EXIT_DONE);
    /* A child that stays as eager as its cell is no failure. */
    (void)setpriority(PRIO_PROCESS, 0, SNAPSHOT_NICE);
    death_bind(NULL); /* the note is the cell's own */
    cell->memory.passed = cell->limit_wanted = false;
    engine_in_snapshot_child();
    bool whole = write_snapshot(&w, flags) && put_all(cell, end, sizeof end);
    _exit(whole ? CELL_EXIT_DONE : CELL_EXIT_STOPPED);
}

/* The filter makes this wait until the host approves. Not libc's fork(): the template makes cells
 * by that, and the two must differ. -1 with errno. */
static pid_t
fork_child(struct cell *cell, uint32_t flags, unsigned long mark)
{
    watch_hold();
    pid_t own = getpid();
    pid_t pid = (pid_t)syscall(SYS_clone, FORK_FLAGS, NULL, mark, NULL, NULL);
    if (pid == 0)
        child(cell, own, flags);
    watch_release();
    return pid;
}

static void
tell_forked(struct cell *cell, uint32_t id)
{
    put_forked(&cell->out, cell_tag(cell, id), &(struct msg_forked){ .no_empty_struct = 0 });
    link_send(cell);
}

void
snapshot_background(struct cell *cell, uint32_t id, uint32_t flags)
{
    if (cell->snapshot_child != 0) {
        answer_failure(
            cell, id, GBX_ESYS, "a background heap snapshot of this isolate is under way");
        return;
    }
    if ((flags & SNAPSHOT_KEEPS_IDS) != 0)
        engine_keep_ids();
    pid_t pid = fork_child(cell, flags, 0);
    if (pid < 0) {
        char text[128];
        (void)snprintf(text, sizeof text, "cannot fork a snapshot child: %s", strerror(errno));
        answer_failure(cell, id, GBX_ESYS, text);
        return;
    }
    tell_forked(cell, id);
    cell->snapshot_child = pid;
    cell->snapshot_request = id;
}

/* Sleeps, and sees to the end of a child. */
static void
await_child(struct cell *cell, uint64_t us)
{
    channel_cell_sleep(&cell->channel, 0, us * 1000);
    snapshot_reap(cell);
}

void
snapshot_at_limit(struct cell *cell)
{
    bool ran = cell->running;
    uint64_t began = now_ns();
    pid_t pid;

    if (!cell->limit_wanted)
        return;
    cell->limit_wanted = false;
    if (ran)
        task_rest(cell);
    /* Another one is under way, here or in the host's books. */
    while (cell->snapshot_child != 0 ||
           ((pid = fork_child(cell, cell->limit_flags, LIMIT_MARK)) < 0 && errno == EBUSY))
        await_child(cell, SNAPSHOT_ASK_US);
    if (pid > 0) {
        tell_forked(cell, 0);
        cell->snapshot_child = pid;
        cell->snapshot_request = 0;
    }
    while (cell->snapshot_child != 0)
        await_child(cell, SNAPSHOT_LOOK_US);
    task_postpone(cell, now_ns() - began);
    if (ran)
        task_resume(cell);
}

void
snapshot_reap(struct cell *cell)
{
    int status;

    if (cell->snapshot_child == 0)
        return;
    pid_t pid = waitpid(cell->snapshot_child, &status, WNOHANG);
    if (pid == 0 || (pid < 0 && errno == EINTR))
        return;
    cell->snapshot_child = 0;
    /* What the child wrote moved the head behind our back. */
    cell->channel.snapshot.position = atomic_load(&cell->channel.shared->snapshot.head);
    cell->channel.snapshot.peer = atomic_load(&cell->channel.shared->snapshot.tail);
    if (cell->snapshot_request == 0)
        return;
    if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == CELL_EXIT_DONE) {
        answer_done(cell, cell->snapshot_request);
        return;
    }
    char text[128];
    if (pid < 0)
        (void)snprintf(text, sizeof text, "lost the snapshot child: %s", strerror(errno));
    else if (WIFSIGNALED(status))
        (void)snprintf(text, sizeof text, "the snapshot child was ended by signal %d (%s)",
            WTERMSIG(status), strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status) == CELL_EXIT_STOPPED)
        (void)snprintf(text, sizeof text, "the snapshot child gave up");
    else
        (void)snprintf(text, sizeof text,
            "the snapshot child needed more memory than it may have, or V8 stopped in it");
    answer_failure(cell, cell->snapshot_request, GBX_ESYS, text);
}
