/* report.c - how a run ended, for people. */
#include "cli/run.h"

#include "base/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- where it happened ------------------------------------------------------------------ */

enum {
    EXCERPT_BYTES = 76, /* of a longer line, shown */
    EXCERPT_BEFORE = 50 /* of them before the place, at most */
};

static const struct source *
source_named(const struct run *run, const char *name)
{
    for (size_t i = 0; i < run->options.preload.count; i++)
        if (strcmp(run->preloads[i].name, name) == 0)
            return &run->preloads[i];
    return run->program.name != NULL && strcmp(run->program.name, name) == 0 ? &run->program
                                                                             : NULL;
}

/* The line as it stands in our own copy of the file, which is all of it; else what was sent. */
static struct span
line_of(const struct run *run)
{
    const gbx_error *error = &run->error;
    const struct source *source = source_named(run, error->file);

    if (source == NULL)
        return span_text(error->source_line);
    const uint8_t *p = source->text.p, *end = p + source->text.len;
    for (uint32_t line = 1; line < error->line && p != NULL; line++) {
        p = memchr(p, '\n', (size_t)(end - p));
        p = p == NULL ? NULL : p + 1;
    }
    if (p == NULL)
        return span_text(error->source_line);
    const uint8_t *newline = memchr(p, '\n', (size_t)(end - p));
    return span_of(p, (size_t)((newline != NULL ? newline : end) - p));
}

static bool
inside_character(uint8_t byte)
{
    return (byte & 0xC0) == 0x80;
}

/* Where a column is: in bytes, from 0. V8 counts UTF-16 units: two past U+FFFF. */
static size_t
offset_of_column(struct span line, uint32_t column)
{
    size_t at = 0;

    for (uint32_t units = 1; units < column && at < line.len;) {
        units += line.p[at] >= 0xF0 ? 2 : 1;
        for (at++; at < line.len && inside_character(line.p[at]); at++)
            ;
    }
    return at;
}

/* The line, or the part of it around the place, and a caret below. */
static void
show_place(struct span line, uint32_t column)
{
    size_t at = offset_of_column(line, column), start = 0;

    if (line.len > EXCERPT_BYTES && at > EXCERPT_BEFORE)
        start = at - EXCERPT_BEFORE;
    while (start < line.len && inside_character(line.p[start]))
        start++;
    size_t end = line.len - start > EXCERPT_BYTES ? start + EXCERPT_BYTES : line.len;
    while (end < line.len && inside_character(line.p[end]))
        end++;
    if (end > start && line.p[end - 1] == '\r')
        end--;
    out_text(err(), "    ");
    out_guest(err(), (const char *)line.p + start, end - start);
    out_text(err(), "\n    ");
    for (size_t i = start; i < at; i++)
        if (!inside_character(line.p[i]))
            out_text(err(), line.p[i] == '\t' ? "\t" : " ");
    out_text(err(), "^\n");
}

static void
show_line(const char *text)
{
    if (text[0] == '\0')
        return;
    out_guest(err(), text, strlen(text));
    out_text(err(), "\n");
}

/* --- what happened ---------------------------------------------------------------------- */

/* What an error has as its own stack, which begins with its name and message; "" for none. */
static const char *
stack_of(const gbx_value *error, size_t *out_len)
{
    const char *stack = "";

    *out_len = 0;
    return gbx_value_get_string(gbx_value_get(error, "stack", GBX_NUL), &stack, out_len) ==
                   GBX_OK
               ? stack
               : "";
}

/* An error has a cause, a code or the like, besides what its stack begins with. */
static bool
has_more(const gbx_value *error)
{
    static const char *const texts[] = { "name", "message", "stack" };
    size_t others = gbx_value_length(error);

    for (size_t i = 0; i < COUNT(texts); i++)
        others -= gbx_value_get(error, texts[i], GBX_NUL) != NULL;
    return others > 0;
}

/* Anything may be thrown, and some of it cannot be copied. An error with more than its texts shows
 * that. */
static void
show_thrown(const struct run *run)
{
    const gbx_error *error = &run->error;
    bool is_error = gbx_value_get_kind(run->thrown) == GBX_ERROR;
    const char *stack = error->stack;
    size_t len = strlen(stack);
    char *text = NULL;

    if (is_error && !has_more(run->thrown))
        stack = stack_of(run->thrown, &len);
    else if (run->thrown != NULL &&
             gbx_value_to_text(run->thrown, NULL, &text, &len) == GBX_OK) {
        stack = text;
        out_text(err(), is_error ? "" : "thrown: ");
    }
    if (len > 0) {
        out_guest(err(), stack, len);
        out_text(err(), "\n");
    } else {
        out_text(err(), error->name);
        out_text(err(), error->name[0] != '\0' ? ": " : "");
        show_line(error->message);
    }
    free(text);
}

static void
report_exception(const struct run *run)
{
    const gbx_error *error = &run->error;

    if (error->file[0] != '\0') {
        out_guest(err(), error->file, strlen(error->file));
        out_printf(err(), ":%u:%u\n", error->line, error->column);
        show_place(line_of(run), error->column);
    }
    show_thrown(run);
}

/* "past --timeout 2s: ...". */
static void
report_limit(const struct run *run, const char *flag)
{
    const gbx_error *error = &run->error;
    bool bytes = run->outcome == OUTCOME_MEMORY;
    char limit[UNITS_TEXT], measured[UNITS_TEXT];

    (bytes ? units_write_bytes : units_write_time)(error->limit, limit);
    (bytes ? units_show_bytes : units_show_time)(error->measured, measured);
    if (error->measured != 0)
        (void)complain(run->outcome, "past --%s %s, measured %s: %s", flag, limit, measured,
            error->message);
    else
        (void)complain(run->outcome, "past --%s %s: %s", flag, limit, error->message);
    show_line(error->stack);
}

void
report_text(const struct run *run)
{
    switch (run->outcome) {
    case OUTCOME_OK:
        break;
    case OUTCOME_THREW:
        report_exception(run);
        break;
    case OUTCOME_TIMEOUT:
        report_limit(run, "timeout");
        break;
    case OUTCOME_CPU:
        report_limit(run, "cpu");
        break;
    case OUTCOME_MEMORY:
        report_limit(run, "memory");
        break;
    case OUTCOME_CLONE:
        (void)complain(run->outcome, "no result to show: %s", run->error.message);
        break;
    case OUTCOME_OUTPUT:
        /* A reader that has gone wants no message. */
        if (out()->os_errno != EPIPE)
            (void)complain(run->outcome, "%s", run->error.message);
        break;
    default:
        (void)complain(run->outcome, "%s", run->error.message);
        show_line(run->error.stack);
    }
}

/* --- what it cost ----------------------------------------------------------------------- */

static uint64_t
heap_number(const struct run *run, const char *name)
{
    double number = 0;

    if (run->costs.heap == NULL ||
        gbx_value_get_number(gbx_value_get(run->costs.heap, name, GBX_NUL), &number) != GBX_OK)
        return 0;
    return number > 0 && number < 1e18 ? (uint64_t)number : 0; /* a claim of the cell */
}

static void
show_bytes(const char *label, uint64_t bytes, const char *rest)
{
    char text[UNITS_TEXT];

    units_show_bytes(bytes, text);
    out_printf(err(), "%s%s%s", label, text, rest);
}

void
report_stats(const struct run *run)
{
    const struct costs *c = &run->costs;
    char wall[UNITS_TEXT], cpu[UNITS_TEXT];

    units_show_time(c->wall_us, wall);
    units_show_time(c->cpu_us, cpu);
    out_printf(err(), "wall      %s\ncpu       %s\n", wall, cpu);
    show_bytes("memory    ", c->resident_bytes, " resident, what cells share included\n");
    if (c->heap != NULL) {
        show_bytes("heap      ", heap_number(run, "heapUsed"), " used of ");
        show_bytes("", run->options.memory_bytes, ", ");
        show_bytes("", heap_number(run, "external"), " outside of it");
        out_printf(
            err(), ", %llu collections\n", (unsigned long long)heap_number(run, "collections"));
    }
    if (run->snapshot_bytes != 0) {
        units_show_time(run->snapshot_us, wall);
        show_bytes("snapshot  ", run->snapshot_bytes, " in ");
        out_printf(err(), "%s\n", wall);
    }
}
