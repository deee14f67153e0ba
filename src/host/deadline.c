/* deadline.c - limits held from outside of the cell.
 *
 * The cell's own watchdog comes first, and is exact. What stands here is for a cell that does not
 * do as it should, or does nothing any more: a grace period later it is killed.
 */
#include "host/host.h"
#include "host/profile.h"

#include "base/clock.h"

void
isolate_look_at(gbx_isolate *isolate, uint64_t at_us)
{
    if (at_us < isolate->next_kill_us)
        isolate->next_kill_us = at_us;
    if (isolate->runtime != NULL)
        runtime_alarm(isolate->runtime, at_us);
}

/* --- CPU ------------------------------------------------------------------------------------
 *
 * The kernel counts for the whole cell, so the budgets of all that is under way are added up. As
 * long as something without a budget is, there is none.
 */

/* What the budgets allow from here on. */
static void
allow_afresh(gbx_isolate *isolate)
{
    uint32_t cursor = 0, id;
    const gbx_future *future;

    isolate->cpu_allowed_us = cell_cpu_us(isolate->cell);
    while ((future = table_next(&isolate->futures, &cursor, &id)) != NULL)
        if (future->begun)
            isolate->cpu_allowed_us += future->cpu_us;
}

static void
cpu_begin(gbx_isolate *isolate, const gbx_future *future)
{
    if (future->cpu_us == 0) {
        isolate->unbudgeted++;
        isolate->cpu_allowed_us = UINT64_MAX;
    } else {
        isolate->budgeted++;
        if (isolate->unbudgeted == 0 && isolate->budgeted == 1)
            allow_afresh(isolate);
        else if (isolate->unbudgeted == 0)
            isolate->cpu_allowed_us += future->cpu_us;
    }
}

static void
cpu_end(gbx_isolate *isolate, const gbx_future *future)
{
    if (future->cpu_us != 0)
        isolate->budgeted--;
    else if (--isolate->unbudgeted == 0 && isolate->budgeted > 0 && isolate->cell != NULL)
        allow_afresh(isolate);
    if (isolate->budgeted == 0)
        isolate->cpu_allowed_us = UINT64_MAX;
}

/* When its CPU time may be used up at the earliest; `now` if it is. */
static uint64_t
cpu_ends_at(const gbx_isolate *isolate, uint64_t now)
{
    if (isolate->cpu_allowed_us == UINT64_MAX)
        return UINT64_MAX;
    uint64_t used = cell_cpu_us(isolate->cell), most = isolate->cpu_allowed_us + STOP_KILL_US;
    return used >= most ? now : now + (most - used);
}

/* --- turns ---------------------------------------------------------------------------------- */

void
deadline_begin(gbx_future *future)
{
    gbx_isolate *isolate = future->isolate;
    uint64_t now = now_us();

    future->begun = true;
    isolate->heard_at_us = now; /* what came before has nothing to do with it */
    if (future->measured)
        account_begin(future, now);
    cpu_begin(isolate, future);
    if (future->wall_us != 0 && !future->terminated) {
        future->kill_at_us = now + future->wall_us + STOP_KILL_US;
        isolate_look_at(isolate, future->kill_at_us);
    }
    if (future->cpu_us != 0)
        isolate_look_at(isolate, cpu_ends_at(isolate, now));
}

void
deadline_end(gbx_future *future)
{
    if (future->begun && future->measured)
        account_end(future);
    if (future->begun)
        cpu_end(future->isolate, future);
    future->begun = false;
}

void
isolate_heed_stops(gbx_isolate *isolate)
{
    uint32_t stops = atomic_load_explicit(&isolate->stops, memory_order_relaxed);
    uint32_t cursor = 0, id;
    gbx_future *future;

    if (stops == isolate->stops_heeded)
        return;
    isolate->stops_heeded = stops;
    uint64_t at = now_us() + STOP_KILL_US;
    while ((future = table_next(&isolate->futures, &cursor, &id)) != NULL)
        if (future->runs && future->stops != stops && at < future->kill_at_us) {
            future->kill_at_us = at;
            future->terminated = true;
            isolate_look_at(isolate, at);
        }
}

void
isolate_watch_snapshot(gbx_isolate *isolate)
{
    isolate_look_at(isolate, now_us() + SNAPSHOT_LOOK_US);
}

/* --- the end -------------------------------------------------------------------------------- */

/* A busy machine may not have let the cell run, and it would have obeyed. Who sleeps, or has had
 * its CPU time, has no such excuse. */
bool
deadline_is_starved(const gbx_isolate *isolate, gbx_future *future, uint64_t now)
{
    uint64_t used = cell_cpu_us(isolate->cell);

    if (future->overdue_at_us == 0) {
        future->overdue_at_us = now;
        future->overdue_cpu_us = used + STOP_STARVED_CPU_US;
    }
    return now < future->overdue_at_us + STOP_STARVED_MAX_US && used < future->overdue_cpu_us &&
           cell_is_runnable(isolate->cell);
}

static void
condemn_for(gbx_isolate *isolate, const gbx_future *future)
{
    if (future->terminated)
        isolate_condemn(isolate, GBX_ETERMINATED, "the cell did not stop when it was told to");
    else
        isolate_condemn(isolate, GBX_ETIMEOUT, "the cell did not stop at its deadline");
}

uint64_t
isolate_enforce(gbx_isolate *isolate, uint64_t now)
{
    uint32_t cursor = 0, id;
    gbx_future *future;
    uint64_t next = UINT64_MAX;

    if (isolate->cell == NULL)
        return UINT64_MAX;
    if (now < isolate->next_kill_us)
        return isolate->next_kill_us;
    if (isolate->posting) /* an answer may have come that is not taken in now */
        return isolate->next_kill_us = now + STOP_STARVED_LOOK_US;
    isolate_take_last(isolate); /* an answer that has come counts */
    next = isolate->cell != NULL ? profiles_look(isolate, now) : next;
    if (isolate->cell != NULL && isolate->held != GBX_HOLD_NONE)
        return isolate->next_kill_us = isolate_enforce_hold(isolate, now);
    while (isolate->cell != NULL &&
           (future = table_next(&isolate->futures, &cursor, &id)) != NULL) {
        uint64_t at = future->kill_at_us;
        if (now >= at && deadline_is_starved(isolate, future, now))
            at = now + STOP_STARVED_LOOK_US;
        else if (now >= at)
            condemn_for(isolate, future);
        next = at < next ? at : next;
    }
    if (isolate->cell == NULL)
        return UINT64_MAX;
    uint64_t cpu_at = cpu_ends_at(isolate, now);
    if (cpu_at == now) {
        isolate_condemn(isolate, GBX_ECPU, "the cell did not stop at its CPU budget");
        return UINT64_MAX;
    }
    next = cpu_at < next ? cpu_at : next;
    if (isolate->snapshot_request != 0) {
        isolate_urge(isolate); /* the cell looks whether its snapshot child has died */
        next = now + SNAPSHOT_LOOK_US < next ? now + SNAPSHOT_LOOK_US : next;
    }
    isolate->next_kill_us = next;
    return next;
}

/* --- idle cells ------------------------------------------------------------------------------
 *
 * What belongs to a call ends with its limits, and what V8 posts to itself has a limit in the cell
 * (run.c). Code that is none of V8's knows neither.
 */

static bool
is_idle(const gbx_isolate *isolate)
{
    return isolate->cell != NULL && isolate->futures.live == 0 &&
           isolate->inspectors.live == 0 && isolate->snapshot_request == 0 &&
           isolate->nesting == 0;
}

void
isolate_look_at_idle(gbx_isolate *isolate, uint64_t now)
{
    if (isolate->idle.at_us == now || !is_idle(isolate))
        return;
    uint64_t cpu = cell_cpu_us(isolate->cell);
    bool anew = isolate->idle.at_us == 0 || isolate->idle.sent_bytes != isolate->sent_bytes;

    isolate->idle.at_us = now;
    if (anew) {
        isolate->idle.cpu_us = cpu;
        isolate->idle.sent_bytes = isolate->sent_bytes;
    } else if (cpu > isolate->idle.cpu_us + IDLE_CPU_US)
        isolate_condemn(
            isolate, GBX_ECPU, "the cell used CPU time while nothing was under way");
}
