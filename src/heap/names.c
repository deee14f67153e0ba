/* names.c - what a node is shown as. */
#include "heap/classes.h"

/* JSON.stringify of a string, without its quotes. */
static void
put_json(struct span s, struct buf *out)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.p[i];
        const char *at = c < 0x80 && c != 0 ? strchr("\"\"\\\\\bb\ff\nn\rr\tt", c) : NULL;
        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if (c < ' ' && at != NULL)
            buf_printf(out, "\\%c", at[1]);
        else if (c < ' ')
            buf_printf(out, "\\u%04x", c);
        else if (c == 0xED && i + 2 < s.len && s.p[i + 1] >= 0xA0) { /* a lone surrogate */
            buf_printf(
                out, "\\ud%03x", (unsigned)((s.p[i + 1] & 0x3F) << 6 | (s.p[i + 2] & 0x3F)));
            i += 2;
        } else
            buf_byte(out, c);
    }
}

void
heap_property_name(struct span name, struct buf *out)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.p[i] == ',' || name.p[i] == '\'' || name.p[i] == '"' || name.p[i] == '{' ||
            name.p[i] == '}') {
            buf_byte(out, '"');
            put_json(name, out);
            buf_byte(out, '"');
            return;
        }
    buf_append(out, name.p, name.len);
}

/* Both halves of a concatenated string; the root stands for what is missing. */
static void
halves_of(const struct gbx_heap *h, uint32_t v, uint32_t *first, uint32_t *second)
{
    *first = *second = 0;
    for (uint32_t e = h->first_edge[v];
         e < h->first_edge[v + 1] && (*first == 0 || *second == 0); e++) {
        if (h->edge_type[e] != EDGE_INTERNAL)
            continue;
        struct span name = heap_string(h, h->edge_name[e]);
        if (span_is(name, "first"))
            *first = h->edge_to[e];
        else if (span_is(name, "second"))
            *second = h->edge_to[e];
    }
}

static void
put_concatenated(const struct gbx_heap *h, uint32_t node, struct buf *out)
{
    uint32_t stack[HEAP_CONS_PARTS + 2], first, second;
    size_t depth = 0, units = 0;

    stack[depth++] = node;
    for (unsigned parts = 0; depth > 0 && units < HEAP_CONS_UNITS && parts < HEAP_CONS_PARTS;
         parts++) {
        uint32_t v = stack[--depth];
        if (h->node_type[v] != NODE_CONS) {
            struct span part = heap_raw_name(h, v);
            units += span_units(part);
            buf_append(out, part.p, part.len);
            continue;
        }
        halves_of(h, v, &first, &second);
        stack[depth++] = second;
        stack[depth++] = first;
    }
}

static bool
is_shown(const struct gbx_heap *h, uint32_t edge)
{
    return h->edge_type[edge] == EDGE_PROPERTY &&
           !span_is(heap_string(h, h->edge_name[edge]), "__proto__");
}

/* "{a, b, …, y, z}": from the front and the back in turn, while it is short. */
static void
put_plain(const struct gbx_heap *h, uint32_t v, struct buf *out)
{
    uint32_t back[HEAP_OBJECT_UNITS]; /* edges shown from the back; each takes a unit or more */
    size_t back_count = 0, front_units = 1, back_units = 1;
    uint32_t begin = h->first_edge[v], end = h->first_edge[v + 1];
    bool from_back = false;

    buf_byte(out, '{');
    while (begin < end) {
        uint32_t e = from_back ? end - 1 : begin;
        struct buf name = { .max = UINT32_MAX };
        if (is_shown(h, e)) {
            heap_property_name(heap_string(h, h->edge_name[e]), &name);
            size_t units = span_units(buf_span(&name));
            if ((front_units > 1 && front_units + back_units + units > HEAP_OBJECT_UNITS) ||
                back_count == HEAP_OBJECT_UNITS) {
                buf_done(&name);
                break;
            }
            if (from_back) {
                back_units += units + (back_units > 1 ? 2 : 0);
                back[back_count++] = e;
            } else {
                buf_text(out, front_units > 1 ? ", " : "");
                front_units += units + (front_units > 1 ? 2 : 0);
                buf_append(out, name.p, name.len);
            }
        }
        if (from_back)
            end--;
        else
            begin++;
        if (is_shown(h, e))
            from_back = !from_back;
        buf_done(&name);
    }
    buf_text(out, begin < end ? ", \xE2\x80\xA6" : "");
    buf_text(out, back_units > 1 ? ", " : "");
    for (size_t i = back_count; i-- > 0;) {
        heap_property_name(heap_string(h, h->edge_name[back[i]]), out);
        buf_text(out, i > 0 ? ", " : "");
    }
    buf_byte(out, '}');
}

void
heap_node_name(const struct gbx_heap *h, uint32_t node, struct buf *out)
{
    struct span raw = heap_raw_name(h, node);

    if (h->node_type[node] == NODE_CONS)
        put_concatenated(h, node, out);
    else if (heap_is_plain(h, node))
        put_plain(h, node, out);
    else
        buf_append(out, raw.p, raw.len);
}

uint32_t
heap_find_string(const struct gbx_heap *h, const char *text)
{
    for (uint32_t i = 0; i < h->strings.count; i++)
        if (span_is(heap_string(h, i), text))
            return i;
    return NO_STRING;
}

int64_t
heap_internal_target(const struct gbx_heap *h, uint32_t v, uint32_t name)
{
    for (uint32_t e = h->first_edge[v], end = h->first_edge[v + 1]; e < end; e++)
        if (h->edge_name[e] == name && h->edge_type[e] == EDGE_INTERNAL)
            return h->edge_to[e];
    return -1;
}
