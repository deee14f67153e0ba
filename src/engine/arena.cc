/* arena.cc - malloc's arena, so that a forked cell makes few of its pages its own.
 *
 * Runs in:  template (arena_plug), cell (engine_trim).
 * Threads:  the engine's thread only.
 *
 * The template's arena is full of holes, and a cell that fills them copies a page for each. So
 * the template plugs them, and what a cell allocates comes from fresh pages at the top, which it
 * gives back whole. With a 30 KB library compiled, the arena's private part falls from 360 KiB
 * (bench/bench_memory.c).
 */
#include "engine/priv.h"

#include "base/limits.h"

#include <cstdlib>
#include <malloc.h>
#include <unistd.h>

/* Where the last chunk of the arena begins: from here on, all is fresh. */
static uintptr_t
top_begin(void)
{
    return reinterpret_cast<uintptr_t>(sbrk(0)) - mallinfo2().keepcost;
}

void
arena_plug(void)
{
    uintptr_t top = top_begin();
    size_t budget = ARENA_PLUG_BYTES;

    for (size_t size = 64 * KIB; size >= 24; size -= size / 8) {
        void *p;
        /* Kept for ever: that is the point. */
        while (size <= budget && (p = malloc(size)) != nullptr &&
               reinterpret_cast<uintptr_t>(p) < top)
            budget -= size;
        if (size <= budget)
            free(p);
    }
    (void)malloc_trim(0);
}

void
engine_trim(void)
{
    (void)malloc_trim(0);
}
