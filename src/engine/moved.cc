/* moved.cc - ArrayBuffers that leave the guest with a value for the host.
 *
 * Runs in:  cell.
 * Trusts:   nothing about the value: it is the guest's.
 * Threads:  the engine's thread only.
 *
 * The serialiser asks nobody which buffers to transfer: they are looked for before, in what it will
 * write, without running guest code. It may run some (getters) and find another value then; what it
 * does not come across of those found has left all the same.
 */
#include "engine/priv.h"

#include "base/bytes.h"
#include "base/limits.h"

#include <memory>
#include <unordered_map>

enum {
    ATTACHED = 0xFE, /* as wire/clone_tags.h draws it */
    ATTACHED_HEAD = 8,
    ATTACHMENT_HEAD = 5, /* u32 bytes, u8 padding */
    ATTACHED_ALIGN = 16
};

/* --- looking ------------------------------------------------------------------------------- */

namespace
{

/* Breadth first, so that a wide branch does not hide what is near. */
class search
{
    v8::Local<v8::Context> context;
    v8::LocalVector<v8::Object> met;
    std::unordered_multimap<int, size_t> places; /* in there, by identity hash */
    v8::LocalVector<v8::ArrayBuffer> *found;
    v8::TryCatch caught;
    uint32_t left = MOVED_LOOK_MAX; /* properties to look at */

    /* False: it was met before. V8's own sets don't work where no code may run. */
    bool meet(v8::Local<v8::Object> object)
    {
        int hash = object->GetIdentityHash();
        auto range = places.equal_range(hash);

        for (auto it = range.first; it != range.second; ++it)
            if (met[it->second] == object)
                return false;
        places.emplace(hash, met.size());
        met.push_back(object);
        return true;
    }

    void come_across(v8::Local<v8::Value> value)
    {
        if (value->IsArrayBufferView())
            value = value.As<v8::ArrayBufferView>()->Buffer();
        if (!value->IsObject() || !meet(value.As<v8::Object>()) || !value->IsArrayBuffer())
            return;
        v8::Local<v8::ArrayBuffer> buffer = value.As<v8::ArrayBuffer>();
        if (buffer->IsDetachable() && !buffer->WasDetached() &&
            !buffer->IsResizableByUserJavaScript())
            found->push_back(buffer);
    }

    /* What only a getter could say is passed over. */
    void look_at(v8::Local<v8::Object> holder, v8::Local<v8::Value> key)
    {
        v8::Local<v8::Value> value;
        bool got;
        {
            stillness still(true);
            got = holder->Get(context, key).ToLocal(&value);
        }
        left--;
        if (got)
            come_across(value);
        else if (!caught.HasTerminated())
            caught.Reset();
    }

    void look_at_items(v8::Local<v8::Array> list)
    {
        for (uint32_t i = 0; i < list->Length() && left > 0; i++)
            if (list->HasRealIndexedProperty(context, i).FromMaybe(false))
                look_at(list, v8::Integer::NewFromUnsigned(eng.isolate, i));
            else /* a hole; the prototype's is not in the clone */
                left--;
    }

    void look_at_properties(v8::Local<v8::Object> object)
    {
        v8::Local<v8::Array> keys;

        if (!object
                 ->GetOwnPropertyNames(context,
                     static_cast<v8::PropertyFilter>(v8::ONLY_ENUMERABLE | v8::SKIP_SYMBOLS),
                     v8::KeyConversionMode::kKeepNumbers)
                 .ToLocal(&keys))
            return;
        for (uint32_t i = 0; i < keys->Length() && left > 0; i++) {
            v8::Local<v8::Value> key;
            if (keys->Get(context, i).ToLocal(&key))
                look_at(object, key);
        }
    }

    /* It clones to an object with those that it has. */
    static bool has_properties(v8::Local<v8::Object> object)
    {
        return !object->IsArrayBuffer() && !object->IsSharedArrayBuffer() &&
               !object->IsProxy() && !object->IsFunction() && !object->IsNativeError() &&
               !object->IsDate() && !object->IsRegExp() && !object->IsStringObject() &&
               !object->IsNumberObject() && !object->IsBooleanObject() &&
               !object->IsBigIntObject();
    }

    void look_into(v8::Local<v8::Object> object)
    {
        if (object->IsArray()) {
            look_at_items(object.As<v8::Array>());
        } else if (object->IsMap()) {
            v8::Local<v8::Map> map = object.As<v8::Map>();
            if (map->Size() <= left) /* the list is as long */
                look_at_items(map->AsArray());
        } else if (object->IsSet()) {
            v8::Local<v8::Set> set = object.As<v8::Set>();
            if (set->Size() <= left)
                look_at_items(set->AsArray());
        } else if (has_properties(object)) {
            look_at_properties(object);
        }
    }

  public:
    search(v8::Local<v8::Context> in, v8::LocalVector<v8::ArrayBuffer> *buffers)
        : context(in), met(eng.isolate), found(buffers), caught(eng.isolate)
    {
    }

    /* False: terminated. */
    bool run(v8::Local<v8::Value> value)
    {
        come_across(value);
        for (size_t i = 0; i < met.size() && left > 0 && !caught.HasTerminated(); i++)
            look_into(met[i]);
        if (!caught.HasTerminated())
            return true;
        caught.ReThrow();
        return false;
    }
};

} /* namespace */

/* --- sending ------------------------------------------------------------------------------- */

static void
store_u32(uint8_t *p, size_t v)
{
    auto n = static_cast<uint32_t>(v);

    memcpy(p, &n, sizeof n);
}

static void
release_store(void *, size_t, void *data)
{
    delete static_cast<std::shared_ptr<v8::BackingStore> *>(data);
}

static bool
attach(const std::shared_ptr<v8::BackingStore> &store, size_t before, struct buf *out)
{
    size_t length = store->ByteLength();
    size_t padding = -(before + buf_whole(out) + ATTACHMENT_HEAD) & (ATTACHED_ALIGN - 1);
    uint8_t *p = buf_grow(out, ATTACHMENT_HEAD + padding);
    auto *data = new std::shared_ptr<v8::BackingStore>(store);
    struct bytes *held = bytes_adopt(store->Data(), length, release_store, data);

    if (held == nullptr) {
        delete data;
        return false;
    }
    if (p != nullptr) {
        memset(p, 0, ATTACHMENT_HEAD + padding);
        store_u32(p, length);
        p[4] = static_cast<uint8_t>(padding);
        buf_share(out, held, store->Data(), length);
    }
    bytes_unref(held);
    return !out->failed;
}

/* As structuredClone() says it of what is gone before it can leave. */
static enum clone_end
refuse_gone(v8::Local<v8::Context> context)
{
    v8::Local<v8::Value> error =
        v8::Exception::Error(text_of("An ArrayBuffer is detached and could not be cloned."));

    (void)error.As<v8::Object>()
        ->DefineOwnProperty(context, text_of("name"), text_of("DataCloneError"), v8::DontEnum)
        .FromMaybe(false);
    eng.isolate->ThrowException(error);
    return CLONE_REFUSED;
}

enum clone_end
clone_write_moving(v8::Local<v8::Context> context, v8::Local<v8::Value> value, size_t before,
    v8::LocalVector<v8::ArrayBuffer> *moved, struct buf *out)
{
    v8::LocalVector<v8::ArrayBuffer> buffers(eng.isolate);
    size_t start = out->len;

    if (value->IsObject() && !search(context, &buffers).run(value))
        return CLONE_THREW;
    if (buffers.empty())
        return clone_write(context, value, out);
    uint8_t *head = buf_grow(out, ATTACHED_HEAD);
    if (head == nullptr)
        return CLONE_TOO_BIG;
    memset(head, 0, ATTACHED_HEAD);
    head[0] = ATTACHED;
    enum clone_end end = clone_write_without(context, value, buffers, out);
    if (end != CLONE_OK)
        return end;
    store_u32(out->p + start + 4, out->len - start - ATTACHED_HEAD);
    out->shares = true;
    for (v8::Local<v8::ArrayBuffer> buffer : buffers) {
        if (buffer->WasDetached()) /* by a getter */
            return refuse_gone(context);
        if (!attach(buffer->GetBackingStore(), before, out))
            return CLONE_TOO_BIG;
        moved->push_back(buffer);
    }
    return CLONE_OK;
}

void
moved_leave(const v8::LocalVector<v8::ArrayBuffer> &moved)
{
    for (v8::Local<v8::ArrayBuffer> buffer : moved)
        (void)buffer->Detach(v8::Local<v8::Value>()).FromMaybe(false);
}
