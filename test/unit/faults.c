#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool lasting;
static enum fault_kind armed_kind;
static int failure;
static _Atomic(bool) armed, fired;
static _Atomic(long) left, blocks;

void
fault_arm(enum fault_kind kind, long spared, bool only_one, int error)
{
    armed_kind = kind;
    left = spared;
    lasting = !only_one;
    failure = error;
    fired = false;
    armed = true;
}

bool
fault_disarm(void)
{
    armed = false;
    return fired;
}

long
fault_blocks(void)
{
    return blocks;
}

/* True, and errno set, if this call is one that fails. */
static bool
fails(enum fault_kind kind)
{
    if (!armed || kind != armed_kind || left-- > 0)
        return false;
    if (atomic_exchange(&fired, true) && !lasting)
        return false;
    errno = failure;
    return true;
}

/* Each `name` of the program is __wrap_name, and the original __real_name. */
#define WRAPPED(type, name, ...)     \
    type __real_##name(__VA_ARGS__); \
    type __wrap_##name(__VA_ARGS__); \
    type __wrap_##name(__VA_ARGS__)

/* --- memory --------------------------------------------------------------------------------- */

WRAPPED(void *, malloc, size_t n)
{
    void *p = fails(FAULT_MEMORY) ? NULL : __real_malloc(n);

    blocks += p != NULL;
    return p;
}

WRAPPED(void *, calloc, size_t n, size_t size)
{
    void *p = fails(FAULT_MEMORY) ? NULL : __real_calloc(n, size);

    blocks += p != NULL;
    return p;
}

WRAPPED(void *, realloc, void *old, size_t n)
{
    void *p = fails(FAULT_MEMORY) ? NULL : __real_realloc(old, n);

    blocks += p != NULL && old == NULL;
    return p;
}

WRAPPED(void, free, void *p)
{
    blocks -= p != NULL;
    __real_free(p);
}

WRAPPED(char *, strdup, const char *text)
{
    char *p = fails(FAULT_MEMORY) ? NULL : __real_strdup(text);

    blocks += p != NULL;
    return p;
}

static int __attribute__((format(printf, 2, 0)))
print(char **out, const char *format, va_list args)
{
    int n = fails(FAULT_MEMORY) ? -1 : vasprintf(out, format, args);

    blocks += n >= 0;
    return n;
}

int __wrap_asprintf(char **out, const char *format, ...) __attribute__((format(printf, 2, 3)));
int
__wrap_asprintf(char **out, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int n = print(out, format, args);
    va_end(args);
    return n;
}

/* What asprintf() is with _FORTIFY_SOURCE. */
int __wrap___asprintf_chk(char **out, int flag, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int
__wrap___asprintf_chk(char **out, int flag, const char *format, ...)
{
    va_list args;

    (void)flag;
    va_start(args, format);
    int n = print(out, format, args);
    va_end(args);
    return n;
}

WRAPPED(int, posix_spawn_file_actions_addopen, posix_spawn_file_actions_t *actions, int fd,
    const char *path, int flags, mode_t mode)
{
    if (fails(FAULT_MEMORY))
        return failure;
    return __real_posix_spawn_file_actions_addopen(actions, fd, path, flags, mode);
}

WRAPPED(
    int, posix_spawn_file_actions_adddup2, posix_spawn_file_actions_t *actions, int fd, int to)
{
    if (fails(FAULT_MEMORY))
        return failure;
    return __real_posix_spawn_file_actions_adddup2(actions, fd, to);
}

WRAPPED(int, posix_spawn_file_actions_addclosefrom_np, posix_spawn_file_actions_t *actions,
    int from)
{
    if (fails(FAULT_MEMORY))
        return failure;
    return __real_posix_spawn_file_actions_addclosefrom_np(actions, from);
}

/* --- descriptors ---------------------------------------------------------------------------- */

WRAPPED(int, socketpair, int domain, int type, int protocol, int pair[2])
{
    return fails(FAULT_DESCRIPTOR) ? -1 : __real_socketpair(domain, type, protocol, pair);
}

WRAPPED(int, eventfd, unsigned count, int flags)
{
    return fails(FAULT_DESCRIPTOR) ? -1 : __real_eventfd(count, flags);
}

WRAPPED(int, memfd_create, const char *name, unsigned flags)
{
    return fails(FAULT_DESCRIPTOR) ? -1 : __real_memfd_create(name, flags);
}

WRAPPED(int, epoll_create1, int flags)
{
    return fails(FAULT_DESCRIPTOR) ? -1 : __real_epoll_create1(flags);
}

WRAPPED(int, timerfd_create, int clock, int flags)
{
    return fails(FAULT_DESCRIPTOR) ? -1 : __real_timerfd_create(clock, flags);
}

WRAPPED(int, mkostemp64, char *name, int flags)
{
    return fails(FAULT_DESCRIPTOR) ? -1 : __real_mkostemp64(name, flags);
}

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int
__wrap_open64(const char *path, int flags, ...)
{
    va_list args;

    va_start(args, flags);
    mode_t mode = (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(args, mode_t) : 0;
    va_end(args);
    return fails(FAULT_DESCRIPTOR) ? -1 : __real_open64(path, flags, mode);
}

int __real_fcntl64(int fd, int command, ...);
int __wrap_fcntl64(int fd, int command, ...);
int
__wrap_fcntl64(int fd, int command, ...)
{
    va_list args;

    va_start(args, command);
    long argument = command == F_GETFL ? 0 : va_arg(args, long);
    va_end(args);
    if (command == F_DUPFD_CLOEXEC && fails(FAULT_DESCRIPTOR))
        return -1;
    return __real_fcntl64(fd, command, argument);
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long
__wrap_syscall(long number, ...)
{
    /* No more than the caller has passed. */
    int count = number == SYS_pidfd_open                                   ? 2
                : number == SYS_pidfd_send_signal || number == SYS_openat2 ? 4
                                                                           : 6;
    long argument[6] = { 0 };
    va_list args;

    va_start(args, number);
    for (int i = 0; i < count; i++)
        argument[i] = va_arg(args, long);
    va_end(args);
    if ((number == SYS_pidfd_open || number == SYS_openat2) && fails(FAULT_DESCRIPTOR))
        return -1;
    return __real_syscall(
        number, argument[0], argument[1], argument[2], argument[3], argument[4], argument[5]);
}

/* As the kernel does it: a descriptor that has no room is left out of the packet. */
WRAPPED(ssize_t, recvmsg, int socket, struct msghdr *message, int flags)
{
    ssize_t n = __real_recvmsg(socket, message, flags);
    struct cmsghdr *h = n < 0 ? NULL : CMSG_FIRSTHDR(message);

    if (h == NULL || h->cmsg_type != SCM_RIGHTS || !fails(FAULT_DESCRIPTOR))
        return n;
    int fds[2];
    size_t bytes = h->cmsg_len - CMSG_LEN(0);
    memcpy(fds, CMSG_DATA(h), bytes);
    for (size_t i = 0; i < bytes / sizeof *fds; i++)
        (void)close(fds[i]);
    message->msg_controllen = 0;
    message->msg_flags |= MSG_CTRUNC;
    return n;
}

/* --- the rest ------------------------------------------------------------------------------- */

WRAPPED(void *, mmap64, void *at, size_t len, int prot, int flags, int fd, off64_t offset)
{
    return fails(FAULT_MAP) ? MAP_FAILED : __real_mmap64(at, len, prot, flags, fd, offset);
}

WRAPPED(int, epoll_ctl, int epoll, int operation, int fd, struct epoll_event *event)
{
    if (operation == EPOLL_CTL_ADD && fails(FAULT_WATCH))
        return -1;
    return __real_epoll_ctl(epoll, operation, fd, event);
}

WRAPPED(int, posix_spawn, pid_t *pid, const char *path,
    const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr,
    char *const argv[], char *const envp[])
{
    if (fails(FAULT_SPAWN))
        return failure;
    return __real_posix_spawn(pid, path, actions, attr, argv, envp);
}
