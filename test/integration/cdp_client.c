#include "cdp_client.h"

#include <stdlib.h>
#include <string.h>

void
remember(gbx_inspector *inspector, const char *json, size_t len, void *data)
{
    struct client *c = data;
    gbx_error error = GBX_ERROR_INIT;

    cr_assert(c->inspector == NULL || c->inspector == inspector);
    cr_assert_lt(c->count, MESSAGES_MAX);
    cr_assert_eq(gbx_value_from_json(json, len, &c->messages[c->count], &error), GBX_OK, "%s",
        error.message);
    c->count++;
}

void
client_open(struct client *c, struct world *w)
{
    gbx_error error = GBX_ERROR_INIT;

    *c = (struct client){ .w = w };
    cr_assert_eq(gbx_inspector_open(w->isolate, remember, c, &c->inspector, &error), GBX_OK,
        "%s", error.message);
}

void
client_close(struct client *c)
{
    gbx_inspector_close(c->inspector);
    c->inspector = NULL;
    while (c->count > 0)
        gbx_value_free(c->messages[--c->count]);
    c->taken = 0;
}

void
say(struct client *c, const char *json)
{
    cr_assert_eq(gbx_inspector_send(c->inspector, json, strlen(json)), GBX_OK);
}

const gbx_value *
at(const gbx_value *value, const char *path)
{
    while (value != NULL && *path != '\0') {
        size_t len = strcspn(path, ".");
        value = gbx_value_get_kind(value) == GBX_ARRAY
                    ? gbx_value_at(value, strtoul(path, NULL, 10))
                    : gbx_value_get(value, path, len);
        path += len + (path[len] == '.');
    }
    return value;
}

bool
is_text(const gbx_value *value, const char *text)
{
    const char *got = NULL;

    return value != NULL && gbx_value_get_string(value, &got, NULL) == GBX_OK &&
           strcmp(got, text) == 0;
}

bool
answers(const gbx_value *message, int id)
{
    double number = 0;
    const gbx_value *value = at(message, "id");

    return value != NULL && gbx_value_get_number(value, &number) == GBX_OK && number == id;
}

const gbx_value *
next_message(struct client *c, int id, const char *method)
{
    for (;;) {
        while (c->taken < c->count) {
            const gbx_value *message = c->messages[c->taken++];
            if (id != 0 ? answers(message, id) : is_text(at(message, "method"), method))
                return message;
        }
        cr_assert_eq(gbx_runtime_dispatch(c->w->runtime, 20000000), GBX_OK,
            "no %s, no answer %d", method == NULL ? "event" : method, id);
    }
}

const gbx_value *
answer_to(struct client *c, int id)
{
    const gbx_value *message = next_message(c, id, NULL);

    cr_assert_null(at(message, "error"));
    return message;
}

const gbx_value *
event(struct client *c, const char *method)
{
    return next_message(c, 0, method);
}
