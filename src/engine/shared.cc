/* shared.cc - memory in common with the host: what SharedArrayBuffers of values lie in.
 *
 * Runs in:  cell.
 * Threads:  the engine's thread only.
 */
#include "engine/priv.h"

#include <vector>

/* By the numbers that cross. */
static std::vector<std::shared_ptr<v8::BackingStore>> stores;

static void
keep(void *, size_t, void *)
{
}

void
engine_share(void *bytes, size_t len)
{
    stores.push_back(v8::SharedArrayBuffer::NewBackingStore(bytes, len, keep, nullptr));
}

v8::MaybeLocal<v8::SharedArrayBuffer>
shared_find(uint32_t number)
{
    if (number >= stores.size())
        return v8::MaybeLocal<v8::SharedArrayBuffer>();
    return v8::SharedArrayBuffer::New(eng.isolate, stores[number]);
}

bool
shared_number(v8::Local<v8::SharedArrayBuffer> buffer, uint32_t *out_number)
{
    const void *bytes = buffer->Data();

    for (size_t i = 0; i < stores.size(); i++)
        if (stores[i]->Data() == bytes) {
            *out_number = static_cast<uint32_t>(i);
            return true;
        }
    return false;
}
