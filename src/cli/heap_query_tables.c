/* heap_query_tables.c - a heap as virtual tables of SQLite: nodes, edges and classes.
 *
 * Nothing is copied: a row is a number, and a column is asked of the heap when it is read. What a
 * table is looked up by is what the heap finds at once: a node by its number or id, the nodes that
 * one dominates, the edges from a node and those to it. So a join follows the graph.
 */
#include "base/check.h"
#include "cli/heap_query.h"

#include <stdlib.h>
#include <string.h>

enum {
    NAME_BYTES = 512, /* of a name that is told without an allocation */
    KEYS_MAX = 4
};

/* Rows: those from `at` to `end`; of `list` if there is one. */
struct range {
    const uint32_t *list;
    uint32_t at, end;
};

struct view {
    sqlite3_vtab base;
    const struct query_table *table;
};

struct cursor {
    sqlite3_vtab_cursor base;
    struct range range;
};

struct query_kind {
    const char *name;
    const char *schema;
    struct range (*all)(const struct query_heap *of);
    /* A column of a row; what it says nothing of is NULL. */
    void (*tell)(const struct query_heap *of, uint32_t row, int column, sqlite3_context *out);
    /* What rows are found by; the first is their number. */
    struct key {
        int column;
        bool one; /* row at most */
        /* A code of SQLite; the range is empty before, and where there is no such row stays so. */
        int (*find)(const struct query_heap *of, uint32_t value, struct range *out);
    } keys[KEYS_MAX];
};

/* --- columns ---------------------------------------------------------------------------- */

typedef uint64_t naming(const gbx_heap *heap, uint32_t number, char *out, uint64_t size);

/* What gbx_heap_edge_name() puts around a name goes. */
static char *
strip(char *text, uint64_t *len)
{
    uint64_t before = text[0] == '.' || text[0] == '{' ? 1 : 2;
    uint64_t after = text[0] == '{' ? 1 : text[0] == '[' ? 2 : 0;

    *len -= before + after;
    return text + before;
}

static void
tell_name(const struct query_heap *of, uint32_t number, naming *name, sqlite3_context *out)
{
    char some[NAME_BYTES], *all = NULL, *text = some;
    uint64_t len = name(of->heap, number, some, sizeof some);

    if (len >= sizeof some) {
        all = text = malloc(len + 1);
        if (all == NULL)
            return sqlite3_result_error_nomem(out);
        (void)name(of->heap, number, all, len + 1);
    }
    /* A NUL that a guest named something by would end it. */
    for (uint64_t i = 0; i < len; i++)
        if (text[i] == '\0')
            text[i] = ' ';
    if (name == gbx_heap_edge_name)
        text = strip(text, &len);
    sqlite3_result_text64(out, text, len, SQLITE_TRANSIENT, SQLITE_UTF8);
    free(all);
}

/* Where a constructor is; nothing where that is not known. */
static void
tell_place(const uint32_t place[3], int part, sqlite3_context *out)
{
    if (place[1] > 0)
        sqlite3_result_int64(out, place[part]);
}

static void
tell_distance(int32_t distance, sqlite3_context *out)
{
    if (distance != GBX_HEAP_UNREACHED)
        sqlite3_result_int64(out, distance);
}

static const char nodes_schema[] =
    "CREATE TABLE nodes(node INTEGER PRIMARY KEY, id INTEGER, type TEXT, class TEXT,"
    " class_id INTEGER, name TEXT, shallow INTEGER, retained INTEGER, distance INTEGER,"
    " dominator INTEGER, edge_count INTEGER, detached INTEGER, script INTEGER, line INTEGER,"
    " \"column\" INTEGER)";

static void
tell_node(const struct query_heap *of, uint32_t row, int column, sqlite3_context *out)
{
    gbx_heap_node n;

    GBX_CHECK(gbx_heap_get_node(of->heap, row, &n) == GBX_OK);
    const uint32_t place[3] = { n.script, n.line, n.column };
    switch (column) {
    case 0:
        return sqlite3_result_int64(out, row);
    case 1:
        return sqlite3_result_int64(out, n.id);
    case 2:
        return sqlite3_result_text(out, n.type, -1, SQLITE_STATIC);
    case 3:
        return tell_name(of, n.class_index, gbx_heap_class_name, out);
    case 4:
        return sqlite3_result_int64(out, n.class_index);
    case 5:
        return tell_name(of, row, gbx_heap_node_name, out);
    case 6:
        return sqlite3_result_int64(out, (sqlite3_int64)n.shallow);
    case 7:
        return sqlite3_result_int64(out, (sqlite3_int64)n.retained);
    case 8:
        return tell_distance(n.distance, out);
    case 9: /* the root has none, so that going up ends there */
        if (row != 0)
            sqlite3_result_int64(out, n.dominator);
        return;
    case 10:
        return sqlite3_result_int64(out, n.edge_count);
    case 11:
        return sqlite3_result_int64(out, n.detached);
    default:
        return tell_place(place, column - 12, out);
    }
}

static const char edges_schema[] =
    "CREATE TABLE edges(edge INTEGER PRIMARY KEY, from_node INTEGER, to_node INTEGER,"
    " type TEXT, name)";

static void
tell_edge(const struct query_heap *of, uint32_t row, int column, sqlite3_context *out)
{
    gbx_heap_edge e;

    GBX_CHECK(gbx_heap_get_edge(of->heap, row, &e) == GBX_OK);
    if (column == 0)
        sqlite3_result_int64(out, row);
    else if (column == 1)
        sqlite3_result_int64(out, e.from);
    else if (column == 2)
        sqlite3_result_int64(out, e.to);
    else if (column == 3)
        sqlite3_result_text(out, e.type, -1, SQLITE_STATIC);
    else if (e.named == 0)
        sqlite3_result_int64(out, e.index);
    else
        tell_name(of, row, gbx_heap_edge_name, out);
}

static const char classes_schema[] =
    "CREATE TABLE classes(class_id INTEGER PRIMARY KEY, class TEXT, count INTEGER,"
    " shallow INTEGER, retained INTEGER, distance INTEGER, script INTEGER, line INTEGER,"
    " \"column\" INTEGER)";

static void
tell_class(const struct query_heap *of, uint32_t row, int column, sqlite3_context *out)
{
    const gbx_heap_class *c = &of->rows[of->row_of[row] - 1];
    const uint32_t place[3] = { c->script, c->line, c->column };

    if (column == 0)
        sqlite3_result_int64(out, row);
    else if (column == 1)
        tell_name(of, row, gbx_heap_class_name, out);
    else if (column == 2)
        sqlite3_result_int64(out, c->count);
    else if (column == 3)
        sqlite3_result_int64(out, (sqlite3_int64)c->shallow);
    else if (column == 4)
        sqlite3_result_int64(out, (sqlite3_int64)c->retained);
    else if (column == 5)
        tell_distance(c->distance, out);
    else
        tell_place(place, column - 6, out);
}

/* --- keys ------------------------------------------------------------------------------- */

static struct range
all_nodes(const struct query_heap *of)
{
    return (struct range){ NULL, 0, of->totals.nodes };
}

static int
find_node(const struct query_heap *of, uint32_t node, struct range *out)
{
    if (node < of->totals.nodes)
        *out = (struct range){ NULL, node, node + 1 };
    return SQLITE_OK;
}

/* The heap's answer. */
static int
give(gbx_status status, struct range found, struct range *out)
{
    if (status == GBX_OK)
        *out = found;
    return status == GBX_ENOMEM ? SQLITE_NOMEM : SQLITE_OK;
}

static int
find_id(const struct query_heap *of, uint32_t id, struct range *out)
{
    uint32_t node = 0;
    gbx_status status = gbx_heap_find(of->heap, id, &node);

    return give(status, (struct range){ NULL, node, node + 1 }, out);
}

static int
find_dominated(const struct query_heap *of, uint32_t node, struct range *out)
{
    struct range found = { NULL, 0, 0 };
    gbx_status status = gbx_heap_dominated(of->heap, node, &found.list, &found.end);

    return give(status, found, out);
}

static struct range
all_edges(const struct query_heap *of)
{
    return (struct range){ NULL, 0, of->totals.edges };
}

static int
find_edge(const struct query_heap *of, uint32_t edge, struct range *out)
{
    if (edge < of->totals.edges)
        *out = (struct range){ NULL, edge, edge + 1 };
    return SQLITE_OK;
}

static int
find_edges_from(const struct query_heap *of, uint32_t node, struct range *out)
{
    gbx_heap_node n;

    if (gbx_heap_get_node(of->heap, node, &n) == GBX_OK)
        *out = (struct range){ NULL, n.first_edge, n.first_edge + n.edge_count };
    return SQLITE_OK;
}

static int
find_edges_to(const struct query_heap *of, uint32_t node, struct range *out)
{
    struct range found = { NULL, 0, 0 };
    gbx_status status = gbx_heap_retainers(of->heap, node, &found.list, &found.end);

    return give(status, found, out);
}

static struct range
all_classes(const struct query_heap *of)
{
    return (struct range){ of->classes, 0, of->row_count };
}

static int
find_class(const struct query_heap *of, uint32_t class, struct range *out)
{
    if (class < of->totals.classes && of->row_of[class] != 0)
        *out = (struct range){ of->classes, of->row_of[class] - 1, of->row_of[class] };
    return SQLITE_OK;
}

static const struct query_kind kinds[QUERY_TABLES] = {
    { "nodes", nodes_schema, all_nodes, tell_node,
        { { 0, true, find_node }, { 1, true, find_id }, { 9, false, find_dominated } } },
    { "edges", edges_schema, all_edges, tell_edge,
        { { 0, true, find_edge }, { 1, false, find_edges_from },
            { 2, false, find_edges_to } } },
    { "classes", classes_schema, all_classes, tell_class, { { 0, true, find_class } } },
};

/* --- what SQLite asks ------------------------------------------------------------------- */

static int
connect(sqlite3 *db, void *data, int argc, const char *const *argv, sqlite3_vtab **out_table,
    char **out_message)
{
    const struct query_table *table = data;
    struct view *view = sqlite3_malloc64(sizeof *view);

    (void)argc;
    (void)argv;
    (void)out_message;
    if (view == NULL)
        return SQLITE_NOMEM;
    *view = (struct view){ .table = table };
    int code = sqlite3_declare_vtab(db, table->kind->schema);
    if (code != SQLITE_OK)
        sqlite3_free(view);
    else
        *out_table = &view->base;
    return code;
}

static int
disconnect(sqlite3_vtab *table)
{
    sqlite3_free(table);
    return SQLITE_OK;
}

/* A row's number is the first column, and the row id as well. */
static bool
is_key(const struct key *key, int column)
{
    return key->find != NULL && (key->column == column || (column < 0 && key->column == 0));
}

/* The first key that the statement has a value for; idxNum is its place + 1. They are in the order
 * of what they leave. */
static int
plan(sqlite3_vtab *base, sqlite3_index_info *info)
{
    const struct query_table *table = ((struct view *)base)->table;
    struct range all = table->kind->all(table->of);

    info->estimatedRows = all.end;
    info->estimatedCost = (double)all.end + 1;
    for (int k = 0; k < KEYS_MAX && info->idxNum == 0; k++)
        for (int i = 0; i < info->nConstraint && info->idxNum == 0; i++) {
            const struct sqlite3_index_constraint *c = &info->aConstraint[i];
            const struct key *key = &table->kind->keys[k];
            if (c->usable == 0 || c->op != SQLITE_INDEX_CONSTRAINT_EQ ||
                !is_key(key, c->iColumn))
                continue;
            info->aConstraintUsage[i].argvIndex = 1;
            info->idxNum = k + 1;
            info->estimatedRows = key->one ? 1 : 8;
            info->estimatedCost = key->one ? 2 : 10;
            info->idxFlags = key->one ? SQLITE_INDEX_SCAN_UNIQUE : 0;
        }
    return SQLITE_OK;
}

static int
open_cursor(sqlite3_vtab *table, sqlite3_vtab_cursor **out_cursor)
{
    struct cursor *cursor = sqlite3_malloc64(sizeof *cursor);

    (void)table;
    if (cursor == NULL)
        return SQLITE_NOMEM;
    *cursor = (struct cursor){ .range = { NULL, 0, 0 } };
    *out_cursor = &cursor->base;
    return SQLITE_OK;
}

static int
close_cursor(sqlite3_vtab_cursor *cursor)
{
    sqlite3_free(cursor);
    return SQLITE_OK;
}

/* False: no row's number is equal to it. SQLite compares what is found once more. */
static bool
number_of(sqlite3_value *value, uint32_t *out)
{
    int type = sqlite3_value_numeric_type(value);
    sqlite3_int64 n = sqlite3_value_int64(value);

    if (type != SQLITE_INTEGER &&
        (type != SQLITE_FLOAT || sqlite3_value_double(value) != (double)n))
        return false;
    *out = (uint32_t)n;
    return n >= 0 && n <= UINT32_MAX;
}

static int
begin(sqlite3_vtab_cursor *base, int key, const char *text, int argc, sqlite3_value **argv)
{
    struct cursor *cursor = (struct cursor *)base;
    const struct query_table *table = ((struct view *)base->pVtab)->table;
    uint32_t value;

    (void)text;
    (void)argc;
    if (key == 0) {
        cursor->range = table->kind->all(table->of);
        return SQLITE_OK;
    }
    cursor->range = (struct range){ NULL, 0, 0 };
    return number_of(argv[0], &value)
               ? table->kind->keys[key - 1].find(table->of, value, &cursor->range)
               : SQLITE_OK;
}

static int
next(sqlite3_vtab_cursor *base)
{
    ((struct cursor *)base)->range.at++;
    return SQLITE_OK;
}

static int
at_end(sqlite3_vtab_cursor *base)
{
    const struct range *range = &((struct cursor *)base)->range;

    return range->at >= range->end;
}

static uint32_t
row_at(sqlite3_vtab_cursor *base)
{
    const struct range *range = &((struct cursor *)base)->range;

    return range->list == NULL ? range->at : range->list[range->at];
}

static int
tell(sqlite3_vtab_cursor *base, sqlite3_context *out, int column)
{
    const struct query_table *table = ((struct view *)base->pVtab)->table;

    table->kind->tell(table->of, row_at(base), column, out);
    return SQLITE_OK;
}

static int
row_id(sqlite3_vtab_cursor *base, sqlite3_int64 *out)
{
    *out = row_at(base);
    return SQLITE_OK;
}

/* Tables of this kind need not be created, and cannot be. */
static const sqlite3_module module = {
    .iVersion = 0,
    .xConnect = connect,
    .xBestIndex = plan,
    .xDisconnect = disconnect,
    .xOpen = open_cursor,
    .xClose = close_cursor,
    .xFilter = begin,
    .xNext = next,
    .xEof = at_end,
    .xColumn = tell,
    .xRowid = row_id,
};

/* --- from outside ----------------------------------------------------------------------- */

const char *
query_table_name(size_t table)
{
    return table < QUERY_TABLES ? kinds[table].name : NULL;
}

const char *
query_table_schema(size_t table)
{
    return kinds[table].schema;
}

int
query_heap_open(gbx_heap *heap, struct query_heap *out)
{
    *out = (struct query_heap){ .heap = heap };
    if (gbx_heap_get_totals(heap, &out->totals) != GBX_OK ||
        gbx_heap_summary(heap, &out->rows, &out->row_count) != GBX_OK)
        return heap_no_memory();
    out->row_of = calloc((size_t)out->totals.classes + 1, sizeof *out->row_of);
    out->classes = calloc((size_t)out->row_count + 1, sizeof *out->classes);
    if (out->row_of == NULL || out->classes == NULL)
        return heap_no_memory();
    for (uint32_t i = 0; i < out->row_count; i++) {
        out->classes[i] = out->rows[i].class_index;
        out->row_of[out->rows[i].class_index] = i + 1;
    }
    for (size_t i = 0; i < QUERY_TABLES; i++)
        out->tables[i] = (struct query_table){ out, &kinds[i] };
    return OUTCOME_OK;
}

void
query_heap_done(struct query_heap *of)
{
    free(of->row_of);
    free(of->classes);
}

int
query_add_tables(sqlite3 *db, struct query_heap *of, const char *prefix)
{
    int code = SQLITE_OK;

    /* The first use makes a table, which an authorizer that lets nothing be made would refuse. */
    for (size_t i = 0; i < QUERY_TABLES && code == SQLITE_OK; i++) {
        char *name = sqlite3_mprintf("%s%s", prefix, kinds[i].name);
        char *use = sqlite3_mprintf("SELECT 0 FROM %s WHERE 0", name);
        code = name == NULL || use == NULL
                   ? SQLITE_NOMEM
                   : sqlite3_create_module_v2(db, name, &module, &of->tables[i], NULL);
        if (code == SQLITE_OK)
            code = sqlite3_exec(db, use, NULL, NULL, NULL);
        sqlite3_free(name);
        sqlite3_free(use);
    }
    return code;
}
