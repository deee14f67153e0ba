#include "cli/cli.h"

#include <errno.h>
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

void
signals_start(void)
{
    static const int noted[] = { SIGINT, SIGTERM, SIGHUP };
    struct sigaction action = { .sa_handler = on_signal }; /* no SA_RESTART: reads end */
    struct sigaction before;

    wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    for (size_t i = 0; i < sizeof noted / sizeof noted[0]; i++)
        /* What was ignored stays so: nohup, and a shell's background jobs. */
        if (sigaction(noted[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            (void)sigaction(noted[i], &action, NULL);
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
