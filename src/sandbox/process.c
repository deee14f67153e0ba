/* process.c - what any process of ours can do for itself, without privilege. */
#include "sandbox/sandbox.h"

#include "base/check.h"
#include "base/fd.h"
#include "base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

enum {
    KEPT_FD = 3
}; /* below are stdin to stderr, which point at /dev/null */

bool
sandbox_die_with(int parent)
{
    return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent;
}

void
sandbox_close_from(unsigned first)
{
    (void)syscall(SYS_close_range, first, ~0u, 0);
}

static bool
set_limit(int resource, uint64_t soft, uint64_t hard)
{
    struct rlimit now;

    /* An operator's tighter ulimit stays: without privilege it cannot be raised. */
    if (getrlimit((__rlimit_resource_t)resource, &now) != 0)
        return false;
    hard = hard < now.rlim_max ? hard : now.rlim_max;
    soft = soft < hard ? soft : hard;
    return setrlimit((__rlimit_resource_t)resource, &(struct rlimit){ soft, hard }) == 0;
}

bool
sandbox_memory_in_use(uint64_t *data_bytes, uint64_t *address_bytes)
{
    unsigned long long size, resident, shared, text, lib, data;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    char line[128];
    GBX_AUTOFD fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof line - 1);

    if (n <= 0)
        return false;
    line[n] = '\0';
    if (sscanf(line, "%llu %llu %llu %llu %llu %llu", &size, &resident, &shared, &text, &lib,
            &data) != 6) {
        errno = EBADMSG;
        return false;
    }
    *data_bytes = data * page;
    *address_bytes = size * page;
    return true;
}

uint64_t
sandbox_memory_ceiling(uint64_t memory_limit_bytes)
{
    return memory_limit_bytes + memory_limit_bytes / 2 + CELL_RESERVE_BYTES;
}

const char *
sandbox_seal_cell(const struct sandbox_cell *cell)
{
    uint64_t data = cell->data_bytes + sandbox_memory_ceiling(cell->memory_limit_bytes);
    uint64_t address = cell->address_bytes + cell->memory_limit_bytes + CELL_ADDRESS_BYTES;
    uint64_t child = cell->memory_limit_bytes * SNAPSHOT_MEMORY_FACTOR + SNAPSHOT_MEMORY_BYTES;

    if (setsid() < 0 && errno != EPERM)
        return "cannot start a session";
    if (*cell->keep_fd != KEPT_FD) {
        if (dup3(*cell->keep_fd, KEPT_FD, O_CLOEXEC) < 0)
            return "cannot place the event fd";
        *cell->keep_fd = KEPT_FD;
    }
    sandbox_close_from(KEPT_FD + 1);
    if (!set_limit(RLIMIT_DATA, data, data + child) ||
        !set_limit(RLIMIT_AS, address, address + child))
        return "cannot limit memory";
    if (!set_limit(RLIMIT_CORE, 0, 0) || !set_limit(RLIMIT_FSIZE, 0, 0))
        return "cannot limit files";
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0)
        return "cannot give up privileges";
    return NULL;
}

/* The soft limits are the guest's; the hard ones leave room for a snapshot on top. */
static const int memory_limits[] = { RLIMIT_DATA, RLIMIT_AS };

void
sandbox_raise_memory(struct sandbox_memory *before)
{
    for (size_t i = 0; i < COUNT(memory_limits); i++) {
        struct rlimit limit = { 0, 0 };

        (void)getrlimit((__rlimit_resource_t)memory_limits[i], &limit);
        before->soft[i] = limit.rlim_cur;
        (void)set_limit(memory_limits[i], limit.rlim_max, limit.rlim_max);
    }
}

void
sandbox_restore_memory(const struct sandbox_memory *before, uint64_t kept_bytes)
{
    for (size_t i = 0; i < COUNT(memory_limits); i++) {
        struct rlimit limit = { 0, 0 };

        (void)getrlimit((__rlimit_resource_t)memory_limits[i], &limit);
        uint64_t soft = before->soft[i] + kept_bytes;
        (void)set_limit(
            memory_limits[i], soft < limit.rlim_max ? soft : limit.rlim_max, limit.rlim_max);
    }
}
