/* glovebox/value.h - JavaScript values on the host's side: data, and references to what is none.
 *
 * A value is a node of a graph. A new value is a graph of its own. Putting it into another
 * value (append, set, ...) moves its whole graph into the other's, so one gbx_value_free() on
 * any node frees everything that was put together. Putting in a node that is in the same graph
 * already makes a shared or a cyclic reference. Pointers stay valid until the graph is freed.
 *
 * Strings are UTF-8 here, with one liberty: a lone UTF-16 surrogate, which JavaScript allows,
 * is its three-byte WTF-8 form (ED A0 80 to ED BF BF).
 *
 * Threads: a graph may be used by one thread at a time; one that holds references or functions
 * only together with the runtime that they belong to.
 *
 * over 600 lines: one concept, and three quarters of it are its manual.
 */
#ifndef GLOVEBOX_VALUE_H
#define GLOVEBOX_VALUE_H

#include <glovebox/status.h>

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gbx_value gbx_value;

/* Never renumber. The comment says which accessors apply. */
enum {
    GBX_UNDEFINED = 0,
    GBX_NULL = 1,
    GBX_BOOLEAN = 2,        /* gbx_value_get_boolean */
    GBX_NUMBER = 3,         /* gbx_value_get_number */
    GBX_BIGINT = 4,         /* gbx_value_get_bigint */
    GBX_STRING = 5,         /* gbx_value_get_string */
    GBX_DATE = 6,           /* gbx_value_get_number: ms since 1970 UTC, NaN when invalid */
    GBX_REGEXP = 7,         /* gbx_value_get_string: the source; gbx_value_get_flags */
    GBX_BOOLEAN_OBJECT = 8, /* gbx_value_get_boolean */
    GBX_NUMBER_OBJECT = 9,  /* gbx_value_get_number */
    GBX_BIGINT_OBJECT = 10, /* gbx_value_get_bigint */
    GBX_STRING_OBJECT = 11, /* gbx_value_get_string */
    GBX_ARRAY = 12,         /* length, at, and properties by key */
    GBX_OBJECT = 13,        /* properties by key */
    GBX_MAP = 14,           /* entries: length, gbx_value_entry */
    GBX_SET = 15,           /* members: length, gbx_value_at */
    GBX_ARRAY_BUFFER = 16,  /* gbx_value_get_bytes */
    GBX_TYPED_ARRAY = 17,   /* gbx_value_get_view, gbx_value_get_bytes */
    GBX_DATA_VIEW = 18,     /* gbx_value_get_view, gbx_value_get_bytes */
    GBX_ERROR = 19,         /* "name", "message", "stack", "cause" and others by key */
    GBX_HOLE = 20,          /* an absent element of a GBX_ARRAY; only ever returned by _at */
    GBX_REFERENCE = 21,     /* gbx_value_get_reference, in reference.h */
    GBX_FUNCTION = 22,      /* a host function, for a guest to call: function.h */
    GBX_EXTERNAL_COPY = 23, /* stands for a value that was encoded before: copy.h */
    GBX_SHARED_ARRAY_BUFFER = 24 /* gbx_value_get_bytes; gbx_value_get_shared, in shared.h */
};
typedef uint32_t gbx_value_kind;

/* Element types of a typed array. */
enum {
    GBX_INT8 = 0,
    GBX_UINT8 = 1,
    GBX_UINT8_CLAMPED = 2,
    GBX_INT16 = 3,
    GBX_UINT16 = 4,
    GBX_INT32 = 5,
    GBX_UINT32 = 6,
    GBX_FLOAT16 = 7,
    GBX_FLOAT32 = 8,
    GBX_FLOAT64 = 9,
    GBX_BIGINT64 = 10,
    GBX_BIGUINT64 = 11
};
typedef uint32_t gbx_element_type;

/* As a length: the text ends with a NUL. */
#define GBX_NUL    ((size_t)-1)
/* As the length of a view: up to the end of its buffer, whatever size a resizable one has. */
#define GBX_TO_END ((uint64_t)-1)

/* --- making values -------------------------------------------------------------------- */

/* Every function of this group answers a new value that the caller owns, in a graph of its own,
 * or NULL: the host is out of memory, or an argument is outside its documented range. The
 * functions that put values together take NULL as an item for GBX_ENOMEM, so that calls can be
 * nested and checked once. */

/**
 * Makes undefined, null, true or false (anything but 0 is true).
 *
 * @return the value, owned; NULL when out of memory.
 * @threads any.   @since 0.1
 */
GBX_API GBX_NODROP GBX_OWN gbx_value *gbx_value_new_undefined(void);
GBX_API GBX_NODROP GBX_OWN gbx_value *gbx_value_new_null(void);
GBX_API GBX_NODROP GBX_OWN gbx_value *gbx_value_new_boolean(int32_t boolean);

/**
 * Makes a number. gbx_value_new_int32 makes the same kind of value.
 *
 * @param number  any double, NaN, infinities and -0 included.
 * @return the value, owned; NULL when out of memory.
 * @threads any.   @since 0.1
 */
GBX_API GBX_NODROP GBX_OWN gbx_value *gbx_value_new_number(double number);
GBX_API GBX_NODROP GBX_OWN gbx_value *gbx_value_new_int32(int32_t number);

/**
 * Makes a BigInt from its magnitude.
 *
 * @param negative  anything but 0: below zero; 0n has no sign.
 * @param words     `count` words, the least significant first; leading zeros are fine; NULL
 *                  when `count` is 0. Copied.
 * @param count     at most 1 Mi words (8 MiB).
 * @return the value, owned; NULL when out of memory or `count` is too large.
 * @threads any.   @since 0.1
 */
GBX_API GBX_NODROP GBX_OWN gbx_value *gbx_value_new_bigint(
    int32_t negative, GBX_BORROW const uint64_t *words, size_t count);

/**
 * Makes a BigInt from decimal digits, with an optional "-" before them.
 *
 * Takes time that grows with the square of the length.
 *
 * @param text  `len` bytes of ASCII, or GBX_NUL; at most 100,000 digits.
 * @return the value, owned; NULL when out of memory or `text` is not a number of that form.
 * @threads any.   @since 0.1
 */
GBX_API GBX_NODROP GBX_OWN gbx_value *gbx_value_new_bigint_text(
    GBX_BORROW const char *text, size_t len);

/**
 * Makes a string.
 *
 * @param text  `len` bytes of UTF-8, or GBX_NUL; NULs are fine. Copied. Surrogates may be
 *              WTF-8; each piece that is neither becomes U+FFFD, as TextDecoder does it.
 * @param len   at most 512 MiB.
 * @return the value, owned; NULL when out of memory or `len` is too large.
 * @threads any.   @since 0.1
 */
GBX_API GBX_NODROP GBX_OWN gbx_value *gbx_value_new_string(
    GBX_BORROW const char *text, size_t len);

/**
 * Makes a Date.
 *
 * @param ms  milliseconds since 1970 UTC. Clipped as JavaScript does it: a fraction is cut
 *            off, and what is further than 8.64e15 from zero is an invalid date (NaN).
 * @return the value, owned; NULL when out of memory.
 * @threads any.   @since 0.1
 */
GBX_API GBX_NODROP GBX_OWN gbx_value *gbx_value_new_date(double ms);

/**
 * Makes a regular expression. Its source is not parsed here: a cell that is sent one which its
 * engine cannot compile refuses the whole value.
 *
 * @param source  `len` bytes as for gbx_value_new_string(), without the slashes.
 * @param flags   letters of "dgimsuvy", NUL-terminated, none twice, not both u and v.
 * @return the value, owned; NULL when out of memory, or for other flags or lengths.
 * @threads any.   @since 0.1
 */
GBX_API GBX_NODROP GBX_OWN gbx_value *gbx_value_new_regexp(
    GBX_BORROW const char *source, size_t len, GBX_BORROW const char *flags);

/**
 * Boxes a primitive, as Object(x) does: a Boolean, Number, BigInt or String object.
 *
 * @param primitive  released by this function, whatever it answers.
 * @return the object, owned; NULL when out of memory or `primitive` is of another kind.
 * @threads one at a time per graph.   @since 0.1
 */
GBX_API GBX_NODROP GBX_OWN gbx_value *gbx_value_new_boxed(GBX_OWN gbx_value *primitive);

/**
 * Makes an empty array, object, map or set.
 *
 * @return the value, owned; NULL when out of memory.
 * @threads any.   @since 0.1
 */
GBX_API GBX_NODROP GBX_OWN gbx_value *gbx_value_new_array(void);
GBX_API GBX_NODROP GBX_OWN gbx_value *gbx_value_new_object(void);
GBX_API GBX_NODROP GBX_OWN gbx_value *gbx_value_new_map(void);
GBX_API GBX_NODROP GBX_OWN gbx_value *gbx_value_new_set(void);

/**
 * Makes an ArrayBuffer.
 *
 * @param bytes  `len` bytes, copied; NULL for zeros.
 * @param len    at most 512 MiB.
 * @return the value, owned; NULL when out of memory or `len` is too large.
 * @threads any.   @since 0.1
 */
GBX_API GBX_NODROP GBX_OWN gbx_value *gbx_value_new_array_buffer(
    GBX_BORROW const void *bytes, size_t len);

/* Gives memory back that a value was made of. Called once, by whichever thread lets go of it last:
 * values may be gone before the messages that they went into. */
typedef void (*gbx_release_callback)(void *bytes, size_t len, void *data);

/**
 * Makes an ArrayBuffer of memory that the caller hands over: nothing is copied, also not into a
 * message when it is 64 KiB or more. It must not change before it is released.
 *
 * @param bytes    `len` bytes, aligned as their readers expect; taken over on success.
 * @param len      at most 512 MiB.
 * @param release  may be NULL: memory that is never given back.
 * @param data     handed to `release`.
 * @return the value, owned; NULL when out of memory or `len` is too large: the memory stays the
 *         caller's then.
 * @threads any.   @since 0.1
 */
GBX_API GBX_NODROP GBX_OWN gbx_value *gbx_value_new_array_buffer_of(
    GBX_OWN void *bytes, size_t len, gbx_release_callback release, GBX_BORROW void *data);

/**
 * Makes a resizable ArrayBuffer. Only `len` bytes are allocated here; the cell that gets it
 * sets aside address space for `max`.
 *
 * @param bytes  `len` bytes, copied; NULL for zeros.
 * @param len    at most 512 MiB.
 * @param max    `len` to 4,294,967,295 bytes.
 * @return the value, owned; NULL when out of memory or for other lengths.
 * @threads any.   @since 0.1
 */
GBX_API GBX_NODROP GBX_OWN gbx_value *gbx_value_new_resizable_array_buffer(
    GBX_BORROW const void *bytes, size_t len, uint64_t max);

/**
 * Makes a typed array that shows a part of an ArrayBuffer.
 *
 * @param type    GBX_INT8 to GBX_BIGUINT64.
 * @param buffer  an ArrayBuffer, whose graph the view joins; released if this fails and
 *                answers NULL, unless it is part of a larger graph (then nothing happens).
 * @param offset  in bytes; a multiple of the element's size.
 * @param length  in elements; or GBX_TO_END: to the end of the buffer, and with a resizable
 *                one the view follows its length.
 * @return the view, owned together with its graph; NULL when out of memory, when `buffer` is
 *         no ArrayBuffer, or when the view does not fit in it.
 * @threads one at a time per graph.   @since 0.1
 */
GBX_API GBX_NODROP GBX_OWN gbx_value *gbx_value_new_typed_array(
    gbx_element_type type, GBX_OWN gbx_value *buffer, uint64_t offset, uint64_t length);

/**
 * Makes a DataView: as gbx_value_new_typed_array(), with `length` in bytes.
 *
 * @return as gbx_value_new_typed_array().
 * @threads one at a time per graph.   @since 0.1
 */
GBX_API GBX_NODROP GBX_OWN gbx_value *gbx_value_new_data_view(
    GBX_OWN gbx_value *buffer, uint64_t offset, uint64_t length);

/**
 * Makes a Uint8Array over an ArrayBuffer of its own.
 *
 * @param bytes  `len` bytes, copied; NULL for zeros.
 * @param len    at most 512 MiB.
 * @return the value, owned; NULL when out of memory or `len` is too large.
 * @threads any.   @since 0.1
 */
GBX_API GBX_NODROP GBX_OWN gbx_value *gbx_value_new_bytes(
    GBX_BORROW const void *bytes, size_t len);

/**
 * Makes an Error. It has a "name" and a "message"; "stack", "cause" and properties of any other
 * name can be added with gbx_value_set().
 *
 * Thrown in a guest (gbx_callback_throw_value()) it keeps all but its stack, which is the guest's.
 * As an argument, a result or a part of one it is what JavaScript's structured clone makes of an
 * error: message, stack and cause, no other properties, and of the names only those of the classes
 * EvalError, RangeError, ReferenceError, SyntaxError, TypeError and URIError.
 *
 * @param name     NUL-terminated.
 * @param message  `len` bytes as for gbx_value_new_string().
 * @return the value, owned; NULL when out of memory or a text is too long.
 * @threads any.   @since 0.1
 */
GBX_API GBX_NODROP GBX_OWN gbx_value *gbx_value_new_error(
    GBX_BORROW const char *name, GBX_BORROW const char *message, size_t len);

/**
 * Copies everything that can be reached from a value into a graph of its own. Shared and cyclic
 * references are kept.
 *
 * @param value      not changed.
 * @param out_value  set only on GBX_OK; release with gbx_value_free().
 * @return GBX_OK, GBX_EINVAL when `value` is NULL, GBX_ETOOBIG (more than 512 MiB, 8 Mi values
 *         or 10,000 levels), GBX_ENOMEM.
 * @threads one at a time per graph.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_value_copy(
    GBX_BORROW const gbx_value *value, GBX_OWN gbx_value **out_value);

/**
 * Frees the whole graph that a value belongs to. Never fails; NULL is fine.
 *
 * @param value  any value of the graph; every pointer into the graph is invalid afterwards.
 * @threads one at a time per graph.   @since 0.1
 */
GBX_API void gbx_value_free(GBX_OWN gbx_value *value);

/* --- looking at values ---------------------------------------------------------------- */

/**
 * Tells what a value is.
 *
 * @return one of GBX_UNDEFINED to GBX_FUNCTION; GBX_UNDEFINED for NULL.
 * @threads one at a time per graph.   @since 0.1
 */
GBX_API gbx_value_kind gbx_value_get_kind(GBX_BORROW const gbx_value *value);

/**
 * Reads a boolean or a Boolean object.
 *
 * @param out_boolean  0 or 1; set only on GBX_OK.
 * @return GBX_OK, GBX_EINVAL when the value is of another kind.
 * @threads one at a time per graph.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_value_get_boolean(
    GBX_BORROW const gbx_value *value, int32_t *out_boolean);

/**
 * Reads a number, a Number object, or a Date's milliseconds since 1970 UTC.
 *
 * @param out_number  set only on GBX_OK.
 * @return GBX_OK, GBX_EINVAL when the value is of another kind.
 * @threads one at a time per graph.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_value_get_number(
    GBX_BORROW const gbx_value *value, double *out_number);

/**
 * Reads a BigInt or a BigInt object.
 *
 * @param out_negative  0 or 1.
 * @param out_words     the magnitude, least significant word first; lent as long as the graph
 *                      lives.
 * @param out_count     words, the last of them not 0; 0 for 0n.
 * @return GBX_OK, GBX_EINVAL when the value is of another kind. Nothing is set on failure.
 * @threads one at a time per graph.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_value_get_bigint(GBX_BORROW const gbx_value *value,
    int32_t *out_negative, GBX_BORROW const uint64_t **out_words, size_t *out_count);

/**
 * Writes a BigInt in decimal.
 *
 * Takes time that grows with the square of its size: 3 ms for 20,000 digits.
 *
 * @param out_text  NUL-terminated ASCII; release with free().
 * @param out_len   bytes without the NUL; may be NULL.
 * @return GBX_OK, GBX_EINVAL when the value is of another kind, GBX_ETOOBIG past 100,000
 *         digits, GBX_ENOMEM. Nothing is set on failure.
 * @threads one at a time per graph.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_value_get_bigint_text(
    GBX_BORROW const gbx_value *value, GBX_OWN char **out_text, size_t *out_len);

/**
 * Reads a string, a String object, or a regular expression's source.
 *
 * @param out_text  WTF-8 with a NUL behind it; lent as long as the graph lives.
 * @param out_len   bytes without that NUL; may be NULL.
 * @return GBX_OK, GBX_EINVAL when the value is of another kind. Nothing is set on failure.
 * @threads one at a time per graph.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_value_get_string(
    GBX_BORROW const gbx_value *value, GBX_BORROW const char **out_text, size_t *out_len);

/**
 * Reads a regular expression's flags.
 *
 * @param out_flags  NUL-terminated, in JavaScript's order; filled only on GBX_OK.
 * @return GBX_OK, GBX_EINVAL when the value is of another kind.
 * @threads one at a time per graph.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_value_get_flags(
    GBX_BORROW const gbx_value *value, char out_flags[9]);

/**
 * Reads the bytes of an ArrayBuffer, or those that a typed array or DataView shows. Elements
 * are little-endian.
 *
 * @param out_bytes  lent as long as the graph lives.
 * @param out_len    bytes.
 * @return GBX_OK, GBX_EINVAL when the value is of another kind. Nothing is set on failure.
 * @threads one at a time per graph.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_value_get_bytes(
    GBX_BORROW const gbx_value *value, GBX_BORROW const void **out_bytes, size_t *out_len);

/**
 * Tells how far an ArrayBuffer may be resized.
 *
 * @param out_max  bytes; its length if it cannot be resized.
 * @return 1 when it is resizable, 0 when not, GBX_EINVAL when the value is no ArrayBuffer.
 * @threads one at a time per graph.   @since 0.1
 */
GBX_API int32_t gbx_value_get_resizable(GBX_BORROW const gbx_value *value, uint64_t *out_max);

/* What a typed array or DataView shows. Fields are only ever appended. */
typedef struct gbx_view {
    uint32_t size;         /* sizeof(gbx_view); GBX_VIEW_INIT sets it */
    gbx_element_type type; /* of a typed array; GBX_UINT8 for a DataView */
    gbx_value *buffer;     /* the ArrayBuffer; lent */
    uint64_t offset_bytes;
    uint64_t length_bytes;
    uint64_t length;   /* elements */
    uint32_t tracking; /* 1: the length follows the resizable buffer's */
    uint32_t reserved; /* 0 */
} gbx_view;
#define GBX_VIEW_INIT                            \
    {                                            \
        sizeof(gbx_view), 0, NULL, 0, 0, 0, 0, 0 \
    }

/**
 * Describes a typed array or DataView.
 *
 * @param out_view  begin with GBX_VIEW_INIT; filled only on GBX_OK.
 * @return GBX_OK, GBX_EINVAL when the value is of another kind or the size is none.
 * @threads one at a time per graph.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_value_get_view(
    GBX_BORROW const gbx_value *value, GBX_BORROW gbx_view *out_view);

/* --- containers ----------------------------------------------------------------------- */

/* Functions that put an item into a container take it over whatever they answer: on failure an
 * item with a graph of its own is freed. A value may be in many places of one graph. What is
 * replaced or removed stays part of the graph (and its memory) until all of it is freed. */

/**
 * Counts: the length of an array, the entries of a map, the members of a set, the elements of a
 * typed array, the own properties of an object or error. 0 for every other kind.
 *
 * @threads one at a time per graph.   @since 0.1
 */
GBX_API size_t gbx_value_length(GBX_BORROW const gbx_value *value);

/**
 * Lends the element of an array, or the member of a set, at a position.
 *
 * @param index  from 0.
 * @return the item; a value of kind GBX_HOLE for an array's absent element; NULL past the end
 *         and for other kinds.
 * @threads one at a time per graph.   @since 0.1
 */
GBX_API GBX_BORROW gbx_value *gbx_value_at(GBX_BORROW const gbx_value *value, size_t index);

/**
 * Puts an item at the end of an array.
 *
 * @param array  GBX_ARRAY.
 * @param item   joins the array's graph; freed on failure; the hole of gbx_value_at() is fine.
 * @return GBX_OK, GBX_EINVAL when `array` is no array, GBX_ETOOBIG past 2^32 - 1 elements,
 *         GBX_ENOMEM (also when `item` is NULL).
 * @threads one at a time per graph.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_value_append(
    GBX_BORROW gbx_value *array, GBX_OWN gbx_value *item);

/**
 * Sets an element of an array; the array grows if it must, with holes in between.
 *
 * @param array  GBX_ARRAY.
 * @param index  at most 2^32 - 2.
 * @param item   joins the array's graph; freed on failure.
 * @return GBX_OK, GBX_EINVAL when `array` is no array or `index` is too large, GBX_ENOMEM
 *         (also when `item` is NULL).
 * @threads one at a time per graph.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_value_set_at(
    GBX_BORROW gbx_value *array, size_t index, GBX_OWN gbx_value *item);

/**
 * Sets the length of an array: drops what lies past it, or adds holes.
 *
 * @param array   GBX_ARRAY.
 * @param length  at most 2^32 - 1.
 * @return GBX_OK, GBX_EINVAL when `array` is no array or `length` is too large.
 * @threads one at a time per graph.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_value_set_length(GBX_BORROW gbx_value *array, size_t length);

/**
 * Lends an own property of an object, array or error.
 *
 * @param key  `len` bytes of WTF-8, or GBX_NUL. "__proto__" is a key like any other.
 * @return the value; NULL when there is none, and for other kinds.
 * @threads one at a time per graph.   @since 0.1
 */
GBX_API GBX_BORROW gbx_value *gbx_value_get(
    GBX_BORROW const gbx_value *object, GBX_BORROW const char *key, size_t len);

/**
 * Sets an own property of an object, array or error.
 *
 * @param object  GBX_OBJECT, GBX_ARRAY or GBX_ERROR.
 * @param key     `len` bytes, or GBX_NUL; copied. Invalid bytes as for gbx_value_new_string().
 *                Not "length" of an array; "name", "message" and "stack" of an error are strings.
 * @param item    joins the object's graph; freed on failure.
 * @return GBX_OK, GBX_EINVAL for another kind or key, GBX_ENOMEM (also when `item` is NULL).
 * @threads one at a time per graph.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_value_set(GBX_BORROW gbx_value *object,
    GBX_BORROW const char *key, size_t len, GBX_OWN gbx_value *item);

/**
 * Removes an own property of an object, array or error; an array's element becomes a hole.
 *
 * @param key  `len` bytes, or GBX_NUL.
 * @return 1 when it was there, 0 when not or the value is of another kind.
 * @threads one at a time per graph.   @since 0.1
 */
GBX_API int32_t gbx_value_remove(
    GBX_BORROW gbx_value *object, GBX_BORROW const char *key, size_t len);

/* One step of a walk over properties. Fields are only ever appended. */
typedef struct gbx_property {
    uint32_t size;     /* sizeof(gbx_property); GBX_PROPERTY_INIT sets it */
    uint32_t is_index; /* 1: the key is an array index */
    const char *key;   /* WTF-8, NUL-terminated; lent until the next step */
    uint64_t key_len;  /* bytes */
    gbx_value *value;  /* lent */
    uint64_t position; /* where the walk stands; 0 to begin */
    char digits[16];   /* room for `key` */
} gbx_property;
#define GBX_PROPERTY_INIT                          \
    {                                              \
        sizeof(gbx_property), 0, NULL, 0, NULL, 0, \
        {                                          \
            0                                      \
        }                                          \
    }

/**
 * Steps to the next own property of an object, array or error, in JavaScript's order: array
 * indexes ascending (an array's elements without the holes), then the other keys as they were
 * added.
 *
 *     gbx_property p = GBX_PROPERTY_INIT;
 *     while (gbx_value_next(object, &p))
 *         printf("%s\n", p.key);
 *
 * Do not change the object in between.
 *
 * @return 1 when `property` holds the next one, 0 at the end and for other kinds.
 * @threads one at a time per graph.   @since 0.1
 */
GBX_API int32_t gbx_value_next(
    GBX_BORROW const gbx_value *object, GBX_BORROW gbx_property *property);

/**
 * Lends the entry of a map at a position, in the order of insertion.
 *
 * @param index      from 0, below gbx_value_length().
 * @param out_key    lent; may be NULL.
 * @param out_value  lent; may be NULL.
 * @return GBX_OK, GBX_EINVAL when `map` is no map or `index` is past its end.
 * @threads one at a time per graph.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_value_entry(GBX_BORROW const gbx_value *map, size_t index,
    GBX_BORROW gbx_value **out_key, GBX_BORROW gbx_value **out_value);

/**
 * Lends a map's value for a key. Keys are the same as in JavaScript: primitives by their value,
 * objects only if it is that very node.
 *
 * @return the value; NULL when there is none or `map` is no map.
 * @threads one at a time per graph.   @since 0.1
 */
GBX_API GBX_BORROW gbx_value *gbx_value_map_get(
    GBX_BORROW const gbx_value *map, GBX_BORROW const gbx_value *key);

/**
 * Sets a map's value for a key.
 *
 * @param key    joins the map's graph; freed on failure.
 * @param value  likewise.
 * @return GBX_OK, GBX_EINVAL when `map` is no map, GBX_ENOMEM (also when an item is NULL).
 * @threads one at a time per graph.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_value_map_set(
    GBX_BORROW gbx_value *map, GBX_OWN gbx_value *key, GBX_OWN gbx_value *value);

/**
 * Adds a member to a set, unless the same one is there already.
 *
 * @param member  joins the set's graph; freed on failure.
 * @return GBX_OK, GBX_EINVAL when `set` is no set, GBX_ENOMEM (also when `member` is NULL).
 * @threads one at a time per graph.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_value_add(
    GBX_BORROW gbx_value *set, GBX_OWN gbx_value *member);

/**
 * Tells whether a map has a key, or a set a member.
 *
 * @return 1 or 0; 0 for other kinds.
 * @threads one at a time per graph.   @since 0.1
 */
GBX_API int32_t gbx_value_has(
    GBX_BORROW const gbx_value *collection, GBX_BORROW const gbx_value *key);

/**
 * Deletes a map's entry or a set's member.
 *
 * @return 1 when it was there, 0 when not or the value is of another kind.
 * @threads one at a time per graph.   @since 0.1
 */
GBX_API int32_t gbx_value_delete(
    GBX_BORROW gbx_value *collection, GBX_BORROW const gbx_value *key);

/* --- comparing, JSON, text ------------------------------------------------------------ */

/**
 * Compares two values deeply: same kinds, contents, order of entries and members, and the same
 * shape of shared and cyclic references. NaN equals NaN; 0 and -0 differ. The order of an
 * object's named properties does not matter.
 *
 * @return 1 when they are equal, 0 when not, GBX_ENOMEM.
 * @threads one at a time per graph.   @since 0.1
 */
GBX_API int32_t gbx_value_equal(GBX_BORROW const gbx_value *a, GBX_BORROW const gbx_value *b);

/**
 * Reads JSON text, as JSON.parse does: the last of equal keys counts, "__proto__" is a key like
 * any other.
 *
 * @param text       `len` bytes of UTF-8, or GBX_NUL; no byte order mark. At most 512 MiB.
 * @param out_value  set only on GBX_OK; release with gbx_value_free().
 * @param error      message, line and column of the mistake; may be NULL.
 * @return GBX_OK, GBX_EINVAL when it is not JSON, GBX_ETOOBIG past 10,000 levels, 8 Mi values
 *         or 512 MiB, GBX_ENOMEM.
 * @threads any.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_value_from_json(GBX_BORROW const char *text, size_t len,
    GBX_OWN gbx_value **out_value, GBX_BORROW gbx_error *error);

/**
 * Writes a value as JSON, as JSON.stringify does: undefined and holes are null in arrays and
 * left out of objects, NaN and infinities are null, dates are ISO strings, boxed primitives are
 * unboxed, a typed array is an object of its elements; maps, sets, errors, regular expressions
 * and buffers are {}.
 *
 * @param value     not changed.
 * @param indent    spaces of each level, 0 to 10; 0: all in one line.
 * @param out_text  NUL-terminated UTF-8 (lone surrogates are escaped); release with free().
 * @param out_len   bytes without the NUL; may be NULL.
 * @param error     says what has no JSON form; may be NULL.
 * @return GBX_OK, GBX_EINVAL when `value` is undefined, holds a BigInt or refers to itself, or
 *         `indent` is out of range, GBX_ETOOBIG past 10,000 levels or 512 MiB, GBX_ENOMEM.
 * @threads one at a time per graph.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_value_to_json(GBX_BORROW const gbx_value *value,
    uint32_t indent, GBX_OWN char **out_text, size_t *out_len, GBX_BORROW gbx_error *error);

/* How a value is shown to people. Zero always means the default. Fields are only appended. */
typedef struct gbx_text_options {
    uint32_t size;       /* sizeof(gbx_text_options); GBX_TEXT_OPTIONS_INIT sets it */
    uint32_t flags;      /* GBX_TEXT_* bits */
    uint32_t depth;      /* nested levels that are shown; 0: 3; at most 1000 */
    uint32_t items;      /* elements shown of one array, map, set or buffer; 0: 100 */
    uint32_t characters; /* UTF-16 units shown of one string; 0: 10,000 */
    uint32_t width;      /* columns after which a line is broken; 0: 80 */
} gbx_text_options;
#define GBX_TEXT_OPTIONS_INIT                   \
    {                                           \
        sizeof(gbx_text_options), 0, 0, 0, 0, 0 \
    }

enum {
    GBX_TEXT_COLOR = 1, /* with ANSI colours, much as Node shows them on a terminal */
    GBX_TEXT_BARE = 2   /* a string at the top level as it is, without quotes; still escaped */
};

/**
 * Writes a value for people, as Node's util.inspect() does for data. Text of the guest can't do
 * anything to a terminal: every control character in it is escaped.
 *
 * @param options   copied; NULL for all defaults.
 * @param out_text  NUL-terminated UTF-8, no newline at the end; release with free().
 * @param out_len   bytes without the NUL; may be NULL.
 * @return GBX_OK, GBX_EINVAL, GBX_EUNSUPPORTED for options unknown here, GBX_ETOOBIG past 64
 *         MiB of text, GBX_ENOMEM. Nothing is set on failure.
 * @threads one at a time per graph.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_value_to_text(GBX_BORROW const gbx_value *value,
    GBX_BORROW const gbx_text_options *options, GBX_OWN char **out_text, size_t *out_len);

/**
 * Prints what gbx_value_to_text() writes, with default options, and a newline.
 *
 * @param value  not changed.
 * @param file   an open stream.
 * @return GBX_OK, GBX_ETOOBIG, GBX_ENOMEM, GBX_ESYS when the stream refuses.
 * @blocks  as the stream does.   @threads one at a time per graph.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_value_print(
    GBX_BORROW const gbx_value *value, GBX_BORROW FILE *file);

#ifdef __cplusplus
}
#endif
#endif
