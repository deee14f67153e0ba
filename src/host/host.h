/* host.h - libglovebox inside: the objects behind the public handles, and who owns what.
 *
 * Runs in:  host.
 * Trusts:   the user's program, zygote and kernel. What a cell wrote is believed by nobody but
 *           receive.c, which checks it first. A template is believed only about its own cells.
 * Threads:  as runtime.h (the public one) says: none of our own, one at a time per runtime.
 *
 *   gbx_runtime ── zygote ── template ── cell (process) ── gbx_isolate ── gbx_future, ...
 *
 * Lifetimes: public objects are counted. An isolate lives as long as anything refers to it, so
 * contexts, futures and sessions may be closed in any order; `cell` is NULL once it is dead.
 *
 * over 600 lines: the one place that says what there is and who owns it.
 */
#ifndef HOST_HOST_H
#define HOST_HOST_H

#include "base/control.h"
#include "base/fd.h"
#include "base/options.h"
#include "base/table.h"
#include "host/cache.h"
#include "host/paths.h"
#include "ring/channel.h"
#include "wire/clone.h"
#include "wire/frame.h"
#include "wire/held.h"

#include <glovebox/glovebox.h>

#include <sys/types.h>

/* --- events (runtime.c) ---------------------------------------------------------------------
 */

/* What an fd in the runtime's epoll set belongs to. Looked up by id, since one event's handler
 * may free what the next event is about. */
enum watch_kind {
    WATCH_CELL_EVENT, /* object: struct cell; its eventfd */
    WATCH_CELL_EXIT,  /* object: struct cell; its pidfd */
    WATCH_TEMPLATE,   /* object: struct template; its socket */
    WATCH_FORKS,      /* object: struct template; its forks_fd */
    WATCH_ZYGOTE,     /* object: the runtime */
    WATCH_TIMER,      /* object: the runtime */
    WATCH_DESCRIPTORS /* object: the runtime; its set of others' descriptors */
};
struct watch {
    enum watch_kind kind;
    void *object;
    uint32_t id; /* in runtime->watches; 0: not watched */
};

/* --- processes (spawn.c) --------------------------------------------------------------------
 */

/* A forked cell, in a pool or behind an isolate. Owned by whichever it is. */
struct cell {
    struct cell *next;           /* in its template's pool */
    struct gbx_runtime *runtime; /* never NULL: cells go before their runtime does */
    struct template *template;   /* NULL once that is gone */
    struct gbx_isolate *isolate; /* NULL: in the pool */
    uint32_t id;                 /* in template->cells */
    pid_t pid;                   /* see cell_pid(); 0 until somebody asks */
    int event_fd, pidfd;         /* pidfd: -1 until forked */
    struct channel channel;
    struct watch event, exit;
    bool failed; /* the template could not fork it; os_errno says why */
    int os_errno;
    bool fork_asked;        /* it may fork once */
    bool thread_due;        /* it may start a thread once */
    bool twin_given_up;     /* one that it was asked for too long ago: it may ask in vain */
    struct twin *twin;      /* that it is asked for; NULL: none. Whose owner waits for it */
    bool memory_lifted;     /* its soft limits are those of a snapshot */
    uint32_t memory_orders; /* CONTROL_MEMORY that the template has not answered */
    uint64_t data_bytes;    /* cell_data_bytes() when they were lifted */
    uint64_t kept_bytes;    /* by which they are higher for good */
    bool exited;
    int wait_status;                 /* once exited, like the next two */
    uint64_t cpu_us, resident_bytes; /* in all its life; at most */
};

/* A fork of a cell that is to be a cell of its own, while gbx_isolate_fork() waits for it. */
struct twin {
    struct cell *cell;  /* what it becomes: known to the template by that id; no pidfd yet */
    int memory;         /* its channel's; owned by who waits */
    bool may_fork;      /* the fork has not been approved yet */
    bool adopted, lost; /* the one: it has its channel; the other: it won't */
    int os_errno;       /* why it could not be adopted; 0: it was, or it has died */
};

/* The warm process for one set of options. */
struct template
{
    struct template *next;
    struct gbx_runtime *runtime;
    uint64_t option[TEMPLATE_OPTIONS]; /* what makes it this template */
    int socket;
    int forks_fd; /* tells of forks that its cells ask for; -1: they can't */
    struct watch watch, forks_watch;
    struct table cells; /* struct cell: all that point here */
    struct cell *pool;  /* forked ahead */
    uint32_t pooled;
};

/* Message buffers of a runtime and all its isolates: one that frames are built in, one that large
 * bodies are read into. Whoever leaves last frees them. */
struct scratch {
    uint32_t refs;
    struct buf out, body;
};
void scratch_unref(struct scratch *scratch);

struct gbx_runtime {
    struct paths paths;
    uint32_t pool_size;
    int epoll_fd, timer_fd, self_fd; /* self_fd: a pidfd of ourselves, for the zygote */
    struct table watches;
    struct watch timer, zygote_watch;
    uint64_t timer_at_us; /* when the timer rings; UINT64_MAX: never */
    uint64_t idle_at_us;  /* when idle cells are looked at; UINT64_MAX: there is no isolate */
    uint64_t fill_at_us;  /* when the pools are to be filled; UINT64_MAX: they are full */
    int zygote_socket, zygote_pidfd;
    pid_t zygote_pid;
    char engine[CONTROL_TEXT];
    uint32_t require;        /* layers without which there is no cell */
    gbx_layer layer[LAYERS]; /* of the last zygote */
    struct template *templates;
    struct scratch *scratch; /* counted */
    uint8_t cache_key[CACHE_KEY_BYTES];
    struct gbx_isolate *isolates; /* alive or not, open; doubly linked */
    uint32_t awake;               /* of them, whose bell is off */
    /* What others hang on it (observe.c). */
    struct table descriptors, observers;
    int descriptors_fd; /* an epoll set; -1: there was none yet */
    struct watch descriptors_watch;
};

/* A runtime without a process, to be closed with gbx_runtime_close() (runtime.c). */
gbx_status runtime_new(struct gbx_runtime **out, gbx_error *error);
/* The zygote (zygote.c). Stopping it ends all templates and cells. */
gbx_status zygote_start(struct gbx_runtime *runtime, gbx_error *error);
void zygote_stop(struct gbx_runtime *runtime);
/* Sockets for packets between our processes, with high numbers. -1 with errno. */
int socket_pair(int pair[2]);
/* Waits for a packet; `out` is only good with 0. ETIMEDOUT, or control_receive()'s errors. */
int receive_within(int socket, struct control *out, uint64_t timeout_us);
/* Waits for the end of a process. */
bool has_ended(int pidfd, int timeout_ms);
/* Takes a cell for these options: from the pool, or freshly forked, as it is for one with shared
 * memory; starts zygote and template when they are missing. */
gbx_status cell_obtain(struct gbx_runtime *runtime, const uint64_t option[TEMPLATE_OPTIONS],
    const gbx_isolate_options *options, struct cell **out, gbx_error *error);
/* A cell without a process, among those of its template; *memory is its channel's, to be handed to
 * that and closed. NULL with `error`. */
struct cell *cell_prepare(struct template *template, int *memory, gbx_error *error);
/* Orders cells until every pool is full. */
void pools_fill(struct gbx_runtime *runtime);
/* Kills and frees; a cell that still runs is reaped by its template. */
void cell_free(struct cell *cell);
/* SIGKILL; works on a stopped process too. */
void cell_kill(struct cell *cell);

/* Lifts the cell's memory limits for a snapshot, when that returns, by `most_bytes`; sets
 * them back, some time later. `keep`: as much higher as the cell has grown meanwhile, since what V8
 * needed and freed remains malloc's, as addresses without pages, and still counts. */
gbx_status cell_lift_memory(struct cell *cell, uint64_t most_bytes);
void cell_restore_memory(struct cell *cell, bool keep);

/* Nobody would hear the cell ask for a fork. */
bool cell_cannot_fork(const struct cell *cell);
/* A cell asks for a fork (forks.c). */
void template_answer_forks(struct template *template);
/* A process that is held in its call asks to become a cell: true if it is a twin that is waited
 * for; then it has been handed its channel. `template` may have been freed (twin.c). */
struct seccomp_notif;
bool twin_adopt(struct template *template, const struct seccomp_notif *question);

/* Notes what a zygote reports. GBX_ESEAL, naming the first, if a required layer is missing
 * (layers.c). */
gbx_status layers_take(
    struct gbx_runtime *runtime, const struct layers *layers, gbx_error *error);

/* --- what the kernel says of a cell (process.c) ---------------------------------------------
 */

/* Kills its child, whatever that is. False: it has none, or it cannot be found. */
bool cell_kill_child(struct cell *cell);
/* Its pid as this process sees it, for accounts, never for kill(). 0: unknown. */
pid_t cell_pid(struct cell *cell);
/* CPU time of all its threads, and memory that is resident now. 0: unknown. */
uint64_t cell_cpu_us(struct cell *cell);
uint64_t cell_resident_bytes(struct cell *cell);
/* Of that CPU time, user's and system's, in the kernel's ticks. */
void cell_cpu_split(struct cell *cell, uint64_t *user_us, uint64_t *system_us);
/* What its memory is made of. False: /proc does not tell. */
bool cell_memory(struct cell *cell, struct gbx_memory *out);
/* Of any process that is held: its pid in the innermost of its pid namespaces. 0: unknown. */
pid_t process_inner_pid(pid_t pid);
/* What counts in its RLIMIT_DATA. */
uint64_t cell_data_bytes(struct cell *cell);
/* It runs, or would if it were let. */
bool cell_is_runnable(struct cell *cell);
/* Waits for the template's word on how a dead cell ended, at most `timeout_us`. */
bool cell_wait_exit(struct cell *cell, int64_t timeout_us);
/* Packets from a template; closes it when it is gone. */
void template_receive(struct template *template);
/* Waits for one packet of a template, and takes it. ETIMEDOUT at `until_us`; with any other errno
 * it has been closed. */
int template_take(struct template *template, uint64_t until_us);
void template_free(struct template *template);

/* --- isolates -------------------------------------------------------------------------------
 */

/* What waits to be written while the ring is full. */
struct outgoing {
    struct outgoing *next;
    struct buf bytes;
    size_t sent;
};

/* The guest's values that the host holds (reference.c). */
struct references {
    struct gbx_reference *first; /* open, and of an open context */
    uint32_t count;
    uint64_t *taken; /* a bit for each place of the cell's that one of them has */
    uint32_t words;  /* of these bits */
    uint32_t released_count;
    uint32_t released[REFERENCES_BATCH]; /* that the cell has not been told of */
};

struct gbx_isolate {
    struct gbx_isolate *previous, *next; /* in runtime->isolates */
    struct gbx_runtime *runtime;         /* NULL once closed */
    struct cell *cell;                   /* NULL: dead */
    uint32_t refs;               /* the owner's, and one for each object that points here */
    bool closed;                 /* by its owner */
    bool announced;              /* observers know of it */
    _Atomic uint32_t stops;      /* how often gbx_isolate_terminate() was called */
    gbx_isolate_options options; /* name is our copy */
    char name[64];
    char zone[PLACE_ZONE_BYTES], locale[PLACE_LOCALE_BYTES]; /* behind the options */
    struct gbx_context *context;                             /* its own; lent */

    struct table futures;    /* gbx_future: open requests; the key is the request's id */
    struct table functions;  /* struct function */
    struct table contexts;   /* gbx_context; +1: context ids begin after the isolate's own */
    struct table inspectors; /* gbx_inspector */
    struct table scripts;    /* gbx_script */
    struct references references;
    struct table modules; /* gbx_module; the key is the cell's number */
    uint32_t imports;     /* count: gbx_imports of this isolate */
    struct gbx_deferred *deferreds[DEFERRED_BUCKETS]; /* open, by callback id */
    uint32_t blocked;        /* of them, those for which the guest waits */
    uint64_t blocks;         /* how many there were */
    struct function *unsent; /* those in the message that is being written; see given.h */
    bool posting; /* a function runs that nobody waits for: nothing is taken in meanwhile */

    struct frame_reader reader;
    struct scratch *scratch; /* counted; frames are built in scratch->out */
    struct outgoing *first_out, **last_out;
    uint64_t queued_bytes;
    struct spinner spinner;
    uint32_t nesting; /* host functions on the stack for this isolate */
    uint32_t pumping; /* pumps on the stack */
    bool awake;       /* the bell is off: it is being served; counts in runtime->awake */
    /* Its cell's first page, mapped until it is closed, also when the cell has died:
     * gbx_isolate_terminate() may be called at any time. Nothing else in here is good. */
    struct channel bell;
    int bell_fd;         /* the cell's event fd, open as long */
    uint32_t stops_told; /* terminations that the cell knows came before what it is sent */
    /* Requests whose turn has not passed yet, by the nesting in which they were made. */
    struct line {
        struct gbx_future *first, *last;
    } lines[NESTING_MAX + 1];

    gbx_status killed_for; /* why we killed it; GBX_OK: we did not */
    char killed_why[128];
    bool ending;             /* its process is gone; what it sent is still read */
    uint64_t next_kill_us;   /* no future's kill_at_us or CPU check is earlier */
    uint64_t cpu_allowed_us; /* CPU time of the cell that budgets allow; UINT64_MAX: no end */
    uint32_t budgeted, unbudgeted; /* futures that have begun, with a CPU budget and without */
    uint32_t stops_heeded;         /* terminations for which deadlines have been set */
    uint32_t held;                 /* enum gbx_hold: by a debugger, as the cell says */
    uint64_t held_at_us;           /* since, at the earliest */
    uint64_t held_cpu_us;          /* CPU time of the cell then */
    uint64_t heard_at_us;          /* with a session: all that had come till then is taken in */
    uint64_t opened_us;
    struct {
        uint64_t since_us; /* the span that is counted in began */
        uint32_t told;     /* in it */
        uint64_t omitted;  /* since one was told */
    } rejections;
    uint64_t sent_bytes, received_bytes, resident_bytes;
    uint64_t told_bytes; /* of all messages to the cell, sent or waiting */
    uint64_t host_us;    /* in host functions that the guest called */
    uint64_t host_calls; /* count of them */
    struct { /* when it was looked at last, all idle; the rest: when it first was so */
        uint64_t at_us, cpu_us, sent_bytes;
    } idle;
    gbx_death death;
    bool has_died;
    char death_message[512], death_stack[CHANNEL_NOTE_STACK], last_function[64];

    struct profile *profiles[PROFILE_KINDS]; /* those under way; NULL: none */
    struct snapshot *snapshot;               /* the one under way; NULL: none */
    struct snapshot *snapshots;              /* that wait for their turn, the next one first */
    uint32_t snapshot_request;   /* the cell's part of it, until it has answered; 0: none */
    struct {                     /* the one that is taken at the memory limit (limit.c) */
        char *path;              /* owned; NULL: none is wanted */
        bool asked, whole;       /* the cell has asked for it; the file is there */
        uint64_t rests_since_us; /* deadlines do, for it; 0: they don't */
        char error[256];         /* why it is not */
    } limit;
};

/* One without a cell, then with one and in its runtime (isolate.c). NULL: no memory. */
struct gbx_isolate *isolate_new(const gbx_isolate_options *options, struct scratch *scratch);
/* gbx_isolate_open() of one that observers are not told of. */
gbx_status isolate_open(struct gbx_runtime *runtime, const gbx_isolate_options *options,
    struct gbx_isolate **out, gbx_error *error);
void isolate_begin(struct gbx_isolate *isolate, struct gbx_runtime *runtime, struct cell *cell);
/* A caller's options, checked; *out borrows what they name. */
gbx_status isolate_options_read(
    const gbx_isolate_options *options, gbx_isolate_options *out, gbx_error *error);
gbx_status fork_options_read(
    const gbx_fork_options *options, gbx_fork_options *out, gbx_error *error);
void isolate_ref(struct gbx_isolate *isolate);
void isolate_unref(struct gbx_isolate *isolate);
/* Takes in what the cell sent and sends what waits. Runs callbacks. False: nothing was there.
 */
bool isolate_service(struct gbx_isolate *isolate);
/* Takes what had come when it was called. What goes on writing does not hold us. */
void isolate_take_last(struct gbx_isolate *isolate);
/* Sends scratch->out, now or when there is room, and empties it. GBX_OK, GBX_EDISPOSED,
 * GBX_ENOMEM (it was past its maximum: GBX_ETOOBIG). */
gbx_status isolate_send(struct gbx_isolate *isolate);
/* Sends another one behind what has been sent, and leaves scratch->out alone. */
gbx_status isolate_send_apart(struct gbx_isolate *isolate, struct buf *frame);
/* The same for what the cell waits for, or must be told: condemns it when there is no memory. */
#define NO_MEMORY_TO_TELL "no memory for what the cell must be told"
void isolate_tell(struct gbx_isolate *isolate);
/* Tells the cell of released references. */
void isolate_release(struct gbx_isolate *isolate);
/* Makes a running script look at what was sent. */
void isolate_urge(struct gbx_isolate *isolate);
/* Waits for one isolate until a future is finished, cannot finish, or the time on now_us(). */
void isolate_pump(
    struct gbx_isolate *isolate, const struct gbx_future *future, uint64_t until_us);
/* Turns the bell off: it is served now. Turns it on before a loop of the caller's sleeps: unless
 * a pump is on the stack; in any case. */
void isolate_set_awake(struct gbx_isolate *isolate, bool awake);
void isolate_wake(struct gbx_isolate *isolate);
void isolate_rest(struct gbx_isolate *isolate);
void isolate_listen(struct gbx_isolate *isolate);
/* Kills its cell for a reason; the certificate is written at once. */
void isolate_condemn(struct gbx_isolate *isolate, gbx_status why, const char *text);
/* Its process has ended. */
void isolate_ended(struct gbx_isolate *isolate);
/* Leaves its runtime: killed, everything open finished with GBX_EDISPOSED. */
void isolate_leave(struct gbx_isolate *isolate);
/* Finishes all that is open. */
void isolate_finish_all(struct gbx_isolate *isolate, gbx_status status, const gbx_error *error);
/* Fills the death certificate (death.c). Its cell is still there, and has ended or is about to. */
void death_certify(struct gbx_isolate *isolate, gbx_error *error);
struct frame_tag isolate_tag(const struct gbx_isolate *isolate, uint32_t id);

/* One message of a cell (receive.c): the only place that believes one. False: the isolate has
 * been condemned. */
bool receive(struct gbx_isolate *isolate, const struct frame *frame);

/* --- futures --------------------------------------------------------------------------------
 */

/* What a call cost. While it is open: what the isolate had cost when its turn came; before that,
 * `sent_bytes` is its own message's. */
struct account {
    uint64_t wall_us, cpu_us, host_us, sent_bytes, received_bytes;
    uint64_t host_calls; /* count */
};

enum future_kind {
    FUTURE_PLAIN,
    FUTURE_STATISTICS, /* answered by STATISTICS_REPLY */
    FUTURE_SNAPSHOT,   /* the cell's part of a snapshot */
    FUTURE_TWIN,       /* the cell's part of a fork; it may answer GBX_EBUSY */
    FUTURE_SETTLEMENT, /* of a promise of the guest; nobody holds it */
    FUTURE_SCRIPT,     /* a script is compiled */
    FUTURE_CACHE,      /* a cell makes a code cache; its isolate ends with it */
    FUTURE_LOCAL,      /* finished by the host; nothing that a cell says answers it */
};

struct gbx_future {
    struct gbx_isolate *isolate; /* counted; NULL: none, or finished */
    uint32_t id;                 /* in isolate->futures; 0: finished */
    uint32_t number;             /* what it was; 0: it was never open */
    uint8_t kind;
    bool finished, forgotten;
    bool by_reference; /* the answer must be a reference, else a value */
    bool awaits;       /* a promise may come first */
    bool moves;        /* buffers may come apart from the answer */
    bool runs;         /* guest code runs for it, so that a termination means it, too */
    bool begun;        /* its turn has come: its time and CPU count */
    bool terminated;   /* the host's deadline is that of a termination */
    uint32_t stops;    /* terminations that came before it */
    bool promised;     /* it waits for a promise of the guest */
    uint64_t block;    /* the last host function that made it wait, by gbx_deferred.block */
    uint32_t context;  /* that it runs code in; 0: none */
    bool urgent;       /* answered at any time: takes no turn */
    bool freed;        /* by its owner, while waits for it are on the stack */
    uint32_t waits;
    uint32_t nesting;                   /* of host functions when it was made */
    struct gbx_future *before, *behind; /* in its line */
    bool in_line;
    bool measured; /* an account of it is kept */
    struct account account;
    gbx_status status;
    gbx_value *value;
    struct gbx_reference *reference;
    struct gbx_script *script; /* FUTURE_SCRIPT: owned until it is taken */
    uint8_t *source_hash;      /* FUTURE_CACHE: owned; of its source */
    gbx_error *error;          /* owned; NULL: OK, or no memory for it */
    gbx_future_callback callback;
    void *data;
    uint64_t kill_at_us;      /* the host's own deadline; UINT64_MAX: none */
    uint64_t overdue_at_us;   /* when that was seen to have passed; 0: not yet */
    uint64_t overdue_cpu_us;  /* CPU time of the cell until which it may go on even so */
    uint64_t wall_us, cpu_us; /* what the user asked for; 0: no limit */
    uint64_t held_us;         /* that debuggers have held it */
};

/* Never NULL. An open one is in isolate->futures; a failed one has been finished. */
struct gbx_future *future_new(struct gbx_isolate *isolate, enum future_kind kind);
struct gbx_future *future_failed(gbx_status status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct gbx_future *future_refused(const gbx_error *error);
/* Finishes it and calls back. `value` and `reference` are taken. */
void future_finish(struct gbx_future *future, gbx_status status, const gbx_error *error,
    gbx_value *value, struct gbx_reference *reference);
/* Sends scratch->out for a future, or finishes it with what went wrong. */
struct gbx_future *future_send(struct gbx_isolate *isolate, struct gbx_future *future);
/* Limits for which the host stands behind the cell's watchdog, from its turn on. 0: none. */
void future_limit(struct gbx_future *future, uint64_t wall_us, uint64_t cpu_us);
/* The request whose turn it is in the innermost host function, or NULL. */
const struct gbx_future *future_running(const struct gbx_isolate *isolate);
/* Its turn has come: the cell may be running it. */
bool future_has_begun(const struct gbx_future *future);
/* It waits for a promise, and lets the next one in line begin. */
void future_yields(struct gbx_future *future);
/* It waits for a host function, and lets the next one in line begin. */
void future_steps_aside(struct gbx_future *future);
/* It cannot finish before the host function has returned that waits for it, or before what the
 * guest waits for has been settled. */
bool future_is_stuck(const struct gbx_future *future);

/* --- deadlines (deadline.c) -----------------------------------------------------------------
 */

/* The future's turn has come; it is finished. */
void deadline_begin(struct gbx_future *future);
void deadline_end(struct gbx_future *future);
/* isolate_enforce() looks again, at the latest then. */
void isolate_look_at(gbx_isolate *isolate, uint64_t at_us);
/* It is late only because the machine does not let its cell run. */
bool deadline_is_starved(const gbx_isolate *isolate, gbx_future *future, uint64_t now);
/* What was terminated has a deadline from now on. */
void isolate_heed_stops(struct gbx_isolate *isolate);
/* Kills what ran past every grace; answers when to look again. */
uint64_t isolate_enforce(struct gbx_isolate *isolate, uint64_t now);
/* Ends the cell if it has worked since the last look though nothing was under way for it. */
void isolate_look_at_idle(struct gbx_isolate *isolate, uint64_t now);
/* Has the cell look after its snapshot child now and then, also while a script runs. */
void isolate_watch_snapshot(struct gbx_isolate *isolate);

/* --- accounts (account.c) --------------------------------------------------------------------
 */

/* The future's turn has come, at `now`; it is finished. Only of those that are measured. */
void account_begin(struct gbx_future *future, uint64_t now);
void account_end(struct gbx_future *future);

/* --- the rest -------------------------------------------------------------------------------
 */

/* What a context imports with, and what it has imported (loader.c). */
struct loading {
    gbx_loader loader; /* NULL: none */
    void *data;
    bool told;                   /* the cell was told of one, so it may ask */
    struct gbx_module **modules; /* owned; in order of their names */
    size_t count, capacity;
};

struct gbx_context {
    struct gbx_isolate *isolate; /* counted, but for the isolate's own context */
    uint32_t id;                 /* the cell's number: 1 is the isolate's own */
    uint32_t slot;               /* in isolate->contexts; 0 for the isolate's own */
    bool lent; /* a fork's, that nobody has asked for: isolate is not counted */
    struct loading loading;
};

/* A settlement, of a promise or an import, is a request of its own: the guest's code that waited
 * for it runs then, within the limits of the call that made it. Nobody waits for its end but the
 * host's deadlines. */
struct gbx_future *settlement_new(
    struct gbx_isolate *isolate, uint64_t wall_us, uint64_t cpu_us);
/* Sends what was put. A settlement must not get lost: it goes out without a future if it must,
 * and the isolate ends if it cannot go out at all. */
void settlement_send(struct gbx_isolate *isolate, struct gbx_future *future);

/* --- modules (module.c, loader.c) -----------------------------------------------------------
 */

struct gbx_module {
    struct gbx_isolate *isolate; /* counted, but for those that a context keeps */
    uint32_t context;
    uint32_t id;
    bool kept;  /* by its context */
    char *name; /* owned */
};

/* Compiles; NULL: *future has failed already. `kept` by the context, which is the caller's to do.
 * `options` have been read. */
struct gbx_module *module_compile(struct gbx_context *context, struct span source,
    const gbx_module_options *options, bool kept, struct gbx_future **future);
/* Frees one that the cell knows nothing of, or whose context goes. */
void module_free(struct gbx_module *module);
gbx_status module_options_read(
    const gbx_module_options *options, gbx_module_options *out, gbx_error *error);
/* The context of that number; NULL: there is none. */
struct gbx_context *context_find(struct gbx_isolate *isolate, uint32_t id);
/* The module that the context keeps by that name, or NULL. */
struct gbx_module *loading_find(const struct gbx_context *context, const char *name);
/* Has it keep one more. False: no memory. */
bool loading_keep(struct gbx_context *context, struct gbx_module *module);
/* The context goes, and with it what it keeps. */
void loading_done(struct gbx_context *context);
/* The cell asks for a module. NULL, or why it may not. */
const char *import_asked(
    struct gbx_isolate *isolate, uint32_t request, const struct msg_resolve *m);

struct gbx_reference {
    struct held held;                      /* first: values may hold it */
    struct gbx_isolate *isolate;           /* counted */
    struct gbx_reference *previous, *next; /* in isolate->references, unless id is 0 */
    uint32_t refs;                         /* handles, and values that hold it */
    uint32_t context;                      /* whose value it is */
    uint32_t id;                           /* the cell's number; 0: its context was closed */
    uint8_t type;                          /* enum gbx_typeof */
};

struct gbx_callback {
    struct gbx_isolate *isolate;
    uint32_t id;           /* the cell's; 0: nobody waits */
    gbx_value **arguments; /* borrowed */
    size_t count;
    uint64_t wall_us, cpu_us; /* limits of the call that it is part of */
    uint32_t running;         /* the request whose code calls; 0: unknown */
    uint32_t context;         /* of the function */
    bool answered;
};

struct gbx_deferred {
    struct gbx_isolate *isolate;          /* counted */
    struct gbx_deferred *previous, *next; /* in isolate->deferreds, until it has ended */
    uint32_t id;                          /* of the callback */
    uint64_t wall_us, cpu_us;             /* limits of the call that made it */
    uint32_t context;                     /* of the function */
    uint64_t block; /* the guest waits: how many did before; 0: a promise */
    bool ended;     /* nobody in the guest waits any more */
    gbx_cancel_callback on_cancel;
    void *data;
};

enum {
    FUNCTION_FLAGS = GBX_FUNCTION_POST | GBX_FUNCTION_REFERENCES | GBX_FUNCTION_MOVE
};

struct function {
    gbx_function call;
    void *data;
    uint32_t flags;   /* enum gbx_function_flags */
    uint32_t context; /* closed with it */
    char name[64];
    struct held *given;      /* counted: it stood in a value; NULL: it was set for good */
    uint32_t id;             /* of such a one, its own */
    struct function *unsent; /* the next one of isolate->unsent */
};

struct gbx_inspector {
    struct gbx_isolate *isolate; /* counted */
    uint32_t id;
    gbx_inspector_callback on_message;
    void *data;
};

/* A caller's options with the isolate's defaults filled in; 0 means no limit from here on. */
gbx_status call_options_read(const struct gbx_isolate *isolate, const gbx_call_options *options,
    gbx_call_options *out, gbx_error *error);
/* Whether a source of this length and place can be sent. */
gbx_status call_source_check(size_t len, const gbx_call_options *options, gbx_error *error);
gbx_status call_arguments_check(
    const gbx_value *const *arguments, size_t count, gbx_error *error);
/* Sends the request whose frame begins at `frame` of scratch->out and lacks the last field: the
 * arguments, `first` before the others unless it is NULL. */
struct gbx_future *call_send(struct gbx_isolate *isolate, struct gbx_future *future,
    size_t frame, const gbx_value *first, const gbx_value *const *rest, size_t count,
    const gbx_call_options *options);
/* The future of a request that runs code in `context`. */
struct gbx_future *call_future(
    struct gbx_isolate *isolate, uint32_t context, const gbx_call_options *options);
gbx_status path_check(const char *path, gbx_error *error);

/* The cell's answer to a SCRIPT_COMPILE, which is taken: the end of its future. False: it may not
 * say that. */
bool script_compiled(struct gbx_future *future, gbx_value *value);
bool script_cached(struct gbx_future *future, gbx_value *value);

/* Runs the host function that a CALLBACK asks for and sends its ANSWER. */
void function_call(struct gbx_isolate *isolate, uint32_t callback, struct function *function,
    gbx_value **arguments, size_t count);
/* The same of a function that nobody waits for. */
void function_post(struct gbx_isolate *isolate, struct function *function,
    gbx_value **arguments, size_t count);
/* ANSWERs of callback `id`. answer_add_value() appends the value that the message just put ends
 * with, as its enum answer_kind has it, or takes the message back; NULL: undefined. */
void answer_send(struct gbx_isolate *isolate, uint32_t id, uint32_t kind, const char *name,
    const char *message);
gbx_status answer_send_value(struct gbx_isolate *isolate, uint32_t id, uint32_t context,
    uint32_t kind, const gbx_value *value);
gbx_status answer_add_value(
    struct gbx_isolate *isolate, uint32_t context, uint32_t kind, const gbx_value *value);
/* Nobody in the guest waits for callback `id` any more; for any of a context, or (0) of all
 * (deferred.c). Calls back. */
void deferred_cancelled(struct gbx_isolate *isolate, uint32_t id);
void deferreds_cancel(struct gbx_isolate *isolate, uint32_t context);
/* The last that the guest waits for, by its `block`. */
uint64_t deferreds_top(const struct gbx_isolate *isolate);
/* ... or sends an error in its place. */
void function_refused(
    struct gbx_isolate *isolate, uint32_t callback, const char *name, const char *message);

/* Checks the options of clock, seed, place and features; the template that all options lead to;
 * tells a new cell its clock and seed (setting.c). */
gbx_status setting_check(const gbx_isolate_options *options, gbx_error *error);
void setting_template(
    const gbx_isolate_options *options, uint32_t require, uint64_t option[TEMPLATE_OPTIONS]);
void setting_begin(struct gbx_isolate *isolate);

/* Tells the user of a rejection (rejection.c). `value` may be NULL. */
void rejection_tell(struct gbx_isolate *isolate, uint32_t call, uint64_t omitted,
    const gbx_error *error, const gbx_value *value);

/* A debugger holds the guest, or lets it go (hold.c); the cell says so: false, it may not; it is
 * held: ends it after its limit, answers when to look again. */
void isolate_hold(struct gbx_isolate *isolate, uint32_t how);
bool isolate_told_of_hold(struct gbx_isolate *isolate, uint32_t how);
uint64_t isolate_enforce_hold(struct gbx_isolate *isolate, uint64_t now);

/* --- references (reference.c) ---------------------------------------------------------------
 */

/* A reference that the cell told of. GBX_OK, GBX_ENOMEM, GBX_EPROTO with *why. */
gbx_status reference_new(struct gbx_isolate *isolate, uint32_t context, uint32_t id,
    uint32_t type, struct gbx_reference **out, const char **why);
void references_forget_context(struct gbx_isolate *isolate, uint32_t context);
void references_done(struct references *references);
/* Their records in clones; see struct clone_host. */
gbx_status reference_put(
    struct gbx_isolate *isolate, struct held *held, bool alone, struct buf *out);
gbx_status reference_get(struct gbx_isolate *isolate, uint32_t context, struct span *rest,
    struct held **out_held, const char **why);

/* The record of an external copy (copy.c). */
gbx_status copy_put(struct held *held, bool alone, struct buf *out);

/* --- values to and from a cell (crossing.c) -------------------------------------------------
 */

/* Appends a value for the cell to scratch->out; `context`: where functions in it are called.
 * GBX_OK; GBX_ETOOBIG, GBX_ENOMEM, GBX_ECLONE; what it holds is another isolate's: GBX_EINVAL, or
 * gone: GBX_EDISPOSED; too many functions: GBX_ELIMIT. What fails takes the message back. */
gbx_status value_put(struct gbx_isolate *isolate, uint32_t context, const gbx_value *value);
/* A value of the cell's; an empty one is undefined. `context`: whose references it may hold; 0:
 * none. `apart`, `memory`: see struct clone_limits, the latter is its body. GBX_OK; GBX_ENOMEM and
 * GBX_ETOOBIG, which are no fault of the cell's; GBX_EPROTO with *why. */
gbx_status value_get(struct gbx_isolate *isolate, struct span bytes, uint32_t context,
    bool apart, struct buf *memory, gbx_value **out, const char **why);

/* A value of the request cannot be encoded: what was encoded so far is dropped. */
struct gbx_future *call_unsendable(
    struct gbx_isolate *isolate, struct gbx_future *future, gbx_status status, size_t index);

/* A piece of the snapshot under way, a stretch of the background child's stream, the end. */
bool snapshot_piece(struct gbx_isolate *isolate, uint32_t request, struct span piece);
bool snapshot_service(struct gbx_isolate *isolate);
/* There is one under way that wants what the cell sends. */
bool snapshot_listens(const struct gbx_isolate *isolate);
void snapshot_end(struct gbx_isolate *isolate, struct gbx_future *request, gbx_status status,
    const char *why);
void snapshot_abandon(struct gbx_isolate *isolate);

/* Now and then, while one is under way: its deadline, its progress. Calls back. */
void snapshot_look(struct gbx_isolate *isolate, uint64_t now);
/* One is under way, or the cell has not answered for the last one yet. */
bool snapshot_is_open(const struct gbx_isolate *isolate);

/* Events (runtime.c). */
gbx_status watch_add(struct gbx_runtime *runtime, struct watch *watch, enum watch_kind kind,
    void *object, int fd, gbx_error *error);
void watch_remove(struct gbx_runtime *runtime, struct watch *watch, int fd);
/* The runtime's fd becomes readable at `at_us` at the latest. */
void runtime_alarm(struct gbx_runtime *runtime, uint64_t at_us);

#endif
