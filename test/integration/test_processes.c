/* Processes that die: the host, the zygote, a template, a cell. Whatever it is, what is left says
 * so, nothing of ours stays behind, and the next isolate works. */
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double
seconds_now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void
nap_us(long us)
{
    (void)nanosleep(&(struct timespec){ us / 1000000, us % 1000000 * 1000 }, NULL);
}

/* --- who is there --------------------------------------------------------------------------- */

enum {
    FAMILY = 64
};

/* State and parent of a process; false when it is gone, and a zombie is. */
static bool
is_alive(pid_t pid, pid_t *parent)
{
    char path[64], line[512], state;
    int above;

    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    bool read = fgets(line, sizeof line, file) != NULL;
    (void)fclose(file);
    const char *rest = read ? strrchr(line, ')') : NULL;
    if (rest == NULL || sscanf(rest + 1, " %c %d", &state, &above) != 2)
        return false;
    *parent = above;
    return state != 'Z' && state != 'X';
}

/* All that descend from `root`; answers how many. */
static size_t
family_of(pid_t root, pid_t family[FAMILY])
{
    size_t count = 0;
    pid_t parent;

    /* A child may have a lower number than its parent: look until nobody is added. */
    for (size_t before = FAMILY; before != count;) {
        DIR *directory = opendir("/proc");
        cr_assert_not_null(directory);
        before = count;
        for (const struct dirent *e; (e = readdir(directory)) != NULL;) {
            pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
            bool known = pid <= 0 || !is_alive(pid, &parent), related = parent == root;
            for (size_t i = 0; i < count; i++) {
                known |= family[i] == pid;
                related |= family[i] == parent;
            }
            if (!known && related && count < FAMILY)
                family[count++] = pid;
        }
        (void)closedir(directory);
    }
    return count;
}

/* Waits until all of them are gone; prints how long that took. */
static void
expect_gone(const char *what, const pid_t *family, size_t count, double since)
{
    pid_t parent;

    for (size_t i = 0; i < count; i++)
        while (is_alive(family[i], &parent)) {
            cr_assert_lt(seconds_now() - since, 10, "%s: process %d is still there", what,
                (int)family[i]);
            nap_us(100);
        }
    (void)fprintf(stderr, "%s: %zu processes gone after %.1f ms\n", what, count,
        (seconds_now() - since) * 1e3);
}

static pid_t
pid_of(gbx_isolate *isolate)
{
    gbx_usage usage = GBX_USAGE_INIT;

    cr_assert_eq(gbx_isolate_usage(isolate, &usage), GBX_OK);
    return (pid_t)usage.pid;
}

static void
expect_alive(gbx_isolate *isolate)
{
    cr_assert_null(gbx_isolate_death(isolate));
    cr_assert_eq(eval_number(gbx_isolate_context(isolate), "6 * 7"), 42);
}

/* --- the host ------------------------------------------------------------------------------- */

static int ready_fd;

static void
ready(void)
{
    cr_assert_eq(write(ready_fd, "x", 1), 1);
}

static void
at_rest(struct world *w)
{
    (void)w;
    ready();
    for (;;)
        (void)pause();
}

static void
in_a_call(struct world *w)
{
    gbx_future *future = start(w->context, "for (;;) {}", 0);

    ready();
    cr_assert_neq(gbx_future_wait(future, -1, NULL), GBX_OK);
}

static gbx_status
rests(gbx_callback *callback, void *data)
{
    (void)callback;
    at_rest(data);
    return GBX_OK;
}

static void
in_a_host_function(struct world *w)
{
    give(w->context, "f", rests, w);
    eval_only(w->context, "f()");
}

static gbx_status
slow_sink(const void *piece, size_t len, void *data)
{
    (void)piece;
    (void)len;
    if (*(bool *)data)
        ready();
    *(bool *)data = false;
    nap_us(100000);
    return GBX_OK;
}

static void
in_a_snapshot(struct world *w)
{
    gbx_snapshot_options options = GBX_SNAPSHOT_OPTIONS_INIT;
    bool first = true;

    eval_only(w->context, "a = []; for (let i = 0; i < 1e5; i++) a.push({ i })");
    options.sink = slow_sink;
    options.data = &first;
    gbx_future *future = gbx_heap_snapshot(w->isolate, &options);
    cr_assert_neq(gbx_future_wait(future, -1, NULL), GBX_OK);
}

static void
opening_isolates(struct world *w)
{
    ready();
    for (;;)
        gbx_isolate_close(world_isolate(w, NULL));
}

/* A host process that does this and says when. */
static pid_t
host_start(void (*deed)(struct world *))
{
    int pipe_fds[2];
    char byte;

    cr_assert_eq(pipe2(pipe_fds, O_CLOEXEC), 0);
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        ready_fd = pipe_fds[1];
        struct world w = world_open(NULL);
        deed(&w);
        _exit(0);
    }
    (void)close(pipe_fds[1]);
    cr_assert_eq(read(pipe_fds[0], &byte, 1), 1, "the host did not begin");
    (void)close(pipe_fds[0]);
    return pid;
}

static void
kill_host(const char *what, void (*deed)(struct world *), size_t least)
{
    pid_t family[FAMILY], host = host_start(deed);
    size_t count = family_of(host, family);

    cr_assert_geq(count, least, "%s: %zu processes", what, count);
    double since = seconds_now();
    cr_assert_eq(kill(host, SIGKILL), 0);
    expect_gone(what, family, count, since);
    cr_assert_eq(waitpid(host, NULL, 0), host);
}

CleanTest(host, killed_at_rest_leaves_no_process)
{
    kill_host("host killed at rest", at_rest, 3);
}

CleanTest(host, killed_in_a_call_leaves_no_process)
{
    kill_host("host killed in a call", in_a_call, 3);
}

CleanTest(host, killed_in_a_host_function_leaves_no_process)
{
    kill_host("host killed in a host function", in_a_host_function, 3);
}

CleanTest(host, killed_in_a_snapshot_leaves_no_process)
{
    kill_host("host killed in a snapshot", in_a_snapshot, 4);
}

CleanTest(host, killed_while_it_opens_isolates_leaves_no_process)
{
    /* Some may be forked after we have looked: support_end() waits for all. */
    for (int i = 0; i < 10; i++)
        kill_host("host killed while it opens isolates", opening_isolates, 2);
}

/* A child that the host forked holds copies of its sockets, and lives on. */
static void
with_a_child(struct world *w)
{
    pid_t child = fork();

    if (child == 0)
        for (;;)
            (void)pause();
    at_rest(w);
}

CleanTest(host, killed_with_a_forked_child_leaves_no_process_of_ours)
{
    pid_t family[FAMILY], ours[FAMILY], host = host_start(with_a_child);
    size_t count = family_of(host, family), our_count = 0;
    char path[64], exe[256];
    pid_t child = 0;

    for (size_t i = 0; i < count; i++) {
        (void)snprintf(path, sizeof path, "/proc/%d/comm", (int)family[i]);
        FILE *file = fopen(path, "re");
        cr_assert(file != NULL && fgets(exe, sizeof exe, file) != NULL);
        (void)fclose(file);
        if (strncmp(exe, "gbx-", 4) == 0)
            ours[our_count++] = family[i];
        else
            child = family[i];
    }
    cr_assert(our_count >= 3 && child != 0);
    double since = seconds_now();
    cr_assert_eq(kill(host, SIGKILL), 0);
    expect_gone("host killed, its child lives on", ours, our_count, since);
    cr_assert_eq(kill(child, SIGKILL), 0);
    cr_assert_eq(waitpid(host, NULL, 0), host);
}

/* --- the zygote ----------------------------------------------------------------------------- */

static void
kill_named(const char *name)
{
    pid_t pid = process_named(name, 0);

    cr_assert_neq(pid, 0, "no %s", name);
    cr_assert_eq(kill(pid, SIGKILL), 0);
}

/* All that ends with it has, and nobody has looked. */
static void
kill_unseen(const char *name)
{
    kill_named(name);
    while (process_named("gbx-template", 0) != 0 || process_named("gbx-cell", 0) != 0)
        nap_us(1000);
}

static void
expect_lost(gbx_isolate *isolate)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_status status = GBX_OK;

    /* A signal takes its time, and until then the cell answers. */
    for (double since = seconds_now(); status == GBX_OK && seconds_now() - since < 10;)
        status = gbx_eval(gbx_isolate_context(isolate), "1", NULL, NULL, &error);
    cr_assert_eq(status, GBX_ELOST, "%d: %s", status, error.message);
    const gbx_death *death = gbx_isolate_death(isolate);
    cr_assert_not_null(death);
    cr_assert_eq(death->status, GBX_ELOST);
}

CleanTest(zygote, killed_loses_its_isolates_and_the_next_one_gets_a_new_zygote)
{
    struct world w = world_open(NULL);
    gbx_isolate *second = world_isolate(&w, NULL);

    for (int i = 0; i < 3; i++) {
        pid_t cell = pid_of(w.isolate), parent;
        kill_named("gbx-zygote");
        expect_lost(w.isolate);
        expect_lost(second);
        cr_assert_not(is_alive(cell, &parent));
        gbx_isolate_close(w.isolate);
        gbx_isolate_close(second);
        w.isolate = world_isolate(&w, NULL);
        second = world_isolate(&w, NULL);
        expect_alive(w.isolate);
        expect_alive(second);
    }
    gbx_isolate_close(second);
    world_close(&w);
}

/* Nobody has looked yet: the first who asks for an isolate finds out, and gets one. */
CleanTest(zygote, killed_unseen_costs_the_next_isolate_nothing)
{
    gbx_runtime_options options = GBX_RUNTIME_OPTIONS_INIT;
    struct world w = { NULL, NULL, NULL };

    cr_assert_eq(gbx_runtime_open(&options, &w.runtime, NULL), GBX_OK);
    for (int i = 0; i < 3; i++) {
        w.isolate = world_isolate(&w, NULL); /* there is a pool now */
        expect_alive(w.isolate);
        gbx_isolate_close(w.isolate);
        kill_unseen("gbx-zygote");
        w.isolate = world_isolate(&w, NULL);
        expect_alive(w.isolate);
        gbx_isolate_close(w.isolate);
        w.isolate = NULL;
    }
    world_close(&w);
}

/* Ten seconds, and then somebody else. */
CleanTest(zygote, stopped_is_replaced)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    struct world w = world_open(NULL);
    gbx_isolate *other;

    options.memory_limit_bytes = 32 << 20; /* another template, which only a zygote can make */
    cr_assert_eq(kill(process_named("gbx-zygote", 0), SIGSTOP), 0);
    gbx_status status = gbx_isolate_open(w.runtime, &options, &other, NULL);
    if (status != GBX_OK)
        other = world_isolate(&w, &options);
    expect_alive(other);
    gbx_isolate_close(other);
    world_close(&w);
}

CleanTest(zygote, killed_in_a_call_ends_it)
{
    struct world w = world_open(NULL);
    gbx_future *future = start(w.context, "for (;;) {}", 0);

    cr_assert_eq(gbx_future_wait(future, 20000, NULL), GBX_EBUSY);
    kill_named("gbx-zygote");
    settle(future, GBX_ELOST);
    world_close(&w);
}

static void
note_death(gbx_isolate *isolate, void *data)
{
    cr_assert_eq(gbx_isolate_death(isolate)->status, GBX_ELOST);
    *(bool *)data = true;
}

CleanTest(zygote, killed_is_told_in_the_event_loop)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    bool died = false;

    options.on_death = note_death;
    options.data = &died;
    struct world w = world_open(&options);
    kill_named("gbx-zygote");
    dispatch_until(w.runtime, &died);
    gbx_isolate_close(w.isolate);
    w.isolate = world_isolate(&w, NULL);
    expect_alive(w.isolate);
    world_close(&w);
}

/* --- templates ------------------------------------------------------------------------------ */

CleanTest(template, killed_loses_its_isolates_and_no_others)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    struct world w = world_open(NULL);

    pid_t template = process_named("gbx-template", 0);
    options.memory_limit_bytes = 32 << 20;
    gbx_isolate *other = world_isolate(&w, &options);
    cr_assert_eq(kill(template, SIGKILL), 0);
    expect_lost(w.isolate);
    expect_alive(other);
    gbx_isolate_close(w.isolate);
    w.isolate = world_isolate(&w, NULL);
    expect_alive(w.isolate);
    expect_alive(other);
    gbx_isolate_close(other);
    world_close(&w);
}

CleanTest(template, killed_unseen_costs_the_next_isolate_nothing)
{
    struct world w = { NULL, NULL, NULL };

    cr_assert_eq(gbx_runtime_open(NULL, &w.runtime, NULL), GBX_OK);
    for (int i = 0; i < 3; i++) {
        gbx_isolate_close(world_isolate(&w, NULL));
        kill_unseen("gbx-template");
        w.isolate = world_isolate(&w, NULL);
        expect_alive(w.isolate);
        gbx_isolate_close(w.isolate);
        w.isolate = NULL;
    }
    world_close(&w);
}

/* --- cells ---------------------------------------------------------------------------------- */

static void
end_cell(int signal, bool in_a_call)
{
    struct world w = world_open(NULL);
    gbx_isolate *other = world_isolate(&w, NULL);
    gbx_future *future = start(w.context, in_a_call ? "for (;;) {}" : "new Promise(() => {})",
        in_a_call ? 0 : GBX_AWAIT);

    cr_assert_eq(gbx_future_wait(future, 20000, NULL), GBX_EBUSY);
    cr_assert_eq(kill(pid_of(w.isolate), signal), 0);
    settle(future, GBX_ECRASHED);
    const gbx_death *death = gbx_isolate_death(w.isolate);
    cr_assert_not_null(death);
    cr_assert_eq(death->signal, signal);
    cr_assert_gt(death->cpu_us, 0);
    cr_assert_gt(death->resident_bytes, 1 << 20);
    settle(start(w.context, "1", 0), GBX_ECRASHED);
    expect_alive(other);
    gbx_isolate_close(other);
    world_close(&w);
}

CleanTest(cell, killed_is_a_crash_with_its_signal)
{
    end_cell(SIGKILL, true);
    end_cell(SIGKILL, false);
}

CleanTest(cell, crashed_is_a_crash_with_its_signal)
{
    end_cell(SIGSEGV, true);
    end_cell(SIGSEGV, false);
    end_cell(SIGBUS, true);
    end_cell(SIGILL, true);
}

CleanTest(cell, stopped_meets_its_deadline)
{
    struct world w = world_open(NULL);
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;

    options.timeout_us = 50000;
    cr_assert_eq(kill(pid_of(w.isolate), SIGSTOP), 0);
    cr_assert_eq(gbx_eval(w.context, "1", &options, NULL, NULL), GBX_ETIMEOUT);
    const gbx_death *death = gbx_isolate_death(w.isolate);
    cr_assert_not_null(death);
    cr_assert_eq(death->status, GBX_ETIMEOUT);
    cr_assert_eq(death->limit, 50000);
    world_close(&w);
}

CleanTest(cell, stopped_can_be_closed)
{
    struct world w = world_open(NULL);
    pid_t cell = pid_of(w.isolate), parent;

    cr_assert_eq(kill(cell, SIGSTOP), 0);
    gbx_isolate_close(w.isolate);
    w.isolate = NULL;
    double since = seconds_now();
    while (is_alive(cell, &parent))
        cr_assert_lt(seconds_now() - since, 10);
    world_close(&w);
}

/* What a cell has: its host's bell, and no environment. */
CleanTest(cell, has_no_descriptor_and_no_environment_of_the_host)
{
    char path[64], link[256];
    int bells = 0;

    cr_assert_eq(setenv("GLOVEBOX_TEST_SECRET", "secret", 1), 0);
    int kept = open("/dev/zero", O_RDONLY); /* inheritable on purpose */
    struct world w = world_open(NULL);
    expect_alive(w.isolate);
    (void)snprintf(path, sizeof path, "/proc/%d/fd", (int)pid_of(w.isolate));
    DIR *directory = opendir(path);
    if (directory == NULL && errno == EACCES)
        cr_skip_test("only root sees into a cell");
    cr_assert_not_null(directory);
    for (const struct dirent *e; (e = readdir(directory)) != NULL;) {
        if (e->d_name[0] == '.')
            continue;
        int fd = (int)strtol(e->d_name, NULL, 10);
        ssize_t n = readlinkat(dirfd(directory), e->d_name, link, sizeof link - 1);
        cr_assert_gt(n, 0);
        link[n] = '\0';
        cr_assert_eq(fd, 3, "%d is %s", fd, link);
        cr_assert_str_eq(link, "anon_inode:[eventfd]");
        bells++;
    }
    (void)closedir(directory);
    cr_assert_eq(bells, 1);
    (void)snprintf(path, sizeof path, "/proc/%d/environ", (int)pid_of(w.isolate));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert_geq(fd, 0);
    cr_assert_eq(read(fd, link, sizeof link), 0, "its environment is not empty");
    (void)close(fd);
    world_close(&w);
    (void)close(kept);
}
