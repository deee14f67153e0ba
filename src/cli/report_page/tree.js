/* tree.js - the dominator tree: below a node is what would be freed with it. */
function make_tree(select) {
    const box = make('div', { class: 'tree', role: 'tree', 'aria-label': 'Dominator tree' });
    const head = make('div', { class: 'tree-row tree-head', 'aria-hidden': 'true' }, make('span', {}, 'Object'),
        make('span', {}, 'Retained'), make('span', {}, 'Shallow'), make('span', {}, 'Distance'));
    const open = new Set();
    let items = [];

    function left_out(node, level) {
        const many = node.count - node.children.length;
        if (many <= 0)
            return [];
        const bytes = node.retained - node.shallow - node.children.reduce((sum, child) => sum + child.retained, 0);
        return [make('div', { class: 'tree-row left', role: 'none', css: { '--level': level } },
            make('span', { class: 'label' }, make('span', { class: 'twist' }), `${count(many)} ${node.children.length ? 'more' : ''}, not in this page`),
            make('span', {}, size(Math.max(bytes, 0))))];
    }

    function item(node, level) {
        const row = make('div', { class: 'tree-row', role: 'treeitem', tabindex: '-1', 'aria-level': level + 1, 'aria-selected': 'false',
            'aria-expanded': node.count > 0 ? String(open.has(node)) : undefined,
            'aria-label': `${title(node)}, retains ${size(node.retained)}`, css: { '--level': level, '--share': node.retained / (last.total || 1) } },
            make('span', { class: 'label' }, make('span', { class: 'twist', on: { click: event => { event.stopPropagation(); toggle(node); } } },
                node.count > 0 ? (open.has(node) ? '\u25be' : '\u25b8') : ''), ...node_label(node)),
            make('span', { class: 'meter' }, make('span', {}, `${size(node.retained)}  ${percent(node.retained)}`)),
            make('span', {}, size(node.shallow)), make('span', {}, distance(node.distance)));
        row.addEventListener('click', () => pick(node));
        row.addEventListener('dblclick', () => toggle(node));
        items.push({ node, level, row });
        return [row, ...(open.has(node) ? inside(node, level + 1) : [])];
    }

    const inside = (node, level) => [...node.children.flatMap(child => item(child, level)), ...left_out(node, level)];

    function fill(focus, holds = box.contains(document.activeElement)) {
        items = [];
        const scroll = box.scrollTop;
        box.replaceChildren(head, ...inside(nodes[0], 0));
        box.scrollTop = scroll;
        mark(focus ?? items[0]?.node, holds);
    }

    function mark(node, focus) {
        for (const one of items) {
            one.row.setAttribute('tabindex', one.node === node ? '0' : '-1');
            one.row.setAttribute('aria-selected', String(one.node === node && chosen === node));
        }
        const row = items.find(one => one.node === node)?.row;
        if (focus)
            row?.focus();
        return row;
    }

    let chosen = null;
    function pick(node) {
        chosen = node;
        mark(node, true);
        select({ node });
    }
    function toggle(node) {
        if (!open.delete(node) && node.count > 0)
            open.add(node);
        fill(node, true);
    }

    box.addEventListener('keydown', event => {
        const at = items.findIndex(one => one.row === event.target);
        if (at < 0)
            return;
        const { node, level } = items[at];
        const go = to => to && mark(to.node, true);
        const acts = {
            ArrowDown: () => go(items[at + 1]), ArrowUp: () => go(items[at - 1]), Home: () => go(items[0]), End: () => go(items.at(-1)),
            ArrowRight: () => open.has(node) ? go(items[at + 1]?.level > level ? items[at + 1] : null) : node.count > 0 && toggle(node),
            ArrowLeft: () => open.has(node) ? toggle(node) : go(items.slice(0, at).findLast(one => one.level < level)),
            Enter: () => pick(node), ' ': () => pick(node),
        };
        if (acts[event.key]) {
            event.preventDefault();
            acts[event.key]();
        }
    });
    fill();

    /* Opens what is above a node, and shows it. False: the page has not all of that. */
    function reveal(node) {
        const above = chain(node);
        if (above === null)
            return false;
        above.slice(0, -1).forEach(one => open.add(one));
        chosen = node;
        fill(node, false);
        mark(node, true)?.scrollIntoView({ block: 'center' });
        return true;
    }
    return { content: [intro('What would be freed together: below each object are those that only it keeps alive, largest first. '
        + 'Arrows move and open; Enter shows what keeps an object alive.'), box], reveal };
}

/* A node and what dominates it, from the top; null: some of it is not in the page. */
function chain(node) {
    const all = [];
    for (let one = node; one !== nodes[0]; one = nodes[one.dominator]) {
        if (one.dominator < 0)
            return null;
        all.unshift(one);
    }
    return all;
}
