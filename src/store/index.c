/* index.c - index.sqlite: a row for each snapshot, and its classes.
 *
 * The rollback journal, and not the write-ahead log, so that a store on a medium that cannot be
 * written can be read.
 */
#include "store/store.h"

#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
    APPLICATION = 0x47425873, /* "GBXs": file(1) and we know it by that */
    VERSION = 1
};

static const char schema[] =
    "BEGIN;"
    "CREATE TABLE snapshot (id INTEGER PRIMARY KEY AUTOINCREMENT, label TEXT NOT NULL,"
    " taken_us INTEGER NOT NULL, reason INTEGER NOT NULL, file_bytes INTEGER NOT NULL,"
    " resident_bytes INTEGER NOT NULL DEFAULT 0, state INTEGER NOT NULL DEFAULT 0,"
    " heap_bytes INTEGER NOT NULL DEFAULT 0, nodes INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE class (snapshot INTEGER NOT NULL, place INTEGER NOT NULL, name TEXT NOT NULL,"
    " count INTEGER NOT NULL, shallow INTEGER NOT NULL, retained INTEGER NOT NULL,"
    " PRIMARY KEY (snapshot, place)) WITHOUT ROWID;"
    "PRAGMA application_id = 1195530355;"
    "PRAGMA user_version = 1;"
    "COMMIT";

gbx_status
index_failed(struct gbx_store *store, int code, gbx_error *error)
{
    switch (code & 0xFF) {
    case SQLITE_NOMEM:
        return fail(error, GBX_ENOMEM, "no memory for the index of %s", store->path);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return fail(error, GBX_EBUSY, "another process holds the index of %s up", store->path);
    case SQLITE_FULL:
        errno = ENOSPC;
        break;
    case SQLITE_READONLY:
        /* It does not tell which: the file system, or a mode. */
        if (faccessat(store->fd, "index.sqlite", W_OK, 0) == 0 &&
            faccessat(store->fd, ".", W_OK, 0) == 0)
            errno = EROFS;
        break;
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        errno = store->index != NULL ? sqlite3_system_errno(store->index) : EIO;
        errno = errno != 0 ? errno : EIO;
        break;
    default: /* no such table, a value of another type, a page that cannot be */
        return fail(error, GBX_EINVAL, "the index of %s is damaged: %s", store->path,
            sqlite3_errstr(code));
    }
    return fail_errno(error, "cannot use %s/index.sqlite", store->path);
}

/* --- statements ------------------------------------------------------------------------------- */

static gbx_status
prepare(struct gbx_store *store, sqlite3_stmt **out, gbx_error *error, const char *sql,
    const char *format, va_list args)
{
    int code = sqlite3_prepare_v2(store->index, sql, -1, out, NULL);

    for (int i = 1; code == SQLITE_OK && format[i - 1] != '\0'; i++) {
        if (format[i - 1] == 'i') {
            uint64_t n = va_arg(args, uint64_t);
            code = sqlite3_bind_int64(*out, i, n > INT64_MAX ? INT64_MAX : (sqlite3_int64)n);
        } else {
            code = sqlite3_bind_text(*out, i, va_arg(args, const char *), -1, SQLITE_TRANSIENT);
        }
    }
    if (code == SQLITE_OK)
        return GBX_OK;
    gbx_status status = index_failed(store, code, error);
    (void)sqlite3_finalize(*out);
    *out = NULL;
    return status;
}

gbx_status
index_prepare(struct gbx_store *store, sqlite3_stmt **out, gbx_error *error, const char *sql,
    const char *format, ...)
{
    va_list args;

    va_start(args, format);
    gbx_status status = prepare(store, out, error, sql, format, args);
    va_end(args);
    return status;
}

gbx_status
index_run(struct gbx_store *store, gbx_error *error, const char *sql, const char *format, ...)
{
    sqlite3_stmt *statement;
    va_list args;

    va_start(args, format);
    gbx_status status = prepare(store, &statement, error, sql, format, args);
    va_end(args);
    if (status != GBX_OK)
        return status;
    int code = sqlite3_step(statement);
    if (code != SQLITE_DONE && code != SQLITE_ROW)
        status = index_failed(store, code, error);
    (void)sqlite3_finalize(statement);
    return status;
}

/* A number that a statement answers; SQLite's code. */
static int
ask(struct gbx_store *store, const char *sql, int64_t *out)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(store->index, sql, -1, &statement, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        *out = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    return code == SQLITE_ROW ? SQLITE_OK : code == SQLITE_DONE ? SQLITE_CORRUPT : code;
}

/* --- opening ---------------------------------------------------------------------------------- */

static gbx_status
judge(struct gbx_store *store, bool *out_damaged, gbx_error *error)
{
    int64_t application = 0, version = 0, tables = 0, sound = 0;
    int code = ask(store, "PRAGMA application_id", &application);

    if (code == SQLITE_OK)
        code = ask(store, "PRAGMA user_version", &version);
    if (code == SQLITE_OK)
        code = ask(store, "SELECT count(*) FROM sqlite_schema", &tables);
    if (code == SQLITE_OK && tables == 0 && application == 0 && !store->read_only) {
        code = sqlite3_exec(store->index, schema, NULL, NULL, NULL);
        return code == SQLITE_OK ? GBX_OK : index_failed(store, code, error);
    }
    if (code == SQLITE_OK && application != APPLICATION)
        return fail(
            error, GBX_EINVAL, "%s/index.sqlite is not the index of a store", store->path);
    if (code == SQLITE_OK && version > VERSION)
        return fail(error, GBX_EUNSUPPORTED, "%s was made by a later version", store->path);
    if (code == SQLITE_OK)
        code = ask(
            store, "SELECT count(*) FROM pragma_quick_check WHERE quick_check = 'ok'", &sound);
    if (code == SQLITE_OK && sound == 1)
        code = sqlite3_exec(store->index,
            "SELECT id, label, taken_us, reason, file_bytes, resident_bytes, state, heap_bytes,"
            " nodes FROM snapshot LIMIT 0; SELECT snapshot, place, name, count, shallow,"
            " retained FROM class LIMIT 0",
            NULL, NULL, NULL);
    else if (code == SQLITE_OK)
        code = SQLITE_CORRUPT;
    if (code == SQLITE_OK)
        return GBX_OK;
    gbx_status status = index_failed(store, code, error);
    *out_damaged = status == GBX_EINVAL;
    return status;
}

void
index_close(struct gbx_store *store)
{
    (void)sqlite3_close(store->index);
    store->index = NULL;
}

gbx_status
index_open(struct gbx_store *store, bool *out_damaged, gbx_error *error)
{
    struct stat st;
    char *path;

    *out_damaged = false;
    if (fstatat(store->fd, "index.sqlite", &st, AT_SYMLINK_NOFOLLOW) == 0) {
        if (!S_ISREG(st.st_mode))
            return fail(
                error, GBX_EINVAL, "%s/index.sqlite is not a regular file", store->path);
    } else if (store->read_only) {
        return fail(error, GBX_EINVAL, "%s is not a store: it has no index", store->path);
    } else {
        /* Here, and not by SQLite, for its mode: names tell of guests. */
        GBX_AUTOFD fd =
            openat(store->fd, "index.sqlite", O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
        if (fd < 0)
            return fail_errno(error, "cannot make a store in %s", store->path);
    }
    if (asprintf(&path, "%s/index.sqlite", store->path) < 0)
        return fail(error, GBX_ENOMEM, "no memory for a store");
    int code = sqlite3_open_v2(path, &store->index,
        (store->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) |
            SQLITE_OPEN_FULLMUTEX,
        NULL);
    free(path);
    if (code != SQLITE_OK)
        return index_failed(store, code, error);
    (void)sqlite3_busy_timeout(store->index, STORE_LOCK_US / 1000);
    (void)sqlite3_extended_result_codes(store->index, 1);
    /* A file that somebody else made can do no more than hold wrong rows. */
    (void)sqlite3_db_config(store->index, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(store->index, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    (void)sqlite3_db_config(store->index, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    (void)sqlite3_exec(store->index, "PRAGMA temp_store = MEMORY", NULL, NULL, NULL);
    return judge(store, out_damaged, error);
}
