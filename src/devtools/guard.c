/* guard.c - Host, Origin and path. */
#include "devtools/guard.h"

#include <strings.h>

static bool
is_text(struct span s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.p, text, s.len) == 0;
}

static bool
is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* Up to `max` digits at *at: a number without leading zeros, at most `most`. */
static bool
take_number(struct span s, size_t *at, size_t max, unsigned most, unsigned *out)
{
    size_t begin = *at;
    unsigned n = 0;

    while (*at < s.len && is_digit(s.p[*at]) && *at - begin < max)
        n = n * 10 + (unsigned)(s.p[(*at)++] - '0');
    *out = n;
    return *at > begin && n <= most && (s.p[begin] != '0' || *at - begin == 1);
}

/* 127.x.x.x: no octal, no hexadecimal, no short form, which others read as other addresses. */
static size_t
take_loopback4(struct span s)
{
    size_t at = 0;
    unsigned n;

    for (int i = 0; i < 4; i++) {
        if (i > 0 && (at >= s.len || s.p[at++] != '.'))
            return 0;
        if (!take_number(s, &at, 3, 255, &n) || (i == 0 && n != 127))
            return 0;
    }
    return at;
}

static size_t
take_name(struct span s)
{
    static const char *const names[] = { "localhost", "[::1]" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (s.len >= strlen(names[i]) &&
            strncasecmp((const char *)s.p, names[i], strlen(names[i])) == 0)
            return strlen(names[i]);
    return take_loopback4(s);
}

bool
guard_host(struct span host)
{
    size_t at = take_name(host);
    unsigned port;

    if (at == 0 || at == host.len)
        return at != 0;
    /* Not our own port: it may have been forwarded. */
    return host.p[at++] == ':' && take_number(host, &at, 5, 65535, &port) && port != 0 &&
           at == host.len;
}

bool
guard_origin(struct span origin, const char *allowed)
{
    return is_text(origin, "devtools://devtools") ||
           (allowed != NULL && is_text(origin, allowed));
}

bool
guard_same(struct span a, struct span b)
{
    unsigned differ = 0;

    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        differ |= (unsigned)(a.p[i] ^ b.p[i]);
    return differ == 0;
}
