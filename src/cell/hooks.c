/* hooks.c - what the engine asks of the cell: calls of host functions, console, pauses, ends. */
#include "cell/cell.h"

#include "base/check.h"
#include "base/clock.h"

#include <stdio.h>

/* --- host functions --------------------------------------------------------------------- */

/* The host function has returned and answers later: what the host sends meanwhile comes from
 * outside of it, and may run. */
static bool
is_block(const struct queued *q)
{
    struct msg_answer m;

    return get_answer(q->frame.body, &m) == GBX_OK && m.kind == ANSWER_BLOCK;
}

/* Waits for the host's ANSWER to callback `id`; nested requests are served meanwhile. NULL: the
 * task was stopped. */
static struct queued *
await_answer(struct cell *cell, struct task *task, uint32_t id, bool *blocked)
{
    while (task_check(cell, task) == GBX_OK) {
        cell->awaited = id;
        struct queued *q = link_next(cell, task_next_ns(cell));
        if (q != NULL && q->frame.type == MESSAGE_ANSWER && q->frame.id == id) {
            if (!is_block(q))
                return q;
            *blocked = true;
            cell->nesting--;
            cell->blocked++;
            queued_free(cell, q);
            continue;
        }
        if (q != NULL) {
            serve(cell, q);
            queued_free(cell, q);
        }
        task_look(cell);
    }
    return NULL;
}

/* What the host answered, or that the call is to end. */
static void
take_answer(struct cell *cell, struct queued *q, uint32_t id, struct engine_answer *answer)
{
    struct msg_answer m;

    answer->kind = ENGINE_ANSWER_STOP;
    if (q == NULL)
        return;
    GBX_CHECK(get_answer(q->frame.body, &m) == GBX_OK && m.kind < ANSWER_KINDS);
    *answer = (struct engine_answer){ .kind = (enum engine_answer_kind)m.kind,
        .bytes = m.value,
        .name = m.name,
        .message = m.message,
        .promise = id };
    /* The engine reads the spans after the hook: they stay until the next answer. */
    if (cell->answer != NULL)
        queued_free(cell, cell->answer);
    cell->answer = q;
}

static void
send_callback(
    struct cell *cell, uint32_t id, uint32_t function, uint32_t count, struct buf *arguments)
{
    size_t frame;

    answer_released(cell);
    frame = cell->out.len;
    put_callback(&cell->out, cell_tag(cell, id),
        &(struct msg_callback){ .function = function, .count = count });
    frame_last_outside(&cell->out, frame, buf_whole(arguments));
    link_send_with(cell, arguments);
    buf_clear(arguments);
}

/* A call is one level of nesting, and a callback. */
static bool
on_host_is_full(void *data)
{
    const struct cell *cell = data;

    return cell->current == NULL || cell->nesting + cell->blocked >= NESTING_MAX ||
           table_is_full(&cell->callbacks);
}

static void
on_call_host(void *data, uint32_t function, uint32_t count, struct buf *arguments,
    struct engine_answer *answer)
{
    struct cell *cell = data;
    struct task *task = cell->current;
    uint32_t awaited = cell->awaited, id;

    *answer = (struct engine_answer){ .kind = ENGINE_ANSWER_THROW,
        .name = span_text("RangeError"),
        .message = span_text("too many host functions are under way") };
    answer->unsent = true;
    if (on_host_is_full(cell) || (id = table_add(&cell->callbacks, task)) == 0)
        return;
    bool blocked = false;
    task->refs++;
    task_rest(cell); /* the host works now: our CPU budget rests */
    bool sent = task_check(cell, task) == GBX_OK;
    if (sent)
        send_callback(cell, id, function, count, arguments);
    cell->nesting++;
    struct queued *q = await_answer(cell, task, id, &blocked);
    if (blocked)
        cell->blocked--;
    else
        cell->nesting--;
    cell->awaited = awaited;
    take_answer(cell, q, id, answer);
    answer->unsent = !sent;
    if (q == NULL && blocked)
        answer_cancelled(cell, id);
    if (answer->kind != ENGINE_ANSWER_PROMISE) {
        (void)table_remove(&cell->callbacks, id);
        task->refs--; /* never the last: its own answer is open, or a promise is */
    }
    task_resume(cell);
}

static void
on_post_host(void *data, uint32_t function, uint32_t count, struct buf *arguments)
{
    send_callback(data, 0, function, count, arguments);
}

/* --- the rest ---------------------------------------------------------------------------- */

static void
on_settled(void *data, uint32_t call, struct engine_outcome *outcome)
{
    struct cell *cell = data;
    struct task *task = table_get(&cell->tasks, call);

    if (task != NULL && !task->answered)
        task_finish(cell, task, outcome);
}

static uint32_t
on_running(void *data)
{
    const struct cell *cell = data;

    return cell->current != NULL ? cell->current->id : 0;
}

static void
on_rejected(void *data, uint32_t call, uint64_t omitted, struct engine_outcome *outcome)
{
    struct cell *cell = data;
    const struct engine_exception *e = &outcome->exception;

    put_rejection(&cell->out, cell_tag(cell, 0),
        &(struct msg_rejection){ .call = call,
            .omitted = omitted,
            .line = e->line,
            .column = e->column,
            .name = buf_span(&e->name),
            .message = buf_span(&e->message),
            .stack = buf_span(&e->stack),
            .file = buf_span(&e->file),
            .source_line = buf_span(&e->source_line),
            .value = buf_span(&outcome->value) });
    link_send(cell);
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

    if (task != NULL && (cell->memory.passed || watch_fired() || task->stopped != GBX_OK)) {
        if (task->stack.len == 0)
            engine_stack_trace(&task->stack);
        if (cell->memory.passed)
            snapshot_at_limit(cell);
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

static void
on_last_look(void *data)
{
    snapshot_at_limit(data);
}

static __attribute__((noreturn)) void
on_fatal(void *data, bool out_of_memory, const char *location, const char *detail)
{
    struct cell *cell = data;
    struct span stack = span_of(NULL, 0);

    if (cell->current != NULL)
        stack = buf_span(&cell->current->stack);
    if (out_of_memory || cell->memory.passed)
        snapshot_at_limit(cell);
    if (cell->memory.passed)
        cell_die_of_memory(cell, stack);
    char message[256];
    int n = snprintf(message, sizeof message, "%s%s%s", location == NULL ? "" : location,
        detail == NULL || detail[0] == '\0' ? "" : ": ", detail == NULL ? "" : detail);
    (void)n;
    if (out_of_memory || death_memory_is_out())
        death_of_allocation(message, stack);
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
on_paused(void *data)
{
    pause_guest(data);
}

static void
on_released(void *data)
{
    pause_release(data);
}

static struct bytes *
on_keep(void *data, const void *p)
{
    return link_keep(data, p);
}

const struct engine_hooks cell_hooks = {
    .host_is_full = on_host_is_full,
    .call_host = on_call_host,
    .post_host = on_post_host,
    .settled = on_settled,
    .running = on_running,
    .rejected = on_rejected,
    .console = on_console,
    .interrupt = on_interrupt,
    .resolve = cell_resolve,
    .memory = on_memory,
    .last_look = on_last_look,
    .fatal = on_fatal,
    .inspector_message = on_inspector_message,
    .paused = on_paused,
    .released = on_released,
    .keep = on_keep,
};
