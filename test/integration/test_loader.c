/* Loaders: answers that come later, limits, what is stopped meanwhile, ends, and what is left. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Imports that are open, in the order in which they were asked for. */
struct imports {
    gbx_import *import[1000];
    size_t count;
};

static void
keep(gbx_import *import, void *data)
{
    struct imports *imports = data;

    cr_assert_lt(imports->count, 1000);
    imports->import[imports->count++] = import;
}

/* Answers with source of the import's own name. */
static void
answer(gbx_import *import, const char *source)
{
    gbx_module_options options = GBX_MODULE_OPTIONS_INIT;
    char name[64];

    (void)snprintf(name, sizeof name, "%s", gbx_import_specifier(import));
    options.name = name;
    gbx_import_source(import, source, strlen(source), &options);
}

static void
set_loader(gbx_context *context, gbx_loader loader, void *data)
{
    cr_assert_eq(gbx_context_set_loader(context, loader, data), GBX_OK);
}

static struct imports imports;

static struct world
world_keeping(const gbx_isolate_options *options)
{
    struct world w = world_open(options);

    set_loader(w.context, keep, &imports);
    return w;
}

/* --- later ---------------------------------------------------------------------------------- */

CleanTest(loader, answers_in_any_order)
{
    struct world w = world_keeping(NULL);
    gbx_future *future = start(w.context,
        "import { x } from 'a'; import { y } from 'b'; import { z } from 'c';"
        "globalThis.sum = x + y + z",
        GBX_MODULE | GBX_AWAIT);

    wait_until(future, &imports.count, 3); /* all three at a time */
    cr_assert_str_eq(gbx_import_specifier(imports.import[0]), "a");
    answer(imports.import[2], "export const z = 4");
    answer(imports.import[0], "import 'd'; export const x = 1");
    wait_until(future, &imports.count, 4);
    cr_assert_str_eq(gbx_import_referrer(imports.import[3]), "a");
    answer(imports.import[1], "export const y = 2");
    cr_assert_eq(eval_number(w.context, "7"), 7, "others have their turn meanwhile");
    answer(imports.import[3], "");
    settle(future, GBX_OK);
    cr_assert_eq(eval_number(w.context, "sum"), 7);
    world_close(&w);
}

CleanTest(loader, fails_one_import_and_not_the_others)
{
    struct world w = world_keeping(NULL);
    gbx_error error = GBX_ERROR_INIT;
    gbx_future *one = gbx_context_import(w.context, "one", NULL);
    gbx_future *two = gbx_context_import(w.context, "two", NULL);

    wait_until(two, &imports.count, 2);
    answer(imports.import[0], "import 'x'; import 'y'");
    answer(imports.import[1], "export const n = 1");
    settle(two, GBX_OK);
    wait_until(one, &imports.count, 4);
    gbx_import_fail(imports.import[3], "TypeError", "not here");
    cr_assert_eq(gbx_future_wait(one, -1, &error), GBX_EHOST);
    cr_assert_str_eq(error.name, "TypeError");
    cr_assert_str_eq(error.message, "not here");
    gbx_future_free(one);
    answer(imports.import[2], "globalThis.ran = 1"); /* too late, and no harm */
    expect_text(w.context, "typeof ran", "undefined");
    expect_usable(&w);
    world_close(&w);
}

CleanTest(loader, may_be_replaced_and_taken_away)
{
    struct world w = world_keeping(NULL);
    gbx_future *future = gbx_context_import(w.context, "a", NULL);

    wait_until(future, &imports.count, 1);
    set_loader(w.context, NULL, NULL);
    settle(gbx_context_import(w.context, "b", NULL), GBX_ETHROW);
    answer(imports.import[0], "import 'b'"); /* which nobody finds any more */
    settle(future, GBX_ETHROW);
    set_loader(w.context, keep, &imports);
    future = gbx_context_import(w.context, "a", NULL);
    wait_until(future, &imports.count, 2);
    cr_assert(gbx_import_loaded(imports.import[1], "none") == 0);
    cr_assert(gbx_import_loaded(imports.import[1], "a") == 1);
    wait_until(future, &imports.count, 3);
    answer(imports.import[2], "");
    settle(future, GBX_OK);
    world_close(&w);
}

/* --- whose module --------------------------------------------------------------------------- */

CleanTest(loader, gives_each_context_its_own)
{
    struct world w = world_keeping(NULL);
    gbx_context *other = NULL;
    gbx_module *module = NULL;
    gbx_error error = GBX_ERROR_INIT;

    cr_assert_eq(gbx_context_open(w.isolate, &other, NULL), GBX_OK);
    set_loader(other, keep, &imports);
    settle(gbx_module_compile(w.context, "", 0, NULL, &module), GBX_OK);
    gbx_future *future = gbx_context_import(other, "x", NULL);
    wait_until(future, &imports.count, 1);
    cr_assert_eq(gbx_import_context(imports.import[0]), other);
    gbx_import_module(imports.import[0], module);
    cr_assert_eq(gbx_future_wait(future, -1, &error), GBX_EHOST);
    cr_assert_str_eq(error.message, "the module is one of another context");
    gbx_future_free(future);
    /* A closed context's modules go with it. */
    gbx_module *there = NULL;
    settle(gbx_module_compile(other, "import 'y'", 10, NULL, &there), GBX_OK);
    future = gbx_module_evaluate(there, NULL);
    wait_until(future, &imports.count, 2);
    gbx_context_close(other);
    settle(future, GBX_EDISPOSED);
    answer(imports.import[1], "");
    settle(gbx_module_evaluate(there, NULL), GBX_EINVAL);
    gbx_module_close(there);
    gbx_module_close(module);
    expect_usable(&w);
    world_close(&w);
}

CleanTest(loader, may_answer_with_a_module_that_is_closed_at_once)
{
    struct world w = world_keeping(NULL);
    gbx_module *module = NULL;
    gbx_future *future = start(w.context, "import('x').then((x) => x.n)", GBX_AWAIT);

    wait_until(future, &imports.count, 1);
    gbx_future *compiled =
        gbx_module_compile(w.context, "export const n = 3", 18, NULL, &module);
    gbx_import_module(imports.import[0], module);
    gbx_module_close(module);
    cr_assert_eq(settle_number(future), 3);
    settle(compiled, GBX_OK);
    world_close(&w);
}

/* --- limits --------------------------------------------------------------------------------- */

CleanTest(loader, does_not_stop_the_clock)
{
    struct world w = world_keeping(NULL);
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;
    gbx_error error = GBX_ERROR_INIT;

    options.timeout_us = 50000;
    gbx_future *future = gbx_context_import(w.context, "never", &options);
    cr_assert_eq(gbx_future_wait(future, -1, &error), GBX_ETIMEOUT, "%s", error.message);
    cr_assert_eq(error.limit, 50000);
    gbx_future_free(future);
    cr_assert_eq(imports.count, 1);
    answer(imports.import[0], "globalThis.ran = 1");
    expect_text(w.context, "typeof ran", "undefined"); /* a deadline is one */
    expect_usable(&w);
    world_close(&w);
}

CleanTest(loader, has_modules_run_under_the_limits_of_the_call)
{
    static const char *const endless[] = { "for (;;) {}", "await 0; for (;;) {}",
        "import 'x'; for (;;) {}" };
    struct world w = world_keeping(NULL);
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;

    options.cpu_us = 30000;
    for (size_t i = 0; i < 3; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "m%zu", i);
        imports.count = 0;
        gbx_future *future = gbx_context_import(w.context, name, &options);
        wait_until(future, &imports.count, 1);
        answer(imports.import[0], endless[i]);
        if (i == 2) {
            wait_until(future, &imports.count, 2);
            answer(imports.import[1], "");
        }
        settle(future, GBX_ECPU);
        expect_usable(&w);
    }
    world_close(&w);
}

CleanTest(loader, can_be_terminated)
{
    struct world w = world_keeping(NULL);
    gbx_future *future = start(w.context, "import('x')", GBX_AWAIT);

    wait_until(future, &imports.count, 1);
    gbx_isolate_terminate(w.isolate);
    settle(future, GBX_ETERMINATED);
    answer(imports.import[0], "globalThis.ran = 1");
    expect_text(w.context, "typeof ran", "undefined");
    world_close(&w);
}

/* --- nested --------------------------------------------------------------------------------- */

static gbx_status
evaluates(gbx_callback *callback, void *data)
{
    gbx_module *module = NULL;
    gbx_error error = GBX_ERROR_INIT;
    const char *source = data;
    gbx_context *context = gbx_isolate_context(gbx_callback_isolate(callback));

    gbx_future_free(gbx_module_compile(context, source, strlen(source), NULL, &module));
    gbx_future *future = gbx_module_evaluate(module, NULL);
    gbx_status status = gbx_future_wait(future, -1, &error);
    double n = 0;
    if (status == GBX_OK)
        n = number_of(gbx_value_get(gbx_future_value(future), "n", 1));
    gbx_future_free(future);
    gbx_module_close(module);
    return answer_number(callback, status == GBX_OK ? n : status);
}

CleanTest(loader, is_not_waited_for_inside_of_a_host_function)
{
    struct world w = world_keeping(NULL);
    static char alone[] = "export const n = 5", imports_x[] = "import 'x'; export const n = 5";

    give(w.context, "alone", evaluates, alone);
    give(w.context, "importing", evaluates, imports_x);
    cr_assert_eq(eval_number(w.context, "alone()"), 5);
    cr_assert_eq(eval_number(w.context, "importing()"), GBX_EINVAL);
    /* Of a module that runs, too. */
    gbx_future *future = gbx_context_import(w.context, "outer", NULL);
    wait_until(future, &imports.count, 2);
    answer(imports.import[1], "export const n = alone()");
    gbx_value *exports = settle_value(future);
    cr_assert_eq(number_of(gbx_value_get(exports, "n", 1)), 5);
    gbx_value_free(exports);
    answer(imports.import[0], "");
    expect_usable(&w);
    world_close(&w);
}

static gbx_module *linked;

static gbx_status
evaluates_linked(gbx_callback *callback, void *data)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_future *future = gbx_module_evaluate(linked, NULL);

    (void)callback;
    cr_assert_eq(gbx_future_wait(future, -1, &error), GBX_ETHROW);
    cr_assert_str_eq(
        error.message, "no module can be evaluated while another one's top level runs");
    gbx_future_free(future);
    ++*(int *)data;
    return GBX_OK;
}

/* Also of one that is all there: it could reach what is half done. */
CleanTest(loader, has_one_graph_evaluated_at_a_time)
{
    static const char source[] = "import { n } from 'half'; export const m = n";
    struct world w = world_keeping(NULL);
    int times = 0;

    give(w.context, "inside", evaluates_linked, &times);
    gbx_future_free(gbx_module_compile(w.context, source, sizeof source - 1, NULL, &linked));
    gbx_future *future = gbx_module_link(linked, NULL);
    wait_until(future, &imports.count, 1);
    answer(imports.import[0], "inside(); export const n = 6");
    settle(future, GBX_OK);
    gbx_future *half = gbx_context_import(w.context, "half", NULL);
    wait_until(half, &imports.count, 2);
    cr_assert_eq(gbx_import_loaded(imports.import[1], "half"), 1);
    settle(half, GBX_OK);
    cr_assert_eq(times, 1);
    gbx_value *exports = settle_value(gbx_module_evaluate(linked, NULL));
    cr_assert_eq(number_of(gbx_value_get(exports, "m", GBX_NUL)), 6);
    gbx_value_free(exports);
    gbx_module_close(linked);
    world_close(&w);
}

CleanTest(loader, evaluates_no_module_from_its_own_top_level)
{
    static const char source[] = "inside(); export const n = 6";
    struct world w = world_open(NULL);
    int times = 0;

    give(w.context, "inside", evaluates_linked, &times);
    settle(gbx_module_compile(w.context, source, sizeof source - 1, NULL, &linked), GBX_OK);
    gbx_value *exports = settle_value(gbx_module_evaluate(linked, NULL));
    cr_assert_eq(number_of(gbx_value_get(exports, "n", GBX_NUL)), 6);
    cr_assert_eq(times, 1);
    gbx_value_free(exports);
    gbx_module_close(linked);
    world_close(&w);
}

/* The engine does not know them yet. When it does, they must not pass for ordinary imports. */
CleanTest(loader, knows_no_phases_of_imports)
{
    static const char *const sources[] = { "import source x from 'x'",
        "import defer * as x from 'x'", "import.source('x')", "import.defer('x')" };
    struct world w = world_keeping(NULL);
    gbx_error error = GBX_ERROR_INIT;

    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        gbx_future *future = start(w.context, sources[i], GBX_MODULE | GBX_AWAIT);
        cr_assert_eq(gbx_future_wait(future, -1, &error), GBX_ETHROW, "%s", sources[i]);
        cr_assert_str_eq(error.name, "SyntaxError");
        gbx_future_free(future);
    }
    cr_assert_eq(imports.count, 0);
    world_close(&w);
}

/* --- forks ---------------------------------------------------------------------------------- */

CleanTest(loader, is_not_a_forks)
{
    struct world w = world_keeping(NULL);
    gbx_isolate *fork = NULL;
    gbx_module *module = NULL, *there = NULL;
    static const char source[] = "export let n = 1; globalThis.up = () => ++n + "
                                 "import.meta.url.length";

    settle(gbx_module_compile(w.context, source, strlen(source), NULL, &module), GBX_OK);
    settle(gbx_module_evaluate(module, NULL), GBX_OK);
    cr_assert_eq(gbx_isolate_fork(w.isolate, NULL, &fork, NULL), GBX_OK);
    gbx_context *context = gbx_isolate_context(fork);
    cr_assert_eq(eval_number(context, "up()"), 8);
    settle(gbx_context_import(context, "x", NULL), GBX_ETHROW);
    settle(gbx_module_compile(context, source, strlen(source), NULL, &there), GBX_OK);
    settle(gbx_module_evaluate(there, NULL), GBX_OK);
    set_loader(context, keep, &imports);
    gbx_future *future = gbx_context_import(context, "x", NULL);
    wait_until(future, &imports.count, 1);
    cr_assert_eq(gbx_isolate_fork(fork, NULL, &fork, NULL), GBX_EBUSY, "an import is open");
    answer(imports.import[0], "");
    settle(future, GBX_OK);
    gbx_module_close(there);
    gbx_isolate_close(fork);
    cr_assert_eq(settle_number(gbx_module_get(module, "n", NULL)), 1);
    gbx_module_close(module);
    world_close(&w);
}

/* --- floods and ends ------------------------------------------------------------------------ */

CleanTest(loader, meets_hostile_specifiers)
{
    struct world w = world_keeping(NULL);

    expect_text(w.context,
        "Promise.all(['\\0', 'x'.repeat(5000), '\\ud800'.repeat(2000), { toString() { throw 1 "
        "} }]"
        ".map((s) => import(s).catch((e) => e instanceof TypeError || e === 1)))"
        ".then((all) => globalThis.all = String(all)), 'started'",
        "started");
    expect_text(w.context, "all", "true,true,true,true");
    cr_assert_eq(imports.count, 0);
    gbx_future *future = start(w.context, "import('\\ud800').then(() => {})", GBX_AWAIT);
    wait_until(future, &imports.count, 1);
    cr_assert_str_eq(gbx_import_specifier(imports.import[0]), "\xef\xbf\xbd");
    answer(imports.import[0], "");
    settle(future, GBX_OK);
    world_close(&w);
}

static void
refuse(gbx_import *import, void *data)
{
    ++*(size_t *)data;
    gbx_import_fail(import, NULL, NULL);
}

CleanTest(loader, is_asked_for_more_than_may_be_open)
{
    struct world w = world_open(NULL);
    size_t count = 0;

    set_loader(w.context, refuse, &count);
    gbx_value *value = settle_value(start(w.context,
        "let refused = 0, over = 0; Promise.all(Array.from({ length: 70000 }, () => import('x')"
        ".catch((e) => e instanceof RangeError ? over++ : refused++))).then(() => "
        "refused + over === 70000 && over > 0)",
        GBX_AWAIT));
    int32_t all = 0;
    cr_assert_eq(gbx_value_get_boolean(value, &all), GBX_OK);
    cr_assert(all);
    gbx_value_free(value);
    cr_assert_leq(count, 65536);
    expect_usable(&w);
    world_close(&w);
}

CleanTest(loader, outlives_its_isolate)
{
    struct world w = world_keeping(NULL);
    gbx_module *module = NULL;

    settle(gbx_module_compile(w.context, "", 0, NULL, &module), GBX_OK);
    gbx_future *future = start(w.context, "import('a'); import('b'); import('c')", GBX_AWAIT);
    wait_until(future, &imports.count, 3);
    settle(start(w.context, "const a = []; for (;;) a.push(new Array(10000).fill({}))", 0),
        GBX_EMEMORY);
    settle(future, GBX_EMEMORY);
    answer(imports.import[0], "");
    gbx_import_module(imports.import[1], module);
    settle(gbx_module_evaluate(module, NULL), GBX_EMEMORY);
    gbx_module *dead = module;
    settle(gbx_module_compile(w.context, "", 0, NULL, &dead), GBX_EMEMORY);
    cr_assert_null(dead);
    cr_assert_eq(gbx_context_set_loader(w.context, keep, NULL), GBX_EDISPOSED);
    world_close(&w);
    gbx_import_fail(imports.import[2], NULL, NULL);
    gbx_module_close(module);
}

static double
statistic(gbx_isolate *isolate, const char *name)
{
    settle(gbx_isolate_collect(isolate), GBX_OK);
    gbx_value *statistics = settle_value(gbx_isolate_statistics(isolate));
    double number = number_of(gbx_value_get(statistics, name, strlen(name)));

    gbx_value_free(statistics);
    return number;
}

static void
many(struct world *w, size_t count)
{
    static const char source[] =
        "export const big = new Array(1000).fill(1.5); export default () "
        "=> import.meta.url";

    for (size_t i = 0; i < count; i++) {
        gbx_module *module = NULL;
        gbx_future_free(
            gbx_module_compile(w->context, source, sizeof source - 1, NULL, &module));
        cr_assert_not_null(module);
        gbx_call_options options = GBX_CALL_OPTIONS_INIT;
        options.flags = GBX_RESULT_IGNORE;
        settle(gbx_module_evaluate(module, &options), GBX_OK);
        gbx_module_close(module);
    }
}

CleanTest(loader, leaves_nothing_of_ten_thousand_modules)
{
    struct world w = world_open(NULL);

    many(&w, 1000);
    double heap = statistic(w.isolate, "heapUsed"), malloced = statistic(w.isolate, "malloced");
    many(&w, 10000);
    double more = statistic(w.isolate, "heapUsed");
    cr_assert_lt(more, heap + 4e6, "%.0f, then %.0f", heap, more);
    cr_assert_lt(statistic(w.isolate, "malloced"), malloced + 4e6);
    world_close(&w);
}

CleanTest(loader, has_room_for_as_many_modules_as_it_says)
{
    struct world w = world_open(NULL);
    gbx_module **modules = calloc(65537, sizeof *modules);
    gbx_module_options options = GBX_MODULE_OPTIONS_INIT;

    cr_assert_not_null(modules);
    options.flags = GBX_RESULT_IGNORE;
    for (size_t i = 0; i < 65536; i++) {
        gbx_future *future = gbx_module_compile(w.context, "", 0, &options, &modules[i]);
        if (i % 1000 == 0)
            settle(future, GBX_OK);
        else
            gbx_future_free(future);
    }
    settle(gbx_module_compile(w.context, "", 0, &options, &modules[65536]), GBX_ELIMIT);
    for (size_t i = 0; i < 65536; i++)
        gbx_module_close(modules[i]);
    gbx_module *one = NULL;
    settle(gbx_module_compile(w.context, "", 0, &options, &one), GBX_OK);
    gbx_module_close(one);
    free(modules);
    world_close(&w);
}
