/* isolate.c - one isolate's life: opened, limited, ended. */
#include "host/given.h"
#include "host/host.h"
#include "host/observe.h"
#include "host/profile.h"
#include "host/shared.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- counting ------------------------------------------------------------------------------- */

void
scratch_unref(struct scratch *scratch)
{
    if (scratch == NULL || --scratch->refs > 0)
        return;
    buf_done(&scratch->out);
    buf_done(&scratch->body);
    free(scratch);
}

void
isolate_ref(gbx_isolate *isolate)
{
    isolate->refs++;
}

static void
isolate_free(gbx_isolate *isolate)
{
    uint32_t id;
    struct function *function;
    gbx_context *context;
    gbx_module *module;
    struct outgoing *o;

    while ((function = table_any(&isolate->functions, &id)) != NULL)
        function_free(table_remove(&isolate->functions, id));
    /* Of a fork, never asked for: contexts, and modules that a fork which failed did not keep. */
    while ((context = table_any(&isolate->contexts, &id)) != NULL) {
        loading_done(context);
        free(table_remove(&isolate->contexts, id));
    }
    if (isolate->context != NULL)
        loading_done(isolate->context);
    while ((module = table_any(&isolate->modules, &id)) != NULL)
        module_free(module);
    while ((o = isolate->first_out) != NULL) {
        isolate->first_out = o->next;
        buf_done(&o->bytes);
        free(o);
    }
    references_done(&isolate->references);
    table_done(&isolate->functions);
    table_done(&isolate->futures);
    table_done(&isolate->contexts);
    table_done(&isolate->inspectors);
    table_done(&isolate->scripts);
    table_done(&isolate->modules);
    frame_reader_done(&isolate->reader);
    scratch_unref(isolate->scratch);
    channel_unmap(&isolate->bell);
    fd_close(&isolate->bell_fd);
    shared_let_go(&isolate->options);
    free(isolate->context);
    free(isolate);
}

void
isolate_unref(gbx_isolate *isolate)
{
    GBX_CHECK(isolate->refs > 0);
    if (--isolate->refs == 0)
        isolate_free(isolate);
}

/* --- ends ----------------------------------------------------------------------------------- */

void
isolate_finish_all(gbx_isolate *isolate, gbx_status status, const gbx_error *error)
{
    uint32_t id;
    gbx_future *future;

    if (isolate->snapshot != NULL)
        snapshot_abandon(isolate);
    profiles_abandon(isolate);
    while ((future = table_any(&isolate->futures, &id)) != NULL)
        future_finish(future, status, error, NULL, NULL);
}

static void
drop_cell(gbx_isolate *isolate)
{
    struct cell *cell = isolate->cell;

    isolate->cell = NULL;
    isolate_set_awake(isolate, false);
    channel_unmap_rings(&isolate->bell);
    cell->channel.map = NULL; /* the first page is the isolate's, and so is the bell */
    watch_remove(cell->runtime, &cell->event, cell->event_fd);
    cell->event_fd = -1;
    cell->isolate = NULL;
    cell_free(cell);
}

/* The certificate is written, the cell goes, everybody is told. */
static void
conclude(gbx_isolate *isolate)
{
    gbx_error error = GBX_ERROR_INIT;

    isolate_ref(isolate);
    death_certify(isolate, &error);
    isolate->has_died = true;
    drop_cell(isolate);
    observers_tell_end(isolate->runtime, isolate);
    isolate_finish_all(isolate, isolate->death.status, &error);
    deferreds_cancel(isolate, 0);
    functions_forget(isolate);
    if (isolate->options.on_death != NULL && !isolate->closed)
        isolate->options.on_death(isolate, isolate->options.data);
    isolate_unref(isolate);
}

void
isolate_condemn(gbx_isolate *isolate, gbx_status why, const char *text)
{
    if (isolate->cell == NULL)
        return;
    isolate->killed_for = why;
    (void)snprintf(isolate->killed_why, sizeof isolate->killed_why, "%s", text);
    cell_kill(isolate->cell);
    conclude(isolate);
}

void
isolate_ended(gbx_isolate *isolate)
{
    isolate_ref(isolate);
    /* What it said before it died still counts: a result may be there. */
    isolate->ending = true;
    isolate_take_last(isolate);
    if (isolate->cell != NULL)
        conclude(isolate);
    isolate_unref(isolate);
}

void
isolate_leave(gbx_isolate *isolate)
{
    if (isolate->runtime == NULL)
        return;
    if (isolate->previous != NULL)
        isolate->previous->next = isolate->next;
    else
        isolate->runtime->isolates = isolate->next;
    if (isolate->next != NULL)
        isolate->next->previous = isolate->previous;
    isolate_set_awake(isolate, false);
    struct gbx_runtime *runtime = isolate->runtime;
    isolate->runtime = NULL;
    if (isolate->cell != NULL) {
        drop_cell(isolate);
        observers_tell_end(runtime, isolate);
        isolate_finish_all(isolate, GBX_EDISPOSED, NULL);
        deferreds_cancel(isolate, 0);
        functions_forget(isolate);
    }
}

/* --- public --------------------------------------------------------------------------------- */

enum {
    ALL_FLAGS = GBX_ISOLATE_PROFILING | GBX_ISOLATE_NO_FORK | GBX_ISOLATE_SEEDED |
                GBX_ISOLATE_NO_CODE_FROM_STRINGS | GBX_ISOLATE_NO_WASM |
                GBX_ISOLATE_NO_SHARED_MEMORY | GBX_ISOLATE_WAIT
};

gbx_status
isolate_options_read(
    const gbx_isolate_options *options, gbx_isolate_options *out, gbx_error *error)
{
    gbx_status status = options_read(out, sizeof *out, options,
        offsetof(gbx_isolate_options, data) + sizeof out->data, "isolate options", error);

    if (status != GBX_OK)
        return status;
    if (out->memory_limit_bytes == 0)
        out->memory_limit_bytes = MEMORY_LIMIT_DEFAULT;
    if (out->memory_limit_bytes < MEMORY_LIMIT_MIN ||
        out->memory_limit_bytes > MEMORY_LIMIT_MAX)
        return fail(error, GBX_EINVAL,
            "memory limit: %llu bytes, expected %llu MiB to %llu GiB",
            (unsigned long long)out->memory_limit_bytes,
            (unsigned long long)(MEMORY_LIMIT_MIN / MIB),
            (unsigned long long)(MEMORY_LIMIT_MAX / GIB));
    if (out->stack_limit_bytes != 0 &&
        (out->stack_limit_bytes < STACK_LIMIT_MIN || out->stack_limit_bytes > STACK_LIMIT_MAX))
        return fail(error, GBX_EINVAL, "stack limit: %llu bytes, expected %llu KiB to %llu MiB",
            (unsigned long long)out->stack_limit_bytes,
            (unsigned long long)(STACK_LIMIT_MIN / KIB),
            (unsigned long long)(STACK_LIMIT_MAX / MIB));
    if ((out->flags & ~(uint32_t)ALL_FLAGS) != 0)
        return fail(error, GBX_EUNSUPPORTED, "isolate options: unknown flag 0x%x", out->flags);
    if (out->pause_limit_us == 0)
        out->pause_limit_us = PAUSE_LIMIT_US;
    if (out->pause_limit_us > LIMIT_US_MAX)
        out->pause_limit_us = GBX_NO_LIMIT;
    if (out->name != NULL && strlen(out->name) >= sizeof((gbx_isolate *)0)->name)
        return fail(error, GBX_EINVAL, "isolate name: longer than 63 bytes");
    status = shared_check(out, error);
    return status == GBX_OK ? setting_check(out, error) : status;
}

gbx_isolate *
isolate_new(const gbx_isolate_options *options, struct scratch *scratch)
{
    gbx_isolate *isolate = calloc(1, sizeof *isolate);
    const char *name = options->name != NULL ? options->name : "isolate";

    if (isolate == NULL)
        return NULL;
    isolate->refs = 1;
    isolate->options = *options;
    text_copy(isolate->name, sizeof isolate->name, name, strlen(name));
    isolate->options.name = isolate->name;
    if (options->time_zone != NULL)
        isolate->options.time_zone = strcpy(isolate->zone, options->time_zone);
    if (options->locale != NULL)
        isolate->options.locale = strcpy(isolate->locale, options->locale);
    isolate->futures.max = FUTURES_MAX;
    isolate->functions.max = FUNCTIONS_MAX;
    isolate->contexts.max = CONTEXTS_MAX - 1;
    isolate->inspectors.max = SESSIONS_MAX;
    isolate->scripts.max = SCRIPTS_MAX;
    isolate->modules.max = MODULES_MAX;
    isolate->scratch = scratch;
    scratch->refs++;
    isolate->last_out = &isolate->first_out;
    isolate->next_kill_us = isolate->cpu_allowed_us = UINT64_MAX;
    isolate->bell_fd = -1;
    frame_reader_init(&isolate->reader, TO_HOST);
    uint64_t most = options->memory_limit_bytes * CELL_MESSAGE_FACTOR + CELL_MESSAGE_BYTES;
    if (most < isolate->reader.body_max)
        isolate->reader.body_max = most;
    isolate->context = calloc(1, sizeof *isolate->context);
    if (!shared_keep(&isolate->options) || isolate->context == NULL) {
        isolate_unref(isolate);
        return NULL;
    }
    isolate->context->isolate = isolate;
    isolate->context->id = 1;
    return isolate;
}

void
isolate_begin(gbx_isolate *isolate, struct gbx_runtime *runtime, struct cell *cell)
{
    isolate->cell = cell;
    isolate->cell->isolate = isolate;
    isolate->bell = isolate->cell->channel;
    isolate->bell_fd = isolate->cell->event_fd;
    isolate->opened_us = now_us();
    isolate->runtime = runtime;
    isolate->next = runtime->isolates;
    if (isolate->next != NULL)
        isolate->next->previous = isolate;
    runtime->isolates = isolate;
    if (runtime->idle_at_us == UINT64_MAX) {
        runtime->idle_at_us = isolate->opened_us + IDLE_LOOK_US;
        runtime_alarm(runtime, runtime->idle_at_us);
    }
    isolate_rest(isolate);
}

gbx_status
isolate_open(struct gbx_runtime *runtime, const gbx_isolate_options *options,
    struct gbx_isolate **out, gbx_error *error)
{
    gbx_isolate_options o;
    gbx_status status = isolate_options_read(options, &o, error);

    if (status != GBX_OK)
        return status;
    gbx_isolate *isolate = isolate_new(&o, runtime->scratch);
    if (isolate == NULL)
        return fail(error, GBX_ENOMEM, "no memory for an isolate");
    uint64_t option[TEMPLATE_OPTIONS];
    setting_template(&o, runtime->require, option);
    struct cell *cell;
    status = cell_obtain(runtime, option, &o, &cell, error);
    if (status != GBX_OK) {
        isolate_unref(isolate);
        return status;
    }
    isolate_begin(isolate, runtime, cell);
    setting_begin(isolate);
    *out = isolate;
    return GBX_OK;
}

gbx_status
gbx_isolate_open(gbx_runtime *runtime, const gbx_isolate_options *options,
    gbx_isolate **out_isolate, gbx_error *error)
{
    struct gbx_isolate *isolate;
    gbx_status status = isolate_open(runtime, options, &isolate, error);

    if (status != GBX_OK)
        return status;
    isolate_announce(isolate);
    *out_isolate = isolate;
    return GBX_OK;
}

void
gbx_isolate_close(gbx_isolate *isolate)
{
    if (isolate == NULL || isolate->closed)
        return;
    struct gbx_runtime *runtime = isolate->runtime;
    isolate->closed = true;
    isolate_leave(isolate);
    isolate_unref(isolate);
    /* A host that never dispatches has its pools filled here. */
    if (runtime != NULL && runtime->fill_at_us != UINT64_MAX)
        pools_fill(runtime);
}

void
gbx_isolate_terminate(gbx_isolate *isolate)
{
    /* Any thread, any time: reads what never changes while the isolate is open, and touches
     * only words of a page that stays mapped as long, also when the cell dies meanwhile. */
    struct channel *bell = &isolate->bell;
    uint64_t one = 1;
    int saved = errno;

    atomic_fetch_add(&bell->shared->stop, 1);
    atomic_fetch_add(&isolate->stops, 1); /* after it: see tell_stops() */
    channel_alarm(bell);
    channel_wake_cell(bell, CHANNEL_WANTS_STOP);
    /* Our own side must see to it that the cell obeys. A full counter has rung already. */
    if (write(isolate->bell_fd, &one, sizeof one) < 0)
        errno = saved;
}

gbx_future *
gbx_isolate_statistics(gbx_isolate *isolate)
{
    isolate_ref(isolate); /* should sending end it, and on_death close it */
    gbx_future *future = future_new(isolate, FUTURE_STATISTICS);
    put_statistics(&isolate->scratch->out, isolate_tag(isolate, future->id),
        &(struct msg_statistics){ .no_empty_struct = 0 });
    (void)future_send(isolate, future);
    isolate_urge(isolate);
    isolate_unref(isolate);
    return future;
}

gbx_future *
gbx_isolate_collect(gbx_isolate *isolate)
{
    gbx_future *future = future_new(isolate, FUTURE_PLAIN);

    put_collect(&isolate->scratch->out, isolate_tag(isolate, future->id),
        &(struct msg_collect){ .no_empty_struct = 0 });
    return future_send(isolate, future);
}
