/* crossing.c - values to and from a cell, with what they hold that is no data. */
#include "host/given.h"
#include "host/host.h"
#include "host/shared.h"

/* Whose message it is. */
struct crossing {
    gbx_isolate *isolate;
    uint32_t context; /* whose references it may hold, 0: none; or functions in it are */
};

static gbx_status
put_record(void *data, struct held *held, bool alone, struct buf *out)
{
    const struct crossing *crossing = data;

    switch (held->class->kind) {
    case GBX_REFERENCE:
        return reference_put(crossing->isolate, held, alone, out);
    case GBX_EXTERNAL_COPY:
        return copy_put(held, alone, out);
    case GBX_FUNCTION:
        return function_put(crossing->isolate, crossing->context, held, out);
    default:
        return GBX_ECLONE;
    }
}

static gbx_status
get_record(void *data, struct span *rest, struct held **out_held, const char **why)
{
    const struct crossing *crossing = data;
    unsigned tag = rest->len > 0 ? rest->p[0] : 0;

    *rest = rest->len > 0 ? span_of(rest->p + 1, rest->len - 1) : *rest;
    switch (tag) {
    case HELD_REFERENCE:
        if (crossing->context != 0)
            return reference_get(crossing->isolate, crossing->context, rest, out_held, why);
        *why = "a reference where a value was asked for";
        return GBX_EPROTO;
    default:
        *why = "an object that a cell does not have";
        return GBX_EPROTO;
    }
}

static gbx_status
put_shared(void *data, const struct held *held, uint32_t *out_number)
{
    const struct crossing *crossing = data;

    return shared_put(&crossing->isolate->options, held, out_number);
}

static gbx_status
get_shared(void *data, uint32_t number, struct held **out_held, const char **why)
{
    const struct crossing *crossing = data;

    return shared_get(&crossing->isolate->options, number, out_held, why);
}

gbx_status
value_put(gbx_isolate *isolate, uint32_t context, const gbx_value *value)
{
    struct crossing crossing = { isolate, context };
    struct clone_host host = { put_record, get_record, put_shared, get_shared, &crossing,
        false };
    gbx_status status = clone_write_for(value, &host, &isolate->scratch->out);

    if (status != GBX_OK)
        functions_take_back(isolate);
    return status;
}

gbx_status
value_get(gbx_isolate *isolate, struct span bytes, uint32_t context, bool apart,
    struct buf *memory, gbx_value **out, const char **why)
{
    struct crossing crossing = { isolate, context };
    struct clone_host host = { put_record, get_record, put_shared, get_shared, &crossing,
        false };
    /* An element is 8 bytes to V8, and more to us. */
    uint64_t count = isolate->options.memory_limit_bytes / VALUE_NODE_BYTES;
    struct clone_limits limits = { .count = count < VALUE_COUNT_MAX ? (uint32_t)count
                                                                    : VALUE_COUNT_MAX,
        .host = &host,
        .body = memory,
        .apart = apart };

    if (bytes.len == 0) {
        *out = gbx_value_new_undefined();
        return *out != NULL ? GBX_OK : GBX_ENOMEM;
    }
    return clone_read(bytes, &limits, out, why);
}
