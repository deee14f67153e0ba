/* probe_cell.c - which layers a live cell has: not what was meant, but what /proc says of it. */
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

/* What follows `label` at the beginning of a line, or NULL. */
static const char *
field(const char *text, const char *label)
{
    size_t len = strlen(label);

    for (const char *p = text; p != NULL && *p != '\0';) {
        if (strncmp(p, label, len) == 0)
            return p + len + strspn(p + len, " \t:");
        p = strchr(p, '\n');
        p = p == NULL ? NULL : p + 1;
    }
    return NULL;
}

static enum answer
is(const char *value, bool (*good)(const char *))
{
    return value == NULL ? ANSWER_UNKNOWN : good(value) ? ANSWER_YES : ANSWER_NO;
}

static bool
is_one(const char *value)
{
    return strtol(value, NULL, 10) == 1;
}

static bool
is_filter(const char *value)
{
    return strtol(value, NULL, 10) == 2;
}

/* "NSpid: 4711 12": it has another number in a namespace of its own. */
static bool
is_nested(const char *value)
{
    const char *end = value + strcspn(value, "\n");
    const char *tab = memchr(value, '\t', (size_t)(end - value));

    return tab != NULL;
}

static bool
is_other_user(const char *value)
{
    return strtoul(value, NULL, 10) != geteuid();
}

static bool
is_limited(const char *value)
{
    return strncmp(value, "unlimited", 9) != 0;
}

static enum answer
own_namespace(uint32_t pid, const char *name)
{
    char path[64], own[64], its[64];

    (void)snprintf(path, sizeof path, "/proc/self/ns/%s", name);
    ssize_t n = readlink(path, own, sizeof own);
    (void)snprintf(path, sizeof path, "/proc/%u/ns/%s", pid, name);
    ssize_t m = readlink(path, its, sizeof its);
    if (n <= 0 || m <= 0)
        return ANSWER_UNKNOWN;
    return n != m || memcmp(own, its, (size_t)n) != 0 ? ANSWER_YES : ANSWER_NO;
}

/* Only stdin to stderr on /dev/null, and one more. */
static enum answer
fds_closed(uint32_t pid)
{
    char path[96], target[64];
    const struct dirent *entry;
    int open = 0, others = 0;

    (void)snprintf(path, sizeof path, "/proc/%u/fd", pid);
    DIR *dir = opendir(path);
    if (dir == NULL)
        return ANSWER_UNKNOWN;
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof path, "/proc/%u/fd/%.16s", pid, entry->d_name);
        ssize_t n = readlink(path, target, sizeof target - 1);
        target[n > 0 ? n : 0] = '\0';
        open++;
        others +=
            strcmp(target, "/dev/null") != 0 && strcmp(target, "anon_inode:[eventfd]") != 0;
    }
    (void)closedir(dir);
    return others == 0 && open <= 4 ? ANSWER_YES : ANSWER_NO;
}

/* The kernel gives the files of a process that is not dumpable to root (not their directory). */
static enum answer
not_dumpable(uint32_t pid)
{
    char path[64];
    struct stat st;

    (void)snprintf(path, sizeof path, "/proc/%u/status", pid);
    if (geteuid() == 0 || stat(path, &st) < 0)
        return ANSWER_UNKNOWN;
    return st.st_uid == 0 ? ANSWER_YES : ANSWER_NO;
}

/* "PID (comm) state ppid pgrp session ..."; the name may hold anything. */
static enum answer
own_session(uint32_t pid)
{
    char text[1024];
    int session;

    read_proc(pid, "stat", text, sizeof text);
    const char *p = strrchr(text, ')');
    if (p == NULL || sscanf(p + 1, " %*c %*d %*d %d", &session) != 1)
        return ANSWER_UNKNOWN;
    return session != getsid(0) ? ANSWER_YES : ANSWER_NO;
}

void
probe_cell(uint32_t pid, struct finding findings[FEATURES])
{
    char status[8192], limits[4096], own[4096], its[4096];

    read_proc(pid, "status", status, sizeof status);
    read_proc(pid, "limits", limits, sizeof limits);
    findings[FEATURE_NO_NEW_PRIVS].cell = is(field(status, "NoNewPrivs"), is_one);
    findings[FEATURE_SECCOMP].cell = is(field(status, "Seccomp:"), is_filter);
    if (findings[FEATURE_SECCOMP].cell == ANSWER_NO)
        findings[FEATURE_NOTIFY].cell = ANSWER_NO; /* it is a kind of filter */
    findings[FEATURE_UID].cell = is(field(status, "Uid"), is_other_user);
    findings[FEATURE_PID_NS].cell = is(field(status, "NSpid"), is_nested);
    findings[FEATURE_RLIMITS].cell = is(field(limits, "Max data size"), is_limited);
    findings[FEATURE_SESSION].cell = own_session(pid);
    findings[FEATURE_FDS].cell = fds_closed(pid);
    findings[FEATURE_DUMPABLE].cell = not_dumpable(pid);
    findings[FEATURE_USER_NS].cell = own_namespace(pid, "user");
    findings[FEATURE_NET_NS].cell = own_namespace(pid, "net");
    findings[FEATURE_MOUNT_NS].cell = own_namespace(pid, "mnt");
    read_proc((uint32_t)getpid(), "cgroup", own, sizeof own);
    read_proc(pid, "cgroup", its, sizeof its);
    if (own[0] != '\0' && its[0] != '\0')
        findings[FEATURE_CGROUP].cell = strcmp(own, its) != 0 ? ANSWER_YES : ANSWER_NO;
    /* It runs: so it has what it cannot run without. What is not visible from outside is not
     * claimed. */
    findings[FEATURE_MEMFD].cell = findings[FEATURE_PIDFD].cell = ANSWER_YES;
    findings[FEATURE_MEMORY].cell = ANSWER_NONE;
}
