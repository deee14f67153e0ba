/* forks.c - the soak's actions that make isolates of others, and what goes between host and guest
 * beside calls. */
#include "soak/steps.h"

#include <stdlib.h>

/* --- forks ----------------------------------------------------------------------------------- */

/* Another slot, emptied; NULL: it is this one. */
static struct soak_slot *
room_for(struct soak_slot *slot)
{
    struct soak *soak = slot->soak;
    struct soak_slot *to = &soak->slots[soak_chance(soak, SOAK_ISOLATES)];

    if (to == slot || to->busy)
        return NULL;
    if (to->soak != NULL)
        soak_close(to);
    to->soak = soak;
    to->busy = true;
    return to;
}

static gbx_fork_options
fork_options(struct soak_slot *to)
{
    gbx_fork_options options = GBX_FORK_OPTIONS_INIT;

    options.on_death = soak_on_death;
    options.data = to;
    return options;
}

static void
check(struct soak *soak, const char *what, gbx_status status, const gbx_error *error)
{
    if (status != GBX_EBUSY && !soak_allows(soak, status))
        soak_wrong(soak, what, status, error->message);
}

void
soak_do_fork(struct soak_slot *slot)
{
    gbx_error error = GBX_ERROR_INIT;
    struct soak_slot *to = room_for(slot);

    if (to == NULL)
        return;
    gbx_fork_options options = fork_options(to);
    gbx_context *other = slot->other;
    gbx_status status = gbx_isolate_fork(slot->isolate, &options, &to->isolate, &error);
    check(slot->soak, "fork", status, &error);
    if (status == GBX_OK && other != NULL && slot->other == other) /* else closed meanwhile */
        to->other = gbx_fork_context(to->isolate, other);
    to->busy = false;
}

static gbx_status
on_stub(gbx_callback *callback, void *data)
{
    (void)data;
    return gbx_callback_throw(callback, "Error", "of a template");
}

static void
bind(gbx_isolate *fork, const char *path, gbx_function *function, void **data, void *ignored)
{
    (void)fork;
    (void)path;
    (void)data;
    (void)ignored;
    *function = on_stub;
}

/* The template is there until the round ends; its cell may have been killed. */
void
soak_do_template(struct soak_slot *slot)
{
    static const char library[] = "globalThis.library = { n: 1, text: 'x'.repeat(1000) }";
    static const gbx_preload preloads[] = { { .kind = GBX_PRELOAD_SCRIPT,
                                                .name = "library.js",
                                                .data = library,
                                                .len = sizeof library - 1 },
        { .kind = GBX_PRELOAD_FUNCTION, .name = "fail" } };
    gbx_template_options template_options = GBX_TEMPLATE_OPTIONS_INIT;
    gbx_error error = GBX_ERROR_INIT;
    struct soak *soak = slot->soak;
    struct soak_slot *to = room_for(slot);
    gbx_status status = GBX_OK;

    template_options.preloads = preloads;
    template_options.count = 2;
    if (to == NULL)
        return;
    if (soak->template == NULL && !soak->opening) {
        soak->opening = true;
        status = gbx_template_open(soak->runtime, &template_options, &soak->template, &error);
        soak->opening = false;
    }
    gbx_fork_options options = fork_options(to);
    options.rebind = bind;
    if (status == GBX_OK && soak->template != NULL)
        status = gbx_template_isolate(soak->template, &options, &to->isolate, &error);
    check(soak, "template", status, &error);
    to->busy = false;
}

/* --- values ---------------------------------------------------------------------------------- */

void
soak_do_copy(struct soak_slot *slot)
{
    struct soak *soak = slot->soak;

    if (soak->copy == NULL) {
        gbx_value *bytes = gbx_value_new_array_buffer("x", 1), *array = gbx_value_new_array();
        for (int i = 0; i < 1000; i++)
            if (gbx_value_append(array, gbx_value_new_string("an element", GBX_NUL)) != GBX_OK)
                abort();
        if (gbx_value_append(array, bytes) != GBX_OK ||
            gbx_external_copy_new(array, &soak->copy) != GBX_OK)
            abort();
        gbx_value_free(array);
    }
    gbx_value *value = gbx_value_new_external(soak->copy);
    soak_expect(slot, "external copy", gbx_context_set(soak_context(slot), "copied", value),
        GBX_ETHROW);
    gbx_value_free(value);
    if (soak_chance(soak, 20) == 0) {
        gbx_external_copy_free(soak->copy);
        soak->copy = NULL;
    }
}

/* --- rejections and host functions of each kind ---------------------------------------------- */

void
soak_on_rejection(gbx_isolate *isolate, const gbx_rejection *rejection, void *data)
{
    struct soak_slot *slot = data;

    slot->soak->rejections++;
    if (rejection->error->status != GBX_ETHROW || isolate != slot->isolate)
        soak_wrong(slot->soak, "rejection", rejection->error->status, "of something else");
}

void
soak_do_reject(struct soak_slot *slot)
{
    soak_eval(slot,
        "for (let i = 0; i < 10; i++) Promise.reject(Object.assign(new Error('no'), { i })); 1",
        0, 0, GBX_OK);
}

static gbx_status
on_post(gbx_callback *callback, void *data)
{
    (void)callback;
    (void)data;
    return GBX_OK;
}

/* Answered with the promises, or at once. */
static gbx_status
on_block(gbx_callback *callback, void *data)
{
    struct soak *soak = data;
    unsigned at = soak_chance(soak, SOAK_DEFERRED);
    gbx_deferred *deferred = NULL;
    gbx_status status = gbx_callback_block(callback, &deferred);

    if (status != GBX_OK)
        return status;
    gbx_deferred *before = soak->deferred[at];
    soak->deferred[at] = deferred;
    if (before != NULL)
        (void)gbx_deferred_resolve(before, NULL);
    return GBX_OK;
}

gbx_future *
soak_give_kinds(struct soak *soak, gbx_context *context)
{
    const gbx_function_entry entries[] = {
        { sizeof *entries, GBX_FUNCTION_POST | GBX_FUNCTION_REFERENCES, "tell", on_post, soak },
        { sizeof *entries, 0, "wait", on_block, soak },
    };

    return gbx_context_set_functions(context, "io", entries, 2);
}

void
soak_do_post(struct soak_slot *slot)
{
    soak_eval(slot, "for (let i = 0; i < 200; i++) io.tell(i, () => i)", 0, 0, GBX_ETHROW);
}

void
soak_do_block(struct soak_slot *slot)
{
    soak_eval(slot, "io.wait() ?? io.wait()", 0, 300000, GBX_ETHROW);
}
