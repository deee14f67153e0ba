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

#endif
