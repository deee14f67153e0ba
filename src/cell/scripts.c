/* scripts.c - requests about scripts, compiled once and run in many contexts, and closures. */
#include "cell/cell.h"

void
serve_closure(struct cell *cell, const struct queued *q, const struct msg_closure *m)
{
    struct engine_outcome out;
    struct task *task = serve_begin(cell, q, m->context, m->wall_us, m->cpu_us, &out);

    if (task == NULL)
        return;
    engine_closure(m->context, task->handle, m->flags,
        &(struct engine_source){
            .text = m->source, .file = m->file, .line = m->line, .column = m->column },
        m->count, m->arguments, &out);
    serve_end(cell, task, &out);
}

void
serve_script_compile(
    struct cell *cell, const struct queued *q, const struct msg_script_compile *m)
{
    struct engine_source source = {
        .text = m->source, .file = m->file, .line = m->line, .column = m->column
    };
    struct engine_outcome out;
    struct task *task = serve_begin(cell, q, 1, m->wall_us, m->cpu_us, &out);

    if (task == NULL)
        return;
    if (m->script == 0)
        engine_script_cache(&source, &out);
    else
        engine_script_compile(m->script, &source, m->cache, &out);
    serve_end(cell, task, &out);
}

void
serve_script_run(struct cell *cell, const struct queued *q, const struct msg_script_run *m)
{
    struct engine_outcome out;
    struct task *task = serve_begin(cell, q, m->context, m->wall_us, m->cpu_us, &out);

    if (task == NULL)
        return;
    engine_script_run(m->context, m->script, task->handle, m->flags, &out);
    serve_end(cell, task, &out);
}
