/* Values to JSON, as JSON.stringify writes them. Iterative: containers wait on a stack. */
#include "base/buf.h"
#include "base/error.h"
#include "base/limits.h"
#include "wire/date.h"
#include "wire/number.h"
#include "wire/value.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum {
    INDENT_MAX = 10
};

struct frame {
    const gbx_value *node;
    gbx_property step; /* of an object */
    uint32_t at;       /* elements done, of an array or typed array */
    bool any;          /* something was written: a comma comes first */
};

struct stringifier {
    struct buf out;
    gbx_status status;
    const char *why;
    uint32_t indent;
    struct frame *frames;
    uint32_t depth, capacity;
};

static void
stop(struct stringifier *j, gbx_status status, const char *why)
{
    if (j->status == GBX_OK) {
        j->status = status;
        j->why = why;
    }
}

/* --- leaves ----------------------------------------------------------------------------- */

static void
put_escaped(struct buf *out, uint32_t unit)
{
    static const char letters[] = "btn\0fr"; /* of 8 to 13 */

    if (unit == '"' || unit == '\\')
        buf_printf(out, "\\%c", (int)unit);
    else if (unit >= 8 && unit <= 13 && letters[unit - 8] != '\0')
        buf_printf(out, "\\%c", letters[unit - 8]);
    else
        buf_printf(out, "\\u%04x", unit);
}

/* Well-formed JSON.stringify: a lone surrogate is escaped, so the text is always UTF-8. */
static void
put_string(struct buf *out, const char *text, size_t len)
{
    const uint8_t *p = (const uint8_t *)text, *end = p + len, *plain = p;

    buf_byte(out, '"');
    while (p < end) {
        const uint8_t *at = p;
        uint32_t c = *p < 0x80 ? *p++ : wtf8_next(&p, end, NULL);
        if (c >= 0x20 && c != '"' && c != '\\' && (c & 0xFFFFF800u) != 0xD800)
            continue;
        buf_append(out, plain, (size_t)(at - plain));
        put_escaped(out, c);
        plain = p;
    }
    buf_append(out, plain, (size_t)(end - plain));
    buf_byte(out, '"');
}

static void
put_number(struct buf *out, double number)
{
    char text[NUMBER_TEXT_MAX];

    if (isfinite(number))
        buf_append(out, text, number_to_text(number, text));
    else
        buf_text(out, "null");
}

static void
put_date(struct buf *out, double ms)
{
    char text[DATE_TEXT_MAX];

    if (isnan(ms)) {
        buf_text(out, "null");
    } else {
        buf_byte(out, '"');
        buf_append(out, text, date_to_text(ms, text));
        buf_byte(out, '"');
    }
}

/* --- containers ------------------------------------------------------------------------- */

static void
put_newline(struct stringifier *j)
{
    if (j->indent == 0)
        return;
    buf_byte(&j->out, '\n');
    uint8_t *spaces = buf_grow(&j->out, (size_t)j->depth * j->indent);
    if (spaces != NULL)
        memset(spaces, ' ', (size_t)j->depth * j->indent);
}

static void
push(struct stringifier *j, const gbx_value *node, const char *bracket)
{
    /* Whether the node is on the path: its mark says where, if that is still it. */
    if (node->mark < j->depth && j->frames[node->mark].node == node) {
        stop(j, GBX_EINVAL, "a value that refers to itself has no JSON form");
        return;
    }
    if (j->depth == VALUE_DEPTH_MAX) {
        stop(j, GBX_ETOOBIG, "more than 10,000 levels");
        return;
    }
    if (j->depth == j->capacity) {
        uint32_t capacity = j->capacity == 0 ? 32 : j->capacity * 2;
        struct frame *larger = realloc(j->frames, capacity * sizeof *larger);
        if (larger == NULL) {
            stop(j, GBX_ENOMEM, "out of memory");
            return;
        }
        j->frames = larger;
        j->capacity = capacity;
    }
    /* The mark is scratch, not part of the value. */
    ((gbx_value *)(uintptr_t)node)->mark = j->depth;
    j->frames[j->depth++] = (struct frame){ .node = node, .step = GBX_PROPERTY_INIT };
    buf_text(&j->out, bracket);
}

static void
pop(struct stringifier *j, const char *bracket)
{
    bool any = j->frames[--j->depth].any;

    if (any)
        put_newline(j);
    buf_text(&j->out, bracket);
}

static void
open_array(struct stringifier *j, const gbx_value *node)
{
    const struct array *array = node->array;
    uint64_t holes = (uint64_t)array->length - array->count - array->sparse;

    /* They cost nothing in memory, but five bytes each here: no use in trying. */
    if (holes * 5 > j->out.max - j->out.len)
        stop(j, GBX_ETOOBIG, "more than 512 MiB of JSON");
    push(j, node, "[");
}

/* Writes a value; a container is only opened. */
static void
put_value(struct stringifier *j, const gbx_value *node)
{
    switch (node == NULL ? GBX_UNDEFINED : node->kind) {
    case GBX_UNDEFINED: /* here only as an element: properties are left out */
    case GBX_NULL:
        buf_text(&j->out, "null");
        break;
    case GBX_BOOLEAN:
    case GBX_BOOLEAN_OBJECT:
        buf_text(&j->out, node->boolean ? "true" : "false");
        break;
    case GBX_NUMBER:
    case GBX_NUMBER_OBJECT:
        put_number(&j->out, node->number);
        break;
    case GBX_STRING:
    case GBX_STRING_OBJECT:
        put_string(&j->out, node->text->bytes, node->text->len);
        break;
    case GBX_DATE:
        put_date(&j->out, node->number);
        break;
    case GBX_BIGINT:
    case GBX_BIGINT_OBJECT:
        stop(j, GBX_EINVAL, "a BigInt has no JSON form");
        break;
    case GBX_ARRAY:
        open_array(j, node);
        break;
    case GBX_OBJECT:
    case GBX_TYPED_ARRAY:
        push(j, node, "{");
        break;
    default:
        buf_text(&j->out, "{}");
        break;
    }
}

static void
put_comma(struct stringifier *j, struct frame *frame)
{
    if (frame->any)
        buf_byte(&j->out, ',');
    frame->any = true;
    put_newline(j);
}

static void
put_key(struct stringifier *j, struct frame *frame, const char *key, size_t len)
{
    put_comma(j, frame);
    put_string(&j->out, key, len);
    buf_text(&j->out, j->indent == 0 ? ":" : ": ");
}

/* All elements of a typed array: an object whose keys are the indexes. */
static void
put_elements(struct stringifier *j, struct frame *frame)
{
    const struct view *view = frame->node->view;
    uint32_t size = element_size(view->type);
    char key[NUMBER_TEXT_MAX];

    for (uint64_t i = 0; i < view->len / size && !j->out.failed; i++) {
        const uint8_t *p = view->buffer->buffer->bytes + view->offset + i * size;
        put_key(j, frame, key, number_to_text((double)i, key));
        put_number(&j->out, element_number(view->type, p));
    }
    pop(j, "}");
}

static void
step_object(struct stringifier *j, struct frame *frame)
{
    if (gbx_value_next(frame->node, &frame->step) == 0) {
        pop(j, "}");
        return;
    }
    if (frame->step.value->kind == GBX_UNDEFINED)
        return;
    put_key(j, frame, frame->step.key, frame->step.key_len);
    put_value(j, frame->step.value);
}

static void
step(struct stringifier *j)
{
    struct frame *frame = &j->frames[j->depth - 1];
    const gbx_value *node = frame->node;

    if (node->kind == GBX_ARRAY) {
        if (frame->at == node->array->length) {
            pop(j, "]");
            return;
        }
        put_comma(j, frame);
        put_value(j, array_at(node->array, frame->at++));
    } else if (node->kind == GBX_OBJECT) {
        step_object(j, frame);
    } else if (node->view->type >= GBX_BIGINT64 && node->view->len > 0) {
        stop(j, GBX_EINVAL, "a BigInt has no JSON form");
    } else {
        put_elements(j, frame);
    }
}

gbx_status
gbx_value_to_json(
    const gbx_value *value, uint32_t indent, char **out_text, size_t *out_len, gbx_error *error)
{
    struct stringifier j = { .out = { .max = VALUE_BYTES_MAX }, .indent = indent };

    if (value == NULL || indent > INDENT_MAX)
        return fail(error, GBX_EINVAL, "no value, or an indent of %u, more than 10", indent);
    if (value->kind == GBX_UNDEFINED || value->kind == GBX_HOLE)
        return fail(error, GBX_EINVAL, "undefined has no JSON form");
    errno = 0; /* a full buffer does not say whether memory or its ceiling was the reason */
    put_value(&j, value);
    while (j.depth > 0 && j.status == GBX_OK && !j.out.failed)
        step(&j);
    size_t len = j.out.len;
    buf_byte(&j.out, '\0');
    if (j.out.failed)
        stop(&j, errno == ENOMEM ? GBX_ENOMEM : GBX_ETOOBIG,
            errno == ENOMEM ? "out of memory" : "more than 512 MiB of JSON");
    free(j.frames);
    if (j.status != GBX_OK) {
        buf_done(&j.out);
        return fail(error, j.status, "%s", j.why);
    }
    *out_text = (char *)j.out.p;
    if (out_len != NULL)
        *out_len = len;
    return GBX_OK;
}
