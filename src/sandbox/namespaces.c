/* namespaces.c - the zygote's walls: its own view of the machine, with nothing in it, and no
 * privilege to change that. Everything forked from it lives inside. */
#include "sandbox/sandbox.h"

#include "base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
    enum sandbox_layer layer;
    int flag;
} namespaces[] = {
    { LAYER_PIDS, CLONE_NEWPID },
    { LAYER_ROOT, CLONE_NEWNS },
    { LAYER_NETWORK, CLONE_NEWNET },
    { LAYER_IPC, CLONE_NEWIPC },
    { LAYER_HOSTNAME, CLONE_NEWUTS },
    { LAYER_CGROUP, CLONE_NEWCGROUP },
};

/* 0, or an errno. */
static int
write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return errno;
    int error = write(fd, text, strlen(text)) < 0 ? errno : 0;
    (void)close(fd);
    return error;
}

/* --- the user -------------------------------------------------------------------------------- */

/* Takes CAP_SETPCAP, which goes with root. The numbers of capabilities end with EINVAL. */
static void
drop_bounding_set(void)
{
    for (unsigned long c = 0; prctl(PR_CAPBSET_DROP, c, 0, 0, 0) == 0; c++)
        ;
}

static int
drop_root(void)
{
    if (geteuid() != 0)
        return 0;
    drop_bounding_set();
    /* Of all three ids, for good. The kernel takes the capabilities with them. */
    if (setgroups(0, NULL) < 0 || setresgid(CELL_USER, CELL_USER, CELL_USER) < 0 ||
        setresuid(CELL_USER, CELL_USER, CELL_USER) < 0)
        return errno;
    return 0;
}

static int
drop_capabilities(void)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct none[2] = { { 0 } };

    drop_bounding_set(); /* of a user namespace */
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return syscall(SYS_capset, &header, none) < 0 ? errno : 0;
}

/* --- namespaces ------------------------------------------------------------------------------ */

/* Users other than root get the right to the other namespaces by one of users. There they remain
 * who they are. */
static int
enter_user_namespace(void)
{
    char map[64];
    uid_t uid = geteuid();
    gid_t gid = getegid();

    /* A process that has changed its user may not write its own maps otherwise. */
    (void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    if (unshare(CLONE_NEWUSER) < 0)
        return errno;
    (void)write_file("/proc/self/setgroups", "deny");
    (void)snprintf(map, sizeof map, "%u %u 1\n", uid, uid);
    int error = write_file("/proc/self/uid_map", map);
    (void)snprintf(map, sizeof map, "%u %u 1\n", gid, gid);
    return error != 0 ? error : write_file("/proc/self/gid_map", map);
}

/* The first error among them; each that engages is noted. A process can ask for a pid namespace for
 * its children only once; what else it has it gets anew, to own it in its user namespace. */
static int
enter_namespaces(struct layers *layers)
{
    int first = 0;

    for (size_t i = 0; i < sizeof namespaces / sizeof namespaces[0]; i++) {
        if (namespaces[i].layer == LAYER_PIDS && layers_hold(layers, LAYER_PIDS))
            continue;
        int error = unshare(namespaces[i].flag) < 0 ? errno : 0;
        layers_note(layers, namespaces[i].layer, error);
        first = first != 0 ? first : error;
    }
    return first;
}

/* Waits for the init of the pid namespace: its parent must live outside of it. */
static __attribute__((noreturn)) void
stand_guard(pid_t init)
{
    int status = 0;

    (void)prctl(PR_SET_NAME, "gbx-guard");
    (void)sandbox_close_from(0);
    while (waitpid(init, &status, 0) < 0 && errno == EINTR)
        ;
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

void
sandbox_enter(struct layers *layers)
{
    layers_note(layers, LAYER_OOM, write_file("/proc/self/oom_score_adj", "1000"));
    if (geteuid() != 0 || enter_namespaces(layers) != 0) {
        /* Root without the right to do it, as in a container, is a user like any other. */
        if (drop_root() == 0 && enter_user_namespace() == 0)
            (void)enter_namespaces(layers);
        else if (geteuid() != 0)
            for (size_t i = 0; i < sizeof namespaces / sizeof namespaces[0]; i++)
                if (!layers_hold(layers, namespaces[i].layer))
                    layers_note(layers, namespaces[i].layer, EPERM);
    }
    if (!layers_hold(layers, LAYER_PIDS))
        return;
    pid_t init = fork();
    if (init > 0)
        stand_guard(init);
    if (init < 0)
        layers_note(layers, LAYER_PIDS, errno); /* and no fork will work from here on */
}

/* An empty, read-only file system takes the place of the root; the old one is let go. */
static int
empty_root(void)
{
    static const char at[] = "/proc"; /* there is no machine without this directory */
    unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;

    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("glovebox", at, "tmpfs", flags, "size=4k,nr_inodes=1,mode=0") < 0 ||
        chdir(at) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
        umount2(".", MNT_DETACH) < 0 ||
        mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | flags, NULL) < 0)
        return errno;
    return chdir("/") < 0 ? errno : 0;
}

void
sandbox_seal_zygote(struct layers *layers)
{
    if (layers_hold(layers, LAYER_ROOT))
        layers_note(layers, LAYER_ROOT, empty_root());
    int user = drop_root();
    int capabilities = drop_capabilities();
    layers_note(layers, LAYER_USER, user != 0 ? user : capabilities);
    sandbox_withdraw(layers);
    landlock_enclose(layers);
    /* Changing the user has undone it. The guard has no other way to take us with it. */
    if (getppid() == 0)
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
}
