/* reference.cc - guest values that the host holds by number.
 *
 * Runs in:  cell.
 * Trusts:   no number: it comes over the wire.
 * Threads:  the engine's thread only.
 *
 * A number is a place in the table and the place's lap, so that a number of a freed reference
 * doesn't name what took its place.
 */
#include "engine/priv.h"

#include "base/limits.h"

#include <vector>

enum {
    PLACE_BITS = 20,
    PLACE_MASK = (1 << PLACE_BITS) - 1,
    LAP_MASK = (1 << (32 - PLACE_BITS)) - 1
};
static_assert(REFERENCES_MAX == 1 << PLACE_BITS, "a place is PLACE_BITS wide");

struct reference {
    v8::Global<v8::Value> value; /* empty: free */
    uint32_t context;
    uint32_t lap; /* never 0, so that no number is 0 */
};

static std::vector<struct reference> references;
static std::vector<uint32_t> free_places;

static struct reference *
find(uint32_t number)
{
    uint32_t place = number & PLACE_MASK;

    if (place >= references.size() || references[place].lap != number >> PLACE_BITS ||
        references[place].value.IsEmpty())
        return nullptr;
    return &references[place];
}

v8::Local<v8::Value>
reference_find(uint32_t number)
{
    struct reference *found = find(number);

    return found == nullptr ? v8::Local<v8::Value>() : found->value.Get(eng.isolate);
}

uint32_t
reference_context(uint32_t number)
{
    struct reference *found = find(number);

    return found == nullptr ? 0 : found->context;
}

uint32_t
reference_new(uint32_t context, v8::Local<v8::Value> value)
{
    uint32_t place;

    if (!free_places.empty()) {
        place = free_places.back();
        free_places.pop_back();
    } else if (references.size() < REFERENCES_MAX) {
        place = static_cast<uint32_t>(references.size());
        references.push_back({});
    } else {
        return 0;
    }
    struct reference *taken = &references[place];
    taken->value.Reset(eng.isolate, value);
    taken->context = context;
    taken->lap = taken->lap >= LAP_MASK ? 1 : taken->lap + 1;
    return taken->lap << PLACE_BITS | place;
}

enum engine_typeof
reference_typeof(v8::Local<v8::Value> value)
{
    if (value->IsUndefined())
        return ENGINE_TYPEOF_UNDEFINED;
    if (value->IsNull())
        return ENGINE_TYPEOF_NULL;
    if (value->IsFunction())
        return ENGINE_TYPEOF_FUNCTION;
    if (value->IsObject())
        return ENGINE_TYPEOF_OBJECT;
    if (value->IsBoolean())
        return ENGINE_TYPEOF_BOOLEAN;
    if (value->IsNumber())
        return ENGINE_TYPEOF_NUMBER;
    if (value->IsBigInt())
        return ENGINE_TYPEOF_BIGINT;
    return value->IsString() ? ENGINE_TYPEOF_STRING : ENGINE_TYPEOF_SYMBOL;
}

uint32_t
references_count(void)
{
    return static_cast<uint32_t>(references.size() - free_places.size());
}

static void
drop(uint32_t place)
{
    references[place].value.Reset();
    free_places.push_back(place);
}

void
engine_reference_free(uint32_t number)
{
    if (find(number) != nullptr)
        drop(number & PLACE_MASK);
}

void
references_forget(void)
{
    for (uint32_t place = 0; place < references.size(); place++)
        if (!references[place].value.IsEmpty())
            drop(place);
}

void
references_forget_context(uint32_t id)
{
    for (uint32_t place = 0; place < references.size(); place++)
        if (references[place].context == id && !references[place].value.IsEmpty())
            drop(place);
}
