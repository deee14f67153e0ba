/* dominators.c - what keeps a node alive alone, and how much dies with it.
 *
 * Semi-NCA (Georgiadis): depth-first numbers, semidominators with path compression, and then
 * for each node the nearest ancestor in the tree that is not behind its semidominator. Over
 * essential edges, and from the root to every node that has none coming in. /
 */
#include "heap/heap.h"

struct graph {
    const struct gbx_heap *h;
    uint64_t *essential; /* bits by edge */
    uint64_t *entered;   /* bits by node: an essential edge comes in */
    /* By number, from 1. */
    uint32_t *node, *parent;
    uint32_t count;
    uint32_t *number; /* by node; 0: not reached */
    /* By number: the numbers of those with an edge to it, but for its parent in the tree. */
    uint32_t *first_from, *from;
    uint32_t *semi, *label;
};

static size_t
numbers_of(const struct graph *g)
{
    return (size_t)g->h->node_count + 3;
}

static bool
mark_essential(struct graph *g)
{
    const struct gbx_heap *h = g->h;

    g->essential = memory_new(bit_words(h->edge_count), sizeof *g->essential);
    g->entered = memory_new(bit_words(h->node_count), sizeof *g->entered);
    if (g->essential == NULL || g->entered == NULL)
        return false;
    for (uint32_t v = 0; v < h->node_count; v++)
        for (uint32_t e = h->first_edge[v], end = h->first_edge[v + 1]; e < end; e++)
            if (heap_is_essential(h, v, e)) {
                bit_set(g->essential, e);
                bit_set(g->entered, h->edge_to[e]);
            }
    return true;
}

/* Numbers `start` and what is reached from it. `next` is by number: the edge to look at next. */
static void
walk_from(struct graph *g, uint32_t start, uint32_t *next)
{
    const struct gbx_heap *h = g->h;
    uint32_t first = ++g->count, at = first, end = h->first_edge[start + 1];

    g->number[start] = first;
    g->node[first] = start;
    g->parent[first] = start == 0 ? 0 : 1;
    next[first] = h->first_edge[start];
    for (;;) {
        uint32_t e = next[at];
        while (e < end && (g->number[h->edge_to[e]] != 0 || !bit_get(g->essential, e)))
            e++;
        if (e == end) {
            if (at == first)
                return;
            at = g->parent[at];
            end = h->first_edge[g->node[at] + 1];
            continue;
        }
        uint32_t to = h->edge_to[e];
        next[at] = e + 1;
        g->parent[++g->count] = at;
        at = g->count;
        g->number[to] = at;
        g->node[at] = to;
        next[at] = h->first_edge[to];
        end = h->first_edge[to + 1];
        __builtin_prefetch(&h->edge_to[next[at]]);
    }
}

static bool
number_nodes(struct graph *g)
{
    uint32_t n = g->h->node_count;
    uint32_t *next = memory_new(numbers_of(g), sizeof *next);

    g->number = memory_new(n, sizeof *g->number);
    g->node = memory_new(numbers_of(g), sizeof *g->node);
    g->parent = memory_new(numbers_of(g), sizeof *g->parent);
    bool ok = next != NULL && g->number != NULL && g->node != NULL && g->parent != NULL;
    for (uint32_t v = 0; ok && v < n; v++)
        if (v == 0 || (!bit_get(g->entered, v) && g->number[v] == 0))
            walk_from(g, v, next);
    memory_free(next, numbers_of(g), sizeof *next);
    return ok;
}

/* What the loop over edges will touch, some nodes ahead. */
static void
prefetch_targets(const struct graph *g, uint32_t i)
{
    const struct gbx_heap *h = g->h;

    if (i + 12 > g->count)
        return;
    __builtin_prefetch(&h->first_edge[g->node[i + 12]]);
    uint32_t e = h->first_edge[g->node[i + 6]];
    __builtin_prefetch(&h->edge_to[e]);
    __builtin_prefetch(&g->essential[e >> 6]);
    uint32_t soon = g->node[i + 3], end = h->first_edge[soon + 1];
    e = h->first_edge[soon];
    if (end - e > 6)
        end = e + 6;
    for (; e < end; e++)
        __builtin_prefetch(&g->number[h->edge_to[e]]);
}

/* The edges in the order of their sources' numbers, as numbers of targets; counts them by target.
 * Edges of the tree are left out: a parent is where each semidominator begins. */
static uint32_t
list_targets(struct graph *g, uint32_t *targets, uint32_t *end_of)
{
    const struct gbx_heap *h = g->h;
    uint32_t m = 0;

    for (uint32_t i = 1; i <= g->count; i++) {
        uint32_t v = g->node[i];
        prefetch_targets(g, i);
        for (uint32_t e = h->first_edge[v], end = h->first_edge[v + 1]; e < end; e++) {
            if (!bit_get(g->essential, e))
                continue;
            uint32_t to = g->number[h->edge_to[e]];
            if (g->parent[to] == i)
                continue;
            targets[m++] = to;
            g->first_from[to]++;
        }
        end_of[i] = m;
    }
    return m;
}

static bool
list_sources(struct graph *g)
{
    uint32_t edges = g->h->edge_count;
    uint32_t *targets = memory_new((size_t)edges + 1, sizeof *targets);
    uint32_t *end_of = memory_new(numbers_of(g), sizeof *end_of);

    g->first_from = memory_new(numbers_of(g), sizeof *g->first_from);
    g->from = memory_new((size_t)edges + 1, sizeof *g->from);
    bool ok = targets != NULL && end_of != NULL && g->first_from != NULL && g->from != NULL;
    if (ok) {
        (void)list_targets(g, targets, end_of);
        uint32_t sum = 0;
        for (uint32_t i = 0; i <= g->count + 1; i++) {
            uint32_t own = g->first_from[i];
            g->first_from[i] = sum;
            sum += own;
        }
        for (uint32_t i = 1; i <= g->count; i++)
            for (uint32_t k = end_of[i - 1]; k < end_of[i]; k++)
                g->from[g->first_from[targets[k]]++] = i;
        /* Each has moved to where the next one began. */
        memmove(g->first_from + 1, g->first_from, (size_t)(g->count + 1) * sizeof sum);
        g->first_from[0] = 0;
    }
    memory_free(targets, (size_t)edges + 1, sizeof *targets);
    memory_free(end_of, numbers_of(g), sizeof *end_of);
    return ok;
}

/* The least label between `v` and the last number that is not above `w`, whose ancestors are
 * linked; makes the path short. `parent` holds the links. */
static uint32_t
least_label(struct graph *g, uint32_t v, uint32_t w, uint32_t *path)
{
    uint32_t x = v, depth = 0;

    while (g->parent[x] > w) {
        path[depth++] = x;
        x = g->parent[x];
    }
    for (uint32_t above = x; depth > 0; above = x) {
        x = path[--depth];
        if (g->label[above] < g->label[x])
            g->label[x] = g->label[above];
        g->parent[x] = g->parent[above];
    }
    return g->label[v];
}

/* Into `dominator`, by number. `path` is room for a path through the tree. */
static void
find_semidominators(struct graph *g, uint32_t *dominator, uint32_t *path)
{
    for (uint32_t i = 1; i <= g->count; i++)
        g->label[i] = i;
    dominator[1] = 1;
    for (uint32_t w = g->count; w >= 2; w--) {
        uint32_t begin = g->first_from[w], end = g->first_from[w + 1];
        uint32_t least = g->parent[w];
        dominator[w] = least; /* of a linked node, parent is a link and no longer that */
        for (uint32_t k = begin; k < end; k++) {
            uint32_t v = g->from[k];
            uint32_t label = v <= w ? v : least_label(g, v, w, path);
            if (label < least)
                least = label;
        }
        g->label[w] = g->semi[w] = least;
    }
    for (uint32_t w = 2; w <= g->count; w++) {
        uint32_t d = dominator[w];
        while (d > g->semi[w])
            d = dominator[d];
        dominator[w] = d;
    }
}

static bool
find_dominators(struct graph *g, struct gbx_heap *h)
{
    /* The targets' and sources' lists come first: what they need is given back by then. */
    if (!mark_essential(g) || !number_nodes(g) || !list_sources(g))
        return false;
    memory_free(g->essential, bit_words(h->edge_count), sizeof *g->essential);
    g->essential = NULL;
    g->semi = memory_new(numbers_of(g), sizeof *g->semi);
    g->label = memory_new(numbers_of(g), sizeof *g->label);
    h->walked_dominator = memory_new(numbers_of(g), sizeof *h->walked_dominator);
    if (g->semi == NULL || g->label == NULL || h->walked_dominator == NULL)
        return false;
    /* `number` is done with; a path is never longer than the nodes are many. */
    find_semidominators(g, h->walked_dominator, g->number);
    h->walked = g->node;
    h->walked_count = g->count;
    g->node = NULL;
    return true;
}

bool
heap_find_dominators(struct gbx_heap *h)
{
    struct graph g = { .h = h };
    size_t n = numbers_of(&g);
    bool ok = find_dominators(&g, h);

    memory_free(g.essential, bit_words(h->edge_count), sizeof *g.essential);
    memory_free(g.entered, bit_words(h->node_count), sizeof *g.entered);
    memory_free(g.number, h->node_count, sizeof *g.number);
    memory_free(g.node, n, sizeof *g.node);
    memory_free(g.parent, n, sizeof *g.parent);
    memory_free(g.first_from, n, sizeof *g.first_from);
    memory_free(g.from, (size_t)h->edge_count + 1, sizeof *g.from);
    memory_free(g.semi, n, sizeof *g.semi);
    memory_free(g.label, n, sizeof *g.label);
    memory_free(h->page_owned, bit_words(h->node_count), sizeof *h->page_owned);
    h->page_owned = NULL;
    return ok;
}

bool
heap_sum_retained(struct gbx_heap *h)
{
    size_t numbers = (size_t)h->node_count + 3;
    uint32_t *node = h->walked, *dominator = h->walked_dominator;
    uint64_t *by_number = memory_new(numbers, sizeof *by_number);

    h->retained = memory_new(h->node_count, sizeof *h->retained);
    h->dominator = memory_new(h->node_count, sizeof *h->dominator);
    bool ok = by_number != NULL && h->retained != NULL && h->dominator != NULL;
    if (ok) {
        uint64_t all = 0;
        for (uint32_t v = 0; v < h->node_count; v++)
            all += h->retained[v] = h->shallow[v]; /* what no walk reaches keeps itself */
        for (uint32_t i = 1; i <= h->walked_count; i++)
            by_number[i] = h->shallow[node[i]];
        for (uint32_t i = h->walked_count; i >= 2; i--)
            by_number[dominator[i]] += by_number[i];
        for (uint32_t i = 2; i <= h->walked_count; i++) {
            h->retained[node[i]] = by_number[i];
            h->dominator[node[i]] = node[dominator[i]];
        }
        h->retained[0] = all;
    }
    memory_free(by_number, numbers, sizeof *by_number);
    memory_free(h->walked, numbers, sizeof *h->walked);
    memory_free(h->walked_dominator, numbers, sizeof *h->walked_dominator);
    h->walked = h->walked_dominator = NULL;
    return ok;
}
