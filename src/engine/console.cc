/* console.cc - the guest's console: every call reaches the host as text, and V8's own console
 * too while an inspector is attached.
 *
 * Runs in:  template (the first context), cell.
 * Trusts:   nothing of the arguments; see render.h.
 * Threads:  the engine's thread only.
 *
 * The methods are made once per isolate. What belongs to a context (group depth, counters,
 * timers, V8's methods) is a JavaScript array that no guest can reach: the collector frees it
 * with its context, a fork copies it, and it counts in the guest's memory.
 */
#include "engine/console.h"

#include "base/clock.h"
#include "base/limits.h"
#include "engine/inspector.h"
#include "engine/priv.h"
#include "engine/utf8.h"

#include <cmath>
#include <cstdio>

enum method {
    METHOD_LOG,
    METHOD_DEBUG,
    METHOD_INFO,
    METHOD_WARN,
    METHOD_ERROR,
    METHOD_DIRXML,
    METHOD_TRACE,
    METHOD_DIR,
    METHOD_TABLE,
    METHOD_ASSERT,
    METHOD_COUNT,
    METHOD_COUNT_RESET,
    METHOD_GROUP,
    METHOD_GROUP_COLLAPSED,
    METHOD_GROUP_END,
    METHOD_TIME,
    METHOD_TIME_LOG,
    METHOD_TIME_END,
    METHODS
};

static const char *const method_names[METHODS] = { "log", "debug", "info", "warn", "error",
    "dirxml", "trace", "dir", "table", "assert", "count", "countReset", "group",
    "groupCollapsed", "groupEnd", "time", "timeLog", "timeEnd" };

/* Items of a context's array. */
enum {
    STATE_GROUPS, /* open groups */
    STATE_COUNTS, /* Map: label to number */
    STATE_TIMES,  /* Map: label to milliseconds */
    STATE_METHODS /* V8's own, from here on */
};

/* One call. */
struct console_call {
    v8::Isolate *isolate;
    v8::Local<v8::Context> context;
    v8::Local<v8::Array> state;
    enum method method;
    console_arguments arguments;
};

/* --- out ------------------------------------------------------------------------------ */

static v8::Local<v8::Value>
state_get(const struct console_call *call, uint32_t item)
{
    v8::Local<v8::Value> value;

    if (!call->state->Get(call->context, item).ToLocal(&value))
        return v8::Undefined(call->isolate);
    return value;
}

static uint32_t
groups_open(const struct console_call *call)
{
    return state_get(call, STATE_GROUPS)->Uint32Value(call->context).FromMaybe(0);
}

static void
groups_set(const struct console_call *call, uint32_t groups)
{
    (void)call->state
        ->Set(call->context, STATE_GROUPS, v8::Integer::NewFromUnsigned(call->isolate, groups))
        .IsNothing();
}

static void
indent_append(struct buf *out, uint32_t columns)
{
    while (columns-- > 0)
        buf_byte(out, ' ');
}

/* One text to the host, within the open groups, cut at CONSOLE_TEXT_MAX. */
static void
say(const struct console_call *call, enum engine_console_level level, const wide &text)
{
    uint32_t groups = groups_open(call);
    uint32_t columns = 2 * (groups < CONSOLE_GROUPS_MAX ? groups : CONSOLE_GROUPS_MAX);
    struct buf out = {};

    out.max = CONSOLE_TEXT_MAX;
    indent_append(&out, columns);
    for (size_t i = 0; i < text.size(); i++) {
        if (out.len > CONSOLE_TEXT_MAX - CONSOLE_CUT_BYTES) {
            buf_text(&out, "\u2026 cut");
            break;
        }
        uint32_t c = utf16_next(text.data(), text.size(), &i);
        utf8_append(&out, c);
        if (c == '\n')
            indent_append(&out, columns);
    }
    if (!out.failed)
        eng.hooks.console(eng.cell, level, buf_span(&out));
    buf_done(&out);
}

static void
say_formatted(const struct console_call *call, enum engine_console_level level)
{
    say(call, level, console_format(call->context, call->arguments));
}

/* --- trace, dir, table, assert -------------------------------------------------------- */

static void
trace(const struct console_call *call)
{
    wide text = console_format(call->context, call->arguments);
    struct render_scope scope(call->context, render_defaults);

    text = text.empty() ? wide(u"Trace") : u"Trace: " + text;
    text +=
        render_frames(&scope.r, v8::StackTrace::CurrentStackTrace(call->isolate, TRACE_FRAMES));
    say(call, ENGINE_CONSOLE_ERROR, text);
}

/* console.dir's second argument, of which two options are understood. */
static struct render_options
options_of(struct render *r, v8::Local<v8::Value> given)
{
    struct render_options options = render_defaults;
    struct property p;

    if (!given->IsObject())
        return options;
    v8::Local<v8::Object> object = given.As<v8::Object>();
    if (own_property(r, object, key_of(r, "depth"), &p) && !p.value.IsEmpty()) {
        double depth = p.value->IsNumber() ? p.value.As<v8::Number>()->Value() : -1;
        if (p.value->IsNull() || depth > CONSOLE_DEPTH_MAX)
            options.depth = CONSOLE_DEPTH_MAX;
        else if (depth >= 0)
            options.depth = static_cast<int>(depth);
    }
    if (own_property(r, object, key_of(r, "showHidden"), &p) && !p.value.IsEmpty())
        options.hidden = p.value->IsTrue();
    return options;
}

static void
dir(const struct console_call *call)
{
    wide text = u"undefined";

    if (!call->arguments.empty()) {
        struct render_scope scope(call->context, render_defaults);
        if (call->arguments.size() > 1)
            scope.r.options = options_of(&scope.r, call->arguments[1]);
        text = render_value(&scope.r, call->arguments[0]);
    }
    say(call, ENGINE_CONSOLE_LOG, text);
}

static void
table(const struct console_call *call)
{
    wide text;

    if (console_table(call->context, call->arguments, &text))
        say(call, ENGINE_CONSOLE_LOG, text);
    else
        say_formatted(call, ENGINE_CONSOLE_LOG);
}

static void
assert_true(struct console_call *call)
{
    static const char failed[] = "Assertion failed";
    console_arguments *arguments = &call->arguments;

    if (!arguments->empty() && (*arguments)[0]->BooleanValue(call->isolate))
        return;
    if (!arguments->empty())
        arguments->erase(arguments->begin());
    v8::Local<v8::String> title = text_of(failed);
    if (!arguments->empty() && (*arguments)[0]->IsString()) {
        v8::Local<v8::String> first = (*arguments)[0].As<v8::String>();
        title = v8::String::Concat(call->isolate, title, text_of(": "));
        /* Past V8's longest string there is nothing to concatenate into. */
        if (first->Length() <= v8::String::kMaxLength - title->Length())
            title = v8::String::Concat(call->isolate, title, first);
        (*arguments)[0] = title;
    } else {
        arguments->insert(arguments->begin(), title);
    }
    say_formatted(call, ENGINE_CONSOLE_WARN);
}

/* --- counters and timers -------------------------------------------------------------- */

/* A label as a string; what isn't a string is shown, not converted. */
static v8::Local<v8::String>
label_of(const struct console_call *call, wide *text)
{
    *text = u"default";
    if (!call->arguments.empty() && !call->arguments[0]->IsUndefined()) {
        struct render_scope scope(call->context, render_defaults);
        v8::Local<v8::Value> label = call->arguments[0];
        *text = label->IsString()
                    ? wide_of(call->isolate, label.As<v8::String>(), CONSOLE_STRING_MAX)
                    : render_value(&scope.r, label);
    }
    v8::Local<v8::String> key;
    if (!v8::String::NewFromTwoByte(call->isolate,
            reinterpret_cast<const uint16_t *>(text->data()), v8::NewStringType::kNormal,
            static_cast<int>(text->size()))
             .ToLocal(&key))
        return v8::String::Empty(call->isolate);
    return key;
}

/* The number that a label has in one of the maps; NaN for none. */
static double
number_get(const struct console_call *call, uint32_t map, v8::Local<v8::String> label)
{
    v8::Local<v8::Value> value;
    v8::Local<v8::Value> numbers = state_get(call, map);

    if (!numbers->IsMap() ||
        !numbers.As<v8::Map>()->Get(call->context, label).ToLocal(&value) || !value->IsNumber())
        return NAN;
    return value.As<v8::Number>()->Value();
}

static void
number_set(
    const struct console_call *call, uint32_t map, v8::Local<v8::String> label, double number)
{
    v8::Local<v8::Value> numbers = state_get(call, map);

    if (!numbers->IsMap())
        return;
    if (number != number)
        (void)numbers.As<v8::Map>()->Delete(call->context, label).IsNothing();
    else
        (void)numbers.As<v8::Map>()
            ->Set(call->context, label, v8::Number::New(call->isolate, number))
            .IsEmpty();
}

static void
count(const struct console_call *call)
{
    wide text;
    v8::Local<v8::String> label = label_of(call, &text);
    double number = number_get(call, STATE_COUNTS, label);

    number = number != number ? 1 : number + 1;
    number_set(call, STATE_COUNTS, label, number);
    say(call, ENGINE_CONSOLE_LOG, text + u": " + wide_number(static_cast<size_t>(number)));
}

static void
count_reset(const struct console_call *call)
{
    wide text;
    v8::Local<v8::String> label = label_of(call, &text);
    double number = number_get(call, STATE_COUNTS, label);

    if (number != number)
        say(call, ENGINE_CONSOLE_WARN, u"Warning: Count for '" + text + u"' does not exist");
    number_set(call, STATE_COUNTS, label, NAN);
}

static wide
duration_text(double ms)
{
    char text[64];
    int hours = static_cast<int>(ms / 3600000), minutes = static_cast<int>(ms / 60000) % 60;
    double seconds = ms / 1000 - hours * 3600.0 - minutes * 60.0;

    if (hours > 0)
        (void)snprintf(
            text, sizeof text, "%d:%02d:%06.3f (h:mm:ss.mmm)", hours, minutes, seconds);
    else if (minutes > 0)
        (void)snprintf(text, sizeof text, "%d:%06.3f (m:ss.mmm)", minutes, seconds);
    else if (ms >= 1000)
        (void)snprintf(text, sizeof text, "%.3fs", seconds);
    else
        (void)snprintf(
            text, sizeof text, "%gms", static_cast<double>(llround(ms * 1000)) / 1000);
    return wide_of(text);
}

static void
time_start(const struct console_call *call)
{
    wide text;
    v8::Local<v8::String> label = label_of(call, &text);
    double started = number_get(call, STATE_TIMES, label);

    if (started == started)
        say(call, ENGINE_CONSOLE_WARN,
            u"Warning: Label '" + text + u"' already exists for console.time()");
    else
        number_set(call, STATE_TIMES, label, clock_passing_ms());
}

static void
time_show(struct console_call *call, bool end)
{
    wide text;
    v8::Local<v8::String> label = label_of(call, &text);
    double started = number_get(call, STATE_TIMES, label);

    if (started != started) {
        say(call, ENGINE_CONSOLE_WARN,
            u"Warning: No such label '" + text + u"' for console.time" +
                (end ? u"End()" : u"Log()"));
        return;
    }
    text += u": " + duration_text(clock_passing_ms() - started);
    if (end) {
        number_set(call, STATE_TIMES, label, NAN);
    } else if (call->arguments.size() > 1) {
        /* What follows the label is shown after the time, and is no format. */
        call->arguments[0] = v8::String::Empty(call->isolate);
        text += console_format(call->context, call->arguments);
    }
    say(call, ENGINE_CONSOLE_LOG, text);
}

/* --- calls ---------------------------------------------------------------------------- */

static void
group(const struct console_call *call)
{
    uint32_t groups = groups_open(call);

    if (!call->arguments.empty())
        say_formatted(call, ENGINE_CONSOLE_LOG);
    if (groups < UINT32_MAX)
        groups_set(call, groups + 1);
}

static void
perform(struct console_call *call)
{
    static const enum engine_console_level levels[] = { ENGINE_CONSOLE_LOG,
        ENGINE_CONSOLE_DEBUG, ENGINE_CONSOLE_INFO, ENGINE_CONSOLE_WARN, ENGINE_CONSOLE_ERROR,
        ENGINE_CONSOLE_LOG };

    switch (call->method) {
    case METHOD_TRACE:
        trace(call);
        break;
    case METHOD_DIR:
        dir(call);
        break;
    case METHOD_TABLE:
        table(call);
        break;
    case METHOD_ASSERT:
        assert_true(call);
        break;
    case METHOD_COUNT:
        count(call);
        break;
    case METHOD_COUNT_RESET:
        count_reset(call);
        break;
    case METHOD_GROUP:
    case METHOD_GROUP_COLLAPSED:
        group(call);
        break;
    case METHOD_GROUP_END:
        if (groups_open(call) > 0)
            groups_set(call, groups_open(call) - 1);
        break;
    case METHOD_TIME:
        time_start(call);
        break;
    case METHOD_TIME_LOG:
    case METHOD_TIME_END:
        time_show(call, call->method == METHOD_TIME_END);
        break;
    default:
        say_formatted(call, levels[call->method]);
        break;
    }
}

static v8::Local<v8::Private>
state_key(v8::Isolate *isolate)
{
    return v8::Private::ForApi(isolate, text_of("glovebox console"));
}

/* --- what sessions are told ------------------------------------------------------------ */

/* What one of V8's console calls costs, its stack and a message to each session, is more than any
 * reader of a console can follow: past a rate they are counted. So are rejected promises. */
static struct {
    uint64_t since_us; /* the span that is counted in began */
    uint32_t told;     /* in it */
    uint64_t dropped;  /* since they were told how many */
} shown;

void
console_dropped(void)
{
    shown.dropped++;
}

uint64_t
console_next_us(void)
{
    uint64_t at = shown.since_us + INSPECTOR_CONSOLE_US, now;

    if (shown.dropped == 0)
        return UINT64_MAX;
    now = now_us();
    return at > now ? at - now : 0;
}

/* V8's own method for a context, if it is still there. */
static v8::Local<v8::Value>
original_of(v8::Local<v8::Context> context, uint32_t method)
{
    v8::Local<v8::Value> state, original;

    if (context->Global()->GetPrivate(context, state_key(eng.isolate)).ToLocal(&state) &&
        state->IsArray() &&
        state.As<v8::Array>()->Get(context, STATE_METHODS + method).ToLocal(&original))
        return original;
    return v8::Undefined(eng.isolate);
}

void
console_tell_dropped(void)
{
    char text[128];
    uint32_t any = 0;

    if (console_next_us() != 0)
        return;
    context_each([](uint32_t id, v8::Local<v8::Context>,
                     void *data) { *static_cast<uint32_t *>(data) = id; },
        &any);
    v8::Local<v8::Context> context = context_find(any);
    if (context.IsEmpty())
        return;
    (void)snprintf(text, sizeof text,
        "glovebox: %llu messages are not shown here, there were too many at a time",
        static_cast<unsigned long long>(shown.dropped));
    shown.since_us = now_us();
    shown.told = 1;
    shown.dropped = 0;
    v8::Context::Scope scope(context);
    v8::TryCatch caught(eng.isolate);
    v8::Local<v8::Value> warn = original_of(context, METHOD_WARN), argument = text_of(text);
    if (warn->IsFunction())
        (void)warn.As<v8::Function>()
            ->Call(context, v8::Undefined(eng.isolate), 1, &argument)
            .IsEmpty();
}

bool
console_shows(void)
{
    uint64_t now = now_us();

    console_tell_dropped();
    if (now - shown.since_us >= INSPECTOR_CONSOLE_US) {
        shown.since_us = now;
        shown.told = 0;
    }
    if (shown.told < INSPECTOR_CONSOLE_CALLS)
        return shown.told++, true;
    console_dropped();
    return false;
}

/* --- calls, again ------------------------------------------------------------------------ */

/* What a method is to do. Nothing that it meets is thrown at the guest. */
static void
answer(const v8::FunctionCallbackInfo<v8::Value> &info, bool wanted, bool attached)
{
    struct console_call call = {};
    v8::Local<v8::Value> state;

    call.isolate = info.GetIsolate();
    call.context = call.isolate->GetCurrentContext();
    if (!call.context->Global()
             ->GetPrivate(call.context, state_key(call.isolate))
             .ToLocal(&state) ||
        !state->IsArray())
        return;
    call.state = state.As<v8::Array>();
    call.method = static_cast<enum method>(info.Data().As<v8::Integer>()->Value());
    for (int i = 0; i < info.Length(); i++)
        call.arguments.push_back(info[i]);
    console_arguments arguments = call.arguments;
    if (wanted)
        perform(&call);
    if (!attached)
        return;
    /* DevTools must see live objects, so V8's own console gets the very arguments. */
    v8::Local<v8::Value> original = original_of(call.context, call.method);
    if (original->IsFunction())
        (void)original.As<v8::Function>()
            ->Call(
                call.context, info.This(), static_cast<int>(arguments.size()), arguments.data())
            .IsEmpty();
}

static void
called(const v8::FunctionCallbackInfo<v8::Value> &info)
{
    bool wanted = eng.console && eng.hooks.console != nullptr;
    bool attached = inspector_attached() && console_shows();

    if (!wanted && !attached)
        return;
    /* V8 keeps a termination that it meets under a TryCatch; one that it meets bare, it forgets
     * at the next entry into JavaScript, and the guest would go on. */
    v8::TryCatch caught(info.GetIsolate());
    answer(info, wanted, attached);
}

/* --- installation --------------------------------------------------------------------- */

/* One template per method and isolate. They outlive every context and are never freed. */
static v8::Local<v8::FunctionTemplate>
method_template(v8::Isolate *isolate, uint32_t method)
{
    static v8::Eternal<v8::FunctionTemplate> made[METHODS];

    if (made[method].IsEmpty()) {
        v8::Local<v8::FunctionTemplate> fresh = v8::FunctionTemplate::New(isolate, called,
            v8::Integer::NewFromUnsigned(isolate, method), v8::Local<v8::Signature>(), 0,
            v8::ConstructorBehavior::kThrow);
        fresh->SetClassName(text_of(method_names[method]));
        made[method].Set(isolate, fresh);
    }
    return made[method].Get(isolate);
}

void
install_console(v8::Local<v8::Context> context)
{
    v8::Isolate *isolate = v8::Isolate::GetCurrent();
    v8::HandleScope handles(isolate);
    v8::Context::Scope scope(context);
    v8::Local<v8::Value> found;
    v8::Local<v8::Array> state = v8::Array::New(isolate);

    render_install(context);
    if (!context->Global()->Get(context, text_of("console")).ToLocal(&found) ||
        !found->IsObject())
        return;
    v8::Local<v8::Object> console = found.As<v8::Object>();
    (void)state->Set(context, STATE_GROUPS, v8::Integer::New(isolate, 0)).IsNothing();
    (void)state->Set(context, STATE_COUNTS, v8::Map::New(isolate)).IsNothing();
    (void)state->Set(context, STATE_TIMES, v8::Map::New(isolate)).IsNothing();
    for (uint32_t i = 0; i < METHODS; i++) {
        v8::Local<v8::String> name = text_of(method_names[i]);
        v8::Local<v8::Value> original;
        v8::Local<v8::Function> ours;
        if (!console->Get(context, name).ToLocal(&original) ||
            !method_template(isolate, i)->GetFunction(context).ToLocal(&ours))
            continue;
        (void)state->Set(context, STATE_METHODS + i, original).IsNothing();
        (void)console->Set(context, name, ours).IsNothing();
    }
    (void)context->Global()->SetPrivate(context, state_key(isolate), state).IsNothing();
}
