/* task.c - requests, their budgets, and how they end before their time. */
#include "cell/cell.h"

#include "base/check.h"
#include "base/clock.h"

#include <stdlib.h>

static uint32_t
stops_now(const struct cell *cell)
{
    return atomic_load(&cell->channel.shared->stop);
}

struct task *
task_new(struct cell *cell, uint32_t id, uint64_t wall_us, uint64_t cpu_us)
{
    struct task *task = calloc(1, sizeof *task);

    if (task == NULL)
        return NULL;
    *task = (struct task){ .id = id, .refs = 1, .wall_us = wall_us, .cpu_us = cpu_us };
    task->stops = stops_now(cell);
    task->wall_at_ns = wall_us == 0 ? UINT64_MAX : now_ns() + wall_us * 1000;
    task->cpu_left_ns = cpu_us == 0 ? UINT64_MAX : cpu_us * 1000;
    task->stack.max = CHANNEL_NOTE_STACK - 1;
    task->handle = table_add(&cell->tasks, task);
    if (task->handle == 0) {
        free(task);
        return NULL;
    }
    if (task->wall_at_ns < cell->look_at_ns)
        cell->look_at_ns = task->wall_at_ns;
    return task;
}

void
task_unref(struct cell *cell, struct task *task)
{
    GBX_CHECK(task->refs > 0);
    if (--task->refs > 0)
        return;
    (void)table_remove(&cell->tasks, task->handle);
    buf_done(&task->stack);
    free(task);
}

/* --- running -------------------------------------------------------------------------------- */

/* What the task is nested in, as far as its deadlines go. */
static struct task *
around(const struct task *task)
{
    return task->apart ? NULL : task->outer;
}

/* A task in whose time `task` runs and whose deadline has passed, or NULL. */
static const struct task *
overdue(const struct task *task, uint64_t now)
{
    while (task != NULL && now < task->wall_at_ns)
        task = around(task);
    return task;
}

void
task_resume(struct cell *cell)
{
    struct task *task = cell->current;
    uint64_t cpu_at = UINT64_MAX, wall_at = UINT64_MAX;

    GBX_CHECK(!cell->running);
    /* A nested request runs inside the deadline of the one that it interrupts. */
    for (struct task *t = task; t != NULL; t = around(t))
        wall_at = t->wall_at_ns < wall_at ? t->wall_at_ns : wall_at;
    if (task->cpu_left_ns != UINT64_MAX) {
        task->entered_cpu_ns = watch_cpu_ns();
        cpu_at = task->entered_cpu_ns + task->cpu_left_ns;
    }
    cell->running = true;
    watch_arm(wall_at, cpu_at, task->stops);
    /* Something urgent may have come just before the watchdog could see that we run. */
    if (ring_used(&cell->channel.in) > 0 || link_urgent(cell))
        engine_interrupt();
}

void
task_rest(struct cell *cell)
{
    struct task *task = cell->current;

    GBX_CHECK(cell->running);
    gbx_status reason = watch_disarm();
    cell->running = false;
    if (task->cpu_left_ns != UINT64_MAX) {
        uint64_t used = watch_cpu_ns() - task->entered_cpu_ns;
        task->cpu_left_ns = used < task->cpu_left_ns ? task->cpu_left_ns - used : 0;
    }
    if (reason != GBX_OK && task->stopped == GBX_OK) {
        const struct task *late = reason == GBX_ETIMEOUT ? overdue(task, now_ns()) : NULL;
        task->limit_us = late != NULL ? late->wall_us : task->cpu_us;
        task->stopped = reason;
    }
}

void
task_enter(struct cell *cell, struct task *task)
{
    GBX_CHECK(!cell->running && !task->on_stack);
    task->outer = cell->current;
    task->on_stack = true;
    cell->current = task;
    task_resume(cell);
}

void
task_leave(struct cell *cell, struct task *task)
{
    GBX_CHECK(cell->current == task);
    task_rest(cell);
    /* Whoever stopped it, the watchdog or a hook, the engine must be able to go on. */
    if (task->stopped != GBX_OK)
        engine_terminate_cancel();
    cell->current = task->outer;
    task->outer = NULL;
    task->on_stack = false;
}

/* --- ends ----------------------------------------------------------------------------------- */

static void
check(struct task *task, uint64_t now, uint32_t stops)
{
    const struct task *late;

    if (task->stopped != GBX_OK)
        return;
    if (task->stops != stops) {
        task->stopped = GBX_ETERMINATED;
    } else if ((late = overdue(task, now)) != NULL) {
        task->stopped = GBX_ETIMEOUT;
        task->limit_us = late->wall_us;
    }
}

gbx_status
task_check(struct cell *cell, struct task *task)
{
    check(task, now_ns(), stops_now(cell));
    return task->stopped;
}

void
task_end(struct cell *cell, struct task *task)
{
    if (task->on_stack)
        return;
    if (!task->answered)
        answer_stopped(cell, task);
    else
        task_cancel(cell, task);
}

void
task_return(struct cell *cell, struct task *task)
{
    task_leave(cell, task);
    if (cell->memory.passed)
        cell_die_of_memory(cell, buf_span(&task->stack));
    if (task->disposed && task->stopped == GBX_OK)
        task->stopped = GBX_EDISPOSED;
    if (task->stopped != GBX_OK)
        task_end(cell, task);
}

void
task_cancel(struct cell *cell, struct task *task)
{
    uint32_t cursor = 0, id, open = task->refs;
    const void *entry;

    /* One of its references is the caller's. */
    while (open > 0 && (entry = table_next(&cell->callbacks, &cursor, &id)) != NULL) {
        if (entry != task)
            continue;
        (void)table_remove(&cell->callbacks, id);
        engine_promise_drop(id);
        answer_cancelled(cell, id);
        open--;
        task_unref(cell, task);
    }
}

static void
look_at_all(struct cell *cell, uint64_t now, uint32_t stops)
{
    uint32_t cursor = 0, id;
    struct task *task;

    cell->look_at_ns = UINT64_MAX;
    while ((task = table_next(&cell->tasks, &cursor, &id)) != NULL) {
        check(task, now, stops);
        if (task->stopped != GBX_OK)
            task_end(cell, task);
        else if (task->wall_at_ns < cell->look_at_ns)
            cell->look_at_ns = task->wall_at_ns;
    }
}

void
task_look(struct cell *cell)
{
    uint32_t stops = stops_now(cell);
    uint64_t now = cell->look_at_ns == UINT64_MAX ? 0 : now_ns();

    if (stops != cell->stops_looked || (cell->tasks.live > 0 && now >= cell->look_at_ns))
        look_at_all(cell, now_ns(), stops);
    cell->channel.stop_seen = cell->stops_looked = stops;
    snapshot_reap(cell);
}

void
task_drop_context(struct cell *cell, uint32_t context)
{
    uint32_t cursor = 0, id;
    struct task *task;

    while ((task = table_next(&cell->tasks, &cursor, &id)) != NULL) {
        if (task->context != context)
            continue;
        if (task->on_stack) {
            task->disposed = true;
        } else {
            task->stopped = GBX_EDISPOSED;
            task_end(cell, task);
        }
    }
}

bool
task_is_awaited(struct cell *cell)
{
    uint32_t cursor = 0, id;
    const struct task *task;

    while ((task = table_next(&cell->tasks, &cursor, &id)) != NULL)
        if (!task->answered)
            return true;
    return false;
}

void
task_postpone(struct cell *cell, uint64_t ns)
{
    uint32_t cursor = 0, id;
    struct task *task;

    while ((task = table_next(&cell->tasks, &cursor, &id)) != NULL) {
        task->held_ns += ns;
        if (task->wall_at_ns != UINT64_MAX)
            task->wall_at_ns += ns;
    }
}

uint64_t
task_next_ns(struct cell *cell)
{
    uint64_t left = UINT64_MAX;

    if (cell->tasks.live > 0 && cell->look_at_ns != UINT64_MAX) {
        uint64_t now = now_ns();
        left = cell->look_at_ns > now ? cell->look_at_ns - now : 0;
    }
    if (cell->snapshot_child != 0 && left > SNAPSHOT_LOOK_US * 1000ull)
        left = SNAPSHOT_LOOK_US * 1000ull;
    return left;
}
