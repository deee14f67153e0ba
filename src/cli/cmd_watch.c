/* cmd_watch.c - glovebox watch: a program, and snapshots of its heap while it runs. */
#include "base/limits.h"
#include "cli/run.h"

#include <stddef.h>

#define FIELD(name) offsetof(struct run_options, name)

static const struct flag flags[] = {
    { .name = "every",
        .kind = FLAG_TIME,
        .value = "TIME",
        .offset = FIELD(watch.every_us),
        .min = SERIES_EVERY_MIN_US,
        .max = LIMIT_US_MAX,
        .initial = WATCH_EVERY_US,
        .zero = true,
        .help = "take a snapshot so often" },
    { .name = "growth",
        .kind = FLAG_BYTES,
        .value = "SIZE",
        .offset = FIELD(watch.growth_bytes),
        .min = SERIES_GROWTH_MIN,
        .max = UINT64_MAX,
        .zero = true,
        .help = "and one when its memory is so much more than it was after the last" },
    { .name = "store",
        .kind = FLAG_TEXT,
        .value = "DIR",
        .offset = FIELD(watch.store),
        .help = "where they are kept; default " SNAPSHOTS_STORE },
    { .name = "label",
        .letter = 'l',
        .kind = FLAG_TEXT,
        .value = "LABEL",
        .offset = FIELD(watch.label),
        .help = "what they are called; default the file's name" },
    { .name = "keep",
        .kind = FLAG_COUNT,
        .value = "N",
        .offset = FIELD(watch.keep),
        .help = "keep the newest N of each label only" },
    { .name = "max-age",
        .kind = FLAG_TIME,
        .value = "TIME",
        .offset = FIELD(watch.max_age_us),
        .max = LIMIT_US_MAX,
        .zero = true,
        .help = "keep none that is older" },
    { .name = "max-bytes",
        .kind = FLAG_BYTES,
        .value = "SIZE",
        .offset = FIELD(watch.max_bytes),
        .max = UINT64_MAX,
        .zero = true,
        .help = "keep no more than that: the oldest go first, the newest stays" },
    { .name = "timeout",
        .kind = FLAG_TIME,
        .value = "TIME",
        .offset = FIELD(timeout_us),
        .min = 1,
        .max = LIMIT_US_MAX,
        .zero = true,
        .help = "deadline of the whole program with all that it awaits, by the clock" },
    { .name = NULL, .more = run_common_flags },
};

static int
watch_main(int argc, char **argv)
{
    return run_program(&command_watch, argc, argv);
}

const struct command command_watch = {
    .name = "watch",
    .usage = "[FLAGS] FILE [ARGS...]\n[FLAGS] -e CODE [ARGS...]\n[FLAGS] - [ARGS...]",
    .summary = "runs a program, and keeps snapshots of its heap over time",
    .about =
        "Runs a program as glovebox run does, and takes heap snapshots of it meanwhile: every "
        "so often, when its memory has grown, when it has ended, and when it reaches its "
        "memory limit. It goes on while they are written. They are kept in a store, a "
        "directory, which glovebox snapshots lists, also while the program runs. Objects have "
        "the same id in all of them, so glovebox heap diff, leaks and trend can compare them.",
    .examples = "glovebox watch --every 5m --keep 24 server.js\n"
                "glovebox watch --every 0 --growth 10MB --max-bytes 1G server.js\n"
                "glovebox snapshots list",
    .flags = flags,
    .run = watch_main,
};
