/* test_row.c - snapshots that are large enough to be read by two threads: what is wrong in them is
 * told as it is with one, and nothing is lost between the two. */
#include "base/buf.h"
#include "heap/heap.h"
#include "unit/faults.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

/* So many records are several windows, and more than a ring of them. */
enum {
    NODES = 200000,
    EDGES = 210000,
    LOCATIONS = 50000
};

#define WIDE UINT64_C(5000000000)

/* A chain of nodes; every 1000th has a size past 32 bits. */
static void
write_snapshot(struct buf *text)
{
    buf_printf(text,
        "{\"snapshot\":{\"meta\":{\"node_fields\":[\"type\",\"name\",\"id\",\"self_size\","
        "\"edge_"
        "count\"],\"node_types\":[[\"hidden\",\"array\",\"object\",\"synthetic\"],\"string\","
        "\"number\",\"number\",\"number\"],\"edge_fields\":[\"type\",\"name_or_index\",\"to_"
        "node\"],\"edge_types\":[[\"property\",\"element\"],\"x\",\"node\"],\"location_"
        "fields\":["
        "\"object_index\",\"script_id\",\"line\",\"column\"]},\"node_count\":%d,\"edge_count\":"
        "%d},\n"
        "\"nodes\":[3,0,1,0,%d",
        NODES, EDGES, EDGES - NODES + 2);
    for (int v = 1; v < NODES; v++)
        buf_printf(text, "\n,2,1,%d,%llu,%d", 2 * v + 1,
            (unsigned long long)(v % 1000 == 0 ? WIDE + (uint64_t)v : (uint64_t)v),
            v < NODES - 1 ? 1 : 0);
    buf_text(text, "],\n\"edges\":[0,1,5");
    for (int i = 1; i < EDGES - NODES + 2; i++)
        buf_printf(text, "\n,1,%d,%d", i, 5 * (i % 100 + 1));
    for (int v = 1; v < NODES - 1; v++)
        buf_printf(text, "\n,0,1,%d", 5 * (v + 1));
    buf_text(text, "],\n\"locations\":[5,1,1,1");
    for (int i = 1; i < LOCATIONS; i++)
        buf_printf(text, ",%d,7,%d,3", 5 * (NODES - i), i);
    buf_text(text, "],\n\"strings\":[\"\",\"Foo\"]}");
}

static gbx_status
open_text(const struct buf *text, uint32_t flags, gbx_heap **out, gbx_error *error)
{
    gbx_heap_options options = GBX_HEAP_OPTIONS_INIT;

    options.flags = flags;
    return gbx_heap_open_memory(text->p, text->len, &options, out, error);
}

static struct buf
make_snapshot(void)
{
    struct buf text = { .max = 64 << 20 };

    write_snapshot(&text);
    cr_assert(!text.failed);
    return text;
}

Test(row, two_threads_read_what_one_reads)
{
    struct buf text = make_snapshot();
    gbx_heap *one = NULL, *two = NULL;
    gbx_error error = GBX_ERROR_INIT;

    cr_assert_eq(
        open_text(&text, GBX_HEAP_ONE_THREAD, &one, &error), GBX_OK, "%s", error.message);
    cr_assert_eq(open_text(&text, 0, &two, &error), GBX_OK, "%s", error.message);
    cr_assert(one->node_count == NODES && two->node_count == NODES);
    cr_assert(one->location_count == LOCATIONS && two->location_count == LOCATIONS);
    for (uint32_t v = 0; v < NODES; v++) {
        uint64_t size = v % 1000 == 0 && v > 0 ? WIDE + v : v;
        cr_assert(two->shallow[v] == size && one->shallow[v] == size, "%u", v);
        cr_assert(
            one->retained[v] == two->retained[v] && one->dominator[v] == two->dominator[v] &&
                one->distance[v] == two->distance[v] && one->node_id[v] == two->node_id[v],
            "%u", v);
    }
    cr_assert_eq(memcmp(one->edge_to, two->edge_to, EDGES * sizeof *one->edge_to), 0);
    cr_assert_eq(memcmp(one->edge_name, two->edge_name, EDGES * sizeof *one->edge_name), 0);
    cr_assert_eq(memcmp(one->locations, two->locations, LOCATIONS * sizeof *one->locations), 0);
    gbx_heap_close(one);
    gbx_heap_close(two);
    buf_done(&text);
}

/* What is wrong is put in at a byte that has a digit, and taken out again. */
static void
says_the_same(struct buf *text, size_t at, char wrong, char *first)
{
    gbx_error one = GBX_ERROR_INIT, two = GBX_ERROR_INIT;
    gbx_heap *heap = NULL;
    char right = (char)text->p[at];

    text->p[at] = (uint8_t)wrong;
    cr_assert_eq(open_text(text, GBX_HEAP_ONE_THREAD, &heap, &one), GBX_EINVAL, "%zu", at);
    cr_assert_eq(open_text(text, 0, &heap, &two), GBX_EINVAL, "%zu", at);
    cr_assert_null(heap);
    cr_assert_str_eq(one.message, two.message);
    if (first != NULL)
        (void)snprintf(first, sizeof one.message, "%s", one.message);
    text->p[at] = (uint8_t)right;
}

/* The first digit of the record of so many lines further on. */
static size_t
record_at(const struct buf *text, const char *section, int lines)
{
    const char *p = strstr((const char *)text->p, section);

    cr_assert_not_null(p);
    for (; lines > 0; lines--)
        p = strchr(p, '\n') + 1;
    return (size_t)(p - (const char *)text->p) + 1;
}

Test(row, what_is_wrong_is_told_as_with_one_thread)
{
    struct buf text = make_snapshot();
    const int lines[] = { 1, 999, 1000, 1001, 30000, 150000, NODES - 2 };

    buf_byte(&text, '\0');
    text.len--;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        size_t node = record_at(&text, "\"nodes\"", lines[i]);
        says_the_same(&text, node, '9', NULL); /* a type that is none */
        says_the_same(&text, node, 'x', NULL);
        says_the_same(&text, node + 1, ' ', NULL); /* two numbers without a comma */
        says_the_same(&text, record_at(&text, "\"edges\"", lines[i]), '9', NULL);
        says_the_same(&text, record_at(&text, "\"edges\"", lines[i]), ']', NULL);
    }
    buf_done(&text);
}

Test(row, of_two_things_that_are_wrong_the_first_is_told)
{
    struct buf text = make_snapshot();
    size_t taken, read;
    char alone[sizeof(((gbx_error *)0)->message)], both[sizeof alone];

    buf_byte(&text, '\0');
    text.len--;
    taken = record_at(&text, "\"nodes\"", 100000); /* the taker finds it */
    read = record_at(&text, "\"nodes\"", 100003);  /* the reader */
    says_the_same(&text, taken, '9', alone);
    for (int i = 0; i < 20; i++) {
        uint8_t right = text.p[read];
        text.p[read] = 'x';
        says_the_same(&text, taken, '9', both);
        cr_assert_str_eq(alone, both);
        text.p[read] = right;
    }
    buf_done(&text);
}

Test(row, memory_may_end_on_either_thread)
{
    struct buf text = make_snapshot();
    const enum fault_kind kinds[] = { FAULT_MEMORY, FAULT_MAP };

    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        bool failed = true;
        for (long spared = 0; failed; spared++) {
            long blocks = fault_blocks();
            gbx_heap *heap = NULL;
            gbx_error error = GBX_ERROR_INIT;
            fault_arm(kinds[k], spared, true, ENOMEM);
            gbx_status status = open_text(&text, 0, &heap, &error);
            failed = fault_disarm();
            cr_assert(status == GBX_OK || (failed && status == GBX_ENOMEM), "%ld: %s", spared,
                error.message);
            gbx_heap_close(heap);
            cr_assert_eq(fault_blocks(), blocks, "%ld: %ld blocks are left", spared,
                fault_blocks() - blocks);
        }
    }
    buf_done(&text);
}
