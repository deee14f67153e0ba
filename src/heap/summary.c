/* summary.c - DevTools' Summary: sums by class. */
#include "heap/heap.h"

#include <stdlib.h>

/* What a class retains: the sum over its nodes that are not behind another of its nodes in the
 * dominator tree. The walk goes into the tree's depth first; a class is open below a node of
 * it. */
static bool
sum_retained(const struct gbx_heap *h, gbx_heap_class *rows)
{
    uint32_t n = h->node_count;
    uint64_t *open = memory_new(bit_words(h->classes.count), sizeof *open);
    uint64_t *opener = memory_new(bit_words(n), sizeof *opener);
    /* Nodes to visit; one that is visited stays until what is behind it has been. */
    uint32_t *stack = memory_new((size_t)n, sizeof *stack);
    uint64_t *visited = memory_new(bit_words(n), sizeof *visited);
    bool ok = open != NULL && opener != NULL && stack != NULL && visited != NULL;
    size_t depth = 0;

    if (ok)
        stack[depth++] = 0;
    while (ok && depth > 0) {
        uint32_t v = stack[depth - 1], class = h->classes.of[v];
        if (bit_get(visited, v)) {
            if (bit_get(opener, v))
                bit_clear(open, class);
            depth--;
            continue;
        }
        bit_set(visited, v);
        uint32_t begin = h->first_child[v], end = h->first_child[v + 1];
        if (h->shallow[v] != 0 && !bit_get(open, class)) {
            rows[class].retained += h->retained[v];
            if (begin < end) {
                bit_set(open, class);
                bit_set(opener, v);
            }
        }
        if (begin == end)
            depth--;
        for (uint32_t i = begin; i < end; i++)
            stack[depth++] = h->child[i];
    }
    memory_free(open, bit_words(h->classes.count), sizeof *open);
    memory_free(opener, bit_words(n), sizeof *opener);
    memory_free(stack, (size_t)n, sizeof *stack);
    memory_free(visited, bit_words(n), sizeof *visited);
    return ok;
}

static int
compare_rows(const void *a, const void *b)
{
    const gbx_heap_class *x = a, *y = b;

    if (x->retained != y->retained)
        return x->retained > y->retained ? -1 : 1;
    return x->class_index < y->class_index ? -1 : x->class_index > y->class_index;
}

static uint32_t
keep_used(const struct gbx_heap *h, gbx_heap_class *rows)
{
    uint32_t used = 0;

    for (uint32_t i = 0; i < h->classes.count; i++) {
        const struct class *class = &h->classes.items[i];
        if (rows[i].count == 0)
            continue;
        gbx_heap_class row = rows[i];
        row.class_index = i;
        if (class->located) {
            row.script = class->script;
            row.line = class->line + 1;
            row.column = class->column + 1;
        }
        rows[used++] = row;
    }
    return used;
}

gbx_status
gbx_heap_summary(gbx_heap *h, const gbx_heap_class **out_rows, uint32_t *out_count)
{
    if (h->summary == NULL) {
        gbx_heap_class *rows = calloc((size_t)h->classes.count + 1, sizeof *rows);
        if (rows == NULL || !heap_need_children(h) || !sum_retained(h, rows)) {
            free(rows);
            return GBX_ENOMEM;
        }
        for (uint32_t v = 0; v < h->node_count; v++) {
            gbx_heap_class *row = &rows[h->classes.of[v]];
            if (h->shallow[v] == 0)
                continue;
            if (row->count == 0 || h->distance[v] < row->distance)
                row->distance = h->distance[v];
            row->count++;
            row->shallow += h->shallow[v];
        }
        h->summary_count = keep_used(h, rows);
        qsort(rows, h->summary_count, sizeof *rows, compare_rows);
        h->summary = rows;
    }
    *out_rows = h->summary;
    *out_count = h->summary_count;
    return GBX_OK;
}
