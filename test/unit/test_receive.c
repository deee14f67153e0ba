/* What a cell may say, and that it dies of anything else. Every refusal of src/host/receive.c
 * has its test here, told apart by the reason that the death certificate names. */
#include "hostile.h"

#include "base/check.h"
#include "base/thrown.h"

#include <stdlib.h>

static struct fake_cell f;

static void
open_cell(void)
{
    fake_cell_open(&f, NULL, FAKE_PROCESS);
}

static void
close_cell(void)
{
    fake_cell_close(&f);
}

TestSuite(receive, .init = open_cell, .fini = close_cell);

static gbx_future *
ask(uint32_t flags)
{
    return asked(&f, flags);
}

static void
condemned_with(gbx_future *open, const char *why)
{
    ending_with(&f, open, why);
}

static void
say_result(uint32_t id, struct span value)
{
    put_result(&f.out, tag(id), &(struct msg_result){ .value = value });
    fake_cell_say(&f);
}

/* The clone of true: a header and a tag. */
static const uint8_t clone_of_true[] = { 0xff, 0x0f, 'T' };
#define TRUE_VALUE span_of(clone_of_true, sizeof clone_of_true)
static const uint8_t thrown_true[] = { THROWN_VALUE, 3, 0, 0, 0, 0xff, 0x0f, 'T' };
#define TRUE_THROWN span_of(thrown_true, sizeof thrown_true)
static const uint8_t clone_of_nothing[] = { 0xff, 0x0f, '?', 0x07 };
#define BAD_VALUE span_of(clone_of_nothing, sizeof clone_of_nothing)

/* --- results -------------------------------------------------------------------------------- */

Test(receive, a_result_completes_its_request_and_no_other)
{
    gbx_future *one = ask(0), *two = ask(0);
    int32_t value = 0;

    say_result(two->id, TRUE_VALUE);
    still_trusted(&f);
    cr_assert_not(one->finished);
    cr_assert_eq(gbx_future_status(two, NULL), GBX_OK);
    cr_assert_eq(gbx_value_get_boolean(gbx_future_value(two), &value), GBX_OK);
    cr_assert(value);
    say_result(one->id, span_of(NULL, 0));
    cr_assert_eq(gbx_future_status(one, NULL), GBX_OK);
    cr_assert_eq(gbx_value_get_kind(gbx_future_value(one)), GBX_UNDEFINED);
    gbx_future_free(one);
    gbx_future_free(two);
}

Test(receive, an_unknown_request_cannot_be_answered)
{
    gbx_future *future = ask(0);

    say_result(future->id ^ 1, TRUE_VALUE);
    condemned_with(future, "the answer to a request that is not open");
}

Test(receive, request_0_cannot_be_answered)
{
    say_result(0, TRUE_VALUE);
    condemned(&f, "the answer to a request that is not open");
}

Test(receive, a_request_is_answered_once)
{
    gbx_future *future = ask(0);

    say_result(future->id, TRUE_VALUE);
    still_trusted(&f);
    uint32_t id = f.isolate->futures.live; /* none is open */
    cr_assert_eq(id, 0);
    put_result(
        &f.out, tag(1u << TABLE_INDEX_BITS), &(struct msg_result){ .value = TRUE_VALUE });
    fake_cell_say(&f);
    condemned(&f, "the answer to a request that is not open");
    cr_assert_eq(gbx_future_status(future, NULL), GBX_OK, "what was answered stays so");
    gbx_future_free(future);
}

Test(receive, a_forgotten_request_is_answered_once_too)
{
    gbx_future *future = ask(0);
    uint32_t id = future->id;

    gbx_future_free(future);
    say_result(id, TRUE_VALUE);
    still_trusted(&f);
    say_result(id, TRUE_VALUE);
    condemned(&f, "the answer to a request that is not open");
}

Test(receive, statistics_are_not_answered_with_a_result)
{
    gbx_future *future = gbx_isolate_statistics(f.isolate);

    say_result(future->id, TRUE_VALUE);
    condemned_with(future, "the answer to a request that is not open");
}

Test(receive, the_hosts_own_part_of_a_snapshot_is_not_answered)
{
    gbx_snapshot_options options = GBX_SNAPSHOT_OPTIONS_INIT;

    options.fd = f.event_fd;
    gbx_future *future = gbx_heap_snapshot(f.isolate, &options);
    cr_assert_not(future->finished);
    say_result(future->id, TRUE_VALUE);
    condemned(&f, "the answer to a request that is not open");
    cr_assert_eq(gbx_future_status(future, NULL), GBX_EPROTO);
    gbx_future_free(future);
}

Test(receive, a_result_in_place_of_a_reference_is_refused)
{
    gbx_future *future = ask(GBX_RESULT_REFERENCE);

    say_result(future->id, TRUE_VALUE);
    condemned_with(future, "a value where a reference was asked for");
}

Test(receive, a_value_that_cannot_be_read_is_refused)
{
    gbx_future *future = ask(0);

    say_result(future->id, BAD_VALUE);
    cr_assert_not_null(gbx_isolate_death(f.isolate));
    cr_assert_eq(gbx_future_status(future, NULL), GBX_EPROTO);
    cr_assert_null(gbx_future_value(future));
    cr_assert_eq(fake_cell_reap(&f), SIGKILL);
    gbx_future_free(future);
}

Test(receive, a_truncated_value_is_refused)
{
    gbx_future *future = ask(0);

    say_result(future->id, span_of(clone_of_true, sizeof clone_of_true - 1));
    cr_assert_eq(gbx_future_status(future, NULL), GBX_EPROTO);
    gbx_future_free(future);
}

/* --- failures ------------------------------------------------------------------------------- */

static void
say_failure(uint32_t id, uint32_t status, struct span value)
{
    put_failure(&f.out, tag(id),
        &(struct msg_failure){ .status = status,
            .name = span_text("TypeError"),
            .message = span_text("no"),
            .value = value });
    fake_cell_say(&f);
}

Test(receive, a_call_may_fail_with_what_a_living_cell_can_tell)
{
    static const gbx_status may[] = { GBX_ETHROW, GBX_ETIMEOUT, GBX_ECPU, GBX_ETERMINATED,
        GBX_EHOST, GBX_EINVAL, GBX_ETOOBIG, GBX_ECLONE, GBX_ELIMIT, GBX_EACCESSOR, GBX_ESYS };

    for (size_t i = 0; i < COUNT(may); i++) {
        gbx_error error = GBX_ERROR_INIT;
        gbx_future *future = ask(i % 2 == 0 ? 0 : GBX_RESULT_REFERENCE);
        say_failure(future->id, (uint32_t)-may[i], TRUE_THROWN);
        still_trusted(&f);
        cr_assert_eq(gbx_future_status(future, &error), may[i]);
        cr_assert_eq(error.status, may[i]);
        cr_assert_str_eq(error.name, "TypeError");
        cr_assert_str_eq(error.message, "no");
        gbx_future_free(future);
    }
}

static void
refuses_status(uint32_t status)
{
    fake_cell_close(&f);
    fake_cell_open(&f, NULL, FAKE_PROCESS);
    gbx_future *future = ask(0);
    say_failure(future->id, status, span_of(NULL, 0));
    condemned_with(future, "a failure that a cell may not report");
}

Test(receive, a_call_may_not_fail_with_anything_else)
{
    static const uint32_t others[] = { 0, 21, 99, 0x7fffffffu, 0x80000000u, 0xffffffffu,
        (uint32_t)GBX_ETHROW, (uint32_t)GBX_ETIMEOUT };
    static const gbx_status hosts[] = { GBX_EMEMORY, GBX_EDISPOSED, GBX_ECRASHED, GBX_EPROTO,
        GBX_EBUSY, GBX_ELOST, GBX_EUNSUPPORTED, GBX_ENOMEM, GBX_EENGINE, GBX_ESEAL };

    for (size_t i = 0; i < COUNT(others); i++)
        refuses_status(others[i]);
    for (size_t i = 0; i < COUNT(hosts); i++)
        refuses_status((uint32_t)-hosts[i]);
}

Test(receive, the_failure_of_an_unknown_request_is_refused)
{
    say_failure(77, (uint32_t)-GBX_ETHROW, span_of(NULL, 0));
    condemned(&f, "the failure of a request that is not open");
}

Test(receive, statistics_cannot_fail)
{
    gbx_future *future = gbx_isolate_statistics(f.isolate);

    say_failure(future->id, (uint32_t)-GBX_ETHROW, span_of(NULL, 0));
    condemned_with(future, "the failure of a request that is not open");
}

Test(receive, a_failure_with_a_value_that_cannot_be_read_is_refused)
{
    gbx_future *future = ask(0);

    say_failure(future->id, (uint32_t)-GBX_ETHROW, BAD_VALUE);
    cr_assert_not_null(gbx_isolate_death(f.isolate));
    cr_assert_eq(gbx_future_status(future, NULL), GBX_EPROTO);
    cr_assert_eq(fake_cell_reap(&f), SIGKILL);
    gbx_future_free(future);
}

/* Texts are cut at their fields, end with NUL and are never empty where one is promised. */
Test(receive, the_texts_of_a_failure_fit_their_fields)
{
    static char text[100000];
    gbx_error error = GBX_ERROR_INIT;
    gbx_future *future = ask(0);

    memset(text, 'x', sizeof text);
    struct span all = span_of(text, sizeof text);
    put_failure(&f.out, tag(future->id),
        &(struct msg_failure){ .status = (uint32_t)-GBX_ETHROW,
            .line = UINT32_MAX,
            .column = UINT32_MAX,
            .limit = UINT64_MAX,
            .measured = UINT64_MAX,
            .name = all,
            .message = all,
            .stack = all,
            .file = all,
            .source_line = all });
    fake_cell_say(&f);
    cr_assert_eq(gbx_future_status(future, &error), GBX_ETHROW);
    cr_assert_eq(strlen(error.name), sizeof error.name - 1);
    cr_assert_eq(strlen(error.message), sizeof error.message - 1);
    cr_assert_eq(strlen(error.stack), sizeof error.stack - 1);
    cr_assert_eq(strlen(error.file), sizeof error.file - 1);
    cr_assert_eq(strlen(error.source_line), sizeof error.source_line - 1);
    gbx_future_free(future);

    future = ask(0);
    put_failure(&f.out, tag(future->id),
        &(struct msg_failure){
            .status = (uint32_t)-GBX_ETHROW, .message = span_of("\0\0", 2) });
    fake_cell_say(&f);
    cr_assert_eq(gbx_future_status(future, &error), GBX_ETHROW);
    cr_assert_neq(error.message[0], '\0');
    gbx_future_free(future);
}

/* --- promises ------------------------------------------------------------------------------- */

static void
say_pending(uint32_t id)
{
    put_pending(&f.out, tag(id), &(struct msg_pending){ .no_empty_struct = 0 });
    fake_cell_say(&f);
}

Test(receive, a_promise_may_come_before_a_result)
{
    gbx_future *future = ask(GBX_AWAIT);

    say_pending(future->id);
    still_trusted(&f);
    cr_assert_not(future->finished);
    say_pending(future->id);
    still_trusted(&f);
    say_result(future->id, TRUE_VALUE);
    cr_assert_eq(gbx_future_status(future, NULL), GBX_OK);
    gbx_future_free(future);
}

Test(receive, a_promise_for_an_unknown_request_is_refused)
{
    say_pending(99);
    condemned(&f, "a promise that nobody waits for");
}

/* A host function that waits for a call would be told that it cannot. */
Test(receive, a_promise_for_a_call_that_awaits_none_is_refused)
{
    gbx_future *future = ask(0);

    say_pending(future->id);
    condemned_with(future, "a promise that nobody waits for");
}

/* --- host functions ------------------------------------------------------------------------- */

static unsigned calls;
static size_t argument_count;

static gbx_status
count_call(gbx_callback *callback, void *data)
{
    (void)data;
    calls++;
    argument_count = gbx_callback_count(callback);
    return GBX_OK;
}

/* A host function of the guest's; answers its number. */
static uint32_t
give_function(gbx_context *context, gbx_function function)
{
    struct frame frame;
    struct msg_set_function m;

    gbx_future_free(gbx_context_set_function(context, "host", function, NULL));
    do
        cr_assert(fake_cell_hear(&f, &frame));
    while (frame.type != MESSAGE_SET_FUNCTION);
    cr_assert_eq(get_set_function(frame.body, &m), GBX_OK);
    say_result(frame.id, span_of(NULL, 0));
    return m.function;
}

static void
say_callback(uint32_t id, uint32_t function, uint32_t count, struct span arguments)
{
    put_callback(&f.out, tag(id),
        &(struct msg_callback){ .function = function, .count = count, .arguments = arguments });
    fake_cell_say(&f);
}

/* How the host answered callback `id`. */
static uint32_t
answer_of(uint32_t id)
{
    struct frame frame;
    struct msg_answer m;

    cr_assert(fake_cell_hear(&f, &frame));
    cr_assert_eq(frame.type, MESSAGE_ANSWER);
    cr_assert_eq(frame.id, id);
    cr_assert_eq(get_answer(frame.body, &m), GBX_OK);
    return m.kind;
}

static void
put_argument(struct buf *out, struct span value)
{
    size_t begun = argument_begin(out);

    buf_append(out, value.p, value.len);
    argument_end(out, begun);
}

Test(receive, a_host_function_is_called_and_answered)
{
    uint32_t function = give_function(gbx_isolate_context(f.isolate), count_call);
    struct buf arguments = { .max = MIB };

    put_argument(&arguments, TRUE_VALUE);
    put_argument(&arguments, span_of(NULL, 0));
    say_callback(0xabcd, function, 2, buf_span(&arguments));
    still_trusted(&f);
    cr_assert_eq(calls, 1);
    cr_assert_eq(argument_count, 2);
    cr_assert_eq(answer_of(0xabcd), ANSWER_VALUE);
    buf_done(&arguments);
}

Test(receive, a_function_that_was_never_given_cannot_be_called)
{
    uint32_t function = give_function(gbx_isolate_context(f.isolate), count_call);

    say_callback(1, function ^ 1, 0, span_of(NULL, 0));
    condemned(&f, "a call of a host function that it was not given");
    cr_assert_eq(calls, 0);
}

Test(receive, function_0_cannot_be_called)
{
    say_callback(1, 0, 0, span_of(NULL, 0));
    condemned(&f, "a call of a host function that it was not given");
}

/* A generation that was not yet given out. */
Test(receive, a_function_of_the_future_cannot_be_called)
{
    uint32_t function = give_function(gbx_isolate_context(f.isolate), count_call);

    say_callback(1, function + (1u << TABLE_INDEX_BITS), 0, span_of(NULL, 0));
    condemned(&f, "a call of a host function that it was not given");
}

/* The call may have been under way when the host closed the context: nobody's fault. */
Test(receive, a_function_of_a_closed_context_throws)
{
    gbx_context *context;

    cr_assert_eq(gbx_context_open(f.isolate, &context, NULL), GBX_OK);
    uint32_t function = give_function(context, count_call);
    gbx_context_close(context);
    say_callback(7, function, 0, span_of(NULL, 0));
    still_trusted(&f);
    cr_assert_eq(calls, 0, "its data may be gone");
    struct frame frame;
    cr_assert(fake_cell_hear(&f, &frame));
    cr_assert_eq(frame.type, MESSAGE_CONTEXT_CLOSE);
    cr_assert_eq(answer_of(7), ANSWER_THROW);
}

static void
bad_arguments(uint32_t count, struct span arguments, const char *why)
{
    uint32_t function = give_function(gbx_isolate_context(f.isolate), count_call);

    say_callback(1, function, count, arguments);
    if (why != NULL)
        condemned(&f, why);
    else
        cr_assert_eq(gbx_isolate_death(f.isolate)->status, GBX_EPROTO);
    cr_assert_eq(calls, 0);
}

Test(receive, more_arguments_than_their_message_holds_are_refused)
{
    static const uint8_t two[8];

    bad_arguments(3, span_of(two, sizeof two), "more arguments than their message holds");
}

Test(receive, a_count_of_arguments_that_wraps_is_refused)
{
    static const uint8_t two[8];

    bad_arguments(
        UINT32_MAX, span_of(two, sizeof two), "more arguments than their message holds");
}

Test(receive, more_arguments_than_a_call_may_have_are_refused)
{
    static const uint8_t many[4 * (ARGUMENTS_MAX + 1)];

    bad_arguments(ARGUMENTS_MAX + 1, span_of(many, sizeof many),
        "more arguments than their message holds");
}

Test(receive, an_argument_past_the_end_of_its_message_is_refused)
{
    static const uint8_t lie[] = { 5, 0, 0, 0, 1, 2, 3, 4 };

    bad_arguments(1, span_of(lie, sizeof lie), "arguments that do not fit their message");
}

Test(receive, bytes_after_the_last_argument_are_refused)
{
    static const uint8_t rest[] = { 0, 0, 0, 0, 9 };

    bad_arguments(1, span_of(rest, sizeof rest), "more arguments than announced");
}

Test(receive, an_argument_that_cannot_be_read_is_refused)
{
    struct buf arguments = { .max = MIB };

    put_argument(&arguments, TRUE_VALUE);
    put_argument(&arguments, BAD_VALUE);
    bad_arguments(2, buf_span(&arguments), NULL);
    buf_done(&arguments);
}

static uint32_t deep_function;

/* Calls itself through the cell, as a guest may. */
static gbx_status
call_deeper(gbx_callback *callback, void *data)
{
    (void)callback;
    (void)data;
    if (++calls < 2 * NESTING_MAX)
        say_callback(calls, deep_function, 0, span_of(NULL, 0));
    return GBX_OK;
}

Test(receive, calls_nest_up_to_their_limit)
{
    deep_function = give_function(gbx_isolate_context(f.isolate), call_deeper);
    say_callback(1, deep_function, 0, span_of(NULL, 0));
    /* It is told no: its own count may be lower, when the host works on for calls that were
     * stopped. */
    cr_assert_eq(calls, NESTING_MAX);
    still_trusted(&f);
}

/* A cell that is dead has nobody to answer: what lies in its ring calls nothing any more. */
Test(receive, a_dead_cell_calls_nothing)
{
    uint32_t function = give_function(gbx_isolate_context(f.isolate), count_call);

    put_callback(&f.out, tag(1), &(struct msg_callback){ .function = function });
    (void)fake_cell_write(&f, buf_span(&f.out));
    isolate_ended(f.isolate);
    cr_assert_eq(calls, 0);
    cr_assert_eq(gbx_isolate_death(f.isolate)->status, GBX_ELOST);
}
