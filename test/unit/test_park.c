#include "ring/channel.h"

#include "base/limits.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* Host and cell are two processes here, as in life. A lost wake-up shows as a sleep that ends
 * by its timeout, which is far past any scheduling delay. */
enum {
    LOST_S = 20,
    ROUNDS = 100000,
};
#define LOST_NS (LOST_S * 1000000000ull)

struct ends {
    int event_fd;
    struct channel host, cell;
};

static void
ends_open(struct ends *e)
{
    int fd = channel_memory_new();

    e->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    cr_assert(fd >= 0 && e->event_fd >= 0);
    cr_assert(channel_map(&e->host, fd, true));
    cr_assert(channel_map(&e->cell, fd, false));
    (void)close(fd);
}

static void
ends_close(struct ends *e)
{
    channel_unmap(&e->host);
    channel_unmap(&e->cell);
    (void)close(e->event_fd);
}

static uint32_t
random_next(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void
dawdle(uint32_t turns)
{
    for (volatile uint32_t i = 0; i < turns; i++)
        ;
}

/* Sleeps as isolate_pump() does. False: nobody rang in time. */
static bool
host_sleep(struct ends *e, uint32_t wants)
{
    struct pollfd fd = { .fd = e->event_fd, .events = POLLIN };
    uint64_t count;
    bool good = true;

    if (!channel_host_wants(&e->host, wants)) {
        int n = poll(&fd, 1, LOST_S * 1000);
        good = n > 0 || (n < 0 && errno == EINTR);
        if (n > 0 && read(e->event_fd, &count, sizeof count) < 0 && errno != EAGAIN)
            good = false;
    }
    channel_host_awake(&e->host);
    return good;
}

/* True if it woke long before the timeout. */
static bool
cell_sleep(struct ends *e, uint32_t wants)
{
    struct timespec before, after;

    (void)clock_gettime(CLOCK_MONOTONIC, &before);
    channel_cell_sleep(&e->cell, wants, LOST_NS);
    (void)clock_gettime(CLOCK_MONOTONIC, &after);
    return after.tv_sec - before.tv_sec < LOST_S - 2;
}

/* Moves all of `len` bytes, parking whenever there is nothing to do. */
static bool
host_take(struct ends *e, void *p, size_t len)
{
    uint8_t *at = p;

    while (len > 0) {
        size_t n = ring_take(&e->host.in, at, len);
        at += n;
        len -= n;
        if (n > 0)
            channel_wake_cell(&e->host, CHANNEL_WANTS_SPACE);
        else if (!host_sleep(e, CHANNEL_WANTS_DATA))
            return false;
    }
    return true;
}

static bool
host_put(struct ends *e, const void *p, size_t len)
{
    const uint8_t *at = p;

    while (len > 0) {
        size_t n = ring_put(&e->host.out, span_of(at, len));
        ring_publish(&e->host.out);
        channel_wake_cell(&e->host, CHANNEL_WANTS_DATA);
        at += n;
        len -= n;
        if (n == 0 && !host_sleep(e, CHANNEL_WANTS_SPACE))
            return false;
    }
    return true;
}

static bool
cell_take(struct ends *e, void *p, size_t len)
{
    uint8_t *at = p;

    while (len > 0) {
        size_t n = ring_take(&e->cell.in, at, len);
        at += n;
        len -= n;
        if (n > 0)
            channel_wake_host(&e->cell, CHANNEL_WANTS_SPACE, e->event_fd);
        else if (!cell_sleep(e, CHANNEL_WANTS_DATA))
            return false;
    }
    return true;
}

static bool
cell_put(struct ends *e, const void *p, size_t len)
{
    const uint8_t *at = p;

    while (len > 0) {
        size_t n = ring_put(&e->cell.out, span_of(at, len));
        ring_publish(&e->cell.out);
        channel_wake_host(&e->cell, CHANNEL_WANTS_DATA, e->event_fd);
        at += n;
        len -= n;
        if (n == 0 && !cell_sleep(e, CHANNEL_WANTS_SPACE))
            return false;
    }
    return true;
}

/* Runs `cell` in a child; its verdict. */
static pid_t
cell_start(struct ends *e, bool (*cell)(struct ends *))
{
    pid_t pid = fork();

    cr_assert_geq(pid, 0);
    if (pid == 0)
        _exit(cell(e) ? 0 : 1);
    return pid;
}

static void
cell_join(pid_t pid)
{
    int status;

    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the cell's side failed: %#x",
        (unsigned)status);
}

/* --- ping-pong ------------------------------------------------------------------------------ */

static bool
echo(struct ends *e)
{
    uint32_t seed = 3, word;

    for (int i = 0; i < ROUNDS; i++) {
        if (!cell_take(e, &word, sizeof word))
            return false;
        word = ~word;
        dawdle(random_next(&seed) % 2000);
        if (!cell_put(e, &word, sizeof word))
            return false;
    }
    return true;
}

Test(park, no_wake_up_is_lost_in_a_hundred_thousand_round_trips, .timeout = 100)
{
    struct ends e;
    uint32_t seed = 4;

    ends_open(&e);
    pid_t pid = cell_start(&e, echo);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint32_t word = i, back = 0;
        dawdle(random_next(&seed) % 2000);
        cr_assert(host_put(&e, &word, sizeof word), "round %u: no room", i);
        cr_assert(host_take(&e, &back, sizeof back), "round %u: no answer", i);
        cr_assert_eq(back, ~i);
    }
    cell_join(pid);
    ends_close(&e);
}

/* The same with both sides spinning first: sleeps, spins and late wake-ups mix. */
static bool
echo_spinning(struct ends *e)
{
    struct spinner spinner = { 0 };
    uint32_t seed = 5, word;

    for (int i = 0; i < ROUNDS; i++) {
        uint64_t spun = 0;
        (void)spinner_spin(&spinner, &e->cell, CHANNEL_WANTS_DATA, false, &spun);
        spinner_learn(&spinner, spun);
        if (!cell_take(e, &word, sizeof word))
            return false;
        word = ~word;
        if (random_next(&seed) % 64 == 0)
            (void)sched_yield();
        if (!cell_put(e, &word, sizeof word))
            return false;
    }
    return true;
}

Test(park, no_wake_up_is_lost_when_both_sides_spin_first, .timeout = 100)
{
    struct ends e;
    struct spinner spinner = { 0 };
    uint32_t seed = 6;

    ends_open(&e);
    pid_t pid = cell_start(&e, echo_spinning);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint32_t word = i, back = 0;
        uint64_t spun = 0;
        cr_assert(host_put(&e, &word, sizeof word));
        (void)spinner_spin(&spinner, &e.host, CHANNEL_WANTS_DATA, false, &spun);
        spinner_learn(&spinner, random_next(&seed) % 300000);
        cr_assert(host_take(&e, &back, sizeof back), "round %u: no answer", i);
        cr_assert_eq(back, ~i);
    }
    cell_join(pid);
    ends_close(&e);
}

/* --- a message and a sleep at the same moment ----------------------------------------------- */

static bool
sleep_each_time(struct ends *e)
{
    uint32_t seed = 8;
    uint8_t byte;

    for (uint32_t i = 1; i <= ROUNDS; i++) {
        atomic_store(&e->cell.shared->snapshot_stop, i); /* ready, get set */
        dawdle(random_next(&seed) % 64);
        if (!cell_sleep(e, CHANNEL_WANTS_DATA))
            return false;
        while (ring_take(&e->cell.in, &byte, 1) == 0)
            ;
    }
    return true;
}

/* Each side writes its word and then reads the other's: without a fence between the two, both
 * may read the old one. */
Test(park, a_message_that_crosses_a_sleep_is_not_missed, .timeout = 100)
{
    struct ends e;
    uint32_t seed = 9;

    ends_open(&e);
    pid_t pid = cell_start(&e, sleep_each_time);
    for (uint32_t i = 1; i <= ROUNDS; i++) {
        while (atomic_load(&e.host.shared->snapshot_stop) < i)
            cr_assert_eq(
                waitpid(pid, NULL, WNOHANG), 0, "round %u: the sleeper was not woken", i);
        dawdle(random_next(&seed) % 256);
        (void)ring_put(&e.host.out, span_text("x"));
        ring_publish(&e.host.out);
        channel_wake_cell(&e.host, CHANNEL_WANTS_DATA);
    }
    cell_join(pid);
    ends_close(&e);
}

Test(park, nobody_sleeps_over_what_is_there)
{
    struct ends e;

    ends_open(&e);
    (void)ring_put(&e.host.out, span_text("x"));
    ring_publish(&e.host.out);
    cr_assert(cell_sleep(&e, CHANNEL_WANTS_DATA));
    cr_assert(cell_sleep(&e, CHANNEL_WANTS_SPACE));
    ends_close(&e);
}

/* --- streams through full rings ------------------------------------------------------------- */

enum {
    STREAM_BYTES = 64 << 20,
    PIECE = 5000,
};

static void
piece_fill(uint8_t *piece, size_t from)
{
    for (size_t i = 0; i < PIECE; i++)
        piece[i] = (uint8_t)((from + i) % 251);
}

static bool
piece_is(const uint8_t *piece, size_t from)
{
    for (size_t i = 0; i < PIECE; i++)
        if (piece[i] != (uint8_t)((from + i) % 251))
            return false;
    return true;
}

static bool
drain(struct ends *e)
{
    uint8_t piece[PIECE];

    for (size_t at = 0; at < STREAM_BYTES; at += PIECE)
        if (!cell_take(e, piece, PIECE) || !piece_is(piece, at))
            return false;
    return true;
}

static bool
pour(struct ends *e)
{
    uint8_t piece[PIECE];

    for (size_t at = 0; at < STREAM_BYTES; at += PIECE) {
        piece_fill(piece, at);
        if (!cell_put(e, piece, PIECE))
            return false;
    }
    return true;
}

Test(park, a_writer_that_waits_for_room_is_woken_host_to_cell, .timeout = 100)
{
    struct ends e;
    uint8_t piece[PIECE];

    ends_open(&e);
    pid_t pid = cell_start(&e, drain);
    for (size_t at = 0; at < STREAM_BYTES; at += PIECE) {
        piece_fill(piece, at);
        cr_assert(host_put(&e, piece, PIECE), "no room after %zu bytes", at);
    }
    cell_join(pid);
    ends_close(&e);
}

Test(park, a_writer_that_waits_for_room_is_woken_cell_to_host, .timeout = 100)
{
    struct ends e;
    uint8_t piece[PIECE];

    ends_open(&e);
    pid_t pid = cell_start(&e, pour);
    for (size_t at = 0; at < STREAM_BYTES; at += PIECE) {
        cr_assert(host_take(&e, piece, PIECE), "nothing after %zu bytes", at);
        cr_assert(piece_is(piece, at));
    }
    cell_join(pid);
    ends_close(&e);
}

/* --- bells ---------------------------------------------------------------------------------- */

Test(park, a_peer_that_is_awake_is_not_rung)
{
    struct ends e;
    uint64_t count;

    ends_open(&e);
    channel_wake_host(&e.cell, CHANNEL_WANTS_DATA, e.event_fd);
    cr_assert_lt(read(e.event_fd, &count, sizeof count), 0);
    cr_assert_not(channel_host_wants(&e.host, CHANNEL_WANTS_DATA));
    channel_wake_host(&e.cell, CHANNEL_WANTS_SPACE, e.event_fd);
    cr_assert_lt(read(e.event_fd, &count, sizeof count), 0, "not what it waits for");
    channel_wake_host(&e.cell, CHANNEL_WANTS_DATA, e.event_fd);
    channel_wake_host(&e.cell, CHANNEL_WANTS_DATA, e.event_fd);
    cr_assert_eq(read(e.event_fd, &count, sizeof count), (ssize_t)sizeof count);
    cr_assert_eq(count, 1, "once is enough");
    ends_close(&e);
}

Test(park, what_is_there_already_is_said_before_a_sleep)
{
    struct ends e;

    ends_open(&e);
    cr_assert_not(channel_host_wants(&e.host, CHANNEL_WANTS_DATA | CHANNEL_WANTS_SNAPSHOT));
    cr_assert(channel_host_wants(&e.host, CHANNEL_WANTS_SPACE));
    (void)ring_put(&e.cell.out, span_text("x"));
    ring_publish(&e.cell.out);
    cr_assert(channel_host_wants(&e.host, CHANNEL_WANTS_DATA));
    (void)ring_put(&e.cell.snapshot, span_text("x"));
    ring_publish(&e.cell.snapshot);
    cr_assert(channel_host_wants(&e.host, CHANNEL_WANTS_SNAPSHOT));
    ends_close(&e);
}

/* A lie is something to look at too: a host that slept over it would sleep for ever. */
Test(park, a_lie_wakes_whoever_looks)
{
    static const uint32_t wants[] = { CHANNEL_WANTS_DATA, CHANNEL_WANTS_SPACE,
        CHANNEL_WANTS_SNAPSHOT };

    for (size_t i = 0; i < sizeof wants / sizeof wants[0]; i++) {
        struct ends e;
        ends_open(&e);
        atomic_store(&e.host.shared->to_host.head, 0x80000000u);
        atomic_store(&e.host.shared->to_cell.tail, 0x80000000u);
        atomic_store(&e.host.shared->snapshot.head, 0x80000000u);
        cr_assert(channel_host_wants(&e.host, wants[i]));
        ends_close(&e);
    }
}

Test(park, a_sleep_without_news_ends_by_its_timeout)
{
    struct ends e;

    ends_open(&e);
    channel_cell_sleep(&e.cell, CHANNEL_WANTS_DATA, 1000000);
    cr_assert_eq(atomic_load(&e.cell.shared->cell_bell), 0, "the bell is off afterwards");
    ends_close(&e);
}

/* --- the alarm ------------------------------------------------------------------------------ */

/* Counts alarms as the watchdog of a cell does: announces itself, looks, sleeps. */
static bool
watch(struct ends *e)
{
    struct channel_shared *shared = e->cell.shared;

    while (atomic_load(&shared->stop) < ROUNDS) {
        uint32_t alarm = channel_alarm_announce(&e->cell);
        uint32_t stop = atomic_load(&shared->stop);
        atomic_store(&shared->snapshot_stop, stop); /* tells the other side what it has seen */
        if (stop < ROUNDS)
            channel_alarm_sleep(&e->cell, alarm, UINT64_MAX);
    }
    atomic_store(&shared->snapshot_stop, ROUNDS);
    return true;
}

/* The watchdog has read `alarm` and is about to sleep when the alarm comes. */
Test(park, an_alarm_before_the_sleep_prevents_it)
{
    struct ends e;

    ends_open(&e);
    uint32_t seen = atomic_load(&e.cell.shared->alarm);
    channel_alarm(&e.host);
    channel_alarm_sleep(&e.cell, seen, UINT64_MAX); /* for ever, or not at all */
    ends_close(&e);
}

/* Sleeps until each next alarm, whatever that was for. */
static bool
sleep_through(struct ends *e)
{
    struct channel_shared *shared = e->cell.shared;

    for (uint32_t i = 1; i <= ROUNDS; i++) {
        uint32_t alarm = channel_alarm_announce(&e->cell);
        atomic_store(&shared->snapshot_stop, i);
        channel_alarm_sleep(&e->cell, alarm, UINT64_MAX);
    }
    atomic_store(&shared->stop, 1);
    return true;
}

/* An alarm may fall between any two steps of the watchdog's; one that comes later must wake it. */
Test(park, alarms_that_never_end_wake_each_sleep, .timeout = 200)
{
    struct ends e;
    struct timespec begun, now;
    uint32_t slept = 0;

    ends_open(&e);
    pid_t pid = cell_start(&e, sleep_through);
    (void)clock_gettime(CLOCK_MONOTONIC, &begun);
    while (atomic_load(&e.host.shared->stop) == 0) {
        channel_alarm(&e.host);
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        if (atomic_load(&e.host.shared->snapshot_stop) != slept) {
            slept = atomic_load(&e.host.shared->snapshot_stop);
            begun = now;
        }
        cr_assert_lt(now.tv_sec - begun.tv_sec, LOST_S, "sleep %u did not end", slept);
    }
    cell_join(pid);
    ends_close(&e);
}

Test(park, no_alarm_is_lost, .timeout = 100)
{
    struct ends e;
    struct timespec begun, now;

    ends_open(&e);
    pid_t pid = cell_start(&e, watch);
    for (uint32_t i = 1; i <= ROUNDS; i++) {
        atomic_store(&e.host.shared->stop, i);
        channel_alarm(&e.host);
        (void)clock_gettime(CLOCK_MONOTONIC, &begun);
        while (atomic_load(&e.host.shared->snapshot_stop) < i) {
            (void)clock_gettime(CLOCK_MONOTONIC, &now);
            cr_assert_lt(now.tv_sec - begun.tv_sec, LOST_S, "alarm %u was not heard", i);
            (void)sched_yield();
        }
    }
    cell_join(pid);
    ends_close(&e);
}
