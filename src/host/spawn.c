/* spawn.c - a template for each set of options, and cells ahead of demand.
 *
 * Templates die with the zygote, cells with their template: by the zygote's pid namespace, and by
 * PR_SET_PDEATHSIG, whose parents are single-threaded processes, so that a thread's end is the
 * process's.
 */
#include "host/host.h"
#include "host/shared.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

/* --- templates ------------------------------------------------------------------------------ */

static struct template *
template_find(struct gbx_runtime *runtime, const uint64_t option[TEMPLATE_OPTIONS])
{
    for (struct template *t = runtime->templates; t != NULL; t = t->next)
        if (memcmp(t->option, option, sizeof t->option) == 0)
            return t;
    return NULL;
}

/* What it said of itself, or what receiving that failed with. */
static gbx_status
template_failed(int e, const struct control *said, gbx_error *error)
{
    if (e == 0 && said->number[0] == READY_REFUSED)
        return fail(error, GBX_EINVAL, "%s", said->text);
    if (e == 0)
        return fail(error, GBX_EENGINE, "the template could not start: %s", said->text);
    return fail(error, GBX_ELOST, "the template did not start: %s",
        e == ECONNRESET ? "its process died" : strerror(e));
}

static gbx_status
template_start(struct gbx_runtime *runtime, const uint64_t option[TEMPLATE_OPTIONS],
    struct template **out, gbx_error *error)
{
    int pair[2];

    if (runtime->zygote_pid == 0) {
        gbx_status status = zygote_start(runtime, error);
        if (status != GBX_OK) {
            zygote_stop(runtime);
            return status;
        }
    }
    struct template *t = calloc(1, sizeof *t);
    if (t == NULL)
        return fail(error, GBX_ENOMEM, "no memory for a template");
    t->socket = t->forks_fd = -1;
    t->runtime = runtime;
    t->cells.max = TABLE_MAX;
    t->next = runtime->templates;
    runtime->templates = t;
    memcpy(t->option, option, sizeof t->option);
    if (socket_pair(pair) < 0) {
        gbx_status status = fail_errno(error, "cannot make a template's socket");
        template_free(t);
        return status;
    }
    t->socket = pair[0];
    GBX_AUTOFD theirs = pair[1];
    struct control order = { .kind = CONTROL_TEMPLATE, .fds = { theirs, -1 } };
    memcpy(order.number, option, sizeof order.number);
    int e = control_send(runtime->zygote_socket, &order);
    fd_close(&theirs);
    if (e == 0)
        e = receive_within(t->socket, &order, START_TIMEOUT_US);
    if (e == 0)
        t->forks_fd = fd_above_stdio(steal_fd(&order.fds[0]));
    if (e == EPIPE || e == ETIMEDOUT) { /* a zygote that does not answer helps nobody */
        zygote_stop(runtime);
        return fail(error, GBX_ELOST, "the zygote did not answer: %s", strerror(e));
    }
    if (e != 0 || order.kind != CONTROL_READY || order.number[0] != READY_WELL) {
        gbx_status status = template_failed(e, &order, error);
        template_free(t);
        return status;
    }
    gbx_status status = watch_add(runtime, &t->watch, WATCH_TEMPLATE, t, t->socket, error);
    if (status == GBX_OK && t->forks_fd >= 0)
        status = watch_add(runtime, &t->forks_watch, WATCH_FORKS, t, t->forks_fd, error);
    if (status != GBX_OK) {
        template_free(t);
        return status;
    }
    *out = t;
    return GBX_OK;
}

void
template_free(struct template *template)
{
    struct gbx_runtime *runtime = template->runtime;
    uint32_t id;
    struct cell *cell;

    for (struct template **at = &runtime->templates; *at != NULL; at = &(*at)->next)
        if (*at == template) {
            *at = template->next;
            break;
        }
    /* Its end kills its cells. Isolates hear of it from their pidfds. */
    watch_remove(runtime, &template->watch, template->socket);
    watch_remove(runtime, &template->forks_watch, template->forks_fd);
    fd_close(&template->socket);
    fd_close(&template->forks_fd);
    while ((cell = table_any(&template->cells, &id)) != NULL) {
        (void)table_remove(&template->cells, id);
        cell->template = NULL;
    }
    while ((cell = template->pool) != NULL) {
        template->pool = cell->next;
        cell_free(cell);
    }
    table_done(&template->cells);
    free(template);
}

static void
on_forked(struct template *template, struct control *packet)
{
    struct cell *cell = table_get(&template->cells, packet->id);

    if (cell == NULL || cell->pidfd >= 0)
        return;
    if (packet->number[0] == 0 && packet->fds[0] < 0) {
        /* There was no room for its pidfd, and without one it cannot be ours. */
        struct control order = { .kind = CONTROL_KILL, .id = packet->id, .fds = { -1, -1 } };
        (void)control_send(template->socket, &order);
        packet->number[0] = EMFILE;
    }
    cell->failed = packet->number[0] != 0;
    cell->os_errno = (int)packet->number[0];
    if (cell->failed)
        return;
    cell->pidfd = fd_above_stdio(steal_fd(&packet->fds[0]));
    struct gbx_runtime *runtime = template->runtime;
    gbx_error error = GBX_ERROR_INIT;
    if (watch_add(runtime, &cell->exit, WATCH_CELL_EXIT, cell, cell->pidfd, &error) != GBX_OK ||
        watch_add(runtime, &cell->event, WATCH_CELL_EVENT, cell, cell->event_fd, &error) !=
            GBX_OK) {
        cell_kill(cell);
        cell->failed = true;
        cell->os_errno = error.os_errno != 0 ? error.os_errno : ENOMEM;
    }
}

/* One packet. False: the template is gone, or speaks nonsense. */
static bool
take_packet(struct template *template, struct control *packet)
{
    struct cell *cell;

    switch (packet->kind) {
    case CONTROL_FORKED:
        on_forked(template, packet);
        break;
    case CONTROL_MEMORY:
        cell = table_get(&template->cells, packet->id);
        if (cell != NULL && cell->memory_orders > 0)
            cell->memory_orders--;
        break;
    case CONTROL_STRAY:
        cell = table_get(&template->cells, packet->id);
        if (cell != NULL && cell->twin != NULL && !cell->twin->may_fork)
            cell->twin->lost = true;
        break;
    case CONTROL_EXITED:
        /* It stays in the table: it must hear of the template's end. */
        cell = table_get(&template->cells, packet->id);
        if (cell != NULL && !cell->exited) {
            cell->exited = true;
            cell->wait_status = (int)packet->number[0];
            cell->cpu_us = packet->number[1];
            cell->resident_bytes = packet->number[2];
        }
        break;
    default:
        return false;
    }
    fd_close(&packet->fds[0]);
    fd_close(&packet->fds[1]);
    return true;
}

void
template_receive(struct template *template)
{
    struct control packet;
    int error;

    while ((error = control_receive(template->socket, &packet, false)) == 0)
        if (!take_packet(template, &packet)) {
            error = EBADMSG;
            break;
        }
    if (error != EAGAIN)
        template_free(template);
}

int
template_take(struct template *template, uint64_t until_us)
{
    struct control packet;
    uint64_t now = now_us();
    int error =
        now < until_us ? receive_within(template->socket, &packet, until_us - now) : ETIMEDOUT;

    if (error == 0 && !take_packet(template, &packet))
        error = EBADMSG;
    if (error != 0 && error != ETIMEDOUT)
        template_free(template);
    return error;
}

/* --- cells ---------------------------------------------------------------------------------- */

void
cell_kill(struct cell *cell)
{
    if (cell->pidfd >= 0)
        (void)syscall(SYS_pidfd_send_signal, cell->pidfd, SIGKILL, NULL, 0);
}

void
cell_free(struct cell *cell)
{
    if (cell == NULL)
        return;
    cell_kill(cell);
    if (cell->template != NULL)
        (void)table_remove(&cell->template->cells, cell->id);
    watch_remove(cell->runtime, &cell->event, cell->event_fd);
    watch_remove(cell->runtime, &cell->exit, cell->pidfd);
    channel_unmap(&cell->channel);
    fd_close(&cell->event_fd);
    fd_close(&cell->pidfd);
    free(cell);
}

struct cell *
cell_prepare(struct template *template, int *memory, gbx_error *error)
{
    struct cell *cell = calloc(1, sizeof *cell);

    if (cell == NULL) {
        (void)fail(error, GBX_ENOMEM, "no memory for a cell");
        return NULL;
    }
    cell->runtime = template->runtime;
    cell->pidfd = -1;
    cell->event_fd = fd_above_stdio(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    *memory = fd_above_stdio(channel_memory_new());
    if (cell->event_fd < 0 || *memory < 0 || !channel_map(&cell->channel, *memory, true)) {
        (void)fail_errno(error, "cannot make a cell's channel");
    } else if ((cell->id = table_add(&template->cells, cell)) == 0) {
        (void)fail(error, GBX_ENOMEM, "no memory for a cell");
    } else {
        cell->template = template;
        return cell;
    }
    cell_free(cell);
    fd_close(memory);
    return NULL;
}

/* 0 or an errno. */
static int
send_shares(const struct template *template, const struct cell *cell,
    const gbx_isolate_options *options)
{
    int e = 0;

    for (uint64_t i = 0; e == 0 && options != NULL && i < options->shared_count; i++) {
        const gbx_shared *shared = options->shared[i];
        struct control order = {
            .kind = CONTROL_SHARE, .id = cell->id, .fds = { shared->fd, -1 }
        };
        order.number[0] = shared->memory.len;
        e = control_send(template->socket, &order);
    }
    return e;
}

/* Asks for one more, for an isolate of these options or, with NULL, for a pool; its FORKED comes
 * later. */
static struct cell *
cell_order(struct template *template, const gbx_isolate_options *options, gbx_error *error)
{
    GBX_AUTOFD memory = -1;
    struct cell *cell = cell_prepare(template, &memory, error);

    if (cell == NULL)
        return NULL;
    struct control order = {
        .kind = CONTROL_FORK, .id = cell->id, .fds = { memory, cell->event_fd }
    };
    int e = send_shares(template, cell, options);
    if (e == 0)
        e = control_send(template->socket, &order);
    if (e == 0)
        return cell;
    errno = e;
    (void)fail_errno(error, "cannot order a cell");
    cell_free(cell);
    return NULL;
}

/* Waits until a cell is forked. False: it failed, or its template did. */
static bool
cell_await(struct cell *cell, gbx_error *error)
{
    uint64_t until = now_us() + START_TIMEOUT_US;

    while (cell->pidfd < 0 && !cell->failed) {
        struct template *template = cell->template;
        int e = template_take(template, until);
        if (e == 0)
            continue;
        (void)fail(error, GBX_ELOST, "the template could not fork a cell: %s",
            e == ECONNRESET ? "its process died" : strerror(e));
        if (e == ETIMEDOUT)
            template_free(template);
        return false;
    }
    if (!cell->failed)
        return true;
    errno = cell->os_errno;
    (void)fail_errno(error, "the template could not fork a cell");
    return false;
}

void
pools_fill(struct gbx_runtime *runtime)
{
    runtime->fill_at_us = UINT64_MAX;
    for (struct template *t = runtime->templates; t != NULL; t = t->next)
        while (t->pooled < runtime->pool_size) {
            struct cell *ahead = cell_order(t, NULL, NULL);
            if (ahead == NULL)
                break;
            struct cell **last = &t->pool; /* the oldest is taken first: it is ready */
            while (*last != NULL)
                last = &(*last)->next;
            *last = ahead;
            t->pooled++;
        }
}

/* Takes a cell from the pool, but none that has died there. */
static struct cell *
pool_take(struct template *template)
{
    struct cell *cell;

    while ((cell = template->pool) != NULL) {
        template->pool = cell->next;
        template->pooled--;
        if (cell->pidfd < 0 || !has_ended(cell->pidfd, 0))
            break;
        cell_free(cell);
    }
    return cell;
}

/* Notices deaths that no dispatch has been there for. */
static void
look_after(struct gbx_runtime *runtime, const uint64_t option[TEMPLATE_OPTIONS], int timeout_ms)
{
    struct template *template;

    if (runtime->zygote_pidfd >= 0 && has_ended(runtime->zygote_pidfd, timeout_ms))
        zygote_stop(runtime);
    if ((template = template_find(runtime, option)) != NULL)
        template_receive(template);
}

static gbx_status
cell_try(struct gbx_runtime *runtime, const uint64_t option[TEMPLATE_OPTIONS],
    const gbx_isolate_options *options, struct cell **out, gbx_error *error)
{
    gbx_error why = GBX_ERROR_INIT;
    struct template *template = template_find(runtime, option);

    if (template == NULL) {
        gbx_status status = template_start(runtime, option, &template, error);
        if (status != GBX_OK)
            return status;
    }
    /* What lies in a pool is sealed, and can be given no memory any more. */
    struct cell *cell = options->shared_count == 0 ? pool_take(template) : NULL;
    bool pooled = cell != NULL;
    if (!pooled)
        cell = cell_order(template, options, &why);
    if (cell == NULL || !cell_await(cell, &why)) {
        cell_free(cell);
        error_copy(error, &why);
        return why.status;
    }
    *out = cell;
    if (!pooled) {
        pools_fill(runtime);
    } else if (runtime->fill_at_us == UINT64_MAX) {
        /* Not at once: a fork and the new cell's start would take the processors from the cell
         * that is wanted now. */
        runtime->fill_at_us = now_us() + POOL_FILL_US;
        runtime_alarm(runtime, runtime->fill_at_us);
    }
    return GBX_OK;
}

gbx_status
cell_obtain(struct gbx_runtime *runtime, const uint64_t option[TEMPLATE_OPTIONS],
    const gbx_isolate_options *options, struct cell **out, gbx_error *error)
{
    gbx_status status = GBX_ELOST;

    /* Zygote and template may die at any moment; who asks for a cell shall not pay for it. */
    for (int i = 0; i < OBTAIN_ATTEMPTS && status == GBX_ELOST; i++) {
        look_after(runtime, option, i == 0 ? 0 : OBTAIN_LOOK_MS);
        status = cell_try(runtime, option, options, out, error);
    }
    return status;
}

bool
cell_wait_exit(struct cell *cell, int64_t timeout_us)
{
    uint64_t until = now_us() + (uint64_t)timeout_us;

    while (!cell->exited && cell->template != NULL &&
           template_take(cell->template, until) != ETIMEDOUT)
        ;
    return cell->exited;
}
