/* inspector.c - sessions of the Chrome DevTools Protocol: texts in, texts out. */
#include "host/host.h"

#include "base/clock.h"
#include "base/error.h"

#include <stdlib.h>

gbx_status
gbx_inspector_open(gbx_isolate *isolate, gbx_inspector_callback on_message, void *data,
    gbx_inspector **out_inspector, gbx_error *error)
{
    if (on_message == NULL)
        return fail(error, GBX_EINVAL, "an inspector session needs a callback for messages");
    if (isolate->cell == NULL)
        return fail(error, GBX_EDISPOSED, "the isolate has ended");
    gbx_inspector *inspector = malloc(sizeof *inspector);
    if (inspector == NULL)
        return fail(error, GBX_ENOMEM, "no memory for an inspector session");
    *inspector = (gbx_inspector){ .isolate = isolate, .on_message = on_message, .data = data };
    inspector->id = table_add(&isolate->inspectors, inspector);
    if (inspector->id == 0) {
        free(inspector);
        if (!table_is_full(&isolate->inspectors))
            return fail(error, GBX_ENOMEM, "no memory for an inspector session");
        return fail(error, GBX_ELIMIT,
            "the isolate has %d inspector sessions, as many as it may", SESSIONS_MAX);
    }
    isolate_ref(isolate);
    put_inspector_open(&isolate->scratch->out, isolate_tag(isolate, 0),
        &(struct msg_inspector_open){ .session = inspector->id,
            .pause_us = isolate->options.pause_limit_us,
            .name = span_text(isolate->name) });
    gbx_status status = isolate_send(isolate);
    if (status != GBX_OK) {
        (void)table_remove(&isolate->inspectors, inspector->id);
        free(inspector);
        isolate_unref(isolate);
        return fail(error, status, "cannot ask for the session: %s", gbx_strstatus(status));
    }
    isolate->heard_at_us = now_us();
    isolate_urge(isolate);
    *out_inspector = inspector;
    return GBX_OK;
}

gbx_status
gbx_inspector_send(gbx_inspector *inspector, const char *json, size_t len)
{
    gbx_isolate *isolate = inspector->isolate;

    if (len > CDP_BYTES_MAX)
        return GBX_ETOOBIG;
    if (isolate->queued_bytes > INSPECTOR_QUEUE_MAX)
        return GBX_ELIMIT;
    put_inspector_send(&isolate->scratch->out, isolate_tag(isolate, 0),
        &(struct msg_inspector_send){ .session = inspector->id, .json = span_of(json, len) });
    gbx_status status = isolate_send(isolate);
    isolate_urge(isolate);
    return status;
}

void
gbx_inspector_close(gbx_inspector *inspector)
{
    if (inspector == NULL)
        return;
    gbx_isolate *isolate = inspector->isolate;
    (void)table_remove(&isolate->inspectors, inspector->id);
    /* What it has paused goes on, also if the cell does not say so. */
    if (isolate->inspectors.live == 0 && isolate->held == GBX_HOLD_PAUSED)
        isolate_hold(isolate, GBX_HOLD_NONE);
    if (isolate->cell != NULL) {
        put_inspector_close(&isolate->scratch->out, isolate_tag(isolate, 0),
            &(struct msg_inspector_close){ .session = inspector->id });
        isolate_tell(isolate);
        isolate_urge(isolate);
    }
    isolate_unref(isolate);
    free(inspector);
}
