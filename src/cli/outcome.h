/* outcome.h - how the command ends. The one table of exit codes: help, manual, messages and the
 * "kind" of --json are made from it or compared with it by a test. */
#ifndef CLI_OUTCOME_H
#define CLI_OUTCOME_H

#include <glovebox/status.h>

/* Scripts rely on the numbers: never renumber. */
/* clang-format off */
#define OUTCOME_LIST(X)                                                                          \
    X(OK,         0, "ok",        "the program ended, and what it promised was kept")            \
    X(THREW,      1, "exception", "it threw, left a rejection alone, or has a syntax error") \
    X(USAGE,      2, "usage",     "the command line is wrong")                                   \
    X(INPUT,      3, "input",     "a file is missing, unreadable, too large, or not text")       \
    X(OUTPUT,     4, "output",    "standard output or a heap snapshot could not be written")     \
    X(TIMEOUT,   10, "timeout",   "the program ran past --timeout")                              \
    X(CPU,       11, "cpu",       "the program used up --cpu")                                   \
    X(MEMORY,    12, "memory",    "the program went past --memory")                              \
    X(CRASHED,   13, "crashed",   "the cell crashed, or was killed by somebody else")            \
    X(PROTOCOL,  14, "protocol",  "the cell broke the protocol and was killed")                  \
    X(CLONE,     15, "clone",     "the result cannot be copied out, or has no JSON form")        \
    X(ENGINE,    16, "engine",    "no cell can be made: engine missing or unfit, no sealing")    \
    X(SYSTEM,    17, "system",    "a system call failed, or memory ran out outside the cell")    \
    X(VIOLATION, 18, "violation", "the cell tried what its sandbox forbids and was killed")      \
    X(HANGUP,   129, "signal",    "ended by SIGHUP")                                             \
    X(INTERRUPT,130, "signal",    "ended by SIGINT: Ctrl-C")                                     \
    X(TERMINATE,143, "signal",    "ended by SIGTERM")
/* clang-format on */

enum {
#define X(name, code, kind, text) OUTCOME_##name = (code),
    OUTCOME_LIST(X)
#undef X
};

struct outcome {
    int code;
    const char *kind; /* in --json */
    const char *text;
};

extern const struct outcome outcomes[]; /* the last has no text */

const char *outcome_kind(int code);

/* What a call's result means for the command. GBX_ETERMINATED is for the caller to explain. */
int outcome_of(gbx_status status);

#endif
