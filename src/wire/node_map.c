#include "wire/node_map.h"

#include <stdlib.h>

struct node_pair {
    const gbx_value *node; /* NULL: empty */
    uintptr_t to;
};

/* Addresses are ours, not the cell's, so spreading them is enough (Fibonacci hashing). */
static size_t
hash(const gbx_value *node)
{
    return (size_t)(((uintptr_t)node >> 3) * 0x9E3779B97F4A7C15u >> 20);
}

static void
place(struct node_map *map, const struct node_pair *pair)
{
    size_t slot = hash(pair->node) & map->mask;

    while (map->pairs[slot].node != NULL)
        slot = (slot + 1) & map->mask;
    map->pairs[slot] = *pair;
}

uintptr_t
node_map_get(const struct node_map *map, const gbx_value *node)
{
    if (map->count == 0)
        return 0;
    for (size_t slot = hash(node) & map->mask;; slot = (slot + 1) & map->mask) {
        if (map->pairs[slot].node == node)
            return map->pairs[slot].to;
        if (map->pairs[slot].node == NULL)
            return 0;
    }
}

bool
node_map_add(struct node_map *map, const gbx_value *node, uintptr_t to)
{
    if (map->pairs == NULL || map->count * 2 > map->mask) {
        size_t size = map->pairs == NULL ? 64 : (map->mask + 1) * 2;
        struct node_map larger = { calloc(size, sizeof *map->pairs), size - 1, map->count };

        if (larger.pairs == NULL)
            return false;
        for (size_t i = 0; map->pairs != NULL && i <= map->mask; i++)
            if (map->pairs[i].node != NULL)
                place(&larger, &map->pairs[i]);
        free(map->pairs);
        *map = larger;
    }
    place(map, &(struct node_pair){ node, to });
    map->count++;
    return true;
}

void
node_map_done(struct node_map *map)
{
    free(map->pairs);
    *map = (struct node_map){ NULL, 0, 0 };
}
