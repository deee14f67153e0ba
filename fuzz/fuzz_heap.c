/* fuzz_heap.c - any bytes as a heap snapshot; of what is accepted, everything is asked, and what
 * redact and slice make of it has to be accepted as well. */
#include "base/check.h"
#include "fuzz.h"

#include <glovebox/heap_write.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

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

/* A file that was written, as a heap; closes it. */
static void
read_again(int fd, gbx_heap_totals *out_totals)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_heap *heap = NULL;

    GBX_CHECK(lseek(fd, 0, SEEK_SET) == 0);
    GBX_CHECK(gbx_heap_open_fd(fd, NULL, &heap, &error) == GBX_OK);
    GBX_CHECK(gbx_heap_get_totals(heap, out_totals) == GBX_OK);
    gbx_heap_close(heap);
    (void)close(fd);
}

static void
write_others(const uint8_t *data, size_t size, gbx_heap *heap, const gbx_heap_totals *totals)
{
    static const uint8_t key[GBX_HEAP_KEY_BYTES] = { 1 };
    gbx_heap_options packed = GBX_HEAP_OPTIONS_INIT;
    gbx_heap_totals again;
    int from = memfd_create("from", MFD_CLOEXEC), to = memfd_create("to", MFD_CLOEXEC);

    packed.flags = GBX_HEAP_PACKED;
    GBX_CHECK(from >= 0 && to >= 0 && write(from, data, size) == (ssize_t)size);
    GBX_CHECK(lseek(from, 0, SEEK_SET) == 0);
    GBX_CHECK(gbx_heap_redact(from, to, key, NULL, NULL) == GBX_OK);
    (void)close(from);
    read_again(to, &again);
    GBX_CHECK(again.nodes == totals->nodes && again.edges == totals->edges);
    GBX_CHECK(again.total == totals->total && again.extra_native == totals->extra_native);
    /* Some node, with all that it retains and not so deep. */
    for (uint32_t depth = 0; depth < 3; depth += 2) {
        uint32_t node = (uint32_t)(size * 2654435761u) % totals->nodes;
        to = memfd_create("to", MFD_CLOEXEC);
        GBX_CHECK(to >= 0 && gbx_heap_slice(heap, node, depth, to, &packed, NULL) == GBX_OK);
        read_again(to, &again);
        GBX_CHECK(again.nodes <= totals->nodes && again.edges <= totals->edges);
    }
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
    write_others(data, size, heap, &totals);
    gbx_heap_close(heap);
    return 0;
}
