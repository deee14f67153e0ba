/* retainers.c - the graph against its direction: made when first asked for. */
#include "heap/heap.h"
#include "heap/order.h"

#include <stdlib.h>

bool
heap_need_retainers(struct gbx_heap *h)
{
    uint32_t n = h->node_count, edges = h->edge_count;

    if (h->retainer != NULL)
        return true;
    uint32_t *first = memory_new((size_t)n + 2, sizeof *first);
    uint32_t *retainer = memory_new((size_t)edges + 1, sizeof *retainer);
    uint32_t *from = memory_new((size_t)edges + 1, sizeof *from);
    if (first == NULL || retainer == NULL || from == NULL) {
        memory_free(first, (size_t)n + 2, sizeof *first);
        memory_free(retainer, (size_t)edges + 1, sizeof *retainer);
        memory_free(from, (size_t)edges + 1, sizeof *from);
        return false;
    }
    /* Counted one place further on, so that filling moves each to its own beginning's successor. */
    for (uint32_t e = 0; e < edges; e++)
        first[h->edge_to[e] + 2]++;
    for (size_t v = 2; v < (size_t)n + 2; v++)
        first[v] += first[v - 1];
    for (uint32_t v = 0; v < n; v++)
        for (uint32_t e = h->first_edge[v]; e < h->first_edge[v + 1]; e++) {
            from[e] = v;
            retainer[first[h->edge_to[e] + 1]++] = e;
        }
    h->first_retainer = first;
    h->retainer = retainer;
    h->edge_from = from;
    return true;
}

static int
compare_retained(const void *a, const void *b, void *data)
{
    const struct gbx_heap *h = data;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    if (h->retained[x] != h->retained[y])
        return h->retained[x] > h->retained[y] ? -1 : 1;
    return x < y ? -1 : x > y;
}

bool
heap_need_children(struct gbx_heap *h)
{
    uint32_t n = h->node_count;

    if (h->child != NULL)
        return true;
    uint32_t *first = memory_new((size_t)n + 2, sizeof *first);
    uint32_t *child = memory_new((size_t)n, sizeof *child);
    if (first == NULL || child == NULL) {
        memory_free(first, (size_t)n + 2, sizeof *first);
        memory_free(child, (size_t)n, sizeof *child);
        return false;
    }
    for (uint32_t v = 1; v < n; v++)
        first[h->dominator[v] + 2]++;
    for (size_t v = 2; v < (size_t)n + 2; v++)
        first[v] += first[v - 1];
    for (uint32_t v = 1; v < n; v++)
        child[first[h->dominator[v] + 1]++] = v;
    h->first_child = first;
    h->child = child;
    return true;
}

bool
heap_need_ids(struct gbx_heap *h)
{
    uint32_t n = h->node_count;

    if (h->by_id != NULL)
        return true;
    struct ordered *order = memory_new(n, sizeof *order);
    uint32_t *by_id = memory_new(n, sizeof *by_id);
    for (uint32_t v = 0; order != NULL && v < n; v++)
        order[v] = (struct ordered){ h->node_id[v], v };
    bool ok = order != NULL && by_id != NULL && order_by_key(order, n);
    for (uint32_t i = 0; ok && i < n; i++)
        by_id[i] = order[i].at;
    memory_free(order, n, sizeof *order);
    if (ok)
        h->by_id = by_id;
    else
        memory_free(by_id, n, sizeof *by_id);
    return ok;
}

void
heap_forget_answers(struct gbx_heap *h)
{
    uint32_t n = h->node_count, edges = h->edge_count;

    memory_free(h->first_retainer, (size_t)n + 2, sizeof *h->first_retainer);
    memory_free(h->retainer, (size_t)edges + 1, sizeof *h->retainer);
    memory_free(h->edge_from, (size_t)edges + 1, sizeof *h->edge_from);
    memory_free(h->first_child, (size_t)n + 2, sizeof *h->first_child);
    memory_free(h->child, n, sizeof *h->child);
    memory_free(h->sorted, bit_words(n), sizeof *h->sorted);
    memory_free(h->by_id, n, sizeof *h->by_id);
    free(h->summary);
}

/* --- answers ---------------------------------------------------------------------------- */

gbx_status
gbx_heap_retainers(gbx_heap *h, uint32_t node, const uint32_t **out_edges, uint32_t *out_count)
{
    if (node >= h->node_count)
        return GBX_EINVAL;
    if (!heap_need_retainers(h))
        return GBX_ENOMEM;
    *out_edges = h->retainer + h->first_retainer[node];
    *out_count = h->first_retainer[node + 1] - h->first_retainer[node];
    return GBX_OK;
}

gbx_status
gbx_heap_dominated(gbx_heap *h, uint32_t node, const uint32_t **out_nodes, uint32_t *out_count)
{
    if (node >= h->node_count)
        return GBX_EINVAL;
    if (h->sorted == NULL)
        h->sorted = memory_new(bit_words(h->node_count), sizeof *h->sorted);
    if (h->sorted == NULL || !heap_need_children(h))
        return GBX_ENOMEM;
    uint32_t *children = h->child + h->first_child[node];
    uint32_t count = h->first_child[node + 1] - h->first_child[node];
    if (!bit_get(h->sorted, node) && count > 1)
        qsort_r(children, count, sizeof *children, compare_retained, h);
    bit_set(h->sorted, node);
    *out_nodes = children;
    *out_count = count;
    return GBX_OK;
}

gbx_status
gbx_heap_find(gbx_heap *h, uint32_t id, uint32_t *out_node)
{
    uint32_t low = 0, high = h->node_count;

    if (!heap_need_ids(h))
        return GBX_ENOMEM;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (h->node_id[h->by_id[middle]] < id)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == h->node_count || h->node_id[h->by_id[low]] != id)
        return GBX_EINVAL;
    *out_node = h->by_id[low];
    return GBX_OK;
}

uint32_t
heap_nearest_retainer(const struct gbx_heap *h, uint32_t node)
{
    uint32_t best = UINT32_MAX;

    for (uint32_t i = h->first_retainer[node]; i < h->first_retainer[node + 1]; i++) {
        uint32_t e = h->retainer[i], from = h->edge_from[e];
        if (h->edge_type[e] == EDGE_WEAK || h->distance[from] == NO_DISTANCE || from == node)
            continue;
        if (from == 0 && h->edge_type[e] != EDGE_SHORTCUT &&
            h->distance[node] < SYSTEM_DISTANCE)
            continue; /* its user root is nearer than the root itself */
        if (best == UINT32_MAX || h->distance[from] < h->distance[h->edge_from[best]])
            best = e;
    }
    return best;
}

gbx_status
gbx_heap_path(gbx_heap *h, uint32_t node, uint32_t **out_edges, uint32_t *out_count)
{
    uint32_t count = 0, *edges = NULL;

    if (node >= h->node_count)
        return GBX_EINVAL;
    if (!heap_need_retainers(h))
        return GBX_ENOMEM;
    uint64_t *seen = memory_new(bit_words(h->node_count), sizeof *seen);
    bool ok = seen != NULL;
    /* A WeakMap's value is farther than its nearest retainer, and a cycle of those is possible. */
    for (uint32_t v = node; ok && v != 0 && h->distance[v] != 1 && !bit_get(seen, v);) {
        bit_set(seen, v);
        uint32_t e = heap_nearest_retainer(h, v);
        if (e == UINT32_MAX)
            break;
        if ((count & (count + 1)) == 0) {
            uint32_t *more = realloc(edges, ((size_t)count * 2 + 2) * sizeof *more);
            ok = more != NULL;
            edges = ok ? more : edges;
        }
        if (ok)
            edges[count++] = e;
        v = h->edge_from[e];
    }
    memory_free(seen, bit_words(h->node_count), sizeof *seen);
    if (!ok) {
        free(edges);
        return GBX_ENOMEM;
    }
    for (uint32_t i = 0; i < count / 2; i++) {
        uint32_t swap = edges[i];
        edges[i] = edges[count - 1 - i];
        edges[count - 1 - i] = swap;
    }
    *out_edges = edges;
    *out_count = count;
    return GBX_OK;
}
