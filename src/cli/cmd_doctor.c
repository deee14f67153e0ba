/* cmd_doctor.c - glovebox doctor: can cells run here, and how well are they sealed? */
#include "base/limits.h"
#include "cli/doctor.h"
#include "cli/json.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

struct doctor_options {
    bool json;
};

struct doctor {
    struct finding findings[FEATURES];
    struct cell_paths paths;
    char engine[64]; /* V8's version; "": it does not start */
    int outcome;
    gbx_error error; /* unless OUTCOME_OK */
};

/* In the order of enum feature; names are part of --json. */
static const struct {
    const char *name;
    const char *shown;
} features[FEATURES] = {
    { "memfd_sealing", "sealed memory (memfd)" },
    { "pidfd", "process descriptors (pidfd)" },
    { "memory", "memory set aside freely" },
    { "no_new_privs", "no new privileges" },
    { "session", "session of its own" },
    { "fds_closed", "descriptors closed" },
    { "rlimits", "resource limits" },
    { "not_dumpable", "not dumpable" },
    { "seccomp_filter", "seccomp filter" },
    { "seccomp_notify", "seccomp notification" },
    { "landlock", "landlock" },
    { "user_namespace", "user namespace" },
    { "pid_namespace", "pid namespace" },
    { "net_namespace", "network namespace" },
    { "mount_namespace", "mount namespace" },
    { "cgroup", "cgroup of its own" },
    { "uid", "another user" },
};

static const struct flag flags[] = {
    { .name = "json",
        .letter = 'j',
        .kind = FLAG_BOOL,
        .offset = offsetof(struct doctor_options, json),
        .help = "one JSON object on standard output" },
    { .name = "help", .letter = 'h', .kind = FLAG_HELP, .help = "this text" },
    { .name = NULL },
};

/* --- looking ---------------------------------------------------------------------------- */

/* Makes a cell, has it answer, and looks at it. */
static void
try_cell(struct doctor *d)
{
    gbx_runtime_options options = GBX_RUNTIME_OPTIONS_INIT;
    gbx_usage usage = GBX_USAGE_INIT;
    gbx_runtime *runtime = NULL;
    gbx_isolate *isolate = NULL;
    gbx_value *value = NULL;
    double number = 0;

    options.pool = GBX_POOL_NONE;
    gbx_status status = gbx_runtime_open(&options, &runtime, &d->error);
    if (status == GBX_OK) {
        (void)snprintf(d->engine, sizeof d->engine, "%s", gbx_runtime_engine(runtime));
        (void)snprintf(
            d->paths.engine, sizeof d->paths.engine, "%s", gbx_runtime_engine_path(runtime));
        (void)snprintf(
            d->paths.object, sizeof d->paths.object, "%s", gbx_runtime_cell_path(runtime));
        status = gbx_isolate_open(runtime, NULL, &isolate, &d->error);
    }
    if (status == GBX_OK)
        status = gbx_eval(gbx_isolate_context(isolate), "6 * 7", NULL, &value, &d->error);
    if (status == GBX_OK && (gbx_value_get_number(value, &number) != GBX_OK || number != 42))
        d->outcome =
            fail_with(&d->error, OUTCOME_ENGINE, "the engine says that 6 * 7 is not 42");
    else if (status != GBX_OK)
        d->outcome = OUTCOME_ENGINE;
    if (isolate != NULL && gbx_isolate_usage(isolate, &usage) == GBX_OK)
        probe_cell(usage.pid, d->findings);
    gbx_value_free(value);
    gbx_isolate_close(isolate);
    gbx_runtime_close(runtime);
}

/* --- telling ---------------------------------------------------------------------------- */

static const char *
word(enum answer answer)
{
    switch (answer) {
    case ANSWER_YES:
        return "yes";
    case ANSWER_NO:
        return "no";
    case ANSWER_NONE:
        return "-";
    default:
        return "?";
    }
}

static void
show_machine(const struct doctor *d)
{
    struct utsname u;
    uint32_t version = gbx_version();
    char memory[UNITS_TEXT];

    out_printf(
        out(), "glovebox  %u.%u.%u\n", version / 10000, version / 100 % 100, version % 100);
    if (d->engine[0] != '\0')
        out_printf(out(), "engine    V8 %s%s%s\n", d->engine,
            d->paths.engine[0] != '\0' ? ", " : "", d->paths.engine);
    if (d->paths.object[0] != '\0')
        out_printf(out(), "cell      %s\n", d->paths.object);
    if (uname(&u) == 0)
        out_printf(out(), "kernel    %s %s, %s\n", u.sysname, u.release, u.machine);
    units_show_bytes(
        (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE), memory);
    out_printf(
        out(), "machine   %ld cores, %s of memory\n", sysconf(_SC_NPROCESSORS_ONLN), memory);
    if (d->outcome == OUTCOME_OK)
        out_text(out(), "cells     run: one was made, and answered\n");
    else
        out_printf(out(), "cells     don't run: %s\n", d->error.message);
}

static void
show_advice(const struct doctor *d)
{
    struct buf unused = { .max = 4 * KIB };
    bool any = false;

    for (int i = 0; i < FEATURES; i++) {
        const struct finding *f = &d->findings[i];
        if (f->machine != ANSWER_NO || f->advice == NULL)
            continue;
        out_text(out(), any ? "" : "\nWhat this machine could offer besides:\n");
        out_printf(out(), "  %s:\n", features[i].shown);
        out_filled(f->advice, 4, 0);
        any = true;
    }
    for (int i = 0; i < FEATURES; i++)
        if (d->findings[i].machine == ANSWER_YES && d->findings[i].cell == ANSWER_NO)
            buf_printf(&unused, "%s%s", unused.len > 0 ? ", " : "", features[i].shown);
    if (unused.len > 0) {
        buf_byte(&unused, '\0');
        out_text(out(), "\nOffered here, and not used by this version yet:\n");
        out_filled((const char *)unused.p, 2, 0);
    }
    buf_done(&unused);
}

static void
show_text(const struct doctor *d)
{
    show_machine(d);
    out_printf(out(), "\n%-27s %-7s %-4s\n", "", "machine", "cell");
    for (int i = 0; i < FEATURES; i++) {
        const struct finding *f = &d->findings[i];
        out_printf(out(), "%-27s %-7s %-4s  %s\n", features[i].shown, word(f->machine),
            word(f->cell), f->detail);
    }
    show_advice(d);
}

static void
put_answer(struct object *o, const char *key, enum answer answer)
{
    if (answer == ANSWER_YES || answer == ANSWER_NO)
        put_bool(o, key, answer == ANSWER_YES);
    else
        put(o, key, gbx_value_new_null());
}

static int
show_json(const struct doctor *d)
{
    struct object report = object_new(), all = object_new();
    struct utsname u;

    put_bool(&report, "ok", d->outcome == OUTCOME_OK);
    if (d->outcome != OUTCOME_OK)
        put_text(&report, "error", d->error.message);
    put_number(&report, "version", gbx_version());
    put_text(&report, "engine_version", d->engine);
    put_text(&report, "engine_path", d->paths.engine);
    put_text(&report, "cell_path", d->paths.object);
    if (uname(&u) == 0)
        put_text(&report, "kernel", u.release);
    for (int i = 0; i < FEATURES; i++) {
        const struct finding *f = &d->findings[i];
        struct object o = object_new();
        put_answer(&o, "machine", f->machine);
        put_answer(&o, "cell", f->cell);
        put_text(&o, "detail", f->detail);
        if (f->machine == ANSWER_NO && f->advice != NULL)
            put_text(&o, "advice", f->advice);
        put_object(&all, features[i].name, &o);
    }
    put_object(&report, "features", &all);
    char *text = object_text(&report);
    if (text == NULL)
        return complain(OUTCOME_SYSTEM, "out of memory");
    out_text(out(), text);
    out_text(out(), "\n");
    free(text);
    return d->outcome;
}

static int
doctor_main(int argc, char **argv)
{
    struct doctor_options options = { false };
    struct doctor d = { .error = GBX_ERROR_INIT };
    int rest = 0;
    int outcome = options_parse(&command_doctor, argc, argv, &options, &rest);

    if (outcome != OPTIONS_GO_ON)
        return outcome;
    if (rest < argc)
        return complain(OUTCOME_USAGE, "doctor: takes no words, but was given %s", argv[rest]);
    probe_machine(d.findings);
    try_cell(&d);
    if (options.json)
        return show_json(&d);
    show_text(&d);
    return d.outcome;
}

const struct command command_doctor = {
    .name = "doctor",
    .usage = "[FLAGS]",
    .summary = "tells whether cells can run here, and how well they are sealed",
    .about =
        "Starts the engine, makes a cell, and looks at both it and the kernel. The column "
        "machine says what the kernel offers, the column cell what the live cell was seen to "
        "have: yes, no, ? where it cannot be told from outside (as root, or as another "
        "user), - where the question makes no sense.\n"
        "Exits with 0 if cells can run, with 16 if not.",
    .examples = "glovebox doctor\n"
                "glovebox doctor --json | python3 -m json.tool",
    .flags = flags,
    .run = doctor_main,
};
