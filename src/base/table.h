/* table.h - small ids for pointers: (index, generation), so that a stale id is never mistaken
 * for a newer entry. An id is never 0.
 *
 * Trusts:   ids may come from a hostile peer; table_get() of anything is safe.
 * Threads:  one at a time. A zeroed struct with `max` set is a valid empty table.
 */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table {
    struct table_slot *slots; /* owned */
    uint32_t count;           /* slots in use or freed before */
    uint32_t capacity;        /* slots allocated */
    uint32_t live;            /* entries */
    uint32_t max;             /* hard ceiling of live; at most TABLE_MAX */
    uint32_t free_head;       /* index + 1 of the first free slot; 0: none */
};

/* Index bits of an id; the rest counts generations. */
#define TABLE_INDEX_BITS 20
#define TABLE_MAX        (1u << TABLE_INDEX_BITS)

/* The new entry's id, or 0 when full or out of memory. */
uint32_t table_add(struct table *table, void *entry);
static inline bool
table_is_full(const struct table *table)
{
    return table->live >= table->max;
}
void *table_get(const struct table *table, uint32_t id);
/* True if the id was once an entry's and the entry is gone: a peer may know it honestly. */
bool table_had(const struct table *table, uint32_t id);
/* Removes and answers the entry; NULL if there was none. */
void *table_remove(struct table *table, uint32_t id);
/* Any entry, or NULL when empty: for tearing down. *id names it. */
void *table_any(const struct table *table, uint32_t *id);
/* The first entry at or after slot *cursor, which moves past it; NULL at the end. */
void *table_next(const struct table *table, uint32_t *cursor, uint32_t *id);
/* Makes an empty `to` of the same ids, past ones included: of each entry what `copy` answers.
 * False: no memory, or a NULL of `copy`; what was copied by then is in `to`. */
bool table_copy(struct table *to, const struct table *from,
    void *(*copy)(const void *entry, void *data), void *data);
void table_done(struct table *table);

#endif
