/* functions.cc - host functions given to a guest, many at once.
 *
 * Runs in:  cell, template.
 * Trusts:   its caller for the shape of the list.
 * Threads:  the engine's thread only.
 */
#include "engine/priv.h"

#include "base/limits.h"

/* One of the list. */
struct given {
    uint32_t function, flags;
    struct span path;
};

/* The next one of the list; false when it is malformed. */
static bool
given_next(struct span *list, struct given *out)
{
    uint32_t head[3]; /* length, number, flags */

    if (list->len < sizeof head)
        return false;
    memcpy(head, list->p, sizeof head);
    if (head[0] < 8 || head[0] - 8 > list->len - sizeof head)
        return false;
    *out = { head[1], head[2], span_of(list->p + sizeof head, head[0] - 8) };
    *list = span_of(out->path.p + out->path.len, list->len - sizeof head - out->path.len);
    return true;
}

/* What `name` of the object holds; a new object of its own if that is nothing. Empty: an exception
 * is pending. */
static v8::MaybeLocal<v8::Object>
object_of(
    v8::Local<v8::Context> context, v8::Local<v8::Object> holder, v8::Local<v8::String> name)
{
    v8::Local<v8::Value> value;

    if (!holder->Get(context, name).ToLocal(&value))
        return v8::MaybeLocal<v8::Object>();
    if (!value->IsNullOrUndefined())
        return value->ToObject(context);
    v8::Local<v8::Object> made = v8::Object::New(eng.isolate);
    if (holder->Set(context, name, made).IsNothing())
        return v8::MaybeLocal<v8::Object>();
    return made;
}

/* Follows all names of a path but the last, which *last is. */
static v8::MaybeLocal<v8::Object>
follow(v8::Local<v8::Context> context, v8::Local<v8::Object> holder, struct span path,
    v8::Local<v8::String> *last)
{
    for (;;) {
        auto *dot = static_cast<const uint8_t *>(memchr(path.p, '.', path.len));
        size_t len = dot == nullptr ? path.len : static_cast<size_t>(dot - path.p);
        if (!text_new(span_of(path.p, len)).ToLocal(last))
            return v8::MaybeLocal<v8::Object>();
        if (dot == nullptr)
            return holder;
        if (!object_of(context, holder, *last).ToLocal(&holder))
            return v8::MaybeLocal<v8::Object>();
        path = span_of(dot + 1, path.len - len - 1);
    }
}

/* Sets one. False: an exception is pending. */
static bool
give(v8::Local<v8::Context> context, v8::Local<v8::Object> base, const struct given *given)
{
    v8::Local<v8::Object> holder;
    v8::Local<v8::String> last;
    v8::Local<v8::Function> function;

    if (!follow(context, base, given->path, &last).ToLocal(&holder) ||
        !host_function(context, given->function, given->flags).ToLocal(&function))
        return false;
    function->SetName(last);
    return holder->Set(context, last, function).IsJust();
}

static v8::MaybeLocal<v8::Value>
give_all(v8::Local<v8::Context> context, struct span path, uint32_t count, struct span list)
{
    v8::Local<v8::Object> base = context->Global();
    v8::Local<v8::String> last;
    struct given given;

    if (path.len > 0 && (!follow(context, base, path, &last).ToLocal(&base) ||
                            !object_of(context, base, last).ToLocal(&base)))
        return v8::MaybeLocal<v8::Value>();
    for (uint32_t i = 0; i < count; i++)
        if (!given_next(&list, &given) || !give(context, base, &given))
            return v8::MaybeLocal<v8::Value>();
    return v8::Undefined(eng.isolate);
}

void
engine_set_functions(uint32_t context, struct span path, uint32_t count, struct span functions,
    struct engine_outcome *out)
{
    v8::HandleScope handles(eng.isolate);
    v8::Local<v8::Context> in = context_find(context);
    struct asked asked = { context, 0, ENGINE_IGNORE_RESULT };

    if (in.IsEmpty()) {
        outcome_message(out, ENGINE_BAD_ID, "no such context");
        return;
    }
    guest_entry entry(in);
    v8::TryCatch caught(eng.isolate);
    conclude(in, &asked, caught, give_all(in, path, count, functions), out);
}
