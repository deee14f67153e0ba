"""Each system call of sealing is made to fail in turn: no step that fails yields a cell that lacks a
required layer, and a layer that does not hold is not said to. The calls are those of a run in which all goes well.

    test_sealing.py sealed      (ALL in the environment: each of those that come by the dozen, too)
"""

import collections
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'tools'))
import tap  # noqa: E402

SEALED = sys.argv[1]
# Calls by which a process changes what it may do; the rest is the engine's and the C library's.
SEALING = ('prctl setsid close_range prlimit64 setrlimit seccomp landlock_create_ruleset landlock_restrict_self unshare '
           'mount pivot_root umount2 chdir setresuid setresgid setgroups setuid setgid capset dup3').split()
OFTEN = 12  # those that come more often are not all tried


def strace(*options):
    return ['strace', '-f', '-qq', *options]


def good_run(require):
    """How often each process makes each call of sealing, at most: injection counts by process."""
    with tempfile.NamedTemporaryFile('r') as log:
        ended = subprocess.run([*strace('-o', log.name, '-e', 'trace=' + ','.join(SEALING)), SEALED, require],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
        calls = collections.Counter(re.findall(r'^(\d+) +(\w+)\(', log.read(), re.M))
    most = collections.Counter()
    for (_, name), count in calls.items():
        most[name] = max(most[name], count)
    return ended, most


def injected(require, name, when):
    ended = subprocess.run([*strace('-o', '/dev/null', '-e', f'trace={name}', '-e',
                                    f'inject={name}:error=EPERM:when={when}'), SEALED, require],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    where = f'{require}: call {when} of {name}: '
    if ended.returncode not in (0, 1):
        return where + f'exit status {ended.returncode}: {ended.stdout}'
    if ended.returncode == 1 and not re.fullmatch(r'error -?\d+: .+\n', ended.stdout):
        return where + f'no clean error: {ended.stdout}'
    return None


def fail_each(require):
    if subprocess.run(['sh', '-c', 'command -v strace'], stdout=subprocess.DEVNULL).returncode != 0:
        raise tap.Skip('there is no strace')
    if subprocess.run(strace('-o', '/dev/null', 'true'), stderr=subprocess.DEVNULL).returncode != 0:
        raise tap.Skip('ptrace is not permitted here')
    ended, calls = good_run(require)
    if ended.returncode == 1 and require == 'full':
        raise tap.Skip('not all layers can be had: ' + ended.stdout.strip())
    assert ended.returncode == 0, ended.stdout
    assert calls['seccomp'] and calls['prctl'] and calls['prlimit64'], calls
    tries = [(require, name, when) for name, count in calls.items() for when in range(1, count + 1)
             if when <= OFTEN or when % 16 == 0 or when > count - 2 or 'ALL' in os.environ]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        wrong = [what for what in pool.map(lambda each: injected(*each), tries) if what]
    print(f'# {require}: {len(tries)} failing calls')
    assert not wrong, '\n'.join(wrong)


def test_a_step_that_fails_yields_no_cell_without_a_strict_layer():
    fail_each('strict')


def test_a_step_that_fails_yields_no_cell_without_a_full_layer():
    fail_each('full')


def test_it_holds_for_a_host_that_is_not_root():
    if os.geteuid() != 0:
        raise tap.Skip('the other tests show it')
    nobody = {'user': 65534, 'group': 65534, 'extra_groups': []}
    try:
        ended = subprocess.run([os.path.abspath(SEALED), 'strict'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               timeout=120, **nobody)
    except PermissionError:
        raise tap.Skip('the build lies where only root may read')
    if ended.returncode == 1 and 'layer' not in ended.stdout:
        raise tap.Skip(ended.stdout.strip())
    assert ended.returncode == 0, ended.stdout


if __name__ == '__main__':
    tap.run(globals())
