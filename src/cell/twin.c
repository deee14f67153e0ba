/* twin.c - a fork of a live cell that becomes a cell of its own.
 *
 * Parent of the twin is the template, as of any cell, and not the cell that it is forked from: it
 * tells how the twin ends, and that goes on when the cell has died. All the walls are inherited.
 * The twin asks for what it cannot be born with, and is held by the kernel until the host has
 * said yes: a session of its own, by which it leaves its cell's, and in that moment it is handed
 * a channel and a bell; and a thread for its watchdog. Until then it is nobody's, and touches
 * nothing of its cell's channel, which the new one takes the place of.
 */
#include "cell/cell.h"

#include "sandbox/sandbox.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The C library's fork() without its parent. The kernel writes the twin's number where the library
 * finds it. */
static pid_t
fork_twin(pid_t *tid)
{
#if defined(__aarch64__)
    return (pid_t)syscall(SYS_clone, TWIN_FLAGS, NULL, NULL, 0, tid);
#else
    return (pid_t)syscall(SYS_clone, TWIN_FLAGS, NULL, NULL, tid, 0);
#endif
}

static __attribute__((noreturn)) void
fail(const char *what)
{
    char text[160];

    (void)snprintf(text, sizeof text, "%s: %s", what, strerror(errno));
    death_note(GBX_ESYS, CHANNEL_NOTE_NONE, 0, 0, text, span_of(NULL, 0));
}

/* In the twin, inside of watch_hold(). */
static void
become_cell(struct cell *cell)
{
    uint64_t seed;

    /* Without a channel there is nobody to tell why. */
    if (!sandbox_die_with(cell->template) || syscall(SYS_setsid, TWIN_MARK) < 0 ||
        !link_anew(cell, CELL_CHANNEL_FD))
        _exit(CELL_EXIT_DONE);
    if (close(CELL_CHANNEL_FD) != 0)
        fail("cannot close the channel's descriptor");
    if (!watch_start(cell))
        fail("cannot start the watchdog thread");
    watch_await();
    if (getrandom(&seed, sizeof seed, 0) != sizeof seed)
        fail("cannot draw a random seed");
    cell->waits = cell->breaks = false;
    cell->limit_wanted = false; /* that was its cell's */
    engine_after_twin(seed);
}

void
twin_fork(struct cell *cell, uint32_t id)
{
    /* A promise of the host's belongs to a task. */
    if (cell->tasks.live > 0 || cell->snapshot_child != 0) {
        answer_failure(cell, id, GBX_EBUSY,
            "the isolate is not at rest: a call or a promise of the host is open, or a heap "
            "snapshot under way");
        return;
    }
    if (cell->tid == NULL) {
        answer_failure(cell, id, GBX_ESYS, "this kernel was built without PR_GET_TID_ADDRESS");
        return;
    }
    watch_hold();
    pid_t pid = fork_twin(cell->tid);
    if (pid == 0)
        become_cell(cell);
    watch_release();
    if (pid > 0)
        answer_done(cell, id);
    if (pid < 0) {
        char text[128];
        (void)snprintf(text, sizeof text, "cannot fork a twin: %s", strerror(errno));
        answer_failure(cell, id, GBX_ESYS, text);
    }
}
