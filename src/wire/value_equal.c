/* Deep equality, and copying. */
#include "base/limits.h"
#include "wire/clone.h"
#include "wire/held.h"
#include "wire/node_map.h"

#include <math.h>
#include <stdlib.h>

struct pair {
    const gbx_value *a, *b;
};

/* Pairs that are still to be compared, and objects that were: each has exactly one partner, or
 * the shapes differ. */
struct comparison {
    struct pair *todo;
    size_t count, capacity;
    struct node_map partner_of_a, partner_of_b;
    bool no_memory;
};

static void
push(struct comparison *c, const gbx_value *a, const gbx_value *b)
{
    if (c->count == c->capacity) {
        size_t capacity = c->capacity == 0 ? 64 : c->capacity * 2;
        struct pair *todo = realloc(c->todo, capacity * sizeof *todo);
        if (todo == NULL) {
            c->no_memory = true;
            return;
        }
        c->todo = todo;
        c->capacity = capacity;
    }
    c->todo[c->count++] = (struct pair){ a, b };
}

static bool
same_number(double a, double b)
{
    if (isnan(a) || isnan(b))
        return isnan(a) && isnan(b);
    return a == b && signbit(a) == signbit(b);
}

static bool
same_text(const struct text *a, const struct text *b)
{
    return a == b || text_is(a, b->bytes, b->len);
}

static bool
same_bigint(const struct bigint *a, const struct bigint *b)
{
    return a->negative == b->negative && a->count == b->count &&
           memcmp(a->words, b->words, a->count * sizeof a->words[0]) == 0;
}

static bool
same_buffer(const struct buffer *a, const struct buffer *b)
{
    return a->len == b->len && a->max == b->max && a->resizable == b->resizable &&
           (a->len == 0 || memcmp(a->bytes, b->bytes, (size_t)a->len) == 0);
}

/* Properties by key; their order does not matter. */
static bool
compare_props(struct comparison *c, const struct dict *a, const struct dict *b)
{
    if (dict_length(a) != dict_length(b))
        return false;
    for (uint32_t i = 0; i < a->count; i++) {
        const struct prop *prop = &a->props[i];
        struct key key = { NULL, 0, prop->index };
        if (prop->value == NULL)
            continue;
        if (prop->index == NOT_INDEX)
            key = (struct key){ prop->key->bytes, prop->key->len, NOT_INDEX };
        uint32_t at = dict_find(b, &key);
        if (at == NOT_INDEX)
            return false;
        push(c, prop->value, b->props[at].value);
    }
    return true;
}

/* Entries or members, in order. */
static bool
compare_entries(struct comparison *c, const gbx_value *a, const gbx_value *b)
{
    if (dict_length(a->dict) != dict_length(b->dict))
        return false;
    dict_order(a->dict);
    dict_order(b->dict);
    for (uint32_t i = 0; i < a->dict->count; i++) {
        push(c, a->dict->props[i].node, b->dict->props[i].node);
        push(c, a->dict->props[i].value, b->dict->props[i].value);
    }
    return true;
}

static bool
compare_items(struct comparison *c, const struct array *a, const struct array *b)
{
    uint32_t count = a->count > b->count ? a->count : b->count;

    for (uint32_t i = 0; i < count; i++) {
        const gbx_value *item = array_at(a, i), *other = array_at(b, i);
        if ((item == NULL) != (other == NULL))
            return false;
        if (item != NULL)
            push(c, item, other);
    }
    return compare_props(c, &a->props, &b->props);
}

/* Elements may lie in the vector here and in the dict there: walk one, ask the other. */
static bool
compare_arrays(struct comparison *c, const gbx_value *a, const gbx_value *b)
{
    gbx_property p = GBX_PROPERTY_INIT, q = GBX_PROPERTY_INIT;
    size_t left = 0;

    if (a->array->length != b->array->length)
        return false;
    if (a->array->sparse == 0 && b->array->sparse == 0)
        return compare_items(c, a->array, b->array);
    for (; gbx_value_next(a, &p) != 0; left++) {
        const gbx_value *other = gbx_value_get(b, p.key, p.key_len);
        if (other == NULL)
            return false;
        push(c, p.value, other);
    }
    while (gbx_value_next(b, &q) != 0)
        if (left-- == 0)
            return false;
    return left == 0;
}

static bool
compare_views(struct comparison *c, const struct view *a, const struct view *b)
{
    push(c, a->buffer, b->buffer);
    return a->type == b->type && a->offset == b->offset && a->len == b->len &&
           a->tracking == b->tracking;
}

/* Compares two objects of one kind; their contents are left to do. */
static bool
compare_objects(struct comparison *c, const gbx_value *a, const gbx_value *b)
{
    switch (a->kind) {
    case GBX_DATE:
    case GBX_NUMBER_OBJECT:
        return same_number(a->number, b->number);
    case GBX_REGEXP:
        return a->regexp->flags == b->regexp->flags &&
               same_text(a->regexp->source, b->regexp->source);
    case GBX_BOOLEAN_OBJECT:
        return a->boolean == b->boolean;
    case GBX_BIGINT_OBJECT:
        return same_bigint(a->bigint, b->bigint);
    case GBX_STRING_OBJECT:
        return same_text(a->text, b->text);
    case GBX_ARRAY:
        return compare_arrays(c, a, b);
    case GBX_OBJECT:
    case GBX_ERROR:
        return compare_props(c, a->dict, b->dict);
    case GBX_MAP:
    case GBX_SET:
        return compare_entries(c, a, b);
    case GBX_ARRAY_BUFFER:
        return same_buffer(a->buffer, b->buffer);
    case GBX_SHARED_ARRAY_BUFFER:
        return a->buffer->shared == b->buffer->shared;
    case GBX_REFERENCE:
    case GBX_FUNCTION:
    case GBX_EXTERNAL_COPY:
        return a->held == b->held;
    default:
        return compare_views(c, a->view, b->view);
    }
}

static bool
compare(struct comparison *c, const gbx_value *a, const gbx_value *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case GBX_UNDEFINED:
    case GBX_NULL:
    case GBX_HOLE:
        return true;
    case GBX_BOOLEAN:
        return a->boolean == b->boolean;
    case GBX_NUMBER:
        return same_number(a->number, b->number);
    case GBX_STRING:
        return same_text(a->text, b->text);
    case GBX_BIGINT:
        return same_bigint(a->bigint, b->bigint);
    default:
        break;
    }
    uintptr_t partner = node_map_get(&c->partner_of_a, a);
    uintptr_t reverse = node_map_get(&c->partner_of_b, b);
    if (partner != 0 || reverse != 0)
        return partner == (uintptr_t)b && reverse == (uintptr_t)a;
    if (!node_map_add(&c->partner_of_a, a, (uintptr_t)b) ||
        !node_map_add(&c->partner_of_b, b, (uintptr_t)a)) {
        c->no_memory = true;
        return false;
    }
    return compare_objects(c, a, b);
}

int32_t
gbx_value_equal(const gbx_value *a, const gbx_value *b)
{
    struct comparison c = { .no_memory = false };
    bool equal = true;

    if (a == NULL || b == NULL)
        return a == b;
    push(&c, a, b);
    while (equal && c.count > 0 && !c.no_memory) {
        struct pair pair = c.todo[--c.count];
        equal = compare(&c, pair.a, pair.b);
    }
    free(c.todo);
    node_map_done(&c.partner_of_a);
    node_map_done(&c.partner_of_b);
    if (c.no_memory)
        return GBX_ENOMEM;
    return equal;
}

/* A copy holds the same: the record is the pointer. */
static gbx_status
put_pointer(void *data, struct held *held, bool alone, struct buf *out)
{
    (void)data;
    (void)alone;
    buf_append(out, &held, sizeof held);
    return GBX_OK;
}

static gbx_status
get_pointer(void *data, struct span *rest, struct held **out_held, const char **why)
{
    struct held *held;

    (void)data;
    (void)why;
    memcpy(&held, rest->p, sizeof held);
    *rest = span_of(rest->p + sizeof held, rest->len - sizeof held);
    held->class->take(held);
    *out_held = held;
    return GBX_OK;
}

gbx_status
gbx_value_copy(const gbx_value *value, gbx_value **out_value)
{
    static const struct clone_host pointers = {
        .put = put_pointer, .get = get_pointer, .whole_errors = true
    };
    static const struct clone_limits limits = { .host = &pointers };
    struct buf bytes = { .max = VALUE_BYTES_MAX };

    if (value == NULL)
        return GBX_EINVAL;
    gbx_status status = clone_write_for(value, &pointers, &bytes);
    if (status == GBX_OK)
        status = clone_read(buf_span(&bytes), &limits, out_value, NULL);
    buf_done(&bytes);
    return status;
}
