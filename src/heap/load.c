/* load.c - a snapshot's file into columns. */
#include "heap/load.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

/* --- rows ------------------------------------------------------------------------------- */

/* The record that a window's end, or a number past 32 bits, has cut in two. */
struct row {
    uint32_t part[HEAP_FIELDS_MAX];
    uint32_t have, fields;
    int32_t wide;
    take_records take;
    bool after_number;
};

/* Where the number `at` of those that begin at `from` stands. */
static const uint8_t *
place_of(const uint8_t *from, const uint8_t *end, size_t at)
{
    const uint8_t *p = from;

    for (; at > 0 && p < end; p++)
        at -= *p == ',' ? 1 : 0;
    return p;
}

/* Hands on what was read of a window: the record that was begun, whole ones, and what is left. */
static bool
hand_on(struct load *l, struct row *row, size_t count, const uint8_t *from)
{
    const uint32_t *numbers = l->numbers;
    struct bad bad = { 0, NULL };
    size_t at = 0;
    bool ok = true;

    if (row->have > 0) {
        while (row->have < row->fields && at < count)
            row->part[row->have++] = numbers[at++];
        if (row->have < row->fields)
            return true;
        ok = row->take(l, row->part, 1, &bad);
        /* What is wrong may stand in the window before: its place is then its record's end. */
        bad.at = at == 0 ? 0 : at - 1;
        row->have = 0;
    }
    size_t records = (count - at) / row->fields;
    if (ok && records > 0) {
        ok = row->take(l, numbers + at, records, &bad);
        bad.at += at;
        at += records * row->fields;
    }
    if (!ok)
        return reader_fail(l->r, place_of(from, l->r->end, bad.at), "%s", bad.why);
    while (at < count)
        row->part[row->have++] = numbers[at++];
    return true;
}

/* A number past 32 bits is next: it is taken if its field may have it. */
static bool
take_wide(struct load *l, struct row *row)
{
    uint64_t number = 0;
    const uint8_t *from = l->r->p;

    if ((int32_t)row->have != row->wide)
        return reader_fail(l->r, from, "a number that is too large");
    if (!reader_number(l->r, &number))
        return false;
    l->wide = number;
    row->part[row->have++] = UINT32_MAX;
    row->after_number = true;
    return row->have < row->fields || hand_on(l, row, 0, from);
}

/* What of the window is whole: up to the row's end, or behind its last comma. NULL: nothing yet. */
static const uint8_t *
find_limit(const struct reader *r, bool *out_last)
{
    const uint8_t *end = memchr(r->p, ']', (size_t)(r->end - r->p));

    *out_last = end != NULL;
    if (end != NULL)
        return end;
    end = memrchr(r->p, ',', (size_t)(r->end - r->p));
    return end == NULL ? NULL : end + 1;
}

/* One window's piece. False: failed. */
static bool
read_piece(struct load *l, struct row *row, const uint8_t *limit)
{
    struct reader *r = l->r;

    for (;;) {
        struct integers in = {
            .p = r->p, .limit = limit, .out = l->numbers, .after_number = row->after_number
        };
        enum integers_end end = l->read(&in);
        const uint8_t *from = r->p;
        row->after_number = in.after_number;
        if (end == INTEGERS_BAD)
            return reader_fail(r, in.p, "expected a number, a comma or ]");
        if (!hand_on(l, row, in.count, from))
            return false;
        r->p = in.p;
        if (end == INTEGERS_DONE)
            return true;
        if (!take_wide(l, row))
            return false;
    }
}

bool
load_row(struct load *l, uint32_t fields, int32_t wide, take_records take)
{
    struct row row = { .fields = fields, .wide = wide, .take = take };
    struct reader *r = l->r;
    bool last = false;

    if (!reader_expect(r, '['))
        return false;
    if (reader_accept(r, ']'))
        return true;
    while (!last) {
        const uint8_t *limit = find_limit(r, &last);
        if (limit == NULL) {
            if (!reader_fill(r))
                return reader_fail(r, r->end, "the file ends, or a number has no end");
            continue;
        }
        if (!read_piece(l, &row, limit))
            return false;
        if (!last && !reader_fill(r))
            return reader_fail(r, r->end, "the file ends inside the section");
    }
    if (!row.after_number)
        return reader_fail(r, r->p, "expected a number before ]");
    if (row.have != 0)
        return reader_fail(r, r->p, "the last record is cut");
    r->p++;
    return true;
}

/* --- sections --------------------------------------------------------------------------- */

enum {
    SECTION_SNAPSHOT,
    SECTION_NODES,
    SECTION_EDGES,
    SECTION_LOCATIONS,
    SECTION_STRINGS,
    SECTION_COUNT
};

static const char *const section_names[SECTION_COUNT] = { "snapshot", "nodes", "edges",
    "locations", "strings" };

static bool
has(const struct load *l, int section)
{
    return (l->seen >> section & 1) != 0;
}

static bool
read_section(struct load *l, int section)
{
    if (section != SECTION_SNAPSHOT && section != SECTION_STRINGS && !has(l, SECTION_SNAPSHOT))
        return reader_fail(l->r, l->r->p, "comes before the section snapshot");
    switch (section) {
    case SECTION_SNAPSHOT:
        return load_header(l);
    case SECTION_NODES:
        return load_nodes(l);
    case SECTION_EDGES:
        return load_edges(l);
    case SECTION_LOCATIONS:
        return load_locations(l);
    default:
        return strings_read(&l->heap->strings, l->r);
    }
}

static bool
read_member(struct load *l)
{
    char key[READER_WORD];
    int section = 0;

    if (!reader_word(l->r, key) || !reader_expect(l->r, ':'))
        return false;
    while (section < SECTION_COUNT && strcmp(key, section_names[section]) != 0)
        section++;
    if (section == SECTION_COUNT)
        return reader_begin(l->r, "unknown section") && reader_skip(l->r);
    if (!reader_begin(l->r, section_names[section]))
        return false;
    if (has(l, section))
        return reader_fail(l->r, l->r->p, "the section comes twice");
    bool ok = read_section(l, section);
    l->seen |= 1u << section;
    return ok;
}

static bool
read_file(struct load *l)
{
    struct reader *r = l->r;

    if (!reader_expect(r, '{'))
        return false;
    do {
        if (!read_member(l))
            return false;
        r->section = "end";
    } while (reader_accept(r, ','));
    if (!reader_expect(r, '}'))
        return false;
    if (reader_peek(r) >= 0)
        return reader_fail(r, r->p, "something follows the snapshot");
    for (int i = 0; i < SECTION_COUNT; i++)
        if (!has(l, i) && i != SECTION_LOCATIONS)
            return reader_fail(r, r->p, "the section %s is missing", section_names[i]);
    return r->status == GBX_OK && load_check(l);
}

bool
heap_load(struct gbx_heap *h, struct reader *r)
{
    struct load load = { .heap = h, .r = r, .read = integers_best() };

    load.numbers = malloc((HEAP_WINDOW_BYTES / 2 + INTEGERS_SPARE) * sizeof *load.numbers);
    if (load.numbers == NULL)
        return reader_no_memory(r);
    bool ok = read_file(&load);
    free(load.numbers);
    h->file_bytes = reader_offset(r, r->p);
    h->file_strings = h->strings.count;
    return ok;
}
