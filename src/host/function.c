/* function.c - host functions: called by guests, answered now or later. */
#include "host/thrown.h"

#include "base/clock.h"
#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A function of the context's, known to the cell as *out_id. NULL: `error` says why not. */
static struct function *
function_new(
    gbx_context *context, const gbx_function_entry *entry, uint32_t *out_id, gbx_error *error)
{
    gbx_isolate *isolate = context->isolate;
    size_t len = entry->path == NULL ? 0 : strlen(entry->path);

    if (len == 0 || len > NAME_BYTES_MAX || entry->function == NULL) {
        (void)fail(error, GBX_EINVAL,
            "a host function needs a path of 1 to %d bytes and a function",
            (int)NAME_BYTES_MAX);
        return NULL;
    }
    struct function *f = calloc(1, sizeof *f);
    if (f != NULL) {
        *f = (struct function){ .call = entry->function,
            .data = entry->data,
            .flags = entry->flags,
            .context = context->id };
        text_copy(f->name, sizeof f->name, entry->path, len);
        *out_id = table_add(&isolate->functions, f);
    }
    if (f != NULL && *out_id != 0)
        return f;
    free(f);
    if (f != NULL && table_is_full(&isolate->functions))
        (void)fail(error, GBX_ELIMIT, "the isolate has %d host functions, as many as it may",
            FUNCTIONS_MAX);
    else
        (void)fail(error, GBX_ENOMEM, "no memory for a host function");
    return NULL;
}

gbx_future *
gbx_context_set_function(
    gbx_context *context, const char *path, gbx_function function, void *data)
{
    const gbx_function_entry entry = { sizeof entry, 0, path, function, data };
    gbx_isolate *isolate = context->isolate;
    gbx_error error = GBX_ERROR_INIT;
    uint32_t id;

    if (function_new(context, &entry, &id, &error) == NULL)
        return future_refused(&error);
    gbx_future *future = future_new(isolate, FUTURE_PLAIN);
    put_set_function(&isolate->scratch->out, isolate_tag(isolate, future->id),
        &(struct msg_set_function){
            .context = context->id, .function = id, .path = span_text(path) });
    isolate_ref(isolate);
    future = future_send(isolate, future);
    if (future->finished) /* the cell has not been told */
        free(table_remove(&isolate->functions, id));
    isolate_unref(isolate);
    return future;
}

/* The entries of a caller's array, whose structs may be shorter or longer than ours. */
static gbx_status
read_entry(
    const gbx_function_entry *entries, size_t index, gbx_function_entry *out, gbx_error *error)
{
    const unsigned char *at = (const unsigned char *)entries + index * entries->size;
    gbx_status status = options_read(out, sizeof *out, at,
        offsetof(gbx_function_entry, data) + sizeof out->data, "function entry", error);

    if (status == GBX_OK && out->size != entries->size)
        status =
            fail(error, GBX_EINVAL, "function entry %zu: another size than the first's", index);
    if (status == GBX_OK && (out->flags & ~(uint32_t)FUNCTION_FLAGS) != 0)
        status = fail(error, GBX_EUNSUPPORTED, "function entry %zu: unknown flag 0x%x", index,
            out->flags);
    return status;
}

/* Makes the functions and writes them behind the message. `ids` has room for `count`. */
static gbx_status
put_entries(gbx_context *context, const gbx_function_entry *entries, size_t count,
    uint32_t *ids, gbx_error *error)
{
    struct buf *out = &context->isolate->scratch->out;
    gbx_function_entry entry;

    for (size_t i = 0; i < count; i++) {
        gbx_status status = read_entry(entries, i, &entry, error);
        if (status != GBX_OK)
            return status;
        if (function_new(context, &entry, &ids[i], error) == NULL)
            return error->status;
        size_t begun = argument_begin(out);
        buf_u32(out, ids[i]);
        buf_u32(out, entry.flags);
        buf_text(out, entry.path);
        argument_end(out, begun);
    }
    return GBX_OK;
}

gbx_future *
gbx_context_set_functions(
    gbx_context *context, const char *path, const gbx_function_entry *entries, size_t count)
{
    gbx_isolate *isolate = context->isolate;
    gbx_error error = GBX_ERROR_INIT;

    if (count == 0 || count > ARGUMENTS_MAX || (path != NULL && strlen(path) > NAME_BYTES_MAX))
        return future_failed(GBX_EINVAL,
            "%zu functions, expected 1 to %d, below a path of at most %d bytes", count,
            ARGUMENTS_MAX, (int)NAME_BYTES_MAX);
    uint32_t *ids = calloc(count, sizeof *ids);
    gbx_future *future = future_new(isolate, FUTURE_PLAIN);
    struct buf *out = &isolate->scratch->out;
    size_t frame = out->len;
    gbx_status status = ids == NULL ? fail(&error, GBX_ENOMEM, "no memory") : GBX_OK;

    isolate_ref(isolate);
    put_set_functions(out, isolate_tag(isolate, future->id),
        &(struct msg_set_functions){
            .context = context->id, .path = span_text(path), .count = (uint32_t)count });
    size_t field = frame_last_begin(out);
    if (status == GBX_OK)
        status = put_entries(context, entries, count, ids, &error);
    frame_last_end(out, frame, field);
    if (status == GBX_OK) {
        future = future_send(isolate, future);
    } else {
        buf_clear(out);
        if (!future->finished)
            future_finish(future, status, &error, NULL, NULL);
    }
    for (size_t i = 0; i < count && ids != NULL && future->finished; i++)
        free(table_remove(&isolate->functions, ids[i])); /* the cell has not been told */
    free(ids);
    isolate_unref(isolate);
    return future;
}

/* --- answers -------------------------------------------------------------------------------- */

void
answer_send(
    gbx_isolate *isolate, uint32_t id, uint32_t kind, const char *name, const char *message)
{
    size_t len = message == NULL ? 0 : strlen(message);

    if (isolate->cell == NULL)
        return;
    if (len > EXCEPTION_TEXT_MAX)
        len = EXCEPTION_TEXT_MAX;
    put_answer(&isolate->scratch->out, isolate_tag(isolate, id),
        &(struct msg_answer){
            .kind = kind, .name = span_text(name), .message = span_of(message, len) });
    isolate_tell(isolate);
}

gbx_status
answer_add_value(gbx_isolate *isolate, uint32_t context, uint32_t kind, const gbx_value *value)
{
    struct buf *out = &isolate->scratch->out;
    size_t field = frame_last_begin(out);
    gbx_status status = kind == ANSWER_THROW ? thrown_put(isolate, context, value)
                        : value == NULL      ? GBX_OK
                                             : value_put(isolate, context, value);

    if (status != GBX_OK) {
        buf_clear(out);
        return status;
    }
    frame_last_end(out, 0, field);
    return GBX_OK;
}

gbx_status
answer_send_value(
    gbx_isolate *isolate, uint32_t id, uint32_t context, uint32_t kind, const gbx_value *value)
{
    put_answer(
        &isolate->scratch->out, isolate_tag(isolate, id), &(struct msg_answer){ .kind = kind });
    gbx_status status = answer_add_value(isolate, context, kind, value);
    if (status == GBX_OK)
        status = isolate_send(isolate);
    if (status != GBX_OK)
        answer_send(isolate, id, ANSWER_THROW, "Error", gbx_strstatus(status));
    return status;
}

static gbx_status
answer_with(gbx_callback *callback, uint32_t kind, const gbx_value *value)
{
    gbx_isolate *isolate = callback->isolate;

    if (callback->answered || value == NULL)
        return GBX_EINVAL;
    callback->answered = true;
    return isolate->cell == NULL
               ? GBX_OK
               : answer_send_value(isolate, callback->id, callback->context, kind, value);
}

gbx_status
gbx_callback_return(gbx_callback *callback, const gbx_value *value)
{
    return answer_with(callback, ANSWER_VALUE, value);
}

gbx_status
gbx_callback_throw_value(gbx_callback *callback, const gbx_value *value)
{
    return answer_with(callback, ANSWER_THROW, value);
}

gbx_status
gbx_callback_throw(gbx_callback *callback, const char *name, const char *message)
{
    if (callback->answered)
        return GBX_EINVAL;
    callback->answered = true;
    answer_send(callback->isolate, callback->id, ANSWER_THROW, name, message);
    return GBX_OK;
}

/* --- the call ------------------------------------------------------------------------------- */

void
function_call(gbx_isolate *isolate, uint32_t callback_id, struct function *function,
    gbx_value **arguments, size_t count)
{
    gbx_callback callback = {
        .isolate = isolate, .id = callback_id, .arguments = arguments, .count = count
    };
    const gbx_future *running = future_running(isolate);

    callback.context = function->context;
    if (running != NULL) {
        callback.running = running->id;
        callback.wall_us = running->wall_us;
        callback.cpu_us = running->cpu_us;
    }
    (void)snprintf(isolate->last_function, sizeof isolate->last_function, "%s", function->name);
    isolate_ref(isolate);
    uint64_t begun = isolate->nesting++ == 0 ? now_us() : 0;
    gbx_status status = function->call(&callback, function->data);
    if (!callback.answered && isolate->cell != NULL) {
        if (status == GBX_OK)
            answer_send(isolate, callback_id, ANSWER_VALUE, NULL, NULL);
        else
            answer_send(isolate, callback_id, ANSWER_THROW, "Error", gbx_strstatus(status));
    }
    if (--isolate->nesting == 0)
        isolate->host_us += now_us() - begun;
    isolate->host_calls++;
    isolate_unref(isolate);
}

void
function_post(
    gbx_isolate *isolate, struct function *function, gbx_value **arguments, size_t count)
{
    gbx_callback callback = { .isolate = isolate,
        .arguments = arguments,
        .count = count,
        .context = function->context,
        .answered = true };

    (void)snprintf(isolate->last_function, sizeof isolate->last_function, "%s", function->name);
    isolate_ref(isolate);
    uint64_t begun = isolate->nesting == 0 ? now_us() : 0;
    /* Nobody in the cell waits, so nothing can be nested in it: see isolate_service(). */
    isolate->posting = true;
    (void)function->call(&callback, function->data);
    isolate->posting = false;
    if (isolate->nesting == 0)
        isolate->host_us += now_us() - begun;
    isolate->host_calls++;
    isolate_unref(isolate);
}

void
function_refused(
    gbx_isolate *isolate, uint32_t callback_id, const char *name, const char *message)
{
    if (callback_id != 0)
        answer_send(isolate, callback_id, ANSWER_THROW, name, message);
}

gbx_isolate *
gbx_callback_isolate(const gbx_callback *callback)
{
    return callback->isolate;
}

size_t
gbx_callback_count(const gbx_callback *callback)
{
    return callback->count;
}

const gbx_value *
gbx_callback_argument(const gbx_callback *callback, size_t index)
{
    return index < callback->count ? callback->arguments[index] : NULL;
}
