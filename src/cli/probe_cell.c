/* probe_cell.c - whether /proc contradicts what the library says of a cell's layers. */
#include "cli/doctor.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file below /proc/PID; an empty text if it cannot be read. */
static void
read_proc(uint32_t pid, const char *name, char *out, size_t size)
{
    char path[64];

    (void)snprintf(path, sizeof path, "/proc/%u/%s", pid, name);
    if (!read_small(path, out, size))
        out[0] = '\0';
}

/* What follows `label` at the beginning of a line of /proc/PID/status; false: there is none. */
static bool
status_field(uint32_t pid, const char *label, char *out, size_t size)
{
    char text[8192];
    size_t len = strlen(label);

    read_proc(pid, "status", text, sizeof text);
    for (const char *p = text; *p != '\0'; p += strcspn(p, "\n"), p += *p == '\n')
        if (strncmp(p, label, len) == 0) {
            p += len + strspn(p + len, " \t:");
            (void)snprintf(out, size, "%.*s", (int)strcspn(p, "\n"), p);
            return true;
        }
    return false;
}

static bool
is_not(uint32_t pid, const char *label, const char *wanted)
{
    char value[64];

    return status_field(pid, label, value, sizeof value) && strcmp(value, wanted) != 0;
}

/* "NSpid: 4711 12": it has another number in a namespace of its own. */
static bool
shares_pid_namespace(uint32_t pid)
{
    char value[128];

    return status_field(pid, "NSpid", value, sizeof value) && strchr(value, '\t') == NULL;
}

static bool
shares_namespace(uint32_t pid, const char *name)
{
    char path[64], own[64], its[64];

    (void)snprintf(path, sizeof path, "/proc/self/ns/%s", name);
    ssize_t n = readlink(path, own, sizeof own);
    (void)snprintf(path, sizeof path, "/proc/%u/ns/%s", pid, name);
    ssize_t m = readlink(path, its, sizeof its);
    return n > 0 && n == m && memcmp(own, its, (size_t)n) == 0;
}

/* Anything but the host's bell. */
static bool
has_descriptors(uint32_t pid)
{
    char path[96], target[64];
    const struct dirent *entry;
    bool found = false;

    (void)snprintf(path, sizeof path, "/proc/%u/fd", pid);
    DIR *dir = opendir(path);
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof path, "/proc/%u/fd/%.16s", pid, entry->d_name);
        ssize_t n = readlink(path, target, sizeof target - 1);
        target[n > 0 ? n : 0] = '\0';
        found |= n > 0 && strcmp(target, "anon_inode:[eventfd]") != 0;
    }
    if (dir != NULL)
        (void)closedir(dir);
    return found;
}

/* The kernel gives the files of a process that is not dumpable to root. In a user namespace root
 * may look like anybody, so it cannot be told there. */
static bool
is_dumpable(uint32_t pid)
{
    unsigned long inside, outside, count;
    char path[64], map[128];
    struct stat st;

    (void)snprintf(path, sizeof path, "/proc/%u/status", pid);
    return read_small("/proc/self/uid_map", map, sizeof map) &&
           sscanf(map, "%lu %lu %lu", &inside, &outside, &count) == 3 && inside == 0 &&
           outside == 0 && count == UINT32_MAX && stat(path, &st) == 0 && st.st_uid != 0;
}

/* "PID (comm) state ppid pgrp session ..."; the name may hold anything. */
static bool
shares_session(uint32_t pid)
{
    char text[1024];
    int session;

    read_proc(pid, "stat", text, sizeof text);
    const char *p = strrchr(text, ')');
    return p != NULL && sscanf(p + 1, " %*c %*d %*d %d", &session) == 1 && session == getsid(0);
}

static bool
is_unlimited(uint32_t pid)
{
    char text[4096];

    read_proc(pid, "limits", text, sizeof text);
    const char *p = strstr(text, "Max data size");
    return p != NULL &&
           strncmp(p + strlen("Max data size") + strspn(p + 13, " "), "unlimited", 9) == 0;
}

static bool
is_privileged(uint32_t pid)
{
    char value[64];

    return is_not(pid, "CapEff", "0000000000000000") ||
           (status_field(pid, "Uid", value, sizeof value) && strtoul(value, NULL, 10) == 0);
}

static bool
is_no_first_victim(uint32_t pid)
{
    char text[32];

    read_proc(pid, "oom_score_adj", text, sizeof text);
    return text[0] != '\0' && strcmp(text, "1000") != 0;
}

static bool
gains_privileges(uint32_t pid)
{
    return is_not(pid, "NoNewPrivs", "1");
}

static bool
is_unfiltered(uint32_t pid)
{
    return is_not(pid, "Seccomp:", "2");
}

bool
probe_contradicts(uint32_t pid, const char *layer)
{
    static const struct {
        const char *layer;
        bool (*looks_wrong)(uint32_t pid);
    } looks[] = {
        { "no_new_privs", gains_privileges },
        { "not dumpable", is_dumpable },
        { "own session", shares_session },
        { "no descriptors", has_descriptors },
        { "resource limits", is_unlimited },
        { "seccomp", is_unfiltered },
        { "unprivileged user", is_privileged },
        { "pid namespace", shares_pid_namespace },
        { "first for the OOM killer", is_no_first_victim },
    };
    static const struct {
        const char *layer, *name;
    } spaces[] = { { "empty root", "mnt" }, { "network namespace", "net" },
        { "ipc namespace", "ipc" }, { "uts namespace", "uts" },
        { "cgroup namespace", "cgroup" } };

    for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++)
        if (strcmp(looks[i].layer, layer) == 0)
            return looks[i].looks_wrong(pid);
    for (size_t i = 0; i < sizeof spaces / sizeof spaces[0]; i++)
        if (strcmp(spaces[i].layer, layer) == 0)
            return shares_namespace(pid, spaces[i].name);
    return false;
}
