#include "clone_help.h"

/* --- what V8 14.6 writes ----------------------------------------------------------------- */

/* A value's bytes as the pinned engine writes them, and the value's text. */
static const struct sample {
    const char *name, *hex, *text;
} samples[] = {
    { "undefined", "ff0f5f", "undefined" },
    { "null", "ff0f30", "null" },
    { "true", "ff0f54", "true" },
    { "false", "ff0f46", "false" },
    { "zero", "ff0f4900", "0" },
    { "-1", "ff0f4901", "-1" },
    { "largest int32", "ff0f49feffffff0f", "2147483647" },
    { "smallest int32", "ff0f49ffffffff0f", "-2147483648" },
    { "half", "ff0f4e000000000000e03f", "0.5" },
    { "-0", "ff0f4e0000000000000080", "-0" },
    { "NaN", "ff0f4e000000000000f87f", "NaN" },
    { "infinity", "ff0f4e000000000000f07f", "Infinity" },
    { "2^31", "ff0f4e000000000000e041", "2147483648" },
    { "empty string", "ff0f2200", "''" },
    { "ASCII", "ff0f22026869", "'hi'" },
    { "Latin-1", "ff0f2201e9", "'\xc3\xa9'" },
    { "two-byte string", "ff0f63046100ac20", "'a\xe2\x82\xac'" },
    { "surrogate pair", "ff0f63043dd800de", "'\xf0\x9f\x98\x80'" },
    { "lone surrogate", "ff0f630400d87800", "'\\ud800x'" },
    { "0n", "ff0f5a00", "0n" },
    { "-1n", "ff0f5a110100000000000000", "-1n" },
    { "2n ** 64n", "ff0f5a2000000000000000000100000000000000", "18446744073709551616n" },
    { "date", "ff0f440000000070999441", "1970-01-02T00:00:00.000Z" },
    { "invalid date", "ff0f44000000000000f87f", "Invalid Date" },
    { "regexp", "ff0f522204615c2f6203", "/a\\/b/gi" },
    { "booleans", "ff0f41027978240002", "[ [Boolean: true], [Boolean: false] ]" },
    { "Number object", "ff0f6e0000000000000080", "[Number: -0]" },
    { "BigInt object", "ff0f7a100500000000000000", "[BigInt: 5n]" },
    { "String object", "ff0f73220173", "[String: 's']" },
    { "array", "ff0f4103490222016130240003", "[ 1, 'a', null ]" },
    { "holes", "ff0f61034900490249044906400203", "[ 1, <1 empty item>, 3 ]" },
    { "sparse", "ff0f61c1843d4980897a49024001c1843d", "[ <1000000 empty items>, 1 ]" },
    { "array with a property", "ff0f4101490222016b4904240101", "[ 1, k: 2 ]" },
    { "object", "ff0f6f22016149022201626f220163547b017b02", "{ a: 1, b: { c: true } }" },
    { "index keys", "ff0f6f49064906490e490422016249027b03", "{ '3': 3, '7': 2, b: 1 }" },
    { "__proto__", "ff0f6f22095f5f70726f746f5f5f49027b01", "{ ['__proto__']: 1 }" },
    { "map", "ff0f3b22016b49026f7b0041002400003a04", "Map(2) { 'k' => 1, {} => [] }" },
    { "set", "ff0f2749022201612c02", "Set(2) { 1, 'a' }" },
    { "buffer", "ff0f4203010203",
        "ArrayBuffer { [Uint8Contents]: <01 02 03>, [byteLength]: 3 }" },
    { "resizable buffer", "ff0f7e040800000000",
        "ArrayBuffer { [Uint8Contents]: <00 00 00 00>, [byteLength]: 4 }" },
    { "Uint8Array", "ff0f420201025642000200", "Uint8Array(2) [ 1, 2 ]" },
    { "Float16Array", "ff0f4202003e5668000200", "Float16Array(1) [ 1.5 ]" },
    { "BigUint64Array", "ff0f4208ffffffffffffffff5651000800",
        "BigUint64Array(1) [ 18446744073709551615n ]" },
    { "DataView", "ff0f420400000000563f010200",
        "DataView {\n  [byteLength]: 2,\n  [byteOffset]: 1,\n"
        "  [buffer]: ArrayBuffer { [Uint8Contents]: <00 00 00 00>, [byteLength]: 4 }\n}" },
    { "length-tracking", "ff0f7e0408000000005677020003", "Int16Array(1) [ 0 ]" },
    { "fixed on resizable", "ff0f7e0408000000005662010202", "Int8Array(2) [ 0, 0 ]" },
    { "error", "ff0f72526d22026e6f73221752616e67654572726f723a206e6f0a202020206174206663490e2e",
        "RangeError: no\n    at f {\n  [cause]: 7\n}" },
    { "error without a stack", "ff0f726d2201782e", "[Error: x]" },
    { "cycle", "ff0f41015e00240001", "<ref *1> [ [Circular *1] ]" },
    { "shared", "ff0f41026f7b005e01240002", "[ {}, {} ]" },
    { "two views of one buffer", "ff0f410242010056420001005e015642000100240002",
        "[ Uint8Array(1) [ 0 ], Uint8Array(1) [ 0 ] ]" },
};
enum {
    SAMPLES = sizeof samples / sizeof samples[0]
};

Test(clone, reads_what_v8_writes)
{
    for (size_t i = 0; i < SAMPLES; i++) {
        gbx_value *value = value_of_hex(samples[i].hex);
        expect_text(value, samples[i].text);
        gbx_value_free(value);
    }
}

Test(clone, writes_what_v8_writes)
{
    for (size_t i = 0; i < SAMPLES; i++) {
        struct span bytes = bytes_of_hex(samples[i].hex);
        struct buf out = { .max = VALUE_BYTES_MAX };
        gbx_value *value = value_of_hex(samples[i].hex);

        expect_status(clone_write(value, &out), GBX_OK);
        cr_assert_eq(out.len, bytes.len, "%s", samples[i].name);
        cr_assert_arr_eq(out.p, bytes.p, bytes.len, "%s", samples[i].name);
        gbx_value_free(value);
        buf_done(&out);
        free((void *)(uintptr_t)bytes.p);
    }
}

Test(clone, refuses_every_truncation_and_leaves_out_alone)
{
    for (size_t i = 0; i < SAMPLES; i++) {
        struct span whole = bytes_of_hex(samples[i].hex);
        for (size_t n = 0; n < whole.len; n++) {
            struct span bytes = exact_copy(whole.p, n);
            gbx_value *untouched = (gbx_value *)&whole, *out = untouched;
            const char *why = NULL;
            gbx_status status = clone_read(bytes, NULL, &out, &why);
            if (status == GBX_OK) {
                /* A view without its own part is its buffer. */
                cr_assert_eq(gbx_value_get_kind(out), GBX_ARRAY_BUFFER, "%s", samples[i].name);
                cr_assert_not_null(strstr(samples[i].hex + 2 * n, "56"));
                gbx_value_free(out);
            } else {
                expect_status(status, GBX_EPROTO);
                cr_assert_not_null(why);
                cr_assert_eq(out, untouched, "%s", samples[i].name);
            }
            free((void *)(uintptr_t)bytes.p);
        }
        free((void *)(uintptr_t)whole.p);
    }
}

Test(clone, refuses_a_trailing_byte)
{
    for (size_t i = 0; i < SAMPLES; i++) {
        /* 0 is padding, which may only stand before a tag; '0' is a value. */
        for (const char *more = "0030"; *more != '\0'; more += 2) {
            char hex[256];
            (void)snprintf(hex, sizeof hex, "%s%.2s", samples[i].hex, more);
            struct span bytes = bytes_of_hex(hex);
            gbx_value *out;
            expect_status(clone_read(bytes, NULL, &out, NULL), GBX_EPROTO);
            free((void *)(uintptr_t)bytes.p);
        }
    }
}

/* --- other forms that are right ----------------------------------------------------------- */

Test(clone, reads_forms_that_v8_reads_but_does_not_write)
{
    static const struct {
        const char *hex, *text;
    } forms[] = {
        { "ff0f5505", "5" },                  /* uint32 */
        { "ff0f55ffffffff0f", "4294967295" }, /* the largest */
        { "ff0f5303c3a961", "'\xc3\xa9"
                            "a'" },                     /* UTF-8 string */
        { "ff0f3f2a3f2b5f", "undefined" },              /* object counts */
        { "ff0f00005f", "undefined" },                  /* padding */
        { "ff0f410200490200490400240002", "[ 1, 2 ]" }, /* padding between elements */
        { "ff0f4900", "0" },
        { "ff0f498000", "0" },                                /* a varint that is too long */
        { "ff0f4e000000000000f0bf", "-1" },                   /* an integer as a double */
        { "ff0f6f4e000000000000084049027b01", "{ '3': 1 }" }, /* a double as a key */
        { "ff0f6f220133490222016149047b02", "{ '3': 1, a: 2 }" }, /* digits as a key */
        { "ff0f6f2201614902490649047b02", "{ '3': 2, a: 1 }" },   /* indexes not first */
        { "ff0f41022d4902240002", "[ <1 empty item>, 1 ]" },      /* a hole in a dense array */
        { "ff0f41012d2201784902240101", "[ <1 empty item>, x: 1 ]" },
        { "ff0f5a0205", "5n" },                                   /* a BigInt of one byte */
        { "ff0f5a0300", "0n" },                                   /* -0n is 0n */
        { "ff0f5a1400000000000000000000", "0n" },                 /* leading zeros */
        { "ff0f4e010000000000f07f", "NaN" },                      /* another NaN */
        { "ff0f44000000000000e03f", "1970-01-01T00:00:00.000Z" }, /* half a millisecond */
        { "ff0f22023132", "'12'" },
    };

    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        gbx_value *value = value_of_hex(forms[i].hex);
        expect_text(value, forms[i].text);
        gbx_value_free(value);
    }
}

Test(clone, keeps_one_nan)
{
    static const uint8_t quiet[] = { 0xff, 0x0f, 'N', 0, 0, 0, 0, 0, 0, 0xf8, 0x7f };
    gbx_value *value = value_of_hex("ff0f4e010000000000f0ff");
    struct buf out = { .max = 64 };

    expect_status(clone_write(value, &out), GBX_OK);
    cr_assert_eq(out.len, sizeof quiet);
    cr_assert_arr_eq(out.p, quiet, sizeof quiet);
    gbx_value_free(value);
    buf_done(&out);
}

/* --- hostile input ------------------------------------------------------------------------ */

static const struct {
    const char *name, *hex;
} hostile[] = {
    { "nothing", "" },
    { "no header", "4900" },
    { "only a header", "ff0f" },
    { "version 14", "ff0e4900" },
    { "version 16", "ff104900" },
    { "an unknown tag", "ff0f21" },
    { "a hole by itself", "ff0f2d" },
    { "an end by itself", "ff0f7b00" },
    { "a host object", "ff0f5c00" },
    { "a transferred buffer", "ff0f7400" },
    { "a shared buffer", "ff0f7500" },
    { "a shared object", "ff0f7000" },
    { "a wasm module", "ff0f7700" },
    { "a wasm memory", "ff0f6d000042" },
    { "a varint of six bytes", "ff0f55808080808000" },
    { "a varint of 33 bits", "ff0f55ffffffff1f" },
    { "a string of 2^32 - 1 bytes", "ff0f22ffffffff0f41" },
    { "a two-byte string of odd length", "ff0f6303414141" },
    { "a two-byte string of 2^32 - 2 bytes", "ff0f63feffffff0f4141" },
    { "a UTF-8 string that is none", "ff0f5302c328" },
    { "a UTF-8 string with a surrogate", "ff0f5303eda080" },
    { "a UTF-8 string, overlong", "ff0f5302c080" },
    { "an array of 2^32 - 1 elements", "ff0f41ffffffff0f5f" },
    { "arrays of arrays of too many elements", "ff0f41ff0741ff0741ff0741ff07" },
    { "a buffer of 2^32 - 1 bytes", "ff0f42ffffffff0f00" },
    { "a buffer past its maximum", "ff0f7e02010000" },
    { "a BigInt of 2^31 - 1 bytes is too big or cut", "ff0f5afeff0f00" },
    { "a wrong count of properties", "ff0f6f22016149027b02" },
    { "a wrong count of entries", "ff0f3b490049003a01" },
    { "a map that ends behind a key", "ff0f3b49003a01" },
    { "a wrong count of members", "ff0f2749002c02" },
    { "a wrong length at the end", "ff0f41014900240002" },
    { "a wrong length at the end of a sparse array", "ff0f610340000400" },
    { "another container's end", "ff0f6f240000" },
    { "a key twice", "ff0f6f220161490022016149007b02" },
    { "an index twice, in two forms", "ff0f6f4902490022013149007b02" },
    { "an element twice", "ff0f61034902490049024900400203" },
    { "an element twice, far out", "ff0f61c1843d4980897a49024980897a49024002c1843d" },
    { "an element past the length", "ff0f610149024900400101" },
    { "an index behind dense elements", "ff0f41012d49004900240101" },
    { "length as a property of an array", "ff0f410022066c656e6774684900240100" },
    { "length as a property of a sparse array", "ff0f610022066c656e6774684900400100" },
    { "a member twice", "ff0f27490249022c02" },
    { "an entry twice", "ff0f3b220161490022016149003a04" },
    { "0 and -0 as members", "ff0f2749004e00000000000000802c02" },
    { "one object twice in a set", "ff0f276f7b005e012c02" },
    { "a key that is an object", "ff0f6f6f7b0049007b01" },
    { "a key that is no index", "ff0f6f4e000000000000f83f49007b01" },
    { "a key below zero", "ff0f6f490149007b01" },
    { "a reference to nothing", "ff0f5e00" },
    { "a reference to what comes later", "ff0f41025e016f7b00240002" },
    { "a reference to a primitive", "ff0f410249005e01240002" },
    { "a view without a buffer", "ff0f5642000000" },
    { "a view behind an object", "ff0f6f7b005642000000" },
    { "a view past its buffer", "ff0f42020000564202000100" },
    { "a view that starts past it", "ff0f420200005642030000" },
    { "a view whose end wraps around", "ff0f42020000564201ffffffff0f00" },
    { "a view of half an element", "ff0f4204000000005677000300" },
    { "a view at half an element", "ff0f4204000000005677010200" },
    { "a view of unknown type", "ff0f42020000565a000200" },
    { "a view of type 0", "ff0f420200005600000200" },
    { "a view with unknown flags", "ff0f420200005642000204" },
    { "a length-tracking view of a fixed buffer", "ff0f420200005642000201" },
    { "a resizable view of a fixed buffer", "ff0f420200005642000202" },
    { "a fixed view of a resizable buffer", "ff0f7e020400005642000200" },
    { "two views of one buffer in a row", "ff0f4202000056420002005642000200" },
    { "a view of a view", "ff0f41024202000056420002005e025642000200240002" },
    { "flags of a regexp that are none", "ff0f52220161c004" },
    { "u and v together", "ff0f522201619002" },
    { "the experimental l", "ff0f5222016140" },
    { "a regexp whose source is a number", "ff0f52490003" },
    { "a String object of a number", "ff0f734900" },
    { "an error without an end", "ff0f726d220178" },
    { "an error with a second message", "ff0f726d2201786d2201782e" },
    { "an error with its stack first", "ff0f72732201786d2201782e" },
    { "an error whose message is a number", "ff0f726d49002e" },
    { "an error of unknown form", "ff0f7278" },
    { "an error with two causes", "ff0f726349006349002e" },
};

Test(clone, refuses_what_is_wrong)
{
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        struct span bytes = bytes_of_hex(hostile[i].hex);
        gbx_value *out = NULL;
        const char *why = NULL;

        gbx_status status = clone_read(bytes, NULL, &out, &why);
        cr_assert(status == GBX_EPROTO, "%s: %s", hostile[i].name, gbx_strstatus(status));
        cr_assert(why != NULL && *why != '\0', "%s", hostile[i].name);
        free((void *)(uintptr_t)bytes.p);
    }
}

/* Small ones are searched, larger ones hashed: an object and a set of each size. */
Test(clone, refuses_a_key_twice_among_any_number)
{
    for (int count = 2; count <= 40; count++)
        for (int twice = 0; twice < count; twice++)
            for (int set = 0; set < 2; set++) {
                struct buf b = { .max = KIB };
                gbx_value *value = NULL;
                buf_text(&b, set ? "\xff\x0f'" : "\xff\x0fo");
                /* The last is the one at `twice` again; if that is the last itself, all differ. */
                for (int i = 0; i < count; i++)
                    buf_printf(&b, "\"\x02%02d%s", i == count - 1 ? twice : i, set ? "" : "_");
                buf_printf(&b, "%c%c", set ? ',' : '{', count);
                gbx_status status = clone_read(buf_span(&b), NULL, &value, NULL);
                expect_status(status, twice == count - 1 ? GBX_OK : GBX_EPROTO);
                if (status == GBX_OK)
                    gbx_value_free(value);
                buf_done(&b);
            }
}

/* --- limits ------------------------------------------------------------------------------- */

/* `depth` arrays within each other, the innermost empty. */
static struct buf
nested(uint32_t depth)
{
    struct buf b = { .max = VALUE_BYTES_MAX };

    buf_append(&b, "\xff\x0f", 2);
    for (uint32_t i = 1; i < depth; i++)
        buf_append(&b, "A\x01", 2);
    buf_append(&b, "A\x00$\x00\x00", 5);
    for (uint32_t i = 1; i < depth; i++)
        buf_append(&b, "$\x00\x01", 3);
    return b;
}

Test(clone, reads_up_to_the_depth_limit)
{
    static const uint32_t depths[] = { 1, 2, 100, VALUE_DEPTH_MAX };

    for (size_t i = 0; i < sizeof depths / sizeof depths[0]; i++) {
        struct clone_limits limits = { depths[i], 0 };
        struct buf within = nested(depths[i]), past = nested(depths[i] + 1);
        struct buf again = { .max = VALUE_BYTES_MAX };
        gbx_value *value, *none = NULL;
        const char *why;

        expect_status(clone_read(buf_span(&within), &limits, &value, &why), GBX_OK);
        expect_status(clone_write(value, &again), GBX_OK);
        cr_assert_eq(again.len, within.len);
        expect_status(clone_read(buf_span(&past), &limits, &none, &why), GBX_ETOOBIG);
        cr_assert_null(none);
        gbx_value_free(value);
        buf_done(&within);
        buf_done(&past);
        buf_done(&again);
    }
}

Test(clone, writes_up_to_the_depth_limit)
{
    struct buf out = { .max = VALUE_BYTES_MAX };
    gbx_value *value = gbx_value_new_array();

    for (int i = 1; i < VALUE_DEPTH_MAX; i++) {
        gbx_value *outer = gbx_value_new_array();
        expect_status(gbx_value_append(outer, value), GBX_OK);
        value = outer;
    }
    expect_status(clone_write(value, &out), GBX_OK);
    gbx_value *past = gbx_value_new_array();
    expect_status(gbx_value_append(past, value), GBX_OK);
    size_t before = out.len;
    expect_status(clone_write(past, &out), GBX_ETOOBIG);
    cr_assert_eq(out.len, before);
    gbx_value_free(past);
    buf_done(&out);
}

Test(clone, reads_up_to_the_count_limit)
{
    /* An array of a number, a hole, and two references to itself: five values. */
    struct span bytes = bytes_of_hex("ff0f410449002d5e005e00240004");
    gbx_value *value = NULL;

    expect_status(clone_read(bytes, &(struct clone_limits){ 0, 5 }, &value, NULL), GBX_OK);
    gbx_value_free(value);
    expect_status(clone_read(bytes, &(struct clone_limits){ 0, 4 }, &value, NULL), GBX_ETOOBIG);
    free((void *)(uintptr_t)bytes.p);
}

/* An array of `count` times undefined. */
static struct buf
many(uint32_t count)
{
    struct buf b = { .max = VALUE_BYTES_MAX };
    uint8_t length[5];
    size_t n = 0;

    for (uint32_t left = count; n == 0 || left > 0; left >>= 7)
        length[n++] = (uint8_t)((left & 0x7F) | (left > 0x7F ? 0x80 : 0));
    buf_append(&b,
        "\xff\x0f"
        "A",
        3);
    buf_append(&b, length, n);
    uint8_t *elements = buf_grow(&b, count);
    cr_assert_not_null(elements);
    memset(elements, '_', count);
    buf_append(&b, "$\x00", 2);
    buf_append(&b, length, n);
    return b;
}

Test(clone, has_a_count_limit_of_its_own)
{
    struct buf within = many(VALUE_COUNT_MAX - 1), past = many(VALUE_COUNT_MAX);
    gbx_value *value = NULL;

    expect_status(clone_read(buf_span(&within), NULL, &value, NULL), GBX_OK);
    cr_assert_eq(gbx_value_length(value), VALUE_COUNT_MAX - 1);
    gbx_value_free(value);
    expect_status(clone_read(buf_span(&past), NULL, &value, NULL), GBX_ETOOBIG);
    buf_done(&within);
    buf_done(&past);
}

Test(clone, takes_bigints_up_to_their_limit)
{
    size_t max = VALUE_BIGINT_BYTES_MAX;
    uint8_t *bytes = calloc(max + 16, 1);
    gbx_value *value = NULL;

    cr_assert_not_null(bytes);
    for (size_t more = 0; more <= 1; more++) {
        uint32_t field = (uint32_t)(max + more) << 1;
        memcpy(bytes, "\xff\x0fZ", 3);
        for (int i = 0; i < 4; i++)
            bytes[3 + i] = (uint8_t)((field >> (7 * i) & 0x7F) | (i < 3 ? 0x80 : 0));
        bytes[7] = 1;
        gbx_status status = clone_read(span_of(bytes, 7 + max + more), NULL, &value, NULL);
        expect_status(status, more == 0 ? GBX_OK : GBX_ETOOBIG);
        if (status == GBX_OK)
            gbx_value_free(value);
    }
    free(bytes);
}

Test(clone, refuses_more_bytes_than_its_limit_unread)
{
    gbx_value *value = NULL;
    uint8_t byte = 0;

    expect_status(
        clone_read(span_of(&byte, VALUE_BYTES_MAX + 1), NULL, &value, NULL), GBX_ETOOBIG);
}

Test(clone, writes_into_exactly_the_room_there_is)
{
    for (size_t i = 0; i < SAMPLES; i++) {
        gbx_value *value = value_of_hex(samples[i].hex);
        size_t len = strlen(samples[i].hex) / 2;
        for (size_t max = 0; max <= len; max++) {
            /* Something else stands before it already. */
            struct buf out = { .max = max + 2 };
            buf_append(&out, "ok", 2);
            gbx_status status = clone_write(value, &out);
            expect_status(status, max < len ? GBX_ETOOBIG : GBX_OK);
            cr_assert_eq(out.len, 2 + (max < len ? 0 : len));
            cr_assert_arr_eq(out.p, "ok", 2);
            cr_assert_not(out.failed);
            buf_done(&out);
        }
        gbx_value_free(value);
    }
}

Test(clone, aligns_two_byte_strings_to_its_own_beginning)
{
    gbx_value *value = gbx_value_new_string("\xe2\x82\xac", GBX_NUL);

    for (size_t before = 0; before < 2; before++) {
        struct buf out = { .max = 64 };
        buf_append(&out, "xx", before);
        expect_status(clone_write(value, &out), GBX_OK);
        cr_assert_eq(out.len, before + 6);
        cr_assert_arr_eq(out.p + before,
            "\xff\x0f"
            "c\x02\xac\x20",
            6);
        buf_done(&out);
    }
    gbx_value_free(value);
}

/* --- graphs ------------------------------------------------------------------------------- */

Test(clone, keeps_what_is_shared_shared)
{
    gbx_value *value = value_of_hex("ff0f41026f7b005e01240002");

    cr_assert_eq(gbx_value_at(value, 0), gbx_value_at(value, 1));
    gbx_value_free(value);
    value = value_of_hex("ff0f41015e00240001");
    cr_assert_eq(gbx_value_at(value, 0), value);
    gbx_value_free(value);
    /* Both views are of the one buffer, which is the second object. */
    value = value_of_hex("ff0f410242010056420001005e015642000100240002");
    gbx_view a = GBX_VIEW_INIT, b = GBX_VIEW_INIT;
    expect_status(gbx_value_get_view(gbx_value_at(value, 0), &a), GBX_OK);
    expect_status(gbx_value_get_view(gbx_value_at(value, 1), &b), GBX_OK);
    cr_assert_eq(a.buffer, b.buffer);
    gbx_value_free(value);
}

Test(clone, writes_a_second_time_what_it_wrote_the_first)
{
    gbx_value *value = value_of_json("{\"a\":[1,{\"b\":[]}],\"c\":{}}");
    struct buf first = { .max = KIB }, second = { .max = KIB };

    expect_status(clone_write(gbx_value_get(value, "c", GBX_NUL), &first), GBX_OK);
    first.len = 0;
    expect_status(clone_write(value, &first), GBX_OK);
    expect_status(clone_write(value, &second), GBX_OK);
    cr_assert_eq(first.len, second.len);
    cr_assert_arr_eq(first.p, second.p, first.len);
    gbx_value_free(value);
    buf_done(&first);
    buf_done(&second);
}

/* Neither the reader nor the writer, nor anything that walks, may use the C stack for depth. */
Test(clone, walks_deep_values_without_recursion)
{
    struct buf b = nested(VALUE_DEPTH_MAX);
    gbx_value *value, *copy;
    char *text;

    expect_status(clone_read(buf_span(&b), NULL, &value, NULL), GBX_OK);
    expect_status(gbx_value_copy(value, &copy), GBX_OK);
    cr_assert_eq(gbx_value_equal(value, copy), 1);
    expect_status(gbx_value_to_json(value, 0, &text, NULL, NULL), GBX_OK);
    cr_assert_eq(strlen(text), 2 * VALUE_DEPTH_MAX);
    free(text);
    expect_text(value, "[ [ [ [Array] ] ] ]");
    gbx_value_free(value);
    gbx_value_free(copy);
    buf_done(&b);
}
