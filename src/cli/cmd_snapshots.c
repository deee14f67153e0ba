/* cmd_snapshots.c - glovebox snapshots: what a store of heap snapshots holds. */
#include "cli/snapshots.h"

#include "base/check.h"
#include "base/limits.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define FIELD(name) offsetof(struct snapshots_options, name)

static const struct flag flags[] = {
    { .name = "store",
        .kind = FLAG_TEXT,
        .value = "DIR",
        .offset = FIELD(store),
        .help = "the store; default " SNAPSHOTS_STORE },
    { .name = "label",
        .letter = 'l',
        .kind = FLAG_TEXT,
        .value = "LABEL",
        .offset = FIELD(label),
        .help = "only snapshots with it; with add, what they get" },
    { .name = "keep",
        .kind = FLAG_COUNT,
        .value = "N",
        .offset = FIELD(keep),
        .help = "with rm: all but the newest N of each label" },
    { .name = "max-age",
        .kind = FLAG_TIME,
        .value = "TIME",
        .offset = FIELD(max_age_us),
        .max = LIMIT_US_MAX,
        .zero = true,
        .help = "with rm: those that are older" },
    { .name = "max-bytes",
        .kind = FLAG_BYTES,
        .value = "SIZE",
        .offset = FIELD(max_bytes),
        .max = UINT64_MAX,
        .zero = true,
        .help = "with rm: the oldest, until no more is left" },
    { .name = "json",
        .letter = 'j',
        .kind = FLAG_BOOL,
        .offset = FIELD(json),
        .help = "one JSON value on standard output, of list and show" },
    { .name = "help", .letter = 'h', .kind = FLAG_HELP, .help = "this text" },
    { .name = NULL },
};

struct snapshots_run {
    struct snapshots_options options;
    gbx_store *store;
    gbx_store_entry *entries; /* owned; those of --label, oldest first */
    uint32_t count;
    char *const *words; /* behind the subcommand */
    int word_count;
};

int
snapshots_failed(const gbx_error *error)
{
    int outcome = error->status == GBX_EINVAL || error->status == GBX_EUNSUPPORTED ||
                          error->os_errno == ENOENT || error->os_errno == ENOTDIR ||
                          error->os_errno == EACCES
                      ? OUTCOME_INPUT
                      : OUTCOME_SYSTEM;

    return complain(outcome, "%s", error->message);
}

/* --- the store -------------------------------------------------------------------------- */

/* One that cannot be written is read as it is, if nothing is to be changed. */
static int
open_store(struct snapshots_run *run, bool change, bool create)
{
    const struct snapshots_options *o = &run->options;
    const char *directory = o->store != NULL ? o->store : SNAPSHOTS_STORE;
    gbx_store_options options = GBX_STORE_OPTIONS_INIT;
    gbx_error error = GBX_ERROR_INIT;

    options.flags = create ? 0 : GBX_STORE_MUST_EXIST;
    options.keep = o->keep;
    options.max_age_us = o->max_age_us;
    options.max_bytes = o->max_bytes;
    gbx_status status = gbx_store_open(directory, &options, &run->store, &error);
    if (status == GBX_ESYS && !change &&
        (error.os_errno == EACCES || error.os_errno == EROFS)) {
        options.flags = GBX_STORE_READ_ONLY;
        status = gbx_store_open(directory, &options, &run->store, &error);
    }
    return status == GBX_OK ? OUTCOME_OK : snapshots_failed(&error);
}

static int
list_entries(struct snapshots_run *run)
{
    gbx_error error = GBX_ERROR_INIT;

    free(run->entries);
    run->entries = NULL;
    run->count = 0;
    return gbx_store_list(run->store, run->options.label, &run->entries, &run->count, &error) ==
                   GBX_OK
               ? OUTCOME_OK
               : snapshots_failed(&error);
}

/* What was not read yet is, so that the index has it. Not of a store that is read as it is. */
static int
read_entries(struct snapshots_run *run, uint64_t id)
{
    for (uint32_t i = 0; i < run->count; i++) {
        gbx_store_class *classes = NULL;
        uint32_t count;
        if (run->entries[i].state != GBX_STORE_UNREAD || (id != 0 && run->entries[i].id != id))
            continue;
        if (gbx_store_classes(run->store, run->entries[i].id, &classes, &count, NULL) == GBX_OK)
            free(classes);
    }
    return list_entries(run);
}

/* The entry that a word names, an id or "latest"; NULL, and says so. */
static const gbx_store_entry *
entry_named(const struct snapshots_run *run, const char *word)
{
    char *end;
    unsigned long long id = strtoull(word, &end, 10);

    if (strcmp(word, "latest") == 0 && run->count > 0)
        return &run->entries[run->count - 1];
    for (uint32_t i = 0; i < run->count && *end == '\0' && end != word; i++)
        if (run->entries[i].id == id)
            return &run->entries[i];
    (void)complain(OUTCOME_USAGE, "snapshots: there is no snapshot %s", word);
    return NULL;
}

/* --- the subcommands -------------------------------------------------------------------- */

static int
list(struct snapshots_run *run)
{
    int outcome = read_entries(run, 0);

    return outcome == OUTCOME_OK
               ? snapshots_list(run->store, run->entries, run->count, run->options.json)
               : outcome;
}

static int
show(struct snapshots_run *run)
{
    const gbx_store_entry *entry = entry_named(run, run->words[0]);

    if (entry == NULL)
        return OUTCOME_USAGE;
    int outcome = read_entries(run, entry->id);
    entry = outcome == OUTCOME_OK ? entry_named(run, run->words[0]) : NULL;
    return entry != NULL ? snapshots_show(run->store, entry, run->options.json) : outcome;
}

static int
path(struct snapshots_run *run)
{
    for (int i = 0; i < run->word_count; i++)
        if (entry_named(run, run->words[i]) == NULL)
            return OUTCOME_USAGE;
    for (int i = 0; i < run->word_count; i++) {
        out_text(out(), entry_named(run, run->words[i])->path);
        out_text(out(), "\n");
    }
    for (uint32_t i = 0; i < run->count && run->word_count == 0; i++) {
        out_text(out(), run->entries[i].path);
        out_text(out(), "\n");
    }
    return OUTCOME_OK;
}

static int
rm(struct snapshots_run *run)
{
    const struct snapshots_options *o = &run->options;
    gbx_error error = GBX_ERROR_INIT;

    if (run->word_count == 0 && o->keep == 0 && o->max_age_us == 0 && o->max_bytes == 0)
        return complain(OUTCOME_USAGE, "snapshots rm: which? an id, or --keep, --max-age or "
                                       "--max-bytes");
    for (int i = 0; i < run->word_count; i++)
        if (entry_named(run, run->words[i]) == NULL)
            return OUTCOME_USAGE;
    for (int i = 0; i < run->word_count; i++)
        if (gbx_store_remove(run->store, entry_named(run, run->words[i])->id, &error) != GBX_OK)
            return snapshots_failed(&error);
    return OUTCOME_OK;
}

static int
add(struct snapshots_run *run)
{
    const char *label = run->options.label != NULL ? run->options.label : "added";
    gbx_error error = GBX_ERROR_INIT;

    for (int i = 0; i < run->word_count; i++) {
        uint64_t id;
        if (gbx_store_add(run->store, run->words[i], label, &id, &error) != GBX_OK)
            return complain(error.status == GBX_EINVAL || error.os_errno == ENOENT
                                ? OUTCOME_INPUT
                                : OUTCOME_OUTPUT,
                "%s: %s", run->words[i], error.message);
        out_printf(out(), "%llu\n", (unsigned long long)id);
    }
    return OUTCOME_OK;
}

/* --- the command ------------------------------------------------------------------------ */

static const struct subcommand {
    const char *name;
    int (*run)(struct snapshots_run *run);
    int words_min, words_max;
    bool changes, creates;
} subcommands[] = {
    { "list", list, 0, 0, false, false },
    { "show", show, 1, 1, false, false },
    { "path", path, 0, INT32_MAX, false, false },
    { "rm", rm, 0, INT32_MAX, true, false },
    { "add", add, 1, INT32_MAX, true, true },
};

static const struct subcommand *
subcommand_find(const char *word)
{
    const char *names[COUNT(subcommands)];

    for (size_t i = 0; i < COUNT(subcommands); i++) {
        if (word != NULL && strcmp(subcommands[i].name, word) == 0)
            return &subcommands[i];
        names[i] = subcommands[i].name;
    }
    const char *nearest = word == NULL ? NULL : nearest_word(word, names, COUNT(subcommands));
    if (word == NULL)
        (void)complain(OUTCOME_USAGE,
            "snapshots: list, show, path, rm or add? see glovebox snapshots --help");
    else
        (void)complain(OUTCOME_USAGE, "snapshots: unknown word %s%s%s", word,
            nearest != NULL ? "; did you mean " : "; see glovebox snapshots --help",
            nearest != NULL ? nearest : "");
    return NULL;
}

static int
run_subcommand(struct snapshots_run *run, const char *word)
{
    const struct snapshots_options *o = &run->options;
    const struct subcommand *s = subcommand_find(word);

    if (s == NULL)
        return OUTCOME_USAGE;
    if (run->word_count < s->words_min || run->word_count > s->words_max)
        return complain(OUTCOME_USAGE, "snapshots %s: %s; see glovebox snapshots --help",
            s->name,
            run->word_count > s->words_max ? "too many words"
            : s->run == add                ? "which file?"
                                           : "which one? an id, or latest");
    if (s->run != rm && (o->keep != 0 || o->max_age_us != 0 || o->max_bytes != 0))
        return complain(OUTCOME_USAGE,
            "snapshots %s: --keep, --max-age and --max-bytes go with rm", s->name);
    signals_start();
    int outcome = open_store(run, s->changes, s->creates);
    if (outcome == OUTCOME_OK)
        outcome = list_entries(run);
    if (outcome == OUTCOME_OK)
        outcome = s->run(run);
    free(run->entries);
    gbx_store_close(run->store);
    return outcome;
}

static int
snapshots_main(int argc, char **argv)
{
    struct snapshots_run run = { .store = NULL };
    char **words = calloc((size_t)argc + 1, sizeof *words);
    int count = 0;

    if (words == NULL)
        return complain(OUTCOME_SYSTEM, "out of memory");
    int outcome = options_gather(&command_snapshots, argc, argv, &run.options, words, &count);
    if (outcome == OPTIONS_GO_ON) {
        run.words = words + 1;
        run.word_count = count > 0 ? count - 1 : 0;
        outcome = run_subcommand(&run, words[0]);
    }
    free(words);
    return outcome;
}

const struct command command_snapshots = {
    .name = "snapshots",
    .usage = "list [FLAGS]\n"
             "show [FLAGS] ID\n"
             "path [FLAGS] [ID...]\n"
             "rm [FLAGS] [ID...]\n"
             "add [FLAGS] FILE...",
    .summary = "lists, shows and removes the heap snapshots of a store",
    .about =
        "Looks into a store of heap snapshots, a directory to which glovebox watch adds, also "
        "while it does. list: all of them, oldest first, with the classes that retain most. "
        "show: one of them. path: the files, one a line, for glovebox heap and other readers; "
        "without an ID all. rm: removes them. add: copies snapshots in, plain or compressed, "
        "and prints their ids.\n"
        "An ID is a number of the list, or latest.",
    .examples = "glovebox snapshots list\n"
                "glovebox snapshots show latest --json\n"
                "glovebox heap summary \"$(glovebox snapshots path latest)\"\n"
                "glovebox heap leaks $(glovebox snapshots path --label server)\n"
                "glovebox snapshots rm --keep 10 --max-age 168h",
    .flags = flags,
    .run = snapshots_main,
};
