/* The store of snapshots, and what others do to its directory and its index. */
#include "stores.h"

#include <signal.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* In place of the C library's, for the store: a file system that has no nameless files. */
static bool without_nameless;
GBX_API int openat64(int directory, const char *path, int flags, ...);

int
openat64(int directory, const char *path, int flags, ...)
{
    va_list args;

    va_start(args, flags);
    mode_t mode = (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(args, mode_t) : 0;
    va_end(args);
    if (without_nameless && (flags & O_TMPFILE) == O_TMPFILE) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return (int)syscall(SYS_openat, directory, path, flags, mode);
}

/* --- what others put there -------------------------------------------------------------------- */

CleanTest(store, what_is_not_its_own_is_left_alone)
{
    static const char *const names[] = { "notes.txt", ".hidden", "a.heapsnapshot.zst",
        "a.20260101T000000.000000Z.x.heapsnapshot.zst",
        "a.20260101T000000.000000Z.0.heapsnapshot.zst",
        "a.20260101T000000.000000Z.007.heapsnapshot.zst",
        "a.20261301T000000.000000Z.7.heapsnapshot.zst",
        "a.20260101T000000.000000Z.99999999999999999999.heapsnapshot.zst",
        "a%2.20260101T000000.000000Z.7.heapsnapshot.zst",
        "%61.20260101T000000.000000Z.7.heapsnapshot.zst",
        "%0A.20260101T000000.000000Z.7.heapsnapshot.zst",
        "a.20260101T000000.000000Z.7.heapsnapshot.zst.part", "a.limit-.b.heapsnapshot.zst" };
    gbx_store *store = open_with(NULL);

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        write_file(in_store(names[i]), "x", 1);
    cr_assert_eq(mkdir(in_store("b.20260101T000000.000000Z.8.heapsnapshot.zst"), 0700), 0);
    cr_assert_eq(mkfifo(in_store("b.20260101T000000.000000Z.9.heapsnapshot.zst"), 0600), 0);
    cr_assert_eq(
        symlink("/etc/passwd", in_store("b.20260101T000000.000000Z.10.heapsnapshot.zst")), 0);
    cr_assert_eq(mkdir(in_store(".incoming-directory"), 0700), 0);
    cr_assert_eq(symlink("notes.txt", in_store(".incoming-link")), 0);
    cr_assert_eq(mkfifo(in_store(".incoming-fifo"), 0600), 0);
    size_t before = names_with("", "");
    gbx_store_close(store);
    store = open_with(NULL);
    cr_assert_eq(count_of(store, NULL), 0);
    cr_assert_eq(names_with("", ""), before);
    (void)add(store, "a");
    cr_assert_eq(count_of(store, NULL), 1);
    gbx_store_close(store);
}

CleanTest(store, what_is_left_over_is_removed_and_what_is_written_is_not)
{
    gbx_store_close(open_with(NULL));
    write_file(in_store(".incoming-1"), "x", 1);
    write_file(in_store(".incoming-2"), "x", 1);
    int fd = open(in_store(".incoming-2"), O_RDWR | O_CLOEXEC);
    cr_assert_eq(flock(fd, LOCK_EX), 0);
    gbx_store *store = open_with(NULL);
    cr_assert_eq(names_with(".incoming-", ""), 1);
    (void)close(fd);
    cr_assert_eq(gbx_store_sync(store, NULL), GBX_OK);
    cr_assert_eq(names_with(".incoming-", ""), 0);
    gbx_store_close(store);
}

CleanTest(store, what_is_no_snapshot_is_told)
{
    gbx_store *store = open_with(NULL);
    gbx_store_entry *entries = NULL;
    gbx_store_class *classes = NULL;
    gbx_error error = GBX_ERROR_INIT;
    uint32_t count = 0;

    write_file(in_scratch("text"), "hello", 5);
    cr_assert_eq(gbx_store_add(store, in_scratch("text"), "a", NULL, &error), GBX_EINVAL);
    cr_assert_eq(gbx_store_add(store, in_scratch("none"), "a", NULL, &error), GBX_ESYS);
    cr_assert_eq(error.os_errno, ENOENT);
    cr_assert_eq(gbx_store_add(store, "/dev/null", "a", NULL, &error), GBX_EINVAL);
    cr_assert_eq(gbx_store_add(store, in_scratch("store"), "a", NULL, &error), GBX_EINVAL);
    cr_assert_eq(names_with("", ""), 3);
    write_file(in_store("a.20260101T000000.000000Z.7.heapsnapshot.zst"), "hello", 5);
    cr_assert_eq(gbx_store_sync(store, NULL), GBX_OK);
    for (int i = 0; i < 2; i++) { /* the second time from the index */
        cr_assert_eq(gbx_store_classes(store, 7, &classes, &count, &error), GBX_EINVAL);
        cr_assert_eq(list(store, NULL, &entries), 1);
        cr_assert_eq(entries->state, GBX_STORE_DAMAGED);
        free(entries);
    }
    cr_assert_eq(gbx_store_classes(store, 8, &classes, &count, &error), GBX_EINVAL);
    /* It is looked at again when it has changed. */
    cr_assert_eq(rename(sample(), in_store("a.20260101T000000.000000Z.7.heapsnapshot.zst")), 0);
    cr_assert_eq(gbx_store_sync(store, NULL), GBX_OK);
    cr_assert_eq(gbx_store_classes(store, 7, &classes, &count, &error), GBX_OK);
    free(classes);
    gbx_store_close(store);
}

/* --- the index -------------------------------------------------------------------------------- */

static void
spoil(size_t how)
{
    const char *index = in_store("index.sqlite");
    char bytes[4096];
    struct stat st;
    int fd;

    cr_assert_eq(stat(index, &st), 0);
    switch (how) {
    case 0:
        write_file(index, "hello", 5);
        return;
    case 1: /* cut */
        cr_assert_eq(truncate(index, st.st_size / 2), 0);
        return;
    case 2: /* all but the header overwritten */
        memset(bytes, 0x5a, sizeof bytes);
        fd = open(index, O_RDWR | O_CLOEXEC);
        for (off_t at = 100; at < st.st_size; at += (off_t)sizeof bytes)
            cr_assert_eq(pwrite(fd, bytes, sizeof bytes, at), (ssize_t)sizeof bytes);
        (void)close(fd);
        return;
    default: /* gone */
        cr_assert_eq(unlink(index), 0);
    }
}

CleanTest(store, a_damaged_index_is_made_anew)
{
    gbx_store_options options = GBX_STORE_OPTIONS_INIT;

    options.flags = GBX_STORE_READ_ONLY;
    for (size_t how = 0; how < 4; how++) {
        gbx_store *store = open_with(NULL);
        uint64_t id = add(store, "kept");
        gbx_store_class *classes = NULL;
        uint32_t count = 0;
        gbx_store_close(store);
        spoil(how);
        refuses(in_scratch("store"), &options, GBX_EINVAL, how < 3 ? "damaged" : "no index");
        store = open_with(NULL);
        cr_assert_eq(count_of(store, "kept"), how + 1);
        cr_assert(has(store, id));
        cr_assert_eq(gbx_store_classes(store, id, &classes, &count, NULL), GBX_OK);
        cr_assert_gt(count, 0);
        free(classes);
        gbx_store_close(store);
        cr_assert_eq(names_with("index.sqlite.damaged", ""), how < 3 ? how + 1 : 3);
    }
}

CleanTest(store, a_database_of_something_else_is_refused)
{
    char command[512];

    cr_assert_eq(mkdir(in_scratch("store"), 0700), 0);
    (void)snprintf(command, sizeof command,
        "python3 -c \"import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); "
        "d.execute('create table mine (x)'); d.commit()\" %s",
        in_store("index.sqlite"));
    cr_assert_eq(system(command), 0); /* NOLINT */
    refuses(in_scratch("store"), NULL, GBX_EINVAL, "is not the index of a store");
    cr_assert_eq(names_with("", ""), 3);
    cr_assert_eq(unlink(in_store("index.sqlite")), 0);
    gbx_store_close(open_with(NULL));
    (void)snprintf(command, sizeof command,
        "python3 -c \"import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); "
        "d.execute('pragma user_version = 2'); d.commit()\" %s",
        in_store("index.sqlite"));
    cr_assert_eq(system(command), 0); /* NOLINT */
    refuses(in_scratch("store"), NULL, GBX_EUNSUPPORTED, "later version");
}

CleanTest(store, what_cannot_be_a_store_is_refused)
{
    gbx_store_options options = GBX_STORE_OPTIONS_INIT;

    options.flags = GBX_STORE_MUST_EXIST;
    refuses(in_scratch("store"), &options, GBX_ESYS, "No such file");
    cr_assert_eq(access(in_scratch("store"), F_OK), -1);
    refuses(in_scratch("no/such"), NULL, GBX_ESYS, "No such file");
    refuses("", NULL, GBX_EINVAL, "has a name");
    write_file(in_scratch("file"), "x", 1);
    refuses(in_scratch("file"), NULL, GBX_ESYS, "Not a directory");
    options.flags = 8;
    refuses(in_scratch("store"), &options, GBX_EUNSUPPORTED, "unknown flag 0x8");
    cr_assert_eq(mkdir(in_scratch("store"), 0700), 0);
    options.flags = GBX_STORE_READ_ONLY;
    refuses(in_scratch("store"), &options, GBX_EINVAL, "no index");
    cr_assert_eq(symlink("/dev/null", in_store("index.sqlite")), 0);
    refuses(in_scratch("store"), NULL, GBX_EINVAL, "not a regular file");
    gbx_store_close(NULL);
}

/* --- a disk that is full, a directory that is shut -------------------------------------------- */

/* Runs `what` in a process of its own, which must answer 0. */
static void
apart(int (*what)(void))
{
    int status;
    pid_t child = fork();

    if (child == 0)
        _exit(what());
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0, "%x", (unsigned)status);
}

static int
add_where_little_fits(void)
{
    struct rlimit limit = { 100000, 100000 };
    gbx_error error = GBX_ERROR_INIT;
    gbx_store *store = NULL;

    (void)signal(SIGXFSZ, SIG_IGN);
    if (gbx_store_open(in_scratch("store"), NULL, &store, NULL) != GBX_OK)
        return 1;
    (void)setrlimit(RLIMIT_FSIZE, &limit);
    if (gbx_store_add(store, sample(), "b", NULL, &error) != GBX_ESYS)
        return 2;
    if (error.os_errno != EFBIG)
        return 3;
    gbx_store_close(store);
    return 0;
}

CleanTest(store, what_does_not_fit_changes_nothing)
{
    gbx_store *store = open_with(NULL);
    uint64_t id = add(store, "a");
    struct stat st;

    cr_assert_eq(stat(sample(), &st), 0);
    cr_assert_gt(st.st_size, 100000);
    apart(add_where_little_fits);
    cr_assert_eq(gbx_store_sync(store, NULL), GBX_OK);
    cr_assert(count_of(store, NULL) == 1 && has(store, id));
    cr_assert_eq(names_with("", ""), 4);
    gbx_store_close(store);
}

static int
use_as_a_stranger(void)
{
    gbx_store_options options = GBX_STORE_OPTIONS_INIT;
    gbx_error error = GBX_ERROR_INIT;
    gbx_store *store = NULL;
    gbx_store_class *classes = NULL;
    uint32_t count = 0;
    char *path = NULL;

    if (geteuid() == 0 && setuid(65534) != 0)
        return 1;
    if (gbx_store_open(in_scratch("store"), NULL, &store, &error) != GBX_ESYS ||
        error.os_errno != EACCES)
        return 2;
    options.flags = GBX_STORE_READ_ONLY;
    if (gbx_store_open(in_scratch("store"), &options, &store, &error) != GBX_OK)
        return 3;
    if (count_of(store, NULL) != 1 ||
        gbx_store_classes(store, 1, &classes, &count, NULL) != GBX_OK || count == 0)
        return 4;
    free(classes);
    if (gbx_store_add(store, sample(), "a", NULL, NULL) != GBX_EINVAL ||
        gbx_store_remove(store, 1, NULL) != GBX_EINVAL ||
        gbx_store_sync(store, NULL) != GBX_EINVAL ||
        gbx_store_limit_path(store, "a", &path, NULL) != GBX_EINVAL)
        return 5;
    gbx_store_close(store);
    return 0;
}

CleanTest(store, one_that_may_not_be_written_can_be_read)
{
    gbx_store *store = open_with(NULL);
    gbx_store_entry *entries = NULL;

    (void)add(store, "a");
    cr_assert_eq(list(store, NULL, &entries), 1);
    cr_assert_eq(chmod(entries->path, 0444), 0);
    free(entries);
    gbx_store_close(store);
    cr_assert_eq(chmod(in_store("index.sqlite"), 0444), 0);
    cr_assert_eq(chmod(in_scratch("store"), 0555), 0);
    cr_assert_eq(chmod(scratch_directory(), 0755), 0);
    cr_assert_eq(chmod(sample(), 0444), 0);
    apart(use_as_a_stranger);
    cr_assert_eq(chmod(in_scratch("store"), 0755), 0);
}

/* --- a file system without nameless files ----------------------------------------------------- */

static int
add_ten(void)
{
    gbx_store *store = NULL;

    if (gbx_store_open(in_scratch("store"), NULL, &store, NULL) != GBX_OK)
        return 1;
    for (int i = 0; i < 10; i++)
        if (gbx_store_add(store, sample(), "a", NULL, NULL) != GBX_OK)
            return 2;
    gbx_store_close(store);
    return 0;
}

CleanTest(store, what_is_written_may_have_a_name)
{
    gbx_store *store = open_with(NULL);
    gbx_store_entry *entries = NULL;
    int status;
    bool seen = false;

    (void)sample();
    without_nameless = true;
    apart(add_where_little_fits);
    cr_assert_eq(names_with(".incoming-", ""), 0);
    /* What others write is left alone. */
    for (uint32_t rounds = 1; !seen; rounds++) {
        pid_t other = fork();
        if (other == 0)
            _exit(add_ten());
        while (waitpid(other, &status, WNOHANG) == 0) {
            seen |= names_with(".incoming-", "") > 0;
            cr_assert_eq(gbx_store_sync(store, NULL), GBX_OK);
        }
        cr_assert_eq(status, 0);
        cr_assert_eq(count_of(store, "a"), 10 * rounds);
    }
    uint32_t count = list(store, "a", &entries);
    for (uint32_t i = 0; i < count; i++)
        gbx_heap_close(read_back(entries[i].path));
    free(entries);
    /* What they leave when they are killed goes. */
    pid_t child = fork();
    if (child == 0)
        for (;;)
            (void)add_ten();
    while (names_with(".incoming-", "") == 0)
        sleep_ms(0);
    cr_assert_eq(kill(child, SIGSTOP), 0);
    cr_assert_eq(waitpid(child, &status, WUNTRACED), child);
    bool left = names_with(".incoming-", "") > 0;
    cr_assert_eq(kill(child, SIGKILL), 0);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(names_with(".incoming-", "") > 0, left);
    cr_assert_eq(gbx_store_sync(store, NULL), GBX_OK);
    cr_assert_eq(names_with(".incoming-", ""), 0);
    gbx_store_close(store);
}
