/* contexts.c - which native context, that is which global object, a node belongs to.
 *
 * An object's map has a map, which names the context. What has none inherits along edges;
 * reached from two contexts, it is shared. That is a fixpoint, so the order does not matter. /
 */
#include "heap/heap.h"

static bool
is_native_context(struct span name)
{
    static const char text[] = "system / NativeContext", more[] = "system / NativeContext / ";

    if (span_starts(name, "Detached "))
        name = span_of(name.p + 9, name.len - 9);
    return span_is(name, text) || span_starts(name, more);
}

struct spread {
    struct gbx_heap *h;
    uint64_t *contexts; /* bits: native contexts */
    uint64_t *fixed;    /* bits */
    int32_t *of_map;    /* by node, as a map: the context of its objects + 1; 0: not looked */
    uint32_t *stack;
    uint32_t map, native_context; /* strings */
};

/* The context of the objects of this map. */
static int32_t
context_of_map(struct spread *s, uint32_t map)
{
    const struct gbx_heap *h = s->h;

    if (s->of_map[map] != 0)
        return s->of_map[map] > 0 ? s->of_map[map] - 1 : NO_CONTEXT;
    int64_t meta = heap_internal_target(h, map, s->map);
    int32_t found = NO_CONTEXT;
    for (uint32_t e = meta < 0 ? 0 : h->first_edge[meta];
         meta >= 0 && e < h->first_edge[meta + 1] && found == NO_CONTEXT; e++)
        if (h->edge_name[e] == s->native_context && h->edge_type[e] == EDGE_INTERNAL &&
            bit_get(s->contexts, h->edge_to[e]))
            found = (int32_t)h->edge_to[e];
    s->of_map[map] = found == NO_CONTEXT ? -1 : found + 1;
    return found;
}

static void
spread_on(struct spread *s, size_t depth)
{
    struct gbx_heap *h = s->h;

    while (depth > 0) {
        uint32_t v = s->stack[--depth];
        int32_t own = h->context[v];
        for (uint32_t e = h->first_edge[v], end = h->first_edge[v + 1]; e < end; e++) {
            uint32_t to = h->edge_to[e];
            if (bit_get(s->fixed, to))
                continue;
            int32_t other = h->context[to];
            if (other == own || other == SHARED_CONTEXT || h->edge_type[e] == EDGE_WEAK ||
                h->edge_type[e] == EDGE_SHORTCUT)
                continue;
            h->context[to] = other == NO_CONTEXT ? own : SHARED_CONTEXT;
            s->stack[depth++] = to;
        }
    }
}

static void
attribute(struct spread *s)
{
    struct gbx_heap *h = s->h;
    size_t depth = 0;

    for (uint32_t v = 0; v < h->node_count; v++)
        if (is_native_context(heap_raw_name(h, v)))
            bit_set(s->contexts, v);
    for (uint32_t v = 0; v < h->node_count; v++) {
        int32_t found = NO_CONTEXT;
        if (bit_get(s->contexts, v)) {
            found = (int32_t)v;
        } else {
            int64_t map = heap_internal_target(h, v, s->map);
            if (map >= 0)
                found = context_of_map(s, (uint32_t)map);
        }
        h->context[v] = found;
        if (found >= 0)
            bit_set(s->fixed, v);
    }
    /* One by one, so that the stack holds no more than what changes: each node twice at most. */
    for (uint32_t v = 0; v < h->node_count; v++)
        if (bit_get(s->fixed, v)) {
            s->stack[depth++] = v;
            spread_on(s, depth);
            depth = 0;
        }
}

bool
heap_attribute_contexts(struct gbx_heap *h)
{
    uint32_t n = h->node_count;
    struct spread s = { .h = h };

    h->context = memory_new(n, sizeof *h->context);
    s.contexts = memory_new(bit_words(n), sizeof *s.contexts);
    s.fixed = memory_new(bit_words(n), sizeof *s.fixed);
    s.of_map = memory_new_sparse(n, sizeof *s.of_map);
    s.stack = memory_new_sparse((size_t)n * 2 + 1, sizeof *s.stack);
    bool ok = h->context != NULL && s.contexts != NULL && s.fixed != NULL && s.of_map != NULL &&
              s.stack != NULL;
    if (ok) {
        s.map = heap_find_string(h, "map");
        s.native_context = heap_find_string(h, "native_context");
        attribute(&s);
    }
    memory_free(s.contexts, bit_words(n), sizeof *s.contexts);
    memory_free(s.fixed, bit_words(n), sizeof *s.fixed);
    memory_free(s.of_map, n, sizeof *s.of_map);
    memory_free(s.stack, (size_t)n * 2 + 1, sizeof *s.stack);
    return ok;
}
