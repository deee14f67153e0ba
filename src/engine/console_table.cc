/* console_table.cc - console.table: rows and columns in a box. */
#include "engine/console.h"

#include "base/limits.h"

#include <algorithm>

struct table_column {
    wide name;
    std::vector<wide> cells;
};

struct table {
    v8::Local<v8::Context> context;
    std::vector<struct table_column> columns; /* the first holds the rows' names */
    struct table_column values;               /* of rows that are no objects; comes last */
    size_t left;                              /* units that may still be made */
};

static wide
cell_text(struct table *t, v8::Local<v8::Value> value)
{
    struct render_options options = { 0, 3, RENDER_NO_BREAK, false, false };
    struct render_scope scope(t->context, options);

    if (t->left == 0)
        return wide();
    if (value->IsObject() && !value->IsArray() && !value->IsTypedArray() &&
        own_keys(&scope.r, value.As<v8::Object>(), true).size() > 2)
        scope.r.options.depth = -1;
    scope.r.left = t->left;
    wide text = render_value(&scope.r, value);
    t->left = scope.r.left;
    return text;
}

static void
set_cell(struct table *t, struct table_column *column, size_t row, wide text)
{
    column->cells.resize(std::max(column->cells.size(), row + 1));
    t->left -= std::min(t->left, column->name.size());
    column->cells[row] = std::move(text);
}

static struct table_column *
column_named(struct table *t, const wide &name)
{
    for (size_t i = 1; i < t->columns.size(); i++)
        if (t->columns[i].name == name)
            return &t->columns[i];
    if (t->columns.size() >= CONSOLE_TABLE_COLUMNS)
        return nullptr;
    t->columns.push_back({ name, {} });
    return &t->columns.back();
}

/* --- rows ----------------------------------------------------------------------------- */

static wide
name_of(struct render *r, v8::Local<v8::Name> key)
{
    return key->IsString() ? wide_of(r->isolate, key.As<v8::String>(), CONSOLE_STRING_MAX)
                           : wide();
}

static void
add_cell(struct table *t, struct render *r, size_t row, v8::Local<v8::Object> item,
    v8::Local<v8::Name> key)
{
    struct table_column *column = column_named(t, name_of(r, key));
    struct property p;

    if (column == nullptr)
        return;
    bool there = own_property(r, item, key, &p);
    set_cell(t, column, row,
        !there              ? wide()
        : p.value.IsEmpty() ? wide(u"[Getter]")
                            : cell_text(t, p.value));
}

/* `wanted`: the columns that the caller listed, or empty. */
static void
add_row(struct table *t, struct render *r, size_t row, v8::Local<v8::Value> item,
    v8::Local<v8::Value> wanted)
{
    bool listed = wanted->IsArray();

    if (!item->IsObject() && !listed) {
        set_cell(t, &t->values, row, cell_text(t, item));
        return;
    }
    if (listed) {
        uint32_t count = wanted.As<v8::Array>()->Length();
        for (uint32_t i = 0; i < count && i < CONSOLE_TABLE_COLUMNS; i++) {
            v8::Local<v8::Value> key;
            if (!wanted.As<v8::Array>()->Get(t->context, i).ToLocal(&key) || !key->IsString())
                continue;
            if (item->IsObject())
                add_cell(t, r, row, item.As<v8::Object>(), key.As<v8::Name>());
            else
                (void)column_named(t, name_of(r, key.As<v8::Name>()));
        }
        return;
    }
    for (v8::Local<v8::Name> key : own_keys(r, item.As<v8::Object>(), true))
        if (key->IsString())
            add_cell(t, r, row, item.As<v8::Object>(), key);
}

/* The number that a property's name is, if it is an index: these come first, in order. */
static uint64_t
index_of(const wide &name)
{
    uint64_t number = 0;

    if (name.empty() || name.size() > 10 || (name[0] == u'0' && name.size() > 1))
        return UINT64_MAX;
    for (char16_t c : name) {
        if (c < u'0' || c > u'9')
            return UINT64_MAX;
        number = number * 10 + (c - u'0');
    }
    return number < UINT32_MAX ? number : UINT64_MAX;
}

static bool
comes_before(const struct table_column &a, const struct table_column &b)
{
    return index_of(a.name) < index_of(b.name);
}

static void
rows_of_object(
    struct table *t, struct render *r, v8::Local<v8::Object> data, v8::Local<v8::Value> wanted)
{
    size_t row = 0;

    t->columns.push_back({ u"(index)", {} });
    for (v8::Local<v8::Name> key : own_keys(r, data, true)) {
        struct property p;
        if (!key->IsString() || row >= CONSOLE_TABLE_ROWS || t->left == 0)
            continue;
        set_cell(t, &t->columns[0], row, name_of(r, key));
        if (own_property(r, data, key, &p) && !p.value.IsEmpty())
            add_row(t, r, row, p.value, wanted);
        row++;
    }
    std::stable_sort(t->columns.begin() + 1, t->columns.end(), comes_before);
    if (!t->values.cells.empty())
        t->columns.push_back(t->values);
}

/* Maps, sets and their iterators. */
static bool
rows_of_entries(struct table *t, v8::Local<v8::Object> data)
{
    v8::Local<v8::Array> entries;
    bool pairs = false;

    if ((data->IsMap() && data.As<v8::Map>()->Size() > CONSOLE_ENTRIES_MAX) ||
        (data->IsSet() && data.As<v8::Set>()->Size() > CONSOLE_ENTRIES_MAX) ||
        !data->PreviewEntries(&pairs).ToLocal(&entries))
        return false;
    t->columns.push_back({ u"(iteration index)", {} });
    if (pairs)
        t->columns.push_back({ u"Key", {} });
    t->columns.push_back({ u"Values", {} });
    uint32_t step = pairs ? 2 : 1;
    for (uint32_t i = 0; i < entries->Length() && i / step < CONSOLE_TABLE_ROWS; i++) {
        v8::Local<v8::Value> value;
        size_t row = i / step;
        if (t->left == 0 || !entries->Get(t->context, i).ToLocal(&value))
            break;
        if (i % step == 0)
            set_cell(t, &t->columns[0], row, wide_number(row));
        set_cell(t, &t->columns[1 + i % step], row, cell_text(t, value));
    }
    return true;
}

/* --- the box -------------------------------------------------------------------------- */

static wide
rule(const std::vector<size_t> &widths, char16_t left, char16_t middle, char16_t right)
{
    wide line(1, left);

    for (size_t i = 0; i < widths.size(); i++) {
        if (i > 0)
            line += middle;
        line.append(widths[i] + 2, u'─');
    }
    return line + right;
}

static wide
row_line(const struct table &t, const std::vector<size_t> &widths, size_t row, bool head)
{
    wide line = u"│";

    for (size_t i = 0; i < widths.size(); i++) {
        const struct table_column &column = t.columns[i];
        wide text = head ? column.name : row < column.cells.size() ? column.cells[row] : wide();
        line += u" " + text + wide(widths[i] - columns_of(text), u' ') + u" │";
    }
    return line;
}

static wide
box(const struct table &t)
{
    std::vector<size_t> widths;
    size_t rows = 0;

    for (const struct table_column &column : t.columns) {
        size_t width = columns_of(column.name);
        for (const wide &cell : column.cells)
            width = std::max(width, columns_of(cell));
        widths.push_back(width);
        rows = std::max(rows, column.cells.size());
    }
    wide text = rule(widths, u'┌', u'┬', u'┐') + u"\n" + row_line(t, widths, 0, true) + u"\n" +
                rule(widths, u'├', u'┼', u'┤') + u"\n";
    for (size_t row = 0; row < rows && text.size() < RENDER_UNITS_MAX; row++)
        text += row_line(t, widths, row, false) + u"\n";
    return text + rule(widths, u'└', u'┴', u'┘');
}

bool
console_table(v8::Local<v8::Context> context, const console_arguments &arguments, wide *text)
{
    struct render_scope scope(context, render_defaults);
    struct table t = { context, {}, { u"Values", {} }, RENDER_UNITS_MAX };

    if (arguments.empty() || !arguments[0]->IsObject() || arguments[0]->IsFunction() ||
        arguments[0]->IsProxy())
        return false;
    v8::Local<v8::Object> data = arguments[0].As<v8::Object>();
    v8::Local<v8::Value> wanted = arguments.size() > 1
                                      ? arguments[1]
                                      : v8::Local<v8::Value>(v8::Undefined(scope.r.isolate));
    bool entries =
        data->IsMap() || data->IsSet() || data->IsMapIterator() || data->IsSetIterator();
    if (!entries || !rows_of_entries(&t, data))
        rows_of_object(&t, &scope.r, data, wanted);
    *text = box(t);
    return true;
}
