/* held.h - what values hold that is no data: references, functions, and what else lives outside
 * of a graph.
 *
 * Runs in:  host.
 * Trusts:   its callers. What a message says of such an object is checked by whoever reads the
 *           record (struct clone_host), not here.
 * Threads:  one at a time per graph, and as the held object itself says.
 *
 * Nodes are never freed one by one, so a graph keeps a list of what its nodes hold, and lets go
 * of it with everything else.
 */
#ifndef WIRE_HELD_H
#define WIRE_HELD_H

#include "wire/value.h"

struct held;

struct held_class {
    gbx_value_kind kind;         /* of the nodes that hold it */
    const char *name;            /* for people */
    void (*take)(struct held *); /* one holder more */
    void (*drop)(struct held *); /* one less */
};

/* The first member of what is held. */
struct held {
    const struct held_class *class;
};

/* What is held by a node of kind GBX_SHARED_ARRAY_BUFFER. */
struct shared_memory {
    struct held held; /* first */
    uint8_t *bytes;   /* others write there at any time */
    uint64_t len;
};

/* One node's hold; a ring, so that two graphs' splice without a walk. */
struct hold {
    struct hold *next;
    struct held *held;
};

/* What a host object's record in a clone begins with, as a byte. */
enum held_tag {
    HELD_REFERENCE = 1, /* [id] [enum gbx_typeof] */
    HELD_FUNCTION = 2,  /* [id] [flags], name as [bytes], bytes; to a cell only */
    HELD_COPY = 3,      /* [bytes] [0], a clone: an external copy; to a cell only */
};

/* A node that holds `held`: takes the caller's count over, also on failure (NULL). */
gbx_value *node_held(struct graph *graph, struct held *held);
/* Drops all that the graph holds. */
void graph_let_go(struct graph *graph);
/* Both graphs' holds become those of `into`. */
void graph_join_holds(struct graph *into, struct graph *from);

#endif
