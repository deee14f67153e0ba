/* render_layout.cc - where lines break: Node.js's rules, number for number. */
#include "engine/render.h"

#include <algorithm>
#include <cmath>

/* A container may share one line while at most this many levels are inside of it. */
#define LEVELS_ON_A_LINE  3
/* An array of more items than this may be set in columns, of which there are at most... */
#define ITEMS_FOR_COLUMNS 6
#define COLUMNS_MAX       12
/* Between two items stand a comma and a space. */
#define SEPARATOR         2
/* Room that a line must leave for what may follow it. */
#define LINE_RESERVE      10

static wide
joined(const std::vector<wide> &items, const wide &separator)
{
    wide out;

    for (size_t i = 0; i < items.size(); i++) {
        if (i > 0)
            out += separator;
        out += items[i];
    }
    return out;
}

/* --- columns -------------------------------------------------------------------------- */

/* How many columns come nearest to a square, a character being 2.5 times as high as wide. */
static size_t
column_count(const struct render *r, size_t items, size_t counted, size_t total, size_t widest)
{
    double width = static_cast<double>(widest + SEPARATOR);
    double bias = std::sqrt(width - static_cast<double>(total) / static_cast<double>(items));
    double biased = std::max(width - 3 - bias, 1.0);
    double square =
        std::floor(std::sqrt(2.5 * biased * static_cast<double>(counted)) / biased + 0.5);
    double fitting = std::floor((static_cast<double>(r->options.columns) - r->indent) / width);

    return static_cast<size_t>(
        std::max(std::min({ square, fitting, static_cast<double>(COLUMNS_MAX) }), 0.0));
}

static bool
all_numbers(struct render *r, v8::Local<v8::Object> array, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (array->IsTypedArray()) {
            if (i >= array.As<v8::TypedArray>()->Length())
                return false;
            continue;
        }
        struct property p;
        v8::Local<v8::String> key;
        if (!v8::Integer::NewFromUnsigned(r->isolate, static_cast<uint32_t>(i))
                 ->ToString(r->context)
                 .ToLocal(&key) ||
            !own_property(r, array, key, &p) || p.value.IsEmpty() ||
            !(p.value->IsNumber() || p.value->IsBigInt()))
            return false;
    }
    return true;
}

static void
pad(wide *line, const wide &item, size_t used, size_t room, bool right)
{
    size_t blank = room > used ? room - used : 0;

    if (right)
        line->append(blank, u' ');
    *line += item;
    if (!right)
        line->append(blank, u' ');
}

struct grid {
    const std::vector<wide> *items;
    std::vector<size_t> widths; /* of the items */
    std::vector<size_t> rooms;  /* of the columns, with their separators */
    bool right;
};

static wide
grid_line(const struct grid &g, size_t first, size_t end)
{
    wide line;

    for (size_t i = first; i < end; i++) {
        bool last = i + 1 == end;
        size_t room = g.rooms[i - first] - (last ? SEPARATOR : 0);
        wide item = (*g.items)[i] + (last ? u"" : u", ");
        if (last && !g.right)
            line += item;
        else
            pad(&line, item, g.widths[i] + (last ? 0 : SEPARATOR), room, g.right);
    }
    return line;
}

/* Sets the items in columns if they are short and alike enough. */
static void
in_columns(struct render *r, std::vector<wide> *items, v8::Local<v8::Object> array)
{
    bool more = items->size() > r->options.items; /* the last says how many there are besides */
    size_t counted = items->size() - (more ? 1 : 0), total = 0, widest = 0;
    struct grid g = { items, {}, {}, false };

    for (size_t i = 0; i < counted; i++) {
        g.widths.push_back(columns_of((*items)[i]));
        total += g.widths[i] + SEPARATOR;
        widest = std::max(widest, g.widths[i]);
    }
    if ((widest + SEPARATOR) * 3 + r->indent >= r->options.columns ||
        !(static_cast<double>(total) / static_cast<double>(widest + SEPARATOR) > 5 ||
            widest <= 6))
        return;
    size_t columns = column_count(r, items->size(), counted, total, widest);
    if (columns <= 1)
        return;
    for (size_t c = 0; c < columns; c++) {
        size_t room = 0;
        for (size_t i = c; i < counted; i += columns)
            room = std::max(room, g.widths[i]);
        g.rooms.push_back(room + SEPARATOR);
    }
    g.right = all_numbers(r, array, items->size());
    std::vector<wide> lines;
    for (size_t i = 0; i < counted; i += columns)
        lines.push_back(grid_line(g, i, std::min(i + columns, counted)));
    if (more)
        lines.push_back(items->back());
    *items = std::move(lines);
}

/* --- lines ---------------------------------------------------------------------------- */

static bool
fits_a_line(const struct render *r, const struct shape &s)
{
    if (contains(s.base, u"\n"))
        return false;
    if (r->options.columns == RENDER_NO_BREAK)
        return true;
    size_t total =
        s.items.size() * 2 + r->indent + s.open.size() + s.base.size() + LINE_RESERVE;
    if (total + s.items.size() > r->options.columns)
        return false;
    for (const wide &item : s.items)
        total += item.size();
    return total <= r->options.columns;
}

wide
render_layout(struct render *r, struct shape *s, int level, v8::Local<v8::Object> array)
{
    size_t before = s->items.size();

    if (s->array && before > ITEMS_FOR_COLUMNS && r->options.columns != RENDER_NO_BREAK)
        in_columns(r, &s->items, array);
    wide start = s->base.empty() ? s->open : s->base + u" " + s->open;
    if (r->deepest - level < LEVELS_ON_A_LINE && before == s->items.size() &&
        fits_a_line(r, *s)) {
        wide line = joined(s->items, u", ");
        if (!contains(line, u"\n"))
            return start + u" " + line + u" " + s->close;
    }
    wide next = u"\n" + wide(r->indent, u' ');
    return start + next + u"  " + joined(s->items, u"," + next + u"  ") + next + s->close;
}
