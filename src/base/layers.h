/* layers.h - the layers of a cell's sandbox: the one list that the sandbox engages, the zygote
 * reports, the host requires and `glovebox doctor` shows.
 *
 * LAYER(name, level, text, cause): `level` is what requires it, STRICT or FULL; `cause` is why it
 * usually cannot engage, for people.
 */
#ifndef BASE_LAYERS_H
#define BASE_LAYERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SANDBOX_LAYERS(LAYER)                                                                 \
    LAYER(PRIVILEGES, STRICT, "no_new_privs",                                                 \
        "a kernel without prctl(PR_SET_NO_NEW_PRIVS) (before 3.5)")                           \
    LAYER(DUMPABLE, STRICT, "not dumpable", "a container profile that denies prctl()")        \
    LAYER(SESSION, STRICT, "own session", "a container profile that denies setsid()")         \
    LAYER(DESCRIPTORS, STRICT, "no descriptors",                                              \
        "a kernel without close_range() (before 5.9), or a container profile that denies it") \
    LAYER(LIMITS, STRICT, "resource limits", "a container profile that denies prlimit()")     \
    LAYER(FILTER, STRICT, "seccomp",                                                          \
        "a kernel without CONFIG_SECCOMP_FILTER, or a container profile that denies "         \
        "seccomp()")                                                                          \
    LAYER(FILES, FULL, "landlock files",                                                      \
        "a kernel before 5.13 or without landlock in its lsm= list, or a container profile")  \
    LAYER(SIGNALS, FULL, "landlock signals", "a kernel before 6.12, or without landlock")     \
    LAYER(USER, FULL, "unprivileged user",                                                    \
        "a host that is root in a container without CAP_SETUID and CAP_SETGID")               \
    LAYER(PIDS, FULL, "pid namespace", LAYER_NAMESPACE_CAUSE)                                 \
    LAYER(ROOT, FULL, "empty root", LAYER_NAMESPACE_CAUSE)                                    \
    LAYER(NETWORK, FULL, "network namespace", LAYER_NAMESPACE_CAUSE)                          \
    LAYER(IPC, FULL, "ipc namespace", LAYER_NAMESPACE_CAUSE)                                  \
    LAYER(HOSTNAME, FULL, "uts namespace", LAYER_NAMESPACE_CAUSE)                             \
    LAYER(CGROUP, FULL, "cgroup namespace", LAYER_NAMESPACE_CAUSE)                            \
    LAYER(OOM, FULL, "first for the OOM killer", "a /proc that is missing or read-only")

#define LAYER_NAMESPACE_CAUSE                                                                  \
    "a container profile that denies unshare(), kernel.apparmor_restrict_unprivileged_userns " \
    "= 1, kernel.unprivileged_userns_clone = 0 or user.max_user_namespaces = 0"

enum sandbox_layer {
#define LAYER(name, level, text, cause) LAYER_##name,
    SANDBOX_LAYERS(LAYER)
#undef LAYER
    LAYERS
};

enum layer_level {
    LAYER_STRICT,
    LAYER_FULL,
};

/* Which of them engaged, and the errno of those that did not (0: it was not tried). */
struct layers {
    uint32_t engaged; /* 1 << enum sandbox_layer */
    uint8_t error[LAYERS];
};

extern const struct layer_text {
    const char *name, *cause;
    enum layer_level level;
} layer_texts[LAYERS];

/* All layers of a level and below. */
uint32_t layers_up_to(enum layer_level level);
/* The first of `required` that does not hold, with a text for people; false: all do. */
bool layers_lack(const struct layers *layers, uint32_t required, enum sandbox_layer *first,
    char *text, size_t size);

static inline bool
layers_hold(const struct layers *layers, enum sandbox_layer layer)
{
    return (layers->engaged & 1u << layer) != 0;
}

/* Notes how engaging a layer went: `error` is an errno, 0 for success. */
static inline void
layers_note(struct layers *layers, enum sandbox_layer layer, int error)
{
    if (error == 0)
        layers->engaged |= 1u << layer;
    else
        layers->engaged &= ~(1u << layer);
    layers->error[layer] = (uint8_t)error;
}

#endif
