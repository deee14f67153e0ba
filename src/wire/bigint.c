/* BigInts in decimal. Quadratic, so bounded: see BIGINT_DIGITS_MAX. */
#include "base/limits.h"
#include "wire/number.h"
#include "wire/value.h"

#include <stdlib.h>

/* The largest power of ten in a word, and its digits. */
#define CHUNK        10000000000000000000u
#define CHUNK_DIGITS 19

__extension__ typedef unsigned __int128 wide;

size_t
bigint_digits_max(const struct bigint *bigint)
{
    return ((size_t)bigint->count * 64 * 30103) / 100000 + 1; /* log10(2) */
}

gbx_status
bigint_to_digits(const struct bigint *bigint, char *out, size_t *out_len)
{
    uint32_t count = bigint->count;
    size_t room = bigint_digits_max(bigint) + CHUNK_DIGITS, at = room;
    uint64_t *words = malloc((count + 1) * sizeof *words);
    char *digits = malloc(room);

    if (words == NULL || digits == NULL) {
        free(words);
        free(digits);
        return GBX_ENOMEM;
    }
    memcpy(words, bigint->words, count * sizeof *words);
    while (count > 0) {
        uint64_t rest = 0;
        for (uint32_t i = count; i-- > 0;) {
            wide part = (wide)rest << 64 | words[i];
            words[i] = (uint64_t)(part / CHUNK);
            rest = (uint64_t)(part % CHUNK);
        }
        while (count > 0 && words[count - 1] == 0)
            count--;
        /* The leading chunk has no leading zeros; every other one has all its digits. */
        for (int i = 0; i < CHUNK_DIGITS && (count > 0 || rest > 0); i++, rest /= 10)
            digits[--at] = (char)('0' + rest % 10);
    }
    if (at == room)
        digits[--at] = '0';
    memcpy(out, digits + at, room - at);
    *out_len = room - at;
    free(words);
    free(digits);
    return GBX_OK;
}

gbx_status
gbx_value_get_bigint_text(const gbx_value *value, char **out_text, size_t *out_len)
{
    size_t len;

    if (value == NULL || (value->kind != GBX_BIGINT && value->kind != GBX_BIGINT_OBJECT))
        return GBX_EINVAL;
    const struct bigint *bigint = value->bigint;
    if (bigint_digits_max(bigint) > BIGINT_DIGITS_MAX)
        return GBX_ETOOBIG;
    char *text = malloc(bigint_digits_max(bigint) + 2);
    if (text == NULL)
        return GBX_ENOMEM;
    size_t sign = bigint->negative;
    if (bigint->negative)
        text[0] = '-';
    gbx_status status = bigint_to_digits(bigint, text + sign, &len);
    if (status != GBX_OK) {
        free(text);
        return status;
    }
    text[sign + len] = '\0';
    *out_text = text;
    if (out_len != NULL)
        *out_len = sign + len;
    return GBX_OK;
}

gbx_value *
gbx_value_new_bigint_text(const char *text, size_t len)
{
    if (len == GBX_NUL)
        len = strlen(text);
    bool negative = len > 0 && text[0] == '-';
    const char *p = text + negative, *end = text + len;
    if (p == end || (size_t)(end - p) > BIGINT_DIGITS_MAX)
        return NULL;
    /* A word holds 19 digits and a bit more. */
    uint64_t *words = malloc(((size_t)(end - p) / CHUNK_DIGITS + 1) * sizeof *words);
    if (words == NULL)
        return NULL;
    size_t count = 0;
    while (p < end && *p >= '0' && *p <= '9') {
        uint64_t scale = 1, carry = 0;
        for (int i = 0; i < CHUNK_DIGITS && p < end && *p >= '0' && *p <= '9'; i++, p++) {
            carry = carry * 10 + (uint64_t)(*p - '0');
            scale *= 10;
        }
        for (size_t i = 0; i < count; i++) {
            wide part = (wide)words[i] * scale + carry;
            words[i] = (uint64_t)part;
            carry = (uint64_t)(part >> 64);
        }
        if (carry > 0)
            words[count++] = carry;
    }
    gbx_value *value = p == end ? gbx_value_new_bigint(negative, words, count) : NULL;
    free(words);
    return value;
}
