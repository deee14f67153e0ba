/* What a host does inside of a callback: from each kind of them, whatever closes, stops, kills,
 * waits or begins something comes back, and what is open then comes to its end. */
#include "support.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

struct scene {
    struct world w;
    gbx_context *other;
    gbx_inspector *inspector;
    gbx_deferred *deferred;
    gbx_isolate *more;
    void (*act)(struct scene *);
    size_t acted;
    size_t ended;
    gbx_status status; /* of what the trigger began */
};

static void
act_once(struct scene *s)
{
    if (s->acted++ == 0)
        s->act(s);
}

/* --- what is done ----------------------------------------------------------------------------- */
static void
closes_isolate(struct scene *s)
{
    gbx_isolate_close(s->w.isolate);
    s->w.isolate = NULL;
    s->w.context = NULL;
}

static void
closes_context(struct scene *s)
{
    gbx_context_close(s->other);
    s->other = NULL;
}

static void
terminates(struct scene *s)
{
    gbx_isolate_terminate(s->w.isolate);
}

static void
kills(struct scene *s)
{
    gbx_usage usage = GBX_USAGE_INIT;

    if (gbx_isolate_usage(s->w.isolate, &usage) == GBX_OK && usage.pid > 1)
        (void)kill((pid_t)usage.pid, SIGKILL);
}

/* It may be refused, where the cell cannot answer. */
static void
evaluates(struct scene *s)
{
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;

    options.timeout_us = 300000;
    gbx_future *future = gbx_context_eval(s->w.context, "1 + 1", 5, &options);
    gbx_status status = gbx_future_wait(future, 1000000, NULL);
    cr_assert_neq(status, GBX_ETHROW);
    gbx_future_free(future);
}

static void
dispatches(struct scene *s)
{
    for (int i = 0; i < 3; i++)
        (void)gbx_runtime_dispatch(s->w.runtime, 1000);
}

static void
forks(struct scene *s)
{
    gbx_isolate *fork = NULL;

    if (gbx_isolate_fork(s->w.isolate, NULL, &fork, NULL) == GBX_OK)
        gbx_isolate_close(fork);
}

static void
opens_another(struct scene *s)
{
    gbx_value *value = NULL;

    cr_assert_eq(gbx_isolate_open(s->w.runtime, NULL, &s->more, NULL), GBX_OK);
    cr_assert_eq(gbx_eval(gbx_isolate_context(s->more), "6 * 7", NULL, &value, NULL), GBX_OK);
    cr_assert_eq(number_of(value), 42);
    gbx_value_free(value);
    gbx_isolate_close(s->more);
}

static void
drops_session(struct scene *s)
{
    gbx_inspector_close(s->inspector);
    s->inspector = NULL;
}

static const struct {
    const char *name;
    void (*act)(struct scene *);
} acts[] = { { "closes its isolate", closes_isolate }, { "closes a context", closes_context },
    { "terminates", terminates }, { "kills the cell", kills }, { "evaluates", evaluates },
    { "dispatches", dispatches }, { "forks", forks }, { "opens another", opens_another },
    { "drops a session", drops_session } };

/* --- the callbacks ---------------------------------------------------------------------------- */
static gbx_status
function(gbx_callback *callback, void *data)
{
    (void)callback;
    act_once(data);
    return GBX_OK;
}

static void
on_cancel(gbx_deferred *deferred, void *data)
{
    struct scene *s = data;

    s->deferred = NULL;
    (void)gbx_deferred_resolve(deferred, NULL);
    act_once(s);
}

static gbx_status
later(gbx_callback *callback, void *data)
{
    struct scene *s = data;
    gbx_status status = gbx_callback_defer(callback, &s->deferred);

    if (status == GBX_OK)
        gbx_deferred_on_cancel(s->deferred, on_cancel, s);
    return status;
}

static void
on_import(gbx_import *import, void *data)
{
    act_once(data);
    gbx_import_fail(import, "Error", "not here");
}

static void
on_console(gbx_isolate *isolate, uint32_t level, const char *text, size_t len, void *data)
{
    (void)isolate, (void)level, (void)text, (void)len;
    act_once(data);
}

static void
on_death(gbx_isolate *isolate, void *data)
{
    struct scene *s = data;

    cr_assert_not_null(gbx_isolate_death(isolate));
    if (s->act != kills)
        act_once(s);
}

static void
on_rejection(gbx_isolate *isolate, const gbx_rejection *rejection, void *data)
{
    (void)isolate;
    cr_assert_eq(rejection->error->status, GBX_ETHROW);
    act_once(data);
}

static void
say(struct scene *s, const char *json)
{
    (void)gbx_inspector_send(s->inspector, json, strlen(json));
}

static void
on_hold(gbx_isolate *isolate, uint32_t how, void *data)
{
    struct scene *s = data;

    (void)isolate;
    if (how != GBX_HOLD_PAUSED)
        return;
    act_once(s);
    if (s->inspector != NULL && s->w.isolate != NULL)
        say(s, "{\"id\":9,\"method\":\"Debugger.resume\"}");
}

static void
on_message(gbx_inspector *inspector, const char *json, size_t len, void *data)
{
    (void)inspector;
    if (memmem(json, len, "\"id\":7", 6) != NULL)
        act_once(data);
}

static gbx_status
sink(const void *piece, size_t len, void *data)
{
    (void)piece, (void)len;
    act_once(data);
    return GBX_OK;
}

static void
on_progress(uint32_t percent, uint64_t bytes, void *data)
{
    (void)percent, (void)bytes;
    act_once(data);
}

static void
on_end(gbx_future *future, void *data)
{
    struct scene *s = data;

    s->status = gbx_future_status(future, NULL);
    s->ended++;
    gbx_future_free(future);
}

static void
on_end_act(gbx_future *future, void *data)
{
    on_end(future, data);
    act_once(data);
}

/* --- what calls them -------------------------------------------------------------------------- */
static gbx_future *
code(struct scene *s, const char *source)
{
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;

    options.flags = GBX_AWAIT;
    options.timeout_us = 2000000;
    return gbx_context_eval(s->other, source, strlen(source), &options);
}

static gbx_future *
snapshot(struct scene *s, uint32_t mode, bool progress)
{
    gbx_snapshot_options options = GBX_SNAPSHOT_OPTIONS_INIT;

    options.mode = mode;
    options.sink = sink;
    options.on_progress = progress ? on_progress : NULL;
    options.data = s;
    return gbx_heap_snapshot(s->w.isolate, &options);
}

static gbx_future *
calls_function(struct scene *s)
{
    return code(s, "f(); 1");
}

static gbx_future *
posts(struct scene *s)
{
    return code(s, "post(); 1");
}

static gbx_future *
is_cancelled(struct scene *s)
{
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;

    options.flags = GBX_AWAIT;
    options.timeout_us = 20000;
    return gbx_context_eval(s->other, "later()", 7, &options);
}

static gbx_future *
imports(struct scene *s)
{
    return gbx_context_import(s->other, "x", NULL);
}

static gbx_future *
prints(struct scene *s)
{
    return code(s, "console.log('x'); 1");
}

static gbx_future *
dies(struct scene *s)
{
    gbx_future *future = code(s, "new Promise(() => {})");

    kills(s);
    return future;
}

static gbx_future *
rejects(struct scene *s)
{
    return code(s, "Promise.reject(new Error('x')); 1");
}

static gbx_future *
pauses(struct scene *s)
{
    return code(s, "debugger; 1");
}

static gbx_future *
is_asked(struct scene *s)
{
    say(s, "{\"id\":7,\"method\":\"Runtime.evaluate\",\"params\":{\"expression\":\"1\"}}");
    return code(s, "1");
}

static gbx_future *
ends(struct scene *s)
{
    return code(s, "1");
}

static gbx_future *
is_written(struct scene *s)
{
    return snapshot(s, GBX_SNAPSHOT_BACKGROUND, false);
}

static gbx_future *
is_written_attached(struct scene *s)
{
    return snapshot(s, GBX_SNAPSHOT_ATTACHED, false);
}

static gbx_future *
progresses(struct scene *s)
{
    return snapshot(s, GBX_SNAPSHOT_BACKGROUND, true);
}

static const struct {
    const char *name;
    gbx_future *(*begin)(struct scene *);
    gbx_future_callback then;
} triggers[] = { { "a host function", calls_function, on_end },
    { "one that nobody waits for", posts, on_end }, { "a cancellation", is_cancelled, on_end },
    { "a loader", imports, on_end }, { "the console", prints, on_end },
    { "a death", dies, on_end }, { "a rejection", rejects, on_end },
    { "a pause", pauses, on_end }, { "a session", is_asked, on_end },
    { "a future", ends, on_end_act }, { "a snapshot", is_written, on_end },
    { "an attached snapshot", is_written_attached, on_end },
    { "a snapshot's progress", progresses, on_end } };

/* --- sinks that wait -------------------------------------------------------------------------- */
struct waiting {
    struct world w;
    FILE *file;
    bool writes_first;
    unsigned calls, inside;
};

static gbx_status
waits_and_writes(const void *piece, size_t len, void *data)
{
    struct waiting *s = data;

    if (s->writes_first)
        cr_assert_eq(fwrite(piece, 1, len, s->file), len);
    if (s->calls++ % 4 == 0 && s->inside == 0) {
        s->inside++;
        cr_assert_eq(eval_number(s->w.context, "6 * 7"), 42);
        s->inside--;
    }
    if (!s->writes_first)
        cr_assert_eq(fwrite(piece, 1, len, s->file), len);
    return GBX_OK;
}

/* Nothing comes in between in the background, so that what comes after the wait is in order. */
CleanTest(callback, of_a_snapshot_that_waits_has_all_of_it)
{
    for (uint32_t mode = GBX_SNAPSHOT_BACKGROUND; mode <= GBX_SNAPSHOT_ATTACHED; mode++) {
        gbx_snapshot_options options = GBX_SNAPSHOT_OPTIONS_INIT;
        struct waiting s = { .w = world_open(NULL),
            .writes_first = mode == GBX_SNAPSHOT_ATTACHED };
        char path[256];
        (void)snprintf(path, sizeof path, "%s/%u.heapsnapshot", scratch_directory(), mode);
        s.file = fopen(path, "we");
        cr_assert_not_null(s.file);
        options.mode = mode;
        options.sink = waits_and_writes;
        options.data = &s;
        double bytes = settle_number(gbx_heap_snapshot(s.w.isolate, &options));
        cr_assert_eq(ftell(s.file), (long)bytes);
        cr_assert_eq(fclose(s.file), 0);
        cr_assert_gt(s.calls, 1);
        cr_assert_gt(snapshot_nodes(path), 1000);
        world_close(&s.w);
    }
}

/* --- each in each ----------------------------------------------------------------------------- */
static void
scene_open(struct scene *s)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    const gbx_function_entry post[] = { { sizeof *post, GBX_FUNCTION_POST, "post", function,
        s } };

    options.on_console = on_console;
    options.on_death = on_death;
    options.on_rejection = on_rejection;
    options.on_hold = on_hold;
    options.data = s;
    s->w.isolate = world_isolate(&s->w, &options);
    s->w.context = gbx_isolate_context(s->w.isolate);
    cr_assert_eq(gbx_context_open(s->w.isolate, &s->other, NULL), GBX_OK);
    cr_assert_eq(gbx_context_set_loader(s->other, on_import, s), GBX_OK);
    give(s->other, "f", function, s);
    give(s->other, "later", later, s);
    settle(gbx_context_set_functions(s->other, "", post, 1), GBX_OK);
}

static void
scene_debug(struct scene *s)
{
    cr_assert_eq(gbx_inspector_open(s->w.isolate, on_message, s, &s->inspector, NULL), GBX_OK);
    say(s, "{\"id\":1,\"method\":\"Debugger.enable\"}");
}

static void
scene_close(struct scene *s)
{
    gbx_inspector_close(s->inspector);
    gbx_context_close(s->other);
    gbx_isolate_close(s->w.isolate);
    if (s->deferred != NULL)
        (void)gbx_deferred_resolve(s->deferred, NULL);
}

static void
play(struct world *w, size_t trigger, size_t act)
{
    struct scene s = { .w = *w, .act = acts[act].act };

    scene_open(&s);
    if (triggers[trigger].begin == pauses || triggers[trigger].begin == is_asked ||
        s.act == drops_session)
        scene_debug(&s);
    gbx_future_then(triggers[trigger].begin(&s), triggers[trigger].then, &s);
    for (int i = 0; i < 2000 && s.ended == 0; i++)
        (void)gbx_runtime_dispatch(w->runtime, 10000);
    cr_assert_eq(s.ended, 1, "%s %s: it never ended", triggers[trigger].name, acts[act].name);
    for (int i = 0; i < 100 && s.acted == 0; i++) /* messages may come later than answers */
        (void)gbx_runtime_dispatch(w->runtime, 10000);
    cr_assert(s.acted > 0 || (s.act == kills && triggers[trigger].begin == dies),
        "%s %s: was not called", triggers[trigger].name, acts[act].name);
    scene_close(&s);
}

static void
play_all(size_t act)
{
    struct world w = world_open(NULL);

    for (size_t trigger = 0; trigger < sizeof triggers / sizeof triggers[0]; trigger++)
        play(&w, trigger, act);
    expect_usable(&w);
    world_close(&w);
}

CleanTest(callback, closes_isolate)
{
    play_all(0);
}

CleanTest(callback, closes_context)
{
    play_all(1);
}

CleanTest(callback, terminates)
{
    play_all(2);
}

CleanTest(callback, kills_the_cell)
{
    play_all(3);
}

CleanTest(callback, evaluates)
{
    play_all(4);
}

CleanTest(callback, dispatches)
{
    play_all(5);
}

CleanTest(callback, forks)
{
    play_all(6);
}

CleanTest(callback, opens_another_isolate)
{
    play_all(7);
}

CleanTest(callback, drops_session)
{
    play_all(8);
}
