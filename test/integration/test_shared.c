/* Shared memory: the same bytes in the host and in isolates. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static gbx_shared *
shared_new(uint64_t len)
{
    gbx_shared *shared = NULL;

    cr_assert_eq(gbx_shared_open(len, &shared, NULL), GBX_OK);
    return shared;
}

static gbx_isolate *
isolate_with(const struct world *w, gbx_shared *const *shared, uint64_t count)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;

    options.shared = shared;
    options.shared_count = count;
    return world_isolate(w, &options);
}

/* Takes the value over. */
static void
set(gbx_isolate *isolate, const char *name, gbx_value *value)
{
    settle(gbx_context_set(gbx_isolate_context(isolate), name, value), GBX_OK);
    gbx_value_free(value);
}

static double
number(gbx_isolate *isolate, const char *source)
{
    return eval_number(gbx_isolate_context(isolate), source);
}

static gbx_status
drop(const void *piece, size_t len, void *data)
{
    (void)piece;
    *(size_t *)data += len;
    return GBX_OK;
}

static int32_t *
words(const gbx_shared *shared)
{
    return gbx_shared_bytes(shared, NULL);
}

CleanTest(shared, one_memory_for_host_and_guests)
{
    struct world w = world_open(NULL);
    gbx_shared *shared = shared_new(100000);
    gbx_isolate *a = isolate_with(&w, &shared, 1), *b = isolate_with(&w, &shared, 1);
    size_t len = 0;
    int32_t *word = gbx_shared_bytes(shared, &len);

    cr_assert_eq(len, 100000);
    word[0] = 41;
    set(a, "memory", gbx_value_new_shared(shared));
    set(b, "view",
        gbx_value_new_typed_array(GBX_INT32, gbx_value_new_shared(shared), 4, GBX_TO_END));
    cr_assert_eq(number(a, "memory instanceof SharedArrayBuffer && memory.byteLength"), 100000);
    cr_assert_eq(number(a, "var words = new Int32Array(memory); ++words[0]"), 42);
    cr_assert_eq(word[0], 42);
    cr_assert_eq(number(b, "view.buffer instanceof SharedArrayBuffer && view.length"), 24999);
    cr_assert_eq(number(b, "Atomics.store(view, 0, 7); new Int32Array(view.buffer)[0]"), 42);
    cr_assert_eq(number(a, "Atomics.add(words, 1, 5)"), 7);
    cr_assert_eq(word[1], 12);
    gbx_isolate_close(a);
    cr_assert_eq(number(b, "view[0]"), 12);
    gbx_isolate_close(b);
    cr_assert_eq(word[1], 12);
    gbx_shared_close(shared);
    world_close(&w);
}

CleanTest(shared, comes_back_as_what_it_is)
{
    struct world w = world_open(NULL);
    gbx_shared *shared[] = { shared_new(8), shared_new(4096) };
    gbx_isolate *isolate = isolate_with(&w, shared, 2);
    gbx_context *context = gbx_isolate_context(isolate);
    gbx_value *both = gbx_value_new_array();

    cr_assert_eq(gbx_value_append(both, gbx_value_new_shared(shared[0])), GBX_OK);
    cr_assert_eq(gbx_value_append(both, gbx_value_new_shared(shared[1])), GBX_OK);
    set(isolate, "both", both);
    gbx_value *value = eval(context, "both[1]");
    cr_assert_eq(gbx_value_get_kind(value), GBX_SHARED_ARRAY_BUFFER);
    cr_assert_eq(gbx_value_get_shared(value), shared[1]);
    gbx_value_free(value);

    value = eval(context, "const v = new Uint16Array(both[1], 6, 3); v[2] = 513; "
                          "[v, both[1], both[0], v, new DataView(both[0], 1)]");
    gbx_value *view = gbx_value_at(value, 0);
    gbx_view seen = { .size = sizeof seen };
    const void *bytes;
    size_t len;
    cr_assert_eq(gbx_value_get_view(view, &seen), GBX_OK);
    cr_assert_eq(seen.buffer, gbx_value_at(value, 1));
    cr_assert_eq(gbx_value_at(value, 3), view);
    cr_assert_eq(gbx_value_get_shared(gbx_value_at(value, 2)), shared[0]);
    cr_assert_eq(gbx_value_get_bytes(view, &bytes, &len), GBX_OK);
    cr_assert_eq(bytes, (const char *)gbx_shared_bytes(shared[1], NULL) + 6);
    cr_assert_eq(len, 6);
    cr_assert_arr_eq((const char *)bytes + 4, "\x01\x02", 2);

    /* A copy of the value is of the same memory, and it can be sent again. */
    gbx_value *copy = NULL;
    cr_assert_eq(gbx_value_copy(value, &copy), GBX_OK);
    cr_assert_eq(gbx_value_equal(value, copy), 1);
    gbx_value_free(value);
    cr_assert_eq(gbx_value_get_shared(gbx_value_at(copy, 1)), shared[1]);
    set(isolate, "again", copy);
    cr_assert_eq(number(isolate, "again[0][2] += 1; v[2]"), 514);

    /* Values outlive everybody else. */
    value = eval(context, "both[0]");
    gbx_isolate_close(isolate);
    gbx_shared_close(shared[0]);
    gbx_shared_close(shared[1]);
    cr_assert_eq(gbx_value_get_bytes(value, &bytes, &len), GBX_OK);
    cr_assert_eq(((const char *)bytes)[7], 0);
    gbx_value_free(value);
    world_close(&w);
}

CleanTest(shared, only_for_who_was_opened_with_it)
{
    struct world w = world_open(NULL);
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    gbx_shared *shared = shared_new(64), *list[17] = { NULL }, *other = shared_new(64);
    gbx_isolate *isolate = isolate_with(&w, &shared, 1), *none = NULL;
    gbx_external_copy *copy = NULL;
    gbx_error error = GBX_ERROR_INIT;

    gbx_value *value = gbx_value_new_shared(other);
    settle(gbx_context_set(gbx_isolate_context(isolate), "x", value), GBX_EINVAL);
    settle(gbx_context_set(w.context, "x", value), GBX_EINVAL);
    cr_assert_eq(gbx_external_copy_new(value, &copy), GBX_ECLONE);
    cr_assert_null(gbx_value_get_shared(NULL));
    gbx_value_free(value);
    value = gbx_value_new_null();
    cr_assert_null(gbx_value_get_shared(value));
    gbx_value_free(value);
    /* What a guest makes is its own. */
    expect_failure(
        gbx_isolate_context(isolate), "new SharedArrayBuffer(8)", GBX_ECLONE, &error);

    options.shared = list;
    options.shared_count = 17;
    cr_assert_eq(gbx_isolate_open(w.runtime, &options, &none, &error), GBX_EINVAL);
    cr_assert_str_eq(error.message, "isolate options: 17 shared memories, at most 16");
    options.shared_count = 2;
    list[0] = shared;
    cr_assert_eq(gbx_isolate_open(w.runtime, &options, &none, &error), GBX_EINVAL);
    cr_assert_str_eq(error.message, "isolate options: shared memory 1 is NULL");
    options.shared = NULL;
    cr_assert_eq(gbx_isolate_open(w.runtime, &options, &none, &error), GBX_EINVAL);
    options.shared = list;
    options.shared_count = 1;
    options.flags = GBX_ISOLATE_NO_SHARED_MEMORY | GBX_ISOLATE_NO_WASM;
    cr_assert_eq(gbx_isolate_open(w.runtime, &options, &none, &error), GBX_EINVAL);
    cr_assert_eq(gbx_shared_open(0, &list[0], &error), GBX_EINVAL);
    cr_assert_eq(gbx_shared_open(((uint64_t)1 << 30) + 1, &list[0], &error), GBX_EINVAL);
    cr_assert_str_eq(
        error.message, "shared memory: 1073741825 bytes, expected 1 to 1073741824");
    gbx_shared_close(NULL);
    gbx_shared_close(shared);
    gbx_shared_close(other);
    gbx_isolate_close(isolate);
    expect_usable(&w);
    world_close(&w);
}

/* It neither counts against the guest's limit nor against what the kernel grants. */
CleanTest(shared, large_memory_of_a_small_isolate)
{
    struct world w = world_open(NULL);
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    gbx_error error = GBX_ERROR_INIT;
    uint64_t len = (uint64_t)1 << 30;
    gbx_shared *shared[] = { shared_new(len), shared_new(len), shared_new(len) };

    options.memory_limit_bytes = 16 << 20;
    options.shared = shared;
    options.shared_count = 3;
    gbx_isolate *isolate = world_isolate(&w, &options);
    set(isolate, "last", gbx_value_new_shared(shared[2]));
    cr_assert_eq(number(isolate, "const bytes = new Uint8Array(last); "
                                 "for (let i = 0; i < 256 << 20; i += 4096) bytes[i] = 1;"
                                 "bytes[bytes.length - 1] = 9"),
        9);
    cr_assert_eq(((uint8_t *)gbx_shared_bytes(shared[2], NULL))[len - 1], 9);
    /* Its own limit is as it was. */
    expect_failure(
        gbx_isolate_context(isolate), "new ArrayBuffer(17 << 20)", GBX_ETHROW, &error);
    for (int i = 0; i < 3; i++)
        gbx_shared_close(shared[i]);
    gbx_isolate_close(isolate);
    world_close(&w);
}

/* GiB that it can reserve for buffers: as much as the engine lets it, unless the kernel's limit is
 * nearer. */
static double
reservations(gbx_isolate *isolate)
{
    return number(isolate, "(() => { const all = []; try { for (;;)"
                           "  all.push(new ArrayBuffer(1, { maxByteLength: 2 ** 30 })); }"
                           "  catch { return all.length } })()");
}

CleanTest(shared, takes_no_addresses_from_the_guest)
{
    struct world w = world_open(NULL);
    gbx_shared *shared = shared_new((uint64_t)1 << 30), *list[16];
    double most = reservations(w.isolate);

    cr_assert_gt(most, 16);
    for (int i = 0; i < 16; i++)
        list[i] = shared;
    for (int after = 0; after < 2; after++) {
        gbx_isolate *isolate = isolate_with(&w, list, 16);
        gbx_snapshot_options options = GBX_SNAPSHOT_OPTIONS_INIT;
        size_t bytes = 0;
        options.sink = drop;
        options.data = &bytes;
        if (after > 0) /* its limits are lifted for that, and set back */
            settle(gbx_heap_snapshot(isolate, &options), GBX_OK);
        cr_assert_eq(reservations(isolate), most);
        gbx_isolate_close(isolate);
    }
    gbx_shared_close(shared);
    world_close(&w);
}

CleanTest(shared, by_a_runtime_with_a_pool)
{
    gbx_runtime_options options = GBX_RUNTIME_OPTIONS_INIT;
    gbx_shared *shared = shared_new(64);
    struct world w = { NULL, NULL, NULL };

    options.pool = 2;
    cr_assert_eq(gbx_runtime_open(&options, &w.runtime, NULL), GBX_OK);
    gbx_isolate_close(world_isolate(&w, NULL));
    gbx_isolate *isolate = isolate_with(&w, &shared, 1);
    set(isolate, "x", gbx_value_new_shared(shared));
    cr_assert_eq(number(isolate, "x.byteLength"), 64);
    gbx_isolate_close(isolate);
    gbx_shared_close(shared);
    gbx_runtime_close(w.runtime);
}

CleanTest(shared, death_of_one_leaves_the_others)
{
    struct world w = world_open(NULL);
    gbx_shared *shared = shared_new(4096);
    gbx_isolate *a = isolate_with(&w, &shared, 1), *b = isolate_with(&w, &shared, 1);
    gbx_call_options limits = GBX_CALL_OPTIONS_INIT;

    set(a, "x", gbx_value_new_shared(shared));
    set(b, "x", gbx_value_new_shared(shared));
    static const char grow[] = "new Int32Array(x)[5] = 17; const l = []; for (;;) l.push([l])";
    settle(
        gbx_context_eval(gbx_isolate_context(a), grow, sizeof grow - 1, &limits), GBX_EMEMORY);
    cr_assert_eq(gbx_isolate_death(a)->status, GBX_EMEMORY);
    cr_assert_eq(number(b, "new Int32Array(x)[5]"), 17);
    cr_assert_eq(words(shared)[5], 17);
    gbx_isolate_close(a);
    gbx_isolate_close(b);
    gbx_shared_close(shared);
    world_close(&w);
}

/* A fork and an isolate of a template have the same memory, also under their limits. */
CleanTest(shared, forks_and_templates_share_it)
{
    struct world w = world_open(NULL);
    gbx_shared *shared = shared_new(4096);
    gbx_isolate *isolate = isolate_with(&w, &shared, 1), *fork = NULL, *of_template = NULL;
    gbx_template_options options = GBX_TEMPLATE_OPTIONS_INIT;
    gbx_isolate_options warm = GBX_ISOLATE_OPTIONS_INIT;
    gbx_template *template = NULL;
    gbx_error error = GBX_ERROR_INIT;

    set(isolate, "x", gbx_value_new_shared(shared));
    cr_assert_eq(number(isolate, "var a = new Int32Array(x); a[1] = 3"), 3);
    cr_assert_eq(gbx_isolate_fork(isolate, NULL, &fork, &error), GBX_OK, "%s", error.message);
    gbx_isolate_close(isolate);
    cr_assert_eq(number(fork, "a[1]++; a[1]"), 4);
    cr_assert_eq(words(shared)[1], 4);
    gbx_value *back = eval(gbx_isolate_context(fork), "x");
    cr_assert_eq(gbx_value_get_shared(back), shared);
    gbx_value_free(back);

    warm.shared = &shared;
    warm.shared_count = 1;
    options.isolate = &warm;
    cr_assert_eq(gbx_template_open(w.runtime, &options, &template, &error), GBX_OK);
    warm.shared = NULL;
    cr_assert_eq(gbx_template_isolate(template, NULL, &of_template, &error), GBX_OK);
    set(of_template, "y", gbx_value_new_shared(shared));
    cr_assert_eq(number(of_template, "new Int32Array(y)[1]"), 4);
    gbx_isolate_close(of_template);
    gbx_isolate_close(fork);
    gbx_template_close(template);
    gbx_shared_close(shared);
    world_close(&w);
}

CleanTest(shared, snapshots_of_who_has_it)
{
    struct world w = world_open(NULL);
    gbx_shared *shared = shared_new(64 << 20);
    gbx_isolate *isolate = isolate_with(&w, &shared, 1);
    size_t bytes = 0;

    set(isolate, "x", gbx_value_new_shared(shared));
    for (uint32_t mode = 0; mode < 2; mode++) {
        gbx_snapshot_options options = GBX_SNAPSHOT_OPTIONS_INIT;
        options.mode = mode;
        options.sink = drop;
        options.data = &bytes;
        settle(gbx_heap_snapshot(isolate, &options), GBX_OK);
        cr_assert_gt(bytes, 100000);
        /* Its limits are back, and hold what they held before. */
        cr_assert_eq(number(isolate, "new Int32Array(x)[100] = 1; new ArrayBuffer(30 << 20); "
                                     "new Int32Array(x).length"),
            16 << 20);
    }
    gbx_isolate_close(isolate);
    gbx_shared_close(shared);
    world_close(&w);
}

/* What stands behind a number of ours, should it get into other hands. */
static int
descriptor(void)
{
    char name[64], where[64];

    for (int fd = 3; fd < 256; fd++) {
        (void)snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(name, where, sizeof where - 1);
        if (n > 0 && strncmp(where, "/memfd:glovebox-shared", 22) == 0)
            return fd;
    }
    return -1;
}

/* Else the host could be had to die of SIGBUS. */
CleanTest(shared, keeps_its_size)
{
    gbx_shared *shared = shared_new(100000);
    int fd = descriptor();

    cr_assert_geq(fd, 3);
    cr_assert_eq(ftruncate(fd, 4096), -1);
    cr_assert_eq(errno, EPERM);
    cr_assert_eq(ftruncate(fd, 1 << 20), -1);
    cr_assert_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
    gbx_shared_close(shared);
    cr_assert_eq(descriptor(), -1);
}

/* Thousands, and of each nothing is left: CleanTest counts descriptors. */
CleanTest(shared, ten_thousand)
{
    struct world w = world_open(NULL);
    gbx_shared *kept = shared_new(1 << 16);
    gbx_isolate *isolate = isolate_with(&w, &kept, 1);
    gbx_context *context = gbx_isolate_context(isolate);

    eval_only(context, "function pass(x) { new Uint8Array(x)[3]++; return x; }");
    for (int i = 0; i < 10000; i++) {
        gbx_shared *shared = shared_new(1 << 20);
        words(shared)[0] = i;
        gbx_shared_close(shared);
        gbx_value *value = gbx_value_new_shared(kept);
        const gbx_value *argument = value;
        gbx_value *back = settle_value(gbx_context_call(context, "pass", &argument, 1, NULL));
        cr_assert_eq(gbx_value_get_shared(back), kept);
        gbx_value_free(back);
        gbx_value_free(value);
    }
    cr_assert_eq(((uint8_t *)gbx_shared_bytes(kept, NULL))[3], 10000 % 256);
    gbx_isolate_close(isolate);
    for (int i = 0; i < 100; i++) {
        gbx_shared *list[] = { shared_new(4096), shared_new(4096), kept };
        gbx_isolate_close(isolate_with(&w, list, 3));
        gbx_shared_close(list[0]);
        gbx_shared_close(list[1]);
    }
    gbx_shared_close(kept);
    world_close(&w);
}
