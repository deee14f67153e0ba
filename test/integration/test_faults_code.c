/* The host runs out of something while guests are given code: scripts, their caches, closures,
 * modules and who loads them. As test_faults.c. */
#include "inject.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- scripts -------------------------------------------------------------------------------- */

/* Compiles with a cache, which may be NULL, and runs it. */
static gbx_status
run_script(struct world *w, const gbx_value *cache, gbx_error *error)
{
    const void *bytes = NULL;
    gbx_value *value = NULL;
    size_t len = 0;

    if (cache != NULL)
        cr_assert_eq(gbx_value_get_bytes(cache, &bytes, &len), GBX_OK);
    gbx_future *future = gbx_script_compile(w->isolate, "6 * 7", 5, bytes, len, NULL);
    gbx_status status = gbx_future_wait(future, 60000000, error);
    gbx_script *compiled = gbx_future_take_script(future);
    gbx_future_free(future);
    cr_assert_eq(compiled != NULL, status == GBX_OK);
    if (status == GBX_OK)
        status = ended(gbx_script_run(compiled, w->context, NULL), &value, error);
    if (status == GBX_OK)
        cr_assert_eq(number_of(value), 42);
    gbx_value_free(value);
    gbx_script_close(compiled);
    return status;
}

static gbx_status
scripts(struct world *w, gbx_error *error)
{
    gbx_value *cache = NULL;
    gbx_status status = ended(gbx_script_cache(w->isolate, "6 * 7", 5, NULL), &cache, error);

    if (status == GBX_OK)
        status = run_script(w, NULL, error);
    if (status == GBX_OK)
        status = run_script(w, cache, error);
    gbx_value_free(cache);
    return status;
}

CleanTest(faults_code, in_scripts_and_their_caches)
{
    inject(scripts, ALL & ~(1u << FAULT_SPAWN), true);
}

static gbx_status
closures(struct world *w, gbx_error *error)
{
    static const char source[] = "return (await $0.x) + $1.length";
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;
    gbx_value *object = gbx_value_new_object(), *text = gbx_value_new_string("two", 3);
    const gbx_value *arguments[] = { object, text };
    gbx_value *value = NULL;
    gbx_status status = GBX_ENOMEM;

    options.flags = GBX_AWAIT;
    if (object != NULL && text != NULL)
        status = gbx_value_set(object, "x", 1, gbx_value_new_number(39));
    if (reported(status, error) == GBX_OK)
        status = ended(gbx_context_eval_closure(
                           w->context, source, sizeof source - 1, arguments, 2, &options),
            &value, error);
    if (status == GBX_OK)
        cr_assert_eq(number_of(value), 42);
    gbx_value_free(value);
    gbx_value_free(object);
    gbx_value_free(text);
    return status;
}

CleanTest(faults_code, in_closures)
{
    inject(closures, MEMORY, true);
}

/* --- modules -------------------------------------------------------------------------------- */

static void
answer(gbx_import *import, void *data)
{
    gbx_module_options options = GBX_MODULE_OPTIONS_INIT;
    static const char source[] = "export const n = 40; export const m = import.meta.two;";

    (void)data;
    options.name = "a.mjs";
    options.meta = data;
    gbx_import_source(import, source, sizeof source - 1, &options);
}

static gbx_status
use_module(gbx_context *context, gbx_error *error)
{
    static const char source[] = "import { n, m } from 'a'; export const f = x => n + m + x;";
    gbx_module_options options = GBX_MODULE_OPTIONS_INIT;
    gbx_module *module = NULL;
    gbx_value *value = NULL, *zero = NULL;

    options.name = "main.mjs";
    gbx_status status = ended(
        gbx_module_compile(context, source, sizeof source - 1, &options, &module), NULL, error);
    if (status == GBX_OK)
        status = ended(gbx_module_link(module, NULL), NULL, error);
    if (status == GBX_OK)
        status = ended(gbx_module_evaluate(module, NULL), NULL, error);
    if (status == GBX_ECLONE) /* what it exports is a function */
        status = GBX_OK;
    if (status == GBX_OK && (zero = gbx_value_new_number(0)) == NULL)
        status = reported(GBX_ENOMEM, error);
    if (status == GBX_OK)
        status =
            ended(gbx_module_call(module, "f", (const gbx_value *const[]){ zero }, 1, NULL),
                &value, error);
    if (status == GBX_OK)
        cr_assert_eq(number_of(value), 42);
    gbx_value_free(value);
    gbx_value_free(zero);
    gbx_module_close(module);
    return status;
}

/* In a context of its own, which has nothing of the runs before. */
static gbx_status
modules(struct world *w, gbx_error *error)
{
    gbx_value *meta = gbx_value_new_object();
    gbx_context *context = NULL;
    gbx_status status = meta == NULL ? GBX_ENOMEM : GBX_OK;

    if (status == GBX_OK)
        status = gbx_value_set(meta, "two", 3, gbx_value_new_number(2));
    if (reported(status, error) == GBX_OK)
        status = gbx_context_open(w->isolate, &context, error);
    if (status == GBX_OK)
        status = reported(gbx_context_set_loader(context, answer, meta), error);
    if (status == GBX_EDISPOSED && gbx_isolate_death(w->isolate) != NULL)
        status = reported(gbx_isolate_death(w->isolate)->status, error);
    if (status == GBX_OK)
        status = use_module(context, error);
    gbx_context_close(context);
    gbx_value_free(meta);
    return status;
}

CleanTest(faults_code, in_modules)
{
    inject(modules, MEMORY, true);
}

/* --- files ---------------------------------------------------------------------------------- */

static void
write_file(const char *name, const char *text)
{
    char path[256];

    (void)snprintf(path, sizeof path, "%s/%s", scratch_directory(), name);
    FILE *file = fopen(path, "we");
    cr_assert_not_null(file);
    cr_assert_geq(fputs(text, file), 0);
    cr_assert_eq(fclose(file), 0);
}

static gbx_status
import_from(struct world *w, gbx_files *files, const char *specifier, gbx_error *error)
{
    gbx_context *context = NULL;
    gbx_value *value = NULL;
    gbx_status status = gbx_context_open(w->isolate, &context, error);

    if (status == GBX_OK)
        status = reported(gbx_context_set_loader(context, gbx_files_load, files), error);
    if (status == GBX_EDISPOSED && gbx_isolate_death(w->isolate) != NULL)
        status = reported(gbx_isolate_death(w->isolate)->status, error);
    if (status == GBX_OK)
        status = ended(gbx_context_import(context, specifier, NULL), &value, error);
    if (status == GBX_OK)
        cr_assert_eq(number_of(gbx_value_get(value, "n", 1)), 42);
    gbx_value_free(value);
    gbx_context_close(context);
    return status;
}

static gbx_status
files(struct world *w, gbx_error *error)
{
    static const char memory[] = "export { n } from './on_disk.mjs'";
    gbx_files *files = NULL;
    gbx_status status = gbx_files_open(scratch_directory(), &files, error);

    if (status == GBX_OK)
        status =
            reported(gbx_files_add(files, "in_memory.mjs", memory, sizeof memory - 1), error);
    if (status == GBX_OK)
        status = import_from(w, files, "./in_memory.mjs", error);
    gbx_files_close(files);
    return status;
}

CleanTest(faults_code, in_files)
{
    write_file("on_disk.mjs", "export const n = 42");
    inject(files, MEMORY | 1u << FAULT_DESCRIPTOR, true);
}

/* Without openat2(), as before Linux 5.6, or where a filter forbids it: no link is followed, not
 * even one that stays inside, and nothing leads out. */
static void
without_openat2(int os_errno)
{
    static const char *const refused[] = { "./link.mjs", "./inside.mjs", "./folder/n.mjs",
        "./real/none.mjs", "./real", "./real.mjs/n.mjs" };
    struct world w = world_open(NULL);
    gbx_files *files = NULL;
    gbx_error error = GBX_ERROR_INIT;

    cr_assert_eq(gbx_files_open(scratch_directory(), &files, &error), GBX_OK);
    fault_arm(FAULT_DESCRIPTOR, 0, false, os_errno);
    cr_assert_eq(import_from(&w, files, "./real/n.mjs", &error), GBX_OK, "%s", error.message);
    cr_assert_eq(import_from(&w, files, "./n.mjs", &error), GBX_OK, "%s", error.message);
    cr_assert(fault_disarm(), "openat2() was not asked");
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        fault_arm(FAULT_DESCRIPTOR, 0, false, os_errno);
        cr_assert_eq(
            import_from(&w, files, refused[i], &error), GBX_EHOST, "%s was found", refused[i]);
        (void)fault_disarm();
    }
    cr_assert_eq(import_from(&w, files, "./inside.mjs", &error), GBX_OK, "%s", error.message);
    cr_assert_eq(import_from(&w, files, "./link.mjs", &error), GBX_EHOST);
    gbx_files_close(files);
    world_close(&w);
}

static void
link_to(const char *target, const char *name)
{
    char path[256];

    (void)snprintf(path, sizeof path, "%s/%s", scratch_directory(), name);
    cr_assert_eq(symlink(target, path), 0);
}

CleanTest(faults_code, without_openat2_no_link_is_followed)
{
    char path[256];

    cr_assert_eq(setenv("GLOVEBOX_LIBEXEC", LIBEXEC_DIR, 0), 0);
    (void)snprintf(path, sizeof path, "%s/real", scratch_directory());
    cr_assert_eq(mkdir(path, 0700), 0);
    write_file("real/n.mjs", "export const n = 42");
    write_file("n.mjs", "export const n = 42");
    write_file("real.mjs", "export const n = 42");
    link_to("/etc/passwd", "link.mjs");
    link_to("n.mjs", "inside.mjs");
    link_to("real", "folder");
    without_openat2(ENOSYS);
    without_openat2(EPERM);
}
