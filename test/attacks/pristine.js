/* pristine.js - prints, one a line, what crawl.js finds in a fresh context of this Node.js: V8's own
 * world, which nothing of Node.js has touched.
 */
const fs = require('fs');
const path = require('path');
const vm = require('vm');

const read = name => fs.readFileSync(path.join(__dirname, name), 'utf8');
const source = `(${read('crawl.js')})(${read('intrinsics.js')}).lines`;
process.stdout.write(vm.runInContext(source, vm.createContext()).join('\n'));
