/* number.h - numbers as JavaScript writes and reads them, whatever the locale. */
#ifndef WIRE_NUMBER_H
#define WIRE_NUMBER_H

#include "base/span.h"

#include <glovebox/value.h>

#include <stdbool.h>

struct bigint;

enum {
    NUMBER_TEXT_MAX = 32 /* bytes with the NUL; the longest is -1.2345678901234567e-308 */
};

/* Number.prototype.toString: the shortest digits that read back as the same number. */
size_t number_to_text(double number, char out[NUMBER_TEXT_MAX]);
/* A decimal literal of JSON's grammar, already checked. False: out of memory. */
bool number_from_text(const char *p, size_t len, double *out);
double number_from_half(uint16_t bits);

/* Decimal digits without a sign: an upper bound of their count, and the digits themselves.
 * GBX_OK or GBX_ENOMEM. */
size_t bigint_digits_max(const struct bigint *bigint);
gbx_status bigint_to_digits(const struct bigint *bigint, char *out, size_t *out_len);

#endif
