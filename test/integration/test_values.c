/* Values there and back: what the guest makes, what the host makes, and that nothing is lost. */
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Compares two values in the guest as deeply as the host does: kinds, prototypes, holes, order,
 * shared and cyclic references. `seen` maps what was met in `a` to its partner in `b`. */
static const char deep[] =
    "function deep(a, b, seen = new Map()) {"
    "  if (typeof a !== 'object' || a === null) return Object.is(a, b);"
    "  if (typeof b !== 'object' || b === null) return false;"
    "  if (seen.has(a)) return seen.get(a) === b;"
    "  seen.set(a, b);"
    "  const tag = x => Object.prototype.toString.call(x);"
    "  if (tag(a) !== tag(b) || Object.getPrototypeOf(a) !== Object.getPrototypeOf(b))"
    "    return false;"
    "  if (a instanceof ArrayBuffer)"
    "    return a.resizable === b.resizable && a.maxByteLength === b.maxByteLength &&"
    "      deep([...new Uint8Array(a)], [...new Uint8Array(b)]);"
    "  if (ArrayBuffer.isView(a))"
    "    return a.byteOffset === b.byteOffset && a.byteLength === b.byteLength &&"
    "      deep(a.buffer, b.buffer, seen);"
    "  if (a instanceof RegExp)"
    "    return a.source === b.source && a.flags === b.flags;"
    "  if (a instanceof Error)"
    "    return a.name === b.name && a.message === b.message && a.stack === b.stack &&"
    "      ('cause' in a) === ('cause' in b) && deep(a.cause, b.cause, seen);"
    "  if (a instanceof Map || a instanceof Set)"
    "    return deep([...a], [...b], seen);"
    "  if (typeof a.valueOf() !== 'object' && !Object.is(a.valueOf(), b.valueOf()))"
    "    return false;"
    "  if (Array.isArray(a) && a.length !== b.length) return false;"
    "  const ka = Object.keys(a), kb = Object.keys(b);"
    "  return ka.length === kb.length &&"
    "    ka.every((k, i) => k === kb[i] && deep(a[k], b[k], seen));"
    "}";

static const struct sample {
    const char *source;
    gbx_value_kind kind;
} samples[] = {
    { "undefined", GBX_UNDEFINED },
    { "null", GBX_NULL },
    { "true", GBX_BOOLEAN },
    { "false", GBX_BOOLEAN },
    { "0", GBX_NUMBER },
    { "-0", GBX_NUMBER },
    { "1073741823", GBX_NUMBER },
    { "-1073741824", GBX_NUMBER },
    { "2147483647", GBX_NUMBER },
    { "-2147483648", GBX_NUMBER },
    { "4294967295", GBX_NUMBER },
    { "9007199254740993", GBX_NUMBER },
    { "0.1", GBX_NUMBER },
    { "5e-324", GBX_NUMBER },
    { "1.7976931348623157e308", GBX_NUMBER },
    { "NaN", GBX_NUMBER },
    { "Infinity", GBX_NUMBER },
    { "-Infinity", GBX_NUMBER },
    { "0n", GBX_BIGINT },
    { "-1n", GBX_BIGINT },
    { "18446744073709551615n", GBX_BIGINT },
    { "18446744073709551616n", GBX_BIGINT },
    { "-(2n ** 4096n) + 12345n", GBX_BIGINT },
    { "''", GBX_STRING },
    { "'plain'", GBX_STRING },
    { "'caf\\u00e9'", GBX_STRING },
    { "'\\u20ac uro'", GBX_STRING },
    { "'\\u{1f9e4} glove'", GBX_STRING },
    { "'\\ud83e'", GBX_STRING },
    { "'\\udde4\\ud83e x'", GBX_STRING },
    { "'nul\\0inside'", GBX_STRING },
    { "'x'.repeat(100000)", GBX_STRING },
    { "'\\u0416'.repeat(100000)", GBX_STRING },
    { "new Date(0)", GBX_DATE },
    { "new Date(-8.64e15)", GBX_DATE },
    { "new Date(NaN)", GBX_DATE },
    { "/a(b|c)+\\/d/giu", GBX_REGEXP },
    { "/[\\p{L}--[a-z]]/v", GBX_REGEXP },
    { "new RegExp('\\ud800', 'y')", GBX_REGEXP },
    { "new Boolean(true)", GBX_BOOLEAN_OBJECT },
    { "new Boolean(false)", GBX_BOOLEAN_OBJECT },
    { "new Number(-0)", GBX_NUMBER_OBJECT },
    { "Object(-5n)", GBX_BIGINT_OBJECT },
    { "new String('s\\ud800')", GBX_STRING_OBJECT },
    { "[]", GBX_ARRAY },
    { "[1, 'two', [3], { four: 4 }]", GBX_ARRAY },
    { "[1.5, 2.5, NaN, -0]", GBX_ARRAY },
    { "[, 1, , 2, ,]", GBX_ARRAY },
    { "Object.assign([1, , 3], { name: 'extra', 10: 'far' })", GBX_ARRAY },
    { "new Array(1000)", GBX_ARRAY },
    { "(() => { const a = []; a[100000] = 1; return a })()", GBX_ARRAY },
    { "({})", GBX_OBJECT },
    { "({ b: 1, a: 2, 7: 3, 1: 4, '': 5, '-1': 6, '01': 7 })", GBX_OBJECT },
    { "({ ['__proto__']: 1, constructor: 2, '\\ud800': 3, '\\u20ac': 4 })", GBX_OBJECT },
    { "Object.fromEntries(Array.from({ length: 2000 }, (_, i) => ['k' + i, i]))", GBX_OBJECT },
    { "new Map()", GBX_MAP },
    { "new Map([[1, 'a'], ['1', 'b'], [NaN, 'c'], [{ k: 1 }, new Map([[[], null]])]])",
        GBX_MAP },
    { "new Set()", GBX_SET },
    { "new Set([1, '1', NaN, 0, [2], new Set([3])])", GBX_SET },
    { "new ArrayBuffer(0)", GBX_ARRAY_BUFFER },
    { "new Uint8Array([0, 1, 254, 255]).buffer", GBX_ARRAY_BUFFER },
    { "new ArrayBuffer(3, { maxByteLength: 17 })", GBX_ARRAY_BUFFER },
    { "new Int8Array([-128, 127])", GBX_TYPED_ARRAY },
    { "new Uint8Array([0, 255])", GBX_TYPED_ARRAY },
    { "new Uint8ClampedArray([300, -5])", GBX_TYPED_ARRAY },
    { "new Int16Array([-32768, 32767])", GBX_TYPED_ARRAY },
    { "new Uint16Array([65535])", GBX_TYPED_ARRAY },
    { "new Int32Array([-2147483648])", GBX_TYPED_ARRAY },
    { "new Uint32Array([4294967295])", GBX_TYPED_ARRAY },
    { "new Float16Array([1.5, -0, NaN])", GBX_TYPED_ARRAY },
    { "new Float32Array([0.1])", GBX_TYPED_ARRAY },
    { "new Float64Array([0.1, -Infinity])", GBX_TYPED_ARRAY },
    { "new BigInt64Array([-(2n ** 63n)])", GBX_TYPED_ARRAY },
    { "new BigUint64Array([2n ** 64n - 1n])", GBX_TYPED_ARRAY },
    { "new Uint16Array(new ArrayBuffer(16), 4, 3)", GBX_TYPED_ARRAY },
    { "new Uint8Array(new ArrayBuffer(8, { maxByteLength: 16 }))", GBX_TYPED_ARRAY },
    { "new Uint8Array(new ArrayBuffer(8, { maxByteLength: 16 }), 2, 4)", GBX_TYPED_ARRAY },
    { "new DataView(new Uint8Array([1, 2, 3, 4]).buffer, 1, 2)", GBX_DATA_VIEW },
    { "new DataView(new ArrayBuffer(8, { maxByteLength: 16 }), 2)", GBX_DATA_VIEW },
    { "new Error('plain')", GBX_ERROR },
    { "new TypeError('typed', { cause: { code: 5, error: new RangeError('inner') } })",
        GBX_ERROR },
    { "Object.assign(new URIError('no stack'), { stack: undefined })", GBX_ERROR },
    { "(() => { const o = {}; o.self = o; o.list = [o, o.list]; return o })()", GBX_OBJECT },
    { "(() => { const a = [[]]; a.push(a[0], a); return a })()", GBX_ARRAY },
    { "(() => { const m = new Map(), s = new Set([m]); m.set(m, s); return m })()", GBX_MAP },
    { "(() => { const b = new ArrayBuffer(8); return [new Uint8Array(b), new DataView(b), b] "
      "})()",
        GBX_ARRAY },
    { "(() => { let d = null; for (let i = 0; i < 2000; i++) d = [d]; return d })()",
        GBX_ARRAY },
};

/* Out by evaluation; in by set and out by get; in and out by a call; each compared by the host
 * with what came first, and by the guest with what it made. */
CleanTest(values, of_every_kind_come_and_go_unchanged)
{
    struct world w = world_open(NULL);
    char source[512];
    uint32_t kinds = 0;

    eval_only(w.context, deep);
    eval_only(w.context, "function identity(x) { got = x; return x }");
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        const struct sample *s = &samples[i];
        (void)snprintf(source, sizeof source, "made = (%s)", s->source);
        gbx_value *first = eval(w.context, source);
        cr_assert_eq(gbx_value_get_kind(first), s->kind, "%s: kind %u", s->source,
            gbx_value_get_kind(first));
        kinds |= 1u << s->kind;

        settle(gbx_context_set(w.context, "there", first), GBX_OK);
        gbx_value *second = settle_value(gbx_context_get(w.context, "there", NULL));
        cr_assert_eq(gbx_value_equal(first, second), 1, "%s: set and get", s->source);
        const gbx_value *arguments[] = { second };
        gbx_value *third =
            settle_value(gbx_context_call(w.context, "identity", arguments, 1, NULL));
        cr_assert_eq(gbx_value_equal(first, third), 1, "%s: call", s->source);
        expect_text(w.context, "String(deep(made, there) && deep(made, got))", "true");
        gbx_value_free(first);
        gbx_value_free(second);
        gbx_value_free(third);
    }
    cr_assert_eq(kinds, (1u << GBX_HOLE) - 1, "a kind is missing from the samples");
    world_close(&w);
}

/* --- what the host makes -------------------------------------------------------------------- */

/* Sets x to `value`, frees it, and expects `condition` in the guest. */
static void
arrives(const struct world *w, gbx_value *value, const char *condition)
{
    cr_assert_not_null(value, "%s", condition);
    settle(gbx_context_set(w->context, "x", value), GBX_OK);
    gbx_value_free(value);
    gbx_value *answer = eval(w->context, condition);
    int32_t boolean = 0;
    cr_assert_eq(gbx_value_get_boolean(answer, &boolean), GBX_OK);
    cr_assert_eq(boolean, 1, "%s", condition);
    gbx_value_free(answer);
}

CleanTest(values, that_the_host_makes_arrive)
{
    struct world w = world_open(NULL);
    uint64_t words[] = { 0, 0, 1, 0 };

    arrives(&w, gbx_value_new_undefined(), "x === undefined");
    arrives(&w, gbx_value_new_null(), "x === null");
    arrives(&w, gbx_value_new_boolean(7), "x === true");
    arrives(&w, gbx_value_new_boolean(0), "x === false");
    arrives(&w, gbx_value_new_number(-0.0), "Object.is(x, -0)");
    arrives(&w, gbx_value_new_number(NAN), "Number.isNaN(x)");
    arrives(&w, gbx_value_new_number(-INFINITY), "x === -Infinity");
    arrives(&w, gbx_value_new_int32(INT32_MIN), "x === -2147483648");
    arrives(&w, gbx_value_new_bigint(1, words, 4), "x === -(1n << 128n)");
    arrives(&w, gbx_value_new_bigint(1, NULL, 0), "x === 0n");
    arrives(&w, gbx_value_new_bigint_text("-123456789012345678901234567890", GBX_NUL),
        "x === -123456789012345678901234567890n");
    arrives(&w, gbx_value_new_string("h\xc3\xa9 \xe2\x82\xac \xf0\x9f\xa7\xa4", GBX_NUL),
        "x === 'h\\u00e9 \\u20ac \\u{1f9e4}'");
    arrives(&w, gbx_value_new_string("\xed\xa0\xbe|\0|", 6), "x === '\\ud83e|\\0|'");
    arrives(&w, gbx_value_new_string("bad \xff\xc3", GBX_NUL), "x === 'bad \\ufffd\\ufffd'");
    arrives(&w, gbx_value_new_date(1e12 + 0.7), "x.getTime() === 1e12");
    arrives(&w, gbx_value_new_date(9e15), "Number.isNaN(x.getTime())");
    arrives(&w, gbx_value_new_regexp("a/b", GBX_NUL, "gi"),
        "x.source === 'a\\\\/b' && x.flags === 'gi' && x.test('A/B')");
    arrives(&w, gbx_value_new_boxed(gbx_value_new_string("s", 1)),
        "x instanceof String && x == 's'");
    arrives(&w, gbx_value_new_boxed(gbx_value_new_int32(5)), "x instanceof Number && x == 5");
    arrives(&w, gbx_value_new_array_buffer("abc", 3),
        "x instanceof ArrayBuffer && String(new Uint8Array(x)) === '97,98,99' && !x.resizable");
    arrives(&w, gbx_value_new_resizable_array_buffer(NULL, 2, 10),
        "x.resizable && x.byteLength === 2 && x.maxByteLength === 10");
    arrives(&w, gbx_value_new_bytes("\x01\x02", 2), "x instanceof Uint8Array && x[1] === 2");
    arrives(&w,
        gbx_value_new_typed_array(
            GBX_FLOAT16, gbx_value_new_array_buffer("\0\0\0\x3c\0\xc0", 6), 2, 2),
        "x instanceof Float16Array && String(x) === '1,-2' && x.byteOffset === 2");
    arrives(&w,
        gbx_value_new_data_view(
            gbx_value_new_resizable_array_buffer(NULL, 4, 8), 1, GBX_TO_END),
        "x.byteLength === 3 && (x.buffer.resize(8), x.byteLength === 7)");
    arrives(&w, gbx_value_new_error("RangeError", "far", GBX_NUL),
        "x instanceof RangeError && x.message === 'far'");
    arrives(&w, gbx_value_new_error("QuotaError", "own", GBX_NUL),
        "x instanceof Error && x.message === 'own'");
    world_close(&w);
}

CleanTest(values, that_the_host_puts_together_keep_their_shape)
{
    struct world w = world_open(NULL);
    gbx_value *object = gbx_value_new_object(), *list = gbx_value_new_array();

    cr_assert_eq(gbx_value_set(object, "list", GBX_NUL, list), GBX_OK);
    cr_assert_eq(gbx_value_set(object, "again", GBX_NUL, list), GBX_OK);
    cr_assert_eq(gbx_value_set(object, "self", GBX_NUL, object), GBX_OK);
    cr_assert_eq(gbx_value_set(object, "__proto__", GBX_NUL, gbx_value_new_int32(1)), GBX_OK);
    cr_assert_eq(gbx_value_set_at(list, 2, gbx_value_new_string("third", 5)), GBX_OK);
    cr_assert_eq(gbx_value_append(list, object), GBX_OK);
    arrives(&w, object,
        "x.list === x.again && x.self === x && x.list.length === 4 && !(0 in x.list) &&"
        "x.list[2] === 'third' && x.list[3] === x && Object.hasOwn(x, '__proto__') &&"
        "Object.getPrototypeOf(x) === Object.prototype");

    gbx_value *map = gbx_value_new_map(), *set = gbx_value_new_set();
    cr_assert_eq(gbx_value_map_set(map, gbx_value_new_number(NAN), set), GBX_OK);
    cr_assert_eq(gbx_value_map_set(map, map, gbx_value_new_null()), GBX_OK);
    cr_assert_eq(gbx_value_add(set, map), GBX_OK);
    arrives(&w, map, "x.size === 2 && x.get(NaN).has(x) && x.get(x) === null");

    gbx_value *error = gbx_value_new_error("TypeError", "m", 1);
    cr_assert_eq(gbx_value_set(error, "cause", GBX_NUL, error), GBX_OK);
    cr_assert_eq(
        gbx_value_set(error, "stack", GBX_NUL, gbx_value_new_string("made up", GBX_NUL)),
        GBX_OK);
    arrives(&w, error, "x.cause === x && x.stack === 'made up' && x instanceof TypeError");
    world_close(&w);
}

/* --- what does not cross -------------------------------------------------------------------- */

CleanTest(values, that_cannot_be_copied_are_refused_by_name)
{
    static const char *const sources[] = { "() => 1", "class {}", "Symbol('s')",
        "({ deep: [() => 1] })", "new WeakMap()", "new Proxy({}, {})", "(function*() {})()",
        "Promise.resolve(1)", "new WeakRef({})", "globalThis",
        "new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]))" };
    struct world w = world_open(NULL);
    gbx_error error;
    char source[256];

    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        (void)snprintf(source, sizeof source, "(%s)", sources[i]);
        expect_failure(w.context, source, GBX_ECLONE, &error);
        cr_assert_not_null(
            strstr(error.message, "could not be cloned"), "%s: %s", sources[i], error.message);
    }
    /* A getter is asked; what it throws is the guest's. */
    expect_failure(
        w.context, "({ get x() { throw new TypeError('mine') } })", GBX_ETHROW, &error);
    cr_assert_str_eq(error.message, "mine");
    gbx_value *object = eval(w.context, "({ get x() { return 4 } })");
    cr_assert_eq(number_of(gbx_value_get(object, "x", GBX_NUL)), 4);
    gbx_value_free(object);
    world_close(&w);
}

CleanTest(values, past_a_limit_are_too_big)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;

    options.memory_limit_bytes = (uint64_t)2 << 30;
    struct world w = world_open(&options);
    gbx_value *deepest = NULL;

    /* The reader's own caps: a depth that V8 would write. */
    gbx_value *value =
        eval(w.context, "let d = null; for (let i = 0; i < 3000; i++) d = { d }; d");
    gbx_value_free(value);
    /* More than 512 MiB do not leave the cell. */
    expect_failure(w.context, "new ArrayBuffer((512 << 20) + 1)", GBX_ETOOBIG, NULL);
    expect_failure(w.context, "x = 'x'.repeat(1 << 28); [x, x, x]", GBX_ETOOBIG, NULL);
    /* Nor do more than 8 Mi values. */
    expect_failure(w.context, "Array(9e6).fill(0)", GBX_ETOOBIG, NULL);
    expect_failure(w.context, "throw Array(9e6).fill(0)", GBX_ETHROW, NULL);
    expect_usable(&w);
    /* Nor the host: 10,000 levels and one. */
    gbx_value *top = gbx_value_new_array();
    deepest = top;
    for (int i = 0; i < 10000; i++) {
        gbx_value *next = gbx_value_new_array();
        cr_assert_eq(gbx_value_append(deepest, next), GBX_OK);
        deepest = next;
    }
    settle(gbx_context_set(w.context, "x", top), GBX_ETOOBIG);
    gbx_value_free(top);
    expect_usable(&w);
    world_close(&w);
}

/* A value that the host encodes but V8 cannot make is refused, not silently something else. */
CleanTest(values, that_the_engine_cannot_make_are_refused)
{
    struct world w = world_open(NULL);
    gbx_value *bad = gbx_value_new_regexp("(", GBX_NUL, "");
    const gbx_value *arguments[] = { bad };

    cr_assert_not_null(bad);
    eval_only(w.context, "x = 1; called = 0; function f() { called++ }");
    /* As if the guest had compiled it. */
    settle(gbx_context_set(w.context, "x", bad), GBX_ETHROW);
    gbx_error error = GBX_ERROR_INIT;
    gbx_future *future = gbx_context_call(w.context, "f", arguments, 1, NULL);
    cr_assert_eq(gbx_future_wait(future, -1, &error), GBX_ETHROW);
    cr_assert_str_eq(error.name, "SyntaxError");
    gbx_future_free(future);
    cr_assert_eq(eval_number(w.context, "x + called"), 1);
    gbx_value_free(bad);
    world_close(&w);
}

CleanTest(values, shared_memory_does_not_leave)
{
    struct world w = world_open(NULL);

    expect_failure(w.context, "new SharedArrayBuffer(8)", GBX_ECLONE, NULL);
    expect_failure(w.context, "new Int32Array(new SharedArrayBuffer(8))", GBX_ECLONE, NULL);
    expect_usable(&w);
    world_close(&w);
}
