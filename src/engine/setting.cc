/* setting.cc - what a guest may take for the world: its clock, its place, and what it may use.
 *
 * Runs in:  template (place, features), cell (clock).
 * Threads:  the engine's thread only.
 *
 * The place is ICU's, whose functions have the version in their names. It is set before there is an
 * isolate, which takes it over, and before the cell is sealed: what belongs to a place is in files.
 */
#include "engine/account.h"

#include "base/clock.h"

#include <cmath>
#include <cstdio>
#include <dlfcn.h>

/* --- the clock ------------------------------------------------------------------------ */

static struct {
    enum engine_clock kind;
    uint64_t us;
} guest_clock;

void
engine_set_clock(enum engine_clock kind, uint64_t us)
{
    guest_clock.kind = kind;
    guest_clock.us = us;
}

double
clock_wall_ms(void)
{
    uint64_t real_us = clock_ns_of(CLOCK_REALTIME) / 1000;

    switch (guest_clock.kind) {
    case ENGINE_CLOCK_COARSE:
        return static_cast<double>(real_us - real_us % guest_clock.us) * 1e-3;
    case ENGINE_CLOCK_SET:
        return static_cast<double>(guest_clock.us) * 1e-3;
    default:
        return static_cast<double>(real_us) * 1e-3;
    }
}

double
clock_passing_ms(void)
{
    return guest_clock.kind == ENGINE_CLOCK_REAL ? static_cast<double>(now_us()) * 1e-3
                                                 : clock_wall_ms();
}

double
clock_engine_s(void)
{
    static double asked;

    if (!eng.config.seeded)
        return static_cast<double>(now_ns()) * 1e-9;
    /* V8 measures how fast it collects, and decides by that when to do it again. */
    asked += 1;
    return asked * 1e-5;
}

/* --- the place ------------------------------------------------------------------------ */

/* A function of the ICU in the engine, whatever its version; null: there is none. */
template <typename function>
static function
icu(const char *name)
{
    enum {
        OLDEST = 60,
        NEWEST = 120
    };
    char versioned[64];

    for (int version = OLDEST; version <= NEWEST; version++) {
        (void)snprintf(versioned, sizeof versioned, "%s_%d", name, version);
        void *found = dlsym(RTLD_DEFAULT, versioned);
        if (found != nullptr)
            return reinterpret_cast<function>(found);
    }
    return nullptr;
}

/* UErrorCode: what is positive has failed. */
using icu_error = int32_t;

static const char *
zone_set(const char *name)
{
    auto canonical =
        icu<int32_t (*)(const char16_t *, int32_t, char16_t *, int32_t, int8_t *, icu_error *)>(
            "ucal_getCanonicalTimeZoneID");
    auto set = icu<void (*)(const char16_t *, icu_error *)>("ucal_setDefaultTimeZone");
    char16_t wide[ENGINE_PLACE_BYTES] = {}, found[128];
    int8_t known = 0;
    icu_error error = 0;
    int32_t length = 0;

    if (canonical == nullptr || set == nullptr)
        return "the engine's time zone cannot be set";
    for (; name[length] != '\0'; length++)
        wide[length] = static_cast<unsigned char>(name[length]);
    (void)canonical(wide, length, found, 128, &known, &error);
    if (error > 0 || known == 0)
        return "there is no such time zone";
    set(wide, &error);
    return error > 0 ? "the time zone cannot be set" : nullptr;
}

static const char *
locale_set(const char *tag)
{
    auto parse = icu<int32_t (*)(const char *, char *, int32_t, int32_t *, icu_error *)>(
        "uloc_forLanguageTag");
    auto language = icu<const char *(*)(const char *)>("uloc_getISO3Language");
    auto set = icu<void (*)(const char *, icu_error *)>("uloc_setDefault");
    char name[128];
    int32_t parsed = 0;
    icu_error error = 0;

    if (parse == nullptr || language == nullptr || set == nullptr)
        return "the engine's locale cannot be set";
    (void)parse(tag, name, sizeof name, &parsed, &error);
    /* A warning would be that the name is not terminated. */
    if (error != 0 || static_cast<size_t>(parsed) != strlen(tag) || language(name)[0] == '\0')
        return "there is no such locale";
    set(name, &error);
    return error > 0 ? "the locale cannot be set" : nullptr;
}

const char *
engine_set_place(const char *time_zone, const char *locale)
{
    const char *why = time_zone[0] != '\0' ? zone_set(time_zone) : nullptr;

    return why != nullptr || locale[0] == '\0' ? why : locale_set(locale);
}

/* --- features ------------------------------------------------------------------------- */

static bool
refuse_wasm(v8::Local<v8::Context>, v8::Local<v8::String>)
{
    return false;
}

void
features_remove(v8::Isolate *isolate)
{
    if (eng.config.no_wasm)
        isolate->SetAllowWasmCodeGenerationCallback(refuse_wasm);
}

static void
forget(v8::Local<v8::Context> context, v8::Local<v8::Object> holder, const char *name)
{
    (void)holder->Delete(context, text_of(name)).FromMaybe(false);
}

void
features_remove(v8::Local<v8::Context> context)
{
    v8::Local<v8::Object> global = context->Global();
    v8::Local<v8::Value> constructor, prototype;

    if (eng.config.no_code_from_strings) {
        context->AllowCodeGenerationFromStrings(false);
        context->SetErrorMessageForCodeGenerationFromStrings(
            text_of("code from strings is not allowed in this isolate"));
    }
    if (eng.config.no_wasm)
        forget(context, global, "WebAssembly");
    if (eng.config.no_shared_memory) {
        if (global->Get(context, text_of("SharedArrayBuffer")).ToLocal(&constructor) &&
            constructor->IsObject() &&
            constructor.As<v8::Object>()
                ->Get(context, text_of("prototype"))
                .ToLocal(&prototype) &&
            prototype->IsObject())
            forget(context, prototype.As<v8::Object>(), "constructor");
        forget(context, global, "SharedArrayBuffer");
        forget(context, global, "Atomics");
    }
}
