/* cmd_run.c - glovebox run: one program in a cell of its own. */
#include "base/limits.h"
#include "cli/run.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define FIELD(name) offsetof(struct run_options, name)

static const struct flag flags[] = {
    { "eval", 'e', FLAG_TEXT, "CODE", FIELD(eval), 0, 0, 0, false,
        "run CODE instead of a file; all words that follow the flags are ARGS" },
    { "module", 'm', FLAG_BOOL, NULL, FIELD(module), 0, 0, 0, false,
        "an ES module, whatever the file is called; it may not import yet" },
    { "preload", 'r', FLAG_LIST, "FILE", FIELD(preload), 0, 0, 0, false,
        "run this script first, under the same limits; may be repeated" },
    { "set", 's', FLAG_LIST, "NAME=TEXT", FIELD(set), 0, 0, 0, false,
        "make a global string, from NAME=@FILE that file's text (NAME=@@TEXT: text that begins "
        "with @); may be repeated" },
    { "memory", 0, FLAG_BYTES, "SIZE", FIELD(memory_bytes), MEMORY_LIMIT_MIN, MEMORY_LIMIT_MAX,
        MEMORY_LIMIT_DEFAULT, false, "limit of heap, buffers and code together" },
    { "stack", 0, FLAG_BYTES, "SIZE", FIELD(stack_bytes), STACK_LIMIT_MIN, STACK_LIMIT_MAX, 0,
        false, "limit of the native stack" },
    { "timeout", 0, FLAG_TIME, "TIME", FIELD(timeout_us), 1, LIMIT_US_MAX, RUN_TIMEOUT_US, true,
        "deadline of the whole program with all that it awaits, by the clock" },
    { "cpu", 0, FLAG_TIME, "TIME", FIELD(cpu_us), 1, LIMIT_US_MAX, 0, true,
        "processor time that the program may use" },
    { "console-limit", 0, FLAG_BYTES, "SIZE", FIELD(console_bytes), 1, UINT64_MAX,
        RUN_CONSOLE_BYTES, true, "what the program prints past this is dropped" },
    { "quiet", 'q', FLAG_BOOL, NULL, FIELD(quiet), 0, 0, 0, false,
        "drop all that the program prints" },
    { "print", 'p', FLAG_BOOL, NULL, FIELD(print), 0, 0, 0, false,
        "print the completion value, as util.inspect() of Node.js shows it" },
    { "json", 'j', FLAG_BOOL, NULL, FIELD(json), 0, 0, 0, false,
        "one JSON object on standard output: ok, result, error, stats; what the program prints "
        "goes to standard error" },
    { "stats", 0, FLAG_BOOL, NULL, FIELD(stats), 0, 0, 0, false,
        "say on standard error what the run has cost" },
    { "heap-snapshot", 0, FLAG_TEXT, "FILE", FIELD(snapshot), 0, 0, 0, false,
        "when the program has ended, well or not, write its heap to FILE, for the Memory panel "
        "of Chrome DevTools" },
    { "background", 0, FLAG_BOOL, NULL, FIELD(background), 0, 0, 0, false,
        "a fork of the cell writes the snapshot; the default" },
    { "attached", 0, FLAG_BOOL, NULL, FIELD(attached), 0, 0, 0, false,
        "the cell itself writes it, and stands still meanwhile" },
    { "help", 'h', FLAG_HELP, NULL, 0, 0, 0, 0, false, "this text" },
    { NULL, 0, FLAG_BOOL, NULL, 0, 0, 0, 0, false, NULL },
};

static int
check_usage(const struct run_options *o, const char *file)
{
    if (o->eval == NULL && file == NULL)
        return complain(
            OUTCOME_USAGE, "run: which file? - is standard input, -e CODE runs code");
    if (o->print && o->json)
        return complain(
            OUTCOME_USAGE, "run: --print and --json: one of them can have the output");
    if (o->attached && o->background)
        return complain(
            OUTCOME_USAGE, "run: --attached and --background: expected one of them");
    if ((o->attached || o->background) && o->snapshot == NULL)
        return complain(OUTCOME_USAGE, "run: --%s goes with --heap-snapshot FILE",
            o->attached ? "attached" : "background");
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

static int
run_main(int argc, char **argv)
{
    struct run run = { .error = GBX_ERROR_INIT };
    int rest = 0;
    int outcome = options_parse(&command_run, argc, argv, &run.options, &rest);

    const char *file = run.options.eval == NULL && rest < argc ? argv[rest++] : NULL;
    signals_start();
    if (outcome == OPTIONS_GO_ON && (outcome = check_usage(&run.options, file)) == OUTCOME_OK) {
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
                "glovebox run --heap-snapshot out.heapsnapshot program.js",
    .flags = flags,
    .run = run_main,
};
