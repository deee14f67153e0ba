/* paths.h - where the cell's object and the engine lie.
 *
 * Both stand in one directory, <prefix>/libexec/glovebox: libglovebox-cell.so, and engine/, a
 * prefix that holds bin/node. It is looked for in this order, and the first that holds the
 * cell's object is taken:
 *
 *   1. GLOVEBOX_LIBEXEC of the environment (not in a set-user-id program)
 *   2. ../libexec/glovebox, seen from the file that holds this code: an installed
 *      tree that was moved, and the build tree, which is laid out the same way
 *   3. the directory that the build was configured to install to
 *
 * Runs in:  host.
 * Threads:  any.
 */
#ifndef HOST_PATHS_H
#define HOST_PATHS_H

#include <glovebox/status.h>

#include <limits.h>

struct paths {
    char cell[PATH_MAX];   /* libglovebox-cell.so, absolute */
    char engine[PATH_MAX]; /* the engine's binary, absolute */
};

/* Finds both. `engine` is a prefix that holds bin/node and comes before all others; NULL:
 * GLOVEBOX_ENGINE of the environment, else engine/ beside the cell's object. GBX_EENGINE with
 * a message that names what was looked for. */
gbx_status paths_find(const char *engine, struct paths *out, gbx_error *error);

#endif
