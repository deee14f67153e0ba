#include "base/check.h"
#include "base/limits.h"
#include "wire/clone_reader.h"
#include "wire/clone_tags.h"

#include <stdlib.h>

enum read_state {
    IN_KEYS,  /* of an object, or of an array behind its elements */
    IN_DENSE, /* elements of an array */
    IN_MAP,
    IN_SET,
    IN_CAUSE /* of an error */
};

#define FIRST_ROOM_MAX ((size_t)(32 * MIB))

/* What a container wants next. */
enum step {
    STEP_VALUE,
    STEP_CLOSED, /* nothing: its end was read, it is complete */
    STEP_FAILED
};

static enum step
fail_step(struct reader *r, gbx_status status, const char *why)
{
    read_failed(r, status, why);
    return STEP_FAILED;
}

static bool
push_value(struct reader *r, gbx_value *node)
{
    if (r->value_count == r->value_capacity &&
        !read_grow(r, &r->values, &r->value_capacity, sizeof *r->values, r->first_values))
        return false;
    r->values[r->value_count++] = node;
    return true;
}

static bool
push_key(struct reader *r, const struct read_key *key)
{
    if (r->key_count == r->key_capacity &&
        !read_grow(r, &r->keys, &r->key_capacity, sizeof *r->keys, r->first_keys))
        return false;
    r->keys[r->key_count++] = *key;
    return true;
}

static bool
count_one(struct reader *r)
{
    if (r->count_left == 0) {
        read_failed(r, GBX_ETOOBIG, "too many values");
        return false;
    }
    r->count_left--;
    return true;
}

/* --- closing ---------------------------------------------------------------------------- */

static bool
no_memory(struct reader *r)
{
    read_failed(r, GBX_ENOMEM, "out of memory");
    return false;
}

/* Fills a dict from the values and keys since those marks. */
static bool
close_props(struct reader *r, struct dict *dict, uint32_t values, uint32_t keys)
{
    uint32_t count = r->key_count - keys;

    if (count == 0)
        return true;
    dict->props = graph_alloc(r->graph, count * sizeof *dict->props);
    if (dict->props == NULL)
        return no_memory(r);
    dict->capacity = dict->count = count;
    for (uint32_t i = 0; i < count; i++) {
        const struct read_key *key = &r->keys[keys + i];
        dict->props[i] = (struct prop){ { key->text }, r->values[values + i], key->index, 0 };
        if (i > 0 && key->index != NOT_INDEX)
            dict->unordered |= key[-1].index == NOT_INDEX || key[-1].index > key->index;
    }
    gbx_status status = dict_seal(r->graph, dict);
    if (status != GBX_OK)
        read_failed(r, status == GBX_EINVAL ? GBX_EPROTO : status, "an object has a key twice");
    return status == GBX_OK;
}

/* A map's entries or a set's members. */
static bool
close_entries(struct reader *r, struct dict *dict, uint32_t values, uint32_t stride)
{
    uint32_t count = (r->value_count - values) / stride;

    if (count == 0)
        return true;
    dict->props = graph_alloc(r->graph, count * sizeof *dict->props);
    if (dict->props == NULL)
        return no_memory(r);
    dict->capacity = dict->count = count;
    for (uint32_t i = 0; i < count; i++) {
        gbx_value **entry = &r->values[values + i * stride];
        dict->props[i] = (struct prop){ { .node = entry[0] }, entry[stride - 1], NOT_INDEX, 0 };
    }
    gbx_status status = dict_seal(r->graph, dict);
    if (status != GBX_OK)
        read_failed(
            r, status == GBX_EINVAL ? GBX_EPROTO : status, "a collection has a key twice");
    return status == GBX_OK;
}

static gbx_value **
new_items(struct reader *r, struct array *array, uint32_t count)
{
    array->items = graph_alloc(r->graph, count * sizeof *array->items);
    if (array->items == NULL)
        return read_failed(r, GBX_ENOMEM, "out of memory");
    array->count = array->capacity = count;
    return array->items;
}

static bool
is_length(const struct read_key *key)
{
    return key->index == NOT_INDEX && text_is(key->text, "length", 6);
}

/* Elements that came as keys. They go into a plain vector if it is at least half full. */
static bool
close_sparse(struct reader *r, const struct read_frame *frame)
{
    struct array *array = frame->node->array;
    uint32_t keys = frame->keys, values = frame->values;
    uint32_t elements = 0, largest = 0;

    array->length = frame->length;
    for (uint32_t i = keys; i < r->key_count; i++) {
        uint32_t index = r->keys[i].index;
        if (is_length(&r->keys[i]) || (index != NOT_INDEX && index >= frame->length)) {
            read_failed(r, GBX_EPROTO, "an element past the length of its array");
            return false;
        }
        if (index != NOT_INDEX) {
            elements++;
            largest = index > largest ? index : largest;
        }
    }
    if (elements == 0 || largest >= (uint64_t)elements * 2 + 8) {
        array->sparse = elements;
        return close_props(r, &array->props, values, keys);
    }
    gbx_value **items = new_items(r, array, largest + 1);
    if (items == NULL)
        return false;
    memset(items, 0, array->count * sizeof *items);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < r->key_count - keys; i++) {
        const struct read_key key = r->keys[keys + i];
        if (key.index == NOT_INDEX) {
            r->keys[keys + kept] = key;
            r->values[values + kept++] = r->values[values + i];
        } else if (items[key.index] != NULL) {
            read_failed(r, GBX_EPROTO, "an object has a key twice");
            return false;
        } else {
            items[key.index] = r->values[values + i];
        }
    }
    r->key_count = keys + kept;
    return close_props(r, &array->props, values, keys);
}

static bool
close_dense(struct reader *r, const struct read_frame *frame)
{
    struct array *array = frame->node->array;

    for (uint32_t i = frame->keys; i < r->key_count; i++)
        if (r->keys[i].index != NOT_INDEX || is_length(&r->keys[i])) {
            read_failed(r, GBX_EPROTO, "an index behind the elements of an array");
            return false;
        }
    array->length = frame->length;
    if (frame->length > 0) {
        gbx_value **items = new_items(r, array, frame->length);
        if (items == NULL)
            return false;
        memcpy(items, r->values + frame->values, frame->length * sizeof *items);
    }
    return close_props(r, &array->props, frame->values + frame->length, frame->keys);
}

/* The cause was the only thing that waited. */
static bool
close_error(struct reader *r, const struct read_frame *frame)
{
    static const char cause[] = "cause";
    const struct text *key = text_of_utf8(r->graph, cause, sizeof cause - 1);

    if (key == NULL)
        return no_memory(r);
    struct prop prop = { { key }, r->values[frame->values], NOT_INDEX, 0 };
    return dict_add(r->graph, frame->node->dict, &prop) || no_memory(r);
}

/* Takes the complete container off the stacks; NULL on failure. */
static gbx_value *
close_frame(struct reader *r)
{
    const struct read_frame frame = r->frames[r->frame_count - 1];
    bool done = true;

    switch (frame.node->kind) {
    case GBX_OBJECT:
        done = close_props(r, frame.node->dict, frame.values, frame.keys);
        break;
    case GBX_ARRAY:
        done = frame.dense ? close_dense(r, &frame) : close_sparse(r, &frame);
        break;
    case GBX_MAP:
        done = close_entries(r, frame.node->dict, frame.values, 2);
        break;
    case GBX_SET:
        done = close_entries(r, frame.node->dict, frame.values, 1);
        break;
    default:
        done = frame.state == IN_CAUSE
                   ? close_error(r, &frame)
                   : close_props(r, frame.node->dict, frame.values, frame.keys);
        break;
    }
    r->value_count = frame.values;
    r->key_count = frame.keys;
    r->frame_count--;
    return done ? frame.node : NULL;
}

/* --- opening ---------------------------------------------------------------------------- */

static bool
open_frame(struct reader *r, gbx_value *node, enum read_state state, uint32_t length)
{
    if (r->frame_count == r->depth_max) {
        read_failed(r, GBX_ETOOBIG, "nested too deeply");
        return false;
    }
    if (r->frame_count == r->frame_capacity &&
        !read_grow(r, &r->frames, &r->frame_capacity, sizeof *r->frames, r->first_frames))
        return false;
    r->frames[r->frame_count++] = (struct read_frame){ .node = node,
        .values = r->value_count,
        .keys = r->key_count,
        .length = length,
        .state = (uint8_t)state,
        .dense = state == IN_DENSE };
    return true;
}

static void
open_dict(struct reader *r, gbx_value_kind kind, enum read_state state)
{
    gbx_value *node = node_new(r->graph, kind);

    if (node == NULL || !node_add_dict(r->graph, node, 0))
        read_failed(r, GBX_ENOMEM, "out of memory");
    else if (read_object(r, node))
        (void)open_frame(r, node, state, 0);
}

static void
open_array(struct reader *r, enum read_state state)
{
    uint32_t length = read_varint(r);
    gbx_value *node = node_new(r->graph, GBX_ARRAY);

    if (node == NULL || !node_add_array(r->graph, node))
        read_failed(r, GBX_ENOMEM, "out of memory");
    else if (r->status == GBX_OK && read_object(r, node))
        (void)open_frame(r, node, state, length);
}

static bool
error_prop(struct reader *r, gbx_value *node, const char *name, const struct text *text)
{
    gbx_value *value = text == NULL ? NULL : node_new(r->graph, GBX_STRING);
    const struct text *key = text_of_utf8(r->graph, name, strlen(name));

    if (r->status != GBX_OK)
        return false;
    if (value == NULL || key == NULL)
        return no_memory(r);
    value->text = text;
    /* There is room: it was made for as many as an error has. */
    GBX_CHECK(dict_add(r->graph, node->dict, &(struct prop){ { key }, value, NOT_INDEX, 0 }));
    return true;
}

/* An error's type, message and stack. It is complete unless a cause follows. */
static gbx_value *
open_error(struct reader *r)
{
    static const struct error_name names[] = ERROR_NAMES;
    gbx_value *node = node_new(r->graph, GBX_ERROR);
    const char *name = "Error";

    if (node == NULL || !node_add_dict(r->graph, node, 4))
        return read_failed(r, GBX_ENOMEM, "out of memory");
    if (!read_object(r, node))
        return NULL;
    uint32_t tag = read_varint(r);
    for (size_t i = 0; i < COUNT(names); i++)
        if (tag == (uint32_t)names[i].tag)
            name = names[i].name;
    if (strcmp(name, "Error") != 0)
        tag = read_varint(r);
    if (!error_prop(r, node, "name", text_of_utf8(r->graph, name, strlen(name))))
        return NULL;
    if (tag == ERROR_MESSAGE) {
        if (!error_prop(r, node, "message", read_text(r)))
            return NULL;
        tag = read_varint(r);
    }
    if (tag == ERROR_STACK) {
        if (!error_prop(r, node, "stack", read_text(r)))
            return NULL;
        tag = read_varint(r);
    }
    if (tag == ERROR_CAUSE) {
        (void)open_frame(r, node, IN_CAUSE, 0);
        return NULL;
    }
    return tag == ERROR_END ? node : read_failed(r, GBX_EPROTO, "an error of unknown form");
}

/* Reads one value, or opens the container that it is (and answers NULL). */
static gbx_value *
read_value(struct reader *r)
{
    unsigned tag = read_tag(r);

    while (tag == TAG_COUNT) {
        (void)read_varint(r);
        tag = read_tag(r);
    }
    if (!count_one(r))
        return NULL;
    switch (tag) {
    case TAG_OBJECT:
        open_dict(r, GBX_OBJECT, IN_KEYS);
        return NULL;
    case TAG_DENSE:
        open_array(r, IN_DENSE);
        return NULL;
    case TAG_SPARSE:
        open_array(r, IN_KEYS);
        return NULL;
    case TAG_MAP:
        open_dict(r, GBX_MAP, IN_MAP);
        return NULL;
    case TAG_SET:
        open_dict(r, GBX_SET, IN_SET);
        return NULL;
    case TAG_ERROR:
        return open_error(r);
    case TAG_WHOLE_ERROR:
        if (r->host == NULL || !r->host->whole_errors)
            break;
        open_dict(r, GBX_ERROR, IN_KEYS);
        return NULL;
    case NOT_TAG:
        return read_failed(r, GBX_EPROTO, "the value ends in the middle");
    case TAG_SHARED:
    case TAG_WASM_MODULE:
    case TAG_WASM_MEMORY:
        return read_failed(r, GBX_EPROTO, "an object that is not data");
    default:
        break;
    }
    gbx_value *node = read_leaf(r, tag);
    return node != NULL ? node : read_failed(r, GBX_EPROTO, "an unknown tag");
}

/* --- the walk --------------------------------------------------------------------------- */

static enum step
end_of(struct reader *r, uint32_t count, uint32_t length, bool array)
{
    r->p++;
    if (read_varint(r) != count || (array && read_varint(r) != length))
        return fail_step(r, GBX_EPROTO, "a container was announced with another size");
    return r->status == GBX_OK ? STEP_CLOSED : STEP_FAILED;
}

static enum step
next_key(struct reader *r, const struct read_frame *frame)
{
    bool array = frame->node->kind == GBX_ARRAY;
    unsigned end = !array ? TAG_OBJECT_END : frame->dense ? TAG_DENSE_END : TAG_SPARSE_END;
    struct read_key key;

    if (read_peek(r) == end)
        return end_of(r, r->key_count - frame->keys, frame->length, array);
    return read_key(r, &key) && push_key(r, &key) ? STEP_VALUE : STEP_FAILED;
}

static enum step
next_dense(struct reader *r, struct read_frame *frame)
{
    while (r->value_count - frame->values < frame->length) {
        if (read_peek(r) != TAG_HOLE)
            return STEP_VALUE;
        r->p++;
        if (!count_one(r) || !push_value(r, NULL))
            return STEP_FAILED;
    }
    frame->state = IN_KEYS;
    return next_key(r, frame);
}

/* What the innermost container wants next; keys, holes and ends are read here. */
static enum step
next_step(struct reader *r)
{
    struct read_frame *frame = &r->frames[r->frame_count - 1];
    uint32_t values = r->value_count - frame->values;

    switch (frame->state) {
    case IN_KEYS:
        return next_key(r, frame);
    case IN_DENSE:
        return next_dense(r, frame);
    case IN_MAP:
        if (values % 2 == 0 && read_peek(r) == TAG_MAP_END)
            return end_of(r, values, 0, false);
        return STEP_VALUE;
    case IN_SET:
        if (read_peek(r) == TAG_SET_END)
            return end_of(r, values, 0, false);
        return STEP_VALUE;
    default:
        if (values == 0)
            return STEP_VALUE;
        if (read_varint(r) == ERROR_END && r->status == GBX_OK)
            return STEP_CLOSED;
        return fail_step(r, GBX_EPROTO, "an error of unknown form");
    }
}

static gbx_value *
read_all(struct reader *r)
{
    gbx_value *node = read_value(r);

    while (r->status == GBX_OK) {
        if (node != NULL && r->frame_count == 0)
            break;
        if (node != NULL && !push_value(r, node))
            break;
        enum step step = next_step(r);
        if (step == STEP_FAILED)
            break;
        node = step == STEP_VALUE ? read_value(r) : close_frame(r);
    }
    if (r->status == GBX_OK && r->p != r->end)
        read_failed(r, GBX_EPROTO, "bytes behind the value");
    return node;
}

static void
reader_init(struct reader *r, const struct clone_limits *limits)
{
    uint32_t depth = limits == NULL ? 0 : limits->depth;
    uint32_t count = limits == NULL ? 0 : limits->count;

    r->status = GBX_OK;
    r->why = NULL;
    r->depth_max = depth == 0 || depth > VALUE_DEPTH_MAX ? VALUE_DEPTH_MAX : depth;
    r->count_left = count == 0 || count > VALUE_COUNT_MAX ? VALUE_COUNT_MAX : count;
    r->objects = r->first_objects;
    r->values = r->first_values;
    r->keys = r->first_keys;
    r->frames = r->first_frames;
    r->object_capacity = FIRST_OBJECTS;
    r->value_capacity = FIRST_VALUES;
    r->key_capacity = FIRST_KEYS;
    r->frame_capacity = FIRST_FRAMES;
    r->object_count = r->value_count = r->key_count = r->frame_count = 0;
    r->host = limits == NULL ? NULL : limits->host;
    memset(r->singles, 0, sizeof r->singles);
    r->has_key_cache = false;
    r->body = limits == NULL ? NULL : limits->body;
    r->apart = NULL;
    r->apart_count = 0;
    r->apart_bytes = 0;
    r->taken = NULL;
}

static void
reader_done(struct reader *r)
{
    if (r->objects != r->first_objects)
        free(r->objects);
    if (r->values != r->first_values)
        free(r->values);
    if (r->keys != r->first_keys)
        free(r->keys);
    if (r->frames != r->first_frames)
        free(r->frames);
    apart_done(r);
}

/* Room in the first block: a number has it exactly, a large value gets about what it needs at
 * once. What is not used is never touched, so it costs addresses only. */
static size_t
first_room(size_t len)
{
    size_t room = sizeof(gbx_value) + (len > 11 ? (len - 11) * 8 : 0);

    return room < FIRST_ROOM_MAX ? room : FIRST_ROOM_MAX;
}

/* The version in front, and then the one value. NULL: failed. */
static gbx_value *
read_clone(struct reader *r, struct span bytes)
{
    if (bytes.len < 2 || bytes.p[0] != TAG_VERSION || bytes.p[1] != CLONE_VERSION)
        return read_failed(r, GBX_EPROTO, "not structured clone of version 15");
    r->p = bytes.p + 2;
    r->end = bytes.p + bytes.len;
    r->graph = graph_new(first_room(bytes.len));
    if (r->graph == NULL)
        return read_failed(r, GBX_ENOMEM, "out of memory");
    gbx_value *value = read_all(r);
    if (r->status == GBX_OK)
        return value;
    graph_free(r->graph);
    return NULL;
}

gbx_status
clone_read(
    struct span bytes, const struct clone_limits *limits, gbx_value **out, const char **why)
{
    struct reader r;
    gbx_value *value = NULL;
    const char *ignored;

    why = why == NULL ? &ignored : why;
    *why = NULL;
    if (bytes.len > VALUE_BYTES_MAX) {
        *why = "too many bytes";
        return GBX_ETOOBIG;
    }
    reader_init(&r, limits);
    if (limits == NULL || !limits->apart || apart_split(&r, &bytes))
        value = read_clone(&r, bytes);
    reader_done(&r);
    if (value != NULL)
        *out = value;
    *why = r.why;
    return r.status;
}
