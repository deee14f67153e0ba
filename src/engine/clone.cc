/* clone.cc - values in and out as V8's structured clone, and texts as UTF-8.
 *
 * Runs in:  cell, template.
 * Trusts:   the bytes that it reads: they come from the host's encoder.
 * Threads:  the engine's thread only.
 *
 * Primitives, the bulk of what hot calls carry, are written and read here; a V8 serialiser
 * costs more to set up than the whole rest of a call. Everything else is V8's own code. The
 * bytes are the same: test/unit/engine_probe.c compares them.
 */
#include "engine/priv.h"

#include "base/check.h"
#include "base/huge.h"
#include "base/limits.h"

#include <algorithm>
#include <cstdlib>

enum {
    CLONE_VERSION_TAG = 0xFF,
    CLONE_VERSION = 15, /* what V8 14.6 writes; engine_probe checks it */
    HOST_OBJECT_TAG = '\\',
    HOST_OBJECT_REFERENCE = 1, /* enum held_tag of wire/held.h, which lists all of them */
    HOST_OBJECT_FUNCTION = 2,
    HOST_OBJECT_COPY = 3
};

/* --- texts ---------------------------------------------------------------------------- */

void
text_append(struct buf *out, v8::Local<v8::String> text, size_t limit)
{
    if (out->failed || out->len >= out->max)
        return;
    /* A UTF-16 unit takes at most three bytes. */
    size_t room =
        std::min({ limit, out->max - out->len, static_cast<size_t>(text->Length()) * 3 });
    uint8_t *at = buf_grow(out, room);
    if (at == nullptr)
        return;
    size_t written = text->WriteUtf8V2(eng.isolate, reinterpret_cast<char *>(at), room,
        v8::String::WriteFlags::kReplaceInvalidUtf8);
    out->len -= room - written;
}

v8::MaybeLocal<v8::String>
text_new(struct span utf8)
{
    if (utf8.len > static_cast<size_t>(v8::String::kMaxLength))
        return v8::MaybeLocal<v8::String>();
    return v8::String::NewFromUtf8(eng.isolate, reinterpret_cast<const char *>(utf8.p),
        v8::NewStringType::kNormal, static_cast<int>(utf8.len));
}

v8::Local<v8::String>
text_of(const char *text)
{
    return v8::String::NewFromUtf8(eng.isolate, text, v8::NewStringType::kInternalized)
        .ToLocalChecked();
}

/* --- writing -------------------------------------------------------------------------- */

namespace
{

/* Lets the serialiser write right behind what `out` holds. */
class sink final : public v8::ValueSerializer::Delegate
{
    struct buf *out;

  public:
    bool refused = false;
    bool too_big = false;

    explicit sink(struct buf *buf) : out(buf)
    {
    }

    void ThrowDataCloneError(v8::Local<v8::String> message) override
    {
        refused = true;
        v8::Local<v8::Context> context = eng.isolate->GetCurrentContext();
        v8::Local<v8::Value> error = v8::Exception::Error(message);
        (void)error.As<v8::Object>()
            ->DefineOwnProperty(
                context, text_of("name"), text_of("DataCloneError"), v8::DontEnum)
            .FromMaybe(false);
        eng.isolate->ThrowException(error);
    }

    /* V8's own answers to these two don't come by ThrowDataCloneError(). */
    v8::Maybe<uint32_t> GetSharedArrayBufferId(
        v8::Isolate *, v8::Local<v8::SharedArrayBuffer> buffer) override
    {
        uint32_t number;

        if (shared_number(buffer, &number))
            return v8::Just(number);
        ThrowDataCloneError(text_of("#<SharedArrayBuffer> could not be cloned."));
        return v8::Nothing<uint32_t>();
    }
    v8::Maybe<uint32_t> GetWasmModuleTransferId(
        v8::Isolate *, v8::Local<v8::WasmModuleObject>) override
    {
        ThrowDataCloneError(text_of("#<WebAssembly.Module> could not be cloned."));
        return v8::Nothing<uint32_t>();
    }

    /* V8 asks for twice what it has, so room for twice the maximum must be granted; whether the
     * clone itself fits is checked at the end. */
    void *ReallocateBufferMemory(void *, size_t size, size_t *actual_size) override
    {
        size_t room = out->max - out->len;

        *actual_size = 0;
        if (size > 2 * room + 128) {
            too_big = true;
            return nullptr;
        }
        size_t capacity = std::max(out->len + size, out->capacity);
        auto *p = capacity == out->capacity ? out->p
                                            : static_cast<uint8_t *>(realloc(out->p, capacity));
        if (p == nullptr) {
            too_big = true;
            return nullptr;
        }
        huge_advise(p, capacity);
        out->p = p;
        out->capacity = capacity;
        *actual_size = capacity - out->len;
        return p + out->len;
    }

    /* The memory is the buffer's. */
    void FreeBufferMemory(void *) override
    {
    }
};

} /* namespace */

enum clone_end
clone_write_without(v8::Local<v8::Context> context, v8::Local<v8::Value> value,
    const v8::LocalVector<v8::ArrayBuffer> &moving, struct buf *out)
{
    class sink sink(out);
    v8::ValueSerializer serializer(eng.isolate, &sink);

    if (out->failed)
        return CLONE_TOO_BIG;
    v8::TryCatch caught(eng.isolate);
    for (uint32_t i = 0; i < moving.size(); i++)
        serializer.TransferArrayBuffer(i, moving[i]);
    serializer.WriteHeader();
    bool written = serializer.WriteValue(context, value).FromMaybe(false);
    size_t size = serializer.Release().second;

    if (sink.too_big) /* V8 throws its own error for that: it stays here */
        return caught.HasTerminated() ? (caught.ReThrow(), CLONE_THREW) : CLONE_TOO_BIG;
    if (!written) {
        caught.ReThrow();
        return sink.refused ? CLONE_REFUSED : CLONE_THREW;
    }
    if (size > out->max - out->len)
        return CLONE_TOO_BIG;
    out->len += size;
    return CLONE_OK;
}

static size_t
varint_put(uint8_t *at, uint32_t v)
{
    size_t n = 0;

    while (v >= 0x80) {
        at[n++] = static_cast<uint8_t>(v | 0x80);
        v >>= 7;
    }
    at[n++] = static_cast<uint8_t>(v);
    return n;
}

static enum clone_end
write_tagged(struct buf *out, uint8_t tag, const void *p, size_t n)
{
    uint8_t *at = buf_grow(out, 3 + n);

    if (at == nullptr)
        return CLONE_TOO_BIG;
    at[0] = CLONE_VERSION_TAG;
    at[1] = CLONE_VERSION;
    at[2] = tag;
    if (n > 0)
        memcpy(at + 3, p, n);
    return CLONE_OK;
}

static enum clone_end
write_one_byte_string(v8::Local<v8::String> text, struct buf *out)
{
    uint8_t prefix[5];
    auto length = static_cast<uint32_t>(text->Length());
    size_t n = varint_put(prefix, length);

    if (write_tagged(out, '"', prefix, n) != CLONE_OK)
        return CLONE_TOO_BIG;
    uint8_t *at = buf_grow(out, length);
    if (at == nullptr)
        return CLONE_TOO_BIG;
    text->WriteOneByteV2(eng.isolate, 0, length, at);
    return CLONE_OK;
}

enum clone_end
clone_write(v8::Local<v8::Context> context, v8::Local<v8::Value> value, struct buf *out)
{
    if (value->IsInt32()) {
        uint8_t bytes[5];
        int32_t number = value.As<v8::Int32>()->Value();
        uint32_t zigzag =
            (static_cast<uint32_t>(number) << 1) ^ static_cast<uint32_t>(number >> 31);
        return write_tagged(out, 'I', bytes, varint_put(bytes, zigzag));
    }
    if (value->IsNumber()) {
        double number = value.As<v8::Number>()->Value();
        return write_tagged(out, 'N', &number, sizeof number);
    }
    if (value->IsUndefined())
        return write_tagged(out, '_', nullptr, 0);
    if (value->IsString() && value.As<v8::String>()->IsOneByte())
        return write_one_byte_string(value.As<v8::String>(), out);
    if (value->IsBoolean())
        return write_tagged(out, value->IsTrue() ? 'T' : 'F', nullptr, 0);
    if (value->IsNull())
        return write_tagged(out, '0', nullptr, 0);
    return clone_write_without(
        context, value, v8::LocalVector<v8::ArrayBuffer>(eng.isolate), out);
}

void
clone_write_reference(uint32_t reference, enum engine_typeof type, struct buf *out)
{
    uint8_t bytes[11] = { HOST_OBJECT_REFERENCE };
    size_t n = 1 + varint_put(bytes + 1, reference);

    bytes[n++] = static_cast<uint8_t>(type);
    (void)write_tagged(out, HOST_OBJECT_TAG, bytes, n);
}

/* --- reading -------------------------------------------------------------------------- */

/* A varint that fills `bytes` exactly. */
static bool
varint_whole(struct span bytes, uint32_t *out)
{
    uint32_t v = 0;

    for (size_t i = 0; i < bytes.len && i < 5; i++) {
        v |= static_cast<uint32_t>(bytes.p[i] & 0x7F) << (7 * i);
        if ((bytes.p[i] & 0x80) == 0) {
            *out = v;
            return i + 1 == bytes.len;
        }
    }
    return false;
}

static v8::MaybeLocal<v8::Value>
read_one_byte_string(struct span bytes)
{
    size_t n = 0;
    uint32_t length;

    while (n < bytes.len && (bytes.p[n] & 0x80) != 0)
        n++;
    if (n == bytes.len || !varint_whole(span_of(bytes.p, n + 1), &length) ||
        length != bytes.len - n - 1 || length > v8::String::kMaxLength)
        return v8::MaybeLocal<v8::Value>();
    v8::Local<v8::String> text;
    if (!v8::String::NewFromOneByte(
            eng.isolate, bytes.p + n + 1, v8::NewStringType::kNormal, static_cast<int>(length))
             .ToLocal(&text))
        return v8::MaybeLocal<v8::Value>();
    return text;
}

/* What primitive `bytes` are; empty if they are none. */
static v8::MaybeLocal<v8::Value>
read_primitive(struct span bytes)
{
    struct span rest = span_of(bytes.p + 3, bytes.len - 3);
    uint32_t zigzag;
    double number;

    switch (bytes.p[2]) {
    case 'I':
        if (!varint_whole(rest, &zigzag))
            break;
        return v8::Integer::New(
            eng.isolate, static_cast<int32_t>((zigzag >> 1) ^ (0 - (zigzag & 1))));
    case 'N':
        if (rest.len != sizeof number)
            break;
        memcpy(&number, rest.p, sizeof number);
        return v8::Number::New(eng.isolate, number);
    case '"':
        return read_one_byte_string(rest);
    case '_':
        return v8::Undefined(eng.isolate);
    case '0':
        return v8::Null(eng.isolate);
    case 'T':
        return v8::True(eng.isolate);
    case 'F':
        return v8::False(eng.isolate);
    default:
        break;
    }
    return v8::MaybeLocal<v8::Value>();
}

/* The record of a host object, behind its tag: whose tags held.h lists. Empty: an exception is
 * pending. */
static v8::MaybeLocal<v8::Value>
record_read(uint32_t tag, uint32_t id)
{
    v8::Local<v8::Value> value;

    if (tag == HOST_OBJECT_REFERENCE)
        value = reference_find(id);
    if (value.IsEmpty())
        eng.isolate->ThrowException(
            v8::Exception::Error(text_of("a reference in a value is to nothing")));
    return value;
}

namespace
{

/* Reads the records inside of a value. */
class source final : public v8::ValueDeserializer::Delegate
{
  public:
    v8::ValueDeserializer *reader = nullptr;

    v8::MaybeLocal<v8::Object> ReadHostObject(v8::Isolate *) override
    {
        v8::Local<v8::Value> value;
        uint32_t tag, id, type;

        if (!reader->ReadUint32(&tag) || !reader->ReadUint32(&id) ||
            !reader->ReadUint32(&type) || !read(tag, id, type).ToLocal(&value) ||
            !value->IsObject())
            return v8::MaybeLocal<v8::Object>();
        return value.As<v8::Object>();
    }

    v8::MaybeLocal<v8::SharedArrayBuffer> GetSharedArrayBufferFromId(
        v8::Isolate *, uint32_t number) override
    {
        return shared_find(number);
    }

  private:
    v8::MaybeLocal<v8::Value> read(uint32_t tag, uint32_t id, uint32_t type)
    {
        switch (tag) {
        case HOST_OBJECT_COPY:
            return copy_read(id);
        case HOST_OBJECT_FUNCTION:
            return function_read(id, type);
        default:
            return record_read(tag, id);
        }
    }

    v8::MaybeLocal<v8::Value> function_read(uint32_t id, uint32_t flags)
    {
        v8::Local<v8::Function> function;
        uint32_t length;
        const void *name;

        if (!reader->ReadUint32(&length) || !reader->ReadRawBytes(length, &name) ||
            !given_function(eng.isolate->GetCurrentContext(), id, flags, span_of(name, length))
                 .ToLocal(&function))
            return v8::MaybeLocal<v8::Value>();
        return function;
    }

    /* A clone of its own, inside of the other: objects are counted anew in it. */
    v8::MaybeLocal<v8::Value> copy_read(uint32_t length)
    {
        const void *bytes;

        if (!reader->ReadRawBytes(length, &bytes))
            return v8::MaybeLocal<v8::Value>();
        return clone_read(eng.isolate->GetCurrentContext(), span_of(bytes, length));
    }
};

} /* namespace */

/* The number in front of `bytes`, which move past it. */
static bool
varint_take(struct span *bytes, uint32_t *out)
{
    size_t n = 0;

    while (n < bytes->len && (bytes->p[n] & 0x80) != 0)
        n++;
    if (n == bytes->len || !varint_whole(span_of(bytes->p, n + 1), out))
        return false;
    *bytes = span_of(bytes->p + n + 1, bytes->len - n - 1);
    return true;
}

/* A value that is one record: also what V8 does not let a record stand for, a primitive. */
static v8::MaybeLocal<v8::Value>
read_record(struct span rest)
{
    uint32_t tag, id, type, length;
    v8::Local<v8::Function> function;

    if (!varint_take(&rest, &tag) || !varint_take(&rest, &id) || !varint_take(&rest, &type))
        return v8::MaybeLocal<v8::Value>();
    if (tag == HOST_OBJECT_COPY && id == rest.len)
        return clone_read(eng.isolate->GetCurrentContext(), rest);
    if (tag == HOST_OBJECT_FUNCTION && varint_take(&rest, &length) && length == rest.len &&
        given_function(eng.isolate->GetCurrentContext(), id, type, rest).ToLocal(&function))
        return function;
    if (tag == HOST_OBJECT_FUNCTION || rest.len != 0)
        return v8::MaybeLocal<v8::Value>();
    return record_read(tag, id);
}

v8::MaybeLocal<v8::Value>
clone_read(v8::Local<v8::Context> context, struct span bytes)
{
    v8::Local<v8::Value> value;

    if (bytes.len == 0)
        return v8::Undefined(eng.isolate);
    if (bytes.len >= 3 && bytes.p[0] == CLONE_VERSION_TAG && bytes.p[1] == CLONE_VERSION &&
        read_primitive(bytes).ToLocal(&value))
        return value;
    if (bytes.len > 3 && bytes.p[2] == HOST_OBJECT_TAG)
        return read_record(span_of(bytes.p + 3, bytes.len - 3));
    v8::LocalVector<v8::ArrayBuffer> attached(eng.isolate);
    if (!attachments_take(&bytes, &attached))
        return v8::MaybeLocal<v8::Value>();
    class source source;
    v8::ValueDeserializer deserializer(eng.isolate, bytes.p, bytes.len, &source);
    source.reader = &deserializer;
    for (uint32_t i = 0; i < attached.size(); i++)
        deserializer.TransferArrayBuffer(i, attached[i]);
    if (!deserializer.ReadHeader(context).FromMaybe(false))
        return v8::MaybeLocal<v8::Value>();
    return deserializer.ReadValue(context);
}
