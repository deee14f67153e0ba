/* test_inside.c - looking inside from the host: sessions, and snapshots in both ways. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a session said, all of it, and whether the answer to `wanted` has come. */
struct heard {
    char *text; /* NUL-terminated; chunks of a snapshot are unwrapped by the reader */
    size_t len;
    char wanted[32];
    bool answered;
    size_t chunks, paused;
};

static void
hear(gbx_inspector *inspector, const char *json, size_t len, void *data)
{
    struct heard *heard = data;

    (void)inspector;
    heard->text = realloc(heard->text, heard->len + len + 1);
    cr_assert_not_null(heard->text);
    memcpy(heard->text + heard->len, json, len);
    char *message = heard->text + heard->len;
    heard->len += len;
    heard->text[heard->len] = '\0';
    heard->chunks += strstr(message, "HeapProfiler.addHeapSnapshotChunk") != NULL;
    heard->paused += strstr(message, "Debugger.paused") != NULL;
    heard->answered |= strncmp(message, heard->wanted, strlen(heard->wanted)) == 0;
}

static gbx_inspector *
session_open(const struct world *w, struct heard *heard)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_inspector *inspector = NULL;

    cr_assert_eq(gbx_inspector_open(w->isolate, hear, heard, &inspector, &error), GBX_OK, "%s",
        error.message);
    return inspector;
}

/* Sends a command and waits for its answer. */
static void
ask(const struct world *w, gbx_inspector *inspector, struct heard *heard, int id,
    const char *method, const char *params)
{
    char json[512];
    int n = snprintf(
        json, sizeof json, "{\"id\":%d,\"method\":\"%s\",\"params\":%s}", id, method, params);

    (void)snprintf(heard->wanted, sizeof heard->wanted, "{\"id\":%d,", id);
    heard->answered = false;
    cr_assert_eq(gbx_inspector_send(inspector, json, (size_t)n), GBX_OK);
    dispatch_until(w->runtime, &heard->answered);
}

CleanTest(inspector, collects_a_whole_snapshot_from_its_notifications)
{
    struct world w = world_open(NULL);
    struct heard heard = { .len = 0 };
    gbx_inspector *inspector = session_open(&w, &heard);

    eval_only(w.context, "class Kept {}; globalThis.kept = new Kept()");
    ask(&w, inspector, &heard, 1, "Debugger.enable", "{}");
    ask(&w, inspector, &heard, 2, "HeapProfiler.takeHeapSnapshot", "{}");
    cr_assert_gt(heard.chunks, 0);
    cr_assert_not_null(strstr(heard.text, "node_count"));
    cr_assert_not_null(strstr(heard.text, "Kept"));
    cr_assert_not_null(strstr(heard.text, "\\\"strings\\\""));
    gbx_inspector_close(inspector);
    free(heard.text);
    expect_usable(&w);
    world_close(&w);
}

CleanTest(inspector, pauses_a_busy_loop_whose_deadline_rests_meanwhile)
{
    struct world w = world_open(NULL);
    struct heard heard = { .len = 0 };
    gbx_inspector *inspector = session_open(&w, &heard);
    gbx_call_options limited = GBX_CALL_OPTIONS_INIT;
    const char *loop = "let n = 0; while (!globalThis.enough) n++; n > 0";

    ask(&w, inspector, &heard, 1, "Debugger.enable", "{}");
    limited.timeout_us = 400000;
    gbx_future *future = gbx_context_eval(w.context, loop, strlen(loop), &limited);
    ask(&w, inspector, &heard, 2, "Debugger.pause", "{}");
    while (heard.paused == 0)
        (void)gbx_runtime_dispatch(w.runtime, 10000);
    for (int i = 0; i < 10; i++) /* longer than its deadline and the host's own after it */
        (void)gbx_runtime_dispatch(w.runtime, 100000), sleep_ms(100);
    cr_assert_eq(gbx_future_status(future, NULL), GBX_EBUSY);
    ask(&w, inspector, &heard, 3, "Runtime.evaluate",
        "{\"expression\":\"globalThis.enough = true\"}");
    ask(&w, inspector, &heard, 4, "Debugger.resume", "{}");
    settle(future, GBX_OK);
    gbx_inspector_close(inspector);
    free(heard.text);
    world_close(&w);
}

CleanTest(inspector, of_a_paused_isolate_may_close_with_it)
{
    struct world w = world_open(NULL);
    struct heard heard = { .len = 0 };
    gbx_inspector *inspector = session_open(&w, &heard);

    ask(&w, inspector, &heard, 1, "Debugger.enable", "{}");
    /* V8 has no place to stop at in an empty body. */
    gbx_future *future = start(w.context, "let n = 0; for (;;) n++;", 0);
    ask(&w, inspector, &heard, 2, "Debugger.pause", "{}");
    while (heard.paused == 0)
        (void)gbx_runtime_dispatch(w.runtime, 10000);
    gbx_isolate_close(w.isolate);
    w.isolate = NULL;
    cr_assert_eq(gbx_future_status(future, NULL), GBX_EDISPOSED);
    cr_assert_eq(gbx_inspector_send(inspector, "{}", 2), GBX_EDISPOSED);
    gbx_future_free(future);
    gbx_inspector_close(inspector);
    free(heard.text);
    world_close(&w);
}

/* A snapshot to a file, while a script runs if `busy`. */
static void
snapshot_to_file(uint32_t mode, bool busy)
{
    struct world w = world_open(NULL);
    gbx_snapshot_options options = GBX_SNAPSHOT_OPTIONS_INIT;
    char path[256];

    (void)snprintf(path, sizeof path, "%s/x.heapsnapshot", scratch_directory());
    options.path = path;
    options.mode = mode;
    gbx_future *running = busy ? start(w.context, "for (;;) {}", 0) : NULL;
    gbx_future *snapshot = gbx_heap_snapshot(w.isolate, &options);
    gbx_future *second = gbx_heap_snapshot(w.isolate, &options);
    settle(second, GBX_ELIMIT);
    cr_assert_gt(settle_number(snapshot), 10000);
    cr_assert_gt(snapshot_nodes(path), 1000);
    cr_assert_eq(scratch_entries(), 1);
    if (busy) {
        cr_assert_eq(gbx_future_status(running, NULL), GBX_EBUSY);
        gbx_isolate_terminate(w.isolate);
        settle(running, GBX_ETERMINATED);
    }
    expect_usable(&w);
    cr_assert_eq(remove(path), 0);
    world_close(&w);
}

CleanTest(snapshot, in_the_background_of_a_busy_script_is_whole)
{
    snapshot_to_file(GBX_SNAPSHOT_BACKGROUND, true);
}

CleanTest(snapshot, attached_is_whole)
{
    snapshot_to_file(GBX_SNAPSHOT_ATTACHED, false);
}
