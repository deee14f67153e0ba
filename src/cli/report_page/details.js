/* details.js - what is selected: a node with what keeps it alive, a class, or a box of the map. */
function make_details(box, show) {
    const list = (...pairs) => make('dl', {}, ...pairs.filter(([, value]) => value !== '').flatMap(([name, value]) => [make('dt', {}, name), make('dd', {}, value)]));
    const with_share = bytes => `${size(bytes)} (${percent(bytes)})`;
    const node_list = all => make('ul', { class: 'plain' }, ...all.map(node =>
        make('li', {}, link(() => show.node(node), ...node_label(node)), make('span', {}, size(node.retained)))));
    const heading = (...children) => make('h2', { tabindex: '-1' }, ...children);

    /* From the root to the node; the page may lack steps between. */
    function path(node) {
        const steps = [];
        for (let one = node; one; one = nodes[one.from]) {
            if (steps.includes(one))
                break;
            steps.unshift(one);
        }
        return steps;
    }

    function why(node, steps) {
        if (node === nodes[0])
            return 'It is the root.';
        if (node.distance < 0)
            return 'Nothing leads to it.';
        const begin = steps[0], way = steps.slice(1).map(step => (step.skipped > 0 ? ' \u2026 ' : '') + step.edge).join('');
        const where = node.distance >= 100000000 ? 'V8 itself holds ' : '';
        return way === '' ? `${where || 'The root holds '}it.` : `It is alive since ${where}${title(begin)}${way} refers to it.`;
    }

    function node_details(node) {
        const steps = path(node), above = chain(node);
        const keeps = node.children.slice(0, 8);
        return [heading(...node_label(node)),
            list(['type', node.type], ['class', node.class], ['shallow size', size(node.shallow)], ['retained size', with_share(node.retained)],
                ['distance', distance(node.distance)], ['defined at', place(node)], ['document', node.detached === 2 ? 'detached' : '']),
            make('p', { class: 'sentence' }, why(node, steps)),
            make('h3', {}, 'What keeps it alive'),
            make('ol', { class: 'path', 'aria-label': 'Retaining path, from the root' }, ...steps.flatMap(step => [
                step.skipped > 0 ? make('li', { class: 'left' }, `${count(step.skipped)} more between`) : '',
                make('li', {}, step.edge === '' || step === steps[0] ? '' : make('span', { class: 'edge name' }, step.edge),
                    step === node ? code(title(step)) : link(() => show.node(step), code(title(step))), make('span', { class: 'id' }, `@${step.id}`))].filter(Boolean))),
            above === null || above.length === 0 ? '' : make('button', { type: 'button', class: 'more', on: { click: () => show.tree(node) } }, 'Show in the dominator tree'),
            keeps.length === 0 ? '' : make('h3', {}, 'Largest that only it keeps alive'), keeps.length === 0 ? '' : node_list(keeps)];
    }

    function class_details(row) {
        return [heading(code(row.name)),
            list(['objects', count(row.count)], ['shallow size', size(row.shallow)], ['retained size', with_share(row.retained)],
                ['least distance', distance(row.distance)], ['constructor at', place(row)]),
            make('h3', {}, row.examples.length > 0 ? 'Objects that retain most' : 'Its objects are not in this page'), node_list(row.examples)];
    }

    function group_details(group) {
        const all = classes.find(row => row.name === group.name), example = nodes[group.example];
        const way = [];
        for (let one = group; one.parent >= 0; one = groups[one.parent])
            way.unshift(one.name);
        return [heading(code(group.name)),
            group === groups[0] ? '' : make('p', { class: 'note' }, `in the map: ${way.join(' \u203a ')}`),
            list(['size of the box', with_share(group.bytes)], group.objects > 0 ? ['objects in it', count(group.objects)] : ['', '']),
            example && group !== groups[0] ? make('h3', {}, 'The one that retains most') : '', example && group !== groups[0] ? node_list([example]) : '',
            all ? make('h3', {}, 'Everywhere in the heap') : '',
            all ? make('ul', { class: 'plain' }, make('li', {}, link(() => show.class(all), code(all.name)), make('span', {}, `${count(all.count)}, ${size(all.retained)}`))) : '',
            make('h3', {}, group.children.length > 0 ? 'Largest in it' : ''),
            make('ul', { class: 'plain' }, ...group.children.toSorted((a, b) => b.bytes - a.bytes).slice(0, 8).map(one =>
                make('li', {}, code(one.name), make('span', {}, size(one.bytes)))))];
    }

    return what => {
        const content = what.node ? node_details(what.node) : what.class ? class_details(what.class) : group_details(what.group);
        box.replaceChildren(...content.filter(Boolean));
        box.scrollTop = 0;
    };
}
