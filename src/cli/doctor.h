/* doctor.h - what glovebox doctor looks at: the machine, and a live cell on it. */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include "cli/cli.h"

enum answer {
    ANSWER_UNKNOWN, /* cannot be told from here */
    ANSWER_NO,
    ANSWER_YES,
    ANSWER_NONE /* the question makes no sense */
};

/* One thing that a cell needs or is sealed by. */
enum feature {
    FEATURE_MEMFD,
    FEATURE_PIDFD,
    FEATURE_MEMORY,
    FEATURE_NO_NEW_PRIVS,
    FEATURE_SESSION,
    FEATURE_FDS,
    FEATURE_RLIMITS,
    FEATURE_DUMPABLE,
    FEATURE_SECCOMP,
    FEATURE_NOTIFY,
    FEATURE_LANDLOCK,
    FEATURE_USER_NS,
    FEATURE_PID_NS,
    FEATURE_NET_NS,
    FEATURE_MOUNT_NS,
    FEATURE_CGROUP,
    FEATURE_UID,
    FEATURES
};

struct finding {
    enum answer machine; /* offers it */
    enum answer cell;    /* a live cell was seen to have it */
    char detail[96];
    const char *advice; /* what to do about it; NULL: nothing */
};

/* probe.c: asks the kernel. Changes nothing: what cannot be taken back is tried in a child. */
void probe_machine(struct finding findings[FEATURES]);

/* probe_cell.c: looks at a cell from outside, in /proc. */
struct cell_paths {
    char object[4096]; /* what is preloaded into the engine */
    char engine[4096];
};
void probe_cell(uint32_t pid, struct finding findings[FEATURES]);

/* Reads a small file; false: it cannot be read. `out` is NUL-terminated, without the last
 * newline. */
bool read_small(const char *path, char *out, size_t size);

#endif
