/* exception.cc - a guest's exception as texts and numbers.
 *
 * Runs in:  cell, template.
 * Trusts:   nothing about the exception: it is what a guest threw.
 * Threads:  the engine's thread only.
 *
 * Guest code runs here in one place, inside the call whose deadline is armed: an error's `stack`
 * is made by Error.prepareStackTrace, if there is one. All else reads data properties and what V8
 * noted when the exception was made.
 */
#include "engine/priv.h"
#include "engine/render.h"

#include "base/check.h"
#include "base/limits.h"

#include <algorithm>

enum {
    PROTOTYPES_MAX = 16 /* levels of error classes that are searched for a name */
};

void
engine_outcome_init(struct engine_outcome *out, uint64_t value_bytes_max)
{
    memset(out, 0, sizeof *out);
    out->value.max = value_bytes_max;
    out->exception.name.max = EXCEPTION_NAME_MAX;
    out->exception.message.max = EXCEPTION_TEXT_MAX;
    out->exception.stack.max = EXCEPTION_TEXT_MAX;
    out->exception.file.max = EXCEPTION_NAME_MAX;
    out->exception.source_line.max = EXCEPTION_NAME_MAX;
}

void
engine_outcome_done(struct engine_outcome *out)
{
    buf_done(&out->value);
    buf_done(&out->exception.name);
    buf_done(&out->exception.message);
    buf_done(&out->exception.stack);
    buf_done(&out->exception.file);
    buf_done(&out->exception.source_line);
}

void
outcome_message(struct engine_outcome *out, enum engine_end end, const char *message)
{
    out->end = end;
    buf_clear(&out->value);
    out->exception.message.len = 0;
    buf_text(&out->exception.message, message);
}

/* Marks the errors that failed host functions made. Guests can't see or set a private. */
static v8::Local<v8::Private>
host_mark(void)
{
    return v8::Private::ForApi(eng.isolate, text_of("glovebox:from-host"));
}

bool
data_text(v8::Local<v8::Context> context, v8::Local<v8::Value> object, const char *key,
    struct buf *out)
{
    v8::Local<v8::String> name = text_of(key), value_key = text_of("value");

    for (int level = 0; level < PROTOTYPES_MAX; level++) {
        v8::Local<v8::Value> descriptor, value;
        if (!object->IsObject() || object->IsProxy() ||
            !object.As<v8::Object>()
                 ->GetOwnPropertyDescriptor(context, name)
                 .ToLocal(&descriptor))
            return false;
        if (!descriptor->IsObject()) {
            object = object.As<v8::Object>()->GetPrototypeV2();
            continue;
        }
        v8::Local<v8::Object> fields = descriptor.As<v8::Object>();
        if (!fields->HasOwnProperty(context, value_key).FromMaybe(false) ||
            !fields->Get(context, value_key).ToLocal(&value) || !value->IsString())
            return false;
        text_append(out, value.As<v8::String>(), out->max);
        return true;
    }
    return false;
}

static void
position_fill(v8::Local<v8::Context> context, v8::Local<v8::Message> message,
    struct engine_exception *out)
{
    v8::Local<v8::Value> file = message->GetScriptResourceName();
    v8::Local<v8::String> line;

    out->line =
        static_cast<uint32_t>(std::max(message->GetLineNumber(context).FromMaybe(0), 0));
    if (out->line == 0)
        return;
    out->column =
        static_cast<uint32_t>(std::max(message->GetStartColumn(context).FromMaybe(-1) + 1, 0));
    if (file->IsString())
        text_append(&out->file, file.As<v8::String>(), out->file.max);
    if (message->GetSourceLine(context).ToLocal(&line))
        text_append(&out->source_line, line, out->source_line.max);
}

/* What V8 says of a value that is no error, without running code of its: "Uncaught 42". */
static void
plain_fill(v8::Local<v8::Message> message, struct engine_exception *out)
{
    if (!message.IsEmpty())
        text_append(&out->message, message->Get(), out->message.max);
}

/* Name and message of an error, or of an object of whatever other class a guest throws. */
static void
names_fill(v8::Local<v8::Context> context, v8::Local<v8::Value> thrown,
    v8::Local<v8::Message> message, struct engine_exception *out)
{
    v8::Local<v8::String> class_name = thrown.As<v8::Object>()->GetConstructorName();

    if (!data_text(context, thrown, "name", &out->name) &&
        !class_name->StringEquals(text_of("Object")))
        text_append(&out->name, class_name, out->name.max);
    if (!data_text(context, thrown, "message", &out->message))
        plain_fill(message, out);
}

static void
error_fill(v8::Local<v8::Context> context, v8::Local<v8::Value> error,
    v8::Local<v8::Message> message, struct engine_exception *out)
{
    v8::Local<v8::String> stack;

    names_fill(context, error, message, out);
    if (render_stack(context, error.As<v8::Object>()).ToLocal(&stack))
        text_append(&out->stack, stack, out->stack.max);
    out->from_host = error.As<v8::Object>()->HasPrivate(context, host_mark()).FromMaybe(false);
}

/* The texts of `exception`, then its clone. */
static void
thrown_fill(v8::Local<v8::Context> context, v8::Local<v8::Value> exception,
    v8::Local<v8::Message> message, bool copy, struct engine_outcome *out)
{
    v8::TryCatch caught(eng.isolate);

    out->end = ENGINE_THROWN;
    buf_clear(&out->value);
    if (!message.IsEmpty())
        position_fill(context, message, &out->exception);
    if (exception->IsNativeError())
        error_fill(context, exception, message, &out->exception);
    else if (exception->IsObject() && !exception->IsProxy())
        names_fill(context, exception, message, &out->exception);
    else
        plain_fill(message, &out->exception);
    if (copy && !caught.HasTerminated()) {
        if (caught.HasCaught())
            caught.Reset();
        thrown_write(context, caught, exception, &out->value);
    }
    if (caught.HasTerminated())
        outcome_message(out, ENGINE_TERMINATED, "");
}

void
outcome_caught(
    v8::Local<v8::Context> context, v8::TryCatch &caught, bool copy, struct engine_outcome *out)
{
    v8::Local<v8::Value> exception = caught.Exception();
    v8::Local<v8::Message> message = caught.Message();

    if (caught.HasTerminated() || !caught.HasCaught()) {
        outcome_message(out, ENGINE_TERMINATED, "");
        return;
    }
    caught.Reset();
    thrown_fill(context, exception, message, copy, out);
}

void
outcome_rejected(
    v8::Local<v8::Context> context, v8::Local<v8::Value> reason, struct engine_outcome *out)
{
    thrown_fill(context, reason, v8::Exception::CreateMessage(eng.isolate, reason), true, out);
}

static bool
named(struct span name, const char *what)
{
    return name.len == strlen(what) && memcmp(name.p, what, name.len) == 0;
}

/* An error of a class that V8 has no function for: its prototype is that of one which is read from
 * a clone, whatever the guest has done to its globals. */
static v8::Local<v8::Value>
error_of(v8::Local<v8::Context> context, v8::Local<v8::String> text, uint8_t tag)
{
    const uint8_t clone[] = { 0xFF, 0x0F, 'r', tag, '.' };
    v8::Local<v8::Value> error = v8::Exception::Error(text), like;

    if (clone_read(context, span_of(clone, sizeof clone)).ToLocal(&like) && like->IsObject())
        (void)error.As<v8::Object>()
            ->SetPrototypeV2(context, like.As<v8::Object>()->GetPrototypeV2())
            .FromMaybe(false);
    return error;
}

v8::Local<v8::Value>
host_error(v8::Local<v8::Context> context, struct span name, struct span message)
{
    v8::Local<v8::String> text, own_name;
    v8::Local<v8::Value> error;

    if (!text_new(message).ToLocal(&text))
        text = v8::String::Empty(eng.isolate);
    if (named(name, "TypeError"))
        error = v8::Exception::TypeError(text);
    else if (named(name, "RangeError"))
        error = v8::Exception::RangeError(text);
    else if (named(name, "SyntaxError"))
        error = v8::Exception::SyntaxError(text);
    else if (named(name, "ReferenceError"))
        error = v8::Exception::ReferenceError(text);
    else if (named(name, "EvalError"))
        error = error_of(context, text, 'E');
    else if (named(name, "URIError"))
        error = error_of(context, text, 'U');
    else {
        error = v8::Exception::Error(text);
        if (name.len > 0 && !named(name, "Error") && text_new(name).ToLocal(&own_name))
            (void)error.As<v8::Object>()
                ->DefineOwnProperty(context, text_of("name"), own_name, v8::DontEnum)
                .FromMaybe(false);
    }
    (void)error.As<v8::Object>()
        ->SetPrivate(context, host_mark(), v8::True(eng.isolate))
        .FromMaybe(false);
    return error;
}
