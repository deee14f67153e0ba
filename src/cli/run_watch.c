/* run_watch.c - the snapshots that are taken while a program runs. */
#include "base/error.h"
#include "cli/run.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

static void
tell(const gbx_store_entry *entry)
{
    char size[UNITS_TEXT];

    units_show_bytes(entry->file_bytes, size);
    (void)complain(
        0, "snapshot %llu: %s, %s", (unsigned long long)entry->id, size, entry->path);
}

static void
on_snapshot(
    gbx_series *series, const gbx_store_entry *entry, const gbx_error *error, void *data)
{
    struct run *run = data;
    struct watch *watch = &run->watch;

    (void)series;
    watch->last = true;
    watch->error = (gbx_error)GBX_ERROR_INIT;
    if (entry != NULL) {
        watch->count++;
        tell(entry);
        return;
    }
    watch->error = *error;
    /* That the program dies is told by itself, and what fails at its end by run_lacks(). */
    if (!watch->ending && gbx_isolate_death(run->isolate) == NULL)
        (void)complain(0, "no snapshot: %s", error->message);
}

/* --- its way ---------------------------------------------------------------------------- */

/* The file's name, as the isolate is called; of code on the command line, the word for that. */
static void
choose_label(struct run *run)
{
    struct watch *watch = &run->watch;
    const char *name = run->options.watch.label;
    const char *slash = strrchr(run->program.name, '/');

    if (name != NULL) {
        text_copy(watch->label, sizeof watch->label, name, strlen(name));
        return;
    }
    name = slash != NULL ? slash + 1 : run->program.name;
    size_t len = strlen(name);
    if (len > 2 && name[0] == '<' && name[len - 1] == '>')
        text_copy(watch->label, sizeof watch->label, name + 1, len - 2);
    else
        text_copy(watch->label, sizeof watch->label, name, len);
}

static int
cannot(struct run *run, gbx_status status)
{
    return status == GBX_ENOMEM                               ? OUTCOME_SYSTEM
           : status == GBX_EINVAL && run->watch.store != NULL ? OUTCOME_USAGE
                                                              : OUTCOME_OUTPUT;
}

int
run_watch_open(struct run *run)
{
    const struct watch_options *o = &run->options.watch;
    gbx_store_options options = GBX_STORE_OPTIONS_INIT;
    struct watch *watch = &run->watch;

    if (run->command != &command_watch)
        return OUTCOME_OK;
    options.keep = o->keep;
    options.max_age_us = o->max_age_us;
    options.max_bytes = o->max_bytes;
    choose_label(run);
    gbx_status status = gbx_store_open(
        o->store != NULL ? o->store : SNAPSHOTS_STORE, &options, &watch->store, &run->error);
    if (status == GBX_OK && o->label != NULL && strlen(o->label) >= sizeof watch->label)
        return fail_with(&run->error, OUTCOME_USAGE, "--label: longer than %zu bytes",
            sizeof watch->label - 1);
    if (status == GBX_OK)
        status =
            gbx_store_limit_path(watch->store, watch->label, &watch->limit_path, &run->error);
    return status == GBX_OK ? OUTCOME_OK : cannot(run, status);
}

int
run_watch_begin(struct run *run)
{
    const struct watch_options *o = &run->options.watch;
    gbx_series_options options = GBX_SERIES_OPTIONS_INIT;
    struct watch *watch = &run->watch;

    if (watch->store == NULL)
        return OUTCOME_OK;
    options.label = watch->label;
    options.every_us = o->every_us;
    options.growth_bytes = o->growth_bytes;
    options.on_snapshot = on_snapshot;
    options.data = run;
    gbx_status status = gbx_series_open(
        run->runtime, run->isolate, watch->store, &options, &watch->series, &run->error);
    return status == GBX_OK ? OUTCOME_OK : cannot(run, status);
}

/* Serves the runtime until a snapshot has come, or failed. False: a signal came first. */
static bool
await_one(struct run *run)
{
    while (!run->watch.last && signals_caught() == 0) {
        struct pollfd fds[] = { { .fd = gbx_runtime_fd(run->runtime), .events = POLLIN },
            { .fd = signals_fd(), .events = POLLIN } };
        (void)out_flush(out());
        (void)out_flush(err());
        (void)poll(fds, 2, -1);
        (void)gbx_runtime_dispatch(run->runtime, 0);
    }
    return run->watch.last;
}

/* What was written at the limit gets its name and its entry. */
static void
find_at_limit(struct run *run)
{
    struct watch *watch = &run->watch;
    gbx_store_entry *entries = NULL;
    gbx_error error = GBX_ERROR_INIT;
    uint32_t count = 0;

    const gbx_death *death = gbx_isolate_death(run->isolate);
    if (death->snapshot == NULL && death->snapshot_error[0] != '\0')
        (void)complain(0, "no heap snapshot at the limit: %s", death->snapshot_error);
    if (death->snapshot == NULL || run->options.limit_snapshot != NULL)
        return;
    gbx_status status = gbx_store_sync(watch->store, &error);
    if (status == GBX_OK)
        status = gbx_store_list(watch->store, watch->label, &entries, &count, &error);
    if (status != GBX_OK)
        (void)complain(0, "the snapshot at the limit waits to be entered: %s", error.message);
    else if (count > 0 && entries[count - 1].reason == GBX_STORE_LIMIT) {
        watch->count++;
        tell(&entries[count - 1]);
    }
    free(entries);
}

void
run_watch_end(struct run *run)
{
    struct watch *watch = &run->watch;

    if (watch->series == NULL || signals_caught() != 0)
        return;
    if (gbx_isolate_death(run->isolate) != NULL) {
        find_at_limit(run);
        return;
    }
    watch->ending = true;
    for (int i = 0; i < 2; i++) { /* the second time behind one that was under way */
        watch->last = false;
        gbx_status status = gbx_series_take(watch->series);
        if ((status != GBX_OK && status != GBX_EBUSY) || !await_one(run))
            return;
        if (status == GBX_OK)
            break;
    }
    if (watch->error.status != GBX_OK)
        run_lacks(run, "heap snapshot", watch->error.status, &watch->error);
}

void
run_watch_close(struct run *run)
{
    gbx_series_close(run->watch.series);
    gbx_store_close(run->watch.store);
    free(run->watch.limit_path);
}
