/* call.cc - the host runs code: evaluation, calls, paths, and results that come later.
 *
 * Runs in:  cell.
 * Trusts:   its caller for the shape of arguments, nobody for ids.
 * Threads:  the engine's thread only.
 *
 * All of a call's guest code runs before its function returns, under the deadline that the
 * caller armed: the code itself, getters that copying the result runs, and the microtasks.
 */
#include "engine/priv.h"

#include "base/check.h"
#include "base/limits.h"

#include <unordered_map>
#include <vector>

/* A promise whose settlement the host waits for. */
struct awaited {
    struct asked asked;
    v8::Global<v8::Promise> promise;
};

enum {
    RESULT_HEAD = 4 /* bytes of a RESULT before the value */
};

static std::unordered_map<uint32_t, struct awaited> awaits;
static uint32_t awaits_made;

/* Hands over what came of an awaited call, and releases it. */
static void
tell_settled(uint32_t call, struct engine_outcome *out)
{
    if (eng.hooks.settled != nullptr) /* null in the template */
        eng.hooks.settled(eng.cell, call, out);
    engine_outcome_done(out);
}

/* --- results -------------------------------------------------------------------------- */

/* Puts `value` into the outcome as it was asked for. */
static void
answer(v8::Local<v8::Context> context, const struct asked *asked, v8::Local<v8::Value> value,
    struct engine_outcome *out)
{
    v8::TryCatch caught(eng.isolate);
    stillness still(asked->still);

    out->end = ENGINE_VALUE;
    buf_clear(&out->value);
    if ((asked->flags & ENGINE_IGNORE_RESULT) != 0) {
        value = v8::Undefined(eng.isolate);
    } else if ((asked->flags & ASKED_EXPORTS) != 0 &&
               !module_result(context, asked->flags, value).ToLocal(&value)) {
        outcome_caught(context, caught, true, out);
        return;
    }
    if ((asked->flags & ENGINE_AS_REFERENCE) != 0) {
        out->end = ENGINE_REFERENCE;
        out->reference = reference_new(asked->context, value);
        out->reference_type = reference_typeof(value);
        if (out->reference == 0)
            outcome_message(out, ENGINE_TOO_BIG, "too many references");
        return;
    }
    v8::LocalVector<v8::ArrayBuffer> moved(eng.isolate);
    enum clone_end end =
        (asked->flags & ENGINE_MOVE_RESULT) == 0
            ? clone_write(context, value, &out->value)
            : clone_write_moving(context, value, RESULT_HEAD, &moved, &out->value);
    switch (end) {
    case CLONE_OK:
        moved_leave(moved);
        break;
    case CLONE_THREW:
        if (still.blocked(caught))
            outcome_message(out, ENGINE_ACCESSOR, "a getter is in what would be copied");
        else
            outcome_caught(context, caught, true, out);
        break;
    case CLONE_REFUSED:
        outcome_caught(context, caught, false, out);
        if (out->end == ENGINE_THROWN)
            out->end = ENGINE_NOT_CLONABLE;
        break;
    case CLONE_TOO_BIG:
        outcome_message(out, ENGINE_TOO_BIG, "the result is too big");
        break;
    }
}

/* The outcome of a promise that is settled. */
static void
answer_settled(v8::Local<v8::Context> context, const struct asked *asked,
    v8::Local<v8::Promise> promise, struct engine_outcome *out)
{
    if (promise->State() == v8::Promise::kFulfilled) {
        answer(context, asked, promise->Result(), out);
        return;
    }
    promise->MarkAsHandled(); /* the host is told */
    outcome_rejected(context, promise->Result(), out);
}

/* The native reaction of an awaited promise: it runs as a microtask. */
static void
settled(const v8::FunctionCallbackInfo<v8::Value> &info)
{
    auto found = awaits.find(info.Data().As<v8::Uint32>()->Value());
    struct engine_outcome out;

    if (found == awaits.end())
        return;
    struct awaited taken = std::move(found->second);
    awaits.erase(found);
    engine_outcome_init(&out, eng.config.value_bytes_max);
    answer_settled(
        eng.isolate->GetCurrentContext(), &taken.asked, taken.promise.Get(eng.isolate), &out);
    if (out.end == ENGINE_TERMINATED)
        eng.isolate->TerminateExecution(); /* the other microtasks too */
    tell_settled(taken.asked.call, &out);
}

/* Waits for an open promise. Native reactions: a guest's own `then` is not asked. */
static void
await(v8::Local<v8::Context> context, const struct asked *asked, v8::Local<v8::Promise> promise,
    struct engine_outcome *out)
{
    v8::TryCatch caught(eng.isolate);
    v8::Local<v8::Function> reaction;
    uint32_t id = ++awaits_made;

    struct awaited *awaited = &awaits[id];
    awaited->asked = *asked;
    awaited->promise.Reset(eng.isolate, promise);
    out->end = ENGINE_PENDING;
    if (!v8::Function::New(context, settled, v8::Integer::NewFromUnsigned(eng.isolate, id))
             .ToLocal(&reaction) ||
        promise->Then(context, reaction, reaction).IsEmpty()) {
        awaits.erase(id);
        outcome_caught(context, caught, true, out);
    }
}

/* Awaited promises that are settled though no microtask is left that could tell of it. */
static void
tell_lost_reactions(void)
{
    std::vector<uint32_t> lost;

    for (auto &entry : awaits)
        if (entry.second.promise.Get(eng.isolate)->State() != v8::Promise::kPending)
            lost.push_back(entry.first);
    for (uint32_t id : lost) {
        struct engine_outcome out;
        uint32_t call = awaits[id].asked.call;
        awaits.erase(id);
        engine_outcome_init(&out, 0);
        out.end = ENGINE_TERMINATED;
        tell_settled(call, &out);
    }
}

void
entry_terminated(void)
{
    v8::HandleScope handles(eng.isolate);
    v8::TryCatch caught(eng.isolate);

    eng.isolate->TerminateExecution();
    if (eng.depth > 1)
        return;
    /* V8 drops its queue when a microtask is terminated, and the next one will be at once. */
    eng.isolate->PerformMicrotaskCheckpoint();
    tell_lost_reactions();
    rejections_forget();
}

bool
microtasks_run(void)
{
    if (eng.depth > 1)
        return true;
    v8::TryCatch caught(eng.isolate);
    eng.isolate->PerformMicrotaskCheckpoint();
    return !caught.HasTerminated();
}

/* A promise as the result: settled by the microtasks that ran, or not yet. */
static void
answer_promise(v8::Local<v8::Context> context, const struct asked *asked,
    v8::Local<v8::Promise> promise, struct engine_outcome *out)
{
    if (promise->State() != v8::Promise::kPending)
        answer_settled(context, asked, promise, out);
    else if ((asked->flags & ENGINE_AWAIT) != 0)
        await(context, asked, promise, out);
    else /* a module that is not waited for */
        answer(context, asked, v8::Undefined(eng.isolate), out);
}

void
conclude(v8::Local<v8::Context> context, const struct asked *asked, v8::TryCatch &caught,
    v8::MaybeLocal<v8::Value> result, struct engine_outcome *out)
{
    v8::Local<v8::Value> value;
    bool promised = result.ToLocal(&value) && value->IsPromise() &&
                    (asked->flags & (ENGINE_AWAIT | ENGINE_MODULE)) != 0;

    if (value.IsEmpty())
        outcome_caught(context, caught, true, out);
    else if (!promised)
        answer(context, asked, value, out);
    bool alive = out->end != ENGINE_TERMINATED && microtasks_run();
    if (alive && promised) {
        answer_promise(context, asked, value.As<v8::Promise>(), out);
        alive =
            out->end == ENGINE_PENDING || (out->end != ENGINE_TERMINATED && microtasks_run());
    }
    alive = alive && rejections_tell();
    if (!alive) {
        entry_terminated();
        outcome_message(out, ENGINE_TERMINATED, "");
    }
}

void
awaits_forget_context(uint32_t id)
{
    for (auto it = awaits.begin(); it != awaits.end();)
        it = it->second.asked.context == id ? awaits.erase(it) : std::next(it);
}

void
engine_abandon(uint32_t call)
{
    for (auto it = awaits.begin(); it != awaits.end();)
        it = it->second.asked.call == call ? awaits.erase(it) : std::next(it);
}

/* --- paths ---------------------------------------------------------------------------- */

enum path_end {
    PATH_FOUND,
    PATH_MISSING, /* a name on the way holds nothing */
    PATH_THREW    /* an exception is pending */
};

/* The next name of a path; false after the last. */
static bool
path_next(struct span *path, struct span *name)
{
    if (path->p == nullptr)
        return false;
    auto *dot = static_cast<const uint8_t *>(memchr(path->p, '.', path->len));
    if (dot == nullptr) {
        *name = *path;
        *path = span_of(nullptr, 0);
    } else {
        *name = span_of(path->p, static_cast<size_t>(dot - path->p));
        *path = span_of(dot + 1, path->len - name->len - 1);
    }
    return true;
}

/* Follows a path up to its last name: what holds it, and the name. Guest code may run. */
static enum path_end
path_follow(v8::Local<v8::Context> context, v8::Local<v8::Object> root, struct span path,
    v8::Local<v8::Object> *holder, v8::Local<v8::String> *last)
{
    struct span name;
    v8::Local<v8::Value> value;

    if (path.len == 0 || path.len > NAME_BYTES_MAX)
        return PATH_MISSING;
    *holder = root;
    while (path_next(&path, &name)) {
        if (!text_new(name).ToLocal(last))
            return PATH_THREW;
        if (path.p == nullptr)
            break;
        if (!(*holder)->Get(context, *last).ToLocal(&value))
            return PATH_THREW;
        if (value->IsNullOrUndefined())
            return PATH_MISSING;
        if (!value->ToObject(context).ToLocal(holder))
            return PATH_THREW;
    }
    return PATH_FOUND;
}

/* --- the host's calls ----------------------------------------------------------------- */

void
engine_eval(uint32_t context, uint32_t call, uint32_t flags, const struct engine_source *source,
    struct engine_outcome *out)
{
    v8::HandleScope handles(eng.isolate);
    v8::Local<v8::Context> in = context_find(context);
    struct asked asked = { context, call, flags };

    if (in.IsEmpty()) {
        outcome_message(out, ENGINE_BAD_ID, "no such context");
        return;
    }
    guest_entry entry(in);
    guest_catch caught;
    conclude(in, &asked, caught,
        (flags & ENGINE_MODULE) != 0 ? module_run(in, source) : script_run(in, source), out);
}

bool
arguments_read(v8::Local<v8::Context> context, uint32_t count, struct span bytes,
    v8::Local<v8::Value> *out)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t length;
        if (bytes.len < sizeof length)
            return false;
        memcpy(&length, bytes.p, sizeof length);
        bytes = span_of(bytes.p + sizeof length, bytes.len - sizeof length);
        if (length > bytes.len ||
            !clone_read(context, span_of(bytes.p, length)).ToLocal(&out[i]))
            return false;
        bytes = span_of(bytes.p + length, bytes.len - length);
    }
    return bytes.len == 0;
}

void
arguments_refuse(
    v8::Local<v8::Context> context, v8::TryCatch &caught, struct engine_outcome *out)
{
    if (!caught.HasCaught())
        outcome_message(out, ENGINE_NOT_CLONABLE, "the arguments are malformed");
    else
        outcome_caught(context, caught, false, out);
    if (out->end == ENGINE_TERMINATED)
        entry_terminated();
}

static void
outcome_no_path(struct engine_outcome *out, struct span path)
{
    outcome_message(out, ENGINE_BAD_ID, "nothing has the path ");
    buf_append(&out->exception.message, path.p, path.len);
}

static v8::Local<v8::Value>
no_function(struct span path)
{
    v8::Local<v8::String> name =
        v8::String::NewFromUtf8(eng.isolate, reinterpret_cast<const char *>(path.p),
            v8::NewStringType::kNormal, static_cast<int>(path.len))
            .ToLocalChecked();

    return v8::Exception::TypeError(
        v8::String::Concat(eng.isolate, name, text_of(" is not a function")));
}

/* The function at the end of a path, and its `this`. False: the outcome says why. */
static bool
callee_find(v8::Local<v8::Context> context, v8::Local<v8::Object> root, struct span path,
    v8::TryCatch &caught, v8::Local<v8::Value> *function, v8::Local<v8::Value> *self,
    struct engine_outcome *out)
{
    v8::Local<v8::Object> holder;
    v8::Local<v8::String> last;

    enum path_end end = path_follow(context, root, path, &holder, &last);
    if (end == PATH_FOUND && !holder->Get(context, last).ToLocal(function))
        end = PATH_THREW;
    if (end == PATH_THREW)
        outcome_caught(context, caught, true, out);
    else if (end == PATH_MISSING || (*function)->IsUndefined())
        outcome_no_path(out, path);
    else
        *self = holder;
    return end == PATH_FOUND && out->end != ENGINE_BAD_ID;
}

void
path_call(v8::Local<v8::Context> in, v8::Local<v8::Object> root, const struct asked *asked,
    struct span path, uint32_t count, struct span arguments, struct engine_outcome *out)
{
    guest_entry entry(in);
    guest_catch caught;
    v8::Local<v8::Value> function, self;
    v8::Local<v8::Value> few[8];
    v8::LocalVector<v8::Value> many(eng.isolate);
    v8::Local<v8::Value> *values = few;

    if (count > ARGUMENTS_MAX) {
        outcome_message(out, ENGINE_TOO_BIG, "too many arguments");
        return;
    }
    if (count > COUNT(few)) {
        many.resize(count);
        values = many.data();
    }
    if (!arguments_read(in, count, arguments, values)) {
        arguments_refuse(in, caught, out);
    } else if (callee_find(in, root, path, caught, &function, &self, out)) {
        v8::MaybeLocal<v8::Value> result;
        if (function->IsFunction())
            result = function.As<v8::Function>()->Call(
                eng.isolate, in, self, static_cast<int>(count), values);
        else
            eng.isolate->ThrowException(no_function(path));
        conclude(in, asked, caught, result, out);
        return;
    }
    if (out->end == ENGINE_TERMINATED)
        entry_terminated();
}

void
engine_call(uint32_t context, uint32_t call, uint32_t flags, struct span path, uint32_t count,
    struct span arguments, struct engine_outcome *out)
{
    v8::HandleScope handles(eng.isolate);
    v8::Local<v8::Context> in = context_find(context);
    struct asked asked = { context, call, flags };

    if (in.IsEmpty())
        outcome_message(out, ENGINE_BAD_ID, "no such context");
    else
        path_call(in, in->Global(), &asked, path, count, arguments, out);
}

void
path_get(v8::Local<v8::Context> in, v8::Local<v8::Object> root, const struct asked *asked,
    struct span path, struct engine_outcome *out)
{
    guest_entry entry(in);
    v8::TryCatch caught(eng.isolate);
    v8::Local<v8::Object> holder;
    v8::Local<v8::String> last;
    v8::MaybeLocal<v8::Value> result;

    enum path_end end = path_follow(in, root, path, &holder, &last);
    if (end == PATH_MISSING) {
        outcome_no_path(out, path);
        return;
    }
    if (end == PATH_FOUND)
        result = holder->Get(in, last);
    conclude(in, asked, caught, result, out);
}

void
engine_get(uint32_t context, uint32_t call, uint32_t flags, struct span path,
    struct engine_outcome *out)
{
    v8::HandleScope handles(eng.isolate);
    v8::Local<v8::Context> in = context_find(context);
    struct asked asked = { context, call, flags };

    if (in.IsEmpty())
        outcome_message(out, ENGINE_BAD_ID, "no such context");
    else
        path_get(in, in->Global(), &asked, path, out);
}

/* Sets what `make` makes, in the context, for the name that ends a path. */
static void
set_made(uint32_t context, struct span path,
    v8::MaybeLocal<v8::Value> (*make)(
        v8::Local<v8::Context> context, v8::Local<v8::String> name, const void *from),
    const void *from, struct engine_outcome *out)
{
    v8::HandleScope handles(eng.isolate);
    v8::Local<v8::Context> in = context_find(context);
    struct asked asked = { context, 0, ENGINE_IGNORE_RESULT };
    v8::Local<v8::Object> holder;
    v8::Local<v8::String> last;
    v8::Local<v8::Value> value;

    if (in.IsEmpty()) {
        outcome_message(out, ENGINE_BAD_ID, "no such context");
        return;
    }
    guest_entry entry(in);
    v8::TryCatch caught(eng.isolate);
    v8::MaybeLocal<v8::Value> result;
    enum path_end end = path_follow(in, in->Global(), path, &holder, &last);
    if (end == PATH_MISSING) {
        outcome_no_path(out, path);
        return;
    }
    if (end == PATH_FOUND && make(in, last, from).ToLocal(&value)) {
        if (holder->Set(in, last, value).FromMaybe(false))
            result = value;
    } else if (end == PATH_FOUND && !caught.HasCaught()) {
        outcome_message(out, ENGINE_NOT_CLONABLE, "the value is malformed");
        return;
    }
    conclude(in, &asked, caught, result, out);
}

static v8::MaybeLocal<v8::Value>
make_value(v8::Local<v8::Context> context, v8::Local<v8::String>, const void *from)
{
    return clone_read(context, *static_cast<const struct span *>(from));
}

static v8::MaybeLocal<v8::Value>
make_function(v8::Local<v8::Context> context, v8::Local<v8::String> name, const void *from)
{
    v8::Local<v8::Function> function;

    if (!host_function(context, *static_cast<const uint32_t *>(from), 0).ToLocal(&function))
        return v8::MaybeLocal<v8::Value>();
    function->SetName(name);
    return function;
}

void
engine_set(uint32_t context, struct span path, struct span value, struct engine_outcome *out)
{
    set_made(context, path, make_value, &value, out);
}

void
engine_set_function(
    uint32_t context, struct span path, uint32_t function, struct engine_outcome *out)
{
    set_made(context, path, make_function, &function, out);
}

bool
engine_pump(void)
{
    v8::HandleScope handles(eng.isolate);

    eng.depth++;
    v8::TryCatch caught(eng.isolate);
    (void)platform_run_tasks(false);
    /* V8 keeps what ends a finalizer to itself, a termination too. */
    if (terminating() || caught.HasTerminated() || !microtasks_run() || !rejections_tell())
        entry_terminated();
    eng.depth--;
    return engine_next_task_us() == 0;
}
