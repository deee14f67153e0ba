#include "host/host.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Stands in for a future that there was no memory for. Never written, never freed. */
static gbx_future no_memory = { .finished = true, .status = GBX_ENOMEM };

static gbx_future *
closed_future(gbx_status status, const char *text)
{
    gbx_future *future = calloc(1, sizeof *future);

    if (future == NULL)
        return &no_memory;
    future->finished = true;
    future->status = status;
    future->error = malloc(sizeof *future->error);
    if (future->error != NULL) {
        *future->error = (gbx_error)GBX_ERROR_INIT;
        (void)fail(future->error, status, "%s", text);
    }
    return future;
}

gbx_future *
future_failed(gbx_status status, const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return closed_future(status, text);
}

gbx_future *
future_new(gbx_isolate *isolate, enum future_kind kind)
{
    if (isolate->cell == NULL) {
        gbx_future *dead =
            closed_future(isolate->has_died ? isolate->death.status : GBX_EDISPOSED,
                isolate->has_died ? isolate->death_message : gbx_strstatus(GBX_EDISPOSED));
        return dead;
    }
    gbx_future *future = calloc(1, sizeof *future);
    if (future == NULL)
        return &no_memory;
    future->id = table_add(&isolate->futures, future);
    if (future->id == 0) {
        free(future);
        return closed_future(GBX_ELIMIT, "too many requests are open in this isolate");
    }
    future->kind = (uint8_t)kind;
    future->status = GBX_EBUSY;
    future->kill_at_us = future->cpu_kill_us = UINT64_MAX;
    future->isolate = isolate;
    isolate_ref(isolate);
    return future;
}

static void
destroy(gbx_future *future)
{
    gbx_value_free(future->value);
    gbx_reference_close(future->reference);
    free(future->error);
    free(future);
}

void
future_finish(gbx_future *future, gbx_status status, const gbx_error *error, gbx_value *value,
    gbx_reference *reference)
{
    gbx_isolate *isolate = future->isolate;

    GBX_CHECK(!future->finished);
    (void)table_remove(&isolate->futures, future->id);
    future->id = 0;
    future->isolate = NULL;
    future->finished = true;
    future->status = status;
    future->value = value;
    future->reference = reference;
    if (status != GBX_OK && !future->forgotten) {
        future->error = malloc(sizeof *future->error);
        if (future->error != NULL && error != NULL)
            *future->error = *error;
        else if (future->error != NULL) {
            *future->error = (gbx_error)GBX_ERROR_INIT;
            (void)fail(future->error, status, "%s", gbx_strstatus(status));
        }
    }
    if (future->forgotten)
        destroy(future);
    else if (future->callback != NULL) {
        gbx_future_callback callback = future->callback;
        future->callback = NULL;
        callback(future, future->data);
    }
    isolate_unref(isolate);
}

gbx_future *
future_send(gbx_isolate *isolate, gbx_future *future)
{
    if (future->finished) { /* it could not be opened: nothing is to be sent for it */
        isolate->scratch->out.len = 0;
        isolate->scratch->out.failed = false;
        return future;
    }
    gbx_status status = isolate_send(isolate);
    if (status != GBX_OK && !future->finished) {
        gbx_error error = GBX_ERROR_INIT;
        (void)fail(&error, status, "cannot send the request: %s", gbx_strstatus(status));
        future_finish(future, status, &error, NULL, NULL);
    }
    return future;
}

void
future_limit(gbx_future *future, uint64_t wall_us, uint64_t cpu_us)
{
    gbx_isolate *isolate = future->isolate;

    if (isolate == NULL || (wall_us == 0 && cpu_us == 0))
        return;
    uint64_t now = now_us(), first = UINT64_MAX;
    future->wall_us = wall_us;
    future->cpu_us = cpu_us;
    if (wall_us != 0) {
        first = future->kill_at_us = now + wall_us + STOP_KILL_US;
    }
    if (cpu_us != 0) {
        gbx_usage usage = GBX_USAGE_INIT;
        if (gbx_isolate_usage(isolate, &usage) == GBX_OK)
            future->cpu_kill_us = usage.cpu_us + cpu_us + STOP_KILL_US;
        if (now + cpu_us + STOP_KILL_US < first)
            first = now + cpu_us + STOP_KILL_US;
    }
    if (first < isolate->next_kill_us)
        isolate->next_kill_us = first;
    if (isolate->runtime != NULL)
        runtime_alarm(isolate->runtime, first);
}

/* --- public ---------------------------------------------------------------------------------
 */

gbx_status
gbx_future_status(const gbx_future *future, gbx_error *error)
{
    if (!future->finished)
        return GBX_EBUSY;
    if (future->status != GBX_OK && future->error != NULL)
        error_copy(error, future->error);
    else if (future->status != GBX_OK)
        (void)fail(error, future->status, "%s", gbx_strstatus(future->status));
    return future->status;
}

gbx_status
gbx_future_wait(gbx_future *future, int64_t timeout_us, gbx_error *error)
{
    if (!future->finished) {
        gbx_isolate *isolate = future->isolate;
        uint64_t until = timeout_us < 0 ? UINT64_MAX : now_us() + (uint64_t)timeout_us;

        isolate_ref(isolate);
        (void)isolate_pump(isolate, &future->finished, until);
        isolate_unref(isolate);
    }
    return gbx_future_status(future, error);
}

void
gbx_future_then(gbx_future *future, gbx_future_callback callback, void *data)
{
    if (future->finished) {
        if (callback != NULL)
            callback(future, data);
        return;
    }
    future->callback = callback;
    future->data = data;
}

const gbx_value *
gbx_future_value(const gbx_future *future)
{
    return future->value;
}

gbx_value *
gbx_future_take_value(gbx_future *future)
{
    gbx_value *value = future->value;

    if (value != NULL)
        future->value = NULL;
    return value;
}

gbx_reference *
gbx_future_take_reference(gbx_future *future)
{
    gbx_reference *reference = future->reference;

    if (reference != NULL)
        future->reference = NULL;
    return reference;
}

void
gbx_future_free(gbx_future *future)
{
    if (future == NULL || future == &no_memory)
        return;
    if (future->finished) {
        destroy(future);
    } else {
        /* The answer will come all the same, and must find its request. */
        future->forgotten = true;
        future->callback = NULL;
    }
}
