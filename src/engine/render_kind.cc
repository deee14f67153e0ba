/* render_kind.cc - what each kind of object holds, out of its internal slots. */
#include "engine/render.h"

#include "base/limits.h"

#include <algorithm>
#include <iterator>

wide
more_items(size_t count)
{
    return u"... " + wide_number(count) + (count > 1 ? u" more items" : u" more item");
}

/* --- arrays --------------------------------------------------------------------------- */

static wide
empty_items(size_t count)
{
    return u"<" + wide_number(count) + (count > 1 ? u" empty items>" : u" empty item>");
}

static bool
element(struct render *r, v8::Local<v8::Object> array, uint32_t index, int level, wide *out)
{
    v8::Local<v8::String> key;
    struct property p;

    if (!v8::Integer::NewFromUnsigned(r->isolate, index)->ToString(r->context).ToLocal(&key) ||
        !own_property(r, array, key, &p))
        return false;
    *out = render_property(r, key, p, level, ITEM_ELEMENT);
    return true;
}

/* From the hole at `index` on, by the indices that there are. */
static void
render_sparse(
    struct render *r, v8::Local<v8::Array> array, uint32_t index, int level, struct shape *s)
{
    v8::Local<v8::Array> keys;
    uint32_t length = array->Length();
    auto filter = static_cast<v8::PropertyFilter>(v8::ONLY_ENUMERABLE | v8::SKIP_SYMBOLS);

    if (!array
             ->GetPropertyNames(r->context, v8::KeyCollectionMode::kOwnOnly, filter,
                 v8::IndexFilter::kIncludeIndices, v8::KeyConversionMode::kKeepNumbers)
             .ToLocal(&keys))
        return;
    for (uint32_t i = index; i < keys->Length() && s->items.size() < r->options.items; i++) {
        v8::Local<v8::Value> key;
        wide text;
        if (r->left == 0 || !keys->Get(r->context, i).ToLocal(&key) || !key->IsUint32())
            break;
        uint32_t at = key.As<v8::Uint32>()->Value();
        if (at > index)
            s->items.push_back(render_take(r, empty_items(at - index)));
        index = at;
        if (s->items.size() >= r->options.items)
            break;
        if (element(r, array, at, level, &text))
            s->items.push_back(text);
        index++;
    }
    if (length > index)
        s->items.push_back(s->items.size() < r->options.items ? empty_items(length - index)
                                                              : more_items(length - index));
}

void
render_array(struct render *r, v8::Local<v8::Array> array, int level, struct shape *s)
{
    uint32_t length = array->Length(), count = std::min(length, r->options.items);

    for (uint32_t i = 0; i < count && r->left > 0; i++) {
        wide text;
        if (!element(r, array, i, level, &text)) {
            render_sparse(r, array, i, level, s);
            return;
        }
        s->items.push_back(std::move(text));
    }
    if (length > count)
        s->items.push_back(more_items(length - count));
}

struct typed_kind {
    bool (v8::Value::*is)() const;
    const char16_t *name;
    size_t element_bytes;
};

static const struct typed_kind &
typed_kind_of(v8::Local<v8::Value> array)
{
    static const struct typed_kind kinds[] = {
        { &v8::Value::IsUint8Array, u"Uint8Array", 1 },
        { &v8::Value::IsUint8ClampedArray, u"Uint8ClampedArray", 1 },
        { &v8::Value::IsInt8Array, u"Int8Array", 1 },
        { &v8::Value::IsUint16Array, u"Uint16Array", 2 },
        { &v8::Value::IsInt16Array, u"Int16Array", 2 },
        { &v8::Value::IsUint32Array, u"Uint32Array", 4 },
        { &v8::Value::IsInt32Array, u"Int32Array", 4 },
        { &v8::Value::IsFloat16Array, u"Float16Array", 2 },
        { &v8::Value::IsFloat32Array, u"Float32Array", 4 },
        { &v8::Value::IsFloat64Array, u"Float64Array", 8 },
        { &v8::Value::IsBigInt64Array, u"BigInt64Array", 8 },
        { &v8::Value::IsBigUint64Array, u"BigUint64Array", 8 },
        { &v8::Value::IsTypedArray, u"TypedArray", 1 },
    };
    const struct typed_kind *kind = kinds;

    while (kind != std::end(kinds) - 1 && !((**array).*kind->is)())
        kind++;
    return *kind;
}

const char16_t *
typed_array_name(v8::Local<v8::Value> array)
{
    return typed_kind_of(array).name;
}

static void
named_item(struct render *r, const char16_t *name, v8::Local<v8::Value> value, int level,
    struct shape *s)
{
    r->indent += 2;
    s->items.push_back(u"[" + wide(name) + u"]: " + render_value(r, value, level));
    r->indent -= 2;
}

static void
named_number(struct render *r, const char16_t *name, size_t number, int level, struct shape *s)
{
    named_item(r, name, v8::Number::New(r->isolate, static_cast<double>(number)), level, s);
}

/* A view's buffer is one of its properties only in passing: closed, with its size. */
static void
named_buffer(struct render *r, v8::Local<v8::ArrayBufferView> view, struct shape *s)
{
    v8::Local<v8::ArrayBuffer> buffer = view->Buffer();
    struct constructor made_by = constructor_of(r, buffer, 0);

    s->items.push_back(u"[buffer]: " + prefix_of(made_by, tag_of(r, buffer), u"ArrayBuffer") +
                       u"{ [byteLength]: " + wide_number(buffer->ByteLength()) + u" }");
}

void
render_typed_array(
    struct render *r, v8::Local<v8::TypedArray> array, int level, struct shape *s)
{
    size_t length = array->Length(), count = std::min<size_t>(length, r->options.items);

    for (size_t i = 0; i < count && r->left > 0; i++) {
        v8::Local<v8::Value> number;
        if (array->Get(r->context, static_cast<uint32_t>(i)).ToLocal(&number))
            s->items.push_back(render_value(r, number, level));
    }
    if (length > count)
        s->items.push_back(more_items(length - count));
    if (!r->options.hidden)
        return;
    named_number(r, u"BYTES_PER_ELEMENT", typed_kind_of(array).element_bytes, level, s);
    named_number(r, u"length", length, level, s);
    named_number(r, u"byteLength", array->ByteLength(), level, s);
    named_number(r, u"byteOffset", array->ByteOffset(), level, s);
    named_buffer(r, array, s);
}

/* --- collections ---------------------------------------------------------------------- */

static v8::Local<v8::Value>
at(struct render *r, v8::Local<v8::Array> array, uint32_t index)
{
    v8::Local<v8::Value> value;

    if (!array->Get(r->context, index).ToLocal(&value))
        return v8::Undefined(r->isolate);
    return value;
}

void
render_set(struct render *r, v8::Local<v8::Set> set, int level, struct shape *s)
{
    size_t size = set->Size(), count = std::min<size_t>(size, r->options.items);

    if (size > CONSOLE_ENTRIES_MAX) {
        s->items.push_back(more_items(size));
        return;
    }
    v8::Local<v8::Array> values = set->AsArray();
    r->indent += 2;
    for (uint32_t i = 0; i < count && r->left > 0; i++)
        s->items.push_back(render_value(r, at(r, values, i), level));
    r->indent -= 2;
    if (size > count)
        s->items.push_back(more_items(size - count));
}

static wide
map_entry(struct render *r, v8::Local<v8::Array> pairs, uint32_t i, int level)
{
    wide key = render_value(r, at(r, pairs, 2 * i), level);

    return key + u" => " + render_value(r, at(r, pairs, 2 * i + 1), level);
}

void
render_map(struct render *r, v8::Local<v8::Map> map, int level, struct shape *s)
{
    size_t size = map->Size(), count = std::min<size_t>(size, r->options.items);

    if (size > CONSOLE_ENTRIES_MAX) {
        s->items.push_back(more_items(size));
        return;
    }
    v8::Local<v8::Array> pairs = map->AsArray();
    r->indent += 2;
    for (uint32_t i = 0; i < count && r->left > 0; i++)
        s->items.push_back(map_entry(r, pairs, i, level));
    r->indent -= 2;
    if (size > count)
        s->items.push_back(more_items(size - count));
}

/* A pair of an entries() iterator, as an array of two. */
static wide
pair_item(struct render *r, v8::Local<v8::Array> pairs, uint32_t i, int level)
{
    struct shape pair = { {}, u"[", u"]", {}, {}, true };

    pair.items.push_back(render_value(r, at(r, pairs, 2 * i), level));
    pair.items.push_back(render_value(r, at(r, pairs, 2 * i + 1), level));
    return render_layout(r, &pair, level, v8::Local<v8::Object>());
}

/* What iterators and weak collections hold, without taking anything from them. */
void
render_entries(
    struct render *r, v8::Local<v8::Object> object, int level, bool weak, struct shape *s)
{
    bool pairs = false;
    v8::Local<v8::Array> entries;

    if (!object->PreviewEntries(&pairs).ToLocal(&entries))
        return;
    uint32_t size = entries->Length() / (pairs ? 2 : 1);
    uint32_t count = std::min(size, r->options.items);
    if (pairs && !weak)
        s->open.replace(s->open.rfind(u"Iterator"), 8, u"Entries");
    r->indent += 2;
    for (uint32_t i = 0; i < count && r->left > 0; i++)
        if (!pairs)
            s->items.push_back(render_value(r, at(r, entries, i), level));
        else
            s->items.push_back(
                weak ? map_entry(r, entries, i, level) : pair_item(r, entries, i, level));
    r->indent -= 2;
    /* Weak ones have no order of their own. */
    if (weak)
        std::sort(s->items.begin(), s->items.end());
    if (size > count)
        s->items.push_back(more_items(size - count));
}

/* --- buffers -------------------------------------------------------------------------- */

static wide
bytes_text(const uint8_t *bytes, size_t size, size_t shown)
{
    static const char16_t digits[] = u"0123456789abcdef";
    wide text;

    for (size_t i = 0; i < std::min(size, shown); i++) {
        if (i > 0)
            text += u' ';
        text += digits[bytes[i] >> 4];
        text += digits[bytes[i] & 15];
    }
    if (size > shown)
        text += u" ... " + wide_number(size - shown) +
                (size - shown > 1 ? u" more bytes" : u" more byte");
    return text;
}

void
render_buffer(struct render *r, v8::Local<v8::Value> buffer, int level, struct shape *s)
{
    bool detached = false;
    size_t size;
    const void *bytes;

    if (buffer->IsArrayBuffer()) {
        detached = buffer.As<v8::ArrayBuffer>()->WasDetached();
        size = buffer.As<v8::ArrayBuffer>()->ByteLength();
        bytes = buffer.As<v8::ArrayBuffer>()->Data();
    } else {
        size = buffer.As<v8::SharedArrayBuffer>()->ByteLength();
        bytes = buffer.As<v8::SharedArrayBuffer>()->Data();
    }
    s->items.push_back(
        detached ? wide(u"(detached)")
                 : u"[Uint8Contents]: <" +
                       bytes_text(static_cast<const uint8_t *>(bytes), size, r->options.items) +
                       u">");
    named_number(r, u"byteLength", size, level, s);
}

void
render_view(struct render *r, v8::Local<v8::ArrayBufferView> view, int level, struct shape *s)
{
    named_number(r, u"byteLength", view->ByteLength(), level, s);
    named_number(r, u"byteOffset", view->ByteOffset(), level, s);
    named_item(r, u"buffer", view->Buffer(), level, s);
}

/* --- others --------------------------------------------------------------------------- */

void
render_promise(struct render *r, v8::Local<v8::Promise> promise, int level, struct shape *s)
{
    if (promise->State() == v8::Promise::kPending) {
        s->items.push_back(u"<pending>");
        return;
    }
    r->indent += 2;
    wide text = render_value(r, promise->Result(), level);
    r->indent -= 2;
    s->items.push_back(
        promise->State() == v8::Promise::kRejected ? u"<rejected> " + text : text);
}

wide
render_date(struct render *r, v8::Local<v8::Date> date)
{
    if (date->ValueOf() != date->ValueOf())
        return u"Invalid Date";
    return wide_of(r->isolate, date->ToISOString(), CONSOLE_STRING_MAX);
}

wide
render_regexp(struct render *r, v8::Local<v8::RegExp> regexp)
{
    static const struct {
        v8::RegExp::Flags flag;
        char16_t letter;
    } letters[] = { { v8::RegExp::kHasIndices, u'd' }, { v8::RegExp::kGlobal, u'g' },
        { v8::RegExp::kIgnoreCase, u'i' }, { v8::RegExp::kLinear, u'l' },
        { v8::RegExp::kMultiline, u'm' }, { v8::RegExp::kDotAll, u's' },
        { v8::RegExp::kUnicode, u'u' }, { v8::RegExp::kUnicodeSets, u'v' },
        { v8::RegExp::kSticky, u'y' } };
    wide text = u"/" + wide_of(r->isolate, regexp->GetSource(), CONSOLE_STRING_MAX) + u"/";

    for (const auto &each : letters)
        if ((regexp->GetFlags() & each.flag) != 0)
            text += each.letter;
    return text;
}

wide
render_boxed(struct render *r, v8::Local<v8::Object> object, const struct constructor &made_by,
    const wide &tag)
{
    const char16_t *type;
    v8::Local<v8::Value> value;

    if (object->IsNumberObject()) {
        type = u"Number";
        value = v8::Number::New(r->isolate, object.As<v8::NumberObject>()->ValueOf());
    } else if (object->IsStringObject()) {
        type = u"String";
        value = object.As<v8::StringObject>()->ValueOf();
    } else if (object->IsBooleanObject()) {
        type = u"Boolean";
        value = v8::Boolean::New(r->isolate, object.As<v8::BooleanObject>()->ValueOf());
    } else if (object->IsBigIntObject()) {
        type = u"BigInt";
        value = object.As<v8::BigIntObject>()->ValueOf();
    } else {
        type = u"Symbol";
        value = object.As<v8::SymbolObject>()->ValueOf();
    }
    wide text = u"[" + wide(type);
    if (made_by.none)
        text += u" (null prototype)";
    else if (made_by.name != type)
        text += u" (" + made_by.name + u")";
    text += u": " + render_value(r, value) + u"]";
    if (!tag.empty() && (made_by.none || tag != made_by.name))
        text += u" [" + tag + u"]";
    return text;
}

/* --- functions ------------------------------------------------------------------------ */

/* A class is a function of a script, with a prototype that can't be replaced, whose source says
 * so. Only then is the source asked for: V8's own builtin, which calls nothing of the guest. */
static bool
is_class(struct render *r, v8::Local<v8::Function> function)
{
    struct property prototype;
    v8::Local<v8::String> source;

    if (function->ScriptId() == v8::UnboundScript::kNoScriptId ||
        !own_property(r, function, key_of(r, "prototype"), &prototype) || prototype.writable)
        return false;
    v8::Isolate::AllowJavascriptExecutionScope allowed(r->isolate);
    return function->FunctionProtoToString(r->context).ToLocal(&source) &&
           starts_with(wide_of(r->isolate, source, 5), u"class");
}

static wide
class_text(struct render *r, v8::Local<v8::Function> function,
    const struct constructor &made_by, const wide &tag)
{
    wide name, above;
    struct property own;
    wide text = u"[class ";

    bool named = own_property(r, function, key_of(r, "name"), &own) &&
                 find_text(r, function, "name", &name) && !name.empty();
    text += named ? name : wide(u"(anonymous)");
    if (!made_by.none && made_by.name != u"Function")
        text += u" [" + made_by.name + u"]";
    if (!tag.empty() && (made_by.none || made_by.name != tag))
        text += u" [" + tag + u"]";
    if (made_by.none)
        return text + u" extends [null prototype]]";
    v8::Local<v8::Value> parent = function->GetPrototypeV2();
    if (parent->IsObject() && find_text(r, parent.As<v8::Object>(), "name", &above) &&
        !above.empty())
        text += u" extends " + above;
    return text + u"]";
}

wide
render_function(struct render *r, v8::Local<v8::Function> function,
    const struct constructor &made_by, const wide &tag)
{
    wide name, type = u"Function";
    struct property p;

    if (is_class(r, function))
        return class_text(r, function, made_by, tag);
    if (function->IsGeneratorFunction())
        type = u"Generator" + type;
    if (function->IsAsyncFunction())
        type = u"Async" + type;
    wide text = u"[" + type;
    if (made_by.none)
        text += u" (null prototype)";
    if (find_property(r, function, key_of(r, "name"), &p) == FOUND_DATA && !p.value->IsString())
        name = render_value(r, p.value, r->options.depth);
    else
        (void)find_text(r, function, "name", &name);
    text += name.empty() ? u" (anonymous)]" : u": " + name + u"]";
    if (!made_by.none && made_by.name != type)
        text += u" " + made_by.name;
    if (!tag.empty() && (made_by.none || made_by.name != tag))
        text += u" [" + tag + u"]";
    return text;
}
