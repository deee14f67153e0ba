#include "host/paths.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char top[] = "/tmp/glovebox-paths-XXXXXX";
static struct paths found;
static gbx_error error = GBX_ERROR_INIT;

static char *
below(const char *name)
{
    static char path[4][PATH_MAX];
    static int turn;
    char *p = path[turn++ % 4];

    (void)snprintf(p, PATH_MAX, "%s/%s", top, name);
    return p;
}

static void
make_file(const char *name, mode_t mode)
{
    FILE *f = fopen(below(name), "w");

    cr_assert_not_null(f);
    (void)fclose(f);
    cr_assert_eq(chmod(below(name), mode), 0);
}

/* A complete directory, and another engine beside it. */
static void
make_tree(void)
{
    static const char *const folders[] = { "lib", "lib/engine", "lib/engine/bin", "other",
        "other/bin" };

    cr_assert_not_null(mkdtemp(top));
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
        cr_assert_eq(mkdir(below(folders[i]), 0755), 0);
    make_file("lib/libglovebox-cell.so", 0644);
    make_file("lib/engine/bin/node", 0755);
    make_file("other/bin/node", 0755);
    setenv("GLOVEBOX_LIBEXEC", below("lib"), 1);
    unsetenv("GLOVEBOX_ENGINE");
}

static void
remove_tree(void)
{
    static const char *const all[] = { "lib/libglovebox-cell.so", "lib/engine/bin/node",
        "other/bin/node", "link", "lib/engine/bin", "lib/engine", "lib", "other/bin", "other" };

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        (void)remove(below(all[i]));
    (void)rmdir(top);
}

TestSuite(paths, .init = make_tree, .fini = remove_tree);

static void
refused(const char *engine, const char *word)
{
    struct paths untouched;

    memset(&found, 0x5A, sizeof found);
    memcpy(&untouched, &found, sizeof found);
    cr_assert_eq(paths_find(engine, &found, &error), GBX_EENGINE);
    cr_assert_not_null(strstr(error.message, word), "\"%s\" lacks %s", error.message, word);
    cr_assert_eq(memcmp(&untouched, &found, sizeof found), 0);
}

Test(paths, finds_the_cell_and_the_engine_beside_it)
{
    cr_assert_eq(paths_find(NULL, &found, &error), GBX_OK, "%s", error.message);
    cr_assert_str_eq(found.cell, below("lib/libglovebox-cell.so"));
    cr_assert_str_eq(found.engine, below("lib/engine/bin/node"));
}

Test(paths, answers_without_symbolic_links)
{
    cr_assert_eq(symlink(below("lib"), below("link")), 0);
    setenv("GLOVEBOX_LIBEXEC", below("link"), 1);
    cr_assert_eq(paths_find(NULL, &found, &error), GBX_OK);
    cr_assert_str_eq(found.cell, below("lib/libglovebox-cell.so"));
}

Test(paths, takes_the_engine_of_the_environment_before_its_own)
{
    setenv("GLOVEBOX_ENGINE", below("other"), 1);
    cr_assert_eq(paths_find(NULL, &found, &error), GBX_OK);
    cr_assert_str_eq(found.engine, below("other/bin/node"));
}

Test(paths, takes_the_caller_s_engine_before_all_others)
{
    setenv("GLOVEBOX_ENGINE", "/nonexistent", 1);
    cr_assert_eq(paths_find(below("other"), &found, &error), GBX_OK);
    cr_assert_str_eq(found.engine, below("other/bin/node"));
}

Test(paths, names_a_directory_without_the_cell)
{
    setenv("GLOVEBOX_LIBEXEC", below("other"), 1);
    refused(NULL, below("other"));
    setenv("GLOVEBOX_LIBEXEC", "", 1);
    refused(NULL, "GLOVEBOX_LIBEXEC");
}

Test(paths, names_an_engine_that_is_missing)
{
    refused(below("lib"), below("lib/bin/node"));
    setenv("GLOVEBOX_ENGINE", "/nonexistent", 1);
    refused(NULL, "/nonexistent/bin/node");
}

Test(paths, names_an_engine_that_cannot_be_executed)
{
    cr_assert_eq(chmod(below("other/bin/node"), 0644), 0);
    refused(below("other"), below("other/bin/node"));
}

Test(paths, refuses_a_path_that_is_too_long)
{
    static char longer[2 * PATH_MAX];

    memset(longer, 'x', sizeof longer - 1);
    longer[0] = '/';
    refused(longer, "longer than");
    setenv("GLOVEBOX_LIBEXEC", longer, 1);
    refused(NULL, "GLOVEBOX_LIBEXEC");
}

Test(paths, says_where_it_looked_when_nothing_is_named)
{
    unsetenv("GLOVEBOX_LIBEXEC");
    if (paths_find(NULL, &found, &error) == GBX_OK)
        cr_skip_test("glovebox is installed on this machine");
    cr_assert_not_null(strstr(error.message, "/libexec/glovebox"), "%s", error.message);
}
