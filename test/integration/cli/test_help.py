"""Help, version, doctor; and that help, completion and manual tell of the same flags and codes."""

import json
import os
import pathlib
import re
import resource
import shutil
import subprocess

from support import ENVIRONMENT, GLOVEBOX, ROOT, Place, run
import tap

COMMANDS = ('run', 'inspect', 'heap', 'watch', 'snapshots', 'doctor')


def flags_of(command):
    text = run(command, '--help').is_like(0, err='').out
    return set(re.findall(r'^ {2,6}(?:-\w, )?(--[a-z-]+)', text, re.MULTILINE))


def codes_of_help():
    text = run('run', '--help').out.split('Exit codes:\n')[1]
    return {int(code): words for code, words in re.findall(r'^ *(\d+)  (.*)$', text, re.MULTILINE)}


def test_every_help_fits_a_terminal():
    for words in (['--help'], ['help'], *(['help', command] for command in COMMANDS), ['doctor']):
        ended = run(*words).is_like(0, err='')
        wide = [line for line in ended.out.splitlines() if len(line) > 80 and not line.startswith(('engine', 'cell'))]
        assert not wide, wide


def test_help_in_every_form():
    top = run('--help').is_like(0, err='').out
    assert top == run('help').out == run('-h').out
    for command in COMMANDS:
        assert re.search(rf'^  {command} ', top, re.MULTILINE)
        text = run(command, '--help').is_like(0, err='').out
        assert text == run('help', command).out == run(command, '-h').out
        for part in ('Usage:\n', 'Flags:\n', 'Examples:\n'):
            assert part in text, text


def test_the_examples_of_the_help_run():
    text = run('run', '--help').out.split('Examples:\n')[1].split('\n\n')[0]
    with Place(program__js='1', program__mjs='3', untrusted__js='2', README__md='# one two') as place:
        for line in text.splitlines():
            line = line.strip().replace('glovebox', GLOVEBOX, 1)
            ended = subprocess.run(['sh', '-c', line], cwd=place.path, env=ENVIRONMENT, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
            assert ended.returncode == 0 and ended.stderr == '', (line, ended)
        place.makes('out.heapsnapshot')


def test_the_version():
    ended = run('--version').is_like(0, err='')
    assert re.fullmatch(r'glovebox \d+\.\d+\.\d+\nV8 14\.6\.[\w.-]+\n', ended.out), ended


def test_completion_knows_every_command_and_flag():
    for line, wanted in [('glovebox ', {*COMMANDS, 'help', '--help', '--version'}), ('glovebox help ', set(COMMANDS)),
                         *((f'glovebox {command} -', flags_of(command)) for command in COMMANDS)]:
        offered = completions(line)
        assert wanted == offered, (line, wanted ^ offered)


def test_completion_narrows_and_offers_files():
    assert completions('glovebox run --mem') == {'--memory'}
    assert completions('glovebox r') == {'run'}
    with Place(program__js='1') as place:
        assert completions('glovebox run --quiet pro', place.path) == {'program.js'}
        assert completions('glovebox run --heap-snapshot pro', place.path) == {'program.js'}


def completions(line, directory='/'):
    """What bash offers at the end of a line."""
    script = '''
        . "$1"; COMP_LINE=$2; COMP_POINT=${#COMP_LINE}; read -ra COMP_WORDS <<<"$COMP_LINE"
        case $COMP_LINE in *" ") COMP_WORDS+=("") ;; esac
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=()
        _glovebox glovebox "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"; printf '%s\\n' "${COMPREPLY[@]}"'''
    ended = subprocess.run(['bash', '-c', script, 'bash', str(ROOT / 'data/completion/glovebox'), line], cwd=directory,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert ended.returncode == 0 and ended.stderr == '', ended
    return {word.strip() for word in ended.stdout.splitlines() if word}


def manual(name):
    return (ROOT / f'man/{name}.1').read_text()


def test_the_manual_knows_every_flag_and_code():
    for command in COMMANDS:
        text = manual(f'glovebox-{command}').replace('\\-', '-')
        told = set(re.findall(r'^\.It (?:Fl \w(?: \w+)? , )?Fl (-[a-z-]+)', text, re.MULTILINE))
        assert {'-' + flag for flag in told} == flags_of(command), (command, told)
    told = {int(code): words for code, words in re.findall(r'^\.It (\d+)\n(.*)$', manual('glovebox-run'), re.MULTILINE)}
    assert told == codes_of_help(), (told, codes_of_help())


def test_the_manual_has_no_mistake():
    if not shutil.which('man'):
        raise tap.Skip('no man here')
    for name in ('glovebox', *(f'glovebox-{command}' for command in COMMANDS)):
        ended = subprocess.run(['man', '--warnings', '-l', str(ROOT / f'man/{name}.1')], env={**ENVIRONMENT, 'MANWIDTH': '80'},
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert ended.returncode == 0 and ended.stderr == '' and name.upper() in ended.stdout, ended


STRICT = ('no_new_privs', 'not dumpable', 'own session', 'no descriptors', 'resource limits', 'seccomp')


def test_doctor_tells_the_truth_about_a_cell():
    report = run('doctor', '--json').is_like(0, err='').json
    assert report['ok'] is True and report['engine_version'].startswith('14.6.')
    assert report['engine_path'].endswith('/bin/node') and report['cell_path'].endswith('libglovebox-cell.so')
    for name in ('memfd_sealing', 'pidfd'):
        assert report['needs'][name]['there'] is True, (name, report['needs'][name])
    for need in report['needs'].values():
        assert ('advice' in need) == (need['there'] is False), need
    layers = report['layers']
    for name in STRICT:
        assert layers[name]['holds'] is True and layers[name]['required_by'] == 'strict', (name, layers[name])
    for layer in layers.values():
        assert ('cause' in layer) == (layer['holds'] is False), layer
    assert report['require'] == ('full' if all(layer['holds'] for layer in layers.values()) else 'strict'), report


def test_doctor_as_another_user():
    options = {'preexec_fn': lambda: os.setuid(65534)} if os.geteuid() == 0 else {}
    try:
        ended = run('doctor', '--json', **options)
    except PermissionError:
        raise tap.Skip('the build is where others cannot go')
    if ended.code == 0:
        assert all(ended.json['layers'][name]['holds'] for name in STRICT), ended


def test_doctor_where_no_cell_can_be():
    """With a limit of address space that no cell fits into, and no sanitizer either."""
    if b'__asan_init' in pathlib.Path(GLOVEBOX).read_bytes():
        raise tap.Skip('a sanitizer sets aside terabytes')
    ended = run('doctor', preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (256 << 20, 256 << 20)))
    ended.is_like(16, "...cells     don't run: ", '')
    assert re.search(r'^memory set aside freely +no ', ended.out, re.MULTILINE) and 'ulimit -v unlimited' in ended.out


def test_doctor_in_words():
    text = run('doctor').is_like(0, err='').out
    assert re.search(r'^cells     run: .*--require (full|strict) can be had$', text, re.MULTILINE), text
    assert re.search(r'^seccomp +yes +strict$', text, re.MULTILINE), text


def without_namespaces(place, *arguments):
    """As root of a user namespace that may have no namespaces, like a container's root."""
    command = ' '.join([GLOVEBOX, *arguments])
    ended = subprocess.run(['unshare', '--map-root-user', 'sh', '-c', f'echo 0 >/proc/sys/user/max_user_namespaces && '
                            f'exec setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin {command}'],
                           cwd=place.path, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if 'unshare' in ended.stderr or 'setpriv' in ended.stderr:
        raise tap.Skip('no user namespace here')
    return ended


def test_doctor_sees_what_is_missing():
    with Place() as place:
        ended = without_namespaces(place, 'doctor', '--json')
        report = json.loads(ended.stdout)
        layer = report['layers']['network namespace']
        assert layer['holds'] is False and 'unshare' in layer['cause'] and layer['error'], layer
        assert report['ok'] is True and report['require'] == 'strict', report
        ended = without_namespaces(place, 'doctor')
        assert re.search(r'^network namespace +no +full +\w', ended.stdout, re.MULTILINE), ended.stdout


def test_doctor_in_a_user_namespace_without_root():
    with Place() as place:
        ended = subprocess.run(['unshare', '--user', '--map-user=1000', '--map-group=1000', GLOVEBOX, 'doctor', '--json'],
                               cwd=place.path, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if 'unshare' in ended.stderr:
        raise tap.Skip('no user namespace here')
    assert ended.returncode == 0 and json.loads(ended.stdout)['ok'] is True, ended


# Root of a user namespace with all ids, but without one kind of namespace.
PARTIAL = '''
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
made, may = os.pipe(), os.pipe()
child = os.fork()
if child == 0:
    if libc.unshare(0x10000000) != 0:
        os._exit(77)
    os.write(made[1], b'x')
    os.read(may[0], 1)
    open('/proc/sys/user/' + sys.argv[1], 'w').write('0')
    os.execv(sys.argv[2], sys.argv[2:])
os.close(made[1])
if os.read(made[0], 1) != b'x':
    os._exit(77)
for name in ('uid_map', 'gid_map'):
    open(f'/proc/{child}/{name}', 'w').write('0 0 65535')
os.write(may[1], b'x')
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
'''


def test_cells_run_where_only_some_namespaces_can_be_had():
    if os.geteuid() != 0:
        raise tap.Skip('only root can make such a machine')
    for missing in ('max_cgroup_namespaces', 'max_net_namespaces', 'max_pid_namespaces'):
        ended = subprocess.run(['python3', '-c', PARTIAL, missing, GLOVEBOX, 'run', '-p', '-e', '7'], env=ENVIRONMENT,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if ended.returncode == 77 or 'Error' in ended.stderr:
            raise tap.Skip('no user namespace here')
        assert (ended.returncode, ended.stdout) == (0, '7\n'), (missing, ended)


def test_what_is_required_must_hold():
    with Place() as place:
        ended = without_namespaces(place, 'run', '--require', 'full', '-e', '1')
        assert ended.returncode == 16 and 'the sandbox layer "' in ended.stderr and 'usual cause' in ended.stderr, ended
        for level in ('strict', 'none'):
            ended = without_namespaces(place, 'run', '--require', level, '-p', '-e', '7')
            assert (ended.returncode, ended.stdout) == (0, '7\n'), ended
            assert ('no layer of the sandbox was asked for' in ended.stderr) == (level == 'none'), ended
    run('run', '--require', 'most', '-e', '1').is_like(2, '', '...expected strict, full or none')


if __name__ == '__main__':
    tap.run(globals())
