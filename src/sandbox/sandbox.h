/* sandbox.h - the walls around our processes.
 *
 * What a process does once and its children inherit is done in the zygote: namespaces, an empty
 * root, another user, no capabilities. What each cell needs for itself is done in the cell, last
 * of all before guest code runs: its session, its limits, its own landlock domain, its filter.
 *
 * Runs in:  zygote, template, cell, snapshot child.
 * Trusts:   nothing that runs after it.
 * Threads:  called by the only thread of a process, except sandbox_filter_cell().
 */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include "base/layers.h"

#include <stdbool.h>
#include <stdint.h>

/* --- the zygote ------------------------------------------------------------------------------
 */

/* Before the engine starts. Enters namespaces; where a pid namespace can be had, the caller
 * returns as its init in a child, and this process stays behind to wait for that. */
void sandbox_enter(struct layers *layers);
/* When the engine has read what it reads: nothing outside can be opened or reached any more. */
void sandbox_seal_zygote(struct layers *layers);
/* Seals a child that does nothing like a cell, and notes what engaged there. */
void sandbox_rehearse(struct layers *layers);

/* --- a cell ----------------------------------------------------------------------------------
 */

/* What a cell may do beyond running JavaScript. */
enum sandbox_profile {
    SANDBOX_FORK = 1,      /* ask for a fork, each of which the host approves */
    SANDBOX_PROFILING = 2, /* start the threads of V8's CPU profiler */
    SANDBOX_PROFILES = 4
};

struct sandbox_cell {
    int *keep_fd; /* the one descriptor that a cell keeps; moved to a low number */
    uint64_t memory_limit_bytes; /* of the guest */
    uint64_t data_bytes; /* what the template took when it was warm: the guest's limit goes */
    uint64_t address_bytes; /* on top of that */
    bool twins;             /* its twins may be handed descriptors: sandbox_open_door() */
};

/* All of a cell's walls but the filter, while it has one thread. */
void sandbox_confine_cell(const struct sandbox_cell *cell, struct layers *layers);
/* The filter, on all threads of the cell: from here on it can do what `profile` lists. */
void sandbox_filter_cell(enum sandbox_profile profile, struct layers *layers);

/* In the template: a descriptor that tells of each fork its cells ask for (base/control.h:
 * FORK_FLAGS and what follows), and lets it be approved or refused. `threads`: cells may start
 * threads, so nobody is asked for those. -1: the kernel has no such thing, and errno says so. */
int sandbox_watch_forks(bool threads);

/* In the template, for a twin that its host is about to hand descriptors, and after that. 0, or an
 * errno. */
int sandbox_open_door(int pid, bool open);

/* Bytes of private memory that the kernel gives a cell beyond what its template had. */
uint64_t sandbox_memory_ceiling(uint64_t memory_limit_bytes);

/* In the template, for one of its cells. Taking a heap snapshot needs memory that the guest has no
 * right to, since V8 copies the object graph: lifts the soft limits, by `most_bytes`, but not
 * past the hard ones; or sets them back, `kept_bytes` higher. 0, or an errno. */
int sandbox_raise_memory(int pid, const struct sandbox_cell *cell, uint64_t most_bytes);
int sandbox_restore_memory(int pid, const struct sandbox_cell *cell, uint64_t kept_bytes);

/* --- any process ----------------------------------------------------------------------------- */

/* Die with the process that forked us; false if it has died already. `parent` is its pid. */
bool sandbox_die_with(int parent);

/* No new privileges, and not dumpable: nobody of the same user looks in, or writes. */
void sandbox_withdraw(struct layers *layers);

/* Closes every descriptor from `first` on. 0, or an errno. */
int sandbox_close_from(unsigned first);

/* Bytes of private writable memory and of address space of this process, as the kernel counts
 * them for RLIMIT_DATA and RLIMIT_AS. False with errno. */
bool sandbox_memory_in_use(uint64_t *data_bytes, uint64_t *address_bytes);

/* --- landlock (landlock.c), for the functions above ------------------------------------------ */

/* A domain of its own for the calling thread and what it starts: no file, no port, no signal to
 * the outside. */
void landlock_enclose(struct layers *layers);

#endif
