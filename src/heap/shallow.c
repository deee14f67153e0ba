/* shallow.c - backing stores count as part of what owns them.
 *
 * A hidden node, an array and the payload of an external string belong to the one other node from
 * which they are reached, perhaps by way of each other; its size then holds theirs. The owner is a
 * fixpoint of "none, one, many", so the order of visits does not matter.
 */
#include "heap/heap.h"

enum {
    NOBODY = -1,
    MANY = -2
};

bool
heap_is_ownable(const struct gbx_heap *h, uint32_t v)
{
    uint8_t type = h->node_type[v];

    return type == NODE_HIDDEN || type == NODE_ARRAY ||
           (type == NODE_NATIVE && span_is(heap_raw_name(h, v), "system / ExternalStringData"));
}

struct spread {
    const struct gbx_heap *h;
    uint32_t *owner, *stack;
    uint64_t *ownable; /* bits: in a core's cache while `owner` is not */
    size_t depth;
};

static void
spread_from(struct spread *s, uint32_t v)
{
    const struct gbx_heap *h = s->h;
    uint32_t owner = s->owner[v];

    for (uint32_t e = h->first_edge[v], end = h->first_edge[v + 1]; e < end; e++) {
        uint32_t to = h->edge_to[e];
        if (!bit_get(s->ownable, to) || h->edge_type[e] == EDGE_WEAK)
            continue;
        uint32_t other = s->owner[to];
        if (other == owner || other == (uint32_t)MANY)
            continue;
        s->owner[to] = other == (uint32_t)NOBODY ? owner : (uint32_t)MANY;
        s->stack[s->depth++] = to;
    }
}

bool
heap_move_shallow(struct gbx_heap *h)
{
    uint32_t n = h->node_count;
    /* A node is pushed when its owner changes, which is twice at most. */
    struct spread s = { .h = h };

    if (!heap_has_user_roots(h)) /* internals are exposed, and wanted as they are */
        return true;
    s.owner = memory_new(n, sizeof *s.owner);
    s.stack = memory_new_sparse((size_t)n * 2, sizeof *s.stack);
    s.ownable = memory_new(bit_words(n), sizeof *s.ownable);
    bool ok = s.owner != NULL && s.stack != NULL && s.ownable != NULL;
    for (uint32_t v = 0; ok && v < n; v++) {
        bool ownable = heap_is_ownable(h, v);
        s.owner[v] = ownable ? (uint32_t)NOBODY : v;
        if (ownable)
            bit_set(s.ownable, v);
    }
    for (uint32_t v = 0; ok && v < n; v++) {
        if (bit_get(s.ownable, v))
            continue;
        spread_from(&s, v);
        while (s.depth > 0)
            spread_from(&s, s.stack[--s.depth]);
    }
    for (uint32_t v = 0; ok && v < n; v++) {
        uint32_t owner = s.owner[v];
        if (owner == v || owner == (uint32_t)NOBODY || owner == (uint32_t)MANY || owner == 0 ||
            h->node_type[owner] == NODE_SYNTHETIC)
            continue;
        h->shallow[owner] += h->shallow[v];
        h->shallow[v] = 0;
    }
    memory_free(s.owner, n, sizeof *s.owner);
    memory_free(s.stack, (size_t)n * 2, sizeof *s.stack);
    memory_free(s.ownable, bit_words(n), sizeof *s.ownable);
    return ok;
}
