#include "base/check.h"
#include "base/limits.h"
#include "wire/date.h"
#include "wire/held.h"
#include "wire/number.h"
#include "wire/show.h"

#include <math.h>
#include <stdlib.h>

/* A BigInt of more words is shown in hexadecimal: decimal takes time that grows with the square
 * of the size, and a hostile value may hold thousands. */
enum {
    DECIMAL_WORDS = 64,
    LINE_MIN = 16 /* a string up to this many units is never broken */
};

/* SGR codes, on and off, by style; Node's. */
static const char *const styles[][2] = {
    [STYLE_NONE] = { "", "" },
    [STYLE_NUMBER] = { "\x1b[33m", "\x1b[39m" },
    [STYLE_STRING] = { "\x1b[32m", "\x1b[39m" },
    [STYLE_UNDEFINED] = { "\x1b[90m", "\x1b[39m" },
    [STYLE_NULL] = { "\x1b[1m", "\x1b[22m" },
    [STYLE_SPECIAL] = { "\x1b[36m", "\x1b[39m" },
    [STYLE_DATE] = { "\x1b[35m", "\x1b[39m" },
    [STYLE_REGEXP] = { "\x1b[31m", "\x1b[39m" },
};

void
style_on(struct show *s, enum show_style style)
{
    if (s->color)
        buf_text(&s->out, styles[style][0]);
}

void
style_off(struct show *s, enum show_style style)
{
    if (s->color)
        buf_text(&s->out, styles[style][1]);
}

void
show_word(struct show *s, enum show_style style, const char *word)
{
    style_on(s, style);
    buf_text(&s->out, word);
    style_off(s, style);
}

/* --- texts ------------------------------------------------------------------------------ */

/* C0 and C1 controls, lone surrogates, line separators, and what turns the direction of text
 * around, so that the eye cannot be led to read something else than there is. */
static bool
is_hostile(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || (c & 0xFFFFF800u) == 0xD800 ||
           (c >= 0x200E && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E) ||
           (c >= 0x2066 && c <= 0x2069);
}

static void
put_hostile(struct buf *out, uint32_t c)
{
    static const char letters[] = "btn\0fr"; /* of 8 to 13 */

    if (c >= 8 && c <= 13 && letters[c - 8] != '\0')
        buf_printf(out, "\\%c", letters[c - 8]);
    else
        buf_printf(out, c < 0x100 ? "\\x%02X" : "\\u%04x", (unsigned)c);
}

/* The quote that needs no escape, if there is one. */
static char
quote_of(const char *text, size_t len)
{
    if (memchr(text, '\'', len) == NULL)
        return '\'';
    if (memchr(text, '"', len) == NULL)
        return '"';
    if (memchr(text, '`', len) == NULL && memmem(text, len, "${", 2) == NULL)
        return '`';
    return '\'';
}

static void
put_quoted(struct show *s, const char *text, size_t len, bool styled)
{
    const uint8_t *p = (const uint8_t *)text, *end = p + len, *plain = p;
    char quote = quote_of(text, len);

    if (styled)
        style_on(s, STYLE_STRING);
    buf_byte(&s->out, (uint8_t)quote);
    while (p < end) {
        const uint8_t *at = p;
        uint32_t c = *p < 0x80 ? *p++ : wtf8_next(&p, end, NULL);
        bool mark = c == '\\' || (c == '\'' && quote == '\'');
        if (!mark && !is_hostile(c))
            continue;
        buf_append(&s->out, plain, (size_t)(at - plain));
        if (mark)
            buf_printf(&s->out, "\\%c", (int)c);
        else
            put_hostile(&s->out, c);
        plain = p;
    }
    buf_append(&s->out, plain, (size_t)(end - plain));
    buf_byte(&s->out, (uint8_t)quote);
    if (styled)
        style_off(s, STYLE_STRING);
}

static uint32_t
unit_count(const char *text, size_t len)
{
    uint32_t units = 0;

    for (size_t i = 0; i < len; i++)
        units += (((uint8_t)text[i] & 0xC0) != 0x80 ? 1u : 0u) +
                 ((uint8_t)text[i] >= 0xF0 ? 1u : 0u);
    return units;
}

/* Bytes of the first `units` UTF-16 units; never half a character. */
static size_t
bytes_of_units(const char *text, size_t len, uint32_t units)
{
    const uint8_t *p = (const uint8_t *)text, *end = p + len;

    while (p < end) {
        const uint8_t *at = p;
        uint32_t width = wtf8_next(&p, end, NULL) >= 0x10000 ? 2 : 1;
        if (width > units)
            return (size_t)(at - (const uint8_t *)text);
        units -= width;
    }
    return len;
}

static void
put_more(struct show *s, uint64_t count, const char *what)
{
    buf_printf(
        &s->out, "... %llu more %s%s", (unsigned long long)count, what, count > 1 ? "s" : "");
}

void
show_string(struct show *s, const struct text *text, uint32_t indent, bool styled)
{
    uint32_t units = unit_count(text->bytes, text->len);
    size_t len = units > s->characters ? bytes_of_units(text->bytes, text->len, s->characters)
                                       : text->len;
    uint32_t shown = unit_count(text->bytes, len);
    const char *p = text->bytes, *end = p + len;
    bool broken = shown > LINE_MIN && shown + 4 + indent > s->width;

    do {
        const char *newline = broken ? memchr(p, '\n', (size_t)(end - p)) : NULL;
        const char *stop = newline == NULL ? end : newline + 1;
        if (p != text->bytes)
            buf_printf(&s->out, " +\n%*s", (int)indent + 2, "");
        put_quoted(s, p, (size_t)(stop - p), styled);
        p = stop;
    } while (p < end);
    if (units > shown)
        put_more(s, units - shown, "character");
}

void
show_plain(struct show *s, const char *text, size_t len, uint32_t indent)
{
    const uint8_t *p = (const uint8_t *)text, *end = p + len, *plain = p;

    while (p < end) {
        const uint8_t *at = p;
        uint32_t c = *p < 0x80 ? *p++ : wtf8_next(&p, end, NULL);
        if (c == '\t' || !is_hostile(c))
            continue;
        buf_append(&s->out, plain, (size_t)(at - plain));
        if (c == '\n')
            buf_printf(&s->out, "\n%*s", (int)indent, "");
        else
            put_hostile(&s->out, c);
        plain = p;
    }
    buf_append(&s->out, plain, (size_t)(end - plain));
}

static bool
is_identifier(const struct text *key)
{
    if (key->len == 0 || (key->bytes[0] >= '0' && key->bytes[0] <= '9'))
        return false;
    for (uint32_t i = 0; i < key->len; i++) {
        char c = key->bytes[i], letter = c | 0x20;
        if (!(letter >= 'a' && letter <= 'z') && !(c >= '0' && c <= '9') && c != '_')
            return false;
    }
    return true;
}

void
show_key(struct show *s, const struct prop *prop)
{
    if (prop->index != NOT_INDEX) {
        style_on(s, STYLE_STRING);
        buf_printf(&s->out, "'%u'", prop->index);
        style_off(s, STYLE_STRING);
    } else if (text_is(prop->key, "__proto__", 9)) {
        buf_text(&s->out, "['__proto__']");
    } else if (is_identifier(prop->key)) {
        buf_append(&s->out, prop->key->bytes, prop->key->len);
    } else {
        put_quoted(s, prop->key->bytes, prop->key->len, true);
    }
    buf_text(&s->out, ": ");
}

/* --- numbers ---------------------------------------------------------------------------- */

static void
put_number(struct show *s, double number)
{
    char text[NUMBER_TEXT_MAX];

    if (number == 0 && signbit(number))
        buf_text(&s->out, "-0");
    else
        buf_append(&s->out, text, number_to_text(number, text));
}

void
show_number(struct show *s, double number)
{
    style_on(s, STYLE_NUMBER);
    put_number(s, number);
    style_off(s, STYLE_NUMBER);
}

void
show_bigint64(struct show *s, const uint8_t *p, bool has_sign)
{
    uint64_t bits = 0;

    for (int i = 0; i < 8; i++)
        bits |= (uint64_t)p[i] << (8 * i);
    style_on(s, STYLE_NUMBER);
    if (has_sign)
        buf_printf(&s->out, "%lldn", (long long)bits);
    else
        buf_printf(&s->out, "%llun", (unsigned long long)bits);
    style_off(s, STYLE_NUMBER);
}

static void
put_hex(struct show *s, const struct bigint *bigint)
{
    uint32_t words = bigint->count;
    /* As many digits as of a string characters. */
    uint32_t shown = s->characters / 16 + 1 < words ? s->characters / 16 + 1 : words;

    buf_printf(&s->out, "0x%llx", (unsigned long long)bigint->words[words - 1]);
    for (uint32_t i = 1; i < shown; i++)
        buf_printf(&s->out, "%016llx", (unsigned long long)bigint->words[words - 1 - i]);
    if (shown < words)
        put_more(s, (uint64_t)(words - shown) * 16, "digit");
    else
        buf_byte(&s->out, 'n');
}

static void
put_bigint(struct show *s, const struct bigint *bigint)
{
    char digits[DECIMAL_WORDS * 20];
    size_t len;

    if (bigint->negative)
        buf_byte(&s->out, '-');
    if (bigint->count > DECIMAL_WORDS) {
        put_hex(s, bigint);
        return;
    }
    if (bigint_to_digits(bigint, digits, &len) != GBX_OK) {
        s->status = GBX_ENOMEM;
        return;
    }
    buf_append(&s->out, digits, len);
    buf_byte(&s->out, 'n');
}

/* --- objects without contents ----------------------------------------------------------- */

static void
show_date(struct show *s, double ms)
{
    char text[DATE_TEXT_MAX];

    style_on(s, STYLE_DATE);
    if (isnan(ms))
        buf_text(&s->out, "Invalid Date");
    else
        buf_append(&s->out, text, date_to_text(ms, text));
    style_off(s, STYLE_DATE);
}

static void
show_regexp(struct show *s, const gbx_value *node)
{
    const struct text *source = node->regexp->source;
    char flags[9];

    if (gbx_value_get_flags(node, flags) != GBX_OK)
        return;
    style_on(s, STYLE_REGEXP);
    buf_byte(&s->out, '/');
    if (source->len == 0)
        buf_text(&s->out, "(?:)");
    show_plain(s, source->bytes, source->len, 0);
    buf_printf(&s->out, "/%s", flags);
    style_off(s, STYLE_REGEXP);
}

static void
show_boxed(struct show *s, const gbx_value *node, uint32_t indent)
{
    enum show_style style = node->kind == GBX_STRING_OBJECT ? STYLE_STRING : STYLE_NUMBER;

    style_on(s, style);
    buf_printf(&s->out, "[%s: ", show_class(node));
    if (node->kind == GBX_STRING_OBJECT)
        show_string(s, node->text, indent, false);
    else if (node->kind == GBX_NUMBER_OBJECT)
        put_number(s, node->number);
    else if (node->kind == GBX_BIGINT_OBJECT)
        put_bigint(s, node->bigint);
    else
        buf_text(&s->out, node->boolean ? "true" : "false");
    buf_byte(&s->out, ']');
    style_off(s, style);
}

const char *
show_class(const gbx_value *node)
{
    static const char *const kinds[] = {
        [GBX_BOOLEAN_OBJECT] = "Boolean",
        [GBX_NUMBER_OBJECT] = "Number",
        [GBX_BIGINT_OBJECT] = "BigInt",
        [GBX_STRING_OBJECT] = "String",
        [GBX_ARRAY] = "Array",
        [GBX_OBJECT] = "Object",
        [GBX_MAP] = "Map",
        [GBX_SET] = "Set",
        [GBX_ARRAY_BUFFER] = "ArrayBuffer",
        [GBX_DATA_VIEW] = "DataView",
        [GBX_SHARED_ARRAY_BUFFER] = "SharedArrayBuffer",
    };
    static const char *const types[] = { "Int8Array", "Uint8Array", "Uint8ClampedArray",
        "Int16Array", "Uint16Array", "Int32Array", "Uint32Array", "Float16Array",
        "Float32Array", "Float64Array", "BigInt64Array", "BigUint64Array" };
    static const char *const errors[] = { "EvalError", "RangeError", "ReferenceError",
        "SyntaxError", "TypeError", "URIError" };

    if (node->kind == GBX_TYPED_ARRAY)
        return types[node->view->type];
    if (node->kind != GBX_ERROR)
        return kinds[node->kind];
    const gbx_value *name = gbx_value_get(node, "name", GBX_NUL);
    for (size_t i = 0; name != NULL && i < COUNT(errors); i++)
        if (text_is(name->text, errors[i], strlen(errors[i])))
            return errors[i];
    return "Error";
}

/* Where the frames of a stack begin: "\n    at", behind the message if that is in it. */
static bool
has_frames(const struct text *stack, const struct text *message)
{
    const char *from = stack->bytes, *end = from + stack->len;

    if (message != NULL && message->len > 0) {
        const char *found = memmem(from, stack->len, message->bytes, message->len);
        if (found != NULL && found != from)
            from = found + message->len;
    }
    return memmem(from, (size_t)(end - from), "\n    at", 7) != NULL;
}

void
show_error_head(struct show *s, const gbx_value *error, uint32_t indent)
{
    const gbx_value *stack = gbx_value_get(error, "stack", GBX_NUL);
    const gbx_value *message = gbx_value_get(error, "message", GBX_NUL);
    const gbx_value *name = gbx_value_get(error, "name", GBX_NUL);
    const struct text *note = message == NULL ? NULL : message->text;

    if (stack != NULL && stack->text->len > 0) {
        bool frames = has_frames(stack->text, note);
        buf_text(&s->out, frames ? "" : "[");
        show_plain(s, stack->text->bytes, stack->text->len, indent);
        buf_text(&s->out, frames ? "" : "]");
        return;
    }
    buf_byte(&s->out, '[');
    if (name == NULL)
        buf_text(&s->out, "Error");
    else
        show_plain(s, name->text->bytes, name->text->len, indent);
    if (note != NULL && note->len > 0) {
        buf_text(&s->out, name != NULL && name->text->len == 0 ? "" : ": ");
        show_plain(s, note->bytes, note->len, indent);
    }
    buf_byte(&s->out, ']');
}

bool
show_leaf(struct show *s, const gbx_value *node, uint32_t indent)
{
    switch (node->kind) {
    case GBX_UNDEFINED:
    case GBX_HOLE:
        show_word(s, STYLE_UNDEFINED, "undefined");
        return true;
    case GBX_NULL:
        show_word(s, STYLE_NULL, "null");
        return true;
    case GBX_BOOLEAN:
        show_word(s, STYLE_NUMBER, node->boolean ? "true" : "false");
        return true;
    case GBX_NUMBER:
        show_number(s, node->number);
        return true;
    case GBX_BIGINT:
        style_on(s, STYLE_NUMBER);
        put_bigint(s, node->bigint);
        style_off(s, STYLE_NUMBER);
        return true;
    case GBX_STRING:
        show_string(s, node->text, indent, true);
        return true;
    case GBX_DATE:
        show_date(s, node->number);
        return true;
    case GBX_REGEXP:
        show_regexp(s, node);
        return true;
    case GBX_BOOLEAN_OBJECT:
    case GBX_NUMBER_OBJECT:
    case GBX_BIGINT_OBJECT:
    case GBX_STRING_OBJECT:
        show_boxed(s, node, indent);
        return true;
    case GBX_REFERENCE:
    case GBX_FUNCTION:
    case GBX_EXTERNAL_COPY:
        style_on(s, STYLE_SPECIAL);
        buf_printf(&s->out, "[%s]", node->held->class->name);
        style_off(s, STYLE_SPECIAL);
        return true;
    default:
        return false;
    }
}
