/* deaths_table.c - what ends how: runs each attack in an isolate of its own, prints docs/deaths.md.
 *
 * With a file as its argument it compares instead, and exits with 1 if the file says otherwise;
 * with "-" and a text it runs only the attacks whose line holds that. Only what does not depend on
 * the machine's speed is in the table.
 */
#include "deaths_attacks.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static FILE *out;

static __attribute__((noreturn, format(printf, 1, 2))) void
die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)fprintf(stderr, "deaths_table: ");
    (void)vfprintf(stderr, format, args);
    (void)fprintf(stderr, "\n");
    va_end(args);
    exit(1);
}

static void
heading(const struct attack *attack)
{
    bool weighed = attack->memory_bytes != 0;

    (void)fprintf(out, "\n%s\n\n| what happens | the call ends with | the isolate is |%s\n",
        attack->what, weighed ? " memory past the limit |" : "");
    (void)fprintf(out, "| --- | --- | --- |%s\n", weighed ? " --- |" : "");
}

static void
run(const struct attack *attack, bool weighed)
{
    struct attack_report report;

    attack_run(attack, &report);
    if (weighed && report.over_bytes > (uint64_t)attack->over_mib << 20)
        attack_wrong(
            &report, "%llu KiB past its limit", (unsigned long long)report.over_bytes / 1024);
    if (report.wrong[0] != '\0')
        die("%s: %s", attack->what, report.wrong);
    (void)fprintf(out, "| %s | `GBX_%s` | %s |", attack->what, attack_status(report.status),
        report.isolate);
    if (weighed)
        (void)fprintf(out, " up to %u MiB |", attack->over_mib);
    (void)fputc('\n', out);
    (void)fflush(out);
    attack_report_done(&report);
}

static void
print_table(const char *only)
{
    bool weighed = false;

    (void)fputs(
        "# What ends how\n\n"
        "Made by `test/integration/deaths_table.c`, which runs each line; a test holds "
        "this file to it.\n"
        "In every case the host lives on, its memory, descriptors, threads and processes "
        "come back to what\n"
        "they were, and other isolates do not notice.\n\n"
        "Memory past the limit is what the kernel had given to the cell at the worst "
        "moment, resident memory and\n"
        "page tables together, beyond what a fresh cell has and the limit. The test fails "
        "where it is more. 8 and 16 MiB are\n"
        "what a collection takes while it copies; 40 MiB the most that V8's heap may have "
        "for a moment, of which no\n"
        "guest can make use; 72 MiB what the kernel's own limit leaves to parsers, ICU and "
        "others that do not ask V8, with\n"
        "the pages of the engine's file that were read meanwhile.\n",
        out);
    if (!attack_begin())
        die("no glovebox");
    for (size_t i = 0; i < deaths_attacks_count; i++) {
        const struct attack *attack = &deaths_attacks[i];
        if (attack->source == NULL)
            weighed = attack->memory_bytes != 0;
        if (attack->source == NULL)
            heading(attack);
        else if (only == NULL || strstr(attack->what, only) != NULL)
            run(attack, weighed);
    }
    attack_end();
}

/* Prints the lines that differ; true if there are none. */
static bool
same(FILE *made, const char *path)
{
    FILE *there = fopen(path, "re");
    char is[4096], says[4096];
    bool good = true;

    if (there == NULL)
        die("%s: %s", path, strerror(errno));
    rewind(made);
    for (;;) {
        bool more = fgets(is, sizeof is, made) != NULL;
        bool said = fgets(says, sizeof says, there) != NULL;
        if (!more && !said)
            break;
        if (more && said && strcmp(is, says) == 0)
            continue;
        good = false;
        (void)printf("is:   %s%s says: %s", more ? is : "(nothing)\n", path,
            said ? says : "(nothing)\n");
    }
    (void)fclose(there);
    return good;
}

int
main(int argc, char **argv)
{
    bool compare = argc == 2;

    out = compare ? tmpfile() : stdout;
    if (out == NULL)
        die("no temporary file: %s", strerror(errno));
    print_table(argc == 3 ? argv[2] : NULL);
    if (!compare)
        return 0;
    return same(out, argv[1]) ? 0 : 1;
}
