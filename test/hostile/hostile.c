/* hostile.c - a cell that has been broken into: its guest can make any system call, and write any
 * byte that the cell can. For tests only: linked into cells of their own, never into glovebox's.
 *
 * The linker puts it in front of engine_after_fork() and channel_cell_sleep() (--wrap), so no
 * source of glovebox knows of it. A call of a host function whose first argument is one of the
 * names below does not reach the host; it is done here, in the cell, with the numbers that follow,
 * and answers a number:
 *
 *   !syscall nr a0 ... a5   the system call; -errno if it fails
 *   !fork flags             clone(flags); the child ends at once
 *   !stay flags             the same; the child sleeps for ever
 *   !steal then             waits for a request, of which nobody here hears, and forks; then the
 *                           child sleeps, and this one forks again (0) or crashes (1), or the
 *                           child and its children fork for ever, and this one loops (2)
 *   !twin how               waits for a request to fork, and answers it, but first tries to become
 *                           another cell (0), forks a snapshot child (1), or the twin becomes a
 *                           cell twice (2), forks before it is one (3), or ends at once (4)
 *   !i386 nr a0             by int 0x80
 *   !buffer                 address of 64 KiB that are ours
 *   !text t                 copies t there, with a NUL; its address
 *   !peek address bytes     a little-endian number of 1 to 8 bytes
 *   !poke address bytes n   writes one
 *   !shared, !note          address of the channel's first page, of the death note
 *   !say b ...              puts these bytes into the ring to the host, and rings
 *   !ring                   rings the host's bell
 *   !reply                  answers the request that runs, with undefined
 *   !touch address n step w reads a byte at each step, n times; writes it too, if w is not 0
 *   !signal n               sends it to ourselves, by raise()
 *   !spin                   never returns, looks at nothing
 *   !sleep                  the same without CPU time: FUTEX_WAIT for ever
 *   !mine                   from now on, when there is nothing to do, spins
 */
#include "base/check.h"
#include "cell/cell.h"
#include "wire/clone.h"

#include <errno.h>
#include <linux/futex.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    WORDS = 64
};

static struct engine_hooks hooks;
static bool mines;
static char buffer[1 << 16];
static struct buf answer_bytes = { .max = 64 };

static long
result_of(long n)
{
    return n < 0 ? -errno : n;
}

static long
do_fork(unsigned long flags)
{
    long pid = syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);

    if (pid == 0)
        (void)syscall(SYS_exit, 0);
    return result_of(pid);
}

static __attribute__((noreturn)) void
do_sleep(void)
{
    static uint32_t word;

    for (;;)
        (void)syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0);
}

static long
do_stay(unsigned long flags)
{
    long pid = syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);

    if (pid == 0)
        do_sleep();
    return result_of(pid);
}

static long
do_touch(long address, long count, long step, bool writes)
{
    volatile char *at = (volatile char *)address;

    for (long i = 0; i < count; i++)
        if (writes)
            at[i * step] = 1;
        else
            (void)at[i * step];
    return count;
}

static long
do_i386(long number, long argument)
{
#if defined(__x86_64__)
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(argument) : "memory");
    return result;
#else
    return number + argument < 0 ? 0 : -ENOSYS;
#endif
}

static long
do_peek(long address, long bytes)
{
    uint64_t n = 0;

    memcpy(&n, (const void *)address, (size_t)bytes & 15);
    return (long)n;
}

static long
do_poke(long address, long bytes, long value)
{
    memcpy((void *)address, &value, (size_t)bytes & 15);
    return 0;
}

static long
do_say(struct cell *cell, const long *a, uint32_t count)
{
    uint8_t bytes[WORDS];

    for (uint32_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)a[i];
    size_t n = ring_put(&cell->channel.out, span_of(bytes, count));
    ring_publish(&cell->channel.out);
    channel_wake_host(&cell->channel, CHANNEL_WANTS_DATA, cell->event_fd);
    return (long)n;
}

static long
do_reply(struct cell *cell)
{
    answer_done(cell, cell->current->id);
    return 0;
}

static long
do_ring(struct cell *cell)
{
    uint64_t one = 1;

    return result_of(write(cell->event_fd, &one, sizeof one));
}

static __attribute__((noreturn)) void
do_spin(void)
{
    for (volatile int i = 0;; i++)
        ;
}

static long
do_steal(struct cell *cell, long then)
{
    uint32_t before = atomic_load(&cell->channel.shared->to_cell.head);

    while (atomic_load(&cell->channel.shared->to_cell.head) == before)
        ;
    long pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    while (pid == 0 && then == 2)
        (void)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid == 0)
        do_sleep();
    if (then == 0)
        (void)do_stay(SIGCHLD);
    if (then == 1)
        (void)raise(SIGSEGV);
    do_spin();
}

static __attribute__((noreturn)) void
do_twin(struct cell *cell, long how)
{
    const struct queued *q = link_next(cell, UINT64_MAX);
    long pid = 1;

    if (how == 0)
        (void)syscall(SYS_setsid, TWIN_MARK);
    else
        pid = syscall(SYS_clone, how == 1 ? FORK_FLAGS : TWIN_FLAGS, NULL, NULL, NULL, NULL);
    if (pid == 0 && how == 2) {
        (void)syscall(SYS_setsid, TWIN_MARK);
        (void)syscall(SYS_setsid, TWIN_MARK);
    }
    if (pid == 0 && how == 3)
        (void)syscall(SYS_clone, TWIN_FLAGS, NULL, NULL, NULL, NULL);
    if (pid == 0)
        (void)syscall(SYS_exit_group, 0);
    answer_done(cell, q->frame.id);
    do_sleep();
}

/* True if it is one of ours. */
static bool
act(struct cell *cell, const char *name, const long *a, uint32_t n, long *result)
{
    if (strcmp(name, "!syscall") == 0)
        *result = result_of(syscall(a[0], a[1], a[2], a[3], a[4], a[5], a[6]));
    else if (strcmp(name, "!fork") == 0)
        *result = do_fork((unsigned long)a[0]);
    else if (strcmp(name, "!stay") == 0)
        *result = do_stay((unsigned long)a[0]);
    else if (strcmp(name, "!steal") == 0)
        *result = do_steal(cell, a[0]);
    else if (strcmp(name, "!twin") == 0)
        do_twin(cell, a[0]);
    else if (strcmp(name, "!reply") == 0)
        *result = do_reply(cell);
    else if (strcmp(name, "!touch") == 0)
        *result = do_touch(a[0], a[1], a[2], a[3] != 0);
    else if (strcmp(name, "!i386") == 0)
        *result = do_i386(a[0], a[1]);
    else if (strcmp(name, "!buffer") == 0 || strcmp(name, "!text") == 0)
        *result = (long)(uintptr_t)buffer;
    else if (strcmp(name, "!peek") == 0)
        *result = do_peek(a[0], a[1]);
    else if (strcmp(name, "!poke") == 0)
        *result = do_poke(a[0], a[1], a[2]);
    else if (strcmp(name, "!shared") == 0)
        *result = (long)(uintptr_t)cell->channel.shared;
    else if (strcmp(name, "!note") == 0)
        *result = (long)(uintptr_t)cell->channel.note;
    else if (strcmp(name, "!say") == 0)
        *result = do_say(cell, a, n);
    else if (strcmp(name, "!ring") == 0)
        *result = do_ring(cell);
    else if (strcmp(name, "!signal") == 0)
        *result = result_of(raise((int)a[0]));
    else if (strcmp(name, "!spin") == 0)
        do_spin();
    else if (strcmp(name, "!sleep") == 0)
        do_sleep();
    else if (strcmp(name, "!mine") == 0)
        mines = true;
    else
        return false;
    return true;
}

/* Reads one argument: a number into *word, or a text into `text`. */
static void
take_argument(struct span bytes, long *word, char *text, size_t size)
{
    const char *why = NULL, *t;
    gbx_value *value = NULL;
    double number;
    size_t len;

    if (clone_read(bytes, NULL, &value, &why) != GBX_OK)
        return;
    if (gbx_value_get_number(value, &number) == GBX_OK)
        *word = number >= 9223372036854775807.0 ? (long)(uint64_t)number : (long)number;
    else if (gbx_value_get_string(value, &t, &len) == GBX_OK && len < size)
        memcpy(text, t, len + 1);
    gbx_value_free(value);
}

static void
call_host(void *data, uint32_t function, uint32_t count, struct buf *arguments,
    struct engine_answer *answer)
{
    struct span rest = buf_span(arguments), bytes;
    char name[32] = "", ignored[1];
    long words[WORDS] = { 0 }, result = 0;
    uint32_t n = 0;

    for (uint32_t i = 0; i < count && i <= WORDS && argument_next(&rest, &bytes); i++)
        if (i == 0)
            take_argument(bytes, &words[0], name, sizeof name);
        else if (strcmp(name, "!text") == 0)
            take_argument(bytes, &words[n++], buffer, sizeof buffer);
        else
            take_argument(bytes, &words[n++], ignored, sizeof ignored);
    if (!act(data, name, words, n, &result)) {
        cell_hooks.call_host(data, function, count, arguments, answer);
        return;
    }
    gbx_value *value = gbx_value_new_number((double)result);
    answer_bytes.len = 0;
    GBX_CHECK(value != NULL && clone_write(value, &answer_bytes) == GBX_OK);
    gbx_value_free(value);
    *answer =
        (struct engine_answer){ .kind = ENGINE_ANSWER_VALUE, .bytes = buf_span(&answer_bytes) };
}

void __real_channel_cell_sleep(struct channel *channel, uint32_t wants, uint64_t timeout_ns);
void __wrap_channel_cell_sleep(struct channel *channel, uint32_t wants, uint64_t timeout_ns);

/* Where the cell sleeps until its host wants something. */
void
__wrap_channel_cell_sleep(struct channel *channel, uint32_t wants, uint64_t timeout_ns)
{
    if (mines)
        do_spin();
    __real_channel_cell_sleep(channel, wants, timeout_ns);
}

void __real_engine_after_fork(
    const struct engine_hooks *given, void *cell, uint64_t seed, bool console);
void __wrap_engine_after_fork(
    const struct engine_hooks *given, void *cell, uint64_t seed, bool console);

void
__wrap_engine_after_fork(
    const struct engine_hooks *given, void *cell, uint64_t seed, bool console)
{
    hooks = *given;
    hooks.call_host = call_host;
    __real_engine_after_fork(&hooks, cell, seed, console);
}
