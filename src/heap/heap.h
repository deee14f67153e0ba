/* heap.h - a snapshot in memory: its columns, and what was computed of it.
 *
 * Runs in:  whoever reads a snapshot. Trusts:   the columns, which the loader has checked:
 * every index is in range. Threads:  two while it is opened, each with columns of its own to
 * write; then as many as like.
 *
 * A node is its number in the file, the root is 0. Edges lie in the order of the file, those of
 * node v from first_edge[v] to first_edge[v + 1]. /
 */
#ifndef HEAP_HEAP_H
#define HEAP_HEAP_H

#include "base/buf.h"
#include "base/limits.h"
#include "heap/memory.h"
#include "heap/strings.h"

#include <glovebox/heap.h>

/* Our own numbers of the types, whatever the file calls them; types that we do not know follow. */
enum node_type {
    NODE_HIDDEN,
    NODE_ARRAY,
    NODE_STRING,
    NODE_OBJECT,
    NODE_CODE,
    NODE_CLOSURE,
    NODE_REGEXP,
    NODE_NUMBER,
    NODE_NATIVE,
    NODE_SYNTHETIC,
    NODE_CONS,
    NODE_SLICED,
    NODE_SYMBOL,
    NODE_BIGINT,
    NODE_SHAPE,
    NODE_KNOWN
};

enum edge_type {
    EDGE_CONTEXT,
    EDGE_ELEMENT,
    EDGE_PROPERTY,
    EDGE_INTERNAL,
    EDGE_HIDDEN,
    EDGE_SHORTCUT,
    EDGE_WEAK,
    EDGE_INVISIBLE,
    EDGE_KNOWN
};

enum {
    TYPE_NAME = 32,
    /* Distances, as DevTools has them. */
    NO_DISTANCE = -5,
    SYSTEM_DISTANCE = 100000000,
    /* Native contexts: of none, and of more than one. */
    NO_CONTEXT = -1,
    SHARED_CONTEXT = -2
};

/* Where the fields of a record stand, and the names of its types. */
struct layout {
    uint32_t fields;
    int32_t at[8]; /* by NODE_FIELD_... or EDGE_FIELD_...; -1: there is none */
    uint8_t type_of[HEAP_TYPES_MAX]; /* our number of the file's */
    uint32_t file_types;
    char type_names[HEAP_TYPES_MAX][TYPE_NAME]; /* by our number */
    uint32_t types;
};

enum {
    NODE_FIELD_TYPE,
    NODE_FIELD_NAME,
    NODE_FIELD_ID,
    NODE_FIELD_SIZE,
    NODE_FIELD_EDGES,
    NODE_FIELD_DETACHED,
    NODE_FIELD_TRACE,
    EDGE_FIELD_TYPE = 0,
    EDGE_FIELD_NAME,
    EDGE_FIELD_TO
};

struct location {
    uint32_t node, script, line, column;
};

/* The names of WeakMap edges, which tell of the other half of a pair. */
struct weak_pairs {
    uint64_t *named; /* bits by string: it names one; of the others, nothing is looked at */
    uint32_t *pair;  /* of a string: the number of its pair, from 1 */
    uint64_t *table; /* and the id of the table */
    uint32_t count;
    uint32_t strings;
};

struct class
{
    uint32_t name; /* a string */
    bool located;  /* script, line and column are part of the class */
    uint32_t script, line, column;
};

struct classes {
    uint32_t *of;        /* by node */
    struct class *items; /* in the order of their first node */
    uint32_t count, capacity;
    uint32_t *slots; /* hashed: class + 1 */
    uint32_t slot_count;
    uint32_t *of_name; /* by string: the class of that name and no location, + 1 */
    uint32_t names;
};

/* A set of properties that enough plain objects have. */
struct shape {
    uint32_t name;        /* "{a, b}" */
    uint32_t *properties; /* strings, in the order of their objects */
    uint32_t property_count;
    uint32_t objects;
};

struct gbx_heap {
    struct layout node_layout, edge_layout, location_layout;
    uint32_t node_count, edge_count;
    uint64_t extra_native_bytes, file_bytes;
    bool has_detached;

    uint8_t *node_type;
    uint32_t *node_name, *node_id;
    uint64_t *shallow;    /* first as in the file; then with what nodes own */
    uint8_t *detached;    /* NULL: nothing is */
    uint32_t *first_edge; /* node_count + 1 */
    uint8_t *edge_type;
    uint32_t *edge_name, *edge_to;
    struct strings strings;
    uint32_t file_strings;      /* those behind were made by us */
    struct location *locations; /* by node */
    uint32_t location_count, location_capacity;

    struct weak_pairs pairs;
    uint64_t *page_owned; /* bits by node; until dominators are known */
    int32_t *distance;
    uint32_t *dominator;
    uint64_t *retained;
    struct classes classes;
    struct shape *shapes;
    uint32_t shape_count;
    int32_t *context; /* by node: its native context */

    /* Made when asked for: see retainers.c. */
    uint32_t *first_retainer, *retainer; /* edges by their target */
    uint32_t *edge_from;
    uint32_t *by_id;
    uint32_t *first_child, *child; /* the dominator tree */
    uint64_t *sorted;              /* bits by node: its children are, by retained size */
    struct gbx_heap_class *summary;
    uint32_t summary_count;
};

/* A phase that can fail does so for want of memory only: false. */

/* open.c: its columns alone, as they stand in the file. */
gbx_status heap_load_fd(
    int fd, const gbx_heap_options *options, gbx_heap **out_heap, gbx_error *error);
/* A copy, with only `known` flags. */
gbx_status heap_read_options(
    gbx_heap_options *dst, const gbx_heap_options *src, uint32_t known, gbx_error *error);

/* load.c */
bool heap_load(struct gbx_heap *h, struct reader *r, const gbx_heap_options *options);
/* pairs.c: what a WeakMap edge's name says, as parts of it. False: it is no such name. */
struct pair_name {
    struct span shared; /* by which edges belong together */
    struct span number; /* in front of that */
    struct span key_id, value_id;
    uint64_t table;
};
bool heap_parse_pair(struct span name, struct pair_name *out);
bool heap_find_pairs(struct gbx_heap *h);
/* The number of the pair that the edge belongs to; 0: to none. */
static inline uint32_t
heap_pair_of(const struct gbx_heap *h, uint32_t edge)
{
    uint32_t name = h->edge_name[edge];

    return h->edge_type[edge] == EDGE_INTERNAL && bit_get(h->pairs.named, name)
               ? h->pairs.pair[name]
               : 0;
}
/* detached.c: renames nodes. */
bool heap_spread_detachedness(struct gbx_heap *h);
/* flags.c: the beginnings, which strings tell; then what they reach, which needs none, since others
 * are added to the strings meanwhile. */
bool heap_begin_page_owned(struct gbx_heap *h);
bool heap_mark_page_owned(struct gbx_heap *h);
bool heap_has_user_roots(const struct gbx_heap *h);
bool heap_is_user_root(const struct gbx_heap *h, uint32_t node);
/* shallow.c */
bool heap_move_shallow(struct gbx_heap *h);
/* It may count as part of what leads to it. */
bool heap_is_ownable(const struct gbx_heap *h, uint32_t v);
/* distance.c */
bool heap_measure_distances(struct gbx_heap *h);
/* dominators.c */
/* Of the nodes that the root reaches, by their number in a depth-first walk, from 1: the node,
 * and the number of its dominator. Begins as all zero; scratch_done() when retained sizes are
 * known, or the way there failed. */
struct dominators {
    uint32_t *node, *dominator; /* of `scratch` */
    uint32_t count;
    struct scratch scratch;
};
bool heap_find_dominators(struct gbx_heap *h, struct dominators *d);
/* Needs the sizes of heap_move_shallow(). */
bool heap_sum_retained(struct gbx_heap *h, struct dominators *d);
/* classes.c */
bool heap_name_classes(struct gbx_heap *h);
/* shapes.c */
bool heap_find_shapes(struct gbx_heap *h);
bool heap_apply_shapes(
    struct gbx_heap *h, struct classes *classes, const struct gbx_heap *from);
/* contexts.c */
bool heap_attribute_contexts(struct gbx_heap *h);
/* names.c: as DevTools shows a node. */
void heap_node_name(const struct gbx_heap *h, uint32_t node, struct buf *out);
/* The first string of that text, or NO_STRING. */
uint32_t heap_find_string(const struct gbx_heap *h, const char *text);
/* The target of the node's first internal edge of that name, or -1. */
int64_t heap_internal_target(const struct gbx_heap *h, uint32_t v, uint32_t name);
/* look.c: cuts it as gbx_heap_node_name() says, and frees it. The length of all. */
uint64_t heap_give_name(struct buf *text, char *out, uint64_t size);
/* retainers.c: made when first asked for. */
bool heap_need_retainers(struct gbx_heap *h);
bool heap_need_children(struct gbx_heap *h);
bool heap_need_ids(struct gbx_heap *h);
/* With retainers made: the edge by which a node is reached first, from the retainer of the least
 * distance, and of several the first. UINT32_MAX: none. */
uint32_t heap_nearest_retainer(const struct gbx_heap *h, uint32_t node);
void heap_forget_answers(struct gbx_heap *h);

static inline struct span
heap_string(const struct gbx_heap *h, uint32_t string)
{
    return strings_get(&h->strings, string);
}

static inline struct span
heap_raw_name(const struct gbx_heap *h, uint32_t node)
{
    return heap_string(h, h->node_name[node]);
}

static inline bool
edge_is_named(uint8_t type)
{
    return type != EDGE_ELEMENT && type != EDGE_HIDDEN;
}

#endif
