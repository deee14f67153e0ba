/* incoming.c - a snapshot that is being written, and how it becomes one of the store's.
 *
 * It has no name (O_TMPFILE) until it is whole. Where the file system has no such files it has a
 * hidden one, and is locked as long as its writer lives: what is not locked is left over.
 */
#include "store/store.h"

#include "base/check.h"
#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

void
store_token(char out[STORE_TOKEN_BYTES])
{
    uint64_t token = 0;

    GBX_CHECK(getrandom(&token, sizeof token, 0) == (ssize_t)sizeof token);
    (void)snprintf(out, STORE_TOKEN_BYTES, "%016llx", (unsigned long long)token);
}

/* Under the directory's lock, so that nobody finds it before it is locked itself. */
static gbx_status
open_named(struct gbx_store *store, struct incoming *out, gbx_error *error)
{
    char token[STORE_TOKEN_BYTES];
    gbx_status status = store_lock(store, error);

    if (status != GBX_OK)
        return status;
    store_token(token);
    (void)snprintf(out->name, sizeof out->name, STORE_INCOMING "%s", token);
    out->fd = fd_above_stdio(
        openat(store->fd, out->name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600));
    if (out->fd < 0)
        status = fail_errno(error, "cannot write into %s", store->path);
    else
        (void)flock(out->fd, LOCK_EX | LOCK_NB);
    store_unlock(store);
    return status;
}

gbx_status
incoming_open(struct gbx_store *store, struct incoming *out, gbx_error *error)
{
    *out = (struct incoming){ .fd = -1 };
    if (store->read_only)
        return fail(error, GBX_EINVAL, "%s is open for reading only", store->path);
    out->fd = fd_above_stdio(openat(store->fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (out->fd >= 0)
        return GBX_OK;
    if (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT || errno == EINVAL)
        return open_named(store, out, error);
    return fail_errno(error, "cannot write into %s", store->path);
}

void
incoming_close(struct gbx_store *store, struct incoming *file)
{
    if (file->fd >= 0 && file->name[0] != '\0')
        (void)unlinkat(store->fd, file->name, 0);
    fd_close(&file->fd);
}

/* Gives it its name; true: it has it. */
static bool
place(struct gbx_store *store, const struct incoming *file, const char *name)
{
    char source[64];

    if (file->name[0] != '\0')
        return renameat(store->fd, file->name, store->fd, name) == 0;
    (void)snprintf(source, sizeof source, "/proc/self/fd/%d", file->fd);
    return linkat(AT_FDCWD, source, store->fd, name, AT_SYMLINK_FOLLOW) == 0;
}

/* Inside of a transaction. */
static gbx_status
enter(struct gbx_store *store, const struct facts *facts, uint64_t bytes, struct name *name,
    gbx_error *error)
{
    gbx_status status = index_run(store, error,
        "INSERT INTO snapshot (label, taken_us, reason, file_bytes, resident_bytes)"
        " VALUES (?, ?, ?, ?, ?)",
        "tiiii", facts->label, facts->taken_us, (uint64_t)facts->reason, bytes,
        facts->resident_bytes);

    name->taken_us = facts->taken_us;
    name->id = (uint64_t)sqlite3_last_insert_rowid(store->index);
    (void)snprintf(name->label, sizeof name->label, "%s", facts->label);
    return status;
}

gbx_status
incoming_keep(struct gbx_store *store, struct incoming *file, const struct facts *facts,
    uint64_t *out_id, gbx_error *error)
{
    struct name name;
    char text[STORE_NAME_BYTES];
    struct stat st;
    bool placed = false;

    /* Before it has its name: after a power cut a name must not stand for nothing. */
    if (fsync(file->fd) < 0 || fstat(file->fd, &st) < 0) {
        gbx_status status = fail_errno(error, "cannot write into %s", store->path);
        incoming_close(store, file);
        return status;
    }
    gbx_status status = store_begin(store, error);
    if (status != GBX_OK) {
        incoming_close(store, file);
        return status;
    }
    status = enter(store, facts, (uint64_t)st.st_size, &name, error);
    if (status == GBX_OK) {
        name_write(&name, text);
        placed = place(store, file, text);
        if (!placed || fsync(store->fd) < 0)
            status = fail_errno(error, "cannot write %s/%s", store->path, text);
    }
    /* Not after the commit: from then on it is another's to remove. */
    if (placed && status == GBX_OK)
        file->name[0] = '\0';
    status = store_end(store, status, error);
    if (status != GBX_OK && placed)
        (void)unlinkat(store->fd, text, 0);
    incoming_close(store, file);
    if (status == GBX_OK && out_id != NULL)
        *out_id = name.id;
    return status;
}
