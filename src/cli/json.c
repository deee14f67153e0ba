#include "cli/json.h"

struct object
object_new(void)
{
    struct object o = { gbx_value_new_object(), false };

    o.failed = o.value == NULL;
    return o;
}

void
put(struct object *o, const char *key, gbx_value *item)
{
    if (o->value == NULL)
        gbx_value_free(item);
    else if (gbx_value_set(o->value, key, GBX_NUL, item) != GBX_OK)
        o->failed = true;
}

void
put_number(struct object *o, const char *key, uint64_t number)
{
    put(o, key, gbx_value_new_number((double)number));
}

void
put_bool(struct object *o, const char *key, bool value)
{
    put(o, key, gbx_value_new_boolean(value));
}

void
put_text(struct object *o, const char *key, const char *text)
{
    if (text[0] != '\0')
        put(o, key, gbx_value_new_string(text, GBX_NUL));
}

void
put_object(struct object *o, const char *key, struct object *item)
{
    o->failed |= item->failed;
    put(o, key, item->value);
}

char *
object_text(struct object *o)
{
    char *text = NULL;

    if (!o->failed && gbx_value_to_json(o->value, 0, &text, NULL, NULL) != GBX_OK)
        text = NULL;
    gbx_value_free(o->value);
    o->value = NULL;
    return text;
}
