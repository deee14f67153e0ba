/* cmd_heap_query.c - glovebox heap query: asks a snapshot in SQL, of SQLite.
 *
 * A statement may read, and nothing else: it comes from who runs the command, but may have been
 * made of what a guest named something.
 */
#include "base/limits.h"
#include "cli/heap_query.h"

#include <string.h>

/* --- connections ------------------------------------------------------------------------ */

static int
stop_at_signal(void *data)
{
    (void)data;
    return signals_caught() != 0;
}

int
query_connect(const char *file, sqlite3 **out_db)
{
    int code = sqlite3_open_v2(file == NULL ? ":memory:" : file, out_db,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);

    if (code == SQLITE_OK)
        sqlite3_progress_handler(*out_db, QUERY_PROGRESS_STEPS, stop_at_signal, NULL);
    return code;
}

/* Of functions, SQLite itself refuses load_extension(). */
static int
allow_reading(void *data, int action, const char *first, const char *second,
    const char *database, const char *trigger)
{
    (void)data;
    (void)first;
    (void)second;
    (void)database;
    (void)trigger;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
    case SQLITE_FUNCTION:
        return SQLITE_OK;
    default:
        return SQLITE_DENY;
    }
}

/* --- statements ------------------------------------------------------------------------- */

static int
refuse(sqlite3 *db, int code)
{
    gbx_error error = GBX_ERROR_INIT;

    if (code == SQLITE_INTERRUPT && signals_caught() != 0)
        return complain(interrupted(&error), "%s", error.message);
    if (db == NULL || code == SQLITE_NOMEM)
        return heap_no_memory();
    bool system = code == SQLITE_IOERR || code == SQLITE_FULL || code == SQLITE_CANTOPEN;
    return complain(
        system ? OUTCOME_SYSTEM : OUTCOME_USAGE, "heap query: %s", sqlite3_errmsg(db));
}

/* Nothing but comments and semicolons may follow. An outcome. */
static int
prepare(sqlite3 *db, const char *sql, sqlite3_stmt **out)
{
    const char *rest = sql;
    sqlite3_stmt *other = NULL;
    int code = SQLITE_OK;

    while (*out == NULL && *rest != '\0' && code == SQLITE_OK)
        code = sqlite3_prepare_v2(db, rest, -1, out, &rest);
    while (other == NULL && *rest != '\0' && code == SQLITE_OK)
        code = sqlite3_prepare_v2(db, rest, -1, &other, &rest);
    (void)sqlite3_finalize(other);
    if (code != SQLITE_OK)
        return refuse(db, code);
    if (*out == NULL || other != NULL)
        return complain(OUTCOME_USAGE, "heap query: expected one statement of SQL");
    return OUTCOME_OK;
}

static int
ask(const struct heap_run *run, sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    int outcome = prepare(db, sql, &statement);

    if (outcome == OUTCOME_OK) {
        int code = query_print(statement, run->options.json, run->top);
        if (code != SQLITE_OK)
            outcome = refuse(db, code);
    }
    (void)sqlite3_finalize(statement);
    return outcome;
}

static int
query(const struct heap_run *run, struct query_heap *of, const char *sql)
{
    sqlite3 *db = NULL;
    int code = query_connect(NULL, &db);

    if (code == SQLITE_OK)
        code = query_add_tables(db, of, "");
    if (code == SQLITE_OK)
        code = sqlite3_set_authorizer(db, allow_reading, NULL);
    (void)sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
    int outcome = code == SQLITE_OK ? ask(run, db, sql) : refuse(db, code);
    (void)sqlite3_close(db);
    return outcome;
}

/* --- the subcommand --------------------------------------------------------------------- */

/* The statement, with a NUL behind it; nothing if a file is to be written. An outcome. */
static int
read_sql(const struct heap_run *run, struct source *source)
{
    gbx_error error = GBX_ERROR_INIT;
    int outcome = OUTCOME_OK;

    if (run->options.sort != NULL || run->options.filter != NULL)
        return complain(OUTCOME_USAGE, "heap query: SQL itself sorts and filters");
    if (run->word_count + (run->options.output != NULL) != 1)
        return complain(OUTCOME_USAGE,
            "heap query: expected one statement of SQL, in quotes, or --output FILE");
    if (run->options.output != NULL)
        return OUTCOME_OK;
    if (strcmp(run->words[0], "-") != 0)
        buf_text(&source->text, run->words[0]);
    else if (strcmp(run->files[0], "-") == 0)
        return complain(
            OUTCOME_USAGE, "heap query: only one of file and SQL can be standard input");
    else
        outcome = source_read("-", SOURCE_CODE, source, &error);
    if (outcome != OUTCOME_OK)
        return complain(outcome, "%s", error.message);
    buf_byte(&source->text, '\0');
    return source->text.failed ? heap_no_memory() : OUTCOME_OK;
}

int
heap_query(struct heap_run *run)
{
    struct source source = { .text = { .max = UINT32_MAX } };
    struct query_heap of = { .heap = NULL };
    gbx_heap *heap = NULL;
    int outcome = read_sql(run, &source);

    if (outcome == OUTCOME_OK)
        outcome = heap_open(run->files[0], &heap);
    if (outcome == OUTCOME_OK)
        outcome = query_heap_open(heap, &of);
    if (outcome == OUTCOME_OK)
        outcome = run->options.output != NULL ? query_export(run, &of)
                                              : query(run, &of, (const char *)source.text.p);
    query_heap_done(&of);
    gbx_heap_close(heap);
    source_done(&source);
    return outcome;
}
