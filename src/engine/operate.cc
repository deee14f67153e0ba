/* operate.cc - what the host does with the guest values that it holds.
 *
 * Runs in:  cell.
 * Trusts:   its caller for the shape of arguments, nobody for ids.
 * Threads:  the engine's thread only.
 *
 * Up to ENGINE_COPY no guest code runs, unless it was asked for: V8 itself sees to that
 * (stillness), so that no exotic object needs a case of its own.
 */
#include "engine/priv.h"

#include "base/limits.h"

#include <vector>

/* What an operation works on, once everything has been looked up. */
struct operand {
    v8::Local<v8::Context> context;
    v8::Local<v8::Value> value;
    v8::Local<v8::String> key;
    const v8::LocalVector<v8::Value> *arguments;
    bool accessors;
};

/* The end of an operation that is not an exception of the guest's; NULL: it went well. */
struct refusal {
    enum engine_end end;
    const char *why;
};

static v8::MaybeLocal<v8::Value>
refuse(struct refusal *refusal, enum engine_end end, const char *why)
{
    *refusal = { end, why };
    return v8::MaybeLocal<v8::Value>();
}

/* --- properties ----------------------------------------------------------------------- */

static v8::MaybeLocal<v8::Value>
property_get(const struct operand *op, v8::Local<v8::Object> object)
{
    bool has = true;

    if (!op->accessors && !object->HasOwnProperty(op->context, op->key).To(&has))
        return v8::MaybeLocal<v8::Value>();
    if (!has)
        return v8::Undefined(eng.isolate);
    return object->Get(op->context, op->key);
}

/* Whether an own property can be written without running a setter; false: an exception is pending,
 * or the refusal says why not. */
static bool
is_writable(const struct operand *op, v8::Local<v8::Object> object, struct refusal *refusal)
{
    v8::Local<v8::Value> found, writable;
    bool is_data;

    if (!object->GetOwnPropertyDescriptor(op->context, op->key).ToLocal(&found))
        return false;
    v8::Local<v8::Object> fields = found.As<v8::Object>();
    if (!fields->HasOwnProperty(op->context, text_of("value")).To(&is_data))
        return false;
    if (!is_data)
        *refusal = { ENGINE_ACCESSOR, "the property has accessors" };
    else if (fields->Get(op->context, text_of("writable")).ToLocal(&writable) &&
             !writable->IsTrue())
        *refusal = { ENGINE_BAD_ID, "the property cannot be written" };
    return refusal->why == nullptr;
}

/* Without accessors an own property is changed or made, whatever is inherited. */
static v8::MaybeLocal<v8::Value>
property_set(const struct operand *op, v8::Local<v8::Object> object, struct refusal *refusal)
{
    v8::Local<v8::Value> value = (*op->arguments)[0];
    v8::Maybe<bool> done = v8::Nothing<bool>();
    bool has = true;

    if (!op->accessors && (!object->HasOwnProperty(op->context, op->key).To(&has) ||
                              (has && !is_writable(op, object, refusal))))
        return v8::MaybeLocal<v8::Value>();
    done = has ? object->Set(op->context, op->key, value)
               : object->CreateDataProperty(op->context, op->key, value);
    if (done.IsNothing())
        return v8::MaybeLocal<v8::Value>();
    if (!done.FromJust())
        return refuse(refusal, ENGINE_BAD_ID, "the property cannot be written");
    return v8::Undefined(eng.isolate);
}

static v8::MaybeLocal<v8::Value>
property_delete(const struct operand *op, v8::Local<v8::Object> object)
{
    bool gone;

    if (!object->Delete(op->context, op->key).To(&gone))
        return v8::MaybeLocal<v8::Value>();
    return v8::Boolean::New(eng.isolate, gone);
}

static v8::MaybeLocal<v8::Value>
property_keys(const struct operand *op, v8::Local<v8::Object> object)
{
    v8::Local<v8::Array> keys;

    if (!object
             ->GetOwnPropertyNames(op->context,
                 static_cast<v8::PropertyFilter>(v8::ONLY_ENUMERABLE | v8::SKIP_SYMBOLS),
                 v8::KeyConversionMode::kConvertToString)
             .ToLocal(&keys))
        return v8::MaybeLocal<v8::Value>();
    return keys;
}

static v8::MaybeLocal<v8::Value>
property(enum engine_operation_kind kind, const struct operand *op, struct refusal *refusal)
{
    if (!op->value->IsObject())
        return refuse(
            refusal, ENGINE_BAD_ID, "the reference is to neither object nor function");
    if (op->value->IsProxy() && !op->accessors)
        return refuse(refusal, ENGINE_ACCESSOR, "the reference is to a proxy");
    v8::Local<v8::Object> object = op->value.As<v8::Object>();
    switch (kind) {
    case ENGINE_GET:
        return property_get(op, object);
    case ENGINE_SET:
        return property_set(op, object, refusal);
    case ENGINE_DELETE:
        return property_delete(op, object);
    default:
        return property_keys(op, object);
    }
}

/* --- calls ---------------------------------------------------------------------------- */

static v8::MaybeLocal<v8::Value>
not_callable(const char *what)
{
    eng.isolate->ThrowException(v8::Exception::TypeError(text_of(what)));
    return v8::MaybeLocal<v8::Value>();
}

/* Calls `function` with the arguments from number `from` on. */
static v8::MaybeLocal<v8::Value>
apply(const struct operand *op, v8::Local<v8::Value> function, v8::Local<v8::Value> self,
    size_t from)
{
    auto *arguments = const_cast<v8::Local<v8::Value> *>(op->arguments->data());

    if (!function->IsFunction())
        return not_callable("what was called is not a function");
    return function.As<v8::Function>()->Call(eng.isolate, op->context, self,
        static_cast<int>(op->arguments->size() - from), arguments + from);
}

static v8::MaybeLocal<v8::Value>
call_method(const struct operand *op)
{
    v8::Local<v8::Value> method;
    v8::Local<v8::Object> object;

    if (!op->value->ToObject(op->context).ToLocal(&object) ||
        !object->Get(op->context, op->key).ToLocal(&method))
        return v8::MaybeLocal<v8::Value>();
    return apply(op, method, op->value, 0);
}

static v8::MaybeLocal<v8::Value>
construct(const struct operand *op)
{
    v8::Local<v8::Object> made;
    auto *arguments = const_cast<v8::Local<v8::Value> *>(op->arguments->data());

    if (!op->value->IsFunction())
        return not_callable("what was constructed is not a constructor");
    if (!op->value.As<v8::Function>()
             ->NewInstance(op->context, static_cast<int>(op->arguments->size()), arguments)
             .ToLocal(&made))
        return v8::MaybeLocal<v8::Value>();
    return made;
}

/* --- all ------------------------------------------------------------------------------ */

static v8::MaybeLocal<v8::Value>
perform(enum engine_operation_kind kind, const struct operand *op, struct refusal *refusal)
{
    switch (kind) {
    case ENGINE_COPY:
        return op->value;
    case ENGINE_CALL:
        return apply(op, op->value, v8::Undefined(eng.isolate), 0);
    case ENGINE_CALL_AS:
        return apply(op, op->value, (*op->arguments)[0], 1);
    case ENGINE_CALL_METHOD:
        return call_method(op);
    case ENGINE_CONSTRUCT:
        return construct(op);
    default:
        return property(kind, op, refusal);
    }
}

static void
operate(const struct asked *asked, const struct engine_operation *operation, struct operand *op,
    struct engine_outcome *out)
{
    struct refusal refusal = { ENGINE_VALUE, nullptr };
    guest_entry entry(op->context);
    guest_catch caught;
    v8::LocalVector<v8::Value> arguments(eng.isolate);
    v8::MaybeLocal<v8::Value> result;

    arguments.resize(operation->count);
    op->arguments = &arguments;
    if (!text_new(operation->key).ToLocal(&op->key) ||
        !arguments_read(
            op->context, operation->count, operation->arguments, arguments.data())) {
        arguments_refuse(op->context, caught, out);
    } else {
        {
            stillness still(asked->still);
            result = perform(operation->kind, op, &refusal);
            if (still.blocked(caught))
                refusal = { ENGINE_ACCESSOR, "an accessor or a proxy is in the way" };
        }
        if (refusal.why == nullptr) {
            conclude(op->context, asked, caught, result, out);
            return;
        }
        outcome_message(out, refusal.end, refusal.why);
    }
}

void
engine_operate(uint32_t call, uint32_t flags, const struct engine_operation *operation,
    struct engine_outcome *out)
{
    v8::HandleScope handles(eng.isolate);
    struct operand op = {};
    bool runs = operation->kind > ENGINE_COPY;
    struct asked asked = { reference_context(operation->reference), call, flags,
        !runs && (flags & ENGINE_ACCESSORS) == 0 };
    uint32_t wanted = operation->kind == ENGINE_SET || operation->kind == ENGINE_CALL_AS;

    op.context = context_find(asked.context);
    op.value = reference_find(operation->reference);
    op.accessors = !asked.still;
    if (op.context.IsEmpty() || op.value.IsEmpty())
        outcome_message(out, ENGINE_BAD_ID, "no such reference");
    else if (operation->count > ARGUMENTS_MAX + 1 || operation->count < wanted)
        outcome_message(out, ENGINE_TOO_BIG, "too many arguments, or too few");
    else
        operate(&asked, operation, &op, out);
}
