/* Deaths in the middle of what else is under way: a template's preload, the making and the hook of
 * a fork, a callback for rejections, an import, a host function that a guest waits for. The host
 * gets a typed answer each time, and goes on. */
#include "support.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Who is killed, and what then is told. */
static const struct victim {
    const char *name;
    gbx_status status;
} victims[] = { { "gbx-cell", GBX_ECRASHED }, { "gbx-template", GBX_ELOST },
    { "gbx-zygote", GBX_ELOST } };

enum {
    VICTIMS = sizeof victims / sizeof victims[0]
};

static const struct victim *victim; /* of the next blow; NULL: has been dealt */

/* Ends who shall be killed, and with it the only cell; when this comes back, that has ended. */
static void
strike(void)
{
    if (victim == NULL)
        return;
    pid_t pid = process_named(victim->name, 10000), cell = process_named("gbx-cell", 10000);
    cr_assert(pid > 0 && cell > 0);
    struct pollfd end = { .fd = (int)syscall(SYS_pidfd_open, cell, 0), .events = POLLIN };
    cr_assert_geq(end.fd, 0);
    victim = NULL;
    cr_assert_eq(kill(pid, SIGKILL), 0);
    cr_assert_eq(poll(&end, 1, 60000), 1);
    cr_assert_eq(close(end.fd), 0);
}

/* None that could be taken for the next one's. */
static void
await_no(const char *name)
{
    while (process_named(name, 0) != 0)
        sleep_ms(1);
}

static struct world
world_anew(const gbx_isolate_options *options)
{
    for (size_t i = 0; i < VICTIMS; i++)
        await_no(victims[i].name);
    return world_open(options);
}

/* Another isolate of the same runtime works, however the first one ended. */
static void
go_on(struct world *w)
{
    cr_assert_not_null(gbx_isolate_death(w->isolate));
    gbx_isolate_close(w->isolate);
    w->isolate = world_isolate(w, NULL);
    w->context = gbx_isolate_context(w->isolate);
    expect_usable(w);
    world_close(w);
}

/* --- templates ------------------------------------------------------------------------------ */

static void
strike_at_a_line(gbx_isolate *isolate, uint32_t level, const char *text, size_t len, void *data)
{
    (void)isolate;
    (void)level;
    (void)text;
    (void)len;
    (void)data;
    strike();
}

static const char prints[] = "console.log('now'); for (;;);";

static void
die_in_a_preload(uint32_t kind)
{
    const gbx_preload preload = {
        .kind = kind, .name = "p", .data = prints, .len = sizeof prints - 1
    };
    gbx_template_options options = GBX_TEMPLATE_OPTIONS_INIT;
    gbx_isolate_options isolate_options = GBX_ISOLATE_OPTIONS_INIT;
    gbx_runtime_options runtime_options = GBX_RUNTIME_OPTIONS_INIT;
    gbx_runtime *runtime = NULL;

    runtime_options.pool = GBX_POOL_NONE;
    cr_assert_eq(gbx_runtime_open(&runtime_options, &runtime, NULL), GBX_OK);
    isolate_options.on_console = strike_at_a_line;
    options.isolate = &isolate_options;
    options.preloads = &preload;
    for (size_t i = 0; i < VICTIMS; i++) {
        gbx_error error = GBX_ERROR_INIT;
        gbx_template *t = NULL;
        await_no("gbx-cell");
        victim = &victims[i];
        options.count = 1;
        cr_assert_eq(gbx_template_open(runtime, &options, &t, &error), victims[i].status,
            "%s: status %d, %s", victims[i].name, error.status, error.message);
        cr_assert_null(victim, "it was not struck");
        cr_assert_null(t);
        cr_assert_not_null(strstr(error.message, "preload 0 (p)"), "%s", error.message);
        options.count = 0;
        cr_assert_eq(gbx_template_open(runtime, &options, &t, &error), GBX_OK, "%s: %s",
            victims[i].name, error.message);
        gbx_template_close(t);
    }
    gbx_runtime_close(runtime);
}

CleanTest(ends, a_template_is_not_made_by_a_script_that_dies)
{
    die_in_a_preload(GBX_PRELOAD_SCRIPT);
}

CleanTest(ends, a_template_is_not_made_by_a_module_that_dies)
{
    die_in_a_preload(GBX_PRELOAD_MODULE);
}

/* --- forks ---------------------------------------------------------------------------------- */

static gbx_status
do_nothing(gbx_callback *callback, void *data)
{
    (void)callback;
    (void)data;
    return GBX_OK;
}

static void
strike_at_a_function(
    gbx_isolate *fork, const char *path, gbx_function *function, void **data, void *rebind_data)
{
    (void)fork;
    (void)path;
    (void)function;
    (void)data;
    (void)rebind_data;
    strike();
}

/* The original has been looked at, and is not yet asked. */
CleanTest(ends, a_fork_of_an_original_that_dies_is_none)
{
    for (size_t i = 0; i < VICTIMS; i++) {
        struct world w = world_anew(NULL);
        gbx_fork_options options = GBX_FORK_OPTIONS_INIT;
        gbx_error error = GBX_ERROR_INIT;
        gbx_isolate *fork = NULL;

        give(w.context, "f", do_nothing, NULL);
        options.rebind = strike_at_a_function;
        victim = &victims[i];
        gbx_status status = gbx_isolate_fork(w.isolate, &options, &fork, &error);
        cr_assert(status == victims[i].status || status == GBX_ELOST, "%s: status %d, %s",
            victims[i].name, status, error.message);
        cr_assert_eq(error.status, status);
        cr_assert_null(victim, "it was not struck");
        cr_assert_null(fork);
        expect_failure(w.context, "1", victims[i].status, NULL);
        go_on(&w);
    }
}

static void
kill_it(gbx_isolate *isolate, uint32_t level, const char *text, size_t len, void *data)
{
    gbx_usage usage = GBX_USAGE_INIT;

    (void)level;
    (void)text;
    (void)len;
    ++*(int *)data;
    cr_assert_eq(gbx_isolate_usage(isolate, &usage), GBX_OK);
    cr_assert_eq(kill((pid_t)usage.pid, SIGKILL), 0);
}

/* Its original does not notice. */
CleanTest(ends, a_fork_that_dies_in_its_hook_is_none)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    gbx_fork_options fork_options = GBX_FORK_OPTIONS_INIT;
    int killed = 0;

    options.on_console = strike_at_a_line; /* else the fork could not print */
    struct world w = world_open(&options);
    eval_only(w.context, "function hook() { console.log('now'); for (;;); }");
    fork_options.hook = "hook";
    fork_options.on_console = kill_it;
    fork_options.data = &killed;
    for (int i = 1; i <= 3; i++) {
        gbx_error error = GBX_ERROR_INIT;
        gbx_isolate *fork = NULL;
        cr_assert_eq(gbx_isolate_fork(w.isolate, &fork_options, &fork, &error), GBX_ECRASHED,
            "status %d, %s", error.status, error.message);
        cr_assert_eq(killed, i);
        cr_assert_null(fork);
        expect_usable(&w);
    }
    world_close(&w);
}

/* --- rejections ----------------------------------------------------------------------------- */

static void
strike_at_a_rejection(gbx_isolate *isolate, const gbx_rejection *rejection, void *data)
{
    (void)isolate;
    (void)rejection;
    ++*(int *)data;
    strike();
}

CleanTest(ends, a_call_hears_of_a_death_in_its_rejections)
{
    for (size_t i = 0; i < VICTIMS; i++) {
        gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
        int told = 0;

        options.on_rejection = strike_at_a_rejection;
        options.data = &told;
        struct world w = world_anew(&options);
        victim = &victims[i];
        settle(start(w.context, "Promise.reject(1); new Promise(() => {})", GBX_AWAIT),
            victims[i].status);
        cr_assert_eq(told, 1);
        go_on(&w);
    }
}

/* --- imports -------------------------------------------------------------------------------- */

static gbx_import *asked;
static size_t asks;

static void
keep(gbx_import *import, void *data)
{
    (void)data;
    asked = import;
    asks++;
}

static void
answer_after(gbx_import *import, void *data)
{
    gbx_module_options options = GBX_MODULE_OPTIONS_INIT;

    (void)data;
    strike();
    options.name = "m";
    gbx_import_source(import, "export default 1", 16, &options);
}

/* When the host cannot have heard of it yet. */
CleanTest(ends, an_import_is_answered_to_the_dead)
{
    for (size_t i = 0; i < VICTIMS; i++) {
        struct world w = world_anew(NULL);

        cr_assert_eq(gbx_context_set_loader(w.context, answer_after, NULL), GBX_OK);
        victim = &victims[i];
        settle(gbx_context_import(w.context, "m", NULL), victims[i].status);
        cr_assert_null(victim);
        go_on(&w);
    }
}

CleanTest(ends, an_import_is_answered_to_nobody)
{
    for (size_t i = 0; i < VICTIMS; i++) {
        struct world w = world_anew(NULL);

        cr_assert_eq(gbx_context_set_loader(w.context, keep, NULL), GBX_OK);
        asks = 0;
        gbx_future *future = gbx_context_import(w.context, "m", NULL);
        wait_until(future, &asks, 1);
        victim = &victims[i];
        strike();
        settle(future, victims[i].status);
        answer_after(asked, NULL);
        go_on(&w);
    }
}

/* --- host functions ------------------------------------------------------------------------- */

struct wait {
    gbx_deferred *deferred;
    size_t count, cancelled;
    bool at_once; /* it strikes before it blocks */
};

static void
on_cancel(gbx_deferred *deferred, void *data)
{
    (void)deferred;
    ((struct wait *)data)->cancelled++;
}

static gbx_status
block(gbx_callback *callback, void *data)
{
    struct wait *wait = data;

    if (wait->at_once)
        strike();
    gbx_status status = gbx_callback_block(callback, &wait->deferred);
    cr_assert_eq(status, GBX_OK);
    gbx_deferred_on_cancel(wait->deferred, on_cancel, wait);
    wait->count++;
    return status;
}

CleanTest(ends, who_keeps_a_guest_waiting_hears_of_its_death)
{
    for (size_t i = 0; i < 2 * VICTIMS; i++) {
        struct wait wait = { .at_once = i >= VICTIMS };
        struct world w = world_anew(NULL);

        give(w.context, "ask", block, &wait);
        victim = &victims[i % VICTIMS];
        gbx_future *future = start(w.context, "try { ask() } catch { } 1", 0);
        while (wait.count == 0) /* GBX_EINVAL: it waits for us */
            (void)!gbx_future_wait(future, 10000, NULL);
        strike();
        while (wait.cancelled == 0)
            (void)!gbx_runtime_dispatch(w.runtime, 10000);
        settle(future, victims[i % VICTIMS].status);
        cr_assert_eq(wait.count, 1);
        cr_assert_eq(wait.cancelled, 1);
        cr_assert_eq(gbx_deferred_resolve(wait.deferred, NULL), GBX_OK);
        go_on(&w);
    }
}
