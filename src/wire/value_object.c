/* Properties by key, maps and sets. */
#include "base/limits.h"
#include "wire/value.h"

#include "wire/value_put.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

gbx_status
put_failed(const gbx_value *container, gbx_value *item, gbx_status status)
{
    if (item == NULL || item->graph == NULL)
        return status;
    if (container == NULL || graph_of(container) != graph_of(item))
        gbx_value_free(item);
    return status;
}

/* --- properties ------------------------------------------------------------------------ */

static struct dict *
props_of(const gbx_value *value)
{
    if (value == NULL)
        return NULL;
    switch (value->kind) {
    case GBX_OBJECT:
    case GBX_ERROR:
        return value->dict;
    case GBX_ARRAY:
        return &value->array->props;
    default:
        return NULL;
    }
}

static struct key
key_make(const char *p, size_t len)
{
    if (len == GBX_NUL)
        len = strlen(p);
    if (len == 0)
        p = "";
    if (len > VALUE_BYTES_MAX)
        return (struct key){ NULL, 0, NOT_INDEX };
    return (struct key){ p, (uint32_t)len, index_of_text(p, len) };
}

gbx_value *
gbx_value_get(const gbx_value *object, const char *p, size_t len)
{
    struct dict *dict = props_of(object);

    if (dict == NULL)
        return NULL;
    struct key key = key_make(p, len);
    if (key.p == NULL)
        return NULL;
    if (object->kind == GBX_ARRAY && key.index != NOT_INDEX)
        return array_at(object->array, key.index);
    uint32_t at = dict_find(dict, &key);
    return at == NOT_INDEX ? NULL : dict->props[at].value;
}

static bool
key_is(const struct key *key, const char *text)
{
    return key->len == strlen(text) && memcmp(key->p, text, key->len) == 0;
}

static bool
key_fits(const gbx_value *object, const struct key *key, const gbx_value *item)
{
    if (object->kind == GBX_ARRAY)
        return !key_is(key, "length");
    return object->kind != GBX_ERROR || item->kind == GBX_STRING ||
           !(key_is(key, "name") || key_is(key, "message") || key_is(key, "stack"));
}

bool
props_put(struct graph *graph, struct dict *dict, const struct key *given, gbx_value *item,
    uint32_t *out_at)
{
    struct prop prop = { { NULL }, item, given->index, 0 };
    struct key key = *given;

    if (key.index == NOT_INDEX && !is_ascii((const uint8_t *)key.p, key.len)) {
        /* Only the canonical form can be found; see wtf8_next(). */
        prop.key = text_of_utf8(graph, key.p, key.len);
        if (prop.key == NULL)
            return false;
        key = (struct key){ prop.key->bytes, prop.key->len, NOT_INDEX };
    }
    uint32_t at = dict_find(dict, &key);
    if (at == NOT_INDEX) {
        if (key.index == NOT_INDEX && prop.key == NULL)
            prop.key = text_of_utf8(graph, key.p, key.len);
        if ((key.index == NOT_INDEX && prop.key == NULL) || !dict_add(graph, dict, &prop))
            return false;
        at = dict->count - 1;
    }
    dict->props[at].value = item;
    *out_at = at;
    return true;
}

gbx_status
gbx_value_set(gbx_value *object, const char *p, size_t len, gbx_value *item)
{
    struct dict *dict = props_of(object);

    if (dict == NULL)
        return put_failed(object, item, GBX_EINVAL);
    if (item == NULL)
        return GBX_ENOMEM;
    struct key key = key_make(p, len);
    if (key.p == NULL || item->kind == GBX_HOLE || !key_fits(object, &key, item))
        return put_failed(object, item, GBX_EINVAL);
    graph_join(object, item);
    struct graph *graph = graph_of(object);
    uint32_t at;
    bool done = object->kind == GBX_ARRAY && key.index != NOT_INDEX
                    ? array_put(graph, object->array, key.index, item)
                    : props_put(graph, dict, &key, item, &at);
    return done ? GBX_OK : GBX_ENOMEM;
}

int32_t
gbx_value_remove(gbx_value *object, const char *p, size_t len)
{
    struct dict *dict = props_of(object);

    if (dict == NULL)
        return 0;
    struct key key = key_make(p, len);
    if (key.p == NULL)
        return 0;
    if (object->kind == GBX_ARRAY && key.index != NOT_INDEX) {
        if (array_at(object->array, key.index) == NULL)
            return 0;
        /* Taking away never needs memory. */
        return array_put(graph_of(object), object->array, key.index, NULL);
    }
    uint32_t at = dict_find(dict, &key);
    if (at == NOT_INDEX)
        return 0;
    dict_remove(dict, at);
    return 1;
}

static int32_t
show_index(gbx_property *property, uint32_t index, gbx_value *value)
{
    int n = snprintf(property->digits, sizeof property->digits, "%u", index);

    property->is_index = 1;
    property->key = property->digits;
    property->key_len = (size_t)n;
    property->value = value;
    return 1;
}

int32_t
gbx_value_next(const gbx_value *object, gbx_property *property)
{
    struct dict *dict = props_of(object);
    uint32_t elements = 0;

    if (dict == NULL)
        return 0;
    if (object->kind == GBX_ARRAY) {
        const struct array *array = object->array;
        elements = array->count;
        while (property->position < elements) {
            uint32_t index = (uint32_t)property->position++;
            if (array->items[index] != NULL)
                return show_index(property, index, array->items[index]);
        }
    }
    if (property->position == elements)
        dict_order(dict);
    if (property->position - elements >= dict->count)
        return 0;
    const struct prop *prop = &dict->props[property->position++ - elements];
    if (prop->index != NOT_INDEX)
        return show_index(property, prop->index, prop->value);
    property->is_index = 0;
    property->key = prop->key->bytes;
    property->key_len = prop->key->len;
    property->value = prop->value;
    return 1;
}

/* --- maps and sets --------------------------------------------------------------------- */

static bool
is_kind(const gbx_value *value, gbx_value_kind kind)
{
    return value != NULL && value->kind == kind;
}

gbx_status
gbx_value_entry(const gbx_value *map, size_t index, gbx_value **out_key, gbx_value **out_value)
{
    if (!is_kind(map, GBX_MAP) || index >= dict_length(map->dict))
        return GBX_EINVAL;
    dict_order(map->dict);
    if (out_key != NULL)
        *out_key = map->dict->props[index].node;
    if (out_value != NULL)
        *out_value = map->dict->props[index].value;
    return GBX_OK;
}

gbx_value *
gbx_value_map_get(const gbx_value *map, const gbx_value *key)
{
    if (!is_kind(map, GBX_MAP) || key == NULL)
        return NULL;
    uint32_t at = dict_find_node(map->dict, key);
    return at == NOT_INDEX ? NULL : map->dict->props[at].value;
}

static gbx_status
collection_put(gbx_value *collection, gbx_value *key, gbx_value *value)
{
    uint32_t at = dict_find_node(collection->dict, key);

    graph_join(collection, key);
    graph_join(collection, value);
    if (at != NOT_INDEX) {
        collection->dict->props[at].value = value;
        return GBX_OK;
    }
    struct prop prop = { { .node = key }, value, NOT_INDEX, 0 };
    if (key->kind == GBX_NUMBER && key->number == 0 && signbit(key->number)) {
        /* As in JavaScript, a key of -0 becomes 0. The node may be in use elsewhere. */
        prop.node = node_new(graph_of(collection), GBX_NUMBER);
        if (prop.node == NULL)
            return GBX_ENOMEM;
        if (value == key)
            prop.value = prop.node;
    }
    return dict_add(graph_of(collection), collection->dict, &prop) ? GBX_OK : GBX_ENOMEM;
}

gbx_status
gbx_value_map_set(gbx_value *map, gbx_value *key, gbx_value *value)
{
    gbx_status status = GBX_OK;

    if (key == NULL || value == NULL)
        status = GBX_ENOMEM;
    else if (key->kind == GBX_HOLE || value->kind == GBX_HOLE)
        status = GBX_EINVAL;
    if (!is_kind(map, GBX_MAP))
        status = GBX_EINVAL;
    if (status == GBX_OK)
        return collection_put(map, key, value);
    /* Joined first, so that two nodes of one graph are not freed twice. */
    if (key != NULL && value != NULL && key->graph != NULL && value->graph != NULL)
        graph_join(key, value);
    return put_failed(map, key != NULL && key->graph != NULL ? key : value, status);
}

gbx_status
gbx_value_add(gbx_value *set, gbx_value *member)
{
    if (!is_kind(set, GBX_SET))
        return put_failed(set, member, GBX_EINVAL);
    if (member == NULL)
        return GBX_ENOMEM;
    if (member->kind == GBX_HOLE)
        return GBX_EINVAL;
    uint32_t at = dict_find_node(set->dict, member);
    if (at == NOT_INDEX)
        return collection_put(set, member, member);
    graph_join(set, member);
    return GBX_OK;
}

static struct dict *
collection_of(const gbx_value *value)
{
    return is_kind(value, GBX_MAP) || is_kind(value, GBX_SET) ? value->dict : NULL;
}

int32_t
gbx_value_has(const gbx_value *collection, const gbx_value *key)
{
    struct dict *dict = collection_of(collection);

    return dict != NULL && key != NULL && dict_find_node(dict, key) != NOT_INDEX;
}

int32_t
gbx_value_delete(gbx_value *collection, const gbx_value *key)
{
    struct dict *dict = collection_of(collection);

    if (dict == NULL || key == NULL)
        return 0;
    uint32_t at = dict_find_node(dict, key);
    if (at == NOT_INDEX)
        return 0;
    dict_remove(dict, at);
    return 1;
}
