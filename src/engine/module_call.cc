/* module_call.cc - what the host does with modules.
 *
 * Runs in:  cell.
 * Trusts:   no number: it comes over the wire.
 * Threads:  the engine's thread only.
 */
#include "engine/module.h"

#include <vector>

/* --- what a module imports ------------------------------------------------------------ */

/* An ordinary object, without asking what guests have put on Object.prototype. */
static v8::Local<v8::Object>
object_of(v8::Local<v8::Context> context, std::vector<v8::Local<v8::Name>> names,
    std::vector<v8::Local<v8::Value>> values)
{
    v8::Local<v8::Object> object = v8::Object::New(eng.isolate);

    for (size_t i = 0; i < names.size(); i++)
        (void)object->CreateDataProperty(context, names[i], values[i]).FromMaybe(false);
    return object;
}

static v8::Local<v8::Value>
import_described(v8::Local<v8::Context> context, v8::Local<v8::Module> module, bool placed,
    v8::Local<v8::ModuleRequest> import)
{
    v8::Local<v8::FixedArray> list = import->GetImportAttributes();
    std::vector<v8::Local<v8::Name>> keys;
    std::vector<v8::Local<v8::Value>> values;

    for (int i = 0; i < list->Length(); i += 3) {
        keys.push_back(list->Get(i).As<v8::Value>().As<v8::Name>());
        values.push_back(list->Get(i + 1).As<v8::Value>());
    }
    v8::Location at = module->SourceOffsetToLocation(import->GetSourceOffset());
    int line = placed ? at.GetLineNumber() + 1 : 0;
    int column = placed ? at.GetColumnNumber() + 1 : 0;
    return object_of(context,
        { text_of("specifier"), text_of("attributes"), text_of("line"), text_of("column") },
        { import->GetSpecifier(), object_of(context, keys, values),
            v8::Integer::New(eng.isolate, line), v8::Integer::New(eng.isolate, column) });
}

/* WebAssembly's imports have no place in a text of the host's. */
static v8::Local<v8::Value>
imports_described(v8::Local<v8::Context> context, const struct module_entry *entry)
{
    v8::Local<v8::Module> module = entry->module.Get(eng.isolate);
    std::vector<v8::Local<v8::Value>> list;

    if (module->IsSourceTextModule()) {
        v8::Local<v8::FixedArray> imports = module->GetModuleRequests();
        for (int i = 0; i < imports->Length(); i++)
            list.push_back(import_described(context, module,
                entry->kind == ENGINE_MODULE_SOURCE, imports->Get(i).As<v8::ModuleRequest>()));
    }
    return v8::Array::New(eng.isolate, list.data(), list.size());
}

/* --- results -------------------------------------------------------------------------- */

/* The exports that can be had as data: functions are for calling. */
static v8::MaybeLocal<v8::Value>
exports_copied(v8::Local<v8::Context> context, v8::Local<v8::Object> exports)
{
    v8::Local<v8::Array> names;
    v8::Local<v8::Value> name, value;
    v8::Local<v8::Object> copy = v8::Object::New(eng.isolate);

    if (!exports
             ->GetOwnPropertyNames(
                 context, v8::SKIP_SYMBOLS, v8::KeyConversionMode::kConvertToString)
             .ToLocal(&names))
        return v8::MaybeLocal<v8::Value>();
    for (uint32_t i = 0; i < names->Length(); i++)
        if (!names->Get(context, i).ToLocal(&name) ||
            !exports->Get(context, name).ToLocal(&value) ||
            (!value->IsFunction() &&
                copy->CreateDataProperty(context, name.As<v8::Name>(), value).IsNothing()))
            return v8::MaybeLocal<v8::Value>();
    return copy;
}

v8::MaybeLocal<v8::Value>
module_result(v8::Local<v8::Context> context, uint32_t flags, v8::Local<v8::Value> held)
{
    v8::Local<v8::Value> exports;

    if (!held->IsObject())
        return v8::Undefined(eng.isolate);
    if (!held.As<v8::Object>()->Get(context, text_of("exports")).ToLocal(&exports) ||
        (flags & ENGINE_AS_REFERENCE) != 0)
        return exports;
    return exports_copied(context, exports.As<v8::Object>());
}

/* --- the host's calls ----------------------------------------------------------------- */

v8::MaybeLocal<v8::Value>
module_run(v8::Local<v8::Context> context, const struct engine_source *source)
{
    v8::Local<v8::Module> module;
    v8::Local<v8::Promise> promise;

    if (!module_parse(source).ToLocal(&module) ||
        !load_module(context, module, LOAD_RUN).ToLocal(&promise))
        return v8::MaybeLocal<v8::Value>();
    return promise;
}

void
engine_module_compile(uint32_t context, uint32_t call, uint32_t flags,
    const struct engine_module *module, struct engine_outcome *out)
{
    v8::HandleScope handles(eng.isolate);
    v8::Local<v8::Context> in = context_find(context);
    struct asked asked = { context, call, flags & ENGINE_IGNORE_RESULT };

    if (in.IsEmpty() || module->id == 0 || module_find(module->id) != nullptr) {
        outcome_message(
            out, ENGINE_BAD_ID, in.IsEmpty() ? "no such context" : "no such module");
        return;
    }
    guest_entry entry(in);
    v8::TryCatch caught(eng.isolate);
    v8::MaybeLocal<v8::Value> result;
    if (module_compile(in, module->id, module, caught))
        result = imports_described(in, module_find(module->id));
    conclude(in, &asked, caught, result, out);
}

/* The module of a number, and its context; null: the outcome says why. */
static struct module_entry *
module_of(uint32_t number, v8::Local<v8::Context> *in, struct engine_outcome *out)
{
    struct module_entry *entry = module_find(number);

    if (entry == nullptr) {
        outcome_message(out, ENGINE_BAD_ID, "no such module");
        return nullptr;
    }
    *in = context_find(entry->context);
    return entry;
}

void
engine_module_run(
    uint32_t call, uint32_t flags, uint32_t module, bool evaluate, struct engine_outcome *out)
{
    v8::HandleScope handles(eng.isolate);
    v8::Local<v8::Context> in;
    struct module_entry *entry = module_of(module, &in, out);
    v8::Local<v8::Promise> promise;

    if (entry == nullptr)
        return;
    struct asked asked = { entry->context, call, flags | ENGINE_AWAIT | ASKED_EXPORTS };
    guest_entry inside(in);
    v8::TryCatch caught(eng.isolate);
    v8::MaybeLocal<v8::Value> result;
    if (module_compiled(entry) &&
        load_module(in, entry->module.Get(eng.isolate), evaluate ? LOAD_EXPORTS : LOAD_LINK)
            .ToLocal(&promise))
        result = promise;
    conclude(in, &asked, caught, result, out);
}

void
engine_import(uint32_t context, uint32_t call, uint32_t flags, struct span specifier,
    struct engine_outcome *out)
{
    v8::HandleScope handles(eng.isolate);
    v8::Local<v8::Context> in = context_find(context);
    struct asked asked = { context, call, flags | ENGINE_AWAIT | ASKED_EXPORTS };
    v8::Local<v8::Promise> promise;

    if (in.IsEmpty()) {
        outcome_message(out, ENGINE_BAD_ID, "no such context");
        return;
    }
    guest_entry entry(in);
    v8::TryCatch caught(eng.isolate);
    v8::MaybeLocal<v8::Value> result;
    if (load_import(in, specifier, LOAD_EXPORTS).ToLocal(&promise))
        result = promise;
    conclude(in, &asked, caught, result, out);
}

/* What a path begins with. Empty: the outcome says why. */
static v8::Local<v8::Object>
exports_of(uint32_t number, v8::Local<v8::Context> *in, struct engine_outcome *out)
{
    struct module_entry *entry = module_of(number, in, out);

    if (entry == nullptr)
        return v8::Local<v8::Object>();
    v8::Local<v8::Module> module = entry->module.Get(eng.isolate);
    if (module.IsEmpty() || module->GetStatus() < v8::Module::kInstantiated) {
        outcome_message(out, ENGINE_BAD_ID, "the module has not been linked");
        return v8::Local<v8::Object>();
    }
    v8::Context::Scope scope(*in);
    return module->GetModuleNamespace().As<v8::Object>();
}

void
engine_module_get(uint32_t call, uint32_t flags, uint32_t module, struct span path,
    struct engine_outcome *out)
{
    v8::HandleScope handles(eng.isolate);
    v8::Local<v8::Context> in;
    v8::Local<v8::Object> root = exports_of(module, &in, out);

    if (root.IsEmpty())
        return;
    struct asked asked = { context_id(in), call, flags };
    path_get(in, root, &asked, path, out);
}

void
engine_module_call(uint32_t call, uint32_t flags, uint32_t module, struct span path,
    uint32_t count, struct span arguments, struct engine_outcome *out)
{
    v8::HandleScope handles(eng.isolate);
    v8::Local<v8::Context> in;
    v8::Local<v8::Object> root = exports_of(module, &in, out);

    if (root.IsEmpty())
        return;
    struct asked asked = { context_id(in), call, flags };
    path_call(in, root, &asked, path, count, arguments, out);
}
