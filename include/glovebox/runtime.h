/* glovebox/runtime.h - where isolates come from, and the event loop's way in.
 *
 * Threads: a runtime and everything made from it (isolates, contexts, futures, sessions, ...)
 * may be used by one thread at a time, whichever that is; the library starts none. Only
 * gbx_isolate_terminate() may be called from anywhere at any time. Different runtimes are
 * independent of each other.
 *
 * After a fork() of the host without exec, the child must not use the parent's runtimes.
 */
#ifndef GLOVEBOX_RUNTIME_H
#define GLOVEBOX_RUNTIME_H

#include <glovebox/status.h>

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gbx_runtime gbx_runtime;

/* Zero always means the default. Fields are only ever appended. */
typedef struct gbx_runtime_options {
    uint32_t size;      /* sizeof(gbx_runtime_options); GBX_RUNTIME_OPTIONS_INIT sets it */
    uint32_t pool;      /* cells kept forked ahead for each kind of isolate; 0: 2; at most 64;
                         * GBX_POOL_NONE: none */
    const char *engine; /* borrowed; prefix of a Node.js installation (its bin/node is the
                         * engine); NULL: the one that glovebox came with */
    uint32_t require;   /* enum gbx_require; 0: strict */
    uint32_t reserved;  /* 0 */
    const void *cache_key; /* 32 secret bytes, copied: the seal of code caches, which are good
                            * where the key is the same; whoever has it can make up machine code.
                            * NULL: a random one, whose caches are good for this runtime */
} gbx_runtime_options;
#define GBX_RUNTIME_OPTIONS_INIT                         \
    {                                                    \
        sizeof(gbx_runtime_options), 0, NULL, 0, 0, NULL \
    }
/* Which layers of the sandbox must hold, or there is no cell. What is not required is engaged
 * all the same where the machine lets it; see gbx_runtime_layer(). */
enum gbx_require {
    GBX_REQUIRE_STRICT = 0, /* what needs no privilege: the system-call filter, resource limits,
                             * no descriptors, no new privileges, a session of its own */
    GBX_REQUIRE_FULL = 1,   /* and namespaces, landlock, a user that is not root */
    GBX_REQUIRE_NONE = 2,   /* none: for tests and for code that is trusted */
};
#define GBX_POOL_NONE UINT32_MAX

/**
 * Opens a runtime: starts the zygote process, in which V8 is initialised once.
 *
 * @param options      copied; NULL for all defaults.
 * @param out_runtime  set only on GBX_OK; release with gbx_runtime_close().
 * @param error        filled on failure only; may be NULL.
 * @return GBX_OK, GBX_EINVAL, GBX_EUNSUPPORTED, GBX_EENGINE, GBX_ESEAL, GBX_ENOMEM, GBX_ESYS.
 * @blocks up to 10 s; usually about 40 ms, most of it V8's own start.   @threads any.   @since
 * 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_runtime_open(GBX_BORROW const gbx_runtime_options *options,
    GBX_OWN gbx_runtime **out_runtime, GBX_BORROW gbx_error *error);

/**
 * Ends every process of the runtime and frees it. NULL is fine. Never fails.
 *
 * Isolates that are still open die; they and their contexts, futures and sessions must still be
 * closed by their owners, before or after this, and answer GBX_EDISPOSED meanwhile. Not from inside
 * of a callback or host function: close isolates there.
 *
 * @blocks until the kernel has ended the processes: about 1 ms.   @threads one at a time.
 * @since 0.1
 */
GBX_API void gbx_runtime_close(GBX_OWN gbx_runtime *runtime);

/**
 * Lends a descriptor that poll(2), epoll(7) and every event loop can wait on: readable when
 * gbx_runtime_dispatch() has something to do. Don't read, write or close it. Inside a callback,
 * dispatch once (a timeout of 0 will do) before waiting on it.
 *
 * @return the descriptor; valid until the runtime is closed.
 * @threads one at a time.   @since 0.1
 */
GBX_API int gbx_runtime_fd(GBX_BORROW const gbx_runtime *runtime);

/**
 * Does what is due, without waiting: takes messages from cells, completes futures and calls
 * their callbacks, runs host functions that guests call, enforces deadlines, notices deaths.
 *
 * @param timeout_us  wait at most this long for something to do; 0: don't wait; negative: for
 *                    ever.
 * @return GBX_OK; GBX_EBUSY when nothing came within the timeout; GBX_ESYS.
 * @blocks up to `timeout_us`, and as long as the callbacks take.   @threads one at a time.
 * @since 0.1
 */
GBX_API gbx_status gbx_runtime_dispatch(GBX_BORROW gbx_runtime *runtime, int64_t timeout_us);

/**
 * Names the engine that runs: "14.6.202.34-node.34".
 *
 * @return lent until the runtime is closed.
 * @threads one at a time.   @since 0.1
 */
GBX_API const char *gbx_runtime_engine(GBX_BORROW const gbx_runtime *runtime);

/**
 * Names the files that cells run: the engine's binary, and the object that is loaded into it.
 *
 * @return absolute paths, lent until the runtime is closed.
 * @threads one at a time.   @since 0.1
 */
GBX_API const char *gbx_runtime_engine_path(GBX_BORROW const gbx_runtime *runtime);
GBX_API const char *gbx_runtime_cell_path(GBX_BORROW const gbx_runtime *runtime);

/* One layer of the sandbox around each cell of a runtime. */
typedef struct gbx_layer {
    const char *name;     /* "seccomp" */
    const char *cause;    /* why it usually cannot engage, for people */
    uint32_t engaged;     /* 1: it holds */
    uint32_t required_by; /* the weakest enum gbx_require that requires it: strict or full */
    int32_t os_errno;     /* why it does not hold; 0: it does, or was not tried */
    uint32_t reserved;    /* 0 */
} gbx_layer;

/**
 * Tells whether a layer of the sandbox holds, as found when the runtime's zygote sealed itself and
 * a cell for trial.
 *
 * @param index  0 for the first.
 * @return lent until the runtime is closed; NULL past the last layer.
 * @threads one at a time.   @since 0.1
 */
GBX_API const gbx_layer *gbx_runtime_layer(
    GBX_BORROW const gbx_runtime *runtime, uint32_t index);

/* The version of this header, and of the library that runs: major * 10000 + minor * 100 +
 * patch. */
#define GBX_VERSION 100

/**
 * The library's version, in the form of GBX_VERSION.
 *
 * @threads any.   @since 0.1
 */
GBX_API uint32_t gbx_version(void);

#ifdef __cplusplus
}
#endif
#endif
