/* bench_heap.c - opens a snapshot and asks it, or takes the stages of opening it one by one, and
 * says as JSON how long each took. See heap.mjs.
 *
 * usage: bench_heap [--stages] FILE
 *        bench_heap --touch BYTES
 */
#include "base/clock.h"
#include "heap/heap.h"

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

/* --- stages ----------------------------------------------------------------------------- */

/* The section that is being read. */
struct section {
    const char *name;
    uint64_t start, begin; /* when, and at which byte */
};

static int32_t
note_section(const char *name, uint64_t done, uint64_t total, void *data)
{
    struct section *section = data;

    (void)total;
    if (section->name != NULL && strcmp(name, section->name) == 0)
        return 0;
    uint64_t now = now_ns();
    if (section->name != NULL)
        (void)printf("[\"%s\",%.3f,%llu],", section->name, (double)(now - section->start) / 1e6,
            (unsigned long long)(done - section->begin));
    *section = (struct section){ name, now, done };
    return 0;
}

static void
must(bool ok)
{
    if (ok)
        return;
    (void)fprintf(stderr, "bench_heap: out of memory\n");
    exit(1);
}

static void
sum_retained(struct gbx_heap *h)
{
    struct dominators dominators = { 0 };
    uint64_t start = now_ns();

    must(heap_find_dominators(h, &dominators));
    (void)printf("[\"dominators\",%.3f],", ms_since(start));
    start = now_ns();
    must(heap_sum_retained(h, &dominators));
    (void)printf("[\"retained sizes\",%.3f]", ms_since(start));
    scratch_done(&dominators.scratch);
}

/* Each on this thread: [name, ms, bytes of the file, if it reads a part of it]. */
static void
take_stages(const char *path)
{
    static const struct {
        const char *name;
        bool (*run)(struct gbx_heap *h);
    } stages[] = { { "detachedness", heap_spread_detachedness },
        { "pairs of WeakMaps", heap_find_pairs }, { "roots", heap_begin_page_owned },
        { "shallow sizes", heap_move_shallow }, { "distances", heap_measure_distances },
        { "classes", heap_name_classes }, { "shapes", heap_find_shapes },
        { "native contexts", heap_attribute_contexts },
        { "the page's own", heap_mark_page_owned } };
    struct section section = { NULL, 0, 0 };
    gbx_heap_options options = GBX_HEAP_OPTIONS_INIT;
    gbx_error error = GBX_ERROR_INIT;
    gbx_heap *heap = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    options.progress = note_section;
    options.data = &section;
    (void)printf("[");
    if (heap_load_fd(fd, &options, &heap, &error) != GBX_OK) {
        (void)fprintf(stderr, "bench_heap: %s\n", error.message);
        exit(1);
    }
    (void)note_section("end", heap->file_bytes, 0, &section);
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++) {
        uint64_t start = now_ns();
        must(stages[i].run(heap));
        (void)printf("[\"%s\",%.3f],", stages[i].name, ms_since(start));
    }
    sum_retained(heap);
    (void)printf("]\n");
    gbx_heap_close(heap);
    (void)close(fd);
}

/* Has memory that is touched at first, and gives it back. */
static void
touch(const char *text)
{
    size_t bytes = strtoul(text, NULL, 10);
    volatile char *p = memory_new(bytes, 1);

    must(p != NULL);
    for (size_t i = 0; i < bytes; i += 4096)
        p[i] = 1;
}

int
main(int argc, char **argv)
{
    struct rusage usage;

    if (argc == 3 && strcmp(argv[1], "--stages") == 0) {
        take_stages(argv[2]);
        return 0;
    }
    if (argc == 3 && strcmp(argv[1], "--touch") == 0) {
        touch(argv[2]);
        return 0;
    }
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
