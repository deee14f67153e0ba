/* fuzz_death.c - what a dying cell leaves behind: any note, any status, beside calls that ran.
 *
 * A note may blame the guest within what was asked of it, and nothing else. */
#include "base/check.h"
#include "fuzz.h"
#include "input.h"
#include "unit/fake_cell.h"
#include "unit/faults.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

static struct fake_cell f;

/* What the note may make of the certificate, with CELL_EXIT_NOTED. */
static void
check_noted(const gbx_death *death, bool stopped)
{
    switch (death->status) {
    case GBX_EMEMORY:
        GBX_CHECK(
            death->limit == MEMORY_LIMIT_DEFAULT && death->cause <= GBX_MEMORY_ALLOCATION);
        break;
    case GBX_ETIMEOUT:
    case GBX_ECPU: /* of the calls below */
        GBX_CHECK(death->limit == 0 || (death->limit >= 1000000 && death->limit <= 1000510));
        break;
    case GBX_ETERMINATED:
        GBX_CHECK(stopped);
        break;
    case GBX_ESEAL:
        GBX_CHECK(f.isolate->received_bytes == 0);
        break;
    default:
        GBX_CHECK(death->status == GBX_ECRASHED || death->status == GBX_ESYS);
    }
}

static void
check(const gbx_death *death, int status, bool reported, bool stopped)
{
    GBX_CHECK(death != NULL && strlen(death->message) < sizeof f.isolate->death_message);
    GBX_CHECK(death->message[0] != '\0' || death->exit_code == CELL_EXIT_NOTED);
    GBX_CHECK(strlen(death->stack) < CHANNEL_NOTE_STACK);
    if (!reported)
        GBX_CHECK(death->status == GBX_ELOST);
    else if (WIFSIGNALED(status))
        GBX_CHECK(
            death->status == (WTERMSIG(status) == SIGSYS ? GBX_EVIOLATION : GBX_ECRASHED) &&
            death->signal == WTERMSIG(status));
    else if (WEXITSTATUS(status) != CELL_EXIT_NOTED)
        GBX_CHECK(death->status == GBX_ECRASHED && death->exit_code == WEXITSTATUS(status));
    else
        check_noted(death, stopped);
}

/* Calls with limits of their own, of which any may have been running. */
static void
ask(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        gbx_call_options options = GBX_CALL_OPTIONS_INIT;
        options.timeout_us = i % 2 == 0 ? 1000000 + i : 0;
        options.cpu_us = i % 3 == 0 ? 1000000 + 2 * i : 0;
        gbx_future_free(gbx_context_eval(gbx_isolate_context(f.isolate), "x", 1, &options));
    }
}

/* The account as its owner reads it, also with a struct of another size. */
static void
read_account(uint32_t size)
{
    gbx_usage usage = GBX_USAGE_INIT;

    usage.size = size;
    gbx_status status = gbx_isolate_usage(f.isolate, &usage);
    GBX_CHECK(status == GBX_OK || status == GBX_EDISPOSED ||
              (status == GBX_EINVAL && size < offsetof(gbx_usage, cpu_us)));
}

/* One byte each: flags, calls, size of the account; the wait status in two; then the note. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { span_of(data, size) };
    uint32_t flags = input_u8(&in), count = input_u8(&in), account = input_u8(&in);
    int status = (int)input_number(&in, 2);
    bool reported = (flags & 1) == 0, stopped = (flags & 2) != 0;

    if (WIFSTOPPED(status) || WIFCONTINUED(status)) /* no end: the template would not tell */
        status = 0;
    fake_cell_open(&f, NULL, reported ? FAKE_TEMPLATE : 0);
    GBX_CHECK(gbx_isolate_death(f.isolate) == NULL);
    ask(count);
    if (stopped)
        gbx_isolate_terminate(f.isolate);
    read_account(account);
    if ((flags & 16) != 0)
        (void)fake_cell_write(&f, span_of(&(const uint8_t){ 0 }, 1));
    if (in.left.len > 0)
        memcpy(f.side.note, in.left.p,
            in.left.len < sizeof *f.side.note ? in.left.len : sizeof *f.side.note);
    if ((flags & 8) != 0 && !reported) /* by our own hand, long after every deadline */
        (void)isolate_enforce(f.isolate, UINT64_MAX - 1);
    if (reported)
        fake_cell_report(&f, status, 1, 2);
    if ((flags & 4) != 0)
        fault_arm(FAULT_DESCRIPTOR, 0, true, EMFILE);
    bool killed = f.isolate->cell == NULL;
    if (!killed)
        isolate_ended(f.isolate);
    (void)fault_disarm();
    const gbx_death *death = gbx_isolate_death(f.isolate);
    if (killed)
        GBX_CHECK(death->status == GBX_ETIMEOUT || death->status == GBX_ECPU ||
                  death->status == GBX_ETERMINATED);
    else
        check(death, status, reported, stopped);
    read_account(sizeof(gbx_usage));
    fake_cell_close(&f);
    return 0;
}
