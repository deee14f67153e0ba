/* Constructors. A value that has no children fits one malloc: graph, node and payload. */
#include "base/limits.h"
#include "wire/value.h"

#include <math.h>
#include <stdlib.h>

gbx_value *
gbx_value_new_undefined(void)
{
    return node_alone(GBX_UNDEFINED, 0);
}

gbx_value *
gbx_value_new_null(void)
{
    return node_alone(GBX_NULL, 0);
}

gbx_value *
gbx_value_new_boolean(int32_t boolean)
{
    gbx_value *node = node_alone(GBX_BOOLEAN, 0);

    if (node != NULL)
        node->boolean = boolean != 0;
    return node;
}

gbx_value *
gbx_value_new_number(double number)
{
    gbx_value *node = node_alone(GBX_NUMBER, 0);

    if (node != NULL)
        node->number = number;
    return node;
}

gbx_value *
gbx_value_new_int32(int32_t number)
{
    return gbx_value_new_number(number);
}

gbx_value *
gbx_value_new_bigint(int32_t negative, const uint64_t *words, size_t count)
{
    while (count > 0 && words[count - 1] == 0)
        count--;
    if (count > VALUE_BIGINT_BYTES_MAX / sizeof *words)
        return NULL;
    size_t room = sizeof(struct bigint) + count * sizeof *words;
    gbx_value *node = node_alone(GBX_BIGINT, room);
    if (node == NULL)
        return NULL;
    struct bigint *bigint = graph_alloc(node->graph, room);
    if (bigint == NULL) {
        gbx_value_free(node);
        return NULL;
    }
    bigint->count = (uint32_t)count;
    bigint->negative = negative != 0 && count > 0;
    if (count > 0)
        memcpy(bigint->words, words, count * sizeof *words);
    node->bigint = bigint;
    return node;
}

static bool
text_length(const char *text, size_t *len)
{
    if (*len == GBX_NUL)
        *len = strlen(text);
    return *len <= VALUE_BYTES_MAX;
}

gbx_value *
gbx_value_new_string(const char *text, size_t len)
{
    if (!text_length(text, &len))
        return NULL;
    gbx_value *node = node_alone(GBX_STRING, text_room(text, len));
    if (node == NULL)
        return NULL;
    node->text = text_of_utf8(node->graph, text, len);
    return node;
}

gbx_value *
gbx_value_new_date(double ms)
{
    gbx_value *node = node_alone(GBX_DATE, 0);

    if (node != NULL)
        node->number = date_clip(ms);
    return node;
}

double
date_clip(double ms)
{
    /* The sum turns -0 into 0. NaN fails the comparison. */
    return fabs(ms) <= 8.64e15 ? trunc(ms) + 0.0 : NAN;
}

gbx_value *
gbx_value_new_regexp(const char *source, size_t len, const char *letters)
{
    uint32_t flags;

    if (!regexp_flags(letters, &flags) || !text_length(source, &len))
        return NULL;
    gbx_value *node = node_alone(GBX_REGEXP, sizeof(struct regexp) + text_room(source, len));
    if (node == NULL)
        return NULL;
    struct regexp *regexp = graph_alloc(node->graph, sizeof *regexp);
    struct text *text = text_of_utf8(node->graph, source, len);
    if (regexp == NULL || text == NULL) {
        gbx_value_free(node);
        return NULL;
    }
    *regexp = (struct regexp){ text, flags };
    node->regexp = regexp;
    return node;
}

gbx_value *
gbx_value_new_boxed(gbx_value *primitive)
{
    static const uint8_t boxes[UINT8_MAX + 1] = {
        [GBX_BOOLEAN] = GBX_BOOLEAN_OBJECT,
        [GBX_NUMBER] = GBX_NUMBER_OBJECT,
        [GBX_BIGINT] = GBX_BIGINT_OBJECT,
        [GBX_STRING] = GBX_STRING_OBJECT,
    };

    if (primitive == NULL)
        return NULL;
    struct graph *graph = graph_of(primitive);
    gbx_value *node =
        boxes[primitive->kind] == 0 ? NULL : node_new(graph, boxes[primitive->kind]);
    if (node == NULL) {
        gbx_value_free(primitive);
        return NULL;
    }
    node->text = primitive->text;
    if (primitive->kind == GBX_BOOLEAN)
        node->boolean = primitive->boolean;
    if (primitive->kind == GBX_NUMBER)
        node->number = primitive->number;
    return node;
}

enum {
    SHORT_KEY = 16 /* bytes of the text of a key of up to 7 bytes */
};

static gbx_value *
new_with_dict(gbx_value_kind kind, uint32_t capacity)
{
    bool by_node = kind == GBX_MAP || kind == GBX_SET;
    size_t each = sizeof(struct prop) + (by_node ? 0 : SHORT_KEY);
    size_t room = sizeof(struct dict) + capacity * each;
    gbx_value *node = node_alone(kind, room);

    if (node != NULL && !node_add_dict(node->graph, node, capacity)) {
        gbx_value_free(node);
        return NULL;
    }
    return node;
}

gbx_value *
gbx_value_new_array(void)
{
    gbx_value *node = node_alone(GBX_ARRAY, sizeof(struct array));

    if (node != NULL && !node_add_array(node->graph, node)) {
        gbx_value_free(node);
        return NULL;
    }
    return node;
}

gbx_value *
gbx_value_new_object(void)
{
    return new_with_dict(GBX_OBJECT, 4);
}

gbx_value *
gbx_value_new_map(void)
{
    return new_with_dict(GBX_MAP, 4);
}

gbx_value *
gbx_value_new_set(void)
{
    return new_with_dict(GBX_SET, 4);
}

static gbx_value *
new_buffer(const void *bytes, size_t len)
{
    if (len > VALUE_BYTES_MAX)
        return NULL;
    gbx_value *node = node_alone(GBX_ARRAY_BUFFER, buffer_room(len));
    if (node == NULL)
        return NULL;
    if (!node_add_buffer(node->graph, node, len)) {
        gbx_value_free(node);
        return NULL;
    }
    if (bytes == NULL)
        memset(node->buffer->bytes, 0, len);
    else if (len > 0)
        memcpy(node->buffer->bytes, bytes, len);
    return node;
}

gbx_value *
gbx_value_new_array_buffer(const void *bytes, size_t len)
{
    return new_buffer(bytes, len);
}

gbx_value *
gbx_value_new_array_buffer_of(void *bytes, size_t len, gbx_release_callback release, void *data)
{
    gbx_value *node =
        len > VALUE_BYTES_MAX ? NULL : node_alone(GBX_ARRAY_BUFFER, sizeof(struct buffer));
    struct bytes *held = node == NULL ? NULL : bytes_adopt(bytes, len, release, data);

    if (held != NULL) {
        bytes_ref(held); /* so that what fails does not give back what it did not get */
        if (node_add_held(node->graph, node, held, bytes, len)) {
            bytes_unref(held);
            return node;
        }
        free(held);
    }
    gbx_value_free(node);
    return NULL;
}

gbx_value *
gbx_value_new_resizable_array_buffer(const void *bytes, size_t len, uint64_t max)
{
    if (max < len || max > UINT32_MAX)
        return NULL;
    gbx_value *node = new_buffer(bytes, len);
    if (node != NULL) {
        node->buffer->max = max;
        node->buffer->resizable = true;
    }
    return node;
}

/* Frees what a failed function was given, unless it is only a part of something larger. */
static gbx_value *
drop_buffer(gbx_value *buffer)
{
    if (buffer != NULL && graph_of(buffer)->weight == 0 && is_buffer(buffer))
        gbx_value_free(buffer);
    return NULL;
}

static gbx_value *
new_view(gbx_value_kind kind, gbx_element_type type, gbx_value *buffer, uint64_t offset,
    uint64_t length)
{
    if (buffer == NULL || !is_buffer(buffer) || type > GBX_BIGUINT64)
        return drop_buffer(buffer);
    uint64_t size = kind == GBX_DATA_VIEW ? 1 : element_size(type);
    uint64_t room = buffer->buffer->len;
    bool tracking = length == GBX_TO_END && buffer->buffer->resizable;
    if (offset % size != 0 || offset > room)
        return drop_buffer(buffer);
    if (length == GBX_TO_END && !tracking && (room - offset) % size != 0)
        return drop_buffer(buffer); /* as in JavaScript: no half element at the end */
    if (length == GBX_TO_END)
        length = (room - offset) / size;
    if (length > (room - offset) / size)
        return drop_buffer(buffer);
    gbx_value *node = node_new(graph_of(buffer), kind);
    struct view *view = node == NULL ? NULL : graph_alloc(graph_of(buffer), sizeof *view);
    if (view == NULL)
        return drop_buffer(buffer);
    *view = (struct view){ buffer, offset, length * size, type, tracking };
    node->view = view;
    return node;
}

gbx_value *
gbx_value_new_typed_array(
    gbx_element_type type, gbx_value *buffer, uint64_t offset, uint64_t length)
{
    return new_view(GBX_TYPED_ARRAY, type, buffer, offset, length);
}

gbx_value *
gbx_value_new_data_view(gbx_value *buffer, uint64_t offset, uint64_t length)
{
    return new_view(GBX_DATA_VIEW, GBX_UINT8, buffer, offset, length);
}

gbx_value *
gbx_value_new_bytes(const void *bytes, size_t len)
{
    return gbx_value_new_typed_array(GBX_UINT8, new_buffer(bytes, len), 0, GBX_TO_END);
}

gbx_value *
gbx_value_new_error(const char *name, const char *message, size_t len)
{
    gbx_value *node = new_with_dict(GBX_ERROR, 4);

    if (node == NULL)
        return NULL;
    if (gbx_value_set(node, "name", GBX_NUL, gbx_value_new_string(name, GBX_NUL)) == GBX_OK &&
        gbx_value_set(node, "message", GBX_NUL, gbx_value_new_string(message, len)) == GBX_OK)
        return node;
    gbx_value_free(node);
    return NULL;
}

void
gbx_value_free(gbx_value *value)
{
    if (value != NULL && value->graph != NULL)
        graph_free(graph_of(value));
}
