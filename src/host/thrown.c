/* thrown.c - what is thrown, as the messages have it. Recursive: errors in errors end at
 * THROWN_DEPTH_MAX, lists in lists at THROWN_ITEMS_MAX. */
#include "host/thrown.h"

#include "base/check.h"
#include "base/thrown.h"
#include "host/given.h"

#include <string.h>

/* --- to a guest ----------------------------------------------------------------------------- */

struct writing {
    gbx_isolate *isolate;
    uint32_t context;
    uint32_t items; /* how many there were */
    uint32_t depth;
    const gbx_value *above[THROWN_DEPTH_MAX];
};

static void
put_text(struct buf *out, const gbx_value *text)
{
    const char *p;
    size_t len;

    if (gbx_value_get_string(text, &p, &len) != GBX_OK) {
        buf_u32(out, THROWN_NO_TEXT);
        return;
    }
    buf_u32(out, (uint32_t)len);
    buf_append(out, p, len);
}

static bool
is_head(const gbx_property *property)
{
    static const char *const head[] = { "name", "message", "stack" };

    for (size_t i = 0; i < COUNT(head); i++)
        if (property->key_len == strlen(head[i]) &&
            memcmp(property->key, head[i], property->key_len) == 0)
            return true;
    return false;
}

/* An error of those that this one is in; the depth if it is none. */
static uint32_t
depth_of(const struct writing *w, const gbx_value *error)
{
    uint32_t depth = 0;

    while (depth < w->depth && w->above[depth] != error)
        depth++;
    return depth;
}

static gbx_status put_item(struct writing *w, const gbx_value *value, bool errors);

/* Its stack is the guest's to make. */
static gbx_status
put_error(struct writing *w, const gbx_value *error)
{
    struct buf *out = &w->isolate->scratch->out;
    gbx_property property = GBX_PROPERTY_INIT;
    uint32_t count = 0;
    gbx_status status = GBX_OK;

    if (w->depth == THROWN_DEPTH_MAX)
        return GBX_ETOOBIG;
    buf_byte(out, THROWN_ERROR);
    put_text(out, gbx_value_get(error, "name", GBX_NUL));
    put_text(out, gbx_value_get(error, "message", GBX_NUL));
    buf_u32(out, THROWN_NO_TEXT);
    while (gbx_value_next(error, &property))
        count += !is_head(&property);
    buf_u32(out, count);
    w->above[w->depth++] = error;
    property = (gbx_property)GBX_PROPERTY_INIT;
    while (status == GBX_OK && gbx_value_next(error, &property)) {
        if (is_head(&property))
            continue;
        buf_u32(out, (uint32_t)property.key_len);
        buf_append(out, property.key, property.key_len);
        status = put_item(w, property.value, strcmp(property.key, "errors") == 0);
    }
    w->depth--;
    return status;
}

static gbx_status
put_list(struct writing *w, const gbx_value *array)
{
    struct buf *out = &w->isolate->scratch->out;
    size_t count = gbx_value_length(array);
    gbx_status status = count > THROWN_ITEMS_MAX ? GBX_ETOOBIG : GBX_OK;

    buf_byte(out, THROWN_LIST);
    buf_u32(out, (uint32_t)count);
    for (size_t i = 0; i < count && status == GBX_OK; i++)
        status = put_item(w, gbx_value_at(array, i), false);
    return status;
}

/* `errors`: where an AggregateError has its own. */
static gbx_status
put_item(struct writing *w, const gbx_value *value, bool errors)
{
    struct buf *out = &w->isolate->scratch->out;
    gbx_value_kind kind = gbx_value_get_kind(value);

    if (w->items++ == THROWN_ITEMS_MAX)
        return GBX_ETOOBIG;
    if (kind == GBX_ERROR) {
        uint32_t above = depth_of(w, value);
        if (above == w->depth)
            return put_error(w, value);
        buf_byte(out, THROWN_ABOVE);
        buf_u32(out, above);
        return GBX_OK;
    }
    if (errors && kind == GBX_ARRAY)
        return put_list(w, value);
    buf_byte(out, THROWN_VALUE);
    size_t begun = argument_begin(out);
    gbx_status status = value == NULL ? GBX_OK : value_put(w->isolate, w->context, value);
    if (status == GBX_OK)
        argument_end(out, begun);
    return status;
}

gbx_status
thrown_put(gbx_isolate *isolate, uint32_t context, const gbx_value *value)
{
    struct writing w = { .isolate = isolate, .context = context };
    gbx_status status = put_item(&w, value, false);

    if (status != GBX_OK)
        functions_take_back(isolate);
    return status;
}

/* --- from a guest --------------------------------------------------------------------------- */

struct reading {
    gbx_isolate *isolate;
    struct span rest;
    const char *why;
    uint32_t items, depth;
    gbx_value *above[THROWN_DEPTH_MAX];
};

/* Where an item goes: the value that is read, a property of an error, the end of a list. */
struct place {
    gbx_value **out;
    gbx_value *holder;
    struct span key; /* of an error's */
};

static gbx_status
refuse(struct reading *r, const char *why)
{
    r->why = why;
    return GBX_EPROTO;
}

static bool
get_u32(struct reading *r, uint32_t *out)
{
    const uint8_t *p = r->rest.p;

    if (r->rest.len < 4)
        return false;
    *out = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    r->rest = span_of(p + 4, r->rest.len - 4);
    return true;
}

/* That many bytes, and what is behind them. */
static bool
get_bytes(struct reading *r, uint32_t len, struct span *out)
{
    if (len > r->rest.len)
        return false;
    *out = span_of(r->rest.p, len);
    r->rest = span_of(r->rest.p + len, r->rest.len - len);
    return true;
}

static gbx_status
put_in(struct reading *r, const struct place *place, gbx_value *value)
{
    gbx_status status = GBX_OK;

    if (place->out != NULL)
        *place->out = value;
    else if (gbx_value_get_kind(place->holder) == GBX_ARRAY)
        status = gbx_value_append(place->holder, value);
    else
        status =
            gbx_value_set(place->holder, (const char *)place->key.p, place->key.len, value);
    return status == GBX_EINVAL ? refuse(r, "a property that an error cannot have") : status;
}

static gbx_status
get_text(struct reading *r, gbx_value *error, const char *key)
{
    struct span text;
    uint32_t len;

    if (!get_u32(r, &len))
        return refuse(r, "an exception that is cut off");
    if (len == THROWN_NO_TEXT)
        return GBX_OK;
    if (len > EXCEPTION_TEXT_MAX || !get_bytes(r, len, &text))
        return refuse(r, "a text of an exception that does not fit");
    return gbx_value_set(
        error, key, GBX_NUL, gbx_value_new_string((const char *)text.p, text.len));
}

static gbx_status get_item(struct reading *r, const struct place *place);

/* It is in its place before it is read: what is in it may be it, or what it is in. */
static gbx_status
get_error(struct reading *r, const struct place *place)
{
    gbx_value *error = gbx_value_new_error("Error", "", 0);
    uint32_t count = 0, len;
    gbx_status status = error == NULL ? GBX_ENOMEM : put_in(r, place, error);

    if (status == GBX_OK && r->depth == THROWN_DEPTH_MAX)
        status = refuse(r, "an exception that is nested too deeply");
    if (status != GBX_OK)
        return status;
    gbx_value_remove(error, "message", GBX_NUL);
    static const char *const head[] = { "name", "message", "stack" };
    for (size_t i = 0; i < COUNT(head) && status == GBX_OK; i++)
        status = get_text(r, error, head[i]);
    if (status == GBX_OK && !get_u32(r, &count))
        status = refuse(r, "an exception that is cut off");
    r->above[r->depth++] = error;
    while (status == GBX_OK && count-- > 0) {
        struct place property = { .holder = error };
        if (!get_u32(r, &len) || !get_bytes(r, len, &property.key))
            return refuse(r, "an exception that is cut off");
        status = get_item(r, &property);
    }
    r->depth--;
    return status;
}

static gbx_status
get_list(struct reading *r, const struct place *place)
{
    gbx_value *list = gbx_value_new_array();
    uint32_t count;
    gbx_status status = list == NULL ? GBX_ENOMEM : put_in(r, place, list);

    if (status == GBX_OK && (r->depth == 0 || !get_u32(r, &count)))
        return refuse(r, "a list of exceptions that none has");
    while (status == GBX_OK && count-- > 0)
        status = get_item(r, &(struct place){ .holder = list });
    return status;
}

static gbx_status
get_value(struct reading *r, const struct place *place)
{
    struct span clone;
    uint32_t len;
    gbx_value *value;

    if (!get_u32(r, &len) || !get_bytes(r, len, &clone))
        return refuse(r, "an exception that is cut off");
    gbx_status status = value_get(r->isolate, clone, 0, false, NULL, &value, &r->why);
    return status != GBX_OK ? status : put_in(r, place, value);
}

static gbx_status
get_above(struct reading *r, const struct place *place)
{
    uint32_t depth;

    if (!get_u32(r, &depth) || depth >= r->depth)
        return refuse(r, "an exception in one that it is not in");
    return put_in(r, place, r->above[depth]);
}

static gbx_status
get_item(struct reading *r, const struct place *place)
{
    struct span kind;

    if (r->items++ == THROWN_ITEMS_MAX)
        return refuse(r, "an exception with more in it than is told of one");
    if (!get_bytes(r, 1, &kind))
        return refuse(r, "an exception that is cut off");
    switch (kind.p[0]) {
    case THROWN_VALUE:
        return get_value(r, place);
    case THROWN_ERROR:
        return get_error(r, place);
    case THROWN_LIST:
        return get_list(r, place);
    case THROWN_ABOVE:
        return get_above(r, place);
    default:
        return refuse(r, "an exception of unknown form");
    }
}

gbx_status
thrown_get(gbx_isolate *isolate, struct span bytes, gbx_value **out, const char **why)
{
    struct reading r = { .isolate = isolate, .rest = bytes };
    gbx_value *value = NULL;
    gbx_status status = GBX_OK;

    if (bytes.len > THROWN_BYTES_MAX && bytes.p[0] != THROWN_VALUE)
        status = refuse(&r, "an exception past its limit");
    if (status == GBX_OK)
        status = get_item(&r, &(struct place){ .out = &value });
    if (status == GBX_OK && r.rest.len > 0)
        status = refuse(&r, "bytes behind an exception");
    if (status != GBX_OK) {
        gbx_value_free(value);
        *why = r.why;
        return status;
    }
    *out = value;
    return GBX_OK;
}
