#include "wire/value.h"

bool
is_ascii(const uint8_t *p, size_t len)
{
    size_t i = 0;

    for (; i + 32 <= len; i += 32) {
        uint64_t w[4];

        memcpy(w, p + i, sizeof w);
        if (((w[0] | w[1] | w[2] | w[3]) & 0x8080808080808080u) != 0)
            return false;
    }
    uint8_t seen = 0;
    for (; i < len; i++)
        seen |= p[i];
    return seen < 0x80;
}

static struct text *
text_alloc(struct graph *graph, size_t len, enum text_width width)
{
    struct text *text = graph_alloc(graph, sizeof *text + len + 1);

    if (text == NULL)
        return NULL;
    text->len = (uint32_t)len;
    text->width = width;
    text->bytes[len] = '\0';
    return text;
}

size_t
wtf8_put(uint8_t *p, uint32_t c)
{
    if (c < 0x80) {
        p[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        p[0] = (uint8_t)(0xC0 | c >> 6);
        p[1] = (uint8_t)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        p[0] = (uint8_t)(0xE0 | c >> 12);
        p[1] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
        p[2] = (uint8_t)(0x80 | (c & 0x3F));
        return 3;
    }
    p[0] = (uint8_t)(0xF0 | c >> 18);
    p[1] = (uint8_t)(0x80 | (c >> 12 & 0x3F));
    p[2] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
    p[3] = (uint8_t)(0x80 | (c & 0x3F));
    return 4;
}

/* How many bytes follow a lead byte, and the range of the first of them (Unicode, table 3-7,
 * but with the surrogates allowed). 0: not a lead byte. */
static int
lead(uint8_t byte, uint8_t *low, uint8_t *high)
{
    *low = 0x80;
    *high = 0xBF;
    if (byte >= 0xC2 && byte <= 0xDF)
        return 1;
    if (byte >= 0xE0 && byte <= 0xEF) {
        if (byte == 0xE0)
            *low = 0xA0;
        return 2;
    }
    if (byte >= 0xF0 && byte <= 0xF4) {
        if (byte == 0xF0)
            *low = 0x90;
        if (byte == 0xF4)
            *high = 0x8F;
        return 3;
    }
    return 0;
}

/* One sequence as it stands; a surrogate pair in two sequences comes out as two. */
static uint32_t
sequence_next(const uint8_t **p, const uint8_t *end, bool *bad)
{
    static const uint8_t payload[] = { 0, 0x1F, 0x0F, 0x07 };
    uint8_t first = *(*p)++;
    uint8_t low, high;

    if (first < 0x80)
        return first;
    int more = lead(first, &low, &high);
    uint32_t c = first & payload[more];
    for (int i = 0; i < more; i++) {
        if (*p == end || **p < low || **p > high) {
            more = 0;
            break;
        }
        c = c << 6 | (*(*p)++ & 0x3F);
        low = 0x80;
        high = 0xBF;
    }
    if (more > 0)
        return c;
    if (bad != NULL)
        *bad = true;
    return 0xFFFD;
}

uint32_t
wtf8_next(const uint8_t **p, const uint8_t *end, bool *bad)
{
    uint32_t c = sequence_next(p, end, bad);

    if ((c & 0xFFFFFC00u) == 0xD800 && end - *p >= 3 && (*p)[0] == 0xED && (*p)[1] >= 0xB0) {
        const uint8_t *after = *p;
        bool torn = false;
        uint32_t second = sequence_next(&after, end, &torn);
        if (!torn) {
            *p = after;
            return 0x10000 + ((c & 0x3FF) << 10) + (second & 0x3FF);
        }
    }
    return c;
}

bool
is_utf8(const uint8_t *p, size_t len)
{
    const uint8_t *end = p + len;
    bool bad = false;

    while (p < end && !bad) {
        uint32_t c = sequence_next(&p, end, &bad);
        bad |= (c & 0xFFFFF800u) == 0xD800;
    }
    return !bad;
}

static size_t
wtf8_measure(const uint8_t *p, size_t len, enum text_width *width)
{
    const uint8_t *end = p + len;
    uint8_t scratch[4];
    uint32_t all = 0;
    size_t n = 0;

    while (p < end) {
        uint32_t c = wtf8_next(&p, end, NULL);
        all |= c;
        n += wtf8_put(scratch, c);
    }
    *width = all < 0x80 ? TEXT_ASCII : all < 0x100 ? TEXT_LATIN1 : TEXT_WIDE;
    return n;
}

size_t
text_room(const char *p, size_t len)
{
    enum text_width width;
    size_t n = len;

    if (!is_ascii((const uint8_t *)p, len))
        n = wtf8_measure((const uint8_t *)p, len, &width);
    return sizeof(struct text) + n + 1;
}

struct text *
text_of_utf8(struct graph *graph, const char *chars, size_t len)
{
    const uint8_t *p = (const uint8_t *)chars;
    struct text *text;

    if (is_ascii(p, len)) {
        text = text_alloc(graph, len, TEXT_ASCII);
        if (text != NULL && len > 0)
            memcpy(text->bytes, p, len);
        return text;
    }
    enum text_width width;
    size_t n = wtf8_measure(p, len, &width);
    text = text_alloc(graph, n, width);
    if (text == NULL)
        return NULL;
    uint8_t *at = (uint8_t *)text->bytes;
    for (const uint8_t *end = p + len; p < end;)
        at += wtf8_put(at, wtf8_next(&p, end, NULL));
    return text;
}

struct text *
text_of_latin1(struct graph *graph, const uint8_t *p, size_t len)
{
    size_t wide = 0;

    if (!is_ascii(p, len))
        for (size_t i = 0; i < len; i++)
            wide += p[i] >> 7;
    struct text *text = text_alloc(graph, len + wide, wide > 0 ? TEXT_LATIN1 : TEXT_ASCII);
    if (text == NULL)
        return NULL;
    if (wide == 0) {
        if (len > 0)
            memcpy(text->bytes, p, len);
        return text;
    }
    uint8_t *at = (uint8_t *)text->bytes;
    for (size_t i = 0; i < len; i++)
        at += wtf8_put(at, p[i]);
    return text;
}

static uint32_t
unit_at(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8;
}

/* The code point at unit *i; a surrogate by itself comes out as it is. */
static uint32_t
utf16_next(const uint8_t *p, size_t units, size_t *i)
{
    uint32_t c = unit_at(p + 2 * (*i)++);

    if ((c & 0xFC00) != 0xD800 || *i == units)
        return c;
    uint32_t second = unit_at(p + 2 * *i);
    if ((second & 0xFC00) != 0xDC00)
        return c;
    (*i)++;
    return 0x10000 + ((c & 0x3FF) << 10) + (second & 0x3FF);
}

struct text *
text_of_utf16(struct graph *graph, const uint8_t *p, size_t units)
{
    uint8_t scratch[4];
    uint32_t all = 0;
    size_t n = 0;

    for (size_t i = 0; i < units;) {
        uint32_t c = utf16_next(p, units, &i);
        all |= c;
        n += wtf8_put(scratch, c);
    }
    enum text_width width = all < 0x80 ? TEXT_ASCII : all < 0x100 ? TEXT_LATIN1 : TEXT_WIDE;
    struct text *text = text_alloc(graph, n, width);
    if (text == NULL)
        return NULL;
    uint8_t *at = (uint8_t *)text->bytes;
    for (size_t i = 0; i < units;)
        at += wtf8_put(at, utf16_next(p, units, &i));
    return text;
}
