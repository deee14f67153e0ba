#include "base/check.h"
#include "base/limits.h"
#include "wire/clone_tags.h"
#include "wire/clone_writer.h"
#include "wire/held.h"

#include <math.h>
#include <stdlib.h>

static bool
write_grow(struct writer *w, void *vector, uint32_t *capacity, size_t item, const void *first)
{
    void *old;
    size_t n = *capacity * item;

    memcpy(&old, vector, sizeof old);
    void *larger = old == first ? malloc(2 * n) : realloc(old, 2 * n);
    if (larger == NULL)
        return write_failed(w, GBX_ENOMEM);
    if (old == first)
        memcpy(larger, old, n);
    memcpy(vector, &larger, sizeof larger);
    *capacity *= 2;
    return true;
}

/* --- bytes ------------------------------------------------------------------------------ */

static void
put_bytes(struct writer *w, const void *bytes, size_t n)
{
    uint8_t *p = room(w, n);

    if (p != NULL && n > 0) {
        memcpy(p, bytes, n);
        w->out->len += n;
    }
}

static void
put_double(struct writer *w, unsigned tag, double number)
{
    uint8_t bytes[1 + sizeof number];

    bytes[0] = (uint8_t)tag;
    memcpy(bytes + 1, &number, sizeof number);
    put_bytes(w, bytes, sizeof bytes);
}

static void
put_number(struct writer *w, double number)
{
    uint8_t bytes[1 + VARINT_MAX] = { TAG_INT32 };

    if (!(number >= INT32_MIN && number <= INT32_MAX) || number != (int32_t)number ||
        (number == 0 && signbit(number))) {
        put_double(w, TAG_DOUBLE, number);
        return;
    }
    int32_t integer = (int32_t)number;
    uint32_t zigzag = (uint32_t)integer << 1 ^ (uint32_t)(integer >> 31);
    put_bytes(w, bytes, 1 + varint_put(bytes + 1, zigzag));
}

/* --- texts ------------------------------------------------------------------------------ */

static void
put_latin1(struct writer *w, const struct text *text)
{
    const uint8_t *p = (const uint8_t *)text->bytes;
    const uint8_t *end = p + text->len;
    uint32_t n = 0;

    for (uint32_t i = 0; i < text->len; i++)
        n += (p[i] & 0xC0) != 0x80;
    put_byte(w, TAG_ONE_BYTE);
    put_varint(w, n);
    uint8_t *at = room(w, n);
    if (at == NULL)
        return;
    while (p < end)
        *at++ = (uint8_t)wtf8_next(&p, end, NULL);
    w->out->len += n;
}

static void
put_utf16(struct writer *w, const struct text *text)
{
    const uint8_t *p = (const uint8_t *)text->bytes;
    const uint8_t *end = p + text->len;
    uint8_t length[VARINT_MAX];
    uint32_t units = 0;

    /* Every sequence is one unit, but the four-byte ones are two. */
    for (uint32_t i = 0; i < text->len; i++)
        units += ((p[i] & 0xC0) != 0x80 ? 1u : 0u) + (p[i] >= 0xF0 ? 1u : 0u);
    size_t head = 1 + varint_put(length, units * 2);
    if ((w->out->len - w->start + head) % 2 != 0)
        put_byte(w, TAG_PADDING);
    put_byte(w, TAG_TWO_BYTE);
    put_bytes(w, length, head - 1);
    uint8_t *at = room(w, (size_t)units * 2);
    if (at == NULL)
        return;
    while (p < end) {
        uint32_t c = wtf8_next(&p, end, NULL);
        if (c >= 0x10000) {
            uint32_t high = 0xD800 + ((c - 0x10000) >> 10);
            *at++ = (uint8_t)high;
            *at++ = (uint8_t)(high >> 8);
            c = 0xDC00 + (c & 0x3FF);
        }
        *at++ = (uint8_t)c;
        *at++ = (uint8_t)(c >> 8);
    }
    w->out->len += (size_t)units * 2;
}

static void
put_text(struct writer *w, const struct text *text)
{
    if (text->width == TEXT_LATIN1) {
        put_latin1(w, text);
    } else if (text->width == TEXT_WIDE) {
        put_utf16(w, text);
    } else {
        uint8_t head[1 + VARINT_MAX] = { TAG_ONE_BYTE };
        put_bytes(w, head, 1 + varint_put(head + 1, text->len));
        put_bytes(w, text->bytes, text->len);
    }
}

static void
put_key(struct writer *w, const struct prop *prop)
{
    if (prop->index == NOT_INDEX)
        put_text(w, prop->key);
    else
        put_number(w, prop->index);
}

/* --- leaves ----------------------------------------------------------------------------- */

static void
put_bigint(struct writer *w, unsigned tag, const struct bigint *bigint)
{
    put_byte(w, tag);
    put_varint(w, bigint->count * 8 << 1 | (bigint->negative ? 1u : 0u));
    put_bytes(w, bigint->words, bigint->count * sizeof(uint64_t));
}

static void
put_buffer(struct writer *w, const struct buffer *buffer)
{
    if (attaches(w, buffer)) {
        put_attached(w, buffer);
        return;
    }
    put_byte(w, buffer->resizable ? TAG_RESIZABLE : TAG_BUFFER);
    put_varint(w, (uint32_t)buffer->len);
    if (buffer->resizable)
        put_varint(w, (uint32_t)buffer->max);
    put_bytes(w, buffer->bytes, (size_t)buffer->len);
}

static void
put_view(struct writer *w, const struct view *view, bool data)
{
    put_byte(w, TAG_VIEW);
    put_byte(w, data ? VIEW_DATA : (unsigned)VIEW_TYPES[view->type]);
    put_varint(w, (uint32_t)view->offset);
    /* V8 keeps no length for a view that follows its buffer's. */
    put_varint(w, view->tracking ? 0 : (uint32_t)view->len);
    put_varint(w, (view->tracking ? VIEW_TRACKING : 0u) |
                      (view->buffer->buffer->resizable ? VIEW_RESIZABLE : 0u));
}

/* False: not a primitive. */
static bool
put_primitive(struct writer *w, const gbx_value *node)
{
    switch (node->kind) {
    case GBX_NUMBER:
        put_number(w, node->number);
        return true;
    case GBX_STRING:
        put_text(w, node->text);
        return true;
    case GBX_BOOLEAN:
        put_byte(w, node->boolean ? TAG_TRUE : TAG_FALSE);
        return true;
    case GBX_UNDEFINED:
    case GBX_HOLE:
        put_byte(w, TAG_UNDEFINED);
        return true;
    case GBX_NULL:
        put_byte(w, TAG_NULL);
        return true;
    case GBX_BIGINT:
        put_bigint(w, TAG_BIGINT, node->bigint);
        return true;
    default:
        return false;
    }
}

static void
put_regexp(struct writer *w, const struct regexp *regexp)
{
    put_byte(w, TAG_REGEXP);
    put_text(w, regexp->source);
    put_varint(w, regexp->flags);
}

/* --- objects ---------------------------------------------------------------------------- */

static bool
known(const struct writer *w, const gbx_value *node)
{
    return node->mark < w->object_count && w->objects[node->mark] == node;
}

/* Writes a reference if the object has an id, else gives it the next. True: it is new. */
static bool
put_identity(struct writer *w, const gbx_value *node)
{
    if (known(w, node)) {
        put_byte(w, TAG_REFERENCE);
        put_varint(w, node->mark);
        return false;
    }
    if (w->object_count == w->object_capacity &&
        !write_grow(w, &w->objects, &w->object_capacity, sizeof *w->objects, w->first_objects))
        return false;
    /* The mark is scratch, not part of the value. */
    ((gbx_value *)(uintptr_t)node)->mark = w->object_count;
    w->objects[w->object_count++] = node;
    return true;
}

static void
push_frame(struct writer *w, const gbx_value *node, bool dense)
{
    if (w->frame_count == VALUE_DEPTH_MAX) {
        write_failed(w, GBX_ETOOBIG);
        return;
    }
    if (w->frame_count == w->frame_capacity &&
        !write_grow(w, &w->frames, &w->frame_capacity, sizeof *w->frames, w->first_frames))
        return;
    w->frames[w->frame_count++] = (struct write_frame){ node, 0, dense, dense };
}

/* Written as an object of that tag, with all of its properties. */
static bool
is_whole(const struct writer *w, const gbx_value *node)
{
    return node->kind == GBX_OBJECT || (w->host != NULL && w->host->whole_errors);
}

static const gbx_value *
error_field(const gbx_value *error, const char *name)
{
    uint32_t at =
        dict_find(error->dict, &(struct key){ name, (uint32_t)strlen(name), NOT_INDEX });

    return at == NOT_INDEX ? NULL : error->dict->props[at].value;
}

static void
open_error(struct writer *w, const gbx_value *node)
{
    static const struct error_name names[] = ERROR_NAMES;
    const gbx_value *name = error_field(node, "name");
    const gbx_value *message = error_field(node, "message");
    const gbx_value *stack = error_field(node, "stack");

    put_byte(w, TAG_ERROR);
    for (size_t i = 0; name != NULL && i < COUNT(names); i++)
        if (text_is(name->text, names[i].name, strlen(names[i].name)))
            put_byte(w, (unsigned)names[i].tag);
    if (message != NULL) {
        put_byte(w, ERROR_MESSAGE);
        put_text(w, message->text);
    }
    if (stack != NULL) {
        put_byte(w, ERROR_STACK);
        put_text(w, stack->text);
    }
    if (error_field(node, "cause") == NULL) {
        put_byte(w, ERROR_END);
        return;
    }
    put_byte(w, ERROR_CAUSE);
    push_frame(w, node, false);
}

static void
open_array(struct writer *w, const gbx_value *node)
{
    bool dense = array_is_dense(node->array);

    if (!dense)
        dict_order(&node->array->props);
    put_byte(w, dense ? TAG_DENSE : TAG_SPARSE);
    put_varint(w, node->array->length);
    push_frame(w, node, dense);
}

static void
put_held(struct writer *w, struct held *held)
{
    gbx_status status = GBX_ECLONE;

    put_byte(w, TAG_HOST);
    if (w->status == GBX_OK && w->host != NULL)
        status = w->host->put(w->host->data, held, w->object_count == 1, w->out);
    if (status == GBX_OK && w->out->failed)
        status = w->out->too_long ? GBX_ETOOBIG : GBX_ENOMEM;
    if (status != GBX_OK)
        write_failed(w, status);
}

static void
put_shared(struct writer *w, struct held *held)
{
    uint32_t number = 0;

    if (w->host == NULL || w->host->put_shared == NULL) {
        put_held(w, held);
        return;
    }
    gbx_status status = w->host->put_shared(w->host->data, held, &number);
    put_byte(w, TAG_SHARED_BUFFER);
    put_varint(w, number);
    if (status != GBX_OK)
        write_failed(w, status);
}

static void
put_object(struct writer *w, const gbx_value *node)
{
    switch (node->kind) {
    case GBX_OBJECT:
        dict_order(node->dict);
        put_byte(w, TAG_OBJECT);
        push_frame(w, node, false);
        break;
    case GBX_ARRAY:
        open_array(w, node);
        break;
    case GBX_MAP:
    case GBX_SET:
        dict_order(node->dict);
        put_byte(w, node->kind == GBX_MAP ? TAG_MAP : TAG_SET);
        push_frame(w, node, false);
        break;
    case GBX_ERROR:
        if (is_whole(w, node)) {
            dict_order(node->dict);
            put_byte(w, TAG_WHOLE_ERROR);
            push_frame(w, node, false);
        } else {
            open_error(w, node);
        }
        break;
    case GBX_DATE:
        put_double(w, TAG_DATE, node->number);
        break;
    case GBX_REGEXP:
        put_regexp(w, node->regexp);
        break;
    case GBX_BOOLEAN_OBJECT:
        put_byte(w, node->boolean ? TAG_TRUE_OBJECT : TAG_FALSE_OBJECT);
        break;
    case GBX_NUMBER_OBJECT:
        put_double(w, TAG_NUMBER_OBJECT, node->number);
        break;
    case GBX_BIGINT_OBJECT:
        put_bigint(w, TAG_BIGINT_OBJECT, node->bigint);
        break;
    case GBX_STRING_OBJECT:
        put_byte(w, TAG_STRING_OBJECT);
        put_text(w, node->text);
        break;
    case GBX_ARRAY_BUFFER:
        put_buffer(w, node->buffer);
        break;
    case GBX_SHARED_ARRAY_BUFFER:
        put_shared(w, node->buffer->shared);
        break;
    case GBX_REFERENCE:
    case GBX_FUNCTION:
    case GBX_EXTERNAL_COPY:
        put_held(w, node->held);
        break;
    default:
        put_view(w, node->view, node->kind == GBX_DATA_VIEW);
        break;
    }
}

static void
put_value(struct writer *w, const gbx_value *node)
{
    if (put_primitive(w, node))
        return;
    bool view = node->kind == GBX_TYPED_ARRAY || node->kind == GBX_DATA_VIEW;
    if (view && !known(w, node) && put_identity(w, node->view->buffer))
        put_object(w, node->view->buffer);
    if (put_identity(w, node))
        put_object(w, node);
}

/* --- the walk --------------------------------------------------------------------------- */

static void
end_container(struct writer *w, unsigned tag, uint32_t count, const gbx_value *array)
{
    put_byte(w, tag);
    put_varint(w, count);
    if (array != NULL)
        put_varint(w, array->array->length);
    w->frame_count--;
}

/* The next property of a dict, or its end. The frame is not valid after put_value(). */
static void
step_props(struct writer *w, struct write_frame *frame, const struct dict *dict, unsigned end,
    const gbx_value *array)
{
    if (frame->at == dict->count) {
        end_container(w, end, dict->count, array);
        return;
    }
    const struct prop *prop = &dict->props[frame->at++];
    put_key(w, prop);
    put_value(w, prop->value);
}

static void
step_collection(struct writer *w, struct write_frame *frame, bool map)
{
    const struct dict *dict = frame->node->dict;
    uint32_t count = map ? dict->count * 2 : dict->count;

    if (frame->at == count) {
        end_container(w, map ? TAG_MAP_END : TAG_SET_END, count, NULL);
        return;
    }
    uint32_t at = frame->at++;
    const struct prop *prop = &dict->props[map ? at / 2 : at];
    put_value(w, map && at % 2 != 0 ? prop->value : prop->node);
}

static void
step_dense(struct writer *w, struct write_frame *frame)
{
    const struct array *array = frame->node->array;

    while (frame->at < array->count && w->status == GBX_OK) {
        const gbx_value *item = array->items[frame->at++];
        if (!put_primitive(w, item)) {
            put_value(w, item);
            return;
        }
    }
    frame->elements = false;
    frame->at = 0;
}

/* An array with holes: elements as keys, then the dict, which may hold more elements. */
static void
step_sparse(struct writer *w, struct write_frame *frame)
{
    const struct array *array = frame->node->array;

    while (frame->at < array->count && array->items[frame->at] == NULL)
        frame->at++;
    if (frame->at < array->count) {
        uint32_t index = frame->at++;
        put_number(w, index);
        put_value(w, array->items[index]);
        return;
    }
    uint32_t at = frame->at++ - array->count;
    if (at < array->props.count) {
        put_key(w, &array->props.props[at]);
        put_value(w, array->props.props[at].value);
        return;
    }
    uint32_t elements = 0;
    for (uint32_t i = 0; i < array->count; i++)
        elements += array->items[i] != NULL;
    end_container(w, TAG_SPARSE_END, elements + array->props.count, frame->node);
}

static void
step_error(struct writer *w, struct write_frame *frame)
{
    if (frame->at++ == 0) {
        put_value(w, error_field(frame->node, "cause"));
    } else {
        put_byte(w, ERROR_END);
        w->frame_count--;
    }
}

static void
step(struct writer *w)
{
    struct write_frame *frame = &w->frames[w->frame_count - 1];
    const gbx_value *node = frame->node;

    switch (node->kind) {
    case GBX_OBJECT:
    case GBX_ERROR:
        if (is_whole(w, node))
            step_props(w, frame, node->dict, TAG_OBJECT_END, NULL);
        else
            step_error(w, frame);
        break;
    case GBX_ARRAY:
        if (frame->elements)
            step_dense(w, frame);
        else if (frame->dense)
            step_props(w, frame, &node->array->props, TAG_DENSE_END, node);
        else
            step_sparse(w, frame);
        break;
    default:
        step_collection(w, frame, node->kind == GBX_MAP);
        break;
    }
}

gbx_status
clone_write_for(const gbx_value *value, const struct clone_host *host, struct buf *out)
{
    struct writer w;

    w.out = out;
    w.start = out->len;
    w.status = !out->failed ? GBX_OK : out->too_long ? GBX_ETOOBIG : GBX_ENOMEM;
    w.host = host;
    w.objects = w.first_objects;
    w.frames = w.first_frames;
    w.object_capacity = FIRST_OBJECTS;
    w.frame_capacity = FIRST_FRAMES;
    w.object_count = w.frame_count = 0;
    w.attached = NULL;
    w.attached_count = w.attached_capacity = 0;

    put_byte(&w, TAG_VERSION);
    put_byte(&w, CLONE_VERSION);
    put_value(&w, value);
    while (w.frame_count > 0 && w.status == GBX_OK)
        step(&w);
    if (w.attached_count > 0)
        attach_all(&w);
    free(w.attached);
    if (w.objects != w.first_objects)
        free(w.objects);
    if (w.frames != w.first_frames)
        free(w.frames);
    if (w.status != GBX_OK) {
        buf_clear(out);
        out->len = w.start;
    }
    return w.status;
}

gbx_status
clone_write(const gbx_value *value, struct buf *out)
{
    return clone_write_for(value, NULL, out);
}
