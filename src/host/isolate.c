/* isolate.c - one isolate's traffic and life. */
#include "host/host.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- counting ------------------------------------------------------------------------------- */

void
scratch_unref(struct scratch *scratch)
{
    if (scratch == NULL || --scratch->refs > 0)
        return;
    buf_done(&scratch->out);
    buf_done(&scratch->body);
    free(scratch);
}

void
isolate_ref(gbx_isolate *isolate)
{
    isolate->refs++;
}

static void
isolate_free(gbx_isolate *isolate)
{
    uint32_t id;
    struct function *function;
    struct outgoing *o;

    while ((function = table_any(&isolate->functions, &id)) != NULL)
        free(table_remove(&isolate->functions, id));
    while ((o = isolate->first_out) != NULL) {
        isolate->first_out = o->next;
        buf_done(&o->bytes);
        free(o);
    }
    table_done(&isolate->functions);
    table_done(&isolate->futures);
    table_done(&isolate->contexts);
    table_done(&isolate->inspectors);
    frame_reader_done(&isolate->reader);
    scratch_unref(isolate->scratch);
    free(isolate->context);
    free(isolate);
}

void
isolate_unref(gbx_isolate *isolate)
{
    GBX_CHECK(isolate->refs > 0);
    if (--isolate->refs == 0)
        isolate_free(isolate);
}

/* --- out ------------------------------------------------------------------------------------ */

struct frame_tag
isolate_tag(const gbx_isolate *isolate, uint32_t id)
{
    return (struct frame_tag){ .id = id, .nesting = (uint16_t)isolate->nesting };
}

/* Puts what there is room for; true when all of it went. */
static bool
put_some(gbx_isolate *isolate, const struct buf *bytes, size_t *sent)
{
    struct channel *channel = &isolate->cell->channel;
    size_t n;

    do {
        size_t piece =
            bytes->len - *sent < RING_PIECE_BYTES ? bytes->len - *sent : RING_PIECE_BYTES;
        n = ring_put(&channel->out, span_of(bytes->p + *sent, piece));
        if (n > 0) {
            ring_publish(&channel->out);
            channel_wake_cell(channel, CHANNEL_WANTS_DATA);
            *sent += n;
            isolate->sent_bytes += n;
        }
    } while (n > 0 && *sent < bytes->len);
    return *sent == bytes->len;
}

gbx_status
isolate_send(gbx_isolate *isolate)
{
    struct buf *out = &isolate->scratch->out;
    size_t sent = 0;

    if (isolate->cell == NULL || out->failed) {
        gbx_status status = isolate->cell == NULL ? GBX_EDISPOSED : GBX_ETOOBIG;
        out->len = 0;
        out->failed = false;
        return status;
    }
    if (isolate->first_out == NULL && put_some(isolate, out, &sent)) {
        if (out->capacity > FRAME_KEPT_BYTES)
            buf_done(out);
        out->len = 0;
        return GBX_OK;
    }
    if (sent == 0 && isolate->queued_bytes + out->len > OUTGOING_BYTES_MAX) {
        out->len = 0;
        return GBX_ELIMIT;
    }
    struct outgoing *o = malloc(sizeof *o);
    if (o == NULL) {
        /* Half a message cannot be taken back. */
        if (sent > 0)
            isolate_condemn(isolate, GBX_ENOMEM, "no memory for the rest of a message");
        out->len = 0;
        return GBX_ENOMEM;
    }
    *o = (struct outgoing){ .bytes = *out, .sent = sent };
    *out = (struct buf){ .max = out->max };
    *isolate->last_out = o;
    isolate->last_out = &o->next;
    isolate->queued_bytes += o->bytes.len - sent;
    if (isolate->pumping == 0)
        isolate_rest(isolate); /* the cell must ring when it has made room */
    return GBX_OK;
}

static bool
flush(gbx_isolate *isolate)
{
    bool moved = false;

    while (isolate->first_out != NULL) {
        struct outgoing *o = isolate->first_out;
        size_t before = o->sent;
        bool whole = put_some(isolate, &o->bytes, &o->sent);
        isolate->queued_bytes -= o->sent - before;
        moved |= o->sent > before;
        if (!whole)
            break;
        isolate->first_out = o->next;
        if (o->next == NULL)
            isolate->last_out = &isolate->first_out;
        buf_done(&o->bytes);
        free(o);
    }
    return moved;
}

void
isolate_urge(gbx_isolate *isolate)
{
    if (isolate->cell != NULL)
        channel_alarm(&isolate->cell->channel);
}

/* --- in ------------------------------------------------------------------------------------- */

/* A body's buffer is there for whichever isolate reads next. */
static void
give_back(gbx_isolate *isolate, struct buf *body)
{
    struct buf *spare = &isolate->scratch->body;

    body->len = 0;
    if (spare->p == NULL && body->capacity <= FRAME_KEPT_BYTES) {
        *spare = *body;
        *body = (struct buf){ .max = spare->max };
    }
    buf_done(body);
}

/* One whole message, if there is one. Its body leaves the reader while it is handled, since
 * handling may mean a host function that waits for further messages. */
static bool
take_message(gbx_isolate *isolate)
{
    struct frame_reader *reader = &isolate->reader;
    struct channel *channel = &isolate->cell->channel;
    uint8_t *into;
    size_t wants;

    if (reader->body.p == NULL) {
        reader->body = isolate->scratch->body;
        isolate->scratch->body = (struct buf){ .max = reader->body.max };
    }
    while ((wants = frame_reader_wants(reader, &into)) > 0) {
        size_t n = ring_take(&channel->in, into, wants);
        if (n == 0)
            break;
        isolate->received_bytes += n;
        channel_wake_cell(channel, CHANNEL_WANTS_SPACE);
        if (!frame_reader_got(reader, n))
            continue;
        struct frame frame = reader->frame;
        struct buf body = reader->body;
        reader->body = (struct buf){ .max = body.max };
        frame_next(reader);
        (void)receive(isolate, &frame); /* a cell that broke a rule is gone by now */
        give_back(isolate, &body);
        return true;
    }
    if (!frame_reader_midway(reader))
        give_back(isolate, &reader->body);
    if (reader->broken)
        isolate_condemn(isolate, GBX_EPROTO, reader->why);
    else if (channel->in.lied || channel->out.lied)
        isolate_condemn(isolate, GBX_EPROTO, "impossible position in the ring");
    return false;
}

bool
isolate_service(gbx_isolate *isolate)
{
    bool any = false;

    for (int i = 0; i < MESSAGES_PER_TURN && isolate->cell != NULL; i++) {
        if (!take_message(isolate))
            break;
        any = true;
    }
    if (isolate->cell != NULL && isolate->first_out != NULL)
        any |= flush(isolate);
    if (isolate->cell != NULL && isolate->snapshot != NULL)
        any |= snapshot_service(isolate);
    return any;
}

/* Takes what had come when it was called. What goes on writing does not hold us. */
static void
take_last(gbx_isolate *isolate)
{
    for (unsigned i = 0; i < LAST_TURNS && isolate_service(isolate); i++)
        ;
}

/* --- waiting -------------------------------------------------------------------------------- */

static uint32_t
wants_of(const gbx_isolate *isolate)
{
    return CHANNEL_WANTS_DATA | (isolate->first_out != NULL ? CHANNEL_WANTS_SPACE : 0u) |
           (isolate->snapshot != NULL ? CHANNEL_WANTS_SNAPSHOT : 0u);
}

void
isolate_rest(gbx_isolate *isolate)
{
    uint64_t one = 1;

    /* What came in the meantime rings our own bell: the next dispatch takes it. */
    if (isolate->cell != NULL && isolate->pumping == 0 &&
        channel_host_wants(&isolate->cell->channel, wants_of(isolate)) &&
        write(isolate->cell->event_fd, &one, sizeof one) < 0)
        return; /* full: rung already */
}

/* Sleeps until the cell rings or dies, or until `until_us`. */
static void
pump_sleep(gbx_isolate *isolate, uint64_t until_us)
{
    struct cell *cell = isolate->cell;
    struct pollfd fds[] = { { .fd = cell->event_fd, .events = POLLIN },
        { .fd = cell->pidfd, .events = POLLIN } };
    struct timespec timeout, *wait = NULL;
    uint64_t now = now_us(), count;

    if (isolate->next_kill_us < until_us)
        until_us = isolate->next_kill_us;
    if (until_us != UINT64_MAX) {
        uint64_t left = until_us > now ? until_us - now : 0;
        timeout = (struct timespec){ (time_t)(left / 1000000), (long)(left % 1000000) * 1000 };
        wait = &timeout;
    }
    if (channel_host_wants(&cell->channel, wants_of(isolate))) {
        channel_host_awake(&cell->channel);
        return;
    }
    int n = ppoll(fds, 2, wait, NULL);
    channel_host_awake(&cell->channel);
    if (n > 0 && fds[0].revents != 0 && read(cell->event_fd, &count, sizeof count) < 0 &&
        errno != EAGAIN)
        return;
    if (n > 0 && fds[1].revents != 0)
        isolate_ended(isolate);
}

/* Looks at the clock: enforces deadlines, and answers whether `until_us` has come. */
static bool
time_is_up(gbx_isolate *isolate, uint64_t until_us)
{
    if (until_us == UINT64_MAX && isolate->next_kill_us == UINT64_MAX)
        return false;
    uint64_t now = now_us();
    if (now >= isolate->next_kill_us)
        (void)isolate_enforce(isolate, now);
    return now >= until_us;
}

bool
isolate_pump(gbx_isolate *isolate, const bool *done, uint64_t until_us)
{
    uint64_t started = 0, spun = 0;
    bool under_way = false; /* part of a message has been moved */
    unsigned turns = 0;

    isolate->pumping++;
    if (isolate->cell != NULL)
        channel_host_awake(&isolate->cell->channel);
    while (!*done && isolate->cell != NULL) {
        if (isolate_service(isolate)) {
            if (started != 0 && !under_way)
                spinner_learn(&isolate->spinner, now_ns() - started);
            started = 0;
            if (++turns % TURNS_PER_LOOK == 0 && !*done && time_is_up(isolate, until_us))
                break;
            continue;
        }
        if (isolate->cell == NULL || *done)
            break;
        if (started == 0)
            started = now_ns();
        if (time_is_up(isolate, until_us))
            break;
        if (isolate->cell == NULL || *done)
            break;
        under_way = isolate->first_out != NULL || frame_reader_midway(&isolate->reader);
        if (!spinner_spin(&isolate->spinner, &isolate->cell->channel, wants_of(isolate),
                under_way, &spun))
            pump_sleep(isolate, until_us);
    }
    isolate->pumping--;
    isolate_rest(isolate);
    return *done;
}

/* --- ends ----------------------------------------------------------------------------------- */

void
isolate_finish_all(gbx_isolate *isolate, gbx_status status, const gbx_error *error)
{
    uint32_t id;
    gbx_future *future;

    if (isolate->snapshot != NULL)
        snapshot_abandon(isolate);
    while ((future = table_any(&isolate->futures, &id)) != NULL)
        future_finish(future, status, error, NULL, NULL);
}

static void
drop_cell(gbx_isolate *isolate)
{
    struct cell *cell = isolate->cell;

    isolate->cell = NULL;
    cell->isolate = NULL;
    cell_free(cell);
}

/* The certificate is written, the cell goes, everybody is told. */
static void
conclude(gbx_isolate *isolate)
{
    gbx_error error = GBX_ERROR_INIT;

    isolate_ref(isolate);
    death_certify(isolate, &error);
    isolate->has_died = true;
    drop_cell(isolate);
    isolate_finish_all(isolate, isolate->death.status, &error);
    if (isolate->options.on_death != NULL && !isolate->closed)
        isolate->options.on_death(isolate, isolate->options.data);
    isolate_unref(isolate);
}

void
isolate_condemn(gbx_isolate *isolate, gbx_status why, const char *text)
{
    if (isolate->cell == NULL)
        return;
    isolate->killed_for = why;
    (void)snprintf(isolate->killed_why, sizeof isolate->killed_why, "%s", text);
    cell_kill(isolate->cell);
    conclude(isolate);
}

void
isolate_ended(gbx_isolate *isolate)
{
    isolate_ref(isolate);
    /* What it said before it died still counts: a result may be there. */
    isolate->ending = true;
    take_last(isolate);
    if (isolate->cell != NULL)
        conclude(isolate);
    isolate_unref(isolate);
}

void
isolate_watch_snapshot(gbx_isolate *isolate)
{
    uint64_t at = now_us() + SNAPSHOT_LOOK_US;

    if (at < isolate->next_kill_us)
        isolate->next_kill_us = at;
    if (isolate->runtime != NULL)
        runtime_alarm(isolate->runtime, at);
}

/* A call's CPU budget is checked against the kernel's count, which nobody can forge. */
static bool
cpu_passed(gbx_isolate *isolate, const gbx_future *future, uint64_t now, uint64_t *next)
{
    gbx_usage usage = GBX_USAGE_INIT;

    if (future->cpu_kill_us == UINT64_MAX || gbx_isolate_usage(isolate, &usage) != GBX_OK)
        return false;
    if (usage.cpu_us >= future->cpu_kill_us)
        return true;
    uint64_t at = now + (future->cpu_kill_us - usage.cpu_us);
    *next = at < *next ? at : *next;
    return false;
}

uint64_t
isolate_enforce(gbx_isolate *isolate, uint64_t now)
{
    uint32_t cursor = 0, id;
    gbx_future *future;
    uint64_t next = UINT64_MAX;

    if (isolate->cell == NULL)
        return UINT64_MAX;
    if (now < isolate->next_kill_us)
        return isolate->next_kill_us;
    if (isolate->paused_at_us != 0)
        return isolate->next_kill_us = now + STOP_KILL_US;
    take_last(isolate); /* an answer that has come counts */
    while (isolate->cell != NULL &&
           (future = table_next(&isolate->futures, &cursor, &id)) != NULL) {
        if (now >= future->kill_at_us)
            isolate_condemn(isolate, GBX_ETIMEOUT, "the cell did not stop at its deadline");
        else if (cpu_passed(isolate, future, now, &next))
            isolate_condemn(isolate, GBX_ECPU, "the cell did not stop at its CPU budget");
        else if (future->kill_at_us < next)
            next = future->kill_at_us;
    }
    if (isolate->cell != NULL && isolate->snapshot_request != 0) {
        isolate_urge(isolate); /* the cell looks whether its snapshot child has died */
        next = now + SNAPSHOT_LOOK_US < next ? now + SNAPSHOT_LOOK_US : next;
    }
    isolate->next_kill_us = next;
    return next;
}

void
isolate_leave(gbx_isolate *isolate)
{
    if (isolate->runtime == NULL)
        return;
    if (isolate->previous != NULL)
        isolate->previous->next = isolate->next;
    else
        isolate->runtime->isolates = isolate->next;
    if (isolate->next != NULL)
        isolate->next->previous = isolate->previous;
    isolate->runtime = NULL;
    if (isolate->cell != NULL) {
        drop_cell(isolate);
        isolate_finish_all(isolate, GBX_EDISPOSED, NULL);
    }
}

/* --- public --------------------------------------------------------------------------------- */

static gbx_status
check_options(const gbx_isolate_options *options, gbx_isolate_options *out, gbx_error *error)
{
    gbx_status status = options_read(out, sizeof *out, options,
        offsetof(gbx_isolate_options, data) + sizeof out->data, "isolate options", error);

    if (status != GBX_OK)
        return status;
    if (out->memory_limit_bytes == 0)
        out->memory_limit_bytes = MEMORY_LIMIT_DEFAULT;
    if (out->memory_limit_bytes < MEMORY_LIMIT_MIN ||
        out->memory_limit_bytes > MEMORY_LIMIT_MAX)
        return fail(error, GBX_EINVAL,
            "memory limit: %llu bytes, expected %llu MiB to %llu GiB",
            (unsigned long long)out->memory_limit_bytes,
            (unsigned long long)(MEMORY_LIMIT_MIN / MIB),
            (unsigned long long)(MEMORY_LIMIT_MAX / GIB));
    if (out->stack_limit_bytes != 0 &&
        (out->stack_limit_bytes < STACK_LIMIT_MIN || out->stack_limit_bytes > STACK_LIMIT_MAX))
        return fail(error, GBX_EINVAL, "stack limit: %llu bytes, expected %llu KiB to %llu MiB",
            (unsigned long long)out->stack_limit_bytes,
            (unsigned long long)(STACK_LIMIT_MIN / KIB),
            (unsigned long long)(STACK_LIMIT_MAX / MIB));
    if (out->flags != 0)
        return fail(error, GBX_EUNSUPPORTED, "isolate options: unknown flag 0x%x", out->flags);
    if (out->name != NULL && strlen(out->name) >= sizeof((gbx_isolate *)0)->name)
        return fail(error, GBX_EINVAL, "isolate name: longer than 63 bytes");
    return GBX_OK;
}

static gbx_isolate *
isolate_new(const gbx_isolate_options *options, struct scratch *scratch)
{
    gbx_isolate *isolate = calloc(1, sizeof *isolate);
    const char *name = options->name != NULL ? options->name : "isolate";

    if (isolate == NULL)
        return NULL;
    isolate->refs = 1;
    isolate->options = *options;
    text_copy(isolate->name, sizeof isolate->name, name, strlen(name));
    isolate->options.name = isolate->name;
    isolate->futures.max = FUTURES_MAX;
    isolate->functions.max = FUNCTIONS_MAX;
    isolate->contexts.max = CONTEXTS_MAX - 1;
    isolate->inspectors.max = SESSIONS_MAX;
    isolate->scratch = scratch;
    scratch->refs++;
    isolate->last_out = &isolate->first_out;
    isolate->next_kill_us = UINT64_MAX;
    frame_reader_init(&isolate->reader, TO_HOST);
    uint64_t most = options->memory_limit_bytes * CELL_MESSAGE_FACTOR + CELL_MESSAGE_BYTES;
    if (most < isolate->reader.body_max)
        isolate->reader.body_max = most;
    isolate->context = calloc(1, sizeof *isolate->context);
    if (isolate->context == NULL) {
        isolate_unref(isolate);
        return NULL;
    }
    isolate->context->isolate = isolate;
    isolate->context->id = 1;
    return isolate;
}

gbx_status
gbx_isolate_open(gbx_runtime *runtime, const gbx_isolate_options *options,
    gbx_isolate **out_isolate, gbx_error *error)
{
    gbx_isolate_options o;
    gbx_status status = check_options(options, &o, error);

    if (status != GBX_OK)
        return status;
    gbx_isolate *isolate = isolate_new(&o, runtime->scratch);
    if (isolate == NULL)
        return fail(error, GBX_ENOMEM, "no memory for an isolate");
    uint64_t option[TEMPLATE_OPTIONS] = {
        [TEMPLATE_MEMORY_LIMIT] = o.memory_limit_bytes,
        [TEMPLATE_STACK_LIMIT] = o.stack_limit_bytes,
        [TEMPLATE_FLAGS] = o.on_console != NULL ? TEMPLATE_CONSOLE : 0,
    };
    status = cell_obtain(runtime, option, &isolate->cell, error);
    if (status != GBX_OK) {
        isolate_unref(isolate);
        return status;
    }
    isolate->cell->isolate = isolate;
    isolate->opened_us = now_us();
    isolate->runtime = runtime;
    isolate->next = runtime->isolates;
    if (isolate->next != NULL)
        isolate->next->previous = isolate;
    runtime->isolates = isolate;
    isolate_rest(isolate);
    *out_isolate = isolate;
    return GBX_OK;
}

void
gbx_isolate_close(gbx_isolate *isolate)
{
    if (isolate == NULL || isolate->closed)
        return;
    isolate->closed = true;
    isolate_leave(isolate);
    isolate_unref(isolate);
}

void
gbx_isolate_terminate(gbx_isolate *isolate)
{
    /* Any thread, any time: reads what never changes while the isolate is open and lives, and
     * touches only shared words. */
    struct cell *cell = isolate->cell;

    if (cell == NULL)
        return;
    atomic_fetch_add(&isolate->stops, 1);
    atomic_fetch_add(&cell->channel.shared->stop, 1);
    channel_alarm(&cell->channel);
    channel_wake_cell(&cell->channel, CHANNEL_WANTS_DATA | CHANNEL_WANTS_SPACE);
}

gbx_future *
gbx_isolate_statistics(gbx_isolate *isolate)
{
    gbx_future *future = future_new(isolate, FUTURE_STATISTICS);

    put_statistics(&isolate->scratch->out, isolate_tag(isolate, future->id),
        &(struct msg_statistics){ .no_empty_struct = 0 });
    (void)future_send(isolate, future);
    isolate_urge(isolate);
    return future;
}

gbx_future *
gbx_isolate_collect(gbx_isolate *isolate)
{
    gbx_future *future = future_new(isolate, FUTURE_PLAIN);

    put_collect(&isolate->scratch->out, isolate_tag(isolate, future->id),
        &(struct msg_collect){ .no_empty_struct = 0 });
    return future_send(isolate, future);
}
