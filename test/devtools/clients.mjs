/* clients.mjs - chrome-remote-interface, a client that others have written, on `glovebox inspect`.
 *
 * usage: clients.mjs GLOVEBOX
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import assert from 'node:assert';

const glovebox = path.resolve(process.argv[2]); // programs are run elsewhere
if (!existsSync(path.join(import.meta.dirname, 'node_modules', 'chrome-remote-interface'))) {
    console.log('1..0 # SKIP chrome-remote-interface is not installed: tools/setup test');
    process.exit(0);
}
const { default: CDP } = await import('./node_modules/chrome-remote-interface/index.js');
const directory = mkdtempSync(path.join(tmpdir(), 'glovebox-devtools-'));
const running = new Set();
process.on('exit', () => {
    for (const child of running)
        child.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
});

const SOURCE = `let total = 0;
function add(x, y) {
  const sum = x + y;
  total += sum;
  return sum;
}
class Marked { constructor() { this.list = [1, 2, 3]; } }
globalThis.kept = [new Marked(), new Marked()];
console.log('sum', add(1, 41));
async function later() {
  await null;
  return add(total, 1);
}
later().then(n => { console.log('later', n); return n; })
`;

/* Runs the command until it listens; answers how it ends, too. */
async function inspect(...words) {
    const file = path.join(directory, 'program.js');
    writeFileSync(file, SOURCE);
    const child = spawn(glovebox, [...words, 'program.js'], { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(child);
    const one = { child, out: '', err: '' };
    child.stdout.on('data', data => { one.out += data; });
    one.ended = new Promise(resolve => child.on('close', code => { running.delete(child); resolve(code); }));
    one.address = await new Promise((resolve, reject) => {
        child.stderr.on('data', data => {
            one.err += data;
            const found = /listening on ws:\/\/([\d.]+):(\d+)\/(\w+)/.exec(one.err);
            if (found)
                resolve({ host: found[1], port: Number(found[2]), id: found[3] });
        });
        one.ended.then(code => reject(new Error(`ended with ${code}: ${one.err}`)));
    });
    return one;
}

const log = process.env.TRACE ? console.error : () => {};
async function attach(one) {
    const { host, port } = one.address;
    /* It fetches /json/list, and the commands that it has from /json/protocol. */
    const client = await CDP({ host, port });
    client.on("event", m => log(JSON.stringify(m).slice(0, 300)));
    client.Debugger.on('scriptParsed', script => { client.script = script.url === 'program.js' ? script : client.script; });
    return client;
}

const event = (client, name) => new Promise(resolve => client.once(name, resolve));

const tests = {
    async 'finds what there is'() {
        const one = await inspect('inspect', '--port', '0');
        const { host, port, id } = one.address;
        const [target, ...others] = await CDP.List({ host, port });
        assert.equal(others.length, 0);
        assert.equal(target.id, id);
        assert.equal(target.title, 'program.js');
        const version = await CDP.Version({ host, port });
        assert.match(version.Browser, /^glovebox\//);
        const protocol = await CDP.Protocol({ host, port });
        assert.deepEqual(protocol.domains.map(({ domain }) => domain).sort(),
            ['Console', 'Debugger', 'HeapProfiler', 'Profiler', 'Runtime', 'Schema']);
        one.child.kill('SIGTERM');
        assert.equal(await one.ended, 143);
    },

    async 'stops at the first line, at breakpoints, steps, reads and writes'() {
        const one = await inspect('inspect', '--port', '0', '-p');
        const client = await attach(one);
        const { Debugger, Runtime } = client;
        await Promise.all([Runtime.enable(), Debugger.enable()]);
        const first = event(client, 'Debugger.paused');
        await Runtime.runIfWaitingForDebugger();
        let paused = await first;
        assert.equal(paused.callFrames[0].location.lineNumber, 0);
        assert.equal(one.out, '');
        const { locations } = await Debugger.setBreakpointByUrl({ url: 'program.js', lineNumber: 2, condition: 'y === 41' });
        assert.equal(locations.length, 1);
        const go = async action => {
            const next = event(client, 'Debugger.paused');
            await action();
            return next;
        };
        paused = await go(() => Debugger.resume());
        assert.equal(paused.hitBreakpoints.length, 1);
        paused = await go(() => Debugger.stepOver());
        assert.equal(paused.callFrames[0].location.lineNumber, 3);
        const { callFrameId, scopeChain } = paused.callFrames[0];
        const read = await Debugger.evaluateOnCallFrame({ callFrameId, expression: 'sum' });
        assert.equal(read.result.value, 42);
        const { result } = await Runtime.getProperties({ objectId: scopeChain[0].object.objectId });
        assert.deepEqual(Object.fromEntries(result.map(({ name, value }) => [name, value.value])), { x: 1, y: 41, sum: 42 });
        await Debugger.setVariableValue({ scopeNumber: 0, variableName: 'x', newValue: { value: 7 }, callFrameId });
        paused = await go(() => Debugger.stepOut());
        const printed = event(client, 'Runtime.consoleAPICalled');
        await Debugger.resume();
        assert.deepEqual((await printed).args.map(({ value }) => value), ['sum', 42]);
        await client.close();
        assert.equal(await one.ended, 0);
        assert.equal(one.out, 'sum 42\nlater 43\n43\n');
    },

    async 'takes heap snapshots and profiles'() {
        const one = await inspect('run', '--inspect-brk=0');
        const client = await attach(one);
        const { Debugger, HeapProfiler, Profiler, Runtime } = client;
        await Promise.all([Runtime.enable(), Debugger.enable(), Profiler.enable(), HeapProfiler.enable()]);
        const first = event(client, 'Debugger.paused');
        await Runtime.runIfWaitingForDebugger();
        await first;
        await Profiler.start();
        await Debugger.resume();
        /* The program has ended, and can be looked at as long as somebody is there. */
        const value = async expression => (await Runtime.evaluate({ expression })).result.value;
        while (await value('total') !== 85)
            ;
        const { profile } = await Profiler.stop();
        assert(profile.nodes.length > 0 && profile.endTime > profile.startTime);
        let text = '';
        HeapProfiler.on('addHeapSnapshotChunk', ({ chunk }) => { text += chunk; });
        await HeapProfiler.takeHeapSnapshot({ reportProgress: false });
        const { snapshot, nodes, strings } = JSON.parse(text);
        assert.equal(nodes.length, snapshot.node_count * snapshot.meta.node_fields.length);
        assert(strings.includes('Marked'));
        assert(one.err.includes('waiting for the debugger to disconnect'), one.err);
        await client.close();
        assert.equal(await one.ended, 0);
    },

    async 'is told how the program ended'() {
        const one = await inspect('run', '--inspect-brk=0', '--memory', '16M');
        const client = await attach(one);
        await client.Debugger.enable();
        const gone = event(client, 'disconnect');
        const detached = new Promise(resolve =>
            client.on('event', ({ method, params }) => method === 'Inspector.detached' && resolve(params)));
        const first = event(client, 'Debugger.paused');
        await client.Runtime.runIfWaitingForDebugger();
        await first;
        client.Runtime.evaluate({ expression: 'let a = []; for (;;) a.push(new Array(1000).fill(1.5))' }).catch(() => {});
        assert.match((await detached).reason, /past its memory limit/);
        await gone;
        assert.equal(await one.ended, 12);
    },
};

console.log(`1..${Object.keys(tests).length}`);
let number = 0, failed = 0;
for (const [name, test] of Object.entries(tests)) {
    number++;
    try {
        await test();
        console.log(`ok ${number} - ${name}`);
    } catch (error) {
        failed++;
        console.log(`not ok ${number} - ${name}\n${error.stack.replace(/^/gm, '# ')}`);
    }
}
process.exit(failed ? 1 : 0);
