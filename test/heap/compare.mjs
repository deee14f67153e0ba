/* compare.mjs - our numbers of a snapshot beside DevTools', all of them. */
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import * as memlab from './memlab.mjs';

const well = (text) => text.toWellFormed();
const SHARED = -2, NONE = -1;

function lines(tool, words) {
    const out = execFileSync(tool, words, { maxBuffer: 2 ** 30, encoding: 'utf8' });
    const kinds = {};
    for (const line of out.split('\n'))
        if (line !== '') {
            const row = JSON.parse(line);
            (kinds[row.kind] ??= []).push(row);
        }
    return kinds;
}

/* Rows under a key; those of one key are added up: DevTools keeps classes of the same name apart when
 * their names are two strings, and then shows the last of them only. */
function table(rows, key, values) {
    const found = new Map();
    for (const row of rows) {
        const name = JSON.stringify(key(row));
        const sum = found.get(name) ?? values.map(() => 0);
        found.set(name, values.map((value, i) => sum[i] + Number(row[value] ?? 0)));
    }
    return found;
}

function sameTables(what, theirs, ours) {
    const wrong = [];
    for (const [key, row] of theirs)
        if (JSON.stringify(ours.get(key)) !== JSON.stringify(row))
            wrong.push(`${key}: DevTools ${row}, we ${ours.get(key)}`);
    for (const [key, row] of ours)
        if (!theirs.has(key))
            wrong.push(`${key}: not with DevTools, we ${row}`);
    if (wrong.length > 0)
        throw new Error(`${what}: ${wrong.length} of ${theirs.size} differ\n  ${wrong.slice(0, 12).join('\n  ')}`);
    return theirs.size;
}

function readNumbers(file) {
    const bytes = readFileSync(file);
    rmSync(file);
    return new BigInt64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8);
}

function compareNumbers(snapshot, ours, classes) {
    const node = snapshot.createNode(0), fields = snapshot.nodeFieldCount;
    const count = snapshot.nodeCount;
    const wrong = [];
    if (ours.length !== count * 6)
        throw new Error(`${ours.length / 6} nodes, DevTools has ${count}`);
    for (let v = 0; v < count && wrong.length < 12; v++) {
        node.nodeIndex = v * fields;
        const context = snapshot.nodeNativeContext(v * fields);
        const theirs = [node.selfSize(), node.retainedSize(), node.distance(), node.dominatorIndex() / fields,
            well(node.className()), context < 0 ? context : context / fields];
        const own = [0, 1, 2, 3, 4, 5].map((i) => Number(ours[v * 6 + i]));
        own[4] = classes[own[4]];
        for (let i = 0; i < 6; i++)
            if (theirs[i] !== own[i])
                wrong.push(`node ${v} @${node.id()} ${node.type()}: ` +
                    `${['shallow', 'retained', 'distance', 'dominator', 'class', 'context'][i]} ${theirs[i]}, we ${own[i]}`);
    }
    if (wrong.length > 0)
        throw new Error(`numbers differ\n  ${wrong.join('\n  ')}`);
    return count;
}

/* DevTools' aggregates before classes of one name replace each other. */
function aggregates(snapshot) {
    const map = snapshot.buildAggregates();
    snapshot.calculateClassesRetainedSize(map);
    return [...map].map(([key, row]) => {
        const at = typeof key === 'string' ? key.split(',', 3).map(Number) : null;
        return { name: well(row.name), count: row.count, shallow: row.self, retained: row.maxRet, distance: row.distance,
            script: at?.[0] ?? 0, line: at ? at[1] + 1 : 0, column: at ? at[2] + 1 : 0 };
    });
}

const place = (row) => [row.name, row.script, row.line, row.column];

/* Classes of one name that DevTools holds apart: sums over them are no class's retained size. */
function twins(rows) {
    const seen = new Set(), twice = new Set();
    for (const row of rows) {
        const key = JSON.stringify(place(row));
        (seen.has(key) ? twice : seen).add(key);
    }
    return twice;
}

function compareSummary(snapshot, ours) {
    const theirs = aggregates(snapshot);
    const twice = twins(theirs);
    const single = (rows) => rows.filter((row) => !twice.has(JSON.stringify(place(row))));
    sameTables('summary, count and shallow', table(theirs, place, ['count', 'shallow']), table(ours, place, ['count', 'shallow']));
    return sameTables('summary', table(single(theirs), place, ['retained', 'distance']),
        table(single(ours), place, ['retained', 'distance']));
}

function compareStrings(snapshot, ours) {
    const values = ['count', 'shallow', 'retained'];
    const theirs = snapshot.getDuplicateStrings().map((group) =>
        ({ text: well(group.value), count: group.count, shallow: group.totalSelfSize, retained: group.totalRetainedSize }));
    return sameTables('duplicated strings', table(theirs, (row) => row.text, values), table(ours, (row) => row.text, values));
}

function compareNames(snapshot, ours) {
    for (const { node, name } of ours) {
        const theirs = well(snapshot.createNode(node * snapshot.nodeFieldCount).name());
        if (theirs !== name)
            throw new Error(`name of node ${node}: DevTools ${JSON.stringify(theirs)}, we ${JSON.stringify(name)}`);
    }
    return ours.length;
}

function compareTotals(snapshot, ours) {
    const { total, native, v8heap } = snapshot.getStatistics();
    const theirs = { nodes: snapshot.nodeCount, edges: snapshot.containmentEdges.length / snapshot.edgeFieldsCount,
        total, native: native.total, typedArrays: native.typedArrays,
        code: v8heap.code, strings: v8heap.strings, jsArrays: v8heap.jsArrays, system: v8heap.system };
    for (const [key, number] of Object.entries(theirs))
        if (ours[key] !== number)
            throw new Error(`totals, ${key}: DevTools ${number}, we ${ours[key]}`);
}

/* memlab's counts; and on graphs where its rules are DevTools', dominator and retained size of every node. */
async function compareMemlab(file, totals, numbers, same) {
    const snapshot = await memlab.read(file);
    const theirs = { nodes: snapshot.nodes.length, edges: snapshot.edges.length, bytes: memlab.bytes(snapshot) };
    const ours = { nodes: totals.nodes, edges: totals.edges, bytes: totals.total - totals.extraNative };
    for (const [key, number] of Object.entries(theirs))
        if (ours[key] !== number)
            throw new Error(`memlab counts ${number} ${key}, we ${ours[key]}`);
    if (!same)
        return;
    for (const [v, [dominator, retained]] of memlab.dominators(snapshot).entries())
        if (Number(numbers[v * 6 + 3]) !== dominator || Number(numbers[v * 6 + 1]) !== retained)
            throw new Error(`node ${v}: memlab ${retained} below ${dominator}, we ${numbers[v * 6 + 1]} below ${numbers[v * 6 + 3]}`);
}

function compareDiff(base, current, ours) {
    const theirs = Object.entries(current.calculateSnapshotDiff('base', base.aggregatesForDiff(current.interfaceDefinitions())))
        .map(([key, row]) => ({ name: well(/^\d+,\d+,\d+,|^,/.test(key) ? key.replace(/^\d+,\d+,\d+,|^,/, '') : key),
            added: row.addedCount, removed: row.removedCount, addedBytes: row.addedSize, removedBytes: row.removedSize }));
    const values = ['added', 'removed', 'addedBytes', 'removedBytes'];
    const name = (row) => row.name;
    /* Names that are twins on either side lose rows in DevTools. */
    const lost = new Set([...twins(aggregates(base)), ...twins(aggregates(current))].map((key) => JSON.parse(key)[0]));
    const kept = (rows) => rows.filter((row) => !lost.has(row.name));
    return sameTables('comparison', table(kept(theirs), name, values), table(kept(ours ?? []), name, values));
}

/* `files` as ours reads them, `plains` unpacked, `heaps` DevTools' of these; of two, the second is later.
 * Throws at the first difference; else says how much was compared. */
export async function compare({ tool, scratch, files, plains, heaps, same }) {
    const [snapshot, current] = heaps;
    const ours = lines(tool, [files[0], scratch, ...files.slice(1)]);
    const numbers = readNumbers(scratch);
    const nodes = compareNumbers(snapshot, numbers, ours.class.map((row) => row.name));
    compareTotals(snapshot, ours.totals[0]);
    await compareMemlab(plains[0], ours.totals[0], numbers, same);
    const rows = compareSummary(snapshot, ours.row);
    const strings = compareStrings(snapshot, ours.same ?? []);
    const names = compareNames(snapshot, ours.name);
    const changes = current ? compareDiff(snapshot, current, ours.change) : 0;
    return `${nodes} nodes, ${rows} classes, ${strings} strings, ${names} names, ${changes} changes`;
}
