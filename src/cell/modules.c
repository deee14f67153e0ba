/* modules.c - requests about modules, and the imports that the host is asked for. */
#include "cell/cell.h"

#include "base/check.h"

_Static_assert((int)MODULE_SOURCE == (int)ENGINE_MODULE_SOURCE &&
                   (int)MODULE_JSON == (int)ENGINE_MODULE_JSON &&
                   (int)MODULE_WASM == (int)ENGINE_MODULE_WASM &&
                   (int)MODULE_VALUE == (int)ENGINE_MODULE_VALUE,
    "the wire's kinds are the engine's");

void
serve_module_compile(
    struct cell *cell, const struct queued *q, const struct msg_module_compile *m)
{
    struct engine_outcome out;
    struct task *task = serve_begin(cell, q, m->context, m->wall_us, m->cpu_us, &out);

    if (task == NULL)
        return;
    GBX_CHECK(m->kind < MODULE_KINDS);
    engine_module_compile(m->context, task->handle, m->flags,
        &(struct engine_module){ .id = m->module,
            .kind = (enum engine_module_kind)m->kind,
            .source = { .text = m->source,
                .file = m->name,
                .line = m->line,
                .column = m->column },
            .meta = m->meta },
        &out);
    serve_end(cell, task, &out);
}

void
serve_module_run(struct cell *cell, const struct queued *q, const struct msg_module_run *m)
{
    struct engine_outcome out;
    struct task *task = serve_begin(cell, q, m->context, m->wall_us, m->cpu_us, &out);

    if (task == NULL)
        return;
    engine_module_run(task->handle, m->flags, m->module, m->evaluate != 0, &out);
    serve_end(cell, task, &out);
}

void
serve_module_get(struct cell *cell, const struct queued *q, const struct msg_module_get *m)
{
    struct engine_outcome out;
    struct task *task = serve_begin(cell, q, m->context, m->wall_us, m->cpu_us, &out);

    if (task == NULL)
        return;
    engine_module_get(task->handle, m->flags, m->module, m->path, &out);
    serve_end(cell, task, &out);
}

void
serve_module_call(struct cell *cell, const struct queued *q, const struct msg_module_call *m)
{
    struct engine_outcome out;
    struct task *task = serve_begin(cell, q, m->context, m->wall_us, m->cpu_us, &out);

    if (task == NULL)
        return;
    engine_module_call(
        task->handle, m->flags, m->module, m->path, m->count, m->arguments, &out);
    serve_end(cell, task, &out);
}

void
serve_import(struct cell *cell, const struct queued *q, const struct msg_import *m)
{
    struct engine_outcome out;
    struct task *task = serve_begin(cell, q, m->context, m->wall_us, m->cpu_us, &out);

    if (task == NULL)
        return;
    engine_import(m->context, task->handle, m->flags, m->specifier, &out);
    serve_end(cell, task, &out);
}

/* An import belongs to the call that made it: so do its answer, and what that lets run. */
uint32_t
cell_resolve(
    void *data, uint32_t context, struct span type, struct span specifier, struct span referrer)
{
    struct cell *cell = data;
    struct task *task = cell->current;
    uint32_t id = task == NULL ? 0 : table_add(&cell->callbacks, task);

    if (id == 0)
        return 0;
    task->refs++;
    put_resolve(&cell->out, cell_tag(cell, id),
        &(struct msg_resolve){
            .context = context, .type = type, .specifier = specifier, .referrer = referrer });
    link_send(cell);
    return id;
}

void
serve_resolved(struct cell *cell, const struct queued *q, const struct msg_resolved *m)
{
    struct task *task = table_remove(&cell->callbacks, m->request);

    /* As with a promise: what a stopped call left behind does not go on. */
    if (task != NULL && task_check(cell, task) == GBX_OK) {
        task_enter(cell, task);
        (void)engine_resolved(m->request, m->module, m->name, m->message);
        task_return(cell, task);
    } else {
        engine_resolve_drop(m->request);
    }
    if (task != NULL)
        task_unref(cell, task);
    if (q->frame.id != 0)
        answer_done(cell, q->frame.id);
}
