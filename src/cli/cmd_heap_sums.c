/* cmd_heap_sums.c - summary, stats, diff, strings, verify: answers about all of a heap. */
#include "base/check.h"
#include "cli/heap.h"

#include <stdlib.h>

static struct table
table_of(const struct column *columns, size_t count)
{
    return (struct table){ .columns = columns, .column_count = count };
}

int
heap_summary(struct heap_run *run)
{
    static const struct column columns[] = { { "count", "count", COLUMN_COUNT },
        { "shallow", "shallow", COLUMN_BYTES }, { "retained", "retained", COLUMN_BYTES },
        { "distance", "distance", COLUMN_DISTANCE }, { "class", "class", COLUMN_TEXT } };
    static const struct column more[] = { { "count", "count", COLUMN_COUNT },
        { "shallow", "shallow", COLUMN_BYTES }, { "retained", "retained", COLUMN_BYTES },
        { "distance", "distance", COLUMN_DISTANCE }, { "script", "script", COLUMN_COUNT },
        { "line", "line", COLUMN_COUNT }, { "column", "column", COLUMN_COUNT },
        { "class", "class", COLUMN_TEXT } };
    bool json = run->options.json;
    struct table t = table_of(json ? more : columns, json ? COUNT(more) : COUNT(columns));
    const gbx_heap_class *rows = NULL;
    uint32_t count = 0;

    if (gbx_heap_summary(run->heaps[0], &rows, &count) != GBX_OK)
        return heap_no_memory();
    for (uint32_t i = 0; i < count; i++) {
        char *name = heap_name(run->heaps[0], rows[i].class_index, gbx_heap_class_name);
        if (name != NULL && !heap_is_wanted(run, name)) {
            free(name);
            continue;
        }
        table_number(&t, rows[i].count);
        table_number(&t, (int64_t)rows[i].shallow);
        table_number(&t, (int64_t)rows[i].retained);
        table_number(&t, rows[i].distance);
        if (json) {
            table_number(&t, rows[i].script);
            table_number(&t, rows[i].line);
            table_number(&t, rows[i].column);
        }
        table_text(&t, name);
    }
    return table_print(&t, run);
}

static uint64_t
rest_of(const gbx_heap_totals *t)
{
    /* Shares that overlap leave nothing: arrays may be part of what a native node owns. */
    uint64_t told = t->native + t->code + t->strings_bytes + t->arrays + t->system;

    return told < t->total ? t->total - told : 0;
}

int
heap_stats(struct heap_run *run)
{
    gbx_heap_totals t;

    if (gbx_heap_get_totals(run->heaps[0], &t) != GBX_OK)
        return heap_no_memory();
    const struct row {
        const char *key, *title;
        uint64_t value;
        bool bytes;
    } rows[] = { { "total", "total", t.total, true }, { "code", "code", t.code, true },
        { "strings", "strings", t.strings_bytes, true },
        { "arrays", "JavaScript arrays", t.arrays, true },
        { "typed_arrays", "typed arrays", t.typed_arrays, true },
        { "native", "native, with typed arrays", t.native, true },
        { "system", "system", t.system, true }, { "other", "other objects", rest_of(&t), true },
        { "nodes", "nodes", t.nodes, false }, { "edges", "edges", t.edges, false },
        { "classes", "classes", t.classes, false },
        { "file_bytes", "file, uncompressed", t.file_bytes, true } };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char size[UNITS_TEXT];
        units_show_bytes(rows[i].value, size);
        if (run->options.json)
            out_printf(out(), "%s\"%s\":%llu", i == 0 ? "{" : ",", rows[i].key,
                (unsigned long long)rows[i].value);
        else if (rows[i].bytes)
            out_printf(out(), "%-26s %12s\n", rows[i].title, size);
        else
            out_printf(
                out(), "%-26s %12llu\n", rows[i].title, (unsigned long long)rows[i].value);
    }
    out_text(out(), run->options.json ? "}\n" : "");
    return OUTCOME_OK;
}

int
heap_diff(struct heap_run *run)
{
    static const struct column columns[] = { { "added", "new", COLUMN_COUNT },
        { "removed", "deleted", COLUMN_COUNT }, { "delta", "delta", COLUMN_COUNT },
        { "added_bytes", "new size", COLUMN_BYTES }, { "removed_bytes", "freed", COLUMN_BYTES },
        { "size_delta", "size delta", COLUMN_DELTA }, { "class", "class", COLUMN_TEXT } };
    struct table t = table_of(columns, COUNT(columns));
    gbx_heap_change *rows = NULL;
    uint32_t count = 0;

    if (gbx_heap_diff(run->heaps[0], run->heaps[1], &rows, &count) != GBX_OK)
        return heap_no_memory();
    for (uint32_t i = 0; i < count; i++) {
        const gbx_heap_change *c = &rows[i];
        char *name =
            heap_name(run->heaps[c->in_base != 0 ? 0 : 1], c->class_index, gbx_heap_class_name);
        if (name != NULL && !heap_is_wanted(run, name)) {
            free(name);
            continue;
        }
        table_number(&t, c->added);
        table_number(&t, c->removed);
        table_number(&t, (int64_t)c->added - c->removed);
        table_number(&t, (int64_t)c->added_bytes);
        table_number(&t, (int64_t)c->removed_bytes);
        table_number(&t, (int64_t)(c->added_bytes - c->removed_bytes));
        table_text(&t, name);
    }
    free(rows);
    return table_print(&t, run);
}

static int
large_strings(struct heap_run *run)
{
    static const struct column columns[] = { { "id", "id", COLUMN_ID },
        { "shallow", "size", COLUMN_BYTES }, { "retained", "retained", COLUMN_BYTES },
        { "distance", "distance", COLUMN_DISTANCE }, { "text", "text", COLUMN_TEXT } };
    const struct heap_options *o = &run->options;
    struct table t = table_of(columns, COUNT(columns));
    gbx_heap *heap = run->heaps[0];
    uint32_t *nodes = NULL, count = 0;
    /* All, where it is seen by their texts or another number which are wanted. */
    uint32_t most = o->filter == NULL && o->sort == NULL ? run->top : 0;

    if (gbx_heap_large_strings(heap, most, &nodes, &count) != GBX_OK)
        return heap_no_memory();
    for (uint32_t i = 0; i < count; i++) {
        gbx_heap_node n;
        char *text = heap_name(heap, nodes[i], gbx_heap_node_name);
        if (gbx_heap_get_node(heap, nodes[i], &n) != GBX_OK ||
            (text != NULL && !heap_is_wanted(run, text))) {
            free(text);
            continue;
        }
        table_number(&t, n.id);
        table_number(&t, (int64_t)n.shallow);
        table_number(&t, (int64_t)n.retained);
        table_number(&t, n.distance);
        table_text(&t, text);
    }
    free(nodes);
    return table_print(&t, run);
}

int
heap_strings(struct heap_run *run)
{
    static const struct column columns[] = { { "count", "count", COLUMN_COUNT },
        { "shallow", "size", COLUMN_BYTES }, { "retained", "retained", COLUMN_BYTES },
        { "wasted", "wasted", COLUMN_BYTES }, { "text", "text", COLUMN_TEXT } };
    struct table t = table_of(columns, COUNT(columns));
    gbx_heap_same *rows = NULL;
    uint32_t count = 0;

    if (run->options.largest)
        return large_strings(run);
    if (gbx_heap_duplicates(run->heaps[0], &rows, &count) != GBX_OK)
        return heap_no_memory();
    for (uint32_t i = 0; i < count; i++) {
        char *text = heap_name(run->heaps[0], rows[i].node, gbx_heap_node_name);
        if (text != NULL && !heap_is_wanted(run, text)) {
            free(text);
            continue;
        }
        table_number(&t, rows[i].count);
        table_number(&t, (int64_t)rows[i].shallow);
        table_number(&t, (int64_t)rows[i].retained);
        table_number(&t, (int64_t)(rows[i].shallow - rows[i].shallow / rows[i].count));
        table_text(&t, text);
    }
    free(rows);
    return table_print(&t, run);
}

int
heap_verify(struct heap_run *run)
{
    for (size_t i = 0; i < run->file_count; i++) {
        gbx_heap_totals t;
        if (gbx_heap_get_totals(run->heaps[i], &t) != GBX_OK)
            return heap_no_memory();
        if (run->options.json) {
            out_text(out(), i == 0 ? "[" : ",");
            out_text(out(), "{\"file\":");
            heap_put_json(run->files[i]);
            out_printf(out(), ",\"ok\":true,\"nodes\":%u,\"edges\":%u}", t.nodes, t.edges);
        } else {
            out_printf(out(), "%s: whole: %u nodes, %u edges, %u strings\n", run->files[i],
                t.nodes, t.edges, t.strings);
        }
    }
    out_text(out(), run->options.json ? "]\n" : "");
    return OUTCOME_OK;
}
