/* control.h - packets between host, zygote and templates, over SOCK_SEQPACKET socket pairs.
 *
 * Runs in:  host, zygote, template. Never in a cell: it has no socket.
 * Trusts:   a packet of the wrong length or kind is an error (EBADMSG), never a guess. Descriptors
 *           may be missing: the receiver may have no room for them.
 * Threads:  no state.
 */
#ifndef BASE_CONTROL_H
#define BASE_CONTROL_H

#include "base/layers.h"
#include "base/limits.h"

#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

enum control_kind {
    CONTROL_HELLO = 1, /* zygote: V8 runs (text: its version), or failed (number[0]: 1, text:
                        * why); layers */
    CONTROL_TEMPLATE,  /* to the zygote: number[]: enum template_option; fds: the template's
                       * socket, a pidfd of the host */
    CONTROL_READY,     /* template: like HELLO; fd: tells of forks that its cells ask for, see
                       * sandbox_watch_forks(); none: they cannot fork */
    CONTROL_SHARE,     /* to the template, before the FORK of the same id: number[0] bytes of
                        * memory that the cell shares with others; fd: a memfd */
    CONTROL_FORK,      /* to the template: a cell; id; fds: channel memory, event fd */
    CONTROL_KILL,      /* to the template: kill cell `id`, of which the host has no pidfd */
    CONTROL_MEMORY,    /* to the template: number[0] 1 lifts the soft limits of cell `id` for a
                       * snapshot, by number[1] bytes; 0 sets them back, number[1] bytes higher.
                       * Answered with the same, number[0] an errno or 0 */
    CONTROL_FORKED,    /* template: number[0] errno or 0; fd: a pidfd */
    CONTROL_ADOPT, /* to the template: number[0], a pid, is cell `id` from now on, a twin of cell
                        * number[1], and may be handed descriptors; answered with FORKED.
                        * number[0] 0: it has them */
    CONTROL_STRAY,  /* template: a twin of cell `id` has died before it was adopted */
    CONTROL_EXITED, /* template, of cell `id`: number[0] wait status, [1] CPU time in us, [2]
                       * peak of its resident memory in bytes */
};

/* What a cell asks its host for: the kernel holds these calls until the host has said yes or no.
 * See sandbox_watch_forks(). Each tells itself from what the C library and the template do. */
#define FORK_FLAGS SIGCHLD /* of clone(): a snapshot child, the cell's own */
/* The argument, which clone() does not look at, of the one that is taken at the memory limit. */
#define LIMIT_MARK 0x6c696d69
/* A twin, which is the template's child as the cell itself is. The C library finds its thread's
 * number where the kernel writes it, as after fork(). */
#define TWIN_FLAGS (CLONE_PARENT | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD)
/* pthread_create(), where clone3() is refused: a twin's watchdog. */
#define THREAD_FLAGS                                                                    \
    (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | \
        CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)
/* The argument, which setsid() does not look at, of a twin that asks to become a cell. */
#define TWIN_MARK 0x7477696e

enum template_option {
    TEMPLATE_MEMORY_LIMIT, /* bytes */
    TEMPLATE_STACK_LIMIT,  /* bytes; 0: V8's default */
    TEMPLATE_FLAGS,        /* enum template_flags */
    TEMPLATE_LAYERS,       /* without these, no cell: set of enum sandbox_layer */
    TEMPLATE_ZONE,         /* a text of PLACE_ZONE_BYTES, which are these words; empty: none */
    TEMPLATE_LOCALE = TEMPLATE_ZONE + PLACE_ZONE_BYTES / 8, /* PLACE_LOCALE_BYTES, likewise */
    TEMPLATE_OPTIONS = TEMPLATE_LOCALE + PLACE_LOCALE_BYTES / 8
};

enum template_flags {
    TEMPLATE_CONSOLE = 1,    /* console.* reaches the host */
    TEMPLATE_FORK = 2,       /* background snapshots: its cells may ask for forks */
    TEMPLATE_PROFILING = 4,  /* V8's CPU profiler may start its thread */
    TEMPLATE_REJECTIONS = 8, /* unhandled rejections reach the host */
    /* 16 and up: what is said of them in enum gbx_isolate_flags */
    TEMPLATE_SEEDED = 16,
    TEMPLATE_NO_CODE_FROM_STRINGS = 32,
    TEMPLATE_NO_WASM = 64,
    TEMPLATE_NO_SHARED_MEMORY = 128,
};

/* number[0] of a CONTROL_READY. */
enum ready {
    READY_WELL,
    READY_FAILED,
    READY_REFUSED /* there is no such place */
};

#define CONTROL_TEXT 256

struct control {
    uint32_t kind;
    uint32_t id;
    uint64_t number[TEMPLATE_OPTIONS];
    struct layers layers;    /* of a HELLO */
    char text[CONTROL_TEXT]; /* NUL-terminated */
    int fds[2];              /* -1: none. Sent: borrowed. Received: owned, CLOEXEC */
};

/* Both answer 0 or an errno; control_receive also ECONNRESET when the peer is gone, and EAGAIN.
 * Sending never raises SIGPIPE. */
int control_send(int socket, const struct control *packet);
int control_receive(int socket, struct control *out, bool block);

/* What the zygote is exec'ed with. */
enum {
    ZYGOTE_CONTROL_FD = 3, /* its socket to the host */
    ZYGOTE_HOST_FD = 4,    /* a pidfd of the host: readable when the host has died */
    ZYGOTE_CELL_FD =
        5, /* the cell's object and the engine's binary: the loader opens them by */
    ZYGOTE_ENGINE_FD =
        6, /* these numbers, so that no path of the host's is in a cell's memory */
    ZYGOTE_FDS = 7
};

#endif
