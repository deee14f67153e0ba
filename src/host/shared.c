/* shared.c - memory that host and guests have in common. */
#include "host/shared.h"

#include "host/host.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/limits.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static gbx_shared *
shared_of(const struct held *held)
{
    return (gbx_shared *)(uintptr_t)held;
}

static void
take(struct held *held)
{
    (void)__atomic_fetch_add(&shared_of(held)->refs, 1, __ATOMIC_RELAXED);
}

static void
drop(struct held *held)
{
    gbx_shared *shared = shared_of(held);

    if (__atomic_fetch_sub(&shared->refs, 1, __ATOMIC_ACQ_REL) != 1)
        return;
    (void)munmap(shared->memory.bytes, shared->memory.len);
    fd_close(&shared->fd);
    free(shared);
}

static const struct held_class shared_class = { GBX_SHARED_ARRAY_BUFFER, "SharedArrayBuffer",
    take, drop };

gbx_status
gbx_shared_open(uint64_t len, gbx_shared **out_shared, gbx_error *error)
{
    if (len == 0 || len > SHARED_BYTES_MAX)
        return fail(error, GBX_EINVAL, "shared memory: %llu bytes, expected 1 to %llu",
            (unsigned long long)len, (unsigned long long)SHARED_BYTES_MAX);
    gbx_shared *shared = malloc(sizeof *shared);
    if (shared == NULL)
        return fail(error, GBX_ENOMEM, "no memory for shared memory");
    GBX_AUTOFD fd =
        fd_above_stdio(memfd_create("glovebox-shared", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    /* A guest that could make it shorter would have the host die of SIGBUS. */
    void *bytes = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, (off_t)len) == 0 &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        bytes = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (bytes == MAP_FAILED) {
        free(shared);
        return fail_errno(error, "cannot make shared memory");
    }
    *shared = (gbx_shared){ .memory = { { &shared_class }, bytes, len }, .refs = 1, .fd = -1 };
    shared->fd = steal_fd(&fd);
    *out_shared = shared;
    return GBX_OK;
}

void *
gbx_shared_bytes(const gbx_shared *shared, size_t *out_len)
{
    if (out_len != NULL)
        *out_len = (size_t)shared->memory.len;
    return shared->memory.bytes;
}

gbx_value *
gbx_value_new_shared(gbx_shared *shared)
{
    struct graph *graph =
        graph_new(sizeof(gbx_value) + sizeof(struct hold) + sizeof(struct buffer));

    if (graph == NULL)
        return NULL;
    take(&shared->memory.held);
    gbx_value *node = node_held(graph, &shared->memory.held);
    if (node == NULL)
        graph_free(graph);
    return node;
}

gbx_shared *
gbx_value_get_shared(const gbx_value *value)
{
    return value != NULL && value->kind == GBX_SHARED_ARRAY_BUFFER
               ? shared_of(value->buffer->shared)
               : NULL;
}

void
gbx_shared_close(gbx_shared *shared)
{
    if (shared != NULL)
        drop(&shared->memory.held);
}

/* --- of an isolate -------------------------------------------------------------------------- */

gbx_status
shared_check(const gbx_isolate_options *options, gbx_error *error)
{
    if (options->shared_count > SHARED_COUNT_MAX)
        return fail(error, GBX_EINVAL, "isolate options: %llu shared memories, at most %d",
            (unsigned long long)options->shared_count, SHARED_COUNT_MAX);
    if (options->shared_count > 0 && options->shared == NULL)
        return fail(error, GBX_EINVAL, "isolate options: shared is NULL");
    for (uint64_t i = 0; i < options->shared_count; i++)
        if (options->shared[i] == NULL)
            return fail(error, GBX_EINVAL, "isolate options: shared memory %llu is NULL",
                (unsigned long long)i);
    if (options->shared_count > 0 && (options->flags & GBX_ISOLATE_NO_SHARED_MEMORY) != 0)
        return fail(error, GBX_EINVAL,
            "isolate options: shared memory, and GBX_ISOLATE_NO_SHARED_MEMORY");
    return GBX_OK;
}

bool
shared_keep(gbx_isolate_options *options)
{
    size_t count = (size_t)options->shared_count;
    gbx_shared **list = count == 0 ? NULL : malloc(count * sizeof(gbx_shared *));

    if (count > 0 && list == NULL) {
        options->shared = NULL;
        options->shared_count = 0;
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        list[i] = options->shared[i];
        take(&list[i]->memory.held);
    }
    options->shared = list;
    return true;
}

void
shared_let_go(gbx_isolate_options *options)
{
    for (uint64_t i = 0; i < options->shared_count; i++)
        gbx_shared_close(options->shared[i]);
    free((void *)(uintptr_t)options->shared);
    options->shared = NULL;
    options->shared_count = 0;
}

gbx_status
shared_put(const gbx_isolate_options *options, const struct held *held, uint32_t *out_number)
{
    for (uint32_t i = 0; i < options->shared_count; i++)
        if (&options->shared[i]->memory.held == held) {
            *out_number = i;
            return GBX_OK;
        }
    return GBX_EINVAL;
}

gbx_status
shared_get(const gbx_isolate_options *options, uint32_t number, struct held **out_held,
    const char **why)
{
    if (number >= options->shared_count) {
        *why = "shared memory that the isolate does not have";
        return GBX_EPROTO;
    }
    *out_held = &options->shared[number]->memory.held;
    take(*out_held);
    return GBX_OK;
}
