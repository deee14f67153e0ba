/* duplicates.c - strings of the same text. */
#include "heap/heap.h"

#include <stdlib.h>

/* Whether one of its halves is the empty string: V8 has put the other together already. */
static bool
is_flat(const struct gbx_heap *h, uint32_t v)
{
    for (uint32_t e = h->first_edge[v]; e < h->first_edge[v + 1]; e++) {
        struct buf name = { .max = UINT32_MAX };
        if (h->edge_type[e] != EDGE_INTERNAL)
            continue;
        struct span edge = heap_string(h, h->edge_name[e]);
        if (!span_is(edge, "first") && !span_is(edge, "second"))
            continue;
        heap_node_name(h, h->edge_to[e], &name);
        bool empty = name.len == 0 && !name.failed;
        buf_done(&name);
        if (empty)
            return true;
    }
    return false;
}

struct group {
    uint64_t hash;
    gbx_heap_same same;
};

struct groups {
    const struct gbx_heap *h;
    struct group *items;
    uint32_t *slots; /* group + 1 */
    uint32_t count, capacity, slot_count;
};

static bool
grow(struct groups *g)
{
    uint32_t capacity = g->capacity == 0 ? 1024 : g->capacity * 2;
    struct group *items = realloc(g->items, capacity * sizeof *items);

    if (items == NULL)
        return false;
    g->items = items;
    g->capacity = capacity;
    uint32_t *slots = calloc((size_t)capacity * 2, sizeof *slots);
    if (slots == NULL)
        return false;
    free(g->slots);
    g->slots = slots;
    g->slot_count = capacity * 2;
    for (uint32_t i = 0; i < g->count; i++) {
        uint64_t slot = items[i].hash & (g->slot_count - 1);
        while (slots[slot] != 0)
            slot = (slot + 1) & (g->slot_count - 1);
        slots[slot] = i + 1;
    }
    return true;
}

static bool
same_text(const struct gbx_heap *h, uint32_t v, struct span text)
{
    struct buf name = { .max = UINT32_MAX };

    if (h->node_type[v] != NODE_CONS)
        return span_equal(heap_raw_name(h, v), text);
    heap_node_name(h, v, &name);
    bool same = !name.failed && span_equal(buf_span(&name), text);
    buf_done(&name);
    return same;
}

static void
count_in(const struct gbx_heap *h, struct group *group, uint32_t v)
{
    group->same.count++;
    group->same.shallow += h->shallow[v];
    group->same.retained += h->retained[v];
}

/* `*last` becomes the group's number, from 1. */
static bool
add_to(struct groups *g, uint32_t v, struct span text, uint32_t *last)
{
    const struct gbx_heap *h = g->h;
    uint64_t hash = span_hash(text);

    if (g->count == g->capacity && !grow(g))
        return false;
    uint64_t slot = hash & (g->slot_count - 1);
    for (; g->slots[slot] != 0; slot = (slot + 1) & (g->slot_count - 1)) {
        struct group *group = &g->items[g->slots[slot] - 1];
        if (group->hash == hash && same_text(h, group->same.node, text)) {
            count_in(h, group, v);
            *last = g->slots[slot];
            return true;
        }
    }
    g->items[g->count] = (struct group){ hash, { v, 1, h->shallow[v], h->retained[v] } };
    *last = g->slots[slot] = ++g->count;
    return true;
}

static bool
add(struct groups *g, uint32_t v, struct span text)
{
    uint32_t last = 0;

    return add_to(g, v, text, &last);
}

/* `*group` is that of the string, or 0 when it comes for the first time. */
static bool
add_named(struct groups *g, uint32_t v, struct span text, uint32_t *group)
{
    if (*group == 0)
        return add_to(g, v, text, group);
    count_in(g->h, &g->items[*group - 1], v);
    return true;
}

static int
compare_rows(const void *a, const void *b)
{
    const gbx_heap_same *x = a, *y = b;

    if (x->shallow != y->shallow)
        return x->shallow > y->shallow ? -1 : 1;
    return x->node < y->node ? -1 : x->node > y->node;
}

enum {
    LENGTHS = 1 << 16 /* of texts, counted round and round */
};

/* What was put together has no string of its own: its text is looked up. Marks its length. */
static bool
collect_concatenated(struct groups *g, uint64_t *lengths)
{
    const struct gbx_heap *h = g->h;
    bool ok = true;

    for (uint32_t v = 0; ok && v < h->node_count; v++) {
        struct buf name = { .max = UINT32_MAX };
        if (h->node_type[v] != NODE_CONS || h->shallow[v] == 0 || is_flat(h, v))
            continue;
        heap_node_name(h, v, &name);
        bit_set(lengths, name.len % LENGTHS);
        ok = !name.failed && add(g, v, buf_span(&name));
        buf_done(&name);
    }
    return ok;
}

static bool
is_string(const struct gbx_heap *h, uint32_t v)
{
    return h->node_type[v] == NODE_STRING && h->shallow[v] != 0;
}

/* Strings with the same number have the same text. Only those that come twice, or are as long as
 * something that was put together, can be among the duplicates. */
static bool
collect(struct groups *g)
{
    const struct gbx_heap *h = g->h;
    uint32_t *count = memory_new(h->strings.count, sizeof *count);
    uint32_t *group = memory_new(h->strings.count, sizeof *group);
    uint64_t *lengths = memory_new(bit_words(LENGTHS), sizeof *lengths);
    bool ok =
        count != NULL && group != NULL && lengths != NULL && collect_concatenated(g, lengths);

    for (uint32_t v = 0; ok && v < h->node_count; v++)
        if (is_string(h, v))
            count[h->node_name[v]]++;
    for (uint32_t v = 0; ok && v < h->node_count; v++) {
        if (!is_string(h, v))
            continue;
        uint32_t name = h->node_name[v];
        struct span text = heap_string(h, name);
        if (count[name] < 2 && !bit_get(lengths, text.len % LENGTHS))
            continue;
        ok = add_named(g, v, text, &group[name]);
    }
    memory_free(count, h->strings.count, sizeof *count);
    memory_free(group, h->strings.count, sizeof *group);
    memory_free(lengths, bit_words(LENGTHS), sizeof *lengths);
    return ok;
}

gbx_status
gbx_heap_duplicates(const gbx_heap *h, gbx_heap_same **out_rows, uint32_t *out_count)
{
    struct groups g = { .h = h };
    gbx_heap_same *rows = NULL;
    uint32_t count = 0;
    bool ok = collect(&g);

    if (ok && g.count > 0) {
        rows = malloc(g.count * sizeof *rows);
        ok = rows != NULL;
        for (uint32_t i = 0; ok && i < g.count; i++)
            if (g.items[i].same.count > 1)
                rows[count++] = g.items[i].same;
        if (ok && count > 0)
            qsort(rows, count, sizeof *rows, compare_rows);
    }
    free(g.items);
    free(g.slots);
    if (!ok)
        return GBX_ENOMEM;
    if (count == 0) {
        free(rows);
        rows = NULL;
    }
    *out_rows = rows;
    *out_count = count;
    return GBX_OK;
}
