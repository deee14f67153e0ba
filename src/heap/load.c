/* load.c - a snapshot's file into columns. */
#include "heap/load.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

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
heap_load(struct gbx_heap *h, struct reader *r, const gbx_heap_options *options)
{
    struct load load = { .heap = h,
        .r = r,
        .read = integers_best(),
        .may_thread = (options->flags & GBX_HEAP_ONE_THREAD) == 0 };
    bool ok = read_file(&load);

    h->file_bytes = reader_offset(r, r->p);
    h->file_strings = h->strings.count;
    return ok;
}
