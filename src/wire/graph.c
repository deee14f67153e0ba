#include "wire/held.h"

#include "base/huge.h"
#include "base/limits.h"

#include <stdlib.h>

/* A request of this size gets a block of its own and leaves the chunk's rest to smaller ones.
 */
#define BLOCK_ALONE 2048u

#define CHUNK_FIRST ((uint32_t)256)
#define CHUNK_MAX   ((uint32_t)(4 * MIB))

const gbx_value value_hole = { .kind = GBX_HOLE };

static size_t
align8(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

struct graph *
graph_new(size_t room)
{
    struct graph *graph = malloc(sizeof *graph + align8(room));

    if (graph == NULL)
        return NULL;
    huge_advise(graph, sizeof *graph + room);
    graph->block = (struct block){ &graph->block, &graph->block, NULL };
    graph->parent = NULL;
    graph->last_hold = NULL;
    graph->at = (uint8_t *)(graph + 1);
    graph->end = graph->at + align8(room);
    graph->weight = 0;
    graph->chunk = CHUNK_FIRST;
    return graph;
}

static void
ring_add(struct graph *graph, struct block *block)
{
    block->prev = &graph->block;
    block->next = graph->block.next;
    block->next->prev = block;
    graph->block.next = block;
}

static void *
block_new(struct graph *graph, size_t n)
{
    struct block *block = malloc(sizeof *block + n);

    if (block == NULL)
        return NULL;
    block->bytes = NULL;
    huge_advise(block, sizeof *block + n);
    ring_add(graph, block);
    return block + 1;
}

void *
graph_alloc(struct graph *graph, size_t n)
{
    n = align8(n);
    if (n > (size_t)(graph->end - graph->at)) {
        if (n >= BLOCK_ALONE)
            return block_new(graph, n);
        uint8_t *chunk = block_new(graph, graph->chunk);
        if (chunk == NULL)
            return NULL;
        graph->at = chunk;
        graph->end = chunk + graph->chunk;
        if (graph->chunk < CHUNK_MAX)
            graph->chunk *= 2;
        if (n > (size_t)(graph->end - graph->at))
            return block_new(graph, n);
    }
    void *p = graph->at;
    graph->at += n;
    return p;
}

void *
graph_grow(struct graph *graph, void *p, size_t old, size_t n)
{
    if (p != NULL && (uint8_t *)p + align8(old) == graph->at &&
        align8(n) <= (size_t)(graph->end - (uint8_t *)p)) {
        graph->at = (uint8_t *)p + align8(n);
        return p;
    }
    void *longer = graph_alloc(graph, n);

    if (longer != NULL && old > 0)
        memcpy(longer, p, old);
    return longer;
}

static struct graph *
graph_root(struct graph *graph)
{
    while (graph->parent != NULL) {
        if (graph->parent->parent != NULL)
            graph->parent = graph->parent->parent;
        graph = graph->parent;
    }
    return graph;
}

struct graph *
graph_of(const gbx_value *value)
{
    return graph_root(value->graph);
}

void
graph_join(gbx_value *a, gbx_value *b)
{
    struct graph *into = graph_of(a);
    struct graph *from = graph_of(b);

    if (into == from)
        return;
    if (into->weight < from->weight) {
        struct graph *lighter = into;
        into = from;
        from = lighter;
    }
    struct block *into_next = into->block.next;
    struct block *from_last = from->block.prev;
    into->block.next = &from->block;
    from->block.prev = &into->block;
    from_last->next = into_next;
    into_next->prev = from_last;

    graph_join_holds(into, from);
    from->parent = into;
    into->weight += from->weight + 1;
    if (from->end - from->at > into->end - into->at) {
        into->at = from->at;
        into->end = from->end;
    }
    if (into->chunk < from->chunk)
        into->chunk = from->chunk;
}

void
graph_free(struct graph *graph)
{
    struct block *block = graph->block.next;

    graph_let_go(graph);
    while (block != &graph->block) {
        struct block *next = block->next;
        bytes_unref(block->bytes);
        free(block);
        block = next;
    }
    free(graph);
}

gbx_value *
node_new(struct graph *graph, gbx_value_kind kind)
{
    gbx_value *node = graph_alloc(graph, sizeof *node);

    if (node == NULL)
        return NULL;
    node->graph = graph;
    node->kind = (uint8_t)kind;
    node->mark = 0;
    node->number = 0;
    return node;
}

gbx_value *
node_alone(gbx_value_kind kind, size_t room)
{
    struct graph *graph = graph_new(sizeof(gbx_value) + room);

    return graph == NULL ? NULL : node_new(graph, kind);
}

bool
node_add_dict(struct graph *graph, gbx_value *node, uint32_t capacity)
{
    struct dict *dict = graph_alloc(graph, sizeof *dict);

    if (dict == NULL)
        return false;
    *dict = (struct dict){ .by_node = node->kind == GBX_MAP || node->kind == GBX_SET };
    if (capacity > 0) {
        dict->props = graph_alloc(graph, capacity * sizeof *dict->props);
        if (dict->props == NULL)
            return false;
        dict->capacity = capacity;
    }
    node->dict = dict;
    return true;
}

bool
node_add_array(struct graph *graph, gbx_value *node)
{
    struct array *array = graph_alloc(graph, sizeof *array);

    if (array == NULL)
        return false;
    *array = (struct array){ 0 };
    node->array = array;
    return true;
}

bool
node_add_buffer(struct graph *graph, gbx_value *node, uint64_t len)
{
    if (len >= VALUE_SHARED_MIN) {
        struct bytes *held = bytes_new((size_t)len);
        return held != NULL && node_add_held(graph, node, held, held->p, len);
    }
    struct buffer *buffer = graph_alloc(graph, sizeof *buffer);
    /* graph_alloc() aligns to 8; SIMD code that is handed the bytes may want 16. */
    uint8_t *bytes = graph_alloc(graph, (size_t)len + 8);

    if (buffer == NULL || bytes == NULL)
        return false;
    bytes += (uintptr_t)bytes & 8;
    *buffer = (struct buffer){ bytes, len, len, false, NULL };
    node->buffer = buffer;
    return true;
}

size_t
buffer_room(uint64_t len)
{
    return sizeof(struct buffer) + (len >= VALUE_SHARED_MIN ? 0 : (size_t)len + 16);
}

bool
node_add_held(
    struct graph *graph, gbx_value *node, struct bytes *held, uint8_t *p, uint64_t len)
{
    struct buffer *buffer = graph_alloc(graph, sizeof *buffer);
    struct block *block = buffer == NULL ? NULL : malloc(sizeof *block);

    if (block == NULL) {
        bytes_unref(held);
        return false;
    }
    block->bytes = held;
    ring_add(graph, block);
    *buffer = (struct buffer){ p, len, len, false, held };
    node->buffer = buffer;
    return true;
}
