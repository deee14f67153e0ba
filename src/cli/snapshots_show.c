/* snapshots_show.c - what a store holds, for people and as JSON. */
#include "base/check.h"
#include "cli/json.h"
#include "cli/snapshots.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    LARGEST = 3,    /* classes of a row */
    NAME_BYTES = 24 /* of their names */
};

static const char *
reason_name(uint32_t reason)
{
    static const char *const names[] = { [GBX_STORE_UNKNOWN] = "unknown",
        [GBX_STORE_ADDED] = "added",
        [GBX_STORE_ASKED] = "asked",
        [GBX_STORE_TIME] = "time",
        [GBX_STORE_GROWTH] = "growth",
        [GBX_STORE_LIMIT] = "limit" };

    return reason < COUNT(names) ? names[reason] : "unknown";
}

static void
write_time(uint64_t us, bool local, char out[32])
{
    time_t seconds = (time_t)(us / 1000000);
    struct tm tm;

    if ((local ? localtime_r(&seconds, &tm) : gmtime_r(&seconds, &tm)) == NULL ||
        strftime(out, 32, local ? "%Y-%m-%d %H:%M:%S" : "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        out[0] = '\0';
}

/* What the index has; in a list of a store that cannot be written, nothing is read for it. False:
 * there is none, and why is said if `one` was asked for. */
static bool
find_classes(gbx_store *store, const gbx_store_entry *entry, bool one,
    gbx_store_class **out_classes, uint32_t *out_count)
{
    gbx_error error = GBX_ERROR_INIT;

    *out_classes = NULL;
    *out_count = 0;
    if (!one && entry->state != GBX_STORE_READ)
        return false;
    gbx_status status = gbx_store_classes(store, entry->id, out_classes, out_count, &error);
    if (status != GBX_OK)
        (void)complain(0, "%s", error.message);
    return status == GBX_OK;
}

/* --- JSON ------------------------------------------------------------------------------- */

static void
put_classes(struct object *o, const gbx_store_class *classes, uint32_t count)
{
    gbx_value *array = gbx_value_new_array();

    for (uint32_t i = 0; i < count && array != NULL; i++) {
        struct object row = object_new();
        put(&row, "class", gbx_value_new_string(classes[i].name, GBX_NUL));
        put_number(&row, "count", classes[i].count);
        put_number(&row, "shallow", classes[i].shallow);
        put_number(&row, "retained", classes[i].retained);
        o->failed |= row.failed || gbx_value_append(array, row.value) != GBX_OK;
    }
    put(o, "classes", array);
}

/* With all its classes, or in a list with the first. */
static struct object
entry_object(gbx_store *store, const gbx_store_entry *e, bool one, bool *out_found)
{
    struct object o = object_new();
    gbx_store_class *classes;
    uint32_t count;
    char taken[32];

    *out_found = find_classes(store, e, one, &classes, &count);
    write_time(e->taken_us, false, taken);
    put_number(&o, "id", e->id);
    put_text(&o, "label", e->label);
    put_text(&o, "taken", taken);
    put_number(&o, "taken_us", e->taken_us);
    put_text(&o, "reason", reason_name(e->reason));
    put_number(&o, "file_bytes", e->file_bytes);
    put_number(&o, "heap_bytes", e->heap_bytes);
    put_number(&o, "resident_bytes", e->resident_bytes);
    put_number(&o, "nodes", e->nodes);
    put_text(&o, "path", e->path);
    put_bool(&o, "damaged", e->state == GBX_STORE_DAMAGED);
    put_classes(&o, classes, one || count < LARGEST ? count : LARGEST);
    free(classes);
    return o;
}

static int
put_out(char *text)
{
    if (text == NULL)
        return complain(OUTCOME_SYSTEM, "out of memory");
    out_text(out(), text);
    free(text);
    return OUTCOME_OK;
}

static int
list_json(gbx_store *store, const gbx_store_entry *entries, uint32_t count)
{
    int outcome = OUTCOME_OK;

    out_text(out(), "[");
    for (uint32_t i = 0; i < count && outcome == OUTCOME_OK; i++) {
        bool found;
        struct object o = entry_object(store, &entries[i], false, &found);
        out_text(out(), i == 0 ? "\n" : ",\n");
        outcome = put_out(object_text(&o));
    }
    out_text(out(), "\n]\n");
    return outcome;
}

/* --- for people ------------------------------------------------------------------------- */

static void
put_label(const char *label, size_t width)
{
    size_t len = strlen(label);

    out_guest(out(), label, len);
    out_printf(out(), "%*s", len < width ? (int)(width - len) : 0, "");
}

static void
list_row(gbx_store *store, const gbx_store_entry *e, size_t width)
{
    char taken[32], file[UNITS_TEXT], heap[UNITS_TEXT] = "-";
    gbx_store_class *classes;
    uint32_t count;
    (void)find_classes(store, e, false, &classes, &count);

    write_time(e->taken_us, true, taken);
    units_show_bytes(e->file_bytes, file);
    if (e->state == GBX_STORE_READ)
        units_show_bytes(e->heap_bytes, heap);
    out_printf(out(), "%5llu  ", (unsigned long long)e->id);
    put_label(e->label, width);
    out_printf(out(), "  %-19s  %-7s  %9s  %9s  ", taken, reason_name(e->reason), file, heap);
    if (e->state == GBX_STORE_DAMAGED)
        out_text(out(), "damaged");
    /* Those in parentheses are V8's own, and large in every heap. */
    for (uint32_t i = 0, shown = 0; i < count && shown < LARGEST; i++) {
        if (classes[i].name[0] == '(')
            continue;
        out_text(out(), shown++ > 0 ? ", " : "");
        out_guest(out(), classes[i].name, strnlen(classes[i].name, NAME_BYTES));
    }
    out_text(out(), "\n");
    free(classes);
}

int
snapshots_list(gbx_store *store, const gbx_store_entry *entries, uint32_t count, bool json)
{
    size_t width = strlen("label");

    if (json)
        return list_json(store, entries, count);
    for (uint32_t i = 0; i < count; i++)
        width = strlen(entries[i].label) > width ? strlen(entries[i].label) : width;
    out_printf(out(), "   id  %-*s  %-19s  %-7s  %9s  %9s  retain most\n", (int)width, "label",
        "taken", "why", "file", "heap");
    for (uint32_t i = 0; i < count; i++)
        list_row(store, &entries[i], width);
    return OUTCOME_OK;
}

static void
show_text(const gbx_store_entry *e, const gbx_store_class *classes, uint32_t count)
{
    char taken[32], bytes[UNITS_TEXT], shallow[UNITS_TEXT];

    write_time(e->taken_us, true, taken);
    units_show_bytes(e->file_bytes, bytes);
    out_printf(out(), "id      %llu\nlabel   ", (unsigned long long)e->id);
    put_label(e->label, 0);
    out_printf(
        out(), "\ntaken   %s\nwhy     %s\nfile    %s, ", taken, reason_name(e->reason), bytes);
    put_label(e->path, 0);
    out_text(out(), "\n");
    if (e->resident_bytes != 0) {
        units_show_bytes(e->resident_bytes, bytes);
        out_printf(out(), "memory  %s resident\n", bytes);
    }
    if (e->state == GBX_STORE_READ) {
        units_show_bytes(e->heap_bytes, bytes);
        out_printf(out(), "heap    %s in %u nodes\n", bytes, e->nodes);
    }
    if (count > 0)
        out_printf(out(), "\n%9s  %10s  %10s  class\n", "count", "shallow", "retained");
    for (uint32_t i = 0; i < count; i++) {
        units_show_bytes(classes[i].shallow, shallow);
        units_show_bytes(classes[i].retained, bytes);
        out_printf(
            out(), "%9llu  %10s  %10s  ", (unsigned long long)classes[i].count, shallow, bytes);
        put_label(classes[i].name, 0);
        out_text(out(), "\n");
    }
}

int
snapshots_show(gbx_store *store, const gbx_store_entry *e, bool json)
{
    gbx_store_class *classes;
    uint32_t count;
    bool found;

    if (json) {
        struct object o = entry_object(store, e, true, &found);
        int outcome = put_out(object_text(&o));
        out_text(out(), "\n");
        return outcome != OUTCOME_OK || found ? outcome : OUTCOME_INPUT;
    }
    found = find_classes(store, e, true, &classes, &count);
    show_text(e, classes, count);
    free(classes);
    return found ? OUTCOME_OK : OUTCOME_INPUT;
}
