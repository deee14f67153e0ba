/* run_cell.c - the cell of one run: its globals, its scripts, its bill, its heap. */
#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "cli/run.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- waiting ---------------------------------------------------------------------------- */

static void
on_finished(gbx_future *future, void *data)
{
    (void)future;
    *(bool *)data = true;
}

/* Nobody wants the rest: a signal came, or nobody reads what the program prints. */
static bool
unwanted(void)
{
    return signals_caught() != 0 || out()->os_errno != 0;
}

/* Waits for an answer of the cell while what the guest prints goes out. Not with
 * gbx_future_wait(), which no signal ends. What is unwanted is told to stop if it is a call (it
 * ends within its grace period), and else left behind with GBX_ETERMINATED. */
static gbx_status
await(struct run *run, gbx_future *future, bool call, uint64_t until_us, gbx_error *error)
{
    bool finished = false;

    gbx_future_then(future, on_finished, &finished);
    while (!finished) {
        (void)out_flush(out());
        (void)out_flush(err());
        bool stop = unwanted();
        uint64_t now = now_us();
        if ((stop && !call) || now >= until_us) {
            gbx_future_then(future, NULL, NULL);
            return stop ? fail(error, GBX_ETERMINATED, "ended by a signal")
                        : fail(error, GBX_ETIMEOUT, "the cell does not answer");
        }
        if (stop)
            gbx_isolate_terminate(run->isolate);
        struct pollfd fds[] = { { .fd = gbx_runtime_fd(run->runtime), .events = POLLIN },
            { .fd = stop ? -1 : signals_fd(), .events = POLLIN } };
        uint64_t left_ms = (until_us - now) / 1000 + 1;
        int wait_ms = left_ms < INT_MAX ? (int)left_ms : -1;
        (void)poll(fds, 2, stop ? RUN_STOP_AGAIN_MS : wait_ms);
        gbx_status status = gbx_runtime_dispatch(run->runtime, 0);
        if (status != GBX_OK && status != GBX_EBUSY)
            return fail_errno(error, "cannot wait for the cell");
    }
    return gbx_future_status(future, error);
}

gbx_status
run_await(struct run *run, gbx_future *future, uint64_t timeout_us, gbx_error *error)
{
    return await(run, future, false, now_us() + timeout_us, error);
}

/* For requests that run no code of the program. */
static gbx_status
await_answer(struct run *run, gbx_future *future, gbx_error *error)
{
    return await(run, future, false, now_us() + RUN_ANSWER_US, error);
}

/* What a failed request means; the message is in run->error. */
static void
failed(struct run *run, gbx_status status)
{
    if (status == GBX_ETERMINATED && signals_caught() != 0)
        run->outcome = interrupted(&run->error);
    else if (status == GBX_ETERMINATED && out()->os_errno != 0)
        run->outcome = fail_with(&run->error, OUTCOME_OUTPUT,
            "cannot write standard output: %s", strerror(out()->os_errno));
    else
        run->outcome = outcome_of(status);
}

/* --- globals ---------------------------------------------------------------------------- */

static bool
set_global(struct run *run, const char *name, gbx_value *value)
{
    gbx_status status = GBX_ENOMEM;

    if (value != NULL) {
        gbx_future *future = gbx_context_set(gbx_isolate_context(run->isolate), name, value);
        status = await_answer(run, future, &run->error);
        gbx_future_free(future);
    } else {
        (void)fail(&run->error, status, "no memory for the global %s", name);
    }
    gbx_value_free(value);
    if (status != GBX_OK)
        failed(run, status);
    return status == GBX_OK;
}

static gbx_value *
words_value(const char *const *words, size_t count)
{
    gbx_value *array = gbx_value_new_array();

    for (size_t i = 0; i < count && array != NULL; i++)
        if (gbx_value_append(array, gbx_value_new_string(words[i], GBX_NUL)) != GBX_OK) {
            gbx_value_free(array);
            return NULL;
        }
    return array;
}

static bool
set_globals(struct run *run)
{
    static const char freeze[] = "Object.freeze(args)";
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;

    if (!set_global(run, "args", words_value(run->arguments, run->argument_count)))
        return false;
    options.flags = GBX_RESULT_IGNORE;
    options.file = "<glovebox>";
    gbx_future *future =
        gbx_context_eval(gbx_isolate_context(run->isolate), freeze, strlen(freeze), &options);
    gbx_status status = await_answer(run, future, &run->error);
    gbx_future_free(future);
    if (status != GBX_OK) {
        failed(run, status);
        return false;
    }
    for (size_t i = 0; i < run->options.set.count; i++) {
        const struct setting *s = &run->settings[i];
        if (!set_global(run, s->name,
                gbx_value_new_string((const char *)s->text.text.p, s->text.text.len)))
            return false;
    }
    return true;
}

/* --- scripts ---------------------------------------------------------------------------- */

static uint64_t
cpu_used(const struct run *run)
{
    gbx_usage usage = GBX_USAGE_INIT;

    return gbx_isolate_usage(run->isolate, &usage) == GBX_OK ? usage.cpu_us : 0;
}

/* What is left of a limit, for one call. */
static uint64_t
left_of(uint64_t limit, uint64_t used)
{
    return limit == 0 ? GBX_NO_LIMIT : limit > used ? limit - used : 1;
}

static bool
is_module(const char *name)
{
    size_t len = strlen(name);

    return len > 4 && strcmp(name + len - 4, ".mjs") == 0;
}

/* The first one ends the program as an exception does. */
static void
on_rejection(gbx_isolate *isolate, const gbx_rejection *rejection, void *data)
{
    struct run *run = data;

    (void)isolate;
    if (run->rejected)
        return;
    run->rejected = true;
    run->rejection = *rejection->error;
    if (gbx_value_copy(rejection->value, &run->rejection_value) != GBX_OK)
        run->rejection_value = NULL; /* the error's texts remain */
}

/* What a script has rejected is told when its microtasks have run, which may be just after it has
 * answered: what comes behind that in line tells that all is there. */
static bool
has_rejected(struct run *run)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_future *future = gbx_context_get(gbx_isolate_context(run->isolate), "undefined", NULL);

    (void)await_answer(run, future, &error);
    gbx_future_free(future);
    return run->rejected;
}

/* One script. Limits are those of the whole run: each gets what the ones before have left. */
static bool
run_script(struct run *run, const struct source *source, bool module, bool wanted)
{
    const struct run_options *o = &run->options;
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;
    uint64_t wall_before = now_us() - run->started_us - run->held_us;
    uint64_t cpu_before = o->cpu_us != 0 ? cpu_used(run) - run->cpu_before_us : 0;

    options.flags = GBX_AWAIT | (module ? GBX_MODULE : 0u) | (wanted ? 0u : GBX_RESULT_IGNORE);
    options.timeout_us = left_of(o->timeout_us, wall_before);
    options.cpu_us = left_of(o->cpu_us, cpu_before);
    options.file = source->name;
    gbx_future *future = module ? run_module_import(run, source, &options) : NULL;
    if (future == NULL)
        future = gbx_context_eval(gbx_isolate_context(run->isolate),
            (const char *)source->text.p, source->text.len, &options);
    gbx_status status = await(run, future, true, UINT64_MAX, &run->error);
    if (status == GBX_OK && wanted)
        run->result = gbx_future_take_value(future);
    else if (status == GBX_ETHROW)
        run->thrown = gbx_future_take_value(future);
    gbx_future_free(future);
    if (status == GBX_ETIMEOUT || status == GBX_ECPU) {
        run->error.limit = status == GBX_ECPU ? o->cpu_us : o->timeout_us;
        if (run->error.measured != 0)
            run->error.measured += status == GBX_ECPU ? cpu_before : wall_before;
    }
    if (status == GBX_OK && has_rejected(run)) {
        status = GBX_ETHROW;
        run->error = run->rejection;
        run->thrown = run->rejection_value;
        run->rejection_value = NULL;
    }
    if (status != GBX_OK)
        failed(run, status);
    return status == GBX_OK;
}

static void
run_scripts(struct run *run)
{
    const struct run_options *o = &run->options;

    if (!set_globals(run))
        return;
    run->outcome = run_inspect_open(run);
    if (run->outcome != OUTCOME_OK)
        return;
    run->cpu_before_us = cpu_used(run);
    run->started_us = now_us();
    for (size_t i = 0; i < o->preload.count; i++)
        if (!run_script(run, &run->preloads[i], is_module(run->preloads[i].name), false))
            return;
    (void)run_script(run, &run->program,
        o->module || (o->eval == NULL && is_module(run->program.name)), o->print || o->json);
}

/* --- costs ------------------------------------------------------------------------------ */

static void
take_costs(struct run *run)
{
    struct costs *c = &run->costs;
    gbx_usage usage = GBX_USAGE_INIT;
    gbx_error error = GBX_ERROR_INIT;

    c->wall_us = run->started_us != 0 ? now_us() - run->started_us : 0;
    const gbx_death *death = gbx_isolate_death(run->isolate);
    if (death != NULL) {
        c->cpu_us = death->cpu_us;
        c->resident_bytes = death->resident_bytes;
        return;
    }
    if (gbx_isolate_usage(run->isolate, &usage) == GBX_OK) {
        c->cpu_us = usage.cpu_us;
        c->resident_bytes = usage.resident_bytes;
        c->sent_bytes = usage.sent_bytes;
        c->received_bytes = usage.received_bytes;
    }
    if (!run->options.stats && !run->options.json)
        return;
    gbx_future *future = gbx_isolate_statistics(run->isolate);
    if (await_answer(run, future, &error) == GBX_OK)
        c->heap = gbx_future_take_value(future);
    gbx_future_free(future);
}

/* --- files that were asked for ---------------------------------------------------------- */

void
run_lacks(struct run *run, const char *what, gbx_status status, const gbx_error *error)
{
    if (signals_caught() != 0) {
        run->outcome = interrupted(&run->error);
        return;
    }
    if (run->outcome != OUTCOME_OK) { /* which is the news; this comes besides */
        (void)complain(0, "no %s: %s", what, error->message);
        return;
    }
    run->error = *error;
    failed(run, status);
    if (run->outcome == OUTCOME_SYSTEM)
        run->outcome = OUTCOME_OUTPUT;
}

/* --- all of it -------------------------------------------------------------------------- */

/* Nobody shall run on less than they think. */
static void
warn_of_gaps(const gbx_runtime *runtime)
{
    const gbx_layer *layer;
    uint32_t all = 0, holding = 0;

    while ((layer = gbx_runtime_layer(runtime, all)) != NULL) {
        all++;
        holding += layer->engaged;
    }
    (void)fprintf(stderr,
        "glovebox: --require none: no layer of the sandbox was asked for; %u of %u hold\n",
        holding, all);
}

static gbx_status
open_cell(struct run *run)
{
    const struct run_options *o = &run->options;
    gbx_runtime_options runtime_options = GBX_RUNTIME_OPTIONS_INIT;
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    char name[64], resolved[PATH_MAX];

    runtime_options.pool = GBX_POOL_NONE;
    runtime_options.require = run_require(o->require);
    const char *base = strrchr(run->program.name, '/');
    base = base != NULL ? base + 1 : run->program.name;
    text_copy(name, sizeof name, base, strlen(base));
    options.name = name;
    options.memory_limit_bytes = o->memory_bytes;
    options.stack_limit_bytes = o->stack_bytes;
    options.flags = o->cpu_profile != NULL ? GBX_ISOLATE_PROFILING : 0;
    options.on_console = o->quiet ? NULL : console_print;
    options.on_rejection = on_rejection;
    options.data = run;
    run_inspect_options(run, &options);
    options.limit_snapshot = run_snapshot_at_limit(run, resolved);
    if (options.limit_snapshot == NULL)
        options.limit_snapshot = run->watch.limit_path;
    gbx_status status = gbx_runtime_open(&runtime_options, &run->runtime, &run->error);
    if (status == GBX_OK && runtime_options.require == GBX_REQUIRE_NONE)
        warn_of_gaps(run->runtime);
    if (status == GBX_OK)
        status = gbx_isolate_open(run->runtime, &options, &run->isolate, &run->error);
    return status;
}

void
run_execute(struct run *run)
{
    run->outcome = run_snapshot_check(run);
    if (run->outcome == OUTCOME_OK)
        run->outcome = run_watch_open(run);
    if (run->outcome != OUTCOME_OK)
        return;
    gbx_status status = open_cell(run);
    if (status != GBX_OK) {
        /* Neither the program's fault nor its death: there is no program yet. */
        run->outcome = outcome_of(status) == OUTCOME_SYSTEM ? OUTCOME_SYSTEM : OUTCOME_ENGINE;
        return;
    }
    run->outcome = run_modules_open(run);
    if (run->outcome == OUTCOME_OK)
        run->outcome = run_watch_begin(run);
    run_profiles_begin(run);
    if (run->outcome == OUTCOME_OK && signals_caught() == 0)
        run_scripts(run);
    if (run->outcome == OUTCOME_OK && signals_caught() != 0)
        run->outcome = interrupted(&run->error);
    run_profiles_end(run);
    run_watch_end(run);
    run_inspect_linger(run);
    take_costs(run);
    run_snapshot_tell(run);
    if (run->options.snapshot != NULL && !unwanted())
        run_snapshot_take(run);
}

void
run_close(struct run *run)
{
    run_watch_close(run);
    gbx_isolate_close(run->isolate);
    gbx_devtools_close(run->devtools);
    gbx_runtime_close(run->runtime);
    gbx_files_close(run->files);
    gbx_value_free(run->thrown);
    gbx_value_free(run->rejection_value);
    gbx_value_free(run->result);
    gbx_value_free(run->costs.heap);
}
