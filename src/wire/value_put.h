/* value_put.h - what the functions that put a value into another one share. */
#ifndef WIRE_VALUE_PUT_H
#define WIRE_VALUE_PUT_H

#include "wire/value.h"

/* Frees an item that was handed over for nothing, unless it is in the container's graph.
 * Answers `status`. Both may be NULL. */
gbx_status put_failed(const gbx_value *container, gbx_value *item, gbx_status status);
/* Sets an element; a NULL item makes a hole. False: out of memory. */
bool array_put(struct graph *graph, struct array *array, uint32_t index, gbx_value *item);
/* Sets a property, whatever the key; *out_at is its position. False: out of memory. */
bool props_put(struct graph *graph, struct dict *dict, const struct key *key, gbx_value *item,
    uint32_t *out_at);

#endif
