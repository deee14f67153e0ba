/* list.c - what the index says, in one piece of memory for its caller. */
#include "store/store.h"

#include "base/buf.h"
#include "base/error.h"

#include <stdlib.h>
#include <string.h>

/* Rows and their texts while they are gathered. Rows hold offsets of texts, in place of pointers,
 * until both are in one piece. */
struct gathered {
    struct buf rows, texts;
    uint32_t count;
};

static uint64_t
number_at(sqlite3_stmt *statement, int column)
{
    sqlite3_int64 n = sqlite3_column_int64(statement, column);

    return n < 0 ? 0 : (uint64_t)n;
}

/* The offset of a text, as a pointer. */
static const char *
keep_text(struct gathered *g, const char *text)
{
    uintptr_t at = g->texts.len;

    buf_append(&g->texts, text, strlen(text) + 1);
    return (const char *)at;
}

/* How a kind of row looks: its size, and where in it texts are. */
struct shape {
    size_t size;
    size_t texts[2];
    size_t text_count;
};

/* All of it in one piece, to be freed; NULL: out of memory. */
static char *
in_one_piece(const struct gathered *g, const struct shape *shape)
{
    char *all = g->rows.failed || g->texts.failed ? NULL : malloc(g->rows.len + g->texts.len);

    if (all == NULL)
        return NULL;
    memcpy(all, g->rows.p, g->rows.len);
    memcpy(all + g->rows.len, g->texts.p, g->texts.len);
    for (size_t i = 0; i < g->count * shape->text_count; i++) {
        char *at =
            all + i / shape->text_count * shape->size + shape->texts[i % shape->text_count];
        uintptr_t offset;
        memcpy(&offset, at, sizeof offset);
        char *text = all + g->rows.len + offset;
        memcpy(at, &text, sizeof text);
    }
    return all;
}

/* Ends a statement whose rows were gathered, `code` being its last answer: frees what was gathered,
 * and answers it in one piece. */
static gbx_status
finish(struct gbx_store *store, sqlite3_stmt *statement, int code, struct gathered *g,
    const struct shape *shape, char **out_rows, uint32_t *out_count, gbx_error *error)
{
    gbx_status status = GBX_OK;
    char *all = NULL;

    if (code != SQLITE_DONE)
        status = index_failed(store, code, error);
    else if (g->count > 0 && (all = in_one_piece(g, shape)) == NULL)
        status = fail(error, GBX_ENOMEM, "no memory for a list of snapshots");
    (void)sqlite3_finalize(statement);
    buf_done(&g->rows);
    buf_done(&g->texts);
    if (status != GBX_OK)
        return status;
    *out_rows = all;
    *out_count = g->count;
    return GBX_OK;
}

static struct gathered
gathered_new(void)
{
    return (
        struct gathered){ .rows = { .max = SIZE_MAX / 2 }, .texts = { .max = SIZE_MAX / 2 } };
}

/* --- entries ---------------------------------------------------------------------------------- */

#define COLUMNS                                                                                \
    "SELECT id, label, taken_us, reason, file_bytes, resident_bytes, state, heap_bytes, nodes" \
    " FROM snapshot "

/* False: no store has written that. */
static bool
gather_entry(const struct gbx_store *store, sqlite3_stmt *statement, struct gathered *g)
{
    const char *label = (const char *)sqlite3_column_text(statement, 1);
    gbx_store_entry entry = { .id = number_at(statement, 0),
        .taken_us = number_at(statement, 2),
        .reason = (uint32_t)number_at(statement, 3),
        .file_bytes = number_at(statement, 4),
        .resident_bytes = number_at(statement, 5),
        .state = (uint32_t)number_at(statement, 6),
        .heap_bytes = number_at(statement, 7),
        .nodes = (uint32_t)number_at(statement, 8) };
    struct name name = { .id = entry.id, .taken_us = entry.taken_us };
    char text[STORE_NAME_BYTES];

    if (label == NULL || name_check_label(label, NULL) != GBX_OK)
        return false;
    (void)strcpy(name.label, label);
    name_write(&name, text);
    entry.label = keep_text(g, label);
    entry.path = keep_text(g, store->path);
    if (g->texts.len > 0)
        g->texts.p[g->texts.len - 1] = '/'; /* and the name goes on behind it */
    (void)keep_text(g, text);
    buf_append(&g->rows, &entry, sizeof entry);
    g->count++;
    return true;
}

static gbx_status
gather_entries(struct gbx_store *store, sqlite3_stmt *statement, gbx_store_entry **out_entries,
    uint32_t *out_count, gbx_error *error)
{
    static const struct shape shape = { sizeof(gbx_store_entry),
        { offsetof(gbx_store_entry, label), offsetof(gbx_store_entry, path) }, 2 };
    struct gathered g = gathered_new();
    char *rows = NULL;
    int code;

    while ((code = sqlite3_step(statement)) == SQLITE_ROW)
        if (!gather_entry(store, statement, &g)) {
            code = SQLITE_CORRUPT;
            break;
        }
    gbx_status status = finish(store, statement, code, &g, &shape, &rows, out_count, error);
    if (status == GBX_OK)
        *out_entries = (gbx_store_entry *)(void *)rows;
    return status;
}

gbx_status
gbx_store_list(gbx_store *store, const char *label, gbx_store_entry **out_entries,
    uint32_t *out_count, gbx_error *error)
{
    sqlite3_stmt *statement;
    gbx_status status =
        label == NULL
            ? index_prepare(store, &statement, error, COLUMNS "ORDER BY taken_us, id", "")
            : index_prepare(store, &statement, error,
                  COLUMNS "WHERE label = ? ORDER BY taken_us, id", "t", label);

    return status == GBX_OK ? gather_entries(store, statement, out_entries, out_count, error)
                            : status;
}

gbx_status
store_entry(struct gbx_store *store, uint64_t id, gbx_store_entry **out, gbx_error *error)
{
    sqlite3_stmt *statement;
    gbx_store_entry *entry = NULL;
    uint32_t count = 0;
    gbx_status status =
        index_prepare(store, &statement, error, COLUMNS "WHERE id = ?", "i", id);

    if (status == GBX_OK)
        status = gather_entries(store, statement, &entry, &count, error);
    if (status == GBX_OK && count == 0)
        status = fail(error, GBX_EINVAL, "there is no snapshot %llu in %s",
            (unsigned long long)id, store->path);
    if (status == GBX_OK)
        *out = entry;
    return status;
}

/* --- classes ---------------------------------------------------------------------------------- */

gbx_status
store_classes(struct gbx_store *store, uint64_t id, gbx_store_class **out_rows,
    uint32_t *out_count, gbx_error *error)
{
    static const struct shape shape = { sizeof(gbx_store_class),
        { offsetof(gbx_store_class, name) }, 1 };
    struct gathered g = gathered_new();
    sqlite3_stmt *statement;
    char *rows = NULL;
    int code;
    gbx_status status = index_prepare(store, &statement, error,
        "SELECT name, count, shallow, retained FROM class WHERE snapshot = ? ORDER BY place",
        "i", id);

    if (status != GBX_OK)
        return status;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(statement, 0);
        gbx_store_class row = { .name = keep_text(&g, name != NULL ? name : ""),
            .count = number_at(statement, 1),
            .shallow = number_at(statement, 2),
            .retained = number_at(statement, 3) };
        buf_append(&g.rows, &row, sizeof row);
        g.count++;
    }
    status = finish(store, statement, code, &g, &shape, &rows, out_count, error);
    if (status == GBX_OK)
        *out_rows = (gbx_store_class *)(void *)rows;
    return status;
}
