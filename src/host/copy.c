/* copy.c - external copies: values that are encoded once. */
#include "host/host.h"

#include "base/bytes.h"
#include "wire/held.h"

#include <stdlib.h>

/* Its fields never change, and any thread may hold it. */
struct gbx_external_copy {
    struct held held; /* first */
    uint32_t refs;    /* atomic */
    bool primitive;
    struct bytes *bytes; /* a clone */
};

static gbx_external_copy *
copy_of(struct held *held)
{
    return (gbx_external_copy *)(void *)held;
}

static void
take(struct held *held)
{
    (void)__atomic_fetch_add(&copy_of(held)->refs, 1, __ATOMIC_RELAXED);
}

static void
drop(struct held *held)
{
    gbx_external_copy *copy = copy_of(held);

    if (__atomic_fetch_sub(&copy->refs, 1, __ATOMIC_ACQ_REL) != 1)
        return;
    bytes_unref(copy->bytes);
    free(copy);
}

static const struct held_class copy_class = { GBX_EXTERNAL_COPY, "ExternalCopy", take, drop };

gbx_status
gbx_external_copy_new(const gbx_value *value, gbx_external_copy **out_copy)
{
    struct buf clone = { .max = VALUE_BYTES_MAX };
    gbx_value_kind kind = gbx_value_get_kind(value);

    if (value == NULL)
        return GBX_EINVAL;
    gbx_status status = clone_write(value, &clone);
    if (status != GBX_OK) {
        buf_done(&clone);
        return status;
    }
    gbx_external_copy *copy = malloc(sizeof *copy);
    struct bytes *bytes = copy == NULL ? NULL : bytes_adopt_malloced(clone.p, clone.len);
    if (bytes == NULL) {
        free(copy);
        buf_done(&clone);
        return GBX_ENOMEM;
    }
    *copy = (gbx_external_copy){ .held = { &copy_class },
        .refs = 1,
        .primitive = kind <= GBX_STRING || kind == GBX_HOLE,
        .bytes = bytes };
    *out_copy = copy;
    return GBX_OK;
}

uint64_t
gbx_external_copy_size(const gbx_external_copy *copy)
{
    return copy->bytes->len;
}

gbx_value *
gbx_value_new_external(gbx_external_copy *copy)
{
    struct graph *graph = graph_new(sizeof(gbx_value) + sizeof(struct hold));

    if (graph == NULL)
        return NULL;
    take(&copy->held);
    gbx_value *node = node_held(graph, &copy->held);
    if (node == NULL)
        graph_free(graph);
    return node;
}

gbx_status
gbx_external_copy_read(const gbx_external_copy *copy, gbx_value **out_value)
{
    return clone_read(span_of(copy->bytes->p, copy->bytes->len), NULL, out_value, NULL);
}

void
gbx_external_copy_free(gbx_external_copy *copy)
{
    if (copy != NULL)
        drop(&copy->held);
}

gbx_status
copy_put(struct held *held, bool alone, struct buf *out)
{
    const gbx_external_copy *copy = copy_of(held);

    /* V8 lets only objects stand inside of a value. */
    if (!alone && copy->primitive)
        return GBX_ECLONE;
    buf_byte(out, HELD_COPY);
    clone_put_number(out, (uint32_t)copy->bytes->len);
    clone_put_number(out, 0);
    if (out->shares && copy->bytes->len >= VALUE_SHARED_MIN)
        buf_share(out, copy->bytes, copy->bytes->p, copy->bytes->len);
    else
        buf_append(out, copy->bytes->p, copy->bytes->len);
    return GBX_OK;
}
