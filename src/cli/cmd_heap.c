/* cmd_heap.c - glovebox heap: asks a heap snapshot. Its subcommands are in cmd_heap_*.c. */
#include "base/check.h"
#include "base/clock.h"
#include "cli/heap.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIELD(name) offsetof(struct heap_options, name)

static const struct flag flags[] = {
    { .name = "json",
        .letter = 'j',
        .kind = FLAG_BOOL,
        .offset = FIELD(json),
        .help = "one JSON value on standard output; sizes are bytes" },
    { .name = "top",
        .letter = 'n',
        .kind = FLAG_TEXT,
        .value = "N",
        .offset = FIELD(top),
        .help = "show N rows; default 30, 0: all" },
    { .name = "filter",
        .letter = 'f',
        .kind = FLAG_TEXT,
        .value = "TEXT",
        .offset = FIELD(filter),
        .help = "only what has TEXT in its name, in either case" },
    { .name = "sort",
        .letter = 's',
        .kind = FLAG_TEXT,
        .value = "KEY",
        .offset = FIELD(sort),
        .help = "by that key of --json, such as shallow or count" },
    { .name = "largest",
        .kind = FLAG_BOOL,
        .offset = FIELD(largest),
        .help = "strings: those that hold most, in place of duplicates" },
    { .name = "output",
        .letter = 'o',
        .kind = FLAG_TEXT,
        .value = "FILE",
        .offset = FIELD(output),
        .help = "where a file is written to; FILE.zst is compressed" },
    { .name = "key",
        .kind = FLAG_TEXT,
        .value = "FILE",
        .offset = FIELD(key),
        .help = "redact: 16 random bytes; default: chosen and forgotten" },
    { .name = "depth",
        .kind = FLAG_TEXT,
        .value = "N",
        .offset = FIELD(depth),
        .help = "slice: what N edges lead to, in place of what is retained" },
    { .name = "help", .letter = 'h', .kind = FLAG_HELP, .help = "this text" },
    { .name = NULL },
};

enum {
    ANY = 64, /* files */
    TOP = 30
};

static const struct subcommand {
    const char *name;
    int (*run)(struct heap_run *run);
    size_t files_min, files_max;
    size_t words_min;
    bool closed; /* reads its files itself */
} subcommands[] = {
    { "summary", heap_summary, 1, 1, 0, false },
    { "stats", heap_stats, 1, 1, 0, false },
    { "diff", heap_diff, 2, 2, 0, false },
    { "leaks", heap_leaks, 2, ANY, 0, false },
    { "trend", heap_trend, 1, ANY, 0, true },
    { "query", heap_query, 1, 1, 0, true },
    { "report", heap_report, 1, ANY, 0, true },
    { "path", heap_path, 1, 1, 1, false },
    { "retainers", heap_retainers, 1, 1, 1, false },
    { "dominators", heap_dominators, 1, 1, 0, false },
    { "contain", heap_contain, 1, 1, 0, false },
    { "node", heap_node, 1, 1, 1, false },
    { "strings", heap_strings, 1, 1, 0, false },
    { "closures", heap_closures, 1, 1, 0, false },
    { "collections", heap_collections, 1, 1, 0, false },
    { "assert", heap_assert, 1, ANY, 1, false },
    { "verify", heap_verify, 1, ANY, 0, false },
    { "convert", heap_convert, 1, 1, 0, true },
    { "redact", heap_redact, 1, 1, 0, true },
    { "slice", heap_slice, 1, 1, 1, false },
    { NULL, NULL, 0, 0, 0, false },
};

static const struct subcommand *
subcommand_find(const char *word)
{
    const char *names[COUNT(subcommands)];
    size_t count = 0;

    for (const struct subcommand *s = subcommands; s->name != NULL; s++) {
        if (word != NULL && strcmp(s->name, word) == 0)
            return s;
        names[count++] = s->name;
    }
    const char *nearest = word == NULL ? NULL : nearest_word(word, names, count);
    if (word == NULL)
        (void)complain(OUTCOME_USAGE, "heap: which question? see glovebox heap --help");
    else if (nearest != NULL)
        (void)complain(
            OUTCOME_USAGE, "heap: unknown question %s; did you mean %s?", word, nearest);
    else
        (void)complain(
            OUTCOME_USAGE, "heap: unknown question %s; see glovebox heap --help", word);
    return NULL;
}

/* --- reading ---------------------------------------------------------------------------- */

struct telling {
    const char *file;
    uint64_t told_us;
    bool shown;
};

/* Ends reading at a signal; shows how far it is when somebody watches and it takes long. */
static int32_t
tell(const char *section, uint64_t done, uint64_t total, void *data)
{
    struct telling *t = data;
    uint64_t now = now_us();
    char size[UNITS_TEXT];

    if (signals_caught() != 0)
        return 1;
    if (!err()->terminal || now - t->told_us < 300000)
        return 0;
    t->told_us = now;
    t->shown = true;
    units_show_bytes(done, size);
    if (total > 0 && done <= total)
        out_printf(
            err(), "\r\033[K%s: %u%%, %s", t->file, (unsigned)(done * 100 / total), section);
    else
        out_printf(err(), "\r\033[K%s: %s, %s", t->file, size, section);
    (void)out_flush(err());
    return 0;
}

int
heap_open(const char *file, gbx_heap **out_heap)
{
    struct telling telling = { file, now_us(), false };
    gbx_heap_options options = GBX_HEAP_OPTIONS_INIT;
    gbx_error error = GBX_ERROR_INIT;

    options.progress = tell;
    options.data = &telling;
    gbx_status status = strcmp(file, "-") == 0
                            ? gbx_heap_open_fd(STDIN_FILENO, &options, out_heap, &error)
                            : gbx_heap_open_file(file, &options, out_heap, &error);
    if (telling.shown) {
        out_text(err(), "\r\033[K");
        (void)out_flush(err());
    }
    if (status == GBX_OK)
        return OUTCOME_OK;
    if (signals_caught() != 0)
        return complain(interrupted(&error), "%s", error.message);
    return complain(
        status == GBX_ENOMEM ? OUTCOME_SYSTEM : OUTCOME_INPUT, "%s: %s", file, error.message);
}

static int
open_all(struct heap_run *run)
{
    run->heaps = calloc(run->file_count, sizeof(gbx_heap *));
    if (run->heaps == NULL)
        return heap_no_memory();
    for (size_t i = 0; i < run->file_count; i++) {
        int outcome = heap_open(run->files[i], &run->heaps[i]);
        if (outcome != OUTCOME_OK)
            return outcome;
    }
    return OUTCOME_OK;
}

/* --- the command ------------------------------------------------------------------------ */

static int
read_top(struct heap_run *run)
{
    char *end;

    run->top = TOP;
    if (run->options.top == NULL)
        return OUTCOME_OK;
    unsigned long top = strtoul(run->options.top, &end, 10);
    if (*end != '\0' || run->options.top[0] < '0' || run->options.top[0] > '9' ||
        top > UINT32_MAX)
        return complain(OUTCOME_USAGE, "heap: --top %s: expected a number", run->options.top);
    run->top = (uint32_t)top;
    return OUTCOME_OK;
}

/* Files come first, as many as are wanted; of those that take any number, up to the first word that
 * begins a condition. */
static int
split_words(struct heap_run *run, const struct subcommand *s, int argc, char **argv)
{
    int n = 0;

    while (n < argc && (size_t)n < s->files_max &&
           (s->words_min == 0 || strpbrk(argv[n], "<>=") == NULL))
        n++;
    run->files = (const char **)argv;
    run->file_count = (size_t)n;
    run->words = (const char *const *)argv + n;
    run->word_count = (size_t)(argc - n);
    if (run->file_count < s->files_min)
        return complain(OUTCOME_USAGE, "heap %s: expected %zu file%s; see glovebox heap --help",
            s->name, s->files_min, s->files_min > 1 ? "s" : "");
    if (run->word_count < s->words_min)
        return complain(OUTCOME_USAGE, "heap %s: %s; see glovebox heap --help", s->name,
            s->run == heap_assert ? "expected a condition" : "of which node? @ID or a class");
    return OUTCOME_OK;
}

static int
heap_main(int argc, char **argv)
{
    struct heap_run run = { .heaps = NULL };
    const struct subcommand *s = NULL;
    char **words = calloc((size_t)argc + 1, sizeof *words);
    int count = 0;

    if (words == NULL)
        return heap_no_memory();
    int outcome = options_gather(&command_heap, argc, argv, &run.options, words, &count);
    if (outcome == OPTIONS_GO_ON) {
        s = subcommand_find(words[0]);
        outcome = s == NULL ? OUTCOME_USAGE : read_top(&run);
        if (outcome == OUTCOME_OK)
            outcome = split_words(&run, s, count - 1, words + 1);
        signals_start();
        if (outcome == OUTCOME_OK && !s->closed)
            outcome = open_all(&run);
        if (outcome == OUTCOME_OK)
            outcome = s->run(&run);
    }
    for (size_t i = 0; run.heaps != NULL && i < run.file_count; i++)
        gbx_heap_close(run.heaps[i]);
    free(run.heaps);
    free(words);
    return outcome;
}

const struct command command_heap = {
    .name = "heap",
    .usage = "summary|stats|strings|closures|collections [FLAGS] FILE\n"
             "verify|convert|redact [FLAGS] FILE\n"
             "diff [FLAGS] BASE CURRENT\n"
             "leaks [FLAGS] FILE FILE...\n"
             "trend [FLAGS] FILE|DIRECTORY...\n"
             "report [FLAGS] FILE... -o PAGE.html\n"
             "query [FLAGS] FILE SQL|-|-o FILE.sqlite\n"
             "node|path|retainers|slice [FLAGS] FILE NODE\n"
             "dominators|contain [FLAGS] FILE [NODE]\n"
             "assert [FLAGS] FILE... CONDITION...",
    .summary = "answers questions about heap snapshots",
    .about =
        "Reads heap snapshots of V8, whoever took them: glovebox, Node.js, Chrome; plain or "
        "compressed with zstd, - is standard input. All numbers are those of Chrome DevTools.\n"
        "summary: classes, with count, shallow and retained size. stats: what the heap "
        "consists "
        "of. diff: what came and went between two snapshots. leaks: classes that grow from "
        "each "
        "file to the next, with what keeps them. trend: what classes retain over a series of "
        "snapshots, steepest first; a directory stands for its .heapsnapshot files, oldest "
        "first. path: a shortest way from a root to a node. "
        "retainers: what refers to it. dominators: what would be freed with it, or the whole "
        "heap's largest. contain: what it refers to. strings: those that are there more than "
        "once, or with --largest those that hold most. closures: contexts, by what their "
        "variables keep alive. collections: large "
        "Maps, Sets, "
        "arrays and objects used as maps, and how full they are. report: a "
        "page of HTML about the last file, which needs nothing else to open: map, dominators, "
        "what keeps a node; with several files what changed from the first. verify: whether a "
        "file is "
        "whole. convert: to zstd and back. redact: with keyed hashes in place of a program's "
        "strings. slice: a node and what it retains, as a snapshot.\n"
        "query: what a SELECT of SQLite finds, see below; with --output the tables are written "
        "to "
        "a database.\n"
        "A NODE is an id, @123, or the name of a class, of which it is the node that retains "
        "most.\n"
        "A CONDITION compares one of total, count(CLASS), shallow(CLASS), retained(CLASS) of "
        "the last file, or growth(CLASS), which is how many more the last file has than the "
        "first, with a number or a size: 'count(Foo) < 10', 'retained(Cache) <= 5M'. The exit "
        "code is 1 if one of them does not hold.\n"
        "SQL sees these tables, and finds rows of the columns marked * at once:\n"
        "nodes(node*, id*, type, class, class_id, name, shallow, retained, distance, "
        "dominator*, "
        "edge_count, detached, script, line, column)\n"
        "edges(edge*, from_node*, to_node*, type, name)\n"
        "classes(class_id*, class, count, shallow, retained, distance, script, line, column)\n"
        "A node is a number from 0, the root, as are dominator, from_node and to_node; id is "
        "what "
        "@ID means. The name of an edge is a number where it is an index.",
    .examples = "glovebox heap summary --top 10 out.heapsnapshot\n"
                "glovebox heap diff --filter Session before.heapsnapshot after.heapsnapshot\n"
                "glovebox heap path out.heapsnapshot Session\n"
                "glovebox heap query out.heapsnapshot 'SELECT avg(shallow) FROM nodes'\n"
                "glovebox heap assert out.heapsnapshot 'count(Session) < 10' 'total < 50M'",
    .flags = flags,
    .run = heap_main,
};
