/* snapshots.h - what the tests of heap snapshots share: taking them, and reading them back. */
#ifndef TEST_INTEGRATION_SNAPSHOTS_H
#define TEST_INTEGRATION_SNAPSHOTS_H

#include "support.h"

#include <glovebox/heap.h>

#include <stdio.h>
#include <string.h>

static inline const char *
in_scratch(const char *name)
{
    static char paths[4][256];
    static unsigned next;
    char *path = paths[next++ % 4];

    (void)snprintf(path, sizeof paths[0], "%s/%s", scratch_directory(), name);
    return path;
}

static inline gbx_snapshot_options
to_path(const char *path, uint32_t flags)
{
    gbx_snapshot_options options = GBX_SNAPSHOT_OPTIONS_INIT;

    options.path = path;
    options.flags = flags;
    return options;
}

static inline gbx_future *
take(gbx_isolate *isolate, const char *path, uint32_t flags)
{
    gbx_snapshot_options options = to_path(path, flags);

    return gbx_heap_snapshot(isolate, &options);
}

static inline void
ends_with_error(gbx_future *future, gbx_status status, const char *text)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_status got = gbx_future_wait(future, -1, &error);

    cr_assert_eq(got, status, "status %d (%s), expected %d", got, error.message, status);
    cr_assert_not_null(strstr(error.message, text), "%s", error.message);
    gbx_future_free(future);
}

/* By our reader, and by another one. */
static inline gbx_heap *
read_back(const char *path)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_heap *heap = NULL;
    gbx_heap_totals totals;
    long nodes, edges;

    cr_assert_eq(
        gbx_heap_open_file(path, NULL, &heap, &error), GBX_OK, "%s: %s", path, error.message);
    cr_assert_eq(gbx_heap_get_totals(heap, &totals), GBX_OK);
    snapshot_counts(path, &nodes, &edges);
    cr_assert_eq(totals.nodes, nodes);
    cr_assert_eq(totals.edges, edges);
    return heap;
}

/* Ids of the objects of a class, as far as there is room; answers how many there are. */
static inline size_t
ids_of(const char *path, const char *class, uint32_t *ids, size_t room)
{
    gbx_heap *heap = read_back(path);
    gbx_heap_totals totals;
    size_t count = 0;
    char name[64];

    cr_assert_eq(gbx_heap_get_totals(heap, &totals), GBX_OK);
    for (uint32_t i = 0; i < totals.nodes; i++) {
        gbx_heap_node node;
        cr_assert_eq(gbx_heap_get_node(heap, i, &node), GBX_OK);
        (void)gbx_heap_class_name(heap, node.class_index, name, sizeof name);
        if (strcmp(name, class) != 0 || strcmp(node.type, "object") != 0)
            continue;
        if (count < room)
            ids[count] = node.id;
        count++;
    }
    gbx_heap_close(heap);
    return count;
}

static inline pid_t
snapshot_child(struct world *w, gbx_future *snapshot)
{
    gbx_usage usage = GBX_USAGE_INIT;
    pid_t child = 0;

    cr_assert_eq(gbx_isolate_usage(w->isolate, &usage), GBX_OK);
    while (child == 0 && gbx_future_wait(snapshot, 1000, NULL) == GBX_EBUSY)
        child = process_child((pid_t)usage.pid);
    cr_assert_neq(child, 0, "it was done before it was seen");
    return child;
}

#endif
