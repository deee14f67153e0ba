/* fd.h - file descriptors that close themselves. Every fd is CLOEXEC from birth. */
#ifndef BASE_FD_H
#define BASE_FD_H

#include <unistd.h>

static inline void
fd_close(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static inline int
steal_fd(int *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}

/* An fd that cannot be taken for stdin, stdout or stderr: a host may have closed those. -1 stays
 * what it is. */
int fd_above_stdio(int fd);

/* Guards an fd to the end of its scope; steal_fd() lets it out. */
#define GBX_AUTOFD __attribute__((cleanup(fd_close))) int

#endif
