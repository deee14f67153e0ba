#include "clone_help.h"

static int32_t
equal_hex(const char *a, const char *b)
{
    gbx_value *x = value_of_hex(a), *y = value_of_hex(b);
    int32_t equal = gbx_value_equal(x, y);

    cr_assert_eq(gbx_value_equal(y, x), equal);
    gbx_value_free(x);
    gbx_value_free(y);
    return equal;
}

Test(equal, tells_values_apart)
{
    static const char *const values[] = { "ff0f5f", "ff0f30", "ff0f54", "ff0f46", "ff0f4900",
        "ff0f4902", "ff0f4e0000000000000080", "ff0f4e000000000000f87f", "ff0f2200",
        "ff0f220130", "ff0f5a00", "ff0f5a0201", "ff0f5a0301", "ff0f440000000000000000",
        "ff0f44000000000000f87f", "ff0f5222016100", "ff0f5222016101", "ff0f5222016200",
        "ff0f79", "ff0f78", "ff0f6e0000000000000000", "ff0f7a00", "ff0f732200",
        "ff0f4100240000", "ff0f41015f240001", "ff0f6101400001", "ff0f6f7b00",
        "ff0f6f22016149007b01", "ff0f6f22016249007b01", "ff0f6f22016149027b01", "ff0f3b3a00",
        "ff0f272c00", "ff0f2749002c01", "ff0f3b490049003a02", "ff0f3b490049023a02", "ff0f4200",
        "ff0f420100", "ff0f420101", "ff0f7e010100", "ff0f7e010200", "ff0f4201005642000100",
        "ff0f4201005662000100", "ff0f420100563f000100", "ff0f4201005642010000", "ff0f722e",
        "ff0f72522e", "ff0f726d22002e", "ff0f72635f2e" };
    size_t count = sizeof values / sizeof values[0];

    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < count; k++)
            cr_assert_eq(
                equal_hex(values[i], values[k]), i == k, "%s %s", values[i], values[k]);
}

Test(equal, takes_equal_things_for_equal)
{
    /* Another order of named properties; dense and sparse forms of one array. */
    cr_assert_eq(
        equal_hex("ff0f6f220161490022016249027b02", "ff0f6f220162490222016149007b02"), 1);
    cr_assert_eq(equal_hex("ff0f410249004902240002", "ff0f61024900490049024902400202"), 1);
    /* But the order of entries and members counts. */
    cr_assert_eq(equal_hex("ff0f27490049022c02", "ff0f27490249002c02"), 0);
    cr_assert_eq(equal_hex("ff0f3b49004900490249023a04", "ff0f3b49024902490049003a04"), 0);
}

Test(equal, compares_the_shape_of_references)
{
    /* [x, x] and [x, y] with equal x and y. */
    cr_assert_eq(equal_hex("ff0f41026f7b005e01240002", "ff0f41026f7b006f7b00240002"), 0);
    /* A cycle of one and a cycle of two. */
    cr_assert_eq(equal_hex("ff0f41015e00240001", "ff0f410141015e00240001240001"), 0);
    cr_assert_eq(equal_hex("ff0f41015e00240001", "ff0f41015e00240001"), 1);
    gbx_value *v = value_of_hex("ff0f41015e00240001");
    cr_assert_eq(gbx_value_equal(v, v), 1);
    cr_assert_eq(gbx_value_equal(v, NULL), 0);
    cr_assert_eq(gbx_value_equal(NULL, NULL), 1);
    gbx_value_free(v);
}

/* A value with 2^40 paths, but only 41 nodes. */
Test(equal, visits_shared_parts_once)
{
    gbx_value *pair[2];

    for (int k = 0; k < 2; k++) {
        pair[k] = gbx_value_new_array();
        for (int i = 0; i < 40; i++) {
            gbx_value *outer = gbx_value_new_array();
            OK(gbx_value_append(outer, pair[k]));
            OK(gbx_value_append(outer, pair[k]));
            pair[k] = outer;
        }
    }
    cr_assert_eq(gbx_value_equal(pair[0], pair[1]), 1);
    gbx_value_free(pair[0]);
    gbx_value_free(pair[1]);
}
