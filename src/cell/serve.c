/* serve.c - what the host asks for, and what the engine asks of the host. */
#include "cell/cell.h"

#include "base/check.h"
#include "base/clock.h"

#include <stdio.h>

static struct frame_tag
tag_of(const struct cell *cell, uint32_t id)
{
    return (struct frame_tag){ .id = id, .nesting = (uint16_t)cell->nesting };
}

/* --- answers --------------------------------------------------------------------------------
 */

/* The isolate went past its memory limit: it ends now, whatever the code answered. */
static __attribute__((noreturn)) void
die_of_memory(struct cell *cell, struct span stack)
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

    death_note(GBX_EMEMORY, details[cell->memory.event], cell->memory.limit, cell->memory.used,
        messages[cell->memory.event], stack);
}

static void
answer_failure(struct cell *cell, uint32_t id, gbx_status status, const char *message)
{
    put_failure(&cell->out, tag_of(cell, id),
        &(struct msg_failure){ .status = (uint32_t)-status, .message = span_text(message) });
    link_send(cell);
}

void
answer_stopped(struct cell *cell, struct task *task)
{
    struct msg_failure failure = { .status = (uint32_t)-task->stopped,
        .message = span_text(gbx_strstatus(task->stopped)),
        .stack = buf_span(&task->stack) };

    if (task->stopped == GBX_ETIMEOUT)
        failure.limit = task->wall_us;
    if (task->stopped == GBX_ECPU)
        failure.limit = task->cpu_us;
    engine_abandon(task->handle);
    put_failure(&cell->out, tag_of(cell, task->id), &failure);
    link_send(cell);
    task->answered = true;
    task_unref(cell, task);
}

static void
answer_exception(struct cell *cell, const struct task *task, const struct engine_outcome *out)
{
    const struct engine_exception *e = &out->exception;
    gbx_status status = out->end == ENGINE_NOT_CLONABLE ? GBX_ECLONE
                        : out->end == ENGINE_TOO_BIG    ? GBX_ETOOBIG
                        : out->end == ENGINE_BAD_ID     ? GBX_EINVAL
                        : e->from_host                  ? GBX_EHOST
                                                        : GBX_ETHROW;

    put_failure(&cell->out, tag_of(cell, task->id),
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
answer_value(struct cell *cell, const struct task *task, struct span value)
{
    size_t frame = cell->out.len;

    put_result(
        &cell->out, tag_of(cell, task->id), &(struct msg_result){ .value = { NULL, 0 } });
    frame_last_outside(&cell->out, frame, value.len);
    link_send_with(cell, value);
}

/* Answers `task` with what came of it, unless that is still open. */
static void
finish(struct cell *cell, struct task *task, const struct engine_outcome *out)
{
    if (cell->memory.passed)
        die_of_memory(cell, buf_span(&task->stack));
    switch (out->end) {
    case ENGINE_PENDING:
        return;
    case ENGINE_VALUE:
        answer_value(cell, task, buf_span(&out->value));
        break;
    case ENGINE_REFERENCE:
        put_reference(&cell->out, tag_of(cell, task->id),
            &(struct msg_reference){ .reference = out->reference });
        link_send(cell);
        break;
    case ENGINE_THROWN:
    case ENGINE_NOT_CLONABLE:
    case ENGINE_TOO_BIG:
    case ENGINE_BAD_ID:
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

/* --- requests -------------------------------------------------------------------------------
 */

/* The task of a request, or NULL after having refused it. */
static struct task *
begin(struct cell *cell, uint32_t id, uint64_t wall_us, uint64_t cpu_us,
    struct engine_outcome *out)
{
    struct task *task = task_new(cell, id, wall_us, cpu_us);

    if (task == NULL) {
        answer_failure(cell, id, GBX_ELIMIT, "too many calls are under way in this isolate");
        return NULL;
    }
    engine_outcome_init(out, VALUE_BYTES_MAX);
    out->value = cell->value;
    out->value.max = VALUE_BYTES_MAX;
    cell->value = (struct buf){ .max = 0 };
    task_enter(cell, task);
    return task;
}

static void
end(struct cell *cell, struct task *task, struct engine_outcome *out)
{
    task_leave(cell, task);
    finish(cell, task, out);
    /* The buffer serves the next call, unless that has brought its own. */
    if (cell->value.p == NULL && out->value.capacity <= FRAME_KEPT_BYTES) {
        cell->value = out->value;
        cell->value.len = 0;
        out->value = (struct buf){ .max = 0 };
    }
    engine_outcome_done(out);
}

static void
serve_eval(struct cell *cell, uint32_t id, const struct msg_eval *m)
{
    struct engine_outcome out;
    struct task *task = begin(cell, id, m->wall_us, m->cpu_us, &out);

    if (task == NULL)
        return;
    engine_eval(m->context, task->handle, m->flags,
        &(struct engine_source){
            .text = m->source, .file = m->file, .line = m->line, .column = m->column },
        &out);
    end(cell, task, &out);
}

static void
serve_call(struct cell *cell, uint32_t id, const struct msg_call *m)
{
    struct engine_outcome out;
    struct task *task = begin(cell, id, m->wall_us, m->cpu_us, &out);

    if (task == NULL)
        return;
    engine_call(m->context, task->handle, m->flags, m->path, m->reference, m->count,
        m->arguments, &out);
    end(cell, task, &out);
}

static void
serve_get(struct cell *cell, uint32_t id, const struct msg_get *m)
{
    struct engine_outcome out;
    struct task *task = begin(cell, id, m->wall_us, m->cpu_us, &out);

    if (task == NULL)
        return;
    engine_get(m->context, task->handle, m->flags, m->path, &out);
    end(cell, task, &out);
}

static void
serve_set(struct cell *cell, uint32_t id, const struct msg_set *m)
{
    struct engine_outcome out;
    struct task *task = begin(cell, id, m->wall_us, m->cpu_us, &out);

    if (task == NULL)
        return;
    engine_set(m->context, m->path, m->value, &out);
    end(cell, task, &out);
}

static void
serve_set_function(struct cell *cell, uint32_t id, const struct msg_set_function *m)
{
    struct engine_outcome out;
    struct task *task = begin(cell, id, PUMP_WALL_US, 0, &out);

    if (task == NULL)
        return;
    engine_set_function(m->context, m->path, m->function, &out);
    end(cell, task, &out);
}

static void
serve_settle(struct cell *cell, uint32_t id, const struct msg_settle *m)
{
    struct task *task = table_remove(&cell->callbacks, id);
    struct engine_answer answer = {
        .kind = m->kind == ANSWER_THROW ? ENGINE_ANSWER_THROW : ENGINE_ANSWER_VALUE,
        .bytes = m->value,
        .name = m->name,
        .message = m->message,
        .promise = id,
    };

    if (task == NULL)
        return;
    /* What a stopped call left behind does not go on, or its deadline would be no deadline. */
    if (task->stopped == GBX_OK) {
        task_enter(cell, task);
        (void)engine_settle(id, &answer);
        task_leave(cell, task);
        if (cell->memory.passed)
            die_of_memory(cell, buf_span(&task->stack));
        if (task->stopped != GBX_OK && !task->answered)
            answer_stopped(cell, task);
    }
    task_unref(cell, task);
}

static void
serve_statistics(struct cell *cell, uint32_t id)
{
    struct engine_statistics s;

    engine_measure(&s);
    put_statistics_reply(&cell->out, tag_of(cell, id),
        &(struct msg_statistics_reply){ .heap_used = s.heap_used,
            .heap_total = s.heap_total,
            .heap_limit = s.heap_limit,
            .heap_malloced = s.heap_malloced,
            .external = s.external,
            .external_peak = s.external_peak,
            .code = s.code_and_metadata,
            .contexts = s.contexts,
            .detached = s.detached_contexts,
            .collections = s.collections,
            .collection_us = s.collection_us });
    link_send(cell);
}

static void
serve_collect(struct cell *cell, uint32_t id)
{
    engine_collect();
    if (cell->memory.passed)
        die_of_memory(cell, span_of(NULL, 0));
    put_result(&cell->out, tag_of(cell, id), &(struct msg_result){ .value = span_of(NULL, 0) });
    link_send(cell);
}

static void
serve_context_open(struct cell *cell, uint32_t id, const struct msg_context_open *m)
{
    if (engine_context_new(m->context)) {
        put_result(
            &cell->out, tag_of(cell, id), &(struct msg_result){ .value = span_of(NULL, 0) });
        link_send(cell);
    } else {
        answer_failure(cell, id, GBX_ELIMIT, "the isolate has no room for another context");
    }
}

/* A CDP command may run guest code, without a limit of its own: the host that debugs a cell may
 * terminate it. It runs as a task all the same, so that further commands reach it. */
static void
serve_inspector(struct cell *cell, const struct msg_inspector_send *m)
{
    struct task *task = cell->current == NULL ? task_new(cell, 0, 0, 0) : NULL;

    if (task != NULL) {
        task->answered = true;
        task_enter(cell, task);
    }
    engine_inspector_dispatch(m->session, m->json);
    if (task != NULL) {
        task_leave(cell, task);
        if (cell->memory.passed)
            die_of_memory(cell, buf_span(&task->stack));
        task_unref(cell, task);
    }
}

/* The host is trusted and built with us: a body that does not decode is a bug. */
#define DECODE(name, frame) \
    struct msg_##name m;    \
    GBX_CHECK(get_##name((frame)->body, &m) == GBX_OK)

bool
serve_urgent(struct cell *cell, const struct frame *frame)
{
    switch (frame->type) {
    case MESSAGE_STATISTICS:
        serve_statistics(cell, frame->id);
        return true;
    case MESSAGE_INSPECTOR_OPEN: {
        DECODE(inspector_open, frame);
        (void)engine_inspector_open(m.session);
        return true;
    }
    case MESSAGE_INSPECTOR_SEND: {
        DECODE(inspector_send, frame);
        serve_inspector(cell, &m);
        return true;
    }
    case MESSAGE_INSPECTOR_CLOSE: {
        DECODE(inspector_close, frame);
        engine_inspector_close(m.session);
        return true;
    }
    case MESSAGE_SNAPSHOT: {
        DECODE(snapshot, frame);
        if (m.background == 0)
            return false; /* it stops the guest, so it waits for its turn */
        snapshot_background(cell, frame->id);
        return true;
    }
    default:
        return false;
    }
}

void
serve(struct cell *cell, const struct frame *frame)
{
#define CASE(NAME, name)                   \
    case MESSAGE_##NAME: {                 \
        DECODE(name, frame);               \
        serve_##name(cell, frame->id, &m); \
        break;                             \
    }
    switch (frame->type) {
        CASE(EVAL, eval)
        CASE(CALL, call)
        CASE(GET, get)
        CASE(SET, set)
        CASE(SET_FUNCTION, set_function)
        CASE(SETTLE, settle)
        CASE(CONTEXT_OPEN, context_open)
    case MESSAGE_CONTEXT_CLOSE: {
        DECODE(context_close, frame);
        engine_context_free(m.context);
        break;
    }
    case MESSAGE_REFERENCE_CLOSE: {
        DECODE(reference_close, frame);
        engine_reference_free(m.reference);
        break;
    }
    case MESSAGE_COLLECT:
        serve_collect(cell, frame->id);
        break;
    case MESSAGE_SNAPSHOT:
        snapshot_attached(cell, frame->id);
        break;
    default: /* an ANSWER that nobody waits for any more */
        break;
    }
#undef CASE
}

/* --- the engine's hooks ---------------------------------------------------------------------
 */

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
    put_callback(&cell->out, tag_of(cell, id),
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
        finish(cell, task, outcome);
}

static void
on_console(void *data, enum engine_console_level level, struct span text)
{
    struct cell *cell = data;

    put_console(&cell->out, tag_of(cell, 0),
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
        die_of_memory(cell, stack);
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

    put_inspector_message(&cell->out, tag_of(cell, 0),
        &(struct msg_inspector_message){ .session = session, .json = json });
    link_send(cell);
}

static void
tell_paused(struct cell *cell, uint32_t paused)
{
    put_paused(&cell->out, tag_of(cell, 0), &(struct msg_paused){ .paused = paused });
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
