/* death.c - a cell's last words, and its exit. */
#include "cell/cell.h"

#include <stdio.h>
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
