/* Stopping a guest, and the limit of its memory: whatever it does, it ends as promised. */
#include "engine_probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* --- stopping ------------------------------------------------------------------------- */

/* Each is stopped from another thread, and then the isolate is as good as before. */
static void
running_code_is_terminated_whatever_it_does(void)
{
    static const char *const sources[] = {
        "for (;;);",
        "for (;;) { try { for (;;); } catch { } finally { for (;;); } }",
        "const f = () => { for (;;); }; ({ get a() { f() } })", /* while the result is copied */
        "/(a+)+$/.exec('a'.repeat(40) + 'b')",
        "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)",
        "let n = 0; const step = () => { n++; Promise.resolve().then(step) }; step()",
        "(async () => { for (;;) await 0 })()",
        "throw { get stack() { for (;;); } }",
        "Error.prepareStackTrace = () => { for (;;); }; null.x",
        "Array.from({ length: 1e9 }, (_, i) => i & 1).length",
        "[...Array(1e5).keys()].sort(() => { for (;;); })",
        "new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, "
        "0, "
        "0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0, 10, 9, 1, 7, 0, 3, 64, "
        "12, "
        "0, 11, 11]))).exports.f()", /* loop br 0 end */
        "Object.keys(new Proxy({}, { ownKeys() { for (;;); } }))",
        "JSON.stringify({ toJSON() { for (;;); } })",
        "class A { static { for (;;); } }",
    };

    for (size_t i = 0; i < COUNT(sources); i++) {
        terminate_after(30);
        struct engine_outcome *out = eval(sources[i]);
        if (out->end != ENGINE_TERMINATED && out->end != ENGINE_THROWN)
            printf("# %s\n", sources[i]);
        CHECK(out->end == ENGINE_TERMINATED || i == 7); /* an object's `stack` isn't read */
        (void)usleep(i == 7 ? 50000 : 0);
        engine_terminate_cancel();
        eval("delete Error.prepareStackTrace");
        CHECK(is_int(eval("[1, 2, 3].map(x => x * 2).reduce((a, b) => a + b)"), 12));
        CHECK(is_int(eval_flags("(async () => { await 0; return 5 })()", ENGINE_AWAIT), 5));
    }
}

static void
no_microtask_outlives_a_termination(void)
{
    eval("globalThis.ran = 0");
    terminate_after(30);
    CHECK(eval("for (let i = 0; i < 10; i++) Promise.resolve().then(() => ran++); for (;;);")
              ->end == ENGINE_TERMINATED);
    engine_terminate_cancel();
    CHECK(is_int(eval("ran"), 0));
    (void)engine_pump();
    CHECK(is_int(eval("ran"), 0));
}

static void
an_await_that_loses_its_reaction_is_told_of(void)
{
    struct engine_answer answer = { ENGINE_ANSWER_VALUE, span_of("\xFF\x0FI\4", 4), { 0 },
        { 0 }, 0 };

    give("later", HOST_PROMISE);
    CHECK(eval_flags("const p = later(); p.then(() => { for (;;); }); p", ENGINE_AWAIT)->end ==
          ENGINE_PENDING);
    terminate_after(30);
    /* The first reaction never ends, so the second, which is ours, never runs. */
    CHECK(engine_settle(77, &answer));
    CHECK(seen.settled == 1 && seen.settlements[0].end == ENGINE_TERMINATED);
    engine_terminate_cancel();
    CHECK(is_int(eval("1 + 1"), 2));
    CHECK(seen.settled == 1);
}

static void
a_termination_ends_the_outer_call_too(void)
{
    give("loop", HOST_LOOP);
    terminate_after(30);
    CHECK(eval("try { loop() } catch { } for (;;);")->end == ENGINE_TERMINATED);
    engine_terminate_cancel();
    CHECK(is_int(eval("1 + 1"), 2));
}

static void
an_interrupt_tells_where_the_guest_is(void)
{
    eval("globalThis.inner = n => { for (let i = 0; i < n; i++); };\n"
         "globalThis.outer = n => inner(n)");
    engine_interrupt();
    engine_interrupt(); /* one call answers both */
    CHECK(eval("outer(1e6)")->end == ENGINE_VALUE);
    CHECK(seen.interrupts == 1);
    engine_interrupt();
    terminate_after(30);
    CHECK(eval("inner(1e6); for (;;);")->end == ENGINE_TERMINATED);
    CHECK(seen.interrupts == 2);
    CHECK(has_text(&seen.stack, "probe.js:1:"));
}

static void
an_early_termination_is_not_forgotten(void)
{
    engine_terminate();
    CHECK(eval("for (;;);")->end == ENGINE_TERMINATED);
    engine_terminate_cancel();
    engine_terminate();
    engine_terminate_cancel();
    CHECK(is_int(eval("1 + 1"), 2));
}

const struct check stop_checks[] = {
    { "running code is terminated whatever it does",
        running_code_is_terminated_whatever_it_does, IN_CELL },
    { "no microtask outlives a termination", no_microtask_outlives_a_termination, IN_CELL },
    { "an await that loses its reaction is told of",
        an_await_that_loses_its_reaction_is_told_of, IN_CELL },
    { "a termination ends the outer call too", a_termination_ends_the_outer_call_too, IN_CELL },
    { "an interrupt tells where the guest is", an_interrupt_tells_where_the_guest_is, IN_CELL },
    { "an early termination is not forgotten", an_early_termination_is_not_forgotten, IN_CELL },
    { NULL, NULL, IN_CELL },
};

/* --- the heap ------------------------------------------------------------------------- */

/* Most resident memory of this process so far, in KiB. */
static uint64_t
peak_kib(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    uint64_t kib = 0;

    CHECK(file != NULL);
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "VmHWM: %lu", &kib) == 1)
            break;
    (void)fclose(file);
    return kib;
}

/* Grows without end, and catches whatever can be caught. */
static void
ends_at_the_limit(const char *grow)
{
    char source[1024];

    (void)snprintf(source, sizeof source,
        "globalThis.kept = []; let s = 'seed', m = new Map, w = new Set, o = {}, i = 0;"
        "for (;;) { try { for (;;) { i++; %s } } catch (e) { } }",
        grow);
    CHECK(eval(source)->end == ENGINE_TERMINATED);
    CHECK(seen.memory_calls > 0 && seen.memory_event == ENGINE_MEMORY_HEAP);
    CHECK(seen.memory_used > PROBE_MEMORY * MIB / 2);
    CHECK(peak_kib() < 3 * PROBE_MEMORY * 1024);
    CHECK(has_text(&seen.stack, "probe.js:1:"));
    engine_terminate_cancel();
    eval("kept = s = m = w = o = null");
    engine_collect();
    CHECK(is_int(eval("1 + 1"), 2));
}

static void
arrays(void)
{
    ends_at_the_limit("kept.push(new Array(100).fill({}))");
}

static void
objects(void)
{
    ends_at_the_limit("o['key' + i] = { i, next: o }");
}

static void
maps_and_sets(void)
{
    ends_at_the_limit("m.set({}, i); w.add({ i })");
}

static void
strings(void)
{
    ends_at_the_limit("kept.push(('x' + i).repeat(1000).split('').join('-'))");
}

static void
closures_and_promises(void)
{
    ends_at_the_limit("kept.push(() => i, Promise.resolve(i), new Error('e'), Symbol(i))");
}

static void
functions(void)
{
    ends_at_the_limit("kept.push(new Function('return [' + i + ']'))");
}

static void
microtasks(void)
{
    CHECK(eval("globalThis.kept = []; const f = () => { kept.push(new Array(50).fill(0));"
               "for (let i = 0; i < 20; i++) Promise.resolve().then(f) }; f()")
              ->end == ENGINE_TERMINATED);
    CHECK(seen.memory_calls > 0);
    engine_terminate_cancel();
    CHECK(is_int(eval("1 + 1"), 2));
}

/* These run inside of one builtin, which may not look for an interrupt before V8 gives up: the
 * process ends, but by hooks.fatal and as out of memory. */
static void
one_call(const char *source)
{
    struct engine_outcome *out = eval(source);

    CHECK(out->end == ENGINE_TERMINATED || out->end == ENGINE_THROWN);
    CHECK(seen.memory_calls == 0 || seen.memory_event == ENGINE_MEMORY_HEAP);
    CHECK(peak_kib() < 4 * PROBE_MEMORY * 1024);
    engine_terminate_cancel();
    CHECK(is_int(eval("1 + 1"), 2));
}

static void
a_json_bomb(void)
{
    one_call("JSON.parse('[' + '[],'.repeat(2e7) + '1]').length");
}

static void
a_json_text(void)
{
    one_call("let a = ['x'.repeat(1000)]; for (let i = 0; i < 30; i++) a = [a, a, a];"
             "JSON.stringify(a).length");
}

static void
a_big_array(void)
{
    one_call("Array(1e8).fill(0.5).map(x => x + 1).length");
}

static void
a_doubled_string(void)
{
    one_call("let s = 'ab'; for (;;) { s = s + s; s.charCodeAt(0); [...s] }");
}

static void
a_padded_string(void)
{
    one_call("'x'.padStart(536870000).padEnd(536870888).split('').length");
}

static void
a_sort(void)
{
    one_call("Array.from({ length: 2e7 }, (_, i) => ({ i })).sort((a, b) => b.i - a.i).length");
}

static void
a_bigint(void)
{
    one_call("let b = 3n; for (;;) b *= b;");
}

/* V8 lets one large young object pass, whatever its size: this one has 100 MiB. */
static void
one_huge_object(void)
{
    one_call("(1n << 838860800n) > 5n");
}

static void
a_result_that_does_not_fit(void)
{
    one_call("Array.from({ length: 1e6 }, (_, i) => 'some text ' + i + 'x'.repeat(40))");
}

/* --- outside of the heap -------------------------------------------------------------- */

static void
buffers_are_refused_at_the_limit(void)
{
    CHECK(
        is_text(eval("globalThis.kept = []; try { for (;;) kept.push(new ArrayBuffer(1 << 20)) "
                     "} catch (e) { `${e.name} ${kept.length > 50 && kept.length < 64}` }"),
            "RangeError true"));
    /* The cell goes on, and what is dropped can be had again. */
    CHECK(is_int(
        eval("kept = [0]; kept.push(new Uint8Array(40 << 20)); kept[1].length >> 20"), 40));
    CHECK(is_text(eval("try { new Float64Array(5e8) } catch (e) { e.name }"), "RangeError"));
    CHECK(is_int(eval("for (let i = 0; i < 1000; i++) new ArrayBuffer(1 << 20); 1"), 1));
    CHECK(seen.memory_calls == 0 && peak_kib() < 3 * PROBE_MEMORY * 1024);
}

static void
buffers_that_grow_are_refused_at_the_limit(void)
{
    CHECK(is_text(eval("const r = new ArrayBuffer(1, { maxByteLength: 5e9 });"
                       "try { r.resize(4e9) } catch (e) { e.name + r.byteLength }"),
        "RangeError1"));
    CHECK(
        is_int(eval("r.resize(30 << 20); new Uint8Array(r).fill(1); r.byteLength >> 20"), 30));
    CHECK(is_text(eval("const g = new SharedArrayBuffer(1, { maxByteLength: 3e9 });"
                       "try { g.grow(3e9) } catch (e) { e.name + g.byteLength }"),
        "RangeError1"));
    CHECK(is_text(eval("try { g.grow(40 << 20) } catch (e) { e.name }"), "RangeError"));
    CHECK(is_int(eval("r.resize(0); g.grow(40 << 20); g.byteLength >> 20"), 40));
    CHECK(seen.memory_calls == 0);
}

static void
wasm_memories_are_refused_at_the_limit(void)
{
    CHECK(is_text(eval("const w = new WebAssembly.Memory({ initial: 1, maximum: 65536 });"
                       "try { for (;;) w.grow(16) } catch (e) {"
                       "  `${e.name} ${w.buffer.byteLength > 50 << 20}"
                       " ${w.buffer.byteLength < 64 << 20}` }"),
        "RangeError true true"));
    CHECK(
        is_text(eval("try { new WebAssembly.Memory({ initial: 2000 }) } catch (e) { e.name }"),
            "RangeError"));
    CHECK(is_text(eval("try { for (const k = [];;) k.push(new WebAssembly.Memory({ initial: 1,"
                       " maximum: 1, shared: true })) } catch (e) { e.name }"),
        "RangeError"));
    CHECK(seen.memory_calls == 0);
    CHECK(is_int(eval("1 + 1"), 2));
}

static void
wasm_tables_count(void)
{
    CHECK(eval("const kept = []; for (;;) { try { kept.push(new WebAssembly.Table({ element: "
               "'anyfunc', initial: 1e6 })) } catch { } }")
              ->end == ENGINE_TERMINATED);
    CHECK(seen.memory_calls > 0);
}

static void
reserved_addresses_cost_nothing_but_are_bounded(void)
{
    struct engine_outcome *out = eval(
        "const kept = []; try { for (;;) kept.push(new ArrayBuffer(0, { maxByteLength: 8e9 "
        "})) } catch (e) { e.name }");

    CHECK(is_text(out, "RangeError") || out->end == ENGINE_TERMINATED);
    engine_terminate_cancel();
    CHECK(is_int(eval("1 + 1"), 2));
}

static void
shares_the_limit(const char *buffer)
{
    CHECK(is_int(eval(buffer), 1));
    CHECK(eval("const l = []; for (;;) { try { for (;;) l.push({ x: l.length }) } catch { } }")
              ->end == ENGINE_TERMINATED);
    CHECK(seen.memory_calls > 0 && seen.memory_event == ENGINE_MEMORY_EXTERNAL);
    CHECK(
        seen.memory_used > PROBE_MEMORY * MIB && seen.memory_used < PROBE_MEMORY * MIB * 9 / 8);
    engine_terminate_cancel();
    CHECK(is_int(eval("b.length >> 20"), 40));
}

static void
heap_and_buffers_share_the_limit(void)
{
    shares_the_limit("globalThis.b = new Uint8Array(40 << 20); 1");
}

/* V8 doesn't count these, so it sees no reason to collect garbage. */
static void
heap_and_shared_buffers_share_the_limit(void)
{
    shares_the_limit("globalThis.b = new Uint8Array(new SharedArrayBuffer(40 << 20)); 1");
}

/* Garbage beside large buffers is no reason to end. */
static void
garbage_is_collected_before_anybody_is_ended(void)
{
    CHECK(is_int(eval("globalThis.b = new Uint8Array(50 << 20);"
                      "for (let i = 0; i < 3e6; i++) ({ i, s: [i] });"
                      "for (let k = 0; k < 40; k++) { const l = [];"
                      "  for (let i = 0; i < 5e4; i++) l.push({ i }) } 7"),
        7));
    CHECK(seen.memory_calls == 0);
}

static void
the_limit_is_where_it_was_set(void)
{
    struct engine_outcome *out =
        eval("globalThis.l = []; try { for (;;) l.push(new Uint8Array(64 << 10)) } catch { }"
             "l.length * (64 << 10)");
    struct engine_statistics now;

    CHECK(out->end == ENGINE_VALUE);
    engine_measure(&now);
    uint64_t all = now.external + now.heap_used;
    CHECK(all <= PROBE_MEMORY * MIB && all > PROBE_MEMORY * MIB * 9 / 10);
}

const struct check memory_checks[] = {
    { "arrays end at the limit", arrays, IN_CELL },
    { "objects end at the limit", objects, IN_CELL },
    { "maps and sets end at the limit", maps_and_sets, IN_CELL },
    { "strings end at the limit", strings, IN_CELL },
    { "closures and promises end at the limit", closures_and_promises, IN_CELL },
    { "functions end at the limit", functions, IN_CELL },
    { "microtasks end at the limit", microtasks, IN_CELL },
    { "a JSON bomb ends", a_json_bomb, MAY_DIE },
    { "a JSON text ends", a_json_text, MAY_DIE },
    { "a big array ends", a_big_array, MAY_DIE },
    { "a doubled string ends", a_doubled_string, MAY_DIE },
    { "a padded string ends", a_padded_string, MAY_DIE },
    { "a sort ends", a_sort, MAY_DIE },
    { "a BigInt ends", a_bigint, MAY_DIE },
    { "one huge object ends", one_huge_object, MAY_DIE },
    { "a result that does not fit ends", a_result_that_does_not_fit, MAY_DIE },
    { "buffers are refused at the limit", buffers_are_refused_at_the_limit, IN_CELL },
    { "buffers that grow are refused at the limit", buffers_that_grow_are_refused_at_the_limit,
        IN_CELL },
    { "wasm memories are refused at the limit", wasm_memories_are_refused_at_the_limit,
        IN_CELL },
    { "wasm tables count", wasm_tables_count, MAY_DIE },
    { "reserved addresses cost nothing but are bounded",
        reserved_addresses_cost_nothing_but_are_bounded, MAY_DIE },
    { "heap and buffers share the limit", heap_and_buffers_share_the_limit, IN_CELL },
    { "heap and shared buffers share the limit", heap_and_shared_buffers_share_the_limit,
        IN_CELL },
    { "garbage is collected before anybody is ended",
        garbage_is_collected_before_anybody_is_ended, IN_CELL },
    { "the limit is where it was set", the_limit_is_where_it_was_set, IN_CELL },
    { NULL, NULL, IN_CELL },
};
