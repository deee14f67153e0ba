/* profile.c - profiles: an inspector session of our own, and the file that comes of it.
 *
 * V8's answer has the profile as DevTools saves it, and is handed on as text. What is in it is the
 * cell's claim, like all that a session says.
 */
#include "host/profile.h"
#include "host/host.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/result_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The commands' ids. */
enum {
    ID_ENABLE = 1,
    ID_INTERVAL,
    ID_START,
    ID_STOP
};

struct profile {
    gbx_isolate *isolate;
    gbx_future *future; /* the caller's; open; finished by us */
    gbx_inspector *inspector;
    uint32_t kind;
    uint64_t duration_us;
    uint64_t look_at_us; /* it is to be stopped, or an answer is overdue; UINT64_MAX: never */
    bool started, stopping;
    char *path; /* owned; NULL: a sink */
    gbx_snapshot_sink sink;
    void *data;
};

/* --- the end -------------------------------------------------------------------------------- */

static void
finish(struct profile *p, gbx_status status, const gbx_error *error, uint64_t bytes)
{
    gbx_future *future = p->future;
    gbx_value *value = status == GBX_OK ? gbx_value_new_number((double)bytes) : NULL;

    if (status == GBX_OK && value == NULL)
        status = GBX_ENOMEM;
    p->isolate->profiles[p->kind] = NULL;
    gbx_inspector_close(p->inspector);
    free(p->path);
    free(p);
    future_finish(future, status, error, value, NULL);
}

static void
fail_with(struct profile *p, gbx_status status, const char *why)
{
    gbx_error error = GBX_ERROR_INIT;

    (void)fail(&error, status, "%s", why);
    finish(p, status, &error, 0);
}

void
profiles_abandon(gbx_isolate *isolate)
{
    for (uint32_t kind = 0; kind < PROFILE_KINDS; kind++)
        if (isolate->profiles[kind] != NULL)
            fail_with(isolate->profiles[kind],
                isolate->has_died ? isolate->death.status : GBX_EDISPOSED,
                "the isolate ended before its profile was written");
}

static gbx_status
write_file(const char *path, const char *text, size_t len, gbx_error *error)
{
    struct result_file file = { .fd = -1 };
    gbx_status status = result_file_create(&file, path, true, error);

    if (status == GBX_OK)
        status = result_file_write(&file, span_of(text, len), error);
    if (status == GBX_OK)
        status = result_file_name(&file, error);
    result_file_close(&file);
    return status;
}

static void
deliver(struct profile *p, const char *text, size_t len)
{
    gbx_isolate *isolate = p->isolate;
    uint32_t kind = p->kind;
    gbx_error error = GBX_ERROR_INIT;
    gbx_status status;

    isolate_ref(isolate);
    if (p->path != NULL) {
        status = write_file(p->path, text, len, &error);
    } else {
        status = p->sink(text, len, p->data);
        if (status != GBX_OK)
            (void)fail(&error, status, "the profile's sink gave up");
    }
    if (isolate->profiles[kind] == p) /* else the sink has closed the isolate */
        finish(p, status, &error, len);
    isolate_unref(isolate);
}

/* --- the session ---------------------------------------------------------------------------- */

static void
say(struct profile *p, int id, const char *method, const char *params)
{
    static const char *const domains[] = {
        [GBX_PROFILE_CPU] = "Profiler",
        [GBX_PROFILE_HEAP] = "HeapProfiler",
    };
    char command[160];
    int len =
        snprintf(command, sizeof command, "{\"id\":%d,\"method\":\"%s.%s\",\"params\":{%s}}",
            id, domains[p->kind], method, params);

    (void)gbx_inspector_send(p->inspector, command, (size_t)len);
}

static void
stop(struct profile *p)
{
    if (p->stopping)
        return;
    p->stopping = true;
    p->look_at_us = now_us() + PROFILE_ANSWER_US;
    isolate_look_at(p->isolate, p->look_at_us);
    say(p, ID_STOP, p->kind == GBX_PROFILE_CPU ? "stop" : "stopSampling", "");
}

static bool
begins_with(const char *json, size_t len, const char *begin)
{
    return len >= strlen(begin) && memcmp(json, begin, strlen(begin)) == 0;
}

static void
on_message(gbx_inspector *inspector, const char *json, size_t len, void *data)
{
    static const char stopped[] = "{\"id\":4,\"result\":{\"profile\":", end[] = "}}";
    struct profile *p = data;

    (void)inspector;
    if (begins_with(json, len, "{\"id\":3,\"result\":") && !p->started && !p->stopping) {
        p->started = true;
        p->look_at_us = p->duration_us == 0 ? UINT64_MAX : now_us() + p->duration_us;
        isolate_look_at(p->isolate, p->look_at_us);
        return;
    }
    if (p->stopping && len > sizeof stopped + sizeof end && begins_with(json, len, stopped) &&
        memcmp(json + len - strlen(end), end, strlen(end)) == 0) {
        deliver(p, json + strlen(stopped), len - strlen(stopped) - strlen(end));
        return;
    }
    /* What is no answer is an event; each other answer that is no result ends it. */
    if (begins_with(json, len, "{\"id\":") && memmem(json, len, "\"error\":", 8) != NULL)
        fail_with(p, GBX_ESYS, "the cell cannot take a profile");
}

uint64_t
profiles_look(gbx_isolate *isolate, uint64_t now)
{
    uint64_t next = UINT64_MAX;

    for (uint32_t kind = 0; kind < PROFILE_KINDS; kind++) {
        struct profile *p = isolate->profiles[kind];
        if (p != NULL && now >= p->look_at_us && p->started && !p->stopping)
            stop(p);
        else if (p != NULL && now >= p->look_at_us)
            fail_with(p, GBX_ESYS, "the cell did not hand out its profile");
        p = isolate->profiles[kind];
        if (p != NULL && p->look_at_us < next)
            next = p->look_at_us;
    }
    return next;
}

/* --- public --------------------------------------------------------------------------------- */

static gbx_status
check(const gbx_isolate *isolate, const gbx_profile_options *options, gbx_profile_options *o,
    gbx_error *error)
{
    static const struct {
        uint64_t usual, min, max;
    } intervals[] = {
        [GBX_PROFILE_CPU] = { 1000, 100, 1000000 },
        [GBX_PROFILE_HEAP] = { 512 * KIB, KIB, GIB },
    };
    gbx_status status = options_read(o, sizeof *o, options,
        offsetof(gbx_profile_options, data) + sizeof o->data, "profile options", error);

    if (status != GBX_OK)
        return status;
    if (o->kind >= PROFILE_KINDS)
        return fail(error, GBX_EUNSUPPORTED, "profile options: unknown kind %u", o->kind);
    if ((o->path != NULL) + (o->sink != NULL) != 1)
        return fail(
            error, GBX_EINVAL, "profile options: either path or sink says where it goes");
    if (o->interval == 0)
        o->interval = intervals[o->kind].usual;
    if (o->interval < intervals[o->kind].min || o->interval > intervals[o->kind].max)
        return fail(error, GBX_EINVAL,
            "profile options: an interval of %llu, expected %llu to %llu",
            (unsigned long long)o->interval, (unsigned long long)intervals[o->kind].min,
            (unsigned long long)intervals[o->kind].max);
    if (o->duration_us > LIMIT_US_MAX)
        o->duration_us = 0;
    if (o->kind == GBX_PROFILE_CPU && (isolate->options.flags & GBX_ISOLATE_PROFILING) == 0)
        return fail(error, GBX_EUNSUPPORTED,
            "a CPU profile needs a thread: open the isolate with GBX_ISOLATE_PROFILING");
    if (isolate->profiles[o->kind] != NULL)
        return fail(error, GBX_ELIMIT, "a profile of this kind is under way in this isolate");
    return GBX_OK;
}

static void
begin(struct profile *p, uint64_t interval)
{
    char params[64];

    say(p, ID_ENABLE, "enable", "");
    (void)snprintf(params, sizeof params,
        p->kind == GBX_PROFILE_CPU ? "\"interval\":%llu" : "\"samplingInterval\":%llu",
        (unsigned long long)interval);
    if (p->kind == GBX_PROFILE_CPU) {
        say(p, ID_INTERVAL, "setSamplingInterval", params);
        say(p, ID_START, "start", "");
    } else {
        say(p, ID_START, "startSampling", params);
    }
}

gbx_future *
gbx_profile(gbx_isolate *isolate, const gbx_profile_options *options)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_profile_options o;

    if (check(isolate, options, &o, &error) != GBX_OK)
        return future_refused(&error);
    gbx_future *future = future_new(isolate, FUTURE_LOCAL);
    if (future->finished)
        return future;
    future->urgent = true;
    struct profile *p = calloc(1, sizeof *p);
    gbx_status status =
        p != NULL ? GBX_OK : fail(&error, GBX_ENOMEM, "no memory for a profile");
    if (status == GBX_OK && o.path != NULL && (p->path = strdup(o.path)) == NULL)
        status = fail(&error, GBX_ENOMEM, "no memory for a profile");
    if (status == GBX_OK)
        status = gbx_inspector_open(isolate, on_message, p, &p->inspector, &error);
    if (status != GBX_OK) {
        if (p != NULL)
            free(p->path);
        free(p);
        if (!future->finished)
            future_finish(future, status, &error, NULL, NULL);
        return future;
    }
    p->isolate = isolate;
    p->future = future;
    p->kind = o.kind;
    p->duration_us = o.duration_us;
    p->sink = o.sink;
    p->data = o.data;
    p->look_at_us = now_us() + PROFILE_ANSWER_US;
    isolate->profiles[o.kind] = p;
    isolate_look_at(isolate, p->look_at_us);
    begin(p, o.interval);
    return future;
}

gbx_status
gbx_profile_stop(gbx_isolate *isolate, uint32_t kind)
{
    if (kind >= PROFILE_KINDS || isolate->profiles[kind] == NULL)
        return GBX_EINVAL;
    stop(isolate->profiles[kind]);
    return GBX_OK;
}
