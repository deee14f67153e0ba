#include "heap/write.h"

#include "base/check.h"
#include "base/error.h"
#include "heap/packer.h"

#include <stdio.h>
#include <stdlib.h>

struct writer {
    const struct gbx_heap *h;
    const struct heap_part *part;
    const gbx_heap_options *options;
    struct packer packer;
    uint8_t *window; /* HEAP_WINDOW_BYTES of what was not put yet */
    size_t len;
    uint64_t done, told;
    uint32_t *string_of; /* by string: its number in what is written, + 1 */
    uint32_t *strings;   /* those, in order */
    uint32_t string_count;
    gbx_status status;
    gbx_error *error;
};

enum {
    TOKEN_MAX = 64 /* bytes that are put at a time: a number of 64 bits, a few escapes */
};

static void
flush(struct writer *w, bool last)
{
    const gbx_heap_options *o = w->options;

    if (w->status == GBX_OK)
        w->status = packer_put(&w->packer, w->window, w->len, last, w->error);
    w->done += w->len;
    w->len = 0;
    if (w->status == GBX_OK && o->progress != NULL &&
        w->done - w->told >= HEAP_PROGRESS_BYTES) {
        w->told = w->done;
        if (o->progress("writing", w->done, 0, o->data) != 0)
            w->status = fail(w->error, GBX_ETERMINATED, "given up");
    }
}

static uint8_t *
room(struct writer *w)
{
    if (w->len + TOKEN_MAX > HEAP_WINDOW_BYTES)
        flush(w, false);
    return w->window + w->len;
}

static void
put_text(struct writer *w, const char *text)
{
    for (size_t len = strlen(text); len > 0;) {
        size_t n = len < TOKEN_MAX ? len : TOKEN_MAX;
        memcpy(room(w), text, n);
        w->len += n;
        text += n;
        len -= n;
    }
}

static void
put_number(struct writer *w, uint64_t n, char after)
{
    uint8_t digits[24], *to = room(w);
    size_t count = 0;

    do
        digits[count++] = (uint8_t)('0' + n % 10);
    while ((n /= 10) > 0);
    for (size_t i = 0; i < count; i++)
        to[i] = digits[count - 1 - i];
    to[count] = (uint8_t)after;
    w->len += count + 1;
}

/* The last number of a row has no comma behind it; there was one if anything was put. */
static void
end_row(struct writer *w, bool any)
{
    w->len -= any ? 1 : 0;
    put_text(w, "],\n");
}

/* --- strings ---------------------------------------------------------------------------- */

static uint32_t
string_number(struct writer *w, uint32_t string)
{
    if (w->string_of[string] == 0) {
        w->strings[w->string_count] = string;
        w->string_of[string] = ++w->string_count;
    }
    return w->string_of[string] - 1;
}

static void
put_unit(struct writer *w, uint32_t unit)
{
    static const char hex[] = "0123456789ABCDEF";
    uint8_t *to = room(w);

    to[0] = '\\';
    to[1] = 'u';
    for (int i = 0; i < 4; i++)
        to[2 + i] = (uint8_t)hex[unit >> (12 - 4 * i) & 15];
    w->len += 6;
}

/* The character that begins at `p`; WTF-8 that was read or made here is well formed. */
static size_t
put_wide(struct writer *w, const uint8_t *p)
{
    size_t n = *p >= 0xF0 ? 4 : *p >= 0xE0 ? 3 : 2;
    uint32_t code = *p & (0x7Fu >> n);

    for (size_t i = 1; i < n; i++)
        code = code << 6 | (p[i] & 0x3F);
    if (n < 4) {
        put_unit(w, code);
    } else {
        put_unit(w, 0xD800 + ((code - 0x10000) >> 10));
        put_unit(w, 0xDC00 + ((code - 0x10000) & 0x3FF));
    }
    return n;
}

/* In ASCII, as V8 writes it. */
static void
put_string(struct writer *w, struct span s)
{
    put_text(w, "\"");
    for (size_t i = 0; i < s.len;) {
        uint8_t c = s.p[i];
        if (c >= 0x80) {
            i += put_wide(w, s.p + i);
            continue;
        }
        if (c < ' ') {
            put_unit(w, c);
        } else {
            uint8_t *to = room(w);
            bool escaped = c == '"' || c == '\\';
            to[0] = '\\';
            to[escaped] = c;
            w->len += escaped ? 2 : 1;
        }
        i++;
    }
    put_text(w, "\"");
}

static void
put_strings(struct writer *w)
{
    put_text(w, "\"strings\":[");
    for (uint32_t i = 0; i < w->string_count && w->status == GBX_OK; i++) {
        struct buf text = { .max = UINT32_MAX };
        put_text(w, i > 0 ? ",\n" : "");
        if (w->part->text == NULL) {
            put_string(w, heap_string(w->h, w->strings[i]));
        } else if (w->part->text(w->part->data, w->strings[i], &text)) {
            put_string(w, buf_span(&text));
        } else {
            w->status = fail(w->error, GBX_ENOMEM, "out of memory");
        }
        buf_done(&text);
    }
    put_text(w, "]}");
}

/* --- the other sections ----------------------------------------------------------------- */

static void
put_types(struct writer *w, const struct layout *layout)
{
    for (uint32_t i = 0; i < layout->types; i++) {
        put_text(w, i > 0 ? ",\"" : "[[\"");
        put_text(w, layout->type_names[i]); /* as JSON has it */
        put_text(w, "\"");
    }
    put_text(w, "]");
}

static void
put_header(struct writer *w, uint64_t nodes, uint64_t edges)
{
    bool detached = w->part->detachedness;

    put_text(w, "{\"snapshot\":{\"meta\":{\"node_fields\":[\"type\",\"name\",\"id\","
                "\"self_size\",\"edge_count\"");
    put_text(w, detached ? ",\"detachedness\"" : "");
    put_text(w, "],\"node_types\":");
    put_types(w, &w->h->node_layout);
    put_text(w, ",\"string\",\"number\",\"number\",\"number\"");
    put_text(w, detached ? ",\"number\"" : "");
    put_text(w, "],\"edge_fields\":[\"type\",\"name_or_index\",\"to_node\"],\"edge_types\":");
    put_types(w, &w->h->edge_layout);
    put_text(w, ",\"string_or_number\",\"node\"],"
                "\"trace_function_info_fields\":[\"function_id\",\"name\",\"script_name\","
                "\"script_id\",\"line\",\"column\"],"
                "\"trace_node_fields\":[\"id\",\"function_info_index\",\"count\",\"size\","
                "\"children\"],\"sample_fields\":[\"timestamp_us\",\"last_assigned_id\"],"
                "\"location_fields\":[\"object_index\",\"script_id\",\"line\",\"column\"]},"
                "\"node_count\":");
    put_number(w, nodes, ',');
    put_text(w, "\"edge_count\":");
    put_number(w, edges, ',');
    put_text(w, "\"trace_function_count\":0,\"extra_native_bytes\":");
    put_number(w, w->part->extra_native_bytes, '}');
    put_text(w, ",\n\"nodes\":[");
}

static uint32_t
node_at(const struct writer *w, uint32_t i)
{
    return w->part->nodes == NULL ? i : w->part->nodes[i];
}

/* Its number in what is written, or -1. */
static int64_t
number_of(const struct writer *w, uint32_t v)
{
    return w->part->nodes == NULL ? (int64_t)v : (int64_t)w->part->number_of[v] - 1;
}

static uint32_t
edges_of(const struct writer *w, uint32_t v)
{
    const struct gbx_heap *h = w->h;
    uint32_t count = 0;

    for (uint32_t e = h->first_edge[v]; e < h->first_edge[v + 1]; e++)
        count += number_of(w, h->edge_to[e]) >= 0;
    return count;
}

static void
put_nodes(struct writer *w, uint32_t count)
{
    const struct gbx_heap *h = w->h;

    for (uint32_t i = 0; i < count && w->status == GBX_OK; i++) {
        uint32_t v = node_at(w, i);
        put_number(w, h->node_type[v], ',');
        put_number(w, string_number(w, h->node_name[v]), ',');
        put_number(w, h->node_id[v], ',');
        put_number(w, h->shallow[v], ',');
        put_number(w, edges_of(w, v), ',');
        if (w->part->detachedness)
            put_number(w, h->detached[v], ',');
    }
    end_row(w, count > 0);
}

static void
put_edges(struct writer *w, uint32_t count, uint32_t fields)
{
    const struct gbx_heap *h = w->h;
    bool any = false;

    put_text(w, "\"edges\":[");
    for (uint32_t i = 0; i < count && w->status == GBX_OK; i++) {
        uint32_t v = node_at(w, i);
        for (uint32_t e = h->first_edge[v]; e < h->first_edge[v + 1]; e++) {
            int64_t to = number_of(w, h->edge_to[e]);
            if (to < 0)
                continue;
            uint32_t name = h->edge_name[e];
            put_number(w, h->edge_type[e], ',');
            put_number(w, edge_is_named(h->edge_type[e]) ? string_number(w, name) : name, ',');
            put_number(w, (uint64_t)to * fields, ',');
            any = true;
        }
    }
    end_row(w, any);
}

static void
put_locations(struct writer *w, uint32_t fields)
{
    const struct gbx_heap *h = w->h;
    bool any = false;

    put_text(w, "\"trace_function_infos\":[],\n\"trace_tree\":[],\n\"samples\":[],\n"
                "\"locations\":[");
    for (uint32_t i = 0; i < h->location_count && w->status == GBX_OK; i++) {
        const struct location *l = &h->locations[i];
        int64_t v = number_of(w, l->node);
        if (v < 0)
            continue;
        put_number(w, (uint64_t)v * fields, ',');
        put_number(w, l->script, ',');
        put_number(w, l->line, ',');
        put_number(w, l->column, ',');
        any = true;
    }
    end_row(w, any);
}

static void
put_all(struct writer *w)
{
    uint32_t nodes = w->part->nodes == NULL ? w->h->node_count : w->part->node_count;
    uint32_t fields = w->part->detachedness ? 6 : 5;
    uint64_t edges = 0;

    for (uint32_t i = 0; i < nodes; i++)
        edges += edges_of(w, node_at(w, i));
    put_header(w, nodes, edges);
    put_nodes(w, nodes);
    put_edges(w, nodes, fields);
    put_locations(w, fields);
    put_strings(w);
    flush(w, true);
}

gbx_status
heap_write(const struct gbx_heap *h, const struct heap_part *part, int fd,
    const gbx_heap_options *options, gbx_error *error)
{
    struct writer w = { .h = h, .part = part, .options = options, .error = error };
    uint32_t strings = h->strings.count;

    w.status = packer_open(&w.packer, fd, (options->flags & GBX_HEAP_PACKED) != 0, error);
    w.window = malloc(HEAP_WINDOW_BYTES);
    w.string_of = memory_new(strings, sizeof *w.string_of);
    w.strings = memory_new(strings, sizeof *w.strings);
    if (w.status == GBX_OK && (w.window == NULL || w.string_of == NULL || w.strings == NULL))
        w.status = fail(error, GBX_ENOMEM, "out of memory");
    if (w.status == GBX_OK)
        put_all(&w);
    packer_close(&w.packer);
    free(w.window);
    memory_free(w.string_of, strings, sizeof *w.string_of);
    memory_free(w.strings, strings, sizeof *w.strings);
    return w.status;
}
