#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
must(gbx_status status, const gbx_error *error, const char *what)
{
    if (status == GBX_OK)
        return;
    (void)fprintf(stderr, "bench: %s: %s\n", what,
        error != NULL && error->message[0] != '\0' ? error->message : gbx_strstatus(status));
    exit(1);
}

gbx_runtime *
bench_runtime(uint32_t pool)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_runtime_options options = GBX_RUNTIME_OPTIONS_INIT;
    gbx_runtime *runtime = NULL;

    options.pool = pool;
    must(gbx_runtime_open(&options, &runtime, &error), &error, "runtime");
    return runtime;
}

gbx_isolate *
bench_isolate(gbx_runtime *runtime, uint64_t memory_limit_bytes)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    gbx_isolate *isolate = NULL;

    options.memory_limit_bytes = memory_limit_bytes;
    must(gbx_isolate_open(runtime, &options, &isolate, &error), &error, "isolate");
    return isolate;
}

void
bench_run(gbx_isolate *isolate, const char *source)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;

    options.flags = GBX_RESULT_IGNORE;
    must(
        gbx_eval(gbx_isolate_context(isolate), source, &options, NULL, &error), &error, "eval");
}

gbx_reference *
bench_function(gbx_isolate *isolate, const char *path)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;

    options.flags = GBX_RESULT_REFERENCE;
    gbx_future *future = gbx_context_get(gbx_isolate_context(isolate), path, &options);
    must(gbx_future_wait(future, -1, &error), &error, path);
    gbx_reference *reference = gbx_future_take_reference(future);
    gbx_future_free(future);
    return reference;
}

char *
bench_read(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = calloc(1, 1 << 20);

    if (file == NULL || text == NULL || fread(text, 1, (1 << 20) - 1, file) == 0)
        must(GBX_EINVAL, NULL, path);
    (void)fclose(file);
    return text;
}

static int
ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double
median(double *samples, size_t count)
{
    qsort(samples, count, sizeof *samples, ascending);
    return count % 2 == 1 ? samples[count / 2]
                          : (samples[count / 2 - 1] + samples[count / 2]) / 2;
}

void
report(const char *name, double value, const char *unit, const char *how)
{
    (void)printf("%-52s %12.*f %-6s %s\n", name,
        value < 10     ? 3
        : value < 1000 ? 1
                       : 0,
        value, unit, how);
    (void)fflush(stdout);
}

const char *
bench_library(void)
{
    static char text[32 * 1024];
    size_t len = 0;

    for (int i = 0; len < 30 * 1024; i++)
        len += (size_t)snprintf(text + len, sizeof text - len,
            "function helper%d(a, b) {\n  const out = [];\n  for (let i = 0; i < a.length; "
            "i++)\n"
            "    out.push({ key: a[i] + '%d', value: b * i });\n  return out;\n}\n",
            i, i);
    return text;
}
