/* fuzz_forks.c - what a cell asks the kernel for, and a twin that asks to become a cell: in any
 * order, beside a host that forks the isolate and takes its heap's snapshots.
 *
 * The kernel is played here: who asks for what, whose session they are in, what time it is. While
 * the host waits the input goes on, so it is what happens, in this order, and no wait takes time.
 * What must hold: a call goes on only if the host has asked for it, once; a twin is a cell when it
 * was handed what makes it one; who asks unasked is killed, and nobody else; nothing stays open. */
#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "fuzz.h"
#include "input.h"
#include "unit/fake_cell.h"
#include "unit/faults.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum {
    FORKS = 4,            /* that are open at a time */
    CELL_PID = 0x70000000 /* past any that there is; twins are behind it */
};

/* A call that is held. */
static struct question {
    struct seccomp_notif notif;
    bool of_session; /* its process is in the cell's */
    bool gone;       /* died before the host has looked */
    bool reused;     /* died since: its pid may be another's */
    bool pidless;    /* /proc does not tell its pid */
    uint32_t refuses_fd;
    bool of_cell; /* of one that was alive then */
} question;

static struct fake_cell f;
static struct input in;
static struct template *other; /* that has nothing to do with it */
static gbx_isolate *forks[FORKS];
static gbx_future *calls[2];
static gbx_inspector *inspector;
static int bell = -1; /* the other end of the template's forks_fd */
static pid_t stranger, twin;
static uint64_t passed_us; /* beside the real time */
static bool waiting_for_answer;
static enum {
    READABLE,
    NO_DESCRIPTOR,
    NO_PROCESS
} unreadable; /* /proc */

/* What was asked of the cell, and has not been granted; what became of the twin. */
static struct {
    unsigned snapshots, twins, threads;
    bool twin_forked, adopted;
    unsigned handed;
} model;

/* --- who there is ---------------------------------------------------------------------------- */

#define WRAPPED(type, name, ...)     \
    type __real_##name(__VA_ARGS__); \
    type __wrap_##name(__VA_ARGS__); \
    type __wrap_##name(__VA_ARGS__)

WRAPPED(pid_t, cell_pid, struct cell *cell)
{
    if (cell->pid != 0 || cell->pidfd < 0)
        return cell->pid;
    if (unreadable != READABLE) {
        errno = unreadable == NO_DESCRIPTOR ? EMFILE : errno;
        return 0;
    }
    return cell->pid = cell->id == f.id ? CELL_PID : twin;
}

WRAPPED(pid_t, process_inner_pid, pid_t pid)
{
    return question.pidless ? 0 : pid;
}

WRAPPED(pid_t, getsid, pid_t pid)
{
    GBX_CHECK(pid == (pid_t)question.notif.pid);
    if (model.adopted && pid == twin)
        return twin; /* it has gone on, and made a session of its own */
    return question.of_session ? CELL_PID : 1;
}

/* The cell's; NULL: it is gone. */
static struct template *template(void)
{
    return f.runtime->templates != other ? f.runtime->templates : NULL;
}

static bool
is_cell(pid_t pid)
{
    struct template *t = template();
    uint32_t cursor = 0, id;
    struct cell *cell;

    while (t != NULL && (cell = table_next(&t->cells, &cursor, &id)) != NULL)
        if (!cell->exited && __wrap_cell_pid(cell) == pid)
            return true;
    return false;
}

/* --- the kernel ------------------------------------------------------------------------------ */

static int
fails(int error)
{
    errno = error;
    return -1;
}

static int
ask_host(struct seccomp_notif *out)
{
    uint64_t one;

    GBX_CHECK(read(bell, &one, sizeof one) == sizeof one && !waiting_for_answer);
    if (question.gone)
        return fails(ENOENT);
    *out = question.notif;
    question.of_cell = is_cell((pid_t)question.notif.pid);
    waiting_for_answer = true;
    return 0;
}

static int
hand_over(const struct seccomp_notif_addfd *add)
{
    GBX_CHECK(waiting_for_answer && add->id == question.notif.id);
    GBX_CHECK(question.notif.data.nr == SYS_setsid && question.of_session && model.twin_forked);
    GBX_CHECK(add->flags == SECCOMP_ADDFD_FLAG_SETFD && add->newfd_flags == O_CLOEXEC);
    GBX_CHECK(add->newfd == (model.handed == 0 ? CELL_BELL_FD : CELL_CHANNEL_FD));
    GBX_CHECK(fcntl((int)add->srcfd, F_GETFD) >= 0);
    if (question.refuses_fd == ++model.handed)
        return fails(ENOENT);
    return (int)add->newfd;
}

/* The host's word on the question. */
static void
granted(void)
{
    uint32_t flags = (uint32_t)question.notif.data.args[0];

    if (question.notif.data.nr == SYS_setsid) {
        GBX_CHECK(question.of_session && model.twin_forked && !model.adopted);
        GBX_CHECK(!question.of_cell);
        GBX_CHECK(model.handed == 2 && question.refuses_fd == 0);
        model.adopted = true;
        model.threads++;
    } else if (flags == FORK_FLAGS) {
        GBX_CHECK(question.of_cell && model.snapshots-- > 0);
    } else if (flags == TWIN_FLAGS) {
        GBX_CHECK(question.of_cell && model.twins-- > 0);
        model.twin_forked = true;
    } else {
        GBX_CHECK(question.of_cell && model.threads-- > 0);
    }
}

static int
hear_answer(const struct seccomp_notif_resp *answer)
{
    GBX_CHECK(waiting_for_answer && answer->id == question.notif.id && answer->val == 0);
    waiting_for_answer = false;
    if ((answer->flags & SECCOMP_USER_NOTIF_FLAG_CONTINUE) != 0) {
        GBX_CHECK(answer->error == 0);
        granted();
        return 0;
    }
    GBX_CHECK(answer->flags == 0 && answer->error == -EPERM);
    if (question.notif.pid == (uint32_t)stranger) {
        /* It is killed if it is still the one that asked, and is known to be no cell. */
        bool spared = question.reused || unreadable != READABLE;
        pid_t ended;
        do
            ended = waitpid(stranger, NULL, spared ? WNOHANG : 0);
        while (ended < 0 && errno == EINTR);
        GBX_CHECK(ended == stranger || (ended == 0 && spared));
        GBX_CHECK(ended == 0 || !question.reused);
        stranger -= ended;
    }
    return 0;
}

int __real_ioctl(int fd, unsigned long what, ...);
int __wrap_ioctl(int fd, unsigned long what, ...);
int
__wrap_ioctl(int fd, unsigned long what, ...)
{
    va_list args;

    va_start(args, what);
    void *argument = va_arg(args, void *);
    va_end(args);
    GBX_CHECK(template() != NULL && fd == template()->forks_fd);
    switch (what) {
    case SECCOMP_IOCTL_NOTIF_RECV:
        return ask_host(argument);
    case SECCOMP_IOCTL_NOTIF_ID_VALID:
        return question.reused ? fails(ENOENT) : 0;
    case SECCOMP_IOCTL_NOTIF_ADDFD:
        return hand_over(argument);
    default:
        GBX_CHECK(what == SECCOMP_IOCTL_NOTIF_SEND);
        return hear_answer(argument);
    }
}

static bool happens(void);

/* What there is at once, or has come about before the input was at its end. */
static int
wait_for(struct pollfd *fds, nfds_t count, int64_t timeout_us)
{
    int n;

    while ((n = poll(fds, count, 0)) == 0)
        if (!happens()) {
            GBX_CHECK(timeout_us >= 0); /* for ever */
            passed_us += (uint64_t)timeout_us;
            return 0;
        }
    return n;
}

WRAPPED(int, poll, struct pollfd *fds, nfds_t count, int timeout_ms)
{
    if (timeout_ms == 0)
        return __real_poll(fds, count, 0);
    return wait_for(fds, count, timeout_ms < 0 ? -1 : (int64_t)timeout_ms * 1000);
}

int __wrap_ppoll(
    struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask);
int
__wrap_ppoll(
    struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
    GBX_CHECK(mask == NULL);
    return wait_for(fds, count,
        timeout == NULL ? -1 : timeout->tv_sec * 1000000 + timeout->tv_nsec / 1000 + 1);
}

WRAPPED(int, clock_gettime, clockid_t id, struct timespec *t)
{
    int result = __real_clock_gettime(id, t);

    if (id == CLOCK_MONOTONIC) {
        t->tv_sec += (time_t)(passed_us / 1000000);
        t->tv_nsec += (long)(passed_us % 1000000) * 1000;
        t->tv_sec += t->tv_nsec / 1000000000;
        t->tv_nsec %= 1000000000;
    }
    return result;
}

/* --- cell, twin, stranger and template ------------------------------------------------------- */

static void
somebody_asks(void)
{
    static const uint64_t flags[] = { FORK_FLAGS, TWIN_FLAGS, THREAD_FLAGS, 0 };
    static uint64_t last_id;
    uint32_t what = input_u8(&in), who = input_u8(&in), how = input_u8(&in);
    struct pollfd pending = { .fd = bell, .events = POLLIN };
    uint64_t one = 1;

    if (waiting_for_answer || template() == NULL || __real_poll(&pending, 1, 0) > 0)
        return;
    if (stranger == 0)
        stranger = sleeper_start();
    question = (struct question){ .of_session = (how & 1) != 0,
        .gone = (how & 2) != 0,
        .reused = (how & 4) != 0,
        .pidless = (how & 8) != 0,
        .refuses_fd = how >> 4 & 3 };
    question.notif.id = ++last_id;
    question.notif.pid = (uint32_t)(who % 3 == 0 ? CELL_PID : who % 3 == 1 ? twin : stranger);
    question.notif.data.nr = what % 5 == 4 ? SYS_setsid : SYS_clone;
    question.notif.data.args[0] = what % 5 == 4 ? TWIN_MARK : flags[what % 5];
    model.handed = 0;
    GBX_CHECK(write(bell, &one, sizeof one) == sizeof one);
}

/* A packet about the cell, or the last that was made known, or none. */
static void
template_says(void)
{
    static const uint32_t kinds[] = { CONTROL_FORKED, CONTROL_MEMORY, CONTROL_STRAY,
        CONTROL_EXITED, CONTROL_READY };
    uint32_t kind = input_u8(&in), about = input_u8(&in), number = input_u8(&in);
    struct control packet = { .kind = kinds[kind % 5], .fds = { -1, -1 } };
    struct template *t = template();
    GBX_AUTOFD pidfd = number % 2 == 0 && kind % 5 == 0 ? eventfd(0, EFD_CLOEXEC) : -1;
    uint32_t cursor = 0, id;

    if (f.template_socket < 0)
        return;
    packet.id = f.id;
    while (about % 3 == 1 && t != NULL && table_next(&t->cells, &cursor, &id) != NULL)
        packet.id = id;
    if (about % 3 == 2)
        packet.id = about;
    packet.number[0] = number / 2;
    packet.fds[0] = pidfd;
    (void)control_send(f.template_socket, &packet);
}

/* What the template was told goes nowhere, but must not fill its socket. */
static void
template_hears(void)
{
    struct control packet;

    while (f.template_socket >= 0 && control_receive(f.template_socket, &packet, false) == 0)
        for (int i = 0; i < 2; i++)
            fd_close(&packet.fds[i]);
}

/* Answers what the cell is asked for, well or badly. */
static void
cell_says(void)
{
    uint32_t what = input_u8(&in) % 5, cursor = 0, id, last = 0;

    if (f.isolate->cell == NULL)
        return;
    while (table_next(&f.isolate->futures, &cursor, &id) != NULL)
        last = id;
    if (what == 0)
        put_result(&f.out, (struct frame_tag){ .id = last }, &(struct msg_result){ 0 });
    else if (what == 1)
        put_forked(&f.out, (struct frame_tag){ .id = f.isolate->snapshot_request },
            &(struct msg_forked){ 0 });
    else
        put_failure(&f.out, (struct frame_tag){ .id = last },
            &(struct msg_failure){ .status = what == 2   ? -GBX_EBUSY
                                             : what == 3 ? -GBX_ESYS
                                                         : -GBX_ECRASHED });
    if (ring_room(&f.side.out) > f.out.len)
        (void)fake_cell_write(&f, buf_span(&f.out));
    buf_clear(&f.out);
}

/* Its process, that is; the host may notice. */
static void
cell_ends(void)
{
    uint64_t one = 1;

    if (f.isolate->cell != NULL)
        GBX_CHECK(write(f.isolate->cell->pidfd, &one, sizeof one) == sizeof one);
}

/* --- the host ------------------------------------------------------------------------------- */

static void
fork_isolate(void)
{
    gbx_isolate **fork = &forks[input_u8(&in) % FORKS];
    gbx_error error = GBX_ERROR_INIT;
    struct cell *before = f.isolate->cell;

    gbx_isolate_close(*fork);
    *fork = NULL;
    model.twins = 1;
    model.twin_forked = model.adopted = false;
    twin++;
    gbx_status status = gbx_isolate_fork(f.isolate, NULL, fork, &error);
    GBX_CHECK((status == GBX_OK) == (*fork != NULL));
    GBX_CHECK(status == GBX_OK ? model.adopted : error.message[0] != '\0');
    GBX_CHECK(status != GBX_OK || (*fork)->cell != before);
    /* What was not granted by now never is. */
    model.twins = 0;
    model.twin_forked = false;
    if (f.isolate->cell == NULL)
        GBX_CHECK(gbx_isolate_death(f.isolate)->status != GBX_OK);
}

static gbx_status
sink(const void *piece, size_t len, void *data)
{
    (void)piece;
    (void)len;
    (void)data;
    return GBX_OK;
}

static void
take_snapshot(void)
{
    gbx_snapshot_options options = GBX_SNAPSHOT_OPTIONS_INIT;

    options.mode = input_u8(&in) % 2 == 0 ? GBX_SNAPSHOT_BACKGROUND : GBX_SNAPSHOT_ATTACHED;
    options.sink = sink;
    gbx_future *future = gbx_heap_snapshot(f.isolate, &options);
    if (!future->finished && options.mode == GBX_SNAPSHOT_BACKGROUND)
        model.snapshots = 1;
    gbx_future_free(future);
}

static void
on_message(gbx_inspector *session, const char *json, size_t len, void *data)
{
    (void)session;
    (void)json;
    (void)len;
    (void)data;
}

/* Code runs, or a debugger looks on. */
static void
keep_busy(void)
{
    uint32_t how = input_u8(&in) % 4;

    if (how < 2) {
        gbx_future_free(calls[how]);
        calls[how] = gbx_context_eval(gbx_isolate_context(f.isolate), "x", 1, NULL);
    } else if (how == 2 && inspector == NULL) {
        (void)!gbx_inspector_open(f.isolate, on_message, NULL, &inspector, NULL);
    } else {
        gbx_inspector_close(inspector);
        inspector = NULL;
    }
}

static void
host_acts(uint32_t what)
{
    if (what == 5)
        fork_isolate();
    else if (what == 6)
        take_snapshot();
    else if (what == 7)
        (void)gbx_runtime_dispatch(f.runtime, 0);
    else if (what == 8)
        keep_busy();
    else if (what == 9)
        isolate_ended(f.isolate);
    else if (what == 12)
        unreadable = input_u8(&in) % 3;
    else if (what == 10)
        fault_arm(FAULT_MEMORY, input_u8(&in), true, ENOMEM);
}

/* --- all of it ------------------------------------------------------------------------------ */

/* The next event of the input that is not the host's doing. False: there is none. */
static bool
happens(void)
{
    template_hears();
    if (in.left.len == 0)
        return false;
    uint32_t what = in.left.p[0] % 13;
    if (what >= 5 && what != 11) /* the host is waiting: it does this afterwards */
        return false;
    (void)input_u8(&in);
    if (what == 0)
        somebody_asks();
    else if (what == 1)
        template_says();
    else if (what == 2)
        cell_says();
    else if (what == 3)
        fd_close(&f.template_socket);
    else if (what == 4)
        passed_us += input_number(&in, 3);
    else
        cell_ends();
    return true;
}

/* One that cannot fork, if the kernel is too old. */
static void
world_open(bool old_kernel)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;

    fake_cell_open(&f, &options, FAKE_TEMPLATE);
    struct template *t = f.runtime->templates;
    t->next = other = calloc(1, sizeof *other);
    GBX_CHECK(other != NULL);
    other->socket = other->forks_fd = -1;
    other->runtime = f.runtime;
    f.isolate->cell->pid = 0;
    twin = CELL_PID;
    f.isolate->cell->pidfd = eventfd(0, EFD_CLOEXEC);
    bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    t->forks_fd = old_kernel ? -1 : fcntl(bell, F_DUPFD_CLOEXEC, 0);
    if (!old_kernel)
        GBX_CHECK(
            watch_add(f.runtime, &t->forks_watch, WATCH_FORKS, t, t->forks_fd, NULL) == GBX_OK);
    memset(&model, 0, sizeof model);
    waiting_for_answer = false;
    unreadable = READABLE;
}

static void
world_close(void)
{
    for (size_t i = 0; i < FORKS; i++) {
        gbx_isolate_close(forks[i]);
        forks[i] = NULL;
    }
    for (size_t i = 0; i < 2; i++) {
        gbx_future_free(calls[i]);
        calls[i] = NULL;
    }
    gbx_inspector_close(inspector);
    inspector = NULL;
    GBX_CHECK(!waiting_for_answer || template() == NULL);
    fake_cell_close(&f);
    fd_close(&bell);
}

/* The lowest descriptor that is free: a higher one, if something stays open. */
static int
lowest_free(void)
{
    GBX_AUTOFD fd = dup(0);

    return fd;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int lowest = lowest_free();

    in = (struct input){ span_of(data, size) };
    world_open(input_u8(&in) % 2 != 0);
    while (in.left.len > 0)
        if (!happens()) {
            uint32_t what = input_u8(&in) % 13;
            host_acts(what);
            if (what != 10) /* the fault is for what comes next */
                (void)fault_disarm();
        }
    (void)fault_disarm();
    world_close();
    GBX_CHECK(lowest_free() == lowest);
    return 0;
}
