/* thrown.cc - what is thrown, as the messages have it (base/thrown.h).
 *
 * Runs in:  cell, template.
 * Trusts:   nothing about what a guest threw; of what the host has thrown only that it is an item.
 * Threads:  the engine's thread only.
 *
 * Of an error own data properties are read, and nothing else: getters, proxies and conversions of
 * the guest's do not run. Its stack is the exception, see render_stack(). What cannot be copied is
 * left out, and so is what is past a limit.
 */
#include "engine/priv.h"
#include "engine/render.h"

#include "base/limits.h"
#include "base/thrown.h"

#include <vector>

/* --- from the guest ------------------------------------------------------------------------- */

struct writing {
    v8::Local<v8::Context> context;
    v8::TryCatch &caught;
    struct buf *out;
    uint32_t left; /* items that may still be tried */
    std::vector<v8::Local<v8::Object>> above;
};

/* Forgets what was caught. False: terminated, and nothing goes on. */
static bool
go_on(struct writing *w)
{
    if (w->caught.HasTerminated())
        return false;
    if (w->caught.HasCaught())
        w->caught.Reset();
    return true;
}

static void
u32_set(struct buf *out, size_t at, size_t value)
{
    auto number = static_cast<uint32_t>(value);

    if (!out->failed)
        memcpy(out->p + at, &number, sizeof number);
}

static void
take_back(struct buf *out, size_t len)
{
    out->len = len;
    out->failed = false;
}

/* What stands on the error, or its class, as plain data. */
static void
text_put(struct writing *w, v8::Local<v8::Object> error, const char *key, size_t max)
{
    struct buf text = {};

    text.max = max;
    bool found = data_text(w->context, error, key, &text);
    buf_u32(w->out, found ? static_cast<uint32_t>(text.len) : THROWN_NO_TEXT);
    if (found)
        buf_append(w->out, text.p, text.len);
    buf_done(&text);
}

static void
stack_put(struct writing *w, v8::Local<v8::Object> error)
{
    v8::Local<v8::String> stack;
    size_t at = w->out->len;

    buf_u32(w->out, THROWN_NO_TEXT);
    if (!render_stack(w->context, error).ToLocal(&stack))
        return;
    text_append(w->out, stack, EXCEPTION_TEXT_MAX);
    u32_set(w->out, at, w->out->len - at - 4);
}

/* The own property of that name; empty: there is none that is plain data. */
static v8::MaybeLocal<v8::Value>
own_data(struct writing *w, v8::Local<v8::Object> object, v8::Local<v8::Name> key)
{
    class stillness still(true);

    if (!object->HasOwnProperty(w->context, key).FromMaybe(false))
        return v8::MaybeLocal<v8::Value>();
    return object->Get(w->context, key);
}

static bool item_put(struct writing *w, v8::Local<v8::Value> value, bool errors);

/* One property, unless it cannot be copied. False: terminated. */
static bool
property_put(
    struct writing *w, v8::Local<v8::Object> error, v8::Local<v8::String> key, uint32_t *count)
{
    size_t begun = w->out->len;
    v8::Local<v8::Value> value;

    if (w->left == 0)
        return true;
    w->left--;
    if (key->Length() > static_cast<int>(NAME_BYTES_MAX) ||
        !own_data(w, error, key).ToLocal(&value))
        return go_on(w);
    buf_u32(w->out, 0);
    text_append(w->out, key, NAME_BYTES_MAX);
    u32_set(w->out, begun, w->out->len - begun - 4);
    if (!item_put(w, value, key->StringEquals(text_of("errors"))) || w->out->failed)
        take_back(w->out, begun);
    else
        ++*count;
    return go_on(w);
}

/* Whether it has been told elsewhere: as a text, or first of all properties. */
static bool
is_told(v8::Local<v8::Value> key)
{
    static const char *const told[] = { "name", "message", "stack", "cause", "code", "errors" };

    for (const char *name : told)
        if (key->IsString() && key.As<v8::String>()->StringEquals(text_of(name)))
            return true;
    return false;
}

/* False: terminated. */
static bool
properties_put(struct writing *w, v8::Local<v8::Object> error, uint32_t *count)
{
    v8::Local<v8::Array> keys;

    /* Those that matter most come first, enumerable or not. */
    for (const char *name : { "code", "cause", "errors" })
        if (!property_put(w, error, text_of(name), count))
            return false;
    if (!error
             ->GetOwnPropertyNames(w->context,
                 static_cast<v8::PropertyFilter>(v8::ONLY_ENUMERABLE | v8::SKIP_SYMBOLS))
             .ToLocal(&keys))
        return go_on(w);
    for (uint32_t i = 0; i < keys->Length() && w->left > 0; i++) {
        v8::HandleScope handles(eng.isolate);
        v8::Local<v8::Value> key;
        v8::Local<v8::String> text;
        if (!keys->Get(w->context, i).ToLocal(&key) || is_told(key) ||
            !key->ToString(w->context).ToLocal(&text))
            continue;
        if (!property_put(w, error, text, count))
            return false;
    }
    return true;
}

static bool
error_put(struct writing *w, v8::Local<v8::Object> error)
{
    uint32_t count = 0;

    buf_byte(w->out, THROWN_ERROR);
    text_put(w, error, "name", EXCEPTION_NAME_MAX);
    text_put(w, error, "message", EXCEPTION_TEXT_MAX);
    stack_put(w, error);
    size_t at = w->out->len;
    buf_u32(w->out, 0);
    if (w->out->failed || !go_on(w))
        return false;
    w->above.push_back(error);
    bool done = properties_put(w, error, &count);
    w->above.pop_back();
    u32_set(w->out, at, count);
    return done;
}

/* As many of them as may be. */
static bool
list_put(struct writing *w, v8::Local<v8::Array> list)
{
    size_t at = w->out->len + 1;
    uint32_t count = 0;

    buf_byte(w->out, THROWN_LIST);
    buf_u32(w->out, 0);
    for (uint32_t i = 0; i < list->Length() && w->left > 0; i++) {
        v8::Local<v8::Value> value;
        size_t begun = w->out->len;
        w->left--;
        {
            class stillness still(true);
            if (!list->Get(w->context, i).ToLocal(&value))
                value = v8::Local<v8::Value>();
        }
        if (!value.IsEmpty() && item_put(w, value, false) && !w->out->failed)
            count++;
        else
            take_back(w->out, begun);
        if (!go_on(w))
            return false;
    }
    u32_set(w->out, at, count);
    return true;
}

static bool
value_put(struct writing *w, v8::Local<v8::Value> value)
{
    class stillness still(true);
    size_t at = w->out->len + 1;

    buf_byte(w->out, THROWN_VALUE);
    buf_u32(w->out, 0);
    if (w->out->failed || clone_write(w->context, value, w->out) != CLONE_OK)
        return false;
    u32_set(w->out, at, w->out->len - at - 4);
    return true;
}

/* False: it cannot be told, or an exception has been caught. `errors`: where an AggregateError has
 * its own. */
static bool
item_put(struct writing *w, v8::Local<v8::Value> value, bool errors)
{
    if (errors && value->IsArray())
        return list_put(w, value.As<v8::Array>());
    if (!value->IsNativeError())
        return value_put(w, value);
    for (uint32_t depth = 0; depth < w->above.size(); depth++)
        if (w->above[depth] == value) {
            buf_byte(w->out, THROWN_ABOVE);
            buf_u32(w->out, depth);
            return true;
        }
    return w->above.size() < THROWN_DEPTH_MAX && error_put(w, value.As<v8::Object>());
}

void
thrown_write(v8::Local<v8::Context> context, v8::TryCatch &caught,
    v8::Local<v8::Value> exception, struct buf *out)
{
    struct writing w = { context, caught, out, THROWN_ITEMS_MAX - 1, {} };
    size_t max = out->max;

    if (exception->IsNativeError() && out->max > THROWN_BYTES_MAX)
        out->max = THROWN_BYTES_MAX;
    if (!item_put(&w, exception, false) || out->failed)
        take_back(out, 0);
    (void)go_on(&w);
    out->max = max;
}

/* --- from the host -------------------------------------------------------------------------- */

struct reading {
    v8::Local<v8::Context> context;
    struct span rest;
    std::vector<v8::Local<v8::Object>> above;
};

static bool
bytes_take(struct reading *r, size_t len, struct span *out)
{
    if (len > r->rest.len)
        return false;
    *out = span_of(r->rest.p, len);
    r->rest = span_of(r->rest.p + len, r->rest.len - len);
    return true;
}

static bool
u32_take(struct reading *r, uint32_t *out)
{
    struct span bytes;

    if (!bytes_take(r, sizeof *out, &bytes))
        return false;
    memcpy(out, bytes.p, sizeof *out);
    return true;
}

/* Empty if there is none. */
static bool
text_take(struct reading *r, struct span *out)
{
    uint32_t len;

    *out = span_of(nullptr, 0);
    return u32_take(r, &len) && (len == THROWN_NO_TEXT || bytes_take(r, len, out));
}

static v8::MaybeLocal<v8::Value> item_take(struct reading *r);

static bool
property_take(struct reading *r, v8::Local<v8::Object> error)
{
    struct span name;
    v8::Local<v8::String> key;
    v8::Local<v8::Value> value;

    if (!text_take(r, &name) || !text_new(name).ToLocal(&key) || !item_take(r).ToLocal(&value))
        return false;
    bool hidden = key->StringEquals(text_of("cause")) || key->StringEquals(text_of("errors"));
    return error->DefineOwnProperty(r->context, key, value, hidden ? v8::DontEnum : v8::None)
        .FromMaybe(false);
}

static v8::MaybeLocal<v8::Value>
error_take(struct reading *r)
{
    struct span name, message, stack;
    uint32_t count;

    if (!text_take(r, &name) || !text_take(r, &message) || !text_take(r, &stack) ||
        !u32_take(r, &count))
        return v8::MaybeLocal<v8::Value>();
    v8::Local<v8::Object> error = host_error(r->context, name, message).As<v8::Object>();
    r->above.push_back(error);
    while (count > 0 && property_take(r, error))
        count--;
    r->above.pop_back();
    return count == 0 ? error : v8::MaybeLocal<v8::Value>();
}

static v8::MaybeLocal<v8::Value>
list_take(struct reading *r)
{
    v8::LocalVector<v8::Value> items(eng.isolate);
    uint32_t count;

    if (!u32_take(r, &count))
        return v8::MaybeLocal<v8::Value>();
    while (count-- > 0) {
        v8::Local<v8::Value> item;
        if (!item_take(r).ToLocal(&item))
            return v8::MaybeLocal<v8::Value>();
        items.push_back(item);
    }
    return v8::Array::New(eng.isolate, items.data(), items.size());
}

static v8::MaybeLocal<v8::Value>
item_take(struct reading *r)
{
    struct span kind, clone;
    uint32_t number;

    if (!bytes_take(r, 1, &kind))
        return v8::MaybeLocal<v8::Value>();
    switch (kind.p[0]) {
    case THROWN_ERROR:
        return error_take(r);
    case THROWN_LIST:
        return list_take(r);
    case THROWN_ABOVE:
        if (!u32_take(r, &number) || number >= r->above.size())
            return v8::MaybeLocal<v8::Value>();
        return r->above[number];
    default:
        if (!u32_take(r, &number) || !bytes_take(r, number, &clone))
            return v8::MaybeLocal<v8::Value>();
        return clone_read(r->context, clone);
    }
}

v8::MaybeLocal<v8::Value>
thrown_read(v8::Local<v8::Context> context, const struct engine_answer *answer)
{
    struct reading r = { context, answer->bytes, {} };

    if (answer->bytes.len == 0)
        return host_error(context, answer->name, answer->message);
    return item_take(&r);
}
