/* support.c - the world of an integration test, and what must be gone after it. */
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static size_t descriptors_before;
static char scratch[64];

static double
seconds_now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void
sleep_ms(long ms)
{
    struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

    while (nanosleep(&t, &t) != 0)
        ;
}

/* --- nothing is left ------------------------------------------------------------------------ */

static size_t
entries_of(const char *path)
{
    DIR *directory = opendir(path);
    size_t count = 0;

    cr_assert_not_null(directory, "cannot list %s: %s", path, strerror(errno));
    for (const struct dirent *e; (e = readdir(directory)) != NULL;)
        count += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    (void)closedir(directory);
    return count;
}

size_t
malloc_in_use(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

size_t
descriptors_open(void)
{
    return entries_of("/proc/self/fd");
}

/* Name and parent of a process; false when it is gone. */
static bool
process_read(pid_t pid, char name[32], pid_t *parent)
{
    char path[64], line[512];

    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    bool good = fgets(line, sizeof line, file) != NULL;
    (void)fclose(file);
    const char *open = good ? strchr(line, '(') : NULL,
               *shut = good ? strrchr(line, ')') : NULL;
    if (open == NULL || shut == NULL)
        return false;
    (void)snprintf(name, 32, "%.*s", (int)(shut - open - 1), open + 1);
    int above;
    good = sscanf(shut + 1, " %*c %d", &above) == 1;
    *parent = above;
    return good;
}

bool
process_descends(pid_t pid)
{
    char name[32];

    while (pid > 1 && pid != getpid())
        if (!process_read(pid, name, &pid))
            return false;
    return pid == getpid();
}

/* A descendant named `name`, or any if that is NULL. */
static pid_t
descendant(const char *name, char found[32])
{
    DIR *directory = opendir("/proc");
    pid_t parent, answer = 0;

    for (const struct dirent *e; answer == 0 && (e = readdir(directory)) != NULL;) {
        pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
        if (pid > 0 && pid != getpid() && process_read(pid, found, &parent) &&
            (name == NULL || strcmp(found, name) == 0) && process_descends(pid))
            answer = pid;
    }
    (void)closedir(directory);
    return answer;
}

pid_t
process_named(const char *name, int timeout_ms)
{
    double until = seconds_now() + timeout_ms / 1e3;
    char found[32];
    pid_t pid;

    while ((pid = descendant(name, found)) == 0 && seconds_now() < until)
        sleep_ms(1);
    return pid;
}

pid_t
process_child(pid_t of)
{
    DIR *directory = opendir("/proc");
    char name[32];
    pid_t parent, answer = 0;

    for (const struct dirent *e; answer == 0 && (e = readdir(directory)) != NULL;) {
        pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
        if (pid > 0 && process_read(pid, name, &parent) && parent == of)
            answer = pid;
    }
    (void)closedir(directory);
    return answer;
}

/* Whatever of ours lost its parent comes to us, and is waited for here. */
static void
expect_no_process(void)
{
    double until = seconds_now() + 10;
    char name[32] = "";
    pid_t pid;

    while ((pid = waitpid(-1, NULL, WNOHANG)) >= 0 || errno != ECHILD) {
        if (pid > 0)
            continue;
        if (seconds_now() >= until) {
            pid = descendant(NULL, name);
            cr_assert_fail("process %d (%s) is still there", (int)pid, name);
        }
        sleep_ms(1);
    }
}

void
support_begin(void)
{
    descriptors_before = descriptors_open();
    cr_assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
}

void
support_end(void)
{
    if (scratch[0] != '\0') {
        char command[128];
        (void)snprintf(command, sizeof command, "rm -rf %s", scratch);
        cr_assert_eq(system(command), 0);
    }
    expect_no_process();
    size_t now = descriptors_open();
    cr_assert_eq(now, descriptors_before, "%zu descriptors before the test, %zu after it",
        descriptors_before, now);
}

/* --- worlds --------------------------------------------------------------------------------- */

struct world
world_open(const gbx_isolate_options *options)
{
    gbx_runtime_options runtime_options = GBX_RUNTIME_OPTIONS_INIT;
    gbx_error error = GBX_ERROR_INIT;
    struct world world = { NULL, NULL, NULL };

    runtime_options.pool = GBX_POOL_NONE;
    cr_assert_eq(gbx_runtime_open(&runtime_options, &world.runtime, &error), GBX_OK,
        "no runtime: %s", error.message);
    world.isolate = world_isolate(&world, options);
    world.context = gbx_isolate_context(world.isolate);
    return world;
}

gbx_isolate *
world_isolate(const struct world *world, const gbx_isolate_options *options)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_isolate *isolate = NULL;

    cr_assert_eq(gbx_isolate_open(world->runtime, options, &isolate, &error), GBX_OK,
        "no isolate: %s", error.message);
    return isolate;
}

void
world_close(struct world *world)
{
    gbx_isolate_close(world->isolate);
    gbx_runtime_close(world->runtime);
    *world = (struct world){ NULL, NULL, NULL };
}

/* --- evaluations ---------------------------------------------------------------------------- */

gbx_value *
eval(gbx_context *context, const char *source)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_value *value = NULL;

    gbx_status status = gbx_eval(context, source, NULL, &value, &error);
    cr_assert_eq(status, GBX_OK, "%.200s: status %d, %s\n%s", source, status, error.message,
        error.stack);
    cr_assert_not_null(value);
    return value;
}

void
eval_only(gbx_context *context, const char *source)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;

    options.flags = GBX_RESULT_IGNORE;
    gbx_status status = gbx_eval(context, source, &options, NULL, &error);
    cr_assert_eq(status, GBX_OK, "%.200s: status %d, %s\n%s", source, status, error.message,
        error.stack);
}

double
eval_number(gbx_context *context, const char *source)
{
    gbx_value *value = eval(context, source);
    double number = number_of(value);

    gbx_value_free(value);
    return number;
}

void
expect_text(gbx_context *context, const char *source, const char *text)
{
    gbx_value *value = eval(context, source);

    expect_string(value, text);
    gbx_value_free(value);
}

void
expect_failure(gbx_context *context, const char *source, gbx_status status, gbx_error *error)
{
    gbx_error mine = GBX_ERROR_INIT, *filled = error != NULL ? error : &mine;
    gbx_value *value = NULL;

    *filled = (gbx_error)GBX_ERROR_INIT;
    gbx_status got = gbx_eval(context, source, NULL, &value, filled);
    cr_assert_eq(got, status, "%.200s: status %d (%s), expected %d", source, got,
        filled->message, status);
    cr_assert_null(value);
    cr_assert_eq(filled->status, status);
    cr_assert_neq(filled->message[0], '\0');
}

gbx_future *
start(gbx_context *context, const char *source, uint32_t flags)
{
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;

    options.flags = flags;
    return gbx_context_eval(context, source, strlen(source), &options);
}

gbx_future *
start_limited(gbx_context *context, const char *source, uint64_t timeout_us, uint64_t cpu_us)
{
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;

    options.timeout_us = timeout_us;
    options.cpu_us = cpu_us;
    return gbx_context_eval(context, source, strlen(source), &options);
}

void
wait_until(gbx_future *open, const size_t *count, size_t wanted)
{
    while (*count < wanted)
        cr_assert_eq(gbx_future_wait(open, 10000, NULL), GBX_EBUSY);
    cr_assert_eq(*count, wanted);
}

void
settle(gbx_future *future, gbx_status status)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_status got = gbx_future_wait(future, -1, &error);

    cr_assert_eq(got, status, "status %d (%s), expected %d", got, error.message, status);
    gbx_future_free(future);
}

gbx_value *
settle_value(gbx_future *future)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_status got = gbx_future_wait(future, -1, &error);

    cr_assert_eq(got, GBX_OK, "status %d: %s", got, error.message);
    gbx_value *value = gbx_future_take_value(future);
    cr_assert_not_null(value);
    gbx_future_free(future);
    return value;
}

double
settle_number(gbx_future *future)
{
    gbx_value *value = settle_value(future);
    double number = number_of(value);

    gbx_value_free(value);
    return number;
}

void
give(gbx_context *context, const char *path, gbx_function function, void *data)
{
    settle(gbx_context_set_function(context, path, function, data), GBX_OK);
}

gbx_status
answer_number(gbx_callback *callback, double number)
{
    gbx_value *value = gbx_value_new_number(number);
    gbx_status status = gbx_callback_return(callback, value);

    gbx_value_free(value);
    return status;
}

void
expect_usable(const struct world *world)
{
    const gbx_death *death = gbx_isolate_death(world->isolate);

    cr_assert_null(death, "it died: status %d, %s", death->status, death->message);
    cr_assert_eq(eval_number(world->context, "6 * 7"), 42);
}

double
number_of(const gbx_value *value)
{
    double number = 0;

    cr_assert_eq(gbx_value_get_number(value, &number), GBX_OK, "kind %u is no number",
        gbx_value_get_kind(value));
    return number;
}

void
expect_string(const gbx_value *value, const char *text)
{
    const char *got = NULL;

    cr_assert_eq(gbx_value_get_string(value, &got, NULL), GBX_OK, "kind %u is no string",
        gbx_value_get_kind(value));
    cr_assert_str_eq(got, text);
}

void
dispatch_until(gbx_runtime *runtime, const bool *done)
{
    double until = seconds_now() + 60;

    while (!*done) {
        gbx_status status = gbx_runtime_dispatch(runtime, 1000000);
        cr_assert(status == GBX_OK || status == GBX_EBUSY);
        cr_assert(seconds_now() < until, "nothing came in 60 s");
    }
}

/* --- files ---------------------------------------------------------------------------------- */

const char *
scratch_directory(void)
{
    if (scratch[0] == '\0') {
        (void)snprintf(scratch, sizeof scratch, "/tmp/glovebox-test-XXXXXX");
        cr_assert_not_null(mkdtemp(scratch));
    }
    return scratch;
}

size_t
scratch_entries(void)
{
    return entries_of(scratch_directory());
}

void
snapshot_counts(const char *path, long *out_nodes, long *out_edges)
{
    char command[1024];

    *out_nodes = *out_edges = 0;
    int len = snprintf(command, sizeof command, "'%s' '%s' '%s'", NODE, COUNTER, path);
    cr_assert_lt(len, (int)sizeof command);
    FILE *reader = popen(command, "re");
    cr_assert_not_null(reader);
    bool read = fscanf(reader, "%ld %ld", out_nodes, out_edges) == 2;
    cr_assert_eq(pclose(reader), 0, "%s is no heap snapshot", path);
    cr_assert(read && *out_nodes > 0 && *out_edges > 0, "%s has no nodes", path);
}

long
snapshot_nodes(const char *path)
{
    long nodes, edges;

    snapshot_counts(path, &nodes, &edges);
    return nodes;
}

gbx_reference *
refer(gbx_context *context, const char *source)
{
    gbx_future *future = start(context, source, GBX_RESULT_REFERENCE);

    cr_assert_eq(gbx_future_wait(future, -1, NULL), GBX_OK);
    gbx_reference *reference = gbx_future_take_reference(future);
    cr_assert_not_null(reference);
    gbx_future_free(future);
    return reference;
}

void
reference_set_number(
    gbx_reference *reference, const char *key, double number, gbx_status status)
{
    gbx_value *value = gbx_value_new_number(number);

    settle(gbx_reference_set(reference, key, GBX_NUL, value, NULL), status);
    gbx_value_free(value);
}

void
expect_boolean(gbx_future *future, int32_t wanted)
{
    gbx_value *value = settle_value(future);
    int32_t boolean = -1;

    cr_assert_eq(gbx_value_get_boolean(value, &boolean), GBX_OK);
    cr_assert_eq(boolean, wanted);
    gbx_value_free(value);
}
