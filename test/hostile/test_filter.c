/* The compiled filters beside the table that they were made from: each runs here, in an
 * interpreter of classic BPF, and must answer what the rules say. No cell is needed, so every
 * bit of every argument of every rule can be turned, and every instruction be seen to matter. */
#include "hostile/filter_oracle.h"

#include <criterion/criterion.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/filter_bpf.h"

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#endif

enum {
    PID = 4242,
    MIXES = 400000, /* random inputs for each profile */
    TAKEN = 1,      /* what was seen of a jump */
    PASSED = 2,
    RAN = 4,
    OF_NUMBER = 8 /* it looks at the call's number, all of which are tried */
};

struct program {
    unsigned profile;
    struct sock_filter code[BPF_MAXINSNS];
    uint8_t seen[BPF_MAXINSNS];
    size_t count;
};

/* What sandbox_filter_cell() does to it before it is installed. */
static void
load(struct program *program, unsigned profile)
{
    static const struct {
        const struct sock_filter *code;
        size_t count;
    } programs[] = { { filter_0, COUNT(filter_0) }, { filter_1, COUNT(filter_1) },
        { filter_2, COUNT(filter_2) }, { filter_3, COUNT(filter_3) } };
    size_t pids = 0;

    *program = (struct program){ .profile = profile, .count = programs[profile].count };
    memcpy(program->code, programs[profile].code, program->count * sizeof program->code[0]);
    for (size_t i = 0; i < program->count; i++)
        if (program->code[i].k == FILTER_PID_MARK) {
            cr_assert_eq(program->code[i].code, BPF_JMP | BPF_JEQ | BPF_K);
            program->code[i].k = PID;
            pids++;
        }
    cr_assert_gt(pids, 0, "no rule looks at the pid");
}

static bool
jumps(const struct sock_filter *at, uint32_t a)
{
    switch (BPF_OP(at->code)) {
    case BPF_JEQ:
        return a == at->k;
    case BPF_JGT:
        return a > at->k;
    case BPF_JGE:
        return a >= at->k;
    case BPF_JSET:
        return (a & at->k) != 0;
    default:
        cr_assert_fail("an unknown jump: %#x", at->code);
        return false;
    }
}

static uint32_t
run(struct program *program, const struct seccomp_data *data)
{
    uint32_t a = 0, loaded = 0;

    for (size_t i = 0;; i++) {
        cr_assert_lt(i, program->count, "ran past the end");
        const struct sock_filter *at = &program->code[i];
        program->seen[i] |= RAN;
        if (at->code == (BPF_LD | BPF_W | BPF_ABS)) {
            cr_assert(at->k % 4 == 0 && at->k < sizeof *data);
            memcpy(&a, (const char *)data + at->k, sizeof a);
            loaded = at->k;
        } else if (at->code == (BPF_ALU | BPF_AND | BPF_K)) {
            a &= at->k;
        } else if (at->code == (BPF_RET | BPF_K)) {
            return at->k;
        } else if (at->code == (BPF_JMP | BPF_JA)) {
            i += at->k;
        } else {
            cr_assert_eq(at->code & ~0xf0u, BPF_JMP | BPF_K, "unknown: %#x", at->code);
            bool taken = jumps(at, a);
            program->seen[i] |= taken ? TAKEN : PASSED;
            program->seen[i] |= loaded == offsetof(struct seccomp_data, nr) ? OF_NUMBER : 0;
            i += taken ? at->jt : at->jf;
        }
    }
}

static void
compare(struct program *program, long number, const uint64_t *args)
{
    struct seccomp_data data = { .nr = (int)number, .arch = NATIVE };

    for (size_t i = 0; i < 6; i++)
        data.args[i] = args[i];
    uint32_t wanted = oracle(program->profile, number, args, PID), got = run(program, &data);
    if (got != wanted)
        cr_assert_fail("profile %u: %ld(%#llx, %#llx, %#llx, %#llx, %#llx, %#llx): the filter "
                       "answers %#x, the rules %#x",
            program->profile, number, (unsigned long long)args[0], (unsigned long long)args[1],
            (unsigned long long)args[2], (unsigned long long)args[3],
            (unsigned long long)args[4], (unsigned long long)args[5], got, wanted);
}

/* --- inputs ---------------------------------------------------------------------------------- */

/* A rule's arguments, then each with one bit turned, and with two of different arguments. */
static void
perturb(struct program *program, const struct filter_rule *rule)
{
    uint64_t args[6];

    oracle_example(rule, args, PID);
    compare(program, rule->number, args);
    for (size_t one = 0; one < 6 * 64; one++) {
        args[one / 64] ^= UINT64_C(1) << one % 64;
        compare(program, rule->number, args);
        for (size_t two = (one / 64 + 1) * 64; two < 6 * 64; two++) {
            args[two / 64] ^= UINT64_C(1) << two % 64;
            compare(program, rule->number, args);
            args[two / 64] ^= UINT64_C(1) << two % 64;
        }
        args[one / 64] ^= UINT64_C(1) << one % 64;
    }
}

static uint64_t
random_64(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* A value that some rule speaks of, or one beside it. */
static uint64_t
random_argument(uint64_t *state)
{
    uint64_t r = random_64(state);
    const struct filter_rule *rule = &filter_rules[r % COUNT(filter_rules)];
    const struct scmp_arg_cmp *wanted = &rule->arg[r >> 8 & 3];
    uint64_t any = random_64(state);

    switch (r >> 16 & 7) {
    case 0:
        return any;
    case 1:
        return any & ~wanted->datum_a;
    case 2:
        return CELL_PID;
    case 3:
        return (uint64_t)0 - (any & 1);
    case 4:
        return oracle_value(wanted, PID) ^ UINT64_C(1) << (any & 63);
    default:
        return oracle_value(wanted, PID);
    }
}

static void
mix(struct program *program)
{
    uint64_t state = 88172645463325252u + program->profile, args[6];

    for (size_t i = 0; i < MIXES; i++) {
        const struct filter_rule *rule = &filter_rules[random_64(&state) % COUNT(filter_rules)];
        oracle_example(rule, args, PID);
        for (uint64_t set = random_64(&state) & 63, n = 0; n < 6; n++)
            if ((set & 1u << n) != 0)
                args[n] = random_argument(&state);
        compare(program, rule->number, args);
    }
}

/* Every number with zeroes and with ones; the x32 ABI's and negative ones besides. */
static void
count_numbers(struct program *program)
{
    static const uint64_t zeroes[6],
        ones[6] = { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX };

    for (long number = -2; number < 70000; number++) {
        compare(program, number, zeroes);
        compare(program, number, ones);
    }
    for (long number = 0; number < 1024; number++)
        for (unsigned bit = 16; bit < 32; bit++)
            compare(program, (int)((uint32_t)number | UINT32_C(1) << bit), zeroes);
}

static void
expect_dead(struct program *program, uint32_t arch)
{
    for (int number = -1; number < 1024; number++) {
        struct seccomp_data data = { .nr = number, .arch = arch };
        cr_assert_eq(run(program, &data), SECCOMP_RET_KILL_PROCESS,
            "call %d of architecture %#x is let through", number, arch);
    }
}

/* libseccomp compares the upper half under a mask of 0, too: that is always equal. */
static bool
is_no_question(const struct sock_filter *jump)
{
    return jump->k == 0 && jump[-1].code == (BPF_ALU | BPF_AND | BPF_K) && jump[-1].k == 0;
}

/* An instruction that no input reaches, or a jump that always goes one way, was not tested. Numbers
 * that follow one another leave jumps on the last of them with no choice. */
static void
expect_covered(const struct program *program)
{
    for (size_t i = 0; i < program->count; i++) {
        bool jump = BPF_CLASS(program->code[i].code) == BPF_JMP &&
                    program->code[i].code != (BPF_JMP | BPF_JA);
        uint8_t wanted = jump ? RAN | TAKEN | PASSED : RAN;
        if (jump && i > 0 && is_no_question(&program->code[i]))
            wanted = RAN | TAKEN;
        uint8_t seen = program->seen[i];
        bool good = (seen & OF_NUMBER) != 0 ? (seen & RAN) != 0 : seen == wanted;
        cr_assert(good, "profile %u: instruction %zu (%#x %u %u %#x) was seen %u of %u",
            program->profile, i, program->code[i].code, program->code[i].jt,
            program->code[i].jf, program->code[i].k, program->seen[i], wanted);
    }
}

Test(filter, answers_what_its_rules_say, .timeout = 100)
{
    static struct program program;

    for (unsigned profile = 0; profile < SANDBOX_PROFILES; profile++) {
        load(&program, profile);
        for (size_t i = 0; i < COUNT(filter_rules); i++)
            perturb(&program, &filter_rules[i]);
        mix(&program);
        count_numbers(&program);
        expect_dead(&program, AUDIT_ARCH_I386);
        expect_dead(&program, AUDIT_ARCH_ARM);
        expect_dead(
            &program, NATIVE == AUDIT_ARCH_X86_64 ? AUDIT_ARCH_AARCH64 : AUDIT_ARCH_X86_64);
        expect_dead(&program, 0);
        expect_covered(&program);
        (void)fprintf(stderr, "profile %u: %zu instructions, each run, each jump both ways\n",
            profile, program.count);
    }
}

/* One bit more in an argument that a rule names is another call: it dies, unless a rule says of
 * that one too what shall be. The judge itself is held to that here. */
Test(filter, rules_are_no_wider_than_they_say)
{
    for (size_t i = 0; i < COUNT(filter_rules); i++) {
        const struct filter_rule *rule = &filter_rules[i];
        cr_assert(rule->reason[0] != '\0');
        uint64_t args[6];
        oracle_example(rule, args, PID);
        cr_assert(
            oracle_matches(rule, rule->number, args, PID), "%s takes nothing", rule->name);
        for (size_t j = 0; j < i; j++)
            cr_assert(rule->number != filter_rules[j].number ||
                          rule->error == filter_rules[j].error ||
                          !oracle_matches(&filter_rules[j], rule->number, args, PID),
                "two rules of %s disagree", rule->name);
    }
}
