/* module.c - modules by the step: compiled, linked, evaluated, used. */
#include "host/host.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

_Static_assert((int)GBX_MODULE_SOURCE == MODULE_SOURCE && (int)GBX_MODULE_JSON == MODULE_JSON &&
                   (int)GBX_MODULE_WASM == MODULE_WASM && (int)GBX_MODULE_VALUE == MODULE_VALUE,
    "the wire's kinds are the public ones");

gbx_status
module_options_read(
    const gbx_module_options *options, gbx_module_options *out, gbx_error *error)
{
    gbx_status status = options_read(out, sizeof *out, options,
        offsetof(gbx_module_options, exports) + sizeof out->exports, "module options", error);

    if (status != GBX_OK)
        return status;
    if ((out->flags & ~(uint32_t)GBX_RESULT_IGNORE) != 0 || out->kind >= MODULE_KINDS)
        return fail(error, GBX_EUNSUPPORTED, "module options: unknown flag 0x%x or kind %u",
            out->flags & ~(uint32_t)GBX_RESULT_IGNORE, out->kind);
    if (out->reserved != 0)
        return fail(error, GBX_EUNSUPPORTED, "module options: reserved is not 0");
    if (out->name != NULL && strlen(out->name) > NAME_BYTES_MAX)
        return fail(
            error, GBX_EINVAL, "module name: longer than %d bytes", (int)NAME_BYTES_MAX);
    if (out->meta != NULL && gbx_value_get_kind(out->meta) != GBX_OBJECT)
        return fail(error, GBX_EINVAL, "module options: meta is not an object");
    if ((out->kind == MODULE_VALUE) !=
        (out->exports != NULL && gbx_value_get_kind(out->exports) == GBX_OBJECT))
        return fail(error, GBX_EINVAL,
            "module options: exports must be an object, of GBX_MODULE_VALUE and no other");
    return GBX_OK;
}

/* --- compiling ------------------------------------------------------------------------------ */

static gbx_module *
module_new(gbx_context *context, const gbx_module_options *options, bool kept, gbx_error *error)
{
    gbx_isolate *isolate = context->isolate;
    gbx_module *module = calloc(1, sizeof *module);

    if (module == NULL)
        goto no_memory;
    module->isolate = isolate;
    module->context = context->id;
    module->kept = kept;
    module->name = strdup(options->name != NULL ? options->name : "");
    if (module->name == NULL)
        goto no_memory;
    module->id = table_add(&isolate->modules, module);
    if (module->id == 0 && table_is_full(&isolate->modules)) {
        free(module->name);
        free(module);
        (void)fail(
            error, GBX_ELIMIT, "the isolate has %d modules, as many as it may", MODULES_MAX);
        return NULL;
    }
    if (module->id == 0)
        goto no_memory;
    if (!kept)
        isolate_ref(isolate);
    return module;

no_memory:
    if (module != NULL)
        free(module->name);
    free(module);
    (void)fail(error, GBX_ENOMEM, "no memory for a module");
    return NULL;
}

void
module_free(gbx_module *module)
{
    gbx_isolate *isolate = module->isolate;
    bool kept = module->kept;

    (void)table_remove(&isolate->modules, module->id);
    free(module->name);
    free(module);
    if (!kept)
        isolate_unref(isolate);
}

/* Puts the message; what it says last is the source, or the exports. *out_what: which of the
 * options cannot be sent. */
static gbx_status
put_compile(const gbx_module *module, uint32_t request, struct span source,
    const gbx_module_options *options, const gbx_call_options *limits, const char **out_what)
{
    struct buf *out = &module->isolate->scratch->out;
    struct buf meta = { .max = MODULE_META_MAX };
    gbx_status status = options->meta != NULL ? clone_write(options->meta, &meta) : GBX_OK;
    size_t frame = out->len;

    *out_what = status == GBX_OK ? "exports" : "meta";
    if (status == GBX_OK)
        put_module_compile(out, isolate_tag(module->isolate, request),
            &(struct msg_module_compile){ .context = module->context,
                .flags = options->flags,
                .wall_us = limits->timeout_us,
                .cpu_us = limits->cpu_us,
                .module = module->id,
                .kind = options->kind,
                .line = options->line,
                .column = options->column,
                .name = span_text(options->name),
                .meta = buf_span(&meta),
                .source = source });
    buf_done(&meta);
    if (status == GBX_OK && options->kind == MODULE_VALUE) {
        size_t field = frame_last_begin(out);
        status = value_put(module->isolate, module->context, options->exports);
        if (status == GBX_OK)
            frame_last_end(out, frame, field);
    }
    return status;
}

gbx_module *
module_compile(gbx_context *context, struct span source, const gbx_module_options *options,
    bool kept, gbx_future **future)
{
    gbx_isolate *isolate = context->isolate;
    gbx_call_options limits = GBX_CALL_OPTIONS_INIT;
    gbx_error error = GBX_ERROR_INIT;

    limits.timeout_us = options->timeout_us;
    limits.cpu_us = options->cpu_us;
    (void)call_options_read(isolate, &limits, &limits, NULL);
    if (options->kind == MODULE_VALUE)
        source = span_of(NULL, 0);
    if (source.len > SOURCE_BYTES_MAX) {
        *future = future_failed(GBX_ETOOBIG, "source: %zu bytes, at most %llu are allowed",
            source.len, (unsigned long long)SOURCE_BYTES_MAX);
        return NULL;
    }
    gbx_module *module = module_new(context, options, kept, &error);
    if (module == NULL) {
        *future = future_refused(&error);
        return NULL;
    }
    isolate_ref(isolate); /* should sending end it, and on_death close it */
    *future = call_future(isolate, context->id, &limits);
    const char *what;
    gbx_status status = put_compile(module, (*future)->id, source, options, &limits, &what);
    if (status != GBX_OK) {
        buf_clear(&isolate->scratch->out);
        (void)fail(&error, status, "module options: %s: %s", what, gbx_strstatus(status));
        if (!(*future)->finished)
            future_finish(*future, status, &error, NULL, NULL);
    } else {
        future_limit(*future, limits.timeout_us, limits.cpu_us);
        *future = future_send(isolate, *future);
    }
    if ((*future)->finished) { /* the cell knows nothing of it */
        module_free(module);
        module = NULL;
    }
    isolate_unref(isolate);
    return module;
}

gbx_future *
gbx_module_compile(gbx_context *context, const void *source, size_t len,
    const gbx_module_options *options, gbx_module **out_module)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_module_options o;
    gbx_future *future = NULL;

    *out_module = NULL;
    if (module_options_read(options, &o, &error) != GBX_OK)
        return future_refused(&error);
    *out_module = module_compile(context, span_of(source, len), &o, false, &future);
    return future;
}

void
gbx_module_close(gbx_module *module)
{
    if (module == NULL)
        return;
    gbx_isolate *isolate = module->isolate;
    isolate_ref(isolate);
    if (isolate->cell != NULL) {
        put_module_close(&isolate->scratch->out, isolate_tag(isolate, 0),
            &(struct msg_module_close){ .module = module->id });
        isolate_tell(isolate);
    }
    module_free(module);
    isolate_unref(isolate);
}

/* --- running -------------------------------------------------------------------------------- */

static gbx_future *
run(gbx_module *module, bool evaluate, const gbx_call_options *options)
{
    gbx_isolate *isolate = module->isolate;
    gbx_error error = GBX_ERROR_INIT;
    gbx_call_options o;

    if (call_options_read(isolate, options, &o, &error) != GBX_OK)
        return future_refused(&error);
    o.flags = (o.flags & ~(uint32_t)GBX_MODULE) | GBX_AWAIT;
    if (!evaluate)
        o.flags &= ~(uint32_t)GBX_RESULT_REFERENCE;
    gbx_future *future = call_future(isolate, module->context, &o);
    put_module_run(&isolate->scratch->out, isolate_tag(isolate, future->id),
        &(struct msg_module_run){ .context = module->context,
            .flags = o.flags,
            .wall_us = o.timeout_us,
            .cpu_us = o.cpu_us,
            .module = module->id,
            .evaluate = evaluate });
    future_limit(future, o.timeout_us, o.cpu_us);
    return future_send(isolate, future);
}

gbx_future *
gbx_module_link(gbx_module *module, const gbx_call_options *options)
{
    return run(module, false, options);
}

gbx_future *
gbx_module_evaluate(gbx_module *module, const gbx_call_options *options)
{
    return run(module, true, options);
}

gbx_future *
gbx_module_get(gbx_module *module, const char *path, const gbx_call_options *options)
{
    gbx_isolate *isolate = module->isolate;
    gbx_error error = GBX_ERROR_INIT;
    gbx_call_options o;

    if (call_options_read(isolate, options, &o, &error) != GBX_OK ||
        path_check(path, &error) != GBX_OK)
        return future_refused(&error);
    gbx_future *future = call_future(isolate, module->context, &o);
    put_module_get(&isolate->scratch->out, isolate_tag(isolate, future->id),
        &(struct msg_module_get){ .context = module->context,
            .flags = o.flags,
            .wall_us = o.timeout_us,
            .cpu_us = o.cpu_us,
            .module = module->id,
            .path = span_text(path) });
    future_limit(future, o.timeout_us, o.cpu_us);
    return future_send(isolate, future);
}

gbx_future *
gbx_module_call(gbx_module *module, const char *path, const gbx_value *const *arguments,
    size_t count, const gbx_call_options *options)
{
    gbx_isolate *isolate = module->isolate;
    gbx_error error = GBX_ERROR_INIT;
    gbx_call_options o;

    if (call_options_read(isolate, options, &o, &error) != GBX_OK ||
        path_check(path, &error) != GBX_OK ||
        call_arguments_check(arguments, count, &error) != GBX_OK)
        return future_refused(&error);
    gbx_future *future = call_future(isolate, module->context, &o);
    struct buf *out = &isolate->scratch->out;
    size_t frame = out->len;
    put_module_call(out, isolate_tag(isolate, future->id),
        &(struct msg_module_call){ .context = module->context,
            .flags = o.flags,
            .wall_us = o.timeout_us,
            .cpu_us = o.cpu_us,
            .module = module->id,
            .path = span_text(path),
            .count = (uint32_t)count });
    return call_send(isolate, future, frame, NULL, arguments, count, &o);
}
