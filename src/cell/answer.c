/* answer.c - what the host is told of its requests. */
#include "cell/cell.h"

void
cell_die_of_memory(struct cell *cell, struct span stack)
{
    static const enum channel_note_detail details[] = {
        [ENGINE_MEMORY_HEAP] = CHANNEL_NOTE_HEAP,
        [ENGINE_MEMORY_EXTERNAL] = CHANNEL_NOTE_EXTERNAL,
        [ENGINE_MEMORY_ALLOCATION] = CHANNEL_NOTE_ALLOCATION,
    };
    static const char *const messages[] = {
        [ENGINE_MEMORY_HEAP] = "the guest's heap reached the memory limit",
        [ENGINE_MEMORY_EXTERNAL] = "heap, buffers and code together passed the memory limit",
        [ENGINE_MEMORY_ALLOCATION] = "the kernel refused more memory",
    };

    snapshot_at_limit(cell);
    death_note(GBX_EMEMORY, details[cell->memory.event], cell->memory.limit, cell->memory.used,
        messages[cell->memory.event], stack);
}

void
answer_failure(struct cell *cell, uint32_t id, gbx_status status, const char *message)
{
    put_failure(&cell->out, cell_tag(cell, id),
        &(struct msg_failure){ .status = (uint32_t)-status, .message = span_text(message) });
    link_send(cell);
}

void
answer_cancelled(struct cell *cell, uint32_t id)
{
    put_cancelled(&cell->out, cell_tag(cell, 0), &(struct msg_cancelled){ .callback = id });
    link_send(cell);
}

void
answer_released(struct cell *cell)
{
    uint32_t ids[FUNCTIONS_BATCH];
    size_t count;

    while ((count = engine_functions_released(ids, FUNCTIONS_BATCH)) > 0) {
        put_functions_released(&cell->out, cell_tag(cell, 0),
            &(struct msg_functions_released){
                .ids = span_of((const uint8_t *)ids, count * sizeof *ids) });
        link_send(cell);
    }
}

void
answer_stopped(struct cell *cell, struct task *task)
{
    struct msg_failure failure = { .status = (uint32_t)-task->stopped,
        .message = span_text(gbx_strstatus(task->stopped)),
        .stack = buf_span(&task->stack) };

    if (task->stopped == GBX_ETIMEOUT || task->stopped == GBX_ECPU)
        failure.limit = task->limit_us;
    if (task->held_too_long)
        failure.message = span_text("a debugger held the call for longer than it may");
    engine_abandon(task->handle);
    put_failure(&cell->out, cell_tag(cell, task->id), &failure);
    link_send(cell);
    task->answered = true;
    task_cancel(cell, task);
    task_unref(cell, task);
}

static void
answer_exception(struct cell *cell, const struct task *task, const struct engine_outcome *out)
{
    const struct engine_exception *e = &out->exception;
    gbx_status status = out->end == ENGINE_NOT_CLONABLE ? GBX_ECLONE
                        : out->end == ENGINE_TOO_BIG    ? GBX_ETOOBIG
                        : out->end == ENGINE_BAD_ID     ? GBX_EINVAL
                        : out->end == ENGINE_ACCESSOR   ? GBX_EACCESSOR
                        : e->from_host                  ? GBX_EHOST
                                                        : GBX_ETHROW;

    put_failure(&cell->out, cell_tag(cell, task->id),
        &(struct msg_failure){ .status = (uint32_t)-status,
            .line = e->line,
            .column = e->column,
            .name = buf_span(&e->name),
            .message = buf_span(&e->message),
            .stack = buf_span(&e->stack),
            .file = buf_span(&e->file),
            .source_line = buf_span(&e->source_line),
            .value = buf_span(&out->value) });
    link_send(cell);
}

static void
answer_value(struct cell *cell, const struct task *task, const struct buf *value)
{
    size_t frame = cell->out.len;

    put_result(
        &cell->out, cell_tag(cell, task->id), &(struct msg_result){ .value = { NULL, 0 } });
    frame_last_outside(&cell->out, frame, buf_whole(value));
    link_send_with(cell, value);
}

void
answer_done(struct cell *cell, uint32_t id)
{
    put_result(
        &cell->out, cell_tag(cell, id), &(struct msg_result){ .value = span_of(NULL, 0) });
    link_send(cell);
}

void
task_finish(struct cell *cell, struct task *task, const struct engine_outcome *out)
{
    if (cell->memory.passed)
        cell_die_of_memory(cell, buf_span(&task->stack));
    switch (out->end) {
    case ENGINE_PENDING:
        put_pending(&cell->out, cell_tag(cell, task->id),
            &(struct msg_pending){ .no_empty_struct = 0 });
        link_send(cell);
        return;
    case ENGINE_VALUE:
        answer_value(cell, task, &out->value);
        break;
    case ENGINE_REFERENCE:
        put_reference(&cell->out, cell_tag(cell, task->id),
            &(struct msg_reference){
                .reference = out->reference, .type = out->reference_type });
        link_send(cell);
        break;
    case ENGINE_THROWN:
    case ENGINE_NOT_CLONABLE:
    case ENGINE_TOO_BIG:
    case ENGINE_BAD_ID:
    case ENGINE_ACCESSOR:
        answer_exception(cell, task, out);
        break;
    case ENGINE_TERMINATED:
    case ENGINE_ENDS:
        if (task->stopped == GBX_OK)
            task->stopped = GBX_ETERMINATED;
        answer_stopped(cell, task);
        return;
    }
    task->answered = true;
    task_unref(cell, task);
}
