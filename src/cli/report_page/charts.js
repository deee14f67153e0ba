/* charts.js - what the heap consists of; what changed; how it grew over several snapshots. */
const KINDS = [['code', 'code', 215], ['strings', 'strings', 155], ['arrays', 'arrays', 45], ['typed', 'typed arrays', 340],
    ['outside', 'other native', 265], ['system', 'system', 190], ['objects', 'other objects', 20]];
/* Shares that overlap leave nothing: arrays may be part of what a native node owns. */
for (const file of files) {
    file.outside = Math.max(file.native - file.typed, 0);
    file.objects = Math.max(file.total - file.native - file.code - file.strings - file.arrays - file.system, 0);
}

const legend = file => make('ul', { class: 'legend' }, ...KINDS.filter(([key]) => files.some(one => one[key] > 0)).map(([key, name, color]) =>
    make('li', {}, make('i', { css: { '--hue': color } }), `${name} `, make('b', {}, size(file[key])))));

function make_totals() {
    const tile = (value, name) => make('div', { class: 'tile' }, make('b', {}, value), make('span', {}, name));
    const first = files[0];
    return [make('div', { class: 'tiles' }, tile(size(last.total), 'heap'), tile(count(last.nodes), 'objects'), tile(count(last.edges), 'references'),
        tile(count(data.classCount), 'constructors'),
        ...(files.length > 1 ? [tile(signed(last.total - first.total, size), `since ${first.name}`)] : [])),
    make('div', {}, make('div', { class: 'shares', 'aria-hidden': 'true' },
        ...KINDS.map(([key, , color]) => make('i', { css: { '--hue': color, flex: String(last[key]) } }))), legend(last))];
}

/* --- changes ----------------------------------------------------------------------------- */

function change_bars() {
    const top = changes.filter(row => row.delta !== 0).slice(0, 14), width = 900, line = 24, middle = 560;
    const most = Math.max(...top.map(row => Math.abs(row.delta)), 1);
    const chart = draw('svg', { class: 'chart', viewBox: `0 0 ${width} ${top.length * line + 6}`, role: 'img',
        'aria-label': `Largest changes: ${top.slice(0, 5).map(row => `${row.name} ${signed(row.delta, size)}`).join(', ')}` });
    top.forEach((row, i) => {
        const long = Math.abs(row.delta) / most * 240, y = i * line + 4, up = row.delta > 0;
        const name = row.name.length > 42 ? `${row.name.slice(0, 41)}\u2026` : row.name;
        chart.append(draw('text', { x: 0, y: y + 14, class: 'value' }, name),
            draw('rect', { x: up ? middle : middle - long, y, width: long, height: line - 6, rx: 3, class: up ? 'up' : 'down' }),
            draw('text', { x: up ? middle + long + 6 : middle - long - 6, y: y + 14, 'text-anchor': up ? 'start' : 'end', class: 'value' }, signed(row.delta, size)));
    });
    chart.append(draw('line', { x1: middle, x2: middle, y1: 0, y2: top.length * line + 2, class: 'axis' }));
    return top.length > 0 ? chart : make('p', { class: 'note' }, 'Nothing changed.');
}

function make_changes(select) {
    const by_name = new Map(classes.map(row => [row.name, row]));
    return [intro(`From ${files[0].name} to ${last.name}: objects that came and went, told apart by their ids. Both have to be of one isolate.`),
        change_bars(), make('h3', {}, 'All changes'),
        table('Changes', [
            { key: 'name', title: 'Constructor' },
            { key: 'added', title: 'New', show: count },
            { key: 'removed', title: 'Deleted', show: count },
            { key: 'addedBytes', title: 'Allocated', show: size },
            { key: 'removedBytes', title: 'Freed', show: size },
            { key: 'delta', title: 'Size delta', cell: row => make('span', { class: row.delta > 0 ? 'grow' : 'shrink' }, signed(row.delta, size)) },
        ], changes, { sort: 'delta', pick: row => by_name.has(row.name) && select({ class: by_name.get(row.name) }), total: data.changeCount })];
}

/* --- trend ------------------------------------------------------------------------------- */

/* A round number of bytes that is at least that much. */
function round_up(bytes) {
    let step = 1;
    while (step < bytes)
        step *= 2;
    return [0.625, 0.75, 0.875, 1].map(part => part * step).find(value => value >= bytes) ?? step;
}

function stacked() {
    const width = 900, height = 300, left = 72, bottom = 28, most = round_up(Math.max(...files.map(file => file.total), 1));
    const x = i => left + i / (files.length - 1) * (width - left - 16), y = value => height - bottom - value / most * (height - bottom - 12);
    const series = d3.stack().keys(KINDS.map(([key]) => key))(files);
    const shape = d3.area().x((_, i) => x(i)).y0(d => y(d[0])).y1(d => y(d[1]));
    const chart = draw('svg', { class: 'chart', viewBox: `0 0 ${width} ${height}`, role: 'img',
        'aria-label': `Heap: ${files.map(file => `${file.name} ${size(file.total)}`).join(', ')}` });
    for (const part of [0, 0.25, 0.5, 0.75, 1])
        chart.append(draw('line', { x1: left, x2: width - 16, y1: y(most * part), y2: y(most * part), class: 'axis' }),
            draw('text', { x: left - 8, y: y(most * part) + 4, 'text-anchor': 'end' }, size(most * part)));
    series.forEach((layer, i) => chart.append(draw('path', { d: shape(layer), class: 'area', css: ['--hue', KINDS[i][2]] })));
    const every = Math.ceil(files.length / 8);
    files.forEach((file, i) => {
        const name = file.name.length > 22 ? `\u2026${file.name.slice(-21)}` : file.name;
        if (i % every === 0 || i === files.length - 1)
            chart.append(draw('text', { x: x(i), y: height - 8, 'text-anchor': i === 0 ? 'start' : i === files.length - 1 ? 'end' : 'middle' }, name));
    });
    return chart;
}

function growth(row, select, by_name) {
    const width = 220, height = 84, values = files.map((_, i) => row[`retained${i}`]), most = Math.max(...values, 1);
    const x = i => 6 + i / (files.length - 1) * (width - 12), y = value => height - 8 - value / most * (height - 18);
    const points = values.map((value, i) => [x(i), y(value)]);
    const objects = row[`count${files.length - 1}`] - row.count0;
    return make('figure', {}, make('figcaption', {},
        by_name.has(row.name) ? link(() => select({ class: by_name.get(row.name) }), code(row.name)) : code(row.name)),
    draw('svg', { class: 'chart', viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': `${row.name}: ${values.map(size).join(', ')}` },
        draw('path', { class: 'under', d: d3.area().y0(height - 8)(points) }), draw('path', { class: 'stroke', d: d3.line()(points) }),
        ...points.map(([cx, cy]) => draw('circle', { cx, cy, r: 3, class: 'dot' }))),
    make('figcaption', {}, make('span', {}, `${size(values[0])} \u2192 ${size(values.at(-1))}`), make('span', { class: 'id' }, `${signed(objects, count)} objects`)));
}

function make_trend(select) {
    const by_name = new Map(classes.map(row => [row.name, row]));
    return [intro('What the heap consisted of in each snapshot.'), stacked(), legend(last), make('h3', {}, 'Retained size of the classes that grow fastest'),
        trends.length > 0 ? make('div', { class: 'small' }, ...trends.map(row => growth(row, select, by_name))) : make('p', { class: 'note' }, 'None grows.')];
}
