/* probe.c - what this machine has that every cell needs. */
#include "base/fd.h"
#include "cli/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

bool
read_small(const char *path, char *out, size_t size)
{
    GBX_AUTOFD fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, size - 1);

    if (n < 0)
        return false;
    if (n > 0 && out[n - 1] == '\n')
        n--;
    out[n] = '\0';
    return true;
}

static void
probe_memfd(struct finding *f)
{
    GBX_AUTOFD fd = memfd_create("glovebox-doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    f->there =
        fd >= 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0;
    (void)snprintf(f->detail, sizeof f->detail, "the channel between host and cell");
    f->advice =
        "no cell can be made without: this kernel is too old, or memfd_create is filtered";
}

static void
probe_pidfd(struct finding *f)
{
    GBX_AUTOFD fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

    f->there = fd >= 0;
    (void)snprintf(f->detail, sizeof f->detail, "how the host sees a cell end");
    f->advice = "no cell can be made without: Linux 5.4 or later is needed, or pidfd_open is "
                "filtered";
}

/* V8 sets aside address space that it never touches. */
static void
probe_memory(struct finding *f)
{
    struct rlimit data = { 0, 0 }, address = { 0, 0 };
    char mode[16];
    bool strict = read_small("/proc/sys/vm/overcommit_memory", mode, sizeof mode) &&
                  strcmp(mode, "2") == 0;

    (void)getrlimit(RLIMIT_DATA, &data);
    (void)getrlimit(RLIMIT_AS, &address);
    bool limited = data.rlim_cur != RLIM_INFINITY || address.rlim_cur != RLIM_INFINITY;
    f->there = !strict && !limited;
    (void)snprintf(f->detail, sizeof f->detail, "%s",
        strict    ? "vm.overcommit_memory is 2"
        : limited ? "a limit of the shell: ulimit -d, -v"
                  : "no strict accounting, no ulimit");
    f->advice =
        strict ? "V8 sets aside memory that it does not use; with strict accounting cells may "
                 "fail: sysctl vm.overcommit_memory=0"
               : "cells with large limits may fail: ulimit -d unlimited; ulimit -v unlimited";
}

static void
probe_notify(struct finding *f)
{
    uint32_t action = SECCOMP_RET_USER_NOTIF;

    f->there = syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
    (void)snprintf(
        f->detail, sizeof f->detail, "the host approves forks: background snapshots");
    f->advice = "heap snapshots in the background need Linux 5.5 or later; attached ones work";
}

void
probe_machine(struct finding findings[NEEDS])
{
    probe_memfd(&findings[NEED_MEMFD]);
    probe_pidfd(&findings[NEED_PIDFD]);
    probe_memory(&findings[NEED_MEMORY]);
    probe_notify(&findings[NEED_NOTIFY]);
}
