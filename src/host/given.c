/* given.c - host functions that stand in values. */
#include "host/given.h"

#include "base/check.h"
#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the caller handed over, held by values and by tables of functions. */
struct given {
    struct held held; /* first */
    uint32_t refs;
    uint32_t flags;
    gbx_function call;
    void *data;
    void (*release)(void *data); /* NULL: nothing */
    char name[64];
};

static struct given *
given_of(struct held *held)
{
    return (struct given *)(void *)held;
}

static void
take(struct held *held)
{
    given_of(held)->refs++;
}

static void
drop(struct held *held)
{
    struct given *given = given_of(held);

    if (--given->refs > 0)
        return;
    if (given->release != NULL)
        given->release(given->data);
    free(given);
}

static const struct held_class given_class = { GBX_FUNCTION, "Function", take, drop };

gbx_value *
gbx_value_new_function(const gbx_function_entry *entry, void (*release)(void *data))
{
    gbx_function_entry e;
    gbx_status status = options_read(&e, sizeof e, entry,
        offsetof(gbx_function_entry, data) + sizeof e.data, "function entry", NULL);
    size_t len = status != GBX_OK || e.path == NULL ? 0 : strlen(e.path);

    if (status != GBX_OK || e.function == NULL || len > NAME_BYTES_MAX ||
        (e.flags & ~(uint32_t)FUNCTION_FLAGS) != 0)
        return NULL;
    struct graph *graph = graph_new(sizeof(gbx_value) + sizeof(struct hold));
    struct given *given = graph == NULL ? NULL : malloc(sizeof *given);
    if (given == NULL) {
        if (graph != NULL)
            graph_free(graph);
        return NULL;
    }
    /* Not released before the value is there: until then it is the caller's. */
    *given = (struct given){ .held = { &given_class },
        .refs = 1,
        .flags = e.flags,
        .call = e.function,
        .data = e.data };
    text_copy(given->name, sizeof given->name, e.path == NULL ? "" : e.path, len);
    gbx_value *node = node_held(graph, &given->held);
    if (node == NULL)
        graph_free(graph);
    else
        given->release = release;
    return node;
}

/* --- in an isolate's table ------------------------------------------------------------------ */

void
function_hold(struct held *given)
{
    if (given != NULL)
        take(given);
}

void
function_let_go(struct held *given)
{
    if (given != NULL)
        drop(given);
}

void
function_free(struct function *function)
{
    if (function == NULL)
        return;
    struct held *given = function->given;
    free(function);
    function_let_go(given);
}

gbx_status
function_put(gbx_isolate *isolate, uint32_t context, struct held *held, struct buf *out)
{
    const struct given *given = given_of(held);
    struct function *function = calloc(1, sizeof *function);
    uint32_t id;

    if (function == NULL)
        return GBX_ENOMEM;
    *function = (struct function){ .call = given->call,
        .data = given->data,
        .flags = given->flags,
        .context = context,
        .given = held,
        .unsent = isolate->unsent };
    memcpy(function->name, given->name, sizeof function->name);
    id = table_add(&isolate->functions, function);
    if (id == 0) {
        free(function);
        return table_is_full(&isolate->functions) ? GBX_ELIMIT : GBX_ENOMEM;
    }
    take(held);
    function->id = id;
    isolate->unsent = function;
    buf_byte(out, HELD_FUNCTION);
    clone_put_number(out, id);
    clone_put_number(out, given->flags);
    clone_put_number(out, (uint32_t)strlen(given->name));
    buf_text(out, given->name);
    return GBX_OK;
}

gbx_status
functions_tell(gbx_isolate *isolate)
{
    struct buf ids = { .max = 4 * FUNCTIONS_MAX }, frame = { .max = FRAME_KEPT_BYTES };

    if (isolate->unsent == NULL)
        return GBX_OK;
    for (const struct function *function = isolate->unsent; function != NULL;
         function = function->unsent)
        buf_u32(&ids, function->id);
    put_functions_given(
        &frame, (struct frame_tag){ .id = 0 }, &(struct msg_functions_given){ buf_span(&ids) });
    gbx_status status =
        ids.failed || frame.failed ? GBX_ENOMEM : isolate_send_apart(isolate, &frame);
    buf_done(&ids);
    buf_done(&frame);
    return status;
}

void
functions_take_back(gbx_isolate *isolate)
{
    struct function *function;

    while ((function = isolate->unsent) != NULL) {
        isolate->unsent = function->unsent;
        (void)table_remove(&isolate->functions, function->id);
        function_free(function); /* whoever puts the value holds it, too */
    }
}

const char *
functions_released(gbx_isolate *isolate, struct span ids)
{
    if (ids.len % 4 != 0)
        return "released functions that are cut off";
    for (size_t i = 0; i < ids.len && isolate->cell != NULL; i += 4) {
        uint32_t id = (uint32_t)ids.p[i] | (uint32_t)ids.p[i + 1] << 8 |
                      (uint32_t)ids.p[i + 2] << 16 | (uint32_t)ids.p[i + 3] << 24;
        const struct function *function = table_get(&isolate->functions, id);
        /* It may have been closed with its context meanwhile. */
        if (function == NULL && !table_had(&isolate->functions, id))
            return "a released function that it was not given";
        if (function != NULL && function->given == NULL)
            return "a released function that was given for good";
        function_free(table_remove(&isolate->functions, id));
    }
    return NULL;
}

void
functions_forget(gbx_isolate *isolate)
{
    uint32_t cursor = 0, id;
    const struct function *function;

    isolate_ref(isolate);
    while ((function = table_next(&isolate->functions, &cursor, &id)) != NULL)
        if (function->given != NULL)
            function_free(table_remove(&isolate->functions, id));
    isolate_unref(isolate);
}
