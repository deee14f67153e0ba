// clone_oracle.js - compares our structured-clone codec with V8's own, on generated values.
//
//     node clone_oracle.js <clone_tool> [seed]
//
// Each value is serialised by V8, read and written again by clone_tool, and read by V8: it must
// come out the same, with its shared and cyclic references. Where the format leaves no choice, our
// bytes must be V8's. JSON must be JSON.stringify's and read as JSON.parse does; text, util.inspect's.
'use strict';

const { spawnSync } = require('node:child_process');
const { inspect } = require('node:util');
const v8 = require('node:v8');

const [tool, seedText] = process.argv.slice(2);
const seed = Number(seedText ?? 20261122);
const ROUNDS = 4000;

// --- random values ---------------------------------------------------------------------------

let state = seed >>> 0;
function random() { // mulberry32
  state = (state + 0x6D2B79F5) >>> 0;
  let t = state;
  t = Math.imul(t ^ (t >>> 15), t | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
const below = (n) => Math.floor(random() * n);
const pick = (list) => list[below(list.length)];

const bits = new DataView(new ArrayBuffer(8));
function anyDouble() {
  bits.setUint32(0, below(2 ** 32));
  bits.setUint32(4, below(2 ** 32));
  return bits.getFloat64(0);
}

const specialNumbers = [NaN, Infinity, -Infinity, -0, 0, 2 ** 31, -(2 ** 31) - 1, 2 ** 53, -(2 ** 53),
  Number.MAX_VALUE, Number.MIN_VALUE, 1e21, 1e-7, 123456789012345680000, 0.1, -1.5, 5e-324, 1e300,
  2 ** -1017, 2 ** -1022, 4.35, 0.000001, 1.7976931348623157e308, 2 ** 70, 9007199254740993];
const integers = [0, 1, -1, 2, 42, -128, 255, 2 ** 31 - 1, -(2 ** 31), 65536];

// `plain`: only what has one encoding, so that bytes can be compared. V8 writes an integer as a
// double when it shares an array or a hidden class with doubles.
function number(plain) {
  if (plain || random() < 0.5) return random() < 0.5 ? pick(integers) : below(2 ** 32) | 0;
  if (random() < 0.3) return pick(specialNumbers);
  if (random() < 0.3) return 2 ** (below(2098) - 1074);
  return random() < 0.5 ? anyDouble() : random() * 10 ** below(30);
}

const pieces = ['a', 'bc', '"', '\\', '\n', "'", '`', ' ', 'é', 'ÿ', '€', '😀', '\ud800', '\udc00',
  'x'.repeat(40), '\0', '\x1b[31m', '${', '日本', '\x7f'];
function string() {
  let s = '';
  for (let n = below(5); n > 0; n--) s += pick(pieces);
  return s;
}

function key() {
  return pick([() => pick(['a', 'b', 'name', 'x y', '__proto__', '', 'length', 'key', '-1', '1.5', '01',
    '4294967295', 'constructor', 'é', '€uro']), () => String(below(10)), () => String(below(2 ** 32 - 1)), string])();
}

function bigint() {
  let b = 0n;
  for (let n = below(6); n > 0; n--) b = (b << 40n) + BigInt(below(2 ** 40));
  return random() < 0.5 ? -b : b;
}

const define = (o, k, value) =>
  Object.defineProperty(o, k, { value, enumerable: true, configurable: true, writable: true });

class Generator {
  constructor(plain) {
    this.plain = plain;
    this.pool = []; // objects that may be referred to again
    this.left = 40;
  }

  keep(o) { this.pool.push(o); return o; }

  buffer() {
    const len = below(40);
    const buffer = random() < 0.3 ? new ArrayBuffer(len, { maxByteLength: len + below(50) }) : new ArrayBuffer(len);
    new Uint8Array(buffer).forEach((_, i, all) => { all[i] = below(256); });
    return this.keep(buffer);
  }

  view() {
    const buffers = this.pool.filter((o) => o instanceof ArrayBuffer);
    const buffer = buffers.length > 0 && random() < 0.5 ? pick(buffers) : this.buffer();
    const Type = pick([Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array,
      Uint32Array, Float16Array, Float32Array, Float64Array, BigInt64Array, BigUint64Array, DataView]);
    const size = Type.BYTES_PER_ELEMENT ?? 1;
    const offset = below(Math.floor(buffer.byteLength / size) + 1) * size;
    if (buffer.resizable && random() < 0.5) return this.keep(new Type(buffer, offset));
    return this.keep(new Type(buffer, offset, below(Math.floor((buffer.byteLength - offset) / size) + 1)));
  }

  array(depth) {
    const a = this.keep(this.plain ? [] : new Array());
    for (let n = below(8); n > 0; n--) a.push(this.value(depth));
    if (!this.plain) this.punch(a, depth);
    if (random() < 0.1) a[pick(['extra', 'b', 'é'])] = this.value(depth);
    if (random() < 0.05) { // many elements, sometimes of one kind
      const make = pick([() => below(1000), () => 'w'.repeat(below(9)), () => number(this.plain), () => below(2) === 1]);
      for (let n = below(150); n > 0; n--) a.push(make());
    }
    return a;
  }

  // Never in a plain value: V8 writes an array without holes as a sparse one if it ever had any,
  // or if it comes from a place in the code whose arrays did.
  punch(a, depth) {
    if (random() < 0.2 && a.length > 0) delete a[below(a.length)];
    if (random() < 0.1) a[a.length + below(20)] = this.value(depth);
    if (random() < 0.02) a[2 ** 31 + below(2 ** 31 - 1)] = this.value(depth);
    if (random() < 0.05 && a.length < 1000) a.length += 1 + below(5);
    if (random() < 0.02 && a.length < 1000) a[below(20000)] = this.value(depth);
  }

  object(depth) {
    const o = this.keep({});
    const count = random() < 0.05 ? 40 : below(6);
    for (let n = count; n > 0; n--) define(o, key(), this.value(count > 6 ? 9 : depth));
    return o;
  }

  map(depth) {
    const m = this.keep(new Map());
    for (let n = random() < 0.05 ? 30 : below(5); n > 0; n--) m.set(this.value(depth), this.value(depth));
    return m;
  }

  set(depth) {
    const s = this.keep(new Set());
    for (let n = random() < 0.05 ? 30 : below(5); n > 0; n--) s.add(this.value(depth));
    return s;
  }

  error(depth) {
    const Type = pick([Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError]);
    // Node shows the text of an error as it is; we escape it, so it has nothing to escape here.
    const e = random() < 0.3 ? new Type() : new Type(pick(['', 'why', 'é €', 'two\nlines', 'x'.repeat(70)]));
    this.keep(e);
    // A stack of V8's own may be a two-byte string for no reason to be seen.
    e.stack = pick([undefined, 'short', `${e.name}: ${e.message}\n    at here:1:1`]);
    if (random() < 0.3) Object.defineProperty(e, 'cause', { value: this.value(depth), writable: true, configurable: true });
    return e;
  }

  leaf() {
    return pick([() => number(this.plain), () => number(this.plain), string, string, () => true, () => false, () => null,
      () => undefined, bigint])();
  }

  object_leaf() {
    return this.keep(pick([() => new Date(below(2 ** 42) - 2 ** 41), () => new Date(pick([NaN, 8.64e15, -8.64e15, -62198755200000])),
      () => new RegExp(pick(['a+', '(b|c)', '/', '\\d', '', 'é', '€']), pick(['', 'g', 'dgimsuy', 'v', 'iy'])),
      () => Object(number(this.plain)), () => Object(string()), () => Object(random() < 0.5), () => Object(bigint()),
      ])());
  }

  value(depth) {
    if (depth >= 5 || this.left-- <= 0 || random() < 0.35) return this.leaf();
    if (this.pool.length > 0 && random() < 0.12) return pick(this.pool);
    return pick([() => this.array(depth + 1), () => this.array(depth + 1), () => this.object(depth + 1),
      () => this.object(depth + 1), () => this.map(depth + 1), () => this.set(depth + 1), () => this.error(depth + 1),
      () => this.object_leaf(), () => this.view(), () => this.buffer()])();
  }
}

// --- comparing -------------------------------------------------------------------------------

// util.isDeepStrictEqual takes two graphs for equal whose references differ; this one does not.
function same(a, b, partner = new Map(), reverse = new Map()) {
  if (typeof a !== 'object' || a === null || typeof b !== 'object' || b === null) return Object.is(a, b);
  if (partner.has(a) || reverse.has(b)) return partner.get(a) === b && reverse.get(b) === a;
  partner.set(a, b);
  reverse.set(b, a);
  const deep = (x, y) => same(x, y, partner, reverse);
  const all = (x, y) => x.length === y.length && x.every((_, i) => deep(x[i], y[i]));
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  if (a instanceof Date) return Object.is(a.getTime(), b.getTime());
  if (a instanceof RegExp) return a.source === b.source && a.flags === b.flags;
  if (a instanceof Number || a instanceof String || a instanceof Boolean || a instanceof BigInt) return Object.is(a.valueOf(), b.valueOf());
  if (a instanceof Map) return all([...a].flat(1), [...b].flat(1));
  if (a instanceof Set) return all([...a], [...b]);
  if (a instanceof ArrayBuffer)
    return a.resizable === b.resizable && a.maxByteLength === b.maxByteLength && Buffer.from(a).equals(Buffer.from(b));
  if (ArrayBuffer.isView(a))
    return a.byteOffset === b.byteOffset && a.byteLength === b.byteLength && deep(a.buffer, b.buffer);
  if (a instanceof Error)
    return a.message === b.message && a.stack === b.stack && Object.hasOwn(a, 'message') === Object.hasOwn(b, 'message') &&
      Object.hasOwn(a, 'cause') === Object.hasOwn(b, 'cause') && deep(a.cause, b.cause);
  if (Array.isArray(a) && a.length !== b.length) return false;
  const keys = Object.keys(a), others = Object.keys(b);
  return keys.length === others.length && keys.every((k, i) => k === others[i] && deep(a[k], b[k]));
}

function serialize(value) {
  const s = new v8.Serializer();
  s.writeHeader();
  s.writeValue(value);
  return s.releaseBuffer();
}

function deserialize(bytes) {
  const d = new v8.Deserializer(bytes);
  d.readHeader();
  return d.readValue();
}

const EINVAL = -11;
function json(value, indent) {
  try {
    const text = JSON.stringify(value, null, indent);
    return text === undefined ? { status: EINVAL, text: '' } : { status: 0, text };
  } catch (error) {
    if (error instanceof TypeError) return { status: EINVAL, text: '' };
    return null; // past what JSON.stringify can do: a huge sparse array
  }
}

// --- the run ---------------------------------------------------------------------------------

function hugeArray(value, seen = new Set()) {
  if (typeof value !== 'object' || value === null || seen.has(value)) return false;
  seen.add(value);
  if (Array.isArray(value) && value.length > 100000) return true;
  const inner = value instanceof Map ? [...value].flat(1) : value instanceof Set ? [...value] : Object.values(value);
  return [...inner, value.cause].some((v) => hugeArray(v, seen));
}

const fixed = [undefined, null, true, false, 0, -0, 1.5, NaN, '', 'é', '€', '\ud800', 0n, -1n, 2n ** 64n, [], {}, [,], [1, , 3],
  new Array(5), new Map(), new Set(), new ArrayBuffer(0), new Date(0), /x/g, { __proto__: null, ['__proto__']: 1 },
  { 3: 'c', b: 1, 1: 'a', a: 2 }, new Map([['k', new Map([[1, 2]])]]), [[[[[[]]]]]], 'a\nb'.repeat(40), ['a\nb'.repeat(40)],
  Array.from({ length: 120 }, (_, i) => i), Array.from({ length: 30 }, (_, i) => 'word'.repeat(i % 5)),
  new Uint8Array(200), new Uint8Array(0), new Float64Array([1.5, -0, NaN]), new DataView(new ArrayBuffer(4)), 'x'.repeat(20000),
  { deep: { deeper: { deepest: { end: 1 } } } }, new Error('no stack'), Object.assign([1, 2], { k: 3 }),
  { a: 'x'.repeat(30), b: 'y'.repeat(30), c: 'z'.repeat(30) }, new Set([[1, 2], { a: 1 }])];

const values = fixed.map((value) => ({ value, plain: !Object.is(value, -0) }));
for (let i = 0; i < ROUNDS; i++) {
  // The plain ones first: doubles in a hidden class stay, see number().
  const plain = i < ROUNDS / 2;
  values.push({ value: new Generator(plain).value(random() < 0.1 ? 5 : 0), plain });
}
const records = values.map(({ value }) => serialize(value));
const input = Buffer.concat(records.flatMap((bytes) => {
  const head = Buffer.alloc(4);
  head.writeUInt32LE(bytes.length);
  return [head, bytes];
}));
const run = spawnSync(tool, [], { input, maxBuffer: 2 ** 31 });
if (run.status !== 0) {
  console.error(`clone_tool ended with ${run.status ?? run.signal}: ${run.stderr}${run.error ?? ''}`);
  process.exit(1);
}

let at = 0;
const int = () => run.stdout.readInt32LE((at += 4) - 4);
const block = () => { const n = run.stdout.readUInt32LE(at); at += 4 + n; return run.stdout.subarray(at - n, at); };

let failures = 0;
function check(ok, what, i, ...more) {
  if (ok) return;
  if (++failures <= 10) console.error(`value ${i} of seed ${seed}: ${what}\n${more.join('\n')}`);
}

let jsonCount = 0, byteCount = 0, textCount = 0;
for (const [i, { plain }] of values.entries()) {
  const theirs = deserialize(records[i]);
  const status = int(), bytes = block(), jsonStatus = int(), jsonText = block().toString(), reread = block(), text = block().toString();
  check(status === 0, `clone_read: ${status} ${bytes}`, i, records[i].toString('hex'));
  if (status !== 0) continue;
  let ours;
  try { ours = deserialize(bytes); } catch (error) { check(false, `V8 refuses ours: ${error}`, i, bytes.toString('hex')); continue; }
  check(same(theirs, ours), 'not the same', i, records[i].toString('hex'), bytes.toString('hex'));
  if (plain) {
    byteCount++;
    check(bytes.equals(records[i]), 'other bytes', i, records[i].toString('hex'), bytes.toString('hex'));
  }
  if (!hugeArray(theirs)) {
    const expected = json(theirs, i % 4);
    jsonCount++;
    check(jsonStatus === expected.status && jsonText === expected.text, `JSON: ${jsonStatus}`, i, jsonText, expected.text);
    if (jsonStatus === 0) check(same(JSON.parse(jsonText), deserialize(reread)), 'JSON read', i, jsonText);
  }
  const shown = inspect(theirs);
  textCount++;
  check(text === shown, 'text', i, text, '----', shown);
}
check(at === run.stdout.length, 'the tool said more', values.length);
console.log(`${values.length} values: ${byteCount} compared by bytes, ${jsonCount} as JSON, ${textCount} as text; ${failures} failures`);
process.exit(failures === 0 ? 0 : 1);
