/* cell.h - the sealed side: what the files of src/cell share.
 *
 * Runs in:  zygote, template, cell, snapshot child: one program, one file each.
 * Trusts:   the host. Guest code runs in this very process, so nothing here guards the host;
 *           what does is the process boundary and src/host/receive.c.
 * Threads:  a cell has two: the engine's, which runs everything, and the watchdog (watch.c).
 */
#ifndef CELL_CELL_H
#define CELL_CELL_H

#include "base/control.h"
#include "base/table.h"
#include "engine/engine.h"
#include "ring/channel.h"
#include "wire/frame.h"

#include <sys/types.h>

/* --- tasks (task.c) -------------------------------------------------------------------------
 */

/* A request of the host and everything that follows from it: the synchronous part, its
 * microtasks, and what runs when a promise that it left behind is settled. Its budgets belong
 * to all of that together. */
struct task {
    uint32_t id;      /* of the host's request, for the answer */
    uint32_t handle;  /* in cell.tasks: what the engine hands back in hooks.settled */
    uint32_t refs;    /* 1 for the open answer, 1 for each open host promise */
    uint32_t context; /* that it runs in; 0: none */
    uint32_t stops;   /* terminations that came before the request, and don't mean it */
    bool answered;
    bool on_stack;        /* between task_enter and task_leave */
    bool apart;           /* has no part in the deadlines of the tasks that it interrupts */
    bool held_too_long;   /* stopped for that */
    bool disposed;        /* its context was closed under it: it may end, but wait no more */
    gbx_status stopped;   /* why it was stopped; GBX_OK: it was not */
    uint64_t limit_us;    /* that it was stopped for */
    uint64_t wall_at_ns;  /* deadline on CLOCK_MONOTONIC; UINT64_MAX: none */
    uint64_t cpu_left_ns; /* UINT64_MAX: no budget */
    uint64_t wall_us, cpu_us; /* the limits as the host gave them; 0: none */
    uint64_t held_ns;         /* that debuggers have held it */
    struct task *outer;       /* the task that it interrupted */
    uint64_t entered_cpu_ns;
    struct buf stack; /* guest stack when it was stopped */
};

/* A frame that came while something else ran. */
struct queued {
    struct queued *next;
    struct frame frame;
    struct queued *older, *younger; /* of those that are not freed yet */
    struct buf body;                /* owned; frame.body borrows from it */
    struct bytes *kept; /* owns the body in its place, once the engine keeps a part; NULL */
    uint32_t stops;     /* terminations that the host had asked for when it sent this */
};

/* What a debugger does with the guest: enum gbx_hold. */
enum hold_kind {
    NOT_HELD,
    HELD_PAUSED,
    HELD_WAITING
};

struct cell {
    struct channel channel;
    int event_fd;
    struct frame_reader reader;
    struct queued *first, **last; /* the inbox, oldest first */
    struct queued *youngest;      /* of all that are not freed yet */
    uint32_t urgent;              /* of them, requests that are urgent */
    bool announced;               /* functions are in the message that comes next */
    struct buf value; /* results are encoded here; between calls, kept while the cell is busy */
    struct buf out;   /* frames are built here */
    struct spinner spinner;
    uint32_t nesting;       /* host functions that the guest waits for, and that run */
    uint32_t blocked;       /* those that have returned and answer later */
    struct task *current;   /* the innermost task on the stack; NULL: idle */
    bool running;           /* its code runs, under the watchdog; false: it waits */
    struct table tasks;     /* struct task */
    uint64_t look_at_ns;    /* no deadline in there is earlier; UINT64_MAX: none */
    struct table callbacks; /* struct task: open host calls and promises, by callback id;
                                 * each counts in its task's refs */
    uint32_t stops;         /* of the frame that was received last */
    uint32_t stops_looked;  /* that task_look() has acted upon */
    uint32_t awaited;       /* callback id whose ANSWER the innermost host call waits for */
    struct queued *spare;   /* one kept, so that a steady exchange allocates nothing */
    struct queued *answer;  /* the last ANSWER: the engine reads it after the hook */
    pid_t template;         /* whose child we are */
    pid_t *tid; /* where the C library has the engine thread's number; NULL: unknown */
    pid_t snapshot_child;      /* 0: none */
    uint32_t snapshot_request; /* the request that its end answers; 0: nobody waits for that */
    bool limit_wanted;         /* a snapshot is to be taken at the memory limit, once */
    uint32_t limit_flags;      /* of it: set of enum snapshot_flags */
    uint64_t memory_limit_bytes;
    bool profiling;        /* threads of V8's CPU profiler may be started */
    bool trimmed;          /* nothing has run since freed memory went back to the kernel */
    uint64_t pump_left_us; /* for what V8 posted to itself, until the next request */
    enum hold_kind held;
    bool waits;        /* until a session lets the first code run; which then ... */
    bool breaks;       /* ... breaks on its first line */
    uint64_t pause_ns; /* that debuggers may hold one task; UINT64_MAX: no limit */
    struct {           /* what the memory hook saw; the isolate is to end */
        bool passed;
        enum engine_memory_event event;
        uint64_t limit, used;
    } memory;
};

/* --- processes ------------------------------------------------------------------------------
 */

/* Each runs a process to its end. */
void template_run(const struct control *order, int host_fd) __attribute__((noreturn));
/* Memory that the cell has in common with its host and other cells. */
struct share {
    uint64_t bytes;
    int fd;
};
struct cell_start {
    int memory_fd, event_fd;
    struct share shares[SHARED_COUNT_MAX];
    uint32_t share_count;
    uint64_t memory_limit_bytes;
    uint64_t data_bytes, address_bytes; /* of the template: /proc/self/statm, in bytes */
    uint32_t flags;                     /* enum template_flags */
    uint32_t layers;                    /* without these, none: set of enum sandbox_layer */
    pid_t template;
    pid_t *tid; /* see struct cell */
};
void cell_run(const struct cell_start *start) __attribute__((noreturn));

/* --- frames in and out (link.c) -------------------------------------------------------------
 */

/* Sends cell->out and empties it. Blocks while the ring is full; meanwhile what arrives is
 * queued, so that two full rings never wait for each other. */
void link_send(struct cell *cell);
/* The next frame that may run at this nesting, or NULL after `timeout_ns`, or at once with 0.
 * The caller releases it. */
struct queued *link_next(struct cell *cell, uint64_t timeout_ns);
/* The same with bytes that are the end of its last message and lie elsewhere. */
void link_send_with(struct cell *cell, const struct buf *tail);
/* Sleeps until there is something to read, a signal, an alarm of the host or the timeout. */
void link_wait(struct cell *cell, uint64_t timeout_ns);
/* Reads what is there without blocking: urgent requests are served, the rest is queued; all of it
 * is, once what runs has been told to end. */
void link_poll(struct cell *cell);
/* True if an urgent request waits in the inbox: the guest should be interrupted for it. */
bool link_urgent(const struct cell *cell);
void queued_free(struct cell *cell, struct queued *q);
/* A twin: what its cell had been sent is dropped, and another channel, of descriptor `fd`, takes
 * the place of that one, at the same address. False with errno. */
bool link_anew(struct cell *cell, int fd);
/* Keeps the message that `p` lies in, for the engine. NULL: no memory. */
struct bytes *link_keep(struct cell *cell, const void *p);

/* --- requests (serve.c) ---------------------------------------------------------------------
 */

void serve(struct cell *cell, const struct queued *q);
/* Requests that are served at once, also while JavaScript runs. */
bool is_urgent(const struct frame *frame);
void serve_urgent(struct cell *cell, const struct frame *frame);
/* Around what a request runs: its task, or NULL after having refused it; and the answer. */
struct task *serve_begin(struct cell *cell, const struct queued *q, uint32_t context,
    uint64_t wall_us, uint64_t cpu_us, struct engine_outcome *out);
void serve_end(struct cell *cell, struct task *task, struct engine_outcome *out);
/* Requests about scripts and closures (scripts.c). */
void serve_closure(struct cell *cell, const struct queued *q, const struct msg_closure *m);
void serve_script_compile(
    struct cell *cell, const struct queued *q, const struct msg_script_compile *m);
void serve_script_run(
    struct cell *cell, const struct queued *q, const struct msg_script_run *m);
/* Requests about modules, and what they ask the host (modules.c). */
void serve_module_compile(
    struct cell *cell, const struct queued *q, const struct msg_module_compile *m);
void serve_module_run(
    struct cell *cell, const struct queued *q, const struct msg_module_run *m);
void serve_module_get(
    struct cell *cell, const struct queued *q, const struct msg_module_get *m);
void serve_module_call(
    struct cell *cell, const struct queued *q, const struct msg_module_call *m);
void serve_import(struct cell *cell, const struct queued *q, const struct msg_import *m);
void serve_resolved(struct cell *cell, const struct queued *q, const struct msg_resolved *m);
uint32_t cell_resolve(void *cell, uint32_t context, struct span type, struct span specifier,
    struct span referrer);
/* What the engine asks of the cell (hooks.c). */
extern const struct engine_hooks cell_hooks;

/* Debuggers hold the guest (pause.c): hooks.paused, hooks.released, and before what `frame` has
 * `task` run; why that must not run is in task->stopped then. */
void pause_guest(struct cell *cell);
void pause_release(struct cell *cell);
void pause_before_first(struct cell *cell, struct task *task, const struct frame *frame);

/* True if V8 may not see this CDP command; it has been answered then (cdp.c). */
bool cdp_refused(struct cell *cell, uint32_t session, struct span json);

/* --- answers (answer.c) --------------------------------------------------------------------- */

static inline struct frame_tag
cell_tag(const struct cell *cell, uint32_t id)
{
    return (struct frame_tag){ .id = id, .nesting = (uint16_t)cell->nesting };
}
/* Answers `task` with what came of it, unless that is still open. */
void task_finish(struct cell *cell, struct task *task, const struct engine_outcome *out);
void answer_failure(struct cell *cell, uint32_t id, gbx_status status, const char *message);
/* Nobody waits for the answer to callback `id` any more. */
void answer_cancelled(struct cell *cell, uint32_t id);
/* Tells the host which functions of its the guest has no more. */
void answer_released(struct cell *cell);
/* Answers a request that has no result. */
void answer_done(struct cell *cell, uint32_t id);
/* The isolate went past its memory limit: it ends now, whatever the code answered. */
void cell_die_of_memory(struct cell *cell, struct span stack) __attribute__((noreturn));
/* Answers a task that ended without a result of its own; its promise is then nobody's. */
void answer_stopped(struct cell *cell, struct task *task);

/* --- tasks (task.c) -------------------------------------------------------------------------
 */

struct task *task_new(struct cell *cell, uint32_t id, uint64_t wall_us, uint64_t cpu_us);
void task_unref(struct cell *cell, struct task *task);
/* Around everything that may run guest code. task_leave notes in task->stopped why the watchdog
 * fired, if it did, and leaves the engine able to run again. */
void task_enter(struct cell *cell, struct task *task);
void task_leave(struct cell *cell, struct task *task);
/* The same for a task that had been waiting, which ends if it may not go on. */
void task_return(struct cell *cell, struct task *task);
/* Around everything for which the current task waits without running: it stays the current one,
 * requests may be nested in it, its CPU budget rests and its deadlines don't. */
void task_rest(struct cell *cell);
void task_resume(struct cell *cell);
/* Notes in task->stopped, and answers, why a task must not run (on): a termination that came
 * after it, or a deadline, its own or that of a task it is nested in. */
gbx_status task_check(struct cell *cell, struct task *task);
/* Looks after all that waits: ends tasks whose time is up or that the host has terminated, and
 * answers them unless they are on the stack; sees whether the snapshot child has ended. */
void task_look(struct cell *cell);
/* Answers a stopped task that waits for a promise; that is then nobody's. */
void task_end(struct cell *cell, struct task *task);
/* Tells the host that nobody waits any more for what it promised the task, and forgets it. */
void task_cancel(struct cell *cell, struct task *task);
/* Ends the tasks of a context that wait; those on the stack, when they begin to. */
void task_drop_context(struct cell *cell, uint32_t context);
/* True if the host waits for the answer of any. */
bool task_is_awaited(struct cell *cell);
/* The debugger has held everything: all deadlines move. */
void task_postpone(struct cell *cell, uint64_t ns);
/* Time until task_look() has something to do, at the latest; UINT64_MAX: until something comes. */
uint64_t task_next_ns(struct cell *cell);

/* --- the watchdog (watch.c) -----------------------------------------------------------------
 */

/* Starts the watchdog thread; false with errno. Once more in a twin, which has none, inside of
 * watch_hold(). */
bool watch_start(struct cell *cell);
/* Waits until it runs: a filter that came sooner would not let it start. */
void watch_await(void);
/* The engine's thread is about to run guest code until `wall_at_ns`, until its own CPU clock
 * says `cpu_at_ns` (UINT64_MAX: no limit), or until the host has asked for more than `stops`
 * terminations. */
void watch_arm(uint64_t wall_at_ns, uint64_t cpu_at_ns, uint32_t stops);
/* It no longer does. Answers why the watchdog fired, or GBX_OK. */
gbx_status watch_disarm(void);
/* True once the watchdog has fired for what runs now; only the engine's thread may ask. */
bool watch_fired(void);
/* CPU time of the engine's thread. */
uint64_t watch_cpu_ns(void);
/* Around a fork: the watchdog is not inside the engine then, whose locks a child would inherit. */
void watch_hold(void);
void watch_release(void);

/* --- the end (death.c) ----------------------------------------------------------------------
 */

/* Leaves a note in the channel and exits. Any thread, at any time: allocates nothing. */
void death_note(gbx_status status, enum channel_note_detail detail, uint64_t limit,
    uint64_t measured, const char *message, struct span stack) __attribute__((noreturn));
void death_bind(struct channel *channel);
/* Crashes for lack of memory leave a note too. */
void death_catch_crashes(uint64_t memory_limit_bytes);
/* True if the kernel gives no more. Async-signal-safe, like the next one. */
bool death_memory_is_out(void);
/* The note of a cell that the kernel refused memory. */
void death_of_allocation(const char *message, struct span stack) __attribute__((noreturn));

/* --- twins (twin.c) --------------------------------------------------------------------------
 */

/* Forks a twin, if nothing is under way, and answers request `id`. Comes back in both. */
void twin_fork(struct cell *cell, uint32_t id);

/* --- heap snapshots (snapshot.c) ------------------------------------------------------------
 */

void snapshot_attached(struct cell *cell, uint32_t id, uint32_t flags);
/* Forks; the answer to request `id` is sent when the child has ended (snapshot_reap). */
void snapshot_background(struct cell *cell, uint32_t id, uint32_t flags);
/* The guest has reached its limit: if that is wanted, waits for the snapshot child. Inside of
 * V8, wherever it may take a snapshot. */
void snapshot_at_limit(struct cell *cell);
/* Looks whether the child has ended, and answers then. */
void snapshot_reap(struct cell *cell);

#endif
