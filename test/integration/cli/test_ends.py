"""How a program can end other than by itself: limits, deaths, signals, a terminal. Each with its code."""

import os
import pathlib
import pty
import re
import resource
import signal
import subprocess
import termios

from support import (ENVIRONMENT, GLOVEBOX, Place, children, descendants, finish, js, run, wait_for)
import tap

# --- limits ---


def test_the_deadline():
    report = js('for (;;);', '--timeout', '100ms', '--json').is_like(10, err='').json
    assert report['error']['kind'] == 'timeout' and report['error']['limit'] == 100000, report
    js('for (;;);', '--timeout', '100ms').is_like(10, '', '...past --timeout 100ms')
    js('new Promise(() => {})', '--timeout', '100ms').is_like(10, '', '...past --timeout 100ms')
    js('(function f() { return Promise.resolve().then(f) })()', '--timeout', '100ms').is_like(10)


def test_the_deadline_is_one_for_all_scripts():
    with Place(a__js='for (const end = Date.now() + 300; Date.now() < end;);') as place:
        place.run('run', '--timeout', '450ms', '-r', 'a.js', '-r', 'a.js', '-e', 'console.log("never")').is_like(
            10, '', '...past --timeout 450ms')


def test_the_processor_budget():
    report = js('for (;;);', '--cpu', '100ms', '--json').is_like(11, err='').json
    assert report['error']['kind'] == 'cpu' and report['error']['limit'] == 100000, report
    js('for (;;);', '--cpu', '100ms').is_like(11, '', '...past --cpu 100ms')


def test_no_deadline():
    js('const end = Date.now() + 50; while (Date.now() < end); 1', '--timeout', '0', '--cpu', '0', '-p').is_like(0, '1\n')


def test_the_memory_limit():
    code = 'const a = []; for (;;) a.push(new Array(1000).fill(1.5))'
    error = js(code, '--memory', '16M', '--json').is_like(12).json['error']
    assert error['kind'] == 'memory' and error['limit'] == 16 << 20 and error['measured'] > 0, error
    js(code, '--memory', '16M').is_like(12, '', '...past --memory 16M, measured ')


def test_a_limit_shows_where_the_program_was():
    js('function spin() { for (;;); }\nspin()', '--timeout', '100ms').is_like(10, '', '...at spin (<eval>:1:')


def test_costs_are_told_of_the_dead_too():
    js('const a = []; for (;;) a.push(new Array(1000).fill(1.5))', '--memory', '16M', '--stats').is_like(
        12, '', ['...\nwall  ', '...\ncpu  ', '...\nmemory  '])


# --- deaths ---


def cell_of(process):
    """host > guard, where there is a pid namespace > zygote > template > cell"""
    wait_for(lambda: descendants(process.pid, 'gbx-cell'), f'{process.pid} has no cell')
    return descendants(process.pid, 'gbx-cell')[0]


def busy(place, *flags):
    """A run that has said that it runs, and does so until it is ended."""
    process = place.start('run', '--timeout', '0', *flags, '-e', 'console.log("runs"); for (;;);')
    assert process.stdout.readline() == b'runs\n'
    return process


def test_a_cell_that_is_killed():
    with Place() as place:
        for number in (signal.SIGKILL, signal.SIGSEGV):
            process = busy(place)
            os.kill(cell_of(process), number)
            finish(process).is_like(13, '', f'...signal {int(number)}')


def test_a_zygote_that_is_killed():
    with Place() as place:
        process = busy(place)
        os.kill(children(process.pid)[0], signal.SIGKILL)
        finish(process).is_like(13, '', '...template or zygote')


def test_a_command_that_is_killed_leaves_nothing():
    with Place() as place:
        process = busy(place)
        process.kill()
        assert finish(process).code == -signal.SIGKILL


def test_a_cell_that_breaks_the_protocol():
    """Not by the guest, which cannot: we write into the positions of the shared memory's first page."""
    with Place() as place:
        process = place.start('run', '--timeout', '0', '-e', 'for (;;) console.log("runs")')
        process.stdout.readline()
        maps = pathlib.Path(f'/proc/{process.pid}/maps').read_text()
        start = int(re.search(r'^([0-9a-f]+)-.*/memfd:glovebox', maps, re.MULTILINE)[1], 16)
        try:
            with open(f'/proc/{process.pid}/mem', 'r+b', buffering=0) as memory:
                os.set_blocking(process.stdout.fileno(), False)
                while process.poll() is None:  # the cell puts its own right again: until the host has seen it
                    process.stdout.read()
                    for ring in range(2):
                        memory.seek(start + 128 * ring)
                        memory.write(b'\xff' * 4)
        except PermissionError:
            process.kill()
            finish(process)
            raise tap.Skip('ptrace is restricted here')
        except OSError:  # its memory has gone with it
            pass
        os.set_blocking(process.stdout.fileno(), True)
        ended = finish(process)
        assert ended.code == 14 and 'ring' in ended.err, ended.err


def test_an_engine_that_is_missing_or_none():
    for engine, message in (('/nonexistent', 'cannot use /nonexistent/bin/node as the engine'),):
        environment = {**ENVIRONMENT, 'GLOVEBOX_ENGINE': engine}
        run('run', '-e', '1', env=environment).is_like(16, '', f'...{message}')
        assert run('run', '--json', '-e', '1', env=environment).is_like(16, err='').json['error']['kind'] == 'engine'
        run('doctor', env=environment).is_like(16, "...cells     don't run: " + message, '')
        run('--version', env=environment).is_like(0, '...no engine: ' + message)
    with Place() as place:
        os.mkdir(place.path / 'bin')
        os.symlink('/bin/true', place.path / 'bin/node')
        place.before = place.names()
        place.run('run', '-e', '1', env={**ENVIRONMENT, 'GLOVEBOX_ENGINE': str(place.path)}).is_like(16, '')


def test_a_system_call_that_fails():
    run('run', '-e', '1', preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))).is_like(17, '')


# --- signals ---


def test_signals_end_a_busy_program():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        with Place() as place:
            process = busy(place)
            process.send_signal(number)
            finish(process).is_like(128 + number, '', f'...glovebox: ended by {number.name}\n')


def test_signals_end_a_program_that_waits_for_ever():
    with Place() as place:
        process = place.start('run', '--timeout', '0', '-e', 'console.log("runs"); new Promise(() => {})')
        assert process.stdout.readline() == b'runs\n'
        process.send_signal(signal.SIGINT)
        finish(process).is_like(130)


def test_a_signal_in_json():
    with Place() as place:
        process = place.start('run', '--timeout', '0', '--json', '-e', 'console.log("runs"); for (;;);')
        assert process.stderr.readline() == b'runs\n'
        process.send_signal(signal.SIGTERM)
        report = finish(process).is_like(143, err='').json
        assert report['error']['kind'] == 'signal' and report['error']['message'] == 'ended by SIGTERM', report


def test_a_second_signal_ends_at_once():
    with Place() as place:
        process = busy(place, '--heap-snapshot', 'x')
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        assert finish(process).code == 130


def test_a_signal_while_a_snapshot_is_written_leaves_no_file():
    with Place() as place:
        for way in ('--attached', '--background'):
            process = place.start('run', '--timeout', '0', '--memory', '1G', '--heap-snapshot', 'x', way, '-e',
                                  'globalThis.a = []; for (let i = 0; i < 300000; i++) a.push({ i }); console.log("filled")')
            assert process.stdout.readline() == b'filled\n'
            wait_for(lambda: any('(deleted)' in os.readlink(f'/proc/{process.pid}/fd/{fd}') and
                                 str(place.path) in os.readlink(f'/proc/{process.pid}/fd/{fd}')
                                 for fd in os.listdir(f'/proc/{process.pid}/fd')), 'no snapshot is being written')
            process.send_signal(signal.SIGINT)
            finish(process).is_like(130, '', 'glovebox: ended by SIGINT\n')


def test_a_kill_while_a_snapshot_is_written_leaves_no_file():
    with Place() as place:
        process = place.start('run', '--memory', '1G', '--heap-snapshot', 'x', '-e',
                              'globalThis.a = []; for (let i = 0; i < 300000; i++) a.push({ i }); console.log("filled")')
        assert process.stdout.readline() == b'filled\n'
        wait_for(lambda: any('(deleted)' in os.readlink(f'/proc/{process.pid}/fd/{fd}')
                             for fd in os.listdir(f'/proc/{process.pid}/fd')), 'no snapshot is being written')
        process.kill()
        assert finish(process).code == -9


def test_a_signal_while_a_file_is_read():
    with Place() as place:
        process = place.start('run', '-', stdin=subprocess.PIPE)
        wait_for(lambda: 'read' in pathlib.Path(f'/proc/{process.pid}/wchan').read_text()
                 or process_sleeps(process.pid), 'it does not read')
        process.send_signal(signal.SIGINT)
        finish(process).is_like(130)


def test_a_signal_while_a_pipe_has_no_writer():
    with Place() as place:
        os.mkfifo(place.path / 'pipe.js')
        place.before = place.names()
        for words in (['pipe.js'], ['--heap-snapshot', 'pipe.js', '-e', '1']):
            process = place.start('run', *words)
            wait_for(lambda: 'fifo' in pathlib.Path(f'/proc/{process.pid}/wchan').read_text()
                     or process_sleeps(process.pid), 'it does not wait')
            process.send_signal(signal.SIGTERM)
            finish(process).is_like(143, '', 'glovebox: ended by SIGTERM\n')


def process_sleeps(pid):
    return pathlib.Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[0] == 'S'


def test_a_signal_while_nobody_reads_the_output():
    with Place() as place:
        process = place.start('run', '--timeout', '0', '--console-limit', '0', '-e', 'for (;;) console.log("x".repeat(1000))')
        wait_for(lambda: len(children(process.pid)) > 0, 'no cell')
        wait_for(lambda: 'pipe' in pathlib.Path(f'/proc/{process.pid}/wchan').read_text()
                 or process_sleeps(process.pid), 'it does not wait')
        process.send_signal(signal.SIGTERM)
        assert finish(process).code == 143


def test_signals_that_were_ignored_stay_so():
    with Place() as place:
        process = place.start('run', '-e', 'console.log("runs"); const end = Date.now() + 300; while (Date.now() < end); 1',
                              preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
        assert process.stdout.readline() == b'runs\n'
        process.send_signal(signal.SIGINT)
        finish(process).is_like(0)


# --- terminals ---


class Terminal:
    """A terminal with the command on it."""

    def __init__(self, *words, **environment):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup ignores it, for all that run below
            os.execve(GLOVEBOX, [GLOVEBOX, *words], {**ENVIRONMENT, **environment})
        modes = termios.tcgetattr(self.fd)
        modes[1] &= ~termios.OPOST
        termios.tcsetattr(self.fd, termios.TCSANOW, modes)
        self.shown = ''

    def read_until(self, text):
        while text not in self.shown:
            self.shown += os.read(self.fd, 4096).decode()

    def end(self):
        try:
            while piece := os.read(self.fd, 4096):
                self.shown += piece.decode()
        except OSError:
            pass
        os.close(self.fd)
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)


HOSTILE = 'a\x1b[31mred\x07\r\x00\x9b\u202ecod.exe\ttab'
ESCAPED = r'a\x1b[31mred\x07\x0d\x00\x9b\u202ecod.exe' + '\ttab'


def test_a_terminal_gets_escaped_text():
    with Place():
        for code in ('console.log(TEXT)', 'console.error(TEXT)'):
            terminal = Terminal('run', '--set', 'TEXT=' + HOSTILE.replace('\0', ''), '-e', code)
            assert terminal.end() == 0
            assert terminal.shown.replace('\r\n', '\n') == ESCAPED.replace(r'\x00', '') + '\n', terminal.shown
        terminal = Terminal('run', '-e', 'throw new Error("\\x1b[2J")')
        assert terminal.end() == 1 and '\x1b' not in terminal.shown and r'\x1b[2J' in terminal.shown, terminal.shown
        terminal = Terminal('run', '\x1b[31m')
        assert terminal.end() == 3 and r'\x1b[31m' in terminal.shown and '\x1b' not in terminal.shown


def test_a_pipe_gets_the_bytes():
    js(r'console.log("a\x1b[31m\x07\x9b\0")').is_like(0, 'a\x1b[31m\x07\x9b\0\n')


def test_a_terminal_gets_colours_of_ours_only():
    with Place():
        terminal = Terminal('run', '-p', '-e', '["\\x1b[5m", 1]')
        assert terminal.end() == 0
        assert '\x1b[33m1' in terminal.shown and '\x1b[5m' not in terminal.shown, terminal.shown


def test_a_terminal_that_wants_no_colours():
    with Place():
        terminal = Terminal('run', '-p', '-e', '[1]', NO_COLOR='1')
        assert terminal.end() == 0 and terminal.shown.strip() == '[ 1 ]', terminal.shown


def test_the_key_that_interrupts():
    with Place():
        terminal = Terminal('run', '--timeout', '0', '-e', 'console.log("runs"); for (;;);')
        terminal.read_until('runs')
        os.write(terminal.fd, b'\x03')
        assert terminal.end() == 130, terminal.shown


def test_a_terminal_that_is_closed():
    with Place():
        terminal = Terminal('run', '--timeout', '0', '-e', 'console.log("runs"); for (;;);')
        terminal.read_until('runs')
        os.close(terminal.fd)
        _, status = os.waitpid(terminal.pid, 0)
        assert os.waitstatus_to_exitcode(status) == 129


if __name__ == '__main__':
    tap.run(globals())
