/* context.c - requests that run code: each becomes one message and one future. */
#include "host/given.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

enum {
    ALL_FLAGS = GBX_AWAIT | GBX_RESULT_REFERENCE | GBX_MODULE | GBX_RESULT_IGNORE |
                GBX_MEASURE | GBX_ACCESSORS | GBX_RESULT_MOVE
};
_Static_assert(
    (int)GBX_AWAIT == CALL_AWAIT && (int)GBX_RESULT_REFERENCE == CALL_AS_REFERENCE &&
        (int)GBX_MODULE == CALL_MODULE && (int)GBX_RESULT_IGNORE == CALL_IGNORE_RESULT &&
        (int)GBX_ACCESSORS == CALL_ACCESSORS && (int)GBX_RESULT_MOVE == CALL_MOVE_RESULT,
    "the wire's bits are the public ones");

gbx_status
call_options_read(const gbx_isolate *isolate, const gbx_call_options *options,
    gbx_call_options *out, gbx_error *error)
{
    gbx_status status = options_read(out, sizeof *out, options,
        offsetof(gbx_call_options, column) + sizeof out->column, "call options", error);

    if (status != GBX_OK)
        return status;
    if ((out->flags & ~(uint32_t)ALL_FLAGS) != 0)
        return fail(error, GBX_EUNSUPPORTED, "call options: unknown flag 0x%x",
            out->flags & ~(uint32_t)ALL_FLAGS);
    if (out->timeout_us == 0)
        out->timeout_us = isolate->options.timeout_us;
    if (out->cpu_us == 0)
        out->cpu_us = isolate->options.cpu_us;
    if (out->timeout_us >= LIMIT_US_MAX)
        out->timeout_us = 0;
    if (out->cpu_us >= LIMIT_US_MAX)
        out->cpu_us = 0;
    return GBX_OK;
}

gbx_status
call_source_check(size_t len, const gbx_call_options *options, gbx_error *error)
{
    if (len > SOURCE_BYTES_MAX)
        return fail(error, GBX_ETOOBIG, "source: %zu bytes, at most %llu are allowed", len,
            (unsigned long long)SOURCE_BYTES_MAX);
    if (options->file != NULL && strlen(options->file) > NAME_BYTES_MAX)
        return fail(error, GBX_EINVAL, "file name: longer than %d bytes", (int)NAME_BYTES_MAX);
    return GBX_OK;
}

gbx_status
path_check(const char *path, gbx_error *error)
{
    size_t len = path == NULL ? 0 : strlen(path);

    if (len == 0 || len > NAME_BYTES_MAX)
        return fail(
            error, GBX_EINVAL, "path: %zu bytes, expected 1 to %d", len, (int)NAME_BYTES_MAX);
    return GBX_OK;
}

gbx_future *
call_future(gbx_isolate *isolate, uint32_t context, const gbx_call_options *options)
{
    gbx_future *future = future_new(isolate, FUTURE_PLAIN);

    if (!future->finished) { /* else it may be the shared one, which is not ours to change */
        future->by_reference = (options->flags & GBX_RESULT_REFERENCE) != 0;
        future->awaits = (options->flags & GBX_AWAIT) != 0;
        future->moves = (options->flags & GBX_RESULT_MOVE) != 0;
        future->measured = (options->flags & GBX_MEASURE) != 0;
        future->context = context;
    }
    return future;
}

gbx_future *
call_unsendable(gbx_isolate *isolate, gbx_future *future, gbx_status status, size_t index)
{
    gbx_error error = GBX_ERROR_INIT;

    buf_clear(&isolate->scratch->out);
    if (!future->finished) {
        (void)fail(&error, status, "value %zu: %s", index, gbx_strstatus(status));
        future_finish(future, status, &error, NULL, NULL);
    }
    return future;
}

gbx_context *
gbx_isolate_context(gbx_isolate *isolate)
{
    return isolate->context;
}

/* `flags`: besides those of the options. */
static gbx_future *
eval(gbx_context *context, const char *source, size_t len, const gbx_call_options *options,
    uint32_t flags)
{
    gbx_isolate *isolate = context->isolate;
    gbx_error error = GBX_ERROR_INIT;
    gbx_call_options o;

    if (call_options_read(isolate, options, &o, &error) != GBX_OK ||
        call_source_check(len, &o, &error) != GBX_OK)
        return future_refused(&error);
    gbx_future *future = call_future(isolate, context->id, &o);
    put_eval(&isolate->scratch->out, isolate_tag(isolate, future->id),
        &(struct msg_eval){ .context = context->id,
            .flags = o.flags | flags,
            .wall_us = o.timeout_us,
            .cpu_us = o.cpu_us,
            .line = o.line,
            .column = o.column,
            .file = span_text(o.file),
            .source = span_of(source, len) });
    future_limit(future, o.timeout_us, o.cpu_us);
    return future_send(isolate, future);
}

gbx_future *
gbx_context_eval(
    gbx_context *context, const char *source, size_t len, const gbx_call_options *options)
{
    return eval(context, source, len, options, 0);
}

gbx_status
call_arguments_check(const gbx_value *const *arguments, size_t count, gbx_error *error)
{
    if (count > ARGUMENTS_MAX)
        return fail(
            error, GBX_EINVAL, "%zu arguments, at most %d are allowed", count, ARGUMENTS_MAX);
    for (size_t i = 0; i < count; i++)
        if (arguments[i] == NULL)
            return fail(error, GBX_EINVAL, "argument %zu is NULL", i);
    return GBX_OK;
}

static gbx_status
argument_put(gbx_isolate *isolate, uint32_t context, const gbx_value *value)
{
    struct buf *out = &isolate->scratch->out;
    size_t begun = argument_begin(out);
    gbx_status status = value_put(isolate, context, value);

    if (status == GBX_OK)
        argument_end(out, begun);
    return status;
}

gbx_future *
call_send(gbx_isolate *isolate, gbx_future *future, size_t frame, const gbx_value *first,
    const gbx_value *const *rest, size_t count, const gbx_call_options *options)
{
    struct buf *out = &isolate->scratch->out;
    size_t field = frame_last_begin(out), bad = 0;
    gbx_status status = first != NULL ? argument_put(isolate, future->context, first) : GBX_OK;

    for (size_t i = 0; i < count && status == GBX_OK; i++) {
        status = argument_put(isolate, future->context, rest[i]);
        bad = i;
    }
    if (status != GBX_OK)
        return call_unsendable(isolate, future, status, bad);
    frame_last_end(out, frame, field);
    future_limit(future, options->timeout_us, options->cpu_us);
    return future_send(isolate, future);
}

gbx_future *
gbx_context_eval_closure(gbx_context *context, const char *source, size_t len,
    const gbx_value *const *arguments, size_t count, const gbx_call_options *options)
{
    gbx_isolate *isolate = context->isolate;
    gbx_error error = GBX_ERROR_INIT;
    gbx_call_options o;

    if (call_options_read(isolate, options, &o, &error) != GBX_OK ||
        call_source_check(len, &o, &error) != GBX_OK ||
        call_arguments_check(arguments, count, &error) != GBX_OK)
        return future_refused(&error);
    if ((o.flags & GBX_MODULE) != 0)
        return future_failed(GBX_EINVAL, "call options: a closure is no module");
    gbx_future *future = call_future(isolate, context->id, &o);
    struct buf *out = &isolate->scratch->out;
    size_t frame = out->len;
    put_closure(out, isolate_tag(isolate, future->id),
        &(struct msg_closure){ .context = context->id,
            .flags = o.flags,
            .wall_us = o.timeout_us,
            .cpu_us = o.cpu_us,
            .line = o.line,
            .column = o.column,
            .count = (uint32_t)count,
            .file = span_text(o.file),
            .source = span_of(source, len) });
    return call_send(isolate, future, frame, NULL, arguments, count, &o);
}

gbx_future *
gbx_context_call(gbx_context *context, const char *path, const gbx_value *const *arguments,
    size_t count, const gbx_call_options *options)
{
    gbx_isolate *isolate = context->isolate;
    gbx_error error = GBX_ERROR_INIT;
    gbx_call_options o;

    if (path_check(path, &error) != GBX_OK ||
        call_options_read(isolate, options, &o, &error) != GBX_OK ||
        call_arguments_check(arguments, count, &error) != GBX_OK)
        return future_refused(&error);
    gbx_future *future = call_future(isolate, context->id, &o);
    struct buf *out = &isolate->scratch->out;
    size_t frame = out->len;
    put_call(out, isolate_tag(isolate, future->id),
        &(struct msg_call){ .context = context->id,
            .flags = o.flags,
            .wall_us = o.timeout_us,
            .cpu_us = o.cpu_us,
            .path = span_text(path),
            .count = (uint32_t)count });
    return call_send(isolate, future, frame, NULL, arguments, count, &o);
}

gbx_future *
gbx_context_get(gbx_context *context, const char *path, const gbx_call_options *options)
{
    gbx_isolate *isolate = context->isolate;
    gbx_error error = GBX_ERROR_INIT;
    gbx_call_options o;

    if (call_options_read(isolate, options, &o, &error) != GBX_OK ||
        path_check(path, &error) != GBX_OK)
        return future_refused(&error);
    gbx_future *future = call_future(isolate, context->id, &o);
    put_get(&isolate->scratch->out, isolate_tag(isolate, future->id),
        &(struct msg_get){ .context = context->id,
            .flags = o.flags,
            .wall_us = o.timeout_us,
            .cpu_us = o.cpu_us,
            .path = span_text(path) });
    future_limit(future, o.timeout_us, o.cpu_us);
    return future_send(isolate, future);
}

gbx_future *
gbx_context_set(gbx_context *context, const char *path, const gbx_value *value)
{
    gbx_isolate *isolate = context->isolate;
    gbx_error error = GBX_ERROR_INIT;
    gbx_call_options o;

    if (call_options_read(isolate, NULL, &o, &error) != GBX_OK ||
        path_check(path, &error) != GBX_OK)
        return future_refused(&error);
    if (value == NULL)
        return future_failed(GBX_EINVAL, "the value to set is NULL");
    gbx_future *future = future_new(isolate, FUTURE_PLAIN);
    struct buf *out = &isolate->scratch->out;
    size_t frame = out->len;
    put_set(out, isolate_tag(isolate, future->id),
        &(struct msg_set){ .context = context->id,
            .wall_us = o.timeout_us,
            .cpu_us = o.cpu_us,
            .path = span_text(path) });
    size_t field = frame_last_begin(out);
    gbx_status status = value_put(isolate, context->id, value);
    if (status != GBX_OK)
        return call_unsendable(isolate, future, status, 0);
    frame_last_end(out, frame, field);
    future_limit(future, o.timeout_us, o.cpu_us);
    return future_send(isolate, future);
}

gbx_status
gbx_context_open(gbx_isolate *isolate, gbx_context **out_context, gbx_error *error)
{
    if (isolate->cell == NULL)
        return fail(error, GBX_EDISPOSED, "the isolate has ended");
    gbx_context *context = calloc(1, sizeof *context);
    if (context == NULL)
        return fail(error, GBX_ENOMEM, "no memory for a context");
    context->slot = table_add(&isolate->contexts, context);
    if (context->slot == 0) {
        free(context);
        if (!table_is_full(&isolate->contexts))
            return fail(error, GBX_ENOMEM, "no memory for a context");
        return fail(
            error, GBX_ELIMIT, "the isolate has %d contexts, as many as it may", CONTEXTS_MAX);
    }
    /* Slots have generations, so that a closed context's number is not used again at once. */
    context->id = context->slot;
    context->isolate = isolate;
    isolate_ref(isolate);
    gbx_future *future = future_new(isolate, FUTURE_PLAIN);
    put_context_open(&isolate->scratch->out, isolate_tag(isolate, future->id),
        &(struct msg_context_open){ .context = context->id });
    future = future_send(isolate, future);
    gbx_status status = future->finished ? gbx_future_status(future, error) : GBX_OK;
    gbx_future_free(future);
    if (status != GBX_OK) { /* the cell has not been told: there is no such context */
        (void)table_remove(&isolate->contexts, context->slot);
        free(context);
        isolate_unref(isolate);
        return status;
    }
    *out_context = context;
    return GBX_OK;
}

void
gbx_context_close(gbx_context *context)
{
    if (context == NULL || context->slot == 0)
        return;
    gbx_isolate *isolate = context->isolate;
    uint32_t cursor = 0, id;
    struct function *function;

    (void)table_remove(&isolate->contexts, context->slot);
    while ((function = table_next(&isolate->functions, &cursor, &id)) != NULL)
        if (function->context == context->id)
            function_free(table_remove(&isolate->functions, id));
    references_forget_context(isolate, context->id);
    loading_done(context);
    deferreds_cancel(isolate, context->id);
    if (isolate->cell != NULL) {
        put_context_close(&isolate->scratch->out, isolate_tag(isolate, 0),
            &(struct msg_context_close){ .context = context->id });
        isolate_tell(isolate);
    }
    isolate_unref(isolate);
    free(context);
}

/* --- waited for -----------------------------------------------------------------------------
 */

static gbx_status
settle(gbx_future *future, gbx_value **out_value, gbx_error *error)
{
    gbx_status status = gbx_future_wait(future, -1, error);

    if (status == GBX_OK && out_value != NULL)
        *out_value = gbx_future_take_value(future);
    gbx_future_free(future);
    return status;
}

gbx_status
gbx_eval(gbx_context *context, const char *source, const gbx_call_options *options,
    gbx_value **out_value, gbx_error *error)
{
    uint32_t flags = out_value == NULL ? GBX_RESULT_IGNORE : 0;

    return settle(eval(context, source, strlen(source), options, flags), out_value, error);
}

gbx_status
gbx_call(gbx_context *context, const char *path, const gbx_value *const *arguments,
    size_t count, gbx_value **out_value, gbx_error *error)
{
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;

    options.flags = out_value == NULL ? GBX_RESULT_IGNORE : 0;
    return settle(
        gbx_context_call(context, path, arguments, count, &options), out_value, error);
}
