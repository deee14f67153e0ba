/* serve.c - what the host asks for. */
#include "cell/cell.h"

#include "base/check.h"

/* --- requests -------------------------------------------------------------------------------
 */

struct task *
serve_begin(struct cell *cell, const struct queued *q, uint32_t context, uint64_t wall_us,
    uint64_t cpu_us, struct engine_outcome *out)
{
    struct task *task = task_new(cell, q->frame.id, wall_us, cpu_us);

    if (task == NULL) {
        answer_failure(
            cell, q->frame.id, GBX_ELIMIT, "too many calls are under way in this isolate");
        return NULL;
    }
    task->context = context;
    task->stops = q->stops;
    task->outer = cell->current; /* in whose time it would run */
    if (task_check(cell, task) == GBX_OK)
        pause_before_first(cell, task, &q->frame);
    if (task->stopped != GBX_OK) {
        answer_stopped(cell, task);
        return NULL;
    }
    uint64_t max =
        VALUE_BYTES_MAX < cell->memory_limit_bytes ? VALUE_BYTES_MAX : cell->memory_limit_bytes;
    engine_outcome_init(out, max);
    out->value = cell->value;
    out->value.max = max;
    cell->value = (struct buf){ .max = 0 };
    task_enter(cell, task);
    return task;
}

void
serve_end(struct cell *cell, struct task *task, struct engine_outcome *out)
{
    task_leave(cell, task);
    if (task->disposed) {
        task_cancel(cell, task);
        if (task->stopped == GBX_OK &&
            (out->end == ENGINE_PENDING || out->end == ENGINE_REFERENCE))
            task->stopped = GBX_EDISPOSED;
    }
    if (task->stopped != GBX_OK) { /* what it came to in spite of that is not its result */
        if (out->end == ENGINE_REFERENCE)
            engine_reference_free(out->reference);
        engine_abandon(task->handle);
        out->end = ENGINE_TERMINATED;
    }
    task_finish(cell, task, out);
    /* The buffer serves the next call, unless that has brought its own. */
    if (cell->value.p == NULL && out->value.capacity <= FRAME_KEPT_BYTES) {
        cell->value = out->value;
        buf_clear(&cell->value);
        out->value = (struct buf){ .max = 0 };
    }
    engine_outcome_done(out);
}

static void
serve_eval(struct cell *cell, const struct queued *q, const struct msg_eval *m)
{
    struct engine_outcome out;
    struct task *task = serve_begin(cell, q, m->context, m->wall_us, m->cpu_us, &out);

    if (task == NULL)
        return;
    engine_eval(m->context, task->handle, m->flags,
        &(struct engine_source){
            .text = m->source, .file = m->file, .line = m->line, .column = m->column },
        &out);
    serve_end(cell, task, &out);
}

static void
serve_call(struct cell *cell, const struct queued *q, const struct msg_call *m)
{
    struct engine_outcome out;
    struct task *task = serve_begin(cell, q, m->context, m->wall_us, m->cpu_us, &out);

    if (task == NULL)
        return;
    engine_call(m->context, task->handle, m->flags, m->path, m->count, m->arguments, &out);
    serve_end(cell, task, &out);
}

static void
serve_operate(struct cell *cell, const struct queued *q, const struct msg_operate *m)
{
    struct engine_outcome out;
    struct task *task = serve_begin(cell, q, m->context, m->wall_us, m->cpu_us, &out);

    if (task == NULL)
        return;
    engine_operate(task->handle, m->flags,
        &(struct engine_operation){ .kind = (enum engine_operation_kind)m->operation,
            .reference = m->reference,
            .key = m->key,
            .count = m->count,
            .arguments = m->arguments },
        &out);
    serve_end(cell, task, &out);
}

static void
serve_get(struct cell *cell, const struct queued *q, const struct msg_get *m)
{
    struct engine_outcome out;
    struct task *task = serve_begin(cell, q, m->context, m->wall_us, m->cpu_us, &out);

    if (task == NULL)
        return;
    engine_get(m->context, task->handle, m->flags, m->path, &out);
    serve_end(cell, task, &out);
}

static void
serve_set(struct cell *cell, const struct queued *q, const struct msg_set *m)
{
    struct engine_outcome out;
    struct task *task = serve_begin(cell, q, m->context, m->wall_us, m->cpu_us, &out);

    if (task == NULL)
        return;
    engine_set(m->context, m->path, m->value, &out);
    serve_end(cell, task, &out);
}

static void
serve_set_function(struct cell *cell, const struct queued *q, const struct msg_set_function *m)
{
    struct engine_outcome out;
    struct task *task = serve_begin(cell, q, m->context, PUMP_WALL_US, 0, &out);

    if (task == NULL)
        return;
    engine_set_function(m->context, m->path, m->function, &out);
    serve_end(cell, task, &out);
}

static void
serve_set_functions(
    struct cell *cell, const struct queued *q, const struct msg_set_functions *m)
{
    struct engine_outcome out;
    struct task *task = serve_begin(cell, q, m->context, PUMP_WALL_US, 0, &out);

    if (task == NULL)
        return;
    engine_set_functions(m->context, m->path, m->count, m->functions, &out);
    serve_end(cell, task, &out);
}

static void
serve_settle(struct cell *cell, const struct queued *q, const struct msg_settle *m)
{
    uint32_t id = m->callback;
    struct task *task = table_remove(&cell->callbacks, id);
    struct engine_answer answer = {
        .kind = m->kind == ANSWER_THROW ? ENGINE_ANSWER_THROW : ENGINE_ANSWER_VALUE,
        .bytes = m->value,
        .name = m->name,
        .message = m->message,
        .promise = id,
    };

    /* What a stopped call left behind does not go on, or its deadline would be no deadline. */
    if (task != NULL && task_check(cell, task) == GBX_OK) {
        task_enter(cell, task);
        (void)engine_settle(id, &answer);
        task_return(cell, task);
    } else {
        engine_promise_drop(id);
    }
    if (task != NULL)
        task_unref(cell, task);
    if (q->frame.id != 0)
        answer_done(cell, q->frame.id);
}

static void
serve_statistics(struct cell *cell, uint32_t id)
{
    struct engine_statistics s;

    engine_measure(&s);
    put_statistics_reply(&cell->out, cell_tag(cell, id),
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
            .collection_us = s.collection_us,
            .heap_peak = s.heap_peak,
            .references = s.references });
    link_send(cell);
}

static void
serve_collect(struct cell *cell, uint32_t id)
{
    engine_collect();
    if (cell->memory.passed)
        cell_die_of_memory(cell, span_of(NULL, 0));
    answer_done(cell, id);
}

static void
serve_context_open(struct cell *cell, const struct queued *q, const struct msg_context_open *m)
{
    uint32_t id = q->frame.id;

    if (engine_context_new(m->context)) {
        answer_done(cell, id);
    } else {
        answer_failure(cell, id, GBX_ELIMIT, "the isolate has no room for another context");
    }
}

static void
serve_snapshot(struct cell *cell, const struct queued *q, const struct msg_snapshot *m)
{
    if (m->background == 0) {
        snapshot_attached(cell, q->frame.id, m->flags);
        return;
    }
    cell->limit_wanted = true;
    cell->limit_flags = m->flags;
}

static void
serve_clock(struct cell *cell, const struct queued *q, const struct msg_clock *m)
{
    GBX_CHECK(m->kind < ENGINE_CLOCKS);
    engine_set_clock((enum engine_clock)m->kind, m->us);
    if (q->frame.id != 0)
        answer_done(cell, q->frame.id);
}

/* A CDP command may run guest code, without a limit of its own: the host that debugs a cell may
 * terminate it. It runs as a task all the same, so that further commands reach it; within a call
 * that runs, it is part of that. */
static void
serve_inspector(struct cell *cell, const struct msg_inspector_send *m)
{
    if (cdp_refused(cell, m->session, m->json))
        return;
    struct task *task = cell->running ? NULL : task_new(cell, 0, 0, 0);
    if (task != NULL) {
        task->answered = task->apart = true;
        task_enter(cell, task);
    }
    engine_inspector_dispatch(m->session, m->json);
    if (task != NULL) {
        task_leave(cell, task);
        if (cell->memory.passed)
            cell_die_of_memory(cell, buf_span(&task->stack));
        task_unref(cell, task);
    }
}

/* The host is trusted and built with us: a body that does not decode is a bug. */
#define DECODE(name, frame) \
    struct msg_##name m;    \
    GBX_CHECK(get_##name((frame)->body, &m) == GBX_OK)

bool
is_urgent(const struct frame *frame)
{
    switch (frame->type) {
    case MESSAGE_STATISTICS:
    case MESSAGE_INSPECTOR_OPEN:
    case MESSAGE_INSPECTOR_SEND:
    case MESSAGE_INSPECTOR_CLOSE:
        return true;
    case MESSAGE_SNAPSHOT: { /* an attached one stops the guest, so it waits for its turn */
        DECODE(snapshot, frame);
        return m.background == 1;
    }
    default:
        return false;
    }
}

void
serve_urgent(struct cell *cell, const struct frame *frame)
{
    switch (frame->type) {
    case MESSAGE_STATISTICS:
        serve_statistics(cell, frame->id);
        break;
    case MESSAGE_INSPECTOR_OPEN: {
        DECODE(inspector_open, frame);
        cell->pause_ns = m.pause_us < UINT64_MAX / 1000 ? m.pause_us * 1000 : UINT64_MAX;
        engine_inspector_name(m.name);
        (void)engine_inspector_open(m.session);
        break;
    }
    case MESSAGE_INSPECTOR_SEND: {
        DECODE(inspector_send, frame);
        serve_inspector(cell, &m);
        break;
    }
    case MESSAGE_INSPECTOR_CLOSE: {
        DECODE(inspector_close, frame);
        engine_inspector_close(m.session);
        break;
    }
    default: {
        DECODE(snapshot, frame);
        snapshot_background(cell, frame->id, m.flags);
        break;
    }
    }
}

/* The orders: nothing is answered. */
static void
serve_order(struct cell *cell, const struct frame *frame)
{
    switch (frame->type) {
    case MESSAGE_CONTEXT_CLOSE: {
        DECODE(context_close, frame);
        task_drop_context(cell, m.context);
        engine_context_free(m.context);
        break;
    }
    case MESSAGE_REFERENCES_CLOSE: {
        DECODE(references_close, frame);
        for (size_t i = 0; i + 4 <= m.ids.len; i += 4)
            engine_reference_free((uint32_t)m.ids.p[i] | (uint32_t)m.ids.p[i + 1] << 8 |
                                  (uint32_t)m.ids.p[i + 2] << 16 |
                                  (uint32_t)m.ids.p[i + 3] << 24);
        break;
    }
    case MESSAGE_SEED: {
        DECODE(seed, frame);
        engine_seed(m.seed);
        break;
    }
    case MESSAGE_WAIT: {
        DECODE(wait, frame);
        cell->pause_ns = m.pause_us < UINT64_MAX / 1000 ? m.pause_us * 1000 : UINT64_MAX;
        cell->waits = true;
        break;
    }
    case MESSAGE_SCRIPT_CLOSE: {
        DECODE(script_close, frame);
        engine_script_free(m.script);
        break;
    }
    case MESSAGE_MODULE_CLOSE: {
        DECODE(module_close, frame);
        engine_module_free(m.module);
        break;
    }
    case MESSAGE_FUNCTIONS_GIVEN: {
        DECODE(functions_given, frame);
        engine_functions_given(m.ids);
        break;
    }
    case MESSAGE_LOADER: {
        DECODE(loader, frame);
        engine_loader(m.context, m.asks != 0);
        break;
    }
    default: { /* an ANSWER that nobody waits for any more */
        DECODE(answer, frame);
        if (m.kind == ANSWER_PROMISE || m.kind == ANSWER_BLOCK)
            answer_cancelled(cell, frame->id);
        break;
    }
    }
}

void
serve(struct cell *cell, const struct queued *q)
{
    const struct frame *frame = &q->frame;

    if (is_urgent(frame)) {
        serve_urgent(cell, frame);
        return;
    }
#define CASE(NAME, name)           \
    case MESSAGE_##NAME: {         \
        DECODE(name, frame);       \
        serve_##name(cell, q, &m); \
        break;                     \
    }
    switch (frame->type) {
        CASE(EVAL, eval)
        CASE(CALL, call)
        CASE(OPERATE, operate)
        CASE(GET, get)
        CASE(SET, set)
        CASE(SET_FUNCTION, set_function)
        CASE(SET_FUNCTIONS, set_functions)
        CASE(SETTLE, settle)
        CASE(CONTEXT_OPEN, context_open)
        CASE(CLOCK, clock)
        CASE(CLOSURE, closure)
        CASE(SCRIPT_COMPILE, script_compile)
        CASE(SCRIPT_RUN, script_run)
        CASE(MODULE_COMPILE, module_compile)
        CASE(MODULE_RUN, module_run)
        CASE(MODULE_GET, module_get)
        CASE(MODULE_CALL, module_call)
        CASE(IMPORT, import)
        CASE(RESOLVED, resolved)
    case MESSAGE_COLLECT:
        serve_collect(cell, frame->id);
        break;
        CASE(SNAPSHOT, snapshot)
    case MESSAGE_TWIN:
        twin_fork(cell, frame->id);
        break;
    default:
        serve_order(cell, frame);
        break;
    }
#undef CASE
}
