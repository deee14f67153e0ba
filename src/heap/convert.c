/* convert.c - a snapshot's bytes from one file to another, packed or not. */
#include "base/error.h"
#include "base/fd.h"
#include "heap/heap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <zstd.h>

static bool
write_all(int fd, const uint8_t *p, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0) {
            p += n;
            len -= (size_t)n;
        }
    }
    return true;
}

struct packer {
    ZSTD_CStream *stream; /* NULL: bytes go out as they are */
    uint8_t *room;
    size_t capacity;
    int fd;
};

static gbx_status
put(struct packer *p, const uint8_t *bytes, size_t len, bool last, gbx_error *error)
{
    ZSTD_inBuffer in = { bytes, len, 0 };
    size_t left = 1;

    if (p->stream == NULL)
        return write_all(p->fd, bytes, len) ? GBX_OK
                                            : fail_errno(error, "cannot write the snapshot");
    while (in.pos < in.size || (last && left != 0)) {
        ZSTD_outBuffer out = { p->room, p->capacity, 0 };
        left = ZSTD_compressStream2(p->stream, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left))
            return fail(error, GBX_ENOMEM, "cannot compress: %s", ZSTD_getErrorName(left));
        if (!write_all(p->fd, p->room, out.pos))
            return fail_errno(error, "cannot write the snapshot");
    }
    return GBX_OK;
}

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
        status = put(packer, window, (size_t)n, last, error);
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
    struct packer packer = { .fd = to };
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
    if ((own.flags & GBX_HEAP_PACKED) != 0) {
        packer.capacity = ZSTD_CStreamOutSize();
        packer.room = malloc(packer.capacity);
        packer.stream = ZSTD_createCStream();
        if (packer.room == NULL || packer.stream == NULL)
            status = fail(error, GBX_ENOMEM, "out of memory");
        else
            (void)ZSTD_CCtx_setParameter(packer.stream, ZSTD_c_checksumFlag, 1);
    }
    if (status == GBX_OK)
        status = copy(source, &packer, &own, error);
    (void)ZSTD_freeCStream(packer.stream);
    free(packer.room);
    source_close(source);
    return status;
}
