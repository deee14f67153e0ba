/* glovebox/template.h - what many isolates begin with, run once. */
#ifndef GLOVEBOX_TEMPLATE_H
#define GLOVEBOX_TEMPLATE_H

#include <glovebox/fork.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gbx_template gbx_template;

enum gbx_preload_kind {
    /* Source text that is run; `name` is that of its file. A promise that it ends with is waited
     * for. */
    GBX_PRELOAD_SCRIPT = 1,
    /* WebAssembly that is compiled: the WebAssembly.Module becomes the global `name`. */
    GBX_PRELOAD_WASM = 2,
    /* A host function at the path `name`, as for gbx_context_set_function(). Each isolate says what
     * it calls, by gbx_fork_options.rebind; until then a call throws an Error. */
    GBX_PRELOAD_FUNCTION = 3,
    /* Source text of an ES module that is imported by `name`, and so evaluated; its imports are
     * other preloads of this kind, by their names. The isolates import them by these names, as they
     * are then: by the loader that their own context has from the start, or by one of theirs that
     * asks gbx_import_loaded(). */
    GBX_PRELOAD_MODULE = 4
};

/* One thing to begin with. */
typedef struct gbx_preload {
    uint32_t kind;     /* enum gbx_preload_kind */
    uint32_t reserved; /* 0 */
    const char *name;  /* NULL, of a script: "<preload>" */
    const void *data;  /* `len` bytes; NULL and 0 for a function */
    uint64_t len;      /* of a script, at most 256 MiB */
} gbx_preload;

/* Zero always means the default. Fields are only ever appended. */
typedef struct gbx_template_options {
    uint32_t size;  /* GBX_TEMPLATE_OPTIONS_INIT sets it */
    uint32_t flags; /* 0 */
    const gbx_isolate_options
        *isolate;                /* of every isolate, and limits of the preloads; NULL: all
                                         * defaults. What the preloads print goes to on_console,
                                         * with an isolate that may not be used */
    const gbx_preload *preloads; /* `count` of them, in this order */
    uint64_t count;
    uint64_t timeout_us; /* wall clock for all of them together; 0: 30 s */
    uint64_t cpu_us;     /* CPU time of each; 0: the isolate's */
} gbx_template_options;
#define GBX_TEMPLATE_OPTIONS_INIT                            \
    {                                                        \
        sizeof(gbx_template_options), 0, NULL, NULL, 0, 0, 0 \
    }

/**
 * Makes a template: runs the preloads in a sealed cell of its own, under its limits. Isolates are
 * forks of that, and so have its global state and its compiled code from the start.
 *
 * A template whose cell has died is made again when an isolate is asked for, from the same
 * preloads.
 *
 * @param runtime       closing it first is fine.
 * @param options       copied, with all that it names; NULL: no preloads.
 * @param out_template  set only on GBX_OK; release with gbx_template_close().
 * @param error         filled on failure only; may be NULL. The message names the preload.
 * @return GBX_OK; GBX_ETHROW, GBX_ETIMEOUT, GBX_ECPU, GBX_EMEMORY, GBX_ECRASHED: what a preload
 *         ended with; GBX_EINVAL, GBX_EUNSUPPORTED, and what gbx_isolate_open() answers.
 * @blocks as long as the preloads run, at most timeout_us and 10 s.   @threads one at a time.
 * @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_template_open(GBX_BORROW gbx_runtime *runtime,
    GBX_BORROW const gbx_template_options *options, GBX_OWN gbx_template **out_template,
    GBX_BORROW gbx_error *error);

/**
 * Opens an isolate that begins where the preloads ended: gbx_isolate_fork() of the template's cell.
 *
 * @param options  as for gbx_isolate_fork(); callbacks and data that are NULL are those of the
 *                 template's isolate options.
 * @return as gbx_isolate_fork(); as gbx_template_open() if the template had to be made again;
 *         GBX_EDISPOSED: its runtime has been closed.
 * @blocks as gbx_isolate_fork().   @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_template_isolate(GBX_BORROW gbx_template *template_,
    GBX_BORROW const gbx_fork_options *options, GBX_OWN gbx_isolate **out_isolate,
    GBX_BORROW gbx_error *error);

/** Ends the template's cell; its isolates live on. NULL is fine. @threads one at a time. @since 0.1
 */
GBX_API void gbx_template_close(GBX_OWN gbx_template *template_);

#ifdef __cplusplus
}
#endif
#endif
