/* shapes.c - plain objects are counted by the properties that many of them have: "{id, name}".
 *
 * Candidates are the property lists of all plain objects, as far as 120 characters reach; those
 * that two objects and one in a thousand have become shapes. An object takes the shape with
 * most properties, all of which it has; of several, the one that more objects began as. /
 */
#include "heap/classes.h"

#include <stdlib.h>

/* --- lists of properties ---------------------------------------------------------------- */

struct list_of {
    uint32_t *p;
    uint32_t count, capacity;
};

static bool
list_add(struct list_of *l, uint32_t item)
{
    if (l->count == l->capacity) {
        uint32_t capacity = l->capacity == 0 ? 64 : l->capacity * 2;
        uint32_t *p = realloc(l->p, capacity * sizeof *p);
        if (p == NULL)
            return false;
        l->p = p;
        l->capacity = capacity;
    }
    l->p[l->count++] = item;
    return true;
}

static int
compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static void
list_sort(struct list_of *l)
{
    if (l->count > 16) {
        qsort(l->p, l->count, sizeof *l->p, compare_u32);
        return;
    }
    for (uint32_t i = 1; i < l->count; i++)
        for (uint32_t k = i; k > 0 && l->p[k - 1] > l->p[k]; k--) {
            uint32_t swap = l->p[k];
            l->p[k] = l->p[k - 1];
            l->p[k - 1] = swap;
        }
}

static uint64_t
list_hash(const struct list_of *l)
{
    return span_hash(span_of(l->p, l->count * sizeof *l->p));
}

bool
heap_is_plain(const struct gbx_heap *h, uint32_t node)
{
    return h->node_type[node] == NODE_OBJECT && span_is(heap_raw_name(h, node), "Object");
}

/* --- what is kept of each list ---------------------------------------------------------- */

/* Lists that were seen, hashed by content; what is kept of each is a number. */
struct seen {
    struct entry {
        uint64_t hash;
        uint32_t begin, count; /* in `items` */
        uint32_t value;
    } * entries;
    uint32_t *slots; /* entry + 1 */
    uint32_t entry_count, entry_capacity, slot_count;
    struct list_of items;
};

static void
seen_done(struct seen *s)
{
    free(s->entries);
    free(s->slots);
    free(s->items.p);
}

static bool
seen_grow(struct seen *s)
{
    uint32_t capacity = s->entry_capacity == 0 ? 256 : s->entry_capacity * 2;
    struct entry *entries = realloc(s->entries, capacity * sizeof *entries);

    if (entries == NULL)
        return false;
    s->entries = entries;
    s->entry_capacity = capacity;
    uint32_t *slots = calloc((size_t)capacity * 2, sizeof *slots);
    if (slots == NULL)
        return false;
    free(s->slots);
    s->slots = slots;
    s->slot_count = capacity * 2;
    for (uint32_t i = 0; i < s->entry_count; i++) {
        uint64_t slot = entries[i].hash & (s->slot_count - 1);
        while (slots[slot] != 0)
            slot = (slot + 1) & (s->slot_count - 1);
        slots[slot] = i + 1;
    }
    return true;
}

/* The entry of that list, made with `value` if there is none. NULL: out of memory. */
static struct entry *
seen_find(struct seen *s, const struct list_of *list, uint32_t value, bool *out_new)
{
    uint64_t hash = list_hash(list);

    *out_new = false;
    if (s->entry_count == s->entry_capacity && !seen_grow(s))
        return NULL;
    uint64_t slot = hash & (s->slot_count - 1);
    for (; s->slots[slot] != 0; slot = (slot + 1) & (s->slot_count - 1)) {
        struct entry *e = &s->entries[s->slots[slot] - 1];
        if (e->hash == hash && e->count == list->count &&
            (list->count == 0 ||
                memcmp(s->items.p + e->begin, list->p, list->count * sizeof *list->p) == 0))
            return e;
    }
    struct entry *e = &s->entries[s->entry_count];
    *e = (struct entry){ hash, s->items.count, list->count, value };
    for (uint32_t i = 0; i < list->count; i++)
        if (!list_add(&s->items, list->p[i]))
            return NULL;
    s->slots[slot] = ++s->entry_count;
    *out_new = true;
    return e;
}

/* --- candidates ------------------------------------------------------------------------- */

/* Formatted, in UTF-16 units; kept by string, + 1. */
struct lengths {
    const struct gbx_heap *h;
    uint32_t *of;
    uint32_t count;
};

static bool
units_of(struct lengths *l, uint32_t string, uint32_t *out)
{
    if (l->of[string] == 0) {
        struct buf text = { .max = UINT32_MAX };
        heap_property_name(heap_string(l->h, string), &text);
        if (text.failed)
            return false;
        l->of[string] = (uint32_t)span_units(buf_span(&text)) + 1;
        buf_done(&text);
    }
    *out = l->of[string] - 1;
    return true;
}

/* The properties of an object that its candidate has. */
static bool
begin_of(struct lengths *lengths, uint32_t v, uint32_t proto, struct list_of *out)
{
    const struct gbx_heap *h = lengths->h;
    uint32_t units = 1, own;

    out->count = 0;
    for (uint32_t e = h->first_edge[v]; e < h->first_edge[v + 1]; e++) {
        uint32_t name = h->edge_name[e];
        if (h->edge_type[e] != EDGE_PROPERTY || name == proto)
            continue;
        if (!units_of(lengths, name, &own))
            return false;
        if (units > 1 && units + own > HEAP_SHAPE_UNITS)
            break;
        units += (units > 1 ? 2 : 0) + own;
        if (!list_add(out, name))
            return false;
    }
    return true;
}

static int
compare_candidates(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    if (x->value != y->value)
        return x->value > y->value ? -1 : 1;
    return x->begin < y->begin ? -1 : x->begin > y->begin;
}

static bool
shape_make(struct gbx_heap *h, const struct seen *seen, const struct entry *e)
{
    struct shape *shape = &h->shapes[h->shape_count];
    struct buf text = { .max = UINT32_MAX };

    shape->properties = malloc((size_t)e->count * sizeof *shape->properties);
    if (shape->properties == NULL)
        return false;
    memcpy(shape->properties, seen->items.p + e->begin, e->count * sizeof *shape->properties);
    shape->property_count = e->count;
    shape->objects = e->value;
    h->shape_count++;
    buf_byte(&text, '{');
    for (uint32_t i = 0; i < e->count; i++) {
        buf_text(&text, i > 0 ? ", " : "");
        heap_property_name(heap_string(h, shape->properties[i]), &text);
    }
    buf_byte(&text, '}');
    shape->name = text.failed ? NO_STRING : strings_add(&h->strings, buf_span(&text));
    buf_done(&text);
    return shape->name != NO_STRING;
}

static bool
find_candidates(struct gbx_heap *h, struct seen *seen, uint32_t *out_objects)
{
    struct lengths lengths = { .h = h, .count = h->strings.count };
    struct list_of list = { 0 };
    uint32_t proto = NO_STRING;
    bool made, ok;

    for (uint32_t i = 0; i < h->strings.count && proto == NO_STRING; i++)
        if (span_is(heap_string(h, i), "__proto__"))
            proto = i;
    lengths.of = memory_new(lengths.count, sizeof *lengths.of);
    ok = lengths.of != NULL;
    for (uint32_t v = 0; ok && v < h->node_count; v++) {
        if (!heap_is_plain(h, v))
            continue;
        ++*out_objects;
        ok = begin_of(&lengths, v, proto, &list);
        if (!ok || list.count == 0)
            continue;
        struct entry *e = seen_find(seen, &list, 0, &made);
        ok = e != NULL;
        if (ok)
            e->value++;
    }
    memory_free(lengths.of, lengths.count, sizeof *lengths.of);
    free(list.p);
    return ok;
}

bool
heap_find_shapes(struct gbx_heap *h)
{
    struct seen seen = { 0 };
    uint32_t objects = 0, count = 0;
    bool ok = find_candidates(h, &seen, &objects);

    if (ok && seen.entry_count > 0)
        qsort(seen.entries, seen.entry_count, sizeof *seen.entries, compare_candidates);
    while (ok && count < seen.entry_count && seen.entries[count].value >= 2 &&
           (uint64_t)seen.entries[count].value * 1000 >= objects)
        count++;
    if (ok && count > 0) {
        h->shapes = calloc(count, sizeof *h->shapes);
        ok = h->shapes != NULL;
        for (uint32_t i = 0; ok && i < count; i++)
            ok = shape_make(h, &seen, &seen.entries[i]);
    }
    seen_done(&seen);
    return ok && heap_apply_shapes(h, &h->classes, h);
}

void
shapes_done(struct gbx_heap *h)
{
    for (uint32_t i = 0; i < h->shape_count; i++)
        free(h->shapes[i].properties);
    free(h->shapes);
    h->shapes = NULL;
    h->shape_count = 0;
}

/* --- matching --------------------------------------------------------------------------- */

/* A shape as the strings of the snapshot at hand, sorted. */
struct known_shape {
    struct list_of properties;
    uint32_t name;  /* a string of the snapshot at hand */
    uint32_t class; /* NO_STRING until it is needed */
    uint32_t next;  /* with the same anchor, + 1 */
};

struct matcher {
    struct known_shape *shapes;
    uint32_t count;
    uint32_t *first; /* by string: the first shape that it anchors, + 1 */
    uint32_t strings;
};

/* All of `few`, as often as it has them, are among `many`; both are sorted. */
static bool
is_part(const struct list_of *few, const struct list_of *many)
{
    uint32_t k = 0;

    for (uint32_t i = 0; i < few->count; i++, k++) {
        while (k < many->count && many->p[k] < few->p[i])
            k++;
        if (k == many->count || many->p[k] != few->p[i])
            return false;
    }
    return true;
}

/* Each shape is found by that of its properties which the fewest shapes have. */
static bool
anchor_shapes(struct matcher *m)
{
    uint32_t *uses = memory_new(m->strings, sizeof *uses);

    if (uses == NULL)
        return false;
    for (uint32_t i = 0; i < m->count; i++)
        for (uint32_t k = 0; k < m->shapes[i].properties.count; k++)
            uses[m->shapes[i].properties.p[k]]++;
    for (uint32_t i = m->count; i-- > 0;) { /* so that the earlier ones come first */
        struct known_shape *s = &m->shapes[i];
        if (s->properties.count == 0) /* one of its properties is not in this snapshot */
            continue;
        uint32_t anchor = s->properties.p[0];
        for (uint32_t k = 1; k < s->properties.count; k++)
            if (uses[s->properties.p[k]] < uses[anchor])
                anchor = s->properties.p[k];
        s->next = m->first[anchor];
        m->first[anchor] = i + 1;
    }
    memory_free(uses, m->strings, sizeof *uses);
    return true;
}

/* The best shape for sorted properties, + 1; 0: none. */
static uint32_t
best_shape(const struct matcher *m, const struct list_of *properties)
{
    uint32_t best = 0, most = 0;

    for (uint32_t i = 0; i < properties->count; i++) {
        if (i > 0 && properties->p[i] == properties->p[i - 1])
            continue;
        for (uint32_t s = m->first[properties->p[i]]; s != 0; s = m->shapes[s - 1].next) {
            const struct list_of *own = &m->shapes[s - 1].properties;
            if (own->count < most || (own->count == most && s > best) ||
                !is_part(own, properties))
                continue;
            best = s;
            most = own->count;
        }
    }
    return best;
}

/* Strings of another snapshot as this one's: hashed by text, once, and only those that shapes
 * have. */
static bool
translate(struct gbx_heap *h, const struct gbx_heap *from, struct matcher *m)
{
    uint32_t size = 64, total = 0;

    for (uint32_t i = 0; i < m->count; i++)
        total += from->shapes[i].property_count;
    while (size < total * 2)
        size *= 2;
    uint32_t *slots = calloc(size, sizeof *slots), *ours = malloc(size * sizeof *ours);
    bool ok = slots != NULL && ours != NULL;
    for (uint32_t i = 0; ok && i < m->count; i++)
        for (uint32_t k = 0; k < from->shapes[i].property_count; k++) {
            uint32_t string = from->shapes[i].properties[k];
            uint64_t slot = span_hash(heap_string(from, string)) & (size - 1);
            while (slots[slot] != 0 && slots[slot] != string + 1)
                slot = (slot + 1) & (size - 1);
            slots[slot] = string + 1;
            ours[slot] = NO_STRING;
        }
    for (uint32_t s = 0; ok && s < h->file_strings; s++) {
        struct span text = heap_string(h, s);
        for (uint64_t slot = span_hash(text) & (size - 1); slots[slot] != 0;
             slot = (slot + 1) & (size - 1))
            if (span_equal(heap_string(from, slots[slot] - 1), text))
                ours[slot] = s;
    }
    for (uint32_t i = 0; ok && i < m->count; i++) {
        struct known_shape *shape = &m->shapes[i];
        bool all = true;
        for (uint32_t k = 0; ok && k < from->shapes[i].property_count; k++) {
            uint32_t string = from->shapes[i].properties[k];
            uint64_t slot = span_hash(heap_string(from, string)) & (size - 1);
            while (slots[slot] != string + 1)
                slot = (slot + 1) & (size - 1);
            all &= ours[slot] != NO_STRING;
            ok = list_add(&shape->properties, ours[slot]);
        }
        if (!all)
            shape->properties.count = 0;
        shape->name = strings_add(&h->strings, heap_string(from, from->shapes[i].name));
        ok = ok && shape->name != NO_STRING;
    }
    free(slots);
    free(ours);
    return ok;
}

static bool
matcher_init(struct matcher *m, struct gbx_heap *h, const struct gbx_heap *from)
{
    bool ok;

    m->count = from->shape_count;
    m->strings = h->strings.count;
    m->shapes = calloc((size_t)m->count + 1, sizeof *m->shapes);
    m->first = memory_new(m->strings, sizeof *m->first);
    ok = m->shapes != NULL && m->first != NULL;
    if (ok && from != h)
        ok = translate(h, from, m);
    for (uint32_t i = 0; ok && i < m->count; i++) {
        struct known_shape *s = &m->shapes[i];
        s->class = NO_STRING;
        if (from == h) {
            s->name = h->shapes[i].name;
            for (uint32_t k = 0; ok && k < h->shapes[i].property_count; k++)
                ok = list_add(&s->properties, h->shapes[i].properties[k]);
        }
        list_sort(&s->properties);
    }
    return ok && anchor_shapes(m);
}

static void
matcher_done(struct matcher *m)
{
    for (uint32_t i = 0; m->shapes != NULL && i < m->count; i++)
        free(m->shapes[i].properties.p);
    free(m->shapes);
    memory_free(m->first, m->strings, sizeof *m->first);
}

/* The class of a plain object under the shape `best`, + 1. */
static uint32_t
class_under(struct gbx_heap *h, struct classes *c, struct matcher *m, uint32_t v, uint32_t best)
{
    const struct location *l = heap_location(h, v);
    uint32_t name = best == 0 ? h->node_name[v] : m->shapes[best - 1].name;

    if (l != NULL || best == 0)
        return classes_intern(h, c, name, l);
    struct known_shape *shape = &m->shapes[best - 1];
    if (shape->class == NO_STRING)
        shape->class = classes_intern(h, c, name, NULL);
    return shape->class;
}

bool
heap_apply_shapes(struct gbx_heap *h, struct classes *classes, const struct gbx_heap *from)
{
    struct matcher m = { 0 };
    struct seen seen = { 0 };
    struct list_of list = { 0 }, sorted = { 0 };
    bool made = false, ok = matcher_init(&m, h, from);

    for (uint32_t v = 0; ok && v < h->node_count; v++) {
        if (!heap_is_plain(h, v))
            continue;
        list.count = 0;
        for (uint32_t e = h->first_edge[v]; ok && e < h->first_edge[v + 1]; e++)
            if (h->edge_type[e] == EDGE_PROPERTY)
                ok = list_add(&list, h->edge_name[e]);
        struct entry *e = ok ? seen_find(&seen, &list, 0, &made) : NULL;
        ok = e != NULL;
        if (ok && made) {
            sorted.count = 0;
            for (uint32_t i = 0; ok && i < list.count; i++)
                ok = list_add(&sorted, list.p[i]);
            list_sort(&sorted);
            e->value = best_shape(&m, &sorted);
        }
        if (ok)
            classes->of[v] = class_under(h, classes, &m, v, e->value);
        ok = ok && classes->of[v] != NO_STRING;
    }
    free(list.p);
    free(sorted.p);
    seen_done(&seen);
    matcher_done(&m);
    return ok;
}
