/* bench_snapshot.c - for how long a heap snapshot stops the guest, in the background and attached.
 *
 * The guest answers pings while the snapshot is taken; the longest wait is the pause. */
#include "bench.h"

#include <stdio.h>

enum {
    PINGS_MAX = 1000000 /* that are remembered: more than there are in 10 s */
};

static const struct way {
    const char *name;
    uint32_t mode, flags;
} ways[] = {
    { "background", GBX_SNAPSHOT_BACKGROUND, 0 },
    { "background, zstd", GBX_SNAPSHOT_BACKGROUND, GBX_SNAPSHOT_ZSTD },
    { "background, stable ids", GBX_SNAPSHOT_BACKGROUND, GBX_SNAPSHOT_STABLE_IDS },
    { "attached", GBX_SNAPSHOT_ATTACHED, 0 },
};

static gbx_status
discard(const void *piece, size_t len, void *data)
{
    (void)piece;
    *(uint64_t *)data += len;
    return GBX_OK;
}

static double
longest_ping_ms(gbx_isolate *isolate, const struct way *way, double *median_ms,
    double *total_ms, uint64_t *bytes)
{
    static double pings[PINGS_MAX];
    size_t count = 0;

    gbx_error error = GBX_ERROR_INIT;
    gbx_reference *ping = bench_function(isolate, "ping");
    gbx_snapshot_options options = GBX_SNAPSHOT_OPTIONS_INIT;
    double longest = 0;

    *bytes = 0;
    options.mode = way->mode;
    options.flags = way->flags;
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
        if (count < PINGS_MAX)
            pings[count++] = took;
    } while (gbx_future_status(snapshot, NULL) == GBX_EBUSY);
    *total_ms = (double)(now_ns() - begun) / 1e6;
    must(gbx_future_status(snapshot, &error), &error, "snapshot");
    gbx_future_free(snapshot);
    gbx_reference_close(ping);
    *median_ms = median(pings, count);
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
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        double total, middle;
        uint64_t bytes;
        double pause = longest_ping_ms(isolate, &ways[i], &middle, &total, &bytes);
        (void)snprintf(
            name, sizeof name, "pause of a snapshot, %d MB of heap, %s", mb, ways[i].name);
        (void)snprintf(how, sizeof how,
            "longest ping, median %.4f ms; %.0f MB written in %.1f s", middle,
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
