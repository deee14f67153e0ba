/* series.c - snapshots of a live isolate, by time and by growth.
 *
 * A timer is the runtime's to watch. Growth is seen by looking at the kernel's account of the cell,
 * which takes microseconds and asks nothing of the guest.
 */
#include "store/store.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/options.h"

#include <glovebox/observe.h>
#include <glovebox/series.h>
#include <glovebox/snapshot.h>
#include <glovebox/usage.h>

#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>

/* A snapshot under way. It lives until its future is finished, also when the series is closed
 * before. */
struct taking {
    struct gbx_series *series; /* NULL: it was closed */
    struct gbx_store *store;   /* held */
    gbx_future *future;        /* owned; NULL while it is being asked for */
    struct incoming file;
    struct facts facts;
    char label[STORE_LABEL_BYTES];
};

struct gbx_series {
    struct gbx_store *store; /* held */
    gbx_isolate *isolate;    /* NULL: it has ended */
    gbx_observer *observer;
    gbx_descriptor *descriptor;
    int timer;
    struct taking *taking; /* NULL: none */
    char label[STORE_LABEL_BYTES];
    struct gbx_series_options options;
    uint64_t due_us;        /* the next one by time; UINT64_MAX: none */
    uint64_t not_before_us; /* one by growth */
    uint64_t base_bytes;    /* resident, when the last one had been taken */
};

static uint64_t
resident(const struct gbx_series *series)
{
    gbx_usage usage = GBX_USAGE_INIT;

    return gbx_isolate_usage(series->isolate, &usage) == GBX_OK ? usage.resident_bytes : 0;
}

/* --- the timer -------------------------------------------------------------------------------- */

/* Set to when there is something to see; while a snapshot is under way, that is its end. */
static void
set_timer(struct gbx_series *series)
{
    struct itimerspec when = { 0 };
    uint64_t next = series->due_us, look = now_us() + SERIES_LOOK_US;

    if (series->options.growth_bytes != 0 && look < next)
        next = look;
    if (series->isolate != NULL && series->taking == NULL && next != UINT64_MAX) {
        when.it_value.tv_sec = (time_t)(next / 1000000);
        when.it_value.tv_nsec = (long)(next % 1000000 * 1000) + 1; /* zero would disarm it */
    }
    (void)timerfd_settime(series->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static void take(struct gbx_series *series, uint32_t reason);

static void
on_timer(gbx_descriptor *descriptor, void *data)
{
    struct gbx_series *series = data;
    uint64_t count, now = now_us();

    (void)descriptor;
    if (read(series->timer, &count, sizeof count) < 0)
        return; /* it was set anew meanwhile */
    uint64_t growth = series->options.growth_bytes;
    if (series->isolate == NULL || series->taking != NULL)
        return;
    if (now >= series->due_us)
        take(series, GBX_STORE_TIME);
    else if (growth != 0 && now >= series->not_before_us &&
             resident(series) >= series->base_bytes + growth)
        take(series, GBX_STORE_GROWTH);
    else
        set_timer(series);
}

/* --- one snapshot ----------------------------------------------------------------------------- */

/* The series may be gone when this returns. */
static void
tell(struct gbx_series *series, const gbx_store_entry *entry, const gbx_error *error)
{
    if (series->options.on_snapshot != NULL)
        series->options.on_snapshot(series, entry, error, series->options.data);
}

static void
taking_free(struct taking *t)
{
    gbx_future_free(t->future);
    incoming_close(t->store, &t->file);
    gbx_store_close(t->store);
    free(t);
}

/* It is over, one way or the other: `error` is set unless it is in the store. */
static void
finish(struct taking *t, uint64_t id, gbx_error *error)
{
    struct gbx_series *series = t->series;
    gbx_store_entry *entry = NULL;

    if (series != NULL) {
        series->taking = NULL;
        series->not_before_us = now_us() + SERIES_REST_US;
        if (series->isolate != NULL)
            series->base_bytes = resident(series);
        set_timer(series);
    }
    if (series != NULL && id != 0)
        (void)store_entry(series->store, id, &entry, error);
    taking_free(t);
    if (series != NULL)
        tell(series, entry, entry != NULL ? NULL : error);
    free(entry);
}

static void
on_finished(gbx_future *future, void *data)
{
    struct taking *t = data;
    gbx_error error = GBX_ERROR_INIT;
    gbx_status status = gbx_future_status(future, &error);
    uint64_t id = 0;

    if (status == GBX_OK && t->series != NULL)
        status = incoming_keep(t->store, &t->file, &t->facts, &id, &error);
    if (id != 0)
        (void)store_prune(t->store, NULL); /* it is tried again after the next one */
    /* A future that was finished at once has not been handed over yet. */
    if (t->future == NULL)
        t->future = future;
    finish(t, id, &error);
}

static struct taking *
taking_new(struct gbx_series *series, uint32_t reason, gbx_error *error)
{
    struct timespec now;
    struct taking *t = calloc(1, sizeof *t);

    if (t == NULL) {
        (void)fail(error, GBX_ENOMEM, "no memory for a snapshot");
        return NULL;
    }
    (void)clock_gettime(CLOCK_REALTIME, &now);
    memcpy(t->label, series->label, sizeof t->label);
    t->series = series;
    t->store = store_ref(series->store);
    t->facts = (struct facts){ .label = t->label,
        .taken_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000,
        .resident_bytes = resident(series),
        .reason = reason };
    if (incoming_open(series->store, &t->file, error) != GBX_OK) {
        taking_free(t);
        return NULL;
    }
    return t;
}

static void
take(struct gbx_series *series, uint32_t reason)
{
    gbx_snapshot_options options = GBX_SNAPSHOT_OPTIONS_INIT;
    gbx_error error = GBX_ERROR_INIT;
    const struct gbx_series_options *o = &series->options;

    if (o->every_us != 0)
        series->due_us = now_us() + o->every_us;
    struct taking *t = taking_new(series, reason, &error);
    if (t == NULL) {
        series->not_before_us = now_us() + SERIES_REST_US;
        set_timer(series);
        tell(series, NULL, &error);
        return;
    }
    options.fd = t->file.fd;
    options.flags = GBX_SNAPSHOT_ZSTD | GBX_SNAPSHOT_QUEUE |
                    ((o->flags & GBX_SERIES_CHANGING_IDS) == 0 ? GBX_SNAPSHOT_STABLE_IDS : 0u);
    options.timeout_us = o->timeout_us;
    options.memory_bytes = o->memory_bytes;
    series->taking = t;
    set_timer(series);
    gbx_future *future = gbx_heap_snapshot(series->isolate, &options);
    if (gbx_future_status(future, NULL) == GBX_EBUSY)
        t->future = future;
    gbx_future_then(future, on_finished, t);
}

gbx_status
gbx_series_take(gbx_series *series)
{
    if (series->isolate == NULL)
        return GBX_EDISPOSED;
    if (series->taking != NULL)
        return GBX_EBUSY;
    take(series, GBX_STORE_ASKED);
    return GBX_OK;
}

/* --- from its begin to its end ---------------------------------------------------------------- */

static void
on_isolate(gbx_isolate *isolate, uint32_t event, void *data)
{
    struct gbx_series *series = data;

    if (isolate != series->isolate || event != GBX_ISOLATE_ENDED)
        return;
    series->isolate = NULL;
    set_timer(series);
}

static gbx_status
read_options(const gbx_series_options *options, gbx_series_options *o, gbx_error *error)
{
    gbx_status status = options_read(o, sizeof *o, options,
        offsetof(gbx_series_options, data) + sizeof o->data, "series options", error);

    if (status != GBX_OK)
        return status;
    if ((o->flags & ~(uint32_t)GBX_SERIES_CHANGING_IDS) != 0)
        return fail(error, GBX_EUNSUPPORTED, "series options: unknown flag 0x%x", o->flags);
    if (o->every_us != 0 && o->every_us < SERIES_EVERY_MIN_US)
        return fail(error, GBX_EINVAL, "series options: every_us is %llu, at least %u",
            (unsigned long long)o->every_us, (unsigned)SERIES_EVERY_MIN_US);
    if (o->every_us > LIMIT_US_MAX)
        o->every_us = 0; /* nobody is there to see it */
    if (o->growth_bytes != 0 && o->growth_bytes < SERIES_GROWTH_MIN)
        return fail(error, GBX_EINVAL, "series options: growth_bytes is %llu, at least %llu",
            (unsigned long long)o->growth_bytes, (unsigned long long)SERIES_GROWTH_MIN);
    return GBX_OK;
}

/* What the runtime is to watch for it. */
static gbx_status
hang_on(struct gbx_series *series, gbx_runtime *runtime, gbx_error *error)
{
    series->timer = fd_above_stdio(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    if (series->timer < 0)
        return fail_errno(error, "cannot make a timer");
    gbx_status status = gbx_descriptor_open(
        runtime, series->timer, on_timer, series, &series->descriptor, error);
    return status == GBX_OK
               ? gbx_observer_open(runtime, on_isolate, series, &series->observer, error)
               : status;
}

gbx_status
gbx_series_open(gbx_runtime *runtime, gbx_isolate *isolate, gbx_store *store,
    const gbx_series_options *options, gbx_series **out_series, gbx_error *error)
{
    gbx_series_options o;
    gbx_status status = read_options(options, &o, error);
    const char *label =
        status == GBX_OK && o.label != NULL ? o.label : gbx_isolate_name(isolate);

    if (status == GBX_OK)
        status = name_check_label(label, error);
    if (status == GBX_OK && store->read_only)
        status = fail(error, GBX_EINVAL, "%s is open for reading only", store->path);
    if (status == GBX_OK && gbx_isolate_death(isolate) != NULL)
        status = fail(error, GBX_EDISPOSED, "no series of an isolate that is dead");
    struct gbx_series *series = status == GBX_OK ? calloc(1, sizeof *series) : NULL;
    if (status == GBX_OK && series == NULL)
        status = fail(error, GBX_ENOMEM, "no memory for a series");
    if (status != GBX_OK)
        return status;
    series->store = store_ref(store);
    series->isolate = isolate;
    series->timer = -1;
    series->options = o;
    series->options.label = NULL; /* it was the caller's */
    text_copy(series->label, sizeof series->label, label, strlen(label));
    series->due_us = o.every_us == 0 ? UINT64_MAX : now_us() + o.every_us;
    series->base_bytes = resident(series);
    status = hang_on(series, runtime, error);
    if (status != GBX_OK) {
        gbx_series_close(series);
        return status;
    }
    set_timer(series);
    *out_series = series;
    return GBX_OK;
}

void
gbx_series_close(gbx_series *series)
{
    if (series == NULL)
        return;
    gbx_observer_close(series->observer);
    gbx_descriptor_close(series->descriptor);
    fd_close(&series->timer);
    struct taking *t = series->taking;
    if (t != NULL) {
        t->series = NULL;
        if (t->future != NULL) /* which may end it now */
            (void)gbx_heap_snapshot_cancel(t->future);
    }
    gbx_store_close(series->store);
    free(series);
}
