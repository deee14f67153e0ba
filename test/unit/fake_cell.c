#include "fake_cell.h"

#include "base/check.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

pid_t
sleeper_start(void)
{
    pid_t parent = getpid(), pid = fork();

    GBX_CHECK(pid >= 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (getppid() == parent)
            (void)pause();
        _exit(0);
    }
    return pid;
}

/* A template for these options, with nobody at the other end. */
static struct template *
template_new(struct fake_cell *f, const gbx_isolate_options *options)
{
    struct template *t = calloc(1, sizeof *t);
    int pair[2];

    GBX_CHECK(t != NULL && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    t->runtime = f->runtime;
    t->socket = pair[0];
    t->forks_fd = -1;
    f->template_socket = pair[1];
    t->cells.max = TABLE_MAX;
    gbx_isolate_options o = GBX_ISOLATE_OPTIONS_INIT;
    if (options != NULL)
        o = *options;
    if (o.memory_limit_bytes == 0)
        o.memory_limit_bytes = MEMORY_LIMIT_DEFAULT;
    setting_template(&o, 0, t->option);
    f->runtime->templates = t;
    GBX_CHECK(watch_add(f->runtime, &t->watch, WATCH_TEMPLATE, t, t->socket, NULL) == GBX_OK);
    return t;
}

static struct cell *
cell_new(struct fake_cell *f, struct template *t)
{
    struct cell *cell = calloc(1, sizeof *cell);
    GBX_AUTOFD memory = channel_memory_new();

    GBX_CHECK(cell != NULL && memory >= 0);
    cell->runtime = f->runtime;
    cell->template = t;
    cell->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    cell->pid = f->pid != 0 ? f->pid : getpid();
    cell->pidfd = (int)syscall(SYS_pidfd_open, cell->pid, 0);
    f->event_fd = fcntl(cell->event_fd, F_DUPFD_CLOEXEC, 0);
    GBX_CHECK(cell->event_fd >= 0 && cell->pidfd >= 0 && f->event_fd >= 0);
    GBX_CHECK(channel_map(&cell->channel, memory, true));
    GBX_CHECK(channel_map(&f->side, memory, false));
    cell->id = f->id = table_add(&t->cells, cell);
    GBX_CHECK(
        watch_add(f->runtime, &cell->exit, WATCH_CELL_EXIT, cell, cell->pidfd, NULL) == GBX_OK);
    GBX_CHECK(watch_add(f->runtime, &cell->event, WATCH_CELL_EVENT, cell, cell->event_fd,
                  NULL) == GBX_OK);
    return cell;
}

void
fake_cell_open(struct fake_cell *f, const gbx_isolate_options *options, unsigned flags)
{
    gbx_error error = GBX_ERROR_INIT;

    memset(f, 0, sizeof *f);
    f->out.max = MESSAGE_BYTES_MAX + MIB;
    frame_reader_init(&f->reader, TO_CELL);
    if ((flags & FAKE_PROCESS) != 0)
        f->pid = sleeper_start();
    GBX_CHECK(runtime_new(&f->runtime, &error) == GBX_OK);
    struct template *t = template_new(f, options);
    t->pool = cell_new(f, t);
    t->pooled = 1;
    GBX_CHECK(gbx_isolate_open(f->runtime, options, &f->isolate, &error) == GBX_OK);
    struct cell *cell = f->isolate->cell;
    if (f->pid == 0) {
        /* Nothing may be sent to ourselves: without the pidfd the host has nobody to kill. */
        watch_remove(f->runtime, &cell->exit, cell->pidfd);
        fd_close(&cell->pidfd);
    }
    if ((flags & FAKE_TEMPLATE) == 0) {
        template_free(t);
        fd_close(&f->template_socket);
    }
}

void
fake_cell_close(struct fake_cell *f)
{
    gbx_isolate_close(f->isolate);
    gbx_runtime_close(f->runtime);
    if (f->pid != 0) {
        (void)kill(f->pid, SIGKILL);
        (void)waitpid(f->pid, NULL, 0);
    }
    channel_unmap(&f->side);
    fd_close(&f->event_fd);
    fd_close(&f->template_socket);
    frame_reader_done(&f->reader);
    buf_done(&f->out);
}

size_t
fake_cell_write(struct fake_cell *f, struct span bytes)
{
    size_t n = ring_put(&f->side.out, bytes);

    ring_publish(&f->side.out);
    channel_wake_host(&f->side, CHANNEL_WANTS_DATA, f->event_fd);
    return n;
}

void
fake_cell_serve(struct fake_cell *f)
{
    while (f->isolate->cell != NULL && isolate_service(f->isolate))
        ;
}

void
fake_cell_say(struct fake_cell *f)
{
    struct buf said = f->out;
    size_t sent = 0;

    GBX_CHECK(!said.failed);
    f->out = (struct buf){ .max = said.max };
    while (sent < said.len && f->isolate->cell != NULL) {
        sent += fake_cell_write(f, span_of(said.p + sent, said.len - sent));
        fake_cell_serve(f);
    }
    buf_done(&said);
}

bool
fake_cell_hear(struct fake_cell *f, struct frame *frame)
{
    uint8_t *into;
    size_t wants;

    if (f->reader.in_body)
        frame_next(&f->reader);
    while ((wants = frame_reader_wants(&f->reader, &into)) > 0) {
        size_t n = ring_take(&f->side.in, into, wants);
        if (n == 0)
            return false;
        if (frame_reader_got(&f->reader, n)) {
            *frame = f->reader.frame;
            return true;
        }
    }
    GBX_CHECK(!f->reader.broken);
    return false;
}

void
fake_cell_report(struct fake_cell *f, int wait_status, uint64_t cpu_us, uint64_t resident_bytes)
{
    struct control packet = { .kind = CONTROL_EXITED, .id = f->id, .fds = { -1, -1 } };

    packet.number[0] = (uint64_t)(uint32_t)wait_status;
    packet.number[1] = cpu_us;
    packet.number[2] = resident_bytes;
    GBX_CHECK(control_send(f->template_socket, &packet) == 0);
}

int
fake_cell_reap(struct fake_cell *f)
{
    int status;

    GBX_CHECK(waitpid(f->pid, &status, 0) == f->pid);
    f->pid = 0;
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

bool
fake_cell_runs(struct fake_cell *f)
{
    siginfo_t info = { 0 };

    GBX_CHECK(waitid(P_PID, (id_t)f->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0);
    return info.si_pid == 0;
}
