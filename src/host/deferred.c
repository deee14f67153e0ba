/* deferred.c - answers of host functions that come later, and whom nobody waits for any more.
 *
 * A promise is settled by a request of its own, SETTLE; a guest that waits gets its ANSWER. What
 * is open hangs on its isolate, by the cell's number of the call, and is told when the guest's
 * part in it has ended before.
 */
#include "host/host.h"

#include <stdlib.h>
#include <string.h>

/* --- what is open --------------------------------------------------------------------------- */

static gbx_deferred **
bucket_of(gbx_isolate *isolate, uint32_t id)
{
    return &isolate->deferreds[id % DEFERRED_BUCKETS];
}

static void
link_in(gbx_deferred *deferred)
{
    gbx_deferred **first = bucket_of(deferred->isolate, deferred->id);

    deferred->next = *first;
    if (*first != NULL)
        (*first)->previous = deferred;
    *first = deferred;
}

/* The guest's part has ended, or is about to: the host settles it, or it was cancelled. */
static void
link_out(gbx_deferred *deferred)
{
    gbx_isolate *isolate = deferred->isolate;

    if (deferred->ended)
        return;
    deferred->ended = true;
    if (deferred->previous != NULL)
        deferred->previous->next = deferred->next;
    else
        *bucket_of(isolate, deferred->id) = deferred->next;
    if (deferred->next != NULL)
        deferred->next->previous = deferred->previous;
    isolate->blocked -= deferred->block != 0;
}

static void
cancel(gbx_deferred *deferred)
{
    link_out(deferred);
    if (deferred->on_cancel != NULL)
        deferred->on_cancel(deferred, deferred->data); /* may free it */
}

void
deferred_cancelled(gbx_isolate *isolate, uint32_t id)
{
    gbx_deferred *deferred = *bucket_of(isolate, id);

    while (deferred != NULL && deferred->id != id)
        deferred = deferred->next;
    /* Else it has just been settled: the cell could not know. */
    if (deferred != NULL)
        cancel(deferred);
}

/* One of a context; 0: of any. */
static gbx_deferred *
find_of(const gbx_isolate *isolate, uint32_t context)
{
    for (uint32_t i = 0; i < DEFERRED_BUCKETS; i++)
        for (gbx_deferred *deferred = isolate->deferreds[i]; deferred != NULL;
             deferred = deferred->next)
            if (context == 0 || deferred->context == context)
                return deferred;
    return NULL;
}

void
deferreds_cancel(gbx_isolate *isolate, uint32_t context)
{
    gbx_deferred *deferred;

    isolate_ref(isolate);
    while ((deferred = find_of(isolate, context)) != NULL)
        cancel(deferred);
    isolate_unref(isolate);
}

uint64_t
deferreds_top(const gbx_isolate *isolate)
{
    uint64_t top = 0;

    for (uint32_t i = 0; i < DEFERRED_BUCKETS; i++)
        for (const gbx_deferred *deferred = isolate->deferreds[i]; deferred != NULL;
             deferred = deferred->next)
            top = deferred->block > top ? deferred->block : top;
    return top;
}

/* --- making --------------------------------------------------------------------------------- */

static gbx_status
deferred_new(gbx_callback *callback, bool blocks, gbx_deferred **out_deferred)
{
    gbx_isolate *isolate = callback->isolate;

    if (callback->answered)
        return GBX_EINVAL;
    gbx_deferred *deferred = malloc(sizeof *deferred);
    if (deferred == NULL)
        return GBX_ENOMEM;
    callback->answered = true;
    *deferred = (gbx_deferred){ .isolate = isolate,
        .id = callback->id,
        .wall_us = callback->wall_us,
        .cpu_us = callback->cpu_us,
        .context = callback->context,
        .block = blocks ? ++isolate->blocks : 0 };
    isolate_ref(isolate);
    link_in(deferred);
    isolate->blocked += blocks;
    gbx_future *owner = blocks ? table_get(&isolate->futures, callback->running) : NULL;
    if (owner != NULL) { /* others may run while it waits: their turns begin */
        owner->block = deferred->block;
        future_steps_aside(owner);
    }
    if (isolate->cell == NULL)
        link_out(deferred);
    *out_deferred = deferred;
    answer_send(isolate, callback->id, blocks ? ANSWER_BLOCK : ANSWER_PROMISE, NULL, NULL);
    return GBX_OK;
}

gbx_status
gbx_callback_defer(gbx_callback *callback, gbx_deferred **out_deferred)
{
    return deferred_new(callback, false, out_deferred);
}

gbx_status
gbx_callback_block(gbx_callback *callback, gbx_deferred **out_deferred)
{
    return deferred_new(callback, true, out_deferred);
}

void
gbx_deferred_on_cancel(gbx_deferred *deferred, gbx_cancel_callback callback, void *data)
{
    deferred->on_cancel = callback;
    deferred->data = data;
    if (deferred->ended && callback != NULL)
        callback(deferred, data);
}

static void
deferred_free(gbx_deferred *deferred)
{
    link_out(deferred);
    isolate_unref(deferred->isolate);
    free(deferred);
}

/* --- settling ------------------------------------------------------------------------------- */

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

static gbx_status
settle(gbx_deferred *deferred, uint32_t kind, const gbx_value *value)
{
    gbx_isolate *isolate = deferred->isolate;
    gbx_status status = GBX_OK;

    if (isolate->cell == NULL)
        link_out(deferred);
    if (!deferred->ended && deferred->block != 0) {
        status = answer_send_value(isolate, deferred->id, deferred->context, kind, value);
    } else if (!deferred->ended) {
        gbx_future *future = settlement_new(isolate, deferred->wall_us, deferred->cpu_us);
        put_settle(&isolate->scratch->out, (struct frame_tag){ .id = future->id },
            &(struct msg_settle){ .callback = deferred->id, .kind = kind });
        status = answer_add_value(isolate, deferred->context, kind, value);
        if (status == GBX_OK)
            settlement_send(isolate, future);
        else
            settle_with_error(isolate, future, deferred->id, "Error", gbx_strstatus(status));
    }
    deferred_free(deferred);
    return status;
}

gbx_status
gbx_deferred_resolve(gbx_deferred *deferred, const gbx_value *value)
{
    return settle(deferred, ANSWER_VALUE, value);
}

gbx_status
gbx_deferred_reject_value(gbx_deferred *deferred, const gbx_value *value)
{
    return deferred == NULL ? GBX_OK : settle(deferred, ANSWER_THROW, value);
}

void
gbx_deferred_reject(gbx_deferred *deferred, const char *name, const char *message)
{
    if (deferred == NULL)
        return;
    if (deferred->isolate->cell == NULL)
        link_out(deferred);
    if (!deferred->ended && deferred->block != 0)
        answer_send(deferred->isolate, deferred->id, ANSWER_THROW, name, message);
    else if (!deferred->ended)
        settle_with_error(deferred->isolate,
            settlement_new(deferred->isolate, deferred->wall_us, deferred->cpu_us),
            deferred->id, name, message);
    deferred_free(deferred);
}
