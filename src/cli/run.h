/* run.h - one run of a program, from its flags to its report. */
#ifndef CLI_RUN_H
#define CLI_RUN_H

#include "base/limits.h"
#include "cli/cli.h"

#include <glovebox/devtools.h>
#include <glovebox/series.h>

#include <limits.h>

enum {
    INSPECT_PORT = 9229, /* where chrome://inspect and editors look */
    INSPECT_HOST_BYTES = 64
};

/* What glovebox watch adds. */
struct watch_options {
    const char *store, *label; /* NULL: the usual one; the program's name */
    uint64_t every_us, growth_bytes;
    uint64_t keep, max_age_us, max_bytes;
};

struct run_options {
    const char *eval; /* -e; NULL: a file */
    bool module;
    bool print;
    bool json;
    bool stats;
    bool quiet;
    bool attached;
    bool background;
    bool stable_ids;
    const char *require;               /* --require; NULL: strict */
    const char *root;                  /* --root; NULL: nothing can be imported */
    const char *snapshot;              /* --heap-snapshot; NULL: none */
    const char *limit_snapshot;        /* --snapshot-at-limit, likewise */
    const char *inspect, *inspect_brk; /* [HOST:]PORT, "" for the usual one; NULL: not given */
    const char *cpu_profile;           /* --cpu-prof; "": a name of its own; NULL: none */
    const char *heap_profile;          /* --heap-prof, likewise */
    uint64_t memory_bytes;
    uint64_t stack_bytes;
    uint64_t timeout_us;
    uint64_t cpu_us;
    uint64_t console_bytes;
    struct list preload;
    struct list set;
    struct watch_options watch;
};

/* A global that --set makes. */
struct setting {
    char *name;         /* owned */
    struct source text; /* of the file, or of the flag itself */
};

/* What a run has cost. */
struct costs {
    uint64_t wall_us; /* from the first line of the first script to the last's end */
    uint64_t cpu_us;  /* of the cell, in all its life */
    uint64_t resident_bytes;
    uint64_t sent_bytes;
    uint64_t received_bytes;
    gbx_value *heap; /* owned; gbx_isolate_statistics(); NULL: the isolate has died */
};

/* A profile under way. */
struct run_profile {
    gbx_future *future; /* owned; NULL: none */
    char name[96];      /* that was made for it; "": the flag says */
};

/* The snapshots of glovebox watch. */
struct watch {
    gbx_store *store;   /* NULL: nothing is watched */
    gbx_series *series; /* NULL: not yet */
    char *limit_path;   /* owned; where one at the limit goes */
    char label[64];
    uint64_t count; /* taken */
    bool ending;    /* the program has ended */
    bool last;      /* the one that is awaited has come, or failed: */
    gbx_error error;
};

struct run {
    struct run_options options;
    struct source program;
    struct source *preloads;  /* owned; options.preload.count of them */
    struct setting *settings; /* owned; options.set.count of them */
    const char *const *arguments;
    size_t argument_count;
    const struct command *command;

    gbx_runtime *runtime;
    gbx_isolate *isolate;
    gbx_files *files;                /* of --root; NULL: none */
    gbx_devtools *devtools;          /* NULL: nobody can debug it */
    uint64_t held_us, held_since_us; /* by a debugger: in all; 0: it is not held */
    uint64_t cpu_before_us;          /* the cell's, when the first script began */
    uint64_t started_us;             /* when the first script began; 0: not yet */
    uint64_t console_printed;        /* bytes */
    bool console_cut;

    int outcome;
    gbx_error error;   /* unless OUTCOME_OK */
    gbx_value *thrown; /* owned; what the program threw, if it can be copied */
    bool rejected;     /* a promise was, and nobody handled it; the first one: */
    gbx_error rejection;
    gbx_value *rejection_value; /* owned; NULL: it cannot be copied */
    gbx_value *result;          /* owned; if it was asked for */
    struct costs costs;
    struct run_profile profile[PROFILE_KINDS]; /* by enum gbx_profile_kind */
    uint64_t snapshot_bytes;                   /* 0: none was taken */
    uint64_t snapshot_us;
    struct watch watch;
};

/* Flags of all commands that run a program, but for --timeout, whose default differs. */
extern const struct flag run_common_flags[];
/* Runs it, from its command line to its report: an outcome. */
int run_program(const struct command *command, int argc, char **argv);

/* --- run_input.c ------------------------------------------------------------------------ */

/* Reads whatever the flags name. An outcome; its message is in run->error. */
int run_read_inputs(struct run *run, const char *file);
void run_free_inputs(struct run *run);

/* --- run_cell.c ------------------------------------------------------------------------- */

/* Makes the cell, runs what there is to run, asks what it cost, takes the snapshot. */
void run_execute(struct run *run);
void run_close(struct run *run);

/* Waits for what runs no code of the program, at most as long; a signal ends that. */
gbx_status run_await(
    struct run *run, gbx_future *future, uint64_t timeout_us, gbx_error *error);
/* The run lacks a file that was asked for, `what`: its outcome, unless there is worse news. */
void run_lacks(struct run *run, const char *what, gbx_status status, const gbx_error *error);

/* --- run_snapshot.c --------------------------------------------------------------------- */

/* Whether that of --snapshot-at-limit can be written, as far as that is seen before. An outcome. */
int run_snapshot_check(struct run *run);
/* The file of --snapshot-at-limit for the library, links followed; NULL: none is wanted. */
const char *run_snapshot_at_limit(const struct run *run, char resolved[PATH_MAX]);
/* Tells what has become of it, if the program ran into its limit. */
void run_snapshot_tell(const struct run *run);
/* That of --heap-snapshot. */
void run_snapshot_take(struct run *run);

/* --- run_watch.c ------------------------------------------------------------------------ */

/* Opens the store, if there is one to be. An outcome. */
int run_watch_open(struct run *run);
/* The isolate is there. An outcome. */
int run_watch_begin(struct run *run);
/* The program has ended: takes the last one, or finds the one at the limit. */
void run_watch_end(struct run *run);
void run_watch_close(struct run *run);

/* --- run_profile.c ---------------------------------------------------------------------- */

void run_profiles_begin(struct run *run);
void run_profiles_end(struct run *run);

/* --- run_modules.c ---------------------------------------------------------------------- */

/* Gives the program the files of --root to import. An outcome. */
int run_modules_open(struct run *run);
/* Runs a module as the file of --root that it is; NULL if it is none of them. */
gbx_future *run_module_import(
    struct run *run, const struct source *source, const gbx_call_options *options);

/* --- run_inspect.c ---------------------------------------------------------------------- */

/* How the isolate must be opened for a debugger. */
void run_inspect_options(struct run *run, gbx_isolate_options *options);
/* Has the first script wait, if it is to; opens the server and tells its address. An outcome. */
int run_inspect_open(struct run *run);
/* Whoever still looks inside after the program's end may go on doing so. */
void run_inspect_linger(struct run *run);
/* Reads [HOST:]PORT into `options`, whose host is `host`. False: it is not of that form. */
bool run_inspect_read(
    const char *text, char host[INSPECT_HOST_BYTES], gbx_devtools_options *options);

/* --- console.c -------------------------------------------------------------------------- */

void console_print(
    gbx_isolate *isolate, uint32_t level, const char *text, size_t len, void *data);

/* --- report.c, report_json.c ------------------------------------------------------------ */

void report_text(const struct run *run);
void report_json(struct run *run);
void report_stats(const struct run *run);

/* The enum gbx_require of that name, NULL being the default; past GBX_REQUIRE_NONE: none has it. */
uint32_t run_require(const char *name);

#endif
