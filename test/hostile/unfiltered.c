/* unfiltered.c - a cell without its filter, so that namespaces and landlock stand alone; and with
 * room for descriptors, whose want would stop much of the rest before they do. Linked in front of
 * sandbox_filter_cell() and prlimit(), which is prlimit64() in the object; see hostile.c. */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

void __wrap_sandbox_filter_cell(enum sandbox_profile profile, struct layers *layers);

void
__wrap_sandbox_filter_cell(enum sandbox_profile profile, struct layers *layers)
{
    (void)profile;
    layers_note(layers, LAYER_FILTER, EOPNOTSUPP);
}

typedef __rlimit_resource_t resource;
int __real_prlimit64(pid_t pid, resource which, const struct rlimit *set, struct rlimit *was);
int __wrap_prlimit64(pid_t pid, resource which, const struct rlimit *set, struct rlimit *was);

int
__wrap_prlimit64(pid_t pid, resource which, const struct rlimit *set, struct rlimit *was)
{
    return __real_prlimit64(pid, which, which == RLIMIT_NOFILE ? NULL : set, was);
}
