/* module.cc - source text into running code: classic scripts, and ES modules without imports.
 *
 * Runs in:  cell, template.
 * Threads:  the engine's thread only.
 */
#include "engine/priv.h"

#include <climits>

v8::MaybeLocal<v8::String>
source_text(const struct engine_source *source)
{
    v8::Local<v8::String> text;

    if (text_new(source->text).ToLocal(&text))
        return text;
    if (!eng.isolate->IsExecutionTerminating())
        eng.isolate->ThrowException(
            v8::Exception::RangeError(text_of("the source is longer than a string can be")));
    return v8::MaybeLocal<v8::String>();
}

static int
offset_of(uint32_t offset)
{
    return offset > INT_MAX ? INT_MAX : static_cast<int>(offset);
}

v8::ScriptOrigin
source_origin(const struct engine_source *source, bool module)
{
    v8::Local<v8::String> name;

    if (source->file.len == 0 || !text_new(source->file).ToLocal(&name))
        name = text_of("<eval>");
    return v8::ScriptOrigin(name, offset_of(source->line), offset_of(source->column), false, -1,
        v8::Local<v8::Value>(), false, false, module);
}

v8::MaybeLocal<v8::Value>
script_run(v8::Local<v8::Context> context, const struct engine_source *source)
{
    v8::Local<v8::String> text;
    v8::Local<v8::Script> script;
    v8::ScriptOrigin origin = source_origin(source, false);

    if (!source_text(source).ToLocal(&text) ||
        !v8::Script::Compile(context, text, &origin).ToLocal(&script))
        return v8::MaybeLocal<v8::Value>();
    return script->Run(context);
}

static v8::Local<v8::Value>
import_error(v8::Local<v8::String> specifier)
{
    v8::Local<v8::String> text = v8::String::Concat(
        eng.isolate, text_of("imports are not supported here: cannot import '"), specifier);

    return v8::Exception::Error(v8::String::Concat(eng.isolate, text, text_of("'")));
}

static v8::MaybeLocal<v8::Module>
refuse_import(v8::Local<v8::Context>, v8::Local<v8::String> specifier,
    v8::Local<v8::FixedArray>, v8::Local<v8::Module>)
{
    eng.isolate->ThrowException(import_error(specifier));
    return v8::MaybeLocal<v8::Module>();
}

static v8::MaybeLocal<v8::Object>
refuse_source(v8::Local<v8::Context>, v8::Local<v8::String> specifier,
    v8::Local<v8::FixedArray>, v8::Local<v8::Module>)
{
    eng.isolate->ThrowException(import_error(specifier));
    return v8::MaybeLocal<v8::Object>();
}

v8::MaybeLocal<v8::Value>
module_run(v8::Local<v8::Context> context, const struct engine_source *source)
{
    v8::Local<v8::String> text;
    v8::Local<v8::Module> module;
    bool linked;

    if (!source_text(source).ToLocal(&text))
        return v8::MaybeLocal<v8::Value>();
    v8::ScriptCompiler::Source compiled(text, source_origin(source, true));
    if (!v8::ScriptCompiler::CompileModule(eng.isolate, &compiled).ToLocal(&module) ||
        !module->InstantiateModule(context, refuse_import, refuse_source).To(&linked))
        return v8::MaybeLocal<v8::Value>();
    return module->Evaluate(context);
}

static v8::MaybeLocal<v8::Promise>
refuse_dynamic(v8::Local<v8::Context> context, v8::Local<v8::Data>, v8::Local<v8::Value>,
    v8::Local<v8::String> specifier, v8::Local<v8::FixedArray>)
{
    v8::Local<v8::Promise::Resolver> resolver;

    if (!v8::Promise::Resolver::New(context).ToLocal(&resolver) ||
        resolver->Reject(context, import_error(specifier)).IsNothing())
        return v8::MaybeLocal<v8::Promise>();
    return resolver->GetPromise();
}

static v8::MaybeLocal<v8::Promise>
refuse_phase(v8::Local<v8::Context> context, v8::Local<v8::Data> options,
    v8::Local<v8::Value> resource, v8::Local<v8::String> specifier, v8::ModuleImportPhase,
    v8::Local<v8::FixedArray> attributes)
{
    return refuse_dynamic(context, options, resource, specifier, attributes);
}

void
module_install(v8::Isolate *isolate)
{
    isolate->SetHostImportModuleDynamicallyCallback(refuse_dynamic);
    isolate->SetHostImportModuleWithPhaseDynamicallyCallback(refuse_phase);
}
