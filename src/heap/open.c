/* open.c - a snapshot from a file to the last of its numbers, on two threads. */
#include "base/error.h"
#include "base/fd.h"
#include "heap/classes.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>

gbx_status
heap_read_options(
    gbx_heap_options *dst, const gbx_heap_options *src, uint32_t known, gbx_error *error)
{
    memset(dst, 0, sizeof *dst);
    if (src == NULL)
        return GBX_OK;
    if (src->size < sizeof src->size + sizeof src->flags || src->size > OPTIONS_BYTES_MAX)
        return fail(error, GBX_EINVAL, "options.size is not that of gbx_heap_options");
    for (size_t i = sizeof *dst; i < src->size; i++)
        if (((const unsigned char *)src)[i] != 0)
            return fail(error, GBX_EUNSUPPORTED, "options has a field that is not known here");
    memcpy(dst, src, src->size < sizeof *dst ? src->size : sizeof *dst);
    if ((dst->flags & ~known) != 0)
        return fail(error, GBX_EINVAL, "options.flags has a bit that is not known");
    return GBX_OK;
}

void
gbx_heap_close(gbx_heap *h)
{
    if (h == NULL)
        return;
    uint32_t n = h->node_count, e = h->edge_count;
    memory_free(h->node_type, n, sizeof *h->node_type);
    memory_free(h->node_name, n, sizeof *h->node_name);
    memory_free(h->node_id, n, sizeof *h->node_id);
    memory_free(h->shallow, n, sizeof *h->shallow);
    memory_free(h->detached, n, sizeof *h->detached);
    memory_free(h->first_edge, (size_t)n + 1, sizeof *h->first_edge);
    memory_free(h->edge_type, e, sizeof *h->edge_type);
    memory_free(h->edge_name, e, sizeof *h->edge_name);
    memory_free(h->edge_to, e, sizeof *h->edge_to);
    memory_free(h->locations, h->location_capacity, sizeof *h->locations);
    memory_free(h->pairs.named, bit_words(h->pairs.strings), sizeof *h->pairs.named);
    memory_free(h->pairs.pair, h->pairs.strings, sizeof *h->pairs.pair);
    memory_free(h->pairs.table, h->pairs.strings, sizeof *h->pairs.table);
    memory_free(h->page_owned, bit_words(n), sizeof *h->page_owned);
    memory_free(h->distance, n, sizeof *h->distance);
    memory_free(h->dominator, n, sizeof *h->dominator);
    memory_free(h->retained, n, sizeof *h->retained);
    memory_free(h->context, n, sizeof *h->context);
    classes_done(&h->classes, n);
    shapes_done(h);
    strings_done(&h->strings);
    heap_forget_answers(h);
    free(h);
}

/* One thread finds what keeps what alive, and another what things are called and how far away they
 * are, which takes as long. First each makes what both need; the pairs and marks of the one read
 * strings, and the other then adds some. */
struct half {
    struct gbx_heap *heap;
    bool (*begin)(struct gbx_heap *h);
    bool (*end)(struct gbx_heap *h);
    bool begun, ended;
};

struct halves {
    struct half retained, named;
    pthread_barrier_t begun;
};

static bool
begin_retained(struct gbx_heap *h)
{
    return heap_find_pairs(h) && heap_begin_page_owned(h);
}

static bool
end_retained(struct gbx_heap *h)
{
    struct dominators dominators = { 0 };
    bool ok = heap_mark_page_owned(h) && heap_find_dominators(h, &dominators) &&
              heap_sum_retained(h, &dominators);

    scratch_done(&dominators.scratch);
    return ok;
}

static bool
end_named(struct gbx_heap *h)
{
    return heap_measure_distances(h) && heap_name_classes(h) && heap_find_shapes(h) &&
           heap_attribute_contexts(h);
}

static void
run_half(struct halves *halves, struct half *half)
{
    half->begun = half->begin(half->heap);
    (void)pthread_barrier_wait(&halves->begun);
    half->ended = halves->retained.begun && halves->named.begun && half->end(half->heap);
}

static void *
run_named(void *data)
{
    struct halves *halves = data;

    run_half(halves, &halves->named);
    return NULL;
}

/* False: no thread could be had, and nothing was done. */
static bool
compute_in_halves(struct gbx_heap *h, bool *out_ok)
{
    struct halves halves = { .retained = { h, begin_retained, end_retained, false, false },
        .named = { h, heap_move_shallow, end_named, false, false } };
    pthread_t thread;

    if (pthread_barrier_init(&halves.begun, NULL, 2) != 0)
        return false;
    bool started = pthread_create(&thread, NULL, run_named, &halves) == 0;
    if (started) {
        run_half(&halves, &halves.retained);
        (void)pthread_join(thread, NULL);
        *out_ok = halves.retained.ended && halves.named.ended;
    }
    (void)pthread_barrier_destroy(&halves.begun);
    return started;
}

static bool
compute(struct gbx_heap *h, const gbx_heap_options *options)
{
    bool ok = heap_spread_detachedness(h);

    if (ok && (options->flags & GBX_HEAP_ONE_THREAD) == 0 &&
        h->node_count >= HEAP_THREAD_NODES && compute_in_halves(h, &ok))
        return ok;
    return ok && begin_retained(h) && heap_move_shallow(h) && end_retained(h) && end_named(h);
}

/* Takes the source over. */
static gbx_status
load_source(struct source *source, const gbx_heap_options *options, gbx_heap **out_heap,
    gbx_error *error)
{
    struct reader reader;
    gbx_status status = source_unpack(&source, error);
    gbx_heap *h = status == GBX_OK ? calloc(1, sizeof *h) : NULL;

    if (status != GBX_OK)
        return status;
    status = reader_open(&reader, source, options, error);
    if (status == GBX_OK && h == NULL)
        status = fail(error, GBX_ENOMEM, "out of memory");
    if (status == GBX_OK && !heap_load(h, &reader, options))
        status = reader.status;
    reader_close(&reader);
    if (status != GBX_OK) {
        gbx_heap_close(h);
        return status;
    }
    *out_heap = h;
    return GBX_OK;
}

/* The rest of opening one that was loaded; takes it over. */
static gbx_status
finish(gbx_heap *h, const gbx_heap_options *options, gbx_heap **out_heap, gbx_error *error)
{
    if (!compute(h, options)) {
        gbx_heap_close(h);
        return fail(error, GBX_ENOMEM, "out of memory");
    }
    *out_heap = h;
    return GBX_OK;
}

gbx_status
heap_load_fd(int fd, const gbx_heap_options *options, gbx_heap **out_heap, gbx_error *error)
{
    struct source *source = NULL;
    GBX_AUTOFD copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

    if (copy < 0)
        return fail_errno(error, "cannot use descriptor %d", fd);
    gbx_status status = source_open_fd(copy, &source, error);
    if (status != GBX_OK)
        return status;
    (void)steal_fd(&copy);
    return load_source(source, options, out_heap, error);
}

gbx_status
gbx_heap_open_fd(
    int32_t fd, const gbx_heap_options *options, gbx_heap **out_heap, gbx_error *error)
{
    gbx_heap_options own;
    gbx_heap *h = NULL;
    gbx_status status = heap_read_options(&own, options, GBX_HEAP_ONE_THREAD, error);

    if (status == GBX_OK)
        status = heap_load_fd(fd, &own, &h, error);
    return status != GBX_OK ? status : finish(h, &own, out_heap, error);
}

gbx_status
gbx_heap_open_file(
    const char *path, const gbx_heap_options *options, gbx_heap **out_heap, gbx_error *error)
{
    GBX_AUTOFD fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return fail_errno(error, "cannot open %s", path);
    return gbx_heap_open_fd(fd, options, out_heap, error);
}

gbx_status
gbx_heap_open_memory(const void *bytes, uint64_t len, const gbx_heap_options *options,
    gbx_heap **out_heap, gbx_error *error)
{
    gbx_heap_options own;
    struct source *source = NULL;
    gbx_heap *h = NULL;
    gbx_status status = heap_read_options(&own, options, GBX_HEAP_ONE_THREAD, error);

    if (status == GBX_OK)
        status = source_open_memory(bytes, len, &source, error);
    if (status == GBX_OK)
        status = load_source(source, &own, &h, error);
    return status != GBX_OK ? status : finish(h, &own, out_heap, error);
}
