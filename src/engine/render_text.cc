/* render_text.cc - quoting, escaping and measuring of text. */
#include "engine/render.h"

#include <algorithm>
#include <cstdio>

wide
wide_of(v8::Isolate *isolate, v8::Local<v8::String> text, size_t units)
{
    uint32_t length = static_cast<uint32_t>(
        std::min(units, static_cast<size_t>(std::max(text->Length(), 0))));
    wide out(length, u'\0');

    text->WriteV2(isolate, 0, length, reinterpret_cast<uint16_t *>(out.data()));
    return out;
}

wide
wide_of(const char *ascii)
{
    wide out;

    for (; *ascii != '\0'; ascii++)
        out += static_cast<char16_t>(static_cast<unsigned char>(*ascii));
    return out;
}

wide
wide_number(size_t number)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%zu", number);
    return wide_of(text);
}

wide
render_take(struct render *r, wide text)
{
    /* One more for the separator: also a million empty texts must end. */
    r->left -= std::min(r->left, text.size() + 1);
    return text;
}

bool
starts_with(const wide &text, const wide &start)
{
    return text.compare(0, start.size(), start) == 0;
}

bool
contains(const wide &text, const wide &part)
{
    return text.find(part) != wide::npos;
}

/* --- escapes -------------------------------------------------------------------------- */

static bool
high(char16_t c)
{
    return c >= 0xd800 && c < 0xdc00;
}

static bool
low(char16_t c)
{
    return c >= 0xdc00 && c < 0xe000;
}

static void
escape_unit(wide *out, char16_t c)
{
    static const char short_ones[] = "btn\0fr"; /* from 8 on; 11 has none in common use */
    char text[8];

    if (c >= 8 && c <= 13 && short_ones[c - 8] != '\0')
        (void)snprintf(text, sizeof text, "\\%c", short_ones[c - 8]);
    else if (c < 0x100)
        (void)snprintf(text, sizeof text, "\\x%02X", c);
    else
        (void)snprintf(text, sizeof text, "\\u%x", c);
    *out += wide_of(text);
}

static void
escape(wide *out, const wide &text, char16_t quote)
{
    for (size_t i = 0; i < text.size(); i++) {
        char16_t c = text[i];
        if (high(c) && i + 1 < text.size() && low(text[i + 1])) {
            *out += c;
            *out += text[++i];
        } else if (c == quote || c == u'\\') {
            *out += u'\\';
            *out += c;
        } else if (c < 0x20 || (c >= 0x7f && c < 0xa0) || high(c) || low(c)) {
            escape_unit(out, c);
        } else {
            *out += c;
        }
    }
}

wide
escaped(const wide &text)
{
    wide out;

    escape(&out, text, u'\'');
    return out;
}

/* Single quotes; others when the text has single ones and that saves an escape. */
wide
quoted(const wide &text)
{
    char16_t quote = u'\'';

    if (text.find(u'\'') != wide::npos) {
        if (text.find(u'"') == wide::npos)
            quote = u'"';
        else if (text.find(u'`') == wide::npos && !contains(text, u"${"))
            quote = u'`';
    }
    wide out(1, quote);
    escape(&out, text, quote == u'\'' ? quote : u'\\');
    out += quote;
    return out;
}

/* --- measures ------------------------------------------------------------------------- */

struct range {
    char32_t first, last;
};

/* Code points without a column, and with two: the large blocks of Unicode's East Asian Width
 * and of its emoji. Not exact at the edges, which shows as a crooked column, no more. */
static const struct range narrow[] = { { 0, 0x1f }, { 0x7f, 0x9f }, { 0x300, 0x36f },
    { 0x200b, 0x200f }, { 0x20d0, 0x20ff }, { 0xfe00, 0xfe0f }, { 0xfe20, 0xfe2f },
    { 0xe0100, 0xe01ef } };
static const struct range broad[] = { { 0x1100, 0x115f }, { 0x231a, 0x231b },
    { 0x2329, 0x232a }, { 0x23e9, 0x23ec }, { 0x2614, 0x2615 }, { 0x26a1, 0x26a1 },
    { 0x2705, 0x2705 }, { 0x2728, 0x2728 }, { 0x274c, 0x274c }, { 0x2753, 0x2755 },
    { 0x2b50, 0x2b50 }, { 0x2e80, 0x303e }, { 0x3041, 0x4dbf }, { 0x4e00, 0xa4c6 },
    { 0xa960, 0xa97c }, { 0xac00, 0xd7a3 }, { 0xf900, 0xfaff }, { 0xfe10, 0xfe19 },
    { 0xfe30, 0xfe6b }, { 0xff01, 0xff60 }, { 0xffe0, 0xffe6 }, { 0x1b000, 0x1b2ff },
    { 0x1f200, 0x1f265 }, { 0x1f300, 0x1f64f }, { 0x1f680, 0x1f6ff }, { 0x1f900, 0x1f9ff },
    { 0x20000, 0x3fffd } };

template <size_t count>
static bool
within(const struct range (&ranges)[count], char32_t c)
{
    for (const struct range &each : ranges)
        if (c >= each.first && c <= each.last)
            return true;
    return false;
}

size_t
columns_of(const wide &text)
{
    size_t columns = 0;

    for (size_t i = 0; i < text.size(); i++) {
        char32_t c = text[i];
        if (c >= 0x20 && c < 0x7f) {
            columns++;
            continue;
        }
        if (high(text[i]) && i + 1 < text.size() && low(text[i + 1]))
            c = 0x10000 + ((c - 0xd800) << 10) + (text[++i] - 0xdc00u);
        if (!within(narrow, c))
            columns += within(broad, c) ? 2 : 1;
    }
    return columns;
}

void
indent_lines(wide *text, uint32_t columns)
{
    size_t at = 0;

    if (columns == 0)
        return;
    wide out;
    for (size_t end; (end = text->find(u'\n', at)) != wide::npos; at = end + 1) {
        out.append(*text, at, end + 1 - at);
        out.append(columns, u' ');
    }
    out.append(*text, at, wide::npos);
    *text = std::move(out);
}
