/* hostile.h - what the tests of a hostile cell ask again and again. */
#ifndef UNIT_HOSTILE_H
#define UNIT_HOSTILE_H

#include "fake_cell.h"

#include <criterion/criterion.h>
#include <signal.h>

static inline struct frame_tag
tag(uint32_t id)
{
    return (struct frame_tag){ .id = id };
}

/* What was said has ended the cell, for this reason and by SIGKILL. */
static inline void
condemned(struct fake_cell *f, const char *why)
{
    const gbx_death *death = gbx_isolate_death(f->isolate);

    cr_assert_not_null(death, "it was believed");
    cr_assert_eq(death->status, GBX_EPROTO);
    cr_assert_str_eq(death->message, why);
    cr_assert_null(f->isolate->cell);
    cr_assert_eq(fake_cell_reap(f), SIGKILL);
}

static inline void
still_trusted(struct fake_cell *f)
{
    cr_assert_null(gbx_isolate_death(f->isolate));
    cr_assert_not_null(f->isolate->cell);
    cr_assert(fake_cell_runs(f));
}

/* An open request of the host, wanted with these flags. */
static inline gbx_future *
asked(struct fake_cell *f, uint32_t flags)
{
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;
    struct frame frame;

    options.flags = flags;
    gbx_future *future = gbx_context_eval(gbx_isolate_context(f->isolate), "x", 1, &options);
    cr_assert_not(future->finished);
    do
        cr_assert(fake_cell_hear(f, &frame));
    while (frame.type == MESSAGE_REFERENCES_CLOSE); /* goes ahead of the next request */
    cr_assert_eq(frame.type, MESSAGE_EVAL);
    cr_assert_eq(frame.id, future->id);
    return future;
}

/* The same, and the open request knows it. */
static inline void
ending_with(struct fake_cell *f, gbx_future *open, const char *why)
{
    gbx_error error = GBX_ERROR_INIT;

    condemned(f, why);
    cr_assert_eq(gbx_future_status(open, &error), GBX_EPROTO);
    cr_assert_str_eq(error.message, why);
    cr_assert_null(gbx_future_value(open));
    gbx_future_free(open);
}

#endif
