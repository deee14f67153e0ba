"""Each check of tools/ can fail: a small tree that passes, and one planted fault at a time."""

import pathlib
import shutil
import subprocess
import tempfile

import tap

TOOLS = pathlib.Path(__file__).resolve().parents[2] / 'tools'

STATUS_H = '''/* status.h */
#ifndef GLOVEBOX_STATUS_H
#define GLOVEBOX_STATUS_H
#include <stdint.h>
#define GBX_API
#define GBX_NODROP
#define GBX_OWN
#define GBX_BORROW
#define GBX_STATUS_LIST(X) \\
    X(OK, 0, "success") \\
    X(EINVAL, -11, "bad")
enum { GBX_OK = 0, GBX_EINVAL = -11 };
typedef int32_t gbx_status;
typedef struct gbx_box gbx_box;
typedef struct gbx_error {
    uint32_t size; /* bytes */
} gbx_error;
typedef struct gbx_box_options {
    uint32_t size;  /* bytes */
    uint64_t limit; /* bytes; 0: none */
} gbx_box_options;
/**
 * Opens.
 *
 * @param options  copied.
 * @param out_box  released by the caller.
 * @return GBX_OK, GBX_EINVAL.
 * @threads any.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_box_open(
    GBX_BORROW const gbx_box_options *options, GBX_OWN gbx_box **out_box, gbx_error *error);
#endif
'''
RING_C = '''#include "ring/ring.h"

#include "base/buf.h"

/* It's fine. */
int
ring_push(int n)
{
    return n; /* "http://" */
}
'''
GOOD = {
    'include/glovebox/meson.build': "public_headers = files('status.h', 'glovebox.h')\n",
    'include/glovebox/status.h': STATUS_H,
    'include/glovebox/glovebox.h': '/* all */\n#ifndef GLOVEBOX_GLOVEBOX_H\n#define GLOVEBOX_GLOVEBOX_H\n'
                                   '#include <glovebox/status.h>\n#endif\n',
    'src/base/buf.h': '/* buf.h */\n#ifndef BASE_BUF_H\n#define BASE_BUF_H\n#include <glovebox/status.h>\n#endif\n',
    'src/ring/ring.h': '/* ring.h */\n#ifndef RING_RING_H\n#define RING_RING_H\nint ring_push(int n);\n#endif\n',
    'src/ring/priv.h': '/* priv.h */\n#ifndef RING_PRIV_H\n#define RING_PRIV_H\n#endif\n',
    'src/ring/ring.c': RING_C,
    'src/engine/isolate.cc': '#include "base/buf.h"\n\n#include <v8.h>\n',
    'src/host/call.c': '#include "ring/ring.h"\n\n#include <glovebox/glovebox.h>\n',
    'src/ring/meson.build': "ring_sources = files('ring.c')\n",
    'src/engine/meson.build': "engine_sources = files('isolate.cc')\n",
    'src/host/meson.build': "host_sources = files('call.c')\n",
    'src/cli/meson.build': "cli_sources = files('main.c')\n",
    'test/unit/meson.build': "unit_tests = [['ring', []]]\n",
    'src/cli/main.c': '#include <glovebox/glovebox.h>\n',
    'test/unit/layout.def': 'STRUCT(gbx_error, 4)\nFIELD(gbx_error, size, 0, 4)\nSTRUCT(gbx_box_options, 16)\n'
                            'FIELD(gbx_box_options, size, 0, 4)\nFIELD(gbx_box_options, limit, 8, 8)\n',
    'test/unit/test_ring.c': '#include "ring/ring.h"\n',
    'docs/architecture.md': '## Modules\n\n| module | is |\n| --- | --- |\n'
                            '| `src/base` | a |\n| `src/ring` | b |\n| `src/engine` | c |\n| `src/host` | d |\n'
                            '| `src/cli` | e |\n\nSee `src/ring/ring.c` and [ring.h](../src/ring/ring.h).\n',
}


def tree(changes):
    """A copy of GOOD, {path: text or None} applied."""
    top = pathlib.Path(tempfile.mkdtemp(prefix='glovebox-checks-'))
    for path, text in {**GOOD, **changes}.items():
        if text is not None:
            (top / path).parent.mkdir(parents=True, exist_ok=True)
            (top / path).write_text(text)
    (top / '.clang-format').symlink_to(TOOLS.parent / '.clang-format')
    return top


def check(name, changes):
    """name: of the script, and its options."""
    top = tree(changes)
    try:
        script, *options = name.split()
        ended = subprocess.run([str(TOOLS / script), *options, str(top)], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
    finally:
        shutil.rmtree(top)
    return ended


def passes(name, changes=None):
    ended = check(name, changes or {})
    assert ended.returncode == 0, ended.stdout


def catches(name, changes, text):
    ended = check(name, changes)
    assert ended.returncode == 1, f'nothing was found in {changes}: {ended.stdout}'
    assert text in ended.stdout, (text, ended.stdout)


def with_line(path, line):
    return {path: GOOD[path] + line + '\n'}


def status_h(old, new):
    assert old in STATUS_H, old
    return {'include/glovebox/status.h': STATUS_H.replace(old, new)}


def test_the_good_tree_passes_every_check():
    for name in ('includes', 'languages', 'lists', 'style', 'format', 'headers', 'docs'):
        passes(f'check_{name}', {'include/glovebox/status.h': None, 'include/glovebox/glovebox.h': None,
                                 'src/base/buf.h': None} if name == 'format' else {})


def test_includes_against_the_arrows():
    for path, include, why in [
            ('src/base/buf.h', '"ring/ring.h"', 'base may not include ring'),
            ('src/base/buf.h', '<glovebox/glovebox.h>', 'base may not include public headers'),
            ('src/ring/ring.h', '"host/call.c"', 'ring may not include host'),
            ('src/host/call.c', '<v8.h>', 'only src/engine sees V8'),
            ('src/host/call.c', '<libplatform/libplatform.h>', 'only src/engine sees V8'),
            ('src/host/call.c', '"ring/priv.h"', 'priv.h is for its own module'),
            ('src/cli/main.c', '"host/call.c"', 'cli may not include host'),
            ('src/cli/main.c', '"ring/ring.h"', 'cli may not include ring'),
            ('src/engine/isolate.cc', '"ring/ring.h"', 'engine may not include ring'),
            ('src/engine/isolate.cc', '<glovebox/glovebox.h>', 'engine may not include public headers'),
            ('src/ring/ring.c', '"../base/buf.h"', 'a path that climbs'),
            ('src/ring/ring.c', '"ring.h"', 'a path below src/'),
            ('src/host/call.c', '<glovebox/gone.h>', 'no such public header'),
            ('include/glovebox/glovebox.h', '"base/buf.h"', 'include may not include base')]:
        catches('check_includes', with_line(path, f'#include {include}'), why)
        catches('check_includes', with_line(path, f'  #  include {include}'), why)


def test_modules_that_the_table_does_not_know():
    catches('check_includes', {'src/extra/x.c': '#include "base/buf.h"\n'}, 'not in the table')


def test_cpp_outside_the_engine():
    for path in ('src/host/x.cc', 'src/host/x.cpp', 'test/unit/x.cc', 'src/engine/x.cpp', 'examples/x.hpp'):
        catches('check_languages', {path: ''}, 'C++ stands in src/engine only')
    catches('check_languages', {'src/host/x.py': ''}, 'only C')
    catches('check_languages', {'test/unit/x.rb': ''}, 'a language that the project does not use')


def test_files_that_nothing_builds():
    catches('check_lists', {'src/ring/park.c': ''}, "src/ring/park.c: src/ring/meson.build does not name it")
    catches('check_lists', {'test/unit/test_park.c': ''}, 'test_park.c')
    catches('check_lists', {'src/ring/meson.build': "# 'ring.c'\n"}, 'src/ring/ring.c')
    catches('check_lists', {'bench/bench_x.c': ''}, 'has no meson.build')


def test_comment_forms_and_leftovers():
    catches('check_style', with_line('src/ring/ring.c', 'int x; // no'), 'ring.c:11: a // comment')
    catches('check_style', with_line('src/ring/ring.c', '/* TODO: later */'), 'TODO')
    catches('check_style', with_line('src/ring/ring.c', '#if 0\nint x;\n#endif'), 'dead code')
    catches('check_style', with_line('src/ring/ring.c', '\tint x;'), 'a tab')
    catches('check_style', with_line('src/ring/ring.c', '/* ' + 'word ' * 20 + '*/'), '105 columns')
    catches('check_style', with_line('src/ring/ring.c', 'int x; '), 'blanks at the end')
    catches('check_style', {'src/ring/ring.c': RING_C.rstrip()}, 'no newline at the end')


def test_slashes_inside_literals_are_no_comments():
    passes('check_style', with_line('src/ring/ring.c', 'const char *a = "// \\" //", b = \'"\', *c = "/* ";'))


def test_lengths():
    long_file = with_line('src/ring/ring.c', 'int x;\n' * 600)
    catches('check_style', long_file, 'a file has at most 600')
    passes('check_style', with_line('src/ring/ring.c', '/* over 600 lines: a table */' + '\nint x;' * 600))
    long_function = 'int\nring_long(int n)\n{\n' + '    n++;\n' * 60 + '}'
    catches('check_style', with_line('src/ring/ring.c', long_function), 'ring_long has')
    passes('check_style', with_line('src/ring/ring.c', long_function.replace(
        '{\n', '{\n    /* over 60 lines: one switch */\n', 1)))
    passes('check_style', with_line('src/ring/ring.c', 'int\nring_ok(int n)\n{\n' + '    n++;\n' * 58 + '}'))


def test_header_guards():
    catches('check_style', {'src/ring/ring.h': 'int ring_push(int n);\n'}, 'no include guard')
    catches('check_style', {'src/ring/ring.h': GOOD['src/ring/ring.h'].replace('RING_RING_H', 'RING_H')},
            'not RING_RING_H')


def test_the_format():
    catches('check_format', with_line('src/ring/ring.c', 'int  x  =  1;'), 'clang-formatted')


def test_headers_that_do_not_stand_alone():
    catches('check_headers', status_h('#include <stdint.h>\n', ''), 'does not compile alone')
    catches('check_headers', status_h('typedef struct gbx_box gbx_box', 'struct gbx_box'), 'gcc -std=c99')
    catches('check_headers', status_h('GBX_BORROW const gbx_box_options *options',
                                      'GBX_BORROW const gbx_box_options *class'), '-std=c++11')


def test_contracts_of_public_functions():
    for old, new, why in [
            ('@threads any.', '', 'no @threads'), ('@since 0.1', '', 'no @since'),
            (' * @return GBX_OK, GBX_EINVAL.\n', '', 'no @return'),
            ('@return GBX_OK, GBX_EINVAL.', '@return something.', 'names no code'),
            ('@return GBX_OK, GBX_EINVAL.', '@return GBX_OK, GBX_ENOPE.', 'GBX_ENOPE, which is no status'),
            ('@param options', '@param option', 'there is no such parameter'),
            ('/**', '/*', 'no /** */ comment'),
            ('GBX_BORROW const', 'const', 'options says neither'),
            ('GBX_OWN gbx_box **', 'gbx_box **', 'out_box says neither'),
            ('GBX_API GBX_NODROP', 'GBX_API', 'not dropped'),
            ('gbx_box_open', 'box_open', 'begins with gbx_'),
            ('GBX_API GBX_NODROP gbx_status', 'GBX_NODROP gbx_status', 'a function without GBX_API')]:
        catches('check_headers --text', status_h(old, new), why)


def test_codes_may_be_those_of_another_function():
    passes('check_headers --text', status_h('@return GBX_OK, GBX_EINVAL.', '@return as gbx_box_open().'))


def test_structs_whose_size_could_change():
    for old, new, why in [
            ('uint64_t limit;', 'size_t limit;', 'not of a fixed width'),
            ('uint64_t limit;', 'unsigned int limit;', 'not of a fixed width'),
            ('uint64_t limit;', 'uint64_t limit : 3;', 'not of a fixed width'),
            ('    uint32_t size;  /* bytes */\n', '', 'options begin with uint32_t size')]:
        catches('check_headers --text', status_h(old, new), why)


def test_structs_whose_layout_nobody_pins():
    layout = GOOD['test/unit/layout.def']
    catches('check_headers --text', {'test/unit/layout.def': layout.replace('STRUCT(gbx_error, 4)', '')}, 'gbx_error')
    catches('check_headers --text', {'test/unit/layout.def': layout.replace('FIELD(gbx_box_options, limit, 8, 8)', '')},
            'gbx_box_options.limit')


def test_headers_that_nobody_installs_or_includes():
    extra = {'include/glovebox/extra.h': '/* extra */\n#ifndef GLOVEBOX_EXTRA_H\n#define GLOVEBOX_EXTRA_H\n#endif\n'}
    catches('check_headers --text', extra, 'meson.build does not install it')
    catches('check_headers --text', extra, 'does not include extra.h')


def test_documents_that_went_stale():
    page = GOOD['docs/architecture.md']
    catches('check_docs', {'docs/architecture.md': page.replace('| `src/host` | d |\n', '')}, 'src/host')
    catches('check_docs', {'src/extra/x.c': ''}, 'src/extra')
    catches('check_docs', {'docs/architecture.md': page.replace('ring.c`', 'gone.c`')}, 'src/ring/gone.c')
    catches('check_docs', {'docs/architecture.md': page.replace('../src', '../gone')}, '../gone/ring/ring.h')
    catches('check_docs', {'docs/architecture.md': None}, 'architecture.md')


def build(folder, source, *options):
    """Compiles `source` into a shared object of its own, and returns its path."""
    (folder / 'x.c').write_text(source)
    out = folder / 'x.so'
    subprocess.run(['gcc', '-shared', '-fPIC', '-o', str(out), str(folder / 'x.c'), *options], check=True)
    return str(out)


def exports(kind, source, options=(), *rest):
    with tempfile.TemporaryDirectory(prefix='glovebox-exports-') as top:
        path = build(pathlib.Path(top), source, *options)
        return subprocess.run([str(TOOLS / 'check_exports'), kind, path, *rest],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_what_the_library_shows():
    soname = '-Wl,-soname,libglovebox.so.0'
    good = 'int gbx_a(void);\nint gbx_a(void)\n{\n    return 1;\n}\n'
    assert exports('library', good, [soname]).returncode == 0
    for source, options, why in [
            (good, [], 'its soname is not'),
            (good + 'int other;\n', [soname], 'exports other'),
            ('int other;\n', [soname], 'exports no gbx_*'),
            (good + 'int _ZN2v82V810InitializeEv(void);\nint gbx_b(void)\n{\n'
             '    return _ZN2v82V810InitializeEv();\n}\n', [soname], 'needs the C++ symbol _ZN2v8'),
            (good, [soname, '-Wl,--no-as-needed', '-lstdc++'], 'needs libstdc++')]:
        ended = exports('library', source, options)
        assert ended.returncode == 1 and why in ended.stdout, (why, ended.stdout)


def test_what_the_cell_object_shows():
    with tempfile.NamedTemporaryFile('w', suffix='.map') as exported:
        exported.write('/* why; */\n{\nglobal:\n    madvise;\nlocal:\n    *;\n};\n')
        exported.flush()
        assert exports('cell', 'int madvise;\n', (), exported.name).returncode == 0
        for source, why in [('int madvise, more;\n', 'exports more'), ('static int x;\n', 'does not export madvise')]:
            ended = exports('cell', source, (), exported.name)
            assert ended.returncode == 1 and why in ended.stdout, ended.stdout


if __name__ == '__main__':
    tap.run(globals())
