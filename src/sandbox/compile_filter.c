/* compile_filter.c - makes BPF of filter.def when glovebox is built, so that no cell waits for it
 * and no libseccomp is needed at run time. Prints filter_bpf.h. */
#include "sandbox/filter_table.h"

#include "base/check.h"

#include <linux/filter.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
die(const char *what, int error)
{
    (void)fprintf(stderr, "compile_filter: %s: %s\n", what, strerror(error));
    exit(1);
}

static void
add_rule(scmp_filter_ctx filter, const struct filter_rule *rule)
{
    struct scmp_arg_cmp arg[4];
    unsigned count = 0;

    for (size_t i = 0; i < COUNT(rule->arg); i++)
        if (rule->arg[i].op != 0)
            arg[count++] = rule->arg[i];
    int error = seccomp_rule_add_exact_array(filter,
        rule->error == 0 ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO((uint16_t)rule->error), rule->number,
        count, arg);
    if (error < 0)
        die(rule->name, -error);
}

static void
print_program(scmp_filter_ctx filter, unsigned profile)
{
    struct sock_filter program[BPF_MAXINSNS];
    FILE *file = tmpfile();

    if (file == NULL || seccomp_export_bpf(filter, fileno(file)) < 0)
        die("export", errno);
    rewind(file);
    size_t count = fread(program, sizeof program[0], COUNT(program), file);
    (void)fclose(file);
    (void)printf("static const struct sock_filter filter_%u[] = {\n", profile);
    for (size_t i = 0; i < count; i++)
        (void)printf("    { 0x%02x, %u, %u, 0x%08x },\n", program[i].code, program[i].jt,
            program[i].jf, program[i].k);
    (void)printf("};\n");
}

static void
compile(unsigned profile)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);

    if (filter == NULL)
        die("seccomp_init", ENOMEM);
    /* Another architecture's numbers mean other calls. */
    int error = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (error == 0)
        error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a binary tree */
    if (error != 0)
        die("seccomp_attr_set", -error);
    for (size_t i = 0; i < COUNT(filter_rules); i++)
        if (filter_rule_holds(&filter_rules[i], profile))
            add_rule(filter, &filter_rules[i]);
    print_program(filter, profile);
    seccomp_release(filter);
}

int
main(void)
{
    (void)printf("/* Made from filter.def by compile_filter. */\n"
                 "#define FILTER_PID_MARK 0x%08xu\n",
        (unsigned)CELL_PID);
    for (unsigned profile = 0; profile < SANDBOX_PROFILES; profile++)
        compile(profile);
    return ferror(stdout) != 0 || fflush(stdout) != 0;
}
