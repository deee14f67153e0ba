/* glovebox/isolate.h - an isolate in a process of its own, its limits, and how it died. */
#ifndef GLOVEBOX_ISOLATE_H
#define GLOVEBOX_ISOLATE_H

#include <glovebox/future.h>
#include <glovebox/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gbx_isolate gbx_isolate;

enum {
    GBX_CONSOLE_LOG = 0,
    GBX_CONSOLE_DEBUG = 1,
    GBX_CONSOLE_INFO = 2,
    GBX_CONSOLE_WARN = 3,
    GBX_CONSOLE_ERROR = 4
};

/* One console call of the guest, formatted as Node.js prints it, without a newline at the end.
 * `text` is `len` bytes of UTF-8, not NUL-terminated, lent for the call; written by the guest,
 * so it may hold control characters. At most 64 KiB; longer text arrives cut. */
typedef void (*gbx_console_callback)(
    gbx_isolate *isolate, uint32_t level, const char *text, size_t len, void *data);

/* Called once, when the isolate has died by itself; gbx_isolate_death() tells how. */
typedef void (*gbx_death_callback)(gbx_isolate *isolate, void *data);

/* A promise that the guest rejected and nobody handled, when the microtasks had run; what is
 * handled later is told all the same. All of it is lent for the call, and claimed by the cell. */
typedef struct gbx_rejection {
    uint32_t size;          /* of this struct */
    uint32_t call;          /* gbx_future_id() of the call that it happened in; 0: in none */
    const gbx_error *error; /* GBX_ETHROW; name, message, stack and place of the reason */
    const gbx_value *value; /* the reason; NULL: it cannot be copied, or takes over 64 KiB */
    uint64_t omitted; /* rejections that were not told, since the last that was: there were
                             * over 1024 at a time, or over 1000 in a second */
} gbx_rejection;

/* Called for each, before the call that it happened in finishes; just after it, if that waited for
 * a promise. */
typedef void (*gbx_rejection_callback)(
    gbx_isolate *isolate, const gbx_rejection *rejection, void *data);

/* What debuggers do with a guest. Its deadlines and CPU budgets rest while it is held. */
enum gbx_hold {
    GBX_HOLD_NONE = 0,
    GBX_HOLD_PAUSED = 1, /* at a breakpoint, or in the middle of a step */
    GBX_HOLD_WAITING = 2 /* before its first line: see GBX_ISOLATE_WAIT */
};

/* Called when that changes, `how` being an enum gbx_hold, as the cell says; inside
 * gbx_runtime_dispatch(), waits and gbx_inspector_close(). */
typedef void (*gbx_hold_callback)(gbx_isolate *isolate, uint32_t how, void *data);

enum gbx_isolate_flags {
    /* Lets V8's CPU profiler start its thread; without this, CDP's Profiler domain is refused. */
    GBX_ISOLATE_PROFILING = 1,
    /* Takes away the right to ask for a fork, and with it background heap snapshots. */
    GBX_ISOLATE_NO_FORK = 2,
    /* All randomness comes from `seed`: the same seed and the same calls give the same results and
     * the same heap, with the same engine and as far as the guest asks no clock that goes. */
    GBX_ISOLATE_SEEDED = 16,
    /* No eval(), no Function(): they throw an EvalError. */
    GBX_ISOLATE_NO_CODE_FROM_STRINGS = 32,
    /* No WebAssembly. */
    GBX_ISOLATE_NO_WASM = 64,
    /* No SharedArrayBuffer and no Atomics. Needs GBX_ISOLATE_NO_WASM, too: WebAssembly's memories
     * may be shared. */
    GBX_ISOLATE_NO_SHARED_MEMORY = 128,
    /* The first call that runs code waits until an inspector session sends
     * Runtime.runIfWaitingForDebugger; sessions that have Debugger enabled then break on its first
     * line. Calls can be terminated meanwhile. Not for templates; forks do not wait. */
    GBX_ISOLATE_WAIT = 256,
};

/* What Date, Intl, Temporal and console.time() go by. Timeouts of Atomics pass in real time. */
enum gbx_clock {
    GBX_CLOCK_REAL = 0,
    GBX_CLOCK_COARSE = 1, /* the real time, in steps of `clock_us` */
    GBX_CLOCK_SET = 2     /* `clock_us` since 1970, frozen but for gbx_isolate_set_clock() */
};

/* Zero always means the default. Fields are only ever appended. */
typedef struct gbx_isolate_options {
    uint32_t size;               /* GBX_ISOLATE_OPTIONS_INIT sets it */
    uint32_t flags;              /* set of enum gbx_isolate_flags */
    uint64_t memory_limit_bytes; /* heap, buffers, wasm, code and what V8 takes from malloc
                                  * together; 0: 128 MiB; 8 MiB to 16 GiB. One value that the
                                  * guest hands out may cost the host no more either */
    uint64_t stack_limit_bytes;  /* of the guest's native stack; 0: V8's own, about 1 MB;
                                  * 64 KiB to 4 MiB */
    uint64_t timeout_us;         /* default deadline of a call, wall clock; 0: none */
    uint64_t cpu_us;             /* default CPU budget of a call; 0: none */
    const char *name;            /* for logs and debuggers; borrowed; at most 63 bytes of UTF-8;
                                  * NULL: "isolate" */
    gbx_console_callback on_console; /* NULL: what the guest prints is dropped in the cell */
    gbx_death_callback on_death;
    void *data;                          /* borrowed; handed to all of them */
    gbx_rejection_callback on_rejection; /* NULL: unhandled rejections are ignored */
    uint64_t seed;                       /* with GBX_ISOLATE_SEEDED */
    uint32_t clock;                      /* enum gbx_clock; 0: real */
    uint32_t reserved;                   /* 0 */
    uint64_t clock_us;     /* GBX_CLOCK_COARSE: 1 us to 1 h; GBX_CLOCK_SET: up to 8.64e18 */
    const char *time_zone; /* borrowed; "Europe/Berlin"; NULL: the machine's */
    const char *locale;    /* borrowed; a BCP 47 tag, "de-DE"; NULL: the engine's, en-US */
    gbx_hold_callback on_hold;
    /* How long debuggers may hold one call, all its pauses together; then the call ends with
     * GBX_ETIMEOUT, whose limit this is; 0: 1 h; GBX_NO_LIMIT: none. */
    uint64_t pause_limit_us;
    /* What it can be given of shared memory (shared.h): a list, borrowed, of memories, which the
     * isolate holds; at most 16. */
    struct gbx_shared *const *shared;
    uint64_t shared_count;
    /* Borrowed; a heap snapshot is written to this path when the guest reaches its memory limit,
     * before it dies of that, while its deadlines rest, for 10 minutes at most; compressed if the
     * name ends with ".zst". Forks of the isolate have none. NULL: none. */
    const char *limit_snapshot;
} gbx_isolate_options;
#define GBX_ISOLATE_OPTIONS_INIT                                                              \
    {                                                                                         \
        sizeof(gbx_isolate_options), 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0, \
            NULL, NULL, NULL, 0, NULL, 0, NULL                                                \
    }

/**
 * Opens an isolate: forks a cell from the warm template of these limits, or takes a pooled one.
 *
 * The first isolate with new limits makes their template (about 35 ms); later ones cost one
 * fork. No guest code runs.
 *
 * @param runtime      outlives the isolate, or is closed first: both are fine.
 * @param options      copied; NULL for all defaults.
 * @param out_isolate  set only on GBX_OK; release with gbx_isolate_close().
 * @param error        filled on failure only; may be NULL.
 * @return GBX_OK, GBX_EINVAL, GBX_EUNSUPPORTED, GBX_ENOMEM, GBX_EENGINE, GBX_ESYS, GBX_ELOST,
 *         GBX_EDISPOSED.
 * @blocks up to 10 s; usually about 0.3 ms.   @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_isolate_open(GBX_BORROW gbx_runtime *runtime,
    GBX_BORROW const gbx_isolate_options *options, GBX_OWN gbx_isolate **out_isolate,
    GBX_BORROW gbx_error *error);

/**
 * Sets the clock of an isolate with GBX_CLOCK_SET, for what runs after it: also for the rest of a
 * call, if a host function of it sets the clock.
 *
 * @param us  since 1970; up to 8.64e18, the latest date that JavaScript has.
 * @return a future of undefined; GBX_EINVAL for another clock.
 * @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_future *gbx_isolate_set_clock(
    GBX_BORROW gbx_isolate *isolate, uint64_t us);

/**
 * Kills the cell and frees the isolate. NULL is fine. Never fails.
 *
 * Its open futures finish with GBX_EDISPOSED; they, its contexts, references and sessions stay
 * allocated until their owners free them. May be called from a host function or callback of the
 * isolate itself.
 *
 * @threads one at a time.   @since 0.1
 */
GBX_API void gbx_isolate_close(GBX_OWN gbx_isolate *isolate);

/**
 * Ends whatever the isolate runs or waits for, with GBX_ETERMINATED; it can be used afterwards.
 *
 * A script is stopped within microseconds; a builtin that cannot be interrupted is ended with
 * its process after 100 ms, and the isolate is dead. Does nothing when nothing runs.
 *
 * @threads any, at any time, also in a signal handler, as long as the isolate is not closed.
 * @since 0.1
 */
GBX_API void gbx_isolate_terminate(GBX_BORROW gbx_isolate *isolate);

/* How an isolate died. Every number is the host's own measurement unless it says otherwise. */
typedef struct gbx_death {
    uint32_t size;     /* of this struct */
    gbx_status status; /* GBX_EMEMORY, GBX_ETIMEOUT, GBX_ECPU, GBX_ETERMINATED, GBX_ECRASHED,
                        * GBX_EPROTO, GBX_EVIOLATION, GBX_ELOST, GBX_ESEAL; GBX_ENOMEM: the host
                        * had no memory for what the cell said or must be told, and no way back */
    int32_t signal;    /* that ended the process; 0: none */
    int32_t exit_code; /* if it exited by itself, else -1 */
    uint32_t cause;    /* GBX_EMEMORY: enum below; else 0 */
    uint32_t reserved; /* 0 */
    uint64_t limit;    /* the limit that was passed: bytes or microseconds; 0: none */
    uint64_t measured; /* against it. GBX_EMEMORY: as the cell counted it */
    uint64_t cpu_us;   /* CPU time of the cell, user and system, in all its life */
    uint64_t resident_bytes; /* the most that was resident, what it shares with its template
                              * included; 0: unknown */
    uint64_t lived_us;       /* since it was opened */
    const char *message;     /* one line for people; lent like the struct */
    const char *stack; /* the guest's stack at the end, if it could be had; else "". Claimed by
                        * the cell */
    const char *last_function; /* the host function that the guest called last, or "" */
    const char *snapshot; /* the file of gbx_isolate_options.limit_snapshot, which is whole;
                                 * NULL: there is none */
    const char
        *snapshot_error; /* GBX_EMEMORY: why there is none though it was wanted; else "" */
} gbx_death;

enum {
    GBX_MEMORY_HEAP = 1,      /* V8's heap reached the limit */
    GBX_MEMORY_EXTERNAL = 2,  /* heap, buffers, wasm and code together */
    GBX_MEMORY_ALLOCATION = 3 /* the kernel refused more */
};

/**
 * Lends the death certificate of an isolate that died by itself.
 *
 * @return NULL while it lives; else valid until the isolate is closed.
 * @threads one at a time.   @since 0.1
 */
GBX_API const gbx_death *gbx_isolate_death(GBX_BORROW const gbx_isolate *isolate);

/**
 * Has V8 do a full garbage collection, when what runs now has ended. Guests cannot cause one.
 *
 * @return a future of undefined.
 * @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_future *gbx_isolate_collect(GBX_BORROW gbx_isolate *isolate);

#ifdef __cplusplus
}
#endif
#endif
