/* What a death certificate says, and what of a dying cell's claims it believes. */
#include "hostile.h"

#include "base/check.h"

#include <stdlib.h>
#include <sys/wait.h>

static struct fake_cell f;

static void
open_cell(void)
{
    fake_cell_open(&f, NULL, FAKE_PROCESS | FAKE_TEMPLATE);
}

static void
close_cell(void)
{
    fake_cell_close(&f);
}

TestSuite(death, .init = open_cell, .fini = close_cell);

enum {
    NOTED = CELL_EXIT_NOTED << 8, /* the wait status of a cell that left a note */
};

/* The cell leaves this note. */
static void
note(gbx_status status, uint32_t detail, uint64_t measured)
{
    struct channel_note *n = f.side.note;

    n->status = status;
    n->detail = detail;
    n->limit = 1;
    n->measured = measured;
    (void)strcpy(n->message, "last words");
    (void)strcpy(n->stack, "    at f (a.js:1:2)");
    atomic_store(&n->written, 1);
}

/* The cell ends with this wait status; the certificate that is written of it. */
static const gbx_death *
end(int wait_status)
{
    cr_assert_eq(kill(f.pid, SIGKILL), 0);
    (void)fake_cell_reap(&f);
    fake_cell_report(&f, wait_status, 12345, 6789);
    while (gbx_isolate_death(f.isolate) == NULL)
        cr_assert_eq(gbx_runtime_dispatch(f.runtime, 10000000), GBX_OK);
    return gbx_isolate_death(f.isolate);
}

static gbx_future *
ask(uint64_t timeout_us, uint64_t cpu_us)
{
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;

    options.timeout_us = timeout_us;
    options.cpu_us = cpu_us;
    return gbx_context_eval(gbx_isolate_context(f.isolate), "x", 1, &options);
}

Test(death, a_signal_is_named)
{
    gbx_future *future = ask(0, 0);
    gbx_error error = GBX_ERROR_INIT;
    const gbx_death *death = end(SIGSEGV);

    cr_assert_eq(death->status, GBX_ECRASHED);
    cr_assert_eq(death->signal, SIGSEGV);
    cr_assert_eq(death->exit_code, -1);
    cr_assert_not_null(strstr(death->message, "signal 11"));
    cr_assert_eq(gbx_future_status(future, &error), GBX_ECRASHED);
    cr_assert_eq(error.signal, SIGSEGV);
    cr_assert_str_eq(error.message, death->message);
    gbx_future_free(future);
}

Test(death, an_exit_code_is_named)
{
    const gbx_death *death = end(3 << 8);

    cr_assert_eq(death->status, GBX_ECRASHED);
    cr_assert_eq(death->signal, 0);
    cr_assert_eq(death->exit_code, 3);
    cr_assert_not_null(strstr(death->message, "code 3"));
}

Test(death, what_it_used_is_what_the_template_was_told_by_the_kernel)
{
    const gbx_death *death = end(SIGKILL);

    cr_assert_eq(death->cpu_us, 12345);
    cr_assert_eq(death->resident_bytes, 6789);
}

/* --- notes ---------------------------------------------------------------------------------- */

Test(death, of_memory_tells_the_limit_and_what_was_counted)
{
    note(GBX_EMEMORY, CHANNEL_NOTE_EXTERNAL, 999);
    const gbx_death *death = end(NOTED);

    cr_assert_eq(death->status, GBX_EMEMORY);
    cr_assert_eq(death->cause, GBX_MEMORY_EXTERNAL);
    cr_assert_eq(death->limit, MEMORY_LIMIT_DEFAULT, "ours, not the note's");
    cr_assert_eq(death->measured, 999);
    cr_assert_eq(death->exit_code, CELL_EXIT_NOTED);
    cr_assert_str_eq(death->message, "last words");
    cr_assert_str_eq(death->stack, "    at f (a.js:1:2)");
}

Test(death, of_a_deadline_tells_the_limit_of_what_ran)
{
    gbx_future *one = ask(5000000, 0), *two = ask(4000000, 0);

    note(GBX_ETIMEOUT, 0, 0);
    const gbx_death *death = end(NOTED);
    cr_assert_eq(death->status, GBX_ETIMEOUT);
    cr_assert_eq(death->limit, 5000000, "the turn of the other had not come");
    gbx_future_free(one);
    gbx_future_free(two);
}

Test(death, of_a_deadline_tells_the_tightest_limit_of_what_may_have_run)
{
    gbx_future *one = ask(5000000, 0), *two = ask(4000000, 0), *three = ask(0, 0);

    /* The last one is answered, so the others have begun and wait for promises. */
    put_result(&f.out, tag(three->id), &(struct msg_result){ .no_empty_struct = 0 });
    fake_cell_say(&f);
    note(GBX_ETIMEOUT, 0, 0);
    const gbx_death *death = end(NOTED);
    cr_assert_eq(death->status, GBX_ETIMEOUT);
    cr_assert_eq(death->limit, 4000000);
    cr_assert_eq(gbx_future_status(one, NULL), GBX_ETIMEOUT);
    gbx_future_free(one);
    gbx_future_free(two);
    gbx_future_free(three);
}

Test(death, of_a_cpu_budget_tells_the_budget)
{
    gbx_future *one = ask(1000000, 7000000);

    note(GBX_ECPU, 0, 0);
    const gbx_death *death = end(NOTED);
    cr_assert_eq(death->status, GBX_ECPU);
    cr_assert_eq(death->limit, 7000000);
    gbx_future_free(one);
}

/* --- lies ----------------------------------------------------------------------------------- */

Test(death, claims_that_only_the_host_could_make_are_not_believed)
{
    static const gbx_status lies[] = { GBX_OK, GBX_ETHROW, GBX_EDISPOSED, GBX_EPROTO, GBX_ELOST,
        GBX_EHOST, GBX_EINVAL, GBX_ENOMEM, GBX_EENGINE, 1, 86, INT32_MIN, INT32_MAX };

    for (size_t i = 0; i < COUNT(lies); i++) {
        note(lies[i], 0, 0);
        const gbx_death *death = end(NOTED);
        cr_assert_eq(death->status, GBX_ECRASHED, "%d", lies[i]);
        cr_assert_str_empty(death->stack);
        close_cell();
        open_cell();
    }
}

/* A cell that a layer of the sandbox is missing says so, and nothing before it. */
Test(death, a_cell_that_has_served_was_sealed)
{
    note(GBX_ESEAL, 0, 0);
    cr_assert_eq(end(NOTED)->status, GBX_ESEAL);
    close_cell();
    open_cell();
    f.isolate->received_bytes = 1;
    note(GBX_ESEAL, 0, 0);
    cr_assert_eq(end(NOTED)->status, GBX_ECRASHED);
}

/* "The host terminated the call" is for the host to know. */
Test(death, a_termination_that_the_host_did_not_ask_for_is_not_believed)
{
    atomic_fetch_add(&f.side.shared->stop, 1); /* the cell may write there too */
    note(GBX_ETERMINATED, 0, 0);
    cr_assert_eq(end(NOTED)->status, GBX_ECRASHED);
}

Test(death, a_termination_that_the_host_asked_for_is_believed)
{
    gbx_isolate_terminate(f.isolate);
    note(GBX_ETERMINATED, 0, 0);
    cr_assert_eq(end(NOTED)->status, GBX_ETERMINATED);
}

Test(death, a_note_is_only_read_behind_its_exit_code)
{
    note(GBX_EMEMORY, 0, 0);
    cr_assert_eq(end(0)->status, GBX_ECRASHED);
    close_cell();
    open_cell();
    note(GBX_EMEMORY, 0, 0);
    cr_assert_eq(end(SIGSYS)->status, GBX_EVIOLATION);
    close_cell();
    open_cell();
    cr_assert_eq(end(NOTED)->status, GBX_ECRASHED, "there is none");
    close_cell();
    open_cell();
    note(GBX_EMEMORY, 0, 0);
    atomic_store(&f.side.note->written, 2);
    cr_assert_eq(end(NOTED)->status, GBX_ECRASHED);
}

Test(death, a_cause_out_of_range_is_none)
{
    note(GBX_EMEMORY, CHANNEL_NOTE_DETAILS, UINT64_MAX);
    const gbx_death *death = end(NOTED);

    cr_assert_eq(death->cause, 0);
    cr_assert_eq(death->measured, UINT64_MAX, "shown as what it is: a claim");
}

Test(death, texts_without_an_end_are_cut)
{
    note(GBX_EMEMORY, 0, 0);
    memset(f.side.note->message, 'm', sizeof f.side.note->message);
    memset(f.side.note->stack, 's', sizeof f.side.note->stack);
    const gbx_death *death = end(NOTED);

    cr_assert_eq(strlen(death->message), sizeof f.side.note->message - 1);
    cr_assert_eq(strlen(death->stack), sizeof f.side.note->stack - 1);
}

Test(death, what_the_host_killed_for_counts_more_than_any_note)
{
    note(GBX_EMEMORY, CHANNEL_NOTE_HEAP, 5);
    fake_cell_report(&f, SIGKILL, 1, 2);
    isolate_condemn(f.isolate, GBX_EPROTO, "a lie");
    const gbx_death *death = gbx_isolate_death(f.isolate);

    cr_assert_eq(death->status, GBX_EPROTO);
    cr_assert_str_eq(death->message, "a lie");
    cr_assert_eq(death->cause, 0);
}

/* --- nobody to tell ------------------------------------------------------------------------- */

Test(death, with_the_template_is_a_loss)
{
    cr_assert_eq(kill(f.pid, SIGKILL), 0);
    (void)fake_cell_reap(&f);
    (void)close(f.template_socket);
    f.template_socket = -1;
    while (gbx_isolate_death(f.isolate) == NULL)
        cr_assert_eq(gbx_runtime_dispatch(f.runtime, 10000000), GBX_OK);
    cr_assert_eq(gbx_isolate_death(f.isolate)->status, GBX_ELOST);
}

/* A template that says nothing, stopped perhaps, does not hold the host for ever. */
Test(death, is_certified_though_the_template_is_silent, .timeout = 20)
{
    cr_assert_eq(kill(f.pid, SIGKILL), 0);
    (void)fake_cell_reap(&f);
    while (gbx_isolate_death(f.isolate) == NULL)
        (void)gbx_runtime_dispatch(f.runtime, 10000000);
    cr_assert_eq(gbx_isolate_death(f.isolate)->status, GBX_ELOST);
}
