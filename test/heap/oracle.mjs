/* oracle.mjs - our numbers beside DevTools' and memlab's: on heaps of many shapes made by the engine's own Node.js
 * and by the one that is installed, of cells in every way that there is, and on random graphs.
 *
 * usage: oracle.mjs HEAP_DUMP GLOVEBOX [PROGRAM...]
 *
 * For each program two snapshots are taken, so that they can be compared with each other as well.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { Checks } from './checks.mjs';
import { programs } from './programs.mjs';
import { plainSnapshot, randomSnapshot } from './random.mjs';

const RANDOM = 60, PLAIN = 20;
const LIMIT = 12; /* the exit code of a cell past its memory */
const [tool, glovebox, ...only] = process.argv.slice(2);
const checks = new Checks(tool, glovebox, only);

for (const [name, code] of Object.entries(programs))
    checks.add(name, () => checks.take(process.execPath, code));

/* Debian's, as a rule; without one of these names it is another program's node. */
const installed = spawnSync('node', ['--version'], { encoding: 'utf8' });
if (installed.stdout?.startsWith('v'))
    for (const name of ['weak', 'mixed'])
        checks.add(`${name} in Node.js ${installed.stdout.trim()}`, () => checks.take('node', programs[name]), { group: 'installed' });

/* Its objects stay the same between two snapshots if they have stable ids; a command takes one at a time. */
const keeps = `globalThis.kept = []; const keep = (...values) => kept.push(...values); ${programs.mixed}`;
const cells = {
    'a cell': ['--heap-snapshot', 'cell.heapsnapshot'],
    'a cell, by itself': ['--attached', '--heap-snapshot', 'cell.heapsnapshot'],
    'a cell, stable ids': ['--stable-ids', '--heap-snapshot', 'cell.heapsnapshot'],
    'a cell, compressed': ['--heap-snapshot', 'cell.zst'],
    'a cell, at its limit': ['--memory', '24M', '--snapshot-at-limit', 'cell.heapsnapshot'],
};
for (const [name, words] of Object.entries(cells))
    checks.add(name, () => {
        const limited = words.includes('--snapshot-at-limit');
        const grow = limited ? `const grown = []; for (;;) grown.push(new Array(999).fill(1.5))` : '0';
        const { status } = spawnSync(checks.glovebox, ['run', ...words, '-e', `${keeps}; ${grow}`], { cwd: checks.directory });
        if (status !== (limited ? LIMIT : 0))
            throw new Error(`glovebox ended with ${status}`);
        return [checks.path(words.at(-1))];
    }, { group: 'cell' });

function random(name, make, count, same) {
    for (let seed = 1; seed <= count; seed++)
        checks.add(`${name} graph ${seed}`, () => [seed, seed + 1000].map((n, i) => {
            const file = checks.path(`${name}-${i}.heapsnapshot`);
            writeFileSync(file, make(n));
            return file;
        }), { group: name, same });
}
random('random', randomSnapshot, RANDOM, false);
random('plain', plainSnapshot, PLAIN, true);
process.exitCode = await checks.run() > 0 ? 1 : 0;
