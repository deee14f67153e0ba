/* Thousands of contexts, failed imports, templates: what they leave in the cell and at the host. */
#include "support.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double
statistic(const struct world *w, const char *name)
{
    settle(gbx_isolate_collect(w->isolate), GBX_OK);
    gbx_value *all = settle_value(gbx_isolate_statistics(w->isolate));
    double number = number_of(gbx_value_get(all, name, GBX_NUL));

    gbx_value_free(all);
    return number;
}

/* --- contexts ------------------------------------------------------------------------------- */

static void
contexts(const struct world *w, int count)
{
    for (int i = 0; i < count; i++) {
        gbx_context *context = NULL;
        cr_assert_eq(gbx_context_open(w->isolate, &context, NULL), GBX_OK);
        if (i % 16 == 0) /* else nothing was done in it */
            settle(start(context, "globalThis.mine = new Array(100).fill(1); 0",
                       GBX_RESULT_IGNORE),
                GBX_OK);
        gbx_context_close(context);
    }
}

CleanTest(leaks, ten_thousand_contexts_leave_nothing)
{
    struct world w = world_open(NULL);

    contexts(&w, 500);
    double heap = statistic(&w, "heapUsed"), count = statistic(&w, "contexts");
    size_t before = malloc_in_use(), descriptors = descriptors_open();
    contexts(&w, 10000);
    double more = statistic(&w, "heapUsed");
    cr_assert_lt(more, heap + 4e6, "%.0f bytes, then %.0f", heap, more);
    cr_assert_eq(statistic(&w, "contexts"), count);
    cr_assert_leq(malloc_in_use(), before + 100000);
    cr_assert_eq(descriptors_open(), descriptors);
    world_close(&w);
}

CleanTest(leaks, contexts_of_a_dead_cell_are_released)
{
    static gbx_context *open[1000];
    struct world w = world_open(NULL);
    gbx_usage usage = GBX_USAGE_INIT;

    size_t before = malloc_in_use();
    for (int i = 0; i < 1000; i++)
        cr_assert_eq(gbx_context_open(w.isolate, &open[i], NULL), GBX_OK);
    cr_assert_eq(gbx_isolate_usage(w.isolate, &usage), GBX_OK);
    cr_assert_eq(kill((pid_t)usage.pid, SIGKILL), 0);
    expect_failure(open[999], "1", GBX_ECRASHED, NULL);
    for (int i = 0; i < 1000; i++)
        gbx_context_close(open[i]);
    cr_assert_leq(malloc_in_use(), before + 300000);
    world_close(&w);
}

/* --- imports -------------------------------------------------------------------------------- */

static gbx_import *asked;
static size_t asks;

static void
keep(gbx_import *import, void *data)
{
    (void)data;
    asked = import;
    asks++;
}

static void
refuse(gbx_import *import, void *data)
{
    (void)data;
    gbx_import_fail(import, "TypeError", "not here");
}

/* An import that nobody answers holds a context only as long as that is open. */
CleanTest(leaks, open_imports_keep_no_closed_context)
{
    struct world w = world_open(NULL);

    double before = statistic(&w, "contexts");
    for (size_t i = 0; i < 20; i++) {
        gbx_context *context = NULL;
        cr_assert_eq(gbx_context_open(w.isolate, &context, NULL), GBX_OK);
        cr_assert_eq(gbx_context_set_loader(context, keep, NULL), GBX_OK);
        eval_only(context, "import('never'); 0");
        cr_assert_eq(asks, i + 1);
        gbx_context_close(context);
        cr_assert_eq(eval_number(w.context, "1"), 1);
        if (i == 0)
            before = statistic(&w, "contexts");
        gbx_import_fail(asked, "Error", "too late");
    }
    cr_assert_eq(statistic(&w, "contexts"), before);
    cr_assert_eq(before, 1);
    expect_usable(&w);
    world_close(&w);
}

/* In each way that there is. */
static void
failures(const struct world *w, int count)
{
    for (int i = 0; i < count; i++)
        expect_failure(
            w->context, "globalThis.x = 1; import('not-here'); 0; throw 1", GBX_ETHROW, NULL);
    for (int i = 0; i < count; i++)
        settle(start(w->context, "import 'x' with { kind: 'odd' }", GBX_MODULE | GBX_AWAIT),
            GBX_ETHROW);
    for (int i = 0; i < count; i++)
        settle(start(w->context, "import 'not-here'", GBX_MODULE | GBX_AWAIT), GBX_EHOST);
}

CleanTest(leaks, ten_thousand_failed_imports_leave_nothing)
{
    struct world w = world_open(NULL);

    cr_assert_eq(gbx_context_set_loader(w.context, refuse, NULL), GBX_OK);
    failures(&w, 200);
    double heap = statistic(&w, "heapUsed");
    size_t before = malloc_in_use();
    failures(&w, 3500);
    double more = statistic(&w, "heapUsed");
    cr_assert_lt(more, heap + 1e6, "%.0f bytes, then %.0f", heap, more);
    cr_assert_leq(malloc_in_use(), before + 100000);
    world_close(&w);
}

/* --- templates ------------------------------------------------------------------------------ */

static void
templates(const struct world *w, long count)
{
    static const char source[] = "globalThis.kept = new Array(1000).fill(1)";
    const gbx_preload preload = {
        .kind = GBX_PRELOAD_SCRIPT, .name = "lib.js", .data = source, .len = sizeof source - 1
    };
    gbx_template_options options = GBX_TEMPLATE_OPTIONS_INIT;

    options.preloads = &preload;
    options.count = 1;
    for (long i = 0; i < count; i++) {
        gbx_template *t = NULL;
        gbx_isolate *isolate = NULL;
        cr_assert_eq(gbx_template_open(w->runtime, &options, &t, NULL), GBX_OK);
        cr_assert_eq(gbx_template_isolate(t, NULL, &isolate, NULL), GBX_OK);
        if (i % 2 == 0) /* it may live longer than its template */
            gbx_isolate_close(isolate);
        gbx_template_close(t);
        if (i % 2 != 0)
            gbx_isolate_close(isolate);
    }
}

/* GLOVEBOX_SOAK says how many. */
CleanTest(leaks, templates_and_isolates_of_them_leave_nothing)
{
    const char *asked_for = getenv("GLOVEBOX_SOAK");
    struct world w = world_open(NULL);

    templates(&w, 50);
    size_t before = malloc_in_use(), descriptors = descriptors_open();
    templates(&w, asked_for != NULL ? strtol(asked_for, NULL, 10) : 300);
    cr_assert_leq(malloc_in_use(), before + 100000);
    cr_assert_eq(descriptors_open(), descriptors);
    expect_usable(&w);
    world_close(&w);
}
