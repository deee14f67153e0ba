/* memlab.mjs - memlab's reader of heap snapshots, npm's @memlab/core: a second one that is not ours. */
import { createRequire } from 'node:module';

const { utils, config, ErrorHandling, TraceFinder } = createRequire(import.meta.url)('@memlab/core');
config.muteConsole = true;
config.errorHandling = ErrorHandling.Throw;
config.specifiedEngine = true; /* V8; else each node is looked at for signs of another one */

/* A snapshot as memlab has it. */
export const read = (file) => utils.getSnapshotFromFile(file, { buildNodeIdIndex: false, verbose: false });

/* Of all nodes, whoever they count with. */
export function bytes(snapshot) {
    let sum = 0;
    snapshot.nodes.forEach((node) => { sum += node.self_size; });
    return sum;
}

/* Dominator and retained size of every node. */
export function dominators(snapshot) {
    const found = [];
    new TraceFinder().calculateAllNodesRetainedSizes(snapshot);
    snapshot.nodes.forEach((node) => { found.push([node.dominatorNode.nodeIndex, node.retainedSize]); });
    return found;
}
