/* engine.h - V8 behind a C interface. The only door between C and C++ in this project.
 *
 * Runs in:  zygote, template, cell, snapshot child.
 * Trusts:   its caller. Guest values never cross: only encoded bytes, texts and ids do.
 * Threads:  everything on the thread that called engine_boot(), which is also the one that
 *           survives a fork, except engine_interrupt() and engine_terminate(): any thread.
 *
 * One isolate per process. Contexts, references and modules are small ids of our own, 1 and up,
 * checked on every use: an unknown id is an answer (ENGINE_BAD_ID), never a crash, since the id
 * comes over the wire from the host.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "base/buf.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- takeover ------------------------------------------------------------------------- */

/* The preloaded object's __libc_start_main calls this instead of the node binary's main. It is
 * defined by src/cell (zygote.c). argv is the process's own. */
int glovebox_main(int argc, char **argv);

/* --- boot ----------------------------------------------------------------------------- */

/* The V8 version of the running binary ("14.6.202.34-node.34"), and the one of the headers that
 * we were compiled with, in the same form. */
const char *engine_version(void);
const char *engine_version_built_for(void);
/* NULL if an engine of version `running` can serve a build for `built_for`, else one line that
 * names both; valid until the next call. */
const char *engine_version_mismatch(const char *running, const char *built_for);

/* Starts V8 once per process, single-threaded, our own platform. Answers NULL, or one line that
 * says why this binary can't be the engine: another V8 version (both are named), or an
 * inspector whose ABI isn't the one we declare (found by a Runtime.evaluate round trip in a
 * throw-away isolate when `self_test`). */
const char *engine_boot(bool self_test);

/* --- the isolate ---------------------------------------------------------------------- */

enum engine_memory_event {
    ENGINE_MEMORY_HEAP,      /* V8's heap reached the limit */
    ENGINE_MEMORY_EXTERNAL,  /* live heap plus buffers, wasm and code passed the limit */
    ENGINE_MEMORY_ALLOCATION /* malloc or mmap failed: the kernel's limit, or new_handler */
};

enum engine_console_level {
    ENGINE_CONSOLE_LOG,
    ENGINE_CONSOLE_DEBUG,
    ENGINE_CONSOLE_INFO,
    ENGINE_CONSOLE_WARN,
    ENGINE_CONSOLE_ERROR,
    ENGINE_CONSOLE_LEVELS
};

/* How an evaluation or a call ended. */
enum engine_end {
    ENGINE_VALUE,        /* `value` holds the encoded result */
    ENGINE_REFERENCE,    /* `reference` is a new reference; asked for, or ENGINE_AS_REFERENCE */
    ENGINE_PENDING,      /* ENGINE_AWAIT and the promise is open: hooks.settled will tell */
    ENGINE_THROWN,       /* `exception` is filled; `value` too, as base/thrown.h has it, if the
                          * exception can be told */
    ENGINE_NOT_CLONABLE, /* the result can't be copied; exception.message says what */
    ENGINE_TOO_BIG,      /* the result is past value_bytes_max */
    ENGINE_TERMINATED,   /* engine_terminate() ended it; the caller knows why */
    ENGINE_BAD_ID,       /* no such context, reference, or path; or not of that kind */
    ENGINE_ACCESSOR,     /* guest code would have run that was not asked for */
    ENGINE_ENDS
};

/* All owned by the outcome; released with engine_outcome_done(). */
struct engine_exception {
    struct buf name, message, stack, file, source_line; /* UTF-8, each capped */
    uint32_t line, column;                              /* from 1; 0 unknown */
    bool from_host; /* the very exception that a failed host function made: GBX_EHOST */
};

struct engine_outcome {
    enum engine_end end;
    struct buf value; /* structured-clone bytes, with pieces if buffers moved; of what was
                       * thrown, an item */
    uint32_t reference, reference_type; /* enum engine_typeof */
    struct engine_exception exception;
};

void engine_outcome_init(struct engine_outcome *out, uint64_t value_bytes_max);
void engine_outcome_done(struct engine_outcome *out);

/* What a guest's call of a host function is answered with. */
enum engine_answer_kind {
    ENGINE_ANSWER_VALUE, /* `bytes`: encoded value */
    ENGINE_ANSWER_THROW, /* `bytes`: a thrown item (base/thrown.h); if empty, `name` and `message`
                            * of the Error to throw. Of an Error, from_host is set */
    ENGINE_ANSWER_PROMISE, /* give the guest a promise; engine_settle(promise) decides it later
                            */
    ENGINE_ANSWER_STOP     /* give up: terminate execution (the cell is being stopped) */
};
struct engine_answer {
    enum engine_answer_kind kind;
    struct span bytes;         /* empty: undefined; borrowed until the next call of the hook */
    struct span name, message; /* UTF-8, borrowed likewise */
    uint32_t promise;          /* the caller's id, not 0 */
    bool unsent;               /* the host has not been asked */
};

struct bytes;

/* Calls from the engine into the cell. Every one runs on the engine's thread. */
struct engine_hooks {
    /* Whether call_host would refuse a call now, whatever it is. NULL: never. */
    bool (*host_is_full)(void *cell);
    /* The guest called host function `function` with `count` encoded arguments, each a u32
     * little-endian length and that many bytes of structured clone, one after the other, some of
     * them as pieces. The hook drops the bytes as soon as they are sent. */
    void (*call_host)(void *cell, uint32_t function, uint32_t count, struct buf *arguments,
        struct engine_answer *answer);
    /* An outcome that was ENGINE_PENDING for `call` has come. The engine keeps `outcome`. */
    void (*settled)(void *cell, uint32_t call, struct engine_outcome *outcome);
    /* An id of the caller's for what runs now, which comes back with what is rejected in it. */
    uint32_t (*running)(void *cell);
    /* A promise was rejected in `call`, and has no handler after the microtasks: `outcome` is as of
     * what was thrown. `omitted` others before it are not told. The engine keeps `outcome`. */
    void (*rejected)(
        void *cell, uint32_t call, uint64_t omitted, struct engine_outcome *outcome);
    /* One console call, formatted as people read it (no trailing newline), UTF-8. */
    void (*console)(void *cell, enum engine_console_level level, struct span text);
    /* A safe point inside running JavaScript after engine_interrupt(). It may call
     * engine_stack_trace(), engine_terminate(), engine_inspector_dispatch(), statistics. */
    void (*interrupt)(void *cell);
    /* The limit is near; memory for a clean end has been set aside and the engine has already
     * asked for an interrupt. The hook should arrange termination. Called inside a garbage
     * collection or an allocation: no engine call but engine_terminate()/engine_interrupt(). */
    void (*memory)(
        void *cell, enum engine_memory_event event, uint64_t limit_bytes, uint64_t used_bytes);
    /* After `memory`, while V8 may still take a heap snapshot and no guest code has run since.
     * Called inside an allocation. May be NULL. */
    void (*last_look)(void *cell);
    /* V8 cannot go on. Must not return. */
    void (*fatal)(void *cell, bool out_of_memory, const char *location, const char *detail)
        __attribute__((noreturn));
    /* A CDP response or notification of an inspector session, JSON as UTF-8. */
    void (*inspector_message)(void *cell, uint32_t session, struct span json);
    /* The debugger stopped on a breakpoint: block, dispatching engine_inspector_dispatch() for
     * what the host sends, until engine_inspector_paused() is false. */
    void (*paused)(void *cell);
    /* The memory of the message that `p` lies in, kept until the engine lets go of it. NULL: it
     * cannot be. May be NULL itself. */
    struct bytes *(*keep)(void *cell, const void *p);
    /* A module is to be found: engine_resolved() will tell. `type` of the import attributes and
     * `referrer` may be empty. Answers a number for it; 0: too many are open. */
    uint32_t (*resolve)(void *cell, uint32_t context, struct span type, struct span specifier,
        struct span referrer);
    /* A session has sent Runtime.runIfWaitingForDebugger. */
    void (*released)(void *cell);
    /* As call_host, of a function that the guest does not wait for. */
    void (*post_host)(void *cell, uint32_t function, uint32_t count, struct buf *arguments);
};

struct engine_config {
    uint64_t memory_limit_bytes; /* all of a guest's memory; V8's heap gets all of it */
    uint64_t stack_limit_bytes;  /* of the guest's native stack; 0: V8's default */
    uint64_t value_bytes_max;    /* of one encoded value; no more than the limit is */
    bool seeded; /* engine_seed() gives the randomness, and the same again leads to
                                  * the same: V8's own decisions depend on no clock either */
    bool no_code_from_strings, no_wasm, no_shared_memory; /* taken from every context */
};

/* Bytes of a name in engine_set_place(), its NUL included. */
#define ENGINE_PLACE_BYTES 64
/* Sets time zone and locale of the isolate that will be made; empty: they stay. NULL or why not. */
const char *engine_set_place(const char *time_zone, const char *locale);

/* Makes the isolate (with engine_boot done), one warm context with id 1, and warms what would
 * open files or fault later: dates and time zone, Intl, serialiser, promises, one Atomics.wait.
 * Runs in the template, before the fork. Never draws from Math.random. NULL or why not. */
const char *engine_isolate_new(const struct engine_config *config);

/* In a freshly forked cell: binds the hooks, reseeds (Math.random of the warm context and of
 * every later one), measures the stack anew. `seed` is fresh randomness. */
void engine_after_fork(
    const struct engine_hooks *hooks, void *cell, uint64_t seed, bool console);

/* In a twin of a cell (src/cell/twin.c), where nothing is under way: the host has no reference
 * here, and Math.random() goes its own way in every context, without any code of the guest. */
void engine_after_twin(uint64_t seed);

/* After that, and once, if engine_config.seeded: where all randomness comes from. */
void engine_seed(uint64_t seed);
/* What guests are told of the time. */
enum engine_clock {
    ENGINE_CLOCK_REAL,
    ENGINE_CLOCK_COARSE, /* in steps of `us` */
    ENGINE_CLOCK_SET,    /* `us` since 1970, until it is set again */
    ENGINE_CLOCKS
};
void engine_set_clock(enum engine_clock kind, uint64_t us);
/* After engine_after_fork(), in the order of their numbers: memory that stays mapped, and of which
 * values from the host may make SharedArrayBuffers. */
void engine_share(void *bytes, size_t len);
/* After engine_after_fork(): hooks.rejected is to be told, not only inspector sessions. */
void engine_watch_rejections(void);

/* --- contexts ------------------------------------------------------------------------- */

bool engine_context_new(uint32_t id); /* false: id taken or 0; the host chooses ids */
void engine_context_free(uint32_t id);

/* --- running -------------------------------------------------------------------------- */

enum engine_flags {
    ENGINE_AWAIT = 1,         /* a promise as result: wait for it (ENGINE_PENDING) */
    ENGINE_AS_REFERENCE = 2,  /* the result by reference, not by copy */
    ENGINE_MODULE = 4,        /* the source is an ES module */
    ENGINE_IGNORE_RESULT = 8, /* answer undefined whatever the result is */
    ENGINE_ACCESSORS = 64,    /* engine_operate() may run getters, setters and proxies */
    ENGINE_MOVE_RESULT = 128  /* ArrayBuffers in the result leave the guest: moved.cc */
};

struct engine_source {
    struct span text;      /* UTF-8; invalid sequences become U+FFFD */
    struct span file;      /* name for stacks; may be empty: "<eval>" */
    uint32_t line, column; /* offsets, from 0 */
};

/* Each runs the code and then the microtasks; `call` is only handed back by hooks.settled. */
void engine_eval(uint32_t context, uint32_t call, uint32_t flags,
    const struct engine_source *source, struct engine_outcome *out);
/* `path`: dotted names from the global object ("a.b.c"; `this` is what holds the last).
 * `arguments` as in hooks.call_host. */
void engine_call(uint32_t context, uint32_t call, uint32_t flags, struct span path,
    uint32_t count, struct span arguments, struct engine_outcome *out);
/* Reads a path from the global object; getters and proxies do run, under the caller's limits.
 */
void engine_get(uint32_t context, uint32_t call, uint32_t flags, struct span path,
    struct engine_outcome *out);
/* Sets a path (its holder must exist) to an encoded value, or to a host function. */
void engine_set(
    uint32_t context, struct span path, struct span value, struct engine_outcome *out);
void engine_set_function(
    uint32_t context, struct span path, uint32_t function, struct engine_outcome *out);
/* Calls a function whose body is the source, with parameters $0, $1, ...; with ENGINE_AWAIT it is
 * async. `arguments` as in hooks.call_host. */
void engine_closure(uint32_t context, uint32_t call, uint32_t flags,
    const struct engine_source *source, uint32_t count, struct span arguments,
    struct engine_outcome *out);
/* Compiles a script for engine_script_run(), under a number of the caller's that is free; the value
 * is true if `cache` (empty: none) served. Runs nothing of it. */
void engine_script_compile(uint32_t script, const struct engine_source *source,
    struct span cache, struct engine_outcome *out);
/* Compiles all of a script; the value is an ArrayBuffer, for `cache` there. */
void engine_script_cache(const struct engine_source *source, struct engine_outcome *out);
void engine_script_run(uint32_t context, uint32_t script, uint32_t call, uint32_t flags,
    struct engine_outcome *out);
/* Unknown numbers are ignored. */
void engine_script_free(uint32_t script);
enum engine_function_flags {
    ENGINE_FUNCTION_POST = 1,       /* the guest does not wait: hooks.post_host */
    ENGINE_FUNCTION_REFERENCES = 2, /* arguments that are functions go by reference */
    ENGINE_FUNCTION_MOVE = 4        /* ArrayBuffers in the arguments leave the guest */
};
/* Sets paths below `path` to host functions, making the objects on the way. `functions`: `count`
 * items, each with its length like arguments: u32 function, u32 flags, path. */
void engine_set_functions(uint32_t context, struct span path, uint32_t count,
    struct span functions, struct engine_outcome *out);
/* Functions of these numbers, a u32 each, stand in a value that may be read; and what has been told
 * so and was not read so far will never be: it counts as released. */
void engine_functions_given(struct span ids);
void engine_functions_unread(void);
/* Takes up to `max` of the numbers of functions that stood in values and that the guest has no
 * more; answers how many. */
size_t engine_functions_released(uint32_t *ids, size_t max);
/* Settles a promise of ENGINE_ANSWER_PROMISE and runs microtasks. `answer` is VALUE or THROW.
 * False: no such promise (already settled, or context gone). */
bool engine_settle(uint32_t promise, const struct engine_answer *answer);
/* Drops a promise that nobody may settle any more: it stays open. Unknown ids are ignored. */
void engine_promise_drop(uint32_t promise);
/* Nobody waits for the ENGINE_PENDING outcome of `call` any more: hooks.settled won't tell. */
void engine_abandon(uint32_t call);

/* --- references ----------------------------------------------------------------------- */

enum engine_typeof {
    ENGINE_TYPEOF_UNDEFINED,
    ENGINE_TYPEOF_NULL,
    ENGINE_TYPEOF_BOOLEAN,
    ENGINE_TYPEOF_NUMBER,
    ENGINE_TYPEOF_BIGINT,
    ENGINE_TYPEOF_STRING,
    ENGINE_TYPEOF_SYMBOL,
    ENGINE_TYPEOF_FUNCTION,
    ENGINE_TYPEOF_OBJECT
};

enum engine_operation_kind {
    ENGINE_GET,         /* the own property `key`; undefined if there is none */
    ENGINE_SET,         /* it becomes argument 0 */
    ENGINE_DELETE,      /* whether it is gone */
    ENGINE_KEYS,        /* own, enumerable, named */
    ENGINE_COPY,        /* the value itself */
    ENGINE_CALL,        /* with the arguments */
    ENGINE_CALL_AS,     /* with argument 0 as `this`, and the others */
    ENGINE_CALL_METHOD, /* the property `key`; `this` is what the reference is to */
    ENGINE_CONSTRUCT,
    ENGINE_OPERATIONS
};

struct engine_operation {
    enum engine_operation_kind kind;
    uint32_t reference;
    struct span key;       /* UTF-8 */
    uint32_t count;        /* of the arguments */
    struct span arguments; /* as in hooks.call_host */
};

/* Does something with what a reference is to, in the context that it comes from. Up to ENGINE_COPY
 * no guest code runs unless ENGINE_ACCESSORS asks for it: what would have run some ends with
 * ENGINE_ACCESSOR, and has done nothing. */
void engine_operate(uint32_t call, uint32_t flags, const struct engine_operation *operation,
    struct engine_outcome *out);
/* Drops a reference; unknown ids are ignored. */
void engine_reference_free(uint32_t reference);
/* Runs tasks that V8 posted (wasm compilation, Atomics.waitAsync, inspector, finalizers), and
 * microtasks after them. True while more is due at once. engine_next_task_us: time until the
 * next delayed task, UINT64_MAX when there is none. */
bool engine_pump(void);
uint64_t engine_next_task_us(void);

/* --- modules -------------------------------------------------------------------------- */

enum engine_module_kind {
    ENGINE_MODULE_SOURCE, /* UTF-8 of an ES module */
    ENGINE_MODULE_JSON,   /* UTF-8; the default export */
    ENGINE_MODULE_WASM, /* a WebAssembly module; its imports are imports, its exports are exports */
    ENGINE_MODULE_VALUE /* an encoded object, whose properties are the exports */
};
struct engine_module {
    uint32_t id; /* the caller chooses: not 0, and none that is there */
    enum engine_module_kind kind;
    struct engine_source source; /* `file` names it, also as import.meta.url */
    struct span meta; /* encoded object: what import.meta has in place of that; or empty */
};

/* Whether hooks.resolve is asked for what a context imports; else it can import nothing. */
void engine_loader(uint32_t context, bool asks);
/* Compiles. The result is a list of what it imports, as
 * { specifier, attributes, line, column }. One that does not compile has its number all the same,
 * and fails whoever uses it. */
void engine_module_compile(uint32_t context, uint32_t call, uint32_t flags,
    const struct engine_module *module, struct engine_outcome *out);
/* Loads what it imports, and what that imports, through hooks.resolve; links all of it, and, with
 * `evaluate`, runs what has not run yet. The result is undefined or the exports: by copy, and then
 * without functions, or by reference. ENGINE_AWAIT is implied. */
void engine_module_run(
    uint32_t call, uint32_t flags, uint32_t module, bool evaluate, struct engine_outcome *out);
/* As engine_get() and engine_call(), from a linked module's exports. */
void engine_module_get(uint32_t call, uint32_t flags, uint32_t module, struct span path,
    struct engine_outcome *out);
void engine_module_call(uint32_t call, uint32_t flags, uint32_t module, struct span path,
    uint32_t count, struct span arguments, struct engine_outcome *out);
/* As the guest's import() does it; the result is as that of engine_module_run(). */
void engine_import(uint32_t context, uint32_t call, uint32_t flags, struct span specifier,
    struct engine_outcome *out);
/* What came of a hooks.resolve: a module, or, if that is 0, an Error to throw. Goes on loading,
 * links and runs what is complete then, and runs microtasks. False: no such request. */
bool engine_resolved(uint32_t request, uint32_t module, struct span name, struct span message);
/* Nobody may answer it any more: what waits for it stays open. Unknown numbers are ignored. */
void engine_resolve_drop(uint32_t request);
/* Drops a module's number; what was linked with it keeps it. Unknown ones are ignored. */
void engine_module_free(uint32_t module);

/* --- stopping ------------------------------------------------------------------------- */

/* Any thread: have hooks.interrupt called soon, if JavaScript runs. */
void engine_interrupt(void);
/* Any thread: stop the running JavaScript with an uncatchable exception. */
void engine_terminate(void);
/* The engine's thread, once nothing runs any more: forget a termination. */
void engine_terminate_cancel(void);
/* The guest's stack as V8 prints it, or an empty text; only inside hooks.interrupt. */
void engine_stack_trace(struct buf *out);

/* --- memory --------------------------------------------------------------------------- */

/* All in bytes unless it says otherwise. */
struct engine_statistics {
    uint64_t heap_used, heap_total, heap_limit, heap_malloced;
    uint64_t heap_peak; /* of heap_used, as far as collections and this have seen it */
    uint64_t external;  /* ArrayBuffers, wasm memories */
    uint64_t external_peak;
    uint64_t code_and_metadata;
    uint64_t contexts, detached_contexts; /* counts */
    uint64_t collections, collection_us;  /* count and time of garbage collections so far */
    uint64_t references;                  /* count of those that the host holds */
};
void engine_measure(struct engine_statistics *out);
/* Full garbage collection, for the host only. */
void engine_collect(void);
/* Gives memory that V8's compiler and others have freed back to the kernel. No collection: a
 * guest sees nothing of it. About 0.1 ms. */
void engine_trim(void);

/* --- looking inside ------------------------------------------------------------------- */

/* What debuggers call the isolate, UTF-8 of at most 63 bytes; before its first session. */
void engine_inspector_name(struct span name);
bool engine_inspector_open(uint32_t session); /* false: id taken */
/* One CDP command, JSON as UTF-8. Runs guest code if the command does, and then the microtasks.
 * Also from inside hooks.interrupt and hooks.paused. Most answers come before it returns; that
 * of HeapProfiler.takeHeapSnapshot does while JavaScript runs, and else from engine_pump(). */
void engine_inspector_dispatch(uint32_t session, struct span json);
/* At any time, also while paused (the last one that debugs ends the pause) and from inside its
 * own dispatch; no message of this session comes after it. */
void engine_inspector_close(uint32_t session);
bool engine_inspector_paused(void);
/* Every session that debugs breaks at what runs next. */
void engine_inspector_break(void);
/* Time until engine_inspector_tick() has something to do; UINT64_MAX: nothing asks for it. It sends
 * what sessions are told of from time to time: no guest code runs. */
uint64_t engine_inspector_next_us(void);
void engine_inspector_tick(void);

/* Writes a heap snapshot as V8's JSON: `sink` gets it piece by piece, and before that `progress`
 * (NULL: nobody) hears how much of the object graph is built. Either returns false to stop. True if
 * all of it was written. In a forked child, or in the cell itself. */
bool engine_heap_snapshot(bool (*sink)(void *data, struct span piece),
    bool (*progress)(void *data, uint32_t percent), void *data);
/* In a forked child that does nothing but this: the guest's memory limits are not its own. */
void engine_in_snapshot_child(void);
/* Gives every object an id that later snapshots find again, also those of children forked
 * afterwards. A full garbage collection and a walk over the heap; from then on V8 notes where
 * objects move. What it needs for that does not count as the guest's memory. */
void engine_keep_ids(void);

#ifdef __cplusplus
}
#endif
#endif
