/* channel.h - the memory that a host and one cell share: two rings, two bells, a death note.
 *
 * Runs in:  host (makes it, maps it), template (passes the fd on), cell (maps it).
 * Trusts:   the layout is compile-time; no offset, size or count is ever read from it.
 * Threads:  the rings as ring.h says; `stop` is written by any host thread and read by the
 *           cell's watchdog.
 *
 *   page 0      struct channel_shared: positions, bells, stop word
 *   page 1      struct channel_note: what a dying cell leaves behind
 *   then        to_cell ring, to_host ring, and the snapshot child's ring to the host
 *
 * A bell is a word in which a sleeper says what it waits for. Who makes that true swaps the
 * word to 0 and wakes the sleeper (futex for the cell, eventfd for the host), so nobody makes a
 * system call for a peer that is awake.
 */
#ifndef RING_CHANNEL_H
#define RING_CHANNEL_H

#include "ring/ring.h"

#include <glovebox/status.h>

enum channel_wants {
    CHANNEL_WANTS_DATA = 1,     /* something to read */
    CHANNEL_WANTS_SPACE = 2,    /* room to write */
    CHANNEL_WANTS_SNAPSHOT = 4, /* host: something to read from the snapshot child;
                                 * snapshot child: room to write */
    CHANNEL_WANTS_STOP = 8,     /* cell: a termination that it has not seen */
};

struct channel_shared {
    struct ring_shared to_cell, to_host, snapshot;
    _Alignas(64) _Atomic uint32_t cell_bell; /* futex; channel_wants of the cell */
    _Alignas(64) _Atomic uint32_t host_bell; /* channel_wants of the host */
    _Alignas(64) _Atomic uint32_t alarm;     /* futex: bumped by the host to make the cell's
                                              * watchdog look at `stop` and at the ring */
    _Atomic uint32_t alarm_wanted;           /* the watchdog sleeps on `alarm` */
    _Atomic uint32_t stop;                   /* bumped by gbx_isolate_terminate() */
    _Atomic uint32_t child_bell;             /* futex: the snapshot child waits for room */
    _Atomic uint32_t snapshot_stop;          /* the host no longer wants the snapshot */
    _Atomic uint32_t snapshot_percent;       /* of it: how much of the graph is built */
};

#define CHANNEL_NOTE_STACK 2048 /* bytes of guest stack in a death note: half its page */

/* A dying cell's last words: claims, shown to people and never used to decide anything that
 * matters. Written once, `written` last. */
struct channel_note {
    _Atomic uint32_t written; /* 1: the rest is complete */
    int32_t status;           /* GBX_EMEMORY, GBX_ETIMEOUT, GBX_ECPU, GBX_ECRASHED */
    uint32_t detail;          /* enum channel_note_detail */
    uint64_t limit, measured; /* bytes or microseconds, by status */
    char message[256];        /* NUL-terminated by the reader's copy */
    char stack[CHANNEL_NOTE_STACK];
};

enum channel_note_detail {
    CHANNEL_NOTE_NONE,
    CHANNEL_NOTE_HEAP,       /* V8's heap limit */
    CHANNEL_NOTE_EXTERNAL,   /* buffers, wasm and code on top of the heap */
    CHANNEL_NOTE_ALLOCATION, /* malloc or mmap refused: the kernel's limit */
    CHANNEL_NOTE_DETAILS
};

/* One process's mapping of the channel. */
struct channel {
    struct channel_shared *shared;
    struct channel_note *note;
    uint8_t *map; /* owned */
    size_t map_bytes;
    struct ring out, in;  /* this side's producer and consumer */
    struct ring snapshot; /* host: consumer; snapshot child: producer */
    uint32_t stop_seen;   /* cell: value of shared->stop that has been looked at */
};

/* Makes the sealed memfd. -1 with errno. */
int channel_memory_new(void);
/* Maps it. `host`: which side's ends to set up. False with errno. */
bool channel_map(struct channel *channel, int fd, bool host);
/* Cell: another channel takes the place of this one, at the same address. False with errno. */
bool channel_remap(struct channel *channel, int fd);
void channel_unmap(struct channel *channel);
/* All of it but the first page, struct channel_shared. */
void channel_unmap_rings(struct channel *channel);

/* --- sleeping and waking (park.c) ----------------------------------------------------- */

/* Cell: sleep until the host makes `wants` true or the timeout passes (UINT64_MAX: never).
 * Checks after having announced itself, so no wake-up is lost. */
void channel_cell_sleep(struct channel *channel, uint32_t wants, uint64_t timeout_ns);
/* Host: after a publish (data) or a take (space). */
void channel_wake_cell(struct channel *channel, uint32_t made);
/* Snapshot child: sleep until there is room in its ring, or about 100 ms. Host: after a take
 * from it. */
void channel_child_sleep(struct channel *channel);
void channel_wake_child(struct channel *channel);
/* Cell: likewise; `event_fd` is rung if the host asked for it. */
void channel_wake_host(struct channel *channel, uint32_t made, int event_fd);
/* Host: ask to be rung. Answers true if what it wants is there already. */
bool channel_host_wants(struct channel *channel, uint32_t wants);
/* Host: stop being rung (it is awake and polls by itself). */
void channel_host_awake(struct channel *channel);
/* Host: makes the watchdog thread of the cell look around. Any thread, async-signal-safe. */
void channel_alarm(struct channel *channel);
/* The cell's watchdog: announces that it is about to sleep, and answers what `alarm` is; looks
 * whether there is something to do; then sleeps until `alarm` is no longer that, or until the time
 * on CLOCK_MONOTONIC (UINT64_MAX: never). */
uint32_t channel_alarm_announce(struct channel *channel);
void channel_alarm_sleep(struct channel *channel, uint32_t alarm, uint64_t until_ns);
/* True if `wants` holds for this end now. */
bool channel_has(struct channel *channel, uint32_t wants);

/* --- spinning ------------------------------------------------------------------------- */

/* A wake-up across cores costs 30 to 60 us, a message while both spin 0.14 us (measured, see
 * bench/). So whoever expects the next message soon spins for it, and whoever does not, sleeps
 * almost at once: `usual_ns` follows the recent waits. */
struct spinner {
    uint64_t usual_ns;
};
/* Spins until channel_has(wants), at most as long as the recent waits make sensible; for the rest
 * of a message that is `under_way`, at most SPIN_MAX_NS: the peer is at work on it. Answers
 * whether it came; *spun_ns is increased by the time spent. */
bool spinner_spin(struct spinner *spinner, struct channel *channel, uint32_t wants,
    bool under_way, uint64_t *spun_ns);
/* Tells it how long the wait took in all, sleep included. */
void spinner_learn(struct spinner *spinner, uint64_t waited_ns);

#endif
