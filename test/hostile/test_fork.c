/* The end of a cell that forks unasked, and what its owner may do when told. */
#include "integration/support.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static gbx_status
nothing(gbx_callback *callback, void *data)
{
    (void)callback;
    (void)data;
    return GBX_OK;
}

/* Takes the zygote away, which the next isolate finds: every template is closed then. */
static void
start_anew(gbx_isolate *isolate, void *data)
{
    struct world *w = data;

    (void)isolate;
    cr_assert_eq(kill(process_named("gbx-zygote", 0), SIGKILL), 0);
    while (process_named("gbx-zygote", 0) != 0)
        sleep_ms(1);
    w->isolate = world_isolate(w, NULL);
    w->context = gbx_isolate_context(w->isolate);
}

CleanTest(fork, nobody_asked_for_is_a_violation_and_its_callback_may_start_anew)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    struct world w = { .runtime = NULL };

    cr_assert_eq(setenv("GLOVEBOX_LIBEXEC", HOSTILE_FOLDER, 1), 0);
    options.on_death = start_anew;
    options.data = &w;
    w = world_open(&options);
    gbx_isolate *forks = w.isolate;
    give(w.context, "hostile", nothing, NULL);
    settle(start(w.context, "hostile('!fork', 17)", 0), GBX_EVIOLATION);
    cr_assert_neq(w.isolate, forks);
    gbx_isolate_close(forks);
    expect_usable(&w);
    world_close(&w);
}

/* --- a cell that is asked to fork ------------------------------------------------------------ */

/* Forks an isolate whose cell does `how` instead; the fork if there is one. */
static gbx_isolate *
fork_hostile(struct world *w, int how, gbx_status expected)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_isolate *fork = NULL;
    char source[64];

    cr_assert_eq(setenv("GLOVEBOX_LIBEXEC", HOSTILE_FOLDER, 1), 0);
    *w = world_open(NULL);
    give(w->context, "hostile", nothing, NULL);
    (void)snprintf(source, sizeof source, "hostile('!reply'); hostile('!twin', %d)", how);
    settle(start(w->context, source, 0), GBX_OK);
    gbx_status status = gbx_isolate_fork(w->isolate, NULL, &fork, &error);
    cr_assert_eq(status, expected, "%d: status %d, %s", how, status, error.message);
    return fork;
}

static void
expect_violation(const gbx_isolate *isolate)
{
    cr_assert_not_null(gbx_isolate_death(isolate));
    cr_assert_eq(gbx_isolate_death(isolate)->status, GBX_EVIOLATION);
}

CleanTest(fork, of_a_cell_that_would_be_another_itself_is_a_violation)
{
    struct world w;

    (void)fork_hostile(&w, 0, GBX_EVIOLATION);
    expect_violation(w.isolate);
    world_close(&w);
}

CleanTest(fork, of_another_kind_than_was_asked_for_is_a_violation)
{
    struct world w;

    (void)fork_hostile(&w, 1, GBX_EVIOLATION);
    expect_violation(w.isolate);
    world_close(&w);
}

CleanTest(fork, becomes_a_cell_once)
{
    struct world w;
    gbx_isolate *fork = fork_hostile(&w, 2, GBX_OK);

    settle(start(gbx_isolate_context(fork), "1", 0), GBX_EVIOLATION);
    expect_violation(fork);
    cr_assert_null(gbx_isolate_death(w.isolate), "it did what it was asked to");
    gbx_isolate_close(fork);
    world_close(&w);
}

CleanTest(fork, that_forks_before_it_is_a_cell_never_is_one)
{
    struct world w;

    (void)fork_hostile(&w, 3, GBX_ELOST);
    cr_assert_null(gbx_isolate_death(w.isolate));
    world_close(&w);
}

CleanTest(fork, that_ends_before_it_is_a_cell_is_missed)
{
    struct world w;

    (void)fork_hostile(&w, 4, GBX_ELOST);
    cr_assert_null(gbx_isolate_death(w.isolate));
    world_close(&w);
}
