/* heap_report.h - what the files of glovebox heap report share.
 *
 * A page is bounded, however large a snapshot is and whatever its names are: all texts are in one
 * table that gives less room the fuller it is, and each list has a number of rows at most.
 *
 * Threads: one.
 */
#ifndef CLI_HEAP_REPORT_H
#define CLI_HEAP_REPORT_H

#include "cli/heap.h"

#include <glovebox/heap_series.h>

/* The page around its data; made of report_page/ by the build. */
extern const unsigned char report_page_head[], report_page_tail[];
extern const size_t report_page_head_len, report_page_tail_len;

/* --- heap_report_texts.c: texts, each once, by numbers --------------------------------------- */

struct report_texts {
    struct buf json; /* JSON strings, with commas between */
    struct place {
        uint32_t at, len; /* in it; len 0: free */
        uint32_t number;
    } * places;
    uint32_t count, capacity; /* capacity: a power of two, or 0 */
    uint32_t cut;             /* that are not whole */
    bool failed;
};

/* Its number. What is no UTF-8 becomes U+FFFD; nothing in it ends a script in a page. */
uint32_t report_add_text(struct report_texts *t, const char *text, size_t len);
/* The same of a name out of the library. */
uint32_t report_add_name(struct report_texts *t, const gbx_heap *heap, uint32_t number,
    uint64_t (*name)(const gbx_heap *, uint32_t, char *, uint64_t));
void report_texts_done(struct report_texts *t);

/* --- the parts of the data, each a key of the page's JSON ---------------------------------- */

struct report {
    gbx_heap *heap; /* the last file's */
    gbx_heap_totals totals;
    struct report_texts texts;
    struct buf json;
};

/* Begins a key; a comma before an item but the first. */
void report_key(struct report *r, const char *key);
void report_number(struct report *r, bool first, int64_t number);

/* False: out of memory, or a signal came. */
bool report_put_files(
    struct report *r, const char *const *files, const gbx_heap_totals *totals, size_t count);
bool report_put_strings(struct report *r);
bool report_put_changes(struct report *r, gbx_heap *base);
bool report_put_trends(struct report *r, gbx_heap_series *series);

/* heap_report_groups.c: the dominator tree by classes. A group is what objects of a class retain
 * within those of another. */
struct report_groups {
    struct group {
        uint32_t parent, class_index, depth;
        uint32_t objects; /* nodes of its class */
        uint32_t example; /* that retains most */
        uint64_t most;    /* what it retains */
        uint64_t bytes;   /* of all that is in it, groups too */
        uint32_t number;  /* in the page, from 1; 0: left out */
    } * items;            /* the first is the root's */
    uint32_t count, capacity;
    uint32_t kept;
};

bool report_groups_make(struct report *r, struct report_groups *out);
void report_groups_done(struct report_groups *g);

/* heap_report_nodes.c: nodes, classes and groups, which refer to nodes by their number here. */
bool report_put_graph(struct report *r, const struct report_groups *g);

#endif
