#include "clone_help.h"

#include "wire/date.h"
#include "wire/number.h"

#include <locale.h>
#include <math.h>

/* --- reading ------------------------------------------------------------------------------- */

Test(json, reads_what_it_writes)
{
    static const char *const texts[] = { "null", "true", "false", "0", "-1", "1.5", "1e+21",
        "5e-324", "\"\"", "\"a\"", "[]", "{}", "[[]]", "[1,2,3]", "{\"a\":1}", "{\"\":{}}",
        "{\"1\":1,\"b\":2,\"a\":3}", "[{\"a\":[null,true,\"x\"]},[],{}]", "{\"__proto__\":{}}",
        "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\"",
        "\"\x7f\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"", "\"\\ud800\"", "\"\\udc00\\ud800\"" };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        gbx_value *v = value_of_json(texts[i]);
        expect_json(v, texts[i]);
        gbx_value_free(v);
    }
}

Test(json, reads_every_form_there_is)
{
    static const char *const pairs[][2] = {
        { " \t\r\n[ \n1 ,\t2 ] \r", "[1,2]" },
        { " { \"a\" : 1 , \"b\" : [ ] } ", "{\"a\":1,\"b\":[]}" },
        { "-0", "0" },
        { "-0.0e-0", "0" },
        { "1E5", "100000" },
        { "1e+5", "100000" },
        { "100e-2", "1" },
        { "1e400", "null" },
        { "123456789012345678901234567890", "1.2345678901234568e+29" },
        { "0.1000000000000000055511151231257827", "0.1" },
        { "9007199254740993", "9007199254740992" },
        { "\"\\u00e9\\u20AC\\/\"", "\"\xc3\xa9\xe2\x82\xac/\"" },
        { "\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\"" },
        { "\"\\ud83d\\ud83d\\ude00\"", "\"\\ud83d\xf0\x9f\x98\x80\"" },
        { "{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":3,\"b\":2}" },
        { "{\"b\":0,\"2\":1,\"1\":2,\"2\":3}", "{\"1\":2,\"2\":3,\"b\":0}" },
        { "{\"\\u0061\":1,\"a\":2}", "{\"a\":2}" },
        { "{\"a\":{\"a\":1},\"a\":[]}", "{\"a\":[]}" },
    };

    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        gbx_value *v = value_of_json(pairs[i][0]);
        expect_json(v, pairs[i][1]);
        gbx_value_free(v);
    }
}

Test(json, says_where_a_mistake_is)
{
    static const struct {
        const char *text;
        uint32_t line, column;
        const char *message;
    } cases[] = {
        { "", 1, 1, "a value was expected, line 1, column 1" },
        { "nul", 1, 1, "a value was expected, line 1, column 1" },
        { "[1,\n 2,,]", 2, 4, "a value was expected, line 2, column 4" },
        { "[1 2]", 1, 4, "a comma or ] was expected, line 1, column 4" },
        { "{\"a\":1 \"b\":2}", 1, 8, "a comma or } was expected, line 1, column 8" },
        { "{a:1}", 1, 2, "a key in quotes was expected, line 1, column 2" },
        { "{\"a\" 1}", 1, 6, "a colon was expected, line 1, column 6" },
        { "{\"a\":1,}", 1, 8, "a key in quotes was expected, line 1, column 8" },
        { "[1,]", 1, 4, "a value was expected, line 1, column 4" },
        { "[1", 1, 3, "a comma or ] was expected, line 1, column 3" },
        { "\"abc", 1, 5, "a string without an end, line 1, column 5" },
        { "\"abc\\", 1, 6, "a string without an end, line 1, column 6" },
        { "\"abc\\\"", 1, 7, "a string without an end, line 1, column 7" },
        { "\"\xc3\xa9\xf0\x9f\x98\x80\\x\"", 1, 6,
            "an escape that JSON does not have, line 1, column 6" },
        { "\"\\u12g4\"", 1, 3, "an escape that JSON does not have, line 1, column 3" },
        { "\"\\u12\"", 1, 3, "an escape that JSON does not have, line 1, column 3" },
        { "\"a\nb\"", 1, 3, "a control character in a string, line 1, column 3" },
        { "\"\xff\"", 1, 2, "a string that is not UTF-8, line 1, column 2" },
        { "\"\xed\xa0\x80\"", 1, 2, "a string that is not UTF-8, line 1, column 2" },
        { "1 2", 1, 3, "something behind the value, line 1, column 3" },
        { "[]]", 1, 3, "something behind the value, line 1, column 3" },
        { "01", 1, 2, "something behind the value, line 1, column 2" },
        { "-", 1, 1, "a number of a form that JSON does not have, line 1, column 1" },
        { "1.", 1, 1, "a number of a form that JSON does not have, line 1, column 1" },
        { ".5", 1, 1, "a value was expected, line 1, column 1" },
        { "1e", 1, 1, "a number of a form that JSON does not have, line 1, column 1" },
        { "1e+", 1, 1, "a number of a form that JSON does not have, line 1, column 1" },
        { "+1", 1, 1, "a value was expected, line 1, column 1" },
        { "NaN", 1, 1, "a value was expected, line 1, column 1" },
        { "'a'", 1, 1, "a value was expected, line 1, column 1" },
        { "\xef\xbb\xbf[]", 1, 1, "a value was expected, line 1, column 1" },
        { "[1]/**/", 1, 4, "something behind the value, line 1, column 4" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct span text = exact_copy((const uint8_t *)cases[i].text, strlen(cases[i].text));
        gbx_value *untouched = (gbx_value *)&text, *v = untouched;
        gbx_error error = GBX_ERROR_INIT;
        expect_status(
            gbx_value_from_json((const char *)text.p, text.len, &v, &error), GBX_EINVAL);
        cr_assert_eq(v, untouched);
        cr_assert_eq(error.status, GBX_EINVAL);
        cr_assert_str_eq(
            error.message, cases[i].message, "%s: %s", cases[i].text, error.message);
        cr_assert(error.line == cases[i].line && error.column == cases[i].column);
        free((void *)(uintptr_t)text.p);
    }
}

Test(json, refuses_every_truncation)
{
    static const char whole[] = "{\"a\":[1.5e3,\"\\u00e9x\",{\"b\":null}],\"c\":[true,false]}";

    for (size_t n = 0; n < sizeof whole - 1; n++) {
        struct span text = exact_copy((const uint8_t *)whole, n);
        gbx_value *v = NULL;
        expect_status(
            gbx_value_from_json((const char *)text.p, text.len, &v, NULL), GBX_EINVAL);
        free((void *)(uintptr_t)text.p);
    }
}

Test(json, bounds_depth_both_ways)
{
    for (size_t more = 0; more <= 1; more++) {
        size_t depth = VALUE_DEPTH_MAX + more;
        char *text = malloc(2 * depth + 1), *json = NULL;
        gbx_value *v = NULL;
        cr_assert_not_null(text);
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        text[2 * depth] = '\0';
        gbx_status status = gbx_value_from_json(text, GBX_NUL, &v, NULL);
        expect_status(status, more == 0 ? GBX_OK : GBX_ETOOBIG);
        if (status == GBX_OK) {
            expect_status(gbx_value_to_json(v, 0, &json, NULL, NULL), GBX_OK);
            cr_assert_str_eq(json, text);
            free(json);
            gbx_value *outer = gbx_value_new_array();
            expect_status(gbx_value_append(outer, v), GBX_OK);
            expect_status(gbx_value_to_json(outer, 0, &json, NULL, NULL), GBX_ETOOBIG);
            gbx_value_free(outer);
        }
        free(text);
    }
}

Test(json, bounds_what_it_reads)
{
    gbx_value *v = NULL;
    size_t len = 2 * (size_t)VALUE_COUNT_MAX + 1;
    char *text = malloc(len);

    expect_status(gbx_value_from_json("1", VALUE_BYTES_MAX + 1, &v, NULL), GBX_ETOOBIG);
    /* An array of one value less than there may be, the array being one itself; then one more. */
    cr_assert_not_null(text);
    for (size_t i = 0; i < len; i++)
        text[i] = i % 2 == 0 ? ',' : '0';
    text[0] = '[';
    text[len - 3] = ']';
    text[len - 2] = ' ';
    text[len - 1] = ' ';
    expect_status(gbx_value_from_json(text, len, &v, NULL), GBX_OK);
    cr_assert_eq(gbx_value_length(v), VALUE_COUNT_MAX - 1);
    gbx_value_free(v);
    text[len - 3] = ',';
    text[len - 2] = '0';
    text[len - 1] = ']';
    expect_status(gbx_value_from_json(text, len, &v, NULL), GBX_ETOOBIG);
    free(text);
}

/* --- writing ------------------------------------------------------------------------------- */

Test(json, writes_what_stringify_writes)
{
    static const char *const pairs[][2] = {
        { "ff0f41025f30240002", "[null,null]" },
        { "ff0f6101400001", "[null]" },
        { "ff0f6f2201615f22016249007b02", "{\"b\":0}" },
        { "ff0f4e000000000000f87f", "null" },
        { "ff0f4e000000000000f07f", "null" },
        { "ff0f4e0000000000000080", "0" },
        { "ff0f440000000000000000", "\"1970-01-01T00:00:00.000Z\"" },
        { "ff0f44000000000000f87f", "null" },
        { "ff0f79", "true" },
        { "ff0f6e0000000000000080", "0" },
        { "ff0f73220173", "\"s\"" },
        { "ff0f3b490049003a02", "{}" },
        { "ff0f2749002c01", "{}" },
        { "ff0f5222016100", "{}" },
        { "ff0f726d2201782e", "{}" },
        { "ff0f4203010203", "{}" },
        { "ff0f4203010203563f000300", "{}" },
        { "ff0f42030102035642000300", "{\"0\":1,\"1\":2,\"2\":3}" },
        { "ff0f42005642000000", "{}" },
        { "ff0f42005651000000", "{}" },
        { "ff0f4101490222016b4904240101", "[1]" },
    };

    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        gbx_value *v = value_of_hex(pairs[i][0]);
        expect_json(v, pairs[i][1]);
        gbx_value_free(v);
    }
}

Test(json, indents_as_stringify_does)
{
    gbx_value *v = value_of_json("{\"a\":[1,{\"b\":[]}],\"c\":{}}");
    char *json = NULL;
    size_t len = 0;

    expect_status(gbx_value_to_json(v, 2, &json, &len, NULL), GBX_OK);
    cr_assert_str_eq(
        json, "{\n  \"a\": [\n    1,\n    {\n      \"b\": []\n    }\n  ],\n  \"c\": {}\n}");
    cr_assert_eq(len, strlen(json));
    free(json);
    expect_status(gbx_value_to_json(v, 10, &json, &len, NULL), GBX_OK);
    free(json);
    json = NULL;
    expect_status(gbx_value_to_json(v, 11, &json, &len, NULL), GBX_EINVAL);
    cr_assert_null(json);
    gbx_value_free(v);
}

Test(json, says_what_has_no_json_form)
{
    static const char *const pairs[][2] = {
        { "ff0f5f", "undefined has no JSON form" },
        { "ff0f5a00", "a BigInt has no JSON form" },
        { "ff0f41015a00240001", "a BigInt has no JSON form" },
        { "ff0f6f2201617a007b01", "a BigInt has no JSON form" },
        { "ff0f420800000000000000005651000800", "a BigInt has no JSON form" },
        { "ff0f41015e00240001", "a value that refers to itself has no JSON form" },
        { "ff0f6f22016141015e002400017b01", "a value that refers to itself has no JSON form" },
    };

    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        gbx_value *v = value_of_hex(pairs[i][0]);
        gbx_error error = GBX_ERROR_INIT;
        char *json = NULL;
        expect_status(gbx_value_to_json(v, 0, &json, NULL, &error), GBX_EINVAL);
        cr_assert_str_eq(error.message, pairs[i][1]);
        cr_assert_null(json);
        gbx_value_free(v);
    }
    expect_status(gbx_value_to_json(NULL, 0, NULL, NULL, NULL), GBX_EINVAL);
}

Test(json, writes_shared_values_twice)
{
    gbx_value *v = value_of_hex("ff0f41026f7b005e01240002");

    expect_json(v, "[{},{}]");
    gbx_value_free(v);
}

/* Values that are small in memory and endless as JSON. */
Test(json, gives_up_on_what_is_too_long)
{
    gbx_value *v = gbx_value_new_array();
    char *json = NULL;

    expect_status(gbx_value_set_length(v, 4294967295u), GBX_OK);
    expect_status(gbx_value_to_json(v, 0, &json, NULL, NULL), GBX_ETOOBIG);
    gbx_value_free(v);
    v = gbx_value_new_string("0123456789012345678901234567890123456789", GBX_NUL);
    for (int i = 0; i < 60; i++) {
        gbx_value *outer = gbx_value_new_array();
        expect_status(gbx_value_append(outer, v), GBX_OK);
        expect_status(gbx_value_append(outer, v), GBX_OK);
        v = outer;
    }
    expect_status(gbx_value_to_json(v, 0, &json, NULL, NULL), GBX_ETOOBIG);
    cr_assert_null(json);
    gbx_value_free(v);
}

/* --- numbers and dates --------------------------------------------------------------------- */

Test(number, is_written_as_javascript_writes_it)
{
    static const struct {
        double number;
        const char *text;
    } cases[] = {
        { 0, "0" },
        { -0.0, "0" },
        { 1, "1" },
        { -1.5, "-1.5" },
        { 0.1, "0.1" },
        { 0.1 + 0.2, "0.30000000000000004" },
        { 1e21, "1e+21" },
        { 1e20, "100000000000000000000" },
        { 123456789012345680000.0, "123456789012345680000" },
        { 1e-6, "0.000001" },
        { 1e-7, "1e-7" },
        { 1.5e-7, "1.5e-7" },
        { 5e-324, "5e-324" },
        { 2.2250738585072014e-308, "2.2250738585072014e-308" },
        { 1.7976931348623157e308, "1.7976931348623157e+308" },
        { 9007199254740992.0, "9007199254740992" },
        { 9007199254740994.0, "9007199254740994" },
        { 7.120236347223045e-307, "7.120236347223045e-307" }, /* the nearest 16 digits fail */
        { 4.35, "4.35" },
        { 1e23, "1e+23" },
        { 9.5367431640625e-07, "9.5367431640625e-7" },
        { -123456.789, "-123456.789" },
        { (double)INFINITY, "Infinity" },
        { -(double)INFINITY, "-Infinity" },
        { (double)NAN, "NaN" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[NUMBER_TEXT_MAX];
        size_t len = number_to_text(cases[i].number, text);
        cr_assert_eq(len, strlen(cases[i].text));
        cr_assert_arr_eq(text, cases[i].text, len, "%s", cases[i].text);
    }
}

/* Any double comes back, and no text is longer than its room. */
Test(number, reads_back_as_the_same)
{
    uint64_t bits = 1;

    for (int i = 0; i < 20000; i++) {
        char text[NUMBER_TEXT_MAX];
        double number, again = 0;
        bits = bits * 6364136223846793005u + 1442695040888963407u;
        memcpy(&number, &bits, sizeof number);
        if (!isfinite(number))
            continue;
        size_t len = number_to_text(number, text);
        cr_assert_lt(len, NUMBER_TEXT_MAX);
        cr_assert(number_from_text(text, len, &again));
        cr_assert_eq(again, number);
    }
}

Test(number, does_not_depend_on_the_locale)
{
    static const char *const commas[] = { "de_DE.UTF-8", "fr_FR.UTF-8", "nl_NL.UTF-8" };
    const char *set = NULL;

    for (size_t i = 0; i < sizeof commas / sizeof commas[0] && set == NULL; i++)
        set = setlocale(LC_ALL, commas[i]);
    if (set == NULL)
        cr_skip_test("no locale with a decimal comma is installed");
    cr_assert_str_eq(localeconv()->decimal_point, ",");
    gbx_value *v = value_of_json("[1.5,0.30000000000000004,1.5e300,123456789.12345678]");
    expect_json(v, "[1.5,0.30000000000000004,1.5e+300,123456789.12345678]");
    gbx_value_free(v);
}

Test(number, knows_halves)
{
    static const struct {
        uint16_t bits;
        double number;
    } cases[] = { { 0x0000, 0 }, { 0x0001, 5.960464477539063e-8 },
        { 0x03ff, 0.00006097555160522461 }, { 0x0400, 0.00006103515625 }, { 0x3c00, 1 },
        { 0xc000, -2 }, { 0x7bff, 65504 }, { 0x7c00, (double)INFINITY },
        { 0xfc00, -(double)INFINITY }, { 0x3555, 0.333251953125 } };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_assert_eq(number_from_half(cases[i].bits), cases[i].number);
    cr_assert(isnan(number_from_half(0x7e00)));
    cr_assert(signbit(number_from_half(0x8000)));
}

Test(date, is_written_as_to_iso_string_does)
{
    static const struct {
        double ms;
        const char *text;
    } cases[] = {
        { 0, "1970-01-01T00:00:00.000Z" },
        { -1, "1969-12-31T23:59:59.999Z" },
        { 951782399999, "2000-02-28T23:59:59.999Z" },
        { 951782400000, "2000-02-29T00:00:00.000Z" },
        { 4107542400000, "2100-03-01T00:00:00.000Z" },
        { 1700000000123, "2023-11-14T22:13:20.123Z" },
        { 253402300799999, "9999-12-31T23:59:59.999Z" },
        { 253402300800000, "+010000-01-01T00:00:00.000Z" },
        { -62167219200000, "0000-01-01T00:00:00.000Z" },
        { -62167219200001, "-000001-12-31T23:59:59.999Z" },
        { 8.64e15, "+275760-09-13T00:00:00.000Z" },
        { -8.64e15, "-271821-04-20T00:00:00.000Z" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[DATE_TEXT_MAX];
        size_t len = date_to_text(cases[i].ms, text);
        cr_assert_eq(len, strlen(cases[i].text));
        cr_assert_arr_eq(text, cases[i].text, len);
    }
}
