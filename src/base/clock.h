/* clock.h - the one clock: CLOCK_MONOTONIC. Deadlines must not follow a change of the date. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t
clock_ns_of(clockid_t id)
{
    struct timespec t;

    (void)clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Nanoseconds and microseconds since an arbitrary start. About 25 ns a call (vDSO). */
static inline uint64_t
now_ns(void)
{
    return clock_ns_of(CLOCK_MONOTONIC);
}

static inline uint64_t
now_us(void)
{
    return now_ns() / 1000;
}

#endif
