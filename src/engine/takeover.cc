/* takeover.cc - how a plain node binary becomes ours.
 *
 * Runs in:  the engine's process, from its first instruction of user code on.
 * Threads:  madvise() from any thread; the rest before there are threads.
 *
 * The dynamic loader preloads this object, so its definitions come before libc's. The binary's
 * _start calls our __libc_start_main, which hands libc another main: V8's static constructors
 * run, nothing of Node does.
 */
#include "engine/priv.h"

#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORT extern "C" __attribute__((visibility("default")))

typedef int main_function(int, char **, char **);
typedef int start_function(
    main_function *, int, char **, void (*)(void), void (*)(void), void (*)(void), void *);

static int
enter(int argc, char **argv, char **)
{
    return glovebox_main(argc, argv);
}

EXPORT int __libc_start_main(main_function *, int argc, char **argv, void (*init)(void),
    void (*fini)(void), void (*rtld_fini)(void), void *stack_end);

int
__libc_start_main(main_function *, int argc, char **argv, void (*init)(void),
    void (*fini)(void), void (*rtld_fini)(void), void *stack_end)
{
    auto start = reinterpret_cast<start_function *>(dlsym(RTLD_NEXT, "__libc_start_main"));

    if (start == nullptr) {
        (void)fputs("glovebox: the C library has no __libc_start_main\n", stderr);
        _exit(127);
    }
    return start(enter, argc, argv, init, fini, rtld_fini, stack_end);
}

/* Of a cell: whose number its filter knows. A twin has another, and may not signal itself. */
static pid_t filtered;

void
takeover_filtered(void)
{
    filtered = getpid();
}

EXPORT void abort(void) noexcept __attribute__((noreturn));

/* Where V8 gives up. In a twin the C library's would end as a violation, which it is not. */
void
abort(void) noexcept
{
    auto real = reinterpret_cast<void (*)(void)>(dlsym(RTLD_NEXT, "abort"));

    if (real != nullptr && (filtered == 0 || filtered == getpid()))
        real();
    __builtin_trap();
}

/* V8 marks its heap MADV_DONTFORK in this build; without it a forked cell would find holes
 * where its heap was. Every other advice passes. */
EXPORT int
madvise(void *address, size_t length, int advice) noexcept
{
    if (advice == MADV_DONTFORK)
        return 0;
    return static_cast<int>(syscall(SYS_madvise, address, length, advice));
}
