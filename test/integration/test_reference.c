/* References: guest values in the host's hands. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

static gbx_future *
get(gbx_reference *reference, const char *key, uint32_t flags)
{
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;

    options.flags = flags;
    return gbx_reference_get(reference, key, GBX_NUL, &options);
}

static uint64_t
references_counted(gbx_isolate *isolate)
{
    gbx_usage usage = GBX_USAGE_INIT;

    cr_assert_eq(gbx_isolate_usage(isolate, &usage), GBX_OK);
    return usage.references;
}

/* As the cell counts them. */
static double
references_claimed(gbx_isolate *isolate)
{
    gbx_value *value = settle_value(gbx_isolate_statistics(isolate));
    double count = number_of(gbx_value_get(value, "references", GBX_NUL));

    gbx_value_free(value);
    return count;
}

/* --- what they are --------------------------------------------------------------------------- */

CleanTest(reference, knows_the_type_of_its_value)
{
    static const struct {
        const char *source;
        uint32_t type;
    } kinds[] = { { "undefined", GBX_TYPEOF_UNDEFINED }, { "null", GBX_TYPEOF_NULL },
        { "true", GBX_TYPEOF_BOOLEAN }, { "1.5", GBX_TYPEOF_NUMBER },
        { "5n", GBX_TYPEOF_BIGINT }, { "'x'", GBX_TYPEOF_STRING },
        { "Symbol('x')", GBX_TYPEOF_SYMBOL }, { "() => 1", GBX_TYPEOF_FUNCTION },
        { "class A {}; A", GBX_TYPEOF_FUNCTION }, { "({})", GBX_TYPEOF_OBJECT },
        { "new Proxy(function () {}, {})", GBX_TYPEOF_FUNCTION },
        { "new Proxy({}, {})", GBX_TYPEOF_OBJECT }, { "[]", GBX_TYPEOF_OBJECT } };
    struct world w = world_open(NULL);

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        gbx_reference *reference = refer(w.context, kinds[i].source);
        cr_assert_eq(gbx_reference_typeof(reference), kinds[i].type, "%s", kinds[i].source);
        gbx_reference_close(reference);
    }
    world_close(&w);
}

/* --- own data properties --------------------------------------------------------------------- */

CleanTest(reference, gets_sets_and_deletes_own_properties)
{
    struct world w = world_open(NULL);
    gbx_reference *object = refer(w.context, "globalThis.o = { a: 1, 'x y': 2, 7: 3 }");

    cr_assert_eq(settle_number(gbx_reference_get(object, "a", 1, NULL)), 1);
    cr_assert_eq(settle_number(gbx_reference_get(object, "x y", GBX_NUL, NULL)), 2);
    cr_assert_eq(settle_number(gbx_reference_get(object, "7", GBX_NUL, NULL)), 3);
    gbx_value *missing = settle_value(gbx_reference_get(object, "none", GBX_NUL, NULL));
    cr_assert_eq(gbx_value_get_kind(missing), GBX_UNDEFINED);
    gbx_value_free(missing);
    missing = settle_value(gbx_reference_get(object, "toString", GBX_NUL, NULL));
    cr_assert_eq(gbx_value_get_kind(missing), GBX_UNDEFINED, "it is inherited");
    gbx_value_free(missing);
    reference_set_number(object, "a", 10, GBX_OK);
    reference_set_number(object, "b", 20, GBX_OK);
    reference_set_number(object, "", 30, GBX_OK);
    cr_assert_eq(eval_number(w.context, "o.a + o.b + o['']"), 60);
    expect_boolean(gbx_reference_delete(object, "a", 1, NULL), 1);
    expect_boolean(gbx_reference_delete(object, "none", 4, NULL), 1);
    expect_text(w.context, "Object.keys(o).join()", "7,x y,b,");
    gbx_value *keys = settle_value(gbx_reference_keys(object, NULL));
    cr_assert_eq(gbx_value_length(keys), 4);
    expect_string(gbx_value_at(keys, 0), "7");
    expect_string(gbx_value_at(keys, 1), "x y");
    gbx_value_free(keys);
    gbx_value *copy = settle_value(gbx_reference_copy(object, NULL));
    cr_assert_eq(number_of(gbx_value_get(copy, "b", GBX_NUL)), 20);
    gbx_value_free(copy);
    gbx_reference_close(object);
    world_close(&w);
}

CleanTest(reference, works_on_what_looks_like_an_object_but_is_exotic)
{
    struct world w = world_open(NULL);
    gbx_reference *array = refer(w.context, "globalThis.a = [1, 2, 3]");
    gbx_reference *bytes = refer(w.context, "globalThis.b = new Uint8Array(4)");
    gbx_reference *function = refer(w.context, "globalThis.f = function (x, y) {}");

    cr_assert_eq(settle_number(gbx_reference_get(array, "length", GBX_NUL, NULL)), 3);
    reference_set_number(array, "length", 1, GBX_OK);
    reference_set_number(array, "4", 5, GBX_OK);
    expect_text(w.context, "JSON.stringify(a)", "[1,null,null,null,5]");
    reference_set_number(bytes, "1", 300, GBX_OK);
    cr_assert_eq(eval_number(w.context, "b[1]"), 44);
    cr_assert_eq(settle_number(gbx_reference_get(function, "length", GBX_NUL, NULL)), 2);
    gbx_reference_close(array);
    gbx_reference_close(bytes);
    gbx_reference_close(function);
    world_close(&w);
}

CleanTest(reference, refuses_what_cannot_be_written_or_has_no_properties)
{
    struct world w = world_open(NULL);
    gbx_reference *frozen = refer(w.context, "globalThis.o = Object.freeze({ a: 1 })");
    gbx_reference *number = refer(w.context, "5");

    reference_set_number(frozen, "a", 2, GBX_EINVAL);
    reference_set_number(frozen, "b", 2, GBX_EINVAL);
    expect_boolean(gbx_reference_delete(frozen, "a", 1, NULL), 0);
    cr_assert_eq(eval_number(w.context, "o.a"), 1);
    settle(gbx_reference_get(number, "a", 1, NULL), GBX_EINVAL);
    reference_set_number(number, "a", 1, GBX_EINVAL);
    settle(gbx_reference_delete(number, "a", 1, NULL), GBX_EINVAL);
    settle(gbx_reference_keys(number, NULL), GBX_EINVAL);
    cr_assert_eq(settle_number(gbx_reference_copy(number, NULL)), 5);
    gbx_reference_close(frozen);
    gbx_reference_close(number);
    world_close(&w);
}

CleanTest(reference, refuses_bad_arguments)
{
    static const gbx_value *const nothing[] = { NULL };
    char key[5000];
    struct world w = world_open(NULL);
    gbx_reference *object = refer(w.context, "({})");
    gbx_value *value = gbx_value_new_null();

    memset(key, 'k', sizeof key);
    settle(gbx_reference_get(object, key, sizeof key, NULL), GBX_EINVAL);
    settle(gbx_reference_get(object, NULL, 0, NULL), GBX_EINVAL);
    settle(gbx_reference_delete(object, NULL, 0, NULL), GBX_EINVAL);
    settle(gbx_reference_set(object, NULL, 0, value, NULL), GBX_EINVAL);
    settle(gbx_reference_set(object, "a", 1, NULL, NULL), GBX_EINVAL);
    settle(gbx_reference_call_method(object, NULL, 0, NULL, 0, NULL), GBX_EINVAL);
    settle(gbx_reference_call(object, NULL, nothing, 1, NULL), GBX_EINVAL);
    settle(gbx_reference_call(object, NULL, nothing, 5000, NULL), GBX_EINVAL);
    settle(get(object, "a", 1u << 30), GBX_EUNSUPPORTED);
    settle(gbx_reference_call(object, NULL, NULL, 0, NULL), GBX_ETHROW);
    settle(gbx_reference_construct(object, NULL, 0, NULL), GBX_ETHROW);
    settle(gbx_reference_call_method(object, "none", 4, NULL, 0, NULL), GBX_ETHROW);
    cr_assert_null(gbx_value_get_reference(value));
    gbx_value_free(value);
    gbx_reference_close(object);
    gbx_reference_close(NULL);
    expect_usable(&w);
    world_close(&w);
}

/* --- calls ----------------------------------------------------------------------------------- */

CleanTest(reference, calls_with_any_this)
{
    struct world w = world_open(NULL);
    gbx_reference *sum =
        refer(w.context, "(function (x) { 'use strict';"
                         " return (this === undefined ? 100 : this.base) + x })");
    gbx_reference *holder = refer(w.context, "globalThis.h = { base: 1, add(x) {"
                                             " return this === h ? this.base + x : -1 } }");
    gbx_value *five = gbx_value_new_number(5), *self = gbx_value_new_reference(holder);
    gbx_value *copied = gbx_value_new_object();
    const gbx_value *arguments[] = { five };

    cr_assert_eq(gbx_value_set(copied, "base", GBX_NUL, gbx_value_new_number(40)), GBX_OK);
    cr_assert_eq(settle_number(gbx_reference_call(sum, NULL, arguments, 1, NULL)), 105);
    cr_assert_eq(settle_number(gbx_reference_call(sum, self, arguments, 1, NULL)), 6);
    cr_assert_eq(settle_number(gbx_reference_call(sum, copied, arguments, 1, NULL)), 45);
    cr_assert_eq(
        settle_number(gbx_reference_call_method(holder, "add", 3, arguments, 1, NULL)), 6);
    gbx_value_free(five);
    gbx_value_free(self);
    gbx_value_free(copied);
    gbx_reference_close(sum);
    gbx_reference_close(holder);
    world_close(&w);
}

CleanTest(reference, constructs)
{
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;
    struct world w = world_open(NULL);
    gbx_reference *class = refer(
        w.context, "(class { constructor(x) { this.x = x } twice() { return 2 * this.x } })");
    gbx_reference *arrow = refer(w.context, "() => 1");
    gbx_value *seven = gbx_value_new_number(7);
    const gbx_value *arguments[] = { seven };

    options.flags = GBX_RESULT_REFERENCE;
    gbx_future *future = gbx_reference_construct(class, arguments, 1, &options);
    cr_assert_eq(gbx_future_wait(future, -1, NULL), GBX_OK);
    gbx_reference *made = gbx_future_take_reference(future);
    gbx_future_free(future);
    cr_assert_eq(gbx_reference_typeof(made), GBX_TYPEOF_OBJECT);
    cr_assert_eq(settle_number(gbx_reference_call_method(made, "twice", 5, NULL, 0, NULL)), 14);
    settle(gbx_reference_construct(arrow, NULL, 0, NULL), GBX_ETHROW);
    settle(gbx_reference_call(class, NULL, NULL, 0, NULL), GBX_ETHROW);
    gbx_value_free(seven);
    gbx_reference_close(made);
    gbx_reference_close(class);
    gbx_reference_close(arrow);
    world_close(&w);
}

CleanTest(reference, awaits_a_promise_behind_it)
{
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;
    struct world w = world_open(NULL);
    gbx_reference *object = refer(w.context, "globalThis.o = { p: new Promise(f => { "
                                             "globalThis.keep = f }), q: Promise.resolve(3) }");

    options.flags = GBX_AWAIT;
    cr_assert_eq(settle_number(gbx_reference_get(object, "q", 1, &options)), 3);
    gbx_future *future = gbx_reference_get(object, "p", 1, &options);
    eval_only(w.context, "keep(8); 0");
    cr_assert_eq(settle_number(future), 8);
    gbx_reference_close(object);
    world_close(&w);
}

/* --- as arguments ---------------------------------------------------------------------------- */

CleanTest(reference, is_itself_when_it_comes_back)
{
    struct world w = world_open(NULL);
    gbx_reference *object = refer(w.context, "globalThis.o = {}");
    gbx_reference *symbol = refer(w.context, "globalThis.s = Symbol()");
    gbx_reference *same = refer(w.context, "(function (a, b) { return Number(a === b) })");
    gbx_reference *inside =
        refer(w.context, "(a, b) => Number(a[0] === o && a[1].x === o && a[2] === a[0])");
    gbx_value *one = gbx_value_new_reference(object), *two = gbx_value_new_reference(object);
    gbx_value *primitive = gbx_value_new_reference(symbol);
    gbx_value *list = gbx_value_new_array(), *box = gbx_value_new_object();
    const gbx_value *arguments[] = { one, two };

    cr_assert_eq(gbx_value_get_kind(one), GBX_REFERENCE);
    cr_assert(gbx_value_equal(one, two));
    cr_assert_eq(settle_number(gbx_reference_call(same, NULL, arguments, 2, NULL)), 1);
    cr_assert_eq(gbx_value_append(list, one), GBX_OK);
    cr_assert_eq(gbx_value_set(box, "x", 1, two), GBX_OK);
    cr_assert_eq(gbx_value_append(list, box), GBX_OK);
    cr_assert_eq(gbx_value_append(list, one), GBX_OK);
    gbx_value *copy;
    cr_assert_eq(gbx_value_copy(list, &copy), GBX_OK);
    gbx_value_free(list);
    arguments[0] = copy;
    cr_assert_eq(settle_number(gbx_reference_call(inside, NULL, arguments, 1, NULL)), 1);
    settle(gbx_context_set(w.context, "alias", copy), GBX_OK);
    cr_assert_eq(eval_number(w.context, "Number(alias[0] === o)"), 1);
    arguments[0] = primitive;
    settle(gbx_context_set(w.context, "t", primitive), GBX_OK);
    cr_assert_eq(eval_number(w.context, "Number(t === s)"), 1);
    gbx_value_free(copy);
    /* Only objects can stand inside of a value. */
    list = gbx_value_new_array();
    cr_assert_eq(gbx_value_append(list, primitive), GBX_OK);
    settle(gbx_context_set(w.context, "t", list), GBX_ECLONE);
    gbx_value_free(list);
    gbx_reference_close(object);
    gbx_reference_close(symbol);
    gbx_reference_close(same);
    gbx_reference_close(inside);
    world_close(&w);
}

static gbx_status
answer_reference(gbx_callback *callback, void *data)
{
    gbx_value *value = gbx_value_new_reference(*(gbx_reference **)data);
    gbx_status status = gbx_callback_return(callback, value);

    gbx_value_free(value);
    return status;
}

CleanTest(reference, can_be_what_a_host_function_answers)
{
    struct world w = world_open(NULL);
    gbx_reference *object = refer(w.context, "globalThis.o = {}");

    give(w.context, "find", answer_reference, &object);
    cr_assert_eq(eval_number(w.context, "Number(find() === o)"), 1);
    gbx_reference_close(object);
    world_close(&w);
}

CleanTest(reference, of_another_isolate_is_refused)
{
    struct world w = world_open(NULL);
    gbx_isolate *other = world_isolate(&w, NULL);
    gbx_reference *object = refer(w.context, "({})");
    gbx_value *value = gbx_value_new_reference(object);

    settle(gbx_context_set(gbx_isolate_context(other), "x", value), GBX_EINVAL);
    settle(gbx_context_set(w.context, "x", value), GBX_OK);
    gbx_value_free(value);
    gbx_reference_close(object);
    gbx_isolate_close(other);
    world_close(&w);
}

CleanTest(reference, is_shown_but_not_copied_by_value_into_text)
{
    struct world w = world_open(NULL);
    gbx_reference *object = refer(w.context, "({})");
    gbx_value *value = gbx_value_new_reference(object);
    char *text;

    cr_assert_eq(gbx_value_to_text(value, NULL, &text, NULL), GBX_OK);
    cr_assert_str_eq(text, "[Reference]");
    free(text);
    gbx_reference *again = gbx_value_get_reference(value);
    gbx_value_free(value);
    gbx_reference_close(object);
    cr_assert_eq(references_counted(w.isolate), 1, "one handle is left");
    settle(gbx_reference_copy(again, NULL), GBX_OK);
    gbx_reference_close(again);
    world_close(&w);
}

/* --- their ends ------------------------------------------------------------------------------ */

CleanTest(reference, is_released_in_the_guest_with_others)
{
    gbx_reference *references[500];
    struct world w = world_open(NULL);

    for (size_t i = 0; i < 500; i++)
        references[i] = refer(w.context, "({})");
    cr_assert_eq(references_counted(w.isolate), 500);
    cr_assert_eq(references_claimed(w.isolate), 500);
    for (size_t i = 0; i < 500; i++)
        gbx_reference_close(references[i]);
    cr_assert_eq(references_counted(w.isolate), 0);
    eval_only(w.context, "0"); /* they go ahead of it */
    cr_assert_eq(references_claimed(w.isolate), 0);
    world_close(&w);
}

CleanTest(reference, is_released_without_a_further_request)
{
    gbx_usage before = GBX_USAGE_INIT, after = GBX_USAGE_INIT;
    struct world w = world_open(NULL);
    gbx_reference *object = refer(w.context, "({})");

    cr_assert_eq(gbx_isolate_usage(w.isolate, &before), GBX_OK);
    gbx_reference_close(object);
    do {
        (void)gbx_runtime_dispatch(w.runtime, 100000);
        cr_assert_eq(gbx_isolate_usage(w.isolate, &after), GBX_OK);
    } while (after.sent_bytes == before.sent_bytes);
    cr_assert_eq(references_claimed(w.isolate), 0);
    world_close(&w);
}

CleanTest(reference, closed_inside_a_host_function_is_still_there_for_what_waits)
{
    struct world w = world_open(NULL);
    gbx_reference *function = refer(w.context, "() => 6");

    gbx_future *first = start(w.context, "for (let i = 0; i < 1e5; i++); 0", 0);
    gbx_future *second = gbx_reference_call(function, NULL, NULL, 0, NULL);
    gbx_reference_close(function);
    settle(first, GBX_OK);
    cr_assert_eq(settle_number(second), 6);
    world_close(&w);
}

CleanTest(reference, ends_with_its_context)
{
    struct world w = world_open(NULL);
    gbx_context *context;
    cr_assert_eq(gbx_context_open(w.isolate, &context, NULL), GBX_OK);
    gbx_reference *object = refer(context, "({ a: 1 })"),
                  *mine = refer(w.context, "({ a: 2 })");
    gbx_value *value = gbx_value_new_reference(object);
    gbx_future *late = start(context, "({})", GBX_RESULT_REFERENCE);

    gbx_context_close(context);
    cr_assert_eq(references_counted(w.isolate), 1);
    settle(gbx_reference_get(object, "a", 1, NULL), GBX_EDISPOSED);
    settle(gbx_reference_copy(object, NULL), GBX_EDISPOSED);
    settle(gbx_context_set(w.context, "x", value), GBX_EDISPOSED);
    cr_assert_eq(settle_number(gbx_reference_get(mine, "a", 1, NULL)), 2);
    /* One that comes after the end is over at once. */
    cr_assert_eq(gbx_future_wait(late, -1, NULL), GBX_OK);
    gbx_reference *dead = gbx_future_take_reference(late);
    settle(gbx_reference_copy(dead, NULL), GBX_EDISPOSED);
    gbx_future_free(late);
    cr_assert_eq(references_claimed(w.isolate), 1);
    gbx_value_free(value);
    gbx_reference_close(dead);
    gbx_reference_close(object);
    gbx_reference_close(mine);
    world_close(&w);
}

CleanTest(reference, outlives_its_isolate_and_answers_with_its_end)
{
    struct world w = world_open(NULL);
    gbx_reference *object = refer(w.context, "({})"), *left = refer(w.context, "({})");
    gbx_value *value = gbx_value_new_reference(object);

    gbx_future *open = gbx_reference_get(object, "a", 1, NULL);
    gbx_isolate_close(w.isolate);
    w.isolate = NULL;
    settle(open, GBX_EDISPOSED);
    settle(gbx_reference_get(object, "a", 1, NULL), GBX_EDISPOSED);
    settle(gbx_reference_call(object, value, NULL, 0, NULL), GBX_EDISPOSED);
    gbx_value_free(value);
    gbx_reference_close(object);
    world_close(&w);
    gbx_reference_close(left);
}

CleanTest(reference, answers_with_the_death_of_its_cell)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    options.memory_limit_bytes = 16 << 20;
    struct world w = world_open(&options);
    gbx_reference *eater = refer(w.context, "() => { const a = []; for (;;) a.push([a]) }");
    gbx_reference *object = refer(w.context, "({})");

    gbx_future *during = gbx_reference_call(eater, NULL, NULL, 0, NULL);
    gbx_future *behind = gbx_reference_copy(object, NULL);
    settle(during, GBX_EMEMORY);
    settle(behind, GBX_EMEMORY);
    settle(gbx_reference_copy(object, NULL), GBX_EMEMORY);
    gbx_reference_close(eater);
    gbx_reference_close(object);
    world_close(&w);
}

CleanTest(reference, tens_of_thousands_leave_nothing_behind)
{
    struct world w = world_open(NULL);
    gbx_reference *make = refer(w.context, "() => ({ big: new Array(1000).fill(0) })");
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;

    options.flags = GBX_RESULT_REFERENCE;
    /* 80 MB of them would not fit if they were kept: the limit is 128 MiB for all. */
    for (int i = 0; i < 40000; i++) {
        gbx_future *future = gbx_reference_call(make, NULL, NULL, 0, &options);
        cr_assert_eq(gbx_future_wait(future, -1, NULL), GBX_OK);
        gbx_reference *made = gbx_future_take_reference(future);
        gbx_future_free(future);
        gbx_value *value = gbx_value_new_reference(made);
        gbx_reference_close(made);
        gbx_value_free(value);
    }
    cr_assert_eq(references_counted(w.isolate), 1);
    eval_only(w.context, "0");
    cr_assert_eq(references_claimed(w.isolate), 1);
    gbx_reference_close(make);
    world_close(&w);
}
