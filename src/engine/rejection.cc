/* rejection.cc - promises that were rejected and that nobody looks after.
 *
 * Runs in:  cell.
 * Threads:  the engine's thread only.
 *
 * V8 tells of each rejection without a handler when it happens, and when a handler comes after all.
 * What is still there when the microtasks have run is told to the host, once.
 */
#include "engine/priv.h"

#include "base/limits.h"

#include <algorithm>
#include <vector>

struct rejected {
    v8::Global<v8::Promise> promise;
    uint32_t context, call;
};

static std::vector<struct rejected> waiting; /* in the order of their rejections */
static uint64_t omitted; /* that there was no room for, since the last told */

static void
without_handler(v8::Local<v8::Promise> promise)
{
    if (!eng.isolate->InContext() || waiting.size() >= REJECTIONS_WAITING_MAX) {
        omitted++;
        return;
    }
    waiting.push_back({ v8::Global<v8::Promise>(eng.isolate, promise),
        context_id(eng.isolate->GetCurrentContext()), eng.hooks.running(eng.cell) });
}

static void
on_event(v8::PromiseRejectMessage message)
{
    v8::HandleScope handles(eng.isolate);
    v8::Local<v8::Promise> promise = message.GetPromise();

    if (message.GetEvent() == v8::kPromiseRejectWithNoHandler) {
        without_handler(promise);
    } else if (message.GetEvent() == v8::kPromiseHandlerAddedAfterReject) {
        /* Mostly the latest one. */
        auto found = std::find_if(waiting.rbegin(), waiting.rend(),
            [&](const struct rejected &r) { return r.promise == promise; });
        if (found != waiting.rend())
            waiting.erase(std::next(found).base());
    }
}

void
engine_watch_rejections(void)
{
    eng.isolate->SetPromiseRejectCallback(on_event);
}

/* False: terminated. */
static bool
tell(const struct rejected &r)
{
    v8::HandleScope handles(eng.isolate);
    v8::Local<v8::Context> context = context_find(r.context);
    v8::Local<v8::Promise> promise = r.promise.Get(eng.isolate);
    struct engine_outcome out;

    if (context.IsEmpty() || promise->HasHandler()) /* the host has taken it as a result */
        return true;
    v8::Context::Scope scope(context);
    engine_outcome_init(
        &out, std::min<uint64_t>(REJECTION_VALUE_MAX, eng.config.value_bytes_max));
    outcome_rejected(context, promise->Result(), &out);
    bool alive = out.end != ENGINE_TERMINATED;
    if (alive) {
        eng.hooks.rejected(eng.cell, r.call, omitted, &out);
        omitted = 0;
    }
    engine_outcome_done(&out);
    return alive;
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
