/* cmd_heap_leaks.c - glovebox heap leaks: classes of which each snapshot has more than the one
 * before.
 *
 * Besides counts, ids: a survivor is a node that was born after the first snapshot and is in
 * the one before the last and in the last as well, which is memlab's rule of three snapshots. /
 */
#include "base/check.h"
#include "cli/heap.h"

#include <stdlib.h>
#include <string.h>

/* A class of one file by what it is called and where it is. */
struct named {
    char *key;
    const gbx_heap_class *row;
};

struct index {
    struct named *items;
    uint32_t count;
};

static int
compare_named(const void *a, const void *b)
{
    return strcmp(((const struct named *)a)->key, ((const struct named *)b)->key);
}

static void
index_done(struct index *index)
{
    for (uint32_t i = 0; i < index->count; i++)
        free(index->items[i].key);
    free(index->items);
}

static bool
index_make(gbx_heap *heap, struct index *out_index)
{
    const gbx_heap_class *rows = NULL;
    uint32_t count = 0;

    if (gbx_heap_summary(heap, &rows, &count) != GBX_OK)
        return false;
    out_index->items = calloc((size_t)count + 1, sizeof *out_index->items);
    for (; out_index->items != NULL && out_index->count < count; out_index->count++) {
        const gbx_heap_class *row = &rows[out_index->count];
        char *name = heap_name(heap, row->class_index, gbx_heap_class_name);
        struct buf key = { .max = UINT32_MAX };
        buf_printf(&key, "%u,%u,%u,", row->script, row->line, row->column);
        buf_text(&key, name == NULL ? "" : name);
        buf_byte(&key, '\0');
        free(name);
        if (key.failed || name == NULL) {
            buf_done(&key);
            return false;
        }
        out_index->items[out_index->count] = (struct named){ (char *)key.p, row };
    }
    if (out_index->items == NULL)
        return false;
    qsort(out_index->items, out_index->count, sizeof *out_index->items, compare_named);
    return true;
}

static uint64_t
count_in(const struct index *index, const char *key)
{
    struct named wanted = { (char *)(uintptr_t)key, NULL };
    const struct named *found =
        bsearch(&wanted, index->items, index->count, sizeof *index->items, compare_named);

    return found == NULL ? 0 : found->row->count;
}

/* By class of the last file: survivors, and the one of them that retains most. */
struct survivors {
    uint32_t *count, *node;
    uint64_t *most;
};

static bool
find_survivors(struct heap_run *run, struct survivors *out)
{
    gbx_heap *first = run->heaps[0], *last = run->heaps[run->file_count - 1];
    gbx_heap *before = run->heaps[run->file_count - 2];
    gbx_heap_totals totals;
    uint32_t other;

    if (gbx_heap_get_totals(last, &totals) != GBX_OK)
        return false;
    out->count = calloc((size_t)totals.classes + 1, sizeof *out->count);
    out->node = calloc((size_t)totals.classes + 1, sizeof *out->node);
    out->most = calloc((size_t)totals.classes + 1, sizeof *out->most);
    if (out->count == NULL || out->node == NULL || out->most == NULL)
        return false;
    for (uint32_t v = 0; v < totals.nodes; v++) {
        gbx_heap_node n;
        if (gbx_heap_get_node(last, v, &n) != GBX_OK || n.shallow == 0 ||
            gbx_heap_find(first, n.id, &other) == GBX_OK ||
            (before != first && gbx_heap_find(before, n.id, &other) != GBX_OK))
            continue;
        out->count[n.class_index]++;
        if (n.retained >= out->most[n.class_index] && n.distance < GBX_HEAP_SYSTEM) {
            out->most[n.class_index] = n.retained;
            out->node[n.class_index] = v;
        }
    }
    return true;
}

/* A path as one text: where it begins, and the edges. To be freed; NULL: out of memory. */
static char *
path_text(gbx_heap *heap, uint32_t node)
{
    struct buf text = { .max = UINT32_MAX };
    uint32_t *edges = NULL, count = 0;

    if (node == 0 || gbx_heap_path(heap, node, &edges, &count) != GBX_OK)
        return strdup("");
    for (uint32_t i = 0; i < count; i++) {
        gbx_heap_edge e;
        if (gbx_heap_get_edge(heap, edges[i], &e) != GBX_OK)
            continue;
        char *from = i == 0 ? heap_name(heap, e.from, gbx_heap_node_name) : strdup("");
        char *by = heap_name(heap, edges[i], gbx_heap_edge_name);
        buf_text(&text, from == NULL ? "" : from);
        buf_text(&text, by == NULL ? "" : by);
        free(from);
        free(by);
    }
    free(edges);
    return heap_text_of(&text);
}

static bool
grows(const struct heap_run *run, const struct index *indexes, const char *key)
{
    for (size_t i = 1; i < run->file_count; i++)
        if (count_in(&indexes[i], key) <= count_in(&indexes[i - 1], key))
            return false;
    return true;
}

static void
add_class(struct heap_run *run, struct table *t, const struct index *indexes,
    const struct named *item, const struct survivors *survivors)
{
    gbx_heap *last = run->heaps[run->file_count - 1];
    uint32_t class = item->row->class_index;
    char *name = heap_name(last, class, gbx_heap_class_name);
    uint64_t first = count_in(&indexes[0], item->key);

    if (name != NULL && !heap_is_wanted(run, name)) {
        free(name);
        return;
    }
    table_number(t, (int64_t)first);
    table_number(t, item->row->count);
    table_number(t, survivors->count[class]);
    table_number(t, (int64_t)item->row->retained);
    table_number(t, (int64_t)(item->row->retained / item->row->count *
                              (item->row->count - (uint32_t)first)));
    if (run->options.json) {
        table_text(t, name);
        table_text(t, path_text(last, survivors->node[class]));
        return;
    }
    char *path = path_text(last, survivors->node[class]);
    struct buf text = { .max = UINT32_MAX };
    buf_printf(&text, "%s%s%s", name == NULL ? "" : name,
        path == NULL || *path == '\0' ? "" : "  ", path == NULL ? "" : path);
    table_text(t, heap_text_of(&text));
    free(name);
    free(path);
}

int
heap_leaks(struct heap_run *run)
{
    static const struct column columns[] = { { "first", "first", COLUMN_COUNT },
        { "last", "last", COLUMN_COUNT }, { "survivors", "survivors", COLUMN_COUNT },
        { "retained", "retained", COLUMN_BYTES }, { "grown", "grown by about", COLUMN_BYTES },
        { "class", "class, and what keeps one of them", COLUMN_TEXT },
        { "path", "", COLUMN_TEXT } };
    struct table t = { .columns = columns,
        .column_count = run->options.json ? COUNT(columns) : COUNT(columns) - 1 };
    struct index *indexes = calloc(run->file_count, sizeof *indexes);
    struct survivors survivors = { NULL, NULL, NULL };
    bool ok = indexes != NULL && find_survivors(run, &survivors);
    int outcome;

    for (size_t i = 0; ok && i < run->file_count; i++)
        ok = index_make(run->heaps[i], &indexes[i]);
    const struct index *last = ok ? &indexes[run->file_count - 1] : NULL;
    for (uint32_t i = 0; ok && i < last->count; i++)
        if (grows(run, indexes, last->items[i].key) &&
            survivors.count[last->items[i].row->class_index] > 0)
            add_class(run, &t, indexes, &last->items[i], &survivors);
    t.failed |= !ok;
    if (run->options.sort == NULL)
        run->options.sort = "grown";
    outcome = table_print(&t, run);
    for (size_t i = 0; indexes != NULL && i < run->file_count; i++)
        index_done(&indexes[i]);
    free(indexes);
    free(survivors.count);
    free(survivors.node);
    free(survivors.most);
    return outcome;
}
