/* name.c - what a snapshot's file is called: LABEL.TIME.ID.heapsnapshot.zst. */
#include "store/store.h"

#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SUFFIX ".heapsnapshot.zst"
#define LIMIT  "limit-"

static bool
is_plain(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '_';
}

/* Bytes of the UTF-8 sequence at `p`; 0: none, or a control character. */
static size_t
sequence(const unsigned char *p)
{
    size_t n = p[0] < 0x80   ? 1
               : p[0] < 0xC2 ? 0
               : p[0] < 0xE0 ? 2
               : p[0] < 0xF0 ? 3
               : p[0] < 0xF5 ? 4
                             : 0;

    if (p[0] < 0x20 || p[0] == 0x7F)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    if (n == 2 && p[0] == 0xC2 && p[1] < 0xA0) /* C1 controls */
        return 0;
    if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) ||
        (p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F))
        return 0;
    return n;
}

gbx_status
name_check_label(const char *label, gbx_error *error)
{
    const unsigned char *p = (const unsigned char *)label;
    size_t len = label != NULL ? strnlen(label, STORE_LABEL_BYTES) : 0;

    for (size_t i = 0, n; i < len; i += n) {
        n = sequence(p + i);
        if (n == 0)
            return fail(error, GBX_EINVAL,
                "a label is UTF-8 without control characters; byte %zu is not", i);
    }
    if (len == 0 || len == STORE_LABEL_BYTES)
        return fail(error, GBX_EINVAL, "a label has 1 to %d bytes", (int)STORE_LABEL_BYTES - 1);
    return GBX_OK;
}

/* Answers how many bytes. */
static size_t
write_label(const char *label, char *out)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t n = 0;

    for (const unsigned char *p = (const unsigned char *)label; *p != '\0'; p++) {
        if (is_plain(*p)) {
            out[n++] = (char)*p;
        } else {
            out[n++] = '%';
            out[n++] = digits[*p >> 4];
            out[n++] = digits[*p & 15];
        }
    }
    return n;
}

void
name_write(const struct name *name, char out[STORE_NAME_BYTES])
{
    time_t seconds = (time_t)(name->taken_us / 1000000);
    struct tm tm;
    size_t n = write_label(name->label, out);

    (void)gmtime_r(&seconds, &tm);
    (void)snprintf(out + n, STORE_NAME_BYTES - n,
        ".%04d%02d%02dT%02d%02d%02d.%06uZ.%llu" SUFFIX, (tm.tm_year + 1900) % 10000,
        tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
        (unsigned)(name->taken_us % 1000000), (unsigned long long)name->id);
}

void
name_write_limit(const char *label, const char *token, char out[STORE_NAME_BYTES])
{
    size_t n = write_label(label, out);

    (void)snprintf(out + n, STORE_NAME_BYTES - n, "." LIMIT "%s" SUFFIX, token);
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool
read_label(const char *text, size_t len, char out[STORE_LABEL_BYTES])
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        char hex[3] = { 0 };
        if (n == STORE_LABEL_BYTES - 1)
            return false;
        if (text[i] != '%') {
            out[n++] = text[i];
            continue;
        }
        if (i + 2 >= len)
            return false;
        memcpy(hex, text + i + 1, 2);
        out[n++] = (char)strtoul(hex, NULL, 16);
        i += 2;
    }
    out[n] = '\0';
    return strlen(out) == n && name_check_label(out, NULL) == GBX_OK;
}

static bool
read_time(const char *text, uint64_t *out_us)
{
    struct tm tm = { 0 };
    unsigned us;
    int end = 0;

    if (sscanf(text, "%4d%2d%2dT%2d%2d%2d.%6uZ%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
            &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &us, &end) != 7 ||
        end == 0)
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    time_t seconds = timegm(&tm);
    if (seconds < 0)
        return false;
    *out_us = (uint64_t)seconds * 1000000 + us;
    return true;
}

bool
name_read(const char *text, struct name *out)
{
    char again[STORE_NAME_BYTES];
    struct name name = { .id = 0 };
    size_t len = strlen(text), suffix = strlen(SUFFIX);
    const char *dot = strchr(text, '.');

    if (len >= STORE_NAME_BYTES || dot == NULL || len < suffix ||
        strcmp(text + len - suffix, SUFFIX) != 0 ||
        !read_label(text, (size_t)(dot - text), name.label))
        return false;
    if (strncmp(dot + 1, LIMIT, strlen(LIMIT)) == 0) {
        char token[STORE_NAME_BYTES];
        const char *begin = dot + 1 + strlen(LIMIT);
        size_t n = strcspn(begin, ".");
        memcpy(token, begin, n);
        token[n] = '\0';
        name_write_limit(name.label, token, again);
    } else {
        const char *zone = strchr(dot, 'Z');
        if (zone == NULL || zone[1] != '.' || !read_time(dot + 1, &name.taken_us))
            return false;
        name.id = strtoull(zone + 2, NULL, 10);
        if (name.id == 0 || name.id > INT64_MAX)
            return false;
        name_write(&name, again);
    }
    if (strcmp(text, again) != 0)
        return false;
    *out = name;
    return true;
}
