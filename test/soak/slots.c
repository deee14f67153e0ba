/* slots.c - the soak's isolates: opened at random, with host functions, and closed. */
#include "soak/steps.h"

/* --- host functions -------------------------------------------------------------------------- */

static gbx_status
on_add(gbx_callback *callback, void *data)
{
    gbx_value *sum = gbx_value_new_number((double)gbx_callback_count(callback));

    (void)data;
    gbx_status status = sum == NULL ? GBX_ENOMEM : gbx_callback_return(callback, sum);
    gbx_value_free(sum);
    return status;
}

static gbx_status
on_fail(gbx_callback *callback, void *data)
{
    (void)data;
    return gbx_callback_throw(callback, "RangeError", "as it was asked to");
}

/* A promise, kept for later in a place at random; who was there is settled. */
static gbx_status
on_later(gbx_callback *callback, void *data)
{
    struct soak *soak = data;
    unsigned at = soak_chance(soak, SOAK_DEFERRED);
    gbx_deferred *deferred = NULL;
    gbx_status status = gbx_callback_defer(callback, &deferred);

    gbx_deferred *before = soak->deferred[at];
    soak->deferred[at] = deferred;
    if (before != NULL)
        (void)gbx_deferred_resolve(before, NULL);
    return status;
}

/* A host function that calls the guest that calls it. */
static gbx_status
on_nested(gbx_callback *callback, void *data)
{
    struct soak *soak = data;
    gbx_context *context = gbx_isolate_context(gbx_callback_isolate(callback));
    const char *source = soak_chance(soak, 4) == 0 ? "nested(add(1))" : "add(1, 2)";
    gbx_status status = gbx_eval(context, source, NULL, NULL, NULL);

    return status == GBX_OK || status == GBX_ETHROW || status == GBX_EHOST ? GBX_OK : status;
}

gbx_status
soak_on_meddle(gbx_callback *callback, void *data)
{
    struct soak *soak = data;

    (void)callback;
    if (soak->closing || soak->depth >= SOAK_DEPTH)
        return GBX_OK;
    soak->depth++;
    for (unsigned n = soak_chance(soak, 3); n > 0; n--)
        soak_step(soak);
    soak->depth--;
    return GBX_OK;
}

static const struct {
    const char *name;
    gbx_function call;
} functions[] = { { "add", on_add }, { "fail", on_fail }, { "later", on_later },
    { "nested", on_nested }, { "meddle", soak_on_meddle } };

static void
on_console(gbx_isolate *isolate, uint32_t level, const char *text, size_t len, void *data)
{
    (void)isolate;
    (void)level;
    (void)text;
    (void)len;
    (void)data;
}

void
soak_on_death(gbx_isolate *isolate, void *data)
{
    struct soak_slot *slot = data;
    const gbx_death *death = gbx_isolate_death(isolate);

    slot->dead = true;
    slot->soak->deaths++;
    if (!soak_is_end(death->status))
        soak_wrong(slot->soak, "an isolate's end", death->status, death->message);
}

/* Gives a new isolate its functions and its loader. */
static void
equip(struct soak *soak, struct soak_slot *slot)
{
    gbx_context *context = gbx_isolate_context(slot->isolate);
    gbx_error error = GBX_ERROR_INIT;

    for (size_t i = 0; i <= sizeof functions / sizeof functions[0] && !slot->dead; i++) {
        bool kinds = i == sizeof functions / sizeof functions[0];
        gbx_future *future = kinds ? soak_give_kinds(soak, context)
                                   : gbx_context_set_function(
                                         context, functions[i].name, functions[i].call, soak);
        gbx_status status =
            gbx_future_wait(future, -1, &error); /* before anything terminates it */
        gbx_future_free(future);
        if (!soak_allows(soak, status))
            soak_wrong(soak, kinds ? "functions" : functions[i].name, status, error.message);
    }
    if (!slot->dead)
        (void)gbx_context_set_loader(context, soak_load, soak);
}

void
soak_open(struct soak *soak, struct soak_slot *slot)
{
    static const uint64_t limits[] = { 16 << 20, 32 << 20, 64 << 20 };
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    gbx_error error = GBX_ERROR_INIT;

    options.memory_limit_bytes = limits[soak_chance(soak, 3)];
    options.timeout_us = 2000000;
    options.on_console = soak_chance(soak, 2) == 0 ? on_console : NULL;
    options.on_death = soak_on_death;
    options.data = slot;
    options.on_rejection = options.on_console != NULL ? soak_on_rejection : NULL;
    if (soak_chance(soak, 4) == 0) {
        options.flags = GBX_ISOLATE_SEEDED;
        options.seed = soak->random;
        options.clock = GBX_CLOCK_SET;
    }
    *slot = (struct soak_slot){ .soak = soak, .busy = true };
    gbx_status status = gbx_isolate_open(soak->runtime, &options, &slot->isolate, &error);
    if (status == GBX_OK)
        equip(soak, slot);
    else if (status != GBX_ELOST) /* a template or zygote that was just killed */
        soak_wrong(soak, "no isolate", status, error.message);
    slot->busy = false;
}

void
soak_close(struct soak_slot *slot)
{
    gbx_inspector_close(slot->inspector);
    for (int i = 0; i < SOAK_REFERENCES; i++)
        gbx_reference_close(slot->references[i]);
    for (int i = 0; i < SOAK_SCRIPTS; i++)
        gbx_script_close(slot->scripts[i]);
    gbx_context_close(slot->other);
    gbx_isolate *isolate = slot->isolate;
    struct soak *soak = slot->soak;
    *slot = (struct soak_slot){ .soak = soak };
    gbx_isolate_close(isolate);
}
