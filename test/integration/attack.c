/* attack.c - the harness of attacks: see attack.h. */
#include "attack.h"

#include <dirent.h>
#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

#define GROWTH      (16u << 20) /* bytes by which the host may grow in one attack */
#define BACK_AT_MS  20000       /* processes that were killed are gone by then */
#define DEFERS_KEPT 65536

/* What must come back to what it was. */
struct host {
    uint64_t memory_bytes;
    size_t descriptors, threads;
};

static gbx_runtime *runtime;
static gbx_isolate *canary;
static struct host before;
static gbx_deferred *kept[DEFERS_KEPT];
static size_t kept_count;

void
attack_wrong(struct attack_report *report, const char *format, ...)
{
    va_list args;

    if (report->wrong[0] != '\0')
        return;
    va_start(args, format);
    (void)vsnprintf(report->wrong, sizeof report->wrong, format, args);
    va_end(args);
}

const char *
attack_status(gbx_status status)
{
    switch (status) {
#define X(name, value, text) \
    case value:              \
        return #name;
        GBX_STATUS_LIST(X)
#undef X
    default:
        return "?";
    }
}

/* --- the host's functions ------------------------------------------------------------------- */

static gbx_status
now(gbx_callback *callback, void *data)
{
    (void)callback;
    (void)data;
    return GBX_OK;
}

static gbx_status
later(gbx_callback *callback, void *data)
{
    gbx_deferred *deferred;
    gbx_status status = gbx_callback_defer(callback, &deferred);

    (void)data;
    return status != GBX_OK ? status : gbx_deferred_resolve(deferred, NULL);
}

static gbx_status
never(gbx_callback *callback, void *data)
{
    gbx_deferred *deferred;
    gbx_status status = gbx_callback_defer(callback, &deferred);

    (void)data;
    if (status == GBX_OK)
        gbx_deferred_reject(deferred, "Error", "never");
    return status;
}

static gbx_status
pending(gbx_callback *callback, void *data)
{
    (void)data;
    if (kept_count == DEFERS_KEPT)
        return GBX_ELIMIT;
    gbx_status status = gbx_callback_defer(callback, &kept[kept_count]);
    kept_count += status == GBX_OK;
    return status;
}

size_t
attack_kept(void)
{
    return kept_count;
}

void
attack_settle_kept(void)
{
    while (kept_count > 0)
        gbx_deferred_reject(kept[--kept_count], NULL, "over");
}

static gbx_status
failing(gbx_callback *callback, void *data)
{
    (void)callback;
    (void)data;
    return GBX_ESYS;
}

static gbx_status
echo(gbx_callback *callback, void *data)
{
    (void)data;
    return gbx_callback_count(callback) == 0
               ? GBX_OK
               : gbx_callback_return(callback, gbx_callback_argument(callback, 0));
}

static gbx_status
run_text(gbx_callback *callback, void *data)
{
    gbx_context *context = gbx_isolate_context(gbx_callback_isolate(callback));
    const char *text = NULL;
    gbx_value *value = NULL;
    gbx_error error = GBX_ERROR_INIT;

    (void)data;
    if (gbx_callback_count(callback) == 0 ||
        gbx_value_get_string(gbx_callback_argument(callback, 0), &text, NULL) != GBX_OK)
        return GBX_EINVAL;
    gbx_status status = gbx_eval(context, text, NULL, &value, &error);
    if (status != GBX_OK)
        return gbx_callback_throw(callback, "Error", error.message);
    status = gbx_callback_return(callback, value);
    gbx_value_free(value);
    return status;
}

void
attack_give(gbx_isolate *isolate, const char *name, gbx_function function, void *data,
    struct attack_report *report)
{
    gbx_future *future =
        gbx_context_set_function(gbx_isolate_context(isolate), name, function, data);
    gbx_error error = GBX_ERROR_INIT;

    if (gbx_future_wait(future, -1, &error) != GBX_OK)
        attack_wrong(report, "%s: %s", name, error.message);
    gbx_future_free(future);
}

/* --- the host ------------------------------------------------------------------------------- */

uint64_t
attack_memory_of(uint32_t pid, const char *field)
{
    char path[64], line[256];
    unsigned long long kib = 0;

    (void)snprintf(path, sizeof path, "/proc/%u/status", pid);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, field, strlen(field)) == 0 && line[strlen(field)] == ':')
            (void)sscanf(line + strlen(field), ": %llu", &kib);
    if (file != NULL)
        (void)fclose(file);
    return kib * 1024;
}

static size_t
entries_of(const char *path)
{
    DIR *directory = opendir(path);
    size_t count = 0;

    for (const struct dirent *e; directory != NULL && (e = readdir(directory)) != NULL;)
        count += e->d_name[0] != '.';
    if (directory != NULL)
        (void)closedir(directory);
    return count;
}

/* The parent of a process, and whether it is a cell or a snapshot's child; 0: gone. */
static int
parent_of(int pid, bool *is_cell)
{
    char path[64], line[512] = "";
    int parent = 0;

    (void)snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    const char *got = fgets(line, sizeof line, file), *shut = strrchr(line, ')');
    (void)fclose(file);
    *is_cell = strstr(line, "(gbx-cell)") != NULL || strstr(line, "(gbx-snapshot)") != NULL;
    return got != NULL && shut != NULL && sscanf(shut + 1, " %*c %d", &parent) == 1 ? parent
                                                                                    : 0;
}

/* Cells below this process. Templates come with new limits and stay. */
static size_t
cells(void)
{
    DIR *directory = opendir("/proc");
    size_t count = 0;
    bool is_cell, ignored;

    for (const struct dirent *e; directory != NULL && (e = readdir(directory)) != NULL;) {
        int pid = (int)strtol(e->d_name, NULL, 10);
        int above = pid > 1 ? parent_of(pid, &is_cell) : 0;
        if (above == 0 || !is_cell)
            continue;
        while (above > 1 && above != (int)getpid())
            above = parent_of(above, &ignored);
        count += above == (int)getpid();
    }
    if (directory != NULL)
        (void)closedir(directory);
    return count;
}

static struct host
look_at_host(void)
{
    (void)malloc_trim(0);
    return (struct host){ .memory_bytes = attack_memory_of((uint32_t)getpid(), "VmRSS"),
        .descriptors = entries_of("/proc/self/fd"),
        .threads = entries_of("/proc/self/task") };
}

static void
reset_peak(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "we");

    if (file != NULL) {
        (void)fputs("5", file);
        (void)fclose(file);
    }
}

static uint64_t
now_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Waits until so many are left: what was killed takes its time to go. */
static size_t
expect_cells(size_t count)
{
    uint64_t until = now_us() + BACK_AT_MS * 1000ull;
    size_t there;

    while ((there = cells()) > count && now_us() < until)
        (void)gbx_runtime_dispatch(runtime, 1000);
    return there;
}

static void
expect_host_as_before(uint64_t grown_bytes, struct attack_report *report)
{
    uint64_t peak = attack_memory_of((uint32_t)getpid(), "VmHWM");
    size_t left = expect_cells(1);
    struct host after = look_at_host();

    if (left != 1)
        attack_wrong(report, "%zu cells are left", left - 1);
    if (after.descriptors != before.descriptors)
        attack_wrong(
            report, "%zu descriptors, there were %zu", after.descriptors, before.descriptors);
    if (after.threads != before.threads)
        attack_wrong(report, "%zu threads, there were %zu", after.threads, before.threads);
#ifndef SANITIZED /* which keeps what was freed */
    if (peak > before.memory_bytes + GROWTH + grown_bytes)
        attack_wrong(report, "the host grew by %llu KiB",
            (unsigned long long)(peak - before.memory_bytes) / 1024);
    if (after.memory_bytes > before.memory_bytes + GROWTH)
        attack_wrong(report, "the host kept %llu KiB",
            (unsigned long long)(after.memory_bytes - before.memory_bytes) / 1024);
#else
    (void)peak;
    (void)grown_bytes;
#endif
}

/* --- isolates ------------------------------------------------------------------------------- */

bool
attack_answers(gbx_isolate *isolate)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_value *value = NULL;
    double number = 0;

    bool good =
        gbx_eval(gbx_isolate_context(isolate), "40 + 2", NULL, &value, &error) == GBX_OK &&
        gbx_value_get_number(value, &number) == GBX_OK && number == 42;
    if (!good)
        (void)fprintf(stderr, "# %s: %s\n", attack_status(error.status), error.message);
    gbx_value_free(value);
    return good;
}

static bool
begin(uint32_t require)
{
    gbx_runtime_options options = GBX_RUNTIME_OPTIONS_INIT;
    gbx_error error = GBX_ERROR_INIT;

    options.pool = GBX_POOL_NONE;
    options.require = require;
    if (gbx_runtime_open(&options, &runtime, &error) == GBX_OK &&
        gbx_isolate_open(runtime, NULL, &canary, &error) == GBX_OK && attack_answers(canary))
        return true;
    (void)fprintf(stderr, "no glovebox: %s\n", error.message);
    return false;
}

bool
attack_begin_with(const char *libexec, uint32_t require)
{
    return setenv("GLOVEBOX_LIBEXEC", libexec, 1) == 0 && begin(require);
}

bool
attack_begin(void)
{
    return begin(GBX_REQUIRE_STRICT);
}

void
attack_end(void)
{
    gbx_isolate_close(canary);
    gbx_runtime_close(runtime);
}

gbx_runtime *
attack_runtime(void)
{
    return runtime;
}

gbx_isolate *
attack_open(const gbx_isolate_options *options, struct attack_report *report)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_isolate *isolate = NULL;

    *report = (struct attack_report){ .error = GBX_ERROR_INIT, .isolate = "" };
    /* With new limits comes a template, which stays. */
    if (gbx_isolate_open(runtime, options, &isolate, &error) == GBX_OK)
        gbx_isolate_close(isolate);
    expect_cells(1);
    before = look_at_host();
    reset_peak();
    if (gbx_isolate_open(runtime, options, &isolate, &error) != GBX_OK) {
        attack_wrong(report, "no isolate: %s", error.message);
        return NULL;
    }
    attack_give(isolate, "now", now, NULL, report);
    attack_give(isolate, "later", later, NULL, report);
    attack_give(isolate, "never", never, NULL, report);
    attack_give(isolate, "pending", pending, NULL, report);
    attack_give(isolate, "fail", failing, NULL, report);
    attack_give(isolate, "echo", echo, NULL, report);
    attack_give(isolate, "run", run_text, NULL, report);
    return isolate;
}

void
attack_close(gbx_isolate *isolate, uint64_t grown_bytes, struct attack_report *report)
{
    gbx_isolate_close(isolate);
    attack_settle_kept();
    if (!attack_answers(canary))
        attack_wrong(report, "another isolate is disturbed");
    expect_host_as_before(grown_bytes, report);
}

/* --- one attack ----------------------------------------------------------------------------- */

static void
do_deed(gbx_isolate **isolate, enum deed deed, struct attack_report *report)
{
    static const int signals[] = { [KILL] = SIGKILL, [SEGV] = SIGSEGV, [STOP] = SIGSTOP };
    gbx_usage usage = GBX_USAGE_INIT;

    switch (deed) {
    case NOTHING:
    case COLLECT:
        break;
    case TERMINATE:
        gbx_isolate_terminate(*isolate);
        break;
    case CLOSE:
        gbx_isolate_close(*isolate);
        *isolate = NULL;
        break;
    case KILL:
    case SEGV:
    case STOP:
        if (gbx_isolate_usage(*isolate, &usage) != GBX_OK ||
            kill((pid_t)usage.pid, signals[deed]) != 0)
            attack_wrong(report, "cannot signal the cell");
        break;
    }
}

/* A deed is done to code that runs, or waits: it has had time for either, on a busy machine too.
 */
static bool
is_under_way(gbx_isolate *isolate, uint64_t began_us, uint64_t cpu_before_us)
{
    gbx_usage usage = GBX_USAGE_INIT;

    return gbx_isolate_usage(isolate, &usage) == GBX_OK &&
           (usage.cpu_us >= cpu_before_us + 30000 || now_us() >= began_us + 500000);
}

/* What a process has and had, in bytes. */
struct taken {
    uint64_t resident, page_tables;
};

static void
sample(gbx_isolate *isolate, const char *field, struct taken *most)
{
    gbx_usage usage = GBX_USAGE_INIT;

    if (isolate == NULL || gbx_isolate_usage(isolate, &usage) != GBX_OK)
        return;
    uint64_t resident = attack_memory_of(usage.pid, field);
    uint64_t page_tables = attack_memory_of(usage.pid, "VmPTE");
    most->resident = resident > most->resident ? resident : most->resident;
    most->page_tables = page_tables > most->page_tables ? page_tables : most->page_tables;
}

/* The event loop until the future is finished; the canary sings all the while. */
static gbx_status
settle(gbx_future *future, gbx_isolate **isolate, enum deed deed, struct taken *most,
    struct attack_report *report)
{
    gbx_status status;
    gbx_usage usage = GBX_USAGE_INIT;
    uint64_t began_us = now_us();

    if (deed != NOTHING)
        (void)gbx_isolate_usage(*isolate, &usage);
    while ((status = gbx_future_status(future, &report->error)) == GBX_EBUSY) {
        if (deed != NOTHING && is_under_way(*isolate, began_us, usage.cpu_us)) {
            do_deed(isolate, deed, report);
            deed = NOTHING;
        }
        (void)gbx_runtime_dispatch(runtime, 10000);
        if (most != NULL)
            sample(*isolate, "VmHWM", most);
        if (!attack_answers(canary))
            attack_wrong(report, "another isolate is disturbed");
    }
    return status;
}

gbx_status
attack_settled(gbx_future *future, struct attack_report *report)
{
    return settle(future, &(gbx_isolate *){ NULL }, NOTHING, NULL, report);
}

static void
afterwards(gbx_isolate *isolate, struct attack_report *report)
{
    const gbx_death *death = isolate == NULL ? NULL : gbx_isolate_death(isolate);

    report->isolate = isolate == NULL ? "closed" : death == NULL ? "usable" : "ended";
    if (isolate != NULL && death == NULL && !attack_answers(isolate))
        attack_wrong(report, "the isolate is neither dead nor usable");
    if (death == NULL)
        return;
    if (death->status != report->status)
        attack_wrong(report, "the call ended with %s, the isolate with %s",
            attack_status(report->status), attack_status(death->status));
    if (death->message[0] == '\0' || death->lived_us == 0 || death->cpu_us == 0)
        attack_wrong(report, "the death certificate is incomplete");
}

/* What it took beyond what it had at first and its limit. */
static void
account(const gbx_isolate *isolate, const struct taken *first, struct taken *most,
    uint64_t limit, struct attack_report *report)
{
    const gbx_death *death = isolate == NULL ? NULL : gbx_isolate_death(isolate);
    uint64_t allowed = first->resident + first->page_tables + limit;

    if (death != NULL && death->resident_bytes > most->resident)
        most->resident = death->resident_bytes;
    uint64_t all = most->resident + most->page_tables;
    report->over_bytes = all > allowed ? all - allowed : 0;
}

void
attack_run(const struct attack *attack, struct attack_report *report)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    gbx_call_options call = GBX_CALL_OPTIONS_INIT;
    struct taken first = { 0, 0 }, most = { 0, 0 };

    options.memory_limit_bytes =
        attack->memory_bytes != 0 ? attack->memory_bytes : ATTACK_MEMORY;
    gbx_isolate *isolate = attack_open(&options, report);
    if (isolate == NULL)
        return;
    sample(isolate, "VmRSS", &first);
    call.timeout_us = attack->wall_us;
    call.cpu_us = attack->cpu_us;
    call.flags = attack->flags;
    gbx_future *future = gbx_context_eval(
        gbx_isolate_context(isolate), attack->source, strlen(attack->source), &call);
    report->status = settle(future, &isolate, attack->deed, &most, report);
    report->value = gbx_future_take_value(future);
    gbx_future_free(future);
    if (attack->deed == COLLECT) {
        future = gbx_isolate_collect(isolate);
        (void)settle(future, &isolate, NOTHING, &most, report);
        gbx_future_free(future);
    }
    sample(isolate, "VmHWM", &most);
    afterwards(isolate, report);
    account(isolate, &first, &most, options.memory_limit_bytes, report);
    if (attack->host_mib != 0)
        attack_report_done(report);
    attack_close(isolate, (uint64_t)attack->host_mib << 20, report);
    if (getenv("VERBOSE") != NULL)
        (void)fprintf(stderr, "# %-60.60s %-9s over %6.1f MiB, page tables %6.1f MiB: %s\n",
            attack->what, attack_status(report->status), (double)report->over_bytes / (1 << 20),
            (double)most.page_tables / (1 << 20), report->error.message);
}

void
attack_report_done(struct attack_report *report)
{
    gbx_value_free(report->value);
    report->value = NULL;
}
