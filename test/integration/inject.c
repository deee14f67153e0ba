#include "inject.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct fault {
    enum fault_kind kind;
    int error;
    gbx_status status; /* that it must lead to */
} faults[FAULT_KINDS + 1] = {
    { FAULT_MEMORY, ENOMEM, GBX_ENOMEM },
    { FAULT_DESCRIPTOR, EMFILE, GBX_ESYS },
    { FAULT_MAP, ENOMEM, GBX_ENOMEM },
    { FAULT_WATCH, ENOSPC, GBX_ESYS },
    { FAULT_SPAWN, EAGAIN, GBX_ESYS },
    { FAULT_SPAWN, ENOMEM, GBX_ENOMEM },
};

gbx_status
ended(gbx_future *future, gbx_value **out, gbx_error *error)
{
    gbx_status status = gbx_future_wait(future, 60000000, error);

    cr_assert_neq(status, GBX_EBUSY, "it waits for ever");
    if (status == GBX_OK && out != NULL)
        *out = gbx_future_take_value(future);
    gbx_future_free(future);
    return status;
}

gbx_status
reported(gbx_status status, gbx_error *error)
{
    if (status != GBX_OK) {
        error->status = status;
        (void)snprintf(error->message, sizeof error->message, "%s", gbx_strstatus(status));
    }
    return status;
}

static void
libexec_set(void)
{
    cr_assert_eq(setenv("GLOVEBOX_LIBEXEC", LIBEXEC_DIR, 0), 0);
}

static void
expect_clean(const struct fault *fault, long n, gbx_status status, const gbx_error *error)
{
    if (status == GBX_ETHROW || status == GBX_EHOST) /* a host function failed, and said so */
        cr_assert(strstr(error->message, "memory") != NULL ||
                      (fault->error == EMFILE && strstr(error->message, "opened") != NULL),
            "fault %ld: %s", n, error->message);
    else
        cr_assert_eq(status, fault->status, "fault %ld of kind %d: status %d, %s", n,
            fault->kind, status, error->message);
    cr_assert_eq(error->status, status, "fault %ld of kind %d: %d is not what %d says", n,
        fault->kind, status, error->status);
    cr_assert_neq(error->message[0], '\0');
    cr_assert(status != GBX_ESYS || error->os_errno == fault->error,
        "fault %ld of kind %d: errno %d (%s)", n, fault->kind, error->os_errno, error->message);
}

/* An isolate that could not go on has said so in its certificate, and is replaced. */
static void
mend(struct world *w, const struct fault *fault, long n)
{
    const gbx_death *death = w->isolate == NULL ? NULL : gbx_isolate_death(w->isolate);

    if (w->runtime == NULL || (w->isolate != NULL && death == NULL))
        return;
    cr_assert(death == NULL || death->status == fault->status, "fault %ld of kind %d: died: %s",
        n, fault->kind, death->message);
    gbx_isolate_close(w->isolate);
    w->isolate = world_isolate(w, NULL);
    w->context = gbx_isolate_context(w->isolate);
}

/* Runs `work` with one fault after the other until it needs no more. Answers how many. */
static long
each(struct world *w, script work, const struct fault *fault, bool only_one)
{
    for (long n = 0;; n++) {
        gbx_error error = GBX_ERROR_INIT;
        size_t descriptors = descriptors_open();
        long blocks = fault_blocks();
        cr_assert_lt(n, 3000);
        fault_arm(fault->kind, n, only_one, fault->error);
        gbx_status status = work(w, &error);
        bool fired = fault_disarm();
        if (status != GBX_OK)
            cr_assert(fired, "nothing was injected: status %d, %s", status, error.message);
        if (status != GBX_OK)
            expect_clean(fault, n, status, &error);
        mend(w, fault, n);
        cr_assert_eq(descriptors_open(), descriptors, "fault %ld of kind %d: descriptors", n,
            fault->kind);
        if (w->runtime == NULL)
            cr_assert_eq(fault_blocks(), blocks, "fault %ld of kind %d: %ld blocks are left", n,
                fault->kind, fault_blocks() - blocks);
        else {
            error = (gbx_error)GBX_ERROR_INIT;
            status = work(w, &error);
            cr_assert_eq(status, GBX_OK, "after fault %ld of kind %d: status %d, %s", n,
                fault->kind, status, error.message);
        }
        if (!fired)
            return n;
    }
}

void
inject(script work, unsigned kinds, bool in_world)
{
    long total = 0, blocks = fault_blocks();
    struct world w = { NULL, NULL, NULL };

    libexec_set();
    if (in_world)
        w = world_open(NULL);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        for (int only_one = 0; only_one < 2; only_one++)
            if ((kinds >> faults[i].kind & 1) != 0)
                total += each(&w, work, &faults[i], only_one != 0);
    cr_assert_gt(total, 0, "it needs nothing at all");
    world_close(&w);
    cr_assert_eq(
        fault_blocks(), blocks, "%ld blocks are left in the end", fault_blocks() - blocks);
    (void)fprintf(stderr, "%ld faults\n", total);
}
