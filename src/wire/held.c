#include "wire/held.h"

#include "wire/clone.h"

gbx_value *
node_held(struct graph *graph, struct held *held)
{
    gbx_value *node = node_new(graph, held->class->kind);
    struct hold *hold = node == NULL ? NULL : graph_alloc(graph, sizeof *hold);

    if (hold == NULL) {
        held->class->drop(held);
        return NULL;
    }
    hold->held = held;
    hold->next = hold;
    if (graph->last_hold != NULL) {
        hold->next = graph->last_hold->next;
        graph->last_hold->next = hold;
    }
    graph->last_hold = hold;
    node->held = held;
    if (node->kind != GBX_SHARED_ARRAY_BUFFER)
        return node;
    const struct shared_memory *memory = (const void *)held;
    node->buffer = graph_alloc(graph, sizeof *node->buffer);
    if (node->buffer == NULL)
        return NULL;
    *node->buffer = (struct buffer){
        .bytes = memory->bytes, .len = memory->len, .max = memory->len, .shared = held
    };
    return node;
}

void
graph_let_go(struct graph *graph)
{
    struct hold *last = graph->last_hold;

    if (last == NULL)
        return;
    for (struct hold *hold = last->next;; hold = hold->next) {
        hold->held->class->drop(hold->held);
        if (hold == last)
            break;
    }
    graph->last_hold = NULL;
}

void
graph_join_holds(struct graph *into, struct graph *from)
{
    if (into->last_hold != NULL && from->last_hold != NULL) {
        struct hold *first = into->last_hold->next;
        into->last_hold->next = from->last_hold->next;
        from->last_hold->next = first;
    }
    if (from->last_hold != NULL)
        into->last_hold = from->last_hold;
    from->last_hold = NULL;
}

void
clone_put_number(struct buf *out, uint32_t number)
{
    for (; number >= 0x80; number >>= 7)
        buf_byte(out, (uint8_t)(number | 0x80));
    buf_byte(out, (uint8_t)number);
}

bool
clone_get_number(struct span *rest, uint32_t *out_number)
{
    uint64_t number = 0;

    for (size_t i = 0; i < rest->len && i < 5; i++) {
        number |= (uint64_t)(rest->p[i] & 0x7F) << (7 * i);
        if ((rest->p[i] & 0x80) != 0)
            continue;
        *rest = span_of(rest->p + i + 1, rest->len - i - 1);
        *out_number = (uint32_t)number;
        return number <= UINT32_MAX;
    }
    return false;
}
