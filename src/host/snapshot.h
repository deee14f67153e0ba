/* snapshot.h - what the files about heap snapshots share.
 *
 * Runs in:  host.
 * Trusts:   nothing of the bytes that a cell or its child sends but their number.
 * Threads:  as host.h.
 */
#ifndef HOST_SNAPSHOT_H
#define HOST_SNAPSHOT_H

#include "base/result_file.h"
#include "host/host.h"

struct snapshot {
    struct snapshot *next; /* in isolate->snapshots */
    gbx_future *future;    /* the caller's; open; finished by us. NULL: the one at the limit */
    bool background;
    uint32_t flags;          /* set of enum gbx_snapshot_flags */
    struct result_file file; /* without a path: the caller's descriptor, or -1: a sink */
    gbx_snapshot_sink sink;
    gbx_snapshot_progress on_progress;
    void *data;
    uint64_t timeout_us, memory_bytes; /* as asked for; 0: the default */
    uint32_t delivering; /* callbacks on the stack: one that waits may have another called */
    bool orphan;         /* they have ended the snapshot: to be freed when the first returns */
    bool given_up;       /* for this; the cell has been told to stop and has not answered yet */
    gbx_error error;
    uint64_t until_us; /* its deadline; once given up, when its child is killed */
    bool ended;     /* the cell has told of the child's end, and a callback held something up */
    uint64_t bytes; /* delivered so far */
    uint64_t bytes_max; /* no guest of this size has a larger one */
    uint32_t told_percent;
    uint64_t told_bytes;
    struct buf
        held; /* a piece that the sink had no room for; while it is there, nothing is read */
    uint8_t header[4];   /* of the background stream */
    uint32_t have;       /* bytes of it */
    bool whole;          /* the background stream's end has been read */
    uint32_t piece_left; /* of the piece that is being read */
};

/* --- its way (snapshot.c) -------------------------------------------------------------------- */

/* A file that was not whole is gone then. */
void snapshot_free(struct snapshot *s);
/* Its stream begins: the child's ring is emptied, and its clock runs. */
void snapshot_begin(struct gbx_isolate *isolate, struct snapshot *s);
/* What comes is no use any more; the cell or its child is told to stop. */
void snapshot_give_up(struct gbx_isolate *isolate, const gbx_error *error);

/* --- at the limit (limit.c) ------------------------------------------------------------------ */

/* Tells a new cell that one is wanted. */
gbx_status limit_begin(struct gbx_isolate *isolate, gbx_error *error);
enum limit_answer {
    LIMIT_GO,
    LIMIT_LATER, /* another snapshot is under way */
    LIMIT_NEVER, /* it cannot be written */
    LIMIT_UNASKED
};
/* The cell asks for the fork that writes it. */
enum limit_answer limit_asked(struct gbx_isolate *isolate);
/* Deadlines rest no longer. */
void limit_rest_ends(struct gbx_isolate *isolate);
/* All of it has come. */
void limit_whole(struct gbx_isolate *isolate);
/* The isolate has died: fills in the certificate. */
void limit_certify(struct gbx_isolate *isolate);

#endif
