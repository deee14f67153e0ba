/* heap_query_rows.c - the rows of a statement, as a table or as JSON, as they come.
 *
 * Nobody knows how many there will be, so only the first QUERY_WIDTH_ROWS are held: columns are as
 * wide as these need.
 */
#include "base/limits.h"
#include "cli/heap_query.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    CELL_COLUMNS = 60, /* that a cell is cut to */
    LAST_COLUMNS = 100 /* likewise, if it is the last of its row */
};

struct rows {
    sqlite3_stmt *statement;
    int column_count;
    char **names;   /* no two the same: they are keys */
    size_t *widths; /* of a table's columns */
    bool *numbers;  /* to the right */
    char **held;    /* cells of the rows that were read and not printed; NULL: of no value */
    size_t held_count;
};

static bool
rows_open(struct rows *r, sqlite3_stmt *statement)
{
    size_t n = (size_t)sqlite3_column_count(statement);

    *r = (struct rows){ .statement = statement,
        .column_count = (int)n,
        .names = calloc(n, sizeof *r->names),
        .widths = calloc(n, sizeof *r->widths),
        .numbers = calloc(n, sizeof *r->numbers),
        .held = calloc(n * QUERY_WIDTH_ROWS, sizeof *r->held) };
    if (r->names == NULL || r->widths == NULL || r->numbers == NULL || r->held == NULL)
        return false;
    for (int c = 0; c < r->column_count; c++) {
        const char *name = sqlite3_column_name(statement, c);
        int same = 1;
        for (int i = 0; i < c && name != NULL; i++)
            same += strcmp(sqlite3_column_name(statement, i), name) == 0;
        r->names[c] =
            name == NULL ? NULL : sqlite3_mprintf(same > 1 ? "%s:%d" : "%s", name, same);
        if (r->names[c] == NULL)
            return false;
        r->numbers[c] = true;
    }
    return true;
}

static void
rows_done(struct rows *r)
{
    for (int c = 0; r->names != NULL && c < r->column_count; c++)
        sqlite3_free(r->names[c]);
    for (size_t i = 0; i < r->held_count; i++)
        free(r->held[i]);
    free(r->names);
    free(r->widths);
    free(r->numbers);
    free(r->held);
}

/* --- cells ------------------------------------------------------------------------------ */

/* The text of a value, in UTF-8 whatever is in it; of bytes, in hexadecimal. To be freed; NULL: it
 * failed. */
static char *
cell_text(sqlite3_stmt *statement, int column)
{
    bool bytes = sqlite3_column_type(statement, column) == SQLITE_BLOB;
    const uint8_t *p =
        bytes ? sqlite3_column_blob(statement, column) : sqlite3_column_text(statement, column);
    size_t len = (size_t)sqlite3_column_bytes(statement, column);
    struct buf text = { .max = UINT32_MAX };

    if (p == NULL && len > 0)
        return NULL;
    for (size_t i = 0, n; i < len; i += n) {
        n = bytes ? 1 : source_sequence(p + i, len - i);
        if (bytes)
            buf_printf(&text, "%02x", p[i]);
        else if (n == 0 || p[i] == '\0')
            buf_text(&text, "\xEF\xBF\xBD");
        else
            buf_append(&text, p + i, n);
        n = n == 0 ? 1 : n;
    }
    return heap_text_of(&text);
}

/* False: out of memory. */
static bool
put_json(sqlite3_stmt *statement, int column)
{
    int type = sqlite3_column_type(statement, column);

    if (type == SQLITE_INTEGER) {
        out_printf(out(), "%lld", (long long)sqlite3_column_int64(statement, column));
        return true;
    }
    if (type == SQLITE_NULL ||
        (type == SQLITE_FLOAT && !isfinite(sqlite3_column_double(statement, column)))) {
        out_text(out(), "null");
        return true;
    }
    char *text = cell_text(statement, column);
    if (text != NULL && type == SQLITE_FLOAT)
        out_text(out(), text);
    else if (text != NULL)
        heap_put_json(text);
    free(text);
    return text != NULL;
}

static bool
put_json_row(struct rows *r, bool first)
{
    bool ok = true;

    out_text(out(), first ? "\n" : ",\n");
    for (int c = 0; c < r->column_count && ok; c++) {
        out_text(out(), c == 0 ? "{" : ",");
        heap_put_json(r->names[c]);
        out_text(out(), ":");
        ok = put_json(r->statement, c);
    }
    out_text(out(), "}");
    return ok;
}

/* --- tables ----------------------------------------------------------------------------- */

static size_t
columns_of(const struct rows *r, int column)
{
    return column + 1 < r->column_count ? CELL_COLUMNS : LAST_COLUMNS;
}

static void
put_spaces(size_t width, size_t used)
{
    if (used < width)
        out_printf(out(), "%*s", (int)(width - used), "");
}

static void
put_cell(const struct rows *r, int c, const char *text)
{
    size_t used = heap_text_columns(text, columns_of(r, c));

    if (r->numbers[c])
        put_spaces(r->widths[c], used);
    heap_put_text(text, columns_of(r, c));
    if (!r->numbers[c] && c + 1 < r->column_count)
        put_spaces(r->widths[c], used);
    out_text(out(), c + 1 < r->column_count ? "  " : "\n");
}

/* Prints what is held, under the names of the columns if these are the first. */
static void
put_held(struct rows *r, bool first)
{
    size_t n = (size_t)r->column_count;
    bool bold = first && out()->terminal && getenv("NO_COLOR") == NULL;

    for (size_t i = 0; first && i < r->held_count + n; i++) {
        const char *text = i < n ? r->names[i] : r->held[i - n];
        size_t used = heap_text_columns(text, columns_of(r, (int)(i % n)));
        if (used > r->widths[i % n])
            r->widths[i % n] = used;
    }
    out_text(out(), bold ? "\033[1m" : "");
    for (int c = 0; first && c < r->column_count; c++)
        put_cell(r, c, r->names[c]);
    out_text(out(), bold ? "\033[0m" : "");
    for (size_t i = 0; i < r->held_count; i++) {
        put_cell(r, (int)(i % n), r->held[i]);
        free(r->held[i]);
    }
    r->held_count = 0;
}

static bool
hold_row(struct rows *r)
{
    for (int c = 0; c < r->column_count; c++) {
        int type = sqlite3_column_type(r->statement, c);
        char *text = type == SQLITE_NULL ? strdup("null") : cell_text(r->statement, c);
        if (text == NULL)
            return false;
        r->held[r->held_count++] = text;
        r->numbers[c] &= type != SQLITE_TEXT && type != SQLITE_BLOB;
    }
    return true;
}

/* --- statements ------------------------------------------------------------------------- */

static bool
put_row(struct rows *r, bool json, uint64_t row)
{
    if (json)
        return put_json_row(r, row == 0);
    if (!hold_row(r))
        return false;
    if (row + 1 >= QUERY_WIDTH_ROWS)
        put_held(r, row + 1 == QUERY_WIDTH_ROWS);
    return true;
}

static int
print(struct rows *r, bool json, uint32_t top)
{
    uint64_t rows = 0;
    int code;

    out_text(out(), json ? "[" : "");
    while ((code = sqlite3_step(r->statement)) == SQLITE_ROW && (top == 0 || rows < top) &&
           out()->os_errno == 0)
        if (!put_row(r, json, rows++))
            return SQLITE_NOMEM;
    if (signals_caught() != 0)
        return SQLITE_INTERRUPT;
    bool more = code == SQLITE_ROW;
    if (code != SQLITE_DONE && !more)
        return code;
    if (json)
        out_text(out(), "\n]\n");
    else if (rows < QUERY_WIDTH_ROWS)
        put_held(r, true);
    if (more && !json)
        out_text(out(), "... more: --top 0 shows all\n");
    return SQLITE_OK;
}

int
query_print(sqlite3_stmt *statement, bool json, uint32_t top)
{
    struct rows rows;
    int code = rows_open(&rows, statement) ? print(&rows, json, top) : SQLITE_NOMEM;

    rows_done(&rows);
    return code;
}
