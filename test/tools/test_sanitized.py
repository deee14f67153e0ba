"""tools/sanitized: a report fails the test, also from a process whose end nobody looks at."""

import pathlib
import subprocess
import tempfile

import tap

ROOT = pathlib.Path(__file__).resolve().parents[2]
FAULTS = '''#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
static __attribute__((noinline)) void lose(size_t n)
{
    volatile char *p = malloc(n);
    p[0] = 1;
}
int main(int argc, char **argv)
{
    volatile int big = 2147483647;
    const char *fault = argv[argc - 1];
    if (strcmp(fault, "child") == 0) {
        if (fork() == 0) {
            volatile char *p = malloc(8);
            _exit(p[8 + argc - argc]);
        }
        (void)wait(NULL);
    }
    for (int i = 0; strcmp(fault, "leak") == 0 && i < 10; i++)
        lose(33);
    if (strcmp(fault, "overflow") == 0)
        big += argc;
    return strcmp(fault, "status") == 0 ? 7 : 0;
}
'''


def run(fault):
    with tempfile.TemporaryDirectory(prefix='glovebox-sanitized-') as top:
        pathlib.Path(top, 'a.c').write_text(FAULTS)
        subprocess.run(['clang', '-g', '-fsanitize=address,undefined', '-fno-sanitize-recover=undefined', '-o',
                        f'{top}/a', f'{top}/a.c'], check=True)
        return subprocess.run([str(ROOT / 'tools/sanitized'), f'{top}/a', fault], stderr=subprocess.PIPE, text=True)


def test_a_clean_program_keeps_its_status():
    assert run('nothing').returncode == 0
    assert run('status').returncode == 7


def test_a_leak_fails():
    ended = run('leak')
    assert ended.returncode == 1 and 'LeakSanitizer' in ended.stderr, ended.stderr


def test_a_report_of_a_child_fails():
    ended = run('child')
    assert ended.returncode == 1 and 'heap-buffer-overflow' in ended.stderr, ended.stderr


def test_undefined_behaviour_fails():
    ended = run('overflow')
    assert ended.returncode == 1 and 'signed integer overflow' in ended.stderr, ended.stderr


if __name__ == '__main__':
    tap.run(globals())
