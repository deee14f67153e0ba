/* template.c - one isolate, warm and never used; forks cells on demand and tells how they end.
 */
#include "cell/cell.h"

#include "base/fd.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

struct child {
    pid_t pid;
    uint32_t id;           /* the host's number for the cell */
    uint64_t shared_bytes; /* that it has mapped besides */
};

struct template
{
    int socket, host_fd, signal_fd;
    int forks_fd; /* for the host; see sandbox_watch_forks() */
    struct cell_start start;
    struct child *children; /* alive; unordered */
    size_t count, capacity;
    uint32_t shares_id; /* of the cell that `start.shares` are for */
};

static void
send_text(const struct template *t, enum ready how, const char *text)
{
    struct control packet = { .kind = CONTROL_READY, .fds = { t->forks_fd, -1 } };

    packet.number[0] = how;
    (void)snprintf(packet.text, sizeof packet.text, "%s", text);
    (void)control_send(t->socket, &packet);
}

static void
cell_main(const struct template *t, pid_t parent, const struct control *order)
{
    struct cell_start start = t->start;
    sigset_t none;

    if (!sandbox_die_with(parent))
        _exit(CELL_EXIT_DONE);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    start.template = parent;
    start.memory_fd = order->fds[0];
    start.event_fd = order->fds[1];
    cell_run(&start);
}

/* For one more child. */
static bool
has_room(struct template *t)
{
    if (t->count == t->capacity) {
        size_t want = t->capacity == 0 ? 64 : t->capacity * 2;
        struct child *children = realloc(t->children, want * sizeof *children);
        if (children != NULL) {
            t->children = children;
            t->capacity = want;
        }
    }
    return t->count < t->capacity;
}

static void
drop_shares(struct template *t)
{
    for (uint32_t i = 0; i < t->start.share_count; i++)
        fd_close(&t->start.shares[i].fd);
    t->start.share_count = 0;
}

/* A descriptor that got lost on its way leaves a share that the cell cannot map. */
static void
serve_share(struct template *t, struct control *order)
{
    if (t->shares_id != order->id)
        drop_shares(t);
    t->shares_id = order->id;
    if (t->start.share_count < SHARED_COUNT_MAX)
        t->start.shares[t->start.share_count++] =
            (struct share){ order->number[0], steal_fd(&order->fds[0]) };
}

static uint64_t
shared_bytes(const struct template *t)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < t->start.share_count; i++)
        bytes += t->start.shares[i].bytes;
    return bytes;
}

static void
serve_fork(struct template *t, const struct control *order)
{
    struct control answer = { .kind = CONTROL_FORKED, .id = order->id, .fds = { -1, -1 } };
    pid_t self = getpid(), pid = -1;

    if (t->shares_id != order->id)
        drop_shares(t);
    if (!has_room(t))
        errno = ENOMEM;
    else
        pid = fork();
    if (pid == 0)
        cell_main(t, self, order);
    if (pid < 0) {
        answer.number[0] = (uint64_t)errno;
    } else {
        t->children[t->count++] = (struct child){ pid, order->id, shared_bytes(t) };
        answer.fds[0] = (int)syscall(SYS_pidfd_open, pid, 0);
        if (answer.fds[0] < 0) {
            answer.number[0] = (uint64_t)errno;
            (void)kill(pid, SIGKILL);
        }
    }
    drop_shares(t);
    (void)control_send(t->socket, &answer);
    fd_close(&answer.fds[0]);
}

/* --- twins ---------------------------------------------------------------------------------- */

static const struct child *
child_of(const struct template *t, uint32_t id)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->children[i].id == id)
            return &t->children[i];
    return NULL;
}

/* What the host says of it comes from the kernel, but it may have died since, and its number be
 * another's: it must be a child of ours that lives, of which we do not know, and which nobody but
 * that cell can have made. */
static bool
is_twin_of(const struct template *t, pid_t pid, const struct child *cell)
{
    siginfo_t info = { .si_pid = 0 };

    for (size_t i = 0; i < t->count; i++)
        if (t->children[i].pid == pid)
            return false;
    return cell != NULL && getsid(pid) == cell->pid &&
           waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == 0;
}

static void
serve_adopt(struct template *t, const struct control *order)
{
    struct control answer = { .kind = CONTROL_FORKED, .id = order->id, .fds = { -1, -1 } };
    const struct child *cell;
    pid_t pid = (pid_t)order->number[0];

    if (pid == 0) {
        const struct child *adopted = child_of(t, order->id);
        if (adopted != NULL)
            (void)sandbox_open_door(adopted->pid, false);
        return;
    }
    answer.number[0] = ESRCH;
    bool room = has_room(t); /* the cell may move by that */
    cell = child_of(t, (uint32_t)order->number[1]);
    if (!room) {
        answer.number[0] = ENOMEM;
    } else if (is_twin_of(t, pid, cell)) {
        t->children[t->count++] = (struct child){ pid, order->id, cell->shared_bytes };
        answer.number[0] = (uint64_t)sandbox_open_door(pid, true);
        answer.fds[0] = (int)syscall(SYS_pidfd_open, pid, 0);
        if (answer.number[0] == 0 && answer.fds[0] < 0)
            answer.number[0] = (uint64_t)errno;
    }
    (void)control_send(t->socket, &answer);
    fd_close(&answer.fds[0]);
}

static void
serve_kill(const struct template *t, uint32_t id)
{
    const struct child *child = child_of(t, id);

    if (child != NULL)
        (void)kill(child->pid, SIGKILL);
}

/* Only we reap our children, so a pid that we know is still its own. */
static int
set_memory(const struct template *t, const struct child *child, const struct control *order)
{
    struct sandbox_cell cell = { .memory_limit_bytes = t->start.memory_limit_bytes,
        .data_bytes = t->start.data_bytes,
        .address_bytes = t->start.address_bytes + child->shared_bytes };

    return order->number[0] != 0 ? sandbox_raise_memory(child->pid, &cell, order->number[1])
                                 : sandbox_restore_memory(child->pid, &cell, order->number[1]);
}

static void
serve_memory(const struct template *t, const struct control *order)
{
    struct control answer = { .kind = CONTROL_MEMORY, .id = order->id, .fds = { -1, -1 } };
    const struct child *child = child_of(t, order->id);

    answer.number[0] = child == NULL ? ESRCH : (uint64_t)set_memory(t, child, order);
    (void)control_send(t->socket, &answer);
}

static uint64_t
time_us(const struct timeval *time)
{
    return (uint64_t)time->tv_sec * 1000000 + (uint64_t)time->tv_usec;
}

static void
report(struct template *t, pid_t pid, int status, const struct rusage *usage)
{
    for (size_t i = 0; i < t->count; i++) {
        if (t->children[i].pid != pid)
            continue;
        struct control packet = { .kind = CONTROL_EXITED, .fds = { -1, -1 } };
        packet.id = t->children[i].id;
        packet.number[0] = (uint64_t)(uint32_t)status;
        packet.number[1] = time_us(&usage->ru_utime) + time_us(&usage->ru_stime);
        packet.number[2] = (uint64_t)usage->ru_maxrss * 1024;
        t->children[i] = t->children[--t->count];
        (void)control_send(t->socket, &packet);
        break;
    }
}

/* Before a child is reaped that is in another's session: a twin that was not adopted. */
static void
report_stray(const struct template *t, pid_t pid)
{
    pid_t cell = getsid(pid);

    for (size_t i = 0; i < t->count && cell != pid; i++)
        if (t->children[i].pid == cell) {
            struct control packet = {
                .kind = CONTROL_STRAY, .id = t->children[i].id, .fds = { -1, -1 }
            };
            (void)control_send(t->socket, &packet);
        }
}

/* Reaps what has ended and reports it. Only who reaps learns what it has used. */
static void
reap(struct template *t)
{
    struct signalfd_siginfo signals;
    struct rusage usage;
    int status;

    while (read(t->signal_fd, &signals, sizeof signals) > 0)
        ;
    for (;;) {
        siginfo_t info = { .si_pid = 0 };
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
            return;
        /* Before it is reaped, while its number is its own: a snapshot child that does not die
         * with its cell, as ours does, cannot have left the group. */
        (void)kill(-info.si_pid, SIGKILL);
        report_stray(t, info.si_pid);
        if (wait4(info.si_pid, &status, 0, &usage) == info.si_pid)
            report(t, info.si_pid, status, &usage);
    }
}

/* Becomes what every cell of this template starts as. */
static void
warm(struct template *t, const struct control *order)
{
    struct engine_config config = {
        .memory_limit_bytes = order->number[TEMPLATE_MEMORY_LIMIT],
        .stack_limit_bytes = order->number[TEMPLATE_STACK_LIMIT],
        .value_bytes_max = VALUE_BYTES_MAX,
        .seeded = (order->number[TEMPLATE_FLAGS] & TEMPLATE_SEEDED) != 0,
        .no_code_from_strings =
            (order->number[TEMPLATE_FLAGS] & TEMPLATE_NO_CODE_FROM_STRINGS) != 0,
        .no_wasm = (order->number[TEMPLATE_FLAGS] & TEMPLATE_NO_WASM) != 0,
        .no_shared_memory = (order->number[TEMPLATE_FLAGS] & TEMPLATE_NO_SHARED_MEMORY) != 0,
    };
    char zone[PLACE_ZONE_BYTES], locale[PLACE_LOCALE_BYTES];
    sigset_t chld;

    memcpy(zone, &order->number[TEMPLATE_ZONE], sizeof zone);
    memcpy(locale, &order->number[TEMPLATE_LOCALE], sizeof locale);
    const char *error = engine_set_place(zone, locale);
    enum ready failed = error != NULL ? READY_REFUSED : READY_FAILED;
    if (error == NULL)
        error = engine_isolate_new(&config);

    t->start.memory_limit_bytes = config.memory_limit_bytes;
    (void)prctl(PR_GET_TID_ADDRESS, &t->start.tid, 0, 0, 0); /* a kernel may not tell */
    t->start.flags = (uint32_t)order->number[TEMPLATE_FLAGS];
    t->start.layers = (uint32_t)order->number[TEMPLATE_LAYERS];
    (void)signal(SIGCHLD, SIG_DFL);
    (void)sigemptyset(&chld);
    (void)sigaddset(&chld, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &chld, NULL);
    t->signal_fd = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
    if (error == NULL && t->signal_fd < 0)
        error = "cannot make a signalfd";
    if (error == NULL && !sandbox_memory_in_use(&t->start.data_bytes, &t->start.address_bytes))
        error = "cannot measure its own memory";
    /* Last: from here on nothing but cells is forked from us. */
    if (error == NULL && (t->start.flags & TEMPLATE_FORK) != 0)
        t->forks_fd = sandbox_watch_forks((t->start.flags & TEMPLATE_PROFILING) != 0);
    send_text(t, error != NULL ? failed : READY_WELL, error != NULL ? error : engine_version());
    fd_close(&t->forks_fd);
    if (error != NULL)
        _exit(CELL_EXIT_NOTED);
}

void
template_run(const struct control *order, int host_fd)
{
    struct template t = {
        .socket = order->fds[0], .host_fd = host_fd, .signal_fd = -1, .forks_fd = -1
    };

    (void)prctl(PR_SET_NAME, "gbx-template");
    (void)close(ZYGOTE_CONTROL_FD);
    warm(&t, order);
    for (;;) {
        struct pollfd fds[] = { { .fd = t.socket, .events = POLLIN },
            { .fd = t.signal_fd, .events = POLLIN }, { .fd = t.host_fd, .events = POLLIN } };
        if (poll(fds, 3, -1) < 0 && errno != EINTR)
            _exit(CELL_EXIT_NOTED);
        if (fds[2].revents != 0)
            _exit(CELL_EXIT_DONE);
        if (fds[1].revents != 0)
            reap(&t);
        if (fds[0].revents == 0)
            continue;
        struct control packet;
        int error = control_receive(t.socket, &packet, false);
        if (error == EAGAIN)
            continue;
        if (error != 0)
            _exit(
                CELL_EXIT_DONE); /* the host has closed this template; its cells die with us */
        if (packet.kind == CONTROL_SHARE)
            serve_share(&t, &packet);
        else if (packet.kind == CONTROL_FORK)
            serve_fork(&t, &packet);
        else if (packet.kind == CONTROL_ADOPT)
            serve_adopt(&t, &packet);
        else if (packet.kind == CONTROL_KILL)
            serve_kill(&t, packet.id);
        else if (packet.kind == CONTROL_MEMORY)
            serve_memory(&t, &packet);
        for (int i = 0; i < 2; i++)
            fd_close(&packet.fds[i]);
    }
}
