/* report.mjs - the page of glovebox heap report in Debian's Chromium, headless and from a file: clicked, typed into,
 * and used by keyboard alone; with a picture in light and one in dark colours.
 *
 * usage: report.mjs GLOVEBOX LIGHT.png DARK.png
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import assert from 'node:assert';
import { browse, CDP, lacking, until } from './browser.mjs';

const [glovebox, light, dark] = process.argv.slice(2).map(word => path.resolve(word));
if (lacking) {
    console.log(`1..0 # SKIP ${lacking} is not installed`);
    process.exit(0);
}
const directory = mkdtempSync(path.join(tmpdir(), 'glovebox-report-'));
let browser = null;

/* A server that forgets nothing, on five days; and what would end a script or make an element. */
const HOSTILE = '</script><img src=x onerror="globalThis.owned = 1"><!--<script>';
const PROGRAM = `const v8 = require('v8');
class Session { constructor(i) { this.name = 'session' + i; this.user = { id: i, mail: 'user' + i + '@example.org' }; this.cart = []; for (let k = 0; k < i % 7; k++) this.cart.push({ sku: 'sku' + k, price: k * 1.5 }); } }
class Cache extends Map {}
class Route { constructor(path) { this.path = path; this.handler = () => path; this.buffer = new Uint8Array(3000); } }
class Logger { lines = []; }
class Lonely {}
const Hostile = { [${JSON.stringify(HOSTILE)}]: class {} }[${JSON.stringify(HOSTILE)}];
globalThis.app = { sessions: new Cache(), routes: [], logger: new Logger(), only: new Lonely(), hostile: [], history: null };
for (let i = 0; i < 200; i++) app.routes.push(new Route('/route/' + i));
for (let i = 0; i < 400; i++) app.hostile.push(new Hostile(), ${JSON.stringify(HOSTILE)} + i);
let n = 0;
for (const day of ['monday', 'tuesday', 'wednesday', 'thursday', 'friday']) {
    for (let i = 0; i < 2000; i++, n++) {
        app.sessions.set('key' + n, new Session(n));
        app.logger.lines.push('request for session ' + n);
        app.history = { previous: app.history, n: { n } };
    }
    if (day === 'thursday')
        app.logger.lines.length = 1000;
    v8.writeHeapSnapshot(day + '.heapsnapshot');
}`;
const DAYS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday'].map(day => `${day}.heapsnapshot`);

async function run() {
    writeFileSync(`${directory}/program.cjs`, PROGRAM);
    execFileSync(process.execPath, ['program.cjs'], { cwd: directory, stdio: 'ignore' });
    execFileSync(glovebox, ['heap', 'report', ...DAYS, '-o', 'page.html'], { cwd: directory, stdio: 'inherit' });

    browser = await browse(directory, '--window-size=1440,1000');
    const { port } = browser;
    const target = await CDP.New({ host: '127.0.0.1', port });
    const page = await CDP({ host: '127.0.0.1', port, target });
    const wrong = [], asked = [];
    page.Runtime.exceptionThrown(({ exceptionDetails }) => wrong.push(exceptionDetails.exception?.description ?? exceptionDetails.text));
    page.Log.entryAdded(({ entry }) => wrong.push(entry.text));
    page.Network.requestWillBeSent(({ request }) => asked.push(request.url));
    await Promise.all([page.Page.enable(), page.Runtime.enable(), page.Log.enable(), page.Network.enable()]);
    await page.Emulation.setEmulatedMedia({ features: [{ name: 'prefers-color-scheme', value: 'light' }] });
    const address = pathToFileURL(`${directory}/page.html`).href;
    await page.Page.navigate({ url: address });

    const ask = async expression => {
        const { result, exceptionDetails } = await page.Runtime.evaluate({ expression, returnByValue: true });
        if (exceptionDetails)
            throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
        return result.value;
    };
    const shown = (what, expression) => until(what, () => ask(expression));
    const KEYS = { Enter: [13, '\r'], Tab: [9], Escape: [27], Backspace: [8], ArrowLeft: [37], ArrowUp: [38], ArrowRight: [39], ArrowDown: [40], Home: [36], '/': [191, '/'] };
    const press = async key => {
        const [windowsVirtualKeyCode, text] = KEYS[key];
        await page.Input.dispatchKeyEvent({ type: text ? 'keyDown' : 'rawKeyDown', key, code: key === '/' ? 'Slash' : key, windowsVirtualKeyCode, text });
        await page.Input.dispatchKeyEvent({ type: 'keyUp', key, code: key === '/' ? 'Slash' : key, windowsVirtualKeyCode });
    };
    const click = async selector => {
        const { x, y } = await ask(`(() => { const e = ${selector}; e.scrollIntoView({ block: 'nearest' }); const r = e.getBoundingClientRect(); return { x: r.x + r.width / 2, y: r.y + 8 }; })()`);
        for (const type of ['mousePressed', 'mouseReleased'])
            await page.Input.dispatchMouseEvent({ type, x, y, button: 'left', clickCount: 1 });
    };
    const picture = async file => writeFileSync(file, Buffer.from((await page.Page.captureScreenshot()).data, 'base64'));
    const details = `document.getElementById('details').innerText`;
    const tab = name => `[...document.querySelectorAll('[role=tab]')].find(e => e.textContent === '${name}')`;
    let number = 0;
    const ok = what => console.log(`ok ${++number} - ${what}`);

    await shown('the map', `document.querySelectorAll('.map button').length > 5`);
    assert.equal(await ask(`document.querySelectorAll('#totals .tile').length`), 5);
    ok('opens from a file and shows the map');

    const before = await ask(`document.querySelectorAll('.crumbs button').length`);
    await click(`[...document.querySelectorAll('.map button')].find(e => e.group?.children.length > 0 || /Cache|Object|global/.test(e.textContent))`);
    await shown('inside a box', `document.querySelectorAll('.crumbs button').length > ${before}`);
    assert.match(await ask(details), /size of the box/);
    ok('a click on a box goes into it, and tells of it');

    await click(`document.getElementById('search')`);
    await page.Input.insertText({ text: 'lonely' });
    await shown('Lonely is found', `/Lonely/.test(document.querySelector('#found [role=option]')?.textContent)`);
    await press('Enter');
    await shown('the class', `/objects\\s+1\\b/.test(${details})`);
    await click(`document.querySelector('#details .link')`);
    await shown('what keeps it', `/It is alive since .*\\.only refers to it/.test(${details})`);
    ok('a search finds a class; its object tells what keeps it alive');

    await click(`[...document.querySelectorAll('#details .more')].at(-1)`);
    await shown('it is in the tree', `document.querySelector('.tree [aria-selected=true]')?.textContent.includes('Lonely')`);
    assert.equal(await ask(`document.activeElement.getAttribute('role')`), 'treeitem');
    ok('the dominator tree opens down to it');

    await press('Home');
    await press('ArrowRight');
    const first = await ask(`document.activeElement.getAttribute('aria-label')`);
    await shown('it is open', `document.activeElement.getAttribute('aria-expanded') === 'true'`);
    await press('ArrowDown');
    assert.notEqual(await ask(`document.activeElement.getAttribute('aria-label')`), first);
    assert(['solid', 'auto'].includes(await ask(`getComputedStyle(document.activeElement).outlineStyle`)));
    await press('Enter');
    await shown('it is selected', `document.activeElement.getAttribute('aria-selected') === 'true' && /retained size/.test(${details})`);
    ok('arrows and Enter go through the tree, with a ring around what has the focus');

    await ask(`${tab('Dominators')}.focus()`);
    for (const [key, name, there] of [['Home', 'Map', '.map'], ['ArrowRight', 'Constructors', 'table'], ['ArrowLeft', 'Map', '.map'], ['ArrowLeft', 'Trend', '.area'], ['ArrowLeft', 'Changes', '.up'], ['ArrowLeft', 'Strings', 'table']]) {
        await press(key);
        assert.equal(await ask(`document.activeElement.textContent`), name);
        assert(await ask(`document.querySelectorAll('[role=tabpanel]:not([hidden]) ${there}').length > 0`), name);
    }
    ok('arrows go from view to view: constructors, strings, changes, trend');

    await press('/');
    assert.equal(await ask(`document.activeElement.id`), 'search');
    await page.Input.insertText({ text: '</script>' });
    await shown('hostile names', `document.querySelector('#found')?.textContent.includes(${JSON.stringify(HOSTILE)})`);
    await press('Enter');
    await shown('a hostile class', `${details}.includes(${JSON.stringify(HOSTILE)})`);
    assert.deepEqual(await ask(`[globalThis.owned ?? null, document.querySelectorAll('img').length, document.scripts.length]`), [null, 0, 5]);
    assert.deepEqual(asked.filter(url => url !== address), []);
    assert.deepEqual(wrong, []);
    ok('names that are HTML stay text; nothing is fetched, nothing fails');

    await click(tab('Map'));
    await ask(`document.querySelector('.crumbs button').click()`);
    await ask(`[...document.querySelectorAll('#found, #search')].forEach(e => e.blur())`);
    await click(tab('Constructors'));
    await click(`[...document.querySelectorAll('td .link')].find(e => e.textContent === 'Cache')`);
    await click(`document.querySelector('#details .link')`);
    await click(tab('Map'));
    const color = () => ask(`getComputedStyle(document.body).backgroundColor`);
    const white = await color();
    await picture(light);
    await click(`document.getElementById('theme')`);
    assert.equal(await ask(`document.getElementById('theme').getAttribute('aria-checked')`), 'true');
    assert.notEqual(await color(), white);
    await picture(dark);
    for (const name of process.env.PICTURES ? ['Constructors', 'Dominators', 'Strings', 'Changes', 'Trend'] : []) {
        await click(tab(name));
        await picture(path.join(process.env.PICTURES, `${name}.png`));
    }
    await page.Emulation.setEmulatedMedia({ features: [{ name: 'prefers-color-scheme', value: 'dark' }] });
    await page.Page.reload();
    await shown('dark of itself', `document.getElementById('theme')?.getAttribute('aria-checked') === 'true'`);
    ok(`dark by a switch, and by what the system says\n# ${light}\n# ${dark}`);
    await CDP.Close({ host: '127.0.0.1', port, id: target.id });
}

console.log('1..8');
let failed = 0;
try {
    await run();
} catch (error) {
    failed = 1;
    console.log(`not ok - ${error.stack.replace(/\n/g, '\n# ')}`);
}
await browser?.end();
rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
process.exit(failed);
