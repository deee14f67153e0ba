/* bench_memory.c - what live isolates cost, the kernel's share included, and that nothing stays
 * behind them. Reads smaps of other processes: run it as root. */
#include "bench.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LIVE = 300
};

/* The number after `key` in a /proc file of "key:  number kB" lines; 0 when it is not there. */
static double
proc_kb(const char *path, const char *key)
{
    char line[256];
    double kb = 0;
    FILE *file = fopen(path, "r");

    if (file == NULL)
        return 0;
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, key, strlen(key)) == 0) {
            kb = strtod(line + strlen(key) + 1, NULL);
            break;
        }
    (void)fclose(file);
    return kb;
}

static double
of_process(uint32_t pid, const char *file, const char *key)
{
    char path[64];

    (void)snprintf(path, sizeof path, "/proc/%u/%s", pid, file);
    return proc_kb(path, key);
}

/* Page tables, kernel stacks and slabs of the whole machine: what a process costs beyond its own
 * pages shows here. */
static double
kernel_kb(void)
{
    return proc_kb("/proc/meminfo", "PageTables") + proc_kb("/proc/meminfo", "KernelStack") +
           proc_kb("/proc/meminfo", "Slab");
}

static int
entries(const char *path)
{
    int count = 0;
    DIR *dir = opendir(path);

    while (dir != NULL && readdir(dir) != NULL)
        count++;
    if (dir != NULL)
        (void)closedir(dir);
    return count;
}

static void
live(void)
{
    gbx_runtime *runtime = bench_runtime(GBX_POOL_NONE);
    static gbx_isolate *isolates[LIVE];
    double private_kb = 0, pss_kb = 0, before, free_before;

    gbx_isolate_close(bench_isolate(runtime, 0));
    before = kernel_kb();
    free_before = proc_kb("/proc/meminfo", "MemAvailable");
    for (int i = 0; i < LIVE; i++) {
        isolates[i] = bench_isolate(runtime, 0);
        bench_run(isolates[i], bench_library());
    }
    double kernel = (kernel_kb() - before) / LIVE;
    double gone = (free_before - proc_kb("/proc/meminfo", "MemAvailable")) / LIVE;
    for (int i = 0; i < LIVE; i++) {
        gbx_usage usage = GBX_USAGE_INIT;
        must(gbx_isolate_usage(isolates[i], &usage), NULL, "usage");
        private_kb += of_process(usage.pid, "smaps_rollup", "Private_Dirty") +
                      of_process(usage.pid, "smaps_rollup", "Private_Clean");
        pss_kb += of_process(usage.pid, "smaps_rollup", "Pss");
    }
    const char *how = "mean over 300 live ones, each with a 30 KB library";
    report("memory of a live isolate, private", private_kb / LIVE, "KiB", how);
    report("memory of a live isolate, PSS", pss_kb / LIVE, "KiB", how);
    report("  and the kernel's share: page tables, stacks, slab", kernel, "KiB",
        "from /proc/meminfo");
    report("PSS and the kernel's share", pss_kb / LIVE + kernel, "KiB", how);
    report("loss of MemAvailable for each", gone, "KiB", "the machine's own view of it all");
    for (int i = 0; i < LIVE; i++)
        gbx_isolate_close(isolates[i]);
    gbx_runtime_close(runtime);
}

static void
churn(int cycles)
{
    gbx_runtime *runtime = bench_runtime(0);
    char how[128];

    for (int i = 0; i < 100; i++)
        gbx_isolate_close(bench_isolate(runtime, 0));
    double rss = proc_kb("/proc/self/status", "VmRSS");
    int fds = entries("/proc/self/fd"), processes = entries("/proc");
    uint64_t start = now_ns();
    for (int i = 0; i < cycles; i++) {
        gbx_isolate *isolate = bench_isolate(runtime, 0);
        bench_run(isolate, "1 + 1");
        gbx_isolate_close(isolate);
    }
    (void)snprintf(how, sizeof how, "of %d; RSS %+.0f KiB, fds %+d, processes %+d", cycles,
        proc_kb("/proc/self/status", "VmRSS") - rss, entries("/proc/self/fd") - fds,
        entries("/proc") - processes);
    report(
        "a cycle of open, eval, close", (double)(now_ns() - start) / 1e6 / cycles, "ms", how);
    gbx_runtime_close(runtime);
}

int
main(int argc, char **argv)
{
    live();
    churn(argc > 1 ? atoi(argv[1]) : 10000);
    return 0;
}
