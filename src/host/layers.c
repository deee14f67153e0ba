/* layers.c - which walls stand around the cells of a runtime, and whether those are enough. */
#include "host/host.h"

#include "base/error.h"

#include <string.h>

static const struct {
    const char *name, *cause;
    enum layer_level level;
} texts[] = {
#define LAYER(name, level, text, cause) { text, cause, LAYER_##level },
    SANDBOX_LAYERS(LAYER)
#undef LAYER
};

gbx_status
layers_take(struct gbx_runtime *runtime, const struct layers *layers, gbx_error *error)
{
    uint32_t missing = runtime->require & ~layers->engaged;

    for (size_t i = 0; i < LAYERS; i++)
        runtime->layer[i] = (gbx_layer){ .name = texts[i].name,
            .cause = texts[i].cause,
            .engaged = layers->engaged >> i & 1,
            .required_by =
                texts[i].level == LAYER_STRICT ? GBX_REQUIRE_STRICT : GBX_REQUIRE_FULL,
            .os_errno = layers->error[i] };
    for (size_t i = 0; i < LAYERS; i++)
        if ((missing & 1u << i) != 0) {
            (void)fail(error, GBX_ESEAL,
                "the sandbox layer \"%s\" cannot engage: %s; the usual cause is %s",
                texts[i].name, strerror(layers->error[i]), texts[i].cause);
            return GBX_ESEAL;
        }
    return GBX_OK;
}

const gbx_layer *
gbx_runtime_layer(const gbx_runtime *runtime, uint32_t index)
{
    return index < LAYERS ? &runtime->layer[index] : NULL;
}
