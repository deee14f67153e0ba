/* cache.h - code caches under seal: what makes the bytes of one ours.
 *
 * Runs in:  host.
 * Trusts:   nothing of a cache before its seal is checked, and of a cell that makes one only that
 *           nothing but the source has been in it (gbx_script_cache()).
 * Threads:  no state.
 */
#ifndef HOST_CACHE_H
#define HOST_CACHE_H

#include "base/buf.h"

#include <stdbool.h>

#define CACHE_KEY_BYTES  32 /* of HMAC-SHA256 */
#define CACHE_HASH_BYTES 32 /* of SHA-256 */

void cache_hash(struct span source, uint8_t out[CACHE_HASH_BYTES]);

/* Appends the sealed cache of a source with this hash. */
void cache_seal(const uint8_t key[CACHE_KEY_BYTES], const char *engine,
    const uint8_t hash[CACHE_HASH_BYTES], struct span data, struct buf *out);

/* GBX_CACHE_ACCEPTED with what V8 made in *data, lent from `sealed`; else why not. */
uint32_t cache_open(const uint8_t key[CACHE_KEY_BYTES], const char *engine, struct span source,
    struct span sealed, struct span *data);

#endif
