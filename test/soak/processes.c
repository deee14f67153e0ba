#include "soak/processes.h"

#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

/* Parent and name of a process; 0: it is gone. */
static pid_t
parent_of(pid_t pid, char name[17])
{
    char path[64];
    int parent = 0;

    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return 0;
    if (fscanf(f, "%*d (%16[^)]) %*c %d", name, &parent) != 2)
        parent = 0;
    (void)fclose(f);
    return parent;
}

static bool
is_ours(pid_t pid)
{
    char name[17];

    for (int i = 0; pid > 1 && i < 16; i++) {
        pid = parent_of(pid, name);
        if (pid == getpid())
            return true;
    }
    return false;
}

int
soak_descendants(const char *to_kill)
{
    DIR *directory = opendir("/proc");
    const struct dirent *entry;
    char name[17];
    int count = 0;

    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid <= 1 || !is_ours(pid))
            continue;
        count++;
        if (to_kill != NULL && parent_of(pid, name) != 0 && strcmp(name, to_kill) == 0) {
            (void)kill(pid, SIGKILL);
            break;
        }
    }
    if (directory != NULL)
        (void)closedir(directory);
    return count;
}
