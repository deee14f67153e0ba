"""What goes wrong with the program, its files, or the command line: the message, the code, nothing left."""

import os
import resource
import subprocess

from support import ENVIRONMENT, GLOVEBOX, Place, finish, js, run
import tap


# --- the command line ---


def test_no_command_and_unknown_ones():
    run().is_like(2, '', 'glovebox: which command? see glovebox --help\n')
    run('rum').is_like(2, '', 'glovebox: unknown command rum; did you mean run?\n')
    run('dcotor').is_like(2, '', '...did you mean doctor?')
    run('something').is_like(2, '', 'glovebox: unknown command something; see glovebox --help\n')
    run('--verison').is_like(2, '', 'glovebox: unknown flag --verison; see glovebox --help\n')
    run('help', 'rnu').is_like(2, '', '...did you mean run?')
    with Place(a__js='1') as place:
        place.run('a.js').is_like(2, '', 'glovebox: unknown command a.js; did you mean glovebox run a.js?\n')


def test_unknown_flags_name_the_nearest():
    for given, meant in (('--memry', '--memory'), ('--timout', '--timeout'), ('--heapsnapshot', '--heap-snapshot'),
                         ('--stat', '--stats'), ('--heap', '--heap-snapshot'), ('--memry=1M', '--memory')):
        run('run', given, 'x').is_like(2, '', f'glovebox: run: unknown flag {given.split("=")[0]}; did you mean {meant}?\n')
    run('run', '--zzzzzz', 'x').is_like(2, '', 'glovebox: run: unknown flag --zzzzzz; see glovebox run --help\n')
    run('run', '-z', 'x').is_like(2, '', 'glovebox: run: unknown flag -z; see glovebox run --help\n')
    run('run', '--' + 'x' * 5000, 'x').is_like(2, '', '...glovebox: run: unknown flag --xxx')
    run('doctor', '--jsno').is_like(2, '', '...did you mean --json?')


def test_flags_and_their_values():
    run('run', '--timeout').is_like(2, '', 'glovebox: run: --timeout needs a value: TIME\n')
    run('run', '--json=yes', 'x').is_like(2, '', 'glovebox: run: --json takes no value\n')
    run('run', '-pj', 'x').is_like(2, '', '...-p takes no value')
    run('doctor', 'word').is_like(2, '', 'glovebox: doctor: takes no words, but was given word\n')


def test_sizes_out_of_range_or_of_no_sense():
    for given in ('7M', '17G', '0', '64', '99999999999999999999G', '8191K'):
        run('run', '--memory', given, 'x').is_like(
            2, '', f'glovebox: run: --memory {given}: out of range, expected 8M to 16G\n')
    for given in ('', 'M', '64X', '64MM', '-64M', '64 M', '0x40M', '1e3M', 'inf', '5s', '64.M'):
        run('run', f'--memory={given}', 'x').is_like(
            2, '', f'glovebox: run: --memory {given}: expected a size with a unit of K, M or G, such as 64M\n')
    run('run', '--stack', '5M', 'x').is_like(2, '', '...--stack 5M: out of range, expected 64K to 4M\n')


def test_times_out_of_range_or_of_no_sense():
    for given in ('', '3', 's', '2S', '64M', '-1s', '1.s', '5 s', '2d', '1s1s'):
        run('run', f'--timeout={given}', 'x').is_like(
            2, '', f'glovebox: run: --timeout {given}: expected a time with a unit of us, ms, s, m or h, such as 500ms\n')
    run('run', '--cpu', '9999h', 'x').is_like(2, '', '...--cpu 9999h: out of range, expected 1us to 8784h, or 0 for no limit\n')


def test_flags_that_go_together_or_do_not():
    run('run').is_like(2, '', '...which file?')
    run('run', '--print', '--json', '-e', '1').is_like(2, '', '...--print and --json')
    run('run', '--attached', '--background', '--heap-snapshot', 'x', '-e', '1').is_like(2, '', '...expected one of them')
    run('run', '--attached', '-e', '1').is_like(2, '', 'glovebox: run: --attached goes with --heap-snapshot FILE\n')
    run('run', '-r', '-', '-', input='1').is_like(2, '', '...standard input only once')
    for word in ('x', '=x', '1=x', 'a-b=x', 'a.b=x', 'ü=x'):
        run('run', '--set', word, '-e', '1').is_like(2, '', f'...--set {word}: expected NAME=TEXT or NAME=@FILE')


# --- files ---


def test_a_file_that_is_not_there_or_no_file():
    run('run', 'none.js').is_like(3, '', 'glovebox: none.js: No such file or directory\n')
    run('run', '/').is_like(3, '', 'glovebox: /: is a directory\n')
    run('run', 'a' * 5000).is_like(3, '', '...File name too long')
    run('run', '').is_like(3, '', '...No such file or directory')
    run('run', '-r', 'none.js', '-e', '1').is_like(3, '', '...none.js: No such')
    run('run', '-s', 'a=@none.txt', '-e', '1').is_like(3, '', '...none.txt: No such')


def test_a_file_that_cannot_be_read():
    run('run', '/proc/self/mem').is_like(3, '', 'glovebox: /proc/self/mem: Input/output error\n')
    with Place(secret__js='1') as place:
        (place.path / 'secret.js').chmod(0)
        options = {'preexec_fn': lambda: os.setuid(65534)} if os.geteuid() == 0 else {}
        try:
            place.run('run', 'secret.js', **options).is_like(3, '', 'glovebox: secret.js: Permission denied\n')
        except PermissionError:
            raise tap.Skip('the build is where others cannot go')


def test_standard_input_that_is_closed():
    with Place() as place:
        ended = subprocess.run(['sh', '-c', f'exec {GLOVEBOX} run - <&-'], cwd=place.path, env=ENVIRONMENT,
                               stderr=subprocess.PIPE, text=True)
        assert ended.returncode == 3 and ended.stderr == 'glovebox: <stdin>: Bad file descriptor\n', ended


def test_binary_junk():
    with Place(elf=open(GLOVEBOX, 'rb').read(4096), late=b'//' + b'x' * 300000 + b'\0') as place:
        place.run('run', 'elf').is_like(3, '', '...elf: not a text file: it has a NUL byte at offset 7\n')
        place.run('run', 'late').is_like(3, '', '...NUL byte at offset 300002\n')
    run('run', '/dev/zero').is_like(3, '', 'glovebox: /dev/zero: not a text file: it has a NUL byte at offset 0\n')


def test_invalid_utf8_names_the_byte():
    cases = ((b'1;\n"\xff"', '0xff at offset 4, line 2'), (b'\xc3', '0xc3 at offset 0, line 1'),
             (b'// \xe2\x82', '0xe2 at offset 3, line 1'), (b'"\xed\xa0\x80"', '0xed at offset 1, line 1'),
             (b'\xc0\x80', '0xc0 at offset 0, line 1'), (b'\xf4\x90\x80\x80', '0xf4 at offset 0, line 1'),
             (b'\xff\xfe1\x00'[:3], '0xff at offset 0, line 1'), (b'ok\n\n\n\x80', '0x80 at offset 5, line 4'))
    for content, where in cases:
        with Place(a__js=content) as place:
            place.run('run', 'a.js').is_like(3, '', f'glovebox: a.js: not UTF-8: byte {where}\n')


def test_valid_utf8_of_every_length():
    with Place(a__js='console.log("\u007f\u0080\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff".length)') as place:
        place.run('run', 'a.js').is_like(0, '11\n')


def test_a_file_of_a_gigabyte():
    with Place() as place:
        with open(place.path / 'big.js', 'wb') as file:
            file.truncate(1 << 30)
        place.before = place.names()
        place.run('run', 'big.js').is_like(3, '', 'glovebox: big.js: too large: 1.0 GiB, at most 256M can be read\n')


def test_standard_input_without_end():
    with Place() as place:
        yes = subprocess.Popen(['yes', 'a'], stdout=subprocess.PIPE)
        ended = place.run('run', '-', stdin=yes.stdout)
        yes.stdout.close()
        yes.wait()
        ended.is_like(3, '', 'glovebox: <stdin>: too large: more than 256M\n')


# --- the program ---


def test_an_exception_shows_where_and_how_it_came_there():
    with Place(a__js='const x = 1;\nfunction inner() {\n\treturn x.y.z;\n}\ninner();\n') as place:
        place.run('run', 'a.js').is_like(1, '', '''a.js:3:13
    \treturn x.y.z;
    \t           ^
TypeError: Cannot read properties of undefined (reading 'z')
    at inner (a.js:3:13)
    at a.js:5:1
''')


def test_a_syntax_error_shows_where():
    with Place(a__js='let a;\nlet b = ;\n', b__mjs='let a;\nlet a;\n') as place:
        place.run('run', 'a.js').is_like(1, '', "a.js:2:9\n    let b = ;\n            ^\nSyntaxError: Unexpected token ';'\n")
        place.run('run', 'b.mjs').is_like(1, '', "...b.mjs:2:5\n    let a;\n        ^\nSyntaxError: Identifier 'a' has")


def test_an_exception_in_a_long_line_shows_the_part_that_matters():
    code = 'const ü = "' + 'é' * 5000 + '"; null.x; "' + '𝒳' * 5000 + '"'
    ended = js(code).is_like(1, '')
    line, caret = ended.err.splitlines()[1:3]
    assert len(line.encode()) < 100 and line[caret.index('^')] == 'x', ended.err


def test_an_exception_behind_characters_of_two_units():
    ended = js('"𝒳𝒳"; null.x').is_like(1, '', '...<eval>:1:14\n')
    assert ended.err.splitlines()[2] == ' ' * 4 + ' ' * 11 + '^', ended.err


def test_the_cause_of_an_error_and_values_that_are_none():
    js('throw new Error("outer", { cause: new RangeError("inner") })').is_like(
        1, '', ['...Error: outer\n', '...[cause]: RangeError: inner\n'])
    js('throw { code: 5 }').is_like(1, '', '...thrown: { code: 5 }\n')
    js('throw undefined').is_like(1, '', '...thrown: undefined\n')
    js('throw () => 1').is_like(1, '', '...Uncaught () => 1\n')


def test_an_error_in_a_script_before():
    with Place(a__js='ok = 1;\noops()') as place:
        place.run('run', '-r', 'a.js', '-e', 'console.log("never")').is_like(
            1, '', ['...a.js:2:1\n    oops()\n    ^\n', '...ReferenceError: oops is not defined'])


# --- what is written ---


def test_a_heap_snapshot_on_a_full_disk():
    run('run', '--heap-snapshot', '/dev/full', '-e', '1').is_like(4, '', '...No space left on device')
    report = run('run', '--json', '--heap-snapshot', '/dev/full', '-e', '1').is_like(4, err='').json
    assert report['error']['kind'] == 'output' and report['ok'] is False and 'result' not in report


def test_a_heap_snapshot_past_a_limit_of_the_shell():
    with Place() as place:
        for way in ('--attached', '--background'):
            place.run('run', '--heap-snapshot', 'x', way, '-e', '1', preexec_fn=lambda: resource.setrlimit(
                resource.RLIMIT_FSIZE, (400000, 400000))).is_like(4, '', '...File too large')
        with_old = place.put('old', 'old')
        place.run('run', '--heap-snapshot', 'old', '-e', '1', preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_FSIZE, (400000, 400000))).is_like(4)
        assert with_old.read_text() == 'old'
        place.makes('old')


def test_a_heap_snapshot_on_a_tiny_file_system():
    script = ('mount -t tmpfs -o size=64k tmpfs . 2>/dev/null || exit 99; cd "$PWD"; '
              f'{GLOVEBOX} run --heap-snapshot x -e 1; code=$?; ls -A; exit $code')
    with Place() as place:
        ended = subprocess.run(['unshare', '--map-root-user', '--mount', 'sh', '-c', script], cwd=place.path,
                               env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if ended.returncode in (1, 99):
            raise tap.Skip('no mount namespace here')
        assert ended.returncode == 4 and ended.stdout == '' and 'No space left on device' in ended.stderr, ended


def test_a_heap_snapshot_where_none_can_be():
    run('run', '--heap-snapshot', 'no/such/x', '-e', '1').is_like(4, '', '...no/such/x: No such file or directory')
    run('run', '--heap-snapshot', '/', '-e', '1').is_like(4, '', '...cannot write /: Is a directory')
    run('run', '--heap-snapshot', '', '-e', '1').is_like(4, '')
    with Place() as place:
        os.mkdir(place.path / 'shut', 0o555)
        place.before = place.names()
        if os.geteuid() != 0:
            place.run('run', '--heap-snapshot', 'shut/x', '-e', '1').is_like(4, '', '...Permission denied')


def test_a_heap_snapshot_at_the_limit_where_none_can_be():
    run('run', '--snapshot-at-limit', 'no/such/x', '-e', '1').is_like(
        4, '', 'glovebox: cannot write no/such/x: No such file or directory\n')
    with Place(here='') as place:
        (place.path / 'folder').mkdir()
        place.run('run', '--memory', '8M', '--snapshot-at-limit', 'folder', '-e', 'const a = []; for (;;) a.push([a, 1.5])').is_like(
            12, '', ['...no heap snapshot at the limit: ', '...folder is there and is not a regular file'])
        place.makes('folder')
    run('run', '--stable-ids', '-e', '1').is_like(2, '', 'glovebox: run: --stable-ids goes with --heap-snapshot FILE\n')


def test_no_heap_snapshot_of_a_program_that_is_gone():
    run('run', '--memory', '8M', '--heap-snapshot', 'x', '-e', 'const a = []; for (;;) a.push(new Array(999).fill(1.5))').is_like(
        12, '', "...no heap snapshot: the program's process has ended")


def test_standard_output_whose_reader_has_gone():
    with Place() as place:
        for code in ('for (;;) console.log("x".repeat(100))', 'console.log(1)', '"result"'):
            process = place.start('run', '--print', '-e', code)
            process.stdout.close()
            error = process.stderr.read().decode()
            assert (process.wait(), error) == (4, ''), (code, error)
            process.stderr.close()


def test_standard_output_that_is_full_or_closed():
    with Place() as place, open('/dev/full', 'w') as full:
        for code in ('for (;;) console.log("x".repeat(100))', 'console.log(1)'):
            place.run('run', '-e', code, stdout=full).is_like(
                4, err='glovebox: cannot write standard output: No space left on device\n')
        place.run('run', '--json', '-e', '1', stdout=full).is_like(4, err='...No space left on device')
        for command in ('run --help', '--help', '--version', 'doctor'):
            place.run(*command.split(), stdout=full).is_like(4, err='...No space left on device')
        ended = subprocess.run(['sh', '-c', f'exec {GLOVEBOX} run -e "console.log(1)" >&-'], cwd=place.path,
                               env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
        assert ended.returncode == 4 and 'Bad file descriptor' in ended.stderr, ended


def test_standard_error_that_is_closed_hurts_nobody():
    with Place() as place:
        ended = subprocess.run(['sh', '-c', f'exec {GLOVEBOX} run -e "console.error(1); console.log(2)" 2>&-'],
                               cwd=place.path, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)
        assert (ended.returncode, ended.stdout) == (0, '2\n'), ended


def test_standard_output_that_does_not_block():
    with Place() as place:
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        process = place.start('run', '-e', 'for (let i = 0; i < 20000; i++) console.log("0123456789")', stdout=writer)
        os.close(writer)
        got = b''
        while piece := os.read(reader, 4096):
            got += piece
        os.close(reader)
        assert process.wait() == 0 and got == b'0123456789\n' * 20000, len(got)
        finish(process)


if __name__ == '__main__':
    tap.run(globals())
