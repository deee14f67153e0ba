/* Calls that the kernel holds until the host has said yes: asked for by a cell that may, that may
 * no longer, that never might; and twins that nobody hears of again. The cell is a fake, the calls
 * and the kernel's questions are real. */
#include "hostile.h"

#include "base/control.h"
#include "base/fd.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct fake_cell f;
static struct cell *cell;
static struct template *template;
static int orders =
    -1; /* the asker does a call for each number that comes, and says its errno */

/* What it is told to do; the last, to have a child of its own do. */
enum {
    ASK_SNAPSHOT,
    ASK_TWIN,
    ASK_SESSION,
    ASK_THREAD,
    ASK_SESSION_IN_CHILD
};

static int
ask(unsigned what)
{
    long result;

    errno = 0;
    if (what == ASK_SESSION)
        result = syscall(SYS_setsid, TWIN_MARK);
    else
        result = syscall(SYS_clone,
            what == ASK_SNAPSHOT ? FORK_FLAGS
            : what == ASK_TWIN   ? TWIN_FLAGS
                                 : THREAD_FLAGS,
            NULL, NULL, NULL, NULL);
    if (result == 0 && what != ASK_SESSION)
        _exit(0);
    return errno;
}

/* How the child ends. */
static int
ask_in_child(unsigned what)
{
    int status = -1;
    pid_t child = fork();

    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(ask(what));
    }
    return waitpid(child, &status, 0) == child ? status : -1;
}

static __attribute__((noreturn)) void
be_asker(int socket)
{
    struct control hello = { .kind = CONTROL_READY, .fds = { -1, -1 } }, order;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    (void)syscall(SYS_setsid, 0); /* as each cell has one */
    hello.fds[0] = sandbox_watch_forks(false);
    if (control_send(socket, &hello) != 0)
        _exit(1);
    while (control_receive(socket, &order, true) == 0) {
        order.number[0] =
            (uint64_t)(order.kind == ASK_SESSION_IN_CHILD ? ask_in_child(ASK_SESSION)
                                                          : ask(order.kind));
        if (control_send(socket, &order) != 0)
            break;
    }
    _exit(0);
}

/* The cell's process is one that asks, and the template's listener hears it. */
static void
open_cell(void)
{
    struct control hello;
    int pair[2];

    fake_cell_open(&f, NULL, FAKE_PROCESS | FAKE_TEMPLATE);
    cell = f.isolate->cell;
    template = cell->template;
    (void)kill(f.pid, SIGKILL);
    (void)fake_cell_reap(&f);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    f.pid = fork();
    cr_assert_geq(f.pid, 0);
    if (f.pid == 0)
        be_asker(pair[1]);
    cr_assert_eq(close(pair[1]), 0);
    orders = pair[0];
    cell->pid = f.pid;
    watch_remove(f.runtime, &cell->exit, cell->pidfd);
    fd_close(&cell->pidfd);
    cell->pidfd = (int)syscall(SYS_pidfd_open, f.pid, 0);
    cr_assert_eq(control_receive(orders, &hello, true), 0);
    template->forks_fd = hello.fds[0];
    cr_assert_geq(template->forks_fd, 0, "the kernel has no user notification");
}

static void
close_cell(void)
{
    fake_cell_close(&f);
    fd_close(&orders);
}

TestSuite(asks, .init = open_cell, .fini = close_cell, .timeout = 50);

/* Has it ask, and the host judge. */
static void
judged(unsigned what)
{
    struct control order = { .kind = what, .fds = { -1, -1 } };
    struct pollfd fd = { .fd = template->forks_fd, .events = POLLIN };

    cr_assert_eq(control_send(orders, &order), 0);
    cr_assert_eq(poll(&fd, 1, 40000), 1);
    template_answer_forks(template);
}

/* What the call said to it. */
static int
answered(void)
{
    struct control answer;

    cr_assert_eq(control_receive(orders, &answer, true), 0);
    return (int)answer.number[0];
}

static void
is_punished(const char *why)
{
    const gbx_death *death = gbx_isolate_death(f.isolate);

    cr_assert_not_null(death);
    cr_assert_eq(death->status, GBX_EVIOLATION);
    cr_assert_str_eq(death->message, why);
    cr_assert_eq(fake_cell_reap(&f), SIGKILL);
}

Test(asks, a_twin_is_forked_once)
{
    struct twin twin = { .memory = -1, .may_fork = true };

    cell->twin = &twin;
    judged(ASK_TWIN);
    cr_assert_eq(answered(), 0);
    cr_assert_not(twin.may_fork);
    still_trusted(&f);
    judged(ASK_TWIN);
    is_punished("the cell tried to fork, and nobody asked it to");
}

/* It was asked to, did not come to it in time, and cannot know yet. */
Test(asks, a_twin_that_was_given_up_is_refused_once)
{
    cell->twin_given_up = true;
    judged(ASK_TWIN);
    cr_assert_eq(answered(), EPERM);
    still_trusted(&f);
    judged(ASK_TWIN);
    is_punished("the cell tried to fork, and nobody asked it to");
}

/* It was busy for as long as anybody waits. */
Test(asks, a_cell_that_comes_to_it_too_late_did_no_wrong)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_isolate *fork_of_it = NULL;

    cr_assert_eq(gbx_isolate_fork(f.isolate, NULL, &fork_of_it, &error), GBX_EBUSY);
    cr_assert_null(fork_of_it);
    judged(ASK_TWIN);
    cr_assert_eq(answered(), EPERM);
    still_trusted(&f);
}

Test(asks, a_snapshot_is_forked_once)
{
    cell->fork_asked = true;
    judged(ASK_SNAPSHOT);
    cr_assert_eq(answered(), 0);
    still_trusted(&f);
    judged(ASK_SNAPSHOT);
    is_punished("the cell tried to fork, and nobody asked it to");
}

Test(asks, a_thread_is_the_watchdogs)
{
    judged(ASK_THREAD);
    is_punished("the cell tried to start a thread, and nobody asked it to");
}

Test(asks, a_cell_has_its_session)
{
    struct twin twin = { .memory = -1 };

    cell->twin = &twin;
    judged(ASK_SESSION);
    is_punished("the cell tried to become another one");
}

/* Its pid cannot be read: who asks may be that one. */
Test(asks, nobody_is_killed_for_what_the_host_cannot_know)
{
    int pidfd = cell->pidfd;

    cell->pidfd = eventfd(0, EFD_CLOEXEC);
    cell->pid = 0;
    judged(ASK_SNAPSHOT);
    cr_assert_eq(answered(), EPERM);
    still_trusted(&f);
    cr_assert_eq(close(cell->pidfd), 0);
    cell->pidfd = pidfd;
    judged(ASK_SNAPSHOT);
    is_punished("the cell tried to fork, and nobody asked it to");
}

/* --- twins ---------------------------------------------------------------------------------- */

static void
report(uint32_t kind, uint32_t id, int fd)
{
    struct control packet = { .kind = kind, .id = id, .fds = { fd, -1 } };

    cr_assert_eq(control_send(f.template_socket, &packet), 0);
}

/* One that is reported before the cell may have forked is no twin of this one's. */
Test(asks, a_stray_before_the_fork_is_another_ones)
{
    struct twin twin = { .memory = -1, .may_fork = true };

    cell->twin = &twin;
    report(CONTROL_STRAY, f.id, -1);
    template_receive(template);
    cr_assert_not(twin.lost);
    twin.may_fork = false;
    report(CONTROL_STRAY, f.id + 1, -1);
    template_receive(template);
    cr_assert_not(twin.lost, "of no cell");
    report(CONTROL_STRAY, f.id, -1);
    template_receive(template);
    cr_assert(twin.lost);
    cell->twin = NULL;
    report(CONTROL_STRAY, f.id, -1);
    template_receive(template);
    still_trusted(&f);
}

/* Another process in the cell's session asks, when there may be no twin yet, and when there is one:
 * all that adopting it takes is at hand. */
static void
is_not_adopted(bool may_fork, bool adopted)
{
    struct twin twin = { .memory = -1, .may_fork = may_fork, .adopted = adopted };
    gbx_error error = GBX_ERROR_INIT;

    twin.cell = cell_prepare(template, &twin.memory, &error);
    cr_assert_not_null(twin.cell);
    cell->twin = &twin;
    report(CONTROL_FORKED, twin.cell->id, cell->pidfd);
    judged(ASK_SESSION_IN_CHILD);
    cr_assert_eq(answered(), SIGKILL, "how the child ended");
    still_trusted(&f);
    cr_assert_eq(twin.adopted, adopted);
    cr_assert_lt(twin.cell->pidfd, 0);
    cell->twin = NULL;
    cell_free(twin.cell);
    fd_close(&twin.memory);
}

Test(asks, no_twin_is_adopted_twice)
{
    is_not_adopted(false, true);
}

Test(asks, no_twin_is_adopted_before_the_fork)
{
    is_not_adopted(true, false);
}

/* Says that it has forked, to whoever asks. */
static __attribute__((noreturn)) void
pretend(void)
{
    struct frame frame;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (!fake_cell_hear(&f, &frame) || frame.type != MESSAGE_TWIN)
        (void)usleep(1000);
    put_result(&f.out, tag(frame.id), &(struct msg_result){ .value = span_of(NULL, 0) });
    (void)fake_cell_write(&f, buf_span(&f.out));
    for (;;)
        (void)pause();
}

/* Where a twin that never asks may be, only the end of its cell can reach it. */
Test(asks, a_twin_that_never_does_costs_the_cell_its_life)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_isolate *fork_of_it = NULL;
    pid_t liar = fork();

    if (liar == 0)
        pretend();
    cr_assert_eq(gbx_isolate_fork(f.isolate, NULL, &fork_of_it, &error), GBX_ELOST);
    cr_assert_null(fork_of_it);
    condemned(&f, "the cell forked, and its twin did not ask for a channel");
    cr_assert_eq(kill(liar, SIGKILL), 0);
    cr_assert_eq(waitpid(liar, NULL, 0), liar);
}
