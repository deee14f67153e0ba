/* What requests that run code, and those about modules, answer to what they were not made for: the
 * status, and a text that names the thing and what was expected. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

enum {
    NAME_MOST = 4096, /* bytes of a path, a key, a file's or module's name */
    ARGUMENTS_MOST = 4096
};

/* Bytes of source text at most. */
static const size_t source_most = (size_t)256 << 20;

/* Waits for what must fail, with this in its text. */
static void
refused(gbx_future *future, gbx_status status, const char *text)
{
    gbx_error error = GBX_ERROR_INIT;

    cr_assert_eq(gbx_future_wait(future, -1, &error), status, "%s, not %s: %s",
        gbx_strstatus(error.status), gbx_strstatus(status), error.message);
    cr_assert_eq(error.status, status);
    cr_assert_not_null(strstr(error.message, text), "%s", error.message);
    gbx_future_free(future);
}

/* A text of `len` letters, lent until the next call. */
static const char *
letters(size_t len)
{
    static char text[2 * NAME_MOST];

    memset(text, 'x', len);
    text[len] = '\0';
    return text;
}

static gbx_module *
module_of(const struct world *w, const char *source)
{
    gbx_module *module = NULL;

    settle(gbx_module_compile(w->context, source, strlen(source), NULL, &module), GBX_OK);
    cr_assert_not_null(module);
    return module;
}

/* --- what is too long ----------------------------------------------------------------------- */

CleanTest(errors, names_may_be_as_long_as_said_and_no_longer)
{
    struct world w = world_open(NULL);
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;
    gbx_reference *object = refer(w.context, "({})");
    gbx_value *one = gbx_value_new_int32(1);

    settle(gbx_context_set(w.context, letters(NAME_MOST), one), GBX_OK);
    cr_assert_eq(settle_number(gbx_context_get(w.context, letters(NAME_MOST), NULL)), 1);
    refused(gbx_context_set(w.context, letters(NAME_MOST + 1), one), GBX_EINVAL,
        "path: 4097 bytes, expected 1 to 4096");
    refused(gbx_context_get(w.context, letters(NAME_MOST + 1), NULL), GBX_EINVAL,
        "path: 4097 bytes");
    refused(gbx_context_call(w.context, letters(NAME_MOST + 1), NULL, 0, NULL), GBX_EINVAL,
        "path: 4097 bytes");
    refused(gbx_context_get(w.context, NULL, NULL), GBX_EINVAL, "path: 0 bytes");

    settle(gbx_reference_set(object, letters(NAME_MOST), NAME_MOST, one, NULL), GBX_OK);
    cr_assert_eq(
        settle_number(gbx_reference_get(object, letters(NAME_MOST), GBX_NUL, NULL)), 1);
    refused(gbx_reference_set(object, letters(NAME_MOST + 1), GBX_NUL, one, NULL), GBX_EINVAL,
        "key: 4097 bytes, at most 4096 are allowed");
    refused(gbx_reference_get(object, letters(NAME_MOST + 1), GBX_NUL, NULL), GBX_EINVAL,
        "key: 4097 bytes");
    refused(gbx_reference_delete(object, letters(NAME_MOST + 1), GBX_NUL, NULL), GBX_EINVAL,
        "key: 4097 bytes");
    refused(gbx_reference_call_method(object, letters(NAME_MOST + 1), GBX_NUL, NULL, 0, NULL),
        GBX_EINVAL, "key: 4097 bytes");

    options.file = letters(NAME_MOST);
    settle(gbx_context_eval(w.context, "1", 1, &options), GBX_OK);
    options.file = letters(NAME_MOST + 1);
    refused(gbx_context_eval(w.context, "1", 1, &options), GBX_EINVAL,
        "file name: longer than 4096 bytes");
    refused(gbx_context_eval_closure(w.context, "1", 1, NULL, 0, &options), GBX_EINVAL,
        "file name: longer than 4096 bytes");
    refused(gbx_script_compile(w.isolate, "1", 1, NULL, 0, &options), GBX_EINVAL,
        "file name: longer than 4096 bytes");
    gbx_value_free(one);
    gbx_reference_close(object);
    world_close(&w);
}

CleanTest(errors, calls_take_as_many_arguments_as_said_and_no_more)
{
    static const gbx_value *many[ARGUMENTS_MOST + 1];
    static const char counts[] = "(function () { return arguments.length; })";
    static const char too_many[] = "4097 arguments, at most 4096 are allowed";
    struct world w = world_open(NULL);
    gbx_value *one = gbx_value_new_int32(1);
    gbx_reference *function = refer(w.context, counts);
    gbx_reference *class = refer(w.context, "(class { constructor() { made = arguments; } })");
    gbx_reference *holder = refer(w.context, "({ f() { return arguments.length; } })");
    gbx_module *module = module_of(&w, "export function f() { return arguments.length; }");

    for (size_t i = 0; i <= ARGUMENTS_MOST; i++)
        many[i] = one;
    settle(gbx_module_evaluate(module, NULL), GBX_OK);
    eval_only(w.context, "var made; function f() { return arguments.length; }");
    uint32_t n = ARGUMENTS_MOST;
    cr_assert_eq(settle_number(gbx_context_call(w.context, "f", many, n, NULL)), n);
    cr_assert_eq(settle_number(gbx_reference_call(function, NULL, many, n, NULL)), n);
    cr_assert_eq(settle_number(gbx_reference_call_method(holder, "f", 1, many, n, NULL)), n);
    cr_assert_eq(settle_number(gbx_module_call(module, "f", many, n, NULL)), n);
    cr_assert_eq(
        settle_number(gbx_context_eval_closure(w.context, "return $4095", 12, many, n, NULL)),
        1);
    settle(gbx_reference_construct(class, many, n, NULL), GBX_OK);
    cr_assert_eq(eval_number(w.context, "made.length"), n);
    n++;
    refused(gbx_context_call(w.context, "f", many, n, NULL), GBX_EINVAL, too_many);
    refused(gbx_reference_call(function, NULL, many, n, NULL), GBX_EINVAL, too_many);
    refused(gbx_reference_call_method(holder, "f", 1, many, n, NULL), GBX_EINVAL, too_many);
    refused(gbx_reference_construct(class, many, n, NULL), GBX_EINVAL, too_many);
    refused(gbx_module_call(module, "f", many, n, NULL), GBX_EINVAL, too_many);
    refused(gbx_context_eval_closure(w.context, "0", 1, many, n, NULL), GBX_EINVAL, too_many);
    many[1] = NULL;
    refused(gbx_context_call(w.context, "f", many, 2, NULL), GBX_EINVAL, "argument 1 is NULL");
    refused(gbx_module_call(module, "f", many, 2, NULL), GBX_EINVAL, "argument 1 is NULL");
    refused(gbx_reference_construct(class, many, 2, NULL), GBX_EINVAL, "argument 1 is NULL");
    refused(gbx_reference_call_method(holder, "f", 1, many, 2, NULL), GBX_EINVAL,
        "argument 1 is NULL");
    gbx_module_close(module);
    gbx_reference_close(holder);
    gbx_reference_close(class);
    gbx_reference_close(function);
    gbx_value_free(one);
    world_close(&w);
}

/* --- modules -------------------------------------------------------------------------------- */

CleanTest(errors, modules_say_which_part_of_them_is_wrong)
{
    struct world w = world_open(NULL);
    gbx_module_options options = GBX_MODULE_OPTIONS_INIT;
    gbx_module *none = (gbx_module *)&w;
    gbx_isolate *other = world_isolate(&w, NULL);
    gbx_reference *foreign = refer(gbx_isolate_context(other), "({})");
    gbx_value *meta = gbx_value_new_object(), *exports = gbx_value_new_object();

    refused(gbx_module_compile(w.context, "", source_most + 1, NULL, &none), GBX_ETOOBIG,
        "source: 268435457 bytes, at most 268435456 are allowed");
    cr_assert_null(none);
    options.name = letters(NAME_MOST);
    settle(gbx_module_compile(w.context, "", 0, &options, &none), GBX_OK);
    gbx_module_close(none);
    options.name = letters(NAME_MOST + 1);
    refused(gbx_module_compile(w.context, "", 0, &options, &none), GBX_EINVAL,
        "module name: longer than 4096 bytes");
    options.name = NULL;
    /* import.meta: of 64 KiB, and of data. */
    options.meta = meta;
    cr_assert_eq(gbx_value_set(meta, "x", 1, gbx_value_new_bytes(NULL, 64 << 10)), GBX_OK);
    refused(gbx_module_compile(w.context, "", 0, &options, &none), GBX_ETOOBIG,
        "module options: meta: a value is past a size");
    cr_assert_null(none);
    cr_assert_eq(gbx_value_set(meta, "x", 1, gbx_value_new_reference(foreign)), GBX_OK);
    refused(gbx_module_compile(w.context, "", 0, &options, &none), GBX_ECLONE,
        "module options: meta: ");
    options.meta = NULL;
    options.kind = GBX_MODULE_VALUE;
    options.exports = exports;
    cr_assert_eq(gbx_value_set(exports, "x", 1, gbx_value_new_reference(foreign)), GBX_OK);
    refused(gbx_module_compile(w.context, NULL, 0, &options, &none), GBX_EINVAL,
        "module options: exports: an argument is outside its documented range");
    cr_assert_null(none);
    gbx_value_free(exports);
    gbx_value_free(meta);
    gbx_reference_close(foreign);
    gbx_isolate_close(other);
    expect_usable(&w);
    world_close(&w);
}

CleanTest(errors, modules_that_are_not_linked_are_not_used)
{
    struct world w = world_open(NULL);
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;
    gbx_module *module = module_of(&w, "export function f() { } export let x = 1;");

    refused(gbx_module_call(module, "f", NULL, 0, NULL), GBX_EINVAL, "not been linked");
    refused(gbx_module_get(module, "x", NULL), GBX_EINVAL, "not been linked");
    settle(gbx_module_link(module, NULL), GBX_OK);
    refused(gbx_module_get(module, "x", NULL), GBX_ETHROW, "before initialization");
    settle(gbx_module_evaluate(module, NULL), GBX_OK);
    cr_assert_eq(settle_number(gbx_module_get(module, "x", NULL)), 1);
    refused(gbx_module_call(module, "f.g.h", NULL, 0, NULL), GBX_EINVAL,
        "nothing has the path f.g.h");
    refused(gbx_module_call(module, "x", NULL, 0, NULL), GBX_ETHROW, "x is not a function");
    refused(gbx_module_call(module, "", NULL, 0, NULL), GBX_EINVAL, "path: 0 bytes");
    refused(gbx_module_get(module, NULL, NULL), GBX_EINVAL, "path: 0 bytes");
    refused(gbx_module_get(module, letters(NAME_MOST + 1), NULL), GBX_EINVAL, "path: 4097");
    options.flags = 1u << 31;
    refused(gbx_module_link(module, &options), GBX_EUNSUPPORTED, "unknown flag 0x80000000");
    refused(gbx_module_evaluate(module, &options), GBX_EUNSUPPORTED, "unknown flag");
    refused(gbx_module_get(module, "x", &options), GBX_EUNSUPPORTED, "unknown flag");
    refused(gbx_module_call(module, "f", NULL, 0, &options), GBX_EUNSUPPORTED, "unknown flag");
    refused(gbx_context_import(w.context, "x", &options), GBX_EUNSUPPORTED, "unknown flag");
    gbx_isolate_close(w.isolate);
    w.isolate = NULL;
    settle(gbx_module_link(module, NULL), GBX_EDISPOSED);
    settle(gbx_module_evaluate(module, NULL), GBX_EDISPOSED);
    settle(gbx_module_get(module, "x", NULL), GBX_EDISPOSED);
    settle(gbx_module_call(module, "f", NULL, 0, NULL), GBX_EDISPOSED);
    gbx_module_close(module);
    world_close(&w);
}

/* A loader that answers by its specifier, each wrong in another way. */
static void
answer_badly(gbx_import *import, void *data)
{
    gbx_module_options options = GBX_MODULE_OPTIONS_INIT;
    const char *specifier = gbx_import_specifier(import);

    *(size_t *)data += strlen(specifier);
    if (strcmp(specifier, "big") == 0) {
        options.name = "big";
        gbx_import_source(import, "", source_most + 1, &options);
    } else if (strcmp(specifier, "options") == 0) {
        options.name = "options";
        options.kind = 9;
        gbx_import_source(import, "", 0, &options);
    } else if (strcmp(specifier, "nameless") == 0) {
        gbx_import_source(import, "", 0, &options);
    } else {
        gbx_import_fail(import, NULL, "not here");
    }
}

CleanTest(errors, imports_fail_with_what_the_loader_did_wrong)
{
    struct world w = world_open(NULL);
    size_t letters_asked = 0;

    refused(gbx_context_import(w.context, "big", NULL), GBX_ETHROW, "");
    cr_assert_eq(gbx_context_set_loader(w.context, answer_badly, &letters_asked), GBX_OK);
    refused(gbx_context_import(w.context, "big", NULL), GBX_EHOST,
        "source: 268435457 bytes, at most 268435456 are allowed");
    refused(gbx_context_import(w.context, "options", NULL), GBX_EHOST,
        "module options: unknown flag 0x0 or kind 9");
    refused(gbx_context_import(w.context, "nameless", NULL), GBX_EHOST,
        "the loader gives the module no name");
    refused(gbx_context_import(w.context, "other", NULL), GBX_EHOST, "not here");
    letters_asked = 0;
    refused(gbx_context_import(w.context, letters(NAME_MOST), NULL), GBX_EHOST, "not here");
    cr_assert_eq(letters_asked, NAME_MOST);
    refused(gbx_context_import(w.context, letters(NAME_MOST + 1), NULL), GBX_EINVAL, "4096");
    refused(gbx_context_import(w.context, NULL, NULL), GBX_EINVAL, "4096");
    cr_assert_eq(letters_asked, NAME_MOST);
    cr_assert_eq(gbx_context_set_loader(w.context, NULL, NULL), GBX_OK);
    refused(gbx_context_import(w.context, "other", NULL), GBX_ETHROW, "");
    cr_assert_eq(letters_asked, NAME_MOST);
    world_close(&w);
}

/* --- futures that have not what is taken ---------------------------------------------------- */

CleanTest(errors, futures_give_only_what_they_have)
{
    struct world w = world_open(NULL);
    gbx_call_usage usage = GBX_CALL_USAGE_INIT;
    gbx_call_options wrong = GBX_CALL_OPTIONS_INIT;
    gbx_future *number = start(w.context, "1", 0);

    cr_assert_eq(gbx_future_wait(number, -1, NULL), GBX_OK);
    cr_assert_null(gbx_future_take_script(number));
    cr_assert_null(gbx_future_take_reference(number));
    cr_assert_eq(gbx_future_usage(number, &usage), GBX_EINVAL, "it was not to be measured");
    gbx_value_free(gbx_future_take_value(number));
    cr_assert_null(gbx_future_take_value(number), "it has been taken");
    cr_assert_null(gbx_future_value(number));
    gbx_future_free(number);

    gbx_future *script = gbx_script_compile(w.isolate, "1 +", 3, NULL, 0, NULL);
    cr_assert_null(gbx_future_take_script(script), "it is open");
    cr_assert_eq(gbx_future_wait(script, -1, NULL), GBX_ETHROW);
    cr_assert_null(gbx_future_take_script(script), "it has failed");
    gbx_future_free(script);

    gbx_future *open = start(w.context, "new Promise(() => {})", GBX_AWAIT | GBX_MEASURE);
    cr_assert_eq(gbx_future_usage(open, &usage), GBX_EBUSY);
    cr_assert_null(gbx_future_take_value(open));
    cr_assert_null(gbx_future_take_reference(open));
    gbx_isolate_terminate(w.isolate);
    cr_assert_eq(gbx_future_wait(open, -1, NULL), GBX_ETERMINATED);
    cr_assert_null(gbx_future_value(open));
    cr_assert_eq(gbx_future_usage(open, &usage), GBX_OK);
    usage.size = 4;
    cr_assert_eq(gbx_future_usage(open, &usage), GBX_EINVAL, "the struct is too short");
    gbx_future_free(open);

    usage.size = sizeof usage;
    wrong.flags = GBX_MEASURE | 1u << 31;
    gbx_future *none = gbx_context_eval(w.context, "1", 1, &wrong);
    cr_assert_eq(gbx_future_usage(none, &usage), GBX_EINVAL, "it was refused at once");
    cr_assert_eq(gbx_future_id(none), 0, "and never sent");
    gbx_future_free(none);
    world_close(&w);
}

CleanTest(errors, what_is_waited_for_leaves_out_parameters_alone)
{
    struct world w = world_open(NULL);
    gbx_error error = GBX_ERROR_INIT;
    gbx_value *value = (gbx_value *)&w;
    gbx_context *context = (gbx_context *)&w;

    eval_only(w.context, "function boom() { throw new TypeError('no'); }");
    cr_assert_eq(gbx_eval(w.context, "boom()", NULL, &value, &error), GBX_ETHROW);
    cr_assert_str_eq(error.name, "TypeError");
    cr_assert_str_eq(error.message, "no");
    cr_assert_eq(gbx_call(w.context, "boom", NULL, 0, &value, NULL), GBX_ETHROW);
    cr_assert_eq(gbx_call(w.context, "none", NULL, 0, &value, &error), GBX_EINVAL);
    cr_assert_not_null(strstr(error.message, "nothing has the path none"));
    cr_assert_eq(gbx_call(w.context, NULL, NULL, 0, &value, &error), GBX_EINVAL);
    cr_assert_not_null(strstr(error.message, "path: 0 bytes"), "%s", error.message);
    cr_assert_eq((void *)value, (void *)&w);
    cr_assert_eq(gbx_call(w.context, "Math.max", NULL, 0, NULL, NULL), GBX_OK);
    expect_failure(w.context, "for (const a = [];;) a.push(a.slice(), [1])", GBX_EMEMORY, NULL);
    cr_assert_eq(gbx_eval(w.context, "1", NULL, &value, NULL), GBX_EMEMORY);
    cr_assert_eq(gbx_context_open(w.isolate, &context, &error), GBX_EDISPOSED);
    cr_assert_str_eq(error.message, "the isolate has ended");
    cr_assert_eq((void *)value, (void *)&w);
    cr_assert_eq((void *)context, (void *)&w);
    world_close(&w);
}
