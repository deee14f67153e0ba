/* loader.c - imports: the cell asks for a module, the context's loader finds it. */
#include "host/host.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

struct gbx_import {
    gbx_isolate *isolate; /* counted; and counts in isolate->imports */
    uint32_t context, request;
    uint64_t wall_us, cpu_us; /* limits of the call that imports */
    bool json;
    const char *specifier, *referrer; /* in `texts` */
    char texts[];
};

gbx_context *
context_find(gbx_isolate *isolate, uint32_t id)
{
    return id == isolate->context->id ? isolate->context : table_get(&isolate->contexts, id);
}

/* --- what a context keeps ------------------------------------------------------------------- */

/* The first that is not before `name`. */
static size_t
place_of(const struct loading *loading, const char *name)
{
    size_t low = 0, high = loading->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(loading->modules[middle]->name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

gbx_module *
loading_find(const gbx_context *context, const char *name)
{
    const struct loading *loading = &context->loading;
    size_t at = place_of(loading, name);

    return at < loading->count && strcmp(loading->modules[at]->name, name) == 0
               ? loading->modules[at]
               : NULL;
}

static bool
make_room(struct loading *loading)
{
    if (loading->count < loading->capacity)
        return true;
    size_t want = loading->capacity == 0 ? 16 : loading->capacity * 2;
    gbx_module **modules = realloc(loading->modules, want * sizeof *modules);
    if (modules == NULL)
        return false;
    loading->modules = modules;
    loading->capacity = want;
    return true;
}

static void
keep(struct loading *loading, gbx_module *module)
{
    size_t at = place_of(loading, module->name);

    memmove(&loading->modules[at + 1], &loading->modules[at],
        (loading->count - at) * sizeof *loading->modules);
    loading->modules[at] = module;
    loading->count++;
}

bool
loading_keep(gbx_context *context, gbx_module *module)
{
    if (!make_room(&context->loading))
        return false;
    keep(&context->loading, module);
    return true;
}

void
loading_done(gbx_context *context)
{
    struct loading *loading = &context->loading;

    for (size_t i = 0; i < loading->count; i++)
        module_free(loading->modules[i]);
    free(loading->modules);
    *loading = (struct loading){ .loader = NULL };
}

gbx_status
gbx_context_set_loader(gbx_context *context, gbx_loader loader, void *data)
{
    gbx_isolate *isolate = context->isolate;

    if (isolate->cell == NULL)
        return GBX_EDISPOSED;
    context->loading.loader = loader;
    context->loading.data = data;
    context->loading.told |= loader != NULL;
    isolate_ref(isolate);
    put_loader(&isolate->scratch->out, isolate_tag(isolate, 0),
        &(struct msg_loader){ .context = context->id, .asks = loader != NULL });
    isolate_tell(isolate);
    gbx_status status = isolate->cell != NULL ? GBX_OK : GBX_EDISPOSED;
    isolate_unref(isolate);
    return status;
}

gbx_future *
gbx_context_import(gbx_context *context, const char *specifier, const gbx_call_options *options)
{
    gbx_isolate *isolate = context->isolate;
    gbx_error error = GBX_ERROR_INIT;
    gbx_call_options o;

    if (call_options_read(isolate, options, &o, &error) != GBX_OK ||
        path_check(specifier, &error) != GBX_OK)
        return future_refused(&error);
    o.flags = (o.flags & ~(uint32_t)GBX_MODULE) | GBX_AWAIT;
    gbx_future *future = call_future(isolate, context->id, &o);
    put_import(&isolate->scratch->out, isolate_tag(isolate, future->id),
        &(struct msg_import){ .context = context->id,
            .flags = o.flags,
            .wall_us = o.timeout_us,
            .cpu_us = o.cpu_us,
            .specifier = span_text(specifier) });
    future_limit(future, o.timeout_us, o.cpu_us);
    return future_send(isolate, future);
}

/* --- answers -------------------------------------------------------------------------------- */

/* What goes out is a settlement, for the guest's code that runs then. module 0: an error. */
static void
answer(gbx_isolate *isolate, const struct msg_resolved *m, uint64_t wall_us, uint64_t cpu_us)
{
    if (isolate->cell == NULL)
        return;
    gbx_future *future = settlement_new(isolate, wall_us, cpu_us);
    put_resolved(&isolate->scratch->out, (struct frame_tag){ .id = future->id }, m);
    settlement_send(isolate, future);
}

static void
import_free(gbx_import *import)
{
    import->isolate->imports--;
    isolate_unref(import->isolate);
    free(import);
}

void
gbx_import_module(gbx_import *import, const gbx_module *module)
{
    if (module->isolate != import->isolate || module->context != import->context) {
        gbx_import_fail(import, "TypeError", "the module is one of another context");
        return;
    }
    answer(import->isolate,
        &(struct msg_resolved){ .request = import->request, .module = module->id },
        import->wall_us, import->cpu_us);
    import_free(import);
}

void
gbx_import_fail(gbx_import *import, const char *name, const char *message)
{
    size_t len = message == NULL ? 0 : strlen(message);

    if (len > EXCEPTION_TEXT_MAX)
        len = EXCEPTION_TEXT_MAX;
    answer(import->isolate,
        &(struct msg_resolved){ .request = import->request,
            .name = span_text(name),
            .message = span_of(message, len) },
        import->wall_us, import->cpu_us);
    import_free(import);
}

int32_t
gbx_import_loaded(gbx_import *import, const char *name)
{
    gbx_context *context = gbx_import_context(import);
    gbx_module *module = context == NULL ? NULL : loading_find(context, name);

    if (module == NULL)
        return 0;
    gbx_import_module(import, module);
    return 1;
}

/* Limits of an import's own call, unless its loader names others. */
static uint64_t
limit_of(uint64_t asked, uint64_t calls)
{
    return asked != 0 ? asked : calls != 0 ? calls : GBX_NO_LIMIT;
}

void
gbx_import_source(
    gbx_import *import, const void *source, size_t len, const gbx_module_options *options)
{
    gbx_context *context = gbx_import_context(import);
    gbx_error error = GBX_ERROR_INIT;
    gbx_module_options o;
    gbx_future *future = NULL;

    if (context == NULL || module_options_read(options, &o, &error) != GBX_OK) {
        gbx_import_fail(import, "Error", error.message);
        return;
    }
    if (o.name == NULL || !make_room(&context->loading)) {
        gbx_import_fail(import, "Error",
            o.name == NULL ? "the loader gives the module no name" : "no memory for a module");
        return;
    }
    if (gbx_import_loaded(import, o.name))
        return;
    o.flags |= GBX_RESULT_IGNORE;
    o.timeout_us = limit_of(o.timeout_us, import->wall_us);
    o.cpu_us = limit_of(o.cpu_us, import->cpu_us);
    gbx_module *module = module_compile(context, span_of(source, len), &o, true, &future);
    if (module == NULL) {
        (void)gbx_future_status(future, &error);
        gbx_import_fail(import, "Error", error.message);
    } else {
        keep(&context->loading, module);
        gbx_import_module(import, module);
    }
    gbx_future_free(future);
}

/* --- questions ------------------------------------------------------------------------------ */

gbx_context *
gbx_import_context(const gbx_import *import)
{
    return context_find(import->isolate, import->context);
}

const char *
gbx_import_specifier(const gbx_import *import)
{
    return import->specifier;
}

const char *
gbx_import_referrer(const gbx_import *import)
{
    return import->referrer;
}

const char *
gbx_import_type(const gbx_import *import)
{
    return import->json ? "json" : "";
}

static gbx_import *
import_new(gbx_isolate *isolate, uint32_t request, const struct msg_resolve *m)
{
    const gbx_future *running = future_running(isolate);
    gbx_import *import = malloc(sizeof *import + m->specifier.len + m->referrer.len + 2);

    if (import == NULL)
        return NULL;
    char *referrer = import->texts + m->specifier.len + 1;
    *import = (gbx_import){ .isolate = isolate,
        .context = m->context,
        .request = request,
        .json = m->type.len > 0,
        .specifier = import->texts,
        .referrer = referrer };
    if (running != NULL) {
        import->wall_us = running->wall_us;
        import->cpu_us = running->cpu_us;
    }
    text_copy(
        import->texts, m->specifier.len + 1, (const char *)m->specifier.p, m->specifier.len);
    text_copy(referrer, m->referrer.len + 1, (const char *)m->referrer.p, m->referrer.len);
    isolate_ref(isolate);
    isolate->imports++;
    return import;
}

static bool
is_name(struct span text)
{
    return text.len <= NAME_BYTES_MAX &&
           (text.len == 0 || memchr(text.p, '\0', text.len) == NULL);
}

/* An import that no loader sees. */
static void
refuse(gbx_isolate *isolate, uint32_t request, const char *why)
{
    answer(isolate,
        &(struct msg_resolved){
            .request = request, .name = span_text("Error"), .message = span_text(why) },
        0, 0);
}

const char *
import_asked(gbx_isolate *isolate, uint32_t request, const struct msg_resolve *m)
{
    gbx_context *context = context_find(isolate, m->context);
    bool json = m->type.len == 4 && memcmp(m->type.p, "json", 4) == 0;

    if (!is_name(m->specifier) || !is_name(m->referrer) || (m->type.len > 0 && !json))
        return "an import whose texts are none";
    if (context == NULL && !table_had(&isolate->contexts, m->context))
        return "an import in a context that never was";
    if (context != NULL && !context->loading.told)
        return "an import in a context without a loader";
    if (isolate->imports >= PROMISES_MAX)
        return "more imports than may be open";
    if (isolate->ending)
        return NULL; /* nobody waits for the answer any more */
    if (context == NULL || context->loading.loader == NULL) { /* the guest could not know yet */
        refuse(isolate, request, "the loader of this context has gone");
        return NULL;
    }
    gbx_import *import = import_new(isolate, request, m);
    if (import == NULL)
        refuse(isolate, request, gbx_strstatus(GBX_ENOMEM));
    else
        context->loading.loader(import, context->loading.data);
    return NULL;
}
