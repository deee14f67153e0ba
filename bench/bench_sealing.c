/* bench_sealing.c - what the walls cost: the same work in cells with all of them, and in cells
 * without namespaces, landlock and filter (test/hostile, linked for tests only), turn by turn. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    ROUNDS = 300,
    RUNS = 20,
};

struct side {
    gbx_runtime *runtime;
    double samples[ROUNDS];
};

/* Cells from a libexec folder. */
static void
side_open(struct side *side, const char *folder)
{
    gbx_runtime_options options = GBX_RUNTIME_OPTIONS_INIT;
    gbx_error error = GBX_ERROR_INIT;

    if (folder != NULL && setenv("GLOVEBOX_LIBEXEC", folder, 1) != 0)
        exit(1);
    options.pool = GBX_POOL_NONE;
    options.require = GBX_REQUIRE_NONE;
    must(gbx_runtime_open(&options, &side->runtime, &error), &error, "open");
    (void)unsetenv("GLOVEBOX_LIBEXEC");
    gbx_isolate_close(bench_isolate(side->runtime, 0));
}

static double
create(struct side *side)
{
    uint64_t start = now_ns();
    gbx_isolate *isolate = bench_isolate(side->runtime, 0);

    bench_run(isolate, "1 + 1");
    double ms = (double)(now_ns() - start) / 1e6;
    gbx_isolate_close(isolate);
    (void)gbx_runtime_dispatch(side->runtime, 1000);
    return ms;
}

/* Allocates, collects, compiles: what makes system calls. */
static double
run(struct side *side)
{
    gbx_isolate *isolate = bench_isolate(side->runtime, 0);
    uint64_t start = now_ns();

    bench_run(isolate,
        "let kept = []; for (let i = 0; i < 3e5; i++) { kept[i % 1e4] = { i, s: 'x' + i }; }"
        "for (let i = 0; i < 300; i++) new Function('a', 'return a + ' + i)(i);"
        "for (let i = 0; i < 100; i++) new ArrayBuffer(1e6);");
    double ms = (double)(now_ns() - start) / 1e6;
    gbx_isolate_close(isolate);
    return ms;
}

static void
compare(struct side *sealed, struct side *open, double (*work)(struct side *), int rounds,
    const char *what)
{
    char name[80], how[64];

    for (int i = 0; i < rounds; i++) {
        sealed->samples[i] = work(sealed);
        open->samples[i] = work(open);
    }
    (void)snprintf(how, sizeof how, "turn by turn; median of %d", rounds);
    double with = median(sealed->samples, (size_t)rounds);
    double without = median(open->samples, (size_t)rounds);
    (void)snprintf(name, sizeof name, "%s, all walls", what);
    report(name, with, "ms", how);
    (void)snprintf(name, sizeof name, "%s, none", what);
    report(name, without, "ms", how);
    (void)snprintf(name, sizeof name, "%s, what they cost", what);
    report(name, with - without, "ms", "the difference");
}

int
main(void)
{
    static struct side sealed, open;

    side_open(&sealed, NULL);
    side_open(&open, UNSEALED_FOLDER);
    compare(&sealed, &open, create, ROUNDS, "isolate, first eval");
    compare(&sealed, &open, run, RUNS, "guest that allocates and compiles");
    gbx_runtime_close(sealed.runtime);
    gbx_runtime_close(open.runtime);
    return 0;
}
