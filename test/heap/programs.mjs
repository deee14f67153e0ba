/* programs.mjs - heaps of many shapes, each a program that keeps what it makes. */
export const programs = {
    empty: ``,
    closures: `const fs = []; for (let i = 0; i < 2000; i++) { const big = 'x'.repeat(i % 50) + i; fs.push(() => big + i); } keep(fs);
        function outer(a) { return function inner(b) { return function (c) { return a + b + c; }; }; } keep(outer({ a: 1 })([2]), outer.bind(null, {}));`,
    classes: `class A { #p = 1; x = {}; get y() { return 1; } static s = [1]; } class B extends A { z = new Map(); }
        { class A { other = 1; } keep(Array.from({ length: 300 }, () => new A())); }
        keep(Array.from({ length: 500 }, () => new B()), Array.from({ length: 200 }, () => new A()), new (class extends Array {})(), new (class Function { q = 1 })(), new (class RegExp { q = 1 })());`,
    maps: `const m = new Map(), s = new Set(); for (let i = 0; i < 3000; i++) { m.set('k' + i, { i }); s.add([i]); } keep(m, s, m.entries(), s.values(), new Map([[{}, m]]));`,
    weak: `const w = new WeakMap(), w2 = new WeakMap(), ws = new WeakSet(); const ks = []; for (let i = 0; i < 800; i++) { const k = { k: i }; ks.push(k); w.set(k, { v: i, chain: ks[i - 1] }); w2.set(w.get(k), k); ws.add(k); }
        keep(w, w2, ws, ks, ks.map((k) => new WeakRef(k))); const fr = new FinalizationRegistry(() => {}); fr.register(ks[0], 'held', ks[1]); keep(fr);
        const eph = new WeakMap(); let key = {}; keep(key); for (let i = 0; i < 300; i++) { const next = { i }; eph.set(key, next); key = next; } keep(eph);
        const line = new WeakMap(); line.set({}, 'a\\nb'); keep(line); const odd = { ') -> value (x @3': 1 }; odd[Symbol('a @1) -> value (b @2) pair in WeakMap (table @3)')] = 1; keep(odd);`,
    typed: `keep(new Uint8Array(100000), new Float64Array(1000), new ArrayBuffer(4096), new SharedArrayBuffer(1024), new DataView(new ArrayBuffer(64)), new Uint8Array(8), new ArrayBuffer(8, { maxByteLength: 1 << 20 }), Buffer.from('hello'));`,
    wasm: `const code = new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 127, 3, 2, 1, 0, 5, 3, 1, 0, 1, 7, 8, 1, 4, 109, 97, 105, 110, 0, 0, 10, 6, 1, 4, 0, 65, 42, 11]));
        keep(code, new WebAssembly.Instance(code), new WebAssembly.Memory({ initial: 1 }), new WebAssembly.Table({ initial: 3, element: 'anyfunc' }));`,
    symbols: `const o = {}; for (let i = 0; i < 200; i++) o[Symbol('s' + i)] = { i }; keep(o, Symbol.for('shared'), Object(Symbol('boxed')), 12345678901234567890n, Object(1n), new Date(), /a+b/gi, new Error('e'));`,
    cycles: `const a = {}, b = { a }; a.b = b; a.self = a; const ring = []; for (let i = 0; i < 500; i++) ring.push({ i }); ring.forEach((r, i) => { r.next = ring[(i + 1) % 500]; r.back = ring[(i + 499) % 500]; r.skip = ring[(i * 7) % 500]; }); keep(a, ring[0]);`,
    proxies: `keep(new Proxy({ t: 1 }, { get() { return 1; } }), Proxy.revocable({}, {}), new Proxy(function () {}, {}));`,
    generators: `function* g(x) { const big = new Array(100).fill(x); yield big; yield x; } const it = g({ deep: 1 }); it.next(); async function f() { await new Promise(() => {}); } keep(it, f(), (async function* () { yield 1; })(), new Promise((r) => keep(r)), Promise.resolve({ p: 1 }).then((v) => v));`,
    prototypes: `let p = null; for (let i = 0; i < 100; i++) { p = Object.create(p); p['level' + i] = i; } keep(p, Object.setPrototypeOf([], p));`,
    list: `let head = null; for (let i = 0; i < 150000; i++) head = { next: head }; keep(head);`,
    strings: `let s = ''; for (let i = 0; i < 300; i++) s += 'part' + i; const parts = []; for (let i = 0; i < 200; i++) parts.push('same' + (i % 5) + 'tail'.repeat(i % 5)); let rope = 'a'; for (let i = 0; i < 40; i++) rope = rope + '-' + i + '\\u00e9\\u20ac';
        keep(s, parts, rope, parts.map((x) => JSON.parse(JSON.stringify(x))), 'x'.repeat(100000), 'abcdefghijklmnopqrstuvwxyz'.repeat(10).slice(3, 60), '\\ud83d\\ude00 \\u0000 \\ud800 " \\\\ \\u2028', ['l' + 'e'.repeat(5), 'le' + 'e'.repeat(4)]);`,
    shapes: `const rows = []; for (let i = 0; i < 900; i++) { rows.push({ id: i, name: 'n', tags: [] }); if (i % 2) rows.push({ name: 'n', id: i, tags: null, extra: i }); if (i % 3 === 0) rows.push({ a: 1, 'b,c': 2, "d'e": 3, 'f"g': 4, '{h}': 5 }); if (i % 5 === 0) { const d = {}; for (let k = 0; k < i; k++) d['key' + k] = {}; rows.push(d); } }
        for (let i = 0; i < 50; i++) rows.push({ ['a'.repeat(130)]: 1, short: 2 }, { ['a'.repeat(60)]: 1, ['b'.repeat(50)]: 2, ['c'.repeat(40)]: 3, ['\\u00e9'.repeat(30)]: {} }, { ['']: 1 }, { __proto__: null, only: {} }, { ['__proto__']: {}, only: {} }, { get x() { return 1; }, set x(v) {} }); keep(rows);`,
    dictionaries: `const d = {}; for (let i = 0; i < 5000; i++) d['k' + i] = { i }; delete d.k3; keep(d); const sparse = []; sparse[1e6] = { far: 1 }; for (let i = 0; i < 40; i++) sparse[i * 1000] = {}; keep(sparse, Object.freeze({ a: {} }), new Array(5000).fill(0.5), [, , {}]);`,
    functions: `keep(eval('(function named(a, b = 1, ...c) { return a; })'), new Function('a', 'return a'), Object.getOwnPropertyDescriptors(class { static #x = 1; static m() {} }), arguments0());  function arguments0() { return arguments; }`,
    realms: `const vm = require('vm'); for (let i = 0; i < 3; i++) { const c = vm.createContext({ n: i, shared: keep }); vm.runInContext('var list = []; for (let i = 0; i < 200; i++) list.push({ i, a: [i] }); class Local { x = {} } var l = new Local(); globalThis.f = () => l;', c); keep(c, c.list); }`,
    iterators: `keep([1, 2][Symbol.iterator](), 'abc'[Symbol.iterator](), 'abc'.matchAll(/a/g), new Intl.NumberFormat('en'), new Intl.Segmenter('en'), structuredClone({ a: [1] }));`,
    mixed: `class Session { constructor(i) { this.user = { id: i, name: 'user' + i }; this.cache = new Map([[i, { at: new Date(i) }]]); this.handlers = [() => this, () => i]; } } const all = new Map(); for (let i = 0; i < 1500; i++) all.set(i, new Session(i)); keep(all); for (let i = 0; i < 300; i++) all.delete(i * 3);`,
};
