/* diff.c - DevTools' Comparison: which nodes came and went, by class.
 *
 * Both sides are counted under the shapes of the later snapshot. Within a class, nodes with the
 * same id are the same; what has changed its size or lost it is not told. /
 */
#include "heap/classes.h"

#include <stdlib.h>

/* One side: its nodes with a size, by class and id. A class is a number that both sides share. */
struct side {
    struct gbx_heap *h;
    const uint32_t *class_of; /* by node: a class of this side */
    uint32_t *shared_of;      /* by class of this side */
    uint32_t *begin;          /* by shared class, and one more */
    uint32_t *nodes;
};

static int
compare_ids(const void *a, const void *b, void *data)
{
    const struct gbx_heap *h = data;
    uint32_t x = h->node_id[*(const uint32_t *)a], y = h->node_id[*(const uint32_t *)b];

    return x < y ? -1 : x > y;
}

/* Ids are the order of birth, which is nearly that of the file: most classes are sorted already. */
static void
sort_class(struct side *s, uint32_t begin, uint32_t end)
{
    const uint32_t *id = s->h->node_id;

    for (uint32_t i = begin + 1; i < end; i++)
        if (id[s->nodes[i - 1]] > id[s->nodes[i]]) {
            qsort_r(s->nodes + begin, end - begin, sizeof *s->nodes, compare_ids, s->h);
            return;
        }
}

static bool
group(struct side *s, uint32_t classes)
{
    const struct gbx_heap *h = s->h;

    s->begin = memory_new((size_t)classes + 2, sizeof *s->begin);
    s->nodes = memory_new(h->node_count, sizeof *s->nodes);
    if (s->begin == NULL || s->nodes == NULL)
        return false;
    for (uint32_t v = 0; v < h->node_count; v++)
        if (h->shallow[v] != 0)
            s->begin[s->shared_of[s->class_of[v]] + 2]++;
    for (size_t c = 2; c < (size_t)classes + 2; c++)
        s->begin[c] += s->begin[c - 1];
    for (uint32_t v = 0; v < h->node_count; v++)
        if (h->shallow[v] != 0)
            s->nodes[s->begin[s->shared_of[s->class_of[v]] + 1]++] = v;
    for (uint32_t c = 0; c < classes; c++)
        sort_class(s, s->begin[c], s->begin[c + 1]);
    return true;
}

static void
count_change(
    gbx_heap_change *row, const struct side *base, const struct side *current, uint32_t class)
{
    uint32_t i = base->begin[class], i_end = base->begin[class + 1];
    uint32_t k = current->begin[class], k_end = current->begin[class + 1];

    while (i < i_end || k < k_end) {
        uint64_t old = i < i_end ? base->h->node_id[base->nodes[i]] : UINT64_MAX;
        uint64_t new = k < k_end ? current->h->node_id[current->nodes[k]] : UINT64_MAX;
        if (old < new) {
            row->removed++;
            row->removed_bytes += base->h->shallow[base->nodes[i]];
        } else if (new < old) {
            row->added++;
            row->added_bytes += current->h->shallow[current->nodes[k]];
        }
        i += old <= new;
        k += new <= old;
    }
}

static int
compare_rows(const void *a, const void *b)
{
    const gbx_heap_change *x = a, *y = b;

    if (x->added_bytes != y->added_bytes)
        return x->added_bytes > y->added_bytes ? -1 : 1;
    if (x->removed_bytes != y->removed_bytes)
        return x->removed_bytes > y->removed_bytes ? -1 : 1;
    if (x->in_base != y->in_base)
        return x->in_base < y->in_base ? -1 : 1;
    return x->class_index < y->class_index ? -1 : x->class_index > y->class_index;
}

/* A name of the base as a string of the current snapshot, made there if need be: classes are
 * found by their text, so a copy of it finds them. */
static bool
share_classes(struct side *base, struct side *current, const struct classes *base_classes,
    struct classes *all)
{
    struct gbx_heap *h = current->h;

    for (uint32_t i = 0; i < base_classes->count; i++) {
        const struct class *class = &base_classes->items[i];
        struct location l = { 0, class->script, class->line, class->column };
        uint32_t name = strings_add(&h->strings, heap_string(base->h, class->name));
        base->shared_of[i] = classes_intern(h, all, name, class->located ? &l : NULL);
        if (base->shared_of[i] == NO_STRING)
            return false;
    }
    return true;
}

static bool
compare(struct side *base, struct side *current, struct classes *base_classes,
    struct classes *all, gbx_heap_change **out_rows, uint32_t *out_count)
{
    struct gbx_heap *h = current->h;

    current->class_of = h->classes.of;
    base->class_of = base_classes->of;
    base->shared_of = calloc((size_t)base_classes->count + 1, sizeof *base->shared_of);
    current->shared_of = calloc((size_t)h->classes.count + 1, sizeof *current->shared_of);
    if (base->shared_of == NULL || current->shared_of == NULL)
        return false;
    for (uint32_t i = 0; i < h->classes.count; i++) {
        const struct class *class = &h->classes.items[i];
        struct location l = { 0, class->script, class->line, class->column };
        current->shared_of[i] = classes_intern(h, all, class->name, class->located ? &l : NULL);
        if (current->shared_of[i] == NO_STRING)
            return false;
    }
    if (!share_classes(base, current, base_classes, all) || !group(base, all->count) ||
        !group(current, all->count))
        return false;
    gbx_heap_change *rows = calloc((size_t)all->count + 1, sizeof *rows);
    if (rows == NULL)
        return false;
    uint32_t *base_class = calloc((size_t)all->count + 1, sizeof *base_class);
    if (base_class == NULL) {
        free(rows);
        return false;
    }
    for (uint32_t i = 0; i < base_classes->count; i++)
        base_class[base->shared_of[i]] = i;
    uint32_t count = 0;
    for (uint32_t c = 0; c < all->count; c++) {
        gbx_heap_change row = { .class_index = c };
        count_change(&row, base, current, c);
        if (row.added == 0 && row.removed == 0)
            continue;
        /* Those of the current snapshot came first, so their numbers are its own. */
        row.in_base = c >= h->classes.count;
        row.class_index = row.in_base ? base_class[c] : c;
        rows[count++] = row;
    }
    free(base_class);
    qsort(rows, count, sizeof *rows, compare_rows);
    *out_rows = rows;
    *out_count = count;
    return true;
}

gbx_status
gbx_heap_diff(
    gbx_heap *base, gbx_heap *current, gbx_heap_change **out_rows, uint32_t *out_count)
{
    struct side old = { .h = base }, new = { .h = current };
    struct classes all = { 0 };
    uint32_t *own = base->classes.of;
    gbx_heap_change *rows = NULL;
    uint32_t count = 0, strings = current->strings.count;
    size_t text_len = current->strings.text_len;

    /* The base's classes under the other's shapes, in its own table, which only grows. */
    uint32_t *of = memory_new(base->node_count, sizeof *of);
    bool ok = of != NULL;
    if (ok) {
        memcpy(of, own, base->node_count * sizeof *of);
        base->classes.of = of;
        ok = heap_apply_shapes(base, &base->classes, current) &&
             compare(&old, &new, &base->classes, &all, &rows, &count);
        base->classes.of = own;
    }
    memory_free(of, base->node_count, sizeof *of);
    memory_free(old.begin, (size_t)all.count + 2, sizeof *old.begin);
    memory_free(new.begin, (size_t)all.count + 2, sizeof *new.begin);
    memory_free(old.nodes, base->node_count, sizeof *old.nodes);
    memory_free(new.nodes, current->node_count, sizeof *new.nodes);
    free(old.shared_of);
    free(new.shared_of);
    classes_done(&all, 0);
    current->strings.count = strings; /* the base's names, which only `all` needed */
    current->strings.text_len = text_len;
    if (!ok)
        return GBX_ENOMEM;
    if (count == 0) {
        free(rows);
        rows = NULL;
    }
    *out_rows = rows;
    *out_count = count;
    return GBX_OK;
}
