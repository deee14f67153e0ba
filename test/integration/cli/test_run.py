"""glovebox run on programs that do nothing wrong: every flag, and what it does."""

import json
import os
import pathlib
import re
import subprocess

from support import BUILD, Place, finish, js, run, GLOVEBOX, ENVIRONMENT
import tap


def test_a_file_runs():
    with Place(a__js='console.log("hello")') as place:
        place.run('run', 'a.js').is_like(0, 'hello\n', '')


def test_words_after_the_file_are_the_programs():
    with Place(a__js='console.log(JSON.stringify(args), Object.isFrozen(args))') as place:
        place.run('run', 'a.js', '--json', '-x', 'two words', 'é').is_like(0, '["--json","-x","two words","é"] true\n', '')
        place.run('run', 'a.js').is_like(0, '[] true\n', '')


def test_two_dashes_end_the_flags():
    with Place() as place:
        place.put('-a.js', 'console.log("dash")')
        place.before = place.names()
        place.run('run', '--', '-a.js').is_like(0, 'dash\n')


def test_standard_input_runs():
    run('run', '-', 'x', input='console.log(args[0])').is_like(0, 'x\n')


def test_standard_input_through_a_pipe_that_is_slow():
    with Place() as place:
        process = place.start('run', '-', stdin=subprocess.PIPE)
        for piece in (b'console', b'.log(1', b'+1)'):
            process.stdin.write(piece)
            process.stdin.flush()
        finish(process).is_like(0, '2\n')


def test_code_runs():
    js('console.log(6 * 7)').is_like(0, '42\n', '')
    run('run', '-econsole.log(1)').is_like(0, '1\n')
    run('run', '--eval=console.log(args)', 'a').is_like(0, "[ 'a' ]\n")


def test_an_empty_program_runs():
    with Place(a__js='') as place:
        place.run('run', 'a.js').is_like(0, '', '')


def test_a_byte_order_mark_and_a_first_line_for_the_shell_are_no_code():
    with Place(a__js=b'\xef\xbb\xbf#!/usr/bin/env glovebox\nconsole.log("run")') as place:
        place.run('run', 'a.js').is_like(0, 'run\n')


def test_modules_by_name_and_by_flag():
    code = 'const x = await Promise.resolve(7); export default x; console.log(x, this)'
    with Place(a__mjs=code, a__js=code) as place:
        place.run('run', 'a.mjs').is_like(0, '7 undefined\n')
        place.run('run', '--module', 'a.js').is_like(0, '7 undefined\n')
        place.run('run', 'a.js').is_like(1, '', '...SyntaxError')
    js(code, '-m').is_like(0, '7 undefined\n')


def test_an_import_without_a_root_says_that_it_cannot():
    js('import "./x.mjs"', '--module').is_like(1, '', '...imports are not supported here')


def test_imports_come_from_below_the_root():
    with Place(main__mjs='import { b } from "./lib/b.mjs"; import c from "/c.json" with { type: "json" }; '
                         'console.log(b, c.n, (await import("./lib/b.mjs")).b, import.meta.url)',
               c__json='{ "n": 5 }', outside__mjs='export default 1') as place:
        (place.path / 'lib').mkdir()
        place.before.append('lib')
        place.before.sort()
        (place.path / 'lib/b.mjs').write_text('import "../c.json" with { type: "json" }; export const b = 7')
        place.run('run', '--root', '.', 'main.mjs').is_like(0, '7 5 7 main.mjs\n')
        place.run('run', '--root', '.', '-e', 'import("./lib/b.mjs").then(m => console.log(m.b))').is_like(0, '7\n')
        (place.path / 'lib/up.mjs').write_text('import "../outside.mjs"')
        (place.path / 'lib/link.mjs').symlink_to('../outside.mjs')
        for code in ('import "./up.mjs"', 'import "./link.mjs"', 'import "./none.mjs"', 'import "fs"'):
            ended = place.run('run', '--root', 'lib', '-m', '-e', code)
            ended.is_like(1, '', '...Error')
            assert str(place.path) not in ended.err, ended.err


def test_a_root_that_is_none_is_named():
    ended = js('1', '--root', '/nowhere')
    ended.is_like(3, '', '...--root /nowhere')


def test_promises_are_awaited():
    js('(async () => { await null; console.log("late"); return 5 })()', '--print').is_like(0, 'late\n5\n')
    js('Promise.reject(new TypeError("no"))').is_like(1, '', '...TypeError: no')


def test_a_rejection_that_nobody_handles_is_an_exception():
    js('Promise.reject(new TypeError("no")); console.log("on"); 5', '--print').is_like(1, 'on\n', '...TypeError: no')
    js('(async () => { await null; Promise.reject(new Error("late")); return 5 })()').is_like(1, '', '...Error: late')
    js('Promise.reject(7); 5').is_like(1, '', '...7')
    js('const p = Promise.reject(1); p.catch(() => 0); 5', '--print').is_like(0, '5\n')


def test_print_shows_values_as_node_does():
    js("({ a: [1, 2n, null], b: new Map([['k', new Set([/x/g])]]), c: 'text' })", '--print').is_like(
        0, "{ a: [ 1, 2n, null ], b: Map(1) { 'k' => Set(1) { /x/g } }, c: 'text' }\n", '')
    js('"two\\nlines"', '-p').is_like(0, "'two\\nlines'\n")
    js('undefined', '-p').is_like(0, 'undefined\n')


def test_the_result_is_not_copied_unless_it_is_shown():
    js('() => 1').is_like(0, '', '')
    js('() => 1', '--print').is_like(15, '', '...could not be cloned')


def test_json_is_one_object():
    report = js('console.log("aside"); ({ a: [1, "é"], u: undefined })', '--json')
    report.is_like(0, err='aside\n')
    assert report.out.count('\n') == 1
    assert report.json['ok'] is True and report.json['exit_code'] == 0, report
    assert report.json['result'] == {'a': [1, 'é']} and 'error' not in report.json
    stats = report.json['stats']
    assert all(stats[name] > 0 for name in ('wall_us', 'cpu_us', 'resident_bytes', 'sent_bytes', 'received_bytes'))
    assert stats['heap']['heapLimit'] == 128 << 20


def test_json_without_a_result():
    assert 'result' not in js('undefined', '--json').is_like(0).json
    assert js('null', '--json').is_like(0).json['result'] is None


def test_json_of_an_exception():
    report = js('function f() {\n  null.x\n}\nf()', '--json').is_like(1, err='').json
    error = report['error']
    assert report['ok'] is False and report['exit_code'] == 1 and 'result' not in report
    assert (error['kind'], error['name'], error['file'], error['line'], error['column']) == (
        'exception', 'TypeError', '<eval>', 2, 8), error
    assert 'null' in error['message'] and 'at f (<eval>:2:8)' in error['stack']


def test_json_of_a_result_that_has_no_json_form():
    for code in ('1n', 'let a = []; a[0] = a; a', '() => 1'):
        report = js(code, '--json').is_like(15, err='').json
        assert report['ok'] is False and report['error']['kind'] == 'clone', report


def test_json_of_a_file_that_is_not_there():
    report = run('run', '--json', 'none.js').is_like(3, err='').json
    assert report['error'] == {'kind': 'input', 'message': 'none.js: No such file or directory'}


def test_json_of_a_large_result():
    report = js('Array.from({ length: 300000 }, (_, i) => "é" + i)', '--json', '--memory', '256M').is_like(0).json
    assert len(report['result']) == 300000 and report['result'][299999] == 'é299999'


def test_scripts_before_and_globals():
    with Place(one__js='globalThis.n = 1', two__js='n += 1; const hidden = page.length', page__txt='täxt\0') as place:
        place.run('run', '-r', 'one.js', '--preload', 'two.js', '--set', 'page=@page.txt', '-s', 'plain=a=b@',
                  '--set', 'at=@@x', '-p', '-e', '[n, hidden, page, plain, at]').is_like(
            0, "[ 2, 5, 'täxt\\x00', 'a=b@', '@x' ]\n")


def test_a_module_as_script_before():
    with Place(one__mjs='globalThis.n = await Promise.resolve(3)') as place:
        place.run('run', '-r', 'one.mjs', '-p', '-e', 'n').is_like(0, '3\n')


def test_standard_input_as_a_global():
    run('run', '-s', 'page=@-', '-p', '-e', 'page', input='from a pipe').is_like(0, "'from a pipe'\n")


def test_console_levels_and_streams():
    js('console.log(1); console.info(2); console.debug(3); console.warn(4); console.error(5)').is_like(
        0, '1\n2\n3\n', '4\n5\n')


def test_both_streams_in_one_place_stay_in_order():
    with Place() as place:
        process = place.start('run', '-e', 'for (let i = 0; i < 2000; i++) console[i % 3 ? "log" : "error"](i)',
                              stderr=subprocess.STDOUT)
        finish(process).is_like(0, ''.join(f'{i}\n' for i in range(2000)))


def test_a_line_is_there_before_the_program_ends():
    with Place() as place:
        process = place.start('run', '-e', 'console.log("now"); for (;;);')
        assert process.stdout.readline() == b'now\n'
        process.terminate()
        finish(process)


def test_quiet_drops_what_the_program_prints():
    js('console.log(1); console.error(2); 3', '--quiet', '--print').is_like(0, '3\n', '')


def test_the_console_has_a_limit():
    ended = js('for (let i = 0; i < 100000; i++) console.log("0123456789"); "end"', '--console-limit', '1K', '--print')
    ended.is_like(0, '0123456789\n' * 93 + "'end'\n", "glovebox: the program's output ends here: it is past 1K (--console-limit)\n")
    js('console.log("x".repeat(5000))', '--console-limit', '0').is_like(0, 'x' * 5000 + '\n', '')


def test_much_output_arrives_whole():
    ended = js('for (let i = 0; i < 50000; i++) console.log("line " + i)').is_like(0, err='')
    assert ended.out == ''.join(f'line {i}\n' for i in range(50000))


def test_stats_name_what_they_measure():
    ended = js('1', '--stats').is_like(0, '')
    labels = [line.split()[0] for line in ended.err.splitlines()]
    assert labels == ['wall', 'cpu', 'memory', 'heap'] and 'of 128.0 MiB' in ended.err, ended


def test_the_memory_limit_is_the_one_that_was_asked_for():
    for given, bytes in (('8M', 8 << 20), ('64MiB', 64 << 20), ('1.5g', 3 << 29), ('70000K', 70000 << 10)):
        assert js('1', '--json', '--memory', given).json['stats']['heap']['heapLimit'] == bytes, given


def test_the_stack_limit_changes_how_deep_a_program_can_call():
    deep = 'try { (function f() { n++; f() })() } catch { } n'
    few, many = (int(js(f'let n = 0; {deep}', '--print', '--stack', size).is_like(0).out) for size in ('64K', '4M'))
    assert many > 10 * few > 0, (few, many)


def test_a_heap_snapshot_in_both_ways():
    for way in ('--attached', '--background', None):
        with Place() as place:
            place.run('run', '--heap-snapshot', 'x.heapsnapshot', *([way] if way else []), '--stats', '-e',
                      'globalThis.mark = { needle: "in the hay" }; 1').is_like(0, '', '...snapshot  ')
            snapshot = json.loads((place.path / 'x.heapsnapshot').read_text())
            fields = len(snapshot['snapshot']['meta']['node_fields'])
            assert snapshot['snapshot']['node_count'] * fields == len(snapshot['nodes'])
            assert 'in the hay' in snapshot['strings']
            place.makes('x.heapsnapshot')


NEEDLES = 'class Needle {}; globalThis.kept = Array.from({ length: 7 }, () => new Needle()); '
GROW = NEEDLES + 'const a = []; for (;;) a.push(new Array(999).fill(1.5))'


def needles(place, name):
    rows = place.run('heap', 'summary', '--json', '--filter', 'Needle', name).is_like(0, err='').json
    return [row['count'] for row in rows if row['class'] == 'Needle']


def test_a_heap_snapshot_is_compressed_if_its_name_says_so():
    with Place() as place:
        for way in ([], ['--attached'], ['--stable-ids'], ['--stable-ids', '--attached']):
            place.run('run', '--heap-snapshot', 'x.zst', *way, '-e', NEEDLES).is_like(0, '', '')
            assert (place.path / 'x.zst').read_bytes()[:4] == b'\x28\xb5\x2f\xfd'
            assert needles(place, 'x.zst') == [7], way
        place.makes('x.zst')


def test_a_heap_snapshot_at_the_limit():
    with Place() as place:
        for name, packed in (('x.heapsnapshot', False), ('x.zst', True)):
            ended = place.run('run', '--memory', '16M', '--snapshot-at-limit', name, '-e', GROW)
            ended.is_like(12, '', [f'...glovebox: heap snapshot at the limit: {name}\n', '...past --memory 16M'])
            assert ((place.path / name).read_bytes()[:4] == b'\x28\xb5\x2f\xfd') == packed
            assert needles(place, name) == [7]
        ended = place.run('run', '--json', '--memory', '16M', '--snapshot-at-limit', 'x.zst', '-e', GROW)
        assert ended.json['error']['snapshot'] == 'x.zst' and ended.code == 12, ended
        os.symlink('x.zst', place.path / 'y.zst')
        place.run('run', '--memory', '16M', '--snapshot-at-limit', 'y.zst', '-e', GROW).is_like(12, '')
        assert (place.path / 'y.zst').is_symlink()
        place.makes('x.heapsnapshot', 'x.zst', 'y.zst')
    with Place() as place:
        place.run('run', '--snapshot-at-limit', 'none', '-e', '1').is_like(0, '', '')


def test_a_heap_snapshot_replaces_a_file_and_follows_a_link():
    with Place(old='old') as place:
        (place.path / 'link').symlink_to('old')
        place.run('run', '--heap-snapshot', 'link', '-e', '1').is_like(0, '', '')
        assert (place.path / 'link').is_symlink()
        assert json.loads((place.path / 'old').read_text())['nodes']
        place.makes('link')


def test_a_heap_snapshot_through_a_pipe():
    with Place() as place:
        ended = subprocess.run(['sh', '-c', f'{GLOVEBOX} run --heap-snapshot /dev/stdout -e 1 | cat'], cwd=place.path,
                               env=ENVIRONMENT, stdout=subprocess.PIPE)
        assert ended.returncode == 0 and json.loads(ended.stdout)['nodes']


def test_a_heap_snapshot_of_a_program_that_threw():
    with Place() as place:
        place.run('run', '--heap-snapshot', 'x', '-e', 'throw 1').is_like(1, '', '...thrown: 1')
        assert json.loads((place.path / 'x').read_text())['nodes']
        place.makes('x')


def functions(profile):
    below = [profile]
    while below:
        node = below.pop()
        below += node.get('children', [])
        yield node['callFrame']['functionName']


BURNS = """function needle() { for (let i = 0, x = 0; i < 2e7; i++) x += i % 7 }
function hoard() { return Array.from({length: 200000}, () => [1, 2, 3]) }
for (let t = Date.now(); Date.now() < t + 1000;) needle(); globalThis.kept = hoard();"""


def test_profiles_go_to_the_files_that_are_named():
    with Place(a__js=BURNS) as place:
        place.run('run', '--cpu-prof=cpu', '--heap-prof=heap', 'a.js').is_like(0, '', '')
        cpu, heap = (json.loads((place.path / name).read_text()) for name in ('cpu', 'heap'))
        assert 'needle' in [node['callFrame']['functionName'] for node in cpu['nodes']]
        assert 'hoard' in functions(heap['head'])
        place.makes('cpu', 'heap')


def test_profiles_have_names_of_their_own():
    with Place(a__js=BURNS) as place:
        ended = place.run('run', '--cpu-prof', '--heap-prof', 'a.js').is_like(0, '')
        made = re.findall(r'^glovebox: (?:CPU|heap) profile: (.*)$', ended.err, re.M)
        assert [name.split('.')[0] for name in made] == ['CPU', 'Heap']
        assert [name.split('.')[-1] for name in made] == ['cpuprofile', 'heapprofile']
        assert json.loads((place.path / made[0]).read_text())['samples']
        place.makes(*made)


def test_a_program_that_runs_away_has_a_profile():
    with Place(a__js=BURNS) as place:
        place.run('run', '--cpu-prof=cpu', '--timeout', '3s', '-e', BURNS + 'for (;;) needle()').is_like(10, '')
        cpu = json.loads((place.path / 'cpu').read_text())
        assert 'needle' in [node['callFrame']['functionName'] for node in cpu['nodes']]
        place.makes('cpu')


def test_a_program_whose_process_ends_has_none():
    with Place() as place:
        place.run('run', '--heap-prof=heap', '--memory', '16M', '-e',
                  'for (const a = [];;) a.push(new Array(999).fill(1.5))').is_like(12, '', '...no heap profile: ')
        place.makes()


def test_a_profile_that_cannot_be_written():
    run('run', '--cpu-prof=no/such/x', '-e', '1').is_like(4, '', '...no/such/x: No such file or directory')


def test_the_program_that_make_run_shows():
    """tools/demo has a test of its own; this is the same library on text of ours."""
    marked = pathlib.Path(__file__).parents[3] / 'engine/node_modules/marked/lib/marked.umd.js'
    run('run', '-r', marked, '-s', 'page=# One *two*', '-e', 'console.log(marked.parse(page))').is_like(
        0, '<h1>One <em>two</em></h1>\n\n', '')


if __name__ == '__main__':
    tap.run(globals())
