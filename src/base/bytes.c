#include "base/bytes.h"

#include "base/huge.h"

#include <stdlib.h>

enum {
    HEAD = 64 /* the struct, so that what follows is aligned as malloc's own blocks are */
};
_Static_assert(sizeof(struct bytes) <= HEAD, "the head has room for the struct");

struct bytes *
bytes_new(size_t len)
{
    struct bytes *bytes = len > SIZE_MAX - HEAD ? NULL : malloc(HEAD + len);

    if (bytes == NULL)
        return NULL;
    huge_advise(bytes, HEAD + len);
    *bytes = (struct bytes){ .refs = 1, .p = (uint8_t *)bytes + HEAD, .len = len };
    return bytes;
}

struct bytes *
bytes_adopt(void *p, size_t len, void (*release)(void *p, size_t len, void *data), void *data)
{
    struct bytes *bytes = malloc(sizeof *bytes);

    if (bytes != NULL)
        *bytes = (struct bytes){ 1, p, len, release, data };
    return bytes;
}

static void
release_malloced(void *p, size_t len, void *data)
{
    (void)len;
    (void)data;
    free(p);
}

struct bytes *
bytes_adopt_malloced(void *p, size_t len)
{
    return bytes_adopt(p, len, release_malloced, NULL);
}

struct bytes *
bytes_ref(struct bytes *bytes)
{
    (void)__atomic_fetch_add(&bytes->refs, 1, __ATOMIC_RELAXED);
    return bytes;
}

void
bytes_unref(struct bytes *bytes)
{
    /* Release and acquire: what others read of it comes before it is given back. */
    if (bytes == NULL || __atomic_fetch_sub(&bytes->refs, 1, __ATOMIC_ACQ_REL) != 1)
        return;
    if (bytes->release != NULL)
        bytes->release(bytes->p, bytes->len, bytes->data);
    free(bytes);
}
