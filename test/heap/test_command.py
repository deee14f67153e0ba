"""glovebox heap, from outside: snapshots of cells, taken by glovebox run, and files that are none."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'integration/cli'))

from support import BUILD, PATIENCE, Place, finish
import tap

PROGRAM = '''
class Session { constructor(i) { this.user = { id: i, name: 'user' + i }; } }
globalThis.sessions = []; globalThis.one = { only: new (class Lonely { far = 'away'.repeat(3) })() };
for (let i = 0; i < %d; i++) sessions.push(new Session(i)); 0
'''
MADE = {}


def snapshot(sessions=40):
    """The bytes of a cell's snapshot; made once for each number."""
    if sessions not in MADE:
        with Place() as place:
            place.run('run', '--heap-snapshot', 'a', '-e', PROGRAM % sessions).is_like(0, err='')
            MADE[sessions] = (place.path / 'a').read_bytes()
            place.makes('a')
    return MADE[sessions]


def ask(*words, **files):
    with Place(**({'a': snapshot()} | files)) as place:
        return place.run('heap', *words)


def rows(*words, **files):
    return ask(*words, '--json', '--top', '0', **files).is_like(0, err='').json


def test_summary_counts_what_the_program_made():
    by_class = {row['class']: row for row in rows('summary', 'a')}
    assert by_class['Session']['count'] == 40 and by_class['{name}']['count'] >= 40, by_class['{name}']
    assert by_class['Session']['retained'] > by_class['Session']['shallow'] > 0
    retained = [row['retained'] for row in rows('summary', 'a')]
    assert retained == sorted(retained, reverse=True)
    counts = [row['count'] for row in rows('summary', 'a', '--sort', 'count')]
    assert counts == sorted(counts, reverse=True) and counts != retained
    assert [row['class'] for row in rows('summary', 'a', '--filter', 'SESSION')] == ['Session']


def test_summary_as_a_table():
    text = ask('summary', 'a', '--top', '3').is_like(0, err='').out.splitlines()
    assert re.fullmatch(r' *count +shallow +retained +distance  class', text[0]) and len(text) == 5, text
    assert re.fullmatch(r'\.\.\. \d+ more: --top 0 shows all', text[4]), text


def test_stats_add_up():
    stats = rows('stats', 'a')
    parts = sum(stats[name] for name in ('code', 'strings', 'arrays', 'native', 'system', 'other'))
    assert parts == stats['total'] > 0, stats
    assert stats['file_bytes'] == len(snapshot()), stats
    assert sum(row['shallow'] for row in rows('summary', 'a')) == stats['total'], stats


def test_a_node_by_class_and_by_id():
    node, = rows('node', 'a', 'Lonely')
    assert node['class'] == node['name'] == 'Lonely' and node['type'] == 'object', node
    assert rows('node', 'a', f'@{node["id"]}') == rows('node', 'a', node['id']) == [node]
    path = rows('path', 'a', 'Lonely')
    assert [row['edge'] for row in path[-2:]] == ['.one', '.only'] and path[-1]['id'] == node['id'], path
    assert [row['distance'] for row in path] == list(range(2, 2 + len(path))), path
    retainers = rows('retainers', 'a', 'Lonely')
    assert ('.only', '{only}') in [(row['edge'], row['class'] if row['class'] != 'Object' else row['name']) for row in retainers], retainers
    assert '.far' in [row['edge'] for row in rows('contain', 'a', 'Lonely')]
    text = ask('path', 'a', 'Lonely').is_like(0, err='').out
    assert f'\n@{node["id"]} is alive since ' in text, text


def test_dominators_share_what_is_retained():
    top = rows('dominators', 'a')
    assert sum(row['retained'] for row in top) == rows('stats', 'a')['total'], top[:5]
    lonely = rows('node', 'a', 'Lonely')[0]
    assert sum(row['retained'] for row in rows('dominators', 'a', 'Lonely')) == lonely['retained'] - lonely['shallow']


def test_strings_that_are_twice():
    found = rows('strings', 'a')
    for row in found:
        assert row['count'] > 1 and 0 < row['wasted'] < row['shallow'], row


STRINGS = '''
globalThis.long = 'x'.repeat(9).padEnd(50000, 'padding'); globalThis.rope = '';
for (let i = 0; i < 2000; i++) rope += 'part number ' + i + ' of a rope that is never read';
globalThis.small = ['abc' + long.length, 'def' + long.length]; 0
'''


def test_strings_that_hold_most():
    with Place() as place:
        place.run('run', '--heap-snapshot', 'a', '-e', STRINGS).is_like(0, err='')
        MADE['strings'] = (place.path / 'a').read_bytes()
        place.makes('a')
    all_of_them = rows('strings', 'a', '--largest', a=MADE['strings'])
    order = [row['retained'] for row in all_of_them]
    assert order == sorted(order, reverse=True) and len(order) > 20, order[:5]
    assert ask('strings', 'a', '--largest', '--top', '7', '--json', a=MADE['strings']).json == all_of_them[:7]
    rope, = [row for row in all_of_them if row['text'].startswith('part number 0 of a rope')]
    assert rope in all_of_them[:5] and rope['retained'] > 2000 * 40 > rope['shallow'], rope
    # The rope's halves are part of it.
    assert not [row for row in all_of_them if row['text'].startswith('part number 1')]
    filtered = rows('strings', 'a', '--largest', '--filter', 'ABC50000', a=MADE['strings'])
    assert [row['text'] for row in filtered] == ['abc50000'], filtered
    by_distance = [row['distance'] for row in rows('strings', 'a', '--largest', '--sort', 'distance', a=MADE['strings'])]
    assert by_distance == sorted(by_distance, reverse=True)


KEPT = '''
class Registry extends Map {}
globalThis.map = new Registry(); for (let i = 0; i < 1000; i++) map.set('key' + i, { i });
globalThis.thin = new Map(); for (let i = 0; i < 600; i++) thin.set('t' + i, {}); for (let i = 5; i < 300; i++) thin.delete('t' + i);
class Ids extends Set {} globalThis.set = new Ids(); for (let i = 0; i < 60; i++) set.add('s' + i);
class Meta extends WeakMap {} globalThis.meta = new Meta(); for (const v of map.values()) meta.set(v, {});
class Rows extends Array {} globalThis.row = new Rows(); for (let i = 0; i < 500; i++) row.push({});
class Table { } globalThis.table = new Table(); for (let i = 0; i < 5000; i++) table['p' + i] = i; for (let i = 0; i < 4900; i++) delete table['p' + i];
class Plain { constructor() { %s } } globalThis.plain = new Plain();
function outer() { const big = new Array(9000).fill(0).map((_, i) => ({ i })), small = {}; return [function keeper() { return [big, small]; }, () => small]; }
globalThis.keep = outer(); 0
''' % ' '.join(f'this.f{i} = "text{i}";' for i in range(60))


def kept():
    if 'kept' not in MADE:
        with Place() as place:
            place.run('run', '--heap-snapshot', 'a', '-e', KEPT).is_like(0, err='')
            MADE['kept'] = (place.path / 'a').read_bytes()
            place.makes('a')
    return MADE['kept']


def test_closures_tell_what_they_keep():
    row, = [row for row in rows('closures', 'a', a=kept()) if row['variable'] == '->big']
    assert row['functions'] == 2 and row['retained'] > 9000 * 16 and row['function'] in ('keeper', ''), row
    context, = rows('node', 'a', f'@{row["id"]}', a=kept())
    assert context['retained'] == row['retained'], context
    found = rows('closures', 'a', a=kept())
    assert [row['retained'] for row in found] == sorted((row['retained'] for row in found), reverse=True)
    assert rows('closures', 'a', '--filter', '>BIG', a=kept()) == [row]


def test_collections_tell_how_full_they_are():
    found = rows('collections', 'a', a=kept())
    by_class = {row['class']: (row['kind'], row['entries'], row['slots']) for row in found}
    assert by_class['Registry'] == ('Map', 1000, 1024), by_class
    assert by_class['Ids'] == ('Set', 60, 64), by_class
    assert by_class['Meta'][:2] == ('WeakMap', 1000) and by_class['Meta'][2] >= 1024, by_class
    assert by_class['Rows'][:2] == ('array', 500) and 500 <= by_class['Rows'][2] < 1000, by_class
    assert by_class['Table'][:2] == ('object', 100) and by_class['Table'][2] >= 128, by_class
    assert 'Plain' not in by_class and 'Map' in by_class, by_class
    thin, = [row for row in found if row['class'] == 'Map' and row['slots'] == 1024]
    assert thin['entries'] == 305, thin
    assert [row['class'] for row in rows('collections', 'a', '--filter', 'REGI', a=kept())] == ['Registry']


def test_diff_and_leaks_of_one_isolate():
    """The engine's own Node.js takes more than one snapshot of the same isolate."""
    node = BUILD / 'libexec/glovebox/engine/bin/node'
    code = '''const v8 = require('v8'); class Leak { x = {} } const kept = []; globalThis.kept = kept;
        for (const name of ['a', 'b', 'c']) { for (let i = 0; i < 50; i++) kept.push(new Leak()); v8.writeHeapSnapshot(name); }'''
    with Place() as place:
        subprocess.run([node, '-e', code], cwd=place.path, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        place.makes('a', 'b', 'c')
        diff = {row['class']: row for row in place.run('heap', 'diff', 'a', 'c', '-j', '-n0').is_like(0, err='').json}
        leak = diff['Leak']
        assert (leak['added'], leak['removed'], leak['delta']) == (100, 0, 100), leak
        assert leak['size_delta'] == leak['added_bytes'] > 0
        leaks = {row['class']: row for row in place.run('heap', 'leaks', 'a', 'b', 'c', '-j', '-n0').is_like(0, err='').json}
        assert (leaks['Leak']['first'], leaks['Leak']['last'], leaks['Leak']['survivors']) == (50, 150, 50), leaks['Leak']
        assert '.kept' in leaks['Leak']['path'], leaks['Leak']
        assert '(symbol)' not in leaks
        place.run('heap', 'assert', 'a', 'b', 'c', 'growth(Leak) <= 100', 'growth(Leak)>=100').is_like(0, err='')
        place.run('heap', 'assert', 'a', 'c', 'growth(Leak) < 100').is_like(1, 'FAIL  growth(Leak) < 100: it is 100\n', '')
        place.run('heap', 'diff', 'a', 'a', '-j').is_like(0, '[\n]\n', '')


def test_trend_over_files_and_a_directory():
    sizes = [40, 20, 90]
    files = [f's{n}.heapsnapshot' for n in sizes]
    with Place() as place:
        for name, size in zip(files, sizes):
            place.put(name, snapshot(size))
        trend = place.run('heap', 'trend', *files, '--json', '--top', '0').is_like(0, err='').json
        assert [row['file'] for row in trend['files']] == files
        for name, row in zip(files, trend['files']):
            stats = place.run('heap', 'stats', name, '--json').json
            assert (row['nodes'], row['total']) == (stats['nodes'], stats['total'])
        session, = [row for row in trend['classes'] if row['class'] == 'Session']
        each = [place.run('heap', 'summary', name, '--json', '--filter', 'Session').json[0] for name in files]
        for key in ('count', 'shallow', 'retained'):
            assert session[key] == [row[key] for row in each], (key, session)
        assert session['count'] == sizes and session['first'] == each[0]['retained'] and session['last'] == each[2]['retained']
        assert abs(session['slope'] - (session['last'] - session['first']) / 2) <= 1, session
        slopes = [row['slope'] for row in trend['classes']]
        assert slopes == sorted(slopes, reverse=True)
        # In a directory, by time; and what is no snapshot is left alone.
        (place.path / 'store').mkdir()
        (place.path / 'store/notes.txt').write_text('no snapshot')
        for at, name in enumerate([files[2], files[0]]):
            (place.path / name).rename(place.path / 'store' / name)
            os.utime(place.path / 'store' / name, (1000 + at, 1000 + at))
        trend = place.run('heap', 'trend', 'store', files[1], '-j').is_like(0, err='').json
        assert [row['file'] for row in trend['files']] == [f'store/{files[2]}', f'store/{files[0]}', files[1]]
        text = place.run('heap', 'trend', 'store', '--filter', 'session').is_like(0, err='').out
        assert re.search(r'^ +-[\d.]+ KiB +[\d.]+ KiB +[\d.]+ KiB  █▁  Session$', text, re.MULTILINE), text
        place.run('heap', 'trend', '.').is_like(0)
        (place.path / files[1]).unlink()
        place.run('heap', 'trend', '.').is_like(3, '', '...there is no .heapsnapshot in it')
        place.run('heap', 'trend', 'store', 'nowhere').is_like(3, err='...cannot open nowhere')
        shutil.rmtree(place.path / 'store')


def test_assertions_end_with_one():
    ask('assert', 'a', 'count(Session) == 40', 'total<1G', 'retained(Session) > 1K').is_like(0, err='')
    ask('assert', 'a', 'count(Session) < 40').is_like(1, 'FAIL  count(Session) < 40: it is 40\n', '')
    ended = ask('assert', 'a', 'count((array)) > 1', 'count(Nothing) > 0', '--json').is_like(1, err='')
    assert [row['holds'] for row in ended.json] == [True, False], ended
    for wrong in ('count(Session', 'count(Session) = 4', 'size(Session) < 4', 'total < many', 'total'):
        ask('assert', 'a', 'total > 1', wrong).is_like(2)


def test_convert_there_and_back():
    with Place(a=snapshot()) as place:
        place.run('heap', 'convert', 'a', '-o', 'b.zst').is_like(0, '', '')
        place.run('heap', 'convert', 'b.zst', '-o', 'c').is_like(0, '', '')
        assert (place.path / 'c').read_bytes() == snapshot()
        packed = (place.path / 'b.zst').read_bytes()
        assert len(packed) * 2 < len(snapshot())
        place.run('heap', 'verify', 'b.zst', 'c').is_like(0, '...whole: ', '')
        place.run('heap', 'verify', '-', input=packed).is_like(0, '...-: whole: ', '')
        place.run('heap', 'convert', 'a', '-o', 'c').is_like(4, '', '...c: File exists')
        place.put('cut.zst', packed[:-9])
        place.run('heap', 'convert', 'cut.zst', '-o', 'd').is_like(3, '', '...ends too early')
        place.makes('b.zst', 'c', 'cut.zst')


def nameless(place):
    """Whether the file system has files without names; elsewhere a kill -9 may leave one that has a name of its own."""
    try:
        os.close(os.open(place.path, os.O_TMPFILE | os.O_WRONLY, 0o600))
    except OSError:
        return False
    return True


def written_by(process, place):
    """Whether the process has a file of the place open that has no name."""
    for fd in pathlib.Path(f'/proc/{process.pid}/fd').iterdir():
        try:
            if fd.readlink().parent == place.path and fd.stat().st_nlink == 0:
                return True
        except FileNotFoundError:
            pass
    return False


def test_killed_while_it_writes_it_leaves_nothing():
    with Place(a=snapshot()) as place:
        if not nameless(place):
            return
        for words in (['convert', '-', '-o', 'b'], ['convert', '-', '-o', 'b.zst'], ['redact', '-', '-o', 'b']):
            process = place.start('heap', *words, stdin=subprocess.PIPE)
            process.stdin.write(snapshot()[:len(snapshot()) // 2])
            process.stdin.flush()
            until = time.monotonic() + PATIENCE
            while not written_by(process, place):
                assert process.poll() is None and time.monotonic() < until, words
                time.sleep(0.01)
            process.kill()
            process.communicate()
            assert process.returncode == -signal.SIGKILL and place.names() == ['a'], (words, place.names())


def test_killed_at_any_time_it_leaves_nothing_or_all():
    with Place(a=kept()) as place:
        if not nameless(place):
            return
        for name, words in (('b', ['slice', 'a', 'Rows', '-o', 'b']), ('p.html', ['report', 'a', '-o', 'p.html'])):
            began = time.monotonic()
            place.run('heap', *words).is_like(0, '', '')
            took = time.monotonic() - began
            whole = (place.path / name).read_bytes()
            for i in range(12):
                (place.path / name).unlink(missing_ok=True)
                process = place.start('heap', *words)
                time.sleep(took * i / 11)
                process.kill()
                process.communicate()
                assert place.names() in (['a'], sorted(['a', name])), place.names()
                assert name not in place.names() or (place.path / name).read_bytes() == whole
            (place.path / name).unlink(missing_ok=True)


SECRETS = '''
class Wallet { constructor(i) { this.owner = 'Eve Example ' + i; this.pin = 'p' + i; } }
globalThis.wallets = []; for (let i = 0; i < 60; i++) wallets.push(new Wallet(i));
globalThis.byName = new WeakMap([[wallets[3], { hidden: 'treasure' }]]); globalThis.one = { Eve_Example: wallets }; 0
'''


def secrets():
    if 'secrets' not in MADE:
        with Place() as place:
            place.run('run', '--heap-snapshot', 'a', '-e', SECRETS).is_like(0, err='')
            MADE['secrets'] = (place.path / 'a').read_bytes()
            place.makes('a')
    return MADE['secrets']


def test_redacted_all_numbers_stay_and_no_text():
    with Place(a=secrets(), key=b'0123456789abcdef', short=b'0123') as place:
        place.run('heap', 'redact', 'a', '--key', 'key', '-o', 'b').is_like(0, '', '')
        place.run('heap', 'redact', 'a', '--key', 'key', '-o', 'c.zst').is_like(0, '', '')
        place.run('heap', 'redact', 'a', '-o', 'd').is_like(0, '', '')
        place.run('heap', 'convert', 'c.zst', '-o', 'e').is_like(0, '', '')
        b, d = (place.path / 'b').read_bytes(), (place.path / 'd').read_bytes()
        assert b == (place.path / 'e').read_bytes() and b != d
        for word in (b'Wallet', b'Eve Example', b'Eve_Example', b'treasure', b'owner', b'byName'):
            assert word in secrets() and word not in b and word not in d, word
        numbers = []
        for name in ('a', 'b', 'd'):
            dumped = subprocess.run([BUILD / 'test/heap/heap_dump', name, 'numbers'], cwd=place.path, check=True, stdout=subprocess.PIPE)
            numbers.append(((place.path / 'numbers').read_bytes(), dumped.stdout.splitlines()[0]))
        assert numbers[0] == numbers[1] == numbers[2]
        diff = place.run('heap', 'diff', 'b', 'c.zst', '-j').is_like(0, '[\n]\n', '')
        assert diff.json == []
        place.run('heap', 'redact', 'a', '-o', 'b').is_like(4, '', '...b: File exists')
        place.run('heap', 'redact', 'a', '-o', 'f', '--key', 'short').is_like(3, '', '...a key has 16 bytes')
        place.run('heap', 'redact', 'key', '-o', 'f').is_like(3, '', '...byte 0')
        place.makes('b', 'c.zst', 'd', 'e', 'numbers')


def test_a_slice_has_what_a_node_retains():
    # A shape is a class only where several objects have it.
    by_id = lambda found: {row['id']: {**row, 'class': ''} for row in found}
    whole = by_id(rows('dominators', 'a', 'Lonely'))
    lonely, = rows('node', 'a', 'Lonely')
    with Place(a=snapshot()) as place:
        place.run('heap', 'slice', 'a', 'Lonely', '-o', 'b').is_like(0, '', '')
        assert place.run('heap', 'node', 'b', 'Lonely', '-j').json == [lonely]
        part = by_id(place.run('heap', 'dominators', 'b', 'Lonely', '-j').json)
        assert part == whole, (part, whole)
        assert place.run('heap', 'path', 'b', 'Lonely', '-j').json[-1]['edge'] == '.only'
        nodes = place.run('heap', 'stats', 'b', '-j').json['nodes']
        assert 3 < nodes < 100, nodes
        place.run('heap', 'slice', 'a', 'Lonely', '-o', 'c.zst', '--depth', '1').is_like(0, '', '')
        assert '.far' in [row['edge'] for row in place.run('heap', 'contain', 'c.zst', 'Lonely', '-j').json]
        for wrong in ('0', 'x', '-1'):
            place.run('heap', 'slice', 'a', 'Lonely', '-o', 'd', '--depth', wrong).is_like(2, '')
        place.run('heap', 'slice', 'a', 'Nothing', '-o', 'd').is_like(2, '')
        place.makes('b', 'c.zst')


def test_what_is_no_snapshot_is_refused_with_its_place():
    ask('verify', 'a', a=snapshot()[:-100]).is_like(3, '', f'...a: strings: byte {len(snapshot()) - 100}: the file ends')
    ask('summary', 'a', a='').is_like(3, '', '...a: beginning: byte 0: ')
    ask('summary', 'b').is_like(3, '', '...cannot open b: No such file')
    ask('summary', '/').is_like(3, '', '...cannot read the snapshot')


def test_usage():
    for words in ([], ['nothing'], ['summary'], ['diff', 'a'], ['path', 'a'], ['trend'], ['path', 'a', 'NoSuchClass'], ['path', 'a', '@999999999'],
                  ['summary', 'a', '--top', 'x'], ['summary', 'a', '--sort', 'x'], ['convert', 'a'], ['assert', 'a'], ['summary', 'a', '--no']):
        ask(*words).is_like(2, '')
    ask('sumary', 'a').is_like(2, '', '...did you mean summary?')


def test_interrupted_while_it_reads():
    with Place() as place:
        process = place.start('heap', 'verify', '-', stdin=subprocess.PIPE)
        process.stdin.write(b'{' + b' ' * (64 << 20))
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        ended = finish(process, b'')
        assert ended.code == 130 and ended.out == '', ended


if __name__ == '__main__':
    tap.run(globals())
