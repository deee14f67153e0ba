/* console_format.cc - format strings: %s %d %i %f %j %o %O %c %%.
 *
 * As in Node.js, but that an object never converts itself: where Node.js calls its toString,
 * valueOf or toJSON, it is shown as a value (%s, %j) or is not a number (%d, %i, %f).
 */
#include "engine/console.h"

#include "base/limits.h"

#include <cmath>
#include <cstdlib>

static wide
number_text(struct render *r, double number)
{
    return render_value(r, v8::Number::New(r->isolate, number));
}

static wide
shown(v8::Local<v8::Context> context, v8::Local<v8::Value> value,
    const struct render_options &options)
{
    struct render_scope scope(context, options);

    return render_value(&scope.r, value);
}

/* --- conversions ---------------------------------------------------------------------- */

static wide
as_string(struct render *r, v8::Local<v8::Value> value)
{
    v8::Local<v8::String> source;

    if (value->IsString())
        return wide_of(r->isolate, value.As<v8::String>(), RENDER_UNITS_MAX);
    if (value->IsFunction() && !value->IsProxy()) {
        /* V8's own builtin, which calls nothing of the guest. */
        v8::Isolate::AllowJavascriptExecutionScope allowed(r->isolate);
        if (value.As<v8::Function>()->FunctionProtoToString(r->context).ToLocal(&source))
            return wide_of(r->isolate, source, RENDER_UNITS_MAX);
    }
    struct render_options closed = render_defaults;
    closed.depth = 0;
    return shown(r->context, value, closed);
}

/* The number that a primitive or a wrapper of one is; NaN for other objects. */
static double
as_number(struct render *r, v8::Local<v8::Value> value)
{
    if (value->IsDate())
        return value.As<v8::Date>()->ValueOf();
    if (value->IsNumberObject())
        return value.As<v8::NumberObject>()->ValueOf();
    if (value->IsBooleanObject())
        return value.As<v8::BooleanObject>()->ValueOf() ? 1 : 0;
    if (value->IsStringObject())
        value = value.As<v8::StringObject>()->ValueOf();
    if (value->IsObject() || value->IsSymbol())
        return NAN;
    return value->NumberValue(r->context).FromMaybe(NAN);
}

/* The start of a primitive's text, narrowed; what is not ASCII ends it. */
static std::string
ascii_of(struct render *r, v8::Local<v8::Value> value)
{
    std::string out;
    v8::Local<v8::String> text;

    if (value->IsStringObject())
        value = value.As<v8::StringObject>()->ValueOf();
    if (value->IsObject() || value->IsSymbol() || !value->ToString(r->context).ToLocal(&text))
        return out;
    for (char16_t c : wide_of(r->isolate, text, 1024)) {
        bool blank = c == u' ' || (c >= 9 && c <= 13) || c == 0xa0 || c == 0xfeff;
        if (c >= 0x7f && !blank)
            break;
        if (!out.empty() || !blank)
            out += blank ? ' ' : static_cast<char>(c);
    }
    return out;
}

/* How many characters of `text` from `at` on are of `set`. */
static size_t
run_of(const std::string &text, size_t at, const char *set)
{
    size_t end = text.find_first_not_of(set, at);

    return (end == std::string::npos ? text.size() : end) - at;
}

static double
parse_int(const std::string &text)
{
    size_t sign = run_of(text, 0, "+-") == 1 ? 1 : 0;
    bool hex = text.size() > sign + 1 && text[sign] == '0' && (text[sign + 1] | 0x20) == 'x';
    size_t start = sign + (hex ? 2 : 0);
    size_t digits = run_of(text, start, hex ? "0123456789abcdefABCDEF" : "0123456789");

    return digits == 0 ? NAN : strtod(text.substr(0, start + digits).c_str(), nullptr);
}

static double
parse_float(const std::string &text)
{
    static const char decimal[] = "0123456789";
    size_t at = run_of(text, 0, "+-") == 1 ? 1 : 0;

    if (text.compare(at, 8, "Infinity") == 0)
        return text[0] == '-' ? -INFINITY : INFINITY;
    size_t whole = run_of(text, at, decimal), fraction = 0;
    at += whole;
    if (at < text.size() && text[at] == '.') {
        fraction = run_of(text, at + 1, decimal);
        at += 1 + fraction;
    }
    if (whole + fraction == 0)
        return NAN;
    if (at < text.size() && (text[at] | 0x20) == 'e') {
        size_t sign = at + 1 < text.size() && (text[at + 1] == '+' || text[at + 1] == '-');
        size_t exponent = run_of(text, at + 1 + sign, decimal);
        at += exponent > 0 ? 1 + sign + exponent : 0;
    }
    return strtod(text.substr(0, at).c_str(), nullptr);
}

/* JSON, made by V8. Where it would have to call a getter or toJSON, the value is shown. */
static wide
as_json(struct render *r, v8::Local<v8::Value> value)
{
    v8::TryCatch caught(r->isolate);
    v8::Local<v8::String> json;
    wide message;

    if (v8::JSON::Stringify(r->context, value).ToLocal(&json))
        return wide_of(r->isolate, json, RENDER_UNITS_MAX);
    if (caught.HasCaught() && caught.Exception()->IsNativeError() &&
        find_text(r, caught.Exception().As<v8::Object>(), "message", &message) &&
        starts_with(message, u"Converting circular structure"))
        return u"[Circular]";
    return shown(r->context, value, render_defaults);
}

/* --- the string ----------------------------------------------------------------------- */

static wide
numeric(struct render *r, char16_t letter, v8::Local<v8::Value> value)
{
    if (value->IsBigInt() && letter != u'f')
        return render_value(r, value);
    if (letter == u'd')
        return number_text(r, as_number(r, value));
    std::string text = ascii_of(r, value);
    return number_text(r, letter == u'i' ? parse_int(text) : parse_float(text));
}

static bool
converted(struct render *r, char16_t letter, v8::Local<v8::Value> value, wide *out)
{
    static const struct render_options all = { 4, CONSOLE_ITEMS, 80, true, true };

    switch (letter) {
    case u's':
        *out = as_string(r, value);
        return true;
    case u'd':
    case u'i':
    case u'f':
        *out = numeric(r, letter, value);
        return true;
    case u'j':
        *out = as_json(r, value);
        return true;
    case u'o':
        *out = shown(r->context, value, all);
        return true;
    case u'O':
        *out = shown(r->context, value, render_defaults);
        return true;
    case u'c': /* a style, which a terminal has no use for */
        out->clear();
        return true;
    default:
        return false;
    }
}

/* The format string with its arguments put in; `used` of them, itself included. */
static wide
filled(struct render *r, const wide &format, const console_arguments &arguments, size_t *used)
{
    wide out;
    size_t next = 1;

    for (size_t i = 0; i < format.size() && out.size() < RENDER_UNITS_MAX; i++) {
        wide text;
        if (format[i] != u'%' || i + 1 == format.size()) {
            out += format[i];
        } else if (format[i + 1] == u'%') {
            out += u'%';
            i++;
        } else if (next < arguments.size() &&
                   converted(r, format[i + 1], arguments[next], &text)) {
            out += text;
            next++;
            i++;
        } else {
            out += format[i];
            out += format[++i];
        }
    }
    *used = next;
    return out;
}

wide
console_format(v8::Local<v8::Context> context, const console_arguments &arguments)
{
    struct render_scope scope(context, render_defaults);
    size_t next = 0;
    wide out;

    if (arguments.size() > 1 && arguments[0]->IsString())
        out = filled(&scope.r,
            wide_of(scope.r.isolate, arguments[0].As<v8::String>(), RENDER_UNITS_MAX),
            arguments, &next);
    for (; next < arguments.size() && out.size() < RENDER_UNITS_MAX; next++) {
        if (next > 0)
            out += u' ';
        v8::Local<v8::Value> value = arguments[next];
        out += value->IsString()
                   ? wide_of(scope.r.isolate, value.As<v8::String>(), RENDER_UNITS_MAX)
                   : shown(context, value, render_defaults);
    }
    return out;
}
