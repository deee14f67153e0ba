#include "base/table.h"

#include <stdlib.h>
#include <string.h>

struct table_slot {
    void *entry;         /* NULL: free */
    uint32_t generation; /* of this or the next entry */
    uint32_t next_free;  /* index + 1 */
};

enum {
    INDEX_MASK = TABLE_MAX - 1,
    GENERATIONS = 1u << (32 - TABLE_INDEX_BITS),
};

static uint32_t
id_of(uint32_t index, uint32_t generation)
{
    return generation << TABLE_INDEX_BITS | index;
}

uint32_t
table_add(struct table *table, void *entry)
{
    if (table_is_full(table))
        return 0;
    if (table->free_head == 0 && table->count == table->capacity) {
        uint32_t want = table->capacity == 0 ? 16 : table->capacity * 2;
        struct table_slot *slots = realloc(table->slots, want * sizeof *slots);
        if (slots == NULL)
            return 0;
        table->slots = slots;
        table->capacity = want;
    }
    uint32_t index;
    if (table->free_head != 0) {
        index = table->free_head - 1;
        table->free_head = table->slots[index].next_free;
    } else {
        index = table->count++;
        table->slots[index].generation = 1; /* so that no id is 0 */
    }
    table->slots[index].entry = entry;
    table->live++;
    return id_of(index, table->slots[index].generation);
}

static struct table_slot *
slot_of(const struct table *table, uint32_t id)
{
    uint32_t index = id & INDEX_MASK;

    if (index >= table->count)
        return NULL;
    struct table_slot *slot = &table->slots[index];
    return slot->entry != NULL && slot->generation == id >> TABLE_INDEX_BITS ? slot : NULL;
}

void *
table_get(const struct table *table, uint32_t id)
{
    struct table_slot *slot = slot_of(table, id);

    return slot == NULL ? NULL : slot->entry;
}

bool
table_had(const struct table *table, uint32_t id)
{
    uint32_t index = id & INDEX_MASK, generation = id >> TABLE_INDEX_BITS;

    if (index >= table->count || generation == 0)
        return false;
    uint32_t next = table->slots[index].generation;
    /* The last generation is followed by the first. */
    return generation < next || (next == 1 && generation == GENERATIONS - 1);
}

void *
table_remove(struct table *table, uint32_t id)
{
    struct table_slot *slot = slot_of(table, id);

    if (slot == NULL)
        return NULL;
    void *entry = slot->entry;
    slot->entry = NULL;
    slot->generation = slot->generation + 1 < GENERATIONS ? slot->generation + 1 : 1;
    slot->next_free = table->free_head;
    table->free_head = (id & INDEX_MASK) + 1;
    table->live--;
    return entry;
}

void *
table_next(const struct table *table, uint32_t *cursor, uint32_t *id)
{
    while (*cursor < table->count) {
        uint32_t index = (*cursor)++;
        const struct table_slot *slot = &table->slots[index];
        if (slot->entry != NULL) {
            *id = id_of(index, slot->generation);
            return slot->entry;
        }
    }
    return NULL;
}

void *
table_any(const struct table *table, uint32_t *id)
{
    uint32_t cursor = 0;

    return table->live == 0 ? NULL : table_next(table, &cursor, id);
}

bool
table_copy(struct table *to, const struct table *from,
    void *(*copy)(const void *entry, void *data), void *data)
{
    uint32_t max = to->max;
    bool whole = true;

    if (from->count == 0)
        return true;
    struct table_slot *slots = malloc(from->count * sizeof *slots);
    if (slots == NULL)
        return false;
    memcpy(slots, from->slots, from->count * sizeof *slots);
    *to = *from;
    to->max = max;
    to->slots = slots;
    to->capacity = to->count;
    for (uint32_t i = 0; i < to->count; i++) {
        if (slots[i].entry == NULL)
            continue;
        slots[i].entry = whole ? copy(slots[i].entry, data) : NULL;
        if (slots[i].entry == NULL) {
            whole = false; /* and no more than something to empty */
            to->live--;
        }
    }
    return whole;
}

void
table_done(struct table *table)
{
    free(table->slots);
    table->slots = NULL;
    table->count = table->capacity = table->live = table->free_head = 0;
}
