/* attacks_resources.c - attacks on resources that take more than a source text: floods of calls,
 * what goes on after its call, limits that are met again and again. The rest of 3.R is in
 * deaths_attacks.c.
 *
 * Speaks TAP. With an argument only the tests whose name holds it; the slow ones if the environment
 * has ATTACKS_ALL.
 */
#include "attack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MIB (1u << 20)

static void
sleep_ms(long ms)
{
    struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

    while (nanosleep(&t, &t) != 0)
        ;
}

static gbx_future *
start(
    gbx_isolate *isolate, const char *source, uint32_t flags, uint64_t wall_us, uint64_t cpu_us)
{
    gbx_call_options call = GBX_CALL_OPTIONS_INIT;

    call.flags = flags;
    call.timeout_us = wall_us;
    call.cpu_us = cpu_us;
    return gbx_context_eval(gbx_isolate_context(isolate), source, strlen(source), &call);
}

/* Expects that a call ends so, and frees its future. */
static void
ends(gbx_future *future, gbx_status status, struct attack_report *report)
{
    gbx_status got = attack_settled(future, report);

    if (got != status)
        attack_wrong(report, "ended with %s (%s), not %s", attack_status(got),
            report->error.message, attack_status(status));
    gbx_future_free(future);
}

static void
usable(gbx_isolate *isolate, struct attack_report *report)
{
    const gbx_death *death = gbx_isolate_death(isolate);

    if (death != NULL)
        attack_wrong(report, "it died: %s, %s", attack_status(death->status), death->message);
    else if (!attack_answers(isolate))
        attack_wrong(report, "it is not usable");
}

static gbx_isolate *
open_limited(uint64_t memory_bytes, struct attack_report *report)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;

    options.memory_limit_bytes = memory_bytes;
    return attack_open(&options, report);
}

static uint64_t
cpu_of(gbx_isolate *isolate)
{
    gbx_usage usage = GBX_USAGE_INIT;

    (void)gbx_isolate_usage(isolate, &usage);
    return usage.cpu_us;
}

/* --- what goes on after its call ------------------------------------------------------------ */

/* The call has been answered, and nobody asks for anything: then nothing runs for long. */
static void
comes_to_rest(const char *source, struct attack_report *report)
{
    gbx_isolate *isolate = open_limited(ATTACK_MEMORY, report);

    if (isolate == NULL)
        return;
    ends(start(isolate, source, 0, 5000000, 500000), GBX_OK, report);
    uint64_t began = cpu_of(isolate), before = began, after;
    for (;;) {
        for (int i = 0; i < 10; i++)
            (void)gbx_runtime_dispatch(attack_runtime(), 30000), sleep_ms(30);
        after = cpu_of(isolate);
        if (gbx_isolate_death(isolate) != NULL || after - before < 30000 ||
            after - began > 4000000)
            break;
        before = after;
    }
    if (gbx_isolate_death(isolate) == NULL && after - began > 4000000)
        attack_wrong(
            report, "it runs on: %llu ms so far", (unsigned long long)(after - began) / 1000);
    if (gbx_isolate_death(isolate) ==
        NULL) /* the end of a finalizer may be that of its process */
        usable(isolate, report);
    attack_close(isolate, 0, report);
}

static void
timers_of_wait_async(struct attack_report *report)
{
    comes_to_rest("const w = new Int32Array(new SharedArrayBuffer(4));"
                  "(function f() { for (let i = 0; i < 1e6; i++);"
                  "  Atomics.waitAsync(w, 0, 0, 1).value.then(f) })(); 0",
        report);
}

/* The end of a finalizer is no licence for what it left behind. */
static void
finalizers_with_microtasks(struct attack_report *report)
{
    gbx_isolate *isolate = open_limited(ATTACK_MEMORY, report);

    if (isolate == NULL)
        return;
    ends(
        start(isolate,
            "globalThis.went = 0; globalThis.r = new FinalizationRegistry(() => {"
            "  Promise.resolve().then(function again() { went++; Promise.resolve().then(again) "
            "});"
            "  for (;;) {} });"
            "for (let i = 0; i < 3; i++) r.register({}, i); 0",
            0, 0, 0),
        GBX_OK, report);
    for (int i = 0; i < 3; i++)
        ends(gbx_isolate_collect(isolate), GBX_OK, report);
    ends(start(isolate, "if (went) throw new Error(went)", 0, 0, 0), GBX_OK, report);
    usable(isolate, report);
    attack_close(isolate, 0, report);
}

static void
finalizers_that_make_garbage(struct attack_report *report)
{
    comes_to_rest("globalThis.r = new FinalizationRegistry(f);"
                  "function f() { for (let i = 0; i < 2; i++) r.register({}, 0);"
                  "  for (let i = 0; i < 3e5; i++) new Array(10) }"
                  "f(); f(); 0",
        report);
}

/* --- promises of the host ------------------------------------------------------------------- */

/* A call that was stopped leaves promises behind. When they have been settled, there is room for as
 * many again. */
static void
promises_of_stopped_calls(struct attack_report *report)
{
    gbx_isolate *isolate = open_limited(ATTACK_MEMORY, report);

    for (int round = 0; isolate != NULL && round < 2; round++) {
        gbx_future *future = start(isolate,
            "(async () => { for (let i = 0; i < 40000; i++) pending();"
            "  await new Promise(() => {}) })()",
            GBX_AWAIT, 0, 0);
        while (attack_kept() < 40000 && gbx_future_wait(future, 10000, NULL) == GBX_EBUSY)
            ;
        gbx_isolate_terminate(isolate);
        ends(future, GBX_ETERMINATED, report);
        attack_settle_kept();
        usable(isolate, report);
    }
    /* Each settlement is a future until the cell has answered it. */
    attack_close(isolate, 40000 * 128, report);
}

/* --- floods --------------------------------------------------------------------------------- */

static void
count_line(gbx_isolate *isolate, uint32_t level, const char *text, size_t len, void *data)
{
    (void)isolate;
    (void)level;
    (void)text;
    *(size_t *)data += len > 0;
}

static void
console_with_a_listener(struct attack_report *report)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    size_t lines = 0;

    options.memory_limit_bytes = ATTACK_MEMORY;
    options.on_console = count_line;
    options.data = &lines;
    gbx_isolate *isolate = attack_open(&options, report);
    if (isolate == NULL)
        return;
    ends(
        start(isolate,
            "for (let i = 0; i < 20000; i++) console.log('x'.repeat(1000), { get a() { throw 1 "
            "} });"
            "for (let i = 0; i < 20; i++) console.log('x'.repeat(1e7), ['y'.repeat(1e7)]); 0",
            0, 0, 0),
        GBX_OK, report);
    if (lines != 20020)
        attack_wrong(report, "%zu lines", lines);
    usable(isolate, report);
    attack_close(isolate, 0, report);
}

/* Nobody wants the answers. */
static void
results_that_nobody_takes(struct attack_report *report)
{
    gbx_isolate *isolate = open_limited(ATTACK_MEMORY, report);

    if (isolate == NULL)
        return;
    for (int i = 0; i < 1000; i++)
        gbx_future_free(start(isolate, "'x'.repeat(2e5)", 0, 0, 0));
    ends(start(isolate, "0", 0, 0, 0), GBX_OK, report);
    for (int i = 0; i < 1000; i++)
        gbx_future_free(start(isolate, "throw 'x'.repeat(2e5)", 0, 0, 0));
    usable(isolate, report);
    attack_close(isolate, 0, report);
}

static void
references_in_great_numbers(struct attack_report *report)
{
    enum {
        COUNT = 20000
    };
    static gbx_future *futures[COUNT];
    static gbx_reference *references[COUNT];
    gbx_call_options call = GBX_CALL_OPTIONS_INIT;
    gbx_isolate *isolate = open_limited(ATTACK_MEMORY, report);

    if (isolate == NULL)
        return;
    call.flags = GBX_RESULT_REFERENCE;
    for (int i = 0; i < COUNT; i++)
        futures[i] = gbx_context_eval(gbx_isolate_context(isolate), "[]", 2, &call);
    for (int i = 0; i < COUNT; i++) {
        if (gbx_future_wait(futures[i], -1, &report->error) != GBX_OK)
            attack_wrong(report, "reference %d: %s", i, report->error.message);
        references[i] = gbx_future_take_reference(futures[i]);
        gbx_future_free(futures[i]);
    }
    for (int i = 0; i < COUNT; i++)
        gbx_reference_close(references[i]);
    usable(isolate, report);
    attack_close(isolate, 0, report);
}

/* Contexts are the guest's memory, though the host makes them. */
static void
contexts_up_to_the_limit(struct attack_report *report)
{
    static gbx_context *contexts[1024];
    gbx_isolate *isolate = open_limited(16 * MIB, report);
    size_t count = 0;

    if (isolate == NULL)
        return;
    while (count < 1024 && gbx_isolate_death(isolate) == NULL &&
           gbx_context_open(isolate, &contexts[count], NULL) == GBX_OK) {
        gbx_future *future = gbx_context_eval(contexts[count++], "0", 1, NULL);
        (void)attack_settled(future, report);
        gbx_future_free(future);
    }
    const gbx_death *death = gbx_isolate_death(isolate);
    if (death == NULL || death->status != GBX_EMEMORY)
        attack_wrong(report, "%zu contexts, and it ended with %s", count,
            death == NULL ? "nothing" : attack_status(death->status));
    while (count > 0)
        gbx_context_close(contexts[--count]);
    attack_close(isolate, 0, report);
}

static void
more_loops_than_processors(struct attack_report *report)
{
    enum {
        LOOPS = 6
    };
    gbx_isolate *isolates[LOOPS];
    gbx_future *futures[LOOPS];
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;

    options.memory_limit_bytes = ATTACK_MEMORY;
    isolates[0] = attack_open(&options, report);
    for (int i = 1; i < LOOPS; i++)
        if (gbx_isolate_open(attack_runtime(), &options, &isolates[i], &report->error) !=
            GBX_OK)
            attack_wrong(report, "no isolate: %s", report->error.message), isolates[i] = NULL;
    for (int i = 0; i < LOOPS; i++)
        futures[i] =
            isolates[i] == NULL ? NULL : start(isolates[i], "for (;;) {}", 0, 500000, 0);
    for (int i = 0; i < LOOPS; i++)
        if (futures[i] != NULL)
            ends(futures[i], GBX_ETIMEOUT, report);
    for (int i = 1; i < LOOPS; i++)
        gbx_isolate_close(isolates[i]);
    attack_close(isolates[0], 0, report);
}

/* --- at the limit --------------------------------------------------------------------------- */

static double marked;

static gbx_status
mark(gbx_callback *callback, void *data)
{
    (void)data;
    return gbx_value_get_number(gbx_callback_argument(callback, 0), &marked);
}

/* How much may live: what the limit says, give or take a tenth. */
static void
limit_is_what_it_says(struct attack_report *report)
{
    static const struct {
        const char *source;
        gbx_status status;
    } kinds[] = {
        { "let a = []; for (let i = 1;; i++) { a.push(new Array(1000).fill(1.5)); if (i % 16 "
          "== "
          "0) mark(i * 8016) }",
            GBX_EMEMORY },
        { "let a = []; for (let i = 1;; i++) { a.push({ a: i, b: i, c: [i, i, i, i] }); if (i "
          "% "
          "1000 == 0) mark(i * (24 + 3 * 8 + 32 + 16 + 4 * 8 + 8)) }",
            GBX_EMEMORY },
        { "let a = []; for (let i = 1;; i++) { a.push(new ArrayBuffer(1e5)); mark(i * 1e5) }",
            GBX_ETHROW },
        { "let b = new ArrayBuffer(0, { maxByteLength: 1e9 }); for (let i = 1;; i++) { "
          "b.resize(i * 1e5); mark(i * 1e5) }",
            GBX_ETHROW },
        { "let m = new WebAssembly.Memory({ initial: 1 }); for (let i = 2;; i++) { m.grow(1); "
          "mark(i * 65536) }",
            GBX_ETHROW },
    };

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        gbx_isolate *isolate = open_limited(ATTACK_MEMORY, report);
        if (isolate == NULL)
            return;
        marked = 0;
        attack_give(isolate, "mark", mark, NULL, report);
        ends(start(isolate, kinds[i].source, 0, 0, 0), kinds[i].status, report);
        if (marked < 0.85 * (double)ATTACK_MEMORY || marked > 1.1 * (double)ATTACK_MEMORY)
            attack_wrong(report, "%.60s: %.1f MiB lived", kinds[i].source, marked / MIB);
        attack_close(isolate, 0, report);
    }
}

/* Who catches what the limit throws may go on, again and again, and has no more than before. */
static void
limit_met_again_and_again(struct attack_report *report)
{
    gbx_isolate *isolate = open_limited(ATTACK_MEMORY, report);
    gbx_usage usage = GBX_USAGE_INIT;
    uint64_t first = 0;

    for (int round = 0; isolate != NULL && round < 10; round++) {
        ends(
            start(isolate,
                "for (let i = 0; i < 20; i++) { let a = []; try { for (;;) a.push(new "
                "Uint8Array(1e6).fill(1)) } catch (e) { if (e.name !== 'RangeError') throw e } "
                "} 0",
                0, 0, 0),
            GBX_OK, report);
        (void)gbx_isolate_usage(isolate, &usage);
        if (round == 1)
            first = usage.resident_bytes;
        if (round > 1 && usage.resident_bytes > first + 16 * MIB)
            attack_wrong(report, "resident %llu KiB after %d rounds, %llu KiB after 2",
                (unsigned long long)usage.resident_bytes / 1024, round + 1,
                (unsigned long long)first / 1024);
    }
    usable(isolate, report);
    attack_close(isolate, 0, report);
}

/* What ends at its deadline, by itself or, where V8 looks at nothing for too long, with its
 * process. */
static void
ends_at_its_deadline(const char *source, struct attack_report *report)
{
    struct attack attack = { "a deadline", source, .wall_us = 500000 };

    attack_run(&attack, report);
    if (report->status != GBX_ETIMEOUT)
        attack_wrong(
            report, "ended with %s (%s)", attack_status(report->status), report->error.message);
}

static void
garbage_below_the_limit(struct attack_report *report)
{
    ends_at_its_deadline("let a = []; for (let i = 0; i < 45e4; i++) a.push({ x: i });"
                         "for (;;) a[Math.random() * a.length | 0] = { x: [1, 2, 3] }",
        report);
}

static void
large_reservations_of_webassembly(struct attack_report *report)
{
    ends_at_its_deadline(
        "let a = []; for (;;) a.push(new WebAssembly.Memory({ initial: 0, maximum: 65536 }))",
        report);
}

static void
slow_builtins_in_a_loop(struct attack_report *report)
{
    ends_at_its_deadline("for (;;) (1234.5).toLocaleString('de-u-nu-latn')", report);
}

/* --- slow ones ------------------------------------------------------------------------------ */

static void
all_the_code_there_is_room_for(struct attack_report *report)
{
    gbx_isolate *isolate = open_limited(ATTACK_MEMORY, report);

    if (isolate == NULL)
        return;
    ends(start(isolate,
             "let a = []; for (let i = 0;; i++) { let f = new Function('x', 'let s = 0; for "
             "(let "
             "j = 0; j < 20000; j++) s += x * j ^ ' + i + '; return s'); f(1); f(2); a.push(f) "
             "}",
             0, 0, 0),
        GBX_EMEMORY, report);
    attack_close(isolate, 0, report);
}

static void
as_many_promises_as_there_may_be(struct attack_report *report)
{
    struct attack attack = { "promises", "let a = []; for (;;) a.push(pending())",
        .memory_bytes = 2 * ATTACK_MEMORY };

    attack_run(&attack, report);
    if (report->status != GBX_EHOST || strcmp(report->isolate, "usable") != 0)
        attack_wrong(
            report, "ended with %s (%s)", attack_status(report->status), report->error.message);
}

/* --- running -------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    void (*run)(struct attack_report *report);
    bool slow;
} tests[] = {
    { "R-18 what Atomics.waitAsync leaves behind comes to rest", timers_of_wait_async },
    { "L-26 microtasks of a finalizer that was stopped never run", finalizers_with_microtasks },
    { "R-23 promises of stopped calls make room", promises_of_stopped_calls },
    { "R-22 console lines that somebody hears", console_with_a_listener },
    { "R-23 results that nobody takes", results_that_nobody_takes },
    { "R-28 references in great numbers", references_in_great_numbers },
    { "R-29 contexts that the host opens", contexts_up_to_the_limit },
    { "R-31 more loops than processors", more_loops_than_processors },
    { "R-32 the limit is what it says", limit_is_what_it_says },
    { "R-32 the limit is met again and again", limit_met_again_and_again },
    { "R-30 garbage just below the limit", garbage_below_the_limit },
    { "R-11 reservations of 4 GB", large_reservations_of_webassembly },
    { "R-16 slow builtins in a loop", slow_builtins_in_a_loop },
    { "L-25 finalizers that make garbage come to rest", finalizers_that_make_garbage },
    { "R-27 all the code there is room for", all_the_code_there_is_room_for, true },
    { "R-23 as many promises as there may be", as_many_promises_as_there_may_be, true },
};

int
main(int argc, char **argv)
{
    int failed = 0;

    if (!attack_begin())
        return 1;
    printf("1..%zu\n", sizeof tests / sizeof tests[0]);
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        struct attack_report report = { .wrong = "" };
        bool skipped = argc > 1 ? strstr(tests[i].name, argv[1]) == NULL
                                : tests[i].slow && getenv("ATTACKS_ALL") == NULL;
        if (!skipped)
            tests[i].run(&report);
        failed += report.wrong[0] != '\0';
        printf("%sok %zu - %s%s\n", report.wrong[0] != '\0' ? "not " : "", i + 1, tests[i].name,
            skipped ? " # SKIP not asked for, or slow: make attacks runs it" : "");
        if (report.wrong[0] != '\0')
            printf("# %s\n", report.wrong);
        attack_report_done(&report);
        (void)fflush(stdout);
    }
    attack_end();
    return failed == 0 ? 0 : 1;
}
