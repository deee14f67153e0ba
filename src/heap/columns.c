/* columns.c - rows of records into columns; and whether what they say can be. */
#include "heap/load.h"

static bool
refuse(struct bad *bad, size_t at, const char *why)
{
    bad->at = at;
    bad->why = why;
    return false;
}

/* --- nodes ------------------------------------------------------------------------------ */

static bool
nodes_new(struct gbx_heap *h, uint32_t n)
{
    h->node_type = memory_new(n, sizeof *h->node_type);
    h->node_name = memory_new(n, sizeof *h->node_name);
    h->node_id = memory_new(n, sizeof *h->node_id);
    h->shallow = memory_new(n, sizeof *h->shallow);
    h->first_edge = memory_new((size_t)n + 1, sizeof *h->first_edge);
    if (h->node_layout.at[NODE_FIELD_DETACHED] >= 0)
        h->detached = memory_new(n, sizeof *h->detached);
    h->node_count = n;
    return h->node_type != NULL && h->node_name != NULL && h->node_id != NULL &&
           h->shallow != NULL && h->first_edge != NULL &&
           (h->detached != NULL || h->node_layout.at[NODE_FIELD_DETACHED] < 0);
}

static bool
take_nodes(struct load *l, const uint32_t *records, size_t count, struct bad *bad)
{
    struct gbx_heap *h = l->heap;
    const struct layout *layout = &h->node_layout;
    uint32_t fields = layout->fields;
    const uint32_t *type = records + layout->at[NODE_FIELD_TYPE];
    const uint32_t *name = records + layout->at[NODE_FIELD_NAME];
    const uint32_t *id = records + layout->at[NODE_FIELD_ID];
    const uint32_t *size = records + layout->at[NODE_FIELD_SIZE];
    const uint32_t *edges = records + layout->at[NODE_FIELD_EDGES];
    const uint32_t *detached =
        h->detached == NULL ? NULL : records + layout->at[NODE_FIELD_DETACHED];
    uint32_t greatest = l->greatest_node_name;
    uint64_t edge = l->edges_of_nodes;

    if (count > l->node_count - l->nodes_read)
        return refuse(
            bad, (l->node_count - l->nodes_read) * fields, "more nodes than the header says");
    for (size_t i = 0; i < count; i++) {
        size_t v = l->nodes_read + i, at = i * fields;
        if (type[at] >= layout->file_types)
            return refuse(bad, at + (size_t)layout->at[NODE_FIELD_TYPE],
                "a type of node that meta does not name");
        h->node_type[v] = layout->type_of[type[at]];
        h->node_name[v] = name[at];
        greatest = name[at] > greatest ? name[at] : greatest;
        h->node_id[v] = id[at];
        h->shallow[v] = size[at];
        h->first_edge[v] = (uint32_t)edge;
        edge += edges[at];
        if (edge > l->edge_count)
            return refuse(bad, at + (size_t)layout->at[NODE_FIELD_EDGES],
                "the nodes have more edges than the header says");
        if (detached != NULL && detached[at] != 0) {
            if (detached[at] > 2)
                return refuse(bad, at + (size_t)layout->at[NODE_FIELD_DETACHED],
                    "a detachedness that is neither 0, 1 nor 2");
            h->detached[v] = (uint8_t)detached[at];
            h->has_detached = true;
        }
    }
    /* A size past 32 bits comes alone. */
    if (count == 1 && *size == UINT32_MAX && l->wide > UINT32_MAX)
        h->shallow[l->nodes_read] = l->wide;
    l->wide = 0;
    l->greatest_node_name = greatest;
    l->edges_of_nodes = edge;
    l->nodes_read += count;
    return true;
}

bool
load_nodes(struct load *l)
{
    struct gbx_heap *h = l->heap;

    if (!nodes_new(h, (uint32_t)l->node_count))
        return reader_no_memory(l->r);
    if (!load_row(l, h->node_layout.fields, h->node_layout.at[NODE_FIELD_SIZE], take_nodes))
        return false;
    if (l->nodes_read != l->node_count)
        return reader_fail(l->r, l->r->p, "fewer nodes than the header says");
    if (l->edges_of_nodes != l->edge_count)
        return reader_fail(l->r, l->r->p, "the nodes have fewer edges than the header says");
    h->first_edge[h->node_count] = (uint32_t)l->edge_count;
    return true;
}

/* --- edges ------------------------------------------------------------------------------ */

static bool
edges_new(struct gbx_heap *h, uint32_t n)
{
    h->edge_type = memory_new(n, sizeof *h->edge_type);
    h->edge_name = memory_new(n, sizeof *h->edge_name);
    h->edge_to = memory_new(n, sizeof *h->edge_to);
    h->edge_count = n;
    return h->edge_type != NULL && h->edge_name != NULL && h->edge_to != NULL;
}

/* With `fields` and `stride` known where it is called, the divisions become multiplications. */
__attribute__((always_inline)) static inline bool
take_edges_of(struct load *l, const uint32_t *records, size_t count, struct bad *bad,
    uint32_t fields, uint32_t stride)
{
    struct gbx_heap *h = l->heap;
    const struct layout *layout = &h->edge_layout;
    const uint32_t *type = records + layout->at[EDGE_FIELD_TYPE];
    const uint32_t *name = records + layout->at[EDGE_FIELD_NAME];
    const uint32_t *to = records + layout->at[EDGE_FIELD_TO];
    uint32_t greatest = l->greatest_edge_name, nodes = (uint32_t)l->node_count;

    if (count > l->edge_count - l->edges_read)
        return refuse(
            bad, (l->edge_count - l->edges_read) * fields, "more edges than the header says");
    for (size_t i = 0; i < count; i++) {
        size_t e = l->edges_read + i, at = i * fields;
        if (type[at] >= layout->file_types)
            return refuse(bad, at + (size_t)layout->at[EDGE_FIELD_TYPE],
                "a type of edge that meta does not name");
        uint8_t ours = layout->type_of[type[at]];
        uint32_t target = to[at] / stride;
        if (target * stride != to[at] || target >= nodes)
            return refuse(bad, at + (size_t)layout->at[EDGE_FIELD_TO],
                "an edge to what is no node's beginning");
        h->edge_type[e] = ours;
        h->edge_name[e] = name[at];
        h->edge_to[e] = target;
        if (edge_is_named(ours) && name[at] > greatest)
            greatest = name[at];
    }
    l->greatest_edge_name = greatest;
    l->edges_read += count;
    return true;
}

static bool
take_edges(struct load *l, const uint32_t *records, size_t count, struct bad *bad)
{
    uint32_t fields = l->heap->edge_layout.fields, stride = l->heap->node_layout.fields;

    if (fields == 3 && stride == 6)
        return take_edges_of(l, records, count, bad, 3, 6);
    if (fields == 3 && stride == 7)
        return take_edges_of(l, records, count, bad, 3, 7);
    return take_edges_of(l, records, count, bad, fields, stride);
}

bool
load_edges(struct load *l)
{
    struct gbx_heap *h = l->heap;

    if (!edges_new(h, (uint32_t)l->edge_count))
        return reader_no_memory(l->r);
    if (!load_row(l, h->edge_layout.fields, -1, take_edges))
        return false;
    if (l->edges_read != l->edge_count)
        return reader_fail(l->r, l->r->p, "fewer edges than the header says");
    return true;
}

/* --- locations -------------------------------------------------------------------------- */

static bool
take_locations(struct load *l, const uint32_t *records, size_t count, struct bad *bad)
{
    struct gbx_heap *h = l->heap;
    const struct layout *layout = &h->location_layout;
    uint32_t stride = h->node_layout.fields;

    if (h->location_count + count > h->location_capacity) {
        size_t capacity = (h->location_count + count) * 2;
        struct location *more =
            capacity > UINT32_MAX
                ? NULL
                : memory_resize(h->locations, h->location_capacity, capacity, sizeof *more);
        if (more == NULL)
            return refuse(bad, 0, NULL);
        h->locations = more;
        h->location_capacity = (uint32_t)capacity;
    }
    for (size_t i = 0; i < count; i++) {
        const uint32_t *record = records + i * layout->fields;
        uint32_t node = record[layout->at[0]];
        if (node % stride != 0 || node / stride >= l->node_count)
            return refuse(bad, i * layout->fields + (size_t)layout->at[0],
                "a location of what is no node");
        h->locations[h->location_count++] = (struct location){ node / stride,
            record[layout->at[1]], record[layout->at[2]], record[layout->at[3]] };
    }
    return true;
}

/* By node. Of several of one node the last one counts, and stays. Marks the nodes that have one:
 * how many are marked before a node is its location's place. */
static bool
sort_locations(struct gbx_heap *h)
{
    size_t words = bit_words(h->node_count);
    uint64_t *marked = memory_new(words, sizeof *marked);
    uint32_t *before = memory_new(words, sizeof *before), count = 0;
    struct location *sorted = memory_new(h->location_count, sizeof *sorted);
    bool ok = marked != NULL && before != NULL && sorted != NULL;

    for (uint32_t i = 0; ok && i < h->location_count; i++)
        bit_set(marked, h->locations[i].node);
    for (size_t w = 0; ok && w < words; w++) {
        before[w] = count;
        count += (uint32_t)__builtin_popcountll(marked[w]);
    }
    for (uint32_t i = 0; ok && i < h->location_count; i++) {
        uint32_t node = h->locations[i].node;
        uint64_t lower = marked[node / 64] & ((UINT64_C(1) << node % 64) - 1);
        sorted[before[node / 64] + (uint32_t)__builtin_popcountll(lower)] = h->locations[i];
    }
    memory_free(marked, words, sizeof *marked);
    memory_free(before, words, sizeof *before);
    if (!ok) {
        memory_free(sorted, h->location_count, sizeof *sorted);
        return false;
    }
    memory_free(h->locations, h->location_capacity, sizeof *h->locations);
    h->locations = sorted;
    h->location_capacity = h->location_count;
    h->location_count = count;
    return true;
}

bool
load_locations(struct load *l)
{
    struct gbx_heap *h = l->heap;

    if (h->location_layout.fields == 0)
        return reader_skip(l->r);
    if (!load_row(l, h->location_layout.fields, -1, take_locations))
        return false;
    for (uint32_t i = 1; i < h->location_count; i++)
        if (h->locations[i - 1].node >= h->locations[i].node)
            return sort_locations(h) || reader_no_memory(l->r);
    return true;
}

/* --- all together ----------------------------------------------------------------------- */

bool
load_check(struct load *l)
{
    struct gbx_heap *h = l->heap;

    if (l->greatest_node_name >= h->strings.count) {
        l->r->section = "nodes";
        return reader_fail(l->r, l->r->p, "a node's name is string %u of %u",
            l->greatest_node_name, h->strings.count);
    }
    if (h->edge_count > 0 && l->greatest_edge_name >= h->strings.count) {
        l->r->section = "edges";
        return reader_fail(l->r, l->r->p, "an edge's name is string %u of %u",
            l->greatest_edge_name, h->strings.count);
    }
    return true;
}
