/* Templates: what their isolates begin with, preloads that fail, and a template whose cell dies. */
#include "support.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

/* (module (func (export "f") (result i32) (i32.const 42))) */
static const unsigned char wasm[] = { 0, 'a', 's', 'm', 1, 0, 0, 0, 1, 5, 1, 0x60, 0, 1, 0x7f,
    3, 2, 1, 0, 7, 5, 1, 1, 'f', 0, 0, 10, 6, 1, 4, 0, 0x41, 42, 0x0b };

static gbx_preload
script(const char *source)
{
    return (gbx_preload){
        .kind = GBX_PRELOAD_SCRIPT, .name = "lib.js", .data = source, .len = strlen(source)
    };
}

static gbx_runtime *
runtime_open(void)
{
    gbx_runtime_options options = GBX_RUNTIME_OPTIONS_INIT;
    gbx_error error = GBX_ERROR_INIT;
    gbx_runtime *runtime = NULL;

    options.pool = GBX_POOL_NONE;
    cr_assert_eq(gbx_runtime_open(&options, &runtime, &error), GBX_OK, "%s", error.message);
    return runtime;
}

static void
await_no_cell(void)
{
    while (process_named("gbx-cell", 0) != 0)
        sleep_ms(1);
}

static gbx_template *
template_open(gbx_runtime *runtime, const gbx_template_options *options)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_template *t = NULL;

    cr_assert_eq(gbx_template_open(runtime, options, &t, &error), GBX_OK, "%s", error.message);
    return t;
}

static gbx_isolate *
isolate_of(gbx_template *t, const gbx_fork_options *options)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_isolate *isolate = NULL;

    cr_assert_eq(
        gbx_template_isolate(t, options, &isolate, &error), GBX_OK, "%s", error.message);
    return isolate;
}

static gbx_status
answer_with(gbx_callback *callback, void *data)
{
    return answer_number(callback, *(const double *)data);
}

static void
bind_all(gbx_isolate *fork, const char *path, gbx_function *function, void **data, void *number)
{
    (void)fork;
    cr_assert_str_eq(path, "host.number");
    *function = answer_with;
    *data = number;
}

CleanTest(template, is_where_its_isolates_begin)
{
    const gbx_preload preloads[] = { script("globalThis.host = {}; let born = 0;"),
        { .kind = GBX_PRELOAD_FUNCTION, .name = "host.number" },
        { .kind = GBX_PRELOAD_WASM, .name = "module", .data = wasm, .len = sizeof wasm },
        script("const instance = new WebAssembly.Instance(module); born++;"
               "(async () => { await null; born++; })()") };
    gbx_template_options options = GBX_TEMPLATE_OPTIONS_INIT;
    gbx_fork_options fork_options = GBX_FORK_OPTIONS_INIT;
    gbx_runtime *runtime = runtime_open();
    double one = 1, two = 2;

    options.preloads = preloads;
    options.count = 4;
    gbx_template *t = template_open(runtime, &options);
    fork_options.rebind = bind_all;
    fork_options.rebind_data = &one;
    gbx_isolate *first = isolate_of(t, &fork_options);
    fork_options.rebind_data = &two;
    gbx_isolate *second = isolate_of(t, &fork_options), *third = isolate_of(t, NULL);
    cr_assert_eq(eval_number(gbx_isolate_context(first),
                     "born++ * 100 + host.number() * 1000 + instance.exports.f()"),
        1242);
    cr_assert_eq(eval_number(gbx_isolate_context(second), "born * 10 + host.number()"), 22);
    cr_assert_eq(
        eval_number(gbx_isolate_context(third), "new WebAssembly.Instance(module).exports.f()"),
        42);
    expect_failure(gbx_isolate_context(third), "host.number()", GBX_EHOST, NULL);
    gbx_template_close(t); /* its isolates live on */
    cr_assert_neq(eval_number(gbx_isolate_context(first), "Math.random()"),
        eval_number(gbx_isolate_context(second), "Math.random()"));
    gbx_isolate_close(first);
    gbx_isolate_close(second);
    gbx_isolate_close(third);
    gbx_runtime_close(runtime);
}

/* --- preloads that fail --------------------------------------------------------------------- */

static void
refuse(gbx_runtime *runtime, const gbx_preload *preload, gbx_status status, const char *why)
{
    gbx_isolate_options isolate_options = GBX_ISOLATE_OPTIONS_INIT;
    gbx_template_options options = GBX_TEMPLATE_OPTIONS_INIT;
    gbx_error error = GBX_ERROR_INIT;
    gbx_template *t = NULL;
    size_t descriptors = descriptors_open();

    isolate_options.memory_limit_bytes = 32 << 20;
    options.isolate = &isolate_options;
    options.preloads = preload;
    options.count = 1;
    options.timeout_us = status == GBX_ETIMEOUT ? 200000 : 0;
    options.cpu_us = status == GBX_ECPU ? 200000 : 0;
    cr_assert_eq(gbx_template_open(runtime, &options, &t, &error), status, "%s", error.message);
    cr_assert_null(t);
    cr_assert_eq(error.status, status);
    cr_assert_not_null(strstr(error.message, why), "%s", error.message);
    await_no_cell(); /* it has been told to go */
    cr_assert_leq(descriptors_open(), descriptors);
}

CleanTest(template, is_not_made_of_preloads_that_fail)
{
    static const struct {
        const char *source, *why;
        gbx_status status;
    } scripts[] = {
        { "throw new TypeError('not today')", "preload 0 (lib.js): not today", GBX_ETHROW },
        { "this is no script", "preload 0 (lib.js)", GBX_ETHROW },
        { "Promise.reject(new Error('later'))", "later", GBX_ETHROW },
        { "for (;;);", "preload 0", GBX_ETIMEOUT },
        { "new Promise(() => {})", "preload 0", GBX_ETIMEOUT },
        { "for (;;) { }", "preload 0", GBX_ECPU },
        { "const all = []; for (;;) all.push(new Array(1000).fill(0))", "preload 0",
            GBX_EMEMORY },
    };
    gbx_runtime *runtime = runtime_open();
    gbx_isolate_options limits = GBX_ISOLATE_OPTIONS_INIT;
    gbx_isolate *isolate = NULL;

    limits.memory_limit_bytes = 32 << 20; /* whose template keeps its descriptors */
    cr_assert_eq(gbx_isolate_open(runtime, &limits, &isolate, NULL), GBX_OK);
    gbx_isolate_close(isolate);
    while (process_named("gbx-cell", 0) != 0)
        (void)gbx_runtime_dispatch(runtime, 1000);
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        gbx_preload preload = script(scripts[i].source);
        refuse(runtime, &preload, scripts[i].status, scripts[i].why);
    }
    gbx_preload broken = {
        .kind = GBX_PRELOAD_WASM, .name = "module", .data = wasm, .len = sizeof wasm - 1
    };
    refuse(runtime, &broken, GBX_ETHROW, "preload 0 (module)");
    gbx_preload homeless = { .kind = GBX_PRELOAD_FUNCTION, .name = "no.where" };
    refuse(runtime, &homeless, GBX_EINVAL, "preload 0 (no.where)");
    gbx_runtime_close(runtime);
}

CleanTest(template, refuses_what_it_cannot_be_made_of)
{
    gbx_isolate_options isolate_options = GBX_ISOLATE_OPTIONS_INIT;
    gbx_template_options options = GBX_TEMPLATE_OPTIONS_INIT;
    gbx_runtime *runtime = runtime_open();
    const gbx_preload wrong[] = { { .kind = 0, .data = "", .name = "x" },
        { .kind = 9, .data = "", .name = "x" }, { .kind = GBX_PRELOAD_SCRIPT },
        { .kind = GBX_PRELOAD_WASM, .data = wasm, .len = sizeof wasm },
        { .kind = GBX_PRELOAD_FUNCTION }, { .kind = GBX_PRELOAD_MODULE, .data = "" },
        { .kind = GBX_PRELOAD_FUNCTION, .name = "" } };
    gbx_template *t = NULL;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        options.preloads = &wrong[i];
        options.count = 1;
        cr_assert_eq(gbx_template_open(runtime, &options, &t, NULL),
            i < 2 ? GBX_EUNSUPPORTED : GBX_EINVAL, "%zu", i);
    }
    static char long_name[4200];
    memset(long_name, 'x', sizeof long_name - 1);
    const struct {
        gbx_preload preload;
        gbx_status status;
    } more[] = { { { .kind = GBX_PRELOAD_SCRIPT, .data = "", .len = (256u << 20) + 1 },
                     GBX_ETOOBIG },
        { { .kind = GBX_PRELOAD_SCRIPT, .data = "", .name = long_name }, GBX_EINVAL },
        { { .kind = GBX_PRELOAD_SCRIPT, .data = "", .reserved = 1 }, GBX_EINVAL },
        { { .kind = GBX_PRELOAD_FUNCTION, .name = "f", .data = "x", .len = 1 }, GBX_EINVAL } };
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
        options.preloads = &more[i].preload;
        cr_assert_eq(gbx_template_open(runtime, &options, &t, NULL), more[i].status, "%zu", i);
    }
    options.preloads = NULL;
    cr_assert_eq(gbx_template_open(runtime, &options, &t, NULL), GBX_EINVAL);
    options.count = 0;
    options.flags = 1;
    cr_assert_eq(gbx_template_open(runtime, &options, &t, NULL), GBX_EUNSUPPORTED);
    options.flags = 0;
    isolate_options.flags = GBX_ISOLATE_NO_FORK;
    options.isolate = &isolate_options;
    cr_assert_eq(gbx_template_open(runtime, &options, &t, NULL), GBX_EINVAL);
    cr_assert_null(t);
    gbx_template_close(NULL);
    gbx_runtime_close(runtime);
}

/* --- modules -------------------------------------------------------------------------------- */

static gbx_preload
module(const char *name, const char *source)
{
    return (gbx_preload){
        .kind = GBX_PRELOAD_MODULE, .name = name, .data = source, .len = strlen(source)
    };
}

static const char counter[] = "import { start } from 'start'; await null; let n = start;"
                              "globalThis.evaluated = (globalThis.evaluated || 0) + 1;"
                              "export const up = () => ++n;";

static void
load_own(gbx_import *import, void *data)
{
    static const char source[] = "export { up } from 'counter'; export const own = 7";
    gbx_module_options options = GBX_MODULE_OPTIONS_INIT;

    (void)data;
    options.name = "own";
    if (strcmp(gbx_import_specifier(import), "own") == 0)
        gbx_import_source(import, source, sizeof source - 1, &options);
    else if (gbx_import_loaded(import, gbx_import_specifier(import)) == 0)
        gbx_import_fail(import, "Error", "not here");
}

static double
await_number(gbx_isolate *isolate, const char *source)
{
    return settle_number(start(gbx_isolate_context(isolate), source, GBX_AWAIT));
}

CleanTest(template, has_its_modules_evaluated)
{
    /* The first imports the second, which is evaluated before its own turn. */
    const gbx_preload preloads[] = { module("counter", counter),
        module("start", "export const start = 40") };
    gbx_template_options options = GBX_TEMPLATE_OPTIONS_INIT;
    gbx_runtime *runtime = runtime_open();
    gbx_error error = GBX_ERROR_INIT;

    options.preloads = preloads;
    options.count = 2;
    gbx_template *t = template_open(runtime, &options);
    for (int i = 0; i < 2; i++) {
        gbx_isolate *isolate = isolate_of(t, NULL);
        gbx_context *context = gbx_isolate_context(isolate);
        cr_assert_eq(await_number(isolate, "import('counter').then(m => m.up())"), 41);
        cr_assert_eq(await_number(isolate, "import('counter').then(m => m.up())"), 42);
        cr_assert_eq(eval_number(context, "evaluated"), 1);
        expect_failure(context, "import('other')", GBX_ECLONE, &error);
        settle(gbx_context_import(context, "other", NULL), GBX_EHOST);
        cr_assert_eq(gbx_context_set_loader(context, load_own, NULL), GBX_OK);
        cr_assert_eq(
            await_number(isolate, "import('own').then(m => m.up() * 100 + m.own)"), 4307);
        cr_assert_eq(eval_number(context, "7"), 7); /* what the imports left open is done */
        gbx_isolate *fork = NULL;                   /* has its own module, too, and no loader */
        cr_assert_eq(gbx_isolate_fork(isolate, NULL, &fork, &error), GBX_OK);
        settle(gbx_context_import(gbx_isolate_context(fork), "own", NULL), GBX_ETHROW);
        cr_assert_eq(gbx_context_set_loader(gbx_isolate_context(fork), load_own, NULL), GBX_OK);
        gbx_isolate_close(isolate);
        cr_assert_eq(await_number(fork, "import('own').then(m => m.up())"), 44);
        gbx_isolate_close(fork);
    }
    gbx_template_close(t);
    gbx_runtime_close(runtime);
}

CleanTest(template, of_modules_that_fail_is_none)
{
    const gbx_preload throws[] = { module("m", "throw new Error('on purpose')") };
    const gbx_preload lacks[] = { module("m", "import 'n'") };
    const gbx_preload mistaken[] = { module("m", "export export") };
    const gbx_preload waits[] = { module("m", "await new Promise(() => {})") };
    const struct {
        const gbx_preload *preload;
        gbx_status status;
        const char *why;
    } bad[] = { { throws, GBX_ETHROW, "on purpose" },
        { lacks, GBX_EHOST, "no module of this name" },
        { mistaken, GBX_ETHROW, "preload 0 (m)" }, { waits, GBX_ETIMEOUT, "preload 0 (m)" } };
    gbx_template_options options = GBX_TEMPLATE_OPTIONS_INIT;
    gbx_runtime *runtime = runtime_open();

    options.count = 1;
    options.timeout_us = 3000000;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        gbx_error error = GBX_ERROR_INIT;
        gbx_template *t = NULL;
        options.preloads = bad[i].preload;
        cr_assert_eq(gbx_template_open(runtime, &options, &t, &error), bad[i].status, "%zu: %s",
            i, error.message);
        cr_assert_not_null(strstr(error.message, bad[i].why), "%s", error.message);
        cr_assert_null(t);
    }
    gbx_runtime_close(runtime);
}

/* --- ends ----------------------------------------------------------------------------------- */

CleanTest(template, is_made_again_when_its_cell_has_died)
{
    const gbx_preload preload = script("let n = 41; const draw = Math.random()");
    gbx_template_options options = GBX_TEMPLATE_OPTIONS_INIT;
    gbx_runtime *runtime = runtime_open();

    options.preloads = &preload;
    options.count = 1;
    gbx_template *t = template_open(runtime, &options);
    for (int i = 0; i < 2; i++) { /* first the template's cell, the only one; then everything */
        pid_t pid = process_named(i == 0 ? "gbx-cell" : "gbx-zygote", 10000);
        cr_assert_eq(kill(pid, SIGKILL), 0);
        await_no_cell(); /* else it may still bear one that dies with it */
        gbx_isolate *isolate = isolate_of(t, NULL);
        cr_assert_eq(eval_number(gbx_isolate_context(isolate), "++n"), 42);
        gbx_isolate_close(isolate);
    }
    gbx_runtime_close(runtime);
    gbx_isolate *none = NULL;
    cr_assert_eq(gbx_template_isolate(t, NULL, &none, NULL), GBX_EDISPOSED);
    gbx_template_close(t);
}

CleanTest(template, makes_a_thousand_isolates_and_leaves_nothing)
{
    const gbx_preload preload = script("let n = 41");
    gbx_template_options options = GBX_TEMPLATE_OPTIONS_INIT;
    gbx_runtime *runtime = runtime_open();

    options.preloads = &preload;
    options.count = 1;
    gbx_template *t = template_open(runtime, &options);
    size_t descriptors = descriptors_open();
    for (int i = 0; i < 1000; i++) {
        gbx_isolate *isolate = isolate_of(t, NULL);
        if (i % 50 == 0)
            cr_assert_eq(eval_number(gbx_isolate_context(isolate), "++n"), 42);
        gbx_isolate_close(isolate);
        cr_assert_eq(descriptors_open(), descriptors);
    }
    gbx_template_close(t);
    gbx_runtime_close(runtime);
}
