"""glovebox heap report, from outside: the file it writes, what is in it, and what it refuses."""

import hashlib
import base64
import json
import os
import pathlib
import re
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'integration/cli'))

from support import BUILD, Place, finish
import tap

HOSTILE = '</script><img src=x onerror=alert(1)><!--<script>'
PROGRAM = '''
class Session { constructor(i) { this.user = { id: i, name: 'user' + i }; } }
const Hostile = { [%s]: class {} }[%s];
globalThis.kept = []; globalThis.one = { only: new (class Lonely { far = {} })() };
for (let i = 0; i < 200; i++) kept.push(new Session(i), new Hostile(), %s + i, '\\u202e\\u0007 %%' + i);
let list = new (class Tail { end = {}; })(); for (let i = 0; i < 3000; i++) list = { next: list }; globalThis.list = list; 0
''' % ((json.dumps(HOSTILE),) * 3)
MADE = {}


def snapshot():
    """The bytes of a cell's snapshot; made once."""
    if 'a' not in MADE:
        with Place() as place:
            place.run('run', '--heap-snapshot', 'a', '-e', PROGRAM).is_like(0, err='')
            MADE['a'] = (place.path / 'a').read_bytes()
            place.makes('a')
    return MADE['a']


def page_of(place, *files):
    place.run('heap', 'report', *files, '-o', 'page.html').is_like(0, '', '')
    page = (place.path / 'page.html').read_bytes()
    (place.path / 'page.html').unlink()
    return page


def data_of(page):
    text, = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page.decode(), re.DOTALL)
    return json.loads(text)


def rows(data, key, width):
    return [data[key][at:at + width] for at in range(0, len(data[key]), width)]


def made():
    with Place(a=snapshot()) as place:
        return page_of(place, 'a')


def test_its_numbers_are_those_of_the_other_questions():
    with Place(a=snapshot()) as place:
        data = data_of(page_of(place, 'a'))
        texts, ask = data['texts'], lambda *words: place.run('heap', *words, '-j', '-n0').is_like(0, err='').json
        for name, count, shallow, retained, *_ in rows(data, 'classes', 12):
            MADE.setdefault('classes', []).append((count, shallow, retained))
        assert MADE['classes'] == [(row['count'], row['shallow'], row['retained']) for row in ask('summary', 'a')][:600]
        total = data['files'][1]
        assert total == ask('stats', 'a')['total'] == rows(data, 'groups', 5)[0][2]
        nodes = rows(data, 'nodes', 16)
        lonely, = [node for node in nodes if texts[node[3]] == 'Lonely' and texts[node[1]] == 'object' and node[7] >= 0 and texts[node[9]] == '.only']
        way, at = [], lonely
        while at[10] >= 0:
            way.insert(0, (texts[at[9]], at[0]))
            at = nodes[at[10]]
        assert way == [(row['edge'], row['id']) for row in ask('path', 'a', f'@{lonely[0]}')], way


def test_boxes_of_the_map_share_all_bytes():
    groups = rows(data_of(made()), 'groups', 5)
    inside = [0] * len(groups)
    for parent, _, size, *_ in groups[1:]:
        inside[parent] += size
    for (_, _, size, *_), part in zip(groups, inside):
        assert 0 <= part <= size, (part, size)
    assert inside[0] > groups[0][2] * 0.9, (inside[0], groups[0])


def test_a_long_path_has_a_gap():
    nodes = rows(data_of(made()), 'nodes', 16)
    assert len(nodes) <= 12000
    for node in nodes:
        assert -1 <= node[7] < len(nodes) and -1 <= node[10] < len(nodes), node
    assert any(node[11] > 10 for node in nodes), 'no gap'


def test_names_cannot_leave_their_place():
    page = made().decode()
    assert HOSTILE not in page and '<img' not in page
    assert len(re.findall('</script', page)) == len(re.findall('<script', page)) == 5, re.findall('<script[^>]*>', page)
    assert any(text.startswith(HOSTILE) for text in data_of(made())['texts'])
    data = re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1]
    assert '<' not in data and '>' not in data and '&' not in data


def test_its_policy_allows_its_own_scripts_and_nothing_else():
    page = made().decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert policy.startswith("default-src 'none'; ") and 'unsafe' not in policy and 'http' not in policy, policy
    bodies = re.findall(r'<(?:script|style)>(.*?)</(?:script|style)>', page, re.DOTALL)
    hashes = {f"sha256-{base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()}" for body in bodies}
    assert len(bodies) == 5 and set(re.findall(r"sha256-[^']*", policy)) == hashes, policy
    assert not re.search(r'\son\w+=|\sstyle=|src=|<link|@import|url\(', page.split('id="data">')[0])
    for library in ('d3-hierarchy 3', 'd3-shape 3', 'd3-path 3', 'Mike Bostock', 'PROVIDED "AS IS"'):
        assert library in page, library


def test_the_same_files_make_the_same_bytes():
    with Place(a=snapshot()) as place:
        assert page_of(place, 'a') == page_of(place, 'a')
        place.put('b', snapshot())
        both = page_of(place, 'a', 'b')
        assert both == page_of(place, 'a', 'b') and both != page_of(place, 'b', 'a')
        (place.path / 'b').unlink()


def test_several_files_tell_what_changed():
    node = BUILD / 'libexec/glovebox/engine/bin/node'
    code = '''const v8 = require('v8'); class Leak { x = {} } const kept = []; globalThis.kept = kept;
        for (const name of ['a', 'b', 'c']) { for (let i = 0; i < 50; i++) kept.push(new Leak()); v8.writeHeapSnapshot(name); }'''
    with Place() as place:
        subprocess.run([node, '-e', code], cwd=place.path, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        place.makes('a', 'b', 'c')
        data = data_of(page_of(place, 'a', 'b', 'c'))
        texts = data['texts']
        assert [texts[row[0]] for row in rows(data, 'files', 11)] == ['a', 'b', 'c']
        leak, = [row for row in rows(data, 'changes', 5) if texts[row[0]] == 'Leak']
        assert leak[1:3] == [100, 0], leak
        trend, = [row for row in rows(data, 'trends', 8) if texts[row[0]] == 'Leak']
        assert trend[2::2] == [50, 100, 150] and trend[1] > 0, trend


def test_however_large_a_heap_is_its_page_is_small():
    """30,000 classes and nodes with long names, each of which would be six times as long in JSON."""
    many = 30000
    fields = {'node_fields': ['type', 'name', 'id', 'self_size', 'edge_count'], 'node_types': [['object', 'synthetic'], 'string', 'number', 'number', 'number'],
              'edge_fields': ['type', 'name_or_index', 'to_node'], 'edge_types': [['element', 'property'], 'string_or_number', 'node']}
    nodes = [1, 0, 1, 0, many] + [n for i in range(many) for n in (0, i + 1, 4294900000 - 2 * i, 2000000000 - i, 0)]
    edges = [n for i in range(many) for n in (1, i + 1, 5 * (i + 1))]
    text = json.dumps({'snapshot': {'meta': fields, 'node_count': many + 1, 'edge_count': many}, 'nodes': nodes, 'edges': edges,
                       'strings': ['', *(f'{i}' + '<' * 400 for i in range(many))]})
    with Place(a=text) as place:
        page = page_of(place, 'a')
    data = data_of(page)
    assert 100000 < len(page) < 3000000, len(page)
    assert data['classCount'] == many and data['cutTexts'] >= 600 and len(data['nodes']) > 16 * 240, (data['cutTexts'], len(data['nodes']) / 16)


def test_what_it_writes_to():
    with Place(a=snapshot(), old='old') as place:
        os.symlink('old', place.path / 'link')
        place.makes('link')
        place.run('heap', 'report', 'a', '-o', 'link').is_like(0, '', '')
        assert (place.path / 'link').is_symlink() and b'<!doctype html>' in (place.path / 'old').read_bytes()[:20]
        assert place.run('heap', 'report', 'a', '-o', '/dev/stdout').is_like(0, err='').out.startswith('<!doctype html>')
        place.run('heap', 'report', 'a', '-o', 'none/page.html').is_like(4, '', '...none/page.html: No such file or directory')
        place.run('heap', 'report', '-', '-o', 'link', input=snapshot()).is_like(0, '', '')


def test_what_it_refuses():
    with Place(a=snapshot(), cut=snapshot()[:-100]) as place:
        place.run('heap', 'report', 'a').is_like(2, '', '...--output FILE')
        place.run('heap', 'report', '-o', 'page.html').is_like(2, '')
        place.run('heap', 'report', 'cut', '-o', 'page.html').is_like(3, '', '...cut: strings: ')
        place.run('heap', 'report', 'a', 'none', '-o', 'page.html').is_like(3, '', '...cannot open none')


def test_interrupted_it_leaves_nothing():
    with Place() as place:
        process = place.start('heap', 'report', '-', '-o', 'page.html', stdin=subprocess.PIPE)
        process.stdin.write(b'{' + b' ' * (64 << 20))
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        ended = finish(process, b'')
        assert ended.code == 130 and ended.out == '', ended


if __name__ == '__main__':
    tap.run(globals())
