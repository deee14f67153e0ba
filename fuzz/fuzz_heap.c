/* fuzz_heap.c - any bytes as a heap snapshot; of what is accepted, everything is asked. */
#include "base/check.h"
#include "fuzz.h"

#include <glovebox/heap.h>
#include <stdlib.h>

/* Every node's, and the retained sizes of the root's children are all there is. */
static void
ask_nodes(gbx_heap *heap, const gbx_heap_totals *totals)
{
    const uint32_t *list = NULL;
    uint32_t count = 0, found = 0, *path = NULL;
    uint64_t shallow = 0, dominated = 0;
    gbx_heap_node n;
    char name[64];

    for (uint32_t v = 0; v < totals->nodes; v++) {
        GBX_CHECK(gbx_heap_get_node(heap, v, &n) == GBX_OK);
        GBX_CHECK(n.dominator < totals->nodes && n.class_index < totals->classes);
        GBX_CHECK(n.retained >= n.shallow);
        shallow += n.shallow;
        if (v != 0 && n.dominator == 0)
            dominated += n.retained;
        (void)gbx_heap_node_name(heap, v, name, sizeof name);
        (void)gbx_heap_class_name(heap, n.class_index, name, sizeof name);
        GBX_CHECK(gbx_heap_find(heap, n.id, &found) == GBX_OK);
        GBX_CHECK(gbx_heap_context(heap, v) < (int64_t)totals->nodes);
        GBX_CHECK(gbx_heap_retainers(heap, v, &list, &count) == GBX_OK);
        GBX_CHECK(gbx_heap_dominated(heap, v, &list, &count) == GBX_OK);
        GBX_CHECK(gbx_heap_path(heap, v, &path, &count) == GBX_OK);
        free(path);
    }
    GBX_CHECK(gbx_heap_get_node(heap, 0, &n) == GBX_OK);
    GBX_CHECK(n.retained == shallow && dominated + n.shallow == shallow);
}

static void
ask_all(gbx_heap *heap, const gbx_heap_totals *totals)
{
    const gbx_heap_class *classes = NULL;
    gbx_heap_same *same = NULL;
    gbx_heap_change *changes = NULL;
    gbx_heap_closure *closures = NULL;
    gbx_heap_collection *collections = NULL;
    uint32_t count = 0, *large = NULL;
    uint64_t shallow = 0;
    gbx_heap_edge edge;
    char name[64];

    for (uint32_t e = 0; e < totals->edges; e++) {
        GBX_CHECK(gbx_heap_get_edge(heap, e, &edge) == GBX_OK && edge.to < totals->nodes);
        (void)gbx_heap_edge_name(heap, e, name, sizeof name);
    }
    GBX_CHECK(gbx_heap_summary(heap, &classes, &count) == GBX_OK);
    for (uint32_t i = 0; i < count; i++)
        shallow += classes[i].shallow;
    GBX_CHECK(shallow + totals->extra_native == totals->total);
    GBX_CHECK(gbx_heap_duplicates(heap, &same, &count) == GBX_OK);
    free(same);
    GBX_CHECK(gbx_heap_diff(heap, heap, &changes, &count) == GBX_OK);
    free(changes);
    GBX_CHECK(gbx_heap_closures(heap, &closures, &count) == GBX_OK);
    for (uint32_t i = 0; i < count; i++)
        GBX_CHECK(closures[i].variable < totals->edges && closures[i].context < totals->nodes);
    free(closures);
    GBX_CHECK(gbx_heap_collections(heap, &collections, &count) == GBX_OK);
    for (uint32_t i = 0; i < count; i++)
        GBX_CHECK(collections[i].entries <= collections[i].slots);
    free(collections);
    GBX_CHECK(gbx_heap_large_strings(heap, 3, &large, &count) == GBX_OK && count <= 3);
    free(large);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gbx_heap *heap = NULL;
    gbx_error error = GBX_ERROR_INIT;
    gbx_heap_totals totals;

    gbx_status status = gbx_heap_open_memory(data, size, NULL, &heap, &error);
    if (status != GBX_OK) {
        GBX_CHECK(heap == NULL && error.status == status && error.message[0] != '\0');
        return 0;
    }
    GBX_CHECK(gbx_heap_get_totals(heap, &totals) == GBX_OK);
    ask_nodes(heap, &totals);
    ask_all(heap, &totals);
    gbx_heap_close(heap);
    return 0;
}
