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

#include <atomic>
#include <memory>
#include <v8.h>

struct engine_state {
    v8::Isolate *isolate; /* null before engine_isolate_new() */
    struct engine_config config;
    struct engine_hooks hooks; /* all set after engine_after_fork(); all null before */
    void *cell;                /* handed to every hook */
    bool console;              /* console calls go to hooks.console */
    uint32_t depth;            /* entries into guest code that are under way, nested */
};
extern struct engine_state eng;

/* --- platform.cc ---------------------------------------------------------------------- */

v8::Platform *platform_get(void);
/* Runs what V8 has posted and is due now; with `nested` (the debugger's pause) only tasks that
 * may run inside another one. True if a task ran. Runs no microtasks. */
bool platform_run_tasks(bool nested);

/* --- isolate.cc ----------------------------------------------------------------------- */

/* The context of an id; empty when there is none. Needs a HandleScope. */
v8::Local<v8::Context> context_find(uint32_t id);
/* The id of a context of ours; 0 for any other. */
uint32_t context_id(v8::Local<v8::Context> context);
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

/* --- clone.cc ------------------------------------------------------------------------- */

/* Appends `text` as UTF-8 (lone surrogates become U+FFFD), at most `limit` bytes of it, cut
 * between characters. */
void text_append(struct buf *out, v8::Local<v8::String> text, size_t limit);
/* A string of UTF-8 bytes; empty only when past V8's length limit. */
v8::MaybeLocal<v8::String> text_new(struct span utf8);

#endif
