/* render_look.cc - what an object is called and which properties it has, without asking it.
 *
 * Everything goes through own property descriptors along the prototype chain. A proxy has
 * neither here: its traps would be guest code.
 */
#include "engine/render.h"

#include "base/limits.h"

#include <algorithm>
#include <utility>

v8::Local<v8::String>
key_of(struct render *r, const char *name)
{
    v8::Local<v8::String> key;

    if (!v8::String::NewFromUtf8(r->isolate, name, v8::NewStringType::kInternalized)
             .ToLocal(&key))
        return v8::String::Empty(r->isolate);
    return key;
}

/* A field of a descriptor: an own data property of a fresh plain object. Not asked for without
 * being sure that it is there: a guest can give Object.prototype a `get`. */
static v8::Local<v8::Value>
field_of(struct render *r, v8::Local<v8::Object> descriptor, const char *name)
{
    v8::Local<v8::String> key = key_of(r, name);
    v8::Local<v8::Value> value;

    if (!descriptor->HasOwnProperty(r->context, key).FromMaybe(false) ||
        !descriptor->Get(r->context, key).ToLocal(&value))
        return v8::Local<v8::Value>();
    return value;
}

static bool
flag_of(struct render *r, v8::Local<v8::Object> descriptor, const char *name)
{
    v8::Local<v8::Value> value = field_of(r, descriptor, name);

    return !value.IsEmpty() && value->IsTrue();
}

bool
own_property(struct render *r, v8::Local<v8::Object> object, v8::Local<v8::Name> key,
    struct property *out)
{
    v8::Local<v8::Value> found;

    if (object->IsProxy() ||
        !object->GetOwnPropertyDescriptor(r->context, key).ToLocal(&found) ||
        !found->IsObject())
        return false;
    v8::Local<v8::Object> descriptor = found.As<v8::Object>();
    *out = {};
    out->enumerable = flag_of(r, descriptor, "enumerable");
    out->writable = flag_of(r, descriptor, "writable");
    out->value = field_of(r, descriptor, "value");
    if (out->value.IsEmpty()) {
        out->get = field_of(r, descriptor, "get");
        out->set = field_of(r, descriptor, "set");
    }
    return true;
}

/* The next object of a prototype chain; false at its end, and where only guest code knows. */
static bool
step_up(v8::Local<v8::Object> *object)
{
    if ((*object)->IsProxy())
        return false;
    v8::Local<v8::Value> next = (*object)->GetPrototypeV2();
    if (!next->IsObject() || next->IsProxy())
        return false;
    *object = next.As<v8::Object>();
    return true;
}

enum found
find_property(struct render *r, v8::Local<v8::Object> object, v8::Local<v8::Name> key,
    struct property *out)
{
    for (int steps = 0; steps < CONSOLE_CHAIN_MAX; steps++) {
        if (own_property(r, object, key, out))
            return out->value.IsEmpty() ? FOUND_ACCESSOR : FOUND_DATA;
        if (!step_up(&object))
            return object->GetPrototypeV2()->IsNull() ? FOUND_NOTHING : FOUND_GUEST_CODE;
    }
    return FOUND_GUEST_CODE;
}

bool
find_text(struct render *r, v8::Local<v8::Object> object, const char *key, wide *out)
{
    struct property p;

    if (find_property(r, object, key_of(r, key), &p) != FOUND_DATA || !p.value->IsString())
        return false;
    *out = wide_of(r->isolate, p.value.As<v8::String>(), CONSOLE_STRING_MAX);
    return true;
}

std::vector<v8::Local<v8::Name>>
own_keys(struct render *r, v8::Local<v8::Object> object, bool indices)
{
    std::vector<v8::Local<v8::Name>> keys;
    v8::Local<v8::Array> names;
    auto filter = r->options.hidden ? v8::ALL_PROPERTIES : v8::ONLY_ENUMERABLE;
    auto index = indices ? v8::IndexFilter::kIncludeIndices : v8::IndexFilter::kSkipIndices;

    if (object->IsProxy())
        return keys;
    if (!object
             ->GetPropertyNames(r->context, v8::KeyCollectionMode::kOwnOnly, filter, index,
                 v8::KeyConversionMode::kConvertToString)
             .ToLocal(&names)) {
        /* A module's namespace that isn't evaluated yet can't say what is enumerable. */
        filter = v8::SKIP_SYMBOLS;
        if (!object
                 ->GetPropertyNames(r->context, v8::KeyCollectionMode::kOwnOnly, filter, index,
                     v8::KeyConversionMode::kConvertToString)
                 .ToLocal(&names))
            return keys;
    }
    /* Each key costs a character at least, so those past `left` could not be shown. */
    uint32_t count = static_cast<uint32_t>(std::min<size_t>(names->Length(), r->left + 1));
    for (uint32_t i = 0; i < count; i++) {
        v8::Local<v8::Value> key;
        if (names->Get(r->context, i).ToLocal(&key) && key->IsName())
            keys.push_back(key.As<v8::Name>());
    }
    return keys;
}

/* --- names ---------------------------------------------------------------------------- */

/* What `object instanceof function` says where nobody overrides it. */
static bool
made_by_function(struct render *r, v8::Local<v8::Object> object, v8::Local<v8::Object> function)
{
    struct property prototype;

    if (!own_property(r, function, key_of(r, "prototype"), &prototype) ||
        prototype.value.IsEmpty())
        return false;
    for (int steps = 0; steps < CONSOLE_CHAIN_MAX && step_up(&object); steps++)
        if (object->StrictEquals(prototype.value))
            return true;
    return false;
}

/* The name of the constructor that `level_object` of the chain of `object` names. */
static bool
constructor_here(struct render *r, v8::Local<v8::Object> level_object,
    v8::Local<v8::Object> object, wide *name)
{
    struct property p;

    return own_property(r, level_object, key_of(r, "constructor"), &p) && !p.value.IsEmpty() &&
           p.value->IsFunction() && find_text(r, p.value.As<v8::Object>(), "name", name) &&
           !name->empty() && made_by_function(r, object, p.value.As<v8::Object>());
}

/* A prototype that has no constructor to name: shown itself, closed. */
static wide
bare_prototype(struct render *r, v8::Local<v8::Object> prototype)
{
    struct render_options options = r->options;

    std::swap(r->options, options);
    r->options.depth = -1;
    wide text = render_value(r, prototype);
    std::swap(r->options, options);
    return text;
}

struct constructor
constructor_of(struct render *r, v8::Local<v8::Object> object, int level)
{
    struct constructor made_by = { false, {} };
    v8::Local<v8::Object> at = object;

    for (int steps = 0; steps < CONSOLE_CHAIN_MAX; steps++) {
        if (constructor_here(r, at, object, &made_by.name))
            return made_by;
        if (!step_up(&at))
            break;
    }
    at = object;
    if (!step_up(&at)) {
        made_by.none = object->GetPrototypeV2()->IsNull();
        made_by.name = wide_of(r->isolate, object->GetConstructorName(), CONSOLE_STRING_MAX);
        return made_by;
    }
    made_by.name = wide_of(r->isolate, object->GetConstructorName(), CONSOLE_STRING_MAX);
    if (level > r->options.depth) {
        made_by.name += u" <Complex prototype>";
        return made_by;
    }
    struct constructor above = constructor_of(r, at, level + 1);
    made_by.name += u" <" + (above.none ? bare_prototype(r, at) : above.name) + u">";
    return made_by;
}

wide
tag_of(struct render *r, v8::Local<v8::Object> object)
{
    v8::Local<v8::Name> key = v8::Symbol::GetToStringTag(r->isolate);
    struct property p;
    enum found found = find_property(r, object, key, &p);

    /* The one accessor of the language itself; a guest's is left alone. */
    if (found == FOUND_ACCESSOR && object->IsTypedArray())
        return typed_array_name(object);
    if (found != FOUND_DATA || !p.value->IsString())
        return wide();
    /* One that is shown as a property needs no mention. */
    struct property own;
    if (own_property(r, object, key, &own) && (r->options.hidden || own.enumerable))
        return wide();
    return wide_of(r->isolate, p.value.As<v8::String>(), CONSOLE_STRING_MAX);
}

wide
prefix_of(
    const struct constructor &made_by, const wide &tag, const wide &fallback, const wide &size)
{
    if (made_by.none) {
        wide text = u"[" + fallback + size + u": null prototype] ";
        return tag.empty() || tag == fallback ? text : text + u"[" + tag + u"] ";
    }
    if (tag.empty())
        return made_by.name + size + u" ";
    /* "Intl.Collator" is the tag of what Collator makes. */
    size_t dot = tag.rfind(u'.');
    if (made_by.name == (dot != wide::npos && dot >= 1 ? tag.substr(dot + 1) : tag))
        return tag + size + u" ";
    return made_by.name + size + u" [" + tag + u"] ";
}
