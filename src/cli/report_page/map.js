/* map.js - the treemap: what objects of each constructor retain, within what retains them. */
const MAP_LEVELS = 6;

function make_map(select) {
    const crumbs = make('nav', { class: 'crumbs', 'aria-label': 'Where the map is' });
    const area = make('div', { class: 'map', role: 'group', 'aria-label': 'Map of retained size by constructor' });
    let at = groups[0], chosen = null, cells = [];

    /* A group as d3 takes it: those in it, and what is its own or too small to be in the page. */
    function branch(group, levels) {
        const inner = levels === 0 ? [] : group.children.map(child => branch(child, levels - 1));
        const rest = group.bytes - group.children.reduce((sum, child) => sum + child.bytes, 0);
        if (inner.length === 0)
            return { group, value: group.bytes };
        return { group, children: rest > 0 ? [...inner, { rest: group, value: rest }] : inner };
    }

    function cell(box) {
        const { group, rest } = box.data, width = box.x1 - box.x0, height = box.y1 - box.y0;
        const css = { left: `${box.x0}px`, top: `${box.y0}px`, width: `${width}px`, height: `${height}px` };
        const roomy = width > 44 && height > 15;
        if (rest)
            return make('div', { class: 'rest', css }, roomy ? `itself and small ones` : '');
        css['--hue'] = hue(group.name);
        css['--depth'] = box.depth;
        const label = `${group.name}, ${size(group.bytes)}, ${percent(group.bytes)} of the heap, ${count(group.objects)} objects`;
        const button = make('button', { type: 'button', css, class: is_system(group.name) ? 'system' : '', title: label, 'aria-label': label,
            'aria-pressed': String(group === chosen), tabindex: '-1', on: { click: () => enter(group) } });
        if (roomy)
            button.append(make('b', {}, group.name), width > 110 ? make('span', {}, size(group.bytes)) : '');
        button.group = group;
        cells.push({ button, x: (box.x0 + box.x1) / 2, y: box.y0 + 8 });
        return button;
    }

    function layout() {
        const width = area.clientWidth, height = area.clientHeight;
        if (width === 0)
            return;
        const tree = d3.hierarchy(branch(at, MAP_LEVELS)).sum(d => d.value ?? 0).sort((a, b) => b.value - a.value);
        d3.treemap().size([width, height]).paddingTop(box => box.depth === 0 ? 2 : 19).paddingInner(2).paddingRight(2).paddingBottom(2).paddingLeft(2).round(true)(tree);
        cells = [];
        const boxes = tree.descendants().filter(box => (box.depth > 0 || !box.children) && box.x1 - box.x0 > 3 && box.y1 - box.y0 > 3);
        area.replaceChildren(...boxes.map(cell));
        (cells.find(({ button }) => button.group === chosen) ?? cells[0])?.button.setAttribute('tabindex', '0');
        const way = [];
        for (let group = at; ; group = groups[group.parent]) {
            way.unshift(group);
            if (group.parent < 0)
                break;
        }
        crumbs.replaceChildren(...way.flatMap((group, i) => [i > 0 ? make('span', { 'aria-hidden': 'true' }, '\u203a') : '',
            make('button', { type: 'button', 'aria-current': group === at ? 'location' : undefined,
                on: { click: () => show(group) } }, `${group.name} ${size(group.bytes)}`)].filter(Boolean)));
    }

    function show(group, focus = false) {
        at = group;
        layout();
        if (focus)
            area.querySelector('[tabindex="0"]')?.focus();
    }

    function enter(group) {
        chosen = group;
        select({ group });
        const inside = area.contains(document.activeElement);
        show(group.children.length > 0 ? group : at, inside);
    }

    /* The nearest cell in a direction. */
    function move(from, dx, dy) {
        const score = ({ x, y }) => {
            const along = (x - from.x) * dx + (y - from.y) * dy, across = Math.abs((x - from.x) * dy) + Math.abs((y - from.y) * dx);
            return along > 0 ? along + 2 * across : Infinity;
        };
        const best = cells.reduce((a, b) => score(b) < score(a) ? b : a, from);
        if (best !== from && score(best) < Infinity) {
            from.button.setAttribute('tabindex', '-1');
            best.button.setAttribute('tabindex', '0');
            best.button.focus();
        }
    }
    area.addEventListener('keydown', event => {
        const from = cells.find(({ button }) => button === event.target);
        const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
        if (from && steps[event.key]) {
            event.preventDefault();
            move(from, ...steps[event.key]);
        } else if ((event.key === 'Backspace' || event.key === 'Escape') && at.parent >= 0) {
            event.preventDefault();
            chosen = at;
            show(groups[at.parent], true);
        }
    });
    new ResizeObserver(layout).observe(area);
    return [intro('Each box is a constructor, its area what its objects keep alive; boxes in it are what those are made of. '
        + 'Nothing counts twice. A click goes into a box, Backspace out of it, arrows go from box to box.'), crumbs, area];
}
