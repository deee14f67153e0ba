/* run_snapshot.c - the heap snapshots of a run: at its end, and at its memory limit. */
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/limits.h"
#include "cli/run.h"

#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The library writes regular files, and leaves none behind that is not whole. What is there and
 * is something else (a pipe, /dev/null) is opened here; a link is followed to its file. */
static bool
open_target(const char *path, gbx_snapshot_options *options, char resolved[PATH_MAX], int *fd,
    gbx_error *error)
{
    struct stat st;

    options->path = path;
    if (stat(path, &st) < 0)
        return true;
    if (S_ISREG(st.st_mode)) {
        if (realpath(path, resolved) != NULL)
            options->path = resolved;
        return true;
    }
    *fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (*fd < 0) {
        (void)fail_errno(error, "cannot write %s", path);
        return false;
    }
    options->path = NULL;
    options->fd = *fd;
    return true;
}

static bool
is_packed(const char *path)
{
    size_t len = strlen(path);

    return len >= 4 && strcmp(path + len - 4, ".zst") == 0;
}

const char *
run_snapshot_at_limit(const struct run *run, char resolved[PATH_MAX])
{
    const char *path = run->options.limit_snapshot;

    /* Whether it is packed goes by the name that was given, so a link to another name stays. */
    return path != NULL && realpath(path, resolved) != NULL &&
                   is_packed(path) == is_packed(resolved)
               ? resolved
               : path;
}

int
run_snapshot_check(struct run *run)
{
    const char *path = run->options.limit_snapshot;
    char copy[PATH_MAX];

    if (path == NULL)
        return OUTCOME_OK;
    text_copy(copy, sizeof copy, path, strlen(path));
    if (access(dirname(copy), W_OK | X_OK) == 0)
        return OUTCOME_OK;
    (void)fail_errno(&run->error, "cannot write %s", path);
    return OUTCOME_OUTPUT;
}

void
run_snapshot_tell(const struct run *run)
{
    const gbx_death *death = gbx_isolate_death(run->isolate);

    if (run->options.limit_snapshot == NULL || death == NULL)
        return;
    if (death->snapshot != NULL)
        (void)complain(0, "heap snapshot at the limit: %s", run->options.limit_snapshot);
    else if (death->snapshot_error[0] != '\0')
        (void)complain(0, "no heap snapshot at the limit: %s", death->snapshot_error);
}

void
run_snapshot_take(struct run *run)
{
    gbx_snapshot_options options = GBX_SNAPSHOT_OPTIONS_INIT;
    gbx_error error = GBX_ERROR_INIT;
    gbx_status status = GBX_ESYS;
    char resolved[PATH_MAX];
    GBX_AUTOFD fd = -1;
    double bytes = 0;

    if (gbx_isolate_death(run->isolate) != NULL) {
        (void)complain(0, "no heap snapshot: the program's process has ended");
        return;
    }
    options.mode = run->options.attached ? GBX_SNAPSHOT_ATTACHED : GBX_SNAPSHOT_BACKGROUND;
    options.flags = (run->options.stable_ids ? GBX_SNAPSHOT_STABLE_IDS : 0u) |
                    (is_packed(run->options.snapshot) ? GBX_SNAPSHOT_ZSTD : 0u);
    uint64_t started = now_us();
    if (open_target(run->options.snapshot, &options, resolved, &fd, &error)) {
        gbx_future *future = gbx_heap_snapshot(run->isolate, &options);
        status = run_await(run, future, LIMIT_US_MAX, &error);
        if (status == GBX_OK)
            status = gbx_value_get_number(gbx_future_value(future), &bytes);
        gbx_future_free(future);
    }
    run->snapshot_us = now_us() - started;
    run->snapshot_bytes = (uint64_t)bytes;
    if (status != GBX_OK)
        run_lacks(run, "heap snapshot", status, &error);
}
