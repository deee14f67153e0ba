/* watch.c - the thread that watches the clocks while the engine's thread runs guest code.
 *
 * The engine's thread publishes when it runs and until when (`state`, `wall_at`, `cpu_at`); the
 * watchdog sleeps until the earlier of the two and looks again. Arming makes no system call
 * unless the watchdog sleeps past the new deadline: calls that follow one another, all with the
 * same limit, wake it about once per limit.
 *
 * When a clock runs out it fires, in steps: it asks the engine for an interrupt, so that the
 * guest's stack can be noted; if no safe point comes, it terminates the script; if the script
 * (or a builtin that never polls) goes on, it ends the process. The host stands behind all of
 * this with SIGKILL.
 */
#include "cell/cell.h"

#include "base/check.h"
#include "base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

/* `state` is (generation << 2 | phase). Only the engine's thread starts a generation; the
 * watchdog may only move between ARMED, FIRING and FIRED of the same one. */
enum phase {
    IDLE,
    ARMED,
    FIRING, /* the watchdog is calling the engine, or ending it: disarming waits for that */
    FIRED,
};

static struct {
    struct cell *cell;
    clockid_t cpu_clock; /* of the engine's thread */
    _Atomic bool runs;   /* it has made the system calls that a new thread makes */
    _Atomic uint32_t state;
    _Atomic uint64_t wall_at_ns, cpu_at_ns;
    _Atomic uint32_t stops;           /* terminations that don't mean what runs */
    _Atomic uint64_t sleeps_until_ns; /* on CLOCK_MONOTONIC; UINT64_MAX: until an alarm */
    _Atomic int32_t reason;           /* of the firing; a gbx_status */
} watch;

uint64_t
watch_cpu_ns(void)
{
    return clock_ns_of(CLOCK_THREAD_CPUTIME_ID);
}

/* --- the engine's side ----------------------------------------------------------------------
 */

void
watch_arm(uint64_t wall_at_ns, uint64_t cpu_at_ns, uint32_t stops)
{
    uint32_t state = atomic_load_explicit(&watch.state, memory_order_relaxed);
    uint64_t earliest = wall_at_ns;

    GBX_CHECK((state & 3) == IDLE);
    atomic_store_explicit(&watch.wall_at_ns, wall_at_ns, memory_order_relaxed);
    atomic_store_explicit(&watch.cpu_at_ns, cpu_at_ns, memory_order_relaxed);
    atomic_store_explicit(&watch.stops, stops, memory_order_relaxed);
    if (cpu_at_ns != UINT64_MAX) {
        uint64_t used = watch_cpu_ns(), now = now_ns();
        uint64_t cpu_end = now + (cpu_at_ns > used ? cpu_at_ns - used : 0);
        earliest = cpu_end < earliest ? cpu_end : earliest;
    }
    /* Sequentially consistent: either the watchdog sees ARMED, or we see how long it sleeps. */
    atomic_store(&watch.state, ((state | 3) + 1) | ARMED);
    struct channel *channel = &watch.cell->channel;
    if (earliest < atomic_load(&watch.sleeps_until_ns) ||
        atomic_load(&channel->shared->stop) != stops)
        channel_alarm(channel);
}

gbx_status
watch_disarm(void)
{
    uint32_t state = atomic_load(&watch.state);
    uint32_t armed = (state & ~3u) | ARMED;

    if (atomic_compare_exchange_strong(&watch.state, &armed, state & ~3u))
        return GBX_OK;
    while ((atomic_load(&watch.state) & 3) == FIRING)
        (void)sched_yield();
    gbx_status reason = atomic_load(&watch.reason);
    atomic_store(&watch.state, state & ~3u);
    return reason;
}

bool
watch_fired(void)
{
    return (atomic_load(&watch.state) & 3) >= FIRING;
}

/* --- the watchdog's side --------------------------------------------------------------------
 */

/* The engine takes locks of its own when it is called from here. */
static pthread_mutex_t inside_engine = PTHREAD_MUTEX_INITIALIZER;

static void
reach_in(void (*call)(void))
{
    (void)pthread_mutex_lock(&inside_engine);
    call();
    (void)pthread_mutex_unlock(&inside_engine);
}

void
watch_hold(void)
{
    (void)pthread_mutex_lock(&inside_engine);
}

void
watch_release(void)
{
    (void)pthread_mutex_unlock(&inside_engine);
}

static uint64_t
cpu_now(void)
{
    return clock_ns_of(watch.cpu_clock);
}

/* Why what runs must stop now, or GBX_OK and when to look again. */
static gbx_status
verdict(uint64_t *look_ns)
{
    uint64_t wall_at = atomic_load(&watch.wall_at_ns);
    uint64_t cpu_at = atomic_load(&watch.cpu_at_ns);
    uint64_t now = now_ns();

    *look_ns = wall_at;
    if (atomic_load(&watch.cell->channel.shared->stop) != atomic_load(&watch.stops))
        return GBX_ETERMINATED;
    if (now >= wall_at)
        return GBX_ETIMEOUT;
    if (cpu_at != UINT64_MAX) {
        uint64_t used = cpu_now();
        if (used >= cpu_at)
            return GBX_ECPU;
        /* One thread burns at most one second of CPU in a second. */
        if (now + (cpu_at - used) < *look_ns)
            *look_ns = now + (cpu_at - used);
    }
    return GBX_OK;
}

/* Holds the engine's thread in the fired generation: disarming waits until `state` is `fired`
 * again. False: it is over. */
static bool
hold(uint32_t fired)
{
    return atomic_compare_exchange_strong(
        &watch.state, &(uint32_t){ fired }, (fired & ~3u) | FIRING);
}

/* Waits for the fired generation to end, ever less politely. `from_ns`: when it fired. It counts
 * CPU time: who waits for the host, or for a turn on a busy machine, is not hung. */
static void
escalate(uint32_t fired, gbx_status reason, uint64_t from_ns)
{
    uint64_t cpu = cpu_now(), most_cpu = cpu + STOP_GRACE_US * 1000;
    bool terminated = false;

    while (atomic_load(&watch.state) == fired) {
        uint64_t now = now_ns();
        if (cpu_now() >= most_cpu && hold(fired))
            death_note(reason, CHANNEL_NOTE_NONE, 0, 0,
                "the script could not be interrupted, so its process was ended",
                span_of(NULL, 0));
        bool late = cpu_now() >= cpu + STOP_STACK_US * 1000 ||
                    now >= from_ns + STOP_STACK_MAX_US * 1000;
        if (!terminated && late && hold(fired)) {
            reach_in(engine_terminate);
            terminated = true;
            atomic_store(&watch.state, fired);
        }
        channel_alarm_sleep(&watch.cell->channel,
            atomic_load(&watch.cell->channel.shared->alarm), now + WATCH_LOOK_NS);
    }
}

static void
fire(uint32_t armed, gbx_status reason)
{
    uint32_t firing = (armed & ~3u) | FIRING, fired = (armed & ~3u) | FIRED;

    if (!atomic_compare_exchange_strong(&watch.state, &armed, firing))
        return;
    atomic_store(&watch.reason, reason);
    reach_in(engine_interrupt);
    atomic_store(&watch.state, fired);
    escalate(fired, reason, now_ns());
}

static void *
watchdog(void *unused)
{
    struct channel *channel = &watch.cell->channel;
    uint32_t seen = 0;

    (void)unused;
    atomic_store(&watch.runs, true);
    for (;;) {
        uint32_t alarm = channel_alarm_announce(channel);
        uint32_t state = atomic_load(&watch.state);
        uint64_t look = UINT64_MAX;

        if ((state & 3) == ARMED) {
            /* An alarm is how the host says that something urgent lies in the ring. */
            if (alarm != seen)
                reach_in(engine_interrupt);
            gbx_status reason = verdict(&look);
            if (reason != GBX_OK) {
                fire(state, reason);
                continue;
            }
        }
        seen = alarm;
        atomic_store(&watch.sleeps_until_ns, look);
        if (atomic_load(&watch.state) == state)
            channel_alarm_sleep(channel, alarm, look);
        atomic_store(&watch.sleeps_until_ns, 0);
    }
    return NULL;
}

void
watch_await(void)
{
    while (!atomic_load(&watch.runs))
        (void)sched_yield();
}

bool
watch_start(struct cell *cell)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all, before;

    watch.cell = cell;
    /* Of a watchdog that was before us, a twin has what it said last. */
    atomic_store(&watch.runs, false);
    atomic_store(&watch.sleeps_until_ns, 0);
    if (pthread_getcpuclockid(pthread_self(), &watch.cpu_clock) != 0)
        return false;
    if (pthread_attr_init(&attr) != 0)
        return false;
    (void)pthread_attr_setstacksize(&attr, WATCH_STACK_BYTES);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&thread, &attr, watchdog, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attr);
    errno = error;
    return error == 0;
}
