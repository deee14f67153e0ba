/* glovebox/profile.h - where a guest's time and memory go. */
#ifndef GLOVEBOX_PROFILE_H
#define GLOVEBOX_PROFILE_H

#include <glovebox/snapshot.h>

#ifdef __cplusplus
extern "C" {
#endif

enum gbx_profile_kind {
    GBX_PROFILE_CPU = 0, /* .cpuprofile: where the time goes, by samples of the stack */
    GBX_PROFILE_HEAP = 1 /* .heapprofile: what allocated the memory that lives, by samples */
};

/* Where the profile goes: either `path` or `sink`. */
typedef struct gbx_profile_options {
    uint32_t size;          /* GBX_PROFILE_OPTIONS_INIT sets it */
    uint32_t kind;          /* enum gbx_profile_kind */
    uint64_t duration_us;   /* from when the cell has begun; 0: until gbx_profile_stop() */
    uint64_t interval;      /* between samples. CPU: microseconds; 0: 1000; 100 to 1000000.
                           * Heap: bytes allocated; 0: 512 KiB; 1 KiB to 1 GiB */
    const char *path;       /* borrowed; created or replaced when the profile is whole, and only
                           * then */
    gbx_snapshot_sink sink; /* called once, with all of it, inside gbx_runtime_dispatch() and
                             * waits */
    void *data;             /* borrowed; handed to it */
} gbx_profile_options;
#define GBX_PROFILE_OPTIONS_INIT                                             \
    {                                                                        \
        sizeof(gbx_profile_options), GBX_PROFILE_CPU, 0, 0, NULL, NULL, NULL \
    }

/**
 * Takes a profile of a live isolate, whatever it runs meanwhile: JSON as Chrome DevTools loads it.
 *
 * A call that ends at a limit does not end the profile; the death of the isolate does. One of a
 * kind at a time. While it lasts the isolate counts as inspected: it is not forked.
 *
 * @param options  copied.
 * @return a future of the number of bytes. GBX_EUNSUPPORTED: a CPU profile needs
 *         GBX_ISOLATE_PROFILING; GBX_ELIMIT: one is under way; GBX_EINVAL: the path is that of
 *         something else than a regular file; GBX_ESYS: the file cannot be
 *         written, or the cell did not hand it out; nothing is left behind then.
 * @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_future *gbx_profile(
    GBX_BORROW gbx_isolate *isolate, GBX_BORROW const gbx_profile_options *options);

/**
 * Ends a profile before its time. The future is finished when it is written.
 *
 * @param kind  enum gbx_profile_kind.
 * @return GBX_OK, GBX_EINVAL when there is none of that kind.
 * @threads one at a time.   @since 0.1
 */
GBX_API gbx_status gbx_profile_stop(GBX_BORROW gbx_isolate *isolate, uint32_t kind);

#ifdef __cplusplus
}
#endif
#endif
