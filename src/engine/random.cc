/* random.cc - what Math.random() of a context goes on from.
 *
 * Runs in:  zygote (finding it), twin (setting it).
 * Trusts:   the engine's files; nothing of a guest's.
 * Threads:  the engine's thread only.
 *
 * V8 seeds a context's Math.random() at its first number and has no call to seed it anew, but a
 * fork of a live isolate must not draw what its original draws. The state lies in the context: a
 * block of 16 bytes, two numbers of xorshift128+, and an index: how many of the 64 numbers made
 * ahead are left. At 0 the next 64 are made from the state. No header says where these two are.
 * So the zygote finds out, and refuses an engine that does not have each exactly once, doing
 * what it must.
 */
#include "engine/priv.h"

#include <cstring>
#include <v8-internal.h>

namespace
{

using word =
    uintptr_t; /* V8's tagged word: a small integer, or the address of an object plus 1 */

enum {
    AHEAD = 64,       /* numbers that V8 makes at a time */
    WORDS_HEAD = 2,   /* of an array or a context: its map and its length */
    SLOTS_MAX = 4096, /* of a context: it has some hundred */
    STATE_BYTES = 16
};
struct state {
    uint64_t s0, s1;
};
static_assert(sizeof(struct state) == STATE_BYTES, "as V8 has it");
static_assert(sizeof(word) == v8::internal::kApiTaggedSize, "no compressed pointers");

/* Slots of a context; found. */
uint32_t state_slot, index_slot;

} /* namespace */

static word
small_integer(uint32_t n)
{
    return static_cast<word>(n) << 32;
}

static bool
is_object(word value)
{
    return (value & 3) == 1;
}

static word *
object_at(word value)
{
    return reinterpret_cast<word *>(value - 1);
}

static word *
context_words(v8::Local<v8::Context> context)
{
    return object_at(v8::internal::ValueHelper::ValueAsAddress(*context));
}

static uint32_t
slots_of(const word *words)
{
    return static_cast<uint32_t>(words[1] >> 32);
}

/* The block of 16 bytes that a slot names; NULL if it is something else. */
static struct state *
state_at(const word *words, uint32_t slot)
{
    word value = words[WORDS_HEAD + slot];

    if (!is_object(value) || object_at(value)[1] != small_integer(STATE_BYTES))
        return nullptr;
    return reinterpret_cast<struct state *>(object_at(value) + WORDS_HEAD);
}

/* What V8's xorshift128+ makes of a state by `steps` numbers. */
static struct state
advance(struct state from, int steps)
{
    for (int i = 0; i < steps; i++) {
        uint64_t a = from.s0, b = from.s1;
        a ^= a << 23;
        a ^= a >> 17;
        a ^= b ^ b >> 26;
        from = { b, a };
    }
    return from;
}

static bool
draw(v8::Local<v8::Context> context)
{
    v8::Isolate *isolate = v8::Isolate::GetCurrent(); /* not yet ours */
    v8::HandleScope handles(isolate);
    v8::Context::Scope scope(context);
    v8::Local<v8::Script> script;

    return v8::Script::Compile(
               context, v8::String::NewFromUtf8Literal(isolate, "Math.random()"))
               .ToLocal(&script) &&
           !script->Run(context).IsEmpty();
}

/* The one slot whose small integer is `first`, then `second` after a further number. 0: none. */
static uint32_t
find_index(v8::Local<v8::Context> context)
{
    static word before[SLOTS_MAX];
    uint32_t count = slots_of(context_words(context)), found = 0, times = 0;

    memcpy(before, context_words(context) + WORDS_HEAD, count * sizeof before[0]);
    if (!draw(context))
        return 0;
    const word *after = context_words(context) + WORDS_HEAD;
    for (uint32_t slot = 0; slot < count; slot++)
        if (before[slot] == small_integer(AHEAD - 1) &&
            after[slot] == small_integer(AHEAD - 2)) {
            found = slot;
            times++;
        }
    return times == 1 ? found : 0;
}

/* The one slot with a state that was 0 before the first number is drawn. */
static uint32_t
find_state(v8::Local<v8::Context> context)
{
    static bool zero[SLOTS_MAX];
    const word *words = context_words(context);
    uint32_t count = slots_of(words), found = 0, times = 0;

    for (uint32_t slot = 0; slot < count; slot++) {
        const struct state *state = state_at(words, slot);
        zero[slot] = state != nullptr && state->s0 == 0 && state->s1 == 0;
    }
    if (!draw(context))
        return 0;
    words = context_words(context);
    for (uint32_t slot = 0; slot < count; slot++) {
        const struct state *state = zero[slot] ? state_at(words, slot) : nullptr;
        if (state != nullptr && state->s0 != 0 && state->s1 != 0) {
            found = slot;
            times++;
        }
    }
    return times == 1 ? found : 0;
}

void
random_set(v8::Local<v8::Context> context, uint64_t s0, uint64_t s1)
{
    word *words = context_words(context);

    *state_at(words, state_slot) = { s0, s1 };
    words[WORDS_HEAD + index_slot] = small_integer(0);
}

const char *
random_find(v8::Local<v8::Context> context)
{
    static const struct state ours = { 0x0123456789abcdef, 0x76543210fedcba98 };
    uint32_t count = slots_of(context_words(context));

    if (count == 0 || count > SLOTS_MAX)
        return "the engine's contexts are not laid out as this build of glovebox knows";
    state_slot = find_state(context);
    index_slot = find_index(context);
    if (state_slot == 0 || index_slot == 0)
        return "the engine's Math.random() has no state where this build of glovebox looks";
    random_set(context, ours.s0, ours.s1);
    if (!draw(context))
        return "the engine's Math.random() does not draw";
    struct state wanted = advance(ours, AHEAD);
    if (memcmp(state_at(context_words(context), state_slot), &wanted, sizeof wanted) != 0)
        return "the engine's Math.random() is not seeded as this build of glovebox does it";
    return nullptr;
}
