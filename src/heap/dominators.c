/* dominators.c - what keeps a node alive alone, and how much dies with it.
 *
 * Semi-NCA (Georgiadis): depth-first numbers, semidominators with path compression, and then
 * for each node the nearest ancestor in the tree that is not behind its semidominator. Over
 * essential edges, and from the root to every node that has none coming in. /
 */
#include "heap/heap.h"

struct graph {
    const struct gbx_heap *h;
    struct scratch *scratch; /* of all that follows */
    uint64_t *essential;     /* bits by edge */
    uint64_t *entered;       /* bits by node: an essential edge comes in */
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

static inline bool
is_essential(const struct gbx_heap *h, uint32_t from, uint32_t edge)
{
    uint8_t type = h->edge_type[edge];
    uint32_t to = h->edge_to[edge];

    if (type == EDGE_WEAK || to == from)
        return false;
    /* Key and table keep a WeakMap's value together: the key's edge is the one that counts. */
    if (heap_pair_of(h, edge) != 0 && h->pairs.table[h->edge_name[edge]] == h->node_id[from])
        return false;
    if (from == 0)
        return true;
    /* What the debugger holds as well is still the page's. */
    return type != EDGE_SHORTCUT &&
           (bit_get(h->page_owned, from) || !bit_get(h->page_owned, to));
}

static bool
mark_essential(struct graph *g)
{
    const struct gbx_heap *h = g->h;

    g->essential =
        scratch_take_zeroed(g->scratch, bit_words(h->edge_count), sizeof *g->essential);
    g->entered = scratch_take_zeroed(g->scratch, bit_words(h->node_count), sizeof *g->entered);
    if (g->essential == NULL || g->entered == NULL)
        return false;
    for (uint32_t v = 0; v < h->node_count; v++)
        for (uint32_t e = h->first_edge[v], end = h->first_edge[v + 1]; e < end; e++)
            if (is_essential(h, v, e)) {
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
    uint32_t *next = scratch_take(g->scratch, numbers_of(g), sizeof *next);

    g->number = scratch_take_zeroed(g->scratch, n, sizeof *g->number);
    g->node = scratch_take(g->scratch, numbers_of(g), sizeof *g->node);
    g->parent = scratch_take(g->scratch, numbers_of(g), sizeof *g->parent);
    bool ok = next != NULL && g->number != NULL && g->node != NULL && g->parent != NULL;
    for (uint32_t v = 0; ok && v < n; v++)
        if (v == 0 || (!bit_get(g->entered, v) && g->number[v] == 0))
            walk_from(g, v, next);
    scratch_give(g->scratch, next);
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
static void
list_targets(struct graph *g, uint32_t *targets, uint32_t *end_of)
{
    const struct gbx_heap *h = g->h;
    uint32_t m = 0;

    end_of[0] = 0;
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
}

static bool
list_sources(struct graph *g)
{
    uint32_t edges = g->h->edge_count;
    uint32_t *targets = scratch_take(g->scratch, (size_t)edges + 1, sizeof *targets);
    uint32_t *end_of = scratch_take(g->scratch, numbers_of(g), sizeof *end_of);

    g->first_from = scratch_take_zeroed(g->scratch, numbers_of(g), sizeof *g->first_from);
    g->from = scratch_take(g->scratch, (size_t)edges + 1, sizeof *g->from);
    bool ok = targets != NULL && end_of != NULL && g->first_from != NULL && g->from != NULL;
    if (ok) {
        list_targets(g, targets, end_of);
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
    scratch_give(g->scratch, targets);
    scratch_give(g->scratch, end_of);
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

bool
heap_find_dominators(struct gbx_heap *h, struct dominators *d)
{
    struct graph g = { .h = h, .scratch = &d->scratch };
    struct scratch *scratch = g.scratch;

    if (!mark_essential(&g) || !number_nodes(&g) || !list_sources(&g))
        return false;
    /* Two in one block, the one that held the targets. */
    g.semi = scratch_take(scratch, numbers_of(&g), 2 * sizeof *g.semi);
    d->dominator = scratch_take(scratch, numbers_of(&g), sizeof *d->dominator);
    if (g.semi == NULL || d->dominator == NULL)
        return false;
    g.label = g.semi + numbers_of(&g);
    /* `number` is done with; a path is never longer than the nodes are many. */
    find_semidominators(&g, d->dominator, g.number);
    d->node = g.node;
    d->count = g.count;
    void *done[] = { g.essential, g.entered, g.parent, g.number, g.first_from, g.from, g.semi };
    for (size_t i = 0; i < sizeof done / sizeof *done; i++)
        scratch_give(scratch, done[i]);
    memory_free(h->page_owned, bit_words(h->node_count), sizeof *h->page_owned);
    h->page_owned = NULL;
    return true;
}

bool
heap_sum_retained(struct gbx_heap *h, struct dominators *d)
{
    uint32_t n = h->node_count;
    const uint32_t *node = d->node, *dominator = d->dominator;
    uint64_t *by_number = scratch_take(&d->scratch, (size_t)d->count + 1, sizeof *by_number);
    uint64_t *retained = scratch_take(&d->scratch, n, sizeof *retained);
    uint32_t *of = scratch_take_zeroed(&d->scratch, n, sizeof *of);
    uint64_t all = 0;

    if (by_number == NULL || retained == NULL || of == NULL)
        return false;
    for (uint32_t v = 0; v < n; v++)
        all += retained[v] = h->shallow[v]; /* what no walk reaches keeps itself */
    for (uint32_t i = 1; i <= d->count; i++)
        by_number[i] = h->shallow[node[i]];
    for (uint32_t i = d->count; i >= 2; i--)
        by_number[dominator[i]] += by_number[i];
    for (uint32_t i = 2; i <= d->count; i++) {
        retained[node[i]] = by_number[i];
        of[node[i]] = node[dominator[i]];
    }
    retained[0] = all;
    scratch_keep(&d->scratch, retained, n, sizeof *retained);
    scratch_keep(&d->scratch, of, n, sizeof *of);
    h->retained = retained;
    h->dominator = of;
    return true;
}
