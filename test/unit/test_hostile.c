/* A cell that breaks rules outside of calls: console, debugger, statistics, the stream itself,
 * positions in the ring, floods. Calls are in test_receive.c, snapshots in test_hostile_snapshot.c.
 */
#include "hostile.h"

#include "base/check.h"
#include "base/clock.h"

#include <stdlib.h>

static struct fake_cell f;
static unsigned lines;
static size_t line_len;
static bool flooding;

static void
flood_on(void)
{
    struct buf line = { .max = MIB };

    put_console(&line, tag(0), &(struct msg_console){ .text = span_text("again") });
    cr_assert_eq(fake_cell_write(&f, buf_span(&line)), line.len);
    buf_done(&line);
}

static void
on_console(gbx_isolate *isolate, uint32_t level, const char *text, size_t len, void *data)
{
    (void)isolate;
    (void)data;
    cr_assert_leq(level, GBX_CONSOLE_ERROR);
    cr_assert(len == 0 || text != NULL);
    lines++;
    line_len = len;
    if (flooding)
        flood_on();
}

static void
open_cell(void)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;

    options.on_console = on_console;
    fake_cell_open(&f, &options, FAKE_PROCESS);
}

static void
close_cell(void)
{
    fake_cell_close(&f);
}

TestSuite(hostile, .init = open_cell, .fini = close_cell);

/* --- the console ---------------------------------------------------------------------------- */

static void
say_console(uint32_t level, size_t len)
{
    static char text[CONSOLE_BYTES_MAX];

    memset(text, 'a', sizeof text);
    put_console(
        &f.out, tag(0), &(struct msg_console){ .level = level, .text = span_of(text, len) });
    fake_cell_say(&f);
}

Test(hostile, console_lines_come_through)
{
    for (uint32_t level = 0; level <= GBX_CONSOLE_ERROR; level++)
        say_console(level, level * 10);
    still_trusted(&f);
    cr_assert_eq(lines, 5);
    cr_assert_eq(line_len, 40);
}

Test(hostile, an_unknown_console_level_is_refused)
{
    say_console(GBX_CONSOLE_ERROR + 1, 1);
    condemned(&f, "a console message that was not asked for");
    cr_assert_eq(lines, 0);
}

/* isolate.h promises at most 64 KiB; a program may have a buffer of just that. */
Test(hostile, a_console_text_past_its_limit_is_refused)
{
    say_console(0, CONSOLE_TEXT_MAX);
    still_trusted(&f);
    say_console(0, CONSOLE_TEXT_MAX + 1);
    condemned(&f, "a console message past its limit");
    cr_assert_eq(lines, 1);
}

Test(hostile, console_output_that_nobody_asked_for_is_refused)
{
    fake_cell_close(&f);
    fake_cell_open(&f, NULL, FAKE_PROCESS);
    say_console(0, 1);
    condemned(&f, "a console message that was not asked for");
    cr_assert_eq(lines, 0);
}

/* --- the debugger --------------------------------------------------------------------------- */

static unsigned messages;

static void
on_message(gbx_inspector *inspector, const char *json, size_t len, void *data)
{
    (void)inspector;
    (void)data;
    messages++;
    cr_assert(len == 2 && memcmp(json, "{}", 2) == 0);
}

static gbx_inspector *
attach(void)
{
    gbx_inspector *inspector;

    cr_assert_eq(gbx_inspector_open(f.isolate, on_message, NULL, &inspector, NULL), GBX_OK);
    return inspector;
}

static void
say_message(uint32_t session)
{
    put_inspector_message(&f.out, tag(0),
        &(struct msg_inspector_message){ .session = session, .json = span_text("{}") });
    fake_cell_say(&f);
}

static void
say_paused(uint32_t paused)
{
    put_paused(&f.out, tag(0), &(struct msg_paused){ .how = paused });
    fake_cell_say(&f);
}

Test(hostile, a_session_gets_its_messages)
{
    gbx_inspector *inspector = attach();

    say_message(inspector->id);
    still_trusted(&f);
    cr_assert_eq(messages, 1);
    gbx_inspector_close(inspector);
}

Test(hostile, a_session_that_was_just_closed_gets_none_and_that_is_fine)
{
    gbx_inspector *inspector = attach();
    uint32_t id = inspector->id;

    gbx_inspector_close(inspector);
    say_message(id);
    still_trusted(&f);
    cr_assert_eq(messages, 0);
}

Test(hostile, a_session_that_never_was_cannot_be_spoken_to)
{
    gbx_inspector *inspector = attach();

    say_message(inspector->id + 1);
    condemned(&f, "a message for an inspector session that never was");
    cr_assert_eq(messages, 0);
    gbx_inspector_close(inspector);
}

Test(hostile, a_pause_without_a_debugger_is_refused)
{
    say_paused(1);
    condemned(&f, "a debugger's pause without a debugger");
}

Test(hostile, a_pause_is_yes_or_no)
{
    gbx_inspector *inspector = attach();

    say_paused(1);
    say_paused(0);
    say_paused(0);
    still_trusted(&f);
    say_paused(2);
    condemned(&f, "a debugger's pause without a debugger");
    gbx_inspector_close(inspector);
}

/* An open request with a deadline, in microseconds from now. */
static gbx_future *
ask_within(uint64_t timeout_us)
{
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;
    struct frame frame;

    options.timeout_us = timeout_us;
    gbx_future *future = gbx_context_eval(gbx_isolate_context(f.isolate), "x", 1, &options);
    cr_assert_not(future->finished);
    while (fake_cell_hear(&f, &frame))
        ;
    return future;
}

/* Long after every deadline; and then so much later that no busy machine is an excuse. */
static void
enforce_later(void)
{
    for (uint64_t hours = 1; hours <= 2; hours++) {
        f.isolate->next_kill_us = 0;
        (void)isolate_enforce(f.isolate, now_us() + hours * 3600 * 1000000ull);
    }
}

Test(hostile, a_pause_rests_the_deadline_and_ends_with_the_last_session)
{
    gbx_inspector *inspector = attach();
    gbx_future *future = ask_within(1000);

    f.isolate->options.pause_limit_us = GBX_NO_LIMIT;
    say_paused(1);
    enforce_later();
    still_trusted(&f);
    gbx_inspector_close(inspector); /* "a script that it has paused goes on" */
    enforce_later();
    cr_assert_eq(gbx_isolate_death(f.isolate)->status, GBX_ETIMEOUT);
    cr_assert_eq(fake_cell_reap(&f), SIGKILL);
    gbx_future_free(future);
}

Test(hostile, a_pause_ends_at_its_limit)
{
    gbx_inspector *inspector = attach();
    gbx_future *future = ask_within(GBX_NO_LIMIT);

    f.isolate->options.pause_limit_us = 1000;
    say_paused(1);
    still_trusted(&f);
    enforce_later();
    cr_assert_eq(gbx_isolate_death(f.isolate)->status, GBX_ETIMEOUT);
    cr_assert_str_eq(gbx_isolate_death(f.isolate)->message,
        "the cell did not end a debugger's pause at its limit");
    cr_assert_eq(fake_cell_reap(&f), SIGKILL);
    gbx_inspector_close(inspector);
    gbx_future_free(future);
}

/* However often it says so: all pauses of a call together have one limit. */
Test(hostile, many_pauses_gain_no_more_than_one)
{
    gbx_inspector *inspector = attach();
    gbx_future *future = ask_within(1000000);
    uint64_t before = future->kill_at_us;

    f.isolate->options.pause_limit_us = 5000;
    for (int i = 0; i < 20; i++) {
        say_paused(1);
        f.isolate->held_at_us -= 1000000;
        say_paused(0);
    }
    still_trusted(&f);
    cr_assert_eq(future->kill_at_us, before + 5000);
    gbx_inspector_close(inspector);
    gbx_future_free(future);
}

/* Nobody asked it to wait; see a_pause_is_yes_or_no. Who was asked to may say so, and no more. */
Test(hostile, a_cell_that_was_told_to_wait_may_wait)
{
    gbx_future *future = ask_within(1000);

    f.isolate->options.flags |= GBX_ISOLATE_WAIT;
    say_paused(2);
    still_trusted(&f);
    cr_assert_eq(gbx_isolate_held(f.isolate), GBX_HOLD_WAITING);
    say_paused(0);
    cr_assert_eq(gbx_isolate_held(f.isolate), GBX_HOLD_NONE);
    say_paused(3);
    condemned(&f, "a debugger's pause without a debugger");
    gbx_future_free(future);
}

/* --- statistics ----------------------------------------------------------------------------- */

static void
say_statistics(uint32_t id, uint64_t number)
{
    put_statistics_reply(&f.out, tag(id),
        &(struct msg_statistics_reply){ .heap_used = number, .collection_us = number });
    fake_cell_say(&f);
}

Test(hostile, statistics_may_lie_in_their_numbers_only)
{
    gbx_future *future = gbx_isolate_statistics(f.isolate);
    double number;

    say_statistics(future->id, UINT64_MAX);
    still_trusted(&f);
    cr_assert_eq(gbx_future_status(future, NULL), GBX_OK);
    const gbx_value *used = gbx_value_get(gbx_future_value(future), "heapUsed", 8);
    cr_assert_eq(gbx_value_get_number(used, &number), GBX_OK);
    cr_assert_eq(number, 18446744073709551616.0);
    gbx_future_free(future);
}

Test(hostile, statistics_that_nobody_asked_for_are_refused)
{
    say_statistics(3, 1);
    condemned(&f, "statistics that nobody asked for");
}

Test(hostile, a_call_is_not_answered_with_statistics)
{
    gbx_future *future = ask_within(0);

    say_statistics(future->id, 1);
    condemned(&f, "statistics that nobody asked for");
    gbx_future_free(future);
}

/* --- the stream ----------------------------------------------------------------------------- */

static void
say_header(uint32_t bytes, uint32_t type)
{
    buf_u32(&f.out, bytes);
    buf_u32(&f.out, type);
    buf_u32(&f.out, 0);
    fake_cell_say(&f);
}

Test(hostile, an_unknown_message_is_refused)
{
    say_header(0, MESSAGE_TYPES);
    condemned(&f, "unknown message type");
}

Test(hostile, zeroes_are_no_message)
{
    say_header(0, 0);
    condemned(&f, "unknown message type");
}

Test(hostile, the_hosts_own_messages_are_refused)
{
    put_collect(&f.out, tag(1), &(struct msg_collect){ .no_empty_struct = 0 });
    fake_cell_say(&f);
    condemned(&f, "message of the other direction");
}

Test(hostile, a_message_past_its_limit_is_refused_before_it_comes)
{
    say_header(65, MESSAGE_PAUSED);
    condemned(&f, "message body past its limit");
}

/* A guest of 8 MiB cannot have an answer of 512. */
Test(hostile, a_message_past_the_memory_of_its_cell_is_refused_before_it_comes)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;

    fake_cell_close(&f);
    options.memory_limit_bytes = MEMORY_LIMIT_MIN;
    fake_cell_open(&f, &options, FAKE_PROCESS);
    say_header((uint32_t)VALUE_BYTES_MAX, MESSAGE_RESULT);
    static uint8_t bytes[MIB];
    for (int i = 0; i < 512 && f.isolate->cell != NULL; i++) {
        buf_append(&f.out, bytes, sizeof bytes);
        fake_cell_say(&f);
        cr_assert_leq(f.isolate->reader.body.capacity, 256 * MIB);
    }
    condemned(&f, "message body past what its sender can have");
}

Test(hostile, a_body_that_does_not_fit_its_type_is_refused)
{
    static const uint32_t types[] = { MESSAGE_RESULT, MESSAGE_REFERENCE, MESSAGE_FAILURE,
        MESSAGE_CALLBACK, MESSAGE_CONSOLE, MESSAGE_INSPECTOR_MESSAGE, MESSAGE_STATISTICS_REPLY,
        MESSAGE_SNAPSHOT_PIECE, MESSAGE_PAUSED };

    for (size_t i = 0; i < COUNT(types); i++) {
        say_header(0, types[i]);
        condemned(&f, "a message whose body does not fit its type");
        close_cell();
        open_cell();
    }
}

/* --- positions ------------------------------------------------------------------------------ */

Test(hostile, a_head_that_is_too_far_ahead_is_refused)
{
    atomic_store(&f.side.shared->to_host.head, RING_BYTES + 1);
    (void)isolate_service(f.isolate);
    condemned(&f, "impossible position in the ring");
}

Test(hostile, a_head_that_goes_backwards_is_refused)
{
    atomic_store(&f.side.shared->to_host.head, 0u - 1u);
    (void)isolate_service(f.isolate);
    condemned(&f, "impossible position in the ring");
}

Test(hostile, a_tail_that_was_never_written_is_refused)
{
    atomic_store(&f.side.shared->to_cell.tail, 100000);
    gbx_future *future =
        gbx_context_eval(gbx_isolate_context(f.isolate), "x", 1, NULL); /* looks at the tail */
    static char source[2 * RING_BYTES];
    gbx_future *large =
        gbx_context_eval(gbx_isolate_context(f.isolate), source, sizeof source, NULL);
    (void)isolate_service(f.isolate);
    condemned(&f, "impossible position in the ring");
    gbx_future_free(future);
    gbx_future_free(large);
}

/* The host sleeps with its bell on; a lie rings no bell, but a look finds it. */
Test(hostile, a_waiting_host_sees_a_lie)
{
    gbx_future *future = ask_within(0);

    atomic_store(&f.side.shared->to_host.head, 0x80000000u);
    cr_assert_eq(gbx_future_wait(future, 10000000, NULL), GBX_EPROTO);
    condemned(&f, "impossible position in the ring");
    gbx_future_free(future);
}

/* --- floods --------------------------------------------------------------------------------- */

/* From here on, each line that the host takes is followed by another: its ring is never empty
 * again. */
static void
flood_start(void)
{
    flooding = true;
    flood_on();
}

Test(hostile, a_flood_does_not_outlast_a_wait, .timeout = 20)
{
    gbx_future *future = ask_within(0);

    flood_start();
    cr_assert_eq(gbx_future_wait(future, 50000, NULL), GBX_EBUSY);
    gbx_future_free(future);
}

Test(hostile, a_flood_does_not_outlast_a_deadline_in_a_wait, .timeout = 20)
{
    gbx_future *future = ask_within(50000);

    flood_start();
    cr_assert_eq(gbx_future_wait(future, -1, NULL), GBX_ETIMEOUT);
    cr_assert_eq(fake_cell_reap(&f), SIGKILL);
    gbx_future_free(future);
}

Test(hostile, a_flood_does_not_outlast_a_deadline_in_the_event_loop, .timeout = 20)
{
    gbx_future *future = ask_within(50000);

    flood_start();
    while (gbx_future_status(future, NULL) == GBX_EBUSY)
        (void)gbx_runtime_dispatch(f.runtime, 100000);
    cr_assert_eq(gbx_future_status(future, NULL), GBX_ETIMEOUT);
    cr_assert_eq(fake_cell_reap(&f), SIGKILL);
    gbx_future_free(future);
}

/* Nor does the end of a cell whose child writes on. */
Test(hostile, a_death_ends_though_something_writes_on, .timeout = 20)
{
    gbx_future *future = ask_within(0);

    flood_start();
    isolate_ended(f.isolate);
    cr_assert_eq(gbx_future_status(future, NULL), GBX_ELOST);
    gbx_future_free(future);
}

/* --- forks ---------------------------------------------------------------------------------- */

Test(hostile, a_cell_that_is_asked_to_fork_may_be_busy)
{
    gbx_future *future = future_new(f.isolate, FUTURE_TWIN);

    put_failure(&f.out, tag(future->id),
        &(struct msg_failure){ .status = (uint32_t)-GBX_EBUSY, .message = span_text("no") });
    fake_cell_say(&f);
    still_trusted(&f);
    cr_assert_eq(gbx_future_status(future, NULL), GBX_EBUSY);
    gbx_future_free(future);
}
