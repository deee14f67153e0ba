/* snapshot.c - heap snapshots: written by the cell while its guest stands still, or by a child
 * that is forked from it while the guest goes on. */
#include "cell/cell.h"

#include "base/check.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct attached {
    struct cell *cell;
    uint32_t id;
};

static bool
send_piece(void *data, struct span piece)
{
    struct attached *a = data;

    while (piece.len > 0) {
        size_t n = piece.len < SNAPSHOT_PIECE_MAX ? piece.len : SNAPSHOT_PIECE_MAX;
        put_snapshot_piece(&a->cell->out,
            (struct frame_tag){ .id = a->id, .nesting = (uint16_t)a->cell->nesting },
            &(struct msg_snapshot_piece){ .data = span_of(piece.p, n) });
        link_send(a->cell);
        piece = span_of(piece.p + n, piece.len - n);
    }
    return atomic_load(&a->cell->channel.shared->snapshot_stop) == 0;
}

static void
answer(struct cell *cell, uint32_t id, const char *error)
{
    struct frame_tag tag = { .id = id, .nesting = (uint16_t)cell->nesting };

    if (error == NULL)
        put_result(&cell->out, tag, &(struct msg_result){ .value = span_of(NULL, 0) });
    else
        put_failure(&cell->out, tag,
            &(struct msg_failure){
                .status = (uint32_t)-GBX_ESYS, .message = span_text(error) });
    link_send(cell);
}

void
snapshot_attached(struct cell *cell, uint32_t id)
{
    struct attached a = { cell, id };
    bool whole = engine_heap_snapshot(send_piece, &a);

    engine_trim();
    answer(cell, id, whole ? NULL : "the heap snapshot was given up");
}

/* --- background -----------------------------------------------------------------------------
 */

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
    uint8_t header[4];

    if (piece.len == 0)
        return true;
    for (int i = 0; i < 4; i++)
        header[i] = (uint8_t)(piece.len >> (8 * i));
    return put_all(data, header, sizeof header) && put_all(data, piece.p, piece.len);
}

static __attribute__((noreturn)) void
child(struct cell *cell, pid_t parent)
{
    static const uint8_t end[4];

    if (!sandbox_die_with(parent)) /* the cell may be dead already */
        _exit(CELL_EXIT_DONE);
    /* A child that stays as eager as its cell is no failure. */
    (void)setpriority(PRIO_PROCESS, 0, SNAPSHOT_NICE);
    death_bind(NULL); /* the note is the cell's own */
    cell->memory.passed = false;
    bool whole = engine_heap_snapshot(stream_piece, cell) && put_all(cell, end, sizeof end);
    _exit(whole ? CELL_EXIT_DONE : CELL_EXIT_NOTED);
}

void
snapshot_background(struct cell *cell, uint32_t id)
{
    if (cell->snapshot_child != 0) {
        answer(cell, id, "a background heap snapshot of this isolate is under way");
        return;
    }
    watch_hold();
    pid_t own = getpid();
    /* The filter makes this wait until the host, which has asked for it, approves. Not libc's
     * fork(): the template makes cells by that, and the two must differ. */
    pid_t pid = (pid_t)syscall(SYS_clone, FORK_FLAGS, NULL, NULL, NULL, NULL);
    if (pid == 0)
        child(cell, own);
    watch_release();
    if (pid > 0) {
        put_forked(
            &cell->out, cell_tag(cell, id), &(struct msg_forked){ .no_empty_struct = 0 });
        link_send(cell);
    }
    if (pid < 0) {
        char text[128];
        (void)snprintf(text, sizeof text, "cannot fork a snapshot child: %s", strerror(errno));
        answer(cell, id, text);
        return;
    }
    cell->snapshot_child = pid;
    cell->snapshot_request = id;
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
    char text[128];
    if (pid < 0)
        (void)snprintf(text, sizeof text, "lost the snapshot child: %s", strerror(errno));
    else if (WIFSIGNALED(status))
        (void)snprintf(text, sizeof text, "the snapshot child was ended by signal %d (%s)",
            WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        (void)snprintf(text, sizeof text, "the snapshot child gave up");
    answer(cell, cell->snapshot_request,
        pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == CELL_EXIT_DONE ? NULL : text);
}
