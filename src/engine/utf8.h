/* utf8.h - UTF-16 to UTF-8, for texts that are not V8 strings.
 *
 * Threads: any.
 */
#ifndef ENGINE_UTF8_H
#define ENGINE_UTF8_H

#include "base/buf.h"

static inline void
utf8_append(struct buf *out, uint32_t c)
{
    if (c < 0x80) {
        buf_byte(out, static_cast<uint8_t>(c));
        return;
    }
    if (c < 0x800) {
        buf_byte(out, static_cast<uint8_t>(0xc0 | c >> 6));
    } else {
        if (c < 0x10000) {
            buf_byte(out, static_cast<uint8_t>(0xe0 | c >> 12));
        } else {
            buf_byte(out, static_cast<uint8_t>(0xf0 | c >> 18));
            buf_byte(out, static_cast<uint8_t>(0x80 | (c >> 12 & 0x3f)));
        }
        buf_byte(out, static_cast<uint8_t>(0x80 | (c >> 6 & 0x3f)));
    }
    buf_byte(out, static_cast<uint8_t>(0x80 | (c & 0x3f)));
}

/* The code point at `*i`, which moves to its last unit; U+FFFD for a lone surrogate. */
static inline uint32_t
utf16_next(const char16_t *units, size_t count, size_t *i)
{
    uint32_t c = units[*i];

    if (c < 0xd800 || c >= 0xe000)
        return c;
    if (c >= 0xdc00 || *i + 1 == count || units[*i + 1] < 0xdc00 || units[*i + 1] >= 0xe000)
        return 0xfffd;
    return 0x10000 + ((c - 0xd800) << 10) + (units[++*i] - 0xdc00u);
}

#endif
