'use strict';
// Prints what Node.js's console says for each line of a file of cases: after each case a byte 1.
const fs = require('node:fs');
const vm = require('node:vm');
const { Writable } = require('node:stream');
let out = '';
const sink = new Writable({ decodeStrings: false, write(text, encoding, done) { out += text; done(); } });
globalThis.console = new console.Console(sink, sink);
for (const line of fs.readFileSync(process.argv[2], 'utf8').split('\n')) {
  if (line === '') continue;
  vm.runInThisContext(line, { filename: 'case.js' });
  out += '\x01';
}
fs.writeFileSync(1, out);
