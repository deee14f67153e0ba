/* read.c - what is in a snapshot: read once, and kept in the index. */
#include "store/store.h"

#include "base/error.h"
#include "base/fd.h"

#include <glovebox/heap.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What is kept of one. */
struct summary {
    gbx_store_class rows[STORE_CLASSES_MAX];
    char names[STORE_CLASSES_MAX][STORE_CLASS_BYTES];
    uint32_t count;
    uint64_t heap_bytes, nodes;
};

static gbx_status
summarise(gbx_heap *heap, struct summary *s, gbx_error *error)
{
    const gbx_heap_class *classes;
    gbx_heap_totals totals;
    uint32_t count;

    if (gbx_heap_get_totals(heap, &totals) != GBX_OK ||
        gbx_heap_summary(heap, &classes, &count) != GBX_OK)
        return fail(error, GBX_ENOMEM, "no memory to read a snapshot");
    s->heap_bytes = totals.total;
    s->nodes = totals.nodes;
    s->count = count < STORE_CLASSES_MAX ? count : STORE_CLASSES_MAX;
    for (uint32_t i = 0; i < s->count; i++) {
        (void)gbx_heap_class_name(
            heap, classes[i].class_index, s->names[i], sizeof s->names[i]);
        s->rows[i] = (gbx_store_class){ .name = s->names[i],
            .count = classes[i].count,
            .shallow = classes[i].shallow,
            .retained = classes[i].retained };
    }
    return GBX_OK;
}

/* GBX_EINVAL: it is no snapshot. */
static gbx_status
read_summary(int fd, struct summary *s, gbx_error *error)
{
    gbx_heap_options options = GBX_HEAP_OPTIONS_INIT;
    gbx_heap *heap = NULL;

    options.flags = GBX_HEAP_ONE_THREAD;
    gbx_status status = gbx_heap_open_fd(fd, &options, &heap, error);
    if (status == GBX_OK)
        status = summarise(heap, s, error);
    gbx_heap_close(heap);
    return status;
}

/* Inside of a transaction. */
static gbx_status
enter_summary(struct gbx_store *store, uint64_t id, const struct summary *s, gbx_error *error)
{
    gbx_status status =
        index_run(store, error, "DELETE FROM class WHERE snapshot = ?", "i", id);

    for (uint32_t i = 0; i < s->count && status == GBX_OK; i++)
        status = index_run(store, error,
            "INSERT INTO class (snapshot, place, name, count, shallow, retained)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            "iitiii", id, (uint64_t)i, s->rows[i].name, s->rows[i].count, s->rows[i].shallow,
            s->rows[i].retained);
    if (status == GBX_OK)
        status = index_run(store, error,
            "UPDATE snapshot SET state = ?, heap_bytes = ?, nodes = ? WHERE id = ?", "iiii",
            (uint64_t)GBX_STORE_READ, s->heap_bytes, s->nodes, id);
    return status;
}

/* A summary as the index would answer it. */
static gbx_status
hand_out(
    const struct summary *s, gbx_store_class **out_rows, uint32_t *out_count, gbx_error *error)
{
    gbx_store_class *rows = NULL;

    if (s->count > 0) {
        rows = malloc(s->count * (sizeof *rows + STORE_CLASS_BYTES));
        if (rows == NULL)
            return fail(error, GBX_ENOMEM, "no memory for the classes of a snapshot");
        char *names = (char *)(rows + s->count);
        memcpy(names, s->names, s->count * (size_t)STORE_CLASS_BYTES);
        for (uint32_t i = 0; i < s->count; i++) {
            rows[i] = s->rows[i];
            rows[i].name = names + (size_t)i * STORE_CLASS_BYTES;
        }
    }
    *out_rows = rows;
    *out_count = s->count;
    return GBX_OK;
}

/* The file of an entry, which must be a regular one: nobody waits for a pipe. */
static int
open_entry(const gbx_store_entry *entry, gbx_error *error)
{
    int fd = fd_above_stdio(open(entry->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat st;

    if (fd < 0) {
        (void)fail_errno(error, "cannot read %s", entry->path);
    } else if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        (void)fail(error, GBX_EINVAL, "%s is not a regular file", entry->path);
        fd_close(&fd);
    }
    return fd;
}

/* Reads it and notes what came of it, if the store may be written. */
static gbx_status
read_entry(
    struct gbx_store *store, const gbx_store_entry *entry, struct summary *s, gbx_error *error)
{
    GBX_AUTOFD fd = open_entry(entry, error);

    if (fd < 0)
        return GBX_ESYS;
    gbx_status status = read_summary(fd, s, error);
    if (store->read_only || (status != GBX_OK && status != GBX_EINVAL))
        return status;
    gbx_status noted = store_begin(store, error);
    if (noted != GBX_OK)
        return noted;
    noted = status == GBX_OK
                ? enter_summary(store, entry->id, s, error)
                : index_run(store, NULL, "UPDATE snapshot SET state = ? WHERE id = ?", "ii",
                      (uint64_t)GBX_STORE_DAMAGED, entry->id);
    noted = store_end(store, noted, status == GBX_OK ? error : NULL);
    return status == GBX_OK ? noted : status;
}

gbx_status
gbx_store_classes(gbx_store *store, uint64_t id, gbx_store_class **out_rows,
    uint32_t *out_count, gbx_error *error)
{
    gbx_store_entry *entry = NULL;
    gbx_status status = store_entry(store, id, &entry, error);

    if (status != GBX_OK)
        return status;
    struct summary *s = NULL;
    if (entry->state == GBX_STORE_READ)
        status = store_classes(store, id, out_rows, out_count, error);
    else if (entry->state == GBX_STORE_DAMAGED)
        status =
            fail(error, GBX_EINVAL, "%s is no heap snapshot, or a damaged one", entry->path);
    else if ((s = calloc(1, sizeof *s)) == NULL)
        status = fail(error, GBX_ENOMEM, "no memory to read a snapshot");
    else
        status = read_entry(store, entry, s, error);
    if (s != NULL && status == GBX_OK)
        status = hand_out(s, out_rows, out_count, error);
    free(s);
    free(entry);
    return status;
}

/* --- adding ----------------------------------------------------------------------------------- */

/* The first time to see that it is one, the second time to copy it: what is read is mapped, and
 * nothing of it is kept. */
static gbx_status
copy_in(struct gbx_store *store, const char *path, struct incoming *file, struct summary *s,
    uint64_t *out_taken_us, gbx_error *error)
{
    gbx_heap_options options = GBX_HEAP_OPTIONS_INIT;
    struct stat st;
    GBX_AUTOFD fd = fd_above_stdio(open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY));

    if (fd < 0 || fstat(fd, &st) < 0)
        return fail_errno(error, "cannot read %s", path);
    if (!S_ISREG(st.st_mode))
        return fail(error, GBX_EINVAL, "%s is not a regular file", path);
    *out_taken_us = (uint64_t)st.st_mtim.tv_sec * 1000000 + (uint64_t)st.st_mtim.tv_nsec / 1000;
    gbx_status status = read_summary(fd, s, error);
    if (status != GBX_OK)
        return status;
    if (lseek(fd, 0, SEEK_SET) < 0)
        return fail_errno(error, "cannot read %s", path);
    status = incoming_open(store, file, error);
    options.flags = GBX_HEAP_PACKED;
    return status == GBX_OK ? gbx_heap_convert(fd, file->fd, &options, error) : status;
}

gbx_status
gbx_store_add(
    gbx_store *store, const char *path, const char *label, uint64_t *out_id, gbx_error *error)
{
    struct incoming file = { .fd = -1 };
    struct facts facts = { .label = label, .reason = GBX_STORE_ADDED };
    uint64_t id = 0;
    gbx_status status = name_check_label(label, error);

    if (status == GBX_OK && store->read_only)
        status = fail(error, GBX_EINVAL, "%s is open for reading only", store->path);
    if (status != GBX_OK)
        return status;
    struct summary *s = calloc(1, sizeof *s);
    if (s == NULL)
        return fail(error, GBX_ENOMEM, "no memory to read a snapshot");
    status = copy_in(store, path, &file, s, &facts.taken_us, error);
    if (status == GBX_OK)
        status = incoming_keep(store, &file, &facts, &id, error);
    incoming_close(store, &file);
    /* The snapshot is there from here on; what fails can be done later. */
    if (status == GBX_OK && store_begin(store, NULL) == GBX_OK)
        (void)store_end(store, enter_summary(store, id, s, NULL), NULL);
    free(s);
    if (status == GBX_OK)
        (void)store_prune(store, NULL);
    if (status == GBX_OK && out_id != NULL)
        *out_id = id;
    return status;
}

gbx_status
gbx_store_limit_path(gbx_store *store, const char *label, char **out_path, gbx_error *error)
{
    char name[STORE_NAME_BYTES], token[STORE_TOKEN_BYTES];
    struct incoming probe;
    gbx_status status = name_check_label(label, error);

    if (status == GBX_OK) /* better said here than when the isolate dies */
        status = incoming_open(store, &probe, error);
    if (status != GBX_OK)
        return status;
    incoming_close(store, &probe);
    store_token(token);
    name_write_limit(label, token, name);
    if (asprintf(out_path, "%s/%s", store->path, name) < 0) {
        *out_path = NULL;
        return fail(error, GBX_ENOMEM, "no memory for a path");
    }
    return GBX_OK;
}
