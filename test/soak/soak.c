/* soak.c - everything at random, with faults, for as long as one likes; at the end nothing is left.
 *
 * usage: soak MINUTES [SEED]
 *
 * A fixed number of isolates is kept alive in one runtime. Each step picks an action and an
 * isolate at random; the answers of what was started are looked at when they come. Guests run out
 * of memory, loop, crash; cells, templates and the zygote are killed. Every answer must be one of
 * those that its action allows, isolates that die are replaced, and whenever all have been closed
 * the process has the descriptors and children that it began with, and no more memory than after
 * the first rounds.
 */
#include "soak/actions.h"
#include "soak/processes.h"

#include <dirent.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    ROUND_STEPS = 400, /* actions between two times that all is closed and counted */
    WARM_ROUNDS = 10,  /* after which memory should grow no more */
    GROWTH_BYTES_MAX =
        24 << 20,          /* malloc's fragments, and the pools' cells; a leak passes it */
    DESCRIPTORS_MORE = 24, /* a pool's waiting cell has six, and how many wait is by chance */
    SETTLE_US = 60000000   /* the longest that anything open may stay so */
};

static uint64_t
seconds_now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec;
}

static size_t
descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    size_t count = 0;

    while (directory != NULL && readdir(directory) != NULL)
        count++;
    (void)closedir(directory);
    return count;
}

static size_t
resident_bytes(void)
{
    unsigned long all, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    if (f != NULL && fscanf(f, "%lu %lu", &all, &resident) != 2)
        resident = 0;
    (void)fclose(f);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* Waits for all that is open, closes every isolate. False: something never ended. */
static bool
close_all(struct soak *soak)
{
    uint64_t until = seconds_now() + SETTLE_US / 1000000;

    soak->closing = true;
    soak_settle_deferred(soak);
    for (int i = 0; i < SOAK_ISOLATES; i++)
        if (soak->slots[i].isolate != NULL)
            gbx_isolate_terminate(soak->slots[i].isolate);
    while (soak->open > 0) {
        if (seconds_now() > until)
            return false;
        (void)gbx_runtime_dispatch(soak->runtime, 100000);
        soak_settle_deferred(soak);
    }
    for (int i = 0; i < SOAK_ISOLATES; i++)
        soak_close(&soak->slots[i]);
    soak_settle_deferred(soak);
    soak_close_shared(soak);
    soak->closing = false;
    return true;
}

static void
tell(const struct soak *soak, unsigned rounds, size_t resident)
{
    (void)printf("round %u: %lu steps, %lu answers, %lu deaths, %zu KiB\n", rounds, soak->steps,
        soak->answers, soak->deaths, resident >> 10);
    (void)fflush(stdout);
}

/* One round; false, having said why, if something is left of it. */
static bool
run_round(struct soak *soak, unsigned round, size_t *warm_descriptors, size_t *warm_resident)
{
    for (int i = 0; i < ROUND_STEPS; i++)
        soak_step(soak);
    if (!close_all(soak)) {
        (void)printf("soak: %u calls never ended\n", soak->open);
        return false;
    }
    (void)malloc_trim(0);
    size_t now = descriptors(), resident = resident_bytes();
    if (round < WARM_ROUNDS) { /* templates and their pools come to be */
        *warm_descriptors = now > *warm_descriptors ? now : *warm_descriptors;
        *warm_resident = resident > *warm_resident ? resident : *warm_resident;
    }
    if (round % WARM_ROUNDS == 0)
        tell(soak, round, resident);
    if (now > *warm_descriptors + DESCRIPTORS_MORE ||
        resident > *warm_resident + GROWTH_BYTES_MAX) {
        (void)printf("soak: %zu descriptors, %zu at first; %zu KiB, %zu at first\n", now,
            *warm_descriptors, resident >> 10, *warm_resident >> 10);
        return false;
    }
    return soak->wrong == 0;
}

int
main(int argc, char **argv)
{
    unsigned long minutes = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
    struct soak soak = { .random = argc > 2 ? strtoul(argv[2], NULL, 10)
                                            : (unsigned long)time(NULL) };
    size_t before = descriptors(), warm_descriptors = 0, warm_resident = 0;
    gbx_error error = GBX_ERROR_INIT;
    unsigned round = 0;
    bool fine = true;

    if (minutes == 0) {
        (void)fprintf(stderr, "usage: soak MINUTES [SEED]\n");
        return 2;
    }
    (void)printf("soak: %lu minutes, seed %lu\n", minutes, soak.random);
    if (gbx_runtime_open(NULL, &soak.runtime, &error) != GBX_OK) {
        (void)fprintf(stderr, "soak: %s\n", error.message);
        return 1;
    }
    uint64_t until = seconds_now() + minutes * 60;
    while (fine && seconds_now() < until)
        fine = run_round(&soak, round++, &warm_descriptors, &warm_resident);
    gbx_runtime_close(soak.runtime);
    soak_table(&soak);
    if (descriptors() != before) {
        (void)printf("soak: %zu descriptors are left of %zu\n", descriptors(), before);
        fine = false;
    }
    if (soak_descendants(NULL) != 0) {
        (void)printf("soak: %d processes are left\n", soak_descendants(NULL));
        fine = false;
    }
    (void)printf("soak: %s after %u rounds: %lu steps, %lu answers, %lu deaths, %u wrong\n",
        fine ? "fine" : "FAILED", round, soak.steps, soak.answers, soak.deaths, soak.wrong);
    return fine ? 0 : 1;
}
