/* render_value.cc - one value: which kind it is, and how its parts are put together. */
#include "engine/render.h"

#include "base/limits.h"

#include <algorithm>
#include <cmath>

const struct render_options render_defaults = { CONSOLE_DEPTH, CONSOLE_ITEMS, 80, false,
    false };

/* Strings longer than this may be broken at their line ends. */
#define STRING_UNBROKEN 16

render_scope::render_scope(v8::Local<v8::Context> context, const struct render_options &options)
    : caught(v8::Isolate::GetCurrent()),
      quiet(v8::Isolate::GetCurrent(),
          v8::Isolate::DisallowJavascriptExecutionScope::THROW_ON_FAILURE),
      r{ v8::Isolate::GetCurrent(), context, options, 0, 0, RENDER_UNITS_MAX, {}, {} }
{
}

/* --- primitives ----------------------------------------------------------------------- */

static wide
string_lines(struct render *r, const wide &text)
{
    wide out;
    size_t at = 0;

    while (at < text.size()) {
        size_t end = text.find(u'\n', at);
        end = end == wide::npos ? text.size() : end + 1;
        if (at > 0)
            out += u" +\n" + wide(r->indent + 2, u' ');
        out += quoted(text.substr(at, end - at));
        at = end;
    }
    return out;
}

static wide
render_string(struct render *r, v8::Local<v8::String> string)
{
    size_t length = static_cast<size_t>(string->Length());
    wide text = wide_of(r->isolate, string, CONSOLE_STRING_MAX);
    wide trailer;

    if (length > CONSOLE_STRING_MAX) {
        size_t cut = length - CONSOLE_STRING_MAX;
        trailer =
            u"... " + wide_number(cut) + (cut > 1 ? u" more characters" : u" more character");
    }
    bool broken = text.size() > STRING_UNBROKEN && r->options.columns != RENDER_NO_BREAK &&
                  text.size() + r->indent + 4 > r->options.columns;
    return (broken ? string_lines(r, text) : quoted(text)) + trailer;
}

static wide
render_bigint(struct render *r, v8::Local<v8::BigInt> number)
{
    v8::Local<v8::String> digits;
    size_t bits = static_cast<size_t>(number->WordCount()) * 64;

    if (bits > CONSOLE_BIGINT_BITS)
        return u"<BigInt of about " + wide_number(bits) + u" bits>";
    if (!number->ToString(r->context).ToLocal(&digits))
        return u"<BigInt>";
    return wide_of(r->isolate, digits, RENDER_UNITS_MAX) + u"n";
}

static wide
render_symbol(struct render *r, v8::Local<v8::Symbol> symbol)
{
    v8::Local<v8::Value> name = symbol->Description(r->isolate);

    return u"Symbol(" +
           (name->IsString() ? wide_of(r->isolate, name.As<v8::String>(), CONSOLE_STRING_MAX)
                             : wide()) +
           u")";
}

static wide
render_primitive(struct render *r, v8::Local<v8::Value> value)
{
    v8::Local<v8::String> text;

    if (value->IsString())
        return render_string(r, value.As<v8::String>());
    if (value->IsSymbol())
        return render_symbol(r, value.As<v8::Symbol>());
    if (value->IsBigInt())
        return render_bigint(r, value.As<v8::BigInt>());
    if (value->IsNumber() && value.As<v8::Number>()->Value() == 0 &&
        std::signbit(value.As<v8::Number>()->Value()))
        return u"-0";
    /* undefined, null, booleans, numbers: their conversion is V8's own. */
    if (!value->ToString(r->context).ToLocal(&text))
        return wide();
    return wide_of(r->isolate, text, CONSOLE_STRING_MAX);
}

/* --- properties ----------------------------------------------------------------------- */

static wide
property_name(struct render *r, v8::Local<v8::Name> key)
{
    if (key->IsSymbol())
        return escaped(render_symbol(r, key.As<v8::Symbol>()));
    wide name = wide_of(r->isolate, key.As<v8::String>(), CONSOLE_STRING_MAX);
    if (name == u"__proto__")
        return u"['__proto__']";
    bool plain = !name.empty() && !(name[0] >= u'0' && name[0] <= u'9');
    for (char16_t c : name)
        plain = plain && ((c >= u'a' && c <= u'z') || (c >= u'A' && c <= u'Z') || c == u'_' ||
                             (c >= u'0' && c <= u'9'));
    return plain ? name : quoted(name);
}

static bool
is_there(v8::Local<v8::Value> accessor)
{
    return !accessor.IsEmpty() && !accessor->IsUndefined();
}

wide
render_property(struct render *r, v8::Local<v8::Name> key, const struct property &p, int level,
    enum item_kind kind)
{
    wide text;

    if (!p.value.IsEmpty()) {
        r->indent += 2;
        text = render_value(r, p.value, level);
        r->indent -= 2;
    } else if (is_there(p.get)) {
        text = is_there(p.set) ? u"[Getter/Setter]" : u"[Getter]";
    } else {
        text = is_there(p.set) ? u"[Setter]" : u"undefined";
    }
    if (kind == ITEM_ELEMENT)
        return text;
    wide name = property_name(r, key);
    if (!p.enumerable)
        name = u"[" + name + u"]";
    return render_take(r, name) + u": " + text;
}

static void
render_keys(struct render *r, v8::Local<v8::Object> object, int level, struct shape *s)
{
    for (v8::Local<v8::Name> key : s->keys) {
        struct property p;
        if (r->left == 0)
            return;
        if (own_property(r, object, key, &p))
            s->items.push_back(render_property(r, key, p, level, ITEM_PROPERTY));
        else if (object->IsModuleNamespaceObject())
            s->items.push_back(property_name(r, key) + u": <uninitialized>");
    }
}

/* --- objects -------------------------------------------------------------------------- */

typedef void render_items(
    struct render *r, v8::Local<v8::Object> object, int level, struct shape *s);

/* What an object looks like, before its items are made. */
struct look {
    struct shape shape;
    render_items *items = nullptr; /* what it holds besides properties */
    bool finished = false;         /* without keys that is all: the base, or empty braces */
    bool flat = false;             /* so it is at the deepest level, with keys too */
};

template <typename T, void (*render_it)(struct render *, v8::Local<T>, int, struct shape *)>
static void
items_of(struct render *r, v8::Local<v8::Object> object, int level, struct shape *s)
{
    render_it(r, object.As<T>(), level, s);
}

static wide
size_text(size_t size)
{
    return u"(" + wide_number(size) + u")";
}

static void
items_sorted(struct render *r, v8::Local<v8::Object> object, int level, struct shape *s)
{
    render_entries(r, object, level, true, s);
}

static void
items_in_order(struct render *r, v8::Local<v8::Object> object, int level, struct shape *s)
{
    render_entries(r, object, level, false, s);
}

static void
items_unknown(struct render *, v8::Local<v8::Object>, int, struct shape *s)
{
    s->items.push_back(u"<items unknown>");
}

/* Arrays, sets, maps, typed arrays and iterators; false for all others. */
static bool
look_iterable(struct render *r, v8::Local<v8::Object> object, const struct constructor &made_by,
    const wide &tag, struct look *look)
{
    struct shape *s = &look->shape;

    if (object->IsArray()) {
        uint32_t length = object.As<v8::Array>()->Length();
        wide prefix = made_by.none || made_by.name != u"Array" || !tag.empty()
                          ? prefix_of(made_by, tag, u"Array", size_text(length))
                          : wide();
        *look = { { {}, prefix + u"[", u"]", own_keys(r, object, false), {}, true },
            items_of<v8::Array, render_array> };
        look->finished = length == 0;
    } else if (object->IsSet()) {
        size_t size = object.As<v8::Set>()->Size();
        s->open = prefix_of(made_by, tag, u"Set", size_text(size)) + u"{";
        look->items = items_of<v8::Set, render_set>;
        look->finished = size == 0;
    } else if (object->IsMap()) {
        size_t size = object.As<v8::Map>()->Size();
        s->open = prefix_of(made_by, tag, u"Map", size_text(size)) + u"{";
        look->items = items_of<v8::Map, render_map>;
        look->finished = size == 0;
    } else if (object->IsTypedArray()) {
        size_t length = object.As<v8::TypedArray>()->Length();
        wide fallback = made_by.none ? wide(typed_array_name(object)) : wide();
        *look = { { {}, prefix_of(made_by, tag, fallback, size_text(length)) + u"[", u"]",
                      own_keys(r, object, false), {}, true },
            items_of<v8::TypedArray, render_typed_array> };
        look->finished = length == 0 && !r->options.hidden;
    } else if (object->IsMapIterator() || object->IsSetIterator()) {
        wide name = object->IsMapIterator() ? u"Map Iterator" : u"Set Iterator";
        s->open = u"[" + (tag == name || tag.empty() ? name : tag + u"] [" + name) + u"] {";
        look->items = items_in_order;
    } else {
        return false;
    }
    return true;
}

/* Those that are mostly a text of their own: functions, dates, regular expressions, errors and
 * boxed primitives. */
static bool
look_text(struct render *r, v8::Local<v8::Object> object, const struct constructor &made_by,
    const wide &tag, struct look *look)
{
    struct shape *s = &look->shape;
    wide prefix;

    if (object->IsRegExp()) {
        prefix = prefix_of(made_by, tag, u"RegExp");
        s->base = render_regexp(r, object.As<v8::RegExp>());
        if (prefix != u"RegExp ")
            s->base = prefix + s->base;
        look->flat = true;
    } else if (object->IsDate()) {
        prefix = prefix_of(made_by, tag, u"Date");
        s->base = render_date(r, object.As<v8::Date>());
        if (prefix != u"Date ")
            s->base = prefix + s->base;
    } else if (object->IsNativeError()) {
        s->base = render_error(r, object, made_by, tag, &s->keys);
    } else if (object->IsNumberObject() || object->IsStringObject() ||
               object->IsBooleanObject() || object->IsBigIntObject() ||
               object->IsSymbolObject()) {
        if (object->IsStringObject())
            s->keys = own_keys(r, object, false); /* not its characters again */
        s->base = render_boxed(r, object, made_by, tag);
    } else {
        return false;
    }
    look->finished = true;
    return true;
}

static bool
look_container(struct render *r, v8::Local<v8::Object> object,
    const struct constructor &made_by, const wide &tag, struct look *look)
{
    const char16_t *name;

    if (object->IsArrayBuffer() || object->IsSharedArrayBuffer()) {
        name = object->IsArrayBuffer() ? u"ArrayBuffer" : u"SharedArrayBuffer";
        look->items = items_of<v8::Value, render_buffer>;
    } else if (object->IsDataView()) {
        name = u"DataView";
        look->items = items_of<v8::ArrayBufferView, render_view>;
    } else if (object->IsPromise()) {
        name = u"Promise";
        look->items = items_of<v8::Promise, render_promise>;
    } else if (object->IsWeakSet() || object->IsWeakMap()) {
        name = object->IsWeakSet() ? u"WeakSet" : u"WeakMap";
        look->items = r->options.hidden ? items_sorted : items_unknown;
    } else if (object->IsModuleNamespaceObject()) {
        name = u"Module";
    } else {
        return false;
    }
    look->shape.open = prefix_of(made_by, tag, name) + u"{";
    return true;
}

/* The prefix of an object of no particular kind. */
static wide
plain_prefix(v8::Isolate *isolate, v8::Local<v8::Object> object,
    const struct constructor &made_by, const wide &tag)
{
    wide fallback;

    if (made_by.none) {
        fallback = wide_of(isolate, object->GetConstructorName(), CONSOLE_STRING_MAX);
        if (fallback == tag)
            fallback = u"Object";
    }
    return prefix_of(made_by, tag, fallback);
}

static void
look_at(struct render *r, v8::Local<v8::Object> object, const struct constructor &made_by,
    const wide &tag, struct look *look)
{
    struct shape *s = &look->shape;

    s->open = u"{";
    s->close = u"}";
    if (!object->IsArray() && !object->IsTypedArray() && !object->IsStringObject())
        s->keys = own_keys(r, object, true);
    if (look_iterable(r, object, made_by, tag, look))
        return;
    if (object->IsFunction()) {
        s->base = render_function(r, object.As<v8::Function>(), made_by, tag);
        look->finished = true;
    } else if (!made_by.none && made_by.name == u"Object") {
        if (object->IsArgumentsObject())
            s->open = u"[Arguments] {";
        else if (!tag.empty())
            s->open = prefix_of(made_by, tag, u"Object") + u"{";
        look->finished = s->keys.empty();
    } else if (!look_text(r, object, made_by, tag, look) &&
               !look_container(r, object, made_by, tag, look)) {
        s->open = plain_prefix(r->isolate, object, made_by, tag) + u"{";
        look->finished = s->keys.empty();
    }
}

/* <ref *1> before what something inside of it points back to. */
static void
mark_circular(struct render *r, v8::Local<v8::Object> object, struct shape *s)
{
    for (size_t i = 0; i < r->circular.size(); i++)
        if (r->circular[i] == object) {
            wide mark = u"<ref *" + wide_number(i + 1) + u">";
            s->base = s->base.empty() ? mark : mark + u" " + s->base;
        }
}

static wide
render_object(struct render *r, v8::Local<v8::Object> object, int level)
{
    struct constructor made_by = constructor_of(r, object, level);
    wide tag = tag_of(r, object);
    struct look look;

    look_at(r, object, made_by, tag, &look);
    struct shape *s = &look.shape;
    if (look.finished && s->keys.empty())
        return render_take(r, s->base.empty() ? s->open + s->close : s->base);
    if (level > r->options.depth) {
        if (look.flat)
            return render_take(r, s->base);
        wide name = plain_prefix(r->isolate, object, made_by, tag);
        name.pop_back();
        return render_take(r, made_by.none ? name : u"[" + name + u"]");
    }
    r->open.push_back(object);
    r->deepest = level + 1;
    (void)render_take(r, s->open + s->base);
    if (look.items != nullptr)
        look.items(r, object, level + 1, s);
    render_keys(r, object, level + 1, s);
    mark_circular(r, object, s);
    r->open.pop_back();
    return render_layout(r, s, level + 1, object);
}

/* --- any value ------------------------------------------------------------------------ */

static bool
is_open(const struct render *r, v8::Local<v8::Value> value)
{
    for (v8::Local<v8::Object> each : r->open)
        if (each == value)
            return true;
    return false;
}

static wide
circular(struct render *r, v8::Local<v8::Object> object)
{
    size_t index = 0;

    while (index < r->circular.size() && !(r->circular[index] == object))
        index++;
    if (index == r->circular.size())
        r->circular.push_back(object);
    return u"[Circular *" + wide_number(index + 1) + u"]";
}

static wide
proxy_parts(struct render *r, v8::Local<v8::Proxy> proxy, int level)
{
    if (proxy->IsRevoked())
        return u"<Revoked Proxy>";
    if (level > r->options.depth)
        return u"Proxy [Array]";
    struct shape s = { {}, u"Proxy [", u"]", {}, {}, true };
    r->indent += 2;
    r->deepest = level + 1;
    s.items.push_back(render_value(r, proxy->GetTarget(), level + 1));
    s.items.push_back(render_value(r, proxy->GetHandler(), level + 1));
    r->indent -= 2;
    return render_layout(r, &s, level + 1, v8::Local<v8::Object>());
}

/* A proxy as its target, which is looked at behind the back of its traps. */
static wide
proxy_target(struct render *r, v8::Local<v8::Proxy> proxy, int level)
{
    v8::Local<v8::Value> value = proxy;
    size_t proxies = 0;
    wide text;

    while (value->IsProxy() && !value.As<v8::Proxy>()->IsRevoked() &&
           proxies < CONSOLE_CHAIN_MAX) {
        proxies++;
        value = value.As<v8::Proxy>()->GetTarget();
    }
    if (is_open(r, value))
        return render_value(r, value, level);
    if (!value->IsProxy())
        text = render_value(r, value, level);
    else
        text = value.As<v8::Proxy>()->IsRevoked() ? u"<Revoked Proxy>" : u"...";
    wide out;
    for (size_t i = 0; i < proxies; i++)
        out += u"Proxy(";
    out += text;
    out.append(proxies, u')');
    return out;
}

wide
render_value(struct render *r, v8::Local<v8::Value> value, int level)
{
    if (r->left == 0)
        return wide();
    if (!value->IsObject())
        return render_take(r, render_primitive(r, value));
    v8::Local<v8::Object> object = value.As<v8::Object>();
    if (object->IsProxy())
        return render_take(r, r->options.proxies
                                  ? proxy_parts(r, object.As<v8::Proxy>(), level)
                                  : proxy_target(r, object.As<v8::Proxy>(), level));
    if (is_open(r, object))
        return render_take(r, circular(r, object));
    return render_object(r, object, level);
}
