/* test262.c - TC39's conformance tests, each in a cell of its own.
 *
 * usage: test262 DIR [PREFIX]     DIR: a checkout of github.com/tc39/test262; PREFIX: only the
 *                                 tests below DIR/test/PREFIX
 *
 * Prints a line for each test that did not pass and for each reason to skip some, then the sum.
 * Exits with 0 when it ran to its end, whatever the figure: engines have open ends, and which of
 * them are V8's own tells tools/test262.
 *
 * What a host must give a test (INTERPRETING.md): print, and of $262 evalScript, detachArrayBuffer
 * and global. No other realms or agents: a context is one realm, and a cell one agent.
 */
#include "conformance/front_matter.h"

#include <errno.h>
#include <ftw.h>
#include <glovebox/glovebox.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    TESTS_MAX = 200000,
    TIMEOUT_US = 20000000, /* of one test; the slowest take 2 s on an idle machine */
    LINE_MAX_BYTES = 2048  /* of a result; below PIPE_BUF, so that lines of workers don't mix */
};

static const char harness_262[] =
    "var $262 = (() => {\n"
    "  const { transfer } = ArrayBuffer.prototype, { apply } = Reflect, script = evalScript;\n"
    "  delete globalThis.evalScript;\n"
    "  return { global: globalThis, evalScript: text => script(String(text)),\n"
    "    detachArrayBuffer(buffer) { apply(transfer, buffer, []); return null } };\n"
    "})();\n";

/* Why a test is not run; found in its features or its text. */
static const struct {
    const char *feature, *text, *why;
} skips[] = {
    { "cross-realm", "$262.createRealm", "other realms: a context is one" },
    { "IsHTMLDDA", "IsHTMLDDA", "document.all: not a browser" },
    { "host-gc-required", "$262.gc", "guests cannot cause a garbage collection" },
    { NULL, "$262.agent", "other agents: a cell is one" },
    { NULL, "$262.AbstractModuleSource", "module sources: V8 14.6 has none" },
};
enum {
    SKIPS = sizeof skips / sizeof skips[0]
};

static char *tests[TESTS_MAX];
static size_t tests_count;
static size_t prefix_len;

static int
note_test(const char *path, const struct stat *info, int type, struct FTW *at)
{
    size_t len = strlen(path);

    (void)info;
    (void)at;
    if (type != FTW_F || len < 3 || strcmp(path + len - 3, ".js") != 0 ||
        strstr(path, "_FIXTURE") != NULL || tests_count == TESTS_MAX)
        return 0;
    tests[tests_count] = strdup(path);
    return tests[tests_count++] == NULL ? -1 : 0;
}

static int
by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *
read_file(const char *path, size_t *len)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    size_t room = 0;

    *len = 0;
    if (file == NULL)
        return NULL;
    do {
        if (*len + 65536 > room)
            text = realloc(text, room = 2 * room + 65537);
        if (text == NULL)
            break;
        *len += fread(text + *len, 1, room - *len - 1, file);
    } while (!feof(file) && !ferror(file));
    (void)fclose(file);
    if (text != NULL)
        text[*len] = '\0';
    return text;
}

/* --- one test ------------------------------------------------------------------------------- */

struct run {
    gbx_runtime *runtime;
    const char *folder; /* of test262 */
    const char *tests;  /* of its tests; a real path */
    gbx_isolate *isolate;
    gbx_context *context;
    bool done; /* an asynchronous test has said how it went */
    char said[512];
    char why[1024]; /* that it did not pass */
};

/* print(): what asynchronous tests end with. */
static gbx_status
on_print(gbx_callback *callback, void *data)
{
    struct run *run = data;
    const gbx_value *value = gbx_callback_argument(callback, 0);
    const char *text;

    if (value != NULL && gbx_value_get_string(value, &text, NULL) == GBX_OK &&
        strncmp(text, "Test262:", strlen("Test262:")) == 0) {
        run->done = true;
        (void)snprintf(run->said, sizeof run->said, "%s", text);
    }
    return GBX_OK;
}

/* $262.evalScript(): a script of its own in the same realm. */
static gbx_status
on_eval_script(gbx_callback *callback, void *data)
{
    struct run *run = data;
    gbx_error error = GBX_ERROR_INIT;
    gbx_value *value = NULL;
    const char *text = "";
    gbx_status status = gbx_value_get_string(gbx_callback_argument(callback, 0), &text, NULL);

    if (status == GBX_OK)
        status = gbx_eval(run->context, text, NULL, &value, &error);

    if (status == GBX_ETHROW)
        return gbx_callback_throw(callback, error.name, error.message);
    if (status == GBX_OK)
        (void)gbx_callback_return(callback, value);
    gbx_value_free(value);
    return status == GBX_OK || status == GBX_ECLONE ? GBX_OK : status;
}

static bool
give(struct run *run, const char *name, gbx_function function)
{
    gbx_future *future = gbx_context_set_function(run->context, name, function, run);
    bool given = gbx_future_wait(future, -1, NULL) == GBX_OK;

    gbx_future_free(future);
    return given;
}

/* Imports are paths from the file that imports; from the root, for what the runner itself does. */
static void
load(gbx_import *import, void *data)
{
    const struct run *run = data;
    gbx_module_options options = GBX_MODULE_OPTIONS_INIT;
    const char *referrer = gbx_import_referrer(import), *name = NULL;
    const char *slash = strrchr(referrer, '/');
    char path[4096], real[PATH_MAX];
    size_t len, root = strlen(run->tests);

    int n = snprintf(path, sizeof path, "%s/%.*s/%s", run->tests,
        slash == NULL ? 0 : (int)(slash - referrer), referrer, gbx_import_specifier(import));
    if (n < (int)sizeof path && realpath(path, real) != NULL &&
        strncmp(real, run->tests, root) == 0)
        name = real + root + 1;
    if (name != NULL && gbx_import_loaded(import, name))
        return;
    char *source = name == NULL ? NULL : read_file(real, &len);
    options.kind = strcmp(gbx_import_type(import), "json") == 0 ? GBX_MODULE_JSON : 0;
    options.name = name;
    if (source == NULL)
        gbx_import_fail(import, "Error", "no such file");
    else
        gbx_import_source(import, source, len, &options);
    free(source);
}

static bool
include(struct run *run, const char *name)
{
    char path[4096];
    size_t len;
    gbx_error error = GBX_ERROR_INIT;

    (void)snprintf(path, sizeof path, "%s/harness/%s", run->folder, name);
    char *text = read_file(path, &len);
    gbx_status status =
        text == NULL ? GBX_ESYS : gbx_eval(run->context, text, NULL, NULL, &error);
    free(text);
    if (status != GBX_OK)
        (void)snprintf(run->why, sizeof run->why, "harness/%s: %s", name, error.message);
    return status == GBX_OK;
}

static bool
prepare(struct run *run, const struct front_matter *test)
{
    if (!give(run, "print", on_print) || !give(run, "evalScript", on_eval_script) ||
        gbx_context_set_loader(run->context, load, run) != GBX_OK ||
        gbx_eval(run->context, harness_262, NULL, NULL, NULL) != GBX_OK) {
        (void)snprintf(run->why, sizeof run->why, "cannot prepare a context");
        return false;
    }
    if (test->raw)
        return true;
    if (!include(run, "assert.js") || !include(run, "sta.js") ||
        (test->async && !include(run, "doneprintHandle.js")))
        return false;
    for (size_t i = 0; i < test->includes; i++)
        if (!include(run, test->include[i]))
            return false;
    return true;
}

/* What came of the evaluation is what the test says. */
static bool
judge(
    struct run *run, const struct front_matter *test, gbx_status status, const gbx_error *error)
{
    if (test->negative[0] != '\0') {
        bool right = status == GBX_ETHROW && strcmp(error->name, test->negative) == 0;
        if (!right)
            (void)snprintf(run->why, sizeof run->why, "expected %s, got %s", test->negative,
                status == GBX_OK ? "no error" : error->message);
        return right;
    }
    if (status != GBX_OK) {
        (void)snprintf(run->why, sizeof run->why, "%s", error->message);
        return false;
    }
    if (test->async && strcmp(run->said, "Test262:AsyncTestComplete") != 0) {
        (void)snprintf(run->why, sizeof run->why, "%s",
            run->done ? run->said : "it never said that it was done");
        return false;
    }
    return true;
}

/* The clock of a test that waits for a timer of Atomics.waitAsync. */
static void
await_word(struct run *run)
{
    for (int i = 0; i < 200 && !run->done && gbx_isolate_death(run->isolate) == NULL; i++)
        (void)gbx_runtime_dispatch(run->runtime, TIMEOUT_US / 200);
}

static bool
passes(struct run *run, const struct front_matter *test, const char *path, const char *source,
    size_t len, bool strict)
{
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;
    gbx_error error = GBX_ERROR_INIT;

    run->done = false;
    run->said[0] = run->why[0] = '\0';
    if (gbx_isolate_open(run->runtime, NULL, &run->isolate, &error) != GBX_OK) {
        (void)snprintf(run->why, sizeof run->why, "cannot open an isolate: %s", error.message);
        return false;
    }
    run->context = gbx_isolate_context(run->isolate);
    bool passed = false;
    if (prepare(run, test)) {
        static const char directive[] = "\"use strict\";\n";
        size_t before = strict ? sizeof directive - 1 : 0;
        char *text = malloc(before + len + 1);
        memcpy(text, directive, before);
        memcpy(text + before, source, len + 1);
        options.timeout_us = TIMEOUT_US;
        options.flags = GBX_RESULT_IGNORE;
        options.file = path;
        gbx_future *future = test->module
                                 ? gbx_context_import(run->context, path, &options)
                                 : gbx_context_eval(run->context, text, before + len, &options);
        gbx_status status = gbx_future_wait(future, -1, &error);
        gbx_future_free(future);
        if (status == GBX_OK && test->async)
            await_word(run);
        passed = judge(run, test, status, &error);
        free(text);
    }
    gbx_isolate_close(run->isolate);
    return passed;
}

/* --- all of them ---------------------------------------------------------------------------- */

static int
skip_of(const struct front_matter *test, const char *source)
{
    for (int i = 0; i < SKIPS; i++)
        if ((skips[i].feature != NULL && front_matter_has(test, skips[i].feature)) ||
            strstr(source, skips[i].text) != NULL)
            return i;
    return -1;
}

/* One line to the parent: a letter, and what there is to say. */
static void
tell(int out, char letter, const char *what, const char *variant, const char *why)
{
    char line[LINE_MAX_BYTES];
    int n = snprintf(line, sizeof line - 1, "%c%s\t%s\t%s", letter, what, variant, why);

    if (n > (int)sizeof line - 2)
        n = sizeof line - 2;
    for (int i = 0; i < n; i++)
        if (line[i] == '\n')
            line[i] = ' ';
    line[n++] = '\n';
    if (write(out, line, (size_t)n) != n)
        exit(1);
}

static void
run_file(struct run *run, const char *path, int out)
{
    size_t len;
    char *source = read_file(path, &len), number[16];
    struct front_matter test;

    if (source == NULL || !front_matter_read(source, &test)) {
        tell(out, 'F', path + prefix_len, "", "no front matter");
        free(source);
        return;
    }
    int skip = skip_of(&test, source);
    if (skip >= 0) {
        (void)snprintf(number, sizeof number, "%d", skip);
        tell(out, 'S', number, "", "");
        free(source);
        return;
    }
    for (int strict = 0; strict < 2; strict++) {
        bool both = !test.raw && !test.module;
        if (strict == 0 ? test.only_strict : !both || test.no_strict)
            continue;
        const char *variant = strict != 0 ? "strict" : test.module ? "module" : "sloppy";
        if (passes(run, &test, path + prefix_len, source, len, strict != 0))
            tell(out, 'P', "", "", "");
        else
            tell(out, 'F', path + prefix_len, variant, run->why);
    }
    free(source);
}

static void
work(const char *folder, const char *below, int worker, int workers, int out)
{
    gbx_error error = GBX_ERROR_INIT;
    struct run run = { .folder = folder, .tests = below };

    if (gbx_runtime_open(NULL, &run.runtime, &error) != GBX_OK) {
        (void)fprintf(stderr, "test262: %s\n", error.message);
        exit(1);
    }
    for (size_t i = (size_t)worker; i < tests_count; i += (size_t)workers)
        run_file(&run, tests[i], out);
    gbx_runtime_close(run.runtime);
}

/* Reads what the workers tell until they have ended. */
static void
gather(FILE *in)
{
    size_t passed = 0, failed = 0, skipped[SKIPS] = { 0 }, all_skipped = 0;
    char line[LINE_MAX_BYTES];

    while (fgets(line, sizeof line, in) != NULL) {
        if (line[0] == 'P') {
            passed++;
        } else if (line[0] == 'S') {
            skipped[strtoul(line + 1, NULL, 10) % SKIPS]++;
            all_skipped++;
        } else {
            failed++;
            (void)printf("fail\t%s", line + 1);
        }
        if (isatty(STDERR_FILENO) && (passed + failed) % 512 == 0)
            (void)fprintf(stderr, "\r%zu passed, %zu failed", passed, failed);
    }
    for (size_t i = 0; i < SKIPS; i++)
        if (skipped[i] > 0)
            (void)printf("skip\t%zu files\t%s\n", skipped[i], skips[i].why);
    (void)printf("test262: %zu passed, %zu failed, %zu files skipped; %.2f %% of what ran\n",
        passed, failed, all_skipped, 100.0 * (double)passed / (double)(passed + failed));
}

int
main(int argc, char **argv)
{
    char path[4096], below[PATH_MAX];
    long workers = sysconf(_SC_NPROCESSORS_ONLN);
    int channel[2], worst = 0, status;

    if (argc < 2 || argc > 3) {
        (void)fprintf(stderr, "usage: test262 DIR [PREFIX]\n");
        return 2;
    }
    int n = snprintf(path, sizeof path, "%s/test/%s", argv[1], argc == 3 ? argv[2] : "");
    prefix_len = strlen(argv[1]) + strlen("/test/");
    if (n < 0 || n >= (int)sizeof path || nftw(path, note_test, 64, FTW_PHYS) != 0 ||
        tests_count == 0) {
        (void)fprintf(
            stderr, "test262: %s: no tests there; expected a checkout of test262\n", path);
        return 2;
    }
    (void)snprintf(path, sizeof path, "%s/test", argv[1]);
    if (realpath(path, below) == NULL)
        return 1;
    qsort(tests, tests_count, sizeof tests[0], by_name);
    if (pipe(channel) < 0)
        return 1;
    for (int i = 0; i < workers; i++)
        if (fork() == 0) {
            (void)close(channel[0]);
            work(argv[1], below, i, (int)workers, channel[1]);
            _exit(0);
        }
    (void)close(channel[1]);
    gather(fdopen(channel[0], "r"));
    while (wait(&status) > 0)
        worst = status != 0 ? 1 : worst;
    return worst;
}
