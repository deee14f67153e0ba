/* snapshot_file.c - where a snapshot is written.
 *
 * A file is written without a name (O_TMPFILE) and gets it when it is whole, so that whatever
 * happens, kill -9 included, there is a whole snapshot or none.
 */
#include "host/snapshot.h"

#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

gbx_status
snapshot_create_file(struct snapshot *s, const char *path, gbx_error *error)
{
    struct stat st;
    char copy[PATH_MAX];

    if (strlen(path) >= sizeof copy - 32)
        return fail(error, GBX_EINVAL, "snapshot path: too long");
    if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return fail(error, GBX_EINVAL, "%s is there and is not a regular file", path);
    (void)snprintf(copy, sizeof copy, "%s", path);
    const char *directory = dirname(copy);
    s->path = strdup(path);
    if (s->path == NULL)
        return fail(error, GBX_ENOMEM, "no memory for a snapshot");
    s->fd = fd_above_stdio(open(directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
    s->nameless = s->fd >= 0;
    if (s->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT)) {
        /* A file system without nameless files, or no such directory: then this fails too. */
        if (asprintf(&s->temporary, "%s.XXXXXX", path) < 0) {
            s->temporary = NULL;
            return fail(error, GBX_ENOMEM, "no memory for a snapshot");
        }
        s->fd = fd_above_stdio(mkostemp(s->temporary, O_CLOEXEC));
        if (s->fd < 0) {
            free(s->temporary);
            s->temporary = NULL;
        }
    }
    return s->fd < 0 ? fail_errno(error, "cannot write %s", path) : GBX_OK;
}

/* Gives the nameless file a name beside its target and moves it there. */
gbx_status
snapshot_name_file(struct snapshot *s, gbx_error *error)
{
    char source[64];

    if (s->nameless) {
        (void)snprintf(source, sizeof source, "/proc/self/fd/%d", s->fd);
        /* linkat() never replaces: a name of our own first, then rename(), which does. */
        if (linkat(AT_FDCWD, source, AT_FDCWD, s->path, AT_SYMLINK_FOLLOW) == 0)
            return GBX_OK;
        if (errno != EEXIST)
            return fail_errno(error, "cannot write %s", s->path);
        for (int i = 0; i < 100 && s->temporary == NULL; i++) {
            if (asprintf(&s->temporary, "%s.%d-%d", s->path, (int)getpid(), i) < 0)
                s->temporary = NULL;
            else if (linkat(AT_FDCWD, source, AT_FDCWD, s->temporary, AT_SYMLINK_FOLLOW) < 0) {
                free(s->temporary);
                s->temporary = NULL;
                if (errno != EEXIST)
                    break;
            }
        }
        if (s->temporary == NULL)
            return fail_errno(error, "cannot write %s", s->path);
    }
    if (rename(s->temporary, s->path) < 0)
        return fail_errno(error, "cannot write %s", s->path);
    free(s->temporary);
    s->temporary = NULL;
    return GBX_OK;
}

/* write(2), but a reader that has gone is an error here and no SIGPIPE for the host. */
static ssize_t
write_quietly(int fd, const void *p, size_t len)
{
    static const struct timespec now = { 0, 0 };
    sigset_t pipe_signal, before, pending;

    (void)sigemptyset(&pipe_signal);
    (void)sigaddset(&pipe_signal, SIGPIPE);
    (void)sigpending(&pending);
    (void)pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
    ssize_t n = write(fd, p, len);
    int error = errno;
    if (n < 0 && error == EPIPE && sigismember(&pending, SIGPIPE) == 0)
        while (sigtimedwait(&pipe_signal, NULL, &now) < 0 && errno == EINTR)
            ;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return n;
}

gbx_status
snapshot_write(struct snapshot *s, struct span piece, gbx_error *error)
{
    while (piece.len > 0) {
        ssize_t n = write_quietly(s->fd, piece.p, piece.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(error, "cannot write the snapshot%s%s after %llu bytes",
                s->path != NULL ? " to " : "", s->path != NULL ? s->path : "",
                (unsigned long long)s->bytes);
        piece = span_of(piece.p + n, piece.len - (size_t)n);
        s->bytes += (uint64_t)n;
    }
    return GBX_OK;
}

void
snapshot_free(struct snapshot *s)
{
    if (s->temporary != NULL)
        (void)unlink(s->temporary);
    if (s->path != NULL)
        fd_close(&s->fd);
    free(s->temporary);
    free(s->path);
    buf_done(&s->held);
    free(s);
}
