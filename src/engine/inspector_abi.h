/* inspector_abi.h - the part of V8's inspector interface that we call, and that calls us.
 *
 * The engine's package has no header for it, so this is our own account of the binary
 * interface of V8 14.6: which virtual stands in which slot, and how the few plain structs lie
 * in memory. It was read off the vtables of the binary itself (symbols v8_inspector::*).
 * Slots that we neither call nor answer are numbered placeholders; a number is the slot's
 * index in the vtable, where 0 and 1 are the two destructors.
 *
 * inspector_self_test() (inspector_check.cc) compares this with the running binary.
 *
 * Runs in:  zygote, template, cell.
 * Threads:  the engine's thread only.
 */
#ifndef ENGINE_INSPECTOR_ABI_H
#define ENGINE_INSPECTOR_ABI_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <v8.h>

/* What V8Inspector::create is called in the binary; it is looked up by name, so that an engine
 * without it is told apart instead of failing to load. */
#define INSPECTOR_CREATE \
    "_ZN12v8_inspector11V8Inspector6createEPN2v87IsolateEPNS_17V8InspectorClientE"

namespace v8_inspector
{

/* A borrowed run of Latin-1 or UTF-16 units; by value it travels in memory, like any plain
 * struct of 24 bytes. */
struct StringView {
    bool narrow = true; /* `units` are bytes, else 16-bit */
    size_t length = 0;  /* in units */
    const void *units = nullptr;
};
static_assert(sizeof(StringView) == 24 && offsetof(StringView, units) == 16);

class StringBuffer
{
  public:
    virtual ~StringBuffer() = default;
    virtual StringView string() const = 0;
};

struct V8ContextInfo {
    v8::Local<v8::Context> context;
    int group = 0; /* never 0 when registered */
    StringView name;
    StringView origin;
    StringView aux_data; /* JSON */
    bool memory_on_console = false;
};
static_assert(offsetof(V8ContextInfo, name) == 0x10 && offsetof(V8ContextInfo, origin) == 0x28);
static_assert(offsetof(V8ContextInfo, aux_data) == 0x40 && sizeof(V8ContextInfo) == 0x60);

/* Owned by whom it is handed; else not ours to look at. */
class V8StackTrace
{
  public:
    virtual ~V8StackTrace() = default;
};

class V8InspectorSession
{
  public:
    virtual ~V8InspectorSession() = default;
    virtual void unused_02() = 0; /* addInspectedObject */
    virtual void dispatchProtocolMessage(StringView message) = 0;
    virtual void unused_04() = 0; /* state */
    virtual void unused_05() = 0; /* supportedDomains */
    /* `details`: a JSON object, which Debugger.paused has as its `data` */
    virtual void schedulePauseOnNextStatement(StringView reason, StringView details) = 0;
    virtual void unused_07() = 0; /* cancelPauseOnNextStatement */
    virtual void unused_08() = 0; /* breakProgram */
    virtual void unused_09() = 0; /* setSkipAllPauses */
    virtual void unused_10() = 0; /* resume */
    virtual void unused_11() = 0; /* stepOver */
    virtual void unused_12() = 0; /* searchInTextByLines */
    virtual void unused_13() = 0; /* wrapObject */
    virtual void unused_14() = 0; /* unwrapObject */
    virtual void unused_15() = 0; /* releaseObjectGroup */
    virtual void unused_16() = 0; /* triggerPreciseCoverageDeltaUpdate */
    virtual void unused_17() = 0; /* evaluate */
    virtual void stop() = 0;
};

/* What V8 asks of us. A placeholder's body is the harmless answer; the real name follows. */
class V8InspectorClient
{
  public:
    virtual ~V8InspectorClient() = default;
    virtual void runMessageLoopOnPause(int group) = 0;
    virtual void runMessageLoopOnInstrumentationPause(int group)
    {
        runMessageLoopOnPause(group);
    }
    virtual void quitMessageLoopOnPause() = 0;
    virtual void runIfWaitingForDebugger(int group)
    {
        (void)group;
    }
    virtual void unused_06(int) /* muteMetrics */
    {
    }
    virtual void unused_07(int) /* unmuteMetrics */
    {
    }
    virtual void unused_08() /* beginUserGesture */
    {
    }
    virtual void unused_09() /* endUserGesture */
    {
    }
    /* deepSerialize; answers an owning pointer to a struct that we never make */
    virtual std::unique_ptr<StringBuffer> unused_10(
        v8::Local<v8::Value>, int, v8::Local<v8::Object>)
    {
        return nullptr;
    }
    virtual std::unique_ptr<StringBuffer> unused_11(v8::Local<v8::Value>) /* valueSubtype */
    {
        return nullptr;
    }
    virtual std::unique_ptr<StringBuffer> unused_12(
        v8::Local<v8::Context>, v8::Local<v8::Value>) /* descriptionForValueSubtype */
    {
        return nullptr;
    }
    virtual bool unused_13(v8::Local<v8::Object>) /* isInspectableHeapObject */
    {
        return true;
    }
    virtual v8::Local<v8::Context> ensureDefaultContextInGroup(int group) = 0;
    virtual void unused_15(int) /* beginEnsureAllContextsInGroup */
    {
    }
    virtual void unused_16(int) /* endEnsureAllContextsInGroup */
    {
    }
    virtual void unused_17(v8::Local<v8::Context>, v8::Local<v8::Object>)
    {
        /* installAdditionalCommandLineAPI */
    }
    virtual void unused_18(int, v8::Isolate::MessageErrorLevel, const StringView &,
        const StringView &, unsigned, unsigned, V8StackTrace *) /* consoleAPIMessage */
    {
    }
    virtual void unused_19(int, int, v8::Isolate::MessageErrorLevel, const StringView &,
        const StringView &, unsigned, unsigned, V8StackTrace *) /* consoleAPIMessage */
    {
    }
    virtual v8::MaybeLocal<v8::Value> unused_20(
        v8::Isolate *, v8::Local<v8::Context>) /* memoryInfo */
    {
        return {};
    }
    virtual void unused_21(v8::Isolate *, v8::Local<v8::String>) /* consoleTime */
    {
    }
    virtual void unused_22(v8::Isolate *, v8::Local<v8::String>) /* consoleTimeEnd */
    {
    }
    virtual void unused_23(v8::Isolate *, v8::Local<v8::String>) /* consoleTimeStamp */
    {
    }
    virtual void unused_24(v8::Isolate *, v8::Local<v8::String>,
        const v8::LocalVector<v8::Value> &) /* consoleTimeStampWithArgs */
    {
    }
    virtual void unused_25(int) /* consoleClear */
    {
    }
    virtual double currentTimeMS() = 0;
    /* `data` names it */
    virtual void startRepeatingTimer(double seconds, void (*tick)(void *), void *data)
    {
        (void)seconds, (void)tick, (void)data;
    }
    virtual void cancelTimer(void *data)
    {
        (void)data;
    }
    virtual bool unused_29(int) /* canExecuteScripts */
    {
        return true;
    }
    virtual void unused_30(int) /* maxAsyncCallStackDepthChanged */
    {
    }
    virtual std::unique_ptr<StringBuffer> unused_31(const StringView &) /* resourceNameToUrl */
    {
        return nullptr;
    }
    virtual int64_t generateUniqueId() = 0;
    virtual void unused_33(v8::Local<v8::Context>, v8::Local<v8::Message>, v8::Local<v8::Value>)
    {
        /* dispatchError */
    }
};

class V8Inspector
{
  public:
    enum ClientTrustLevel : unsigned {
        kUntrusted,
        kFullyTrusted
    };
    enum SessionPauseState : unsigned {
        kWaitingForDebugger,
        kNotWaitingForDebugger
    };

    class Channel
    {
      public:
        virtual ~Channel() = default;
        virtual void sendResponse(int call, std::unique_ptr<StringBuffer> message) = 0;
        virtual void sendNotification(std::unique_ptr<StringBuffer> message) = 0;
        virtual void flushProtocolNotifications() = 0;
    };

    virtual ~V8Inspector() = default;
    virtual void contextCreated(const V8ContextInfo &info) = 0;
    virtual void contextDestroyed(v8::Local<v8::Context> context) = 0;
    virtual void unused_04() = 0; /* resetContextGroup */
    virtual void unused_05() = 0; /* contextById */
    virtual void unused_06() = 0; /* uniqueDebuggerId */
    virtual void unused_07() = 0; /* isolateId */
    virtual void unused_08() = 0; /* idleStarted */
    virtual void unused_09() = 0; /* idleFinished */
    virtual void unused_10() = 0; /* asyncTaskScheduled */
    virtual void unused_11() = 0; /* asyncTaskCanceled */
    virtual void unused_12() = 0; /* asyncTaskStarted */
    virtual void unused_13() = 0; /* asyncTaskFinished */
    virtual void unused_14() = 0; /* allAsyncTasksCanceled */
    virtual void unused_15() = 0; /* storeCurrentStackTrace */
    virtual void unused_16() = 0; /* externalAsyncTaskStarted */
    virtual void unused_17() = 0; /* externalAsyncTaskFinished */
    /* Answers the exception's number; 0 while a session mutes them. */
    virtual unsigned exceptionThrown(v8::Local<v8::Context> context, StringView text,
        v8::Local<v8::Value> exception, StringView description, StringView url, unsigned line,
        unsigned column, std::unique_ptr<V8StackTrace> stack, int script) = 0;
    virtual void exceptionRevoked(
        v8::Local<v8::Context> context, unsigned exception, StringView text) = 0;
    virtual void unused_20() = 0; /* associateExceptionData */
    virtual void unused_21() = 0; /* connect: a session that only one owner holds */
    /* V8 holds the session too while it dispatches, so it may be let go at any time. */
    virtual std::shared_ptr<V8InspectorSession> connectShared(int group, Channel *channel,
        StringView state, ClientTrustLevel trust, SessionPauseState pause) = 0;
    virtual void unused_23() = 0; /* connectShared with a channel that V8 owns */
    virtual std::unique_ptr<V8StackTrace> createStackTrace(v8::Local<v8::StackTrace> stack) = 0;
    virtual void unused_25() = 0; /* captureStackTrace */
};

} /* namespace v8_inspector */

#endif
