/* The store of snapshots: what is put there stays, whenever processes are killed; what is no longer
 * to be kept goes. */
#include "stores.h"

#include <signal.h>
#include <sys/wait.h>

/* --- what it is for --------------------------------------------------------------------------- */

CleanTest(store, what_is_added_is_there)
{
    gbx_store *store = open_with(NULL);
    gbx_store_entry *entries = NULL;
    gbx_store_class *classes = NULL;
    uint32_t ids[1], count = 0;

    cr_assert_eq(count_of(store, NULL), 0);
    uint64_t one = add(store, "one"), two = add(store, "two");
    cr_assert_lt(one, two);
    cr_assert_eq(list(store, NULL, &entries), 2);
    for (uint32_t i = 0; i < 2; i++) {
        const gbx_store_entry *e = &entries[i];
        cr_assert_eq(e->id, i == 0 ? one : two);
        cr_assert_str_eq(e->label, i == 0 ? "one" : "two");
        cr_assert_eq(e->reason, GBX_STORE_ADDED);
        cr_assert_eq(e->state, GBX_STORE_READ);
        cr_assert_gt(e->heap_bytes, 100000);
        cr_assert_gt(e->nodes, 1000);
        struct stat st;
        cr_assert_eq(stat(e->path, &st), 0);
        cr_assert_eq((uint64_t)st.st_size, e->file_bytes);
        cr_assert_gt(ids_of(e->path, "Needle", ids, 1), 99);
    }
    free(entries);
    cr_assert_eq(gbx_store_classes(store, one, &classes, &count, NULL), GBX_OK);
    cr_assert_eq(count, 32);
    for (uint32_t i = 1; i < count; i++)
        cr_assert_leq(classes[i].retained, classes[i - 1].retained);
    cr_assert_gt(strlen(classes[0].name), 0);
    free(classes);
    cr_assert_eq(count_of(store, "one"), 1);
    cr_assert_eq(count_of(store, "three"), 0);
    gbx_store_close(store);
    store = open_with(NULL); /* and still is */
    cr_assert_eq(count_of(store, NULL), 2);
    cr_assert_eq(gbx_store_remove(store, one, NULL), GBX_OK);
    cr_assert_eq(gbx_store_remove(store, one, NULL), GBX_EINVAL);
    cr_assert_eq(count_of(store, NULL), 1);
    cr_assert_eq(names_with("one.", ".zst"), 0);
    cr_assert_gt(add(store, "one"), two, "an id is not given again");
    gbx_store_close(store);
}

CleanTest(store, a_plain_snapshot_is_compressed)
{
    struct world w = world_open(NULL);
    gbx_store *store = open_with(NULL);
    gbx_store_entry *entries = NULL;
    struct stat st;

    settle(take(w.isolate, in_scratch("plain"), 0), GBX_OK);
    world_close(&w);
    cr_assert_eq(stat(in_scratch("plain"), &st), 0);
    cr_assert_eq(gbx_store_add(store, in_scratch("plain"), "plain", NULL, NULL), GBX_OK);
    cr_assert_eq(list(store, NULL, &entries), 1);
    cr_assert_lt(entries->file_bytes * 3, (uint64_t)st.st_size);
    cr_assert_eq(entries->taken_us / 1000000, (uint64_t)st.st_mtim.tv_sec);
    gbx_heap_close(read_back(entries->path));
    free(entries);
    gbx_store_close(store);
}

/* Whatever a label has, it comes back, and its file stays in the directory. */
CleanTest(store, labels_are_any_text)
{
    static const char *const good[] = { "a", "../../etc/passwd", ".", "..", "a b", "%41", "é€😀",
        "-", "limit-x", "a.b",
        "012345678901234567890123456789012345678901234567890123"
        "456789012",
        "////////////////////////////////////////////////////////////"
        "///" };
    static const char *const bad[] = { "", "a\nb", "\x1b[31m", "\xff", "\xc0\x80",
        "\xed\xa0\x80", "\xc2\x85",
        "0123456789012345678901234567890123456789012345678901234567890123" };
    gbx_store *store = open_with(NULL);
    gbx_error error = GBX_ERROR_INIT;

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        gbx_store_entry *entries = NULL;
        (void)add(store, good[i]);
        cr_assert_eq(list(store, good[i], &entries), 1, "%s", good[i]);
        cr_assert_str_eq(entries->label, good[i]);
        cr_assert_eq(access(entries->path, R_OK), 0);
        free(entries);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert_eq(gbx_store_add(store, sample(), bad[i], NULL, &error), GBX_EINVAL);
    gbx_store_close(store);
    /* The files alone tell all of it. */
    cr_assert_eq(unlink(in_store("index.sqlite")), 0);
    store = open_with(NULL);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        cr_assert_eq(count_of(store, good[i]), 1, "%s", good[i]);
    cr_assert_eq(names_with("", ".zst"), sizeof good / sizeof good[0]);
    gbx_store_close(store);
}

/* --- what is kept ----------------------------------------------------------------------------- */

static void
age(const char *path, time_t seconds)
{
    struct timespec times[2] = { { time(NULL) - seconds, 0 }, { time(NULL) - seconds, 0 } };

    cr_assert_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

CleanTest(store, so_many_are_kept_of_each_label)
{
    gbx_store_options options = GBX_STORE_OPTIONS_INIT;
    gbx_store *store;
    uint64_t last = 0;

    options.keep = 2;
    store = open_with(&options);
    uint64_t other = add(store, "other");
    for (int i = 0; i < 4; i++) {
        age(sample(), 100 - i);
        last = add(store, "mine");
    }
    cr_assert_eq(count_of(store, "mine"), 2);
    cr_assert(has(store, last) && has(store, last - 1) && has(store, other));
    cr_assert_eq(names_with("", ".zst"), 3);
    gbx_store_close(store);
    options.keep = 1; /* it is asked for when it is opened, too */
    store = open_with(&options);
    cr_assert_eq(count_of(store, NULL), 2);
    cr_assert(has(store, last) && has(store, other));
    gbx_store_close(store);
}

CleanTest(store, what_is_too_old_goes)
{
    gbx_store_options options = GBX_STORE_OPTIONS_INIT;
    gbx_store *store = open_with(NULL);

    age(sample(), 100000);
    uint64_t old = add(store, "a");
    age(sample(), 0);
    uint64_t fresh = add(store, "a");
    gbx_store_close(store);
    options.max_age_us = 50000000000;
    store = open_with(&options);
    cr_assert(!has(store, old) && has(store, fresh));
    gbx_store_close(store);
}

CleanTest(store, no_more_bytes_than_wanted_are_kept)
{
    gbx_store_options options = GBX_STORE_OPTIONS_INIT;
    gbx_store *store = open_with(NULL);
    gbx_store_entry *entries = NULL;
    uint64_t ids[4];

    for (int i = 0; i < 4; i++) {
        age(sample(), 100 - i);
        ids[i] = add(store, i % 2 == 0 ? "a" : "b");
    }
    cr_assert_eq(list(store, NULL, &entries), 4);
    options.max_bytes = entries->file_bytes * 2 + entries->file_bytes / 2;
    free(entries);
    gbx_store_close(store);
    store = open_with(&options);
    cr_assert(
        !has(store, ids[0]) && !has(store, ids[1]) && has(store, ids[2]) && has(store, ids[3]));
    gbx_store_close(store);
    options.max_bytes = 1; /* the last one stays */
    store = open_with(&options);
    cr_assert(count_of(store, NULL) == 1 && has(store, ids[3]));
    gbx_store_close(store);
}

/* --- processes -------------------------------------------------------------------------------- */

/* Adds until it is killed, and tells each id. */
static void
add_for_ever(int tell)
{
    gbx_store_options options = GBX_STORE_OPTIONS_INIT;
    gbx_store *store = NULL;
    uint64_t id;

    options.keep = 5;
    if (gbx_store_open(in_scratch("store"), &options, &store, NULL) != GBX_OK)
        _exit(1);
    while (gbx_store_add(store, sample(), "killed", &id, NULL) == GBX_OK)
        if (write(tell, &id, sizeof id) != (ssize_t)sizeof id)
            _exit(2);
    _exit(3);
}

/* Kills a process that adds, so long after it has told the first id; answers the last one. */
static uint64_t
kill_one(long us)
{
    struct timespec t = { 0, us * 1000 };
    int pipes[2], status;
    uint64_t id, last;

    cr_assert_eq(pipe2(pipes, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0)
        add_for_ever(pipes[1]);
    (void)close(pipes[1]);
    cr_assert_eq(read(pipes[0], &last, sizeof last), (ssize_t)sizeof last);
    (void)nanosleep(&t, NULL);
    cr_assert_eq(kill(child, SIGKILL), 0);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFSIGNALED(status), "it ended by itself: %x", (unsigned)status);
    while (read(pipes[0], &id, sizeof id) == (ssize_t)sizeof id)
        last = id;
    (void)close(pipes[0]);
    return last;
}

/* Whenever that is, what it told of is there, every file is whole, and nothing else is there. */
CleanTest(store, a_kill_loses_nothing_and_leaves_no_half)
{
    gbx_store_entry *entries = NULL;

    (void)sample();
    for (int round = 0; round < 25; round++) {
        uint64_t last = kill_one(round * 2711 % 60000);
        gbx_store *store = open_with(NULL);
        uint32_t count = list(store, NULL, &entries);
        cr_assert(
            last == 0 || has(store, last), "snapshot %llu is lost", (unsigned long long)last);
        cr_assert_leq(count, 6);
        for (uint32_t i = 0; i < count; i++)
            gbx_heap_close(read_back(entries[i].path));
        cr_assert_eq(names_with("killed.", ".heapsnapshot.zst"), count);
        /* SQLite may leave an empty journal until it writes again. */
        cr_assert_eq(names_with("", "") - names_with("index.sqlite-journal", ""), count + 3,
            "besides . and .. and the index");
        free(entries);
        gbx_store_close(store);
    }
}

/* What a kill between the two steps of a change leaves, made by hand. */
CleanTest(store, the_index_follows_the_files)
{
    char from[256], to[256];
    gbx_store *store = open_with(NULL);
    gbx_store_entry *entries = NULL;
    uint64_t one = add(store, "one"), two = add(store, "two");

    cr_assert_eq(list(store, "one", &entries), 1);
    (void)snprintf(from, sizeof from, "%s", entries->path);
    free(entries);
    cr_assert_eq(rename(from, in_scratch("elsewhere")), 0);
    cr_assert_eq(gbx_store_sync(store, NULL), GBX_OK);
    cr_assert(!has(store, one) && has(store, two));
    cr_assert_eq(rename(in_scratch("elsewhere"), from), 0);
    gbx_store_close(store);
    store = open_with(NULL);
    cr_assert(has(store, one) && has(store, two));
    /* One with an id that is another's gets one of its own. */
    (void)snprintf(
        to, sizeof to, "%s", in_store("new.20260102T030405.000006Z.2.heapsnapshot.zst"));
    cr_assert_eq(link(from, to), 0);
    cr_assert_eq(gbx_store_sync(store, NULL), GBX_OK);
    cr_assert_eq(list(store, "new", &entries), 1);
    cr_assert_gt(entries->id, two);
    cr_assert_eq(entries->taken_us, 1767323045000006);
    cr_assert_eq(access(entries->path, R_OK), 0);
    free(entries);
    cr_assert_eq(count_of(store, NULL), 3);
    gbx_store_close(store);
}

CleanTest(store, two_may_write_at_once)
{
    pid_t children[4];
    gbx_store *store = open_with(NULL);

    (void)sample();
    for (int i = 0; i < 4; i++)
        if ((children[i] = fork()) == 0) {
            gbx_store *mine = NULL;
            int bad = gbx_store_open(in_scratch("store"), NULL, &mine, NULL) != GBX_OK;
            for (int k = 0; k < 5 && !bad; k++)
                bad = gbx_store_add(mine, sample(), "x", NULL, NULL) != GBX_OK ||
                      gbx_store_sync(mine, NULL) != GBX_OK;
            _exit(bad);
        }
    for (int i = 0; i < 4; i++) {
        int status;
        cr_assert_eq(waitpid(children[i], &status, 0), children[i]);
        cr_assert_eq(status, 0);
    }
    cr_assert_eq(count_of(store, "x"), 20);
    cr_assert_eq(names_with("x.", ".zst"), 20);
    gbx_store_close(store);
}

/* --- at the limit ----------------------------------------------------------------------------- */

CleanTest(store, a_snapshot_at_the_limit_is_taken_up)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    gbx_store *store = open_with(NULL);
    gbx_store_entry *entries = NULL;
    char *path = NULL, *other = NULL;

    cr_assert_eq(gbx_store_limit_path(store, "\n", &path, NULL), GBX_EINVAL);
    cr_assert_eq(gbx_store_limit_path(store, "bo.b", &path, NULL), GBX_OK);
    cr_assert_eq(gbx_store_limit_path(store, "bo.b", &other, NULL), GBX_OK);
    cr_assert_str_neq(path, other);
    options.memory_limit_bytes = 16 << 20;
    options.limit_snapshot = path;
    struct world w = world_open(&options);
    expect_failure(w.context, "const a = []; for (;;) a.push([a, 1.5])", GBX_EMEMORY, NULL);
    cr_assert_not_null(gbx_isolate_death(w.isolate)->snapshot);
    world_close(&w);
    cr_assert_eq(count_of(store, NULL), 0);
    cr_assert_eq(gbx_store_sync(store, NULL), GBX_OK);
    cr_assert_eq(list(store, "bo.b", &entries), 1);
    cr_assert_eq(entries->reason, GBX_STORE_LIMIT);
    cr_assert_lt((uint64_t)time(NULL) - entries->taken_us / 1000000, 3600);
    gbx_heap_close(read_back(entries->path));
    free(entries);
    free(path);
    free(other);
    gbx_store_close(store);
}

/* --- leaks ------------------------------------------------------------------------------------ */

CleanTest(store, a_thousand_leave_nothing)
{
    size_t before = 0;

    gbx_store *store = open_with(NULL);
    (void)add(store, "a");
    gbx_store_close(store);
    for (int i = 0; i < 1100; i++) {
        gbx_store_class *classes = NULL;
        gbx_error error = GBX_ERROR_INIT;
        uint32_t count = 0;
        if (i == 100)
            before = malloc_in_use();
        store = open_with(NULL);
        cr_assert_eq(count_of(store, NULL), 1);
        cr_assert_eq(gbx_store_classes(store, 1, &classes, &count, NULL), GBX_OK);
        cr_assert_eq(gbx_store_remove(store, 99, &error), GBX_EINVAL);
        cr_assert_eq(gbx_store_add(store, "/dev/null", "b", NULL, &error), GBX_EINVAL);
        free(classes);
        gbx_store_close(store);
    }
    cr_assert_leq(malloc_in_use(), before + 16384);
}
