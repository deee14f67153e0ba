/* build.mjs - puts the page of glovebox heap report together, as a file of C: what comes before its data,
 * and what comes after.
 *
 * usage: build.mjs page.html page.css SCRIPT.js... NODE_MODULES OUTPUT.c
 *
 * The page's policy names its own style and scripts by their hashes and allows nothing else: no network, no
 * other script, no HTML made of text.
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const LIBRARIES = ['d3-path', 'd3-hierarchy', 'd3-shape'];
const read = file => readFileSync(file, 'utf8');
const [, , html, css, ...rest] = process.argv;
const output = rest.pop(), modules = rest.pop();

const libraries = LIBRARIES.map(name => read(path.join(modules, name, 'dist', `${name}.min.js`)).trim());
const own = `(() => {\n'use strict';\n${rest.map(read).join('\n')}})();\n`;
const style = read(css);
const licences = LIBRARIES.map(name => {
    const { version, homepage } = JSON.parse(read(path.join(modules, name, 'package.json')));
    return `${name} ${version}, ${homepage}\n\n${read(path.join(modules, name, 'LICENSE')).trim()}`;
}).join('\n\n\n');

const hashes = texts => texts.map(text => `'sha256-${createHash('sha256').update(text).digest('base64')}'`).join(' ');
const policy = `default-src 'none'; script-src ${hashes([...libraries, own])}; style-src ${hashes([style])}; `
    + `base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'`;
const scripts = [...libraries, own].map(text => {
    if (/<\/script|<!--/i.test(text))
        throw new Error('a script that would end its element');
    return `<script>${text}</script>`;
}).join('\n');

const fill = { POLICY: policy, STYLE: `<style>${style}</style>`, SCRIPTS: scripts,
    LICENCES: licences.replace(/&/g, '&amp;').replace(/</g, '&lt;') };
const [head, tail, ...more] = read(html).replace(/<!-- ([A-Z]+) -->/g, (all, key) => fill[key] ?? all).split('<!-- DATA -->');
if (tail === undefined || more.length > 0)
    throw new Error('page.html has one place for the data');

const bytes = (name, text) => {
    const all = Buffer.from(text), rows = [];
    for (let at = 0; at < all.length; at += 32)
        rows.push(all.subarray(at, at + 32).join(','));
    return `const unsigned char ${name}[] = {\n${rows.join(',\n')}\n};\nconst size_t ${name}_len = sizeof ${name};\n`;
};
writeFileSync(output, `#include "cli/heap_report.h"\n${bytes('report_page_head', head)}${bytes('report_page_tail', tail)}`);
