/* heap_query.h - what the files of glovebox heap query share.
 *
 * Threads: one.
 */
#ifndef CLI_HEAP_QUERY_H
#define CLI_HEAP_QUERY_H

#include "cli/heap.h"

#include <sqlite3.h>

enum {
    QUERY_TABLES = 3
};

/* A heap as tables, which lend from it: nothing is copied. Both outlive the connection. */
struct query_heap {
    gbx_heap *heap;
    gbx_heap_totals totals;
    const gbx_heap_class *rows; /* of the summary */
    uint32_t row_count;
    uint32_t *classes; /* by row: its class */
    uint32_t *row_of;  /* by class: its row + 1 */
    struct query_table {
        struct query_heap *of;
        const struct query_kind *kind;
    } tables[QUERY_TABLES];
};

/* --- heap_query_tables.c ------------------------------------------------------------------- */

/* What a connection asks of; an outcome, which was complained of. */
int query_heap_open(gbx_heap *heap, struct query_heap *out);
void query_heap_done(struct query_heap *of);
/* Makes its tables known by their names, with `prefix` before them. A code of SQLite. */
int query_add_tables(sqlite3 *db, struct query_heap *of, const char *prefix);
/* The name of a table, and how it is created; NULL behind the last. */
const char *query_table_name(size_t table);
const char *query_table_schema(size_t table);

/* --- heap_query_rows.c --------------------------------------------------------------------- */

/* Steps through the statement and prints its rows, `top` at most; 0: all. A code of SQLite,
 * SQLITE_OK at the end, or when nobody reads them any more. */
int query_print(sqlite3_stmt *statement, bool json, uint32_t top);

/* --- heap_query_export.c ------------------------------------------------------------------- */

/* Writes the tables to the file that the run says. An outcome. */
int query_export(const struct heap_run *run, struct query_heap *of);

/* --- cmd_heap_query.c ---------------------------------------------------------------------- */

/* A connection to the file; NULL: to nothing. It ends what it does at a signal. A code of SQLite;
 * sqlite3_close() in either case. */
int query_connect(const char *file, sqlite3 **out_db);

#endif
