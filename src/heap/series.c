/* series.c - sums by class of many snapshots, and how they go on. */
#include "heap/classes.h"

#include <glovebox/heap_series.h>
#include <stdlib.h>

struct gbx_heap_series {
    struct gbx_heap names; /* its strings alone: those of all classes */
    struct classes classes;
    struct sums {
        gbx_heap_point *of; /* by class of the series */
        uint32_t classes;   /* that it knew then */
    } * sums;               /* by snapshot */
    uint32_t count, capacity;
    gbx_heap_trend *rows; /* made when asked for */
    gbx_heap_point *points;
};

static void
forget_rows(struct gbx_heap_series *s)
{
    free(s->rows);
    free(s->points);
    s->rows = NULL;
    s->points = NULL;
}

gbx_status
gbx_heap_series_open(gbx_heap_series **out_series)
{
    gbx_heap_series *s = calloc(1, sizeof *s);

    if (s == NULL)
        return GBX_ENOMEM;
    *out_series = s;
    return GBX_OK;
}

void
gbx_heap_series_close(gbx_heap_series *s)
{
    if (s == NULL)
        return;
    forget_rows(s);
    for (uint32_t i = 0; i < s->count; i++)
        free(s->sums[i].of);
    free(s->sums);
    classes_done(&s->classes, 0);
    strings_done(&s->names.strings);
    free(s);
}

/* The number that the class of a snapshot has here, or NO_STRING. */
static uint32_t
class_here(struct gbx_heap_series *s, const struct gbx_heap *h, uint32_t class)
{
    struct strings *strings = &s->names.strings;
    const struct class *c = &h->classes.items[class];
    struct location l = { 0, c->script, c->line, c->column };
    uint32_t known = s->classes.count, name = strings_add(strings, heap_string(h, c->name));
    uint32_t here = classes_intern(&s->names, &s->classes, name, c->located ? &l : NULL);

    if (name != NO_STRING && s->classes.count == known) {
        strings->count--; /* the name is there already */
        strings->text_len = strings->begin[strings->count];
    }
    return here;
}

static bool
add_sums(struct gbx_heap_series *s, const struct gbx_heap *h, const gbx_heap_class *rows,
    uint32_t count)
{
    uint32_t *here = calloc((size_t)count + 1, sizeof *here);
    gbx_heap_point *of = NULL;
    bool ok = here != NULL;

    for (uint32_t i = 0; ok && i < count; i++) {
        here[i] = class_here(s, h, rows[i].class_index);
        ok = here[i] != NO_STRING;
    }
    if (ok)
        of = calloc((size_t)s->classes.count + 1, sizeof *of);
    for (uint32_t i = 0; of != NULL && i < count; i++)
        of[here[i]] = (gbx_heap_point){ rows[i].count, rows[i].shallow, rows[i].retained };
    free(here);
    if (of == NULL)
        return false;
    s->sums[s->count++] = (struct sums){ of, s->classes.count };
    return true;
}

gbx_status
gbx_heap_series_add(gbx_heap_series *s, gbx_heap *heap)
{
    const gbx_heap_class *rows = NULL;
    uint32_t count = 0;

    if (s->count == s->capacity) {
        uint32_t capacity = s->capacity == 0 ? 16 : s->capacity * 2;
        struct sums *sums = realloc(s->sums, capacity * sizeof *sums);
        if (sums == NULL)
            return GBX_ENOMEM;
        s->sums = sums;
        s->capacity = capacity;
    }
    if (gbx_heap_summary(heap, &rows, &count) != GBX_OK || !add_sums(s, heap, rows, count))
        return GBX_ENOMEM;
    forget_rows(s);
    return GBX_OK;
}

/* Of the line that lies nearest to all points; snapshots are one apart. */
static int64_t
slope_of(const gbx_heap_point *points, uint32_t count)
{
    double middle = ((double)count - 1) / 2, above = 0, below = 0;

    for (uint32_t i = 0; i < count; i++) {
        double x = i - middle;
        above += x * (double)points[i].retained;
        below += x * x;
    }
    double slope = below > 0 ? above / below : 0;
    return (int64_t)(slope < 0 ? slope - 0.5 : slope + 0.5);
}

static int
compare_rows(const void *a, const void *b)
{
    const gbx_heap_trend *x = a, *y = b;

    if (x->slope != y->slope)
        return x->slope > y->slope ? -1 : 1;
    return x->class_index < y->class_index ? -1 : x->class_index > y->class_index;
}

static bool
make_rows(struct gbx_heap_series *s)
{
    uint32_t classes = s->classes.count;

    s->rows = calloc((size_t)classes + 1, sizeof *s->rows);
    s->points = calloc((size_t)classes * s->count + 1, sizeof *s->points);
    if (s->rows == NULL || s->points == NULL) {
        forget_rows(s);
        return false;
    }
    for (uint32_t c = 0; c < classes; c++) {
        const struct class *class = &s->classes.items[c];
        gbx_heap_point *points = s->points + (size_t)c * s->count;
        for (uint32_t i = 0; i < s->count; i++)
            if (c < s->sums[i].classes)
                points[i] = s->sums[i].of[c];
        s->rows[c] = (gbx_heap_trend){ .class_index = c,
            .script = class->script,
            .line = class->line + class->located,
            .column = class->column + class->located,
            .slope = slope_of(points, s->count),
            .points = points };
    }
    qsort(s->rows, classes, sizeof *s->rows, compare_rows);
    return true;
}

gbx_status
gbx_heap_series_trends(gbx_heap_series *s, const gbx_heap_trend **out_rows, uint32_t *out_count,
    uint32_t *out_points)
{
    if (s->rows == NULL && !make_rows(s))
        return GBX_ENOMEM;
    *out_rows = s->rows;
    *out_count = s->classes.count;
    *out_points = s->count;
    return GBX_OK;
}

uint64_t
gbx_heap_series_name(const gbx_heap_series *s, uint32_t class_index, char *out, uint64_t size)
{
    struct buf text = { .max = UINT32_MAX };

    if (class_index < s->classes.count) {
        struct span name = heap_string(&s->names, s->classes.items[class_index].name);
        buf_append(&text, name.p, name.len);
    }
    return heap_give_name(&text, out, size);
}
