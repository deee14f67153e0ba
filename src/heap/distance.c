/* distance.c - how many edges a node is from the roots, breadth first.
 *
 * First from the user's roots, which are 1; what is left, from the root itself, which is then
 * SYSTEM_DISTANCE. Some edges are passed over: see follows().
 */
#include "heap/heap.h"

struct walk {
    const struct gbx_heap *h;
    int32_t *distance;
    uint64_t *visited;
    uint64_t *pending; /* bits: pairs of which one edge was passed over */
    uint32_t *queue;
    uint32_t head, tail;
    uint32_t descriptors; /* the string "(map descriptors)", or NO_STRING */
    uint32_t native_context;
};

/* parseInt(name, 10): false if that is NaN. */
static bool
parse_int(struct span name, int64_t *out)
{
    size_t i = 0;
    bool minus = false;
    int64_t n = 0;

    while (i < name.len && (name.p[i] == ' ' || (name.p[i] >= '\t' && name.p[i] <= '\r')))
        i++;
    if (i < name.len && (name.p[i] == '-' || name.p[i] == '+'))
        minus = name.p[i++] == '-';
    size_t digits = i;
    for (; i < name.len && (uint32_t)name.p[i] - '0' < 10; i++)
        if (n < INT64_MAX / 100)
            n = n * 10 + (name.p[i] - '0');
    *out = minus ? -n : n;
    return i > digits;
}

/* Maps share their descriptors, so a link from there may be another map's. */
static bool
follows_descriptor(const struct gbx_heap *h, uint32_t edge)
{
    int64_t index = h->edge_name[edge];

    if (edge_is_named(h->edge_type[edge]) &&
        !parse_int(heap_string(h, h->edge_name[edge]), &index))
        return true;
    return index < 2 || index % 3 != 1;
}

/* Of a WeakMap's two edges to a value, the second one that is come by counts: so the value is
 * as far as the farther of key and table. */
static bool
follows_pair(struct walk *w, uint32_t pair)
{
    if (bit_get(w->pending, pair)) {
        bit_clear(w->pending, pair);
        return true;
    }
    bit_set(w->pending, pair);
    return false;
}

static bool
follows(struct walk *w, uint32_t from, uint32_t edge)
{
    const struct gbx_heap *h = w->h;
    uint8_t type = h->edge_type[edge];
    uint32_t name = h->node_name[from];

    if (name == w->native_context && h->node_type[from] == NODE_HIDDEN && edge_is_named(type) &&
        span_is(heap_string(h, h->edge_name[edge]), "sloppy_function_map"))
        return false;
    if (name == w->descriptors && h->node_type[from] == NODE_ARRAY)
        return follows_descriptor(h, edge);
    uint32_t pair = heap_pair_of(h, edge);
    return pair == 0 || follows_pair(w, pair);
}

static void
reach(struct walk *w, uint32_t node, int32_t distance)
{
    w->distance[node] = distance;
    bit_set(w->visited, node);
    w->queue[w->tail++] = node;
}

static void
walk_on(struct walk *w)
{
    const struct gbx_heap *h = w->h;

    while (w->head < w->tail) {
        uint32_t v = w->queue[w->head++];
        if (w->head + 8 < w->tail) {
            __builtin_prefetch(&h->first_edge[w->queue[w->head + 7]]);
            uint32_t soon = h->first_edge[w->queue[w->head + 3]];
            __builtin_prefetch(&h->edge_to[soon]);
            __builtin_prefetch(&h->edge_type[soon]);
        }
        for (uint32_t e = h->first_edge[v], end = h->first_edge[v + 1]; e < end; e++) {
            uint32_t to = h->edge_to[e];
            if (bit_get(w->visited, to) || h->edge_type[e] == EDGE_WEAK || !follows(w, v, e))
                continue;
            reach(w, to, w->distance[v] + 1);
        }
    }
}

bool
heap_measure_distances(struct gbx_heap *h)
{
    uint32_t n = h->node_count;
    size_t room = (size_t)n + h->first_edge[1] + 1;
    struct walk w = { .h = h };

    w.distance = h->distance = memory_new(n, sizeof *h->distance);
    w.visited = memory_new(bit_words(n), sizeof *w.visited);
    w.pending = memory_new(bit_words((size_t)h->pairs.count + 1), sizeof *w.pending);
    w.queue = memory_new(room, sizeof *w.queue);
    bool ok = w.distance != NULL && w.visited != NULL && w.pending != NULL && w.queue != NULL;
    if (ok) {
        w.native_context = heap_find_string(h, "system / NativeContext");
        w.descriptors = heap_find_string(h, "(map descriptors)");
        for (uint32_t v = 0; v < n; v++)
            w.distance[v] = NO_DISTANCE;
        for (uint32_t e = h->first_edge[0]; e < h->first_edge[1]; e++)
            if (heap_is_user_root(h, h->edge_to[e])) /* twice, if there are two edges */
                reach(&w, h->edge_to[e], 1);
        bool users = w.tail > 0;
        walk_on(&w);
        w.head = w.tail = 0;
        reach(&w, 0, users ? SYSTEM_DISTANCE : 0);
        walk_on(&w);
    }
    memory_free(w.visited, bit_words(n), sizeof *w.visited);
    memory_free(w.pending, bit_words((size_t)h->pairs.count + 1), sizeof *w.pending);
    memory_free(w.queue, room, sizeof *w.queue);
    return ok;
}
