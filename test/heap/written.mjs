/* written.mjs - what redact and slice write, in DevTools' eyes: it has to load, our numbers of it have to be DevTools',
 * and DevTools' have to be those that it has of the whole.
 *
 * usage: written.mjs HEAP_DUMP GLOVEBOX [PROGRAM...]
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import assert from 'node:assert';
import { Checks } from './checks.mjs';
import { programs } from './programs.mjs';
import { edges, numbers, redactedIsTheSame } from './same.mjs';

const SECRET = 'Xylophone Zebra, 4711';
const [tool, glovebox, ...only] = process.argv.slice(2);
const checks = new Checks(tool, glovebox, only);
const heap = (...words) => execFileSync(checks.glovebox, ['heap', ...words], { cwd: checks.directory, encoding: 'utf8' });

const secrets = `const secret = ${JSON.stringify(SECRET)}, known = { Map: [secret], Zebra4711: 'short', ['Zebra ' + 1]: new (class Xylophone {})() };
    known[secret] = new WeakMap([[known, { [secret]: Symbol(secret) }]]); keep(known, function XylophoneMaker(zebra_argument) { return () => zebra_argument; }(1), new RegExp(secret));`;
for (const name of ['empty', 'classes', 'weak', 'symbols', 'strings', 'shapes', 'realms', 'mixed'])
    checks.add(`${name}, redacted`, () => {
        const [file] = checks.take(process.execPath, programs[name] + secrets, { cut: true });
        const redacted = checks.path(`redacted-${name}.heapsnapshot`);
        heap('redact', file, '-o', redacted);
        const before = readFileSync(file, 'latin1'), after = readFileSync(redacted, 'latin1');
        for (const word of ['Xylophone', 'Zebra', 'zebra_argument', 'program.cjs'])
            assert.ok(before.includes(word) && !after.includes(word), word);
        return [redacted, file];
    }, { group: name, also: redactedIsTheSame });

/* All that a node retains, by its id. */
function dominated(snapshot, top) {
    const below = new Set([top]);
    const dominator = (v) => snapshot.createNode(v * snapshot.nodeFieldCount).dominatorIndex() / snapshot.nodeFieldCount;
    const known = new Map([[0, false], [top, true]]);
    for (let v = 0; v < snapshot.nodeCount; v++) {
        const way = [];
        let at = v;
        for (; !known.has(at); at = dominator(at))
            way.push(at);
        for (const passed of way)
            known.set(passed, known.get(at));
        if (known.get(v))
            below.add(v);
    }
    return below;
}

const byId = (snapshot) => new Map(Array.from({ length: snapshot.nodeCount }, (_, v) => [snapshot.createNode(v * snapshot.nodeFieldCount).id(), v]));

function sliceHasAllOf(id, slice, whole) {
    const there = byId(slice), top = byId(whole).get(id);
    const below = dominated(whole, top);
    assert.ok(below.size > 1 && slice.nodeCount < whole.nodeCount);
    for (const v of below) {
        const wanted = numbers(whole, v);
        assert.ok(there.has(wanted.id), `@${wanted.id} is missing`);
        const found = numbers(slice, there.get(wanted.id));
        /* What leads to the node need not be all there. */
        if (v === top)
            wanted.dominator = found.dominator;
        assert.deepEqual(found, wanted);
        assert.deepEqual(edges(slice, there.get(wanted.id)), edges(whole, v).filter((edge) => there.has(Number(edge.split(' ')[1]))));
    }
}

/* Of each class the first one, if it keeps more than itself: some of the largest. */
function choose(file) {
    const rows = JSON.parse(heap('summary', file, '--json', '--top', '60')).map((row) => row.class)
        .filter((name) => /^[A-Z][A-Za-z]*$/.test(name));
    return [...new Set(rows)].map((name) => JSON.parse(heap('node', file, name, '--json'))[0])
        .filter((node) => node && node.retained > node.shallow && node.distance > 0 && node.distance < 1e8).slice(0, 6);
}

for (const name of ['closures', 'maps', 'weak', 'mixed']) {
    let file, nodes;
    for (let i = 0; i < 6; i++)
        checks.add(`${name}, a slice, ${i + 1}`, () => {
            if (i === 0) {
                [file] = checks.take(process.execPath, programs[name], { cut: true });
                nodes = choose(file);
            }
            heap('slice', file, `@${nodes[i].id}`, '-o', `slice-${name}-${i}.heapsnapshot`);
            return [checks.path(`slice-${name}-${i}.heapsnapshot`), file];
        }, { group: name, also: (slice, whole) => sliceHasAllOf(nodes[i].id, slice, whole) });
}
process.exitCode = await checks.run() > 0 ? 1 : 0;
