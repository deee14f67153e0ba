/* sandbox.h - the walls around a process, behind a few functions.
 *
 * Runs in:  zygote, template, cell, snapshot child.
 * Trusts:   nothing that runs after it.
 * Threads:  called once per process, before guest code runs.
 */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

struct sandbox_cell {
    int *keep_fd; /* the one descriptor that a cell keeps; moved to a low number */
    uint64_t memory_limit_bytes; /* of the guest */
    uint64_t data_bytes;    /* VmData and VmSize of the template when it forked: what the */
    uint64_t address_bytes; /* engine itself takes, on top of which the guest's limit goes */
};

/* Walls a cell in. NULL, or which step failed (errno says why): then no guest code may run. */
const char *sandbox_seal_cell(const struct sandbox_cell *cell);

/* Bytes of private memory that the kernel gives a cell beyond what its template had. */
uint64_t sandbox_memory_ceiling(uint64_t memory_limit_bytes);

/* Die with the process that forked us; false if it has died already. `parent` is its pid. */
bool sandbox_die_with(int parent);

/* Closes every descriptor from `first` on. */
void sandbox_close_from(unsigned first);

/* Taking a heap snapshot needs memory that the guest has no right to: V8 copies the object graph.
 * Lifts the soft limits to the hard ones, and sets them back. */
struct sandbox_memory {
    uint64_t soft[2];
};
void sandbox_raise_memory(struct sandbox_memory *before);
/* `kept_bytes`: free memory that malloc could not give back meanwhile; it still counts. */
void sandbox_restore_memory(const struct sandbox_memory *before, uint64_t kept_bytes);

/* Bytes of private writable memory and of address space of this process, as the kernel counts
 * them for RLIMIT_DATA and RLIMIT_AS. False with errno. */
bool sandbox_memory_in_use(uint64_t *data_bytes, uint64_t *address_bytes);

#endif
