/* node_map.h - a hash from nodes of a graph, by identity, to a pointer or a number each.
 *
 * Threads: one at a time. A zeroed struct is a valid empty map.
 */
#ifndef WIRE_NODE_MAP_H
#define WIRE_NODE_MAP_H

#include "wire/value.h"

struct node_map {
    struct node_pair *pairs; /* owned; open addressing */
    size_t mask;             /* pairs - 1 */
    size_t count;
};

/* What the node was added with; 0 when it was not. */
uintptr_t node_map_get(const struct node_map *map, const gbx_value *node);
/* The node must not be there yet; `to` is not 0. False: out of memory. */
bool node_map_add(struct node_map *map, const gbx_value *node, uintptr_t to);
void node_map_done(struct node_map *map);

#endif
