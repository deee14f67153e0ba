"""make install into a directory of its own: what lies there is complete, works, and goes away again."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import tap

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = os.environ['GLOVEBOX_BUILD']
# The program defines names that the library uses inside: they must not meet.
PROGRAM = '''#include <glovebox/glovebox.h>
#include <stdio.h>
int fail(void);
int fail(void)
{
    return 1;
}
void buf_append(void);
void buf_append(void)
{
}
int main(void)
{
    buf_append();
    return puts(gbx_strstatus(GBX_EINVAL)) < 0 || !fail();
}
'''
WORDS = 'an argument is outside its documented range\n'


def run(*command, **more):
    ended = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           text=True, **more)
    assert ended.returncode == 0, (command, ended.stdout)
    return ended.stdout


class Installed:
    """DESTDIR and the prefix below it."""

    def __enter__(self):
        self.destdir = pathlib.Path(tempfile.mkdtemp(prefix='glovebox-install-'))
        run('meson', 'install', '-C', BUILD, '--no-rebuild', '--quiet', '--strip', '--destdir', self.destdir)
        self.prefix = next(self.destdir.rglob('include/glovebox')).parents[1]
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.destdir)

    def files(self):
        return {str(path.relative_to(self.prefix)) for path in self.destdir.rglob('*') if not path.is_dir()}

    def flags(self, *options):
        return run('pkg-config', f'--define-variable=prefix={self.prefix}', *options, 'glovebox',
                   env={**os.environ, 'PKG_CONFIG_LIBDIR': str(self.prefix / 'lib/pkgconfig')}).split()


installed = Installed().__enter__()


def test_everything_is_there():
    expected = {'lib/libglovebox.a', 'lib/libglovebox.so', 'lib/libglovebox.so.0', 'lib/libglovebox.so.0.1.0',
                'lib/libglovebox-heap.so', 'lib/libglovebox-heap.so.0', 'lib/libglovebox-heap.so.0.1.0',
                'lib/pkgconfig/glovebox-heap.pc',
                'lib/libglovebox-devtools.so', 'lib/libglovebox-devtools.so.0', 'lib/libglovebox-devtools.so.0.1.0',
                'lib/pkgconfig/glovebox-devtools.pc',
                'lib/libglovebox-store.so', 'lib/libglovebox-store.so.0', 'lib/libglovebox-store.so.0.1.0',
                'lib/pkgconfig/glovebox-store.pc',
                'lib/pkgconfig/glovebox.pc', 'libexec/glovebox/libglovebox-cell.so',
                'libexec/glovebox/engine/bin/node', 'libexec/glovebox/engine/LICENSE', 'share/doc/glovebox/LICENSE',
                'bin/glovebox', 'share/bash-completion/completions/glovebox', 'share/man/man1/glovebox.1'}
    expected |= {f'include/glovebox/{path.name}' for path in (ROOT / 'include/glovebox').glob('*.h')}
    assert not expected - installed.files(), f'missing: {expected - installed.files()}'
    extra = {name for name in installed.files() - expected if not name.startswith('share/man/')}
    assert not extra, f'not expected: {extra}'


def test_every_function_has_its_page():
    declared = set()
    for header in (ROOT / 'include/glovebox').glob('*.h'):
        declared |= set(re.findall(r'^GBX_API\b[^;{]*?\b(gbx_\w+)\(', header.read_text(), re.MULTILINE))
    manual = installed.prefix / 'share/man/man3'
    assert len(declared) > 100 and declared == {path.stem for path in manual.iterdir()}, declared
    page = (manual / 'gbx_isolate_open.3').read_text()
    for part in ('uint64_t memory_limit_bytes;', 'GBX_EENGINE', '#include <glovebox/isolate.h>'):
        assert part in page, part
    assert '.so man3/gbx_value_new_array.3' in (manual / 'gbx_value_new_set.3').read_text()
    if not shutil.which('groff'):
        raise tap.Skip('no groff here')
    for path in manual.iterdir():
        said = run('groff', '-man', '-Tutf8', '-ww', '-z', path, cwd=manual.parent)
        assert said == '', (path.name, said)


def test_the_soname_links():
    for name in ('libglovebox.so', 'libglovebox.so.0'):
        link = installed.prefix / 'lib' / name
        assert link.is_symlink() and link.resolve().name == 'libglovebox.so.0.1.0', link.resolve()


def test_a_program_against_the_shared_library():
    with tempfile.TemporaryDirectory() as top:
        pathlib.Path(top, 'a.c').write_text(PROGRAM)
        run('gcc', '-o', f'{top}/a', f'{top}/a.c', *installed.flags('--cflags', '--libs'))
        assert run(f'{top}/a', env={'LD_LIBRARY_PATH': str(installed.prefix / 'lib')}) == WORDS


def test_a_program_with_the_static_library():
    with tempfile.TemporaryDirectory() as top:
        pathlib.Path(top, 'a.c').write_text(PROGRAM)
        libs = [flag for flag in installed.flags('--libs', '--static') if flag != '-lglovebox']
        run('gcc', '-o', f'{top}/a', f'{top}/a.c', *installed.flags('--cflags'),
            installed.prefix / 'lib/libglovebox.a', *libs)
        assert run(f'{top}/a', env={}) == WORDS


def test_nothing_installed_names_the_build_tree():
    for name in ('lib/libglovebox.so', 'libexec/glovebox/libglovebox-cell.so', 'bin/glovebox', 'lib/pkgconfig/glovebox.pc'):
        assert BUILD.encode() not in (installed.prefix / name).read_bytes(), name


def test_no_cell_is_one_of_those_that_tests_break_into():
    built = pathlib.Path(BUILD, 'src/libglovebox-cell.so')
    broken = pathlib.Path(BUILD, 'test/hostile/libglovebox-cell-hostile.so').read_bytes()
    source = (ROOT / 'test/hostile/hostile.c').read_text()
    operations = [operation.encode() for operation in re.findall(r'strcmp\(name, "(!\w+)"\)', source)]
    assert len(operations) > 10 and all(operation + b'\0' in broken for operation in operations)
    for path in (built, installed.prefix / 'libexec/glovebox/libglovebox-cell.so'):
        for word in (*operations, b'__wrap_', b'hostile.c'):
            assert word + b'\0' not in path.read_bytes() and (word[:1] == b'!' or word not in path.read_bytes()), (path, word)
    assert not [name for name in installed.files() if 'hostile' in name or 'unfiltered' in name or 'unwalled' in name]


def test_a_tree_that_was_moved_runs_a_cell():
    moved = installed.destdir / 'moved'
    installed.prefix.rename(moved)
    try:
        out = run(moved / 'bin/glovebox', 'run', '-e', 'console.log(6 * 7)', env={'PATH': '/usr/bin:/bin'}, cwd='/')
        assert out == '42\n', out
    finally:
        moved.rename(installed.prefix)


def test_uninstall_leaves_nothing():
    run(ROOT / 'tools/uninstall', installed.prefix)
    assert installed.files() == set(), installed.files()


if __name__ == '__main__':
    try:
        tap.run(globals())
    finally:
        installed.__exit__()
