/* scan.c - the index follows the directory, and what is not to be kept goes. */
#include "store/store.h"

#include "base/error.h"
#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

/* What its writer has left behind. One that is being written is locked. */
static void
sweep(struct gbx_store *store, const char *name)
{
    GBX_AUTOFD fd =
        openat(store->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    struct stat st;

    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
        flock(fd, LOCK_EX | LOCK_NB) == 0)
        (void)unlinkat(store->fd, name, 0);
}

/* --- one file --------------------------------------------------------------------------------- */

enum known {
    KNOWN_NOT,
    KNOWN_SAME, /* its row has the same label and time */
    KNOWN_OTHER /* the id is another's */
};

static gbx_status
look_up(struct gbx_store *store, const struct name *name, enum known *out_known,
    uint64_t *out_bytes, gbx_error *error)
{
    sqlite3_stmt *statement;
    gbx_status status = index_prepare(store, &statement, error,
        "SELECT label = ? AND taken_us = ?, file_bytes FROM snapshot WHERE id = ?", "tii",
        name->label, name->taken_us, name->id);

    if (status != GBX_OK)
        return status;
    int code = sqlite3_step(statement);
    *out_known = code != SQLITE_ROW                      ? KNOWN_NOT
                 : sqlite3_column_int(statement, 0) == 1 ? KNOWN_SAME
                                                         : KNOWN_OTHER;
    *out_bytes = code == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(statement, 1) : 0;
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        status = index_failed(store, code, error);
    (void)sqlite3_finalize(statement);
    return status;
}

static gbx_status
note_seen(struct gbx_store *store, uint64_t id, gbx_error *error)
{
    return index_run(store, error, "INSERT OR IGNORE INTO temp.seen VALUES (?)", "i", id);
}

/* One that the index does not have. It keeps its id, unless that is taken. */
static gbx_status
adopt(struct gbx_store *store, const char *text, struct name *name, bool keeps_id,
    const struct stat *st, gbx_error *error)
{
    char wanted[STORE_NAME_BYTES];
    uint64_t reason = name->id == 0 ? GBX_STORE_LIMIT : GBX_STORE_UNKNOWN;
    gbx_status status;

    if (name->id == 0)
        name->taken_us =
            (uint64_t)st->st_mtim.tv_sec * 1000000 + (uint64_t)st->st_mtim.tv_nsec / 1000;
    if (keeps_id)
        status = index_run(store, error,
            "INSERT INTO snapshot (label, taken_us, reason, file_bytes, id)"
            " VALUES (?, ?, ?, ?, ?)",
            "tiiii", name->label, name->taken_us, reason, (uint64_t)st->st_size, name->id);
    else
        status = index_run(store, error,
            "INSERT INTO snapshot (label, taken_us, reason, file_bytes) VALUES (?, ?, ?, ?)",
            "tiii", name->label, name->taken_us, reason, (uint64_t)st->st_size);
    if (status != GBX_OK)
        return status;
    name->id = (uint64_t)sqlite3_last_insert_rowid(store->index);
    name_write(name, wanted);
    if (strcmp(text, wanted) != 0 && renameat(store->fd, text, store->fd, wanted) < 0)
        return fail_errno(error, "cannot rename %s/%s", store->path, text);
    return note_seen(store, name->id, error);
}

static gbx_status
look_at(struct gbx_store *store, const char *text, gbx_error *error)
{
    struct name name;
    struct stat st;
    enum known known = KNOWN_NOT;
    uint64_t bytes = 0;

    if (!name_read(text, &name) || fstatat(store->fd, text, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        !S_ISREG(st.st_mode))
        return GBX_OK; /* something else's, or gone */
    gbx_status status = name.id == 0 ? GBX_OK : look_up(store, &name, &known, &bytes, error);
    if (status != GBX_OK)
        return status;
    if (known != KNOWN_SAME)
        return adopt(store, text, &name, name.id != 0 && known == KNOWN_NOT, &st, error);
    /* It was still being copied here when it was seen first. */
    if (bytes != (uint64_t)st.st_size)
        status = index_run(store, error,
            "UPDATE snapshot SET file_bytes = ?, state = 0, heap_bytes = 0, nodes = 0"
            " WHERE id = ?",
            "ii", (uint64_t)st.st_size, name.id);
    if (status == GBX_OK && bytes != (uint64_t)st.st_size)
        status = index_run(store, error, "DELETE FROM class WHERE snapshot = ?", "i", name.id);
    return status == GBX_OK ? note_seen(store, name.id, error) : status;
}

/* --- all of them ------------------------------------------------------------------------------ */

static gbx_status
look_at_all(struct gbx_store *store, gbx_error *error)
{
    gbx_status status = GBX_OK;
    int fd = openat(store->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;

    if (directory == NULL) {
        status = fail_errno(error, "cannot list %s", store->path);
        fd_close(&fd);
        return status;
    }
    for (const struct dirent *e; status == GBX_OK && (e = readdir(directory)) != NULL;)
        if (strncmp(e->d_name, STORE_INCOMING, strlen(STORE_INCOMING)) == 0)
            sweep(store, e->d_name);
        else
            status = look_at(store, e->d_name, error);
    (void)closedir(directory);
    return status;
}

gbx_status
store_scan(struct gbx_store *store, gbx_error *error)
{
    static const char *const steps[] = {
        "DELETE FROM class WHERE snapshot NOT IN (SELECT id FROM temp.seen)",
        "DELETE FROM snapshot WHERE id NOT IN (SELECT id FROM temp.seen)",
        "DROP TABLE temp.seen",
    };
    gbx_status status =
        index_run(store, error, "CREATE TEMP TABLE seen (id INTEGER PRIMARY KEY)", "");

    if (status == GBX_OK)
        status = look_at_all(store, error);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && status == GBX_OK; i++)
        status = index_run(store, error, steps[i], "");
    return status;
}

gbx_status
gbx_store_sync(gbx_store *store, gbx_error *error)
{
    gbx_status status = store_begin(store, error);

    if (status == GBX_OK)
        status = store_end(store, store_scan(store, error), error);
    return status == GBX_OK ? store_prune(store, error) : status;
}

/* --- what goes -------------------------------------------------------------------------------- */

/* Inside of a transaction. The file first: what a kill leaves is a row without a file, which is
 * forgotten, and not a file without a row, which would be taken up again. */
static gbx_status
remove_one(struct gbx_store *store, const struct name *name, gbx_error *error)
{
    char text[STORE_NAME_BYTES];

    name_write(name, text);
    if (unlinkat(store->fd, text, 0) < 0 && errno != ENOENT)
        return fail_errno(error, "cannot remove %s/%s", store->path, text);
    gbx_status status =
        index_run(store, error, "DELETE FROM class WHERE snapshot = ?", "i", name->id);
    return status == GBX_OK
               ? index_run(store, error, "DELETE FROM snapshot WHERE id = ?", "i", name->id)
               : status;
}

/* Removes all that a statement selects by id, label and time, and finalizes it. */
static gbx_status
remove_selected(
    struct gbx_store *store, sqlite3_stmt *statement, uint32_t *out_count, gbx_error *error)
{
    gbx_status status = GBX_OK;
    int code = SQLITE_DONE;

    while (status == GBX_OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct name name = { .id = (uint64_t)sqlite3_column_int64(statement, 0),
            .taken_us = (uint64_t)sqlite3_column_int64(statement, 2) };
        const char *label = (const char *)sqlite3_column_text(statement, 1);
        if (label == NULL || name_check_label(label, NULL) != GBX_OK) {
            status = index_failed(store, SQLITE_CORRUPT, error);
            break;
        }
        (void)strcpy(name.label, label);
        status = remove_one(store, &name, error);
        *out_count += 1;
    }
    if (status == GBX_OK && code != SQLITE_DONE)
        status = index_failed(store, code, error);
    (void)sqlite3_finalize(statement);
    return status;
}

gbx_status
gbx_store_remove(gbx_store *store, uint64_t id, gbx_error *error)
{
    sqlite3_stmt *statement;
    uint32_t count = 0;
    gbx_status status = store_begin(store, error);

    if (status != GBX_OK)
        return status;
    status = index_prepare(store, &statement, error,
        "SELECT id, label, taken_us FROM snapshot WHERE id = ?", "i", id);
    if (status == GBX_OK)
        status = remove_selected(store, statement, &count, error);
    if (status == GBX_OK && count == 0)
        status = fail(error, GBX_EINVAL, "there is no snapshot %llu in %s",
            (unsigned long long)id, store->path);
    return store_end(store, status, error);
}

gbx_status
store_prune(struct gbx_store *store, gbx_error *error)
{
    const struct gbx_store_options *o = &store->options;
    sqlite3_stmt *statement;
    struct timespec t;
    uint32_t count = 0;

    if (o->keep == 0 && o->max_age_us == 0 && o->max_bytes == 0)
        return GBX_OK;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    uint64_t now = (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
    uint64_t oldest = o->max_age_us == 0 || o->max_age_us > now ? 0 : now - o->max_age_us;
    gbx_status status = store_begin(store, error);
    if (status != GBX_OK)
        return status;
    status = index_prepare(store, &statement, error,
        "SELECT id, label, taken_us FROM (SELECT id, label, taken_us, row_number() OVER"
        " (PARTITION BY label ORDER BY taken_us DESC, id DESC) AS place FROM snapshot)"
        " WHERE place > ? OR taken_us < ?",
        "ii", o->keep == 0 ? (uint64_t)INT64_MAX : o->keep, oldest);
    if (status == GBX_OK)
        status = remove_selected(store, statement, &count, error);
    if (status == GBX_OK && o->max_bytes != 0) {
        status = index_prepare(store, &statement, error,
            "SELECT id, label, taken_us FROM (SELECT id, label, taken_us, row_number() OVER"
            " newest AS place, sum(file_bytes) OVER newest AS total FROM snapshot"
            " WINDOW newest AS (ORDER BY taken_us DESC, id DESC))"
            " WHERE total > ? AND place > 1",
            "i", o->max_bytes);
        if (status == GBX_OK)
            status = remove_selected(store, statement, &count, error);
    }
    return store_end(store, status, error);
}
