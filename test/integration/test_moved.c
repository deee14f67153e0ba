/* ArrayBuffers that leave the guest: whole at the host, gone in the guest, and nothing is left. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

enum {
    MIB = 1 << 20
};

static gbx_value *
moved(gbx_context *context, const char *source)
{
    return settle_value(start(context, source, GBX_RESULT_MOVE));
}

/* The first byte and the length of a buffer, or of a view. */
static void
expect_buffer(const gbx_value *value, size_t len, uint8_t first)
{
    const void *bytes;
    size_t got;

    cr_assert_eq(gbx_value_get_bytes(value, &bytes, &got), GBX_OK);
    cr_assert_eq(got, len);
    cr_assert(len == 0 || *(const uint8_t *)bytes == first);
}

CleanTest(moved, a_buffer_is_whole_here_and_detached_there)
{
    struct world w = world_open(NULL);
    /* Around what is taken over, the ring, and pages. */
    static const size_t sizes[] = { 0, 1, 8, 65535, 65536, 65537, 1000001, 5000000 };

    eval_only(w.context,
        "function make(n) { globalThis.b = new Uint8Array(n);"
        " for (let i = 0; i < n; i++) b[i] = i * 7 + (i >> 9); return b.buffer; }");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        gbx_call_options options = GBX_CALL_OPTIONS_INIT;
        gbx_value *size = gbx_value_new_number((double)sizes[i]);
        const gbx_value *arguments[] = { size };
        const void *bytes;
        size_t len;

        options.flags = GBX_RESULT_MOVE;
        gbx_value *value =
            settle_value(gbx_context_call(w.context, "make", arguments, 1, &options));
        cr_assert_eq(gbx_value_get_bytes(value, &bytes, &len), GBX_OK);
        cr_assert_eq(len, sizes[i]);
        for (size_t j = 0; j < len; j++)
            cr_assert_eq(((const uint8_t *)bytes)[j], (uint8_t)(j * 7 + (j >> 9)));
        expect_text(w.context, "`${b.buffer.detached} ${b.length}`", "true 0");
        gbx_value_free(value);
        gbx_value_free(size);
    }
    world_close(&w);
}

/* Wherever they stand, and however often; views show what they did. */
CleanTest(moved, all_buffers_in_the_result_are)
{
    struct world w = world_open(NULL);
    gbx_value *value = moved(w.context,
        "var b = [1, 2, 3, 4, 5, 6].map(i => new Uint8Array(70000).fill(i).buffer);"
        "var all = { first: b[0], deep: { er: [[b[1]]] }, map: new Map([['k', b[2]]]),"
        "  set: new Set([b[3]]), view: new Uint16Array(b[4], 2, 3), again: b[0],"
        "  wide: Array.from({ length: 3000 }, () => ({})), small: new Uint8Array([9]).buffer };"
        "all.self = all; all.last = { buffer: b[5] }; all");

    expect_buffer(gbx_value_get(value, "first", GBX_NUL), 70000, 1);
    expect_buffer(gbx_value_at(gbx_value_at(gbx_value_get(gbx_value_get(value, "deep", GBX_NUL),
                                                "er", GBX_NUL),
                                   0),
                      0),
        70000, 2);
    expect_buffer(gbx_value_get(value, "view", GBX_NUL), 6, 5);
    expect_buffer(gbx_value_get(value, "small", GBX_NUL), 1, 9);
    expect_buffer(
        gbx_value_get(gbx_value_get(value, "last", GBX_NUL), "buffer", GBX_NUL), 70000, 6);
    cr_assert(gbx_value_equal(
        gbx_value_get(value, "again", GBX_NUL), gbx_value_get(value, "first", GBX_NUL)));
    gbx_value_free(value);
    expect_text(w.context, "b.concat(all.small).map(x => x.detached).join()",
        "true,true,true,true,true,true,true");
    world_close(&w);
}

/* No code of the guest's runs to find one, and what cannot be detached stays. */
CleanTest(moved, what_cannot_be_is_copied)
{
    struct world w = world_open(NULL);
    gbx_value *value = moved(w.context,
        "var asked = 0, behind = new ArrayBuffer(3), inner = new ArrayBuffer(4);"
        "var growing = new ArrayBuffer(5, { maxByteLength: 9 });"
        "var memory = new WebAssembly.Memory({ initial: 1 });"
        "({ get buffer() { asked++; return behind; }, growing, wasm: memory.buffer,"
        "   plain: Object.assign(Object.create({ set asks(x) { asked += 10 } }), { inner }),"
        "   holes: Object.setPrototypeOf([, 1], { 0: behind }),"
        "   date: Object.assign(new Date(0), { b: behind }),"
        "   text: Object.assign(new String('x'), { b: behind }),"
        "   error: Object.assign(new Error('x'), { b: behind }) })");

    expect_buffer(gbx_value_get(value, "buffer", GBX_NUL), 3, 0);
    expect_buffer(gbx_value_get(value, "growing", GBX_NUL), 5, 0);
    expect_buffer(gbx_value_get(value, "wasm", GBX_NUL), 65536, 0);
    expect_buffer(
        gbx_value_get(gbx_value_get(value, "plain", GBX_NUL), "inner", GBX_NUL), 4, 0);
    gbx_value_free(value);
    /* The serialiser asked once, as it does for any result. */
    expect_text(w.context,
        "[asked, behind.detached, inner.detached, growing.detached, "
        "memory.buffer.byteLength].join()",
        "1,false,true,false,65536");
    world_close(&w);
}

/* What lies past the first 4096 properties is copied. */
CleanTest(moved, what_is_too_far_is_copied)
{
    struct world w = world_open(NULL);

    gbx_value *value = moved(
        w.context, "var far = Array.from({ length: 4097 }, () => new ArrayBuffer(1)); far");
    expect_buffer(gbx_value_at(value, 4096), 1, 0);
    gbx_value_free(value);
    expect_text(w.context,
        "far[0].detached + ' ' + far[4095].detached + ' ' + far[4096].detached",
        "true true false");
    value = moved(w.context, "var many = new Set(Array.from({ length: 5000 }, (_, i) => i));"
                             "var b = new ArrayBuffer(2); ({ many, b })");
    expect_buffer(gbx_value_get(value, "b", GBX_NUL), 2, 0);
    gbx_value_free(value);
    expect_text(w.context, "String(b.detached)", "true");
    world_close(&w);
}

CleanTest(moved, a_buffer_stays_if_its_result_cannot_be_had)
{
    struct world w = world_open(NULL);
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;
    const char loops[] = "({ b, get x() { for (;;); } })";

    eval_only(w.context, "var b = new Uint8Array(100000).fill(3); 0");
    settle(start(w.context, "({ b, f() {} })", GBX_RESULT_MOVE), GBX_ECLONE);
    settle(start(w.context, "({ b, get x() { throw 1 } })", GBX_RESULT_MOVE), GBX_ETHROW);
    options.flags = GBX_RESULT_MOVE;
    options.timeout_us = 50000;
    settle(gbx_context_eval(w.context, loops, sizeof loops - 1, &options), GBX_ETIMEOUT);
    gbx_value_free(settle_value(start(w.context, "b", GBX_RESULT_MOVE | GBX_RESULT_IGNORE)));
    gbx_value_free(settle_value(start(w.context, "b", 0)));
    expect_text(w.context, "`${b.buffer.detached} ${b[99999]}`", "false 3");
    /* A getter has detached it meanwhile: an error, and what it went to keeps it. */
    settle(start(w.context,
               "({ a: b.buffer, get x() { b = new Uint8Array(b.buffer.transfer()) } })",
               GBX_RESULT_MOVE),
        GBX_ECLONE);
    expect_text(w.context, "`${b.buffer.detached} ${b[99999]}`", "false 3");
    /* One that is gone already is an error as ever. */
    settle(
        start(w.context, "{ const x = new ArrayBuffer(1); x.transfer(); x }", GBX_RESULT_MOVE),
        GBX_ECLONE);
    expect_usable(&w);
    world_close(&w);
}

/* The host's bytes are those of the moment at which it left, whatever runs before the answer is. */
CleanTest(moved, nothing_that_runs_afterwards_changes_it)
{
    struct world w = world_open(NULL);
    gbx_value *value = moved(w.context,
        "var b = new Uint8Array(200000).fill(1), after;"
        "Promise.resolve().then(() => { after = b.length; try { b.fill(2) } catch {} }); b");

    expect_buffer(value, 200000, 1);
    gbx_value_free(value);
    cr_assert_eq(eval_number(w.context, "after"), 0);
    /* Through a promise, too; and one whose microtasks never end has no result. */
    value = settle_value(start(w.context,
        "(async () => { await 0; return { p: new Uint8Array(200000).fill(5) } })()",
        GBX_AWAIT | GBX_RESULT_MOVE));
    expect_buffer(gbx_value_get(value, "p", GBX_NUL), 200000, 5);
    gbx_value_free(value);
    for (int i = 0; i < 3; i++) {
        gbx_call_options options = GBX_CALL_OPTIONS_INIT;
        static const char source[] =
            "Promise.resolve().then(() => { for (;;); }); new ArrayBuffer(1 << 20)";
        options.flags = GBX_RESULT_MOVE;
        options.timeout_us = 50000;
        settle(gbx_context_eval(w.context, source, sizeof source - 1, &options), GBX_ETIMEOUT);
    }
    expect_usable(&w);
    world_close(&w);
}

/* By every way to a result. */
CleanTest(moved, references_and_closures_move_as_well)
{
    struct world w = world_open(NULL);
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;
    const char text[] = "return $0";
    gbx_value *bytes = gbx_value_new_array_buffer(NULL, 3 * MIB);
    const gbx_value *arguments[] = { bytes };

    options.flags = GBX_RESULT_MOVE;
    /* There and back without a copy that V8 makes: the message that it came in goes home. */
    gbx_value *value = settle_value(
        gbx_context_eval_closure(w.context, text, sizeof text - 1, arguments, 1, &options));
    expect_buffer(value, 3 * MIB, 0);
    gbx_value_free(value);
    gbx_value_free(bytes);
    gbx_reference *reference = refer(w.context, "var held = { b: new ArrayBuffer(9) }; held");
    value = settle_value(gbx_reference_get(reference, "b", GBX_NUL, &options));
    expect_buffer(value, 9, 0);
    gbx_value_free(value);
    gbx_reference_close(reference);
    settle(gbx_context_get(w.context, "held.b", NULL), GBX_ECLONE); /* it is gone */
    world_close(&w);
}

static size_t calls;

static gbx_status
take(gbx_callback *callback, void *data)
{
    size_t i = 0;

    for (; i < gbx_callback_count(callback); i++)
        expect_buffer(gbx_callback_argument(callback, i), 70000 + i, (uint8_t)(i + 1));
    calls++;
    if (data == NULL)
        return GBX_OK;
    return gbx_callback_return(callback, gbx_callback_argument(callback, i - 1));
}

CleanTest(moved, arguments_of_host_functions_are_where_they_take_them)
{
    struct world w = world_open(NULL);
    const gbx_function_entry entries[] = {
        { sizeof *entries, GBX_FUNCTION_MOVE, "take", take, &calls },
        { sizeof *entries, GBX_FUNCTION_MOVE | GBX_FUNCTION_POST, "post", take, NULL },
        { sizeof *entries, 0, "copy", take, &calls },
    };

    settle(gbx_context_set_functions(w.context, NULL, entries, 3), GBX_OK);
    eval_only(w.context, "function two() { return [new Uint8Array(70000).fill(1), new "
                         "Uint8Array(70001).fill(2)] }"
                         "function gone(x) { return x.map(y => y.buffer.detached).join() }");
    expect_text(w.context, "var a = two(), r = take(...a); gone(a) + r.length + r[70000]",
        "true,true700012");
    expect_text(w.context, "a = two(); post(...a); gone(a)", "true,true");
    expect_text(w.context, "a = two(); copy(...a); gone(a)", "false,false");
    /* The same one twice is two; and all stay if one cannot go. */
    expect_text(w.context,
        "const x = new ArrayBuffer(70000); new Uint8Array(x)[0] = 1;"
        "const y = new Uint8Array(70001).fill(2); a = [y];"
        "try { take(new Uint8Array(x), y, () => 1) } catch (e) { gone(a) + e.name }",
        "falseDataCloneError");
    cr_assert_eq(calls, 3);
    world_close(&w);
}

static gbx_status
go_deeper(gbx_callback *callback, void *data)
{
    gbx_future *future = start(gbx_isolate_context(gbx_callback_isolate(callback)), "go()", 0);

    ++*(int *)data;
    settle(future, GBX_OK);
    return GBX_OK;
}

/* The 65th call inside of 64 others, and what the guest then has. */
CleanTest(moved, they_stay_where_the_call_is_refused)
{
    struct world w = world_open(NULL);
    int depth = 0;
    const gbx_function_entry entry = { sizeof entry, GBX_FUNCTION_MOVE, "deeper", go_deeper,
        &depth };

    settle(gbx_context_set_functions(w.context, NULL, &entry, 1), GBX_OK);
    expect_text(w.context,
        "var why = '', stayed = 0, gone = 0;"
        "function go() {"
        "  const b = new Uint8Array(70000).fill(9);"
        "  try { deeper(b) } catch (e) { why += e.message; }"
        "  b[69999] === 9 ? stayed++ : gone++;"
        "  return 0;"
        "}"
        "go(); `${why}: ${stayed} of ${stayed + gone}`",
        "too many host functions are under way: 1 of 65");
    cr_assert_eq(depth, 64);
    world_close(&w);
}

/* A guest may give most of what it may have: no copy of it is made in there. */
CleanTest(moved, it_needs_no_room_beside_it)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;

    options.memory_limit_bytes = (uint64_t)64 * MIB;
    struct world w = world_open(&options);
    for (int i = 0; i < 20; i++) {
        gbx_value *value = moved(w.context, "new Uint8Array(40 << 20).fill(4)");
        expect_buffer(value, (size_t)40 * MIB, 4);
        gbx_value_free(value);
    }
    world_close(&w);
}

/* Thousands of them, and as many cut off by the end of their cell. */
CleanTest(moved, nothing_is_left_of_it)
{
    struct world w = world_open(NULL);
    size_t before = 0;
    gbx_future *last = NULL;

    for (int i = 0; i < 2000; i++) {
        gbx_value_free(moved(w.context, "[new ArrayBuffer(100000), new ArrayBuffer(10)]"));
        if (i == 100)
            before = malloc_in_use();
    }
    cr_assert_leq(malloc_in_use(), before + 100000);
    gbx_value *statistics = settle_value(gbx_isolate_statistics(w.isolate));
    cr_assert_lt(number_of(gbx_value_get(statistics, "external", GBX_NUL)), 2.0 * MIB);
    gbx_value_free(statistics);
    for (int i = 0; i < 50; i++) {
        gbx_future_free(last);
        last = start(w.context, "new ArrayBuffer(3000000)", GBX_RESULT_MOVE);
    }
    gbx_isolate_close(w.isolate);
    w.isolate = NULL;
    cr_assert_eq(gbx_future_status(last, NULL), GBX_EDISPOSED);
    gbx_future_free(last);
    world_close(&w);
}
