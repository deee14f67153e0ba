/* glovebox/context.h - a global object, and code that runs in it. */
#ifndef GLOVEBOX_CONTEXT_H
#define GLOVEBOX_CONTEXT_H

#include <glovebox/isolate.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gbx_context gbx_context;

enum {
    GBX_AWAIT = 1, /* if the result is a promise, wait for it, under the same limits */
    GBX_RESULT_REFERENCE = 2, /* the result by reference: gbx_future_take_reference() */
    GBX_MODULE = 4,           /* the source is an ES module; it may not import yet */
    GBX_RESULT_IGNORE = 8,    /* the result is not wanted: undefined, whatever it is */
    GBX_MEASURE = 16,         /* keep an account of it: gbx_future_usage(); about 1 us more */
    GBX_ACCESSORS = 64,       /* of a reference: getters, setters and proxies may run */
    /* ArrayBuffers in the result leave the guest, which finds them detached afterwards; the bytes
     * cross without the copy that else is made of them first, so a guest needs no room for it.
     * Meant are those that the result is, views, or holds as a property, an item, or in a Map or
     * Set, at any depth, found by looking at 4096 of those, nearest first, without running code of
     * the guest's: what a getter yields is copied, as are buffers that are resizable or a
     * WebAssembly memory. If the result cannot be had, they stay. Nothing is shared: the host's
     * bytes are its own in either case. */
    GBX_RESULT_MOVE = 128
};

/* Zero always means the default. Fields are only ever appended. */
typedef struct gbx_call_options {
    uint32_t size;       /* GBX_CALL_OPTIONS_INIT sets it */
    uint32_t flags;      /* the bits above */
    uint64_t timeout_us; /* deadline of the whole call tree, wall clock: the code, its
                          * microtasks and what goes on after awaited host calls; 0: the
                          * isolate's; GBX_NO_LIMIT: none. Finalizers and timeouts of
                          * Atomics.waitAsync() belong to no call: together they may run for
                          * 1 s between two requests of the host */
    uint64_t cpu_us;     /* CPU budget of the same; rests while host functions run; likewise */
    const char *file; /* name of the source in stacks and debuggers; borrowed; at most 4 KiB of
                       * UTF-8; NULL: "<eval>" */
    uint32_t line;    /* of the source in its file, counted from 0 */
    uint32_t column;  /* likewise */
} gbx_call_options;
#define GBX_CALL_OPTIONS_INIT                         \
    {                                                 \
        sizeof(gbx_call_options), 0, 0, 0, NULL, 0, 0 \
    }
#define GBX_NO_LIMIT UINT64_MAX

/**
 * Lends the isolate's own context, which is there from the start.
 *
 * @return valid until the isolate is closed; don't close it.
 * @threads one at a time.   @since 0.1
 */
GBX_API gbx_context *gbx_isolate_context(GBX_BORROW gbx_isolate *isolate);

/**
 * Opens another context: a fresh global object in the same heap, under the same limits.
 *
 * @param out_context  set only on GBX_OK; release with gbx_context_close().
 * @param error        filled on failure only; may be NULL.
 * @return GBX_OK, GBX_ELIMIT at 1024 contexts, GBX_EDISPOSED when the isolate is dead, GBX_ENOMEM.
 *         What goes wrong in the cell shows in the futures of the context.
 * @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_context_open(GBX_BORROW gbx_isolate *isolate,
    GBX_OWN gbx_context **out_context, GBX_BORROW gbx_error *error);

/**
 * Releases a context that gbx_context_open() made. NULL is fine.
 *
 * What the guest has begun there and waits with, for a promise, an import or a host function, ends
 * with GBX_EDISPOSED. What runs without waiting ends first.
 *
 * @threads one at a time.   @since 0.1
 */
GBX_API void gbx_context_close(GBX_OWN gbx_context *context);

/**
 * Runs source text.
 *
 * @param source   `len` bytes of UTF-8 (invalid sequences become U+FFFD), copied; at most 256
 * MiB.
 * @param options  copied; NULL for all defaults.
 * @return a future of the completion value, by copy; of undefined for a module.
 * @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_future *gbx_context_eval(GBX_BORROW gbx_context *context,
    GBX_BORROW const char *source, size_t len, GBX_BORROW const gbx_call_options *options);

/**
 * Runs source text as the body of a function, so that it may `return`, and takes arguments.
 *
 * The function sees the globals of the context, and its arguments as `$0`, `$1`, ...; positions in
 * stacks are those of the text alone.
 *
 * @param source     as in gbx_context_eval(). It must be a whole body: it cannot end the function.
 * @param arguments  `count` values, copied; the caller keeps them. At most 4096.
 * @param options    copied; NULL for all defaults. With GBX_AWAIT the function is async: the text
 *                   may `await`, and what it returns is waited for. GBX_MODULE does not apply.
 * @return a future of what it returned, by copy.
 * @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_future *gbx_context_eval_closure(GBX_BORROW gbx_context *context,
    GBX_BORROW const char *source, size_t len, GBX_BORROW const gbx_value *const *arguments,
    size_t count, GBX_BORROW const gbx_call_options *options);

/**
 * Calls a function of the guest.
 *
 * @param path       dotted names from the global object, NUL-terminated: "app.handlers.run";
 * `this` is the object that holds the last one.
 * @param arguments  `count` values, copied; the caller keeps them. At most 4096.
 * @param options    copied; NULL for all defaults; `file`, `line`, `column` don't apply.
 * @return a future of what it returned, by copy. GBX_EINVAL: nothing has this path; GBX_ETHROW, a
 *         TypeError: what has it is no function.
 * @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_future *gbx_context_call(GBX_BORROW gbx_context *context,
    GBX_BORROW const char *path, GBX_BORROW const gbx_value *const *arguments, size_t count,
    GBX_BORROW const gbx_call_options *options);

/**
 * Reads a property of the global object, or of an object below it.
 *
 * @param path     as in gbx_context_call().
 * @param options  likewise. With GBX_RESULT_REFERENCE, a function to call many times.
 * @return a future of its value; of undefined if there is none. GBX_EINVAL: there is no object that
 *         could have it.
 * @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_future *gbx_context_get(GBX_BORROW gbx_context *context,
    GBX_BORROW const char *path, GBX_BORROW const gbx_call_options *options);

/**
 * Sets a property of the global object, or of an object below it that exists.
 *
 * As an assignment in sloppy code does it: setters run, and a property that cannot be written
 * stays as it is.
 *
 * @param path   as in gbx_context_call().
 * @param value  copied; the caller keeps it.
 * @return a future of undefined. GBX_EINVAL: there is no object that could have the property.
 * @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_future *gbx_context_set(GBX_BORROW gbx_context *context,
    GBX_BORROW const char *path, GBX_BORROW const gbx_value *value);

/**
 * gbx_context_eval(), waited for: the commonest call in one line.
 *
 * @param source     NUL-terminated UTF-8.
 * @param options    copied; NULL for all defaults.
 * @param out_value  the completion value; free it with gbx_value_free(). NULL: not wanted,
 *                   as with GBX_RESULT_IGNORE. Untouched on failure.
 * @param error      filled on failure only; may be NULL.
 * @return as gbx_future_status().
 * @blocks until it has run.   @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_eval(GBX_BORROW gbx_context *context,
    GBX_BORROW const char *source, GBX_BORROW const gbx_call_options *options,
    GBX_OWN gbx_value **out_value, GBX_BORROW gbx_error *error);

/**
 * gbx_context_call(), waited for.
 *
 * @param path       as in gbx_context_call(), like `arguments` and `count`.
 * @param out_value  as in gbx_eval().
 * @param error      filled on failure only; may be NULL.
 * @return as gbx_future_status().
 * @blocks until it has run.   @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_call(GBX_BORROW gbx_context *context,
    GBX_BORROW const char *path, GBX_BORROW const gbx_value *const *arguments, size_t count,
    GBX_OWN gbx_value **out_value, GBX_BORROW gbx_error *error);

#ifdef __cplusplus
}
#endif
#endif
