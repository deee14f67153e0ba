/* cmd_heap_trend.c - glovebox heap trend: sizes over a series of snapshots, one open at a time. */
#include "base/check.h"
#include "cli/heap.h"

#include <dirent.h>
#include <errno.h>
#include <glovebox/heap_series.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct file {
    char *path;
    struct timespec changed;
};

struct files {
    struct file *items;
    size_t count, capacity;
};

static void
files_done(struct files *files)
{
    for (size_t i = 0; i < files->count; i++)
        free(files->items[i].path);
    free(files->items);
}

static int
compare_files(const void *a, const void *b)
{
    const struct file *x = a, *y = b;

    if (x->changed.tv_sec != y->changed.tv_sec)
        return x->changed.tv_sec < y->changed.tv_sec ? -1 : 1;
    if (x->changed.tv_nsec != y->changed.tv_nsec)
        return x->changed.tv_nsec < y->changed.tv_nsec ? -1 : 1;
    return strcmp(x->path, y->path);
}

/* Takes the path over. */
static int
add_file(struct files *files, char *path, struct timespec changed)
{
    if (path != NULL && files->count == files->capacity) {
        size_t capacity = files->capacity == 0 ? 16 : files->capacity * 2;
        struct file *items = realloc(files->items, capacity * sizeof *items);
        if (items == NULL) {
            free(path);
            return heap_no_memory();
        }
        files->items = items;
        files->capacity = capacity;
    }
    if (path == NULL)
        return heap_no_memory();
    files->items[files->count++] = (struct file){ path, changed };
    return OUTCOME_OK;
}

static bool
is_snapshot(const char *name)
{
    return heap_ends_with(name, ".heapsnapshot") || heap_ends_with(name, ".heapsnapshot.zst");
}

/* Its snapshots, the oldest first. */
static int
add_directory(struct files *files, const char *path, DIR *directory)
{
    size_t before = files->count;
    int outcome = OUTCOME_OK;
    struct dirent *entry;

    while (outcome == OUTCOME_OK && (entry = readdir(directory)) != NULL) {
        struct stat st;
        struct buf name = { .max = UINT32_MAX };
        if (!is_snapshot(entry->d_name) ||
            fstatat(dirfd(directory), entry->d_name, &st, 0) != 0 || !S_ISREG(st.st_mode))
            continue;
        buf_printf(&name, "%s/%s", path, entry->d_name);
        buf_byte(&name, '\0');
        outcome = add_file(files, name.failed ? NULL : (char *)name.p, st.st_mtim);
    }
    if (outcome == OUTCOME_OK && files->count == before)
        return complain(OUTCOME_INPUT, "%s: there is no .heapsnapshot in it", path);
    if (files->count > before)
        qsort(
            files->items + before, files->count - before, sizeof *files->items, compare_files);
    return outcome;
}

static int
find_files(const struct heap_run *run, struct files *files)
{
    int outcome = OUTCOME_OK;

    for (size_t i = 0; i < run->file_count && outcome == OUTCOME_OK; i++) {
        DIR *directory = opendir(run->files[i]);
        if (directory == NULL) { /* a file; if it is not there, opening it says so */
            outcome = add_file(files, strdup(run->files[i]), (struct timespec){ 0 });
            continue;
        }
        outcome = add_directory(files, run->files[i], directory);
        (void)closedir(directory);
    }
    return outcome;
}

/* --- what is shown ---------------------------------------------------------------------- */

/* Numbers as JSON, or as bars from the least to the most. */
static char *
points_text(const gbx_heap_trend *row, uint32_t count, size_t field)
{
    struct buf text = { .max = UINT32_MAX };

    buf_byte(&text, '[');
    for (uint32_t i = 0; i < count; i++) {
        uint64_t n;
        memcpy(&n, (const char *)&row->points[i] + field, sizeof n);
        buf_printf(&text, "%s%llu", i > 0 ? "," : "", (unsigned long long)n);
    }
    buf_text(&text, "]");
    return heap_text_of(&text);
}

static void
put_bars(const gbx_heap_trend *row, uint32_t count, struct buf *text)
{
    uint64_t least = UINT64_MAX, most = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint64_t n = row->points[i].retained;
        least = n < least ? n : least;
        most = n > most ? n : most;
    }
    for (uint32_t i = 0; i < count; i++) {
        double share = most == least
                           ? 0
                           : (double)(row->points[i].retained - least) / (double)(most - least);
        /* U+2581 to U+2588: an eighth of the line, to all of it. */
        uint8_t bar[] = { 0xE2, 0x96, (uint8_t)(0x81 + (int)(share * 7)) };
        buf_append(text, bar, sizeof bar);
    }
}

static void
add_row(const struct heap_run *run, struct table *t, const gbx_heap_trend *row, uint32_t count,
    char *name)
{
    table_number(t, row->slope);
    table_number(t, (int64_t)row->points[0].retained);
    table_number(t, (int64_t)row->points[count - 1].retained);
    if (run->options.json) {
        table_text(t, points_text(row, count, offsetof(gbx_heap_point, count)));
        table_text(t, points_text(row, count, offsetof(gbx_heap_point, shallow)));
        table_text(t, points_text(row, count, offsetof(gbx_heap_point, retained)));
        table_number(t, row->script);
        table_number(t, row->line);
        table_number(t, row->column);
        table_text(t, name);
        return;
    }
    struct buf text = { .max = UINT32_MAX };
    put_bars(row, count, &text);
    buf_printf(&text, "  %s", name);
    free(name);
    table_text(t, heap_text_of(&text));
}

static int
print_rows(struct heap_run *run, gbx_heap_series *series)
{
    static const struct column columns[] = { { "slope", "a snapshot", COLUMN_DELTA },
        { "first", "first", COLUMN_BYTES }, { "last", "last", COLUMN_BYTES },
        { "class", "retained, and class", COLUMN_TEXT } };
    static const struct column more[] = { { "slope", "", COLUMN_DELTA },
        { "first", "", COLUMN_BYTES }, { "last", "", COLUMN_BYTES },
        { "count", "", COLUMN_JSON }, { "shallow", "", COLUMN_JSON },
        { "retained", "", COLUMN_JSON }, { "script", "", COLUMN_COUNT },
        { "line", "", COLUMN_COUNT }, { "column", "", COLUMN_COUNT },
        { "class", "", COLUMN_TEXT } };
    bool json = run->options.json;
    struct table t = { .columns = json ? more : columns,
        .column_count = json ? COUNT(more) : COUNT(columns) };
    const gbx_heap_trend *rows = NULL;
    uint32_t count = 0, points = 0;

    if (gbx_heap_series_trends(series, &rows, &count, &points) != GBX_OK)
        return heap_no_memory();
    for (uint32_t i = 0; i < count; i++) {
        uint64_t len = gbx_heap_series_name(series, rows[i].class_index, NULL, 0);
        char *name = malloc(len + 1);
        if (name == NULL) {
            t.failed = true;
            break;
        }
        (void)gbx_heap_series_name(series, rows[i].class_index, name, len + 1);
        if (heap_is_wanted(run, name))
            add_row(run, &t, &rows[i], points, name);
        else
            free(name);
    }
    return table_print(&t, run);
}

/* --- the subcommand --------------------------------------------------------------------- */

/* Reads one, tells its sums, and forgets it but for them. */
static int
add_snapshot(struct heap_run *run, gbx_heap_series *series, const char *path, bool first)
{
    gbx_heap *heap = NULL;
    gbx_heap_totals totals;
    char size[UNITS_TEXT];
    int outcome = heap_open(path, &heap);

    if (outcome != OUTCOME_OK)
        return outcome;
    if (gbx_heap_get_totals(heap, &totals) != GBX_OK ||
        gbx_heap_series_add(series, heap) != GBX_OK) {
        gbx_heap_close(heap);
        return heap_no_memory();
    }
    gbx_heap_close(heap);
    if (run->options.json) {
        out_text(out(), first ? "{\"files\":[\n{\"file\":" : ",\n{\"file\":");
        heap_put_json(path);
        out_printf(out(), ",\"nodes\":%u,\"total\":%llu}", totals.nodes,
            (unsigned long long)totals.total);
    } else {
        units_show_bytes(totals.total, size);
        out_printf(out(), "%10s  %9u nodes  ", size, totals.nodes);
        heap_put_text(path, SIZE_MAX);
        out_text(out(), "\n");
    }
    return OUTCOME_OK;
}

int
heap_trend(struct heap_run *run)
{
    struct files files = { NULL, 0, 0 };
    gbx_heap_series *series = NULL;
    int outcome = find_files(run, &files);

    if (outcome == OUTCOME_OK && gbx_heap_series_open(&series) != GBX_OK)
        outcome = heap_no_memory();
    for (size_t i = 0; i < files.count && outcome == OUTCOME_OK; i++)
        outcome = add_snapshot(run, series, files.items[i].path, i == 0);
    if (outcome == OUTCOME_OK) {
        out_text(out(), run->options.json ? "\n],\"classes\":" : "\n");
        outcome = print_rows(run, series);
        out_text(out(), run->options.json ? "}\n" : "");
    }
    gbx_heap_series_close(series);
    files_done(&files);
    return outcome;
}
