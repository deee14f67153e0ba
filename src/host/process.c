/* process.c - what the kernel says of a cell's process. The cell can't lie about any of it. */
#include "host/host.h"

#include "base/clock.h"
#include "base/fd.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    STAT_STATE = 3, /* fields of /proc/pid/stat, counted from 1: see proc(5) */
    STAT_USER_TIME = 14
};

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

/* Its first thread is the only one that forks. Where the kernel has no such file there is none. */
static pid_t
child_of(pid_t pid)
{
    char path[64], text[128];

    (void)snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    return pid != 0 && read_text(path, text, sizeof text) ? (pid_t)strtol(text, NULL, 10) : 0;
}

bool
cell_kill_child(struct cell *cell)
{
    pid_t pid = cell_pid(cell), child = child_of(pid);
    GBX_AUTOFD fd = child > 0 ? (int)syscall(SYS_pidfd_open, child, 0) : -1;

    /* It may have ended, and its number be another's, before we had the descriptor; not since. */
    return fd >= 0 && child_of(pid) == child &&
           syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0;
}

uint64_t
cell_cpu_us(struct cell *cell)
{
    pid_t pid = cell_pid(cell);
    clockid_t clock;

    return pid != 0 && clock_getcpuclockid(pid, &clock) == 0 ? clock_ns_of(clock) / 1000 : 0;
}

/* /proc/pid/`file` of a cell, as text. */
static bool
read_of(struct cell *cell, const char *file, char *text, size_t size)
{
    char path[64];
    pid_t pid = cell_pid(cell);

    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    return pid != 0 && read_text(path, text, size);
}

/* The number at `index` in /proc/pid/statm, in bytes. */
static uint64_t
memory_of(struct cell *cell, unsigned index)
{
    char text[128], *at = text;

    if (!read_of(cell, "statm", text, sizeof text))
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

/* What stands behind "name:" in a table of kilobytes, in bytes; 0 if nothing does. */
static uint64_t
kib_of(const char *table, const char *name)
{
    const char *at = strstr(table, name);

    return at == NULL ? 0 : strtoull(at + strlen(name), NULL, 10) * 1024;
}

bool
cell_memory(struct cell *cell, gbx_memory *out)
{
    char text[4096];

    if (!read_of(cell, "status", text, sizeof text))
        return false;
    out->resident_bytes = kib_of(text, "\nVmRSS:");
    out->resident_peak_bytes = kib_of(text, "\nVmHWM:");
    out->page_table_bytes = kib_of(text, "\nVmPTE:");
    if (read_of(cell, "smaps_rollup", text, sizeof text)) {
        out->private_bytes =
            kib_of(text, "\nPrivate_Clean:") + kib_of(text, "\nPrivate_Dirty:");
        out->proportional_bytes = kib_of(text, "\nPss:");
    }
    return true;
}

pid_t
process_inner_pid(pid_t pid)
{
    static const char name[] = "\nNSpid:";
    char path[64], text[4096], *end;

    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    char *at = read_text(path, text, sizeof text) ? strstr(text, name) : NULL;
    if (at == NULL)
        return 0;
    at += strlen(name);
    at[strcspn(at, "\n")] = '\0';
    unsigned long last = 0;
    for (unsigned long n = strtoul(at, &end, 10); end != at; n = strtoul(at, &end, 10)) {
        last = n;
        at = end;
    }
    return (pid_t)last;
}

/* Its line in /proc, from the state on: a name before it may hold anything. NULL: unknown. */
static const char *
stat_of(struct cell *cell, char *text, size_t size)
{
    const char *state = read_of(cell, "stat", text, size) ? strrchr(text, ')') : NULL;

    return state != NULL && state[1] == ' ' ? state + 2 : NULL;
}

void
cell_cpu_split(struct cell *cell, uint64_t *user_us, uint64_t *system_us)
{
    uint64_t tick_us = 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
    char text[512];
    const char *at = stat_of(cell, text, sizeof text);
    char *end;

    *user_us = *system_us = 0;
    for (int i = STAT_STATE; at != NULL && i < STAT_USER_TIME; i++)
        at = strchr(at, ' ') == NULL ? NULL : strchr(at, ' ') + 1;
    if (at == NULL)
        return;
    *user_us = strtoull(at, &end, 10) * tick_us;
    *system_us = strtoull(end, NULL, 10) * tick_us;
}

bool
cell_is_runnable(struct cell *cell)
{
    char text[512];
    const char *state = stat_of(cell, text, sizeof text);

    return state != NULL && *state == 'R';
}
