/* open.c - a store from its directory to its close, and the lock that writers hold. */
#include "store/store.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

/* --- the lock --------------------------------------------------------------------------------- */

gbx_status
store_lock(struct gbx_store *store, gbx_error *error)
{
    uint64_t until = now_us() + STORE_LOCK_US;
    struct timespec step = { 0, STORE_LOCK_STEP_US * 1000 };

    while (flock(store->fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return fail_errno(error, "cannot lock %s", store->path);
        if (now_us() > until)
            return fail(error, GBX_EBUSY, "another process holds %s up", store->path);
        (void)nanosleep(&step, NULL);
    }
    return GBX_OK;
}

void
store_unlock(struct gbx_store *store)
{
    (void)flock(store->fd, LOCK_UN);
}

/* The directory is locked. */
static gbx_status
begin_locked(struct gbx_store *store, gbx_error *error)
{
    int code = sqlite3_exec(store->index, "BEGIN IMMEDIATE", NULL, NULL, NULL);

    return code == SQLITE_OK ? GBX_OK : index_failed(store, code, error);
}

gbx_status
store_begin(struct gbx_store *store, gbx_error *error)
{
    if (store->read_only)
        return fail(error, GBX_EINVAL, "%s is open for reading only", store->path);
    gbx_status status = store_lock(store, error);
    if (status != GBX_OK)
        return status;
    status = begin_locked(store, error);
    if (status != GBX_OK)
        store_unlock(store);
    return status;
}

gbx_status
store_end(struct gbx_store *store, gbx_status status, gbx_error *error)
{
    int code =
        status == GBX_OK ? sqlite3_exec(store->index, "COMMIT", NULL, NULL, NULL) : SQLITE_OK;

    if (code != SQLITE_OK)
        status = index_failed(store, code, error);
    if (sqlite3_get_autocommit(store->index) == 0)
        (void)sqlite3_exec(store->index, "ROLLBACK", NULL, NULL, NULL);
    store_unlock(store);
    return status;
}

/* --- opening ---------------------------------------------------------------------------------- */

/* Nothing of a damaged index is thrown away: its owner may want to look at it. */
static gbx_status
set_aside(struct gbx_store *store, gbx_error *error)
{
    static const char *const tails[] = { "-journal", "-wal", "-shm", "" };
    char from[64], to[64];

    for (unsigned n = 1; n < 1000; n++) {
        struct stat st;
        (void)snprintf(
            to, sizeof to, n == 1 ? "index.sqlite.damaged" : "index.sqlite.damaged-%u", n);
        if (fstatat(store->fd, to, &st, AT_SYMLINK_NOFOLLOW) < 0)
            break;
    }
    size_t len = strlen(to);
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        (void)snprintf(from, sizeof from, "index.sqlite%s", tails[i]);
        (void)snprintf(to + len, sizeof to - len, "%s", tails[i]);
        if (renameat(store->fd, from, store->fd, to) < 0 && errno != ENOENT)
            return fail_errno(error, "cannot set the damaged index of %s aside", store->path);
    }
    return GBX_OK;
}

static gbx_status
open_to_write(struct gbx_store *store, gbx_error *error)
{
    bool damaged;
    gbx_status status = store_lock(store, error);

    if (status != GBX_OK)
        return status;
    status = index_open(store, &damaged, error);
    if (status != GBX_OK && damaged) {
        index_close(store);
        status = set_aside(store, error);
        if (status == GBX_OK)
            status = index_open(store, &damaged, error);
    }
    if (status == GBX_OK)
        status = begin_locked(store, error);
    if (status != GBX_OK) {
        store_unlock(store);
        return status;
    }
    status = store_end(store, store_scan(store, error), error);
    return status == GBX_OK ? store_prune(store, error) : status;
}

static gbx_status
open_directory(struct gbx_store *store, const char *directory, gbx_error *error)
{
    size_t len = strlen(directory);

    while (len > 1 && directory[len - 1] == '/')
        len--;
    store->path = strndup(directory, len);
    if (store->path == NULL)
        return fail(error, GBX_ENOMEM, "no memory for a store");
    if ((store->options.flags & (GBX_STORE_MUST_EXIST | GBX_STORE_READ_ONLY)) == 0 &&
        mkdir(store->path, 0700) < 0 && errno != EEXIST)
        return fail_errno(error, "cannot make %s", store->path);
    store->fd = fd_above_stdio(open(store->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return store->fd < 0 ? fail_errno(error, "cannot open %s", store->path) : GBX_OK;
}

gbx_status
gbx_store_open(const char *directory, const gbx_store_options *options, gbx_store **out_store,
    gbx_error *error)
{
    gbx_store_options o;
    bool damaged;
    gbx_status status = options_read(&o, sizeof o, options,
        offsetof(gbx_store_options, max_bytes) + sizeof o.max_bytes, "store options", error);

    if (status != GBX_OK)
        return status;
    if ((o.flags & ~(uint32_t)(GBX_STORE_READ_ONLY | GBX_STORE_MUST_EXIST)) != 0)
        return fail(error, GBX_EUNSUPPORTED, "store options: unknown flag 0x%x", o.flags);
    if (directory[0] == '\0')
        return fail(error, GBX_EINVAL, "a store's directory has a name");
    struct gbx_store *store = calloc(1, sizeof *store);
    if (store == NULL)
        return fail(error, GBX_ENOMEM, "no memory for a store");
    store->references = 1;
    store->fd = -1;
    store->options = o;
    store->read_only = (o.flags & GBX_STORE_READ_ONLY) != 0;
    status = open_directory(store, directory, error);
    if (status == GBX_OK)
        status =
            store->read_only ? index_open(store, &damaged, error) : open_to_write(store, error);
    if (status != GBX_OK) {
        gbx_store_close(store);
        return status;
    }
    *out_store = store;
    return GBX_OK;
}

struct gbx_store *
store_ref(struct gbx_store *store)
{
    store->references++;
    return store;
}

void
gbx_store_close(gbx_store *store)
{
    if (store == NULL || --store->references > 0)
        return;
    index_close(store);
    fd_close(&store->fd);
    free(store->path);
    free(store);
}
