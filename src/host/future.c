#include "host/given.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Stands in for a future that there was no memory for. Never written, never freed. */
static gbx_future no_memory = { .finished = true, .status = GBX_ENOMEM };

gbx_future *
future_refused(const gbx_error *error)
{
    gbx_future *future = calloc(1, sizeof *future);

    if (future == NULL)
        return &no_memory;
    future->finished = true;
    future->status = error->status;
    future->error = malloc(sizeof *future->error);
    if (future->error != NULL)
        *future->error = *error;
    return future;
}

gbx_future *
future_failed(gbx_status status, const char *format, ...)
{
    gbx_error error = GBX_ERROR_INIT;
    va_list args;

    error.status = status;
    va_start(args, format);
    (void)vsnprintf(error.message, sizeof error.message, format, args);
    va_end(args);
    return future_refused(&error);
}

gbx_future *
future_new(gbx_isolate *isolate, enum future_kind kind)
{
    if (isolate->cell == NULL)
        return future_failed(isolate->has_died ? isolate->death.status : GBX_EDISPOSED, "%s",
            isolate->has_died ? isolate->death_message : gbx_strstatus(GBX_EDISPOSED));
    if (isolate->queued_bytes > OUTGOING_BYTES_MAX && kind != FUTURE_SETTLEMENT)
        return future_failed(GBX_ELIMIT, "too much waits to be read by the cell");
    gbx_future *future = calloc(1, sizeof *future);
    if (future == NULL)
        return &no_memory;
    future->id = table_add(&isolate->futures, future);
    if (future->id == 0) {
        free(future);
        if (!table_is_full(&isolate->futures))
            return &no_memory;
        return future_failed(GBX_ELIMIT, "too many requests are open in this isolate");
    }
    future->number = future->id;
    future->kind = (uint8_t)kind;
    future->status = GBX_EBUSY;
    future->kill_at_us = UINT64_MAX;
    future->isolate = isolate;
    future->nesting = isolate->nesting;
    future->urgent = kind == FUTURE_STATISTICS;
    isolate_ref(isolate);
    return future;
}

/* --- turns ----------------------------------------------------------------------------------
 *
 * A cell takes requests one after the other, and a request's clock runs from its turn on. What
 * is behind another in line cannot have begun before that has finished or was overtaken (it may
 * wait for a promise), so until then the host does not count its time. Host functions nest, and
 * each nesting has a line of its own.
 */

static void
line_join(gbx_future *future)
{
    struct line *line = &future->isolate->lines[future->nesting];

    future->in_line = true;
    future->before = line->last;
    if (line->last != NULL)
        line->last->behind = future;
    else
        line->first = future;
    line->last = future;
    if (line->first == future)
        deadline_begin(future);
}

/* Takes the first one out; the next one's turn begins. */
static void
line_pass(struct line *line)
{
    gbx_future *first = line->first;

    line->first = first->behind;
    first->in_line = false;
    first->behind = NULL;
    if (line->first == NULL) {
        line->last = NULL;
        return;
    }
    line->first->before = NULL;
    if (line->first->isolate->cell != NULL)
        deadline_begin(line->first);
}

/* Everything before it in line has been overtaken, and so has begun. */
static void
line_leave(gbx_future *future)
{
    struct line *line = &future->isolate->lines[future->nesting];

    while (future->in_line)
        line_pass(line);
}

const gbx_future *
future_running(const gbx_isolate *isolate)
{
    return isolate->lines[isolate->nesting].first;
}

bool
future_has_begun(const gbx_future *future)
{
    return !future->in_line || future->before == NULL;
}

void
future_yields(gbx_future *future)
{
    future->promised = true;
    line_leave(future);
}

void
future_steps_aside(gbx_future *future)
{
    line_leave(future);
}

/* The guest waits for the host, and so do all requests: none of them can go on by itself, and
 * none has a deadline that ends the wait. Only this thread could settle what they wait for. */
static bool
is_deadlocked(const gbx_isolate *isolate)
{
    uint32_t cursor = 0, id;
    uint64_t top = deferreds_top(isolate);
    const gbx_future *future;

    while ((future = table_next(&isolate->futures, &cursor, &id)) != NULL) {
        /* One that was settled waits for those that are above it on the guest's stack. */
        bool blocked = future->block != 0 && future->block <= top;
        bool waits = blocked || future->promised || future->kind == FUTURE_SETTLEMENT ||
                     future->kind == FUTURE_LOCAL || future->nesting < isolate->nesting;
        if (!waits || (blocked && future->wall_us != 0))
            return false;
    }
    return true;
}

bool
future_is_stuck(const gbx_future *future)
{
    const gbx_isolate *isolate = future->isolate;
    uint32_t nesting = isolate->nesting;

    if (isolate->posting)
        return true;
    if (future->urgent)
        return false;
    if (nesting > 0 &&
        (future->nesting < nesting || (future->nesting == nesting && future->promised)))
        return true;
    return isolate->blocked > 0 && is_deadlocked(isolate);
}

/* --- the end ---------------------------------------------------------------------------- */

static void
destroy(gbx_future *future)
{
    gbx_value_free(future->value);
    gbx_reference_close(future->reference);
    gbx_script_close(future->script);
    free(future->source_hash);
    free(future->error);
    free(future);
}

void
future_finish(gbx_future *future, gbx_status status, const gbx_error *error, gbx_value *value,
    gbx_reference *reference)
{
    gbx_isolate *isolate = future->isolate;
    bool last = future->kind == FUTURE_CACHE; /* the isolate was opened for it */

    GBX_CHECK(!future->finished);
    line_leave(future);
    deadline_end(future);
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
    if (last)
        gbx_isolate_close(isolate);
    isolate_unref(isolate);
}

gbx_future *
future_send(gbx_isolate *isolate, gbx_future *future)
{
    if (future->finished) { /* it could not be opened: nothing is to be sent for it */
        buf_clear(&isolate->scratch->out);
        functions_take_back(isolate);
        return future;
    }
    future->account.sent_bytes = isolate->scratch->out.len;
    gbx_status status = isolate_send(isolate);
    if (status != GBX_OK && !future->finished) {
        gbx_error error = GBX_ERROR_INIT;
        (void)fail(&error, status, "cannot send the request: %s", gbx_strstatus(status));
        future_finish(future, status, &error, NULL, NULL);
    } else if (!future->finished && !future->urgent) {
        future->stops = isolate->stops_told;
        line_join(future);
    }
    return future;
}

void
future_limit(gbx_future *future, uint64_t wall_us, uint64_t cpu_us)
{
    if (future->finished) /* it may be the shared one, which is not ours to change */
        return;
    future->runs = true;
    future->wall_us = wall_us;
    future->cpu_us = cpu_us;
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
    if (future->finished)
        return gbx_future_status(future, error);

    gbx_isolate *isolate = future->isolate;
    uint64_t until = timeout_us < 0 ? UINT64_MAX : now_us() + (uint64_t)timeout_us;
    isolate_ref(isolate);
    future->waits++;
    isolate_pump(isolate, future, until);
    future->waits--;
    isolate_unref(isolate);
    gbx_status status = gbx_future_status(future, error);
    if (status == GBX_EBUSY && future_is_stuck(future))
        status = fail(error, GBX_EINVAL,
            "the call cannot end before the host function has returned that waits for it, or "
            "before "
            "what the guest waits for has been settled");
    if (future->freed)
        gbx_future_free(future);
    return status;
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

uint32_t
gbx_future_id(const gbx_future *future)
{
    return future->number;
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
    if (future->waits > 0) { /* a callback frees what is waited for */
        future->freed = true;
        future->callback = NULL;
        return;
    }
    if (future->finished) {
        destroy(future);
    } else {
        /* The answer will come all the same, and must find its request. */
        future->forgotten = true;
        future->callback = NULL;
    }
}
