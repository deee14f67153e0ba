/* glovebox/usage.h - what isolates and calls cost.
 *
 * The host's own measurements and the kernel's, which no guest can forge, but for
 * gbx_isolate_statistics(), which is V8's word.
 */
#ifndef GLOVEBOX_USAGE_H
#define GLOVEBOX_USAGE_H

#include <glovebox/isolate.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What an isolate has cost so far. Fields are only ever appended. */
typedef struct gbx_usage {
    uint32_t size;           /* GBX_USAGE_INIT sets it */
    uint32_t pid;            /* of the cell, in the host's pid namespace; 0: dead */
    uint64_t cpu_us;         /* user and system, of all threads; from the kernel */
    uint64_t resident_bytes; /* resident memory, what the template shares included */
    uint64_t sent_bytes;     /* to the cell */
    uint64_t received_bytes; /* from it */
    uint64_t cpu_user_us;    /* of cpu_us, what the kernel counts as user's; its steps: 10 ms */
    uint64_t cpu_system_us;  /* likewise */
    uint64_t lived_us;       /* wall clock, since it was opened */
    uint64_t host_us;        /* wall clock, in host functions that the guest called; nested ones
                              * count once */
    uint64_t host_calls;     /* count of them */
    uint64_t references;     /* to guest values that are open: count */
} gbx_usage;
#define GBX_USAGE_INIT                                     \
    {                                                      \
        sizeof(gbx_usage), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 \
    }

/**
 * Reads what the isolate has used so far, from the kernel: also while it runs, and nothing that
 * the guest could forge. About 10 us.
 *
 * @param out_usage  `size` set by the caller.
 * @return GBX_OK, GBX_EINVAL, GBX_EDISPOSED when the isolate is dead.
 * @threads one at a time.   @since 0.1
 */
GBX_API gbx_status gbx_isolate_usage(
    GBX_BORROW gbx_isolate *isolate, GBX_BORROW gbx_usage *out_usage);

/* The memory of a cell's process, in bytes. Fields are only ever appended. */
typedef struct gbx_memory {
    uint32_t size;                /* GBX_MEMORY_INIT sets it */
    uint32_t reserved;            /* 0 */
    uint64_t resident_bytes;      /* now, what it shares with its template included */
    uint64_t resident_peak_bytes; /* the most that it ever was */
    uint64_t private_bytes;       /* of them, what only this cell has */
    uint64_t proportional_bytes;  /* PSS: each page divided by the number of its users */
    uint64_t page_table_bytes;    /* which the kernel needs besides */
} gbx_memory;
#define GBX_MEMORY_INIT                      \
    {                                        \
        sizeof(gbx_memory), 0, 0, 0, 0, 0, 0 \
    }

/**
 * Measures the memory of the isolate's process, as the kernel sees it (/proc/PID/smaps_rollup and
 * status). The kernel walks its page tables for that: a big isolate takes longer.
 *
 * @param out_memory  `size` set by the caller. private_bytes and proportional_bytes are 0 where
 *                    the kernel doesn't tell: a host that is not root may not look into a cell.
 * @return GBX_OK, GBX_EINVAL, GBX_EDISPOSED when the isolate is dead, GBX_ESYS without a /proc.
 * @threads one at a time.   @since 0.1
 */
GBX_API gbx_status gbx_isolate_memory(
    GBX_BORROW gbx_isolate *isolate, GBX_BORROW gbx_memory *out_memory);

/**
 * Asks the cell for V8's heap statistics; answered also while a script runs.
 *
 * @return a future of an object with the numbers heapUsed, heapPeak, heapTotal, heapLimit,
 *         malloced, external, externalPeak, code (bytes), contexts, detachedContexts,
 *         references, collections (counts) and collectionTime (microseconds). heapPeak is the
 *         most at the begin of a collection, or when it was asked for. Claims of the cell: show
 *         them, don't rely on them.
 * @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_future *gbx_isolate_statistics(GBX_BORROW gbx_isolate *isolate);

/* What one call has cost, from its turn (the cell takes calls one after the other) to its answer.
 * Of calls that wait for promises at the same time, each is told what passed while it was open.
 * Fields are only ever appended. */
typedef struct gbx_call_usage {
    uint32_t size;           /* GBX_CALL_USAGE_INIT sets it */
    uint32_t host_calls;     /* count of host functions that the guest called */
    uint64_t wall_us;        /* wall clock */
    uint64_t cpu_us;         /* CPU time of the cell, user and system; from the kernel */
    uint64_t host_us;        /* wall clock, in those host functions */
    uint64_t sent_bytes;     /* the call itself, and answers of host functions */
    uint64_t received_bytes; /* the answer, and calls of host functions */
} gbx_call_usage;
#define GBX_CALL_USAGE_INIT                      \
    {                                            \
        sizeof(gbx_call_usage), 0, 0, 0, 0, 0, 0 \
    }

/**
 * Tells what a call that was made with GBX_MEASURE has cost.
 *
 * @param out_usage  `size` set by the caller.
 * @return GBX_OK, GBX_EBUSY while it is open, GBX_EINVAL if it was not to be measured, or
 * was refused at once.
 * @threads one at a time.   @since 0.1
 */
GBX_API gbx_status gbx_future_usage(
    GBX_BORROW const gbx_future *future, GBX_BORROW gbx_call_usage *out_usage);

#ifdef __cplusplus
}
#endif
#endif
