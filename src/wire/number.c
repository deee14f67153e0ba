#include "wire/number.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Digits of a number above zero: 0.d1d2d3... times ten to the `point`. */
struct digits {
    char d[20];
    int count;
    int point;
};

/* strtod() in the C locale. newlocale() of "C" hands out a static object and allocates nothing. */
static double
read_double(const char *text)
{
    return strtod_l(text, NULL, newlocale(LC_ALL_MASK, "C", (locale_t)0));
}

/* `precision` digits, correctly rounded. The decimal point may be any locale's. */
static void
round_to(double number, int precision, struct digits *out)
{
    char text[64];

    (void)snprintf(text, sizeof text, "%.*e", precision - 1, number);
    out->count = 0;
    const char *p = text;
    for (; *p != 'e'; p++)
        if (*p >= '0' && *p <= '9')
            out->d[out->count++] = *p;
    out->point = atoi(p + 1) + 1;
}

static bool
reads_back(const struct digits *digits, double number)
{
    char text[48];

    (void)snprintf(text, sizeof text, "0.%.*se%d", digits->count, digits->d, digits->point);
    return read_double(text) == number;
}

/* One up in the last place. */
static void
digits_next(struct digits *digits)
{
    int i = digits->count - 1;

    while (i >= 0 && digits->d[i] == '9')
        digits->d[i--] = '0';
    if (i >= 0) {
        digits->d[i]++;
    } else {
        digits->d[0] = '1';
        digits->point++;
    }
}

/* 15 digits survive in every double that is normal, so trying from there gives the shortest;
 * below that range fewer may do. At a power of two the gap below is half as wide as the one
 * above, so the shortest may be the next one up instead of the nearest. */
static void
shortest(double number, struct digits *out)
{
    int exponent;
    bool power = frexp(number, &exponent) == 0.5;
    int precision = number < 2.2250738585072014e-308 ? 1 : 15;

    for (; precision <= 17; precision++) {
        round_to(number, precision, out);
        if (reads_back(out, number))
            break;
        if (power) {
            digits_next(out);
            if (reads_back(out, number))
                break;
        }
    }
    while (out->count > 1 && out->d[out->count - 1] == '0')
        out->count--;
}

/* Places the point as ECMA-262, Number::toString, says. */
static size_t
place_point(const struct digits *digits, char *out)
{
    int k = digits->count, n = digits->point;
    char *p = out;

    if (n > 21 || n <= -6) {
        *p++ = digits->d[0];
        if (k > 1)
            *p++ = '.';
        for (int i = 1; i < k; i++)
            *p++ = digits->d[i];
        return (size_t)(p - out) + (size_t)sprintf(p, "e%+d", n - 1);
    }
    if (n <= 0) {
        memcpy(p, "0.00000", (size_t)(2 - n));
        p += 2 - n;
    }
    for (int i = 0; i < k || i < n; i++) {
        if (i == n && n > 0)
            *p++ = '.';
        *p++ = i < k ? digits->d[i] : '0';
    }
    return (size_t)(p - out);
}

size_t
number_to_text(double number, char out[NUMBER_TEXT_MAX])
{
    struct digits digits;
    size_t sign = 0;

    if (isnan(number))
        return (size_t)sprintf(out, "NaN");
    if (fabs(number) < 9007199254740992.0 && number == (double)(int64_t)number)
        return (size_t)sprintf(out, "%lld", (long long)number); /* -0 is "0" */
    if (number < 0) {
        out[sign++] = '-';
        number = -number;
    }
    if (isinf(number))
        return sign + (size_t)sprintf(out + sign, "Infinity");
    shortest(number, &digits);
    size_t len = sign + place_point(&digits, out + sign);
    out[len] = '\0';
    return len;
}

/* Up to 15 digits and a power of ten up to 22 are exact in a double, and so one division or
 * multiplication rounds correctly (Clinger). False: it takes more. */
static bool
read_exactly(const char *p, size_t len, double *out)
{
    static const double powers[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10,
        1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
    bool negative = len > 0 && *p == '-';
    const char *end = p + len;
    int64_t mantissa = 0;
    int digits = 0, fraction = 0;
    bool point = false;

    for (p += negative; p < end; p++) {
        if (*p == '.' && !point) {
            point = true;
            continue;
        }
        if (*p < '0' || *p > '9' || ++digits > 15)
            return false;
        mantissa = mantissa * 10 + (*p - '0');
        fraction += point;
    }
    double number = (double)mantissa / powers[fraction];
    *out = negative ? -number : number;
    return true;
}

bool
number_from_text(const char *p, size_t len, double *out)
{
    char small[128];
    char *copy = small;

    if (read_exactly(p, len, out))
        return true;
    if (len >= sizeof small)
        copy = malloc(len + 1);
    if (copy == NULL)
        return false;
    memcpy(copy, p, len);
    copy[len] = '\0';
    *out = read_double(copy);
    if (copy != small)
        free(copy);
    return true;
}

double
number_from_half(uint16_t bits)
{
    int exponent = bits >> 10 & 0x1F;
    int fraction = bits & 0x3FF;
    double number;

    if (exponent == 0)
        number = ldexp(fraction, -24);
    else if (exponent < 31)
        number = ldexp(1024 + fraction, exponent - 25);
    else
        number = fraction == 0 ? (double)INFINITY : (double)NAN;
    return (bits & 0x8000) != 0 ? -number : number;
}
