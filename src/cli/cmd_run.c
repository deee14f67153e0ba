/* cmd_run.c - glovebox run: one program in a cell of its own. */
#include "base/limits.h"
#include "cli/run.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define FIELD(name) offsetof(struct run_options, name)

const struct flag run_common_flags[] = {
    { .name = "eval",
        .letter = 'e',
        .kind = FLAG_TEXT,
        .value = "CODE",
        .offset = FIELD(eval),
        .help = "run CODE instead of a file; all words that follow the flags are ARGS" },
    { .name = "module",
        .letter = 'm',
        .kind = FLAG_BOOL,
        .offset = FIELD(module),
        .help = "an ES module, whatever the file is called" },
    { .name = "root",
        .kind = FLAG_TEXT,
        .value = "DIR",
        .offset = FIELD(root),
        .help = "let the program import the .js, .mjs, .json and .wasm files below DIR, by ./, "
                "../ and / "
                "paths; without this nothing can be imported" },
    { .name = "preload",
        .letter = 'r',
        .kind = FLAG_LIST,
        .value = "FILE",
        .offset = FIELD(preload),
        .help = "run this script first, under the same limits; may be repeated" },
    { .name = "set",
        .letter = 's',
        .kind = FLAG_LIST,
        .value = "NAME=TEXT",
        .offset = FIELD(set),
        .help =
            "make a global string, from NAME=@FILE that file's text (NAME=@@TEXT: text that "
            "begins with @); may be repeated" },
    { .name = "memory",
        .kind = FLAG_BYTES,
        .value = "SIZE",
        .offset = FIELD(memory_bytes),
        .min = MEMORY_LIMIT_MIN,
        .max = MEMORY_LIMIT_MAX,
        .initial = MEMORY_LIMIT_DEFAULT,
        .help = "limit of heap, buffers and code together" },
    { .name = "stack",
        .kind = FLAG_BYTES,
        .value = "SIZE",
        .offset = FIELD(stack_bytes),
        .min = STACK_LIMIT_MIN,
        .max = STACK_LIMIT_MAX,
        .help = "limit of the native stack" },
    { .name = "cpu",
        .kind = FLAG_TIME,
        .value = "TIME",
        .offset = FIELD(cpu_us),
        .min = 1,
        .max = LIMIT_US_MAX,
        .zero = true,
        .help = "processor time that the program may use" },
    { .name = "require",
        .kind = FLAG_TEXT,
        .value = "LAYERS",
        .offset = FIELD(require),
        .help =
            "of the sandbox that must hold, or nothing runs: strict (the default), full, or "
            "none; glovebox doctor tells which this machine has" },
    { .name = "console-limit",
        .kind = FLAG_BYTES,
        .value = "SIZE",
        .offset = FIELD(console_bytes),
        .min = 1,
        .max = UINT64_MAX,
        .initial = RUN_CONSOLE_BYTES,
        .zero = true,
        .help = "what the program prints past this is dropped" },
    { .name = "quiet",
        .letter = 'q',
        .kind = FLAG_BOOL,
        .offset = FIELD(quiet),
        .help = "drop all that the program prints" },
    { .name = "print",
        .letter = 'p',
        .kind = FLAG_BOOL,
        .offset = FIELD(print),
        .help = "print the completion value, as util.inspect() of Node.js shows it" },
    { .name = "json",
        .letter = 'j',
        .kind = FLAG_BOOL,
        .offset = FIELD(json),
        .help =
            "one JSON object on standard output: ok, result, error, stats; what the program "
            "prints goes to standard error" },
    { .name = "stats",
        .kind = FLAG_BOOL,
        .offset = FIELD(stats),
        .help = "say on standard error what the run has cost" },
    { .name = "heap-snapshot",
        .kind = FLAG_TEXT,
        .value = "FILE",
        .offset = FIELD(snapshot),
        .help =
            "when the program has ended, well or not, write its heap to FILE, for the Memory "
            "panel of Chrome DevTools; FILE.zst is compressed" },
    { .name = "background",
        .kind = FLAG_BOOL,
        .offset = FIELD(background),
        .help = "a fork of the cell writes the snapshot; the default" },
    { .name = "attached",
        .kind = FLAG_BOOL,
        .offset = FIELD(attached),
        .help = "the cell itself writes it, and stands still meanwhile" },
    { .name = "stable-ids",
        .kind = FLAG_BOOL,
        .offset = FIELD(stable_ids),
        .help = "objects have the ids in it that a debugger was shown" },
    { .name = "snapshot-at-limit",
        .kind = FLAG_TEXT,
        .value = "FILE",
        .offset = FIELD(limit_snapshot),
        .help = "when the program reaches --memory, write its heap to FILE before it ends of "
                "that; FILE.zst is compressed" },
    { .name = "cpu-prof",
        .kind = FLAG_TEXT,
        .optional = true,
        .value = "FILE",
        .offset = FIELD(cpu_profile),
        .help =
            "write where the time went to FILE, a .cpuprofile for Chrome DevTools; also of a "
            "program that ran into a limit" },
    { .name = "heap-prof",
        .kind = FLAG_TEXT,
        .optional = true,
        .value = "FILE",
        .offset = FIELD(heap_profile),
        .help = "write what allocated the memory that lives to FILE, a .heapprofile" },
    { .name = "help", .letter = 'h', .kind = FLAG_HELP, .help = "this text" },
    { .name = NULL },
};

/* Those of run and of inspect. */
static const struct flag timed[] = {
    { .name = "timeout",
        .kind = FLAG_TIME,
        .value = "TIME",
        .offset = FIELD(timeout_us),
        .min = 1,
        .max = LIMIT_US_MAX,
        .initial = RUN_TIMEOUT_US,
        .zero = true,
        .help = "deadline of the whole program with all that it awaits, by the clock" },
    { .name = NULL, .more = run_common_flags },
};

static const struct flag run_flags[] = {
    { .name = "inspect",
        .kind = FLAG_TEXT,
        .value = "[HOST:]PORT",
        .optional = true,
        .offset = FIELD(inspect),
        .help =
            "let Chrome DevTools and other debuggers in, on a port of this machine; 9229 if it "
            "is free and no other is given" },
    { .name = "inspect-brk",
        .kind = FLAG_TEXT,
        .value = "[HOST:]PORT",
        .optional = true,
        .offset = FIELD(inspect_brk),
        .help =
            "the same, and the program begins when a debugger is there, paused at its first "
            "line" },
    { .name = NULL, .more = timed },
};

static const struct flag inspect_flags[] = {
    { .name = "port",
        .kind = FLAG_TEXT,
        .value = "[HOST:]PORT",
        .offset = FIELD(inspect_brk),
        .help = "for the debugger; 9229 if it is free and no other is given" },
    { .name = NULL, .more = timed },
};

uint32_t
run_require(const char *name)
{
    static const char *const names[] = { [GBX_REQUIRE_STRICT] = "strict",
        [GBX_REQUIRE_FULL] = "full",
        [GBX_REQUIRE_NONE] = "none" };
    uint32_t require = GBX_REQUIRE_STRICT;

    while (name != NULL && require <= GBX_REQUIRE_NONE && strcmp(name, names[require]) != 0)
        require++;
    return require;
}

static int
check_usage(const struct run_options *o, const char *command, const char *file)
{
    const char *port = o->inspect != NULL ? o->inspect : o->inspect_brk;
    char host[INSPECT_HOST_BYTES];

    if (o->eval == NULL && file == NULL)
        return complain(
            OUTCOME_USAGE, "%s: which file? - is standard input, -e CODE runs code", command);
    if (o->inspect != NULL && o->inspect_brk != NULL)
        return complain(
            OUTCOME_USAGE, "run: --inspect and --inspect-brk: expected one of them");
    if (port != NULL && !run_inspect_read(port, host, &(gbx_devtools_options){ 0 }))
        return complain(OUTCOME_USAGE,
            "%s: %s: expected a port, a host, or host:port, such as 9229 or [::1]:9229",
            command, port);
    if (run_require(o->require) > GBX_REQUIRE_NONE)
        return complain(OUTCOME_USAGE, "%s: --require %s: expected strict, full or none",
            command, o->require);
    if (o->print && o->json)
        return complain(
            OUTCOME_USAGE, "%s: --print and --json: one of them can have the output", command);
    if (o->attached && o->background)
        return complain(
            OUTCOME_USAGE, "%s: --attached and --background: expected one of them", command);
    if ((o->attached || o->background) && o->snapshot == NULL)
        return complain(OUTCOME_USAGE, "%s: --%s goes with --heap-snapshot FILE", command,
            o->attached ? "attached" : "background");
    if (o->stable_ids && o->snapshot == NULL)
        return complain(
            OUTCOME_USAGE, "%s: --stable-ids goes with --heap-snapshot FILE", command);
    return OUTCOME_OK;
}

static void
show_result(struct run *run)
{
    gbx_text_options options = GBX_TEXT_OPTIONS_INIT;
    char *text = NULL;
    size_t len = 0;

    options.flags = out()->terminal && getenv("NO_COLOR") == NULL ? GBX_TEXT_COLOR : 0;
    gbx_status status = gbx_value_to_text(run->result, &options, &text, &len);
    if (status != GBX_OK) {
        run->outcome = fail_with(&run->error, outcome_of(status), "%s", gbx_strstatus(status));
        return;
    }
    /* Nothing in it can harm a terminal: gbx_value_to_text() sees to it. */
    out_text(out(), text);
    out_text(out(), "\n");
    free(text);
}

int
run_program(const struct command *command, int argc, char **argv)
{
    struct run run = { .error = GBX_ERROR_INIT, .command = command };
    int rest = 0;
    int outcome = options_parse(command, argc, argv, &run.options, &rest);

    if (command == &command_inspect && run.options.inspect_brk == NULL)
        run.options.inspect_brk = "";

    const char *file = run.options.eval == NULL && rest < argc ? argv[rest++] : NULL;
    signals_start();
    if (outcome == OPTIONS_GO_ON &&
        (outcome = check_usage(&run.options, command->name, file)) == OUTCOME_OK) {
        run.arguments = (const char *const *)argv + rest;
        run.argument_count = (size_t)(argc - rest);
        run.outcome = run_read_inputs(&run, file);
        if (run.outcome == OUTCOME_OK)
            run_execute(&run);
        if (run.outcome == OUTCOME_OK && run.options.print)
            show_result(&run);
        if (run.options.json)
            report_json(&run);
        else
            report_text(&run);
        if (run.options.stats && run.isolate != NULL)
            report_stats(&run);
        outcome = run.outcome;
    }
    run_close(&run);
    run_free_inputs(&run);
    return outcome;
}

static int
run_main(int argc, char **argv)
{
    return run_program(&command_run, argc, argv);
}

static int
inspect_main(int argc, char **argv)
{
    return run_program(&command_inspect, argc, argv);
}

const struct command command_run = {
    .name = "run",
    .usage = "[FLAGS] FILE [ARGS...]\n[FLAGS] -e CODE [ARGS...]\n[FLAGS] - [ARGS...]",
    .summary = "runs a program in a cell of its own, under limits",
    .about =
        "Runs a JavaScript program, a script or an ES module (.mjs), in a process of its own "
        "that has nothing of this machine but what the flags give it. FILE - is standard "
        "input. ARGS reach the program as the frozen array args.\n"
        "Promises are awaited: the program ends when its completion value, or its "
        "module's top level, has settled. console.log, info and debug go to standard output, "
        "warn and error to standard error.\n"
        "A SIZE has a unit of K, M or G (1024 each), a TIME one of us, ms, s, m or h.",
    .examples = "glovebox run program.js one two\n"
                "glovebox run --memory 64M --timeout 2s --cpu 1s untrusted.js\n"
                "echo 'await 6 * 7' | glovebox run --json --module -\n"
                "glovebox run -p --set page=@README.md -e 'page.split(/\\s+/).length'\n"
                "glovebox run --root . program.mjs\n"
                "glovebox run --heap-snapshot out.heapsnapshot program.js",
    .flags = run_flags,
    .run = run_main,
};

const struct command command_inspect = {
    .name = "inspect",
    .usage = "[FLAGS] FILE [ARGS...]\n[FLAGS] -e CODE [ARGS...]",
    .summary = "runs a program under a debugger, paused at its first line",
    .about =
        "Runs a program as glovebox run does, and lets Chrome DevTools, node inspect, editors "
        "and "
        "other clients of their protocol look inside. It waits until one is there, and stops "
        "at the "
        "program's first line. Its clocks rest while it is paused. What it prints goes to the "
        "debugger, too. When it has ended, the debugger may go on looking; Ctrl-C ends all.\n"
        "The address that is printed is for Chrome's address bar; chrome://inspect finds port "
        "9229 "
        "by itself. Whoever has it has power over the program, and nobody else: it cannot be "
        "guessed, and no web page and no other user of this machine is let in.",
    .examples = "glovebox inspect program.js one two\n"
                "glovebox inspect --port 9300 --root . program.mjs\n"
                "node inspect 127.0.0.1:9229",
    .flags = inspect_flags,
    .run = inspect_main,
};
