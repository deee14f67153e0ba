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
    struct finding findings[NEEDS];
    gbx_runtime *runtime; /* NULL: there is none */
    uint32_t pid;         /* of the cell; 0: there is none */
    int outcome;
    gbx_error error; /* unless OUTCOME_OK */
};

/* In the order of enum need; names are part of --json. */
static const struct {
    const char *name;
    const char *shown;
} needs[NEEDS] = {
    { "memfd_sealing", "sealed memory (memfd)" },
    { "pidfd", "process descriptors (pidfd)" },
    { "memory", "memory set aside freely" },
    { "seccomp_notify", "seccomp notification" },
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

/* The layer's name tells it to people and in --json. */
static void
cross_check(struct doctor *d)
{
    const gbx_layer *layer;

    for (uint32_t i = 0; (layer = gbx_runtime_layer(d->runtime, i)) != NULL; i++)
        if (layer->engaged != 0 && probe_contradicts(d->pid, layer->name)) {
            d->outcome = fail_with(&d->error, OUTCOME_ENGINE,
                "the layer \"%s\" is said to hold, and /proc shows that it does not",
                layer->name);
            return;
        }
}

/* Makes a cell, has it answer, and looks at it. Closes nothing but the isolate. */
static void
try_cell(struct doctor *d)
{
    gbx_runtime_options options = GBX_RUNTIME_OPTIONS_INIT;
    gbx_usage usage = GBX_USAGE_INIT;
    gbx_isolate *isolate = NULL;
    gbx_value *value = NULL;
    double number = 0;

    options.pool = GBX_POOL_NONE;
    options.require = GBX_REQUIRE_NONE; /* to tell what is missing, rather than to fail */
    gbx_status status = gbx_runtime_open(&options, &d->runtime, &d->error);
    if (status == GBX_OK)
        status = gbx_isolate_open(d->runtime, NULL, &isolate, &d->error);
    if (status == GBX_OK)
        status = gbx_eval(gbx_isolate_context(isolate), "6 * 7", NULL, &value, &d->error);
    if (status == GBX_OK && (gbx_value_get_number(value, &number) != GBX_OK || number != 42))
        d->outcome =
            fail_with(&d->error, OUTCOME_ENGINE, "the engine says that 6 * 7 is not 42");
    else if (status != GBX_OK)
        d->outcome = OUTCOME_ENGINE;
    if (isolate != NULL && gbx_isolate_usage(isolate, &usage) == GBX_OK && usage.pid != 0) {
        d->pid = usage.pid;
        cross_check(d);
    }
    gbx_value_free(value);
    gbx_isolate_close(isolate);
}

/* The strongest enum gbx_require that this machine can give. */
static uint32_t
strongest(const struct doctor *d)
{
    uint32_t best = GBX_REQUIRE_FULL;
    const gbx_layer *layer;

    for (uint32_t i = 0; (layer = gbx_runtime_layer(d->runtime, i)) != NULL; i++)
        if (layer->engaged == 0)
            best = layer->required_by == GBX_REQUIRE_STRICT ? GBX_REQUIRE_NONE
                   : best == GBX_REQUIRE_NONE               ? best
                                                            : GBX_REQUIRE_STRICT;
    return best;
}

static const char *
require_name(uint32_t require)
{
    return require == GBX_REQUIRE_FULL     ? "full"
           : require == GBX_REQUIRE_STRICT ? "strict"
                                           : "none";
}

/* --- telling ---------------------------------------------------------------------------- */

static void
show_machine(const struct doctor *d)
{
    struct utsname u;
    uint32_t version = gbx_version();
    char memory[UNITS_TEXT];

    out_printf(
        out(), "glovebox  %u.%u.%u\n", version / 10000, version / 100 % 100, version % 100);
    if (d->runtime != NULL)
        out_printf(out(), "engine    V8 %s, %s\ncell      %s\n", gbx_runtime_engine(d->runtime),
            gbx_runtime_engine_path(d->runtime), gbx_runtime_cell_path(d->runtime));
    if (uname(&u) == 0)
        out_printf(out(), "kernel    %s %s, %s\n", u.sysname, u.release, u.machine);
    units_show_bytes(
        (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE), memory);
    out_printf(
        out(), "machine   %ld cores, %s of memory\n", sysconf(_SC_NPROCESSORS_ONLN), memory);
    if (d->outcome == OUTCOME_OK)
        out_printf(out(),
            "cells     run: one was made, and answered; --require %s can be had\n",
            require_name(strongest(d)));
    else
        out_printf(out(), "cells     don't run: %s\n", d->error.message);
}

static void
show_needs(const struct doctor *d)
{
    out_printf(out(), "\n%-28s %s\n", "what cells need", "here");
    for (int i = 0; i < NEEDS; i++)
        out_printf(out(), "%-28s %-4s  %s\n", needs[i].shown,
            d->findings[i].there ? "yes" : "no", d->findings[i].detail);
}

static void
show_layers(const struct doctor *d)
{
    const gbx_layer *layer;

    out_printf(out(), "\n%-28s %-5s %s\n", "what a cell is sealed by", "holds", "required by");
    for (uint32_t i = 0; (layer = gbx_runtime_layer(d->runtime, i)) != NULL; i++) {
        out_printf(out(), "%-28s %-5s %s", layer->name, layer->engaged ? "yes" : "no",
            require_name(layer->required_by));
        if (layer->os_errno != 0)
            out_printf(out(), "%*s%s", 13 - (int)strlen(require_name(layer->required_by)), "",
                strerror(layer->os_errno));
        out_text(out(), "\n");
    }
}

static void
show_advice(const struct doctor *d)
{
    const gbx_layer *layer;
    const char *last = NULL; /* namespaces share theirs */

    for (int i = 0; i < NEEDS; i++)
        if (!d->findings[i].there) {
            out_printf(out(), "\n%s:\n", needs[i].shown);
            out_filled(d->findings[i].advice, 2, 0);
        }
    for (uint32_t i = 0;
         d->runtime != NULL && (layer = gbx_runtime_layer(d->runtime, i)) != NULL; i++)
        if (layer->engaged == 0 && (last == NULL || strcmp(last, layer->cause) != 0)) {
            out_printf(out(), "\n%s: the usual cause is\n", layer->name);
            out_filled(layer->cause, 2, 0);
            last = layer->cause;
        }
}

static void
show_text(const struct doctor *d)
{
    show_machine(d);
    show_needs(d);
    if (d->runtime != NULL)
        show_layers(d);
    show_advice(d);
}

static struct object
needs_object(const struct doctor *d)
{
    struct object all = object_new();

    for (int i = 0; i < NEEDS; i++) {
        const struct finding *f = &d->findings[i];
        struct object o = object_new();
        put_bool(&o, "there", f->there);
        put_text(&o, "detail", f->detail);
        if (!f->there)
            put_text(&o, "advice", f->advice);
        put_object(&all, needs[i].name, &o);
    }
    return all;
}

static struct object
layers_object(const struct doctor *d)
{
    struct object all = object_new();
    const gbx_layer *layer;

    for (uint32_t i = 0; (layer = gbx_runtime_layer(d->runtime, i)) != NULL; i++) {
        struct object o = object_new();
        put_bool(&o, "holds", layer->engaged != 0);
        put_text(&o, "required_by", require_name(layer->required_by));
        if (layer->os_errno != 0)
            put_text(&o, "error", strerror(layer->os_errno));
        if (layer->engaged == 0)
            put_text(&o, "cause", layer->cause);
        put_object(&all, layer->name, &o);
    }
    return all;
}

static int
show_json(const struct doctor *d)
{
    struct object report = object_new(), part = needs_object(d);
    struct utsname u;

    put_bool(&report, "ok", d->outcome == OUTCOME_OK);
    if (d->outcome != OUTCOME_OK)
        put_text(&report, "error", d->error.message);
    put_number(&report, "version", gbx_version());
    if (uname(&u) == 0)
        put_text(&report, "kernel", u.release);
    put_object(&report, "needs", &part);
    if (d->runtime != NULL) {
        put_text(&report, "engine_version", gbx_runtime_engine(d->runtime));
        put_text(&report, "engine_path", gbx_runtime_engine_path(d->runtime));
        put_text(&report, "cell_path", gbx_runtime_cell_path(d->runtime));
        put_text(&report, "require", require_name(strongest(d)));
        part = layers_object(d);
        put_object(&report, "layers", &part);
    }
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
    outcome = d.outcome;
    if (options.json)
        outcome = show_json(&d);
    else
        show_text(&d);
    gbx_runtime_close(d.runtime);
    return outcome;
}

const struct command command_doctor = {
    .name = "doctor",
    .usage = "[FLAGS]",
    .summary = "tells whether cells can run here, and how well they are sealed",
    .about =
        "Starts the engine, seals a cell, has it answer, and tells what cells need of this "
        "machine, and which layers of the sandbox hold. A layer that does not hold has the "
        "kernel's reason beside it and the usual cause below. Layers are required by strict, "
        "which is what glovebox asks for unless it is told otherwise, or by full.\n"
        "Exits with 0 if cells can run, with 16 if not, or if /proc contradicts what is said.",
    .examples = "glovebox doctor\n"
                "glovebox doctor --json | python3 -m json.tool",
    .flags = flags,
    .run = doctor_main,
};
