/* cmd_heap_convert.c - glovebox heap convert: to zstd and back. */
#include "base/fd.h"
#include "cli/heap.h"

#include <errno.h>
#include <fcntl.h>
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

int
heap_convert(struct heap_run *run)
{
    const char *to = run->options.output, *from = run->files[0];
    gbx_heap_options options = GBX_HEAP_OPTIONS_INIT;
    gbx_error error = GBX_ERROR_INIT;
    bool standard = strcmp(from, "-") == 0;

    if (to == NULL)
        return complain(OUTCOME_USAGE, "heap convert: where to? --output FILE");
    GBX_AUTOFD in =
        standard ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0)
        return complain(OUTCOME_INPUT, "%s: %s", from, strerror(errno));
    GBX_AUTOFD file = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0)
        return complain(OUTCOME_OUTPUT, "%s: %s", to, strerror(errno));
    options.progress = until_signal;
    options.flags = heap_ends_with(to, ".zst") ? GBX_HEAP_PACKED : 0;
    gbx_status status = gbx_heap_convert(in, file, &options, &error);
    if (status == GBX_OK)
        return OUTCOME_OK;
    (void)unlink(to);
    if (signals_caught() != 0)
        return complain(interrupted(&error), "%s", error.message);
    return complain(
        status == GBX_EINVAL ? OUTCOME_INPUT : OUTCOME_OUTPUT, "%s: %s", to, error.message);
}
