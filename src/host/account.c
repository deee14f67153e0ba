/* account.c - what isolates and calls have cost: the kernel's word, and the host's own counts. */
#include "host/host.h"

#include "base/clock.h"

#include <string.h>

/* Fills a caller's struct, which begins with its size, as far as it goes. */
static void
give(void *to, const void *from, uint32_t known)
{
    uint32_t size;

    memcpy(&size, to, sizeof size);
    memcpy(to, from, size < known ? size : known);
    memcpy(to, &size, sizeof size);
}

gbx_status
gbx_isolate_usage(gbx_isolate *isolate, gbx_usage *out_usage)
{
    gbx_usage usage = GBX_USAGE_INIT;

    if (out_usage->size < offsetof(gbx_usage, cpu_us))
        return GBX_EINVAL;
    if (isolate->cell == NULL)
        return GBX_EDISPOSED;
    usage.pid = (uint32_t)cell_pid(isolate->cell);
    usage.cpu_us = cell_cpu_us(isolate->cell);
    cell_cpu_split(isolate->cell, &usage.cpu_user_us, &usage.cpu_system_us);
    uint64_t resident = cell_resident_bytes(isolate->cell);
    if (resident != 0)
        isolate->resident_bytes = resident;
    usage.resident_bytes = isolate->resident_bytes;
    usage.sent_bytes = isolate->sent_bytes;
    usage.received_bytes = isolate->received_bytes;
    usage.lived_us = now_us() - isolate->opened_us;
    usage.host_us = isolate->host_us;
    usage.host_calls = isolate->host_calls;
    usage.references = isolate->references.count;
    give(out_usage, &usage, sizeof usage);
    return GBX_OK;
}

gbx_status
gbx_isolate_memory(gbx_isolate *isolate, gbx_memory *out_memory)
{
    gbx_memory memory = GBX_MEMORY_INIT;

    if (out_memory->size < offsetof(gbx_memory, resident_bytes))
        return GBX_EINVAL;
    if (isolate->cell == NULL)
        return GBX_EDISPOSED;
    if (!cell_memory(isolate->cell, &memory))
        return GBX_ESYS;
    give(out_memory, &memory, sizeof memory);
    return GBX_OK;
}

/* --- calls ---------------------------------------------------------------------------------- */

/* What the isolate has cost up to now. */
static struct account
account_now(const gbx_isolate *isolate, uint64_t now)
{
    return (struct account){ .wall_us = now,
        .cpu_us = isolate->cell != NULL ? cell_cpu_us(isolate->cell) : isolate->death.cpu_us,
        .host_us = isolate->host_us,
        .sent_bytes = isolate->told_bytes,
        .received_bytes = isolate->received_bytes,
        .host_calls = isolate->host_calls };
}

void
account_begin(gbx_future *future, uint64_t now)
{
    uint64_t own_bytes = future->account.sent_bytes;

    future->account = account_now(future->isolate, now);
    future->account.sent_bytes -= own_bytes; /* they have been counted, now or before */
}

void
account_end(gbx_future *future)
{
    struct account *a = &future->account, end = account_now(future->isolate, now_us());

    a->wall_us = end.wall_us - a->wall_us;
    /* Of a process that has just died the kernel may know less than before. */
    a->cpu_us = end.cpu_us > a->cpu_us ? end.cpu_us - a->cpu_us : 0;
    a->host_us = end.host_us - a->host_us;
    a->sent_bytes = end.sent_bytes - a->sent_bytes;
    a->received_bytes = end.received_bytes - a->received_bytes;
    a->host_calls = end.host_calls - a->host_calls;
}

gbx_status
gbx_future_usage(const gbx_future *future, gbx_call_usage *out_usage)
{
    gbx_call_usage usage = GBX_CALL_USAGE_INIT;
    const struct account *a = &future->account;

    if (!future->measured || out_usage->size < offsetof(gbx_call_usage, wall_us))
        return GBX_EINVAL;
    if (!future->finished)
        return GBX_EBUSY;
    usage.host_calls = (uint32_t)a->host_calls;
    usage.wall_us = a->wall_us;
    usage.cpu_us = a->cpu_us;
    usage.host_us = a->host_us;
    usage.sent_bytes = a->sent_bytes;
    usage.received_bytes = a->received_bytes;
    give(out_usage, &usage, sizeof usage);
    return GBX_OK;
}
