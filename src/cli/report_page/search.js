/* search.js - the box that finds classes, and nodes by name or @id. */
function make_search(input, box, status, show) {
    const MOST = 40;
    const all = [...classes.map(row => ({ row, text: row.name, low: row.name.toLowerCase() })),
        ...nodes.slice(1).map(node => ({ node, text: title(node), low: `${title(node)} @${node.id}`.toLowerCase() }))
            .sort((a, b) => b.node.retained - a.node.retained)];
    let options = [], at = -1;

    function close() {
        box.hidden = true;
        input.setAttribute('aria-expanded', 'false');
        input.removeAttribute('aria-activedescendant');
    }

    function pick(found) {
        close();
        if (found.row)
            show.class(found.row);
        else
            show.node(found.node);
    }

    function mark(to) {
        options[at]?.setAttribute('aria-selected', 'false');
        at = (to + options.length) % options.length;
        options[at].setAttribute('aria-selected', 'true');
        options[at].scrollIntoView({ block: 'nearest' });
        input.setAttribute('aria-activedescendant', options[at].id);
    }

    function find() {
        const wanted = input.value.trim().toLowerCase();
        if (wanted === '') {
            status.textContent = '';
            return close();
        }
        /* An id is meant as a whole; else what begins so comes first. */
        const by_id = /^@\d+$/.test(wanted);
        const found = all.filter(one => by_id ? one.node && `@${one.node.id}` === wanted : one.low.includes(wanted));
        const ranked = [...found.filter(one => one.low.startsWith(wanted)), ...found.filter(one => !one.low.startsWith(wanted))].slice(0, MOST);
        options = ranked.map((one, i) => make('div', { role: 'option', id: `found-${i}`, 'aria-selected': 'false', on: { mousedown: event => { event.preventDefault(); pick(one); } } },
            make('span', {}, code(one.text), one.node ? make('span', { class: 'id' }, ` @${one.node.id}`) : ''),
            make('span', {}, one.row ? `class, ${size(one.row.retained)}` : size(one.node.retained))));
        options.forEach((option, i) => { option.found = ranked[i]; });
        const more = found.length > MOST ? `, the first ${MOST} are shown` : '';
        const text = `${count(found.length)} found${more}. This page has ${count(nodes.length)} of ${count(last.nodes)} objects and ${count(classes.length)} of ${count(data.classCount)} constructors.`;
        box.replaceChildren(...options, make('p', { class: 'note' }, text));
        status.textContent = text;
        box.hidden = false;
        input.setAttribute('aria-expanded', 'true');
        at = -1;
        if (options.length > 0)
            mark(0);
    }

    input.addEventListener('input', find);
    input.addEventListener('focus', find);
    input.addEventListener('blur', close);
    input.addEventListener('keydown', event => {
        const acts = { ArrowDown: () => mark(at + 1), ArrowUp: () => mark(at - 1), Enter: () => pick(options[at].found) };
        if (event.key === 'Escape') {
            close();
        } else if (acts[event.key] && !box.hidden && options.length > 0) {
            event.preventDefault();
            acts[event.key]();
        }
    });
    document.addEventListener('keydown', event => {
        if (event.key === '/' && !event.ctrlKey && !event.metaKey && !event.altKey && document.activeElement !== input) {
            event.preventDefault();
            input.focus();
            input.select();
        }
    });
}
