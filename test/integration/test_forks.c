/* Forks that the kernel refuses: past RLIMIT_NPROC, which is set from outside. A process that is
 * root, or may pass all limits, is not held by it. */
#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* In a process of the same user, who alone may do it: root needs CAP_SYS_RESOURCE. */
static void
allow_forks(pid_t pid, bool allowed)
{
    char path[64], line[256];
    unsigned user = getuid(), group = getgid();
    int status;

    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    cr_assert_not_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        (void)sscanf(line, "Uid: %u", &user);
        (void)sscanf(line, "Gid: %u", &group);
    }
    (void)fclose(file);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit limit;
        bool good = setresgid(group, group, group) == 0 && setresuid(user, user, user) == 0 &&
                    prlimit(pid, RLIMIT_NPROC, NULL, &limit) == 0;
        limit.rlim_cur = allowed ? limit.rlim_max : 0;
        _exit(good && prlimit(pid, RLIMIT_NPROC, &limit, NULL) == 0 ? 0 : 1);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0, "the limit of process %d cannot be set", (int)pid);
}

static void
refuse_forks_of(struct world *w, const char *name, const gbx_isolate_options *options,
    gbx_status expected, int os_errno)
{
    pid_t pid = process_named(name, 0);

    cr_assert_gt(pid, 0);
    for (int i = 0; i < 3; i++) {
        gbx_error error = GBX_ERROR_INIT;
        gbx_isolate *isolate = NULL;
        size_t descriptors = descriptors_open();
        allow_forks(pid, false);
        gbx_status status = gbx_isolate_open(w->runtime, options, &isolate, &error);
        allow_forks(pid, true);
        if (status == GBX_OK) {
            gbx_isolate_close(isolate);
            world_close(w);
            cr_skip_test("%s forks past RLIMIT_NPROC: it has not left its privileges", name);
        }
        cr_assert_eq(status, expected, "%s: status %d, %s", name, status, error.message);
        cr_assert_eq(error.os_errno, os_errno, "%s: %s", name, error.message);
        cr_assert_eq(descriptors_open(), descriptors, "%s", error.message);
    }
    expect_usable(w); /* who was there before noticed nothing */
    gbx_isolate *isolate = world_isolate(w, options);
    cr_assert_eq(eval_number(gbx_isolate_context(isolate), "6 * 7"), 42);
    gbx_isolate_close(isolate);
    cr_assert_eq(process_named(name, 0), pid, "%s was replaced", name);
}

CleanTest(forks, that_a_template_cannot_make_are_named_and_made_later)
{
    struct world w = world_open(NULL);
    refuse_forks_of(&w, "gbx-template", NULL, GBX_ESYS, EAGAIN);
    world_close(&w);
}

CleanTest(forks, that_a_zygote_cannot_make_are_named_and_made_later)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;

    options.memory_limit_bytes = 64ull << 20;
    struct world w = world_open(NULL);
    refuse_forks_of(&w, "gbx-zygote", &options, GBX_ELOST, 0);
    world_close(&w);
}
