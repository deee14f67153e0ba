/* heap_query_export.c - the tables of a heap as a database of SQLite: a file that is whole or not
 * there. */
#include "base/fd.h"
#include "cli/heap_query.h"

#include <errno.h>
#include <string.h>

/* What the virtual tables are called beside those that they fill. */
#define PREFIX "heap_"

/* By what the virtual tables find rows, and what one sorts by. Primary keys have theirs. */
static const char indexes[] = "CREATE INDEX nodes_id ON nodes(id);"
                              "CREATE INDEX nodes_class ON nodes(class_id);"
                              "CREATE INDEX nodes_dominator ON nodes(dominator);"
                              "CREATE INDEX nodes_retained ON nodes(retained);"
                              "CREATE INDEX edges_from ON edges(from_node);"
                              "CREATE INDEX edges_to ON edges(to_node);"
                              "ANALYZE; COMMIT";

static int
fill(sqlite3 *db)
{
    /* Nobody sees the file before it is whole: what would roll it back is not needed. */
    int code = sqlite3_exec(
        db, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN", NULL, NULL, NULL);

    for (size_t i = 0; code == SQLITE_OK && query_table_name(i) != NULL; i++) {
        const char *name = query_table_name(i);
        char *copy = sqlite3_mprintf("INSERT INTO %s SELECT * FROM " PREFIX "%s", name, name);
        code = copy == NULL ? SQLITE_NOMEM
                            : sqlite3_exec(db, query_table_schema(i), NULL, NULL, NULL);
        if (code == SQLITE_OK)
            code = sqlite3_exec(db, copy, NULL, NULL, NULL);
        sqlite3_free(copy);
    }
    return code == SQLITE_OK ? sqlite3_exec(db, indexes, NULL, NULL, NULL) : code;
}

static gbx_status
failed(sqlite3 *db, int code, gbx_error *error)
{
    int reason = sqlite3_system_errno(db);

    if (code == SQLITE_NOMEM || db == NULL) {
        (void)fail_with(error, 0, "out of memory");
        return GBX_ENOMEM;
    }
    (void)fail_with(error, 0, "%s%s%s", sqlite3_errmsg(db), reason != 0 ? ": " : "",
        reason != 0 ? strerror(reason) : "");
    return GBX_ESYS;
}

int
query_export(const struct heap_run *run, struct query_heap *of)
{
    gbx_error error = GBX_ERROR_INIT;
    char *temporary = NULL;
    sqlite3 *db = NULL;
    GBX_AUTOFD file = -1;
    int outcome = heap_begin_file(run, &temporary, &file);

    if (outcome != OUTCOME_OK)
        return outcome;
    int code = query_connect(temporary, &db);
    if (code == SQLITE_OK)
        code = query_add_tables(db, of, PREFIX);
    if (code == SQLITE_OK)
        code = fill(db);
    gbx_status status = code == SQLITE_OK ? GBX_OK : failed(db, code, &error);
    (void)sqlite3_close(db);
    return heap_end_file(run, temporary, status, &error);
}
