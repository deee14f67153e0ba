/* glovebox/function.h - host functions: what a guest may call. */
#ifndef GLOVEBOX_FUNCTION_H
#define GLOVEBOX_FUNCTION_H

#include <glovebox/context.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One call of a host function by the guest, while the function runs. */
typedef struct gbx_callback gbx_callback;
/* An answer that comes later: the guest has a promise meanwhile, or waits. */
typedef struct gbx_deferred gbx_deferred;

/* A host function. The guest waits for it; CPU budgets rest meanwhile, deadlines don't. It
 * answers with one of gbx_callback_return(), _throw(), _defer() and _block() and returns GBX_OK;
 * with none of them the guest gets undefined. Any other status throws an Error in the guest, and if
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

enum gbx_function_flags {
    /* The guest does not wait: it gets undefined at once, and goes on. A guest that calls faster
     * than the host takes in waits for room. The function cannot answer, what it returns is
     * dropped, and it may not wait for its own isolate: that answers GBX_EINVAL. */
    GBX_FUNCTION_POST = 1,
    /* Arguments that are functions arrive as values of kind GBX_REFERENCE; else a guest that
     * passes one gets a DataCloneError. */
    GBX_FUNCTION_REFERENCES = 2,
    /* ArrayBuffers in the arguments leave the guest, as those of a result with GBX_RESULT_MOVE.
     * They stay if the call is refused: an argument cannot go, or there are 64 host functions
     * under way. */
    GBX_FUNCTION_MOVE = 4,
};

/* One of the functions of gbx_context_set_functions(). Fields are only ever appended. */
typedef struct gbx_function_entry {
    uint32_t size;         /* sizeof(gbx_function_entry); the same in all of an array */
    uint32_t flags;        /* set of enum gbx_function_flags */
    const char *path;      /* as in gbx_context_set_function() */
    gbx_function function; /* likewise */
    void *data;            /* likewise */
} gbx_function_entry;

/**
 * Gives the guest any number of host functions at once: one message, one round trip.
 *
 * Objects on the way that do not exist are made: "fs.promises.read" needs nothing but this.
 *
 * @param path     what the paths of the entries begin from, NUL-terminated; NULL: the global
 *                 object.
 * @param entries  `count` of them, copied; 1 to 4096.
 * @return a future of undefined. GBX_EINVAL, GBX_ELIMIT: none of them is there.
 * @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_future *gbx_context_set_functions(GBX_BORROW gbx_context *context,
    GBX_BORROW const char *path, GBX_BORROW const gbx_function_entry *entries, size_t count);

/**
 * Makes a function that may stand anywhere in a value for a guest: in arguments, answers, and
 * properties of objects.
 *
 * Each time that the value goes to a guest that gets a function of its own, in the context that the
 * value goes to, which counts with the functions of its isolate (GBX_ELIMIT past 65,536) until the
 * guest has no more use of it and V8 has noticed, its context is closed, or the isolate has ended.
 * A function cannot be part of an external copy (GBX_ECLONE).
 *
 * @param entry    as in gbx_context_set_functions(), copied; `path` is the name that the guest
 *                 sees, at most 63 bytes of it; NULL: none.
 * @param release  called with `data` when neither a guest nor a value has the function any more;
 *                 NULL: nothing. It may use, and close, what it likes.
 * @return the value, owned; NULL when out of memory or `entry` is not as said: `data` stays the
 *         caller's then, and `release` is not called.
 * @threads one at a time per graph, and with the runtimes that it goes to.   @since 0.1
 */
GBX_API GBX_NODROP GBX_OWN gbx_value *gbx_value_new_function(
    GBX_BORROW const gbx_function_entry *entry, void (*release)(void *data));

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
 * @return GBX_OK; GBX_EINVAL if it was answered already, or `value` is NULL. The guest gets an
 *         Error that says so for GBX_ETOOBIG, GBX_ECLONE, GBX_EINVAL (a reference or shared memory
 *         of another isolate), GBX_EDISPOSED (a reference of a context that is closed), GBX_ELIMIT
 *         (a function in it), GBX_ENOMEM.
 * @threads one at a time.   @since 0.1
 */
GBX_API gbx_status gbx_callback_return(
    GBX_BORROW gbx_callback *callback, GBX_BORROW const gbx_value *value);

/**
 * Answers by throwing an Error in the guest.
 *
 * @param name     "EvalError", "RangeError", "ReferenceError", "SyntaxError", "TypeError" and
 *                 "URIError" throw that class; any other an Error with that name; NULL: "Error".
 *                 NUL-terminated UTF-8.
 * @param message  NUL-terminated UTF-8, cut at 16 KiB.
 * @return GBX_OK; GBX_EINVAL if it was answered already; GBX_ENOMEM.
 * @threads one at a time.   @since 0.1
 */
GBX_API gbx_status gbx_callback_throw(GBX_BORROW gbx_callback *callback,
    GBX_BORROW const char *name, GBX_BORROW const char *message);

/**
 * Answers by throwing a value in the guest.
 *
 * A value of kind GBX_ERROR throws an Error: of the class that its name is of, or else with that
 * name, with its message, its cause and its other properties, in which errors are treated alike
 * (as they are in an array "errors"). Its stack is the guest's own, whatever "stack" says. Any
 * other value is thrown as it is.
 *
 * An Error that nothing in the guest catches ends its call with GBX_EHOST, and is the future's
 * value; any other value ends it with GBX_ETHROW.
 *
 * @param value  copied at once; the caller keeps it.
 * @return GBX_OK; GBX_EINVAL if it was answered already, or `value` is NULL. The guest gets an
 *         Error that says so for GBX_ETOOBIG (also: more than 255 properties, errors in errors
 *         deeper than 16), GBX_ECLONE, GBX_EDISPOSED (a reference in it), GBX_ENOMEM; GBX_EINVAL (a
 *         reference of another isolate).
 * @threads one at a time.   @since 0.1
 */
GBX_API gbx_status gbx_callback_throw_value(
    GBX_BORROW gbx_callback *callback, GBX_BORROW const gbx_value *value);

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
 * Answers later, and has the guest wait until then: for it, the call is a synchronous one.
 *
 * Its thread waits, and serves what the host asks of the isolate meanwhile, inside of the deadline
 * of the call that waits; promises rest, since that call's code is on the stack. The last that
 * began to wait goes on first. A wait for a future that cannot end because everything waits for
 * answers, without a deadline, answers GBX_EINVAL.
 *
 * @param out_deferred  the caller settles it, once; set only on GBX_OK.
 * @return GBX_OK; GBX_EINVAL if it was answered already; GBX_ENOMEM.
 * @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_callback_block(
    GBX_BORROW gbx_callback *callback, GBX_OWN gbx_deferred **out_deferred);

/* Called once: nobody in the guest waits for this answer any more. It may settle, and so free,
 * `deferred`. */
typedef void (*gbx_cancel_callback)(gbx_deferred *deferred, void *data);

/**
 * Has `callback` called when the guest's call is stopped (by its deadline, its CPU budget, the
 * host), or its context or isolate ends, before the answer has come; at once if that has happened.
 *
 * @param callback  replaces an earlier one; NULL removes it.
 * @param data      handed to it.
 * @threads one at a time.   @since 0.1
 */
GBX_API void gbx_deferred_on_cancel(
    GBX_BORROW gbx_deferred *deferred, gbx_cancel_callback callback, GBX_BORROW void *data);

/**
 * Resolves the promise with a value, or returns it to a guest that waits, and frees `deferred`,
 * also on failure.
 *
 * When the isolate has died meanwhile, or the guest's call was stopped, nothing happens.
 *
 * @param value  copied; the caller keeps it. NULL: undefined.
 * @return GBX_OK; GBX_ETOOBIG, GBX_ECLONE, GBX_EINVAL, GBX_EDISPOSED, GBX_ELIMIT, GBX_ENOMEM, as
 *         gbx_callback_return(): the promise is rejected with an Error that says so.
 * @threads one at a time.   @since 0.1
 */
GBX_API gbx_status gbx_deferred_resolve(
    GBX_OWN gbx_deferred *deferred, GBX_BORROW const gbx_value *value);

/**
 * Rejects the promise with an Error, or throws it in a guest that waits, and frees `deferred`. NULL
 * is fine.
 *
 * @param name     as in gbx_callback_throw(), like `message`.
 * @threads one at a time.   @since 0.1
 */
GBX_API void gbx_deferred_reject(GBX_OWN gbx_deferred *deferred, GBX_BORROW const char *name,
    GBX_BORROW const char *message);

/**
 * Rejects the promise with a value, or throws it in a guest that waits, and frees `deferred`, also
 * on failure. NULL is fine.
 *
 * @param value  as in gbx_callback_throw_value(); NULL: undefined.
 * @return GBX_OK; GBX_ETOOBIG, GBX_ECLONE, GBX_EINVAL, GBX_EDISPOSED, GBX_ENOMEM: the promise is
 *         rejected with an Error that says so.
 * @threads one at a time.   @since 0.1
 */
GBX_API gbx_status gbx_deferred_reject_value(
    GBX_OWN gbx_deferred *deferred, GBX_BORROW const gbx_value *value);

#ifdef __cplusplus
}
#endif
#endif
