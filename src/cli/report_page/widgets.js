/* widgets.js - elements, made of text and never of HTML; tables that sort. */
function make(tag, options = {}, ...children) {
    const element = document.createElement(tag);
    for (const [key, value] of Object.entries(options)) {
        if (key === 'on')
            for (const [event, act] of Object.entries(value))
                element.addEventListener(event, act);
        else if (key === 'css')
            for (const [name, setting] of Object.entries(value))
                element.style.setProperty(name, setting);
        else if (value !== undefined && value !== false)
            element.setAttribute(key, value === true ? '' : value);
    }
    element.append(...children.filter(child => child !== undefined && child !== ''));
    return element;
}

function draw(tag, options = {}, ...children) {
    const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
    for (const [key, value] of Object.entries(options))
        if (key === 'css')
            element.style.setProperty(...value);
        else
            element.setAttribute(key, value);
    element.append(...children);
    return element;
}

const intro = text => make('p', { class: 'intro' }, text);
const code = text => make('span', { class: 'name', title: text }, text);
const node_label = node => [code(title(node)), make('span', { class: 'id' }, `@${node.id}`)];
const link = (act, ...children) => make('button', { type: 'button', class: 'link', on: { click: act } }, ...children);

/* Columns are { key, title, show, cell }; `pick` is called with a row when its name is chosen. */
function table(label, columns, all, { sort, pick, first = 100, total = all.length }) {
    const body = make('tbody'), head = make('tr');
    const more = make('button', { type: 'button', class: 'more', on: { click: () => { first = Infinity; fill(); } } });
    const left = make('p', { class: 'note' });
    let down = true;

    function fill() {
        const sorted = all.toSorted((a, b) => (typeof a[sort] === 'string'
            ? a[sort].localeCompare(b[sort]) : b[sort] - a[sort]) * (down ? 1 : -1) || a.number - b.number);
        body.replaceChildren(...sorted.slice(0, first).map(row => make('tr', {}, ...columns.map(column => {
            const content = column.cell ? column.cell(row) : column.show ? column.show(row[column.key]) : row[column.key];
            return make('td', {}, column.key === 'name' && pick ? link(() => pick(row), code(row.name)) : content);
        }))));
        more.textContent = `Show all ${count(all.length)}`;
        more.hidden = first >= all.length;
        columns.forEach((column, i) => {
            const th = head.children[i];
            if (column.key === sort)
                th.setAttribute('aria-sort', down ? 'descending' : 'ascending');
            else
                th.removeAttribute('aria-sort');
            th.firstChild.textContent = column.title + (column.key === sort ? (down ? ' \u2193' : ' \u2191') : '');
        });
    }
    head.append(...columns.map(column => make('th', { scope: 'col' }, make('button', { type: 'button', on: { click: () => {
        down = column.key === sort ? !down : true;
        sort = column.key;
        fill();
    } } }))));
    fill();
    if (total > all.length)
        left.textContent = `${count(total - all.length)} more are not in this page.`;
    return make('div', {}, make('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': label },
        make('table', {}, make('thead', {}, head), body)), more, total > all.length ? left : '');
}
