/* main.js - puts the page together. */
function make_tabs(list, box, views) {
    const tabs = views.map(({ name }, i) => make('button', { type: 'button', role: 'tab', id: `tab-${i}`, 'aria-controls': `view-${i}` }, name));
    const panels = views.map(({ content }, i) => make('div', { role: 'tabpanel', id: `view-${i}`, 'aria-labelledby': `tab-${i}` }, ...content));
    function open(at, focus) {
        tabs.forEach((tab, i) => {
            tab.setAttribute('aria-selected', String(i === at));
            tab.setAttribute('tabindex', i === at ? '0' : '-1');
            panels[i].hidden = i !== at;
        });
        if (focus)
            tabs[at].focus();
    }
    tabs.forEach((tab, i) => tab.addEventListener('click', () => open(i, true)));
    list.addEventListener('keydown', event => {
        const at = tabs.indexOf(event.target), steps = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1 };
        if (at >= 0 && event.key in steps) {
            event.preventDefault();
            open((steps[event.key] + tabs.length) % tabs.length, true);
        }
    });
    list.append(...tabs);
    box.append(...panels);
    open(0, false);
    return name => open(views.findIndex(view => view.name === name), false);
}

/* As the system has it, until the switch says otherwise. */
function make_theme(button) {
    const system = matchMedia('(prefers-color-scheme: dark)');
    const set = dark => {
        document.documentElement.dataset.theme = dark ? 'dark' : 'light';
        button.setAttribute('aria-checked', String(dark));
    };
    let own = false;
    system.addEventListener('change', () => own || set(system.matches));
    button.addEventListener('click', () => {
        own = true;
        set(button.getAttribute('aria-checked') !== 'true');
    });
    set(system.matches);
}

function left_out() {
    const items = [];
    const say = (has, all, what) => has < all && items.push(`${count(has)} of ${count(all)} ${what}`);
    say(nodes.length, last.nodes, 'objects: the largest of the dominator tree, those that retain most of each constructor, and what leads to them');
    say(classes.length, data.classCount, 'constructors: those that retain most');
    say(groups.length, data.groupCount, 'boxes of the map: the largest');
    say(repeated.length, data.stringCount, 'repeated strings: those that waste most');
    say(changes.length, data.changeCount ?? 0, 'changed constructors: those that changed most');
    if (data.cutTexts > 0)
        items.push(`${count(data.cutTexts)} names and texts are cut; they end with \u2026`);
    return items.length > 0 ? items : ['Nothing: it has all of them.'];
}

const element = id => document.getElementById(id);
make_theme(element('theme'));
document.title = `Heap report: ${last.name}`;
element('file').textContent = files.length > 1 ? `${last.name}, after ${files.slice(0, -1).map(file => file.name).join(', ')}` : last.name;
element('file').title = element('file').textContent;
element('totals').append(...make_totals());
element('left-out').append(...left_out().map(text => make('li', {}, text)));

const show = {
    node: node => select({ node }),
    class: row => select({ class: row }),
    tree: node => { open_tab('Dominators'); tree.reveal(node); },
};
const select = make_details(element('details'), show);
const tree = make_tree(select);
const views = [{ name: 'Map', content: make_map(select) }, { name: 'Constructors', content: make_classes(select) },
    { name: 'Dominators', content: tree.content }, { name: 'Strings', content: make_strings() }];
if (files.length > 1)
    views.push({ name: 'Changes', content: make_changes(select) }, { name: 'Trend', content: make_trend(select) });
const open_tab = make_tabs(element('tabs'), element('views'), views);
make_search(element('search'), element('found'), element('found-count'), show);
select({ group: groups[0] });
