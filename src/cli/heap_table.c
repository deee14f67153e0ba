#include "cli/heap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NAME_COLUMNS = 90, /* of a name in a table */
    CELL_TEXT = 48     /* bytes of a number as text */
};

int
heap_no_memory(void)
{
    return complain(OUTCOME_SYSTEM, "out of memory");
}

char *
heap_name(const gbx_heap *heap, uint32_t number,
    uint64_t (*name)(const gbx_heap *, uint32_t, char *, uint64_t))
{
    uint64_t len = name(heap, number, NULL, 0);
    char *text = malloc(len + 1);

    if (text != NULL) {
        (void)name(heap, number, text, len + 1);
        /* A NUL that a guest named something by would end it. */
        for (uint64_t i = 0; i < len; i++)
            if (text[i] == '\0')
                text[i] = ' ';
    }
    return text;
}

char *
heap_text_of(struct buf *text)
{
    buf_byte(text, '\0');
    if (text->failed)
        buf_done(text);
    return (char *)text->p;
}

bool
heap_ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n >= m && strcmp(text + n - m, end) == 0;
}

bool
heap_is_wanted(const struct heap_run *run, const char *name)
{
    return run->options.filter == NULL || strcasestr(name, run->options.filter) != NULL;
}

/* --- cells ------------------------------------------------------------------------------ */

static struct cell *
next_cell(struct table *t)
{
    if (t->count == t->capacity) {
        size_t capacity = t->capacity == 0 ? 256 : t->capacity * 2;
        struct cell *cells = realloc(t->cells, capacity * sizeof *cells);
        if (cells == NULL) {
            t->failed = true;
            return NULL;
        }
        t->cells = cells;
        t->capacity = capacity;
    }
    t->cells[t->count] = (struct cell){ 0, NULL };
    return &t->cells[t->count++];
}

void
table_number(struct table *t, int64_t number)
{
    struct cell *cell = t->failed ? NULL : next_cell(t);

    if (cell != NULL)
        cell->number = number;
}

void
table_text(struct table *t, char *text)
{
    struct cell *cell = t->failed || text == NULL ? NULL : next_cell(t);

    t->failed |= text == NULL;
    if (cell != NULL)
        cell->text = text;
    else
        free(text);
}

struct order {
    size_t column, text;
};

static int
compare_rows(const void *a, const void *b, void *data)
{
    const struct order *o = data;
    const struct cell *x = (const struct cell *)a + o->column,
                      *y = (const struct cell *)b + o->column;

    if (x->text != NULL && y->text != NULL)
        return strcmp(x->text, y->text);
    return x->number > y->number ? -1 : x->number < y->number;
}

bool
table_sort(struct table *t, const char *sort)
{
    struct order order = { 0, 0 };

    if (sort == NULL)
        return true;
    while (order.column < t->column_count && strcmp(t->columns[order.column].key, sort) != 0)
        order.column++;
    if (order.column == t->column_count)
        return false;
    if (!t->failed && t->count > 0)
        qsort_r(t->cells, t->count / t->column_count, t->column_count * sizeof *t->cells,
            compare_rows, &order);
    return true;
}

/* --- text ------------------------------------------------------------------------------- */

void
heap_put_json(const char *text)
{
    out_text(out(), "\"");
    for (const char *p = text; *p != '\0';) {
        size_t n = 0;
        while (p[n] != '\0' && (unsigned char)p[n] >= ' ' && p[n] != '"' && p[n] != '\\' &&
               p[n] != 0x7F)
            n++;
        out_printf(out(), "%.*s", (int)n, p);
        p += n;
        if (*p != '\0')
            out_printf(out(), "\\u%04x", (unsigned char)*p++);
    }
    out_text(out(), "\"");
}

/* Whether a C1 control character, or one that changes the direction of text, begins here. */
static bool
is_unfit(const unsigned char *p)
{
    return (p[0] == 0xC2 && p[1] < 0xA0) ||
           (p[0] == 0xE2 && ((p[1] == 0x80 && p[2] >= 0xA8 && p[2] <= 0xAE) ||
                                (p[1] == 0x81 && p[2] >= 0xA6 && p[2] <= 0xA9)));
}

/* Bytes of the character that begins at `p`. */
static size_t
character_bytes(const unsigned char *p)
{
    return *p < 0xC0 ? 1 : *p < 0xE0 ? 2 : *p < 0xF0 ? 3 : 4;
}

size_t
heap_text_columns(const char *text, size_t columns)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t used = 0;

    for (size_t at = 0; *p != '\0' && at < columns; at++) {
        used += *p == '\n' || *p == '\t' ? 2 : 1;
        for (size_t n = character_bytes(p); n > 0 && *p != '\0'; n--)
            p++;
    }
    return used + (*p != '\0');
}

void
heap_put_text(const char *text, size_t columns)
{
    const unsigned char *p = (const unsigned char *)text;

    for (size_t at = 0; *p != '\0' && at < columns; at++) {
        size_t n = character_bytes(p);
        if (*p < ' ' || *p == 0x7F || is_unfit(p))
            out_text(out(), *p == '\n' ? "\\n" : *p == '\t' ? "\\t" : "\xEF\xBF\xBD");
        else
            out_printf(out(), "%.*s", (int)n, (const char *)p);
        while (n > 0 && *p != '\0') {
            p++;
            n--;
        }
    }
    if (*p != '\0')
        out_text(out(), "\xE2\x80\xA6");
}

/* --- tables ----------------------------------------------------------------------------- */

static void
number_text(enum column_kind kind, int64_t n, char out_cell[CELL_TEXT])
{
    char bytes[UNITS_TEXT];
    uint64_t size = n < 0 ? -(uint64_t)n : (uint64_t)n;

    switch (kind) {
    case COLUMN_BYTES:
        units_show_bytes(size, bytes);
        (void)snprintf(out_cell, CELL_TEXT, "%s", bytes);
        break;
    case COLUMN_DELTA:
        units_show_bytes(size, bytes);
        (void)snprintf(out_cell, CELL_TEXT, "%s%s", n < 0 ? "-" : n > 0 ? "+" : "", bytes);
        break;
    case COLUMN_ID:
        (void)snprintf(out_cell, CELL_TEXT, "@%lld", (long long)n);
        break;
    case COLUMN_DISTANCE:
        if (n == GBX_HEAP_UNREACHED || n >= GBX_HEAP_SYSTEM) {
            (void)snprintf(out_cell, CELL_TEXT, "-");
            break;
        }
        __attribute__((fallthrough));
    default:
        (void)snprintf(out_cell, CELL_TEXT, "%lld", (long long)n);
        break;
    }
}

static void
print_json(const struct table *t, size_t rows)
{
    out_text(out(), "[");
    for (size_t i = 0; i < rows * t->column_count; i++) {
        const struct column *column = &t->columns[i % t->column_count];
        bool first = i % t->column_count == 0;
        out_printf(out(), "%s\"%s\":", first ? (i == 0 ? "\n{" : ",\n{") : ",", column->key);
        if (column->kind == COLUMN_JSON)
            out_text(out(), t->cells[i].text);
        else if (column->kind == COLUMN_TEXT)
            heap_put_json(t->cells[i].text);
        else
            out_printf(out(), "%lld", (long long)t->cells[i].number);
        out_text(out(), (i + 1) % t->column_count == 0 ? "}" : "");
    }
    out_text(out(), "\n]\n");
}

static void
print_row(const struct table *t, const size_t *widths, size_t row)
{
    char text[CELL_TEXT];

    for (size_t c = 0; c < t->column_count; c++) {
        const struct cell *cell = &t->cells[row * t->column_count + c];
        if (t->columns[c].kind == COLUMN_TEXT) {
            heap_put_text(cell->text, NAME_COLUMNS);
        } else {
            number_text(t->columns[c].kind, cell->number, text);
            out_printf(out(), "%*s", (int)widths[c], text);
        }
        out_text(out(), c + 1 < t->column_count ? "  " : "\n");
    }
}

/* Numbers to the right; a text is the last column. */
static void
print_table(const struct table *t, size_t rows)
{
    size_t *widths = calloc(t->column_count, sizeof *widths);
    char text[CELL_TEXT];
    bool bold = out()->terminal && getenv("NO_COLOR") == NULL;

    if (widths == NULL) {
        (void)heap_no_memory();
        return;
    }
    for (size_t c = 0; c < t->column_count; c++) {
        widths[c] = strlen(t->columns[c].title);
        for (size_t row = 0; row < rows && t->columns[c].kind != COLUMN_TEXT; row++) {
            number_text(t->columns[c].kind, t->cells[row * t->column_count + c].number, text);
            widths[c] = strlen(text) > widths[c] ? strlen(text) : widths[c];
        }
    }
    out_text(out(), bold ? "\033[1m" : "");
    for (size_t c = 0; c < t->column_count; c++)
        out_printf(out(), t->columns[c].kind == COLUMN_TEXT ? "%-*s%s" : "%*s%s",
            c + 1 < t->column_count || t->columns[c].kind != COLUMN_TEXT ? (int)widths[c] : 0,
            t->columns[c].title, c + 1 < t->column_count ? "  " : "");
    out_text(out(), bold ? "\033[0m\n" : "\n");
    for (size_t row = 0; row < rows; row++)
        print_row(t, widths, row);
    free(widths);
}

int
table_print(struct table *t, const struct heap_run *run)
{
    size_t all = t->count / t->column_count;
    size_t rows = run->top != 0 && run->top < all ? run->top : all;
    int outcome = OUTCOME_OK;

    if (t->failed) {
        outcome = heap_no_memory();
    } else if (!table_sort(t, run->options.sort)) {
        outcome = complain(
            OUTCOME_USAGE, "heap: --sort %s: there is no such column", run->options.sort);
    } else if (run->options.json) {
        print_json(t, rows);
    } else {
        print_table(t, rows);
        if (rows < all)
            out_printf(out(), "... %zu more: --top 0 shows all\n", all - rows);
    }
    for (size_t i = 0; i < t->count; i++)
        free(t->cells[i].text);
    free(t->cells);
    *t = (struct table){ .columns = t->columns, .column_count = t->column_count };
    return outcome;
}
