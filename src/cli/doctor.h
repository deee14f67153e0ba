/* doctor.h - what glovebox doctor looks at: the machine, and a live cell on it. */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include "cli/cli.h"

/* What cells need of a machine besides layers of the sandbox, of which the library tells. */
enum need {
    NEED_MEMFD,
    NEED_PIDFD,
    NEED_MEMORY,
    NEED_NOTIFY,
    NEEDS
};

struct finding {
    bool there;
    char detail[96];
    const char *advice; /* what to do if it is not */
};

/* probe.c: asks the kernel. Changes nothing. */
void probe_machine(struct finding findings[NEEDS]);

/* probe_cell.c: looks at a cell from outside, in /proc. True if what stands there says that a
 * layer, by its name in gbx_layer, does not hold. What cannot be told from here is no
 * contradiction. */
bool probe_contradicts(uint32_t pid, const char *layer);

/* Reads a small file; false: it cannot be read. `out` is NUL-terminated, without the last
 * newline. */
bool read_small(const char *path, char *out, size_t size);

#endif
