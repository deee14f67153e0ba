#include "clone_help.h"

#include <math.h>

/* --- arrays -------------------------------------------------------------------------------- */

Test(array, grows_by_appending)
{
    gbx_value *a = gbx_value_new_array();

    for (int i = 0; i < 1000; i++)
        OK(gbx_value_append(a, number(i)));
    cr_assert_eq(gbx_value_length(a), 1000);
    for (size_t i = 0; i < 1000; i++)
        cr_assert_eq(number_of(gbx_value_at(a, i)), (double)i);
    cr_assert_null(gbx_value_at(a, 1000));
    cr_assert_eq(number_of(gbx_value_get(a, "999", GBX_NUL)), 999);
    cr_assert_null(gbx_value_get(a, "0999", GBX_NUL));
    gbx_value_free(a);
}

Test(array, has_holes)
{
    gbx_value *a = gbx_value_new_array();

    OK(gbx_value_set_at(a, 3, number(3)));
    cr_assert_eq(gbx_value_length(a), 4);
    cr_assert_eq(gbx_value_get_kind(gbx_value_at(a, 1)), GBX_HOLE);
    cr_assert_null(gbx_value_get(a, "1", GBX_NUL));
    OK(gbx_value_append(a, gbx_value_at(a, 0)));
    cr_assert_eq(gbx_value_length(a), 5);
    OK(gbx_value_set(a, "0", GBX_NUL, number(0)));
    cr_assert_eq(gbx_value_remove(a, "3", GBX_NUL), 1);
    cr_assert_eq(gbx_value_remove(a, "3", GBX_NUL), 0);
    expect_text(a, "[ 0, <4 empty items> ]");
    gbx_value_free(gbx_value_at(a, 1)); /* the hole is nobody's */
    gbx_value_free(a);
}

/* The model: 300 elements near and 10 far out, as doubles; NaN is a hole. */
enum {
    NEAR = 300,
    FAR = 10,
    MODEL_ITEMS = NEAR + FAR
};

struct array_model {
    double items[MODEL_ITEMS];
    uint32_t length;
};

static uint32_t
index_of_item(uint32_t item)
{
    return item < NEAR ? item : (item - NEAR) * 100000000u + 1000u;
}

static void
cut_model(struct array_model *model, uint32_t length)
{
    for (uint32_t i = 0; i < MODEL_ITEMS; i++)
        if (index_of_item(i) >= length)
            model->items[i] = NAN;
    model->length = length;
}

static void
random_step(gbx_value *a, struct array_model *model, uint32_t *seed, int step, bool far)
{
    uint32_t what = random_next(seed) % 16;
    uint32_t item = random_next(seed) % (far ? MODEL_ITEMS : NEAR), index = index_of_item(item);
    char key[16];

    if (what < 6) {
        if (model->length >= NEAR)
            return;
        OK(gbx_value_append(a, number(step)));
        model->items[model->length++] = step;
    } else if (what < 11) {
        OK(gbx_value_set_at(a, index, number(step)));
        model->items[item] = step;
        model->length = index >= model->length ? index + 1 : model->length;
    } else if (what < 14) {
        (void)snprintf(key, sizeof key, "%u", index);
        cr_assert_eq(gbx_value_remove(a, key, GBX_NUL), !isnan(model->items[item]));
        model->items[item] = NAN;
    } else if (what == 14) {
        OK(gbx_value_set_length(a, index));
        cut_model(model, index);
    }
}

static void
expect_model(const gbx_value *a, const struct array_model *model)
{
    gbx_property p = GBX_PROPERTY_INIT;

    cr_assert_eq(gbx_value_length(a), model->length);
    for (uint32_t i = 0; i < MODEL_ITEMS; i++) {
        const gbx_value *item = gbx_value_at(a, index_of_item(i));
        if (isnan(model->items[i])) {
            cr_assert(item == NULL || gbx_value_get_kind(item) == GBX_HOLE);
            cr_assert_eq(item == NULL, index_of_item(i) >= model->length);
            continue;
        }
        cr_assert_eq(number_of(item), model->items[i]);
        cr_assert_eq(gbx_value_next(a, &p), 1);
        cr_assert_eq(strtoul(p.key, NULL, 10), index_of_item(i));
        cr_assert_eq(p.value, item);
    }
    cr_assert_eq(gbx_value_next(a, &p), 0);
}

Test(array, agrees_with_a_model)
{
    for (uint32_t round = 0; round < 60; round++) {
        uint32_t seed = round * 7919 + 1;
        struct array_model model;
        gbx_value *a = gbx_value_new_array(), *copy = NULL;
        cut_model(&model, 0);
        for (int step = 0; step < 300; step++) {
            random_step(a, &model, &seed, step, round % 2 == 0);
            cr_assert_eq(gbx_value_length(a), model.length);
        }
        expect_model(a, &model);
        OK(gbx_value_copy(a, &copy));
        expect_model(copy, &model);
        cr_assert_eq(gbx_value_equal(a, copy), 1);
        gbx_value_free(copy);
        gbx_value_free(a);
    }
}

Test(array, is_sparse_without_costing_memory)
{
    gbx_value *a = gbx_value_new_array(), *copy;

    OK(gbx_value_set_at(a, 4294967294u, number(1)));
    cr_assert_eq(gbx_value_length(a), 4294967295u);
    expect_status(gbx_value_append(a, number(2)), GBX_ETOOBIG);
    expect_status(gbx_value_set_at(a, 4294967295u, number(2)), GBX_EINVAL);
    expect_status(gbx_value_set_length(a, (size_t)1 << 32), GBX_EINVAL);
    OK(gbx_value_set(a, "4294967295", GBX_NUL, number(3))); /* no index any more */
    cr_assert_eq(gbx_value_length(a), 4294967295u);
    OK(gbx_value_copy(a, &copy));
    expect_text(copy, "[ <4294967294 empty items>, 1, '4294967295': 3 ]");
    gbx_value_free(copy);
    OK(gbx_value_set_length(a, 0));
    expect_text(a, "[ '4294967295': 3 ]");
    OK(gbx_value_append(a, number(4)));
    expect_text(a, "[ 4, '4294967295': 3 ]");
    gbx_value_free(a);
}

/* --- objects ------------------------------------------------------------------------------- */

Test(object, keeps_keys_in_javascripts_order)
{
    gbx_value *o = gbx_value_new_object();
    static const char *const keys[] = { "b", "10", "a", "9", "-1", "4294967294", "4294967295",
        "01", "0", "1.5", "", "__proto__", "c" };

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        OK(gbx_value_set(o, keys[i], GBX_NUL, number((double)i)));
    expect_keys(o, "0# 9# 10# 4294967294# b a -1 4294967295 01 1.5  __proto__ c ");
    OK(gbx_value_set(o, "5", GBX_NUL, number(5)));
    OK(gbx_value_set(o, "a", GBX_NUL, number(6)));
    cr_assert_eq(gbx_value_remove(o, "b", GBX_NUL), 1);
    OK(gbx_value_set(o, "b", GBX_NUL, number(7)));
    expect_keys(o, "0# 5# 9# 10# 4294967294# a -1 4294967295 01 1.5  __proto__ c b ");
    cr_assert_eq(gbx_value_length(o), 14);
    gbx_value_free(o);
}

/* The model: 200 keys, their values, and when each was added. Every third is an index. */
Test(object, agrees_with_a_model)
{
    enum {
        MODEL = 200
    };
    for (uint32_t round = 0; round < 30; round++) {
        uint32_t seed = round * 104729 + 3, keys = round < 10 ? 12 : MODEL;
        double model[MODEL];
        int added[MODEL];
        size_t count = 0;
        gbx_value *o = gbx_value_new_object();
        for (size_t i = 0; i < MODEL; i++)
            model[i] = NAN;
        for (int step = 0; step < 1500; step++) {
            uint32_t k = random_next(&seed) % keys;
            char key[24];
            (void)snprintf(key, sizeof key, k % 3 == 0 ? "%u" : "key %u", k * 37 % 1000);
            if (random_next(&seed) % 3 > 0) {
                OK(gbx_value_set(o, key, GBX_NUL, number(step)));
                if (isnan(model[k])) {
                    added[k] = step;
                    count++;
                }
                model[k] = step;
            } else {
                cr_assert_eq(gbx_value_remove(o, key, GBX_NUL), !isnan(model[k]));
                count -= isnan(model[k]) ? 0 : 1;
                model[k] = NAN;
            }
            cr_assert_eq(gbx_value_length(o), count);
            const gbx_value *now = gbx_value_get(o, key, GBX_NUL);
            cr_assert(now == NULL ? isnan(model[k]) : number_of(now) == model[k]);
        }
        gbx_property p = GBX_PROPERTY_INIT;
        long last_index = -1;
        int last_added = -1;
        for (size_t n = 0; n < count; n++) {
            cr_assert_eq(gbx_value_next(o, &p), 1);
            if (p.is_index != 0) {
                cr_assert_eq(last_added, -1, "an index behind a text");
                cr_assert_gt(strtol(p.key, NULL, 10), last_index);
                last_index = strtol(p.key, NULL, 10);
                continue;
            }
            for (uint32_t k = 0; k < MODEL; k++)
                if (k % 3 != 0 && !isnan(model[k]) && model[k] == number_of(p.value)) {
                    cr_assert_gt(added[k], last_added);
                    last_added = added[k];
                }
        }
        cr_assert_eq(gbx_value_next(o, &p), 0);
        gbx_value_free(o);
    }
}

Test(object, finds_keys_in_their_canonical_form)
{
    gbx_value *o = gbx_value_new_object();

    /* A surrogate pair in two pieces is the character that it stands for. */
    OK(gbx_value_set(o, "\xed\xa0\xbd\xed\xb8\x80", GBX_NUL, number(1)));
    OK(gbx_value_set(o, "\xf0\x9f\x98\x80", GBX_NUL, number(2)));
    OK(gbx_value_set(o, "with\0nul", 8, number(3)));
    cr_assert_eq(gbx_value_length(o), 2);
    cr_assert_eq(number_of(gbx_value_get(o, "\xf0\x9f\x98\x80", GBX_NUL)), 2);
    cr_assert_eq(number_of(gbx_value_get(o, "with\0nul", 8)), 3);
    cr_assert_null(gbx_value_get(o, "with", GBX_NUL));
    gbx_value_free(o);
}

/* --- maps and sets ------------------------------------------------------------------------- */

static void
expect_javascripts_keys(size_t others)
{
    gbx_value *m = gbx_value_new_map(), *o = gbx_value_new_object(), *key, *value;

    OK(gbx_value_map_set(m, number(NAN), string("nan")));
    OK(gbx_value_map_set(m, number(-0.0), string("zero")));
    OK(gbx_value_map_set(m, string("0"), string("text")));
    OK(gbx_value_map_set(m, o, string("object")));
    OK(gbx_value_map_set(m, gbx_value_new_object(), string("other object")));
    OK(gbx_value_map_set(m, gbx_value_new_undefined(), string("undefined")));
    OK(gbx_value_map_set(m, gbx_value_new_null(), string("null")));
    OK(gbx_value_map_set(m, gbx_value_new_boolean(0), string("false")));
    OK(gbx_value_map_set(m, gbx_value_new_bigint_text("0", 1), string("big")));
    OK(gbx_value_map_set(m, number(0), string("zero")));
    OK(gbx_value_map_set(m, number(-NAN), string("nan again")));
    for (size_t i = 0; i < others; i++)
        OK(gbx_value_map_set(m, number((double)i + 1), gbx_value_new_null()));
    OK(gbx_value_map_set(m, number(-0.0), string("zero again")));
    cr_assert_eq(gbx_value_length(m), 9 + others);
    OK(gbx_value_entry(m, 1, &key, &value));
    cr_assert_not(signbit(number_of(key)));
    expect_text(value, "'zero again'");
    expect_text(gbx_value_map_get(m, o), "'object'");
    gbx_value *probe = gbx_value_new_bigint_text("-0", 2);
    expect_text(gbx_value_map_get(m, probe), "'big'");
    cr_assert_eq(gbx_value_has(m, probe), 1);
    cr_assert_eq(gbx_value_delete(m, probe), 1);
    cr_assert_eq(gbx_value_delete(m, probe), 0);
    expect_status(gbx_value_entry(m, 8 + others, &key, &value), GBX_EINVAL);
    gbx_value_free(probe);
    gbx_value_free(m);
}

/* Few keys are compared one by one, many are hashed. */
Test(map, compares_keys_as_javascript_does)
{
    expect_javascripts_keys(0);
    expect_javascripts_keys(100);
}

Test(set, keeps_its_members_in_order)
{
    gbx_value *s = gbx_value_new_set();
    uint32_t seed = 5;

    /* Past what is compared one by one, with gaps that are squeezed out. */
    for (int i = 0; i < 100; i++)
        OK(gbx_value_add(s, number(i)));
    for (int i = 0; i < 100; i += 2) {
        gbx_value *probe = number(i);
        cr_assert_eq(gbx_value_delete(s, probe), 1);
        cr_assert_eq(gbx_value_has(s, probe), 0);
        gbx_value_free(probe);
    }
    for (int i = 0; i < 1000; i++)
        OK(gbx_value_add(s, number((double)(random_next(&seed) % 50 * 2 + 1))));
    cr_assert_eq(gbx_value_length(s), 50);
    for (size_t i = 0; i < 50; i++)
        cr_assert_eq(number_of(gbx_value_at(s, i)), (double)(2 * i + 1));
    cr_assert_null(gbx_value_at(s, 50));
    gbx_value_free(s);
}

Test(set, may_hold_itself)
{
    gbx_value *s = gbx_value_new_set();

    OK(gbx_value_add(s, s));
    OK(gbx_value_add(s, s));
    cr_assert_eq(gbx_value_length(s), 1);
    expect_text(s, "<ref *1> Set(1) { [Circular *1] }");
    gbx_value_free(s);
}
