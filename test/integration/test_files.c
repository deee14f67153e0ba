/* The ready-made loader: files in memory, and those of a directory, which nothing leads out of. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static gbx_files *
files_open(const char *directory)
{
    gbx_files *files = NULL;
    gbx_error error = GBX_ERROR_INIT;

    cr_assert_eq(gbx_files_open(directory, &files, &error), GBX_OK, "%s", error.message);
    return files;
}

static void
add(gbx_files *files, const char *name, const char *text)
{
    cr_assert_eq(gbx_files_add(files, name, text, strlen(text)), GBX_OK, "%s", name);
}

static struct world
world_with(gbx_files *files)
{
    struct world w = world_open(NULL);

    cr_assert_eq(gbx_context_set_loader(w.context, gbx_files_load, files), GBX_OK);
    return w;
}

static void
imports_number(struct world *w, const char *specifier, double number)
{
    gbx_value *exports = settle_value(gbx_context_import(w->context, specifier, NULL));

    const gbx_value *value = gbx_value_get(exports, "n", 1);
    cr_assert_not_null(value, "%s", specifier);
    cr_assert_eq(number_of(value), number, "%s", specifier);
    gbx_value_free(exports);
}

/* The import fails for this reason, and says nothing of the host. */
static void
refused(struct world *w, const char *specifier, const char *why)
{
    gbx_error error = GBX_ERROR_INIT;

    gbx_future *future = gbx_context_import(w->context, specifier, NULL);
    cr_assert_eq(gbx_future_wait(future, -1, &error), GBX_EHOST, "%s", specifier);
    gbx_future_free(future);
    cr_assert_not_null(strstr(error.message, why), "%s: %s", specifier, error.message);
    cr_assert_not_null(strstr(error.message, specifier), "%s", error.message);
    cr_assert_null(strstr(error.message, "/tmp"), "%s", error.message);
}

/* --- files in memory ------------------------------------------------------------------------ */

CleanTest(files, in_memory_import_each_other)
{
    gbx_files *files = files_open(NULL);
    struct world w = world_with(files);

    add(files, "main.mjs",
        "import { a } from './lib/a.js'; import d from '/d.json' with "
        "{ type: 'json' }; export const n = a + d.n;");
    add(files, "lib/a.js",
        "import { b } from '../lib/./deep/b.mjs'; export const a = b;"
        "export const n = import.meta.url === 'lib/a.js' ? 1 : 0");
    add(files, "lib/deep/b.mjs", "export { n as b } from '../../c.mjs'");
    add(files, "c.mjs",
        "\xEF\xBB\xBF"
        "export const n = 40");
    add(files, "d.json",
        "\xEF\xBB\xBF"
        "{ \"n\": 2 }");
    imports_number(&w, "./main.mjs", 42);
    imports_number(&w, "/lib/a.js", 1);
    expect_text(w.context, "globalThis.p = import('./main.mjs'); 'started'", "started");
    cr_assert_eq(settle_number(start(w.context,
                     "p.then(async (m) => +(m === await import('./main.mjs')))", GBX_AWAIT)),
        1);
    /* In place of another: for those who have not loaded it. */
    add(files, "c.mjs", "export const n = 1");
    imports_number(&w, "./c.mjs", 40);
    gbx_context *other = NULL;
    cr_assert_eq(gbx_context_open(w.isolate, &other, NULL), GBX_OK);
    cr_assert_eq(gbx_context_set_loader(other, gbx_files_load, files), GBX_OK);
    gbx_value *exports = settle_value(gbx_context_import(other, "./c.mjs", NULL));
    cr_assert_eq(number_of(gbx_value_get(exports, "n", 1)), 1);
    gbx_value_free(exports);
    gbx_context_close(other);
    world_close(&w);
    gbx_files_close(files);
    gbx_files_close(NULL);
}

CleanTest(files, have_names_that_specifiers_lead_to)
{
    static const char *const bad[] = { "", "/a.mjs", "./a.mjs", "a//b.mjs", "a/", "../a.mjs",
        "a/../b.mjs", "a?.mjs", "a#.mjs", "a%20.mjs", "a\\b.mjs", "a.mjs/.", "a/./b.mjs" };
    char long_name[5000];
    gbx_files *files = files_open(NULL);

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_eq(gbx_files_add(files, bad[i], "", 0), GBX_EINVAL, "%s", bad[i]);
    memset(long_name, 'a', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    cr_assert_eq(gbx_files_add(files, long_name, "", 0), GBX_EINVAL);
    gbx_files_close(files);
}

/* A folder and what is imported from it are each short enough, and together as long as may be, or
 * longer. */
CleanTest(files, have_names_of_4096_bytes_at_most)
{
    enum {
        FOLDER = 3000,
        MOST = 4096
    };
    static char name[MOST + 16], importer[MOST], source[2 * MOST];

    for (int over = 0; over < 9; over++) {
        gbx_files *files = files_open(NULL);
        struct world w = world_with(files);
        memset(name, 'f', sizeof name);
        memcpy(name + FOLDER, "/", 1);
        memcpy(name + MOST + over - 4, ".mjs", 5);
        cr_assert_eq(gbx_files_add(files, name, "export const n = 1", 18),
            over == 0 ? GBX_OK : GBX_EINVAL);
        (void)snprintf(importer, sizeof importer, "%.*s/m.mjs", FOLDER, name);
        (void)snprintf(source, sizeof source, "export { n } from './%s'", name + FOLDER + 1);
        add(files, importer, source);
        (void)snprintf(source, sizeof source, "/%s", importer);
        if (over == 0)
            imports_number(&w, source, 1);
        else
            settle(gbx_context_import(w.context, source, NULL), GBX_EHOST);
        world_close(&w);
        gbx_files_close(files);
    }
}

CleanTest(files, are_refused_with_the_reason)
{
    static const struct {
        const char *specifier, *why;
    } cases[] = { { "lodash", "there are no packages here" },
        { "node:fs", "there are no packages here" },
        { "file:///etc/passwd", "there are no packages here" },
        { "..", "there are no packages here" }, { "./a.mjs?x", "no query" },
        { "./a%2emjs", "no escapes" }, { "./a.mjs#x", "no fragment" },
        { ".\\a.mjs", "begins with" }, { "./b\\a.mjs", "no \\" },
        { "./none.mjs", "there is no such file" }, { "../a.mjs", "it leads out of the root" },
        { "/../a.mjs", "it leads out of the root" },
        { "./lib/../../a.mjs", "it leads out of the root" }, { "//a.mjs", "an empty part" },
        { "./lib/", "an empty part" }, { "./lib", "only files that end in" },
        { "./a.txt", "only files that end in" }, { "./.mjs", "only files that end in" } };
    gbx_files *files = files_open(NULL);
    struct world w = world_with(files);

    add(files, "a.mjs", "export const n = 1");
    add(files, "lib/a.mjs", "import '../../x.mjs'");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(&w, cases[i].specifier, cases[i].why);
    gbx_error error = GBX_ERROR_INIT;
    gbx_future *future = gbx_context_import(w.context, "./lib/a.mjs", NULL);
    cr_assert_eq(gbx_future_wait(future, -1, &error), GBX_EHOST);
    gbx_future_free(future);
    cr_assert_str_eq(error.message,
        "cannot import '../../x.mjs' from 'lib/a.mjs': it leads out of the root");
    imports_number(&w, "./a.mjs", 1);
    world_close(&w);
    gbx_files_close(files);
}

/* --- a directory ---------------------------------------------------------------------------- */

static void
path_of(char path[1024], const char *name)
{
    (void)snprintf(path, 1024, "%s/%s", scratch_directory(), name);
}

static void
write_file(const char *name, const char *text)
{
    char path[1024];

    path_of(path, name);
    FILE *f = fopen(path, "w");
    cr_assert_not_null(f);
    cr_assert_geq(fputs(text, f), 0);
    cr_assert_eq(fclose(f), 0);
}

static void
make_folder(const char *name)
{
    char path[1024];

    path_of(path, name);
    cr_assert_eq(mkdir(path, 0700), 0);
}

static void
make_link(const char *to, const char *name)
{
    char path[1024];

    path_of(path, name);
    cr_assert_eq(symlink(to, path), 0);
}

CleanTest(files, of_a_directory_stay_inside)
{
    char root[1024], fifo[1024], outside[1100], large[1024];

    make_folder("root");
    make_folder("root/lib");
    write_file("secret.mjs", "export const n = 666");
    write_file("root/main.mjs", "import { n as m } from './lib/a.mjs'; export const n = m + 1");
    write_file("root/lib/a.mjs", "export { n } from '../b.mjs'");
    write_file("root/b.mjs", "export const n = 1");
    make_link("lib/../b.mjs", "root/inside.mjs");
    make_link("../secret.mjs", "root/out.mjs");
    path_of(outside, "secret.mjs");
    make_link(outside, "root/absolute.mjs");
    make_link("..", "root/up");
    make_link("/proc/self/cwd/..", "root/magic");
    make_link("loop.mjs", "root/loop.mjs");
    make_folder("root/folder.mjs");
    path_of(fifo, "root/fifo.mjs");
    cr_assert_eq(mkfifo(fifo, 0600), 0);
    path_of(large, "root/large.mjs");
    write_file("root/large.mjs", "1");
    cr_assert_eq(truncate(large, ((off_t)64 << 20) + 1), 0);
    path_of(root, "root");

    gbx_files *files = files_open(root);
    struct world w = world_with(files);
    imports_number(&w, "./main.mjs", 2);
    imports_number(&w, "./inside.mjs", 1);
    refused(&w, "../secret.mjs", "it leads out of the root");
    refused(&w, "./out.mjs", "it leads out of the root");
    refused(&w, "./absolute.mjs", "it leads out of the root");
    refused(&w, "./up/secret.mjs", "it leads out of the root");
    refused(&w, "./magic/secret.mjs", "it leads out of the root");
    refused(&w, "./loop.mjs", "it is a link that is not followed");
    refused(&w, "./folder.mjs", "it is not a regular file");
    refused(&w, "./fifo.mjs", "it is not a regular file");
    refused(&w, "./large.mjs", "the file is larger than 64 MiB");
    refused(&w, "./none.mjs", "there is no such file");
    refused(&w, "./b.mjs/x.mjs", "there is no such file");
    add(files, "none.mjs", "export const n = 9");
    imports_number(&w, "./none.mjs", 9);
    world_close(&w);
    gbx_files_close(files);
}

CleanTest(files, need_their_directory)
{
    gbx_files *files = NULL;
    gbx_error error = GBX_ERROR_INIT;
    char path[1024];

    path_of(path, "none");
    cr_assert_eq(gbx_files_open(path, &files, &error), GBX_ESYS);
    cr_assert_null(files);
    write_file("file", "");
    path_of(path, "file");
    cr_assert_eq(gbx_files_open(path, &files, NULL), GBX_ESYS);
}
