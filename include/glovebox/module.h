/* glovebox/module.h - ES modules: compiled, linked, evaluated; and who finds what they import.
 *
 * A context with a loader can import: gbx_context_import(), import() in a guest, and what modules
 * import each ask the loader for a module, which answers now or later. The ready-made loader is
 * gbx_files_load() (files.h). Whoever wants each step compiles, links and evaluates by itself.
 *
 * A module belongs to the context that it was compiled in, and runs there once. It is there as
 * long as its gbx_module is open or anything in the guest refers to it.
 */
#ifndef GLOVEBOX_MODULE_H
#define GLOVEBOX_MODULE_H

#include <glovebox/context.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gbx_module gbx_module;
/* An import that waits for its module. Answered once, by one of the functions that take it. */
typedef struct gbx_import gbx_import;

enum gbx_module_kind {
    GBX_MODULE_SOURCE = 0, /* UTF-8 source of an ES module */
    GBX_MODULE_JSON =
        1, /* UTF-8; the default export. Only `with { type: 'json' }` imports it */
    GBX_MODULE_WASM =
        2, /* a WebAssembly module. What it imports is imported, by the names of its
                            * modules; its exports are exports */
    GBX_MODULE_VALUE = 3 /* no source: the properties of `exports` */
};

/* Zero always means the default. Fields are only ever appended. */
typedef struct gbx_module_options {
    uint32_t size;       /* GBX_MODULE_OPTIONS_INIT sets it */
    uint32_t kind;       /* enum gbx_module_kind */
    uint32_t flags;      /* GBX_RESULT_IGNORE: what it imports is not wanted */
    uint32_t line;       /* of the source in its file, counted from 0 */
    uint32_t column;     /* likewise */
    uint32_t reserved;   /* 0 */
    uint64_t timeout_us; /* of compiling, as in gbx_call_options */
    uint64_t cpu_us;     /* likewise */
    const char *name; /* in stacks, as import.meta.url and as the referrer of what it imports;
                          * borrowed; at most 4 KiB of UTF-8; NULL: "<eval>" */
    const gbx_value *meta; /* an object: import.meta gets its properties, and no url of itself;
                               * borrowed; at most 64 KiB encoded; NULL: the url only */
    const gbx_value *exports; /* GBX_MODULE_VALUE: an object; borrowed */
} gbx_module_options;
#define GBX_MODULE_OPTIONS_INIT                                           \
    {                                                                     \
        sizeof(gbx_module_options), 0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL \
    }

/**
 * Compiles a module. Runs nothing of it.
 *
 * @param source      `len` bytes, copied; at most 256 MiB. NULL for GBX_MODULE_VALUE.
 * @param options     copied; NULL for all defaults.
 * @param out_module  set at once, and usable at once: what is asked of it waits its turn. NULL if
 *                    the future has failed already. Release it with gbx_module_close(). One that
 *                    does not compile fails whoever uses it, with the same exception.
 * @return a future of an array with what it imports, in order: objects of `specifier`,
 *         `attributes` (an object), `line` and `column` (from 1; 0: not in a text). GBX_ETHROW: a
 *         SyntaxError, with its place; for WebAssembly, a CompileError. GBX_ELIMIT at 65536 modules
 *         in the isolate; GBX_ETOOBIG, GBX_ECLONE: what `meta` or `exports` cannot hold.
 * @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_future *gbx_module_compile(GBX_BORROW gbx_context *context,
    GBX_BORROW const void *source, size_t len, GBX_BORROW const gbx_module_options *options,
    GBX_OWN gbx_module **out_module);

/**
 * Releases a module. What was linked with it keeps it. NULL is fine.
 *
 * @threads one at a time.   @since 0.1
 */
GBX_API void gbx_module_close(GBX_OWN gbx_module *module);

/**
 * Has the context's loader find what the module imports, and what that imports, and links them.
 *
 * @param options  copied; limits of compiling included; NULL for all defaults. Of the flags only
 *                 those for results apply, here and in the functions below; of the rest no file.
 * @return a future of undefined. GBX_EHOST: the loader failed; GBX_ETHROW: there is no loader; or
 *         a SyntaxError, such as an import of what is not exported. It can be tried again.
 * @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_future *gbx_module_link(
    GBX_BORROW gbx_module *module, GBX_BORROW const gbx_call_options *options);

/**
 * Links the module if need be, evaluates it and what it imports, each once, and waits for their
 * top-level await: all under the limits of this call.
 *
 * @param options  as in gbx_module_link().
 * @return a future of its exports: by copy without those that are functions; with
 *         GBX_RESULT_REFERENCE, of its namespace. Of one that was evaluated before: the same again,
 *         or the same exception.
 * @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_future *gbx_module_evaluate(
    GBX_BORROW gbx_module *module, GBX_BORROW const gbx_call_options *options);

/**
 * Reads an export of a module that is linked, or a property below one.
 *
 * @param path     as in gbx_context_get(), from the namespace: "default", "config.limits".
 * @param options  as in gbx_context_get().
 * @return a future of its value. GBX_EINVAL: not linked; GBX_ETHROW: a ReferenceError, if it has no
 *         value yet.
 * @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_future *gbx_module_get(GBX_BORROW gbx_module *module,
    GBX_BORROW const char *path, GBX_BORROW const gbx_call_options *options);

/**
 * Calls an export of a module that is linked, or a method below one.
 *
 * @param path  as in gbx_module_get(); the rest as in gbx_context_call().
 * @return a future of what it returned, by copy. GBX_EINVAL: not linked, or as gbx_context_call().
 * @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_future *gbx_module_call(GBX_BORROW gbx_module *module,
    GBX_BORROW const char *path, GBX_BORROW const gbx_value *const *arguments, size_t count,
    GBX_BORROW const gbx_call_options *options);

/* --- loaders -------------------------------------------------------------------------------- */

/* Asked for the module of an import, on the thread that dispatches or waits. It owns `import` and
 * answers it, at once or later. The same import should get the same module each time. Several may
 * be open; the guest's deadline goes on meanwhile. An import that nobody can answer any more, since
 * its call was stopped or its isolate has died, is answered all the same, which does nothing. */
typedef void (*gbx_loader)(GBX_OWN gbx_import *import, void *data);

/**
 * Gives the context a loader, or takes it away: then nothing can be imported there, as at first.
 *
 * @param loader  replaces an earlier one; NULL: none.
 * @param data    borrowed until the context is closed, the loader is replaced, or the isolate has
 *                died.
 * @return GBX_OK, GBX_ENOMEM, GBX_EDISPOSED.
 * @threads one at a time.   @since 0.1
 */
GBX_API gbx_status gbx_context_set_loader(
    GBX_BORROW gbx_context *context, gbx_loader loader, GBX_BORROW void *data);

/**
 * Imports a module and evaluates it, as import() does in a guest.
 *
 * @param specifier  handed to the loader, with an empty referrer; NUL-terminated UTF-8, at most
 *                   4 KiB.
 * @param options    as in gbx_module_link().
 * @return as gbx_module_evaluate().
 * @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_future *gbx_context_import(GBX_BORROW gbx_context *context,
    GBX_BORROW const char *specifier, GBX_BORROW const gbx_call_options *options);

/** The context that imports; NULL if it has been closed. @threads one at a time. @since 0.1 */
GBX_API gbx_context *gbx_import_context(GBX_BORROW const gbx_import *import);

/** What stands in the import: written by the guest, NUL-terminated. @threads one at a time.
 * @since 0.1 */
GBX_API const char *gbx_import_specifier(GBX_BORROW const gbx_import *import);

/** The name of the module or script that imports, as the guest tells it; empty: the host, or not
 * known. NUL-terminated. @threads one at a time. @since 0.1 */
GBX_API const char *gbx_import_referrer(GBX_BORROW const gbx_import *import);

/** The import attribute `type`: "json", or empty if there is none. Imports with others never get
 * here. @threads one at a time. @since 0.1 */
GBX_API const char *gbx_import_type(GBX_BORROW const gbx_import *import);

/**
 * Answers with a module.
 *
 * @param import  freed.
 * @param module  of the same context, else the import fails; may be closed afterwards.
 * @threads one at a time.   @since 0.1
 */
GBX_API void gbx_import_module(GBX_OWN gbx_import *import, GBX_BORROW const gbx_module *module);

/**
 * Answers with the context's module of a name, if gbx_import_source() made it one.
 *
 * @param import  freed if there is one; else the caller still has it.
 * @return 1 if there is one, 0 if not.
 * @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP int32_t gbx_import_loaded(
    GBX_BORROW gbx_import *import, GBX_BORROW const char *name);

/**
 * Compiles a module, answers with it, and keeps it for gbx_import_loaded() until its context is
 * closed. What has this name already is answered with as it is.
 *
 * @param import   freed. What goes wrong fails it.
 * @param source   as in gbx_module_compile(), like `len` and `options`; a name is required.
 * @threads one at a time.   @since 0.1
 */
GBX_API void gbx_import_source(GBX_OWN gbx_import *import, GBX_BORROW const void *source,
    size_t len, GBX_BORROW const gbx_module_options *options);

/**
 * Answers that there is no such module: the import fails with an Error.
 *
 * @param import   freed.
 * @param name     as in gbx_callback_throw(), like `message`.
 * @threads one at a time.   @since 0.1
 */
GBX_API void gbx_import_fail(
    GBX_OWN gbx_import *import, GBX_BORROW const char *name, GBX_BORROW const char *message);

#ifdef __cplusplus
}
#endif
#endif
