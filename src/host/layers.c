/* layers.c - which walls stand around the cells of a runtime, and whether those are enough. */
#include "host/host.h"

#include "base/error.h"

gbx_status
layers_take(struct gbx_runtime *runtime, const struct layers *layers, gbx_error *error)
{
    enum sandbox_layer missing;
    char text[160];

    for (enum sandbox_layer i = 0; i < LAYERS; i++)
        runtime->layer[i] = (gbx_layer){ .name = layer_texts[i].name,
            .cause = layer_texts[i].cause,
            .engaged = layers_hold(layers, i),
            .required_by =
                layer_texts[i].level == LAYER_STRICT ? GBX_REQUIRE_STRICT : GBX_REQUIRE_FULL,
            .os_errno = layers->error[i] };
    if (!layers_lack(layers, runtime->require, &missing, text, sizeof text))
        return GBX_OK;
    return fail(
        error, GBX_ESEAL, "%s; the usual cause is %s", text, layer_texts[missing].cause);
}

const gbx_layer *
gbx_runtime_layer(const gbx_runtime *runtime, uint32_t index)
{
    return index < LAYERS ? &runtime->layer[index] : NULL;
}
