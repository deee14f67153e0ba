/* heap.mjs - what loading a heap snapshot costs: our library beside DevTools' code and memlab, on files of some
 * 170 MB and 1.1 GB that are made here, in turn and in one run; and beside a plain read of the file.
 *
 * usage: heap.mjs BENCH_HEAP [MB...]
 *
 * Each reader runs in a process of its own each time, and before it one that touches as much memory as the hungriest
 * of them needs: a virtual machine gives what is free back to its host, and whoever comes first would pay for getting
 * it again (here, that doubles what we take). Printed are medians of as many rounds as a line says.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const [tool, ...sizes] = process.argv.slice(2);
const oracle = path.join(import.meta.dirname, '../test/heap');

/* The others' side of the run: what they do of what we do, and what it took. */
const others = {
    "DevTools' code": {
        module: 'chrome-devtools-frontend',
        async read(file, directory) {
            const { devtools, load } = await import(path.join(oracle, 'devtools.mjs'));
            const modules = await devtools(directory);
            return () => load(modules, file);
        },
    },
    memlab: {
        module: '@memlab/core',
        async read(file) {
            const memlab = await import(path.join(oracle, 'memlab.mjs'));
            return async () => memlab.dominators(await memlab.read(file));
        },
    },
};

if (tool === '--other') {
    const [name, file] = sizes;
    const directory = mkdtempSync(path.join(tmpdir(), 'glovebox-bench-'));
    const run = await others[name].read(file, directory);
    const start = performance.now();
    await run();
    console.log(JSON.stringify({ open_ms: performance.now() - start, open_rss: process.resourceUsage().maxRSS * 1024 }));
    rmSync(directory, { recursive: true });
    process.exit(0);
}

/* Rows of a server that forgets nothing: objects, closures, maps, strings, arrays. */
const program = (mb, to) => `
class Session { constructor(i) { this.id = i; this.name = 'session' + i; this.previous = null; } }
const kept = []; let last = null; globalThis.kept = kept; globalThis.map = new Map(); globalThis.weak = new WeakMap();
for (let i = 0; i < ${Math.round(mb * 2350)}; i++) {
    const s = new Session(i); s.previous = last; last = s;
    if (i % 3 === 0) kept.push({ id: i, value: 'v' + i, list: [i, { a: i }] });
    if (i % 5 === 0) map.set('k' + i, { x: i + 0.5, y: [i] });
    if (i % 6 === 0) kept.push(() => last.id + i);
    if (i % 15 === 0) weak.set(s, { z: i });
}
require('v8').writeHeapSnapshot(${JSON.stringify(to)});`;

const directory = mkdtempSync(path.join(tmpdir(), 'glovebox-bench-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));

const middle = (values) => values.sort((a, b) => a - b)[values.length >> 1];
const line = (what, ms, more = '') => console.log(`heap: ${what.padEnd(44)} ${ms.toFixed(1).padStart(8)} ms${more && `, ${more}`}`);
const ask = (command, args) => JSON.parse(execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim().split('\n').at(-1));

function make(mb) {
    const file = path.join(directory, `${mb}.heapsnapshot`);
    const script = path.join(directory, 'make.cjs');
    writeFileSync(script, program(mb, file));
    execFileSync(process.execPath, ['--max-old-space-size=12000', script], { stdio: 'ignore' });
    return file;
}

function measure(mb) {
    const file = make(mb);
    const bytes = statSync(file).size;
    const rounds = bytes < 500e6 ? 5 : 1, ours = 5;
    const speed = (ms, of = bytes) => `${(of / 1e6 / ms).toFixed(2)} GB/s`;
    const share = (rss) => `${(rss / bytes).toFixed(2)} of the file in memory`;
    const taken = {}, stages = [], theirs = {};
    const there = Object.keys(others).filter((name) => existsSync(path.join(oracle, 'node_modules', others[name].module)));

    const touch = () => execFileSync(tool, ['--touch', String(bytes * 6)]);
    for (let round = 0; round < Math.max(ours, rounds); round++) {
        touch();
        for (const [key, value] of Object.entries(ask(tool, [file])))
            (taken[key] ??= []).push(value);
        ask(tool, ['--stages', file]).forEach(([name, ms, of], i) => { (stages[i] ??= { name, of, ms: [] }).ms.push(ms); });
        for (const name of round < rounds ? there : []) {
            touch();
            const got = ask(process.execPath, ['--max-old-space-size=16000', import.meta.filename, '--other', name, file]);
            for (const [key, value] of Object.entries(got))
                ((theirs[name] ??= {})[key] ??= []).push(value);
        }
    }
    const ms = Object.fromEntries(Object.entries(taken).map(([key, values]) => [key, middle(values)]));
    console.log(`heap: a snapshot of ${(bytes / 1e6).toFixed(0)} MB, medians of ${ours}`);
    line('plain read', ms.read_ms, speed(ms.read_ms));
    line('open: parse, and compute everything', ms.open_ms, `${speed(ms.open_ms)}, ${share(ms.open_rss)}`);
    line('open on one thread', ms.one_thread_ms, speed(ms.one_thread_ms));
    for (const name of ['totals', 'summary', 'strings', 'ids', 'path', 'dominators'])
        line(`then ${name}`, ms[`${name}_ms`]);
    line('comparison with itself', ms.diff_ms);
    for (const name of there) {
        const open = middle(theirs[name].open_ms);
        line(name, open, `${share(middle(theirs[name].open_rss))}, ${rounds === 1 ? 'once' : `median of ${rounds}`}; we are ${(open / ms.open_ms).toFixed(1)} times as fast`);
    }
    console.log('heap: the stages, one after the other on one thread');
    for (const stage of stages.filter((s) => middle(s.ms) >= 0.1))
        line(stage.of === undefined ? stage.name : `the section ${stage.name}`, middle(stage.ms), speed(middle(stage.ms), stage.of));
    rmSync(file);
}

for (const mb of sizes.length > 0 ? sizes : [170, 1100])
    measure(Number(mb));
