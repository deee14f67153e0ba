/* glovebox/shared.h - memory that host and guests have in common: SharedArrayBuffers.
 *
 * Shared memory is the host's. An isolate that is opened with it (gbx_isolate_options.shared) has
 * it mapped before it is sealed, and only those isolates can be given it: as a value, it arrives
 * as a SharedArrayBuffer over the very memory, in every such isolate; a view of it likewise. It
 * comes back from guests in the same way. Nothing is copied and nobody is told of a write.
 *
 * What lies in it is written by guests at any moment, also while the host reads it: copy first,
 * then check the copy. Atomics work between all who share it, but for Atomics.wait(), waitAsync()
 * and notify(): those reach the agents of one process only, and every isolate is one. A guest that
 * waits is woken by its timeout. Say by a call or a host function that there is something to do.
 *
 * The memory counts towards no isolate's limit: the host has chosen its size. It stays as long as
 * its owner, a value or an open isolate has it. Forks and isolates of a template share it, too.
 */
#ifndef GLOVEBOX_SHARED_H
#define GLOVEBOX_SHARED_H

#include <glovebox/value.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gbx_shared gbx_shared;

/**
 * Makes shared memory: a sealed memfd, mapped here; zero, and without pages until it is used.
 *
 * @param len         bytes, 1 to 1 GiB.
 * @param out_shared  set only on GBX_OK; release with gbx_shared_close().
 * @param error       filled on failure only; may be NULL.
 * @return GBX_OK, GBX_EINVAL, GBX_ENOMEM, GBX_ESYS (no descriptor is left, say).
 * @threads any.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_shared_open(
    uint64_t len, GBX_OWN gbx_shared **out_shared, GBX_BORROW gbx_error *error);

/**
 * Tells where the memory is.
 *
 * @param out_len  set to its bytes; may be NULL.
 * @return its first byte, at a multiple of the page size, until the memory is released; never NULL.
 * @threads any.   @since 0.1
 */
GBX_API GBX_BORROW void *gbx_shared_bytes(GBX_BORROW const gbx_shared *shared, size_t *out_len);

/**
 * Makes a SharedArrayBuffer of it, to be put wherever values go; views of it can be made as of an
 * ArrayBuffer. Sent to an isolate that was not opened with it: GBX_EINVAL.
 *
 * @return the value, owned, of kind GBX_SHARED_ARRAY_BUFFER; NULL when out of memory.
 * @threads any.   @since 0.1
 */
GBX_API GBX_NODROP GBX_OWN gbx_value *gbx_value_new_shared(GBX_BORROW gbx_shared *shared);

/**
 * Tells which memory a SharedArrayBuffer is.
 *
 * @return borrowed from the value; NULL if `value` is none.
 * @threads one at a time per graph of values.   @since 0.1
 */
GBX_API GBX_BORROW gbx_shared *gbx_value_get_shared(GBX_BORROW const gbx_value *value);

/**
 * Lets go of the memory. NULL is fine. Never fails.
 *
 * @threads any.   @since 0.1
 */
GBX_API void gbx_shared_close(GBX_OWN gbx_shared *shared);

#ifdef __cplusplus
}
#endif

#endif
