/* memory.cc - one limit for all of a guest's memory, and what happens at it.
 *
 * Runs in:  template (the accounts start), cell.
 * Threads:  the engine's thread only.
 *
 * V8's heap may grow to the limit by itself. What lies beside it is counted here: buffers by
 * their allocator, wasm memories and resizable buffers by the pages that they commit. An
 * allocation that would pass the limit together with the heap is refused, upon which V8
 * collects garbage, tries again and throws a RangeError that the guest may catch. A heap that
 * grows past what buffers leave it is found at a garbage collection, and ends the guest. So is
 * what V8 and ICU take from malloc: formatters, worklists, parsers.
 */
#include "engine/account.h"

#include "base/clock.h"
#include "base/limits.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <malloc.h>
#include <new>
#include <unistd.h>

static struct {
    uint64_t checked; /* bytes of pages and buffers after the last full collection */
    uint64_t raised;  /* bytes by which the heap's limit has been raised for a clean end */
    uint64_t collection_us, collection_began_us;
    uint64_t heap_peak; /* the most that was in use, as far as collections have seen it */
    uint64_t malloced;  /* in use of malloc's when the accounts began: V8's own */
    uintptr_t arena;    /* end of malloc's arena when it was looked at last */
    bool collect_asked, collecting;
    bool unlimited; /* a snapshot child: it has memory of its own, and no guest */
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

/* Some of V8's last words (an array longer than any can be, a full marking worklist) end in a
 * trap that no handler of V8's hears of. */
static void
on_trap(int)
{
    memory_fatal(false, "trap", "V8 stopped itself; it prints why on stderr");
}

void
memory_boot(void)
{
    struct sigaction trap = {};

    v8::V8::SetFatalErrorHandler(on_check);
    v8::V8::SetFatalMemoryErrorCallback(on_oom);
    std::set_new_handler(on_new_failed);
    trap.sa_handler = on_trap;
    (void)sigaction(SIGTRAP, &trap, nullptr);
    /* A second arena would be 64 MiB of addresses, and a look at the CPUs in sysfs. */
    (void)mallopt(M_ARENA_MAX, 1);
    /* What a call frees the next one uses, without a fault for each page: at 2 us each those cost
     * more than all else that a 1 MB argument does. An idle cell gives it back (engine_trim). */
    (void)mallopt(M_TRIM_THRESHOLD, ARENA_KEPT_BYTES);
    (void)mallopt(M_MMAP_THRESHOLD, ARENA_KEPT_BYTES);
}

/* --- watching ------------------------------------------------------------------------- */

/* Bytes that malloc has given out. */
static uint64_t
malloc_in_use(void)
{
    struct mallinfo2 info = mallinfo2();

    memory.arena = reinterpret_cast<uintptr_t>(sbrk(0));
    return info.uordblks + info.hblkhd;
}

/* Notes how much of them is, since the accounts began, no buffer that counts already. */
static void
measure_malloc(void)
{
    uint64_t known = memory.malloced + account.buffers, in_use = malloc_in_use();

    account.malloced = in_use > known ? in_use - known : 0;
}

static void
measure(v8::Isolate *isolate, uint64_t *other)
{
    v8::HeapStatistics heap;

    isolate->GetHeapStatistics(&heap);
    account.heap = heap.used_heap_size();
    measure_malloc();
    /* V8 counts its buffers too, all but shared ones, and what we don't see: wasm code. */
    *other = std::max(
        account_outside() + account.malloced, static_cast<uint64_t>(heap.external_memory()));
}

static void
collect(v8::Isolate *isolate, void *)
{
    memory.collect_asked = false;
    isolate->MemoryPressureNotification(v8::MemoryPressureLevel::kCritical);
    isolate->MemoryPressureNotification(v8::MemoryPressureLevel::kNone);
}

void
memory_grows(uint64_t all)
{
    uint64_t limit = eng.config.memory_limit_bytes;

    /* What a collection takes for itself must not lead to the next one, and that to another. */
    if (all <= limit || all <= memory.checked + limit / 16 || memory.collect_asked ||
        memory.collecting)
        return;
    memory.collect_asked = true;
    eng.isolate->RequestInterrupt(collect, nullptr);
}

static void
collection_begins(v8::Isolate *isolate, v8::GCType, v8::GCCallbackFlags)
{
    v8::HeapStatistics heap;

    isolate->GetHeapStatistics(&heap);
    memory.heap_peak = std::max<uint64_t>(memory.heap_peak, heap.used_heap_size());
    memory.collection_began_us = now_us();
    memory.collecting = true;
}

/* Calls of the memory hook may come again and again; the first one counts. */
static void
limit_passed(enum engine_memory_event event, uint64_t used)
{
    if (eng.hooks.memory == nullptr || memory.unlimited)
        return;
    engine_interrupt();
    eng.hooks.memory(eng.cell, event, eng.config.memory_limit_bytes, used);
}

/* Of the heap V8 knows when it must look at all of it. Of malloc's part it doesn't; counting that
 * takes a walk over all that is free there, so only if the arena has grown. */
static void
note_small_collection(v8::Isolate *isolate)
{
    v8::HeapStatistics heap;

    isolate->GetHeapStatistics(&heap);
    account.heap = heap.used_heap_size();
    if (reinterpret_cast<uintptr_t>(sbrk(0)) <= memory.arena + ARENA_LOOK_BYTES)
        return;
    measure_malloc();
    memory_grows(account.heap_pages + account_outside() + account.malloced);
}

static void
collection_ends(v8::Isolate *isolate, v8::GCType type, v8::GCCallbackFlags)
{
    uint64_t limit = eng.config.memory_limit_bytes;
    uint64_t other;

    account.collections++;
    memory.collecting = false;
    memory.collection_us += now_us() - memory.collection_began_us;
    if (type != v8::kGCTypeMarkSweepCompact) {
        note_small_collection(isolate);
        return;
    }
    measure(isolate, &other);
    uint64_t used = account.heap + other;
    memory.checked = account.heap_pages + account_outside() + account.malloced;
    if (used > limit)
        limit_passed(account.heap > limit ? ENGINE_MEMORY_HEAP : ENGINE_MEMORY_EXTERNAL, used);
}

/* V8 is about to give up. It gets room for the guest's clean end: an interrupt, its stack, the
 * unwinding. Builtins that don't look for interrupts may ask again, up to a bound. */
static size_t
near_heap_limit(void *, size_t current, size_t)
{
    v8::HeapStatistics heap;

    if (memory.unlimited)
        return current + MEMORY_LIMIT_DEFAULT;
    /* After a refusal V8 tries everything, also this; the answer to the guest is a RangeError. */
    if (account.refused && account.refused_at == account.collections)
        return current;
    eng.isolate->GetHeapStatistics(&heap);
    /* What is used may be little: then it's one object that doesn't fit. */
    if (memory.raised == 0) {
        limit_passed(ENGINE_MEMORY_HEAP, heap.used_heap_size());
        if (eng.hooks.last_look != nullptr)
            eng.hooks.last_look(eng.cell);
    }
    if (memory.raised >= MEMORY_SLACK_BYTES_MAX)
        return current;
    memory.raised += MEMORY_SLACK_BYTES;
    return current + MEMORY_SLACK_BYTES;
}

uint64_t
memory_beside_buffers(void)
{
    uint64_t in_use = malloc_in_use();

    return in_use > account.buffers ? in_use - account.buffers : 0;
}

void
memory_forgive(uint64_t bytes)
{
    memory.malloced += bytes;
}

void
engine_in_snapshot_child(void)
{
    memory.unlimited = true;
}

void
memory_params(v8::Isolate::CreateParams *params)
{
    params->array_buffer_allocator = account_allocator();
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

    memory.malloced = malloc_in_use();
    measure(eng.isolate, &other);
    memory.checked = account.heap_pages + account_outside();
    account.peak = account.buffers + account.pages;
    account.collections = memory.collection_us = memory.heap_peak = 0;
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
    memory.heap_peak = std::max(memory.heap_peak, out->heap_used);
    out->heap_peak = memory.heap_peak;
    out->external = account.buffers + account.pages;
    out->external_peak = account.peak;
    out->code_and_metadata = code.code_and_metadata_size() + code.bytecode_and_metadata_size();
    out->contexts = contexts_count();
    out->detached_contexts = heap.number_of_detached_contexts();
    out->collections = account.collections;
    out->collection_us = memory.collection_us;
    out->references = references_count();
}

void
engine_collect(void)
{
    eng.isolate->LowMemoryNotification();
}
