/* memory.cc - one limit for all of a guest's memory, and what happens at it.
 *
 * Runs in:  template (the accounts start), cell.
 * Threads:  the engine's thread only.
 *
 * V8's heap may grow to the limit by itself. What lies beside it is counted here: buffers by
 * their allocator, wasm memories and resizable buffers by the pages that they commit. An
 * allocation that would pass the limit together with the heap is refused, upon which V8
 * collects garbage, tries again and throws a RangeError that the guest may catch. A heap that
 * grows past what buffers leave it is found at a garbage collection, and ends the guest.
 */
#include "engine/priv.h"

#include "base/clock.h"
#include "base/limits.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <malloc.h>
#include <map>
#include <new>
#include <unistd.h>

static struct {
    uint64_t buffers; /* bytes of live ArrayBuffers */
    uint64_t pages;   /* committed bytes of wasm memories and resizable buffers */
    uint64_t peak;    /* of both together */
    uint64_t heap;    /* used bytes of V8's heap at the last collection */
    uint64_t checked; /* heap and all else when a full collection was last asked for */
    uint64_t raised;  /* how far the heap limit has been raised for a clean end */
    uint64_t collections, collection_us, collection_began_us;
    uint64_t refused_at; /* collections when an allocation was refused last */
    bool refused;        /* one ever was */
    bool collect_asked;
} memory;

/* --- the end -------------------------------------------------------------------------- */

void
memory_fatal(bool out_of_memory, const char *location, const char *detail)
{
    location = location == nullptr ? "" : location;
    detail = detail == nullptr ? "" : detail;
    if (eng.hooks.fatal != nullptr)
        eng.hooks.fatal(eng.cell, out_of_memory, location, detail);
    (void)fprintf(stderr, "glovebox: the engine stopped: %s: %s\n", location, detail);
    _exit(70);
}

static void
on_oom(const char *location, const v8::OOMDetails &details)
{
    memory_fatal(true, location, details.detail);
}

static void
on_fatal(const char *location, const char *message)
{
    memory_fatal(false, location, message);
}

static void
on_check(const char *file, int, const char *message)
{
    memory_fatal(false, file, message);
}

/* operator new has nothing to answer but an exception, which nobody here can catch. */
static void
on_new_failed(void)
{
    memory_fatal(true, "operator new", "");
}

void
memory_boot(void)
{
    v8::V8::SetFatalErrorHandler(on_check);
    v8::V8::SetFatalMemoryErrorCallback(on_oom);
    std::set_new_handler(on_new_failed);
    /* A second arena would be 64 MiB of addresses, and a look at the CPUs in sysfs. */
    (void)mallopt(M_ARENA_MAX, 1);
}

/* --- accounts ------------------------------------------------------------------------- */

static uint64_t
outside(void)
{
    return memory.buffers + memory.pages;
}

static bool
fits(uint64_t bytes)
{
    uint64_t limit = eng.config.memory_limit_bytes;
    uint64_t used = memory.heap + outside();

    /* Before there is an isolate, V8 starts itself. */
    return limit == 0 || (used <= limit && bytes <= limit - used);
}

/* Notes that V8 was refused memory, upon which it collects garbage and may ask
 * near_heap_limit() for what isn't the heap's to give. */
static void
refused(void)
{
    memory.refused_at = memory.collections;
    memory.refused = true;
}

static void
charged(void)
{
    memory.peak = std::max(memory.peak, outside());
}

namespace
{

/* V8's pages. Wasm memories and buffers that can grow are reserved whole without access and made
 * accessible from the start as they grow; only what is accessible costs memory, so that is what
 * is counted. V8's heap asks for accessible pages at once and code for another kind of none, so
 * those two pass uncounted: V8 keeps its own account of them. */
class counted_pages final : public v8::PageAllocator
{
    struct reserved {
        size_t length;
        uintptr_t from, to; /* accessible */
    };
    v8::PageAllocator *base;
    std::map<uintptr_t, struct reserved> regions;

    struct reserved *holder(uintptr_t address)
    {
        auto after = regions.upper_bound(address);

        if (after == regions.begin())
            return nullptr;
        auto found = std::prev(after);
        return address - found->first < found->second.length ? &found->second : nullptr;
    }

    static bool accessible(Permission permission)
    {
        return permission != kNoAccess && permission != kNoAccessWillJitLater;
    }

    /* V8 grows and shrinks at the end, so one range per region says it all. */
    bool grow(struct reserved *region, uintptr_t from, uintptr_t to)
    {
        uintptr_t low = region->from == region->to ? from : std::min(region->from, from);
        uintptr_t high = region->from == region->to ? to : std::max(region->to, to);
        uint64_t more = (high - low) - (region->to - region->from);

        if (!fits(more)) {
            refused();
            return false;
        }
        region->from = low;
        region->to = high;
        memory.pages += more;
        charged();
        return true;
    }

    static void shrink(struct reserved *region, uintptr_t from, uintptr_t to)
    {
        uint64_t before = region->to - region->from;

        if (from <= region->from && to >= region->to)
            region->to = region->from;
        else if (from > region->from && from < region->to && to >= region->to)
            region->to = from;
        memory.pages -= before - (region->to - region->from);
    }

  public:
    explicit counted_pages(v8::PageAllocator *allocator) : base(allocator)
    {
    }
    size_t AllocatePageSize() override
    {
        return base->AllocatePageSize();
    }
    size_t CommitPageSize() override
    {
        return base->CommitPageSize();
    }
    void SetRandomMmapSeed(int64_t seed) override
    {
        base->SetRandomMmapSeed(seed);
    }
    void *GetRandomMmapAddr() override
    {
        return base->GetRandomMmapAddr();
    }

    void *AllocatePages(
        void *hint, size_t length, size_t alignment, Permission permission) override
    {
        void *p = base->AllocatePages(hint, length, alignment, permission);

        if (p == nullptr) {
            refused();
        } else if (permission == kNoAccess) {
            auto start = reinterpret_cast<uintptr_t>(p);
            regions[start] = { length, start, start };
        }
        return p;
    }

    bool FreePages(void *address, size_t length) override
    {
        auto found = regions.find(reinterpret_cast<uintptr_t>(address));

        if (found != regions.end()) {
            memory.pages -= found->second.to - found->second.from;
            regions.erase(found);
        }
        return base->FreePages(address, length);
    }

    bool ReleasePages(void *address, size_t length, size_t new_length) override
    {
        auto start = reinterpret_cast<uintptr_t>(address);
        struct reserved *region = holder(start);

        if (region != nullptr) {
            shrink(region, start + new_length, start + length);
            region->length = new_length;
        }
        return base->ReleasePages(address, length, new_length);
    }

    bool SetPermissions(void *address, size_t length, Permission permission) override
    {
        auto start = reinterpret_cast<uintptr_t>(address);
        struct reserved *region = holder(start);

        if (region != nullptr && accessible(permission) && !grow(region, start, start + length))
            return false;
        if (!base->SetPermissions(address, length, permission))
            return false;
        if (region != nullptr && !accessible(permission))
            shrink(region, start, start + length);
        return true;
    }

    bool RecommitPages(void *address, size_t length, Permission permission) override
    {
        return base->RecommitPages(address, length, permission);
    }

    bool DiscardSystemPages(void *address, size_t size) override
    {
        return base->DiscardSystemPages(address, size);
    }

    bool DecommitPages(void *address, size_t size) override
    {
        auto start = reinterpret_cast<uintptr_t>(address);
        struct reserved *region = holder(start);

        if (region != nullptr)
            shrink(region, start, start + size);
        return base->DecommitPages(address, size);
    }
};

class buffer_allocator final : public v8::ArrayBuffer::Allocator
{
    template <typename Allocation> static void *charge(size_t length, Allocation allocation)
    {
        void *p = fits(length) ? allocation() : nullptr;

        if (p == nullptr) {
            refused();
            return nullptr;
        }
        memory.buffers += length;
        charged();
        return p;
    }

  public:
    void *Allocate(size_t length) override
    {
        return charge(length, [=] { return calloc(1, length); });
    }
    void *AllocateUninitialized(size_t length) override
    {
        return charge(length, [=] { return malloc(length); });
    }
    void Free(void *data, size_t length) override
    {
        memory.buffers -= length;
        free(data);
    }
};

} /* namespace */

v8::PageAllocator *
memory_pages(v8::PageAllocator *base)
{
    static counted_pages *const pages = new counted_pages(base);

    return pages;
}

/* --- watching ------------------------------------------------------------------------- */

static void
measure(v8::Isolate *isolate, uint64_t *other)
{
    v8::HeapStatistics heap;

    isolate->GetHeapStatistics(&heap);
    memory.heap = heap.used_heap_size();
    /* V8 counts its buffers too, all but shared ones, and what we don't see: wasm code, the
     * formatters of Intl. */
    *other = std::max(outside(), static_cast<uint64_t>(heap.external_memory()));
}

static void
collect_soon(v8::Isolate *isolate, void *)
{
    memory.collect_asked = false;
    isolate->MemoryPressureNotification(v8::MemoryPressureLevel::kCritical);
    isolate->MemoryPressureNotification(v8::MemoryPressureLevel::kNone);
}

static void
collection_begins(v8::Isolate *, v8::GCType, v8::GCCallbackFlags)
{
    memory.collection_began_us = now_us();
}

/* Calls of the memory hook may come again and again; the first one counts. */
static void
limit_passed(enum engine_memory_event event, uint64_t used)
{
    if (eng.hooks.memory == nullptr)
        return;
    engine_interrupt();
    eng.hooks.memory(eng.cell, event, eng.config.memory_limit_bytes, used);
}

static void
collection_ends(v8::Isolate *isolate, v8::GCType type, v8::GCCallbackFlags)
{
    uint64_t limit = eng.config.memory_limit_bytes;
    uint64_t other;

    memory.collections++;
    memory.collection_us += now_us() - memory.collection_began_us;
    measure(isolate, &other);
    uint64_t used = memory.heap + other;
    if (type == v8::kGCTypeMarkSweepCompact) {
        memory.checked = used;
        if (used > limit)
            limit_passed(ENGINE_MEMORY_EXTERNAL, used);
    } else if (used > limit && used > memory.checked + limit / 16 && !memory.collect_asked) {
        /* Perhaps it is garbage: only a full collection can tell. Not at every small one, or
         * a guest near its limit would do nothing else. */
        memory.collect_asked = true;
        isolate->RequestInterrupt(collect_soon, nullptr);
    }
}

/* V8 is about to give up. It gets room for the guest's clean end: an interrupt, its stack, the
 * unwinding. Builtins that don't look for interrupts may ask again, up to a bound. */
static size_t
near_heap_limit(void *, size_t current, size_t)
{
    uint64_t limit = eng.config.memory_limit_bytes;
    v8::HeapStatistics heap;

    /* After a refusal V8 tries everything, also this; the answer to the guest is a RangeError. */
    if (memory.refused && memory.refused_at == memory.collections)
        return current;
    eng.isolate->GetHeapStatistics(&heap);
    uint64_t used = heap.used_heap_size();
    if (memory.raised == 0)
        limit_passed(used < limit / 2 ? ENGINE_MEMORY_ALLOCATION : ENGINE_MEMORY_HEAP, used);
    if (memory.raised >= MEMORY_SLACK_BYTES_MAX)
        return current;
    memory.raised += MEMORY_SLACK_BYTES;
    return current + MEMORY_SLACK_BYTES;
}

void
memory_params(v8::Isolate::CreateParams *params)
{
    /* Never freed: buffers may outlive anything, and the process ends by _exit. */
    static buffer_allocator *const allocator = new buffer_allocator;

    params->array_buffer_allocator = allocator;
    params->constraints.ConfigureDefaultsFromHeapSize(0, eng.config.memory_limit_bytes);
    params->constraints.set_code_range_size_in_bytes(CODE_RANGE_BYTES);
    params->oom_error_callback = on_oom;
    params->fatal_error_callback = on_fatal;
}

void
memory_install(v8::Isolate *isolate)
{
    auto types = static_cast<v8::GCType>(
        v8::kGCTypeScavenge | v8::kGCTypeMinorMarkSweep | v8::kGCTypeMarkSweepCompact);

    isolate->AddNearHeapLimitCallback(near_heap_limit, nullptr);
    isolate->AddGCPrologueCallback(collection_begins, types);
    isolate->AddGCEpilogueCallback(collection_ends, types);
}

void
memory_measure(void)
{
    uint64_t other;

    measure(eng.isolate, &other);
    memory.checked = memory.heap + other;
    memory.peak = outside();
    memory.collections = memory.collection_us = 0;
}

/* --- for the host --------------------------------------------------------------------- */

void
engine_measure(struct engine_statistics *out)
{
    v8::HeapStatistics heap;
    v8::HeapCodeStatistics code;

    eng.isolate->GetHeapStatistics(&heap);
    (void)eng.isolate->GetHeapCodeAndMetadataStatistics(&code);
    *out = {};
    out->heap_used = heap.used_heap_size();
    out->heap_total = heap.total_heap_size();
    out->heap_limit = eng.config.memory_limit_bytes;
    out->heap_malloced = heap.malloced_memory();
    out->heap_peak_malloced = heap.peak_malloced_memory();
    out->external = outside();
    out->external_peak = memory.peak;
    out->code_and_metadata = code.code_and_metadata_size() + code.bytecode_and_metadata_size();
    out->contexts = contexts_count();
    out->detached_contexts = heap.number_of_detached_contexts();
    out->collections = memory.collections;
    out->collection_us = memory.collection_us;
}

void
engine_collect(void)
{
    eng.isolate->LowMemoryNotification();
}
