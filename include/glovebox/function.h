/* glovebox/function.h - host functions: what a guest may call. */
#ifndef GLOVEBOX_FUNCTION_H
#define GLOVEBOX_FUNCTION_H

#include <glovebox/context.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One call of a host function by the guest, while the function runs. */
typedef struct gbx_callback gbx_callback;
/* A promise that the guest got as the answer, to be settled later. */
typedef struct gbx_deferred gbx_deferred;

/* A host function. The guest waits for it; CPU budgets rest meanwhile, deadlines don't. It
 * answers with one of gbx_callback_return(), _throw() and _defer() and returns GBX_OK; with
 * none of them the guest gets undefined. Any other status throws an Error in the guest, and if
 * nothing catches it there, the guest's call ends with GBX_EHOST. It may use the isolate, also
 * wait for other calls into it, and close it. */
typedef gbx_status (*gbx_function)(gbx_callback *callback, void *data);

/**
 * Gives the guest a host function, as a property of the global object or of an object below it.
 *
 * @param path      as in gbx_context_call(); the last name is the function's.
 * @param function  called on the thread that dispatches or waits.
 * @param data      borrowed until the context is closed or the isolate has died.
 * @return a future of undefined.
 * @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_future *gbx_context_set_function(GBX_BORROW gbx_context *context,
    GBX_BORROW const char *path, gbx_function function, GBX_BORROW void *data);

/** The isolate whose guest calls. @threads one at a time. @since 0.1 */
GBX_API gbx_isolate *gbx_callback_isolate(GBX_BORROW const gbx_callback *callback);

/** How many arguments the guest gave. @threads one at a time. @since 0.1 */
GBX_API size_t gbx_callback_count(GBX_BORROW const gbx_callback *callback);

/**
 * Lends an argument.
 *
 * @return valid while the function runs; NULL for an index past the last.
 * @threads one at a time.   @since 0.1
 */
GBX_API const gbx_value *gbx_callback_argument(
    GBX_BORROW const gbx_callback *callback, size_t index);

/**
 * Answers with a value.
 *
 * @param value  copied at once; the caller keeps it.
 * @return GBX_OK; GBX_EINVAL if it was answered already; GBX_ETOOBIG, GBX_ENOMEM: the guest
 * gets an Error that says so.
 * @threads one at a time.   @since 0.1
 */
GBX_API gbx_status gbx_callback_return(
    GBX_BORROW gbx_callback *callback, GBX_BORROW const gbx_value *value);

/**
 * Answers by throwing an Error in the guest.
 *
 * @param name     "TypeError", "RangeError", "SyntaxError" and "ReferenceError" throw that class;
 *                 any other an Error with that name; NULL: "Error". NUL-terminated UTF-8.
 * @param message  NUL-terminated UTF-8, cut at 16 KiB.
 * @return GBX_OK; GBX_EINVAL if it was answered already; GBX_ENOMEM.
 * @threads one at a time.   @since 0.1
 */
GBX_API gbx_status gbx_callback_throw(GBX_BORROW gbx_callback *callback,
    GBX_BORROW const char *name, GBX_BORROW const char *message);

/**
 * Answers with a promise, to be settled later.
 *
 * @param out_deferred  the caller settles it, once; set only on GBX_OK.
 * @return GBX_OK; GBX_EINVAL if it was answered already; GBX_ENOMEM.
 * @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_callback_defer(
    GBX_BORROW gbx_callback *callback, GBX_OWN gbx_deferred **out_deferred);

/**
 * Resolves the promise with a value and frees `deferred`, also on failure.
 *
 * When the isolate has died meanwhile, or the guest's call was stopped, nothing happens.
 *
 * @param value  copied; the caller keeps it. NULL: undefined.
 * @return GBX_OK; GBX_ETOOBIG, GBX_ENOMEM: the promise is rejected with an Error that says so.
 * @threads one at a time.   @since 0.1
 */
GBX_API gbx_status gbx_deferred_resolve(
    GBX_OWN gbx_deferred *deferred, GBX_BORROW const gbx_value *value);

/**
 * Rejects the promise with an Error and frees `deferred`. NULL is fine.
 *
 * @param name     as in gbx_callback_throw(), like `message`.
 * @threads one at a time.   @since 0.1
 */
GBX_API void gbx_deferred_reject(GBX_OWN gbx_deferred *deferred, GBX_BORROW const char *name,
    GBX_BORROW const char *message);

#ifdef __cplusplus
}
#endif
#endif
