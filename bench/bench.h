/* bench.h - what the benchmarks share. Each prints lines "name  median unit  (how)", measured
 * alone on the machine; a stranger can run them with `make bench`. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include "base/clock.h"

#include <glovebox/glovebox.h>

#include <stddef.h>

/* Ends the program with a message: a benchmark has no other use for a failure. */
void must(gbx_status status, const gbx_error *error, const char *what);

gbx_runtime *bench_runtime(uint32_t pool);
gbx_isolate *bench_isolate(gbx_runtime *runtime, uint64_t memory_limit_bytes);
/* Evaluates and drops the result. */
void bench_run(gbx_isolate *isolate, const char *source);
gbx_reference *bench_function(gbx_isolate *isolate, const char *path);

/* A file of less than 1 MiB, NUL-terminated; free() it. */
char *bench_read(const char *path);

/* Samples in nanoseconds; the median of them. Sorts. */
double median(double *samples, size_t count);
/* One line; `value` in `unit`. */
void report(const char *name, double value, const char *unit, const char *how);

/* A 30 KB library of plain functions, as a plugin would load; NUL-terminated, static. */
const char *bench_library(void);

#endif
