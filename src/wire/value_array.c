/* Arrays: elements in a plain vector as long as that is not mostly holes, else in the dict. */
#include "base/check.h"
#include "wire/value.h"

#include "wire/value_put.h"

gbx_value *
array_at(const struct array *array, uint32_t index)
{
    if (index < array->count)
        return array->items[index];
    if (array->sparse == 0)
        return NULL;
    uint32_t at = dict_find(&array->props, &(struct key){ NULL, 0, index });
    return at == NOT_INDEX ? NULL : array->props.props[at].value;
}

bool
array_is_dense(const struct array *array)
{
    if (array->count != array->length)
        return false;
    for (uint32_t i = 0; i < array->count; i++)
        if (array->items[i] == NULL)
            return false;
    return true;
}

/* Room for `count` items; the new ones are holes. */
static bool
items_extend(struct graph *graph, struct array *array, uint32_t count)
{
    if (count > array->capacity) {
        uint64_t capacity = array->capacity < 8 ? 8 : (uint64_t)array->capacity * 2;
        if (capacity < count)
            capacity = count;
        gbx_value **items = graph_grow(graph, array->items, array->capacity * sizeof *items,
            (size_t)capacity * sizeof *items);
        if (items == NULL)
            return false;
        array->items = items;
        array->capacity = (uint32_t)capacity;
    }
    for (uint32_t i = array->count; i < count; i++)
        array->items[i] = NULL;
    array->count = count;
    return true;
}

/* Whether the vector may stretch to `index` holes and all. */
static bool
worth_items(const struct array *array, uint32_t index)
{
    return array->sparse == 0 && index < (uint64_t)array->count * 2 + 64;
}

bool
array_put(struct graph *graph, struct array *array, uint32_t index, gbx_value *item)
{
    if (index >= array->count && item != NULL && worth_items(array, index) &&
        !items_extend(graph, array, index + 1))
        return false;
    if (index < array->count) {
        array->items[index] = item;
    } else {
        uint32_t at = dict_find(&array->props, &(struct key){ NULL, 0, index });
        if (at != NOT_INDEX && item == NULL) {
            dict_remove(&array->props, at);
            array->sparse--;
        } else if (at != NOT_INDEX) {
            array->props.props[at].value = item;
        } else if (item != NULL) {
            if (!dict_add(graph, &array->props, &(struct prop){ { NULL }, item, index, 0 }))
                return false;
            array->sparse++;
        }
    }
    if (index >= array->length)
        array->length = index + 1;
    return true;
}

static gbx_status
set_at(gbx_value *array, size_t index, gbx_value *item)
{
    bool hole = item->kind == GBX_HOLE;

    if (!hole)
        graph_join(array, item);
    if (!array_put(graph_of(array), array->array, (uint32_t)index, hole ? NULL : item))
        return GBX_ENOMEM;
    return GBX_OK;
}

gbx_status
gbx_value_append(gbx_value *array, gbx_value *item)
{
    if (array == NULL || array->kind != GBX_ARRAY)
        return put_failed(array, item, GBX_EINVAL);
    if (item == NULL)
        return GBX_ENOMEM;
    if (array->array->length == NOT_INDEX)
        return put_failed(array, item, GBX_ETOOBIG);
    return set_at(array, array->array->length, item);
}

gbx_status
gbx_value_set_at(gbx_value *array, size_t index, gbx_value *item)
{
    if (array == NULL || array->kind != GBX_ARRAY || index >= NOT_INDEX)
        return put_failed(array, item, GBX_EINVAL);
    if (item == NULL)
        return GBX_ENOMEM;
    return set_at(array, index, item);
}

gbx_status
gbx_value_set_length(gbx_value *value, size_t length)
{
    if (value == NULL || value->kind != GBX_ARRAY || length > NOT_INDEX)
        return GBX_EINVAL;
    struct array *array = value->array;
    if (length < array->count)
        array->count = (uint32_t)length;
    if (array->sparse > 0 && length < array->length) {
        /* Indexes come first once they are in order, so the last ones go first. */
        dict_order(&array->props);
        for (uint32_t i = array->sparse; i-- > 0;) {
            if (array->props.props[i].index < length)
                break;
            dict_remove(&array->props, i);
            array->sparse--;
        }
    }
    array->length = (uint32_t)length;
    return GBX_OK;
}

gbx_value *
gbx_value_at(const gbx_value *value, size_t index)
{
    if (value == NULL || index >= gbx_value_length(value))
        return NULL;
    if (value->kind == GBX_ARRAY) {
        gbx_value *item = array_at(value->array, (uint32_t)index);
        return item != NULL ? item : (gbx_value *)(uintptr_t)&value_hole;
    }
    if (value->kind != GBX_SET)
        return NULL;
    dict_order(value->dict);
    return value->dict->props[index].node;
}
