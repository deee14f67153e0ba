/* glovebox/future.h - the answer to a request, now or later.
 *
 * Every operation on a cell returns a future, never NULL: also a refused argument and a lack of
 * memory are answers. Wait for it, ask it, or have it call back. Freeing an unfinished future
 * means that nobody wants the answer; what was asked for happens all the same.
 */
#ifndef GLOVEBOX_FUTURE_H
#define GLOVEBOX_FUTURE_H

#include <glovebox/status.h>
#include <glovebox/value.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gbx_future gbx_future;
typedef struct gbx_reference gbx_reference;
typedef struct gbx_script gbx_script;

/* Called once, when the future is finished: inside gbx_runtime_dispatch() or a wait, or at once
 * if it was finished already. It may free the future and call anything but gbx_runtime_close().
 */
typedef void (*gbx_future_callback)(gbx_future *future, void *data);

/**
 * Waits until the future is finished, serving its isolate meanwhile: host functions that the
 * guest calls run on this thread.
 *
 * @param timeout_us  at most this long; negative: until finished.
 * @param error       filled unless GBX_OK or GBX_EBUSY; may be NULL.
 * @return the future's own result; GBX_EBUSY when the timeout came first, and the future goes
 *         on; GBX_EINVAL inside a host function of the same isolate when the call can only end
 *         after that has returned: it was made before, or its promise is still open. It goes on.
 * @blocks as said.   @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_future_wait(
    GBX_BORROW gbx_future *future, int64_t timeout_us, GBX_BORROW gbx_error *error);

/**
 * Answers how the future ended, without waiting.
 *
 * @param error  filled unless GBX_OK or GBX_EBUSY; may be NULL.
 * @return GBX_EBUSY while it is open, or its result: GBX_OK, GBX_ETHROW, GBX_ETIMEOUT,
 * GBX_ECPU, GBX_EMEMORY, GBX_ETERMINATED, GBX_EDISPOSED, GBX_ECRASHED, GBX_EPROTO,
 *         GBX_EVIOLATION, GBX_ESEAL, GBX_ELOST,
 *         GBX_EHOST, GBX_EINVAL, GBX_EUNSUPPORTED, GBX_ETOOBIG, GBX_ECLONE, GBX_ELIMIT,
 *         GBX_EACCESSOR, GBX_ENOMEM, GBX_ESYS.
 * @threads one at a time.   @since 0.1
 */
GBX_API gbx_status gbx_future_status(
    GBX_BORROW const gbx_future *future, GBX_BORROW gbx_error *error);

/**
 * Has `callback` called when the future is finished; at once if it is.
 *
 * @param callback  replaces an earlier one; NULL removes it.
 * @param data      handed to it.
 * @threads one at a time.   @since 0.1
 */
GBX_API void gbx_future_then(
    GBX_BORROW gbx_future *future, gbx_future_callback callback, GBX_BORROW void *data);

/**
 * Names the request behind a future, for gbx_rejection.call. No two of an isolate that are open at
 * the same time share a number; it may come again when 4095 later ones have ended.
 *
 * @return the number; 0 if the request was never sent.
 * @threads one at a time.   @since 0.1
 */
GBX_API uint32_t gbx_future_id(GBX_BORROW const gbx_future *future);

/**
 * Lends the value of a future that ended with GBX_OK, or what was thrown with GBX_ETHROW and
 * GBX_EHOST.
 *
 * An Error that was thrown has its name (also one of its own), message, stack, cause, code and
 * other own properties, as far as they can be copied, and so have the errors in it: no getter or
 * proxy of the guest runs for that, and what is past 255 properties, 256 KiB or errors in errors 16
 * deep is left out.
 *
 * @return valid until the future is freed; NULL while it is open, when there is no value
 *         (a reference was asked for, or what was thrown cannot be copied), or it was taken.
 * @threads one at a time.   @since 0.1
 */
GBX_API const gbx_value *gbx_future_value(GBX_BORROW const gbx_future *future);

/**
 * Gives that value away: the caller frees it with gbx_value_free().
 *
 * @threads one at a time.   @since 0.1
 */
GBX_API gbx_value *gbx_future_take_value(GBX_BORROW gbx_future *future);

/**
 * Gives away the reference of a call with GBX_RESULT_REFERENCE; release it with
 * gbx_reference_close(). NULL if there is none.
 *
 * @threads one at a time.   @since 0.1
 */
GBX_API gbx_reference *gbx_future_take_reference(GBX_BORROW gbx_future *future);

/**
 * Frees a future; an unfinished one is forgotten, and its callback is not called. NULL is fine.
 *
 * @threads one at a time.   @since 0.1
 */
GBX_API void gbx_future_free(GBX_OWN gbx_future *future);

#ifdef __cplusplus
}
#endif
#endif
