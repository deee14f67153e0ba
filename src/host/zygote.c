/* zygote.c - the process that all cells descend from.
 *
 * It is exec'ed, so it shares no memory, environment, argument or address layout with the host. It
 * holds a pidfd of the host and a socket to it, and ends when either tells that the host is gone;
 * where it can have a pid namespace, everything in that ends with it.
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

int
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

int
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

bool
has_ended(int pidfd, int timeout_ms)
{
    struct pollfd fd = { .fd = pidfd, .events = POLLIN };

    return poll(&fd, 1, timeout_ms) > 0;
}

/* --- starting ------------------------------------------------------------------------------- */

/* A copy among the high numbers, -1 with errno; `fd` is closed if `owned`. */
static int
parked(int fd, bool owned)
{
    int high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, PARKED_FD);
    int error = errno;

    if (owned && fd >= 0)
        (void)close(fd);
    errno = error;
    return high;
}

/* What the zygote has of ours: stdin to stderr on /dev/null, and what ZYGOTE_*_FD names. */
static int
spawn_actions(posix_spawn_file_actions_t *actions, const int given[ZYGOTE_FDS])
{
    int error = 0;

    for (int fd = 0; fd <= 2 && error == 0; fd++)
        /* GLOVEBOX_DEBUG: let V8's and the loader's own complaints through. */
        if (fd < 2 || getenv("GLOVEBOX_DEBUG") == NULL)
            error = posix_spawn_file_actions_addopen(actions, fd, "/dev/null", O_RDWR, 0);
    for (int fd = ZYGOTE_CONTROL_FD; fd < ZYGOTE_FDS && error == 0; fd++)
        error = posix_spawn_file_actions_adddup2(actions, given[fd], fd);
    if (error == 0)
        error = posix_spawn_file_actions_addclosefrom_np(actions, ZYGOTE_FDS);
    return error;
}

static int
spawn_attributes(posix_spawnattr_t *attr)
{
    sigset_t all, none;

    (void)sigfillset(&all);
    (void)sigemptyset(&none);
    int error = posix_spawnattr_setsigmask(attr, &none);
    if (error == 0)
        error = posix_spawnattr_setsigdefault(attr, &all);
    if (error == 0)
        error = posix_spawnattr_setflags(
            attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
    return error;
}

static int
spawn(const int given[ZYGOTE_FDS], pid_t *pid)
{
    static const char self[] = "/proc/self/fd/";
    char cell[sizeof self + 12], engine[sizeof self + 12];
    char *argv[] = { (char *)(uintptr_t)LOADER, (char *)(uintptr_t) "--preload", cell, engine,
        NULL };
    char *envp[] = { NULL };
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;

    (void)snprintf(cell, sizeof cell, "%s%d", self, ZYGOTE_CELL_FD);
    (void)snprintf(engine, sizeof engine, "%s%d", self, ZYGOTE_ENGINE_FD);
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0)
        return error;
    error = posix_spawnattr_init(&attr);
    if (error == 0) {
        error = spawn_actions(&actions, given);
        if (error == 0)
            error = spawn_attributes(&attr);
        if (error == 0)
            error = posix_spawn(pid, LOADER, &actions, &attr, argv, envp);
        (void)posix_spawnattr_destroy(&attr);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return error;
}

/* 0, or an errno. `socket` is parked already. */
static int
zygote_spawn(struct gbx_runtime *runtime, int socket, pid_t *pid)
{
    GBX_AUTOFD host = parked(runtime->self_fd, false);
    GBX_AUTOFD cell = parked(open(runtime->paths.cell, O_RDONLY | O_CLOEXEC), true);
    GBX_AUTOFD engine = parked(open(runtime->paths.engine, O_RDONLY | O_CLOEXEC), true);

    if (host < 0 || cell < 0 || engine < 0)
        return errno;
    return spawn((const int[ZYGOTE_FDS]){ [ZYGOTE_CONTROL_FD] = socket,
                     [ZYGOTE_HOST_FD] = host,
                     [ZYGOTE_CELL_FD] = cell,
                     [ZYGOTE_ENGINE_FD] = engine },
        pid);
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
