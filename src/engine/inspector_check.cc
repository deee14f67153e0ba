/* inspector_check.cc - does the running binary's inspector fit inspector_abi.h?
 *
 * Runs in:  zygote, once, before there is any guest code.
 * Trusts:   the engine's files, which are as installed; this finds a wrong engine, no enemy.
 * Threads:  the engine's thread only.
 *
 * From the harmless to the dangerous: the names must be there, the binary's own client must
 * have V8's defaults in the slots where we have our placeholders, a context must get its id,
 * and only then a session is opened and asked what six times seven is.
 */
#include "engine/inspector.h"
#include "engine/priv.h"

#include <cstring>
#include <dlfcn.h>

using v8_inspector::StringBuffer;
using v8_inspector::StringView;
using v8_inspector::V8ContextInfo;
using v8_inspector::V8Inspector;
using v8_inspector::V8InspectorClient;

#define CLIENT "_ZN12v8_inspector17V8InspectorClient"

/* The slot of a virtual in our declaration: what a pointer to it holds, by the C++ ABI of
 * x86-64 and of aarch64. */
template <typename function>
static size_t
slot_of(function member)
{
    uintptr_t word;

    static_assert(sizeof member >= sizeof word);
    memcpy(&word, &member, sizeof word);
    return (word & ~static_cast<uintptr_t>(1)) / sizeof(void *);
}

/* V8's default answers, which the binary exports, and the slots where we declare them. */
static const struct {
    const char *name;
    size_t slot;
} defaults[] = {
    { CLIENT "36runMessageLoopOnInstrumentationPauseEi",
        slot_of(&V8InspectorClient::runMessageLoopOnInstrumentationPause) },
    { CLIENT "11muteMetricsEi", slot_of(&V8InspectorClient::unused_06) },
    { CLIENT "13unmuteMetricsEi", slot_of(&V8InspectorClient::unused_07) },
    { CLIENT "16beginUserGestureEv", slot_of(&V8InspectorClient::unused_08) },
    { CLIENT "14endUserGestureEv", slot_of(&V8InspectorClient::unused_09) },
    { CLIENT "29beginEnsureAllContextsInGroupEi", slot_of(&V8InspectorClient::unused_15) },
    { CLIENT "27endEnsureAllContextsInGroupEi", slot_of(&V8InspectorClient::unused_16) },
    { CLIENT "12consoleClearEi", slot_of(&V8InspectorClient::unused_25) },
    { CLIENT "17canExecuteScriptsEi", slot_of(&V8InspectorClient::unused_29) },
    { CLIENT "16generateUniqueIdEv", slot_of(&V8InspectorClient::generateUniqueId) },
};

inspector_create_function *
inspector_create(void)
{
    return reinterpret_cast<inspector_create_function *>(dlsym(RTLD_DEFAULT,
        "_ZN12v8_inspector11V8Inspector6createEPN2v87IsolateEPNS_17V8InspectorClientE"));
}

/* A vtable starts with the offset to the top and the type's description. */
static const char *
client_mismatch(void)
{
    auto table = static_cast<void *const *>(
        dlsym(RTLD_DEFAULT, "_ZTVN4node9inspector19NodeInspectorClientE"));

    for (const auto &each : defaults) {
        void *function = dlsym(RTLD_DEFAULT, each.name);
        if (function == nullptr)
            return each.name;
        if (table != nullptr && table[2 + each.slot] != function)
            return each.name;
    }
    return nullptr;
}

namespace
{

class probe final : public V8InspectorClient, public V8Inspector::Channel
{
  public:
    v8::Local<v8::Context> context;
    uint32_t asked_context = 0, asked_id = 0, answers = 0;
    bool right = false;

    void runMessageLoopOnPause(int) override
    {
    }
    void quitMessageLoopOnPause() override
    {
    }
    v8::Local<v8::Context> ensureDefaultContextInGroup(int group) override
    {
        asked_context += group == 1;
        return context;
    }
    double currentTimeMS() override
    {
        return 1;
    }
    int64_t generateUniqueId() override
    {
        return ++asked_id;
    }
    void sendResponse(int call, std::unique_ptr<StringBuffer> message) override
    {
        char text[256] = "";
        StringView view = message->string();

        answers++;
        if (view.length >= sizeof text)
            return;
        for (size_t i = 0; i < view.length; i++)
            text[i] =
                static_cast<char>(view.narrow ? static_cast<const uint8_t *>(view.units)[i]
                                              : static_cast<const uint16_t *>(view.units)[i]);
        right = call == 7 && strstr(text, "\"id\":7") != nullptr &&
                strstr(text, "\"type\":\"number\"") != nullptr &&
                strstr(text, "\"value\":42") != nullptr;
    }
    void sendNotification(std::unique_ptr<StringBuffer>) override
    {
    }
    void flushProtocolNotifications() override
    {
    }
};

} /* namespace */

static const char *
round_trip(V8Inspector *inspector, probe *p)
{
    static const char command[] = "{\"id\":7,\"method\":\"Runtime.evaluate\",\"params\":"
                                  "{\"expression\":\"6*7\"}}";
    auto session = inspector->connectShared(
        1, p, StringView(), V8Inspector::kFullyTrusted, V8Inspector::kNotWaitingForDebugger);

    if (session == nullptr)
        return "the engine's inspector opens no session";
    session->dispatchProtocolMessage({ true, sizeof command - 1, command });
    session->stop();
    if (p->answers != 1 || !p->right)
        return "the engine's inspector doesn't answer Runtime.evaluate as V8 14.6 does";
    if (p->asked_context == 0 || p->asked_id == 0)
        return "the engine's inspector doesn't call its client as V8 14.6 does";
    return nullptr;
}

const char *
inspector_self_test(v8::Isolate *isolate)
{
    typedef int context_id_function(v8::Local<v8::Context> context);
    auto create = inspector_create();
    auto id_of = reinterpret_cast<context_id_function *>(dlsym(RTLD_DEFAULT,
        "_ZN12v8_inspector13V8ContextInfo18executionContextIdEN2v85LocalINS1_7ContextEEE"));

    if (create == nullptr || id_of == nullptr || client_mismatch() != nullptr)
        return "the engine's inspector has another interface than that of V8 14.6";

    v8::HandleScope handles(isolate);
    probe p;
    p.context = v8::Context::New(isolate);
    v8::Context::Scope scope(p.context);
    auto inspector = create(isolate, &p);
    V8ContextInfo info;
    info.context = p.context;
    info.group = 1;
    inspector->contextCreated(info);
    if (id_of(p.context) < 1)
        return "the engine's inspector doesn't register a context as V8 14.6 does";
    const char *problem = round_trip(inspector.get(), &p);
    inspector->contextDestroyed(p.context);
    return problem;
}
