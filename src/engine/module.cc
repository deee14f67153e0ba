/* module.cc - source text into running code.
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
    /* Of all origins: V8's inspector keeps what a page's script threw from other pages, and here
     * that would be everything. */
    return v8::ScriptOrigin(name, offset_of(source->line), offset_of(source->column), true, -1,
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
