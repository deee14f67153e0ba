/* hold.c - a debugger holds a guest, and its clocks rest: as its cell says, and for a limited time.
 *
 * A cell that lies about it gains that time in each call, and only while somebody looks inside.
 */
#include "host/host.h"

#include "base/clock.h"

uint32_t
gbx_isolate_held(const gbx_isolate *isolate)
{
    return isolate->held;
}

gbx_status
gbx_isolate_wait(gbx_isolate *isolate)
{
    isolate->options.flags |= GBX_ISOLATE_WAIT;
    put_wait(&isolate->scratch->out, isolate_tag(isolate, 0),
        &(struct msg_wait){ .pause_us = isolate->options.pause_limit_us });
    return isolate_send(isolate);
}

static uint64_t
left_us(const gbx_isolate *isolate, const gbx_future *future)
{
    uint64_t limit = isolate->options.pause_limit_us;

    return limit > future->held_us ? limit - future->held_us : 0;
}

static void
clocks_go_on(gbx_isolate *isolate, uint64_t held_us)
{
    uint32_t cursor = 0, id;
    gbx_future *future;

    while ((future = table_next(&isolate->futures, &cursor, &id)) != NULL) {
        uint64_t left = left_us(isolate, future);
        uint64_t more = held_us < left ? held_us : left;
        if (!future->begun)
            continue;
        future->held_us += more;
        if (future->kill_at_us != UINT64_MAX)
            future->kill_at_us += more;
    }
    /* What debuggers have run meanwhile is on no budget. */
    if (isolate->cpu_allowed_us != UINT64_MAX && isolate->cell != NULL) {
        uint64_t cpu = cell_cpu_us(isolate->cell);
        isolate->cpu_allowed_us += cpu > isolate->held_cpu_us ? cpu - isolate->held_cpu_us : 0;
    }
}

void
isolate_hold(gbx_isolate *isolate, uint32_t how)
{
    bool was = isolate->held != GBX_HOLD_NONE;

    if (how == isolate->held)
        return;
    isolate->held = how;
    if (!was) {
        /* The cell's clocks rest since it paused; a busy host hears of it later. */
        isolate->held_at_us = isolate->heard_at_us;
        isolate->held_cpu_us = isolate->cell != NULL ? cell_cpu_us(isolate->cell) : 0;
        isolate_look_at(isolate, now_us() + STOP_KILL_US);
    } else if (how == GBX_HOLD_NONE) {
        uint64_t now = now_us();
        clocks_go_on(isolate, now - isolate->held_at_us);
        isolate->heard_at_us = now; /* what comes next began after this */
    }
    if (isolate->options.on_hold != NULL && !isolate->closed)
        isolate->options.on_hold(isolate, how, isolate->options.data);
}

bool
isolate_told_of_hold(gbx_isolate *isolate, uint32_t how)
{
    if (how > GBX_HOLD_WAITING ||
        (how == GBX_HOLD_WAITING && (isolate->options.flags & GBX_ISOLATE_WAIT) == 0))
        return false;
    /* Without a session it is not believed; the last one may have gone while this was sent. */
    if (how == GBX_HOLD_PAUSED && isolate->inspectors.live == 0)
        return isolate->inspectors.count > 0;
    isolate_hold(isolate, how);
    return true;
}

/* When a hold that lasts is no hold any more: it is longer than the limit, or it ends a call whose
 * time would be up though all its holds were as long. */
static uint64_t
ends_at_us(const gbx_isolate *isolate, gbx_future **out_call)
{
    uint64_t at = isolate->held_at_us + isolate->options.pause_limit_us + STOP_KILL_US;
    uint32_t cursor = 0, id;
    gbx_future *future;

    *out_call = NULL;
    while ((future = table_next(&isolate->futures, &cursor, &id)) != NULL)
        if (future->kill_at_us != UINT64_MAX &&
            future->kill_at_us + left_us(isolate, future) < at) {
            at = future->kill_at_us + left_us(isolate, future);
            *out_call = future;
        }
    return at;
}

uint64_t
isolate_enforce_hold(gbx_isolate *isolate, uint64_t now)
{
    gbx_future *call = NULL;
    uint64_t look = now + STOP_KILL_US, at;

    if (isolate->options.pause_limit_us == GBX_NO_LIMIT)
        return look;
    at = ends_at_us(isolate, &call);
    if (now < at)
        return look < at ? look : at;
    if (call != NULL && deadline_is_starved(isolate, call, now))
        return now + STOP_STARVED_LOOK_US;
    isolate_condemn(
        isolate, GBX_ETIMEOUT, "the cell did not end a debugger's pause at its limit");
    return UINT64_MAX;
}
