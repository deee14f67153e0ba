/* Hosts that are not what a library would like: few descriptors, odd signals, threads that come and
 * go, forks, engines that are none. */
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static gbx_runtime *
runtime_with(uint32_t pool)
{
    gbx_runtime_options options = GBX_RUNTIME_OPTIONS_INIT;
    gbx_error error = GBX_ERROR_INIT;
    gbx_runtime *runtime = NULL;

    options.pool = pool;
    cr_assert_eq(gbx_runtime_open(&options, &runtime, &error), GBX_OK, "%s", error.message);
    return runtime;
}

/* A whole life: opened, used, closed. */
static void
live(void)
{
    struct world w = world_open(NULL);

    expect_usable(&w);
    settle(start_limited(w.context, "for (;;) {}", 30000, 0), GBX_ETIMEOUT);
    expect_usable(&w);
    world_close(&w);
}

/* --- several, and threads -------------------------------------------------------------------- */

CleanTest(hosts, with_two_runtimes_have_two)
{
    struct world one = world_open(NULL), two = world_open(NULL);

    eval_only(one.context, "x = 1");
    eval_only(two.context, "x = 2");
    cr_assert_eq(eval_number(one.context, "x"), 1);
    cr_assert_eq(eval_number(two.context, "x"), 2);
    world_close(&one);
    expect_usable(&two);
    one = world_open(NULL);
    world_close(&two);
    expect_usable(&one);
    world_close(&one);
}

static void *
opens(void *data)
{
    *(struct world *)data = world_open(NULL);
    return NULL;
}

static void *
lives(void *unused)
{
    for (int i = 0; i < 3; i++)
        live();
    return unused;
}

/* PR_SET_PDEATHSIG counts the thread, not the process: what a thread started must outlive it. */
CleanTest(hosts, may_open_runtimes_in_threads_that_end)
{
    struct world w;
    pthread_t thread;

    cr_assert_eq(pthread_create(&thread, NULL, opens, &w), 0);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    sleep_ms(50);
    expect_usable(&w);
    gbx_isolate *other = world_isolate(&w, NULL);
    gbx_isolate_close(other);
    sleep_ms(50);
    expect_usable(&w);
    world_close(&w);
}

CleanTest(hosts, may_use_a_runtime_in_each_thread)
{
    pthread_t threads[4];

    for (size_t i = 0; i < 4; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, lives, NULL), 0);
    for (size_t i = 0; i < 4; i++)
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
}

/* --- signals --------------------------------------------------------------------------------- */

CleanTest(hosts, may_ignore_sigchld)
{
    cr_assert_neq(signal(SIGCHLD, SIG_IGN), SIG_ERR);
    live();
    live();
}

static void
reaps_everything(int signal)
{
    int saved = errno;

    (void)signal;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    errno = saved;
}

CleanTest(hosts, may_reap_everything)
{
    struct sigaction action = { .sa_handler = reaps_everything };

    cr_assert_eq(sigaction(SIGCHLD, &action, NULL), 0);
    live();
    live();
    cr_assert_eq(sigaction(SIGCHLD, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL), 0);
}

CleanTest(hosts, may_block_all_signals)
{
    sigset_t all, before;

    (void)sigfillset(&all);
    cr_assert_eq(sigprocmask(SIG_BLOCK, &all, &before), 0);
    live();
    struct world w = world_open(NULL);
    settle(start(w.context, "null.x", 0), GBX_ETHROW);
    world_close(&w);
    cr_assert_eq(sigprocmask(SIG_SETMASK, &before, NULL), 0);
}

static void
nothing(int signal)
{
    (void)signal;
}

/* Interrupted system calls everywhere. */
CleanTest(hosts, may_be_interrupted_all_the_time)
{
    struct sigaction action = { .sa_handler = nothing }; /* no SA_RESTART */
    timer_t timer;
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
    struct itimerspec often = { { 0, 200000 }, { 0, 200000 } };

    cr_assert_eq(sigaction(SIGUSR1, &action, NULL), 0);
    cr_assert_eq(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    cr_assert_eq(timer_settime(timer, 0, &often, NULL), 0);
    live();
    struct world w = world_open(NULL);
    for (int i = 0; i < 200; i++)
        expect_usable(&w);
    world_close(&w);
    cr_assert_eq(timer_delete(timer), 0);
}

/* --- descriptors ----------------------------------------------------------------------------- */

CleanTest(hosts, may_have_closed_their_first_descriptors)
{
    int saved[3];

    for (int fd = 0; fd < 3; fd++) {
        saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 10);
        (void)close(fd);
    }
    live();
    struct world w = world_open(NULL);
    for (int fd = 0; fd < 3; fd++)
        cr_assert(fcntl(fd, F_GETFD) < 0, "%d is taken", fd);
    expect_usable(&w);
    world_close(&w);
    for (int fd = 0; fd < 3; fd++) {
        cr_assert(saved[fd] < 0 || dup2(saved[fd], fd) == fd);
        (void)close(saved[fd]);
    }
}

static void
allow_descriptors(rlim_t count)
{
    struct rlimit limit;

    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = count;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static rlim_t
descriptor_limit(void)
{
    struct rlimit limit;

    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    return limit.rlim_cur;
}

/* With one descriptor more each time, until it works. */
CleanTest(hosts, without_descriptors_get_a_clean_error_for_a_runtime)
{
    rlim_t usual = descriptor_limit();
    size_t before = descriptors_open();
    bool opened = false;

    for (rlim_t more = 0; !opened; more++) {
        gbx_error error = GBX_ERROR_INIT;
        gbx_runtime *runtime = NULL;
        cr_assert_lt(more, 40);
        allow_descriptors(before + more);
        gbx_status status = gbx_runtime_open(NULL, &runtime, &error);
        allow_descriptors(usual);
        opened = status == GBX_OK;
        if (!opened) {
            cr_assert(status == GBX_ESYS || status == GBX_EENGINE, "%llu more: status %d, %s",
                (unsigned long long)more, status, error.message);
            cr_assert_neq(error.message[0], '\0');
            cr_assert_null(runtime);
        }
        gbx_runtime_close(runtime);
        cr_assert_eq(descriptors_open(), before, "%llu more: %s", (unsigned long long)more,
            error.message);
    }
}

CleanTest(hosts, without_descriptors_get_a_clean_error_for_an_isolate)
{
    rlim_t usual = descriptor_limit();

    for (int pooled = 0; pooled < 2; pooled++) {
        struct world w = { .runtime = runtime_with(pooled ? 0 : GBX_POOL_NONE) };
        w.isolate = world_isolate(&w, NULL);
        w.context = gbx_isolate_context(w.isolate);
        sleep_ms(20);
        size_t before = descriptors_open();
        bool opened = false;
        for (rlim_t more = 0; !opened; more++) {
            gbx_error error = GBX_ERROR_INIT;
            gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
            gbx_isolate *isolate = NULL;
            cr_assert_lt(more, 40);
            options.memory_limit_bytes = more % 2 == 0 ? 0 : 32 << 20; /* a new template, too */
            allow_descriptors(before + more);
            gbx_status status = gbx_isolate_open(w.runtime, &options, &isolate, &error);
            gbx_status used = gbx_eval(w.context, "1", NULL, NULL, NULL);
            allow_descriptors(usual);
            cr_assert_eq(used, GBX_OK, "%llu more: the other isolate was lost with it",
                (unsigned long long)more);
            opened = status == GBX_OK && more % 2 == 1;
            if (status != GBX_OK)
                cr_assert(status == GBX_ESYS || status == GBX_ELOST || status == GBX_EENGINE,
                    "%llu more: status %d, %s", (unsigned long long)more, status,
                    error.message);
            else
                cr_assert_eq(eval_number(gbx_isolate_context(isolate), "1"), 1);
            gbx_isolate_close(isolate);
        }
        expect_usable(&w);
        world_close(&w);
    }
}

/* --- forks ----------------------------------------------------------------------------------- */

CleanTest(hosts, may_fork_children_that_leave_it_alone)
{
    struct world w = world_open(NULL);
    pid_t child = fork();

    cr_assert_geq(child, 0);
    if (child == 0) {
        sleep_ms(200);
        _exit(0);
    }
    expect_usable(&w);
    gbx_isolate *other = world_isolate(&w, NULL);
    gbx_isolate_close(other);
    cr_assert_eq(waitpid(child, NULL, 0), child);
    expect_usable(&w);
    /* A child that ends like a program does, with its handlers and buffers. */
    child = fork();
    if (child == 0)
        exit(0);
    cr_assert_eq(waitpid(child, NULL, 0), child);
    expect_usable(&w);
    world_close(&w);
}

/* --- pools and crowds ------------------------------------------------------------------------ */

static size_t
cells_alive(void)
{
    DIR *directory = opendir("/proc");
    size_t count = 0;

    cr_assert_not_null(directory);
    while (waitpid(-1, NULL, WNOHANG) > 0) /* orphans of runtimes that are closed come to us */
        ;
    for (const struct dirent *e; (e = readdir(directory)) != NULL;) {
        char path[300], line[64] = "";
        (void)snprintf(path, sizeof path, "/proc/%s/comm", e->d_name);
        FILE *file = e->d_name[0] >= '0' && e->d_name[0] <= '9' ? fopen(path, "re") : NULL;
        if (file == NULL)
            continue;
        bool read = fgets(line, sizeof line, file) != NULL;
        (void)fclose(file);
        pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
        count += read && strcmp(line, "gbx-cell\n") == 0 && process_descends(pid);
    }
    (void)closedir(directory);
    return count;
}

CleanTest(hosts, say_how_many_cells_wait)
{
    static const struct {
        uint32_t pool;
        size_t cells;
    } pools[] = { { GBX_POOL_NONE, 1 }, { 0, 3 }, { 1, 2 }, { 8, 9 }, { 64, 65 } };

    for (size_t i = 0; i < sizeof pools / sizeof pools[0]; i++) {
        struct world w = { .runtime = runtime_with(pools[i].pool) };
        w.isolate = world_isolate(&w, NULL);
        w.context = gbx_isolate_context(w.isolate);
        expect_usable(&w);
        size_t alive = cells_alive();
        for (int wait = 0; alive != pools[i].cells && wait < 500; wait++, alive = cells_alive())
            sleep_ms(10);
        cr_assert_eq(alive, pools[i].cells, "a pool of %u: %zu cells", pools[i].pool, alive);
        expect_usable(&w);
        world_close(&w);
    }
}

#if defined(__SANITIZE_ADDRESS__)
#define KEEPS_FREED_MEMORY true /* AddressSanitizer's quarantine */
#elif defined(__has_feature)
#define KEEPS_FREED_MEMORY __has_feature(address_sanitizer)
#else
#define KEEPS_FREED_MEMORY false
#endif

static uint64_t
own_memory(void)
{
    unsigned long long size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");

    cr_assert(file != NULL && fscanf(file, "%llu %llu", &size, &resident) == 2);
    (void)fclose(file);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* GLOVEBOX_SOAK says how often (10,000 by make bench); the host stays what it was. */
CleanTest(hosts, may_open_and_close_isolates_for_ever)
{
    const char *asked = getenv("GLOVEBOX_SOAK");
    long cycles = asked != NULL ? strtol(asked, NULL, 10) : 2000;
    struct world w = { .runtime = runtime_with(0) };

    for (int i = 0; i < 100; i++)
        gbx_isolate_close(world_isolate(&w, NULL));
    size_t descriptors = descriptors_open();
    uint64_t memory = own_memory();
    for (long i = 0; i < cycles; i++) {
        w.isolate = world_isolate(&w, NULL);
        if (i % 10 == 0)
            cr_assert_eq(eval_number(gbx_isolate_context(w.isolate), "1"), 1);
        gbx_isolate_close(w.isolate);
    }
    w.isolate = NULL;
    size_t alive = cells_alive();
    for (int wait = 0; alive > 2 && wait < 500; wait++, alive = cells_alive())
        sleep_ms(10);
    cr_assert_leq(alive, 2);
    cr_assert_leq(descriptors_open(), descriptors + 2 * 4, "%zu before, %zu after", descriptors,
        descriptors_open());
    if (!KEEPS_FREED_MEMORY)
        cr_assert_lt(own_memory(), memory + (4 << 20), "%llu before, %llu after",
            (unsigned long long)memory, (unsigned long long)own_memory());
    (void)fprintf(stderr, "%ld cycles: %zu descriptors before, %zu after; %.1f MB, %.1f MB\n",
        cycles, descriptors, descriptors_open(), (double)memory / 1e6,
        (double)own_memory() / 1e6);
    world_close(&w);
}

/* --- engines --------------------------------------------------------------------------------- */

/* A prefix whose bin/node has this text; NULL: is a link to this target. */
static const char *
engine_of(const char *text, const char *target)
{
    static char prefix[256];
    static int count;
    char path[512];

    (void)snprintf(prefix, sizeof prefix, "%s/engine%d", scratch_directory(), count++);
    cr_assert_eq(mkdir(prefix, 0700), 0);
    (void)snprintf(path, sizeof path, "%s/bin", prefix);
    cr_assert_eq(mkdir(path, 0700), 0);
    (void)snprintf(path, sizeof path, "%s/bin/node", prefix);
    if (target != NULL) {
        cr_assert_eq(symlink(target, path), 0);
        return prefix;
    }
    FILE *file = fopen(path, "we");
    cr_assert(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
    cr_assert_eq(chmod(path, 0700), 0);
    return prefix;
}

static void
expect_no_engine(const char *prefix, const char *named)
{
    gbx_runtime_options options = GBX_RUNTIME_OPTIONS_INIT;
    gbx_error error = GBX_ERROR_INIT;
    gbx_runtime *runtime = NULL;

    options.engine = prefix;
    cr_assert_eq(gbx_runtime_open(&options, &runtime, &error), GBX_EENGINE, "%d: %s",
        error.status, error.message);
    cr_assert_null(runtime);
    cr_assert_not_null(
        strstr(error.message, named), "%s does not name %s", error.message, named);
}

CleanTest(hosts, with_an_engine_that_is_none_are_told_which)
{
    expect_no_engine("/nonexistent", "/nonexistent/bin/node");
    const char *prefix = engine_of("#!/bin/sh\nexit 0\n", NULL);
    expect_no_engine(prefix, prefix);
    prefix = engine_of("", NULL);
    expect_no_engine(prefix, prefix);
    prefix = engine_of("this is no program", NULL);
    expect_no_engine(prefix, prefix);
    prefix = engine_of(NULL, "/bin/true");
    expect_no_engine(prefix, "true");
    prefix = engine_of(NULL, "/bin/sh");
    expect_no_engine(prefix, "sh");
    prefix = engine_of(NULL, "/");
    expect_no_engine(prefix, "/");
    prefix = engine_of(NULL, "/nonexistent");
    expect_no_engine(prefix, prefix);
}

/* Debian's own Node is another version of V8. */
CleanTest(hosts, with_another_engine_are_told_both_versions)
{
    gbx_runtime_options options = GBX_RUNTIME_OPTIONS_INIT;
    gbx_error error = GBX_ERROR_INIT;
    gbx_runtime *runtime = NULL;

    if (access("/usr/bin/node", X_OK) != 0)
        cr_skip_test("there is no other engine");
    options.engine = "/usr";
    gbx_status status = gbx_runtime_open(&options, &runtime, &error);
    if (status == GBX_OK) {
        gbx_runtime_close(runtime);
        cr_skip_test("the other engine is the same");
    }
    cr_assert_eq(status, GBX_EENGINE);
    cr_assert_not_null(strstr(error.message, "/usr/bin/node"), "%s", error.message);
    (void)fprintf(stderr, "another engine: %s\n", error.message);
}
