/* rejection.cc - promises that were rejected and that nobody looks after.
 *
 * Runs in:  cell.
 * Threads:  the engine's thread only.
 *
 * V8 tells of each rejection without a handler when it happens, and when a handler comes after all.
 * What is still there when the microtasks have run is told once: to inspector sessions, without
 * guest code, and to the host if it asked. Sessions are told too of handlers that come later.
 */
#include "engine/inspector.h"
#include "engine/priv.h"

#include "base/limits.h"

#include <algorithm>
#include <deque>
#include <vector>

struct rejected {
    v8::Global<v8::Promise> promise;
    v8::Global<v8::Message> message; /* where it happened; empty if no session was there */
    uint32_t context, call;
};

/* Told to sessions. */
struct shown {
    v8::Global<v8::Promise> promise; /* weak: nobody waits for a handler that can't come */
    uint32_t context;
    unsigned exception;
};

static std::vector<struct rejected> waiting; /* in the order of their rejections */
static std::deque<struct shown> shown;
static uint64_t omitted; /* that there was no room for, since the last told */
static bool host_asked;

static void
without_handler(v8::Local<v8::Promise> promise, v8::Local<v8::Value> reason)
{
    v8::Local<v8::Message> message;

    if (!host_asked && !inspector_attached())
        return;
    if (!eng.isolate->InContext() || waiting.size() >= REJECTIONS_WAITING_MAX) {
        omitted++;
        return;
    }
    if (inspector_attached())
        message = v8::Exception::CreateMessage(eng.isolate, reason);
    waiting.push_back({ v8::Global<v8::Promise>(eng.isolate, promise),
        v8::Global<v8::Message>(eng.isolate, message),
        context_id(eng.isolate->GetCurrentContext()), eng.hooks.running(eng.cell) });
}

/* Takes what stands for a promise out of a list. False: nothing does. */
template <typename list, typename item>
static bool
take(list &from, v8::Local<v8::Promise> promise, item *out)
{
    /* Mostly the latest one. */
    auto found = std::find_if(
        from.rbegin(), from.rend(), [&](const item &one) { return one.promise == promise; });

    if (found == from.rend())
        return false;
    *out = std::move(*found);
    from.erase(std::next(found).base());
    return true;
}

static void
with_handler(v8::Local<v8::Promise> promise)
{
    struct rejected unseen;
    struct shown seen;

    if (take(waiting, promise, &unseen) || !take(shown, promise, &seen))
        return;
    v8::Local<v8::Context> context = context_find(seen.context);
    if (!context.IsEmpty())
        inspector_exception_revoked(
            context, seen.exception, "Handler added to rejected promise");
}

static void
on_event(v8::PromiseRejectMessage message)
{
    v8::HandleScope handles(eng.isolate);

    if (message.GetEvent() == v8::kPromiseRejectWithNoHandler)
        without_handler(message.GetPromise(), message.GetValue());
    else if (message.GetEvent() == v8::kPromiseHandlerAddedAfterReject)
        with_handler(message.GetPromise());
}

void
rejections_watch(void)
{
    eng.isolate->SetPromiseRejectCallback(on_event);
}

void
engine_watch_rejections(void)
{
    host_asked = true;
    rejections_watch();
}

static void
show(const struct rejected &r, v8::Local<v8::Context> context, v8::Local<v8::Promise> promise)
{
    v8::Local<v8::Value> reason = promise->Result();
    v8::Local<v8::Message> message = r.message.Get(eng.isolate);

    if (!console_shows())
        return;
    if (message.IsEmpty())
        message = v8::Exception::CreateMessage(eng.isolate, reason);
    v8::TryCatch caught(eng.isolate);
    stillness still(true);
    unsigned exception =
        inspector_exception_thrown(context, "Uncaught (in promise)", message, reason);
    if (exception == 0)
        return;
    if (shown.size() >= REJECTIONS_SHOWN_MAX)
        shown.pop_front();
    shown.push_back({ v8::Global<v8::Promise>(eng.isolate, promise), r.context, exception });
    shown.back().promise.SetWeak();
}

/* False: terminated. */
static bool
tell_host(const struct rejected &r, v8::Local<v8::Context> context, v8::Local<v8::Value> reason)
{
    struct engine_outcome out;

    engine_outcome_init(
        &out, std::min<uint64_t>(REJECTION_VALUE_MAX, eng.config.value_bytes_max));
    outcome_rejected(context, reason, &out);
    bool alive = out.end != ENGINE_TERMINATED;
    if (alive) {
        eng.hooks.rejected(eng.cell, r.call, omitted, &out);
        omitted = 0;
    }
    engine_outcome_done(&out);
    return alive;
}

static bool
tell(const struct rejected &r)
{
    v8::HandleScope handles(eng.isolate);
    v8::Local<v8::Context> context = context_find(r.context);
    v8::Local<v8::Promise> promise = r.promise.Get(eng.isolate);

    if (context.IsEmpty() || promise->HasHandler()) /* the host has taken it as a result */
        return true;
    v8::Context::Scope scope(context);
    if (inspector_attached())
        show(r, context, promise);
    return !host_asked || tell_host(r, context, promise->Result());
}

bool
rejections_tell(void)
{
    if (eng.depth > 1)
        return true;
    /* Telling may run guest code (Error.prepareStackTrace), and that may reject anew. */
    while (!waiting.empty()) {
        std::vector<struct rejected> now;
        now.swap(waiting);
        for (const struct rejected &r : now)
            if (!tell(r))
                return false;
        if (!microtasks_run())
            return false;
    }
    return true;
}

void
rejections_forget(void)
{
    waiting.clear();
    omitted = 0;
}
