/* glovebox/files.h - a loader of modules: files of the caller's, and those below a directory.
 *
 * Names are paths from the root, without a / before them: "lib/a.mjs". They are what the guest sees
 * in stacks and import.meta.url; no path of the host's. What ends in .json or .wasm is that, .js
 * and .mjs are modules, nothing else can be imported.
 *
 * Specifiers begin with ./ or ../ (from the module that imports; from the root for what is none of
 * the files, such as a script), or with / (from the root), and stay inside. Others name packages,
 * and there are none.
 */
#ifndef GLOVEBOX_FILES_H
#define GLOVEBOX_FILES_H

#include <glovebox/module.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gbx_files gbx_files;

/**
 * Makes a loader's data.
 *
 * @param directory  its files can be imported: regular ones of at most 64 MiB, read when they are
 *                   imported first. No link leads out of it. Stays open. NULL: just what is added.
 * @param out_files  set only on GBX_OK; release with gbx_files_close().
 * @param error      filled on failure only; may be NULL.
 * @return GBX_OK, GBX_ENOMEM, GBX_ESYS.
 * @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_files_open(GBX_BORROW const char *directory,
    GBX_OWN gbx_files **out_files, GBX_BORROW gbx_error *error);

/**
 * Adds a file, in place of one of that name, also of the directory's. What is loaded already stays.
 *
 * @param name   as said above; NUL-terminated UTF-8, at most 4 KiB.
 * @param bytes  `len` bytes, copied.
 * @return GBX_OK, GBX_EINVAL for a name that no specifier leads to, GBX_ENOMEM.
 * @threads one at a time.   @since 0.1
 */
GBX_API gbx_status gbx_files_add(GBX_BORROW gbx_files *files, GBX_BORROW const char *name,
    GBX_BORROW const void *bytes, size_t len);

/**
 * The loader: gbx_context_set_loader(context, gbx_files_load, files). One of the caller's own may
 * hand imports on to it.
 *
 * @param import  answered and freed.
 * @param files   a gbx_files.
 * @threads one at a time.   @since 0.1
 */
GBX_API void gbx_files_load(GBX_OWN gbx_import *import, GBX_BORROW void *files);

/** Frees it; no loader may have it any more. NULL is fine. @threads one at a time. @since 0.1 */
GBX_API void gbx_files_close(GBX_OWN gbx_files *files);

#ifdef __cplusplus
}
#endif
#endif
