/* bench_snapshot.c - for how long a heap snapshot stops the guest, in the background and attached.
 *
 * The guest answers pings while the snapshot is taken; the longest wait is the pause. */
#include "bench.h"

#include <stdio.h>

static gbx_status
discard(const void *piece, size_t len, void *data)
{
    (void)piece;
    *(uint64_t *)data += len;
    return GBX_OK;
}

static double
longest_ping_ms(gbx_isolate *isolate, uint32_t mode, double *total_ms, uint64_t *bytes)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_reference *ping = bench_function(isolate, "ping");
    gbx_snapshot_options options = GBX_SNAPSHOT_OPTIONS_INIT;
    double longest = 0;

    *bytes = 0;
    options.mode = mode;
    options.sink = discard;
    options.data = bytes;
    uint64_t begun = now_ns();
    gbx_future *snapshot = gbx_heap_snapshot(isolate, &options);
    do {
        uint64_t start = now_ns();
        gbx_future *future = gbx_reference_call(ping, NULL, NULL, 0, NULL);
        must(gbx_future_wait(future, -1, &error), &error, "ping");
        gbx_future_free(future);
        double took = (double)(now_ns() - start) / 1e6;
        longest = took > longest ? took : longest;
    } while (gbx_future_status(snapshot, NULL) == GBX_EBUSY);
    *total_ms = (double)(now_ns() - begun) / 1e6;
    must(gbx_future_status(snapshot, &error), &error, "snapshot");
    gbx_future_free(snapshot);
    gbx_reference_close(ping);
    return longest;
}

static void
at_size(gbx_runtime *runtime, int mb)
{
    gbx_isolate *isolate = bench_isolate(runtime, (uint64_t)2 << 30);
    char source[256], name[64], how[96];

    /* An object with two fields and a short string of its own: about 100 bytes. */
    (void)snprintf(source, sizeof source,
        "globalThis.kept = []; for (let i = 0; i < %d; i++) kept.push({ id: i, name: 'n' + i "
        "});"
        "function ping() { return 1; }",
        mb * 10000);
    bench_run(isolate, source);
    for (uint32_t mode = GBX_SNAPSHOT_BACKGROUND; mode <= GBX_SNAPSHOT_ATTACHED; mode++) {
        double total;
        uint64_t bytes;
        double pause = longest_ping_ms(isolate, mode, &total, &bytes);
        (void)snprintf(name, sizeof name, "pause of a snapshot, %d MB of heap, %s", mb,
            mode == GBX_SNAPSHOT_BACKGROUND ? "background" : "attached");
        (void)snprintf(how, sizeof how, "longest ping; %.0f MB written in %.1f s",
            (double)bytes / 1e6, total / 1e3);
        report(name, pause, "ms", how);
    }
    gbx_isolate_close(isolate);
}

int
main(void)
{
    gbx_runtime *runtime = bench_runtime(GBX_POOL_NONE);

    at_size(runtime, 5);
    at_size(runtime, 50);
    at_size(runtime, 500);
    gbx_runtime_close(runtime);
    return 0;
}
