/* The host runs out of something while it forks isolates, holds what is theirs and hears of what
 * they reject. As test_faults.c. */
#include "inject.h"

#include <string.h>

/* --- templates and forks -------------------------------------------------------------------- */

/* (module (func (export "f") (result i32) (i32.const 42))) */
static const unsigned char wasm[] = { 0, 'a', 's', 'm', 1, 0, 0, 0, 1, 5, 1, 0x60, 0, 1, 0x7f,
    3, 2, 1, 0, 7, 5, 1, 1, 'f', 0, 0, 10, 6, 1, 4, 0, 0x41, 42, 0x0b };

static gbx_status
answer(gbx_callback *callback, void *data)
{
    gbx_value *value = gbx_value_new_number(*(const double *)data);
    gbx_status status = value == NULL ? GBX_ENOMEM : gbx_callback_return(callback, value);

    gbx_value_free(value);
    return status;
}

static double two = 2;

static void
bind(gbx_isolate *fork, const char *path, gbx_function *function, void **data, void *ignored)
{
    (void)fork;
    (void)path;
    (void)ignored;
    *function = answer;
    *data = &two;
}

/* Evaluates to 42 in an isolate, which is closed. */
static gbx_status
expect_42(gbx_isolate *isolate, const char *source, gbx_error *error)
{
    gbx_value *value = NULL;
    gbx_status status = ended(start(gbx_isolate_context(isolate), source, 0), &value, error);

    if (status == GBX_OK)
        cr_assert_eq(number_of(value), 42);
    gbx_value_free(value);
    gbx_isolate_close(isolate);
    return status;
}

static gbx_status
templates(struct world *w, gbx_error *error)
{
    const gbx_preload preloads[] = {
        { .kind = GBX_PRELOAD_SCRIPT, .name = "a.js", .data = "let n = 40", .len = 10 },
        { .kind = GBX_PRELOAD_WASM, .name = "m", .data = wasm, .len = sizeof wasm },
        { .kind = GBX_PRELOAD_FUNCTION, .name = "two" },
        { .kind = GBX_PRELOAD_MODULE, .name = "mod", .data = "globalThis.mod = 0", .len = 18 },
    };
    gbx_template_options options = GBX_TEMPLATE_OPTIONS_INIT;
    gbx_isolate_options isolate_options = GBX_ISOLATE_OPTIONS_INIT;
    gbx_fork_options fork_options = GBX_FORK_OPTIONS_INIT;
    gbx_template *template = NULL;
    gbx_isolate *isolate = NULL;

    isolate_options.name = "warm";
    isolate_options.time_zone = "Europe/Berlin";
    options.isolate = &isolate_options;
    options.preloads = preloads;
    options.count = 4;
    fork_options.rebind = bind;
    gbx_status status = gbx_template_open(w->runtime, &options, &template, error);
    if (status == GBX_OK)
        status = gbx_template_isolate(template, &fork_options, &isolate, error);
    if (status == GBX_OK)
        status = expect_42(
            isolate, "n + mod + two() + new WebAssembly.Instance(m).exports.f() - 42", error);
    gbx_template_close(template);
    return status;
}

CleanTest(faults_forks, in_templates)
{
    inject(templates, ALL & ~(1u << FAULT_SPAWN), true);
}

/* A fork of an isolate that is ready for it; what the fork knows. */
static gbx_status
fork_and_ask(gbx_isolate *isolate, gbx_context *second, gbx_error *error)
{
    gbx_fork_options options = GBX_FORK_OPTIONS_INIT;
    gbx_isolate *fork = NULL;

    options.hook = "awake";
    options.rebind = bind;
    gbx_status status = gbx_isolate_fork(isolate, &options, &fork, error);
    if (status != GBX_OK)
        return status;
    gbx_context *its = gbx_fork_context(fork, second);
    cr_assert_not_null(its);
    status = ended(start(its, "7", 0), NULL, error);
    gbx_context_close(its);
    if (status == GBX_OK)
        return expect_42(fork, "n + two()", error);
    gbx_isolate_close(fork);
    return status;
}

static gbx_status
forks(struct world *w, gbx_error *error)
{
    gbx_isolate *isolate = NULL;
    gbx_context *second = NULL;
    gbx_status status = gbx_isolate_open(w->runtime, NULL, &isolate, error);

    if (status != GBX_OK)
        return status;
    gbx_context *context = gbx_isolate_context(isolate);
    status = gbx_context_open(isolate, &second, error);
    if (status == GBX_OK)
        status =
            ended(start(context, "function awake() { globalThis.n = 40 }", 0), NULL, error);
    if (status == GBX_OK)
        status = ended(gbx_context_set_function(context, "two", answer, NULL), NULL, error);
    if (status == GBX_OK)
        status = fork_and_ask(isolate, second, error);
    gbx_context_close(second);
    gbx_isolate_close(isolate);
    return status;
}

CleanTest(faults_forks, in_forks_of_isolates)
{
    inject(forks, ALL & ~(1u << FAULT_SPAWN), true);
}

/* --- settings ------------------------------------------------------------------------------- */

static gbx_status
settings(struct world *w, gbx_error *error)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    gbx_isolate *isolate = NULL;

    options.flags = GBX_ISOLATE_SEEDED;
    options.seed = 7;
    options.clock = GBX_CLOCK_SET;
    options.time_zone = "Asia/Tokyo";
    options.locale = "de-DE";
    gbx_status status = gbx_isolate_open(w->runtime, &options, &isolate, error);
    if (status != GBX_OK)
        return status;
    status = ended(gbx_isolate_set_clock(isolate, 42000), NULL, error);
    if (status != GBX_OK) {
        gbx_isolate_close(isolate);
        return status;
    }
    return expect_42(isolate, "Math.random() < 1 ? Date.now() : 0", error);
}

CleanTest(faults_forks, in_settings)
{
    inject(settings, ALL & ~(1u << FAULT_SPAWN), true);
}

/* --- references and copies ------------------------------------------------------------------ */

static gbx_status
use_reference(gbx_reference *reference, gbx_error *error)
{
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;
    gbx_value *itself = gbx_value_new_reference(reference), *value = NULL;
    gbx_reference *method = NULL;

    if (itself == NULL)
        return reported(GBX_ENOMEM, error);
    gbx_status status = ended(gbx_reference_set(reference, "me", 2, itself, NULL), NULL, error);
    if (status == GBX_OK)
        status = ended(gbx_reference_keys(reference, NULL), NULL, error);
    if (status == GBX_OK)
        status = ended(gbx_reference_delete(reference, "me", 2, NULL), NULL, error);
    options.flags = GBX_RESULT_REFERENCE;
    if (status == GBX_OK) {
        gbx_future *future = gbx_reference_get(reference, "f", 1, &options);
        status = gbx_future_wait(future, 60000000, error);
        method = gbx_future_take_reference(future);
        gbx_future_free(future);
    }
    if (status == GBX_OK)
        status = ended(
            gbx_reference_call(method, itself, (const gbx_value *const[]){ itself }, 1, NULL),
            &value, error);
    if (status == GBX_OK)
        cr_assert_eq(number_of(value), 42);
    gbx_reference_close(method);
    gbx_value_free(value);
    gbx_value_free(itself);
    return status;
}

static gbx_status
references(struct world *w, gbx_error *error)
{
    gbx_future *future = start(w->context,
        "({ n: 42, f(x) { if (x !== this) throw new Error('memory of another'); return this.n "
        "} })",
        GBX_RESULT_REFERENCE);
    gbx_status status = gbx_future_wait(future, 60000000, error);
    gbx_reference *reference = gbx_future_take_reference(future);

    gbx_future_free(future);
    if (status == GBX_OK)
        status = use_reference(reference, error);
    gbx_reference_close(reference);
    return status;
}

CleanTest(faults_forks, in_references)
{
    inject(references, MEMORY, true);
}

static gbx_status
copies(struct world *w, gbx_error *error)
{
    gbx_value *array = gbx_value_new_array(), *value = NULL, *back = NULL;
    gbx_external_copy *copy = NULL;
    gbx_status status = array == NULL ? GBX_ENOMEM : GBX_OK;

    for (int i = 0; i < 3 && status == GBX_OK; i++)
        status = gbx_value_append(array, gbx_value_new_string("an element", GBX_NUL));
    if (status == GBX_OK)
        status = gbx_external_copy_new(array, &copy);
    gbx_value_free(array);
    if (status == GBX_OK && (value = gbx_value_new_external(copy)) == NULL)
        status = GBX_ENOMEM;
    if (reported(status, error) == GBX_OK)
        status = ended(gbx_context_set(w->context, "copied", value), NULL, error);
    if (status == GBX_OK)
        status = reported(gbx_external_copy_read(copy, &back), error);
    gbx_value_free(back);
    gbx_value_free(value);
    gbx_external_copy_free(copy);
    return status;
}

CleanTest(faults_forks, in_external_copies)
{
    inject(copies, MEMORY, true);
}

/* --- rejections ----------------------------------------------------------------------------- */

static void
on_rejection(gbx_isolate *isolate, const gbx_rejection *rejection, void *data)
{
    (void)isolate;
    cr_assert_str_eq(rejection->error->message, "no");
    *(bool *)data = true;
}

/* A rejection is told with its value, or without it; or the isolate ends. */
static gbx_status
rejections(struct world *w, gbx_error *error)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    gbx_isolate *isolate = NULL;
    bool told = false;

    options.on_rejection = on_rejection;
    options.data = &told;
    gbx_status status = gbx_isolate_open(w->runtime, &options, &isolate, error);
    if (status != GBX_OK)
        return status;
    status = expect_42(
        isolate, "Promise.reject(Object.assign(new Error('no'), { x: [1, 2] })); 42", error);
    if (status == GBX_OK)
        cr_assert(told);
    return status;
}

CleanTest(faults_forks, in_rejections)
{
    inject(rejections, MEMORY, true);
}

/* --- host functions of each kind ------------------------------------------------------------ */

static gbx_deferred *deferred;
static size_t posted;

static gbx_status
block(gbx_callback *callback, void *data)
{
    (void)data;
    return gbx_callback_block(callback, &deferred);
}

static gbx_status
post(gbx_callback *callback, void *data)
{
    (void)callback;
    (void)data;
    posted++;
    return GBX_OK;
}

static gbx_status
call_them(struct world *w, gbx_error *error)
{
    gbx_value *answered = gbx_value_new_number(42), *value = NULL;

    deferred = NULL;
    if (answered == NULL)
        return reported(GBX_ENOMEM, error);
    gbx_future *future = start(w->context, "io.tell({ a: 1 }); io.ask('a question')", 0);
    while (deferred == NULL && gbx_future_status(future, error) == GBX_EBUSY)
        (void)!gbx_future_wait(future, 100, NULL);
    gbx_status settled = deferred == NULL ? GBX_OK : gbx_deferred_resolve(deferred, answered);
    gbx_status status = ended(future, &value, error);
    if (status == GBX_OK)
        cr_assert_eq(number_of(value), 42);
    gbx_value_free(value);
    gbx_value_free(answered);
    return status == GBX_OK ? reported(settled, error) : status;
}

static gbx_status
functions(struct world *w, gbx_error *error)
{
    const gbx_function_entry entries[] = { { sizeof *entries, 0, "ask", block, NULL },
        { sizeof *entries, GBX_FUNCTION_POST, "tell", post, NULL } };
    gbx_status status =
        ended(gbx_context_set_functions(w->context, "io", entries, 2), NULL, error);

    return status == GBX_OK ? call_them(w, error) : status;
}

CleanTest(faults_forks, in_host_functions_of_each_kind)
{
    inject(functions, MEMORY, true);
}
