/* twin.c - forks of isolates: a live cell is doubled, and its double becomes a cell.
 *
 * The cell forks when we have asked it to and the kernel has asked us. Its twin is the template's
 * child, still in the session of the cell, and asks for one of its own: that is how we know it,
 * since nobody else can be there who is not the cell's. While it is held in that call the
 * template takes it among its cells, and we put channel and bell into it. No process but the twin
 * ever has those; what it still has of its cell's, the cell's own memory was.
 */
#include "host/given.h"
#include "host/host.h"
#include "host/observe.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

/* --- the twin asks -------------------------------------------------------------------------- */

/* Why a twin could not be made a cell; 0: because it has died, of which nobody knows why. */
static int
cause(int os_errno)
{
    return os_errno == ESRCH || os_errno == ENOENT || os_errno == ECHILD ? 0 : os_errno;
}

/* The cell whose session a process is in, and whose twin is waited for. */
static struct cell *
original_of(struct template *template, pid_t pid)
{
    pid_t session = getsid(pid);
    uint32_t cursor = 0, id;
    struct cell *cell;

    while ((cell = table_next(&template->cells, &cursor, &id)) != NULL)
        if (cell->twin != NULL && !cell->exited && cell_pid(cell) == session)
            return cell;
    return NULL;
}

static bool
hand_over(const struct template *template, uint64_t question, int fd, int number)
{
    struct seccomp_notif_addfd add = { .id = question,
        .flags = SECCOMP_ADDFD_FLAG_SETFD,
        .srcfd = (uint32_t)fd,
        .newfd = (uint32_t)number,
        .newfd_flags = O_CLOEXEC };

    return ioctl(template->forks_fd, SECCOMP_IOCTL_NOTIF_ADDFD, &add) >= 0;
}

bool
twin_adopt(struct template *template, const struct seccomp_notif *question)
{
    struct cell *original = original_of(template, (pid_t)question->pid);
    uint64_t until = now_us() + START_TIMEOUT_US;
    struct control order = { .kind = CONTROL_ADOPT, .fds = { -1, -1 } };

    if (original == NULL || original->twin->may_fork || original->twin->adopted)
        return false;
    struct twin *twin = original->twin;
    struct cell *cell = twin->cell;
    pid_t pid = process_inner_pid((pid_t)question->pid);
    order.id = cell->id;
    order.number[0] = (uint64_t)pid;
    order.number[1] = original->id;
    if (pid == 0) {
        twin->os_errno = cause(errno);
        return false;
    }
    if (control_send(template->socket, &order) != 0)
        return false;
    cell->pid = (pid_t)question->pid;
    while (cell->pidfd < 0 && !cell->failed && cell->template != NULL)
        if (template_take(template, until) == ETIMEDOUT)
            return false;
    twin->os_errno = cause(cell->os_errno);
    if (cell->pidfd < 0 || cell->template == NULL)
        return false;
    twin->adopted = hand_over(template, question->id, cell->event_fd, CELL_BELL_FD) &&
                    hand_over(template, question->id, twin->memory, CELL_CHANNEL_FD);
    cell->thread_due = twin->adopted;
    /* It has all that it may be handed. */
    order.number[0] = 0;
    (void)control_send(template->socket, &order);
    return twin->adopted;
}

/* --- asking for one ------------------------------------------------------------------------- */

/* Code runs in it, or will, and no end of that may be near. */
static bool
is_running(const gbx_isolate *isolate)
{
    uint32_t cursor = 0, id;
    const gbx_future *future;

    while ((future = table_next(&isolate->futures, &cursor, &id)) != NULL)
        if (future->runs)
            return true;
    return isolate->nesting > 0;
}

/* A settlement under way, when nothing else of the guest is. Its promise may have ended a call,
 * whose caller then knows of nothing that could still run. */
static gbx_future *
last_settlement(const gbx_isolate *isolate)
{
    uint32_t cursor = 0, id;
    gbx_future *future, *found = NULL;

    while ((future = table_next(&isolate->futures, &cursor, &id)) != NULL) {
        /* One that is not forgotten is waited for already, further down on this stack. */
        if (future->runs && (future->kind != FUTURE_SETTLEMENT || !future->forgotten))
            return NULL;
        if (future->runs)
            found = future;
    }
    return found;
}

/* Calls back. */
static void
await_settlements(gbx_isolate *isolate)
{
    uint64_t until = now_us() + START_TIMEOUT_US, now;
    gbx_future *future;
    bool ended = isolate->nesting == 0;

    while (ended && (now = now_us()) < until && (future = last_settlement(isolate)) != NULL) {
        future->forgotten = false; /* ours for a while */
        ended = gbx_future_wait(future, (int64_t)(until - now), NULL) != GBX_EBUSY &&
                future->finished;
        gbx_future_free(future);
    }
}

static gbx_status
check_original(const gbx_isolate *isolate, gbx_error *error)
{
    if (isolate->cell == NULL)
        return fail(error, isolate->has_died ? isolate->death.status : GBX_EDISPOSED,
            "the isolate has ended");
    if (isolate->cell->template == NULL) /* its end has not been noticed yet */
        return fail(error, GBX_ELOST, "the isolate's template has ended");
    if (cell_cannot_fork(isolate->cell))
        return fail(error, GBX_EUNSUPPORTED,
            "no fork: the isolate was opened with GBX_ISOLATE_NO_FORK, or this kernel has no "
            "seccomp user notification (before 5.9)");
    if (is_running(isolate) || isolate->cell->twin != NULL || snapshot_is_open(isolate))
        return fail(error, GBX_EBUSY,
            "the isolate is not at rest: a call, a heap snapshot or another fork is under way");
    if (isolate->inspectors.live > 0)
        return fail(error, GBX_EBUSY, "the isolate is not at rest: it is being inspected");
    errno = 0;
    if (cell_pid(isolate->cell) == 0) /* by which its twin is known */
        return cause(errno) == 0
                   ? fail(error, GBX_ELOST, "the isolate's cell has ended")
                   : fail_errno(error, "cannot read the pid of the isolate's cell");
    return GBX_OK;
}

/* Whether the twin has left its original's group, with which it would be killed at that one's end:
 * it may go on, and it may be a while until it does. False: it has ended, or does not. */
static bool
stands_alone(const struct cell *cell, uint64_t until)
{
    while (getsid(cell->pid) != cell->pid) {
        if (has_ended(cell->pidfd, 0) || now_us() >= until)
            return false;
        (void)nanosleep(&(struct timespec){ .tv_nsec = TWIN_LOOK_NS }, NULL);
    }
    return true;
}

/* Waits until its twin has a channel, after the cell has said that it forked. */
static gbx_status
await_adoption(gbx_isolate *isolate, const struct twin *twin, uint64_t until, gbx_error *error)
{
    while (!twin->adopted && !twin->lost && isolate->cell != NULL &&
           isolate->cell->template != NULL) {
        struct template *template = isolate->cell->template;
        struct pollfd fds[] = { { .fd = template->forks_fd, .events = POLLIN },
            { .fd = template->socket, .events = POLLIN },
            { .fd = isolate->cell->pidfd, .events = POLLIN } };
        uint64_t now = now_us();
        int n = poll(fds, 3, now < until ? (int)((until - now + 999) / 1000) : 0);
        if (n < 0 && errno != EINTR)
            break;
        if (n == 0 && now >= until) {
            /* Where it may be, only its end can reach it. */
            isolate_condemn(
                isolate, GBX_EPROTO, "the cell forked, and its twin did not ask for a channel");
            break;
        }
        if (n <= 0)
            continue;
        if ((fds[0].revents & POLLIN) != 0)
            template_answer_forks(template);
        else if (fds[1].revents != 0)
            template_receive(template);
        else if (fds[2].revents != 0)
            isolate_ended(isolate);
    }
    if (twin->adopted && twin->cell->template != NULL && stands_alone(twin->cell, until))
        return GBX_OK;
    if (twin->os_errno == 0)
        return fail(error, GBX_ELOST, "the twin died before it was a cell");
    errno = twin->os_errno;
    return fail_errno(error, "cannot make a cell of the twin");
}

/* Has the isolate's cell fork; GBX_OK: twin->cell is a cell. */
static gbx_status
fork_cell(gbx_isolate *isolate, struct twin *twin, gbx_error *error)
{
    uint64_t until = now_us() + START_TIMEOUT_US;
    gbx_future *future = future_new(isolate, FUTURE_TWIN);

    isolate->cell->twin = twin;
    put_twin(&isolate->scratch->out, isolate_tag(isolate, future->id),
        &(struct msg_twin){ .no_empty_struct = 0 });
    future = future_send(isolate, future);
    if (!future->finished)
        isolate_pump(isolate, future, until);
    gbx_status status = gbx_future_status(future, error);
    if (status == GBX_EBUSY && !future->finished) {
        (void)fail(error, status, "the cell was at work for too long");
        if (isolate->cell != NULL)
            isolate->cell->twin_given_up = twin->may_fork;
        twin->may_fork = false;
    }
    gbx_future_free(future);
    if (status == GBX_OK)
        status = await_adoption(isolate, twin, until, error);
    if (isolate->cell != NULL)
        isolate->cell->twin = NULL;
    return status;
}

/* --- the twin's isolate --------------------------------------------------------------------- */

struct binding {
    gbx_isolate *isolate; /* the twin's */
    const gbx_fork_options *options;
};

static void *
bind_function(const void *entry, void *data)
{
    const struct binding *binding = data;
    struct function *function = malloc(sizeof *function);

    if (function == NULL)
        return NULL;
    *function = *(const struct function *)entry;
    function_hold(function->given);
    if (binding->options->rebind != NULL)
        binding->options->rebind(binding->isolate, function->name, &function->call,
            &function->data, binding->options->rebind_data);
    return function;
}

static void *
copy_context(const void *entry, void *data)
{
    const struct binding *binding = data;
    gbx_context *context = malloc(sizeof *context);

    if (context == NULL)
        return NULL;
    *context = *(const gbx_context *)entry;
    context->isolate = binding->isolate;
    context->lent = true;
    context->loading = (struct loading){ .loader = NULL };
    return context;
}

/* All are kept at first, which counts no reference. */
static void *
copy_module(const void *entry, void *data)
{
    const struct binding *binding = data;
    gbx_module *module = malloc(sizeof *module);
    char *name = strdup(((const gbx_module *)entry)->name);

    if (module == NULL || name == NULL) {
        free(module);
        free(name);
        return NULL;
    }
    *module = *(const gbx_module *)entry;
    module->isolate = binding->isolate;
    module->kept = true;
    module->name = name;
    return module;
}

/* The modules that the original's contexts keep; its handles are no business of the twin's, but
 * their numbers stay taken. */
static bool
copy_modules(gbx_isolate *isolate, const gbx_isolate *original, const struct binding *binding)
{
    uint32_t cursor = 0, id;
    gbx_module *module;

    if (!table_copy(&isolate->modules, &original->modules, copy_module, (void *)binding))
        return false;
    while ((module = table_next(&isolate->modules, &cursor, &id)) != NULL) {
        const gbx_module *like = table_get(&original->modules, id);
        gbx_context *context = context_find(isolate, module->context);
        if (!like->kept || context == NULL)
            module_free(module);
        else if (!loading_keep(context, module))
            return false;
    }
    return true;
}

static void
close_handles(gbx_isolate *isolate, const gbx_isolate *original)
{
    uint32_t cursor = 0, id;
    const gbx_module *module;

    while (isolate->cell != NULL &&
           (module = table_next(&original->modules, &cursor, &id)) != NULL)
        if (!module->kept) {
            put_module_close(&isolate->scratch->out, isolate_tag(isolate, 0),
                &(struct msg_module_close){ .module = id });
            isolate_tell(isolate);
        }
}

static gbx_isolate *
isolate_like(gbx_isolate *original, const gbx_fork_options *options)
{
    gbx_isolate_options o = original->options;

    o.flags &= ~(uint32_t)GBX_ISOLATE_WAIT;
    o.limit_snapshot = NULL;
    if (options->name != NULL)
        o.name = options->name;
    if (options->on_console != NULL)
        o.on_console = options->on_console;
    if (options->on_death != NULL)
        o.on_death = options->on_death;
    if (options->data != NULL)
        o.data = options->data;
    gbx_isolate *isolate = isolate_new(&o, original->scratch);
    if (isolate == NULL)
        return NULL;
    struct binding binding = { isolate, options };
    if (table_copy(&isolate->functions, &original->functions, bind_function, &binding) &&
        table_copy(&isolate->contexts, &original->contexts, copy_context, &binding) &&
        copy_modules(isolate, original, &binding))
        return isolate;
    isolate_unref(isolate);
    return NULL;
}

/* --- public --------------------------------------------------------------------------------- */

gbx_status
fork_options_read(const gbx_fork_options *options, gbx_fork_options *out, gbx_error *error)
{
    gbx_status status = options_read(out, sizeof *out, options,
        offsetof(gbx_fork_options, data) + sizeof out->data, "fork options", error);

    if (status != GBX_OK)
        return status;
    if (out->flags != 0)
        return fail(error, GBX_EUNSUPPORTED, "fork options: unknown flag 0x%x", out->flags);
    if (out->name != NULL && strlen(out->name) >= sizeof((gbx_isolate *)0)->name)
        return fail(error, GBX_EINVAL, "isolate name: longer than 63 bytes");
    return GBX_OK;
}

static gbx_status
run_hook(gbx_isolate *isolate, const gbx_fork_options *options, gbx_error *error)
{
    gbx_call_options call = GBX_CALL_OPTIONS_INIT;

    if (options->hook == NULL)
        return GBX_OK;
    call.flags = GBX_AWAIT | GBX_RESULT_IGNORE;
    call.timeout_us = options->hook_timeout_us;
    gbx_future *future = gbx_context_call(isolate->context, options->hook, NULL, 0, &call);
    gbx_status status = gbx_future_wait(future, -1, error);
    gbx_future_free(future);
    return status;
}

/* `isolate` is counted by the caller. */
static gbx_status
fork_into(gbx_isolate *isolate, gbx_isolate *clone, gbx_error *error)
{
    struct twin twin = { .memory = -1, .may_fork = true };
    struct gbx_runtime *runtime = isolate->runtime;

    twin.cell = cell_prepare(isolate->cell->template, &twin.memory, error);
    if (twin.cell == NULL)
        return error == NULL ? GBX_ESYS : error->status;
    gbx_status status = fork_cell(isolate, &twin, error);
    fd_close(&twin.memory);
    if (status != GBX_OK) {
        cell_free(twin.cell);
        return status;
    }
    isolate_begin(clone, runtime, twin.cell);
    close_handles(clone, isolate);
    return GBX_OK;
}

gbx_status
gbx_isolate_fork(gbx_isolate *isolate, const gbx_fork_options *options,
    gbx_isolate **out_isolate, gbx_error *error)
{
    gbx_error mine = GBX_ERROR_INIT;
    gbx_fork_options o;
    gbx_status status = fork_options_read(options, &o, &mine);

    if (status == GBX_OK && o.on_console != NULL && isolate->options.on_console == NULL)
        status = fail(&mine, GBX_EINVAL,
            "fork options: on_console, but the isolate was opened without it, and its cell "
            "drops what the guest prints");
    isolate_ref(isolate);
    if (status == GBX_OK) {
        await_settlements(isolate);
        status = check_original(isolate, &mine);
    }
    gbx_isolate *clone = status == GBX_OK ? isolate_like(isolate, &o) : NULL;
    if (status == GBX_OK && clone == NULL)
        status = fail(&mine, GBX_ENOMEM, "no memory for an isolate");
    if (status == GBX_OK) {
        status = fork_into(isolate, clone, &mine);
        if (status != GBX_OK)
            isolate_unref(clone);
    }
    isolate_unref(isolate);
    if (status == GBX_OK)
        isolate_announce(clone);
    if (status == GBX_OK && (status = run_hook(clone, &o, &mine)) != GBX_OK)
        gbx_isolate_close(clone);
    if (status == GBX_OK)
        *out_isolate = clone;
    else
        error_copy(error, &mine);
    return status;
}

gbx_context *
gbx_fork_context(gbx_isolate *fork, const gbx_context *original)
{
    gbx_context *context = table_get(&fork->contexts, original->slot);

    if (original->slot == 0)
        return fork->context;
    if (context == NULL || !context->lent)
        return NULL;
    context->lent = false;
    isolate_ref(fork);
    return context;
}
