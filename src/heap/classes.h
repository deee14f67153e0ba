/* classes.h - the classes of a snapshot's nodes, and the shapes of its plain objects.
 *
 * Runs in:  whoever reads a snapshot.
 * Trusts:   the columns.
 * Threads:  one that writes.
 */
#ifndef HEAP_CLASSES_H
#define HEAP_CLASSES_H

#include "heap/heap.h"

/* The class of that name, which is made if there is none; `location` may be NULL. NO_STRING: out of
 * memory. Names are compared by their text. */
uint32_t classes_intern(const struct gbx_heap *h, struct classes *c, uint32_t name,
    const struct location *location);
void classes_done(struct classes *c, uint32_t nodes);

/* The location of a node, or NULL. */
const struct location *heap_location(const struct gbx_heap *h, uint32_t node);
/* Whether it is called Object and nothing more. */
bool heap_is_plain(const struct gbx_heap *h, uint32_t node);
/* A property's name as it stands among others: in quotes if it has a comma, quotes or braces. */
void heap_property_name(struct span name, struct buf *out);
void shapes_done(struct gbx_heap *h);

#endif
