/* makers.mjs - our numbers beside DevTools' and memlab's on snapshots of other makers: Node.js 18 to 25, as npm has
 * them, and Debian's Chromium with a page. make e2e, since they are a gigabyte.
 *
 * usage: makers.mjs HEAP_DUMP GLOVEBOX [MAKER...]
 */
import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import { browse, CDP, lacking, until } from '../devtools/browser.mjs';
import { Checks, skip } from './checks.mjs';
import { programs } from './programs.mjs';
import { redactedIsTheSame } from './same.mjs';

const [tool, glovebox, ...only] = process.argv.slice(2);
const engines = path.join(import.meta.dirname, 'engines');
if (lacking || !existsSync(path.join(engines, 'node_modules')))
    skip(`${lacking ?? 'the other engines'} is not installed: tools/setup e2e`);
const checks = new Checks(tool, glovebox, only);

for (const name of Object.keys(JSON.parse(readFileSync(path.join(engines, 'package.json'))).optionalDependencies)) {
    const [, version, machine] = name.split('-');
    if (machine === process.arch)
        for (const [program, code] of Object.entries(programs))
            checks.add(`${program} in Node.js ${version}`, () => checks.take(path.join(engines, 'node_modules', name, 'bin/node'), code),
                { group: version });
}

/* A page with what only a browser has: elements that are shown and ones that are not, listeners, shadow trees,
 * frames, workers' handles, what the console was shown, observers and pictures. */
const PAGE = `
    class Widget { constructor(i) { this.root = document.createElement('div'); this.root.className = 'widget w' + i; this.root.append(i, document.createElement('span'));
        this.root.addEventListener('click', () => this); } }
    globalThis.shown = []; globalThis.gone = []; globalThis.frames_ = [];
    for (let i = 0; i < 300; i++) { const w = new Widget(i); (i % 3 ? shown : gone).push(w); if (i % 3) document.body.append(w.root); }
    for (let i = 0; i < 20; i++) { const host = document.createElement('section'); host.attachShadow({ mode: i % 2 ? 'open' : 'closed' }).innerHTML = '<p id=p' + i + '><slot></slot></p>'; document.body.append(host); if (i % 4 === 0) { gone.push(host); host.remove(); } }
    for (let i = 0; i < 3; i++) { const f = document.createElement('iframe'); f.srcdoc = '<script>var kept = [document.createElement("b"), {}]</' + 'script>'; document.body.append(f); frames_.push(f); }
    console.log({ onlyTheConsole: [1, 2, 3] }, document.createElement('code'));
    globalThis.seen = [new MutationObserver(() => shown), new IntersectionObserver(() => gone), new AbortController(), new Worker(URL.createObjectURL(new Blob(['postMessage(1)']))),
        new OffscreenCanvas(64, 64).getContext('2d'), document.createRange(), new WeakRef(gone[0]), new DOMParser().parseFromString('<x><y/></x>', 'text/xml')];
    globalThis.byElement = new WeakMap(gone.map((g) => [g, { of: g }]));
    seen[0].observe(document.body, { childList: true }); document.title = 'made'`;

async function takeOfPage(page, name) {
    const file = checks.path(`${name}.heapsnapshot`);
    const to = openSync(file, 'w');
    const stop = page.HeapProfiler.addHeapSnapshotChunk(({ chunk }) => writeSync(to, chunk));
    await page.HeapProfiler.takeHeapSnapshot({ reportProgress: false });
    stop();
    closeSync(to);
    return file;
}

let browser;
checks.add('a page in Chromium', async () => {
    browser = await browse(checks.directory);
    const target = await CDP.New({ host: '127.0.0.1', port: browser.port });
    const page = await CDP({ host: '127.0.0.1', port: browser.port, target });
    await Promise.all([page.Runtime.enable(), page.HeapProfiler.enable()]);
    const { exceptionDetails } = await page.Runtime.evaluate({ expression: PAGE });
    if (exceptionDetails)
        throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    await until('its frames are loaded', async () => (await page.Runtime.evaluate(
        { expression: `frames_.every((f) => f.contentWindow.kept) && document.title === 'made'`, returnByValue: true })).result.value);
    const first = await takeOfPage(page, 'page');
    const detached = execFileSync(checks.glovebox, ['heap', 'summary', first, '--filter', 'Detached <div', '--json'], { encoding: 'utf8' });
    if (JSON.parse(detached)[0]?.count !== 100)
        throw new Error(`of a hundred detached elements the summary has ${detached}`);
    await page.Runtime.evaluate({ expression: `shown.splice(0, 50).forEach((w) => { w.root.remove(); gone.push(w); }); frames_[0].remove();` });
    return [first, await takeOfPage(page, 'page-later')];
}, { group: 'chromium' });
checks.add('a page in Chromium, redacted', () => {
    const [file, redacted] = ['page', 'page-redacted'].map((name) => checks.path(`${name}.heapsnapshot`));
    execFileSync(checks.glovebox, ['heap', 'redact', file, '-o', redacted]);
    const before = readFileSync(file, 'latin1'), after = readFileSync(redacted, 'latin1');
    for (const [word, stays] of [['<div ', true], ['<section', true], ['widget w2', false], ['onlyTheConsole', false]])
        if (!before.includes(word) || after.includes(word) !== stays)
            throw new Error(`${word} ${stays ? 'is gone' : 'is there'}`);
    return [redacted, file];
}, { group: 'chromium', also: redactedIsTheSame });

process.exitCode = await checks.run() > 0 ? 1 : 0;
await browser?.end();
