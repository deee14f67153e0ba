/* heap_report_texts.c - the texts of a page: each once, escaped, and bounded all together.
 *
 * They are what guests named things: JSON inside a script element of HTML has to survive them.
 */
#include "base/limits.h"
#include "cli/heap_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NAME_BYTES = 512, /* of a name that is looked at; what is shown is less */
    FIRST_PLACES = 1024
};

/* Bytes of one text in JSON, by how many all have by now. */
static const struct room {
    size_t until, bytes;
} rooms[] = { { REPORT_TEXTS_BYTES / 2, 200 }, { REPORT_TEXTS_BYTES * 7 / 8, 40 },
    { REPORT_TEXTS_BYTES, 8 } };

static size_t
room_of(const struct report_texts *t)
{
    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++)
        if (t->json.len < rooms[i].until)
            return rooms[i].bytes;
    return 0;
}

/* Bytes of the character there; 0: none begins there. */
static size_t
character(const uint8_t *p, size_t left)
{
    uint32_t first = p[0], n = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;

    if ((first >= 0x80 && first < 0xC2) || first > 0xF4 || n > left)
        return 0;
    for (uint32_t i = 1; i < n; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    /* Longer than need be, surrogates, and past the last. */
    if ((first == 0xE0 && p[1] < 0xA0) || (first == 0xED && p[1] > 0x9F) ||
        (first == 0xF0 && p[1] < 0x90) || (first == 0xF4 && p[1] > 0x8F))
        return 0;
    return n;
}

/* Appends a text as JSON, no longer than there is room. False: it was cut. */
static bool
escape(struct buf *out, const uint8_t *p, size_t len, size_t room)
{
    size_t end = out->len + room;

    while (len > 0) {
        char piece[8];
        size_t n = character(p, len), size;
        if (n == 0)
            size = (size_t)snprintf(piece, sizeof piece, "\xEF\xBF\xBD");
        else if (n > 1 || (p[0] >= ' ' && strchr("\"\\<>&\x7F", p[0]) == NULL))
            size = (size_t)snprintf(piece, sizeof piece, "%.*s", (int)n, (const char *)p);
        else
            size = (size_t)snprintf(piece, sizeof piece, "\\u%04x", p[0]);
        if (out->len + size > end)
            return false;
        buf_append(out, piece, size);
        p += n == 0 ? 1 : n;
        len -= n == 0 ? 1 : n;
    }
    return true;
}

static uint32_t
hash_of(const uint8_t *p, size_t len)
{
    uint32_t hash = 2166136261;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ p[i]) * 16777619;
    return hash;
}

/* Where the `len` bytes at `at` are, or would be. */
static struct place *
find(const struct report_texts *t, struct place *places, uint32_t capacity, uint32_t at,
    uint32_t len)
{
    const uint8_t *p = t->json.p + at;
    uint32_t i = hash_of(p, len) & (capacity - 1);

    while (places[i].len != 0 &&
           (places[i].len != len || memcmp(t->json.p + places[i].at, p, len) != 0))
        i = (i + 1) & (capacity - 1);
    return &places[i];
}

/* Room for one more. */
static bool
grow(struct report_texts *t)
{
    uint32_t capacity = t->capacity == 0 ? FIRST_PLACES : t->capacity * 2;

    if (t->count < t->capacity / 2)
        return true;
    struct place *places = calloc(capacity, sizeof *places);
    if (places == NULL)
        return false;
    for (uint32_t i = 0; i < t->capacity; i++)
        if (t->places[i].len != 0)
            *find(t, places, capacity, t->places[i].at, t->places[i].len) = t->places[i];
    free(t->places);
    t->places = places;
    t->capacity = capacity;
    return true;
}

static uint32_t
add(struct report_texts *t, const char *text, size_t len, bool whole)
{
    t->json.max = UINT32_MAX;
    size_t before = t->json.len, room = room_of(t);

    buf_text(&t->json, before == 0 ? "\"" : ",\"");
    size_t at = before == 0 ? 0 : before + 1;
    whole = escape(&t->json, (const uint8_t *)text, len, room) && whole;
    buf_text(&t->json, whole ? "\"" : "\xE2\x80\xA6\"");
    if (t->json.failed || !grow(t)) {
        t->failed = true;
        return 0;
    }
    struct place *place =
        find(t, t->places, t->capacity, (uint32_t)at, (uint32_t)(t->json.len - at));
    if (place->len != 0) {
        t->json.len = before;
        return place->number;
    }
    t->cut += !whole;
    *place = (struct place){ (uint32_t)at, (uint32_t)(t->json.len - at), t->count };
    return t->count++;
}

uint32_t
report_add_text(struct report_texts *t, const char *text, size_t len)
{
    return add(t, text, len, true);
}

uint32_t
report_add_name(struct report_texts *t, const gbx_heap *heap, uint32_t number,
    uint64_t (*name)(const gbx_heap *, uint32_t, char *, uint64_t))
{
    char text[NAME_BYTES] = { 0 };
    uint64_t len = name(heap, number, text, sizeof text);
    bool whole = len < sizeof text;

    if (!whole) /* it ends before a character that has no room */
        for (len = sizeof text - 1; len > sizeof text - 4 && text[len - 1] == '\0';)
            len--;
    return add(t, text, (size_t)len, whole);
}

void
report_texts_done(struct report_texts *t)
{
    buf_done(&t->json);
    free(t->places);
}
