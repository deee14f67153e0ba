#include "cli/cli.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* --- nearest word ----------------------------------------------------------------------- */

enum {
    WORD_MAX = 32 /* bytes of a word that is compared; none of ours is longer */
};

static unsigned
least(unsigned a, unsigned b, unsigned c)
{
    unsigned d = a < b ? a : b;

    return d < c ? d : c;
}

/* How many letters must be put in, left out, changed or swapped with the next. */
static unsigned
edits(const char *a, const char *b)
{
    unsigned d[WORD_MAX + 1][WORD_MAX + 1];
    size_t m = strlen(a), n = strlen(b);

    if (m > WORD_MAX || n > WORD_MAX)
        return UINT32_MAX;
    for (unsigned i = 0; i <= m; i++)
        d[i][0] = i;
    for (unsigned j = 0; j <= n; j++)
        d[0][j] = j;
    for (size_t i = 1; i <= m; i++)
        for (size_t j = 1; j <= n; j++) {
            d[i][j] = least(d[i - 1][j] + 1, d[i][j - 1] + 1,
                d[i - 1][j - 1] + (a[i - 1] != b[j - 1] ? 1 : 0));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                d[i - 2][j - 2] + 1 < d[i][j])
                d[i][j] = d[i - 2][j - 2] + 1;
        }
    return d[m][n];
}

const char *
nearest_word(const char *word, const char *const *words, size_t count)
{
    const char *best = NULL;
    unsigned fewest = (unsigned)strlen(word) / 3 + 1; /* a third may be wrong, and one */

    for (size_t i = 0; i < count; i++) {
        unsigned n = edits(word, words[i]);
        /* The beginning of a word is what one types before one forgets the rest. */
        if (strlen(word) >= 3 && strncmp(word, words[i], strlen(word)) == 0)
            n = 0;
        if (n < fewest || (n == fewest && best == NULL)) {
            best = words[i];
            fewest = n;
        }
    }
    return best;
}

/* --- flags ------------------------------------------------------------------------------ */

void
list_done(struct list *list)
{
    free(list->items);
    *list = (struct list){ NULL, 0 };
}

static int
list_add(struct list *list, const char *item)
{
    const char **items = realloc(list->items, (list->count + 1) * sizeof *items);

    if (items == NULL)
        return complain(OUTCOME_SYSTEM, "out of memory");
    items[list->count++] = item;
    list->items = items;
    return OPTIONS_GO_ON;
}

const struct flag *
flag_after(const struct flag *flag)
{
    return flag[1].name != NULL ? flag + 1 : flag[1].more;
}

static const struct flag *
flag_find(const struct command *command, const char *name, size_t len)
{
    for (const struct flag *f = command->flags; f != NULL; f = flag_after(f))
        if (strlen(f->name) == len && memcmp(f->name, name, len) == 0)
            return f;
    return NULL;
}

static const struct flag *
flag_by_letter(const struct command *command, char letter)
{
    for (const struct flag *f = command->flags; f != NULL; f = flag_after(f))
        if (f->letter == letter && letter != '\0')
            return f;
    return NULL;
}

static int
unknown_flag(const struct command *command, const char *word, size_t len)
{
    const char *names[64];
    char name[WORD_MAX + 1];
    size_t count = 0;
    const char *nearest = NULL;

    for (const struct flag *f = command->flags; f != NULL && count < 64; f = flag_after(f))
        names[count++] = f->name;
    if (len > 3 && len - 2 <= WORD_MAX) {
        memcpy(name, word + 2, len - 2);
        name[len - 2] = '\0';
        nearest = nearest_word(name, names, count);
    }
    if (nearest != NULL)
        return complain(OUTCOME_USAGE, "%s: unknown flag %.*s; did you mean --%s?",
            command->name, (int)len, word, nearest);
    return complain(OUTCOME_USAGE, "%s: unknown flag %.*s; see glovebox %s --help",
        command->name, (int)len, word, command->name);
}

static int
set_quantity(
    const struct command *command, const struct flag *f, const char *value, void *field)
{
    bool bytes = f->kind == FLAG_BYTES;
    char min[UNITS_TEXT], max[UNITS_TEXT];
    uint64_t n;

    if (!(bytes ? units_read_bytes(value, &n) : units_read_time(value, &n)))
        return complain(OUTCOME_USAGE, "%s: --%s %s: expected %s", command->name, f->name,
            value,
            bytes ? "a size with a unit of K, M or G, such as 64M"
                  : "a time with a unit of us, ms, s, m or h, such as 500ms");
    if ((n < f->min && !(n == 0 && f->zero)) || n > f->max) {
        (bytes ? units_write_bytes : units_write_time)(f->min, min);
        (bytes ? units_write_bytes : units_write_time)(f->max, max);
        return complain(OUTCOME_USAGE, "%s: --%s %s: out of range, expected %s to %s%s",
            command->name, f->name, value, min, max, f->zero ? ", or 0 for no limit" : "");
    }
    memcpy(field, &n, sizeof n);
    return OPTIONS_GO_ON;
}

static int
set_count(const struct command *command, const struct flag *f, const char *value, void *field)
{
    char *end;
    unsigned long long n = strtoull(value, &end, 10);
    uint64_t count = n;

    if (value[0] < '0' || value[0] > '9' || *end != '\0' || n == ULLONG_MAX)
        return complain(
            OUTCOME_USAGE, "%s: --%s %s: expected a number", command->name, f->name, value);
    memcpy(field, &count, sizeof count);
    return OPTIONS_GO_ON;
}

static int
set_flag(const struct command *command, const struct flag *f, const char *value, void *options)
{
    void *field = (char *)options + f->offset;

    switch (f->kind) {
    case FLAG_BOOL:
        *(bool *)field = true;
        return OPTIONS_GO_ON;
    case FLAG_TEXT:
        *(const char **)field = value;
        return OPTIONS_GO_ON;
    case FLAG_LIST:
        return list_add(field, value);
    case FLAG_BYTES:
    case FLAG_TIME:
        return set_quantity(command, f, value, field);
    case FLAG_COUNT:
        return set_count(command, f, value, field);
    case FLAG_HELP:
        help_command(command);
        return OUTCOME_OK;
    }
    return OPTIONS_GO_ON;
}

/* "--name", "--name=value", "--name value", "-n", "-nvalue", "-n value". Takes the value from
 * the next word if it must, and says how many words that makes. */
static int
take_flag(const struct command *command, char **words, void *options, int *out_taken)
{
    const char *word = words[0];
    const char *value = NULL;
    const struct flag *f;

    if (word[1] == '-') {
        size_t len = strcspn(word, "=");
        f = flag_find(command, word + 2, len - 2);
        if (f == NULL)
            return unknown_flag(command, word, len);
        value = word[len] == '=' ? word + len + 1 : NULL;
        if (value != NULL && f->value == NULL)
            return complain(OUTCOME_USAGE, "%s: --%s takes no value", command->name, f->name);
    } else {
        f = flag_by_letter(command, word[1]);
        if (f == NULL)
            return unknown_flag(command, word, strlen(word) < 2 ? strlen(word) : 2);
        value = word[2] != '\0' ? word + 2 : NULL;
        if (value != NULL && f->value == NULL)
            return complain(OUTCOME_USAGE, "%s: -%c takes no value; write flags one by one",
                command->name, f->letter);
    }
    *out_taken = 1;
    if (f->optional && value == NULL)
        value = "";
    if (f->value != NULL && value == NULL) {
        value = words[1];
        *out_taken = 2;
    }
    if (f->value != NULL && value == NULL)
        return complain(
            OUTCOME_USAGE, "%s: --%s needs a value: %s", command->name, f->name, f->value);
    return set_flag(command, f, value, options);
}

static void
set_initials(const struct command *command, void *options)
{
    for (const struct flag *f = command->flags; f != NULL; f = flag_after(f))
        if (f->kind == FLAG_BYTES || f->kind == FLAG_TIME)
            memcpy((char *)options + f->offset, &f->initial, sizeof f->initial);
}

/* Flags behind the first word, up to one that is none. */
static int
take_flags(const struct command *command, int argc, char **argv, void *options, int *out_rest)
{
    int i = 1, taken = 1, result = OPTIONS_GO_ON;

    while (i < argc && argv[i][0] == '-' && argv[i][1] != '\0') {
        if (strcmp(argv[i], "--") == 0) {
            i++;
            break;
        }
        result = take_flag(command, argv + i, options, &taken);
        if (result != OPTIONS_GO_ON)
            return result;
        i += taken;
    }
    *out_rest = i;
    return OPTIONS_GO_ON;
}

int
options_parse(
    const struct command *command, int argc, char **argv, void *options, int *out_rest)
{
    set_initials(command, options);
    return take_flags(command, argc, argv, options, out_rest);
}

int
options_gather(const struct command *command, int argc, char **argv, void *options,
    char **words, int *out_count)
{
    int at = 0, rest = 0;

    set_initials(command, options);
    *out_count = 0;
    while (at < argc) {
        /* The word before the flags is not looked at: the command's name, or one that was kept. */
        int outcome = take_flags(command, argc - at, argv + at, options, &rest);
        if (outcome != OPTIONS_GO_ON)
            return outcome;
        at += rest;
        if (at < argc)
            words[(*out_count)++] = argv[at];
    }
    return OPTIONS_GO_ON;
}
