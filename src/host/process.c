/* process.c - what the kernel says of a cell's process. The cell can't lie about any of it. */
#include "host/host.h"

#include "base/clock.h"
#include "base/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The start of a file, as text. False: there is none. */
static bool
read_text(const char *path, char *text, size_t size)
{
    GBX_AUTOFD fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

    if (n <= 0)
        return false;
    text[n] = '\0';
    return true;
}

/* Its own idea of its pid is that of its pid namespace; the pidfd knows ours. */
pid_t
cell_pid(struct cell *cell)
{
    char path[64], text[512];

    if (cell->pid != 0 || cell->pidfd < 0)
        return cell->pid;
    (void)snprintf(path, sizeof path, "/proc/self/fdinfo/%d", cell->pidfd);
    const char *at = read_text(path, text, sizeof text) ? strstr(text, "\nPid:") : NULL;
    long pid = at == NULL ? 0 : strtol(at + strlen("\nPid:"), NULL, 10);
    if (pid > 0)
        cell->pid = (pid_t)pid;
    return cell->pid;
}

uint64_t
cell_cpu_us(struct cell *cell)
{
    pid_t pid = cell_pid(cell);
    clockid_t clock;

    return pid != 0 && clock_getcpuclockid(pid, &clock) == 0 ? clock_ns_of(clock) / 1000 : 0;
}

/* The number at `index` in /proc/pid/statm, in bytes. */
static uint64_t
memory_of(struct cell *cell, unsigned index)
{
    char path[64], text[128], *at = text;
    pid_t pid = cell_pid(cell);

    (void)snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    if (pid == 0 || !read_text(path, text, sizeof text))
        return 0;
    while (index-- > 0)
        (void)strtoull(at, &at, 10);
    return strtoull(at, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t
cell_resident_bytes(struct cell *cell)
{
    return memory_of(cell, 1);
}

uint64_t
cell_data_bytes(struct cell *cell)
{
    return memory_of(cell, 5);
}

bool
cell_is_runnable(struct cell *cell)
{
    char path[64], text[256];
    pid_t pid = cell_pid(cell);

    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (pid == 0 || !read_text(path, text, sizeof text))
        return false;
    const char *state = strrchr(text, ')'); /* a name may hold anything */
    return state != NULL && state[1] == ' ' && state[2] == 'R';
}
