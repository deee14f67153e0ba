/* attach.cc - buffers of a value that came apart from its clone: used where they lie.
 *
 * Runs in:  cell.
 * Trusts:   the host's encoder for the format, which is checked all the same.
 * Threads:  the engine's thread only.
 */
#include "engine/account.h"

#include "base/bytes.h"

#include <utility>

enum {
    ATTACHED = 0xFE, /* as wire/clone_tags.h draws it */
    ATTACHED_HEAD = 8,
    ATTACHMENT_HEAD = 5, /* u32 bytes, u8 padding */
    ATTACHED_ALIGN = 16
};

static uint32_t
load_u32(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

static void
let_go(void *, size_t length, void *held)
{
    account_returned(length);
    bytes_unref(static_cast<struct bytes *>(held));
}

/* An ArrayBuffer with these bytes: they themselves if their message can be kept, or a copy. Empty:
 * the guest may not have as much. */
static v8::MaybeLocal<v8::ArrayBuffer>
buffer_of(struct span bytes)
{
    bool aligned = reinterpret_cast<uintptr_t>(bytes.p) % ATTACHED_ALIGN == 0;
    struct bytes *held = nullptr;
    v8::Local<v8::ArrayBuffer> buffer;

    if (aligned && eng.hooks.keep != nullptr && account_taken(bytes.len)) {
        held = eng.hooks.keep(eng.cell, bytes.p);
        if (held == nullptr)
            account_returned(bytes.len);
    }
    if (held != nullptr)
        return v8::ArrayBuffer::New(
            eng.isolate, v8::ArrayBuffer::NewBackingStore(
                             const_cast<uint8_t *>(bytes.p), bytes.len, let_go, held));
    if (!v8::ArrayBuffer::MaybeNew(
            eng.isolate, bytes.len, v8::BackingStoreInitializationMode::kUninitialized)
             .ToLocal(&buffer))
        return v8::MaybeLocal<v8::ArrayBuffer>();
    memcpy(buffer->Data(), bytes.p, bytes.len);
    return buffer;
}

bool
attachments_take(struct span *bytes, v8::LocalVector<v8::ArrayBuffer> *out)
{
    struct span rest = *bytes;

    if (rest.len == 0 || rest.p[0] != ATTACHED)
        return true;
    if (rest.len < ATTACHED_HEAD || load_u32(rest.p + 4) > rest.len - ATTACHED_HEAD)
        return false;
    *bytes = span_of(rest.p + ATTACHED_HEAD, load_u32(rest.p + 4));
    rest = span_of(
        bytes->p + bytes->len, static_cast<size_t>(rest.p + rest.len - bytes->p) - bytes->len);
    while (rest.len > 0) {
        v8::Local<v8::ArrayBuffer> buffer;
        if (rest.len < ATTACHMENT_HEAD)
            return false;
        size_t len = load_u32(rest.p), skip = ATTACHMENT_HEAD + static_cast<size_t>(rest.p[4]);
        if (skip > rest.len || len > rest.len - skip)
            return false;
        if (!buffer_of(span_of(rest.p + skip, len)).ToLocal(&buffer)) {
            eng.isolate->ThrowException(
                v8::Exception::RangeError(text_of("Array buffer allocation failed")));
            return false;
        }
        out->push_back(buffer);
        rest = span_of(rest.p + skip + len, rest.len - skip - len);
    }
    return true;
}
