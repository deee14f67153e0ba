/* sealed.c - a small host whose every system call a test can make fail: opens a runtime with what
 * it is told to require, evaluates something, and holds what it is told of the layers against
 * what the kernel says of the cell.
 *
 *     sealed strict|full
 *
 * Exit status: 0: there is a cell, and it is sealed as it is said to be; 1: a clean error, on
 * stdout; 2: a cell that should not be, or a layer that is said to hold and does not.
 */
#include <glovebox/glovebox.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static gbx_runtime *runtime;
static uint32_t pid;

/* A line of a file of the cell in /proc, from `field` on, as a number; -1: not there. */
static long
number_of(const char *name, const char *field)
{
    char path[64], line[256];
    long number = -1;

    (void)snprintf(path, sizeof path, "/proc/%u/%s", pid, name);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, field, strlen(field)) == 0)
            number = strtol(line + strlen(field), NULL, 10);
    if (file != NULL)
        (void)fclose(file);
    return number;
}

/* The kernel gives to root what may not be looked into. */
static int
is_not_dumpable(void)
{
    char path[64];
    struct stat info;
    long uid = number_of("status", "Uid:");

    (void)snprintf(path, sizeof path, "/proc/%u/status", pid);
    return uid <= 0 || stat(path, &info) < 0 ? -1 : info.st_uid != (uid_t)uid;
}

/* Like holds(): who is not root may not look into a cell. */
static int
has_own_namespace(const char *kind)
{
    char path[64], own[64] = "", its[64] = "";

    (void)snprintf(path, sizeof path, "/proc/%u/ns/%s", pid, kind);
    long a = readlink(path, its, sizeof its - 1);
    if (a < 0 && errno == EACCES)
        return -1;
    (void)snprintf(path, sizeof path, "/proc/self/ns/%s", kind);
    long b = readlink(path, own, sizeof own - 1);
    return a > 0 && b > 0 && strcmp(own, its) != 0;
}

static int
has_one_descriptor(void)
{
    char path[64];
    int count = 0;

    (void)snprintf(path, sizeof path, "/proc/%u/fd", pid);
    DIR *directory = opendir(path);
    if (directory == NULL && errno == EACCES)
        return -1;
    for (const struct dirent *e; directory != NULL && (e = readdir(directory)) != NULL;)
        count += e->d_name[0] != '.';
    if (directory != NULL)
        (void)closedir(directory);
    return count == 1;
}

/* 1: it holds; 0: it does not; -1: /proc does not tell. */
static int
holds(const char *layer)
{
    static const struct {
        const char *layer, *kind;
    } namespaces[] = { { "pid namespace", "pid" }, { "empty root", "mnt" },
        { "network namespace", "net" }, { "ipc namespace", "ipc" }, { "uts namespace", "uts" },
        { "cgroup namespace", "cgroup" } };

    for (size_t i = 0; i < sizeof namespaces / sizeof namespaces[0]; i++)
        if (strcmp(layer, namespaces[i].layer) == 0)
            return has_own_namespace(namespaces[i].kind);
    if (strcmp(layer, "no_new_privs") == 0)
        return number_of("status", "NoNewPrivs:") == 1;
    if (strcmp(layer, "not dumpable") == 0)
        return is_not_dumpable();
    if (strcmp(layer, "seccomp") == 0)
        return number_of("status", "Seccomp:") == 2 &&
               number_of("status", "Seccomp_filters:") >= 1;
    if (strcmp(layer, "own session") == 0)
        return getsid((pid_t)pid) == (pid_t)pid;
    if (strcmp(layer, "no descriptors") == 0)
        return has_one_descriptor();
    if (strcmp(layer, "resource limits") == 0)
        return number_of("limits", "Max open files") == 0 &&
               number_of("limits", "Max file size") == 0 &&
               number_of("limits", "Max core file size") == 0 &&
               number_of("limits", "Max data size") > 0;
    if (strcmp(layer, "unprivileged user") == 0)
        return number_of("status", "Uid:") > 0;
    if (strcmp(layer, "first for the OOM killer") == 0)
        return number_of("oom_score_adj", "") == 1000;
    return -1;
}

static int
look_at_layers(uint32_t require)
{
    const gbx_layer *layer;
    int wrong = 0;

    for (uint32_t i = 0; (layer = gbx_runtime_layer(runtime, i)) != NULL; i++) {
        if (!layer->engaged)
            printf("not engaged: %s\n", layer->name);
        if (!layer->engaged && layer->required_by <= require) {
            printf("there is a cell without it\n");
            wrong++;
        }
        if (layer->engaged && holds(layer->name) == 0) {
            printf("said to hold, and does not: %s\n", layer->name);
            wrong++;
        }
    }
    return wrong;
}

int
main(int argc, char **argv)
{
    gbx_runtime_options options = GBX_RUNTIME_OPTIONS_INIT;
    gbx_error error = GBX_ERROR_INIT;
    gbx_isolate *isolate = NULL;
    gbx_value *value = NULL;
    gbx_usage usage = GBX_USAGE_INIT;
    int wrong = 0;

    options.pool = GBX_POOL_NONE;
    options.require =
        argc > 1 && strcmp(argv[1], "full") == 0 ? GBX_REQUIRE_FULL : GBX_REQUIRE_STRICT;
    gbx_status status = gbx_runtime_open(&options, &runtime, &error);
    if (status == GBX_OK)
        status = gbx_isolate_open(runtime, NULL, &isolate, &error);
    if (status == GBX_OK)
        status = gbx_eval(gbx_isolate_context(isolate), "6 * 7", NULL, &value, &error);
    gbx_value_free(value);
    if (status == GBX_OK && gbx_isolate_usage(isolate, &usage) == GBX_OK) {
        pid = usage.pid;
        wrong = look_at_layers(options.require);
    } else {
        printf("error %d: %s\n", status, error.message);
        /* Who may not have a cell is told which wall is missing. */
        wrong = status == GBX_OK ||
                (status == GBX_ESEAL && strstr(error.message, "sandbox layer \"") == NULL);
    }
    gbx_isolate_close(isolate);
    gbx_runtime_close(runtime);
    return wrong != 0 ? 2 : status != GBX_OK;
}
