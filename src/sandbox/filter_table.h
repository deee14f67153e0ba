/* filter_table.h - filter.def as data, for the compiler of the filter and for the test that tries
 * every rule. Not part of a cell. */
#ifndef SANDBOX_FILTER_TABLE_H
#define SANDBOX_FILTER_TABLE_H

#include "base/control.h"
#include "base/limits.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

/* Stands for the cell's pid until the filter is installed: no pid is as high. */
#define CELL_PID 0x6c6f7665

struct filter_rule {
    unsigned profile; /* set of enum sandbox_profile, any of which has it; 0: all */
    const char *name;
    int number;
    int error; /* 0: allowed */
    const char *reason;
    struct scmp_arg_cmp arg[4]; /* those with op 0 are not there */
};

#define FILTER_BASE      0
#define FILTER_FORK      SANDBOX_FORK
#define FILTER_PROFILING SANDBOX_PROFILING
#define FILTER_THREADS   (SANDBOX_FORK | SANDBOX_PROFILING)
#define EQ(n, value)                               \
    {                                              \
        (n), SCMP_CMP_EQ, (scmp_datum_t)(value), 0 \
    }
#define EQ32(n, value)                                                          \
    {                                                                           \
        (n), SCMP_CMP_MASKED_EQ, 0xffffffffu, (scmp_datum_t)(value)&0xffffffffu \
    }
#define BITS(n, mask, value)                                                 \
    {                                                                        \
        (n), SCMP_CMP_MASKED_EQ, (scmp_datum_t)(mask), (scmp_datum_t)(value) \
    }
#define ONLY(n, bits) BITS(n, ~(scmp_datum_t)(bits), 0)
#define ALLOW(profiles, call, why, ...) \
    { FILTER_##profiles, #call, SYS_##call, 0, why, { __VA_ARGS__ } },
#define REFUSE(profiles, call, error, why, ...) \
    { FILTER_##profiles, #call, SYS_##call, error, why, { __VA_ARGS__ } },
static const struct filter_rule filter_rules[] = {
#include "sandbox/filter.def"
};
#undef ALLOW
#undef REFUSE

/* The rule is one of those that make a filter for these profiles. */
static inline bool
filter_rule_holds(const struct filter_rule *rule, unsigned profiles)
{
    return rule->profile == 0 || (rule->profile & profiles) != 0;
}

#endif
