/* closure.cc - source text as the body of a function, called with values of the host.
 *
 * Runs in:  cell.
 * Threads:  the engine's thread only.
 *
 * V8 compiles a body as such, but not that of an async function. That is wrapped in an expression,
 * whose first line is left out of the positions; and to be sure that the text is the body of a
 * function and does not end it, it must also parse as a method's, which ends in another way.
 */
#include "engine/priv.h"

#include "base/limits.h"

#include <climits>
#include <string>

static const char *const wrapper_of_function[] = { "(async function (", "\n})" };
static const char *const wrapper_of_method[] = { "({ async closure(", "\n}})" };

/* "$0", "$1", ... */
static std::string
parameter(uint32_t index)
{
    return "$" + std::to_string(index);
}

/* The body in a wrapper, placed so that the body's positions are those that `source` says. The
 * first column of a later line cannot be told to V8: then all is on one. */
static v8::MaybeLocal<v8::UnboundScript>
wrapped_compile(const char *const wrapper[2], const struct engine_source *source,
    v8::Local<v8::String> body, uint32_t count)
{
    std::string head = wrapper[0];

    static_assert(SOURCE_BYTES_MAX + ARGUMENTS_MAX * 8 + 64 < v8::String::kMaxLength);
    for (uint32_t i = 0; i < count; i++)
        head += (i == 0 ? "" : ", ") + parameter(i);
    head += source->column == 0 ? ") {\n" : ") {";
    v8::Local<v8::String> text = v8::String::Concat(eng.isolate,
        v8::String::Concat(eng.isolate, text_of(head.c_str()), body), text_of(wrapper[1]));
    v8::ScriptOrigin from = source_origin(source, false);
    int line = from.LineOffset(), column = from.ColumnOffset();
    if (column == 0)
        line--;
    else
        column -= static_cast<int>(head.length());
    v8::ScriptCompiler::Source in(
        text, v8::ScriptOrigin(from.ResourceName(), line, column, true));
    return v8::ScriptCompiler::CompileUnboundScript(eng.isolate, &in);
}

static v8::MaybeLocal<v8::Value>
async_compile(v8::Local<v8::Context> context, const struct engine_source *source,
    v8::Local<v8::String> body, uint32_t count)
{
    v8::Local<v8::UnboundScript> script;

    if (!wrapped_compile(wrapper_of_function, source, body, count).ToLocal(&script) ||
        wrapped_compile(wrapper_of_method, source, body, count).IsEmpty())
        return v8::MaybeLocal<v8::Value>();
    return script->BindToCurrentContext()->Run(context);
}

static v8::MaybeLocal<v8::Value>
plain_compile(v8::Local<v8::Context> context, const struct engine_source *source,
    v8::Local<v8::String> body, uint32_t count)
{
    v8::LocalVector<v8::String> names(eng.isolate);
    v8::Local<v8::Function> function;

    for (uint32_t i = 0; i < count; i++)
        names.push_back(text_of(parameter(i).c_str()));
    v8::ScriptCompiler::Source in(body, source_origin(source, false));
    if (!v8::ScriptCompiler::CompileFunction(context, &in, count, names.data())
             .ToLocal(&function))
        return v8::MaybeLocal<v8::Value>();
    return function;
}

void
engine_closure(uint32_t context, uint32_t call, uint32_t flags,
    const struct engine_source *source, uint32_t count, struct span arguments,
    struct engine_outcome *out)
{
    v8::HandleScope handles(eng.isolate);
    v8::Local<v8::Context> in = context_find(context);
    struct asked asked = { context, call, flags };
    v8::Local<v8::String> body;
    v8::Local<v8::Value> function;
    v8::MaybeLocal<v8::Value> result;

    if (in.IsEmpty() || count > ARGUMENTS_MAX) {
        outcome_message(
            out, ENGINE_BAD_ID, in.IsEmpty() ? "no such context" : "too many arguments");
        return;
    }
    guest_entry entry(in);
    guest_catch caught;
    v8::LocalVector<v8::Value> values(eng.isolate, count);
    if (!arguments_read(in, count, arguments, values.data())) {
        arguments_refuse(in, caught, out);
        return;
    }
    bool async = (flags & ENGINE_AWAIT) != 0;
    if (source_text(source).ToLocal(&body) &&
        (async ? async_compile : plain_compile)(in, source, body, count).ToLocal(&function))
        result = function.As<v8::Function>()->Call(eng.isolate, in, v8::Undefined(eng.isolate),
            static_cast<int>(count), values.data());
    conclude(in, &asked, caught, result, out);
}
