/* look.c - single nodes, edges and names, and the sums of all. */
#include "heap/classes.h"

gbx_status
gbx_heap_get_node(const gbx_heap *h, uint32_t v, gbx_heap_node *out)
{
    if (v >= h->node_count)
        return GBX_EINVAL;
    const struct location *l = heap_location(h, v);
    *out = (gbx_heap_node){ .type = h->node_layout.type_names[h->node_type[v]],
        .id = h->node_id[v],
        .class_index = h->classes.of[v],
        .shallow = h->shallow[v],
        .retained = h->retained[v],
        .distance = h->distance[v],
        .dominator = h->dominator[v],
        .first_edge = h->first_edge[v],
        .edge_count = h->first_edge[v + 1] - h->first_edge[v],
        .detached = h->detached == NULL ? 0 : h->detached[v] };
    if (l != NULL) {
        out->script = l->script;
        out->line = l->line + 1;
        out->column = l->column + 1;
    }
    return GBX_OK;
}

/* The node that has an edge. */
static uint32_t
source_of(const struct gbx_heap *h, uint32_t edge)
{
    uint32_t low = 0, high = h->node_count;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (h->first_edge[middle] <= edge)
            low = middle;
        else
            high = middle;
    }
    return low;
}

gbx_status
gbx_heap_get_edge(const gbx_heap *h, uint32_t e, gbx_heap_edge *out)
{
    if (e >= h->edge_count)
        return GBX_EINVAL;
    uint8_t type = h->edge_type[e];
    *out = (gbx_heap_edge){ .type = h->edge_layout.type_names[type],
        .from = source_of(h, e),
        .to = h->edge_to[e],
        .index = edge_is_named(type) ? 0 : h->edge_name[e],
        .named = edge_is_named(type) };
    return GBX_OK;
}

int64_t
gbx_heap_context(const gbx_heap *h, uint32_t node)
{
    return node < h->node_count ? h->context[node] : NO_CONTEXT;
}

/* --- names ------------------------------------------------------------------------------ */

/* Lone surrogates are three bytes each, as U+FFFD is. */
uint64_t
heap_give_name(struct buf *text, char *out, uint64_t size)
{
    size_t len = text->failed ? 0 : text->len;
    size_t n = len;

    for (size_t i = 0; i + 2 < len; i++)
        if (text->p[i] == 0xED && text->p[i + 1] >= 0xA0)
            memcpy(text->p + i, "\xEF\xBF\xBD", 3);
    if (size > 0) {
        if (n > size - 1)
            for (n = size - 1; n > 0 && (text->p[n] & 0xC0) == 0x80;)
                n--;
        if (n > 0)
            memcpy(out, text->p, n);
        out[n] = '\0';
    }
    buf_done(text);
    return len;
}

uint64_t
gbx_heap_node_name(const gbx_heap *h, uint32_t node, char *out, uint64_t size)
{
    struct buf text = { .max = UINT32_MAX };

    if (node < h->node_count)
        heap_node_name(h, node, &text);
    return heap_give_name(&text, out, size);
}

uint64_t
gbx_heap_class_name(const gbx_heap *h, uint32_t class_index, char *out, uint64_t size)
{
    struct buf text = { .max = UINT32_MAX };

    if (class_index < h->classes.count) {
        struct span name = heap_string(h, h->classes.items[class_index].name);
        buf_append(&text, name.p, name.len);
    }
    return heap_give_name(&text, out, size);
}

uint64_t
gbx_heap_edge_name(const gbx_heap *h, uint32_t edge, char *out, uint64_t size)
{
    struct buf text = { .max = UINT32_MAX };

    if (edge >= h->edge_count)
        return heap_give_name(&text, out, size);
    uint8_t type = h->edge_type[edge];
    struct span name = { NULL, 0 };
    if (edge_is_named(type))
        name = heap_string(h, h->edge_name[edge]);
    bool spaced = memchr(name.p == NULL ? (const uint8_t *)"" : name.p, ' ', name.len) != NULL;
    bool quoted = (type == EDGE_PROPERTY || type == EDGE_SHORTCUT) && spaced;
    const char *before = type == EDGE_CONTEXT                             ? "->"
                         : type == EDGE_ELEMENT                           ? "["
                         : type == EDGE_WEAK                              ? "[["
                         : quoted                                         ? "[\""
                         : type == EDGE_PROPERTY || type == EDGE_SHORTCUT ? "."
                                                                          : "{";
    const char *after = type == EDGE_ELEMENT ? "]"
                        : type == EDGE_WEAK  ? "]]"
                        : quoted             ? "\"]"
                        : before[0] == '{'   ? "}"
                                             : "";
    buf_text(&text, before);
    if (edge_is_named(type))
        buf_append(&text, name.p, name.len);
    else
        buf_printf(&text, "%u", h->edge_name[edge]);
    buf_text(&text, after);
    return heap_give_name(&text, out, size);
}

/* --- sums ------------------------------------------------------------------------------- */

/* An array and its elements, if nobody else has those. */
static uint64_t
array_size(const struct gbx_heap *h, uint32_t v)
{
    for (uint32_t e = h->first_edge[v]; e < h->first_edge[v + 1]; e++) {
        uint32_t to = h->edge_to[e];
        if (h->edge_type[e] != EDGE_INTERNAL ||
            !span_is(heap_string(h, h->edge_name[e]), "elements"))
            continue;
        bool alone = h->first_retainer[to + 1] - h->first_retainer[to] == 1;
        return h->shallow[v] + (alone ? h->shallow[to] : 0);
    }
    return h->shallow[v];
}

static void
count_node(const struct gbx_heap *h, uint32_t v, gbx_heap_totals *t)
{
    switch (h->node_type[v]) {
    case NODE_HIDDEN:
        t->system += h->shallow[v];
        break;
    case NODE_NATIVE:
        t->native += h->shallow[v];
        if (span_is(heap_raw_name(h, v), "system / JSArrayBufferData"))
            t->typed_arrays += h->shallow[v];
        break;
    case NODE_CODE:
        t->code += h->shallow[v];
        break;
    case NODE_STRING:
    case NODE_CONS:
    case NODE_SLICED:
        t->strings_bytes += h->shallow[v];
        break;
    default:
        if (span_is(heap_raw_name(h, v), "Array"))
            t->arrays += array_size(h, v);
        break;
    }
}

gbx_status
gbx_heap_get_totals(gbx_heap *h, gbx_heap_totals *out)
{
    gbx_heap_totals t = { .nodes = h->node_count,
        .edges = h->edge_count,
        .strings = h->file_strings,
        .classes = h->classes.count,
        .file_bytes = h->file_bytes,
        .extra_native = h->extra_native_bytes,
        .native = h->extra_native_bytes };

    if (!heap_need_retainers(h))
        return GBX_ENOMEM;
    t.total = h->retained[0] + h->extra_native_bytes;
    for (uint32_t v = 0; v < h->node_count; v++)
        count_node(h, v, &t);
    *out = t;
    return GBX_OK;
}
