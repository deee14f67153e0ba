/* oracle.mjs - our numbers beside DevTools', on heaps of many shapes made by the engine's own Node.js, on
 * one of a cell, and on random graphs.
 *
 * usage: oracle.mjs HEAP_DUMP GLOVEBOX [PROGRAM...]
 *
 * For each program two snapshots are taken, so that they can be compared with each other as well.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { programs } from './programs.mjs';
import { randomSnapshot } from './random.mjs';

const [tool, glovebox, ...only] = process.argv.slice(2);
const RANDOM = 60;
const directory = mkdtempSync(path.join(tmpdir(), 'glovebox-heap-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));

if (!existsSync(path.join(import.meta.dirname, 'node_modules', 'chrome-devtools-frontend'))) {
    console.log('1..0 # SKIP chrome-devtools-frontend is not installed: tools/setup test');
    process.exit(0);
}
const { devtools, load } = await import('./devtools.mjs');
const { compare } = await import('./compare.mjs');
const modules = await devtools(directory);
let number = 0, failed = 0;

async function check(name, first, second) {
    let ok = true, text;
    try {
        const base = await load(modules, first);
        const current = second ? await load(modules, second) : undefined;
        text = compare(tool, directory, base, first, current, second);
    } catch (error) {
        ok = false;
        failed++;
        text = error.stack;
    }
    console.log(`${ok ? 'ok' : 'not ok'} ${++number} - ${name}`);
    console.log(text.replace(/^/gm, '# '));
    for (const file of [first, second])
        if (file)
            rmSync(file);
}

function take(name, code) {
    const [first, second] = [1, 2].map((n) => path.join(directory, `${name}-${n}.heapsnapshot`));
    const script = path.join(directory, 'program.cjs');
    writeFileSync(script, `globalThis.kept = []; function keep(...values) { kept.push(...values); }
        ${code}
        require('v8').writeHeapSnapshot(${JSON.stringify(first)});
        { const more = []; for (let i = 0; i < 500; i++) more.push({ fresh: i, of: [i] }); kept.splice(0, 1); keep(more); }
        require('v8').writeHeapSnapshot(${JSON.stringify(second)});`);
    execFileSync(process.execPath, [script], { stdio: 'ignore' });
    return [first, second];
}

function takeOfCell(code) {
    const file = path.join(directory, 'cell.heapsnapshot');
    execFileSync(glovebox, ['run', '--heap-snapshot', file, '-e', code]);
    return file;
}

const wanted = (name) => only.length === 0 || only.includes(name);
const names = Object.keys(programs).filter(wanted);
console.log(`1..${names.length + (wanted('cell') ? 1 : 0) + (wanted('random') ? RANDOM : 0)}`);
for (const name of names)
    await check(name, ...take(name, programs[name]));
if (wanted('cell'))
    await check('a cell', takeOfCell(`globalThis.kept = []; const keep = (...values) => kept.push(...values); ${programs.mixed} 0`));
for (let seed = 1; seed <= RANDOM && wanted('random'); seed++) {
    const [first, second] = [1, 2].map((n) => path.join(directory, `random-${n}.heapsnapshot`));
    writeFileSync(first, randomSnapshot(seed));
    writeFileSync(second, randomSnapshot(seed + 1000));
    await check(`random graph ${seed}`, first, second);
}
process.exitCode = failed > 0 ? 1 : 0;
