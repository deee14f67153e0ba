#include "heap/integers.h"

static bool
is_blank(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Digits at `p`, which has one. Nine of them always fit; more are looked at. NULL: they do not. */
static const uint8_t *
read_number(const uint8_t *p, const uint8_t *limit, uint32_t *out)
{
    const uint8_t *nine = limit - p > 9 ? p + 9 : limit;
    uint32_t n = 0, digit;

    while (p < nine && (digit = (uint32_t)*p - '0') < 10) {
        n = n * 10 + digit;
        p++;
    }
    if (p == nine && p < limit && (uint32_t)*p - '0' < 10) {
        uint64_t wide = n;
        while (p < limit && (digit = (uint32_t)*p - '0') < 10 && wide <= UINT32_MAX) {
            wide = wide * 10 + digit;
            p++;
        }
        if (wide > UINT32_MAX)
            return NULL;
        n = (uint32_t)wide;
    }
    *out = n;
    return p;
}

enum integers_end
integers_read_plain(struct integers *row)
{
    const uint8_t *p = row->p, *limit = row->limit;
    size_t count = row->count;
    enum integers_end end = INTEGERS_DONE;

    for (;;) {
        while (p < limit && is_blank(*p))
            p++;
        if (p == limit)
            break;
        if (row->after_number) {
            if (*p != ',') {
                end = INTEGERS_BAD;
                break;
            }
            p++;
            row->after_number = false;
            continue;
        }
        if ((uint32_t)*p - '0' >= 10) {
            end = INTEGERS_BAD;
            break;
        }
        const uint8_t *behind = read_number(p, limit, &row->out[count]);
        if (behind == NULL) {
            end = INTEGERS_WIDE;
            break;
        }
        p = behind;
        count++;
        /* The usual case, without going round. */
        row->after_number = p == limit || *p != ',';
        if (!row->after_number)
            p++;
    }
    row->p = p;
    row->count = count;
    return end;
}

#ifdef __x86_64__
#include <immintrin.h>

#define WITH_AVX512 \
    __attribute__((target("avx512f,avx512bw,avx512vbmi,avx512vbmi2,bmi,popcnt")))

#define EIGHT(n) n, n, n, n, n, n, n, n
#define FROM(n)  n, n + 1, n + 2, n + 3, n + 4, n + 5, n + 6, n + 7

/* Of each byte, eight to a number: which of eight numbers it belongs to, and how far before
 * that number's end its digit stands. Tables and no arrays on the stack: AddressSanitizer's own
 * stack is not aligned as vectors want it. */
static const uint8_t lanes[64] = { EIGHT(0), EIGHT(1), EIGHT(2), EIGHT(3), EIGHT(4), EIGHT(5),
    EIGHT(6), EIGHT(7) };
static const uint8_t backs[64] = { 8, 7, 6, 5, 4, 3, 2, 1, 8, 7, 6, 5, 4, 3, 2, 1, 8, 7, 6, 5,
    4, 3, 2, 1, 8, 7, 6, 5, 4, 3, 2, 1, 8, 7, 6, 5, 4, 3, 2, 1, 8, 7, 6, 5, 4, 3, 2, 1, 8, 7, 6,
    5, 4, 3, 2, 1, 8, 7, 6, 5, 4, 3, 2, 1 };
static const uint8_t byte_numbers[64] = { FROM(0), FROM(8), FROM(16), FROM(24), FROM(32),
    FROM(40), FROM(48), FROM(56) };

/* Eight numbers whose digits end before ends[k] and begin behind separators[k], k counted from
 * `first`; both are positions in `block`, and negative ones in `earlier`, the 64 bytes before. */
__attribute__((always_inline)) WITH_AVX512 static inline __m256i
eight_numbers(__m512i first, __m512i ends, __m512i separators, __m512i earlier, __m512i block)
{
    __m512i which = _mm512_add_epi8(_mm512_loadu_si512(lanes), first);
    __m512i end = _mm512_permutexvar_epi8(which, ends);
    __m512i separator = _mm512_permutexvar_epi8(which, separators);
    __m512i at = _mm512_sub_epi8(end, _mm512_loadu_si512(backs));
    __mmask64 inside = _mm512_cmpgt_epi8_mask(at, separator);
    /* Bit 6 of the index picks the table: 0 to 63 is `earlier`. */
    __m512i digits = _mm512_maskz_permutex2var_epi8(
        inside, earlier, _mm512_add_epi8(at, _mm512_set1_epi8(64)), block);
    /* Digits to pairs, pairs to fours, fours to eights. */
    __m512i pairs = _mm512_maddubs_epi16(digits, _mm512_set1_epi16(0x010A));
    __m512i fours = _mm512_madd_epi16(pairs, _mm512_set1_epi32(0x00010064));
    __m512i eights = _mm512_add_epi64(
        _mm512_mul_epu32(fours, _mm512_set1_epi64(10000)), _mm512_srli_epi64(fours, 32));
    return _mm512_cvtepi64_epi32(eights);
}

/* A block is read when it holds digits and commas only, no two commas side by side, and no
 * number of more than eight digits; the first one that does not, and what follows it, is for
 * the plain loop. */
WITH_AVX512 enum integers_end
integers_read_avx512(struct integers *row)
{
    const __m512i numbers = _mm512_loadu_si512(byte_numbers), nine = _mm512_set1_epi8(9);
    __m512i earlier = _mm512_setzero_si512();
    const uint8_t *p = row->p;
    uint32_t *out = row->out + row->count;
    int separator = -1; /* the last one, counted from p */

    while (!row->after_number && row->limit - p >= 64) {
        __m512i text = _mm512_loadu_si512(p);
        __m512i block = _mm512_sub_epi8(text, _mm512_set1_epi8('0'));
        uint64_t commas = _mm512_cmpeq_epi8_mask(text, _mm512_set1_epi8(','));
        uint64_t others = _mm512_cmpgt_epu8_mask(block, nine) & ~commas;
        uint64_t doubled = commas & (commas << 1 | (separator == -1 ? 1 : 0));
        if ((others | doubled) != 0 || commas == 0)
            break;
        unsigned count = (unsigned)__builtin_popcountll(commas);
        __m512i ends = _mm512_maskz_compress_epi8(commas, numbers);
        __m512i before = _mm512_mask_set1_epi8(
            _mm512_permutexvar_epi8(_mm512_sub_epi8(numbers, _mm512_set1_epi8(1)), ends), 1,
            (char)separator);
        if (_mm512_mask_cmpgt_epi8_mask(
                (UINT64_C(1) << count) - 1, _mm512_sub_epi8(ends, before), nine) != 0)
            break;
        for (unsigned k = 0; k < count; k += 8)
            _mm256_storeu_si256((__m256i *)(void *)(out + k),
                eight_numbers(_mm512_set1_epi8((char)k), ends, before, earlier, block));
        out += count;
        separator = 63 - __builtin_clzll(commas) - 64;
        earlier = block;
        p += 64;
    }
    row->count = (size_t)(out - row->out);
    row->p = p + separator + 1;
    return integers_read_plain(row);
}
#endif

integers_read
integers_best(void)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2") &&
        __builtin_cpu_supports("avx512bw"))
        return integers_read_avx512;
#endif
    return integers_read_plain;
}
