/* death.c - how an isolate died: the kernel's word first, the cell's own note after it. */
#include "host/snapshot.h"

#include "base/clock.h"
#include "base/error.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* --- the certificate ------------------------------------------------------------------------ */

/* The limit of the call that was running: of those that may be, the tightest. */
static uint64_t
running_limit(const gbx_isolate *isolate, gbx_status status)
{
    uint32_t cursor = 0, id;
    const gbx_future *future;
    uint64_t tightest = 0;

    while ((future = table_next(&isolate->futures, &cursor, &id)) != NULL) {
        uint64_t limit = status == GBX_ECPU ? future->cpu_us : future->wall_us;
        if (limit != 0 && future_has_begun(future) && (tightest == 0 || limit < tightest))
            tightest = limit;
    }
    return tightest;
}

/* A note is a claim. It may name only what a cell can know, and is shown as what it is. */
static bool
read_note(gbx_isolate *isolate)
{
    const struct channel_note *shared = isolate->cell->channel.note;
    struct channel_note note;
    gbx_death *death = &isolate->death;

    memcpy(&note, shared, sizeof note);
    if (note.written != 1 || note.message[0] == '\0')
        return false;
    note.message[sizeof note.message - 1] = '\0';
    note.stack[sizeof note.stack - 1] = '\0';
    switch (note.status) {
    case GBX_EMEMORY:
        death->limit = isolate->options.memory_limit_bytes;
        death->measured = note.measured;
        death->cause = note.detail < CHANNEL_NOTE_DETAILS ? note.detail : 0;
        break;
    case GBX_ETIMEOUT:
    case GBX_ECPU:
        death->limit = running_limit(isolate, note.status);
        break;
    case GBX_ETERMINATED:
        if (atomic_load(&isolate->stops) == 0)
            return false;
        break;
    case GBX_ESEAL:
        if (isolate->received_bytes != 0) /* it has served, so it was sealed */
            return false;
        break;
    case GBX_ECRASHED:
    case GBX_ESYS:
        break;
    default:
        return false;
    }
    death->status = note.status;
    text_copy(isolate->death_message, sizeof isolate->death_message, note.message,
        strlen(note.message));
    text_copy(
        isolate->death_stack, sizeof isolate->death_stack, note.stack, strlen(note.stack));
    return true;
}

static void
say(gbx_isolate *isolate, gbx_status status, const char *text)
{
    isolate->death.status = status;
    text_copy(isolate->death_message, sizeof isolate->death_message, text, strlen(text));
}

static void
classify(gbx_isolate *isolate)
{
    gbx_death *death = &isolate->death;
    const struct cell *cell = isolate->cell;
    char text[128];

    if (isolate->killed_for != GBX_OK) {
        say(isolate, isolate->killed_for, isolate->killed_why);
        if (isolate->killed_for == GBX_ETIMEOUT || isolate->killed_for == GBX_ECPU)
            death->limit = running_limit(isolate, isolate->killed_for);
        return;
    }
    if (!cell->exited) {
        say(isolate, GBX_ELOST, "the cell died with its template or zygote process");
        return;
    }
    if (WIFSIGNALED(cell->wait_status)) {
        death->signal = WTERMSIG(cell->wait_status);
        (void)snprintf(text, sizeof text, "the cell was ended by signal %d (%s)", death->signal,
            strsignal(death->signal));
        if (death->signal == SIGSYS)
            say(isolate, GBX_EVIOLATION,
                "the cell made a system call that its sandbox forbids");
        else
            say(isolate, GBX_ECRASHED, text);
        return;
    }
    death->exit_code = WEXITSTATUS(cell->wait_status);
    if (death->exit_code == CELL_EXIT_NOTED && read_note(isolate))
        return;
    (void)snprintf(
        text, sizeof text, "the cell exited by itself with code %d", death->exit_code);
    say(isolate, GBX_ECRASHED, text);
}

void
death_certify(gbx_isolate *isolate, gbx_error *error)
{
    gbx_usage usage = GBX_USAGE_INIT;
    gbx_death *death = &isolate->death;

    *death = (gbx_death){ .size = sizeof *death,
        .exit_code = -1,
        .message = isolate->death_message,
        .stack = isolate->death_stack,
        .last_function = isolate->last_function };
    (void)gbx_isolate_usage(isolate, &usage); /* should there be nobody to tell the end */
    if (cell_wait_exit(isolate->cell, EXIT_TIMEOUT_US)) {
        usage.cpu_us = isolate->cell->cpu_us;
        usage.resident_bytes = isolate->cell->resident_bytes;
    }
    classify(isolate);
    limit_certify(isolate);
    death->cpu_us = usage.cpu_us;
    death->resident_bytes = usage.resident_bytes;
    death->lived_us = now_us() - isolate->opened_us;

    error->status = death->status;
    error->signal = death->signal;
    error->limit = death->limit;
    error->measured = death->measured;
    text_copy(error->message, sizeof error->message, death->message, strlen(death->message));
    text_copy(error->stack, sizeof error->stack, death->stack, strlen(death->stack));
}

const gbx_death *
gbx_isolate_death(const gbx_isolate *isolate)
{
    return isolate->has_died ? &isolate->death : NULL;
}
