/* runtime.c - opening and closing, and the events of all that a runtime watches. */
#include "host/host.h"
#include "host/observe.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

/* --- watches -------------------------------------------------------------------------------- */

gbx_status
watch_add(struct gbx_runtime *runtime, struct watch *watch, enum watch_kind kind, void *object,
    int fd, gbx_error *error)
{
    *watch = (struct watch){ kind, object, table_add(&runtime->watches, watch) };
    if (watch->id == 0)
        return fail(error, GBX_ENOMEM, "no memory to watch a process");
    struct epoll_event event = { .events = EPOLLIN, .data = { .u32 = watch->id } };
    if (epoll_ctl(runtime->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0)
        return GBX_OK;
    (void)table_remove(&runtime->watches, watch->id);
    watch->id = 0;
    return fail_errno(error, "cannot watch a process");
}

void
watch_remove(struct gbx_runtime *runtime, struct watch *watch, int fd)
{
    if (watch->id == 0)
        return;
    (void)table_remove(&runtime->watches, watch->id);
    watch->id = 0;
    /* Before the fd is closed: another process may hold a copy, and then it would go on. */
    (void)epoll_ctl(runtime->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

/* --- the timer ------------------------------------------------------------------------------ */

static void
timer_set(struct gbx_runtime *runtime, uint64_t at_us)
{
    struct itimerspec spec = { .it_value = { (time_t)(at_us / 1000000),
                                   (long)(at_us % 1000000) * 1000 } };

    runtime->timer_at_us = at_us;
    (void)timerfd_settime(runtime->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

void
runtime_alarm(struct gbx_runtime *runtime, uint64_t at_us)
{
    /* Calls with the same limit, one after the other, set it about once per limit. */
    if (at_us < runtime->timer_at_us)
        timer_set(runtime, at_us);
}

static void
on_timer(struct gbx_runtime *runtime)
{
    uint64_t ticks, first = UINT64_MAX, now = now_us();

    if (read(runtime->timer_fd, &ticks, sizeof ticks) < 0)
        return;
    runtime->timer_at_us = UINT64_MAX; /* it has rung; callbacks may set it anew */
    /* Enforcing runs callbacks, which may close any isolate: then the round begins anew. What
     * has been looked at by then answers at once. */
    struct gbx_isolate *i = runtime->isolates;
    while (i != NULL) {
        isolate_ref(i);
        isolate_release(i);
        uint64_t at = isolate_enforce(i, now);
        if (now >= runtime->idle_at_us)
            isolate_look_at_idle(i, now);
        first = at < first ? at : first;
        struct gbx_isolate *next = i->runtime == runtime ? i->next : runtime->isolates;
        isolate_unref(i);
        i = next;
    }
    if (now >= runtime->idle_at_us)
        runtime->idle_at_us = runtime->isolates != NULL ? now + IDLE_LOOK_US : UINT64_MAX;
    if (now >= runtime->fill_at_us)
        pools_fill(runtime);
    runtime_alarm(runtime, first);
    runtime_alarm(runtime, runtime->idle_at_us);
    runtime_alarm(runtime, runtime->fill_at_us);
}

/* --- dispatch ------------------------------------------------------------------------------- */

static void
on_cell_exit(struct cell *cell)
{
    struct gbx_isolate *isolate = cell->isolate;

    if (isolate != NULL) {
        isolate_ended(isolate);
        return;
    }
    /* One of the pool: it is replaced when the next is taken. */
    for (struct cell **at = &cell->template->pool; *at != NULL; at = &(*at)->next)
        if (*at == cell) {
            *at = cell->next;
            cell->template->pooled--;
            break;
        }
    cell_free(cell);
}

static void
on_cell_event(struct cell *cell)
{
    struct gbx_isolate *isolate = cell->isolate;
    uint64_t count;

    if (read(cell->event_fd, &count, sizeof count) < 0 && errno != EAGAIN)
        return;
    if (isolate == NULL)
        return;
    isolate_heed_stops(isolate);
    isolate_ref(isolate);
    isolate_wake(isolate);
    (void)isolate_service(isolate);
    isolate_rest(isolate);
    isolate_unref(isolate);
}

static void
handle(struct gbx_runtime *runtime, const struct watch *watch)
{
    switch (watch->kind) {
    case WATCH_CELL_EVENT:
        on_cell_event(watch->object);
        break;
    case WATCH_CELL_EXIT:
        on_cell_exit(watch->object);
        break;
    case WATCH_TEMPLATE:
        template_receive(watch->object);
        break;
    case WATCH_FORKS:
        template_answer_forks(watch->object);
        break;
    case WATCH_ZYGOTE:
        zygote_stop(runtime); /* it died; the next isolate gets a new one */
        break;
    case WATCH_TIMER:
        on_timer(runtime);
        break;
    case WATCH_DESCRIPTORS:
        descriptors_serve(runtime);
        break;
    }
}

gbx_status
gbx_runtime_dispatch(gbx_runtime *runtime, int64_t timeout_us)
{
    struct epoll_event events[64];
    uint64_t until = timeout_us < 0 ? UINT64_MAX : now_us() + (uint64_t)timeout_us;

    for (;;) {
        /* Called in a callback: what is being served further down must ring, too. */
        for (gbx_isolate *i = runtime->isolates; i != NULL && runtime->awake > 0; i = i->next)
            if (i->awake)
                isolate_listen(i);
        int wait_ms = -1;
        if (until != UINT64_MAX) {
            uint64_t now = now_us();
            uint64_t left_ms = until > now ? (until - now + 999) / 1000 : 0;
            wait_ms = left_ms > INT32_MAX ? INT32_MAX : (int)left_ms;
        }
        int n = epoll_wait(runtime->epoll_fd, events, COUNT(events), wait_ms);
        if (n < 0 && errno != EINTR)
            return GBX_ESYS;
        for (int i = 0; i < n; i++) {
            /* An earlier event's handler may have closed what this one is about. */
            struct watch *watch = table_get(&runtime->watches, events[i].data.u32);
            if (watch != NULL)
                handle(runtime, watch);
        }
        if (n > 0)
            return GBX_OK;
        if (n == 0 && now_us() >= until)
            return GBX_EBUSY;
    }
}

/* --- open and close ------------------------------------------------------------------------- */

gbx_status
runtime_new(struct gbx_runtime **out, gbx_error *error)
{
    struct gbx_runtime *runtime = calloc(1, sizeof *runtime);

    if (runtime == NULL)
        return fail(error, GBX_ENOMEM, "no memory for a runtime");
    runtime->zygote_socket = runtime->zygote_pidfd = -1;
    runtime->timer_at_us = runtime->fill_at_us = runtime->idle_at_us = UINT64_MAX;
    runtime->watches.max = runtime->descriptors.max = runtime->observers.max = TABLE_MAX;
    runtime->descriptors_fd = -1;
    runtime->epoll_fd = fd_above_stdio(epoll_create1(EPOLL_CLOEXEC));
    runtime->timer_fd =
        fd_above_stdio(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    runtime->self_fd = fd_above_stdio((int)syscall(SYS_pidfd_open, getpid(), 0));
    gbx_status status = GBX_OK;
    if (runtime->epoll_fd < 0 || runtime->timer_fd < 0 || runtime->self_fd < 0)
        status = fail_errno(error, "cannot make the runtime's descriptors");
    if (status == GBX_OK &&
        getrandom(runtime->cache_key, CACHE_KEY_BYTES, 0) != CACHE_KEY_BYTES)
        status = fail_errno(error, "cannot draw a random key");
    runtime->scratch = calloc(1, sizeof *runtime->scratch);
    if (runtime->scratch != NULL) {
        runtime->scratch->refs = 1;
        runtime->scratch->out.max = runtime->scratch->body.max = MESSAGE_BYTES_MAX;
        runtime->scratch->out.shares = true;
    } else if (status == GBX_OK) {
        status = fail(error, GBX_ENOMEM, "no memory for a runtime");
    }
    if (status == GBX_OK)
        status =
            watch_add(runtime, &runtime->timer, WATCH_TIMER, runtime, runtime->timer_fd, error);
    if (status != GBX_OK) {
        gbx_runtime_close(runtime);
        return status;
    }
    *out = runtime;
    return GBX_OK;
}

gbx_status
gbx_runtime_open(
    const gbx_runtime_options *options, gbx_runtime **out_runtime, gbx_error *error)
{
    gbx_runtime_options o;
    gbx_runtime *runtime;
    gbx_status status = options_read(&o, sizeof o, options,
        offsetof(gbx_runtime_options, engine) + sizeof o.engine, "runtime options", error);

    if (status != GBX_OK)
        return status;
    if (o.pool > POOL_MAX && o.pool != GBX_POOL_NONE)
        return fail(error, GBX_EINVAL, "runtime options: a pool of %u, at most %d is allowed",
            o.pool, POOL_MAX);
    status = runtime_new(&runtime, error);
    if (status != GBX_OK)
        return status;
    if (o.require > GBX_REQUIRE_NONE)
        status =
            fail(error, GBX_EUNSUPPORTED, "runtime options: unknown require %u", o.require);
    runtime->require = o.require == GBX_REQUIRE_NONE   ? 0
                       : o.require == GBX_REQUIRE_FULL ? layers_up_to(LAYER_FULL)
                                                       : layers_up_to(LAYER_STRICT);
    if (o.cache_key != NULL)
        memcpy(runtime->cache_key, o.cache_key, CACHE_KEY_BYTES);
    runtime->pool_size = o.pool == GBX_POOL_NONE ? 0 : o.pool == 0 ? POOL_DEFAULT : o.pool;
    if (status == GBX_OK)
        status = paths_find(o.engine, &runtime->paths, error);
    if (status == GBX_OK)
        status = zygote_start(runtime, error);
    if (status != GBX_OK) {
        gbx_runtime_close(runtime);
        return status;
    }
    *out_runtime = runtime;
    return GBX_OK;
}

void
gbx_runtime_close(gbx_runtime *runtime)
{
    if (runtime == NULL)
        return;
    while (runtime->isolates != NULL) {
        struct gbx_isolate *isolate = runtime->isolates;
        isolate_ref(isolate);
        isolate_leave(isolate);
        isolate_unref(isolate);
    }
    observers_leave(runtime);
    zygote_stop(runtime);
    watch_remove(runtime, &runtime->timer, runtime->timer_fd);
    fd_close(&runtime->timer_fd);
    fd_close(&runtime->self_fd);
    fd_close(&runtime->epoll_fd);
    table_done(&runtime->watches);
    scratch_unref(runtime->scratch);
    explicit_bzero(runtime->cache_key, sizeof runtime->cache_key);
    free(runtime);
}

int
gbx_runtime_fd(const gbx_runtime *runtime)
{
    return runtime->epoll_fd;
}

const char *
gbx_runtime_engine(const gbx_runtime *runtime)
{
    return runtime->engine;
}

const char *
gbx_runtime_engine_path(const gbx_runtime *runtime)
{
    return runtime->paths.engine;
}

const char *
gbx_runtime_cell_path(const gbx_runtime *runtime)
{
    return runtime->paths.cell;
}

uint32_t
gbx_version(void)
{
    return GBX_VERSION;
}
