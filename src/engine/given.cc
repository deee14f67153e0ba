/* given.cc - host functions that stood in values, until V8 has collected them.
 *
 * Runs in:  cell.
 * Trusts:   the host for the numbers: each is a function's of its own.
 * Threads:  the engine's thread only.
 */
#include "engine/priv.h"

#include <unordered_set>
#include <vector>

struct given {
    uint32_t id;
    v8::Global<v8::Function> function; /* weak */
};

static std::unordered_set<uint32_t> unread; /* in messages that may still be read */
static std::vector<uint32_t> released;      /* the host is to be told of them */

/* Inside of a collection: nothing of V8 but the handle may be touched. */
static void
on_collected(const v8::WeakCallbackInfo<struct given> &info)
{
    struct given *given = info.GetParameter();

    given->function.Reset();
    released.push_back(given->id);
    delete given;
}

v8::MaybeLocal<v8::Function>
given_function(v8::Local<v8::Context> context, uint32_t id, uint32_t flags, struct span name)
{
    v8::Local<v8::Function> function;
    v8::Local<v8::String> text;

    if (!text_new(name).ToLocal(&text) || !host_function(context, id, flags).ToLocal(&function))
        return v8::MaybeLocal<v8::Function>();
    function->SetName(text);
    auto *made = new given;
    made->id = id;
    made->function.Reset(eng.isolate, function);
    made->function.SetWeak(made, on_collected, v8::WeakCallbackType::kParameter);
    unread.erase(id);
    return function;
}

void
engine_functions_given(struct span ids)
{
    uint32_t id;

    for (; ids.len >= sizeof id; ids = span_of(ids.p + sizeof id, ids.len - sizeof id)) {
        memcpy(&id, ids.p, sizeof id);
        unread.insert(id);
    }
}

void
engine_functions_unread(void)
{
    released.insert(released.end(), unread.begin(), unread.end());
    unread.clear();
}

size_t
engine_functions_released(uint32_t *ids, size_t max)
{
    size_t count = 0;

    while (count < max && !released.empty()) {
        ids[count++] = released.back();
        released.pop_back();
    }
    return count;
}
