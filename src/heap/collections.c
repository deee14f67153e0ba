/* collections.c - Maps, Sets, arrays, and objects that are used as maps: how large, how full.
 *
 * V8 does not write how many entries there are. They are counted by the edges that leave a table,
 * whose names are the numbers of its words. A small number has no edge. How many there is room
 * for follows from the table's size: tables of Maps, Sets and properties have powers of two. /
 */
#include "heap/heap.h"

#include <stdlib.h>

enum {
    NOT_LOOKED = 0,
    LOOKING = 254,
    NO_KIND = 255,
    /* Words in a table before its buckets, and those of an entry. */
    TABLE_HEAD = 3,
    MAP_WORDS = 3,
    SET_WORDS = 2,
    /* Words of an array and of the head of what it has its elements in. */
    ARRAY_WORDS = 4 + 2,
    /* Before the first key of a table of properties there are at least so many words. */
    DICTIONARY_HEAD = 5,
    DICTIONARY_WORDS = 3
};

struct collections {
    const struct gbx_heap *h;
    uint8_t *kind; /* by node: what the objects are whose prototype it is; found when needed */
    uint64_t *counted; /* bits by node: tables; no V8 shares them, but a file may */
    uint32_t table, elements, properties, proto; /* strings */
    uint32_t word;                               /* bytes */
    gbx_heap_collection *rows;
    uint32_t count, capacity;
};

/* --- what it is ------------------------------------------------------------------------- */

static uint8_t
kind_of_name(struct span name)
{
    return span_is(name, "Map")       ? GBX_HEAP_MAP
           : span_is(name, "Set")     ? GBX_HEAP_SET
           : span_is(name, "WeakMap") ? GBX_HEAP_WEAK_MAP
           : span_is(name, "WeakSet") ? GBX_HEAP_WEAK_SET
           : span_is(name, "Array")   ? GBX_HEAP_ARRAY
                                      : NOT_LOOKED;
}

static int64_t
prototype_of(const struct collections *c, uint32_t v)
{
    const struct gbx_heap *h = c->h;

    for (uint32_t e = h->first_edge[v + 1]; e > h->first_edge[v]; e--)
        if (h->edge_name[e - 1] == c->proto && h->edge_type[e - 1] == EDGE_PROPERTY)
            return h->edge_to[e - 1];
    return -1;
}

/* By its own name, or that of the first of its prototypes that has one of these. Each node is
 * looked at once, whatever chains there are; one that goes round is of no kind. */
static uint8_t
kind_of(struct collections *c, uint32_t v)
{
    uint8_t kind = NOT_LOOKED;
    int64_t at = v;

    while (kind == NOT_LOOKED && at >= 0) {
        kind = c->kind[at] != NOT_LOOKED ? c->kind[at]
                                         : kind_of_name(heap_raw_name(c->h, (uint32_t)at));
        if (kind != NOT_LOOKED)
            break;
        c->kind[at] = LOOKING;
        at = prototype_of(c, (uint32_t)at);
    }
    if (kind == NOT_LOOKED || kind == LOOKING)
        kind = NO_KIND;
    for (at = v; at >= 0 && c->kind[at] == LOOKING; at = prototype_of(c, (uint32_t)at))
        c->kind[at] = kind;
    return kind;
}

/* A map of objects has 9 or 10 words. */
static uint32_t
word_bytes(const struct gbx_heap *h)
{
    uint32_t name = heap_find_string(h, "system / Map");

    for (uint32_t v = 0; v < h->node_count; v++)
        if (h->node_name[v] == name && h->shallow[v] > 0)
            return h->shallow[v] >= 60 ? 8 : 4;
    return 8;
}

/* --- how full it is --------------------------------------------------------------------- */

/* False: the edge is none of a word, or leads to V8's mark of a hole. */
static bool
word_of(const struct gbx_heap *h, uint32_t e, uint32_t *out_word)
{
    uint64_t word = 0;

    if (h->edge_type[e] != EDGE_INTERNAL && h->edge_type[e] != EDGE_WEAK)
        return false;
    struct span name = heap_string(h, h->edge_name[e]);
    if (name.len == 0 || name.len > 9)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        if (name.p[i] < '0' || name.p[i] > '9')
            return false;
        word = word * 10 + (uint64_t)(name.p[i] - '0');
    }
    *out_word = (uint32_t)word;
    return !span_starts(heap_raw_name(h, h->edge_to[e]), "system / Hole");
}

/* Entries of `stride` words from `first` on of which a word is seen. */
static uint32_t
count_entries(const struct gbx_heap *h, uint32_t table, uint32_t first, uint32_t stride)
{
    uint32_t entries = 0, last = UINT32_MAX, word;

    for (uint32_t e = h->first_edge[table], end = h->first_edge[table + 1]; e < end; e++) {
        if (!word_of(h, e, &word) || word < first || (word - first) / stride == last)
            continue;
        last = (word - first) / stride;
        entries++;
    }
    return entries;
}

/* Entries of a table of properties; 0: it is none, but values one after the other. A key is never
 * a small number, and what describes a property always is. */
static uint32_t
count_properties(const struct gbx_heap *h, uint32_t table)
{
    uint32_t entries = 0, key = 0, word;

    for (uint32_t e = h->first_edge[table], end = h->first_edge[table + 1]; e < end; e++) {
        if (!word_of(h, e, &word))
            continue;
        uint8_t type = h->node_type[h->edge_to[e]];
        if (entries > 0 && word == key + 1)
            continue;
        if (word < DICTIONARY_HEAD || (type != NODE_STRING && type != NODE_SYMBOL) ||
            (entries > 0 && (word <= key || (word - key) % DICTIONARY_WORDS != 0)))
            return 0;
        key = word;
        entries++;
    }
    return entries;
}

static uint32_t
power_below(uint64_t n)
{
    uint32_t power = 1;

    if (n == 0)
        return 0;
    while ((uint64_t)power * 2 <= n && power < 1u << 30)
        power *= 2;
    return power;
}

static bool
add(struct collections *c, uint32_t v, uint32_t kind, gbx_heap_collection row)
{
    if (row.slots < HEAP_COLLECTION_SLOTS)
        return true;
    if (c->count == c->capacity) {
        uint32_t capacity = c->capacity == 0 ? 64 : c->capacity * 2;
        gbx_heap_collection *rows = realloc(c->rows, capacity * sizeof *rows);
        if (rows == NULL)
            return false;
        c->rows = rows;
        c->capacity = capacity;
    }
    row.node = v;
    row.kind = kind;
    row.entries = row.entries < row.slots ? row.entries : row.slots;
    row.retained = c->h->retained[v];
    c->rows[c->count++] = row;
    return true;
}

/* Of it and its table: who owns a table alone has its size as well. */
static gbx_heap_collection
sized(const struct collections *c, uint32_t v, uint32_t table)
{
    return (gbx_heap_collection){ .bytes = c->h->shallow[v] + c->h->shallow[table] };
}

static bool
add_table(struct collections *c, uint32_t v, uint32_t kind, uint32_t table)
{
    gbx_heap_collection row = sized(c, v, table);
    bool weak = kind == GBX_HEAP_WEAK_MAP || kind == GBX_HEAP_WEAK_SET;
    uint32_t stride = kind == GBX_HEAP_MAP ? MAP_WORDS : SET_WORDS;

    /* One bucket for two entries; those that are weak have none. */
    row.slots = power_below(
        weak ? row.bytes / c->word / stride : row.bytes / c->word * 2 / (stride * 2 + 1));
    row.entries = count_entries(c->h, table, TABLE_HEAD + (weak ? 0 : row.slots / 2), stride);
    return add(c, v, kind, row);
}

static bool
add_array(struct collections *c, uint32_t v, uint32_t elements)
{
    const struct gbx_heap *h = c->h;
    gbx_heap_collection row = sized(c, v, elements);
    uint64_t words = row.bytes / c->word;

    words = words < ARRAY_WORDS ? 0 : words - ARRAY_WORDS;
    row.slots = words < UINT32_MAX ? (uint32_t)words : UINT32_MAX;
    for (uint32_t e = h->first_edge[v], end = h->first_edge[v + 1]; e < end; e++)
        row.entries += h->edge_type[e] == EDGE_ELEMENT;
    return add(c, v, GBX_HEAP_ARRAY, row);
}

/* Each table is gone through once, whoever else has it. */
static bool
is_new(struct collections *c, uint32_t table)
{
    bool counted = bit_get(c->counted, table);

    bit_set(c->counted, table);
    return !counted;
}

static bool
look_at(struct collections *c, uint32_t v)
{
    const struct gbx_heap *h = c->h;
    int64_t table = heap_internal_target(h, v, c->table);
    int64_t elements = heap_internal_target(h, v, c->elements);
    int64_t properties = heap_internal_target(h, v, c->properties);

    if (table >= 0 || elements >= 0) {
        uint8_t kind = kind_of(c, v);
        if (table >= 0 && kind >= GBX_HEAP_MAP && kind <= GBX_HEAP_WEAK_SET)
            return !is_new(c, (uint32_t)table) || add_table(c, v, kind, (uint32_t)table);
        if (elements >= 0 && kind == GBX_HEAP_ARRAY)
            return add_array(c, v, (uint32_t)elements);
    }
    if (properties < 0 || !is_new(c, (uint32_t)properties))
        return true;
    gbx_heap_collection row = sized(c, v, (uint32_t)properties);
    row.entries = count_properties(h, (uint32_t)properties);
    row.slots = power_below(row.bytes / c->word / DICTIONARY_WORDS);
    return row.entries == 0 || add(c, v, GBX_HEAP_DICTIONARY, row);
}

static int
compare_rows(const void *a, const void *b)
{
    const gbx_heap_collection *x = a, *y = b;

    if (x->retained != y->retained)
        return x->retained > y->retained ? -1 : 1;
    return x->node < y->node ? -1 : x->node > y->node;
}

gbx_status
gbx_heap_collections(const gbx_heap *h, gbx_heap_collection **out_rows, uint32_t *out_count)
{
    struct collections c = { .h = h,
        .kind = memory_new(h->node_count, sizeof *c.kind),
        .counted = memory_new(bit_words(h->node_count), sizeof(uint64_t)),
        .table = heap_find_string(h, "table"),
        .elements = heap_find_string(h, "elements"),
        .properties = heap_find_string(h, "properties"),
        .proto = heap_find_string(h, "__proto__"),
        .word = word_bytes(h) };
    bool ok = c.kind != NULL && c.counted != NULL;

    for (uint32_t v = 0; ok && v < h->node_count; v++)
        if (h->node_type[v] == NODE_OBJECT)
            ok = look_at(&c, v);
    memory_free(c.kind, h->node_count, sizeof *c.kind);
    memory_free(c.counted, bit_words(h->node_count), sizeof *c.counted);
    if (!ok) {
        free(c.rows);
        return GBX_ENOMEM;
    }
    if (c.count > 0)
        qsort(c.rows, c.count, sizeof *c.rows, compare_rows);
    *out_rows = c.rows;
    *out_count = c.count;
    return GBX_OK;
}
