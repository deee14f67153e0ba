/* glovebox/snapshot.h - heap snapshots of an isolate, also of one that runs. */
#ifndef GLOVEBOX_SNAPSHOT_H
#define GLOVEBOX_SNAPSHOT_H

#include <glovebox/isolate.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    GBX_SNAPSHOT_BACKGROUND = 0, /* a forked child writes it while the guest goes on */
    GBX_SNAPSHOT_ATTACHED = 1    /* the cell writes it; the guest stands still */
};

enum gbx_snapshot_flags {
    /* Objects keep their ids from one such snapshot of the isolate to the next, so that DevTools
     * and gbx_heap_diff() can compare the two. The guest stands still for a garbage collection and
     * for a walk over its heap first; from then on each object has an entry of some 60 bytes in the
     * cell, which does not count as the guest's. */
    GBX_SNAPSHOT_STABLE_IDS = 1,
    /* A zstd frame, compressed by the process that writes it: a tenth of the bytes. */
    GBX_SNAPSHOT_ZSTD = 2,
    /* While another one of the isolate is under way, this one waits for its turn; without it, it
     * ends with GBX_ELIMIT. */
    GBX_SNAPSHOT_QUEUE = 4,
};

/* A piece of the snapshot, in order: `len` bytes of JSON, or of a zstd frame. Answer GBX_OK to go
 * on. GBX_EBUSY: nothing was taken, and it comes again after gbx_heap_snapshot_resume(); a
 * background snapshot's writer waits meanwhile. Anything else gives up: that is then how the future
 * ends, as it is with GBX_EBUSY for an attached one, whose guest must not wait. While a sink itself
 * waits or dispatches, a background snapshot stands still, and of an attached one the sink is
 * called again with the pieces that follow. */
typedef gbx_status (*gbx_snapshot_sink)(const void *piece, size_t len, void *data);

/* How far it is, now and then: `percent` of the object graph, as the cell says, and bytes that were
 * written. */
typedef void (*gbx_snapshot_progress)(uint32_t percent, uint64_t bytes, void *data);

/* Where the snapshot goes: exactly one of `path`, `fd` and `sink`. */
typedef struct gbx_snapshot_options {
    uint32_t size;    /* GBX_SNAPSHOT_OPTIONS_INIT sets it */
    uint32_t mode;    /* GBX_SNAPSHOT_* */
    const char *path; /* borrowed; created or replaced when the snapshot is whole, and only
                       * then */
    gbx_snapshot_sink sink; /* called inside gbx_runtime_dispatch() and waits */
    void *data;             /* borrowed; handed to it and to on_progress */
    int32_t fd;          /* borrowed until the future is finished; -1: none. It should block */
    uint32_t flags;      /* set of enum gbx_snapshot_flags */
    uint64_t timeout_us; /* from its turn on; then it ends with GBX_ETIMEOUT. 0: 10 minutes */
    uint64_t memory_bytes; /* in the background: that its child may need beyond what the isolate
                            * may; 0: 24 times the memory limit and 256 MiB; at most: 64 times */
    gbx_snapshot_progress
        on_progress; /* called inside gbx_runtime_dispatch() and waits; NULL */
} gbx_snapshot_options;
#define GBX_SNAPSHOT_OPTIONS_INIT                                                             \
    {                                                                                         \
        sizeof(gbx_snapshot_options), GBX_SNAPSHOT_BACKGROUND, NULL, NULL, NULL, -1, 0, 0, 0, \
            NULL                                                                              \
    }

/**
 * Takes a heap snapshot of the isolate: V8's .heapsnapshot JSON, as DevTools loads it.
 *
 * In the background the guest is interrupted for one fork and goes on; also while a script
 * runs. Attached, the snapshot waits for what runs to end. It is streamed: the host never holds
 * it. One snapshot of an isolate at a time: another one ends with GBX_ELIMIT, or waits
 * (GBX_SNAPSHOT_QUEUE). For one at the memory limit see gbx_isolate_options.limit_snapshot.
 *
 * @param options  copied.
 * @return a future of the number of bytes written; GBX_ESYS with the reason when the file
 * cannot be written or the child could not go on, GBX_ETIMEOUT, GBX_ETERMINATED when it was
 * cancelled; nothing is left behind then.
 * @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_future *gbx_heap_snapshot(
    GBX_BORROW gbx_isolate *isolate, GBX_BORROW const gbx_snapshot_options *options);

/**
 * Gives up a snapshot, which ends with GBX_ETERMINATED. The guest goes on.
 *
 * One in the background ends as soon as its child has: then the next can be taken.
 *
 * @param future  of a gbx_heap_snapshot(); nothing happens if it is finished.
 * @return GBX_OK, GBX_EINVAL for the future of something else that is open.
 * @threads one at a time.   @since 0.1
 */
GBX_API gbx_status gbx_heap_snapshot_cancel(GBX_BORROW gbx_future *future);

/**
 * Offers its sink again the piece for which it had no room (GBX_EBUSY), and goes on.
 *
 * @param future  of a gbx_heap_snapshot(); nothing happens if its sink holds nothing up.
 * @return GBX_OK, GBX_EINVAL for the future of something else that is open.
 * @threads one at a time, and not from within the sink.   @since 0.1
 */
GBX_API gbx_status gbx_heap_snapshot_resume(GBX_BORROW gbx_future *future);

#ifdef __cplusplus
}
#endif
#endif
