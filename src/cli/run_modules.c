/* run_modules.c - what a program may import: files below the directory of --root. */
#include "cli/run.h"

#include <stdlib.h>
#include <string.h>

/* The name that a file has below a directory, both as the kernel knows them; NULL: it lies
 * elsewhere, or one of them is gone. To be freed. */
static char *
name_below(const char *directory, const char *file)
{
    char *root = realpath(directory, NULL), *path = realpath(file, NULL), *name = NULL;
    size_t len = root == NULL ? 0 : strlen(root);

    len -= len == 1; /* "/" itself */
    if (root != NULL && path != NULL && strncmp(root, path, len) == 0 && path[len] == '/')
        name = strdup(path + len);
    free(root);
    free(path);
    return name;
}

int
run_modules_open(struct run *run)
{
    const char *root = run->options.root;
    gbx_context *context = gbx_isolate_context(run->isolate);

    if (root == NULL)
        return OUTCOME_OK;
    gbx_status status = gbx_files_open(root, &run->files, &run->error);
    if (status != GBX_OK)
        return fail_with(&run->error, status == GBX_ESYS ? OUTCOME_INPUT : OUTCOME_SYSTEM,
            "--root %s: %s", root, strerror(run->error.os_errno));
    status = gbx_context_set_loader(context, gbx_files_load, run->files);
    if (status != GBX_OK)
        return fail_with(&run->error, outcome_of(status), "%s", gbx_strstatus(status));
    return OUTCOME_OK;
}

/* Loaders tell modules by their names. */
static bool
is_importable(const char *name)
{
    size_t len = strlen(name);

    return (len > 4 && strcmp(name + len - 4, ".mjs") == 0) ||
           (len > 3 && strcmp(name + len - 3, ".js") == 0);
}

gbx_future *
run_module_import(struct run *run, const struct source *source, const gbx_call_options *options)
{
    bool may = run->files != NULL && is_importable(source->name);
    char *name = may ? name_below(run->options.root, source->name) : NULL;
    gbx_future *future = NULL;

    /* As the file that it is, so that what it imports is looked for beside it. */
    if (name != NULL &&
        gbx_files_add(run->files, name + 1, source->text.p, source->text.len) == GBX_OK) {
        gbx_call_options own = *options;
        own.flags = (own.flags & ~(uint32_t)GBX_MODULE) | GBX_RESULT_IGNORE;
        future = gbx_context_import(gbx_isolate_context(run->isolate), name, &own);
    }
    free(name);
    return future;
}
