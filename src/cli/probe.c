#include "base/fd.h"
#include "cli/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>

bool
read_small(const char *path, char *out, size_t size)
{
    GBX_AUTOFD fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, size - 1);

    if (n < 0)
        return false;
    if (n > 0 && out[n - 1] == '\n')
        n--;
    out[n] = '\0';
    return true;
}

static enum answer
yes_if(bool condition)
{
    return condition ? ANSWER_YES : ANSWER_NO;
}

static void __attribute__((format(printf, 2, 3)))
detail(struct finding *f, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(f->detail, sizeof f->detail, format, args);
    va_end(args);
}

/* --- what every cell needs -------------------------------------------------------------- */

static void
probe_memfd(struct finding *f)
{
    GBX_AUTOFD fd = memfd_create("glovebox-doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    f->machine = yes_if(
        fd >= 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0);
    detail(f, "the channel between host and cell");
    f->advice =
        "no cell can be made without: this kernel is too old, or memfd_create is filtered";
}

static void
probe_pidfd(struct finding *f)
{
    GBX_AUTOFD fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

    f->machine = yes_if(fd >= 0);
    detail(f, "how the host sees a cell end");
    f->advice = "no cell can be made without: Linux 5.4 or later is needed, or pidfd_open is "
                "filtered";
}

/* V8 sets aside address space that it never touches. */
static void
probe_memory(struct finding *f)
{
    struct rlimit data = { 0, 0 }, address = { 0, 0 };
    char mode[16];
    bool strict = read_small("/proc/sys/vm/overcommit_memory", mode, sizeof mode) &&
                  strcmp(mode, "2") == 0;

    (void)getrlimit(RLIMIT_DATA, &data);
    (void)getrlimit(RLIMIT_AS, &address);
    bool limited = data.rlim_cur != RLIM_INFINITY || address.rlim_cur != RLIM_INFINITY;
    f->machine = yes_if(!strict && !limited);
    if (strict) {
        detail(f, "vm.overcommit_memory is 2");
        f->advice =
            "V8 sets aside memory that it does not use; with strict accounting cells may "
            "fail: sysctl vm.overcommit_memory=0";
    } else {
        detail(f, limited ? "a limit of the shell: ulimit -d, -v"
                          : "no strict accounting, no ulimit");
        f->advice =
            "cells with large limits may fail: ulimit -d unlimited; ulimit -v unlimited";
    }
}

/* --- the layers ------------------------------------------------------------------------- */

static void
probe_always(struct finding findings[FEATURES])
{
    struct finding *f = &findings[FEATURE_NO_NEW_PRIVS];

    f->machine = yes_if(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) >= 0);
    detail(f, "set-user-id programs give nothing");
    detail(&findings[FEATURE_SESSION], "no terminal, no signals of the shell");
    detail(&findings[FEATURE_FDS], "one event descriptor is left");
    detail(&findings[FEATURE_RLIMITS], "memory, files, core dumps");
    detail(&findings[FEATURE_DUMPABLE], "other processes can't look into it");
    for (int i = FEATURE_SESSION; i <= FEATURE_DUMPABLE; i++)
        findings[i].machine = ANSWER_YES;
}

static bool
action_available(uint32_t action)
{
    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

static void
probe_seccomp(struct finding *filter, struct finding *notify)
{
    /* Without a filter the kernel says EFAULT if it would take one, else EINVAL. */
    bool takes = prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0) != 0 && errno == EFAULT;

    filter->machine = yes_if(takes && action_available(SECCOMP_RET_KILL_PROCESS));
    detail(filter, "system calls from a list only");
    filter->advice =
        "the kernel has no CONFIG_SECCOMP_FILTER, or it is filtered: no cell can be "
        "sealed well here";
    notify->machine = yes_if(takes && action_available(SECCOMP_RET_USER_NOTIF));
    detail(notify, "the host approves each fork");
    notify->advice = "Linux 5.0 or later is needed";
}

static void
probe_landlock(struct finding *f)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

    f->machine = yes_if(abi > 0);
    if (abi > 0)
        detail(f, "opens no file; ABI %ld", abi);
    else
        detail(f, "opens no file");
    f->advice = errno == EOPNOTSUPP
                    ? "switch it on: lsm=landlock,... on the kernel's command line"
                    : "Linux 5.13 or later with CONFIG_SECURITY_LANDLOCK";
}

/* Tries it in a child, and answers its errno: namespaces can be entered, but not left. */
static int
try_unshare(int flags)
{
    int status = 0;
    pid_t child = fork();

    if (child < 0)
        return errno;
    if (child == 0)
        _exit(unshare(flags) == 0 ? 0 : errno);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

static const char *
namespace_advice(void)
{
    char text[16];

    if (read_small("/proc/sys/user/max_user_namespaces", text, sizeof text) &&
        strcmp(text, "0") == 0)
        return "sysctl user.max_user_namespaces=10000";
    if (read_small("/proc/sys/kernel/unprivileged_userns_clone", text, sizeof text) &&
        strcmp(text, "0") == 0)
        return "sysctl kernel.unprivileged_userns_clone=1";
    if (read_small(
            "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", text, sizeof text) &&
        strcmp(text, "1") == 0)
        return "sysctl kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile";
    return "in a container: allow unshare(CLONE_NEWUSER) in its seccomp profile";
}

static void
probe_namespaces(struct finding findings[FEATURES])
{
    static const struct {
        enum feature feature;
        int flag;
        const char *what;
    } spaces[] = {
        { FEATURE_USER_NS, 0, "no rights over this machine" },
        { FEATURE_PID_NS, CLONE_NEWPID, "sees no other process" },
        { FEATURE_NET_NS, CLONE_NEWNET, "no network" },
        { FEATURE_MOUNT_NS, CLONE_NEWNS, "an empty file system" },
    };

    for (size_t i = 0; i < sizeof spaces / sizeof spaces[0]; i++) {
        struct finding *f = &findings[spaces[i].feature];
        int e = try_unshare(CLONE_NEWUSER | spaces[i].flag);
        f->machine = yes_if(e == 0);
        if (e == 0)
            detail(f, "%s", spaces[i].what);
        else
            detail(f, "%s", strerror(e));
        f->advice = namespace_advice();
    }
}

/* Delegated: we may make groups below our own. */
static void
probe_cgroup(struct finding *f)
{
    char groups[4096], path[4200], controllers[256];
    struct statfs fs;

    f->advice = "systemd-run --user --scope -p Delegate=yes ..., on a system with cgroup v2";
    f->machine = ANSWER_NO;
    if (statfs("/sys/fs/cgroup", &fs) != 0 || (unsigned long)fs.f_type != CGROUP2_SUPER_MAGIC) {
        detail(f, "cgroup v2 is not at /sys/fs/cgroup");
        return;
    }
    const char *own =
        read_small("/proc/self/cgroup", groups, sizeof groups) ? strstr(groups, "0::/") : NULL;
    if (own == NULL) {
        detail(f, "no group of its own found");
        return;
    }
    int len = (int)strcspn(own + 3, "\n");
    (void)snprintf(path, sizeof path, "/sys/fs/cgroup%.*s/cgroup.controllers", len, own + 3);
    if (!read_small(path, controllers, sizeof controllers))
        controllers[0] = '\0';
    *strrchr(path, '/') = '\0';
    bool delegated = access(path, W_OK) == 0;
    f->machine = yes_if(delegated && strstr(controllers, "memory") != NULL);
    detail(f, "%s%.24s", delegated ? "delegated: " : "not delegated: ", controllers);
}

static void
probe_uid(struct finding *f)
{
    bool root = geteuid() == 0;

    f->machine = root ? ANSWER_YES : ANSWER_NONE;
    detail(f, root ? "glovebox runs as root" : "only root could give it one");
}

void
probe_machine(struct finding findings[FEATURES])
{
    memset(findings, 0, FEATURES * sizeof *findings);
    probe_memfd(&findings[FEATURE_MEMFD]);
    probe_pidfd(&findings[FEATURE_PIDFD]);
    probe_memory(&findings[FEATURE_MEMORY]);
    probe_always(findings);
    probe_seccomp(&findings[FEATURE_SECCOMP], &findings[FEATURE_NOTIFY]);
    probe_landlock(&findings[FEATURE_LANDLOCK]);
    probe_namespaces(findings);
    probe_cgroup(&findings[FEATURE_CGROUP]);
    probe_uid(&findings[FEATURE_UID]);
}
