/* Files that are there when they are whole: also where the file system has no nameless ones. */
#include "base/result_file.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* In place of the C library's: a file system that has no nameless files. */
static bool without_nameless;
__attribute__((visibility("default"))) int open64(const char *path, int flags, ...);

int
open64(const char *path, int flags, ...)
{
    va_list args;

    va_start(args, flags);
    mode_t mode = (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(args, mode_t) : 0;
    va_end(args);
    if (without_nameless && (flags & O_TMPFILE) == O_TMPFILE) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

static char folder[64];

static const char *
in_folder(const char *name)
{
    static char path[PATH_MAX];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int
entries(void)
{
    DIR *dir = opendir(folder);
    int count = 0;

    cr_assert_not_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        count += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    (void)closedir(dir);
    return count;
}

static void
begin(void)
{
    (void)snprintf(folder, sizeof folder, "/tmp/glovebox-result-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
}

static void
end(void)
{
    (void)unlink(in_folder("a"));
    cr_assert_eq(rmdir(folder), 0, "something is left");
}

static void
holds(const char *wanted)
{
    char text[32] = "";
    FILE *file = fopen(in_folder("a"), "re");

    cr_assert_not_null(file);
    cr_assert_not_null(fgets(text, sizeof text, file));
    (void)fclose(file);
    cr_assert_str_eq(text, wanted);
}

static struct result_file
writes(const char *text, bool replaces)
{
    struct result_file file = { .fd = -1 };
    gbx_error error = GBX_ERROR_INIT;

    cr_assert_eq(result_file_create(&file, in_folder("a"), replaces, &error), GBX_OK, "%s",
        error.message);
    cr_assert_neq(file.nameless, without_nameless, "what is tested here");
    cr_assert_eq(
        result_file_write(&file, span_of((const uint8_t *)text, strlen(text)), &error), GBX_OK);
    return file;
}

static void
names(struct result_file *file, gbx_status status, const char *part)
{
    gbx_error error = GBX_ERROR_INIT;

    cr_assert_eq(result_file_name(file, &error), status, "%s", error.message);
    cr_assert_not_null(strstr(error.message, part), "%s", error.message);
    result_file_close(file);
}

static void
all_of_it(void)
{
    gbx_error error = GBX_ERROR_INIT;
    struct result_file file = writes("one", false);

    cr_assert_neq(access(in_folder("a"), F_OK), 0, "it is there before it is whole");
    cr_assert_eq(entries(), without_nameless ? 1 : 0);
    result_file_close(&file);
    cr_assert_eq(entries(), 0, "it was not whole");
    file = writes("one", false);
    struct result_file late = writes("late", false);
    names(&file, GBX_OK, "");
    holds("one");
    names(&late, GBX_ESYS, "File exists");
    holds("one");
    cr_assert_eq(entries(), 1);
    file = (struct result_file){ .fd = -1 };
    cr_assert_eq(result_file_create(&file, in_folder("a"), false, &error), GBX_ESYS);
    cr_assert_not_null(strstr(error.message, "File exists"), "%s", error.message);
    result_file_close(&file);
    file = writes("two", true);
    holds("one");
    names(&file, GBX_OK, "");
    holds("two");
    cr_assert_eq(entries(), 1);
}

Test(result_file, is_there_when_it_is_whole)
{
    begin();
    all_of_it();
    end();
}

Test(result_file, has_a_name_of_its_own_where_it_must_have_one)
{
    begin();
    without_nameless = true;
    all_of_it();
    end();
}

Test(result_file, leaves_nothing_when_its_writer_is_killed)
{
    int status;

    begin();
    for (int i = 0; i < 2; i++) { /* one that is new, one that replaces another */
        pid_t writer = fork();
        if (writer == 0) {
            struct result_file half = { .fd = -1 };
            if (result_file_create(&half, in_folder("a"), true, NULL) == GBX_OK &&
                result_file_write(&half, span_of((const uint8_t *)"half", 4), NULL) == GBX_OK)
                (void)kill(getpid(), SIGKILL);
            _exit(1);
        }
        cr_assert_eq(waitpid(writer, &status, 0), writer);
        cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        cr_assert_eq(entries(), i);
        struct result_file file = writes("whole", true);
        names(&file, GBX_OK, "");
        holds("whole");
    }
    end();
}

Test(result_file, is_not_put_in_place_of_what_is_no_file)
{
    struct result_file file = { .fd = -1 };
    gbx_error error = GBX_ERROR_INIT;
    char name[PATH_MAX + 1];

    begin();
    cr_assert_eq(mkdir(in_folder("a"), 0700), 0);
    cr_assert_eq(result_file_create(&file, in_folder("a"), true, &error), GBX_EINVAL);
    result_file_close(&file);
    cr_assert_eq(rmdir(in_folder("a")), 0);
    file = (struct result_file){ .fd = -1 };
    cr_assert_eq(result_file_create(&file, in_folder("none/a"), true, &error), GBX_ESYS);
    cr_assert_not_null(strstr(error.message, "No such file"), "%s", error.message);
    result_file_close(&file);
    memset(name, 'a', PATH_MAX);
    name[PATH_MAX] = '\0';
    file = (struct result_file){ .fd = -1 };
    cr_assert_eq(result_file_create(&file, name, true, &error), GBX_EINVAL);
    result_file_close(&file);
    end();
}
