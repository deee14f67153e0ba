/* run_inspect.c - a debugger's way into a run. */
#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "cli/run.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

static bool
read_port(const char *text, uint32_t *out)
{
    char *end;

    if (text[0] < '0' || text[0] > '9')
        return false;
    unsigned long n = strtoul(text, &end, 10);
    if (*end != '\0' || n > UINT16_MAX)
        return false;
    *out = (uint32_t)n;
    return true;
}

bool
run_inspect_read(const char *text, char host[INSPECT_HOST_BYTES], gbx_devtools_options *options)
{
    const char *colon = strrchr(text, ':');
    size_t len;

    options->port = INSPECT_PORT;
    options->host = NULL;
    if (text[0] == '\0' || read_port(text, &options->port))
        return true;
    if (colon == text || text[strspn(text, "0123456789")] == '\0')
        return false;
    /* A bare IPv6 address is all colons. */
    if (colon != NULL && (colon[-1] == ']' || strchr(text, ':') == colon)) {
        if (!read_port(colon + 1, &options->port))
            return false;
        len = (size_t)(colon - text);
    } else {
        len = strlen(text);
    }
    if (text[0] == '[' && len > 2 && text[len - 1] == ']') {
        text++;
        len -= 2;
    }
    if (len == 0 || len >= INSPECT_HOST_BYTES)
        return false;
    text_copy(host, INSPECT_HOST_BYTES, text, len);
    options->host = host;
    return true;
}

static const char *
where(const struct run *run)
{
    return run->options.inspect != NULL ? run->options.inspect : run->options.inspect_brk;
}

/* --- holds -------------------------------------------------------------------------------- */

/* Time in which the debugger holds the program is not the program's. */
static void
on_hold(gbx_isolate *isolate, uint32_t how, void *data)
{
    struct run *run = data;
    uint64_t now = now_us();

    (void)isolate;
    if (how == GBX_HOLD_WAITING)
        (void)complain(0, "waiting for the debugger; Ctrl-C ends");
    if (how == GBX_HOLD_NONE && run->held_since_us != 0)
        run->held_us += now - run->held_since_us;
    if (how == GBX_HOLD_NONE)
        run->held_since_us = 0;
    else if (run->held_since_us == 0)
        run->held_since_us = now;
}

void
run_inspect_options(struct run *run, gbx_isolate_options *options)
{
    if (where(run) == NULL)
        return;
    options->flags |= GBX_ISOLATE_PROFILING; /* node inspect does not go on without it */
    options->on_hold = on_hold;
    options->pause_limit_us = GBX_NO_LIMIT; /* somebody sits there and can press Ctrl-C */
}

/* --- the server --------------------------------------------------------------------------- */

int
run_inspect_open(struct run *run)
{
    gbx_devtools_options options = GBX_DEVTOOLS_OPTIONS_INIT;
    char host[INSPECT_HOST_BYTES];

    if (where(run) == NULL)
        return OUTCOME_OK;
    (void)run_inspect_read(where(run), host, &options);
    /* First: a client may be there as soon as the port is. */
    gbx_status status =
        run->options.inspect_brk != NULL ? gbx_isolate_wait(run->isolate) : GBX_OK;
    if (status != GBX_OK)
        return fail_with(&run->error, outcome_of(status), "%s", gbx_strstatus(status));
    status = gbx_devtools_open(run->runtime, &options, &run->devtools, &run->error);
    if (status == GBX_ESYS && run->error.os_errno == EADDRINUSE && where(run)[0] == '\0') {
        options.port = 0; /* another program is being debugged there */
        status = gbx_devtools_open(run->runtime, &options, &run->devtools, &run->error);
    }
    if (status == GBX_EINVAL)
        return OUTCOME_USAGE;
    if (status == GBX_ESYS && run->error.os_errno == EADDRINUSE)
        return fail_with(&run->error, OUTCOME_USAGE,
            "port %u is taken: give another one, or 0 for any", options.port);
    if (status != GBX_OK)
        return outcome_of(status);
    const char *socket = gbx_devtools_url(run->devtools, run->isolate, GBX_DEVTOOLS_WEBSOCKET);
    const char *name = socket + strlen("ws://");
    (void)complain(0, "debugger listening on %s", socket);
    (void)complain(0, "in Chrome's address bar: %s",
        gbx_devtools_url(run->devtools, run->isolate, GBX_DEVTOOLS_FRONTEND));
    (void)complain(0, "in a terminal: node inspect %.*s", (int)strcspn(name, "/"), name);
    return OUTCOME_OK;
}

void
run_inspect_linger(struct run *run)
{
    if (run->devtools == NULL || gbx_devtools_clients(run->devtools, run->isolate) == 0 ||
        signals_caught() != 0)
        return;
    (void)out_flush(out());
    (void)complain(0, "the program has ended; waiting for the debugger to disconnect");
    while (gbx_devtools_clients(run->devtools, run->isolate) > 0 && signals_caught() == 0) {
        struct pollfd fds[] = { { .fd = gbx_runtime_fd(run->runtime), .events = POLLIN },
            { .fd = signals_fd(), .events = POLLIN } };
        (void)out_flush(err());
        (void)poll(fds, 2, -1);
        (void)gbx_runtime_dispatch(run->runtime, 0);
    }
}
