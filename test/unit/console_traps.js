// Values of every kind on which everything that can run code does; `ran` lists what did run.
globalThis.ran = [];
const hit = (name) => function () { ran.push(name); };
const handler = new Proxy({}, { get(_, trap) { ran.push('trap ' + String(trap)); } });
const trap = (o, ...keys) => {
  for (const key of keys)
    Object.defineProperty(o, key, {
      __proto__: null, get: hit('get ' + String(key)), set: hit('set ' + String(key)), enumerable: true, configurable: true,
    });
  return o;
};
const names = ['constructor', 'name', 'message', 'stack', 'cause', 'errors', 'toString', 'toJSON', 'valueOf', 'length', 'size',
  'depth', 'showHidden', 'then', 'get', 'value', Symbol.toStringTag, Symbol.toPrimitive, Symbol.iterator, Symbol.hasInstance,
  Symbol.for('nodejs.util.inspect.custom')];
const { entries } = Map.prototype;
const fresh = () => [{}, function f() {}, class K {}, new Map([[1, 2]]), new Set([1]), new Error('e'),
  new TypeError('t', { cause: 1 }), new AggregateError([1]), new Date(0), /x/g, new Uint8Array(2), new ArrayBuffer(2),
  new DataView(new ArrayBuffer(2)), Promise.resolve(1), new WeakMap(), new WeakRef({}), new Number(1), new String('s'),
  Object(Symbol('q')), Object(1n), entries.call(new Map([[1, 2]])), new Set([1]).values(), (function* () {})(), [1, 2],
  (function () { return arguments; })(1), (() => {}).bind(), async () => {}];
const free = (o) => names.filter((n) => Object.getOwnPropertyDescriptor(o, n)?.configurable ?? true);
const make = () => [
  ...fresh().map((o) => trap(o, ...free(o))),
  ...fresh().map((o) => new Proxy(o, handler)),
  ...fresh().map((o) => Object.setPrototypeOf(o, trap({}, ...names))),
  ...fresh().map((o) => Object.setPrototypeOf(o, new Proxy({}, handler))),
  ...fresh().map((o) => Object.setPrototypeOf(o, trap(Object.create(null), ...names))),
  Object.create(new Proxy(function () {}, handler)),
  trap([1, 2], 0, 1), trap([1, , 3], 1), trap(new String('ab'), 7),
  [{ a: trap({}, 'x') }, [trap({}, 'y')]],
  Object.create({ constructor: new Proxy(class {}, handler) }),
  Object.create({ constructor: trap(class {}, 'name', Symbol.hasInstance) }),
  Object.create({ constructor: Object.defineProperty(function Q() {}, 'prototype', {
    __proto__: null, value: new Proxy({}, handler),
  }) }),
  Object.assign(new Error('e'), { name: { toString: hit('name') }, message: { toString: hit('message') } }),
  Object.assign(new Error('e'), { stack: trap({}, 'a') }), trap(new Error('e'), 'stack'),
];
let values = make();
// The second half: errors whose stack would be made by the guest.
globalThis.prepare = () => {
  values = make();
  Error.prepareStackTrace = hit('prepareStackTrace');
  trap(Object.prototype, 'prepareStackTrace');
  ran.length = 0;
};
for (const method of ['get', 'set', 'has', 'entries', 'forEach', Symbol.iterator])
  Object.defineProperty(Map.prototype, method, { value: hit('Map ' + String(method)) });
Object.defineProperty(Array.prototype, 'toJSON', { value: hit('toJSON') });
Object.defineProperty(Function.prototype, 'toString', { value: hit('toString') });
trap(Object.prototype, 'get', 'set', 'value', 'enumerable', 'writable', 'toJSON');
ran.length = 0;
