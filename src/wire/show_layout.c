/* How entries line up: on one line if they are short, in columns if they are many, else one
 * below the other. The numbers are Node's. */
#include "wire/show.h"

#include <math.h>
#include <stdlib.h>

enum {
    LEVELS_IN_A_LINE = 3, /* containers within each other on one line, at most */
    GROUP_FROM = 7,       /* entries from which on columns are tried */
    COLUMNS_MAX = 12,     /* of them */
    SEPARATOR = 2,        /* ", " */
    LINE_SLACK = 10,      /* columns that a one-line container leaves free */
    BYTES_A_UNIT = 16     /* at most: three of a character, or one digit in its colours */
};

/* East Asian wide characters and emoji take two columns. */
static uint32_t
column_count(uint32_t c)
{
    static const uint32_t wide[][2] = { { 0x1100, 0x115F }, { 0x2E80, 0x303E },
        { 0x3041, 0xA4CF }, { 0xAC00, 0xD7A3 }, { 0xF900, 0xFAFF }, { 0xFE30, 0xFE6F },
        { 0xFF00, 0xFF60 }, { 0xFFE0, 0xFFE6 }, { 0x1F300, 0x1F64F }, { 0x1F900, 0x1F9FF },
        { 0x20000, 0x3FFFD } };

    for (size_t i = 0; i < sizeof wide / sizeof wide[0] && c >= wide[i][0]; i++)
        if (c <= wide[i][1])
            return 2;
    return 1;
}

void
show_measure(const uint8_t *p, size_t len, struct show_entry *out)
{
    const uint8_t *end = p + len;

    out->units = out->columns = 0;
    out->newline = false;
    while (p < end) {
        if (*p == 0x1B) { /* our own colour: ESC [ digits m */
            while (*p++ != 'm')
                ;
            continue;
        }
        uint32_t c = *p < 0x80 ? *p++ : wtf8_next(&p, end, NULL);
        out->newline |= c == '\n';
        out->units += c >= 0x10000 ? 2 : 1;
        out->columns += c < 0x1100 ? 1 : column_count(c);
    }
}

void
show_entry_end(struct show *s, size_t start)
{
    if (s->out.failed || s->status != GBX_OK)
        return;
    if (s->entry_count == s->entry_capacity) {
        size_t capacity = s->entry_capacity == 0 ? 64 : s->entry_capacity * 2;
        struct show_entry *larger = realloc(s->entries, capacity * sizeof *larger);
        if (larger == NULL) {
            s->status = GBX_ENOMEM;
            return;
        }
        s->entries = larger;
        s->entry_capacity = capacity;
    }
    struct show_entry *entry = &s->entries[s->entry_count++];
    entry->start = start;
    entry->len = s->out.len - start;
    /* What is longer than any line is not looked at: it was, in parts, on every level inside. */
    if (entry->len / BYTES_A_UNIT > s->width)
        *entry = (struct show_entry){ start, entry->len, s->width, s->width, true };
    else
        show_measure(s->out.p + start, entry->len, entry);
}

/* --- columns ---------------------------------------------------------------------------- */

struct group {
    const struct show_entry *entries;
    size_t count;   /* without the last, which counts what is not shown, if there is one */
    size_t columns; /* 0: not worth it */
    uint32_t widths[COLUMNS_MAX];
};

static size_t
columns_for(const struct show *s, const struct show_frame *frame, const struct group *group)
{
    size_t all = s->entry_count - frame->entries;
    uint64_t total = 0;
    uint32_t longest = 0;

    for (size_t i = 0; i < group->count; i++) {
        total += group->entries[i].columns + SEPARATOR;
        if (group->entries[i].columns > longest)
            longest = group->entries[i].columns;
    }
    uint64_t widest = (uint64_t)longest + SEPARATOR;
    if (widest * 3 + frame->indent >= s->width)
        return 0;
    if ((double)total / (double)widest <= 5 && longest > 6)
        return 0;
    /* About as wide as high, a character being two and a half times as high as wide. */
    double bias = sqrt((double)widest - (double)total / (double)all);
    double biased = fmax((double)widest - 3 - bias, 1);
    double square = floor(sqrt(2.5 * biased * (double)group->count) / biased + 0.5);
    double fitting = (double)((s->width - frame->indent) / widest);
    double columns = fmin(fmin(square, fitting), COLUMNS_MAX);
    return columns > 1 ? (size_t)columns : 0;
}

static void
group_make(const struct show *s, const struct show_frame *frame, struct group *group)
{
    size_t all = s->entry_count - frame->entries;

    group->entries = s->entries + frame->entries;
    group->count = all - (all > s->items ? 1 : 0);
    group->columns = columns_for(s, frame, group);
    for (size_t column = 0; column < group->columns; column++) {
        group->widths[column] = SEPARATOR;
        for (size_t i = column; i < group->count; i += group->columns)
            if (group->entries[i].columns + SEPARATOR > group->widths[column])
                group->widths[column] = group->entries[i].columns + SEPARATOR;
    }
}

/* Numbers line up at their right end. */
static bool
all_numbers(const struct show *s, const struct show_frame *frame)
{
    size_t all = s->entry_count - frame->entries;

    if (frame->node->kind != GBX_ARRAY)
        return true;
    for (uint32_t i = 0; i < all; i++) {
        const gbx_value *item = array_at(frame->node->array, i);
        if (item == NULL || (item->kind != GBX_NUMBER && item->kind != GBX_BIGINT))
            return false;
    }
    return true;
}

static void
put_spaces(struct buf *out, size_t n)
{
    uint8_t *spaces = buf_grow(out, n);

    if (spaces != NULL)
        memset(spaces, ' ', n);
}

static void
put_entry(struct show *s, const struct show_entry *entry)
{
    buf_append(&s->scratch, s->out.p + entry->start, entry->len);
}

/* Entries first to last - 1 in one line of columns. */
static void
put_row(struct show *s, const struct group *group, size_t first, bool right)
{
    size_t last = first + group->columns;

    if (last > group->count)
        last = group->count;
    for (size_t i = first; i < last; i++) {
        const struct show_entry *entry = &group->entries[i];
        size_t padding = group->widths[i - first] - SEPARATOR - entry->columns;
        if (right)
            put_spaces(&s->scratch, padding);
        put_entry(s, entry);
        if (i + 1 == last)
            break;
        buf_text(&s->scratch, ", ");
        if (!right)
            put_spaces(&s->scratch, padding);
    }
}

/* --- the container ---------------------------------------------------------------------- */

static bool
fits_a_line(const struct show *s, const struct show_frame *frame, struct span base,
    const char *open, uint32_t level)
{
    size_t count = s->entry_count - frame->entries;
    struct show_entry head;

    show_measure(base.p, base.len, &head);
    /* One for each separator and one for the space behind it, as Node counts. */
    uint64_t total = count * 2 + frame->indent + strlen(open) + head.units + LINE_SLACK;
    if (s->deepest - level >= LEVELS_IN_A_LINE || head.newline || total + count > s->width)
        return false;
    for (size_t i = frame->entries; i < s->entry_count; i++) {
        total += s->entries[i].units;
        if (total > s->width || s->entries[i].newline)
            return false;
    }
    return true;
}

static void
put_break(struct show *s, const struct show_frame *frame, const char *before, uint32_t more)
{
    buf_text(&s->scratch, before);
    buf_byte(&s->scratch, '\n');
    put_spaces(&s->scratch, frame->indent + more);
}

static void
put_lines(struct show *s, const struct show_frame *frame, const struct group *group)
{
    size_t count = s->entry_count - frame->entries;
    bool right = group->columns > 0 && all_numbers(s, frame);

    for (size_t i = 0; i < count;) {
        put_break(s, frame, i == 0 ? "" : ",", 2);
        if (group->columns > 0 && i < group->count) {
            put_row(s, group, i, right);
            i += group->columns < group->count - i ? group->columns : group->count - i;
        } else {
            put_entry(s, &s->entries[frame->entries + i++]);
        }
    }
    put_break(s, frame, "", 0);
}

void
show_arrange(struct show *s, const struct show_frame *frame, struct span base, const char *open,
    const char *close, uint32_t level)
{
    size_t count = s->entry_count - frame->entries;
    bool list = frame->node->kind == GBX_ARRAY || frame->node->kind == GBX_TYPED_ARRAY;
    struct group group = { .columns = 0 };

    if (s->out.failed || s->status != GBX_OK)
        return;
    if (list && count >= GROUP_FROM)
        group_make(s, frame, &group);
    s->scratch.len = 0;
    buf_append(&s->scratch, base.p, base.len);
    if (base.len > 0)
        buf_byte(&s->scratch, ' ');
    buf_text(&s->scratch, open);
    if (group.columns == 0 && fits_a_line(s, frame, base, open, level)) {
        for (size_t i = 0; i < count; i++) {
            buf_text(&s->scratch, i == 0 ? " " : ", ");
            put_entry(s, &s->entries[frame->entries + i]);
        }
        buf_byte(&s->scratch, ' ');
    } else {
        put_lines(s, frame, &group);
    }
    buf_text(&s->scratch, close);
    s->entry_count = frame->entries;
    s->out.len = frame->text;
    buf_append(&s->out, s->scratch.p, s->scratch.len);
    s->out.failed |= s->scratch.failed;
}
