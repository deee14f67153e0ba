/* render_error.cc - an error: its stack, its cause.
 *
 * V8 makes the text of a stack when it is first asked for, by a getter of its own, which calls
 * Error.prepareStackTrace and reads name and message. So the getter is only called when it is
 * V8's own and none of the three is the guest's code; else the stack is put together here.
 */
#include "engine/render.h"

#include "base/limits.h"

#include <algorithm>
#include <utility>

/* Private property of a context's global object: [Error, the getter of stack]. */
static v8::Local<v8::Private>
intrinsics_key(v8::Isolate *isolate)
{
    return v8::Private::ForApi(
        isolate, v8::String::NewFromUtf8Literal(isolate, "glovebox errors"));
}

void
render_install(v8::Local<v8::Context> context)
{
    v8::Isolate *isolate = v8::Isolate::GetCurrent();
    v8::Context::Scope scope(context);
    v8::Local<v8::Value> made, getter;
    v8::Local<v8::Object> error =
        v8::Exception::Error(v8::String::Empty(isolate)).As<v8::Object>();

    if (!context->Global()
             ->Get(context, v8::String::NewFromUtf8Literal(isolate, "Error"))
             .ToLocal(&made) ||
        !error
             ->GetOwnPropertyDescriptor(
                 context, v8::String::NewFromUtf8Literal(isolate, "stack"))
             .ToLocal(&getter) ||
        !getter->IsObject() ||
        !getter.As<v8::Object>()
             ->Get(context, v8::String::NewFromUtf8Literal(isolate, "get"))
             .ToLocal(&getter))
        return;
    v8::Local<v8::Value> both[] = { made, getter };
    (void)context->Global()
        ->SetPrivate(context, intrinsics_key(isolate), v8::Array::New(isolate, both, 2))
        .IsNothing();
}

/* --- stack ---------------------------------------------------------------------------- */

/* Whether V8 can read `key` without calling the guest: absent, or a primitive. */
static bool
is_plain(struct render *r, v8::Local<v8::Object> object, const char *key)
{
    struct property p;
    enum found found = find_property(r, object, key_of(r, key), &p);

    return found == FOUND_NOTHING || (found == FOUND_DATA && !p.value->IsObject());
}

/* V8's own Error of the error's context, if `getter` is V8's own there. */
static v8::MaybeLocal<v8::Value>
intrinsic_error(v8::Isolate *isolate, v8::Local<v8::Object> error, v8::Local<v8::Value> getter)
{
    v8::Local<v8::Context> context;
    v8::Local<v8::Value> noted, own_getter;

    if (!error->GetCreationContext(isolate).ToLocal(&context) ||
        !context->Global()->GetPrivate(context, intrinsics_key(isolate)).ToLocal(&noted) ||
        !noted->IsArray() || !noted.As<v8::Array>()->Get(context, 1).ToLocal(&own_getter) ||
        !getter->IsFunction() || !getter->StrictEquals(own_getter))
        return {};
    return noted.As<v8::Array>()->Get(context, 0);
}

static v8::MaybeLocal<v8::Value>
intrinsic_stack(struct render *r, v8::Local<v8::Object> error, v8::Local<v8::Value> getter)
{
    v8::Local<v8::Context> context;
    v8::Local<v8::Value> made;

    if (!error->GetCreationContext(r->isolate).ToLocal(&context) ||
        !intrinsic_error(r->isolate, error, getter).ToLocal(&made) || !made->IsObject() ||
        !is_plain(r, made.As<v8::Object>(), "prepareStackTrace") ||
        !is_plain(r, error, "name") || !is_plain(r, error, "message"))
        return {};
    v8::Isolate::AllowJavascriptExecutionScope allowed(r->isolate);
    return getter.As<v8::Function>()->Call(r->isolate, context, error, 0, nullptr);
}

static wide
title_of(struct render *r, v8::Local<v8::Object> error)
{
    wide name = u"Error", message;

    (void)find_text(r, error, "name", &name);
    (void)find_text(r, error, "message", &message);
    if (name.empty() || message.empty())
        return name + message;
    return name + u": " + message;
}

wide
render_frames(struct render *r, v8::Local<v8::StackTrace> trace)
{
    wide text;
    int count = trace.IsEmpty() ? 0 : trace->GetFrameCount();

    for (int i = 0; i < count && i < STACK_FRAMES_MAX; i++) {
        v8::Local<v8::StackFrame> frame = trace->GetFrame(r->isolate, static_cast<uint32_t>(i));
        v8::Local<v8::String> function = frame->GetFunctionName();
        v8::Local<v8::String> script = frame->GetScriptNameOrSourceURL();
        wide place = script.IsEmpty() ? wide(u"<anonymous>")
                                      : wide_of(r->isolate, script, CONSOLE_STRING_MAX);
        place += u":" + wide_number(static_cast<size_t>(frame->GetLineNumber())) + u":" +
                 wide_number(static_cast<size_t>(frame->GetColumn()));
        bool named = !function.IsEmpty() && function->Length() > 0;
        text += u"\n    at ";
        if (named)
            text += wide_of(r->isolate, function, CONSOLE_STRING_MAX) + u" (";
        text += place;
        if (named)
            text += u")";
    }
    return text;
}

/* V8 makes the stack of an error that has this getter without calling another one. */
static bool
may_be_asked(struct render *r, v8::Local<v8::Object> error, v8::Local<v8::Value> getter)
{
    v8::Local<v8::Value> made;
    struct property p;

    if (getter.IsEmpty() || !intrinsic_error(r->isolate, error, getter).ToLocal(&made) ||
        !made->IsObject())
        return false;
    enum found prepare =
        find_property(r, made.As<v8::Object>(), key_of(r, "prepareStackTrace"), &p);
    return (prepare == FOUND_NOTHING || prepare == FOUND_DATA) && is_plain(r, error, "name") &&
           is_plain(r, error, "message");
}

/* The frames that V8 knows, where it may not run what its title is made of: it writes "<error>" in
 * place of that. */
static wide
frames_of(struct render *r, v8::Local<v8::Object> error)
{
    v8::Local<v8::Value> stack;
    wide text;

    if (error->Get(r->context, key_of(r, "stack")).ToLocal(&stack) && stack->IsString())
        text = wide_of(r->isolate, stack.As<v8::String>(), RENDER_UNITS_MAX);
    return text.substr(std::min(text.find(u"\n    at "), text.size()));
}

v8::MaybeLocal<v8::String>
render_stack(v8::Local<v8::Context> context, v8::Local<v8::Object> error)
{
    v8::Local<v8::Value> stack;
    struct property p;

    {
        struct render_scope scope(context, render_defaults);
        struct render *r = &scope.r;
        enum found found = find_property(r, error, key_of(r, "stack"), &p);
        if (found == FOUND_NOTHING || found == FOUND_GUEST_CODE)
            return {};
        if (found == FOUND_DATA) {
            stack = p.value;
        } else if (!may_be_asked(r, error, p.get)) {
            wide text = title_of(r, error) + frames_of(r, error);
            return v8::String::NewFromTwoByte(r->isolate,
                reinterpret_cast<const uint16_t *>(text.data()), v8::NewStringType::kNormal,
                static_cast<int>(text.size()));
        }
    }
    if (stack.IsEmpty() &&
        !error->Get(context, v8::String::NewFromUtf8Literal(v8::Isolate::GetCurrent(), "stack"))
             .ToLocal(&stack))
        return {};
    return stack->IsString() ? stack.As<v8::String>() : v8::MaybeLocal<v8::String>();
}

static wide
stack_of(struct render *r, v8::Local<v8::Object> error)
{
    struct property p;
    v8::Local<v8::Value> stack;

    if (find_property(r, error, key_of(r, "stack"), &p) == FOUND_DATA)
        stack = p.value;
    else if (p.get.IsEmpty() || !intrinsic_stack(r, error, p.get).ToLocal(&stack))
        return title_of(r, error) + render_frames(r, v8::Exception::GetStackTrace(error));
    if (stack->IsString() && stack.As<v8::String>()->Length() > 0)
        return wide_of(r->isolate, stack.As<v8::String>(), RENDER_UNITS_MAX);
    if (!stack->IsObject())
        return title_of(r, error);
    r->open.push_back(error);
    r->indent += 4;
    wide text = title_of(r, error) + u"\n    " + render_value(r, stack, r->options.depth);
    r->indent -= 4;
    r->open.pop_back();
    return text;
}

/* --- frames shared with the cause ----------------------------------------------------- */

static std::vector<wide>
lines_of(const wide &text)
{
    std::vector<wide> lines;
    size_t at = 0, end;

    for (; (end = text.find(u'\n', at)) != wide::npos; at = end + 1)
        lines.push_back(text.substr(at, end - at));
    lines.push_back(text.substr(at));
    return lines;
}

/* The first run of at least 4 lines that stands in both: its start and length in `lines`. */
static std::pair<size_t, size_t>
shared_lines(const std::vector<wide> &lines, const std::vector<wide> &others)
{
    for (size_t i = 0; i + 3 < lines.size(); i++) {
        size_t at = static_cast<size_t>(
            std::find(others.begin(), others.end(), lines[i]) - others.begin());
        size_t length = 0;
        while (i + length < lines.size() && at + length < others.size() &&
               lines[i + length] == others[at + length])
            length++;
        if (length > 3)
            return { i, length };
    }
    return { 0, 0 };
}

/* Of frames that the cause's stack has too, only the first and the last are shown. */
static wide
frames_without_cause(struct render *r, v8::Local<v8::Object> error, const wide &frames)
{
    struct property cause;

    if (find_property(r, error, key_of(r, "cause"), &cause) != FOUND_DATA ||
        !cause.value->IsNativeError())
        return frames;
    wide stack = stack_of(r, cause.value.As<v8::Object>());
    size_t start = stack.find(u"\n    at");
    if (start == wide::npos)
        return frames;
    std::vector<wide> lines = lines_of(frames);
    auto [at, length] = shared_lines(lines, lines_of(stack.substr(start + 1)));
    if (length == 0)
        return frames;
    wide out;
    for (size_t i = 0; i < lines.size(); i++) {
        if (i > at && i < at + length - 1) {
            if (i == at + 1)
                out += u"\n    ... " + wide_number(length - 2) +
                       u" lines matching cause stack trace ...";
            continue;
        }
        out += (i == 0 ? u"" : u"\n") + lines[i];
    }
    return out;
}

/* --- the whole ------------------------------------------------------------------------ */

static bool
ends_with(const wide &text, const wide &end)
{
    return text.size() >= end.size() &&
           text.compare(text.size() - end.size(), wide::npos, end) == 0;
}

/* The name that a stack's first line starts with; for an error without a prototype. */
static wide
leading_name(const wide &stack)
{
    size_t end = std::min(stack.find(u':'), stack.find(u"\n    at"));

    if (end == wide::npos)
        end = ends_with(stack, u"Error") ? stack.size() : 0;
    return stack.substr(0, end);
}

/* Has the stack start with the class that the error is of, where it names another. */
static wide
improved(
    const wide &stack, const struct constructor &made_by, const wide &name, const wide &tag)
{
    size_t length = name.size();
    wide fallback = u"Error";

    if (made_by.none) {
        wide leading = leading_name(stack);
        length = leading.size();
        if (length > 0)
            fallback = leading;
    } else if (!ends_with(name, u"Error") || !starts_with(stack, name) ||
               !(stack.size() == length || stack[length] == u':' || stack[length] == u'\n')) {
        return stack;
    }
    wide prefix = prefix_of(made_by, tag, fallback);
    prefix.pop_back();
    if (name == prefix)
        return stack;
    if (!contains(prefix, name))
        return prefix + u" [" + name + u"]" + stack.substr(length);
    return length == 0 ? prefix + u": " + stack : prefix + stack.substr(length);
}

static bool
is_key(struct render *r, v8::Local<v8::Name> key, const char *name)
{
    return key->StrictEquals(key_of(r, name));
}

/* Hides what the stack says already, and shows cause and errors, which are not enumerable. */
static void
choose_keys(struct render *r, v8::Local<v8::Object> error, const wide &stack,
    std::vector<v8::Local<v8::Name>> *keys)
{
    if (!r->options.hidden)
        keys->erase(
            std::remove_if(keys->begin(), keys->end(),
                [&](v8::Local<v8::Name> key) {
                    struct property p;
                    if (is_key(r, key, "stack"))
                        return true;
                    if (!is_key(r, key, "message") && !is_key(r, key, "name"))
                        return false;
                    return own_property(r, error, key, &p) && !p.value.IsEmpty() &&
                           (!p.value->IsString() ||
                               contains(stack, wide_of(r->isolate, p.value.As<v8::String>(),
                                                   RENDER_UNITS_MAX)));
                }),
            keys->end());
    for (const char *name : { "cause", "errors" }) {
        struct property p;
        v8::Local<v8::Name> key = key_of(r, name);
        bool listed = std::any_of(keys->begin(), keys->end(),
            [&](v8::Local<v8::Name> each) { return each->StrictEquals(key); });
        if (!listed && own_property(r, error, key, &p) &&
            (is_key(r, key, "cause") || (!p.value.IsEmpty() && p.value->IsArray())))
            keys->push_back(key);
    }
}

wide
render_error(struct render *r, v8::Local<v8::Object> error, const struct constructor &made_by,
    const wide &tag, std::vector<v8::Local<v8::Name>> *keys)
{
    wide name = u"Error", message, stack = stack_of(r, error);

    choose_keys(r, error, stack, keys);
    (void)find_text(r, error, "name", &name);
    (void)find_text(r, error, "message", &message);
    stack = improved(stack, made_by, name, tag);
    size_t said = message.empty() ? wide::npos : stack.find(message);
    size_t frames =
        stack.find(u"\n    at", said == wide::npos || said == 0 ? 0 : said + message.size());
    if (frames == wide::npos)
        stack = u"[" + stack + u"]";
    else
        stack = stack.substr(0, frames + 1) +
                frames_without_cause(r, error, stack.substr(frames + 1));
    indent_lines(&stack, r->indent);
    return stack;
}
