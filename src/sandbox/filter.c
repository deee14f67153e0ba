/* filter.c - installs the system-call filter that filter.def describes, and the one that asks the
 * host before a cell forks. */
#include "sandbox/sandbox.h"

#include "base/check.h"
#include "base/control.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/filter_bpf.h"

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#endif

#define PROGRAM(n)                    \
    {                                 \
        filter_##n, COUNT(filter_##n) \
    }
static const struct {
    const struct sock_filter *code;
    size_t count;
} programs[] = { PROGRAM(0), PROGRAM(1), PROGRAM(2), PROGRAM(3) };
_Static_assert(COUNT(programs) == SANDBOX_PROFILES, "one for each set of profiles");

/* 0, or an errno. */
static int
install(enum sandbox_profile profile)
{
    static struct sock_filter code[BPF_MAXINSNS];
    size_t count = programs[profile].count;
    uint32_t pid = (uint32_t)getpid();

    memcpy(code, programs[profile].code, count * sizeof code[0]);
    for (size_t i = 0; i < count; i++)
        if (code[i].code == (BPF_JMP | BPF_JEQ | BPF_K) && code[i].k == FILTER_PID_MARK)
            code[i].k = pid;
    struct sock_fprog program = { (unsigned short)count, code };
    /* On every thread at once: one that is left out would be the way out. */
    long failed =
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
    return failed < 0 ? errno : failed > 0 ? ESRCH : 0;
}

void
sandbox_filter_cell(enum sandbox_profile profile, struct layers *layers)
{
    layers_note(layers, LAYER_FILTER, install(profile));
}

/* Of those calls that a cell asks its host for, the kernel says so; all others are its own filter's
 * to judge, which is installed later. */
int
sandbox_watch_forks(bool threads)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE, 0, 10),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setsid, 0, 7),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TWIN_MARK, 4, 5),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FORK_FLAGS, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TWIN_FLAGS, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, threads ? FORK_FLAGS : THREAD_FLAGS, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { COUNT(code), code };

    return (int)syscall(
        SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}
