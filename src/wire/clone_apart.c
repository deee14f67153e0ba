/* clone_apart.c - the buffers that came apart from their clone: a guest has moved them. */
#include "base/bytes.h"
#include "base/limits.h"
#include "wire/clone_reader.h"
#include "wire/clone_tags.h"

#include <stdlib.h>

enum {
    FIRST_APART = 4
};

static uint32_t
load_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Lists the one at the front of *rest, which moves past it. */
static bool
add(struct reader *r, uint32_t *capacity, struct span *rest)
{
    if (rest->len < ATTACHMENT_HEAD || rest->p[4] >= ATTACHED_ALIGN)
        return read_failed(r, GBX_EPROTO, "a moved buffer without its head") != NULL;
    size_t skip = ATTACHMENT_HEAD + (size_t)rest->p[4], len = load_u32(rest->p);
    if (skip > rest->len || len > rest->len - skip)
        return read_failed(r, GBX_EPROTO, "a moved buffer that is cut off") != NULL;
    if (r->apart_count == MOVED_LOOK_MAX)
        return read_failed(r, GBX_EPROTO, "too many moved buffers") != NULL;
    if (r->apart_count == *capacity) {
        uint32_t want = *capacity == 0 ? FIRST_APART : *capacity * 2;
        struct span *more = realloc(r->apart, want * sizeof *more);
        if (more == NULL)
            return read_failed(r, GBX_ENOMEM, "out of memory") != NULL;
        r->apart = more;
        *capacity = want;
    }
    r->apart[r->apart_count++] = span_of(rest->p + skip, len);
    r->apart_bytes += len;
    *rest = span_of(rest->p + skip + len, rest->len - skip - len);
    return true;
}

bool
apart_split(struct reader *r, struct span *bytes)
{
    uint32_t capacity = 0;

    if (bytes->len == 0 || bytes->p[0] != CLONE_ATTACHED)
        return true;
    if (bytes->len < ATTACHED_HEAD || load_u32(bytes->p + 4) > bytes->len - ATTACHED_HEAD)
        return read_failed(r, GBX_EPROTO, "a clone that is longer than its message") != NULL;
    size_t behind = ATTACHED_HEAD + (size_t)load_u32(bytes->p + 4);
    struct span rest = span_of(bytes->p + behind, bytes->len - behind);
    *bytes = span_of(bytes->p + ATTACHED_HEAD, behind - ATTACHED_HEAD);
    while (rest.len > 0)
        if (!add(r, &capacity, &rest))
            return false;
    return true;
}

void
apart_done(struct reader *r)
{
    free(r->apart);
    bytes_unref(r->taken);
}
