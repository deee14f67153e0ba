"""What the tests of the command share: a run in a directory of its own, and proof that nothing is left.

The test process is a subreaper, so whatever outlives the command becomes its child: after each run there
must be none. After each run the directory must hold what the test expects and no more.
"""

import ctypes
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = pathlib.Path(os.environ['GLOVEBOX_BUILD'])
GLOVEBOX = str(BUILD / 'glovebox')
PR_SET_CHILD_SUBREAPER = 36
PATIENCE = 30  # seconds; for what must happen, however slow the machine is
# LeakSanitizer cannot work in a process that is being traced or has lost its rights, which is not what is tested.
ENVIRONMENT = {'PATH': '/usr/bin:/bin', 'LANG': 'C.UTF-8',
               **{name: value for name, value in os.environ.items() if name.endswith('SAN_OPTIONS')}}

sys.path.insert(0, str(ROOT / 'test/tools'))
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Ended:
    """How a run ended."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def __repr__(self):
        return f'code {self.code}\nout: {self.out!r}\nerr: {self.err!r}'

    def is_like(self, code, out=None, err=None):
        """The code is that; the streams are that text, or hold it if it begins with '...'."""
        assert self.code == code, self
        for is_, wanted in ((self.out, out), (self.err, err)):
            if wanted is None:
                continue
            for part in [wanted] if isinstance(wanted, str) else wanted:
                assert part[3:] in is_ if part.startswith('...') else part == is_, (part, self)
        return self

    @property
    def json(self):
        return json.loads(self.out)


def nothing_runs():
    """Every process that the command started has ended: reaps them, and waits until there are none."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            left = subprocess.run(['ps', '--ppid', str(os.getpid()), '-o', 'pid,stat,args'],
                                  stdout=subprocess.PIPE, text=True).stdout
            assert time.monotonic() < until, f'left behind:\n{left}'
            time.sleep(0.005)


def end_children():
    for pid in children(os.getpid()):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


class Place:
    """A directory of its own, to be current while a test runs. Holds `files` before and after."""

    def __init__(self, **files):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix='glovebox-cli-'))
        self.path.chmod(0o755)
        for name, content in files.items():
            self.put(name.replace('__', '.'), content)

    def put(self, name, content):
        file = self.path / name
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    def names(self):
        return sorted(file.name for file in self.path.iterdir())

    def __enter__(self):
        self.before = self.names()
        return self

    def __exit__(self, kind, *_):
        try:
            nothing_runs()
            if kind is None:
                assert self.names() == self.before, f'{self.names()} is there, expected {self.before}'
        finally:
            end_children()  # of a test that failed: the next one is not to blame
            shutil.rmtree(self.path, ignore_errors=True)

    def start(self, *words, **more):
        options = {'stdin': subprocess.DEVNULL, 'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE,
                   'env': ENVIRONMENT, **more}
        return subprocess.Popen([GLOVEBOX, *map(str, words)], cwd=self.path, **options)

    def run(self, *words, input=None, **more):
        if input is not None:
            more['stdin'] = subprocess.PIPE
        process = self.start(*words, **more)
        return finish(process, input)

    def makes(self, *names):
        """Files that the run is expected to leave."""
        self.before = sorted([*self.before, *names])


def finish(process, input=None):
    out, err = process.communicate(input.encode() if isinstance(input, str) else input, timeout=4 * PATIENCE)
    return Ended(process.returncode, (out or b'').decode(), (err or b'').decode())


def run(*words, input=None, **more):
    """One run in an empty place."""
    with Place() as place:
        return place.run(*words, input=input, **more)


def js(code, *flags, **more):
    return run('run', *flags, '-e', code, **more)


def children(pid):
    found = []
    for task in pathlib.Path(f'/proc/{pid}/task').iterdir():
        found += [int(word) for word in (task / 'children').read_text().split()]
    return found


def descendants(pid, name):
    """Those with this name (/proc/pid/comm)."""
    found = []
    for child in children(pid):
        try:
            if pathlib.Path(f'/proc/{child}/comm').read_text().strip() == name:
                found.append(child)
            found += descendants(child, name)
        except FileNotFoundError:
            pass  # it has ended meanwhile
    return found


def wait_for(condition, what):
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, what
        time.sleep(0.005)
