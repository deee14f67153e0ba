/* cmd_heap_assert.c - glovebox heap assert: conditions for a build to hold. */
#include "base/check.h"
#include "cli/heap.h"

#include <stdlib.h>
#include <string.h>

struct condition {
    const char *what; /* one of the words of measure() */
    char *class;      /* owned; NULL: of the whole heap */
    char op[3];
    uint64_t limit;
};

/* Sums over all classes of that name. */
static bool
sum_class(gbx_heap *heap, const char *class, gbx_heap_class *out_sum)
{
    const gbx_heap_class *rows = NULL;
    uint32_t count = 0;

    memset(out_sum, 0, sizeof *out_sum);
    if (gbx_heap_summary(heap, &rows, &count) != GBX_OK)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        char *name = heap_name(heap, rows[i].class_index, gbx_heap_class_name);
        if (name == NULL)
            return false;
        if (strcmp(name, class) == 0) {
            out_sum->count += rows[i].count;
            out_sum->shallow += rows[i].shallow;
            out_sum->retained += rows[i].retained;
        }
        free(name);
    }
    return true;
}

/* False: out of memory. */
static bool
measure(const struct heap_run *run, const struct condition *c, int64_t *out)
{
    gbx_heap *last = run->heaps[run->file_count - 1];
    gbx_heap_class now, before = { 0 };
    gbx_heap_totals totals;

    if (c->class == NULL) {
        if (gbx_heap_get_totals(last, &totals) != GBX_OK)
            return false;
        *out = (int64_t)(strcmp(c->what, "nodes") == 0 ? totals.nodes : totals.total);
        return true;
    }
    if (!sum_class(last, c->class, &now) ||
        (strcmp(c->what, "growth") == 0 && !sum_class(run->heaps[0], c->class, &before)))
        return false;
    if (strcmp(c->what, "shallow") == 0)
        *out = (int64_t)now.shallow;
    else if (strcmp(c->what, "retained") == 0)
        *out = (int64_t)now.retained;
    else
        *out = (int64_t)now.count - (int64_t)before.count;
    return true;
}

static bool
compare(int64_t value, const char *op, uint64_t limit)
{
    bool less = value < 0 || (uint64_t)value < limit;
    bool equal = value >= 0 && (uint64_t)value == limit;

    if (strcmp(op, "<") == 0)
        return less;
    if (strcmp(op, "<=") == 0)
        return less || equal;
    if (strcmp(op, ">") == 0)
        return !less && !equal;
    if (strcmp(op, ">=") == 0)
        return !less;
    return equal;
}

static const char *
skip_blanks(const char *p)
{
    return p + strspn(p, " ");
}

static bool
read_condition(const char *text, struct condition *out)
{
    static const char *const of_class[] = { "count", "shallow", "retained", "growth" };
    static const char *const of_heap[] = { "total", "nodes" };
    const char *p = skip_blanks(text);
    size_t len = strspn(p, "abcdefghijklmnopqrstuvwxyz");

    *out = (struct condition){ .what = NULL };
    for (size_t i = 0; i < COUNT(of_heap); i++)
        if (strlen(of_heap[i]) == len && strncmp(p, of_heap[i], len) == 0)
            out->what = of_heap[i];
    if (out->what == NULL) {
        for (size_t i = 0; i < COUNT(of_class); i++)
            if (strlen(of_class[i]) == len && strncmp(p, of_class[i], len) == 0)
                out->what = of_class[i];
        /* A class may have brackets in its name: "(array)". */
        const char *end = strrchr(p, ')');
        if (out->what == NULL || p[len] != '(' || end == NULL || end <= p + len + 1)
            return false;
        out->class = strndup(p + len + 1, (size_t)(end - p - (ptrdiff_t)len - 1));
        len = (size_t)(end + 1 - p);
    }
    p = skip_blanks(p + len);
    len = strspn(p, "<>=");
    if (len == 0 || len > 2 || (len == 1 && *p == '=') || (len == 2 && p[1] != '='))
        return false;
    memcpy(out->op, p, len);
    return units_read_bytes(skip_blanks(p + len), &out->limit);
}

/* Tells how one turned out. False: out of memory. */
static bool
judge(const struct heap_run *run, const char *text, const struct condition *c, bool first,
    bool *out_holds)
{
    int64_t value = 0;

    if (!measure(run, c, &value))
        return false;
    *out_holds = compare(value, c->op, c->limit);
    if (run->options.json) {
        out_printf(out(), "%s{\"condition\":", first ? "[" : ",");
        heap_put_json(text);
        out_printf(out(), ",\"holds\":%s,\"value\":%lld}", *out_holds ? "true" : "false",
            (long long)value);
    } else {
        out_printf(out(), "%s  %s: it is %lld\n", *out_holds ? "ok  " : "FAIL", text,
            (long long)value);
    }
    return true;
}

int
heap_assert(struct heap_run *run)
{
    int outcome = OUTCOME_OK;

    for (size_t i = 0; i < run->word_count; i++) {
        struct condition c;
        bool holds = false;
        if (!read_condition(run->words[i], &c))
            outcome = complain(OUTCOME_USAGE,
                "heap assert: %s: expected count(CLASS) < 10 or the like; see glovebox heap "
                "--help",
                run->words[i]);
        else if (!judge(run, run->words[i], &c, i == 0, &holds))
            outcome = heap_no_memory();
        else if (!holds)
            outcome = HEAP_FAILED;
        free(c.class);
        if (outcome != OUTCOME_OK && outcome != HEAP_FAILED)
            return outcome;
    }
    out_text(out(), run->options.json ? "]\n" : "");
    return outcome;
}
