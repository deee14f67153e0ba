/* files.c - a loader of modules: files in memory, and those below a directory. */
#include "host/host.h"

#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct file {
    char *name; /* owned */
    uint8_t *bytes;
    size_t len;
};

struct gbx_files {
    int directory;      /* -1: none */
    struct file *files; /* owned; in order of their names */
    size_t count, capacity;
};

/* --- names ---------------------------------------------------------------------------------- */

/* Appends the next part of `path` (up to a /) to the name, or takes the last part away for `..`.
 * NULL, or why not. */
static const char *
add_part(char *name, size_t *len, const char *part, size_t part_len)
{
    if (part_len == 0)
        return "it has an empty part";
    if (part_len == 1 && part[0] == '.')
        return NULL;
    if (part_len == 2 && part[0] == '.' && part[1] == '.') {
        if (*len == 0)
            return "it leads out of the root";
        while (*len > 0 && name[*len - 1] != '/')
            --*len;
        *len -= *len > 0;
        return NULL;
    }
    if (*len + 1 + part_len > NAME_BYTES_MAX)
        return "the path is too long";
    if (*len > 0)
        name[(*len)++] = '/';
    memcpy(name + *len, part, part_len);
    *len += part_len;
    return NULL;
}

/* Appends all of a path. */
static const char *
add_path(char *name, size_t *len, const char *path)
{
    const char *why = NULL;

    for (;;) {
        size_t part = strcspn(path, "/");
        if (why == NULL)
            why = add_part(name, len, path, part);
        if (path[part] == '\0' || why != NULL)
            return why;
        path += part + 1;
    }
}

/* What a specifier names, seen from the module `base` (NULL: from the root). NULL, or why it names
 * nothing. */
static const char *
resolve(const char *specifier, const char *base, char name[NAME_BYTES_MAX + 1])
{
    size_t len = 0;

    if (specifier[0] != '/' && strncmp(specifier, "./", 2) != 0 &&
        strncmp(specifier, "../", 3) != 0)
        return "only what begins with ./, ../ or / can be imported; there are no packages here";
    if (strpbrk(specifier, "\\?#%") != NULL)
        return "paths have no \\, no escapes, no query and no fragment here";
    if (specifier[0] == '/')
        specifier++;
    else if (base != NULL && strrchr(base, '/') != NULL) {
        len = (size_t)(strrchr(base, '/') - base);
        memcpy(name, base, len);
    }
    const char *why = add_path(name, &len, specifier);
    name[len] = '\0';
    return why;
}

static bool
ends_with(const char *name, const char *end)
{
    size_t len = strlen(name), end_len = strlen(end);

    return len > end_len && memcmp(name + len - end_len, end, end_len) == 0;
}

/* False: files of that name cannot be imported. */
static bool
kind_of(const char *name, uint32_t *kind)
{
    *kind = ends_with(name, ".json")   ? GBX_MODULE_JSON
            : ends_with(name, ".wasm") ? GBX_MODULE_WASM
                                       : GBX_MODULE_SOURCE;
    return *kind != GBX_MODULE_SOURCE || ends_with(name, ".js") || ends_with(name, ".mjs");
}

/* --- files in memory ------------------------------------------------------------------------ */

static size_t
place_of(const gbx_files *files, const char *name)
{
    size_t low = 0, high = files->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(files->files[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool
is_at(const gbx_files *files, size_t at, const char *name)
{
    return at < files->count && strcmp(files->files[at].name, name) == 0;
}

static bool
make_room(gbx_files *files)
{
    if (files->count < files->capacity)
        return true;
    size_t want = files->capacity == 0 ? 16 : files->capacity * 2;
    struct file *more = realloc(files->files, want * sizeof *more);
    if (more == NULL)
        return false;
    files->files = more;
    files->capacity = want;
    return true;
}

gbx_status
gbx_files_add(gbx_files *files, const char *name, const void *bytes, size_t len)
{
    char resolved[NAME_BYTES_MAX + 1];
    size_t resolved_len = 0;

    if (strpbrk(name, "\\?#%") != NULL || add_path(resolved, &resolved_len, name) != NULL ||
        resolved_len != strlen(name) || memcmp(resolved, name, resolved_len) != 0)
        return GBX_EINVAL;
    struct file file = { .name = strdup(name), .bytes = malloc(len + 1), .len = len };
    if (file.name == NULL || file.bytes == NULL || !make_room(files)) {
        free(file.name);
        free(file.bytes);
        return GBX_ENOMEM;
    }
    if (len > 0)
        memcpy(file.bytes, bytes, len);
    size_t at = place_of(files, name);
    if (is_at(files, at, name)) {
        free(files->files[at].name);
        free(files->files[at].bytes);
    } else {
        memmove(&files->files[at + 1], &files->files[at],
            (files->count - at) * sizeof *files->files);
        files->count++;
    }
    files->files[at] = file;
    return GBX_OK;
}

/* --- files of the directory ----------------------------------------------------------------- */

/* Opens part by part, through no link at all. -1 with errno. */
static int
open_walking(int directory, const char *name)
{
    char part[NAME_BYTES_MAX + 1];
    GBX_AUTOFD at = -1;

    for (;;) {
        size_t len = strcspn(name, "/");
        bool last = name[len] == '\0';
        memcpy(part, name, len);
        part[len] = '\0';
        int next = openat(at < 0 ? directory : at, part,
            O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK |
                (last ? 0 : O_DIRECTORY));
        if (next < 0 || last)
            return next;
        fd_close(&at);
        at = next;
        name += len + 1;
    }
}

/* The kernel sees to it that nothing leads out, also when links change meanwhile; where it is too
 * old for that (before 5.6), or forbids to ask, no links are followed. -1 with errno. */
static int
open_below(int directory, const char *name)
{
    struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
    long fd = syscall(SYS_openat2, directory, name, &how, sizeof how);

    if (fd < 0 && (errno == ENOSYS || errno == EPERM))
        return open_walking(directory, name);
    return (int)fd;
}

static const char *
why_not_opened(int os_errno)
{
    switch (os_errno) {
    case ENOENT:
    case ENOTDIR:
        return "there is no such file";
    case EXDEV:
        return "it leads out of the root";
    case ELOOP:
        return "it is a link that is not followed";
    case EACCES:
        return "the file may not be read";
    default:
        return "the file cannot be opened";
    }
}

/* NULL, or why not. */
static const char *
read_file(int directory, const char *name, struct buf *out)
{
    struct stat st;

    GBX_AUTOFD fd = open_below(directory, name);
    if (fd < 0)
        return why_not_opened(errno);
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return "it is not a regular file";
    if ((uint64_t)st.st_size > FILE_BYTES_MAX)
        return "the file is larger than 64 MiB";
    for (;;) {
        size_t before = out->len;
        uint8_t *room = buf_grow(out, SOURCE_READ_BYTES);
        if (room == NULL)
            return out->too_long ? "the file is larger than 64 MiB" : "no memory for the file";
        ssize_t n = read(fd, room, SOURCE_READ_BYTES);
        out->len = before + (n > 0 ? (size_t)n : 0);
        if (n < 0 && errno != EINTR)
            return "the file cannot be read";
        if (n == 0)
            return NULL;
    }
}

/* --- loading -------------------------------------------------------------------------------- */

static void
refuse(gbx_import *import, const char *why)
{
    struct buf text = { .max = 3 * NAME_BYTES_MAX };
    const char *referrer = gbx_import_referrer(import);

    buf_printf(&text, "cannot import '%s'", gbx_import_specifier(import));
    if (referrer[0] != '\0')
        buf_printf(&text, " from '%s'", referrer);
    buf_printf(&text, ": %s", why);
    buf_byte(&text, '\0');
    gbx_import_fail(import, "Error", text.failed ? why : (const char *)text.p);
    buf_done(&text);
}

static void
answer(gbx_import *import, const char *name, uint32_t kind, struct span bytes)
{
    gbx_module_options options = GBX_MODULE_OPTIONS_INIT;

    /* The byte order mark is no part of the text. */
    if (kind != GBX_MODULE_WASM && bytes.len >= 3 && memcmp(bytes.p, "\xEF\xBB\xBF", 3) == 0)
        bytes = span_of(bytes.p + 3, bytes.len - 3);
    options.kind = kind;
    options.name = name;
    gbx_import_source(import, bytes.p, bytes.len, &options);
}

void
gbx_files_load(gbx_import *import, void *data)
{
    const gbx_files *files = data;
    const gbx_context *context = gbx_import_context(import);
    const char *referrer = gbx_import_referrer(import);
    char name[NAME_BYTES_MAX + 1];
    uint32_t kind;

    const char *base =
        context != NULL && loading_find(context, referrer) != NULL ? referrer : NULL;
    const char *why = resolve(gbx_import_specifier(import), base, name);
    if (why == NULL && !kind_of(name, &kind))
        why = "only files that end in .mjs, .js, .json or .wasm can be imported";
    if (why != NULL) {
        refuse(import, why);
        return;
    }
    if (gbx_import_loaded(import, name))
        return;
    size_t at = place_of(files, name);
    if (is_at(files, at, name)) {
        answer(import, name, kind, span_of(files->files[at].bytes, files->files[at].len));
        return;
    }
    struct buf bytes = { .max = FILE_BYTES_MAX + SOURCE_READ_BYTES };
    why = files->directory < 0 ? "there is no such file"
                               : read_file(files->directory, name, &bytes);
    if (why != NULL)
        refuse(import, why);
    else
        answer(import, name, kind, buf_span(&bytes));
    buf_done(&bytes);
}

/* --- opening -------------------------------------------------------------------------------- */

gbx_status
gbx_files_open(const char *directory, gbx_files **out_files, gbx_error *error)
{
    gbx_files *files = calloc(1, sizeof *files);

    if (files == NULL)
        return fail(error, GBX_ENOMEM, "no memory for a loader");
    files->directory = -1;
    if (directory != NULL) {
        files->directory = fd_above_stdio(open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (files->directory < 0) {
            free(files);
            return fail_errno(error, "cannot open the directory %s", directory);
        }
    }
    *out_files = files;
    return GBX_OK;
}

void
gbx_files_close(gbx_files *files)
{
    if (files == NULL)
        return;
    for (size_t i = 0; i < files->count; i++) {
        free(files->files[i].name);
        free(files->files[i].bytes);
    }
    free(files->files);
    fd_close(&files->directory);
    free(files);
}
