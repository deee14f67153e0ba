/* spawn.c - the processes: a zygote, a template for each set of options, cells ahead of demand.
 *
 * The zygote is exec'ed, so it shares no memory, environment or address layout with the host. It
 * holds a pidfd of the host and a socket to it, and ends when either tells that the host is
 * gone; templates die with the zygote, cells with their template (PR_SET_PDEATHSIG, whose parents
 * are single-threaded processes, so that a thread's end is the process's).
 */
#include "host/host.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#if defined(__x86_64__)
#define LOADER "/lib64/ld-linux-x86-64.so.2"
#elif defined(__aarch64__)
#define LOADER "/lib/ld-linux-aarch64.so.1"
#else
#error "glovebox runs on x86-64 and aarch64"
#endif

/* Numbers from here on are free in the zygote while its own few are put in place. */
enum {
    PARKED_FD = 10
};

static int
socket_pair(int pair[2])
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -1;
    for (int i = 0; i < 2; i++) {
        int fd = fcntl(pair[i], F_DUPFD_CLOEXEC, PARKED_FD);
        (void)close(pair[i]);
        pair[i] = fd;
    }
    if (pair[0] >= 0 && pair[1] >= 0)
        return 0;
    fd_close(&pair[0]);
    fd_close(&pair[1]);
    return -1;
}

/* Waits for a packet; `out` is only good with 0. ETIMEDOUT, or control_receive()'s errors. */
static int
receive_within(int socket, struct control *out, uint64_t timeout_us)
{
    uint64_t until = now_us() + timeout_us;

    for (;;) {
        uint64_t now = now_us();
        struct pollfd fd = { .fd = socket, .events = POLLIN };
        int n = poll(&fd, 1, now < until ? (int)((until - now + 999) / 1000) : 0);
        if (n < 0 && errno != EINTR)
            return errno;
        if (n > 0)
            return control_receive(socket, out, false);
        if (n == 0 && now >= until)
            return ETIMEDOUT;
    }
}

static bool
has_ended(int pidfd, int timeout_ms)
{
    struct pollfd fd = { .fd = pidfd, .events = POLLIN };

    return poll(&fd, 1, timeout_ms) > 0;
}

/* --- zygote --------------------------------------------------------------------------------- */

static int
zygote_spawn(struct gbx_runtime *runtime, int socket, pid_t *pid)
{
    char *argv[] = { (char *)(uintptr_t)LOADER, (char *)(uintptr_t) "--preload",
        runtime->paths.cell, runtime->paths.engine, NULL };
    char *envp[] = { NULL };
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t all, none;
    int error = 0;

    (void)sigfillset(&all);
    (void)sigemptyset(&none);
    GBX_AUTOFD host_fd = fcntl(runtime->self_fd, F_DUPFD_CLOEXEC, PARKED_FD);
    if (host_fd < 0)
        return errno;
    if (posix_spawn_file_actions_init(&actions) != 0)
        return ENOMEM;
    if (posix_spawnattr_init(&attr) != 0) {
        (void)posix_spawn_file_actions_destroy(&actions);
        return ENOMEM;
    }
    for (int fd = 0; fd <= 2 && error == 0; fd++)
        /* GLOVEBOX_DEBUG: let V8's and the loader's own complaints through. */
        if (fd < 2 || getenv("GLOVEBOX_DEBUG") == NULL)
            error = posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
    if (error == 0)
        error = posix_spawn_file_actions_adddup2(&actions, socket, ZYGOTE_CONTROL_FD);
    if (error == 0)
        error = posix_spawn_file_actions_adddup2(&actions, host_fd, ZYGOTE_HOST_FD);
    if (error == 0)
        error = posix_spawn_file_actions_addclosefrom_np(&actions, ZYGOTE_HOST_FD + 1);
    if (error == 0)
        error = posix_spawnattr_setsigmask(&attr, &none);
    if (error == 0)
        error = posix_spawnattr_setsigdefault(&attr, &all);
    if (error == 0)
        error = posix_spawnattr_setflags(
            &attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
    if (error == 0)
        error = posix_spawn(pid, LOADER, &actions, &attr, argv, envp);
    (void)posix_spawnattr_destroy(&attr);
    (void)posix_spawn_file_actions_destroy(&actions);
    return error;
}

gbx_status
zygote_start(struct gbx_runtime *runtime, gbx_error *error)
{
    struct control hello;
    int pair[2];

    if (socket_pair(pair) < 0)
        return fail_errno(error, "cannot make the zygote's socket");
    GBX_AUTOFD theirs = pair[1];
    runtime->zygote_socket = pair[0];
    errno = zygote_spawn(runtime, theirs, &runtime->zygote_pid);
    if (errno != 0) {
        runtime->zygote_pid = 0;
        return fail_errno(error, "cannot start the engine %s", runtime->paths.engine);
    }
    fd_close(&theirs);
    runtime->zygote_pidfd =
        fd_above_stdio((int)syscall(SYS_pidfd_open, runtime->zygote_pid, 0));
    int e = receive_within(runtime->zygote_socket, &hello, START_TIMEOUT_US);
    if (e == ETIMEDOUT)
        return fail(error, GBX_EENGINE, "the engine %s did not start within %d s",
            runtime->paths.engine, START_TIMEOUT_US / 1000000);
    if (e != 0 || hello.kind != CONTROL_HELLO)
        return fail(error, GBX_EENGINE,
            "%s does not start as an engine; set GLOVEBOX_DEBUG=1 to see what it says",
            runtime->paths.engine);
    if (hello.number[0] != 0)
        return fail(error, GBX_EENGINE, "%s: %s", runtime->paths.engine, hello.text);
    if (layers_take(runtime, &hello.layers, error) != GBX_OK)
        return GBX_ESEAL;
    (void)snprintf(runtime->engine, sizeof runtime->engine, "%s", hello.text);
    return watch_add(
        runtime, &runtime->zygote_watch, WATCH_ZYGOTE, runtime, runtime->zygote_socket, error);
}

void
zygote_stop(struct gbx_runtime *runtime)
{
    while (runtime->templates != NULL)
        template_free(runtime->templates);
    if (runtime->zygote_pid != 0) {
        siginfo_t info;
        /* It ends by itself, and only when all in its pid namespace has been ended and reaped. The
         * pid is ours until we reap it, unless the host ignores SIGCHLD: then the pidfd tells. */
        (void)shutdown(runtime->zygote_socket, SHUT_RDWR);
        if (runtime->zygote_pidfd >= 0) {
            if (!has_ended(runtime->zygote_pidfd, ZYGOTE_END_MS))
                (void)syscall(SYS_pidfd_send_signal, runtime->zygote_pidfd, SIGKILL, NULL, 0);
            while (waitid(P_PIDFD, (id_t)runtime->zygote_pidfd, &info, WEXITED) < 0 &&
                   errno == EINTR)
                ;
        }
    }
    runtime->zygote_pid = 0;
    watch_remove(runtime, &runtime->zygote_watch, runtime->zygote_socket);
    fd_close(&runtime->zygote_socket);
    fd_close(&runtime->zygote_pidfd);
}

/* --- templates ------------------------------------------------------------------------------ */

static struct template *
template_find(struct gbx_runtime *runtime, const uint64_t option[TEMPLATE_OPTIONS])
{
    for (struct template *t = runtime->templates; t != NULL; t = t->next)
        if (!t->dead && memcmp(t->option, option, sizeof t->option) == 0)
            return t;
    return NULL;
}

static gbx_status
template_start(struct gbx_runtime *runtime, const uint64_t option[TEMPLATE_OPTIONS],
    struct template **out, gbx_error *error)
{
    int pair[2];

    if (runtime->zygote_pid == 0) {
        gbx_status status = zygote_start(runtime, error);
        if (status != GBX_OK) {
            zygote_stop(runtime);
            return status;
        }
    }
    struct template *t = calloc(1, sizeof *t);
    if (t == NULL)
        return fail(error, GBX_ENOMEM, "no memory for a template");
    t->socket = t->forks_fd = -1;
    t->runtime = runtime;
    t->cells.max = TABLE_MAX;
    t->next = runtime->templates;
    runtime->templates = t;
    memcpy(t->option, option, sizeof t->option);
    if (socket_pair(pair) < 0) {
        gbx_status status = fail_errno(error, "cannot make a template's socket");
        template_free(t);
        return status;
    }
    t->socket = pair[0];
    GBX_AUTOFD theirs = pair[1];
    struct control order = { .kind = CONTROL_TEMPLATE, .fds = { theirs, -1 } };
    memcpy(order.number, option, sizeof order.number);
    int e = control_send(runtime->zygote_socket, &order);
    fd_close(&theirs);
    if (e == 0)
        e = receive_within(t->socket, &order, START_TIMEOUT_US);
    if (e == 0)
        t->forks_fd = fd_above_stdio(steal_fd(&order.fds[0]));
    if (e == EPIPE || e == ETIMEDOUT) { /* a zygote that does not answer helps nobody */
        zygote_stop(runtime);
        return fail(error, GBX_ELOST, "the zygote did not answer: %s", strerror(e));
    }
    if (e != 0 || order.kind != CONTROL_READY || order.number[0] != 0) {
        gbx_status status = GBX_EENGINE;
        if (e == 0)
            (void)fail(error, status, "the template could not start: %s", order.text);
        else
            (void)fail(error, status = GBX_ELOST, "the template did not start: %s",
                e == ECONNRESET ? "its process died" : strerror(e));
        template_free(t);
        return status;
    }
    gbx_status status = watch_add(runtime, &t->watch, WATCH_TEMPLATE, t, t->socket, error);
    if (status == GBX_OK && t->forks_fd >= 0)
        status = watch_add(runtime, &t->forks_watch, WATCH_FORKS, t, t->forks_fd, error);
    if (status != GBX_OK) {
        template_free(t);
        return status;
    }
    *out = t;
    return GBX_OK;
}

void
template_free(struct template *template)
{
    struct gbx_runtime *runtime = template->runtime;
    uint32_t id;
    struct cell *cell;

    for (struct template **at = &runtime->templates; *at != NULL; at = &(*at)->next)
        if (*at == template) {
            *at = template->next;
            break;
        }
    /* Its end kills its cells. Isolates hear of it from their pidfds. */
    watch_remove(runtime, &template->watch, template->socket);
    watch_remove(runtime, &template->forks_watch, template->forks_fd);
    fd_close(&template->socket);
    fd_close(&template->forks_fd);
    while ((cell = table_any(&template->cells, &id)) != NULL) {
        (void)table_remove(&template->cells, id);
        cell->template = NULL;
    }
    while ((cell = template->pool) != NULL) {
        template->pool = cell->next;
        cell_free(cell);
    }
    table_done(&template->cells);
    free(template);
}

static void
on_forked(struct template *template, struct control *packet)
{
    struct cell *cell = table_get(&template->cells, packet->id);

    if (cell == NULL || cell->pidfd >= 0)
        return;
    if (packet->number[0] == 0 && packet->fds[0] < 0) {
        /* There was no room for its pidfd, and without one it cannot be ours. */
        struct control order = { .kind = CONTROL_KILL, .id = packet->id, .fds = { -1, -1 } };
        (void)control_send(template->socket, &order);
        packet->number[0] = EMFILE;
    }
    cell->failed = packet->number[0] != 0;
    cell->os_errno = (int)packet->number[0];
    if (cell->failed)
        return;
    cell->pidfd = fd_above_stdio(steal_fd(&packet->fds[0]));
    struct gbx_runtime *runtime = template->runtime;
    gbx_error error = GBX_ERROR_INIT;
    if (watch_add(runtime, &cell->exit, WATCH_CELL_EXIT, cell, cell->pidfd, &error) != GBX_OK ||
        watch_add(runtime, &cell->event, WATCH_CELL_EVENT, cell, cell->event_fd, &error) !=
            GBX_OK) {
        cell_kill(cell);
        cell->failed = true;
        cell->os_errno = error.os_errno != 0 ? error.os_errno : ENOMEM;
    }
}

/* One packet. False: the template is gone, or speaks nonsense. */
static bool
take_packet(struct template *template, struct control *packet)
{
    struct cell *cell;

    switch (packet->kind) {
    case CONTROL_FORKED:
        on_forked(template, packet);
        break;
    case CONTROL_MEMORY:
        cell = table_get(&template->cells, packet->id);
        if (cell != NULL && cell->memory_orders > 0)
            cell->memory_orders--;
        break;
    case CONTROL_EXITED:
        cell = table_remove(&template->cells, packet->id);
        if (cell != NULL) {
            cell->exited = true;
            cell->wait_status = (int)packet->number[0];
            cell->cpu_us = packet->number[1];
            cell->resident_bytes = packet->number[2];
        }
        break;
    default:
        return false;
    }
    fd_close(&packet->fds[0]);
    fd_close(&packet->fds[1]);
    return true;
}

void
template_receive(struct template *template)
{
    struct control packet;
    int error;

    while ((error = control_receive(template->socket, &packet, false)) == 0)
        if (!take_packet(template, &packet)) {
            error = EBADMSG;
            break;
        }
    if (error != EAGAIN)
        template_free(template);
}

int
template_take(struct template *template, uint64_t until_us)
{
    struct control packet;
    uint64_t now = now_us();
    int error =
        now < until_us ? receive_within(template->socket, &packet, until_us - now) : ETIMEDOUT;

    if (error == 0 && !take_packet(template, &packet))
        error = EBADMSG;
    if (error != 0 && error != ETIMEDOUT)
        template_free(template);
    return error;
}

/* --- cells ---------------------------------------------------------------------------------- */

void
cell_kill(struct cell *cell)
{
    if (cell->pidfd >= 0)
        (void)syscall(SYS_pidfd_send_signal, cell->pidfd, SIGKILL, NULL, 0);
}

void
cell_free(struct cell *cell)
{
    if (cell == NULL)
        return;
    cell_kill(cell);
    if (cell->template != NULL)
        (void)table_remove(&cell->template->cells, cell->id);
    watch_remove(cell->runtime, &cell->event, cell->event_fd);
    watch_remove(cell->runtime, &cell->exit, cell->pidfd);
    channel_unmap(&cell->channel);
    fd_close(&cell->event_fd);
    fd_close(&cell->pidfd);
    free(cell);
}

/* Asks for one more; its FORKED comes later. */
static struct cell *
cell_order(struct template *template, gbx_error *error)
{
    struct cell *cell = calloc(1, sizeof *cell);

    if (cell == NULL) {
        (void)fail(error, GBX_ENOMEM, "no memory for a cell");
        return NULL;
    }
    cell->runtime = template->runtime;
    cell->pidfd = -1;
    cell->event_fd = fd_above_stdio(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    GBX_AUTOFD memory = fd_above_stdio(channel_memory_new());
    if (cell->event_fd < 0 || memory < 0 || !channel_map(&cell->channel, memory, true)) {
        (void)fail_errno(error, "cannot make a cell's channel");
        cell_free(cell);
        return NULL;
    }
    cell->id = table_add(&template->cells, cell);
    struct control order = {
        .kind = CONTROL_FORK, .id = cell->id, .fds = { memory, cell->event_fd }
    };
    int e = cell->id == 0 ? ENOMEM : control_send(template->socket, &order);
    if (e != 0) {
        errno = e;
        (void)fail_errno(error, "cannot order a cell");
        (void)table_remove(&template->cells, cell->id);
        cell_free(cell);
        return NULL;
    }
    cell->template = template;
    return cell;
}

/* Waits until a cell is forked. False: it failed, or its template did. */
static bool
cell_await(struct cell *cell, gbx_error *error)
{
    uint64_t until = now_us() + START_TIMEOUT_US;

    while (cell->pidfd < 0 && !cell->failed) {
        struct template *template = cell->template;
        int e = template_take(template, until);
        if (e == 0)
            continue;
        (void)fail(error, GBX_ELOST, "the template could not fork a cell: %s",
            e == ECONNRESET ? "its process died" : strerror(e));
        if (e == ETIMEDOUT)
            template_free(template);
        return false;
    }
    if (!cell->failed)
        return true;
    errno = cell->os_errno;
    (void)fail_errno(error, "the template could not fork a cell");
    return false;
}

void
pools_fill(struct gbx_runtime *runtime)
{
    runtime->fill_at_us = UINT64_MAX;
    for (struct template *t = runtime->templates; t != NULL; t = t->next)
        while (!t->dead && t->pooled < runtime->pool_size) {
            struct cell *ahead = cell_order(t, NULL);
            if (ahead == NULL)
                break;
            struct cell **last = &t->pool; /* the oldest is taken first: it is ready */
            while (*last != NULL)
                last = &(*last)->next;
            *last = ahead;
            t->pooled++;
        }
}

/* Takes a cell from the pool, but none that has died there. */
static struct cell *
pool_take(struct template *template)
{
    struct cell *cell;

    while ((cell = template->pool) != NULL) {
        template->pool = cell->next;
        template->pooled--;
        if (cell->pidfd < 0 || !has_ended(cell->pidfd, 0))
            break;
        cell_free(cell);
    }
    return cell;
}

/* Notices deaths that no dispatch has been there for. */
static void
look_after(struct gbx_runtime *runtime, const uint64_t option[TEMPLATE_OPTIONS], int timeout_ms)
{
    struct template *template;

    if (runtime->zygote_pidfd >= 0 && has_ended(runtime->zygote_pidfd, timeout_ms))
        zygote_stop(runtime);
    if ((template = template_find(runtime, option)) != NULL)
        template_receive(template);
}

static gbx_status
cell_try(struct gbx_runtime *runtime, const uint64_t option[TEMPLATE_OPTIONS],
    struct cell **out, gbx_error *error)
{
    gbx_error why = GBX_ERROR_INIT;
    struct template *template = template_find(runtime, option);

    if (template == NULL) {
        gbx_status status = template_start(runtime, option, &template, error);
        if (status != GBX_OK)
            return status;
    }
    struct cell *cell = pool_take(template);
    bool pooled = cell != NULL;
    if (!pooled)
        cell = cell_order(template, &why);
    if (cell == NULL || !cell_await(cell, &why)) {
        cell_free(cell);
        error_copy(error, &why);
        return why.status;
    }
    *out = cell;
    if (!pooled) {
        pools_fill(runtime);
    } else if (runtime->fill_at_us == UINT64_MAX) {
        /* Not at once: a fork and the new cell's start would take the processors from the cell
         * that is wanted now. */
        runtime->fill_at_us = now_us() + POOL_FILL_US;
        runtime_alarm(runtime, runtime->fill_at_us);
    }
    return GBX_OK;
}

gbx_status
cell_obtain(struct gbx_runtime *runtime, const uint64_t option[TEMPLATE_OPTIONS],
    struct cell **out, gbx_error *error)
{
    gbx_status status = GBX_ELOST;

    /* Zygote and template may die at any moment; who asks for a cell shall not pay for it. */
    for (int i = 0; i < OBTAIN_ATTEMPTS && status == GBX_ELOST; i++) {
        look_after(runtime, option, i == 0 ? 0 : OBTAIN_LOOK_MS);
        status = cell_try(runtime, option, out, error);
    }
    return status;
}

bool
cell_wait_exit(struct cell *cell, int64_t timeout_us)
{
    uint64_t until = now_us() + (uint64_t)timeout_us;

    while (!cell->exited && cell->template != NULL &&
           template_take(cell->template, until) != ETIMEDOUT)
        ;
    return cell->exited;
}
