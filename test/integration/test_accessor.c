/* References, and the code of the guest that they run only when they are asked to. */
#include "support.h"

static gbx_future *
get(gbx_reference *reference, const char *key, uint32_t flags)
{
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;

    options.flags = flags;
    return gbx_reference_get(reference, key, GBX_NUL, &options);
}

/* --- what would run code --------------------------------------------------------------------- */

/* Everything in here counts in `ran` when it runs. */
static const char trap_source[] =
    "globalThis.ran = 0;"
    "const all = target => new Proxy(target, new Proxy({}, { get(t, trap) {"
    "    ran++; return (...a) => Reflect[trap](...a) } }));"
    "globalThis.traps = {"
    "    getter: { get a() { ran++; return 1 } },"
    "    setter: { set a(v) { ran++ } },"
    "    builtin: Object.defineProperty({}, 'a', { get: Array.prototype.values }),"
    "    inherited: Object.create({ set a(v) { ran++ } }),"
    "    proxy: all({ a: 1 }),"
    "    bare: new Proxy({ a: 1 }, {}),"
    "    above: Object.create(all({ a: 1 })),"
    "    deep: { a: { get b() { ran++; return 2 } } },"
    "    bytes: new Uint8Array(2), list: [1],"
    "    converts: { valueOf() { ran++; return 1 } },"
    "}; 0";

CleanTest(accessor, runs_no_code_of_the_guest_unless_asked_to)
{
    static const struct {
        const char *object, *key;
        gbx_status got, set, deleted, keys, copied;
    } cases[] = {
        { "traps.getter", "a", GBX_EACCESSOR, GBX_EACCESSOR, GBX_OK, GBX_OK, GBX_EACCESSOR },
        { "traps.setter", "a", GBX_OK, GBX_EACCESSOR, GBX_OK, GBX_OK, GBX_OK },
        { "traps.builtin", "a", GBX_EACCESSOR, GBX_EACCESSOR, GBX_EACCESSOR, GBX_OK, GBX_OK },
        { "traps.inherited", "a", GBX_OK, GBX_OK, GBX_OK, GBX_OK, GBX_OK },
        { "traps.proxy", "a", GBX_EACCESSOR, GBX_EACCESSOR, GBX_EACCESSOR, GBX_EACCESSOR,
            GBX_ECLONE },
        { "traps.bare", "a", GBX_EACCESSOR, GBX_EACCESSOR, GBX_EACCESSOR, GBX_EACCESSOR,
            GBX_ECLONE },
        { "traps.above", "a", GBX_OK, GBX_OK, GBX_OK, GBX_OK, GBX_OK },
        { "traps.deep", "a", GBX_EACCESSOR, GBX_OK, GBX_OK, GBX_OK, GBX_EACCESSOR },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world w = world_open(NULL);
        eval_only(w.context, trap_source);
        gbx_reference *object = refer(w.context, cases[i].object);
        settle(gbx_reference_copy(object, NULL), cases[i].copied);
        settle(gbx_reference_keys(object, NULL), cases[i].keys);
        settle(get(object, cases[i].key, 0), cases[i].got);
        reference_set_number(object, cases[i].key, 5, cases[i].set);
        if (cases[i].deleted == GBX_OK)
            settle(gbx_reference_delete(object, cases[i].key, 1, NULL), GBX_OK);
        cr_assert_eq(eval_number(w.context, "ran"), 0, "%s", cases[i].object);
        gbx_reference_close(object);
        world_close(&w);
    }
}

CleanTest(accessor, runs_it_when_asked_to)
{
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;
    struct world w = world_open(NULL);
    eval_only(w.context, trap_source);
    gbx_reference *getter = refer(w.context, "traps.getter");
    gbx_reference *setter = refer(w.context, "traps.inherited");
    gbx_reference *proxy = refer(w.context, "traps.proxy");
    gbx_value *one = gbx_value_new_number(1);

    options.flags = GBX_ACCESSORS;
    cr_assert_eq(settle_number(get(getter, "a", GBX_ACCESSORS)), 1);
    cr_assert_eq(eval_number(w.context, "ran"), 1);
    settle(gbx_reference_set(setter, "a", 1, one, &options), GBX_OK);
    cr_assert_eq(eval_number(w.context, "ran"), 2);
    cr_assert_eq(settle_number(get(proxy, "a", GBX_ACCESSORS)), 1);
    expect_boolean(gbx_reference_delete(proxy, "a", 1, &options), 1);
    gbx_value_free(settle_value(gbx_reference_keys(proxy, &options)));
    settle(gbx_reference_copy(getter, &options), GBX_OK);
    cr_assert_gt(eval_number(w.context, "ran"), 4);
    options.flags |= GBX_RESULT_REFERENCE;
    gbx_future *inherited = gbx_reference_get(getter, "toString", GBX_NUL, &options);
    cr_assert_eq(gbx_future_wait(inherited, -1, NULL), GBX_OK);
    gbx_reference *method = gbx_future_take_reference(inherited);
    gbx_future_free(inherited);
    cr_assert_eq(gbx_reference_typeof(method), GBX_TYPEOF_FUNCTION);
    gbx_reference_close(method);
    gbx_value_free(one);
    gbx_reference_close(getter);
    gbx_reference_close(setter);
    gbx_reference_close(proxy);
    world_close(&w);
}

CleanTest(accessor, converts_no_object_on_its_way_into_a_number)
{
    struct world w = world_open(NULL);
    eval_only(w.context, trap_source);
    gbx_reference *bytes = refer(w.context, "traps.bytes"),
                  *list = refer(w.context, "traps.list");
    gbx_reference *converts = refer(w.context, "traps.converts");
    gbx_value *value = gbx_value_new_reference(converts);

    settle(gbx_reference_set(bytes, "0", 1, value, NULL), GBX_EACCESSOR);
    settle(gbx_reference_set(list, "length", GBX_NUL, value, NULL), GBX_EACCESSOR);
    settle(gbx_reference_set(list, "0", 1, value, NULL), GBX_OK);
    cr_assert_eq(eval_number(w.context, "ran"), 0);
    cr_assert_eq(eval_number(w.context, "Number(traps.list[0] === traps.converts)"), 1);
    gbx_value_free(value);
    gbx_reference_close(bytes);
    gbx_reference_close(list);
    gbx_reference_close(converts);
    world_close(&w);
}

static gbx_status
count_calls(gbx_callback *callback, void *data)
{
    ++*(size_t *)data;
    return gbx_callback_count(callback) == 0 ? GBX_OK : GBX_EINVAL;
}

CleanTest(accessor, calls_no_host_function_that_stands_as_a_getter)
{
    struct world w = world_open(NULL);
    size_t calls = 0;

    give(w.context, "host", count_calls, &calls);
    gbx_reference *object =
        refer(w.context, "Object.defineProperty({}, 'a', { get: host, enumerable: true })");
    settle(get(object, "a", 0), GBX_EACCESSOR);
    settle(gbx_reference_copy(object, NULL), GBX_EACCESSOR);
    cr_assert_eq(calls, 0);
    settle(get(object, "a", GBX_ACCESSORS), GBX_OK);
    cr_assert_eq(calls, 1);
    gbx_reference_close(object);
    world_close(&w);
}

CleanTest(accessor, an_accessor_that_is_asked_for_has_a_deadline)
{
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;
    struct world w = world_open(NULL);
    gbx_reference *object = refer(w.context, "({ get a() { for (;;); } })");

    options.flags = GBX_ACCESSORS;
    options.timeout_us = 20000;
    settle(gbx_reference_get(object, "a", 1, &options), GBX_ETIMEOUT);
    settle(gbx_reference_copy(object, &options), GBX_ETIMEOUT);
    gbx_reference_close(object);
    expect_usable(&w);
    world_close(&w);
}
