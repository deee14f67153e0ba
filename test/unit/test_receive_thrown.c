/* What a cell may say of what was thrown, and that it dies of anything else. */
#include "hostile.h"

#include "base/check.h"
#include "base/thrown.h"

static struct fake_cell f;
static struct buf said;

static void
open_cell(void)
{
    fake_cell_open(&f, NULL, FAKE_PROCESS);
    said = (struct buf){ .max = MIB };
}

static void
close_cell(void)
{
    buf_done(&said);
    fake_cell_close(&f);
}

TestSuite(receive_thrown, .init = open_cell, .fini = close_cell);

/* --- items, put one behind the other into `said` -------------------------------------------- */

static void
say_text(const char *text)
{
    buf_u32(&said, (uint32_t)strlen(text));
    buf_text(&said, text);
}

static void
say_error(const char *name, const char *message, uint32_t properties)
{
    buf_byte(&said, THROWN_ERROR);
    say_text(name);
    say_text(message);
    buf_u32(&said, THROWN_NO_TEXT);
    buf_u32(&said, properties);
}

static void
say_true(void)
{
    buf_byte(&said, THROWN_VALUE);
    buf_u32(&said, 3);
    buf_append(&said, "\xff\x0fT", 3);
}

static void
say_number(uint32_t kind, uint32_t number)
{
    buf_byte(&said, (uint8_t)kind);
    buf_u32(&said, number);
}

/* An open request fails with what was said. */
static gbx_future *
fail_with(void)
{
    gbx_future *future = asked(&f, 0);

    put_failure(&f.out, tag(future->id),
        &(struct msg_failure){ .status = (uint32_t)-GBX_ETHROW, .value = buf_span(&said) });
    fake_cell_say(&f);
    return future;
}

static void
refused(const char *why)
{
    ending_with(&f, fail_with(), why);
}

/* --- what it may say ------------------------------------------------------------------------ */

Test(receive_thrown, an_error_comes_with_what_is_in_it)
{
    say_error("AppError", "no", 3);
    say_text("cause");
    say_error("TypeError", "why", 1);
    say_text("cause");
    say_number(THROWN_ABOVE, 0);
    say_text("errors");
    say_number(THROWN_LIST, 2);
    say_true();
    say_number(THROWN_ABOVE, 0);
    say_text("7");
    say_true();
    gbx_future *future = fail_with();
    still_trusted(&f);
    gbx_value *error = gbx_future_take_value(future);
    gbx_future_free(future);
    cr_assert_eq(gbx_value_get_kind(error), GBX_ERROR);
    cr_assert_eq(gbx_value_length(error), 5);
    const char *text;
    cr_assert_eq(
        gbx_value_get_string(gbx_value_get(error, "name", GBX_NUL), &text, NULL), GBX_OK);
    cr_assert_str_eq(text, "AppError");
    const gbx_value *cause = gbx_value_get(error, "cause", GBX_NUL);
    cr_assert_eq(gbx_value_get_kind(cause), GBX_ERROR);
    cr_assert_eq(gbx_value_get(cause, "cause", GBX_NUL), error);
    const gbx_value *errors = gbx_value_get(error, "errors", GBX_NUL);
    cr_assert_eq(gbx_value_length(errors), 2);
    cr_assert_eq(gbx_value_at(errors, 1), error);
    gbx_value_free(error);
}

Test(receive_thrown, texts_may_be_missing)
{
    buf_byte(&said, THROWN_ERROR);
    for (int i = 0; i < 3; i++)
        buf_u32(&said, THROWN_NO_TEXT);
    buf_u32(&said, 0);
    gbx_future *future = fail_with();
    still_trusted(&f);
    cr_assert_eq(gbx_value_length(gbx_future_value(future)), 1, "the name of all errors");
    gbx_future_free(future);
}

Test(receive_thrown, as_much_as_may_be_is_taken)
{
    for (uint32_t i = 1; i < THROWN_DEPTH_MAX; i++) {
        say_error("Error", "", 1);
        say_text("cause");
    }
    say_error("Error", "", THROWN_ITEMS_MAX - THROWN_DEPTH_MAX);
    for (uint32_t i = THROWN_DEPTH_MAX; i < THROWN_ITEMS_MAX; i++) {
        char key[8];
        (void)snprintf(key, sizeof key, "k%u", i);
        say_text(key);
        say_true();
    }
    gbx_future *future = fail_with();
    still_trusted(&f);
    cr_assert_not_null(gbx_future_value(future));
    gbx_future_free(future);
}

/* --- and what not --------------------------------------------------------------------------- */

Test(receive_thrown, cut_off_anywhere_is_refused)
{
    say_error("E", "m", 2);
    say_text("a");
    say_number(THROWN_ABOVE, 0);
    say_text("errors");
    say_number(THROWN_LIST, 1);
    say_true();
    size_t whole = said.len;
    for (size_t len = 1; len < whole; len++) {
        said.len = len;
        gbx_future *future = fail_with();
        cr_assert_not_null(gbx_isolate_death(f.isolate), "%zu bytes were believed", len);
        cr_assert_eq(gbx_future_status(future, NULL), GBX_EPROTO);
        cr_assert_null(gbx_future_value(future));
        gbx_future_free(future);
        (void)fake_cell_reap(&f);
        fake_cell_close(&f);
        fake_cell_open(&f, NULL, FAKE_PROCESS);
    }
    said.len = whole;
    gbx_future *future = fail_with();
    still_trusted(&f);
    gbx_future_free(future);
}

Test(receive_thrown, bytes_behind_it_are_refused)
{
    say_true();
    buf_byte(&said, 0);
    refused("bytes behind an exception");
}

Test(receive_thrown, an_unknown_form_is_refused)
{
    say_number(THROWN_ABOVE + 1, 0);
    refused("an exception of unknown form");
}

Test(receive_thrown, an_error_that_none_is_in_is_refused)
{
    say_error("E", "m", 1);
    say_text("a");
    say_number(THROWN_ABOVE, 1);
    refused("an exception in one that it is not in");
}

Test(receive_thrown, a_list_by_itself_is_refused)
{
    say_number(THROWN_LIST, 0);
    refused("a list of exceptions that none has");
}

Test(receive_thrown, more_depth_than_is_told_is_refused)
{
    for (uint32_t i = 0; i < THROWN_DEPTH_MAX; i++) {
        say_error("Error", "", 1);
        say_text("cause");
    }
    say_error("Error", "", 0);
    refused("an exception that is nested too deeply");
}

Test(receive_thrown, more_items_than_are_told_are_refused)
{
    say_error("Error", "", THROWN_ITEMS_MAX);
    for (uint32_t i = 0; i < THROWN_ITEMS_MAX; i++) {
        say_text("same");
        say_true();
    }
    refused("an exception with more in it than is told of one");
}

/* Lists nest without errors in between: they count as items, too. */
Test(receive_thrown, lists_in_lists_end)
{
    say_error("Error", "", 1);
    say_text("errors");
    for (uint32_t i = 0; i < 100000 && said.len + 16 < THROWN_BYTES_MAX; i++)
        say_number(THROWN_LIST, 1);
    refused("an exception with more in it than is told of one");
}

Test(receive_thrown, more_bytes_than_are_told_are_refused)
{
    static const char filler[THROWN_BYTES_MAX];

    say_error("Error", "", 1);
    say_text("a");
    buf_byte(&said, THROWN_VALUE);
    buf_u32(&said, sizeof filler);
    buf_append(&said, filler, sizeof filler);
    refused("an exception past its limit");
}

Test(receive_thrown, a_text_past_its_limit_is_refused)
{
    static const char filler[EXCEPTION_TEXT_MAX + 1];

    buf_byte(&said, THROWN_ERROR);
    say_text("Error");
    buf_u32(&said, sizeof filler);
    buf_append(&said, filler, sizeof filler);
    buf_u32(&said, THROWN_NO_TEXT);
    buf_u32(&said, 0);
    refused("a text of an exception that does not fit");
}

Test(receive_thrown, a_message_that_is_no_text_is_refused)
{
    say_error("E", "m", 1);
    say_text("message");
    say_true();
    refused("a property that an error cannot have");
}

/* It would be freed where it hangs, and once more. */
Test(receive_thrown, a_stack_that_is_the_error_is_refused)
{
    say_error("E", "m", 1);
    say_text("stack");
    say_number(THROWN_ABOVE, 0);
    refused("a property that an error cannot have");
}

Test(receive_thrown, a_clone_in_it_is_read_as_any)
{
    say_error("E", "m", 1);
    say_text("a");
    buf_byte(&said, THROWN_VALUE);
    buf_u32(&said, 3);
    buf_append(&said, "\xff\x0f?", 3);
    gbx_future *future = fail_with();
    cr_assert_eq(gbx_isolate_death(f.isolate)->status, GBX_EPROTO);
    gbx_future_free(future);
}

Test(receive_thrown, no_reference_may_be_in_it)
{
    say_error("E", "m", 1);
    say_text("a");
    buf_byte(&said, THROWN_VALUE);
    buf_u32(&said, 6);
    buf_append(&said, "\xff\x0f\\\x01\x05\x08", 6);
    refused("a reference where a value was asked for");
}
