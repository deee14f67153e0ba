/* cli.h - what the files of the glovebox command share.
 *
 * Runs in:  the command's own process, which is a host like any other: it sees libglovebox
 *           through the public headers only.
 * Trusts:   its user. What a guest wrote (console, errors, results) is text to be shown, and
 *           reaches a terminal only escaped.
 * Threads:  one.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "base/buf.h"
#include "cli/outcome.h"

#include <glovebox/glovebox.h>

/* --- output.c: the two streams ---------------------------------------------------------- */

struct output {
    int fd;
    bool terminal;      /* what the guest wrote is escaped */
    int os_errno;       /* of the write that failed; then nothing more is written. 0: none */
    struct buf pending; /* not written yet */
};

struct output *out(void);
struct output *err(void);

/* Before anything is opened: sees to it that 0 to 2 are, and leaves SIGPIPE and SIGXFSZ to
 * write(2)'s error. */
void out_start(void);
/* What one stream holds back is written before the other gets something, so that they stay in
 * order where both lead to the same place. */
void out_text(struct output *o, const char *text);
void out_printf(struct output *o, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Text that the guest chose: `len` bytes, to the letter unless the stream is a terminal. */
void out_guest(struct output *o, const char *text, size_t len);
/* False: the stream is broken, os_errno says why. */
bool out_flush(struct output *o);
/* Both streams, at the end: `outcome`, or OUTCOME_OUTPUT with a message if what was to be on
 * standard output could not be written. */
int out_finish(int outcome);

/* Fills the message of `error`, and hands back `outcome`. */
int fail_with(gbx_error *error, int outcome, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for a signal that was caught. */
int interrupted(gbx_error *error);
/* "glovebox: ...", a line on standard error. `outcome` is handed back. */
int complain(int outcome, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* --- units.c: sizes and times ----------------------------------------------------------- */

#define UNITS_TEXT 32

/* False: not of the form. Too large for 64 bits: UINT64_MAX. */
bool units_read_bytes(const char *text, uint64_t *out_bytes);
bool units_read_time(const char *text, uint64_t *out_us);
/* As it would be typed: "64M", "1500ms". */
void units_write_bytes(uint64_t bytes, char out[UNITS_TEXT]);
void units_write_time(uint64_t us, char out[UNITS_TEXT]);
/* For people, rounded: "1.4 MiB", "12.5 ms". */
void units_show_bytes(uint64_t bytes, char out[UNITS_TEXT]);
void units_show_time(uint64_t us, char out[UNITS_TEXT]);

/* --- options.c: flags, from one table per command --------------------------------------- */

enum flag_kind {
    FLAG_BOOL,  /* bool */
    FLAG_TEXT,  /* const char * */
    FLAG_LIST,  /* struct list: may be given many times */
    FLAG_BYTES, /* uint64_t, bytes */
    FLAG_TIME,  /* uint64_t, microseconds */
    FLAG_COUNT, /* uint64_t; 0 when it is not given */
    FLAG_HELP   /* prints the command's help */
};

struct flag {
    const char *name;  /* without the dashes; NULL: the table ends */
    const char *value; /* what the help calls it; NULL: takes none */
    const char *help;
    size_t offset;     /* of its field in the command's options */
    uint64_t min, max; /* FLAG_BYTES and FLAG_TIME, inclusive */
    uint64_t initial;  /* likewise: when it is not given */
    enum flag_kind kind;
    bool optional;           /* its value is, and comes behind = only; without it "" */
    bool zero;               /* FLAG_BYTES and FLAG_TIME: 0 is fine too, and means no limit */
    char letter;             /* 0: none */
    const struct flag *more; /* of a table's end: where it goes on */
};

struct list {
    const char **items; /* owned; the texts are argv's */
    size_t count;
};

struct command {
    const char *name;
    const char *usage;                 /* what follows the name; a line for each form */
    const char *summary;               /* one line, for the list of commands */
    const char *about;                 /* paragraphs */
    const char *examples;              /* lines */
    const struct flag *flags;          /* see flag_after() */
    int (*run)(int argc, char **argv); /* argv[0] is the command's name */
};

/* The flag behind another; NULL: that was the last. */
const struct flag *flag_after(const struct flag *flag);

enum {
    OPTIONS_GO_ON = -1
};

/* Reads flags up to the first word that is none, whose index is `*out_rest`. OPTIONS_GO_ON, or
 * the outcome to end with: help was asked for, or a flag is wrong and that was said. */
int options_parse(
    const struct command *command, int argc, char **argv, void *options, int *out_rest);
/* The same where flags may stand anywhere: words that are none are put into `words`, which has room
 * for all. */
int options_gather(const struct command *command, int argc, char **argv, void *options,
    char **words, int *out_count);
void list_done(struct list *list);

/* The nearest of `count` words that is near enough to have been meant, or NULL. */
const char *nearest_word(const char *word, const char *const *words, size_t count);

/* Words on standard output, in lines from the column `indent` to 79; the cursor stands at `at`.
 * A newline in the text ends a paragraph. */
void out_filled(const char *text, size_t indent, size_t at);

/* --- help.c ----------------------------------------------------------------------------- */

void help_program(void);
void help_command(const struct command *command);

/* --- the commands ----------------------------------------------------------------------- */

extern const struct command *const commands[]; /* the last is NULL */
extern const struct command command_run;
extern const struct command command_inspect;
extern const struct command command_doctor;
extern const struct command command_heap;
extern const struct command command_watch;
/* Where its snapshots are kept unless a flag says where. */
#define SNAPSHOTS_STORE "glovebox-snapshots"
extern const struct command command_snapshots;

/* --- source.c: text from outside -------------------------------------------------------- */

enum source_kind {
    SOURCE_CODE, /* no NUL bytes */
    SOURCE_DATA
};

struct source {
    const char *name; /* of the file in messages and stacks; lent */
    struct buf text;  /* UTF-8 */
};

/* Reads a whole file, "-" for standard input. OUTCOME_OK, or the outcome whose message is in
 * `error`; source_done() in either case. */
int source_read(const char *path, enum source_kind kind, struct source *out, gbx_error *error);
void source_done(struct source *source);
/* Bytes of the UTF-8 sequence that `p` begins with; 0: it is none. RFC 3629: no overlong forms, no
 * surrogates, nothing past U+10FFFF. */
size_t source_sequence(const uint8_t *p, size_t len);

/* --- signals.c -------------------------------------------------------------------------- */

/* From here on SIGINT, SIGTERM and SIGHUP are noted; the second of them ends the process at once,
 * and its cells die with it. */
void signals_start(void);
/* The signal that came; 0: none. */
int signals_caught(void);
/* Readable from then on. */
int signals_fd(void);

#endif
