/* lists.js - constructors, and strings that are there more than once. */
function make_classes(select) {
    return [intro('By constructor, as in the Summary of DevTools. Retained is what would be freed if all objects of the class were gone; '
        + 'classes that keep each other share it, so it does not add up.'),
        table('Constructors', [
            { key: 'name', title: 'Constructor' },
            { key: 'count', title: 'Objects', show: count },
            { key: 'shallow', title: 'Shallow', show: size },
            { key: 'retained', title: 'Retained', cell: row => make('span', { class: 'meter', css: { '--share': row.retained / (last.total || 1), display: 'block', 'min-width': '130px' } },
                make('span', {}, `${size(row.retained)}  ${percent(row.retained)}`)) },
            { key: 'distance', title: 'Distance', show: distance },
        ], classes, { sort: 'retained', pick: row => select({ class: row }), total: data.classCount })];
}

function make_strings() {
    return [intro(`${count(data.stringCount)} texts are there more than once; their copies waste ${size(data.stringWaste)}. `
        + 'V8 cuts strings in snapshots at 1024 characters: longer ones that begin the same look the same.'),
        table('Strings', [
            { key: 'name', title: 'Text', cell: row => code(JSON.stringify(row.name)) },
            { key: 'count', title: 'Copies', show: count },
            { key: 'bytes', title: 'Size', show: size },
            { key: 'wasted', title: 'Wasted', show: size },
        ], repeated, { sort: 'wasted', total: data.stringCount })];
}
