/* test_heap.c - what the loader takes, what it refuses and how it says so; and the reader of
 * numbers by blocks beside the plain one. */
#include "base/buf.h"
#include "heap/heap.h"
#include "heap/integers.h"
#include "unit/faults.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <glovebox/heap_series.h>
#include <glovebox/heap_write.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

#define META                                                                                  \
    "\"meta\":{\"node_fields\":[\"type\",\"name\",\"id\",\"self_size\",\"edge_count\"],"      \
    "\"node_types\":[[\"hidden\",\"array\",\"string\",\"object\",\"synthetic\"],\"string\","  \
    "\"number\",\"number\",\"number\"],\"edge_fields\":[\"type\",\"name_or_index\",\"to_"     \
    "node\"],"                                                                                \
    "\"edge_types\":[[\"context\",\"element\",\"property\",\"internal\",\"shortcut\"],\"x\"," \
    "\"node\"],"                                                                              \
    "\"location_fields\":[\"object_index\",\"script_id\",\"line\",\"column\"]}"
#define HEADER \
    "{\"snapshot\":{" META ",\"node_count\":3,\"edge_count\":3,\"extra_native_bytes\":5},\n"
#define NODES "\"nodes\":[4,0,1,0,1,3,1,3,16,2,3,2,5,8,0],\n"
#define EDGES "\"edges\":[4,3,5,2,3,10,1,7,10],\n"
#define REST                                                                            \
    "\"trace_function_infos\":[],\"trace_tree\":[1,0,{\"x\":[[]]},true,null,-1.5e3],\n" \
    "\"samples\":[],\"locations\":[5,9,4,2],\n"
#define STRINGS "\"strings\":[\"\",\"Foo\",\"B\\u00e4r\\n\",\"\\ud83d\\ude00\"]}"
static const char whole[] = HEADER NODES EDGES REST STRINGS;

static gbx_status
open_bytes(const void *bytes, size_t len, gbx_heap **out, gbx_error *error)
{
    return gbx_heap_open_memory(bytes, len, NULL, out, error);
}

static void
refuses(const char *text, const char *part)
{
    gbx_heap *heap = NULL;
    gbx_error error = GBX_ERROR_INIT;

    cr_assert_eq(open_bytes(text, strlen(text), &heap, &error), GBX_EINVAL, "%s", text);
    cr_assert_null(heap);
    cr_assert_not_null(strstr(error.message, part), "%s, expected %s", error.message, part);
}

static gbx_heap *
opens(const void *bytes, size_t len)
{
    gbx_heap *heap = NULL;
    gbx_error error = GBX_ERROR_INIT;

    cr_assert_eq(open_bytes(bytes, len, &heap, &error), GBX_OK, "%s", error.message);
    return heap;
}

static void
is_whole(gbx_heap *heap)
{
    gbx_heap_node node;
    gbx_heap_totals totals;
    char name[32];

    cr_assert_eq(gbx_heap_get_totals(heap, &totals), GBX_OK);
    cr_assert_eq(totals.nodes, 3);
    cr_assert_eq(totals.total, 29);
    cr_assert_eq(gbx_heap_get_node(heap, 1, &node), GBX_OK);
    cr_assert_eq(node.shallow, 16);
    cr_assert_eq(node.retained, 24);
    cr_assert_eq(node.distance, 1);
    cr_assert_eq(node.line, 5);
    cr_assert_eq(gbx_heap_get_node(heap, 2, &node), GBX_OK);
    cr_assert_eq(node.dominator, 1);
    cr_assert_eq(gbx_heap_node_name(heap, 2, name, sizeof name), 5);
    cr_assert_str_eq(name, "B\xC3\xA4r\n");
    cr_assert_eq(gbx_heap_edge_name(heap, 1, name, sizeof name), 5);
    cr_assert_str_eq(name, ".\xF0\x9F\x98\x80");
    /* Cut where a character ends. */
    cr_assert_eq(gbx_heap_edge_name(heap, 1, name, 4), 5);
    cr_assert_str_eq(name, ".");
}

Test(heap, a_small_snapshot_is_read)
{
    gbx_heap *heap = opens(whole, sizeof whole - 1);

    is_whole(heap);
    gbx_heap_close(heap);
    gbx_heap_close(NULL);
}

Test(heap, every_truncation_is_an_error)
{
    for (size_t len = 0; len < sizeof whole - 1; len++) {
        gbx_heap *heap = NULL;
        gbx_error error = GBX_ERROR_INIT;
        /* A copy of its own length, so that a read past it is seen. */
        char *part = malloc(len + 1);
        cr_assert_not_null(part);
        memcpy(part, whole, len);
        cr_assert_eq(open_bytes(part, len, &heap, &error), GBX_EINVAL, "%zu bytes", len);
        cr_assert_not_null(strstr(error.message, "byte "), "%s", error.message);
        free(part);
    }
}

Test(heap, zstd_is_unpacked_and_its_truncations_are_errors)
{
    size_t room = ZSTD_compressBound(sizeof whole);
    char *packed = malloc(room);
    cr_assert_not_null(packed);
    size_t len = ZSTD_compress(packed, room, whole, sizeof whole - 1, 3);

    cr_assert(!ZSTD_isError(len));
    gbx_heap *heap = opens(packed, len);
    is_whole(heap);
    gbx_heap_close(heap);
    for (size_t cut = 0; cut < len; cut++) {
        gbx_error error = GBX_ERROR_INIT;
        heap = NULL;
        cr_assert_eq(open_bytes(packed, cut, &heap, &error), GBX_EINVAL, "%zu bytes", cut);
    }
    free(packed);
}

Test(heap, blanks_are_fine_wherever_json_has_them)
{
    struct buf text = { .max = 1 << 20 };
    bool quoted = false;

    for (const char *c = whole; *c != '\0'; c++) {
        quoted ^= *c == '"';
        if (!quoted && strchr("{}[],:", *c) != NULL)
            buf_printf(&text, " \n%c\r\t", *c);
        else
            buf_byte(&text, (uint8_t)*c);
    }
    gbx_heap *heap = opens(text.p, text.len);
    is_whole(heap);
    gbx_heap_close(heap);
    buf_done(&text);
}

Test(heap, fields_may_come_in_any_order_and_be_new)
{
    static const char text[] =
        "{\"new\":{\"a\":[1,{}]},\"strings\":[\"\",\"Foo\",\"x\"],\"snapshot\":{\"node_count\":"
        "2,\"edge_count\":1,"
        "\"meta\":{\"edge_fields\":[\"new\",\"to_node\",\"name_or_index\",\"type\"],"
        "\"edge_types\":[\"y\",\"node\",\"x\",[\"weak\",\"shortcut\"]],"
        "\"node_fields\":[\"edge_count\",\"new\",\"self_size\",\"id\",\"name\",\"type\"],"
        "\"node_types\":[[\"of the future\",\"synthetic\",\"object\"]]}},"
        "\"edges\":[77,6,2,1],\"nodes\":[1,9,0,1,0,1,0,9,4294967301,3,1,2]}";
    gbx_heap *heap = opens(text, sizeof text - 1);
    gbx_heap_node node;
    gbx_heap_edge edge;

    cr_assert_eq(gbx_heap_get_node(heap, 1, &node), GBX_OK);
    cr_assert_str_eq(node.type, "object");
    cr_assert_eq(node.shallow, 4294967301);
    cr_assert_eq(node.retained, 4294967301);
    cr_assert_eq(gbx_heap_get_edge(heap, 0, &edge), GBX_OK);
    cr_assert_str_eq(edge.type, "shortcut");
    cr_assert_eq(edge.to, 1);
    gbx_heap_close(heap);
}

Test(heap, what_is_wrong_is_named_with_its_place)
{
    refuses("", "byte 0");
    refuses("[]", "byte 0: expected '{'");
    refuses("{}", "byte 1");
    refuses(HEADER NODES EDGES REST STRINGS "x", "something follows");
    refuses(HEADER NODES NODES EDGES REST STRINGS, "nodes: byte");
    refuses(HEADER HEADER NODES EDGES REST STRINGS, "expected");
    refuses(HEADER EDGES REST STRINGS, "the section nodes is missing");
    refuses("{" NODES EDGES REST STRINGS, "comes before the section snapshot");
    refuses(HEADER "\"nodes\":[4,0,1,0,1,3,1,3,16,2],\n" EDGES REST STRINGS, "fewer nodes");
    refuses(HEADER "\"nodes\":[4,0,1,0,1,3,1,3,16,2,3,2,5,8,0,3,2,5,8,0],\n" EDGES REST STRINGS,
        "more nodes than the header says");
    refuses(HEADER "\"nodes\":[4,0,1,0,1,3,1,3,16,2,3,2,5,8],\n" EDGES REST STRINGS, "cut");
    refuses(HEADER "\"nodes\":[4,0,1,0,1,3,1,3,16,2,3,2,5,8,1],\n" EDGES REST STRINGS,
        "more edges than the header says");
    refuses(HEADER "\"nodes\":[4,0,1,0,1,3,1,3,16,1,3,2,5,8,0],\n" EDGES REST STRINGS,
        "fewer edges than the header says");
    refuses(HEADER "\"nodes\":[5,0,1,0,1,3,1,3,16,2,3,2,5,8,0],\n" EDGES REST STRINGS,
        "type of node");
    refuses(HEADER "\"nodes\":[4,9,1,0,1,3,1,3,16,2,3,2,5,8,0],\n" EDGES REST STRINGS,
        "name is string 9 of 4");
    refuses(HEADER "\"nodes\":[4,0,4294967296,0,1,3,1,3,16,2,3,2,5,8,0],\n" EDGES REST STRINGS,
        "too large");
    refuses(HEADER "\"nodes\":[4,0,1,0,1,3,,1,3,16,2,3,2,5,8,0],\n" EDGES REST STRINGS,
        "expected a number");
    refuses(HEADER "\"nodes\":[4,0,1,0,1,3,1,3,16,2,3,2,5,8,0,],\n" EDGES REST STRINGS,
        "expected a number before ]");
    refuses(HEADER "\"nodes\":[4,0,-1,0,1,3,1,3,16,2,3,2,5,8,0],\n" EDGES REST STRINGS,
        "expected a number");
    refuses(
        HEADER NODES "\"edges\":[4,3,5,2,3,11,1,7,10],\n" REST STRINGS, "no node's beginning");
    refuses(
        HEADER NODES "\"edges\":[4,3,5,2,3,15,1,7,10],\n" REST STRINGS, "no node's beginning");
    refuses(HEADER NODES "\"edges\":[4,3,5,2,4,10,1,7,10],\n" REST STRINGS,
        "name is string 4 of 4");
    refuses(HEADER NODES "\"edges\":[4,3,5,5,3,10,1,7,10],\n" REST STRINGS, "type of edge");
    refuses(
        HEADER NODES EDGES "\"locations\":[3,1,1,1]," STRINGS, "a location of what is no node");
    refuses(HEADER NODES EDGES REST "\"strings\":[\"\",\"a\\x\",\"\",\"\"]}", "escape");
    refuses(
        HEADER NODES EDGES REST "\"strings\":[\"\",\"a\n\",\"\",\"\"]}", "control character");
    refuses(HEADER NODES EDGES REST "\"strings\":[\"\",\"\xC0\x80\",\"\",\"\"]}", "not UTF-8");
    refuses(
        HEADER NODES EDGES REST "\"strings\":[\"\",\"\xED\xA0\x80\",\"\",\"\"]}", "not UTF-8");
    refuses("{\"snapshot\":{" META ",\"node_count\":900,\"edge_count\":3}," NODES EDGES STRINGS,
        "more nodes than the file can hold");
    refuses("{\"snapshot\":{" META
            ",\"node_count\":3,\"edge_count\":4294967000}," NODES EDGES STRINGS,
        "more edges than the file can hold");
}

Test(heap, the_byte_is_the_one_that_is_wrong)
{
    static const char text[] =
        HEADER "\"nodes\":[4,0,1,0,1,3,1,3,16,2,9,2,5,8,0],\n" EDGES REST STRINGS;
    gbx_heap *heap = NULL;
    gbx_error error = GBX_ERROR_INIT;
    char place[32];

    (void)snprintf(place, sizeof place, "byte %zu:", (size_t)(strstr(text, "9,2,5,8") - text));
    cr_assert_eq(open_bytes(text, sizeof text - 1, &heap, &error), GBX_EINVAL);
    cr_assert_not_null(strstr(error.message, place), "%s, expected %s", error.message, place);
}

static int32_t
give_up(const char *section, uint64_t done, uint64_t total, void *data)
{
    (void)section;
    ++*(int *)data;
    return done >= total / 2;
}

Test(heap, of_two_locations_of_a_node_the_later_one_counts)
{
    static const char text[] =
        HEADER NODES EDGES "\"locations\":[10,1,1,1,5,2,2,2,10,3,3,3,5,4,4,4]," STRINGS;
    gbx_heap *heap = opens(text, sizeof text - 1);

    cr_assert_eq(heap->location_count, 2);
    cr_assert(heap->locations[0].node == 1 && heap->locations[0].script == 4);
    cr_assert(heap->locations[1].node == 2 && heap->locations[1].script == 3);
    gbx_heap_close(heap);
}

Test(heap, progress_may_give_up)
{
    gbx_heap_options options = GBX_HEAP_OPTIONS_INIT;
    gbx_error error = GBX_ERROR_INIT;
    gbx_heap *heap = NULL;
    size_t len = 20 << 20;
    char *text = malloc(len);
    int calls = 0;

    cr_assert_not_null(text);
    memset(text, ' ', len);
    options.progress = give_up;
    options.data = &calls;
    cr_assert_eq(gbx_heap_open_memory(text, len, &options, &heap, &error), GBX_ETERMINATED);
    cr_assert_gt(calls, 0);
    options.flags = 2;
    cr_assert_eq(gbx_heap_open_memory(text, len, &options, &heap, &error), GBX_EINVAL);
    free(text);
}

static bool
ask_series(gbx_heap *heap)
{
    gbx_heap_series *series = NULL;
    const gbx_heap_trend *rows = NULL;
    uint32_t count = 0, points = 0;

    if (gbx_heap_series_open(&series) != GBX_OK)
        return false;
    bool ok = gbx_heap_series_add(series, heap) == GBX_OK &&
              gbx_heap_series_add(series, heap) == GBX_OK &&
              gbx_heap_series_trends(series, &rows, &count, &points) == GBX_OK;
    gbx_heap_series_close(series);
    return ok;
}

/* Redacted and sliced; what comes of it is a snapshot like any other. */
static bool
write_all(gbx_heap *heap)
{
    static const uint8_t key[GBX_HEAP_KEY_BYTES] = { 1 };
    gbx_heap_options options = GBX_HEAP_OPTIONS_INIT;
    gbx_error error = GBX_ERROR_INIT;
    int from = memfd_create("from", MFD_CLOEXEC), to = memfd_create("to", MFD_CLOEXEC);

    cr_assert(from >= 0 && to >= 0);
    cr_assert_eq(write(from, whole, sizeof whole - 1), sizeof whole - 1);
    cr_assert_eq(lseek(from, 0, SEEK_SET), 0);
    gbx_status status = gbx_heap_redact(from, to, key, &options, &error);
    options.flags = GBX_HEAP_PACKED;
    if (status == GBX_OK)
        status = gbx_heap_slice(heap, 1, 0, to, &options, &error);
    cr_assert(status == GBX_OK || status == GBX_ENOMEM, "%s", error.message);
    (void)close(from);
    (void)close(to);
    return status == GBX_OK;
}

Test(heap, what_is_written_is_read_again_and_refused_as_any)
{
    gbx_heap *heap = opens(whole, sizeof whole - 1), *part = NULL;
    gbx_error error = GBX_ERROR_INIT;
    gbx_heap_totals totals;
    gbx_heap_node node;
    int to = memfd_create("to", MFD_CLOEXEC), broken = memfd_create("cut", MFD_CLOEXEC);

    cr_assert(to >= 0 && broken >= 0);
    cr_assert_eq(gbx_heap_slice(heap, 1, 0, to, NULL, &error), GBX_OK, "%s", error.message);
    cr_assert_eq(lseek(to, 0, SEEK_SET), 0);
    cr_assert_eq(gbx_heap_open_fd(to, NULL, &part, &error), GBX_OK, "%s", error.message);
    cr_assert_eq(gbx_heap_get_totals(part, &totals), GBX_OK);
    cr_assert_eq(totals.nodes, 3);
    cr_assert_eq(gbx_heap_get_node(part, 1, &node), GBX_OK);
    cr_assert_eq(node.retained, 24);
    cr_assert_eq(node.line, 5);
    gbx_heap_close(part);
    cr_assert_eq(gbx_heap_slice(heap, 3, 0, to, NULL, &error), GBX_EINVAL);
    cr_assert_eq(gbx_heap_slice(heap, 1, 0, -1, NULL, &error), GBX_ESYS);
    cr_assert_eq(write(broken, whole, 100), 100);
    cr_assert_eq(lseek(broken, 0, SEEK_SET), 0);
    cr_assert_eq(gbx_heap_redact(broken, to, NULL, NULL, &error), GBX_EINVAL);
    cr_assert_eq(gbx_heap_redact(-1, to, NULL, NULL, &error), GBX_ESYS);
    (void)close(to);
    (void)close(broken);
    gbx_heap_close(heap);
}

/* All that is asked of a heap; false: one of it was out of memory. */
static bool
ask_all(gbx_heap *heap)
{
    gbx_heap_totals totals;
    const gbx_heap_class *rows = NULL;
    const uint32_t *nodes = NULL;
    gbx_heap_same *same = NULL;
    gbx_heap_change *changes = NULL;
    gbx_heap_closure *closures = NULL;
    gbx_heap_collection *collections = NULL;
    uint32_t *path = NULL, *large = NULL, count = 0, node = 0;
    bool ok = gbx_heap_get_totals(heap, &totals) == GBX_OK &&
              gbx_heap_summary(heap, &rows, &count) == GBX_OK &&
              gbx_heap_dominated(heap, 0, &nodes, &count) == GBX_OK &&
              gbx_heap_find(heap, 5, &node) == GBX_OK &&
              gbx_heap_path(heap, 2, &path, &count) == GBX_OK;

    free(path);
    if (ok && gbx_heap_duplicates(heap, &same, &count) != GBX_OK)
        ok = false;
    free(same);
    if (ok && gbx_heap_diff(heap, heap, &changes, &count) != GBX_OK)
        ok = false;
    free(changes);
    if (ok && gbx_heap_closures(heap, &closures, &count) != GBX_OK)
        ok = false;
    free(closures);
    if (ok && gbx_heap_collections(heap, &collections, &count) != GBX_OK)
        ok = false;
    free(collections);
    if (ok && gbx_heap_large_strings(heap, 0, &large, &count) != GBX_OK)
        ok = false;
    free(large);
    return ok && ask_series(heap) && write_all(heap);
}

Test(heap, every_allocation_may_fail_and_nothing_leaks)
{
    bool failed = true;
    int opened = 0;

    for (long spared = 0; failed; spared++) {
        long blocks = fault_blocks();
        gbx_heap *heap = NULL;
        gbx_error error = GBX_ERROR_INIT;
        fault_arm(FAULT_MEMORY, spared, true, ENOMEM);
        gbx_status status = open_bytes(whole, sizeof whole - 1, &heap, &error);
        bool asked = status == GBX_OK && ask_all(heap);
        failed = fault_disarm();
        if (failed)
            cr_assert(!asked && (status == GBX_OK || status == GBX_ENOMEM), "%ld: %s", spared,
                error.message);
        else
            cr_assert(asked);
        /* What could not be made is made when it is asked for again. */
        cr_assert(status != GBX_OK || ask_all(heap), "%ld", spared);
        opened += status == GBX_OK;
        gbx_heap_close(heap);
        cr_assert_eq(fault_blocks(), blocks, "%ld: %ld blocks are left", spared,
            fault_blocks() - blocks);
    }
    cr_assert_gt(opened, 5);
}

/* --- series ----------------------------------------------------------------------------- */

/* As `whole`, with as many objects of that name. */
static gbx_heap *
opens_objects(const char *name, int count, int size)
{
    struct buf text = { .max = 1 << 20 };

    buf_printf(&text,
        "{\"snapshot\":{" META ",\"node_count\":%d,\"edge_count\":%d},\n"
        "\"nodes\":[4,0,1,0,%d",
        count + 1, count, count);
    for (int i = 0; i < count; i++)
        buf_printf(&text, ",3,1,%d,%d,0", 3 + 2 * i, size);
    buf_text(&text, "],\n\"edges\":[");
    for (int i = 0; i < count; i++)
        buf_printf(&text, "%s1,0,%d", i > 0 ? "," : "", 5 * (i + 1));
    buf_printf(&text, "],\n\"strings\":[\"\",\"%s\"]}", name);
    gbx_heap *heap = opens(text.p, text.len);
    buf_done(&text);
    return heap;
}

static const gbx_heap_trend *
trend_of(const gbx_heap_series *series, const gbx_heap_trend *rows, uint32_t count,
    const char *class)
{
    char name[16];

    for (uint32_t i = 0; i < count; i++) {
        (void)gbx_heap_series_name(series, rows[i].class_index, name, sizeof name);
        if (strcmp(name, class) == 0)
            return &rows[i];
    }
    return NULL;
}

Test(series, classes_meet_by_name_and_have_a_slope)
{
    static const int counts[] = { 1, 2, 2, 5, 6 };
    gbx_heap_series *series = NULL;
    const gbx_heap_trend *rows = NULL, *row;
    uint32_t count = 0, points = 0;

    cr_assert_eq(gbx_heap_series_open(&series), GBX_OK);
    cr_assert_eq(gbx_heap_series_trends(series, &rows, &count, &points), GBX_OK);
    cr_assert_eq(count + points, 0);
    for (int i = 0; i < 5; i++) {
        gbx_heap *heap = opens_objects(i == 3 ? "Late" : "Foo", counts[i], 100);
        cr_assert_eq(gbx_heap_series_add(series, heap), GBX_OK);
        gbx_heap_close(heap);
    }
    cr_assert_eq(gbx_heap_series_trends(series, &rows, &count, &points), GBX_OK);
    cr_assert_eq(points, 5);
    row = trend_of(series, rows, count, "Foo");
    cr_assert_not_null(row);
    for (int i = 0; i < 5; i++) {
        uint64_t nodes = i == 3 ? 0 : (uint64_t)counts[i];
        cr_assert_eq(row->points[i].count, nodes);
        cr_assert_eq(row->points[i].shallow, nodes * 100);
        cr_assert_eq(row->points[i].retained, nodes * 100);
    }
    /* (-2 * 100 - 1 * 200 + 0 + 1 * 0 + 2 * 600) / 10 */
    cr_assert_eq(row->slope, 80);
    cr_assert_eq(row, rows);
    row = trend_of(series, rows, count, "Late");
    cr_assert_not_null(row);
    cr_assert_eq(row->points[3].count, 5);
    cr_assert_eq(row->slope, 50);
    cr_assert_eq(gbx_heap_series_name(series, UINT32_MAX, NULL, 0), 0);
    gbx_heap_series_close(series);
    gbx_heap_series_close(NULL);
}

/* --- numbers ---------------------------------------------------------------------------- */

static uint64_t state = 1;

static uint32_t
below(uint32_t n)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % n;
}

/* Rows as files have them, and rows with something in them that does not belong there. */
static void
make_row(struct buf *text)
{
    static const char wrong[] = " \n,-x.\"0";
    uint32_t numbers = below(200), odd = below(3) == 0 ? below(4) + 1 : 0;

    for (uint32_t i = 0; i < numbers; i++)
        buf_printf(text, "%u,", below(4) != 0 ? below(1000) : below(UINT32_MAX) >> below(20));
    for (; odd > 0 && text->len > 0; odd--)
        text->p[below((uint32_t)text->len)] = (uint8_t)wrong[below(sizeof wrong - 1)];
    if (below(2) == 0)
        buf_printf(text, "%u", below(100000));
}

static enum integers_end
read_row(integers_read read, const struct buf *text, uint32_t *out, struct integers *row)
{
    *row = (struct integers){ .p = text->p, .limit = text->p + text->len, .out = out };
    return read(row);
}

Test(integers, blocks_read_what_the_plain_loop_reads)
{
    static uint32_t plain_out[4096], best_out[4096];

    for (int round = 0; round < 20000; round++) {
        struct buf text = { .max = 1 << 16 };
        struct integers plain, best;
        make_row(&text);
        uint32_t len = (uint32_t)text.len;
        cr_assert_not_null(buf_grow(&text, 64)); /* what may be read past the end */
        memset(text.p + len, '7', 64);
        text.len = len;
        enum integers_end plain_end = read_row(integers_read_plain, &text, plain_out, &plain);
        enum integers_end best_end = read_row(integers_best(), &text, best_out, &best);
        cr_assert_eq(plain_end, best_end);
        cr_assert_eq(plain.p, best.p);
        cr_assert_eq(plain.count, best.count);
        cr_assert_eq(plain.after_number, best.after_number);
        cr_assert_eq(memcmp(plain_out, best_out, plain.count * sizeof *plain_out), 0);
        buf_done(&text);
    }
}

Test(integers, the_plain_loop_reads_what_printf_wrote)
{
    static uint32_t out[4096], wanted[1000];
    struct buf text = { .max = 1 << 16 };
    struct integers row;

    for (size_t i = 0; i < 1000; i++) {
        wanted[i] = below(UINT32_MAX) >> below(32);
        buf_printf(&text, "%u%s", wanted[i], i < 999 ? "," : "");
    }
    cr_assert_eq(read_row(integers_read_plain, &text, out, &row), INTEGERS_DONE);
    cr_assert_eq(row.count, 1000);
    cr_assert_eq(memcmp(out, wanted, sizeof wanted), 0);
    buf_done(&text);
    buf_text(&text, "1,4294967295,4294967296,5");
    cr_assert_eq(read_row(integers_read_plain, &text, out, &row), INTEGERS_WIDE);
    cr_assert_eq(row.count, 2);
    cr_assert_eq(*row.p, '4');
    buf_done(&text);
}
