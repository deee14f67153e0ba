/* filter_oracle.h - what filter.def says of a system call, worked out rule by rule: the judge of
 * the compiled filters, and of what a live cell survives. */
#ifndef TEST_HOSTILE_FILTER_ORACLE_H
#define TEST_HOSTILE_FILTER_ORACLE_H

#include "sandbox/filter_table.h"

#include "base/check.h"

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>

static inline uint64_t
oracle_value(const struct scmp_arg_cmp *wanted, uint32_t pid)
{
    uint64_t value = wanted->op == SCMP_CMP_EQ ? wanted->datum_a : wanted->datum_b;

    return value == CELL_PID ? pid : value;
}

static inline bool
oracle_matches(const struct filter_rule *rule, long number, const uint64_t *args, uint32_t pid)
{
    if (rule->number != number)
        return false;
    for (size_t i = 0; i < COUNT(rule->arg); i++) {
        const struct scmp_arg_cmp *wanted = &rule->arg[i];
        uint64_t mask = wanted->op == SCMP_CMP_EQ ? UINT64_MAX : wanted->datum_a;
        if (wanted->op != 0 && (args[wanted->arg] & mask) != oracle_value(wanted, pid))
            return false;
    }
    return true;
}

/* What the filter of `profile` answers in the cell `pid`: SECCOMP_RET_*. */
static inline uint32_t
oracle(unsigned profile, long number, const uint64_t *args, uint32_t pid)
{
    for (size_t i = 0; i < COUNT(filter_rules); i++) {
        const struct filter_rule *rule = &filter_rules[i];
        if (filter_rule_holds(rule, profile) && oracle_matches(rule, number, args, pid))
            return rule->error == 0 ? SECCOMP_RET_ALLOW
                                    : SECCOMP_RET_ERRNO | (uint32_t)rule->error;
    }
    return SECCOMP_RET_KILL_PROCESS;
}

/* The least arguments that a rule takes. */
static inline void
oracle_example(const struct filter_rule *rule, uint64_t *args, uint32_t pid)
{
    for (size_t i = 0; i < 6; i++)
        args[i] = 0;
    for (size_t i = 0; i < COUNT(rule->arg); i++)
        if (rule->arg[i].op != 0)
            args[rule->arg[i].arg] |= oracle_value(&rule->arg[i], pid);
}

#endif
