console.log('plain'); console.log(); console.log(''); console.log(1, 'two', [3], { four: 4 });
console.log(undefined, null, true, false, 0, -0, 1.5, NaN, Infinity, -Infinity, 1e21, 1e-7, 123456789012345680000);
console.log(10n, -5n, [1n, -2n], Symbol('s'), Symbol(), Symbol.iterator, [Symbol('x\ny')]);
console.log(['a', "it's", 'say "hi"', `it's "both"`, `all '"\``, 'tab\tnew\nback\\', '\x00\x1b\x7f\x9f', '\u2028']);
console.log(['\ud800', 'a\udc00b', '\ud83d\ude00', '${x}\'"']);
console.log('\ud83d\ude00 \u00e9 \u4e2d');
console.log([[[[[1]]]], { a: { b: { c: { d: 1 } } } }]);
console.log({ a: 1, 'b-c': 2, 3: 4, _x$: 5, $: 6, '': 7, [Symbol('k')]: 8, 'it\'s': 9, __proto__: null });
console.log({ ['__proto__']: 1, a_b1: 2, 'A.b': 3 });
console.log([1, , 3], [, ,], new Array(5), [undefined, , null], Object.assign([1, 2], { x: 1, '-1': 2 }));
console.log(Array.from({ length: 101 }, (_, i) => i)); console.log(Array.from({ length: 150 }, (_, i) => i * 1000));
console.log(Array.from({ length: 7 }, (_, i) => 'item number ' + i), Array.from({ length: 30 }, (_, i) => 'x'.repeat(i % 9)));
console.log(Array.from({ length: 20 }, (_, i) => ({ i })), Array.from({ length: 10 }, () => [1, 2]));
console.log(Object.assign(Array.from({ length: 120 }, (_, i) => i % 3 ? i : -i), { extra: true }));
{ const a = []; a[50] = 1; a[200] = 2; a.x = 'y'; console.log(a); const b = []; b[4294967294] = 1; console.log(b); }
{ const a = []; for (let i = 0; i < 300; i += 2) a[i] = i; console.log(a); }
console.log(Array.from({ length: 8 }, (_, i) => 10 ** i), Array.from({ length: 8 }, (_, i) => -(1.5 ** i)), [1.25, 2, 3, 4, 5, 6, 77777]);
console.log(Array.from({ length: 12 }, (_, i) => '\u4e2d'.repeat(i % 4)), Array.from({ length: 9 }, (_, i) => BigInt(i) ** 9n));
console.log(new Map([[1, 'a'], ['k', { v: [1, { deep: {} }] }]]), new Map(), new Set([1, 'x', [2]]), new Set());
console.log(new Map([[{ a: 1 }, new Set([new Map([[1, new Map()]])])]]), new Set(Array.from({ length: 110 }, (_, i) => i)));
console.log(new Map(Array.from({ length: 103 }, (_, i) => [i, { i }])));
console.log(Object.assign(new Map([[1, 2]]), { x: 1 }), Object.assign(new Set(), { y: 2 }));
console.log(new Map([[1, 2]]).entries(), new Map([['a', { b: 1 }]]).keys(), new Map([[1, 2]]).values(), new Set([5]).values(), new Set([5]).entries(), new Map().entries());
console.log(new WeakMap(), new WeakSet(), new WeakRef({}), [][Symbol.iterator](), 'x'[Symbol.iterator](), (function* g() {})());
console.log(new Uint8Array(3), new Float64Array([1.5, -0]), new BigInt64Array(2), new Uint8ClampedArray(0), new Float16Array([1.5]), new Int16Array(120));
console.log(new ArrayBuffer(4), new ArrayBuffer(0), new Uint8Array(130).fill(255).buffer, new SharedArrayBuffer(2), new DataView(new ArrayBuffer(3), 1));
{ const b = new ArrayBuffer(8); const u = new Uint8Array(b); b.transfer(); console.log(b, u); }
console.log(new Date(0), new Date(NaN), [new Date(86400000)], Object.assign(new Date(1), { x: 1 }));
console.log(/a\/b/gi, [/x/], /(?<n>y)/dgimsuy, Object.assign(/z/, { p: 1 }), { r: { r: { r: Object.assign(/z/, { p: 1 }) } } });
console.log(new Number(3), new String('abc'), new Boolean(false), Object(5n), Object(Symbol('q')), Object.assign(new String('ab'), { x: 1 }), new Number(-0));
console.log(function () {}, function named() {}, () => {}, async () => {}, function* gen() {}, async function* ag() {}, async function af() {});
console.log(class {}, class A {}, class B extends Array {}, class D extends null {}, Math.max, Map, Object.assign(() => {}, { a: 1 }));
console.log({ f() {}, get g() { throw 1; }, set s(x) {}, get gs() { return 1; }, set gs(x) {}, async m() {}, c: class X { static y = 1; } });
class Foo { constructor() { this.a = 1; } get x() { return 2; } } class Bar extends Foo { #p = 3; b = [new Foo()]; } console.log(new Foo(), new Bar(), [new Bar()], { n: { n: { n: new Bar() } } });
console.log(new (class extends Map {})([[1, 2]]), new (class Stack extends Array {})(3), new (class MySet extends Set {})(), new (class P extends Promise {})(() => {}));
console.log(new (class U extends Uint8Array {})(2), new (class Fn extends Function {})('return 1'), new (class Dt extends Date {})(0), new (class Rx extends RegExp {})('a', 'g'));
console.log(Object.create(null), Object.assign(Object.create(null), { a: 1 }), Object.create({}), Object.create({ a: 1 }), Object.create(Object.create(null)), Object.create(Foo.prototype));
console.log(Object.setPrototypeOf([1], null), Object.setPrototypeOf(new Map([[1, 2]]), null), Object.setPrototypeOf(new Date(0), null), Object.setPrototypeOf(() => {}, null), Object.setPrototypeOf(/x/, null));
console.log({ [Symbol.toStringTag]: 'own' }, new (class T { get [Symbol.toStringTag]() { return 'getter'; } })().constructor.name, Object.create({ [Symbol.toStringTag]: 'inherited' }), new (class Z { static {} })());
class Tagged {} Object.defineProperty(Tagged.prototype, Symbol.toStringTag, { value: 'tag' }); console.log(new Tagged(), Object.assign(new Tagged(), { a: 1 }));
console.log(Math, JSON, Reflect, Intl, Atomics, globalThis === undefined, new Intl.Collator().constructor.name);
{ const o = { name: 'o' }; o.self = o; o.list = [o, { o }]; console.log(o); const a = [1]; a.push(a); console.log(a, { a }); }
{ const a = {}, b = { a }; a.b = b; console.log(a, [a, b], { x: { y: a } }); const m = new Map(); m.set(m, m); console.log(m); const s = new Set(); s.add(s); console.log(s); }
console.log(Promise.resolve(4), Promise.reject(new RangeError('no').message).catch(() => {}) && new Promise(() => {}), Promise.resolve({ a: [1] }));
{ const p = Promise.reject(3); p.catch(() => {}); console.log(p); }
console.log((function () { return arguments; })(1, 'b'), (function () { return arguments; })());
console.log(new Proxy({ a: 1 }, { get() { throw 1; }, ownKeys() { throw 2; }, getOwnPropertyDescriptor() { throw 3; }, getPrototypeOf() { throw 4; } }), new Proxy([1, 2], {}), new Proxy(function f() {}, {}), new Proxy(new Proxy({}, {}), {}));
{ const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); console.log(proxy, [proxy], new Proxy(proxy, {})); }
{ const o = {}; o.p = new Proxy(o, {}); console.log(o); }
Error.stackTraceLimit = 1; console.log(new Error('boom')); console.log([new TypeError('inner')]); console.log({ e: new RangeError('two\nlines') });
console.log(new Error(''), new Error('x', { cause: 'why' }), Object.assign(new Error('with'), { code: 'E_X', extra: { a: 1 } }));
console.log(new Error('outer', { cause: new TypeError('inner') })); console.log(new AggregateError([new Error('one'), 2], 'many'));
console.log(new (class MyError extends Error {})('mine'), new (class Oops extends TypeError { get name() { return 'Other'; } })('getter').message, new (class ValidationError extends Error { name = 'ValidationError'; })('named'));
{ const e = new Error('renamed'); e.name = 'Custom'; console.log(e); }
{ const e = new Error('nostack'); e.stack = undefined; console.log(e); const f = new Error('s'); f.stack = 'my own stack'; console.log(f); delete f.stack; console.log(f); }
{ const e = new Error('one'); e.stack = 'Error: one\n    at a (f.js:1:1)\n    at b (f.js:2:2)'; console.log(e, { e }, [[e]]); e.self = e; console.log(e); }
{ const c = new Error('c'), e = new Error('e', { cause: c }); const f = '\n    at a (x:1:1)\n    at b (x:2:2)\n    at c (x:3:3)\n    at d (x:4:4)\n    at e (x:5:5)'; c.stack = 'Error: c\n    at z (y:1:1)' + f; e.stack = 'Error: e\n    at w (y:2:1)' + f; console.log(e); }
{ const e = new Error('deep'); e.stack = 'Error: deep'; console.log({ a: { b: { c: e, d: { f: e } } } }); console.log(Object.setPrototypeOf(e, null)); }
console.log({ a: 'x'.repeat(70), b: 1 }); console.log({ a: 'x'.repeat(30), b: 'y'.repeat(30), c: 'z'.repeat(30) }); console.log({ a: 1, b: { c: [1, 2, { d: 3 }] } });
console.log([{ name: 'a long enough name', value: [1, 2, 3], other: 'text' }, { name: 'another long name', value: [4, 5, 6], other: 'more' }]);
console.log({ text: 'line one\nline two\nline three and some more to make it longer than the line\n' }, ['a\nb']);
console.log(['x'.repeat(10001)].map(s => s.length), ['y'.repeat(10003)][0].length); console.log(['z'.repeat(10002)]);
console.log({ a: [{ b: { c: {} } }], d: { e: { f: [] } }, g: [[[[]]]], h: { i: { j: new Map() } }, k: { l: { m: new Foo() } } });
console.log({ aaaaaaaaaaaaaaaaaaaaaaaa: 1, bbbbbbbbbbbbbbbbbbbbbbbbbbbbb: 2, ccccccccccccccccccccc: 3, ddd: 4 }); console.log({ k: function aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa() {}, l: class bbbbbbbbbbbbbbbbbbbbbbbb {} });
console.log('%s|%s|%s|%s|%s', 'str', 42, -0, 10n, Symbol('x')); console.log('%s %s %s', undefined, null, true); console.log('%s', { a: { b: { c: 1 } } }, 'rest');
console.log('%s', [1, [2, [3]]]); console.log('%s', function foo(a) { return a; }); console.log('%s', class Q { m() {} }); console.log('%s', new Date(0)); console.log('%s', new Foo());
console.log('%d|%d|%d|%d|%d', 42, '0x10', 'abc', 5n, Symbol('s')); console.log('%d %d %d', -0, null, undefined); console.log('%d', new Date(5)); console.log('%d', {});
console.log('%i|%i|%i|%i|%i', 42.9, '12px', 'abc', 7n, -3.7); console.log('%i %i', '0x1F', Symbol('s')); console.log('%f|%f|%f|%f', '1.5e3x', 2, 'x', '-.5'); console.log('%f', '  -Infinityx');
console.log('%j', { a: [1, 'x', null, undefined, { b: true }] }); console.log('%j', 'str'); console.log('%j', undefined); { const c = {}; c.c = c; console.log('%j', c); }
console.log('%O', { a: { b: { c: { d: 1 } } } }); console.log('%o', [1, 'a']); console.log('%o', { f() {} }); console.log('%o', { a: { b: { c: { d: { e: 1 } } } } }); console.log('%o', new Proxy({ a: 1 }, {}));
console.log('%o', function fn() {}); console.log('%o', new Uint8Array(2)); console.log('%o', 'text'); console.log('%o', new Map([[1, { a: 2 }]])); console.log('%o', new WeakSet()); console.log('%o', new ArrayBuffer(2));
console.log('%c styled %c off', 'color: red', ''); console.log('100%', 5); console.log('%% %s', 'x'); console.log('%%'); console.log('%s'); console.log('%x %s', 1, 2); console.log('a%', 'b'); console.log('%s%s', 'one'); console.log('%', 1, '%s');
console.log('%s', 'a', 'b', { c: 1 }); console.log({ a: 1 }, '%s', 'x'); console.log('%s', '\n', 'x'); console.log('%%%s%%', 1); console.log('no args %d'); console.log('%s', 'x'.repeat(20000).length);
console.info('info', 1); console.debug('debug'); console.warn('warn %s', 'x'); console.error('error', { a: 1 }); console.dirxml({ a: 1 }, [2]);
console.dir('str'); console.dir({ a: { b: { c: { d: {} } } } }); console.dir({ a: { b: { c: { d: {} } } } }, { depth: 0 }); console.dir({ a: { b: { c: { d: {} } } } }, { depth: null }); console.dir([1], { showHidden: true });
console.assert(true, 'never'); console.assert(false); console.assert(0, 'msg %s', 'x'); console.assert(null, { a: 1 }); console.assert();
console.count(); console.count(); console.count('x'); console.count(undefined); console.count('default'); console.countReset(); console.count(); console.countReset('x'); console.count('x'); console.count(5);
console.group('outer'); console.log('in\nside'); console.group(); console.warn({ a: 1, b: 'x'.repeat(80) }); console.groupEnd(); console.log('back'); console.groupCollapsed('c', 1); console.log(); console.groupEnd(); console.groupEnd(); console.groupEnd(); console.log('out');
console.table([{ a: 1, b: 'x' }, { a: 2, c: { d: 1 } }]); console.table([[1, 2], [3, 4, 5]]); console.table([1, 'two', { three: 3 }]); console.table({ r1: { c: 1 }, r2: { c: 2 } });
console.table(new Map([['a', 1], ['b', { c: 2 }]])); console.table(new Set([1, 'x'])); console.table(5); console.table('str'); console.table(null); console.table([]); console.table([{ a: 1, b: 2 }], ['b']); console.table([{ a: 1 }, 5], ['a', 'z']);
console.table([{ name: '\u4e2d\u6587', v: [1, 2, 3, 4] }, { name: 'b', v: { x: 1, y: 2, z: 3 } }]); console.table(new Map([[1, 2]]).entries()); console.table(new Map([[1, 2]]).keys()); console.table(new Set([3]).values()); console.table([true, null, undefined, () => {}]);
console.log([1.0, 2.5, -3], [true, false], [null, undefined], ['a', 1, null, undefined, true, 2n, Symbol('z'), {}], { a: undefined, b: null });
console.log(Object.freeze([1]), Object.freeze({ a: 1 }), Object.defineProperty({}, 'hidden', { value: 1 }), Object.defineProperty([], 'x', { value: 1 }), Object.defineProperty([1], 0, { get() { throw 1; } }));
console.log({ a: { b: { c: {} } } }.a, { a: { b: [] } }, { a: { b: { c: [] } } }, { a: { b: { c: [1] } } }, { a: { b: { c: new Date(0) } } }, { a: { b: { c: () => {} } } });
console.log(Object.assign(function big() {}, { list: [1, 2, 3], o: { p: { q: {} } } }), Object.assign(class Big {}, { x: 1 }), Object.assign(() => {}, { prototype: 1 }));
console.log((() => {}).bind(), (function n() {}).bind(null), Object.defineProperty(() => {}, 'name', { value: 'renamed' }), Object.defineProperty(function x() {}, 'name', { value: '' }), Object.defineProperty(function x() {}, 'name', { value: 5 }));
console.log(new Array(3).fill().map((_, i) => ({ id: i, tags: ['a', 'b'], nested: { deep: { deeper: i } } })));
console.log(Array.from({ length: 26 }, (_, i) => String.fromCharCode(97 + i)), Array.from({ length: 16 }, (_, i) => 2 ** (i * 3)), Array.from({ length: 60 }, (_, i) => i % 2 === 0));
console.log(new Set(Array.from({ length: 12 }, (_, i) => 'value ' + i)), new Map(Array.from({ length: 8 }, (_, i) => ['key' + i, 'value' + i])));
console.log(Object.fromEntries(Array.from({ length: 30 }, (_, i) => ['key' + i, i]))); console.log({ a: Array.from({ length: 30 }, (_, i) => i), b: { c: Array.from({ length: 30 }, (_, i) => 'i' + i) } });
console.log([Array.from({ length: 10 }, (_, i) => i), Array.from({ length: 10 }, (_, i) => i * 11)], [['a'.repeat(20), 'b'.repeat(20)], ['c'.repeat(20), 'd'.repeat(20)]]);
console.log(new (class extends Foo {})(), new (class { x = 1; })(), new (function Old() { this.y = 2; })(), new (Object.assign(function Temp() {}, { prototype: null }))());
console.log(Object.prototype, Array.prototype, Function.prototype, Map.prototype, Foo.prototype, Bar.prototype, Date.prototype, Error.prototype.constructor === Error);
console.log([new Error('in array')], new Map([['e', new Error('in map')]]), { e: Object.assign(new Error('k'), { name: 'N' }) });
for (let n = 40; n < 90; n++) { console.log({ a: 'x'.repeat(n), b: 1 }); console.log(['y'.repeat(n)], n); console.log({ k: { a: 'z'.repeat(n - 20), b: [n] } }); }
for (let n = 1; n < 45; n++) { console.log(Array.from({ length: n }, (_, i) => i ** 3)); console.log(Array.from({ length: n }, (_, i) => 'v'.repeat(i % 7))); console.log({ in: Array.from({ length: n }, (_, i) => i * n / 7) }); }
for (let n = 0; n < 30; n++) { console.log({ s: 'line\n' + 'y'.repeat(n), t: 'z\n'.repeat(n) }); console.log([['q'.repeat(n) + '\n' + 'r'.repeat(n)]]); console.log(new Map([['w'.repeat(n * 3), { x: [n] }]])); }
class Bare {} const random = ((seed) => (limit) => Math.floor((seed = (seed * 69069 + 12345) % 4294967296) / 65536) % limit)(7); const word = () => 'abcdefghijklmnopqrstuvwxyz \n\'"'.slice(random(26), 26 + random(5)).repeat(random(4));
const kinds = [() => random(2) ? random(100000) : -random(1000) / 8, word, () => BigInt(random(9999)), () => [undefined, null, true, false, NaN, -0][random(6)], () => Symbol(word()), () => new Date(random(2147483647) * 1000), () => /a+/g, () => function named() {}, () => class Named {}, () => new Error(word())];
const value = (depth) => { const size = random(12); const items = () => Array.from({ length: size }, () => value(depth + 1)); switch (depth > 4 ? 9 : random(10)) { case 0: case 1: return items(); case 2: case 3: return Object.fromEntries(items().map((v, i) => [random(3) ? 'key' + i : word() + i, v])); case 4: return new Map(items().map((v, i) => [random(2) ? i : v, v])); case 5: return new Set(items()); case 6: return new Uint8Array(items().length).map(() => random(256)); case 7: return Object.assign(Object.create(random(2) ? null : Bare.prototype), { a: value(depth + 1) }); default: return kinds[random(kinds.length)](); } };
Error.stackTraceLimit = 0; for (let i = 0; i < 400; i++) console.log(value(0));
for (let i = 0; i < 200; i++) console.log([value(1), value(2)], { x: value(1) }); for (let i = 0; i < 60; i++) console.log('%o', value(2)); for (let i = 0; i < 30; i++) console.table([value(2), value(2), value(3)]);
