/* glovebox/fork.h - isolates that begin where another one is. */
#ifndef GLOVEBOX_FORK_H
#define GLOVEBOX_FORK_H

#include <glovebox/function.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Called once for each host function of the original, before there is a fork: may set
 * *function and *data to what the fork's guest shall call under `path`, the one that it was given
 * the function by (at most 63 bytes of it). It may not use `fork`, which may never come to be. */
typedef void (*gbx_rebind_callback)(gbx_isolate *fork, const char *path, gbx_function *function,
    void **data, void *rebind_data);

/* Zero always means the default. Fields are only ever appended. */
typedef struct gbx_fork_options {
    uint32_t size;            /* GBX_FORK_OPTIONS_INIT sets it */
    uint32_t flags;           /* 0 */
    const char *name;         /* as for gbx_isolate_open(); NULL: the original's */
    const char *hook;         /* a guest function, by its path as in gbx_context_call(), that is
                               * called in the fork before anybody else has it; a promise of
                               * it is waited for. Borrowed; NULL: none */
    uint64_t hook_timeout_us; /* its deadline, wall clock; 0: the isolate's */
    gbx_rebind_callback rebind; /* NULL: the same functions with the same data */
    void *rebind_data;
    gbx_console_callback on_console; /* these three as for gbx_isolate_open(); NULL: the
                                      * original's */
    gbx_death_callback on_death;
    void *data;
} gbx_fork_options;
#define GBX_FORK_OPTIONS_INIT                                                    \
    {                                                                            \
        sizeof(gbx_fork_options), 0, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL \
    }

/**
 * Forks an isolate: opens another one with all of its state, in a process of its own.
 *
 * The original must be at rest: no call under way and none that waits for a promise, no host
 * promise open (gbx_callback_defer()), no heap snapshot, no inspector session. Promises that only
 * the guest knows are no matter; they are open in both. Requests that run no guest code are waited
 * for, and so is what the guest does about host promises that were settled, and imports that were
 * answered; callbacks run meanwhile.
 *
 * The fork has the original's limits and its own accounts, and both live and die on their own. It
 * has the same contexts (gbx_fork_context()), the same host functions, the same callback for
 * rejections, and the modules that loaders of its contexts have loaded, for gbx_import_loaded(); no
 * references, scripts, handles of modules or loaders. What its guest has of modules goes on.
 * Math.random() goes its own way in each; what the guest has drawn or computed before is the same
 * in both, and so are V8's hash seeds.
 *
 * @param isolate      the original.
 * @param options      copied; NULL for all defaults.
 * @param out_isolate  set only on GBX_OK; release with gbx_isolate_close().
 * @param error        filled on failure only; may be NULL.
 * @return GBX_OK; GBX_EBUSY: not at rest; GBX_EUNSUPPORTED: it was opened with GBX_ISOLATE_NO_FORK,
 *         or the kernel is older than 5.9; GBX_EINVAL, GBX_ENOMEM, GBX_ESYS; GBX_ELOST: one of the
 *         two died meanwhile; GBX_EDISPOSED, or what the original died of; whatever the hook ended
 *         with, and there is no fork then.
 * @blocks up to 10 s and the hook's deadline; usually about 1 ms.   @threads one at a time.
 * @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_isolate_fork(GBX_BORROW gbx_isolate *isolate,
    GBX_BORROW const gbx_fork_options *options, GBX_OWN gbx_isolate **out_isolate,
    GBX_BORROW gbx_error *error);

/**
 * Takes the context of a fork that `original` is in the isolate that it was forked from.
 *
 * @return to be released with gbx_context_close(), unless it is the isolate's own, which is lent.
 *         NULL: it was opened after the fork, or has been taken before.
 * @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_context *gbx_fork_context(
    GBX_BORROW gbx_isolate *fork, GBX_BORROW const gbx_context *original);

#ifdef __cplusplus
}
#endif
#endif
