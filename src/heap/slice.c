/* slice.c - a part of a heap as a snapshot of its own. */
#include "base/error.h"
#include "heap/write.h"

#include <glovebox/heap_write.h>

struct slice {
    gbx_heap *h;
    uint32_t *number_of; /* by node; while they are gathered, 1: it is part */
    uint32_t *nodes;     /* as they are found */
    uint32_t count;
    uint32_t retained; /* that many of them first */
    uint64_t *above;   /* bits by node: a path from a root to it is part */
};

static void
take(struct slice *s, uint32_t v)
{
    if (s->number_of[v] != 0)
        return;
    s->number_of[v] = 1;
    s->nodes[s->count++] = v;
}

static void
take_retained(struct slice *s, uint32_t node)
{
    const struct gbx_heap *h = s->h;
    uint32_t at = s->count;

    take(s, node);
    for (; at < s->count; at++)
        for (uint32_t i = h->first_child[s->nodes[at]]; i < h->first_child[s->nodes[at] + 1];
             i++)
            take(s, h->child[i]);
}

static void
take_reached(struct slice *s, uint32_t node, uint32_t depth)
{
    const struct gbx_heap *h = s->h;
    uint32_t at = s->count;

    take(s, node);
    for (uint32_t end = s->count; depth > 0 && at < end; depth--, end = s->count)
        for (; at < end; at++) {
            uint32_t v = s->nodes[at];
            for (uint32_t e = h->first_edge[v]; e < h->first_edge[v + 1]; e++)
                if (h->edge_type[e] != EDGE_WEAK && h->edge_type[e] != EDGE_INVISIBLE)
                    take(s, h->edge_to[e]);
        }
}

/* A shortest path to a node, as far as it is not part yet. */
static void
take_above(struct slice *s, uint32_t v)
{
    while (v != 0 && !bit_get(s->above, v)) {
        bit_set(s->above, v);
        take(s, v);
        uint32_t e = heap_nearest_retainer(s->h, v);
        v = e == UINT32_MAX ? 0 : s->h->edge_from[e];
    }
}

/* A WeakMap's value is reached when both key and table are. */
static void
take_pairs(struct slice *s)
{
    const struct gbx_heap *h = s->h;

    for (uint32_t at = 0; at < s->count; at++) {
        uint32_t v = s->nodes[at];
        for (uint32_t i = h->first_retainer[v]; i < h->first_retainer[v + 1]; i++) {
            uint32_t e = h->retainer[i];
            if (heap_pair_of(h, e) != 0)
                take_above(s, h->edge_from[e]);
        }
    }
}

static void
take_owners_of(struct slice *s, uint32_t v)
{
    const struct gbx_heap *h = s->h;

    if (!heap_is_ownable(h, v))
        return;
    for (uint32_t i = h->first_retainer[v]; i < h->first_retainer[v + 1]; i++)
        if (h->edge_type[h->retainer[i]] != EDGE_WEAK)
            take(s, h->edge_from[h->retainer[i]]);
}

/* A backing store that others than the node's own reach as well, by edges that do not count for
 * dominators, is nobody's; without them it would be of who is left. */
static void
take_owners(struct slice *s)
{
    uint32_t at = s->count;

    for (uint32_t i = 0; i < s->retained; i++)
        take_owners_of(s, s->nodes[i]);
    for (; at < s->count; at++)
        take_owners_of(s, s->nodes[at]);
}

/* What leads to the node, and what tells the program's own from V8's. */
static void
take_roots(struct slice *s, uint32_t node, uint32_t depth)
{
    const struct gbx_heap *h = s->h;

    take(s, 0);
    for (uint32_t e = h->first_edge[0]; e < h->first_edge[1]; e++)
        if (heap_is_user_root(h, h->edge_to[e]))
            take(s, h->edge_to[e]);
    take_above(s, node);
    if (depth == 0) {
        take_owners(s);
        /* As a rule by way of the node; a shortcut from elsewhere may be shorter. */
        for (uint32_t i = 0; i < s->retained; i++)
            take_above(s, s->nodes[i]);
    }
    take_pairs(s);
}

static bool
gather(struct slice *s, uint32_t node, uint32_t depth)
{
    uint32_t n = s->h->node_count, at = 0;

    s->number_of = memory_new(n, sizeof *s->number_of);
    s->nodes = memory_new(n, sizeof *s->nodes);
    s->above = memory_new(bit_words(n), sizeof *s->above);
    if (s->number_of == NULL || s->nodes == NULL || s->above == NULL ||
        !heap_need_children(s->h) || !heap_need_retainers(s->h))
        return false;
    if (depth == 0)
        take_retained(s, node);
    else
        take_reached(s, node, depth);
    s->retained = s->count;
    take_roots(s, node, depth);
    for (uint32_t v = 0; v < n; v++)
        if (s->number_of[v] != 0) {
            s->nodes[at++] = v;
            s->number_of[v] = at;
        }
    return true;
}

gbx_status
gbx_heap_slice(gbx_heap *h, uint32_t node, uint32_t depth, int32_t to,
    const gbx_heap_options *options, gbx_error *error)
{
    struct slice s = { .h = h };
    gbx_heap_options own;
    gbx_status status = heap_read_options(&own, options, GBX_HEAP_PACKED, error);

    if (status == GBX_OK && node >= h->node_count)
        status = fail(error, GBX_EINVAL, "there is no node %u", node);
    if (status != GBX_OK)
        return status;
    if (gather(&s, node, depth)) {
        struct heap_part part = {
            .nodes = s.nodes, .node_count = s.count, .number_of = s.number_of
        };
        status = heap_write(h, &part, to, &own, error);
    } else {
        status = fail(error, GBX_ENOMEM, "out of memory");
    }
    memory_free(s.number_of, h->node_count, sizeof *s.number_of);
    memory_free(s.nodes, h->node_count, sizeof *s.nodes);
    memory_free(s.above, bit_words(h->node_count), sizeof *s.above);
    return status;
}
