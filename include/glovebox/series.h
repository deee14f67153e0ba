/* glovebox/series.h - heap snapshots of a live isolate over time, into a store. Part of
 * libglovebox-store.
 *
 * Snapshots are taken in the background: the guest goes on. Nothing here starts a thread: a timer
 * is watched along with the runtime's cells, so whoever dispatches the runtime, or waits for a
 * future of it, lets the series go on.
 */
#ifndef GLOVEBOX_SERIES_H
#define GLOVEBOX_SERIES_H

#include <glovebox/isolate.h>
#include <glovebox/store.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gbx_series gbx_series;

/* One was taken, and is in the store; or failed, `entry` being NULL: `error` tells why, and the
 * series goes on. Called inside gbx_runtime_dispatch() and waits, which write the index before
 * that: some milliseconds, more if others hold it. Both are lent for the call. It may close the
 * series, and do anything but close the runtime. */
typedef void (*gbx_series_callback)(
    gbx_series *series, const gbx_store_entry *entry, const gbx_error *error, void *data);

enum gbx_series_flags {
    /* The guest is not stopped for a garbage collection and a walk over its heap before each, and
     * objects have other ids in each snapshot: they cannot be compared object by object. */
    GBX_SERIES_CHANGING_IDS = 1
};

/* Zero is the default. Fields are only ever appended. */
typedef struct gbx_series_options {
    uint32_t size;         /* sizeof(gbx_series_options); GBX_SERIES_OPTIONS_INIT sets it */
    uint32_t flags;        /* set of enum gbx_series_flags */
    const char *label;     /* borrowed; 1 to 63 bytes of UTF-8; NULL: the isolate's name */
    uint64_t every_us;     /* one so long after the begin of the last; 0: not by time; at least
                            * 100 ms */
    uint64_t growth_bytes; /* one when the resident memory of the isolate's process is so much
                            * more than it was when the last one had been taken, but no sooner
                            * than 1 s after that; 0: not by growth; at least 1 MiB */
    uint64_t timeout_us;   /* of each, as of gbx_snapshot_options */
    uint64_t memory_bytes; /* likewise */
    gbx_series_callback on_snapshot; /* may be NULL */
    void *data;                      /* borrowed; handed to it */
} gbx_series_options;
#define GBX_SERIES_OPTIONS_INIT                                     \
    {                                                               \
        sizeof(gbx_series_options), 0, NULL, 0, 0, 0, 0, NULL, NULL \
    }

/**
 * Begins a series of snapshots of an isolate. One that is due while another is under way, whoever
 * takes that, comes after it. When the isolate dies the series rests for ever.
 *
 * @param runtime     the isolate's; may be closed before the series.
 * @param isolate     likewise.
 * @param store       held by the series; open for writing. What it keeps is seen to after each.
 * @param options     copied; NULL for the defaults, which take none but by gbx_series_take().
 * @param out_series  set only on GBX_OK; release with gbx_series_close().
 * @param error       filled on failure only; may be NULL.
 * @return GBX_OK, GBX_EINVAL, GBX_EUNSUPPORTED, GBX_EDISPOSED: the isolate is dead, GBX_ENOMEM,
 *         GBX_ESYS.
 * @threads one at a time, as the runtime.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_series_open(GBX_BORROW gbx_runtime *runtime,
    GBX_BORROW gbx_isolate *isolate, GBX_BORROW gbx_store *store,
    GBX_BORROW const gbx_series_options *options, GBX_OWN gbx_series **out_series,
    gbx_error *error);

/**
 * Takes one now; on_snapshot tells when it is there, also when it failed at once, before this
 * returns.
 *
 * @return GBX_OK; GBX_EBUSY: one of the series is under way; GBX_EDISPOSED: the isolate is dead.
 * @threads one at a time, as the runtime.   @since 0.1
 */
GBX_API gbx_status gbx_series_take(GBX_BORROW gbx_series *series);

/**
 * Ends a series. One that is under way is given up, and leaves nothing. NULL is fine.
 *
 * @threads one at a time, as the runtime.   @since 0.1
 */
GBX_API void gbx_series_close(GBX_OWN gbx_series *series);

#ifdef __cplusplus
}
#endif
#endif
