/* cache.c - a sealed code cache:
 *
 *     magic         16 bytes
 *     seal          32, HMAC-SHA256 of all the rest, the magic included
 *     source hash   32, SHA-256
 *     engine        u32 length, text
 *     data          to the end: what V8 made
 *
 * The key keeps what cells and strangers make out; the hash and the engine keep what we made to its
 * purpose. V8's own check knows a source by its length alone. */
#include "host/cache.h"

#include <glovebox/script.h>
#include <nettle/hmac.h>
#include <nettle/memops.h>

static const char magic[16] = "glovebox cache 1";

enum {
    SEAL_AT = sizeof magic,
    HASH_AT = SEAL_AT + SHA256_DIGEST_SIZE,
    ENGINE_AT = HASH_AT + CACHE_HASH_BYTES,
    HEAD = ENGINE_AT + 4
};
_Static_assert(CACHE_HASH_BYTES == SHA256_DIGEST_SIZE, "the hash is a SHA-256");

void
cache_hash(struct span source, uint8_t out[CACHE_HASH_BYTES])
{
    struct sha256_ctx context;

    sha256_init(&context);
    sha256_update(&context, source.len, source.p);
    sha256_digest(&context, CACHE_HASH_BYTES, out);
}

/* The seal of bytes that begin with a whole head. */
static void
seal_compute(
    const uint8_t key[CACHE_KEY_BYTES], struct span bytes, uint8_t out[SHA256_DIGEST_SIZE])
{
    struct hmac_sha256_ctx context;

    hmac_sha256_set_key(&context, CACHE_KEY_BYTES, key);
    hmac_sha256_update(&context, SEAL_AT, bytes.p);
    hmac_sha256_update(&context, bytes.len - HASH_AT, bytes.p + HASH_AT);
    hmac_sha256_digest(&context, SHA256_DIGEST_SIZE, out);
}

void
cache_seal(const uint8_t key[CACHE_KEY_BYTES], const char *engine,
    const uint8_t hash[CACHE_HASH_BYTES], struct span data, struct buf *out)
{
    uint8_t seal[SHA256_DIGEST_SIZE] = { 0 };
    size_t begun = out->len;

    buf_append(out, magic, sizeof magic);
    buf_append(out, seal, sizeof seal);
    buf_append(out, hash, CACHE_HASH_BYTES);
    buf_u32(out, (uint32_t)strlen(engine));
    buf_text(out, engine);
    buf_append(out, data.p, data.len);
    if (out->failed)
        return;
    seal_compute(key, span_of(out->p + begun, out->len - begun), seal);
    memcpy(out->p + begun + SEAL_AT, seal, sizeof seal);
}

uint32_t
cache_open(const uint8_t key[CACHE_KEY_BYTES], const char *engine, struct span source,
    struct span sealed, struct span *data)
{
    uint8_t seal[SHA256_DIGEST_SIZE], hash[CACHE_HASH_BYTES];
    const uint8_t *p = sealed.p;

    if (sealed.len < HEAD || memcmp(p, magic, sizeof magic) != 0)
        return GBX_CACHE_MALFORMED;
    uint32_t length = (uint32_t)p[ENGINE_AT] | (uint32_t)p[ENGINE_AT + 1] << 8 |
                      (uint32_t)p[ENGINE_AT + 2] << 16 | (uint32_t)p[ENGINE_AT + 3] << 24;
    if (length > sealed.len - HEAD || length == sealed.len - HEAD)
        return GBX_CACHE_MALFORMED;
    if (length != strlen(engine) || memcmp(p + HEAD, engine, length) != 0)
        return GBX_CACHE_ENGINE;
    cache_hash(source, hash);
    if (memcmp(p + HASH_AT, hash, sizeof hash) != 0)
        return GBX_CACHE_SOURCE;
    seal_compute(key, sealed, seal);
    if (!memeql_sec(seal, p + SEAL_AT, sizeof seal))
        return GBX_CACHE_FORGED;
    *data = span_of(p + HEAD + length, sealed.len - HEAD - length);
    return GBX_CACHE_ACCEPTED;
}
