/* bench_heap.c - opens a snapshot and asks it, and says as JSON how long each took. See
 * heap.mjs. */
#include "base/clock.h"

#include <glovebox/heap.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static double
ms_since(uint64_t start)
{
    return (double)(now_ns() - start) / 1e6;
}

static void
say(const char *name, uint64_t start)
{
    (void)printf(",\"%s_ms\":%.3f", name, ms_since(start));
}

static double
read_plainly(const char *path)
{
    static char window[128 * 1024];
    uint64_t start = now_ns();
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    while (fd >= 0 && read(fd, window, sizeof window) > 0)
        continue;
    if (fd >= 0)
        (void)close(fd);
    return ms_since(start);
}

static gbx_heap *
open_heap(const char *path, uint32_t flags)
{
    gbx_heap_options options = GBX_HEAP_OPTIONS_INIT;
    gbx_error error = GBX_ERROR_INIT;
    gbx_heap *heap = NULL;

    options.flags = flags;
    if (gbx_heap_open_file(path, &options, &heap, &error) != GBX_OK) {
        (void)fprintf(stderr, "bench_heap: %s\n", error.message);
        exit(1);
    }
    return heap;
}

static void
ask(gbx_heap *heap)
{
    gbx_heap_totals totals;
    const gbx_heap_class *classes = NULL;
    const uint32_t *nodes = NULL;
    uint32_t *path = NULL, count = 0, node = 0;
    gbx_heap_same *same = NULL;
    gbx_heap_change *changes = NULL;
    uint64_t start = now_ns();

    (void)gbx_heap_get_totals(heap, &totals);
    say("totals", start);
    start = now_ns();
    (void)gbx_heap_summary(heap, &classes, &count);
    say("summary", start);
    start = now_ns();
    if (gbx_heap_duplicates(heap, &same, &count) == GBX_OK)
        free(same);
    say("strings", start);
    start = now_ns();
    (void)gbx_heap_find(heap, 1, &node);
    say("ids", start);
    start = now_ns();
    if (gbx_heap_path(heap, totals.nodes - 1, &path, &count) == GBX_OK)
        free(path);
    say("path", start);
    start = now_ns();
    (void)gbx_heap_dominated(heap, 0, &nodes, &count);
    say("dominators", start);
    start = now_ns();
    if (gbx_heap_diff(heap, heap, &changes, &count) == GBX_OK)
        free(changes);
    say("diff", start);
}

int
main(int argc, char **argv)
{
    struct rusage usage;

    if (argc != 2)
        return 2;
    double read_ms = read_plainly(argv[1]);
    uint64_t start = now_ns();
    gbx_heap *heap = open_heap(argv[1], 0);
    double open_ms = ms_since(start);
    (void)getrusage(RUSAGE_SELF, &usage);
    (void)printf("{\"read_ms\":%.3f,\"open_ms\":%.3f,\"open_rss\":%.0f", read_ms, open_ms,
        (double)usage.ru_maxrss * 1024);
    ask(heap);
    gbx_heap_close(heap);
    start = now_ns();
    heap = open_heap(argv[1], GBX_HEAP_ONE_THREAD);
    say("one_thread", start);
    gbx_heap_close(heap);
    (void)printf("}\n");
    return 0;
}
