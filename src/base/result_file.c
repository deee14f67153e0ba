/* result_file.c - where a snapshot, a profile or a report is written.
 *
 * A file is written without a name (O_TMPFILE) and gets it when it is whole, so that whatever
 * happens, kill -9 included, there is a whole snapshot or none.
 */
#include "base/result_file.h"

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
#include <unistd.h>

gbx_status
result_file_create(struct result_file *f, const char *path, bool replaces, gbx_error *error)
{
    struct stat st;
    char copy[PATH_MAX];

    if (strlen(path) >= sizeof copy - 32)
        return fail(error, GBX_EINVAL, "path: too long");
    if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return fail(error, GBX_EINVAL, "%s is there and is not a regular file", path);
    if (!replaces && access(path, F_OK) == 0) {
        errno = EEXIST;
        return fail_errno(error, "cannot write %s", path);
    }
    f->replaces = replaces;
    (void)snprintf(copy, sizeof copy, "%s", path);
    const char *directory = dirname(copy);
    f->path = strdup(path);
    if (f->path == NULL)
        return fail(error, GBX_ENOMEM, "no memory for a file");
    f->fd = fd_above_stdio(open(directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
    f->nameless = f->fd >= 0;
    if (f->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT)) {
        /* A file system without nameless files, or no such directory: then this fails too. */
        if (asprintf(&f->temporary, "%s.XXXXXX", path) < 0) {
            f->temporary = NULL;
            return fail(error, GBX_ENOMEM, "no memory for a file");
        }
        f->fd = fd_above_stdio(mkostemp(f->temporary, O_CLOEXEC));
        if (f->fd < 0) {
            free(f->temporary);
            f->temporary = NULL;
        }
    }
    return f->fd < 0 ? fail_errno(error, "cannot write %s", path) : GBX_OK;
}

/* Gives the nameless file a name beside its target and moves it there. */
gbx_status
result_file_name(struct result_file *f, gbx_error *error)
{
    char source[64];

    if (f->nameless) {
        (void)snprintf(source, sizeof source, "/proc/self/fd/%d", f->fd);
        /* linkat() never replaces: a name of our own first, then rename(), which does. */
        if (linkat(AT_FDCWD, source, AT_FDCWD, f->path, AT_SYMLINK_FOLLOW) == 0)
            return GBX_OK;
        if (errno != EEXIST || !f->replaces)
            return fail_errno(error, "cannot write %s", f->path);
        for (int i = 0; i < 100 && f->temporary == NULL; i++) {
            if (asprintf(&f->temporary, "%s.%d-%d", f->path, (int)getpid(), i) < 0)
                f->temporary = NULL;
            else if (linkat(AT_FDCWD, source, AT_FDCWD, f->temporary, AT_SYMLINK_FOLLOW) < 0) {
                free(f->temporary);
                f->temporary = NULL;
                if (errno != EEXIST)
                    break;
            }
        }
        if (f->temporary == NULL)
            return fail_errno(error, "cannot write %s", f->path);
    }
    /* The name that it had goes when it is closed. */
    if (!f->replaces)
        return link(f->temporary, f->path) == 0 ? GBX_OK
                                                : fail_errno(error, "cannot write %s", f->path);
    if (rename(f->temporary, f->path) < 0)
        return fail_errno(error, "cannot write %s", f->path);
    free(f->temporary);
    f->temporary = NULL;
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
result_file_write(struct result_file *f, struct span piece, gbx_error *error)
{
    while (piece.len > 0) {
        ssize_t n = write_quietly(f->fd, piece.p, piece.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && f->path == NULL)
            return fail_errno(
                error, "cannot write after %llu bytes", (unsigned long long)f->bytes);
        if (n < 0)
            return fail_errno(error, "cannot write %s after %llu bytes", f->path,
                (unsigned long long)f->bytes);
        piece = span_of(piece.p + n, piece.len - (size_t)n);
        f->bytes += (uint64_t)n;
    }
    return GBX_OK;
}

void
result_file_close(struct result_file *f)
{
    if (f->temporary != NULL)
        (void)unlink(f->temporary);
    if (f->path != NULL)
        fd_close(&f->fd);
    free(f->temporary);
    free(f->path);
}
