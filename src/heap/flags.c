/* flags.c - which nodes belong to the page. */
#include "heap/heap.h"

bool
heap_is_user_root(const struct gbx_heap *h, uint32_t node)
{
    return h->node_type[node] != NODE_SYNTHETIC ||
           span_is(heap_raw_name(h, node), "(Document DOM trees)");
}

bool
heap_has_user_roots(const struct gbx_heap *h)
{
    for (uint32_t e = h->first_edge[0]; e < h->first_edge[1]; e++)
        if (heap_is_user_root(h, h->edge_to[e]))
            return true;
    return false;
}

/* The page's own are reached from the globals, which the root's shortcuts are, and from DOM
 * trees. */
static bool
starts_page(const struct gbx_heap *h, uint32_t edge)
{
    uint32_t node = h->edge_to[edge];

    if (h->edge_type[edge] == EDGE_ELEMENT)
        return h->node_type[node] == NODE_SYNTHETIC &&
               span_is(heap_raw_name(h, node), "(Document DOM trees)");
    return h->edge_type[edge] == EDGE_SHORTCUT;
}

bool
heap_begin_page_owned(struct gbx_heap *h)
{
    h->page_owned = memory_new(bit_words(h->node_count), sizeof *h->page_owned);
    if (h->page_owned == NULL)
        return false;
    for (uint32_t e = h->first_edge[0]; e < h->first_edge[1]; e++)
        if (starts_page(h, e))
            bit_set(h->page_owned, h->edge_to[e]);
    return true;
}

bool
heap_mark_page_owned(struct gbx_heap *h)
{
    uint64_t *owned = h->page_owned;
    uint32_t *stack = memory_new(h->node_count, sizeof *stack);
    size_t n = 0;

    if (stack == NULL)
        return false;
    for (uint32_t e = h->first_edge[0]; e < h->first_edge[1]; e++)
        if (bit_get(owned, h->edge_to[e])) {
            bit_clear(owned, h->edge_to[e]); /* so that it is taken once */
            stack[n++] = h->edge_to[e];
        }
    for (size_t i = 0; i < n; i++)
        bit_set(owned, stack[i]);
    while (n > 0) {
        uint32_t v = stack[--n];
        if (n > 4) {
            __builtin_prefetch(&h->first_edge[stack[n - 4]]);
            uint32_t soon = h->first_edge[stack[n - 2]];
            __builtin_prefetch(&h->edge_to[soon]);
            __builtin_prefetch(&h->edge_type[soon]);
        }
        for (uint32_t e = h->first_edge[v], end = h->first_edge[v + 1]; e < end; e++) {
            uint32_t to = h->edge_to[e];
            if (bit_get(owned, to) || h->edge_type[e] == EDGE_WEAK)
                continue;
            bit_set(owned, to);
            stack[n++] = to;
        }
    }
    memory_free(stack, h->node_count, sizeof *stack);
    return true;
}
