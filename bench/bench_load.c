/* bench_load.c - many at a time: calls under way in many isolates, and files of a module graph. */
#include "bench.h"

#include <stdbool.h>
#include <stdio.h>

enum {
    ISOLATES = 16,
    CALLS = 64,
    BATCHES = 200,
    MODULES = 200,
    ROUNDS = 50,
    FILE_MAX = 1024
};

static double
us_since(uint64_t start)
{
    return (double)(now_ns() - start) / 1e3;
}

/* --- calls ---------------------------------------------------------------------------------- */

static gbx_future *
start(gbx_reference *function)
{
    return gbx_reference_call(function, NULL, NULL, 0, NULL);
}

static void
finish(gbx_future *future)
{
    gbx_error error = GBX_ERROR_INIT;

    must(gbx_future_wait(future, -1, &error), &error, "call");
    gbx_future_free(future);
}

/* `source` makes the function `work`. Each batch is CALLS calls: all started and then awaited, and
 * beside it one after the other. */
static void
calls(gbx_runtime *runtime, const char *source, const char *what)
{
    gbx_isolate *isolates[ISOLATES];
    gbx_reference *work[ISOLATES];
    gbx_future *futures[CALLS];
    double together[BATCHES], single[BATCHES];
    char name[80];

    for (int i = 0; i < ISOLATES; i++) {
        isolates[i] = bench_isolate(runtime, 0);
        bench_run(isolates[i], source);
        work[i] = bench_function(isolates[i], "work");
    }
    for (int b = 0; b < BATCHES; b++) {
        uint64_t from = now_ns();
        for (int i = 0; i < CALLS; i++)
            futures[i] = start(work[i % ISOLATES]);
        for (int i = 0; i < CALLS; i++)
            finish(futures[i]);
        together[b] = us_since(from) / CALLS;
        from = now_ns();
        for (int i = 0; i < CALLS; i++)
            finish(start(work[i % ISOLATES]));
        single[b] = us_since(from) / CALLS;
    }
    (void)snprintf(name, sizeof name, "64 calls over 16 isolates, %s", what);
    report(name, median(together, BATCHES), "us", "each; all under way; median of 200 batches");
    report("the same, one after the other", median(single, BATCHES), "us", "each");
    for (int i = 0; i < ISOLATES; i++) {
        gbx_reference_close(work[i]);
        gbx_isolate_close(isolates[i]);
    }
}

/* --- modules -------------------------------------------------------------------------------- */

/* What file i is without its imports and exports. */
static size_t
write_body(char *text, size_t size, int i, bool left, bool right)
{
    int n = snprintf(text, size,
        "const table%d = new Map([['a', %d], ['b', %d]]);\n"
        "class C%d { constructor(x) { this.x = x; } get double() { return this.x * 2; } }\n"
        "function f%d() { return new C%d(table%d.get('a')).double",
        i, i, i + 1, i, i, i, i);

    if (left)
        n += snprintf(text + n, size - (size_t)n, " + f%d()", 2 * i + 1);
    if (right)
        n += snprintf(text + n, size - (size_t)n, " + f%d()", 2 * i + 2);
    n += snprintf(text + n, size - (size_t)n, "; }\n");
    return (size_t)n;
}

/* A binary tree of files: i imports 2i + 1 and 2i + 2. `whole`: all of them as one script. */
static gbx_files *
graph(char *whole, size_t size)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_files *files = NULL;
    size_t used = 0;

    must(gbx_files_open(NULL, &files, &error), &error, "files");
    for (int i = 0; i < MODULES; i++) {
        char name[32], text[FILE_MAX];
        bool has[] = { 2 * i + 1 < MODULES, 2 * i + 2 < MODULES };
        size_t n = 0;

        for (int j = 0; j < 2; j++)
            if (has[j])
                n += (size_t)snprintf(text + n, sizeof text - n,
                    "import { f%d } from './m%d.mjs';\n", 2 * i + 1 + j, 2 * i + 1 + j);
        n += write_body(text + n, sizeof text - n, i, has[0], has[1]);
        n += (size_t)snprintf(text + n, sizeof text - n, "export { f%d };\n", i);
        (void)snprintf(name, sizeof name, "m%d.mjs", i);
        must(gbx_files_add(files, name, text, n), &error, "file");
        used += write_body(whole + used, size - used, i, has[0], has[1]);
    }
    (void)snprintf(whole + used, size - used, "f0()");
    return files;
}

static void
modules(gbx_runtime *runtime)
{
    static char whole[MODULES * FILE_MAX];
    gbx_error error = GBX_ERROR_INIT;
    gbx_files *files = graph(whole, sizeof whole);
    double imported[ROUNDS], scripts[ROUNDS];

    for (int i = 0; i < ROUNDS; i++) {
        gbx_isolate *isolate = bench_isolate(runtime, 0);
        gbx_context *context = gbx_isolate_context(isolate);
        must(gbx_context_set_loader(context, gbx_files_load, files), &error, "loader");
        bench_run(isolate, "1");
        uint64_t from = now_ns();
        gbx_future *future = gbx_context_import(context, "./m0.mjs", NULL);
        must(gbx_future_wait(future, -1, &error), &error, "import");
        imported[i] = us_since(from) / 1e3;
        gbx_future_free(future);
        from = now_ns();
        bench_run(isolate, whole);
        scripts[i] = us_since(from) / 1e3;
        gbx_isolate_close(isolate);
        (void)gbx_runtime_dispatch(runtime, 3000);
    }
    report("module graph of 200 files, imported", median(imported, ROUNDS), "ms",
        "files of a map; median of 50");
    report("the same code as one script", median(scripts, ROUNDS), "ms", "median of 50");
    gbx_files_close(files);
}

int
main(void)
{
    gbx_runtime *runtime = bench_runtime(ISOLATES);

    calls(runtime, "function work() { return 1; }", "empty");
    calls(runtime,
        "function work() { let x = 0; for (let i = 0; i < 1e5; i++) x = (x * 31 + i) | 0; "
        "return x; }",
        "a loop of 100,000");
    modules(runtime);
    gbx_runtime_close(runtime);
    return 0;
}
