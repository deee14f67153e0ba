/* glovebox/reference.h - values that stay in the guest, held by the host.
 *
 * A reference keeps a value of the guest alive and lets the host use it: read and write its
 * properties, call it, copy it, hand it back as an argument. It comes from a call with
 * GBX_RESULT_REFERENCE, or inside of the arguments of a host function that takes references.
 *
 * Using one runs no code of the guest's unless that is asked for: a getter, a setter or a proxy
 * in the way answers GBX_EACCESSOR, and GBX_ACCESSORS lets it run, under the limits of the call.
 * Calls and constructions run code, of course.
 *
 * A reference belongs to the context that it was made in: when that is closed, everything that
 * is asked of it answers GBX_EDISPOSED, and when its isolate has ended, what that ended with.
 * An isolate has at most 1,048,576 of them; the next one asked for answers GBX_ETOOBIG.
 */
#ifndef GLOVEBOX_REFERENCE_H
#define GLOVEBOX_REFERENCE_H

#include <glovebox/context.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What `typeof` answers in JavaScript, and null apart. Never renumber. */
enum gbx_typeof {
    GBX_TYPEOF_UNDEFINED = 0,
    GBX_TYPEOF_NULL = 1,
    GBX_TYPEOF_BOOLEAN = 2,
    GBX_TYPEOF_NUMBER = 3,
    GBX_TYPEOF_BIGINT = 4,
    GBX_TYPEOF_STRING = 5,
    GBX_TYPEOF_SYMBOL = 6,
    GBX_TYPEOF_FUNCTION = 7,
    GBX_TYPEOF_OBJECT = 8
};

/**
 * Tells what kind of value is behind a reference. Known from the start: nothing is asked.
 *
 * @return one of enum gbx_typeof.
 * @threads one at a time.   @since 0.1
 */
GBX_API uint32_t gbx_reference_typeof(GBX_BORROW const gbx_reference *reference);

/**
 * Reads an own property.
 *
 * With GBX_ACCESSORS as JavaScript reads it: inherited ones, getters and proxies too.
 *
 * @param key      `len` bytes of UTF-8, or GBX_NUL; an index is its decimal text. At most 4 KiB.
 * @param options  copied; NULL for all defaults; `file`, `line`, `column` don't apply.
 * @return a future of its value; of undefined if there is none. GBX_EACCESSOR: see above.
 *         GBX_EINVAL: it is neither object nor function.
 * @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_future *gbx_reference_get(GBX_BORROW gbx_reference *reference,
    GBX_BORROW const char *key, size_t len, GBX_BORROW const gbx_call_options *options);

/**
 * Writes an own property: changes the one that is there, or adds one.
 *
 * With GBX_ACCESSORS as an assignment does it: inherited setters run.
 *
 * @param key      as in gbx_reference_get(), like `options`.
 * @param value    copied; the caller keeps it. One that holds a reference sets what that is to.
 * @return a future of undefined. GBX_EACCESSOR: see above. GBX_EINVAL: the property cannot be
 *         written, or it is neither object nor function.
 * @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_future *gbx_reference_set(GBX_BORROW gbx_reference *reference,
    GBX_BORROW const char *key, size_t len, GBX_BORROW const gbx_value *value,
    GBX_BORROW const gbx_call_options *options);

/**
 * Deletes an own property.
 *
 * @param key  as in gbx_reference_get(), like `options`.
 * @return a future of a boolean: false if it is there and cannot be deleted. GBX_EACCESSOR: it
 *         is a proxy. GBX_EINVAL: it is neither object nor function.
 * @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_future *gbx_reference_delete(GBX_BORROW gbx_reference *reference,
    GBX_BORROW const char *key, size_t len, GBX_BORROW const gbx_call_options *options);

/**
 * Lists the own properties that are enumerable and have names, as Object.keys() does.
 *
 * @param options  as in gbx_reference_get().
 * @return a future of an array of strings. GBX_EACCESSOR: it is a proxy. GBX_EINVAL: it is
 *         neither object nor function.
 * @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_future *gbx_reference_keys(
    GBX_BORROW gbx_reference *reference, GBX_BORROW const gbx_call_options *options);

/**
 * Copies the value.
 *
 * @param options  as in gbx_reference_get(). GBX_AWAIT copies what a promise comes to.
 * @return a future of the copy. GBX_EACCESSOR: a getter is somewhere in it. GBX_ECLONE: something
 *         in it cannot be copied.
 * @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_future *gbx_reference_copy(
    GBX_BORROW gbx_reference *reference, GBX_BORROW const gbx_call_options *options);

/**
 * Calls the function behind a reference.
 *
 * @param receiver   `this`: copied, or what the reference in it is to; NULL: undefined.
 * @param arguments  as in gbx_context_call(), like the rest.
 * @return a future of what it returned.
 * @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_future *gbx_reference_call(GBX_BORROW gbx_reference *reference,
    GBX_BORROW const gbx_value *receiver, GBX_BORROW const gbx_value *const *arguments,
    size_t count, GBX_BORROW const gbx_call_options *options);

/**
 * Calls a method of the object behind a reference; `this` is the object. The method may be
 * inherited, or what a getter answers.
 *
 * @param key        as in gbx_reference_get().
 * @param arguments  as in gbx_context_call(), like the rest.
 * @return a future of what it returned.
 * @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_future *gbx_reference_call_method(GBX_BORROW gbx_reference *reference,
    GBX_BORROW const char *key, size_t len, GBX_BORROW const gbx_value *const *arguments,
    size_t count, GBX_BORROW const gbx_call_options *options);

/**
 * Calls the function behind a reference with `new`.
 *
 * @param arguments  as in gbx_context_call(), like the rest.
 * @return a future of the object; by reference it can be used on.
 * @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_future *gbx_reference_construct(GBX_BORROW gbx_reference *reference,
    GBX_BORROW const gbx_value *const *arguments, size_t count,
    GBX_BORROW const gbx_call_options *options);

/**
 * Makes a value that stands for what is behind a reference, to be passed as an argument or to be
 * put into one; it must then be an object or a function.
 *
 * Sending it to another isolate than its own answers GBX_EINVAL.
 *
 * @param reference  the value holds it too: it may be closed.
 * @return the value, of kind GBX_REFERENCE, owned; NULL when out of memory.
 * @threads one at a time, like everything that is then done with the value.   @since 0.1
 */
GBX_API GBX_NODROP GBX_OWN gbx_value *gbx_value_new_reference(
    GBX_BORROW gbx_reference *reference);

/**
 * Gives another handle of the reference in a value.
 *
 * @return to be released with gbx_reference_close(); NULL if the value is of another kind.
 * @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP GBX_OWN gbx_reference *gbx_value_get_reference(
    GBX_BORROW const gbx_value *value);

/**
 * Releases a reference, and what it keeps alive in the guest. NULL is fine.
 *
 * The cell is told together with the next request, or soon.
 *
 * @threads one at a time.   @since 0.1
 */
GBX_API void gbx_reference_close(GBX_OWN gbx_reference *reference);

#ifdef __cplusplus
}
#endif
#endif
