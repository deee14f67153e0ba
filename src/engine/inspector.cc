/* inspector.cc - inspector sessions: CDP in, CDP out, and the debugger's pause.
 *
 * Runs in:  cell.
 * Trusts:   the host, whose commands may do all that a debugger may.
 * Threads:  the engine's thread only.
 *
 * V8's inspector is made with the first session and then stays: a cell that nobody looks into
 * pays nothing. All contexts are in one context group.
 *
 * A session may be closed at any moment: while the debugger is paused, from inside its own
 * dispatch (a command of its own runs JavaScript, that pauses, and the host hangs up), even
 * from hooks.inspector_message. A session that V8 has on the stack is only silenced then, and
 * let go by reap() once V8 has left it.
 */
#include "engine/inspector.h"
#include "base/clock.h"
#include "base/limits.h"
#include "engine/console.h"
#include "engine/priv.h"
#include "engine/utf8.h"

#include <list>
#include <unistd.h>

using v8_inspector::StringBuffer;
using v8_inspector::StringView;
using v8_inspector::V8ContextInfo;
using v8_inspector::V8Inspector;
using v8_inspector::V8InspectorClient;
using v8_inspector::V8InspectorSession;

#define CONTEXT_GROUP 1

static StringView
view_of(struct span text)
{
    return { true, text.len, text.p };
}

/* --- what V8 asks of us --------------------------------------------------------------- */

namespace
{

class client final : public V8InspectorClient
{
  public:
    bool paused = false;

    void runMessageLoopOnPause(int) override
    {
        /* V8 does not nest pauses, but a hook that did would end the outer one too. */
        paused = true;
        if (eng.hooks.paused != nullptr)
            eng.hooks.paused(eng.cell);
        paused = false;
    }
    void quitMessageLoopOnPause() override
    {
        paused = false;
    }
    void runIfWaitingForDebugger(int) override
    {
        if (eng.hooks.released != nullptr)
            eng.hooks.released(eng.cell);
    }
    void startRepeatingTimer(double seconds, void (*tick)(void *), void *data) override
    {
        inspector_timer_start(seconds, tick, data);
    }
    void cancelTimer(void *data) override
    {
        inspector_timer_cancel(data);
    }
    v8::Local<v8::Context> ensureDefaultContextInGroup(int) override
    {
        uint32_t any = 1;

        /* `each` lives in a scope of its own: it may hand out an id, but no handle. */
        if (context_find(any).IsEmpty())
            context_each([](uint32_t id, v8::Local<v8::Context>,
                             void *data) { *static_cast<uint32_t *>(data) = id; },
                &any);
        return context_find(any);
    }
    double currentTimeMS() override
    {
        return static_cast<double>(clock_ns_of(CLOCK_REALTIME)) * 1e-6;
    }
    /* Names contexts apart, also those of other cells in the same DevTools. It is no secret,
     * and must not be drawn from V8's generator, whose sequence the guest sees. */
    int64_t generateUniqueId() override
    {
        ids += clock_ns_of(CLOCK_REALTIME) | 1;
        uint64_t mixed = (ids ^ static_cast<uint64_t>(getpid()) << 40) * 0x9e3779b97f4a7c15u;
        return static_cast<int64_t>((mixed ^ mixed >> 31) | 1);
    }

  private:
    uint64_t ids = 0;
};

class session final : public V8Inspector::Channel
{
  public:
    const uint32_t id;
    std::shared_ptr<V8InspectorSession> v8;
    uint32_t busy = 0;   /* calls into this session on the stack */
    bool closed = false; /* says nothing any more; waits for reap() */

    explicit session(uint32_t session_id) : id(session_id)
    {
    }
    void sendResponse(int call, std::unique_ptr<StringBuffer> message) override
    {
        send(message->string(), call);
    }
    void sendNotification(std::unique_ptr<StringBuffer> message) override
    {
        send(message->string(), 0);
    }
    void flushProtocolNotifications() override
    {
    }

  private:
    void send(StringView message, int call);
};

} /* namespace */

/* Never destroyed: a cell ends with _exit(), with V8's state as it is. */
static client *inspector_client;
static V8Inspector *inspector;
static std::list<session> *sessions;

/* --- messages ------------------------------------------------------------------------- */

/* V8 escapes what isn't ASCII, so most of this is for an engine that stops doing so. */
static void
utf8_from_view(struct buf *out, StringView view)
{
    auto bytes = static_cast<const uint8_t *>(view.units);
    auto units = static_cast<const char16_t *>(view.units);

    for (size_t i = 0; i < view.length; i++)
        utf8_append(out, view.narrow ? bytes[i] : utf16_next(units, view.length, &i));
}

void
session::send(StringView message, int call)
{
    struct buf json = {};

    if (closed || eng.hooks.inspector_message == nullptr)
        return;
    json.max = CDP_BYTES_MAX;
    utf8_from_view(&json, message);
    if (json.failed) {
        /* A command must have an answer; an event may get lost. */
        buf_done(&json);
        if (call == 0) {
            console_dropped();
            return;
        }
        json.failed = false;
        buf_printf(&json,
            "{\"id\":%d,\"error\":{\"code\":-32000,\"message\":\"the answer is too big\"}}",
            call);
    }
    busy++;
    eng.hooks.inspector_message(eng.cell, id, buf_span(&json));
    busy--;
    buf_done(&json);
}

/* --- contexts ------------------------------------------------------------------------- */

static wide isolate_name;
static uint32_t contexts_told = 1; /* the isolate's own, and others */

void
engine_inspector_name(struct span name)
{
    v8::HandleScope handles(eng.isolate);
    v8::Local<v8::String> text;

    if (text_new(name).ToLocal(&text))
        isolate_name = wide_of(eng.isolate, text, INSPECTOR_NAME_MAX);
}

static StringView
view_of(const wide &text)
{
    return { false, text.size(), text.data() };
}

void
inspector_context_created(uint32_t id, v8::Local<v8::Context> context)
{
    V8ContextInfo info;

    if (inspector == nullptr)
        return;
    wide name = isolate_name;
    if (id != 1) /* ids are the host's, and no numbers for people */
        name += u", context " + wide_number(++contexts_told);
    wide origin = u"glovebox://" + isolate_name;
    info.context = context;
    info.group = CONTEXT_GROUP;
    info.name = view_of(name);
    info.origin = view_of(origin);
    info.aux_data =
        view_of(span_text(id == 1 ? "{\"isDefault\":true}" : "{\"isDefault\":false}"));
    /* V8 reads the global's `console` here, and a guest may have put a getter there. */
    v8::TryCatch caught(eng.isolate);
    v8::Isolate::DisallowJavascriptExecutionScope quiet(
        eng.isolate, v8::Isolate::DisallowJavascriptExecutionScope::THROW_ON_FAILURE);
    inspector->contextCreated(info);
}

void
inspector_context_destroyed(uint32_t, v8::Local<v8::Context> context)
{
    if (inspector != nullptr)
        inspector->contextDestroyed(context);
}

/* --- exceptions ----------------------------------------------------------------------- */

guest_catch::guest_catch() : v8::TryCatch(eng.isolate)
{
    /* Else V8 takes us for one who expects it, and it is not "uncaught" for a debugger. */
    SetVerbose(inspector_attached());
}

static wide
wide_of(v8::Local<v8::Value> text)
{
    return text->IsString() ? wide_of(eng.isolate, text.As<v8::String>(), EXCEPTION_TEXT_MAX)
                            : wide();
}

unsigned
inspector_exception_thrown(v8::Local<v8::Context> context, const char *text,
    v8::Local<v8::Message> message, v8::Local<v8::Value> exception)
{
    wide description = wide_of(message->Get());
    wide url = wide_of(message->GetScriptOrigin().ResourceName());
    int line = message->GetLineNumber(context).FromMaybe(0);
    int column = message->GetStartColumn(context).FromMaybe(0);

    if (!inspector_attached())
        return 0;
    return inspector->exceptionThrown(context, view_of(span_text(text)), exception,
        view_of(description), view_of(url), static_cast<unsigned>(line),
        static_cast<unsigned>(column + 1),
        inspector->createStackTrace(message->GetStackTrace()),
        message->GetScriptOrigin().ScriptId());
}

void
inspector_exception_revoked(
    v8::Local<v8::Context> context, unsigned exception, const char *text)
{
    if (inspector != nullptr)
        inspector->exceptionRevoked(context, exception, view_of(span_text(text)));
}

/* What a guest_catch has caught. */
static void
on_message(v8::Local<v8::Message> message, v8::Local<v8::Value> exception)
{
    (void)inspector_exception_thrown(
        eng.isolate->GetCurrentContext(), "Uncaught", message, exception);
}

static bool
inspector_start(void)
{
    if (inspector != nullptr)
        return true;
    inspector_create_function *create = inspector_create();
    if (create == nullptr)
        return false;
    inspector_client = new client;
    sessions = new std::list<session>;
    inspector = create(eng.isolate, inspector_client).release();
    eng.isolate->AddMessageListener(on_message);
    rejections_watch();
    context_each([](uint32_t id, v8::Local<v8::Context> context,
                     void *) { inspector_context_created(id, context); },
        nullptr);
    return true;
}

/* --- sessions ------------------------------------------------------------------------- */

static session *
session_find(uint32_t id)
{
    if (sessions != nullptr)
        for (session &s : *sessions)
            if (s.id == id && !s.closed)
                return &s;
    return nullptr;
}

static void
reap(void)
{
    sessions->remove_if(
        [](const session &s) { return s.closed && s.busy == 0 && s.v8.use_count() == 1; });
}

bool
inspector_attached(void)
{
    if (sessions != nullptr)
        for (const session &s : *sessions)
            if (!s.closed)
                return true;
    return false;
}

bool
engine_inspector_open(uint32_t id)
{
    v8::HandleScope handles(eng.isolate);

    if (session_find(id) != nullptr || !inspector_start())
        return false;
    reap();
    session &made = sessions->emplace_back(id);
    made.v8 = inspector->connectShared(CONTEXT_GROUP, &made, StringView(),
        V8Inspector::kFullyTrusted, V8Inspector::kNotWaitingForDebugger);
    return true;
}

/* V8's side of one command. A session that is closed meanwhile stays until it returns. */
static void
command(session *s, struct span json)
{
    s->busy++;
    s->v8->dispatchProtocolMessage(view_of(json));
    s->busy--;
}

/* A command, and what the JavaScript that it ran left to do. */
static void
dispatch(session *s, struct span json)
{
    v8::HandleScope handles(eng.isolate);
    v8::Local<v8::Context> context = inspector_client->ensureDefaultContextInGroup(0);

    if (context.IsEmpty()) {
        command(s, json);
        return;
    }
    guest_entry entry(context);
    command(s, json);
    if (terminating() || !microtasks_run() || !rejections_tell())
        entry_terminated();
}

void
engine_inspector_dispatch(uint32_t id, struct span json)
{
    session *s = session_find(id);

    /* V8 also takes CBOR, which JSON never looks like, and would answer in it ever after. */
    if (s == nullptr || json.len == 0 || json.p[0] == 0xd8)
        return;
    dispatch(s, json);
    reap();
}

void
engine_inspector_close(uint32_t id)
{
    session *s = session_find(id);

    if (s == nullptr)
        return;
    v8::HandleScope handles(eng.isolate);
    s->closed = true;
    /* Ends its part in a pause at once, and with the last part the pause. */
    s->v8->stop();
    reap();
}

void
engine_inspector_break(void)
{
    static const char reason[] = "Break on start";

    if (sessions == nullptr)
        return;
    for (session &s : *sessions)
        if (!s.closed)
            s.v8->schedulePauseOnNextStatement(
                view_of(span_text(reason)), view_of(span_text("{}")));
}

bool
engine_inspector_paused(void)
{
    return inspector_client != nullptr && inspector_client->paused;
}
