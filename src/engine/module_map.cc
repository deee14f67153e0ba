/* module_map.cc - modules by the host's numbers: compiled from text, JSON, WebAssembly or a value.
 *
 * Runs in:  cell.
 * Trusts:   no number: it comes over the wire.
 * Threads:  the engine's thread only.
 *
 * WebAssembly becomes a small JavaScript module around it, so that V8 links, orders and runs it as
 * any other: what it imports are imports, what it exports are exports.
 */
#include "engine/module.h"

#include <unordered_map>
#include <v8-wasm.h>
#include <vector>

static std::unordered_map<uint32_t, struct module_entry *> numbered;
/* By V8's hash of the module: all that compiled. */
static std::unordered_multimap<int, struct module_entry *> hashed;

/* --- entries -------------------------------------------------------------------------- */

struct module_entry *
module_find(uint32_t id)
{
    auto found = numbered.find(id);

    return found == numbered.end() ? nullptr : found->second;
}

static struct module_entry *
entry_of(v8::Local<v8::Module> module)
{
    auto range = hashed.equal_range(module->GetIdentityHash());

    for (auto it = range.first; it != range.second; ++it)
        if (it->second->module == module)
            return it->second;
    return nullptr;
}

bool
module_compiled(const struct module_entry *entry)
{
    if (!entry->module.IsEmpty())
        return true;
    eng.isolate->ThrowException(entry->contents.Get(eng.isolate));
    return false;
}

/* V8 has dropped the module of a number that the host has let go. */
static void
collected(const v8::WeakCallbackInfo<struct module_entry> &info)
{
    struct module_entry *entry = info.GetParameter();
    auto range = hashed.equal_range(entry->hash);
    auto it = range.first;

    while (it->second != entry)
        ++it;
    hashed.erase(it);
    entry->module.Reset();
    /* Its other handles can't be given back during a collection. */
    info.SetSecondPassCallback([](const v8::WeakCallbackInfo<struct module_entry> &second) {
        delete second.GetParameter();
    });
}

void
engine_module_free(uint32_t module)
{
    struct module_entry *entry = module_find(module);

    if (entry == nullptr)
        return;
    numbered.erase(module);
    if (entry->module.IsEmpty())
        delete entry;
    else
        entry->module.SetWeak(entry, collected, v8::WeakCallbackType::kParameter);
}

void
modules_forget_context(uint32_t id)
{
    loads_forget_context(id);
    for (auto it = numbered.begin(); it != numbered.end();) {
        struct module_entry *entry = it->second;
        bool gone = entry->context == id;
        it = gone ? numbered.erase(it) : std::next(it);
        if (gone && entry->module.IsEmpty())
            delete entry;
    }
    for (auto it = hashed.begin(); it != hashed.end();) {
        struct module_entry *entry = it->second;
        bool gone = entry->context == id;
        it = gone ? hashed.erase(it) : std::next(it);
        if (gone)
            delete entry;
    }
}

/* --- compiling ------------------------------------------------------------------------ */

v8::MaybeLocal<v8::Module>
module_parse(const struct engine_source *source)
{
    v8::Local<v8::String> text;

    if (!source_text(source).ToLocal(&text))
        return v8::MaybeLocal<v8::Module>();
    v8::ScriptCompiler::Source compiled(text, source_origin(source, true));
    return v8::ScriptCompiler::CompileModule(eng.isolate, &compiled);
}

/* The names that an object's values are exported by. */
static v8::MaybeLocal<v8::Array>
export_names(v8::Local<v8::Context> context, v8::Local<v8::Object> object)
{
    return object->GetOwnPropertyNames(context,
        static_cast<v8::PropertyFilter>(v8::ONLY_ENUMERABLE | v8::SKIP_SYMBOLS),
        v8::KeyConversionMode::kConvertToString);
}

/* Gives a synthetic module what it exports. */
static v8::MaybeLocal<v8::Value>
evaluate_synthetic(v8::Local<v8::Context> context, v8::Local<v8::Module> module)
{
    struct module_entry *entry = entry_of(module);
    v8::Local<v8::Promise::Resolver> done;
    v8::Local<v8::Array> names;
    v8::Local<v8::Value> name, value;

    if (!v8::Promise::Resolver::New(context).ToLocal(&done) ||
        !done->Resolve(context, v8::Undefined(eng.isolate)).FromMaybe(false))
        return v8::MaybeLocal<v8::Value>();
    if (entry == nullptr) /* its context goes */
        return done->GetPromise();
    v8::Local<v8::Value> contents = entry->contents.Get(eng.isolate);
    if (entry->kind == ENGINE_MODULE_JSON) {
        if (!module->SetSyntheticModuleExport(eng.isolate, text_of("default"), contents)
                 .FromMaybe(false))
            return v8::MaybeLocal<v8::Value>();
        return done->GetPromise();
    }
    v8::Local<v8::Object> object = contents.As<v8::Object>();
    if (!export_names(context, object).ToLocal(&names))
        return v8::MaybeLocal<v8::Value>();
    for (uint32_t i = 0; i < names->Length(); i++)
        if (!names->Get(context, i).ToLocal(&name) ||
            !object->Get(context, name).ToLocal(&value) ||
            !module->SetSyntheticModuleExport(eng.isolate, name.As<v8::String>(), value)
                 .FromMaybe(false))
            return v8::MaybeLocal<v8::Value>();
    return done->GetPromise();
}

static v8::MaybeLocal<v8::Module>
synthetic(const struct engine_module *source, const std::vector<v8::Local<v8::String>> &names)
{
    v8::Local<v8::String> name;

    if (!text_new(source->source.file).ToLocal(&name))
        name = v8::String::Empty(eng.isolate);
    return v8::Module::CreateSyntheticModule(eng.isolate, name,
        v8::MemorySpan<const v8::Local<v8::String>>(names.data(), names.size()),
        evaluate_synthetic);
}

/* V8's message, which names no file, with the file's name before it. */
static void
throw_json_error(v8::Local<v8::Context> context, v8::TryCatch &caught, struct span file)
{
    v8::Local<v8::Value> error = caught.Exception(), message;
    v8::Local<v8::String> name;

    if (error->IsNativeError() && text_new(file).ToLocal(&name) &&
        error.As<v8::Object>()->Get(context, text_of("message")).ToLocal(&message) &&
        message->IsString()) {
        name = v8::String::Concat(eng.isolate, name, text_of(": "));
        error = v8::Exception::SyntaxError(
            v8::String::Concat(eng.isolate, name, message.As<v8::String>()));
        caught.Reset();
        eng.isolate->ThrowException(error);
    }
    caught.ReThrow();
}

static v8::MaybeLocal<v8::Module>
compile_json(v8::Local<v8::Context> context, const struct engine_module *source,
    struct module_entry *entry)
{
    v8::TryCatch caught(eng.isolate);
    v8::Local<v8::String> text;
    v8::Local<v8::Value> value;

    if (!source_text(&source->source).ToLocal(&text)) {
        caught.ReThrow();
        return v8::MaybeLocal<v8::Module>();
    }
    if (!v8::JSON::Parse(context, text).ToLocal(&value)) {
        throw_json_error(context, caught, source->source.file);
        return v8::MaybeLocal<v8::Module>();
    }
    entry->contents.Reset(eng.isolate, value);
    return synthetic(source, { text_of("default") });
}

static v8::MaybeLocal<v8::Module>
compile_value(v8::Local<v8::Context> context, const struct engine_module *source,
    struct module_entry *entry)
{
    v8::Local<v8::Value> value, name;
    v8::Local<v8::Array> names;
    std::vector<v8::Local<v8::String>> exported;

    if (!clone_read(context, source->source.text).ToLocal(&value))
        return v8::MaybeLocal<v8::Module>();
    if (!export_names(context, value.As<v8::Object>()).ToLocal(&names))
        return v8::MaybeLocal<v8::Module>();
    for (uint32_t i = 0; i < names->Length(); i++) {
        if (!names->Get(context, i).ToLocal(&name))
            return v8::MaybeLocal<v8::Module>();
        exported.push_back(name.As<v8::String>());
    }
    entry->contents.Reset(eng.isolate, value);
    return synthetic(source, exported);
}

/* What a guest has made of the global WebAssembly is its own affair: these run under its call's
 * limits as all its code does. */
static const char wasm_wrapper[] =
    "(function (module) {"
    "  const { Module, Instance } = WebAssembly, q = JSON.stringify;"
    "  const names = [...new Set(Module.imports(module).map((i) => i.module))];"
    "  const given = names.map((name, i) => `[${q(name)}]: m${i}`);"
    "  return [Instance,"
    "    names.map((name, i) => `import * as m${i} from ${q(name)};`).join('') +"
    "    'const { module, Instance } = import.meta;' +"
    "    `const e = new Instance(module, { __proto__: null, ${given} }).exports;` +"
    "    Module.exports(module).map(({ name }, i) =>"
    "      `const e${i} = e[${q(name)}]; export { e${i} as ${q(name)} };`).join('')];"
    "})";

static v8::MaybeLocal<v8::Module>
compile_wasm(v8::Local<v8::Context> context, const struct engine_module *source,
    struct module_entry *entry)
{
    const struct engine_source *bytes = &source->source;
    v8::Local<v8::WasmModuleObject> module;
    v8::Local<v8::Script> script;
    v8::Local<v8::Value> make, made, instance, text;

    if (!v8::WasmModuleObject::Compile(
            eng.isolate, v8::MemorySpan<const uint8_t>(bytes->text.p, bytes->text.len))
             .ToLocal(&module) ||
        !v8::Script::Compile(context, text_of(wasm_wrapper)).ToLocal(&script) ||
        !script->Run(context).ToLocal(&make))
        return v8::MaybeLocal<v8::Module>();
    v8::Local<v8::Value> argument = module;
    if (!make.As<v8::Function>()
             ->Call(context, v8::Undefined(eng.isolate), 1, &argument)
             .ToLocal(&made) ||
        !made.As<v8::Array>()->Get(context, 0).ToLocal(&instance) ||
        !made.As<v8::Array>()->Get(context, 1).ToLocal(&text))
        return v8::MaybeLocal<v8::Module>();
    v8::Local<v8::Value> both[] = { module, instance };
    entry->contents.Reset(eng.isolate, v8::Array::New(eng.isolate, both, 2));
    struct engine_source named = { span_of(nullptr, 0), bytes->file, 0, 0 };
    v8::ScriptCompiler::Source compiled(text.As<v8::String>(), source_origin(&named, true));
    return v8::ScriptCompiler::CompileModule(eng.isolate, &compiled);
}

static v8::MaybeLocal<v8::Module>
compile(v8::Local<v8::Context> context, const struct engine_module *source,
    struct module_entry *entry)
{
    v8::Local<v8::Value> meta;

    if (source->meta.len > 0) {
        if (!clone_read(context, source->meta).ToLocal(&meta))
            return v8::MaybeLocal<v8::Module>();
        entry->meta.Reset(eng.isolate, meta);
    }
    switch (source->kind) {
    case ENGINE_MODULE_SOURCE:
        return module_parse(&source->source);
    case ENGINE_MODULE_JSON:
        return compile_json(context, source, entry);
    case ENGINE_MODULE_WASM:
        return compile_wasm(context, source, entry);
    case ENGINE_MODULE_VALUE:
        return compile_value(context, source, entry);
    }
    return v8::MaybeLocal<v8::Module>();
}

bool
module_compile(v8::Local<v8::Context> context, uint32_t id, const struct engine_module *source,
    v8::TryCatch &caught)
{
    auto *entry = new module_entry{};
    v8::Local<v8::Module> module;

    entry->context = context_id(context);
    entry->kind = source->kind;
    if (compile(context, source, entry).ToLocal(&module)) {
        entry->module.Reset(eng.isolate, module);
        entry->hash = module->GetIdentityHash();
        hashed.emplace(entry->hash, entry);
    } else if (caught.HasTerminated() || !caught.HasCaught()) {
        delete entry;
        return false;
    } else {
        entry->contents.Reset(eng.isolate, caught.Exception());
    }
    numbered[id] = entry;
    return !module.IsEmpty();
}

/* --- import.meta ---------------------------------------------------------------------- */

static void
meta_copy(v8::Local<v8::Context> context, v8::Local<v8::Object> from, v8::Local<v8::Object> to)
{
    v8::Local<v8::Array> names;
    v8::Local<v8::Value> name, value;

    if (!export_names(context, from).ToLocal(&names))
        return;
    for (uint32_t i = 0; i < names->Length(); i++)
        if (!names->Get(context, i).ToLocal(&name) ||
            !from->Get(context, name).ToLocal(&value) ||
            to->CreateDataProperty(context, name.As<v8::Name>(), value).IsNothing())
            return;
}

/* Of WebAssembly, only our own wrapper sees it. */
void
module_meta(
    v8::Local<v8::Context> context, v8::Local<v8::Module> module, v8::Local<v8::Object> meta)
{
    static const char *const names[] = { "module", "Instance" };
    struct module_entry *entry = entry_of(module);
    v8::Local<v8::Value> value;

    if (entry == nullptr) /* a source without a number */
        return;
    if (entry->kind == ENGINE_MODULE_WASM) {
        v8::Local<v8::Array> both = entry->contents.Get(eng.isolate).As<v8::Array>();
        for (uint32_t i = 0; i < 2; i++)
            if (both->Get(context, i).ToLocal(&value))
                (void)meta->CreateDataProperty(context, text_of(names[i]), value)
                    .FromMaybe(false);
    } else if (!entry->meta.IsEmpty()) {
        meta_copy(context, entry->meta.Get(eng.isolate).As<v8::Object>(), meta);
    } else {
        (void)meta->CreateDataProperty(context, text_of("url"), module->GetResourceName())
            .FromMaybe(false);
    }
}
