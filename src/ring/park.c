/* park.c - sleeping until the peer makes something true, and not a system call more. */
#include "ring/channel.h"

#include "base/clock.h"
#include "base/limits.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel may wake a sleeper for no reason; every caller checks again. Shared, not private:
 * the word lies in memory of two processes. */
static void
futex_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t timeout_ns)
{
    struct timespec t = { (time_t)(timeout_ns / 1000000000u),
        (long)(timeout_ns % 1000000000u) };

    (void)syscall(
        SYS_futex, word, FUTEX_WAIT, expected, timeout_ns == UINT64_MAX ? NULL : &t, NULL, 0);
}

static void
futex_wake(_Atomic uint32_t *word)
{
    (void)syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

bool
channel_has(struct channel *channel, uint32_t wants)
{
    if ((wants & CHANNEL_WANTS_DATA) != 0 && (ring_used(&channel->in) > 0 || channel->in.lied))
        return true;
    if ((wants & CHANNEL_WANTS_SNAPSHOT) != 0 &&
        (ring_used(&channel->snapshot) > 0 || channel->snapshot.lied))
        return true;
    if ((wants & CHANNEL_WANTS_STOP) != 0 &&
        atomic_load(&channel->shared->stop) != channel->stop_seen)
        return true;
    return (wants & CHANNEL_WANTS_SPACE) != 0 &&
           (ring_room(&channel->out) > 0 || channel->out.lied);
}

void
channel_cell_sleep(struct channel *channel, uint32_t wants, uint64_t timeout_ns)
{
    _Atomic uint32_t *bell = &channel->shared->cell_bell;

    /* Sequentially consistent on both sides: either we see what the host made, or the host
     * sees our word. */
    atomic_store(bell, wants);
    atomic_thread_fence(memory_order_seq_cst);
    if (!channel_has(channel, wants))
        futex_wait(bell, wants, timeout_ns);
    atomic_store_explicit(bell, 0, memory_order_relaxed);
}

/* Takes the sleeper's word away if it waits for what was made; true: it must be woken. */
static bool
claim(_Atomic uint32_t *bell, uint32_t made)
{
    atomic_thread_fence(memory_order_seq_cst);
    if ((atomic_load_explicit(bell, memory_order_relaxed) & made) == 0)
        return false;
    return atomic_exchange(bell, 0) != 0;
}

void
channel_wake_cell(struct channel *channel, uint32_t made)
{
    if (claim(&channel->shared->cell_bell, made))
        futex_wake(&channel->shared->cell_bell);
}

void
channel_child_sleep(struct channel *channel)
{
    _Atomic uint32_t *bell = &channel->shared->child_bell;

    atomic_store(bell, CHANNEL_WANTS_SNAPSHOT);
    atomic_thread_fence(memory_order_seq_cst);
    if (ring_room(&channel->snapshot) == 0)
        futex_wait(bell, CHANNEL_WANTS_SNAPSHOT, 100000000);
    atomic_store_explicit(bell, 0, memory_order_relaxed);
}

void
channel_wake_child(struct channel *channel)
{
    if (claim(&channel->shared->child_bell, CHANNEL_WANTS_SNAPSHOT))
        futex_wake(&channel->shared->child_bell);
}

void
channel_wake_host(struct channel *channel, uint32_t made, int event_fd)
{
    uint64_t one = 1;

    /* A full counter (EAGAIN) means that the host has been rung already. */
    if (claim(&channel->shared->host_bell, made) && write(event_fd, &one, sizeof one) < 0)
        return;
}

bool
channel_host_wants(struct channel *channel, uint32_t wants)
{
    atomic_store(&channel->shared->host_bell, wants);
    atomic_thread_fence(memory_order_seq_cst);
    return channel_has(channel, wants);
}

void
channel_host_awake(struct channel *channel)
{
    atomic_store_explicit(&channel->shared->host_bell, 0, memory_order_relaxed);
}

void
channel_alarm(struct channel *channel)
{
    atomic_fetch_add(&channel->shared->alarm, 1);
    /* Only the watchdog takes its word back. If we did, it could announce itself and read the new
     * count just before, and then sleep on that with no word left for the next alarm. */
    if (atomic_load(&channel->shared->alarm_wanted) != 0)
        futex_wake(&channel->shared->alarm);
}

uint32_t
channel_alarm_announce(struct channel *channel)
{
    /* Sequentially consistent on both sides: either we see the alarm, or it sees our word. */
    atomic_store(&channel->shared->alarm_wanted, 1);
    return atomic_load(&channel->shared->alarm);
}

void
channel_alarm_sleep(struct channel *channel, uint32_t alarm, uint64_t until_ns)
{
    struct timespec t = { (time_t)(until_ns / 1000000000u), (long)(until_ns % 1000000000u) };

    /* FUTEX_WAIT_BITSET takes an absolute time. */
    (void)syscall(SYS_futex, &channel->shared->alarm, FUTEX_WAIT_BITSET, alarm,
        until_ns == UINT64_MAX ? NULL : &t, NULL, FUTEX_BITSET_MATCH_ANY);
    atomic_store_explicit(&channel->shared->alarm_wanted, 0, memory_order_relaxed);
}

static inline void
relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

bool
spinner_spin(struct spinner *spinner, struct channel *channel, uint32_t wants, bool under_way,
    uint64_t *spun_ns)
{
    static int cores; /* benign race: every thread finds the same number */

    if (channel_has(channel, wants))
        return true;
    if (cores == 0)
        cores = (int)sysconf(_SC_NPROCESSORS_ONLN);
    if (cores == 1)
        return false; /* the peer cannot run while we spin */
    uint64_t start = now_ns(), now = start;
    bool worth = under_way || spinner->usual_ns < SPIN_WORTH_NS;
    uint64_t bound = worth ? SPIN_MAX_NS : SPIN_MIN_NS;
    bool came = false;

    while (!came && now - start < bound) {
        for (int i = 0; i < 32 && !came; i++) {
            relax();
            came = channel_has(channel, wants);
        }
        if (!came)
            now = now_ns();
    }
    *spun_ns += now - start;
    return came;
}

void
spinner_learn(struct spinner *spinner, uint64_t waited_ns)
{
    /* Capped, so that one long pause is forgotten after a few short waits. */
    uint64_t sample = waited_ns < 4 * SPIN_WORTH_NS ? waited_ns : 4 * SPIN_WORTH_NS;

    spinner->usual_ns = (3 * spinner->usual_ns + sample) / 4;
}
