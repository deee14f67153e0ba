/* pairs.c - the names of WeakMap edges.
 *
 * A value of a WeakMap has two edges of the same name, one from its key and one from the table:
 *
 *     7 / part of key (KEY @41) -> value (VALUE @43) pair in WeakMap (table @45)
 *
 * As a pattern: ^\d+( / part of key \(.*? @\d+\) -> value \(.*? @\d+\) pair in WeakMap \(table
 * @(\d+)\))$ in which . is no line terminator. Edges whose names agree but for the number in front
 * belong together; the last number is the table's id.
 */
#include "heap/heap.h"

/* Digits that end at `end`, and where they begin; NULL: there are none. */
static const uint8_t *
digits_before(const uint8_t *begin, const uint8_t *end)
{
    const uint8_t *p = end;

    while (p > begin && (uint32_t)p[-1] - '0' < 10)
        p--;
    return p == end ? NULL : p;
}

/* What stands before `end` if the bytes between are `text`; else NULL. */
static const uint8_t *
before_text(const uint8_t *begin, const uint8_t *end, const char *text)
{
    size_t len = strlen(text);

    if (end == NULL || (size_t)(end - begin) < len || memcmp(end - len, text, len) != 0)
        return NULL;
    return end - len;
}

/* " @" and digits before `end`: where that begins. */
static const uint8_t *
before_id(const uint8_t *begin, const uint8_t *end)
{
    const uint8_t *digits = end == NULL ? NULL : digits_before(begin, end);

    return digits == NULL ? NULL : before_text(begin, digits, " @");
}

static bool
has_line_terminator(struct span s)
{
    static const char separator[] = "\xE2\x80\xA8", paragraph[] = "\xE2\x80\xA9";

    return memchr(s.p, '\n', s.len) != NULL || memchr(s.p, '\r', s.len) != NULL ||
           (memchr(s.p, 0xE2, s.len) != NULL && (memmem(s.p, s.len, separator, 3) != NULL ||
                                                    memmem(s.p, s.len, paragraph, 3) != NULL));
}

/* The first ") -> value (" in it that comes behind an id; NULL: there is none. */
static const uint8_t *
find_middle(const uint8_t *begin, const uint8_t *end)
{
    static const char middle[] = ") -> value (";
    const uint8_t *p = begin;

    while (p < end && (p = memmem(p, (size_t)(end - p), middle, sizeof middle - 1)) != NULL) {
        if (before_id(begin, p) != NULL)
            return p;
        p++;
    }
    return NULL;
}

bool
heap_parse_pair(struct span name, struct pair_name *out)
{
    static const char head[] = " / part of key (";
    const uint8_t *p = name.p, *end = name.p + name.len;

    while (p < end && (uint32_t)*p - '0' < 10)
        p++;
    if (p == name.p || (size_t)(end - p) < sizeof head - 1 ||
        memcmp(p, head, sizeof head - 1) != 0)
        return false;
    const uint8_t *key = p + sizeof head - 1;
    const uint8_t *digits = before_text(key, end, ")");
    const uint8_t *digits_end = digits;
    digits = digits == NULL ? NULL : digits_before(key, digits);
    if (digits == NULL)
        return false;
    const uint8_t *id_end = before_text(key, digits, ") pair in WeakMap (table @");
    const uint8_t *value = before_id(key, id_end);
    const uint8_t *middle = value == NULL ? NULL : find_middle(key, value);
    if (middle == NULL || has_line_terminator(span_of(p, (size_t)(end - p))))
        return false;
    uint64_t table = 0;
    for (; digits < digits_end; digits++)
        if (__builtin_mul_overflow(table, 10, &table) ||
            __builtin_add_overflow(table, (uint64_t)(*digits - '0'), &table))
            table = UINT64_MAX;
    const uint8_t *value_id = digits_before(key, id_end), *key_id = digits_before(key, middle);
    *out = (struct pair_name){ .shared = span_of(p, (size_t)(end - p)),
        .number = span_of(name.p, (size_t)(p - name.p)),
        .key_id = span_of(key_id, (size_t)(middle - key_id)),
        .value_id = span_of(value_id, (size_t)(id_end - value_id)),
        .table = table };
    return true;
}

/* The shared texts that are known, hashed: a string that has each. */
struct known {
    uint32_t *slots; /* string + 1 */
    size_t size;     /* a power of two */
};

static struct span
shared_of(const struct gbx_heap *h, uint32_t string)
{
    struct span name = heap_string(h, string);
    size_t at = 0;

    while ((uint32_t)name.p[at] - '0' < 10)
        at++;
    return span_of(name.p + at, name.len - at);
}

static uint32_t
pair_number(struct gbx_heap *h, struct known *known, uint32_t string, struct span shared)
{
    size_t slot = span_hash(shared) & (known->size - 1);

    while (known->slots[slot] != 0) {
        uint32_t other = known->slots[slot] - 1;
        if (span_equal(shared_of(h, other), shared))
            return h->pairs.pair[other];
        slot = (slot + 1) & (known->size - 1);
    }
    known->slots[slot] = string + 1;
    return ++h->pairs.count;
}

bool
heap_find_pairs(struct gbx_heap *h)
{
    struct weak_pairs *pairs = &h->pairs;
    const struct strings *strings = &h->strings;
    struct known known = { NULL, 64 };

    pairs->strings = strings->count;
    pairs->named = memory_new(bit_words(pairs->strings), sizeof *pairs->named);
    pairs->pair = memory_new_sparse(pairs->strings, sizeof *pairs->pair);
    pairs->table = memory_new_sparse(pairs->strings, sizeof *pairs->table);
    while (known.size < (size_t)strings->paired_count * 2)
        known.size *= 2;
    known.slots = memory_new(known.size, sizeof *known.slots);
    bool ok = pairs->named != NULL && pairs->pair != NULL && pairs->table != NULL &&
              known.slots != NULL;
    for (uint32_t k = 0; ok && k < strings->paired_count; k++) {
        uint32_t string = strings->paired[k];
        struct pair_name name;
        if (!heap_parse_pair(heap_string(h, string), &name))
            continue;
        bit_set(pairs->named, string);
        pairs->table[string] = name.table;
        pairs->pair[string] = pair_number(h, &known, string, name.shared);
    }
    memory_free(known.slots, known.size, sizeof *known.slots);
    return ok;
}
