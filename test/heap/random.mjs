/* random.mjs - snapshots that no V8 would write: any edge may lead anywhere, under names that matter. */

const NODE_TYPES = ['hidden', 'array', 'string', 'object', 'code', 'closure', 'regexp', 'number', 'native', 'synthetic',
    'concatenated string', 'sliced string', 'symbol', 'bigint', 'object shape', 'of the future'];
const EDGE_TYPES = ['context', 'element', 'property', 'internal', 'hidden', 'shortcut', 'weak'];
const NAMES = ['', 'Object', 'Array', 'Foo', 'Bar', 'system / NativeContext', 'system / Context', '(map descriptors)',
    '(Document DOM trees)', 'system / ExternalStringData', 'system / JSArrayBufferData', '<div id="a">', '<div>', 'Detached <p class>',
    'native_context', 'map', 'elements', 'first', 'second', 'sloppy_function_map', '__proto__', 'a', 'b', 'c', 'd, e', '{f}', '7', '-4', ' 10x',
    'x'.repeat(90), '\u00e9\u20ac', '\ud83d\ude00', '\ud800', 'a\nb', 'q"uote', 'back\\slash', 'y'.repeat(700)];

function generator(seed) {
    let state = seed * 2654435761 >>> 0;
    return (n) => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return Math.floor(state / 2 ** 32 * n);
    };
}

/* Escaped down to ASCII, as V8 writes. */
const json = (text) => JSON.stringify(text).replace(/[\x7f-\uffff]/g, (c) => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0'));

/* The file. Edges are triples, nodes have their fields' numbers. */
function text({ fields, nodes, edges, locations, strings, extra }) {
    const snapshot = {
        meta: {
            node_fields: fields, node_types: [NODE_TYPES, 'string', ...fields.slice(2).map(() => 'number')],
            edge_fields: ['type', 'name_or_index', 'to_node'], edge_types: [EDGE_TYPES, 'string_or_number', 'node'],
            location_fields: ['object_index', 'script_id', 'line', 'column'],
        },
        node_count: nodes.length / fields.length, edge_count: edges.length / 3, trace_function_count: 0, extra_native_bytes: extra,
    };
    return `{"snapshot":${JSON.stringify(snapshot)},\n"nodes":[${nodes}],\n"edges":[${edges}],\n"trace_function_infos":[],\n"trace_tree":[],\n` +
        `"samples":[],\n"locations":[${locations}],\n"strings":[${strings.map(json)}]}`;
}

/* Anything. */
export function randomSnapshot(seed) {
    const random = generator(seed);
    const count = 2 + random(seed % 3 === 0 ? 400 : 40);
    const tracked = random(2), withDetached = random(3) > 0;
    const fields = ['type', 'name', 'id', 'self_size', 'edge_count', ...tracked ? ['trace_node_id'] : [], ...withDetached ? ['detachedness'] : []];
    const strings = [...NAMES];
    const ids = Array.from({ length: count }, (_, v) => v * 2 + 1);
    for (let i = 0; i < 8; i++) {
        const [key, table, target] = [random(count), random(count), random(count)];
        for (const front of [i, i + 50 + random(50)]) /* no string comes twice: V8 writes none so */
            strings.push(`${front} / part of key (k @${ids[key]}) -> value (v @${ids[target]}) pair in WeakMap (table @${ids[table]})`);
    }
    /* Names that are nearly of that form. */
    strings.push('1 / part of key (k @1) -> value (v @3) pair in WeakMap (table @5', 'x / part of key (k @1) -> value (v @3) pair in WeakMap (table @5)',
        '1 / part of key (k) -> value (v @3) pair in WeakMap (table @5)', '1 / part of key (k\n @1) -> value (v @3) pair in WeakMap (table @5)',
        '1 / part of key (k @1) -> value () pair in WeakMap (table @5)', '1 / part of key ( @1) -> value ( @3) pair in WeakMap (table @3)',
        '2 / part of key (k) -> value (x @2) -> value (v @3) pair in WeakMap (table @3)');
    const nodes = [], edges = [], locations = [];
    for (let v = 0; v < count; v++) {
        const type = v === 0 ? 9 : random(10) < 4 ? 3 : random(NODE_TYPES.length);
        /* A rope that has no text makes DevTools go round for ever: its halves are leaves. */
        const rope = NODE_TYPES[type] === 'concatenated string';
        const out = rope ? 0 : v === 0 ? random(Math.min(count % 7 === 0 ? 1 : 5, count)) : random(random(8) === 0 ? 30 : 5);
        nodes.push(type, type === 3 && random(2) ? 1 : random(NAMES.length), ids[v], random(4) === 0 ? 0 : random(1000), out,
            ...tracked ? [0] : [], ...withDetached ? [random(6) === 0 ? random(3) : 0] : []);
        for (let e = 0; e < out; e++) {
            /* The root's are apart from each other: DevTools fails if its queue overflows. */
            const to = v === 0 ? (e * 7 + 1) % count : random(count);
            const kind = v === 0 ? [1, 5, 6, 1][random(4)] : random(EDGE_TYPES.length);
            const name = kind === 1 || kind === 4 ? random(20) : random(3) === 0 ? NAMES.length + random(strings.length - NAMES.length) : random(strings.length);
            edges.push(kind, name, to * fields.length);
        }
        if (random(5) === 0)
            locations.push(v * fields.length, random(3), random(3), random(2));
    }
    return text({ fields, nodes, edges, locations, strings, extra: random(100) });
}

const OWNERS = ['string', 'object', 'code', 'closure', 'regexp', 'symbol', 'bigint'].map((name) => NODE_TYPES.indexOf(name));
const [ELEMENT, SHORTCUT, WEAK] = ['element', 'shortcut', 'weak'].map((name) => EDGE_TYPES.indexOf(name));

/* Graphs on which memlab's arithmetic is DevTools': every node owns its size, no edge is of a WeakMap, all nodes
 * are reached, and none by a shortcut of the root, so that no node is more the page's own than others. */
export function plainSnapshot(seed) {
    const random = generator(seed);
    const count = 2 + random(seed % 3 === 0 ? 3000 : 60);
    const fields = ['type', 'name', 'id', 'self_size', 'edge_count', 'trace_node_id', 'detachedness'];
    const out = Array.from({ length: count }, () => []);
    const edge = (from, type, to) => out[from].push(type, random(NAMES.length), to * fields.length);
    for (let v = 1; v < count; v++) {
        /* A tree, deep or broad. */
        const parent = random(4) === 0 || v === 1 ? 0 : Math.max(0, v - 1 - random(seed % 2 ? 3 : v));
        edge(parent, parent === 0 ? ELEMENT : [0, 1, 2, 3, 4][random(5)], v);
    }
    for (let i = random(count * 3); i > 0; i--)
        edge(1 + random(count - 1), [0, 1, 2, 3, 4, SHORTCUT, WEAK][random(7)], random(count));
    const nodes = out.flatMap((edges, v) => [v === 0 ? NODE_TYPES.indexOf('synthetic') : OWNERS[random(OWNERS.length)],
        random(NAMES.length), v * 2 + 1, random(1000), edges.length / 3, 0, 0]);
    return text({ fields, nodes, edges: out.flat(), locations: [], strings: NAMES, extra: 0 });
}
