/* zygote.c - V8 initialised once, no isolate; forks templates. Where the preloaded object's
 * main begins. */
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
#include <sys/wait.h>
#include <unistd.h>

static __attribute__((noreturn)) void
zygote_exit(const char *why)
{
    (void)fprintf(stderr, "glovebox zygote: %s: %s\n", why, strerror(errno));
    _exit(CELL_EXIT_NOTED);
}

/* What V8 would look up when the first date is made, by when it can't. */
static void
set_time_zone(void)
{
    static const char zones[] = "zoneinfo/";
    char target[256];
    ssize_t n = readlink("/etc/localtime", target, sizeof target - 1);

    target[n > 0 ? n : 0] = '\0';
    const char *name = strstr(target, zones);
    (void)setenv("TZ", name != NULL ? name + strlen(zones) : "UTC", 1);
}

static void
serve_template(const struct control *order)
{
    pid_t zygote = getpid();
    pid_t pid = fork();

    if (pid == 0) {
        if (!sandbox_die_with(zygote))
            _exit(CELL_EXIT_DONE);
        template_run(order, ZYGOTE_HOST_FD);
    }
    /* A failed fork shows at the host as a template's socket that closes at once. */
}

int
glovebox_main(int argc, char **argv)
{
    struct control packet = { .kind = CONTROL_HELLO, .fds = { -1, -1 } };
    struct layers layers = { 0 };

    (void)argc;
    (void)argv;
    (void)prctl(PR_SET_NAME, "gbx-zygote");
    (void)close(ZYGOTE_CELL_FD);
    (void)close(ZYGOTE_ENGINE_FD);
    sandbox_enter(&layers);
    set_time_zone();
    const char *error = engine_boot(true);
    sandbox_seal_zygote(&layers);
    if (error == NULL)
        sandbox_rehearse(&layers);
    (void)signal(SIGCHLD, SIG_IGN); /* templates are nobody's to reap */
    packet.layers = layers;
    packet.number[0] = error != NULL;
    (void)snprintf(
        packet.text, sizeof packet.text, "%s", error != NULL ? error : engine_version());
    if (control_send(ZYGOTE_CONTROL_FD, &packet) != 0 || error != NULL)
        return CELL_EXIT_NOTED;

    for (;;) {
        struct pollfd fds[] = { { .fd = ZYGOTE_CONTROL_FD, .events = POLLIN },
            { .fd = ZYGOTE_HOST_FD, .events = POLLIN } };
        if (poll(fds, 2, -1) < 0) {
            if (errno == EINTR)
                continue;
            zygote_exit("poll");
        }
        if (fds[1].revents != 0)
            _exit(CELL_EXIT_DONE); /* the host has died, and its templates follow us */
        errno = control_receive(ZYGOTE_CONTROL_FD, &packet, true);
        if (errno == ECONNRESET)
            _exit(CELL_EXIT_DONE);
        if (errno != 0)
            zygote_exit("receive");
        if (packet.kind == CONTROL_TEMPLATE)
            serve_template(&packet);
        for (int i = 0; i < 2; i++)
            fd_close(&packet.fds[i]);
    }
}
