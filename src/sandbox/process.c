/* process.c - what any process of ours can do for itself, without privilege. */
#include "sandbox/sandbox.h"

#include "base/check.h"
#include "base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

bool
sandbox_die_with(int parent)
{
    return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 && getppid() == parent;
}

int
sandbox_close_from(unsigned first)
{
    return syscall(SYS_close_range, first, ~0u, 0) < 0 ? errno : 0;
}

void
sandbox_withdraw(struct layers *layers)
{
    layers_note(
        layers, LAYER_PRIVILEGES, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? errno : 0);
    layers_note(layers, LAYER_DUMPABLE, prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? errno : 0);
}

/* --- limits ---------------------------------------------------------------------------------- */

typedef __rlimit_resource_t resource;

/* Of a process, 0: this one. An operator's tighter ulimit stays: without privilege it cannot be
 * raised. 0, or an errno. */
static int
set_limit(pid_t pid, resource which, uint64_t soft, uint64_t hard)
{
    struct rlimit now;

    if (prlimit(pid, which, NULL, &now) != 0)
        return errno;
    hard = hard < now.rlim_max ? hard : now.rlim_max;
    soft = soft < hard ? soft : hard;
    return prlimit(pid, which, &(struct rlimit){ soft, hard }, NULL) != 0 ? errno : 0;
}

uint64_t
sandbox_memory_ceiling(uint64_t memory_limit_bytes)
{
    return memory_limit_bytes + memory_limit_bytes / 2 + CELL_RESERVE_BYTES;
}

static uint64_t
room_of_child(const struct sandbox_cell *cell)
{
    return cell->memory_limit_bytes * SNAPSHOT_MEMORY_MOST + SNAPSHOT_MEMORY_BYTES;
}

/* The soft limits are the guest's; the hard ones leave room for a snapshot on top. */
static int
limit_memory(pid_t pid, const struct sandbox_cell *cell, uint64_t more_bytes)
{
    uint64_t limit = cell->memory_limit_bytes + more_bytes;
    uint64_t data =
        cell->data_bytes + sandbox_memory_ceiling(cell->memory_limit_bytes) + more_bytes;
    uint64_t address = cell->address_bytes + limit + CELL_ADDRESS_BYTES;
    uint64_t child = room_of_child(cell);
    int error = set_limit(pid, RLIMIT_DATA, data, data + child);

    return error != 0 ? error : set_limit(pid, RLIMIT_AS, address, address + child);
}

static int
limit_everything(const struct sandbox_cell *cell)
{
    static const resource none[] = { RLIMIT_CORE, RLIMIT_FSIZE, RLIMIT_MEMLOCK, RLIMIT_MSGQUEUE,
        RLIMIT_RTPRIO };
    int error = limit_memory(0, cell, 0);

    if (error == 0)
        error = set_limit(0, RLIMIT_NOFILE, 0, cell->twins ? CELL_CHANNEL_FD + 1 : 0);
    for (size_t i = 0; i < COUNT(none) && error == 0; i++)
        error = set_limit(0, none[i], 0, 0);
    return error;
}

int
sandbox_open_door(int pid, bool open)
{
    return set_limit(pid, RLIMIT_NOFILE, open ? CELL_CHANNEL_FD + 1 : 0, RLIM_INFINITY);
}

int
sandbox_raise_memory(int pid, const struct sandbox_cell *cell, uint64_t most_bytes)
{
    uint64_t room = room_of_child(cell);

    return limit_memory(pid, cell, most_bytes < room ? most_bytes : room);
}

int
sandbox_restore_memory(int pid, const struct sandbox_cell *cell, uint64_t kept_bytes)
{
    return limit_memory(pid, cell, kept_bytes);
}

/* --- what is in use -------------------------------------------------------------------------- */

/* The least limit under which one page more can be had is what is in use and that page. It takes
 * no /proc, which an empty root does not have. */
static bool
measure(resource which, uint64_t *bytes)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), low = 0, high = UINT64_C(1) << 47;
    struct rlimit before, limit;

    if (getrlimit(which, &before) != 0)
        return false;
    high = before.rlim_cur < high ? before.rlim_cur : high;
    limit.rlim_max = before.rlim_max;
    while (high - low > page) {
        limit.rlim_cur = (low + (high - low) / 2) / page * page;
        void *p = MAP_FAILED;
        if (setrlimit(which, &limit) == 0)
            p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED) {
            low = limit.rlim_cur;
        } else {
            high = limit.rlim_cur;
            (void)munmap(p, page);
        }
    }
    *bytes = high - page;
    return setrlimit(which, &before) == 0;
}

bool
sandbox_memory_in_use(uint64_t *data_bytes, uint64_t *address_bytes)
{
    return measure(RLIMIT_DATA, data_bytes) && measure(RLIMIT_AS, address_bytes);
}

/* --- a cell ---------------------------------------------------------------------------------- */

static int
keep_one(int *fd)
{
    if (*fd != CELL_BELL_FD && dup3(*fd, CELL_BELL_FD, O_CLOEXEC) < 0)
        return errno;
    *fd = CELL_BELL_FD;
    int error = sandbox_close_from(CELL_BELL_FD + 1);
    for (int i = 0; i < CELL_BELL_FD && error == 0; i++)
        (void)close(i);
    return error;
}

void
sandbox_confine_cell(const struct sandbox_cell *cell, struct layers *layers)
{
    sandbox_withdraw(layers);
    layers_note(layers, LAYER_SESSION, setsid() < 0 ? errno : 0);
    landlock_enclose(layers); /* takes a descriptor, for a moment */
    layers_note(layers, LAYER_DESCRIPTORS, keep_one(cell->keep_fd));
    layers_note(layers, LAYER_LIMITS, limit_everything(cell));
}

void
sandbox_rehearse(struct layers *layers)
{
    struct report {
        uint32_t engaged, error;
    } report = { 0, EIO }; /* 8 bytes: what a cell may write */
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return;
    pid_t pid = fork();
    if (pid == 0) {
        struct layers mine = { 0 };
        struct sandbox_cell cell = { .keep_fd = &ends[1], .memory_limit_bytes = UINT32_MAX };
        if (!sandbox_memory_in_use(&cell.data_bytes, &cell.address_bytes))
            _exit(1);
        sandbox_confine_cell(&cell, &mine);
        sandbox_filter_cell(SANDBOX_FORK, &mine);
        report = (struct report){ mine.engaged, 0 };
        for (size_t i = 0; i < LAYERS && report.error == 0; i++)
            report.error = mine.error[i];
        _exit(write(CELL_BELL_FD, &report, sizeof report) == sizeof report ? 0 : 1);
    }
    (void)close(ends[1]);
    if (pid < 0 || read(ends[0], &report, sizeof report) != sizeof report)
        report = (struct report){ 0, EIO };
    (void)close(ends[0]);
    for (enum sandbox_layer i = LAYER_PRIVILEGES; i <= LAYER_SIGNALS; i++)
        layers_note(layers, i, (report.engaged & 1u << i) != 0 ? 0 : (int)report.error);
}
