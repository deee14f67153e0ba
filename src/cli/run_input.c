#include "base/limits.h"
#include "cli/run.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* A name of the kind that everybody can type. JavaScript would take more. */
static bool
is_name(const char *text, size_t len)
{
    if (len == 0 || isdigit((unsigned char)text[0]))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)text[i]) && text[i] != '_' && text[i] != '$')
            return false;
    return true;
}

static int
take_text(struct source *out, const char *name, const char *text, gbx_error *error)
{
    *out = (struct source){ .name = name, .text = { .max = SOURCE_BYTES_MAX } };
    buf_text(&out->text, text);
    return out->text.failed ? fail_with(error, OUTCOME_SYSTEM, "out of memory") : OUTCOME_OK;
}

/* NAME=TEXT, NAME=@FILE, NAME=@@TEXT. */
static int
read_setting(const char *word, struct setting *out, gbx_error *error)
{
    size_t len = strcspn(word, "=");
    const char *text = word + len + 1;

    if (word[len] != '=' || !is_name(word, len))
        return fail_with(error, OUTCOME_USAGE,
            "--set %s: expected NAME=TEXT or NAME=@FILE, the name of letters and digits", word);
    out->name = strndup(word, len);
    if (out->name == NULL)
        return fail_with(error, OUTCOME_SYSTEM, "out of memory");
    if (text[0] == '@' && text[1] != '@')
        return source_read(text + 1, SOURCE_DATA, &out->text, error);
    return take_text(&out->text, out->name, text + (text[0] == '@' ? 1 : 0), error);
}

/* Standard input can be read once. */
static int
check_stdin(const struct run *run, const char *file, gbx_error *error)
{
    size_t uses = file != NULL && strcmp(file, "-") == 0;

    for (size_t i = 0; i < run->options.preload.count; i++)
        uses += strcmp(run->options.preload.items[i], "-") == 0;
    for (size_t i = 0; i < run->options.set.count; i++) {
        const char *value = strchr(run->options.set.items[i], '=');
        uses += value != NULL && strcmp(value, "=@-") == 0;
    }
    return uses <= 1 ? OUTCOME_OK
                     : fail_with(error, OUTCOME_USAGE, "- stands for standard input only once");
}

int
run_read_inputs(struct run *run, const char *file)
{
    const struct run_options *o = &run->options;
    gbx_error *error = &run->error;
    int outcome = check_stdin(run, file, error);

    run->settings = calloc(o->set.count + 1, sizeof *run->settings);
    run->preloads = calloc(o->preload.count + 1, sizeof *run->preloads);
    if (run->settings == NULL || run->preloads == NULL)
        return fail_with(error, OUTCOME_SYSTEM, "out of memory");
    for (size_t i = 0; i < o->set.count && outcome == OUTCOME_OK; i++)
        outcome = read_setting(o->set.items[i], &run->settings[i], error);
    for (size_t i = 0; i < o->preload.count && outcome == OUTCOME_OK; i++)
        outcome = source_read(o->preload.items[i], SOURCE_CODE, &run->preloads[i], error);
    if (outcome != OUTCOME_OK)
        return outcome;
    return o->eval != NULL ? take_text(&run->program, "<eval>", o->eval, error)
                           : source_read(file, SOURCE_CODE, &run->program, error);
}

void
run_free_inputs(struct run *run)
{
    for (size_t i = 0; run->settings != NULL && i < run->options.set.count; i++) {
        free(run->settings[i].name);
        source_done(&run->settings[i].text);
    }
    for (size_t i = 0; run->preloads != NULL && i < run->options.preload.count; i++)
        source_done(&run->preloads[i]);
    source_done(&run->program);
    free(run->settings);
    free(run->preloads);
    list_done(&run->options.set);
    list_done(&run->options.preload);
}
