#include "clone_help.h"

#include <math.h>

/* --- primitives --------------------------------------------------------------------------- */

Test(value, holds_what_it_was_made_of)
{
    gbx_value *v = gbx_value_new_boolean(7);
    int32_t boolean = -1;

    cr_assert_eq(gbx_value_get_kind(v), GBX_BOOLEAN);
    OK(gbx_value_get_boolean(v, &boolean));
    cr_assert_eq(boolean, 1);
    gbx_value_free(v);

    v = gbx_value_new_int32(INT32_MIN);
    cr_assert_eq(gbx_value_get_kind(v), GBX_NUMBER);
    cr_assert_eq(number_of(v), -2147483648.0);
    gbx_value_free(v);

    v = gbx_value_new_undefined();
    cr_assert_eq(gbx_value_get_kind(v), GBX_UNDEFINED);
    gbx_value_free(v);
    v = gbx_value_new_null();
    cr_assert_eq(gbx_value_get_kind(v), GBX_NULL);
    gbx_value_free(v);
    gbx_value_free(NULL);
    cr_assert_eq(gbx_value_get_kind(NULL), GBX_UNDEFINED);
}

Test(value, refuses_accessors_of_another_kind_and_leaves_out_alone)
{
    gbx_value *v = gbx_value_new_null();
    int32_t i = 42;
    double d = 42;
    const char *text = "same";
    const void *bytes = &i;
    const uint64_t *words = NULL;
    size_t n = 42;
    uint64_t max = 42;
    char flags[9] = "same", *taken = NULL;
    gbx_view view = GBX_VIEW_INIT;

    expect_status(gbx_value_get_boolean(v, &i), GBX_EINVAL);
    expect_status(gbx_value_get_number(v, &d), GBX_EINVAL);
    expect_status(gbx_value_get_string(v, &text, &n), GBX_EINVAL);
    expect_status(gbx_value_get_bigint(v, &i, &words, &n), GBX_EINVAL);
    expect_status(gbx_value_get_bigint_text(v, &taken, &n), GBX_EINVAL);
    expect_status(gbx_value_get_flags(v, flags), GBX_EINVAL);
    expect_status(gbx_value_get_bytes(v, &bytes, &n), GBX_EINVAL);
    expect_status(gbx_value_get_view(v, &view), GBX_EINVAL);
    expect_status(gbx_value_get_resizable(v, &max), GBX_EINVAL);
    expect_status(gbx_value_entry(v, 0, NULL, NULL), GBX_EINVAL);
    cr_assert(i == 42 && d == 42 && n == 42 && max == 42);
    cr_assert_str_eq(text, "same");
    cr_assert_str_eq(flags, "same");
    cr_assert_null(gbx_value_at(v, 0));
    cr_assert_null(gbx_value_get(v, "x", GBX_NUL));
    cr_assert_null(gbx_value_map_get(v, v));
    cr_assert_eq(gbx_value_length(v), 0);
    cr_assert_eq(gbx_value_has(v, v), 0);
    cr_assert_eq(gbx_value_delete(v, v), 0);
    cr_assert_eq(gbx_value_remove(v, "x", GBX_NUL), 0);
    expect_status(gbx_value_get_boolean(NULL, &i), GBX_EINVAL);
    expect_status(gbx_value_get_string(NULL, &text, &n), GBX_EINVAL);
    gbx_value_free(v);
}

/* --- strings ------------------------------------------------------------------------------- */

static void
expect_string(const char *given, size_t len, const char *expected, size_t expected_len)
{
    gbx_value *v = gbx_value_new_string(given, len);
    const char *text = NULL;
    size_t n = 0;

    cr_assert_not_null(v);
    OK(gbx_value_get_string(v, &text, &n));
    cr_assert_eq(n, expected_len, "%zu, not %zu bytes", n, expected_len);
    cr_assert_arr_eq(text, expected, expected_len + 1);
    gbx_value_free(v);
}

Test(value, makes_every_string_well_formed)
{
#define SAME(text)           expect_string(text, sizeof(text) - 1, text, sizeof(text) - 1)
#define BECOMES(text, other) expect_string(text, sizeof(text) - 1, other, sizeof(other) - 1)
#define BAD                  "\xef\xbf\xbd"
    SAME("");
    SAME("plain");
    SAME("with\0nul");
    SAME("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    SAME("\xf4\x8f\xbf\xbf");
    SAME("\xed\xa0\x80");             /* a lone surrogate */
    SAME("\xed\xb0\x80\xed\xa0\x80"); /* two in the wrong order */
    BECOMES("\xed\xa0\xbd\xed\xb8\x80", "\xf0\x9f\x98\x80");
    BECOMES("\xed\xa0\x80\xed\xa0\xbd\xed\xb8\x80", "\xed\xa0\x80\xf0\x9f\x98\x80");
    BECOMES("(\xff)", "(" BAD ")");
    BECOMES("\x80", BAD);
    BECOMES("\xc0\x80", BAD BAD);
    BECOMES("\xc3", BAD);
    BECOMES("\xc3(", BAD "(");
    BECOMES("\xe2\x82", BAD);
    BECOMES("\xe0\x80\x80", BAD BAD BAD);
    BECOMES("\xf0\x9f\x98", BAD);
    BECOMES("\xf0\x8f\xbf\xbf", BAD BAD BAD BAD);
    BECOMES("\xf4\x90\x80\x80", BAD BAD BAD BAD);
    BECOMES("\xed\xa0\xbd\xed", "\xed\xa0\xbd" BAD);
    expect_string("to the NUL", GBX_NUL, "to the NUL", 10);
    expect_string(NULL, 0, "", 0);
    cr_assert_null(gbx_value_new_string("x", VALUE_BYTES_MAX + 1));
}

/* Long texts take another way than short ones: 32 bytes at a time, blocks of their own. */
Test(value, keeps_strings_of_every_length)
{
    static char text[5000];

    for (size_t len = 0; len < sizeof text - 4; len += len < 100 ? 1 : 77) {
        memset(text, 'a', len);
        memcpy(text + len, "\xc3\xa9", 3);
        for (size_t at = 0; at < 2; at++) {
            gbx_value *v = gbx_value_new_string(text, len + 2 * at), *copy;
            OK(gbx_value_copy(v, &copy));
            cr_assert_eq(gbx_value_equal(v, copy), 1);
            gbx_value_free(v);
            gbx_value_free(copy);
        }
    }
}

/* --- BigInts ------------------------------------------------------------------------------- */

Test(value, converts_bigints_to_decimal_and_back)
{
    static const struct {
        const char *given, *expected;
    } cases[] = {
        { "0", "0" },
        { "-0", "0" },
        { "000", "0" },
        { "-1", "-1" },
        { "9999999999999999999", "9999999999999999999" },
        { "10000000000000000000", "10000000000000000000" },
        { "18446744073709551615", "18446744073709551615" },
        { "18446744073709551616", "18446744073709551616" },
        { "-340282366920938463463374607431768211456",
            "-340282366920938463463374607431768211456" },
        { "00000000000000000000000000000000000000001", "1" },
        { "100000000000000000000000000000000000000000",
            "100000000000000000000000000000000000000000" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        gbx_value *v = gbx_value_new_bigint_text(cases[i].given, GBX_NUL);
        char *text = NULL;
        size_t len = 0;
        cr_assert_not_null(v);
        OK(gbx_value_get_bigint_text(v, &text, &len));
        cr_assert_str_eq(text, cases[i].expected);
        cr_assert_eq(len, strlen(text));
        free(text);
        gbx_value_free(v);
    }
    static const char *const wrong[] = { "", "-", "+1", "1.0", "0x1", " 1", "1 ", "1n", "--1" };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_assert_null(gbx_value_new_bigint_text(wrong[i], GBX_NUL), "%s", wrong[i]);
}

Test(value, takes_bigints_in_words)
{
    const uint64_t words[] = { 5, 0, 1, 0, 0 }, *out = NULL;
    gbx_value *v = gbx_value_new_bigint(1, words, 5);
    int32_t negative = -1;
    size_t count = 0;

    OK(gbx_value_get_bigint(v, &negative, &out, &count));
    cr_assert_eq(negative, 1);
    cr_assert_eq(count, 3); /* without the leading zeros */
    cr_assert_arr_eq(out, words, 3 * sizeof words[0]);
    gbx_value_free(v);

    v = gbx_value_new_bigint(1, NULL, 0);
    OK(gbx_value_get_bigint(v, &negative, &out, &count));
    cr_assert(negative == 0 && count == 0);
    gbx_value_free(v);
}

Test(value, bounds_decimal_bigints)
{
    char *digits = malloc(BIGINT_DIGITS_MAX + 2), *text = NULL;
    size_t words_past = (size_t)BIGINT_DIGITS_MAX / 19 + 2;
    uint64_t *words = malloc(words_past * sizeof *words);

    cr_assert(digits != NULL && words != NULL);
    memset(digits, '7', BIGINT_DIGITS_MAX + 1);
    cr_assert_null(gbx_value_new_bigint_text(digits, BIGINT_DIGITS_MAX + 1));
    gbx_value *v = gbx_value_new_bigint_text(digits, BIGINT_DIGITS_MAX - 20);
    OK(gbx_value_get_bigint_text(v, &text, NULL));
    digits[BIGINT_DIGITS_MAX - 20] = '\0';
    cr_assert_str_eq(text, digits);
    gbx_value_free(v);
    free(text);
    memset(words, 0xff, words_past * sizeof *words);
    v = gbx_value_new_bigint(0, words, words_past);
    expect_status(gbx_value_get_bigint_text(v, &text, NULL), GBX_ETOOBIG);
    gbx_value_free(v);
    free(digits);
    free(words);
}

/* --- dates, regular expressions, boxes ----------------------------------------------------- */

Test(value, clips_dates)
{
    static const struct {
        double given, expected;
    } cases[] = { { 0, 0 }, { -0.5, 0 }, { 1.9, 1 }, { -1.9, -1 }, { 8.64e15, 8.64e15 },
        { -8.64e15, -8.64e15 }, { 8.64e15 + 1, NAN }, { INFINITY, NAN }, { NAN, NAN } };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        gbx_value *v = gbx_value_new_date(cases[i].given);
        double ms = number_of(v);
        cr_assert(isnan(cases[i].expected) ? isnan(ms) : ms == cases[i].expected, "%g", ms);
        cr_assert_not(signbit(ms) && ms == 0);
        gbx_value_free(v);
    }
}

Test(value, knows_the_flags_of_regular_expressions)
{
    static const char *const right[] = { "", "g", "dgimsuy", "dgimsvy" };
    static const char *const wrong[] = { "x", "gg", "uv", "l", "G" };
    char flags[9];

    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        gbx_value *v = gbx_value_new_regexp("a", 1, right[i]);
        OK(gbx_value_get_flags(v, flags));
        cr_assert_str_eq(flags, right[i]);
        gbx_value_free(v);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_assert_null(gbx_value_new_regexp("a", 1, wrong[i]), "%s", wrong[i]);
    gbx_value *v = gbx_value_new_regexp("(b)", GBX_NUL, "yg");
    OK(gbx_value_get_flags(v, flags));
    cr_assert_str_eq(flags, "gy");
    expect_text(v, "/(b)/gy");
    gbx_value_free(v);
}

Test(value, boxes_primitives_and_nothing_else)
{
    gbx_value *v = gbx_value_new_boxed(string("s"));

    cr_assert_eq(gbx_value_get_kind(v), GBX_STRING_OBJECT);
    expect_text(v, "[String: 's']");
    gbx_value_free(v);
    v = gbx_value_new_boxed(number(-0.0));
    expect_text(v, "[Number: -0]");
    gbx_value_free(v);
    v = gbx_value_new_boxed(gbx_value_new_boolean(1));
    expect_text(v, "[Boolean: true]");
    gbx_value_free(v);
    v = gbx_value_new_boxed(gbx_value_new_bigint_text("5", 1));
    expect_text(v, "[BigInt: 5n]");
    gbx_value_free(v);
    cr_assert_null(gbx_value_new_boxed(gbx_value_new_null()));
    cr_assert_null(gbx_value_new_boxed(gbx_value_new_object()));
    cr_assert_null(gbx_value_new_boxed(NULL));
}

/* --- buffers and views --------------------------------------------------------------------- */

Test(buffer, shows_its_bytes_through_views)
{
    static const uint8_t bytes[] = { 1, 2, 3, 4, 5, 6, 7, 8 };
    gbx_value *b = gbx_value_new_array_buffer(bytes, sizeof bytes);
    gbx_value *a = gbx_value_new_typed_array(GBX_INT16, b, 2, 2);
    gbx_view view = GBX_VIEW_INIT;
    const void *shown = NULL;
    size_t len = 0;
    uint64_t max = 0;

    OK(gbx_value_get_view(a, &view));
    cr_assert(view.buffer == b && view.offset_bytes == 2 && view.length_bytes == 4);
    cr_assert(view.length == 2 && view.type == GBX_INT16 && view.tracking == 0);
    OK(gbx_value_get_bytes(a, &shown, &len));
    cr_assert_eq(len, 4);
    cr_assert_arr_eq(shown, bytes + 2, 4);
    expect_text(a, "Int16Array(2) [ 1027, 1541 ]");
    cr_assert_eq(gbx_value_length(a), 2);
    cr_assert_eq(gbx_value_get_resizable(b, &max), 0);
    cr_assert_eq(max, 8);
    OK(gbx_value_get_bytes(b, &shown, &len));
    cr_assert_eq((uintptr_t)shown % 16, 0);
    gbx_value *d = gbx_value_new_data_view(b, 8, GBX_TO_END);
    OK(gbx_value_get_bytes(d, &shown, &len));
    cr_assert_eq(len, 0);
    gbx_value_free(a);
}

Test(buffer, refuses_views_that_do_not_fit)
{
    gbx_value *b = gbx_value_new_array_buffer(NULL, 6);
    gbx_value *holder = gbx_value_new_array();

    OK(gbx_value_append(holder, b)); /* so that b survives the failures */
    cr_assert_null(gbx_value_new_typed_array(GBX_INT16, b, 1, 1));
    cr_assert_null(gbx_value_new_typed_array(GBX_INT16, b, 0, 4));
    cr_assert_null(gbx_value_new_typed_array(GBX_INT16, b, 8, 0));
    cr_assert_null(gbx_value_new_typed_array(GBX_INT32, b, 0, GBX_TO_END));
    cr_assert_null(gbx_value_new_typed_array(GBX_INT32, b, 4, 1));
    cr_assert_null(gbx_value_new_typed_array(GBX_FLOAT64, b, 0, UINT64_MAX / 8));
    cr_assert_null(gbx_value_new_typed_array(12, b, 0, 1));
    cr_assert_null(gbx_value_new_data_view(b, 7, GBX_TO_END));
    cr_assert_null(gbx_value_new_data_view(b, 0, 7));
    cr_assert_null(gbx_value_new_data_view(holder, 0, 0));
    cr_assert_not_null(gbx_value_new_typed_array(GBX_INT16, b, 6, 0));
    gbx_value_free(holder);
    /* By itself, a buffer goes with the failure. */
    cr_assert_null(gbx_value_new_data_view(gbx_value_new_array_buffer(NULL, 1), 0, 2));
    cr_assert_null(gbx_value_new_data_view(NULL, 0, 0));
}

Test(buffer, may_be_resizable)
{
    gbx_value *b = gbx_value_new_resizable_array_buffer("abcd", 4, 4294967295u), *copy;
    gbx_value *a = gbx_value_new_typed_array(GBX_UINT16, b, 2, GBX_TO_END);
    gbx_view view = GBX_VIEW_INIT;
    uint64_t max = 0;

    OK(gbx_value_copy(a, &copy));
    OK(gbx_value_get_view(copy, &view));
    cr_assert(view.tracking == 1 && view.length == 1 && view.offset_bytes == 2);
    cr_assert_eq(gbx_value_get_resizable(view.buffer, &max), 1);
    cr_assert_eq(max, 4294967295u);
    gbx_value_free(copy);
    gbx_value_free(a);
    cr_assert_null(gbx_value_new_resizable_array_buffer(NULL, 4, 3));
    cr_assert_null(gbx_value_new_resizable_array_buffer(NULL, 4, 4294967296u));
    cr_assert_null(gbx_value_new_array_buffer(NULL, VALUE_BYTES_MAX + 1));
}

/* --- errors -------------------------------------------------------------------------------- */

Test(error_value, has_texts_and_any_other_properties)
{
    gbx_value *e = gbx_value_new_error("TypeError", "why", GBX_NUL);

    expect_text(e, "[TypeError: why]");
    OK(gbx_value_set(e, "cause", GBX_NUL, gbx_value_new_object()));
    OK(gbx_value_set(e, "stack", GBX_NUL, string("TypeError: why\n    at me")));
    OK(gbx_value_set(e, "message", GBX_NUL, string("other")));
    expect_status(gbx_value_set(e, "message", GBX_NUL, number(1)), GBX_EINVAL);
    expect_keys(e, "name message cause stack ");
    expect_text(e, "TypeError: why\n    at me {\n  [cause]: {}\n}");
    OK(gbx_value_set(e, "code", GBX_NUL, string("E_WHY")));
    OK(gbx_value_set(e, "0", GBX_NUL, e));
    expect_keys(e, "0# name message cause stack code ");
    expect_text(e, "<ref *1> TypeError: why\n    at me {\n  '0': [Circular *1],\n"
                   "  [cause]: {},\n  code: 'E_WHY'\n}");
    gbx_value *copy;
    OK(gbx_value_copy(e, &copy));
    cr_assert_eq(gbx_value_equal(e, copy), 1);
    gbx_value_free(copy);
    gbx_value_free(e);
    e = gbx_value_new_error("MyError", "", 0);
    expect_text(e, "[MyError]");
    OK(gbx_value_copy(e, &copy));
    expect_text(copy, "[MyError]");
    cr_assert_eq(gbx_value_equal(e, copy), 1);
    gbx_value_free(copy);
    gbx_value_free(e);
}

/* --- graphs -------------------------------------------------------------------------------- */

/* What leaks, or is freed twice, a sanitizer or valgrind tells. */
Test(graph, frees_everything_from_any_node)
{
    for (int from = 0; from < 3; from++) {
        gbx_value *outer = gbx_value_new_object(), *middle = gbx_value_new_array();
        gbx_value *inner = gbx_value_new_map();
        OK(gbx_value_map_set(inner, string("k"), outer)); /* the outermost goes in first */
        OK(gbx_value_append(middle, inner));
        OK(gbx_value_set(outer, "m", GBX_NUL, middle));
        expect_text(outer, "<ref *1> { m: [ Map(1) { 'k' => [Circular *1] } ] }");
        gbx_value_free(from == 0 ? outer : from == 1 ? middle : inner);
    }
}

Test(graph, merges_any_number_of_graphs_in_any_order)
{
    enum {
        COUNT = 2000
    };
    static gbx_value *all[COUNT];
    uint32_t seed = 11;

    for (size_t i = 0; i < COUNT; i++)
        all[i] = gbx_value_new_array();
    for (size_t i = 1; i < COUNT; i++) {
        size_t into = random_next(&seed) % i;
        bool turn = random_next(&seed) % 2 == 0;
        OK(gbx_value_append(turn ? all[i] : all[into], turn ? all[into] : all[i]));
        OK(gbx_value_append(
            all[i], string("as long as it takes to fill a chunk now and then")));
    }
    size_t strings = 0;
    for (size_t i = 0; i < COUNT; i++)
        for (size_t k = 0; k < gbx_value_length(all[i]); k++)
            strings += gbx_value_get_kind(gbx_value_at(all[i], k)) == GBX_STRING;
    cr_assert_eq(strings, COUNT - 1);
    gbx_value_free(all[random_next(&seed) % COUNT]);
}

Test(graph, takes_items_over_even_when_it_fails)
{
    gbx_value *a = gbx_value_new_array(), *o = gbx_value_new_object(), *m = gbx_value_new_map();

    expect_status(gbx_value_append(o, number(1)), GBX_EINVAL);
    expect_status(gbx_value_append(NULL, number(1)), GBX_EINVAL);
    expect_status(gbx_value_append(a, NULL), GBX_ENOMEM);
    expect_status(gbx_value_set_at(o, 0, number(1)), GBX_EINVAL);
    expect_status(gbx_value_set_at(a, 0, NULL), GBX_ENOMEM);
    expect_status(gbx_value_set(a, "length", GBX_NUL, number(1)), GBX_EINVAL);
    expect_status(gbx_value_set(m, "k", GBX_NUL, number(1)), GBX_EINVAL);
    expect_status(gbx_value_set(o, "k", GBX_NUL, NULL), GBX_ENOMEM);
    expect_status(gbx_value_map_set(o, number(1), number(2)), GBX_EINVAL);
    expect_status(gbx_value_map_set(m, number(1), NULL), GBX_ENOMEM);
    expect_status(gbx_value_map_set(m, NULL, number(1)), GBX_ENOMEM);
    expect_status(gbx_value_map_set(m, NULL, NULL), GBX_ENOMEM);
    expect_status(gbx_value_add(m, number(1)), GBX_EINVAL);
    expect_status(gbx_value_set_length(o, 0), GBX_EINVAL);
    /* An item that is in the same graph already is not freed. */
    expect_status(gbx_value_append(o, o), GBX_EINVAL);
    gbx_value *both = number(3);
    expect_status(gbx_value_map_set(a, both, both), GBX_EINVAL);
    OK(gbx_value_set_at(a, 1, number(1)));
    expect_status(gbx_value_set(o, "hole", GBX_NUL, gbx_value_at(a, 0)), GBX_EINVAL);
    expect_status(gbx_value_map_set(m, gbx_value_at(a, 0), number(1)), GBX_EINVAL);
    gbx_value_free(a);
    gbx_value_free(o);
    gbx_value_free(m);
}

Test(graph, copies_a_part)
{
    gbx_value *v = value_of_json("{\"a\":{\"b\":[1,2]},\"c\":3}"), *copy = NULL;

    OK(gbx_value_copy(gbx_value_get(v, "a", GBX_NUL), &copy));
    gbx_value_free(v);
    expect_json(copy, "{\"b\":[1,2]}");
    gbx_value_free(copy);
    expect_status(gbx_value_copy(NULL, &copy), GBX_EINVAL);
}
