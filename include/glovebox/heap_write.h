/* glovebox/heap_write.h - heap snapshots made of others: without what is in strings, or a part. Of
 * libglovebox-heap.
 *
 * What is written has stacks of allocations and samples of a timeline no more. */
#ifndef GLOVEBOX_HEAP_WRITE_H
#define GLOVEBOX_HEAP_WRITE_H

#include <glovebox/heap.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GBX_HEAP_KEY_BYTES 16

/**
 * Copies a snapshot, and puts a keyed hash in the place of each string that a program may have
 * chosen: texts, names of properties, variables, functions and classes, addresses of scripts.
 *
 * What stands there has the length of the string, and is the same wherever the string is, and in
 * all snapshots that are redacted with the same key: they can be compared. Sizes, distances,
 * dominators, ids and counts stay what they are. What JavaScript and V8 themselves name stays
 * readable: Array, Map, __proto__, (object elements), the tags of elements. A string of a program
 * that is the same as one of those stays too. A concatenated string has the texts of its parts,
 * each redacted by itself.
 *
 * @param from     stays the caller's.
 * @param to       likewise; what was written stays there on failure.
 * @param key      GBX_HEAP_KEY_BYTES of random bytes; NULL: chosen here, and forgotten.
 * @param options  copied; NULL for the defaults. GBX_HEAP_PACKED compresses.
 * @param error    filled on failure only; may be NULL.
 * @return GBX_OK; GBX_EINVAL: it is no whole snapshot, or an option is wrong; GBX_EUNSUPPORTED;
 *         GBX_ETERMINATED: progress gave up; GBX_ENOMEM; GBX_ESYS.
 * @blocks while it reads and writes.   @threads any.   @since 0.1
 */
GBX_API gbx_status gbx_heap_redact(int32_t from, int32_t to, GBX_BORROW const uint8_t *key,
    GBX_BORROW const gbx_heap_options *options, gbx_error *error);

/**
 * Writes a part of a heap as a snapshot: a node, a shortest path from the root to it, the global
 * objects, and what the node retains, or what it leads to. Edges are there whose both ends are.
 *
 * Of a node that is written with all that it retains, sizes, distances and dominators stay what
 * they are; plain objects may count under another class, which is a matter of how many there are.
 * Sizes are those of DevTools: what backing stores have counts with their owners.
 *
 * @param node     the node.
 * @param depth    0: all that it retains; else what it leads to by that many edges, which are not
 *                 weak.
 * @param to       stays the caller's; what was written stays there on failure.
 * @param options  copied; NULL for the defaults. GBX_HEAP_PACKED compresses.
 * @param error    filled on failure only; may be NULL.
 * @return GBX_OK; GBX_EINVAL: there is no such node, or an option is wrong; GBX_EUNSUPPORTED;
 *         GBX_ETERMINATED: progress gave up; GBX_ENOMEM; GBX_ESYS.
 * @blocks while it writes.   @threads one at a time.   @since 0.1
 */
GBX_API gbx_status gbx_heap_slice(GBX_BORROW gbx_heap *heap, uint32_t node, uint32_t depth,
    int32_t to, GBX_BORROW const gbx_heap_options *options, gbx_error *error);

#ifdef __cplusplus
}
#endif
#endif
