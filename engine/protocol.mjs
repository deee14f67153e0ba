// Writes the description of the DevTools protocol that this engine speaks, as a C file: what its
// own Node answers to /json/protocol, without the domains that Node adds to V8's.
//
// usage: node --inspect-publish-uid=http protocol.mjs OUTPUT.c    (the flag: or it says on stderr
//        that it listens)
import { writeFileSync } from 'node:fs';
import { get } from 'node:http';
import inspector from 'node:inspector';

const OURS = new Set(['Console', 'Debugger', 'HeapProfiler', 'Profiler', 'Runtime', 'Schema']);

inspector.open(0, '127.0.0.1');
const { port } = new URL(inspector.url());
get({ host: '127.0.0.1', port, path: '/json/protocol' }, async response => {
    let text = '';
    for await (const piece of response.setEncoding('utf8'))
        text += piece;
    const protocol = JSON.parse(text);
    protocol.domains = protocol.domains.filter(({ domain }) => OURS.has(domain));
    if (protocol.domains.length !== OURS.size)
        throw new Error(`expected the domains ${[...OURS]}`);
    const bytes = Buffer.from(JSON.stringify(protocol) + '\n');
    const rows = [];
    for (let at = 0; at < bytes.length; at += 32)
        rows.push([...bytes.subarray(at, at + 32)].join(','));
    writeFileSync(process.argv[2], `#include "devtools/protocol.h"
const unsigned char protocol_json[] = {\n${rows.join(',\n')}\n};
const size_t protocol_json_len = sizeof protocol_json;\n`);
    inspector.close();
    process.exit(0);
});
