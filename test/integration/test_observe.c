/* Descriptors and observers that others hang on a runtime. */
#include "support.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* --- descriptors ---------------------------------------------------------------------------- */

struct bell {
    int fd;
    gbx_descriptor *descriptor, *other;
    size_t rung;
    bool done, closes;
};

static void
on_readable(gbx_descriptor *descriptor, void *data)
{
    struct bell *bell = data;
    uint64_t count;

    cr_assert_eq(descriptor, bell->descriptor);
    bell->rung++;
    bell->done = true;
    cr_assert_eq(read(bell->fd, &count, sizeof count), (ssize_t)sizeof count);
    if (bell->closes) {
        gbx_descriptor_close(bell->descriptor);
        gbx_descriptor_close(bell->other);
    }
}

static void
bell_open(struct bell *bell, struct world *w)
{
    *bell = (struct bell){ .fd = eventfd(0, EFD_CLOEXEC) };
    cr_assert_eq(
        gbx_descriptor_open(w->runtime, bell->fd, on_readable, bell, &bell->descriptor, NULL),
        GBX_OK);
}

static void
ring(const struct bell *bell)
{
    uint64_t one = 1;

    cr_assert_eq(write(bell->fd, &one, sizeof one), (ssize_t)sizeof one);
}

static gbx_status
ring_from_inside(gbx_callback *callback, void *data)
{
    ring(data);
    return answer_number(callback, 1);
}

CleanTest(observe, descriptors_are_served_by_dispatch_and_by_waits)
{
    struct world w = world_open(NULL);
    struct bell bell;

    bell_open(&bell, &w);
    ring(&bell);
    dispatch_until(w.runtime, &bell.done);
    cr_assert_eq(bell.rung, 1);
    cr_assert_eq(gbx_runtime_dispatch(w.runtime, 0), GBX_EBUSY);
    /* While the guest runs on and says nothing, and while it never stops talking. */
    give(w.context, "ring", ring_from_inside, &bell);
    gbx_future *busy = start(w.context, "ring(); while (!globalThis.stop);", 0);
    while (bell.rung < 2)
        cr_assert_eq(gbx_future_wait(busy, 10000, NULL), GBX_EBUSY);
    gbx_isolate_terminate(w.isolate);
    settle(busy, GBX_ETERMINATED);
    busy = start(w.context, "for (;;) ring()", 0);
    while (bell.rung < 1000)
        cr_assert_eq(gbx_future_wait(busy, 10000, NULL), GBX_EBUSY);
    gbx_isolate_terminate(w.isolate);
    settle(busy, GBX_ETERMINATED);
    gbx_descriptor_close(bell.descriptor);
    (void)close(bell.fd);
    expect_usable(&w);
    world_close(&w);
}

CleanTest(observe, descriptors_may_be_closed_at_any_time)
{
    struct world w = world_open(NULL);
    struct bell bells[2], last;

    for (int i = 0; i < 2; i++) {
        bell_open(&bells[i], &w);
        ring(&bells[i]);
    }
    /* Both are readable; whichever is told first closes both. */
    for (int i = 0; i < 2; i++) {
        bells[i].closes = true;
        bells[i].other = bells[1 - i].descriptor;
    }
    while (bells[0].rung + bells[1].rung == 0)
        (void)gbx_runtime_dispatch(w.runtime, 1000);
    for (int i = 0; i < 100; i++)
        (void)gbx_runtime_dispatch(w.runtime, 0);
    cr_assert_eq(bells[0].rung + bells[1].rung, 1);
    (void)close(bells[0].fd);
    (void)close(bells[1].fd);
    bell_open(&last, &w);
    world_close(&w); /* the runtime goes first */
    gbx_descriptor_close(last.descriptor);
    gbx_descriptor_close(NULL);
    (void)close(last.fd);
}

CleanTest(observe, says_what_is_wrong_with_a_descriptor)
{
    struct world w = world_open(NULL);
    gbx_descriptor *descriptor = NULL;
    gbx_observer *observer = NULL;
    gbx_error error = GBX_ERROR_INIT;

    cr_assert_eq(gbx_descriptor_open(w.runtime, 0, NULL, NULL, &descriptor, NULL), GBX_EINVAL);
    cr_assert_eq(
        gbx_descriptor_open(w.runtime, -1, on_readable, NULL, &descriptor, &error), GBX_ESYS);
    cr_assert_neq(error.os_errno, 0);
    cr_assert_eq(gbx_observer_open(w.runtime, NULL, NULL, &observer, NULL), GBX_EINVAL);
    cr_assert(descriptor == NULL && observer == NULL);
    world_close(&w);
}

/* --- observers ------------------------------------------------------------------------------ */

struct diary {
    char text[256]; /* "+name" and "-name" */
};

static void
write_down(gbx_isolate *isolate, uint32_t event, void *data)
{
    struct diary *diary = data;

    strcat(diary->text, event == GBX_ISOLATE_BEGAN ? "+" : "-");
    strcat(diary->text, gbx_isolate_name(isolate));
}

static void
expect_diary(struct diary *diary, const char *text)
{
    cr_assert_str_eq(diary->text, text);
    diary->text[0] = '\0';
}

CleanTest(observe, observers_hear_of_all_that_begin_and_end)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    options.name = "one";
    struct world w = world_open(&options);
    struct diary diary = { "" };
    gbx_observer *observer = NULL;
    gbx_isolate *fork = NULL;

    cr_assert_eq(gbx_observer_open(w.runtime, write_down, &diary, &observer, NULL), GBX_OK);
    expect_diary(&diary, "+one");
    options.name = "two";
    gbx_isolate *two = world_isolate(&w, &options);
    expect_diary(&diary, "+two");
    cr_assert_eq(gbx_isolate_fork(two, NULL, &fork, NULL), GBX_OK);
    expect_diary(&diary, "+two");
    gbx_isolate_close(two);
    expect_diary(&diary, "-two");
    /* One that has died ends once. */
    expect_failure(
        w.context, "let a = []; for (;;) a.push(new Array(1e6).fill(1))", GBX_EMEMORY, NULL);
    expect_diary(&diary, "-one");
    gbx_isolate_close(w.isolate);
    w.isolate = NULL;
    expect_diary(&diary, "");
    /* The dead are not told of. */
    gbx_observer_close(observer);
    cr_assert_eq(gbx_observer_open(w.runtime, write_down, &diary, &observer, NULL), GBX_OK);
    expect_diary(&diary, "+two");
    world_close(&w);
    expect_diary(&diary, "-two");
    gbx_observer_close(observer);
    gbx_observer_close(NULL);
    gbx_isolate_close(fork);
}

CleanTest(observe, an_observer_that_is_closed_hears_nothing)
{
    struct world w = world_open(NULL);
    struct diary diary = { "" };
    gbx_observer *observer = NULL;

    for (int i = 0; i < 3000; i++) {
        cr_assert_eq(gbx_observer_open(w.runtime, write_down, &diary, &observer, NULL), GBX_OK);
        gbx_observer_close(observer);
        expect_diary(&diary, "+isolate");
    }
    world_close(&w);
    expect_diary(&diary, "");
}
