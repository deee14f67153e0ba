/* script.cc - scripts that are compiled once and run in any context, and caches of compiled code.
 *
 * Runs in:  cell.
 * Trusts:   the host that a cache is one of ours: V8 runs what is in it without looking.
 * Threads:  the engine's thread only.
 *
 * Compiling runs no code of the script. It happens in context 1, which is always there: only a
 * SyntaxError belongs to it.
 */
#include "engine/priv.h"

#include "base/limits.h"

#include <climits>
#include <unordered_map>

enum {
    OWN_CONTEXT = 1 /* the isolate's own, which is never closed */
};

/* Keyed by the host's numbers. */
static std::unordered_map<uint32_t, v8::Global<v8::UnboundScript>> scripts;

/* Empty: an exception is pending. `taken`: the cache served. */
static v8::MaybeLocal<v8::UnboundScript>
compile(const struct engine_source *source, struct span cache,
    v8::ScriptCompiler::CompileOptions how, bool *taken)
{
    v8::Local<v8::String> text;
    v8::ScriptCompiler::CachedData *data = nullptr;

    if (!source_text(source).ToLocal(&text))
        return v8::MaybeLocal<v8::UnboundScript>();
    if (cache.len > 0 && cache.len <= INT_MAX) {
        data = new v8::ScriptCompiler::CachedData(cache.p, static_cast<int>(cache.len));
        how = v8::ScriptCompiler::kConsumeCodeCache;
    }
    v8::ScriptCompiler::Source in(text, source_origin(source, false), data); /* owns `data` */
    v8::MaybeLocal<v8::UnboundScript> script =
        v8::ScriptCompiler::CompileUnboundScript(eng.isolate, &in, how);
    *taken = data != nullptr && !data->rejected;
    return script;
}

void
engine_script_compile(uint32_t script, const struct engine_source *source, struct span cache,
    struct engine_outcome *out)
{
    v8::HandleScope handles(eng.isolate);
    v8::Local<v8::Context> in = context_find(OWN_CONTEXT);
    struct asked asked = { OWN_CONTEXT, 0, 0 };
    v8::Local<v8::UnboundScript> compiled;
    v8::MaybeLocal<v8::Value> result;
    bool taken = false;

    guest_entry entry(in);
    v8::TryCatch caught(eng.isolate);
    if (compile(source, cache, v8::ScriptCompiler::kNoCompileOptions, &taken)
            .ToLocal(&compiled)) {
        scripts[script].Reset(eng.isolate, compiled);
        result = v8::Boolean::New(eng.isolate, taken);
    }
    conclude(in, &asked, caught, result, out);
    if (out->end != ENGINE_VALUE)
        scripts.erase(script);
}

/* The compiled code of a script as bytes of the guest's. Empty: an exception is pending. */
static v8::MaybeLocal<v8::Value>
cache_make(v8::Local<v8::UnboundScript> script)
{
    std::unique_ptr<v8::ScriptCompiler::CachedData> data(
        v8::ScriptCompiler::CreateCodeCache(script));

    if (data == nullptr) {
        eng.isolate->ThrowException(
            v8::Exception::Error(text_of("this script's code cannot be cached")));
        return v8::MaybeLocal<v8::Value>();
    }
    auto length = static_cast<size_t>(data->length);
    v8::Local<v8::ArrayBuffer> buffer;
    if (!v8::ArrayBuffer::MaybeNew(eng.isolate, length).ToLocal(&buffer)) {
        eng.isolate->ThrowException(
            v8::Exception::RangeError(text_of("no memory for the cache")));
        return v8::MaybeLocal<v8::Value>();
    }
    memcpy(buffer->Data(), data->data, length);
    return buffer;
}

void
engine_script_cache(const struct engine_source *source, struct engine_outcome *out)
{
    v8::HandleScope handles(eng.isolate);
    v8::Local<v8::Context> in = context_find(OWN_CONTEXT);
    struct asked asked = { OWN_CONTEXT, 0, 0 };
    v8::Local<v8::UnboundScript> compiled;
    v8::MaybeLocal<v8::Value> result;
    bool taken = false;

    guest_entry entry(in);
    v8::TryCatch caught(eng.isolate);
    /* Eagerly: nothing will run here that shows which functions are wanted. */
    if (compile(source, span_of(nullptr, 0), v8::ScriptCompiler::kEagerCompile, &taken)
            .ToLocal(&compiled))
        result = cache_make(compiled);
    conclude(in, &asked, caught, result, out);
}

void
engine_script_run(uint32_t context, uint32_t script, uint32_t call, uint32_t flags,
    struct engine_outcome *out)
{
    v8::HandleScope handles(eng.isolate);
    v8::Local<v8::Context> in = context_find(context);
    auto found = scripts.find(script);
    struct asked asked = { context, call, flags };

    if (in.IsEmpty() || found == scripts.end()) {
        outcome_message(
            out, ENGINE_BAD_ID, in.IsEmpty() ? "no such context" : "no such script");
        return;
    }
    guest_entry entry(in);
    guest_catch caught;
    v8::Local<v8::UnboundScript> unbound = found->second.Get(eng.isolate);
    conclude(in, &asked, caught, unbound->BindToCurrentContext()->Run(in), out);
}

void
engine_script_free(uint32_t script)
{
    scripts.erase(script);
}

void
scripts_forget(void)
{
    scripts.clear();
}
