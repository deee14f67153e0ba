/* What values that cannot go to a guest are answered with, wherever they are handed in; and host
 * functions, references and shared memory at their ends. */
#include "support.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

static const char too_big[] = "a value is past a size, count or depth limit";

static void
refused(gbx_future *future, gbx_status status, const char *text)
{
    gbx_error error = GBX_ERROR_INIT;

    cr_assert_eq(gbx_future_wait(future, -1, &error), status, "%s, not %s: %s",
        gbx_strstatus(error.status), gbx_strstatus(status), error.message);
    cr_assert_not_null(strstr(error.message, text), "%s", error.message);
    gbx_future_free(future);
}

/* Arrays in arrays, one level more than may cross. */
static gbx_value *
too_deep(void)
{
    gbx_value *value = gbx_value_new_array();

    for (int i = 0; i < 10000; i++) {
        gbx_value *outer = gbx_value_new_array();
        cr_assert_eq(gbx_value_append(outer, value), GBX_OK);
        value = outer;
    }
    return value;
}

/* A copy of a primitive inside of something: that is what cannot be encoded. */
static gbx_value *
unclonable(void)
{
    gbx_external_copy *copy = NULL;
    gbx_value *one = gbx_value_new_int32(1), *array = gbx_value_new_array();

    cr_assert_eq(gbx_external_copy_new(one, &copy), GBX_OK);
    cr_assert_eq(gbx_value_append(array, gbx_value_new_external(copy)), GBX_OK);
    gbx_external_copy_free(copy);
    gbx_value_free(one);
    return array;
}

/* --- answers of host functions -------------------------------------------------------------- */

enum how {
    RETURN,
    PROMISE,
    BLOCK
};

struct answers {
    enum how how;
    const gbx_value *value;
    gbx_deferred *deferred;
    gbx_status status; /* of the answer */
};

static gbx_status
answer_it(gbx_callback *callback, void *data)
{
    struct answers *a = data;
    gbx_deferred *none = (gbx_deferred *)&none;

    if (a->how == RETURN)
        a->status = gbx_callback_return(callback, a->value);
    else if (a->how == PROMISE)
        cr_assert_eq(gbx_callback_defer(callback, &a->deferred), GBX_OK);
    else
        cr_assert_eq(gbx_callback_block(callback, &a->deferred), GBX_OK);
    /* It has answered, also with what could not be sent. */
    cr_assert_eq(gbx_callback_block(callback, &none), GBX_EINVAL);
    cr_assert_eq(gbx_callback_defer(callback, &none), GBX_EINVAL);
    cr_assert_eq(gbx_callback_throw_value(callback, a->value), GBX_EINVAL);
    cr_assert_eq((void *)none, (void *)&none, "set only on success");
    return GBX_OK;
}

/* What the guest catches. */
static void
expect_caught(struct world *w, struct answers *a, gbx_status status)
{
    gbx_future *future = start(w->context,
        "(async () => { try { await f(); return 'none'; } catch (e) { return `${e}`; } })()",
        GBX_AWAIT);
    char text[128] = "Error: ";

    a->deferred = NULL;
    if (a->how != RETURN) {
        while (a->deferred == NULL)
            cr_assert_neq(gbx_runtime_dispatch(w->runtime, 10000), GBX_ESYS);
        a->status = gbx_deferred_resolve(a->deferred, a->value);
    }
    gbx_value *caught = settle_value(future);
    cr_assert_eq(a->status, status, "%s", gbx_strstatus(a->status));
    expect_string(caught, strcat(text, gbx_strstatus(status)));
    gbx_value_free(caught);
}

CleanTest(errors, answers_that_cannot_be_sent_are_thrown)
{
    struct world w = world_open(NULL);
    struct answers answers = { .how = RETURN };
    gbx_isolate *other = world_isolate(&w, NULL);
    gbx_context *second = NULL;
    gbx_reference *foreign = refer(gbx_isolate_context(other), "({})");

    cr_assert_eq(gbx_context_open(w.isolate, &second, NULL), GBX_OK);
    gbx_reference *gone = refer(second, "({})");
    gbx_context_close(second);
    const struct {
        gbx_value *value;
        gbx_status status;
    } bad[] = { { too_deep(), GBX_ETOOBIG }, { unclonable(), GBX_ECLONE },
        { gbx_value_new_reference(foreign), GBX_EINVAL },
        { gbx_value_new_reference(gone), GBX_EDISPOSED } };
    give(w.context, "f", answer_it, &answers);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        answers.value = bad[i].value;
        for (answers.how = RETURN; answers.how <= BLOCK; answers.how++)
            expect_caught(&w, &answers, bad[i].status);
        gbx_value_free(bad[i].value);
    }
    gbx_reference_close(gone);
    gbx_reference_close(foreign);
    gbx_isolate_close(other);
    expect_usable(&w);
    world_close(&w);
}

/* --- arguments ------------------------------------------------------------------------------ */

CleanTest(errors, arguments_that_cannot_be_sent_are_named)
{
    struct world w = world_open(NULL);
    gbx_value *good = gbx_value_new_int32(1), *deep = too_deep(), *bad = unclonable();
    const gbx_value *first[] = { deep }, *second[] = { good, bad };
    gbx_reference *object = refer(w.context, "({ f() {} })");
    gbx_reference *function = refer(w.context, "(function () {})");

    eval_only(w.context, "function f() { }");
    refused(gbx_context_call(w.context, "f", first, 1, NULL), GBX_ETOOBIG, too_big);
    refused(gbx_context_call(w.context, "f", second, 2, NULL), GBX_ECLONE, "value 1: ");
    refused(
        gbx_context_eval_closure(w.context, "0", 1, second, 2, NULL), GBX_ECLONE, "value 1");
    refused(gbx_context_set(w.context, "x", deep), GBX_ETOOBIG, too_big);
    refused(gbx_context_set(w.context, "x", bad), GBX_ECLONE, "cannot be copied");
    refused(gbx_reference_set(object, "x", 1, deep, NULL), GBX_ETOOBIG, too_big);
    refused(gbx_reference_call(function, deep, NULL, 0, NULL), GBX_ETOOBIG, too_big);
    refused(gbx_reference_call(function, NULL, first, 1, NULL), GBX_ETOOBIG, too_big);
    refused(gbx_reference_call_method(object, "f", 1, first, 1, NULL), GBX_ETOOBIG, too_big);
    refused(gbx_reference_construct(function, second, 2, NULL), GBX_ECLONE, "cannot be copied");
    expect_text(w.context, "typeof x", "undefined");
    gbx_reference_close(function);
    gbx_reference_close(object);
    gbx_value_free(bad);
    gbx_value_free(deep);
    gbx_value_free(good);
    world_close(&w);
}

CleanTest(errors, external_copies_end_where_values_end)
{
    enum {
        HALF = 300 << 20
    };
    gbx_external_copy *copy = NULL;
    gbx_value *deep = too_deep(), *list = gbx_value_new_array();
    /* Nothing is written there: no page of it is ever had. */
    void *bytes =
        mmap(NULL, HALF, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    cr_assert_neq(bytes, MAP_FAILED);
    cr_assert_eq(gbx_external_copy_new(deep, &copy), GBX_ETOOBIG);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(
            gbx_value_append(list, gbx_value_new_array_buffer_of(bytes, HALF, NULL, NULL)),
            GBX_OK);
    cr_assert_eq(gbx_external_copy_new(list, &copy), GBX_ETOOBIG);
    cr_assert_null(copy, "set only on success");
    gbx_value_free(list);
    gbx_value_free(deep);
    cr_assert_eq(munmap(bytes, HALF), 0);
}

/* --- as many as there may be ---------------------------------------------------------------- */

static gbx_status
say_nothing(gbx_callback *callback, void *data)
{
    (void)callback;
    (void)data;
    return GBX_OK;
}

CleanTest(errors, functions_end_at_their_limit_all_or_none)
{
    enum {
        ONCE = 4096,
        TIMES = 16
    };
    static const char full[] = "the isolate has 65536 host functions, as many as it may";
    static gbx_function_entry entries[ONCE + 1];
    static char names[ONCE + 1][8];
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;

    options.memory_limit_bytes = 512u << 20;
    struct world w = world_open(&options);
    for (size_t i = 0; i <= ONCE; i++) {
        (void)snprintf(names[i], sizeof names[i], "f%zu", i);
        entries[i] = (gbx_function_entry){
            .size = sizeof *entries, .path = names[i], .function = say_nothing
        };
    }
    refused(gbx_context_set_functions(w.context, "a", entries, ONCE + 1), GBX_EINVAL,
        "4097 functions, expected 1 to 4096");
    for (int i = 0; i < TIMES - 1; i++)
        settle(gbx_context_set_functions(w.context, "a", entries, ONCE), GBX_OK);
    settle(gbx_context_set_functions(w.context, "a", entries, ONCE - 1), GBX_OK);
    /* There is room for one more. */
    refused(gbx_context_set_functions(w.context, "b", entries, 2), GBX_ELIMIT, full);
    expect_text(w.context, "typeof b", "undefined");
    settle(gbx_context_set_function(w.context, "last", say_nothing, NULL), GBX_OK);
    refused(gbx_context_set_function(w.context, "more", say_nothing, NULL), GBX_ELIMIT, full);
    expect_text(w.context, "`${typeof last} ${typeof more}`", "function undefined");
    gbx_value *value = gbx_value_new_function(&entries[0], NULL);
    refused(gbx_context_set(w.context, "more", value), GBX_ELIMIT, "as many of these");
    gbx_value_free(value);
    expect_usable(&w);
    world_close(&w);
}

/* --- references ----------------------------------------------------------------------------- */

CleanTest(errors, references_of_a_closed_context_answer_that_to_everything)
{
    static const char closed[] = "the context of the reference has been closed";
    struct world w = world_open(NULL);
    gbx_context *context = NULL;
    gbx_value *one = gbx_value_new_int32(1);

    cr_assert_eq(gbx_context_open(w.isolate, &context, NULL), GBX_OK);
    gbx_reference *r = refer(context, "(class { static f() {} })");
    gbx_context_close(context);
    refused(gbx_reference_get(r, "f", 1, NULL), GBX_EDISPOSED, closed);
    refused(gbx_reference_set(r, "f", 1, one, NULL), GBX_EDISPOSED, closed);
    refused(gbx_reference_delete(r, "f", 1, NULL), GBX_EDISPOSED, closed);
    refused(gbx_reference_keys(r, NULL), GBX_EDISPOSED, closed);
    refused(gbx_reference_copy(r, NULL), GBX_EDISPOSED, closed);
    refused(gbx_reference_call(r, NULL, NULL, 0, NULL), GBX_EDISPOSED, closed);
    refused(gbx_reference_call_method(r, "f", 1, NULL, 0, NULL), GBX_EDISPOSED, closed);
    refused(gbx_reference_construct(r, NULL, 0, NULL), GBX_EDISPOSED, closed);
    cr_assert_eq(gbx_reference_typeof(r), GBX_TYPEOF_FUNCTION, "it was known from the start");
    cr_assert_null(gbx_value_get_reference(one), "no reference");
    gbx_reference_close(r);
    gbx_value_free(one);
    world_close(&w);
}

CleanTest(errors, references_say_what_they_cannot_do)
{
    struct world w = world_open(NULL);
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;
    gbx_reference *number = refer(w.context, "1"), *object = refer(w.context, "({ x: 1 })");

    settle(gbx_reference_call(object, NULL, NULL, 0, NULL), GBX_ETHROW);
    settle(gbx_reference_construct(number, NULL, 0, NULL), GBX_ETHROW);
    settle(gbx_reference_call_method(object, "x", 1, NULL, 0, NULL), GBX_ETHROW);
    options.flags = 1u << 30;
    refused(gbx_reference_set(object, "x", 1, NULL, NULL), GBX_EINVAL, "the value is NULL");
    refused(gbx_reference_keys(object, &options), GBX_EUNSUPPORTED, "unknown flag 0x40000000");
    refused(gbx_reference_copy(object, &options), GBX_EUNSUPPORTED, "unknown flag");
    refused(gbx_reference_call(object, NULL, NULL, 0, &options), GBX_EUNSUPPORTED, "flag");
    refused(gbx_reference_construct(object, NULL, 0, &options), GBX_EUNSUPPORTED, "flag");
    options.flags = 0;
    options.size = 4;
    refused(gbx_reference_keys(object, &options), GBX_EINVAL,
        "call options: size is 4, expected at least");
    gbx_reference_close(object);
    gbx_reference_close(number);
    world_close(&w);
}

/* --- shared memory -------------------------------------------------------------------------- */

CleanTest(errors, shared_memory_says_what_it_can_be)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_shared *shared = (gbx_shared *)&error;
    struct rlimit before, none;

    cr_assert_eq(gbx_shared_open(0, &shared, &error), GBX_EINVAL);
    cr_assert_str_eq(error.message, "shared memory: 0 bytes, expected 1 to 1073741824");
    cr_assert_eq(gbx_shared_open(((uint64_t)1 << 30) + 1, &shared, NULL), GBX_EINVAL);
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    gbx_status status = gbx_shared_open(1, &shared, &error);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    cr_assert_eq(status, GBX_ESYS);
    cr_assert_neq(error.os_errno, 0);
    cr_assert_not_null(strstr(error.message, "cannot make shared memory"), "%s", error.message);
    cr_assert_eq((void *)shared, (void *)&error, "set only on success");
    cr_assert_eq(gbx_shared_open((uint64_t)1 << 30, &shared, NULL), GBX_OK);
    gbx_shared_close(shared);
    gbx_shared_close(NULL);
}
