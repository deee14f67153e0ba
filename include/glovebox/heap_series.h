/* glovebox/heap_series.h - many heap snapshots of one program, one after the other. Of
 * libglovebox-heap.
 *
 * A series keeps sums only, so that a snapshot can be closed before the next one is opened. */
#ifndef GLOVEBOX_HEAP_SERIES_H
#define GLOVEBOX_HEAP_SERIES_H

#include <glovebox/heap.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gbx_heap_series gbx_heap_series;

/**
 * Begins a series without snapshots.
 *
 * @param out_series  set only on GBX_OK; release with gbx_heap_series_close().
 * @return GBX_OK; GBX_ENOMEM.
 * @threads any.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_heap_series_open(GBX_OWN gbx_heap_series **out_series);

/**
 * Frees a series and all that it lent. NULL is fine.
 *
 * @threads one, when no other uses it.   @since 0.1
 */
GBX_API void gbx_heap_series_close(GBX_OWN gbx_heap_series *series);

/**
 * Appends the sums of a snapshot: those of gbx_heap_summary().
 *
 * @param heap  needed during the call only.
 * @return GBX_OK; GBX_ENOMEM: the series is as it was.
 * @blocks as gbx_heap_summary() does.   @threads one at a time, for both.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_heap_series_add(
    GBX_BORROW gbx_heap_series *series, GBX_BORROW gbx_heap *heap);

typedef struct gbx_heap_point {
    uint64_t count;             /* nodes */
    uint64_t shallow, retained; /* bytes */
} gbx_heap_point;

typedef struct gbx_heap_trend {
    uint32_t class_index;  /* for gbx_heap_series_name() */
    uint32_t script;       /* where the constructor is; 0: unknown */
    uint32_t line, column; /* counted from 1 */
    int64_t slope;         /* bytes of retained size that a snapshot adds: least squares */
    const gbx_heap_point
        *points; /* one for each snapshot, in the order of the series; zeroes where
                                     it has none of the class. Lent as the row is */
} gbx_heap_trend;

/**
 * Lends a row for each class of any of the snapshots. Classes are the same if their name and the
 * place of their constructor are.
 *
 * @param out_rows    until the next gbx_heap_series_add() or the series is closed; steepest first.
 * @param out_count   how many.
 * @param out_points  how many snapshots there are; each row has as many points.
 * @return GBX_OK; GBX_ENOMEM: it is made at the first call.
 * @threads one at a time.   @since 0.1
 */
GBX_API gbx_status gbx_heap_series_trends(GBX_BORROW gbx_heap_series *series,
    GBX_BORROW const gbx_heap_trend **out_rows, uint32_t *out_count, uint32_t *out_points);

/**
 * Writes the name of a class.
 *
 * @param class_index  of gbx_heap_trend.
 * @param out          as for gbx_heap_node_name().
 * @param size         likewise.
 * @return bytes of the whole text, without the NUL.
 * @threads any, while none adds.   @since 0.1
 */
GBX_API uint64_t gbx_heap_series_name(GBX_BORROW const gbx_heap_series *series,
    uint32_t class_index, GBX_BORROW char *out, uint64_t size);

#ifdef __cplusplus
}
#endif
#endif
