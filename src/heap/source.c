#include "base/error.h"
#include "base/fd.h"
#include "heap/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zstd.h>

static int64_t
read_fd(struct source *source, uint8_t *to, size_t max)
{
    ssize_t n;

    do
        n = read(source->fd, to, max);
    while (n < 0 && errno == EINTR);
    return n;
}

static void
close_fd(struct source *source)
{
    fd_close(&source->fd);
}

gbx_status
source_open_fd(int fd, struct source **out, gbx_error *error)
{
    struct source *source = calloc(1, sizeof *source);
    struct stat st;

    if (source == NULL)
        return fail(error, GBX_ENOMEM, "out of memory");
    source->read = read_fd;
    source->close = close_fd;
    source->fd = fd;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        source->total_bytes = (uint64_t)st.st_size;
    *out = source;
    return GBX_OK;
}

static int64_t
read_memory(struct source *source, uint8_t *to, size_t max)
{
    size_t left = (size_t)(source->end - source->p);
    size_t n = left < max ? left : max;

    if (n > 0)
        memcpy(to, source->p, n);
    source->p += n;
    return (int64_t)n;
}

gbx_status
source_open_memory(const void *bytes, size_t len, struct source **out, gbx_error *error)
{
    struct source *source = calloc(1, sizeof *source);

    if (source == NULL)
        return fail(error, GBX_ENOMEM, "out of memory");
    source->read = read_memory;
    source->fd = -1;
    source->p = bytes;
    source->end = source->p + len;
    source->total_bytes = len;
    *out = source;
    return GBX_OK;
}

void
source_close(struct source *source)
{
    if (source == NULL)
        return;
    source_close(source->inner);
    if (source->close != NULL)
        source->close(source);
    free(source);
}

/* --- zstd ------------------------------------------------------------------------------- */

/* What is read of the file ahead of the decompressor: `p` to `end` is not decompressed yet. */
struct unpack {
    ZSTD_DStream *stream;
    size_t capacity;
    bool inside; /* of a frame: the file may not end here */
    uint8_t in[];
};

static int64_t
read_unpacked(struct source *source, uint8_t *to, size_t max)
{
    struct unpack *u = source->state;
    ZSTD_outBuffer out = { to, max, 0 };

    while (out.pos == 0) {
        bool more = true;
        if (source->p == source->end) {
            int64_t n = source->inner->read(source->inner, u->in, u->capacity);
            if (n < 0)
                return n;
            more = n > 0;
            source->p = u->in;
            source->end = u->in + n;
        }
        ZSTD_inBuffer in = { source->p, (size_t)(source->end - source->p), 0 };
        size_t left = more || u->inside ? ZSTD_decompressStream(u->stream, &out, &in) : 0;
        source->p += in.pos;
        if (ZSTD_isError(left)) {
            source->broken = ZSTD_getErrorName(left);
            return -1;
        }
        u->inside = left != 0;
        if (!more && out.pos == 0) {
            if (!u->inside)
                return 0;
            source->broken = "the compressed data ends too early";
            return -1;
        }
    }
    return (int64_t)out.pos;
}

static void
close_unpacked(struct source *source)
{
    struct unpack *u = source->state;

    (void)ZSTD_freeDStream(u->stream);
    free(u);
}

/* The first bytes of a source, and then the rest of it. */
static int64_t
read_first(struct source *source, uint8_t *to, size_t max)
{
    return source->p < source->end ? read_memory(source, to, max)
                                   : source->inner->read(source->inner, to, max);
}

static void
close_first(struct source *source)
{
    free(source->state);
}

static bool
read_all(struct source *source, uint8_t *to, size_t max, size_t *out_len)
{
    size_t len = 0;

    while (len < max) {
        int64_t n = source->read(source, to + len, max - len);
        if (n < 0)
            return false;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    *out_len = len;
    return true;
}

static struct source *
wrap(struct source *inner)
{
    struct source *source = calloc(1, sizeof *source);

    if (source != NULL) {
        source->fd = -1;
        source->inner = inner;
    }
    return source;
}

static bool
unpack_start(struct source **source)
{
    size_t capacity = ZSTD_DStreamInSize();
    struct unpack *u = malloc(sizeof *u + capacity);
    struct source *outer = wrap(*source);

    if (u == NULL || outer == NULL || (u->stream = ZSTD_createDStream()) == NULL) {
        free(u);
        free(outer);
        return false;
    }
    u->capacity = capacity;
    u->inside = true;
    outer->state = u;
    outer->read = read_unpacked;
    outer->close = close_unpacked;
    *source = outer;
    return true;
}

gbx_status
source_unpack(struct source **source, gbx_error *error)
{
    uint8_t magic[] = { 0x28, 0xB5, 0x2F, 0xFD };
    uint8_t *head = malloc(sizeof magic);
    size_t len = 0;
    gbx_status status = GBX_OK;

    struct source *first = wrap(*source);
    if (head == NULL || first == NULL) {
        free(head);
        free(first);
        source_close(*source);
        return fail(error, GBX_ENOMEM, "out of memory");
    }
    first->state = head;
    first->read = read_first;
    first->close = close_first;
    first->total_bytes = (*source)->total_bytes;
    *source = first;
    if (!read_all(first->inner, head, sizeof magic, &len))
        status = fail_errno(error, "cannot read the snapshot");
    first->p = head;
    first->end = head + len;
    if (status == GBX_OK && len == sizeof magic && memcmp(head, magic, len) == 0 &&
        !unpack_start(source))
        status = fail(error, GBX_ENOMEM, "out of memory");
    if (status != GBX_OK)
        source_close(*source);
    return status;
}
