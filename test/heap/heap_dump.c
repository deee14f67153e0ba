/* heap_dump.c - all that libglovebox-heap says of a snapshot, for oracle.mjs to compare.
 *
 * usage: heap_dump FILE NUMBERS [CURRENT]
 *
 * NUMBERS gets six little-endian numbers of 64 bits for each node: shallow, retained, distance,
 * dominator, class, native context. Standard output gets lines of JSON: totals, classes, a row
 * of the summary each, duplicated strings, names of some nodes, and with CURRENT the rows of a
 * comparison.
 */
#include <glovebox/heap.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
fail(const char *what, gbx_error *error)
{
    (void)fprintf(
        stderr, "heap_dump: %s: %s\n", what, error == NULL ? "failed" : error->message);
    exit(1);
}

/* A text as JSON. What is no character is left out of the comparison by the other side as well. */
static void
put_text(const char *text, uint64_t len)
{
    (void)putchar('"');
    for (uint64_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < ' ' || c == '"' || c == '\\')
            (void)printf("\\u%04x", c);
        else
            (void)putchar(c);
    }
    (void)putchar('"');
}

static void
put_name(const gbx_heap *heap, uint32_t number,
    uint64_t (*name)(const gbx_heap *, uint32_t, char *, uint64_t))
{
    uint64_t len = name(heap, number, NULL, 0);
    char *text = malloc(len + 1);

    if (text == NULL)
        fail("malloc", NULL);
    (void)name(heap, number, text, len + 1);
    put_text(text, len);
    free(text);
}

static void
put_numbers(gbx_heap *heap, uint32_t nodes, const char *path)
{
    FILE *file = fopen(path, "wb");

    if (file == NULL)
        fail(path, NULL);
    for (uint32_t v = 0; v < nodes; v++) {
        gbx_heap_node n;
        if (gbx_heap_get_node(heap, v, &n) != GBX_OK)
            fail("gbx_heap_get_node", NULL);
        int64_t row[6] = { (int64_t)n.shallow, (int64_t)n.retained, n.distance, n.dominator,
            n.class_index, gbx_heap_context(heap, v) };
        (void)fwrite(row, sizeof row, 1, file);
    }
    if (fclose(file) != 0)
        fail(path, NULL);
}

static void
put_totals(gbx_heap *heap, gbx_heap_totals *t)
{
    if (gbx_heap_get_totals(heap, t) != GBX_OK)
        fail("gbx_heap_get_totals", NULL);
    (void)printf("{\"kind\":\"totals\",\"nodes\":%u,\"edges\":%u,\"total\":%" PRIu64
                 ",\"extraNative\":%" PRIu64 ",\"native\":%" PRIu64 ",\"typedArrays\":%" PRIu64
                 ",\"code\":%" PRIu64 ",\"strings\":%" PRIu64 ",\"jsArrays\":%" PRIu64
                 ",\"system\":%" PRIu64 "}\n",
        t->nodes, t->edges, t->total, t->extra_native, t->native, t->typed_arrays, t->code,
        t->strings_bytes, t->arrays, t->system);
    for (uint32_t i = 0; i < t->classes; i++) {
        (void)printf("{\"kind\":\"class\",\"class\":%u,\"name\":", i);
        put_name(heap, i, gbx_heap_class_name);
        (void)printf("}\n");
    }
}

static void
put_summary(gbx_heap *heap)
{
    const gbx_heap_class *rows;
    uint32_t count;

    if (gbx_heap_summary(heap, &rows, &count) != GBX_OK)
        fail("gbx_heap_summary", NULL);
    for (uint32_t i = 0; i < count; i++) {
        const gbx_heap_class *c = &rows[i];
        (void)printf("{\"kind\":\"row\",\"name\":");
        put_name(heap, c->class_index, gbx_heap_class_name);
        (void)printf(",\"count\":%u,\"shallow\":%" PRIu64 ",\"retained\":%" PRIu64
                     ",\"distance\":%d,\"script\":%u,\"line\":%u,\"column\":%u}\n",
            c->count, c->shallow, c->retained, c->distance, c->script, c->line, c->column);
    }
}

static void
put_strings(gbx_heap *heap)
{
    gbx_heap_same *rows;
    uint32_t count;

    if (gbx_heap_duplicates(heap, &rows, &count) != GBX_OK)
        fail("gbx_heap_duplicates", NULL);
    for (uint32_t i = 0; i < count; i++) {
        (void)printf("{\"kind\":\"same\",\"text\":");
        put_name(heap, rows[i].node, gbx_heap_node_name);
        (void)printf(",\"count\":%u,\"shallow\":%" PRIu64 ",\"retained\":%" PRIu64 "}\n",
            rows[i].count, rows[i].shallow, rows[i].retained);
    }
    free(rows);
}

/* Some thousand, spread over the file. */
static void
put_names(gbx_heap *heap, uint32_t nodes)
{
    for (uint32_t v = 0; v < nodes; v += 1 + nodes / 5000) {
        (void)printf("{\"kind\":\"name\",\"node\":%u,\"name\":", v);
        put_name(heap, v, gbx_heap_node_name);
        (void)printf("}\n");
    }
}

static void
put_diff(gbx_heap *base, const char *path)
{
    gbx_heap *current = NULL;
    gbx_error error = GBX_ERROR_INIT;
    gbx_heap_change *rows;
    uint32_t count;

    if (gbx_heap_open_file(path, NULL, &current, &error) != GBX_OK)
        fail(path, &error);
    if (gbx_heap_diff(base, current, &rows, &count) != GBX_OK)
        fail("gbx_heap_diff", NULL);
    for (uint32_t i = 0; i < count; i++) {
        gbx_heap_change *c = &rows[i];
        (void)printf("{\"kind\":\"change\",\"name\":");
        put_name(c->in_base != 0 ? base : current, c->class_index, gbx_heap_class_name);
        (void)printf(",\"added\":%u,\"removed\":%u,\"addedBytes\":%" PRIu64
                     ",\"removedBytes\":%" PRIu64 "}\n",
            c->added, c->removed, c->added_bytes, c->removed_bytes);
    }
    free(rows);
    gbx_heap_close(current);
}

int
main(int argc, char **argv)
{
    gbx_heap *heap = NULL;
    gbx_error error = GBX_ERROR_INIT;
    gbx_heap_totals totals;

    if (argc < 3)
        fail("usage: heap_dump FILE NUMBERS [CURRENT]", NULL);
    if (gbx_heap_open_file(argv[1], NULL, &heap, &error) != GBX_OK)
        fail(argv[1], &error);
    put_totals(heap, &totals);
    put_numbers(heap, totals.nodes, argv[2]);
    put_summary(heap);
    put_strings(heap);
    put_names(heap, totals.nodes);
    if (argc > 3)
        put_diff(heap, argv[3]);
    gbx_heap_close(heap);
    return 0;
}
