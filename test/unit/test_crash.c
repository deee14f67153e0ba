/* How a crash is told apart: for lack of memory, or not. Each victim is a process of its own. */
#include "cell/cell.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const uint64_t limit = 64 * MIB;

static void
exhaust(void)
{
    struct rlimit none = { 0, 0 };

    if (setrlimit(RLIMIT_DATA, &none) != 0)
        _exit(1);
}

static void
fault(void)
{
    /* Not NULL: the sanitizer would see that coming. */
    volatile int *p = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    *p = 1;
}

static void
send_segv(void)
{
    (void)kill(getpid(), SIGSEGV);
}

/* Runs a cell's crash; its wait status, and its note. */
static int
crash(bool memory_is_out, void (*how)(void), struct channel_note *note)
{
    struct channel channel;
    int fd = channel_memory_new(), status;

    cr_assert(channel_map(&channel, fd, false));
    pid_t pid = fork();
    if (pid == 0) {
        (void)setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
        death_bind(&channel);
        death_catch_crashes(limit);
        if (memory_is_out)
            exhaust();
        how();
        _exit(2);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    *note = *channel.note;
    channel_unmap(&channel);
    (void)close(fd);
    return status;
}

static void
expect_memory(void (*how)(void))
{
    struct channel_note note;
    int status = crash(true, how, &note);

    cr_assert(
        WIFEXITED(status) && WEXITSTATUS(status) == CELL_EXIT_NOTED, "%#x", (unsigned)status);
    cr_assert_eq(note.written, 1);
    cr_assert_eq(note.status, GBX_EMEMORY);
    cr_assert_eq(note.detail, CHANNEL_NOTE_ALLOCATION);
    cr_assert_eq(note.limit, limit);
    cr_assert_geq(note.measured, limit);
}

static void
expect_signal(void (*how)(void), int signal)
{
    struct channel_note note;
    int status = crash(false, how, &note);

    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == signal, "%#x", (unsigned)status);
    cr_assert_eq(note.written, 0);
}

Test(crash, without_memory_is_a_death_of_memory)
{
    expect_memory(fault);
    expect_memory(abort);
}

Test(crash, with_memory_is_a_crash)
{
    expect_signal(fault, SIGSEGV);
    expect_signal(abort, SIGABRT);
}

Test(crash, that_somebody_sends_ends_it_too)
{
    expect_signal(send_segv, SIGSEGV);
}
