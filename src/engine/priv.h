/* priv.h - what the files of src/engine share. C++, and seen by nobody else.
 *
 * Runs in:  zygote, template, cell, snapshot child.
 * Threads:  the engine's thread only, but for what stands under "any thread".
 *
 * There is one isolate per process, so its state is one object, `eng`. The engine's thread has
 * entered the isolate for good when it exists: no function here needs an Isolate::Scope, but
 * each that makes handles needs a HandleScope of its own.
 */
#ifndef ENGINE_PRIV_H
#define ENGINE_PRIV_H

#include "engine/engine.h"

#include <memory>
#include <optional>
#include <v8.h>

struct engine_state {
    v8::Isolate *isolate; /* null before engine_isolate_new() */
    struct engine_config config;
    struct engine_hooks hooks; /* all set after engine_after_fork(); all null before */
    void *cell;                /* handed to every hook */
    bool console;              /* console calls go to hooks.console */
    uint32_t depth;            /* entries into guest code that are under way, nested */
    uint32_t still;            /* scopes in which no guest code may run, nested */
};
extern struct engine_state eng;

/* --- platform.cc ---------------------------------------------------------------------- */

v8::Platform *platform_get(void);
/* Runs what V8 has posted and is due now, until it is terminated; with `nested` (the debugger's
 * pause) only tasks that may run inside another one. True if a task ran. Runs no microtasks. */
bool platform_run_tasks(bool nested);

/* --- isolate.cc ----------------------------------------------------------------------- */

/* The context of an id; empty when there is none. Needs a HandleScope. */
v8::Local<v8::Context> context_find(uint32_t id);
/* The id of a context of ours; 0 for any other. */
uint32_t context_id(v8::Local<v8::Context> context);
uint32_t contexts_count(void);
/* Calls `each` for every live context. `each` makes and frees none. */
void context_each(
    void (*each)(uint32_t id, v8::Local<v8::Context> context, void *data), void *data);

/* --- inspector.cc, console.cc: called by isolate.cc ----------------------------------- */

/* Asks an inspector in `isolate` for a Runtime.evaluate and checks the answer; NULL, or one
 * line that says what doesn't fit. The isolate is a throw-away one and not `eng.isolate`. */
const char *inspector_self_test(v8::Isolate *isolate);
/* Once per context, at its making (in the template for context 1) and before it is dropped. */
void inspector_context_created(uint32_t id, v8::Local<v8::Context> context);
void inspector_context_destroyed(uint32_t id, v8::Local<v8::Context> context);
/* Gives `context` the console of ours, whose calls reach hooks.console when eng.console. */
void install_console(v8::Local<v8::Context> context);

/* --- call.cc -------------------------------------------------------------------------- */

/* What the caller asked for. */
struct asked {
    uint32_t context;
    uint32_t call;
    uint32_t flags;     /* ENGINE_AWAIT ... */
    bool still = false; /* the result is copied without running guest code */
};
enum {
    ASKED_EXPORTS = 1 << 16 /* besides them: the promise is one of module_load.cc */
};

/* One entry from outside into guest code: scopes, and a count that tells the outermost entry,
 * the only one that may run microtasks, from nested ones. */
class guest_entry
{
    v8::Context::Scope scope;

  public:
    explicit guest_entry(v8::Local<v8::Context> context) : scope(context)
    {
        eng.depth++;
    }
    ~guest_entry()
    {
        eng.depth--;
    }
    guest_entry(const guest_entry &) = delete;
    guest_entry &operator=(const guest_entry &) = delete;
};

/* Around the guest's own code, and told of by sessions like what nobody catches. */
class guest_catch : public v8::TryCatch
{
  public:
    guest_catch();
};

/* In here guest code does not run: what would run some throws instead, and blocked() knows it.
 * Natives of ours that guests can call look at eng.still, which V8 does not do for them. */
class stillness
{
    std::optional<v8::Isolate::DisallowJavascriptExecutionScope> scope;

  public:
    explicit stillness(bool still)
    {
        if (!still)
            return;
        scope.emplace(
            eng.isolate, v8::Isolate::DisallowJavascriptExecutionScope::THROW_ON_FAILURE);
        eng.still++;
    }
    ~stillness()
    {
        if (scope.has_value())
            eng.still--;
    }
    stillness(const stillness &) = delete;
    stillness &operator=(const stillness &) = delete;

    /* What was caught says that guest code would have run: V8 throws a string for that, and
     * everything else that it throws by itself is an Error. */
    bool blocked(const v8::TryCatch &caught) const
    {
        return scope.has_value() && caught.HasCaught() && caught.Exception()->IsString();
    }
};

/* In an entry: runs the microtasks if the entry is the outermost one. False: terminated. */
bool microtasks_run(void);
/* In an entry that was terminated: has the outer entries terminated too; in the outermost one,
 * drops the microtasks that wait, so that none of them ever runs outside of a deadline, and
 * tells hooks.settled of the awaited promises that lost their reaction by that. */
void entry_terminated(void);
/* In an entry, what came of running code: the microtasks, and the outcome. */
void conclude(v8::Local<v8::Context> context, const struct asked *asked, v8::TryCatch &caught,
    v8::MaybeLocal<v8::Value> result, struct engine_outcome *out);
/* Arguments, each with its length before it. False: the bytes are no such list, or an exception is
 * pending; and the outcome of that. */
bool arguments_read(v8::Local<v8::Context> context, uint32_t count, struct span bytes,
    v8::Local<v8::Value> *out);
void arguments_refuse(
    v8::Local<v8::Context> context, v8::TryCatch &caught, struct engine_outcome *out);
/* Reads, or calls, what `path` names from `root`. */
void path_get(v8::Local<v8::Context> in, v8::Local<v8::Object> root, const struct asked *asked,
    struct span path, struct engine_outcome *out);
void path_call(v8::Local<v8::Context> in, v8::Local<v8::Object> root, const struct asked *asked,
    struct span path, uint32_t count, struct span arguments, struct engine_outcome *out);
/* Forgets the promises that are awaited in a context that goes. */
void awaits_forget_context(uint32_t id);

/* --- script.cc ------------------------------------------------------------------------ */

void scripts_forget(void);

/* --- takeover.cc ---------------------------------------------------------------------- */

/* The filter that is installed next lets this process signal itself, and none of its forks. */
void takeover_filtered(void);

/* --- random.cc ------------------------------------------------------------------------ */

/* Finds out, in a context that has not drawn a number yet and is thrown away, where V8 keeps what
 * Math.random() goes on from. NULL, or one line that says what doesn't fit. */
const char *random_find(v8::Local<v8::Context> context);
/* The context's next number, and all that follow, come from this state, not 0. */
void random_set(v8::Local<v8::Context> context, uint64_t s0, uint64_t s1);

/* --- reference.cc --------------------------------------------------------------------- */

/* The value of a reference; empty when there is none. Needs a HandleScope. */
v8::Local<v8::Value> reference_find(uint32_t reference);
/* The context that it belongs to; 0: no such reference. */
uint32_t reference_context(uint32_t number);
/* A new reference to a value; 0 when there are too many. */
uint32_t reference_new(uint32_t context, v8::Local<v8::Value> value);
enum engine_typeof reference_typeof(v8::Local<v8::Value> value);
uint32_t references_count(void);
void references_forget_context(uint32_t id);
void references_forget(void);

/* --- host.cc -------------------------------------------------------------------------- */

/* A guest's function that calls the host's `function`. */
v8::MaybeLocal<v8::Function> host_function(
    v8::Local<v8::Context> context, uint32_t function, uint32_t flags);
void host_forget_context(uint32_t id);

/* --- given.cc ------------------------------------------------------------------------- */

/* A host function that stood in a value: once V8 has collected it, the host is told. */
v8::MaybeLocal<v8::Function> given_function(
    v8::Local<v8::Context> context, uint32_t id, uint32_t flags, struct span name);

/* --- rejection.cc --------------------------------------------------------------------- */

/* Sessions are to be told, while there are any; the host is by engine_watch_rejections(). */
void rejections_watch(void);
/* In an entry whose microtasks have run: tells sessions and hooks.rejected, if it is the outermost
 * one. Guest code may run for the latter. False: terminated. */
bool rejections_tell(void);
/* What the terminated entry has rejected is told to nobody. */
void rejections_forget(void);

/* --- setting.cc ----------------------------------------------------------------------- */

/* The guest's time since 1970, and a time of its that only passes. */
double clock_wall_ms(void);
double clock_passing_ms(void);
/* The time that V8 measures itself by. */
double clock_engine_s(void);
/* Takes from the isolate, and from a new context before guests see it, what eng.config says. */
void features_remove(v8::Isolate *isolate);
void features_remove(v8::Local<v8::Context> context);

/* --- arena.cc ------------------------------------------------------------------------- */

/* Late in the template: plugs the holes of malloc's arena, so that cells allocate at its top. */
void arena_plug(void);

/* --- stop.cc -------------------------------------------------------------------------- */

/* From engine_terminate() to engine_terminate_cancel(): for code of V8's that ends a termination
 * as an error of its own, as the inspector does. */
bool terminating(void);

/* --- clone.cc ------------------------------------------------------------------------- */

enum clone_end {
    CLONE_OK,
    CLONE_THREW,   /* guest code that ran threw or was terminated: an exception is pending */
    CLONE_REFUSED, /* holds something that can't be copied: an exception is pending */
    CLONE_TOO_BIG  /* past out->max or out of memory; no exception is pending */
};
/* Appends the structured clone of `value` to `out`. Guest code may run: getters, proxies. */
enum clone_end clone_write(
    v8::Local<v8::Context> context, v8::Local<v8::Value> value, struct buf *out);
/* The same, with `moving` buffers apart from it (clone_tags.h): these, by their places. The caller
 * appends them. */
enum clone_end clone_write_without(v8::Local<v8::Context> context, v8::Local<v8::Value> value,
    const v8::LocalVector<v8::ArrayBuffer> &moving, struct buf *out);
/* The clone of a value that goes by reference. */
void clone_write_reference(uint32_t reference, enum engine_typeof type, struct buf *out);
/* A value from its clone. Empty: an exception is pending, or the bytes are no clone. */
v8::MaybeLocal<v8::Value> clone_read(v8::Local<v8::Context> context, struct span bytes);
/* shared.cc: a SharedArrayBuffer of what has this number, empty if nothing has; and the number of
 * one. False: its memory is the guest's own. */
v8::MaybeLocal<v8::SharedArrayBuffer> shared_find(uint32_t number);
bool shared_number(v8::Local<v8::SharedArrayBuffer> buffer, uint32_t *out_number);
/* attach.cc: takes the buffers that came with a clone, and leaves the clone in `bytes`. False: an
 * exception is pending, or the bytes are nothing of ours. */
bool attachments_take(struct span *bytes, v8::LocalVector<v8::ArrayBuffer> *out);
/* moved.cc: the same as clone_write(), and the ArrayBuffers in the value that can leave the guest
 * are pieces of `out`, which begins `before` bytes from the beginning of its message's body. They
 * are added to `moved`; moved_leave() detaches them, once they will be sent. */
enum clone_end clone_write_moving(v8::Local<v8::Context> context, v8::Local<v8::Value> value,
    size_t before, v8::LocalVector<v8::ArrayBuffer> *moved, struct buf *out);
void moved_leave(const v8::LocalVector<v8::ArrayBuffer> &moved);
/* Appends `text` as UTF-8 (lone surrogates become U+FFFD), at most `limit` bytes of it, cut
 * between characters. */
void text_append(struct buf *out, v8::Local<v8::String> text, size_t limit);
/* A string of UTF-8 bytes; empty only when past V8's length limit. */
v8::MaybeLocal<v8::String> text_new(struct span utf8);
/* A string of a literal or other short, valid text of ours. */
v8::Local<v8::String> text_of(const char *text);

/* --- exception.cc --------------------------------------------------------------------- */

/* Turns what `caught` holds into the outcome's end and exception: THROWN or TERMINATED. With
 * `copy`, the exception's clone too. Resets `caught`. */
void outcome_caught(v8::Local<v8::Context> context, v8::TryCatch &caught, bool copy,
    struct engine_outcome *out);
/* The same for a rejected promise's reason. */
void outcome_rejected(
    v8::Local<v8::Context> context, v8::Local<v8::Value> reason, struct engine_outcome *out);
/* Appends the string that `key` has as plain data on the object or its prototypes. False, and
 * no guest code run, when it is something else. */
bool data_text(v8::Local<v8::Context> context, v8::Local<v8::Value> object, const char *key,
    struct buf *out);
/* Our own words as the outcome's message. */
void outcome_message(struct engine_outcome *out, enum engine_end end, const char *message);
/* The Error that a failed host function makes in the guest. */
v8::Local<v8::Value> host_error(
    v8::Local<v8::Context> context, struct span name, struct span message);

/* --- thrown.cc ------------------------------------------------------------------------ */

/* Writes what was thrown to `out`, which is empty, and stays so if nothing can be told of it. What
 * happens meanwhile is caught by `caught`, the innermost one. */
void thrown_write(v8::Local<v8::Context> context, v8::TryCatch &caught,
    v8::Local<v8::Value> exception, struct buf *out);
/* What an ENGINE_ANSWER_THROW throws. Empty: an exception may be pending. */
v8::MaybeLocal<v8::Value> thrown_read(
    v8::Local<v8::Context> context, const struct engine_answer *answer);

/* --- module.cc ------------------------------------------------------------------------ */

/* A source's text. Empty: past V8's longest string, or no memory; an exception is pending. */
v8::MaybeLocal<v8::String> source_text(const struct engine_source *source);
/* Where it says to come from. */
v8::ScriptOrigin source_origin(const struct engine_source *source, bool module);
/* Compiles and runs; empty when an exception is pending. */
v8::MaybeLocal<v8::Value> script_run(
    v8::Local<v8::Context> context, const struct engine_source *source);

/* --- module_map.cc, module_load.cc ---------------------------------------------------- */

/* The same for a module; the value is its promise. */
v8::MaybeLocal<v8::Value> module_run(
    v8::Local<v8::Context> context, const struct engine_source *source);
/* What a module's promise holds as what the host asked for: undefined, or its exports. Empty: an
 * exception is pending. */
v8::MaybeLocal<v8::Value> module_result(
    v8::Local<v8::Context> context, uint32_t flags, v8::Local<v8::Value> held);
/* Answers import() and import.meta of `isolate`. */
void module_install(v8::Isolate *isolate);
void modules_forget_context(uint32_t id);
/* Of a twin: its host asks for what it loads. */
void loaders_forget(void);

/* --- memory.cc ------------------------------------------------------------------------ */

/* Ends the process by hooks.fatal, or by a line on stderr where no hooks are bound. */
[[noreturn]] void memory_fatal(bool out_of_memory, const char *location, const char *detail);
/* Handlers of the process, before the first isolate. */
void memory_boot(void);
/* What an isolate with the limits of eng.config is made with, and what it is given then. */
void memory_params(v8::Isolate::CreateParams *params);
void memory_install(v8::Isolate *isolate);
/* Measures heap and malloc anew as what the limits count from: last in the template. */
void memory_measure(void);
/* What malloc has given out and is no buffer; bytes of that which are not the guest's doing. */
uint64_t memory_beside_buffers(void);
void memory_forgive(uint64_t bytes);

#endif
