/* The end of a cell that forks unasked, and what its owner may do when told. */
#include "integration/support.h"

#include <signal.h>
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
