/* bench_inspector.c - what a session of the inspector costs the guest: ten compute kernels and a
 * short call, without one, with an idle one, with the debugger on, and under each profiler.
 *
 * Each state has an isolate of its own; they take turns, so that all see the same machine. */
#include "bench.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROUNDS = 5, /* turns; the medians of them are told */
    CALLS = 5000,
    LOGS = 2000, /* lines of console.log in a turn */
    KERNELS_MAX = 32
};

static const struct state {
    const char *name;
    const char *commands[3]; /* that a session sends; a first NULL: it only stays open */
    bool session;
    uint32_t flags;
} states[] = {
    { "no session", { NULL }, false, 0 },
    { "idle session", { NULL }, true, 0 },
    { "Runtime enabled", { "Runtime.enable" }, true, 0 },
    { "Debugger enabled", { "Runtime.enable", "Debugger.enable" }, true, 0 },
    { "CPU profiler on", { "Profiler.enable", "Profiler.start" }, true, GBX_ISOLATE_PROFILING },
    { "heap sampling on", { "HeapProfiler.enable", "HeapProfiler.startSampling" }, true, 0 },
};
enum {
    STATES = sizeof states / sizeof states[0]
};

struct subject {
    gbx_isolate *isolate;
    gbx_inspector *session;
    gbx_reference *ping, *log;
    bool answered;
    double call_us[ROUNDS], log_us[ROUNDS];
    double kernel_ms[KERNELS_MAX][ROUNDS];
};

static void
hear(gbx_inspector *session, const char *json, size_t len, void *data)
{
    struct subject *s = data;

    (void)session;
    s->answered = s->answered || (len > 6 && memcmp(json, "{\"id\":", 6) == 0);
}

static void
send(gbx_runtime *runtime, struct subject *s, const char *method)
{
    char json[128];

    s->answered = false;
    int len = snprintf(json, sizeof json, "{\"id\":1,\"method\":\"%s\"}", method);
    must(gbx_inspector_send(s->session, json, (size_t)len), NULL, method);
    while (!s->answered)
        must(gbx_runtime_dispatch(runtime, 1000000), NULL, method);
}

static void
set_up(gbx_runtime *runtime, struct subject *s, const struct state *state, const char *source)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;

    options.memory_limit_bytes = (uint64_t)1 << 30;
    options.flags = state->flags;
    must(gbx_isolate_open(runtime, &options, &s->isolate, &error), &error, "isolate");
    bench_run(s->isolate, source);
    bench_run(s->isolate,
        "function ping(a, b) { return a + b; }"
        "function log() { for (let i = 0; i < 2000; i++) console.log('line', i, { i }); }");
    s->ping = bench_function(s->isolate, "ping");
    s->log = bench_function(s->isolate, "log");
    if (!state->session)
        return;
    must(gbx_inspector_open(s->isolate, hear, s, &s->session, &error), &error, "session");
    for (size_t i = 0; i < 3 && state->commands[i] != NULL; i++)
        send(runtime, s, state->commands[i]);
}

static void
call(gbx_reference *function)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_future *future = gbx_reference_call(function, NULL, NULL, 0, NULL);

    must(gbx_future_wait(future, -1, &error), &error, "call");
    gbx_future_free(future);
}

/* Returns how many kernels there are. */
static size_t
turn(struct subject *s, int round)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_value *rows = NULL;

    uint64_t start = now_ns();
    for (int i = 0; i < CALLS; i++)
        call(s->ping);
    s->call_us[round] = (double)(now_ns() - start) / 1e3 / CALLS;
    start = now_ns();
    call(s->log);
    s->log_us[round] = (double)(now_ns() - start) / 1e3 / LOGS;
    must(gbx_eval(gbx_isolate_context(s->isolate),
             "Object.values(kernels).map(k => { const t = Date.now(); k(); return Date.now() - "
             "t; })",
             NULL, &rows, &error),
        &error, "kernels");
    size_t count = gbx_value_length(rows);
    for (size_t i = 0; i < count && i < KERNELS_MAX; i++)
        must(gbx_value_get_number(gbx_value_at(rows, i), &s->kernel_ms[i][round]), NULL, "ms");
    gbx_value_free(rows);
    return count;
}

static void
tell(struct subject *subjects, size_t kernels)
{
    double bare[KERNELS_MAX], ratios[KERNELS_MAX];
    char name[80], how[96];

    for (size_t i = 0; i < STATES; i++) {
        struct subject *s = &subjects[i];
        double worst = 0;
        for (size_t k = 0; k < kernels; k++) {
            double ms = median(s->kernel_ms[k], ROUNDS);
            if (i == 0)
                bare[k] = ms;
            ratios[k] = ms / bare[k];
            worst = ratios[k] > worst ? ratios[k] : worst;
        }
        (void)snprintf(name, sizeof name, "kernels, %s", states[i].name);
        (void)snprintf(how, sizeof how, "to no session: median of %zu kernels; the worst %.2f",
            kernels, worst);
        report(name, median(ratios, kernels), "ratio", how);
        (void)snprintf(name, sizeof name, "short call, %s", states[i].name);
        report(name, median(s->call_us, ROUNDS), "us", "median of 5 turns of 5,000");
        (void)snprintf(name, sizeof name, "console.log of an object, %s", states[i].name);
        report(name, median(s->log_us, ROUNDS), "us", "median of 5 turns of 2,000");
    }
}

int
main(void)
{
    static struct subject subjects[STATES];
    gbx_runtime *runtime = bench_runtime(GBX_POOL_NONE);
    char *source = bench_read(BENCH_KERNELS);
    size_t kernels = 0;

    for (size_t i = 0; i < STATES; i++)
        set_up(runtime, &subjects[i], &states[i], source);
    for (int round = -1; round < ROUNDS;
         round++) /* the first, which warms up, is written over */
        for (size_t i = 0; i < STATES; i++)
            kernels = turn(&subjects[i], round < 0 ? 0 : round);
    tell(subjects, kernels < KERNELS_MAX ? kernels : KERNELS_MAX);
    for (size_t i = 0; i < STATES; i++) {
        gbx_inspector_close(subjects[i].session);
        gbx_reference_close(subjects[i].ping);
        gbx_reference_close(subjects[i].log);
        gbx_isolate_close(subjects[i].isolate);
    }
    gbx_runtime_close(runtime);
    free(source);
    return 0;
}
