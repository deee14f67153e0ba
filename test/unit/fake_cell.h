/* fake_cell.h - an isolate whose cell is the test: it may say whatever it likes, when it likes.
 *
 * The host's side is all real: gbx_isolate_open() takes the cell out of the pool of a template
 * that was never started. The cell's process is a child that sleeps until it is killed; what it
 * "says" is written by the test into the channel, of which this process holds the other mapping.
 *
 * Threads: one at a time. On failure of its own it aborts: there is nothing to test then.
 */
#ifndef UNIT_FAKE_CELL_H
#define UNIT_FAKE_CELL_H

#include "host/host.h"

struct fake_cell {
    gbx_runtime *runtime;
    gbx_isolate *isolate; /* NULL once the test has closed it */
    struct channel side;  /* the cell's ends of the channel */
    int event_fd;         /* a copy of the host's, which the cell rings */
    int template_socket;  /* the template's end; -1: the template is gone */
    uint32_t id;          /* the cell's number at its template */
    pid_t pid;            /* the child; 0: none, or reaped */
    struct buf out;       /* where the test builds what it says */
    struct frame_reader reader;
};

enum fake_cell_flags {
    FAKE_PROCESS =
        1, /* with a child behind the pidfd, else a pidfd of this very process that is
                        * never signalled: the host is told that the cell runs for ever */
    FAKE_TEMPLATE = 2, /* its template lives: a death waits for its word */
};

/* `options`: NULL for all defaults. */
void fake_cell_open(struct fake_cell *f, const gbx_isolate_options *options, unsigned flags);
/* Closes the isolate if it is open, the runtime, and all the rest. */
void fake_cell_close(struct fake_cell *f);

/* Writes to the host as much as there is room for, and rings. Answers how much. */
size_t fake_cell_write(struct fake_cell *f, struct span bytes);
/* Says f->out, all of it, with the host serving meanwhile, and empties it. */
void fake_cell_say(struct fake_cell *f);
/* Has the host take all that was said. */
void fake_cell_serve(struct fake_cell *f);
/* The next message of the host; its body is valid until the next call. False: there is none. */
bool fake_cell_hear(struct fake_cell *f, struct frame *frame);
/* The template reports that the cell has ended. */
void fake_cell_report(
    struct fake_cell *f, int wait_status, uint64_t cpu_us, uint64_t resident_bytes);
/* Waits for the child: the signal that ended it; 0 if it exited by itself. */
int fake_cell_reap(struct fake_cell *f);
/* A child that sleeps until it is killed, or this process ends. */
pid_t sleeper_start(void);
/* True if the child still runs. */
bool fake_cell_runs(struct fake_cell *f);

#endif
