"""glovebox watch: a program, and the snapshots of it in a store, however it ends."""

import os
import signal

from support import Place, finish, wait_for
import tap

LEAK = '''class Leak {} globalThis.kept = [];
for (;;) { if (kept.length < 5e4) kept.push(new Leak()); for (let j = 0; j < 1e4; j++); }'''
GROW = 'const k = []; for (;;) { if (k.length < 24) k.push(new Uint8Array(2 << 20).fill(1)); for (let j = 0; j < 5e6; j++); }'


class Watched(Place):
    """A place in which watch makes its store."""

    def __enter__(self):
        super().__enter__()
        self.makes('glovebox-snapshots')
        return self

    def list(self, *flags):
        return self.run('snapshots', 'list', '--json', *flags).is_like(0, err='').json

    def stored(self):
        folder = self.path / 'glovebox-snapshots'
        return [name for name in os.listdir(folder) if not name.startswith('index.sqlite')] if folder.is_dir() else []

    def has(self, count):
        return lambda: len(self.stored()) >= count


def test_one_is_taken_at_the_end():
    with Watched(program__js='console.log("out"); class Leak {}; globalThis.kept = [new Leak()]; 7') as place:
        ended = place.run('watch', '-p', 'program.js').is_like(0, 'out\n7\n')
        row, = place.list()
        assert (row['label'], row['reason']) == ('program.js', 'asked') and row['resident_bytes'] > 1 << 20, row
        assert row['path'] in ended.err and ended.err.startswith('glovebox: snapshot 1: '), ended
        assert place.run('watch', '--json', '-e', '1').is_like(0).json['stats']['snapshots'] == 1
        place.run('watch', '-e', 'throw 1').is_like(1, '')
        place.run('watch', '--timeout', '50ms', '-e', 'for (;;);').is_like(10, '')
        assert [row['label'] for row in place.list()] == ['program.js', 'eval', 'eval', 'eval']
        place.run('heap', 'verify', *(row['path'] for row in place.list())).is_like(0, err='')


def test_they_come_by_the_clock_while_it_runs():
    with Watched() as place:
        process = place.start('watch', '--every', '100ms', '--label', 'a b', '-e', LEAK)
        wait_for(place.has(3), 'no snapshots come')
        process.send_signal(signal.SIGINT)
        finish(process).is_like(130, '')
        rows = place.list('--label', 'a b')
        assert len(rows) >= 3 and all(row['reason'] == 'time' and not row['damaged'] for row in rows), rows
        assert len(place.stored()) == len(rows)
        place.run('heap', 'diff', rows[0]['path'], rows[-1]['path']).is_like(0, err='')


def test_they_come_by_growth():
    with Watched() as place:
        process = place.start('watch', '--every', '0', '--growth', '10MB', '--memory', '1G', '-e', GROW)
        wait_for(place.has(1), 'no snapshot comes')
        process.send_signal(signal.SIGTERM)
        finish(process).is_like(143, '')
        assert {row['reason'] for row in place.list()} == {'growth'}


def test_one_is_taken_at_the_limit():
    with Watched() as place:
        ended = place.run('watch', '--memory', '16M', '-e', 'const a = []; for (;;) a.push([a, 1.5])')
        ended.is_like(12, '', ['...glovebox: snapshot 1: ', '...past --memory 16M'])
        row, = place.list()
        assert (row['reason'], row['label']) == ('limit', 'eval') and row['heap_bytes'] > 1 << 20, row
        assert len(place.stored()) == 1
        # Of one's own choice the file is where one wants it.
        place.run('watch', '--memory', '16M', '--snapshot-at-limit', 'mine', '-e', 'const a = []; for (;;) a.push([a, 1.5])').is_like(
            12, '', '...heap snapshot at the limit: mine\n')
        assert len(place.list()) == 1
        place.makes('mine')


def test_only_so_many_are_kept():
    with Watched() as place:
        for _ in range(4):
            place.run('watch', '--keep', '2', '-e', '1').is_like(0, '')
        assert [row['id'] for row in place.list()] == [3, 4]
        assert len(place.stored()) == 2


def test_a_kill_leaves_whole_snapshots_only():
    with Watched() as place:
        count = 0
        for rounds in range(6):
            process = place.start('watch', '--every', '100ms', '-e', LEAK)
            count = len(place.stored()) + 1 + rounds % 2
            wait_for(place.has(count), 'no snapshots come')
            process.kill()
            finish(process).is_like(-9)
            rows = place.list()
            assert len(rows) >= count and not any(row['damaged'] for row in rows), rows
            assert len(place.stored()) == len(rows), (place.stored(), rows)
        place.run('heap', 'verify', *(row['path'] for row in rows)).is_like(0, err='')


def test_two_may_watch_into_one_store():
    with Watched() as place:
        both = [place.start('watch', '--every', '100ms', '--label', label, '-e', LEAK) for label in 'ab']
        wait_for(lambda: all(sum(name.startswith(f'{label}.') for name in place.stored()) >= 2 for label in 'ab'), 'no snapshots come')
        for process in both:
            process.send_signal(signal.SIGINT)
        for process in both:
            finish(process).is_like(130, '')
        rows = place.list()
        assert len({row['id'] for row in rows}) == len(rows) == len(place.stored())


def test_where_none_can_be_kept():
    with Place(file='', program__js='1') as place:
        place.run('watch', '--store', 'file', '-e', '1').is_like(4, '', 'glovebox: cannot open file: Not a directory\n')
        place.run('watch', '--store', 'no/such', '-e', '1').is_like(4, '', '...cannot make no/such: No such file')
        place.run('watch', '--every', '1ms', '-e', '1').is_like(2, '', '...--every 1ms: out of range')
        place.run('watch', '--growth', '1K', '-e', '1').is_like(2, '', '...--growth 1K: out of range')
        place.run('watch', '--keep', 'few', '-e', '1').is_like(2, '', '...expected a number')
        place.run('watch').is_like(2, '', '...watch: which file?')
        for label in ('', 'a\nb', 'x' * 64):
            place.run('watch', '--label', label, '--store', 'store', '-e', '1').is_like(2, '', '...label')
        place.makes('store')


if __name__ == '__main__':
    tap.run(globals())
