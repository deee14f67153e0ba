#include "clone_help.h"

/* What Node shows for the same values is compared in test/integration/clone_oracle.js; here is
 * what Node does not do, and the options. */

static void
expect_with(const gbx_value *value, const gbx_text_options *options, const char *expected)
{
    char *text = NULL;
    size_t len = 0;

    expect_status(gbx_value_to_text(value, options, &text, &len), GBX_OK);
    cr_assert_str_eq(text, expected);
    cr_assert_eq(len, strlen(text));
    free(text);
}

static void
expect_string_text(const char *string, const char *expected)
{
    gbx_value *v = gbx_value_new_string(string, GBX_NUL);

    expect_text(v, expected);
    gbx_value_free(v);
}

/* --- hostile texts -------------------------------------------------------------------------- */

Test(text, escapes_what_could_act_on_a_terminal)
{
    expect_string_text("\x1b[2J\x1b]0;owned\x07", "'\\x1B[2J\\x1B]0;owned\\x07'");
    expect_string_text("\b\t\n\v\f\r", "'\\b\\t\\n\\x0B\\f\\r'");
    expect_string_text("\x7f\xc2\x80\xc2\x9b\xc2\xa0", "'\\x7F\\x80\\x9B\xc2\xa0'");
    expect_string_text("a\xe2\x80\xae"
                       "b\xe2\x81\xa6"
                       "c\xe2\x80\xa8"
                       "d",
        "'a\\u202eb\\u2066c\\u2028d'");
    expect_string_text("\xed\xa0\x80", "'\\ud800'");
    expect_string_text("back\\slash", "'back\\\\slash'");
}

Test(text, escapes_keys_sources_and_stacks_too)
{
    gbx_value *o = gbx_value_new_object();
    gbx_value *e = gbx_value_new_error("Error\x1b[1m", "m\r\n\x1b[0m", GBX_NUL);

    expect_status(gbx_value_set(o, "\x1b[31m", GBX_NUL, gbx_value_new_null()), GBX_OK);
    expect_status(gbx_value_set(o, "e", GBX_NUL, e), GBX_OK);
    expect_status(
        gbx_value_set(o, "r", GBX_NUL, gbx_value_new_regexp("\x1b[a]", GBX_NUL, "")), GBX_OK);
    expect_text(o, "{\n  '\\x1B[31m': null,\n  e: [Error\\x1B[1m: m\\r\n  \\x1B[0m],\n"
                   "  r: /\\x1B[a]/\n}");
    expect_status(
        gbx_value_set(e, "stack", GBX_NUL,
            gbx_value_new_string("\x1b]8;;http://x\x07\n    at \x1b[8mhidden", GBX_NUL)),
        GBX_OK);
    expect_text(e, "\\x1B]8;;http://x\\x07\n    at \\x1B[8mhidden");
    gbx_value_free(o);
}

/* Every byte of the text of every one-character string is printable, or part of a character. */
Test(text, lets_no_control_character_through)
{
    for (uint32_t c = 1; c < 0x2100; c++) {
        char utf8[4];
        size_t n = 0;
        if (c < 0x80)
            utf8[n++] = (char)c;
        else if (c < 0x800)
            utf8[n++] = (char)(0xC0 | c >> 6);
        else
            utf8[n++] = (char)(0xE0 | c >> 12), utf8[n++] = (char)(0x80 | (c >> 6 & 0x3F));
        if (c >= 0x80)
            utf8[n++] = (char)(0x80 | (c & 0x3F));
        gbx_value *v = gbx_value_new_string(utf8, n);
        char *text = text_of(v);
        for (const char *p = text; *p != '\0'; p++) {
            cr_assert_not((uint8_t)*p < 0x20 || *p == 0x7f, "U+%04X", c);
            cr_assert_not((uint8_t)p[0] == 0xc2 && (uint8_t)p[1] < 0xa0, "U+%04X", c);
        }
        free(text);
        gbx_value_free(v);
    }
}

/* --- options ------------------------------------------------------------------------------- */

Test(text, shows_as_deep_as_it_is_told)
{
    gbx_value *v = value_of_json("{\"a\":{\"b\":{\"c\":{\"d\":[]}}}}");
    gbx_text_options options = GBX_TEXT_OPTIONS_INIT;

    expect_text(v, "{ a: { b: { c: [Object] } } }");
    options.depth = 1;
    expect_with(v, &options, "{ a: [Object] }");
    options.depth = 1000;
    expect_with(v, &options, "{\n  a: { b: { c: { d: [] } } }\n}");
    options.depth = 1001;
    char *text = NULL;
    expect_status(gbx_value_to_text(v, &options, &text, NULL), GBX_EINVAL);
    cr_assert_null(text);
    gbx_value_free(v);
}

Test(text, shows_as_much_as_it_is_told)
{
    gbx_value *v = value_of_json("[1,2,3,\"abcdef\"]");
    gbx_text_options options = GBX_TEXT_OPTIONS_INIT;

    options.items = 2;
    expect_with(v, &options, "[ 1, 2, ... 2 more items ]");
    options.items = 3;
    expect_with(v, &options, "[ 1, 2, 3, ... 1 more item ]");
    options.items = 0;
    options.characters = 4;
    expect_with(v, &options, "[ 1, 2, 3, 'abcd'... 2 more characters ]");
    options.width = 20;
    options.characters = 0;
    expect_with(v, &options, "[\n  1,\n  2,\n  3,\n  'abcdef'\n]");
    gbx_value_free(v);
    /* Never half of a surrogate pair. */
    v = gbx_value_new_string("a\xf0\x9f\x98\x80", GBX_NUL);
    options = (gbx_text_options)GBX_TEXT_OPTIONS_INIT;
    options.characters = 2;
    expect_with(v, &options, "'a'... 2 more characters");
    gbx_value_free(v);
}

Test(text, colours_as_node_does)
{
    gbx_value *v = value_of_hex("ff0f41065f30542201615a00440000000000000000240006");
    gbx_text_options options = GBX_TEXT_OPTIONS_INIT;

    options.flags = GBX_TEXT_COLOR;
    expect_with(v, &options,
        "[ \x1b[90mundefined\x1b[39m, \x1b[1mnull\x1b[22m, \x1b[33mtrue\x1b[39m, "
        "\x1b[32m'a'\x1b[39m, \x1b[33m0n\x1b[39m, "
        "\x1b[35m1970-01-01T00:00:00.000Z\x1b[39m ]");
    gbx_value_free(v);
    /* Colours do not count in the width of columns. */
    v = gbx_value_new_array();
    for (int i = 0; i < 7; i++)
        expect_status(gbx_value_append(v, gbx_value_new_number(i)), GBX_OK);
    expect_with(v, &options,
        "[\n  \x1b[33m0\x1b[39m, \x1b[33m1\x1b[39m, \x1b[33m2\x1b[39m, \x1b[33m3\x1b[39m,\n"
        "  \x1b[33m4\x1b[39m, \x1b[33m5\x1b[39m, \x1b[33m6\x1b[39m\n]");
    gbx_value_free(v);
}

Test(text, leaves_out_the_quotes_of_a_bare_string)
{
    gbx_text_options options = GBX_TEXT_OPTIONS_INIT;
    gbx_value *v = gbx_value_new_string("it's\ttwo\nlines\x1b[0m\\", GBX_NUL);

    options.flags = GBX_TEXT_BARE;
    expect_with(v, &options, "it's\ttwo\nlines\\x1B[0m\\");
    gbx_value *a = gbx_value_new_array();
    expect_status(gbx_value_append(a, v), GBX_OK);
    expect_with(a, &options, "[ \"it's\\ttwo\\nlines\\x1B[0m\\\\\" ]");
    gbx_value_free(a);
}

Test(text, reads_options_of_every_age)
{
    gbx_value *v = value_of_json("[[[[1]]]]");
    struct {
        gbx_text_options known;
        uint32_t unknown;
    } newer = { GBX_TEXT_OPTIONS_INIT, 0 };
    gbx_text_options options = GBX_TEXT_OPTIONS_INIT;
    char *text = NULL;

    options.size = offsetof(gbx_text_options, items); /* an older caller's */
    options.depth = 1;
    options.items = 7;
    expect_with(v, &options, "[ [Array] ]");
    newer.known.size = sizeof newer;
    expect_with(v, &newer.known, "[ [ [ [Array] ] ] ]");
    newer.unknown = 1;
    expect_status(gbx_value_to_text(v, &newer.known, &text, NULL), GBX_EUNSUPPORTED);
    options.size = 3;
    expect_status(gbx_value_to_text(v, &options, &text, NULL), GBX_EINVAL);
    options.size = 1 << 20;
    expect_status(gbx_value_to_text(v, &options, &text, NULL), GBX_EINVAL);
    options = (gbx_text_options)GBX_TEXT_OPTIONS_INIT;
    options.flags = 4;
    expect_status(gbx_value_to_text(v, &options, &text, NULL), GBX_EUNSUPPORTED);
    expect_status(gbx_value_to_text(NULL, NULL, &text, NULL), GBX_EINVAL);
    cr_assert_null(text);
    gbx_value_free(v);
}

/* --- sizes --------------------------------------------------------------------------------- */

Test(text, shows_large_bigints_in_hexadecimal)
{
    uint64_t words[65] = { [0] = 0x1234, [63] = 1, [64] = 0xabc };
    gbx_value *decimal = gbx_value_new_bigint(0, words, 64);
    gbx_value *hex = gbx_value_new_bigint(1, words, 65);
    char *text = text_of(decimal), expected[65 * 16 + 8] = "-0xabc0000000000000001";

    cr_assert_eq(strlen(text), 1215); /* 2^4032 has 1214 digits; and the n */
    cr_assert_eq(strspn(text, "0123456789"), 1214);
    free(text);
    for (int i = 0; i < 62; i++)
        (void)strncat(expected, "0000000000000000", 17);
    (void)strncat(expected, "0000000000001234n", 18);
    expect_text(hex, expected);
    gbx_text_options options = GBX_TEXT_OPTIONS_INIT;
    options.characters = 16;
    expect_with(hex, &options, "-0xabc0000000000000001... 1008 more digits");
    gbx_value_free(decimal);
    gbx_value_free(hex);
}

/* 2^40 paths: what is not shown costs nothing, and what is shown is bounded. */
Test(text, gives_up_on_what_is_too_long)
{
    gbx_text_options options = GBX_TEXT_OPTIONS_INIT;
    gbx_value *v = gbx_value_new_string("x", GBX_NUL);
    char *text = NULL;

    for (int i = 0; i < 40; i++) {
        gbx_value *outer = gbx_value_new_array();
        expect_status(gbx_value_append(outer, v), GBX_OK);
        expect_status(gbx_value_append(outer, v), GBX_OK);
        v = outer;
    }
    expect_text(v, "[\n  [ [ [Array], [Array] ], [ [Array], [Array] ] ],\n"
                   "  [ [ [Array], [Array] ], [ [Array], [Array] ] ]\n]");
    options.depth = 1000;
    expect_status(gbx_value_to_text(v, &options, &text, NULL), GBX_ETOOBIG);
    cr_assert_null(text);
    gbx_value_free(v);
}

Test(text, numbers_circular_references)
{
    gbx_value *a = gbx_value_new_object(), *b = gbx_value_new_object();

    expect_status(gbx_value_set(a, "b", GBX_NUL, b), GBX_OK);
    expect_status(gbx_value_set(b, "b", GBX_NUL, b), GBX_OK);
    expect_status(gbx_value_set(b, "a", GBX_NUL, a), GBX_OK);
    expect_text(a, "<ref *2> { b: <ref *1> { b: [Circular *1], a: [Circular *2] } }");
    expect_text(a, "<ref *2> { b: <ref *1> { b: [Circular *1], a: [Circular *2] } }");
    gbx_value_free(b);
}

/* --- printing ------------------------------------------------------------------------------ */

Test(text, prints_a_line)
{
    gbx_value *v = value_of_json("{\"a\":1}");
    char line[64] = "";
    FILE *file = tmpfile();

    cr_assert_not_null(file);
    expect_status(gbx_value_print(v, file), GBX_OK);
    rewind(file);
    cr_assert_eq(fread(line, 1, sizeof line, file), strlen("{ a: 1 }\n"));
    cr_assert_str_eq(line, "{ a: 1 }\n");
    cr_assert_eq(fclose(file), 0);
    file = fopen("/dev/null", "r");
    cr_assert_not_null(file);
    expect_status(gbx_value_print(v, file), GBX_ESYS);
    cr_assert_eq(fclose(file), 0);
    gbx_value_free(v);
}
