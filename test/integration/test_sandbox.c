/* The walls around a live cell, seen from outside. What holds on a machine is what its runtime
 * reports; what that says must be so. */
#include "support.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static const gbx_layer *
layer_named(const struct world *w, const char *name)
{
    const gbx_layer *layer;

    for (uint32_t i = 0; (layer = gbx_runtime_layer(w->runtime, i)) != NULL; i++)
        if (strcmp(layer->name, name) == 0)
            return layer;
    cr_assert_fail("there is no layer %s", name);
    return NULL;
}

/* Skips the test where the machine does not give that layer. */
static void
need(const struct world *w, const char *name)
{
    const gbx_layer *layer = layer_named(w, name);

    if (layer->engaged == 0)
        cr_skip_test("%s: %s", name, strerror(layer->os_errno));
}

static pid_t
pid_of(gbx_isolate *isolate)
{
    gbx_usage usage = GBX_USAGE_INIT;

    cr_assert_eq(gbx_isolate_usage(isolate, &usage), GBX_OK);
    cr_assert_neq(usage.pid, 0);
    return (pid_t)usage.pid;
}

/* What follows a label in a file below /proc/pid; the end of the line is cut. */
static const char *
field_of(pid_t pid, const char *file, const char *label)
{
    static char line[512];
    char path[64];

    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    FILE *f = fopen(path, "re");
    cr_assert_not_null(f, "%s", path);
    while (fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, label, strlen(label)) == 0) {
            (void)fclose(f);
            line[strcspn(line, "\n")] = '\0';
            return line + strlen(label) + strspn(line + strlen(label), " \t:");
        }
    (void)fclose(f);
    cr_assert_fail("%s has no %s", path, label);
    return NULL;
}

static struct world
busy_world(void)
{
    struct world w = world_open(NULL);

    expect_usable(&w); /* it serves, so its walls stand */
    return w;
}

/* --- one by one ------------------------------------------------------------------------------ */

CleanTest(cell, has_no_privileges_and_gains_none)
{
    static const char *const sets[] = { "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb" };
    struct world w = busy_world();
    pid_t pid = pid_of(w.isolate);

    cr_assert_str_eq(field_of(pid, "status", "NoNewPrivs"), "1");
    need(&w, "unprivileged user");
    cr_assert_neq(strtoul(field_of(pid, "status", "Uid"), NULL, 10), 0);
    if (geteuid() == 0)
        cr_assert_str_eq(field_of(pid, "status", "Groups"), "");
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
        if (geteuid() == 0 || strcmp(sets[i], "CapBnd") != 0)
            cr_assert_str_eq(
                field_of(pid, "status", sets[i]), "0000000000000000", "%s", sets[i]);
    world_close(&w);
}

/* The kernel gives what may be looked into to its user, and all else to root. Of the cell, its
 * template and the zygote. */
CleanTest(cell, is_not_dumpable)
{
    struct world w = busy_world();
    pid_t pid = pid_of(w.isolate);
    char path[64];
    struct stat info;

    need(&w, "unprivileged user");
    for (int i = 0; i < 3; i++) {
        (void)snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
        cr_assert_eq(stat(path, &info), 0);
        cr_assert_neq(info.st_uid, strtoul(field_of(pid, "status", "Uid"), NULL, 10), "%s",
            field_of(pid, "status", "Name"));
        pid = (pid_t)strtol(field_of(pid, "status", "PPid"), NULL, 10);
    }
    world_close(&w);
}

CleanTest(cell, is_filtered_on_all_its_threads)
{
    struct world w = busy_world();
    char path[64], file[300];
    int threads = 0;

    (void)snprintf(path, sizeof path, "/proc/%d/task", (int)pid_of(w.isolate));
    DIR *directory = opendir(path);
    cr_assert_not_null(directory);
    for (const struct dirent *e; (e = readdir(directory)) != NULL;) {
        if (e->d_name[0] == '.')
            continue;
        (void)snprintf(file, sizeof file, "task/%s/status", e->d_name);
        cr_assert_str_eq(field_of(pid_of(w.isolate), file, "Seccomp:"), "2");
        /* The one that asks about forks comes from the template; the filter is the other. */
        cr_assert_str_eq(field_of(pid_of(w.isolate), file, "Seccomp_filters:"), "2");
        cr_assert_str_eq(field_of(pid_of(w.isolate), file, "NoNewPrivs"), "1");
        threads++;
    }
    (void)closedir(directory);
    cr_assert_eq(threads, 2, "JavaScript's and the watchdog's");
    world_close(&w);
}

CleanTest(cell, is_alone_in_session_and_group)
{
    struct world w = busy_world();
    char stat[512], path[64];
    int parent, group, session;
    pid_t pid = pid_of(w.isolate);

    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "re");
    cr_assert(f != NULL && fgets(stat, sizeof stat, f) != NULL);
    (void)fclose(f);
    cr_assert_eq(sscanf(strrchr(stat, ')') + 1, " %*c %d %d %d", &parent, &group, &session), 3);
    cr_assert_eq(group, pid);
    cr_assert_eq(session, pid);
    world_close(&w);
}

CleanTest(cell, has_the_limits_that_it_should_have)
{
    static const char *const none[] = { "Max core file size", "Max file size", "Max open files",
        "Max locked memory", "Max msgqueue size", "Max realtime priority" };
    struct world w = busy_world();
    pid_t pid = pid_of(w.isolate);

    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        cr_assert_eq(strncmp(field_of(pid, "limits", none[i]), "0 ", 2), 0, "%s", none[i]);
    uint64_t data = strtoull(field_of(pid, "limits", "Max data size"), NULL, 10);
    uint64_t address = strtoull(field_of(pid, "limits", "Max address space"), NULL, 10);
    cr_assert(data > 128u << 20 && data < 1u << 30, "%llu", (unsigned long long)data);
    cr_assert(address > data && address < 1ull << 40, "%llu", (unsigned long long)address);
    world_close(&w);
}

CleanTest(cell, is_the_first_that_the_kernel_ends_for_lack_of_memory)
{
    struct world w = busy_world();

    need(&w, "first for the OOM killer");
    cr_assert_str_eq(field_of(pid_of(w.isolate), "oom_score_adj", ""), "1000");
    world_close(&w);
}

CleanTest(cell, is_in_namespaces_of_its_own)
{
    static const struct {
        const char *layer, *file;
    } spaces[] = { { "pid namespace", "pid" }, { "empty root", "mnt" },
        { "network namespace", "net" }, { "ipc namespace", "ipc" }, { "uts namespace", "uts" },
        { "cgroup namespace", "cgroup" } };
    struct world w = busy_world();
    char path[64], own[64] = "", its[64] = "";

    for (size_t i = 0; i < sizeof spaces / sizeof spaces[0]; i++) {
        need(&w, spaces[i].layer);
        (void)snprintf(path, sizeof path, "/proc/self/ns/%s", spaces[i].file);
        cr_assert_gt(readlink(path, own, sizeof own - 1), 0);
        (void)snprintf(
            path, sizeof path, "/proc/%d/ns/%s", (int)pid_of(w.isolate), spaces[i].file);
        if (readlink(path, its, sizeof its - 1) < 0 && errno == EACCES)
            cr_skip_test("only root sees into a cell");
        cr_assert_str_neq(own, its);
    }
    cr_assert_not_null(strchr(field_of(pid_of(w.isolate), "status", "NSpid"), '\t'));
    world_close(&w);
}

CleanTest(cell, has_an_empty_root)
{
    struct world w = busy_world();
    char path[64];
    int entries = 0;

    need(&w, "empty root");
    (void)snprintf(path, sizeof path, "/proc/%d/root", (int)pid_of(w.isolate));
    DIR *directory = opendir(path);
    if (directory == NULL && errno == EACCES)
        cr_skip_test("only root sees into a cell");
    cr_assert_not_null(directory);
    for (const struct dirent *e; (e = readdir(directory)) != NULL;)
        entries += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    cr_assert_eq(mkdirat(dirfd(directory), "made", 0700), -1);
    (void)closedir(directory);
    cr_assert_eq(entries, 0);
    world_close(&w);
}

/* --- secrets --------------------------------------------------------------------------------- */

static bool
area_has(int memory, uint64_t from, uint64_t to, const char *needle)
{
    static char piece[1 << 20];
    size_t len = strlen(needle), kept = 0;

    while (from < to) {
        size_t want = sizeof piece - kept < to - from ? sizeof piece - kept : to - from;
        ssize_t n = pread(memory, piece + kept, want, (off_t)from);
        if (n <= 0)
            return false; /* [vvar] and the like cannot be read */
        if (memmem(piece, kept + (size_t)n, needle, len) != NULL)
            return true;
        size_t have = kept + (size_t)n;
        kept = have < len ? have : len - 1;
        memmove(piece, piece + have - kept, kept);
        from += (uint64_t)n;
    }
    return false;
}

/* Looks through all that a process has mapped and touched. */
static bool
process_has(pid_t pid, const char *needle)
{
    char path[64], line[1024];
    bool found = false;

    (void)snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
    int memory = open(path, O_RDONLY | O_CLOEXEC);
    if (memory < 0 && errno == EACCES)
        cr_skip_test("only root sees into a cell");
    cr_assert_geq(memory, 0);
    (void)snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *maps = fopen(path, "re");
    cr_assert_not_null(maps);
    while (!found && fgets(line, sizeof line, maps) != NULL) {
        unsigned long long from, to;
        char rights[8];
        cr_assert_eq(sscanf(line, "%llx-%llx %7s", &from, &to, rights), 3);
        /* Reservations of gigabytes are not readable; what is, is small. */
        found = rights[0] == 'r' && area_has(memory, from, to, needle);
    }
    (void)fclose(maps);
    (void)close(memory);
    return found;
}

static void
make_secret(char secret[65])
{
    unsigned char bytes[32];

    cr_assert_eq(getrandom(bytes, sizeof bytes, 0), sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        (void)snprintf(secret + 2 * i, 3, "%02x", bytes[i]);
}

CleanTest(cell, has_no_secret_of_the_host_or_of_another_tenant)
{
    char of_host[65], of_guest[65], source[128];

    make_secret(of_host);
    make_secret(of_guest);
    cr_assert_eq(setenv("GLOVEBOX_TEST_SECRET", of_host, 1), 0);
    char *in_heap = strdup(of_host);
    struct world w = world_open(NULL);
    gbx_isolate *other = world_isolate(&w, NULL);
    (void)snprintf(source, sizeof source, "kept = '%s' + 'x'.repeat(9); kept.length", of_guest);
    cr_assert_eq(eval_number(w.context, source), 73);
    cr_assert_eq(eval_number(gbx_isolate_context(other), "1"), 1);
    cr_assert(process_has(pid_of(w.isolate), of_guest), "the search finds nothing");
    cr_assert_not(process_has(pid_of(other), of_guest), "a tenant's");
    cr_assert_not(process_has(pid_of(w.isolate), of_host), "the host's");
    /* Nor where they come from: paths, the names of files. */
    cr_assert_not(process_has(pid_of(w.isolate), gbx_runtime_cell_path(w.runtime)));
    cr_assert_not(process_has(pid_of(w.isolate), gbx_runtime_engine_path(w.runtime)));
    free(in_heap);
    gbx_isolate_close(other);
    world_close(&w);
}

/* --- what is required ------------------------------------------------------------------------ */

CleanTest(layers, are_reported_and_required)
{
    static const uint32_t levels[] = { GBX_REQUIRE_STRICT, GBX_REQUIRE_FULL, GBX_REQUIRE_NONE };
    struct world w = world_open(NULL);
    const gbx_layer *layer;
    uint32_t count = 0, missing = 0;

    for (; (layer = gbx_runtime_layer(w.runtime, count)) != NULL; count++) {
        cr_assert_neq(layer->name[0], '\0');
        cr_assert_neq(layer->cause[0], '\0');
        cr_assert_eq(layer->engaged == 0, layer->os_errno != 0, "%s", layer->name);
        cr_assert_leq(layer->required_by, GBX_REQUIRE_FULL);
        if (layer->required_by == GBX_REQUIRE_STRICT)
            cr_assert_eq(layer->engaged, 1, "%s", layer->name);
        missing += layer->engaged == 0;
    }
    cr_assert_geq(count, 16);
    cr_assert_null(gbx_runtime_layer(w.runtime, UINT32_MAX));
    world_close(&w);
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        gbx_runtime_options options = GBX_RUNTIME_OPTIONS_INIT;
        gbx_error error = GBX_ERROR_INIT;
        gbx_runtime *runtime = NULL;
        options.require = levels[i];
        gbx_status status = gbx_runtime_open(&options, &runtime, &error);
        bool may = levels[i] != GBX_REQUIRE_FULL || missing == 0;
        cr_assert_eq(status, may ? GBX_OK : GBX_ESEAL, "%s", error.message);
        gbx_runtime_close(runtime);
    }
}

/* Background snapshots are forks: who gives that up has none, and hears so. */
CleanTest(layers, take_the_fork_away_when_told)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    gbx_snapshot_options snapshot = GBX_SNAPSHOT_OPTIONS_INIT;
    char path[128];

    options.flags = GBX_ISOLATE_NO_FORK;
    struct world w = world_open(&options);
    (void)snprintf(path, sizeof path, "%s/none.heapsnapshot", scratch_directory());
    snapshot.path = path;
    settle(gbx_heap_snapshot(w.isolate, &snapshot), GBX_EUNSUPPORTED);
    snapshot.mode = GBX_SNAPSHOT_ATTACHED;
    settle(gbx_heap_snapshot(w.isolate, &snapshot), GBX_OK);
    expect_usable(&w);
    world_close(&w);
}
