/* probe.h - tests that run inside the engine's process, where V8 is.
 *
 * A probe is a shared object with a glovebox_main() of its own, entered as a cell is (run_probe).
 * It boots the engine, makes an isolate, and runs each check in a fork of that, as cells are
 * made: a check that crashes or hangs is one failed check. Output is TAP.
 */
#ifndef TEST_PROBE_H
#define TEST_PROBE_H

#include "base/buf.h"
#include "engine/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct probe {
    const char *name; /* a sentence */
    void (*run)(void);
};

/* Runs all probes; the answer is the process's exit status. argv[0] is the engine's binary. */
int probes_run(int argc, char **argv, const struct probe *probes, size_t count);

/* --- inside a probe ------------------------------------------------------------------- */

/* What a probe wants to do in hooks.console, interrupt and paused; NULL: nothing. */
extern void (*probe_on_console)(void);
extern void (*probe_on_interrupt)(void);
extern void (*probe_on_paused)(void);

/* All that the guest's console said, a newline after each text, and its levels as digits. */
extern struct buf probe_console, probe_levels;
/* All inspector messages, a newline after each. Session 1's only; others are counted. */
extern struct buf probe_messages;
extern unsigned probe_other_messages;
/* Rejections that hooks.rejected was told of. */
extern unsigned probe_rejected;

/* How awaited promises ended, as digits of enum engine_end. */
extern struct buf probe_settled;

/* The engine's binary, which is a Node.js too: runs `node SCRIPT...` and gives its output. */
void probe_node(const char *const *arguments, struct buf *out);

/* The hooks that every probe starts with, for engine_after_fork(). */
extern const struct engine_hooks probe_hooks;
/* What the probe was started with. */
extern int probe_argc;
extern char **probe_argv;

/* Evaluates in context 1 as "case.js"; the answer is how it ended, `probe_outcome` the rest. */
enum engine_end probe_eval(const char *source);
extern struct engine_outcome probe_outcome;
/* One CDP command. */
void probe_say(uint32_t session, const char *json);
/* The result of an expression that has to be a string. */
const char *probe_text(const char *expression);

/* Whether `text` stands in `b`. */
bool probe_has(const struct buf *b, const char *text);
void probe_forget(struct buf *b);
/* Copies what stands between `before` and the next quote or comma of the messages. */
void probe_copy_after(const char *before, char *out, size_t room);

__attribute__((noreturn)) void probe_failed(const char *file, int line, const char *what);

#define CHECK(condition)                                  \
    do {                                                  \
        if (!(condition))                                 \
            probe_failed(__FILE__, __LINE__, #condition); \
    } while (0)
#define CHECK_HAS(b, text)                                                                     \
    do {                                                                                       \
        if (!probe_has(&(b), text)) {                                                          \
            printf("# %s: %.*s\n", #b, (int)((b).len > 3000 ? 3000 : (b).len), (char *)(b).p); \
            probe_failed(__FILE__, __LINE__, text);                                            \
        }                                                                                      \
    } while (0)

#endif
