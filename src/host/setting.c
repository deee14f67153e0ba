/* setting.c - what a guest may take for the world: its clock, its randomness, its place. */
#include "host/host.h"

#include "base/check.h"
#include "base/error.h"

#include <ctype.h>
#include <string.h>

/* Names of places: letters first, then what occurs in such names. */
static gbx_status
check_place(const char *what, const char *name, const char *more, size_t max, gbx_error *error)
{
    size_t len = name == NULL ? 0 : strlen(name);
    bool good = name == NULL || (len > 0 && len <= max && isalpha((unsigned char)name[0]));

    for (size_t i = 0; i < len && good; i++)
        good =
            name[i] > 0 && (isalnum((unsigned char)name[i]) || strchr(more, name[i]) != NULL);
    return good ? GBX_OK : fail(error, GBX_EINVAL, "%s: that is no name of one", what);
}

gbx_status
setting_check(const gbx_isolate_options *options, gbx_error *error)
{
    uint64_t max = options->clock == GBX_CLOCK_COARSE ? CLOCK_COARSE_MAX_US
                   : options->clock == GBX_CLOCK_SET  ? CLOCK_SET_MAX_US
                                                      : 0;
    gbx_status status =
        check_place("time zone", options->time_zone, "_+-/", PLACE_ZONE_BYTES - 1, error);

    if (status == GBX_OK)
        status = check_place("locale", options->locale, "-", PLACE_LOCALE_BYTES - 1, error);
    if (status != GBX_OK)
        return status;
    if (options->clock > GBX_CLOCK_SET)
        return fail(
            error, GBX_EUNSUPPORTED, "isolate options: unknown clock %u", options->clock);
    if (options->clock_us > max ||
        (options->clock == GBX_CLOCK_COARSE && options->clock_us == 0))
        return fail(error, GBX_EINVAL, "clock: %llu us, expected at most %llu",
            (unsigned long long)options->clock_us, (unsigned long long)max);
    if (options->seed != 0 && (options->flags & GBX_ISOLATE_SEEDED) == 0)
        return fail(error, GBX_EINVAL, "a seed needs GBX_ISOLATE_SEEDED");
    if ((options->flags & (GBX_ISOLATE_NO_SHARED_MEMORY | GBX_ISOLATE_NO_WASM)) ==
        GBX_ISOLATE_NO_SHARED_MEMORY)
        return fail(error, GBX_EINVAL,
            "shared memory goes together with WebAssembly, whose memories may be shared");
    return GBX_OK;
}

static void
name_put(uint64_t *words, const char *name, size_t size)
{
    char text[PLACE_ZONE_BYTES] = "";

    if (name != NULL)
        memcpy(text, name, strlen(name));
    memcpy(words, text, size);
}

void
setting_template(
    const gbx_isolate_options *options, uint32_t require, uint64_t option[TEMPLATE_OPTIONS])
{
    static const struct {
        uint32_t flag, of_template;
    } flags[] = {
        { GBX_ISOLATE_PROFILING, TEMPLATE_PROFILING },
        { GBX_ISOLATE_SEEDED, TEMPLATE_SEEDED },
        { GBX_ISOLATE_NO_CODE_FROM_STRINGS, TEMPLATE_NO_CODE_FROM_STRINGS },
        { GBX_ISOLATE_NO_WASM, TEMPLATE_NO_WASM },
        { GBX_ISOLATE_NO_SHARED_MEMORY, TEMPLATE_NO_SHARED_MEMORY },
    };
    uint64_t all = (options->on_console != NULL ? TEMPLATE_CONSOLE : 0u) |
                   (options->on_rejection != NULL ? TEMPLATE_REJECTIONS : 0u) |
                   ((options->flags & GBX_ISOLATE_NO_FORK) != 0 ? 0u : TEMPLATE_FORK);

    for (size_t i = 0; i < COUNT(flags); i++)
        if ((options->flags & flags[i].flag) != 0)
            all |= flags[i].of_template;
    option[TEMPLATE_MEMORY_LIMIT] = options->memory_limit_bytes;
    option[TEMPLATE_STACK_LIMIT] = options->stack_limit_bytes;
    option[TEMPLATE_FLAGS] = all;
    option[TEMPLATE_LAYERS] = require;
    name_put(&option[TEMPLATE_ZONE], options->time_zone, PLACE_ZONE_BYTES);
    name_put(&option[TEMPLATE_LOCALE], options->locale, PLACE_LOCALE_BYTES);
}

void
setting_begin(gbx_isolate *isolate)
{
    const gbx_isolate_options *o = &isolate->options;

    if (o->clock != GBX_CLOCK_REAL) {
        put_clock(&isolate->scratch->out, isolate_tag(isolate, 0),
            &(struct msg_clock){ .kind = o->clock, .us = o->clock_us });
        isolate_tell(isolate);
    }
    if ((o->flags & GBX_ISOLATE_WAIT) != 0 && isolate->cell != NULL) {
        put_wait(&isolate->scratch->out, isolate_tag(isolate, 0),
            &(struct msg_wait){ .pause_us = o->pause_limit_us });
        isolate_tell(isolate);
    }
    if ((o->flags & GBX_ISOLATE_SEEDED) != 0 && isolate->cell != NULL) {
        put_seed(&isolate->scratch->out, isolate_tag(isolate, 0),
            &(struct msg_seed){ .seed = o->seed });
        isolate_tell(isolate);
    }
}

gbx_future *
gbx_isolate_set_clock(gbx_isolate *isolate, uint64_t us)
{
    if (isolate->options.clock != GBX_CLOCK_SET)
        return future_failed(GBX_EINVAL, "the isolate's clock is not one that is set");
    if (us > CLOCK_SET_MAX_US)
        return future_failed(GBX_EINVAL, "clock: %llu us, expected at most %llu",
            (unsigned long long)us, (unsigned long long)CLOCK_SET_MAX_US);
    gbx_future *future = future_new(isolate, FUTURE_PLAIN);
    put_clock(&isolate->scratch->out, isolate_tag(isolate, future->id),
        &(struct msg_clock){ .kind = GBX_CLOCK_SET, .us = us });
    return future_send(isolate, future);
}
