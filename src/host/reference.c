/* reference.c - guest values that the host holds.
 *
 * The cell numbers them. What it may say of a number is little: each is new, and its place in
 * the cell's table is taken by no other that is open. References hang on their isolate's list,
 * so that the end of a context reaches them.
 */
#include "host/host.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"

#include <stdlib.h>
#include <string.h>

/* --- places --------------------------------------------------------------------------------- */

static uint32_t
place_of(uint32_t id)
{
    return id & (REFERENCES_MAX - 1);
}

/* An honest cell takes the lowest places first, so the bits are few; all of them are 128 KiB. */
static bool
places_reach(struct references *references, uint32_t place)
{
    uint32_t words = references->words == 0 ? 4 : references->words;

    while (words <= place / 64)
        words *= 2;
    if (words == references->words)
        return true;
    uint64_t *taken = realloc(references->taken, words * sizeof *taken);
    if (taken == NULL)
        return false;
    memset(taken + references->words, 0, (words - references->words) * sizeof *taken);
    references->taken = taken;
    references->words = words;
    return true;
}

/* --- one of them ---------------------------------------------------------------------------- */

static struct gbx_reference *
reference_of(struct held *held)
{
    return (struct gbx_reference *)held; /* its first member */
}

static void
take(struct held *held)
{
    reference_of(held)->refs++;
}

static void
drop(struct held *held)
{
    gbx_reference_close(reference_of(held));
}

static const struct held_class reference_class = { GBX_REFERENCE, "Reference", take, drop };

static bool
is_closed(const gbx_isolate *isolate, uint32_t context)
{
    return context != 1 && table_get(&isolate->contexts, context) == NULL;
}

gbx_status
reference_new(gbx_isolate *isolate, uint32_t context, uint32_t id, uint32_t type,
    gbx_reference **out, const char **why)
{
    struct references *all = &isolate->references;
    uint32_t place = place_of(id);

    if (id == 0 || type > GBX_TYPEOF_OBJECT) {
        *why = "a reference to nothing that there is";
        return GBX_EPROTO;
    }
    /* The cell frees what a closed context leaves behind, and may have done so already. */
    bool closed = is_closed(isolate, context);
    if (!closed && !places_reach(all, place))
        return GBX_ENOMEM;
    if (!closed && (all->taken[place / 64] >> place % 64 & 1) != 0) {
        *why = "a reference that is another's";
        return GBX_EPROTO;
    }
    gbx_reference *reference = malloc(sizeof *reference);
    if (reference == NULL)
        return GBX_ENOMEM;
    *reference = (gbx_reference){ .held.class = &reference_class,
        .isolate = isolate,
        .refs = 1,
        .context = context,
        .type = (uint8_t)type };
    isolate_ref(isolate);
    if (!closed) {
        all->taken[place / 64] |= 1ull << place % 64;
        reference->id = id;
        reference->next = all->first;
        if (all->first != NULL)
            all->first->previous = reference;
        all->first = reference;
        all->count++;
    }
    *out = reference;
    return GBX_OK;
}

/* The cell has it no more, or is about to be told. */
static void
forget(gbx_reference *reference)
{
    struct references *all = &reference->isolate->references;
    uint32_t place = place_of(reference->id);

    all->taken[place / 64] &= ~(1ull << place % 64);
    all->count--;
    if (reference->previous != NULL)
        reference->previous->next = reference->next;
    else
        all->first = reference->next;
    if (reference->next != NULL)
        reference->next->previous = reference->previous;
    reference->previous = reference->next = NULL;
    reference->id = 0;
}

void
references_forget_context(gbx_isolate *isolate, uint32_t context)
{
    struct gbx_reference *reference = isolate->references.first;

    while (reference != NULL) {
        struct gbx_reference *next = reference->next;
        if (reference->context == context)
            forget(reference);
        reference = next;
    }
}

void
references_done(struct references *references)
{
    GBX_CHECK(references->first == NULL);
    free(references->taken);
}

void
gbx_reference_close(gbx_reference *reference)
{
    if (reference == NULL || --reference->refs > 0)
        return;
    gbx_isolate *isolate = reference->isolate;
    uint32_t id = reference->id;
    if (id != 0)
        forget(reference);
    free(reference);
    if (id != 0 && isolate->cell != NULL) {
        struct references *all = &isolate->references;
        if (all->released_count == REFERENCES_BATCH)
            isolate_release(isolate);
        all->released[all->released_count++] = id;
        if (isolate->runtime != NULL)
            runtime_alarm(isolate->runtime, now_us() + REFERENCES_WAIT_US);
    }
    isolate_unref(isolate);
}

uint32_t
gbx_reference_typeof(const gbx_reference *reference)
{
    return reference->type;
}

/* --- in values ------------------------------------------------------------------------------ */

gbx_value *
gbx_value_new_reference(gbx_reference *reference)
{
    struct graph *graph = graph_new(sizeof(gbx_value) + sizeof(struct hold));

    if (graph == NULL)
        return NULL;
    reference->refs++;
    gbx_value *node = node_held(graph, &reference->held);
    if (node == NULL)
        graph_free(graph);
    return node;
}

gbx_reference *
gbx_value_get_reference(const gbx_value *value)
{
    if (gbx_value_get_kind(value) != GBX_REFERENCE)
        return NULL;
    gbx_reference *reference = reference_of(value->held);
    reference->refs++;
    return reference;
}

gbx_status
reference_put(gbx_isolate *isolate, struct held *held, bool alone, struct buf *out)
{
    const gbx_reference *reference = reference_of(held);

    if (reference->isolate != isolate)
        return GBX_EINVAL;
    if (reference->id == 0)
        return GBX_EDISPOSED;
    /* V8 lets only objects stand inside of a value. */
    if (!alone && reference->type < GBX_TYPEOF_FUNCTION)
        return GBX_ECLONE;
    buf_byte(out, HELD_REFERENCE);
    clone_put_number(out, reference->id);
    clone_put_number(out, reference->type);
    return GBX_OK;
}

gbx_status
reference_get(gbx_isolate *isolate, uint32_t context, struct span *rest, struct held **out_held,
    const char **why)
{
    gbx_reference *reference;
    uint32_t id, type;

    *why = "a reference that is cut off";
    if (!clone_get_number(rest, &id) || !clone_get_number(rest, &type))
        return GBX_EPROTO;
    gbx_status status = reference_new(isolate, context, id, type, &reference, why);
    if (status == GBX_OK)
        *out_held = &reference->held;
    return status;
}

/* --- requests ------------------------------------------------------------------------------- */

/* What is asked, and with what: `receiver` or the value to set come first, if there is one. */
struct wish {
    uint32_t operation; /* enum reference_operation */
    const char *key;    /* NULL: none */
    size_t len;
    const gbx_value *first; /* NULL: none */
    const gbx_value *const *rest;
    size_t count;
};

static gbx_status
check(gbx_reference *reference, struct wish *wish, const gbx_call_options *options,
    gbx_call_options *out, gbx_error *error)
{
    gbx_status status = call_options_read(reference->isolate, options, out, error);

    if (status != GBX_OK)
        return status;
    if (wish->key != NULL && wish->len == GBX_NUL)
        wish->len = strlen(wish->key);
    if (wish->len > NAME_BYTES_MAX)
        return fail(error, GBX_EINVAL, "key: %zu bytes, at most %d are allowed", wish->len,
            (int)NAME_BYTES_MAX);
    if (reference->isolate->cell != NULL && reference->id == 0)
        return fail(error, GBX_EDISPOSED, "the context of the reference has been closed");
    return call_arguments_check(wish->rest, wish->count, error);
}

static gbx_future *
ask(gbx_reference *reference, struct wish wish, const gbx_call_options *options)
{
    gbx_isolate *isolate = reference->isolate;
    gbx_error error = GBX_ERROR_INIT;
    gbx_call_options o;
    gbx_status status = check(reference, &wish, options, &o, &error);

    if (status != GBX_OK)
        return future_refused(&error);
    gbx_future *future = call_future(isolate, reference->context, &o);
    struct buf *out = &isolate->scratch->out;
    size_t frame = out->len;
    put_operate(out, isolate_tag(isolate, future->id),
        &(struct msg_operate){ .operation = wish.operation,
            .context = reference->context,
            .flags = o.flags,
            .wall_us = o.timeout_us,
            .cpu_us = o.cpu_us,
            .reference = reference->id,
            .key = span_of(wish.key, wish.len),
            .count = (uint32_t)wish.count + (wish.first != NULL) });
    return call_send(isolate, future, frame, wish.first, wish.rest, wish.count, &o);
}

gbx_future *
gbx_reference_get(
    gbx_reference *reference, const char *key, size_t len, const gbx_call_options *options)
{
    if (key == NULL)
        return future_failed(GBX_EINVAL, "the key is NULL");
    return ask(
        reference, (struct wish){ .operation = OPERATE_GET, .key = key, .len = len }, options);
}

gbx_future *
gbx_reference_set(gbx_reference *reference, const char *key, size_t len, const gbx_value *value,
    const gbx_call_options *options)
{
    if (key == NULL || value == NULL)
        return future_failed(GBX_EINVAL, "the %s is NULL", key == NULL ? "key" : "value");
    return ask(reference,
        (struct wish){ .operation = OPERATE_SET, .key = key, .len = len, .first = value },
        options);
}

gbx_future *
gbx_reference_delete(
    gbx_reference *reference, const char *key, size_t len, const gbx_call_options *options)
{
    if (key == NULL)
        return future_failed(GBX_EINVAL, "the key is NULL");
    return ask(reference, (struct wish){ .operation = OPERATE_DELETE, .key = key, .len = len },
        options);
}

gbx_future *
gbx_reference_keys(gbx_reference *reference, const gbx_call_options *options)
{
    return ask(reference, (struct wish){ .operation = OPERATE_KEYS }, options);
}

gbx_future *
gbx_reference_copy(gbx_reference *reference, const gbx_call_options *options)
{
    return ask(reference, (struct wish){ .operation = OPERATE_COPY }, options);
}

gbx_future *
gbx_reference_call(gbx_reference *reference, const gbx_value *receiver,
    const gbx_value *const *arguments, size_t count, const gbx_call_options *options)
{
    return ask(reference,
        (struct wish){ .operation = receiver != NULL ? OPERATE_CALL_AS : OPERATE_CALL,
            .first = receiver,
            .rest = arguments,
            .count = count },
        options);
}

gbx_future *
gbx_reference_call_method(gbx_reference *reference, const char *key, size_t len,
    const gbx_value *const *arguments, size_t count, const gbx_call_options *options)
{
    if (key == NULL)
        return future_failed(GBX_EINVAL, "the key is NULL");
    return ask(reference,
        (struct wish){ .operation = OPERATE_CALL_METHOD,
            .key = key,
            .len = len,
            .rest = arguments,
            .count = count },
        options);
}

gbx_future *
gbx_reference_construct(gbx_reference *reference, const gbx_value *const *arguments,
    size_t count, const gbx_call_options *options)
{
    return ask(reference,
        (struct wish){ .operation = OPERATE_CONSTRUCT, .rest = arguments, .count = count },
        options);
}
