/* bench_fork.c - isolates that begin where another one is: forks of a live one, and templates.
 *
 * The large script is typescript.js, which BENCH_TYPESCRIPT names: tools/bench gets it from npm. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    ROUNDS = 200,
    SCRIPT_ROUNDS = 20,
    SCRIPT_MEMORY = 512 << 20
};

static double
ms_since(uint64_t start)
{
    return (double)(now_ns() - start) / 1e6;
}

static void
forks(gbx_runtime *runtime)
{
    gbx_isolate *isolate = bench_isolate(runtime, 0), *fork = NULL;
    gbx_error error = GBX_ERROR_INIT;
    double opened[ROUNDS], answered[ROUNDS];

    bench_run(isolate, bench_library());
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t start = now_ns();
        must(gbx_isolate_fork(isolate, NULL, &fork, &error), &error, "fork");
        opened[i] = ms_since(start);
        bench_run(fork, "1 + 1");
        answered[i] = ms_since(start);
        gbx_isolate_close(fork);
        (void)gbx_runtime_dispatch(runtime, 1000);
    }
    report("fork of a live isolate", median(opened, ROUNDS), "ms",
        "with a 30 KB library; median of 200");
    report("fork, and its first answer", median(answered, ROUNDS), "ms", "median of 200");
    gbx_isolate_close(isolate);
}

static char *
read_script(const char *path, size_t *len)
{
    FILE *file = fopen(path, "re");
    char *text = malloc(16 << 20);

    *len = file == NULL || text == NULL ? 0 : fread(text, 1, 16 << 20, file);
    if (file == NULL || *len == 0 || fclose(file) != 0) {
        (void)fprintf(stderr, "bench: cannot read %s\n", path);
        exit(1);
    }
    return text;
}

static void
large_script(gbx_runtime *runtime, const char *path)
{
    static const char work[] = "ts.transpileModule('let n: number = 42;', {}).outputText";
    gbx_template_options options = GBX_TEMPLATE_OPTIONS_INIT;
    gbx_isolate_options limits = GBX_ISOLATE_OPTIONS_INIT;
    gbx_preload preloads[2] = { { .kind = GBX_PRELOAD_SCRIPT },
        { .kind = GBX_PRELOAD_SCRIPT, .data = work, .len = sizeof work - 1 } };
    gbx_error error = GBX_ERROR_INIT;
    gbx_template *template = NULL;
    gbx_isolate *isolate = NULL;
    double cold[SCRIPT_ROUNDS], warm[SCRIPT_ROUNDS];
    size_t len;
    char *text = read_script(path, &len);

    limits.memory_limit_bytes = SCRIPT_MEMORY;
    for (int i = 0; i < SCRIPT_ROUNDS / 4; i++) {
        uint64_t start = now_ns();
        isolate = bench_isolate(runtime, SCRIPT_MEMORY);
        gbx_future *future = gbx_context_eval(gbx_isolate_context(isolate), text, len,
            &(gbx_call_options){
                .size = sizeof(gbx_call_options), .flags = GBX_RESULT_IGNORE });
        must(gbx_future_wait(future, -1, &error), &error, "script");
        gbx_future_free(future);
        bench_run(isolate, work);
        cold[i] = ms_since(start);
        gbx_isolate_close(isolate);
    }
    preloads[0].data = text;
    preloads[0].len = len;
    options.isolate = &limits;
    options.preloads = preloads;
    options.count = 2;
    must(gbx_template_open(runtime, &options, &template, &error), &error, "template");
    for (int i = 0; i < SCRIPT_ROUNDS; i++) {
        uint64_t start = now_ns();
        must(gbx_template_isolate(template, NULL, &isolate, &error), &error, "isolate");
        bench_run(isolate, work);
        warm[i] = ms_since(start);
        gbx_isolate_close(isolate);
        (void)gbx_runtime_dispatch(runtime, 1000);
    }
    report("typescript.js, cold, to the first answer", median(cold, SCRIPT_ROUNDS / 4), "ms",
        "compile, run, transpile a line; median of 5");
    report("the same from a template", median(warm, SCRIPT_ROUNDS), "ms", "median of 20");
    gbx_template_close(template);
    free(text);
}

int
main(void)
{
    gbx_runtime *runtime = bench_runtime(GBX_POOL_NONE);
    const char *path = getenv("BENCH_TYPESCRIPT");

    forks(runtime);
    if (path != NULL)
        large_script(runtime, path);
    gbx_runtime_close(runtime);
    return 0;
}
