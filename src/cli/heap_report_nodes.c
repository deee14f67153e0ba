/* heap_report_nodes.c - which nodes a page shows, and what it says of them.
 *
 * First the dominator tree from the top, largest first; then those that stand for a class or a
 * group; then what is on their ways from a root. Each has a number by the order in which it was
 * chosen, which is all that the other parts of the page say of it.
 */
#include "base/limits.h"
#include "cli/heap_report.h"

#include <stdlib.h>

/* The last step of a way from a root to a node. */
struct via {
    uint32_t from, edge; /* GBX_HEAP_NONE: not known */
    uint32_t skipped;    /* nodes that lie between */
};

struct chosen {
    uint32_t nodes[REPORT_NODES];
    struct via via[REPORT_NODES];
    uint32_t count;
    uint32_t *number; /* by node, from 1; 0: not chosen */
};

static bool
choose(struct chosen *c, uint32_t v)
{
    if (v == GBX_HEAP_NONE || c->number[v] != 0)
        return v != GBX_HEAP_NONE;
    if (c->count == REPORT_NODES)
        return false;
    c->via[c->count] = (struct via){ GBX_HEAP_NONE, GBX_HEAP_NONE, 0 };
    c->nodes[c->count] = v;
    c->number[v] = ++c->count;
    return true;
}

/* --- the dominator tree, largest first ---------------------------------------------------- */

/* One that may be next: the child of a node with that rank. */
struct next {
    uint64_t retained;
    uint32_t node, parent, rank, depth;
};

struct queue {
    struct next items[REPORT_TREE_NODES * 2 + 2];
    uint32_t count;
};

static bool
is_before(const struct next *a, const struct next *b)
{
    return a->retained != b->retained ? a->retained > b->retained : a->node < b->node;
}

static void
queue_add(struct queue *q, struct next next)
{
    uint32_t i = q->count++;

    for (; i > 0 && is_before(&next, &q->items[(i - 1) / 2]); i = (i - 1) / 2)
        q->items[i] = q->items[(i - 1) / 2];
    q->items[i] = next;
}

static struct next
queue_take(struct queue *q)
{
    struct next first = q->items[0], last = q->items[--q->count];
    uint32_t i = 0, child;

    while ((child = i * 2 + 1) < q->count) {
        child += child + 1 < q->count && is_before(&q->items[child + 1], &q->items[child]);
        if (!is_before(&q->items[child], &last))
            break;
        q->items[i] = q->items[child];
        i = child;
    }
    q->items[i] = last;
    return first;
}

static bool
add_child(gbx_heap *heap, struct queue *q, uint32_t parent, uint32_t rank, uint32_t depth)
{
    const uint32_t *nodes = NULL;
    uint32_t count = 0;
    gbx_heap_node n;

    if (gbx_heap_dominated(heap, parent, &nodes, &count) != GBX_OK)
        return false;
    if (rank < count && rank < REPORT_TREE_WIDTH && depth <= REPORT_TREE_DEPTH &&
        gbx_heap_get_node(heap, nodes[rank], &n) == GBX_OK)
        queue_add(q, (struct next){ n.retained, nodes[rank], parent, rank, depth });
    return true;
}

static bool
choose_tree(struct report *r, struct chosen *c)
{
    struct queue *q = calloc(1, sizeof *q);
    bool ok = q != NULL && choose(c, 0) && add_child(r->heap, q, 0, 0, 1);

    while (ok && q->count > 0 && c->count < REPORT_TREE_NODES) {
        struct next next = queue_take(q);
        ok = choose(c, next.node) &&
             add_child(r->heap, q, next.parent, next.rank + 1, next.depth) &&
             add_child(r->heap, q, next.node, 0, next.depth + 1);
    }
    free(q);
    return ok;
}

/* --- those that stand for a class or a group ------------------------------------------------ */

struct examples {
    uint32_t *rank; /* by class, from 1; 0: none are wanted */
    struct example {
        uint64_t retained;
        uint32_t node;
    } (*of)[REPORT_EXAMPLES]; /* by rank - 1, largest first */
    uint32_t count;
};

/* With what dominates it, as far as there is room, so that the page can tell of that. */
static void
choose_chain(struct report *r, struct chosen *c, uint32_t v)
{
    gbx_heap_node n;

    for (uint32_t i = 0; i < REPORT_TREE_DEPTH && v != GBX_HEAP_NONE && c->number[v] == 0 &&
                         choose(c, v) && gbx_heap_get_node(r->heap, v, &n) == GBX_OK;
         i++)
        v = n.dominator;
}

static void
consider(struct example of[REPORT_EXAMPLES], uint64_t retained, uint32_t v)
{
    uint32_t i = REPORT_EXAMPLES;

    for (; i > 0 && (of[i - 1].node == GBX_HEAP_NONE || retained > of[i - 1].retained); i--)
        if (i < REPORT_EXAMPLES)
            of[i] = of[i - 1];
    if (i < REPORT_EXAMPLES)
        of[i] = (struct example){ retained, v };
}

static bool
choose_examples(struct report *r, struct chosen *c, const gbx_heap_class *rows, uint32_t count,
    struct examples *x)
{
    gbx_heap_node n;

    x->count = count < REPORT_EXAMPLES_OF ? count : REPORT_EXAMPLES_OF;
    x->rank = calloc((size_t)r->totals.classes + 1, sizeof *x->rank);
    x->of = calloc((size_t)x->count + 1, sizeof *x->of);
    if (x->rank == NULL || x->of == NULL)
        return false;
    for (uint32_t i = 0; i < x->count; i++) {
        x->rank[rows[i].class_index] = i + 1;
        for (uint32_t k = 0; k < REPORT_EXAMPLES; k++)
            x->of[i][k].node = GBX_HEAP_NONE;
    }
    for (uint32_t v = 0; v < r->totals.nodes; v++)
        if (gbx_heap_get_node(r->heap, v, &n) == GBX_OK && n.shallow > 0 &&
            x->rank[n.class_index] != 0)
            consider(x->of[x->rank[n.class_index] - 1], n.retained, v);
    for (uint32_t i = 0; i < x->count; i++)
        for (uint32_t k = 0; k < REPORT_EXAMPLES; k++)
            choose_chain(r, c, x->of[i][k].node);
    return true;
}

/* --- what keeps them --------------------------------------------------------------------- */

/* What is on the way to the node: its last steps, a gap, its first. */
static void
choose_steps(struct report *r, struct chosen *c, const uint32_t *edges, uint32_t count)
{
    gbx_heap_edge e, first;
    uint32_t skipped = 0;

    for (uint32_t i = count; i > 0; i -= 1 + skipped) {
        skipped = count - i == REPORT_PATH_LAST && i > REPORT_PATH_FIRST + 1
                      ? i - 1 - REPORT_PATH_FIRST
                      : 0;
        if (gbx_heap_get_edge(r->heap, edges[i - 1], &e) != GBX_OK)
            return;
        struct via *via = &c->via[c->number[e.to] - 1];
        if (via->edge != GBX_HEAP_NONE)
            return; /* the rest is known */
        uint32_t from = e.from;
        if (skipped > 0 && gbx_heap_get_edge(r->heap, edges[i - 1 - skipped], &first) == GBX_OK)
            from = first.from;
        if (!choose(c, from))
            return;
        *via = (struct via){ from, edges[i - 1], skipped };
    }
}

static bool
choose_paths(struct report *r, struct chosen *c)
{
    uint32_t wanted = c->count, *edges = NULL, count = 0;
    uint64_t steps = 0;
    gbx_heap_node n;

    for (uint32_t i = 0; i < wanted && signals_caught() == 0; i++) {
        if (c->via[i].edge != GBX_HEAP_NONE || c->nodes[i] == 0 ||
            gbx_heap_get_node(r->heap, c->nodes[i], &n) != GBX_OK || n.distance < 0)
            continue;
        steps += (uint32_t)n.distance % GBX_HEAP_SYSTEM;
        if (steps > REPORT_PATH_STEPS)
            break;
        if (gbx_heap_path(r->heap, c->nodes[i], &edges, &count) != GBX_OK)
            return false;
        choose_steps(r, c, edges, count);
        free(edges);
        edges = NULL;
        count = 0;
    }
    return signals_caught() == 0;
}

/* --- what the page says ------------------------------------------------------------------ */

/* A node's number from 0; -1: it is not in the page. */
static int64_t
number_of(const struct chosen *c, uint32_t v)
{
    return v == GBX_HEAP_NONE ? -1 : (int64_t)c->number[v] - 1;
}

static bool
put_node(struct report *r, const struct chosen *c, uint32_t i)
{
    const struct via *via = &c->via[i];
    uint32_t v = c->nodes[i], count = 0;
    const uint32_t *nodes = NULL;
    gbx_heap_node n;

    if (gbx_heap_get_node(r->heap, v, &n) != GBX_OK ||
        gbx_heap_dominated(r->heap, v, &nodes, &count) != GBX_OK)
        return false;
    int64_t fields[] = { n.id, report_add_text(&r->texts, n.type, strlen(n.type)),
        report_add_name(&r->texts, r->heap, n.class_index, gbx_heap_class_name),
        report_add_name(&r->texts, r->heap, v, gbx_heap_node_name), (int64_t)n.shallow,
        (int64_t)n.retained, n.distance, v == 0 ? -1 : number_of(c, n.dominator), count,
        via->edge == GBX_HEAP_NONE
            ? -1
            : (int64_t)report_add_name(&r->texts, r->heap, via->edge, gbx_heap_edge_name),
        number_of(c, via->from), via->skipped, n.script, n.line, n.column, n.detached };
    for (size_t k = 0; k < sizeof fields / sizeof *fields; k++)
        report_number(r, i == 0 && k == 0, fields[k]);
    return true;
}

static void
put_classes(struct report *r, const struct chosen *c, const gbx_heap_class *rows,
    uint32_t count, const struct examples *x)
{
    report_key(r, "classCount");
    report_number(r, true, count);
    report_key(r, "classes");
    buf_byte(&r->json, '[');
    for (uint32_t i = 0; i < count && i < REPORT_CLASSES; i++) {
        const gbx_heap_class *row = &rows[i];
        int64_t fields[] = { report_add_name(
                                 &r->texts, r->heap, row->class_index, gbx_heap_class_name),
            row->count, (int64_t)row->shallow, (int64_t)row->retained, row->distance,
            row->script, row->line, row->column };
        for (size_t k = 0; k < sizeof fields / sizeof *fields; k++)
            report_number(r, i == 0 && k == 0, fields[k]);
        for (uint32_t k = 0; k < REPORT_EXAMPLES; k++)
            report_number(r, false, i < x->count ? number_of(c, x->of[i][k].node) : -1);
    }
    buf_byte(&r->json, ']');
}

static void
put_groups(struct report *r, const struct chosen *c, const struct report_groups *g)
{
    report_key(r, "groupCount");
    report_number(r, true, g->count);
    report_key(r, "groups");
    buf_byte(&r->json, '[');
    for (uint32_t i = 0; i < g->count; i++) {
        const struct group *group = &g->items[i];
        if (group->number == 0)
            continue;
        int64_t fields[] = { i == 0 ? -1 : (int64_t)g->items[group->parent].number - 1,
            i == 0
                ? report_add_text(&r->texts, "", 0)
                : report_add_name(&r->texts, r->heap, group->class_index, gbx_heap_class_name),
            (int64_t)group->bytes, group->objects, number_of(c, group->example) };
        for (size_t k = 0; k < sizeof fields / sizeof *fields; k++)
            report_number(r, i == 0 && k == 0, fields[k]);
    }
    buf_byte(&r->json, ']');
}

bool
report_put_graph(struct report *r, const struct report_groups *g)
{
    struct chosen *c = calloc(1, sizeof *c);
    struct examples x = { NULL, NULL, 0 };
    const gbx_heap_class *rows = NULL;
    uint32_t count = 0;

    if (c != NULL)
        c->number = calloc(r->totals.nodes, sizeof *c->number);
    bool ok = c != NULL && c->number != NULL &&
              gbx_heap_summary(r->heap, &rows, &count) == GBX_OK && choose_tree(r, c) &&
              choose_examples(r, c, rows, count, &x);
    for (uint32_t i = 0; ok && i < g->count; i++)
        if (g->items[i].number != 0)
            choose_chain(r, c, g->items[i].example);
    ok = ok && choose_paths(r, c);
    if (ok) {
        put_classes(r, c, rows, count, &x);
        put_groups(r, c, g);
        report_key(r, "nodes");
        buf_byte(&r->json, '[');
        for (uint32_t i = 0; ok && i < c->count; i++)
            ok = put_node(r, c, i);
        buf_byte(&r->json, ']');
    }
    if (c != NULL)
        free(c->number);
    free(c);
    free(x.rank);
    free(x.of);
    return ok;
}
