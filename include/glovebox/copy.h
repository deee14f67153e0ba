/* glovebox/copy.h - values that are encoded once and given to many isolates.
 *
 * An external copy is a snapshot of a value in the host's memory, in the form in which it goes to
 * a cell. Put in place of a value (an argument, a property, what a host function answers), it
 * arrives as that value: every guest gets one of its own, and can tell no difference. The host
 * holds the bytes once, whatever the number of isolates and of messages on their way.
 */
#ifndef GLOVEBOX_COPY_H
#define GLOVEBOX_COPY_H

#include <glovebox/value.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gbx_external_copy gbx_external_copy;

/**
 * Makes an external copy of a value. Later changes of the value don't reach it.
 *
 * @param value     data only; not changed, and the caller keeps it.
 * @param out_copy  set only on GBX_OK; release with gbx_external_copy_free().
 * @return GBX_OK, GBX_EINVAL when `value` is NULL, GBX_ECLONE when it holds a reference, a
 *         function, shared memory or another external copy, GBX_ETOOBIG (more than 512 MiB or
 *         10,000 levels), GBX_ENOMEM.
 * @threads any, one at a time per graph of values.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_external_copy_new(
    GBX_BORROW const gbx_value *value, GBX_OWN gbx_external_copy **out_copy);

/**
 * Tells what a copy costs the host, in bytes.
 *
 * @return the size of its encoded form.
 * @threads any.   @since 0.1
 */
GBX_API uint64_t gbx_external_copy_size(GBX_BORROW const gbx_external_copy *copy);

/**
 * Makes a value that stands for the copy, to be put wherever values go. It holds the copy, which
 * may be freed by its owner.
 *
 * A copy of a primitive may only stand alone, as a whole argument or result: inside of another
 * value it fails what is sent with GBX_ECLONE.
 *
 * @return the value, of kind GBX_EXTERNAL_COPY, owned; NULL when out of memory.
 * @threads any.   @since 0.1
 */
GBX_API GBX_NODROP GBX_OWN gbx_value *gbx_value_new_external(
    GBX_BORROW gbx_external_copy *copy);

/**
 * Reads a copy on the host's side.
 *
 * @param out_value  what was copied, in a graph of its own; set only on GBX_OK; release with
 *                   gbx_value_free().
 * @return GBX_OK, GBX_ENOMEM.
 * @threads any.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_external_copy_read(
    GBX_BORROW const gbx_external_copy *copy, GBX_OWN gbx_value **out_value);

/**
 * Releases a copy. Its memory goes when no value stands for it any more and no message of it is on
 * its way. Never fails; NULL is fine.
 *
 * @threads any.   @since 0.1
 */
GBX_API void gbx_external_copy_free(GBX_OWN gbx_external_copy *copy);

#ifdef __cplusplus
}
#endif

#endif
