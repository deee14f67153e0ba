#include "host/paths.h"

#include "base/error.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CELL_OBJECT   "libglovebox-cell.so"
#define ENGINE_BINARY "bin/node"

/* False if it does not fit. */
static bool __attribute__((format(printf, 2, 3)))
print_path(char out[PATH_MAX], const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int n = vsnprintf(out, PATH_MAX, format, args);
    va_end(args);
    return n >= 0 && n < PATH_MAX;
}

/* The directory of the file that holds this code, without its last slash. */
static bool
own_directory(char out[PATH_MAX])
{
    static const char here;
    const char *file = "/proc/self/exe";
    struct link_map *object;
    Dl_info info;

    /* The linker's own name of the main program is empty; dladdr's is argv[0], which the
     * caller may have set to anything. */
    if (dladdr1(&here, &info, (void **)&object, RTLD_DL_LINKMAP) != 0 &&
        object->l_name[0] != '\0')
        file = object->l_name;
    if (realpath(file, out) == NULL)
        return false;
    *strrchr(out, '/') = '\0';
    return true;
}

/* Fills `out->cell` if the directory holds the cell's object. */
static bool
holds_cell(const char *directory, struct paths *out)
{
    char path[PATH_MAX];

    return print_path(path, "%s/" CELL_OBJECT, directory) && realpath(path, out->cell) != NULL;
}

static gbx_status
find_libexec(char directory[PATH_MAX], struct paths *out, gbx_error *error)
{
    const char *named = secure_getenv("GLOVEBOX_LIBEXEC");
    char own[PATH_MAX];

    if (named != NULL) {
        if (print_path(directory, "%s", named) && holds_cell(directory, out))
            return GBX_OK;
        return fail(
            error, GBX_EENGINE, "GLOVEBOX_LIBEXEC names %s, which has no " CELL_OBJECT, named);
    }
    bool known = own_directory(own);
    if (known && print_path(directory, "%s/../libexec/glovebox", own) &&
        holds_cell(directory, out))
        return GBX_OK;
    if (print_path(directory, "%s", GBX_LIBEXEC_DIR) && holds_cell(directory, out))
        return GBX_OK;
    return fail(error, GBX_EENGINE,
        CELL_OBJECT " is neither in %s/../libexec/glovebox nor in " GBX_LIBEXEC_DIR,
        known ? own : ".");
}

gbx_status
paths_find(const char *engine, struct paths *out, gbx_error *error)
{
    struct paths found;
    char directory[PATH_MAX];
    char path[PATH_MAX];

    gbx_status status = find_libexec(directory, &found, error);
    if (status != GBX_OK)
        return status;
    if (engine == NULL)
        engine = secure_getenv("GLOVEBOX_ENGINE");
    bool fits = engine == NULL ? print_path(path, "%s/engine/" ENGINE_BINARY, directory)
                               : print_path(path, "%s/" ENGINE_BINARY, engine);
    if (!fits)
        return fail(
            error, GBX_EENGINE, "the path of the engine is longer than %d bytes", PATH_MAX - 1);
    if (realpath(path, found.engine) == NULL || access(found.engine, X_OK) != 0)
        return fail(
            error, GBX_EENGINE, "cannot use %s as the engine: %s", path, strerror(errno));
    *out = found;
    return GBX_OK;
}
