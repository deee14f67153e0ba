/* detached.c - which embedder's nodes are attached to a document, spread to what they reach.
 *
 * V8 alone knows of none; Chrome's DOM has them. A detached node is renamed "Detached ...".
 */
#include "heap/heap.h"

#include <stdlib.h>

enum {
    ATTACHED = 1,
    DETACHED = 2
};

struct states {
    struct gbx_heap *h;
    uint64_t *visited;
    uint32_t *attached, *detached; /* stacks */
    uint32_t attached_count, detached_count;
    uint32_t *renamed; /* by string: what it became, or 0 */
    uint32_t strings;
};

static bool
rename_node(struct states *s, uint32_t node)
{
    static const char prefix[] = "Detached ";
    struct gbx_heap *h = s->h;
    uint32_t old = h->node_name[node];

    if (s->renamed[old] == 0) {
        struct span name = heap_string(h, old);
        uint8_t *text = malloc(sizeof prefix + name.len);
        if (text == NULL)
            return false;
        memcpy(text, prefix, sizeof prefix - 1);
        memcpy(text + sizeof prefix - 1, name.p, name.len);
        uint32_t made = strings_add(&h->strings, span_of(text, sizeof prefix - 1 + name.len));
        free(text);
        if (made == NO_STRING)
            return false;
        s->renamed[old] = made;
    }
    h->node_name[node] = s->renamed[old];
    return true;
}

static bool
enter(struct states *s, uint32_t node, uint8_t state)
{
    if (bit_get(s->visited, node))
        return true;
    bit_set(s->visited, node);
    /* The embedder's own nodes know their state; it does not spread through JavaScript. */
    if (s->h->node_type[node] != NODE_NATIVE)
        return true;
    s->h->detached[node] = state;
    if (state == ATTACHED)
        s->attached[s->attached_count++] = node;
    else
        s->detached[s->detached_count++] = node;
    return state == ATTACHED || rename_node(s, node);
}

static bool
spread(struct states *s, uint32_t node, uint8_t state)
{
    const struct gbx_heap *h = s->h;

    for (uint32_t e = h->first_edge[node]; e < h->first_edge[node + 1]; e++) {
        uint8_t type = h->edge_type[e];
        if (type != EDGE_HIDDEN && type != EDGE_INVISIBLE && type != EDGE_WEAK &&
            !enter(s, h->edge_to[e], state))
            return false;
    }
    return true;
}

static bool
spread_all(struct states *s)
{
    const struct gbx_heap *h = s->h;

    for (uint32_t v = 0; v < h->node_count; v++)
        if (h->detached[v] != 0 && !enter(s, v, h->detached[v]))
            return false;
    while (s->attached_count > 0)
        if (!spread(s, s->attached[--s->attached_count], ATTACHED))
            return false;
    while (s->detached_count > 0) {
        uint32_t v = s->detached[--s->detached_count];
        if (h->detached[v] != ATTACHED && !spread(s, v, DETACHED))
            return false;
    }
    return true;
}

/* Files without the field say it by the name, of each node that it is true of. */
static bool
read_names(struct gbx_heap *h)
{
    for (uint32_t v = 0; v < h->node_count; v++)
        if (h->node_type[v] == NODE_NATIVE && span_starts(heap_raw_name(h, v), "Detached ")) {
            if (h->detached == NULL)
                h->detached = memory_new(h->node_count, sizeof *h->detached);
            if (h->detached == NULL)
                return false;
            h->detached[v] = DETACHED;
            h->has_detached = true;
        }
    return true;
}

bool
heap_spread_detachedness(struct gbx_heap *h)
{
    uint32_t n = h->node_count;
    struct states s = { .h = h, .strings = h->strings.count };

    if (h->node_layout.at[NODE_FIELD_DETACHED] < 0)
        return read_names(h);
    if (!h->has_detached) {
        memory_free(h->detached, n, sizeof *h->detached);
        h->detached = NULL;
        return true;
    }
    s.visited = memory_new(bit_words(n), sizeof *s.visited);
    s.attached = memory_new(n, sizeof *s.attached);
    s.detached = memory_new(n, sizeof *s.detached);
    s.renamed = memory_new(s.strings, sizeof *s.renamed);
    bool ok = s.visited != NULL && s.attached != NULL && s.detached != NULL &&
              s.renamed != NULL && spread_all(&s);
    memory_free(s.visited, bit_words(n), sizeof *s.visited);
    memory_free(s.attached, n, sizeof *s.attached);
    memory_free(s.detached, n, sizeof *s.detached);
    memory_free(s.renamed, s.strings, sizeof *s.renamed);
    return ok;
}
