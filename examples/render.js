/* render.js - a guest that renders Markdown with a library that is not ours.
 *
 *     glovebox run --preload marked.umd.js --set page=@README.md examples/render.js [TIMES]
 *
 * Runs in:  a cell. It has the library (marked), the text (page) and TIMES, and nothing else.
 */
let html;

for (let i = 0; i < Number(args[0] ?? 1); i++)
    html = marked.parse(page);
console.log(html);
