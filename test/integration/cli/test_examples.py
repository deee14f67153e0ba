"""The programs of examples/: each is short, and prints what it should."""

import re
import subprocess

from support import BUILD, ENVIRONMENT, ROOT, Place
import tap


def prints(name, expected):
    with Place() as place:
        ended = subprocess.run([BUILD / 'examples' / name], cwd=place.path, env=ENVIRONMENT, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert ended.returncode == 0 and ended.stderr == '', ended
    assert re.fullmatch(expected, ended.stdout), ended.stdout


def test_hello():
    prints('hello', r'\[ 1, 4, 9 \]\n')


def test_limited():
    prints('limited', r'''square\(12\)                 -> 144
square\('twelve'\)           -> -10: square\(\) takes a number
for \(;;\) square\(1\)         -> -2: .*deadline.*
'still alive'              -> 'still alive'
a = \[\]; for \(;;\) a.push\(1\) -> -4: .*memory limit.*
''')


def test_loop():
    prints('loop', r'0 answers are open; the sum is 45000000\n')


def test_each_is_short_and_all_are_tested():
    programs = sorted((ROOT / 'examples').glob('*.c'))
    assert [path.stem for path in programs] == ['hello', 'limited', 'loop']
    for path in programs:
        assert len(path.read_text().splitlines()) < 60, path


if __name__ == '__main__':
    tap.run(globals())
