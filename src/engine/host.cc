/* host.cc - the guest calls out: host functions, and promises that the host keeps later.
 *
 * Runs in:  cell.
 * Threads:  the engine's thread only.
 */
#include "engine/priv.h"

#include "base/limits.h"

#include <unordered_map>
#include <vector>

struct host_promise {
    uint32_t context;
    v8::Global<v8::Promise::Resolver> resolver;
};

/* Keyed by the ids that the hook chose. */
static std::unordered_map<uint32_t, struct host_promise> promises;

/* Buffers for the arguments of calls that are under way, one per level of nesting, kept for the
 * next call. Deeper levels get one of their own. */
enum {
    KEPT_LEVELS = 4,
    CALLBACK_HEAD = 12 /* bytes of a CALLBACK before the arguments */
};
static struct buf kept[KEPT_LEVELS];
static uint32_t level;

namespace
{

class argument_buffer
{
    struct buf own = {};
    struct buf *used;

  public:
    argument_buffer() : used(level < KEPT_LEVELS ? &kept[level] : &own)
    {
        level++;
        buf_clear(used);
        used->max = eng.config.value_bytes_max + MESSAGE_HEAD_MAX;
    }
    ~argument_buffer()
    {
        level--;
        if (used == &own || used->capacity > FRAME_KEPT_BYTES)
            buf_done(used);
        else
            buf_clear(used);
    }
    argument_buffer(const argument_buffer &) = delete;
    argument_buffer &operator=(const argument_buffer &) = delete;

    struct buf *get()
    {
        return used;
    }
};

} /* namespace */

/* A length, then the clone. `moved`: the buffers that leave with it; NULL: none does. False: an
 * exception is pending. */
static bool
argument_write(v8::Local<v8::Context> context, v8::Local<v8::Value> value,
    v8::LocalVector<v8::ArrayBuffer> *moved, struct buf *out)
{
    size_t at = out->len, before = buf_whole(out);
    enum clone_end end = CLONE_TOO_BIG;

    buf_u32(out, 0);
    if (!out->failed)
        end = moved == nullptr ? clone_write(context, value, out)
                               : clone_write_moving(context, value, CALLBACK_HEAD, moved, out);
    size_t length = buf_whole(out) - before - 4;
    if (end == CLONE_OK && length <= eng.config.value_bytes_max) {
        auto size = static_cast<uint32_t>(length);
        memcpy(out->p + at, &size, sizeof size);
        return true;
    }
    if (end == CLONE_OK || end == CLONE_TOO_BIG)
        eng.isolate->ThrowException(
            v8::Exception::RangeError(text_of("the arguments of a host function are too big")));
    return false;
}

/* A promise of the guest for an id of the host's. */
static v8::MaybeLocal<v8::Promise>
promise_make(v8::Local<v8::Context> context, uint32_t id)
{
    v8::Local<v8::Promise::Resolver> resolver;

    if (promises.size() >= PROMISES_MAX) {
        eng.isolate->ThrowException(
            v8::Exception::RangeError(text_of("too many promises of host functions are open")));
        return v8::MaybeLocal<v8::Promise>();
    }
    if (!v8::Promise::Resolver::New(context).ToLocal(&resolver))
        return v8::MaybeLocal<v8::Promise>();
    struct host_promise *promise = &promises[id];
    promise->context = context_id(context);
    promise->resolver.Reset(eng.isolate, resolver);
    return resolver->GetPromise();
}

static void
answer_take(v8::Local<v8::Context> context, const struct engine_answer *answer,
    v8::ReturnValue<v8::Value> result)
{
    v8::Local<v8::Value> value;
    v8::Local<v8::Promise> promise;

    switch (answer->kind) {
    case ENGINE_ANSWER_VALUE:
        if (clone_read(context, answer->bytes).ToLocal(&value))
            result.Set(value);
        break;
    case ENGINE_ANSWER_THROW:
        if (thrown_read(context, answer).ToLocal(&value))
            eng.isolate->ThrowException(value);
        break;
    case ENGINE_ANSWER_PROMISE:
        if (promise_make(context, answer->promise).ToLocal(&promise))
            result.Set(promise);
        break;
    case ENGINE_ANSWER_STOP:
        eng.isolate->TerminateExecution();
        break;
    }
}

/* The number of a function, and its flags above. */
static const double FLAGS_UNIT = 4294967296.0;

/* A function of the guest goes as a reference: its record is the whole clone. */
static bool
function_write(v8::Local<v8::Context> context, v8::Local<v8::Value> function, struct buf *out,
    std::vector<uint32_t> &made)
{
    uint32_t reference = reference_new(context_id(context), function);

    if (reference == 0) {
        eng.isolate->ThrowException(
            v8::Exception::RangeError(text_of("the host holds too many references")));
        return false;
    }
    made.push_back(reference);
    size_t at = out->len;
    buf_u32(out, 0);
    clone_write_reference(reference, ENGINE_TYPEOF_FUNCTION, out);
    if (out->failed) {
        eng.isolate->ThrowException(
            v8::Exception::RangeError(text_of("the arguments of a host function are too big")));
        return false;
    }
    auto size = static_cast<uint32_t>(out->len - at - 4);
    memcpy(out->p + at, &size, sizeof size);
    return true;
}

/* All arguments. References that were made for them are listed, to be dropped unless they go. */
static bool
arguments_write(v8::Local<v8::Context> context, const v8::FunctionCallbackInfo<v8::Value> &info,
    uint32_t flags, struct buf *out, std::vector<uint32_t> &made)
{
    v8::LocalVector<v8::ArrayBuffer> moved(eng.isolate);
    bool moves = (flags & ENGINE_FUNCTION_MOVE) != 0;

    if (info.Length() > ARGUMENTS_MAX) {
        eng.isolate->ThrowException(v8::Exception::RangeError(
            text_of("a host function was called with too many arguments")));
        return false;
    }
    for (int i = 0; i < info.Length(); i++) {
        bool refers = (flags & ENGINE_FUNCTION_REFERENCES) != 0 && info[i]->IsFunction();
        if (!(refers ? function_write(context, info[i], out, made)
                     : argument_write(context, info[i], moves ? &moved : nullptr, out)))
            return false;
    }
    bool posts = (flags & ENGINE_FUNCTION_POST) != 0;
    if (moved.empty() || posts || eng.hooks.host_is_full == nullptr ||
        !eng.hooks.host_is_full(eng.cell)) /* then they stay, and the call is refused */
        moved_leave(moved);
    return true;
}

static void
called(const v8::FunctionCallbackInfo<v8::Value> &info)
{
    v8::Local<v8::Context> context = eng.isolate->GetCurrentContext();
    double packed = info.Data().As<v8::Number>()->Value();
    auto flags = static_cast<uint32_t>(packed / FLAGS_UNIT);
    auto function = static_cast<uint32_t>(packed - flags * FLAGS_UNIT);
    auto count = static_cast<uint32_t>(info.Length());
    struct engine_answer answer = {};
    std::vector<uint32_t> made;
    argument_buffer arguments;

    if (eng.still > 0) { /* as V8 does for the guest's own code; see stillness */
        eng.isolate->ThrowException(text_of("no accessors"));
        return;
    }
    bool sent = arguments_write(context, info, flags, arguments.get(), made) &&
                eng.hooks.call_host != nullptr && !eng.isolate->IsExecutionTerminating();
    if (sent && (flags & ENGINE_FUNCTION_POST) != 0) {
        eng.hooks.post_host(eng.cell, function, count, arguments.get());
    } else if (sent) {
        eng.hooks.call_host(eng.cell, function, count, arguments.get(), &answer);
        answer_take(context, &answer, info.GetReturnValue());
        sent = !answer.unsent;
    }
    for (size_t i = 0; i < made.size() && !sent; i++)
        engine_reference_free(made[i]);
}

v8::MaybeLocal<v8::Function>
host_function(v8::Local<v8::Context> context, uint32_t function, uint32_t flags)
{
    return v8::Function::New(context, called,
        v8::Number::New(eng.isolate, function + flags * FLAGS_UNIT), 0,
        v8::ConstructorBehavior::kThrow);
}

bool
engine_settle(uint32_t id, const struct engine_answer *answer)
{
    auto found = promises.find(id);

    if (found == promises.end())
        return false;
    v8::HandleScope handles(eng.isolate);
    v8::Local<v8::Context> context = context_find(found->second.context);
    v8::Local<v8::Promise::Resolver> resolver = found->second.resolver.Get(eng.isolate);
    promises.erase(found);
    if (context.IsEmpty())
        return false;

    guest_entry entry(context);
    v8::TryCatch caught(eng.isolate);
    v8::Local<v8::Value> value;
    bool throws = answer->kind == ENGINE_ANSWER_THROW;
    if ((throws ? thrown_read(context, answer) : clone_read(context, answer->bytes))
            .ToLocal(&value)) {
        (void)(throws ? resolver->Reject(context, value) : resolver->Resolve(context, value))
            .FromMaybe(false);
    } else if (!caught.HasTerminated()) {
        v8::Local<v8::Value> why = v8::Undefined(eng.isolate);
        if (caught.HasCaught())
            why = caught.Exception();
        caught.Reset();
        (void)resolver->Reject(context, why).FromMaybe(false);
    }
    if (caught.HasTerminated() || !microtasks_run() || !rejections_tell())
        entry_terminated();
    return true;
}

void
engine_promise_drop(uint32_t id)
{
    promises.erase(id);
}

void
host_forget_context(uint32_t id)
{
    for (auto it = promises.begin(); it != promises.end();)
        it = it->second.context == id ? promises.erase(it) : std::next(it);
}
