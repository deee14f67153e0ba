/* attack.h - one attack in an isolate of its own, and what must hold meanwhile and after it:
 * another isolate of the same runtime answers all the time, and the host's memory, descriptors,
 * threads and processes come back to what they were.
 *
 * Without Criterion: the programs that share it speak for themselves. One runtime at a time.
 */
#ifndef TEST_INTEGRATION_ATTACK_H
#define TEST_INTEGRATION_ATTACK_H

#include <glovebox/glovebox.h>

#include <stdbool.h>
#include <stddef.h>

/* What else the host does with the attacker once its call has begun. */
enum deed {
    NOTHING,
    TERMINATE,
    KILL,
    SEGV,
    STOP, /* SIGSTOP: its process does nothing any more */
    CLOSE,
    COLLECT, /* after its call, so that finalizers run */
};

#define ATTACK_MEMORY (64ull << 20) /* the guest's limit unless it says otherwise */

struct attack {
    const char *what;
    const char *source;
    uint64_t wall_us, cpu_us, memory_bytes; /* 0: none, none, ATTACK_MEMORY */
    uint32_t flags;                         /* GBX_CALL bits */
    uint32_t host_mib; /* that the host may grow by meanwhile: what it was given; 0: nothing */
    uint32_t
        over_mib; /* more of the machine's memory than the limit, at most; of those that are
                        * held to it */
    enum deed deed;
};

struct attack_report {
    gbx_status status; /* of the call */
    gbx_error error;
    gbx_value
        *value; /* its result, or what was thrown, unless the host may grow by it; owned by the
                       * report; may be NULL */
    const char *isolate; /* "usable", "ended" or "closed" */
    uint64_t over_bytes; /* what its process had more, resident and in page tables, than a fresh
                          * one and its limit */
    char wrong[512];     /* what did not hold; "": all did */
};

/* Opens the runtime, with no pool, and the isolate that must not notice anything. False: the reason
 * is on stderr. */
bool attack_begin(void);
/* The same with the cell's object of another libexec folder, and with `require` of its layers. */
bool attack_begin_with(const char *libexec, uint32_t require);
void attack_end(void);
gbx_runtime *attack_runtime(void);

/* Runs it to its end. The guest has host functions: now() answers at once, later() with a promise
 * that is resolved, never() with one that is rejected, pending() with one that nobody settles;
 * fail() fails, echo(x) answers x, run(text) evaluates text in the same context and answers its
 * result. */
void attack_run(const struct attack *attack, struct attack_report *report);
void attack_report_done(struct attack_report *report);

/* For attacks that need more than a source: around each. attack_settled() answers when the future
 * is finished, and the other isolate has answered meanwhile. attack_close() looks after the host,
 * which may have grown by `grown_bytes`. */
gbx_isolate *attack_open(const gbx_isolate_options *options, struct attack_report *report);
gbx_status attack_settled(gbx_future *future, struct attack_report *report);
void attack_close(gbx_isolate *isolate, uint64_t grown_bytes, struct attack_report *report);
/* Promises of pending() that are open; settles them. */
size_t attack_kept(void);
void attack_settle_kept(void);
/* Notes what did not hold, unless something has been noted already. */
void attack_wrong(struct attack_report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The isolate does what it is told. */
bool attack_answers(gbx_isolate *isolate);
void attack_give(gbx_isolate *isolate, const char *name, gbx_function function, void *data,
    struct attack_report *report);

const char *attack_status(gbx_status status);
/* A number of /proc/<pid>/status, in bytes; 0: not there. */
uint64_t attack_memory_of(uint32_t pid, const char *field);

#endif
