/* console.c - what a guest prints, on its way to the streams. */
#include "cli/run.h"

void
console_print(gbx_isolate *isolate, uint32_t level, const char *text, size_t len, void *data)
{
    struct run *run = data;
    uint64_t limit = run->options.console_bytes;
    /* --json has standard output for itself. */
    bool wrong = level == GBX_CONSOLE_WARN || level == GBX_CONSOLE_ERROR || run->options.json;
    struct output *stream = wrong ? err() : out();
    char shown[UNITS_TEXT];

    (void)isolate;
    if (run->console_cut)
        return;
    if (limit != 0 && len + 1 > limit - run->console_printed) {
        run->console_cut = true;
        units_write_bytes(limit, shown);
        (void)complain(
            0, "the program's output ends here: it is past %s (--console-limit)", shown);
        return;
    }
    run->console_printed += len + 1;
    out_guest(stream, text, len);
    out_text(stream, "\n");
}
