/* landlock.c - a domain without a single rule: what it handles is denied. */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What the kernel takes, by ABI version; the headers of a distribution are older than its users'
 * kernels. From linux/landlock.h. */
struct ruleset {
    uint64_t files;   /* 13 rights, +1 with ABI 2 and 3, +1 with 5 */
    uint64_t ports;   /* bind, connect: ABI 4 */
    uint64_t outside; /* abstract sockets, signals: ABI 6 */
};

enum {
    VERSION_FLAG = 1, /* LANDLOCK_CREATE_RULESET_VERSION */
    ABI_SIGNALS = 6,
};

static uint64_t
file_rights(long abi)
{
    unsigned count = abi >= 5 ? 16 : abi >= 3 ? 15 : abi == 2 ? 14 : 13;

    return (UINT64_C(1) << count) - 1;
}

/* 0, or an errno. */
static int
enclose(long abi)
{
    struct ruleset rules = { .files = file_rights(abi),
        .ports = abi >= 4 ? 3 : 0,
        .outside = abi >= ABI_SIGNALS ? 3 : 0 };
    size_t size = abi >= ABI_SIGNALS ? sizeof rules
                  : abi >= 4         ? offsetof(struct ruleset, outside)
                                     : offsetof(struct ruleset, ports);
    int fd = (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0);

    if (fd < 0)
        return errno;
    int error = syscall(SYS_landlock_restrict_self, fd, 0) < 0 ? errno : 0;
    (void)close(fd);
    return error;
}

void
landlock_enclose(struct layers *layers)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, VERSION_FLAG);
    int error = abi < 0 ? errno : enclose(abi);

    layers_note(layers, LAYER_FILES, error);
    layers_note(layers, LAYER_SIGNALS, error != 0 ? error : abi < ABI_SIGNALS ? ENOSYS : 0);
}
