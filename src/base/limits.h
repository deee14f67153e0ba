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

/* --- channel -------------------------------------------------------------------------- */

/* Bytes of each ring; a power of two. Long messages stream through it, and at this size the
 * copy, not the hand-over, is what costs (bench/). Every page of it that was ever touched stays
 * with a live isolate, so it is no larger. */
#define RING_BYTES    (64 * 1024)
/* Longest spin before a sleep. About what a wake-up across cores costs (30 us each way). */
#define SPIN_MAX_NS   50000
/* Spin of a side that waited longer than SPIN_WORTH_NS lately: catches a quick second message
 * without burning a core for a slow peer. */
#define SPIN_MIN_NS   2000
#define SPIN_WORTH_NS 150000

/* --- messages ------------------------------------------------------------------------- */

/* Bytes of source text in one evaluation; typescript.js is 9 MB. */
#define SOURCE_BYTES_MAX   (256 * MIB)
/* Bytes of all arguments of one call, or of one answer. */
#define MESSAGE_BYTES_MAX  (VALUE_BYTES_MAX + 64 * KIB)
/* A reader's buffer past this is given back after its message: one large answer must not pin
 * its size to every isolate for ever. */
#define FRAME_KEPT_BYTES   (64 * KIB)
/* Arguments of one call. */
#define ARGUMENTS_MAX      4096
/* Bytes of the texts of an exception; V8's own stack is at most 10 frames by default, and a
 * message that is longer than this is not read by anybody. */
#define EXCEPTION_TEXT_MAX (16 * KIB)
/* Bytes of a file name and of a dotted path. */
#define NAME_BYTES_MAX     (4 * KIB)
/* Bytes of one console message as it crosses; the formatter cuts before. */
#define CONSOLE_BYTES_MAX  (128 * KIB)
/* Bytes of one CDP message. Runtime.evaluate by value and snapshots' chunks stay far below. */
#define CDP_BYTES_MAX      (256 * MIB)
/* Bytes of one piece of an attached heap snapshot; what V8 hands us at a time. */
#define SNAPSHOT_PIECE_MAX (256 * KIB)
/* Contexts, references, host functions, inspector sessions and nested calls of one isolate.
 * Each costs the host a table entry; nesting costs it native stack (about 2 KiB a level). */
#define CONTEXTS_MAX       1024
#define REFERENCES_MAX     (1024 * 1024)
#define FUNCTIONS_MAX      (64 * 1024)
#define SESSIONS_MAX       256
#define NESTING_MAX        64
/* Host promises that one guest may have open. */
#define PROMISES_MAX       (64 * 1024)

#endif
