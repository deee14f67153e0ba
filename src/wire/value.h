/* value.h - a JavaScript value as the host holds it: nodes of a graph in one arena.
 *
 * Runs in:  host.
 * Trusts:   its callers inside src/wire for indexes and kinds. Keys and texts may be hostile:
 *           hashes are keyed with process-private randomness.
 * Threads:  one at a time per graph.
 *
 * Memory belongs to graphs, never to nodes. A graph is a ring of blocks; its own struct lies in
 * the first. Putting a value into another one splices the two rings and makes one graph the
 * child of the other, so it costs the same whatever the size. A node keeps pointing at the
 * graph it was born in; graph_of() follows the parents. Nothing is given back before the whole
 * graph is.
 */
#ifndef WIRE_VALUE_H
#define WIRE_VALUE_H

#include "base/bytes.h"
#include "base/span.h"

#include <glovebox/value.h>

#include <stdbool.h>

/* Heads every allocation of a graph; a ring, so that two of them splice without a tail. */
struct block {
    struct block *prev, *next;
    struct bytes *bytes; /* held by it; NULL: none */
};

struct graph {
    struct block block;     /* first: this struct lies in the graph's first block */
    struct graph *parent;   /* the graph that took this one in; NULL: it stands for itself */
    uint8_t *at, *end;      /* free part of the newest chunk */
    struct hold *last_hold; /* what its nodes hold that is no data; NULL: nothing (held.h) */
    uint32_t weight;        /* graphs taken in; the lighter joins the heavier */
    uint32_t chunk;         /* bytes of the next chunk */
};

/* How wide the characters of a text are, which is what its encoding depends on. */
enum text_width {
    TEXT_ASCII,
    TEXT_LATIN1, /* every code point below 256 */
    TEXT_WIDE
};

/* WTF-8 and canonical: a surrogate pair is always one four-byte sequence. */
struct text {
    uint32_t len;   /* bytes, without the NUL */
    uint32_t width; /* enum text_width */
    char bytes[];   /* and a NUL */
};

enum {
    NOT_INDEX = 0xFFFFFFFFu /* array indexes end at 2^32 - 2 */
};

/* One property, one entry of a map, or one member of a set. */
struct prop {
    union {
        const struct text *key; /* of a property; NULL: the key is `index` */
        gbx_value *node;        /* key of a map's entry, or the member itself */
    };
    gbx_value *value; /* NULL: removed (only where there is a hash index) */
    uint32_t index;   /* array index, or NOT_INDEX */
    uint32_t hash;    /* meaningful once the dict has a hash index */
};

/* Properties, entries or members in the order they came. Small ones are searched one by one. */
struct dict {
    struct prop *props;
    uint32_t *slots;   /* position + 1, 0 for empty; open addressing; NULL while small */
    uint32_t mask;     /* slots - 1 */
    uint32_t count;    /* props in use, the removed included */
    uint32_t removed;  /* of them */
    uint32_t capacity; /* props allocated */
    bool by_node;      /* a map's or a set's: keys are nodes, compared as SameValueZero */
    bool unordered;    /* index keys are not yet first and ascending: see dict_order() */
};

/* Elements 0..count-1 are in `items` (NULL: a hole). If there are elements past them, they are
 * in `props` under their index, and `items` never grows again. */
struct array {
    gbx_value **items;
    uint32_t count;
    uint32_t capacity;
    uint32_t length; /* JavaScript's; at least `count` */
    uint32_t sparse; /* elements that are in `props` */
    struct dict props;
};

struct buffer {
    uint8_t *bytes; /* 16-byte aligned */
    uint64_t len;
    uint64_t max; /* equals len unless resizable */
    bool resizable;
    struct bytes *held; /* where they lie, held by the graph; NULL: in the graph itself */
    struct held
        *shared; /* a SharedArrayBuffer's memory, where they lie instead; NULL: not one */
};

struct view {
    gbx_value *buffer;
    uint64_t offset; /* bytes */
    uint64_t len;    /* bytes */
    gbx_element_type type;
    bool tracking; /* length follows the (resizable) buffer's */
};

struct regexp {
    const struct text *source;
    uint32_t flags; /* REGEXP_* */
};

/* V8's numbers for a regular expression's flags. Bit 6 is its experimental `l`. */
enum {
    REGEXP_G = 1 << 0,
    REGEXP_I = 1 << 1,
    REGEXP_M = 1 << 2,
    REGEXP_Y = 1 << 3,
    REGEXP_U = 1 << 4,
    REGEXP_S = 1 << 5,
    REGEXP_D = 1 << 7,
    REGEXP_V = 1 << 8,
    REGEXP_ALL = 0x1BF
};

struct bigint {
    uint32_t count; /* words; the last is not zero; 0 for 0n */
    bool negative;  /* never for 0n */
    uint64_t words[];
};

struct gbx_value {
    struct graph *graph; /* where it was born; NULL only for the static hole */
    uint8_t kind;        /* gbx_value_kind */
    uint32_t mark;       /* scratch of one walk: an index that only counts if it points back */
    union {
        bool boolean;
        double number; /* also of a date */
        const struct text *text;
        const struct bigint *bigint;
        struct regexp *regexp;
        struct dict *dict; /* object, error, map, set */
        struct array *array;
        struct buffer *buffer;
        struct view *view;
        struct held *held; /* reference, function */
    };
};

extern const gbx_value value_hole;

/* --- graphs (graph.c) ----------------------------------------------------------------- */

/* A graph with room for `room` bytes in its first block, or NULL. */
struct graph *graph_new(size_t room);
/* `n` bytes, 8-byte aligned, of a graph that stands for itself; NULL when out of memory. */
void *graph_alloc(struct graph *graph, size_t n);
/* A longer place for what graph_alloc() gave with exactly `old` bytes; the bytes move along. */
void *graph_grow(struct graph *graph, void *p, size_t old, size_t n);
/* The graph that stands for the node's. */
struct graph *graph_of(const gbx_value *value);
/* Makes both nodes' graphs one. */
void graph_join(gbx_value *a, gbx_value *b);
void graph_free(struct graph *graph);
/* A node of `kind` in `graph`; NULL when out of memory. The payload is zero. */
gbx_value *node_new(struct graph *graph, gbx_value_kind kind);
/* A node in a graph of its own with room for `room` bytes more. */
gbx_value *node_alone(gbx_value_kind kind, size_t room);
/* Zeroed payloads, attached to the node. False: out of memory. */
bool node_add_dict(struct graph *graph, gbx_value *node, uint32_t capacity);
bool node_add_array(struct graph *graph, gbx_value *node);
/* A buffer with `len` bytes, not initialised: of the graph's own, or from VALUE_SHARED_MIN on held
 * apart, for others to hold too. */
bool node_add_buffer(struct graph *graph, gbx_value *node, uint64_t len);
/* Bytes that node_add_buffer() takes of the graph. */
size_t buffer_room(uint64_t len);
static inline bool
is_buffer(const gbx_value *node)
{
    return node->kind == GBX_ARRAY_BUFFER || node->kind == GBX_SHARED_ARRAY_BUFFER;
}
/* A buffer of `len` bytes at `p`, in what `held` holds; that reference is taken, on failure too. */
bool node_add_held(
    struct graph *graph, gbx_value *node, struct bytes *held, uint8_t *p, uint64_t len);

/* --- texts (text.c) ------------------------------------------------------------------- */

/* Each copies; NULL when out of memory. `len` at most UINT32_MAX / 4. */
struct text *text_of_utf8(struct graph *graph, const char *p, size_t len);
struct text *text_of_latin1(struct graph *graph, const uint8_t *p, size_t len);
/* `units` little-endian 16-bit units; `p` needs no alignment. */
struct text *text_of_utf16(struct graph *graph, const uint8_t *p, size_t units);
/* Bytes that text_of_utf8() will take, header and NUL included. */
size_t text_room(const char *p, size_t len);
bool is_ascii(const uint8_t *p, size_t len);
/* Well-formed UTF-8, without surrogates. */
bool is_utf8(const uint8_t *p, size_t len);
/* The code point at *p, which moves past it. Bytes that are no WTF-8 answer U+FFFD, one for
 * each maximal piece, and set *bad (which may be NULL). *p must be before `end`. */
uint32_t wtf8_next(const uint8_t **p, const uint8_t *end, bool *bad);
/* Writes a code point (surrogates too) and answers how many bytes it took: 1 to 4. */
size_t wtf8_put(uint8_t *p, uint32_t code_point);

static inline bool
text_is(const struct text *text, const char *p, size_t len)
{
    return text->len == len && memcmp(text->bytes, p, len) == 0;
}

/* --- dicts (dict.c) ----------------------------------------------------------------- */

/* A key as a caller gives it: an array index, or bytes that are WTF-8. */
struct key {
    const char *p;
    uint32_t len;
    uint32_t index; /* then `p` does not matter */
};

/* Array index of a canonical decimal, or NOT_INDEX. */
uint32_t index_of_text(const char *p, size_t len);
/* Position in dict->props, or NOT_INDEX. */
uint32_t dict_find(const struct dict *dict, const struct key *key);
uint32_t dict_find_node(const struct dict *dict, const gbx_value *node);
/* Adds at the end; the key must not be there yet. False: out of memory. */
bool dict_add(struct graph *graph, struct dict *dict, const struct prop *prop);
void dict_remove(struct dict *dict, uint32_t position);
/* After `props` was filled in directly: builds the hash index if it needs one.
 * GBX_OK, GBX_ENOMEM, or GBX_EINVAL for a key that occurs twice. */
gbx_status dict_seal(struct graph *graph, struct dict *dict);
/* Squeezes out the removed, and brings index keys to the front, ascending, as JavaScript does.
 * Positions are those of JavaScript's order afterwards. */
void dict_order(struct dict *dict);

static inline uint32_t
dict_length(const struct dict *dict)
{
    return dict->count - dict->removed;
}

/* --- more ------------------------------------------------------------------------------ */

bool same_value_zero(const gbx_value *a, const gbx_value *b);
/* The element, or NULL for a hole or one past the end (value_array.c). */
gbx_value *array_at(const struct array *array, uint32_t index);
/* No holes, and nothing past `items`. */
bool array_is_dense(const struct array *array);
/* Bytes of one element. */
uint32_t element_size(gbx_element_type type);
/* One element as a number; not of the two BigInt types. */
double element_number(gbx_element_type type, const uint8_t *p);
/* REGEXP_* of flag letters; false if they are none, or u and v together. */
bool regexp_flags(const char *letters, uint32_t *out_flags);
/* What a Date makes of a number: whole milliseconds within its range, or NaN. */
double date_clip(double ms);

#endif
