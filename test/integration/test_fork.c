/* Forks of live isolates: what they begin with, that nothing is shared, and who may die. */
#include "support.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static gbx_isolate *
fork_of(gbx_isolate *isolate, const gbx_fork_options *options)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_isolate *fork = NULL;

    cr_assert_eq(gbx_isolate_fork(isolate, options, &fork, &error), GBX_OK, "no fork: %s",
        error.message);
    return fork;
}

static void
refuse_fork(gbx_isolate *isolate, const gbx_fork_options *options, gbx_status status)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_isolate *fork = NULL;

    cr_assert_eq(
        gbx_isolate_fork(isolate, options, &fork, &error), status, "%s", error.message);
    cr_assert_null(fork);
    cr_assert_eq(error.status, status);
    cr_assert_neq(error.message[0], '\0');
}

static uint32_t
pid_of(gbx_isolate *isolate)
{
    gbx_usage usage = GBX_USAGE_INIT;

    cr_assert_eq(gbx_isolate_usage(isolate, &usage), GBX_OK);
    return usage.pid;
}

CleanTest(fork, has_all_state_and_goes_its_own_way)
{
    struct world w = world_open(NULL);

    eval_only(w.context,
        "let n = 1; const counter = (() => { let i = 40; return () => ++i; })(); counter();"
        "globalThis.table = new Map([['a', [1, 2, 3]]]);"
        "globalThis.bytes = new Uint8Array(1 << 20).fill(7);");
    gbx_isolate *fork = fork_of(w.isolate, NULL);
    gbx_context *context = gbx_isolate_context(fork);
    cr_assert_neq(pid_of(fork), pid_of(w.isolate));
    cr_assert_eq(eval_number(context, "counter()"), 42);
    cr_assert_eq(eval_number(context, "n += 1; table.get('a').push(4)"), 4);
    cr_assert_eq(eval_number(context, "bytes.fill(1).reduce((a, b) => a + b)"), 1 << 20);
    cr_assert_eq(eval_number(w.context, "n * 1000 + table.get('a').length"), 1003);
    cr_assert_eq(eval_number(w.context, "counter() + bytes[9]"), 42 + 7);
    gbx_isolate_close(fork);
    expect_usable(&w);
    world_close(&w);
}

CleanTest(fork, draws_other_numbers_than_its_original_and_its_siblings)
{
    static const char draw[] = "Math.random() + ' ' + Math.random()";
    char drawn[4][64];
    struct world w = world_open(NULL);
    gbx_isolate *forks[3];

    eval_only(w.context, "Math.random()"); /* of the 64 that V8 makes ahead, 63 are left */
    for (int i = 0; i < 3; i++)
        forks[i] = fork_of(w.isolate, NULL);
    for (int i = 0; i < 4; i++) {
        gbx_context *context = i == 3 ? w.context : gbx_isolate_context(forks[i]);
        gbx_value *value = eval(context, draw);
        const char *text = NULL;
        cr_assert_eq(gbx_value_get_string(value, &text, NULL), GBX_OK);
        (void)snprintf(drawn[i], sizeof drawn[i], "%s", text);
        gbx_value_free(value);
        for (int k = 0; k < i; k++)
            cr_assert_str_neq(drawn[i], drawn[k], "%d and %d draw the same", i, k);
        cr_assert_eq(
            eval_number(context, "new Set(Array.from({ length: 1000 }, Math.random)).size"),
            1000);
        cr_assert_gt(eval_number(context, "Math.random()"), 0);
    }
    for (int i = 0; i < 3; i++)
        gbx_isolate_close(forks[i]);
    world_close(&w);
}

CleanTest(fork, of_a_busy_isolate_is_refused)
{
    struct world w = world_open(NULL);
    gbx_future *future =
        start(w.context, "new Promise(resolve => globalThis.go = resolve)", GBX_AWAIT);

    refuse_fork(w.isolate, NULL, GBX_EBUSY);
    eval_only(w.context, "go()");
    settle(future, GBX_OK);
    gbx_isolate_close(fork_of(w.isolate, NULL));
    world_close(&w);
}

/* --- what the host gives -------------------------------------------------------------------- */

static gbx_status
answer_with(gbx_callback *callback, void *data)
{
    return answer_number(callback, *(const double *)data);
}

static gbx_status
answer_negated(gbx_callback *callback, void *data)
{
    return answer_number(callback, -*(const double *)data);
}

static void
rebind(
    gbx_isolate *fork, const char *path, gbx_function *function, void **data, void *rebind_data)
{
    (void)fork;
    if (strcmp(path, "second") != 0)
        return;
    *function = answer_negated;
    *data = rebind_data;
}

CleanTest(fork, has_its_host_functions_bound_anew)
{
    struct world w = world_open(NULL);
    gbx_fork_options options = GBX_FORK_OPTIONS_INIT;
    double one = 1, two = 2, three = 3;

    give(w.context, "first", answer_with, &one);
    give(w.context, "second", answer_with, &two);
    eval_only(w.context, "const kept = second");
    options.rebind = rebind;
    options.rebind_data = &three;
    gbx_isolate *fork = fork_of(w.isolate, &options);
    gbx_context *context = gbx_isolate_context(fork);
    cr_assert_eq(eval_number(context, "first() * 10 + kept()"), 7);
    cr_assert_eq(eval_number(w.context, "first() * 10 + kept()"), 12);
    give(context, "fourth", answer_with, &three);
    cr_assert_eq(eval_number(context, "fourth()"), 3);
    expect_failure(w.context, "fourth()", GBX_ETHROW, NULL);
    gbx_isolate_close(fork);
    world_close(&w);
}

CleanTest(fork, has_the_same_contexts)
{
    struct world w = world_open(NULL);
    gbx_context *second = NULL, *third = NULL, *late = NULL;

    cr_assert_eq(gbx_context_open(w.isolate, &second, NULL), GBX_OK);
    cr_assert_eq(gbx_context_open(w.isolate, &third, NULL), GBX_OK);
    eval_only(second, "globalThis.mine = 2; Math.random()");
    gbx_isolate *fork = fork_of(w.isolate, NULL);
    cr_assert_eq(gbx_context_open(w.isolate, &late, NULL), GBX_OK);
    gbx_context *own = gbx_fork_context(fork, w.context);
    gbx_context *same = gbx_fork_context(fork, second);
    gbx_context *none = gbx_fork_context(fork, second);
    gbx_context *neither = gbx_fork_context(fork, late);
    cr_assert_eq(own, gbx_isolate_context(fork));
    cr_assert_null(none, "it was taken");
    cr_assert_null(neither, "it was opened after the fork");
    cr_assert_eq(eval_number(same, "mine += 5"), 7);
    cr_assert_eq(eval_number(second, "mine"), 2);
    cr_assert_neq(eval_number(same, "Math.random()"), eval_number(second, "Math.random()"));
    gbx_context *new = NULL;
    cr_assert_eq(gbx_context_open(fork, &new, NULL), GBX_OK);
    cr_assert_eq(eval_number(new, "typeof mine === 'undefined' ? 1 : 0"), 1);
    gbx_context_close(new);
    gbx_context_close(same);
    gbx_context_close(second);
    gbx_context_close(third);
    gbx_context_close(late);
    gbx_isolate_close(fork);
    world_close(&w);
}

CleanTest(fork, tells_its_guest_by_a_hook)
{
    struct world w = world_open(NULL);
    gbx_fork_options options = GBX_FORK_OPTIONS_INIT;

    eval_only(w.context,
        "let forks = 0; async function born() { await null; forks++; }"
        "function refuses() { throw new TypeError('not me'); } function hangs() { for (;;); }");
    options.hook = "born";
    gbx_isolate *fork = fork_of(w.isolate, &options);
    cr_assert_eq(eval_number(gbx_isolate_context(fork), "forks"), 1);
    gbx_isolate *second = fork_of(fork, &options);
    cr_assert_eq(eval_number(gbx_isolate_context(second), "forks"), 2);
    cr_assert_eq(eval_number(w.context, "forks"), 0);
    options.hook = "refuses";
    refuse_fork(w.isolate, &options, GBX_ETHROW);
    options.hook = "hangs";
    options.hook_timeout_us = 50000;
    refuse_fork(w.isolate, &options, GBX_ETIMEOUT);
    options.hook = "is.not.there";
    refuse_fork(w.isolate, &options, GBX_EINVAL);
    gbx_isolate_close(fork);
    gbx_isolate_close(second);
    expect_usable(&w);
    world_close(&w);
}

/* --- refusals ------------------------------------------------------------------------------- */

static gbx_status
promise_later(gbx_callback *callback, void *data)
{
    return gbx_callback_defer(callback, data);
}

static gbx_status
fork_inside(gbx_callback *callback, void *data)
{
    (void)data;
    refuse_fork(gbx_callback_isolate(callback), NULL, GBX_EBUSY);
    return GBX_OK;
}

/* Has a call wait for a promise of the host's, settles that, and lets `rest` run in the guest when
 * the call has ended: of that the host knows nothing. */
static void
leave_a_rest(const struct world *w, gbx_deferred **deferred, const char *rest)
{
    char source[512];

    (void)snprintf(source, sizeof source,
        "var p = later(), n = 0; p.then().then().then().then().then(() => { %s });"
        "p.then(() => 7)",
        rest);
    *deferred = NULL;
    gbx_future *future = start(w->context, source, GBX_AWAIT);
    while (*deferred == NULL)
        cr_assert_eq(gbx_future_wait(future, 10000, NULL), GBX_EBUSY);
    cr_assert_eq(gbx_deferred_resolve(*deferred, NULL), GBX_OK);
    cr_assert_eq(settle_number(future), 7);
}

static const char busy[] = "const end = Date.now() + 100; while (Date.now() < end); n = 1;";

CleanTest(fork, waits_for_what_settled_promises_set_off)
{
    struct world w = world_open(NULL);
    gbx_deferred *deferred = NULL;

    give(w.context, "later", promise_later, &deferred);
    for (int i = 0; i < 5; i++) {
        leave_a_rest(&w, &deferred, busy);
        gbx_isolate *fork = fork_of(w.isolate, NULL);
        cr_assert_eq(eval_number(gbx_isolate_context(fork), "n"), 1);
        gbx_isolate_close(fork);
    }
    expect_usable(&w);
    world_close(&w);
}

CleanTest(fork, hears_how_that_ends)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    gbx_deferred *deferred = NULL;

    options.timeout_us = 200000;
    struct world w = world_open(&options);
    give(w.context, "later", promise_later, &deferred);
    leave_a_rest(&w, &deferred, "n = 2; for (;;);");
    gbx_isolate *fork = fork_of(w.isolate, NULL);
    cr_assert_eq(eval_number(gbx_isolate_context(fork), "n"), 2, "it was stopped");
    gbx_isolate_close(fork);
    expect_usable(&w);
    world_close(&w);
    options.timeout_us = GBX_NO_LIMIT;
    w = world_open(&options);
    give(w.context, "later", promise_later, &deferred);
    leave_a_rest(&w, &deferred, "for (const all = [];;) all.push(new Array(1e5).fill(1))");
    refuse_fork(w.isolate, NULL, GBX_EMEMORY);
    world_close(&w);
}

struct meddling {
    int close;
    size_t printed;
};

/* In the middle of the wait for it. */
static void
meddle(gbx_isolate *isolate, uint32_t level, const char *text, size_t len, void *data)
{
    struct meddling *meddling = data;

    (void)level;
    (void)text;
    (void)len;
    meddling->printed++;
    if (meddling->close)
        gbx_isolate_close(isolate);
    else
        refuse_fork(isolate, NULL, GBX_EBUSY);
}

CleanTest(fork, may_meet_callbacks_while_it_waits)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    struct meddling meddling = { 0 };
    gbx_deferred *deferred = NULL;
    char rest[256];

    (void)snprintf(rest, sizeof rest, "%s console.log(1); %s", busy, "n = 3;");
    options.on_console = meddle;
    options.data = &meddling;
    for (; meddling.close < 2; meddling.close++) {
        struct world w = world_open(&options);
        give(w.context, "later", promise_later, &deferred);
        leave_a_rest(&w, &deferred, rest);
        if (meddling.close == 0) {
            gbx_isolate_close(fork_of(w.isolate, NULL));
        } else {
            refuse_fork(w.isolate, NULL, GBX_EDISPOSED);
            w.isolate = NULL;
        }
        world_close(&w);
    }
    cr_assert_eq(meddling.printed, 2);
}

static void
hear_nothing(gbx_inspector *inspector, const char *json, size_t len, void *data)
{
    (void)inspector;
    (void)json;
    (void)len;
    (void)data;
}

CleanTest(fork, of_an_isolate_that_is_not_at_rest_is_refused)
{
    struct world w = world_open(NULL);
    gbx_deferred *deferred = NULL;
    gbx_inspector *inspector = NULL;

    give(w.context, "later", promise_later, &deferred);
    give(w.context, "inside", fork_inside, NULL);
    eval_only(w.context, "later(); new Promise(() => {})");
    refuse_fork(w.isolate, NULL, GBX_EBUSY);
    cr_assert_eq(gbx_deferred_resolve(deferred, NULL), GBX_OK);
    while (gbx_runtime_dispatch(w.runtime, 100000) == GBX_OK)
        ;
    eval_only(w.context, "inside()");
    cr_assert_eq(gbx_inspector_open(w.isolate, hear_nothing, NULL, &inspector, NULL), GBX_OK);
    refuse_fork(w.isolate, NULL, GBX_EBUSY);
    gbx_inspector_close(inspector);
    gbx_isolate_close(fork_of(w.isolate, NULL));
    expect_usable(&w);
    world_close(&w);
}

static void
print_nothing(gbx_isolate *isolate, uint32_t level, const char *text, size_t len, void *data)
{
    (void)isolate;
    (void)level;
    (void)text;
    (void)len;
    ++*(int *)data;
}

CleanTest(fork, refuses_what_it_cannot_do)
{
    gbx_isolate_options isolate_options = GBX_ISOLATE_OPTIONS_INIT;
    gbx_fork_options options = GBX_FORK_OPTIONS_INIT;
    struct world w = world_open(NULL);
    char name[65];

    options.flags = 1;
    refuse_fork(w.isolate, &options, GBX_EUNSUPPORTED);
    options = (gbx_fork_options)GBX_FORK_OPTIONS_INIT;
    options.size = 4;
    refuse_fork(w.isolate, &options, GBX_EINVAL);
    options = (gbx_fork_options)GBX_FORK_OPTIONS_INIT;
    options.on_console = print_nothing;
    refuse_fork(w.isolate, &options, GBX_EINVAL);
    options = (gbx_fork_options)GBX_FORK_OPTIONS_INIT;
    memset(name, 'n', sizeof name);
    name[64] = '\0';
    options.name = name;
    refuse_fork(w.isolate, &options, GBX_EINVAL);
    isolate_options.flags = GBX_ISOLATE_NO_FORK;
    gbx_isolate *sterile = world_isolate(&w, &isolate_options);
    refuse_fork(sterile, NULL, GBX_EUNSUPPORTED);
    gbx_isolate_close(sterile);
    cr_assert_eq(kill((pid_t)pid_of(w.isolate), SIGKILL), 0);
    expect_failure(w.context, "1", GBX_ECRASHED, NULL);
    refuse_fork(w.isolate, NULL, GBX_ECRASHED);
    world_close(&w);
}

CleanTest(fork, prints_to_its_own_callback)
{
    gbx_isolate_options isolate_options = GBX_ISOLATE_OPTIONS_INIT;
    gbx_fork_options options = GBX_FORK_OPTIONS_INIT;
    int original = 0, forks = 0;

    isolate_options.on_console = print_nothing;
    isolate_options.data = &original;
    struct world w = world_open(&isolate_options);
    options.data = &forks;
    gbx_isolate *fork = fork_of(w.isolate, &options);
    eval_only(gbx_isolate_context(fork), "console.log(1); console.log(2)");
    eval_only(w.context, "console.log(3)");
    cr_assert_eq(forks, 2);
    cr_assert_eq(original, 1);
    gbx_isolate_close(fork);
    world_close(&w);
}

/* --- limits --------------------------------------------------------------------------------- */

/* The watchdog is a thread of the fork's own, and so is the clock that it looks at. */
CleanTest(fork, is_limited_as_its_original_is)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;

    options.memory_limit_bytes = 32 << 20;
    struct world w = world_open(&options);
    eval_only(
        w.context, "let n = 0; while (n < 1e7) n++;"); /* CPU time that is not the fork's */
    gbx_isolate *first = fork_of(w.isolate, NULL);
    gbx_isolate *fork = fork_of(first, NULL);
    gbx_context *context = gbx_isolate_context(fork);
    settle(start_limited(context, "for (;;);", 50000, 0), GBX_ETIMEOUT);
    settle(start_limited(context, "for (;;);", 0, 50000), GBX_ECPU);
    cr_assert_eq(settle_number(start_limited(
                     context, "let i = 0; while (i < 1e6) i++; i", 60000000, 30000000)),
        1e6);
    gbx_future *endless = start(context, "for (;;);", 0);
    gbx_isolate_terminate(fork);
    settle(endless, GBX_ETERMINATED);
    expect_failure(context, "const all = []; for (;;) all.push(new Array(1000).fill(n));",
        GBX_EMEMORY, NULL);
    cr_assert_eq(gbx_isolate_death(fork)->limit, 32u << 20);
    gbx_isolate_close(fork);
    cr_assert_eq(eval_number(gbx_isolate_context(first), "n"), 1e7);
    gbx_isolate_close(first);
    expect_usable(&w);
    world_close(&w);
}

CleanTest(fork, can_be_looked_into)
{
    struct world w = world_open(NULL);
    gbx_snapshot_options options = GBX_SNAPSHOT_OPTIONS_INIT;
    char path[128];

    eval_only(w.context, "globalThis.kept = Array.from({ length: 1000 }, (_, i) => ({ i }))");
    gbx_isolate *fork = fork_of(w.isolate, NULL);
    (void)snprintf(path, sizeof path, "%s/fork.heapsnapshot", scratch_directory());
    options.path = path;
    settle(gbx_heap_snapshot(fork, &options), GBX_OK);
    cr_assert_gt(snapshot_nodes(path), 1000);
    cr_assert_eq(eval_number(gbx_isolate_context(fork), "kept.length"), 1000);
    gbx_isolate_close(fork);
    world_close(&w);
}

/* --- ends ----------------------------------------------------------------------------------- */

static void
await_death(gbx_isolate *isolate, gbx_status status)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_status got = gbx_eval(gbx_isolate_context(isolate), "for (;;);", NULL, NULL, &error);

    cr_assert_eq(got, status, "status %d, %s", got, error.message);
    cr_assert_not_null(gbx_isolate_death(isolate));
    cr_assert_eq(gbx_isolate_death(isolate)->status, status);
}

CleanTest(fork, outlives_its_original_and_the_other_way_round)
{
    struct world w = world_open(NULL);

    eval_only(w.context, "let n = 42");
    gbx_isolate *first = fork_of(w.isolate, NULL), *second = fork_of(w.isolate, NULL);
    cr_assert_eq(kill((pid_t)pid_of(first), SIGKILL), 0);
    await_death(first, GBX_ECRASHED);
    cr_assert_eq(gbx_isolate_death(first)->signal, SIGKILL, "its template has told its end");
    cr_assert_eq(eval_number(w.context, "n"), 42);
    cr_assert_eq(kill((pid_t)pid_of(w.isolate), SIGKILL), 0);
    await_death(w.isolate, GBX_ECRASHED);
    cr_assert_eq(eval_number(gbx_isolate_context(second), "n"), 42);
    gbx_isolate *third = fork_of(second, NULL);
    gbx_isolate_close(second);
    cr_assert_eq(eval_number(gbx_isolate_context(third), "n"), 42);
    cr_assert_eq(kill((pid_t)pid_of(third), SIGSEGV), 0);
    await_death(third, GBX_ECRASHED);
    gbx_isolate_close(first);
    gbx_isolate_close(third);
    world_close(&w);
}

/* However soon: what is left of a cell is killed at its end, and a twin begins as a part of it. */
CleanTest(fork, outlives_an_original_that_ends_at_once)
{
    struct world w = world_open(NULL);

    eval_only(w.context, "let n = 0");
    for (int i = 0; i < 100; i++) {
        gbx_isolate *fork = fork_of(w.isolate, NULL);
        gbx_isolate_close(w.isolate);
        w.isolate = fork;
        cr_assert_eq(eval_number(gbx_isolate_context(fork), "++n"), i + 1);
    }
    world_close(&w);
}

CleanTest(fork, ends_with_its_zygote)
{
    struct world w = world_open(NULL);
    gbx_isolate *fork = fork_of(w.isolate, NULL);

    cr_assert_eq(kill(process_named("gbx-zygote", 0), SIGKILL), 0);
    await_death(fork, GBX_ELOST);
    await_death(w.isolate, GBX_ELOST);
    refuse_fork(fork, NULL, GBX_ELOST);
    gbx_isolate_close(fork);
    gbx_isolate_close(w.isolate);
    w.isolate = world_isolate(&w, NULL);
    w.context = gbx_isolate_context(w.isolate);
    gbx_isolate_close(fork_of(w.isolate, NULL));
    world_close(&w);
}

/* Whatever is killed whenever: there is a fork that works, or an error that says why not. */
static void
kill_in_the_middle(const char *name, unsigned delay_us)
{
    struct world w = world_open(NULL);
    gbx_error error = GBX_ERROR_INIT;
    gbx_isolate *made = NULL;
    pid_t target = process_named(name, 10000), killer;

    cr_assert_gt(target, 0);
    if ((killer = fork()) == 0) {
        (void)usleep(delay_us);
        (void)kill(target, SIGKILL);
        _exit(0);
    }
    for (int i = 0; i < 20; i++) {
        gbx_status status = gbx_isolate_fork(w.isolate, NULL, &made, &error);
        if (status == GBX_OK) {
            gbx_isolate_close(made);
            continue;
        }
        cr_assert(status == GBX_ELOST || status == GBX_ECRASHED, "%s: status %d, %s", name,
            status, error.message);
        break;
    }
    (void)waitpid(killer, NULL, 0);
    world_close(&w);
}

CleanTest(fork, survives_any_death_in_the_middle)
{
    static const char *const names[] = { "gbx-cell", "gbx-template", "gbx-zygote" };

    for (unsigned i = 0; i < 30; i++)
        kill_in_the_middle(names[i % 3], 300 * (i / 3));
}

CleanTest(fork, a_thousand_times_leaves_nothing)
{
    struct world w = world_open(NULL);
    gbx_isolate *forks[10];
    size_t descriptors = descriptors_open();

    eval_only(w.context, "let n = 0");
    for (int i = 0; i < 100; i++) {
        for (int k = 0; k < 10; k++)
            forks[k] = fork_of(k == 9 ? forks[8] : w.isolate, NULL);
        cr_assert_eq(eval_number(gbx_isolate_context(forks[9]), "++n"), 1);
        for (int k = 0; k < 10; k++)
            gbx_isolate_close(forks[k]);
        cr_assert_eq(descriptors_open(), descriptors);
    }
    expect_usable(&w);
    world_close(&w);
}
