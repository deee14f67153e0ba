/* A cell that works though nothing is under way: no call's limit ends that. */
#include "integration/support.h"

#include <stdlib.h>

static void
count_death(gbx_isolate *isolate, void *data)
{
    (void)isolate;
    ++*(int *)data;
}

static gbx_status
nothing(gbx_callback *callback, void *data)
{
    (void)callback;
    (void)data;
    return GBX_OK;
}

CleanTest(idle, cells_that_work_all_the_same_are_ended)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    int deaths = 0;

    cr_assert_eq(setenv("GLOVEBOX_LIBEXEC", HOSTILE_FOLDER, 1), 0);
    options.on_death = count_death;
    options.data = &deaths;
    struct world w = world_open(&options);
    gbx_isolate *quiet = world_isolate(&w, NULL);
    give(w.context, "hostile", nothing, NULL);
    eval_only(w.context, "hostile('!mine')");
    while (deaths == 0)
        cr_assert_eq(gbx_runtime_dispatch(w.runtime, 60000000), GBX_OK, "it goes on");
    cr_assert_eq(gbx_isolate_death(w.isolate)->status, GBX_ECPU);
    gbx_isolate_close(w.isolate);
    w.isolate = quiet;
    w.context = gbx_isolate_context(quiet);
    expect_usable(&w);
    world_close(&w);
}
