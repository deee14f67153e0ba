/* preload.c - templates: an isolate that has run what others shall begin with, and is only forked.
 *
 * Nothing of a tenant is ever run, or parsed, in a process that is not sealed: the preloads run in
 * a cell like any other, under its limits, and its forks inherit its walls.
 */
#include "host/host.h"
#include "host/shared.h"

#include "base/clock.h"
#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct gbx_template {
    gbx_runtime *runtime; /* good as long as the isolate is in it */
    gbx_isolate *isolate; /* warm; dead, it is replaced when one is asked for */
    gbx_isolate_options isolate_options;
    char zone[PLACE_ZONE_BYTES], locale[PLACE_LOCALE_BYTES]; /* behind them */
    gbx_preload *preloads;                                   /* owned, with what they name */
    size_t count;
    uint64_t timeout_us, cpu_us;
    char name[64];
};

/* --- running the preloads ------------------------------------------------------------------- */

static gbx_status
unbound(gbx_callback *callback, void *data)
{
    (void)data;
    return gbx_callback_throw(callback, "Error", "this host function is not bound");
}

static gbx_future *
compile_wasm(gbx_context *context, const gbx_preload *preload, const gbx_call_options *options)
{
    static const char source[] = "globalThis[$0] = new WebAssembly.Module($1)";
    gbx_error error = GBX_ERROR_INIT;
    gbx_value *name = gbx_value_new_string(preload->name, strlen(preload->name));
    gbx_value *bytes = gbx_value_new_array_buffer(preload->data, preload->len);
    gbx_future *future = NULL;

    if (name == NULL || bytes == NULL)
        (void)fail(&error, GBX_ENOMEM, "no memory for a preload");
    else
        future = gbx_context_eval_closure(context, source, sizeof source - 1,
            (const gbx_value *const[]){ name, bytes }, 2, options);
    gbx_value_free(name);
    gbx_value_free(bytes);
    return future != NULL ? future : future_refused(&error);
}

/* Of what is preloaded, by its name. */
static void
find_module(gbx_import *import, void *data)
{
    const struct gbx_template *t = data;
    gbx_module_options options = GBX_MODULE_OPTIONS_INIT;
    const char *specifier = gbx_import_specifier(import);

    for (size_t i = 0; i < t->count; i++) {
        const gbx_preload *preload = &t->preloads[i];
        if (preload->kind != GBX_PRELOAD_MODULE || strcmp(preload->name, specifier) != 0)
            continue;
        options.name = preload->name;
        gbx_import_source(import, preload->data, preload->len, &options);
        return;
    }
    gbx_import_fail(import, "Error", "no module of this name is preloaded");
}

/* In an isolate of the template, until it has a loader of its own. */
static void
find_loaded(gbx_import *import, void *data)
{
    (void)data;
    if (gbx_import_loaded(import, gbx_import_specifier(import)) == 0)
        gbx_import_fail(import, "Error", "no module of this name is preloaded");
}

static bool
has_modules(const struct gbx_template *t)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->preloads[i].kind == GBX_PRELOAD_MODULE)
            return true;
    return false;
}

static gbx_future *
start(gbx_context *context, const gbx_preload *preload, const gbx_call_options *options)
{
    gbx_call_options o = *options;

    switch (preload->kind) {
    case GBX_PRELOAD_SCRIPT:
        o.flags |= GBX_AWAIT;
        o.file = preload->name != NULL ? preload->name : "<preload>";
        return gbx_context_eval(context, preload->data, preload->len, &o);
    case GBX_PRELOAD_WASM:
        return compile_wasm(context, preload, &o);
    case GBX_PRELOAD_MODULE:
        return gbx_context_import(context, preload->name, &o);
    default:
        return gbx_context_set_function(context, preload->name, unbound, NULL);
    }
}

static gbx_status
run(const struct gbx_template *t, size_t index, uint64_t until, gbx_error *error)
{
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;
    const gbx_preload *preload = &t->preloads[index];
    char why[sizeof error->message];
    uint64_t now = now_us();

    options.flags = GBX_RESULT_IGNORE;
    options.timeout_us = now < until ? until - now : 1;
    options.cpu_us = t->cpu_us;
    gbx_future *future = start(t->isolate->context, preload, &options);
    gbx_status status = gbx_future_wait(future, -1, error);
    gbx_future_free(future);
    if (status == GBX_OK)
        return GBX_OK;
    if (snprintf(why, sizeof why, "preload %zu (%s): %s", index,
            preload->name != NULL ? preload->name : "a script", error->message) > 0)
        text_copy(error->message, sizeof error->message, why, strlen(why));
    return status;
}

/* Garbage is not for the forks to copy. */
static gbx_status
settle(gbx_isolate *isolate, gbx_error *error)
{
    gbx_future *future = gbx_isolate_collect(isolate);
    gbx_status status = gbx_future_wait(future, START_TIMEOUT_US, error);

    gbx_future_free(future);
    return status;
}

static gbx_status
warm_up(struct gbx_template *t, gbx_error *error)
{
    gbx_isolate_options options = t->isolate_options;
    uint64_t until = now_us() + t->timeout_us;
    gbx_isolate *before = t->isolate;

    options.on_death = NULL; /* nobody has it */
    gbx_status status = isolate_open(t->runtime, &options, &t->isolate, error);
    if (status != GBX_OK)
        return status;
    if (cell_cannot_fork(t->isolate->cell))
        status = fail(error, GBX_EUNSUPPORTED,
            "no template: this kernel has no seccomp user notification (before 5.9)");
    if (status == GBX_OK && has_modules(t))
        (void)gbx_context_set_loader(t->isolate->context, find_module, t);
    for (size_t i = 0; i < t->count && status == GBX_OK; i++)
        status = run(t, i, until, error);
    if (status == GBX_OK && t->count > 0)
        status = settle(t->isolate, error);
    /* A dead one stays, and tells whether the runtime is there. */
    gbx_isolate_close(status == GBX_OK ? before : t->isolate);
    if (status != GBX_OK)
        t->isolate = before;
    return status;
}

/* --- what is kept --------------------------------------------------------------------------- */

static gbx_status
check_preload(const gbx_preload *preload, size_t index, gbx_error *error)
{
    bool function = preload->kind == GBX_PRELOAD_FUNCTION;
    bool named = preload->name != NULL && preload->name[0] != '\0';

    if (preload->kind < GBX_PRELOAD_SCRIPT || preload->kind > GBX_PRELOAD_MODULE)
        return fail(
            error, GBX_EUNSUPPORTED, "preload %zu: unknown kind %u", index, preload->kind);
    if (preload->reserved != 0 || (!named && preload->kind != GBX_PRELOAD_SCRIPT) ||
        (function && preload->len != 0) || (!function && preload->data == NULL))
        return fail(
            error, GBX_EINVAL, "preload %zu: it lacks a name or data, or has too much", index);
    if (named && strlen(preload->name) > NAME_BYTES_MAX)
        return fail(error, GBX_EINVAL, "preload %zu: a name longer than %d bytes", index,
            (int)NAME_BYTES_MAX);
    if (preload->len > SOURCE_BYTES_MAX)
        return fail(error, GBX_ETOOBIG, "preload %zu: %zu bytes, at most %llu are allowed",
            index, (size_t)preload->len, (unsigned long long)SOURCE_BYTES_MAX);
    return GBX_OK;
}

static bool
keep(gbx_preload *to, const gbx_preload *from)
{
    char *data = malloc(from->len + 1);

    *to = *from;
    to->name = from->name != NULL ? strdup(from->name) : NULL;
    to->data = data;
    if (data == NULL || (from->name != NULL && to->name == NULL))
        return false;
    if (from->len > 0)
        memcpy(data, from->data, from->len);
    return true;
}

static void
template_destroy(struct gbx_template *t)
{
    gbx_isolate_close(t->isolate);
    for (size_t i = 0; i < t->count; i++) {
        free((void *)(uintptr_t)t->preloads[i].name);
        free((void *)(uintptr_t)t->preloads[i].data);
    }
    free(t->preloads);
    shared_let_go(&t->isolate_options);
    free(t);
}

static gbx_status
check_options(const gbx_template_options *options, gbx_template_options *out, gbx_error *error)
{
    gbx_status status = options_read(out, sizeof *out, options,
        offsetof(gbx_template_options, cpu_us) + sizeof out->cpu_us, "template options", error);

    if (status == GBX_OK && out->flags != 0)
        status =
            fail(error, GBX_EUNSUPPORTED, "template options: unknown flag 0x%x", out->flags);
    if (status == GBX_OK && out->count > 0 && out->preloads == NULL)
        status = fail(error, GBX_EINVAL, "template options: preloads is NULL");
    for (size_t i = 0; i < out->count && status == GBX_OK; i++)
        status = check_preload(&out->preloads[i], i, error);
    return status;
}

/* The caller's isolate options, which stay ours. */
static gbx_status
keep_options(struct gbx_template *t, const gbx_isolate_options *options, gbx_error *error)
{
    gbx_isolate_options o;
    gbx_status status = isolate_options_read(options, &o, error);

    if (status == GBX_OK && !shared_keep(&o))
        status = fail(error, GBX_ENOMEM, "no memory for a template");
    if (status == GBX_OK)
        t->isolate_options = o;
    t->isolate_options.size = sizeof t->isolate_options;
    if (status == GBX_OK && (t->isolate_options.flags & GBX_ISOLATE_NO_FORK) != 0)
        return fail(error, GBX_EINVAL,
            "template options: its isolates are forks, and GBX_ISOLATE_NO_FORK allows none");
    if (status == GBX_OK && (t->isolate_options.flags & GBX_ISOLATE_WAIT) != 0)
        return fail(error, GBX_EINVAL,
            "template options: preloads run at once, and GBX_ISOLATE_WAIT has them wait");
    if (status == GBX_OK && t->isolate_options.name != NULL) {
        (void)snprintf(t->name, sizeof t->name, "%s", t->isolate_options.name);
        t->isolate_options.name = t->name;
    }
    if (status == GBX_OK && t->isolate_options.time_zone != NULL)
        t->isolate_options.time_zone = strcpy(t->zone, t->isolate_options.time_zone);
    if (status == GBX_OK && t->isolate_options.locale != NULL)
        t->isolate_options.locale = strcpy(t->locale, t->isolate_options.locale);
    return status;
}

/* --- public --------------------------------------------------------------------------------- */

gbx_status
gbx_template_open(gbx_runtime *runtime, const gbx_template_options *options,
    gbx_template **out_template, gbx_error *error)
{
    gbx_error mine = GBX_ERROR_INIT;
    gbx_template_options o;
    gbx_status status = check_options(options, &o, error);

    if (status != GBX_OK)
        return status;
    struct gbx_template *t = calloc(1, sizeof *t);
    if (t != NULL)
        t->preloads = calloc(o.count + 1, sizeof *t->preloads);
    if (t == NULL || t->preloads == NULL) {
        free(t);
        return fail(error, GBX_ENOMEM, "no memory for a template");
    }
    t->runtime = runtime;
    t->timeout_us = o.timeout_us == 0 ? PRELOAD_WALL_US : o.timeout_us;
    t->timeout_us = t->timeout_us < LIMIT_US_MAX ? t->timeout_us : LIMIT_US_MAX - 1;
    t->cpu_us = o.cpu_us;
    status = keep_options(t, o.isolate, &mine);
    while (status == GBX_OK && t->count < o.count) {
        if (!keep(&t->preloads[t->count], &o.preloads[t->count]))
            status = fail(&mine, GBX_ENOMEM, "no memory for a template");
        t->count++; /* half of one is freed like a whole one */
    }
    if (status == GBX_OK)
        status = warm_up(t, &mine);
    if (status != GBX_OK) {
        template_destroy(t);
        error_copy(error, &mine);
        return status;
    }
    *out_template = t;
    return GBX_OK;
}

gbx_status
gbx_template_isolate(gbx_template *template, const gbx_fork_options *options,
    gbx_isolate **out_isolate, gbx_error *error)
{
    gbx_error mine = GBX_ERROR_INIT;
    gbx_fork_options o;
    gbx_status status = fork_options_read(options, &o, error);

    if (status != GBX_OK)
        return status;
    o.size = sizeof o;
    if (o.on_death == NULL)
        o.on_death = template->isolate_options.on_death;
    status = GBX_ELOST;
    /* Its cell may be found dead, or die now; who asks for an isolate shall not pay for it. */
    for (int i = 0; i < OBTAIN_ATTEMPTS && status != GBX_OK; i++) {
        if (template->isolate->runtime == NULL)
            return fail(error, GBX_EDISPOSED, "the template's runtime has been closed");
        /* Its end may not have been noticed, even when its own template's has. */
        if (template->isolate->cell != NULL &&
            has_ended(template->isolate->cell->pidfd, i == 0 ? 0 : OBTAIN_LOOK_MS))
            isolate_ended(template->isolate);
        status = template->isolate->cell != NULL ? GBX_OK : warm_up(template, &mine);
        if (status != GBX_OK)
            break;
        status = gbx_isolate_fork(template->isolate, &o, out_isolate, &mine);
        if (template->isolate->cell != NULL && status != GBX_ELOST)
            break;
    }
    if (status == GBX_OK && has_modules(template))
        (void)gbx_context_set_loader((*out_isolate)->context, find_loaded, NULL);
    if (status != GBX_OK)
        error_copy(error, &mine);
    return status;
}

void
gbx_template_close(gbx_template *template)
{
    if (template != NULL)
        template_destroy(template);
}
