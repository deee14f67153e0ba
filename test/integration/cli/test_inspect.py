"""glovebox inspect and run --inspect: debuggers from outside, and that nothing stays behind them."""

import json
import os
import re
import signal
import socket
import subprocess
import threading
import urllib.error
import urllib.request

from support import BUILD, ENVIRONMENT, PATIENCE, Place, finish, run, wait_for
import tap

NODE = BUILD / 'libexec/glovebox/engine/bin/node'
PROGRAM = '''function add(x, y) {
  const sum = x + y;
  return sum;
}
console.log('sum', add(1, 41));
'''


class Listening:
    """The command, once it has told its port; what it says on standard error is kept."""

    def __init__(self, place, *words):
        self.process, self.said = place.start(*words), ''
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()
        wait_for(lambda: 'node inspect' in self.said or not self.thread.is_alive(), 'it does not listen')
        found = re.search(r'listening on ws://([\d.]+):(\d+)/([0-9a-f]{32})\n', self.said)
        assert found, self.said
        self.port, self.id = int(found[2]), found[3]

    def read(self):
        for line in self.process.stderr:
            self.said += line.decode()

    def says(self, text):
        wait_for(lambda: text in self.said, f'it does not say {text!r}: {self.said}')

    def end(self):
        out = self.process.stdout.read().decode()
        self.process.wait(PATIENCE)
        self.thread.join(PATIENCE)
        return self.process.returncode, out


def get(port, path, **headers):
    request = urllib.request.Request(f'http://127.0.0.1:{port}{path}', headers=headers)
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return json.load(answer)


def refused(port, path, **headers):
    try:
        get(port, path, **headers)
    except urllib.error.HTTPError as error:
        return error.code
    return None


def is_open(port):
    try:
        socket.create_connection(('127.0.0.1', port), 1).close()
    except OSError:
        return False
    return True


def test_node_inspect_stops_steps_and_reads():
    with Place(program__js=PROGRAM) as place:
        one = Listening(place, 'inspect', '--port', '0', 'program.js')
        one.says('waiting for the debugger')
        assert 'devtools://devtools/bundled/js_app.html?experiments=true&v8only=true&ws=127.0.0.1:' in one.said
        client = subprocess.Popen([NODE, 'inspect', f'127.0.0.1:{one.port}'], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=ENVIRONMENT)
        seen = b''

        def until(text, say=None):
            nonlocal seen
            if say:
                seen = b''
                client.stdin.write(say.encode() + b'\n')
                client.stdin.flush()
            while text not in seen:
                piece = os.read(client.stdout.fileno(), 65536)
                assert piece, (text, seen)
                seen += piece

        until(b'Break on start in program.js')
        until(b'debug>')
        until(b'debug>', 'setBreakpoint(2)')
        until(b'break in program.js:2', 'cont')
        until(b'[ 1, 41 ]', 'exec("[x, y]")')
        until(b'program.js:3', 'next')
        until(b'42', 'exec("sum")')
        until(b'debug>', 'cont')
        one.says('the program has ended; waiting for the debugger to disconnect')
        client.stdin.write(b'.exit\n')
        client.stdin.close()
        client.wait(PATIENCE)
        client.stdout.close()
        assert one.end() == (0, 'sum 42\n'), one.said


def test_a_program_without_a_debugger_runs_as_ever():
    with Place(program__js=PROGRAM) as place:
        ended = place.run('run', '--inspect=0', 'program.js').is_like(0, 'sum 42\n', '...debugger listening on ws://')
        assert 'waiting' not in ended.err, ended


def test_a_busy_program_can_be_looked_at():
    with Place(program__js='for (;;);') as place:
        one = Listening(place, 'run', '--inspect=127.0.0.1:0', '--timeout', '0', 'program.js')
        listed = get(one.port, '/json/list')
        assert [(target['title'], target['id']) for target in listed] == [('program.js', one.id)], listed
        assert refused(one.port, '/json/list', Host='rebound.example') == 403
        assert refused(one.port, '/json/list', Origin='http://127.0.0.1:8000') == 403
        one.process.send_signal(signal.SIGINT)
        assert one.end()[0] == 130


def test_whoever_waits_can_be_ended():
    with Place(program__js=PROGRAM) as place:
        for number in (signal.SIGINT, signal.SIGTERM):
            one = Listening(place, 'run', '--inspect-brk=0', 'program.js')
            one.says('waiting for the debugger')
            one.process.send_signal(number)
            assert one.end() == (128 + number, ''), one.said


def test_a_killed_host_leaves_nothing_that_listens():
    with Place(program__js=PROGRAM) as place:
        one = Listening(place, 'inspect', '--port', '0', 'program.js')
        client = socket.create_connection(('127.0.0.1', one.port))
        client.sendall(b'GET /js')
        assert is_open(one.port)
        one.process.kill()
        one.end()
        wait_for(lambda: not is_open(one.port), 'somebody still listens')
        client.close()


def test_a_port_that_is_taken():
    with Place(program__js=PROGRAM) as place, socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        place.run('run', f'--inspect={port}', 'program.js').is_like(2, '', f'...port {port} is taken')


def test_wrong_ports_and_hosts():
    with Place(program__js=PROGRAM) as place:
        for word in ('65536', 'localhost:', ':9229', '127.0.0.1:x', 'a' * 70):
            place.run('run', f'--inspect={word}', 'program.js').is_like(2, '', '...expected a port')
        for word in ('0.0.0.0:9229', '192.168.1.1', '-1', '[]:1', 'example.org:0', '[::]:0'):
            place.run('run', f'--inspect={word}', 'program.js').is_like(2, '', '...loopback')
        place.run('run', '--inspect', '--inspect-brk', 'program.js').is_like(2, '', '...expected one of them')
        place.run('inspect').is_like(2, '', '...inspect: which file?')


def test_time_at_a_breakpoint_is_not_the_programs():
    with Place(program__js='const end = Date.now() + 2000; while (Date.now() < end);') as place:
        one = Listening(place, 'inspect', '--port', '0', '--timeout', '1s', 'program.js')
        one.says('waiting for the debugger')
        threading.Event().wait(1.5)
        assert one.process.poll() is None, one.said
        one.process.terminate()
        assert one.end()[0] == 143, one.said
    run('run', '--inspect=0', '--timeout', '100ms', '-e', 'for (;;);').is_like(10, '', '...past --timeout')


if __name__ == '__main__':
    tap.run(globals())
