/* target.c - isolates as targets: they come and go with their runtime's. */
#include "devtools/guard.h"
#include "devtools/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

/* --- coming --------------------------------------------------------------------------------- */

static bool
draw_id(char id[TARGET_ID_BYTES])
{
    uint8_t random[(TARGET_ID_BYTES - 1) / 2];

    if (getrandom(random, sizeof random, 0) != sizeof random)
        return false;
    for (size_t i = 0; i < sizeof random; i++)
        (void)snprintf(id + 2 * i, 3, "%02x", random[i]);
    return true;
}

static void
ignore(gbx_inspector *inspector, const char *json, size_t len, void *data)
{
    (void)inspector, (void)json, (void)len, (void)data;
}

/* V8 lists the scripts that were compiled since the isolate's first session was opened: who
 * attaches later wants to see those of before, too. */
static void
prepare(gbx_isolate *isolate)
{
    gbx_inspector *first;

    if (gbx_inspector_open(isolate, ignore, NULL, &first, NULL) == GBX_OK)
        gbx_inspector_close(first);
}

/* One for which there is no memory is not listed; it lives all the same. */
static void
begin(struct server *server, gbx_isolate *isolate)
{
    struct target *target = calloc(1, sizeof *target), **last = &server->targets;

    if (target == NULL || !draw_id(target->id)) {
        free(target);
        return;
    }
    target->isolate = isolate;
    (void)snprintf(target->url[GBX_DEVTOOLS_WEBSOCKET], TARGET_URL_MAX, "ws://%s:%u/%s",
        server->host, server->port, target->id);
    (void)snprintf(target->url[GBX_DEVTOOLS_FRONTEND], TARGET_URL_MAX,
        "devtools://devtools/bundled/js_app.html?experiments=true&v8only=true&ws=%s:%u/%s",
        server->host, server->port, target->id);
    while (*last != NULL)
        last = &(*last)->next;
    *last = target;
    prepare(isolate);
}

/* --- going ---------------------------------------------------------------------------------- */

static void
end(struct server *server, gbx_isolate *isolate)
{
    const gbx_death *death = gbx_isolate_death(isolate);
    const char *why = death != NULL ? gbx_strstatus(death->status) : "the isolate was closed";
    struct target **at = &server->targets;
    uint32_t cursor = 0, id;
    struct client *client;

    while (*at != NULL && (*at)->isolate != isolate)
        at = &(*at)->next;
    struct target *target = *at;
    if (target == NULL)
        return;
    *at = target->next;
    while ((client = table_next(&server->clients, &cursor, &id)) != NULL)
        if (client->target == target)
            client_target_ended(client, why);
    free(target);
    server_arm(server);
}

void
target_event(gbx_isolate *isolate, uint32_t event, void *data)
{
    if (event == GBX_ISOLATE_BEGAN)
        begin(data, isolate);
    else
        end(data, isolate);
}

void
targets_done(struct server *server)
{
    struct target *target;

    while ((target = server->targets) != NULL) {
        server->targets = target->next;
        free(target);
    }
}

/* --- finding -------------------------------------------------------------------------------- */

struct target *
target_of(const struct server *server, const gbx_isolate *isolate)
{
    struct target *target = server->targets;

    while (target != NULL && target->isolate != isolate)
        target = target->next;
    return target;
}

struct target *
target_at(const struct server *server, struct span path)
{
    struct target *found = NULL;

    if (path.len == 0)
        return NULL;
    /* All of them, so that the time tells nothing. */
    for (struct target *t = server->targets; t != NULL; t = t->next)
        if (guard_same(span_of(path.p + 1, path.len - 1), span_text(t->id)))
            found = t;
    return found;
}
