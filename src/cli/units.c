#include "cli/cli.h"

#include "base/check.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct unit {
    const char *name;
    uint64_t factor;
};

typedef int (*same)(const char *, const char *);

/* Ascending. Binary, whatever they are called: memory comes in pages. */
static const struct unit sizes[] = { { "", 1 }, { "B", 1 }, { "K", 1 << 10 }, { "KB", 1 << 10 },
    { "KiB", 1 << 10 }, { "M", 1 << 20 }, { "MB", 1 << 20 }, { "MiB", 1 << 20 },
    { "G", 1 << 30 }, { "GB", 1 << 30 }, { "GiB", 1 << 30 } };
static const struct unit times[] = { { "us", 1 }, { "ms", 1000 }, { "s", 1000000 },
    { "m", 60000000 }, { "h", 3600000000 } };

static uint64_t
multiply(uint64_t a, uint64_t b)
{
    uint64_t product;

    return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

/* Digits, a fraction if there is one, a unit. */
static bool
read_quantity(
    const char *text, const struct unit *units, size_t count, same compare, uint64_t *out)
{
    uint64_t whole = 0, fraction = 0, scale = 1;
    const char *p = text;

    if (!isdigit((unsigned char)*p))
        return false;
    for (; isdigit((unsigned char)*p); p++) {
        whole = multiply(whole, 10);
        if (whole != UINT64_MAX && __builtin_add_overflow(whole, (uint64_t)(*p - '0'), &whole))
            whole = UINT64_MAX;
    }
    if (*p == '.' && isdigit((unsigned char)p[1]))
        for (p++; isdigit((unsigned char)*p); p++)
            if (scale < 1000000) { /* finer than the finest unit can show */
                fraction = fraction * 10 + (uint64_t)(*p - '0');
                scale *= 10;
            }
    for (size_t i = 0; i < count; i++)
        if (compare(p, units[i].name) == 0) {
            uint64_t part = fraction * units[i].factor / scale;
            whole = multiply(whole, units[i].factor);
            if (__builtin_add_overflow(whole, part, out))
                *out = UINT64_MAX;
            return true;
        }
    return false;
}

bool
units_read_bytes(const char *text, uint64_t *out_bytes)
{
    return read_quantity(text, sizes, COUNT(sizes), strcasecmp, out_bytes);
}

bool
units_read_time(const char *text, uint64_t *out_us)
{
    if (strcmp(text, "0") == 0) { /* the only number that needs no unit */
        *out_us = 0;
        return true;
    }
    /* 64M is a size, and no time. */
    return read_quantity(text, times, COUNT(times), strcmp, out_us);
}

/* In the largest unit that leaves no fraction. */
static void
write_quantity(uint64_t n, const struct unit *units, size_t count, char out[UNITS_TEXT])
{
    const struct unit *best = &units[0];

    for (size_t i = 0; i < count && n != 0; i++)
        if (n % units[i].factor == 0 && units[i].factor > best->factor)
            best = &units[i];
    (void)snprintf(
        out, UNITS_TEXT, "%llu%s", (unsigned long long)(n / best->factor), best->name);
}

void
units_write_bytes(uint64_t bytes, char out[UNITS_TEXT])
{
    write_quantity(bytes, sizes, COUNT(sizes), out);
}

void
units_write_time(uint64_t us, char out[UNITS_TEXT])
{
    write_quantity(us, times, COUNT(times), out);
}

/* In the largest unit of which it is one at least, with one decimal. */
static void
show_quantity(uint64_t n, const struct unit *units, size_t count, char out[UNITS_TEXT])
{
    const struct unit *best = &units[0];

    for (size_t i = 0; i < count; i++)
        if ((n >= units[i].factor || units[i].factor == 1) && units[i].name[0] != '\0')
            best = &units[i];
    if (best->factor == 1)
        (void)snprintf(out, UNITS_TEXT, "%llu %s", (unsigned long long)n, best->name);
    else
        (void)snprintf(
            out, UNITS_TEXT, "%.1f %s", (double)n / (double)best->factor, best->name);
}

void
units_show_bytes(uint64_t bytes, char out[UNITS_TEXT])
{
    show_quantity(bytes, sizes, COUNT(sizes), out);
}

void
units_show_time(uint64_t us, char out[UNITS_TEXT])
{
    show_quantity(us, times, COUNT(times), out);
}
