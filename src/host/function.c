/* function.c - host functions: called by guests, answered now or later. */
#include "host/host.h"

#include "base/clock.h"
#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct gbx_callback {
    gbx_isolate *isolate;
    uint32_t id;
    gbx_value **arguments; /* borrowed */
    size_t count;
    uint64_t wall_us, cpu_us; /* limits of the call that it is part of */
    bool answered;
};

struct gbx_deferred {
    gbx_isolate *isolate; /* counted */
    uint32_t id;
    uint64_t wall_us, cpu_us; /* limits of the call that made it */
};

gbx_future *
gbx_context_set_function(
    gbx_context *context, const char *path, gbx_function function, void *data)
{
    gbx_isolate *isolate = context->isolate;
    size_t len = path == NULL ? 0 : strlen(path);

    if (len == 0 || len > NAME_BYTES_MAX || function == NULL)
        return future_failed(GBX_EINVAL,
            "a host function needs a path of 1 to %d bytes and a function",
            (int)NAME_BYTES_MAX);
    struct function *f = calloc(1, sizeof *f);
    if (f == NULL)
        return future_failed(GBX_ENOMEM, "no memory for a host function");
    *f = (struct function){ .call = function, .data = data, .context = context->id };
    text_copy(f->name, sizeof f->name, path, len);
    uint32_t id = table_add(&isolate->functions, f);
    if (id == 0) {
        free(f);
        if (!table_is_full(&isolate->functions))
            return future_failed(GBX_ENOMEM, "no memory for a host function");
        return future_failed(
            GBX_ELIMIT, "the isolate has %d host functions, as many as it may", FUNCTIONS_MAX);
    }
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

/* --- answers -------------------------------------------------------------------------------- */

static void
send_answer(
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

/* Appends the value that the message just put ends with, or takes the message back. NULL:
 * undefined. */
static gbx_status
add_value(gbx_isolate *isolate, const gbx_value *value)
{
    struct buf *out = &isolate->scratch->out;
    size_t field = frame_last_begin(out);
    gbx_status status = value == NULL ? GBX_OK : value_put(isolate, value);

    if (status != GBX_OK) {
        buf_clear(out);
        return status;
    }
    frame_last_end(out, 0, field);
    return GBX_OK;
}

gbx_status
gbx_callback_return(gbx_callback *callback, const gbx_value *value)
{
    gbx_isolate *isolate = callback->isolate;

    if (callback->answered || value == NULL)
        return GBX_EINVAL;
    callback->answered = true;
    if (isolate->cell == NULL)
        return GBX_OK;
    put_answer(&isolate->scratch->out, isolate_tag(isolate, callback->id),
        &(struct msg_answer){ .kind = ANSWER_VALUE });
    gbx_status status = add_value(isolate, value);
    if (status == GBX_OK)
        status = isolate_send(isolate);
    if (status != GBX_OK)
        send_answer(isolate, callback->id, ANSWER_THROW, "Error", gbx_strstatus(status));
    return status;
}

gbx_status
gbx_callback_throw(gbx_callback *callback, const char *name, const char *message)
{
    if (callback->answered)
        return GBX_EINVAL;
    callback->answered = true;
    send_answer(callback->isolate, callback->id, ANSWER_THROW, name, message);
    return GBX_OK;
}

gbx_status
gbx_callback_defer(gbx_callback *callback, gbx_deferred **out_deferred)
{
    if (callback->answered)
        return GBX_EINVAL;
    gbx_deferred *deferred = malloc(sizeof *deferred);
    if (deferred == NULL)
        return GBX_ENOMEM;
    callback->answered = true;
    *deferred =
        (gbx_deferred){ callback->isolate, callback->id, callback->wall_us, callback->cpu_us };
    isolate_ref(deferred->isolate);
    send_answer(callback->isolate, callback->id, ANSWER_PROMISE, NULL, NULL);
    *out_deferred = deferred;
    return GBX_OK;
}

static void
deferred_free(gbx_deferred *deferred)
{
    isolate_unref(deferred->isolate);
    free(deferred);
}

gbx_future *
settlement_new(gbx_isolate *isolate, uint64_t wall_us, uint64_t cpu_us)
{
    gbx_future *future = future_new(isolate, FUTURE_SETTLEMENT);

    if (!future->finished) {
        future->nesting = 0; /* it runs when the guest's stack is empty, wherever we are */
        future_limit(future, wall_us, cpu_us);
    }
    return future;
}

void
settlement_send(gbx_isolate *isolate, gbx_future *future)
{
    if (future->finished) {
        gbx_future_free(future);
        isolate_tell(isolate);
        return;
    }
    bool lost = future_send(isolate, future)->finished;
    gbx_future_free(future);
    if (lost)
        isolate_condemn(isolate, GBX_ENOMEM, NO_MEMORY_TO_TELL);
}

static void
settle_with_error(gbx_isolate *isolate, gbx_future *future, uint32_t id, const char *name,
    const char *message)
{
    size_t len = message == NULL ? 0 : strlen(message);

    if (len > EXCEPTION_TEXT_MAX)
        len = EXCEPTION_TEXT_MAX;
    put_settle(&isolate->scratch->out, (struct frame_tag){ .id = future->id },
        &(struct msg_settle){ .callback = id,
            .kind = ANSWER_THROW,
            .name = span_text(name),
            .message = span_of(message, len) });
    settlement_send(isolate, future);
}

gbx_status
gbx_deferred_resolve(gbx_deferred *deferred, const gbx_value *value)
{
    gbx_isolate *isolate = deferred->isolate;
    gbx_status status = GBX_OK;

    if (isolate->cell != NULL) {
        gbx_future *future = settlement_new(isolate, deferred->wall_us, deferred->cpu_us);
        put_settle(&isolate->scratch->out, (struct frame_tag){ .id = future->id },
            &(struct msg_settle){ .callback = deferred->id, .kind = ANSWER_VALUE });
        status = add_value(isolate, value);
        if (status == GBX_OK)
            settlement_send(isolate, future);
        else
            settle_with_error(isolate, future, deferred->id, "Error", gbx_strstatus(status));
    }
    deferred_free(deferred);
    return status;
}

void
gbx_deferred_reject(gbx_deferred *deferred, const char *name, const char *message)
{
    if (deferred == NULL)
        return;
    if (deferred->isolate->cell != NULL)
        settle_with_error(deferred->isolate,
            settlement_new(deferred->isolate, deferred->wall_us, deferred->cpu_us),
            deferred->id, name, message);
    deferred_free(deferred);
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

    if (running != NULL) {
        callback.wall_us = running->wall_us;
        callback.cpu_us = running->cpu_us;
    }
    (void)snprintf(isolate->last_function, sizeof isolate->last_function, "%s", function->name);
    isolate_ref(isolate);
    uint64_t begun = isolate->nesting++ == 0 ? now_us() : 0;
    gbx_status status = function->call(&callback, function->data);
    if (!callback.answered && isolate->cell != NULL) {
        if (status == GBX_OK)
            send_answer(isolate, callback_id, ANSWER_VALUE, NULL, NULL);
        else
            send_answer(isolate, callback_id, ANSWER_THROW, "Error", gbx_strstatus(status));
    }
    if (--isolate->nesting == 0)
        isolate->host_us += now_us() - begun;
    isolate->host_calls++;
    isolate_unref(isolate);
}

void
function_refused(
    gbx_isolate *isolate, uint32_t callback_id, const char *name, const char *message)
{
    send_answer(isolate, callback_id, ANSWER_THROW, name, message);
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
