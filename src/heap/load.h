/* load.h - what the files of the loader share: its state, and the sections that are long rows.
 *
 * Runs in:  whoever reads a snapshot.
 * Trusts:   nothing that is read.
 * Threads:  one.
 */
#ifndef HEAP_LOAD_H
#define HEAP_LOAD_H

#include "heap/heap.h"
#include "heap/integers.h"

struct load {
    struct gbx_heap *heap;
    struct reader *r;
    integers_read read;
    bool may_thread;
    uint64_t node_count, edge_count; /* as the header says */
    uint64_t nodes_read, edges_read;
    uint64_t edges_of_nodes; /* the sum so far */
    uint32_t greatest_node_name, greatest_edge_name;
    uint64_t wide; /* the number that came as UINT32_MAX */
    uint32_t seen; /* bits: sections that were there */
};

/* Takes whole records of a row: `count` of them, on any thread, while nobody else looks at what it
 * fills. False: one of them is wrong; `bad` tells which of all the numbers, and why. */
struct bad {
    size_t at;
    const char *why; /* NULL: out of memory */
};
typedef bool (*take_records)(
    struct load *l, const uint32_t *records, size_t count, struct bad *bad);

/* row.c: a row of `fields` numbers each. Only the field `wide` may go past 32 bits, and comes as
 * UINT32_MAX; the excess is in `l`. */
bool load_row(struct load *l, uint32_t fields, int32_t wide, take_records take);

/* header.c: the section "snapshot". */
bool load_header(struct load *l);
/* columns.c: the takers, and the columns that they fill. */
bool load_nodes(struct load *l);
bool load_edges(struct load *l);
bool load_locations(struct load *l);
/* What can only be told when all sections are there. */
bool load_check(struct load *l);

#endif
