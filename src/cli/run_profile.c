/* run_profile.c - the profiles of a run: begun before its first script, written at its end. */
#include "base/limits.h"
#include "cli/run.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

static const struct {
    const char *what, *prefix, *suffix;
} profiles[] = {
    [GBX_PROFILE_CPU] = { "CPU profile", "CPU", "cpuprofile" },
    [GBX_PROFILE_HEAP] = { "heap profile", "Heap", "heapprofile" },
};

/* FILE of the flag; without one, a name of the time and of this process, as Node.js makes it. */
static const char *
name_of(struct run_profile *profile, uint32_t kind, const char *file)
{
    struct tm tm;
    time_t now = time(NULL);
    char when[32];

    if (file[0] != '\0')
        return file;
    if (localtime_r(&now, &tm) == NULL ||
        strftime(when, sizeof when, "%Y%m%d.%H%M%S", &tm) == 0)
        when[0] = '\0';
    (void)snprintf(profile->name, sizeof profile->name, "%s.%s.%d.%s", profiles[kind].prefix,
        when, (int)getpid(), profiles[kind].suffix);
    return profile->name;
}

void
run_profiles_begin(struct run *run)
{
    const char *const files[] = { run->options.cpu_profile, run->options.heap_profile };

    for (uint32_t kind = 0; kind < PROFILE_KINDS; kind++) {
        gbx_profile_options options = GBX_PROFILE_OPTIONS_INIT;
        if (files[kind] == NULL)
            continue;
        options.kind = kind;
        options.path = name_of(&run->profile[kind], kind, files[kind]);
        run->profile[kind].future = gbx_profile(run->isolate, &options);
    }
}

void
run_profiles_end(struct run *run)
{
    for (uint32_t kind = 0; kind < PROFILE_KINDS; kind++) {
        struct run_profile *profile = &run->profile[kind];
        gbx_error error = GBX_ERROR_INIT;
        if (profile->future == NULL)
            continue;
        (void)gbx_profile_stop(run->isolate, kind); /* unless it has failed already */
        gbx_status status =
            run_await(run, profile->future, PROFILE_ANSWER_US + RUN_ANSWER_US, &error);
        if (status != GBX_OK)
            run_lacks(run, profiles[kind].what, status, &error);
        else if (profile->name[0] != '\0')
            (void)complain(0, "%s: %s", profiles[kind].what, profile->name);
        gbx_future_free(profile->future);
        profile->future = NULL;
    }
}
