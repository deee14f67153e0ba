/* Every allocation fails once: each call must say GBX_ENOMEM, leave its output alone and lose
 * nothing. The allocator is this program's own, in front of glibc's; a sanitizer brings one that
 * cannot be replaced, so there the tests only count. */
#include "clone_help.h"

#include <errno.h>

#if defined(__SANITIZE_ADDRESS__)
#define FAULTS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FAULTS 0
#endif
#endif
#ifndef FAULTS
#define FAULTS 1
#endif

static long until_failure = -1; /* allocations that still succeed; negative: all */
static bool only_one;           /* fails; else every later one does too */
static long live;               /* blocks in use, counted while armed */
static bool armed;

#if FAULTS
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void __libc_free(void *p);

static bool
fails(void)
{
    if (!armed || until_failure < 0)
        return false;
    if (until_failure > 0) {
        until_failure--;
        return false;
    }
    if (only_one)
        until_failure = -1;
    errno = ENOMEM;
    return true;
}

void *
malloc(size_t n)
{
    if (fails())
        return NULL;
    live += armed;
    return __libc_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
    if (fails())
        return NULL;
    live += armed;
    return __libc_calloc(n, size);
}

void *
realloc(void *p, size_t n)
{
    if (fails())
        return NULL;
    live += armed && p == NULL;
    return __libc_realloc(p, n);
}

void
free(void *p)
{
    live -= armed && p != NULL;
    __libc_free(p);
}
#endif

static void
fail_from_each(gbx_status (*work)(void))
{
    gbx_status status = GBX_ENOMEM;
    long n = 0;

    for (; status == GBX_ENOMEM; n++) {
        cr_assert_lt(n, 2000);
        live = 0;
        until_failure = FAULTS ? n : -1;
        armed = true;
        status = work();
        armed = false;
        cr_assert_eq(live, 0, "allocation %ld failed: %ld blocks are left", n, live);
    }
    expect_status(status, GBX_OK);
    if (FAULTS)
        cr_assert_gt(n, 1, "nothing was allocated at all");
}

/* Runs `work` with the first, the second, ... allocation failing until it needs no more. */
static void
fail_each(gbx_status (*work)(void))
{
    fail_from_each(work);
    only_one = true;
    fail_from_each(work);
}

static gbx_value *sample;
static struct buf encoded = { .max = MIB };

/* One of everything, more than fits the first scratch memory, and a few cycles. */
static void
make_sample(void)
{
    sample = value_of_json("{\"list\":[1,\"two\",[true,null,[1.5]]],\"other\":{\"a\":{}}}");
    gbx_value *map = gbx_value_new_map(), *set = gbx_value_new_set();
    for (int i = 0; i < 100; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "key %d", i);
        expect_status(gbx_value_set(sample, key, GBX_NUL, gbx_value_new_object()), GBX_OK);
        expect_status(gbx_value_map_set(map, gbx_value_new_int32(i),
                          gbx_value_new_bigint_text("99999999999999999999999", GBX_NUL)),
            GBX_OK);
        expect_status(
            gbx_value_add(set, gbx_value_new_string("\xe2\x82\xac", GBX_NUL)), GBX_OK);
    }
    gbx_value *error = gbx_value_new_error("RangeError", "m", 1);
    expect_status(gbx_value_set(error, "cause", GBX_NUL, map), GBX_OK);
    expect_status(gbx_value_set(sample, "error", GBX_NUL, error), GBX_OK);
    expect_status(gbx_value_set(sample, "set", GBX_NUL, set), GBX_OK);
    expect_status(gbx_value_add(set, sample), GBX_OK);
    expect_status(gbx_value_set(sample, "date", GBX_NUL, gbx_value_new_date(0)), GBX_OK);
    expect_status(
        gbx_value_set(sample, "re", GBX_NUL, gbx_value_new_regexp("a", 1, "g")), GBX_OK);
    expect_status(
        gbx_value_set(sample, "bytes", GBX_NUL, gbx_value_new_bytes("abc", 3)), GBX_OK);
    gbx_value *deep = gbx_value_new_array();
    for (int i = 0; i < 40; i++) {
        gbx_value *outer = gbx_value_new_array();
        expect_status(gbx_value_append(outer, deep), GBX_OK);
        deep = outer;
    }
    expect_status(gbx_value_set(sample, "deep", GBX_NUL, deep), GBX_OK);
    expect_status(clone_write(sample, &encoded), GBX_OK);
}

static gbx_status
read_it(void)
{
    gbx_value *value = NULL;

    gbx_status status = clone_read(buf_span(&encoded), NULL, &value, NULL);
    cr_assert_eq(status == GBX_OK, value != NULL);
    gbx_value_free(value);
    return status;
}

static gbx_status
write_it(void)
{
    struct buf out = { .max = MIB };
    gbx_status status = clone_write(sample, &out);

    cr_assert(status == GBX_OK || (out.len == 0 && !out.failed));
    buf_done(&out);
    return status;
}

static gbx_status
show_it(void)
{
    char *text = NULL;
    gbx_status status = gbx_value_to_text(sample, NULL, &text, NULL);

    cr_assert_eq(status == GBX_OK, text != NULL);
    free(text);
    return status;
}

static gbx_status
compare_it(void)
{
    int32_t equal = gbx_value_equal(sample, sample);

    return equal == 1 ? GBX_OK : equal;
}

static gbx_status
copy_it(void)
{
    gbx_value *copy = NULL;
    gbx_status status = gbx_value_copy(sample, &copy);

    cr_assert_eq(status == GBX_OK, copy != NULL);
    gbx_value_free(copy);
    return status;
}

static gbx_status
parse_it(void)
{
    static const char text[] =
        "{\"a\":[1,2.5,123456789012345678901234567890123456789012345678901234567890123456789"
        "012345678901234567890123456789012345678901234567890123456789.5,\"\\u20ac\"],\"b\":"
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]],\"c\":"
        "{\"0\":0,\"1\":1,\"2\":2,\"3\":3,\"4\":4,\"5\":5,\"6\":6,\"7\":7,\"8\":8,\"9\":9}}";
    gbx_value *value = NULL;
    char *json = NULL;

    gbx_status status = gbx_value_from_json(text, GBX_NUL, &value, NULL);
    cr_assert_eq(status == GBX_OK, value != NULL);
    if (status == GBX_OK)
        status = gbx_value_to_json(value, 2, &json, NULL, NULL);
    cr_assert_eq(status == GBX_OK, json != NULL);
    free(json);
    gbx_value_free(value);
    return status;
}

/* Constructors nested into the calls that take them: one check is enough, nothing leaks. */
static gbx_status
build_it(void)
{
    gbx_value *v = gbx_value_new_object();
    gbx_value *a = gbx_value_new_array();
    gbx_status status = v == NULL || a == NULL ? GBX_ENOMEM : GBX_OK;

    for (int i = 0; i < 20 && status == GBX_OK; i++)
        status = gbx_value_append(a, gbx_value_new_string("an element", GBX_NUL));
    if (status == GBX_OK)
        status = gbx_value_set(v, "a", GBX_NUL, a);
    else
        gbx_value_free(a);
    for (int i = 0; i < 20 && status == GBX_OK; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "k%d", i);
        status = gbx_value_set(v, key, GBX_NUL, gbx_value_new_boxed(gbx_value_new_number(i)));
    }
    if (status == GBX_OK)
        status = gbx_value_set(v, "bytes", GBX_NUL, gbx_value_new_bytes(NULL, 10000));
    if (status == GBX_OK)
        status = gbx_value_set(v, "e", GBX_NUL, gbx_value_new_error("TypeError", "m", 1));
    if (status == GBX_OK)
        status = gbx_value_set(v, "r", GBX_NUL, gbx_value_new_regexp("m", 1, ""));
    if (status == GBX_OK)
        status = gbx_value_set(v, "b", GBX_NUL, gbx_value_new_bigint_text("12", 2));
    if (status == GBX_OK)
        status = gbx_value_set(v, "m", GBX_NUL, gbx_value_new_map());
    if (status == GBX_OK)
        status = gbx_value_map_set(
            gbx_value_get(v, "m", GBX_NUL), gbx_value_new_number(-0.0), gbx_value_new_date(1));
    gbx_value_free(v);
    return status;
}

static gbx_status
digits_of_it(void)
{
    gbx_value *v = gbx_value_new_bigint_text("123456789012345678901234567890", GBX_NUL);
    char *text = NULL;

    if (v == NULL)
        return GBX_ENOMEM;
    gbx_status status = gbx_value_get_bigint_text(v, &text, NULL);
    free(text);
    gbx_value_free(v);
    return status;
}

TestSuite(memory, .init = make_sample);

Test(memory, running_out_while_reading)
{
    fail_each(read_it);
}

Test(memory, running_out_while_writing)
{
    fail_each(write_it);
}

Test(memory, running_out_while_showing)
{
    fail_each(show_it);
}

Test(memory, running_out_while_comparing)
{
    fail_each(compare_it);
}

Test(memory, running_out_while_copying)
{
    fail_each(copy_it);
}

Test(memory, running_out_while_parsing)
{
    fail_each(parse_it);
}

Test(memory, running_out_while_building)
{
    fail_each(build_it);
}

Test(memory, running_out_while_converting_bigints)
{
    fail_each(digits_of_it);
}
