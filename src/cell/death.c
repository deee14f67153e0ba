/* death.c - a cell's last words, and its exit. */
#include "cell/cell.h"

#include "sandbox/sandbox.h"

#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static struct channel *bound;

void
death_bind(struct channel *channel)
{
    bound = channel;
}

void
death_note(gbx_status status, enum channel_note_detail detail, uint64_t limit,
    uint64_t measured, const char *message, struct span stack)
{
    if (bound != NULL && atomic_load(&bound->note->written) == 0) {
        struct channel_note *note = bound->note;
        size_t n = stack.len < CHANNEL_NOTE_STACK - 1 ? stack.len : CHANNEL_NOTE_STACK - 1;

        note->status = status;
        note->detail = detail;
        note->limit = limit;
        note->measured = measured;
        (void)snprintf(note->message, sizeof note->message, "%s", message);
        if (n > 0)
            memcpy(note->stack, stack.p, n);
        note->stack[n] = '\0';
        atomic_store(&note->written, 1);
    }
    _exit(CELL_EXIT_NOTED);
}

/* --- crashes --------------------------------------------------------------------------------
 */

enum {
    NULL_PAGES = 64 * 1024 /* an address below is NULL, or a field behind it */
};

static uint64_t memory_limit_bytes;
static pid_t filtered; /* the process that the filter lets signal itself */

static bool
memory_is_out(uint64_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED)
        return true;
    (void)munmap(p, bytes);
    return false;
}

bool
death_memory_is_out(void)
{
    return memory_is_out(MEMORY_PROBE_BYTES);
}

void
death_of_allocation(const char *message, struct span stack)
{
    death_note(GBX_EMEMORY, CHANNEL_NOTE_ALLOCATION, memory_limit_bytes,
        sandbox_memory_ceiling(memory_limit_bytes), message, stack);
}

/* Not everybody looks at what malloc answers: ICU does not, and dies of its NULL, also of one that
 * only something large was answered with. The handler has been taken away before it runs, so that
 * what is no lack of memory ends as it would have. */
static void
on_crash(int signal, siginfo_t *info, void *context)
{
    bool null = signal == SIGSEGV && info->si_code > 0 && (uintptr_t)info->si_addr < NULL_PAGES;

    (void)context;
    if (memory_is_out(null ? memory_limit_bytes : MEMORY_PROBE_BYTES))
        death_of_allocation(
            "the kernel refused more memory, and that ended in a crash", span_of(NULL, 0));
    if (info->si_code > 0)
        return;
    /* Sent by somebody, so it does not come again by itself. */
    if (getpid() != filtered)
        __builtin_trap();
    (void)raise(signal);
}

void
death_catch_crashes(uint64_t memory_limit)
{
    static const int signals[] = { SIGSEGV, SIGBUS, SIGABRT };
    struct sigaction action = { .sa_sigaction = on_crash,
        .sa_flags = (int)(SA_SIGINFO | SA_RESETHAND | SA_NODEFER) };

    memory_limit_bytes = memory_limit;
    filtered = getpid();
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        (void)sigaction(signals[i], &action, NULL);
}
