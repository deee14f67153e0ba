/* chromium.mjs - Chrome DevTools itself: Debian's Chromium, headless, shows its own DevTools on a program in a
 * cell, which stops at a breakpoint, steps, reads a variable, and takes a heap snapshot.
 *
 * usage: chromium.mjs DEVTOOLS_HOST PICTURE.png
 *
 * DevTools is driven through its own modules and its own buttons; nothing here speaks to the server.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import assert from 'node:assert';
import { browse, CDP, lacking, sleep, until } from './browser.mjs';

const [host, picture] = process.argv.slice(2);
if (lacking) {
    console.log(`1..0 # SKIP ${lacking} is not installed`);
    process.exit(0);
}
const directory = mkdtempSync(path.join(tmpdir(), 'glovebox-chromium-'));
let guest = null, browser = null;

function start(program, ...words) {
    const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'ignore'] });
    child.ended = new Promise(resolve => child.on('close', resolve));
    process.on('exit', () => child.kill('SIGKILL'));
    return child;
}

const SOURCE = `function add(x, y) {
  const sum = x + y;
  return sum;
}
class Marked { constructor() { this.list = new Array(1000).fill(1.5); } }
globalThis.kept = [new Marked(), new Marked()];
add(1, 41);
`;

async function run() {
    /* Its browser serves the DevTools that it comes with. */
    browser = await browse(directory, '--window-size=1400,900');
    const { port } = browser;
    const origin = `http://127.0.0.1:${port}`;

    writeFileSync(`${directory}/program.js`, SOURCE);
    guest = start(host, origin, `${directory}/program.js`);
    let said = '';
    guest.stdout.on('data', data => { said += data; });
    await until('the host listens', () => said.includes('\n'));
    const address = said.trim().slice('ws://'.length);

    const target = await CDP.New({ host: '127.0.0.1', port });
    const page = await CDP({ host: '127.0.0.1', port, target });
    await Promise.all([page.Page.enable(), page.Runtime.enable()]);
    await page.Page.navigate({ url: `${origin}/devtools/js_app.html?experiments=true&v8only=true&ws=${address}` });
    const ask = async expression => {
        const { result, exceptionDetails } = await page.Runtime.evaluate(
            { expression: `(async () => { ${expression} })()`, awaitPromise: true, returnByValue: true });
        if (exceptionDetails)
            throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
        return result.value;
    };
    const model = `const { DebuggerModel, TargetManager } = await import('/devtools/core/sdk/sdk.js');
        const model = TargetManager.TargetManager.instance().models(DebuggerModel.DebuggerModel)[0];
        const frame = model?.debuggerPausedDetails()?.callFrames[0];`;
    const line = () => ask(`${model} return frame?.location().lineNumber`).catch(() => undefined);

    await until('DevTools stops at the first line', async () => await line() !== undefined);
    await ask(`${model} await model.setBreakpointByURL('program.js', 1); model.resume()`);
    await until('the breakpoint is hit', async () => await line() === 1);
    await ask(`${model} model.stepOver()`);
    await until('it steps', async () => await line() === 2);
    const sum = await ask(`${model} return (await frame.evaluate({ expression: 'sum', returnByValue: true })).object.value`);
    assert.equal(sum, 42);
    console.log('ok 1 - stops at a breakpoint, steps, reads a variable');
    await ask(`${model} model.resume()`);

    /* The button of the Memory panel, and what its table then says. */
    await ask(`const { ViewManager } = await import('/devtools/ui/legacy/legacy.js');
        await ViewManager.ViewManager.instance().showView('heap-profiler')`);
    const deep = `const all = []; const walk = node => {
            for (const child of node.children ?? []) { all.push(child); walk(child); }
            if (node.shadowRoot) walk(node.shadowRoot); };
        walk(document);`;
    const { x, y } = await until('the button is there', () => ask(`${deep}
        const button = all.find(node => node.localName === 'devtools-button' && /^\\s*take snapshot/i.test(node.textContent));
        const box = button?.getBoundingClientRect();
        return box?.width > 0 && { x: box.x + box.width / 2, y: box.y + box.height / 2 }`));
    for (const type of ['mousePressed', 'mouseReleased'])
        await page.Input.dispatchMouseEvent({ type, x, y, button: 'left', clickCount: 1 });
    const row = await until('the summary shows the class', () => ask(`${deep}
        return all.find(node => node.localName === 'tr' && /^\\s*Marked/.test(node.textContent))?.textContent`));
    assert.match(row, /Marked/);
    await sleep(500);
    const { data } = await page.Page.captureScreenshot();
    writeFileSync(picture, Buffer.from(data, 'base64'));
    console.log(`ok 2 - takes a heap snapshot and shows its summary\n# ${picture}\n# ${row.trim().replace(/\s+/g, ' ')}`);
    await CDP.Close({ host: '127.0.0.1', port, id: target.id });
    assert.equal(await guest.ended, 0);
    console.log('ok 3 - the program ends when DevTools has gone');
}

console.log('1..3');
let code = 0;
try {
    await run();
} catch (error) {
    code = 1;
    console.log(`not ok - ${error.stack.replace(/\n/g, '\n# ')}`);
}
guest?.kill('SIGKILL');
await Promise.all([guest?.ended, browser?.end()]);
rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
process.exit(code);
