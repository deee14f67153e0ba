/* heap.h - what the files of glovebox heap share.
 *
 * Threads: one.
 */
#ifndef CLI_HEAP_H
#define CLI_HEAP_H

#include "cli/cli.h"

#include <glovebox/heap.h>

enum {
    HEAP_FAILED = 1 /* the exit code of an assertion that does not hold; besides outcome.h */
};

struct heap_options {
    bool json, largest;
    const char *top, *filter, *sort, *output, *key, *depth;
};

/* One run of one subcommand. */
struct heap_run {
    struct heap_options options;
    uint32_t top;     /* rows that are shown; 0: all */
    gbx_heap **heaps; /* those of `files`, opened */
    const char **files;
    size_t file_count;
    const char *const *words; /* that follow the files */
    size_t word_count;
};

/* --- heap_table.c: rows, for people and for programs --------------------------------------- */

enum column_kind {
    COLUMN_COUNT,
    COLUMN_BYTES,
    COLUMN_DELTA, /* bytes, with a sign */
    COLUMN_DISTANCE,
    COLUMN_ID,
    COLUMN_JSON, /* a text that is JSON already */
    COLUMN_TEXT
};

struct column {
    const char *key; /* in JSON */
    const char *title;
    enum column_kind kind;
};

struct table {
    const struct column *columns;
    size_t column_count;
    struct cell {
        int64_t number;
        char *text; /* owned; of a COLUMN_TEXT or COLUMN_JSON */
    } * cells;
    size_t count, capacity; /* cells */
    bool failed;
};

/* Cells are put from left to right, row after row. */
void table_number(struct table *t, int64_t number);
/* Takes the text over; NULL is a failure. */
void table_text(struct table *t, char *text);
/* By the column whose key is `sort`, largest first; NULL: as they are. False: there is no such. */
bool table_sort(struct table *t, const char *sort);
/* Prints the first `top` rows: a table, or an array for JSON. Frees the table. OUTCOME_OK or
 * OUTCOME_SYSTEM. */
int table_print(struct table *t, const struct heap_run *run);
/* Text as JSON has it, in quotes. */
void heap_put_json(const char *text);
/* With what a terminal would obey, and line ends, made visible; and no longer than fits. */
void heap_put_text(const char *text, size_t columns);
/* How many columns that takes. */
size_t heap_text_columns(const char *text, size_t columns);

/* A name out of the library, to be freed. NULL: out of memory. */
char *heap_name(const gbx_heap *heap, uint32_t number,
    uint64_t (*name)(const gbx_heap *, uint32_t, char *, uint64_t));
bool heap_is_wanted(const struct heap_run *run, const char *name);
int heap_no_memory(void);
/* What was gathered, with a NUL behind it, to be freed. NULL: it failed. */
char *heap_text_of(struct buf *text);
bool heap_ends_with(const char *text, const char *end);
/* cmd_heap.c: tells of it on a terminal, and ends at a signal. An outcome, which was complained
 * of. */
int heap_open(const char *file, gbx_heap **out_heap);
/* cmd_heap_graph.c: the node that the first word means; the root if there is none. An outcome. */
int heap_find_node(struct heap_run *run, uint32_t *out_node);

/* cmd_heap_convert.c: a file beside the one that --output asks for, for who needs a name, until
 * it is whole. An outcome, which was complained of. */
int heap_begin_file(const struct heap_run *run, char **out_temporary, int *out_fd);
/* Gives the file its name, which nobody has, if it is whole; else it goes. Frees the name. */
int heap_end_file(
    const struct heap_run *run, char *temporary, gbx_status status, gbx_error *error);

/* --- the subcommands: an outcome, or HEAP_FAILED ------------------------------------------- */

int heap_summary(struct heap_run *run);
int heap_stats(struct heap_run *run);
int heap_diff(struct heap_run *run);
int heap_strings(struct heap_run *run);
int heap_node(struct heap_run *run);
int heap_retainers(struct heap_run *run);
int heap_path(struct heap_run *run);
int heap_dominators(struct heap_run *run);
int heap_contain(struct heap_run *run);
int heap_verify(struct heap_run *run);
int heap_convert(struct heap_run *run);
int heap_redact(struct heap_run *run);
int heap_slice(struct heap_run *run);
int heap_assert(struct heap_run *run);
int heap_closures(struct heap_run *run);
int heap_collections(struct heap_run *run);
int heap_leaks(struct heap_run *run);
int heap_trend(struct heap_run *run);
int heap_report(struct heap_run *run);
int heap_query(struct heap_run *run);

#endif
