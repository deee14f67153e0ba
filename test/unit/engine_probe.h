/* engine_probe.h - checks of the engine, run inside the engine's own process.
 *
 * The probe is a cell's object whose glovebox_main() runs checks. Each check has a process
 * forked as a cell is: zygote, template with an isolate, cell. A failed check ends its process
 * with a line that says which; the zygote prints TAP.
 */
#ifndef TEST_ENGINE_PROBE_H
#define TEST_ENGINE_PROBE_H

#include "base/buf.h"
#include "base/check.h"
#include "base/limits.h"
#include "engine/engine.h"

enum {
    PROBE_MEMORY = 64, /* MiB; the limit of checks that name none */
    PROBE_OOM = 42,    /* exit code of hooks.fatal when out of memory */
    PROBE_FATAL = 43,  /* exit code of hooks.fatal otherwise */
    PROBE_SETTLED_MAX = 8
};

enum check_kind {
    IN_CELL,
    IN_TEMPLATE, /* forks cells itself */
    MAY_DIE      /* in a cell; hooks.fatal with out of memory is a good end, too */
};

struct check {
    const char *name;
    void (*run)(void);
    enum check_kind kind;
};

/* One list per file, ended by an empty entry. */
extern const struct check run_checks[];
extern const struct check guest_checks[];
extern const struct check stop_checks[];
extern const struct check memory_checks[];
extern const struct check number_checks[];

/* What the hooks saw in this process. */
struct seen {
    uint32_t memory_calls;
    enum engine_memory_event memory_event;
    uint64_t memory_used;
    uint32_t interrupts;
    struct buf stack; /* engine_stack_trace() at the last interrupt */
    uint32_t host_calls;
    uint32_t imports;            /* asked for: the numbers of the requests are 1, 2, ... */
    struct buf import, importer; /* of the last: specifier and referrer */
    uint32_t settled;
    struct {
        uint32_t call;
        enum engine_end end;
        struct buf value;
    } settlements[PROBE_SETTLED_MAX];
};
extern struct seen seen;
extern const char *globals_path;

#define CHECK(condition)                                 \
    do {                                                 \
        if (!(condition))                                \
            check_fails(__FILE__, __LINE__, #condition); \
    } while (0)
__attribute__((noreturn)) void check_fails(const char *file, int line, const char *what);
/* Prints an outcome as a TAP comment, for the log of a check that fails. */
void show(const struct engine_outcome *out);

/* Forks a cell of this process and runs `run` in it; its exit status. `seed` is the cell's. */
int in_cell(uint64_t seed, void (*run)(void));
/* Binds the hooks: what a cell does first. */
void become_cell(uint64_t seed);

/* The outcome of the last of these; valid until the next. */
struct engine_outcome *eval_flags(const char *source, uint32_t flags);
struct engine_outcome *eval(const char *source);
/* An outcome to fill, the last one from then on. */
struct engine_outcome *fresh(void);
struct engine_outcome *last_outcome(void);
struct engine_outcome *call_path(const char *path, const char *arguments, size_t len);
/* Has engine_terminate() called after `ms`, from another thread. */
void terminate_after(unsigned ms);

/* What the value is. */
bool is_int(const struct engine_outcome *out, int expected);
bool is_text(const struct engine_outcome *out, const char *expected);
bool is_true(const struct engine_outcome *out);
bool is_undefined(const struct engine_outcome *out);
bool has_text(const struct buf *text, const char *part);
/* THROWN with this name and with this text in its message. */
bool threw(const struct engine_outcome *out, const char *name, const char *message);

/* Host functions that a guest can be given by engine_set_function(). */
enum {
    HOST_ECHO = 1,    /* answers its first argument */
    HOST_THROW = 2,   /* TypeError: "host says no" */
    HOST_PROMISE = 3, /* a promise, id 77 */
    HOST_STOP = 4,
    HOST_NESTED = 5, /* evaluates "nested()" and answers what it gave */
    HOST_CUSTOM = 6, /* throws an error named OutOfCheese */
    HOST_LOOP = 7,   /* evaluates "for(;;);" */
    HOST_CLOSE = 8   /* frees context 2 */
};
void give(const char *path, uint32_t function);

#endif
