/* What a guest may take for the world: clock, randomness, place, and what it may use. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct world
open_with(const gbx_isolate_options *options)
{
    return world_open(options);
}

static void
expect_refused(const struct world *w, const gbx_isolate_options *options, gbx_status status)
{
    gbx_isolate *isolate = NULL;
    gbx_error error = GBX_ERROR_INIT;

    cr_assert_eq(
        gbx_isolate_open(w->runtime, options, &isolate, &error), status, "%s", error.message);
    cr_assert_null(isolate);
    cr_assert_neq(error.message[0], '\0');
}

/* --- clocks --------------------------------------------------------------------------------- */

CleanTest(clock, that_is_set_stands_still)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;

    options.clock = GBX_CLOCK_SET;
    options.clock_us = 1000000123456;
    options.time_zone = "UTC";
    struct world w = open_with(&options);
    static const char all[] =
        "[Date.now(), +new Date(), new Date(Date()).getFullYear(),"
        " Date.parse(new Date().toISOString()), new Intl.DateTimeFormat('en',"
        " { timeZone: 'UTC', second: 'numeric', minute: 'numeric' }).format(),"
        " typeof Temporal === 'object' ? Temporal.Now.instant().epochMilliseconds"
        " : Date.now()].join()";
    expect_text(w.context, all, "1000000123,1000000123,1970,1000000123,46:40,1000000123");
    eval_only(w.context, "for (let i = 0; i < 1e6; i++) Date.now()");
    cr_assert_eq(eval_number(w.context, "Date.now()"), 1000000123);
    settle(gbx_isolate_set_clock(w.isolate, 5000000), GBX_OK);
    cr_assert_eq(eval_number(w.context, "Date.now()"), 5000);
    settle(gbx_isolate_set_clock(w.isolate, 0), GBX_OK);
    cr_assert_eq(eval_number(w.context, "Date.now()"), 0);
    settle(gbx_isolate_set_clock(w.isolate, 8640000000000000000u), GBX_OK);
    cr_assert_eq(eval_number(w.context, "Date.now()"), 8.64e15);
    settle(gbx_isolate_set_clock(w.isolate, 8640000000000000001u), GBX_EINVAL);
    /* Another context, too. */
    gbx_context *other;
    cr_assert_eq(gbx_context_open(w.isolate, &other, NULL), GBX_OK);
    cr_assert_eq(eval_number(other, "Date.now()"), 8.64e15);
    gbx_context_close(other);
    eval_only(w.context, "for (;false;);");
    settle(start(w.context, "const a = []; for (;;) a.push(a.slice())", 0), GBX_EMEMORY);
    settle(gbx_isolate_set_clock(w.isolate, 1), GBX_EMEMORY);
    world_close(&w);
}

static gbx_status
advance(gbx_callback *callback, void *data)
{
    gbx_future_free(gbx_isolate_set_clock(gbx_callback_isolate(callback), 7000000));
    (void)data;
    return answer_number(callback, 0);
}

CleanTest(clock, is_set_by_a_host_function)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;

    options.clock = GBX_CLOCK_SET;
    struct world w = open_with(&options);
    give(w.context, "advance", advance, NULL);
    expect_text(
        w.context, "const before = Date.now(); advance(); `${before} ${Date.now()}`", "0 7000");
    world_close(&w);
}

CleanTest(clock, that_is_coarse_goes_in_steps)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;

    options.clock = GBX_CLOCK_COARSE;
    options.clock_us = 100000;
    struct world w = open_with(&options);
    /* Each of many readings is a step, and in the end there was another one. */
    cr_assert_eq(eval_number(w.context,
                     "const first = Date.now(); let odd = 0, now;"
                     "do { now = Date.now(); odd += now % 100 !== 0 } while (now === first);"
                     "odd + (now - first) % 100"),
        0);
    double real = eval_number(w.context, "Date.now()"), here = (double)time(NULL) * 1000;
    cr_assert(real > here - 60000 && real < here + 60000);
    settle(gbx_isolate_set_clock(w.isolate, 1), GBX_EINVAL);
    world_close(&w);
}

/* console.time() would tell what Date.now() does not. */
static char printed[64];

static void
print(gbx_isolate *isolate, uint32_t level, const char *text, size_t len, void *data)
{
    (void)isolate;
    (void)level;
    (void)data;
    (void)snprintf(printed, sizeof printed, "%.*s", (int)len, text);
}

CleanTest(clock, is_that_of_the_console_too)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;

    options.clock = GBX_CLOCK_SET;
    options.on_console = print;
    struct world w = open_with(&options);
    eval_only(
        w.context, "console.time('a'); for (let i = 0; i < 1e6; i++); console.timeEnd('a')");
    cr_assert_str_eq(printed, "a: 0ms");
    world_close(&w);
}

/* --- places --------------------------------------------------------------------------------- */

CleanTest(place, is_each_isolates_own)
{
    static const struct {
        const char *zone, *locale, *shown;
    } places[] = {
        { "America/New_York", "de-DE", "America/New_York de-DE 31.12.1969, 19:00:00 1.234,5" },
        { "Asia/Kolkata", "en-GB", "Asia/Calcutta en-GB 01/01/1970, 05:30:00 1,234.5" },
        { "Etc/GMT+5", "fr", "Etc/GMT+5 fr 31/12/1969 19:00:00 1\u202f234,5" },
        { "UTC", "ja-JP-u-ca-japanese", NULL },
    };
    struct world w = world_open(NULL);

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
        char zone[64], locale[64];
        options.time_zone = strcpy(zone, places[i].zone);
        options.locale = strcpy(locale, places[i].locale);
        gbx_isolate *isolate = world_isolate(&w, &options);
        memset(zone, 'x', sizeof zone);
        memset(locale, 'x', sizeof locale);
        gbx_value *shown = eval(gbx_isolate_context(isolate),
            "const o = Intl.DateTimeFormat().resolvedOptions();"
            "[o.timeZone, o.locale, new Date(0).toLocaleString(), (1234.5).toLocaleString()]"
            ".join(' ')");
        if (places[i].shown != NULL)
            expect_string(shown, places[i].shown);
        gbx_value_free(shown);
        gbx_isolate_close(isolate);
    }
    world_close(&w);
}

CleanTest(place, that_is_none_is_refused)
{
    struct world w = world_open(NULL);
    static const char *const zones[] = { "", "Nowhere/Land", "+01:00", "GMT+5", "../etc/passwd",
        "Europe/Berlin\n", "\xff",
        "Europe/Aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
    static const char *const locales[] = { "", "qx", "de_DE", "1", "de-DE-",
        "not-a-locale-at-all", "en-US-x-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };

    for (size_t i = 0; i < sizeof zones / sizeof *zones; i++) {
        gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
        options.time_zone = zones[i];
        expect_refused(&w, &options, GBX_EINVAL);
    }
    for (size_t i = 0; i < sizeof locales / sizeof *locales; i++) {
        gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
        options.locale = locales[i];
        expect_refused(&w, &options, GBX_EINVAL);
    }
    expect_usable(&w);
    world_close(&w);
}

/* --- features ------------------------------------------------------------------------------- */

CleanTest(features, of_code_from_strings_are_off)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    static const char *const ways[] = { "eval('1')", "(0, eval)('1')", "new Function('1')",
        "Function('1')()", "(async () => {}).constructor('1')",
        "(function* () {}).constructor('1')", "Reflect.construct(Function, ['1'])" };

    options.flags = GBX_ISOLATE_NO_CODE_FROM_STRINGS;
    struct world w = open_with(&options);
    gbx_context *other;
    cr_assert_eq(gbx_context_open(w.isolate, &other, NULL), GBX_OK);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        gbx_error error;
        expect_failure(w.context, ways[i], GBX_ETHROW, &error);
        cr_assert_str_eq(error.name, "EvalError", "%s", ways[i]);
        expect_failure(other, ways[i], GBX_ETHROW, &error);
        cr_assert_str_eq(error.name, "EvalError", "%s", ways[i]);
    }
    gbx_context_close(other);
    expect_usable(&w); /* what the host evaluates is no string of the guest's */
    settle(gbx_context_eval_closure(w.context, "return 1", 8, NULL, 0, NULL), GBX_OK);
    world_close(&w);
}

/* Everything that can be reached from the globals, prototypes and accessors included. */
static const char crawl[] =
    "(function () { const seen = new Set(), names = []; const todo = [globalThis,"
    " (function* () {})(), (async () => {})(), [][Symbol.iterator](), /x/, new Uint8Array(1)];"
    " while (todo.length) { const o = todo.pop();"
    " if ((typeof o !== 'object' && typeof o !== 'function') || o === null || seen.has(o)) "
    "continue;"
    " seen.add(o); if (typeof o === 'function') names.push(o.name);"
    " todo.push(Object.getPrototypeOf(o));"
    " for (const k of Reflect.ownKeys(o)) { const d = Object.getOwnPropertyDescriptor(o, k);"
    " todo.push(d.value, d.get, d.set) } }"
    " return names.filter(n => n === 'SharedArrayBuffer' || n === 'waitAsync' || n === "
    "'Memory')"
    ".sort().join() + (seen.size > 500 ? '' : ' too few') })()";

CleanTest(features, of_wasm_and_shared_memory_are_off)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;

    struct world w = world_open(NULL);
    expect_text(w.context, crawl, "Memory,SharedArrayBuffer,waitAsync");
    options.flags = GBX_ISOLATE_NO_SHARED_MEMORY;
    expect_refused(&w, &options, GBX_EINVAL);
    options.flags = GBX_ISOLATE_NO_WASM;
    gbx_isolate *isolate = world_isolate(&w, &options);
    expect_text(gbx_isolate_context(isolate), crawl, "SharedArrayBuffer,waitAsync");
    expect_text(gbx_isolate_context(isolate), "typeof WebAssembly", "undefined");
    gbx_isolate_close(isolate);
    options.flags = GBX_ISOLATE_NO_WASM | GBX_ISOLATE_NO_SHARED_MEMORY;
    isolate = world_isolate(&w, &options);
    gbx_context *other;
    cr_assert_eq(gbx_context_open(isolate, &other, NULL), GBX_OK);
    expect_text(gbx_isolate_context(isolate), crawl, "");
    expect_text(other, crawl, "");
    gbx_context_close(other);
    gbx_isolate_close(isolate);
    world_close(&w);
}

CleanTest(features, options_are_checked)
{
    struct world w = world_open(NULL);
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;

    options.clock = 3;
    expect_refused(&w, &options, GBX_EUNSUPPORTED);
    options.clock = GBX_CLOCK_REAL;
    options.clock_us = 1;
    expect_refused(&w, &options, GBX_EINVAL);
    options.clock = GBX_CLOCK_COARSE;
    options.clock_us = 0;
    expect_refused(&w, &options, GBX_EINVAL);
    options.clock_us = 3600000001;
    expect_refused(&w, &options, GBX_EINVAL);
    options.clock = GBX_CLOCK_SET;
    options.clock_us = 8640000000000000001u;
    expect_refused(&w, &options, GBX_EINVAL);
    options = (gbx_isolate_options)GBX_ISOLATE_OPTIONS_INIT;
    options.seed = 5;
    expect_refused(&w, &options, GBX_EINVAL);
    options.seed = 0;
    options.flags = 1u << 31;
    expect_refused(&w, &options, GBX_EUNSUPPORTED);
    world_close(&w);
}

/* --- the same again ------------------------------------------------------------------------- */

/* Work that allocates, dies and survives by chance, with enough of it for many collections. */
static const char work[] =
    "const kept = new Map(); const out = [];"
    "class Node { constructor(n) { this.n = n; this.next = null; this.text = 'n' + n } }"
    "for (let i = 0; i < 400000; i++) { const r = Math.random();"
    "  const node = new Node(Math.floor(r * 1e6)); node.next = [r, { r }];"
    "  if (r < 0.05) kept.set(node.n, node); if (r > 0.999) kept.clear();"
    "  if (i % 50000 === 0) out.push(r, kept.size, Date.now()) }"
    "out.push([...kept.keys()].slice(0, 5).join(), new Date().toString());"
    "for (const key of kept.keys()) if (key % 2) kept.delete(key);"
    "new WeakMap([[kept, new Float64Array(1000)]]); out.join(' ')";

static char *
outputs(const struct world *w, uint64_t seed)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    gbx_context *other;
    char *all = NULL, *text;
    size_t size, len;
    static const char *const numbers[] = { "heapUsed", "heapTotal", "malloced", "external",
        "externalPeak", "code", "contexts", "collections" };

    options.flags = GBX_ISOLATE_SEEDED;
    options.seed = seed;
    options.clock = GBX_CLOCK_SET;
    options.clock_us = 1234567890;
    options.time_zone = "Europe/Berlin";
    gbx_isolate *isolate = world_isolate(w, &options);
    cr_assert_eq(gbx_context_open(isolate, &other, NULL), GBX_OK);
    FILE *file = open_memstream(&all, &size);
    for (int i = 0; i < 3; i++) {
        gbx_value *value = eval(i == 1 ? other : gbx_isolate_context(isolate),
            i == 2 ? "[Math.random(), Math.random()].join()" : work);
        cr_assert_eq(gbx_value_to_json(value, 0, &text, &len, NULL), GBX_OK);
        (void)fprintf(file, "%s\n", text);
        free(text);
        gbx_value_free(value);
    }
    gbx_value *statistics = settle_value(gbx_isolate_statistics(isolate));
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        double number = 0;
        cr_assert_eq(
            gbx_value_get_number(gbx_value_get(statistics, numbers[i], GBX_NUL), &number),
            GBX_OK);
        (void)fprintf(file, "%s %.0f\n", numbers[i], number);
    }
    gbx_value_free(statistics);
    (void)fclose(file);
    gbx_context_close(other);
    gbx_isolate_close(isolate);
    return all;
}

CleanTest(seed, gives_the_same_again)
{
    struct world w = world_open(NULL), again = world_open(NULL);
    char *first = outputs(&w, 42), *second = outputs(&w, 42), *elsewhere = outputs(&again, 42),
         *other = outputs(&w, 43), *none = outputs(&w, 0);

    cr_assert_str_eq(first, second);
    cr_assert_str_eq(first, elsewhere, "another runtime, another process tree");
    cr_assert_str_neq(first, other);
    cr_assert_str_neq(first, none);
    cr_assert_str_neq(other, none);
    free(first);
    free(second);
    free(elsewhere);
    free(other);
    free(none);
    world_close(&w);
    world_close(&again);
}

/* Contexts of one isolate do not repeat each other. */
CleanTest(seed, differs_between_contexts)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    gbx_context *other;

    options.flags = GBX_ISOLATE_SEEDED;
    struct world w = world_open(&options);
    cr_assert_eq(gbx_context_open(w.isolate, &other, NULL), GBX_OK);
    cr_assert_neq(eval_number(w.context, "Math.random()"), eval_number(other, "Math.random()"));
    gbx_context_close(other);
    world_close(&w);
}
