/* closures.c - contexts: the variables that functions keep alive, and how many functions do. */
#include "heap/heap.h"

#include <stdlib.h>

struct contexts {
    const struct gbx_heap *h;
    uint32_t *functions, *function; /* by node, as a context: how many; the last of them, + 1 */
    gbx_heap_closure *rows;
    uint32_t count, capacity;
};

static bool
is_context(const struct gbx_heap *h, uint32_t v)
{
    static const char text[] = "system / Context", more[] = "system / Context / ";
    struct span name = heap_raw_name(h, v);

    return span_is(name, text) || span_starts(name, more);
}

static void
count_functions(struct contexts *c)
{
    const struct gbx_heap *h = c->h;
    uint32_t context = heap_find_string(h, "context");

    for (uint32_t v = 0; v < h->node_count; v++) {
        if (h->node_type[v] != NODE_CLOSURE)
            continue;
        int64_t to = heap_internal_target(h, v, context);
        if (to < 0)
            continue;
        c->functions[to]++;
        c->function[to] = v + 1;
    }
}

/* The variable whose value is kept by this context alone and retains most; else the first. */
static uint32_t
largest_variable(const struct gbx_heap *h, uint32_t v)
{
    uint32_t found = GBX_HEAP_NONE;
    uint64_t most = 0;

    for (uint32_t e = h->first_edge[v], end = h->first_edge[v + 1]; e < end; e++) {
        if (h->edge_type[e] != EDGE_CONTEXT)
            continue;
        uint32_t to = h->edge_to[e];
        uint64_t retained = h->dominator[to] == v ? h->retained[to] : 0;
        if (found != GBX_HEAP_NONE && retained <= most)
            continue;
        most = retained;
        found = e;
    }
    return found;
}

static bool
add_context(struct contexts *c, uint32_t v)
{
    const struct gbx_heap *h = c->h;
    uint32_t variable = largest_variable(h, v);

    if (variable == GBX_HEAP_NONE)
        return true;
    if (c->count == c->capacity) {
        uint32_t capacity = c->capacity == 0 ? 64 : c->capacity * 2;
        gbx_heap_closure *rows = realloc(c->rows, capacity * sizeof *rows);
        if (rows == NULL)
            return false;
        c->rows = rows;
        c->capacity = capacity;
    }
    c->rows[c->count++] = (gbx_heap_closure){ .context = v,
        .functions = c->functions[v],
        .function = c->functions[v] == 0 ? GBX_HEAP_NONE : c->function[v] - 1,
        .variable = variable,
        .retained = h->retained[v] };
    return true;
}

static int
compare_rows(const void *a, const void *b)
{
    const gbx_heap_closure *x = a, *y = b;

    if (x->retained != y->retained)
        return x->retained > y->retained ? -1 : 1;
    return x->context < y->context ? -1 : x->context > y->context;
}

gbx_status
gbx_heap_closures(const gbx_heap *h, gbx_heap_closure **out_rows, uint32_t *out_count)
{
    struct contexts c = { .h = h };

    c.functions = memory_new(h->node_count, sizeof *c.functions);
    c.function = memory_new(h->node_count, sizeof *c.function);
    bool ok = c.functions != NULL && c.function != NULL;
    if (ok)
        count_functions(&c);
    for (uint32_t v = 0; ok && v < h->node_count; v++)
        if (is_context(h, v))
            ok = add_context(&c, v);
    memory_free(c.functions, h->node_count, sizeof *c.functions);
    memory_free(c.function, h->node_count, sizeof *c.function);
    if (!ok) {
        free(c.rows);
        return GBX_ENOMEM;
    }
    if (c.count > 0)
        qsort(c.rows, c.count, sizeof *c.rows, compare_rows);
    *out_rows = c.rows;
    *out_count = c.count;
    return GBX_OK;
}
