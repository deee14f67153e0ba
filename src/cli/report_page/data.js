/* data.js - the page's data, which is rows of numbers, as objects; and how they are written for people. */
const data = JSON.parse(document.getElementById('data').textContent);

/* What a terminal would obey and what turns the direction of text becomes visible: names are guests'. */
const shown = data.texts.map(text => text.replace(/\n/g, '\\n').replace(/\t/g, '\\t')
    .replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g, '\ufffd'));

function rows(flat, fields) {
    const all = [];
    for (let at = 0; at < flat.length; at += fields.length) {
        const row = { number: all.length };
        fields.forEach((field, i) => { row[field] = flat[at + i]; });
        all.push(row);
    }
    return all;
}

const named = (all, ...keys) => {
    for (const row of all)
        for (const key of keys)
            row[key] = row[key] < 0 ? '' : shown[row[key]];
    return all;
};

const files = named(rows(data.files,
    ['name', 'total', 'nodes', 'edges', 'fileBytes', 'code', 'strings', 'arrays', 'typed', 'native', 'system']), 'name');
const classes = named(rows(data.classes,
    ['name', 'count', 'shallow', 'retained', 'distance', 'script', 'line', 'column', 'a', 'b', 'c', 'd']), 'name');
const groups = named(rows(data.groups, ['parent', 'name', 'bytes', 'objects', 'example']), 'name');
const nodes = named(rows(data.nodes,
    ['id', 'type', 'class', 'name', 'shallow', 'retained', 'distance', 'dominator', 'count', 'edge', 'from', 'skipped',
        'script', 'line', 'column', 'detached']), 'type', 'class', 'name', 'edge');
const repeated = named(rows(data.strings, ['name', 'count', 'bytes', 'wasted']), 'name');
const changes = named(rows(data.changes ?? [], ['name', 'added', 'removed', 'addedBytes', 'removedBytes']), 'name');
const trends = named(rows(data.trends ?? [],
    ['name', 'slope', ...files.flatMap((_, i) => [`count${i}`, `retained${i}`])]), 'name');
const last = files.at(-1);

groups[0].name = 'Whole heap';
for (const row of [...groups, ...nodes])
    row.children = [];
for (const group of groups.slice(1))
    groups[group.parent].children.push(group);
for (const node of nodes)
    if (node.dominator >= 0)
        nodes[node.dominator].children.push(node);
for (const node of nodes)
    node.children.sort((a, b) => b.retained - a.retained || a.number - b.number);
for (const row of classes)
    row.examples = [row.a, row.b, row.c, row.d].filter(number => number >= 0).map(number => nodes[number]);
for (const row of changes)
    row.delta = row.addedBytes - row.removedBytes;

/* --- as people read it ------------------------------------------------------------------ */

function size(bytes) {
    const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
    let unit = 0, value = Math.abs(bytes);
    for (; value >= 1024 && unit < units.length - 1; unit++)
        value /= 1024;
    return `${bytes < 0 ? '\u2212' : ''}${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}
const count = number => number.toLocaleString('en-US');
const signed = (number, show) => (number > 0 ? '+' : '') + show(number);
const percent = part => last.total === 0 ? '' : `${(part / last.total * 100).toFixed(part / last.total < 0.1 ? 1 : 0)} %`;
const distance = number => number < 0 || number >= 100000000 ? '\u2013' : count(number);
const is_string = node => node.type.includes('string');
/* A node in one text: its name, and its class where that says more. */
function title(node) {
    if (is_string(node))
        return JSON.stringify(node.name);
    if (node.name === '')
        return node.class;
    return node.name === node.class ? node.name : `${node.class} ${node.name}`;
}
const place = row => row.line > 0 ? `script ${row.script}, line ${row.line}, column ${row.column}` : '';
const is_system = name => name.startsWith('(') || name.startsWith('system /');
function hue(name) {
    let hash = 7;
    for (let i = 0; i < name.length; i++)
        hash = (hash * 31 + name.charCodeAt(i)) >>> 0;
    return (Math.imul(hash, 2654435761) >>> 0) % 360;
}
