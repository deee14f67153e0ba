/* main.c - the glovebox command: picks the subcommand. */
#include "base/check.h"
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

const struct command *const commands[] = { &command_run, &command_inspect, &command_heap,
    &command_watch, &command_snapshots, &command_doctor, NULL };

static const struct command *
command_find(const char *name)
{
    for (const struct command *const *c = commands; *c != NULL; c++)
        if (strcmp((*c)->name, name) == 0)
            return *c;
    return NULL;
}

static int
unknown_command(const char *word)
{
    const char *names[COUNT(commands) + 1] = { "help" };
    size_t count = 1;

    for (const struct command *const *c = commands; *c != NULL; c++)
        names[count++] = (*c)->name;
    const char *nearest = nearest_word(word, names, count);
    if (word[0] == '-')
        return complain(OUTCOME_USAGE, "unknown flag %s; see glovebox --help", word);
    if (access(word, F_OK) == 0)
        return complain(
            OUTCOME_USAGE, "unknown command %s; did you mean glovebox run %s?", word, word);
    if (nearest != NULL)
        return complain(OUTCOME_USAGE, "unknown command %s; did you mean %s?", word, nearest);
    return complain(OUTCOME_USAGE, "unknown command %s; see glovebox --help", word);
}

static int
show_help(const char *name)
{
    const struct command *command = name == NULL ? NULL : command_find(name);

    if (name == NULL || strcmp(name, "help") == 0)
        help_program();
    else if (command != NULL)
        help_command(command);
    else
        return unknown_command(name);
    return OUTCOME_OK;
}

static int
show_version(void)
{
    uint32_t version = gbx_version();
    gbx_runtime_options options = GBX_RUNTIME_OPTIONS_INIT;
    gbx_error error = GBX_ERROR_INIT;
    gbx_runtime *runtime = NULL;

    out_printf(
        out(), "glovebox %u.%u.%u\n", version / 10000, version / 100 % 100, version % 100);
    /* The engine is a file of its own, which may be replaced: ask it. */
    options.pool = GBX_POOL_NONE;
    if (gbx_runtime_open(&options, &runtime, &error) == GBX_OK)
        out_printf(out(), "V8 %s\n", gbx_runtime_engine(runtime));
    else
        out_printf(out(), "no engine: %s\n", error.message);
    gbx_runtime_close(runtime);
    return OUTCOME_OK;
}

static int
dispatch(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : NULL;

    if (word == NULL) {
        (void)complain(OUTCOME_USAGE, "which command? see glovebox --help");
        return OUTCOME_USAGE;
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        return show_help(NULL);
    if (strcmp(word, "help") == 0)
        return show_help(argc > 2 ? argv[2] : NULL);
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)
        return show_version();
    const struct command *command = command_find(word);
    return command != NULL ? command->run(argc - 1, argv + 1) : unknown_command(word);
}

int
main(int argc, char **argv)
{
    out_start();
    return out_finish(dispatch(argc, argv));
}
