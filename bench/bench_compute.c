/* bench_compute.c - ten compute kernels in a cell, beside the same in plain node: the same V8, one
 * with helper threads for compilation and garbage collection, one without. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const gbx_value *
item(const gbx_value *array, uint32_t index)
{
    return gbx_value_at(array, index);
}

static double
number(const gbx_value *value)
{
    double n = 0;

    must(gbx_value_get_number(value, &n), NULL, "number");
    return n;
}

/* `node -e` prints one "name milliseconds" line a kernel. */
static double
node_ms(char *output, const char *name)
{
    char key[64];

    (void)snprintf(key, sizeof key, "%s ", name);
    const char *at = strstr(output, key);
    return at == NULL ? 0 : strtod(at + strlen(key), NULL);
}

int
main(void)
{
    char command[1024], output[4096] = "", *source = bench_read(BENCH_KERNELS);

    (void)snprintf(command, sizeof command,
        "'%s' -e \"$(cat '%s'); for (const [n, ms] of runKernels()) console.log(n, ms)\"",
        BENCH_NODE, BENCH_KERNELS);
    FILE *node = popen(command, "r"); /* both paths are the build's own */
    if (node == NULL || fread(output, 1, sizeof output - 1, node) == 0 || pclose(node) != 0)
        must(GBX_ESYS, NULL, "node");

    gbx_error error = GBX_ERROR_INIT;
    gbx_runtime *runtime = bench_runtime(GBX_POOL_NONE);
    gbx_isolate *isolate = bench_isolate(runtime, (uint64_t)1 << 30);
    gbx_value *rows = NULL;
    double ratios[32];
    bench_run(isolate, source);
    must(gbx_eval(gbx_isolate_context(isolate), "runKernels()", NULL, &rows, &error), &error,
        "kernels");
    size_t count = gbx_value_length(rows);
    for (uint32_t i = 0; i < count; i++) {
        const char *text;
        size_t len;
        char name[32], how[64];
        must(gbx_value_get_string(item(item(rows, i), 0), &text, &len), NULL, "name");
        (void)snprintf(name, sizeof name, "%.*s", (int)len, text);
        double ours = number(item(item(rows, i), 1)), theirs = node_ms(output, name);
        ratios[i] = ours / theirs;
        (void)snprintf(how, sizeof how, "node %.1f ms, ratio %.2f", theirs, ratios[i]);
        report(name, ours, "ms", how);
    }
    report("compute kernels, cell to node", median(ratios, count), "ratio",
        "median of the ratios; below 1 the cell is faster");
    gbx_value_free(rows);
    gbx_isolate_close(isolate);
    gbx_runtime_close(runtime);
    free(source);
    return 0;
}
