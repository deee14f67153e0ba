/* JSON to values, as JSON.parse reads it. Iterative: containers wait on a stack. */
#include "base/error.h"
#include "base/limits.h"
#include "wire/number.h"
#include "wire/value.h"
#include "wire/value_put.h"

#include <stdlib.h>

struct parser {
    const uint8_t *start, *p, *end;
    struct graph *graph;
    gbx_status status;
    const char *why;        /* static */
    gbx_value **containers; /* the open ones */
    uint32_t depth, capacity;
    uint32_t count_left;
    uint8_t *scratch; /* of strings with escapes */
    size_t scratch_size;
};

static void *
stop(struct parser *j, gbx_status status, const char *why)
{
    if (j->status == GBX_OK) {
        j->status = status;
        j->why = why;
    }
    return NULL;
}

static void *
no_memory(struct parser *j)
{
    return stop(j, GBX_ENOMEM, "out of memory");
}

static void
skip_space(struct parser *j)
{
    while (j->p < j->end && (*j->p == ' ' || *j->p == '\n' || *j->p == '\t' || *j->p == '\r'))
        j->p++;
}

/* --- strings ---------------------------------------------------------------------------- */

/* Four hex digits at p, or -1. */
static int
hex4(const uint8_t *p, const uint8_t *end)
{
    int unit = 0;

    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int c = p[i] | 0x20;
        if (p[i] >= '0' && p[i] <= '9')
            unit = unit * 16 + (p[i] - '0');
        else if (c >= 'a' && c <= 'f')
            unit = unit * 16 + (c - 'a' + 10);
        else
            return -1;
    }
    return unit;
}

/* The character of an escape behind its backslash, at j->p; -1 when it is none. */
static int32_t
escape(struct parser *j)
{
    static const char letters[] = "\"\\/bfnrt", meaning[] = "\"\\/\b\f\n\r\t";

    if (j->p == j->end)
        return -1;
    if (*j->p == 'u') {
        int unit = hex4(j->p + 1, j->end);
        if (unit >= 0)
            j->p += 5;
        return unit;
    }
    const char *at = *j->p == '\0' ? NULL : strchr(letters, *j->p);
    if (at == NULL)
        return -1;
    j->p++;
    return meaning[at - letters];
}

static bool
scratch_room(struct parser *j, size_t n)
{
    if (n <= j->scratch_size)
        return true;
    free(j->scratch);
    j->scratch = malloc(n);
    j->scratch_size = j->scratch == NULL ? 0 : n;
    return j->scratch != NULL || no_memory(j) != NULL;
}

/* A string from its first escape on; `end` is behind its closing quote. Halves of a surrogate
 * pair come out as two sequences, which text_of_utf8() makes one. */
static bool
unescape(struct parser *j, const uint8_t *from, const uint8_t *end, struct span *out)
{
    /* No escape is shorter than what it stands for. */
    if (!scratch_room(j, (size_t)(end - from)))
        return false;
    uint8_t *to = j->scratch;
    j->p = from;
    while (j->p < end - 1) {
        uint8_t byte = *j->p++;
        if (byte == '\\') {
            int32_t c = escape(j);
            if (c < 0) {
                stop(j, GBX_EINVAL, "an escape that JSON does not have");
                return false;
            }
            to += wtf8_put(to, (uint32_t)c);
        } else {
            *to++ = byte;
        }
    }
    j->p = end;
    *out = span_of(j->scratch, (size_t)(to - j->scratch));
    return true;
}

/* The string whose opening quote is at j->p. The bytes are borrowed until the next one. */
static bool
read_string(struct parser *j, struct span *out)
{
    const uint8_t *from = ++j->p, *p = from;
    bool escaped = false, wide = false;

    for (; p < j->end && *p != '"' && *p >= 0x20; p++) {
        wide |= *p >= 0x80;
        if (*p == '\\') {
            escaped = true;
            p++;
        }
    }
    if (p >= j->end) {
        j->p = j->end;
        stop(j, GBX_EINVAL, "a string without an end");
        return false;
    }
    if (*p < 0x20) {
        j->p = p;
        stop(j, GBX_EINVAL, "a control character in a string");
        return false;
    }
    if (wide && !is_utf8(from, (size_t)(p - from))) {
        stop(j, GBX_EINVAL, "a string that is not UTF-8");
        return false;
    }
    if (escaped)
        return unescape(j, from, p + 1, out);
    j->p = p + 1;
    *out = span_of(from, (size_t)(p - from));
    return true;
}

/* --- values ----------------------------------------------------------------------------- */

static gbx_value *
new_value(struct parser *j, gbx_value_kind kind)
{
    if (j->count_left == 0)
        return stop(j, GBX_ETOOBIG, "more than 8 Mi values");
    j->count_left--;
    gbx_value *node = node_new(j->graph, kind);
    return node != NULL ? node : no_memory(j);
}

static const uint8_t *
digits_end(const struct parser *j, const uint8_t *p)
{
    while (p < j->end && *p >= '0' && *p <= '9')
        p++;
    return p;
}

/* Where the number at j->p ends; NULL when it is none. */
static const uint8_t *
number_end(const struct parser *j)
{
    const uint8_t *p = j->p, *q;

    if (p < j->end && *p == '-')
        p++;
    q = p < j->end && *p == '0' ? p + 1 : digits_end(j, p);
    if (q == p)
        return NULL;
    if (q < j->end && *q == '.') {
        p = q + 1;
        q = digits_end(j, p);
        if (q == p)
            return NULL;
    }
    if (q < j->end && (*q == 'e' || *q == 'E')) {
        p = q + 1;
        if (p < j->end && (*p == '+' || *p == '-'))
            p++;
        q = digits_end(j, p);
        if (q == p)
            return NULL;
    }
    return q;
}

static gbx_value *
read_number(struct parser *j)
{
    const uint8_t *end = number_end(j);
    double number;

    if (end == NULL)
        return stop(j, GBX_EINVAL, "a number of a form that JSON does not have");
    gbx_value *node = new_value(j, GBX_NUMBER);
    if (node == NULL)
        return NULL;
    if (!number_from_text((const char *)j->p, (size_t)(end - j->p), &number))
        return no_memory(j);
    node->number = number;
    j->p = end;
    return node;
}

static gbx_value *
read_word(struct parser *j, const char *word, gbx_value_kind kind)
{
    size_t len = strlen(word);

    if ((size_t)(j->end - j->p) < len || memcmp(j->p, word, len) != 0)
        return stop(j, GBX_EINVAL, "a value was expected");
    gbx_value *node = new_value(j, kind);
    if (node == NULL)
        return NULL;
    if (kind == GBX_BOOLEAN)
        node->boolean = *word == 't';
    j->p += len;
    return node;
}

static gbx_value *
read_text(struct parser *j)
{
    gbx_value *node = new_value(j, GBX_STRING);
    struct span text;

    if (node == NULL || !read_string(j, &text))
        return NULL;
    node->text = text_of_utf8(j->graph, (const char *)text.p, text.len);
    return node->text != NULL ? node : no_memory(j);
}

static gbx_value *
open_container(struct parser *j, gbx_value_kind kind)
{
    gbx_value *node = new_value(j, kind);

    if (node == NULL)
        return NULL;
    if (j->depth == VALUE_DEPTH_MAX)
        return stop(j, GBX_ETOOBIG, "more than 10,000 levels");
    if (kind == GBX_ARRAY ? !node_add_array(j->graph, node) : !node_add_dict(j->graph, node, 0))
        return no_memory(j);
    if (j->depth == j->capacity) {
        uint32_t capacity = j->capacity == 0 ? 32 : j->capacity * 2;
        gbx_value **larger = realloc(j->containers, capacity * sizeof(gbx_value *));
        if (larger == NULL)
            return no_memory(j);
        j->containers = larger;
        j->capacity = capacity;
    }
    j->containers[j->depth++] = node;
    j->p++;
    return node;
}

static gbx_value *
read_value(struct parser *j)
{
    switch (j->p < j->end ? *j->p : 0) {
    case '{':
        return open_container(j, GBX_OBJECT);
    case '[':
        return open_container(j, GBX_ARRAY);
    case '"':
        return read_text(j);
    case 't':
        return read_word(j, "true", GBX_BOOLEAN);
    case 'f':
        return read_word(j, "false", GBX_BOOLEAN);
    case 'n':
        return read_word(j, "null", GBX_NULL);
    case '-':
    case '0' ... '9':
        return read_number(j);
    default:
        return stop(j, GBX_EINVAL, "a value was expected");
    }
}

/* --- the walk --------------------------------------------------------------------------- */

/* A key, its colon and its value. */
static gbx_value *
read_property(struct parser *j, struct dict *dict)
{
    struct span text;

    if (j->p == j->end || *j->p != '"')
        return stop(j, GBX_EINVAL, "a key in quotes was expected");
    if (!read_string(j, &text))
        return NULL;
    const char *p = text.len == 0 ? "" : (const char *)text.p;
    struct key key = { p, (uint32_t)text.len, index_of_text(p, text.len) };
    skip_space(j);
    if (j->p == j->end || *j->p != ':')
        return stop(j, GBX_EINVAL, "a colon was expected");
    j->p++;
    /* The key's bytes are gone once a string is read: it takes its place first. */
    uint32_t at;
    if (!props_put(j->graph, dict, &key, (gbx_value *)(uintptr_t)&value_hole, &at))
        return no_memory(j);
    skip_space(j);
    gbx_value *value = read_value(j);
    dict->props[at].value = value;
    return value;
}

static gbx_value *
read_element(struct parser *j, struct array *array)
{
    gbx_value *value = read_value(j);

    if (value == NULL)
        return NULL;
    return array_put(j->graph, array, array->length, value) ? value : no_memory(j);
}

/* One step inside the innermost container: its end, or a comma and an item. */
static void
step(struct parser *j)
{
    gbx_value *node = j->containers[j->depth - 1];
    bool array = node->kind == GBX_ARRAY;
    bool first = array ? node->array->length == 0 : node->dict->count == 0;

    skip_space(j);
    if (j->p < j->end && *j->p == (array ? ']' : '}')) {
        j->p++;
        j->depth--;
        return;
    }
    if (!first) {
        if (j->p == j->end || *j->p != ',') {
            stop(j, GBX_EINVAL,
                array ? "a comma or ] was expected" : "a comma or } was expected");
            return;
        }
        j->p++;
        skip_space(j);
    }
    if (array)
        (void)read_element(j, node->array);
    else
        (void)read_property(j, node->dict);
}

/* Line and column of j->p; columns count UTF-16 units. */
static void
locate(const struct parser *j, gbx_error *error)
{
    uint32_t line = 1, column = 1;

    for (const uint8_t *p = j->start; p < j->p; p++) {
        if (*p == '\n') {
            line++;
            column = 1;
        } else {
            column += ((*p & 0xC0) != 0x80 ? 1u : 0u) + (*p >= 0xF0 ? 1u : 0u);
        }
    }
    error->line = line;
    error->column = column;
}

gbx_status
gbx_value_from_json(const char *text, size_t len, gbx_value **out_value, gbx_error *error)
{
    if (len == GBX_NUL)
        len = strlen(text);
    if (len > VALUE_BYTES_MAX)
        return fail(error, GBX_ETOOBIG, "%zu bytes of JSON are more than 512 MiB", len);
    const uint8_t *start = (const uint8_t *)text;
    struct parser j = { .start = start,
        .p = start,
        .end = start + len,
        .graph = graph_new(len < KIB ? 256 : 4 * KIB),
        .count_left = VALUE_COUNT_MAX };
    if (j.graph == NULL)
        return fail(error, GBX_ENOMEM, "out of memory");
    skip_space(&j);
    gbx_value *value = read_value(&j);
    while (j.status == GBX_OK && j.depth > 0)
        step(&j);
    if (j.status == GBX_OK)
        skip_space(&j);
    if (j.status == GBX_OK && j.p != j.end)
        stop(&j, GBX_EINVAL, "something behind the value");
    free(j.containers);
    free(j.scratch);
    if (j.status == GBX_OK) {
        *out_value = value;
        return GBX_OK;
    }
    graph_free(j.graph);
    (void)fail(error, j.status, "%s", j.why);
    if (error != NULL && j.status == GBX_EINVAL) {
        locate(&j, error);
        /* Now that the place is known, it belongs in the text too. */
        uint32_t line = error->line, column = error->column;
        (void)fail(error, j.status, "%s, line %u, column %u", j.why, line, column);
        error->line = line;
        error->column = column;
    }
    return j.status;
}
