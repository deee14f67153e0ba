/* glovebox/status.h - what every call answers, and the structured error behind it. */
#ifndef GLOVEBOX_STATUS_H
#define GLOVEBOX_STATUS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define GBX_API    __attribute__((visibility("default")))
#define GBX_NODROP __attribute__((warn_unused_result))
#else
#define GBX_API
#define GBX_NODROP
#endif

/* Who owns a pointer argument afterwards. GBX_OWN: the callee (or, for an out-parameter, the
 * caller) releases it. GBX_BORROW: the caller keeps it; the callee copies what it needs. */
#define GBX_OWN
#define GBX_BORROW

/* The only list of results: the enum, gbx_strstatus() and the table in gbx_status(3) are all
 * made from it. Never renumber, never reuse a number. */
/* clang-format off */
#define GBX_STATUS_LIST(X)                                                                     \
    X(OK,             0, "success")                                                            \
    X(ETHROW,        -1, "the guest code threw an exception that nothing caught")              \
    X(ETIMEOUT,      -2, "the call ran past its wall-clock deadline")                          \
    X(ECPU,          -3, "the call used up its CPU budget")                                    \
    X(EMEMORY,       -4, "the guest went past its memory limit and its isolate was ended")     \
    X(ETERMINATED,   -5, "the host terminated the call")                                       \
    X(EDISPOSED,     -6, "the isolate, or the context, was closed before the call could end")  \
    X(ECRASHED,      -7, "the cell's process crashed or exited by itself")                     \
    X(EPROTO,        -8, "the cell sent something it may not send and was killed")             \
    X(ELOST,         -9, "the cell died because its template or zygote process died")          \
    X(EHOST,        -10, "a host function failed and the guest did not catch it")              \
    X(EINVAL,       -11, "an argument is outside its documented range")                        \
    X(EUNSUPPORTED, -12, "an option that this build does not have was asked for")              \
    X(ETOOBIG,      -13, "a value is past a size, count or depth limit")                       \
    X(ECLONE,       -14, "a value holds something that cannot be copied between isolates")     \
    X(EBUSY,        -15, "not done yet, or nothing came in time; nothing was lost")            \
    X(ENOMEM,       -16, "the host process is out of memory")                                  \
    X(EENGINE,      -17, "the engine is missing, or is not the one this build was made for")   \
    X(ESEAL,        -18, "a required layer of sealing cannot engage on this machine")          \
    X(ESYS,         -19, "a system call failed; see gbx_error.os_errno")                       \
    X(ELIMIT,       -20, "as many of these as may be are there already; nothing was done")     \
    X(EVIOLATION,   -21, "the cell tried what its sandbox forbids and was killed")             \
    X(EACCESSOR,    -22, "a getter, setter or proxy is in the way and was not asked to run")
/* clang-format on */

enum {
#define X(name, value, text) GBX_##name = (value),
    GBX_STATUS_LIST(X)
#undef X
};
typedef int32_t gbx_status; /* not the enum itself: its size must never change */

/**
 * What went wrong, in the caller's own memory: no allocation, nothing stale, nothing per
 * thread.
 *
 * Start with GBX_ERROR_INIT. A function fills it only when it fails. Texts are NUL-terminated
 * UTF-8 and cut at the size of their field; fields that do not apply are empty or 0.
 */
typedef struct gbx_error {
    uint32_t size;         /* sizeof(gbx_error); GBX_ERROR_INIT sets it */
    gbx_status status;     /* what the function returned */
    int32_t os_errno;      /* GBX_ESYS: errno; else 0 */
    int32_t signal;        /* GBX_ECRASHED: the signal that ended the cell; 0: it exited */
    uint32_t line;         /* of the guest's source, counted from 1; 0: unknown */
    uint32_t column;       /* counted from 1, in UTF-16 units; 0: unknown */
    uint64_t limit;        /* the limit that was passed: bytes or microseconds, by status */
    uint64_t measured;     /* what was measured against `limit`, in the same unit */
    char name[64];         /* the exception's name: "TypeError" */
    char message[512];     /* one line for people; never empty after a failure */
    char file[256];        /* the guest file the exception comes from */
    char source_line[256]; /* that line of the source */
    char stack[2048];      /* the guest's stack, as V8 prints it */
} gbx_error;
#define GBX_ERROR_INIT                                                      \
    {                                                                       \
        sizeof(gbx_error), 0, 0, 0, 0, 0, 0, 0, { 0 }, { 0 }, { 0 }, { 0 }, \
        {                                                                   \
            0                                                               \
        }                                                                   \
    }

/**
 * Names a status in one English sentence without a full stop.
 *
 * @param status  any number.
 * @return a static string; "unknown status" for a number that is not in the list.
 * @threads any.   @since 0.1
 */
GBX_API const char *gbx_strstatus(gbx_status status);

#ifdef __cplusplus
}
#endif
#endif
