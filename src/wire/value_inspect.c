#include "base/check.h"
#include "wire/number.h"
#include "wire/value.h"

gbx_value_kind
gbx_value_get_kind(const gbx_value *value)
{
    return value == NULL ? GBX_UNDEFINED : value->kind;
}

static bool
is_one_of(const gbx_value *value, gbx_value_kind a, gbx_value_kind b)
{
    return value != NULL && (value->kind == a || value->kind == b);
}

gbx_status
gbx_value_get_boolean(const gbx_value *value, int32_t *out_boolean)
{
    if (!is_one_of(value, GBX_BOOLEAN, GBX_BOOLEAN_OBJECT))
        return GBX_EINVAL;
    *out_boolean = value->boolean;
    return GBX_OK;
}

gbx_status
gbx_value_get_number(const gbx_value *value, double *out_number)
{
    if (!is_one_of(value, GBX_NUMBER, GBX_NUMBER_OBJECT) &&
        !is_one_of(value, GBX_DATE, GBX_DATE))
        return GBX_EINVAL;
    *out_number = value->number;
    return GBX_OK;
}

gbx_status
gbx_value_get_bigint(const gbx_value *value, int32_t *out_negative, const uint64_t **out_words,
    size_t *out_count)
{
    if (!is_one_of(value, GBX_BIGINT, GBX_BIGINT_OBJECT))
        return GBX_EINVAL;
    *out_negative = value->bigint->negative;
    *out_words = value->bigint->words;
    *out_count = value->bigint->count;
    return GBX_OK;
}

gbx_status
gbx_value_get_string(const gbx_value *value, const char **out_text, size_t *out_len)
{
    const struct text *text;

    if (is_one_of(value, GBX_STRING, GBX_STRING_OBJECT))
        text = value->text;
    else if (is_one_of(value, GBX_REGEXP, GBX_REGEXP))
        text = value->regexp->source;
    else
        return GBX_EINVAL;
    *out_text = text->bytes;
    if (out_len != NULL)
        *out_len = text->len;
    return GBX_OK;
}

/* In the order in which RegExp.prototype.flags gives them. */
static const struct {
    char letter;
    uint16_t bit;
} regexp_letters[] = {
    { 'd', REGEXP_D },
    { 'g', REGEXP_G },
    { 'i', REGEXP_I },
    { 'm', REGEXP_M },
    { 's', REGEXP_S },
    { 'u', REGEXP_U },
    { 'v', REGEXP_V },
    { 'y', REGEXP_Y },
};

bool
regexp_flags(const char *letters, uint32_t *out_flags)
{
    uint32_t flags = 0;

    for (; *letters != '\0'; letters++) {
        uint32_t bit = 0;
        for (size_t i = 0; i < COUNT(regexp_letters); i++)
            if (regexp_letters[i].letter == *letters)
                bit = regexp_letters[i].bit;
        if (bit == 0 || (flags & bit) != 0)
            return false;
        flags |= bit;
    }
    *out_flags = flags;
    return (flags & REGEXP_U) == 0 || (flags & REGEXP_V) == 0;
}

gbx_status
gbx_value_get_flags(const gbx_value *value, char out_flags[9])
{
    size_t n = 0;

    if (!is_one_of(value, GBX_REGEXP, GBX_REGEXP))
        return GBX_EINVAL;
    for (size_t i = 0; i < COUNT(regexp_letters); i++)
        if ((value->regexp->flags & regexp_letters[i].bit) != 0)
            out_flags[n++] = regexp_letters[i].letter;
    out_flags[n] = '\0';
    return GBX_OK;
}

uint32_t
element_size(gbx_element_type type)
{
    static const uint8_t sizes[] = { 1, 1, 1, 2, 2, 4, 4, 2, 4, 8, 8, 8 };

    return sizes[type];
}

static uint64_t
little_endian(const uint8_t *p, uint32_t size)
{
    uint64_t bits = 0;

    for (uint32_t i = 0; i < size; i++)
        bits |= (uint64_t)p[i] << (8 * i);
    return bits;
}

double
element_number(gbx_element_type type, const uint8_t *p)
{
    uint64_t bits = little_endian(p, element_size(type));
    uint32_t low = (uint32_t)bits;
    float single;
    double number;

    switch (type) {
    case GBX_INT8:
        return (int8_t)bits;
    case GBX_INT16:
        return (int16_t)bits;
    case GBX_INT32:
        return (int32_t)bits;
    case GBX_FLOAT16:
        return number_from_half((uint16_t)bits);
    case GBX_FLOAT32:
        memcpy(&single, &low, sizeof single);
        return single;
    case GBX_FLOAT64:
        memcpy(&number, &bits, sizeof number);
        return number;
    default:
        return (double)bits;
    }
}

gbx_status
gbx_value_get_bytes(const gbx_value *value, const void **out_bytes, size_t *out_len)
{
    if (value != NULL && is_buffer(value)) {
        *out_bytes = value->buffer->bytes;
        *out_len = (size_t)value->buffer->len;
        return GBX_OK;
    }
    if (!is_one_of(value, GBX_TYPED_ARRAY, GBX_DATA_VIEW))
        return GBX_EINVAL;
    *out_bytes = value->view->buffer->buffer->bytes + value->view->offset;
    *out_len = (size_t)value->view->len;
    return GBX_OK;
}

int32_t
gbx_value_get_resizable(const gbx_value *value, uint64_t *out_max)
{
    if (!is_one_of(value, GBX_ARRAY_BUFFER, GBX_ARRAY_BUFFER))
        return GBX_EINVAL;
    *out_max = value->buffer->max;
    return value->buffer->resizable;
}

gbx_status
gbx_value_get_view(const gbx_value *value, gbx_view *out_view)
{
    if (!is_one_of(value, GBX_TYPED_ARRAY, GBX_DATA_VIEW))
        return GBX_EINVAL;
    const struct view *view = value->view;
    bool bytes = value->kind == GBX_DATA_VIEW;
    gbx_view full = { .size = out_view->size,
        .type = view->type,
        .buffer = view->buffer,
        .offset_bytes = view->offset,
        .length_bytes = view->len,
        .length = bytes ? view->len : view->len / element_size(view->type),
        .tracking = view->tracking };
    if (out_view->size < sizeof full)
        return GBX_EINVAL;
    memcpy(out_view, &full, sizeof full);
    return GBX_OK;
}

size_t
gbx_value_length(const gbx_value *value)
{
    if (value == NULL)
        return 0;
    switch (value->kind) {
    case GBX_ARRAY:
        return value->array->length;
    case GBX_OBJECT:
    case GBX_ERROR:
    case GBX_MAP:
    case GBX_SET:
        return dict_length(value->dict);
    case GBX_TYPED_ARRAY:
        return (size_t)(value->view->len / element_size(value->view->type));
    default:
        return 0;
    }
}
