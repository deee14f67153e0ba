/* large.c - the strings that hold most. */
#include "heap/heap.h"

#include <stdlib.h>

static bool
is_text(const struct gbx_heap *h, uint32_t v)
{
    uint8_t type = h->node_type[v];

    return type == NODE_STRING || type == NODE_CONS || type == NODE_SLICED;
}

/* Whether `a` comes before `b`. */
static bool
is_larger(const struct gbx_heap *h, uint32_t a, uint32_t b)
{
    return h->retained[a] != h->retained[b] ? h->retained[a] > h->retained[b] : a < b;
}

static int
compare_nodes(const void *a, const void *b, void *data)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x == y ? 0 : is_larger(data, x, y) ? -1 : 1;
}

/* The smallest of those that are kept is the first, so that a larger one takes its place. */
static void
sift_down(const struct gbx_heap *h, uint32_t *nodes, size_t count, size_t at)
{
    for (;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++)
            if (is_larger(h, nodes[least], nodes[child]))
                least = child;
        if (least == at)
            return;
        uint32_t swap = nodes[at];
        nodes[at] = nodes[least];
        nodes[least] = swap;
        at = least;
    }
}

/* What is part of one other text only is told with that. */
static bool
is_wanted(const struct gbx_heap *h, uint32_t v)
{
    return is_text(h, v) && h->retained[v] != 0 && !is_text(h, h->dominator[v]);
}

gbx_status
gbx_heap_large_strings(
    const gbx_heap *h, uint32_t most, uint32_t **out_nodes, uint32_t *out_count)
{
    uint32_t all = 0, count = 0;

    for (uint32_t v = 0; v < h->node_count; v++)
        all += is_wanted(h, v);
    if (most == 0 || most > all)
        most = all;
    uint32_t *nodes = most == 0 ? NULL : malloc(most * sizeof *nodes);
    if (most > 0 && nodes == NULL)
        return GBX_ENOMEM;
    for (uint32_t v = 0; v < h->node_count && most > 0; v++) {
        if (!is_wanted(h, v))
            continue;
        if (count < most) {
            nodes[count++] = v;
            for (size_t i = most / 2; count == most && i-- > 0;)
                sift_down(h, nodes, count, i);
        } else if (is_larger(h, v, nodes[0])) {
            nodes[0] = v;
            sift_down(h, nodes, count, 0);
        }
    }
    if (count > 0)
        qsort_r(nodes, count, sizeof *nodes, compare_nodes, (void *)(uintptr_t)h);
    *out_nodes = nodes;
    *out_count = count;
    return GBX_OK;
}
