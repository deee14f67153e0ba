/* cmd_heap_convert.c - convert, redact, slice: snapshots made of others. */
#include "base/fd.h"
#include "base/result_file.h"
#include "cli/heap.h"

#include <errno.h>
#include <fcntl.h>
#include <glovebox/heap_write.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int32_t
until_signal(const char *section, uint64_t done, uint64_t total, void *data)
{
    (void)section;
    (void)done;
    (void)total;
    (void)data;
    return signals_caught() != 0;
}

static gbx_heap_options
options_for(const char *to)
{
    gbx_heap_options options = GBX_HEAP_OPTIONS_INIT;

    options.progress = until_signal;
    options.flags = heap_ends_with(to, ".zst") ? GBX_HEAP_PACKED : 0;
    return options;
}

int
heap_begin_file(const struct heap_run *run, char **out_temporary, int *out_fd)
{
    const char *to = run->options.output;
    struct buf name = { .max = UINT32_MAX };

    if (to == NULL)
        return complain(OUTCOME_USAGE, "heap: where to? --output FILE");
    if (access(to, F_OK) == 0)
        return complain(OUTCOME_OUTPUT, "%s: %s", to, strerror(EEXIST));
    buf_printf(&name, "%s.XXXXXX", to);
    char *temporary = heap_text_of(&name);
    if (temporary == NULL)
        return heap_no_memory();
    *out_fd = mkostemp(temporary, O_CLOEXEC);
    if (*out_fd < 0) {
        free(temporary);
        return complain(OUTCOME_OUTPUT, "%s: %s", to, strerror(errno));
    }
    *out_temporary = temporary;
    return OUTCOME_OK;
}

/* Says why there is no file. */
static int
complain_of(const struct heap_run *run, gbx_status status, gbx_error *error)
{
    if (signals_caught() != 0)
        return complain(interrupted(error), "%s", error->message);
    return complain(status == GBX_EINVAL ? OUTCOME_INPUT : OUTCOME_OUTPUT, "%s: %s",
        run->options.output, error->message);
}

int
heap_end_file(const struct heap_run *run, char *temporary, gbx_status status, gbx_error *error)
{
    const char *to = run->options.output;
    int outcome = OUTCOME_OK;

    if (status != GBX_OK)
        outcome = complain_of(run, status, error);
    else if (link(temporary, to) != 0)
        outcome = complain(OUTCOME_OUTPUT, "%s: %s", to, strerror(errno));
    (void)unlink(temporary);
    free(temporary);
    return outcome;
}

/* The file that is asked for, which is not there; it has no name until it is whole. */
static int
begin_nameless(const struct heap_run *run, struct result_file *file)
{
    gbx_error error = GBX_ERROR_INIT;
    const char *to = run->options.output;

    if (to == NULL)
        return complain(OUTCOME_USAGE, "heap: where to? --output FILE");
    if (result_file_create(file, to, false, &error) == GBX_OK)
        return OUTCOME_OK;
    result_file_close(file);
    return complain(OUTCOME_OUTPUT, "%s", error.message);
}

/* It gets its name if it is whole, or else is gone. */
static int
end_nameless(
    const struct heap_run *run, struct result_file *file, gbx_status status, gbx_error *error)
{
    int outcome = OUTCOME_OK;

    if (status != GBX_OK)
        outcome = complain_of(run, status, error);
    else if (result_file_name(file, error) != GBX_OK)
        outcome = complain(OUTCOME_OUTPUT, "%s", error->message);
    result_file_close(file);
    return outcome;
}

/* What is copied from one file to another, with a key or none. */
static int
copy(const struct heap_run *run, bool redacted, const uint8_t *key)
{
    const char *from = run->files[0];
    gbx_error error = GBX_ERROR_INIT;
    GBX_AUTOFD in = strcmp(from, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                                           : open(from, O_RDONLY | O_CLOEXEC);
    struct result_file file = { .fd = -1 };

    if (in < 0)
        return complain(OUTCOME_INPUT, "%s: %s", from, strerror(errno));
    int outcome = begin_nameless(run, &file);
    if (outcome != OUTCOME_OK)
        return outcome;
    gbx_heap_options options = options_for(run->options.output);
    gbx_status status = redacted ? gbx_heap_redact(in, file.fd, key, &options, &error)
                                 : gbx_heap_convert(in, file.fd, &options, &error);
    return end_nameless(run, &file, status, &error);
}

int
heap_convert(struct heap_run *run)
{
    return copy(run, false, NULL);
}

int
heap_redact(struct heap_run *run)
{
    const char *path = run->options.key;
    uint8_t key[GBX_HEAP_KEY_BYTES];

    if (path == NULL)
        return copy(run, true, NULL);
    GBX_AUTOFD fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return complain(OUTCOME_INPUT, "%s: %s", path, strerror(errno));
    if (read(fd, key, sizeof key) != sizeof key)
        return complain(OUTCOME_INPUT, "%s: a key has %zu bytes", path, sizeof key);
    return copy(run, true, key);
}

static bool
read_depth(const char *text, uint32_t *out)
{
    char *end;

    *out = 0;
    if (text == NULL)
        return true;
    unsigned long depth = strtoul(text, &end, 10);
    *out = (uint32_t)depth;
    return *end == '\0' && text[0] >= '0' && text[0] <= '9' && depth > 0 && depth <= UINT32_MAX;
}

int
heap_slice(struct heap_run *run)
{
    gbx_error error = GBX_ERROR_INIT;
    uint32_t node = 0, depth = 0;
    struct result_file file = { .fd = -1 };

    if (!read_depth(run->options.depth, &depth))
        return complain(
            OUTCOME_USAGE, "heap: --depth %s: expected a number from 1", run->options.depth);
    int outcome = heap_find_node(run, &node);
    if (outcome == OUTCOME_OK)
        outcome = begin_nameless(run, &file);
    if (outcome != OUTCOME_OK)
        return outcome;
    gbx_heap_options options = options_for(run->options.output);
    gbx_status status = gbx_heap_slice(run->heaps[0], node, depth, file.fd, &options, &error);
    return end_nameless(run, &file, status, &error);
}
