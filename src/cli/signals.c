#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

static volatile sig_atomic_t caught;
static int wake_fd = -1;

static void
on_signal(int number)
{
    uint64_t one = 1;
    int saved = errno;

    if (caught != 0)
        _exit(128 + number);
    caught = number;
    /* A full counter is as readable as it gets. */
    if (wake_fd >= 0 && write(wake_fd, &one, sizeof one) < 0)
        errno = EAGAIN;
    errno = saved;
}

/* An fd of ours must not become the stream that a guest prints to. Opened the wrong way round,
 * so that reading and writing still fail. */
static void
hold_standard_fds(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
            open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) < 0)
            return;
}

void
signals_start(void)
{
    static const int noted[] = { SIGINT, SIGTERM, SIGHUP };
    struct sigaction action = { .sa_handler = on_signal }; /* no SA_RESTART: reads end */
    struct sigaction before;

    hold_standard_fds();
    wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    for (size_t i = 0; i < sizeof noted / sizeof noted[0]; i++)
        /* What was ignored stays so: nohup, and a shell's background jobs. */
        if (sigaction(noted[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            (void)sigaction(noted[i], &action, NULL);
    /* Writing says what is wrong: EPIPE, EFBIG. */
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
}

int
signals_caught(void)
{
    return caught;
}

int
signals_fd(void)
{
    return wake_fd;
}
