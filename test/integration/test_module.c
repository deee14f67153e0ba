/* Modules: by the step, by a loader of the test's own, and what goes wrong at each step. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- a loader ------------------------------------------------------------------------------- */

/* Answers from a list of names and sources, without paths: what is imported is the name. */
struct library {
    struct {
        const char *name, *source;
    } files[16];
    size_t asked;        /* count of imports */
    char referrers[256]; /* of all, one after the other, with a blank behind */
    bool later;          /* imports are kept open */
    gbx_import *open[64];
    size_t open_count;
};

static uint32_t
kind_of(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot != NULL && strcmp(dot, ".json") == 0 ? GBX_MODULE_JSON : GBX_MODULE_SOURCE;
}

static void
find(gbx_import *import, const struct library *library)
{
    gbx_module_options options = GBX_MODULE_OPTIONS_INIT;
    const char *name = gbx_import_specifier(import);

    for (size_t i = 0; i < sizeof library->files / sizeof *library->files; i++)
        if (library->files[i].name != NULL && strcmp(library->files[i].name, name) == 0) {
            options.name = name;
            options.kind = kind_of(name);
            gbx_import_source(
                import, library->files[i].source, strlen(library->files[i].source), &options);
            return;
        }
    gbx_import_fail(import, "RangeError", "there is no such module");
}

static void
load(gbx_import *import, void *data)
{
    struct library *library = data;

    library->asked++;
    (void)strncat(library->referrers, gbx_import_referrer(import), 32);
    (void)strncat(library->referrers, " ", 2);
    cr_assert_not_null(gbx_import_context(import));
    if (library->later)
        library->open[library->open_count++] = import;
    else
        find(import, library);
}

static void
set_loader(gbx_context *context, struct library *library)
{
    cr_assert_eq(gbx_context_set_loader(context, load, library), GBX_OK);
}

static gbx_module *
compile(gbx_context *context, const char *name, const char *source)
{
    gbx_module_options options = GBX_MODULE_OPTIONS_INIT;
    gbx_module *module = NULL;

    options.name = name;
    settle(gbx_module_compile(context, source, strlen(source), &options, &module), GBX_OK);
    cr_assert_not_null(module);
    return module;
}

static double
export_number(const gbx_value *exports, const char *name)
{
    const gbx_value *value = gbx_value_get(exports, name, strlen(name));

    cr_assert_not_null(value, "%s", name);
    return number_of(value);
}

static double
import_number(gbx_context *context, const char *specifier, const char *name)
{
    gbx_value *exports = settle_value(gbx_context_import(context, specifier, NULL));
    double number = export_number(exports, name);

    gbx_value_free(exports);
    return number;
}

/* Waits for a failure; its message, which must be the error's, holds `text`. */
static void
fails(gbx_future *future, gbx_status status, const char *text, gbx_error *error)
{
    gbx_error own = GBX_ERROR_INIT;

    if (error == NULL)
        error = &own;
    *error = (gbx_error)GBX_ERROR_INIT;
    cr_assert_eq(gbx_future_wait(future, -1, error), status, "%s", error->message);
    cr_assert_not_null(strstr(error->message, text), "%s", error->message);
    gbx_future_free(future);
}

/* --- by the step ---------------------------------------------------------------------------- */

CleanTest(module, compiles_evaluates_and_exports)
{
    struct world w = world_open(NULL);
    gbx_module *module = compile(w.context, "a.mjs",
        "globalThis.runs = (globalThis.runs ?? 0) + 1; export let n = 1; export default 'd';"
        "export function add(x) { return n += x } add.deep = { m() { return this.v }, v: 8 };"
        "await 0; export const late = import.meta.url;");

    for (int i = 0; i < 2; i++) { /* twice is once */
        gbx_value *exports = settle_value(gbx_module_evaluate(module, NULL));
        cr_assert_eq(export_number(exports, "n"), 1);
        expect_string(gbx_value_get(exports, "default", 7), "d");
        expect_string(gbx_value_get(exports, "late", 4), "a.mjs");
        cr_assert_null(gbx_value_get(exports, "add", 3), "a function is not copied");
        gbx_value_free(exports);
    }
    cr_assert_eq(eval_number(w.context, "runs"), 1);
    gbx_value *two = gbx_value_new_number(2);
    cr_assert_eq(settle_number(gbx_module_call(
                     module, "add", (const gbx_value *const[]){ two }, 1, NULL)),
        3);
    gbx_value_free(two);
    cr_assert_eq(settle_number(gbx_module_get(module, "n", NULL)), 3, "bindings are live");
    cr_assert_eq(settle_number(gbx_module_call(module, "add.deep.m", NULL, 0, NULL)), 8);
    gbx_module_close(module);
    gbx_module_close(NULL);
    world_close(&w);
}

CleanTest(module, gives_its_namespace_by_reference)
{
    struct world w = world_open(NULL);
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;
    gbx_module *module = compile(
        w.context, "a.mjs", "export function then(f) { globalThis.hijacked = 1; f(5) }");

    options.flags = GBX_RESULT_REFERENCE;
    gbx_future *future = gbx_module_evaluate(module, &options);
    cr_assert_eq(gbx_future_wait(future, -1, NULL), GBX_OK);
    gbx_reference *reference = gbx_future_take_reference(future);
    cr_assert_not_null(reference);
    gbx_future_free(future);
    expect_text(w.context, "typeof hijacked", "undefined");
    gbx_reference_close(reference);
    options.flags = GBX_RESULT_IGNORE;
    gbx_value *nothing = settle_value(gbx_module_evaluate(module, &options));
    cr_assert_eq(gbx_value_get_kind(nothing), GBX_UNDEFINED);
    gbx_value_free(nothing);
    gbx_module_close(module);
    world_close(&w);
}

CleanTest(module, tells_what_it_imports)
{
    static const char source[] = "import './a.mjs';\n"
                                 "export { x } from './b.json' with { type: 'json' };\n"
                                 "  import y from './c.mjs' with { odd: '1', type: 'json' }";
    struct world w = world_open(NULL);
    gbx_module *module = NULL;

    eval_only(w.context,
        "Object.defineProperty(Object.prototype, 'specifier', { set() { throw 1 } })");
    gbx_value *list =
        settle_value(gbx_module_compile(w.context, source, strlen(source), NULL, &module));
    cr_assert_eq(gbx_value_length(list), 3);
    static const char *const names[] = { "./a.mjs", "./b.json", "./c.mjs" };
    static const double lines[] = { 1, 2, 3 };
    for (size_t i = 0; i < 3; i++) {
        const gbx_value *import = gbx_value_at(list, i);
        expect_string(gbx_value_get(import, "specifier", 9), names[i]);
        cr_assert_eq(export_number(import, "line"), lines[i]);
        cr_assert_gt(export_number(import, "column"), 0);
    }
    const gbx_value *attributes = gbx_value_get(gbx_value_at(list, 2), "attributes", 10);
    expect_string(gbx_value_get(attributes, "odd", 3), "1");
    expect_string(gbx_value_get(attributes, "type", 4), "json");
    gbx_value_free(list);
    gbx_module_close(module);
    world_close(&w);
}

CleanTest(module, that_does_not_compile_says_where_and_fails_its_users)
{
    struct library library = { .files = { { "a", "import 'bad'" }, { "bad", "\n const ;" } } };
    struct world w = world_open(NULL);
    gbx_error error = GBX_ERROR_INIT;
    gbx_module_options options = GBX_MODULE_OPTIONS_INIT;
    gbx_module *module = NULL;

    options.name = "bad.mjs";
    options.line = 10;
    fails(gbx_module_compile(w.context, "\n  const ;", 10, &options, &module), GBX_ETHROW,
        "Unexpected token", &error);
    cr_assert_str_eq(error.name, "SyntaxError");
    cr_assert_str_eq(error.file, "bad.mjs");
    cr_assert_eq(error.line, 12);
    cr_assert_eq(error.column, 9);
    cr_assert_not_null(module);
    fails(gbx_module_link(module, NULL), GBX_ETHROW, "Unexpected token", &error);
    cr_assert_eq(error.line, 12);
    fails(gbx_module_evaluate(module, NULL), GBX_ETHROW, "Unexpected token", NULL);
    fails(gbx_module_get(module, "x", NULL), GBX_EINVAL, "not been linked", NULL);
    gbx_module_close(module);
    set_loader(w.context, &library);
    fails(gbx_context_import(w.context, "a", NULL), GBX_ETHROW, "Unexpected token", &error);
    cr_assert_str_eq(error.file, "bad");
    cr_assert_eq(error.line, 2);
    world_close(&w);
}

CleanTest(module, links_before_it_evaluates)
{
    struct library library = { .files = {
                                   { "dep", "globalThis.ran = 1; export const x = 2" } } };
    struct world w = world_open(NULL);
    gbx_module *module =
        compile(w.context, "a", "import { x } from 'dep'; export const y = x + 1");

    set_loader(w.context, &library);
    fails(gbx_module_get(module, "y", NULL), GBX_EINVAL, "not been linked", NULL);
    gbx_value *nothing = settle_value(gbx_module_link(module, NULL));
    cr_assert_eq(gbx_value_get_kind(nothing), GBX_UNDEFINED);
    gbx_value_free(nothing);
    expect_text(w.context, "typeof ran", "undefined");
    fails(gbx_module_get(module, "y", NULL), GBX_ETHROW, "before initialization", NULL);
    cr_assert_eq(library.asked, 1);
    cr_assert_str_eq(library.referrers, "a ");
    settle(gbx_module_link(module, NULL), GBX_OK);
    settle(gbx_module_evaluate(module, NULL), GBX_OK);
    cr_assert_eq(library.asked, 1, "what is linked is not asked for again");
    cr_assert_eq(settle_number(gbx_module_get(module, "y", NULL)), 3);
    gbx_module_close(module);
    world_close(&w);
}

CleanTest(module, can_be_used_before_it_has_compiled)
{
    struct world w = world_open(NULL);
    gbx_module *module = NULL;

    gbx_future *compiled =
        gbx_module_compile(w.context, "export const x = 4", 18, NULL, &module);
    gbx_future *evaluated = gbx_module_evaluate(module, NULL);
    gbx_future *got = gbx_module_get(module, "x", NULL);
    gbx_module_close(module); /* which comes after them */
    settle(compiled, GBX_OK);
    settle(evaluated, GBX_OK);
    cr_assert_eq(settle_number(got), 4);
    world_close(&w);
}

CleanTest(module, has_the_properties_that_the_host_gives_import_meta)
{
    struct world w = world_open(NULL);
    gbx_module_options options = GBX_MODULE_OPTIONS_INIT;
    gbx_module *module = NULL;
    static const char source[] = "export const all = JSON.stringify(import.meta), same = "
                                 "import.meta === import.meta;";

    gbx_value *meta = gbx_value_new_object();
    cr_assert_eq(gbx_value_set(meta, "url", 3, gbx_value_new_string("app:x", GBX_NUL)), GBX_OK);
    cr_assert_eq(gbx_value_set(meta, "main", 4, gbx_value_new_boolean(1)), GBX_OK);
    options.meta = meta;
    settle(gbx_module_compile(w.context, source, strlen(source), &options, &module), GBX_OK);
    gbx_value_free(meta);
    gbx_value *exports = settle_value(gbx_module_evaluate(module, NULL));
    expect_string(gbx_value_get(exports, "all", 3), "{\"url\":\"app:x\",\"main\":true}");
    gbx_value_free(exports);
    gbx_module_close(module);
    /* Of one that is asked for it late, when the host has let go. */
    settle(gbx_module_evaluate(
               module = compile(w.context, "late", "globalThis.late = () => import.meta.url"),
               NULL),
        GBX_OK);
    gbx_module_close(module);
    settle(gbx_isolate_collect(w.isolate), GBX_OK);
    expect_text(w.context, "late()", "late");
    world_close(&w);
}

CleanTest(module, refuses_options_that_it_does_not_know)
{
    struct world w = world_open(NULL);
    gbx_module_options options = GBX_MODULE_OPTIONS_INIT;
    gbx_module *module = (gbx_module *)&w;
    gbx_value *number = gbx_value_new_number(1);

    options.kind = 4;
    settle(gbx_module_compile(w.context, "", 0, &options, &module), GBX_EUNSUPPORTED);
    cr_assert_null(module);
    options = (gbx_module_options)GBX_MODULE_OPTIONS_INIT;
    options.flags = GBX_AWAIT;
    settle(gbx_module_compile(w.context, "", 0, &options, &module), GBX_EUNSUPPORTED);
    options = (gbx_module_options)GBX_MODULE_OPTIONS_INIT;
    options.reserved = 1;
    settle(gbx_module_compile(w.context, "", 0, &options, &module), GBX_EUNSUPPORTED);
    options = (gbx_module_options)GBX_MODULE_OPTIONS_INIT;
    char name[4200];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    options.name = name;
    settle(gbx_module_compile(w.context, "", 0, &options, &module), GBX_EINVAL);
    options = (gbx_module_options)GBX_MODULE_OPTIONS_INIT;
    options.meta = number;
    settle(gbx_module_compile(w.context, "", 0, &options, &module), GBX_EINVAL);
    options = (gbx_module_options)GBX_MODULE_OPTIONS_INIT;
    options.kind = GBX_MODULE_VALUE;
    settle(gbx_module_compile(w.context, "", 0, &options, &module), GBX_EINVAL);
    options.exports = number;
    settle(gbx_module_compile(w.context, "", 0, &options, &module), GBX_EINVAL);
    cr_assert_null(module);
    settle(gbx_context_import(w.context, "", NULL), GBX_EINVAL);
    gbx_value_free(number);
    expect_usable(&w);
    world_close(&w);
}

/* --- graphs --------------------------------------------------------------------------------- */

CleanTest(module, imports_what_a_loader_finds)
{
    struct library library = {
        .files = { { "main", "import { b } from 'b'; import c from 'c';"
                             "export const sum = b + c" },
            { "b", "import c from 'c'; export const b = c * 10" },
            { "c", "globalThis.c = (globalThis.c ?? 0) + 1; export default 2" } }
    };
    struct world w = world_open(NULL);

    set_loader(w.context, &library);
    cr_assert_eq(import_number(w.context, "main", "sum"), 22);
    cr_assert_eq(library.asked, 4);
    cr_assert_eq(strncmp(library.referrers, " main main b ", 13), 0, "%s", library.referrers);
    cr_assert_eq(eval_number(w.context, "c"), 1, "each runs once");
    cr_assert_eq(import_number(w.context, "main", "sum"), 22);
    cr_assert_eq(eval_number(w.context, "c"), 1);
    world_close(&w);
}

CleanTest(module, runs_in_cycles)
{
    struct library library = {
        .files = { { "a", "import { b } from 'b'; export let a = 1;"
                          "export const seen = b(); export function up() { return ++a }" },
            { "b", "import { a, up } from 'a'; export function b() { return up() + a }"
                   "import * as self from 'b'; export const own = self.b === b" } }
    };
    struct world w = world_open(NULL);

    set_loader(w.context, &library);
    cr_assert_eq(import_number(w.context, "a", "seen"), 4);
    gbx_value *exports = settle_value(gbx_context_import(w.context, "b", NULL));
    int32_t own = 0;
    cr_assert_eq(gbx_value_get_boolean(gbx_value_get(exports, "own", 3), &own), GBX_OK);
    cr_assert(own);
    gbx_value_free(exports);
    world_close(&w);
}

CleanTest(module, imports_dynamically_from_modules_and_scripts)
{
    struct library library = { .files = { { "a", "export const x = (await import('b')).x + 1" },
                                   { "b", "export const x = 5" },
                                   { "thenable", "export function then(f) { f(9) }" } } };
    struct world w = world_open(NULL);

    set_loader(w.context, &library);
    cr_assert_eq(import_number(w.context, "a", "x"), 6);
    cr_assert_eq(settle_number(start(w.context, "import('b').then((b) => b.x)", GBX_AWAIT)), 5);
    cr_assert_eq(
        settle_number(start(w.context,
            "Promise.all([import('b'), import('b')]).then(([p, q]) => +(p === q))", GBX_AWAIT)),
        1);
    cr_assert_eq(settle_number(start(w.context, "import('thenable')", GBX_AWAIT)), 9);
    cr_assert_eq(settle_number(start(w.context,
                     "import('none').catch((e) => e instanceof RangeError && "
                     "e.message === 'there is no such module' ? 1 : 0)",
                     GBX_AWAIT)),
        1);
    cr_assert_not_null(strstr(library.referrers, "<eval>"), "%s", library.referrers);
    world_close(&w);
}

CleanTest(module, evaluated_as_source_may_import)
{
    struct library library = { .files = { { "b", "export const x = 5" } } };
    struct world w = world_open(NULL);

    set_loader(w.context, &library);
    gbx_value *value = settle_value(
        start(w.context, "import { x } from 'b'; globalThis.got = x", GBX_MODULE | GBX_AWAIT));
    cr_assert_eq(gbx_value_get_kind(value), GBX_UNDEFINED);
    gbx_value_free(value);
    cr_assert_eq(eval_number(w.context, "got"), 5);
    fails(start(w.context, "import 'none'", GBX_MODULE | GBX_AWAIT), GBX_EHOST,
        "there is no such module", NULL);
    /* Not awaited: it goes on by itself. */
    settle(start(w.context, "import { x } from 'b'; globalThis.more = x", GBX_MODULE), GBX_OK);
    settle(start(w.context, "import('b')", GBX_AWAIT | GBX_RESULT_IGNORE), GBX_OK);
    cr_assert_eq(eval_number(w.context, "more"), 5);
    world_close(&w);
}

/* --- other kinds ---------------------------------------------------------------------------- */

CleanTest(module, imports_json_as_json_only)
{
    struct library library = {
        .files = { { "d.json", "{ \"x\": [1, 2], \"__proto__\": 3 }" }, { "bad.json", "{ x }" },
            { "good", "import d from 'd.json' with { type: 'json' };"
                      "import e from 'd.json' with { type: 'json' };"
                      "export const n = d.x[1] + d.__proto__ + (d === e)" },
            { "plain", "import d from 'd.json'" },
            { "source", "import d from 'good' with { type: 'json' }" },
            { "odd", "import d from 'd.json' with { color: 'red' }" },
            { "css", "import d from 'd.json' with { type: 'css' }" },
            { "two", "import { x } from 'd.json' with { type: 'json' }" } }
    };
    struct world w = world_open(NULL);
    gbx_error error = GBX_ERROR_INIT;

    set_loader(w.context, &library);
    cr_assert_eq(import_number(w.context, "good", "n"), 6);
    gbx_value *exports = settle_value(gbx_context_import(w.context, "d.json", NULL));
    const gbx_value *json = gbx_value_get(exports, "default", 7);
    cr_assert_eq(gbx_value_get_kind(json), GBX_OBJECT);
    gbx_value_free(exports);
    fails(gbx_context_import(w.context, "plain", NULL), GBX_ETHROW,
        "'d.json' is JSON: import it with { type: 'json' }", &error);
    cr_assert_str_eq(error.name, "TypeError");
    fails(
        gbx_context_import(w.context, "source", NULL), GBX_ETHROW, "'good' is not JSON", NULL);
    fails(gbx_context_import(w.context, "odd", NULL), GBX_ETHROW,
        "the import attribute 'color' is not supported", &error);
    cr_assert_str_eq(error.name, "SyntaxError");
    fails(gbx_context_import(w.context, "css", NULL), GBX_ETHROW,
        "the import type 'css' is not supported", NULL);
    fails(gbx_context_import(w.context, "two", NULL), GBX_ETHROW, "export named 'x'", &error);
    cr_assert_str_eq(error.name, "SyntaxError");
    cr_assert_str_eq(error.file, "two");
    fails(gbx_context_import(w.context, "bad.json", NULL), GBX_ETHROW, "bad.json: ", &error);
    cr_assert_str_eq(error.name, "SyntaxError");
    fails(start(w.context, "import('d.json', { with: { color: 'red' } })", GBX_AWAIT),
        GBX_ETHROW, "'color' is not supported", &error);
    cr_assert_str_eq(error.name, "TypeError");
    cr_assert_eq(settle_number(start(w.context,
                     "import('d.json', { with: { type: 'json' } }).then((d) => d.default.x[0])",
                     GBX_AWAIT)),
        1);
    world_close(&w);
}

CleanTest(module, of_values_exports_their_properties)
{
    struct library library = { .files = { { "none", "" } } };
    struct world w = world_open(NULL);
    gbx_module_options options = GBX_MODULE_OPTIONS_INIT;
    gbx_module *settings = NULL;
    gbx_value *exports = gbx_value_new_object();

    cr_assert_eq(gbx_value_set(exports, "limit", 5, gbx_value_new_number(3)), GBX_OK);
    cr_assert_eq(gbx_value_set(exports, "default", 7, gbx_value_new_string("d", 1)), GBX_OK);
    options.kind = GBX_MODULE_VALUE;
    options.name = "host:settings";
    options.exports = exports;
    set_loader(w.context, &library);
    settle(gbx_module_compile(w.context, NULL, 0, &options, &settings), GBX_OK);
    library.later = true;
    gbx_future *future = start(w.context,
        "import word, { limit } from 'host:settings'; globalThis.got = word + limit",
        GBX_MODULE | GBX_AWAIT);
    wait_until(future, &library.open_count, 1);
    gbx_import_module(library.open[0], settings);
    settle(future, GBX_OK);
    expect_text(w.context, "got", "d3");
    gbx_value *copy = settle_value(gbx_module_evaluate(settings, NULL));
    cr_assert_eq(export_number(copy, "limit"), 3);
    gbx_value_free(copy);
    gbx_value_free(exports);
    gbx_module_close(settings);
    world_close(&w);
}

/* (module (import "env" "twice" (func (param i32) (result i32)))
 *         (func (export "run") (param i32) (result i32) local.get 0 call 0 i32.const 1 i32.add)) */
static const unsigned char wasm[] = { 0, 'a', 's', 'm', 1, 0, 0, 0, 1, 6, 1, 0x60, 1, 0x7f, 1,
    0x7f, 2, 13, 1, 3, 'e', 'n', 'v', 5, 't', 'w', 'i', 'c', 'e', 0, 0, 3, 2, 1, 0, 7, 7, 1, 3,
    'r', 'u', 'n', 0, 1, 10, 11, 1, 9, 0, 0x20, 0, 0x10, 0, 0x41, 1, 0x6a, 0x0b };

CleanTest(module, of_webassembly_imports_and_exports)
{
    struct library library = {
        .files = { { "env", "export const twice = (x) => x * 2" },
            { "user", "import { run } from 'w.wasm'; export const n = run(20)" } }
    };
    struct world w = world_open(NULL);
    gbx_module_options options = GBX_MODULE_OPTIONS_INIT;
    gbx_module *module = NULL;
    gbx_error error = GBX_ERROR_INIT;

    set_loader(w.context, &library);
    options.kind = GBX_MODULE_WASM;
    options.name = "w.wasm";
    gbx_value *list =
        settle_value(gbx_module_compile(w.context, wasm, sizeof wasm, &options, &module));
    cr_assert_eq(gbx_value_length(list), 1);
    expect_string(gbx_value_get(gbx_value_at(list, 0), "specifier", 9), "env");
    gbx_value_free(list);
    settle(gbx_module_evaluate(module, NULL), GBX_OK);
    gbx_value *four = gbx_value_new_number(4);
    cr_assert_eq(settle_number(gbx_module_call(
                     module, "run", (const gbx_value *const[]){ four }, 1, NULL)),
        9);
    gbx_value_free(four);
    library.later = true;
    gbx_future *future = start(w.context, "import('w.wasm').then((w) => w.run(20))", GBX_AWAIT);
    wait_until(future, &library.open_count, 1);
    gbx_import_module(library.open[0], module);
    cr_assert_eq(settle_number(future), 41);
    gbx_module_close(module);
    fails(gbx_module_compile(w.context, wasm, sizeof wasm - 1, &options, &module), GBX_ETHROW,
        "section", &error);
    cr_assert_str_eq(error.name, "CompileError");
    gbx_module_close(module);
    world_close(&w);
}

/* --- what fails later ----------------------------------------------------------------------- */

CleanTest(module, that_throws_stays_so)
{
    struct library library = { .files = { { "top", "import 'thrower'; globalThis.top = 1" },
                                   { "thrower",
                                       "globalThis.runs = (globalThis.runs ?? 0) + 1;\n"
                                       "throw new RangeError('mine')" },
                                   { "later", "await 0; null.x" } } };
    struct world w = world_open(NULL);
    gbx_error error = GBX_ERROR_INIT;

    set_loader(w.context, &library);
    for (int i = 0; i < 2; i++) {
        fails(gbx_context_import(w.context, "top", NULL), GBX_ETHROW, "mine", &error);
        cr_assert_str_eq(error.name, "RangeError");
        cr_assert_not_null(strstr(error.stack, "thrower:2:7"), "%s", error.stack);
        cr_assert_eq(error.line, i == 0 ? 2 : 0, "V8 tells it once");
        fails(gbx_context_import(w.context, "later", NULL), GBX_ETHROW, "null", NULL);
    }
    cr_assert_eq(eval_number(w.context, "runs"), 1);
    expect_text(w.context, "typeof top", "undefined");
    expect_usable(&w);
    world_close(&w);
}

CleanTest(module, that_lacks_an_export_can_be_linked_when_it_is_there)
{
    struct library library = { .files = { { "dep", "export const other = 1" } } };
    struct world w = world_open(NULL);
    gbx_error error = GBX_ERROR_INIT;
    gbx_module *module =
        compile(w.context, "a", "\nimport { x } from 'dep'; export const y = x");

    fails(gbx_module_link(module, NULL), GBX_ETHROW, "imports are not supported here", NULL);
    set_loader(w.context, &library);
    fails(gbx_module_link(module, NULL), GBX_ETHROW, "export named 'x'", &error);
    cr_assert_str_eq(error.name, "SyntaxError");
    cr_assert_eq(error.line, 2);
    library.files[0].name = "other";
    fails(gbx_module_evaluate(module, NULL), GBX_EHOST, "there is no such module", &error);
    cr_assert_str_eq(error.name, "RangeError");
    gbx_module *dep = compile(w.context, "dep", "export const x = 7");
    library.later = true;
    gbx_future *future = gbx_module_evaluate(module, NULL);
    wait_until(future, &library.open_count, 1);
    gbx_import_module(library.open[0], dep);
    gbx_value *exports = settle_value(future);
    cr_assert_eq(export_number(exports, "y"), 7);
    gbx_value_free(exports);
    gbx_module_close(dep);
    gbx_module_close(module);
    world_close(&w);
}
