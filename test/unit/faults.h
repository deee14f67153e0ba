/* faults.h - has the host's Nth allocation, or its Nth system call of a kind, fail.
 *
 * What is linked into the program calls the functions below through the linker's --wrap (see
 * `fault_args` in meson.build): the library's own calls are seen, those of libc and of the test
 * framework are not, and under a sanitizer memory is still the sanitizer's.
 *
 * Threads: one that arms and disarms; those of the library may call meanwhile.
 */
#ifndef UNIT_FAULTS_H
#define UNIT_FAULTS_H

#include <stdbool.h>

enum fault_kind {
    FAULT_MEMORY,     /* malloc, calloc, realloc, strdup, asprintf, what posix_spawn is told */
    FAULT_DESCRIPTOR, /* what makes a descriptor, one that arrives in a packet included */
    FAULT_MAP,        /* mmap */
    FAULT_WATCH,      /* epoll_ctl that adds */
    FAULT_SPAWN,      /* posix_spawn */
    FAULT_KINDS,
};

/* From now on `spared` calls of this kind are good, and then one fails with `error`, or all. */
void fault_arm(enum fault_kind kind, long spared, bool only_one, int error);
/* No more faults. True if there was one. */
bool fault_disarm(void);
/* Blocks that the program has allocated and not freed. */
long fault_blocks(void);

#endif
