/* heap_report_lists.c - the lists of a page: files, strings that are there twice, what changed, how
 * classes grew. */
#include "base/limits.h"
#include "cli/heap_report.h"

#include <stdlib.h>

void
report_key(struct report *r, const char *key)
{
    buf_printf(&r->json, "%s\"%s\":", r->json.len == 0 ? "{" : ",\n", key);
}

void
report_number(struct report *r, bool first, int64_t number)
{
    buf_printf(&r->json, first ? "%lld" : ",%lld", (long long)number);
}

/* --- files -------------------------------------------------------------------------------- */

/* A file's name without its folders, which are nobody else's business; but if two are the same, as
 * they were given. */
static const char *
short_name(const char *const *files, size_t count, size_t i)
{
    const char *name = strrchr(files[i], '/');

    name = name == NULL ? files[i] : name + 1;
    for (size_t k = 0; k < count; k++) {
        const char *other = strrchr(files[k], '/');
        if (k != i && strcmp(name, other == NULL ? files[k] : other + 1) == 0)
            return files[i];
    }
    return strcmp(name, "-") == 0 ? "standard input" : name;
}

bool
report_put_files(
    struct report *r, const char *const *files, const gbx_heap_totals *totals, size_t count)
{
    report_key(r, "files");
    buf_byte(&r->json, '[');
    for (size_t i = 0; i < count; i++) {
        const gbx_heap_totals *t = &totals[i];
        const char *name = short_name(files, count, i);
        int64_t fields[] = { report_add_text(&r->texts, name, strlen(name)), (int64_t)t->total,
            t->nodes, t->edges, (int64_t)t->file_bytes, (int64_t)t->code,
            (int64_t)t->strings_bytes, (int64_t)t->arrays, (int64_t)t->typed_arrays,
            (int64_t)t->native, (int64_t)t->system };
        for (size_t k = 0; k < sizeof fields / sizeof *fields; k++)
            report_number(r, i == 0 && k == 0, fields[k]);
    }
    buf_byte(&r->json, ']');
    return true;
}

/* --- strings ------------------------------------------------------------------------------ */

static uint64_t
wasted(const gbx_heap_same *same)
{
    return same->shallow - same->shallow / same->count;
}

static int
compare_wasted(const void *a, const void *b)
{
    const gbx_heap_same *x = a, *y = b;

    if (wasted(x) != wasted(y))
        return wasted(x) > wasted(y) ? -1 : 1;
    return x->node < y->node ? -1 : x->node > y->node;
}

bool
report_put_strings(struct report *r)
{
    gbx_heap_same *rows = NULL;
    uint32_t count = 0;
    uint64_t all = 0;

    if (gbx_heap_duplicates(r->heap, &rows, &count) != GBX_OK)
        return false;
    for (uint32_t i = 0; i < count; i++)
        all += wasted(&rows[i]);
    if (count > 0)
        qsort(rows, count, sizeof *rows, compare_wasted);
    report_key(r, "stringCount");
    report_number(r, true, count);
    report_key(r, "stringWaste");
    report_number(r, true, (int64_t)all);
    report_key(r, "strings");
    buf_byte(&r->json, '[');
    for (uint32_t i = 0; i < count && i < REPORT_ROWS; i++) {
        report_number(
            r, i == 0, report_add_name(&r->texts, r->heap, rows[i].node, gbx_heap_node_name));
        report_number(r, false, rows[i].count);
        report_number(r, false, (int64_t)rows[i].shallow);
        report_number(r, false, (int64_t)wasted(&rows[i]));
    }
    buf_byte(&r->json, ']');
    free(rows);
    return true;
}

/* --- what changed between the first and the last ------------------------------------------- */

static uint64_t
size_of_change(const gbx_heap_change *c)
{
    return c->added_bytes > c->removed_bytes ? c->added_bytes - c->removed_bytes
                                             : c->removed_bytes - c->added_bytes;
}

static int
compare_changes(const void *a, const void *b)
{
    const gbx_heap_change *x = a, *y = b;
    uint64_t p = size_of_change(x), q = size_of_change(y);

    if (p != q)
        return p > q ? -1 : 1;
    if (x->added_bytes != y->added_bytes)
        return x->added_bytes > y->added_bytes ? -1 : 1;
    if (x->in_base != y->in_base)
        return x->in_base < y->in_base ? -1 : 1;
    return x->class_index < y->class_index ? -1 : x->class_index > y->class_index;
}

bool
report_put_changes(struct report *r, gbx_heap *base)
{
    gbx_heap_change *rows = NULL;
    uint32_t count = 0;

    if (gbx_heap_diff(base, r->heap, &rows, &count) != GBX_OK)
        return false;
    if (count > 0)
        qsort(rows, count, sizeof *rows, compare_changes);
    report_key(r, "changeCount");
    report_number(r, true, count);
    report_key(r, "changes");
    buf_byte(&r->json, '[');
    for (uint32_t i = 0; i < count && i < REPORT_ROWS; i++) {
        const gbx_heap_change *c = &rows[i];
        report_number(r, i == 0,
            report_add_name(&r->texts, c->in_base != 0 ? base : r->heap, c->class_index,
                gbx_heap_class_name));
        report_number(r, false, c->added);
        report_number(r, false, c->removed);
        report_number(r, false, (int64_t)c->added_bytes);
        report_number(r, false, (int64_t)c->removed_bytes);
    }
    buf_byte(&r->json, ']');
    free(rows);
    return true;
}

/* --- how classes grew ---------------------------------------------------------------------- */

bool
report_put_trends(struct report *r, gbx_heap_series *series)
{
    const gbx_heap_trend *rows = NULL;
    uint32_t count = 0, points = 0;
    bool first = true;

    if (gbx_heap_series_trends(series, &rows, &count, &points) != GBX_OK)
        return false;
    report_key(r, "trends");
    buf_byte(&r->json, '[');
    for (uint32_t i = 0; i < count && i < REPORT_TRENDS && rows[i].slope > 0; i++) {
        char name[256] = { 0 };
        (void)gbx_heap_series_name(series, rows[i].class_index, name, sizeof name);
        report_number(r, first, report_add_text(&r->texts, name, strlen(name)));
        report_number(r, false, rows[i].slope);
        for (uint32_t k = 0; k < points; k++) {
            report_number(r, false, (int64_t)rows[i].points[k].count);
            report_number(r, false, (int64_t)rows[i].points[k].retained);
        }
        first = false;
    }
    buf_byte(&r->json, ']');
    return true;
}
