#include "base/error.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

Test(status, has_a_text_of_its_own_for_each_number)
{
    static const gbx_status all[] = {
#define X(name, value, text) GBX_##name,
        GBX_STATUS_LIST(X)
#undef X
    };
    size_t count = sizeof all / sizeof all[0];

    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(all[i], -(gbx_status)i, "numbers have no gaps and are never reused");
        cr_assert_str_neq(gbx_strstatus(all[i]), "unknown status");
        for (size_t j = 0; j < i; j++)
            cr_assert_str_neq(gbx_strstatus(all[i]), gbx_strstatus(all[j]));
    }
    cr_assert_str_eq(gbx_strstatus(-(gbx_status)count), "unknown status");
    cr_assert_str_eq(gbx_strstatus(1), "unknown status");
    cr_assert_str_eq(gbx_strstatus(INT32_MIN), "unknown status");
}

Test(fail, fills_status_and_message_and_clears_the_rest)
{
    gbx_error error = GBX_ERROR_INIT;

    error.line = 7;
    strcpy(error.stack, "old");
    cr_assert_eq(fail(&error, GBX_EINVAL, "no %s of %d", "box", 3), GBX_EINVAL);
    cr_assert_eq(error.status, GBX_EINVAL);
    cr_assert_str_eq(error.message, "no box of 3");
    cr_assert_eq(error.line, 0);
    cr_assert_str_eq(error.stack, "");
    cr_assert_eq(error.size, sizeof error);
}

Test(fail, takes_no_error)
{
    cr_assert_eq(fail(NULL, GBX_EBUSY, "x"), GBX_EBUSY);
    errno = ENOENT;
    cr_assert_eq(fail_errno(NULL, "x"), GBX_ESYS);
}

Test(fail, cuts_a_long_message)
{
    gbx_error error = GBX_ERROR_INIT;

    (void)fail(&error, GBX_EINVAL, "%01000d", 1);
    cr_assert_eq(strlen(error.message), sizeof error.message - 1);
}

Test(fail_errno, adds_the_system_s_text)
{
    gbx_error error = GBX_ERROR_INIT;

    errno = ENOENT;
    cr_assert_eq(fail_errno(&error, "cannot open %s", "x"), GBX_ESYS);
    cr_assert_eq(error.os_errno, ENOENT);
    cr_assert_str_eq(error.message, "cannot open x: No such file or directory");
}

Test(fail_errno, tells_missing_memory_apart)
{
    gbx_error error = GBX_ERROR_INIT;

    errno = ENOMEM;
    cr_assert_eq(fail_errno(&error, "x"), GBX_ENOMEM);
    cr_assert_eq(error.status, GBX_ENOMEM);
}

/* A program that was built with a shorter struct: what lies behind it is not ours to write. */
Test(error_copy, honours_the_size_of_an_older_caller)
{
    for (size_t size = offsetof(gbx_error, name); size <= sizeof(gbx_error); size++) {
        gbx_error full = GBX_ERROR_INIT;
        union {
            gbx_error error;
            unsigned char bytes[sizeof(gbx_error) + 8];
        } caller;
        memset(&caller, 0xA5, sizeof caller);
        caller.error.size = (uint32_t)size;
        full.status = GBX_ECPU;
        memset(full.stack, 's', sizeof full.stack);
        error_copy(&caller.error, &full);
        cr_assert_eq(caller.error.size, size);
        cr_assert_eq(caller.error.status, GBX_ECPU);
        for (size_t i = size; i < sizeof caller; i++)
            cr_assert_eq(caller.bytes[i], 0xA5, "byte %zu behind a struct of %zu", i, size);
    }
}

Test(error_copy, leaves_the_tail_of_a_newer_caller)
{
    struct {
        gbx_error error;
        unsigned char tail[8];
    } caller = { .error.size = sizeof caller, .tail = { 1, 2, 3 } };
    gbx_error full = GBX_ERROR_INIT;

    error_copy(&caller.error, &full);
    cr_assert_eq(caller.error.size, sizeof caller);
    cr_assert_eq(caller.tail[2], 3);
}

Test(error_copy, aborts_on_an_error_that_was_never_initialised, .signal = SIGABRT)
{
    gbx_error error = { 0 };
    gbx_error full = GBX_ERROR_INIT;

    error_copy(&error, &full);
}

static void
expect_cut(size_t size, const char *text, const char *cut)
{
    char dst[16];

    memset(dst, '?', sizeof dst);
    text_copy(dst, size, text, strlen(text));
    cr_assert_str_eq(dst, cut, "\"%s\" in %zu bytes", text, size);
    for (size_t i = size; i < sizeof dst; i++)
        cr_assert_eq(dst[i], '?', "wrote past %zu bytes", size);
}

Test(text_copy, cuts_at_the_size)
{
    expect_cut(1, "abc", "");
    expect_cut(3, "abc", "ab");
    expect_cut(4, "abc", "abc");
    expect_cut(9, "abc", "abc");
    expect_cut(1, "", "");
}

Test(text_copy, never_cuts_a_utf8_sequence)
{
    const char *two = "a\xC3\xA9"
                      "b",
               *three = "a\xE2\x82\xAC"
                        "b",
               *four = "a\xF0\x9F\x98\x80"
                       "b";

    expect_cut(3, two, "a");
    expect_cut(4, two, "a\xC3\xA9");
    expect_cut(3, three, "a");
    expect_cut(4, three, "a");
    expect_cut(5, three, "a\xE2\x82\xAC");
    for (size_t size = 2; size < 6; size++)
        expect_cut(size, four, "a");
    expect_cut(6, four, "a\xF0\x9F\x98\x80");
}

Test(text_copy, takes_bytes_that_are_no_utf8)
{
    expect_cut(4, "\x80\x80\x80\x80\x80", "");
    expect_cut(4, "ab\xFF\xFF\xFF", "ab\xFF");
}

Test(text_copy, reads_no_further_than_it_is_told)
{
    char dst[8];

    text_copy(dst, sizeof dst, "abcdef", 2);
    cr_assert_str_eq(dst, "ab");
    text_copy(dst, sizeof dst, NULL, 0);
    cr_assert_str_eq(dst, "");
}
