/* Limits: whose time and whose memory it is, what a death certificate says, terminations. What ends
 * how at all is in deaths_table.c. */
#include "support.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#define MIB (1u << 20)

static double
seconds_now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static pid_t
pid_of(gbx_isolate *isolate)
{
    gbx_usage usage = GBX_USAGE_INIT;

    cr_assert_eq(gbx_isolate_usage(isolate, &usage), GBX_OK);
    return (pid_t)usage.pid;
}

static struct world
world_of(uint64_t memory_bytes)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;

    options.memory_limit_bytes = memory_bytes;
    return world_open(&options);
}

static gbx_future *
start_call(gbx_context *context, const char *source, uint32_t flags, uint64_t timeout_us,
    uint64_t cpu_us)
{
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;

    options.flags = flags;
    options.timeout_us = timeout_us;
    options.cpu_us = cpu_us;
    return gbx_context_eval(context, source, strlen(source), &options);
}

static gbx_status
nothing(gbx_callback *callback, void *data)
{
    (void)callback;
    (void)data;
    return GBX_OK;
}

static gbx_status
keeps(gbx_callback *callback, void *data)
{
    return gbx_callback_defer(callback, (gbx_deferred **)data);
}

/* It goes on for so long, and is not finished. */
static void
expect_busy(gbx_future *future, int64_t ms)
{
    cr_assert_eq(gbx_future_wait(future, ms * 1000, NULL), GBX_EBUSY);
}

/* --- whose time it is ------------------------------------------------------------------------ */

#define BUSY_MS(ms) "{ const end = Date.now() + " #ms "; while (Date.now() < end); }"

/* A call that waits has a budget, the one that runs meanwhile has another, or none. */
CleanTest(budget, is_not_spent_by_other_calls)
{
    struct world w = world_open(NULL);

    gbx_future *waits = start_call(w.context, "new Promise(() => {})", GBX_AWAIT, 0, 20000);
    settle(start_call(w.context, BUSY_MS(400) " 1", 0, 0, 0), GBX_OK);
    settle(start_call(w.context, BUSY_MS(400) " 1", 0, 0, 2000000), GBX_OK);
    expect_usable(&w);
    cr_assert_eq(gbx_future_status(waits, NULL), GBX_EBUSY);
    gbx_future_free(waits);
    settle(start_call(w.context, "for (;;) {}", 0, 0, 50000), GBX_ECPU);
    expect_usable(&w);
    world_close(&w);
}

CleanTest(deadline, belongs_to_all_that_follows_from_a_call)
{
    struct world w = world_open(NULL);
    gbx_deferred *deferred = NULL;

    give(w.context, "later", keeps, &deferred);
    gbx_future *future =
        start_call(w.context, "later().then(() => { went = 1; for (;;) {} }); 7", 0, 500000, 0);
    cr_assert_eq(settle_number(future), 7);
    /* The call has been answered; what it left behind still has its deadline, and no more. */
    cr_assert_eq(gbx_deferred_resolve(deferred, NULL), GBX_OK);
    cr_assert_eq(eval_number(w.context, "went"), 1);
    expect_usable(&w);
    world_close(&w);
}

CleanTest(deadline, ends_a_call_that_waits_while_nothing_runs)
{
    struct world w = world_open(NULL);
    gbx_deferred *deferred = NULL;
    gbx_error error = GBX_ERROR_INIT;

    give(w.context, "later", keeps, &deferred);
    gbx_future *future = start_call(
        w.context, "(async () => { await later(); ran = 1 })()", GBX_AWAIT, 50000, 0);
    cr_assert_eq(gbx_future_wait(future, -1, &error), GBX_ETIMEOUT);
    cr_assert_eq(error.limit, 50000);
    gbx_future_free(future);
    /* It is over: what comes too late runs nothing. */
    cr_assert_eq(gbx_deferred_resolve(deferred, NULL), GBX_OK);
    expect_text(w.context, "typeof ran", "undefined");
    world_close(&w);
}

/* Until the cell has said something. */
static void
await_word(gbx_isolate *isolate, gbx_runtime *runtime)
{
    gbx_usage before = GBX_USAGE_INIT, now = GBX_USAGE_INIT;

    cr_assert_eq(gbx_isolate_usage(isolate, &before), GBX_OK);
    do {
        (void)gbx_runtime_dispatch(runtime, 1000);
        cr_assert_eq(gbx_isolate_usage(isolate, &now), GBX_OK);
    } while (now.received_bytes == before.received_bytes);
}

/* A server's `main` waits for ever; that is no excuse for a cell that does nothing any more. */
CleanTest(deadline, holds_beside_a_call_without_one)
{
    for (int i = 0; i < 2; i++) {
        struct world w = world_open(NULL);
        expect_usable(&w);
        gbx_future *forever = start_call(w.context, "new Promise(() => {})", GBX_AWAIT, 0, 0);
        if (i == 0)
            await_word(
                w.isolate, w.runtime); /* that it waits; else it would be its turn still */
        else
            expect_usable(&w);
        expect_busy(forever, 20);
        cr_assert_eq(kill(pid_of(w.isolate), SIGSTOP), 0);
        settle(start_call(w.context, "1", 0, 50000, 0), GBX_ETIMEOUT);
        settle(forever, GBX_ETIMEOUT);
        world_close(&w);
    }
}

/* Nor has a call any reason to pay for that one's going on. */
CleanTest(deadline, counts_from_the_calls_turn)
{
    struct world w = world_open(NULL);
    gbx_deferred *deferred = NULL;

    give(w.context, "later", keeps, &deferred);
    gbx_future *server = start_call(w.context,
        "(async () => { await later(); " BUSY_MS(1500) " return 5 })()", GBX_AWAIT, 0, 0);
    expect_usable(&w);
    cr_assert_eq(gbx_deferred_resolve(deferred, NULL), GBX_OK);
    settle(start_call(w.context, "1", 0, 1000000, 0), GBX_OK);
    cr_assert_eq(settle_number(server), 5);
    expect_usable(&w);
    world_close(&w);
}

/* How far past its deadline a loop runs, and a builtin that has to be ended with its process. */
CleanTest(deadline, is_met)
{
    static const char *const sources[] = { "for (;;) {}",
        "Array.prototype.includes.call({ length: 2 ** 53 - 1 }, 1)" };
    double worst[2] = { 0, 0 }, sum[2] = { 0, 0 };
    enum {
        TIMES = 20
    };

    for (int i = 0; i < 2; i++) {
        struct world w = world_open(NULL);
        for (int n = 0; n < (i == 0 ? TIMES : 1); n++) {
            double begun = seconds_now();
            settle(start_call(w.context, sources[i], 0, 50000, 0), GBX_ETIMEOUT);
            double over = (seconds_now() - begun - 0.05) * 1e3;
            cr_assert_geq(over, 0);
            worst[i] = over > worst[i] ? over : worst[i];
            sum[i] += over;
        }
        world_close(&w);
    }
    (void)fprintf(stderr,
        "past a deadline of 50 ms: a loop %.2f ms (worst of %d: %.2f ms), a builtin that looks "
        "at "
        "nothing %.1f ms\n",
        sum[0] / TIMES, TIMES, worst[0], worst[1]);
}

/* --- terminations ---------------------------------------------------------------------------- */

struct terminator {
    gbx_isolate *isolate;
    _Atomic bool stop;
    _Atomic unsigned count;
    unsigned pause_us;
};

static void *
terminates(void *data)
{
    struct terminator *t = data;

    while (!atomic_load(&t->stop)) {
        (void)nanosleep(&(struct timespec){ .tv_nsec = (long)t->pause_us * 1000 }, NULL);
        gbx_isolate_terminate(t->isolate);
        atomic_fetch_add(&t->count, 1);
    }
    return NULL;
}

CleanTest(termination, from_another_thread_leaves_the_isolate_usable)
{
    struct world w = world_open(NULL);

    for (int i = 0; i < 30; i++) {
        struct terminator t = { .isolate = w.isolate, .pause_us = (unsigned)i * 300 };
        pthread_t thread;
        gbx_future *future = start(w.context,
            i % 2 == 0 ? "for (;;) {}" : "new Promise(() => {})", i % 2 == 0 ? 0 : GBX_AWAIT);
        cr_assert_eq(pthread_create(&thread, NULL, terminates, &t), 0);
        settle(future, GBX_ETERMINATED);
        atomic_store(&t.stop, true);
        cr_assert_eq(pthread_join(thread, NULL), 0);
        expect_usable(&w);
    }
    world_close(&w);
}

static gbx_isolate *signalled;

static void
on_alarm(int signal)
{
    (void)signal;
    gbx_isolate_terminate(signalled);
}

CleanTest(termination, from_a_signal_handler_leaves_the_isolate_usable)
{
    struct world w = world_open(NULL);
    struct sigaction action = { .sa_handler = on_alarm };

    signalled = w.isolate;
    cr_assert_eq(sigaction(SIGALRM, &action, NULL), 0);
    for (int i = 0; i < 20; i++) {
        struct itimerval timer = { .it_value = { .tv_usec = 2000 + i * 500 } };
        gbx_future *future = start(w.context, "for (;;) {}", 0);
        cr_assert_eq(setitimer(ITIMER_REAL, &timer, NULL), 0);
        settle(future, GBX_ETERMINATED);
        expect_usable(&w);
    }
    world_close(&w);
}

CleanTest(termination, of_nothing_does_nothing_later)
{
    struct world w = world_open(NULL);

    for (int i = 0; i < 300; i++) {
        gbx_isolate_terminate(w.isolate);
        if (i % 3 == 0)
            sleep_ms(1);
        expect_usable(&w);
    }
    world_close(&w);
}

/* Nobody can know from another thread whether the isolate still lives. */
CleanTest(termination, may_meet_a_death)
{
    struct world w = world_open(NULL);

    for (int i = 0; i < 30; i++) {
        struct terminator t = { .isolate = w.isolate };
        pthread_t thread;
        cr_assert_eq(pthread_create(&thread, NULL, terminates, &t), 0);
        while (atomic_load(&t.count) < 10)
            sleep_ms(0);
        cr_assert_eq(kill(pid_of(w.isolate), SIGKILL), 0);
        bool lives = true;
        while (lives) {
            gbx_future *future = start(w.context, "1", 0);
            gbx_status status = gbx_future_wait(future, -1, NULL);
            lives = status == GBX_OK || status == GBX_ETERMINATED;
            gbx_future_free(future);
        }
        cr_assert_eq(gbx_isolate_death(w.isolate)->signal, SIGKILL);
        atomic_store(&t.stop, true);
        cr_assert_eq(pthread_join(thread, NULL), 0);
        gbx_isolate_close(w.isolate);
        w.isolate = world_isolate(&w, NULL);
        w.context = gbx_isolate_context(w.isolate);
    }
    world_close(&w);
}

/* Whoever terminates means it, also when nobody is there to hear. */
CleanTest(termination, of_a_cell_that_stands_still_kills_it)
{
    struct world w = world_open(NULL);
    gbx_future *future = start(w.context, "for (;;) {}", 0);

    expect_busy(future, 20);
    cr_assert_eq(kill(pid_of(w.isolate), SIGSTOP), 0);
    gbx_isolate_terminate(w.isolate);
    settle(future, GBX_ETERMINATED);
    cr_assert_eq(gbx_isolate_death(w.isolate)->status, GBX_ETERMINATED);
    world_close(&w);
}

CleanTest(termination, from_another_thread_wakes_a_host_that_waits)
{
    struct world w = world_open(NULL);
    struct terminator t = { .isolate = w.isolate, .pause_us = 100000 };
    pthread_t thread;
    gbx_future *future = start(w.context, "for (;;) {}", 0);

    expect_busy(future, 20);
    cr_assert_eq(kill(pid_of(w.isolate), SIGSTOP), 0);
    cr_assert_eq(pthread_create(&thread, NULL, terminates, &t), 0);
    while (gbx_future_status(future, NULL) == GBX_EBUSY)
        cr_assert_eq(gbx_runtime_dispatch(w.runtime, -1), GBX_OK);
    settle(future, GBX_ETERMINATED);
    atomic_store(&t.stop, true);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    world_close(&w);
}

/* --- certificates ---------------------------------------------------------------------------- */

static void
note_death(gbx_isolate *isolate, void *data)
{
    cr_assert_not_null(gbx_isolate_death(isolate));
    ++*(int *)data;
}

CleanTest(certificate, of_memory_tells_all)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    gbx_error error = GBX_ERROR_INIT;
    int deaths = 0;

    options.memory_limit_bytes = 32 * MIB;
    options.on_death = note_death;
    options.data = &deaths;
    struct world w = world_open(&options);
    give(w.context, "log", nothing, NULL);
    expect_failure(w.context,
        "function grow() { let a = []; for (;;) a.push({ x: a.length + 0.5 }) }\nlog(); grow()",
        GBX_EMEMORY, &error);
    const gbx_death *death = gbx_isolate_death(w.isolate);
    cr_assert_not_null(death);
    cr_assert_eq(deaths, 1);
    cr_assert_eq(death->size, sizeof *death);
    cr_assert_eq(death->status, GBX_EMEMORY);
    cr_assert_eq(death->cause, GBX_MEMORY_HEAP);
    cr_assert_eq(death->limit, 32 * MIB);
    cr_assert(death->measured > 24 * MIB && death->measured < 48 * MIB, "measured %llu",
        (unsigned long long)death->measured);
    cr_assert_eq(death->signal, 0);
    cr_assert_geq(death->exit_code, 0);
    cr_assert_not_null(strstr(death->stack, "grow"), "stack: %s", death->stack);
    cr_assert_gt(death->cpu_us, 1000);
    cr_assert_gt(death->resident_bytes, 32 * MIB);
    cr_assert_lt(death->resident_bytes, 512 * MIB);
    cr_assert_gt(death->lived_us, 1000);
    cr_assert_str_eq(death->last_function, "log");
    cr_assert_str_eq(error.message, death->message);
    cr_assert_eq(error.limit, death->limit);
    cr_assert_eq(error.measured, death->measured);
    cr_assert_not_null(strstr(error.stack, "grow"));
    world_close(&w);
}

CleanTest(certificate, tells_heap_and_buffers_apart)
{
    struct world w = world_of(32 * MIB);

    /* Neither alone is too much. */
    expect_failure(w.context,
        "let b = new ArrayBuffer(20e6), a = []; for (;;) a.push({ x: a.length + 0.5 })",
        GBX_EMEMORY, NULL);
    const gbx_death *death = gbx_isolate_death(w.isolate);
    cr_assert_eq(death->cause, GBX_MEMORY_EXTERNAL, "%s", death->message);
    cr_assert_geq(death->measured, death->limit);
    world_close(&w);
}

CleanTest(certificate, of_a_deadline_tells_where_the_guest_was)
{
    struct world w = world_open(NULL);
    gbx_error error = GBX_ERROR_INIT;
    gbx_future *future =
        start_call(w.context, "function spin() { for (;;) {} }\nspin()", 0, 50000, 0);

    cr_assert_eq(gbx_future_wait(future, -1, &error), GBX_ETIMEOUT);
    cr_assert_not_null(strstr(error.stack, "spin"), "stack: %s", error.stack);
    cr_assert_eq(error.limit, 50000);
    gbx_future_free(future);
    future = start_call(w.context, "spin()", 0, 0, 30000);
    cr_assert_eq(gbx_future_wait(future, -1, &error), GBX_ECPU);
    cr_assert_not_null(strstr(error.stack, "spin"));
    cr_assert_eq(error.limit, 30000);
    gbx_future_free(future);
    expect_usable(&w);
    /* And of a process that had to be ended. */
    settle(start_call(w.context, "Array.prototype.includes.call({ length: 2 ** 53 - 1 }, 1)", 0,
               40000, 0),
        GBX_ETIMEOUT);
    const gbx_death *death = gbx_isolate_death(w.isolate);
    cr_assert_eq(death->status, GBX_ETIMEOUT);
    cr_assert_eq(death->limit, 40000);
    cr_assert_gt(death->cpu_us, 100000);
    world_close(&w);
}

/* --- memory ---------------------------------------------------------------------------------- */

/* What fits lives, and what does not dies, within a tenth of the limit. */
CleanTest(memory, limit_is_exact)
{
    struct world w = world_of(64 * MIB);

    eval_only(w.context,
        "let a = []; for (let i = 0; i < 7000; i++) a.push(new Array(1000).fill(1.5))");
    expect_usable(&w);
    expect_failure(w.context,
        "for (let i = 0; i < 2000; i++) a.push(new Array(1000).fill(1.5))", GBX_EMEMORY, NULL);
    world_close(&w);
}

CleanTest(memory, of_refused_buffers_is_not_lost)
{
    struct world w = world_of(64 * MIB);

    for (int i = 0; i < 20; i++) {
        expect_failure(w.context, "{ let a = []; for (;;) a.push(new ArrayBuffer(1e6)) }",
            GBX_ETHROW, NULL);
        cr_assert_eq(eval_number(w.context, "new ArrayBuffer(4e7).byteLength"), 4e7);
    }
    expect_usable(&w);
    world_close(&w);
}

/* What the host sends counts like what the guest makes. */
CleanTest(memory, of_what_the_host_sends_is_the_guests)
{
    struct world w = world_of(32 * MIB);
    char *text = malloc(100 * MIB);

    cr_assert_not_null(text);
    memset(text, 'x', 100 * MIB);
    gbx_value *value = gbx_value_new_string(text, 100 * MIB);
    cr_assert_not_null(value);
    gbx_future *future = gbx_context_set(w.context, "text", value);
    gbx_error error = GBX_ERROR_INIT;
    cr_assert_eq(gbx_future_wait(future, -1, &error), GBX_EMEMORY, "%d: %s", error.status,
        error.message);
    gbx_future_free(future);
    gbx_value_free(value);
    free(text);
    world_close(&w);
}

CleanTest(memory, stack_limit_is_the_callers)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    double deepest[2];

    for (int i = 0; i < 2; i++) {
        options.stack_limit_bytes = i == 0 ? 128 << 10 : 2 << 20;
        struct world w = world_open(&options);
        deepest[i] = eval_number(
            w.context, "let n = 0; try { (function f() { n++; f() })() } catch {} n");
        expect_usable(&w);
        world_close(&w);
    }
    cr_assert_gt(deepest[1], 8 * deepest[0], "%g and %g", deepest[0], deepest[1]);
}
