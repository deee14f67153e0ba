/* observe.c - what others hang on a runtime: descriptors of their own, and observers.
 *
 * The descriptors are in an epoll set of their own, which is one member of the runtime's: so one
 * that waits for a single isolate can wait for them as well.
 */
#include "host/observe.h"
#include "host/host.h"

#include "base/check.h"
#include "base/error.h"
#include "base/fd.h"

#include <stdlib.h>
#include <sys/epoll.h>

/* --- descriptors ---------------------------------------------------------------------------- */

struct gbx_descriptor {
    struct gbx_runtime *runtime; /* NULL: it was closed */
    int fd;                      /* borrowed */
    uint32_t id;                 /* in runtime->descriptors */
    gbx_descriptor_callback on_readable;
    void *data;
};

static gbx_status
set_open(struct gbx_runtime *runtime, gbx_error *error)
{
    if (runtime->descriptors_fd >= 0)
        return GBX_OK;
    GBX_AUTOFD fd = fd_above_stdio(epoll_create1(EPOLL_CLOEXEC));
    if (fd < 0)
        return fail_errno(error, "cannot make a set of descriptors");
    gbx_status status =
        watch_add(runtime, &runtime->descriptors_watch, WATCH_DESCRIPTORS, runtime, fd, error);
    if (status == GBX_OK)
        runtime->descriptors_fd = steal_fd(&fd);
    return status;
}

gbx_status
gbx_descriptor_open(gbx_runtime *runtime, int32_t fd, gbx_descriptor_callback on_readable,
    void *data, gbx_descriptor **out_descriptor, gbx_error *error)
{
    if (on_readable == NULL)
        return fail(error, GBX_EINVAL, "a descriptor to watch needs a callback");
    gbx_status status = set_open(runtime, error);
    if (status != GBX_OK)
        return status;
    gbx_descriptor *descriptor = malloc(sizeof *descriptor);
    if (descriptor == NULL)
        return fail(error, GBX_ENOMEM, "no memory to watch a descriptor");
    *descriptor = (gbx_descriptor){
        .runtime = runtime, .fd = fd, .on_readable = on_readable, .data = data
    };
    descriptor->id = table_add(&runtime->descriptors, descriptor);
    if (descriptor->id == 0) {
        free(descriptor);
        return fail(error, GBX_ENOMEM, "no memory to watch a descriptor");
    }
    struct epoll_event event = { .events = EPOLLIN, .data = { .u32 = descriptor->id } };
    if (epoll_ctl(runtime->descriptors_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
        status = fail_errno(error, "cannot watch descriptor %d", fd);
        (void)table_remove(&runtime->descriptors, descriptor->id);
        free(descriptor);
        return status;
    }
    *out_descriptor = descriptor;
    return GBX_OK;
}

void
gbx_descriptor_close(gbx_descriptor *descriptor)
{
    if (descriptor == NULL)
        return;
    struct gbx_runtime *runtime = descriptor->runtime;
    if (runtime != NULL) {
        (void)table_remove(&runtime->descriptors, descriptor->id);
        (void)epoll_ctl(runtime->descriptors_fd, EPOLL_CTL_DEL, descriptor->fd, NULL);
    }
    free(descriptor);
}

void
descriptors_serve(struct gbx_runtime *runtime)
{
    struct epoll_event events[16];
    int n = epoll_wait(runtime->descriptors_fd, events, COUNT(events), 0);

    for (int i = 0; i < n; i++) {
        /* An earlier one's callback may have closed it. */
        gbx_descriptor *d = table_get(&runtime->descriptors, events[i].data.u32);
        if (d != NULL)
            d->on_readable(d, d->data);
    }
}

/* --- observers ------------------------------------------------------------------------------ */

struct gbx_observer {
    struct gbx_runtime *runtime; /* NULL: it was closed */
    uint32_t id;                 /* in runtime->observers */
    gbx_observer_callback on_event;
    void *data;
};

gbx_status
gbx_observer_open(gbx_runtime *runtime, gbx_observer_callback on_event, void *data,
    gbx_observer **out_observer, gbx_error *error)
{
    if (on_event == NULL)
        return fail(error, GBX_EINVAL, "an observer needs a callback");
    gbx_observer *observer = malloc(sizeof *observer);
    if (observer == NULL)
        return fail(error, GBX_ENOMEM, "no memory for an observer");
    *observer = (gbx_observer){ .runtime = runtime, .on_event = on_event, .data = data };
    observer->id = table_add(&runtime->observers, observer);
    if (observer->id == 0) {
        free(observer);
        return fail(error, GBX_ENOMEM, "no memory for an observer");
    }
    for (gbx_isolate *i = runtime->isolates, *next; i != NULL; i = next) {
        next = i->next;
        if (i->cell != NULL && i->announced)
            on_event(i, GBX_ISOLATE_BEGAN, data);
    }
    *out_observer = observer;
    return GBX_OK;
}

void
gbx_observer_close(gbx_observer *observer)
{
    if (observer == NULL)
        return;
    if (observer->runtime != NULL)
        (void)table_remove(&observer->runtime->observers, observer->id);
    free(observer);
}

static void
tell(struct gbx_runtime *runtime, gbx_isolate *isolate, uint32_t event)
{
    uint32_t cursor = 0, id;
    const gbx_observer *observer;

    isolate_ref(isolate);
    while ((observer = table_next(&runtime->observers, &cursor, &id)) != NULL)
        observer->on_event(isolate, event, observer->data);
    isolate_unref(isolate);
}

void
isolate_announce(gbx_isolate *isolate)
{
    isolate->announced = true;
    tell(isolate->runtime, isolate, GBX_ISOLATE_BEGAN);
}

void
observers_tell_end(struct gbx_runtime *runtime, gbx_isolate *isolate)
{
    if (isolate->announced)
        tell(runtime, isolate, GBX_ISOLATE_ENDED);
}

/* --- the end of the runtime ----------------------------------------------------------------- */

void
observers_leave(struct gbx_runtime *runtime)
{
    uint32_t id;
    gbx_descriptor *descriptor;
    gbx_observer *observer;

    while ((descriptor = table_any(&runtime->descriptors, &id)) != NULL) {
        (void)table_remove(&runtime->descriptors, id);
        descriptor->runtime = NULL;
    }
    while ((observer = table_any(&runtime->observers, &id)) != NULL) {
        (void)table_remove(&runtime->observers, id);
        observer->runtime = NULL;
    }
    watch_remove(runtime, &runtime->descriptors_watch, runtime->descriptors_fd);
    fd_close(&runtime->descriptors_fd);
    table_done(&runtime->descriptors);
    table_done(&runtime->observers);
}

const char *
gbx_isolate_name(const gbx_isolate *isolate)
{
    return isolate->name;
}
