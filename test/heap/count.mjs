/* count.mjs - how many nodes and edges a snapshot has, by a reader that is not ours: JSON's, or with
 * GLOVEBOX_READER=memlab memlab, which takes some seconds for 50 MB: `make e2e` does that.
 *
 * usage: count.mjs FILE
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import assert from 'node:assert';

const ZSTD = 0xFD2FB528;
const directory = mkdtempSync(path.join(tmpdir(), 'glovebox-count-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));

let file = process.argv[2];
const bytes = readFileSync(file);
if (bytes.readUInt32LE(0) === ZSTD) {
    file = path.join(directory, 'plain');
    writeFileSync(file, zstdDecompressSync(bytes));
}
let found;
if (process.env.GLOVEBOX_READER === 'memlab') {
    const { read } = await import('./memlab.mjs');
    const snapshot = await read(file);
    found = { nodes: snapshot.nodes.length, edges: snapshot.edges.length, header: snapshot.snapshot.snapshot };
} else {
    const { snapshot, nodes, edges } = JSON.parse(readFileSync(file));
    found = { nodes: nodes.length / snapshot.meta.node_fields.length, edges: edges.length / snapshot.meta.edge_fields.length, header: snapshot };
}
assert.deepEqual([found.nodes, found.edges], [found.header.node_count, found.header.edge_count]);
console.log(found.nodes, found.edges);
