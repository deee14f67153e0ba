#include "heap/packer.h"

#include "base/error.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <zstd.h>

gbx_status
packer_open(struct packer *p, int fd, bool packed, gbx_error *error)
{
    *p = (struct packer){ .fd = fd };
    if (!packed)
        return GBX_OK;
    p->capacity = ZSTD_CStreamOutSize();
    p->room = malloc(p->capacity);
    p->stream = ZSTD_createCStream();
    if (p->room == NULL || p->stream == NULL)
        return fail(error, GBX_ENOMEM, "out of memory");
    (void)ZSTD_CCtx_setParameter(p->stream, ZSTD_c_checksumFlag, 1);
    return GBX_OK;
}

void
packer_close(struct packer *p)
{
    (void)ZSTD_freeCStream(p->stream);
    free(p->room);
    *p = (struct packer){ .fd = -1 };
}

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

gbx_status
packer_put(struct packer *p, const uint8_t *bytes, size_t len, bool last, gbx_error *error)
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
