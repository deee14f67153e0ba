"""glovebox snapshots: a store from outside."""

import os
import re
import subprocess

from support import ENVIRONMENT, GLOVEBOX, Place, nothing_runs, run
import tap

FOO = 'class Foo {}; globalThis.kept = Array.from({ length: 20000 }, () => new Foo())'


class Store(Place):
    """A place with a.zst, a heap snapshot, and a store that the test fills."""

    def __enter__(self):
        super().__enter__()
        self.run('run', '--heap-snapshot', 'a.zst', '-e', FOO).is_like(0, '', '')
        self.makes('a.zst', 'glovebox-snapshots')
        return self

    def list(self, *flags):
        return self.run('snapshots', 'list', '--json', *flags).is_like(0, err='').json

    def add(self, label, count=1):
        ended = self.run('snapshots', 'add', '--label', label, *['a.zst'] * count).is_like(0, err='')
        return [int(line) for line in ended.out.split()]


def test_what_is_added_is_listed_shown_and_removed():
    with Store() as place:
        assert place.add('one') == [1] and place.add('a b', 2) == [2, 3]
        rows = place.list()
        assert [(row['id'], row['label']) for row in rows] == [(1, 'one'), (2, 'a b'), (3, 'a b')], rows
        for row in rows:
            assert row['reason'] == 'added' and not row['damaged'] and len(row['classes']) == 3
            assert row['file_bytes'] == (place.path / row['path']).stat().st_size
            assert row['heap_bytes'] > row['file_bytes'] and row['nodes'] > 20000
            assert re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ', row['taken'])
        assert place.list('-l', 'one') == rows[:1]
        text = place.run('snapshots', 'list').is_like(0, err='').out.splitlines()
        assert len(text) == 4 and text[0].split() == ['id', 'label', 'taken', 'why', 'file', 'heap', 'retain', 'most']
        assert all('Foo' in line and 'added' in line for line in text[1:]), text
        one = place.run('snapshots', 'show', '2', '--json').is_like(0, err='').json
        assert [row for row in one['classes'] if row['class'] == 'Foo' and row['count'] == 20000]
        assert {**one, 'classes': 0} == {**rows[1], 'classes': 0}
        shown = place.run('snapshots', 'show', 'latest').is_like(0, ['...id      3\n', '...label   a b\n'], '').out
        assert re.search(r'^ +20000 .* Foo$', shown, re.MULTILINE), shown
        place.run('snapshots', 'rm', '1', 'latest').is_like(0, '', '')
        assert [row['id'] for row in place.list()] == [2]
        assert sorted(os.listdir(place.path / 'glovebox-snapshots')) == sorted([os.path.basename(rows[1]['path']), 'index.sqlite'])


def test_paths_are_what_heap_reads():
    with Store() as place:
        place.add('x', 3)
        rows = place.list()
        every = place.run('snapshots', 'path').is_like(0, err='').out.split()
        assert every == [row['path'] for row in rows]
        assert place.run('snapshots', 'path', '3', '1').out.split() == [every[2], every[0]]
        assert place.run('snapshots', 'path', 'latest').out.split() == [every[2]]
        place.run('heap', 'verify', *every).is_like(0, err='')
        summary = place.run('heap', 'summary', '--json', '--filter', 'Foo', every[0]).is_like(0, err='').json
        assert [row['count'] for row in summary if row['class'] == 'Foo'] == [20000], summary
        ended = subprocess.run(['sh', '-c', '"$0" heap leaks $("$0" snapshots path --label x)', GLOVEBOX], cwd=place.path,
                               env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert ended.returncode == 0 and ended.stderr == '', ended


def test_what_is_not_kept():
    with Store() as place:
        os.utime(place.path / 'a.zst', (1e9, 1e9))
        place.add('old', 2)
        os.utime(place.path / 'a.zst')
        place.add('new', 3)
        size = place.list()[0]['file_bytes']
        place.run('snapshots', 'rm', '--keep', '2').is_like(0, '', '')
        assert [row['id'] for row in place.list()] == [1, 2, 4, 5]
        place.run('snapshots', 'rm', '--max-age', '24h').is_like(0, '', '')
        assert [row['id'] for row in place.list()] == [4, 5]
        place.run('snapshots', 'rm', '--max-bytes', str(size * 3 // 2)).is_like(0, '', '')
        assert [row['id'] for row in place.list()] == [5]


def test_a_wrong_command_line():
    for words, err in ((['snapshots'], '...list, show, path, rm or add?'), (['snapshots', 'lst'], '...did you mean list'),
                       (['snapshots', 'list', 'x'], '...list: too many words'), (['snapshots', 'show'], '...which one?'),
                       (['snapshots', 'add'], '...which file?'), (['snapshots', 'list', '--keep', '2'], '...go with rm'),
                       (['snapshots', 'rm', '--keep', '-1'], '...expected a number'),
                       (['snapshots', 'rm', '--keep', '2x'], '...expected a number'),
                       (['snapshots', 'list', '--stor', 'x'], '...did you mean --store?')):
        run(*words).is_like(2, '', err)
    with Store() as place:
        place.add('x')
        place.run('snapshots', 'rm').is_like(2, '', '...rm: which?')
        for word in ('2', '0', 'x', '1x', ''):
            for command in ('show', 'rm', 'path'):
                place.run('snapshots', command, word).is_like(2, '', f'glovebox: snapshots: there is no snapshot {word}\n')
        assert len(place.list()) == 1


def test_what_is_no_store_and_no_snapshot():
    for command in (['list'], ['show', '1'], ['path'], ['rm', '1']):
        run('snapshots', *command).is_like(3, '', '...glovebox-snapshots: No such file or directory')
    with Place(file='', index__sqlite='x' * 5000) as place:
        place.run('snapshots', 'list', '--store', 'file').is_like(3, '', '...Not a directory')
        place.run('snapshots', 'add', '--store', 'new', 'file').is_like(3, '', '...file: ')
        place.run('snapshots', 'add', '--store', 'new', 'none').is_like(3, '', '...none: No such file or directory')
        place.run('snapshots', 'add', '--store', 'no/such', 'file').is_like(3, '', '...no/such')
        assert sorted(os.listdir(place.path / 'new')) == ['index.sqlite']
        place.makes('new')


def test_a_damaged_snapshot_is_listed_as_that():
    with Store() as place:
        place.add('x')
        (place.path / 'glovebox-snapshots' / 'x.20260101T000000.000000Z.7.heapsnapshot.zst').write_text('no')
        rows = place.list()
        assert [(row['id'], row['damaged'], row['classes'] != []) for row in rows] == [(7, True, False), (1, False, True)]
        assert '  damaged\n' in place.run('snapshots', 'list').is_like(0, err='').out
        place.run('snapshots', 'show', '7').is_like(3, '...id      7\n', '...is no heap snapshot')
        place.run('snapshots', 'rm', '7').is_like(0, '', '')
        assert len(place.list()) == 1


def test_a_store_on_a_small_disk_and_one_that_is_shut():
    script = (f'mount -t tmpfs -o size=$1 none store && {GLOVEBOX} snapshots add --store store a.zst && '
              f'{GLOVEBOX} snapshots add --store store a.zst; echo $?; {GLOVEBOX} snapshots list --store store | wc -l; '
              f'mount -o remount,ro store; {GLOVEBOX} snapshots path --store store; '
              f'{GLOVEBOX} snapshots rm 1 --store store; echo $?')
    with Store() as place:
        (place.path / 'store').mkdir()
        (place.path / 'glovebox-snapshots').mkdir()
        place.makes('store')
        size = (place.path / 'a.zst').stat().st_size * 3 // 2 + (100 << 10)  # for one, and the index
        ended = subprocess.run(['unshare', '--user', '--map-root-user', '--mount', 'sh', '-c', script, 'sh', str(size)], cwd=place.path,
                               env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if 'unshare' in ended.stderr or 'mount:' in ended.stderr:
            raise tap.Skip('no user namespace here')
        lines = ended.stdout.split()
        assert lines[:3] == ['1', '4', '2'] and lines[3].startswith('store/added.') and lines[4] == '17', ended
        assert 'No space left on device' in ended.stderr and 'Read-only file system' in ended.stderr, ended


def test_names_cannot_harm_a_terminal():
    """A file that somebody else has put there, with a label that turns the text's direction."""
    with Store() as place:
        place.add('x')
        row = place.list()[0]
        os.rename(place.path / row['path'], place.path / row['path'].replace('/x.', '/%E2%80%AEx.'))
        ended = subprocess.run(['script', '-qec', f'{GLOVEBOX} snapshots list', '/dev/null'], cwd=place.path, env=ENVIRONMENT,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        nothing_runs()
        assert '\\u202ex' in ended.stdout and '\u202e' not in ended.stdout, ended


if __name__ == '__main__':
    tap.run(globals())
