#include "base/layers.h"

#include <stdio.h>
#include <string.h>

const struct layer_text layer_texts[LAYERS] = {
#define LAYER(name, level, text, cause) { text, cause, LAYER_##level },
    SANDBOX_LAYERS(LAYER)
#undef LAYER
};

uint32_t
layers_up_to(enum layer_level level)
{
    uint32_t set = 0;

    for (size_t i = 0; i < LAYERS; i++)
        set |= layer_texts[i].level <= level ? 1u << i : 0u;
    return set;
}

bool
layers_lack(const struct layers *layers, uint32_t required, enum sandbox_layer *first,
    char *text, size_t size)
{
    for (enum sandbox_layer i = 0; i < LAYERS; i++)
        if ((required & 1u << i) != 0 && !layers_hold(layers, i)) {
            *first = i;
            (void)snprintf(text, size, "the sandbox layer \"%s\" cannot engage: %s",
                layer_texts[i].name, strerror(layers->error[i]));
            return true;
        }
    return false;
}
