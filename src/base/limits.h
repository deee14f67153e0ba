/* limits.h - every constant that bounds something, with its unit and its reason.
 *
 * A number that two modules must agree on, or that a hostile cell could stretch, stands here
 * and nowhere else. Public ones are repeated in docs/limits.md, which is made from this file.
 */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

/* --- values --------------------------------------------------------------------------- */

/* Nesting of containers in one value. V8's serialiser recurses to about 10,000 before it gives
 * up; ours is iterative, so this bounds only what the consumer of a value must cope with. */
#define VALUE_DEPTH_MAX        10000
/* Nodes in one value. A node is at least one byte on the wire and about 40 bytes decoded, so
 * this times 40 is what one hostile message may cost the host. */
#define VALUE_COUNT_MAX        (8u * 1024 * 1024)
/* Bytes of one encoded value, both ways. */
#define VALUE_BYTES_MAX        (512 * MIB)
/* Bits of one BigInt: V8's own limit (1 << 30) is far past any use; this is 8 MiB. */
#define VALUE_BIGINT_BYTES_MAX (8 * MIB)

#endif
