/* pause.c - a debugger holds the guest: at a breakpoint, or before its first line.
 *
 * The clocks of all that is under way rest meanwhile, and only what is urgent is served. That is
 * bounded: what has been held for longer than the host allows is ended, as by a deadline.
 */
#include "cell/cell.h"

#include "base/clock.h"

static void
tell(struct cell *cell, enum hold_kind held)
{
    cell->held = held;
    put_paused(&cell->out, cell_tag(cell, 0), &(struct msg_paused){ .how = held });
    link_send(cell);
}

/* How much longer `task` and what it is nested in may be held, after `held_ns` of this time. */
static uint64_t
left_ns(const struct cell *cell, const struct task *task, uint64_t held_ns)
{
    uint64_t most = 0;

    for (; task != NULL; task = task->outer)
        most = task->held_ns > most ? task->held_ns : most;
    if (cell->pause_ns == UINT64_MAX)
        return UINT64_MAX;
    return most + held_ns < cell->pause_ns ? cell->pause_ns - most - held_ns : 0;
}

/* What is held is to end. Its deadline is no reason: it rests. */
static bool
is_to_end(struct cell *cell, struct task *task, uint64_t left)
{
    uint32_t stops = atomic_load(&cell->channel.shared->stop);

    cell->channel.stop_seen = stops;
    if (task == NULL)
        return left == 0;
    if (task->stopped == GBX_OK && task->stops != stops)
        task->stopped = GBX_ETERMINATED;
    if (task->stopped == GBX_OK && left == 0) {
        task->stopped = GBX_ETIMEOUT;
        task->limit_us = cell->pause_ns / 1000;
        task->held_too_long = true;
    }
    return task->stopped != GBX_OK;
}

static bool
waits(const struct cell *cell)
{
    return cell->waits;
}

static bool
is_paused(const struct cell *cell)
{
    (void)cell;
    return engine_inspector_paused();
}

static void
hold(struct cell *cell, struct task *task, enum hold_kind how,
    bool (*lasts)(const struct cell *))
{
    enum hold_kind outer = cell->held;
    uint64_t began = now_ns(), left = left_ns(cell, task, 0);

    tell(cell, how);
    while (lasts(cell) && !is_to_end(cell, task, left)) {
        link_poll(cell);
        left = left_ns(cell, task, now_ns() - began);
        if (lasts(cell) && left > 0)
            link_wait(cell, left);
        left = left_ns(cell, task, now_ns() - began);
    }
    tell(cell, outer);
    /* A command that pauses while the guest waits is in the time that it waits. */
    if (outer == NOT_HELD)
        task_postpone(cell, now_ns() - began);
}

void
pause_guest(struct cell *cell)
{
    struct task *task = cell->current;
    bool ran = cell->running;

    if (ran)
        task_rest(cell);
    hold(cell, task, HELD_PAUSED, is_paused);
    if (ran)
        task_resume(cell);
    if (task != NULL && task->stopped != GBX_OK)
        engine_terminate();
}

void
pause_release(struct cell *cell)
{
    cell->breaks |= cell->waits;
    cell->waits = false;
}

static bool
runs_code(const struct frame *frame)
{
    switch (frame->type) {
    case MESSAGE_EVAL:
    case MESSAGE_CALL:
    case MESSAGE_OPERATE:
    case MESSAGE_CLOSURE:
    case MESSAGE_SCRIPT_RUN:
    case MESSAGE_MODULE_RUN:
    case MESSAGE_MODULE_CALL:
    case MESSAGE_IMPORT:
        return true;
    default:
        return false;
    }
}

void
pause_before_first(struct cell *cell, struct task *task, const struct frame *frame)
{
    if ((!cell->waits && !cell->breaks) || !runs_code(frame))
        return;
    if (cell->waits)
        hold(cell, task, HELD_WAITING, waits);
    if (!cell->breaks || task->stopped != GBX_OK)
        return;
    cell->breaks = false;
    engine_inspector_break();
}
