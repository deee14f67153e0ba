/* header.c - the section "snapshot": what the numbers of the others mean. */
#include "base/check.h"
#include "heap/load.h"

#include <string.h>

static const char *const node_fields[] = { "type", "name", "id", "self_size", "edge_count",
    "detachedness", "trace_node_id" };
static const char *const edge_fields[] = { "type", "name_or_index", "to_node" };
static const char *const location_fields[] = { "object_index", "script_id", "line", "column" };
static const char *const node_types[] = { "hidden", "array", "string", "object", "code",
    "closure", "regexp", "number", "native", "synthetic", "concatenated string",
    "sliced string", "symbol", "bigint", "object shape" };
static const char *const edge_types[] = { "context", "element", "property", "internal",
    "hidden", "shortcut", "weak", "invisible" };

/* Items of an array, each read by `item`, which is told its number. */
static bool
read_array(struct load *l, void *to, bool (*item)(struct load *, void *, uint32_t))
{
    if (!reader_expect(l->r, '['))
        return false;
    if (reader_accept(l->r, ']'))
        return true;
    uint32_t n = 0;
    do
        if (!item(l, to, n++))
            return false;
    while (reader_accept(l->r, ','));
    return reader_expect(l->r, ']');
}

struct fields {
    struct layout *layout;
    const char *const *known;
    uint32_t known_count;
};

static bool
read_field(struct load *l, void *to, uint32_t number)
{
    struct fields *f = to;
    char word[READER_WORD];

    if (number == HEAP_FIELDS_MAX)
        return reader_fail(l->r, l->r->p, "more than %d fields", HEAP_FIELDS_MAX);
    if (!reader_word(l->r, word))
        return false;
    for (uint32_t i = 0; i < f->known_count; i++)
        if (strcmp(word, f->known[i]) == 0) {
            if (f->layout->at[i] >= 0)
                return reader_fail(l->r, l->r->p, "the field %s comes twice", word);
            f->layout->at[i] = (int32_t)number;
        }
    f->layout->fields = number + 1;
    return true;
}

static bool
read_fields(
    struct load *l, struct layout *layout, const char *const *known, uint32_t known_count)
{
    struct fields fields = { layout, known, known_count };

    for (uint32_t i = 0; i < COUNT(layout->at); i++)
        layout->at[i] = -1;
    layout->fields = 0;
    return read_array(l, &fields, read_field);
}

struct types {
    struct layout *layout;
    const char *const *known;
    uint32_t known_count;
};

static bool
read_type(struct load *l, void *to, uint32_t number)
{
    struct types *t = to;
    struct layout *layout = t->layout;
    char word[READER_WORD];
    uint32_t ours = 0;

    if (number == HEAP_TYPES_MAX)
        return reader_fail(l->r, l->r->p, "more than %d types", HEAP_TYPES_MAX);
    if (!reader_word(l->r, word))
        return false;
    while (ours < layout->types && strcmp(layout->type_names[ours], word) != 0)
        ours++;
    if (ours == layout->types) {
        if (ours == HEAP_TYPES_MAX || strlen(word) >= TYPE_NAME)
            return reader_fail(l->r, l->r->p, "more types than there can be");
        memcpy(layout->type_names[layout->types++], word, strlen(word) + 1);
    }
    layout->type_of[number] = (uint8_t)ours;
    layout->file_types = number + 1;
    return true;
}

/* The types of the first field; those of the others are strings that say nothing new. */
static bool
read_type_list(struct load *l, void *to, uint32_t number)
{
    (void)number;
    if (reader_peek(l->r) == '[')
        return read_array(l, to, read_type);
    return reader_skip(l->r);
}

static bool
read_types(
    struct load *l, struct layout *layout, const char *const *known, uint32_t known_count)
{
    struct types types = { layout, known, known_count };

    layout->types = known_count;
    for (uint32_t i = 0; i < known_count; i++)
        memcpy(layout->type_names[i], known[i], strlen(known[i]) + 1);
    return read_array(l, &types, read_type_list);
}

/* Members of an object, each read by `member`. */
static bool
read_object(struct load *l, bool (*member)(struct load *, const char *key))
{
    char key[READER_WORD];

    if (!reader_expect(l->r, '{'))
        return false;
    if (reader_accept(l->r, '}'))
        return true;
    do
        if (!reader_word(l->r, key) || !reader_expect(l->r, ':') || !member(l, key))
            return false;
    while (reader_accept(l->r, ','));
    return reader_expect(l->r, '}');
}

static bool
read_meta_member(struct load *l, const char *key)
{
    struct gbx_heap *h = l->heap;

    if (strcmp(key, "node_fields") == 0)
        return read_fields(l, &h->node_layout, node_fields, COUNT(node_fields));
    if (strcmp(key, "node_types") == 0)
        return read_types(l, &h->node_layout, node_types, COUNT(node_types));
    if (strcmp(key, "edge_fields") == 0)
        return read_fields(l, &h->edge_layout, edge_fields, COUNT(edge_fields));
    if (strcmp(key, "edge_types") == 0)
        return read_types(l, &h->edge_layout, edge_types, COUNT(edge_types));
    if (strcmp(key, "location_fields") == 0)
        return read_fields(l, &h->location_layout, location_fields, COUNT(location_fields));
    return reader_skip(l->r);
}

static bool
read_header_member(struct load *l, const char *key)
{
    uint64_t root = 0;

    if (strcmp(key, "meta") == 0)
        return read_object(l, read_meta_member);
    if (strcmp(key, "node_count") == 0)
        return reader_number(l->r, &l->node_count);
    if (strcmp(key, "edge_count") == 0)
        return reader_number(l->r, &l->edge_count);
    if (strcmp(key, "extra_native_bytes") == 0)
        return reader_number(l->r, &l->heap->extra_native_bytes);
    if (strcmp(key, "root_index") == 0)
        return reader_number(l->r, &root) &&
               (root == 0 || reader_fail(l->r, l->r->p, "the root is not the first node"));
    return reader_skip(l->r);
}

/* Names that a layout lacks. */
static bool
need_fields(struct load *l, const struct layout *layout, const char *what,
    const char *const *names, uint32_t count)
{
    if (layout->fields == 0)
        return reader_fail(l->r, l->r->p, "meta has no %s_fields", what);
    for (uint32_t i = 0; i < count; i++)
        if (layout->at[i] < 0)
            return reader_fail(l->r, l->r->p, "%s_fields has no %s", what, names[i]);
    return true;
}

bool
load_header(struct load *l)
{
    struct gbx_heap *h = l->heap;

    if (!read_object(l, read_header_member) ||
        !need_fields(l, &h->node_layout, "node", node_fields, NODE_FIELD_DETACHED) ||
        !need_fields(l, &h->edge_layout, "edge", edge_fields, COUNT(edge_fields)))
        return false;
    if (h->location_layout.fields > 0 && !need_fields(l, &h->location_layout, "location",
                                             location_fields, COUNT(location_fields)))
        return false;
    if (h->node_layout.file_types == 0 || h->edge_layout.file_types == 0)
        return reader_fail(l->r, l->r->p, "meta names no types of nodes or edges");
    if (l->node_count == 0)
        return reader_fail(l->r, l->r->p, "there are no nodes");
    /* A number and its comma are two bytes. */
    uint64_t most = l->r->source->total_bytes / 2;
    bool packed = l->r->source->inner != NULL && l->r->source->inner->inner != NULL;
    if (packed || most == 0)
        most = UINT64_MAX;
    if (l->node_count > HEAP_NODES_MAX / h->node_layout.fields ||
        l->node_count > most / h->node_layout.fields)
        return reader_fail(l->r, l->r->p, "more nodes than the file can hold");
    if (l->edge_count > HEAP_EDGES_MAX || l->edge_count > most / h->edge_layout.fields)
        return reader_fail(l->r, l->r->p, "more edges than the file can hold");
    return true;
}
