/* isolate.cc - V8 started once, one isolate, its contexts, and what a fork must renew.
 *
 * Runs in:  zygote (boot), template (isolate), cell (after_fork, contexts).
 * Threads:  the engine's thread only.
 */
#include "engine/priv.h"

#include "base/check.h"
#include "base/limits.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <unordered_map>
#include <v8-profiler.h>
#include <vector>

struct engine_state eng;

struct context_entry {
    v8::Global<v8::Context> context;
};

/* Keyed by the host's ids. The entry asked for last is kept aside: calls come in runs. */
static std::unordered_map<uint32_t, struct context_entry> contexts;
static uint32_t recent_id;
static struct context_entry *recent;

/* Embedder slot of a context that holds its id. V8 and its inspector use slot 0. */
enum {
    CONTEXT_ID_SLOT = 1
};

static uint64_t seed_state;

/* --- boot ----------------------------------------------------------------------------- */

#define TEXT_OF(number)    #number
#define VERSION_OF(number) TEXT_OF(number)
/* V8 has no macro for what the embedder adds ("-node.34"); a build may name it. */
#ifndef V8_EMBEDDER_STRING
#define V8_EMBEDDER_STRING ""
#endif

const char *
engine_version(void)
{
    return v8::V8::GetVersion();
}

const char *
engine_version_built_for(void)
{
    return VERSION_OF(V8_MAJOR_VERSION) "." VERSION_OF(V8_MINOR_VERSION) "." VERSION_OF(
        V8_BUILD_NUMBER) "." VERSION_OF(V8_PATCH_LEVEL) V8_EMBEDDER_STRING;
}

const char *
engine_version_mismatch(const char *running, const char *built_for)
{
    static char text[256];
    size_t length = strlen(built_for);

    /* "14.6.202.34" fits "14.6.202.34-node.34", but not "14.6.202.345". */
    if (strncmp(running, built_for, length) == 0 &&
        (running[length] == '\0' || running[length] == '-'))
        return nullptr;
    (void)snprintf(text, sizeof text,
        "the engine is V8 %.64s, but this build of glovebox is for V8 %.64s", running,
        built_for);
    return text;
}

static const char *
random_self_test(v8::Isolate *isolate)
{
    v8::HandleScope handles(isolate);

    return random_find(v8::Context::New(isolate));
}

/* In an isolate of its own, so that the inspector leaves nothing behind in ours. */
static const char *
self_test_run(void)
{
    v8::Isolate::CreateParams params;
    std::unique_ptr<v8::ArrayBuffer::Allocator> allocator(
        v8::ArrayBuffer::Allocator::NewDefaultAllocator());
    params.array_buffer_allocator = allocator.get();
    params.constraints.ConfigureDefaultsFromHeapSize(0, 64 * MIB);
    params.constraints.set_code_range_size_in_bytes(CODE_RANGE_BYTES);

    v8::Isolate *isolate = v8::Isolate::New(params);
    isolate->Enter();
    const char *why = inspector_self_test(isolate);
    if (why == nullptr)
        why = random_self_test(isolate);
    isolate->Exit();
    isolate->Dispose();
    return why;
}

const char *
engine_boot(bool self_test)
{
    const char *why = engine_version_mismatch(engine_version(), engine_version_built_for());

    if (why != nullptr)
        return why;
    /* Flags must stay changeable: the random seed of a forked cell is one. */
    v8::V8::SetFlagsFromString(
        "--single-threaded --no-freeze-flags-after-init --inspector-live-edit");
    memory_boot();
    v8::V8::InitializePlatform(platform_get());
    if (!v8::V8::Initialize())
        return "V8 does not start";
    return self_test ? self_test_run() : nullptr;
}

/* --- seeds ---------------------------------------------------------------------------- */

/* SplitMix64: any seed gives a sequence of well mixed, different numbers. */
static uint64_t
seed_next(void)
{
    uint64_t z = seed_state += 0x9E3779B97F4A7C15u;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static void
seed_flag(void)
{
    char flag[64];
    uint32_t seed;

    do
        seed = static_cast<uint32_t>(seed_next());
    while (seed == 0); /* 0 means: V8's own generator, whose state siblings share */
    (void)snprintf(flag, sizeof flag, "--random-seed=%d", static_cast<int32_t>(seed));
    v8::V8::SetFlagsFromString(flag);
}

/* Makes the context draw its state from a fresh seed, before any code of a guest runs in it:
 * V8 seeds a context's Math.random at its first number. */
static void
context_seed(v8::Local<v8::Context> context)
{
    v8::Local<v8::Value> math, random;

    seed_flag();
    v8::Context::Scope scope(context);
    if (context->Global()->Get(context, text_of("Math")).ToLocal(&math) && math->IsObject() &&
        math.As<v8::Object>()->Get(context, text_of("random")).ToLocal(&random) &&
        random->IsFunction())
        (void)random.As<v8::Function>()->Call(context, math, 0, nullptr).IsEmpty();
}

/* --- contexts ------------------------------------------------------------------------- */

v8::Local<v8::Context>
context_find(uint32_t id)
{
    if (id != recent_id || recent == nullptr) {
        auto found = contexts.find(id);
        if (found == contexts.end())
            return v8::Local<v8::Context>();
        recent_id = id;
        recent = &found->second;
    }
    return recent->context.Get(eng.isolate);
}

uint32_t
context_id(v8::Local<v8::Context> context)
{
    if (context->GetNumberOfEmbedderDataFields() <= CONTEXT_ID_SLOT)
        return 0;
    v8::Local<v8::Data> id = context->GetEmbedderDataV2(CONTEXT_ID_SLOT);
    return id->IsValue() && id.As<v8::Value>()->IsUint32()
               ? id.As<v8::Value>().As<v8::Uint32>()->Value()
               : 0;
}

uint32_t
contexts_count(void)
{
    return static_cast<uint32_t>(contexts.size());
}

void
context_each(void (*each)(uint32_t id, v8::Local<v8::Context> context, void *data), void *data)
{
    for (auto &entry : contexts) {
        v8::HandleScope handles(eng.isolate);
        each(entry.first, entry.second.context.Get(eng.isolate), data);
    }
}

static bool
context_make(uint32_t id)
{
    v8::HandleScope handles(eng.isolate);
    v8::TryCatch caught(eng.isolate);
    v8::Local<v8::Context> context = v8::Context::New(eng.isolate);

    if (context.IsEmpty())
        return false;
    context->SetEmbedderDataV2(CONTEXT_ID_SLOT, v8::Integer::NewFromUnsigned(eng.isolate, id));
    features_remove(context);
    install_console(context);
    contexts[id].context.Reset(eng.isolate, context);
    inspector_context_created(id, context);
    return true;
}

bool
engine_context_new(uint32_t id)
{
    if (id == 0 || contexts.count(id) != 0 || contexts.size() >= CONTEXTS_MAX ||
        !context_make(id))
        return false;
    v8::HandleScope handles(eng.isolate);
    context_seed(context_find(id));
    return true;
}

void
engine_context_free(uint32_t id)
{
    v8::HandleScope handles(eng.isolate);
    v8::Local<v8::Context> context = context_find(id);

    if (context.IsEmpty())
        return;
    inspector_context_destroyed(id, context);
    awaits_forget_context(id);
    host_forget_context(id);
    references_forget_context(id);
    modules_forget_context(id);
    recent = nullptr;
    contexts.erase(id);
    eng.isolate->ContextDisposedNotification(v8::ContextDependants::kNoDependants);
}

/* --- the isolate ---------------------------------------------------------------------- */

/* What would open files, take locks or fault many pages at its first use in a sealed cell. Runs
 * in a context that is thrown away, so that what guests get is untouched. Not Math.random. */
static const char warm_up[] =
    "(function () {"
    "  const d = new Date(2024, 6, 1); d.toString(); d.getTimezoneOffset(); Date.parse('1 Jul "
    "2024 10:00');"
    "  d.toLocaleString(); d.toLocaleDateString(); new Intl.NumberFormat().format(1234.5);"
    "  new Intl.DateTimeFormat('en', { dateStyle: 'full', timeStyle: 'long' }).format(d);"
    "  new Intl.Collator().compare('a', 'b'); new Intl.PluralRules().select(2);"
    "  new Intl.ListFormat().format(['a', 'b']); new Intl.RelativeTimeFormat().format(1, "
    "'day');"
    "  [...new Intl.Segmenter().segment('a b')]; new Intl.DisplayNames('en', { type: 'region' "
    "}).of('US');"
    "  'a'.localeCompare('b'); 'A'.toLocaleLowerCase(); '\\u00e9'.normalize('NFD'); "
    "(5).toLocaleString();"
    "  if (typeof Temporal === 'object') Temporal.Now.zonedDateTimeISO().toString();"
    "  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 0.001);"
    "  Promise.resolve(1).then(x => x); (async () => { await 1; })();"
    "  JSON.parse(JSON.stringify({ a: [1, 'x', null] })); /a(b+)c/u.exec('xabbc');"
    "  new Map([[1, new Set([2])]]); new Uint8Array(16).fill(1);"
    "  class A { #x = 1; get x() { return this.#x; } } new A().x; new Function('return 1')();"
    "  try { null.x; } catch (e) { e.stack; }"
    "  new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]));"
    "  return { a: 1, b: ['x', 2.5, true], c: new Date(0), d: new Map([[1, 2]]) };"
    "})()";

/* In `context`, which is thrown away. */
static void
warm_up_run(v8::Local<v8::Context> context)
{
    v8::HandleScope handles(eng.isolate);
    v8::TryCatch caught(eng.isolate);
    guest_entry entry(context);
    struct engine_source source = { span_text(warm_up), span_text("warm-up"), 0, 0 };
    v8::Local<v8::Value> result;
    struct buf bytes = {};

    bytes.max = 64 * KIB;
    GBX_CHECK(script_run(context, &source).ToLocal(&result));
    GBX_CHECK(microtasks_run());
    GBX_CHECK(clone_write(context, result, &bytes) == CLONE_OK);
    GBX_CHECK(!clone_read(context, buf_span(&bytes)).IsEmpty());
    buf_done(&bytes);
}

namespace
{

class none final : public v8::QueryObjectPredicate
{
  public:
    bool Filter(v8::Local<v8::Object>) override
    {
        return false;
    }
};

} /* namespace */

/* Leaves the heap as a cell's first evaluation wants to find it, so that a forked cell makes
 * few pages its own. Collects what the warm-up left and sweeps all of it: V8 would sweep a page
 * when it next allocates there, each cell anew; looking for objects makes it finish. Then
 * rehearses: the allocators open the pages and sort the free blocks that they will use. */
static void
heap_settle(v8::Local<v8::Context> rehearsal)
{
    std::vector<v8::Global<v8::Object>> found;
    class none none;
    struct engine_source source = { span_text("0"), span_of(nullptr, 0), 0, 0 };

    eng.isolate->LowMemoryNotification();
    eng.isolate->GetHeapProfiler()->QueryObjects(rehearsal, &none, &found);
    guest_entry entry(rehearsal);
    for (int i = 0; i < 2; i++) {
        v8::HandleScope handles(eng.isolate);
        GBX_CHECK(!script_run(rehearsal, &source).IsEmpty());
        seed_flag();
    }
}

const char *
engine_isolate_new(const struct engine_config *config)
{
    v8::Isolate::CreateParams params;

    GBX_CHECK(eng.isolate == nullptr);
    eng.config = *config;
    eng.config.value_bytes_max = std::min(config->value_bytes_max, config->memory_limit_bytes);
    if (config->seeded) /* collections that depend on what was allocated, not on how fast */
        v8::V8::SetFlagsFromString("--predictable-gc-schedule --heap-growing-percent=30");
    memory_params(&params);
    eng.isolate = v8::Isolate::Allocate();
    if (eng.isolate == nullptr)
        return "V8 cannot make an isolate";
    v8::Isolate::Initialize(eng.isolate, params);
    eng.isolate->Enter();
    eng.isolate->SetMicrotasksPolicy(v8::MicrotasksPolicy::kExplicit);
    memory_install(eng.isolate);
    module_install(eng.isolate);
    v8::HandleScope handles(eng.isolate);
    v8::Local<v8::Context> rehearsal = v8::Context::New(eng.isolate);
    if (!context_make(1))
        return "V8 cannot make a context";
    warm_up_run(rehearsal);
    heap_settle(rehearsal);
    /* A cell should begin with nothing to do. */
    for (int round = 0; round < 10 && platform_run_tasks(false); round++)
        ;
    features_remove(eng.isolate); /* the warm-up has used all of it */
    arena_plug();
    memory_measure();
    return nullptr;
}

/* Where V8 finds the guest's stack too deep: counted from here, as a fork keeps the stack. */
static void
stack_measure(void)
{
    uint64_t limit = eng.config.stack_limit_bytes;
    auto here = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));

    eng.isolate->SetStackLimit(here - (limit == 0 ? STACK_LIMIT_BYTES : limit));
}

void
engine_after_fork(const struct engine_hooks *hooks, void *cell, uint64_t seed, bool console)
{
    eng.hooks = *hooks;
    eng.cell = cell;
    eng.console = console;
    takeover_filtered();
    stack_measure();
    if (!eng.config.seeded)
        engine_seed(seed);
}

void
engine_seed(uint64_t seed)
{
    v8::HandleScope handles(eng.isolate);

    seed_state = seed;
    context_seed(context_find(1));
}

void
engine_after_twin(uint64_t seed)
{
    auto reseed = [](uint32_t, v8::Local<v8::Context> context, void *) {
        random_set(context, seed_next(), seed_next() | 1);
    };

    /* What goes its own way from a seeded isolate goes the same way each time. */
    seed_state = eng.config.seeded ? seed_next() : seed;
    references_forget();
    scripts_forget();
    loaders_forget();
    context_each(reseed, nullptr);
    seed_flag();
}
