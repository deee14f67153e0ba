/* integers.h - long rows of numbers, as text.
 *
 * Runs in:  whoever reads a snapshot.
 * Trusts:   nothing that is read.
 * Threads:  any.
 */
#ifndef HEAP_INTEGERS_H
#define HEAP_INTEGERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum integers_end {
    INTEGERS_DONE, /* all up to the limit */
    INTEGERS_WIDE, /* a number that does not fit 32 bits is next */
    INTEGERS_BAD   /* something that does not belong there is next */
};

/* One piece of a row, which begins where a number may begin and ends behind a comma or behind the
 * row's last number. */
struct integers {
    const uint8_t *p;     /* up to where it was read */
    const uint8_t *limit; /* its end; up to 63 bytes behind it may be read */
    uint32_t *out;        /* room for half its bytes, and INTEGERS_SPARE */
    size_t count;         /* numbers in `out` */
    bool after_number;    /* no comma came since */
};

enum {
    INTEGERS_SPARE = 72
};

typedef enum integers_end (*integers_read)(struct integers *row);

/* Digit by digit, on any machine; and by blocks of 64 bytes with AVX-512 (VBMI, VBMI2). AVX2
 * has no way to pick bytes out of 64: with it, we measured 1.0 to 1.5 GB/s where the plain loop
 * has 1.9 and AVX-512 5 to 8. */
enum integers_end integers_read_plain(struct integers *row);
#ifdef __x86_64__
enum integers_end integers_read_avx512(struct integers *row);
#endif
/* The fastest one of this machine. */
integers_read integers_best(void);

#endif
