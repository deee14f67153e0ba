/* Memory runs out for values that the host holds apart: external copies, and buffers of memory that
 * is handed over. See test_faults.c.
 */
#include "inject.h"

/* Sends `value`, which it frees, as the argument of a call that answers it, and compares. */
static gbx_status
send_and_free(gbx_context *context, gbx_value *value, gbx_error *error)
{
    const gbx_value *arguments[] = { value };
    gbx_value *back = NULL;

    if (value == NULL)
        return reported(GBX_ENOMEM, error);
    gbx_status status =
        ended(gbx_context_call(context, "Object", arguments, 1, NULL), &back, error);
    gbx_value_free(value);
    cr_assert_eq(status == GBX_OK, back != NULL);
    gbx_value_free(back);
    return status;
}

static gbx_status
external_copies(struct world *w, gbx_error *error)
{
    static uint8_t bytes[200000];
    gbx_value *value = gbx_value_new_bytes(bytes, sizeof bytes), *read = NULL;
    gbx_external_copy *copy = NULL;

    gbx_status status = value == NULL ? GBX_ENOMEM : gbx_external_copy_new(value, &copy);
    gbx_value_free(value);
    if (status == GBX_OK)
        status = gbx_external_copy_read(copy, &read);
    gbx_value_free(read);
    status = reported(status, error);
    for (int i = 0; i < 2 && status == GBX_OK; i++)
        status = send_and_free(w->context, gbx_value_new_external(copy), error);
    gbx_external_copy_free(copy);
    return status;
}

CleanTest(faults, in_external_copies)
{
    inject(external_copies, MEMORY, true);
}

static void
count_one(void *bytes, size_t len, void *data)
{
    (void)bytes;
    (void)len;
    ++*(int *)data;
}

static gbx_status
memory_handed_over(struct world *w, gbx_error *error)
{
    static uint8_t bytes[200000];
    int released = 0;
    gbx_value *value = gbx_value_new_array_buffer_of(bytes, sizeof bytes, count_one, &released);
    bool taken = value != NULL;

    gbx_status status = send_and_free(w->context, value, error);
    /* What waits for the ring to have room goes with the isolate, if that cannot go on. */
    if (gbx_isolate_death(w->isolate) == NULL)
        cr_assert_eq(released, taken);
    return status;
}

CleanTest(faults, in_memory_handed_over)
{
    inject(memory_handed_over, MEMORY, true);
}
