/* hooks.c - what the engine asks of the cell: host functions, console, interrupts, the end. */
#include "cell/cell.h"

#include "base/check.h"
#include "base/clock.h"

#include <stdio.h>

static bool
stop_asked(const struct cell *cell)
{
    return atomic_load(&cell->channel.shared->stop) != atomic_load(&cell->stop_seen);
}

/* Waits for the host's ANSWER to callback `id`; nested requests are served meanwhile. NULL: the
 * task was stopped. */
static struct queued *
await_answer(struct cell *cell, struct task *task, uint32_t id)
{
    while (task->stopped == GBX_OK) {
        uint64_t timeout = UINT64_MAX, now = now_ns();

        for (struct task *t = task; t != NULL; t = t->outer)
            if (t->wall_at_ns != UINT64_MAX) {
                uint64_t left = t->wall_at_ns > now ? t->wall_at_ns - now : 0;
                timeout = left < timeout ? left : timeout;
            }
        cell->awaited = id;
        struct queued *q = timeout == 0 ? NULL : link_next(cell, timeout);
        if (q != NULL && q->frame.type == MESSAGE_ANSWER)
            return q;
        if (q != NULL) {
            serve(cell, &q->frame);
            queued_free(cell, q);
        } else if (stop_asked(cell)) {
            task_stop_all(cell);
            task->stopped = GBX_ETERMINATED;
        } else if (timeout == 0) {
            task->stopped = GBX_ETIMEOUT;
        }
    }
    return NULL;
}

static void
on_call_host(void *data, uint32_t function, uint32_t count, struct span arguments,
    struct engine_answer *answer)
{
    struct cell *cell = data;
    struct task *task = cell->current;
    uint32_t awaited = cell->awaited, id;

    *answer = (struct engine_answer){ .kind = ENGINE_ANSWER_THROW,
        .name = span_text("RangeError"),
        .message = span_text("too many host functions are under way") };
    if (task == NULL || cell->nesting >= NESTING_MAX ||
        (id = table_add(&cell->callbacks, task)) == 0)
        return;
    task->refs++;
    put_callback(&cell->out, cell_tag(cell, id),
        &(struct msg_callback){ .function = function, .count = count, .arguments = arguments });
    task_leave(cell, task); /* the host works now: our CPU budget rests */
    if (task->stopped == GBX_OK)
        link_send(cell);
    else
        cell->out.len = 0;
    cell->nesting++;
    struct queued *q = await_answer(cell, task, id);
    cell->nesting--;
    cell->awaited = awaited;
    answer->kind = ENGINE_ANSWER_STOP;
    bool promised = false;
    if (q != NULL) {
        struct msg_answer m;
        GBX_CHECK(get_answer(q->frame.body, &m) == GBX_OK && m.kind < ANSWER_KINDS);
        promised = m.kind == ANSWER_PROMISE;
        *answer = (struct engine_answer){ .kind = (enum engine_answer_kind)m.kind,
            .bytes = m.value,
            .name = m.name,
            .message = m.message,
            .promise = id };
        /* The engine reads the spans after we return: they stay until the next answer. */
        if (cell->answer != NULL)
            queued_free(cell, cell->answer);
        cell->answer = q;
    }
    if (!promised) {
        (void)table_remove(&cell->callbacks, id);
        task->refs--; /* never the last: its own answer is open, or a promise is */
    }
    task_enter(cell, task);
}

static void
on_settled(void *data, uint32_t call, struct engine_outcome *outcome)
{
    struct cell *cell = data;
    struct task *task = table_get(&cell->tasks, call);

    if (task != NULL && !task->answered)
        task_finish(cell, task, outcome);
}

static void
on_console(void *data, enum engine_console_level level, struct span text)
{
    struct cell *cell = data;

    put_console(&cell->out, cell_tag(cell, 0),
        &(struct msg_console){ .level = (uint32_t)level, .text = text });
    link_send(cell);
}

static void
on_interrupt(void *data)
{
    struct cell *cell = data;
    struct task *task = cell->current;

    if (task != NULL && (cell->memory.passed || watch_fired())) {
        if (task->stack.len == 0)
            engine_stack_trace(&task->stack);
        engine_terminate();
        return;
    }
    link_poll(cell);
}

static void
on_memory(void *data, enum engine_memory_event event, uint64_t limit_bytes, uint64_t used_bytes)
{
    struct cell *cell = data;

    if (cell->memory.passed)
        return;
    cell->memory.passed = true;
    cell->memory.event = event;
    cell->memory.limit = limit_bytes;
    cell->memory.used = used_bytes;
}

static __attribute__((noreturn)) void
on_fatal(void *data, bool out_of_memory, const char *location, const char *detail)
{
    struct cell *cell = data;
    struct span stack = span_of(NULL, 0);

    if (cell->current != NULL)
        stack = buf_span(&cell->current->stack);
    if (cell->memory.passed)
        cell_die_of_memory(cell, stack);
    char message[256];
    int n = snprintf(message, sizeof message, "%s%s%s", location == NULL ? "" : location,
        detail == NULL || detail[0] == '\0' ? "" : ": ", detail == NULL ? "" : detail);
    (void)n;
    if (out_of_memory)
        death_note(
            GBX_EMEMORY, CHANNEL_NOTE_ALLOCATION, cell->memory_limit_bytes, 0, message, stack);
    death_note(GBX_ECRASHED, CHANNEL_NOTE_NONE, 0, 0, message, stack);
}

static void
on_inspector_message(void *data, uint32_t session, struct span json)
{
    struct cell *cell = data;

    put_inspector_message(&cell->out, cell_tag(cell, 0),
        &(struct msg_inspector_message){ .session = session, .json = json });
    link_send(cell);
}

static void
tell_paused(struct cell *cell, uint32_t paused)
{
    put_paused(&cell->out, cell_tag(cell, 0), &(struct msg_paused){ .paused = paused });
    link_send(cell);
}

/* Stopped in the debugger. The clocks rest; only what is urgent is served. */
static void
on_paused(void *data)
{
    struct cell *cell = data;
    struct task *task = cell->current;
    uint64_t paused_at = now_ns();

    if (task != NULL)
        task_leave(cell, task);
    tell_paused(cell, 1);
    while (engine_inspector_paused() && (task == NULL || task->stopped == GBX_OK)) {
        link_wait(cell, UINT64_MAX);
        link_poll(cell);
        if (stop_asked(cell))
            task_stop_all(cell);
    }
    tell_paused(cell, 0);
    for (struct task *t = task; t != NULL; t = t->outer)
        if (t->wall_at_ns != UINT64_MAX)
            t->wall_at_ns += now_ns() - paused_at;
    if (task != NULL) {
        task_enter(cell, task);
        if (task->stopped != GBX_OK)
            engine_terminate();
    }
}

const struct engine_hooks cell_hooks = {
    .call_host = on_call_host,
    .settled = on_settled,
    .console = on_console,
    .interrupt = on_interrupt,
    .memory = on_memory,
    .fatal = on_fatal,
    .inspector_message = on_inspector_message,
    .paused = on_paused,
};
