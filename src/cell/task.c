/* task.c - requests and their budgets. */
#include "cell/cell.h"

#include "base/check.h"
#include "base/clock.h"

#include <stdlib.h>

struct task *
task_new(struct cell *cell, uint32_t id, uint64_t wall_us, uint64_t cpu_us)
{
    struct task *task = calloc(1, sizeof *task);

    if (task == NULL)
        return NULL;
    *task = (struct task){ .id = id, .refs = 1, .wall_us = wall_us, .cpu_us = cpu_us };
    task->wall_at_ns = wall_us == 0 ? UINT64_MAX : now_ns() + wall_us * 1000;
    task->cpu_left_ns = cpu_us == 0 ? UINT64_MAX : cpu_us * 1000;
    task->stack.max = CHANNEL_NOTE_STACK - 1;
    task->handle = table_add(&cell->tasks, task);
    if (task->handle == 0) {
        free(task);
        return NULL;
    }
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

void
task_enter(struct cell *cell, struct task *task)
{
    uint64_t cpu_at = UINT64_MAX, wall_at = UINT64_MAX;

    task->outer = cell->current;
    cell->current = task;
    /* A nested request runs inside the deadline of the one that it interrupts. */
    for (struct task *t = task; t != NULL; t = t->outer)
        wall_at = t->wall_at_ns < wall_at ? t->wall_at_ns : wall_at;
    if (task->cpu_left_ns != UINT64_MAX) {
        task->entered_cpu_ns = watch_cpu_ns();
        cpu_at = task->entered_cpu_ns + task->cpu_left_ns;
    }
    watch_arm(wall_at, cpu_at);
    /* Something urgent may have come just before the watchdog could see that we run. */
    if (ring_used(&cell->channel.in) > 0)
        engine_interrupt();
}

void
task_leave(struct cell *cell, struct task *task)
{
    gbx_status reason = watch_disarm();

    GBX_CHECK(cell->current == task);
    if (task->cpu_left_ns != UINT64_MAX) {
        uint64_t used = watch_cpu_ns() - task->entered_cpu_ns;
        task->cpu_left_ns = used < task->cpu_left_ns ? task->cpu_left_ns - used : 0;
    }
    /* Whoever stopped it, the watchdog or the wait for the host, V8 must not go on stopping. */
    if (reason != GBX_OK || task->stopped != GBX_OK)
        engine_terminate_cancel();
    if (reason != GBX_OK)
        task->stopped = reason;
    /* While it is the current one: it will be answered by whoever runs it. */
    if (reason == GBX_ETERMINATED)
        task_stop_all(cell);
    cell->current = task->outer;
}

void
task_stop_all(struct cell *cell)
{
    atomic_store(&cell->stop_seen, atomic_load(&cell->channel.shared->stop));
    for (struct task *t = cell->current; t != NULL; t = t->outer)
        t->stopped = GBX_ETERMINATED;
    task_expire(cell, GBX_ETERMINATED);
}

void
task_expire(struct cell *cell, gbx_status all)
{
    uint32_t cursor = 0, id;
    uint64_t now = now_ns();
    struct task *task;

    while ((task = table_next(&cell->tasks, &cursor, &id)) != NULL) {
        bool waits = !task->answered && task != cell->current;
        for (struct task *t = cell->current; t != NULL; t = t->outer)
            waits = waits && t != task;
        if (!waits || (all == GBX_OK && now < task->wall_at_ns))
            continue;
        task->stopped = all != GBX_OK ? all : GBX_ETIMEOUT;
        answer_stopped(cell, task);
    }
}

uint64_t
task_next_ns(struct cell *cell)
{
    uint32_t cursor = 0, id;
    uint64_t first = UINT64_MAX;
    struct task *task;

    if (cell->tasks.live == 0)
        return UINT64_MAX;
    while ((task = table_next(&cell->tasks, &cursor, &id)) != NULL)
        if (!task->answered && task->wall_at_ns < first)
            first = task->wall_at_ns;
    if (first == UINT64_MAX)
        return UINT64_MAX;
    uint64_t now = now_ns();
    return first > now ? first - now : 0;
}
