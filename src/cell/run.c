/* run.c - a cell's life: bind the channel, seal, serve until the end. */
#include "cell/cell.h"

#include "base/clock.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <unistd.h>

static struct cell the_cell;

/* There is no host to tell: the template reports the exit code. */
static __attribute__((noreturn)) void
fail_early(const char *what)
{
    char text[160];

    (void)snprintf(text, sizeof text, "%s: %s", what, strerror(errno));
    death_note(GBX_ESYS, CHANNEL_NOTE_NONE, 0, 0, text, span_of(NULL, 0));
}

static void
on_sigchld(int signal)
{
    (void)signal; /* only there to end a sleep: a snapshot child has ended */
}

/* The walls stand, all that are required, or there is no cell. Those of the zygote are the host's
 * to check. */
static void
check_layers(const struct layers *layers, uint32_t required)
{
    uint32_t of_cells = (2u << LAYER_SIGNALS) - 1;
    enum sandbox_layer missing;
    char text[160];

    if (layers_lack(layers, required & of_cells, &missing, text, sizeof text))
        death_note(GBX_ESEAL, CHANNEL_NOTE_NONE, 0, 0, text, span_of(NULL, 0));
}

static enum sandbox_profile
profile_of(uint32_t flags)
{
    unsigned fork = (flags & TEMPLATE_FORK) != 0 ? SANDBOX_FORK : 0;
    unsigned profiling = (flags & TEMPLATE_PROFILING) != 0 ? SANDBOX_PROFILING : 0;

    return (enum sandbox_profile)(fork | profiling);
}

/* Before the cell is sealed: afterwards no memory can be had of anybody. */
static void
map_shares(const struct cell_start *s, void *at[SHARED_COUNT_MAX])
{
    for (uint32_t i = 0; i < s->share_count; i++) {
        at[i] = mmap(
            NULL, s->shares[i].bytes, PROT_READ | PROT_WRITE, MAP_SHARED, s->shares[i].fd, 0);
        if (at[i] == MAP_FAILED)
            fail_early("cannot map shared memory");
    }
}

static uint64_t
shared_bytes(const struct cell_start *s)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < s->share_count; i++)
        bytes += s->shares[i].bytes;
    return bytes;
}

static void
start(struct cell *cell, const struct cell_start *s)
{
    void *shared[SHARED_COUNT_MAX];
    struct sigaction chld = { .sa_handler = on_sigchld };
    struct layers layers = { 0 };
    uint64_t seed;

    if (!channel_map(&cell->channel, s->memory_fd, false))
        fail_early("cannot map the channel");
    death_bind(&cell->channel);
    map_shares(s, shared);
    (void)prctl(PR_SET_NAME, "gbx-cell");
    cell->last = &cell->first;
    cell->look_at_ns = UINT64_MAX;
    cell->event_fd = s->event_fd;
    cell->template = s->template;
    cell->tid = s->tid;
    cell->memory_limit_bytes = s->memory_limit_bytes;
    cell->profiling = (s->flags & TEMPLATE_PROFILING) != 0;
    death_catch_crashes(s->memory_limit_bytes);
    cell->out.max = MESSAGE_BYTES_MAX;
    cell->tasks.max = cell->callbacks.max = PROMISES_MAX;
    frame_reader_init(&cell->reader, TO_CELL);
    (void)sigaction(SIGCHLD, &chld, NULL);
    /* Some walls are each thread's own: the watchdog starts inside of them. */
    sandbox_confine_cell(&(struct sandbox_cell){ .keep_fd = &cell->event_fd,
                             .memory_limit_bytes = s->memory_limit_bytes,
                             .data_bytes = s->data_bytes,
                             .address_bytes = s->address_bytes + shared_bytes(s),
                             .twins = (s->flags & TEMPLATE_FORK) != 0 },
        &layers);
    if (!watch_start(cell))
        fail_early("cannot start the watchdog thread");
    if (getrandom(&seed, sizeof seed, 0) != sizeof seed)
        fail_early("cannot draw a random seed");
    engine_after_fork(&cell_hooks, cell, seed, (s->flags & TEMPLATE_CONSOLE) != 0);
    for (uint32_t i = 0; i < s->share_count; i++)
        engine_share(shared[i], s->shares[i].bytes);
    if ((s->flags & TEMPLATE_REJECTIONS) != 0)
        engine_watch_rejections();
    watch_await();
    sandbox_filter_cell(profile_of(s->flags), &layers);
    check_layers(&layers, s->layers);
}

/* What V8 posted to itself runs under a deadline too: finalizers are guest code, and so is what
 * follows from a timeout of Atomics.waitAsync(). Each may lead to the next one, so all of them
 * together have that time, until the host asks for something again; unless it waits for an answer,
 * whose own limits hold. */
static void
pump(struct cell *cell)
{
    uint64_t began = now_us(), took;
    struct task *task = task_new(cell, 0, cell->pump_left_us, 0);

    if (task == NULL)
        return;
    task->answered = true;
    task_enter(cell, task);
    while (engine_pump() && !watch_fired())
        ;
    task_leave(cell, task);
    if (cell->memory.passed)
        cell_hooks.fatal(cell, true, NULL, NULL);
    task_unref(cell, task);
    if (!task_is_awaited(cell)) {
        took = now_us() - began;
        cell->pump_left_us -= took < cell->pump_left_us ? took : cell->pump_left_us;
    }
}

/* What sessions are told from time to time. */
static void
tick(struct cell *cell)
{
    engine_inspector_tick();
    if (cell->memory.passed)
        cell_die_of_memory(cell, span_of(NULL, 0));
}

static uint64_t
idle_timeout_ns(struct cell *cell)
{
    uint64_t timeout = task_next_ns(cell);
    uint64_t task_us = engine_next_task_us(), tick_us = engine_inspector_next_us();

    if (tick_us != UINT64_MAX && tick_us * 1000 < timeout)
        timeout = tick_us * 1000;

    if (cell->pump_left_us > 0 && task_us != UINT64_MAX && task_us * 1000 < timeout)
        timeout = task_us * 1000;
    if (!cell->trimmed && timeout > TRIM_IDLE_US * 1000ull)
        timeout = TRIM_IDLE_US * 1000ull;
    return timeout;
}

void
cell_run(const struct cell_start *s)
{
    struct cell *cell = &the_cell;

    start(cell, s);
    for (;;) {
        struct queued *q = link_next(cell, idle_timeout_ns(cell));
        if (q != NULL) {
            serve(cell, q);
            queued_free(cell, q);
            cell->trimmed = false;
            cell->pump_left_us = PUMP_WALL_US;
        } else if (!cell->trimmed) {
            buf_done(&cell->value);
            buf_done(&cell->out);
            if (!frame_reader_midway(&cell->reader))
                buf_done(&cell->reader.body);
            engine_trim();
            cell->trimmed = true;
        }
        if (cell->pump_left_us > 0 && engine_next_task_us() == 0)
            pump(cell);
        if (engine_inspector_next_us() == 0)
            tick(cell);
        if (cell->first == NULL && !cell->announced)
            engine_functions_unread();
        answer_released(cell);
        if (q != NULL && cell->tasks.live == 0 && cell->snapshot_child == 0)
            continue; /* the hot path: nothing can have expired */
        task_look(cell);
    }
}
