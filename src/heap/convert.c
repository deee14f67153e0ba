/* convert.c - a snapshot's bytes from one file to another, packed or not. */
#include "base/error.h"
#include "base/fd.h"
#include "heap/heap.h"
#include "heap/packer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

static gbx_status
copy(struct source *source, struct packer *packer, const gbx_heap_options *options,
    gbx_error *error)
{
    uint8_t *window = malloc(HEAP_WINDOW_BYTES);
    gbx_status status = window == NULL ? fail(error, GBX_ENOMEM, "out of memory") : GBX_OK;
    uint64_t done = 0, told = 0;

    for (bool last = false; status == GBX_OK && !last;) {
        int64_t n = source->read(source, window, HEAP_WINDOW_BYTES);
        if (n < 0) {
            status = source->broken != NULL ? fail(error, GBX_EINVAL, "byte %llu: %s",
                                                  (unsigned long long)done, source->broken)
                                            : fail_errno(error, "cannot read the snapshot");
            break;
        }
        last = n == 0;
        done += (uint64_t)n;
        status = packer_put(packer, window, (size_t)n, last, error);
        if (status == GBX_OK && options->progress != NULL &&
            done - told >= HEAP_PROGRESS_BYTES) {
            told = done;
            if (options->progress("copy", done, source->total_bytes, options->data) != 0)
                status = fail(error, GBX_ETERMINATED, "given up");
        }
    }
    free(window);
    return status;
}

gbx_status
gbx_heap_convert(int32_t from, int32_t to, const gbx_heap_options *options, gbx_error *error)
{
    gbx_heap_options own;
    struct source *source = NULL;
    struct packer packer;
    gbx_status status = heap_read_options(&own, options, GBX_HEAP_PACKED, error);

    if (status != GBX_OK)
        return status;
    GBX_AUTOFD fd = fcntl(from, F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        return fail_errno(error, "cannot use descriptor %d", from);
    status = source_open_fd(fd, &source, error);
    if (status != GBX_OK)
        return status;
    (void)steal_fd(&fd);
    status = source_unpack(&source, error);
    if (status != GBX_OK)
        return status;
    status = packer_open(&packer, to, (own.flags & GBX_HEAP_PACKED) != 0, error);
    if (status == GBX_OK)
        status = copy(source, &packer, &own, error);
    packer_close(&packer);
    source_close(source);
    return status;
}
