/* heap_report_groups.c - the dominator tree by classes, for the map of a page.
 *
 * Each node is in one group: that of its class within the group of what dominates it. So the groups
 * share all bytes of the heap, and none is counted twice.
 */
#include "base/limits.h"
#include "cli/heap_report.h"

#include <stdlib.h>

/* Groups by parent and class. */
struct finder {
    uint32_t *slots; /* numbers of groups; 0: free, since the root's is not looked for */
    uint32_t capacity;
};

static uint32_t *
slot_of(const struct finder *f, const struct report_groups *g, uint32_t parent, uint32_t class)
{
    uint64_t hash = ((uint64_t)parent << 32 | class) * 0x9E3779B97F4A7C15;
    uint32_t i = (uint32_t)(hash >> 32) & (f->capacity - 1);

    while (f->slots[i] != 0 && (g->items[f->slots[i]].parent != parent ||
                                   g->items[f->slots[i]].class_index != class))
        i = (i + 1) & (f->capacity - 1);
    return &f->slots[i];
}

static bool
grow(struct finder *f, struct report_groups *g)
{
    uint32_t capacity = g->capacity == 0 ? 1024 : g->capacity * 2;

    if (g->count < g->capacity)
        return true;
    struct group *items = realloc(g->items, capacity * sizeof *items);
    uint32_t *slots = calloc((size_t)capacity * 2, sizeof *slots);
    g->items = items == NULL ? g->items : items;
    if (items == NULL || slots == NULL) {
        free(slots);
        return false;
    }
    free(f->slots);
    f->slots = slots;
    f->capacity = capacity * 2;
    g->capacity = capacity;
    for (uint32_t i = 1; i < g->count; i++)
        *slot_of(f, g, g->items[i].parent, g->items[i].class_index) = i;
    return true;
}

/* The group of a node that `parent`'s dominate. False: out of memory. */
static bool
group_for(struct finder *f, struct report_groups *g, uint32_t parent, uint32_t class,
    uint32_t *out_group)
{
    *out_group = parent;
    if (g->items[parent].class_index == class || g->items[parent].depth == REPORT_GROUP_DEPTH)
        return true;
    uint32_t *slot = slot_of(f, g, parent, class);
    if (*slot == 0) {
        if (!grow(f, g))
            return false;
        slot = slot_of(f, g, parent, class);
        *slot = g->count;
        g->items[g->count++] = (struct group){ .parent = parent,
            .class_index = class,
            .depth = g->items[parent].depth + 1,
            .example = GBX_HEAP_NONE };
    }
    *out_group = *slot;
    return true;
}

static void
count_node(struct group *group, uint32_t v, const gbx_heap_node *n)
{
    group->bytes += n->shallow;
    if (n->class_index != group->class_index)
        return;
    group->objects++;
    if (group->example == GBX_HEAP_NONE || n->retained > group->most) {
        group->example = v;
        group->most = n->retained;
    }
}

/* From the root down. `group_of` and `stack` have room for every node. */
static bool
walk(struct report *r, struct finder *f, struct report_groups *g, uint32_t *group_of,
    uint32_t *stack)
{
    uint32_t depth = 1;

    stack[0] = 0;
    while (depth > 0) {
        uint32_t v = stack[--depth], count = 0, group;
        const uint32_t *nodes = NULL;
        gbx_heap_node n;
        if (gbx_heap_dominated(r->heap, v, &nodes, &count) != GBX_OK ||
            ((v & 0xFFFF) == 0 && signals_caught() != 0))
            return false;
        for (uint32_t i = 0; i < count; i++) {
            if (gbx_heap_get_node(r->heap, nodes[i], &n) != GBX_OK ||
                !group_for(f, g, group_of[v], n.class_index, &group))
                return false;
            group_of[nodes[i]] = group;
            count_node(&g->items[group], nodes[i], &n);
            stack[depth++] = nodes[i];
        }
    }
    return true;
}

/* The largest, not too many: what is less than a share of all is left out. */
static void
keep_largest(struct report_groups *g)
{
    uint64_t least = g->items[0].bytes / REPORT_GROUP_SHARE + 1;

    for (;; least *= 2) {
        uint32_t kept = 0;
        for (uint32_t i = 0; i < g->count; i++)
            kept += g->items[i].bytes >= least;
        if (kept <= REPORT_GROUPS)
            break;
    }
    for (uint32_t i = 0; i < g->count; i++)
        if (i == 0 || g->items[i].bytes >= least)
            g->items[i].number = ++g->kept;
}

bool
report_groups_make(struct report *r, struct report_groups *out)
{
    struct finder finder = { NULL, 0 };
    uint32_t *group_of = calloc(r->totals.nodes, sizeof *group_of);
    uint32_t *stack = calloc(r->totals.nodes, sizeof *stack);
    gbx_heap_node root;
    bool ok = group_of != NULL && stack != NULL && grow(&finder, out) &&
              gbx_heap_get_node(r->heap, 0, &root) == GBX_OK;

    if (ok) {
        out->items[out->count++] =
            (struct group){ .class_index = UINT32_MAX, .example = 0, .bytes = root.shallow };
        ok = walk(r, &finder, out, group_of, stack);
    }
    for (uint32_t i = out->count; ok && i > 1; i--)
        out->items[out->items[i - 1].parent].bytes += out->items[i - 1].bytes;
    if (ok)
        keep_largest(out);
    free(finder.slots);
    free(group_of);
    free(stack);
    return ok;
}

void
report_groups_done(struct report_groups *g)
{
    free(g->items);
}
