/* devtools.mjs - DevTools' own code, bundled for Node.js: what our numbers are compared with.
 *
 * The package is DevTools' source; esbuild makes one module of its heap snapshot worker.
 */
import { build } from 'esbuild';
import { openSync, readSync, closeSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const worker = 'chrome-devtools-frontend/front_end/entrypoints/heap_snapshot_worker';

/* A module that Chrome's build writes: the languages of texts, of which none is shown here. */
const locales = {
    name: 'locales',
    setup(build) {
        build.onResolve({ filter: /\/locales\.js$/ }, () => ({ path: 'locales', namespace: 'made' }));
        build.onLoad({ filter: /.*/, namespace: 'made' }, () => ({
            contents: `export const LOCALES = ['en-US'], BUNDLED_LOCALES = ['en-US'], DEFAULT_LOCALE = 'en-US';
                       export const REMOTE_FETCH_PATTERN = '', LOCAL_FETCH_PATTERN = '';`,
        }));
    },
};

/* The worker's modules, bundled into `directory`. */
export async function devtools(directory) {
    const outfile = path.join(directory, 'devtools.mjs');
    const root = path.join(import.meta.dirname, 'node_modules', worker);
    await build({
        stdin: {
            contents: `export * from '${root}/HeapSnapshot.ts'; export * from '${root}/HeapSnapshotLoader.ts';`,
            resolveDir: root,
            loader: 'ts',
        },
        bundle: true, format: 'esm', platform: 'node', plugins: [locales], outfile, logLevel: 'error',
    });
    return import(pathToFileURL(outfile));
}

/* A snapshot as DevTools has it, from a file, in chunks of 10 MB as DevTools reads them. */
export async function load(modules, file) {
    const loader = new modules.HeapSnapshotLoader({ sendEvent() {} });
    const fd = openSync(file);
    const chunk = Buffer.alloc(10_000_000);
    for (let n; (n = readSync(fd, chunk)) > 0;)
        loader.write(chunk.latin1Slice(0, n));
    closeSync(fd);
    loader.close();
    const { port1, port2 } = new MessageChannel();
    new modules.SecondaryInitManager(port2);
    const snapshot = await loader.buildSnapshot(port1);
    port1.close();
    return snapshot;
}
