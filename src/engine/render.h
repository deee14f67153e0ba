/* render.h - a guest's value as text, as Node.js's console.log shows it, without running a
 * single instruction of the guest.
 *
 * Runs in:  cell.
 * Trusts:   nothing of the value: getters, proxies, overridden names and toString methods are
 *           shown, never called. Properties are read by descriptor; whatever would call into
 *           JavaScript fails, since JavaScript is forbidden while a `render_scope` lives.
 * Threads:  the engine's thread only.
 *
 * Bounded: depth, items, prototype chains, and `left`, the characters that may still be made;
 * once it is 0, every loop ends. Texts are UTF-16 while they are put together, because that is
 * what line lengths are counted in.
 */
#ifndef ENGINE_RENDER_H
#define ENGINE_RENDER_H

#include "base/limits.h"

#include <string>
#include <v8.h>
#include <vector>

typedef std::u16string wide;

#define RENDER_NO_BREAK  UINT32_MAX
/* One unit more than a text may have bytes, so that whatever is cut here is seen to be cut. */
#define RENDER_UNITS_MAX (CONSOLE_TEXT_MAX + 1)

struct render_options {
    int depth;        /* containers in containers that are opened; -1: none */
    uint32_t items;   /* of an array */
    uint32_t columns; /* longest line that is filled, or RENDER_NO_BREAK */
    bool hidden;      /* non-enumerable properties too (%o) */
    bool proxies;     /* a proxy as target and handler (%o) */
};

struct render {
    v8::Isolate *isolate;
    v8::Local<v8::Context> context;
    struct render_options options;
    uint32_t indent;                             /* columns */
    int deepest;                                 /* level of the container entered last */
    size_t left;                                 /* UTF-16 units that may still be made */
    std::vector<v8::Local<v8::Object>> open;     /* containers around the place */
    std::vector<v8::Local<v8::Object>> circular; /* those met again; <ref *1> is the first */
};

/* For the time of one text: no JavaScript, and no exception is left behind. Its caller's
 * HandleScope keeps all handles of a text, whose number `left` bounds. */
struct render_scope {
    v8::TryCatch caught;
    v8::Isolate::DisallowJavascriptExecutionScope quiet;
    struct render r;

    render_scope(v8::Local<v8::Context> context, const struct render_options &options);
    render_scope(const render_scope &) = delete;
    render_scope &operator=(const render_scope &) = delete;
};

extern const struct render_options render_defaults;

/* What made an object, as far as its prototypes tell. */
struct constructor {
    bool none; /* no prototype */
    wide name;
};

/* --- render_value.cc ------------------------------------------------------------------ */

wide render_value(struct render *r, v8::Local<v8::Value> value, int level = 0);

enum item_kind {
    ITEM_PROPERTY, /* name: value */
    ITEM_ELEMENT   /* of an array: the value alone */
};

struct property {
    v8::Local<v8::Value> value;    /* empty: an accessor */
    v8::Local<v8::Value> get, set; /* of an accessor; empty or undefined: none */
    bool enumerable, writable;
};

wide render_property(struct render *r, v8::Local<v8::Name> key, const struct property &p,
    int level, enum item_kind kind);

/* --- render_kind.cc: what stands between a container's braces ------------------------- */

struct shape {
    wide base, open, close;
    std::vector<v8::Local<v8::Name>> keys; /* properties to show after the items */
    std::vector<wide> items;
    bool array = false; /* items may be set in columns */
};

void render_array(struct render *r, v8::Local<v8::Array> array, int level, struct shape *s);
void render_typed_array(
    struct render *r, v8::Local<v8::TypedArray> array, int level, struct shape *s);
void render_set(struct render *r, v8::Local<v8::Set> set, int level, struct shape *s);
void render_map(struct render *r, v8::Local<v8::Map> map, int level, struct shape *s);
void render_entries(
    struct render *r, v8::Local<v8::Object> object, int level, bool weak, struct shape *s);
void render_buffer(struct render *r, v8::Local<v8::Value> buffer, int level, struct shape *s);
void render_view(
    struct render *r, v8::Local<v8::ArrayBufferView> view, int level, struct shape *s);
void render_promise(
    struct render *r, v8::Local<v8::Promise> promise, int level, struct shape *s);
wide render_function(struct render *r, v8::Local<v8::Function> function,
    const struct constructor &made_by, const wide &tag);
wide render_boxed(struct render *r, v8::Local<v8::Object> object,
    const struct constructor &made_by, const wide &tag);
wide render_date(struct render *r, v8::Local<v8::Date> date);
wide render_regexp(struct render *r, v8::Local<v8::RegExp> regexp);
const char16_t *typed_array_name(v8::Local<v8::Value> array);
wide more_items(size_t count);

/* --- render_error.cc ------------------------------------------------------------------ */

/* Notes what a context's errors are made of, before a guest can change it. */
void render_install(v8::Local<v8::Context> context);

/* The text of an error's stack; empty, perhaps with an exception pending, if it has none. V8 is
 * asked, and Error.prepareStackTrace may run; but no getter of the guest's does: with one in the
 * way the text is put together here. */
v8::MaybeLocal<v8::String> render_stack(
    v8::Local<v8::Context> context, v8::Local<v8::Object> error);

/* A line for each frame, about as V8 itself words them. */
wide render_frames(struct render *r, v8::Local<v8::StackTrace> trace);
/* Name, message and stack; takes away and adds keys as Node.js does. */
wide render_error(struct render *r, v8::Local<v8::Object> error,
    const struct constructor &made_by, const wide &tag, std::vector<v8::Local<v8::Name>> *keys);

/* --- render_look.cc: properties without running getters ------------------------------- */

bool own_property(struct render *r, v8::Local<v8::Object> object, v8::Local<v8::Name> key,
    struct property *out);
enum found {
    FOUND_NOTHING,
    FOUND_DATA,
    FOUND_ACCESSOR,
    FOUND_GUEST_CODE /* a proxy, or an endless chain: nobody knows */
};
/* Own or inherited. */
enum found find_property(struct render *r, v8::Local<v8::Object> object,
    v8::Local<v8::Name> key, struct property *out);
/* The text of a data property that holds a string; false for any other. */
bool find_text(struct render *r, v8::Local<v8::Object> object, const char *key, wide *out);
std::vector<v8::Local<v8::Name>> own_keys(
    struct render *r, v8::Local<v8::Object> object, bool indices);
v8::Local<v8::String> key_of(struct render *r, const char *name);

struct constructor constructor_of(struct render *r, v8::Local<v8::Object> object, int level);
wide tag_of(struct render *r, v8::Local<v8::Object> object);
/* "Name(3) [Tag] ": what goes before the opening brace. */
wide prefix_of(const struct constructor &made_by, const wide &tag, const wide &fallback,
    const wide &size = wide());

/* --- render_text.cc ------------------------------------------------------------------- */

/* At most `units` of a string. */
wide wide_of(v8::Isolate *isolate, v8::Local<v8::String> text, size_t units);
wide wide_of(const char *ascii);
wide wide_number(size_t number);
/* Takes `text` out of what may still be made. */
wide render_take(struct render *r, wide text);
bool starts_with(const wide &text, const wide &start);
bool contains(const wide &text, const wide &part);
/* In quotes, as a literal that JavaScript reads back. */
wide quoted(const wide &text);
/* Control characters and lone surrogates as escapes. */
wide escaped(const wide &text);
/* Columns on a terminal. */
size_t columns_of(const wide &text);
void indent_lines(wide *text, uint32_t columns);

/* --- render_layout.cc ----------------------------------------------------------------- */

/* Items between braces: on one line, in columns, or a line each. `array` answers whether all
 * of its items are numbers, which are set flush right. */
wide render_layout(struct render *r, struct shape *s, int level, v8::Local<v8::Object> array);

#endif
