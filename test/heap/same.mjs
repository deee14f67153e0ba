/* same.mjs - two snapshots that DevTools has loaded, beside each other. */
import assert from 'node:assert';

/* What there is to say of node `v` besides its name; other nodes by their ids. */
export function numbers(snapshot, v) {
    const node = snapshot.createNode(v * snapshot.nodeFieldCount);
    const row = { id: node.id(), type: node.type(), shallow: node.selfSize(), retained: node.retainedSize(), distance: node.distance() };
    const dominator = snapshot.createNode(node.dominatorIndex());
    return { ...row, dominator: dominator.id() };
}

export function edges(snapshot, v) {
    const found = [];
    for (const it = snapshot.createNode(v * snapshot.nodeFieldCount).edges(); it.hasNext(); it.next())
        found.push(`${it.edge.type()} ${it.edge.node().id()}`);
    return found;
}

/* Names of classes and shapes are others; nothing else is. */
export function redactedIsTheSame(redacted, whole) {
    assert.equal(redacted.nodeCount, whole.nodeCount);
    for (let v = 0; v < whole.nodeCount; v++) {
        assert.deepEqual(numbers(redacted, v), numbers(whole, v));
        assert.deepEqual(edges(redacted, v), edges(whole, v));
    }
    const rows = (snapshot) => [...snapshot.buildAggregates().values()].map(({ count, self, distance }) => `${count} ${self} ${distance}`).sort();
    assert.deepEqual(rows(redacted), rows(whole));
    assert.deepEqual(redacted.getStatistics(), whole.getStatistics());
}
