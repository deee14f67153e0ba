#include "heap/strings.h"

#include "base/limits.h"
#include "heap/memory.h"

void
strings_done(struct strings *s)
{
    memory_free(s->text, s->text_capacity, 1);
    memory_free(s->begin, s->capacity, sizeof *s->begin);
    memory_free(s->paired, s->paired_capacity, sizeof *s->paired);
    *s = (struct strings){ 0 };
}

static bool
room_for_text(struct strings *s, size_t n)
{
    size_t capacity = s->text_capacity == 0 ? 64 * KIB : s->text_capacity;

    if (n <= s->text_capacity - s->text_len)
        return true;
    while (capacity - s->text_len < n)
        capacity += capacity / 2;
    if (capacity > HEAP_TEXT_MAX)
        capacity = HEAP_TEXT_MAX;
    if (capacity - s->text_len < n)
        return false;
    uint8_t *text = memory_resize(s->text, s->text_capacity, capacity, 1);
    if (text == NULL)
        return false;
    s->text = text;
    s->text_capacity = capacity;
    return true;
}

static bool
room_for_string(struct strings *s)
{
    if (s->count + 1 < s->capacity)
        return true;
    uint32_t capacity = s->capacity == 0 ? 4096 : s->capacity + s->capacity / 2;
    if (capacity > HEAP_STRINGS_MAX)
        return false;
    uint32_t *begin = memory_resize(s->begin, s->capacity, capacity, sizeof *begin);
    if (begin == NULL)
        return false;
    s->begin = begin;
    s->capacity = capacity;
    return true;
}

uint32_t
strings_add(struct strings *s, struct span text)
{
    if (!room_for_string(s) || !room_for_text(s, text.len))
        return NO_STRING;
    if (text.len > 0)
        memcpy(s->text + s->text_len, text.p, text.len);
    s->text_len += text.len;
    s->begin[++s->count] = (uint32_t)s->text_len;
    return s->count - 1;
}

/* --- reading ---------------------------------------------------------------------------- */

static bool
is_surrogate(uint32_t unit, uint32_t first)
{
    return unit - first < 0x400;
}

/* A code point, or a lone surrogate. The caller has seen to room. */
static void
put_code(struct strings *s, uint32_t c)
{
    uint8_t *to = s->text + s->text_len;
    size_t n = 0;

    if (c < 0x80) {
        to[n++] = (uint8_t)c;
    } else if (c < 0x800) {
        to[n++] = (uint8_t)(0xC0 | c >> 6);
        to[n++] = (uint8_t)(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        to[n++] = (uint8_t)(0xE0 | c >> 12);
        to[n++] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
        to[n++] = (uint8_t)(0x80 | (c & 0x3F));
    } else {
        to[n++] = (uint8_t)(0xF0 | c >> 18);
        to[n++] = (uint8_t)(0x80 | (c >> 12 & 0x3F));
        to[n++] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
        to[n++] = (uint8_t)(0x80 | (c & 0x3F));
    }
    s->text_len += n;
}

/* Four hexadecimal digits at r->p, which has them. */
static bool
read_unit(struct reader *r, uint32_t *out)
{
    uint32_t unit = 0;

    for (unsigned i = 0; i < 4; i++, r->p++) {
        uint32_t c = *r->p, digit = c - '0';
        if (digit >= 10) {
            digit = (c | 0x20) - 'a' + 10;
            if (digit < 10 || digit >= 16)
                return reader_fail(r, r->p, "expected a hexadecimal digit");
        }
        unit = unit << 4 | digit;
    }
    *out = unit;
    return true;
}

static bool
available(struct reader *r, size_t n)
{
    while ((size_t)(r->end - r->p) < n)
        if (!reader_fill(r))
            return false;
    return true;
}

static bool
fail_end(struct reader *r)
{
    return reader_fail(r, r->end, "the file ends inside a string");
}

/* r->p stands on a backslash. `*high` is the high surrogate that the last escape was, or 0; its
 * three bytes are written already, and a low one behind it takes their place. */
static bool
read_escape(struct strings *s, struct reader *r, uint32_t *high)
{
    static const char plain[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
    uint32_t unit = 0;

    if (!available(r, 2))
        return fail_end(r);
    uint8_t c = r->p[1];
    if (c != 'u') {
        for (const char *pair = plain; *pair != '\0'; pair += 2)
            if (c == (uint8_t)*pair) {
                r->p += 2;
                *high = 0;
                s->text[s->text_len++] = (uint8_t)pair[1];
                return true;
            }
        return reader_fail(r, r->p, "an escape that JSON does not have");
    }
    if (!available(r, 6))
        return fail_end(r);
    r->p += 2;
    if (!read_unit(r, &unit))
        return false;
    if (*high != 0 && is_surrogate(unit, 0xDC00)) {
        s->text_len -= 3;
        put_code(s, 0x10000 + ((*high - 0xD800) << 10) + (unit - 0xDC00));
        *high = 0;
        return true;
    }
    *high = is_surrogate(unit, 0xD800) ? unit : 0;
    put_code(s, unit);
    return true;
}

/* The bytes of a character that is not ASCII; r->p stands on it. */
static bool
read_wide(struct strings *s, struct reader *r)
{
    /* The least code point of each length: what is written longer than it must is no UTF-8. */
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    uint8_t first = *r->p;
    size_t n = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    uint32_t code = first & (0x7Fu >> n);

    if (first < 0xC2 || first > 0xF4)
        return reader_fail(r, r->p, "bytes that are not UTF-8");
    if (!available(r, n))
        return fail_end(r);
    for (size_t i = 1; i < n; i++) {
        if ((r->p[i] & 0xC0) != 0x80)
            return reader_fail(r, r->p, "bytes that are not UTF-8");
        code = code << 6 | (r->p[i] & 0x3F);
    }
    if (code < least[n] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
        return reader_fail(r, r->p, "bytes that are not UTF-8");
    put_code(s, code);
    r->p += n;
    return true;
}

/* How many bytes at `p` need no work: neither quote, backslash, control character, nor beyond
 * ASCII. Up to eight bytes past `end` may be read. */
static size_t
plain_bytes(const uint8_t *p, const uint8_t *end)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    const uint8_t *q = p;

    while (q < end) {
        uint64_t eight;
        memcpy(&eight, q, sizeof eight);
        uint64_t quote = eight ^ ones * '"', escape = eight ^ ones * '\\';
        uint64_t special = (eight - ones * 0x20) | ((quote - ones) & ~quote) |
                           ((escape - ones) & ~escape) | eight;
        special &= tops;
        if (special != 0) {
            q += __builtin_ctzll(special) / 8;
            break;
        }
        q += 8;
    }
    return (size_t)((q < end ? q : end) - p);
}

/* What stands between quotes; the first one is taken. */
static bool
read_string(struct strings *s, struct reader *r)
{
    uint32_t high = 0;

    for (;;) {
        if (r->p == r->end && !reader_fill(r))
            return fail_end(r);
        size_t n = plain_bytes(r->p, r->end);
        if (!room_for_text(s, n + 8))
            return s->text_len + n + 8 > HEAP_TEXT_MAX
                       ? reader_fail(r, r->p, "more than 4 GiB of strings")
                       : reader_no_memory(r);
        memcpy(s->text + s->text_len, r->p, n);
        s->text_len += n;
        r->p += n;
        high = n > 0 ? 0 : high;
        if (r->p == r->end)
            continue;
        if (*r->p == '"') {
            r->p++;
            return true;
        }
        if (*r->p < ' ')
            return reader_fail(r, r->p, "a control character in a string");
        bool wide = *r->p >= 0x80;
        if (!(wide ? read_wide(s, r) : read_escape(s, r, &high)))
            return false;
        high = wide ? 0 : high;
    }
}

/* Keeps the number of the last string if it begins with a digit and ends with ")". */
static bool
pick_paired(struct strings *s)
{
    struct span last = strings_get(s, s->count - 1);

    if (last.len == 0 || (uint32_t)last.p[0] - '0' >= 10 || last.p[last.len - 1] != ')')
        return true;
    if (s->paired_count == s->paired_capacity) {
        uint32_t capacity = s->paired_capacity == 0 ? 1024 : s->paired_capacity * 2;
        uint32_t *more = memory_resize(s->paired, s->paired_capacity, capacity, sizeof *more);
        if (more == NULL)
            return false;
        s->paired = more;
        s->paired_capacity = capacity;
    }
    s->paired[s->paired_count++] = s->count - 1;
    return true;
}

/* Room for all that the file can still have, if that is known: addresses, of which none is touched
 * in vain. Columns that grow are moved, and lose their large pages. */
static void
reserve(struct strings *s, const struct reader *r)
{
    uint64_t at = reader_offset(r, r->p), total = r->source->total_bytes;
    uint64_t left = total > at ? total - at : 0;

    if (left > HEAP_TEXT_MAX)
        left = HEAP_TEXT_MAX;
    if (left < HEAP_RESERVE_BYTES)
        return;
    s->text = memory_new(left, 1);
    s->text_capacity = s->text == NULL ? 0 : left;
    /* The shortest string is two quotes and a comma. */
    uint32_t count = (uint32_t)(left / 3) + 1;
    s->begin = memory_new(count, sizeof *s->begin);
    s->capacity = s->begin == NULL ? 0 : count;
}

bool
strings_read(struct strings *s, struct reader *r)
{
    reserve(s, r);
    if (!room_for_string(s))
        return reader_no_memory(r);
    s->begin[0] = 0;
    if (!reader_expect(r, '['))
        return false;
    if (reader_accept(r, ']'))
        return true;
    do {
        if (!reader_expect(r, '"') || !read_string(s, r))
            return false;
        if (!room_for_string(s))
            return reader_fail(r, r->p, "too many strings");
        s->begin[++s->count] = (uint32_t)s->text_len;
        if (!pick_paired(s))
            return reader_no_memory(r);
    } while (reader_accept(r, ','));
    return reader_expect(r, ']');
}

/* --- text ------------------------------------------------------------------------------- */

uint64_t
span_hash(struct span text)
{
    const uint64_t k = 0x9E3779B97F4A7C15u;
    uint64_t h = text.len * k;
    size_t i = 0;

    for (; i + 8 <= text.len; i += 8) {
        uint64_t eight;
        memcpy(&eight, text.p + i, sizeof eight);
        h = (h ^ eight) * k;
        h ^= h >> 29;
    }
    uint64_t last = 0;
    if (i < text.len)
        memcpy(&last, text.p + i, text.len - i);
    h = (h ^ last) * k;
    return h ^ h >> 32;
}

size_t
span_units(struct span text)
{
    size_t units = 0;

    for (size_t i = 0; i < text.len; i++)
        units += (text.p[i] & 0xC0) == 0x80 ? 0 : text.p[i] >= 0xF0 ? 2 : 1;
    return units;
}
