#include "soak/actions.h"
#include "soak/processes.h"
#include "soak/steps.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

/* --- chance ---------------------------------------------------------------------------------- */

unsigned
soak_chance(struct soak *soak, unsigned below)
{
    soak->random = soak->random * 6364136223846793005ul + 1442695040888963407ul;
    return (unsigned)(soak->random >> 33) % below;
}

/* --- answers --------------------------------------------------------------------------------- */

/* What an action's calls may answer, besides what the end of an isolate may mean for any. */
struct expectation {
    struct soak_slot *slot;
    const char *what;
    gbx_status allowed; /* and GBX_OK */
};

bool
soak_is_end(gbx_status status)
{
    return status == GBX_EMEMORY || status == GBX_ETIMEOUT || status == GBX_ECPU ||
           status == GBX_ETERMINATED || status == GBX_ECRASHED || status == GBX_ELOST ||
           status == GBX_EDISPOSED;
}

bool
soak_allows(const struct soak *soak, gbx_status status)
{
    return status == GBX_OK || soak_is_end(status) || (status == GBX_EINVAL && soak->depth > 0);
}

void
soak_wrong(struct soak *soak, const char *what, gbx_status status, const char *why)
{
    soak->wrong++;
    (void)printf("soak: %s: %d: %s\n", what, status, why);
}

/* The isolate that it is of may have been replaced. */
static void
keep_script(struct soak_slot *slot, gbx_script *script)
{
    unsigned at = soak_chance(slot->soak, SOAK_SCRIPTS);

    gbx_script_close(slot->scripts[at]);
    slot->scripts[at] = script;
}

static void
keep_reference(struct soak_slot *slot, gbx_reference *reference)
{
    unsigned at = soak_chance(slot->soak, SOAK_REFERENCES);

    gbx_reference_close(slot->references[at]);
    slot->references[at] = reference;
}

static void
on_answer(gbx_future *future, void *data)
{
    struct expectation *e = data;
    struct soak *soak = e->slot->soak;
    gbx_error error = GBX_ERROR_INIT;
    gbx_status status = gbx_future_status(future, &error);
    /* What a host function throws and nobody catches is GBX_EHOST. */
    bool right = status == GBX_OK || status == e->allowed || status == GBX_ELIMIT ||
                 soak_is_end(status) || (status == GBX_EHOST && e->allowed == GBX_ETHROW);

    if (!right)
        soak_wrong(soak, e->what, status, error.message);
    gbx_script *script = gbx_future_take_script(future);
    if (script != NULL)
        keep_script(e->slot, script);
    gbx_reference *reference = gbx_future_take_reference(future);
    if (reference != NULL && e->slot->isolate != NULL)
        keep_reference(e->slot, reference);
    else
        gbx_reference_close(reference);
    soak->open--;
    soak->answers++;
    gbx_future_free(future);
    free(e);
}

void
soak_expect(struct soak_slot *slot, const char *what, gbx_future *future, gbx_status allowed)
{
    struct expectation *e = malloc(sizeof *e);

    if (e == NULL)
        abort();
    *e = (struct expectation){ slot, what, allowed };
    slot->soak->open++;
    gbx_future_then(future, on_answer, e);
}

/* --- guests ---------------------------------------------------------------------------------- */

gbx_context *
soak_context(struct soak_slot *slot)
{
    if (slot->other != NULL && soak_chance(slot->soak, 2) == 0)
        return slot->other;
    return gbx_isolate_context(slot->isolate);
}

void
soak_eval(struct soak_slot *slot, const char *source, uint32_t flags, uint64_t timeout_us,
    gbx_status allowed)
{
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;

    options.flags = flags;
    options.timeout_us = timeout_us;
    soak_expect(slot, source,
        gbx_context_eval(soak_context(slot), source, strlen(source), &options), allowed);
}

/* --- actions --------------------------------------------------------------------------------- */

static void
do_arithmetic(struct soak_slot *slot)
{
    soak_eval(slot, "[1, 2, 3].map(x => x * x)", 0, 0, GBX_OK);
}

static void
do_throw(struct soak_slot *slot)
{
    soak_eval(slot,
        "throw Object.assign(new TypeError('no'), { code: 5, cause: new Error('deep') })", 0, 0,
        GBX_ETHROW);
}

static void
do_mistake(struct soak_slot *slot)
{
    soak_eval(slot, "let let = 1", 0, 0, GBX_ETHROW);
}

static void
do_big_value(struct soak_slot *slot)
{
    soak_eval(slot, "Array.from({ length: 20000 }, (_, i) => ({ i, text: 'x' + i }))", 0, 0,
        GBX_ETOOBIG);
}

static void
do_buffer(struct soak_slot *slot)
{
    soak_eval(slot, "new Uint8Array(1 << 20).fill(7)", 0, 0, GBX_ETHROW);
}

static void
do_garbage(struct soak_slot *slot)
{
    soak_eval(slot, "{ let a = []; for (let i = 0; i < 1e5; i++) a = [a.length, i] } 0", 0, 0,
        GBX_OK);
}

static void
do_exhaust(struct soak_slot *slot)
{
    soak_eval(
        slot, "{ const a = []; for (;;) a.push(new Array(1000).fill(1.5)) }", 0, 0, GBX_ETHROW);
}

static void
do_loop(struct soak_slot *slot)
{
    soak_eval(slot, "for (;;) {}", 0, 1000 + soak_chance(slot->soak, 30000), GBX_OK);
}

static void
do_wait_for_ever(struct soak_slot *slot)
{
    soak_eval(slot, "new Promise(() => {})", GBX_AWAIT, 1000 + soak_chance(slot->soak, 200000),
        GBX_OK);
}

/* In the second context there are no host functions. */
static void
do_host_calls(struct soak_slot *slot)
{
    soak_eval(slot, "for (let i = 0; i < 50; i++) add(i); try { fail() } catch {} add()", 0, 0,
        GBX_ETHROW);
}

static void
do_host_failure(struct soak_slot *slot)
{
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;

    soak_expect(slot, "fail()",
        gbx_context_call(gbx_isolate_context(slot->isolate), "fail", NULL, 0, &options),
        GBX_EHOST);
}

static void
do_promises(struct soak_slot *slot)
{
    soak_eval(slot,
        "(async () => { await later(); await Promise.race([later(), later()]); return add(1) "
        "})()",
        GBX_AWAIT, 1500000, GBX_ETHROW);
}

static void
do_nested(struct soak_slot *slot)
{
    soak_eval(slot, "nested(1)", 0, 0, GBX_ETHROW);
}

/* While the guest waits anything may happen, to its own context and isolate too. */
static void
do_meddle(struct soak_slot *slot)
{
    static const char *const sources[] = { "meddle(); 1", "meddle(); new Promise(() => {})",
        "(async () => { await later(); meddle(); await later(); return meddle() })()",
        "Object.defineProperty({}, 'n', { get: meddle, enumerable: true })" };

    unsigned which = soak_chance(slot->soak, 4);
    /* Who copies an object later by a reference would not run its getter. */
    uint32_t flags = which < 3 && soak_chance(slot->soak, 2) == 0 ? GBX_RESULT_REFERENCE : 0;

    soak_eval(slot, sources[which], GBX_AWAIT | flags, 1000000, GBX_ETHROW);
}

static void
do_console(struct soak_slot *slot)
{
    soak_eval(slot, "for (let i = 0; i < 20; i++) console.log('line', i, { i })", 0, 0, GBX_OK);
}

static void
do_context(struct soak_slot *slot)
{
    gbx_context_close(slot->other);
    slot->other = NULL;
    if (gbx_context_open(slot->isolate, &slot->other, NULL) != GBX_OK)
        slot->other = NULL; /* it has just died */
    else if (soak_chance(slot->soak, 2) == 0)
        (void)gbx_context_set_loader(slot->other, soak_load, slot->soak);
    else
        (void)gbx_context_set_loader(slot->other, gbx_files_load, slot->soak->files);
    if (slot->other != NULL)
        soak_expect(slot, "meddle",
            gbx_context_set_function(slot->other, "meddle", soak_on_meddle, slot->soak),
            GBX_OK);
}

static void
do_terminate(struct soak_slot *slot)
{
    gbx_isolate_terminate(slot->isolate);
}

static void
do_statistics(struct soak_slot *slot)
{
    gbx_memory memory = GBX_MEMORY_INIT;
    gbx_usage usage = GBX_USAGE_INIT;

    soak_expect(slot, "statistics", gbx_isolate_statistics(slot->isolate), GBX_OK);
    (void)gbx_isolate_usage(slot->isolate, &usage);
    (void)gbx_isolate_memory(slot->isolate, &memory);
}

static void
do_collect(struct soak_slot *slot)
{
    soak_expect(slot, "collect", gbx_isolate_collect(slot->isolate), GBX_OK);
}

static void
do_get_reference(struct soak_slot *slot)
{
    soak_eval(slot, "({ n: 1, f() { return this.n }, nested: { deep: [1, 2] } })",
        GBX_RESULT_REFERENCE, 0, GBX_OK);
}

static void
do_use_reference(struct soak_slot *slot)
{
    gbx_reference *reference = slot->references[soak_chance(slot->soak, SOAK_REFERENCES)];
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;

    if (reference == NULL)
        return;
    /* What it names may be a child of another, without these. */
    switch (soak_chance(slot->soak, 3)) {
    case 0:
        options.flags = GBX_RESULT_REFERENCE;
        soak_expect(
            slot, "get", gbx_reference_get(reference, "nested", 6, &options), GBX_EINVAL);
        break;
    case 1:
        soak_expect(slot, "copy", gbx_reference_copy(reference, &options), GBX_ECLONE);
        break;
    default:
        soak_expect(slot, "keys", gbx_reference_keys(reference, &options), GBX_EINVAL);
        break;
    }
}

static void
on_inspected(gbx_inspector *inspector, const char *json, size_t len, void *data)
{
    (void)inspector;
    (void)json;
    (void)len;
    (void)data;
}

static void
do_inspect(struct soak_slot *slot)
{
    static const char *const commands[] = { "{\"id\":1,\"method\":\"Runtime.enable\"}",
        "{\"id\":2,\"method\":\"Debugger.enable\"}",
        "{\"id\":3,\"method\":\"Runtime.evaluate\",\"params\":{\"expression\":\"1 + 1\"}}",
        "{\"id\":4,\"method\":\"HeapProfiler.enable\"}" };

    if (slot->inspector == NULL &&
        gbx_inspector_open(slot->isolate, on_inspected, NULL, &slot->inspector, NULL) != GBX_OK)
        return;
    if (soak_chance(slot->soak, 4) == 0) {
        gbx_inspector_close(slot->inspector);
        slot->inspector = NULL;
        return;
    }
    const char *command = commands[soak_chance(slot->soak, 4)];
    (void)gbx_inspector_send(slot->inspector, command, strlen(command));
}

static gbx_status
drop_piece(const void *piece, size_t len, void *data)
{
    struct soak *soak = data;

    (void)piece;
    (void)len;
    return soak_chance(soak, 200) == 0 ? GBX_EINVAL
                                       : GBX_OK; /* now and then its owner has enough */
}

static void
do_snapshot(struct soak_slot *slot)
{
    gbx_snapshot_options options = GBX_SNAPSHOT_OPTIONS_INIT;

    options.mode =
        soak_chance(slot->soak, 2) == 0 ? GBX_SNAPSHOT_BACKGROUND : GBX_SNAPSHOT_ATTACHED;
    options.sink = drop_piece;
    options.data = slot->soak;
    soak_expect(slot, "snapshot", gbx_heap_snapshot(slot->isolate, &options), GBX_EINVAL);
}

static void
do_close(struct soak_slot *slot)
{
    soak_close(slot);
}

static void
do_kill_cell(struct soak_slot *slot)
{
    gbx_usage usage = GBX_USAGE_INIT;

    if (gbx_isolate_usage(slot->isolate, &usage) == GBX_OK && usage.pid > 1)
        (void)kill((pid_t)usage.pid, SIGKILL);
}

/* All isolates may be gone with it. */
static void
do_kill_ancestor(struct soak_slot *slot)
{
    (void)soak_descendants(soak_chance(slot->soak, 2) == 0 ? "gbx-zygote" : "gbx-template");
}

/* --- the table ------------------------------------------------------------------------------- */

static const struct action {
    const char *name;
    unsigned weight;
    void (*run)(struct soak_slot *slot);
} actions[] = {
    { "arithmetic", 30, do_arithmetic },
    { "throw", 15, do_throw },
    { "mistake", 5, do_mistake },
    { "big value", 5, do_big_value },
    { "buffer", 5, do_buffer },
    { "garbage", 10, do_garbage },
    { "exhaust", 2, do_exhaust },
    { "loop", 5, do_loop },
    { "wait for ever", 5, do_wait_for_ever },
    { "host calls", 15, do_host_calls },
    { "host failure", 10, do_host_failure },
    { "promises", 10, do_promises },
    { "nested", 10, do_nested },
    { "meddle", 20, do_meddle },
    { "console", 5, do_console },
    { "context", 5, do_context },
    { "terminate", 5, do_terminate },
    { "statistics", 10, do_statistics },
    { "collect", 3, do_collect },
    { "get reference", 10, do_get_reference },
    { "use reference", 15, do_use_reference },
    { "inspect", 10, do_inspect },
    { "snapshot", 2, do_snapshot },
    { "script", 8, soak_do_script },
    { "run script", 10, soak_do_run_script },
    { "code cache", 1, soak_do_cache },
    { "closure", 8, soak_do_closure },
    { "module", 8, soak_do_module },
    { "import", 10, soak_do_import },
    { "import of files", 5, soak_do_files },
    { "external copy", 8, soak_do_copy },
    { "rejection", 8, soak_do_reject },
    { "post", 8, soak_do_post },
    { "block", 8, soak_do_block },
    { "fork", 5, soak_do_fork },
    { "isolate of template", 5, soak_do_template },
    { "close", 5, do_close },
    { "kill a cell", 2, do_kill_cell },
    { "kill an ancestor", 1, do_kill_ancestor },
};
enum {
    ACTIONS = sizeof actions / sizeof actions[0]
};
_Static_assert((int)ACTIONS <= (int)SOAK_ACTIONS_MAX, "room for their counts");

void
soak_settle_deferred(struct soak *soak)
{
    for (int i = 0; i < SOAK_DEFERRED; i++) {
        gbx_deferred *deferred = soak->deferred[i];
        soak->deferred[i] = NULL;
        if (deferred == NULL)
            continue;
        if (soak_chance(soak, 4) == 0)
            gbx_deferred_reject(deferred, "Error", "not today");
        else
            (void)gbx_deferred_resolve(deferred, NULL);
    }
    soak_settle_imports(soak);
}

void
soak_close_shared(struct soak *soak)
{
    gbx_template_close(soak->template);
    gbx_value_free(soak->cache);
    gbx_external_copy_free(soak->copy);
    gbx_files_close(soak->files);
    soak->template = NULL;
    soak->cache = NULL;
    soak->copy = NULL;
    soak->files = NULL;
}

static void
open_shared(struct soak *soak)
{
    static const char a[] = "export { n } from './b.mjs'", b[] = "export const n = 42";

    if (soak->files != NULL)
        return;
    if (gbx_files_open(NULL, &soak->files, NULL) != GBX_OK ||
        gbx_files_add(soak->files, "a.mjs", a, sizeof a - 1) != GBX_OK ||
        gbx_files_add(soak->files, "b.mjs", b, sizeof b - 1) != GBX_OK)
        abort();
}

void
soak_step(struct soak *soak)
{
    struct soak_slot *slot = &soak->slots[soak_chance(soak, SOAK_ISOLATES)];
    unsigned all = 0, at, i = 0;

    if (slot->busy)
        return;
    soak->steps++;
    open_shared(soak);
    if (slot->dead)
        soak_close(slot);
    if (slot->isolate == NULL)
        soak_open(soak, slot);
    for (size_t n = 0; n < ACTIONS; n++)
        all += actions[n].weight;
    for (at = soak_chance(soak, all); at >= actions[i].weight; i++)
        at -= actions[i].weight;
    if (slot->isolate != NULL && !slot->dead) {
        soak->done[i]++;
        actions[i].run(slot);
    }
    if (soak_chance(soak, 8) == 0)
        soak_settle_deferred(soak);
    (void)gbx_runtime_dispatch(soak->runtime, soak_chance(soak, 4) == 0 ? 2000 : 0);
}

void
soak_table(const struct soak *soak)
{
    for (size_t i = 0; i < ACTIONS; i++)
        (void)printf("%8lu %s\n", soak->done[i], actions[i].name);
    (void)printf("%8lu rejections told\n", soak->rejections);
}
