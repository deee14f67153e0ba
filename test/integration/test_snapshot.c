/* Heap snapshots to files, descriptors and callbacks: whole, or not at all. */
#include "support.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *
in_scratch(const char *name)
{
    static char path[256];

    (void)snprintf(path, sizeof path, "%s/%s", scratch_directory(), name);
    return path;
}

static gbx_future *
take(gbx_isolate *isolate, uint32_t mode, const char *path, int fd, gbx_snapshot_sink sink,
    void *data)
{
    gbx_snapshot_options options = GBX_SNAPSHOT_OPTIONS_INIT;

    options.mode = mode;
    options.path = path;
    options.fd = fd;
    options.sink = sink;
    options.data = data;
    return gbx_heap_snapshot(isolate, &options);
}

static gbx_future *
take_to(gbx_isolate *isolate, uint32_t mode, const char *path)
{
    return take(isolate, mode, path, -1, NULL, NULL);
}

/* Fails with this status; `text` stands in the message, unless it is NULL. */
static void
expect_refusal(gbx_future *future, gbx_status status, const char *text)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_status got = gbx_future_wait(future, -1, &error);

    cr_assert_eq(got, status, "status %d (%s), expected %d", got, error.message, status);
    if (text != NULL)
        cr_assert_not_null(strstr(error.message, text), "%s", error.message);
    gbx_future_free(future);
}

static double
size_of(const char *path)
{
    struct stat st;

    cr_assert_eq(stat(path, &st), 0, "%s is not there", path);
    return (double)st.st_size;
}

static const uint32_t modes[] = { GBX_SNAPSHOT_BACKGROUND, GBX_SNAPSHOT_ATTACHED };

/* --- where it goes -------------------------------------------------------------------------- */

struct sum {
    FILE *file;
    uint64_t bytes;
    size_t pieces;
    size_t give_up_after; /* pieces; 0: never */
};

static gbx_status
add_up(const void *piece, size_t len, void *data)
{
    struct sum *sum = data;

    cr_assert_gt(len, 0);
    cr_assert_eq(fwrite(piece, 1, len, sum->file), len);
    sum->bytes += len;
    sum->pieces++;
    return sum->pieces == sum->give_up_after ? GBX_ETOOBIG : GBX_OK;
}

CleanTest(snapshot, goes_to_files_descriptors_and_callbacks)
{
    struct world w = world_open(NULL);

    eval_only(w.context, "class Needle {} haystack = Array.from({ length: 5000 }, () => new "
                         "Needle())");
    for (size_t i = 0; i < 2; i++) {
        const char *path = in_scratch("file");
        double bytes = settle_number(take_to(w.isolate, modes[i], path));
        cr_assert_eq(bytes, size_of(path));
        cr_assert_gt(snapshot_nodes(path), 5000);

        path = in_scratch("fd");
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_TRUNC, 0600);
        bytes = settle_number(take(w.isolate, modes[i], NULL, fd, NULL, NULL));
        cr_assert_eq(
            (double)lseek(fd, 0, SEEK_CUR), bytes, "ours to close, and where it was left");
        cr_assert_eq(close(fd), 0);
        cr_assert_gt(snapshot_nodes(path), 5000);

        path = in_scratch("sink");
        struct sum sum = { fopen(path, "we"), 0, 0, 0 };
        bytes = settle_number(take(w.isolate, modes[i], NULL, -1, add_up, &sum));
        cr_assert_eq(fclose(sum.file), 0);
        cr_assert_eq(bytes, (double)sum.bytes);
        cr_assert_gt(sum.pieces, 1);
        cr_assert_gt(snapshot_nodes(path), 5000);
    }
    cr_assert_eq(scratch_entries(), 3);
    expect_usable(&w);
    world_close(&w);
}

CleanTest(snapshot, arguments_are_checked)
{
    struct world w = world_open(NULL);
    gbx_snapshot_options o = GBX_SNAPSHOT_OPTIONS_INIT;
    struct sum sum = { NULL, 0, 0, 0 };

    expect_refusal(gbx_heap_snapshot(w.isolate, NULL), GBX_EINVAL, NULL);
    expect_refusal(gbx_heap_snapshot(w.isolate, &o), GBX_EINVAL, "exactly one");
    o.path = "/tmp/never";
    o.fd = 1;
    expect_refusal(gbx_heap_snapshot(w.isolate, &o), GBX_EINVAL, "exactly one");
    expect_refusal(take(w.isolate, 0, "/tmp/never", -1, add_up, &sum), GBX_EINVAL, NULL);
    expect_refusal(take_to(w.isolate, 2, "/tmp/never"), GBX_EUNSUPPORTED, NULL);
    expect_refusal(take(w.isolate, 0, NULL, 999, NULL, NULL), GBX_ESYS, "Bad file descriptor");
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    expect_refusal(
        take(w.isolate, 0, NULL, fd, NULL, NULL), GBX_EINVAL, "not open for writing");
    cr_assert_eq(close(fd), 0);
    o.size = 8;
    expect_refusal(gbx_heap_snapshot(w.isolate, &o), GBX_EINVAL, NULL);
    cr_assert_neq(access("/tmp/never", F_OK), 0);
    world_close(&w);
}

CleanTest(snapshot, of_a_file_that_is_there_replaces_it_when_whole)
{
    struct world w = world_open(NULL);
    const char *path = in_scratch("kept");
    char text[16] = "";

    FILE *file = fopen(path, "we");
    cr_assert_eq(fputs("old contents", file) < 0, 0);
    cr_assert_eq(fclose(file), 0);
    for (size_t i = 0; i < 2; i++) {
        /* A busy guest: the attached one has not begun, and the file is what it was. */
        gbx_future *busy = start(w.context, "for (;;);", 0);
        gbx_future *snapshot = take_to(w.isolate, GBX_SNAPSHOT_ATTACHED, path);
        cr_assert_eq(gbx_future_wait(snapshot, 20000, NULL), GBX_EBUSY);
        if (i == 0) {
            file = fopen(path, "re");
            cr_assert_not_null(fgets(text, sizeof text, file));
            (void)fclose(file);
            cr_assert_str_eq(text, "old contents");
        }
        cr_assert_eq(scratch_entries(), 1, "a half-written file has no name");
        gbx_isolate_terminate(w.isolate);
        settle(busy, GBX_ETERMINATED);
        cr_assert_gt(settle_number(snapshot), 1000);
        cr_assert_gt(snapshot_nodes(path), 1000);
        cr_assert_eq(scratch_entries(), 1);
    }
    world_close(&w);
}

CleanTest(snapshot, refuses_what_is_no_place_for_a_file)
{
    struct world w = world_open(NULL);
    char target[256];

    (void)snprintf(target, sizeof target, "%s", in_scratch("target"));
    cr_assert_eq(symlink(target, in_scratch("link")), 0);
    cr_assert_eq(mkfifo(in_scratch("fifo"), 0600), 0);
    cr_assert_eq(mkdir(in_scratch("directory"), 0700), 0);
    for (size_t i = 0; i < 2; i++) {
        expect_refusal(
            take_to(w.isolate, modes[i], in_scratch("link")), GBX_EINVAL, "not a regular file");
        expect_refusal(
            take_to(w.isolate, modes[i], in_scratch("fifo")), GBX_EINVAL, "not a regular file");
        expect_refusal(take_to(w.isolate, modes[i], in_scratch("directory")), GBX_EINVAL,
            "not a regular file");
        expect_refusal(
            take_to(w.isolate, modes[i], "/dev/full"), GBX_EINVAL, "not a regular file");
        expect_refusal(take_to(w.isolate, modes[i], in_scratch("no/such/place")), GBX_ESYS,
            "No such file");
        expect_refusal(take_to(w.isolate, modes[i], ""), GBX_ESYS, NULL);
        expect_refusal(take_to(w.isolate, modes[i], "/proc/no.heapsnapshot"), GBX_ESYS, NULL);
    }
    cr_assert_neq(access(target, F_OK), 0);
    cr_assert_eq(scratch_entries(), 3);
    expect_usable(&w);
    world_close(&w);
}

CleanTest(snapshot, ends_when_what_it_writes_to_is_full)
{
    struct world w = world_open(NULL);
    int fds[2];

    eval_only(w.context, "kept = Array.from({ length: 100000 }, (_, i) => ({ i }))");
    for (size_t i = 0; i < 2; i++) {
        int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
        expect_refusal(
            take(w.isolate, modes[i], NULL, full, NULL, NULL), GBX_ESYS, "No space left");
        cr_assert_eq(close(full), 0);
        /* A reader that has gone is an error, and no SIGPIPE for the host. */
        cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
        cr_assert_eq(close(fds[0]), 0);
        expect_refusal(
            take(w.isolate, modes[i], NULL, fds[1], NULL, NULL), GBX_ESYS, "Broken pipe");
        cr_assert_eq(close(fds[1]), 0);
    }
    /* Then it can be taken again. */
    cr_assert_gt(settle_number(take_to(w.isolate, 0, in_scratch("after"))), 1000);
    world_close(&w);
}

CleanTest(snapshot, sink_gives_up)
{
    struct world w = world_open(NULL);
    struct sum sum = { NULL, 0, 0, 2 };

    eval_only(w.context, "kept = Array.from({ length: 200000 }, (_, i) => ({ i }))");
    cr_assert_not_null(sum.file = fopen("/dev/null", "we"));
    for (size_t i = 0; i < 2; i++) {
        sum.pieces = 0;
        expect_refusal(take(w.isolate, modes[i], NULL, -1, add_up, &sum), GBX_ETOOBIG, NULL);
        cr_assert_eq(sum.pieces, 2, "not called any more");
        /* It ended when the cell and its child had stopped: another one may begin. */
        cr_assert_gt(settle_number(take_to(w.isolate, modes[i], in_scratch("again"))), 1000);
        cr_assert_gt(snapshot_nodes(in_scratch("again")), 200000);
    }
    cr_assert_eq(fclose(sum.file), 0);
    world_close(&w);
}

/* --- when it is taken ----------------------------------------------------------------------- */

CleanTest(snapshot, background_one_lets_a_script_run_on)
{
    struct world w = world_open(NULL);

    eval_only(w.context, "kept = Array.from({ length: 300000 }, (_, i) => ({ i })); n = 0");
    gbx_future *busy = start(w.context, "for (;;) n++", 0);
    gbx_future *snapshot = take_to(w.isolate, GBX_SNAPSHOT_BACKGROUND, in_scratch("running"));
    double bytes = settle_number(snapshot);
    cr_assert_eq(bytes, size_of(in_scratch("running")));
    cr_assert_eq(gbx_future_status(busy, NULL), GBX_EBUSY);
    gbx_isolate_terminate(w.isolate);
    settle(busy, GBX_ETERMINATED);
    cr_assert_gt(eval_number(w.context, "n"), 1000);
    cr_assert_gt(snapshot_nodes(in_scratch("running")), 300000);
    world_close(&w);
}

static gbx_status
snapshot_inside(gbx_callback *callback, void *data)
{
    struct world *w = data;

    cr_assert_gt(settle_number(take_to(w->isolate, 0, in_scratch("inside"))), 1000);
    cr_assert_gt(
        settle_number(take_to(w->isolate, GBX_SNAPSHOT_ATTACHED, in_scratch("inside2"))), 1000);
    return answer_number(callback, 3);
}

CleanTest(snapshot, can_be_taken_inside_a_host_function)
{
    struct world w = world_open(NULL);

    give(w.context, "f", snapshot_inside, &w);
    cr_assert_eq(eval_number(w.context, "f()"), 3);
    cr_assert_gt(snapshot_nodes(in_scratch("inside")), 1000);
    cr_assert_gt(snapshot_nodes(in_scratch("inside2")), 1000);
    world_close(&w);
}

CleanTest(snapshot, is_one_at_a_time)
{
    struct world w = world_open(NULL);

    eval_only(w.context, "kept = Array.from({ length: 100000 }, (_, i) => ({ i }))");
    for (size_t i = 0; i < 2; i++) {
        gbx_future *first = take_to(w.isolate, modes[i], in_scratch("first"));
        expect_refusal(
            take_to(w.isolate, modes[0], in_scratch("second")), GBX_ELIMIT, "under way");
        expect_refusal(
            take_to(w.isolate, modes[1], in_scratch("second")), GBX_ELIMIT, "under way");
        cr_assert_gt(settle_number(first), 1000);
        cr_assert_gt(settle_number(take_to(w.isolate, modes[i], in_scratch("next"))), 1000);
    }
    cr_assert_eq(scratch_entries(), 2);
    world_close(&w);
}

/* A call with a deadline behind an attached snapshot is not charged for it. */
CleanTest(snapshot, attached_one_does_not_spend_a_call_s_time)
{
    struct world w = world_open(NULL);

    eval_only(w.context, "kept = Array.from({ length: 400000 }, (_, i) => ({ i }))");
    gbx_future *snapshot = take_to(w.isolate, GBX_SNAPSHOT_ATTACHED, in_scratch("slow"));
    gbx_future *call = start_limited(w.context, "1 + 1", 20000, 0);
    cr_assert_gt(settle_number(snapshot), 1000);
    cr_assert_eq(settle_number(call), 2);
    expect_usable(&w);
    world_close(&w);
}

/* --- ends ----------------------------------------------------------------------------------- */

static gbx_status
close_isolate(const void *piece, size_t len, void *data)
{
    struct world *w = data;

    (void)piece;
    (void)len;
    gbx_isolate_close(w->isolate);
    w->isolate = NULL;
    return GBX_OK;
}

CleanTest(snapshot, ends_with_its_isolate)
{
    struct world w = world_open(NULL);
    gbx_usage usage = GBX_USAGE_INIT;

    for (size_t i = 0; i < 2; i++) {
        /* Closed. */
        eval_only(w.context, "kept = Array.from({ length: 200000 }, (_, i) => ({ i }))");
        gbx_future *snapshot = take_to(w.isolate, modes[i], in_scratch("closed"));
        cr_assert_eq(gbx_future_wait(snapshot, 5000, NULL), GBX_EBUSY);
        gbx_isolate_close(w.isolate);
        expect_refusal(snapshot, GBX_EDISPOSED, NULL);
        /* Closed by the sink. */
        w.isolate = world_isolate(&w, NULL);
        expect_refusal(
            take(w.isolate, modes[i], NULL, -1, close_isolate, &w), GBX_EDISPOSED, NULL);
        cr_assert_null(w.isolate);
        /* Killed; and then there is nothing to be taken of. */
        w.isolate = world_isolate(&w, NULL);
        w.context = gbx_isolate_context(w.isolate);
        eval_only(w.context, "kept = Array.from({ length: 200000 }, (_, i) => ({ i }))");
        cr_assert_eq(gbx_isolate_usage(w.isolate, &usage), GBX_OK);
        snapshot = take_to(w.isolate, modes[i], in_scratch("killed"));
        cr_assert_eq(gbx_future_wait(snapshot, 5000, NULL), GBX_EBUSY);
        cr_assert_eq(kill((pid_t)usage.pid, SIGKILL), 0);
        expect_refusal(snapshot, GBX_ECRASHED, NULL);
        expect_refusal(take_to(w.isolate, modes[i], in_scratch("dead")), GBX_ECRASHED, NULL);
        gbx_isolate_close(w.isolate);
        w.isolate = world_isolate(&w, NULL);
        w.context = gbx_isolate_context(w.isolate);
    }
    cr_assert_eq(scratch_entries(), 0);
    world_close(&w);
}

CleanTest(snapshot, ends_with_its_child)
{
    struct world w = world_open(NULL);
    gbx_usage usage = GBX_USAGE_INIT;

    eval_only(w.context, "kept = Array.from({ length: 400000 }, (_, i) => ({ i }))");
    cr_assert_eq(gbx_isolate_usage(w.isolate, &usage), GBX_OK);
    for (int i = 0; i < 3; i++) {
        gbx_future *snapshot = take_to(w.isolate, 0, in_scratch("orphan"));
        pid_t child = 0;
        while (child == 0 && gbx_future_wait(snapshot, 1000, NULL) == GBX_EBUSY)
            child = process_child((pid_t)usage.pid);
        cr_assert_neq(child, 0, "it was done before it was seen");
        cr_assert_eq(kill(child, i == 2 ? SIGTERM : SIGKILL), 0);
        expect_refusal(snapshot, GBX_ESYS, i == 2 ? "signal 15" : "signal 9");
        cr_assert_eq(scratch_entries(), 0);
        cr_assert_eq(process_child((pid_t)usage.pid), 0);
    }
    cr_assert_gt(settle_number(take_to(w.isolate, 0, in_scratch("whole"))), 1000);
    expect_usable(&w);
    world_close(&w);
}

/* Many, one after the other: nothing piles up in the cell or here. */
CleanTest(snapshot, can_be_taken_again_and_again)
{
    struct world w = world_open(NULL);
    gbx_usage first = GBX_USAGE_INIT, last = GBX_USAGE_INIT;
    size_t fds = descriptors_open();

    for (int i = 0; i < 30; i++) {
        cr_assert_gt(settle_number(take_to(w.isolate, modes[i % 2], in_scratch("same"))), 1000);
        if (i == 5)
            cr_assert_eq(gbx_isolate_usage(w.isolate, &first), GBX_OK);
    }
    cr_assert_eq(gbx_isolate_usage(w.isolate, &last), GBX_OK);
    cr_assert_lt(last.resident_bytes, first.resident_bytes + (8 << 20));
    cr_assert_eq(descriptors_open(), fds);
    world_close(&w);
}

struct dive {
    gbx_runtime *runtime;
    gbx_future **snapshot;
};

static gbx_status
dispatches_until_finished(gbx_callback *callback, void *data)
{
    const struct dive *dive = data;

    (void)callback;
    while (gbx_future_status(*dive->snapshot, NULL) == GBX_EBUSY)
        (void)gbx_runtime_dispatch(dive->runtime, -1);
    return GBX_OK;
}

/* A callback may see to the cell's question whether it may fork, of which the loop around it has
 * heard, too: that does not wait for another question. */
CleanTest(snapshot, may_be_seen_to_by_a_callback_of_another_isolate)
{
    struct world w = world_open(NULL);
    gbx_isolate *other = world_isolate(&w, NULL);
    gbx_future *snapshot = NULL;
    struct dive dive = { w.runtime, &snapshot };

    give(w.context, "dive", dispatches_until_finished, &dive);
    cr_assert_eq(eval_number(gbx_isolate_context(other), "1"), 1);
    for (int i = 0; i < 3; i++) {
        gbx_future *call = start(w.context, "dive()", 0);
        snapshot = take_to(other, GBX_SNAPSHOT_BACKGROUND, in_scratch("dive"));
        sleep_ms(200); /* both have rung by now */
        while (gbx_future_status(call, NULL) == GBX_EBUSY)
            (void)gbx_runtime_dispatch(w.runtime, -1);
        settle(call, GBX_OK);
        settle(snapshot, GBX_OK);
    }
    gbx_isolate_close(other);
    world_close(&w);
}
