#include "base/check.h"
#include "base/limits.h"
#include "wire/clone_reader.h"
#include "wire/clone_tags.h"
#include "wire/held.h"

#include <math.h>
#include <stdlib.h>

void *
read_failed(struct reader *r, gbx_status status, const char *why)
{
    if (r->status == GBX_OK) {
        r->status = status;
        r->why = why;
    }
    r->p = r->end;
    return NULL;
}

bool
read_grow(struct reader *r, void *vector, uint32_t *capacity, size_t item, const void *first)
{
    void *old;
    size_t n = *capacity * item;

    memcpy(&old, vector, sizeof old);
    /* Vectors hold at most VALUE_COUNT_MAX items and their containers; this can't overflow. */
    void *larger = old == first ? malloc(2 * n) : realloc(old, 2 * n);
    if (larger == NULL) {
        read_failed(r, GBX_ENOMEM, "out of memory");
        return false;
    }
    if (old == first)
        memcpy(larger, old, n);
    memcpy(vector, &larger, sizeof larger);
    *capacity *= 2;
    return true;
}

/* --- bytes ------------------------------------------------------------------------------ */

unsigned
read_peek(struct reader *r)
{
    while (r->p < r->end && *r->p == TAG_PADDING)
        r->p++;
    return r->p < r->end ? *r->p : NOT_TAG;
}

unsigned
read_tag(struct reader *r)
{
    unsigned tag = read_peek(r);

    if (tag != NOT_TAG)
        r->p++;
    return tag;
}

/* The only place that moves past content. */
static const uint8_t *
take(struct reader *r, size_t n)
{
    if (n > (size_t)(r->end - r->p))
        return read_failed(r, GBX_EPROTO, "the value ends in the middle");
    const uint8_t *p = r->p;
    r->p += n;
    return p;
}

uint32_t
read_varint(struct reader *r)
{
    uint32_t value = 0;

    for (unsigned shift = 0; shift < 35; shift += 7) {
        const uint8_t *byte = take(r, 1);
        if (byte == NULL)
            return 0;
        if (shift == 28 && *byte > 0x0F)
            break;
        value |= (uint32_t)(*byte & 0x7F) << shift;
        if (*byte < 0x80)
            return value;
    }
    read_failed(r, GBX_EPROTO, "a number has more than 32 bits");
    return 0;
}

static double
read_double(struct reader *r)
{
    const uint8_t *p = take(r, sizeof(double));
    double number = 0;

    if (p != NULL)
        memcpy(&number, p, sizeof number);
    /* One NaN: the payload of another could carry anything. */
    return isnan(number) ? (double)NAN : number;
}

/* --- texts ------------------------------------------------------------------------------ */

struct text *
read_text_of(struct reader *r, unsigned tag)
{
    struct text *text;

    if (tag != TAG_ONE_BYTE && tag != TAG_TWO_BYTE && tag != TAG_UTF8)
        return read_failed(r, GBX_EPROTO, "a string was expected");
    uint32_t len = read_varint(r);
    const uint8_t *p = take(r, len);
    if (p == NULL)
        return NULL;
    if (tag == TAG_ONE_BYTE) {
        text = text_of_latin1(r->graph, p, len);
    } else if (tag == TAG_TWO_BYTE) {
        if (len % 2 != 0)
            return read_failed(r, GBX_EPROTO, "a two-byte string of odd length");
        text = text_of_utf16(r->graph, p, len / 2);
    } else {
        if (!is_utf8(p, len))
            return read_failed(r, GBX_EPROTO, "a UTF-8 string that is not UTF-8");
        text = text_of_utf8(r->graph, (const char *)p, len);
    }
    return text != NULL ? text : read_failed(r, GBX_ENOMEM, "out of memory");
}

struct text *
read_text(struct reader *r)
{
    return read_text_of(r, read_tag(r));
}

/* A short ASCII key is looked up first: objects of one shape repeat theirs. */
static const struct text *
cached_key(struct reader *r)
{
    uint8_t len = r->p < r->end ? *r->p : 0x80;

    if (len == 0 || len > 64 || len >= (size_t)(r->end - r->p))
        return read_text_of(r, TAG_ONE_BYTE);
    if (!r->has_key_cache) {
        memset(r->key_cache, 0, sizeof r->key_cache);
        r->has_key_cache = true;
    }
    const uint8_t *p = r->p + 1;
    uint32_t hash = len * 31u + p[0] + p[len - 1] * 7u + p[len / 2] * 17u;
    const struct text **slot = &r->key_cache[hash % KEY_CACHE];
    /* A width of ASCII means that the bytes are the same in Latin-1. */
    if (*slot != NULL && (*slot)->width == TEXT_ASCII && text_is(*slot, (const char *)p, len)) {
        r->p = p + len;
        return *slot;
    }
    const struct text *text = read_text_of(r, TAG_ONE_BYTE);
    if (text != NULL)
        *slot = text;
    return text;
}

/* Keys that are numbers but no array index, as texts. V8 never writes them. */
static bool
number_key(struct reader *r, double number, struct read_key *out)
{
    if (number >= 0 && number < NOT_INDEX && number == (uint32_t)number) {
        *out = (struct read_key){ NULL, (uint32_t)number };
        return true;
    }
    read_failed(r, GBX_EPROTO, "a key is a number but no array index");
    return false;
}

bool
read_key(struct reader *r, struct read_key *out)
{
    unsigned tag = read_tag(r);
    const struct text *text;
    uint32_t raw;

    switch (tag) {
    case TAG_INT32:
        raw = read_varint(r);
        return number_key(r, (int32_t)(raw >> 1 ^ -(raw & 1)), out);
    case TAG_UINT32:
        return number_key(r, read_varint(r), out);
    case TAG_DOUBLE:
        return number_key(r, read_double(r), out);
    case TAG_ONE_BYTE:
        text = cached_key(r);
        break;
    default:
        text = read_text_of(r, tag);
        break;
    }
    if (text == NULL)
        return false;
    out->index = index_of_text(text->bytes, text->len);
    out->text = out->index == NOT_INDEX ? text : NULL;
    return r->status == GBX_OK;
}

/* --- primitives ------------------------------------------------------------------------- */

static gbx_value *
new_node(struct reader *r, gbx_value_kind kind)
{
    gbx_value *node = node_new(r->graph, kind);

    return node != NULL ? node : read_failed(r, GBX_ENOMEM, "out of memory");
}

static gbx_value *
single(struct reader *r, unsigned which, gbx_value_kind kind)
{
    if (r->singles[which] == NULL) {
        gbx_value *node = new_node(r, kind);
        if (node != NULL && kind == GBX_BOOLEAN)
            node->boolean = which == 3;
        r->singles[which] = node;
    }
    return r->singles[which];
}

static gbx_value *
number_node(struct reader *r, gbx_value_kind kind, double number)
{
    gbx_value *node = new_node(r, kind);

    if (node != NULL)
        node->number = number;
    return node;
}

static gbx_value *
bigint_node(struct reader *r, gbx_value_kind kind)
{
    uint32_t bits = read_varint(r);
    uint32_t len = bits >> 1;
    size_t words = ((size_t)len + 7) / 8;

    if (len > VALUE_BIGINT_BYTES_MAX)
        return read_failed(r, GBX_ETOOBIG, "a BigInt is too large");
    const uint8_t *p = take(r, len);
    gbx_value *node = p == NULL ? NULL : new_node(r, kind);
    if (node == NULL)
        return NULL;
    struct bigint *bigint = graph_alloc(r->graph, sizeof *bigint + words * 8);
    if (bigint == NULL)
        return read_failed(r, GBX_ENOMEM, "out of memory");
    if (words > 0) {
        bigint->words[words - 1] = 0;
        memcpy(bigint->words, p, len);
    }
    while (words > 0 && bigint->words[words - 1] == 0)
        words--;
    bigint->count = (uint32_t)words;
    bigint->negative = (bits & 1) != 0 && words > 0;
    node->bigint = bigint;
    return node;
}

static gbx_value *
text_node(struct reader *r, gbx_value_kind kind, const struct text *text)
{
    gbx_value *node = text == NULL ? NULL : new_node(r, kind);

    if (node != NULL)
        node->text = text;
    return node;
}

static gbx_value *
regexp_node(struct reader *r)
{
    const struct text *source = read_text(r);
    uint32_t flags = read_varint(r);
    gbx_value *node = r->status != GBX_OK ? NULL : new_node(r, GBX_REGEXP);

    if (node == NULL)
        return NULL;
    if ((flags & ~(uint32_t)REGEXP_ALL) != 0 ||
        (flags & (REGEXP_U | REGEXP_V)) == (REGEXP_U | REGEXP_V))
        return read_failed(r, GBX_EPROTO, "unknown flags of a regular expression");
    struct regexp *regexp = graph_alloc(r->graph, sizeof *regexp);
    if (regexp == NULL)
        return read_failed(r, GBX_ENOMEM, "out of memory");
    *regexp = (struct regexp){ source, flags };
    node->regexp = regexp;
    return node;
}

/* --- buffers and views ------------------------------------------------------------------ */

/* Makes the message's memory the buffer's. At most one buffer can be so large a part of it; what
 * stands before is used up, so the bytes may move there to where they are aligned. */
static bool
take_over(struct reader *r, gbx_value *node, const uint8_t *p, uint32_t len)
{
    struct buf *body = r->body;

    /* Another value of the same message may have taken it. */
    if (body == NULL || body->p == NULL || len < VALUE_SHARED_MIN || len < body->capacity / 2)
        return false;
    struct bytes *held = bytes_adopt_malloced(body->p, body->capacity);
    if (held == NULL)
        return false;
    size_t at = (size_t)(p - body->p), aligned = at & ~(size_t)15;
    if (at != aligned)
        memmove(body->p + aligned, p, len);
    uint8_t *bytes = body->p + aligned;
    *body = (struct buf){ .max = body->max };
    r->body = NULL;
    if (!node_add_held(r->graph, node, held, bytes, len))
        read_failed(r, GBX_ENOMEM, "out of memory");
    return true;
}

static gbx_value *
buffer_node(struct reader *r, bool resizable)
{
    uint32_t len = read_varint(r);
    uint32_t max = resizable ? read_varint(r) : len;

    if (max < len)
        return read_failed(r, GBX_EPROTO, "a buffer is longer than its maximum");
    const uint8_t *p = take(r, len);
    gbx_value *node = p == NULL ? NULL : new_node(r, GBX_ARRAY_BUFFER);
    if (node == NULL)
        return NULL;
    if (!take_over(r, node, p, len)) {
        if (!node_add_buffer(r->graph, node, len))
            return read_failed(r, GBX_ENOMEM, "out of memory");
        if (len > 0)
            memcpy(node->buffer->bytes, p, len);
    }
    if (r->status != GBX_OK)
        return NULL;
    node->buffer->max = max;
    node->buffer->resizable = resizable;
    return node;
}

/* Whether the buffer that came apart is one that the value keeps together with its message. */
static bool
keep_apart(struct reader *r, const struct span *bytes)
{
    struct buf *body = r->body;

    if (bytes->len < VALUE_SHARED_MIN || (uintptr_t)bytes->p % ATTACHED_ALIGN != 0)
        return false;
    if (r->taken == NULL && body != NULL && body->p != NULL &&
        r->apart_bytes >= body->capacity / 2 &&
        (r->taken = bytes_adopt_malloced(body->p, body->capacity)) != NULL) {
        *body = (struct buf){ .max = body->max };
        r->body = NULL;
    }
    return r->taken != NULL;
}

/* The bytes of a buffer that came apart are nobody else's. */
static gbx_value *
apart_node(struct reader *r)
{
    uint32_t number = read_varint(r);

    if (r->status != GBX_OK)
        return NULL;
    if (number >= r->apart_count || r->apart[number].p == NULL)
        return read_failed(r, GBX_EPROTO, "a moved buffer that did not come, or came twice");
    struct span bytes = r->apart[number];
    gbx_value *node = new_node(r, GBX_ARRAY_BUFFER);
    if (node == NULL)
        return NULL;
    r->apart[number].p = NULL;
    bool keeps = keep_apart(r, &bytes);
    if (!(keeps ? node_add_held(
                      r->graph, node, bytes_ref(r->taken), (uint8_t *)bytes.p, bytes.len)
                : node_add_buffer(r->graph, node, bytes.len)))
        return read_failed(r, GBX_ENOMEM, "out of memory");
    if (!keeps && bytes.len > 0)
        memcpy(node->buffer->bytes, bytes.p, bytes.len);
    return node;
}

static gbx_value *
view_node(struct reader *r, gbx_value *buffer)
{
    uint32_t tag = read_varint(r);
    uint32_t offset = read_varint(r);
    uint32_t len = read_varint(r);
    uint32_t flags = read_varint(r);
    const char *type = tag == 0 || tag > 0x7F ? NULL : strchr(VIEW_TYPES, (int)tag);

    if (r->status != GBX_OK)
        return NULL;
    if (tag != VIEW_DATA && type == NULL)
        return read_failed(r, GBX_EPROTO, "a view of unknown type");
    gbx_element_type element =
        tag == VIEW_DATA ? GBX_UINT8 : (gbx_element_type)(type - VIEW_TYPES);
    uint32_t size = element_size(element);
    uint64_t room = buffer->buffer->len;
    if (offset > room || len > room - offset || offset % size != 0 || len % size != 0)
        return read_failed(r, GBX_EPROTO, "a view does not fit in its buffer");
    bool tracking = (flags & VIEW_TRACKING) != 0;
    bool resizable = (flags & VIEW_RESIZABLE) != 0;
    if (flags > 3 || resizable != buffer->buffer->resizable || (tracking && !resizable))
        return read_failed(r, GBX_EPROTO, "flags of a view that do not match its buffer");
    gbx_value *node = new_node(r, tag == VIEW_DATA ? GBX_DATA_VIEW : GBX_TYPED_ARRAY);
    struct view *view = node == NULL ? NULL : graph_alloc(r->graph, sizeof *view);
    if (view == NULL)
        return read_failed(r, GBX_ENOMEM, "out of memory");
    uint64_t bytes = tracking ? (room - offset) / size * size : len;
    *view = (struct view){ buffer, offset, bytes, element, tracking };
    node->view = view;
    return read_object(r, node) ? node : NULL;
}

/* --- objects ---------------------------------------------------------------------------- */

bool
read_object(struct reader *r, gbx_value *node)
{
    if (r->object_count == r->object_capacity &&
        !read_grow(r, &r->objects, &r->object_capacity, sizeof *r->objects, r->first_objects))
        return false;
    r->objects[r->object_count++] = node;
    return true;
}

static gbx_value *
referenced(struct reader *r)
{
    uint32_t id = read_varint(r);

    if (r->status != GBX_OK)
        return NULL;
    if (id >= r->object_count)
        return read_failed(r, GBX_EPROTO, "a reference to an object that did not come yet");
    return r->objects[id];
}

static gbx_value *
boolean_object(struct reader *r, bool boolean)
{
    gbx_value *node = new_node(r, GBX_BOOLEAN_OBJECT);

    if (node != NULL)
        node->boolean = boolean;
    return node;
}

static gbx_value *
held_node(struct reader *r)
{
    struct span rest = span_of(r->p, (size_t)(r->end - r->p));
    struct held *held = NULL;
    const char *why = "out of memory";

    if (r->host == NULL)
        return read_failed(r, GBX_EPROTO, "an object that is not data");
    gbx_status status = r->host->get(r->host->data, &rest, &held, &why);
    if (status != GBX_OK)
        return read_failed(r, status, why);
    r->p = rest.p;
    gbx_value *node = node_held(r->graph, held);
    return node != NULL ? node : read_failed(r, GBX_ENOMEM, "out of memory");
}

static gbx_value *
shared_node(struct reader *r)
{
    uint32_t number = read_varint(r);
    struct held *held = NULL;
    const char *why = "out of memory";

    if (r->status != GBX_OK)
        return NULL;
    if (r->host == NULL || r->host->get_shared == NULL)
        return read_failed(r, GBX_EPROTO, "an object that is not data");
    gbx_status status = r->host->get_shared(r->host->data, number, &held, &why);
    if (status != GBX_OK)
        return read_failed(r, status, why);
    gbx_value *node = node_held(r->graph, held);
    return node != NULL ? node : read_failed(r, GBX_ENOMEM, "out of memory");
}

/* Objects without children; NULL without a failure for any other tag. */
static gbx_value *
object_leaf(struct reader *r, unsigned tag)
{
    switch (tag) {
    case TAG_DATE:
        return number_node(r, GBX_DATE, date_clip(read_double(r)));
    case TAG_TRUE_OBJECT:
    case TAG_FALSE_OBJECT:
        return boolean_object(r, tag == TAG_TRUE_OBJECT);
    case TAG_NUMBER_OBJECT:
        return number_node(r, GBX_NUMBER_OBJECT, read_double(r));
    case TAG_BIGINT_OBJECT:
        return bigint_node(r, GBX_BIGINT_OBJECT);
    case TAG_STRING_OBJECT:
        return text_node(r, GBX_STRING_OBJECT, read_text(r));
    case TAG_REGEXP:
        return regexp_node(r);
    case TAG_BUFFER:
    case TAG_RESIZABLE:
        return buffer_node(r, tag == TAG_RESIZABLE);
    case TAG_TRANSFERRED:
        return apart_node(r);
    case TAG_SHARED_BUFFER:
        return shared_node(r);
    case TAG_HOST:
        return held_node(r);
    default:
        return NULL;
    }
}

gbx_value *
read_leaf(struct reader *r, unsigned tag)
{
    gbx_value *node;
    uint32_t raw;

    switch (tag) {
    case TAG_INT32:
        raw = read_varint(r);
        return number_node(r, GBX_NUMBER, (int32_t)(raw >> 1 ^ -(raw & 1)));
    case TAG_ONE_BYTE:
    case TAG_TWO_BYTE:
    case TAG_UTF8:
        return text_node(r, GBX_STRING, read_text_of(r, tag));
    case TAG_DOUBLE:
        return number_node(r, GBX_NUMBER, read_double(r));
    case TAG_UNDEFINED:
        return single(r, 0, GBX_UNDEFINED);
    case TAG_NULL:
        return single(r, 1, GBX_NULL);
    case TAG_FALSE:
        return single(r, 2, GBX_BOOLEAN);
    case TAG_TRUE:
        return single(r, 3, GBX_BOOLEAN);
    case TAG_UINT32:
        return number_node(r, GBX_NUMBER, read_varint(r));
    case TAG_BIGINT:
        return bigint_node(r, GBX_BIGINT);
    case TAG_REFERENCE:
        node = referenced(r);
        break;
    default:
        node = object_leaf(r, tag);
        if (node != NULL && !read_object(r, node))
            return NULL;
        break;
    }
    if (node == NULL || !is_buffer(node))
        return node;
    /* A view follows its buffer and is the value in its place. */
    const uint8_t *before = r->p;
    if (read_tag(r) == TAG_VIEW)
        return view_node(r, node);
    r->p = before;
    return node;
}
