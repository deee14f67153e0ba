#include "cell/compress.h"

#include "base/limits.h"

#include <stdlib.h>
#include <zstd.h>

struct compressor {
    ZSTD_CCtx *context;
    compress_sink sink;
    void *data;
    uint8_t out[SNAPSHOT_CHUNK_BYTES];
};

struct compressor *
compressor_new(compress_sink sink, void *data)
{
    struct compressor *c = malloc(sizeof *c);

    if (c == NULL)
        return NULL;
    c->sink = sink;
    c->data = data;
    c->context = ZSTD_createCCtx();
    if (c->context == NULL || ZSTD_isError(ZSTD_CCtx_setParameter(
                                  c->context, ZSTD_c_compressionLevel, SNAPSHOT_ZSTD_LEVEL))) {
        compressor_free(c);
        return NULL;
    }
    return c;
}

static bool
run(struct compressor *c, struct span bytes, ZSTD_EndDirective directive)
{
    ZSTD_inBuffer in = { bytes.p, bytes.len, 0 };
    size_t left;

    do {
        ZSTD_outBuffer out = { c->out, sizeof c->out, 0 };
        left = ZSTD_compressStream2(c->context, &out, &in, directive);
        if (ZSTD_isError(left) || (out.pos > 0 && !c->sink(c->data, span_of(c->out, out.pos))))
            return false;
    } while (directive == ZSTD_e_end ? left > 0 : in.pos < in.size);
    return true;
}

bool
compressor_add(struct compressor *compressor, struct span bytes)
{
    return run(compressor, bytes, ZSTD_e_continue);
}

bool
compressor_end(struct compressor *compressor)
{
    return run(compressor, span_of(NULL, 0), ZSTD_e_end);
}

void
compressor_free(struct compressor *compressor)
{
    if (compressor == NULL)
        return;
    (void)ZSTD_freeCCtx(compressor->context);
    free(compressor);
}
