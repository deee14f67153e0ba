/* help.c - what --help prints, from the tables of commands, flags and outcomes. */
#include "cli/cli.h"

#include "base/check.h"
#include "base/limits.h"

#include <string.h>

enum {
    COLUMNS = 80,
    FLAG_COLUMN = 24 /* where the texts of flags begin */
};

void
out_filled(const char *text, size_t indent, size_t at)
{
    while (*text != '\0') {
        size_t len = strcspn(text, " \n");
        if (at + len > COLUMNS - 1 && at > indent) {
            out_text(out(), "\n");
            at = 0;
        }
        out_printf(out(), "%*s%.*s", at < indent ? (int)(indent - at) : 0, "", (int)len, text);
        at = (at < indent ? indent : at) + len;
        text += len;
        if (*text == '\n') { /* a paragraph's end */
            out_text(out(), "\n");
            at = 0;
            text++;
        } else if (*text == ' ') {
            text++;
            if (at + 1 + strcspn(text, " \n") <= COLUMNS - 1) {
                out_text(out(), " ");
                at++;
            } else {
                out_text(out(), "\n");
                at = 0;
            }
        }
    }
    out_text(out(), "\n");
}

/* "; 8M to 16G, default 128M" */
static void
range_append(const struct flag *f, struct buf *b)
{
    void (*write)(uint64_t, char *) =
        f->kind == FLAG_BYTES ? units_write_bytes : units_write_time;
    char min[UNITS_TEXT], max[UNITS_TEXT], initial[UNITS_TEXT];

    if (f->kind != FLAG_BYTES && f->kind != FLAG_TIME)
        return;
    write(f->min, min);
    write(f->max, max);
    write(f->initial, initial);
    buf_text(b, "; ");
    if (f->max != UINT64_MAX && f->max != LIMIT_US_MAX)
        buf_printf(b, "%s to %s, ", min, max);
    if (f->initial != 0)
        buf_printf(b, "default %s", initial);
    else
        buf_text(b, f->zero ? "default none" : "default V8's own");
    if (f->zero && f->initial != 0)
        buf_text(b, "; 0: none");
}

static void
show_flag(const struct flag *f)
{
    struct buf left = { .max = COLUMNS }, right = { .max = 1 * KIB };

    if (f->letter != '\0')
        buf_printf(&left, "  -%c, ", f->letter);
    else
        buf_text(&left, "      ");
    buf_printf(&left, f->optional ? "--%s[=%s%s]" : "--%s%s%s", f->name,
        f->value != NULL && !f->optional ? " " : "", f->value != NULL ? f->value : "");
    buf_text(&right, f->help);
    range_append(f, &right);
    buf_byte(&right, '\0');
    GBX_CHECK(!left.failed && !right.failed);
    out_printf(out(), "%.*s", (int)left.len, (const char *)left.p);
    if (left.len + 2 > FLAG_COLUMN) {
        out_text(out(), "\n");
        left.len = 0;
    }
    out_filled((const char *)right.p, FLAG_COLUMN, left.len);
    buf_done(&left);
    buf_done(&right);
}

/* Each line with the same words before it. */
static void
show_lines(const char *before, const char *name, const char *lines)
{
    while (*lines != '\0') {
        size_t len = strcspn(lines, "\n");
        out_printf(
            out(), "%s%s%s%.*s\n", before, name, name[0] != '\0' ? " " : "", (int)len, lines);
        lines += len + (lines[len] == '\n' ? 1 : 0);
    }
}

static void
show_outcomes(void)
{
    out_text(out(), "\nExit codes:\n");
    for (const struct outcome *o = outcomes; o->text != NULL; o++) {
        out_printf(out(), "%5d  ", o->code);
        out_filled(o->text, 7, 7);
    }
}

void
help_command(const struct command *command)
{
    out_text(out(), "Usage:\n");
    show_lines("  glovebox ", command->name, command->usage);
    out_text(out(), "\n");
    out_filled(command->about, 0, 0);
    out_text(out(), "\nFlags:\n");
    for (const struct flag *f = command->flags; f != NULL; f = flag_after(f))
        show_flag(f);
    out_text(out(), "\nExamples:\n");
    show_lines("  ", "", command->examples);
    if (command == &command_run || command == &command_inspect || command == &command_watch)
        show_outcomes();
}

void
help_program(void)
{
    out_text(out(),
        "glovebox runs untrusted JavaScript on V8, in a sealed process per isolate.\n"
        "\nUsage:\n  glovebox COMMAND [FLAGS] ...\n\nCommands:\n");
    for (const struct command *const *c = commands; *c != NULL; c++)
        out_printf(out(), "  %-9s  %s\n", (*c)->name, (*c)->summary);
    out_text(out(), "  help       what a command does: glovebox help run\n"
                    "\nFlags:\n"
                    "  --help     this text\n"
                    "  --version  the versions of glovebox and of its engine\n"
                    "\nExamples:\n"
                    "  glovebox run --memory 64M --timeout 2s program.js\n"
                    "  glovebox run -p -e '[1, 2, 3].map(x => x * x)'\n"
                    "  glovebox heap summary out.heapsnapshot\n"
                    "  glovebox doctor\n");
}
