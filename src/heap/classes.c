/* classes.c - what nodes are counted under: a name, and for objects where their constructor is. */
#include "heap/classes.h"

#include <stdlib.h>

void
classes_done(struct classes *c, uint32_t nodes)
{
    memory_free(c->of, nodes, sizeof *c->of);
    memory_free(c->items, c->capacity, sizeof *c->items);
    memory_free(c->slots, c->slot_count, sizeof *c->slots);
    memory_free(c->of_name, c->names, sizeof *c->of_name);
    *c = (struct classes){ 0 };
}

const struct location *
heap_location(const struct gbx_heap *h, uint32_t node)
{
    uint32_t low = 0, high = h->location_count;

    while (low < high) { /* the last one of the node, as a later entry replaces an earlier */
        uint32_t middle = low + (high - low) / 2;
        if (h->locations[middle].node <= node)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && h->locations[low - 1].node == node ? &h->locations[low - 1] : NULL;
}

static uint64_t
class_hash(const struct gbx_heap *h, uint32_t name, const struct location *l)
{
    uint64_t hash = span_hash(heap_string(h, name));

    if (l != NULL)
        hash = (hash ^ (uint64_t)l->script << 40 ^ (uint64_t)l->line << 20 ^ l->column ^ 1) *
               0x9E3779B97F4A7C15u;
    return hash ^ hash >> 31;
}

static bool
class_is(const struct gbx_heap *h, const struct class *class, uint32_t name,
    const struct location *l)
{
    if (class->located != (l != NULL))
        return false;
    if (l != NULL &&
        (class->script != l->script || class->line != l->line || class->column != l->column))
        return false;
    return class->name == name || span_equal(heap_string(h, class->name), heap_string(h, name));
}

static bool
grow(const struct gbx_heap *h, struct classes *c)
{
    uint32_t capacity = c->capacity == 0 ? 1024 : c->capacity * 2;
    uint32_t slot_count = capacity * 2;
    struct class *items = memory_resize(c->items, c->capacity, capacity, sizeof *items);

    if (items == NULL)
        return false;
    c->items = items;
    c->capacity = capacity;
    uint32_t *slots = memory_new(slot_count, sizeof *slots);
    if (slots == NULL)
        return false;
    memory_free(c->slots, c->slot_count, sizeof *c->slots);
    c->slots = slots;
    c->slot_count = slot_count;
    for (uint32_t i = 0; i < c->count; i++) {
        const struct class *k = &c->items[i];
        struct location l = { 0, k->script, k->line, k->column };
        uint64_t slot = class_hash(h, k->name, k->located ? &l : NULL) & (slot_count - 1);
        while (slots[slot] != 0)
            slot = (slot + 1) & (slot_count - 1);
        slots[slot] = i + 1;
    }
    return true;
}

uint32_t
classes_intern(
    const struct gbx_heap *h, struct classes *c, uint32_t name, const struct location *location)
{
    if (name == NO_STRING || (c->count == c->capacity && !grow(h, c)))
        return NO_STRING;
    uint64_t slot = class_hash(h, name, location) & (c->slot_count - 1);
    while (c->slots[slot] != 0) {
        uint32_t i = c->slots[slot] - 1;
        if (class_is(h, &c->items[i], name, location))
            return i;
        slot = (slot + 1) & (c->slot_count - 1);
    }
    c->items[c->count] = (struct class){ .name = name };
    if (location != NULL)
        c->items[c->count] =
            (struct class){ name, true, location->script, location->line, location->column };
    c->slots[slot] = ++c->count;
    return c->count - 1;
}

/* "<div id=a>" is counted under "<div>". */
static uint32_t
element_name(struct gbx_heap *h, uint32_t name)
{
    struct span s = heap_string(h, name);
    size_t from = span_starts(s, "Detached <") ? 10 : 0;

    if (from == 0 && !span_starts(s, "<"))
        return name;
    const uint8_t *space = memchr(s.p + from, ' ', s.len - from);
    if (space == NULL)
        return name;
    size_t len = (size_t)(space - s.p);
    uint8_t *text = malloc(len + 1);
    if (text == NULL)
        return NO_STRING;
    memcpy(text, s.p, len);
    text[len] = '>';
    uint32_t made = strings_add(&h->strings, span_of(text, len + 1));
    free(text);
    return made;
}

/* The class of a node by its type alone, or NO_STRING: it has a name of its own. */
static bool
name_types(struct gbx_heap *h, uint32_t *of_type)
{
    for (uint32_t type = 0; type < h->node_layout.types; type++) {
        char text[TYPE_NAME + 2];
        of_type[type] = NO_STRING;
        if (type == NODE_OBJECT || type == NODE_NATIVE)
            continue;
        const char *name = type == NODE_HIDDEN    ? "(system)"
                           : type == NODE_CODE    ? "(compiled code)"
                           : type == NODE_CLOSURE ? "Function"
                           : type == NODE_REGEXP  ? "RegExp"
                                                  : NULL;
        if (name == NULL) {
            size_t len = strlen(h->node_layout.type_names[type]);
            text[0] = '(';
            memcpy(text + 1, h->node_layout.type_names[type], len);
            memcpy(text + 1 + len, ")", 2);
            name = text;
        }
        of_type[type] = strings_add(&h->strings, span_text(name));
        if (of_type[type] == NO_STRING)
            return false;
    }
    return true;
}

static uint32_t
class_of_node(struct gbx_heap *h, uint32_t v, const struct location **l, uint32_t *of_type)
{
    struct classes *c = &h->classes;
    uint8_t type = h->node_type[v];
    const struct location *end = h->locations == NULL ? NULL : h->locations + h->location_count;
    const struct location *own = NULL;

    /* Locations are in the order of the nodes, as we go. */
    while (*l < end && (*l)->node <= v) {
        own = (*l)->node == v ? *l : NULL;
        ++*l;
    }
    if (type != NODE_OBJECT && type != NODE_NATIVE)
        return of_type[type];
    uint32_t name = h->node_name[v];
    if (type == NODE_OBJECT && own != NULL)
        return classes_intern(h, c, element_name(h, name), own);
    if (c->of_name[name] == 0) {
        uint32_t class = classes_intern(h, c, element_name(h, name), NULL);
        if (class == NO_STRING)
            return NO_STRING;
        c->of_name[name] = class + 1;
    }
    return c->of_name[name] - 1;
}

bool
heap_name_classes(struct gbx_heap *h)
{
    struct classes *c = &h->classes;
    uint32_t of_type[HEAP_TYPES_MAX];
    const struct location *l = h->locations;

    c->names = h->strings.count;
    c->of = memory_new(h->node_count, sizeof *c->of);
    c->of_name = memory_new(c->names, sizeof *c->of_name);
    if (c->of == NULL || c->of_name == NULL || !name_types(h, of_type))
        return false;
    for (uint32_t type = 0; type < h->node_layout.types; type++)
        if (of_type[type] != NO_STRING &&
            (of_type[type] = classes_intern(h, c, of_type[type], NULL)) == NO_STRING)
            return false;
    for (uint32_t v = 0; v < h->node_count; v++) {
        c->of[v] = class_of_node(h, v, &l, of_type);
        if (c->of[v] == NO_STRING)
            return false;
    }
    return true;
}
