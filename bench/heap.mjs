/* heap.mjs - what loading a heap snapshot costs: our library beside DevTools' code, on one file of some
 * 170 MB that is made here, in turn and in one run; and beside a plain read of the file.
 *
 * usage: heap.mjs BENCH_HEAP [MB]
 *
 * MB is about the size of the file. DevTools' code runs in a process of its own each time, as ours does.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const [tool, size = '170', file] = process.argv.slice(2);
const oracle = path.join(import.meta.dirname, '../test/heap');
const ROUNDS = 3;

/* The other side of the run: loads a file by DevTools' code and says what it took. */
if (tool === '--devtools') {
    const { devtools, load } = await import(path.join(oracle, 'devtools.mjs'));
    const directory = mkdtempSync(path.join(tmpdir(), 'glovebox-bench-'));
    const modules = await devtools(directory);
    const start = performance.now();
    const snapshot = await load(modules, file);
    const ms = performance.now() - start;
    console.log(JSON.stringify({ ms, rss: process.resourceUsage().maxRSS * 1024, nodes: snapshot.nodeCount }));
    rmSync(directory, { recursive: true });
    process.exit(0);
}

/* Rows of a server that forgets nothing: objects, closures, maps, strings, arrays. */
const program = (mb, to) => `
class Session { constructor(i) { this.id = i; this.name = 'session' + i; this.previous = null; } }
const kept = []; let last = null; globalThis.kept = kept; globalThis.map = new Map(); globalThis.weak = new WeakMap();
for (let i = 0; i < ${Math.round(mb * 2650)}; i++) {
    const s = new Session(i); s.previous = last; last = s;
    if (i % 3 === 0) kept.push({ id: i, value: 'v' + i, list: [i, { a: i }] });
    if (i % 5 === 0) map.set('k' + i, { x: i + 0.5, y: [i] });
    if (i % 6 === 0) kept.push(() => last.id + i);
    if (i % 15 === 0) weak.set(s, { z: i });
}
require('v8').writeHeapSnapshot(${JSON.stringify(to)});`;

const directory = mkdtempSync(path.join(tmpdir(), 'glovebox-bench-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
const snapshot = path.join(directory, 'large.heapsnapshot');
const script = path.join(directory, 'make.cjs');
writeFileSync(script, program(Number(size), snapshot));
execFileSync(process.execPath, ['--max-old-space-size=8000', script], { stdio: 'ignore' });
const bytes = statSync(snapshot).size;
console.log(`heap: a snapshot of ${(bytes / 1e6).toFixed(0)} MB`);

const best = {};
const note = (name, value) => { best[name] = Math.min(best[name] ?? Infinity, value); };
for (let round = 0; round < ROUNDS; round++) {
    const ours = JSON.parse(execFileSync(tool, [snapshot], { encoding: 'utf8' }));
    for (const [name, value] of Object.entries(ours))
        note(name, value);
    if (existsSync(path.join(oracle, 'node_modules/chrome-devtools-frontend'))) {
        const run = spawnSync(process.execPath, ['--max-old-space-size=8000', import.meta.filename, '--devtools', size, snapshot], { encoding: 'utf8' });
        const theirs = JSON.parse(run.stdout.trim().split('\n').at(-1));
        note('devtools_ms', theirs.ms);
        note('devtools_rss', theirs.rss);
    }
}
const speed = (ms) => `${(bytes / 1e6 / ms).toFixed(2)} GB/s`;
const line = (what, ms, more = '') => console.log(`heap: ${what.padEnd(44)} ${ms.toFixed(1).padStart(8)} ms${more && `, ${more}`}`);
line('plain read', best.read_ms, speed(best.read_ms));
line('open: parse, and compute everything', best.open_ms, `${speed(best.open_ms)}, ${(best.open_rss / bytes).toFixed(2)} of the file in memory`);
line('open on one thread', best.one_thread_ms, speed(best.one_thread_ms));
for (const name of ['totals', 'summary', 'strings', 'ids', 'path', 'dominators'])
    line(`then ${name}`, best[`${name}_ms`]);
line('comparison with itself', best.diff_ms);
if (best.devtools_ms !== undefined) {
    line("DevTools' code", best.devtools_ms, `${(best.devtools_rss / bytes).toFixed(2)} of the file in memory`);
    console.log(`heap: ${(best.devtools_ms / best.open_ms).toFixed(1)} times as fast as DevTools, best of ${ROUNDS} each`);
}
