/* test_write.c - what redact takes away and what it leaves, and what a slice has. */
#include "base/buf.h"
#include "heap/keyed.h"
#include "heap/strings.h"

#include <criterion/criterion.h>
#include <glovebox/heap_write.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static const uint8_t key[KEYED_BYTES] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
    15 };

/* --- texts that stand for others ---------------------------------------------------------- */

static struct span
text(const char *s)
{
    return span_of((const uint8_t *)s, strlen(s));
}

/* What stands for `s`; from a few places in turn. */
static const char *
stands(const char *s)
{
    static char results[4][512];
    static unsigned next;
    struct keyed k;
    struct buf out = { .max = 512 };
    char *result = results[next++ % 4];

    keyed_init(&k, key);
    keyed_text(&k, text(s), &out);
    buf_byte(&out, '\0');
    memcpy(result, out.p, out.len);
    buf_done(&out);
    return result;
}

Test(keyed, the_hash_is_siphash)
{
    uint8_t bytes[15];
    struct keyed k;

    for (uint8_t i = 0; i < sizeof bytes; i++)
        bytes[i] = i;
    keyed_init(&k, key);
    /* Of its authors' vectors. */
    cr_assert_eq(keyed_hash(&k, span_of(bytes, 0)), 0x726FDB47DD0E0E31u);
    cr_assert_eq(keyed_hash(&k, span_of(bytes, 8)), 0x93F5F5799A932462u);
    cr_assert_eq(keyed_hash(&k, span_of(bytes, 15)), 0xA129CA6149BE45E5u);
}

static const char letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_$";

static void
name_of(uint32_t number, uint32_t count, char out[8])
{
    for (uint32_t i = 0; i < count; i++, number /= 64)
        out[i] = letters[number % 64];
    out[count] = '\0';
}

static uint32_t
number_of(const char *name)
{
    uint32_t number = 0;

    for (size_t i = strlen(name); i-- > 0;)
        number = number * 64 + (uint32_t)(strchr(letters, name[i]) - letters);
    return number;
}

Test(keyed, names_become_names_of_their_length_and_no_two_the_same)
{
    static uint8_t seen[64 * 64 * 64];
    uint32_t all = 1, same = 0, shown = 0;

    for (uint32_t count = 1; count <= 3; count++) {
        all *= 64;
        memset(seen, 0, sizeof seen);
        for (uint32_t i = 0; i < all; i++) {
            char name[8];
            name_of(i, count, name);
            const char *other = stands(name);
            cr_assert_eq(strlen(other), count, "%s: %s", name, other);
            cr_assert_eq(strspn(other, letters), count, "%s: %s", name, other);
            cr_assert_eq(seen[number_of(other)]++, 0, "%s for two", other);
            same += strcmp(name, other) == 0;
            /* As one round of the network would show it. */
            shown += number_of(other) >> 3 * count == (i & ((1u << 3 * count) - 1));
        }
    }
    cr_assert_lt(same, 64, "it is no permutation to speak of");
    cr_assert_lt(shown, 2000, "half of a name is seen in %u of %u", shown, all);
}

Test(keyed, texts_keep_their_length_and_nothing_else)
{
    static const struct {
        const char *text;
        const char *form; /* a: a letter */
    } cases[] = {
        { "", "" },
        { "abcdefghij", "aaaaaaaaaa" },
        { "abcdefghijk", "aaaaaaaaaaa" },
        { "a b", "~aaaaaaaaaaa~..." },
        { "a\xC3\xA4\xE2\x82\xAC", "~aaaaaaaaaaa~..." },
        { "\xF0\x9F\x98\x80", "~aaaaaaaaaaa~.." },
        { "ten of the", "~aaaaaaaaaaa~.........." },
        { "a text of nineteen.", "aaaaaaaaaaa........" },
    };
    struct keyed other;
    struct buf out = { .max = 100 };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char form[64];
        (void)snprintf(form, sizeof form, "%s", stands(cases[i].text));
        for (char *c = form; *c != '\0'; c++)
            *c = strchr(letters, *c) != NULL ? 'a' : *c;
        cr_assert_str_eq(form, cases[i].form, "%s", cases[i].text);
    }
    cr_assert_str_eq(stands("one text and another"), stands("one text and another"));
    cr_assert_str_neq(stands("one text and another"), stands("one text and anothes"));
    cr_assert_str_neq(stands("a b"), stands("b a"));
    keyed_init(&other, (const uint8_t *)"another key of16");
    keyed_text(&other, text("one text and another"), &out);
    cr_assert_neq(memcmp(out.p, stands("one text and another"), 11), 0);
    buf_done(&out);
}

/* --- redacted ----------------------------------------------------------------------------- */

enum type {
    HIDDEN,
    ARRAY,
    STRING,
    OBJECT,
    CODE,
    CLOSURE,
    REGEXP,
    NATIVE,
    SYNTHETIC,
    SHAPE,
    SYMBOL
};

enum edge {
    CONTEXT,
    ELEMENT,
    PROPERTY,
    INTERNAL,
    SHORTCUT,
    WEAK
};

/* A node below the root, with what leads to it; `stays`: its text does. */
struct item {
    const char *name;
    int32_t type; /* of the node, or -1: the name is the edge's */
    int32_t edge;
    bool stays;
};

#define HEADER                                                                                 \
    "{\"snapshot\":{\"meta\":{\"node_fields\":[\"type\",\"name\",\"id\",\"self_size\","        \
    "\"edge_count\"],\"node_types\":[[\"hidden\",\"array\",\"string\",\"object\",\"code\","    \
    "\"closure\",\"regexp\",\"native\",\"synthetic\",\"object shape\",\"symbol\"],\"string\"," \
    "\"number\",\"number\",\"number\"],\"edge_fields\":[\"type\",\"name_or_index\","           \
    "\"to_node\"],\"edge_types\":[[\"context\",\"element\",\"property\",\"internal\","         \
    "\"shortcut\",\"weak\"],\"string_or_number\",\"node\"]},"

static void
put_json(struct buf *out, const char *s)
{
    buf_byte(out, '"');
    for (; *s != '\0'; s++) {
        if (*s == '"' || *s == '\\')
            buf_byte(out, '\\');
        buf_byte(out, (uint8_t)*s);
    }
    buf_byte(out, '"');
}

/* String 0 is no item's; node i + 1 and edge i are item i's. */
static int
write_items(const struct item *items, int count)
{
    struct buf out = { .max = 1 << 20 };
    int fd = memfd_create("items", MFD_CLOEXEC);

    buf_printf(&out, HEADER "\"node_count\":%d,\"edge_count\":%d},\"nodes\":[8,0,1,0,%d",
        count + 1, count, count);
    for (int i = 0; i < count; i++)
        buf_printf(&out, ",%d,%d,%d,8,0", items[i].type < 0 ? OBJECT : items[i].type,
            items[i].type < 0 ? 0 : i + 1, 3 + 2 * i);
    buf_text(&out, "],\"edges\":[");
    for (int i = 0; i < count; i++)
        buf_printf(&out, "%s%d,%d,%d", i > 0 ? "," : "",
            items[i].type < 0 ? items[i].edge : ELEMENT, items[i].type < 0 ? i + 1 : i,
            5 * (i + 1));
    buf_text(&out, "],\"strings\":[\"\"");
    for (int i = 0; i < count; i++) {
        buf_byte(&out, ',');
        put_json(&out, items[i].name);
    }
    buf_text(&out, "]}");
    cr_assert_eq(write(fd, out.p, out.len), (ssize_t)out.len);
    cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
    buf_done(&out);
    return fd;
}

static gbx_heap *
redact(int from)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_heap *heap = NULL;
    int to = memfd_create("redacted", MFD_CLOEXEC);

    cr_assert_eq(gbx_heap_redact(from, to, key, NULL, &error), GBX_OK, "%s", error.message);
    cr_assert_eq(lseek(to, 0, SEEK_SET), 0);
    cr_assert_eq(gbx_heap_open_fd(to, NULL, &heap, &error), GBX_OK, "%s", error.message);
    (void)close(from);
    (void)close(to);
    return heap;
}

/* An edge's as a path shows it has a dot or brackets around it. */
static void
name_in(const gbx_heap *heap, const struct item *item, uint32_t i, char out[256])
{
    if (item->type < 0)
        (void)gbx_heap_edge_name(heap, i, out, 256);
    else
        (void)gbx_heap_node_name(heap, i + 1, out, 256);
}

static void
check_items(const struct item *items, int count)
{
    gbx_heap *heap = redact(write_items(items, count));

    for (int i = 0; i < count; i++) {
        char name[256];
        name_in(heap, &items[i], (uint32_t)i, name);
        cr_assert_eq(
            strstr(name, items[i].name) != NULL, items[i].stays, "%s: %s", items[i].name, name);
    }
    gbx_heap_close(heap);
}

Test(redact, what_v8_names_stays_and_what_a_program_names_goes)
{
    static const struct item items[] = {
        { "Map", OBJECT, 0, true },
        { "WeakRef", OBJECT, 0, true },
        { "Wallet", OBJECT, 0, false },
        { "Object (secret)", OBJECT, 0, false },
        { "system / Context", OBJECT, 0, true },
        { "system / Some", OBJECT, 0, true },
        { "system / Context / scope @17", OBJECT, 0, true },
        { "system / Context / scope @1x", OBJECT, 0, false },
        { "system / mail@example.org", OBJECT, 0, false },
        { "(secret builtin code)", OBJECT, 0, false },
        { "(RecordWrite builtin code)", CODE, 0, true },
        { "system / ByteArray", CODE, 0, true },
        { "secretFunction", CODE, 0, false },
        { "secret(a)", CODE, 0, false },
        { "makeSecret", CLOSURE, 0, false },
        { "native_bind", CLOSURE, 0, true },
        { "Array", CLOSURE, 0, true },
        { "s+e", REGEXP, 0, false },
        { "secret text", STRING, 0, false },
        { "length", STRING, 0, true },
        { "system / StringTable", STRING, 0, false },
        { "secret symbol", SYMBOL, 0, false },
        { "(object things)", ARRAY, 0, true },
        { "system / Any Thing", HIDDEN, 0, true },
        { "(Some roots)", SYNTHETIC, 0, true },
        { "system / Map (Some)", SHAPE, 0, true },
        { "EventListener", NATIVE, 0, true },
        { "Node / TickInfo", NATIVE, 0, true },
        { "Blink / V8PerContextData", NATIVE, 0, true },
        { "https://example.org/secret", NATIVE, 0, false },
        { "two words", NATIVE, 0, false },
        { "variable", -1, CONTEXT, false },
        { "property", -1, PROPERTY, false },
        { "__proto__", -1, PROPERTY, true },
        { "hidden_slot", -1, INTERNAL, true },
        { "17 / (Handle scope)", -1, SHORTCUT, true },
        { "weak_slot", -1, WEAK, true },
    };

    check_items(items, sizeof items / sizeof items[0]);
}

static void
is_named(const gbx_heap *heap, uint32_t node, const char *name, const char *class)
{
    gbx_heap_node n;
    char text[256];

    cr_assert_eq(gbx_heap_get_node(heap, node, &n), GBX_OK);
    (void)gbx_heap_node_name(heap, node, text, sizeof text);
    cr_assert_str_eq(text, name);
    (void)gbx_heap_class_name(heap, n.class_index, text, sizeof text);
    cr_assert_str_eq(text, class);
}

Test(redact, elements_keep_their_tag)
{
    static const struct item items[] = {
        { "<div id=\"secret\" class=\"x\">", NATIVE, 0, false },
        { "<div>", NATIVE, 0, true },
        { "Detached <my-tag a=\"b\">", NATIVE, 0, false },
        { "Detached <p>", NATIVE, 0, true },
    };
    gbx_heap *heap = redact(write_items(items, 4));
    char name[256];

    (void)snprintf(name, sizeof name, "<div %s>", stands("id=\"secret\" class=\"x\""));
    is_named(heap, 1, name, "<div>");
    is_named(heap, 2, "<div>", "<div>");
    (void)snprintf(name, sizeof name, "Detached <my-tag %s>", stands("a=\"b\""));
    is_named(heap, 3, name, "Detached <my-tag>");
    is_named(heap, 4, "Detached <p>", "Detached <p>");
    gbx_heap_close(heap);
}

/* The name of that length whose stand-in is `wanted`. */
static void
find_origin(const char *wanted, char out[8])
{
    uint32_t count = (uint32_t)strlen(wanted), all = 1;

    for (uint32_t i = 0; i < count; i++)
        all *= 64;
    for (uint32_t i = 0; i < all; i++) {
        name_of(i, count, out);
        if (strcmp(stands(out), wanted) == 0)
            return;
    }
    cr_assert_fail("nothing becomes %s", wanted);
}

Test(redact, nothing_becomes_a_name_that_stays)
{
    char map[8], slot[8], chain[8];

    find_origin("Map", map);
    find_origin("zz", slot);
    find_origin(slot, chain);
    struct item items[] = {
        { map, OBJECT, 0, false },
        { slot, OBJECT, 0, false },
        { "zz", -1, INTERNAL, true },
        { chain, STRING, 0, false },
    };
    gbx_heap *heap = redact(write_items(items, 4));

    /* Map is V8's whether or not it is there. */
    is_named(heap, 1, stands("Map"), stands("Map"));
    is_named(heap, 2, stands("zz"), stands("zz"));
    is_named(heap, 4, slot, "(string)");
    gbx_heap_close(heap);
}

#define PAIR "3 / part of key (%s @%d) -> value (%s @%d) pair in WeakMap (table @%d)"

Test(redact, pairs_of_weak_maps_stay_pairs)
{
    char before[256], name[256];

    (void)snprintf(before, sizeof before, PAIR, "Wallet", 3, "Treasure", 5, 7);
    struct item items[] = { { before, -1, INTERNAL, false } };
    gbx_heap *heap = redact(write_items(items, 1));
    (void)gbx_heap_edge_name(heap, 0, name, sizeof name);
    cr_assert_null(strstr(name, "Wallet"), "%s", name);
    cr_assert_null(strstr(name, "Treasure"), "%s", name);
    cr_assert_not_null(
        strstr(name, " @3) -> value (value @5) pair in WeakMap (table @7)"), "%s", name);
    gbx_heap_close(heap);
}

/* A text that begins like a pair and is none has a program's text in it as well. */
Test(redact, what_is_no_pair_goes)
{
    static const struct item items[] = {
        { "3 / part of key (Wallet @3) -> value", -1, INTERNAL, false },
        { "x / part of key (Wallet @3) -> value (v @5) pair in WeakMap (table @7)", -1,
            INTERNAL, false },
    };

    check_items(items, 2);
}

Test(redact, numbers_and_packing_stay)
{
    static const struct item items[] = { { "Secret", OBJECT, 0, false } };
    gbx_heap_options options = GBX_HEAP_OPTIONS_INIT;
    gbx_error error = GBX_ERROR_INIT;
    gbx_heap *heap = NULL;
    gbx_heap_node node;
    uint8_t magic[4] = { 0 };
    int from = write_items(items, 1), to = memfd_create("packed", MFD_CLOEXEC);

    options.flags = GBX_HEAP_PACKED;
    cr_assert_eq(gbx_heap_redact(from, to, NULL, &options, &error), GBX_OK);
    cr_assert_eq(pread(to, magic, sizeof magic, 0), 4);
    cr_assert_eq(memcmp(magic, "\x28\xB5\x2F\xFD", 4), 0);
    cr_assert_eq(lseek(to, 0, SEEK_SET), 0);
    cr_assert_eq(gbx_heap_open_fd(to, NULL, &heap, &error), GBX_OK, "%s", error.message);
    cr_assert_eq(gbx_heap_get_node(heap, 1, &node), GBX_OK);
    cr_assert_eq(node.id, 3);
    cr_assert_eq(node.shallow, 8);
    gbx_heap_close(heap);
    (void)close(from);
    (void)close(to);
}

/* --- a part ------------------------------------------------------------------------------- */

/* The part that a node has, of a snapshot as text. */
static gbx_heap *
slice(const char *snapshot, uint32_t node)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_heap *whole = NULL, *part = NULL;
    int to = memfd_create("slice", MFD_CLOEXEC);

    cr_assert_eq(gbx_heap_open_memory(snapshot, strlen(snapshot), NULL, &whole, &error), GBX_OK,
        "%s", error.message);
    cr_assert_eq(gbx_heap_slice(whole, node, 0, to, NULL, &error), GBX_OK, "%s", error.message);
    cr_assert_eq(lseek(to, 0, SEEK_SET), 0);
    cr_assert_eq(gbx_heap_open_fd(to, NULL, &part, &error), GBX_OK, "%s", error.message);
    gbx_heap_close(whole);
    (void)close(to);
    return part;
}

static gbx_heap_node
by_id(gbx_heap *heap, uint32_t id)
{
    gbx_heap_node node = { 0 };
    uint32_t v = 0;

    cr_assert_eq(gbx_heap_find(heap, id, &v), GBX_OK);
    cr_assert_eq(gbx_heap_get_node(heap, v, &node), GBX_OK);
    cr_assert_eq(node.id, id, "there is no node @%u", id);
    return node;
}

static uint32_t
nodes_of(gbx_heap *heap)
{
    gbx_heap_totals totals;

    cr_assert_eq(gbx_heap_get_totals(heap, &totals), GBX_OK);
    return totals.nodes;
}

/* Key and table of a value come along, also if one is farther: else nothing would lead to it. */
Test(slice, of_a_weak_map_s_value_has_its_key_and_its_table)
{
    gbx_heap *part = slice(HEADER
        "\"node_count\":7,\"edge_count\":7},\"nodes\":[8,0,1,0,1,3,1,3,8,3,3,1,5,8,1,3,1,7,8,1,"
        "3,1,9,8,1,3,1,11,8,0,3,1,13,8,0],\"edges\":[4,2,5,2,2,10,2,2,15,2,2,30,3,3,25,"
        "2,2,20,3,4,25],\"strings\":[\"\",\"Foo\",\"a\","
        "\"7 / part of key (Foo @5) -> value (Foo @11) pair in WeakMap (table @9)\","
        "\"8 / part of key (Foo @5) -> value (Foo @11) pair in WeakMap (table @9)\"]}",
        5);

    cr_assert_eq(nodes_of(part), 6);
    cr_assert_eq(by_id(part, 9).distance, 3);
    cr_assert_eq(by_id(part, 11).distance, 4);
    cr_assert_eq(by_id(part, 11).retained, 8);
    gbx_heap_close(part);
}

/* @7 is reached by V8's roots as well, by way of another backing store, which keeps it from being
 * part of @5: so it is in a part. Who leads to the others by such edges, or to it by weak ones, is
 * left out. */
Test(slice, leaves_a_backing_store_what_it_is)
{
    gbx_heap *part = slice(HEADER
        "\"node_count\":8,\"edge_count\":10},\"nodes\":[8,0,1,0,4,3,1,3,8,1,3,1,5,100,1,"
        "0,1,7,24,0,8,1,9,0,1,0,1,11,16,1,8,1,13,0,1,8,1,15,0,1],"
        "\"edges\":[4,2,5,1,0,20,1,1,30,1,2,35,2,2,10,2,2,15,1,0,25,1,0,15,3,2,10,5,2,15],"
        "\"strings\":[\"\",\"Foo\",\"a\"]}",
        2);

    cr_assert_eq(nodes_of(part), 6);
    cr_assert_eq(by_id(part, 5).shallow, 100);
    cr_assert_eq(by_id(part, 5).retained, 124);
    cr_assert_eq(by_id(part, 7).shallow, 24);
    cr_assert_eq(by_id(part, 11).shallow, 16);
    gbx_heap_close(part);
}

/* @3 leads to @5, that by way of @7 to @9; and to @11, which has a shortcut to @9: no reason for it
 * to live, but the shortest way to it. */
Test(slice, has_the_shortest_ways)
{
    gbx_heap *part = slice(HEADER
        "\"node_count\":7,\"edge_count\":7},\"nodes\":[8,0,1,0,1,3,1,3,8,2,3,1,5,8,1,3,1,7,8,1,"
        "3,1,13,8,1,3,1,9,8,0,3,1,11,8,1],\"edges\":[4,2,5,2,2,10,2,2,30,2,2,15,2,2,20,"
        "2,2,25,4,2,25],\"strings\":[\"\",\"Foo\",\"a\"]}",
        2);

    cr_assert_eq(nodes_of(part), 7);
    cr_assert_eq(by_id(part, 9).distance, 3);
    cr_assert_eq(by_id(part, 5).retained, 32);
    gbx_heap_close(part);
}

/* @1 has a global, @3, and V8's roots, @5, which lead to @7; that to @9, and weakly to @11. */
static const char from_v8[] = HEADER
    "\"node_count\":6,\"edge_count\":5},\"nodes\":[8,0,1,0,2,3,1,3,8,0,8,1,5,0,1,3,1,7,8,2,"
    "3,1,9,8,0,3,1,11,8,0],\"edges\":[4,2,5,1,0,10,1,0,15,2,2,20,5,2,25],"
    "\"strings\":[\"\",\"Foo\",\"a\"]}";

/* What only V8's own roots lead to is told from the rest by there being globals. */
Test(slice, has_the_globals_also_if_they_do_not_lead_there)
{
    gbx_heap *part = slice(from_v8, 3);

    cr_assert_eq(nodes_of(part), 5);
    cr_assert_eq(by_id(part, 3).distance, 1);
    cr_assert_eq(by_id(part, 7).distance, GBX_HEAP_SYSTEM + 2);
    cr_assert_eq(by_id(part, 9).distance, GBX_HEAP_SYSTEM + 3);
    gbx_heap_close(part);
}

Test(slice, goes_as_deep_as_it_is_told)
{
    static const uint32_t nodes[] = { 5, 4, 5, 5 }; /* with all; one edge, two, many from @5 */
    gbx_heap *heap = NULL, *part = NULL;
    gbx_error error = GBX_ERROR_INIT;

    cr_assert_eq(
        gbx_heap_open_memory(from_v8, sizeof from_v8 - 1, NULL, &heap, &error), GBX_OK);
    for (uint32_t depth = 0; depth < 4; depth++) {
        int to = memfd_create("slice", MFD_CLOEXEC);
        cr_assert_eq(gbx_heap_slice(heap, 2, depth, to, NULL, &error), GBX_OK);
        cr_assert_eq(lseek(to, 0, SEEK_SET), 0);
        cr_assert_eq(gbx_heap_open_fd(to, NULL, &part, &error), GBX_OK, "%s", error.message);
        cr_assert_eq(nodes_of(part), nodes[depth], "%u: %u", depth, nodes_of(part));
        gbx_heap_close(part);
        (void)close(to);
    }
    gbx_heap_close(heap);
}
