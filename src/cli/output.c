/* output.c - standard output and standard error, line by line.
 *
 * A line is written as soon as nothing more is at hand (out_flush() before every wait), so a
 * guest that prints much costs a system call per 64 KiB, and one that prints little shows each
 * line at once.
 */
#include "base/check.h"
#include "base/limits.h"
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct output streams[2] = {
    { .fd = STDOUT_FILENO, .pending = { .max = OUTPUT_PENDING_MAX } },
    { .fd = STDERR_FILENO, .pending = { .max = OUTPUT_PENDING_MAX } },
};

struct output *
out(void)
{
    return &streams[0];
}

struct output *
err(void)
{
    return &streams[1];
}

void
out_start(void)
{
    /* An fd of ours must not become the stream that a guest prints to. Opened the wrong way
     * round, so that reading and writing still fail. */
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
            open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) < 0)
            return;
    /* Writing says what is wrong: EPIPE, EFBIG. */
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    for (size_t i = 0; i < COUNT(streams); i++)
        streams[i].terminal = isatty(streams[i].fd) == 1;
}

/* Waits until a stream that does not block takes more. False: a signal came instead. */
static bool
await_room(int fd)
{
    struct pollfd fds[] = { { .fd = fd, .events = POLLOUT },
        { .fd = signals_fd(), .events = POLLIN } };

    return poll(fds, 2, -1) > 0 && fds[1].revents == 0;
}

bool
out_flush(struct output *o)
{
    size_t done = 0;

    while (o->os_errno == 0 && done < o->pending.len) {
        ssize_t n = write(o->fd, o->pending.p + done, o->pending.len - done);
        if (n >= 0)
            done += (size_t)n;
        else if (errno == EAGAIN ? !await_room(o->fd) : errno != EINTR || signals_caught() != 0)
            o->os_errno = errno == EAGAIN ? EINTR : errno;
    }
    o->pending.len = 0;
    return o->os_errno == 0;
}

/* Makes `o` the stream that is written to, with some room. */
static struct buf *
turn_to(struct output *o)
{
    struct output *other = o == &streams[0] ? &streams[1] : &streams[0];

    if (other->pending.len > 0)
        (void)out_flush(other);
    if (o->pending.len >= OUTPUT_FLUSH_BYTES)
        (void)out_flush(o);
    return &o->pending;
}

/* A text past the buffer's maximum is dropped, and says so: only --json can make one. */
static void
check_room(struct output *o)
{
    if (!o->pending.failed)
        return;
    o->pending.failed = false;
    o->pending.len = 0;
    o->os_errno = ENOMEM;
}

void
out_text(struct output *o, const char *text)
{
    buf_text(turn_to(o), text);
    check_room(o);
}

void
out_printf(struct output *o, const char *format, ...)
{
    struct buf *b = turn_to(o);
    va_list args;

    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    uint8_t *room = n < 0 ? NULL : buf_grow(b, (size_t)n + 1);
    if (room != NULL) {
        va_start(args, format);
        (void)vsnprintf((char *)room, (size_t)n + 1, format, args);
        va_end(args);
        b->len--; /* the NUL */
    }
    check_room(o);
}

/* One character of UTF-8, or one byte that is none. */
static size_t
character(const unsigned char *p, size_t len, uint32_t *out_code)
{
    size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : p[0] >= 0xC0 ? 2 : 0;

    if (n == 0 || n > len || p[0] > 0xF4)
        n = 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xC0) != 0x80)
            n = 0;
    if (n == 0) {
        *out_code = UINT32_MAX;
        return 1;
    }
    *out_code = n == 1 ? p[0] : p[0] & (0xFFu >> (n + 1));
    for (size_t i = 1; i < n; i++)
        *out_code = *out_code << 6 | (p[i] & 0x3Fu);
    return n;
}

/* May a terminal take it to the letter? Not the controls, which move its cursor and answer for
 * its user, and not what makes text look like other text by turning its direction. */
static bool
harmless(uint32_t code)
{
    if (code < 0x20)
        return code == '\n' || code == '\t';
    return !(code >= 0x7F && code < 0xA0) && !(code >= 0x202A && code <= 0x202E) &&
           !(code >= 0x2066 && code <= 0x2069) && code != UINT32_MAX;
}

static void
append_escaped(struct buf *b, const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text;

    for (size_t i = 0, n; i < len; i += n) {
        uint32_t code;
        n = character(p + i, len - i, &code);
        if (harmless(code))
            buf_append(b, p + i, n);
        else if (code == UINT32_MAX || code < 0x100)
            buf_printf(b, "\\x%02x", code == UINT32_MAX ? p[i] : (unsigned)code);
        else
            buf_printf(b, "\\u%04x", (unsigned)code);
    }
}

void
out_guest(struct output *o, const char *text, size_t len)
{
    struct buf *b = turn_to(o);

    if (o->terminal)
        append_escaped(b, text, len);
    else
        buf_append(b, text, len);
    check_room(o);
}

int
fail_with(gbx_error *error, int outcome, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    return outcome;
}

int
interrupted(gbx_error *error)
{
    int number = signals_caught();

    return fail_with(error, 128 + number, "ended by SIG%s", sigabbrev_np(number));
}

int
complain(int outcome, const char *format, ...)
{
    char text[4096];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    out_text(err(), "glovebox: ");
    out_guest(err(), text, strlen(text)); /* may hold a file's name, or a guest's message */
    out_text(err(), "\n");
    return outcome;
}

int
out_finish(int outcome)
{
    if (!out_flush(out()) && outcome == OUTCOME_OK) {
        outcome = OUTCOME_OUTPUT;
        /* A reader that has gone knows it: head(1), or a pager that was left. */
        if (out()->os_errno != EPIPE)
            (void)complain(
                outcome, "cannot write standard output: %s", strerror(out()->os_errno));
    }
    (void)out_flush(err());
    return outcome;
}
