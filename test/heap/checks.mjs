/* checks.mjs - snapshots that a test makes, our numbers of each beside DevTools' and memlab's, as TAP.
 *
 * Both readers are npm's (test/heap/package.json); without them the test is passed over.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { zstdDecompressSync } from 'node:zlib';

export function skip(why) {
    console.log(`1..0 # SKIP ${why}`);
    process.exit(0);
}

for (const name of ['chrome-devtools-frontend', '@memlab/core'])
    if (!existsSync(path.join(import.meta.dirname, 'node_modules', name)))
        skip(`${name} is not installed: tools/setup test`);
const { devtools, load } = await import('./devtools.mjs');
const { compare } = await import('./compare.mjs');

const ZSTD = 0xFD2FB528;

/* Where there is a plain one for those who read no other. */
function plain(file) {
    const bytes = readFileSync(file);
    if (bytes.readUInt32LE(0) !== ZSTD)
        return file;
    writeFileSync(`${file}.plain`, zstdDecompressSync(bytes));
    return `${file}.plain`;
}

export class Checks {
    #planned = [];
    #modules;

    /* HEAP_DUMP and GLOVEBOX are programs; `only` names of what is wanted, none: all. */
    constructor(tool, glovebox, only) {
        this.tool = path.resolve(tool);
        this.glovebox = path.resolve(glovebox);
        this.only = only;
        this.directory = mkdtempSync(path.join(tmpdir(), 'glovebox-heap-'));
        process.on('exit', () => rmSync(this.directory, { recursive: true, force: true }));
    }

    path(name) {
        return path.join(this.directory, name);
    }

    /* `make` answers one or two files, the second of them later; `same`: memlab's dominators are ours; `also` is
     * handed them as DevTools has them, and throws if something is wrong. */
    add(name, make, { group = name, same = false, also } = {}) {
        if (this.only.length === 0 || this.only.includes(group))
            this.#planned.push({ name, make, same, also });
    }

    /* Two snapshots of a program under a Node.js, with something new and something gone between them. */
    take(node, code, { cut = false } = {}) {
        const files = ['first', 'second'].map((name) => this.path(`${name}.heapsnapshot`));
        writeFileSync(this.path('program.cjs'), `globalThis.kept = []; function keep(...values) { kept.push(...values); }
            ${code}
            require('v8').writeHeapSnapshot(${JSON.stringify(files[0])});
            { const more = []; for (let i = 0; i < 500; i++) more.push({ fresh: i, of: [i] }); kept.splice(0, 1); keep(more); }
            ${cut ? '' : `require('v8').writeHeapSnapshot(${JSON.stringify(files[1])});`}`);
        execFileSync(node, [this.path('program.cjs')], { stdio: 'ignore' });
        return cut ? [files[0]] : files;
    }

    async #compare({ make, same, also }) {
        const files = await make();
        const said = execFileSync(this.glovebox, ['heap', 'verify', ...files], { encoding: 'utf8' });
        if (said.match(/: whole: /g)?.length !== files.length)
            throw new Error(`verify says ${said}`);
        const plains = files.map(plain);
        const heaps = [];
        for (const file of plains)
            heaps.push(await load(this.#modules, file));
        also?.(...heaps);
        return compare({ tool: this.tool, scratch: this.path('numbers'), files, plains, heaps, same });
    }

    async run() {
        let failed = 0;
        this.#modules = await devtools(this.directory);
        console.log(`1..${this.#planned.length}`);
        for (const [i, check] of this.#planned.entries()) {
            let text;
            try {
                text = await this.#compare(check);
                console.log(`ok ${i + 1} - ${check.name}`);
            } catch (error) {
                failed++;
                text = error.stack ?? String(error);
                console.log(`not ok ${i + 1} - ${check.name}`);
            }
            console.log(text.replace(/^/gm, '# '));
        }
        return failed;
    }
}
