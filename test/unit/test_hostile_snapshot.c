/* Heap snapshots of a hostile cell, and sinks that do what they may. */
#include "hostile.h"

#include "base/check.h"
#include "base/clock.h"
#include "host/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct fake_cell f;

static void
open_cell(void)
{
    fake_cell_open(&f, NULL, FAKE_PROCESS);
}

static void
close_cell(void)
{
    fake_cell_close(&f);
}

TestSuite(hostile_snapshot, .init = open_cell, .fini = close_cell);

static uint64_t snapshot_bytes;

static gbx_status
sink(const void *piece, size_t len, void *data)
{
    (void)piece;
    (void)data;
    snapshot_bytes += len;
    return GBX_OK;
}

static gbx_status
closing_sink(const void *piece, size_t len, void *data)
{
    (void)piece;
    (void)len;
    (void)data;
    gbx_isolate *isolate = f.isolate;

    f.isolate = NULL;
    gbx_isolate_close(isolate);
    return GBX_OK;
}

static gbx_future *
snapshot(uint32_t mode, gbx_snapshot_sink to)
{
    gbx_snapshot_options options = GBX_SNAPSHOT_OPTIONS_INIT;
    struct frame frame;

    options.mode = mode;
    options.sink = to;
    gbx_future *future = gbx_heap_snapshot(f.isolate, &options);
    cr_assert_not(future->finished);
    while (fake_cell_hear(&f, &frame))
        ;
    return future;
}

static void
say_piece(uint32_t id, size_t len)
{
    static uint8_t bytes[SNAPSHOT_PIECE_MAX];

    put_snapshot_piece(
        &f.out, tag(id), &(struct msg_snapshot_piece){ .data = span_of(bytes, len) });
    fake_cell_say(&f);
}

Test(hostile_snapshot, a_snapshot_comes_in_pieces)
{
    gbx_future *future = snapshot(GBX_SNAPSHOT_ATTACHED, sink);
    uint32_t id = f.isolate->snapshot_request;

    say_piece(id, 1000);
    say_piece(id, SNAPSHOT_PIECE_MAX);
    put_result(&f.out, tag(id), &(struct msg_result){ .value = span_of(NULL, 0) });
    fake_cell_say(&f);
    still_trusted(&f);
    cr_assert_eq(gbx_future_status(future, NULL), GBX_OK);
    cr_assert_eq(snapshot_bytes, 1000 + SNAPSHOT_PIECE_MAX);
    gbx_future_free(future);
    say_piece(id, 1);
    condemned(&f, "a piece of a snapshot that nobody asked for");
}

Test(hostile_snapshot, a_piece_that_nobody_asked_for_is_refused)
{
    say_piece(0, 10);
    condemned(&f, "a piece of a snapshot that nobody asked for");
}

Test(hostile_snapshot, a_piece_of_another_snapshot_is_refused)
{
    gbx_future *future = snapshot(GBX_SNAPSHOT_ATTACHED, sink);

    say_piece(f.isolate->snapshot_request + 1, 10);
    condemned(&f, "a piece of a snapshot that nobody asked for");
    cr_assert_eq(snapshot_bytes, 0);
    gbx_future_free(future);
}

Test(hostile_snapshot, a_background_snapshot_does_not_come_in_messages)
{
    gbx_future *future = snapshot(GBX_SNAPSHOT_BACKGROUND, sink);

    say_piece(f.isolate->snapshot_request, 10);
    condemned(&f, "a piece of a snapshot that nobody asked for");
    gbx_future_free(future);
}

/* Opens a cell with the least memory, and answers how large its snapshot may be. */
static uint64_t
open_small(void)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;

    fake_cell_close(&f);
    options.memory_limit_bytes = MEMORY_LIMIT_MIN;
    fake_cell_open(&f, &options, FAKE_PROCESS);
    return SNAPSHOT_BYTES_BASE + SNAPSHOT_BYTES_FACTOR * MEMORY_LIMIT_MIN;
}

/* 16 times the memory limit and more is no heap of this guest's: the disk is not its to fill. */
Test(hostile_snapshot, a_snapshot_without_end_is_cut_off)
{
    uint64_t most = open_small();
    gbx_future *future = snapshot(GBX_SNAPSHOT_ATTACHED, sink);
    uint32_t id = f.isolate->snapshot_request;
    for (uint64_t sent = 0; sent <= most + SNAPSHOT_PIECE_MAX && f.isolate->cell != NULL;
         sent += SNAPSHOT_PIECE_MAX)
        say_piece(id, SNAPSHOT_PIECE_MAX);
    condemned(&f, "a heap snapshot past its limit");
    cr_assert_leq(snapshot_bytes, most);
    gbx_future_free(future);
}

static void
say_end(uint32_t id)
{
    put_result(&f.out, tag(id), &(struct msg_result){ .value = span_of(NULL, 0) });
    fake_cell_say(&f);
}

static void
write_child_stream(const void *bytes, size_t len)
{
    (void)ring_put(&f.side.snapshot, span_of(bytes, len));
    ring_publish(&f.side.snapshot);
}

Test(hostile_snapshot, a_background_snapshot_ends_with_an_empty_piece)
{
    static const uint8_t stream[] = { 3, 0, 0, 0, 'a', 'b', 'c', 0, 0, 0, 0 };
    gbx_future *future = snapshot(GBX_SNAPSHOT_BACKGROUND, sink);

    write_child_stream(stream, sizeof stream);
    fake_cell_serve(&f);
    cr_assert_eq(gbx_future_status(future, NULL), GBX_EBUSY, "the child may still fail");
    say_end(f.isolate->snapshot_request);
    cr_assert_eq(gbx_future_status(future, NULL), GBX_OK);
    cr_assert_eq(snapshot_bytes, 3);
    gbx_future_free(future);
}

Test(hostile_snapshot, a_background_snapshot_without_end_is_cut_off)
{
    static uint8_t stretch[RING_BYTES / 2];
    static const uint8_t header[] = { 0xff, 0xff, 0xff, 0xff };
    uint64_t most = open_small();
    gbx_future *future = snapshot(GBX_SNAPSHOT_BACKGROUND, sink);

    write_child_stream(header, sizeof header);
    for (uint64_t sent = 0; sent <= most && f.isolate->cell != NULL; sent += sizeof stretch) {
        write_child_stream(stretch, sizeof stretch);
        fake_cell_serve(&f);
    }
    condemned(&f, "a heap snapshot past its limit");
    cr_assert_leq(snapshot_bytes, most);
    gbx_future_free(future);
}

/* The cell says that its child has ended; what the child left out does not count as whole. */
Test(hostile_snapshot, a_background_snapshot_without_its_end_is_none)
{
    static const uint8_t stream[] = { 3, 0, 0, 0, 'a', 'b', 'c' };
    gbx_future *future = snapshot(GBX_SNAPSHOT_BACKGROUND, sink);
    gbx_error error = GBX_ERROR_INIT;

    write_child_stream(stream, sizeof stream);
    put_result(
        &f.out, tag(f.isolate->snapshot_request), &(struct msg_result){ .no_empty_struct = 0 });
    fake_cell_say(&f);
    still_trusted(&f);
    cr_assert_eq(gbx_future_status(future, &error), GBX_ESYS);
    cr_assert_str_eq(error.message, "the heap snapshot ended early");
    gbx_future_free(future);
}

Test(hostile_snapshot, an_impossible_position_of_the_snapshot_child_is_refused)
{
    gbx_future *future = snapshot(GBX_SNAPSHOT_BACKGROUND, sink);

    atomic_store(&f.side.shared->snapshot.head, RING_BYTES + 1);
    (void)isolate_service(f.isolate);
    condemned(&f, "impossible position in the snapshot's ring");
    gbx_future_free(future);
}

Test(hostile_snapshot, a_sink_may_close_the_isolate_in_a_message)
{
    gbx_future *future = snapshot(GBX_SNAPSHOT_ATTACHED, closing_sink);
    gbx_isolate *isolate = f.isolate;

    isolate_ref(isolate);
    put_snapshot_piece(&f.out, tag(isolate->snapshot_request),
        &(struct msg_snapshot_piece){ .data = span_text("piece") });
    (void)fake_cell_write(&f, buf_span(&f.out));
    (void)isolate_service(isolate);
    cr_assert_eq(gbx_future_status(future, NULL), GBX_EDISPOSED);
    gbx_future_free(future);
    isolate_unref(isolate);
}

Test(hostile_snapshot, a_sink_may_close_the_isolate_in_the_childs_stream)
{
    static const uint8_t stream[] = { 3, 0, 0, 0, 'a', 'b', 'c' };
    gbx_future *future = snapshot(GBX_SNAPSHOT_BACKGROUND, closing_sink);
    gbx_isolate *isolate = f.isolate;

    isolate_ref(isolate);
    write_child_stream(stream, sizeof stream);
    while (isolate_service(isolate))
        ;
    cr_assert_eq(gbx_future_status(future, NULL), GBX_EDISPOSED);
    gbx_future_free(future);
    isolate_unref(isolate);
}

/* Each stretch that the host takes is followed by another. */
static gbx_status
fed_sink(const void *piece, size_t len, void *data)
{
    static const uint8_t more[] = { 4, 0, 0, 0, 'a', 'b', 'c', 'd' };

    write_child_stream(more, sizeof more);
    return sink(piece, len, data);
}

/* The cell says that its child has ended while something goes on writing. */
Test(hostile_snapshot, a_child_that_never_ends_holds_nobody, .timeout = 20)
{
    static const uint8_t first[] = { 1, 0, 0, 0, 'a' };
    gbx_future *future = snapshot(GBX_SNAPSHOT_BACKGROUND, fed_sink);

    put_result(&f.out, tag(f.isolate->snapshot_request),
        &(struct msg_result){ .value = span_of(NULL, 0) });
    write_child_stream(first, sizeof first);
    fake_cell_say(&f);
    cr_assert_eq(gbx_future_status(future, NULL), GBX_ESYS);
    gbx_future_free(future);
}

/* --- the end is not the last word ------------------------------------------------------------
 *
 * What the child left in its ring is taken in before its snapshot ends; the request that is being
 * answered must not be looked at any more when that has ended the isolate. */

Test(hostile_snapshot, a_lie_that_comes_with_the_end_is_found)
{
    gbx_future *future = snapshot(GBX_SNAPSHOT_BACKGROUND, sink);

    atomic_store(&f.side.shared->snapshot.head, 0x80000000u);
    put_result(
        &f.out, tag(f.isolate->snapshot_request), &(struct msg_result){ { NULL, 0 }, 0 });
    fake_cell_say(&f);
    condemned(&f, "impossible position in the snapshot's ring");
    cr_assert_eq(gbx_future_status(future, NULL), GBX_EPROTO);
    gbx_future_free(future);
}

/* Else it could go on for ever: empty pieces count for nothing. */
Test(hostile_snapshot, nothing_comes_after_the_empty_piece)
{
    static const uint8_t twice[8];
    gbx_future *future = snapshot(GBX_SNAPSHOT_BACKGROUND, sink);

    write_child_stream(twice, sizeof twice);
    fake_cell_serve(&f);
    condemned(&f, "bytes behind the end of a heap snapshot");
    gbx_future_free(future);
}

static void
close_then(gbx_future *future, void *data)
{
    (void)data;
    (void)closing_sink(NULL, 0, NULL);
    gbx_future_free(future);
}

Test(hostile_snapshot, who_hears_of_the_end_may_close_the_isolate)
{
    gbx_isolate *isolate = f.isolate;

    gbx_future_then(snapshot(GBX_SNAPSHOT_ATTACHED, sink), close_then, NULL);
    put_result(&f.out, tag(isolate->snapshot_request), &(struct msg_result){ { NULL, 0 }, 0 });
    cr_assert_eq(fake_cell_write(&f, buf_span(&f.out)), f.out.len);
    isolate_ref(isolate);
    (void)isolate_service(isolate);
    cr_assert_null(isolate->cell);
    cr_assert_eq(isolate->futures.live, 0);
    isolate_unref(isolate);
    cr_assert_null(f.isolate);
}

/* --- sinks that hold up, and progress -------------------------------------------------------- */

static int32_t room; /* pieces that holding_sink() takes */

static gbx_status
holding_sink(const void *piece, size_t len, void *data)
{
    if (room == 0)
        return GBX_EBUSY;
    room--;
    return sink(piece, len, data);
}

/* The cell says once and again that its child has ended, while the rest waits for room. */
Test(hostile_snapshot, the_end_waits_for_what_is_held)
{
    static const uint8_t stream[] = { 3, 0, 0, 0, 'a', 'b', 'c', 2, 0, 0, 0, 'd', 'e', 0, 0, 0,
        0 };
    gbx_future *future = snapshot(GBX_SNAPSHOT_BACKGROUND, holding_sink);

    write_child_stream(stream, sizeof stream);
    fake_cell_serve(&f);
    say_end(f.isolate->snapshot_request);
    say_end(f.isolate->snapshot_request);
    still_trusted(&f);
    cr_assert_eq(gbx_future_status(future, NULL), GBX_EBUSY);
    cr_assert_eq(gbx_heap_snapshot_resume(future), GBX_OK);
    cr_assert_eq(snapshot_bytes, 0);
    room = 1;
    cr_assert_eq(gbx_heap_snapshot_resume(future), GBX_OK);
    cr_assert_eq(snapshot_bytes, 3);
    cr_assert_eq(gbx_future_status(future, NULL), GBX_EBUSY);
    room = 1;
    cr_assert_eq(gbx_heap_snapshot_resume(future), GBX_OK);
    cr_assert_eq(gbx_future_status(future, NULL), GBX_OK);
    cr_assert_eq(snapshot_bytes, 5);
    gbx_future_free(future);
}

Test(hostile_snapshot, what_is_held_cannot_be_said_again_in_messages)
{
    gbx_future *future = snapshot(GBX_SNAPSHOT_ATTACHED, holding_sink);
    gbx_error error = GBX_ERROR_INIT;

    say_piece(f.isolate->snapshot_request, 10);
    say_end(f.isolate->snapshot_request);
    cr_assert_eq(gbx_future_status(future, &error), GBX_EBUSY);
    cr_assert_str_eq(error.message, "the snapshot's sink gave up");
    gbx_future_free(future);
}

static uint32_t last_percent;

static void
note_percent(uint32_t percent, uint64_t bytes, void *data)
{
    (void)bytes;
    (void)data;
    last_percent = percent;
}

Test(hostile_snapshot, no_more_than_all_of_it_is_ever_done)
{
    gbx_snapshot_options options = GBX_SNAPSHOT_OPTIONS_INIT;

    options.sink = sink;
    options.on_progress = note_percent;
    gbx_future *future = gbx_heap_snapshot(f.isolate, &options);
    atomic_store(&f.side.shared->snapshot_percent, 0xffffffff);
    snapshot_look(f.isolate, now_us());
    cr_assert_eq(last_percent, 100);
    gbx_future_free(future);
}

/* The child neither ends nor writes: the future does not wait for it. */
Test(hostile_snapshot, a_child_that_does_not_end_is_left_behind)
{
    gbx_snapshot_options options = GBX_SNAPSHOT_OPTIONS_INIT;

    options.sink = sink;
    options.timeout_us = 1000;
    gbx_future *future = gbx_heap_snapshot(f.isolate, &options);
    snapshot_look(f.isolate, now_us() + 2000);
    cr_assert_eq(atomic_load(&f.side.shared->snapshot_stop), 1);
    cr_assert_eq(gbx_future_status(future, NULL), GBX_EBUSY, "its child is given a moment");
    snapshot_look(f.isolate, now_us() + 2 * SNAPSHOT_STOP_US);
    cr_assert_eq(gbx_future_status(future, NULL), GBX_ETIMEOUT);
    gbx_future_free(future);
    future = gbx_heap_snapshot(f.isolate, &options);
    cr_assert_eq(gbx_future_status(future, NULL), GBX_ELIMIT, "it still has the ring");
    gbx_future_free(future);
    say_end(f.isolate->snapshot_request);
    still_trusted(&f);
    cr_assert_not(snapshot_is_open(f.isolate));
}

/* --- at the limit ---------------------------------------------------------------------------- */

static char limit_path[64];

static void
want_limit(void)
{
    gbx_error error = GBX_ERROR_INIT;

    (void)snprintf(limit_path, sizeof limit_path, "/tmp/glovebox-limit-%d", (int)getpid());
    f.isolate->options.limit_snapshot = limit_path;
    cr_assert_eq(limit_begin(f.isolate, &error), GBX_OK, "%s", error.message);
}

static const uint8_t small_stream[] = { 3, 0, 0, 0, 'a', 'b', 'c', 0, 0, 0, 0 };

Test(hostile_snapshot, none_is_taken_at_the_limit_unasked)
{
    cr_assert_eq(limit_asked(f.isolate), LIMIT_UNASKED);
    put_forked(&f.out, tag(0), &(struct msg_forked){ .no_empty_struct = 0 });
    fake_cell_say(&f);
    condemned(&f, "a fork that nobody asked for");
}

Test(hostile_snapshot, the_one_at_the_limit_is_taken_once)
{
    char text[8] = "";

    want_limit();
    cr_assert_eq(limit_asked(f.isolate), LIMIT_GO);
    cr_assert_neq(f.isolate->limit.rests_since_us, 0);
    cr_assert_eq(limit_asked(f.isolate), LIMIT_UNASKED);
    write_child_stream(small_stream, sizeof small_stream);
    fake_cell_serve(&f);
    cr_assert_eq(f.isolate->limit.rests_since_us, 0, "deadlines go on when it is there");
    cr_assert_eq(limit_asked(f.isolate), LIMIT_UNASKED);
    write_child_stream(small_stream, sizeof small_stream);
    fake_cell_serve(&f);
    still_trusted(&f);
    FILE *file = fopen(limit_path, "re");
    cr_assert_not_null(file);
    cr_assert_eq(fread(text, 1, sizeof text, file), 3);
    cr_assert_eq(fclose(file), 0);
    cr_assert_eq(remove(limit_path), 0);
}

Test(hostile_snapshot, the_one_at_the_limit_comes_after_one_under_way)
{
    gbx_future *future = snapshot(GBX_SNAPSHOT_BACKGROUND, sink);

    want_limit();
    cr_assert_eq(limit_asked(f.isolate), LIMIT_LATER);
    write_child_stream(small_stream, sizeof small_stream);
    say_end(f.isolate->snapshot_request);
    cr_assert_eq(gbx_future_status(future, NULL), GBX_OK);
    gbx_future_free(future);
    cr_assert_eq(limit_asked(f.isolate), LIMIT_GO);
}

Test(hostile_snapshot, the_one_at_the_limit_is_whole_or_none)
{
    want_limit();
    cr_assert_eq(limit_asked(f.isolate), LIMIT_GO);
    write_child_stream(small_stream, sizeof small_stream - 1);
    fake_cell_serve(&f);
    isolate_condemn(f.isolate, GBX_EMEMORY, "as if");
    cr_assert_null(gbx_isolate_death(f.isolate)->snapshot);
    cr_assert_str_eq(
        gbx_isolate_death(f.isolate)->snapshot_error, "the snapshot child ended early");
    cr_assert_neq(access(limit_path, F_OK), 0);
    cr_assert_eq(fake_cell_reap(&f), SIGKILL);
}

Test(hostile_snapshot, the_one_at_the_limit_is_cut_off_too)
{
    static uint8_t stretch[RING_BYTES / 2];
    static const uint8_t header[] = { 0xff, 0xff, 0xff, 0xff };
    uint64_t most = open_small();

    want_limit();
    cr_assert_eq(limit_asked(f.isolate), LIMIT_GO);
    write_child_stream(header, sizeof header);
    for (uint64_t sent = 0; sent <= most && f.isolate->cell != NULL; sent += sizeof stretch) {
        write_child_stream(stretch, sizeof stretch);
        fake_cell_serve(&f);
    }
    condemned(&f, "a heap snapshot past its limit");
    cr_assert_neq(access(limit_path, F_OK), 0);
}

/* It neither ends nor dies: its deadlines do not rest for ever. */
Test(hostile_snapshot, the_one_at_the_limit_holds_nobody_for_ever)
{
    want_limit();
    cr_assert_eq(limit_asked(f.isolate), LIMIT_GO);
    snapshot_look(f.isolate, now_us() + SNAPSHOT_TIMEOUT_US + 1000);
    cr_assert_eq(atomic_load(&f.side.shared->snapshot_stop), 1);
    snapshot_look(f.isolate, now_us() + 2 * SNAPSHOT_STOP_US);
    cr_assert_eq(f.isolate->limit.rests_since_us, 0);
    still_trusted(&f);
    isolate_condemn(f.isolate, GBX_EMEMORY, "as if");
    cr_assert_not_null(
        strstr(gbx_isolate_death(f.isolate)->snapshot_error, "was not whole after"));
    cr_assert_eq(fake_cell_reap(&f), SIGKILL);
}
