/* browser.mjs - Debian's Chromium, headless, for tests that drive it by its protocol. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

const name = ['chromium', 'chromium-browser', 'google-chrome'].find(name => spawnSync(name, ['--version']).status === 0);
const client = path.join(import.meta.dirname, 'node_modules', 'chrome-remote-interface', 'index.js');

/* What a test lacks that needs both; undefined: nothing. */
export const lacking = !name ? 'chromium' : existsSync(client) ? undefined : 'chrome-remote-interface';
export const CDP = lacking ? undefined : (await import(client)).default;
export const sleep = ms => new Promise(resolve => setTimeout(resolve, ms));

export async function until(what, condition) {
    for (const late = Date.now() + 120000; Date.now() < late; await sleep(100)) {
        const value = await condition();
        if (value)
            return value;
    }
    throw new Error(`never: ${what}`);
}

/* Starts one with a profile in `directory`; `port` is its protocol's, and it ends with end() or this process. */
export async function browse(directory, ...words) {
    const child = spawn(name, ['--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run', ...words,
        '--remote-debugging-port=0', `--user-data-dir=${directory}/profile`, 'about:blank'], { stdio: 'ignore', detached: true });
    const ended = new Promise(resolve => child.on('close', resolve));
    const kill = () => {
        try {
            process.kill(-child.pid, 'SIGKILL');
        } catch {} // it has ended
    };
    process.on('exit', kill);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
        process.on(signal, () => process.exit(1));
    const note = `${directory}/profile/DevToolsActivePort`;
    const port = await until('chromium listens', () => existsSync(note) && Number(readFileSync(note, 'utf8').split('\n')[0]));
    return { port, end: () => { kill(); return ended; } };
}
