/* cmd_heap_kept.c - closures, collections: what holds much, besides classes. */
#include "base/check.h"
#include "cli/heap.h"

#include <stdlib.h>
#include <string.h>

/* A text of the heap, or an empty one for GBX_HEAP_NONE. */
static char *
name_of(const gbx_heap *heap, uint32_t number,
    uint64_t (*name)(const gbx_heap *, uint32_t, char *, uint64_t))
{
    return number == GBX_HEAP_NONE ? strdup("") : heap_name(heap, number, name);
}

static uint32_t
id_of(const gbx_heap *heap, uint32_t node)
{
    gbx_heap_node n = { .id = 0 };

    (void)gbx_heap_get_node(heap, node, &n);
    return n.id;
}

int
heap_closures(struct heap_run *run)
{
    static const struct column columns[] = { { "id", "context", COLUMN_ID },
        { "functions", "functions", COLUMN_COUNT }, { "retained", "retained", COLUMN_BYTES },
        { "variable", "largest variable", COLUMN_TEXT },
        { "function", "one of the functions", COLUMN_TEXT } };
    struct table t = { .columns = columns, .column_count = COUNT(columns) };
    gbx_heap *heap = run->heaps[0];
    gbx_heap_closure *rows = NULL;
    uint32_t count = 0;

    if (gbx_heap_closures(heap, &rows, &count) != GBX_OK)
        return heap_no_memory();
    for (uint32_t i = 0; i < count; i++) {
        char *variable = name_of(heap, rows[i].variable, gbx_heap_edge_name);
        char *function = name_of(heap, rows[i].function, gbx_heap_node_name);
        if (variable != NULL && function != NULL && !heap_is_wanted(run, variable) &&
            !heap_is_wanted(run, function)) {
            free(variable);
            free(function);
            continue;
        }
        table_number(&t, id_of(heap, rows[i].context));
        table_number(&t, rows[i].functions);
        table_number(&t, (int64_t)rows[i].retained);
        table_text(&t, variable);
        table_text(&t, function);
    }
    free(rows);
    return table_print(&t, run);
}

int
heap_collections(struct heap_run *run)
{
    static const struct column columns[] = { { "id", "id", COLUMN_ID },
        { "entries", "entries", COLUMN_COUNT }, { "slots", "room for", COLUMN_COUNT },
        { "shallow", "size", COLUMN_BYTES }, { "retained", "retained", COLUMN_BYTES },
        { "kind", "kind", COLUMN_TEXT }, { "class", "class", COLUMN_TEXT } };
    static const char *const kinds[] = { [GBX_HEAP_MAP] = "Map",
        [GBX_HEAP_SET] = "Set",
        [GBX_HEAP_WEAK_MAP] = "WeakMap",
        [GBX_HEAP_WEAK_SET] = "WeakSet",
        [GBX_HEAP_ARRAY] = "array",
        [GBX_HEAP_DICTIONARY] = "object" };
    struct table t = { .columns = columns, .column_count = COUNT(columns) };
    gbx_heap *heap = run->heaps[0];
    gbx_heap_collection *rows = NULL;
    uint32_t count = 0;

    if (gbx_heap_collections(heap, &rows, &count) != GBX_OK)
        return heap_no_memory();
    for (uint32_t i = 0; i < count; i++) {
        gbx_heap_node n;
        if (gbx_heap_get_node(heap, rows[i].node, &n) != GBX_OK)
            continue;
        char *class = heap_name(heap, n.class_index, gbx_heap_class_name);
        if (class != NULL && !heap_is_wanted(run, class)) {
            free(class);
            continue;
        }
        table_number(&t, n.id);
        table_number(&t, rows[i].entries);
        table_number(&t, rows[i].slots);
        table_number(&t, (int64_t)rows[i].bytes);
        table_number(&t, (int64_t)rows[i].retained);
        table_text(&t, strdup(kinds[rows[i].kind]));
        table_text(&t, class);
    }
    free(rows);
    return table_print(&t, run);
}
