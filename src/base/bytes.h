/* bytes.h - a block of bytes with several owners, none of whom changes it.
 *
 * Threads: any may hold and let go; what lies in the block is read by all of them.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bytes {
    uint32_t refs; /* changed by atomic builtins: C++ has another _Atomic */
    uint8_t *p;    /* 16-byte aligned if it is of bytes_new() */
    size_t len;
    void (*release)(void *p, size_t len, void *data); /* NULL: `p` is the block's own */
    void *data;
};

/* `len` bytes, not initialised; NULL when out of memory. */
struct bytes *bytes_new(size_t len);
/* Takes over memory, which `release` gives back when nobody holds it any more. NULL: out of
 * memory, and nothing was taken. */
struct bytes *bytes_adopt(
    void *p, size_t len, void (*release)(void *p, size_t len, void *data), void *data);
/* Takes over what malloc gave. */
struct bytes *bytes_adopt_malloced(void *p, size_t len);

struct bytes *bytes_ref(struct bytes *bytes);
/* NULL is fine. */
void bytes_unref(struct bytes *bytes);

#ifdef __cplusplus
}
#endif

#endif
